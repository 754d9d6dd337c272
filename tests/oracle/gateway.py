# SPDX-License-Identifier: GPL-2.0-only
"""The gateway: this process' network name space, with nf_edge and nftables in it.

Its devices are TAPs, so that a packet goes in by one write, and has been through
everything when the write returns; what comes out of them is thrown away. The
counters of both are read by netlink dumps, and so is explain.
"""

import ctypes
import fcntl
import os
import re
import socket
import struct
import subprocess
from types import SimpleNamespace

import ruleset
import world
from policy import NAMES, REASONS
from lab import EDGECTL, TREE, ip, libc

CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNATTACHFILTER = 0x400454ca, 0x401054d5
IFF_TAP, IFF_NO_PI = 2, 0x1000

NLMSG_ERROR, NLMSG_DONE = 2, 3
REQUEST, ACK, DUMP = 1, 4, 0x300
CTRL_GETFAMILY, CTRL_FAMILY_ID, CTRL_FAMILY_NAME = 3, 1, 2
NFT_GETOBJ, NFT_TABLE, NFT_TYPE, NFT_NAME, NFT_DATA, NFT_COUNTER = 10 << 8 | 19, 1, 3, 2, 4, 1
CT_DELETE = 1 << 8 | 2

ACCEPT, DROP, PASS = range(3)  # enum nf_edge_verdict


def enumerators(enum, prefix):
    """The names of an enum, without their prefix, in the module's contract."""
    with open(os.path.join(TREE, "kmod/uapi/nf_edge.h"), encoding="utf-8") as file:
        body = re.search(rf"^enum {enum} {{\n(.*?)^}};", file.read(), re.M | re.S).group(1)
    return SimpleNamespace(**{name: value for value, name in enumerate(re.findall(rf"^\t{prefix}(\w+),", body, re.M))})


CMD = enumerators("nf_edge_cmd", "NF_EDGE_CMD_")
ATTR = enumerators("nf_edge_attr", "NF_EDGE_A_")

SYSCTLS = {"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1,
           "net/ipv6/conf/default/accept_dad": 0, "net/ipv6/conf/all/accept_dad": 0,
           "net/ipv4/conf/all/accept_source_route": 1, "net/ipv4/conf/default/accept_source_route": 1,
           "net/ipv4/conf/all/send_redirects": 0, "net/ipv4/conf/default/send_redirects": 0,
           "net/ipv4/conf/all/accept_redirects": 0, "net/ipv4/conf/default/accept_redirects": 0,
           "net/ipv6/conf/all/accept_redirects": 0, "net/ipv6/conf/default/accept_redirects": 0,
           "net/ipv6/conf/all/accept_ra": 0, "net/ipv6/conf/default/accept_ra": 0,
           "net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/default/rp_filter": 0,
           "net/ipv6/icmp/echo_ignore_multicast": 1}
# No flow ends because the machine is slow.
PATIENCE = ("tcp_timeout_syn_sent", "tcp_timeout_syn_recv", "tcp_timeout_fin_wait", "tcp_timeout_close_wait",
            "tcp_timeout_last_ack", "tcp_timeout_time_wait", "tcp_timeout_close", "tcp_timeout_unacknowledged",
            "udp_timeout", "udp_timeout_stream", "icmp_timeout", "icmpv6_timeout", "generic_timeout")


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def number(kind, value):
    return struct.pack("=HHI", 8, kind, value)


def name(kind, text):
    return attribute(kind, text.encode() + b"\0")


def attributes(data, at):
    """{kind: (begin, end)} of the values in a message, from an offset on."""
    found = {}
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind & 0x3fff] = at + 4, at + length
        at += length + 3 & ~3
    return found


