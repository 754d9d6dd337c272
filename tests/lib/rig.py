# SPDX-License-Identifier: GPL-2.0-only
"""Packets that sockets cannot make, through an appliance of their own.

           this process' name space              name space gw
        +--------------------------+          +-----------------+
        | outside (no addresses)   |----------| ext0            |
        | inside                   |----------| int0   nf_edge  |
        | beside                   |----------| alt0            |
        +--------------------------+          +-----------------+

Nobody answers but the scenario: it puts frames on one device and looks what
comes out of the others, and which counters moved. All Edge addresses lie behind
int0 (EDGE4, EDGE6), the rest of the world behind ext0, and 10.66.0.0/16 and
2001:db8:66::/48 behind alt0.
"""

import ctypes
import json
import os
import re
import select
import shlex
import socket
import subprocess
import sys
import time

sys.modules["cryptography"] = None	# scapy does without, and is there sooner
from scapy.config import conf  # noqa: E402

conf.ipv6_enabled = True
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption  # noqa: E402,F401
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402,F401

from lab import EDGECTL, PATIENCE, TREE, enter, ip, libc, load_module, on_thread, until  # noqa: E402,F401
from tap import Tap  # noqa: E402

ACCESS, AV, INTERNAL, SPARE = "203.0.113.10", "203.0.113.11", "203.0.113.12", "203.0.113.13"
ACCESS6, AV6, INTERNAL6 = "2001:db8:113::10", "2001:db8:113::11", "2001:db8:113::12"
FEDERATION, PIC, CLIENT, MESSENGER = "198.51.100.10", "198.51.100.20", "198.51.100.30", "198.51.100.40"
XMPP, GATEWAY, STRANGER = "198.51.100.50", "198.51.100.60", "192.0.2.66"
FEDERATION6, PIC6, STRANGER6 = "2001:db8:51::10", "2001:db8:51::20", "2001:db8:2::66"

POLICY = f"""
interface add access {ACCESS}
interface add access {ACCESS6}
interface add av {AV}
interface add av {AV6}
interface add internal {INTERNAL}
interface add internal {INTERNAL6}
partner add {FEDERATION} {FEDERATION6} group federation
partner add {PIC} {PIC6} group pic
"""

# What an empty policy says.
DEFAULTS = """interface flush all
mode enforce
unlisted drop
rule enable sip-federation-out sip-federation-in sip-pic-in sip-pic-out sip-client-in av-rtp-out
rule enable av-stun-out av-stun-in xmpp-in xmpp-out xmpp-gateway-in
rule set sip-federation-out peers any
rule set sip-federation-in peers listed
rule set sip-pic-in peers listed
rule set sip-pic-out peers listed
rule set sip-client-in peers any
rule set av-rtp-out peers any
rule set av-stun-out peers any
rule set av-stun-in peers any
rule set xmpp-in peers any
rule set xmpp-out peers any
rule set xmpp-gateway-in peers any
rtp set 50000-59999
rtp match dst
"""

PATHS = {"outside": "ext0", "inside": "int0", "beside": "alt0"}
MACS = {name: f"02:00:00:00:00:{number:02x}" for number, name in
        enumerate(["outside", "ext0", "inside", "int0", "beside", "alt0"], 1)}


