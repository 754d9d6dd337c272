#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# packaging/boot/upgrade: another module takes over under running traffic. A stranger, who knocks all the while,
# gets in at no moment, admitted flows go on, and what cannot take over changes nothing, or is
# replaced by the module before. A user without rights holds it up for seconds, and is named; a change
# that comes too late is told.
#
#     outside                   gw                    inside
#   partner, stranger  ----  nf_edge, GATE  ----  av, access         (tests/faults/lib/traffic.py)

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../faults/lib"))
from faults import *  # noqa: E402,F403
import schema  # noqa: E402
from genl import Genl, Spec  # noqa: E402
from lab import EDGECTL, enter, on_thread, until  # noqa: E402
from nl import DUMP, generic  # noqa: E402
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
""" + "".join(f"partner add 198.18.0.{i} 198.18.1.{i} 198.18.2.{i} name crowd\n" for i in range(256))

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


class Nobody:
    """A process of a user without rights, who does something first, and then nothing. Its name would
    clear a terminal, and reads like advice."""

    NAME, SHOWN = b"\x1b[2J\nkill 1\\c'", "??2J?kill?1?c?"

    def __init__(self, does):
        there, ready = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                libc.prctl(15, self.NAME, 0, 0, 0)	# PR_SET_NAME
                os.write(ready, b"%d" % (does() or 0))
                signal.pause()
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        os.close(ready)
        self.told = int(os.read(there, 16) or -1)
        os.close(there)

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def words(self):
        return f"process {self.pid} ({self.SHOWN}) of user nobody"


def listing():
    """One that nobody reads."""
    asked = Genl(SPEC)
    asked.socket.send(asked.encode(asked.family, generic(SPEC.ops["partner-get"].value), DUMP))
    NOT_READ.append(asked)


def own_namespaces():
    """Two: it is in the second one; of the first it has a file open, whose number it tells."""
    unshare(CLONE_NEWUSER | CLONE_NEWNET)
    kept = os.open("/proc/self/ns/net", os.O_RDONLY)
    unshare(CLONE_NEWNET)
    return kept


def unshare(flags):
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


SPEC, NOT_READ, CLONE_NEWUSER = Spec(), [], 0x10000000
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


def installed(path, afterwards="true"):
    """It is what modprobe and modinfo find; None: nothing is."""
    find = f'for word; do shift; [ "$word" != nf_edge ] || word={path}; set -- "$@" "$word"; done'
    fail = 'echo "modinfo: ERROR: Module nf_edge not found." >&2; exit 1'
    stand_in("modprobe", f'[ "$1" = nf_edge ] || exec {shutil.which("modprobe")} "$@"; insmod {path} && {afterwards}')
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


def expect(name, want, *said, module, policy=None, table="", options=()):
    """What upgrade does: its exit status and words, and what is there afterwards."""
    status, words = run(UPGRADE, *options, state)
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
os.mkfifo("/run/netns/fifo")	# no namespace, and who opens it waits for ever
edgectl("-n", "inside", "mode", "audit")
for options in (), ("--others",):
    expect(" ".join(["a policy elsewhere", *options]), 1, "there is a policy in network namespace /run/netns/inside",
           "policies of other network namespaces would be lost", "nothing has changed", module=OLD, policy=policy,
           options=options)
edgectl("-n", "inside", "mode", "enforce")
stand_in("xargs", "exit 124")
expect("too many network namespaces", 1, "not all network namespaces could be looked at in 30 s", "upgrade --others goes on",
       "nothing has changed", module=OLD, policy=policy)
os.remove(f"{scratch}/bin/xargs")
nobody = Nobody(own_namespaces)
THEIRS = f"/proc/{nobody.pid}/ns/net", f"/proc/{nobody.pid}/fd/{nobody.told}"
for file in THEIRS:
    subprocess.run(["nsenter", f"--net={file}", EDGECTL, "mode", "audit"], check=True)
ELSEWHERE = f"there is a policy in the network namespace of {nobody.words()}\n"
words = expect("policies of somebody else", 1, ELSEWHERE, "upgrade --others goes on", "nothing has changed",
               module=OLD, policy=policy)
tap.check("both are told", words.count(ELSEWHERE) == 2, words)
nobody.end()
nobody = Nobody(listing)
expect("a listing that is not read", 1, f"{nobody.words()} has a netlink listing that it does not read (kill {nobody.pid})",
       "cannot be unloaded; nothing has changed", module=OLD, policy=policy)
nobody.end()
stand_in("nft", "exit 1")
expect("nft fails", 1, "nft has failed; nothing has changed", module=OLD, policy=policy)
os.remove(f"{scratch}/bin/nft")
stand_in("rmmod", "echo not now >&2; exit 1")
expect("the module cannot be unloaded", 1, "not now", "cannot be unloaded; nothing has changed", module=OLD, policy=policy)
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
expect("once more", 1, "is not loaded", module=None, table=GUARD)
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

REAL = {name: shutil.which(name) for name in ("rmmod", "cat")}
stand_in("rmmod", f"{EDGECTL} unlisted pass; {EDGECTL} stats reset; exec {REAL['rmmod']} \"$@\"")
installed(new)
monitor = subprocess.Popen([EDGECTL, "-j", "monitor", "config"], stdout=subprocess.PIPE, text=True)
words = expect("a change just before the module is unloaded", 1, "a change came too late, and is lost: unlisted pass\n",
               "has taken over", "without these changes", module=NEW, policy=policy)
tap.check("and no other is told", words.count("too late") == 1, words)
os.remove(f"{scratch}/bin/rmmod")
events = [json.loads(line) for line in monitor.communicate(timeout=PATIENCE)[0].splitlines()]
tap.check("who listens to changes hears of the end, and ends", not monitor.returncode
          and events[-1]["event"] == "unloaded" and not [fault for event in events for fault in schema.faults("monitor", event)], events)
installed(old, f"{EDGECTL} partner add 198.51.100.98")
expect("a change just after the new one is loaded", 1, "the policy was changed before it was loaded", "has taken over",
       module=OLD, policy=policy)

installed(new)
nobody = Nobody(lambda: listing() or own_namespaces())
subprocess.run(["nsenter", f"--net=/proc/{nobody.pid}/fd/{nobody.told}", EDGECTL, "mode", "audit"], check=True)
stand_in("cat", f'[ "$1" != /sys/module/nf_edge/refcnt ] || nft list tables >{scratch}/waits; exec {REAL["cat"]} "$@"')
released = threading.Thread(target=lambda: until(lambda: os.path.exists(f"{scratch}/waits"), 300) and nobody.end())
released.start()
expect("a policy of somebody else, and his listing that ends in time", 0, f"there is a policy in the network namespace of {nobody.words()}",
       "these policies are lost", "has taken over", module=NEW, policy=policy, options=["--others"])
released.join()
with open(f"{scratch}/waits", encoding="ascii") as file:
    tap.check("nothing is closed while it is waited for", not file.read())
os.remove(f"{scratch}/bin/cat")
tap.check("the calls go on, and nobody else got in", set(callers.progress()) == {TO_GATE})

stand_in("nft", f"tee -a {scratch}/rules | {shutil.which('nft')} \"$@\"")
for mode, path, now in ("off", old, OLD), ("audit", new, NEW):
    edgectl("mode", mode)
    installed(path)
    expect(f"in mode {mode}", 0, "has taken over", module=now, policy=policy.replace("enforce", mode))
with open(f"{scratch}/rules", encoding="ascii") as file:
    tap.check("nothing is closed in these", "drop" not in file.read())
callers.ask.close()
os.waitpid(callers.child, 0)
shutil.rmtree(scratch)
tap.done()
