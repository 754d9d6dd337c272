#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The block list wins over every partner and over "any", in both directions, from the next packet
# on; and who speaks first does not matter: a row's own port answers only its own peers.
#
#   outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403

rig = Rig()
port = 48000


def opened(source, target, dport, row, protocol="tcp", sport=None):
    """A flow with its reply seen: (a later packet, a later reply, where each enters)."""
    global port
    port += 1
    make = tcp if protocol == "tcp" else udp
    first = make(source, target, dport, sport=sport or port)
    here, there = ("outside", "inside") if target in (ACCESS, ACCESS6, AV, AV6) else ("inside", "outside")
    rig.expect(f"{row} opens", first, row, here)
    rig.expect(f"{row} answers", back(first), row, there)
    if protocol == "udp":
        return first, back(first), here, there
    return tcp(source, target, dport, "A", sport=sport or port, seq=1, ack=1), back(first, "A", seq=1), here, there


def blocked(name, flow, row, block, unblock):
    """Both directions of a flow stop with the next packet, and go on when the block goes."""
    later, reply, here, there = flow
    rig.edgectl(*block.split())
    rig.expect(f"{name}: the opener's next packet", later, "blocked", here)
    rig.expect(f"{name}: the responder's next packet", reply, "blocked", there)
    rig.edgectl(*unblock.split())
    rig.expect(f"{name}: unblocked", later, row, here)
    rig.expect(f"{name}: unblocked, the reply", reply, row, there)


# Flows under way.
blocked("a partner", opened(FEDERATION, ACCESS, 5061, "sip-federation-in"), "sip-federation-in",
        f"block add {FEDERATION}", f"block del {FEDERATION}")
blocked("an IPv6 partner, by a prefix", opened(FEDERATION6, ACCESS6, 5061, "sip-federation-in"), "sip-federation-in",
        "block add 2001:db8:51::/48", "block flush all")
blocked("a call to a partner", opened(ACCESS, PIC, 5061, "sip-pic-out"), "sip-pic-out",
        f"block add {PIC} reason fraud", f"block del {PIC}")
blocked("a row that admits any, outbound", opened(ACCESS, STRANGER, 5061, "sip-federation-out"), "sip-federation-out",
        "block add 192.0.2.64/26", "undo")
blocked("a row that admits any, inbound", opened(CLIENT, ACCESS, 443, "sip-client-in"), "sip-client-in",
        f"block add {CLIENT} until 1h", f"block del {CLIENT}")
blocked("UDP", opened(MESSENGER, AV, 3478, "av-stun-in", "udp"), "av-stun-in",
        f"block add {MESSENGER}", "undo")
rig.edgectl("unlisted", "pass")
later, reply, here, there = opened(ACCESS, STRANGER, 53, "pass", "udp")
rig.edgectl("block", "add", STRANGER)
rig.expect("what no row covers, with unlisted pass", later, "blocked", here)
rig.expect("and its answer", reply, "blocked", there)

# What begins, what is no flow, and what comes first.
rig.expect("a blocked host's SYN to a closed port", tcp(STRANGER, ACCESS, 22), "blocked")
rig.expect("its echo", l3(STRANGER, ACCESS) / ICMP(), "blocked")
rig.expect("an echo to it", l3(ACCESS, STRANGER) / ICMP(), "blocked", "inside")
rig.expect("TCP in mid-stream from it", tcp(STRANGER, ACCESS, 5061, "A"), "blocked")
rig.expect("an error from it about another's flow", l3(STRANGER, ACCESS) / ICMP(type=3, code=1) /
           back(tcp(FEDERATION, ACCESS, 5061, sport=48001)), "blocked")
rig.expect("a lie from it", tcp(STRANGER, ACCESS, 22, dataofs=15), "malformed")
rig.expect("its neighbour", tcp("192.0.2.67", ACCESS, 22), "pass")
rig.expect("what is not ours", udp(STRANGER, "203.0.113.200", 53), "pass")
rig.edgectl("mode", "audit")
out, moved = rig.send(tcp(STRANGER, ACCESS, 443), comes=True)
rig.check("in audit it is counted once, and passes", out is not None and moved == {"blocked": 1}, moved)
rig.edgectl("mode", "enforce")
rig.edgectl("unlisted", "drop")
rig.edgectl("block", "flush", "all")
rig.check("nothing is blocked any more", rig.json("block", "list") == [] and rig.json("status")["blocks"] == 0)

# A block ends by the kernel's clock.
rig.edgectl("block", "add", CLIENT, "until", "2s")
rig.expect("blocked for a while", tcp(CLIENT, ACCESS, 443, sport=48901), "blocked")
rig.check("its end comes", until(lambda: rig.json("status")["blocks"] == 0))
rig.expect("and it is admitted again", tcp(CLIENT, ACCESS, 443, sport=48902), "sip-client-in")

# Who speaks first: step 8. With IPv4 and IPv6, and after connection tracking has forgotten.
rig.load(POLICY + f"partner add {MESSENGER} 2001:db8:51::40 group messenger\nunlisted pass\n"
         "rule set av-stun-in peers listed\nrule set av-stun-out peers listed\n")
MESSENGER6 = "2001:db8:51::40"
for name, peer, edge in (("IPv4", MESSENGER, AV), ("IPv6", MESSENGER6, AV6)):
    ask = udp(peer, edge, 3478, sport=41000)
    rig.expect(f"{name}: a listed peer", ask, "av-stun-in")
    rig.expect(f"{name}: is answered", back(ask), "av-stun-in", "inside")
    rig.edgectl("partner", "del", peer)
    rig.expect(f"{name}: removed, it is cut", ask, "not-listed")
    rig.run("conntrack", "-F", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rig.expect(f"{name}: the Edge speaks first now", back(ask), "not-listed", "inside")
    rig.expect(f"{name}: and the peer is not answered", ask, "not-listed")
    rig.expect(f"{name}: another port of the Edge's is another matter", udp(edge, peer, 41000, sport=3479), "pass", "inside")
    call = udp(edge, peer, 3478, sport=42000)
    rig.expect(f"{name}: nor does the Edge call it", call, "not-listed", "inside")
    rig.expect(f"{name}: the peer speaks first from that port", back(call), "not-listed")
    rig.edgectl("partner", "add", peer, "group", "messenger")
    rig.expect(f"{name}: listed again", ask, "av-stun-in")
    rig.expect(f"{name}: and called", call, "av-stun-out", "inside")
rig.edgectl("rule", "disable", "av-stun-in")
rig.expect("a disabled row's port speaks to nobody first", udp(AV, STRANGER, 41001, sport=3478), "disabled", "inside")
rig.expect("TCP: a call from 5061 to one who is not listed", tcp(ACCESS, STRANGER, 41002, sport=5061), "not-listed", "inside")
rig.expect("TCP: to a partner", tcp(ACCESS, PIC, 41002, sport=5061), "pass", "inside")
rig.edgectl("rule", "disable", "av-rtp-out")
rig.expect("a port of the RTP map may be anybody's", tcp(CLIENT, AV, 8057, sport=50001), "pass")
said = rig.json("explain", AV, STRANGER, "udp", "41001", "sport", "3478")
rig.check("explain says so", (said["verdict"], said["reason"], said["refused_by"]) == ("drop", "disabled", "av-stun-in"), said)
rig.edgectl("unlisted", "drop")
rig.expect("without unlisted pass it is that row's reason, too", tcp(ACCESS, STRANGER, 41003, sport=5061), "not-listed", "inside")
rig.done()
