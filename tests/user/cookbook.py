#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/cookbook.md is true: each recipe is followed as it stands.

   net                  this name space                 edge, edge1 ... edge4
  (everybody) --- ext0  [gateway: nf_edge]  dmz0 ... dmz4 --- (the Edge servers)
                                            lan0 --- lan (the Front End)

A recipe is a heading of the second level. What is in its fenced blocks is done, in order, on
the gateway, beginning with no policy and no rules:

  conf, nft   a file; its first line is a comment that says where it lies
  sh          "$ command", and under it what it prints, standard error included; "..." stands for
              what varies, alone in a line for any number of lines. A command that ends in "^C" runs
              while the attempts of the table before it are made once more
  text        a picture, for readers only

Tables of this head are real connections and exchanges, made one after the other:

  | from | to | service | what happens | counted on | |

"passes" says that an answer came back, "dropped" that none did; counted on is the one counter
that moves: flows of a row, packets of a reason; "-" is none.
"""

import os
import re
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from lab import EDGECTL, TREE, enter, ip, load_module, on_thread  # noqa: E402
from tap import Tap  # noqa: E402

PAGE, SYSFS = f"{TREE}/Documentation/cookbook.md", "/sys/kernel/nf_edge"
HEAD = "| from | to | service | what happens | counted on | |"
ANSWERS = r"edgectl (diff|doctor)\b|edgectl .* --dry-run$"	# their exit status is one
TELLS_HOOKS = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 12)	# Debian's
PATIENCE, SILENCE = 10, 0.5	# for an answer; for none, if no reason counts: below TCP's first retransmission
TICK = 0.02	# see netns/monitor.py
JOURNAL, STATE = "/run/systemd/journal", "/var/lib/nf_edge"
LOG = f"{JOURNAL}/log"	# the process
STAND_INS = {	# for what is not here; they know what the page asks of them
    "systemctl": f"""#!/bin/sh
[ "$*" = "enable --now nf_edge-log" ] || exit 1
edgectl log >{JOURNAL}/said 2>&1 &
echo $! >{LOG}
until grep -qsx NF_EDGE_EVENT=begin {JOURNAL}/entries; do sleep 0.1; done
""",
    "journalctl": f"""#!/bin/sh
[ "$1 $2 $4 $5" = "-t nf_edge -o cat" ] || exit 1
count=0
until awk -v RS= -v FS='\\n' -v want="$3" '
	index("\\n" $0 "\\n", "\\n" want "\\n") && index($0, "SYSLOG_IDENTIFIER=nf_edge") {{
		sub(/^MESSAGE=/, "", $1); print $1; found = 1 }}
	END {{ exit !found }}' {JOURNAL}/entries; do
	[ $((count += 1)) -le 50 ] || exit
	sleep 0.1
