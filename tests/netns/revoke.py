#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Every packet of an established flow is judged by the policy of the moment: what
# admitted a flow is taken away, and the next packet stops, in both directions.
#
#   outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403

rig = Rig()
port = 45000


def opened(source, target, dport, row, protocol="tcp"):
    """A flow with its reply seen: (a later packet, a later reply, where they enter)."""
    global port
    port += 1
    inbound = source not in (ACCESS, ACCESS6, AV, AV6, INTERNAL)
    here, there = ("outside", "inside") if inbound else ("inside", "outside")
    if protocol == "tcp":
        first = tcp(source, target, dport, sport=port)
        later = tcp(source, target, dport, "A", sport=port, seq=1, ack=1)
        reply = back(first, "A", seq=1)
    else:
        first = later = udp(source, target, dport, sport=port)
        reply = back(first)
    rig.expect(f"{row} opens", first, row, here)
    rig.expect(f"{row} answers", back(first), row, there)
    return later, reply, here, there


def revoked(how, commands, undo, flow, row, reason):
    """Both directions flow, stop after commands, and flow again after undo."""
    later, reply, here, there = flow
    rig.expect(f"{how}: before", later, row, here)
    for words in commands:
        rig.edgectl(*words.split())
    rig.expect(f"{how}: the opener's next packet", later, reason, here)
    rig.expect(f"{how}: the responder's next packet", reply, reason, there)
    for words in undo:
        rig.edgectl(*words.split())
    rig.expect(f"{how}: undone", later, row, here)
    rig.expect(f"{how}: undone, the other direction", reply, row, there)


flow = opened(FEDERATION, ACCESS, 5061, "sip-federation-in")
revoked("a partner removed", [f"partner del {FEDERATION}"], [f"partner add {FEDERATION}"], flow,
        "sip-federation-in", "not-listed")
revoked("the row disabled, no other left", ["rule disable sip-federation-in sip-pic-in"],
        ["rule enable sip-federation-in sip-pic-in"], flow, "sip-federation-in", "disabled")
revoked("the row disabled, another does not list", ["rule disable sip-federation-in"],
        ["rule enable sip-federation-in"], flow, "sip-federation-in", "not-listed")
revoked("the Edge address bound elsewhere",
        [f"interface add access {ACCESS} dev alt0"],
        [f"interface del access {ACCESS}", f"interface add access {ACCESS}"], flow,
        "sip-federation-in", "wrong-device")
flow = opened(FEDERATION6, ACCESS6, 5061, "sip-federation-in")
revoked("an IPv6 partner removed", [f"partner del {FEDERATION6}"], [f"partner add {FEDERATION6}"],
        flow, "sip-federation-in", "not-listed")
flow = opened(AV, MESSENGER, 50500, "av-rtp-out")
revoked("the RTP ports narrowed", ["rtp set 50000-50499"], ["rtp set 50000-59999"], flow,
        "av-rtp-out", "unlisted")
revoked("the RTP ports read otherwise", ["rtp match src"], ["rtp match dst"], flow,
        "av-rtp-out", "unlisted")
revoked("peers listed", ["rule set av-rtp-out peers listed"], ["rule set av-rtp-out peers any"], flow,
        "av-rtp-out", "not-listed")
flow = opened(MESSENGER, AV, 3478, "av-stun-in", "udp")
revoked("a UDP row disabled", ["rule disable av-stun-in"], ["rule enable av-stun-in"], flow,
        "av-stun-in", "disabled")
flow = opened(AV, MESSENGER, 3478, "av-stun-out", "udp")
revoked("a UDP row's peers listed", ["rule set av-stun-out peers listed"],
        ["rule set av-stun-out peers any"], flow, "av-stun-out", "not-listed")

# A partner in two groups that loses one goes on, and counts on the other row.
rig.edgectl("partner", "add", PIC, "group", "federation")
later, reply, here, there = opened(PIC, ACCESS, 5061, "sip-federation-in")
rig.edgectl("partner", "del", PIC, "group", "federation")
flows = rig.flows()
rig.expect("one of two groups lost", later, "sip-pic-in", here)
rig.expect("one of two groups lost, the reply", reply, "sip-pic-in", there)
rig.check("... and is not counted as a flow again", rig.flows() == flows, rig.flows(), flows)
rig.edgectl("partner", "add", "198.51.100.0/24", "group", "federation")
rig.expect("covered by a wider prefix now", later, "sip-federation-in", here)
rig.edgectl("partner", "del", PIC)
rig.expect("the narrow one removed, the wide one holds", later, "sip-federation-in", here)
rig.edgectl("partner", "flush", "all")
rig.expect("all partners flushed", later, "not-listed", here)

# A whole new policy, and none at all.
rig.load(POLICY)
later, reply, here, there = opened(FEDERATION, ACCESS, 5061, "sip-federation-in")
rig.load(POLICY.replace("group federation", "group xmpp"))
rig.expect("a whole policy without it", later, "not-listed", here)
rig.load(POLICY)
rig.expect("and with it again", later, "sip-federation-in", here)
rig.edgectl("interface", "flush", "all")
rig.expect("no Edge address, no hook", tcp(STRANGER, ACCESS, 1), "pass")
rig.load(POLICY)
rig.edgectl("mode", "off")
rig.expect("mode off", tcp(STRANGER, ACCESS, 1), "pass")
rig.edgectl("mode", "enforce")
rig.expect("mode enforce", tcp(STRANGER, ACCESS, 1), "unlisted")
rig.done()
