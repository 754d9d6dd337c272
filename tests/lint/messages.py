#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Messages speak with one voice: what is wrong, in the words of the command line, and no more.

They begin in lower case and end without a stop; what is not there is missing, what nobody knows is
unknown, what cannot be read is bad; nobody is asked to please do anything.
"""

import glob
import os
import re
import sys

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TREE, "tests/lib"))
from tap import Tap  # noqa: E402

SPEAKS = r"\b(?:fail|misuse|warn|refuse|set_error|failed|REFUSE|NL_SET_ERR_MSG(?:_ATTR)?)\("
CAPITALS = r"DNS\b|SERVFAIL|UTF|CSV|RTP|NUL|IPv4|IPv6"
NEVER = {
    "begins with a capital": rf"^(?!{CAPITALS})[A-Z]",
    "ends with a stop": r"(?<!\.\.)[.!]$",
    "is another's word": r"(?i)\b(invalid|illegal|please|sorry|error|unable|could not|failed to|must specify|"
                         r"unrecogni[sz]ed|no such option|not found|requires?|needs an?|malformed)\b",
    "is more than a line": r"\\n",
    "has a word in single quotes": r"(?<!\w)'",
}


def messages(path):
    """(line, text) of each string that is said, its parts put together."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for found in re.finditer(SPEAKS, text):
        call = re.match(r'(?:[^";]|"(?:\\.|[^"\\])*")*', text[found.end():]).group()
        said = re.findall(r'"((?:\\.|[^"\\])*)"', call)
        if said:
            yield text.count("\n", 0, found.start()) + 1, "".join(said)


os.chdir(TREE)
tap = Tap()
for where in ("tools/edgectl", "kmod"):
    paths = [path for path in sorted(glob.glob(f"{where}/*.c")) if not path.endswith("_test.c")]
    said = [(path, line, text) for path in paths for line, text in messages(path)]
    faults = [f"{path}:{line}: {what}: {text}" for path, line, text in said
              for what, pattern in NEVER.items() if re.search(pattern, text)]
    tap.check(f"{where} speaks with one voice", len(said) > 30 and not faults, len(said), *faults)
tap.done()
