# SPDX-License-Identifier: GPL-2.0-only
"""Netlink: attributes and messages to bytes and back, and sockets that read an answer to its end."""

import errno
import os
import socket
import struct

NETLINK_ROUTE, NETLINK_NETFILTER, NETLINK_GENERIC, SOL_NETLINK = 0, 12, 16, 270
ADD_MEMBERSHIP, CAP_ACK, EXT_ACK = 1, 10, 11	# NETLINK_*
SO_SNDBUFFORCE, SO_RCVBUFFORCE, ROOM = 32, 33, 16 << 20
REQUEST, ACK, DUMP, DUMP_INTR, ACK_TLVS = 1, 4, 0x300, 0x10, 0x200	# NLM_F_*
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLMSGERR_ATTR_MSG, NLMSGERR_ATTR_OFFS = 1, 2
NESTED, TYPE_MASK = 0x8000, 0x3FFF	# NLA_*
CONTROLLER, CTRL_GETFAMILY, CTRL_FAMILY_ID, CTRL_FAMILY_NAME, CTRL_MCAST_GROUPS = 16, 3, 1, 2, 7
PATIENCE = 60	# seconds without an answer


def attr(kind, payload):
    return struct.pack("=HH", len(payload) + 4, kind) + payload + b"\0" * (-len(payload) % 4)


def attrs(data):
    """(type, payload) of each attribute."""
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            raise ValueError("an attribute shorter than its header")
        yield kind & TYPE_MASK, data[at + 4:at + length]
        at += length + 3 & ~3


def message(kind, flags, sequence, payload):
    return struct.pack("=IHHII", len(payload) + 16, kind, flags, sequence, 0) + payload


def generic(command, payload=b""):
    """What a message to a generic netlink family carries."""
    return struct.pack("=BBH", command, 1, 0) + payload


def messages(data):
    """(type, flags, sequence, payload) of each message in what was received."""
    at = 0
    while at + 16 <= len(data):
        length, kind, flags, sequence = struct.unpack_from("=IHHI", data, at)
        yield kind, flags, sequence, data[at + 16:at + length]
        at += length + 3 & ~3


class Refused(Exception):
    """The kernel's no: errno and its name, and, where there are any, its sentence and at which
    offset of the request the attribute begins that is to blame."""

    def __init__(self, code, sentence, offset):
        super().__init__(code, sentence, offset)
        self.errno, self.name = code, errno.errorcode.get(code, code)
        self.sentence, self.offset = sentence, offset

    def __str__(self):
        return f"{self.name}: {self.sentence or os.strerror(self.errno)}"


def refusal(kind, flags, payload):
    """What NLMSG_ERROR or NLMSG_DONE say, or None: all is well."""
    code = -struct.unpack_from("=i", payload)[0]
    if not code:
        return None
    told = dict(attrs(payload[20 if kind == NLMSG_ERROR else 4:])) if flags & ACK_TLVS else {}
    offset = told.get(NLMSGERR_ATTR_OFFS)
    return Refused(code, told.get(NLMSGERR_ATTR_MSG, b"").rstrip(b"\0").decode(),
                   offset and int.from_bytes(offset, "little"))


class Netlink:
    """A socket; it belongs to the network name space of the thread that opens it.

    interrupted: whether what was listed last moved meanwhile
    """

    def __init__(self, protocol):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.socket.setsockopt(SOL_NETLINK, CAP_ACK, 1)
        self.socket.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", PATIENCE, 0))
        self.socket.bind((0, 0))
        self.sequence, self.interrupted = 0, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def roomy(self):
        """For many requests at once and their answers; CAP_NET_ADMIN."""
        for option in (SO_RCVBUFFORCE, SO_SNDBUFFORCE):
            self.socket.setsockopt(socket.SOL_SOCKET, option, ROOM)
        return self

    def encode(self, kind, payload, flags=ACK):
        """The next request's bytes."""
        self.sequence += 1
        return message(kind, REQUEST | flags, self.sequence, payload)

    def answer(self):
        """The payloads of the answer to the last request, up to its end, or Refused."""
        found, self.interrupted = [], False
        while True:
            for kind, flags, sequence, payload in messages(self.socket.recv(1 << 17)):
                if sequence != self.sequence:
                    continue
                self.interrupted |= bool(flags & DUMP_INTR)
                if kind not in (NLMSG_ERROR, NLMSG_DONE):
                    found.append(payload)
                    continue
                refused = refusal(kind, flags, payload)
                if refused:
                    raise refused
                return found

    def request(self, kind, payload, flags=ACK):
        """Sends; as answer()."""
        self.socket.send(self.encode(kind, payload, flags))
        return self.answer()


class Family(Netlink):
    """A socket of a generic netlink family.

    family: its number, new with every load of the module; groups: {name: number}
    """

    def __init__(self, name, family=None):
        super().__init__(NETLINK_GENERIC)
        self.family, self.groups = family, {}
        if not family:
            self.resolve(name)

    def resolve(self, name):
        answer = self.request(CONTROLLER, generic(CTRL_GETFAMILY, attr(CTRL_FAMILY_NAME, name.encode() + b"\0")))
        told = dict(attrs(answer[0][4:]))
        self.family = int.from_bytes(told[CTRL_FAMILY_ID], "little")
        for _, group in attrs(told.get(CTRL_MCAST_GROUPS, b"")):
            group = dict(attrs(group))
            self.groups[group[1].rstrip(b"\0").decode()] = int.from_bytes(group[2], "little")

    def subscribe(self, group):
        self.socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, self.groups[group])

    def command(self, number, payload=b"", flags=ACK):
        """The attributes of each message of the answer."""
        return [answer[4:] for answer in self.request(self.family, generic(number, payload), flags)]
