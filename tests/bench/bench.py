# SPDX-License-Identifier: GPL-2.0-only
"""What a benchmark needs: partners, packets, firewalls to compare, and what the hooks take for each.

       stands for the outside          stands for the Edge server's side
                  ext0 --- [this name space: a firewall] --- int0
"""

import ctypes
import fcntl
import ipaddress
import os
import random
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from lab import EDGECTL, libc, load_module  # noqa: E402,F401

TCP, UDP, SYN, ACK = 6, 17, 2, 16
TRACK, EMPTY, CONFIRM = 1, 2, 4			# BENCH_*
RUN = struct.Struct("=QIIIIIIQQ")		# struct bench_run
BENCH_RUN = 3 << 30 | RUN.size << 16 | ord("e") << 8 | 1

ACCESS, AV, INTERNAL = "203.0.113.10", "203.0.113.11", "203.0.113.12"
ACCESS6 = "2001:db8:113::10"
STRANGER, STRANGER6 = "192.0.2.70", "3fff:ffff::70"
HERE = ipaddress.ip_network("203.0.113.0/24")
NOT_OURS = "192.0.2.1", "192.0.2.2"

# Prefix lengths and how often: hosts and /24s most of all, some larger.
LENGTHS = {4: {32: 40, 24: 35, 22: 8, 29: 8, 20: 4, 28: 3, 16: 1, 30: 1}, 6: {48: 50, 64: 25, 128: 15, 32: 10}}
IPV6_SHARE = 0.1


SPREAD = 4096		# flows from as many partners


def prefixes(count):
    """As many partners; the first are the same for every count."""
    rng = random.Random(1)
    found, lengths = {}, {}
    for version, weights in LENGTHS.items():
        lengths[version] = list(weights), list(weights.values())
    while len(found) < count:
        version = 6 if rng.random() < IPV6_SHARE else 4
        length = rng.choices(*lengths[version])[0]
        if version == 4:
            # Unicast addresses, none of our own net's.
            value = rng.randrange(1 << 24, 223 << 24) >> (32 - length) << (32 - length)
            if value >> 8 == int(HERE.network_address) >> 8 or value >> 24 in (10, 127, 192, 203):
                continue
        else:
            value = (0x2400 + rng.randrange(0x700) << 112 | rng.getrandbits(112)) >> (128 - length) << (128 - length)
        found.setdefault((version, value, length))
    return list(found)


def text(prefix):
    version, value, length = prefix
    return f"{ipaddress.IPv4Address(value) if version == 4 else ipaddress.IPv6Address(value)}/{length}"


def inside(prefix, rng):
    """An address that the prefix covers, as text."""
    version, value, length = prefix
    bits = 32 if version == 4 else 128
    value |= rng.getrandbits(bits - length) if length < bits else 0
    return str(ipaddress.IPv4Address(value) if version == 4 else ipaddress.IPv6Address(value))


def partners(chosen, count, version):
    """Addresses of that many different partners, all over the table."""
    rng = random.Random(2)
    fitting = [one for one in chosen if one[0] == version]
    return [inside(one, rng) for one in rng.sample(fitting, min(count, len(fitting)))]


def packet(source, target, protocol, sport, dport, flags=SYN, seq=1, ack=0):
    """From the network header on; nobody looks at the checksums."""
    if protocol == TCP:
        segment = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 8192, 0, 0)
    else:
        segment = struct.pack("!HHHH", sport, dport, 8 + 4, 0) + b"data"
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    if source.version == 4:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, protocol, 0) + \
            source.packed + target.packed + segment
    return struct.pack("!IHBB", 6 << 28, len(segment), protocol, 64) + source.packed + target.packed + segment


class Bench:
    """The device; what it switched on goes with it."""

    def __init__(self, flags=0):
        self.flags, self.file = flags, os.open("/dev/nf_edge_bench", os.O_RDWR)
        self.ext, self.int = (socket.if_nametoindex(name) for name in ("ext0", "int0"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.file)

    def run(self, packets, outward=False, rounds=1, flags=0):
        """(nanoseconds a packet, share that came through)"""
        size = len(packets[0])
        data = ctypes.create_string_buffer(b"".join(packets), len(packets) * size)
        enters, leaves = (self.int, self.ext) if outward else (self.ext, self.int)
        run = bytearray(RUN.pack(ctypes.addressof(data), len(packets), size, rounds, enters, leaves,
                                 self.flags | flags, 0, 0))
        fcntl.ioctl(self.file, BENCH_RUN, run)
        ns, accepted = RUN.unpack(run)[7:]
        return ns / (rounds * len(packets)), accepted / (rounds * len(packets))


class Flow:
    """One connection, from its opener to the packets of it that are measured."""

    def __init__(self, opener, other, protocol, sport, dport):
        self.ends, self.protocol, self.ports = (opener, other), protocol, (sport, dport)

    def packet(self, back=False, flags=ACK, seq=2, ack=2):
        (opener, other), (sport, dport) = self.ends, self.ports
        if back:
            return packet(other, opener, self.protocol, dport, sport, flags, seq, ack)
        return packet(opener, other, self.protocol, sport, dport, flags, seq, ack)

    def opening(self):
        """(packets of the opener, of the other end, of the opener) that establish it."""
        if self.protocol == UDP:
            return self.packet(), self.packet(True), self.packet()
        return self.packet(flags=SYN, seq=1, ack=0), self.packet(True, SYN | ACK, 1, 2), self.packet()


def establish(bench, flows, outward):
    """The flows are known to connection tracking afterwards; the share of them that came through."""
    through = 1
    for step in range(3):
        for version in (False, True):
            packets = [flow.opening()[step] for flow in flows if (":" in flow.ends[0]) == version]
            if packets:
                through = min(through, bench.run(packets, outward != (step == 1), flags=CONFIRM)[1])
    return through


def sysctl(name, value):
    with open(f"/proc/sys/{name}", "w", encoding="ascii") as file:
        file.write(str(value))


def run(*words, given=None):
    """A command, of which only a failure is heard."""
    done = subprocess.run(words, input=given, text=True, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode:
        sys.stderr.write(done.stderr)
        done.check_returncode()


def build():
    """The two devices, and room for many flows."""
    run("ip", "-batch", "-", given="link set lo up\n" + "\n".join(
        f"link add {name} type dummy\nlink set {name} up" for name in ("ext0", "int0")) + "\n"
        "addr add 203.0.113.1/24 dev int0\nroute add default dev ext0\nroute add ::/0 dev ext0\n")
    for name in ("ext0", "int0"):
        sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)
