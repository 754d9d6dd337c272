# SPDX-License-Identifier: GPL-2.0-only
"""nf_edge's netlink without a tool between: one message, one system call.

Numbers and names come from the uapi header itself, so that they cannot differ from it.
"""

import errno
import os
import re
import socket
import struct

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
UAPI = os.path.join(TREE, "kmod/uapi/nf_edge.h")

NETLINK_NETFILTER, NETLINK_GENERIC, SOL_NETLINK = 12, 16, 270
NETLINK_CAP_ACK, NETLINK_EXT_ACK, SO_RCVBUFFORCE = 10, 11, 33
REQUEST, ACK, DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_DUMP_INTR, NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x10, 0x100, 0x200
NLA_F_NESTED, NLA_TYPE_MASK = 0x8000, 0x3FFF


def read_uapi():
    """(command numbers, attribute numbers, {attribute: (name, kind)}, {list: names in order})"""
    with open(UAPI, encoding="ascii") as file:
        text = file.read()

    def enum(name, prefix):
        body = re.search(rf"enum {name} \{{(.*?)\}}", text, re.S).group(1)
        return {word: number for number, word in enumerate(re.findall(rf"\b{prefix}(\w+)", body))}

    lists = {}
    for name, body in re.findall(r"#define NF_EDGE_([A-Z_]+)\(X\)((?:.*\\\n)*.*)", text):
        lists[name] = re.findall(r'X\(\w+,\s*"([^"]+)"\)', body)
    attrs = enum("nf_edge_attr", "NF_EDGE_A_")
    kinds = {attrs[name]: (name, kind)
             for name, kind in re.findall(r"@NF_EDGE_A_(\w+): (u32|u64|NUL string|[^,;\n]*)", text)}
    return enum("nf_edge_cmd", "NF_EDGE_CMD_"), attrs, kinds, lists


COMMANDS, ATTRS, KINDS, LISTS = read_uapi()
ROWS, REASONS, ROLES, GROUPS = (LISTS[name] for name in ("ROWS", "REASONS", "ROLES", "GROUPS"))
MODES, UNLISTEDS, PEERS, RTP_MATCHES = (LISTS[name] for name in
                                        ("MODES", "UNLISTEDS", "PEERSS", "RTP_MATCHES"))


class Refused(Exception):
    """The kernel's no: errno, and its sentence where it has one."""

    def __init__(self, code, sentence=""):
        super().__init__(f"{errno.errorcode.get(code, code)}{': ' if sentence else ''}{sentence}")
        self.errno = code
        self.sentence = sentence


class Interrupted(Exception):
    """The policy moved while it was listed."""


def attr(kind, payload):
    return struct.pack("=HH", len(payload) + 4, kind) + payload + b"\0" * (-len(payload) % 4)


def u32(name, value):
    return attr(ATTRS[name], struct.pack("=I", value))


def text(name, value):
    return attr(ATTRS[name], value.encode() + b"\0")


def flag(name):
    return attr(ATTRS[name], b"")


def nest(name, payload):
    return attr(ATTRS[name] | NLA_F_NESTED, payload)


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def address(name, value):
    return attr(ATTRS[name], packed(value))


def parse(data):
    """(type, value) of each attribute."""
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            raise ValueError("an attribute shorter than its header")
        yield kind & NLA_TYPE_MASK, data[at + 4:at + length]
        at += length + 3 & ~3


def read(data):
    """An answer's attributes by name, as what the header says they are."""
    found = {}
    for kind, value in parse(data):
        name, meaning = KINDS[kind]
        if meaning in ("u32", "u64"):
            found[name] = int.from_bytes(value, "little")
        elif meaning == "NUL string":
            found[name] = value.rstrip(b"\0").decode()
        else:
            found[name] = value
    return found


# The commands: each a (name, attributes) that Socket.ask() takes.

