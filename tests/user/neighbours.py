#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# edgectl and modules of other releases: a family of another version is refused, whatever is asked of it; of the
# same, what the module does not know yet is, and a release that only calls itself something else is none of
# another kind (and doctor tells: doctor.py).

import contextlib
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../faults/lib"))
from faults import *  # noqa: E402,F403
from lab import EDGECTL  # noqa: E402

VERSION = subprocess.run(["modinfo", "-F", "version", module_path()], capture_output=True, text=True,
                         check=True).stdout.strip().encode()
FILE = "partner add 198.51.100.10/32 name fabrikam\npartner add 198.51.100.11/32 domain fabrikam.example\n"
# Of its policies, {type, check, length}, those for a domain: a text of this length nothing else is.
DOMAIN = struct.pack("=BBHIQ", 10, 0, 258, 0, 0), bytes(16)

tap = Tap()
scratch = tempfile.TemporaryDirectory()


@contextlib.contextmanager
def module(*changes):
    path = other_build(f"{scratch.name}/nf_edge.ko", *changes)
    subprocess.run(["insmod", path], check=True)
    yield
    remove()


def edgectl(*words, text=None):
    done = subprocess.run([EDGECTL, *words], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


load_dependencies()
if is_loaded():
    remove()
for number, is_ in (0, "old"), (2, "new"):
    with module(family_version(number)):
        for words in ["status"], ["save"], ["partner", "add", "198.51.100.10"], ["load", "-"]:
            said = edgectl(*words, text=FILE)
            tap.check(f"{' '.join(words)}: a family of version {number}",
                      said == (1, "", f"edgectl: the nf_edge module is too {is_} for this edgectl\n"), said)

with module((VERSION + b"\0", VERSION[:-1] + b"x\0")):
    said = edgectl("load", "-", text=FILE)
    tap.check("another version of the same family", said[0] == 0, said)
    tap.check("takes what is known to both", "fabrikam.example" in edgectl("save")[1])

with module(DOMAIN):
    edgectl("partner", "add", "198.51.100.12")
    before = edgectl("save")
    said = edgectl("load", "-", text=FILE)
    tap.check("what it does not know is refused", said[:2] == (1, "") and "the nf_edge module is too old for this\n" in said[2], said)
    tap.check("and nothing has changed", edgectl("save") == before and before[0] == 0, before)
    said = edgectl("load", "-", text=FILE.splitlines()[0])
    tap.check("the rest is loaded", said[0] == 0, said)
tap.done()
