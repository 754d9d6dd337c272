# SPDX-License-Identifier: GPL-2.0-only
"""People who mean harm, and what they ask for.

Outsiders are some unprivileged user in the network name space of others; owners are root in a container of
their own, which that user may have: a user and a network name space. Each role is a process that goes on until it is
told that all is over. Refusals are nothing to them.
"""

import ctypes
import errno
import os
import random
import resource
import signal
import socket
import struct
import sys
import threading
import time

sys.path[1:1] = [os.path.join(os.path.dirname(os.path.realpath(__file__)), each) for each in
                 ("../../lib", "../../fuzz/lib")]
import lab  # noqa: E402
from crowd import Crowd, load  # noqa: E402
from genl import Genl  # noqa: E402
from maker import Maker  # noqa: E402
from nl import (ACK, ADD_MEMBERSHIP, CONTROLLER, CTRL_FAMILY_NAME, CTRL_GETFAMILY, DUMP, NETLINK_GENERIC,  # noqa: E402
                ROOM, SOL_NETLINK, Netlink, Refused, attr, generic)

NOBODY = 65534
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_DUMPABLE = 4
SOCKETS = 1000
FIRST, STEP, OTHERS, HALF = 0x0A000001, 7, 0x64000001, 0	# hosts of the large table; hosts besides; 0.0.0.0/1
LARGEST = 15000	# entries of a message: 416 KiB, all that net.core.wmem_max lets him have
TOLD = 3	# odd ends of a role that are told


class Stranger:
    """What all of them need; family: of nf_edge, as the machine knows it."""

    def __init__(self, spec, seed, partners, tally):
        self.spec, self.rng, self.partners, self.tally = spec, random.Random(seed), partners, tally
        self.place = None
        self.crowd, self.maker = Crowd(spec), Maker(spec, self.rng)
        self.listing = spec.ops["partner-get"]

    def go(self, place, steps):
        """Until all is over."""
        told, self.place = 0, place
        while not self.tally.over():
            try:
                self.rng.choice(steps)()
            except (Refused, OSError) as error:
                odd = not isinstance(error, Refused) and error.errno not in (
                    errno.ENOBUFS, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.EPERM, errno.EMSGSIZE)
                if odd and told < TOLD:
                    told += 1
                    print(f"# {type(self).__name__}: {error!r}", flush=True)
            self.tally.add(place)

    def ask_list(self, sock, family, **values):
        """Asks for partners; does not read."""
        payload = struct.pack("=BBH", self.listing.value, 1, 0) + self.spec.pack(self.listing.set, values)
        sock.send(struct.pack("=IHHII", len(payload) + 16, family, 1 | DUMP, 1, 0) + payload)

    @staticmethod
    def read_list(sock):
        while struct.unpack_from("=H", sock.recv(1 << 17), 4)[0] not in (2, 3):
            pass

    def no_match(self):
        return self.rng.choice([{"name": "nobody"}, {"domain": "nobody.example"}, {"groups": ["xmpp"]},
                                {"idle": 0xffffffff}, {"address": "223.255.255.255"}, {"name": "nobody", "groups": ["pic"]}])

    def send_wild(self, client, count=32):
        """What the specification allows, what it forbids, and what chance makes of it."""
        batch = []
        for _ in range(count):
            made = self.rng.choice((self.maker.valid, self.maker.spoiled, self.maker.wild))()
            batch.append(made.encode(client.family, self.rng.randrange(1, 1 << 31)))
        for each in batch:
            try:
                client.socket.send(each, socket.MSG_DONTWAIT)
                while True:
                    client.socket.recv(1 << 17, socket.MSG_DONTWAIT)
            except OSError:
                pass


