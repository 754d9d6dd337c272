#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Nobody can hold it up. A million partners are in force, a call goes on through the gateway, and the machine's
root has things to do; meanwhile an unprivileged user, and the root of a container that is his, ask for whatever the
netlink specification allows, and what it forbids (lib/strangers.py). lib/traffic.py of tests/faults draws the way of
the call.

Nobody locks up, whatever root asks for is done, while they go on, no packet of the call is lost, and who is killed,
goes.

  NF_EDGE_HOSTILE_PARTNERS   in the gateway, and in the container (1,000,000)
  NF_EDGE_HOSTILE_SECONDS    for which they go on, at the least (40)
  NF_EDGE_HOSTILE_MEMORY     MiB that the control group of the strangers may have (1024)
  NF_EDGE_SEED               of what they ask for
"""

import mmap
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[1:1] = [os.path.join(HERE, each) for each in ("lib", "../lib", "../faults/lib")]
import lab  # noqa: E402
from crowd import Crowd  # noqa: E402
from genl import Genl, Spec  # noqa: E402
from nl import CONTROLLER, CTRL_FAMILY_NAME, CTRL_GETFAMILY, NETLINK_GENERIC, Netlink, attr, generic  # noqa: E402
from strangers import FIRST, STEP, Outsider, Owner, become_nobody, container, write  # noqa: E402
from tap import Tap  # noqa: E402
from traffic import AV, AV6, GATEWAY, PARTNER, PARTNER6, SPARE, Traffic, build, in_gateway  # noqa: E402

PARTNERS = int(os.environ.get("NF_EDGE_HOSTILE_PARTNERS", 1000000))
SECONDS = int(os.environ.get("NF_EDGE_HOSTILE_SECONDS", 40))
MEMORY = int(os.environ.get("NF_EDGE_HOSTILE_MEMORY", 1024)) << 20
SEED = int(os.environ.get("NF_EDGE_SEED") or random.SystemRandom().randrange(1 << 32))
LONG = 120				# seconds, from which on root loads the large policy anew, too
PATIENCE = 5 * SECONDS + 300		# seconds for all that root does
CGROUPS, CGROUP = "/run/cgroup", "/run/cgroup/strangers"
SIP = 5061
RULES = ["av-stun-in", "av-stun-out"]
OUTSIDERS, OWNERS = ["lists", "unread", "storm"], ["lists", "domains", "transactions", "killed", "pairs", "loads"]
# What root does, and how often at the least.
DUTIES = {"controller": 100, "closer": 100, "status": 10, "loader": 2}
# A lock-up shows as soon as these kernels can tell; a machine that waits for its host is none.
SYSCTLS = {"kernel/watchdog_thresh": 1, "kernel/hung_task_timeout_secs": 20, "kernel/hung_task_warnings": 100,
           "kernel/unprivileged_userns_clone": 1, "user/max_user_namespaces": 1000}
# User-mode Linux may lose a tick ("timer wakeup didn't happen"): RCU's thread slept for 15 seconds once, while every CPU
# had been quiet. khugepaged, of the lowest priority, would wait for a CPU in an RCU read side of its own.
with open("/proc/cpuinfo", encoding="ascii") as cpuinfo:
    STALL = 60 if "User Mode Linux" in cpuinfo.read() else 10
PARAMETERS = {"/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout": STALL,
              "/sys/kernel/mm/transparent_hugepage/enabled": "never"}


class Tally:
    """What everybody has done, in memory that all share."""

    def __init__(self, names):
        self.names, self.memory = list(names), mmap.mmap(-1, 4096)

    def add(self, name):
        at = 8 * (1 + self.names.index(name))
        self.memory[at:at + 8] = struct.pack("=Q", self[name] + 1)

    def __getitem__(self, name):
        return struct.unpack_from("=Q", self.memory, 8 * (1 + self.names.index(name)))[0]

    def over(self):
        return self.memory[0] != 0

    def end(self):
        self.memory[0] = 1

    def __str__(self):
        return ", ".join(f"{name}: {self[name]}" for name in self.names)


def child(function, *arguments):
    """A process of its own."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        function(*arguments)
        status = 0
    except BaseException as error:  # pylint: disable=broad-except
        print(f"# {function.__name__} {arguments[:1]}: {error!r}", flush=True)
    finally:
        os._exit(status)


