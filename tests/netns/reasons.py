#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Each reason to drop, by packets that sockets cannot make; and what is never ours.
#
#   outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6MLQuery, ICMPv6ND_NS, ICMPv6ND_Redirect,  # noqa: E402
                                IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting)
from scapy.layers.ipsec import AH, ESP  # noqa: E402

rig = Rig()
OPENS = TCP(sport=40000, dport=5061, flags="S")


def cut(packet, length):
    """The packet's first bytes, with a network header that says so."""
    data = bytearray(bytes(packet)[:length])
    if data[0] >> 4 == 4:
        whole = IP(bytes(data[:20]))
        whole.len, whole.chksum = length, None
        data[:20] = bytes(whole)[:20]
    else:
        data[4:6] = struct.pack("!H", length - 40)
    return bytes(data)


# 1. malformed
good = tcp(FEDERATION, ACCESS, 5061)
good6 = tcp(FEDERATION6, ACCESS6, 5061)
for keep in (0, 1, 4, 8, 12, 13, 19):
    rig.expect(f"TCP header cut at {keep}", cut(good, 20 + keep), "malformed")
    rig.expect(f"TCP header cut at {keep}, IPv6", cut(good6, 40 + keep), "malformed")
for keep in (0, 4, 7):
    rig.expect(f"UDP header cut at {keep}", cut(udp(CLIENT, AV, 3478), 20 + keep), "malformed")
for words in (0, 4, 6, 15):
    rig.expect(f"TCP data offset {words}", tcp(FEDERATION, ACCESS, 5061, dataofs=words), "malformed")
for length in (0, 7, 16, 65535):
    rig.expect(f"UDP length {length}", l3(CLIENT, AV) / UDP(sport=4000, dport=3478, len=length) /
               Raw(b"seven.."), "malformed")
rig.expect("UDP shorter than its packet is fine", l3(CLIENT, AV) /
           UDP(sport=4001, dport=3478, len=12, chksum=0) / Raw(b"padding..."), "av-stun-in")
for kind, name in ((131, "loose"), (137, "strict")):
    rig.expect(f"{name} source route", l3(FEDERATION, ACCESS, options=IPOption(
        bytes([kind, 7, 4]) + socket.inet_aton("192.0.2.9") + b"\0")) / OPENS, "malformed")
rig.expect("another option is fine", l3(FEDERATION, ACCESS, options=IPOption(b"\x94\x04\0\0")) /
           TCP(sport=40001, dport=5061, flags="S"), "sip-federation-in")
rig.expect("source = destination", tcp(ACCESS, ACCESS, 5061), "malformed")
rig.expect("source = destination, IPv6", tcp(ACCESS6, ACCESS6, 5061), "malformed")
rig.expect("IPv4-mapped source", tcp("::ffff:198.51.100.10", ACCESS6, 5061), "malformed")
rig.expect("IPv4-mapped destination", tcp(ACCESS6, "::ffff:198.51.100.10", 5061), "malformed", "inside")
rig.expect("routing header type 0", l3(FEDERATION6, ACCESS6) /
           IPv6ExtHdrRouting(type=0, addresses=["2001:db8::1"], segleft=0) / OPENS, "malformed")


def options(count):
    packet = l3(FEDERATION6, ACCESS6)
    for _ in range(count):
        packet /= IPv6ExtHdrDestOpt()
    return packet


rig.expect("eight extension headers", options(8) / TCP(sport=40002, dport=5061, flags="S"),
           "sip-federation-in")
rig.expect("nine extension headers", options(9) / OPENS, "malformed")
rig.expect("an extension header beyond the packet", cut(options(1) / OPENS, 44), "malformed")
rig.expect("an extension header longer than the packet",
           bytes(l3(FEDERATION6, ACCESS6, nh=60, plen=8)) + bytes([6, 255, 0, 0, 0, 0, 0, 0]), "malformed")
rig.expect("hop-by-hop and destination options", l3(FEDERATION6, ACCESS6) / IPv6ExtHdrHopByHop() /
           IPv6ExtHdrDestOpt() / TCP(sport=40003, dport=5061, flags="S"), "sip-federation-in")
checksum = IPv6(bytes(tcp(FEDERATION6, ACCESS6, 5061, sport=40004)))[TCP].chksum
rig.expect("AH before TCP", l3(FEDERATION6, ACCESS6) / AH(nh=6, payloadlen=4, spi=1, seq=1, icv=b"\0" * 12) /
           TCP(sport=40004, dport=5061, flags="S", chksum=checksum), "sip-federation-in")
