#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Measures the firewalls in the kernel that this runs in, and prints JSON, a line for each figure, in
# what this kernel's clock counts: instructions under QEMU with -icount (NF_EDGE_ICOUNT), else nanoseconds.
#
#   measure.py KO WORLD...	KO: nf_edge_bench.ko; WORLD: a directory as figures.py has made it
#
#   NF_EDGE_BENCH_FIREWALLS	their names (all)
#
# Whoever is measured has a network name space of his own, where nothing is left of the one before, and is
# measured in turns with another where no firewall is: what the machine does besides, it does to both.

import json
import os
import re
import resource
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time

from firewalls import FIREWALLS
from bench import (ACCESS, AV, EMPTY, INTERNAL, NEWCOMER, NOT_OURS, STRANGER, STRANGERS, TCP, TRACK, UDP, Bench, Flow,
                   build, establish, libc, load_module, packet, run, sysctl)
from nl import Family, attr, generic

CLONE_NEWNET = 0x40000000
COUNTING = bool(os.environ.get("NF_EDGE_ICOUNT"))
# Instructions do not vary; of nanoseconds the median counts.
SHOTS, REPEATS, SPREAD = (512, 1, 4096) if COUNTING else (2048, 9, 16384)
COLD, COLD_SHOTS, COLD_REPEATS = 16 << 20, 32, 15	# bytes, more than a core's own caches hold
FLOOD, CHUNK = 1 << 20, 4096
FLOOR = "empty hook"
# The most partners that are tried with what takes longer than all the rest together.
MOST = {"nftables": {what: 100000 for what in ("replacing", "one addition", "one removal", "listing")}, "iptables": {}}
if COUNTING:
    MOST["nftables"]["loading"] = MOST["iptables"]["replacing"] = 100000
# Memory of fewer is lost in what the kernel keeps in hand.
WEIGHED = 1000000

CLASSES = {
    "sip in": lambda partner, ip: Flow(partner, ACCESS[ip], TCP, 40000, 5061),
    "sip out": lambda partner, ip: Flow(ACCESS[ip], partner, TCP, 40001, 5061),
    "sip client": lambda partner, ip: Flow(partner, ACCESS[ip], TCP, 40002, 443),
    "rtp out": lambda partner, ip: Flow(AV[ip], partner, TCP, 40003, 55555),
    "stun in": lambda partner, ip: Flow(partner, AV[ip], UDP, 40004, 3478),
    "stun out": lambda partner, ip: Flow(AV[ip], partner, UDP, 40005, 3478),
    "xmpp in": lambda partner, ip: Flow(partner, ACCESS[ip], TCP, 40006, 5269),
    "xmpp out": lambda partner, ip: Flow(ACCESS[ip], partner, TCP, 40007, 5269),
    "xmpp gateway": lambda partner, ip: Flow(partner, INTERNAL[ip], TCP, 40008, 23456),
}
OUTWARD = {"sip out", "rtp out", "stun out", "xmpp out"}


class Figures:
    """Prints what is measured of one way of judging, or of FLOOR, in one world."""

    def __init__(self, world, whom):
        self.world, self.whom = world, whom

    def tell(self, what, **more):
        print(json.dumps({"what": what, "whom": self.whom, "partners": self.world["partners"],
                          "edges": self.world["edges"], **more}), flush=True)


class Shooter:
    """Measures packets in two name spaces in turns: where a firewall is, and where none is."""

    def __init__(self, figures, bench, without):
        self.figures, self.bench, self.without = figures, bench, without

    def shoot(self, what, packets, outward=False, rounds=1, want=1, repeats=REPEATS, cold=0):
        net, whole = [], []
        for _ in range(repeats):
            else_ = self.without.run(packets, outward, rounds, cold=cold)
            sent = self.bench.run(packets, outward, rounds, cold=cold)
            if self.figures.whom != FLOOR and sent.through != want:
                raise ValueError(f"{self.figures.whom}: {what}: {sent.through} of the packets came through")
            net.append(sent.ns - else_.ns)
            whole.append(sent.ns)
        self.figures.tell(what, net=round(statistics.median(net), 1), whole=round(statistics.median(whole), 1))

    def establish(self, opening, outward=False):
        for bench in self.bench, self.without:
            if establish(bench, opening, outward) != 1:
                raise ValueError(f"{self.figures.whom}: a flow cannot be opened")


class Sources:
    """Packets of flows from partners all over the table, in no order."""

    def __init__(self, sources, ip):
        flows = [Flow(address, ACCESS[ip], TCP, port, 5061) for address, port in sources[:SPREAD]]
        self.opening = [flow.opening() for flow in flows]
        self.known = [flow.packet() for flow in flows]
        self.new = [flow.first(30000 + flow.ports[0]) for flow in flows]


