#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Malformed packets through both gates: headers cut at every byte, lengths that lie, chains
# of extension headers, options, ICMP errors about half a packet, fragments, segmentation
# offload, and mutations of everything; to and from the Edge, forwarded and local.
#
#              +--------------------------+
#    ext0 -----|   this name space        |----- int0      one read() or write() a packet
#    ext1 -----|   nf_edge, Edge LOCAL    |----- int1      packets in pieces, nothing in one line
#              +--------------------------+
#                raw sockets: local senders and what a local receiver gets
#
# Of what comes out, a checker of its own says what must not be there. nftables counts
# before and after each gate: what is missing after it is what the reasons counted, what is
# left is what the rows counted, packets and bytes. Well-formed packets between the others
# keep going through, a stranger's never do; memory stays bounded.
#
#   NF_EDGE_FUZZ_PACKETS   packets (1,000,000)
#   NF_EDGE_SEED           as printed

import ctypes
import fcntl
import ipaddress
import os
import random
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from lab import load_module  # noqa: E402
from tap import Tap  # noqa: E402
from wire import *  # noqa: E402,F403

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
HOP, ROUTING, FRAGMENT, AH, DEST, NONE = 0, 43, 44, 51, 60, 59
EXTENSIONS = (HOP, ROUTING, FRAGMENT, AH, DEST)
OTHER_PROTOCOLS = (0, 2, 4, 33, 41, 47, 50, 51, 89, 94, 103, 108, 132, 135, 136, 139, 255)

EDGE = {  # address: roles
    "203.0.113.10": {"access"}, "203.0.113.11": {"av"}, "203.0.113.12": {"internal"},
    "203.0.113.200": {"access", "av", "internal"},
    "2001:db8:113::10": {"access"}, "2001:db8:113::11": {"av"}, "2001:db8:113::12": {"internal"},
    "2001:db8:113::200": {"access", "av", "internal"},
}
LOCAL, LOCAL6 = "203.0.113.200", "2001:db8:113::200"
LISTED = {"198.51.100.10": ["federation"], "198.51.100.20": ["pic"],
          "2001:db8:51::10": ["federation"], "2001:db8:51::20": ["pic"],
          "198.51.100.40": ["federation"], "2001:db8:2::40": ["federation"]}
BLOCKED = ["198.51.100.40", "2001:db8:2::40"]
REMOTE = list(LISTED) + ["198.51.100.30", "192.0.2.66", "2001:db8:2::66"]
GATEWAY, GATEWAY6 = "192.0.2.1", "2001:db8:2::1"
CANARY, CANARY6 = "198.51.100.30", "2001:db8:2::66"
SERVICES = (5061, 443, 5269, 23456, 3478, 50000, 55555, 59999, 49999, 60000, 4000, 53)

PACKETS = int(os.environ.get("NF_EDGE_FUZZ_PACKETS", 1000000))
BATCH, CHECK_EVERY, FORGET_EVERY = 128, 64, 256
SO_ATTACH_FILTER = 26
# BPF, by the device itself (SKF_AD_IFINDEX): nobody judges what comes over the loopback device, the first; where
# IP_PKTINFO tells of one, it may be the one that was meant.
NOT_LOOPBACK = ctypes.create_string_buffer(struct.pack(
    "=HBBIHBBIHBBIHBBI", 0x20, 0, 0, 0xFFFFF008, 0x15, 0, 1, 1, 6, 0, 0, 0, 6, 0, 0, 0xFFFFFFFF), 32)
PIECES = 400		# into which one packet is cut
PATIENCE = 30			# seconds until a packet that has not come out is lost
MEMORY_MAX = 96 << 10		# KiB that may be gone after all


def raw(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


ROLES_OF = {raw(address): roles for address, roles in EDGE.items()}
OWN = [raw(address) for address in (LOCAL, LOCAL6, GATEWAY, GATEWAY6)]
GROUPS_OF = {raw(address): set(groups) for address, groups in LISTED.items()}
IN_BLOCK_LIST = {raw(address) for address in BLOCKED}


# Packets by hand: a library would repair what is to be broken.

def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ipv4(source, target, protocol, payload, options=b"", ident=0, fragment=0, ttl=64):
    options += b"\0" * (-len(options) % 4)
    header = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), ident,
                         fragment, ttl, protocol, 0, source, target) + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(source, target, protocol, payload, hops=64):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, hops, source, target) + payload


def network(source, target, protocol, payload, **fields):
    return (ipv4 if len(source) == 4 else ipv6)(source, target, protocol, payload, **fields)


def pseudo(source, target, protocol, length):
    if len(source) == 4:
        return source + target + struct.pack("!BBH", 0, protocol, length)
    return source + target + struct.pack("!II", length, protocol)


def summed(source, target, protocol, segment, at):
    """The segment with its checksum, at offset at, as it should be."""
    segment = segment[:at] + b"\0\0" + segment[at + 2:]
    head = b"" if protocol == ICMP else pseudo(source, target, protocol, len(segment))
    return segment[:at] + struct.pack("!H", checksum(head + segment) or 0xFFFF) + segment[at + 2:]


