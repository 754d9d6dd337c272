#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The manual's pages are good roff, and the policy files that they show are good, as they stand."""

import os
import re
import subprocess
import sys

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TREE, "tests/lib"))
from manual import PAGES, SOURCES, examples, source  # noqa: E402
from tap import Tap  # noqa: E402

# No date: the page is as old as the package.
ALLOWED = "missing date, using"


def complaints(*words):
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    return [line for line in (answer.stdout * (words[0] == "mandoc") + answer.stderr).splitlines()
            if ALLOWED not in line]


tap = Tap()
tap.check("there are pages", len(PAGES) == 2, PAGES)
for path in PAGES:
    page = os.path.basename(path)
    for tool in (["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-ww", "-man", "-T", "utf8"]):
        found = complaints(*tool, path)
        tap.check(f"{tool[0]} finds nothing in {page}", not found, *found)
    bare = [line for block in re.findall(r"^\.EX\n(.*?)^\.EE$", source(page), re.M | re.S)
            for line in block.splitlines() if re.search(r"(?<!\\)-|['`^~]", line)]
    tap.check(f"{page}: what is shown can be copied, every - and ' of it", not bare, *bare)

files = examples("nf_edge-policy.5")
tap.check("nf_edge-policy(5) has examples", len(files) > 4, files)
for number, file in enumerate(files, 1):
    answer = subprocess.run([f"{SOURCES}/edgectl", "check", "-"], input=file, capture_output=True,
                            text=True, check=False)
    want = "" if "interface add" in file else "edgectl: warning: -: no Edge address: nothing will be enforced\n"
    tap.check(f"edgectl check has nothing against example {number}",
              answer.returncode == 0 and answer.stdout + answer.stderr == want, answer, file)
tap.done()
