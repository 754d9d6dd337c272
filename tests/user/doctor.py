#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""edgectl doctor sees each ailment that it knows, names a remedy, and sees it gone.

    edge ---- int0 [gw: nf_edge] ext0 ---- wan

An ailment is made, looked for and healed; several that do not disturb one another at once.
What a kernel cannot show is told.
"""

import json
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest.mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from lab import EDGECTL, TREE, enter, ip, load_module  # noqa: E402
from tap import Tap  # noqa: E402

SCRATCH, POLICY, UNITS = tempfile.mkdtemp(), "/etc/nf_edge/policy.conf", "/etc/systemd/system"
LINK = f"{UNITS}/sysinit.target.wants/nf_edge.service"
TELLS_HOOKS = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 12)	# Debian's
HEALTHY = """
interface add access 203.0.113.10 dev ext0
interface add av 203.0.113.10
interface add access 2001:db8:113::10 dev ext0
partner add 198.51.100.10 2001:db8:51::/48
partner add 198.51.100.20 group pic
"""


REMEDIES = {
    "a flowtable": "nft -a list table inet fw; its rules that say \"flow add @ft\" must spare 203.0.113.10 2001:db8:113::10",
    "nobody is listed": "edgectl rule disable sip-pic-in sip-pic-out",
    "connection tracking nearly full": "sysctl net.netfilter.nf_conntrack_max=20",
    "a silent name server that a partner needs": "edgectl partner refresh contoso.com",
    "no device": "printf '%s\\n' 'interface del internal 203.0.113.30' 'interface add internal 203.0.113.30 dev ",
    "no route": "ip route add 203.0.113.32 dev ",
    "a partner behind another device":
        "printf '%s\\n' 'interface del access 203.0.113.10' 'interface del av 203.0.113.10' 'interface add access "
        "203.0.113.10 dev int0' 'interface add av 203.0.113.10 dev int0' | edgectl load --merge -",
    "bound to a bridge's port": "'interface add internal 203.0.113.33 dev br0' | edgectl load --merge -",
    "bound to a VRF's member": "'interface add internal 203.0.113.34' | edgectl load --merge -",
    "a broken file": f"edgectl check {POLICY}",
    "no unit": "systemctl enable nf_edge.service",
}


def run(*words, good=True, **options):
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if good and done.returncode:
        raise RuntimeError(f"{words}: {done.stderr}")
    return done


def edgectl(*words, **options):
    return run(EDGECTL, "-q", *words, **options)


def load(text):
    edgectl("load", "-", input=text)


def nft(text):
    return lambda: run("nft", "-f", "-", input=text)


def change(*words):
    return lambda: edgectl(*words)


def command(*words):
    return lambda: run(*words)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def doctor(*before):
    """Its exit status and findings."""
    done = run(*before, EDGECTL, "-j", "doctor", good=False)
    return done.returncode, json.loads(done.stdout)


def matching(findings, check, pattern, level="problem"):
    return [finding for finding in findings if finding["check"] == check and finding["level"] == level and
            re.search(pattern, finding["text"])]


def ail(name, check, pattern, make=None, heal=None, line=""):
    """What makes it and what heals it, or a line more in the policy."""
    return name, check, pattern, make, heal, line


def treat(*ailments, meanwhile=lambda: None):
    """Makes them all, looks, heals them all, the last one first, and looks again."""
    lines = [line for *_, line in ailments if line]
    load(HEALTHY + "\n".join(lines))
    for *_, make, _, _ in ailments:
        if make:
            make()
    status, findings = doctor()
    for name, check, pattern, *_ in ailments:
        found = matching(findings, check, pattern)
        tap.check(f"{name}: seen, with a remedy", len(found) == 1 and found[0]["remedy"] and status == 1, status,
                  *findings)
        tap.check("... that has the right names in it", found and REMEDIES.get(name, "") in found[0]["remedy"],
                  REMEDIES.get(name), *found)
    meanwhile()
    load(HEALTHY)
    for *_, heal, _ in reversed(ailments):
        if heal:
            heal()
    status, findings = doctor()
    for name, check, pattern, *_ in ailments:
        tap.check(f"{name}: healed, and gone", not matching(findings, check, pattern), *findings)
    problems = [finding for finding in findings if finding["level"] == "problem"]
    tap.check("nothing else is wrong", status == 0 and not problems, *problems)


class Resolver:
    """Answers every question with itself."""

    def start(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self.serve, args=[self.socket], daemon=True).start()

    @staticmethod
    def serve(sock):
        while True:
            question, asker = sock.recvfrom(512)
            if question == b"stop":
                sock.close()
                return
            sock.sendto(question[:2] + b"\x81\x80" + question[4:], asker)

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"stop", ("127.0.0.1", 53))
        while self.socket.fileno() >= 0:
            pass


def furnish():
    """A machine that comes back after a reboot, as far as this mount name space is concerned."""
    for path in (os.path.dirname(POLICY), UNITS):
        os.makedirs(path, exist_ok=True)
        run("mount", "-t", "tmpfs", "doctor", path)
    os.makedirs(os.path.dirname(LINK))
    write(f"{SCRATCH}/resolv.conf", "nameserver 127.0.0.1\n")
    run("touch", "/etc/resolv.conf")
    run("mount", "--bind", f"{SCRATCH}/resolv.conf", os.path.realpath("/etc/resolv.conf"))


def check_waits():
    """A policy that somebody has yet to confirm."""
    with open(POLICY, encoding="utf-8") as file:
        text = file.read()
    for name, end in ("confirmed", "confirm"), ("taken back", "revert"):
        edgectl("load", "--confirm", "60", "-", input=text + "rule disable xmpp-in\n")
        status, findings = doctor()
        found = matching(findings, "policy", r"^the policy in force is taken back in (60|5\d) s unless it is confirmed$")
        tap.check("a policy that waits to be confirmed: seen, with both ways out", len(found) == 1 and status == 1 and
                  all(f"edgectl {word}" in found[0]["remedy"] for word in ("confirm", "revert")), status, *findings)
        edgectl(end)
        _, findings = doctor()
        tap.check(f"... {name}, and gone", not matching(findings, "policy", "taken back"), *findings)
        load(text)


def follows(family, name, devices, all_=1):
    """What makes a machine follow the ways that packets choose: on these devices, if on all."""
    return command("sysctl", "-qw", f"net.{family}.conf.all.{name}={all_}",
                   *(f"net/{family}/conf/{device}/{name}={int(device in devices)}"
                     for device in ("default", *os.listdir(f"/proc/sys/net/{family}/conf")) if device != "all"))


def chosen(name, family, sysctl):
    """On two devices, of all that there are; healed by all."""
    if not os.path.exists(f"/proc/sys/net/{family}/conf/all/{sysctl}"):
        tap.skip(name, f"this kernel has no net.{family}.conf.all.{sysctl}")
        return []
    return [ail(name, "route", rf"\({sysctl} on (ext0,int0|int0,ext0)\)", follows(family, sysctl, ("ext0", "int0")),
                follows(family, sysctl, ("ext0", "int0"), 0))]


def check_rebinding():
    """The remedy of a device that is gone, done as it stands."""
    load(HEALTHY + "interface add internal 203.0.113.30 dev nosuch0\n")
    found = matching(doctor()[1], "device", "no such device")
    environment = {**os.environ, "PATH": f"{os.path.dirname(EDGECTL)}:{os.environ['PATH']}"}
    done = run("sh", "-c", found[0]["remedy"], good=False, env=environment)
    _, findings = doctor()
    tap.check("a remedy is done as it stands, and helps", done.returncode == 0
              and not matching(findings, "device", "nosuch0"), done, *findings)
    load(HEALTHY)


def check_silent():
    """A resolver that no partner needs is no problem, and unlisted pass no remedy for it."""
    resolver.stop()
    status, findings = doctor()
    tap.check("a silent name server that no partner needs is a fact", status == 0
              and matching(findings, "dns", "no partner comes from a domain", "fact")
              and not any("unlisted pass" in (each["remedy"] or "") for each in findings), status, *findings)
    resolver.start()


def check_no_device():
    """All alone do not follow."""
    follows("ipv4", "accept_source_route", ())()
    _, findings = doctor()
    tap.check("source routes, on no device", not matching(findings, "route", ""), *findings)
    follows("ipv4", "accept_source_route", (), 0)()


def install_unit():
    write(f"{UNITS}/nf_edge.service", "[Service]\nExecStart=edgectl load\n")
    os.symlink("../nf_edge.service", LINK)


def build():
    ip(["netns add gw", "netns add edge", "netns add wan",
        "link add int0 netns gw type veth peer name eth0 netns edge",
        "link add ext0 netns gw type veth peer name eth0 netns wan",
        "link add alt0 netns gw type veth peer name eth1 netns wan"])
    for peer in ("edge", "wan"):
        ip(["link set eth0 up"], peer)
    ip(["link set eth1 up"], "wan")
    ip(["link set lo up", "link set int0 up", "link set ext0 up", "link set alt0 up",
        "link add br0 type bridge", "link set br0 up", "link add p0 type dummy", "link add p1 type dummy",
        "link set p0 master br0 up", "link set p1 master br0 up", "addr add 203.0.114.1/24 dev br0",
        "addr add 203.0.113.1/24 dev int0", "addr add 2001:db8:113::1/64 dev int0 nodad",
        "addr add 192.0.2.1/30 dev ext0", "addr add 2001:db8:2::1/64 dev ext0 nodad",
        "route add default via 192.0.2.2", "route add default via 2001:db8:2::2"], "gw")
    enter("gw")
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")


def on_terminal(**environment):
    """What it writes to one."""
    ours, theirs = pty.openpty()
    subprocess.run([EDGECTL, "doctor"], stdout=theirs, env={"TERM": "xterm", **environment}, check=False)
    os.close(theirs)
    written = b""
    try:
        while data := os.read(ours, 4096):
            written += data
    except OSError:
        pass
    os.close(ours)
    return written.decode()


def possible(name, *words, **options):
    """Whether the kernel can; if not, that is told."""
    done = run(*words, good=False, **options)
    if done.returncode:
        tap.skip(name, f"this kernel cannot: {done.stderr.strip().splitlines()[:1]}")
    return not done.returncode


def check_br_netfilter():
    """The bridge carries the traffic still, and br_netfilter hands it to the gates."""
    if not possible("br_netfilter sees bridged traffic", "modprobe", "br_netfilter"):
        return
    _, findings = doctor()
    tap.check("br_netfilter sees bridged traffic", not matching(findings, "bridge", ""), *findings)
    run("rmmod", "br_netfilter")


def check_versions():
    """A module that says that it is of another."""
    ko = os.environ.get("NF_EDGE_KO") or os.path.join(TREE, "nf_edge.ko")
    version = edgectl("--version").stdout.split()[1].encode()
    other = version[:-1] + b"x"
    with open(ko, "rb") as file, open(f"{SCRATCH}/nf_edge.ko", "wb") as changed:
        changed.write(file.read().replace(version + b"\0", other + b"\0"))
    with unittest.mock.patch.dict(os.environ, NF_EDGE_KO=f"{SCRATCH}/nf_edge.ko"):
        load_module()
    status, findings = doctor()
    tap.check("module and tool of two versions", status == 1 and
              matching(findings, "module", f"the module is version {other.decode()}, edgectl {version.decode()}"), *findings)
    tap.check("no Edge address", matching(findings, "policy", "no Edge address"), *findings)
    run("rmmod", "nf_edge")


def check_bare():
    """No module, no policy, nothing that would bring them."""
    status, findings = doctor()
    tap.check("without the module: the first finding, and how to load it", status == 1 and
              findings[0]["check"] == "module" and "modprobe" in findings[0]["remedy"], status, *findings)
    for what in ("there is no /etc/nf_edge/policy.conf", "no nf_edge.service is enabled"):
        tap.check(what, len(matching(findings, "reboot", what)) == 1, *findings)


def check_healthy():
    """With others' hooks about, and a table raw that harms nobody."""
    run("nft", "-f", "-", input="table ip fw { chain through { type filter hook forward priority -5; }\n}")
    legacy = not run("iptables-legacy", "-t", "raw", "-S", good=False).returncode
    status, findings = doctor()
    for finding in findings:
        print(f"# {finding['level']}: {finding['text']}")
    problems = [each for each in findings if each["level"] == "problem"]
    tap.check("all is well", status == 0 and not problems, status, *problems)
    tap.check("a finding's shape", findings and all(
        list(each) == ["level", "check", "text", "remedy"] for each in findings), *findings)
    tap.check("this kernel tells its hooks, or that is told", len(matching(
        findings, "hooks", "this kernel does not tell", "unseen")) == (not TELLS_HOOKS), *findings)
    tap.check("who is hooked in before and behind, where the kernel tells", len(matching(
        findings, "hooks", r"^forward, IPv4: chain ip fw through \(-5\), nf_edge \(0\)", "fact")) == TELLS_HOOKS, *findings)
    tap.check("iptables-legacy's table raw, where the kernel has one", len(matching(
        findings, "notrack", "raw of iptables-legacy", "unseen")) == legacy, *findings)
    print(f"# iptables-legacy: {legacy}; hooks: {TELLS_HOOKS}")


