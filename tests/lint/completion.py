#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What may stand in a command line is what `edgectl --help` says; bash, zsh and fish offer it.

The synopses are read here by other hands than in tools/edgectl/complete.c.
"""

import os
import re
import subprocess
import sys

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TREE, "tests/lib"))
from shells import SHELLS, Inside  # noqa: E402
from tap import Tap  # noqa: E402

EDGECTL = os.path.join(TREE, "tools/edgectl/edgectl")
FILE = "/"


def run(*words):
    return subprocess.run([EDGECTL, *words], capture_output=True, text=True, check=True).stdout


def completes(*words):
    """What edgectl offers behind these words."""
    return run("--complete", *words, "").splitlines()


def without_devices(words):
    return [word for word in words if word not in os.listdir("/sys/class/net")]


def split(usage):
    """"explain FROM [iif DEV] [--all]" -> [explain, FROM, [iif DEV], [--all]]."""
    parts = [""]
    for letter in usage:
        inside = parts[-1].count("[") > parts[-1].count("]")
        if letter == " " and not inside:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def is_option(part):
    return part[0] == "[" and (" " in part or part[1] == "-")


def offered(part, lists):
    """What belongs in the place of a usage's word: names of a list, or what it spells out."""
    words = []
    for word in part.strip("[]").split("|"):
        name = re.match("[A-Z]*", word).group()
        words += lists.get(name, []) or [FILE] * (name == "FILE") or re.findall("^[a-z]+$", word)
    return words


def expectations(usage, name, lists):
    """(words, what may follow them), along a usage whose command has so many words."""
    parts = split(usage)
    done, rest = parts[:name], parts[name:]
    while rest:
        options = [part[1:-1].split() for part in rest if is_option(part)]
        first = next((part for part in rest if not is_option(part)), "")
        reached = all(part[0] == "[" for part in rest[:rest.index(first)] if first) if first else True
        free = options if not first or first[0] == "[" else [
            part[1:-1].split() for part in rest[:rest.index(first)] if is_option(part)]
        yield done, [keyword for keyword, *_ in free] + offered(first, lists) if reached else []
        for keyword, *value in free:
            if value:
                yield done + [keyword], offered(value[0], lists)
        if not first:
            return
        done = done + (offered(first, lists) or ["x"])[:1]
        rest = rest[rest.index(first) + 1:]
        if first.endswith("...") and "[," not in first:     # once more, or the options
            yield done, offered(first, lists) + [part[1:-1].split()[0] for part in rest]
            return


def table():
    """The commands of --help: object -> its commands, by main.c's table."""
    with open(os.path.join(TREE, "tools/edgectl/main.c"), encoding="utf-8") as file:
        entries = re.findall(r'^\t\{ "(\w+)", (?:"([\w-]+)"|NULL), \d,\s+"([^"]+)"', file.read(), re.M)
    commands = {}
    for thing, name, usage in entries:
        commands.setdefault(thing, []).extend([name] if name in usage.split()[1:2] else [])
    return commands


def lists_of(about, commands):
    lists = {}
    for name in ("ROLE", "GROUP", "ROW", "REASON"):
        lists[name] = re.search(rf"^{name}: +(.*?)\n(?=\S|\n)", about, re.M | re.S).group(1).split()
    return {**lists, "OBJECT": list(commands)}


tap = Tap()
about = run("--help")
usages = re.findall(r"^  edgectl (.*)$", about, re.M)
commands = table()
lists = lists_of(about, commands)
tap.equal("the table's commands are those of --help", table=list(commands),
          help=list(dict.fromkeys(usage.split()[0] for usage in usages)))

wanted = {(): list(commands), ("help", "partner"): commands["partner"]}
wanted.update({(name,): below + ["help"] for name, below in commands.items() if below})
for usage in usages:
    thing = usage.split()[0]
    usage = usage.removesuffix(" [COMMAND]")    # of help, where it is the OBJECT's
    for words, what in expectations(usage, 2 if commands[thing] else 1, lists):
        if words != [thing] or not commands[thing]:
            wanted.setdefault(tuple(words), []).extend(what)
