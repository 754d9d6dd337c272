# SPDX-License-Identifier: GPL-2.0-only
"""Random packets, aimed at the edges of a policy.

A story is a policy, packets that open flows, packets that do not, conversations;
then the policy changes under the conversations, and they go on.
"""

import struct

import packets
from packets import ACK, ECE, CWR, FIN, PSH, RST, SYN, URG, ICMP, ICMP6, TCP, UDP
from policy import ROWS, changed, random_policy
from ruleset import KNOWN_DSCP, UNTRACKED_PORT
import world

BATCH = 256
SHORTEST = 120  # of what is not cut short; the packets of a batch differ in length

SERVICES = sorted({row[2] for row in ROWS if row[2] != "rtp"})
OTHERS = {4: (1, 4, 27, 41, 47, 50, 51, 58, 89, 103, 132, 136, 253, 255),
          6: (1, 4, 41, 47, 50, 59, 58, 89, 103, 132, 136, 253, 255)}
SYNS = (SYN,) * 12 + (SYN | ECE | CWR, SYN | PSH, SYN | URG, SYN | PSH | URG | ECE)
NOT_SYNS = (ACK, ACK, ACK | PSH, RST, FIN, RST | ACK, FIN | ACK, SYN | ACK, SYN | ACK, 0, SYN | FIN, SYN | RST,
            FIN | PSH | URG, SYN | FIN | PSH | URG, SYN | RST | ACK)
ERRORS = {4: ((3, 0), (3, 1), (3, 3), (3, 4), (3, 13), (11, 0), (11, 1), (12, 0)),
          6: ((1, 0), (1, 1), (1, 4), (2, 0), (3, 0), (3, 1), (4, 0), (4, 1))}
NOT_ERRORS = {4: ((4, 0), (5, 0), (5, 1), (8, 0), (0, 0), (13, 0), (17, 0)),
              6: ((128, 0), (129, 0), (137, 0), (130, 0), (134, 0), (135, 0), (136, 0), (100, 0), (200, 0))}
NEIGHBOURS = ((133, 255), (134, 255), (135, 255), (136, 255), (130, 1), (131, 1), (132, 1), (143, 1))
NEARLY = ((133, 254), (135, 64), (136, 254), (130, 2), (143, 255), (137, 255))


class Packet:
    """What is sent at once and seen as one packet: enters by a device, or None where the gateway sends it."""

    __slots__ = ("enters", "frames", "length", "question", "kind")

    def __init__(self, enters, frames, kind, question=None, length=None):
        self.enters, self.frames, self.kind, self.question = enters, frames, kind, question
        self.length = length or len(frames[0])


class Batch:
    """Packets that are compared together.

    asked: explain is asked about every packet, and its answers must be what is counted.
    expect: the one class that the module must count them in, "nothing" for none.
    why: what explains that the oracle may differ.
    lossy: some do not come as far as the oracle.
    enforced: nor does what is dropped.
    """

    def __init__(self, items, **traits):
        self.packets, self.traits = items, traits
        self.asked = self.lossy = self.enforced = False
        self.expect = self.why = None
        self.__dict__.update(traits)

    def singly(self):
        """Each packet a batch of its own."""
        return [Batch([packet], **self.traits) for packet in self.packets]


class Place:
    """An address that packets come from or go to."""

    __slots__ = ("packed", "device", "local", "edge", "bound")

    def __init__(self, address, policy):
        self.packed = address.packed
        self.device = world.device_of(address)
        self.local = address in world.LOCAL
        self.edge = address in policy.roles
        self.bound = policy.devices.get(address)


class Talk:
    """A flow that tracking knows: who opened it, and how far it is."""

    __slots__ = ("ends", "protocol", "ports", "seq", "open", "over")

    def __init__(self, ends, protocol, ports, seq, is_open):
        self.ends, self.protocol, self.ports = ends, protocol, ports
        self.seq, self.open, self.over = [seq, 0], is_open, False


def version_of(place):
    return 4 if len(place) == 4 else 6


