#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the manual shows can be done, as it stands and in that order; and what edgectl -j prints is
what Documentation/schemas says, of every command that --help knows.

gw alone, with a name server; packets of its own go out by ext0, and are dropped or lost there.
"""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import lab  # noqa: E402
import manual  # noqa: E402
import schema  # noqa: E402
from tap import Tap  # noqa: E402

HOME, PID = "/tmp/manual", "/tmp/dnsmasq.pid"
DNS = ["--srv-host=_sipfederationtls._tcp.contoso.com,sip.contoso.com,5061",
       "--srv-host=_xmpp-server._tcp.contoso.com,sip.contoso.com,5269",
       "--host-record=sip.contoso.com,198.51.100.200,2001:db8:c0::200"]
FILES = {
    "new.conf": """unlisted pass
interface add access 203.0.113.10 dev ext0
partner add 198.51.100.0/24 group pic name "voice provider"
block add 192.0.2.66 reason fraud
""",
    "other.conf": """mode audit
unlisted pass
rtp set 443,50000-50999
rtp match either
rule set xmpp-in peers listed
rule disable xmpp-out
interface add av 203.0.113.10 dev ext0
interface add internal 2001:db8::7
partner add 198.51.100.0/24 group pic,xmpp name skype
partner add 2001:db8:51::/48 domain contoso.com
block add 192.0.2.64/28 until 2100-01-01T00:00:00Z
""",
    "list.csv": "address,group,name\n192.0.2.0/28,gateway,\n192.0.2.16/28,client,Bob\n",
}
LAST = {"edgectl diff new.conf": 1}     # where an example's exit status is another than 0
TELLS = {   # what some print
    "edgectl explain 198.51.100.7 203.0.113.10 tcp 5061": "accept sip-pic-in\n",
    "edgectl -j partner list covers 198.51.100.7 | jq -r '.[].name'": "voice provider\n",
}

# Each command at least once, with -j.
CALLS = """status
mode
mode audit
unlisted
unlisted drop
load new.conf
interface add internal 10.20.0.10
interface list
interface del internal 10.20.0.10
interface flush av
partner add 198.51.100.64/28 2001:db8:51::/48 group pic,xmpp name skype
partner add 198.51.100.9 domain contoso.com
partner import list.csv
partner refresh
partner list
block add name skype
block del name skype
mode enforce --dry-run
partner del 198.51.100.64/28 group xmpp
partner del name bob
partner flush name skype
undo
block add 192.0.2.64/28 reason fraud until 1h
block list
block del 192.0.2.64/28
block flush all
partner flush group gateway
rule disable xmpp-in
rule list
rule enable xmpp-in
rule set xmpp-in peers listed
rtp
rtp set none
rtp match src
explain 198.51.100.7 203.0.113.10 tcp 5061
explain 192.0.2.66 203.0.113.10 tcp 25 --all
stats
stats reset
stats --openmetrics
doctor
check other.conf
diff other.conf
load --confirm 60 other.conf
status
confirm
diff new.conf
diff /dev/null
load --confirm 60 new.conf
revert
save
help
""".splitlines()
LIVE = ["stats watch", "monitor", "monitor config", "log", "report"]	# the last of what log keeps
OTHERWISE = ["stats --openmetrics", "stats reset", "check", "confirm", "revert", "save", "help", "log"]     # refuse -j
FINDS = ["diff", "doctor"]      # and says so by its exit status


def set_up():
    lab.load_module()
    lab.ip(["netns add gw"])
    lab.ip(["link set lo up", "link add ext0 type veth peer name far0", "link set ext0 up",
            "link set far0 up", "address add 203.0.113.10/24 dev ext0", "route add default dev ext0"], "gw")
    with open("/tmp/resolv.conf", "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", "/tmp/resolv.conf", "/etc/resolv.conf"], check=True)
    subprocess.run(["dnsmasq", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                    f"--pid-file={PID}", "--listen-address=127.0.0.1", "--bind-interfaces",
                    "--local=/com/", *DNS], preexec_fn=lambda: lab.enter("gw"), check=True)
    os.makedirs(HOME)
    os.makedirs("/etc/nf_edge", exist_ok=True)
    for name, text in FILES.items():
        with open(f"{HOME}/{name}", "w", encoding="ascii") as file:
            file.write(text)


def edgectl(*words, **options):
    return subprocess.run([lab.EDGECTL, "-n", "gw", *words], capture_output=True, text=True,
                          check=False, cwd=HOME, **options)


def start(*words):
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            cwd=HOME, preexec_fn=lambda: lab.enter("gw"))


def can_be_ended(process):
    """Whether it waits for SIGINT, or is gone."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        text = file.read()
    blocked = re.search(r"^SigBlk:\s*(\w+)", text, re.M)
    return not blocked or int(blocked.group(1), 16) & 1 << signal.SIGINT - 1


# ---- the examples ----

def run_example(line):
    process = start("bash", "-o", "pipefail", "-c", line.replace("edgectl monitor", "exec edgectl monitor"))
    if "monitor" in line:
        lab.until(lambda: can_be_ended(process))
        process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=lab.PATIENCE)
    good = process.returncode == LAST.get(line, 0) and not errors.replace(
        next((warning for warning in errors.splitlines(True) if "warning: " in warning), ""), "")
    tap.check(f"example: {line}", good and output.startswith(TELLS.get(line, "")),
              f"exit status {process.returncode}", output, errors)


