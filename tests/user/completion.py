#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The shells offer what the policy in force has: addresses, domains, names. gw alone; no traffic."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from lab import EDGECTL, ip, load_module  # noqa: E402
from shells import SHELLS  # noqa: E402
from tap import Tap  # noqa: E402

POLICY = """interface add access 203.0.113.10
interface add av 2001:db8::10 dev ext0
partner add 198.51.100.7 198.51.100.0/24 group pic
partner add 2001:db8:51::/48 2001:db8:52::1 name "two words"
partner add 192.0.2.5 domain contoso.com group xmpp
block add 192.0.2.66
"""
LINES = {
    "partner del 198": ["198.51.100.0/24", "198.51.100.7/32"],
    "partner del 2001:db8:5": ["2001:db8:51::/48", "2001:db8:52::1/128"],
    "partner list covers 198": ["198.51.100.7"],
    "partner list name t": ["two words"],
    "partner refresh c": ["contoso.com"],
    "interface del av 2": ["2001:db8::10", "203.0.113.10"],
    "block del 192": ["192.0.2.66/32"],
    "block add 198.51.100.7 until 1h r": ["reason"],
    "partner del --dry-run 198": ["198.51.100.0/24", "198.51.100.7/32"],
    "partner del 198.51.100.7 --": ["--confirm", "--dry-run"],
    "explain 2001:": ["2001:db8:52::1", "2001:db8::10"],
    "monitor from 2": ["2001:db8:51::/48", "2001:db8:52::1/128", "2001:db8::10/128",
                       "203.0.113.10/32"],
    "interface add access 192.0.2.9 dev e": ["ext0"],
}

# What shells have to be careful with.
SHOWN = {
    "-n gw partner del 2001:db8:5": ["2001:db8:51::/48", "2001:db8:52::1/128"],
    "-n gw partner list name t": ["two words"],
    "-n g": ["gw"],
}


def complete(line):
    answer = subprocess.run([EDGECTL, "--complete", "-n", "gw", *line.split(" ")], capture_output=True,
                            text=True, check=True)
    return sorted(set(answer.stdout.splitlines()))


load_module()
ip(["netns add gw"])
ip(["link add ext0 type veth peer name far0"], "gw")
subprocess.run([EDGECTL, "-q", "-n", "gw", "load", "-"], input=POLICY, text=True, check=True)
tap = Tap()
got = {line: complete(line) for line in LINES}
tap.check("edgectl knows the policy in force", got == LINES,
          *[f"{line}: {got[line]}, not {want}" for line, want in LINES.items() if got[line] != want])
for name, shell in SHELLS.items():
    with shell() as asked:
        answers = [sorted(answer) for answer in asked.all_offers([f"edgectl {line}" for line in SHOWN])]
    tap.equal(f"{name} asks it", shell=answers, wanted=list(SHOWN.values()))
tap.done()