class Traffic:
    """Makes packets for a policy."""

    def __init__(self, rng):
        self.rng = rng
        self.used = set()
        self.ident = rng.randrange(1 << 16)

    def adopt(self, policy):
        """From now on aims at the edges of this policy."""
        self.policy = policy
        self.edges, self.near = {4: [], 6: []}, {4: [], 6: []}
        for address in policy.roles:
            self.edges[address.version].append(Place(address, policy))
            for other in (address + 1, address - 1):
                self.notice(other)
        for prefix in policy.partners:
            for value in self.around(prefix):
                if 0 <= value < 1 << prefix.max_prefixlen:
                    self.notice(type(prefix.network_address)(value))
        for version in (4, 6):
            for _ in range(10):
                self.notice(world.stranger(self.rng, version))
        self.versions = [version for version in (4, 6) if self.edges[version]] or [4, 6]
        ends = {end for first, last in policy.rtp_ports for port in (first, last) for end in (port - 1, port, port + 1)}
        self.rtp_ends = sorted(port for port in ends if 0 < port < 65536)

    def around(self, prefix):
        """Addresses in a prefix, next to it, and one bit beside it."""
        first, last = int(prefix.network_address), int(prefix.broadcast_address)
        within = [self.rng.randint(first, last) for _ in range(3)]
        beside = [prefix.prefixlen, self.rng.randint(1, prefix.prefixlen)] if prefix.prefixlen else []
        return [first, last, first - 1, last + 1, *within,
                *[value ^ 1 << prefix.max_prefixlen - bit for value, bit in zip(within, beside)]]

    def notice(self, address):
        if address not in self.policy.roles and world.routable(address):
            self.near[address.version].append(Place(address, self.policy))

    # Choices

    def ends(self, version=None):
        """Source and destination, mostly with one Edge address."""
        rng = self.rng
        version = version or rng.choice(self.versions)
        edges, near = self.edges[version], self.near[version]
        dice = rng.random()
        if not edges or dice < 0.04:
            source, target = rng.choice(near), rng.choice(near)
        elif dice < 0.48:
            source, target = rng.choice(near), rng.choice(edges)
        elif dice < 0.90:
            source, target = rng.choice(edges), rng.choice(near)
        elif dice < 0.97:
            source, target = rng.choice(edges), rng.choice(edges)
        else:
            source, target = rng.choice(edges), Place(rng.choice(world.EVERYBODY[version]), self.policy)
        if source is target and not (source.edge and not source.local and rng.random() < 0.5):
            return self.ends(version)
        if source.local and target.device is None:
            return self.ends(version)
        return source, target

    def enters(self, source, target):
        """The device by which a packet enters: mostly the right one."""
        if source.local:
            return None
        dice = self.rng.random()
        if target.bound in world.DEVICES and dice < 0.8:
            return target.bound
        if source.device and dice < 0.9:
            return source.device
        return self.rng.choice(world.DEVICES)

    def service(self, protocol):
        rng = self.rng
        dice = rng.random()
        if dice < 0.45:
            return 3478 if protocol == UDP and rng.random() < 0.8 else rng.choice(SERVICES)
        if dice < 0.65:
            return rng.choice(self.rtp_ends)
        if dice < 0.8:
            return rng.choice(SERVICES) + rng.choice((-1, 1))
        if dice < 0.9:
            return rng.choice((1, 22, 53, 80, 65535, 49999, 50000, 59999, 60000))
        return rng.randrange(1, 65536)

    def ports(self, source, target, protocol, answers=0):
        """Ports that no flow between these two has yet; sometimes those of an answer."""
        while True:
            dice = self.rng.random()
            sport = (self.rng.choice(self.rtp_ends) if dice < 0.1 else self.rng.choice(SERVICES) if dice < 0.15 else
                     self.rng.randrange(1, 65536))
            dport = self.service(protocol)
            if self.rng.random() < answers:
                sport, dport = dport, sport
            if sport != UNTRACKED_PORT and self.is_new(source, target, protocol, sport, dport):
                return sport, dport

    def is_new(self, source, target, protocol, sport, dport):
        """Whether no flow between these two has the ports yet; from now on one has."""
        here, there = (source.packed, sport), (target.packed, dport)
        flow = protocol, min(here, there), max(here, there)
        if flow in self.used:
            return False
        self.used.add(flow)
        return True

    # Building

    def wrapped(self, source, target, protocol, transport, length, known=False):
        """The frames of a packet, and its length when it is whole.

        transport(room): the transport header and the payload to fill up room bytes.
        """
        rng = self.rng
        tos = KNOWN_DSCP << 2 if known else 0
        ttl = rng.choice((64, 64, 2, 255))
        dice = rng.random()
        self.ident = self.ident + 1 & 0xffff
        if len(source) == 4:
            options = b""
            if dice < 0.05:
                options = rng.choice((b"\1\1\1\0", b"\x94\4\0\0", b"\x82\4\0\0", b"\1\1\1\1\1\1\1\0"))
            elif dice > 0.95:
                return packets.pieces4(source, target, protocol, transport(length - 20), self.ident,
                                       self.cuts(length - 20), tos), length
            frame = packets.ipv4(source, target, protocol, transport(length - 20 - len(options)), ttl, tos, self.ident,
                                 rng.choice((0, 0x4000)), options)
            return [frame], length
        if dice > 0.95:
            return packets.pieces6(source, target, protocol, transport(length - 40), self.ident,
                                   self.cuts(length - 40), tos), length
        if dice < 0.08:
            kinds = rng.choices((packets.DESTINATION, packets.ROUTING), (6, 1),
                                k=rng.choice((1, 1, 2, 7, 8)) - 1) + [packets.DESTINATION]
            if rng.random() < 0.3:
                kinds[0] = packets.HOP_BY_HOP
            first, payload = packets.extended(kinds, protocol, transport(max(length - 40 - 8 * len(kinds), 28)))
            frame = packets.ipv6(source, target, first, payload, ttl, tos)
            return [frame], len(frame)
        if dice < 0.10:  # an atomic fragment: reassembly takes its header away
            frame = packets.ipv6(source, target, packets.FRAGMENT,
                                 packets.extension(protocol, packets.FRAGMENT) + transport(length - 40), ttl, tos)
            return [frame], length
        return [packets.ipv6(source, target, protocol, transport(length - 40), ttl, tos)], length

    def cuts(self, size):
        """Where to cut size bytes in two to four fragments; the first holds the transport header."""
        cuts = {24} | {self.rng.randrange(4, (size - 1) // 8 + 1) * 8 for _ in range(self.rng.randrange(3))}
        return [0] + sorted(cut for cut in cuts if cut < size)

    def shuffled(self, frames):
        if len(frames) > 1 and self.rng.random() < 0.5:
            self.rng.shuffle(frames)
        return frames

    def packet(self, ends, protocol, transport, length, kind, known=False, question=None):
        source, target = ends
        enters = self.enters(source, target)
        frames, length = self.wrapped(source.packed, target.packed, protocol, transport, length, known)
        asked = self.question(ends, protocol, *question, enters) if question else None
        return Packet(enters, self.shuffled(frames), kind, asked, length)

    @staticmethod
    def question(ends, protocol, sport, dport, enters):
        """What to ask explain."""
        source, target = ends
        return source.packed, target.packed, protocol, sport, dport, enters, target.device

    def segment(self, ends, ports, flags, seq=0, ack=0):
        """A maker of TCP segments."""
        source, target = (end.packed for end in ends)
        options = self.rng.choice((b"", b"", b"\2\4\5\xb4", b"\1" * 12, b"\1" * 40))
        return lambda room: packets.tcp(source, target, *ports, flags, seq, ack, bytes(max(room - 20 - len(options), 0)),
                                        options)

    def datagram(self, ends, ports):
        source, target = (end.packed for end in ends)
        return lambda room: packets.udp(source, target, *ports, bytes(room - 8))

    # Packets that explain can be asked about

    def opening(self, length):
        """A packet that opens a flow, and the flow."""
        rng = self.rng
        ends = source, target = self.ends()
        protocol = rng.choices((TCP, UDP, None), (60, 28, 12))[0]
        if protocol is None:
            return self.without_row(ends, length), None
        ports = self.ports(source, target, protocol)
        seq = rng.getrandbits(32)
        if protocol == TCP:
            make = self.segment(ends, ports, rng.choice(SYNS), seq)
        else:
            make = self.datagram(ends, ports)
        packet = self.packet(ends, protocol, make, length, "opens", question=ports)
        if source is target or target.device is None and (protocol == TCP or not target.local):
            return packet, None  # malformed; or what the gateway itself answers, or does not
        return packet, Talk(ends, protocol, ports, seq + 1, protocol == UDP)

    def without_row(self, ends, length):
        """Protocols that no row can cover."""
        rng = self.rng
        source, target = (end.packed for end in ends)
        version = version_of(source)
        protocol = rng.choice(OTHERS[version] + (ICMP if version == 4 else ICMP6,) * 8)
        if protocol in (ICMP, ICMP6) and (protocol == ICMP) == (version == 4):
            return self.packet(ends, protocol, lambda room: packets.icmp(
                source, target, 8 if version == 4 else 128, 0, rng.getrandbits(32), bytes(room - 8)), length,
                "no row", question=(0, 1))
        if version == 6 and protocol == 59:
            frame = packets.ipv6(source, target, 59, bytes(length - 40))
            enters = self.enters(*ends)
            return Packet(enters, [frame], "no row", self.question(ends, 59, 0, 1, enters))
        body = rng.randbytes(24)
        return self.packet(ends, protocol, lambda room: body + bytes(room - 24), length, "no row", question=(0, 1))

    def authenticated(self, length):
        """Opens a flow behind an authentication header."""
        ends = source, target = self.ours(6)
        protocol = self.rng.choice((TCP, UDP))
        ports = self.ports(source, target, protocol)
        make = self.segment(ends, ports, SYN) if protocol == TCP else self.datagram(ends, ports)
        first, body = packets.extended([packets.AUTHENTICATION], protocol, make(length - 56), size=16)
        enters = self.enters(source, target)
        return Packet(enters, [packets.ipv6(source.packed, target.packed, first, body)], "authenticated",
                      self.question(ends, protocol, *ports, enters))

    # Packets that it cannot

    def strange(self, length):
        """Opens nothing, or is not to be believed, or belongs to nothing."""
        make = self.rng.choices((self.bare, self.bad_checksum, self.untracked, self.port_zero, self.neighbour,
                                 self.about_nothing), (35, 15, 5, 5, 10, 15))[0]
        return make(length)

    def bare(self, length):
        """TCP without the SYN that opens."""
        ends = self.ends()
        ports = self.ports(*ends, TCP, answers=0.4)
        flags = self.rng.choice(NOT_SYNS)
        return self.packet(ends, TCP, self.segment(ends, ports, flags, self.rng.getrandbits(32),
                                                   self.rng.getrandbits(32)), length, "bare")

    def bad_checksum(self, length):
        ends = self.ends()
        protocol = self.rng.choice((TCP, UDP))
        ports = self.ports(*ends, protocol, answers=0.3)
        if protocol == TCP:
            make, at = self.segment(ends, ports, self.rng.choice(SYNS + NOT_SYNS)), 16
        else:
            make, at = self.datagram(ends, ports), 6
        return self.packet(ends, protocol, lambda room: packets.spoilt(make(room), at), length, "bad checksum")

    def untracked(self, length):
        ends, protocol = self.ends(), self.rng.choice((TCP, UDP))
        while True:  # what is sent from here is tracked all the same, and must be new
            ports = UNTRACKED_PORT, self.service(UDP)
            if self.is_new(*ends, protocol, *ports):
                break
        make = self.datagram(ends, ports) if protocol == UDP else self.segment(ends, ports, self.rng.choice(SYNS + NOT_SYNS))
        return self.packet(ends, protocol, make, length, "untracked")

    def port_zero(self, length):
        ends = self.ends()
        ports = (0, self.service(UDP)) if self.rng.random() < 0.5 else (self.rng.randrange(1, 65536), 0)
        if self.rng.random() < 0.5:
            return self.packet(ends, UDP, self.datagram(ends, ports), length, "port 0")
        return self.packet(ends, TCP, self.segment(ends, ports, SYN), length, "port 0")

    def neighbour(self, length):
        """Neighbour discovery and listeners, and what only looks so; in IPv4: ICMP."""
        rng = self.rng
        ends = source, target = self.ends()
        if source is target:
            return self.neighbour(length)
        version = version_of(source.packed)
        if version == 4:
            kind, code = rng.choice(NOT_ERRORS[4])
            ttl = 64
        else:
            kind, ttl = rng.choice(NEIGHBOURS + NEARLY)
            code = 0
            if ttl == 1 and target.device:  # is not forwarded: for everybody on the link
                target = Place(world.EVERYBODY[6][0], self.policy)
        enters = self.enters(source, target)
        if enters is None and target.device is None:
            return self.neighbour(length)
        message = packets.icmp(source.packed, target.packed, kind, code, rng.getrandbits(32), bytes(length - 48))
        frame = packets.ip(source.packed, target.packed, ICMP if version == 4 else ICMP6, message, ttl)
        return Packet(enters, [frame], "neighbour" if version == 6 else "message")

    def about_nothing(self, length):
        """ICMP errors and other messages about flows that are not there."""
        rng = self.rng
        ends = self.ends()
        protocol = rng.choice((TCP, UDP))
        ports = self.ports(*ends, protocol)
        return self.message(ends, protocol, ports, length, "error about nothing")

    def message(self, ends, protocol, ports, length, kind):
        """A message about a packet from ends[0] to ends[1], which comes to ends[0]."""
        rng = self.rng
        sender, other = ends
        version = version_of(sender.packed)
        types = ERRORS[version] if rng.random() < 0.8 else NOT_ERRORS[version]
        router = other
        if rng.random() < 0.5 or not (other.device or other.local):
            router = rng.choice(self.near[version])
        if router.packed == sender.packed:
            router = Place(world.stranger(rng, version), self.policy)
        if protocol == TCP:
            inner = packets.tcp(sender.packed, other.packed, *ports, ACK)
        else:
            inner = packets.udp(sender.packed, other.packed, *ports)
        inner = packets.ip(sender.packed, other.packed, protocol, inner)
        if rng.random() < 0.05:
            inner = inner[:rng.randrange(len(inner))]
        what, code = rng.choice(types)
        room = length - len(inner) - (28 if version == 4 else 48)
        message = packets.icmp(router.packed, sender.packed, what, code, rng.getrandbits(16), inner + bytes(max(room, 0)))
        if rng.random() < 0.05:
            message = packets.spoilt(message, 2)
        frame = packets.ip(router.packed, sender.packed, ICMP if version == 4 else ICMP6, message)
        return Packet(self.enters(router, sender), [frame], kind)

    # Conversations

    def going_on(self, talk, length):
        """The next packet of a flow."""
        rng = self.rng
        if rng.random() < 0.15:
            direction = rng.randrange(2)
            ends, ports = talk.ends, talk.ports
            if direction:
                ends, ports = ends[::-1], ports[::-1]
            return self.message(ends, talk.protocol, ports, length, "error about a flow")
        if talk.protocol == UDP:
            direction = rng.random() < 0.6
            ends, ports = (talk.ends[::-1], talk.ports[::-1]) if direction else (talk.ends, talk.ports)
            make = self.datagram(ends, ports)
            if rng.random() < 0.06:
                return self.packet(ends, UDP, lambda room: packets.spoilt(make(room), 6), length, "later", True)
            return self.packet(ends, UDP, make, length, "later", True)
        return self.tcp_going_on(talk, length)

    def tcp_going_on(self, talk, length):
        rng = self.rng
        dice = rng.random()
        direction, flags = rng.randrange(2), ACK
        if dice < 0.04:
            flags, talk.over = RST | rng.choice((0, ACK)), True
        elif dice < 0.08:
            flags, talk.over = SYN, True  # again, or against the flow's direction
        elif not talk.open:
            direction, flags = 1, SYN | ACK
        elif dice < 0.15:
            flags = FIN | ACK
        elif dice < 0.6:
            flags = ACK | PSH
        seq, ack = talk.seq[direction], talk.seq[1 - direction]
        if not talk.open:
            seq = rng.getrandbits(32)
            if direction and flags == SYN | ACK:
                talk.seq[1], talk.open = seq + 1, True
        elif dice > 0.93:
            seq, flags = rng.getrandbits(32), rng.choice(NOT_SYNS)  # out of its window
            talk.over = bool(flags & (RST | SYN))
        elif flags & FIN:
            talk.seq[direction] += 1
        ends, ports = (talk.ends[::-1], talk.ports[::-1]) if direction else (talk.ends, talk.ports)
        make = self.segment(ends, ports, flags, seq & 0xffffffff, ack & 0xffffffff)
        if flags & PSH and flags == ACK | PSH and dice <= 0.93:
            return self.with_data(talk, direction, ends, ports, seq, ack, length)
        return self.packet(ends, TCP, make, length, "later", True)

    def with_data(self, talk, direction, ends, ports, seq, ack, length):
        """Data of a known length, so that the next sequence number is known."""
        source, target = (end.packed for end in ends)
        size = length - 20 - (20 if len(source) == 4 else 40)
        data = packets.tcp(source, target, *ports, ACK | PSH, seq & 0xffffffff, ack & 0xffffffff, bytes(size))
        talk.seq[direction] = seq + size
        frame = packets.ip(source, target, TCP, data, tos=KNOWN_DSCP << 2)
        return Packet(self.enters(*ends), [frame], "later")

    # Lies

    def ours(self, version=None):
        """Two different ends, one of which is an Edge address; nobody's multicast, and nothing of the gateway."""
        while True:
            source, target = self.ends(version)
            if source is not target and (source.edge or target.edge) and not source.local and \
                    (target.device or target.local):
                return source, target

    def lie(self, length):
        """A header that must not be believed, and that nftables can see through."""
        rng = self.rng
        ends = self.ours()
        source, target = (end.packed for end in ends)
        version = version_of(source)
        protocol = rng.choice((TCP, UDP))
        ports = self.ports(*ends, protocol)
        whole = (packets.tcp(source, target, *ports, SYN, payload=bytes(20)) if protocol == TCP else
                 packets.udp(source, target, *ports, bytes(20)))
        kinds = ["cut", "words", "udp length", "icmp cut"]
        kinds += ["source route", "option"] if version == 4 else ["mapped", "type 0", "nine headers", "chain"]
        kind = rng.choice(kinds)
        options = b""
        if kind == "cut":
            whole = whole[:rng.randrange(20 if protocol == TCP else 8)]
        elif kind == "words":
            protocol, words = TCP, rng.choice((0, 1, 4, 6, 7, 10, 15))
            whole = packets.tcp(source, target, *ports, SYN, payload=bytes(max(words * 4 - 21, 0) if words > 5 else 20),
                                words=words)
        elif kind == "udp length":
            protocol, size = UDP, rng.randrange(40)
            claimed = rng.choice((0, 1, 7, 8 + size + 1, 8 + size + 2, 65535, rng.randrange(8 + size + 1, 65536)))
            whole = packets.udp(source, target, *ports, bytes(size), claimed)
            if version == 4 and rng.random() < 0.3:
                options = b"\1" * rng.choice((4, 8))
        elif kind == "icmp cut":
            protocol = ICMP if version == 4 else ICMP6
            whole = packets.icmp(source, target, rng.choice((3, 8, 1, 128, 135)), 0, 0, b"")[:rng.randrange(8)]
        elif kind == "source route":
            route = bytes([rng.choice((131, 137)), 7, 4]) + rng.randbytes(4)
            options = rng.choice((route + b"\0", b"\1" + route, b"\1\1\1\1\1" + route))
        elif kind == "option":
            options = bytes([rng.choice((7, 68, 130, 148, 200)), rng.choice((0, 1, 41, 255)), 0, 0])
        elif kind == "mapped":
            return self.mapped(ends, length)
        elif kind == "type 0":
            protocol, whole = packets.extended([packets.ROUTING], protocol, whole, size=24, routing_type=0)
        elif kind == "nine headers":
            protocol, whole = packets.extended([packets.DESTINATION] * 9, protocol, whole)
        elif kind == "chain":
            protocol, whole = packets.DESTINATION, packets.extension(protocol, packets.DESTINATION)[:rng.randrange(8)]
        if version == 4:
            frame = packets.ipv4(source, target, protocol, whole, options=options)
        else:
            frame = packets.ipv6(source, target, protocol, whole)
        return Packet(self.enters(*ends), [frame], "lie")

    def mapped(self, ends, length):
        """An IPv4-mapped address where the remote one should be."""
        strange = bytes(10) + b"\xff\xff" + self.rng.randbytes(4)
        source, target = (end.packed for end in ends)
        enters = self.enters(*ends)
        if ends[1].edge:
            source = strange
        else:
            target = strange
        return Packet(enters, [packets.ipv6(source, target, UDP, packets.udp(source, target, 4000, 3478,
                                                                             bytes(length - 48)))], "lie")

    def hidden_lie(self, length):
        """A header that must not be believed, and that nftables cannot see through."""
        rng = self.rng
        ends = self.ours()
        source, target = (end.packed for end in ends)
        version = version_of(source)
        protocol = rng.choice((TCP, UDP))
        ports = self.ports(*ends, protocol)
        whole = (packets.tcp(source, target, *ports, SYN, payload=bytes(length - 60)) if protocol == TCP else
                 packets.udp(source, target, *ports, bytes(length - 60)))
        if version == 4:
            # the second option's length is impossible
            options = b"\x82\4\0\0" + bytes([rng.choice((7, 68, 148)), rng.choice((0, 1, 5, 255)), 0, 0])
            return Packet(self.enters(*ends), [packets.ipv4(source, target, protocol, whole, options=options)],
                          "hidden lie")
        kind = rng.choice(("headers", "second routing header", "udp length"))
        if kind == "headers":
            kinds = [packets.DESTINATION] + rng.choices((packets.DESTINATION, packets.AUTHENTICATION), (3, 1),
                                                        k=rng.randrange(8, 12))
            first, body = packets.extended(kinds, protocol, whole, size=16)
        elif kind == "second routing header":
            first, body = packets.extended([packets.ROUTING], protocol, whole, routing_type=0)
            first, body = packets.extended([packets.ROUTING], first, body)
        else:
            whole = packets.udp(source, target, *ports, bytes(20), rng.choice((29, 30, 1000, 65535)))
            first, body = packets.extended([packets.DESTINATION], UDP, whole)
        return Packet(self.enters(*ends), [packets.ipv6(source, target, first, body)], "hidden lie")

    def discarded(self, length):
        """What the kernel discards before any hook."""
        rng = self.rng
        ends = self.ours()
        source, target = (end.packed for end in ends)
        protocol = rng.choice((TCP, UDP))
        ports = self.ports(*ends, protocol)
        whole = packets.tcp(source, target, *ports, SYN) if protocol == TCP else packets.udp(source, target, *ports)
        if version_of(source) == 6:
            frame = packets.ipv6(source, target, protocol, whole, length=len(whole) + rng.randrange(1, 200))
        else:
            frame = packets.ipv4(source, target, protocol, whole)
            kind = rng.randrange(3)
            if kind == 0:
                frame = packets.spoilt(frame, 10)
            elif kind == 1:
                frame = packets.ipv4(source, target, protocol, whole, length=len(frame) + rng.randrange(1, 200))
            else:
                head = b"\x44" + frame[1:10] + b"\0\0" + frame[12:20]  # four words are too few
                frame = head[:10] + struct.pack("!H", packets.checksum(head[:16])) + head[12:] + frame[20:]
        return Packet(self.enters(*ends), [frame], "discarded")


# Stories

HIDDEN = "headers that must not be believed (step 1), and that nftables cannot read"
BEHIND_AH = "in IPv6, AH is an extension header; to nftables it is where the packet ends"
DISCARDED = "what the kernel itself discards before any hook is not counted"


def batches(rng, make, count, **traits):
    """Batches of what make(length) makes, apart by whether the gateway sends it."""
    while count > 0:
        lengths = list(range(SHORTEST, SHORTEST + min(count, BATCH)))
        rng.shuffle(lengths)
        entering, sent = [], []
        for length in lengths:
            packet = make(length)
            if packet is not None:
                (entering if packet.enters else sent).append(packet)
        for items in (entering, sent):
            if items:
                yield Batch(items, **traits)
        count -= BATCH


def story(rng, quota):
    """Steps: policies (with whether the gateway is the Edge), modes, and batches of packets, about quota of them."""
    local = rng.random() < 0.2
    policy = random_policy(rng, local)
    traffic = Traffic(rng)
    talks = []

    def opening(length):
        packet, talk = traffic.opening(length)
        if talk and len(talks) < quota // 30:
            talks.append(talk)
        return packet

    def conversations(rounds, **traits):
        for _ in range(rounds):
            going = [talk for talk in talks if not talk.over]
            yield from batches(rng, lambda length: traffic.going_on(going.pop(), length) if going else None, len(going),
                               **traits)

    for part in range(2):
        yield policy, local
        traffic.adopt(policy)
        yield from conversations(3 * part)
        yield from batches(rng, opening, quota * 20 // 100, asked=True)
        yield from batches(rng, traffic.strange, quota * 7 // 100)
        if policy.roles:
            yield from batches(rng, traffic.lie, quota * 3 // 100, lossy=True)
            yield from batches(rng, traffic.hidden_lie, quota // 200, expect="malformed", why=HIDDEN)
            yield from batches(rng, traffic.discarded, quota // 400, expect="nothing", why=DISCARDED)
        if traffic.edges[6]:
            yield from batches(rng, traffic.authenticated, quota // 100, asked=True, why=BEHIND_AH)
        yield from conversations(3)
        if part == 0:
            policy = changed(rng, policy, local)
    if local:  # what the gateway answers would have to be told from what it is asked
        yield from batches(rng, opening, quota * 10 // 100, asked=True)
        return
    yield "enforce"
    yield from conversations(1, enforced=True)
    yield from batches(rng, lambda length: traffic.opening(length)[0], quota * 10 // 100, asked=True, enforced=True)
