# SPDX-License-Identifier: GPL-2.0-only
"""The gateway: this process' network name space, with nf_edge and nftables in it.

Its devices are TAPs, so that a packet goes in by one write, and has been through
everything when the write returns; what comes out of them is thrown away. The
counters of both are read by netlink dumps, and so is explain.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess

import ruleset
import world
from lab import EDGECTL, ip, libc
from nl import DUMP, NETLINK_NETFILTER, NLMSG_ERROR, Netlink, attr, attrs, generic, messages, refusal
from policy import NAMES, REASONS
from wire import ATTRS, COMMANDS, Socket, text, u32

CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNATTACHFILTER = 0x400454ca, 0x401054d5
IFF_TAP, IFF_NO_PI = 2, 0x1000

NFT_GETOBJ, NFT_TABLE, NFT_TYPE, NFT_NAME, NFT_DATA, NFT_COUNTER = 10 << 8 | 19, 1, 3, 2, 4, 1
CT_DELETE = 1 << 8 | 2
ANY_FAMILY, INET = (struct.pack("=BBH", family, 0, 0) for family in (0, 1))  # struct nfgenmsg

ACCEPT, DROP, PASS = range(3)  # enum nf_edge_verdict

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
        self.devices = {(kind, device): text(kind, device) for kind in ("IIF", "OIF") for device in world.DEVICES}
        self.netfilter, self.edge = Netlink(NETLINK_NETFILTER).roomy(), Socket()
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
        self.netfilter.request(CT_DELETE, ANY_FAMILY)

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
        for which, (count, size, flows) in self.edge.counters().items():
            found[which] = count, size
            if which in NAMES:
                found[f"{which}/flows"] = flows
        return found

    def nft_counters(self, table):
        """The same, and pass, of a table of nftables."""
        found = {}
        body = INET + attr(NFT_TABLE, table.encode() + b"\0") + attr(NFT_TYPE, struct.pack("!I", NFT_COUNTER))
        for data in self.netfilter.request(NFT_GETOBJ, body, DUMP):
            counter = dict(attrs(data[4:]))
            which = counter[NFT_NAME].rstrip(b"\0").decode()
            values = dict(attrs(counter[NFT_DATA]))
            size, count = (int.from_bytes(values[field], "big") for field in (1, 2))
            found[which] = count if which.endswith("/flows") else (count, size)
        return found

    def question(self, source, target, protocol, sport, dport, enters, leaves):
        """The first packet of a flow as an explain request."""
        body = attr(ATTRS["SOURCE"], source) + attr(ATTRS["DESTINATION"], target)
        body += u32("PROTOCOL", protocol) + u32("DPORT", dport)
        if sport:
            body += u32("SPORT", sport)
        if enters:
            body += self.devices["IIF", enters]
        if leaves:
            body += self.devices["OIF", leaves]
        return self.edge.encode(self.edge.family, generic(COMMANDS["EXPLAIN"], body), 0)

    def explain(self, questions):
        """Row, reason or pass, for each question."""
        self.edge.socket.send(b"".join(self.question(*question) for question in questions))
        said = []
        while len(said) < len(questions):
            for kind, flags, _, data in messages(self.edge.socket.recv(1 << 17)):
                if kind == NLMSG_ERROR:
                    raise refusal(kind, flags, data)
                answer = dict(attrs(data[4:]))
                verdict = int.from_bytes(answer[ATTRS["VERDICT"]], "little")
                if verdict == PASS:
                    said.append("pass")
                else:
                    kind, names = ("ROW", NAMES) if verdict == ACCEPT else ("REASON", REASONS)
                    said.append(names[int.from_bytes(answer[ATTRS[kind]], "little")])
        return said
