# SPDX-License-Identifier: GPL-2.0-only
"""Packets as bytes, from the network header on. Addresses are 4 or 16 bytes."""

import struct

ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, NOTHING, DESTINATION = 0, 43, 44, 51, 59, 60
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))


def checksum(data):
    """RFC 1071. Words of 16 bits summed with end-around carry: the remainder by 65,535."""
    return 0xffff - int.from_bytes(data if len(data) % 2 == 0 else data + b"\0", "big") % 0xffff


def sealed(source, target, protocol, segment, at):
    """The segment with its checksum, which goes at an offset and covers both addresses."""
    odd = b"\0" if len(segment) % 2 else b""
    total = int.from_bytes(source + target + segment + odd, "big") + protocol + len(segment)
    return segment[:at] + (0xffff - total % 0xffff).to_bytes(2, "big") + segment[at + 2:]


def ipv4(source, target, protocol, payload, ttl=64, tos=0, ident=0, fragment=0, options=b"", length=None):
    words = 5 + len(options) // 4
    if length is None:
        length = words * 4 + len(payload)
    head = struct.pack("!BBHHHBBH", 0x40 | words, tos, length, ident, fragment, ttl, protocol, 0)
    head += source + target + options
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + payload


def ipv6(source, target, protocol, payload, ttl=64, tos=0, length=None):
    if length is None:
        length = len(payload)
    return struct.pack("!IHBB", 6 << 28 | tos << 20, length, protocol, ttl) + source + target + payload


def ip(source, target, protocol, payload, ttl=64, tos=0):
    return (ipv4 if len(source) == 4 else ipv6)(source, target, protocol, payload, ttl, tos)


def tcp(source, target, sport, dport, flags, seq=0, ack=0, payload=b"", options=b"", words=None):
    if words is None:
        words = 5 + len(options) // 4
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, words << 4, flags, 8192, 0, 0) + options + payload
    return sealed(source, target, TCP, segment, 16)


def udp(source, target, sport, dport, payload=b"", length=None):
    if length is None:
        length = 8 + len(payload)
    segment = struct.pack("!HHHH", sport, dport, length, 0) + payload
    if length != 8 + len(payload):
        return segment  # no checksum can be right; IPv4 lets it be absent
    return sealed(source, target, UDP, segment, 6)


def icmp(source, target, kind, code, rest, payload):
    """An ICMP or ICMPv6 message; rest is the word after the checksum."""
    message = struct.pack("!BBHI", kind, code, 0, rest) + payload
    if len(source) == 4:
        return message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
    return sealed(source, target, ICMP6, message, 2)


def spoilt(segment, at):
    """With a wrong checksum."""
    return segment[:at] + ((int.from_bytes(segment[at:at + 2], "big") ^ 0x5a5a) or 1).to_bytes(2, "big") + segment[at + 2:]


def extension(following, kind, size=8, routing_type=4):
    """An IPv6 extension header of size bytes, followed by another header."""
    if kind == ROUTING:
        return bytes([following, size // 8 - 1, routing_type, 0]) + bytes(size - 4)
    if kind == FRAGMENT:  # an atomic one
        return bytes([following, 0, 0, 0, 0, 0, 0, 7])
    if kind == AUTHENTICATION:
        return bytes([following, size // 4 - 2, 0, 0]) + bytes(size - 4)
    return bytes([following, size // 8 - 1, 1, size - 4]) + bytes(size - 4)  # padded


def extended(kinds, protocol, payload, **fields):
    """(first header, bytes) of a chain of extension headers before a payload."""
    for kind in reversed(kinds):
        payload = extension(protocol, kind, **fields) + payload
        protocol = kind
    return protocol, payload


def pieces4(source, target, protocol, payload, ident, cuts, tos):
    """IPv4 fragments, cut at multiples of eight bytes."""
    ends = cuts[1:] + [len(payload)]
    return [ipv4(source, target, protocol, payload[at:end], tos=tos, ident=ident,
                 fragment=at // 8 | (0x2000 if end < len(payload) else 0)) for at, end in zip(cuts, ends)]


def pieces6(source, target, protocol, payload, ident, cuts, tos):
    ends = cuts[1:] + [len(payload)]
    return [ipv6(source, target, FRAGMENT, struct.pack("!BBHI", protocol, 0, at | (end < len(payload)), ident) +
                 payload[at:end], tos=tos) for at, end in zip(cuts, ends)]
