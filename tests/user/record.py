#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What happened is on record: edgectl log and its journal, edgectl report, and tables as CSV.

  outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py

The journal is a socket of this scenario's where systemd has its own.
"""

import contextlib
import csv
import io
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403
from genl import Genl, Spec  # noqa: E402
from schema import faults  # noqa: E402

STATE, JOURNAL = "/tmp/record", "/run/systemd/journal/socket"
TABLE = f"{STATE}/drops.json"
FULL = 10000
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
TICK = 0.02	# see netns/monitor.py
DROP = f"drop not-listed tcp {STRANGER}:40000 -> {ACCESS}:5061 iif ext0 row sip-federation-in"
os.environ["STATE_DIRECTORY"] = STATE


def there(function):
    def inside():
        enter(rig.name)
        return function()
    return on_thread(inside)


def run(*words, options=()):
    """As subprocess has it; line ends are what they are."""
    done = there(lambda: subprocess.run([EDGECTL, *options, *words], capture_output=True, check=False))
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


def report(*words):
    shown = run("report", *words, options=["-j"])
    return json.loads(shown.stdout) if shown.returncode == 0 else shown


# ---- the journal ----

class Journal:
    """Its socket, and the entries that came: as a dictionary each."""

    def __init__(self, path=JOURNAL):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path, self.entries = path, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)

    def read(self):
        try:
            while True:
                lines = self.socket.recv(1 << 20).decode().splitlines()
                self.entries.append(dict(line.split("=", 1) for line in lines))
        except BlockingIOError:
            return self.entries

    def wait(self, count, **wanted):
        """The last entries that have these fields, when there are so many."""
        def found():
            self.read()
            return [one for one in self.entries if wanted.items() <= one.items()]
        until(lambda: len(found()) >= count)
        return found()

    def close(self):
        self.socket.close()
        os.remove(self.path)


class Log:
    """edgectl log in the appliance, from when it listens on."""

    def __init__(self):
        self.process = there(lambda: subprocess.Popen([EDGECTL, "log"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                                      text=True))
        until(self.listens)
        time.sleep(TICK)

    def listens(self):
        with open(f"/proc/{self.process.pid}/net/netlink", encoding="ascii") as file:
            sockets = [line.split() for line in file]
        return self.process.poll() is not None or any(
            int(words[3], 16) & 1 << 15 for words in sockets if words[1] == "16" and int(words[2]) & 0x3fffff == self.process.pid)

    def end(self, number=signal.SIGTERM):
        """(exit status, what it said)"""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output + errors


def stranger(port=5061, sport=40000):
    rig.send(tcp(STRANGER, ACCESS, port, sport=sport), comes=False)


def check_entries():
    log = Log()
    begun = journal.wait(1, NF_EDGE_EVENT="begin")
    rig.check("the record begins, and says from which policy on", len(begun) == 1 and begun[0]["NF_EDGE_GENERATION"]
              == str(rig.json("status")["generation"]), *begun)
    stranger()
    drop = journal.wait(1, NF_EDGE_EVENT="drop")
    rig.check("a drop has its fields", drop == [{
        "MESSAGE": DROP, "PRIORITY": "6", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "nf_edge", "NF_EDGE_EVENT": "drop",
        "NF_EDGE_REASON": "not-listed", "NF_EDGE_MODE": "enforce", "NF_EDGE_PROTOCOL": "tcp", "NF_EDGE_SOURCE": STRANGER,
        "NF_EDGE_SPORT": "40000", "NF_EDGE_DESTINATION": ACCESS, "NF_EDGE_DPORT": "5061", "NF_EDGE_IIF": "ext0",
        "NF_EDGE_RULE": "sip-federation-in"}], *drop)
    rig.edgectl("partner", "add", "192.0.2.7", "name", 'two "words" \u65e5')
    change = journal.wait(1, NF_EDGE_EVENT="config")
    pid = change and change[0].pop("NF_EDGE_PID")
    rig.check("a change has its fields", len(change) == 1 and pid.isdigit() and change[0] == {
        "MESSAGE": 'partner add 192.0.2.7/32 group federation name "two \\"words\\" \u65e5" '
        + f"by edgectl (pid {pid}, root)", "PRIORITY": "5", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "nf_edge",
        "NF_EDGE_EVENT": "config", "NF_EDGE_COMMAND": "partner add", "NF_EDGE_INTERFACES": "6", "NF_EDGE_PARTNERS": "5",
        "NF_EDGE_BLOCKS": "0", "NF_EDGE_GENERATION": str(rig.json("status")["generation"]), "NF_EDGE_PROCESS": "edgectl",
        "NF_EDGE_UID": "0", "NF_EDGE_USER": "root"}, *change)
    ports = ",".join(str(port) for port in range(1024, 20000, 2))
    rig.edgectl("rtp", "set", ports)
    long_ = journal.wait(1, NF_EDGE_COMMAND="set")
    rig.check("a long line is cut", len(long_) == 1 and re.fullmatch(r"rtp set 1024,[\d,]+\.\.\.", long_[0]["MESSAGE"])
              and len(long_[0]["MESSAGE"]) < 2100, *long_)
    rig.edgectl("rtp", "set", "50000-59999")
    rig.edgectl("partner", "del", "192.0.2.7")
    second = run("log")
    rig.check("another one is refused", (second.returncode, second.stderr) == (
        1, f"edgectl: {TABLE}: another edgectl log keeps it\n"), second)
    rig.check("SIGTERM ends it well, and it has said nothing", log.end() == (0, ""))
    rig.check("the record says that it ends", len(journal.wait(1, NF_EDGE_EVENT="end")) == 1, *journal.entries[-2:])


def check_report():
    found = report()
    rig.check("the table outlives the log", isinstance(found, dict) and [one["source"] for one in found["rows"]] == [STRANGER]
              and (found["packets"], found["lost"], found["left_out"]) == (1, 0, []), found)
    log = Log()
    for sport in 40001, 40002:
        stranger(sport=sport)
    rig.send(udp(STRANGER6, AV6, 53), comes=False)
    rig.edgectl("mode", "audit")
    rig.send(tcp(STRANGER, ACCESS, 5061), comes=True)
    rig.edgectl("mode", "enforce")
    journal.wait(5, NF_EDGE_EVENT="drop")
    rig.check("ends well", log.end() == (0, ""))
    found = report()
    rows = [(one["packets"], one["reason"], one["mode"], one["protocol"], one["source"], one["destination"], one["dport"],
             one["rule"]) for one in found["rows"]]
    rig.check("the most packets first, by source, destination, port, reason and mode", rows[:1] == [
        (3, "not-listed", "enforce", "tcp", STRANGER, ACCESS, 5061, "sip-federation-in")] and sorted(rows[1:], key=str) == [
            (1, "not-listed", "audit", "tcp", STRANGER, ACCESS, 5061, "sip-federation-in"),
            (1, "unlisted", "enforce", "udp", STRANGER6, AV6, 53, None)], *rows)
    rig.check("with the first and the last time", all(re.fullmatch(TIME, one["first"]) and one["first"] <= one["last"]
                                                     for one in found["rows"]), found)
    rig.check("in the form that is documented", not faults("report", found), *faults("report", found))
    text = run("report").stdout
    rig.check("as a table, which says since when", re.search(
        rf"^ *packets +first +last +reason +mode +proto +source.*\n +3 +\d\d-\d\d \d\d:\d\d .*not-listed +enforce +tcp +{STRANGER} ",
        text, re.M) and re.search(rf"^5 packets in 3 rows; on record since {TIME}, as of {TIME}$", text, re.M), text)


def age(seconds):
    """All of the table is older by so much."""
    with open(TABLE, encoding="utf-8") as file:
        table = json.load(file)
    for row in table["rows"]:
        row["first"] -= seconds
        row["last"] -= seconds
    with open(TABLE, "w", encoding="utf-8") as file:
        json.dump(table, file)


def check_since():
    age(7200)
    log = Log()
    stranger()
    journal.wait(6, NF_EDGE_EVENT="drop")
    log.end()
    found = report("since", "1h")
    rig.check("since an hour: what was seen last since, with all of its packets",
              [(one["packets"], one["source"]) for one in found["rows"]] == [(4, STRANGER)], found)
    rig.check("since a day: all", len(report("since", "1d")["rows"]) == 3)
    for words, sentence in {
            "report since": 'missing word after "since"',
            "report since lunch": 'bad duration "lunch" (as in 30s, 15m, 12h, 90d, 4w)',
            "report --csv since 1d -x": 'unexpected word "-x" (general options stand before the object)',
            "interface list --csv": 'unexpected word "--csv" (general options stand before the object)',
    }.items():
        shown = run(*words.split())
        rig.check(words, (shown.returncode, shown.stdout, shown.stderr) == (2, "", f"edgectl: {sentence}\n"), shown)
    shown = run("report", "--csv", options=["-j"])
    rig.check("CSV is no JSON", shown.returncode == 2 and "another format" in shown.stderr, shown)


def check_flood():
    """What was left out is counted by itself, in the journal and in the report."""
    before = rig.counters()["unlisted"]
    frame = bytes(Ether(src=MACS["outside"], dst=MACS["ext0"]) / udp(STRANGER, AV, 54))
    log, sent = Log(), 0

    def flood(count):
        nonlocal sent
        for _ in range(count):
            rig.sockets["outside"].send(frame)
        sent += count
        until(lambda: rig.counters()["unlisted"] - before == sent)
        return left_out_lines()

    def left_out_lines():
        return [one for one in journal.read() if "NF_EDGE_LEFT_OUT" in one]

    until(lambda: flood(200))	# a slow machine sends few in a second
    log.end()
    told = left_out_lines()
    found = report()
    row = [one["packets"] for one in found["rows"] if one["dport"] == 54]
    left_out = [(one["reason"], one["packets"]) for one in found["left_out"]]
    number = sum(int(one["NF_EDGE_LEFT_OUT"]) for one in told)
    rig.check("the journal says how many were left out", number and all(
        one["NF_EDGE_REASON"] == "unlisted" and one["MESSAGE"].endswith(f"({one['NF_EDGE_LEFT_OUT']} before it left out)")
        for one in told), *told)
    rig.check("the report counts them by themselves", left_out == [("unlisted", number)] and
              0 < row[0] + number <= sent, found["left_out"], row, sent)
    text = run("report").stdout
    rig.check("and says so", f"\nunlisted: {number} more are only counted" in text, text)
    rest = [one for one in csv.DictReader(io.StringIO(run("report", "--csv").stdout)) if one["counted"] == "left out"]
    rig.check("in CSV, too", [(one["reason"], one["packets"], one["source"]) for one in rest] == [("unlisted", str(number), "")],
              *rest)


def check_bound():
    """The table does not grow beyond its size; who comes once from many addresses drives out others like himself."""
    with open(TABLE, encoding="utf-8") as file:
        table = json.load(file)
    often = max(table["rows"], key=lambda row: row["packets"])
    table["rows"] = [often] + [{**often, "source": f"10.0.{n >> 8}.{n & 255}", "packets": 1, "first": 1000 + n, "last": 1000 + n}
                               for n in range(FULL - 1)]
    with open(TABLE, "w", encoding="utf-8") as file:
        json.dump(table, file)
    log = Log()
    rig.send(tcp("192.0.2.99", ACCESS, 5061), comes=False)
    journal.wait(1, NF_EDGE_SOURCE="192.0.2.99")
    rig.check("a full table is written, too", log.end() == (0, ""))
    found = report()
    sources = {one["source"] for one in found["rows"]}
    rig.check("a full table stays as large as it is", len(found["rows"]) == FULL, len(found["rows"]))
    rig.check("the least recent of those with the fewest packets has gone", "192.0.2.99" in sources and often["source"] in sources
              and "10.0.0.0" not in sources and "10.0.0.1" in sources, len(sources))
    rig.check("and it is told how many have", (found["forgotten_rows"], found["forgotten_packets"]) == (1, 1)
              and "\n1 rows of 1 packets had to go: 10000 fit" in run("report").stdout, found["forgotten_rows"])


def check_killed():
    """A record that was saved stays, whatever becomes of the process; one that is no table is put aside."""
    os.remove(TABLE)
    shown = run("report")
    rig.check("without a record the report says how to have one", (shown.returncode, shown.stderr) == (
        1, "edgectl: nothing is on record (systemctl enable --now nf_edge-log)\n"), shown)
    log = Log()
    stranger()
    rig.check("it is saved soon, without being asked", until(lambda: os.path.exists(TABLE) and report()["packets"] == 1), report())
    log.end(signal.SIGKILL)
    rig.check("and is there when the log was killed", report()["packets"] == 1, report())
    rig.check("for root alone", os.stat(TABLE).st_mode & 0o777 == 0o600, oct(os.stat(TABLE).st_mode))
    with open(TABLE, "r+", encoding="utf-8") as file:
        file.truncate(30)
    shown = run("report")
    rig.check("a spoiled file is none", shown.returncode == 1 and f"{TABLE} is no table of drops: " in shown.stderr
              and shown.stderr.count("\n") == 1, shown)
    log = Log()
    status, said = log.end()
    rig.check("the log puts it aside, says so, and begins anew", status == 0 and f"it is called {TABLE}.bad now" in said
              and report()["packets"] == 0, status, said)


def check_lost():
    log = Log()
    log.process.send_signal(signal.SIGSTOP)
    changer = there(lambda: Genl(Spec()))
    for n in range(400):
        changer.do("status-set", {"rtp-ports": bytes([n % 2 << 1]) + bytes(8191)})
    log.process.send_signal(signal.SIGCONT)
    lost = journal.wait(1, NF_EDGE_EVENT="lost")
    log.end()
    rig.check("events that were lost are on record", lost and lost[0]["PRIORITY"] == "4" and report()["lost"] >= 1
              and "events were lost " in run("report").stdout, *lost, report())


def check_syslog():
    """Where there is no journal, the text goes to syslog."""
    journal.close()
    with contextlib.suppress(FileNotFoundError):
        os.remove("/dev/log")
    syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    syslog.bind("/dev/log")
    syslog.settimeout(PATIENCE)
    log = Log()
    stranger()
    lines = [syslog.recv(4096).decode().rstrip("\0\n") for _ in range(2)]
    log.end()
    os.remove("/dev/log")
    rig.check("without a journal syslog has it", lines[1].startswith("<30>") and lines[1].endswith(f" nf_edge: {DROP}"), *lines)


def check_unloaded():
    """An upgrade unloads the module for a moment."""
    log = Log()
    journal.wait(1, NF_EDGE_EVENT="begin")
    journal.entries.clear()
    subprocess.run(["rmmod", "nf_edge"], check=True)
    rig.check("that the module has gone is on record", journal.wait(1, NF_EDGE_EVENT="unloaded"), *journal.entries)
    load_module()
    rig.check("and that the record goes on", journal.wait(1, NF_EDGE_EVENT="begin"), *journal.entries)
    rig.edgectl("unlisted", "pass")
    rig.check("with the new one's changes", journal.wait(1, NF_EDGE_COMMAND="set"), *journal.entries)
    rig.check("... and ends well", log.end() == (0, ""))
    log = Log()
    subprocess.run(["rmmod", "nf_edge"], check=True)
    journal.wait(2, NF_EDGE_EVENT="unloaded")
    rig.check("it can be ended while there is none", log.end() == (0, ""))
    journal.entries.clear()
    with subprocess.Popen([EDGECTL, "log"], stderr=subprocess.PIPE, text=True) as early:
        rig.check("begun without one it waits", "not loaded" in (told := early.stderr.readline()) and "waited for" in told, told)
        load_module()
        rig.check("... and the record begins with it", journal.wait(1, NF_EDGE_EVENT="begin"), *journal.entries)
        early.terminate()
    rig.check("... and ends well", early.returncode == 0, early.returncode)


# ---- tables ----

def table(*words):
    shown = run(*words, "--csv").stdout
    rig.check(f"{' '.join(words)}: lines end as RFC 4180 has it", shown.count("\r\n") == shown.count("\n") > 0, repr(shown[:200]))
    return list(csv.DictReader(io.StringIO(shown, newline="")))


def check_csv():
    run("partner", "add", "192.0.2.8", "group", "pic,xmpp", "name", '=HYPERLINK("http://x","a,b")')
    run("partner", "add", "192.0.2.9", "domain", "contoso.com", "name", "@home")
    run("partner", "add", "192.0.2.10", "name", "plain-name, with a comma")
    rows, wanted = table("partner", "list"), rig.json("partner", "list")
    rig.check("partner list: as many as in JSON, by the same names", len(rows) == len(wanted) > 4
              and all(set(one) == set(other) for one, other in zip(rows, wanted)), rows[:1])
    name = {one["address"]: (one["name"], one["groups"], one["domain"]) for one in rows}
    rig.check("a formula is none any more, and what is none is as it was", [name[f"192.0.2.{n}/32"] for n in (8, 9, 10)] == [
        ('\'=HYPERLINK("http://x","a,b")', "pic,xmpp", ""), ("'@home", "federation", "contoso.com"),
        ("plain-name, with a comma", "federation", "")], *rows)
    rows, wanted = table("rule", "list"), rig.json("rule", "list")
    rig.check("rule list", [{**one, "enabled": one["enabled"] == "true"} for one in rows] == [
        {key: value if isinstance(value, bool) else str(value) for key, value in one.items()} for one in wanted], *rows)
    rows, wanted = table("stats"), rig.json("stats")
    rig.check("stats: rules and drops in one table", [(one["kind"], one["name"]) for one in rows] == [
        ("rule", one["name"]) for one in wanted["rules"]] + [("drop", one["reason"]) for one in wanted["drops"]]
        and {one["flows"] for one in rows if one["kind"] == "drop"} == {""}, *rows)
    rows = table("report")
    rig.check("report", rows and list(rows[0]) == ["counted", "packets", "first", "last", "reason", "mode", "protocol", "source",
                                                   "destination", "dport", "rule"], *rows[:1])
    run("partner", "flush", "group", "federation,pic,client,messenger,xmpp,gateway")
    shown = run("partner", "list", "--csv").stdout
    rig.check("without a row there are the heads", shown.startswith("address,groups,packets,") and shown.count("\n") == 1, shown)
    exported = run("rule", "--csv", "list", "xmpp-in").stdout
    rig.check("a row of its own, wherever the option stands", exported.count("\n") == 2, exported)


for path in STATE, "/run/systemd":
    os.makedirs(path, exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "record", "/run/systemd"], check=True)
rig = Rig()
journal = Journal()
check_entries()
check_report()
check_since()
check_flood()
check_bound()
check_killed()
check_lost()
check_syslog()
journal = Journal()
check_csv()
check_unloaded()
rig.done()
