#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The lab itself: crafted packets go through gw and are seen behind it.
# Topology: tests/lib/net.sh

# shellcheck source-path=SCRIPTDIR/../..
cd "$(dirname "$0")/../.." || exit
. tests/lib/net.sh

topology stranger
exec /usr/bin/python3 - <<'END'
import sys
import time
sys.path.insert(0, "tests/lib")
began = time.monotonic()
from packets import *
print("# scapy is there after %.1f s" % (time.monotonic() - began))

tap = Tap()
wire = Wire(("edge", "eth0"), ("wan", "gw"))
cases = [
    ("a TCP SYN to the Edge", "wan", "edge", IP(src=STRANGER, dst=ACCESS) / TCP(sport=1025, dport=443, flags="S")),
    ("the same in IPv6", "wan", "edge", IPv6(src=STRANGER6, dst=ACCESS6) / TCP(sport=1026, dport=443, flags="S")),
    ("UDP from the Edge", "edge", "wan", IP(src=AV, dst=STRANGER) / UDP(sport=1027, dport=3478) / b"x"),
    ("a spoofed source", "wan", "edge", IP(src="198.51.100.222", dst=ACCESS) / UDP(sport=1028, dport=9) / b"x"),
]
for _, origin, _, packet in cases:
    wire.send(origin, packet)
wire.settle(1)
for name, _, target, packet in cases:
    wanted = packet[1].sport
    seen = wire.arrived(target, lambda p: (TCP in p or UDP in p) and p[2].sport == wanted, 0)
    tap.ok(name + " arrives", seen is not None, [p.summary() for p in wire.captured[target]])
wire.send("wan", IP(src=STRANGER, dst=ACCESS, ttl=1) / UDP(sport=1029, dport=9))
tap.ok("one without hops left does not", wire.arrived("edge", lambda p: UDP in p and p[UDP].sport == 1029, 0.5) is None)
tap.ok("and wan is told", wire.arrived("wan", lambda p: ICMP in p and p[ICMP].type == 11, 2) is not None)
print("# all of it took %.1f s" % (time.monotonic() - began))
sys.exit(tap.plan())
END
