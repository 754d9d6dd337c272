#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What an operator sees of a change: that nothing opens everything unasked, what a removal leaves, what was
tried, is to be confirmed, is undone; and what a file that is saved keeps."""

import json
import os
import pwd
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from lab import EDGECTL, load_module, until  # noqa: E402
from tap import Tap  # noqa: E402

EDGE, OTHER = "203.0.113.10", "203.0.113.11"
BASE = f"""interface add access {EDGE}
interface add access {OTHER}
partner add 198.51.100.0/24 name "Fabrikam Inc"
partner add 198.51.100.10 198.51.100.11 group federation,pic name fabrikam2
partner add 2001:db8:51::/48 group xmpp domain fabrikam.example
"""

NOTHING_LEFT = "warning: no Edge address is left: nothing is enforced, and everything passes\n"

tap = Tap()


def edgectl(*words, given=None, user=None):
    """(exit status, what it prints, what it complains of)"""
    done = subprocess.run([EDGECTL, *words], input=given, text=True, check=False, capture_output=True, user=user)
    return done.returncode, done.stdout, done.stderr.replace("edgectl: ", "")


def says(name, words, status=0, out="", err="", given=None, user=None):
    """One test; out and err are all of it, or patterns for all of it."""
    got = edgectl(*words.split(), given=given, user=user)
    tap.check(f"{name}: edgectl {words}", got[0] == status and all(
        want == had or re.fullmatch(want, had, re.S) for want, had in zip((out, err), got[1:])), *got)


def saved():
    return edgectl("save")[1]


def fresh(policy=BASE):
    subprocess.run([EDGECTL, "-q", "load", "--open", "-"], input=policy, text=True, check=True)
    return saved()


def unchanged(name, before):
    tap.check(f"... {name}", saved() == before, saved())


# ---- nothing opens everything unasked ----

def check_open():
    before = fresh()
    fragment = "partner add 192.0.2.1\n"
    says("a fragment, loaded", "load -", 1, err="-: no Edge address: the 2 in force would go, and nothing would be enforced "
         r"\(load --merge adds to the policy in force, load --open opens it\)\n", given=fragment)
    unchanged("nothing has changed", before)
    says("nothing at all", "load -", 1, err="-: no Edge address: .*", given="")
    says("a fragment, checked", "check -", err="warning: -: no Edge address: nothing will be enforced\n", given=fragment)
    says("as the boot script asks", "check --enforced -", 1, err="-: no Edge address: nothing would be enforced\n", given=fragment)
    says("off on purpose", "check --enforced -", given="mode off\n")
    says("what removes, loaded", "load -", 1, given="partner del 192.0.2.1\n",
         err='-:1: "partner del" is no command for a policy file: only "load --merge" takes it\n')
    says("merged", "load --merge -", given=fragment)
    says("... is what it adds", "undo", out="partner del 192.0.2.1/32\n")
    says("merged, the last address gone", "load --merge -", 1,
         given=f"interface del access {EDGE}\npartner add 192.0.2.1\ninterface flush all\n",
         err=r"-: no Edge address would be left, and nothing enforced \(load --merge --open opens it\)\n")
    says("... on purpose", "load --merge --open - --dry-run", 1, given="interface flush all\n", out="interface flush all\n")
    says("... and off", "load --merge -", given="mode off\ninterface flush all\n", err=NOTHING_LEFT)
    says("... is undone", "undo", out="(?s)mode enforce.*")
    unchanged("nothing has changed", before)
    says("a merged file with faults", "load --merge -", 1, given="partner del 192.0.2.77\nfoo\nstatus\nload x\npartner add 192.0.2.1\n",
         err=r'-:1: partner 192.0.2.77/32 does not exist\n-:2: unknown object "foo".*\n-:3: "status.*" is no command for .*\n-:4: "load" is no command for .*\n')
    unchanged("nothing has changed", before)
    says("on purpose", "load --open -", given=fragment, err=NOTHING_LEFT)
    says("and back", "undo", out=f"(interface add access .*){{2}}partner add .*partner del 192.0.2.1/32\n")
    unchanged("all of it", before)
    says("nor does undoing open everything", "undo", 1, err=r"no Edge address would be left: everything would be open \(--open allows that\)\n")
    says("... nor with a time to confirm", "undo --confirm 60", 1, err="no Edge address would be left: .*")
    unchanged("nothing has changed", before)
    says("... but on purpose", "undo --open", out=f"interface flush all\npartner add 192.0.2.1/32 .*", err=NOTHING_LEFT)
    says("and back", "undo", out=".*")
    unchanged("all of it", before)
    says("... to be confirmed", "undo --open --confirm 60", out="unless confirmed .*", err=NOTHING_LEFT)
    says("... and reverted, tried", "revert --dry-run", 1, out="interface add .*")
    says("... and reverted", "revert")
    unchanged("all of it", before)
    fresh("")
    says("what guards nothing, waiting", "load --confirm 60 -", given=BASE, out="unless .*", err=".*")
    says("... is reverted, which opens it", "revert", err=NOTHING_LEFT)
    fresh(f"mode off\n{BASE}")
    says("what is off keeps its addresses, too", "load -", 1, given=fragment, err="-: no Edge address: the 2 in force .*")
    says("... merged, too", "load --merge -", 1, given="mode audit\ninterface flush all\n", err="-: no Edge address would be left, .*")
    says("... but on purpose", "load --open -", given=fragment, err=NOTHING_LEFT)
    says("undoing tried", "undo --dry-run", 1, out="mode off\n.*")
    fresh("")
    says("the first policy", "load -", given=BASE, err=".*")
    says("undone would open it", "undo --dry-run", 2, err="no Edge address would be left: .*")
    fresh()
    says("nothing to revert, tried", "revert --dry-run", 2, err="no policy waits for its confirmation\n")
    gone = f"warning: {OTHER} is no Edge address any more: its traffic is not judged, and flows go on\n"
    says("an address", f"interface del access {OTHER}", err=gone)
    says("undone", "undo", out=f"interface add access {OTHER}\n")
    says("by undoing", "undo", out=f"interface del access {OTHER}\n", err=gone)
    says("the last one", f"interface del access {EDGE}", err=NOTHING_LEFT)
    fresh()
    says("by a file without it", "load -", given=BASE.replace(f"interface add access {OTHER}\n", ""), err=gone + ".*DNS.*\n")
    fresh()
    says("by a merged line", "load --merge -", given=f"interface del access {OTHER}\n", err=gone)
    fresh(BASE + f"interface add av {OTHER}\n")
    says("one role of two", f"interface del access {OTHER}")
    says("a role", "interface flush av", err=gone)
    says("all, tried", "interface flush all --dry-run", 1, out="interface flush all\n")
    fresh()
    before = saved()
    says("no line of a file", "load --merge -", 1, given="partner add 192.0.2.1\nundo\nmode\nunlisted\nrevert\n",
         err=r'-:2: "undo" is no command .*\n-:3: missing word: mode .*\n-:4: missing word: unlisted .*\n-:5: "revert" is no command .*\n')
    unchanged("nothing has changed", before)
    fresh()
    says("quietly", f"-q interface del access {OTHER}")
    for words in ("p f", "i f", "b f", "partner f", "partner flush", "interface flush", "block flush"):
        before = saved()
        says("what flushes is asked for in full", words, 2, err=".+\n")
        unchanged("nothing has changed", before)
    says("all", "partner flush all", err="warning: they are still admitted, as anybody is, by .*\n")
    says("none is left", "partner list", out="address .*\n")


# ---- what a removal leaves ----

def check_removal():
    fresh()
    any_ = (r'warning: {0} is still admitted, as anybody is, by sip-federation-out '
            r'\("edgectl block add {0}" cuts both ways\)\n')
    says("a host in a wider prefix", "partner del 198.51.100.10",
         err=r"warning: 198.51.100.10/32 is still admitted by partner 198.51.100.0/24 \(federation, Fabrikam Inc\)\n" +
         any_.format("198.51.100.10"))
    says("once more", "partner del 198.51.100.10", 1, err="partner 198.51.100.10/32 does not exist; it is admitted by partner "
         r"198.51.100.0/24 \(federation, Fabrikam Inc\)\n")
    says("the prefix around another", "partner del 198.51.100.0/24",
         err=r"warning: a part of 198.51.100.0/24 is still admitted by partner 198.51.100.11/32 \(federation,pic, fabrikam2\)\n" +
         any_.format("198.51.100.0/24"))
    says("who is blocked", "block add 198.51.100.11")
    says("is admitted by nobody", "partner del 198.51.100.11")
    says("and comes back", "undo", out="partner add 198.51.100.11/32 .*")
    says("no block any more", "block flush all")
    says("two around one", "-q block add 198.51.100.0/24 198.51.100.10")
    says("one goes by a merged file", "load --merge -", given="block del 198.51.100.10\npartner flush group xmpp\n",
         err="warning: 2001:db8:51::/48 is still admitted, .*warning: 198.51.100.10/32 is still blocked by 198.51.100.0/24\n")
    says("a merged file with a fault", "load --merge -", 1, given="block add name fabrikam2\nfoo\n", err="-:2: unknown object .*")
    says("undone", "undo", out=".*")
    says("no block any more", "block flush all")
    says("all of a group", "partner flush group pic",
         err="warning: 198.51.100.11/32 is still admitted by partner 198.51.100.11/32 .federation, fabrikam2.\n.*")
    says("undone", "undo", out="partner add 198.51.100.11/32 .*")
    says("once for a whole file", "load --merge -", given="partner del 198.51.100.11\npartner del 2001:db8:51::/48\n",
         err="warning: they are still admitted, as anybody is, by .*\n")
    says("undone", "undo", out=".*")
    says("where nothing admits anybody", "rule set sip-federation-out peers listed")
    says("is nothing to be told", "partner del 198.51.100.11")
    says("of a domain", "partner del fabrikam.example", err=".* by xmpp-in,xmpp-out .*2001:db8:51::/48.*\n")
    fresh()
    says("a name by its part", "partner del name FABRI --dry-run", 1,
         out="partner del 198.51.100.0/24\npartner del 198.51.100.10/32\npartner del 198.51.100.11/32\n")
    says("exactly", "partner list name =fabrikam2", out="(?s)address.*198.51.100.10/32.*198.51.100.11/32.*")
    says("both of name and group", "-q partner del name fab group pic")
    says("leaves the group", "partner list group pic", out="address[^\n]*\n")
    says("and stays in the other", "partner list name =fabrikam2", out="(?s)address.*198.51.100.10/32.*198.51.100.11/32.*")
    says("one that nobody is", "partner del name nobody", 1, err="no partner is chosen by that\n")
    says("or need not be", "partner flush name nobody", out="removed 0\n")
    says("from a domain, idle", "partner del domain fabrikam.example idle 1d", 1, err="no partner is chosen by that\n")
    says("those around an address", "-q partner flush covers 198.51.100.10")
    tap.check("... are gone", [each["address"] for each in json.loads(edgectl("-j", "partner", "list")[1])] ==
              ["198.51.100.11/32", "2001:db8:51::/48"], edgectl("partner", "list"))
    says("sorted", "partner list sort packets", out="address.*")
    nobody = pwd.getpwnam("nobody").pw_uid
    listed = json.loads(edgectl("-j", "partner", "list", user=nobody)[1])
    tap.check("who may not change the policy sees no traffic", listed and all(
        each["packets"] is None and each["idle"] is None for each in listed), listed)
    says("nor who is idle", "partner list idle 1s", 1, err="who is idle is for those to know who may change the policy\n", user=nobody)


# ---- blocks ----

def check_blocks():
    before = fresh()
    says("a block", "block add 198.51.100.10 until 2099-12-31T03:00:00Z reason fraud")
    says("is listed", "block list", out="address .*\n198.51.100.10/32 +2099-12-31T03:00:00Z +[0-9dhms ]+fraud\n")
    says("as an object", "-j block list", out=r'\[{"address":"198.51.100.10/32","until":"2099-12-31T03:00:00Z","left":\d+,"reason":"fraud"}\]\n')
    says("explained", f"explain 198.51.100.10 {EDGE} tcp 5061",
         out="drop blocked\nThe block 198.51.100.10/32 until 2099-12-31T03:00:00Z reason fraud cuts .*\n")
    explained = json.loads(edgectl("-j", "explain", "198.51.100.10", EDGE, "tcp", "5061")[1])
    tap.check("... with its keys", explained["block"] == {"address": "198.51.100.10/32", "until": "2099-12-31T03:00:00Z", "reason": "fraud"}
              and explained["partner"] is explained["refused_by"] is None, explained)
    says("saved, and loaded again", "-q load -", given=saved())
    says("the same again", "block add 198.51.100.10 until 2099-12-31T03:00:00Z reason fraud", 1, err="block 198.51.100.10/32 exists\n")
    says("another end", "block add 198.51.100.10 until 2h")
    says("the partners of a name, by its part", "block add name BRIKAM2 reason cut", out="blocked 2\n")
    says("or exactly", "block add name =Fabrikam2", 1, err='no partner is called "Fabrikam2"\n')
    says("and what a domain has brought", "block add fabrikam.example", out="blocked 1\n", err="(warning: .*: what DNS has there is not meant\n)+")
    tap.check("... are blocked", [each["address"] for each in json.loads(edgectl("-j", "block", "list")[1])] ==
              ["198.51.100.10/32", "198.51.100.11/32", "2001:db8:51::/48"], edgectl("block", "list"))
    says("of which some go", "block del name =fabrikam2", out="removed 2\n")
    says("a wider one", "-q block add 198.51.100.0/24 198.51.100.10")
    says("says that it still blocks", "block del 198.51.100.10", err="warning: 198.51.100.10/32 is still blocked by 198.51.100.0/24\n")
    says("and when it is what blocks", "block del 198.51.100.10", 1,
         err="block 198.51.100.10/32 does not exist; it is blocked by 198.51.100.0/24\n")
    says("one that is none", "block del 192.0.2.9", 1, err="block 192.0.2.9/32 does not exist\n")
    for path, value in ("blocks", "2"), ("rtp_match", "dst"):
        with open(f"/sys/kernel/nf_edge/policy/{path}", encoding="ascii") as file:
            tap.check(f"policy/{path} in sysfs", file.read().strip() == value)
    metrics = edgectl("stats", "--openmetrics")[1]
    tap.check("a metric of the blocks", "\nnf_edge_blocks 2\n" in metrics, metrics)
    says("an Edge address", f"block add {EDGE}", err=f"warning: {EDGE} is an Edge address: a block cuts off remote ends, .*\n")
    says("an end in the past", "block add 192.0.2.1 until 2001-02-28T00:00:00Z", 1, err="the end 2001-02-28T00:00:00Z has passed\n")
    says("all", "block flush all")
    unchanged("as before", before)
    for words, wrong in (("192.0.2.1 until tomorrow", 'bad end "tomorrow".*'), ("192.0.2.1/24", ".*host bits.*"),
                         ("127.0.0.1", ".*loopback.*"), ("192.0.2.1 until 2001-02-30T00:00:00Z", "bad end .*"), ("", ".*")):
        says("no block", f"block add {words}", 2, err=wrong)
    for line, wrong in (("block add 192.0.2.1 until 5m", ".*a duration begins anew.*"), ("block add name x", ".*a name stands for.*"),
                        ("block add fabrikam.example", ".*looked up.*")):
        says("not in a file", "check -", 1, given=f"{line}\n", err=f"-:1: {wrong}")
    says("a file from before", "check -", given=BASE + "block add 192.0.2.1 until 2001-01-01T00:00:00Z\n",
         err="warning: -: 1 block is left out: the end has come\n.*")
    says("explained by its partner", f"explain 198.51.100.77 {EDGE} tcp 5061",
         out='accept sip-federation-in\nThe row sip-federation-in admits it .peers listed., which lists partner 198.51.100.0/24 '
             'group federation name "Fabrikam Inc"..*')
    refused = json.loads(edgectl("-j", "explain", "192.0.2.1", EDGE, "tcp", "5061")[1])
    tap.check("refused by a rule, as a key", refused["refused_by"] == "sip-federation-in" and refused["partner"] is None, refused)


# ---- tried, to be confirmed, undone ----

CHANGES = [
    ("mode audit", "mode audit\n"), ("unlisted pass", "unlisted pass\n"),
    (f"interface add av {EDGE}", f"interface add av {EDGE}\n"), (f"interface del access {OTHER}", f"interface del access {OTHER}\n"),
    ("interface flush all", "interface flush all\n"),
    ("partner add 192.0.2.1", "partner add 192.0.2.1/32 group federation\n"), ("partner del 198.51.100.10", "partner del 198.51.100.10/32\n"),
    ("partner flush all", "partner flush all\n"), ("partner flush group xmpp", "partner del 2001:db8:51::/48\n"),
    ("block add 192.0.2.1 reason x", "block add 192.0.2.1/32 reason x\n"),
    ("rule disable xmpp-in", "rule disable xmpp-in\n"), ("rule set xmpp-in peers listed", "rule set xmpp-in peers listed\n"),
    ("rtp set 50000-50019", "rtp set 50000-50019\n"), ("rtp match either", "rtp match either\n"),
]


def check_trials():
    for words, shown in CHANGES:
        before = fresh()
        says("tried", f"-q {words} --dry-run", 1, out=shown)
        unchanged("nothing has changed", before)
        says("to be confirmed", f"-q {words} --confirm 5m", out="unless confirmed within 300 seconds, the policy before comes back\n")
        after = saved()
        tap.check("... it is in force", after != before, after)
        says("reverted", "revert")
        unchanged("it is gone", before)
        says("done", f"-q {words}")
        tap.check("... as it was tried", saved() == after, saved(), after)
        says("undone", "undo", out=".+")
        unchanged("it is gone", before)
        opens, gone = words == "interface flush all", words.startswith("interface del")
        says("undone again", "undo --open" if opens else "undo", out=re.escape(shown),
             err=NOTHING_LEFT if opens else f"warning: {OTHER} is no Edge address any more: .*\n" if gone else "")
        tap.check("... it is back", saved() == after, saved())
    before = fresh()
    says("a trial of what is there", "mode enforce --dry-run")
    says("a trial that is refused", "partner del 192.0.2.9 --dry-run", 2, err="partner 192.0.2.9/32 does not exist\n")
    says("a trial in JSON", "-j mode off --dry-run", 1, out=r'\[{"object":"mode","action":null,"value":"off"}\]\n')
    says("a file tried", "load --dry-run -", 1, given=BASE + "mode audit\n", out="mode audit\n")
    says("a file to be merged, tried", "load --merge --dry-run -", 1, given="mode audit\n", out="mode audit\n")
    says("undoing tried", "undo --dry-run", 1, out=".+")
    unchanged("nothing has changed", before)
    says("to be confirmed, and nothing changes", "mode enforce --confirm 60", out="nothing has changed, and nothing is to be confirmed\n")
    says("for a second", "partner add 192.0.2.1 --confirm 1", out="unless confirmed within 1 seconds, .*")
    tap.check("... and nobody confirms", until(lambda: saved() == before))
    says("confirmed", "mode audit --confirm 1h", out=".*3600 seconds.*")
    says("... in time", "confirm")
    says("and undone", "undo", out="mode enforce\n")
    says("to be confirmed, and undone", "mode audit --confirm 1h", out=".*3600 seconds.*")
    says("... and what is changed meanwhile", "block add 192.0.2.1",
         err=r'warning: a policy waits for its confirmation \(3\d{3} seconds\): without "edgectl confirm" this change goes with it\n')
    says("... is reverted", "undo", out="mode enforce\nblock flush all\n")
    unchanged("as before", before)
    for words in ("status", "stats", "partner list", "monitor", "check x", "save"):
        says("changes nothing", f"{words} --dry-run", 2, err="--dry-run is for what changes the policy, and .* does not\n")
    for words in ("--confirm", "--confirm 0", "--confirm 2d", "--confirm x"):
        says("no time", f"mode audit {words}", 2, err=".+\n")
    unchanged("as before", before)


# ---- what a saved file keeps ----

FILE = f"""# Contoso's gateway
# see ticket 17

