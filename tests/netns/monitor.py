#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Drops and changes as they happen: the netlink group "drops", and edgectl monitor.

  outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py
"""

import contextlib
import errno
import fcntl
import os
import re
import signal
import struct
import sys
import termios
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403
from genl import Genl, Spec  # noqa: E402
from schema import faults  # noqa: E402

BOUND = POLICY.replace(f"add access {ACCESS}\n", f"add access {ACCESS} dev ext0\n")
TICK = 0.02	# one, at least, of the kernel's clock: until then a drop may go without being heard
A_SECOND = 20	# drops of each reason, as the uapi header says


def there(function, *arguments):
    """What a function comes to in the appliance."""
    def inside():
        enter(rig.name)
        return function(*arguments)
    return on_thread(inside)


def heard(count=1):
    """So many drops that the listener was told of; fewer when no more come."""
    found = []
    until(lambda: found.extend(listener.events()) or len(found) >= count)
    return [values for name, values in found if name == "drop-ntf"]


def tells(name, packet, enters="outside", **wanted):
    """One packet, one event: what the packet does not say itself is wanted."""
    _, moved = rig.send(packet, enters, comes=False)
    told = heard()
    values = {"mode": "enforce", "left-out": 0, "iif": PATHS[enters],
              "source": packet.src, "destination": packet.dst, **wanted}
    values = {key: value for key, value in values.items() if value is not None}
    rig.check(f"{name} is told", told == [values] and moved == {values["reason"]: 1},
              f"wanted: {values}", f"told: {told}", f"moved: {moved}")


# ---- the group ----

def check_reasons():
    stranger = {"protocol": 6, "sport": 40000, "dport": 5061}
    tells("not-listed", tcp(STRANGER, ACCESS, 5061), reason="not-listed", row="sip-federation-in", **stranger)
    tells("not-listed, IPv6", tcp(STRANGER6, ACCESS6, 5061), reason="not-listed", row="sip-federation-in", **stranger)
    tells("unlisted", udp(STRANGER, AV, 53), reason="unlisted", protocol=17, sport=40000, dport=53)
    tells("unlisted, without ports", l3(STRANGER, ACCESS) / ICMP(type=8), reason="unlisted", protocol=1)
    tells("malformed", tcp(FEDERATION, ACCESS, 5061, dataofs=3), reason="malformed", protocol=6)
    tells("malformed, whatever protocol", l3(FEDERATION, ACCESS, options=IPOption(b"\x83\x07\x04" + b"\0" * 4)),
          reason="malformed")
    tells("wrong-device", tcp(FEDERATION, ACCESS, 5061), "beside", reason="wrong-device", **stranger)
    tells("the wrong way out", tcp(ACCESS, "10.66.0.1", 5061), "inside", reason="wrong-device", oif="alt0", **stranger)
    tells("invalid-state", tcp(FEDERATION, ACCESS, 5061, "SF"), reason="invalid-state", oif="int0", **stranger)
    rig.edgectl("rule", "disable", "xmpp-in")
    tells("disabled", tcp(XMPP, ACCESS, 5269), reason="disabled", row="xmpp-in",
          protocol=6, sport=40000, dport=5269)


def check_revoked():
    """A flow is told as its opener opened it, whichever way the packet goes."""
    call = tcp(FEDERATION, ACCESS, 5061, sport=41000)
    flow = {"reason": "not-listed", "row": "sip-federation-in", "source": FEDERATION, "destination": ACCESS,
            "protocol": 6, "sport": 41000, "dport": 5061}
    rig.expect("a call", call, "sip-federation-in")
    rig.edgectl("partner", "del", FEDERATION)
    tells("its answer, when the caller is no partner any more", back(call), "inside", oif="ext0", reply=True, **flow)
    tells("an error about it", l3(FEDERATION, ACCESS) / ICMP(type=3, code=1) / back(call), oif="int0", reply=None,
          **flow)
    rig.edgectl("partner", "add", FEDERATION)
    rig.expect("the answer, when he is one again", back(call), "sip-federation-in", "inside")


def check_audit():
    rig.edgectl("mode", "audit")
    stranger = {"protocol": 6, "dport": 5061, "mode": "audit"}
    out, _ = rig.send(tcp(STRANGER, ACCESS, 5061, sport=42000), comes=True)
    told = heard()
    rig.check("what audit lets through is told once, as audit's", out is not None and len(told) == 1
              and stranger.items() <= told[0].items(), out, told)
    rig.edgectl("mode", "enforce")


def check_rate():
    """Of a flood some are told, and the number of all others."""
    frame = bytes(Ether(src=MACS["outside"], dst=MACS["ext0"]) / udp(STRANGER, AV, 54))
    before, told, sent = rig.counters()["unlisted"], [], 0

    def flood(count):
        nonlocal sent
        for _ in range(count):
            rig.sockets["outside"].send(frame)
        sent += count
        until(lambda: rig.counters()["unlisted"] - before == sent)
        time.sleep(0.05)
        told.extend(values for _, values in listener.events())

    flood(10 * A_SECOND)
    at_once = len(told)
    rig.check("a flood is told in part", 0 < at_once < sent, at_once)
    until(lambda: flood(1) or len(told) > at_once)
    rig.check("and the rest of it is counted", sum(1 + one["left-out"] for one in told) == sent
              and all(one["reason"] == "unlisted" for one in told), sent, [one["left-out"] for one in told])
    tells("another reason", tcp(STRANGER, ACCESS, 5061), reason="not-listed", row="sip-federation-in",
          protocol=6, sport=40000, dport=5061)


def check_elsewhere():
    """Who listens in another name space hears nothing of this one, and nothing is left out for him."""
    def elsewhere():
        enter("far")
        return Genl(spec)

    global listener  # pylint: disable=global-statement
    listener.close()
    ip(["netns add far"])
    far = on_thread(elsewhere)
    far.subscribe("drops")
    before, sent = rig.counters()["unlisted"], 10 * A_SECOND
    for number in range(sent):
        rig.put(udp(STRANGER, AV, 56, sport=1024 + number))
    until(lambda: rig.counters()["unlisted"] - before == sent)
    listener = there(Genl, spec)
    listener.subscribe("drops")
    time.sleep(TICK)
    tells("to who joins later, with nothing left out,", udp(STRANGER, AV, 57), reason="unlisted", protocol=17, sport=40000,
          dport=57)
    check_rate()
    rig.check("and nothing there", not list(far.events()))
    far.close()


def check_memory():
    """Who could not be told of for want of memory is among those left out."""
    sys.path.insert(0, os.path.join(TREE, "tests/faults/lib"))
    from faults import Nth  # pylint: disable=import-outside-toplevel
    if not Nth.there():
        rig.skip("a drop without memory for its event", "this kernel fails no allocation on order")
        return
    rig.edgectl("interface", "add", "access", "192.0.2.1")
    sender = there(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("192.0.2.1", 0))
    time.sleep(1)	# the flood's second
    nth, told, lost, sent, came = Nth(), [], 0, 0, True
    nth.only_module()
    while came and sent < A_SECOND:
        nth.arm(sent + 1)
        try:
            sender.sendto(b"x", (STRANGER, 55))
        except PermissionError:
            pass
        came = nth.disarm()
        sent += 1
        try:
            told += [values for _, values in listener.events()]
        except OSError as error:	# no memory for this listener's copy
            lost += error.errno == errno.ENOBUFS
    nth.everywhere()
    rig.check("each is told, counted among those left out, or lost aloud",
              not came and any(one["left-out"] for one in told)
              and lost + sum(1 + one["left-out"] for one in told) == sent, sent, lost, told)
    rig.edgectl("interface", "del", "access", "192.0.2.1")


def check_privilege():
    def stranger():
        may = []
        os.seteuid(65534)
        try:
            with Genl(spec) as genl:
                for group in "config", "drops":
                    genl.subscribe(group)
                    may.append(group)
        except PermissionError:
            pass
        os.seteuid(0)
        return may
    rig.check("only CAP_NET_ADMIN may hear of drops", there(stranger) == ["config"])
    nobody = ["setpriv", "--reuid", "65534", "--clear-groups", "--bounding-set", "-all"]
    words = ["timeout", "10", *nobody, EDGECTL, "monitor"]
    shown = there(lambda: subprocess.run(words, capture_output=True, text=True, check=False))
    rig.check("edgectl monitor says so", shown.returncode == 1 and not shown.stdout
              and shown.stderr == "edgectl: not permitted (to hear of drops needs CAP_NET_ADMIN)\n", shown)
    with Monitor("config", before=nobody) as monitor:
        rig.edgectl("stats", "reset")
        rig.check("monitor config is for everybody", without_time(monitor.lines(1)[0]) == "stats reset", monitor.seen)


# ---- the command ----

class Monitor:
    """edgectl monitor in the appliance, from when it listens on."""

    def __init__(self, *words, options=(), before=()):
        command = [*before, EDGECTL, *options, "monitor", *words]
        self.process = there(lambda: subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text, self.seen = b"", []
        until(self.listens)
        time.sleep(TICK)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.end(signal.SIGTERM)

    def listens(self):
        """Whether it has joined its groups; libnl makes a socket's number of the process'. The last is
        the family controller's, which has its number: 16."""
        with open(f"/proc/{self.process.pid}/net/netlink", encoding="ascii") as file:
            sockets = [line.split() for line in file]
        return any(int(words[3], 16) & 1 << 15 for words in sockets
                   if words[1] == "16" and int(words[2]) & 0x3fffff == self.process.pid)

    def lines(self, count, patience=PATIENCE):
        """All its lines, when there are so many."""
        def look():
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                self.text += os.read(self.process.stdout.fileno(), 1 << 20)
            self.seen = self.text[:self.text.rfind(b"\n") + 1].decode().splitlines()
            return len(self.seen) >= count
        until(look, patience)
        return self.seen

    def end(self, number):
        """(exit status, standard error)"""
        self.process.send_signal(number)
        errors = self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode, errors


