#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The module comes and goes, and name spaces with policies of their own do, while traffic
# runs: admitted packets are neither lost nor counted twice, each name space counts its own,
# and nothing is left behind.
#
#   NF_EDGE_FAULTS_MODULES      loads and unloads (1,000)
#   NF_EDGE_FAULTS_NAMESPACES   name spaces made and destroyed (1,000)
#
#     lib/traffic.py draws the first half's. In the second each name space is at the end of a
#     cable, and frames keep coming through it while its owner leaves:
#
#     this name space  pN ======== eth0  N-th name space: nf_edge, Edge address HERE

import collections
import ctypes
import errno
import os
import select
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))
from faults import *  # noqa: E402,F403
from lab import enter, on_thread  # noqa: E402
from traffic import *  # noqa: E402,F403
from wire import *  # noqa: E402,F403

HERE, FRIEND, OTHER = "203.0.113.10", "198.51.100.20", "192.0.2.66"
POLICY = load(*[interface_add("av", one) for one in (AV, AV6)],
              partner_add((f"{PARTNER}/32", ["messenger"], "a partner"), (f"{PARTNER6}/128", ["messenger"])),
              rule_set(("av-stun-in", None, "listed"), ("av-stun-out", None, "listed")))

tap = Tap()
hurry()
if is_loaded():
    tap.check("the module can be unloaded", not remove())
load_dependencies()
image = module_image()
build()
# Connection tracking stays when the module goes: it knows the flows when it comes back.
subprocess.run(["ip", "netns", "exec", GATEWAY, "nft", "add table inet keep; add chain inet keep always "
                "{ type filter hook forward priority 100; }; add rule inet keep always ct state invalid counter"], check=True)


def loads(count):
    """The first complaint, or None."""
    enter(GATEWAY)
    for n in range(count):
        code = insert(image)
        if code:
            return f"load {n}: {errno.errorcode[code]}"
        client = Socket()
        client.run(POLICY)
        if n % 16 == 0:
            time.sleep(0.05)	# some traffic
            counted = client.counters()
            if counted["malformed"] != (0, 0, 0) or counted["not-listed"] != (0, 0, 0):
                return f"load {n}: {counted}"
        client.close()
        code = remove()
        if code:
            return f"unload {n}: {errno.errorcode[code]}"
    return None


count = number("MODULES", 1000)
traffic = Traffic(refused=[], pause=0.15)
traffic.start()
complaint = on_thread(loads, count)
tally, trouble = traffic.stop()
tap.check(f"the module is loaded and unloaded {count} times", not complaint, complaint)
tap.check(f"none of {sum(one[0] for one in tally.values())} packets is lost meanwhile", not trouble, trouble)


# The second half. No tool: a cable by netlink, frames by a packet socket.

class Cables(Netlink):
    """Pairs of devices, one end here, one in a thread's own name space."""

    NEWLINK, SETLINK, NEWADDR, CREATE = 16, 19, 20, ACK | 0x600

    def __init__(self):
        super().__init__(NETLINK_ROUTE)

    def wait(self, name):
        """Until both ends are up, and the queue does not swallow frames any more."""
        path = f"/sys/class/net/{name}/operstate"
        while open(path, encoding="ascii").read() != "up\n":
            time.sleep(0.001)
        self.up(name)	# that has to wait for who said so to let go of the lock

    @staticmethod
    def link(up=False):
        return struct.pack("=BBHiII", 0, 0, 0, 0, up, up)

    def lay(self, name, there):
        """there: a file of the other name space."""
        peer = self.link() + attr(3, b"eth0\0") + attr(28, struct.pack("=I", there)) + attr(1, b"\2\0\0\0\0\1")
        self.request(self.NEWLINK, self.link() + attr(3, name.encode() + b"\0") +
                     attr(18, attr(1, b"veth\0") + attr(2, attr(1, peer))), self.CREATE)
        self.up(name)

    def up(self, name):
        self.request(self.SETLINK, self.link(up=True) + attr(3, name.encode() + b"\0"))

    def address(self, index, host):
        self.request(self.NEWADDR, struct.pack("=BBBBI", 2, 32, 0, 0, index) +
                     attr(1, packed(host)) + attr(2, packed(host)), self.CREATE)


