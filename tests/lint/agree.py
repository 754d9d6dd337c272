#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Texts that say the same thing say the same thing.

The lists of names are the uapi header's, the rows policy.c's, the commands those of
`edgectl --help`; what repeats them is held against them.
"""

import glob
import os
import re
import subprocess
import sys

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TREE, "tests/lib"))
from tap import Tap  # noqa: E402

EDGECTL = "tools/edgectl/edgectl"
POLICY, DESIGN = "Documentation/policy.md", "Documentation/design.md"
ABI = "Documentation/ABI/testing/sysfs-kernel-nf_edge"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def listed(text):
    """The names in "a, b or c", whatever the markup."""
    return re.findall(r"[\w-]+", re.sub(r"\b(or|and)\b|\\f.", " ", text))


def table(text, head):
    """The rows of the Markdown table with this head, as lists of cells without markup."""
    lines = text[text.index(head):].splitlines()
    for line in lines[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]


# ---- the sources ----

def uapi_lists():
    text = read("kmod/uapi/nf_edge.h").replace("\\\n", " ")
    return {found.group(1): re.findall(r'X\(\w+,\s*"([^"]+)"\)', found.group(2))
            for found in re.finditer(r"#define NF_EDGE_(\w+?)S\(X\)(.*)", text)}


def const_rows():
    """policy.c's table as [name, class, protocol, port, from, to, peers, source]."""
    text = read("kmod/policy.c")
    number = dict(re.findall(r"#define (\w+)\s+(\d+)\b", text))
    number["0"] = f"{number['RTP_FIRST']}-{number['RTP_LAST']}"
    pattern = (r"ROW\((\w+)\)\s*= \{ \"(\w+)\",\s*(TCP|UDP)\((\w+)\),\s*(OUT|IN)\((\w+), (\w+)\),"
               r"\s*PEERS\((\w+)\) \},\s*/\* (.+?) \*/")
    for row, kind, protocol, port, _, opener, answers, peers, source in re.findall(pattern, text):
        yield [row.lower().replace("_", "-"), kind, protocol, number[port], opener.lower(),
               answers.lower(), peers.lower(), source]


def sysfs_files():
    """Every file of sysfs.c, as the ABI document calls them."""
    text = read("kmod/sysfs.c")
    for where, name in (("policy", "policy_files"), ("rules/<row>", "rule_files"),
                        ("drops/<reason>", "drop_files")):
        body = re.search(name + r"\[\] = \{(.*?)\};", text, re.S).group(1)
        for file in re.findall(r"FILE\((\w+)\)", body):
            yield f"/sys/kernel/nf_edge/{where}/{file}"


# ---- the man page ----

def man_text():
    """edgectl(8) without fonts and quotes: what a reader sees, word for word."""
    def plain(found):
        words = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', found.group(2))]
        return ("" if len(found.group(1)) == 2 else " ").join(words)

    text = re.sub(r"^\.(B|I|BR|RB|IR|RI) (.*)$", plain, read("tools/edgectl/edgectl.8"), flags=re.M)
    return re.sub(r"\\(f.|&)", "", text).replace("\\-", "-")


def man_names(text, what):
    return listed(re.search(rf"^{what}\nis\n(.*?)\.\n", text, re.M | re.S).group(1))


def man_file_commands(text):
    """The commands that "POLICY FILES" allows."""
    found = re.search(r"holds one command without the word\nedgectl:\n(.*?)\.\n", text, re.S)
    return [name.strip() for name in re.split(r", | or |,?\n", found.group(1))]


def staged_commands():
    """Those of main.c's table that a policy takes up."""
    entries = re.findall(r'^\t\{ "(\w+)", (?:"(\w+)"|NULL), [^{}]*?, policy_\w+ \},$',
                         read("tools/edgectl/main.c"), re.M)
    return [" ".join(filter(None, words)) for words in entries]


# ---- the completion ----

def completes(*words):
    """What the completion offers behind these words."""
    script = '. tools/edgectl/edgectl.bash; _edgectl_next "$@"'
    return run("bash", "-c", script, "bash", *words).split()


def words_and_options(usage):
    """"partner flush [group G]" -> [partner, flush], [[group, G]]."""
    parts = [""]
    for letter in usage:
        inside = parts[-1].count("[") > parts[-1].count("]")
        if letter == " " and not inside:
            parts.append("")
        else:
            parts[-1] += letter
    options = [part[1:-1].split() for part in parts if part[0] == "[" and " " in part]
    return [part.strip("[]") for part in parts if not (part[0] == "[" and " " in part)], options


def offered(word, lists):
    """What belongs in the place of a usage's word: names of a list, or what it spells out."""
    name = re.match("[A-Z]*", word).group()
    return lists.get(name) or [one for one in word.split("|") if re.fullmatch("[a-z]+", one)]


