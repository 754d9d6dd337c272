# SPDX-License-Identifier: GPL-2.0-only
"""The netlink family as its specification describes it, and sockets that speak it.

    spec = Spec()
    with Genl(spec) as genl:
        genl.do("status-set", {"mode": "audit"})
        genl.dump("partner-get", {"groups": ["pic"]})

Values: a name or a list of names where there is an enum, text of an address, bytes, numbers,
True for a flag, a dict for a nest, and a list of dicts for a nest that repeats.
"""

import ipaddress
import os
import socket
import struct

import yaml

import nl
from nl import DUMP, NESTED, Refused, attr, attrs, messages

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
PATH = os.path.join(TREE, "Documentation/netlink/specs/nf_edge.yaml")

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


class Genl(nl.Family):
    """A client; what it raises, Refused, names the attribute to blame."""

    def __init__(self, spec):
        self.spec = spec
        super().__init__(spec.yaml["name"])

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

    def blamed(self, payload, set_, offset):
        """The path of the attribute that begins at an offset of the attributes."""
        at = 0
        for type_, value in attrs(payload):
            attribute = self.spec.by_value[set_].get(type_) or self.spec.by_value["edge"].get(type_)
            name = attribute.name if attribute else str(type_)
            if at == offset:
                return name
            if attribute and attribute.nest and at < offset < at + 4 + len(value):
                return f"{name}.{self.blamed(value, attribute.nest, offset - at - 4)}"
            at += (len(value) + 7) & ~3
        return None

    def ask(self, op, payload, flags=nl.ACK):
        """The messages of the answer, decoded."""
        try:
            return [self.spec.unpack(op.set, data) for data in self.command(op.value, payload, flags)]
        except Refused as refused:
            refused.attribute = refused.offset and self.blamed(payload, op.set, refused.offset - 20)
            raise

    def do(self, name, values=None):
        op = self.spec.ops[name]
        answers = self.ask(op, values if isinstance(values, bytes) else self.spec.pack(op.set, values or {}))
        return answers[0] if answers else None

    def dump(self, name, values=None):
        op = self.spec.ops[name]
        return self.ask(op, self.spec.pack(op.set, values or {}), DUMP)
