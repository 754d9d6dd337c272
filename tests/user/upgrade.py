#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# packaging/boot/upgrade: another module takes over under running traffic. A stranger, who knocks all the while,
# gets in at no moment, admitted flows go on, and what cannot take over changes nothing, or is
# replaced by the module before.
#
#     outside                   gw                    inside
#   partner, stranger  ----  nf_edge, GATE  ----  av, access         (tests/faults/lib/traffic.py)

import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../faults/lib"))
from faults import *  # noqa: E402,F403
from lab import EDGECTL, enter, on_thread  # noqa: E402
from traffic import *  # noqa: E402,F403

UPGRADE, LOAD = (os.path.join(TREE, "packaging/boot", name) for name in ("upgrade", "load"))
SIP, GATE = 5061, "203.0.113.1"		# an Edge address that is gw's own
HOME = "2001:db8:113::1"		# gw's, and no Edge address
POLICY = f"""interface add av {AV}
interface add av {AV6}
interface add av {GATE}
interface add access {SPARE}
rule set av-stun-in peers listed
partner add {PARTNER} {PARTNER6} group federation,messenger name fabrikam
"""

if sys.argv[1:] != ["inside"]:
    load_dependencies()
    build()
    sys.exit(subprocess.run(["ip", "netns", "exec", GATEWAY, sys.argv[0], "inside"], check=False).returncode)


def sock(namespace, host, kind, port=0):
    def make():
        enter(namespace)
        return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)

    made = on_thread(make)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setblocking(False)
    made.bind((host, port))
    return made


class Callers:
    """A process: calls that go on, and a stranger. Its parent asks what became of them."""

    def __init__(self):
        self.ask, there = socket.socketpair()
        self.child = os.fork()
        if not self.child:
            self.ask.close()
            try:
                self.run(there)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        there.close()
        self.ask.settimeout(PATIENCE)

    def progress(self):
        """After both calls, and the stranger's knocking, have gone on: who got in, as a list."""
        self.ask.send(b"progress")
        return json.loads(self.ask.recv(65536))

    def silence(self):
        """What got through in half a second."""
        self.ask.send(b"silence")
        return json.loads(self.ask.recv(65536))

    def run(self, told):
        self.leaked, self.echoed = [], {"tcp": 0, "udp": 0, "udp6": 0}
        self.server = sock("inside", SPARE, socket.SOCK_STREAM, SIP)
        self.server.listen(64)
        self.stun = [sock("inside", host, socket.SOCK_DGRAM, STUN) for host in (AV, AV6)] + \
            [sock(GATEWAY, GATE, socket.SOCK_DGRAM, STUN)]
        self.call = sock("outside", PARTNER, socket.SOCK_STREAM)
        self.call.connect_ex((SPARE, SIP))
        while not select.select([self.server], [], [], 1)[0]:
            pass
        self.called, _ = self.server.accept()
        self.called.setblocking(False)
        self.talks = {"udp": (sock("outside", PARTNER, socket.SOCK_DGRAM), AV),
                      "udp6": (sock("outside", PARTNER6, socket.SOCK_DGRAM), AV6)}
        knocks = [(sock("outside", STRANGER, socket.SOCK_DGRAM), AV),
                  (sock("outside", STRANGER, socket.SOCK_DGRAM), GATE),
                  (sock("outside", STRANGER6, socket.SOCK_DGRAM), AV6)]
        told.setblocking(False)
        knocked, asked, goal, until = 0, None, {}, 0
        while True:
            for knock, host in knocks:
                knock.sendto(b"R", (host, STUN))
            if knocked % 2 == 0:
                syn = sock("outside", STRANGER, socket.SOCK_STREAM)
                syn.connect_ex((SPARE, SIP))
                self.stranger = (getattr(self, "stranger", []) + [syn])[-16:]
            knocked += 1
            self.go_on()
            if not asked:
                try:
                    asked = told.recv(64)
                except BlockingIOError:
                    continue
                if not asked:
                    os._exit(0)
                goal = {name: count + 3 for name, count in self.echoed.items()} | {"knocks": knocked + 4}
                before, until = dict(self.echoed), time.monotonic() + 0.5
            now = self.echoed | {"knocks": knocked}
            if asked == b"progress" and all(now[name] >= goal[name] for name in goal):
                told.send(json.dumps(self.leaked).encode())
                asked = None
            elif asked == b"silence" and time.monotonic() > until:
                told.send(json.dumps(self.leaked + [name for name in before if now[name] > before[name] + 1]).encode())
                asked = None

    def go_on(self):
        """A round of everything, twenty a second at most."""
        for talk, host in self.talks.values():
            talk.sendto(b"A", (host, STUN))
        try:
            if not self.echoed["tcp"] or self.answered:
                self.call.send(b"A")
                self.answered = False
        except BlockingIOError:
            pass
        select.select([self.call, self.called, self.server, *self.stun], [], [], 0)
        time.sleep(0.05)
        for one in self.stun:
            for data, host in Traffic.pending(one):
                if data == b"A":
                    one.sendto(data, host)
                else:
                    self.leaked.append(f"a datagram of {host[0]} to {one.getsockname()[0]}")
        for name, (talk, _) in self.talks.items():
            self.echoed[name] += len(list(Traffic.pending(talk)))
        self.take(self.called, lambda data: self.called.send(data))
        self.take(self.call, self.heard)
        try:
            self.leaked.append(f"a connection of {self.server.accept()[1][0]}")
        except BlockingIOError:
            pass

    def heard(self, data):
        self.answered = True
        self.echoed["tcp"] += len(data)

    @staticmethod
    def take(one, use):
        try:
            data = one.recv(64)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionError("the call has ended")
        use(data)


