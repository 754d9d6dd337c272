# SPDX-License-Identifier: GPL-2.0-only
"""The netlink family as its specification describes it, and sockets that speak it.

    spec = Spec()
    with Genl(spec) as genl:
        genl.do("status-set", {"mode": "audit"})
        genl.dump("partner-get", {"groups": ["pic"]})

Values: a name or a list of names where there is an enum, text of an address, bytes, numbers,
True for a flag, a dict for a nest, and a list of dicts for a nest that repeats.
"""

import errno
import ipaddress
import os
import socket
import struct

import yaml

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
PATH = os.path.join(TREE, "Documentation/netlink/specs/nf_edge.yaml")

NLMSG_ERROR, NLMSG_DONE, CONTROLLER = 2, 3, 0x10
REQUEST, MULTI, ACK, DUMP, DUMP_INTR, ACK_TLVS = 1, 2, 4, 0x300, 0x10, 0x200
NESTED = 0x8000
SOL_NETLINK, ADD_MEMBERSHIP, CAP_ACK, EXT_ACK = 270, 1, 10, 11

NUMBERS = {"u32": struct.Struct("=I"), "u64": struct.Struct("=Q")}


class Attribute:
    """One attribute of a set; of a subset, what the subset says goes first."""

    def __init__(self, spec, yaml_, value):
        self.name, self.value, self.type = yaml_["name"], value, yaml_["type"]
        self.nest = yaml_.get("nested-attributes")
        self.many = yaml_.get("multi-attr", False)
        self.mask = yaml_.get("enum-as-flags", False)
        self.enum = yaml_.get("enum")
        self.words = spec.enums.get(self.enum, {})
        self.checks = {name: spec.constants.get(limit, limit)
                       for name, limit in yaml_.get("checks", {}).items()}


class Operation:
    """One command: name, value, kind (do, dump or event), and the attributes of its messages."""

    def __init__(self, yaml_, value):
        self.name, self.value, self.set = yaml_["name"], value, yaml_["attribute-set"]
        self.kind = next(kind for kind in ("do", "dump", "event") if kind in yaml_)
        self.admin = "uns-admin-perm" in yaml_.get("flags", [])
        self.group = yaml_.get("mcgrp")
        mode = yaml_[self.kind]
        self.request = mode.get("request", {}).get("attributes", [])
        self.reply = mode.get("reply", mode if self.kind == "event" else {}).get("attributes", [])


class Spec:
    """The specification; sets[set][name], ops[name], enums[enum][name] and constants[name]."""

    def __init__(self, path=PATH):
        with open(path, encoding="utf-8") as file:
            self.yaml = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.constants = {each["name"]: each["value"] for each in self.yaml["definitions"]
                          if each["type"] == "const"}
        self.enums = {each["name"]: self.numbered(each["entries"])
                      for each in self.yaml["definitions"] if each["type"] == "enum"}
        self.sets = {}
        for each in self.yaml["attribute-sets"]:
            self.sets[each["name"]] = self.attributes(each)
        self.by_value = {name: {attribute.value: attribute for attribute in attributes.values()}
                         for name, attributes in self.sets.items()}
        values = self.numbered(self.yaml["operations"]["list"], 1)
        self.ops = {each["name"]: Operation(each, values[each["name"]])
                    for each in self.yaml["operations"]["list"]}
        self.op_by_value = {op.value: op for op in self.ops.values()}

    @staticmethod
    def numbered(entries, value=0):
        found = {}
        for entry in entries:
            entry = entry if isinstance(entry, dict) else {"name": entry}
            value = entry.get("value", value)
            found[entry["name"]] = value
            value += 1
        return found

    def attributes(self, each):
        if "subset-of" not in each:
            values = self.numbered(each["attributes"], 1)
            whole = {attribute["name"]: attribute for attribute in each["attributes"]}
        else:
            parent = self.sets[each["subset-of"]]
            values = {name: attribute.value for name, attribute in parent.items()}
            whole = next(one for one in self.yaml["attribute-sets"]
                         if one["name"] == each["subset-of"])["attributes"]
            whole = {attribute["name"]: attribute for attribute in whole}
        return {attribute["name"]: Attribute(self, whole[attribute["name"]] | attribute,
                                             values[attribute["name"]])
                for attribute in each["attributes"]}

    # ---- values to bytes and back ----

    def pack(self, set_, values):
        return b"".join(self.pack_one(self.sets[set_][name], value)
                        for name, value in values.items())

    def pack_one(self, attribute, value):
        if attribute.many and isinstance(value, list):
            return b"".join(self.pack_one(attribute, one) for one in value)
        return attr(attribute.value | (NESTED if attribute.nest else 0),
                    value if isinstance(value, bytes) else self.payload(attribute, value))

    def payload(self, attribute, value):
        if attribute.nest:
            return self.pack(attribute.nest, value)
        if attribute.type == "flag":
            return b""
        if attribute.type == "string":
            return value.encode() + b"\0"
        if attribute.type == "binary":
            return ipaddress.ip_address(value).packed
        if isinstance(value, str):
            value = [value]
        if isinstance(value, list):
            bits = [attribute.words[name] for name in value]
            value = sum(1 << bit for bit in bits) if attribute.mask else bits[0]
        return NUMBERS[attribute.type].pack(value)

    def unpack(self, set_, data):
        found = {}
        for type_, payload in attrs(data):
            attribute = self.by_value[set_][type_]
            if attribute.type == "pad":
                continue
            value = self.value(attribute, payload)
            if attribute.many:
                found.setdefault(attribute.name, []).append(value)
            else:
                found[attribute.name] = value
        return found

    def value(self, attribute, payload):
        if attribute.nest:
            return self.unpack(attribute.nest, payload)
        if attribute.type == "flag":
            return True
        if attribute.type == "string":
            return payload[:-1].decode()
        if attribute.type == "binary":
            return str(ipaddress.ip_address(payload)) if len(payload) in (4, 16) else payload
        number = NUMBERS[attribute.type].unpack(payload)[0]
        if attribute.mask:
            return [word for word, bit in attribute.words.items() if number >> bit & 1]
        return next((word for word, known in attribute.words.items() if known == number), number)


