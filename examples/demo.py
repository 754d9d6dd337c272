#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The main job, shown: an appliance with nf_edge in front of an Edge server, and
# everybody who may knock. Every attempt is a real TCP connection or a real UDP
# exchange; what happened to it is read from the sockets, why from the counters.
#
#   fabrikam  skype  jabber  alice  mallory              frontend
#  198.51.100.10  .70   .20  192.0.2.50  192.0.2.66      10.20.0.5
#       |      |      |      |      |                        |
#       +------+------+--+---+------+                        |
#                    ext0|                                   |lan0
#                     +--+-----------------------------------+--+
#                     |  the appliance: this namespace, nf_edge |
#                     +--------------------+--------------------+
#                                      dmz0|
#                                       edge 203.0.113.10 (access) .11 (A/V)
#                                            10.20.0.10 (internal)
#
# IPv6 likewise; examples/contoso.conf is the policy. Exits 0 only if every
# attempt ended as the policy says.

import ctypes
import os
import selectors
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
TREE = os.path.dirname(HERE)
EDGECTL = os.path.join(TREE, "tools/edgectl/edgectl")
SYSFS = "/sys/kernel/nf_edge"
PATIENCE = 0.8  # seconds until an attempt counts as dropped: below TCP's first retransmission

HOSTS = {  # name: (device of the appliance, addresses)
    "edge": ("dmz0", ["203.0.113.10", "203.0.113.11", "10.20.0.10",
                      "2001:db8:113::10", "2001:db8:113::11", "fd00:20::10"]),
    "fabrikam": ("ext0", ["198.51.100.10", "2001:db8:51::10"]),
    "skype": ("ext0", ["198.51.100.70", "2001:db8:51:64::70"]),
    "jabber": ("ext0", ["198.51.100.20", "2001:db8:51::20"]),
    "alice": ("ext0", ["192.0.2.50", "2001:db8:2::50"]),
    "mallory": ("ext0", ["192.0.2.66", "2001:db8:2::66"]),
    "frontend": ("lan0", ["10.20.0.5", "fd00:20::5"]),
}
IPV4 = {"access": "203.0.113.10", "av": "203.0.113.11", "internal": "10.20.0.10"}
IPV6 = {"access": "2001:db8:113::10", "av": "2001:db8:113::11", "internal": "fd00:20::10"}

TCP_PORTS = [443, 3389, 5061, 5269, 23456, 49999, 50000, 50001, 59999, 60000]
UDP_PORTS = [3478, 5060]

# who, which Edge service, direction, protocol, port, row or reason, what it is
ATTEMPTS = [
    ("fabrikam", "access", "in", "tcp", 5061, "sip-federation-in", "a federated partner calls"),
    ("fabrikam", "access", "out", "tcp", 5061, "sip-federation-out", "we call the partner"),
    ("skype", "access", "in", "tcp", 5061, "sip-pic-in", "a public IM provider calls"),
    ("skype", "access", "out", "tcp", 5061, "sip-pic-out", "we call the provider"),
    ("alice", "access", "in", "tcp", 443, "sip-client-in", "a remote user signs in"),
    ("alice", "av", "out", "tcp", 50001, "av-rtp-out", "media to a Messenger client"),
    ("alice", "av", "out", "udp", 3478, "av-stun-out", "STUN to a Messenger client"),
    ("alice", "av", "in", "udp", 3478, "av-stun-in", "STUN from a Messenger client"),
    ("jabber", "access", "in", "tcp", 5269, "xmpp-in", "an XMPP server calls"),
    ("jabber", "access", "out", "tcp", 5269, "xmpp-out", "we call the XMPP server"),
    ("frontend", "internal", "in", "tcp", 23456, "xmpp-gateway-in", "the XMPP gateway connects"),
    ("mallory", "access", "out", "tcp", 5061, "sip-federation-out", "we discover a new partner"),
    ("mallory", "access", "in", "tcp", 5061, "not-listed", "a stranger tries SIP"),
    ("mallory", "internal", "in", "tcp", 23456, "not-listed", "a stranger tries the gateway port"),
    ("mallory", "access", "in", "tcp", 3389, "unlisted", "a stranger tries remote desktop"),
    ("mallory", "access", "in", "udp", 5060, "unlisted", "a stranger tries plain SIP"),
    ("mallory", "av", "in", "tcp", 50001, "unlisted", "a stranger tries the media range"),
    ("alice", "av", "out", "tcp", 49999, "unlisted", "one below the media range"),
    ("alice", "av", "out", "tcp", 50000, "av-rtp-out", "the media range's first port"),
    ("alice", "av", "out", "tcp", 59999, "av-rtp-out", "the media range's last port"),
    ("alice", "av", "out", "tcp", 60000, "unlisted", "one above the media range"),
    ("frontend", "access", "in", "tcp", 443, "wrong-device", "the inside poses as the outside"),
]