class Outsider(Stranger):
    """Without any right, in the name space of those who have."""

    def lists(self):
        """Listings that find nothing, a few at once."""
        clients = [Genl(self.spec) for _ in range(4)]

        def step():
            for client in clients:
                self.ask_list(client.socket, client.family, **self.no_match())
            for client in clients:
                self.read_list(client.socket)
        return [step]

    def unread(self):
        """Listings that nobody reads, and hundreds of sockets opened and closed."""
        family = Genl(self.spec).family

        def many():
            kept = []
            for n in range(300):
                sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
                kept.append(sock)
                if n % 3 == 0:
                    self.ask_list(sock, family, **(self.no_match() if n % 2 else {}))
            for sock in kept:
                sock.close()

        def half_read():
            client = Genl(self.spec)
            self.ask_list(client.socket, client.family)
            client.socket.recv(1 << 17)
            client.close()
        return [many, half_read]

    def storm(self):
        """Requests to nlctrl, groups joined, all that is forbidden, and what is not."""
        client, asker = Genl(self.spec), Netlink(NETLINK_GENERIC)

        def families():
            for _ in range(50):
                asker.request(CONTROLLER, generic(CTRL_GETFAMILY, attr(CTRL_FAMILY_NAME, b"nf_edge\0")))
            asker.request(CONTROLLER, generic(CTRL_GETFAMILY), DUMP)

        def joins():
            for group in client.groups.values():
                with Netlink(NETLINK_GENERIC) as listener:
                    listener.socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)

        def status():
            for _ in range(20):
                client.do("status-get")
                client.dump("rule-get")
                client.do("explain", {"source": "198.51.100.1", "destination": "203.0.113.13", "protocol": 6, "dport": 5061})

        return [families, joins, status, lambda: self.send_wild(client)]


