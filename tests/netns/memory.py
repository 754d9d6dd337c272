#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Partners take memory of the control group that adds them.

import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import lab  # noqa: E402
from genl import Genl, Spec  # noqa: E402
from tap import Tap  # noqa: E402

ROOT, GROUP = "/run/cgroup", "/run/cgroup/nf_edge"
MANY, IN_ONE = 20000, 500	# partners; of them in a message
LEAST = 20			# bytes that each takes, at the least


def value(name):
    with open(f"{GROUP}/{name}", encoding="ascii") as file:
        return int(file.read())


def put(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def add_inside():
    """All of them, by a process of the group; whether they were taken."""
    child = os.fork()
    if not child:
        put(f"{GROUP}/cgroup.procs", 0)
        with Genl(spec) as client:
            for message in messages:
                client.do("partner-add", message)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def policy():
    return subprocess.run([lab.EDGECTL, "save"], check=True, capture_output=True, text=True).stdout


lab.load_module()
spec, tap = Spec(), Tap()
if not os.path.ismount(ROOT):
    os.makedirs(ROOT, exist_ok=True)
    subprocess.run(["mount", "-t", "cgroup2", "cgroup", ROOT], check=True)
with open(f"{ROOT}/cgroup.controllers", encoding="ascii") as controllers:
    if "memory" not in controllers.read():
        print("1..0 # SKIP control groups do not count memory here")
        sys.exit()
put(f"{ROOT}/cgroup.subtree_control", "+memory")
os.makedirs(GROUP, exist_ok=True)

like = spec.pack("edge", {"entry": {"address": "100.64.0.0", "prefix-len": 32, "groups": ["federation"]}})
head, tail = like.split(bytes([100, 64, 0, 0]))
entries = [head + struct.pack("!I", 0x64400000 + 2 * n) + tail for n in range(MANY)]
messages = [b"".join(entries[at:at + IN_ONE]) for at in range(0, MANY, IN_ONE)]
genl = Genl(spec)
genl.do("interface-add", {"role": "access", "address": "203.0.113.10"})
genl.do("partner-add", {"entry": {"address": "198.51.100.0", "prefix-len": 24, "groups": ["pic"], "name": "skype"}})
before = policy()

empty = value("memory.current")
tap.check("partners are added", add_inside())
full = value("memory.current")
tap.check("the group pays for them", full - empty >= MANY * LEAST, f"{full - empty} bytes")
genl.do("partner-flush", {"groups": ["federation"]})
tap.check("the policy is what it was", policy() == before)
tap.done()
