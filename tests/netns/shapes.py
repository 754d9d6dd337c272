#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Packets that come to the hooks by detours of the kernel: what conntrack's helpers expect, what
# came out of a tunnel, through a bridge, from a program, by a virtual server, under a VRF. Each is
# judged as what it is when it gets there.
#
#   outside --- ext0 [gw: nf_edge, 192.0.2.1, 203.0.113.50 and 2001:db8:113::50] int0 --- inside
#                                                                               see rig.py

import hashlib
import hmac
import os
import re
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403
import nl  # noqa: E402

GATEWAY4, GATEWAY6 = "192.0.2.1", "2001:db8:2::1"	# gw's own, no Edge addresses
PEER, PEER6 = "192.0.2.99", "2001:db8:2::99"	# the other end of tunnels
HERE, HERE6 = "203.0.113.50", "2001:db8:113::50"	# Edge addresses of gw's own
LOCAL = f"interface add access {HERE}\ninterface add access {HERE6}\n"
IN, OUT = "sip-federation-in", "sip-federation-out"

rig = Rig()
port = 42000


def call(source, target, dport=5061):
    """A SYN of a connection that nobody has had yet."""
    global port
    port += 1
    return tcp(source, target, dport, sport=port)


def moves(name, packet, want, comes, enters="outside"):
    """One test: which counters move, by how much, and whether something comes out; that."""
    out, moved = rig.send(packet, enters, comes)
    rig.check(f"{name}: {want}", (out is not None) == comes and moved == want,
              f"came out: {out.summary() if out is not None else None}", f"moved: {moved}")
    return out


def on_gw(function, *arguments):
    def body():
        enter("gw")
        return function(*arguments)
    return on_thread(body)


def listen(family, address, device=None):
    """Something that answers on gw, at 5061."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    if device:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    sock.bind((address, 5061))
    sock.listen()
    return sock


def local():
    """Edge addresses of gw's own, and who answers there."""
    ip([f"addr add {HERE}/32 dev lo", f"addr add {HERE6}/128 dev lo nodad"], "gw")
    return on_gw(listen, socket.AF_INET, HERE), on_gw(listen, socket.AF_INET6, HERE6)


def hang_up(packet):
    """Or the answer is sent again."""
    rig.put(tcp(packet.src, packet.dst, 5061, "R", sport=packet[TCP].sport, seq=1))


# ---- conntrack's helpers and what they expect ----

HELPERS = """table ip helpers {
    ct helper ftp { type "ftp" protocol tcp; }
    ct helper sip { type "sip" protocol udp; }
    chain tracked { type filter hook prerouting priority 0;
        tcp dport 21 ct helper set "ftp"
        udp dport 5060 ct helper set "sip"
    }
}
"""


def expected(dport):
    """Whether connection tracking expects somebody there."""
    listed = rig.run("conntrack", "-L", "expect", capture_output=True, text=True).stdout
    return re.search(rf"\bdport={dport}\b", listed), listed


class Ftp:
    """A control connection, by which a server's words make connection tracking expect others."""

    def __init__(self, client, server, behind=None):
        self.up, self.sent, self.got = call(client, server, 21), 1, 1
        self.behind = behind or server
        for packet, enters in ((self.up, "outside"), (self.say("inside", flags="SA", seq=0, ack=1), "inside"),
                               (self.say("outside", ack=1), "outside")):
            rig.send(packet, enters, comes=True)
        self.server("220 ready\r\n")

    def say(self, enters, text="", flags="PA", **fields):
        """A packet from one side."""
        sport, dport = self.up[TCP].sport, self.up[TCP].dport
        if enters == "outside":
            packet = tcp(self.up.src, self.up.dst, dport, flags, sport=sport, **{"seq": self.sent, "ack": self.got, **fields})
        else:
            packet = tcp(self.behind, self.up.src, sport, flags, sport=dport, **{"seq": self.got, "ack": self.sent, **fields})
        return packet / Raw(text.encode()) if text else packet

    def client(self, text):
        rig.send(self.say("outside", text), comes=True)
        self.sent += len(text)

    def server(self, text):
        out, _ = rig.send(self.say("inside", text), "inside", comes=True)
        self.got += len(text)
        return out

    def passive(self, address, dport):
        """Says where it waits for the client."""
        self.client("PASV\r\n")
        return self.server(f"227 Entering Passive Mode ({address.replace('.', ',')},{dport >> 8},{dport & 255})\r\n")