def check_examples():
    lines = [line for block in manual.examples("edgectl.8") for line in block.splitlines()]
    tap.check("edgectl(8) has examples, and those that we know", len(lines) > 9
              and not {*LAST, *TELLS} - {*lines}, lines)
    for line in lines:
        run_example(line)
    edgectl("-q", "load", "--open", "/dev/null")
    before = edgectl("-j", "status").stdout
    for number, text in enumerate(manual.examples("nf_edge-policy.5"), 1):
        got = edgectl("load", "--open", "-", input=text)
        tap.check(f"the kernel takes example {number} of nf_edge-policy(5)",
                  (got.returncode, got.stdout, re.sub("edgectl: warning: .* Edge address .*\n", "", got.stderr)) == (0, "", ""), got, text)
        if number == 1:
            generation = [json.loads(one)["generation"] for one in (before, edgectl("-j", "status").stdout)]
            tap.check("... the first of which is the default policy", generation[0] == generation[1], generation)


# ---- JSON ----

def names_in(usages):
    """The words that name each command, the longest first."""
    found = {" ".join(word for word in usage.split()[:2] if re.fullmatch("(--)?[a-z]+", word))
             for usage in usages}
    return sorted(found, key=len, reverse=True)


class Outputs:
    """What commands have printed, against their schemas."""

    def __init__(self):
        self.seen, self.kinds, self.faults = set(), set(), []

    def take(self, command, text):
        """Lines of JSON, or one value; nothing, or other text, of those that have no schema."""
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not text or value is None and command not in schema.COMMANDS:
            return
        self.seen.add(command)
        self.faults += schema.faults(command, value)
        self.kinds |= {(command, one.get("object") or one.get("event"), one.get("action"))
                       for one in (value if isinstance(value, list) else [value]) if one}


def call(outputs, names, line):
    """The command's name."""
    name = next(name for name in names if (line + " ").startswith(name + " "))
    got = edgectl(*["-j"] * (name not in OTHERWISE), *line.split())
    bad = [error for error in got.stderr.splitlines() if "warning: " not in error]
    if bad or got.returncode > (name in FINDS or "--dry-run" in line):
        outputs.faults.append(f"{line}: exit status {got.returncode}: {bad}")
    option = next((option for option in ("--confirm", "--dry-run") if option in line), None)
    outputs.take(f"any change with {option}" if option else name, got.stdout)
    return name


def drop_one():
    def send():
        lab.enter("gw")
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("203.0.113.10", 0))
        try:
            sock.sendto(b"x", ("192.0.2.66", 55))
        except PermissionError:
            pass
    lab.on_thread(send)


def watch(outputs, command, *steps):
    """Takes the lines of what goes on until it is ended. A step: what to do again and again until a
    pattern has been seen."""
    process = start(lab.EDGECTL, "-j", *command.split())
    output, text = process.stdout.fileno(), b""
    for happen, pattern in steps:
        def more(happen=happen, pattern=pattern):
            nonlocal text
            happen()
            if select.select([output], [], [], 0.05)[0]:
                text += os.read(output, 65536)
            return re.search(pattern, text, re.S)
        lab.until(more)
    process.send_signal(signal.SIGINT)
    text += process.communicate(timeout=lab.PATIENCE)[0].encode()
    for line in text.decode().splitlines():
        outputs.take(command, line)


def check_json():
    usages = re.findall(r"^  edgectl (.*)$", edgectl("--help").stdout, re.M)
    names, outputs = names_in(usages), Outputs()
    edgectl("-q", "load", "--open", "/dev/null")
    called = {call(outputs, names, line) for line in CALLS} | {*LIVE}
    tap.check("every command of --help was called", called == {*names}, called ^ {*names})
    watch(outputs, "stats watch", (lambda: None, rb"\n.*\n"))
    edgectl("mode", "enforce")
    edgectl("unlisted", "drop")
    watch(outputs, "monitor", (lambda: edgectl("stats", "reset"), rb'"config".*\n'),
          (drop_one, rb'"drop".*\n'))
    log = start(lab.EDGECTL, "-n", "gw", "log")
    lab.until(lambda: drop_one() or '"source"' in edgectl("-j", "report").stdout)
    log.send_signal(signal.SIGINT)
    log.communicate(timeout=lab.PATIENCE)
    called.add(call(outputs, names, "report"))
    for command in OTHERWISE:
        got = edgectl("-j", *command.split(), *["-"] * (command == "check"))
        tap.check(f"-j means nothing to {command}", (got.returncode, got.stdout, got.stderr.count("\n")) == (2, "", 1)
                  and "json" in got.stderr, got)
    tap.check("what they print is as the schemas say", not outputs.faults, *outputs.faults)
    tap.check("who prints JSON has a schema, and who has one prints it",
              outputs.seen == {*schema.COMMANDS}, outputs.seen ^ {*schema.COMMANDS})
    wanted = {("diff", kind, action) for kind, actions in {
        "mode": [None], "unlisted": [None], "rtp": ["set", "match"], "rule": ["set", "disable", "enable"],
        "interface": ["add", "del", "flush"], "partner": ["add", "del", "flush"], "block": ["add", "del", "flush"]}.items() for action in actions}
    wanted |= {("monitor", "config", None), ("monitor", "drop", None)}
    kinds = {kind for kind in outputs.kinds if kind[0] in ("diff", "monitor")}
    tap.check("objects of every kind were among them", kinds == wanted, kinds ^ wanted)


os.environ["STATE_DIRECTORY"] = HOME
os.environ["PATH"] = f"{manual.SOURCES}:{os.environ['PATH']}"
tap = Tap()
set_up()
check_examples()
check_json()
with open(PID, encoding="ascii") as pid:
    os.kill(int(pid.read()), signal.SIGKILL)
for left in PID, "/etc/nf_edge/policy.conf":     # where other scenarios look
    os.remove(left)
tap.done()