def attr(type_, payload):
    return struct.pack("=HH", len(payload) + 4, type_) + payload + b"\0" * (-len(payload) % 4)


def attrs(data):
    at = 0
    while at + 4 <= len(data):
        length, type_ = struct.unpack_from("=HH", data, at)
        yield type_ & 0x3fff, data[at + 4:at + length]
        at += (length + 3) & ~3


def message(type_, flags, sequence, command, payload, version=1):
    return struct.pack("=IHHIIBBH", len(payload) + 20, type_, flags, sequence, 0, command, version,
                       0) + payload


def messages(data):
    """(type, flags, sequence, payload) of each message in what was received."""
    at = 0
    while at + 16 <= len(data):
        length, type_, flags, sequence = struct.unpack_from("=IHHI", data, at)
        yield type_, flags, sequence, data[at + 16:at + length]
        at += (length + 3) & ~3


class Refused(Exception):
    """The kernel's refusal: error (a name, EINVAL), text (its sentence), attribute (to blame)."""

    def __init__(self, code, text, attribute):
        super().__init__(f"{errno.errorcode.get(code, code)}: {text} ({attribute})")
        self.error, self.text, self.attribute = errno.errorcode.get(code, code), text, attribute


class Genl:
    """A socket in the network name space of the thread that opens it."""

    def __init__(self, spec):
        self.spec, self.sequence, self.interrupted = spec, 0, False
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)  # NETLINK_GENERIC
        self.socket.setsockopt(SOL_NETLINK, CAP_ACK, 1)
        self.socket.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        self.socket.bind((0, 0))
        self.family, self.groups = self.controller()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def controller(self):
        payload = attr(2, self.spec.yaml["name"].encode() + b"\0")  # CTRL_ATTR_FAMILY_NAME
        self.socket.send(message(CONTROLLER, REQUEST, 0, 3, payload))  # CTRL_CMD_GETFAMILY
        for type_, _, _, data in messages(self.socket.recv(65536)):
            if type_ == NLMSG_ERROR:
                raise Refused(-struct.unpack_from("=i", data)[0], "no such family", None)
            found = dict(attrs(data[4:]))
            groups = (dict(attrs(group)) for _, group in attrs(found.get(7, b"")))
            return (struct.unpack("=H", found[1])[0],
                    {group[1][:-1].decode(): struct.unpack("=I", group[2])[0] for group in groups})

    def subscribe(self, group):
        self.socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, self.groups[group])

    def events(self):
        """The notifications that are there by now, as (command, attributes)."""
        while True:
            try:
                received = self.socket.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            for type_, _, _, data in messages(received):
                if type_ == self.family:
                    op = self.spec.op_by_value[data[0]]
                    yield op.name, self.spec.unpack(op.set, data[4:])

    def blamed(self, request, set_, offset):
        """The path of the attribute that begins at an offset of the request."""
        at = 20
        for type_, payload in attrs(request[20:]):
            attribute = self.spec.by_value[set_].get(type_) or self.spec.by_value["edge"].get(type_)
            name = attribute.name if attribute else str(type_)
            if at == offset:
                return name
            if attribute and attribute.nest and at < offset < at + 4 + len(payload):
                inner = self.blamed(b"\0" * 20 + payload, attribute.nest, offset - at - 4 + 20)
                return f"{name}.{inner}"
            at += (len(payload) + 7) & ~3
        return None

    def refusal(self, request, set_, code, tlvs):
        found = dict(attrs(tlvs))
        offset = found.get(2)  # NLMSGERR_ATTR_OFFS
        return Refused(code, found.get(1, b"\0")[:-1].decode(),
                       offset and self.blamed(request, set_, struct.unpack("=I", offset)[0]))

    def ask(self, op, payload, flags):
        """Sends one request; answers of the kernel, decoded. Raises Refused."""
        self.sequence += 1
        self.interrupted = False
        request = message(self.family, REQUEST | ACK | flags, self.sequence, op.value, payload)
        self.socket.send(request)
        while True:
            for type_, flags, sequence, data in messages(self.socket.recv(1 << 17)):
                if sequence != self.sequence:
                    continue
                self.interrupted |= bool(flags & DUMP_INTR)
                if type_ in (NLMSG_ERROR, NLMSG_DONE):
                    code = -struct.unpack_from("=i", data)[0]
                    if code:
                        raise self.refusal(request, op.set, code,
                                           data[20 if type_ == NLMSG_ERROR else 4:])
                    return
                yield self.spec.unpack(op.set, data[4:])

    def do(self, name, values=None):
        op = self.spec.ops[name]
        payload = values if isinstance(values, bytes) else self.spec.pack(op.set, values or {})
        answers = list(self.ask(op, payload, 0))
        return answers[0] if answers else None

    def dump(self, name, values=None):
        op = self.spec.ops[name]
        return list(self.ask(op, self.spec.pack(op.set, values or {}), DUMP))