def invite(source, target, port_):
    """An INVITE that says where its sender waits for media."""
    body = f"v=0\r\no=- 1 1 IN IP4 {source}\r\ns=-\r\nc=IN IP4 {source}\r\nt=0 0\r\nm=audio {port_} RTP/AVP 0\r\n"
    head = f"INVITE sip:a@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {source}:5060;branch=z9hG4bK{port_}\r\n" \
        f"From: <sip:e@{source}>;tag=1\r\nTo: <sip:a@{target}>\r\nCall-ID: {port_}@{source}\r\nCSeq: 1 INVITE\r\n" \
        f"Contact: <sip:e@{source}>\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
    return udp(source, target, 5060, sport=5060, payload=(head + body).encode())


def ftp():
    if not rig.has("FTP's helper", "nf_conntrack_ftp", "nft_ct", "nf_conntrack_netlink"):
        return
    control = Ftp(STRANGER, ACCESS)
    control.passive(ACCESS, 5061)
    rig.check("FTP: tracking expects a stranger at 5061", *expected(5061))
    data = call(STRANGER, ACCESS)
    rig.expect("FTP: expected, and a stranger", data, "not-listed")
    rig.check("FTP: who is dropped is expected still", *expected(5061))
    rig.edgectl("partner", "add", STRANGER)
    rig.expect("FTP: expected, and a partner", data, IN)
    rig.check("FTP: it was the one expected", not expected(5061)[0], expected(5061)[1])
    rig.expect("FTP: the answer", back(data), IN, "inside")
    rig.edgectl("partner", "del", STRANGER)
    rig.expect("FTP: no partner any more, the answer", back(data), "not-listed", "inside")
    rig.expect("FTP: an error about it", l3("192.0.2.200", ACCESS) / ICMP(type=3, code=1) / back(data), "not-listed")
    control.passive(ACCESS, 3000)
    data = call(STRANGER, ACCESS, 3000)
    rig.expect("FTP: expected where no row is, unlisted pass", data, "pass")
    control.client(f"PORT {STRANGER.replace('.', ',')},{5061 >> 8},{5061 & 255}\r\n")
    rig.check("FTP: tracking expects the Edge at a stranger's", *expected(5061))
    rig.expect("FTP: the Edge calls where it is expected", tcp(ACCESS, STRANGER, 5061, sport=20), OUT, "inside")
    rig.edgectl("unlisted", "drop")
    rig.expect("FTP: unlisted drop, what was expected", back(data), "unlisted", "inside")
    rig.expect("FTP: unlisted drop, control", control.say("outside", "NOOP\r\n"), "unlisted")
    rig.edgectl("unlisted", "pass")


def sip():
    if not rig.has("SIP's helper", "nf_conntrack_sip", "nft_ct", "nf_conntrack_netlink"):
        return
    rig.expect("SIP: the Edge invites a stranger, unlisted pass", invite(AV, STRANGER, 3478), "pass", "inside")
    rig.check("SIP: tracking expects media at 3478", *expected(3478))
    rig.edgectl("rule", "set", "av-stun-in", "peers", "listed")
    rig.expect("SIP: expected, and not listed", udp(STRANGER, AV, 3478, sport=4000), "not-listed")
    rig.edgectl("rule", "set", "av-stun-in", "peers", "any")
    rig.expect("SIP: expected, and admitted", udp(STRANGER, AV, 3478, sport=4000), "av-stun-in")
    rig.expect("SIP: control's media, unlisted pass", udp(STRANGER, AV, 3479, sport=4001), "pass")
    rig.edgectl("rule", "disable", "av-stun-in")
    rig.expect("SIP: expected, and its row disabled", udp(STRANGER, AV, 3478, sport=4000), "disabled")
    rig.edgectl("unlisted", "drop")
    rig.expect("SIP: control's media, unlisted drop", udp(STRANGER, AV, 3479, sport=4001), "unlisted")