# Root's duties, each in the gateway's name space.


def controller():
    with Netlink(NETLINK_GENERIC) as client:
        while True:
            client.request(CONTROLLER, generic(CTRL_GETFAMILY, attr(CTRL_FAMILY_NAME, b"nlctrl\0")))
            yield


def closer():
    while True:
        with Netlink(NETLINK_GENERIC) as client:
            client.request(CONTROLLER, generic(CTRL_GETFAMILY, attr(CTRL_FAMILY_NAME, b"nlctrl\0")))
        yield


def edgectl(*words, given=None):
    done = subprocess.run([lab.EDGECTL, "-n", GATEWAY, *words], check=False, capture_output=True, input=given, text=True)
    if done.returncode:
        raise ChildProcessError(f"edgectl {words}: {done.stderr}")


def status():
    while True:
        edgectl("status")
        yield


def loader():
    """A small policy, and the large one comes back."""
    lines = "\n".join([f"interface add av {AV}", f"interface add av {AV6}", f"interface add access {SPARE}",
                       f"partner add {PARTNER} {PARTNER6} group federation,messenger",
                       *[f"rule set {rule} peers listed" for rule in RULES],
                       *[f"partner add 10.200.{n >> 8}.{n & 255} group pic" for n in range(2000)]]) + "\n"
    if SECONDS >= LONG:
        with Genl(spec) as client:
            large_policy(client.roomy())
    while True:
        edgectl("load", "--confirm", "86400", "-", given=lines)
        edgectl("revert")
        yield


def duty(name):
    lab.enter(GATEWAY)
    longest, begun = 0, time.monotonic()
    for _ in globals()[name]():
        longest = max(longest, time.monotonic() - begun)
        tally.add(name)
        if tally.over():
            break
        time.sleep(0.05)	# it is the others that are to keep the machine busy
        begun = time.monotonic()
    print(f"# {name} never took longer than {longest:.2f} s", flush=True)


def call(name):
    """A connection on which everything that is said is answered."""
    def connect():
        lab.enter("outside")
        sock = socket.socket()
        sock.bind((PARTNER, 0))
        sock.connect((SPARE, SIP))
        return sock

    def listen():
        lab.enter("inside")
        return socket.create_server((SPARE, SIP))

    server = lab.on_thread(listen)
    ours = lab.on_thread(connect)
    theirs = server.accept()[0]
    while not tally.over():
        for one, other in ((ours, theirs), (theirs, ours)):
            text = os.urandom(512)
            one.sendall(text)
            if other.recv(512, socket.MSG_WAITALL) != text:
                raise ConnectionError("the call is broken")
        tally.add(name)
        time.sleep(0.02)


# Strangers


def outsider(role):
    write(f"{CGROUP}/cgroup.procs", 0)
    lab.enter(GATEWAY)
    become_nobody()
    stranger = Outsider(spec, f"{SEED}/outsider/{role}", PARTNERS, tally)
    stranger.go(f"outsider {role}", getattr(stranger, role)())


def owners():
    """All of one container; who is killed for his memory is followed by another."""
    write(f"{CGROUP}/cgroup.procs", 0)
    become_nobody()
    container()
    settler = child(Owner(spec, SEED, PARTNERS, tally).settle)
    os.waitpid(settler, 0)
    at_work = {}

    def owner(role):
        stranger = Owner(spec, f"{SEED}/owner/{role}/{time.monotonic()}", PARTNERS, tally)
        stranger.go(f"owner {role}", getattr(stranger, role)())

    for role in OWNERS:
        at_work[child(owner, role)] = role
    while not tally.over():
        pid, _ = os.wait()
        role = at_work.pop(pid)
        if not tally.over():
            at_work[child(owner, role)] = role


def limit_memory():
    """Whether the strangers have a control group of their own, that may have no more."""
    if not os.path.ismount(CGROUPS):
        os.makedirs(CGROUPS, exist_ok=True)
        subprocess.run(["mount", "-t", "cgroup2", "cgroup", CGROUPS], check=True)
    with open(f"{CGROUPS}/cgroup.controllers", encoding="ascii") as controllers:
        limited = "memory" in controllers.read()
    if limited:
        write(f"{CGROUPS}/cgroup.subtree_control", "+memory")
    os.makedirs(CGROUP, exist_ok=True)
    if limited:
        write(f"{CGROUP}/memory.max", MEMORY)
    return limited