libc = ctypes.CDLL(None, use_errno=True)


def run(*words, **options):
    return subprocess.run(words, check=True, **options)


def build_network():
    """Namespaces, one link each, host routes; in one call of ip."""
    lines = ["link set lo up", "link add ext0 type bridge"]
    for host, (device, addresses) in HOSTS.items():
        port = device if device != "ext0" else f"e-{host}"
        lines += [f"netns add {host}",
                  f"link add {port} type veth peer name eth0 netns {host}",
                  f"link set {port} up"]
        if device == "ext0":
            lines.append(f"link set {port} master ext0")
    for device in ("ext0", "dmz0", "lan0"):
        lines += [f"link set {device} up", f"addr add 169.254.1.1/32 dev {device}",
                  f"addr add fe80::1/64 dev {device} nodad"]
    for device, addresses in HOSTS.values():
        lines += [f"route add {address} dev {device}" for address in addresses]
    batch("", lines)
    for host, (_, addresses) in HOSTS.items():
        batch(host, ["link set lo up", "link set eth0 up"] +
              [f"addr add {a}/{128 if ':' in a else 32} dev eth0" + (" nodad" if ":" in a else "")
               for a in addresses] +
              ["route add default via 169.254.1.1 dev eth0 onlink",
               "route add default via fe80::1 dev eth0"])
    for knob in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        with open(f"/proc/sys/net/{knob}", "w", encoding="ascii") as file:
            file.write("1")


def batch(namespace, lines):
    command = ["ip"] + (["-n", namespace] if namespace else []) + ["-batch", "-"]
    run(*command, input="\n".join(lines), text=True)


def inside(namespace, function, *arguments):
    """Runs function in a namespace, on a thread of its own."""
    result = []

    def body():
        with open(f"/run/netns/{namespace}", "rb") as file:
            if libc.setns(file.fileno(), 0):
                raise OSError(ctypes.get_errno(), f"setns {namespace}")
        result.append(function(*arguments))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return result[0]


def listeners():
    sockets = []
    for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind, ports in ((socket.SOCK_STREAM, TCP_PORTS), (socket.SOCK_DGRAM, UDP_PORTS)):
            for port in ports:
                sock = socket.socket(family, kind)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((any_address, port))
                if kind == socket.SOCK_STREAM:
                    sock.listen()
                sockets.append(sock)
    return sockets


def serve(sockets):
    """Echoes whatever comes, for ever."""
    selector = selectors.DefaultSelector()
    for sock in sockets:
        selector.register(sock, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            sock = key.fileobj
            try:
                if sock.type == socket.SOCK_DGRAM:
                    data, peer = sock.recvfrom(2048)
                    reply_from_same_address(sock, data, peer)
                elif sock in sockets:
                    selector.register(sock.accept()[0], selectors.EVENT_READ)
                else:
                    data = sock.recv(2048)
                    if data:
                        sock.sendall(data)
                    else:
                        selector.unregister(sock)
                        sock.close()
            except OSError:
                if sock not in sockets:
                    selector.unregister(sock)
                    sock.close()


def reply_from_same_address(sock, data, peer):
    """The Edge has several addresses; the client says which one it asked."""
    asked = data.decode().split()[-1]
    if ":" in asked:
        source = socket.inet_pton(socket.AF_INET6, asked) + bytes(4)
        control = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, source)]
    else:
        source = bytes(4) + socket.inet_aton(asked) + bytes(4)
        control = [(socket.IPPROTO_IP, 8, source)]  # IP_PKTINFO
    sock.sendmsg([data], control, 0, peer)