def drops():
    """One of each kind."""
    for packet, enters in [
            (tcp(STRANGER, ACCESS, 5061), "outside"), (tcp(STRANGER6, ACCESS6, 5061), "outside"),
            (udp(STRANGER, AV, 53), "outside"), (tcp(XMPP, ACCESS, 5269), "outside"),
            (l3(CLIENT, ACCESS) / ICMP(type=8), "outside"), (tcp(ACCESS, "10.66.0.1", 5061), "inside")]:
        rig.send(packet, enters, comes=False)


SHOWN = [
    f"drop not-listed tcp {STRANGER}:40000 -> {ACCESS}:5061 iif ext0 row sip-federation-in",
    f"drop not-listed tcp [{STRANGER6}]:40000 -> [{ACCESS6}]:5061 iif ext0 row sip-federation-in",
    f"drop unlisted udp {STRANGER}:40000 -> {AV}:53 iif ext0",
    f"drop disabled tcp {XMPP}:40000 -> {ACCESS}:5269 iif ext0 row xmpp-in",
    f"drop unlisted icmp {CLIENT} -> {ACCESS} iif ext0",
    f"drop wrong-device tcp {ACCESS}:40000 -> 10.66.0.1:5061 iif int0 oif alt0",
]
FILTERS = {
    ("drops",): SHOWN,
    ("reason", "unlisted,disabled"): SHOWN[2:5],
    ("drops", "row", "sip-federation-in", "reason", "not-listed"): SHOWN[:2],
    ("row", "xmpp-in,xmpp-out"): SHOWN[3:4],
    ("from", "192.0.2.64/26"): [SHOWN[0], SHOWN[2]],
    ("from", "2001:db8::/32", "to", ACCESS6): SHOWN[1:2],
    ("drops", "to", "0.0.0.0/0"): [SHOWN[0], *SHOWN[2:]],
    ("to", ACCESS, "reason", "unlisted"): SHOWN[4:5],
}

