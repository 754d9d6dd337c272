#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Mutated netlink messages, made from the specification, to the module.

Two workers send them, each to a name space of its own, where it knows what is in force, and now
and then both to a third one, the arena. Some messages are spoiled so that they must be refused;
the others (wild) may be. After a batch that was refused whole, a listing of the policy says what
it said before, byte for byte; what was refused among wild ones is sent again until it makes such
a batch.

  NF_EDGE_FUZZ_MESSAGES   messages (1,000,000)
  NF_EDGE_SEED            as printed
"""

import ctypes
import errno
import json
import os
import random
import socket
import struct
import sys
import traceback
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import lab  # noqa: E402
from genl import (ACK, DUMP, DUMP_INTR, NESTED, NLMSG_DONE, NLMSG_ERROR, REQUEST, Genl,  # noqa: E402
                  Spec, attr, attrs, messages)
from tap import Tap  # noqa: E402

MESSAGES = int(os.environ.get("NF_EDGE_FUZZ_MESSAGES", 1000000))
SEED = int(os.environ.get("NF_EDGE_SEED") or random.SystemRandom().randrange(1 << 32))
WORKERS = 2
BATCH = 128			# of spoiled messages; of wild ones a quarter
MEMORY_MAX = 64 << 10		# KiB that may be gone in the end
KEEP = 3			# failures of a kind that are told in full

HEADER = struct.Struct("=IHHIIBBH")
U32 = struct.Struct("=I")
SO_RCVBUFFORCE, SO_SNDBUFFORCE, ENOUGH = 33, 32, 16 << 20

# Without these a request is refused; of a nest, its entries' too.
NEEDED = {
    "interface-add": ["role", "address"], "interface-del": ["role", "address"],
    "partner-add": ["entry"], "partner-del": ["entry"], "rule-set": ["entry"],
    "explain": ["source", "destination", "protocol", "dport"],
}
NEEDED_INSIDE = {"partner-entry": ["address", "prefix-len", "groups"],
                 "nameless-entry": ["address", "prefix-len"], "rule-entry": ["row"]}
# How often among the wild; those that wait for a grace period are rare.
WEIGHTS = {"partner-add": 30, "partner-del": 16, "interface-add": 10, "interface-del": 8,
           "rule-set": 10, "status-set": 10, "explain": 6, "status-get": 1, "stats-reset": 2,
           "begin": 2, "abort": 2, "commit": .5, "partner-flush": 1, "interface-flush": .5,
           "partner-get": 1, "interface-get": 1, "rule-get": .5, "drop-get": .5}
ADDRESSES = [f"203.0.113.{n}" for n in range(1, 25)] + [f"2001:db8::{n:x}" for n in range(1, 25)]
PREFIXES = [("198.51.100.0", 24), ("198.51.96.0", 20), ("0.0.0.0", 0), ("128.0.0.0", 1), ("::", 0),
            ("2001:db8:1::", 48), ("2001:db8::", 32), ("8000::", 1), ("224.0.0.0", 3)]
PREFIXES += [(f"198.51.100.{n}", 32) for n in range(40)] + [(f"10.{n}.0.0", 16) for n in range(20)]
PREFIXES += [(f"2001:db8:1::{n:x}", 128) for n in range(40)]
NOT_MEANT = ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1",
             "::ffff:198.51.100.1"]
NAMES = ["skype", "a b", "b\u00fcro", "x" * 63]
DEVICES = ["ext0", "int0", "d" * 15]


class Message:
    """A request in the making; blobs are its attributes, encoded."""

    __slots__ = ("op", "command", "flags", "version", "reserved", "blobs", "known", "cut")

    def __init__(self, op, blobs, known):
        self.op, self.command, self.blobs, self.known = op, op.value, blobs, known
        self.flags = REQUEST | ACK | (DUMP if op.kind == "dump" else 0)
        self.version, self.reserved, self.cut = 1, 0, 0

    def encode(self, family, sequence):
        """The bytes, padded for the next message; a cut shortens what the header tells."""
        payload = b"".join(self.blobs)
        length = 20 + len(payload) - self.cut
        whole = HEADER.pack(length, family, self.flags, sequence, 0, self.command, self.version,
                            self.reserved) + payload
        return whole[:length] + b"\0" * (-length % 4)


class Maker:
    """Valid messages, and spoiled ones."""

    def __init__(self, spec, rng):
        self.spec, self.rng = spec, rng
        self.ops = {op.name: op for op in spec.ops.values() if op.kind != "event"}
        self.names, self.weights = list(WEIGHTS), list(WEIGHTS.values())
        assert set(self.names) == set(self.ops)
        self.edge = spec.sets["edge"]
        self.last = max(attribute.value for attribute in self.edge.values())
        self.unused = [n for n in (0, *range(self.last // 2, 256))
                       if n not in (op.value for op in self.ops.values())]
        self.pools, self.bad_entries = {}, {}
        for op in self.ops.values():
            for name in op.request:
                self.pools[op.set, name] = self.pool(spec.sets[op.set][name])
        self.spoilers = [self.unknown_attribute, self.foreign_attribute, self.wrong_length,
                         self.out_of_range, self.lying_length, self.missing, self.unknown_command,
                         self.wrong_kind, self.truncated, self.wrong_nesting, self.bad_entry,
                         self.bad_entry, self.not_meant, self.bad_text]
        self.wilders = [self.as_it_is] * 6 + [
            self.flip_bits, self.any_type, self.any_header, self.shuffle, self.repeat, self.crowd,
            self.edge_values, self.any_length, self.drop, self.mix, self.garbage_nest]

    # ---- valid ----

    def pool(self, attribute):
        """Valid encodings of an attribute."""
        rng, checks = self.rng, attribute.checks
        if attribute.nest:
            self.bad_entries[attribute.nest] = [self.encode(attribute, inner) for inner in
                                                self.bad_inner(attribute.nest)]
            return [self.encode(attribute, self.inner(attribute.nest)) for _ in range(400)]
        if attribute.type == "flag":
            values = [b""]
        elif attribute.type == "string":
            values = [name.encode() + b"\0" for name in
                      DEVICES + (NAMES if checks["max-len"] > 15 else [])]
        elif "exact-len" in checks:
            values = [bytes(checks["exact-len"]), b"\xfe" + b"\xff" * (checks["exact-len"] - 1)]
            values += [bytes([0]) + rng.randbytes(checks["exact-len"] - 1) for _ in range(4)]
        elif attribute.type == "binary":
            values = [self.address(address) for address in ADDRESSES]
        elif attribute.mask:
            values = [U32.pack(n) for n in range(1, 1 << len(attribute.words))]
        elif attribute.words:
            values = [U32.pack(n) for n in attribute.words.values()]
        else:
            low, high = checks.get("min", 0), checks.get("max", (1 << 32) - 1)
            values = [U32.pack(n) for n in {low, high, *(rng.randint(low, high) for _ in range(8)),
                                            *(n for n in (6, 17, 443, 3478, 5061) if n <= high)}]
        return [self.encode(attribute, value) for value in values]

    @staticmethod
    def address(text):
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)

    @staticmethod
    def encode(attribute, payload):
        return attr(attribute.value | (NESTED if attribute.nest else 0), payload)

    def inner(self, set_, **instead):
        """The attributes of an entry; instead: bytes, or None to leave it out."""
        spec, rng, blobs = self.spec.sets[set_], self.rng, []
        text, bits = rng.choice(PREFIXES)
        for name, attribute in spec.items():
            if name in instead:
                payload = instead[name]
            elif name not in NEEDED_INSIDE[set_] and rng.random() < .5:
                continue
            elif name == "address":
                payload = self.address(text)
            elif name == "prefix-len":
                payload = U32.pack(bits)
            elif name == "name":
                payload = rng.choice(NAMES).encode() + b"\0"
            elif attribute.mask:
                payload = U32.pack(rng.randrange(1, 1 << len(attribute.words)))
            else:
                payload = U32.pack(rng.randrange(len(attribute.words) or 2))
            if payload is not None:
                blobs.append(attr(attribute.value, payload))
        if "row" in spec and not instead and len(blobs) < 2:
            blobs.append(attr(spec["enabled"].value, U32.pack(rng.randrange(2))))
        return b"".join(blobs)

    def bad_inner(self, set_):
        """Entries that must be refused, each for one reason."""
        u32 = U32.pack
        if set_ == "rule-entry":
            spoiled = [{"row": None}, {"enabled": u32(2)}, {"peers": u32(2)}, {"row": u32(11)},
                       {"enabled": None, "peers": None}]
        else:
            spoiled = [{name: None} for name in NEEDED_INSIDE[set_]]
            spoiled += [{"groups": u32(0)}, {"groups": u32(64)}, {"prefix-len": u32(129)}]
            spoiled += [{"address": self.address("198.51.100.1"), "prefix-len": u32(24)},
                        {"address": self.address("198.51.100.0"), "prefix-len": u32(33)},
                        {"address": self.address("2001:db8::1"), "prefix-len": u32(127)},
                        {"address": bytes(5), "prefix-len": u32(0)},
                        {"address": b"", "prefix-len": u32(0)}]
            spoiled += [{"address": self.address(text), "prefix-len": u32(128 if ":" in text else 32)}
                        for text in NOT_MEANT]
            if "name" in self.spec.sets[set_]:
                spoiled += [{"name": payload} for payload in
                            (b"\0", b"a\nb\0", b"\x7f\0", b"x", b"x" * 64 + b"\0")]
            yield self.inner(set_) + attr(self.last + 1, b"")
            yield self.inner(set_) + b"\x03\0\0\0"
        for instead in spoiled:
            yield self.inner(set_, **instead)

    def valid(self, name=None):
        rng = self.rng
        op = self.ops[name or rng.choices(self.names, self.weights)[0]]
        needed, blobs, known = NEEDED.get(op.name, []), [], []
        for each in op.request:
            if each not in needed and rng.random() < .5:
                continue
            attribute = self.spec.sets[op.set][each]
            count = rng.choice((1, 1, 2, 5, 20)) if attribute.many else 1
            for _ in range(count):
                blobs.append(rng.choice(self.pools[op.set, each]))
                known.append(attribute)
        return Message(op, blobs, known)

    # ---- spoiled: each returns whether it could; such a message must be refused ----

    def spoiled(self, name=None):
        while True:
            message = self.valid(name)
            if self.rng.choice(self.spoilers)(message):
                return message

    def at(self, message, *types):
        """The place of an attribute that the message has, of one of these types."""
        places = [place for place, attribute in enumerate(message.known)
                  if not types or attribute.type in types]
        return self.rng.choice(places) if places else None

    def unknown_attribute(self, message):
        type_ = self.rng.choice((self.last + 1, self.last + 7, 0x3fff))
        message.blobs.insert(self.rng.randint(0, len(message.blobs)),
                             attr(type_, bytes(self.rng.randrange(9))))
        return message.op.request

    def foreign_attribute(self, message):
        name = self.rng.choice(list(self.edge))
        message.blobs.append(attr(self.edge[name].value, bytes(4)))
        return message.op.request and name not in message.op.request

    def wrong_length(self, message):
        place, rng = self.at(message), self.rng
        if place is None:
            return False
        attribute, checks = message.known[place], message.known[place].checks
        if attribute.type == "u32":
            payload = bytes(rng.choice((0, 1, 3, 5, 8)))
        elif attribute.type == "flag":
            payload = bytes(rng.randint(1, 4))
        elif attribute.type == "string":
            payload = rng.choice((b"", b"x", b"x" * (checks["max-len"] + 1),
                                  b"x" * (checks["max-len"] + 1) + b"\0"))
        elif "exact-len" in checks:
            payload = bytes(rng.choice((0, 1, checks["exact-len"] - 1, checks["exact-len"] + 1)))
        elif attribute.type == "binary":
            payload = b"\x20" * rng.choice((0, 1, 3, 5, 15, 17, 32))
        else:
            payload = bytes(rng.randint(0, 3))
        message.blobs[place] = self.encode(attribute, payload)
        return True

    def out_of_range(self, message):
        place = self.at(message, "u32")
        if place is None:
            return False
        attribute = message.known[place]
        values = [checks for checks in [
            attribute.checks.get("max", (1 << 32) - 1) + 1, attribute.checks.get("min", 0) - 1,
            (1 << len(attribute.words)) if attribute.mask else len(attribute.words) or -1]
            if 0 < checks < 1 << 32 or checks == 0 and "min" in attribute.checks]
        if not values:
            return False
        message.blobs[place] = attr(attribute.value, U32.pack(self.rng.choice(values)))
        return True

    def lying_length(self, message):
        if not message.blobs or not message.op.request:
            return False
        rng = self.rng
        if rng.random() < .5:
            place, length = rng.randrange(len(message.blobs)), rng.randrange(4)
        else:
            place = len(message.blobs) - 1
            length = len(message.blobs[place]) + rng.choice((1, 2, 4, 100))
        message.blobs[place] = struct.pack("=H", length) + message.blobs[place][2:]
        return True

    def missing(self, message):
        needed = NEEDED.get(message.op.name)
        if not needed:
            return False
        gone = self.rng.choice(needed)
        message.blobs = [blob for blob, attribute in zip(message.blobs, message.known)
                         if attribute.name != gone]
        return True

    def unknown_command(self, message):
        message.command = self.rng.choice(self.unused)
        return True

    def wrong_kind(self, message):
        message.flags ^= DUMP
        return True

    def truncated(self, message):
        if self.rng.random() < .1:
            message.blobs, message.cut = [], self.rng.randint(1, 4)
            return True
        if not message.blobs or not message.op.request:
            return False
        length = struct.unpack_from("=H", message.blobs[-1])[0]
        message.cut = len(message.blobs[-1]) - self.rng.randrange(1, length)
        return True

    def wrong_nesting(self, message):
        place = self.at(message)
        if place is None:
            return False
        length, type_ = struct.unpack_from("=HH", message.blobs[place])
        message.blobs[place] = struct.pack("=HH", length, type_ ^ NESTED) + message.blobs[place][4:]
        return True

    def bad_entry(self, message):
        place = self.at(message, "nest")
        if place is None:
            return False
        bad = self.rng.choice(self.bad_entries[message.known[place].nest])
        message.blobs.insert(self.rng.randint(0, len(message.blobs)), bad)
        return True

    def not_meant(self, message):
        if message.op.name not in ("interface-add", "interface-del"):
            return False
        place = next(n for n, attribute in enumerate(message.known) if attribute.name == "address")
        message.blobs[place] = attr(message.known[place].value,
                                    self.address(self.rng.choice(NOT_MEANT)))
        return True

    def bad_text(self, message):
        """Devices that cannot be, and a map with port 0."""
        for place, attribute in enumerate(message.known):
            if attribute.name in ("dev", "iif", "oif"):
                message.blobs[place] = attr(attribute.value, self.rng.choice(
                    (b"\0", b"a/b\0", b".\0", b"a b\0", b"a:b\0")))
                return True
            if attribute.name == "rtp-ports":
                message.blobs[place] = attr(attribute.value, b"\1" + bytes(8191))
                return True
        return False

    # ---- wild ----

    def wild(self):
        message = self.valid()
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            self.rng.choice(self.wilders)(message)
        return message

    def as_it_is(self, message):
        pass

    def flip_bits(self, message):
        if message.blobs:
            place = self.rng.randrange(len(message.blobs))
            blob = bytearray(message.blobs[place])
            for _ in range(self.rng.choice((1, 1, 2, 8))):
                blob[self.rng.randrange(len(blob))] ^= 1 << self.rng.randrange(8)
            message.blobs[place] = bytes(blob)

    def any_type(self, message):
        if message.blobs:
            place, rng = self.rng.randrange(len(message.blobs)), self.rng
            type_ = rng.choice((rng.randrange(self.last + 3), rng.randrange(1 << 16)))
            message.blobs[place] = message.blobs[place][:2] + struct.pack("=H", type_) + \
                message.blobs[place][4:]

    def any_header(self, message):
        rng = self.rng
        what = rng.randrange(4)
        if what == 0:
            message.flags = REQUEST | rng.randrange(1 << 16)
        elif what == 1:
            message.version = rng.randrange(256)
        elif what == 2:
            message.reserved = rng.randrange(1 << 16)
        else:
            message.command = rng.randrange(256)

    def shuffle(self, message):
        self.rng.shuffle(message.blobs)

    def repeat(self, message):
        if message.blobs:
            message.blobs += [self.rng.choice(message.blobs)] * self.rng.choice((1, 2, 20))

    def crowd(self, message):
        if message.blobs and self.rng.random() < .05:
            message.blobs *= self.rng.choice((10, 100, 500))
            del message.blobs[2000:]

    def edge_values(self, message):
        place = self.at(message, "u32")
        if place is not None and place < len(message.blobs):
            message.blobs[place] = attr(message.known[place].value, U32.pack(self.rng.choice(
                (0, 1, 2, 31, 32, 33, 127, 128, 129, 255, 256, 65535, 65536, 0x7fffffff, 0xffffffff,
                 self.rng.randrange(1 << 32)))))

    def any_length(self, message):
        if message.blobs:
            place, rng = self.rng.randrange(len(message.blobs)), self.rng
            length = rng.choice((rng.randrange(80), len(message.blobs[place]) + rng.randint(-5, 5),
                                 65535))
            message.blobs[place] = struct.pack("=H", max(length, 0)) + message.blobs[place][2:]

    def drop(self, message):
        if message.blobs:
            del message.blobs[self.rng.randrange(len(message.blobs))]

    def mix(self, message):
        message.blobs += self.valid().blobs

    def garbage_nest(self, message):
        type_ = self.edge["entry"].value | NESTED
        payload = self.rng.randbytes(self.rng.randrange(40))
        for _ in range(self.rng.choice((0, 0, 1, 3, 200))):
            payload = attr(type_, payload)
        message.blobs.append(attr(type_, payload))


class MessageHeader(ctypes.Structure):
    """struct mmsghdr"""
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32),
                ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_size_t), ("length", ctypes.c_size_t)]


class Receiver:
    """Takes many datagrams with one system call."""

    COUNT, SIZE = 64, 1 << 16

    def __init__(self):
        self.buffer = bytearray(self.COUNT * self.SIZE)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self.buffer))
        self.vectors = (ctypes.c_size_t * (2 * self.COUNT))()
        self.headers = (MessageHeader * self.COUNT)()
        for n in range(self.COUNT):
            self.vectors[2 * n], self.vectors[2 * n + 1] = base + n * self.SIZE, self.SIZE
            self.headers[n].iov = ctypes.addressof(self.vectors) + 16 * n
            self.headers[n].iovlen = 1
        self.call = ctypes.CDLL(None, use_errno=True).recvmmsg

    def take(self, sock):
        """Every message that is there: (type, flags, sequence, payload)."""
        view = memoryview(self.buffer)
        while True:
            count = self.call(sock.fileno(), self.headers, self.COUNT, socket.MSG_DONTWAIT, None)
            if count < 0:
                if ctypes.get_errno() == errno.EAGAIN:
                    return
                raise OSError(ctypes.get_errno(), "recvmmsg")
            for n in range(count):
                yield from messages(view[n * self.SIZE:n * self.SIZE + self.headers[n].length])


class Failures:
    """What went wrong, by kind."""

    def __init__(self):
        self.found = {}

    def tell(self, kind, text, *requests):
        told = self.found.setdefault(kind, [0, []])
        told[0] += 1
        if len(told[1]) < KEEP:
            told[1].append(text + "".join(f"\n  {request.hex()}" for request in requests))

    def check(self, kind, fine, text, *requests):
        if not fine:
            self.tell(kind, text, *requests)
        return fine


ANSWERS = "the kernel answers every message"
REFUSES = "what must be refused is refused"
KEEPS = "a refusal changes nothing"
SAYS = "a refusal says why"
AGREES = "status, listings and notifications agree"
VANISHES = "an abandoned transaction leaves nothing, and refusals inside one nothing either"
INTERRUPTED = "a listing into which a change falls says so"
KINDS = [ANSWERS, REFUSES, KEEPS, SAYS, AGREES, VANISHES, INTERRUPTED]
SPEECHLESS = (errno.EPERM, errno.EOPNOTSUPP, errno.EBUSY)


class Client(Genl):
    """A socket with room for the answers to a batch."""

    def __init__(self, spec):
        super().__init__(spec)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ENOUGH)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, ENOUGH)


class Front:
    """The sockets of a worker in one name space, and what it knows of the policy there."""

    def __init__(self, worker, namespace):
        lab.enter(namespace)
        self.worker, self.spec = worker, worker.spec
        self.clients = [Client(self.spec) for _ in range(4)]
        os.seteuid(65534)
        self.stranger = Genl(self.spec)
        os.seteuid(0)
        self.stranger.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ENOUGH)
        self.auditor, self.listener = Client(self.spec), Client(self.spec)
        self.listener.subscribe("config")
        self.namespace = namespace
        self.known = self.audit()

    def renew(self, place):
        """Closes a socket as it is, whatever it was in the middle of."""
        self.clients[place].socket.close()
        lab.enter(self.namespace)
        self.clients[place] = Client(self.spec)

    def raw(self, name):
        """The listing as it comes, without heads."""
        op = self.spec.ops[name]
        self.auditor.socket.send(HEADER.pack(20, self.auditor.family, REQUEST | DUMP, 1, 0,
                                             op.value, 1, 0))
        found, interrupted = [], False
        for type_, flags, _, payload in self.worker.receiver.take(self.auditor.socket):
            interrupted |= bool(flags & DUMP_INTR)
            if type_ == self.auditor.family:
                found.append(bytes(payload[4:]))
        return found, interrupted

    def status(self):
        found = self.auditor.do("status-get")
        del found["uptime"]
        return {**found, "rtp-ports": zlib.crc32(found["rtp-ports"])}

    def audit(self):
        """What is in force."""
        return [self.status()] + [self.raw(name)[0] for name in
                                  ("interface-get", "partner-get", "rule-get")]

    def agree(self, tell):
        """Whether the status fits the listings; a policy that moves meanwhile proves nothing."""
        before = self.status()
        (interfaces, one), (partners, two) = self.raw("interface-get"), self.raw("partner-get")
        if one or two or self.status() != before:
            return
        tell(AGREES, (before["interfaces"], before["partners"]) == (len(interfaces), len(partners)),
             f"{before} lists {len(interfaces)} interfaces and {len(partners)} partners")
        keys = []
        for each in partners:
            values = dict(attrs(each))
            address = values[self.spec.sets["edge"]["address"].value]
            bits = U32.unpack(values[self.spec.sets["edge"]["prefix-len"].value])[0]
            groups = U32.unpack(values[self.spec.sets["edge"]["groups"].value])[0]
            keys.append((len(address), address, bits))
            tell(AGREES, bits <= len(address) * 8 and 0 < groups < 64, f"a partner {values}")
        tell(AGREES, keys == sorted(set(keys)), "partners are not in order, or twice there")

    def heard(self):
        """The commands of the changes that were told since."""
        command = self.spec.sets["edge"]["command"].value
        return [U32.unpack(dict(attrs(payload[4:]))[command])[0]
                for _, _, _, payload in self.worker.receiver.take(self.listener.socket)]


def difference(before, after):
    """What is in one audit and not in the other, in words."""
    words = [f"{key} {value} -> {after[0][key]}" for key, value in before[0].items()
             if value != after[0][key]]
    for one, other, sign in ((before, after, "-"), (after, before, "+")):
        words += [sign + each.hex() for have, lack in zip(one[1:], other[1:]) for each in have
                  if each not in lack]
    return ", ".join(words) or "another order"


class Worker:
    """Sends its share."""

    def __init__(self, number, share):
        self.spec, self.share, self.sent = Spec(), share, 0
        self.rng = random.Random(f"{SEED}/{number}")
        self.maker = Maker(self.spec, self.rng)
        self.failures, self.receiver = Failures(), Receiver()
        self.pool, self.sequence = [], 0
        self.home = Front(self, f"home{number}")
        self.arena = Front(self, "arena")

    def transmit(self, client, requests, lie=b""):
        """Sends messages at once; each one's error (0: none, None: no answer)."""
        first, batch = self.sequence + 1, []
        for message in requests:
            self.sequence += 1
            batch.append(message.encode(client.family, self.sequence))
        self.sequence += 1
        self.sent += len(batch)
        client.socket.send(b"".join(batch) + lie)
        client.socket.send(HEADER.pack(20, client.family, REQUEST | ACK, self.sequence, 0,
                                       self.spec.ops["status-get"].value, 1, 0))
        errors = dict.fromkeys(range(first, self.sequence + 1))
        for type_, flags, sequence, payload in self.receiver.take(client.socket):
            if type_ == NLMSG_ERROR:
                errors[sequence] = -struct.unpack_from("=i", payload)[0]
                if errors[sequence] and sequence - first < len(batch):
                    self.reason(errors[sequence], payload[20:], flags, batch[sequence - first])
            elif type_ == NLMSG_DONE:
                errors[sequence] = 0
        self.failures.check(ANSWERS, errors.pop(self.sequence) == 0, "silence after", *batch[-8:])
        return list(errors.values()), batch

    def reason(self, error, tlvs, _flags, request):
        """A refusal has a sentence, and the attribute that it blames is one."""
        if error in SPEECHLESS or len(request) < 20 or struct.unpack_from("=I", request)[0] < 20:
            return
        found = dict(attrs(tlvs))
        self.failures.check(SAYS, len(found.get(1, b"")) > 1, f"{errno.errorcode[error]} only",
                            request)
        if 2 in found:
            offset = U32.unpack(found[2])[0]
            self.failures.check(SAYS, 20 <= offset < len(request), f"blames offset {offset}",
                                request)

    def unchanged(self, kind, what, *requests):
        front = self.home
        now = front.audit()
        if now != front.known:
            self.failures.tell(kind, f"{what}: {difference(front.known, now)}", *requests)
            front.known = now
        told = [command for command in front.heard()
                if command != self.spec.ops["stats-reset"].value]
        self.failures.check(AGREES, not told, f"{what}, but told: {told}", *requests)

    def spoil(self):
        """A batch that must be refused, on any socket."""
        client = self.rng.choice(self.home.clients)
        requests = [self.maker.spoiled() for _ in range(BATCH)]
        errors, batch = self.transmit(client, requests)
        for error, request in zip(errors, batch):
            self.failures.check(REFUSES, error, f"answered {error}", request)
        self.unchanged(KEEPS, "all were refused", *batch)

    def trespass(self):
        """Whatever a stranger asks to change."""
        admin = [name for name, op in self.maker.ops.items() if op.admin]
        requests = [self.maker.valid(self.rng.choice(admin)) for _ in range(BATCH)]
        errors, batch = self.transmit(self.home.stranger, requests)
        for error, request in zip(errors, batch):
            self.failures.check(REFUSES, error == errno.EPERM, f"a stranger was answered {error}",
                                request)
        self.unchanged(KEEPS, "a stranger was refused", *batch)

    def run_wild(self, front):
        client = self.rng.choice(front.clients)
        lie = b""
        if self.rng.random() < .2:	# a message that does not end; the kernel drops it
            lie = HEADER.pack(self.rng.choice((0, 15, 24, 1 << 31)), client.family, REQUEST | ACK, 0,
                              0, self.rng.randrange(20), 1, 0)
        requests = [self.maker.wild() for _ in range(BATCH // 4)]
        errors, _ = self.transmit(client, requests, lie)
        return [message for message, error in zip(requests, errors) if error]

    def roam(self):
        front = self.home
        generation = front.known[0]["generation"]
        self.pool += self.run_wild(front)
        front.known = front.audit()
        told = [command for command in front.heard()
                if command != self.spec.ops["stats-reset"].value]
        moved = front.known[0]["generation"] - generation
        self.failures.check(AGREES, moved == len(told), f"{moved} generations, told: {told}")
        while len(self.pool) >= BATCH:
            self.replay()

    def replay(self):
        """What was refused once, until a whole batch of it is; on a socket without transaction."""
        place = self.rng.randrange(len(self.home.clients))
        self.home.renew(place)
        again, self.pool = self.pool[:BATCH], self.pool[BATCH:]
        while again:
            self.home.known = self.home.audit()
            self.home.heard()
            errors, batch = self.transmit(self.home.clients[place], again)
            left = [message for message, error in zip(again, errors) if error]
            if len(left) == len(again):
                self.unchanged(KEEPS, "all were refused", *batch)
                return
            again = left

    def fight(self):
        """In the arena, where the other worker is, too."""
        self.run_wild(self.arena)
        self.arena.agree(self.failures.check)
        self.arena.heard()
        if self.rng.random() < .1:
            self.arena.renew(self.rng.randrange(len(self.arena.clients)))

    def transact(self):
        """A transaction that is abandoned; and twins, of which one is refused things."""
        front, maker, rng = self.home, self.maker, self.rng
        changes = [maker.valid(rng.choice(("partner-add", "interface-add", "rule-set", "status-set")))
                   for _ in range(20)]
        place = rng.randrange(len(front.clients))
        begin, commit = maker.valid("begin"), maker.valid("commit")
        commit.blobs = []
        self.transmit(front.clients[place], [begin] + changes)
        if rng.random() < .5:
            front.renew(place)
        else:
            self.transmit(front.clients[place], [maker.valid("abort")])
        self.unchanged(VANISHES, "it was abandoned")

        twins = []
        for spoil in (False, True):
            between = [each for change in changes
                       for each in [change] + [maker.spoiled("partner-add") for _ in range(3 * spoil)]]
            self.transmit(front.clients[place], [begin] + between + [commit])
            front.known = front.audit()
            twins.append([{**front.known[0], "generation": 0}] + front.known[1:])
            self.failures.check(AGREES, len(front.heard()) == 1, "a commit was not told once")
        self.failures.check(VANISHES, twins[0] == twins[1], f"twins: {difference(*twins)}")

    def list_long(self):
        """Listings of many partners, into which changes fall, and which nobody reads to the end."""
        front, rng, spec = self.home, self.rng, self.spec
        entries = [{"address": f"10.{n >> 8}.{n & 255}.{rng.randrange(256)}", "prefix-len": 32,
                    "groups": ["pic"], "name": "n" * rng.randrange(1, 60)} for n in range(2000)]
        front.auditor.do("partner-add", {"entry": entries, "tolerant": True})
        front.agree(self.failures.check)
        before = front.status()
        left, read = rng.sample(range(len(front.clients)), 2)
        for place in (left, read):
            sock = front.clients[place].socket
            sock.send(HEADER.pack(20, front.auditor.family, REQUEST | DUMP, 7, 0,
                                  spec.ops["partner-get"].value, 1, 0))
            sock.recv(1 << 17)
        front.renew(left)
        front.auditor.do("partner-del", {"entry": [{name: entries[0][name] for name in
                                                    ("address", "prefix-len")}]})
        rest = list(self.receiver.take(front.clients[read].socket))
        self.failures.check(INTERRUPTED, any(flags & DUMP_INTR for _, flags, _, _ in rest),
                            f"{len(rest)} messages, none with NLM_F_DUMP_INTR")
        self.failures.check(INTERRUPTED, front.status()["generation"] != before["generation"],
                            "the change did not fall")
        front.auditor.do("partner-flush")
        front.known = front.audit()
        front.heard()
        self.sent += 5

    def run(self):
        steps = {self.spoil: 55, self.roam: 70, self.trespass: 4, self.fight: 30, self.transact: 4,
                 self.list_long: .2}
        for step in steps:
            step()
        while self.sent < self.share:
            self.rng.choices(list(steps), steps.values())[0]()
            if self.rng.random() < .02:
                self.home.agree(self.failures.check)
            if self.rng.random() < .05:
                self.home.renew(self.rng.randrange(len(self.home.clients)))
                self.home.known = self.home.audit()
        return {"sent": self.sent, "found": self.failures.found}


def on_child(function, *arguments):
    """A pipe from which a child's answer can be read."""
    ours, theirs = os.pipe()
    if os.fork():
        os.close(theirs)
        return ours
    try:
        answer = function(*arguments)
    except BaseException:  # pylint: disable=broad-except
        answer = {"sent": 0, "found": {ANSWERS: [1, [traceback.format_exc()]]}}
    with os.fdopen(theirs, "w") as pipe:
        json.dump(answer, pipe)
    os._exit(0)


def memory():
    """KiB that are gone."""
    with open("/proc/meminfo", encoding="ascii") as file:
        known = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return known["MemTotal"] - known["MemFree"] - known["Buffers"] - known["Cached"]


def send_all(total, first):
    """Shares the messages out; (sent, failures by kind) of all."""
    pipes = [on_child(lambda n=n: Worker(first + n, total // WORKERS).run()) for n in range(WORKERS)]
    sent, found = 0, {}
    for pipe in pipes:
        with os.fdopen(pipe) as file:
            answer = json.load(file)
        sent += answer["sent"]
        for kind, (count, told) in answer["found"].items():
            whole = found.setdefault(kind, [0, []])
            whole[0] += count
            whole[1] += told
        os.wait()
    return sent, found


def main():
    print(f"# NF_EDGE_SEED={SEED}", flush=True)
    lab.load_module()
    lab.ip([f"netns add {name}" for name in ["arena"] + [f"home{n}" for n in range(2 * WORKERS)]])
    with open("/sys/kernel/rcu_expedited", "w", encoding="ascii") as file:
        file.write("1")
    tap = Tap()
    early, found = send_all(MESSAGES // 10, 0)		# what there is to warm up, is warm
    before = memory()
    sent, more = send_all(MESSAGES - early, WORKERS)
    gone = memory() - before
    for kind in KINDS:
        told = found.get(kind, [0, []]), more.get(kind, [0, []])
        tap.check(kind, not told[0][0] + told[1][0], f"{told[0][0] + told[1][0]} times",
                  *told[0][1], *told[1][1])
    tap.check(f"{MESSAGES} messages were sent", early + sent >= MESSAGES)
    tap.check("memory comes back", gone < MEMORY_MAX, f"{gone} KiB are gone")
    tap.done()


main()