def knock(source, target, protocol, port):
    """'ok' if a line went there and came back, else what the socket said."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    line = f"hello {target}".encode()
    with socket.socket(family, kind) as sock:
        sock.settimeout(PATIENCE)
        try:
            sock.bind((source, 0))
            sock.connect((target, port))
            sock.send(line)
            return "ok" if sock.recv(2048) == line else "garbled"
        except socket.timeout:
            return "no answer"
        except OSError as error:
            return error.strerror


def counters():
    """Flows of the rows, packets of the reasons: a last packet of the attempt before does not count."""
    found = {}
    for kind, file_name in ("rules", "flows"), ("drops", "packets"):
        for name in os.listdir(f"{SYSFS}/{kind}"):
            with open(f"{SYSFS}/{kind}/{name}/{file_name}", encoding="ascii") as file:
                found[name] = int(file.read())
    return found


def attempt(who, service, direction, protocol, port, family):
    """(what happened, which counters moved) of one attempt."""
    edge = (IPV4 if family == 4 else IPV6)[service]
    peer = HOSTS[who][1][0 if family == 4 else 1]
    before = counters()
    if direction == "in":
        outcome = inside(who, knock, peer, edge, protocol, port)
    else:
        outcome = inside("edge", knock, edge, peer, protocol, port)
    after = counters()
    return outcome, [name for name in after if after[name] != before[name]]


def coloured():
    """As `make run` says, which knows the terminal; else on one, unless NO_COLOR is set."""
    said = os.environ.get("NF_EDGE_COLOUR")
    return said == "1" if said else sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def colour(text, code):
    return f"\033[{code}m{text}\033[0m" if coloured() else text


def show_attempts():
    wrong = 0
    print(f"{'':3}{'initiator':<10}{'responder':<10}{'service':<12}{'IP':<4}{'happened':<11}"
          f"{'why':<20}what it is")
    for who, service, direction, protocol, port, expected, story in ATTEMPTS:
        for family in (4, 6):
            outcome, moved = attempt(who, service, direction, protocol, port, family)
            accepted = expected in os.listdir(f"{SYSFS}/rules")
            right = moved == [expected] and (outcome == "ok") == accepted
            wrong += not right
            first, second = (who, "edge") if direction == "in" else ("edge", who)
            mark = colour("ok ", 32) if right else colour("!! ", 31)
            happened = {"ok": "accepted", "no answer": "dropped"}.get(outcome, outcome)
            print(f"{mark}{first:<10}{second:<10}{protocol + ' ' + str(port):<12}{'v' + str(family):<4}"
                  f"{colour(f'{happened:<11}', 32 if accepted else 33)}{' '.join(moved):<20}{story}"
                  + ("" if right else f"   (expected {expected})"), flush=True)
    return wrong


def section(title):
    print(f"\n{colour(title, 1)}", flush=True)


def main():
    if "nf_edge" not in {line.split()[0] for line in open("/proc/modules", encoding="ascii")}:
        run("modprobe", "nf_conntrack")
        run("insmod", os.path.join(TREE, "nf_edge.ko"))
    build_network()
    for host in HOSTS:
        threading.Thread(target=serve, args=(inside(host, listeners),), daemon=True).start()

    section("edgectl load examples/contoso.conf")
    run(EDGECTL, "load", os.path.join(HERE, "contoso.conf"))
    section("Everybody knocks")
    wrong = show_attempts()
    section("edgectl status")
    run(EDGECTL, "status")
    section("edgectl stats")
    run(EDGECTL, "stats")
    section(f"grep . {SYSFS}/policy/* {SYSFS}/drops/not-listed/*")
    run("sh", "-c", f"grep . {SYSFS}/policy/* {SYSFS}/drops/not-listed/*")

    total = 2 * len(ATTEMPTS)
    section(f"{total - wrong} of {total} attempts ended as the policy says")
    if "--shell" in sys.argv:
        print("You are on the appliance: edgectl is on the PATH, `ip netns exec alice bash` makes "
              "you alice; exit ends it. Tab completes.")
        os.environ["PATH"] = os.path.dirname(EDGECTL) + ":" + os.environ["PATH"]
        subprocess.run(["bash", "--rcfile", os.path.join(HERE, "shell.bash"), "-i"], check=False)
    # servers are threads that never end
    sys.stdout.flush()
    os._exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