def tcp(source, target, sport, dport, flags, payload=b"", options=b""):
    options += b"\1" * (-len(options) % 4)
    head = struct.pack("!HHIIBBHHH", sport, dport, 1000, 0 if flags == 2 else 1001,
                       (5 + len(options) // 4) << 4, flags, 8192, 0, 0)
    return summed(source, target, TCP, head + options + payload, 16)


def udp(source, target, sport, dport, payload=b""):
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    return summed(source, target, UDP, head + payload, 6)


def icmp(source, target, kind, code, rest):
    protocol = ICMP if len(source) == 4 else ICMP6
    return summed(source, target, protocol, struct.pack("!BBH", kind, code, 0) + rest, 2)


CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}


def repaired(packet, lengths=True, transport=True):
    """With lengths that are true, and checksums."""
    packet = bytearray(packet)
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        if lengths:
            packet[2:4] = struct.pack("!H", len(packet) & 0xFFFF)
        head = min(max((packet[0] & 15) * 4, 20), len(packet))
        if transport and not (packet[6] & 0x3F or packet[7]):
            at = head + CHECKSUM_AT.get(packet[9], 1 << 16)
            if at + 2 <= len(packet):
                packet[head:] = summed(bytes(packet[12:16]), bytes(packet[16:20]), packet[9], bytes(packet[head:]),
                                       at - head)
        packet[10:12] = b"\0\0"
        packet[10:12] = struct.pack("!H", checksum(bytes(packet[:head])))
    elif len(packet) >= 40 and packet[0] >> 4 == 6:
        if lengths:
            packet[4:6] = struct.pack("!H", (len(packet) - 40) & 0xFFFF)
        if transport:
            head, protocol = 40, packet[6]
            while protocol in EXTENSIONS and protocol != FRAGMENT and head + 8 <= len(packet):
                protocol, size = packet[head], packet[head + 1]
                head += (size + 2) * 4 if protocol == AH else (size + 1) * 8
            at = head + CHECKSUM_AT.get(protocol, 1 << 16)
            if at + 2 <= len(packet):
                packet[head:] = summed(bytes(packet[8:24]), bytes(packet[24:40]), protocol, bytes(packet[head:]),
                                       at - head)
    return bytes(packet)


def ends(packet):
    """(source, destination)"""
    return (packet[12:16], packet[16:20]) if packet[0] >> 4 == 4 else (packet[8:24], packet[24:40])


class Checker:
    """What must not come out. Made from the policy's text, not from the module's code.

    A complaint, or None for what may pass (or is not the Edge's).
    """

    def __init__(self):
        self.fragments = {}

    def whole(self, packet):
        """The packet, or None while fragments of it are missing."""
        if packet[0] >> 4 == 4:
            where = struct.unpack_from("!H", packet, 6)[0]
            if not where & 0x3FFF:
                return packet
            head = (packet[0] & 15) * 4
            key = packet[4:6] + packet[9:10] + packet[12:20]
            header, more = packet[:6] + b"\0\0" + packet[8:head], where & 0x2000
            where, data = (where & 0x1FFF) * 8, packet[head:]
        else:
            at, link, packet = self.fragment_header(packet), 6, bytearray(packet)
            if at is None:
                return bytes(packet)
            where = struct.unpack_from("!H", packet, at + 2)[0]
            if not where & 0xFFF9:
                return bytes(packet)
            link = self.link_to(packet, at)
            key = bytes(packet[at + 4:at + 8] + packet[8:40])
            packet[link] = packet[at]
            header, more, data = bytes(packet[:at]), where & 1, bytes(packet[at + 8:])
            where &= 0xFFF8
            if not where and not data:	# the kernel cuts where the pieces that it joined were cut, be it ahead of all data
                return None
        pieces = self.fragments.setdefault(key, {})
        pieces[where] = header, data, more
        joined, last = b"", False
        while len(joined) in pieces and not last:
            _, data, more = pieces[len(joined)]
            if not data:
                break
            joined, last = joined + data, not more
        if not last:
            return None
        del self.fragments[key]
        header = bytearray(pieces[0][0])
        if header[0] >> 4 == 4:
            header[2:4] = struct.pack("!H", len(header) + len(joined))
        else:
            header[4:6] = struct.pack("!H", len(header) - 40 + len(joined))
        return bytes(header) + joined

    @staticmethod
    def walk(packet):
        """(offset, kind) of each header after the first, as far as they go."""
        at, kind = 40, packet[6]
        while True:
            yield at, kind
            if kind not in EXTENSIONS or at + 8 > len(packet):
                return
            size = 8 if kind == FRAGMENT else (packet[at + 1] + 2) * 4 if kind == AH else (packet[at + 1] + 1) * 8
            kind, at = packet[at], at + size

    def fragment_header(self, packet):
        return next((at for at, kind in self.walk(packet) if kind == FRAGMENT and at + 8 <= len(packet)), None)

    def link_to(self, packet, wanted):
        """Where the number of the header at wanted stands."""
        link = 6
        for at, _ in self.walk(packet):
            if at == wanted:
                return link
            link = at
        return link

    def complaint(self, packet):
        ip4 = packet[0] >> 4 == 4
        source, target = ends(packet)
        lies, kind, at = self.headers(packet, ip4)
        about = None
        if not lies and kind == (ICMP if ip4 else ICMP6) and self.is_error(packet[at], ip4):
            about = self.inner(packet[at + 8:], ip4)
        if not self.ours(source, target) or about and not self.ours(*about[:2]):
            return None	# an Edge address may speak of others' flows
        if lies:
            return f"malformed: {lies}"
        if source == target:
            return "malformed: source = destination"
        if not ip4 and (source[:12] == b"\0" * 10 + b"\xff\xff" or target[:12] == b"\0" * 10 + b"\xff\xff"):
            return "malformed: IPv4-mapped"
        return self.rows(packet, ip4, source, target, kind, at, about)

    @staticmethod
    def ours(source, target):
        return source in ROLES_OF or target in ROLES_OF

    def rows(self, packet, ip4, source, target, kind, at, about):
        """Of a well-formed packet."""
        if kind in (TCP, UDP):
            if {source, target} & IN_BLOCK_LIST:
                return "blocked"
            sport, dport = struct.unpack_from("!HH", packet, at)
            if kind == TCP and packet[at + 13] & 0x17 == 2:
                return None if self.admitted(source, target, kind, dport) else "a SYN without row"
            return None if self.either_way(source, target, kind, sport, dport) else "no row either way"
        if kind == (ICMP if ip4 else ICMP6):
            if self.is_error(packet[at], ip4):
                if about and not {*about[:2]} & IN_BLOCK_LIST and self.either_way(*about):
                    return None
                return "an ICMP error about no flow"
            if not ip4 and self.is_link_local_talk(packet[at], packet[7]):
                return None
        return f"protocol {kind}"

    @staticmethod
    def is_error(kind, ip4):
        return kind in ((3, 11, 12) if ip4 else (1, 2, 3, 4))

    @staticmethod
    def is_link_local_talk(kind, hops):
        """A forwarded packet has lost a hop; MLD is not forwarded, but sent from here."""
        return kind in range(133, 137) and hops in (254, 255) or kind in (130, 131, 132, 143) and hops == 1

    def headers(self, packet, ip4):
        """(a lie or None, transport protocol, its offset)"""
        if ip4:
            at, kind = (packet[0] & 15) * 4, packet[9]
            if at < 20 or at > len(packet):
                return "IHL", kind, at
            lie = self.options(packet[20:at])
            if struct.unpack_from("!H", packet, 6)[0] & 0x3FFF:
                lie = lie or "a fragment"
        else:
            lie, kinds = None, []
            for at, kind in self.walk(packet):
                if kind not in EXTENSIONS:
                    continue
                kinds.append(kind)
                if len(kinds) - (FRAGMENT in kinds) > 8:	# the way out may have added one of that
                    return "nine extension headers", kind, at
                if at + 8 > len(packet):
                    return "an extension header cut short", kind, at
                if kind == ROUTING and packet[at + 2] == 0:
                    return "routing header type 0", kind, at
                if kind == FRAGMENT and struct.unpack_from("!H", packet, at + 2)[0] & 0xFFF9:
                    return "a fragment", kind, at
            if at > len(packet):
                return "an extension header beyond the packet", kind, at
        return lie or self.transport(packet, ip4, kind, at), kind, at

    @staticmethod
    def options(data):
        at = 0
        while at < len(data):
            kind = data[at]
            if kind == 0:
                break
            if kind == 1:
                at += 1
                continue
            if at + 1 == len(data) or data[at + 1] < 2 or at + data[at + 1] > len(data):
                return "an IPv4 option's length"
            if kind in (131, 137):
                return "a source route"
            at += data[at + 1]
        return None

    @staticmethod
    def transport(packet, ip4, kind, at):
        left = len(packet) - at
        if kind == TCP and (left < 20 or not 20 <= (packet[at + 12] >> 4) * 4 <= left):
            return "the TCP header"
        if kind == UDP and (left < 8 or not 8 <= struct.unpack_from("!H", packet, at + 4)[0] <= left):
            return "the UDP length"
        if kind == (ICMP if ip4 else ICMP6) and left < 8:
            return "the ICMP header"
        return None

    def inner(self, packet, ip4):
        """(source, destination, protocol, ports) of the packet that an error is about: None without
        addresses, ports 0 where they do not show."""
        if len(packet) < (20 if ip4 else 40):
            return None
        if ip4:
            at, kind = (packet[0] & 15) * 4, packet[9]
        else:
            *_, (at, kind) = self.walk(packet)
        return *ends(packet), kind, *(struct.unpack_from("!HH", packet, at) if at + 4 <= len(packet) else (0, 0))

    def either_way(self, source, target, kind, sport, dport):
        return self.admitted(source, target, kind, dport) or self.admitted(target, source, kind, sport)

    @staticmethod
    def admitted(initiator, responder, kind, port):
        here, there = ROLES_OF.get(initiator, ()), ROLES_OF.get(responder, ())
        if kind == UDP:
            return port == 3478 and ("av" in here or "av" in there)
        if kind != TCP:
            return False
        return port == 5061 and ("access" in here or "access" in there and initiator in GROUPS_OF) or \
            port == 443 and "access" in there or port == 5269 and ("access" in here or "access" in there) or \
            port == 23456 and "internal" in there or 50000 <= port <= 59999 and "av" in here


class Dice(random.Random):
    """Random numbers for millions: choice() and randrange() that cost little."""

    def choice(self, seq):
        return seq[int(self.random() * len(seq))]

    def randrange(self, first, past=None):
        return int(self.random() * first) if past is None else first + int(self.random() * (past - first))


class Maker:
    """Packets: well-formed ones, each way to break them in turn, and mutations without end."""

    def __init__(self, rng):
        self.rng = rng
        self.pairs = [(one, other) for one in map(raw, EDGE) for other in map(raw, REMOTE) if len(one) == len(other)]
        self.pairs += [pair for pair in self.pairs if pair[1] not in IN_BLOCK_LIST] * 7	# who is blocked gets no further
        self.pairs += [pair[::-1] for pair in self.pairs]
        self.admitted = {protocol: [(*pair, port) for port in SERVICES for pair in self.pairs
                                    if Checker.admitted(*pair, protocol, port)] for protocol in (TCP, UDP)}
        self.base = [self.one() for _ in range(3000)]

    # Well-formed

    def flow(self, protocol):
        """(source, destination, source port, destination port), mostly of a flow that a row admits, either way."""
        rng = self.rng
        other, service = 1024 + rng.randrange(48), rng.choice(SERVICES)
        if rng.random() < 0.9:
            source, target, service = rng.choice(self.admitted[protocol])
        else:
            source, target = rng.choice(self.pairs)
        if rng.random() < 0.6:
            return source, target, other, service
        return target, source, service, other

    def segment(self, source, target, sport, dport, protocol):
        rng = self.rng
        payload = rng.randbytes(rng.choice((0, 0, 1, 8, 24, 60)))
        if protocol == TCP:
            opens = dport in SERVICES if rng.random() < 0.9 else sport in SERVICES
            flags = rng.choice((0x02, 0x02, 0x02, 0xC2, 0x0A, 0x10, 0x18, 0) if opens else (0x12, 0x10, 0x18, 0x11, 0x04))
            options = rng.choice((b"", b"\2\4\5\xb4\1\3\3\7", b"\1\1\x08\x0a" + b"\0\0\0\1" * 2))
            return tcp(source, target, sport, dport, flags, payload, options)
        if protocol == UDP:
            return udp(source, target, sport, dport, payload)
        if protocol in (ICMP, ICMP6):
            return self.message(source, target, sport, dport)
        return rng.randbytes(rng.randrange(40))

    def message(self, source, target, sport, dport):
        """ICMP: an echo, something of the link, or an error about a packet the other way."""
        rng, ip4 = self.rng, len(source) == 4
        if rng.random() < 0.2:
            return icmp(source, target, 8 if ip4 else 128, 0, rng.randbytes(12))
        if rng.random() < 0.1:
            return icmp(source, target, rng.choice((4, 5, 13) if ip4 else (130, 133, 134, 135, 136, 137, 143)), 0,
                        rng.randbytes(24))
        about = rng.choice((TCP, UDP, TCP, UDP, ICMP if ip4 else ICMP6, 50))
        inner = network(target, source, about, rng.randbytes(20) if about in (ICMP, ICMP6) else
                        self.segment(target, source, dport, sport, about))
        if rng.random() < 0.4:
            inner = inner[:rng.randrange(len(inner) + 1)]
        kind = rng.choice((3, 11, 12) if ip4 else (1, 2, 3, 4))
        return icmp(source, target, kind, rng.randrange(5), struct.pack("!I", rng.choice((0, 1280, 68))) + inner)

    def option(self):
        rng = self.rng
        kind = rng.choice((0, 1, 7, 68, 130, 131, 137, 148, 222, rng.randrange(256)))
        if kind < 2:
            return bytes([kind])
        body = rng.randbytes(rng.choice((0, 1, 2, 5, 6)))
        length = 2 + len(body) if rng.random() < 0.7 else rng.randrange(256)
        return bytes([kind, length]) + body

    def chain(self, protocol, segment):
        """Extension headers before a segment: (first kind, bytes)"""
        rng = self.rng
        for _ in range(rng.choice((1, 1, 2, 3, 8, 9, 12))):
            kind = rng.choice(EXTENSIONS if rng.random() < 0.9 else OTHER_PROTOCOLS)
            if kind == FRAGMENT:
                field = rng.choice((0, 0, 0, 1, 6, 8, rng.getrandbits(16)))
                head = struct.pack("!BBHI", protocol, 0, field, rng.getrandbits(32))
            elif kind == AH:
                head = struct.pack("!BBHII", protocol, 4, 0, 1, 1) + rng.randbytes(12)
            elif kind == ROUTING:
                head = struct.pack("!BBBB", protocol, 2, rng.choice((0, 2, 3, 4, 253)), rng.choice((0, 1))) + \
                    rng.randbytes(20)
            else:
                head = bytes([protocol, 0, 1, 4, 0, 0, 0, 0])
            if rng.random() < 0.1:
                head = head[:1] + bytes([rng.choice((0, 1, 2, 31, 255))]) + head[2:]
            protocol, segment = kind, head + segment
        return protocol, segment

    def one(self):
        rng = self.rng
        protocol = rng.choice((TCP, UDP))
        source, target, sport, dport = self.flow(protocol)
        ip4 = len(source) == 4
        if rng.random() < 0.2:
            protocol = ICMP if ip4 else ICMP6
        elif rng.random() < 0.05:
            protocol = rng.choice(OTHER_PROTOCOLS)
        segment = self.segment(source, target, sport, dport, protocol)
        if ip4:
            options = b"".join(self.option() for _ in range(rng.randint(1, 4)))[:40] if rng.random() < 0.15 else b""
            return ipv4(source, target, protocol, segment, options, rng.getrandbits(16))
        if rng.random() < 0.25:
            protocol, segment = self.chain(protocol, segment)
        return ipv6(source, target, protocol, segment, rng.choice((64, 64, 64, 255, 1)))

    # Broken in turn

    def in_turn(self):
        """Every cut and every lie, of some packets of each kind."""
        kinds = {}
        for packet in self.base:
            kinds.setdefault((packet[0] >> 4, packet[9 if packet[0] >> 4 == 4 else 6], packet[0] & 15), []).append(packet)
        for packets in kinds.values():
            for packet in packets[:3]:
                yield from self.cuts(packet)
                yield from self.lies(packet)
        for kind in range(256):
            for length in (0, 1, 2, 3, 4, 7, 8, 38, 39, 40, 41, 255):
                for room in (4, 8, 40):
                    yield self.with_options(bytes([kind, length]), room)
                yield self.with_options(b"\1" * 7 + bytes([kind, length]), 12)
                yield self.with_options(b"\1" * 38 + bytes([kind, length]), 40)

    @staticmethod
    def cuts(packet):
        for at in range(1, len(packet)):
            yield packet[:at]
            yield repaired(packet[:at])

    @staticmethod
    def lies(packet):
        def with_byte(at, value):
            return packet[:at] + bytes([value]) + packet[at + 1:]

        def with_word(at, value):
            return packet[:at] + struct.pack("!H", value & 0xFFFF) + packet[at + 2:]

        words = (0, 1, 7, 8, 19, 20, 39, 40, len(packet) - 41, len(packet) - 1, len(packet) + 1, 0x7FFF, 0x8000, 0xFFFF)
        ip4 = packet[0] >> 4 == 4
        head = (packet[0] & 15) * 4 if ip4 else 40
        kind = packet[9 if ip4 else 6]
        for word in words:
            yield repaired(with_word(2 if ip4 else 4, word), lengths=False)
            if kind == UDP and len(packet) >= head + 8:
                yield repaired(with_word(head + 4, word))
        for value in range(16):
            yield repaired(with_byte(0, packet[0] & 0xF0 | value), lengths=bool(value & 1))
            if kind == TCP and len(packet) >= head + 20:
                yield repaired(with_byte(head + 12, value << 4))
        for value in range(256):
            yield repaired(with_byte(9 if ip4 else 6, value))
            if not ip4 and len(packet) > head + 2:
                yield repaired(with_byte(head + 1, value))
                yield repaired(with_byte(head, value))

    def with_options(self, options, room):
        source, target = raw("198.51.100.10"), raw("203.0.113.10")
        return ipv4(source, target, TCP, tcp(source, target, 1024 + self.rng.randrange(48), 5061, 2),
                    options.ljust(room, b"\1")[:room])

    # Mutations

    def mutate(self, packet):
        rng, original, packet = self.rng, packet, bytearray(packet)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
            if not packet:
                break
            how = rng.randrange(10)
            at = rng.randrange(min(len(packet), 100 if how < 7 else 1 << 16))
            if how < 3:
                packet[at] ^= 1 << rng.randrange(8)
            elif how < 5:
                packet[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            elif how == 5:
                packet[at & ~1:(at & ~1) + 2] = struct.pack("!H", rng.choice((0, 1, 8, 20, 40, 0x7FFF, 0xFFFF, len(packet))))
            elif how == 6:
                del packet[at:at + rng.choice((1, 2, 4, 8))]
            elif how == 7:
                del packet[max(at, 20 if original[0] >> 4 == 4 else 40):]
            elif how == 8:
                packet[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8, 40)))
            else:
                packet[at:] = rng.choice(self.base)[at:]
        if len(packet) < 20:
            return bytes(packet)
        if rng.random() < 0.9:	# of the same two ends
            ends = slice(12, 20) if original[0] >> 4 == 4 else slice(8, 40)
            if len(packet) >= ends.stop:
                packet[ends] = original[ends]
        if rng.random() < 0.9:
            return repaired(packet, rng.random() < 0.9, rng.random() < 0.7)
        return bytes(packet)

    def fragments(self):
        """A packet in pieces: in any order, with gaps, overlaps or lies."""
        rng = self.rng
        packet = rng.choice(self.base)
        ip4 = packet[0] >> 4 == 4
        head = (packet[0] & 15) * 4 if ip4 else 40
        data, size, ident = packet[head:], 8 * rng.randint(1, 4), rng.getrandbits(16)
        pieces = []
        for at in range(0, len(data), size):
            more = at + size < len(data)
            where = at
            if rng.random() < 0.05:
                where, more = rng.choice((0, 8, 16, 0xFFF8, at + 8)), rng.random() < 0.5
            if ip4:
                pieces.append(repaired(packet[:4] + struct.pack("!HH", ident, more << 13 | where >> 3) + packet[8:head] +
                                       data[at:at + size], transport=False))
            else:
                pieces.append(repaired(packet[:6] + bytes([FRAGMENT]) + packet[7:40] +
                                       struct.pack("!BBHI", packet[6], 0, where | more, ident) + data[at:at + size],
                                       transport=False))
        if rng.random() < 0.3:
            rng.shuffle(pieces)
        if rng.random() < 0.1 and pieces:
            pieces.pop()
        return pieces

    def large(self):
        """(virtio-net header, packet): more than a page, to be cut into segments by whoever sends it."""
        rng = self.rng
        protocol = rng.choice((TCP, TCP, UDP))
        source, target, sport, dport = self.flow(protocol)
        payload = rng.randbytes(rng.choice((1500, 1500, 4096, 4096, 9000, 20000, 60000)))
        segment = tcp(source, target, sport, dport, rng.choice((0x10, 0x18, 0x02)), payload) if protocol == TCP else \
            udp(source, target, sport, dport, payload)
        packet = network(source, target, protocol, segment)
        head = 20 if len(source) == 4 else 40
        kind = rng.choice((0, 1, 4, 5, 3, 0x81, 0xFF)) if rng.random() < 0.2 else \
            {(TCP, 20): 1, (TCP, 40): 4, (UDP, 20): 5, (UDP, 40): 5}[protocol, head]
        header = [1, kind, head + (20 if protocol == TCP else 8), rng.choice((536, 1000, 1448, 0, 1, 65535)), head,
                  CHECKSUM_AT[protocol]]
        if rng.random() < 0.15:
            header[rng.randrange(2, 6)] = rng.choice((0, 1, 14, 39, len(packet) & 0xFFFF, 65535))
        if header[3] and len(packet) > PIECES * header[3]:	# more than the queue of a device takes
            header[3] = -(-len(packet) // PIECES)
        if header[1] & 0x7F == 3:	# fragments: of another size the kernel cuts them, too, but nobody could join them
            header[3] &= ~7
        if rng.random() < 0.2:
            packet = self.mutate(packet[:200]) + packet[200:]
        return struct.pack("=BBHHHH", *header), packet[:65535]


class Wire:
    """The devices and raw sockets that packets go in and come out by."""

    TUNSETIFF, SIOCETHTOOL = 0x400454CA, 0x8946
    IFF_TUN, IFF_TAP, IFF_NAPI, IFF_NAPI_FRAGS, IFF_NO_PI, IFF_VNET_HDR = 1, 2, 0x10, 0x20, 0x1000, 0x4000
    NO_OFFLOAD = b"\0" * 10
    ETHTOOL_SGRO = 0x2C

    def __init__(self, rng):
        self.rng = rng
        if not os.path.exists("/dev/net/tun"):
            subprocess.run(["modprobe", "tun"], check=True)
        whole, pieces = self.IFF_TUN | self.IFF_VNET_HDR, self.IFF_TAP | self.IFF_NAPI | self.IFF_NAPI_FRAGS
        self.whole = {name: self.device(name, whole) for name in ("ext0", "int0")}
        self.pieces = {name: self.device(name, pieces) for name in ("ext1", "int1")}
        self.configure()
        self.ethernet = {name: self.mac(name) + b"\2\0\0\0\0\1" for name in self.pieces}
        self.out4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)
        self.out6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 255)
        self.listeners = [self.listener(family, protocol) for family, protocol in (
            (socket.AF_INET, TCP), (socket.AF_INET, UDP), (socket.AF_INET, ICMP),
            (socket.AF_INET6, TCP), (socket.AF_INET6, UDP), (socket.AF_INET6, ICMP6))]

    def device(self, name, flags):
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, self.TUNSETIFF, struct.pack("16sH22x", name.encode(), flags | self.IFF_NO_PI))
        return device

    @staticmethod
    def mac(name):
        with open(f"/sys/class/net/{name}/address", encoding="ascii") as file:
            return bytes.fromhex(file.read().strip().replace(":", ""))

    def configure(self):
        for key, value in {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1, "ipv4/conf/all/accept_source_route": 1,
                           "ipv4/conf/all/rp_filter": 0, "ipv4/conf/default/rp_filter": 0,
                           "ipv4/conf/all/accept_redirects": 0, "ipv4/conf/all/send_redirects": 0,
                           "ipv4/icmp_ratelimit": 0, "ipv4/conf/all/log_martians": 0, "ipv6/conf/all/accept_ra": 0,
                           "ipv6/conf/all/accept_redirects": 0, "ipv6/conf/all/accept_dad": 0}.items():
            with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as file:
                file.write(str(value))
        lines = []
        for name in list(self.whole) + list(self.pieces):
            with open(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "w", encoding="ascii") as file:
                file.write("0")
            lines.append(f"link set {name} arp off txqueuelen 20000 {'mtu 65000' if name in self.whole else ''} up")
        lines += ["route add default dev ext0", "route add ::/0 dev ext0",
                  "route add 203.0.113.0/24 dev int0", "route add 2001:db8:113::/48 dev int0",
                  f"addr add {GATEWAY}/32 dev ext0", f"addr add {LOCAL}/32 dev ext0",
                  f"addr add {GATEWAY6}/128 dev ext0 nodad", f"addr add {LOCAL6}/128 dev ext0 nodad"]
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for name in self.pieces:	# GRO would put the pieces' headers into one line
                command = bytearray(struct.pack("=II", self.ETHTOOL_SGRO, 0))
                buffer = (ctypes.c_char * len(command)).from_buffer(command)
                fcntl.ioctl(sock, self.SIOCETHTOOL, struct.pack("16sQ16x", name.encode(), ctypes.addressof(buffer)))

    @staticmethod
    def listener(family, protocol):
        sock = socket.socket(family, socket.SOCK_RAW, protocol)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                        struct.pack("=HxxxxxxQ", len(NOT_LOOPBACK) // 8, ctypes.addressof(NOT_LOOPBACK)))
        return sock

    def put(self, packet, where, offload=NO_OFFLOAD):
        """In by a device, whole or in pieces; or from a local sender."""
        try:
            if where in self.whole:
                os.write(self.whole[where], offload + packet)
            elif where in self.pieces:
                os.writev(self.pieces[where], self.cut(self.ethernet[where], packet))
            elif packet[0] >> 4 == 4:
                self.out4.sendto(packet, (socket.inet_ntoa(packet[16:20].ljust(4, b"\0")), 0))
            else:
                self.out6.sendto(packet, (socket.inet_ntop(socket.AF_INET6, packet[24:40].ljust(16, b"\0")), 0))
        except OSError:	# not even a packet, or dropped in its sender's face
            pass

    def cut(self, ethernet, packet):
        """An Ethernet header, part of the network header, and the rest in bits of some bytes."""
        first = self.rng.choice((0, 0, 1, 20, 40))
        parts = [ethernet + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0") + packet[:first]]
        step = self.rng.choice((1, 3, 7, 16, 33, 200))
        at = first
        while at < len(packet):
            if len(parts) == 16:
                parts.append(packet[at:at + 4096])
                break
            parts.append(packet[at:at + step])
            at += step
        return parts

    def came_out(self):
        """Every packet that left by a device."""
        for device in self.whole.values():
            try:
                while True:
                    yield os.read(device, 70000)[10:]
            except BlockingIOError:
                pass

    def received(self):
        """Every packet that a local receiver got from afar, with a network header of ours where the kernel gives none."""
        for sock in self.listeners:
            try:
                while True:
                    data, extra, _, source = sock.recvmsg(70000, 256)
                    extra = {kind: value for _, kind, value in extra}
                    if sock.family == socket.AF_INET:
                        yield data
                        continue
                    source = raw(source[0].split("%")[0])
                    if source[:2] != b"\xfe\x80":	# nobody judges that
                        yield ipv6(source, extra[socket.IPV6_PKTINFO][:16], sock.proto, data,
                                   int.from_bytes(extra[socket.IPV6_HOPLIMIT], "little"))
            except BlockingIOError:
                pass


NFT = """
table inet audit {
    set edge4 { type ipv4_addr; elements = { EDGE4 }; }
    set edge6 { type ipv6_addr; elements = { EDGE6 }; }
    COUNTERS
    chain never_here { NEVER_255 }
    chain never_forwarded { NEVER_254-255 }
    chain before_related { RELATED_before }
    chain after_related { RELATED_after }
    CHAINS
}
"""
PACKET = ("ip saddr @edge4", "ip daddr @edge4", "ip6 saddr @edge6", "ip6 daddr @edge6")
# An ICMP error belongs to the flow that it is about; redirects and the like do not.
FLOW = ("ct original ip saddr @edge4", "ct original ip daddr @edge4",
        "ct original ip6 saddr @edge6", "ct original ip6 daddr @edge6")
ERRORS = ("icmp type { 3, 11, 12 }", "icmpv6 type 1-4")
NEVER = ("icmpv6 type 133-136 ip6 hoplimit {hops}", "icmpv6 type {{ 130, 131, 132, 143 }} ip6 hoplimit 1")
HIDDEN = "meta l4proto ah ip6 hoplimit {{ 1, {hops} }}"	# nftables does not look behind that


class Audit(Netlink):
    """What nftables counts of the Edge's packets before and after each gate."""

    HOOKS = (("first", "prerouting", -399, -398), ("first", "output", -399, -398),
             ("second", "input", -1, 1), ("second", "forward", -1, 1), ("second", "output", -1, 1))
    # "other": what has no Edge address in its header. A gate drops it if its route names one.
    NAMES = ("before_first", "after_first", "before_second", "after_second", "before_other", "after_other", "never", "hidden")

    def __init__(self):
        super().__init__(NETLINK_NETFILTER)
        self.roomy()
        chains = [self.chain(number, when, hook) for number, hook in enumerate(self.HOOKS) for when in ("before", "after")]
        text = NFT.replace("EDGE4", ", ".join(one for one in EDGE if ":" not in one))
        text = text.replace("EDGE6", ", ".join(one for one in EDGE if ":" in one))
        text = text.replace("COUNTERS", "".join(f"counter {name} {{ }}\n" for name in self.NAMES))
        for hops in ("255", "254-255"):	# routing takes one
            rules = [(match, "never") for match in NEVER] + [(HIDDEN, "hidden")]
            text = text.replace(f"NEVER_{hops} ", "".join(f"{match.format(hops=hops)} {address} counter name {name} return;"
                                                          for match, name in rules for address in PACKET[2:]))
        for when in ("before", "after"):
            text = text.replace(f"RELATED_{when}", "".join([f"{match} counter name {when}_second accept;" for match in FLOW] +
                                                           [f"{match} accept;" for match in ERRORS]))
        subprocess.run(["nft", "-f", "-"], input=text.replace("CHAINS", "\n".join(chains)), text=True, check=True)

    @staticmethod
    def chain(number, when, hook):
        gate, where, before, after = hook
        lines = [f"chain {when}{number} {{", f"type filter hook {where} priority {before if when == 'before' else after};",
                 'meta iifname "lo" accept; meta oifname "lo" accept;']
        count = f"counter name {when}_{gate} accept;"
        if gate == "second":
            if when == "after":
                lines.append(f"meta l4proto {{ ah, icmpv6 }} jump never_{'forwarded' if where == 'forward' else 'here'};")
            lines.append(f"ct state related jump {when}_related;")
        lines += [f"{match} {count}" for match in PACKET]
        lines.append(f"counter name {when}_other;")
        return " ".join(lines) + " }"

    def read(self):
        """{name: (packets, bytes)}"""
        found = {}
        for payload in self.request(10 << 8 | 19, struct.pack("=BBH", 1, 0, 0), DUMP):
            counter = dict(attrs(payload[4:]))
            count = dict(attrs(counter[4]))
            found[counter[2].rstrip(b"\0").decode()] = (int.from_bytes(count[2], "big"), int.from_bytes(count[1], "big"))
        return found

    def forget_flows(self):
        """Empties connection tracking's table."""
        self.request(1 << 8 | 2, struct.pack("=BBH", 0, 0, 0))


class Fuzz:
    def __init__(self):
        self.tap = Tap()
        seed = int(os.environ.get("NF_EDGE_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"# NF_EDGE_SEED={seed}", flush=True)
        self.rng = Dice(seed)
        load_module()
        self.client = Socket()
        self.wire, self.maker, self.checker = Wire(self.rng), Maker(self.rng), Checker()
        self.client.run(load(*[interface_add(role, address) for address, roles in EDGE.items() for role in sorted(roles)],
                             partner_add(*[(str(ipaddress.ip_network(one)), groups) for one, groups in LISTED.items()]),
                             block_add(*[(str(ipaddress.ip_network(one)),) for one in BLOCKED])))
        self.audit = Audit()	# now, so that of two at the same place it is ahead of the gate
        self.client.ask("STATS_RESET")
        self.sent = self.passed = self.canaries = self.batches = 0
        self.since = []		# what was sent since the counters were last right
        self.wrong = {}

    def complain(self, what, *text):
        self.wrong.setdefault(what, "\n".join(text))

    # One batch

    def batch(self, packets):
        """packets: (bytes, where[, offload])"""
        for packet in packets:
            self.wire.put(*packet)
        self.sent += len(packets)
        self.batches += 1
        self.since.append(packets)
        canary, end = self.canary(), time.monotonic() + PATIENCE
        seen = self.look_at_all(canary, packets)
        while not (seen and not self.alone(packets)) and time.monotonic() < end:	# a busy kernel has ksoftirqd
            time.sleep(0.01)
            seen |= self.look_at_all(canary, packets)
        for packet in self.wire.received():
            self.look(packet, "was received", packets)
        if not seen:
            self.complain("canary", f"after {self.sent} packets a well-formed one did not come out: {self.canaries}",
                          str(self.client.counters()))
        for key, pieces in self.alone(packets):
            header = next(iter(pieces.values()))[0]
            self.complain("let through", f"a fragment without the others: {key.hex()}",
                          *[f"at {at}, {len(data)} bytes, {'more' if more else 'the last'}: {(header + data).hex()[:200]}"
                            for at, (_, data, more) in pieces.items()],
                          "of what was sent last:", *self.like(header, packets))
        self.checker.fragments.clear()

    def alone(self, packets):
        """Fragments of ours that came out, and the others have not."""
        return [(key, pieces) for key, pieces in self.checker.fragments.items()
                if self.checker.ours(*ends(next(iter(pieces.values()))[0])) and not self.is_short_end(pieces, packets)]

    @staticmethod
    def is_short_end(pieces, packets):
        """Whether it is the end alone of an IPv6 packet that the device's user had the kernel cut (UFO). Where the path's
        MTU is smaller than the full pieces, the kernel drops them one by one, behind the gates, and sends the end
        (ip6_finish_output_gso_slowpath_drop()). An ICMP error may tell of such an MTU, and anybody may send one."""
        header, data, more = next(iter(pieces.values()))
        return header[0] >> 4 == 6 and len(pieces) == 1 and not more and any(
            ends(one[0]) == ends(header) and len(data) < struct.unpack_from("=BBHH", one[2])[3]
            for one in packets if len(one) > 2)

    def look_at_all(self, canary, packets):
        """Looks at what came out; whether the canary was among it."""
        seen = False
        for packet in self.wire.came_out():
            whole = self.checker.whole(packet) if len(packet) >= 20 else None
            if whole is None:
                continue
            seen |= canary in whole
            self.passed += 1
            self.look(whole, "came out", packets)
        return seen

    def look(self, packet, how, packets):
        complaint = self.checker.complaint(packet)
        if complaint:
            self.complain("let through", f"{complaint}: {how}", packet.hex(), "of what was sent last:",
                          *self.like(packet, packets))

    @staticmethod
    def like(packet, packets):
        """The packets that this may have been, or be about: of the same ends."""
        at, size = (12, 8) if packet[0] >> 4 == 4 else (8, 32)
        ends = {packet[at:at + size], packet[at + size // 2:at + size] + packet[at:at + size // 2]}
        for inner in (28, 48):
            ends.add(packet[inner + at:inner + at + size])
        return [f"by {one[1]} {' '.join(part.hex() for part in one[2:])} {one[0][:2000].hex()}" for one in packets
                if one[0][at:at + size] in ends][:40]

    def canary(self):
        """One that must come out, and strangers' that must not; the text of the first."""
        self.canaries += 1
        text = b"canary %08d" % self.canaries
        if self.canaries & 1:
            source, target = raw(CANARY), raw("203.0.113.11")
        else:
            source, target = raw(CANARY6), raw("2001:db8:113::11")
        self.wire.put(network(source, target, UDP, udp(source, target, 999, 3478, text)), "ext0")
        self.wire.put(network(source, target, UDP, udp(source, target, 999, 3479, b"stranger")), "ext0")
        self.since.append([])
        return text

    # The counters

    def account(self, patient=True):
        """A complaint that stays, or None: an error about fragments that never became a packet may be under way."""
        end = time.monotonic() + (PATIENCE if patient else 2)
        complaint = self.compare()
        while complaint and time.monotonic() < end:
            time.sleep(0.05)
            complaint = self.compare()
        return complaint

    def compare(self):
        """A complaint, or None: what the module counted against what nftables saw."""
        seen, counted = self.audit.read(), self.client.counters()
        for unit, name in enumerate(("packets", "bytes")):
            gone = sum(seen[f"before_{gate}"][unit] - seen[f"after_{gate}"][unit] for gate in ("first", "second", "other"))
            left = seen["after_second"][unit] - seen["never"][unit]
            reasons = sum(counted[one][unit] for one in REASONS)
            rows = sum(counted[one][unit] for one in ROWS)
            if gone != reasons or not 0 <= left - rows <= seen["hidden"][unit]:
                return f"{name}: {gone} dropped, the reasons say {reasons}; {left} accepted, the rows say {rows}\n{seen}\n{counted}"
        return None

    def check(self):
        if "counters" in self.wrong:
            return
        self.totals = self.audit.read(), self.client.counters()
        complaint = self.account()
        if complaint:
            self.complain("counters", complaint, *self.hunt())
        self.since = []

    def hunt(self):
        """The packet of the last ones, sent again one by one, that the counters go wrong with."""
        packets = [packet for batch in self.since for packet in batch]
        self.start_over()
        for packet in packets:
            self.wire.put(*packet)
            complaint = self.account(patient=False)	# many of them
            if complaint:
                return f"by {packet[1]} {' '.join(part.hex() for part in packet[2:])}", packet[0].hex(), complaint
        return ("none of the last packets does it alone",)

    def start_over(self):
        self.client.ask("STATS_RESET")
        subprocess.run(["nft", "reset", "counters"], stdout=subprocess.DEVNULL, check=True)

    # All of it

    def where(self, packet):
        """From the side that the source is on, mostly; a local address sends from here."""
        rng = self.rng
        roll = rng.random()
        source, target = ends(packet)
        if source in OWN and target not in OWN:	# else it would be over the loopback device
            return "local"
        if roll < 0.05:	# wherever
            return rng.choice(("ext0", "int0", "ext1", "int1") if target in OWN else ("ext0", "int0", "ext1", "int1", "local"))
        side = "int" if source in ROLES_OF else "ext"
        return side + ("1" if roll < 0.35 else "0")

    def packets(self):
        turns = list(self.maker.in_turn())
        if len(turns) > PACKETS // 2:
            turns = self.rng.sample(turns, PACKETS // 2)
        for packet in turns:
            if packet:
                yield packet, self.where(packet)
        made = len(turns)
        while True:
            roll = self.rng.random()
            if roll < 0.002:
                offload, packet = self.maker.large()
                yield packet, "int0" if self.rng.random() < 0.5 else "ext0", offload
            elif roll < 0.02:
                for packet in self.maker.fragments():
                    yield packet, self.where(packet)
            elif roll < 0.1:
                packet = self.maker.one()
                yield packet, self.where(packet)
            else:
                packet = self.maker.mutate(self.rng.choice(self.maker.base))
                if packet:
                    yield packet, self.where(packet)
            made += 1

    @staticmethod
    def stale_pointers(probability):
        """From here on, whoever pulls a packet's bytes together finds them elsewhere. Whether this kernel can."""
        path = "/sys/kernel/debug/fail_skb_realloc"
        if not os.path.isdir(path):
            subprocess.run(["mount", "-t", "debugfs", "debugfs", "/sys/kernel/debug"], check=False,
                           stderr=subprocess.DEVNULL)
        if not os.path.isdir(path):
            return False
        for name, value in (("verbose", 0), ("times", -1), ("interval", 1), ("probability", probability)):
            with open(f"{path}/{name}", "w", encoding="ascii") as file:
                file.write(str(value))
        return True

    @staticmethod
    def memory():
        with open("/proc/meminfo", encoding="ascii") as file:
            return int(dict(line.split(":") for line in file)["MemAvailable"].split()[0])

    def run(self):
        stream = self.packets()
        memory = moved = None
        while self.sent < PACKETS and len(self.wrong) < 3:
            self.batch([next(stream) for _ in range(min(BATCH, PACKETS - self.sent))])
            if self.batches % CHECK_EVERY == 0:
                self.check()
            if self.batches % FORGET_EVERY == 0:
                self.audit.forget_flows()
            if memory is None and self.sent > PACKETS // 10:
                self.audit.forget_flows()
                memory = self.memory()
            if moved is None and self.sent > PACKETS * 3 // 4:
                moved = self.stale_pointers(50)
                print(f"# packets that move when they are pulled: {'yes' if moved else 'this kernel cannot'}")
        if moved:
            self.stale_pointers(0)
        self.check()
        self.audit.forget_flows()
        seen, counted = self.totals
        print(f"# {self.sent} packets, {seen['before_first'][0]} at the first gate, {seen['before_second'][0]} at the second, "
              f"{seen['after_second'][0]} accepted, {self.passed} came out")
        print("# " + ", ".join(f"{name} {value[0]}" for name, value in counted.items() if value[0]))
        check = self.tap.check
        check("what comes out may come out", "let through" not in self.wrong, self.wrong.get("let through"))
        check("the counters account for every packet and byte that reached a gate", "counters" not in self.wrong,
              self.wrong.get("counters"))
        check("well-formed packets keep going through", "canary" not in self.wrong, self.wrong.get("canary"))
        check("many packets reach the gates", seen["before_first"][0] > self.sent * 0.6 and
              seen["before_second"][0] > self.sent * 0.2, seen)
        check("every reason but the device is met", all(counted[one][0] for one in REASONS
                                                        if one not in ("wrong-device", "disabled")), counted)
        check("memory is bounded", memory is None or memory - self.memory() < MEMORY_MAX, memory, self.memory())
        self.tap.done()


if __name__ == "__main__":
    Fuzz().run()
