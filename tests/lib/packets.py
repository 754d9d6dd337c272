# SPDX-License-Identifier: GPL-2.0-only
"""Crafted packets for scenarios: one process sends in some network name
spaces, looks at what arrives in others, and reads the appliance's counters.

    from packets import IP, TCP, Wire, counters, ACCESS, STRANGER
    wire = Wire(("edge", "eth0"))             # captures there from now on
    wire.send("wan", IP(src=STRANGER, dst=ACCESS) / TCP(sport=1025, dport=443, flags="S"))
    seen = wire.arrived("edge", lambda p: TCP in p and p[TCP].sport == 1025)

Topology and names: net.sh. Of scapy only what is needed is imported: all of
it takes seconds.
"""

import json
import os
import selectors
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position,unused-import
from scapy.layers.l2 import Ether
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import (IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting, ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6PacketTooBig)
from scapy.packet import Packet, Raw

from talk import enter

EDGECTL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/edgectl/edgectl")

# As in net.sh.
ACCESS, ACCESS6 = "203.0.113.10", "2001:db8:ed::10"
ACCESS2, ACCESS2_6 = "203.0.113.11", "2001:db8:ed::11"
AV, AV6 = "203.0.113.12", "2001:db8:ed::12"
INTERNAL, INTERNAL6 = "203.0.113.13", "2001:db8:ed::13"
FEDERATION, FEDERATION6 = "198.51.100.10", "2001:db8:1::10"
PIC, PIC6 = "198.51.100.20", "2001:db8:1::20"
CLIENT, CLIENT6 = "198.51.100.30", "2001:db8:1::30"
MESSENGER, MESSENGER6 = "198.51.100.40", "2001:db8:1::40"
XMPP, XMPP6 = "192.0.2.50", "2001:db8:2::50"
GATEWAY, GATEWAY6 = "192.0.2.60", "2001:db8:2::60"
STRANGER, STRANGER6 = "192.0.2.70", "2001:db8:2::70"

# From where packets are sent with any source address: device, and whom it reaches in gw.
OUTLETS = {"edge": ("eth0", "gw", "int0"), "wan": ("gw", "gw", "ext0")}

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD


def packet_socket(ns, dev, protocol):
    enter(ns)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    sock.bind((dev, protocol))
    return sock


class Wire:
    """Senders and captures, each opened once in its name space."""

    def __init__(self, *captures):
        self.captured = {}
        self.senders = {}
        self.selector = selectors.DefaultSelector()
        for ns, dev in captures:
            sock = packet_socket(ns, dev, ETH_P_ALL)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            sock.setblocking(False)
            self.captured[ns] = []
            self.selector.register(sock, selectors.EVENT_READ, ns)

    def sender(self, ns, dev):
        if (ns, dev) not in self.senders:
            self.senders[ns, dev] = packet_socket(ns, dev, 0)
        return self.senders[ns, dev]

    def mac(self, ns, dev):
        return self.sender(ns, dev).getsockname()[4]

    def send(self, ns, packet, dev=None, to=None):
        """Sends bytes or a scapy packet that starts at IP to the neighbour `to`
        (name space, device); by default, from edge or wan to gw. A packet that
        starts at Ether goes out as it is."""
        outlet, *peer = OUTLETS.get(ns, (None, None, None))
        dev = dev or outlet
        data = bytes(packet)
        if not isinstance(packet, Ether):
            protocol = ETH_P_IPV6 if data[0] >> 4 == 6 else ETH_P_IP
            data = self.mac(*(to or peer)) + self.mac(ns, dev) + protocol.to_bytes(2, "big") + data
        self.sender(ns, dev).send(data)

    def read(self, timeout):
        """Takes in what is there; waits for the first of it."""
        for key, _ in self.selector.select(timeout):
            while True:
                try:
                    data, address = key.fileobj.recvfrom(65535)
                except BlockingIOError:
                    break
                if address[2] != socket.PACKET_OUTGOING:
                    self.captured[key.data].append(Ether(data))

    def arrived(self, ns, match, timeout=2.0):
        """The first captured packet that matches, or None when none came in time."""
        looked, end = 0, time.monotonic() + timeout
        while True:
            packets = self.captured[ns]
            for packet in packets[looked:]:
                if match(packet):
                    return packet
            looked = len(packets)
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.read(left)

    def settle(self, quiet=0.3):
        """Takes in what arrives until nothing has for a while: after sending a
        whole table, and before asking with timeout=0 which of it arrived."""
        while self.selector.select(quiet):
            self.read(0)

    def clear(self):
        self.settle(0)
        for packets in self.captured.values():
            packets.clear()


def edgectl(*args, ns="gw"):
    """Standard output; raises with the tool's own sentence."""
    done = subprocess.run([EDGECTL, "-n", ns, *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError("edgectl %s: %s" % (" ".join(args), done.stderr.strip()))
    return done.stdout


def counters(ns="gw"):
    """All counters in one go: {"rules/sip-pic-in/packets": 3, "drops/not-listed/bytes": 0, ...}"""
    stats = json.loads(edgectl("-j", "stats", ns=ns))
    found = {}
    for kind, name, keys in (("rules", "name", ("packets", "bytes", "flows")), ("drops", "reason", ("packets", "bytes"))):
        for row in stats[kind]:
            for key in keys:
                found["%s/%s/%s" % (kind, row[name], key)] = row[key]
    return found


def change(before, after):
    """What moved between two readings, and by how much."""
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


class Tap:
    """The same TAP as tap.sh prints."""

    def __init__(self):
        self.count = self.failed = 0

    def ok(self, name, passed, diagnosis=""):
        self.count += 1
        self.failed += not passed
        print("%s %d - %s" % ("ok" if passed else "not ok", self.count, name))
        if not passed:
            for line in str(diagnosis).splitlines():
                print("# " + line)
        sys.stdout.flush()

    def equal(self, name, got, want):
        self.ok(name, got == want, "got:    %s\nwanted: %s" % (got, want))

    def plan(self):
        """Prints the plan; for sys.exit()."""
        print("1..%d" % self.count)
        return int(self.failed > 0)