def ftp_translated():
    if not rig.has("FTP's helper under translation", "nf_nat_ftp", "nft_ct", "nf_conntrack_netlink", "nft_chain_nat", "nft_nat"):
        return
    public, real = "203.0.113.99", "10.0.0.10"
    rig.run("nft", f"table ip nat {{ chain pre {{ type nat hook prerouting priority dstnat; "
            f"ip daddr {public} tcp dport 21 dnat to {real}; }}; "
            "chain post { type nat hook postrouting priority srcnat; }; }")
    rig.load(f"interface add access {real}\nunlisted pass\n")
    control = Ftp(STRANGER, public, behind=real)
    out = control.passive(real, 5061)
    rig.check("FTP, translated: the answer names the public address",
              out is not None and public.replace(".", ",") in bytes(out[TCP].payload).decode(), out)
    rig.expect("FTP, translated: expected, and a stranger", call(STRANGER, public), "not-listed")
    rig.edgectl("partner", "add", STRANGER)
    control.passive(real, 5061)	# tracking had met him, and expects nobody any more
    out = rig.expect("FTP, translated: expected, and a partner", call(STRANGER, public), IN)
    rig.check("FTP, translated: by the expectation", out is not None and out.dst == real, out)
    rig.run("nft", "delete table ip nat")


def helpers():
    rig.load(POLICY + "unlisted pass\n")
    if subprocess.run(["ip", "netns", "exec", "gw", "nft", "-f", "-"], input=HELPERS, text=True, capture_output=True,
                      check=False).returncode and not rig.has("conntrack's helpers", "nf_conntrack_ftp", "nf_conntrack_sip", "nft_ct"):
        return
    ftp()
    sip()
    ftp_translated()
    rig.run("nft", "delete table ip helpers")


# ---- IPsec ----

KEY = bytes(range(20))
SPIS = {FEDERATION: 0x200, STRANGER: 0x201, FEDERATION6: 0x200, STRANGER6: 0x201}	# in transport mode


def esp(source, target, spi, inner, kind):
    """ESP without encryption (RFC 2410), with HMAC-SHA1-96; inner: bytes, of the protocol kind."""
    pad = -(len(inner) + 2) % 4
    packet = struct.pack("!II", spi, 1) + inner + bytes(range(1, pad + 1)) + bytes([pad, kind])
    packet += hmac.new(KEY, packet, hashlib.sha1).digest()[:12]
    return l3(source, target, **{"nh" if ":" in target else "proto": 50}) / Raw(packet)


def tunnelled(inner, source=PEER, target=GATEWAY4):
    return esp(source, target, 0x100, bytes(inner), 41 if isinstance(inner, IPv6) else 4)


def transported(packet):
    """The packet with its payload in ESP."""
    whole = type(packet)(bytes(packet))
    return esp(packet.src, packet.dst, SPIS[packet.src], bytes(whole.payload), 6)


def state(source, target, spi, mode):
    return f"xfrm state add src {source} dst {target} proto esp spi {spi:#x} mode {mode} " \
        f"auth hmac(sha1) 0x{KEY.hex()} enc ecb(cipher_null) \"\""


