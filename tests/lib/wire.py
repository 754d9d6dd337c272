# SPDX-License-Identifier: GPL-2.0-only
"""nf_edge's netlink without a tool between: one message, one system call.

Numbers and names come from the uapi header itself, so that they cannot differ from it.
"""

import os
import re
import socket
import struct

from nl import *  # noqa: F403 pylint: disable=wildcard-import,unused-wildcard-import

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
UAPI = os.path.join(TREE, "kmod/uapi/nf_edge.h")


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


def u32(name, value):
    return attr(ATTRS[name], struct.pack("=I", value))


def u64(name, value):
    return attr(ATTRS[name], struct.pack("=Q", value))


def text(name, value):
    return attr(ATTRS[name], value.encode() + b"\0")


def flag(name):
    return attr(ATTRS[name], b"")


def nest(name, payload):
    return attr(ATTRS[name] | NESTED, payload)


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def address(name, value):
    return attr(ATTRS[name], packed(value))


def read(data):
    """An answer's attributes by name, as what the header says they are."""
    found = {}
    for kind, value in attrs(data):
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


def entry(prefix, groups=(), name=None, domain=None, leaves=False, until=None):
    """prefix: ADDRESS/LEN"""
    host, bits = prefix.split("/")
    return nest("ENTRY", address("ADDRESS", host) + u32("PREFIX_LEN", int(bits)) +
                (u32("GROUPS", group_mask(groups)) if groups else b"") +
                (text("NAME", name) if name is not None else b"") + (text("DOMAIN", domain) if domain is not None else b"") +
                (flag("LEAVES") if leaves else b"") + (u64("UNTIL", until) if until else b""))


def partner_add(*entries, tolerant=False):
    """entries: (prefix, groups[, name[, domain[, leaves]]])"""
    return "PARTNER_ADD", (b"".join(entry(*one) for one in entries) +
                           (flag("TOLERANT") if tolerant else b""))


def partner_del(*entries, tolerant=False):
    """entries: (prefix[, groups[, None, domain]])"""
    return "PARTNER_DEL", (b"".join(entry(*one) for one in entries) +
                           (flag("TOLERANT") if tolerant else b""))


def partner_flush(*groups):
    return "PARTNER_FLUSH", u32("GROUPS", group_mask(groups)) if groups else b""


def block_add(*entries, tolerant=False):
    """entries: (prefix[, reason[, until, seconds since 1970]])"""
    return "BLOCK_ADD", (b"".join(entry(one[0], name=one[1] if one[1:] else None, until=one[2] if one[2:] else None)
                                  for one in entries) + (flag("TOLERANT") if tolerant else b""))


def block_del(*prefixes, tolerant=False):
    return "BLOCK_DEL", b"".join(map(entry, prefixes)) + (flag("TOLERANT") if tolerant else b"")


def rule_set(*changes):
    """changes: (row, enabled or None, peers or None)"""
    attrs = b""
    for row, enabled, peers in changes:
        attrs += nest("ENTRY", u32("ROW", ROWS.index(row)) +
                      (u32("ENABLED", enabled) if enabled is not None else b"") +
                      (u32("PEERS", PEERS.index(peers)) if peers is not None else b""))
    return "RULE_SET", attrs


def explain(source, target, protocol, dport, every_row=False):
    return "EXPLAIN", (address("SOURCE", source) + address("DESTINATION", target) +
                       u32("PROTOCOL", protocol) + u32("DPORT", dport) + (flag("ALL") if every_row else b""))


def plain(name):
    return name, b""


def copied():
    """Begins a transaction on a copy of the policy in force."""
    return "BEGIN", flag("COPY")


def commit(generation=None, confirm=None, openly=False):
    return "COMMIT", ((flag("OPEN") if openly else b"") +
                      (u32("GENERATION", generation) if generation is not None else b"") +
                      (u32("CONFIRM", confirm) if confirm else b""))


def load(*commands):
    """A whole policy as one transaction."""
    return [plain("BEGIN"), *commands, commit(openly=True)]


class Socket(Family):
    """A client of nf_edge."""

    def __init__(self, family=None):
        super().__init__("nf_edge", family)
        self.roomy()

    def ask(self, command, attributes=b""):
        """The attributes of each message of the answer; listings are known by their command."""
        listing = command.endswith("_GET") and command != "STATUS_GET"
        return self.command(COMMANDS[command], attributes, DUMP if listing else ACK)

    def list(self, command, attributes=b""):
        """As ask(), for a listing: anew until nothing moved while it was made."""
        while True:
            found = self.ask(command, attributes)
            if not self.interrupted:
                return found

    def run(self, commands):
        for command, attributes in commands:
            self.ask(command, attributes)

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
        del status["UPTIME"], status["CHANGED"]
        status["CONFIRM"] = "CONFIRM" in status	# how long, time alone changes
        generation = status.pop("GENERATION")
        rules = []
        for one in map(read, self.list("RULE_GET")):
            rules.append(tuple(value for name, value in one.items()
                               if name not in ("PACKETS", "BYTES", "FLOWS")))
        partners = [tuple((name, value) for name, value in one.items() if name != "IDLE")
                    for one in map(read, self.list("PARTNER_GET"))]
        return generation, (tuple(status.items()), tuple(rules),
                            tuple(self.list("INTERFACE_GET")), tuple(partners), tuple(self.list("BLOCK_GET")))


class Hooks(Netlink):
    """Who is hooked into IPv4 and IPv6 of this name space: nfnetlink's own listing."""

    WHERE = ("prerouting", "input", "forward", "output", "postrouting")
    PRIORITY, FUNCTION = 2, 4	# NFNLA_HOOK_*

    def __init__(self):
        super().__init__(NETLINK_NETFILTER)
        self.roomy()

    def all(self):
        """("IPv4 prerouting -399 first_gate", ...), in the order in which they are called."""
        found = []
        for name, family in (("IPv4", socket.AF_INET), ("IPv6", socket.AF_INET6)):
            for number, where in enumerate(self.WHERE):
                for payload in self.request(12 << 8, struct.pack("=BBH", family, 0, 0) +
                                            attr(1, struct.pack("!I", number)), DUMP):
                    hook = dict(attrs(payload[4:]))
                    function = hook[self.FUNCTION].rstrip(b"\0").decode()
                    priority = int.from_bytes(hook[self.PRIORITY], "big", signed=True)
                    if function != "accept_all":	# left where there was no memory to make the list shorter
                        found.append(f"{name} {where} {priority} {function}")
        return tuple(found)

    def ours(self):
        return sum("_gate" in one for one in self.all())
