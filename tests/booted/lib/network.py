# SPDX-License-Identifier: GPL-2.0-only
"""The networks on both sides of a machine that boots, in one process and without privileges.

   partner, stranger, administrator --- ext0  [machine]  dmz0 --- Edge

Everybody knocks on port 5061 all the time, whether or not the machine is up, and what comes out on the
other side is counted.
"""

import collections
import logging
import select
import socket
import threading
import time

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import IP, TCP  # noqa: E402
from scapy.layers.inet6 import ICMPv6NDOptDstLLAddr, ICMPv6ND_NA, ICMPv6ND_NS, IPv6  # noqa: E402
from scapy.layers.l2 import ARP, Ether  # noqa: E402

EXT, DMZ = "52:54:00:00:00:01", "52:54:00:00:00:02"	# as tests/booted/lib/root has them
OURS = "52:54:00:00:01:00"
SIP, MANAGEMENT = 5061, 22
MACHINE, ADMINISTRATOR = "192.0.2.1", "192.0.2.254"
EDGE, EDGE6 = "203.0.113.10", "2001:db8:113::10"
PARTNER, PARTNER6 = "198.51.100.10", "2001:db8:51::10"
STRANGER, STRANGER6 = "192.0.2.66", "2001:db8:2::66"
FLOWS = {  # name: (from the side of, source, destination)
    "stranger": (EXT, STRANGER, EDGE), "stranger6": (EXT, STRANGER6, EDGE6),
    "partner": (EXT, PARTNER, EDGE), "partner6": (EXT, PARTNER6, EDGE6),
    "edge": (DMZ, EDGE, PARTNER), "edge6": (DMZ, EDGE6, PARTNER6),
}
STRANGERS = frozenset(name for name in FLOWS if name.startswith("stranger"))
ADMITTED = frozenset(FLOWS) - STRANGERS
EVERY, PORTS = 0.04, range(20000, 20032)	# seconds


def layer(source, target):
    return (IPv6 if ":" in source else IP)(src=source, dst=target)


def knock(side, source, target, sport, dport=SIP, flags="S"):
    return bytes(Ether(src=OURS, dst=side) / layer(source, target) / TCP(sport=sport, dport=dport, flags=flags, seq=1))


KNOCKS = {name: [knock(*flow, sport) for sport in PORTS] for name, flow in FLOWS.items()}


class Wire:
    """Counts what came through, by the names of FLOWS, since begin()."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ends, self.knocked, self.through, self.answered = {}, 0, collections.Counter(), set()
        threading.Thread(target=self.work, daemon=True).start()

    def plug(self):
        """Two file descriptors for the machine's cards, a frame each datagram; those before are dead."""
        pairs = {side: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for side in (EXT, DMZ)}
        with self.lock:
            for end in self.ends.values():
                end.close()
            self.ends = {side: pair[0] for side, pair in pairs.items()}
            for end in self.ends.values():
                end.setblocking(False)
        return [pairs[side][1] for side in (EXT, DMZ)]

    def send(self, side, frame):
        try:
            self.ends[side].send(frame)
        except OSError:	# a card that is full, or gone
            pass

    def work(self):
        due = time.monotonic()
        while True:
            with self.lock:
                sides = {end: side for side, end in self.ends.items()}
            if not sides:
                time.sleep(EVERY)
                continue
            try:
                ready = select.select(list(sides), [], [], max(0, due - time.monotonic()))[0]
            except (OSError, ValueError):	# pulled out meanwhile
                continue
            with self.lock:
                for end in ready:
                    if self.ends.get(sides[end]) is end:
                        self.receive(sides[end], end)
                if time.monotonic() >= due:
                    due = time.monotonic() + EVERY
                    for name, (side, *_) in FLOWS.items():
                        self.send(side, KNOCKS[name][self.knocked % len(PORTS)])
                    self.knocked += 1

    def receive(self, side, end):
        try:
            frame = Ether(end.recv(65536))
        except OSError:
            return
        if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst != frame[ARP].psrc:
            asks = frame[ARP]
            self.send(side, bytes(Ether(src=OURS, dst=frame.src) / ARP(op=2, hwsrc=OURS, psrc=asks.pdst,
                                                                       hwdst=asks.hwsrc, pdst=asks.psrc)))
        elif ICMPv6ND_NS in frame and frame[IPv6].src != "::":
            asks = frame[ICMPv6ND_NS].tgt
            self.send(side, bytes(Ether(src=OURS, dst=frame.src) / IPv6(src=asks, dst=frame[IPv6].src)
                                  / ICMPv6ND_NA(tgt=asks, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=OURS)))
        elif TCP in frame:
            outer = frame[IPv6] if IPv6 in frame else frame[IP]
            if (outer.src, frame[TCP].sport) == (MACHINE, MANAGEMENT) and frame[TCP].flags == "SA":
                self.answered.add(frame[TCP].dport)
                return
            for name, (entry, source, target) in FLOWS.items():
                if entry != side and (source, target, SIP) == (outer.src, outer.dst, frame[TCP].dport):
                    self.through[name] += 1

    # ---- for the test ----

    def begin(self):
        with self.lock:
            self.through.clear()

    def came_through(self):
        with self.lock:
            return frozenset(self.through)

    def watch(self, rounds=50):
        """Who comes through in so many rounds of knocks from now on."""
        with self.lock:
            before, until = self.through.copy(), self.knocked + rounds
        while self.knocked < until:
            time.sleep(EVERY)
        with self.lock:
            return frozenset(self.through - before)

    def awaits(self, wanted, patience=60):
        """Whether all of them come through in the end."""
        with self.lock:
            before = self.through.copy()
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            time.sleep(EVERY)
            with self.lock:
                if wanted <= frozenset(self.through - before):
                    return True
        return False

    def manages(self, patience=60):
        """Whether the administrator reaches the machine itself."""
        deadline, port = time.monotonic() + patience, 40000
        while time.monotonic() < deadline:
            port += 1
            with self.lock:
                self.answered.clear()
                self.send(EXT, knock(EXT, ADMINISTRATOR, MACHINE, port, MANAGEMENT))
            time.sleep(1)
            if port in self.answered:
                self.send(EXT, knock(EXT, ADMINISTRATOR, MACHINE, port, MANAGEMENT, "R"))
                return True
        return False