# A command of edgectl, and what monitor makes of it.
CHANGES = [
    (["partner", "add", "198.51.100.7"], "partner add 198.51.100.7/32 group federation"),
    (["partner", "add", "192.0.2.8/29", "2001:db8:7::/48", "group", "pic,xmpp", "name", "two words"],
     'partner add 192.0.2.8/29 2001:db8:7::/48 group pic,xmpp name "two words"'),
    (["partner", "del", "192.0.2.8/29", "group", "pic"], "partner del 192.0.2.8/29 group pic"),
    (["partner", "del", "198.51.100.7"], "partner del 198.51.100.7/32"),
    (["partner", "flush", "group", "xmpp"], "partner flush group xmpp"),
    (["partner", "add", *(f"10.0.0.{n}" for n in range(20))],
     "partner add " + " ".join(f"10.0.0.{n}/32" for n in range(8)) + " group federation, and 12 more"),
    (["partner", "add", *(f"10.{1 + n // 256}.{n % 256}.0/24" for n in range(400))], "partner add: 400 partners"),
    (["partner", "add", "198.51.100.7", "198.51.100.8", "domain", "contoso.com", "name", "one"],
     "partner add 198.51.100.7/32 198.51.100.8/32 group federation domain contoso.com name one"),
    (["partner", "del", "198.51.100.8", "domain", "contoso.com"], "partner del 198.51.100.8/32 domain contoso.com"),
    (["partner", "add", "198.51.100.7", "domain", "contoso.com", "name", ""],
     'partner add 198.51.100.7/32 group federation domain contoso.com name ""'),
    (["partner", "add", "198.51.100.7"], "partner add 198.51.100.7/32 group federation"),
    (["partner", "del", "198.51.100.7", "domain", ""], 'partner del 198.51.100.7/32 domain ""'),
    (["interface", "add", "internal", SPARE, "dev", "int0"], f"interface add internal {SPARE} dev int0"),
    (["interface", "del", "internal", SPARE], f"interface del internal {SPARE}"),
    (["interface", "flush", "av"], "interface flush av"),
    (["rule", "disable", "av-stun-in", "xmpp-out"], "rule disable av-stun-in; rule disable xmpp-out"),
    (["rule", "set", "xmpp-out", "peers", "listed"], "rule set xmpp-out peers listed"),
    (["mode", "audit"], "mode audit"),
    (["unlisted", "pass"], "unlisted pass"),
    (["rtp", "set", "1,50000-50009"], "rtp set 1,50000-50009"),
    (["rtp", "match", "either"], "rtp match either"),
    (["stats", "reset"], "stats reset"),
    (["block", "add", "192.0.2.64/26", "192.0.2.1", "until", "2099-12-31T03:00:00Z", "reason", "two words"],
     'block add 192.0.2.64/26 192.0.2.1/32 until 2099-12-31T03:00:00Z reason "two words"'),
    (["block", "add", "2001:db8:6::/48"], "block add 2001:db8:6::/48"),
    (["block", "add", *(f"10.9.0.{n}" for n in range(10))],
     "block add " + " ".join(f"10.9.0.{n}/32" for n in range(8)) + ", and 2 more"),
    (["block", "del", "192.0.2.1"], "block del 192.0.2.1/32"),
    (["block", "flush", "all"], "block flush all"),
    (["interface", "flush", "all"], "interface flush all"),
    (["partner", "flush", "all"], "partner flush all"),
]