tap = Tap()
run("rmmod", "nf_edge", good=False)
build()
furnish()
resolver = Resolver()
resolver.start()
check_bare()
install_unit()
check_versions()
load_module()
load(HEALTHY)
edgectl("save", POLICY)
check_healthy()
check_waits()

flowtable = """table inet fw {
 flowtable ft { hook ingress priority 0; devices = { int0, ext0 }; }
 chain through { type filter hook forward priority 5; ct state established flow add @ft; }
}"""
can_offload = possible("flowtables", "nft", "-c", "-f", "-", input=flowtable)
write(f"{SCRATCH}/max", "10\n")
ailments = [	# the file's first, that it is saved last, when all else is healed
    ail("another policy in the file", "reboot", "is not the policy in force",
        lambda: write(POLICY, HEALTHY + "partner add 198.51.100.99\n"), change("save", POLICY)),
    ail("audit", "policy", "^mode audit", line="mode audit"),
    ail("nobody is listed", "policy", "no partner is in group pic: .* sip-pic-in sip-pic-out$",
        change("partner", "flush", "group", "pic")),
    ail("a notrack rule", "notrack", "chain inet raw pre ",
        nft("table inet raw { chain pre { type filter hook prerouting priority raw; udp dport 53 notrack; }\n}"),
        nft("delete table inet raw")),
    ail("iptables' notrack", "notrack", "chain ip raw PREROUTING ",
        command("iptables-nft", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "-j", "CT", "--notrack"),
        nft("delete table ip raw")),
    ail("connection tracking nearly full", "conntrack", r"\d+ of 10 connections",
        command("mount", "--bind", f"{SCRATCH}/max", "/proc/sys/net/netfilter/nf_conntrack_max"),
        command("umount", "/proc/sys/net/netfilter/nf_conntrack_max")),
    ail("a silent name server that a partner needs", "dns", "no name server .*: the partners of contoso.com stay",
        resolver.stop, resolver.start, line="partner add 198.51.100.30 domain contoso.com"),
    ail("a unit that is not enabled", "reboot", "no nf_edge.service is enabled",
        lambda: os.unlink(LINK), lambda: os.symlink("../nf_edge.service", LINK)),
]
if can_offload:
    ailments.append(ail("a flowtable", "offload", "inet fw ft .*ext0.*past netfilter", nft(flowtable),
                        nft("delete table inet fw")))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:	# nine connections
    for port in range(9):
        sock.sendto(b"", ("127.0.0.1", 10000 + port))
    treat(*ailments)