rig.expect("an atomic fragment", l3(FEDERATION6, ACCESS6) / IPv6ExtHdrFragment(id=7) /
           TCP(sport=40005, dport=5061, flags="S"), "sip-federation-in")
rig.expect("a truncated ICMP header", cut(l3(STRANGER, ACCESS) / ICMP(), 23), "malformed")
rig.expect("malformed, but not ours", cut(tcp(STRANGER, SPARE, 80), 24), "pass")

# 3. invalid-state, from partners who would be admitted
for flags in ("A", "R", "F", "RA", "FA", "SA", "PA", "", "SF", "SR", "FPU", "SFPU"):
    rig.expect(f"TCP flags '{flags}' open nothing", tcp(FEDERATION, ACCESS, 5061, flags, sport=40100),
               "invalid-state")
    rig.expect(f"TCP flags '{flags}' open nothing, outbound", tcp(ACCESS6, PIC6, 5061, flags, sport=40100),
               "invalid-state", "inside")
for number, flags in enumerate(("SEC", "SP", "SU")):
    rig.expect(f"TCP flags '{flags}' open", tcp(FEDERATION, ACCESS, 5061, flags, sport=40200 + number),
               "sip-federation-in")
rig.expect("data on the SYN", tcp(FEDERATION, ACCESS, 5061, sport=40300) / Raw(b"fast open"),
           "sip-federation-in")
rig.expect("a bad TCP checksum", tcp(FEDERATION, ACCESS, 5061, sport=40301, chksum=0x1234), "invalid-state")
rig.expect("a bad UDP checksum", l3(CLIENT, AV) / UDP(sport=4100, dport=3478, chksum=0x1234) / Raw(b"x"),
           "invalid-state")
flood = tcp(FEDERATION, ACCESS, 5061, sport=40302)
rig.expect("an open flow", flood, "sip-federation-in")
rig.expect("a SYN-ACK that answers nothing", back(tcp(FEDERATION, ACCESS, 5061, sport=40303)),
           "invalid-state", "inside")
rig.run("nft", "table inet raw { chain pre { type filter hook prerouting priority raw; "
        "udp sport 4200 notrack; }; }")
rig.expect("not tracked", udp(CLIENT, AV, 3478, sport=4200), "invalid-state")

# What the first gate decides alone, before tracking: a stranger's.
rig.expect("a stranger's SYN", tcp(STRANGER, ACCESS, 5061), "not-listed")
rig.expect("a stranger's bad checksum", tcp(STRANGER, ACCESS, 5061, chksum=0x1234), "not-listed")
rig.expect("a stranger's SYN, IPv6", tcp(STRANGER6, ACCESS6, 5061), "not-listed")
rig.expect("from the service's port", tcp(STRANGER, ACCESS, 5061, sport=5061), "not-listed")
rig.expect("to a port without row, from 5061", tcp(STRANGER, ACCESS, 8080, sport=5061), "unlisted")
rig.expect("to a port without row, from 5061, UDP 3478", udp(STRANGER, AV, 8080, sport=3478), "unlisted")
rig.expect("a bare ACK from 5061 to a port without row", tcp(STRANGER, ACCESS, 8080, "A", sport=5061),
           "invalid-state")

# 7. unlisted: protocols without a row, tracked or not
for name, packet in [
        ("echo", l3(CLIENT, ACCESS) / ICMP(type=8)),
        ("echo reply to nothing", l3(CLIENT, ACCESS) / ICMP(type=0)),
        ("redirect", l3(CLIENT, ACCESS) / ICMP(type=5) / l3(ACCESS, CLIENT) / UDP()),
        ("source quench", l3(CLIENT, ACCESS) / ICMP(type=4) / l3(ACCESS, CLIENT) / UDP()),
        ("echo, IPv6", l3(STRANGER6, ACCESS6) / ICMPv6EchoRequest()),
        ("IPv6 redirect", l3(STRANGER6, ACCESS6, hlim=255) / ICMPv6ND_Redirect(tgt="2001:db8::1", dst="2001:db8::2")),
        ("neighbour discovery from afar", l3(STRANGER6, ACCESS6, hlim=64) / ICMPv6ND_NS(tgt=ACCESS6)),
        ("ESP", l3(CLIENT, ACCESS, proto=50) / Raw(b"\0" * 16)),
        ("IPv4 AH", l3(CLIENT, ACCESS, proto=51) / Raw(b"\6\4" + b"\0" * 40)),
        ("GRE", l3(CLIENT, ACCESS, proto=47) / Raw(b"\0" * 16)),
        ("IP in IP", l3(CLIENT, ACCESS, proto=4) / Raw(bytes(tcp(FEDERATION, ACCESS, 5061)))),
        ("SCTP", l3(CLIENT, ACCESS, proto=132) / Raw(b"\x13\xc5" * 8)),
        ("UDP-Lite", l3(CLIENT, AV, proto=136) / Raw(b"\x10\0\x0d\x96\0\0\0\0")),
        ("IPv6 no next header", l3(STRANGER6, ACCESS6, nh=59)),
        ("ESP after options, IPv6", l3(STRANGER6, ACCESS6) / IPv6ExtHdrDestOpt(nh=50) / Raw(b"\0" * 16)),
        ("ICMP in IPv6", l3(STRANGER6, ACCESS6, nh=1) / Raw(b"\3\1" + b"\0" * 30)),
]:
    rig.expect(name, packet, "unlisted")