TIME, SENDER = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", r" by edgectl \(pid \d+, root\)"


def without_time(line):
    """The line from behind the time on, and of a change up to who made it; None when these are not there."""
    found = re.fullmatch(f"{TIME} (?:((?:would )?drop .*)|(.*){SENDER})", line)
    return found and (found[1] or found[2])


def check_filters():
    with contextlib.ExitStack() as stack:
        monitors = {words: stack.enter_context(Monitor(*words)) for words in FILTERS}
        rig.edgectl("rule", "disable", "xmpp-in")
        drops()
        for words, wanted in FILTERS.items():
            shown = [without_time(line) for line in monitors[words].lines(len(wanted))]
            status = monitors[words].end(signal.SIGINT)
            rig.check(f"monitor {' '.join(words)}", shown == wanted, *shown)
            rig.check("... and ends well", status == (0, b""), status)


def check_lines():
    with Monitor() as text, Monitor(options=["-j"]) as json_, Monitor("config") as config:
        for words, _ in CHANGES:
            subprocess.run([EDGECTL, "-n", rig.name, *words], check=True)
        rig.load(BOUND)
        subprocess.run([EDGECTL, "-n", rig.name, "-q", "load", "--confirm", "3600", "-"], check=True,
                       input=BOUND + "unlisted pass\n", text=True, stdout=subprocess.DEVNULL)
        rig.edgectl("revert")
        rig.edgectl("mode", "audit")
        rig.send(tcp(STRANGER, ACCESS, 5061, sport=43000), comes=True)
        rig.edgectl("mode", "enforce")
        generation = rig.json("status")["generation"]
        drop = f"would drop not-listed tcp {STRANGER}:43000 -> {ACCESS}:5061 iif ext0 row sip-federation-in"
        loaded = [f"generation {generation - n}, 6 interfaces, 4 partners" for n in (4, 3, 2)]
        wanted = [line for _, line in CHANGES] + [
            f"load: {loaded[0]}", f"load: {loaded[1]}, to be confirmed within 3600 s", f"revert: {loaded[2]}",
            "mode audit", drop, "mode enforce"]
        shown = [without_time(line) for line in text.lines(len(wanted))]
        rig.check("every change and drop is a line", shown == wanted, *shown)
        shown = [without_time(line) for line in config.lines(len(wanted) - 1)]
        rig.check("monitor config leaves drops out", shown == [line for line in wanted if line != drop], *shown)
        objects = [json.loads(line) for line in json_.lines(len(wanted))]
        check_json(objects, generation)
        status = json_.end(signal.SIGTERM)
        rig.check("SIGTERM ends it well", status == (0, b""), status)