tap = Tap()
scratch = tempfile.mkdtemp()
os.mkdir(f"{scratch}/bin")
state, conf = f"{scratch}/state", f"{scratch}/policy.conf"
os.mkdir(state)
kept, saved = f"{state}/nf_edge.ko", f"{state}/upgrade.conf"


def stand_in(name, script):
    """A program that stands in for another."""
    path = f"{scratch}/bin/{name}"
    if os.path.lexists(path):
        os.remove(path)
    with open(path, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\n{script}\n")
    os.chmod(path, 0o755)


def modinfo(field, path):
    return subprocess.run(["modinfo", "-F", field, path], capture_output=True, text=True, check=True).stdout.strip()


def other(text):
    """As long, and not the same."""
    return (text[:-1] + ("7" if text[-1] != "7" else "8")).encode()


def installed(path):
    """It is what modprobe and modinfo find; None: nothing is."""
    find = f'for word; do shift; [ "$word" != nf_edge ] || word={path}; set -- "$@" "$word"; done'
    fail = 'echo "modinfo: ERROR: Module nf_edge not found." >&2; exit 1'
    stand_in("modprobe", f'[ "$1" != nf_edge ] || exec insmod {path}; exec {shutil.which("modprobe")} "$@"')
    stand_in("modinfo", f'[ "$1" != -n ] || {{ echo {path}; exit; }}; {find}; exec {shutil.which("modinfo")} "$@"'
             if path else fail)


def run(*command):
    """Exit status, and what it said."""
    path = f"{scratch}/bin:{os.environ['PATH']}"
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PATH": path})
    return done.returncode, done.stdout + done.stderr


def edgectl(*words, text=None):
    return subprocess.run([EDGECTL, *words], input=text, capture_output=True, text=True, check=True).stdout


def loaded():
    try:
        with open("/sys/module/nf_edge/srcversion", encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def tables():
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


def expect(name, want, *said, module, policy=None, table=""):
    """What upgrade does: its exit status and words, and what is there afterwards."""
    status, words = run(UPGRADE, state)
    tap.check(f"{name}: told", status == want and all(each in words for each in said), f"{status}: {words}", said)
    tap.check(f"{name}: module and policy", loaded() == module and (policy is None or edgectl("save") == policy),
              f"{loaded()}, not {module}")
    tap.check(f"{name}: the guard's table", tables() == table, tables())
    return words


version, srcversion = modinfo("version", module_path()), modinfo("srcversion", module_path())
NEXT = (f"{version}\0".encode(), other(version) + b"\0"), (srcversion.encode(), other(srcversion))
old, new = module_path(), other_build(f"{scratch}/new.ko", *NEXT)
# It says that it speaks another version of the family: no edgectl of ours loads a policy into it.
strange = other_build(f"{scratch}/strange.ko", *NEXT, family_version(2))
OLD, NEW = srcversion, modinfo("srcversion", new)
NEW_VERSION = modinfo("version", new)
os.symlink(EDGECTL, f"{scratch}/bin/edgectl")
with open(f"{scratch}/broken.ko", "wb") as file, open(new, "rb") as whole:
    file.write(whole.read()[:20000])

if is_loaded():
    remove()
installed(old)
with open(conf, "w", encoding="ascii") as file:
    file.write(POLICY)
tap.check("the policy is loaded", run("sh", LOAD, conf, f"{state}/last-good.conf")[0] == 0)
tap.check("a copy of the module is kept", os.path.exists(kept) and modinfo("srcversion", kept) == OLD)
edgectl("partner", "add", "198.51.100.99", "name", "by a single command")
policy = edgectl("save")
callers = Callers()
tap.check("calls are up, the stranger is not", callers.progress() == [])

expect("the module that is installed", 0, f"{version} is in force already", module=OLD, policy=policy)
installed(None)
expect("none is installed", 1, "no module nf_edge for Linux", "nothing has changed", module=OLD, policy=policy)
installed(new)
edgectl("load", "--confirm", "600", "-", text=POLICY)
expect("a policy waits", 1, "waits for its confirmation", "nothing has changed", module=OLD)
edgectl("revert")
edgectl("-n", "inside", "mode", "audit")
expect("a policy elsewhere", 1, "/run/netns/inside; nothing has changed", module=OLD, policy=policy)
edgectl("-n", "inside", "mode", "enforce")
stand_in("nft", "exit 1")
expect("nft fails", 1, "nft has failed; nothing has changed", module=OLD, policy=policy)
os.remove(f"{scratch}/bin/nft")
stand_in("rmmod", f"{EDGECTL} unlisted pass; exit 1")
expect("the module is in use", 1, "cannot be unloaded; nothing has changed", module=OLD)
edgectl("unlisted", "drop")
stand_in("nft", f"{EDGECTL} unlisted pass; exec {shutil.which('nft')} \"$@\"")
expect("the policy changes", 1, "changed meanwhile", "nothing has changed", module=OLD)
for name in ("nft", "rmmod"):
    os.remove(f"{scratch}/bin/{name}")
edgectl("unlisted", "drop")
tap.check("none of this lets anybody in, or ends a call", callers.progress() == [])

words = expect("another module", 0, f"{NEW_VERSION} has taken over from {version}, after ", module=NEW, policy=policy)
print(f"# {words}", end="")
tap.check("its tool knows it", NEW_VERSION in edgectl("status"))
tap.check("the calls go on, and nobody got in", callers.progress() == [])
rules = json.loads(edgectl("-j", "rule", "list"))
sip = next(rule for rule in rules if rule["name"] == "sip-federation-in")
tap.check("the call is the one from before", sip["packets"] > 0 and sip["flows"] == 0, sip)
tap.check("a copy of the new one is kept", modinfo("srcversion", kept) == NEW)

# OLD is the newer one from here on.
for name, path, said in ("one that does not load", f"{scratch}/broken.ko", "insmod"), \
        ("one that edgectl does not understand", strange, "the nf_edge module is too new for this edgectl"):
    stand_in("modprobe", f"exec insmod {path}")
    stand_in("modinfo", f'[ "$*" != "-F srcversion nf_edge" ] || {{ echo ABC; exit; }}; exec {shutil.which("modinfo")} "$@"')
    expect(name, 1, said, "cannot be loaded", f"{NEW_VERSION} is in force again", module=NEW, policy=policy)
    tap.check(f"{name}: the calls go on, and nobody got in", callers.progress() == [])

shutil.move(kept, f"{scratch}/away.ko")
TO_GATE = f"a datagram of {STRANGER} to {GATE}"
GUARD = "table inet nf_edge_guard\n"
stand_in("modprobe", f"exec insmod {scratch}/broken.ko")
expect("no copy", 1, f"no copy of module {NEW_VERSION}", "nothing is forwarded that has an Edge address",
       module=None, table=GUARD)
tap.check("nobody gets through, but to the appliance itself", set(callers.silence()) == {TO_GATE})
ping = ["ip", "netns", "exec", "inside", "ping", "-qc", "1", "-W", "5"]
tap.check("whose other addresses answer, too", not subprocess.run([*ping, HOME], capture_output=True, check=False).returncode)
tracked = subprocess.run(["conntrack", "-L", "-f", "ipv6"], capture_output=True, text=True, check=True).stdout
tap.check("connections are tracked meanwhile", f"dst={HOME} " in tracked, tracked)
tap.check("the policy is still there", open(saved, encoding="ascii").read() == policy)
installed(old)
tap.check("mended, it is loaded", run("sh", LOAD, saved, f"{state}/last-good.conf")[0] == 0)
tap.check("and open", not tables() and edgectl("save") == policy)
tap.check("the calls go on, and nobody else got in", set(callers.progress()) == {TO_GATE})

stand_in("nft", f"tee -a {scratch}/rules | {shutil.which('nft')} \"$@\"")
for mode, path, now in ("off", new, NEW), ("audit", old, OLD):
    edgectl("mode", mode)
    installed(path)
    expect(f"in mode {mode}", 0, "has taken over", module=now, policy=policy.replace("enforce", mode))
with open(f"{scratch}/rules", encoding="ascii") as file:
    tap.check("nothing is closed in these", "drop" not in file.read())
callers.ask.close()
os.waitpid(callers.child, 0)
shutil.rmtree(scratch)
tap.done()
