# SPDX-License-Identifier: GPL-2.0-only
"""Traffic that knows of every packet what must become of it.

       outside                   gw                    inside
    +-----------+         +---------------+         +-----------+
    | partner   |         |               |         | av        |
    | stranger  |eth0-----|ext0       int0|-----eth0| spare     |
    +-----------+         |    nf_edge    |         +-----------+
                          +---------------+

A process of its own sends datagrams both ways, in rounds: a round ends when all of
its admitted ones have come, been answered, and the answers have come. A datagram
that nobody is to get is known by its text wherever it turns up.
"""

import itertools
import json
import os
import select
import socket
import subprocess
import time
import traceback

from lab import enter, ip, on_thread

AV, AV6, SPARE = "203.0.113.12", "2001:db8:113::12", "203.0.113.13"
PARTNER, PARTNER6 = "198.51.100.40", "2001:db8:51::40"
FORMER, STRANGER, STRANGER6 = "192.0.2.71", "192.0.2.70", "2001:db8:2::70"
GATEWAY, STUN = "gw", 3478
BURST = 8		# datagrams of a flow in a round
PORT_ROUNDS = 16	# rounds after which admitted flows are new ones
FIRST_PORT, LAST_PORT = 10000, 29999	# of admitted flows, each its own: chance would have some come twice
PATIENCE = 60		# seconds without any arrival: what is missing is lost

# (name space, source, destination, port, counts on)
ADMITTED = [
    ("outside", PARTNER, AV, STUN, "av-stun-in"),
    ("outside", PARTNER6, AV6, STUN, "av-stun-in"),
    ("inside", AV, PARTNER, STUN, "av-stun-out"),
]
REFUSED = [
    ("outside", STRANGER, AV, STUN, "not-listed"),
    ("outside", STRANGER6, AV6, STUN, "not-listed"),
    ("outside", PARTNER, AV, 4000, "unlisted"),
    ("inside", AV, STRANGER, STUN, "not-listed"),
]
# admitted while it was opened, and not any more
REVOKED = ("outside", FORMER, AV, STUN, "not-listed")
LISTENERS = [("inside", AV, STUN), ("inside", AV6, STUN), ("inside", AV, 4000),
             ("outside", PARTNER, STUN), ("outside", STRANGER, STUN)]


def build():
    ip([f"netns add {name}" for name in ("outside", GATEWAY, "inside")] +
       [f"link add ext0 netns {GATEWAY} type veth peer name eth0 netns outside",
        f"link add int0 netns {GATEWAY} type veth peer name eth0 netns inside"])
    ip(["link set lo up", "link set eth0 up", "addr add 198.51.100.1/32 dev eth0"] +
       [f"addr add {one} dev eth0" for one in (PARTNER, FORMER, STRANGER)] +
       [f"addr add {one}/128 dev eth0 nodad" for one in (PARTNER6, STRANGER6, "2001:db8:51::1")] +
       ["route add 169.254.0.1 dev eth0", "route add default via 169.254.0.1",
        "addr add fe80::2/64 dev eth0 nodad", "route add default via fe80::1 dev eth0"], "outside")
    ip(["link set lo up", "link set eth0 up", f"addr add {AV}/24 dev eth0", f"addr add {SPARE}/24 dev eth0",
        f"addr add {AV6}/64 dev eth0 nodad", "addr add fe80::2/64 dev eth0 nodad",
        "route add default via 203.0.113.1", "route add default via fe80::1 dev eth0"], "inside")
    ip(["link set lo up", "link set ext0 up", "link set int0 up", "addr add 169.254.0.1/32 dev ext0",
        "addr add fe80::1/64 dev ext0 nodad", "addr add 203.0.113.1/24 dev int0",
        "addr add fe80::1/64 dev int0 nodad", "addr add 2001:db8:113::1/64 dev int0 nodad"] +
       [f"route add {one} dev ext0" for one in (PARTNER, FORMER, STRANGER)] +
       [f"route add {one} via fe80::2 dev ext0" for one in (PARTNER6, STRANGER6)], GATEWAY)
    subprocess.run(["ip", "netns", "exec", GATEWAY, "sysctl", "-qw", "net.ipv4.ip_forward=1",
                    "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0",
                    "net.ipv4.conf.default.rp_filter=0"], check=True)


def udp_socket(namespace, host, port=0):
    def make():
        enter(namespace)
        return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)

    sock = on_thread(make)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.setblocking(False)
    sock.bind((host, port))
    return sock


def in_gateway(function):
    """What a function returns that was called in the gateway's name space."""
    def there():
        enter(GATEWAY)
        return function()
    return on_thread(there)