class Rig(Tap):
    """The appliance gw, and what goes through it."""

    def __init__(self, policy=POLICY, name="gw"):
        super().__init__()
        load_module()
        self.name = name
        self.build()
        self.sockets = {path: self.listen(path) for path in PATHS}
        self.crowded, self.named, self.begun = None, set(), set()
        self.asks_nobody = False
        self.sysfs = f"/run/{name}-sysfs"
        self.files = {}
        os.makedirs(self.sysfs, exist_ok=True)
        on_thread(self.mount_sysfs)
        self.load(policy)

    def build(self):
        lines = [f"netns add {self.name}"]
        for path, device in PATHS.items():
            lines += [f"link add {path} address {MACS[path]} type veth peer name {device} "
                      f"address {MACS[device]} netns {self.name}",
                      f"link set {path} arp off up"]
        ip(lines)
        sysctls = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                   "net.ipv6.conf.default.accept_dad=0", "net.ipv4.conf.all.accept_source_route=1",
                   "net.ipv6.conf.all.accept_ra=0", "net.ipv4.conf.all.send_redirects=0",
                   "net.ipv4.conf.default.rp_filter=0", "net.ipv4.conf.all.rp_filter=0"]
        sysctls += [f"net.ipv4.conf.{device}.send_redirects=0" for device in PATHS.values()]
        self.run("sysctl", "-qw", *sysctls)
        lines = ["link set lo up"]
        for path, device in PATHS.items():
            lines += [f"link set {device} up",
                      f"neigh add 169.254.0.2 lladdr {MACS[path]} dev {device} nud permanent",
                      f"neigh add fe80::2 lladdr {MACS[path]} dev {device} nud permanent"]
        routes = {"ext0": ["0.0.0.0/0", "::/0"],
                  "int0": ["203.0.113.0/24", "2001:db8:113::/48", "10.0.0.0/24"],
                  "alt0": ["10.66.0.0/16", "2001:db8:66::/48"]}
        for device, targets in routes.items():
            for target in targets:
                via = "fe80::2" if ":" in target else "169.254.0.2"
                lines.append(f"route add {target} via {via} dev {device} onlink")
        lines += ["addr add 192.0.2.1/32 dev ext0", "addr add 2001:db8:2::1/128 dev ext0 nodad"]
        ip(lines, self.name)

    @staticmethod
    def listen(path):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.bind((path, 0))
        sock.setblocking(False)
        return sock

    def mount_sysfs(self):
        enter(self.name)
        if libc.mount(b"sysfs", self.sysfs.encode(), b"sysfs", 0, None):
            raise OSError(ctypes.get_errno(), "mount sysfs")

    def umount_sysfs(self):
        for files in self.files.values():
            for file in files.values():
                os.close(file)
        self.files = {}
        subprocess.run(["umount", self.sysfs], check=True)

    def run(self, *words, **options):
        return subprocess.run(["ip", "netns", "exec", self.name, *words], check=True, **options)

    def edgectl(self, *words):
        self.remember(shlex.join(words))
        subprocess.run([EDGECTL, "-q", "-n", self.name, *words], check=True)

    def json(self, *words):
        return json.loads(subprocess.run([EDGECTL, "-j", "-n", self.name, *words], check=True,
                                         capture_output=True, text=True).stdout)

    def load(self, policy):
        """With NF_EDGE_CROWD, a file of partners that nobody here talks to, among these."""
        if self.crowded:
            self.change(policy)
            return
        self.crowded = os.environ.get("NF_EDGE_CROWD")
        if self.crowded:
            with open(self.crowded, encoding="ascii") as file:
                self.remember(policy)
                policy += "\n" + file.read()
        subprocess.run([EDGECTL, "-q", "-n", self.name, "load", "-"], input=policy, text=True,
                       check=True)

    def remember(self, commands):
        """What has to be undone before there is another policy: words that began a command, and partners."""
        for line in commands.splitlines():
            words = shlex.split(line, comments=True)
            self.begun |= set(words[:1])
            if words[:2] == ["partner", "add"]:
                self.named |= {word for word in words[2:] if "." in word or ":" in word}

    def change(self, policy):
        """As load(), with the crowd left where it is: one command after the other."""
        undo = [line for line in DEFAULTS.splitlines() if line.split()[0] in self.begun]
        if self.named:
            undo.append("partner del " + " ".join(self.named))
        self.named, self.begun = set(), set()
        self.remember(policy)
        for line in undo + policy.splitlines():
            words = shlex.split(line, comments=True)
            if words:
                subprocess.run([EDGECTL, "-q", "-n", self.name, *words], check=True)

    def counters(self, field="packets"):
        """Every row's and every reason's counter, by name. Their files stay open: to open them
        anew for each look took a sixth of a scenario."""
        if field not in self.files:
            base = f"{self.sysfs}/kernel/nf_edge"
            self.files[field] = {name: os.open(path, os.O_RDONLY) for kind in ("rules", "drops")
                                 for name in os.listdir(f"{base}/{kind}")
                                 if os.path.exists(path := f"{base}/{kind}/{name}/{field}")}
        return {name: int(os.pread(file, 32, 0)) for name, file in self.files[field].items()}

    def flows(self):
        return {name: value for name, value in self.counters("flows").items() if value}

    def has(self, name, *modules):
        """Whether the kernel can do what needs these modules; if not, a test is skipped, and says so."""
        missing = [module for module in modules if subprocess.run(["modprobe", "-q", module], check=False).returncode]
        if missing:
            self.skip(name, f"this kernel has no {', '.join(missing)}")
        return not missing

    def doctor(self, check, pattern="", level="problem"):
        """What it finds on gw, and has a remedy for. It asks no name server, which would not answer."""
        if not self.asks_nobody:
            subprocess.run(["mount", "--bind", "/dev/null", os.path.realpath("/etc/resolv.conf")], check=True)
            self.asks_nobody = True
        done = subprocess.run([EDGECTL, "-j", "-n", self.name, "doctor"], capture_output=True, text=True, check=False)
        return [each for each in json.loads(done.stdout) if each["check"] == check and each["level"] == level and
                each["remedy"] and re.search(pattern, each["text"])]

    def sees(self, name, check, pattern, level="problem"):
        """One test: doctor finds it, once."""
        self.check(f"{name}: doctor sees it", len(self.doctor(check, pattern, level)) == 1, *self.doctor(check, "", level))

    def drain(self):
        for sock in self.sockets.values():
            try:
                while True:
                    sock.recv(65536)
            except BlockingIOError:
                pass

    def received(self, wait):
        """The first IP packet that came out of a device of the appliance."""
        end = time.monotonic() + wait
        while True:
            left = end - time.monotonic()
            ready = select.select(self.sockets.values(), [], [], max(left, 0))[0]
            for sock in ready:
                frame, address = sock.recvfrom(65536)
                if address[2] == socket.PACKET_OUTGOING:
                    continue
                packet = Ether(frame)
                if packet.dst in MACS.values() and packet.type in (0x800, 0x86dd):
                    return packet.payload
            if left <= 0:
                return None

    def put(self, packet, enters="outside"):
        """Sends one packet in by a device; bytes are sent as they are, and a frame to where it says."""
        if isinstance(packet, Ether):
            self.sockets[enters].send(bytes(packet))
            return
        if isinstance(packet, bytes):
            kind = 0x86dd if packet[0] >> 4 == 6 else 0x800
            packet = Ether(type=kind) / Raw(packet)
        else:
            packet = Ether(type=0x86dd if isinstance(packet, IPv6) else 0x800) / packet
        packet.src, packet.dst = MACS[enters], MACS[PATHS[enters]]
        self.sockets[enters].send(bytes(packet))

    def send(self, packets, enters="outside", comes=None):
        """(the packet that came out or None, counters that moved) of what is sent.

        comes: whether something is bound to come out; if not, to be dropped. None: either, or
        neither within a second.
        """
        self.drain()
        before = self.counters()
        for packet in packets if isinstance(packets, list) else [packets]:
            self.put(packet, enters)
        end = time.monotonic() + (1 if comes is None else PATIENCE)
        while True:
            out = self.received(0.02)
            after = self.counters()
            moved = {name: after[name] - before[name] for name in after if after[name] != before[name]}
            dropped = any(os.path.isdir(f"{self.sysfs}/kernel/nf_edge/drops/{name}") for name in moved)
            if out is not None or (dropped and not comes) or time.monotonic() > end:
                return out, moved

    def expect(self, name, packet, why, enters="outside"):
        """One test: why is a row (accepted), a reason (dropped) or "pass"."""
        accepted = why == "pass" or os.path.isdir(f"{self.sysfs}/kernel/nf_edge/rules/{why}")
        out, moved = self.send(packet, enters, accepted)
        want = {} if why == "pass" else {why: 1}
        self.check(f"{name}: {why}", (out is not None) == accepted and moved == want,
                   f"came out: {out.summary() if out is not None else None}", f"moved: {moved}")
        return out


def l3(source, target, **fields):
    return (IPv6 if ":" in target else IP)(src=source, dst=target, **fields)


def tcp(source, target, dport, flags="S", sport=40000, **fields):
    return l3(source, target) / TCP(sport=sport, dport=dport, flags=flags, **fields)


def udp(source, target, dport, sport=40000, payload=b"payload"):
    return l3(source, target) / UDP(sport=sport, dport=dport) / Raw(payload)


def back(packet, flags="SA", **fields):
    """The other end's answer to a TCP or UDP packet made by tcp() or udp()."""
    answer = l3(packet.dst, packet.src)
    if TCP in packet:
        return answer / TCP(sport=packet[TCP].dport, dport=packet[TCP].sport, flags=flags,
                            ack=packet[TCP].seq + 1, **fields)
    return answer / UDP(sport=packet[UDP].dport, dport=packet[UDP].sport) / Raw(b"answer")