def ipsec():
    name = "IPsec"
    if not rig.has(name, "xfrm_user", "esp4", "esp6", "authenc"):
        return
    listeners = local()
    rig.load(POLICY + LOCAL)
    states = [state(PEER, GATEWAY4, 0x100, "tunnel"), state(PEER6, GATEWAY6, 0x100, "tunnel"),
              state(PEER, HERE, 0x100, "tunnel")]
    states += [state(source, HERE, SPIS[source], "transport") for source in (FEDERATION, STRANGER)]
    states += [state(source, HERE6, SPIS[source], "transport") for source in (FEDERATION6, STRANGER6)]
    policies = [f"xfrm policy add src {any_} dst {any_} dir {way} tmpl src {peer} dst {gateway} proto esp mode tunnel level use"
                for any_, peer, gateway in (("0.0.0.0/0", PEER, GATEWAY4), ("::/0", PEER6, GATEWAY6)) for way in ("fwd", "in")]
    ip(states + policies, "gw")
    rig.expect("tunnel mode, a partner", tunnelled(call(FEDERATION, ACCESS)), IN)
    rig.expect("tunnel mode, a stranger", tunnelled(call(STRANGER, ACCESS)), "not-listed")
    rig.expect("tunnel mode, no row", tunnelled(call(FEDERATION, ACCESS, 25)), "unlisted")
    rig.expect("tunnel mode, malformed", tunnelled(tcp(FEDERATION, ACCESS, 5061, dataofs=4)), "malformed")
    rig.expect("tunnel mode, not ours", tunnelled(call(STRANGER, SPARE)), "pass")
    rig.expect("tunnel mode, IPv6, a partner", tunnelled(call(FEDERATION6, ACCESS6), PEER6, GATEWAY6), IN)
    rig.expect("tunnel mode, IPv6, a stranger", tunnelled(call(STRANGER6, ACCESS6), PEER6, GATEWAY6), "not-listed")
    inner = call(FEDERATION, ACCESS)
    rig.expect("tunnel mode, a flow", tunnelled(inner), IN)
    rig.edgectl("partner", "del", FEDERATION)
    rig.expect("tunnel mode, the flow of a partner no more", tunnelled(inner), "not-listed")
    rig.edgectl("partner", "add", FEDERATION)
    rig.expect("tunnel mode, the tunnel ends on an Edge address", tunnelled(call(FEDERATION, ACCESS), target=HERE), "unlisted")
    rig.expect("transport mode", transported(call(FEDERATION, HERE)), "unlisted")
    rig.expect("transport mode, IPv6", transported(call(FEDERATION6, HERE6)), "unlisted")
    rig.edgectl("unlisted", "pass")
    for partner, stranger, target in ((FEDERATION, STRANGER, HERE), (FEDERATION6, STRANGER6, HERE6)):
        syn = call(partner, target)
        moves(f"unlisted pass, transport mode to {target}, a partner is answered", transported(syn), {IN: 2}, True)
        hang_up(syn)
        moves(f"unlisted pass, transport mode to {target}, a stranger", transported(call(stranger, target)),
              {"not-listed": 1}, False)
    moves("unlisted pass, the tunnel ends on an Edge address, a stranger in it",
          tunnelled(call(STRANGER, ACCESS), target=HERE), {"not-listed": 1}, False)
    rig.edgectl("unlisted", "drop")

    ip(["xfrm policy flush", state(GATEWAY4, PEER, 0x300, "tunnel"), state(HERE, STRANGER, 0x300, "transport"),
        f"xfrm policy add src {HERE} dst {FEDERATION} dir out tmpl src {GATEWAY4} dst {PEER} proto esp mode tunnel",
        f"xfrm policy add src {HERE} dst {STRANGER} dir out tmpl proto esp mode transport"], "gw")
    for mode, target, want, comes in (("tunnel", FEDERATION, {OUT: 1}, True),
                                      ("transport", STRANGER, {OUT: 1, "unlisted": 1}, False)):
        rig.drain()
        before = rig.counters()
        sock = on_gw(connect, HERE, target)
        out = rig.received(PATIENCE if comes else 0.1)
        moved = {name: value - before[name] for name, value in rig.counters().items() if value != before[name]}
        sock.close()
        rig.check(f"what this machine's Edge address sends in {mode} mode: {want}",
                  (out is not None and out.proto == 50) == comes and moved == want, out, moved)
    ip(["xfrm policy flush", "xfrm state flush"], "gw")
    for sock in listeners:
        sock.close()
    ip([f"addr del {HERE}/32 dev lo", f"addr del {HERE6}/128 dev lo"], "gw")


def connect(source, target):
    """A local sender's SYN; its socket stays until it is closed, and would send again."""
    sock = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET)
    sock.setblocking(False)
    sock.bind((source, 0))
    try:
        sock.connect((target, 5061))
    except BlockingIOError:
        pass
    return sock


# ---- VXLAN and GENEVE ----

MAC = "02:00:00:00:01:01"


def framed(inner, header, dport, target=GATEWAY4):
    frame = Ether(src="02:00:00:00:01:02", dst=MAC) / inner
    return udp(PEER, target, dport, sport=50000, payload=header + bytes(frame))


