#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every command refuses every attribute that it does not take, by the kernel's version or not, and changes nothing
then; who listens hears of no attribute that the command does not take."""

import os
import random
import struct
import sys

sys.path[1:1] = [os.path.join(os.path.dirname(os.path.realpath(__file__)), each) for each in ("../lib", "../fuzz/lib")]
import lab  # noqa: E402
from genl import Genl, Spec  # noqa: E402
from maker import NEEDED, Maker  # noqa: E402
from nl import ACK, DUMP, NESTED, Refused, attr  # noqa: E402
from tap import Tap  # noqa: E402

PARTNER = {"address": "198.51.100.0", "prefix-len": 24, "groups": ["pic"]}
LIES = 300	# entries of a list that a command does not take

lab.load_module()
spec, tap = Spec(), Tap()
maker = Maker(spec, random.Random(13))
genl, listener = Genl(spec), Genl(spec)
genl.roomy()
listener.roomy().subscribe("config")
edge = spec.sets["edge"]
# What is told of every change; the rest is what was asked for.
OWN = ["command", "generation", "interfaces", "partners", "blocks", "confirm", "entries", "mode", "unlisted", "rtp-match",
       "process", "pid", "user", "login"]


def payload_of(attribute):
    """What the attribute may hold, where it may stand."""
    if attribute.nest:
        return attr(attribute.value | NESTED, spec.pack("rule-entry", {"row": "xmpp-in", "enabled": 1}))
    length = {"u32": 4, "u64": 8, "flag": 0, "binary": attribute.checks.get("exact-len", 4), "string": 2}.get(attribute.type, 4)
    return attr(attribute.value, {"string": b"a\0"}.get(attribute.type, struct.pack("=I", 1) + bytes(length))[:length])


def refused(op, payload):
    """Whether it is, and for whom to blame for it."""
    try:
        genl.command(op.value, payload, DUMP if op.kind == "dump" else ACK)
        return False
    except Refused as refusal:
        return refusal.name == "EINVAL" or refusal


def heard():
    """What listeners were told, or what they could not even read."""
    try:
        return list(listener.events())
    except KeyError as unknown:
        return [f"attribute {unknown}"]


def needed(op):
    """The attributes that it wants to see."""
    return b"".join(maker.pools[op.set, name][0] for name in NEEDED.get(op.name, []))


genl.do("partner-add", {"entry": PARTNER})
before = genl.do("status-get")["generation"]
heard()
commands = [op for op in spec.ops.values() if op.kind != "event"]
for op in commands:
    foreign = {name: payload_of(attribute) for name, attribute in edge.items()
               if attribute.type not in ("unused", "pad") and name not in op.request}
    foreign["one that is not there"] = attr(maker.last + 1, bytes(4))
    foreign["many entries"] = payload_of(edge["entry"]) * LIES if "entry" not in op.request else attr(maker.last + 2, b"")
    taken = [f"{name}: {answer}" for name, payload in foreign.items() for answer in [refused(op, needed(op) + payload)]
             if answer is not True]
    tap.check(f"{op.name} takes {len(op.request)} attributes, and refuses the other {len(foreign)}", not taken, *taken)
tap.check("nothing has changed", genl.do("status-get")["generation"] == before)
tap.check("nobody has heard of anything", not (told := heard()), told)

# One that holds all that may be told of whatever happened, beside what was asked for.
lie = attr(edge["command"].value, struct.pack("=I", spec.ops["rule-set"].value)) + \
    attr(edge["entries"].value, struct.pack("=I", 0xffffffff)) + payload_of(edge["entry"]) * LIES
for name in ("stats-reset", "begin", "commit", "abort", "confirm", "revert"):
    tap.check(f"{name} does not tell what is in force, nor of {LIES} entries", refused(spec.ops[name], lie) is True)
tap.check("nobody has heard of that either", not (told := heard()), told)

# What is done is told of, with what it takes.
genl.do("stats-reset")
genl.do("partner-add", {"entry": {**PARTNER, "groups": ["xmpp"]}, "tolerant": True})
genl.do("status-set", {"mode": "audit"})
genl.do("begin")
genl.do("partner-add", {"entry": PARTNER})
genl.do("commit", {"confirm": 1000})
genl.do("revert")
for name, told in listener.events():
    op = spec.ops[told["command"]]
    more = [each for each in told if each not in OWN + op.request]
    tap.check(f"of {op.name} is told what it takes", name == "config-ntf" and not more, more)
tap.done()
