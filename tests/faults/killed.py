#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Clients that are killed while they load a large policy, at any moment: the policy in force
# is the one before, or the whole new one; nothing staged is kept; another client with a
# transaction of its own notices nothing; and the module can be unloaded.
#
#   NF_EDGE_FAULTS_KILLED     clients killed, of each kind (40)
#   NF_EDGE_FAULTS_PARTNERS   partners of the large policy (1,500)
#   NF_EDGE_SEED              as printed

import errno
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))
from faults import *  # noqa: E402,F403
from lab import EDGECTL, load_module  # noqa: E402
from wire import *  # noqa: E402,F403

PARTNERS, KILLED = number("PARTNERS", 1500), number("KILLED", 40)
HERE = "203.0.113.10"
MANY = [(f"10.{i >> 8}.{i & 255}.{i * 7 & 255}/32", ["pic"], f"partner number {i}") for i in range(PARTNERS)]
SMALL = load(interface_add("access", HERE), partner_add(("198.51.100.0/24", ["pic"], "before")))
LARGE = load(interface_add("access", HERE), *[partner_add(*MANY[at:at + 200]) for at in range(0, PARTNERS, 200)])
FILE = "/tmp/large.conf"
SLACK = 16 << 10	# KiB of kernel memory that come and go


def by_socket():
    """A process that loads the large policy, message by message."""
    child = os.fork()
    if not child:
        try:
            client = Socket(family)
            client.run(LARGE)
        finally:
            os._exit(0)
    return child


def by_edgectl():
    return os.posix_spawn(EDGECTL, [EDGECTL, "load", FILE], os.environ,
                          file_actions=[(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])


def kill_at(start, seconds):
    """Starts a client and kills it after some time, or when it has ended."""
    child = start()
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def duration(start):
    began = time.monotonic()
    os.waitpid(start(), 0)
    return time.monotonic() - began


def settled(limit):
    """Kernel memory, when it has come down to the limit or will not."""
    for _ in range(40):
        held = slab()
        if held <= limit:
            break
        time.sleep(0.25)
    return held


tap = Tap()
rng = seeded()
hurry()
load_module()
with open(FILE, "w", encoding="ascii") as file:
    file.write(f"interface add access {HERE}\n")
    file.writelines(f'partner add {prefix} group pic name "{name}"\n' for prefix, _, name in MANY)

watcher = Socket()
family = watcher.family
other = Socket(family)
other.run([plain("BEGIN"), interface_add("av", HERE), partner_add(("192.0.2.0/24", ["messenger"], "staged"))])
wrong = {}
for kind, start in (("a socket", by_socket), ("edgectl", by_edgectl)):
    whole = duration(start)
    _, large = watcher.state()
    kill_at(start, whole / 2)	# whatever is kept for later is kept now
    watcher.run(SMALL)
    generation, small = watcher.state()
    held = slab()
    through = 0
    for n in range(KILLED):
        kill_at(start, rng.uniform(0, whole))
        status = watcher.status()
        if status["GENERATION"] == generation:
            if status["PARTNERS"] != 1 or (n % 8 == 0 and watcher.state() != (generation, small)):
                wrong.setdefault(kind, f"client {n}: no new generation, and {watcher.state()}")
        else:
            through += 1
            now, said = watcher.state()
            if (now - generation, said) != (1, large):
                wrong.setdefault(kind, f"client {n}: {now - generation} generations, {status['PARTNERS']} partners")
            watcher.run(SMALL)
            generation, small = watcher.state()
    tap.check(f"{KILLED} clients by {kind} killed, {KILLED - through} before the end: the policy is whole",
              kind not in wrong and through < KILLED, wrong.get(kind))
    now = settled(held + SLACK)
    tap.check(f"what {kind} had staged is not kept", now <= held + SLACK, f"{held} KiB before, {now} KiB after")

generation = watcher.generation()
other.ask(*commit(generation))
now, (status, _, interfaces, partners, _) = watcher.state()
tap.check("the other client's transaction is in force, whole", now == generation + 1 and
          (len(interfaces), len(partners)) == (1, 1) and ("NAME", "staged") in partners[0], now, interfaces, partners)
try:
    watcher.ask("COMMIT")
    code = 0
except Refused as refused:
    code = refused.errno
tap.check("nobody else's is left", code == errno.ENOENT, code)
watcher.run(load())
other.close()
watcher.close()
code = remove()
tap.check("the module can be unloaded", not code and not is_loaded(), code)
tap.done()
