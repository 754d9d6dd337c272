# SPDX-License-Identifier: GPL-2.0-only
"""Requests as the specification would have them, as it would not, and as chance will have them."""

import socket
import struct

from nl import ACK, DUMP, NESTED, REQUEST, attr

CROWD = 1 << 18			# bytes of a message, at most

HEADER = struct.Struct("=IHHIIBBH")
U32 = struct.Struct("=I")
U64 = struct.Struct("=Q")

# Without these a request is refused; of a nest, its entries' too.
NEEDED = {
    "interface-add": ["role", "address"], "interface-del": ["role", "address"],
    "partner-add": ["entry"], "partner-del": ["entry"], "rule-set": ["entry"],
    "block-add": ["entry"], "block-del": ["entry"],
    "explain": ["source", "destination", "protocol", "dport"],
}
NEEDED_INSIDE = {"partner-entry": ["address", "prefix-len", "groups"],
                 "nameless-entry": ["address", "prefix-len"], "rule-entry": ["row"],
                 "block-entry": ["address", "prefix-len"], "unblock-entry": ["address", "prefix-len"]}
# How often among the wild; those that wait for a grace period are rare.
WEIGHTS = {"partner-add": 30, "partner-del": 16, "interface-add": 10, "interface-del": 8,
           "rule-set": 10, "status-set": 10, "explain": 6, "status-get": 1, "stats-reset": 2,
           "begin": 2, "abort": 2, "commit": .5, "confirm": 1, "revert": .2, "partner-flush": 1, "interface-flush": .5,
           "partner-get": 1, "interface-get": 1, "rule-get": .5, "drop-get": .5,
           "block-add": 8, "block-del": 6, "block-flush": .5, "block-get": 1, "undo": 1}
ADDRESSES = [f"203.0.113.{n}" for n in range(1, 25)] + [f"2001:db8::{n:x}" for n in range(1, 25)]
PREFIXES = [("198.51.100.0", 24), ("198.51.96.0", 20), ("0.0.0.0", 0), ("128.0.0.0", 1), ("::", 0),
            ("2001:db8:1::", 48), ("2001:db8::", 32), ("8000::", 1), ("224.0.0.0", 3)]
PREFIXES += [(f"198.51.100.{n}", 32) for n in range(40)] + [(f"10.{n}.0.0", 16) for n in range(20)]
PREFIXES += [(f"2001:db8:1::{n:x}", 128) for n in range(40)]
NOT_MEANT = ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1",
             "::ffff:198.51.100.1"]
DOMAINS = ["a.example", "b.example", "host:sip.a.example", "x" * 63 + ".example"]
NAMES = ["skype", "a b", "b\u00fcro", "x" * 63]
DEVICES = ["ext0", "int0", "d" * 15]
ENDS = [1 << 33, (1 << 64) - 1]	# not while anybody looks on


class Message:
    """A request in the making; blobs are its attributes, encoded."""

    __slots__ = ("op", "command", "flags", "version", "reserved", "blobs", "known", "cut")

    def __init__(self, op, blobs, known):
        self.op, self.command, self.blobs, self.known = op, op.value, blobs, known
        self.flags = REQUEST | ACK | (DUMP if op.kind == "dump" else 0)
        self.version, self.reserved, self.cut = 1, 0, 0

    def leave_out(self, name):
        """Without that attribute, wherever it is."""
        left = [(blob, attribute) for blob, attribute in zip(self.blobs, self.known) if attribute.name != name]
        self.blobs, self.known = [blob for blob, _ in left], [attribute for _, attribute in left]

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
            values = [name.encode() + b"\0" for name in DOMAINS + [""]] if attribute.name == "domain" else \
                     [name.encode() + b"\0" for name in DEVICES + (NAMES if checks["max-len"] > 15 else [])]
        elif "exact-len" in checks:
            values = [bytes(checks["exact-len"]), b"\xfe" + b"\xff" * (checks["exact-len"] - 1)]
            values += [bytes([0]) + rng.randbytes(checks["exact-len"] - 1) for _ in range(4)]
        elif attribute.type == "binary":
            values = [self.address(address) for address in ADDRESSES]
        elif attribute.type == "u64":
            values = [U64.pack(n) for n in ENDS]
        elif attribute.mask:
            values = [U32.pack(n) for n in range(1, 1 << len(attribute.words))]
        elif attribute.words:
            values = [U32.pack(n) for n in attribute.words.values()]
        else:
            low, high = checks.get("min", 0), checks.get("max", (1 << 32) - 1)
            if attribute.name == "confirm":
                low = high - 1000	# a policy that goes back by itself would surprise those who look on
            values = [U32.pack(n) for n in {low, high, *(rng.randint(low, high) for _ in range(8)),
                                            *(n for n in (6, 17, 443, 3478, 5061) if low <= n <= high)}]
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
            elif name == "domain":
                payload = rng.choice(DOMAINS).encode() + b"\0"
            elif attribute.type == "u64":
                payload = U64.pack(rng.choice(ENDS))
            elif attribute.type == "flag":
                payload = None	# who leaves must not stand before who comes
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
            spoiled += [{"prefix-len": u32(129)}]
            if "groups" in self.spec.sets[set_]:
                spoiled += [{"groups": u32(0)}, {"groups": u32(64)}]
            if "until" in self.spec.sets[set_]:
                spoiled += [{"until": U64.pack(0)}, {"until": u32(1)}]
            spoiled += [{"address": self.address("198.51.100.1"), "prefix-len": u32(24)},
                        {"address": self.address("198.51.100.0"), "prefix-len": u32(33)},
                        {"address": self.address("2001:db8::1"), "prefix-len": u32(127)},
                        {"address": bytes(5), "prefix-len": u32(0)},
                        {"address": b"", "prefix-len": u32(0)}]
            spoiled += [{"address": self.address(text), "prefix-len": u32(128 if ":" in text else 32)}
                        for text in NOT_MEANT]
            if "name" in self.spec.sets[set_]:
                spoiled += [{"name": payload} for payload in
                            (b"a\nb\0", b"\x7f\0", b"x", b"x" * 64 + b"\0")]
            if "domain" in self.spec.sets[set_]:
                spoiled += [{"domain": payload} for payload in
                            (b"A.example\0", b"a..example\0", b"host:\0", b"a" * 64 + b"\0", b"a" * 259 + b"\0")]
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
            if each == "generation" and op.name != "commit" and rng.random() < .9:
                continue	# hardly ever the one in force
            attribute = self.spec.sets[op.set][each]
            count = rng.choice((1, 1, 2, 5, 20)) if attribute.many else 1
            for _ in range(count):
                blobs.append(rng.choice(self.pools[op.set, each]))
                known.append(attribute)
        if op.name == "partner-add" and rng.random() < .3:
            entry = self.spec.sets[op.set]["entry"]
            blobs.append(self.encode(entry, self.inner(entry.nest, leaves=b"")))
            known.append(entry)
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
        message.leave_out(self.rng.choice(needed))
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
            del message.blobs[CROWD // max(map(len, message.blobs)):]

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
