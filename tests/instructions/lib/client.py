#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes hostile requests, and prints what each takes in the kernel, as JSON, a line for each.

  client.py KO [PART...]    KO: nf_edge_probe.ko; PART: a method of Cases, all of them by default

  NF_EDGE_STRETCHES_PARTNERS   of the large table (1,000,000)
  NF_EDGE_STRETCHES_LIST       entries of the largest list (16,384)
  NF_EDGE_STRETCHES_PROFILE    not empty: says where the time of the longest stretches went
"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
import lab  # noqa: E402
from crowd import Crowd, load  # noqa: E402
from genl import Genl, Spec  # noqa: E402
from nl import DUMP, NESTED, Refused, attr  # noqa: E402

PARTNERS = int(os.environ.get("NF_EDGE_STRETCHES_PARTNERS", 1000000))
LIST = int(os.environ.get("NF_EDGE_STRETCHES_LIST", 16384))
PROFILE = bool(os.environ.get("NF_EDGE_STRETCHES_PROFILE"))
BLOCKS = 65536				# the most that there may be
DUPLICATES, DOMAINS, CROWDED = min(4000, LIST), min(500, LIST), 40
FIRST, STEP = 0x0A000001, 7		# the large table's hosts
OTHERS = 0x64000001			# hosts that are not in it
HALF = 0x00000000			# 0.0.0.0/1
CLONE_NEWNET = 0x40000000
PARTS = "lists", "domains", "listings", "decisions", "flushes", "sizes", "blocks", "copies", "rest", "ends"


class Probe:
    """The module that counts."""

    def __init__(self, ko):
        with open("/proc/kallsyms", encoding="ascii") as file:
            address = next(line.split()[0] for line in file if " edge_net_id\t[nf_edge]" in line)
        subprocess.run(["insmod", ko, f"edge_net_id_at=0x{address}", f"profile={int(PROFILE)}"], check=True)
        self.file = os.open("/dev/nf_edge_probe", os.O_RDWR)

    def start(self):
        os.write(self.file, b"start")

    def look(self):
        found, samples = {}, {}
        os.lseek(self.file, 0, os.SEEK_SET)
        text = b""
        while piece := os.read(self.file, 1 << 16):
            text += piece
        for line in text.decode().splitlines():
            side, what, *rest = line.split("|")
            if what.startswith("sample-"):
                where = samples.setdefault(f"{side} {what[7:]}", {})
                where[rest[0]] = where.get(rest[0], 0) + 1
            else:
                found[f"{side} {what}"] = [int(rest[0])] + rest[1:]
        return found, samples

    def stop(self):
        """What was found, when no work is under way any more."""
        for _ in range(4):
            time.sleep(0.1)		# a work that was queued begins
            while "works running" in self.look()[0]:
                time.sleep(0.05)
        return self.look()


