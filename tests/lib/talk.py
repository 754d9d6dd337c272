#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Real TCP connections and UDP exchanges between network name spaces.

talk.py serve [--tcp PORTS] [--udp PORTS] NS...
    listens in all these name spaces at once, IPv4 and IPv6, and answers every
    line with the line and the peer's address; prints "ready" when it listens
talk.py tcp|udp [--ns NS] [--src A] [--sport N] [--timeout S] ADDRESS PORT
    one attempt: prints its result, and exits 0 (ok), 1 (refused), 2 (timeout)
    or 3 (anything else)
talk.py batch
    an attempt per line of stdin, all at once, a result per line in their order:
    "NS tcp|udp ADDRESS PORT [src=A] [sport=N] [timeout=S]"
    gives "ok|refused|timeout|error NS tcp|udp ADDRESS PORT [what the line told]"
talk.py session
    keeps flows open; a command per line of stdin, a result per line, in turn:
    "open NAME NS tcp|udp ADDRESS PORT [src=...]", "say NAME", "close NAME"

NS is a name that `ip netns add` made, or "." for the caller's own.
"""

import argparse
import ctypes
import os
import selectors
import socket
import struct
import sys
import threading

TCP = "443,5061,5269,8080,23456,49999,50000,59999,60000"
UDP = "3478,3479"
TIMEOUT = 2.0
CODES = {"ok": 0, "refused": 1, "timeout": 2}

libc = ctypes.CDLL(None, use_errno=True)


def enter(ns):
    """Moves the calling thread into a network name space."""
    path = "/proc/self/ns/net" if ns == "." else "/run/netns/" + ns
    with open(path, "rb") as file:
        if libc.setns(file.fileno(), 0x40000000):  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), "setns to " + ns)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


# The answering side.

IP_PKTINFO = 8


def listen(kind, af, port):
    sock = socket.socket(af, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if af == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_DGRAM:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    elif kind == socket.SOCK_DGRAM:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.bind(("", port))
    if kind == socket.SOCK_STREAM:
        sock.listen(128)
    sock.setblocking(False)
    return sock


def answer(data, peer):
    return data.rstrip(b"\n") + b" " + peer[0].encode() + b"\n"


def answer_udp(sock):
    """Answers from the very address that was asked."""
    data, ancillary, _, peer = sock.recvmsg(65535, 256)
    reply = []
    for level, kind, value in ancillary:
        if level == socket.IPPROTO_IP:
            value = struct.pack("=I4s4s", 0, value[4:8], b"\0" * 4)
        else:
            value = value[:16] + struct.pack("=I", 0)
        reply.append((level, kind, value))
    sock.sendmsg([answer(data, peer)], reply, 0, peer)


def serve(spaces, tcp, udp):
    selector = selectors.DefaultSelector()
    for ns in spaces:
        enter(ns)
        for af in (socket.AF_INET, socket.AF_INET6):
            for port in tcp:
                selector.register(listen(socket.SOCK_STREAM, af, port), selectors.EVENT_READ, "accept")
            for port in udp:
                selector.register(listen(socket.SOCK_DGRAM, af, port), selectors.EVENT_READ, "udp")
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            sock = key.fileobj
            try:
                if key.data == "accept":
                    connection, peer = sock.accept()
                    connection.setblocking(False)
                    selector.register(connection, selectors.EVENT_READ, peer)
                elif key.data == "udp":
                    answer_udp(sock)
                else:
                    data = sock.recv(65535)
                    if not data:
                        raise ConnectionError
                    sock.send(answer(data, key.data))
            except BlockingIOError:
                pass
            except OSError:
                if isinstance(key.data, tuple):
                    selector.unregister(sock)
                    sock.close()


# The asking side.


class Flow:
    """A TCP connection, or a UDP socket that knows its peer."""

    def __init__(self, ns, protocol, address, port, src="", sport=0, timeout=TIMEOUT):
        enter(ns)
        self.udp = protocol == "udp"
        self.sock = socket.socket(family(address), socket.SOCK_DGRAM if self.udp else socket.SOCK_STREAM)
        self.sock.settimeout(float(timeout))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if src or sport:
            self.sock.bind((src, int(sport)))
        try:
            self.sock.connect((address, int(port)))
        except OSError:
            self.sock.close()
            raise

    def say(self, line=b"hello\n"):
        """Returns the peer's answer: the line, and our address as the peer sees it."""
        self.sock.send(line)
        data = b""
        while not data.endswith(b"\n"):
            more = self.sock.recv(65535)
            if not more:
                raise ConnectionResetError("closed by the peer")
            data += more
        return data.decode().split()[-1]

    def close(self):
        self.sock.close()


def outcome(function, *args, **options):
    """Calls, and says in words what came of it."""
    try:
        return "ok", function(*args, **options)
    except (ConnectionRefusedError, ConnectionResetError) as error:
        return "refused", error
    except TimeoutError as error:
        return "timeout", error
    except OSError as error:
        return "error", error


def attempt(ns, protocol, address, port, **options):
    def exchange():
        flow = Flow(ns, protocol, address, port, **options)
        try:
            return flow.say()
        finally:
            flow.close()

    return outcome(exchange)


def parse(words):
    """NS PROTOCOL ADDRESS PORT [KEY=VALUE...]"""
    ns, protocol, address, port = words[:4]
    if protocol not in ("tcp", "udp"):
        raise SystemExit("talk: tcp or udp, not " + protocol)
    return (ns, protocol, address, port), dict(word.split("=", 1) for word in words[4:])


def batch():
    lines = [line.split() for line in sys.stdin if line.strip() and not line.startswith("#")]
    results = [""] * len(lines)

    def work(number, words):
        args, options = parse(words)
        results[number] = attempt(*args, **options)[0]

    threads = [threading.Thread(target=work, args=item) for item in enumerate(lines)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, words in zip(results, lines):
        print(result, *words)


def session():
    flows = {}
    for line in iter(sys.stdin.readline, ""):
        command, name, *words = line.split()
        if command == "open":
            args, options = parse(words)
            result, value = outcome(Flow, *args, **options)
            if result == "ok":
                flows[name] = value
        elif name not in flows:
            result = "error"
        elif command == "say":
            result, _ = outcome(flows[name].say)
        else:
            flows.pop(name).close()
            result = "ok"
        print(result, flush=True)


def ports(text):
    return [int(port) for port in text.split(",") if port]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("serve")
    command.add_argument("--tcp", type=ports, default=ports(TCP))
    command.add_argument("--udp", type=ports, default=ports(UDP))
    command.add_argument("spaces", nargs="+")
    for name in ("tcp", "udp"):
        command = commands.add_parser(name)
        command.add_argument("--ns", default=".")
        command.add_argument("--src", default="")
        command.add_argument("--sport", type=int, default=0)
        command.add_argument("--timeout", type=float, default=TIMEOUT)
        command.add_argument("address")
        command.add_argument("port", type=int)
    commands.add_parser("batch")
    commands.add_parser("session")
    args = parser.parse_args()

    if args.command == "serve":
        serve(args.spaces, args.tcp, args.udp)
    elif args.command == "batch":
        batch()
    elif args.command == "session":
        session()
    else:
        result, value = attempt(args.ns, args.command, args.address, args.port,
                                src=args.src, sport=args.sport, timeout=args.timeout)
        print(result, value)
        return CODES.get(result, 3)
    return 0


if __name__ == "__main__":
    sys.exit(main())