class Traffic:
    """open() and revoke in between, where a revoked flow is wanted; start(); stop()."""

    def __init__(self, admitted=ADMITTED, refused=REFUSED, pause=0):
        """pause: seconds between rounds."""
        self.admitted, self.refused, self.pause = admitted, list(refused), pause
        self.listeners = [udp_socket(*one) for one in LISTENERS]
        self.former = None
        self.sequence = 0
        self.tally = {}		# counter: [packets, bytes, flows]
        self.missing, self.leaked = [], []

    def count(self, why, host, length, packets=0, flows=0):
        tally = self.tally.setdefault(why, [0, 0, 0])
        tally[0] += packets
        tally[1] += packets * (length + 8 + (40 if ":" in host else 20))
        tally[2] += flows

    def open_revoked(self):
        """Has a flow admitted, once; the policy must do so now and not later."""
        namespace, source, target, port, _ = REVOKED
        self.former = udp_socket(namespace, source)
        self.former.sendto(b"open", (target, port))
        select.select(self.listeners, [], [], PATIENCE)
        for sock in self.listeners:
            for data, host in self.pending(sock):
                sock.sendto(data, host)
        return bool(select.select([self.former], [], [], PATIENCE)[0]) and self.former.recv(64) == b"open"

    @staticmethod
    def pending(sock):
        try:
            while True:
                yield sock.recvfrom(2048)
        except BlockingIOError:
            pass

    def text(self, tag):
        self.sequence += 1
        return b"%s%010d" % (tag, self.sequence)

    def start(self):
        """In a process of its own, from here on until stop()."""
        self.stopping, stopped = os.pipe()
        report, self.reporting = os.pipe()
        self.child = os.fork()
        if not self.child:
            try:
                os.close(stopped)
                self.run()
            except BaseException:	# whatever it is: it must not be the scenario that goes on
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.close(self.stopping)
        os.close(self.reporting)
        self.stopped, self.report = stopped, report

    def stop(self):
        """What was sent: {counter: [packets, bytes, flows]}, and what went wrong, as text."""
        os.close(self.stopped)
        with os.fdopen(self.report, "rb") as file:
            data = file.read()
        os.waitpid(self.child, 0)
        for sock in self.listeners:
            sock.close()
        if not data:
            return {}, "the traffic came to a bad end"
        said = json.loads(data)
        wrong = ""
        if said["missing"]:
            wrong += f"lost: {said['missing']} "
        if said["leaked"]:
            wrong += f"let through: {said['leaked']}"
        return said["tally"], wrong

    def run(self):
        refused = [(udp_socket(*one[:2]), one) for one in self.refused]
        if self.former:
            refused.append((self.former, REVOKED))
        rounds = 0
        ports = itertools.cycle(range(FIRST_PORT, LAST_PORT + 1))
        stop = select.poll()
        stop.register(self.stopping)
        while not stop.poll(0) and not self.missing:
            if rounds % PORT_ROUNDS == 0:
                port = next(ports)
                clients = [(udp_socket(*one[:2], port), one) for one in self.admitted]
                for _, one in clients:
                    self.count(one[4], one[1], 0, flows=1)
            rounds += 1
            self.round(clients, refused)
            time.sleep(self.pause)
        # what was on its way when the last round ended
        time.sleep(1)
        for sock in self.listeners + [sock for sock, _ in refused]:
            self.leaked += [data.decode() for data, _ in self.pending(sock)]
        os.write(self.reporting, json.dumps({"tally": self.tally, "missing": self.missing[:20],
                                             "leaked": self.leaked[:20]}).encode())

    def round(self, clients, refused):
        asked = {}
        for _ in range(BURST):
            for sock, (_, source, target, port, why) in clients:
                text = self.text(b"A")
                asked[text] = why, source
                sock.sendto(text, (target, port))
                self.count(why, source, len(text), 1)
            for sock, (_, source, target, port, why) in refused:
                text = self.text(b"R")
                sock.sendto(text, (target, port))
                self.count(why, source, len(text), 1)
        answered = set(asked)
        sockets = {sock.fileno(): sock for sock in self.listeners + [sock for sock, _ in clients + refused]}
        poll = select.poll()
        for sock in sockets.values():
            poll.register(sock, select.POLLIN)
        while asked or answered:
            ready = poll.poll(PATIENCE * 1000)
            if not ready:
                self.missing += [f"{text.decode()} ({why[0]})" for text, why in asked.items()] + \
                    [f"the answer to {text.decode()}" for text in answered - set(asked)]
                return
            for number, _ in ready:
                self.take(sockets[number], asked, answered)

    def take(self, sock, asked, answered):
        """What came to a socket: an admitted datagram, to be answered, or an answer."""
        for data, host in self.pending(sock):
            if sock not in self.listeners and data in answered:
                answered.remove(data)
            elif sock in self.listeners and data in asked:
                why, source = asked.pop(data)
                sock.sendto(data, host)
                self.count(why, source, len(data), 1)
            else:
                self.leaked.append(data.decode())