class Owner(Stranger):
    """Root of a container."""

    def roomy(self):
        """A socket that may say much at once."""
        client = Genl(self.spec)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            client.socket.setsockopt(socket.SOL_SOCKET, option, ROOM)
        return client

    def command(self, client, name, payload=b"", flags=ACK):
        client.command(self.spec.ops[name].value, payload, flags)
        if self.place:
            self.tally.add(self.place)

    def settle(self):
        """All partners that memory allows are his."""
        with self.roomy() as client:
            load(client, self.crowd.lists(FIRST, self.partners, STEP, LARGEST))

    def lists(self):
        """Lists at the largest message, of what is there already, twice, and one in the other."""
        crowd, rng, tolerant = self.crowd, self.rng, self.crowd.tolerant
        client, half = self.roomy(), crowd.hosts(HALF, 1, bits=1)
        gone = crowd.gone(HALF, 1, bits=1)
        nested = b"".join(crowd.hosts(0x0A000000 + (n << 12 & 0xFFFFFF) & ~((1 << 32 - bits) - 1), 1, bits=bits)
                          for n, bits in ((n, n % 24 + 8) for n in range(4000)))
        row = self.spec.pack("edge", {"entry": b""})[:4]
        for_rows = b"".join(attr(struct.unpack("=HH", row)[1], self.spec.pack("rule-entry", {"row": "xmpp-in", "enabled": n & 1}))
                            for n in range(4000))
        at_once = {
            "there": lambda: self.command(client, "partner-add", half * 4000 + tolerant),
            "twice gone": lambda: self.command(client, "partner-del", gone * rng.choice((500, 4000)) + tolerant),
            "largest": lambda: self.command(client, "partner-add", crowd.hosts(OTHERS, LARGEST, 3) + tolerant),
            "refused": lambda: self.command(client, "partner-add", crowd.hosts(OTHERS - 4000, 4000) + half),
            "largest gone": lambda: self.command(client, "partner-del", crowd.gone(OTHERS, LARGEST, 3) + tolerant),
            "nested": lambda: self.command(client, "partner-add", nested + tolerant),
            "blocked": lambda: self.command(client, "block-add", crowd.gone(OTHERS + rng.randrange(9), LARGEST, 3) + tolerant),
            "blocked no more": lambda: self.command(client, rng.choice(("block-flush", "undo"))),
            "undone": lambda: self.command(client, "undo"),
            "rows": lambda: self.command(client, "rule-set", for_rows),
            "idle": lambda: self.command(client, "partner-get", self.spec.pack("edge", self.no_match()), DUMP),
        }
        return list(at_once.values())

    def domains(self):
        """Prefixes of many domains, their listing, and their end."""
        crowd, rng, tolerant = self.crowd, self.rng, self.crowd.tolerant
        client = self.roomy()

        def one_prefix():
            for first in (0, 500, 1000):
                self.command(client, "partner-add", crowd.domains(HALF, 1, 500, first) + tolerant)

        def many_prefixes():
            for at in range(1500):
                if self.tally.over():
                    return
                self.command(client, "partner-add", crowd.domains(OTHERS + at, 32, 64) + tolerant)

        def listed():
            self.ask_list(client.socket, client.family, domain="nobody.example")
            self.read_list(client.socket)

        def gone():
            self.command(client, "partner-del", crowd.gone(OTHERS, 1500) + tolerant)
            self.command(client, "partner-flush", self.spec.pack("edge", {"groups": [rng.choice(["pic", "client"])]}))
        return [one_prefix, many_prefixes, listed, listed, gone]

    def transactions(self):
        """A thousand sockets with transactions that nobody ends; some do."""
        clients, family = [], self.roomy()
        some = self.crowd.hosts(OTHERS, 100) + self.crowd.tolerant

        def begin():
            client = Genl(self.spec)
            clients.append(client)
            self.command(client, "begin", self.spec.pack("edge", {"copy": True}) if self.rng.random() < .05 else b"")
            self.command(client, "partner-add", some)

        def close():
            clients.pop(self.rng.randrange(len(clients))).close()

        def step():
            begin()
            while len(clients) > SOCKETS:
                close()

        def end():
            if clients:
                self.command(self.rng.choice(clients), self.rng.choice(("abort", "begin", "confirm", "revert")))

        def commit():
            self.command(family, "begin")
            self.command(family, "partner-add", self.crowd.hosts(OTHERS, 4000) + self.crowd.tolerant)
            self.command(family, "commit", self.spec.pack("edge", {"confirm": 1000, "open": True}))
            self.command(family, "revert")
        return [step] * 40 + [end] * 4 + [commit]

    def killed(self):
        """Whoever asks for much, and is killed in the middle, and closes with a transaction half filled."""
        half = self.crowd.hosts(HALF, 1, bits=1) * 4000 + self.crowd.tolerant
        lists = list(self.crowd.lists(FIRST, min(self.partners, 8 * LARGEST), STEP, LARGEST))

        def ask():
            client = self.roomy()
            if self.rng.random() < .5:
                self.command(client, "partner-add", half)
                return
            self.command(client, "begin")
            for payload in lists:
                self.command(client, "partner-add", payload)
            self.command(client, "commit")

        def step():
            child = os.fork()
            if not child:
                try:
                    ask()
                finally:
                    os._exit(0)
            time.sleep(self.rng.random() / 2)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        return [step]

    def pairs(self):
        """Two threads on one socket, at random."""
        def step():
            client = self.roomy()
            ends = threading.Thread(target=self.send_wild, args=(client,))
            ends.start()
            self.send_wild(client)
            ends.join()
            client.close()
        return [step]

    def loads(self):
        """All partners again and again, and their flushing."""
        client = self.roomy()

        def group():
            for payload in self.crowd.lists(FIRST, min(self.partners, 4 * LARGEST), STEP, LARGEST, groups=["pic"]):
                self.command(client, "partner-add", payload)
            self.command(client, "partner-flush", self.spec.pack("edge", {"groups": ["pic"]}))

        def rid():
            self.command(client, "partner-flush", self.rng.choice((b"", self.spec.pack("edge", {"groups": ["federation"]}))))
            self.settle()
        return [self.settle, group, group, rid]


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def become_nobody(files=2 * SOCKETS):
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    lab.libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)	# whose /proc/self is his own


def container():
    """The caller, nobody, becomes root in one of his own."""
    if lab.libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"0 {NOBODY} 1")
    write("/proc/self/gid_map", f"0 {NOBODY} 1")