def few_sources(shooter, partner, ip):
    """A packet, or one port after the other, from one partner."""
    ports = range(20000, 20000 + SHOTS)
    for kind, make in CLASSES.items():
        flow, outward = make(partner, ip), kind in OUTWARD
        shooter.establish([flow.opening()], outward)
        shooter.shoot(f"established, {kind}, from its opener, IPv{ip}", [flow.packet()], outward, SHOTS)
        shooter.shoot(f"established, {kind}, to its opener, IPv{ip}", [flow.packet(True)], not outward, SHOTS)
        shooter.shoot(f"first packet, {kind}, IPv{ip}", [flow.first(port) for port in ports], outward)
    foreign = Flow(*NOT_OURS[ip], TCP, 40000, 5061)
    shooter.establish([foreign.opening()])
    shooter.shoot(f"established, not ours, IPv{ip}", [foreign.packet()], False, SHOTS)
    shooter.shoot(f"first packet, not ours, IPv{ip}", [foreign.first(port) for port in ports])


def many_sources(shooter, sources, ip):
    """Spread; and with nothing in the caches."""
    shooter.establish(sources.opening)
    for what, packets in ("established", sources.known), ("first packet", sources.new):
        shooter.shoot(f"{what}, sip in, spread sources, IPv{ip}", packets)
        if not COUNTING:
            shooter.shoot(f"{what}, sip in, cold caches, IPv{ip}", packets[:COLD_SHOTS],
                          repeats=COLD_REPEATS, cold=COLD)


def dropped(shooter, partner, ip, besides="", rounds=1):
    ports = range(20000, 20000 + SHOTS)
    for what, source, port in (("a stranger's SYN to 5061", STRANGER[ip], 5061), ("a port without row", partner, 25)):
        shooter.shoot(f"dropped, {what}{besides}, IPv{ip}",
                      [packet(source, ACCESS[ip], TCP, sport, port) for sport in ports], rounds=rounds, want=0)


def flood(figures, bench, without):
    """SYNs from strangers beside a call of each class."""
    def speak():
        """(packets that were lost, what one took)"""
        sent = [bench.run([flow.packet(back)], outward != back, 4) for flow, outward in calls for back in (False, True)]
        return sum(round(4 * (1 - one.through)) for one in sent), sum(one.ns for one in sent) / len(sent)

    partners = figures.world["partner"]
    start = int.from_bytes(socket.inet_aton(STRANGERS), "big")
    like = packet(STRANGERS, ACCESS[4], TCP, 40000, 5061)
    strangers = [like[:12] + struct.pack("!I", start + n) + like[16:] for n in range(1 << 16)]
    lost = taken = tracked = spoken = chunks = 0
    calls = [(make(partners[ip], ip), kind in OUTWARD) for kind, make in CLASSES.items() for ip in (4, 6)]
    for flow, outward in calls:
        establish(bench, [flow.opening()], outward)
    before, (_, alone) = entries(), speak()
    for at in range(0, FLOOD, CHUNK):
        sent = bench.run(strangers[at % len(strangers):][:CHUNK])
        missing, one = speak()
        lost, taken, tracked, spoken, chunks = (lost + missing, taken + sent.ns, tracked + CHUNK * sent.tracked,
                                                spoken + one, chunks + 1)
    figures.tell("flood", net=round(taken / chunks - without.run(strangers).ns, 1), syns=FLOOD, tracked=round(tracked),
                 entries=entries() - before, calls=len(calls), packets=chunks * 8 * len(calls), lost=lost,
                 alone=round(alone, 1), beside=round(spoken / chunks, 1))


def entries():
    with open("/proc/sys/net/netfilter/nf_conntrack_count", encoding="ascii") as file:
        return int(file.read())


def name_space():
    if libc.unshare(CLONE_NEWNET):
        sys.exit("measure: no name space")
    build()


def bare(flags):
    """A bench in a name space without a firewall."""
    name_space()
    return Bench(flags)


def packets_of(world, whom, tracked, untracked, elsewhere=None):
    """tracked, untracked: benches where no firewall is, of which one has connection tracking.
    elsewhere: a socket of nf_edge's family in another name space."""
    figures = Figures(world, whom)
    with Bench(TRACK | (EMPTY if whom == FLOOR else 0)) as bench:
        for ip, partner in world["partner"].items():
            few_sources(Shooter(figures, bench, tracked), partner, ip)
            if world["spread"]:
                many_sources(Shooter(figures, bench, tracked), world["spread"][ip], ip)
            # Who drops a packet before connection tracking saves it, so it is included here.
            dropped(Shooter(figures, bench, untracked), partner, ip)
        if elsewhere:
            with elsewhere:
                elsewhere.subscribe("drops")
                for ip, partner in world["partner"].items():	# many: netlink is asked now and then
                    dropped(Shooter(figures, bench, untracked), partner, ip, ", a listener in another namespace", 8)
        if world["flood"]:
            flood(figures, bench, untracked)