class Netlink:
    """One socket of a netlink protocol."""

    def __init__(self, protocol):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
        self.buffer = bytearray(1 << 17)

    @staticmethod
    def request(kind, flags, body):
        return struct.pack("=IHHII", 16 + len(body), kind, flags | REQUEST, 0, 0) + body

    def messages(self):
        """The messages of one read: (type, bytes after the header)."""
        size = self.socket.recv_into(self.buffer)
        data = bytes(memoryview(self.buffer)[:size])
        at = 0
        while at + 16 <= size:
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == NLMSG_ERROR:
                error = struct.unpack_from("=i", data, at + 16)[0]
                if error:
                    raise OSError(-error, f"netlink: {os.strerror(-error)}")
            yield kind, data[at + 16:at + length]
            at += length + 3 & ~3

    def ask(self, kind, body, flags=0):
        """The one answer."""
        self.socket.send(self.request(kind, flags, body))
        return next(self.messages())[1]

    def dump(self, kind, body):
        self.socket.send(self.request(kind, DUMP, body))
        while True:
            for answer, data in self.messages():
                if answer == NLMSG_DONE:
                    return
                yield data


def enter_new_namespace():
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")


def open_tap(device):
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
    nothing = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))  # BPF: return 0
    fcntl.ioctl(tap, TUNATTACHFILTER, struct.pack("=HxxxxxxQ", 1, ctypes.addressof(nothing)))
    return tap


def write_sysctl(path, value):
    with open(f"/proc/sys/{path}", "w", encoding="ascii") as file:
        file.write(str(value))


