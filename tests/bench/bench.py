# SPDX-License-Identifier: GPL-2.0-only
"""What a benchmark needs: partners, packets, and what the hooks take for each.

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
RUN = struct.Struct("=QIIIIIIIIQQQ")		# struct bench_run
BENCH_RUN = 3 << 30 | RUN.size << 16 | ord("e") << 8 | 1

# By IP version
ACCESS = {4: "203.0.113.10", 6: "2001:db8:113::10"}
AV = {4: "203.0.113.11", 6: "2001:db8:113::11"}
INTERNAL = {4: "203.0.113.12", 6: "2001:db8:113::12"}
STRANGER = {4: "192.0.2.70", 6: "3fff:ffff::70"}
NOT_OURS = {4: ("192.0.2.1", "192.0.2.2"), 6: ("3fff:ffff::1", "3fff:ffff::2")}
NEWCOMER = "192.168.7.3/32"			# no partner so far
STRANGERS = "192.168.0.0"			# no partners, and as many as a flood needs

# Prefix lengths and how often: hosts and /24s most of all, some larger.
LENGTHS = {4: {32: 40, 24: 35, 22: 8, 29: 8, 20: 4, 28: 3, 16: 1, 30: 1}, 6: {48: 50, 64: 25, 128: 15, 32: 10}}
IPV6_SHARE = 0.1
# No partners: our own, those of loopback and private ones, what documentation and tests use.
SPARED = [(int(one.network_address), one.prefixlen) for one in map(ipaddress.ip_network, (
    "10.0.0.0/8", "127.0.0.0/8", "192.0.0.0/8", "198.48.0.0/14", "203.0.0.0/8"))]


def spared(value, length):
    return any((value ^ base) >> 32 - min(length, most) == 0 for base, most in SPARED)


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
            value = rng.randrange(1 << 24, 223 << 24) >> (32 - length) << (32 - length)
            if spared(value, length):
                continue
        else:
            value = (0x2400 + rng.randrange(0x700) << 112 | rng.getrandbits(112)) >> (128 - length) << (128 - length)
        found.setdefault((version, value, length))
    return list(found)


def address(version, value):
    if version == 4:
        return socket.inet_ntop(socket.AF_INET, value.to_bytes(4, "big"))
    return socket.inet_ntop(socket.AF_INET6, value.to_bytes(16, "big"))


def text(prefix):
    version, value, length = prefix
    return f"{address(version, value)}/{length}"


def inside(prefix, rng):
    """An address that the prefix covers, as text."""
    version, value, length = prefix
    bits = 32 if version == 4 else 128
    return address(version, value | (rng.getrandbits(bits - length) if length < bits else 0))


def sources(chosen, count, version):
    """(address, port) of that many flows from partners: as many partners as there are, in no order."""
    rng = random.Random(2)
    fitting = [one for one in chosen if one[0] == version]
    fitting = rng.sample(fitting, min(count, len(fitting)))
    found = [(inside(fitting[n % len(fitting)], rng), 1024 + n // len(fitting)) for n in range(count)]
    rng.shuffle(found)
    return found


def packet(source, target, protocol, sport, dport, flags=SYN, seq=1, ack=0):
    """From the network header on; nobody looks at the checksums."""
    if protocol == TCP:
        segment = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 8192, 0, 0)
    else:
        segment = struct.pack("!HHHH", sport, dport, 8 + 4, 0) + b"data"
    source, target = (socket.inet_pton(socket.AF_INET6 if ":" in one else socket.AF_INET, one) for one in (source, target))
    if len(source) == 4:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, protocol, 0) + source + target + segment
    return struct.pack("!IHBB", 6 << 28, len(segment), protocol, 64) + source + target + segment


class Sent:
    """What came of a run, for each packet: nanoseconds, share that came through, share that was tracked."""

    def __init__(self, packets, ns, accepted, tracked):
        self.ns, self.through, self.tracked = ns / packets, accepted / packets, tracked / packets


class Bench:
    """The device; what it switched on goes with it."""

    def __init__(self, flags=0):
        self.flags, self.file = flags, os.open("/dev/nf_edge_bench", os.O_RDWR)
        self.ext, self.int = (socket.if_nametoindex(name) for name in ("ext0", "int0"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.file)

    def run(self, packets, outward=False, rounds=1, flags=0, cold=0):
        """packets: all of a size and a version. cold: bytes that are read between them."""
        size = len(packets[0])
        data = ctypes.create_string_buffer(b"".join(packets), len(packets) * size)
        enters, leaves = (self.int, self.ext) if outward else (self.ext, self.int)
        run = bytearray(RUN.pack(ctypes.addressof(data), len(packets), size, rounds, enters, leaves,
                                 self.flags | flags, cold, 0, 0, 0, 0))
        fcntl.ioctl(self.file, BENCH_RUN, run)
        return Sent(rounds * len(packets), *RUN.unpack(run)[9:])


class Flow:
    """One connection, from its opener to the packets of it that are measured."""

    def __init__(self, opener, other, protocol, sport, dport):
        self.ends, self.protocol, self.ports = (opener, other), protocol, (sport, dport)

    def packet(self, back=False, flags=ACK, seq=2, ack=2):
        (opener, other), (sport, dport) = self.ends, self.ports
        if back:
            return packet(other, opener, self.protocol, dport, sport, flags, seq, ack)
        return packet(opener, other, self.protocol, sport, dport, flags, seq, ack)

    def first(self, sport=None):
        """The packet that opens it; from another port, another like it."""
        return packet(*self.ends, self.protocol, sport or self.ports[0], self.ports[1])

    def opening(self):
        """(packets of the opener, of the other end, of the opener) that establish it."""
        if self.protocol == UDP:
            return self.packet(), self.packet(True), self.packet()
        return self.first(), self.packet(True, SYN | ACK, 1, 2), self.packet()


def establish(bench, opening, outward):
    """Flows of one version are known to connection tracking afterwards; the share of them that came through.

    opening: of each flow
    """
    return min(bench.run([packets[step] for packets in opening], outward != (step == 1), flags=CONFIRM).through
               for step in range(3))


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
    """The two devices."""
    run("ip", "-batch", "-", given="link set lo up\n" + "\n".join(
        f"link add {name} type dummy\nlink set {name} up" for name in ("ext0", "int0")) + "\n"
        "addr add 203.0.113.1/24 dev int0\nroute add default dev ext0\nroute add ::/0 dev ext0\n")
    for name in ("ext0", "int0"):
        sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)
