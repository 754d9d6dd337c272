#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Known limits: what takes packets past netfilter, unjudged and uncounted. For each, that it
# does, that doctor sees it, and that all is judged again when it is gone.
#
#   outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py
#                |                  ^
#                +--- a way past ---+

import ctypes
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403
import nl  # noqa: E402

LOAD, ATTACH, DETACH = 5, 8, 9	# BPF_PROG_*
SCHED_CLS, XDP, TCX_INGRESS = 3, 6, 46	# BPF_PROG_TYPE_*, BPF_TCX_INGRESS
RTM_SETLINK, IFLA_XDP, IFLA_XDP_FD, IFLA_XDP_FLAGS, SKB_MODE = 19, 43, 1, 3, 2
SYS_BPF = {"x86_64": 321, "aarch64": 280, "s390x": 351}[os.uname().machine]

rig = Rig()
rig.load(POLICY)
CALL = tcp(STRANGER, ACCESS, 5061)


def passes(name, check, pattern, level="problem", packet=CALL):
    out, moved = rig.send(packet, comes=True)
    rig.check(f"{name}: goes past, as is known", out is not None and moved == {}, out, moved)
    rig.sees(name, check, pattern, level)


def is_gone(name, check, pattern, level="problem"):
    rig.expect(f"{name}: gone, and judged again", CALL, "not-listed")
    rig.check(f"{name}: doctor sees that", not (found := rig.doctor(check, pattern, level)), *found)


def tc(*words):
    rig.run("tc", *words)


def mirred():
    name = "tc mirred"
    if not rig.has(name, "sch_ingress", "cls_matchall", "act_mirred"):
        return
    tc("qdisc", "add", "dev", "ext0", "clsact")
    filters = "filter", "add", "dev", "ext0", "ingress", "matchall", "action", "mirred"
    for how, level, pattern in (("redirect", "problem", "^a tc filter at the ingress of ext0 redirects packets to int0"),
                                ("mirror", "unseen", "^the copies .* at the ingress of ext0 sends to int0$")):
        tc(*filters, "egress", how, "dev", "int0")
        if how == "redirect":
            passes(f"{name} {how}", "bypass", pattern, level)
        else:	# what is copied is judged, and the copy passes
            out, moved = rig.send(CALL, comes=True)
            rig.check(f"{name} mirror: the copy goes past, as is known", out is not None and moved == {"not-listed": 1},
                      out, moved)
            rig.sees(f"{name} mirror", "bypass", pattern, level)
        tc("filter", "del", "dev", "ext0", "ingress")
        is_gone(f"{name} {how}", "bypass", pattern, level)
    if rig.has("tc mirred to an ifb", "ifb"):
        ip(["link add ifb9 type ifb", "link set ifb9 up"], "gw")
        tc(*filters, "egress", "redirect", "dev", "ifb9")
        rig.expect("tc mirred to an ifb: comes back ahead of the hooks", CALL, "not-listed")
        rig.check("tc mirred to an ifb: doctor has nothing against it", not rig.doctor("bypass", ""))
        ip(["link del ifb9"], "gw")
    tc("qdisc", "del", "dev", "ext0", "clsact")
    if rig.has("tc mirred on a queue of egress", "sch_prio"):
        tc("qdisc", "add", "dev", "int0", "root", "handle", "1:", "prio")
        tc("filter", "add", "dev", "int0", "parent", "1:", "matchall", "action", "mirred", "egress", "redirect", "dev", "alt0")
        rig.sees("tc mirred on a queue of egress", "bypass", "^a tc filter at the egress of int0 redirects packets to alt0")
        tc("qdisc", "del", "dev", "int0", "root")


def nft_fwd():
    name = "nft fwd"
    if not rig.has(name, "nft_fwd_netdev"):
        return
    rig.run("nft", "table netdev past { chain in { type filter hook ingress device ext0 priority 0; fwd to int0; }; }")
    passes(name, "bypass", r"^rule \d+ of chain netdev past in sends packets out of a device")
    rig.run("nft", "delete table netdev past")
    is_gone(name, "bypass", "chain netdev past in")