class Gateway:
    """To be made in a name space of its own."""

    def __init__(self):
        for path, value in SYSCTLS.items():
            write_sysctl(path, value)
        self.taps = {device: open_tap(device) for device in world.DEVICES}
        self.headers = {}
        self.connect()
        self.raw = {}
        for family, size in ((socket.AF_INET, 4), (socket.AF_INET6, 16)):
            self.raw[size] = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
            self.raw[size].setsockopt(socket.SOL_SOCKET, socket.SO_MARK, ruleset.ON_PURPOSE)
        self.nft(ruleset.lies())
        for timeout in PATIENCE:
            write_sysctl(f"net/netfilter/nf_conntrack_{timeout}", 3000)
        self.netfilter = Netlink(12)
        self.generic = Netlink(16)
        family = self.generic.ask(16, struct.pack("=BBH", CTRL_GETFAMILY, 1, 0) + name(CTRL_FAMILY_NAME, "nf_edge"))
        begin, end = attributes(family, 4)[CTRL_FAMILY_ID]
        self.family = int.from_bytes(family[begin:end], "little")
        self.devices = {(kind, device): name(kind, device) for kind in (ATTR.IIF, ATTR.OIF) for device in world.DEVICES}
        self.answering = False

    def connect(self):
        lines = ["link set lo up"]
        for order, device in enumerate(world.DEVICES, 1):
            own, peer = bytes([2, 0, 0, 0, 0, order]), bytes([2, 0, 0, 0, 1, order])
            lines += [f"link set {device} address {own.hex(':')} arp off up",
                      f"neigh add 169.254.0.2 lladdr {peer.hex(':')} dev {device} nud permanent",
                      f"neigh add fe80::2 lladdr {peer.hex(':')} dev {device} nud permanent"]
            for ethertype in (0x800, 0x86dd):
                self.headers[device, ethertype] = own + peer + ethertype.to_bytes(2, "big")
            for target in world.ROUTES[device]:
                via = "fe80::2" if target.version == 6 else "169.254.0.2"
                lines.append(f"route add {target} via {via} dev {device} onlink")
        lines += [f"addr add {address} dev lo" for address in world.LOCAL]
        lines += [f"addr add {address} dev ext0" for address in world.OWN]
        ip(lines)

    @staticmethod
    def nft(text):
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)

    def load(self, policy, answering):
        """Puts a policy in force, in both; answering: the gateway's own packets are judged too."""
        subprocess.run([EDGECTL, "-q", "load", "-"], input=policy.text(), text=True, check=True)
        text = ruleset.oracle(policy)
        if answering:
            text += ruleset.answers(policy)
        elif self.answering:
            text += "delete table inet answers\n"
        self.answering = answering
        self.nft(text)

    @staticmethod
    def set_mode(mode):
        subprocess.run([EDGECTL, "mode", mode], check=True, stdout=subprocess.DEVNULL)

    def flush(self):
        """Connection tracking forgets everything."""
        self.netfilter.ask(CT_DELETE, bytes(4), ACK)

    def put(self, packet):
        """Sends a packet in by a device, or from here."""
        for frame in packet.frames:
            if packet.enters:
                ethertype = 0x800 if frame[0] >> 4 == 4 else 0x86dd
                os.write(self.taps[packet.enters], self.headers[packet.enters, ethertype] + frame)
            else:
                self.send(frame)

    def send(self, frame):
        try:
            if frame[0] >> 4 == 4:
                self.raw[4].sendto(frame, (socket.inet_ntoa(frame[16:20]), 0))
            else:
                self.raw[16].sendto(frame, (socket.inet_ntop(socket.AF_INET6, frame[24:40]), 0))
        except PermissionError:
            pass  # dropped on its way out: the counters have to say so

    def edge_counters(self):
        """{row or reason: (packets, bytes)}, and {row/flows: flows}, of the module."""
        found = {}
        for command, kind, names in ((CMD.RULE_GET, ATTR.ROW, NAMES), (CMD.DROP_GET, ATTR.REASON, REASONS)):
            for data in self.generic.dump(self.family, struct.pack("=BBH", command, 1, 0)):
                at = attributes(data, 4)
                which = names[int.from_bytes(data[slice(*at[kind])], "little")]
                found[which] = tuple(int.from_bytes(data[slice(*at[field])], "little") for field in (ATTR.PACKETS, ATTR.BYTES))
                if ATTR.FLOWS in at:
                    found[f"{which}/flows"] = int.from_bytes(data[slice(*at[ATTR.FLOWS])], "little")
        return found

    def nft_counters(self, table):
        """The same, and pass, of a table of nftables."""
        found = {}
        body = struct.pack("=BBH", 1, 0, 0) + name(NFT_TABLE, table) + attribute(NFT_TYPE, struct.pack("!I", NFT_COUNTER))
        for data in self.netfilter.dump(NFT_GETOBJ, body):
            at = attributes(data, 4)
            begin, end = at[NFT_NAME]
            which = data[begin:end - 1].decode()
            values = attributes(data[:at[NFT_DATA][1]], at[NFT_DATA][0])
            size, count = (int.from_bytes(data[slice(*values[field])], "big") for field in (1, 2))
            found[which] = count if which.endswith("/flows") else (count, size)
        return found

    def question(self, source, target, protocol, sport, dport, enters, leaves):
        """The first packet of a flow as an explain request."""
        body = struct.pack("=BBH", CMD.EXPLAIN, 1, 0) + attribute(ATTR.SOURCE, source) + attribute(ATTR.DESTINATION, target)
        body += number(ATTR.PROTOCOL, protocol) + number(ATTR.DPORT, dport)
        if sport:
            body += number(ATTR.SPORT, sport)
        if enters:
            body += self.devices[ATTR.IIF, enters]
        if leaves:
            body += self.devices[ATTR.OIF, leaves]
        return Netlink.request(self.family, 0, body)

    def explain(self, questions):
        """Row, reason or pass, for each question."""
        self.generic.socket.send(b"".join(self.question(*question) for question in questions))
        said = []
        while len(said) < len(questions):
            for _, data in self.generic.messages():
                at = attributes(data, 4)
                verdict = int.from_bytes(data[slice(*at[ATTR.VERDICT])], "little")
                if verdict == PASS:
                    said.append("pass")
                else:
                    kind, names = (ATTR.ROW, NAMES) if verdict == ACCEPT else (ATTR.REASON, REASONS)
                    said.append(names[int.from_bytes(data[slice(*at[kind])], "little")])
        return said