def ports_map(*ranges):
    bits = bytearray(8192)
    for first, last in ranges:
        for port in range(first, last + 1):
            bits[port // 8] |= 1 << port % 8
    return bytes(bits)


def set_status(mode=None, unlisted=None, match=None, ports=None):
    attrs = b""
    if mode is not None:
        attrs += u32("MODE", MODES.index(mode))
    if unlisted is not None:
        attrs += u32("UNLISTED", UNLISTEDS.index(unlisted))
    if match is not None:
        attrs += u32("RTP_MATCH", RTP_MATCHES.index(match))
    if ports is not None:
        attrs += attr(ATTRS["RTP_PORTS"], ports)
    return "STATUS_SET", attrs


def interface_add(role, where, dev=None, tolerant=False):
    return "INTERFACE_ADD", (u32("ROLE", ROLES.index(role)) + address("ADDRESS", where) +
                             (text("DEV", dev) if dev else b"") +
                             (flag("TOLERANT") if tolerant else b""))


def interface_del(role, where):
    return "INTERFACE_DEL", u32("ROLE", ROLES.index(role)) + address("ADDRESS", where)


def interface_flush(role=None):
    return "INTERFACE_FLUSH", u32("ROLE", ROLES.index(role)) if role else b""


def group_mask(groups):
    return sum(1 << GROUPS.index(group) for group in groups)


def entry(prefix, groups=(), name=None):
    """prefix: ADDRESS/LEN"""
    host, bits = prefix.split("/")
    return nest("ENTRY", address("ADDRESS", host) + u32("PREFIX_LEN", int(bits)) +
                (u32("GROUPS", group_mask(groups)) if groups else b"") +
                (text("NAME", name) if name else b""))


def partner_add(*entries, tolerant=False):
    """entries: (prefix, groups[, name])"""
    return "PARTNER_ADD", (b"".join(entry(*one) for one in entries) +
                           (flag("TOLERANT") if tolerant else b""))


def partner_del(*entries, tolerant=False):
    """entries: (prefix[, groups])"""
    return "PARTNER_DEL", (b"".join(entry(*one) for one in entries) +
                           (flag("TOLERANT") if tolerant else b""))


def partner_flush(*groups):
    return "PARTNER_FLUSH", u32("GROUPS", group_mask(groups)) if groups else b""


def rule_set(*changes):
    """changes: (row, enabled or None, peers or None)"""
    attrs = b""
    for row, enabled, peers in changes:
        attrs += nest("ENTRY", u32("ROW", ROWS.index(row)) +
                      (u32("ENABLED", enabled) if enabled is not None else b"") +
                      (u32("PEERS", PEERS.index(peers)) if peers is not None else b""))
    return "RULE_SET", attrs


def explain(source, target, protocol, dport):
    return "EXPLAIN", (address("SOURCE", source) + address("DESTINATION", target) +
                       u32("PROTOCOL", protocol) + u32("DPORT", dport))


def plain(name):
    return name, b""


def commit(generation=None):
    return "COMMIT", u32("GENERATION", generation) if generation is not None else b""


def load(*commands):
    """A whole policy as one transaction."""
    return [plain("BEGIN"), *commands, plain("COMMIT")]


class Netlink:
    """A netlink socket whose answers are read to their end."""

    def __init__(self, protocol):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        self.sock.bind((0, 0))
        self.sock.settimeout(60)
        self.sequence = 0

    def close(self):
        self.sock.close()

    def message(self, kind, payload, flags):
        self.sequence += 1
        return struct.pack("=IHHII", len(payload) + 16, kind, REQUEST | flags, self.sequence,
                           0) + payload

    def answer(self, consistent=True):
        """The payloads of an answer up to its end, or Refused."""
        found, cut = [], False
        while True:
            data = self.sock.recv(1 << 17)
            at = 0
            while at < len(data):
                length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, at)
                payload = data[at + 16:at + length]
                at += length + 3 & ~3
                if sequence != self.sequence:
                    continue
                cut |= bool(flags & NLM_F_DUMP_INTR)
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    code = -int.from_bytes(payload[:4], "little", signed=True) if payload else 0
                    if code:
                        raise Refused(code, self.sentence(kind, flags, payload))
                    if cut and consistent:
                        raise Interrupted
                    return found
                found.append(payload)

    @staticmethod
    def sentence(kind, flags, payload):
        if not flags & NLM_F_ACK_TLVS:
            return ""
        at = 4 if kind == NLMSG_DONE else 20
        if kind == NLMSG_ERROR and not flags & NLM_F_CAPPED:
            at += struct.unpack_from("=I", payload, 4)[0] - 16
        for attribute, value in parse(payload[at:]):
            if attribute == 1:	# NLMSGERR_ATTR_MSG
                return value.rstrip(b"\0").decode()
        return ""


