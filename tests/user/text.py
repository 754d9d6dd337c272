#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What is shown is what is there: text of others is printed with escapes for what is not shown.

  out (192.0.2.2) --- (192.0.2.1) [gw: nf_edge, 203.0.113.10]

The device that leads to out has a name as ip link takes it: with escape sequences, and a character
that turns text around.
"""

import json
import os
import socket
import subprocess
import sys
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import lab  # noqa: E402
from tap import Tap  # noqa: E402

TURNED = "\u202e"
ODD = f"e{TURNED}\x1b[7mx"	# 12 bytes
SHOWN = "e<U+202E><U+001B>[7mx"
EDGE, STRANGER = "203.0.113.10", "192.0.2.2"
CLEAN = "b\u00fcro \u05d0\u05d1 \u65e5\u672c \U0001f600"


def edgectl(*words, **options):
    return subprocess.run([lab.EDGECTL, "-n", "gw", *words], capture_output=True, check=False, **options)


def all_shown(output):
    """Whether a terminal shows all of the bytes. Python knows Unicode on its own."""
    try:
        text = output.decode()
    except UnicodeDecodeError:
        return False
    return all(each == "\n" or unicodedata.category(each) not in ("Cc", "Cf", "Zl", "Zp", "Cn") for each in text)


def says(name, got, status, *texts):
    """Exit status, every text somewhere in the output, and nothing in it that is not shown."""
    output = got.stdout + got.stderr
    tap.check(name, got.returncode == status and all_shown(output)
              and all(text.encode() in output for text in texts), got.returncode, output, *texts)


def file(name, content):
    path = f"/tmp/text-{name}"
    with open(path, "wb") as opened:
        opened.write(content)
    return path


def set_up():
    lab.load_module()
    lab.ip(["netns add gw", "netns add out"])
    lab.ip(["link set lo up", "link add plain type veth peer name peer netns out",
            f"address add {EDGE}/32 dev lo"], "gw")
    subprocess.run(["ip", "-n", "gw", "link", "set", "plain", "name", ODD], check=True)
    subprocess.run(["ip", "-n", "gw", "address", "add", "192.0.2.1/24", "dev", ODD], check=True)
    subprocess.run(["ip", "-n", "gw", "link", "set", ODD, "up"], check=True)
    lab.ip(["link set peer up", f"address add {STRANGER}/24 dev peer", "route add default via 192.0.2.1"], "out")
    edgectl("interface", "add", "access", EDGE)
    edgectl("partner", "add", "198.51.100.7", "name", CLEAN)


def knock():
    lab.enter("out")
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex((EDGE, 5061))
    return sock


def check_monitor():
    for option, text in (("-q", f" iif {SHOWN}"), ("-j", '"iif":"e\\u202e\\u001B[7mx"')):
        with subprocess.Popen([lab.EDGECTL, "-n", "gw", option, "monitor", "drops", "from", STRANGER],
                              stdout=subprocess.PIPE) as monitor:
            lab.until(lambda: len(os.listdir(f"/proc/{monitor.pid}/fd")) > 4)	# it listens
            knocks = [lab.on_thread(knock)]
            line = monitor.stdout.readline()
            monitor.terminate()
        for sock in knocks:
            sock.close()
        tap.check(f"monitor {option} shows a device's name", text.encode() in line and all_shown(line), line)
        if option == "-j":
            tap.check("and to programs it is the name", json.loads(line)["iif"] == ODD, line)


def check_refusals():
    for what, each in {"turns text": TURNED, "isolates": "\u2066", "has no width": "\u200b", "ends a line": "\u2028",
                       "ends a paragraph": "\u2029", "is a tag": "\U000e0041", "is a soft hyphen": "\u00ad",
                       "selects a variant": "\ufe0f", "is a byte order mark": "\ufeff", "is a filler": "\u3164",
                       "is none": "\ufffe", "begins a sequence": "\x1b", "does so in one byte": "\x9b"}.items():
        told = f'the name "a<U+{ord(each):04X}>" has U+{ord(each):04X}, which is not shown'
        says(f"a name with what {what}", edgectl("partner", "add", "198.51.100.8", "name", f"a{each}"), 2, told)
        path = file("policy", f'mode audit\npartner add 198.51.100.8 group pic name "a{each}"\n'.encode())
        says(f"the same in a file, which check reads without a module", edgectl("check", path), 1, f"{path}:2: {told}")
    says("a device", edgectl("interface", "add", "access", EDGE, "dev", ODD), 2,
         f'the device name "{SHOWN}" has U+202E, which is not shown')
    says("a name that is not UTF-8", edgectl("partner", "add", "198.51.100.8", "name", b"a\xff"), 2,
         'the name "a\\xff" is not UTF-8')
    says("a list", edgectl("partner", "import", file("list.csv", f"address,name\n198.51.100.8,a{TURNED}\n".encode())), 1,
         ':2: the name "a<U+202E>" has U+202E, which is not shown')


def check_quotes():
    """What errors repeat of their input."""
    evil = f"\x1b]0;a\x07{TURNED}\n".encode() + b"\x9b\xff"
    shown = "<U+001B>]0;a<U+0007><U+202E><U+000A>\\x9b\\xff"
    for what, words, status in (
            ("an object", [evil], 2), ("a command", ["partner", evil], 2), ("an address", ["partner", "add", evil], 2),
            ("an option's word", ["partner", "list", "group", evil], 2), ("a file's name", ["check", b"/tmp/" + evil], 1),
            ("another file's name", ["save", b"/tmp/none/" + evil], 1), ("a domain", ["partner", "add", evil + b".test"], 2),
            ("a device of a question", ["explain", STRANGER, EDGE, "tcp", "5061", "iif", b"\x1b\x9b"], 2)):
        says(f"an error quotes {what}", edgectl(*words), status, shown if evil in words[-1] else "\\x9b")
    says("an error quotes a namespace", subprocess.run([lab.EDGECTL, "-n", evil, "status"], capture_output=True, check=False), 1,
         shown)
    evil = evil.replace(b"\n", b"")
    says("an error quotes a file", edgectl("check", file("policy", b"mode " + evil + b"\n" + evil + b"\n")), 1,
         ":1: unknown mode", ":2: unknown object", "\\x9b\\xff")
    says("an error quotes a table", edgectl("partner", "import", file("list.csv", b"address,name\n" + evil + b",x\n")), 1,
         shown.replace("<U+000A>", ""))


def check_the_rest():
    for words in (["doctor"], ["-j", "doctor"], ["--complete", "interface", "add", "access", EDGE, "dev", ""],
                  ["--complete", "interface", "add", "access", EDGE, "dev", "e"]):
        got = edgectl(*words)
        tap.check(f"{' '.join(words)} prints nothing that is not shown", all_shown(got.stdout + got.stderr), got)
    got = edgectl("--complete", "interface", "add", "access", EDGE, "dev", "")
    tap.check("completion offers the devices that can be typed, and they alone", b"lo\n" in got.stdout and b"e" not in got.stdout, got)
    says("what is shown is printed as it is", edgectl("partner", "list"), 0, CLEAN)
    tap.check("also in JSON", json.loads(edgectl("-j", "partner", "list").stdout)[0]["name"] == CLEAN)
    saved = edgectl("save").stdout
    path = file("saved", saved)
    tap.check("what is saved is what a file gets, and what load reads",
              CLEAN.encode() in saved and edgectl("save", path).returncode == 0 and open(path, "rb").read() == saved
              and edgectl("load", path).returncode == 0 and edgectl("save").stdout == saved, saved)


tap = Tap()
set_up()
check_monitor()
check_refusals()
check_quotes()
check_the_rest()
tap.done()
