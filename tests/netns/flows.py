#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# What belongs to a flow without looking like it: fragments, ICMP errors, packets
# under address translation. And a SYN against the flow's direction.
#
#   outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403
from scapy.layers.inet import fragment  # noqa: E402
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6ParamProblem,  # noqa: E402
                                ICMPv6TimeExceeded, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment)

rig = Rig()


def together(name, pieces, want, forwarded, enters="outside"):
    """Pieces go in one after the other; want: what moved in all."""
    out, moved = rig.send(list(pieces), enters, comes=forwarded if forwarded or want else None)
    rig.check(name, (out is not None) == forwarded and moved == want, f"moved {moved}",
              f"came out: {out.summary() if out is not None else None}")


# Fragments are judged reassembled.
number = 0


def datagram(source, target, dport, size=64):
    global number
    number += 1
    packet = udp(source, target, dport, sport=46000 + number, payload=b"f" * size)
    if isinstance(packet, IPv6):
        return IPv6(bytes(packet))
    packet.id = number
    return packet


def pieces6(packet, size=24):
    """IPv6 fragments of a packet without extension headers."""
    data = bytes(packet)[40:]
    return [IPv6(src=packet.src, dst=packet.dst) /
            IPv6ExtHdrFragment(nh=17, offset=at // 8, m=int(at + size < len(data)), id=number) /
            Raw(data[at:at + size]) for at in range(0, len(data), size)]


ADMITTED, REFUSED = {"av-stun-in": 1}, {"unlisted": 1}
for name, source, target, split in (("IPv4", CLIENT, AV, lambda p: fragment(p, 24)),
                                    ("IPv6", STRANGER6, AV6, pieces6)):
    together(f"{name}: fragments in order", split(datagram(source, target, 3478)), ADMITTED, True)
    together(f"{name}: fragments in reverse order", split(datagram(source, target, 3478))[::-1], ADMITTED, True)
    together(f"{name}: fragments to a port without row", split(datagram(source, target, 3480)), REFUSED, False)
    together(f"{name}: only the first fragment", split(datagram(source, target, 3478))[:1], {}, False)
    together(f"{name}: only a later fragment", split(datagram(source, target, 3480))[1:2], {}, False)
head, *rest = fragment(datagram(CLIENT, AV, 3478), 24)
overlap = IP(src=CLIENT, dst=AV, id=head.id, flags="MF", frag=1, proto=17) / Raw(b"\x10\0\x0d\x98" * 6)
together("IPv4: an overlapping fragment spoils all", [head, overlap] + rest, {}, False)
whole = datagram(STRANGER6, AV6, 3478)
parts = pieces6(whole)
overlap6 = IPv6(src=whole.src, dst=whole.dst) / IPv6ExtHdrFragment(nh=17, offset=1, m=1, id=number) / Raw(b"x" * 24)
together("IPv6: an overlapping fragment spoils all", [parts[0], overlap6] + parts[1:], {}, False)
# the ports in the second fragment: such a first fragment is not reassembled (RFC 8200, section 4.5)
whole = datagram(STRANGER6, AV6, 3480)
chain = bytes(IPv6ExtHdrDestOpt(nh=17)) + bytes(whole)[40:]
second = [IPv6(src=whole.src, dst=whole.dst) / IPv6ExtHdrFragment(nh=60, offset=0, m=1, id=number) / Raw(chain[:8]),
          IPv6(src=whole.src, dst=whole.dst) / IPv6ExtHdrFragment(nh=60, offset=1, m=0, id=number) / Raw(chain[8:])]
together("IPv6: the ports in the second fragment", second, {"malformed": 1}, False)
tiny = tcp(STRANGER, ACCESS, 5061, sport=46999)
tiny.id = 4711
together("IPv4: the TCP flags in the second fragment", fragment(tiny, 8), {"not-listed": 1}, False)

# ICMP errors count on the flow's row, come with it and go with it.
flow = tcp(FEDERATION, ACCESS, 5061, sport=47000)
rig.expect("a flow", flow, "sip-federation-in")
rig.expect("its answer", back(flow), "sip-federation-in", "inside")
about_reply = back(flow)  # what the Edge sent, come to grief outside
ROUTER = "192.0.2.200"
for kind, code, name in ((3, 4, "fragmentation needed"), (3, 1, "unreachable"), (11, 0, "time exceeded"),
                         (12, 0, "parameter problem")):
    rig.expect(f"{name} from a router", l3(ROUTER, ACCESS) / ICMP(type=kind, code=code) / about_reply,
               "sip-federation-in")
rig.expect("unreachable from the Edge", l3(ACCESS, FEDERATION) / ICMP(type=3, code=3) / flow,
           "sip-federation-in", "inside")
rig.expect("unreachable from a router inside, to the partner", l3("203.0.113.250", FEDERATION) /
           ICMP(type=3, code=1) / flow, "sip-federation-in", "inside")
rig.expect("a redirect about it", l3(ROUTER, ACCESS) / ICMP(type=5, code=1) / about_reply, "unlisted")
rig.expect("an error about another flow", l3(ROUTER, ACCESS) / ICMP(type=3, code=1) /
           back(tcp(FEDERATION, ACCESS, 5061, sport=47999)), "invalid-state")
rig.edgectl("partner", "del", FEDERATION)
rig.expect("an error about a revoked flow", l3(ROUTER, ACCESS) / ICMP(type=3, code=1) / about_reply,
           "not-listed")
rig.expect("... from the Edge", l3(ACCESS, FEDERATION) / ICMP(type=3, code=3) / flow, "not-listed", "inside")
rig.edgectl("partner", "add", FEDERATION)

flow = tcp(FEDERATION6, ACCESS6, 5061, sport=47100)
rig.expect("an IPv6 flow", flow, "sip-federation-in")
rig.expect("its answer", back(flow), "sip-federation-in", "inside")
about_reply = back(flow)
for make, name in ((ICMPv6DestUnreach, "unreachable"), (ICMPv6PacketTooBig, "packet too big"),
                   (ICMPv6TimeExceeded, "time exceeded"), (ICMPv6ParamProblem, "parameter problem")):
    rig.expect(f"IPv6: {name}", l3("2001:db8:2::200", ACCESS6) / make() / about_reply, "sip-federation-in")
rig.expect("IPv6: an error about no flow", l3("2001:db8:2::200", ACCESS6) / ICMPv6PacketTooBig() /
           back(tcp(FEDERATION6, ACCESS6, 5061, sport=47999)), "invalid-state")
rig.edgectl("partner", "del", FEDERATION6)
rig.expect("IPv6: an error about a revoked flow", l3("2001:db8:2::200", ACCESS6) / ICMPv6PacketTooBig() /
           about_reply, "not-listed")
rig.edgectl("partner", "add", FEDERATION6)

# Simultaneous open: a SYN is the opening of a flow of its own.
out = tcp(ACCESS, STRANGER, 5061, sport=5061)
rig.expect("we call a stranger from 5061 to 5061", out, "sip-federation-out", "inside")
rig.expect("his SYN the other way is his own call", tcp(STRANGER, ACCESS, 5061, sport=5061), "not-listed")
rig.expect("his answer is not", back(out), "sip-federation-out")

# Address translation. The real address is configured, the public one may be.
PUBLIC, REAL, REAL6 = "203.0.113.99", "10.0.0.10", "2001:db8:113::99"
NAT = f"""
table ip nat {{
    chain pre {{ type nat hook prerouting priority dstnat;
        ip daddr {PUBLIC} tcp dport 5061 dnat to {REAL}:15061
        ip daddr {PUBLIC} dnat to {REAL}
    }}
    chain post {{ type nat hook postrouting priority srcnat;
        oifname "ext0" ip saddr {REAL} snat to {PUBLIC}
    }}
}}
"""
rig.run("nft", "-f", "-", input=NAT, text=True)


def reply_to(out, flags="SA"):
    return l3(out.dst, out.src) / TCP(sport=out[TCP].dport, dport=out[TCP].sport, flags=flags,
                                      ack=out[TCP].seq + 1)


def translated(name, policy, port, inbound, outbound, sport):
    """One call in and one out through the translation; rows or reasons expected."""
    rig.load(policy)
    call = tcp(FEDERATION, PUBLIC, port, sport=sport)
    out = rig.expect(f"{name}: in", call, inbound)
    if out is not None:
        rig.check(f"{name}: translated", out.dst == REAL, out.summary())
        answer = reply_to(out)
        back_out = rig.expect(f"{name}: in, answer", answer, inbound, "inside")
        rig.check(f"{name}: answer translated back", back_out is not None and back_out.src == PUBLIC, back_out)
        rig.expect(f"{name}: in, later", tcp(FEDERATION, PUBLIC, port, "A", sport=sport, seq=1, ack=1), inbound)
    call = tcp(REAL, FEDERATION, 5061, sport=sport)
    out = rig.expect(f"{name}: out", call, outbound, "inside")
    if out is not None:
        rig.check(f"{name}: out, source translated", out.src == PUBLIC, out.summary())
        rig.expect(f"{name}: out, answer", reply_to(out), outbound)


REAL_ONLY = f"interface add access {REAL}\npartner add {FEDERATION}\n"
BOTH = REAL_ONLY + f"interface add access {PUBLIC}\n"
translated("both addresses, the port translated", BOTH, 5061, "sip-federation-in", "sip-federation-out", 48000)
translated("the real address, the port kept", REAL_ONLY, 5269, "xmpp-in", "sip-federation-out", 48001)
translated("the real address, judged after translation", REAL_ONLY, 5061, "unlisted", "sip-federation-out", 48002)
translated("both addresses, a stranger's policy", BOTH.replace(f"partner add {FEDERATION}", ""), 5061,
           "not-listed", "sip-federation-out", 48003)
rig.load(BOTH)
call = tcp(FEDERATION, PUBLIC, 5061, sport=48010)
out = rig.expect("before revocation under translation", call, "sip-federation-in")
rig.edgectl("partner", "del", FEDERATION)
rig.expect("revoked, the Edge's answer", reply_to(out), "not-listed", "inside")
rig.expect("revoked, the partner's next", tcp(FEDERATION, PUBLIC, 5061, "A", sport=48010, seq=1, ack=1), "not-listed")
rig.expect("an error about it", l3(ROUTER, PUBLIC) / ICMP(type=3, code=1) / back(call), "not-listed")
rig.edgectl("partner", "add", FEDERATION)
rig.expect("admitted again, an error about it", l3(ROUTER, PUBLIC) / ICMP(type=3, code=1) / back(call),
           "sip-federation-in")

# The source is translated after the gates: it must not change what a flow is.
rig.run("nft", "add", "rule", "ip", "nat", "post", "oifname", "int0", "masquerade")
rig.load(REAL_ONLY)
call = tcp(FEDERATION, REAL, 5061, sport=48020)
out = rig.expect("masqueraded towards the Edge: first", call, "sip-federation-in")
rig.check("masqueraded towards the Edge", out is not None and out.src != FEDERATION, out)
rig.expect("masqueraded towards the Edge: answer", reply_to(out), "sip-federation-in", "inside")
rig.expect("masqueraded towards the Edge: later", tcp(FEDERATION, REAL, 5061, "A", sport=48020, seq=1, ack=1),
           "sip-federation-in")
rig.run("nft", "add", "rule", "ip", "nat", "post", "oifname", "ext0", "ip", "saddr", "10.0.0.77", "snat", "to", PUBLIC)
rig.load(f"interface add access {PUBLIC}\n")
lan = tcp("10.0.0.77", STRANGER, 80, sport=48030)
out = rig.expect("another host behind the public address: first", lan, "pass", "inside")
rig.expect("... later", tcp("10.0.0.77", STRANGER, 80, "A", sport=48030, seq=1, ack=1), "pass", "inside")

# A reject by nftables reaches the caller where "unlisted pass" leaves it to nftables.
rig.run("nft", "add table inet filter; add chain inet filter guard { type filter hook forward priority 10; }; "
        "add rule inet filter guard tcp dport 8080 reject with tcp reset")
rig.load(POLICY + "unlisted pass\n")
out, _ = rig.send(tcp(CLIENT, ACCESS, 8080, sport=48040), comes=True)
rig.check("a reject with tcp reset comes out", out is not None and TCP in out and "R" in str(out[TCP].flags),
          out, rig.counters())
rig.done()