def flowtable():
    name = "a flowtable"
    if not rig.has(name, "nf_flow_table", "nf_flow_table_inet", "nft_flow_offload"):
        return
    rig.run("nft", "table inet past { flowtable ft { hook ingress priority 0; devices = { ext0, int0 }; }; "
            "chain through { type filter hook forward priority 10; ct state established flow add @ft; }; }")
    call = tcp(FEDERATION, ACCESS, 5061, sport=41000)
    later = tcp(FEDERATION, ACCESS, 5061, "A", sport=41000, seq=1, ack=1)
    rig.expect("a call that will be offloaded", call, "sip-federation-in")
    rig.expect("its answer", back(call), "sip-federation-in", "inside")
    rig.send(later, comes=True)	# the first that goes past, on some kernels
    rig.edgectl("partner", "del", FEDERATION)
    passes(name, "offload", "^flowtable inet past ft .*ext0.* past netfilter", packet=later)
    rig.edgectl("partner", "add", FEDERATION)
    rig.run("nft", "delete table inet past")
    is_gone(name, "offload", "inet past")


# ---- programs ----

def bpf(command, attr):
    attr = ctypes.create_string_buffer(attr.ljust(128, b"\0"))
    result = libc.syscall(SYS_BPF, command, attr, len(attr))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def redirecting(kind, index):
    """A program that sends every packet to a device: r1 = index, r2 = 0, bpf_redirect(), exit."""
    code = b"".join(struct.pack("=BBhi", *each) for each in
                    ((0xb7, 0x01, 0, index), (0xb7, 0x02, 0, 0), (0x85, 0, 0, 23), (0x95, 0, 0, 0)))
    code, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    return bpf(LOAD, struct.pack("=IIQQ", kind, 4, ctypes.addressof(code), ctypes.addressof(licence)))


def index_of(device):
    return json.loads(rig.run("ip", "-j", "link", "show", device, capture_output=True, text=True).stdout)[0]["ifindex"]


def on_gw(function, *arguments):
    def body():
        enter("gw")
        return function(*arguments)
    return on_thread(body)


def set_xdp(device, program):
    """-1: none any more."""
    with nl.Netlink(nl.NETLINK_ROUTE) as socket_:
        xdp = nl.attr(IFLA_XDP_FD, struct.pack("=i", program)) + nl.attr(IFLA_XDP_FLAGS, struct.pack("=I", SKB_MODE))
        socket_.request(RTM_SETLINK, struct.pack("=BxHiII", 0, 0, device, 0, 0) + nl.attr(IFLA_XDP | nl.NESTED, xdp))


def programs():
    ext0, int0 = index_of("ext0"), index_of("int0")
    try:
        xdp, cls = redirecting(XDP, int0), redirecting(SCHED_CLS, int0)
    except OSError as error:
        rig.skip("XDP and tcx programs", f"this kernel loads none: {error}")
        return
    on_gw(set_xdp, ext0, xdp)
    passes("XDP redirect", "bypass", "^what the XDP program on ext0 does", "unseen")
    on_gw(set_xdp, ext0, -1)
    is_gone("XDP redirect", "bypass", "XDP", "unseen")

    if rig.has("a program as tc filter", "sch_ingress", "cls_bpf"):
        os.makedirs(f"/run/{rig.name}-bpf", exist_ok=True)
        path = f"/run/{rig.name}-bpf".encode()
        if libc.mount(b"bpf", path, b"bpf", 0, None):
            raise OSError(ctypes.get_errno(), "mount bpf")
        pin = ctypes.create_string_buffer(path + b"/cls")
        bpf(6, struct.pack("=QI", ctypes.addressof(pin), cls))	# BPF_OBJ_PIN
        tc("qdisc", "add", "dev", "ext0", "clsact")
        tc("filter", "add", "dev", "ext0", "ingress", "bpf", "da", "pinned", pin.value.decode())
        passes("a program as tc filter", "bypass", "^what the program of a tc filter at the ingress of ext0 does", "unseen")
        tc("qdisc", "del", "dev", "ext0", "clsact")
        is_gone("a program as tc filter", "bypass", "program", "unseen")
        subprocess.run(["umount", path], check=True)

    attach = struct.pack("=III", ext0, cls, TCX_INGRESS)
    try:
        on_gw(bpf, ATTACH, attach)
    except OSError as error:
        rig.skip("a tcx program", f"this kernel has no tcx (Linux 6.6 does): {error}")
        return
    passes("a tcx program", "bypass", "^what the tcx programs at the ingress of ext0 do", "unseen")
    on_gw(bpf, DETACH, attach)
    is_gone("a tcx program", "bypass", "tcx programs", "unseen")


rig.check("doctor sees nothing before", not rig.doctor("bypass", "") and not rig.doctor("bypass", "", "unseen"))
mirred()
nft_fwd()
flowtable()
programs()
rig.done()