done
""",
}
HOSTS = {  # name: (the gateway's device, addresses)
    "net": ("ext0", ["198.51.100.10", "198.51.100.11", "198.51.100.20", "198.51.100.21", "198.51.100.70", "192.0.2.50",
                     "192.0.2.53", "192.0.2.66", "2001:db8:51::10", "2001:db8:2::50", "2001:db8:2::66"]),
    "lan": ("lan0", ["10.20.0.5", "10.20.0.6"]),
    "edge": ("dmz0", ["203.0.113.10", "203.0.113.11", "203.0.113.12", "10.20.0.10", "10.45.16.10", "10.45.16.12",
                      "2001:db8:113::10", "2001:db8:113::11", "2001:db8:113::12"]),
    **{f"edge{n}": (f"dmz{n}", [f"203.0.113.2{n}", f"203.0.113.3{n}"]) for n in range(1, 5)},
}
OWNER = {address: host for host, (_, addresses) in HOSTS.items() for address in addresses}


# ---- the network ----

def build():
    lines = []
    for host, (device, addresses) in HOSTS.items():
        lines += [f"netns add {host}", f"link add {device} type veth peer name eth0 netns {host}",
                  f"link set {device} up", f"addr add 169.254.1.1/32 dev {device}",
                  f"addr add fe80::1/64 dev {device} nodad"]
        lines += [f"route add {address} dev {device}" for address in addresses]
    ip(lines)
    for host, (_, addresses) in HOSTS.items():
        ip(["link set lo up", "link set eth0 up"]
           + [f"addr add {one}/128 dev eth0 nodad" if ":" in one else f"addr add {one}/32 dev eth0" for one in addresses]
           + ["route add default via 169.254.1.1 dev eth0 onlink", "route add default via fe80::1 dev eth0"], host)
    subprocess.run(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                    "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.all.rp_filter=0"]
                   + [f"net.ipv4.conf.{device}.{knob}=0" for device, _ in HOSTS.values()
                      for knob in ("send_redirects", "rp_filter")], check=True)


def furnish():
    """What doctor looks at besides: a machine that brings its policy back, and asks no name server."""
    units = "/etc/systemd/system"
    for path in "/etc/nf_edge", units:
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "cookbook", path], check=True)
    os.mkdir(f"{units}/sysinit.target.wants")
    with open(f"{units}/nf_edge.service", "w", encoding="ascii"):
        pass
    os.symlink("../nf_edge.service", f"{units}/sysinit.target.wants/nf_edge.service")
    subprocess.run(["touch", "/etc/resolv.conf"], check=True)
    subprocess.run(["mount", "--bind", "/dev/null", os.path.realpath("/etc/resolv.conf")], check=True)


def keep_journal():
    """Stands in for systemd: what is sent to the journal is kept, systemctl starts the log, journalctl reads."""
    for path in JOURNAL, STATE:
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "cookbook", path], check=True)
    for name, text in STAND_INS.items():
        with open(f"{JOURNAL}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(f"{JOURNAL}/{name}", 0o755)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(f"{JOURNAL}/socket")

    def keep():
        while True:
            entry = sock.recv(1 << 16)
            with open(f"{JOURNAL}/entries", "ab") as file:
                file.write(entry + b"\n")
    threading.Thread(target=keep, daemon=True).start()
    os.environ["PATH"] = f"{JOURNAL}:{os.environ['PATH']}"


def serve(tcp, udp):
    """Everybody answers on these ports."""
    words = [os.path.join(TREE, "tests/lib/talk.py"), "serve", "--tcp", ",".join(tcp), "--udp", ",".join(udp)]
    server = subprocess.Popen([*words, *HOSTS], stdout=subprocess.PIPE)
    if server.stdout.readline() != b"ready\n":
        sys.exit("nobody answers")
    return server


def clean():
    if os.path.exists(LOG):
        with open(LOG, encoding="ascii") as file:
            log = int(file.read())
        os.kill(log, signal.SIGTERM)
        while os.path.exists(f"/proc/{log}"):
            time.sleep(0.01)
        for path in LOG, f"{JOURNAL}/entries", f"{STATE}/drops.json":
            os.remove(path)
    for words in (EDGECTL, "-q", "load", "--open", "/dev/null"), (EDGECTL, "stats", "reset"), ("nft", "flush", "ruleset"):
        subprocess.run(words, check=True)


# ---- the page ----

def recipes():
    """Of each: its title, its blocks and tables as (kind, lines), and what else looks like one."""
    part = re.compile(r"^```(\w*)\n(.*?)^```$|^" + re.escape(HEAD) + r"\n\|[-|]*\n((?:\|[^\n]*\n)*)", re.M | re.S)
    with open(PAGE, encoding="utf-8") as file:
        sections = re.split(r"^## (.*)\n", file.read(), flags=re.M)
    for title, text in zip(sections[1::2], sections[2::2]):
        yield (title, [(block or "table", (inside or rows).splitlines()) for block, inside, rows in part.findall(text)],
               re.findall(r"^(?:\||```|    |~~~).*", part.sub("", text), re.M))


def commands(lines):
    """(command, what it prints)"""
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def narrow(line):
    """How wide a column is does not matter."""
    return re.sub(r"\s+", " ", line).rstrip()


def matches(printed, wanted):
    if not TELLS_HOOKS:
        wanted = ["..." if re.match("fact: (forward|output)", line) else line for line in wanted]
    pattern = "".join("(?:.*\n)*?" if line == "..." else
                      ".*?".join(map(re.escape, narrow(line).split("..."))) + "\n" for line in wanted)
    return re.fullmatch(pattern, "".join(f"{narrow(line)}\n" for line in printed.splitlines()))


# ---- attempts ----

class Attempt:
    """A row of a table."""

    def __init__(self, line):
        cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        self.source, self.target, self.service, self.happens, self.counted, _ = cells
        found = re.fullmatch(r"(TCP|UDP) (\d+)(?:, from port (\d+))?", self.service)
        self.kind = socket.SOCK_STREAM if found.group(1) == "TCP" else socket.SOCK_DGRAM
        self.port, self.sport = int(found.group(2)), int(found.group(3) or 0)

    def __str__(self):
        return f"{self.source} -> {self.target} {self.service}: {self.happens}, {self.counted}"

    def open(self):
        enter(OWNER[self.source])
        sock = socket.socket(socket.AF_INET6 if ":" in self.source else socket.AF_INET, self.kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))	# ends in one packet
        sock.bind((self.source, self.sport))
        sock.setblocking(False)
        sock.connect_ex((self.target, self.port))
        return sock

    def outcome(self, before):
        """Nothing comes back when it has not a moment after a reason has counted it, or in a while."""
        end, said = time.monotonic() + (PATIENCE if self.happens == "passes" else SILENCE), False
        with on_thread(self.open) as sock:
            while (now := time.monotonic()) < end:
                try:
                    if said and select.select([sock], [], [], 0.01)[0]:
                        return "passes" if sock.recv(100).startswith(b"hello") else "garbled"
                    if not said and select.select([], [sock], [], 0.01)[1]:
                        said = sock.send(b"hello\n")
                except OSError as error:
                    return error.strerror
                if self.happens == "dropped" and moved(before)[1]:
                    end = min(end, now + 0.05)
        return "dropped"

    def fault(self):
        """What is not as its row says, or None."""
        before = counters()
        outcome = self.outcome(before)
        rows, reasons = moved(before)
        if outcome == "passes" and reasons:	# audit: its last packet counts, too, and not for the next attempt
            settle()
        told = " ".join(f"{name} {count}" for name, count in {**rows, **reasons}.items())
        counted = [*rows, *reasons] == ([] if self.counted == "-" else [self.counted])
        if outcome != self.happens or not counted or (outcome == "passes" and list(rows.values()) not in ([], [1])):
            return f"{self}; it was: {outcome}, {told or 'nothing counted'}"
        return None


FILES = {}


def counters():
    """Flows of rows and packets of reasons; their files stay open."""
    if not FILES:
        FILES.update({(kind, name): open(f"{SYSFS}/{kind}/{name}/{file}", encoding="ascii")
                      for kind, file in (("rules", "flows"), ("drops", "packets"))
                      for name in os.listdir(f"{SYSFS}/{kind}")})
    return {key: int(os.pread(file.fileno(), 32, 0)) for key, file in FILES.items()}


def moved(before):
    """What rows and what reasons have counted since."""
    found = {"rules": {}, "drops": {}}
    for (kind, name), value in counters().items():
        if value != before[kind, name]:
            found[kind][name] = value - before[kind, name]
    return found["rules"], found["drops"]


def settle():
    """Waits until nothing counts any more."""
    now = None
    while now != (now := counters()):
        time.sleep(0.1)


# ---- a recipe ----

class Recipe:
    """What has been done so far."""

    def __init__(self, title):
        self.title, self.table, self.ran, self.seen = title, [], 0, set()

    def check(self, what, passed, *diagnosis):
        tap.check(f"{self.title}: {what}", passed, *diagnosis)

    def follow(self, kind, lines):
        if kind == "table":
            self.try_all([Attempt(line) for line in lines])
        elif kind == "sh":
            for command, wanted in commands(lines):
                self.run(command, wanted)
        elif kind in ("conf", "nft"):
            self.write(lines)
        else:
            self.check("a block that nobody can follow", kind == "text", kind, *lines)

    def write(self, lines):
        path = next(line for line in lines if not line.startswith("#!")).removeprefix("# ")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def try_all(self, table):
        self.table = table
        self.seen |= {attempt.happens for attempt in table}
        faults = [fault for attempt in table if (fault := attempt.fault())]
        self.check(f"{len(table)} attempts", not faults, *faults)

    def run(self, command, wanted):
        self.ran += 1
        if wanted[-1:] == ["^C"]:
            status, printed = self.listen(command, wanted := wanted[:-1])
        else:
            status, printed = self.shell(command)
            end = time.monotonic() + PATIENCE
            while command.startswith("edgectl report") and not matches(printed, wanted) and time.monotonic() < end:
                status, printed = self.shell(command)	# it is some seconds old
        self.check(f"$ {command}", matches(printed, wanted) and (status == 0 or re.match(ANSWERS, command)),
                   f"exit status {status}", "wanted:", *wanted, "printed:", *printed.splitlines())

    @staticmethod
    def shell(command):
        done = subprocess.run(command, shell=True, executable="/bin/bash", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def listen(self, command, wanted):
        """Its exit status, and what it prints while the table is tried again: as many lines as are wanted."""
        with subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            while not listens(process.pid):
                time.sleep(0.01)
            time.sleep(TICK)
            self.try_all(self.table)
            printed, end = b"", time.monotonic() + PATIENCE
            while printed.count(b"\n") < len(wanted) and time.monotonic() < end:
                if select.select([process.stdout], [], [], 0.1)[0]:
                    printed += os.read(process.stdout.fileno(), 1 << 16)
            process.send_signal(signal.SIGINT)
            printed += process.stdout.read()
        return process.returncode, printed.decode()

    def end(self, unread):
        self.check("is tried: something is done, something passes, something is dropped, and nothing goes unread",
                   self.ran and self.seen == {"passes", "dropped"} and not unread, self.ran, self.seen, *unread)


def listens(pid):
    """Whether it has joined a group; libnl makes a socket's number of the process'."""
    with open("/proc/net/netlink", encoding="ascii") as file:
        return any(words[1] == "16" and int(words[2]) & 0x3fffff == pid and int(words[3], 16)
                   for words in map(str.split, file))


tap = Tap()
load_module()
build()
furnish()
os.environ["PATH"] = f"{os.path.dirname(EDGECTL)}:{os.environ['PATH']}"
keep_journal()
page = list(recipes())
tap.check("the page has recipes", len(page) > 5, [title for title, *_ in page])
tried = [Attempt(line) for _, parts, _ in page for kind, lines in parts if kind == "table" for line in lines]
server = serve(*[sorted({str(one.port) for one in tried if one.kind == kind})
                 for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)])
for title, parts, unread in page:
    clean()
    recipe = Recipe(title)
    for kind, lines in parts:
        recipe.follow(kind, lines)
    recipe.end(unread)
clean()
server.kill()
tap.done()
