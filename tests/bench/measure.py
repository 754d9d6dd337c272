#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Measures the firewalls in the kernel that this runs in, and prints JSON, a line for each figure. A
# unit is what this kernel's clock counts: instructions under QEMU with -icount, else nanoseconds.
#
#   measure.py KO DIRECTORY...	KO: nf_edge_bench.ko; DIRECTORY: as run.py has it made

import json
import os
import resource
import shutil
import subprocess
import sys

from firewalls import FIREWALLS, MOST, NfEdge
from bench import (ACCESS, ACCESS6, AV, EDGECTL, EMPTY, INTERNAL, NOT_OURS, STRANGER, TCP, TRACK, UDP, Bench, Flow, build,
                 establish, libc, load_module, packet, run, sysctl)

CLONE_NEWNET = 0x40000000
SHOTS = 2000		# of one packet; a first packet has as many ports

# (class, flow from the partner or to him)
CLASSES = {
    "sip in": lambda partner: Flow(partner, ACCESS, TCP, 40000, 5061),
    "sip out": lambda partner: Flow(ACCESS, partner, TCP, 40001, 5061),
    "sip client": lambda partner: Flow(partner, ACCESS, TCP, 40002, 443),
    "rtp out": lambda partner: Flow(AV, partner, TCP, 40003, 55555),
    "stun in": lambda partner: Flow(partner, AV, UDP, 40004, 3478),
    "stun out": lambda partner: Flow(AV, partner, UDP, 40005, 3478),
    "xmpp in": lambda partner: Flow(partner, ACCESS, TCP, 40006, 5269),
    "xmpp out": lambda partner: Flow(ACCESS, partner, TCP, 40007, 5269),
    "xmpp gateway": lambda partner: Flow(partner, INTERNAL, TCP, 40008, 23456),
}
OUTWARD = {"sip out", "rtp out", "stun out", "xmpp out"}


class Figures:
    """Prints what is measured, net of what is measured without a firewall."""

    def __init__(self):
        self.without = {}

    def tell(self, what, name, value, **more):
        if name == "none":
            self.without[what] = value
        print(json.dumps({"what": what, "firewall": name, "net": round(value - self.without.get(what, 0), 2),
                          "whole": round(value, 2), **more}), flush=True)


def packets_of(figures, name, world):
    """Every packet that may come, one at a time. name: of the firewall; "none": connection tracking alone."""
    one, empty = world["spread"][0], name == "empty hook"

    def tell(what, bench, shots, outward=False, want=1):
        value, through = bench.run(shots, outward, rounds=max(1, SHOTS * 4 // len(shots)))
        if name not in ("none", "empty hook") and through != want:
            raise ValueError(f"{name}: {what}: {through} of the packets came through")
        figures.tell(what, name, value, partners=world["partners"], edges=world["edges"])

    with Bench(TRACK | (EMPTY if empty else 0)) as bench:
        for kind, flow in CLASSES.items():
            flow, outward = flow(one), kind in OUTWARD
            if establish(bench, [flow], outward) != 1:
                raise ValueError(f"{name}: {kind} cannot be opened")
            tell(f"established, {kind}, from the opener", bench, [flow.packet()], outward)
            tell(f"established, {kind}, to the opener", bench, [flow.packet(True)], not outward)
        foreign = Flow(*NOT_OURS, TCP, 40000, 5061)
        establish(bench, [foreign], False)
        tell("established, not ours", bench, [foreign.packet()])
        ports = range(20000, 20000 + SHOTS)
        tell("first packet, sip in", bench, [packet(one, ACCESS, TCP, port, 5061) for port in ports])
        tell("first packet, sip out", bench, [packet(ACCESS, one, TCP, port, 5061) for port in ports], True)
        tell("a port without row", bench, [packet(one, ACCESS, TCP, port, 25) for port in ports], want=0)
        for kind, edge, addresses in (("", ACCESS, world["spread"]), ("IPv6, ", ACCESS6, world["spread6"])):
            if len(addresses) > 1:
                spread = [Flow(address, edge, TCP, 40000, 5061) for address in addresses]
                establish(bench, spread, False)
                tell(f"established, sip in, {kind}spread", bench, [flow.packet() for flow in spread])
                tell(f"first packet, sip in, {kind}spread", bench,
                     [packet(address, edge, TCP, 30000, 5061) for address in addresses])
    # Connection tracking included: who drops before it, saves it.
    with Bench(0 if name == "none" else TRACK | (EMPTY if empty else 0)) as bench:
        tell("a stranger's SYN to 5061, all included", bench, [packet(STRANGER, ACCESS, TCP, port, 5061) for port in ports],
             want=0)


def cost(function, *arguments):
    """Of the commands that a function runs, user and kernel: in the unit of the clock."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    function(*arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(1e9 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))


def available():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable")) << 10


def bulk(figures, world):
    """Loading, replacing, one change, listing; nf_edge alone."""
    where, more = world["where"], {"partners": world["partners"], "edges": world["edges"]}
    run(EDGECTL, "load", f"{where}/policy.conf")
    figures.tell("replacing", NfEdge.name, cost(run, EDGECTL, "load", f"{where}/policy.conf"), **more)
    run(EDGECTL, "partner", "add", "198.18.0.2/32")
    for what, command in (("one addition", "add"), ("one removal", "del")):
        figures.tell(what, NfEdge.name, cost(run, EDGECTL, "partner", command, "198.18.0.3/32"), **more)
    figures.tell("everybody added", NfEdge.name, cost(run, EDGECTL, "partner", "add", "0.0.0.0/0"), **more)
    figures.tell("everybody removed", NfEdge.name, cost(run, EDGECTL, "partner", "del", "0.0.0.0/0"), **more)
    figures.tell("listing", NfEdge.name, cost(run, EDGECTL, "partner", "list"), **more)


def measure(world, firewall):
    """In a name space of its own, where nothing is left of the firewall before."""
    more = {"partners": world["partners"], "edges": world["edges"]}
    figures = Figures()
    build()
    packets_of(figures, "none", world)
    if not firewall:
        packets_of(figures, "empty hook", world)
        return
    free = available()
    try:
        taken = cost(firewall.load, world["where"])
    except subprocess.CalledProcessError:
        print(f"this kernel does without {firewall.name}")
        return
    figures.tell("loading", firewall.name, taken, **more)
    figures.tell("memory", firewall.name, free - available(), **more)
    packets_of(figures, firewall.name, world)
    if isinstance(firewall, NfEdge):
        bulk(figures, world)


def apart(function, *arguments):
    """Whether a function came to its end in a network name space that goes with it."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        if libc.unshare(CLONE_NEWNET):
            sys.exit("measure: no name space")
        function(*arguments)
        sys.exit(0)
    return os.waitpid(child, 0)[1] == 0


def main():
    load_module()
    run("insmod", sys.argv[1])
    sysctl("net/netfilter/nf_conntrack_max", 1 << 20)
    fine = True
    for where in sys.argv[2:]:
        shutil.copytree(where, "/tmp/world", dirs_exist_ok=True)	# not over the host's file system while it counts
        with open("/tmp/world/world.json", encoding="ascii") as file:
            world = {**json.load(file), "where": "/tmp/world"}
        for firewall in [None] + FIREWALLS:
            if not firewall or world["partners"] <= MOST.get(firewall.name, world["partners"]):
                fine &= apart(measure, world, firewall)
    sys.exit(not fine)


main()