def tunnels():
    kinds = [("vxlan", f"vxlan id 7 local {GATEWAY4} remote {PEER} dstport 4789 dev ext0", 4789, b"\x08\0\0\0\0\0\x07\0"),
             ("geneve", f"geneve id 7 remote {PEER} dstport 6081", 6081, b"\0\0\x65\x58\0\0\x07\0")]
    for kind, words, dport, header in kinds:
        if not rig.has(kind, kind):
            continue
        rig.load(POLICY)
        # what the device itself has to say of multicast is not asked for
        rig.run("nft", "table inet hush { chain out { type filter hook output priority 0; oifname tun0 drop; }; }")
        ip([f"link add tun0 address {MAC} type {words}", "link set tun0 arp off up"], "gw")
        rig.expect(f"{kind}, a partner", framed(call(FEDERATION, ACCESS), header, dport), IN)
        rig.expect(f"{kind}, a stranger", framed(call(STRANGER, ACCESS), header, dport), "not-listed")
        rig.expect(f"{kind}, IPv6, a partner", framed(call(FEDERATION6, ACCESS6), header, dport), IN)
        rig.expect(f"{kind}, IPv6, a stranger", framed(call(STRANGER6, ACCESS6), header, dport), "not-listed")
        rig.expect(f"{kind}, no row", framed(call(FEDERATION, ACCESS, 25), header, dport), "unlisted")
        rig.expect(f"{kind}, not ours", framed(call(STRANGER, SPARE), header, dport), "pass")
        rig.load(POLICY.replace(f"access {ACCESS}", f"access {ACCESS} dev tun0"))
        rig.expect(f"{kind}, bound to it", framed(call(FEDERATION, ACCESS), header, dport), IN)
        rig.expect(f"{kind}, bound to it, and outside of it", call(FEDERATION, ACCESS), "wrong-device")
        rig.load(POLICY.replace(f"access {ACCESS}", f"access {ACCESS} dev ext0"))
        rig.expect(f"{kind}, bound to what carries it", framed(call(FEDERATION, ACCESS), header, dport), "wrong-device")
        ip([f"addr add {HERE}/32 dev lo"], "gw")
        rig.load(POLICY + LOCAL)
        rig.expect(f"{kind}, ends on an Edge address", framed(call(FEDERATION, ACCESS), header, dport, HERE), "unlisted")
        ip(["link del tun0", f"addr del {HERE}/32 dev lo"], "gw")
        rig.run("nft", "delete table inet hush")


# ---- packets from a program ----

PACKET, VERDICT, CONFIG, ACCEPT = 0x300, 0x301, 0x302, 1	# NFQNL_MSG_*, NF_ACCEPT
HDR, VERDICT_HDR, PAYLOAD, CFG_CMD, CFG_PARAMS = 1, 2, 10, 1, 2	# NFQA_*


class Queue(threading.Thread):
    """The program behind a queue of gw's; change: what it makes of a packet's bytes."""

    HEAD = struct.pack("!BBH", 0, 0, 7)	# of queue 7

    def __init__(self):
        super().__init__(daemon=True)
        self.change, self.seen = bytes, 0
        self.netlink = on_gw(nl.Netlink, nl.NETLINK_NETFILTER)
        self.netlink.request(CONFIG, self.HEAD + nl.attr(CFG_CMD, struct.pack("!BxH", 1, 0)))
        self.netlink.request(CONFIG, self.HEAD + nl.attr(CFG_PARAMS, struct.pack("!IB", 0xffff, 2)))
        self.start()

    def run(self):
        sock = self.netlink.socket
        while True:
            try:
                data = sock.recv(1 << 17)
            except BlockingIOError:	# after a minute without packets
                continue
            for kind, _, _, payload in nl.messages(data):
                if kind == PACKET:
                    self.answer(dict(nl.attrs(payload[4:])))

    def answer(self, told):
        self.seen += 1
        number, = struct.unpack_from("!I", told[HDR])
        reply = self.HEAD + nl.attr(VERDICT_HDR, struct.pack("!II", ACCEPT, number))
        changed = self.change(told[PAYLOAD])
        if changed != told[PAYLOAD]:
            reply += nl.attr(PAYLOAD, changed)
        self.netlink.socket.send(self.netlink.encode(VERDICT, reply, 0))