def large_policy(genl):
    genl.do("begin")
    for role, address in (("av", AV), ("av", AV6), ("access", SPARE)):
        genl.do("interface-add", {"role": role, "address": address})
    genl.do("partner-add", {"entry": [{"address": address, "prefix-len": 128 if ":" in address else 32,
                                       "groups": ["federation", "messenger"]} for address in (PARTNER, PARTNER6)],
                            "tolerant": True})
    for payload in Crowd(spec).lists(FIRST, PARTNERS, STEP):
        genl.do("partner-add", payload)
    genl.do("rule-set", {"entry": [{"row": rule, "peers": "listed"} for rule in RULES]})
    genl.do("commit")


def counted(genl):
    """{row or reason: [packets, bytes, flows]} of those that counted."""
    found = {each["row"]: [each["packets"], each["bytes"], each["flows"]] for each in genl.dump("rule-get")}
    found |= {each["reason"]: [each["packets"], each["bytes"], 0] for each in genl.dump("drop-get")}
    return {name: values for name, values in found.items() if any(values)}


def ended(pid):
    """Whether a process of ours is no more."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def stop(pids):
    """Kills processes and those who came of them; whether all are gone."""
    for pid in pids:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def gone():
        with open(f"{CGROUP}/cgroup.procs", encoding="ascii") as procs:
            return all([ended(pid) for pid in pids]) and not procs.read()
    return lab.until(gone, PATIENCE)


print(f"# NF_EDGE_SEED={SEED}", flush=True)
tap, spec = Tap(), Spec()
lab.load_module()
for name, value in SYSCTLS.items():
    if os.path.exists(f"/proc/sys/{name}"):
        write(f"/proc/sys/{name}", value)
for path, value in PARAMETERS.items():
    if os.path.exists(path) and not os.path.exists("/sys/kernel/debug/kcsan"):	# which delays accesses on purpose
        write(path, value)
build()
limited = limit_memory()
if limited:
    tap.check("the strangers' memory is limited", True)
else:
    tap.skip("the strangers' memory is limited", "control groups do not count memory here")
tally = Tally([*DUTIES, "call", *[f"outsider {role}" for role in OUTSIDERS], *[f"owner {role}" for role in OWNERS]])
genl = in_gateway(lambda: Genl(spec).roomy())
large_policy(genl)
tap.check(f"{PARTNERS} partners are in force", genl.do("status-get")["partners"] == PARTNERS + 2)
traffic = Traffic(pause=0.1)
traffic.start()
at_work = [child(duty, name) for name in DUTIES] + [child(call, "call")]
strangers = [child(lambda role=role: (os.setpgid(0, 0), outsider(role))) for role in OUTSIDERS]
strangers.append(child(lambda: (os.setpgid(0, 0), owners())))
start = time.monotonic()


def done():
    """Whether everybody has done his part, and time enough has passed."""
    return time.monotonic() - start >= SECONDS and all(tally[name] >= least for name, least in DUTIES.items()) and \
        all(tally[name] for name in tally.names)


lab.until(done, PATIENCE)
print(f"# after {time.monotonic() - start:.0f} s: {tally}", flush=True)
still = [pid for pid in strangers if not ended(pid)]
tap.check("the strangers go on until then", len(still) == len(strangers), tally)
for name, least in DUTIES.items():
    tap.check(f"meanwhile root's {name} has gone on", tally[name] >= least, f"{tally[name]} of {least} times")
idle = [name for name in tally.names if not tally[name]]
tap.check("everybody has had a turn", not idle, f"not {idle}")
tally.end()
tap.check("strangers who are killed go", stop(strangers))
sent, trouble = traffic.stop()
over = lab.until(lambda: all([ended(pid) for pid in at_work]), PATIENCE)
tap.check("root has come to an end", over)
tap.check("no packet of the call is lost, and none of another gets through", not trouble, trouble)
found = counted(genl)
connection = found.pop("sip-federation-in", [0, 0, 0])
tap.check("the connection is one flow", tally["call"] and connection[2] == 1, connection)
tap.check("each packet is counted once, and no other is dropped", sent == found, f"sent {sent}", f"counted {found}")
tap.done()
