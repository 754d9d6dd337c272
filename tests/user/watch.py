#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""edgectl stats watch: to programs, to a file, and on a terminal.

  outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py
"""

import fcntl
import os
import re
import signal
import struct
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403

PATIENCE = 30
DROP = tcp(STRANGER, ACCESS, 5061)
ROWS = 18   # 11 rules and 7 reasons


class Watch:
    """The command in the appliance, and what it has written."""

    def __init__(self, *words, stdout=None):
        self.output, theirs = stdout or os.pipe()

        def start():
            enter(rig.name)
            return subprocess.Popen([EDGECTL, *words], stdout=theirs, stderr=subprocess.PIPE)
        self.process = on_thread(start)
        os.close(theirs)
        self.text = ""

    def read(self, enough):
        """The text, when it is enough."""
        end = time.monotonic() + PATIENCE
        while not enough(self.text) and time.monotonic() < end:
            if select.select([self.output], [], [], 1)[0]:
                self.text += os.read(self.output, 1 << 16).decode()
        return self.text

    def end(self, number):
        self.process.send_signal(number)
        errors = self.process.communicate(timeout=PATIENCE)[1]
        os.close(self.output)
        return self.process.returncode, errors


def row(rows, key, name):
    return next(one for one in rows if one[key] == name)


def check_json():
    watch = Watch("-j", "stats", "watch", "1")
    first = json.loads(watch.read(lambda text: "\n" in text))
    rig.check("the first look is at once, and has no rates",
              first["time"] and list(first) == ["time", "rules", "drops"]
              and [one["name"] for one in first["rules"]] == [one["name"] for one in rig.json("stats")["rules"]]
              and {one["packets_per_second"] for one in first["rules"] + first["drops"]} == {None}, first)
    rig.send(DROP, comes=False)
    rig.send(DROP, comes=False)
    rig.expect("a call", tcp(FEDERATION, ACCESS, 5061), "sip-federation-in")
    looks = [json.loads(line) for line in watch.read(lambda text: '"packets":2' in text and text[-1] == "\n")
             .splitlines()]
    moved = [row(one["drops"], "reason", "not-listed") for one in looks]
    rates = [one["packets_per_second"] for one in moved[1:]]
    rig.check("what has moved has a rate", (moved[-1]["packets"], moved[-1]["bytes"]) == (2, 80)
              and sum(rates) > 0, *moved)
    call = row(looks[-1]["rules"], "name", "sip-federation-in")
    rig.check("rows have flows", (call["packets"], call["flows"]) == (1, 1)
              and sum(row(one["rules"], "name", "sip-federation-in")["flows_per_second"] for one in looks[1:]) > 0, call)
    status = watch.end(signal.SIGINT)
    rig.check("SIGINT ends it well", status == (0, b""), status)


def check_text():
    watch = Watch("stats", "watch")
    text = watch.read(lambda text: text.count("not-listed") > 1)
    block = text.split("\n\n")
    rig.check("elsewhere a block each second, drops first", "\033" not in text
              and re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\ndrop +packets +/s +bytes +/s\n", block[0])
              and re.match(r"rule +packets +/s +bytes +/s +flows +/s\n", block[1]) and "hidden" not in text, text)
    rig.check("no line is wider than a terminal", max(map(len, text.splitlines())) <= 80)
    before = len(watch.text)
    rig.edgectl("stats", "reset")
    text = watch.read(lambda text: re.search(r"not-listed +0 .*\n", text[before:]))[before:]
    rig.check("a reset is no rate", re.search(r"not-listed +0 .*\n", text).group().split()[2] == "0.0", text)
    status = watch.end(signal.SIGTERM)
    rig.check("SIGTERM ends it well", status == (0, b""), status)


def frames(text):
    """Each picture's lines, as whole pictures stand on the terminal; and how far up the next one begins."""
    for frame in text.split("\033[J")[:-1]:
        lines, up = re.fullmatch(r"(.*)\033\[(\d+)A", frame, re.S).groups()
        yield lines.replace("\r", "").splitlines(), int(up)


def check_terminal():
    moved = {"not-listed", "sip-federation-in"}
    rig.send(DROP, comes=False)
    rig.expect("a call", tcp(FEDERATION, ACCESS, 5061), "sip-federation-in")
    for height, width in (24, 80), (20, 60), (12, 60), (20, 40):
        what = f"{width} by {height}"
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        watch = Watch("stats", "watch", stdout=(ours, theirs))
        lines, up = next(frames(watch.read(lambda text: text.count("\033[J") > 1)))
        heads = [line.split() for line in lines if re.match(r"(drop|rule) ", line)]
        shown = [line.split()[0] for line in lines if re.match(r"[a-z-]+ +\d", line)]
        rig.check(f"{what}: it fits", len(lines) < height and max(map(len, lines)) <= width, *lines)
        rig.check(f"{what}: drops first, with their rates", [head[0] for head in heads] == ["drop", "rule"]
                  and all(head[1:3] == ["packets", "/s"] for head in heads), *lines)
        rig.check(f"{what}: what has counted nothing is hidden, and told",
                  {*shown} == moved and f"hidden: {ROWS - len(moved)} that have counted nothing" in lines, *lines)
        rig.check(f"{what}: it goes back to where it began", up == len(lines), up, *lines)
        if "unlisted" not in moved:
            rig.send(tcp(STRANGER, ACCESS, 25), comes=False)
            moved.add("unlisted")
            text = watch.read(lambda text: "\nunlisted " in text.replace("\r", ""))
            rig.check("... until it moves", "\nunlisted " in text.replace("\r", ""), text)
        status = watch.end(signal.SIGINT)
        rig.check("... and ends well", status == (0, b""), status)


def check_low():
    """A window too low for all: drops go first, and what is cut is told."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 60, 0, 0))
    watch = Watch("stats", "watch", stdout=(ours, theirs))
    lines, _ = next(frames(watch.read(lambda text: text.count("\033[J") > 1)))
    rows = [line.split()[0] for line in lines if re.match(r"[a-z-]+ +\d", line)]
    rig.check("in a low window reasons stay", len(lines) < 8 and rows == ["not-listed", "unlisted"]
              and lines[-1].endswith(", 1 for want of room"), *lines)
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    text = watch.read(lambda text: "sip-federation-in" in text)
    rig.check("a window that has grown is used", "\033[24A" in text and "sip-federation-in" in text, text)
    status = watch.end(signal.SIGINT)
    rig.check("... and ends well", status == (0, b""), status)


def check_pipe():
    watch = Watch("stats", "watch", "3600")
    watch.read(lambda text: "unlisted" in text)
    os.close(watch.output)
    status = watch.process.wait(PATIENCE)
    rig.check("a closed pipe ends it, quietly", (status, watch.process.stderr.read()) == (0, b""), status)


rig = Rig()
check_json()
check_text()
check_terminal()
check_low()
check_pipe()
rig.done()