def to_port(dport):
    def change(data):
        packet = IP(data)
        packet[TCP].dport, packet[TCP].chksum = dport, None
        return bytes(packet)
    return change


def to_address(address):
    def change(data):
        packet = IP(data)
        packet.dst, packet.chksum, packet[TCP].chksum = address, None, None
        return bytes(packet)
    return change


def reinjected():
    name = "a queue"
    if not rig.has(name, "nfnetlink_queue", "nft_queue"):
        return
    rig.load(POLICY)
    program = Queue()

    def at(hook, priority, change):
        program.change, program.seen = change, 0
        rig.run("nft", "-f", "-", input="table ip queued\ndelete table ip queued\ntable ip queued { chain hand { "
                f"type filter hook {hook} priority {priority}; tcp dport {{ 443, 444 }} queue num 7; }}\n}}", text=True)

    at("prerouting", -450, to_port(5061))	# ahead of both hooks
    rig.expect("changed ahead of the hooks, a stranger", call(STRANGER, ACCESS, 443), "not-listed")
    out = rig.expect("changed ahead of the hooks, a partner", call(FEDERATION, ACCESS, 443), IN)
    rig.check("changed ahead of the hooks: that it was", program.seen == 2 and out is not None and out[TCP].dport == 5061,
              program.seen, out)
    for where, priority in ("ahead of the hooks", -450), ("behind connection tracking", -150):
        at("prerouting", priority, lambda data: data[:30])
        out, moved = rig.send(call(FEDERATION, ACCESS, 443))
        rig.check(f"cut {where}: " + ("malformed" if moved else "the kernel does not take it back"),
                  out is None and moved in ({"malformed": 1}, {}), out, moved)
    at("prerouting", -150, to_address(ACCESS))
    rig.expect("changed behind connection tracking, from what is not ours", call(FEDERATION, SPARE, 443), "invalid-state")
    at("forward", -10, bytes)
    rig.expect("unchanged, between the hooks", call(STRANGER, ACCESS, 443), "sip-client-in")
    at("forward", 10, bytes)
    rig.expect("unchanged, behind the hooks", call(STRANGER, ACCESS, 443), "sip-client-in")
    rig.check("a queue: both were handed over", program.seen == 1, program.seen)
    # known limits
    at("prerouting", -150, to_port(5061))
    rig.expect("changed behind connection tracking, judged as its flow", call(STRANGER, ACCESS, 443), "sip-client-in")
    at("forward", 10, to_port(5061))
    rig.expect("changed behind the hooks, judged as it was", call(STRANGER, ACCESS, 443), "sip-client-in")
    rig.sees(name, "queue", r"^what the program changes to which rule \d+ of chain ip queued hand hands packets", "unseen")
    rig.run("nft", "delete table ip queued")


# ---- a bridge ----

def frame(packet, tag=None):
    """From beside to inside, without a router between."""
    kind = 0x86dd if isinstance(packet, IPv6) else 0x800
    start = Ether(src=MACS["beside"], dst=MACS["inside"], type=0x8100 if tag else kind)
    return start / Raw((struct.pack("!HH", tag, kind) if tag else b"") + bytes(packet))


def bridged():
    rig.load(POLICY)
    ip(["link add br0 type bridge", "link set br0 up", "link set int0 master br0", "link set alt0 master br0",
        "route add 203.0.113.0/28 dev br0"], "gw")
    stranger = frame(call(STRANGER, ACCESS))
    until(lambda: rig.send(stranger, "beside")[0] is not None)	# when both ports forward
    moves("a bridge alone carries it past, as is known", stranger, {}, True, "beside")
    rig.sees("a bridge alone", "bridge", f"^bridge br0 carries access {ACCESS} between its own ports")
    if rig.has("a bridge with br_netfilter", "br_netfilter"):
        through_hooks(stranger)
        ip(["link del br0"], "gw")
        subprocess.run(["rmmod", "br_netfilter"], check=True)
        return
    ip(["link del br0"], "gw")