treat(ail("a broken file", "reboot", POLICY + ":1: .*nonsense", lambda: write(POLICY, "nonsense\n"),
          change("save", POLICY)),
      ail("off", "policy", "^mode off", line="mode off"),
      ail("no device", "device", "internal 203.0.113.30 is bound to nosuch0, and there is no such device",
          line="interface add internal 203.0.113.30 dev nosuch0"),
      ail("a device that is down", "device", "bound to alt0, which is down",
          command("ip", "link", "set", "alt0", "down"), command("ip", "link", "set", "alt0", "up"),
          line="interface add internal 203.0.113.31 dev alt0"),
      ail("no route", "device", "no route to internal 203.0.113.32",
          command("ip", "route", "add", "unreachable", "203.0.113.32"),
          command("ip", "route", "del", "203.0.113.32"), line="interface add internal 203.0.113.32"),
      ail("an Edge address among its remote parties", "device", "internal 203.0.115.10 lies behind a gateway on ext0",
          line="interface add internal 203.0.115.10 dev ext0"),
      ail("a partner behind another device", "device",
          "access,av 203.0.113.10 is bound to ext0, and partner 198.51.100.10/32 is behind int0",
          command("ip", "route", "add", "198.51.100.10", "via", "203.0.113.9"),
          command("ip", "route", "del", "198.51.100.10")),
      ail("another one, IPv6", "device", "access 2001:db8:113::10 .* partner 2001:db8:51::/48 is behind int0",
          command("ip", "route", "add", "2001:db8:51::/48", "dev", "int0"),
          command("ip", "route", "del", "2001:db8:51::/48")),
      ail("no unit", "reboot", "no nf_edge.service", lambda: os.rename(f"{UNITS}/nf_edge.service", f"{UNITS}/away"),
          lambda: os.rename(f"{UNITS}/away", f"{UNITS}/nf_edge.service")),
      ail("bound to a bridge's port", "device", "internal 203.0.113.33 .* p0, a port of bridge br0",
          line="interface add internal 203.0.113.33 dev p0"),
      ail("a tc redirect", "bypass", "ingress of alt0 redirects packets to int0",
          command("sh", "-c", "tc qdisc add dev alt0 clsact; "
                  "tc filter add dev alt0 ingress matchall action mirred egress redirect dev int0"),
          command("tc", "qdisc", "del", "dev", "alt0", "clsact")),
      ail("nft fwd", "bypass", r"rule \d+ of chain netdev past in sends packets out of a device",
          nft("table netdev past { chain in { type filter hook ingress device alt0 priority 0; fwd to int0; }\n}"),
          nft("delete table netdev past")),
      ail("IPVS without tracking", "ipvs", "passes on from 203.0.113.10 to 203.0.113.20 from connection tracking",
          command("sh", "-c", "ipvsadm -A -t 203.0.113.10:5061; ipvsadm -a -t 203.0.113.10:5061 -r 203.0.113.20 -g"),
          command("ipvsadm", "-C")),
      ail("bound to a VRF's member", "device", "internal 203.0.113.34 is bound to m0, a member of VRF vrf0",
          command("sh", "-c", "ip link add vrf0 type vrf table 10; ip link add m0 master vrf0 type dummy; ip link set m0 up"),
          command("sh", "-c", "ip link del m0; ip link del vrf0"), line="interface add internal 203.0.113.34 dev m0"),
      ail("a bridge that carries the traffic past", "bridge", "br0 carries internal 203.0.114.10",
          line="interface add internal 203.0.114.10 dev br0"),
      *chosen("source routes", "ipv4", "accept_source_route"),
      *chosen("segment routing", "ipv6", "seg6_enabled"),
      *chosen("RPL's routing headers", "ipv6", "rpl_seg_enabled"),
      meanwhile=check_br_netfilter)
check_no_device()
check_rebinding()
check_silent()
status, findings = doctor("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                          "--bounding-set", "-all")
unseen = [each["check"] for each in findings if each["level"] == "unseen" and "root" in each["text"]]
tap.check("who is not root is told what he does not see", status == 0 and
          unseen[:3] == ["hooks", "offload", "notrack"] and unseen[-1] == "reboot", status, *findings)

edgectl("mode", "audit")
plain = run(EDGECTL, "doctor", good=False).stdout
tap.check("a line for each finding, its remedy in it", re.search(
    "^problem: mode audit: .*; remedy: edgectl mode enforce$", plain, re.M), plain)
tap.check("colour on a terminal", "\033[31mproblem\033[0m: mode audit" in on_terminal())
quiet = on_terminal(NO_COLOR="1")
tap.check("none by NO_COLOR, in a pipe", "\033" not in quiet + plain and "problem: mode audit" in quiet, quiet)
shutil.rmtree(SCRATCH)
tap.done()