class Socket(Netlink):
    """A client of nf_edge; as a socket does, it belongs to the name space that it was made in."""

    def __init__(self, family=None):
        super().__init__(NETLINK_GENERIC)
        self.family = family or self.resolve()

    def resolve(self):
        """The family's number, new with every load of the module."""
        name = attr(2, b"nf_edge\0")	# CTRL_ATTR_FAMILY_NAME
        self.sock.send(self.message(16, struct.pack("=BBH", 3, 1, 0) + name, ACK))
        for kind, value in parse(self.answer()[0][4:]):
            if kind == 1:	# CTRL_ATTR_FAMILY_ID
                return int.from_bytes(value, "little")
        raise ValueError("a family without number")

    def request(self, command, attrs=b""):
        """The bytes of a request; listings are known by their command."""
        flags = DUMP if command.endswith("_GET") and command != "STATUS_GET" else ACK
        return self.message(self.family, struct.pack("=BBH", COMMANDS[command], 1, 0) + attrs, flags)

    def ask(self, command, attrs=b""):
        """The attributes of each message of the answer."""
        self.sock.send(self.request(command, attrs))
        return [payload[4:] for payload in self.answer()]

    def list(self, command, attrs=b""):
        """As ask(), for a listing: anew until nothing moved while it was made."""
        while True:
            try:
                return self.ask(command, attrs)
            except Interrupted:
                pass

    def run(self, commands):
        for command, attrs in commands:
            self.ask(command, attrs)

    def status(self):
        return read(self.ask("STATUS_GET")[0])

    def generation(self):
        return self.status()["GENERATION"]

    def counters(self):
        """{row or reason: (packets, bytes, flows)}"""
        found = {}
        for kind, names, key in (("RULE", ROWS, "ROW"), ("DROP", REASONS, "REASON")):
            for one in map(read, self.list(f"{kind}_GET")):
                found[names[one[key]]] = (one["PACKETS"], one["BYTES"], one.get("FLOWS", 0))
        return found

    def state(self):
        """(generation, all that the listings say of the policy in force): equal when it is."""
        status = self.status()
        del status["UPTIME"]
        generation = status.pop("GENERATION")
        rules = []
        for one in map(read, self.list("RULE_GET")):
            rules.append(tuple(value for name, value in one.items()
                               if name not in ("PACKETS", "BYTES", "FLOWS")))
        return generation, (tuple(status.items()), tuple(rules),
                            tuple(self.list("INTERFACE_GET")), tuple(self.list("PARTNER_GET")))


class Hooks(Netlink):
    """Who is hooked into IPv4 and IPv6 of this name space: nfnetlink's own listing."""

    WHERE = ("prerouting", "input", "forward", "output", "postrouting")
    PRIORITY, FUNCTION = 2, 4	# NFNLA_HOOK_*

    def __init__(self):
        super().__init__(NETLINK_NETFILTER)

    def all(self):
        """("IPv4 prerouting -399 first_gate", ...), in the order in which they are called."""
        found = []
        for name, family in (("IPv4", socket.AF_INET), ("IPv6", socket.AF_INET6)):
            for number, where in enumerate(self.WHERE):
                self.sock.send(self.message(12 << 8, struct.pack("=BBH", family, 0, 0) +
                                            attr(1, struct.pack("!I", number)), DUMP))
                # it says of every listing that it was interrupted
                for payload in self.answer(consistent=False):
                    attrs = dict(parse(payload[4:]))
                    function = attrs[self.FUNCTION].rstrip(b"\0").decode()
                    priority = int.from_bytes(attrs[self.PRIORITY], "big", signed=True)
                    if function != "accept_all":	# left where there was no memory to make the list shorter
                        found.append(f"{name} {where} {priority} {function}")
        return tuple(found)

    def ours(self):
        return sum("_gate" in one for one in self.all())