def frame(source, number):
    """A datagram to HERE's port 3478, without checksum."""
    body = struct.pack("!HHHH", 1024 + number % 60000, 3478, 8 + 4, 0) + b"data"
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, packed(source), packed(HERE))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~(total + (total >> 16)) & 0xFFFF
    return b"\2\0\0\0\0\1" + b"\2\0\0\0\0\2" + b"\x08\0" + head[:10] + struct.pack("!H", total) + head[12:] + body


def frames_into():
    """A socket for frames into a cable, once it is bound to this end: to look for a device that is
    gone, at each frame, has the kernel look for a module."""
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)


def send(sock, data):
    try:
        sock.send(data)
    except OSError:	# nobody is there any more
        pass


class Rain:
    """Frames into the last cables, whether somebody is still there or not. By a process of its
    own: threads of one, on two processors of User-mode Linux, wait for each other, spinning."""

    def __init__(self, socks):
        self.fallen = 0
        self.told, here = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.child = os.fork()
        if not self.child:
            self.told.close()
            try:
                self.fall(socks, here)
            finally:
                os._exit(1)
        here.close()

    @staticmethod
    def fall(socks, told):
        wet, fallen = collections.deque(maxlen=3), 0
        while True:
            if select.select([told], [], [], 0.02)[0]:
                number = told.recv(1)
                if not number:
                    break
                wet.append(socks[number[0]])
                told.send(b"%d" % fallen)
            for sock in wet:
                for source in (FRIEND, OTHER) * 2:
                    fallen += 1
                    send(sock, frame(source, fallen))
        os._exit(0)

    def add(self, number):
        """A socket by its number. The third last is let go of."""
        self.told.send(bytes([number]))
        self.fallen = int(self.told.recv(32))

    def stop(self):
        """Whether it came to a good end."""
        self.told.close()
        return os.waitpid(self.child, 0)[1] == 0


def expected(client, want):
    """Whether the counters come to what is wanted, and stay there."""
    for _ in range(600):
        counted = {name: value[0] for name, value in client.counters().items() if value[0]}
        if counted == want:
            return None
        time.sleep(0.01)
    return counted


def namespaces(count, rain):
    """The first complaint, or None. Each round leaves the name space of the one before."""
    cables = Cables()
    for n in range(count):
        if libc.unshare(CLONE_NEWNET):
            return f"name space {n}: {errno.errorcode[ctypes.get_errno()]}"
        with open("/proc/thread-self/ns/net", "rb") as there:
            cables.lay(f"p{n}", there.fileno())
        sock = socks[n % len(socks)]	# the rain has the others
        sock.bind((f"p{n}", 0x800))
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)	# of the device before
        inside, client = Cables(), Socket()
        inside.up("eth0")
        inside.address(socket.if_nametoindex("eth0"), HERE)
        cables.wait(f"p{n}")
        friends = n % 5
        client.run(load(interface_add("av", HERE), rule_set(("av-stun-in", None, "listed")),
                        partner_add((f"{FRIEND}/32", ["messenger"], f"name space {n}")),
                        *([interface_add("access", f"203.0.113.{friends + 1}")] * (friends > 0))))
        for k in range(4 + friends):
            send(sock, frame(FRIEND if k < 2 + friends else OTHER, k))
        counted = expected(client, {"av-stun-in": 2 + friends, "not-listed": 2})
        if counted:
            return f"name space {n} counts {counted}"
        inside.close()
        client.close()
        rain.add(n % len(socks))
    return None


count = number("NAMESPACES", 1000)
tap.check("the module is loaded", not insert(image))
socks = [frames_into() for _ in range(4)]
rain = Rain(socks)
complaint = on_thread(namespaces, count, rain)
tap.check("the rain comes to a good end", rain.stop())
tap.check(f"{count} name spaces, {rain.fallen} frames into them while they come and go", not complaint, complaint)
for _ in range(600):
    left = [name for name in os.listdir("/sys/class/net") if name.startswith("p")]
    if not left:
        break
    time.sleep(0.1)
tap.check("all of them are gone", not left, left)
code = remove()
tap.check("the module can be unloaded", not code, errno.errorcode.get(code))
tap.done()
