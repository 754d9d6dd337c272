#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Audit: the same judgement and the same counters, and the packet passes. Every
# case is sent once in enforce and once in audit; the counters must move alike.
#
#   outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403

BOUND = POLICY.replace(f"add access {ACCESS}\n", f"add access {ACCESS} dev ext0\n")
rig = Rig(BOUND)
port = 50000


def case(name, make, enters, why):
    """make(sport) builds the packet; every mode sees a flow of its own."""
    global port
    port += 1
    rig.edgectl("mode", "enforce")
    rig.expect(f"enforce, {name}", make(port), why, enters)
    rig.edgectl("mode", "audit")
    port += 1
    out, moved = rig.send(make(port), enters, comes=True)
    rig.check(f"audit, {name}: passes and counts the same", out is not None and moved == {why: 1},
              f"came out: {out}", f"moved: {moved}")


case("admitted", lambda p: tcp(FEDERATION, ACCESS, 5061, sport=p), "outside", "sip-federation-in")
case("a stranger", lambda p: tcp(STRANGER, ACCESS, 5061, sport=p), "outside", "not-listed")
case("a stranger's UDP", lambda p: udp(STRANGER, AV, 4000, sport=p), "outside", "unlisted")
case("a stranger's UDP from 3478", lambda p: udp(STRANGER, AV, p, sport=3478), "outside", "unlisted")
case("an echo", lambda p: l3(STRANGER, ACCESS) / ICMP(type=8, id=p), "outside", "unlisted")
case("out to a port without row", lambda p: tcp(ACCESS, STRANGER, 25, sport=p), "inside", "unlisted")
case("malformed", lambda p: tcp(FEDERATION, ACCESS, 5061, sport=p, dataofs=3), "outside", "malformed")
case("invalid", lambda p: tcp(FEDERATION, ACCESS, 5061, "SF", sport=p), "outside", "invalid-state")
case("a bare ACK", lambda p: tcp(FEDERATION, ACCESS, 5061, "A", sport=p), "outside", "invalid-state")
case("a stranger's bare ACK", lambda p: tcp(STRANGER, ACCESS, 5061, "A", sport=p), "outside", "not-listed")
case("the wrong device", lambda p: tcp(FEDERATION, ACCESS, 5061, sport=p), "beside", "wrong-device")
case("the wrong way out", lambda p: tcp(ACCESS, "10.66.0.1", 5061, sport=p), "inside", "wrong-device")
case("an error about no flow", lambda p: l3(STRANGER, ACCESS) / ICMP(type=3, code=1) /
     tcp(ACCESS, STRANGER, 5061, sport=p), "outside", "invalid-state")
rig.edgectl("rule", "disable", "sip-client-in")
case("a disabled row", lambda p: tcp(CLIENT, ACCESS, 443, sport=p), "outside", "disabled")
rig.edgectl("rule", "enable", "sip-client-in")

# A stranger's whole conversation in audit: every packet counts, in both directions.
call = udp(STRANGER, AV, 4000, sport=51999)
for name, packet, enters in (("first", call, "outside"), ("reply", back(call), "inside"), ("later", call, "outside")):
    out, moved = rig.send(packet, enters, comes=True)
    rig.check(f"audit, a stranger's {name} packet passes and counts once", out is not None and moved == {"unlisted": 1},
              out, moved)
said = rig.json("explain", STRANGER, ACCESS, "tcp", "5061")
rig.check("explain gives the policy's verdict in audit", (said["verdict"], said["reason"]) == ("drop", "not-listed") and
          "audit" in said["text"], said)
rig.edgectl("mode", "enforce")
rig.expect("back to enforce: the stranger's flow stops", call, "unlisted")
rig.done()