# the public side
interface add access {EDGE}   # the old firewall
unlisted pass  # nftables has the rest
rule disable xmpp-in xmpp-out # nobody uses it

# Fabrikam
partner add 198.51.100.0/24 name "Fabri # kam" # contract
partner add 192.0.2.7 192.0.2.8
# the end
"""


def check_save():
    with tempfile.TemporaryDirectory() as where:
        path = os.path.join(where, "policy.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(FILE)
        os.chmod(path, 0o640)
        os.chown(path, 1, 2)
        fresh(FILE)
        says("into its file", f"save {path}")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        tap.check("every comment is there", not [line for line in re.findall(r"#[^\"\n]*$", FILE, re.M) if line not in text], text)
        tap.check("... where it belongs", text.startswith("# Contoso's gateway\n# see ticket 17\n\nmode") and text.endswith("# the end\n") and
                  f"# the public side\ninterface add access {EDGE}  # the old firewall\n" in text and
                  '\n# Fabrikam\npartner add 198.51.100.0/24 group federation name "Fabri # kam"  # contract\n' in text, text)
        info = os.stat(path)
        tap.check("mode and owner stay", (info.st_mode & 0o777, info.st_uid, info.st_gid) == (0o640, 1, 2), info)
        says("once more", f"save {path}")
        with open(path, encoding="utf-8") as file:
            tap.check("... is the same", file.read() == text)
        says("it can be loaded", f"load {path}")
        says("what a comment is about goes", "-q partner del 198.51.100.0/24")
        says("with it the comment would", f"save {path}", 1,
             err=r".*policy.conf: 2 comment lines would be lost, the first is line \d+: save --force loses them\n")
        with open(path, encoding="utf-8") as file:
            tap.check("... so nothing is written", file.read() == text and os.listdir(where) == ["policy.conf"], os.listdir(where))
        says("that is meant", f"save --force {path}")
        with open(path, encoding="utf-8") as file:
            tap.check("... and the others stay", "Fabri" not in (left := file.read()) and "the public side" in left, left)


def check_two_comments():
    """Of lines that become one."""
    with tempfile.TemporaryDirectory() as where:
        path = os.path.join(where, "policy.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("rule set xmpp-in peers any  # A\nrule disable xmpp-in  # B\npartner add 192.0.2.1 # C\n"
                       "partner add 192.0.2.1 group pic # D\n")
        says("a file whose lines become one", f"load --open {path}", err=".*")
        for _ in range(2):
            says("into its file", f"save {path}")
            with open(path, encoding="utf-8") as file:
                text = file.read()
            tap.check("every comment is there", re.findall("# [A-D]", text) == ["# A", "# B", "# C", "# D"], text)


# ---- what has moved ----

def check_standing():
    """The time of the last change is one, however often it is asked for."""
    fresh()
    times = set()
    until(lambda: times.add(re.search(r"nf_edge_policy_change_timestamp_seconds (\S+)", edgectl("stats", "--openmetrics")[1])[1]), 2.5)
    tap.check("the time of the last change does not move without one", len(times) == 1, times)


def check_devices():
    fresh(f"interface add access {EDGE} dev ext0\n")
    says("what no row covers is named before a wrong device to leave by", f"explain {EDGE} 192.0.2.66 tcp 4444 iif int0 oif dmz1",
         out="drop unlisted\n.*")
    says("what a row covers is not", f"explain {EDGE} 192.0.2.66 tcp 5061 iif int0 oif dmz1", out="drop wrong-device\n.*")
    says("nor a wrong device to enter by", f"explain 192.0.2.66 {EDGE} tcp 4444 iif int0 oif dmz1", out="drop wrong-device\n.*")


load_module()
check_open()
check_removal()
check_blocks()
check_trials()
check_save()
check_two_comments()
check_standing()
check_devices()
tap.done()