faults = []
for words, what in wanted.items():
    got = without_devices(completes(*words))
    if sorted(set(got)) != sorted(set(what)):
        faults.append(f"after {' '.join(words)!r} it offers {got}, not {what}")
tap.check("what may follow is what --help says", len(wanted) > len(usages) and not faults, *faults)

for name, words, what in (
        ("of an unknown object there is nothing to say", ["frob", ""], []),
        ("nor of an unknown command", ["rule", "frob", ""], []),
        ("nor where nothing may follow", ["mode", "off", ""], []),
        ("an option stands there once", "explain x x tcp 1 sport 1 --all ".split(" "), ["iif", "oif"]),
        ("of a list, what is not in it yet", ["interface", "list", "a"], ["access", "av"]),
        ("the last of a list", ["monitor", "row", "xmpp-in,xmpp-"],
         ["xmpp-in,xmpp-out", "xmpp-in,xmpp-gateway-in"]),
        ("objects and commands may be shortened", ["int", "a", "i"], ["internal"]),
        ("options before are passed over", ["-jq", "--pretty", "rtp", "m"], ["match"]),
        ("options", ["--ne"], ["--netns"]),
        ("those of a change", ["--dr"], ["--dry-run"]),
        ("behind a change, too", ["partner", "del", "x", "-"], ["--dry-run", "--confirm"]),
        ("... once", ["mode", "--dry-run", "off", "--confirm", "60", "-"], []),
        ("... where they are passed over", ["mode", "--confirm", "60", "o"], ["off"]),
        ("... and not behind what changes nothing", ["partner", "list", "-"], ["--csv"]),
        ("options of load", ["load", "--"], ["--dry-run", "--confirm", "--merge", "--open"]),
        ("... the other one", ["load", "--merge", "--o"], ["--open"]),
        ("that of check", ["check", "--"], ["--enforced"]),
        ("commands of the block list", ["block", ""], ["list", "add", "del", "flush", "help"]),
        ("what a block may have", ["block", "add", "192.0.2.1", "u"], ["until"]),
        ("... and all of them go by a word", ["block", "flush", ""], ["all"]),
        ("no name space, no answer", ["-n", "no such name", "rtp", "m"], [])):
    answer = subprocess.run([EDGECTL, "--complete", *words], capture_output=True, text=True, check=False)
    tap.check(name, answer.stdout.splitlines() == what, words, answer)

lines = [["edgectl", ""]] + [["edgectl", name, ""] for name, below in commands.items() if below]
lines += [line.split(" ") for line in (
    "edgectl partner a", "edgectl rule set xmpp-in peers ", "edgectl stats --o", "edgectl --v",
    "edgectl -q monitor reason malformed,disabled,un", "edgectl load --confirm 60 f",
    "edgectl load --merge f", "edgectl partner add 192.0.2.1 --")]
for name, shell in SHELLS.items():
    with shell() as asked:
        with open(os.path.join(asked.home, "file.conf"), "w", encoding="ascii"):
            pass
        answers = asked.all_offers([" ".join(words) for words in lines])
    faults = []
    for words, got in zip(lines, answers):
        want = [word if word != FILE else "file.conf"
                for word in run("--complete", *words[1:]).splitlines()]
        if sorted(got) != sorted(want) or not want:
            faults.append(f"after {' '.join(words)!r} it offers {got}, not {want}")
    tap.check(f"{name} offers that, and files", not faults, *faults)
with Inside() as bash:
    for line, last in (("group federation,", "federation,"), ("group federation,p", "federation,pic"),
                       (r"group federation\,p", "federation,pic"), ("--dr", "--dry-run")):
        got = bash.tabs(f"edgectl partner add 192.0.2.1 {line}")
        tap.check(f"bash adds nothing but the word: {line} and Tab three times", got[-1] == last, got)
tap.done()
