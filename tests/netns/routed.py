#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# A source route or a routing header that names an Edge address: where a packet goes is not where its
# header says. Each attack has a twin that names an address beside, and gets there: the kernel does
# follow such a route.
#
#   outside --- ext0 [gw: nf_edge, 192.0.2.1, 2001:db8:2::1] int0 --- inside        see rig.py

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403
from scapy.utils import checksum  # noqa: E402
from genl import Genl, Spec  # noqa: E402

GATE, GATE6 = "192.0.2.1", "2001:db8:2::1"	# the router's own, no Edge addresses
HERE6, BESIDE6 = "2001:db8:113::50", "2001:db8:113::51"	# its own, too; the first is one
SPARE6 = "2001:db8:113::13"	# of nobody, as SPARE
PORT = 9
IP_OPTIONS, IPV6_RTHDR = 4, 57
DESTINATION, ROUTING, FRAGMENT, NOTHING = 60, 43, 44, 59	# next headers
AMONG_EDGES = POLICY + f"interface add access {HERE6}\n"


def raw(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def there(function, *arguments):
    """What a function comes to on the router."""
    def inside():
        enter(rig.name)
        return function(*arguments)
    return on_thread(inside)


def permit(name):
    """A sysctl of all devices and of each; whether this kernel has it."""
    keys = [name.format(where).replace(".", "/") for where in ("all", "lo", *PATHS.values())]
    if not there(os.path.exists, f"/proc/sys/{keys[0]}"):
        return False
    rig.run("sysctl", "-qw", *(f"{key}=1" for key in keys))
    return True


# ---- packets ----

def options(*hops, kind=131, pointer=4, before=b""):
    """An IPv4 source route."""
    body = bytes(max(pointer - 4, 0) % 4) + b"".join(map(raw, hops))
    whole = before + bytes([kind, 3 + len(body), pointer]) + body
    return whole + bytes(-len(whole) % 4)


def ipv4(source, target, chosen, transport):
    """With options that scapy would rather understand."""
    body = bytes(IP(src=source, dst=target) / transport)[20:]
    head = bytes(IP(src=source, dst=target, ihl=5 + len(chosen) // 4, len=20 + len(chosen) + len(body),
                    proto=6 if TCP in transport else 17, chksum=0))[:20] + chosen
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def through(*hops, source=STRANGER, target=GATE, transport=UDP(sport=40000, dport=PORT) / b"payload", **fields):
    return ipv4(source, target, options(*hops, **fields), transport)


def plain(kind, *addresses, left=1, following=17):
    """Routing headers of types 0 and 2."""
    return bytes([following, 2 * len(addresses), kind, left, 0, 0, 0, 0]) + b"".join(map(raw, addresses))


def segments(*addresses, left=1, following=17):
    """Type 4; the last address comes first."""
    return bytes([following, 2 * len(addresses), 4, left, len(addresses) - 1, 0, 0, 0]) + b"".join(map(raw, addresses))


def compressed(*addresses, left=1, following=17, elided=4):
    """Type 3, without the bytes that every address here begins with."""
    body = b"".join(raw(address)[elided:] for address in addresses)
    pad = -len(body) % 8
    return bytes([following, (len(body) + pad) // 8, 3, left, elided << 4 | elided, pad << 4, 0, 0]) + body + bytes(pad)


def behind(headers, source, target, final, first=ROUTING, transport=UDP(sport=40000, dport=PORT) / b"payload"):
    """To target, by extension headers; its checksum is that of the last one's."""
    return IPv6(src=source, dst=target, nh=first) / Raw(headers + bytes(IPv6(src=source, dst=final) / transport)[40:])


# ---- ways in ----

def attack(name, make, final, beside, enters="outside"):
    rig.expect(name, make(final), "malformed", enters)
    rig.expect("... beside, it gets there", make(beside), "pass", enters)


def heard(receiver):
    try:
        return receiver.recv(2048)
    except BlockingIOError:
        return None


def attack_here(name, make):
    """To sockets of the router's own."""
    out, moved = rig.send(make(HERE6), comes=False)
    rig.check(f"{name}: malformed, and no socket hears it", moved == {"malformed": 1} and heard(at_edge) is None, out,
              moved)
    before = rig.counters()
    rig.put(make(BESIDE6))
    arrived = until(lambda: heard(at_side))
    rig.check("... beside, it gets there", arrived and rig.counters() == before, arrived, rig.counters())


def local_attack(name, send, final, beside, reason="malformed"):
    """By a sender on the router."""
    for target, why in (final, {reason: 1}), (beside, {}):
        rig.drain()
        before = rig.counters()
        refused = there(send, target)
        out = rig.received(PATIENCE if not why else 0.1)
        after = rig.counters()
        moved = {key: after[key] - before[key] for key in after if after[key] != before[key]}
        rig.check(f"{name}: {reason if why else 'beside, it gets there'}", moved == why and (out is None) == bool(why),
                  refused, out, moved)


def by_options(target):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, options(STRANGER))
        return sent(sock, target)


def by_header(hop):
    def send(target):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind((GATE6, 0))
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RTHDR, segments("::", hop))
            return sent(sock, target)
    return send


def sent(sock, target):
    try:
        return sock.sendto(b"payload", (target, PORT))
    except PermissionError as error:
        return error


def bound(address):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.bind((address, PORT))
    sock.setblocking(False)
    return sock


rig = Rig(AMONG_EDGES)
ip([f"addr add {address}/128 dev lo nodad" for address in (HERE6, BESIDE6)], rig.name)
at_edge, at_side = there(bound, HERE6), there(bound, BESIDE6)

# IPv4: through the router's own address.
permit("net.ipv4.conf.{}.accept_source_route")
attack("a loose source route", through, ACCESS, SPARE)
attack("... over the router twice", lambda final: through(GATE, final), ACCESS, SPARE)
attack("... behind other options", lambda final: through(final, before=b"\1\x94\4\0\0"), ACCESS, SPARE)
attack("... with a pointer between addresses", lambda final: through(final, pointer=5), ACCESS, SPARE)
attack("... of a SYN", lambda final: through(final, source=FEDERATION, transport=TCP(dport=5061, flags="S")), ACCESS, SPARE)
attack("... from inside", lambda final: through(final, source="10.0.0.7"), AV, "10.66.0.1", "inside")
rig.expect("a strict source route", through(ACCESS, kind=137), "malformed")
rig.expect("one to another router, by this one", through(ACCESS, target="10.66.0.1"), "malformed")
rig.expect("one that has been to an Edge address: an answer would go back", through(ACCESS, pointer=8), "malformed")
rig.expect("record route is no route", through(ACCESS, target=SPARE, kind=7, pointer=8), "pass")
local_attack("a local sender's source route", by_options, ACCESS, SPARE)

# IPv6, routed on and to a socket.
KINDS = {"seg6_enabled": ("segment routing", lambda *hops, **rest: segments(*reversed(hops), **rest)),
         "rpl_seg_enabled": ("RPL's routing header", compressed)}
following = {}
for sysctl, (name, header) in KINDS.items():
    if not permit(f"net.ipv6.conf.{{}}.{sysctl}"):
        rig.skip(name, f"this kernel has no net.ipv6.conf.all.{sysctl}")
        continue
    following[name] = header
    hops = (lambda final: (GATE6, final)) if sysctl == "seg6_enabled" else lambda final: (final,)
    attack(name, lambda final: behind(header(*hops(final)), STRANGER6, GATE6, final), ACCESS6, SPARE6)
    attack_here(f"{name}, to a socket", lambda final: behind(header(*hops(final)), STRANGER6, GATE6, final))
    attack_here(f"{name}, behind nine headers", lambda final: behind(
        (bytes([DESTINATION, 0, 1, 4, 0, 0, 0, 0]) * 8) + bytes([ROUTING, 0, 1, 4, 0, 0, 0, 0]) + header(*hops(final)),
        STRANGER6, GATE6, final, first=DESTINATION))
    if sysctl == "seg6_enabled":
        attack_here("... read by delivery alone", lambda final: behind(
            plain(2, "::1", left=0, following=FRAGMENT) + bytes([NOTHING, 0, 0, 0, 0, 0, 0, 7]) + header(*hops(final)),
            STRANGER6, GATE6, final))
    rig.expect("... no segments left", behind(header(ACCESS6, left=0), STRANGER6, SPARE6, SPARE6), "pass")
    rig.expect("... on its way elsewhere", behind(header(ACCESS6), STRANGER6, "2001:db8:66::1", ACCESS6), "malformed")
if "segment routing" in following:
    local_attack("a local sender's segment routing", by_header(STRANGER6), ACCESS6, SPARE6)
    local_attack("... that leads from the loopback device to another", by_header(GATE6), ACCESS6, SPARE6, "invalid-state")

ip([f"addr change {address}/128 dev lo home" for address in (HERE6, BESIDE6)], rig.name)
state = f"src {STRANGER6} dst {{}} proto route2 mode ro"
done = subprocess.run(["ip", "-n", rig.name, "-batch", "-"], capture_output=True, text=True, check=False, input="".join(
    f"xfrm state add {state.format(one)} coa {GATE6}\nxfrm policy add src {STRANGER6} dst {one} dir in tmpl "
    f"{state.format(one)} level use\n" for one in (HERE6, BESIDE6)))
if done.returncode:
    rig.skip("a mobile node's routing header", f"this kernel knows none: {done.stderr.strip()}")
else:
    attack_here("a mobile node's routing header", lambda final: behind(plain(2, final), STRANGER6, GATE6, final))
rig.expect("a routing header of type 0", behind(plain(0, ACCESS6), STRANGER6, GATE6, ACCESS6), "malformed")

# The header's destination is an Edge address, and that is not the end of it.
for number, (name, header) in enumerate({
        "of type 2": lambda final, **rest: plain(2, final, **rest), "of type 3": compressed,
        "of type 4": lambda final, **rest: segments(final, ACCESS6, **rest)}.items()):
    def syn(final, **rest):
        return behind(header(final, following=6, **rest), FEDERATION6, ACCESS6, ACCESS6,
                      transport=TCP(sport=41000 + number, dport=5061, flags="S"))
    rig.expect(f"to an Edge address, and on to another, {name}", syn(AV6), "malformed")
    rig.expect("... which it has been to", syn(AV6, left=0), "sip-federation-in")

# What is told.
spec = Spec()
listener = there(Genl, spec)
listener.subscribe("drops")
told = until(lambda: rig.send(through(ACCESS), comes=False) and list(listener.events()))
rig.check("the event has the packet's own addresses", told and told[0][0] == "drop-ntf" and {
    "reason": "malformed", "mode": "enforce", "source": STRANGER, "destination": GATE, "iif": "ext0"}.items() <=
    told[0][1].items() and "row" not in told[0][1], told)
listener.close()

# Audit counts each once, at whichever gate, and it gets there.
rig.load(AMONG_EDGES + "mode audit\n")


def passes(name, packet):
    out, moved = rig.send(packet, comes=True)
    rig.check(f"audit, {name}: counted once, and gets there", out is not None and moved == {"malformed": 1}, out, moved)


passes("a source route", through(ACCESS))
for name, header in following.items():
    hops = (GATE6, ACCESS6) if name == "segment routing" else (ACCESS6,)
    passes(name, behind(header(*hops), STRANGER6, GATE6, ACCESS6))
    passes(f"{name}, its checksum that of the first destination", behind(header(*hops), STRANGER6, GATE6, GATE6))
    before = rig.counters()
    rig.put(behind(header(*hops[:-1], HERE6), STRANGER6, GATE6, HERE6))
    arrived = until(lambda: heard(at_edge))
    after = rig.counters()
    rig.check(f"audit, {name}, to a socket: counted once, and gets there", arrived and
              {key: after[key] - before[key] for key in after if after[key] != before[key]} == {"malformed": 1}, arrived)
before = rig.counters()["malformed"]
refused = there(by_options, ACCESS)
rig.check("audit, a local sender: counted once", rig.counters()["malformed"] - before == 1, refused)
rig.edgectl("mode", "off")
rig.expect("off", through(ACCESS), "pass")
rig.done()
