#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every wrong word meets a right one: what is typed as people, or other tools, have it.

Without a module: words are understood or not before a network namespace that is not there fails.
"""

import os
import re
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from lab import EDGECTL  # noqa: E402
from tap import Tap  # noqa: E402

A, B = "198.51.100.10", "203.0.113.10"
FLOW = f"192.0.2.66:43960 -> {B}:5061"
FLOW6 = "[2001:db8::66]:43960 -> [2001:db8::10]:5061"

# What is typed, and all that the one line of the refusal has to say.
REFUSED = {
    # of a list: the right ones, and the nearest
    f"partner delete {A}": ["did you mean del?", "flush", "import"],
    f"partner remove {A}": ["did you mean del?"],
    f"partner rm {A}": ["did you mean del?"],
    f"partner create {A}": ["did you mean add?"],
    f"partner dle {A}": ["did you mean del?"],
    "partner impotr list": ["did you mean import?"],
    "partner xyzzy": ["list, add, del, flush, refresh, import"],
    f"partner {A}": [f'did you mean "partner add {A}"?'],
    f"block {A}": [f'did you mean "block add {A}"?'],
    f"interface {A}": ['"interface add ROLE'],
    f"block remove {A}": ["did you mean del?"],
    "rule disable xmpp": ["did you mean xmpp-in, xmpp-out or xmpp-gateway-in?"],
    "rule disable gateway": ["did you mean xmpp-gateway-in?"],
    "rule enable sip-pci-in": ["did you mean sip-pic-in?"],
    "rule enable xyzzy": ["edgectl help rule"],
    "rule list SIP-PIC-IN": ["did you mean sip-pic-in?"],
    "rule off xmpp-in": ["did you mean disable?"],
    "rule set xmpp-in peers all": ["did you mean any?", "listed"],
    "rule set xmpp-in peer any": ["did you mean peers?"],
    "mode on": ["enforce, audit, off"],
    "mode audti": ["did you mean audit?"],
    "mode xyzzy": ["(enforce, audit, off)"],
    "unlisted accept": ["did you mean pass?"],
    "unlisted deny": ["did you mean drop?"],
    "rtp match destination": ["did you mean dst?", "either"],
    "monitor drop": ["did you mean drops?", "config"],
    "monitor reason listed": ["not-listed or unlisted"],
    "monitor src 192.0.2.1": ["did you mean from?"],
    f"partner add {A} group fed": ["did you mean federation?", "gateway"],
    f"partner add {A} group pics": ["did you mean pic?"],
    f"partner add {A} group xyzzy": ["federation, pic, client, messenger, xmpp, gateway"],
    f"partner list grop pic": ["did you mean group?"],
    f"interface add external {A}": ["did you mean access?", "internal"],
    f"interface add xyzzy {A}": ["(access, av, internal)"],
    f"interface add {A}": [f'did you mean "access {A}"?', "(access, av, internal)"],
    f"interface del {A}": [f'did you mean "access {A}"?', "(access, av, internal)"],
    "interface add av": ['the address behind "av"'],
    "interface add": ["(access, av, internal)"],
    f"interface add access {A}/24": [f"did you mean {A}?"],
    "block add any": ["0.0.0.0/0 and ::/0"],
    f"explain {A} {B} sctp 5061": ["tcp, udp"],
    f"explain {A} {B} tls 5061": ["did you mean tcp?"],
    "intreface list": ["did you mean interface?"],
    "stauts": ["status"],
    "partners list": ["did you mean partner?"],
    "Partner list": ["did you mean partner?"],
    f"ban {A}": ['did you mean "block add ADDRESS"?'],
    f"unblock {A}": ['did you mean "block del ADDRESS"?'],
    f"allow {A}": ['did you mean "partner add ADDRESS"?'],
    f"blacklist {A}": ["did you mean block?"],
    "metrics": ['"stats --openmetrics"'],
    "rule list sip": ["did you mean sip-federation-out,"],
    "partner add example": ["neither an address nor a domain", "host:NAME"],
    "partner add host example": ["host:NAME"],
    "interface add access eth0": ["as 203.0.113.10 or 2001:db8::10"],
    "interface add access edge.example": ["as 203.0.113.10 or 2001:db8::10"],
    "undo --force": ["(--open, --dry-run, --confirm)"],
    "load --replace file": ["(--open, --merge, --dry-run, --confirm)"],
    "status -j": ["general options stand before the object"],
    "--dry-run status": ['"status" does not'],
    "stats watch 2d": ["1 to 86400, or as in 5m"],
    "rtp set 60000-50000": ["did you mean 50000-60000?"],
    "rollback": ["did you mean undo?"],
    "restore file": ["did you mean load?"],
    "xyzzy": ["edgectl help"],
    # as other tools have it
    "-f file": ["load FILE", "load --merge FILE"],
    "add -f file": ["load FILE", "load --merge FILE"],
    "load -f file": ['"load FILE"'],
    "load --mrege file": ["did you mean --merge?", "--open"],
    "check --enforce file": ["did you mean --enforced?"],
    "--jsno status": ["did you mean --json?"],
    "show": ["edgectl status", "edgectl save"],
    "list": ["edgectl status", "edgectl save"],
    "list ruleset": ["edgectl save"],
    "flush ruleset": ["partner flush all"],
    "flush": ["partner flush all"],
    "flush partners": ['"partner flush all"'],
    f"add partner {A} group pic": [f'"partner add {A} group pic"'],
    f"delete partner {A}": [f'"partner del {A}"'],
    "list partners": ['"partner list"'],
    "enable sip-pic-in": ["rule enable"],
    "audit": ['"mode audit"'],
    "stop": ['"mode off"'],
    "reset": ['"stats reset"'],
    f"partner add {A} comment text": ["did you mean name?"],
    f"block add {A} comment text": ["did you mean reason?"],
    f"block add {A} timeout 300": ["did you mean until?"],
    f"block add {A} until 300": ["12h"],
    f"partner add {A} federation pic": ['"group federation,pic"'],
    f"partner add {A} pic": ['"group pic"'],
    f"partner add {A} group=pic": ['"group pic"'],
    f"partner add group pic {A}": ["addresses stand in front"],
    f"partner add {A},{B}": ["without commas"],
    f"partner add {A}-198.51.100.20": ["prefixes"],
    f"partner add {A}:5061": ["port"],
    f"partner add 198.51.100.0/255.255.255.0": ["did you mean 198.51.100.0/24?"],
    f"interface add {A} access": [f'"access {A}"'],
    f"interface add access {A} ext0": ['"dev ext0"'],
    f"interface add access {A} interface ext0": ["did you mean dev?"],
    "interface add access 198.51.100.0/24": ["no length"],
    "rtp set 50000:50019": ["did you mean 50000-50019?"],
    "rtp set 443,50000:50019": ["did you mean 50000-50019?"],
    "rtp set 50000 - 50019": ["one word"],
    f"explain {A} {B} tcp xyzzy": ["service"],
    f"explain {A} {B} tcp/5061": ['"tcp 5061"'],
    f"explain {A} {B} 5061/tcp": ['"tcp 5061"'],
    f"explain {A} {B} 5061 tcp": ['"tcp 5061"'],
    f"explain {A} {B} tcp 5061 dev ext0": ["iif, oif"],
    "explain 192.0.2.66:43960 -": ["quotes"],
    f"explain {FLOW}": ["missing protocol"],
    f"explain icmp {FLOW}": ["tcp, udp"],
    # what empties a list is asked for in full
    "p f": ["edgectl partner flush all"],
    "i f": ["edgectl interface flush all"],
    "b f": ["edgectl block flush all"],
    "p f group pic": ["edgectl partner flush group pic"],
    "partner fl all": ["edgectl partner flush all"],
    "part flush all": ["edgectl partner flush all"],
    "partner flush": ["partner flush all", "partner flush group"],
    "interface flush": ["interface flush all", "interface flush ROLE"],
    "block flush": ["block flush all"],
    "interface flush all access": ["access"],
    # what is chosen lacks its key, or "all" its command
    "interface del all": ['"interface flush all"'],
    "partner del all": ['"partner flush all"'],
    "block del all": ['"block flush all"'],
    "block add all": ["0.0.0.0/0 and ::/0"],
    "partner del federation": ['"group federation"'],
    "partner flush federation pic": ['"group federation,pic"'],
    "partner del Fabrikam": ['"name Fabrikam"'],
    "partner flush Fabrikam": ['"name Fabrikam"'],
    "partner list Fabrikam": ['"name Fabrikam"'],
    f"partner list {A}": [f'"covers {A}"'],
    f"partner flush {A}": [f'"covers {A}"'],
    "partner list contoso.com": ['"domain contoso.com"'],
    "block add Fabrikam": ['"name Fabrikam"'],
    "block del Fabrikam": ['"name Fabrikam"'],
    f"block add {A} 1h": ['"until 1h"'],
    f"block add {A} naem Fabrikam": ["did you mean name?"],
    f"block list {A}": [f'"covers {A}"'],
    "report 1h": ['"since 1h"'],
    f"interface add all {A}": ["(access, av, internal)"],
    "partner list group=pic": ['"group pic"'],
    "partner list domain=contoso.com": ['"domain contoso.com"'],
    "partner list host:sip.contoso.com": ['"domain host:sip.contoso.com"'],
    "partner list 2w": ['"idle 2w"'],
    "partner list 198.51.100.0/24": ['"covers 198.51.100.0"'],
    "partner flush all federation": ['"federation"'],
    "partner del all group pic": ['"partner flush all"'],
    "block del all 192.0.2.1": ['"block flush all"'],
    "block add name=Fabrikam": ['"name Fabrikam"'],
    "block add naem Fabrikam": ["did you mean name?"],
    "block a": ["block add ADDRESS"],
    "partner del idle 0d": ["everybody"],
    "partner flush idle 0s": ["everybody"],
    f"block add {A} reason {'x' * 64}": ["the reason", "63 bytes"],
    "load --merge --merge file": ["repeated"],
    "load file other": ['"other"'],
    "check": ["missing words"],
    "undo --oepn": ["did you mean --open?"],
    "mode --confirm 60": ["--confirm is for what changes the policy"],
    "unlisted --dry-run": ["--dry-run is for what changes the policy"],
    "revert --confirm 60": ["needs none"],
    "confirm --dry-run": ["--dry-run is for what changes the policy"],
}

UNDERSTOOD = [
    f"interface add access {A}/32", "interface add av 2001:db8::1/128 dev ext0", f"interface del access {A}/32",
    f"explain {A} {B} tcp https", f"explain {A} {B} tcp 5061 sport https",
    f"explain {FLOW} tcp", f"explain tcp {FLOW}", f"explain udp {FLOW6}", f"explain {FLOW6} udp --all",
    f"explain tcp {A} {B} 5061", f"explain 192.0.2.66:43960 {B}:5061 tcp iif ext0",
    f"explain 10:00:00.123 would drop not-listed tcp {FLOW} iif ext0 row sip-pic-in",
    f"explain drop unlisted udp {FLOW6} reply iif ext0 oif ext1",
    "partner flush all", "partner flush group pic", "interface flush all", "interface flush av", "block flush all",
    f"block add {A} until 1h name Fabrikam reason moved", "block del name =Fabrikam", "undo --open", "revert --dry-run",
    # what does not flush is still abbreviated
    f"p a {A}", f"i d av {A}", f"partner ad {A}", "rul list",
]


TOPICS = {
    "not-listed": ["edgectl partner add ADDRESS group GROUP"],
    "blocked": ["edgectl block del"],
    "wrong-device": ["edgectl interface add ROLE ADDRESS dev NAME"],
    "sip-pic-in": ["TCP 5061", "peers listed", "edgectl partner add ADDRESS/LEN group pic"],
    "federation": ["TCP 5061", "edgectl partner add"],
    "access": ["SIP and XMPP"],
    "unlisted": ["Usage: edgectl unlisted", "unlisted (reason)", "edgectl unlisted pass"],
}


def run_bare(*words):
    return subprocess.run([EDGECTL, *words], capture_output=True, text=True, check=False)


def run(words):
    return subprocess.run([EDGECTL, "-n", "nowhere", *words], capture_output=True, text=True, check=False)


def check_refused():
    for line, wanted in REFUSED.items():
        got = run(line.split())
        tap.check(f"edgectl {line}", got.returncode == 2 and not got.stdout and got.stderr.count("\n") == 1
                  and all(text in got.stderr for text in wanted), got.returncode, got.stdout, got.stderr, *wanted)


def check_understood():
    for line in UNDERSTOOD:
        command, *rest = line.split()
        for words in [command, *rest], [command, " ".join(rest)]:
            if words[1:] == rest or "->" in rest:    # which is pasted in quotes
                got = run(words)
                tap.check(f"edgectl {line} is understood", got.returncode == 1 and "nowhere" in got.stderr,
                          words, got.returncode, got.stderr)


def check_help():
    usages = re.findall(r"^  edgectl (.*)$", run_bare("--help").stdout, re.M)
    names = {" ".join(word for word in usage.split()[:2] if re.fullmatch("(--)?[a-z]+", word)) for usage in usages}
    tap.check("--help has its commands", len(names) > 30, names)
    for name in sorted(names):
        told = run_bare("help", *name.split()).stdout
        lines = re.findall(r"^  edgectl (.*)$", told.partition("\nExamples:\n")[2], re.M)
        got = [run(shlex.split(line)) for line in lines]
        tap.check(f"help {name} has examples, which are understood",
                  lines and all(one.returncode == 1 and "nowhere" in one.stderr for one in got), told, *got)
    for word, texts in TOPICS.items():
        got = run_bare("help", word)
        tap.check(f"help {word} tells what it is, when it is met, and what to do", got.returncode == 0
                  and all(text in " ".join(got.stdout.split()) for text in [f"{word} (", "what", "when", "to do", *texts]),
                  got.stdout, got.stderr)
    got = run_bare("help", "sip")
    tap.check("help sip names the rows", got.returncode == 2 and "sip-pic-in, sip-pic-out or sip-client-in?" in got.stderr, got.stderr)
    for word, usage in ("partner de", "partner del ADDRESS"), ("partner del", "partner del [group"), ("stats show", "stats [--csv]"):
        got = run_bare("help", *word.split())
        tap.check(f"help {word} has {usage}...", f"edgectl {usage}" in got.stdout and "stats reset" not in got.stdout, got.stdout)
    got = run_bare("help", "xmpp-gateway")
    tap.check("help of what is not there says what is", got.returncode == 2 and "xmpp-gateway-in" in got.stderr, got)


def check_answered():
    """What a file says itself, it is not warned of."""
    policy = f"interface add access {B}\npartner add {A} group federation,pic\n"
    for line, warned in ("", True), ("unlisted drop\n", False), ("unlisted pass\n", False):
        got = subprocess.run([EDGECTL, "check", "-"], input=line + policy, capture_output=True, text=True, check=False)
        tap.check(f"a file that says {line.strip() or 'nothing of unlisted'!r} is "
                  f"{'warned' if warned else 'not warned'} of DNS",
                  got.returncode == 0 and ("off from DNS" in got.stderr) == warned, got)


def check_json():
    """What prints no JSON refuses to be asked for it, in one sentence."""
    for line in "save", "help", "check file", "confirm", "revert", "stats reset":
        got = run_bare("-j", *line.split())
        tap.check(f"-j {line}", got.returncode == 2 and not got.stdout and got.stderr.count("\n") == 1
                  and "--json means nothing" in got.stderr, got)


def check_no_words():
    got = run_bare()
    tap.check("edgectl alone shows the state, or says what is missing for it",
              got.returncode == 0 and got.stdout.startswith("version") if os.path.exists("/sys/kernel/nf_edge")
              else got.returncode == 1 and "modprobe nf_edge" in got.stderr, got)
    for word in "help", "--help":
        got = run_bare(word)
        tap.check(f"edgectl {word} is the usage", got.returncode == 0 and got.stdout.startswith("Usage: "), got)


tap = Tap()
check_refused()
check_understood()
check_help()
check_answered()
check_json()
check_no_words()
tap.done()