def through_hooks(stranger):
    rig.expect("br_netfilter, a stranger", stranger, "not-listed", "beside")
    rig.expect("br_netfilter, IPv6, a stranger", frame(call(STRANGER6, ACCESS6)), "not-listed", "beside")
    rig.expect("br_netfilter, a partner", frame(call(FEDERATION, ACCESS)), IN, "beside")
    rig.expect("br_netfilter, IPv6, a partner", frame(call(FEDERATION6, ACCESS6)), IN, "beside")
    rig.expect("br_netfilter, no row", frame(call(FEDERATION, ACCESS, 25)), "unlisted", "beside")
    rig.expect("br_netfilter, malformed", frame(tcp(FEDERATION, ACCESS, 5061, dataofs=4)), "malformed", "beside")
    rig.expect("br_netfilter, not ours", frame(call(STRANGER, SPARE)), "pass", "beside")
    syn = call(FEDERATION, ACCESS)
    rig.expect("br_netfilter, a flow", frame(syn), IN, "beside")
    rig.edgectl("partner", "del", FEDERATION)
    rig.expect("br_netfilter, its partner is none any more", frame(syn), "not-listed", "beside")
    rig.check("br_netfilter: doctor has nothing against it", not rig.doctor("bridge", ""))
    # known limit
    tagged = frame(call(STRANGER, ACCESS), tag=9)
    moves("br_netfilter, a VLAN tag goes past, as is known", tagged, {}, True, "beside")
    rig.sees("br_netfilter, a VLAN tag", "bridge", "^what bridge br0 forwards with a VLAN tag", "unseen")
    rig.run("sysctl", "-qw", "net.bridge.bridge-nf-filter-vlan-tagged=1")
    rig.expect("br_netfilter, a VLAN tag, told to look", tagged, "not-listed", "beside")
    rig.check("br_netfilter, a VLAN tag, told to look: doctor knows", not rig.doctor("bridge", "", "unseen"))
    rig.load(POLICY.replace(f"access {ACCESS}", f"access {ACCESS} dev br0"))
    rig.expect("br_netfilter, bound to the bridge", frame(call(FEDERATION, ACCESS)), IN, "beside")
    rig.load(POLICY.replace(f"access {ACCESS}", f"access {ACCESS} dev alt0"))
    rig.expect("br_netfilter, bound to its port", frame(call(FEDERATION, ACCESS)), "wrong-device", "beside")


# ---- a virtual server ----

def virtual():
    name = "IPVS"
    if not rig.has(name, "ip_vs", "ip_vs_rr"):
        return
    ip([f"addr add {HERE}/32 dev lo"], "gw")
    rig.load(POLICY + LOCAL)
    service, tracking = f"{HERE}:5061", "net.ipv4.vs.conntrack"
    rig.run("ipvsadm", "-A", "-t", service, "-s", "rr")
    rig.run("ipvsadm", "-a", "-t", service, "-r", f"{ACCESS}:5061", "-m")
    rig.expect("IPVS, a stranger", call(STRANGER, HERE), "not-listed")
    rig.run("sysctl", "-qw", f"{tracking}=0")
    moves("IPVS, a partner, taken from tracking", call(FEDERATION, HERE), {IN: 1, "invalid-state": 1}, False)
    rig.sees("IPVS, taken from tracking", "ipvs", f"^IPVS takes what it passes on from {HERE} to {ACCESS} from connection tracking")
    rig.run("sysctl", "-qw", f"{tracking}=1")
    syn = call(FEDERATION, HERE)
    out = moves("IPVS, a partner: judged as it comes, and as it is passed on", syn, {IN: 2}, True)
    rig.check("IPVS: passed on", out is not None and out.dst == ACCESS, out)
    rig.check("IPVS: doctor has nothing against it", not rig.doctor("ipvs", ""), rig.doctor("ipvs", ""))
    answer = tcp(ACCESS, FEDERATION, syn[TCP].sport, "SA", sport=5061, ack=1)
    out = rig.expect("IPVS, the real server's answer", answer, IN, "inside")
    rig.check("IPVS: it bears the service's address", out is not None and out.src == HERE, out)
    rig.edgectl("partner", "del", FEDERATION)
    rig.expect("IPVS, a partner no more", tcp(FEDERATION, HERE, 5061, "A", sport=syn[TCP].sport, seq=1, ack=1), "not-listed")
    rig.expect("IPVS, the answer to it", answer, "not-listed", "inside")
    rig.edgectl("partner", "add", FEDERATION)
    # known limit
    rig.run("ipvsadm", "-d", "-t", service, "-r", f"{ACCESS}:5061")
    rig.run("ipvsadm", "-a", "-t", service, "-r", f"{SPARE}:5061", "-m")
    syn = call(FEDERATION, HERE)
    moves("IPVS, a real server that is no Edge address", syn, {IN: 1}, True)
    answer = tcp(SPARE, FEDERATION, syn[TCP].sport, "SA", sport=5061, ack=1)
    rig.expect("IPVS, its answer is not judged, as is known", answer, "pass", "inside")
    rig.sees("IPVS, its answer", "ipvs", f"^the answers of {SPARE}, a real server of IPVS for {HERE}")
    rig.run("ipvsadm", "-C")
    ip([f"addr del {HERE}/32 dev lo"], "gw")


