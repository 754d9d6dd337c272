#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Each row, from both ends, IPv4 and IPv6: the first packet, the reply and a later
# one count on the row and the flow counts once; the other direction has no row.
#
#   outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403

rig = Rig()

# row, protocol, port, Edge address, remote address, who opens
ROWS = [
    ("sip-federation-out", "tcp", 5061, ACCESS, STRANGER, "edge"),
    ("sip-federation-in", "tcp", 5061, ACCESS, FEDERATION, "remote"),
    ("sip-pic-in", "tcp", 5061, ACCESS, PIC, "remote"),
    ("sip-pic-out", "tcp", 5061, ACCESS, PIC, "edge"),
    ("sip-client-in", "tcp", 443, ACCESS, CLIENT, "remote"),
    ("av-rtp-out", "tcp", 50000, AV, MESSENGER, "edge"),
    ("av-stun-out", "udp", 3478, AV, MESSENGER, "edge"),
    ("av-stun-in", "udp", 3478, AV, MESSENGER, "remote"),
    ("xmpp-in", "tcp", 5269, ACCESS, XMPP, "remote"),
    ("xmpp-out", "tcp", 5269, ACCESS, XMPP, "edge"),
    ("xmpp-gateway-in", "tcp", 23456, INTERNAL, GATEWAY, "remote"),
]
IN_IPV6 = {ACCESS: ACCESS6, AV: AV6, INTERNAL: INTERNAL6, STRANGER: STRANGER6, PIC: PIC6,
           FEDERATION: FEDERATION6}


def in_ipv6(address):
    return IN_IPV6.get(address, "2001:db8:77::" + address.split(".")[-1])


def one_row(row, protocol, port, edge, remote, opener):
    source, target = (edge, remote) if opener == "edge" else (remote, edge)
    here, there = ("inside", "outside") if opener == "edge" else ("outside", "inside")
    name = f"{row} {source}"
    if protocol == "tcp":
        first = tcp(source, target, port, sport=41000)
        later = tcp(source, target, port, "A", sport=41000, seq=1, ack=1)
    else:
        first = later = udp(source, target, port, sport=41000)
    flows = rig.counters("flows")[row]
    size = rig.counters("bytes")[row]
    rig.expect(name + " first", first, row, here)
    rig.expect(name + " retransmitted", first, row, here)
    rig.expect(name + " reply", back(first), row, there)
    rig.expect(name + " later", later, row, here)
    rig.check(name + " counts one flow", rig.counters("flows")[row] == flows + 1,
              rig.flows())
    sent = 2 * len(first) + len(back(first)) + len(later)
    rig.check(name + " counts bytes of the network layer",
              rig.counters("bytes")[row] - size == sent, rig.counters("bytes")[row] - size, sent)


for row in ROWS:
    one_row(*row)
for name, protocol, port, edge, remote, opener in ROWS:
    one_row(name, protocol, port, in_ipv6(edge), in_ipv6(remote), opener)

# A service port of the other protocol, of the other role and of the other direction.
for protocol, make in (("tcp", udp), ("udp", tcp)):
    for name, of, port, edge, remote, opener in ROWS:
        if of == protocol:
            source, target = (edge, remote) if opener == "edge" else (remote, edge)
            rig.expect(f"{name} by the other protocol", make(source, target, port, sport=42000),
                       "unlisted", "inside" if opener == "edge" else "outside")
for source, target, port, enters in [
        (FEDERATION, AV, 5061, "outside"), (AV, FEDERATION, 5061, "inside"),
        (CLIENT, AV, 443, "outside"), (ACCESS, CLIENT, 443, "inside"),
        (MESSENGER, AV, 50000, "outside"), (ACCESS, MESSENGER, 50000, "inside"),
        (XMPP, INTERNAL, 5269, "outside"), (GATEWAY, ACCESS, 23456, "outside"),
        (INTERNAL, GATEWAY, 23456, "inside")]:
    rig.expect(f"no row from {source} to {target} port {port}",
               tcp(source, target, port, sport=43000), "unlisted", enters)
rig.expect("STUN is not for access while there is an A/V address",
           udp(MESSENGER, ACCESS, 3478, sport=43000), "unlisted")
rig.expect("neither end an Edge address", tcp(STRANGER, SPARE, 5061), "pass")

rig.load(f"interface add access {ACCESS}\ninterface add access {ACCESS6}\n")
rig.expect("without A/V address access serves A/V", udp(MESSENGER, ACCESS, 3478, sport=44000),
           "av-stun-in")
rig.expect("... and media", tcp(ACCESS6, STRANGER6, 50000, sport=44000), "av-rtp-out", "inside")
rig.load(f"interface add access {ACCESS}\ninterface add av {AV6}\n")
rig.expect("an A/V address of the other family ends that",
           udp(MESSENGER, ACCESS, 3478, sport=45000), "unlisted")
rig.load(f"interface add access {ACCESS}\ninterface add av {ACCESS}\ninterface add internal {ACCESS}\n")
for port, row in ((443, "sip-client-in"), (23456, "xmpp-gateway-in")):
    rig.expect(f"one address in all roles, port {port}", tcp(CLIENT, ACCESS, port, sport=46000), row)
rig.expect("one address in all roles, STUN", udp(CLIENT, ACCESS, 3478, sport=46000), "av-stun-in")
rig.done()
