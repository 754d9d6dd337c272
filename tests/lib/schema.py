# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/schemas/edgectl.json, and what of edgectl -j it does not allow."""

import json
import os

import jsonschema

from lab import TREE

with open(os.path.join(TREE, "Documentation/schemas/edgectl.json"), encoding="utf-8") as file:
    SCHEMA = json.load(file)
COMMANDS = list(SCHEMA["properties"])
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
VALIDATOR.check_schema(SCHEMA)


def faults(command, value):
    """What is wrong with a command's output, as lines."""
    return [f"{command}: {error.json_path}: {error.message}"
            for error in VALIDATOR.iter_errors({command: value})]