def completion_faults(usages, lists):
    commands = {}
    for usage in usages:
        first, *rest = usage.split()
        commands.setdefault(first, []).extend(
            word for word in rest[:1] if re.fullmatch("[a-z]+", word))
    lists = {**lists, "G": lists["GROUP"], "OBJECT": list(commands)}

    def expect(words, wanted):
        got = completes(*words)
        if got != wanted:
            yield f"after {words} it offers {got}, not {wanted}"

    yield from expect([], list(commands))
    for name, below in commands.items():
        if below:
            yield from expect([name], below + ["help"])
    for usage in usages:
        words, options = words_and_options(usage)
        done = words[:2 if commands[words[0]] else 1]
        for word in words[len(done):]:
            wanted = offered(word, lists)
            yield from expect(done, wanted)
            done = done + (wanted or ["x"])[:1]
        if options:
            yield from expect(done, [keyword for keyword, _ in options])
        for keyword, value in options:
            yield from expect(done + [keyword], offered(value, lists))


# ---- what is held against what ----

os.chdir(TREE)
tap = Tap()
names = uapi_lists()
lists = {name: names[name] for name in ("ROLE", "GROUP", "ROW")}
tap.check("the uapi header has its lists", all(names[name] for name in (
    "MODE", "UNLISTED", "RTP_MATCHE", "ROLE", "GROUP", "ROW", "PEERS", "REASON", "VERDICT")), names)

policy = read(POLICY)
rows = list(const_rows())
head = "| row | class | protocol | port | from | to | peers | source |"
tap.equal("the const table has the uapi header's rows", table=[row[0] for row in rows],
          uapi=names["ROW"])
tap.equal("the rows of policy.md are those of policy.c", document=list(table(policy, head)), code=rows)
tap.equal("policy.md quotes the documents on each of them", code=names["ROW"], document=[
    cells[0] for cells in table(policy, "| row | protocol and port |")])
tap.equal("policy.md's roles", uapi=names["ROLE"], document=[
    cells[0] for cells in table(policy, "| role | in the documents |")])
tap.equal("policy.md's groups", uapi=names["GROUP"], document=listed(
    re.search(r"in one or more \*groups\*: (.*?)\.", policy, re.S).group(1).replace("`", "")))
tap.equal("policy.md's reasons, in the order of the steps", uapi=names["REASON"], document=[
    found.group(1) for cells in table(policy, "| step | what | verdict |")
    if (found := re.match(r"drop (\S+?)(;|$)", cells[2]))])

abi = read(ABI)
files = list(sysfs_files())
tap.equal("the sysfs document describes the files of sysfs.c", code=files, document=[
    what for what in re.findall(r"^What:\s+(\S+)$", abi, re.M) if not what.endswith("/")])
for what, name in (("row", "ROW"), ("reason", "REASON")):
    found = re.search(rf"<{what}> is one of (.*?)\.\n", abi, re.S)
    tap.equal(f"the sysfs document's {what}s", uapi=names[name], document=listed(found.group(1)))
values = {found.group(1): re.findall(r'"([a-z-]+)"', found.group(2)) for found in re.finditer(
    r"^What:\s+\S+/(mode|unlisted|peers|class)$.*?Description:(.*?)Users:", abi, re.M | re.S)}
tap.equal("the values that it lists", document=values, code={
    "mode": names["MODE"], "unlisted": names["UNLISTED"],
    "class": list(dict.fromkeys(row[1] for row in rows)), "peers": names["PEERS"]})

about, man = run(EDGECTL, "--help"), man_text()
usages = re.findall(r"^  edgectl (.*)$", about, re.M)
for name, wanted in lists.items():
    shown = re.search(rf"^{name}: +(.*?)\n(?=\S|\n)", about, re.M | re.S).group(1).split()
    tap.equal(f"--help's {name}", help=shown, uapi=wanted)
    tap.equal(f"edgectl(8)'s {name}", man=man_names(man, name), uapi=wanted)
tap.equal("edgectl(8) has the commands of --help", help=usages,
          man=re.findall(r"^\.TP\nedgectl (.*)$", man, re.M))
options = re.findall(r"^  -(\w), --(\w+)( [A-Z]+)?", about, re.M)
tap.equal("edgectl(8) has the options of --help", help=options,
          man=re.findall(r"^\.TP\n-(\w), --(\w+)( [A-Z]+)?$", man, re.M))
tap.equal("the completion has them too", help=[
    word for short, long, _ in options for word in (f"-{short}", f"--{long}")],
    completion=re.search(r"'(-j --json .*?)'", read("tools/edgectl/edgectl.bash")).group(1).split())
faults = list(completion_faults(usages, lists))
tap.check("the completion offers what --help says", usages and not faults, *faults)
tap.equal("edgectl(8) lists the commands of policy files", code=staged_commands(),
          man=man_file_commands(man))

tap.equal("design.md has every file of the module", code=sorted(
    path for path in glob.glob("kmod/*.c") if not path.endswith("_test.c")),
    document=sorted(re.findall(r"^\| `(kmod/\w+\.c)` \|", read(DESIGN), re.M)))
tap.done()
