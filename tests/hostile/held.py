#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""While somebody holds the locks of a namespace, be it for ever, nobody waits for them who needs none.

A module of the tests holds them (holder/holder.c). Meanwhile others want to change something: they are told to come
again, and edgectl does. The rest of generic netlink goes on, even behind somebody who joins a group, sockets are closed,
partners are listed, and who waits can be killed.

  NF_EDGE_HOLDER_KO    nf_edge_holder.ko for this kernel
"""

import errno
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import lab  # noqa: E402
from genl import Genl, Spec  # noqa: E402
from nl import (ADD_MEMBERSHIP, CONTROLLER, CTRL_FAMILY_NAME, CTRL_GETFAMILY, NETLINK_GENERIC, SOL_NETLINK,  # noqa: E402
                Netlink, Refused, attr, generic)
from tap import Tap  # noqa: E402

NOBODY = 65534
holding = None		# the locks, while they are held


class Child:
    """Somebody who does something, and ends; as another user, if it is told."""

    def __init__(self, function, *arguments, user=0):
        self.status = None
        self.pid = os.fork()
        if self.pid:
            return
        try:
            if holding is not None:	# or it would be held for as long as we live
                holding.close()
            os.setuid(user)
            function(*arguments)
        finally:
            os._exit(sys.exc_info()[0] is not None)

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def waits(self):
        """Whether it sleeps in the kernel, where only few signals reach it, or none."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "D"

    def ends(self):
        return lab.until(self.ended) and self.status == 0


def ask_controller(client):
    client.request(CONTROLLER, generic(CTRL_GETFAMILY, attr(CTRL_FAMILY_NAME, b"nlctrl\0")))


class Closer(Child):
    """Somebody whose socket has only spoken to nlctrl; he closes it when he is told to."""

    def __init__(self):
        ready, self.go = os.pipe(), os.pipe()
        super().__init__(self.run, ready[1])
        os.close(self.go[0])
        os.close(ready[1])
        os.read(ready[0], 1)

    def run(self, ready):
        client = Netlink(NETLINK_GENERIC)
        ask_controller(client)
        os.write(ready, b"x")
        os.read(self.go[0], 1)
        client.close()

    def closes(self):
        os.write(self.go[1], b"x")
        return self.ends()


lab.load_module()
with open("/proc/kallsyms", encoding="ascii") as symbols:
    address = next((line.split()[0] for line in symbols if " edge_net_id\t[nf_edge]" in line), None)
holder = os.environ.get("NF_EDGE_HOLDER_KO")
if not address or not holder:
    print("1..0 # SKIP no module that holds locks is built, or this kernel does not tell where they are")
    sys.exit()
subprocess.run(["insmod", holder, f"edge_net_id_at=0x{address}"], check=True)

spec, tap = Spec(), Tap()
genl, late = Genl(spec), Netlink(NETLINK_GENERIC)
genl.socket.settimeout(None)
PARTNER = {"address": "198.51.100.0", "prefix-len": 24, "groups": ["pic"]}
genl.do("partner-add", {"entry": PARTNER})
ask_controller(late)
closer = Closer()
spare = [Genl(spec) for _ in range(3)]	# to look up a family's number may be what waits


def waiting(name, values, user=0):
    """Somebody who asks for something, and either waits or is through; his socket is his own from now on."""
    client, op = spare.pop(), spec.ops[name]
    client.socket.settimeout(None)
    child = Child(client.dump if op.kind == "dump" else client.do, name, values, user=user)
    lab.until(lambda: child.ended() or child.waits())
    return child


def again(name, values):
    """Whether somebody is told to come again."""
    try:
        spare.pop().do(name, values)
    except Refused as refused:
        return refused.errno == errno.EAGAIN
    return False


def join():
    """Needs to be alone in generic netlink, on some kernels."""
    late.socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, genl.groups["config"])


with open("/dev/nf_edge_holder", "rb") as holding:
    tools = [subprocess.Popen([lab.EDGECTL, *words]) for words in (["mode", "audit"], ["partner", "add", "192.0.2.1", "group", "pic"])]
    tap.check("a change is refused before long", again("partner-add", {"entry": {**PARTNER, "groups": ["xmpp"]}}))
    tap.check("who joins a group does so", Child(join).ends())
    listing = waiting("partner-get", {"name": "nobody"}, NOBODY)
    tap.check("an unprivileged listing goes on", listing.ends())
    status = waiting("status-get", {}, NOBODY)
    tap.check("edgectl asks again", all(tool.poll() is None for tool in tools))
    tap.check("nlctrl answers", Child(ask_controller, late).ends())
    tap.check("a socket that spoke to nlctrl only is closed", closer.closes())
    tools[1].kill()
    tap.check("who waits to change something can be killed", lab.until(lambda: tools[1].poll() is not None))
holding = None
tap.check("the others are through then", status.ends() and tools[0].wait(lab.PATIENCE) == 0)
tap.check("and what was asked is done", genl.do("status-get")["mode"] == "audit")
tap.check("but for who was killed", len(genl.dump("partner-get")) == 1, genl.dump("partner-get"))
genl.close()
subprocess.run(["rmmod", "nf_edge_holder"], check=True)
tap.done()