def check_json(objects, generation):
    times = [one.pop("time") for one in objects]
    rig.check("in JSON each has its time", all(re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", one) for one in times), times)
    long_ = next(one for one in objects if one.get("entries") == 20)
    rig.check("and all of a list", long_["text"] == " ".join(CHANGES[5][0][:2] + [f"10.0.0.{n}/32" for n in range(20)])
              + " group federation", long_)
    change = dict(objects[-1])
    pid = change.pop("pid")
    rig.check("a change, and who made it", isinstance(pid, int) and change == {
        "event": "config", "command": "set", "generation": generation, "interfaces": 6, "partners": 4, "blocks": 0,
        "entries": 0, "confirm_within": None, "process": "edgectl", "uid": 0, "user": "root", "login_uid": None,
        "login": None, "text": "mode enforce"}, objects[-1])
    drop = objects[-2]
    rig.check("a drop", drop == {
        "event": "drop", "reason": "not-listed", "protocol": "tcp", "source": STRANGER, "sport": 43000,
        "destination": ACCESS, "dport": 5061, "reply": False, "iif": "ext0", "oif": None,
        "rule": "sip-federation-in", "mode": "audit", "left_out": 0, "text": drop["text"]}, drop)


def on_terminal(columns, *words):
    """A terminal so wide, with edgectl monitor on it in the appliance."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TZ": "Europe/Berlin"}
    process = there(lambda: subprocess.Popen([EDGECTL, "monitor", *words], stdout=theirs, stderr=subprocess.PIPE,
                                             env=environment))
    os.close(theirs)
    return ours, process


def check_terminal():
    """Nothing is wider than the terminal, nothing is left out, and the zone is told once."""
    for columns in 60, 40, 200:
        ours, process = on_terminal(columns)
        text = ""

        def read(what, ours=ours):
            nonlocal text
            if select.select([ours], [], [], 0.1)[0]:
                text += os.read(ours, 1 << 16).decode()
            return re.search(what, text)
        until(lambda: read("times are"))
        subprocess.run([EDGECTL, "-n", rig.name, "partner", "add", "2001:db8:1234:5678:9abc:def0:1234:5678", "192.0.2.7",
                        "name", "\u65e5\u672c\u8a9e " * 5], check=True)
        rig.edgectl("partner", "del", "192.0.2.7", "2001:db8:1234:5678:9abc:def0:1234:5678")
        rig.send(tcp(STRANGER6, ACCESS6, 5061), comes=False)
        until(lambda: read(r"row\s+sip-federation-in"))
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
        os.close(ours)
        lines = text.replace("\r", "").splitlines()
        wide = [line for line in lines if sum(1 + (unicodedata.east_asian_width(one) == "W") for one in line) > columns]
        rig.check(f"at {columns} columns nothing wraps", not wide and len(lines) > 3, *wide, *lines)
        rig.check("... the day and the zone are told first, and once", text.count("times are") == 1 and re.fullmatch(
            r"\d{4}-\d\d-\d\d, times are \+0[12]:00 \(CES?T\)", lines[0]), *lines)
        rig.check("... each event begins with its time, and what goes on below does not",
                  len([line for line in lines if re.match(r"\d\d:\d\d:\d\d\.\d{3} \S", line)]) == 3
                  and all(re.match(r"\d\d:| {13}\S", line) for line in lines[1:]), *lines)
        whole = " ".join(line.strip() for line in lines)
        rig.check("... and nothing is left out", f"drop not-listed tcp [{STRANGER6}]:40000 -> [{ACCESS6}]:5061 iif ext0 row"
                  " sip-federation-in" in whole and re.search(f"partner del .*{SENDER}", whole), *lines)


def check_ended():
    """Blocks that end by themselves are told as nobody's; a process is called what it calls itself."""
    with Monitor("config") as monitor:
        rig.edgectl("block", "add", "192.0.2.9", "until", "1s")
        shown = monitor.lines(2)
        rig.check("the end of a block", len(shown) == 2 and re.fullmatch(f"{TIME} blocks have ended: 0 left", shown[1]), *shown)
        name = 'x (pid 1\x1b"'
        os.symlink(EDGECTL, f"/tmp/{name}")
        subprocess.run([f"/tmp/{name}", "-n", rig.name, "stats", "reset"], check=True)
        os.remove(f"/tmp/{name}")
        shown = monitor.lines(3)
        rig.check("a process that calls itself another", len(shown) == 3 and re.fullmatch(
            TIME + re.escape(r' stats reset by "x (pid 1<U+001B>\""') + r" \(pid \d+, root\)", shown[2]), *shown)


def check_lost():
    """Who is too slow is told so, and goes on."""
    with Monitor("config", options=["-j"]) as monitor:
        monitor.process.send_signal(signal.SIGSTOP)
        for n in range(400):
            changer.do("status-set", {"rtp-ports": bytes([n % 2 << 1]) + bytes(8191)})
        monitor.process.send_signal(signal.SIGCONT)

        def shown():
            changer.do("stats-reset")
            events = [json.loads(line) for line in monitor.lines(len(monitor.seen) + 1, 1)]
            lost = [place for place, event in enumerate(events) if event["event"] == "lost"]
            return lost and any(event.get("command") == "stats reset" for event in events[lost[0]:]) and events
        events = until(shown)
        rig.check("some events were lost, and it says so and goes on", events
                  and {"time", "event", "text"} == next(set(one) for one in events if one["event"] == "lost"),
                  *monitor.seen[-3:])
        rig.check("... and ends well", monitor.end(signal.SIGTERM) == (0, b""))
    wrong = [fault for event in events or [] for fault in faults("monitor", event)]
    rig.check("... all in the form that is documented", events and not wrong, *wrong[:3])


def check_pipe():
    """Who reads no more ends it, also while nothing happens."""
    for happens in (True, False):
        with Monitor() as monitor:
            monitor.process.stdout.close()
            monitor.process.stdout = None
            if happens:
                rig.edgectl("stats", "reset")
            status = until(lambda: monitor.process.poll() is not None) and monitor.process.returncode
            rig.check("a closed pipe ends it, quietly", status == 0 and not monitor.process.stderr.read(), status)


def check_words():
    for words, sentence in {
            "monitor config reason unlisted": 'unexpected word "reason"',
            "monitor reason lost": 'unknown reason "lost" (malformed, wrong-device, blocked, invalid-state, not-listed, '
                                   "disabled, unlisted)",
            "monitor drops from 192.0.2.1/24": "192.0.2.1/24 has host bits set (192.0.2.0/24 has none)",
    }.items():
        shown = subprocess.run([EDGECTL, *words.split()], capture_output=True, text=True, check=False)
        rig.check(words, (shown.returncode, shown.stdout, shown.stderr) == (2, "", f"edgectl: {sentence}\n"), shown)


rig = Rig(BOUND)
spec = Spec()
listener, changer = there(Genl, spec), there(Genl, spec)
listener.subscribe("drops")
time.sleep(TICK)
check_reasons()
check_revoked()
check_audit()
check_rate()
check_elsewhere()
check_memory()
listener.close()
check_privilege()
check_filters()
check_lines()
check_terminal()
check_ended()
check_lost()
check_pipe()
check_words()
rig.done()