rig.expect("multicast from the Edge", udp(ACCESS, "239.1.2.3", 5353), "unlisted", "inside")

# ICMP errors about no flow
rig.expect("unreachable about no flow", l3(CLIENT, ACCESS) / ICMP(type=3, code=1) /
           tcp(ACCESS, CLIENT, 5061, sport=49999), "invalid-state")
rig.expect("unreachable about nothing readable", l3(CLIENT, ACCESS) / ICMP(type=3, code=1) / Raw(b"\0" * 4),
           "invalid-state")

# unlisted pass: rows still hold, and so do the steps before them
rig.load(POLICY + "unlisted pass\n")
rig.expect("unlisted pass: echo", l3(CLIENT, ACCESS) / ICMP(type=8), "pass")
rig.expect("unlisted pass: DNS", udp(ACCESS, STRANGER, 53), "pass", "inside")
rig.expect("... and its answer", back(udp(ACCESS, STRANGER, 53)), "pass")
rig.expect("unlisted pass: SIP from a stranger", tcp(STRANGER, ACCESS, 5061), "not-listed")
rig.expect("unlisted pass: a bare ACK to a port without row", tcp(STRANGER, ACCESS, 8080, "A"), "invalid-state")
rig.expect("unlisted pass: malformed", cut(tcp(STRANGER, ACCESS, 8080), 24), "malformed")
rig.expect("unlisted pass: a bad checksum", tcp(STRANGER, ACCESS, 8080, chksum=0x1234), "invalid-state")
rig.expect("unlisted pass: ESP", l3(CLIENT, ACCESS, proto=50) / Raw(b"\0" * 16), "pass")

# 2. wrong-device
BOUND = POLICY.replace(f"add access {ACCESS}\n", f"add access {ACCESS} dev ext0\n")
rig.load(BOUND)
rig.expect("by its device", tcp(FEDERATION, ACCESS, 5061, sport=40400), "sip-federation-in")
rig.expect("by another device", tcp(FEDERATION, ACCESS, 5061, sport=40401), "wrong-device", "beside")
rig.expect("a known flow's packet by another device",
           tcp(FEDERATION, ACCESS, 5061, "A", sport=40400, seq=1, ack=1), "wrong-device", "beside")
rig.expect("out by its device", tcp(ACCESS, STRANGER, 5061, sport=40402), "sip-federation-out", "inside")
rig.expect("out by another device", tcp(ACCESS, "10.66.0.1", 5061, sport=40403), "wrong-device", "inside")
rig.expect("a stranger by another device", tcp("10.66.0.1", ACCESS, 5061), "wrong-device", "beside")
rig.expect("an unbound address by any device", tcp(FEDERATION6, ACCESS6, 5061, sport=40404),
           "sip-federation-in", "beside")
said = rig.json("explain", FEDERATION, ACCESS, "tcp", "5061", "iif", "alt0")
rig.check("explain knows the device", said["reason"] == "wrong-device"
          and said["text"].startswith(f"{ACCESS} is bound to ext0, ") and "enters by alt0" in said["text"], said)
said = rig.json("explain", ACCESS, "10.66.0.1", "tcp", "5061", "oif", "alt0")
rig.check("explain knows the wrong way out", said["reason"] == "wrong-device"
          and said["text"].startswith(f"{ACCESS} is bound to ext0, ") and "leaves by alt0" in said["text"], said)
said = rig.json("explain", ACCESS, STRANGER, "tcp", "5061", "oif", "ext0")
rig.check("explain knows the way out", said["rule"] == "sip-federation-out", said)

rig.check("a stranger's packets left no connection-tracking entry",
          STRANGER + " " not in rig.run("conntrack", "-L", "-s", STRANGER, capture_output=True, text=True).stdout)
rig.done()