def cost(function, *arguments):
    """Of the commands that a function runs: all, and the tool's part and the kernel's, which the
    clock's ticks tell apart, so that they say little of what is short. Where time is measured, all is
    what passed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic_ns()
    function(*arguments)
    passed, after = time.monotonic_ns() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    tool, kernel = (round(1e9 * (getattr(after, name) - getattr(before, name))) for name in ("ru_utime", "ru_stime"))
    return {"net": tool + kernel if COUNTING else passed, "tool": tool, "kernel": kernel}


def free():
    """Bytes of memory that nobody has, not even as a cache, and that which CPUs have put by for themselves; once name
    spaces that went are gone, and grace periods over."""
    last, found = None, 0
    while last is None or abs(found - last) > 128 << 10:
        time.sleep(6)
        sysctl("vm/drop_caches", 3)
        with open("/proc/zoneinfo", encoding="ascii") as file:
            last, found = found, sum(map(int, re.findall(r"(?:nr_free_pages|^ +count:) +(\d+)", file.read(), re.M))) << 12
    return found


def kernel_part(figures):
    """One addition and one removal without a tool: from sending the request to its being done."""
    address, length = NEWCOMER.split("/")
    prefix = attr(12, socket.inet_aton(address)) + attr(13, struct.pack("=I", int(length)))
    with Family("nf_edge") as family:
        for what, number, entry in (("one addition", 8, prefix + attr(15, struct.pack("=I", 1))), ("one removal", 9, prefix)):
            request = family.encode(family.family, generic(number, attr(0x8000 | 17, entry)))
            from_ = time.monotonic_ns()
            family.socket.send(request)
            taken = time.monotonic_ns() - from_
            family.answer()
            figures.tell(f"{what}, the kernel's part", net=taken)


def bulk(figures, firewall):
    """Replacing, one change, listing."""
    most = MOST.get(firewall.name, {})
    for what, function, arguments in (("replacing", firewall.replace, [figures.world["where"]]),
                                      ("one addition", firewall.add, []), ("one removal", firewall.remove, []),
                                      ("listing", firewall.list, [])):
        if figures.world["partners"] <= most.get(what, figures.world["partners"]):
            figures.tell(what, **cost(function, *arguments))
        else:
            figures.tell(what, net=None)
    if firewall.name == "nf_edge":
        kernel_part(figures)


def floor(world):
    benches = bare(TRACK), bare(0)
    name_space()
    packets_of(world, FLOOR, *benches)


def warm(world, firewall):
    """What the first of all pays, nobody pays."""
    name_space()
    firewall.load(world["where"])


def judge(world, firewall):
    benches = bare(TRACK), bare(0)
    elsewhere = Family("nf_edge") if firewall.name == "nf_edge" else None
    name_space()
    figures = Figures(world, firewall.name)
    if world["partners"] > MOST.get(firewall.name, {}).get("loading", world["partners"]):
        for what in ("loading", "memory"):
            figures.tell(what, net=None)
        return
    weighed = world["partners"] >= WEIGHED and not world["quick"]
    before = weighed and free()
    figures.tell("loading", **cost(firewall.load, world["where"]))
    if weighed:
        figures.tell("memory", net=before - free())
    for way in firewall.ways:
        run("conntrack", "-F")
        firewall.turn(world["where"], way)
        packets_of(world, way, *benches, elsewhere)
        elsewhere = None	# once will do
    if world["edges"] == 1 and not world["quick"]:
        bulk(figures, firewall)


def apart(function, *arguments):
    """Whether a function came to its end, in a process that takes its name spaces with it."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        function(*arguments)
        sys.exit(0)
    return os.waitpid(child, 0)[1] == 0


def here(where):
    """A world's files, no more over the host's file system when it counts."""
    shutil.rmtree("/tmp/world", ignore_errors=True)
    shutil.copytree(where, "/tmp/world")
    with open("/tmp/world/world.json", encoding="ascii") as file:
        world = json.load(file)
    sources = {ip: world[f"sources{ip}"] for ip in (4, 6)}
    return {**world, "where": "/tmp/world", "partner": {ip: one[0][0] for ip, one in sources.items()},
            "spread": {ip: Sources(one, ip) for ip, one in sources.items()} if world["edges"] == 1 else None}


def main():
    chosen = os.environ.get("NF_EDGE_BENCH_FIREWALLS")
    chosen = [one for one in FIREWALLS if not chosen or one.name in chosen.split(",")]
    load_module()
    run("insmod", sys.argv[1])
    for module in [module for one in chosen for module in one.modules]:
        subprocess.run(["modprobe", "-q", module], check=False)	# perhaps it is built in
    sysctl("net/netfilter/nf_conntrack_max", 1 << 20)
    sysctl("net/netfilter/nf_conntrack_buckets", 1 << 19)
    fine = True
    for number, where in enumerate(sys.argv[2:]):
        world = here(where)
        if number == 0:
            for firewall in chosen:
                fine &= apart(warm, world, firewall)
        print(f"{world['partners']:,} partners, {world['edges']} Edge addresses", flush=True)
        if world["flood"]:
            fine &= apart(floor, world)
        for firewall in chosen:
            print(f"    {firewall.name}", flush=True)
            fine &= apart(judge, world, firewall)
    sys.exit(not fine)


main()
