#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# When a partner was seen: by the packets that came from it and were admitted because it is listed.
#
#   outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403

RANGE, BESIDE = "198.51.100.0/24", "198.51.100.11"
NEW_POLICY = POLICY + f"partner add {RANGE} group xmpp\npartner add {BESIDE} name beside\n"
rig = Rig()
rig.load(NEW_POLICY)


def partners(*words):
    return {one["address"]: one for one in rig.json("partner", "list", *words)}


def packets():
    return {address: one["packets"] for address, one in partners().items() if one["packets"]}


def sees(name, want):
    got = packets()
    rig.check(name, got == want, f"wanted: {want}", f"got: {got}")


HOST, HOST6 = f"{FEDERATION}/32", f"{FEDERATION6}/128"
sees("nobody was seen", {})
flow, flow6 = tcp(FEDERATION, ACCESS, 5061), tcp(FEDERATION6, ACCESS6, 5061)
rig.expect("a partner calls", flow, "sip-federation-in")
sees("it was seen, and not what covers it as well", {HOST: 1})
rig.expect("it is answered", back(flow), "sip-federation-in", "inside")
sees("what goes to it does not count", {HOST: 1})
for _ in range(5):
    rig.put(tcp(FEDERATION, ACCESS, 5061, "A"))
rig.expect("it goes on", tcp(FEDERATION, ACCESS, 5061, "A"), "sip-federation-in")
sees("all that comes counts, the last second's too", {HOST: 7})
rig.expect("one calls by IPv6", flow6, "sip-federation-in")
sees("it was seen, too", {HOST: 7, HOST6: 1})
rig.expect("a partner calls a port that it is not listed for", tcp(PIC, ACCESS, 5062), "unlisted")
rig.expect("and one that is open to any", tcp(PIC, ACCESS, 443), "sip-client-in")
sees("what another row or none decides does not count", {HOST: 7, HOST6: 1})
rig.edgectl("rule", "set", "sip-federation-out", "peers", "listed")
out = tcp(ACCESS, FEDERATION, 5061, sport=41000)
rig.expect("a partner is called", out, "sip-federation-out", "inside")
sees("that is no sign of it", {HOST: 7, HOST6: 1})
rig.expect("it answers", back(out), "sip-federation-out")
sees("but its answer is", {HOST: 8, HOST6: 1})

# However slow the machine is, at some time the list is there within a second of the packet.
time.sleep(1.1)
for count in range(9, 109):
    rig.expect("a second later", tcp(FEDERATION, ACCESS, 5061, "A"), "sip-federation-in")
    idle = partners("idle", "1s")
    if HOST not in idle:
        break
rig.check("idle tells those who were seen from the others", HOST not in idle and HOST6 in idle,
          *idle.values())
rig.check("who was never seen is idle since it was added", f"{BESIDE}/32" in idle)
rig.check("nobody for a day", partners("idle", "1d") == {})

rig.load(NEW_POLICY.replace("partner add", "rule disable xmpp-in\npartner add", 1))
sees("another policy takes over what was seen of its partners", {HOST: count, HOST6: 1})
rig.check("and since when the others were not", f"{BESIDE}/32" in partners("idle", "1s"))
rig.edgectl("partner", "del", FEDERATION)
rig.edgectl("partner", "add", FEDERATION)
sees("who was removed is new when it comes again", {HOST6: 1})
text = rig.run(EDGECTL, "partner", "list", "covers", FEDERATION, capture_output=True, text=True).stdout.splitlines()
rig.check("in text it was never seen", text[1].split()[:2] == [RANGE, "xmpp"] and text[2].split()[3] == "never", *text)
rig.done()