class Cases:
    """The requests, each a method; in the order in which they stand, on what the one before left."""

    def __init__(self, probe):
        self.probe = probe
        self.spec = Spec()
        self.crowd = Crowd(self.spec)
        self.genl = Genl(self.spec).roomy()

    def case(self, title, action, /, *arguments, **values):
        self.probe.start()
        refused = self.quietly(action, *arguments, **values)
        self.tell(title, refused)

    def tell(self, title, refused=None):
        found, samples = self.probe.stop()
        print(json.dumps({"case": title, "refused": refused, "found": found, "samples": samples}), flush=True)

    @staticmethod
    def quietly(action, /, *arguments, **values):
        try:
            action(*arguments, **values)
        except Refused as refused:
            return str(refused)
        return None

    def listing(self, **values):
        """Reads it to its end, and does not look."""
        op = self.spec.ops["partner-get"]
        sock = self.genl.socket
        sock.send(self.genl.encode(self.genl.family, struct.pack("=BBH", op.value, 1, 0) + self.spec.pack(op.set, values), DUMP))
        while True:
            kind = struct.unpack_from("=H", sock.recv(1 << 17), 4)[0]
            if kind in (2, 3):
                return

    def command(self, name, payload):
        """As do(); whoever is to blame for a refusal is not looked for among so many."""
        self.genl.command(self.spec.ops[name].value, payload)

    def large(self):
        load(self.genl, self.crowd.lists(FIRST, PARTNERS, STEP))

    def add(self, payload, tolerant=True):
        self.command("partner-add", payload + (self.crowd.tolerant if tolerant else b""))

    def delete(self, payload, tolerant=True):
        self.command("partner-del", payload + (self.crowd.tolerant if tolerant else b""))

    def run(self, *chosen):
        self.loads()
        for part in chosen or PARTS:
            getattr(self, part)()

    def loads(self):
        do, crowd = self.genl.do, self.crowd
        lists = list(crowd.lists(FIRST, PARTNERS, STEP))
        self.genl.do("interface-add", {"role": "access", "address": "203.0.113.10"})
        do("begin")
        for payload in lists[:-1]:
            do("partner-add", payload)
        self.case("the last list of a load", do, "partner-add", lists[-1])
        self.case("a commit into an empty policy", do, "commit", {"open": True})

    def lists(self):
        crowd = self.crowd
        half = crowd.hosts(HALF, 1, bits=1)
        self.add(half)
        self.case("4,000 times 0.0.0.0/1, there already", self.add, half * DUPLICATES)
        self.case("4,000 times 0.0.0.0/1, to be deleted, there once", self.delete, crowd.gone(HALF, 1, bits=1) * DUPLICATES)
        self.case("4,000 times 0.0.0.0/1, not there", self.add, half * DUPLICATES)
        self.case("4,000 times 0.0.0.0/1, each with another name", self.add,
                  b"".join(crowd.entry(HALF, 1, groups=["pic"], name=f"name {n}") for n in range(DUPLICATES)))
        self.case("the largest list there already", self.add, crowd.hosts(FIRST, LIST, STEP))
        self.case("the largest list there already, refused", self.add, crowd.hosts(FIRST, LIST, STEP), False)
        new = crowd.hosts(OTHERS, LIST, 3)
        self.case("the largest list of new ones, and the last is refused", self.add,
                  crowd.hosts(OTHERS, LIST - 1, 3) + crowd.hosts(FIRST, 1), False)
        self.case("the largest list of new ones", self.add, new, False)
        self.case("the largest list to be deleted, and the last is refused", self.delete,
                  crowd.gone(OTHERS, LIST - 1, 3) + crowd.gone(OTHERS - 1, 1), False)
        self.case("the largest list to be deleted", self.delete, crowd.gone(OTHERS, LIST, 3), False)
        nested = b"".join(crowd.hosts(0x0A000000 + (n << 12 & 0xFFFFFF) & ~((1 << 32 - bits) - 1), 1, bits=bits)
                          for n, bits in ((n, n % 24 + 8) for n in range(LIST)))
        self.case("the largest list of nested prefixes", self.add, nested)
        # Below 96.0.0.0: some of the others are nobody's.
        short = [(bits, (1 << bits) * 3 // 8) for bits in range(3, min(13, LIST.bit_length() - 1))]
        self.case("short prefixes get groups", self.add,
                  b"".join(crowd.hosts(0, count, 1 << 32 - bits, bits, groups=["pic", "xmpp"]) for bits, count in short))
        self.case("short prefixes go", self.delete, b"".join(crowd.gone(0, count, 1 << 32 - bits, bits) for bits, count in short))
        self.case("twice the largest list of a container", self.add, half * (LIST * 2))
        self.case("the largest list, malformed at its end", self.add, new + crowd.hosts(0x0A000001, 1, bits=8))
        row = attr(self.spec.sets["edge"]["entry"].value | NESTED,
                   self.spec.pack("rule-entry", {"row": "xmpp-in", "enabled": 1}))
        self.case("as many attributes as a container's message may have", self.command, "partner-add", crowd.tolerant * 100000)
        self.case("a row set as often as a list can say", self.command, "rule-set", row * LIST)

    def domains(self):
        crowd = self.crowd
        self.case("500 domains of one prefix, in a list", self.add, crowd.domains(HALF, 1, DOMAINS))
        self.add(crowd.domains(HALF, 1, 1024 - DOMAINS, DOMAINS))
        self.case("a prefix of 1,024 domains is described", self.listing, address="1.2.3.4")
        self.case("a prefix of 1,024 domains goes", self.delete, crowd.gone(HALF, 1, bits=1))
        for n in range(CROWDED):
            self.add(crowd.domains(OTHERS + n, 32, 1024))
        self.case("prefixes of many domains, listed for another", self.listing, domain="nobody.example")
        self.case("prefixes of many domains are flushed", self.genl.do, "partner-flush", {"groups": ["pic"]})
        self.case("prefixes of many domains go", self.delete, crowd.gone(OTHERS, CROWDED))

    def listings(self):
        for what, values in {"name": {"name": "nobody"}, "domain": {"domain": "nobody.example"},
                             "group": {"groups": ["messenger"]}, "time": {"idle": 0xffffffff},
                             "address": {"address": "223.255.255.255"}}.items():
            self.case(f"a listing that no {what} matches", self.listing, **values)
        self.case("a listing of all", self.listing)

    def decisions(self):
        do, crowd = self.genl.do, self.crowd
        do("begin")
        for payload in crowd.lists(FIRST, PARTNERS, STEP):
            do("partner-add", payload)
        self.case("a commit that says what is in force", do, "commit", {"open": True})
        do("begin")
        for payload in crowd.lists(FIRST + 1, PARTNERS, STEP):
            do("partner-add", payload)
        self.case("a commit to be confirmed", do, "commit", {"confirm": 1000, "open": True})
        self.case("a large policy comes back", do, "revert")
        do("begin")
        do("partner-add", crowd.hosts(FIRST, 1) + crowd.tolerant)
        do("commit", {"confirm": 1000, "open": True})
        self.case("a small policy is confirmed, and the large one goes", do, "confirm")
        self.large()
        do("begin")
        do("partner-add", crowd.hosts(FIRST, 1) + crowd.tolerant)
        do("commit", {"confirm": 1, "open": True})
        self.probe.start()
        generation = do("status-get")["generation"]
        lab.until(lambda: do("status-get")["generation"] != generation)
        self.tell("a large policy comes back by itself")

    def flushes(self):
        do = self.genl.do
        self.case("a group is flushed that nobody is in", do, "partner-flush", {"groups": ["messenger"]})
        for payload in self.crowd.lists(FIRST, PARTNERS // 2, STEP * 2, groups=["pic"]):
            do("partner-add", payload)
        self.case("a group is flushed that half are in", do, "partner-flush", {"groups": ["pic"]})
        self.case("a group is flushed that all are in", do, "partner-flush", {"groups": ["federation"]})
        self.large()
        self.case("all partners are flushed", do, "partner-flush")

    def sizes(self):
        """The tree's root is built anew when twice as many are there as it was built for, or a quarter."""
        crowd = self.crowd
        load(self.genl, crowd.lists(FIRST, PARTNERS // 2, STEP * 2))
        count = 0
        for payload in crowd.lists(FIRST + 1, PARTNERS // 2, STEP * 2):
            count += LIST
            if count + LIST < PARTNERS // 2:
                self.genl.do("partner-add", payload)
            else:
                self.case(f"additions until the root is built anew, {count // LIST}", self.genl.do, "partner-add", payload)
        self.case("more additions", self.add, crowd.hosts(OTHERS, LIST))
        self.large()
        left = PARTNERS
        for at in range(0, PARTNERS, LIST):
            size = min(LIST, PARTNERS - at)
            payload = crowd.gone(FIRST + STEP * at, size, STEP)
            left -= size
            if PARTNERS // 4 - 2 * LIST < left < PARTNERS // 4 + LIST or left < LIST:
                self.case(f"deletions, {left} left", self.delete, payload)
            else:
                self.delete(payload)

    def blocks(self):
        """As many as there may be."""
        do, command, crowd = self.genl.do, self.command, self.crowd
        for at in range(0, BLOCKS, LIST):
            payload = crowd.gone(FIRST + STEP * at, min(LIST, BLOCKS - at), STEP)
            if at + LIST < BLOCKS:
                command("block-add", payload)
        self.case("the last list of blocks", command, "block-add", payload)
        self.case("a block too many", command, "block-add", crowd.gone(OTHERS, 1))
        self.case("a list of blocks there already", command, "block-add", payload + crowd.tolerant)
        self.case("a listing of blocks that no address matches", self.genl.dump, "block-get", {"address": "223.255.255.255"})
        self.case("blocks listed", self.genl.dump, "block-get")
        self.case("a block goes", command, "block-del", crowd.gone(FIRST, 1))
        self.case("a block comes", command, "block-add", crowd.gone(FIRST, 1))
        self.case("all blocks go", do, "block-flush")
        self.case("all blocks come back", do, "undo")
        do("block-flush")

    def copies(self):
        """What is kept of a large policy, to be brought back or to be changed elsewhere."""
        do, crowd = self.genl.do, self.crowd
        self.large()
        self.add(crowd.hosts(OTHERS, LIST, 3), False)
        self.case("the largest list is undone", do, "undo")
        self.case("the largest list is undone, and comes again", do, "undo")
        do("partner-flush")
        self.case("a flush is undone", do, "undo")
        self.case("a flush is undone, and all go again", do, "undo")
        do("undo")
        self.case("a large policy is copied", do, "begin", {"copy": True})
        self.case("one more in the copy", do, "partner-add", crowd.hosts(OTHERS + 1, 1))
        self.case("the copy is listed", self.listing, staged=True)
        self.case("the copy is committed", do, "commit", {"open": True})
        do("begin", {"copy": True})
        self.case("a copy ends", do, "abort")

    def rest(self):
        """What has nothing to do with partners."""
        do = self.genl.do
        self.large()
        do("begin")
        for n in range(4095):
            do("interface-add", {"role": "access", "address": f"198.18.{n >> 8}.{n & 255}" if n else "198.19.0.1"})
        self.case("the last Edge address of 4,096", do, "interface-add", {"role": "access", "address": "198.20.0.1", "dev": "ext0"})
        do("commit", {"open": True})
        self.case("Edge addresses listed", self.genl.dump, "interface-get")
        self.case("Edge addresses flushed", do, "interface-flush")
        self.large()
        self.case("the status", do, "status-get")
        self.case("a setting", do, "status-set", {"mode": "audit"})
        self.case("rows listed", self.genl.dump, "rule-get")
        self.case("drops listed", self.genl.dump, "drop-get")
        self.case("counters reset", do, "stats-reset")

    def half_filled(self):
        genl = Genl(self.spec).roomy()
        genl.do("begin")
        for payload in self.crowd.lists(FIRST, PARTNERS // 2, STEP):
            genl.do("partner-add", payload)
        return genl

    def thousand(self):
        """A process with many sockets, each with a transaction."""
        child = os.fork()
        if child:
            return child
        kept = []
        for n in range(200):
            genl = Genl(self.spec).roomy()
            genl.do("begin")
            genl.do("partner-add", self.crowd.hosts(FIRST, min(LIST, 2000)) + self.crowd.tolerant)
            kept.append(genl)
        os.kill(os.getpid(), signal.SIGSTOP)
        return 0

    def ends(self):
        genl = self.half_filled()
        self.case("a socket is closed in its transaction", genl.close)
        genl = self.half_filled()
        self.case("a transaction ends", genl.do, "abort")
        genl.do("begin")
        genl.close()
        genl = self.half_filled()
        self.case("another transaction is begun", genl.do, "begin")
        genl.close()
        self.case("a socket without a transaction is closed", Genl(self.spec).close)
        genl = self.half_filled()
        genl.do("partner-add", self.crowd.domains(HALF, 1, 1))
        self.case("a transaction with a domain ends", genl.do, "abort")
        genl.close()
        child = self.thousand()
        os.waitpid(child, os.WUNTRACED)

        def kill():
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

        self.case("a process with many transactions is killed", kill)
        told, tell = os.pipe()
        child = os.fork()
        if not child:
            os.close(told)
            lab.libc.unshare(CLONE_NEWNET)
            load(Genl(self.spec).roomy(), self.crowd.lists(FIRST, PARTNERS, STEP))
            os.write(tell, b"x")
            signal.pause()
        os.close(tell)
        os.read(told, 1)
        self.probe.start()
        kill()
        lab.until(lambda: self.probe.look()[0]["works total"][0] > 0)
        self.tell("a namespace goes with its partners")


def main():
    lab.load_module()
    Cases(Probe(sys.argv[1])).run(*sys.argv[2:])


main()