# ---- a VRF ----

def rebuild_routes(table):
    """A device that joins a VRF loses its neighbours and routes."""
    lines = []
    for device, peer, targets in (("ext0", "outside", ["0.0.0.0/0", "::/0"]),
                                  ("int0", "inside", ["203.0.113.0/24", "2001:db8:113::/48"])):
        for via in ("169.254.0.2", "fe80::2"):
            lines.append(f"neigh replace {via} lladdr {MACS[peer]} dev {device} nud permanent")
        for target in targets:
            lines.append(f"route replace {target} via {'fe80::2' if ':' in target else '169.254.0.2'} dev {device} onlink "
                         f"table {table}")
    ip(lines, "gw")


def vrf():
    name = "a VRF"
    if not rig.has(name, "vrf"):
        return
    rig.load(POLICY)
    ip(["link add vrf0 type vrf table 10", "link set vrf0 up", "link set ext0 master vrf0", "link set int0 master vrf0",
        f"addr add {HERE}/32 dev vrf0", f"addr add {HERE6}/128 dev vrf0 nodad"], "gw")
    rebuild_routes(10)
    for partner, stranger, target in ((FEDERATION, STRANGER, ACCESS), (FEDERATION6, STRANGER6, ACCESS6)):
        syn = call(partner, target)
        rig.expect(f"a VRF, to {target}: a partner, once", syn, IN)
        rig.expect(f"a VRF, to {target}: the answer, once", back(syn), IN, "inside")
        rig.expect(f"a VRF, to {target}: a stranger, once", call(stranger, target), "not-listed")
        rig.expect(f"a VRF, to {target}: no row, once", call(partner, target, 25), "unlisted")
        rig.expect(f"a VRF, to {target}: out of the blue, once", tcp(partner, target, 5061, "A", sport=41000), "invalid-state")
    rig.edgectl("partner", "del", FEDERATION)
    rig.expect("a VRF: revoked", call(FEDERATION, ACCESS), "not-listed")
    rig.load(POLICY + LOCAL)
    for family, partner, stranger, target in ((socket.AF_INET, FEDERATION, STRANGER, HERE),
                                              (socket.AF_INET6, FEDERATION6, STRANGER6, HERE6)):
        sock = on_gw(listen, family, target, "vrf0")
        syn = call(partner, target)
        out, moved = rig.send(syn, comes=True)
        rig.check(f"a VRF, delivered to {target}: a partner is answered, each counted once",
                  out is not None and TCP in out and out[TCP].flags == "SA" and moved == {IN: 2}, out, moved)
        hang_up(syn)
        rig.expect(f"a VRF, delivered to {target}: a stranger, once", call(stranger, target), "not-listed")
        sock.close()
    # known limit
    for device, what in (("ext0", "a member of"), ("vrf0", "which is")):
        rig.load(POLICY.replace(f"access {ACCESS}\n", f"access {ACCESS} dev {device}\n"))
        rig.expect(f"a VRF, bound to {device}, as is known", call(FEDERATION, ACCESS), "wrong-device")
        rig.sees(f"a VRF, bound to {device}", "device", f"^access {ACCESS} is bound to {device}, {what} VRF vrf0")


helpers()
ipsec()
tunnels()
reinjected()
virtual()
bridged()
vrf()
rig.done()
