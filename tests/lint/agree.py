#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Texts that say the same thing say the same thing.

The lists of names are the uapi header's, the rows policy.c's, the commands those of
`edgectl --help`; what repeats them is held against them.
"""

import glob
import json
import os
import re
import subprocess
import sys
import unicodedata

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TREE, "tests/lib"))
import manual  # noqa: E402
from tap import Tap  # noqa: E402

EDGECTL = "tools/edgectl/edgectl"
POLICY, DESIGN = "Documentation/policy.md", "Documentation/design.md"
SCHEMA = "Documentation/schemas/edgectl.json"
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
    number = dict(re.findall(r"#define (\w+)\s+(\d+)\b", text + read("kmod/policy.h")))
    number["0"] = f"{number['RTP_FIRST']}-{number['RTP_LAST']}"
    pattern = (r"ROW\((\w+)\)\s*= \{ \"(\w+)\",\s*(TCP|UDP)\((\w+)\),\s*(OUT|IN)\((\w+), (\w+)\),"
               r"\s*PEERS\((\w+)\) \},\s*/\* (.+?) \*/")
    for row, kind, protocol, port, _, opener, answers, peers, source in re.findall(pattern, text):
        yield [row.lower().replace("_", "-"), kind, protocol, number[port], opener.lower(),
               answers.lower(), peers.lower(), source]


def tool_rows():
    """edgectl's own table as [name, role, group, peers]."""
    for words in re.findall(r"^\tROW\((\w+), (\w+), (\w+), (\w+)\),", read("tools/edgectl/policy.c"), re.M):
        yield [words[0].lower().replace("_", "-")] + [word.lower() for word in words[1:]]


def role_and_group(row):
    """const_rows()'s as tool_rows() has it."""
    name, _, _, _, opener, answers, peers, _ = row
    out = opener in uapi_lists()["ROLE"]
    return [name, opener if out else answers, answers if out else opener, peers]


def sysfs_files():
    """Every file of sysfs.c, as the ABI document calls them."""
    text = read("kmod/sysfs.c")
    for where, name in (("policy", "policy_files"), ("rules/<row>", "rule_files"),
                        ("drops/<reason>", "drop_files")):
        body = re.search(name + r"\[\] = \{(.*?)\};", text, re.S).group(1)
        for file in re.findall(r"FILE\((\w+)\)", body):
            yield f"/sys/kernel/nf_edge/{where}/{file}"


def const_sources():
    """cmd_explain.c's table: [row, where, what is said there]."""
    text = read("tools/edgectl/cmd_explain.c")
    for row, where, words in re.findall(
            r'\[NF_EDGE_ROW_(\w+)\] = \{\s*"([^"]+)",\s*"([^"]+)",\s*\}', text):
        yield [row.lower().replace("_", "-"), where, words]


def quoted_sources(policy):
    """The same from policy.md: A and B by their numbers, and the first words that it quotes."""
    names = dict(re.findall(r"^- \*\*([AB])\*\*: .*?\((\w+)\)$", policy, re.M))
    where = {cells[0]: re.sub(r"\b[AB]\b", lambda found: names[found.group()], cells[7])
             for cells in table(policy, "| row | class | protocol | port |")}
    words = None
    for row, *_, remark in table(policy, "| row | protocol and port |"):
        words = words if remark.startswith("the same") else remark.split('"')[1]
        yield [row, where[row], words]


def topics(kind):
    """topics.c's, of a kind: name to what it is."""
    return {name: what for found, name, what in re.findall(
        r'\{ "(\w+)", "([\w-]+)",\n\t  "(.*)",$', read("tools/edgectl/topics.c"), re.M) if found == kind}


def row_in_words(row):
    """How help tells of one of const_rows()."""
    name, _, protocol, port, opener, answers, peers, _ = row
    ends = [f"an {end} address" if end in uapi_lists()["ROLE"] else end for end in (opener, answers)]
    ports = ", or the ports of edgectl rtp," if name == "av-rtp-out" else ""
    return f"{protocol} {port}{ports} from {ends[0]} to {ends[1]}, peers {peers} by default: "


# ---- characters ----

def unshown():
    """The ranges of the uapi header."""
    return [(int(first, 16), int(last, 16))
            for first, last in re.findall(r"X\((0x\w+), (0x\w+)\)", read("kmod/uapi/nf_edge.h"))]


def unicode_unshown():
    """What they are to be: by Python's Unicode, which may be older than 15, and by the standard's lists."""
    formats = {each for each in range(0x110000) if unicodedata.category(chr(each)) in ("Cf", "Zl", "Zp")}
    formats |= set(range(0x13430, 0x13440))
    ignorable = [range(0x34f, 0x350), range(0x115f, 0x1161), range(0x17b4, 0x17b6), range(0x180b, 0x1810),
                 range(0x2060, 0x2070), range(0x3164, 0x3165), range(0xfe00, 0xfe10), range(0xffa0, 0xffa1),
                 range(0xfff0, 0xfff9), range(0xe0000, 0xe1000)]
    none = set(range(0xfdd0, 0xfdf0)) | {each for each in range(0x110000) if each & 0xfffe == 0xfffe}
    return sorted(formats.union(none, *ignorable))


# ---- the manual ----

def man_sentences(text):
    """What the entry of each command begins with, up to the first full stop."""
    return {usage: re.match(r".*?\.(?=\s|$)", about, re.S).group().replace("\n", " ")
            for usage, about in re.findall(r"^\.TP\nedgectl (.*)\n((?s:.*?))(?=^\.(?:TP|SS|SH))",
                                           text, re.M)}


def help_sentences(usages):
    """What --help of each command says of it."""
    for usage in usages:
        names = [word for word in usage.split()[:2] if re.fullmatch("(--)?[a-z]+", word)]
        about = run(EDGECTL, *names, "--help")
        found = re.search(r"^(?:Usage:|      ) edgectl " + re.escape(usage) + r"\n((?: {11}.*\n)+)",
                          about, re.M)
        yield usage, " ".join(found.group(1).split()) if found else None


def man_names(text, what):
    return listed(re.search(rf"^{what}\nis\n(.*?)\.\n", text, re.M | re.S).group(1))


def staged_commands():
    """Those of main.c's table that a policy takes up, as they stand in a file: with their values,
    and without what would have to be looked up."""
    for usage in re.findall(r'^\t\{ "\w+", (?:"\w+"|NULL), \d,\s+"([^"]*)",[^{}]*?, policy_\w+, true \},$',
                            read("tools/edgectl/main.c"), re.M):
        usage = re.sub(r"^(\w+) \[(.*)\]$", r"\1 \2", usage).replace("|DOMAIN", "")
        if usage.startswith("block add name"):
            continue
        # what stands for something else tomorrow
        yield usage.replace("[name TEXT] [until", "[until").replace("DURATION|", "")


# ---- JSON ----

def schema_objects(node, path=""):
    """Every object of the schema: (where, its schema)."""
    if isinstance(node, dict):
        if "properties" in node:
            yield path, node
        for key, below in node.items():
            yield from schema_objects(below, f"{path}/{key}")
    elif isinstance(node, list):
        for number, below in enumerate(node):
            yield from schema_objects(below, f"{path}/{number}")


def open_objects(schema):
    """Those that allow a key that they do not list, or do not ask for one that they do."""
    for path, node in schema_objects(schema):
        missing = set(node["properties"]) - set(node.get("required", []))
        if path and (node.get("additionalProperties") is not False
                     or missing - ({"rows"} if path.endswith("/explain") else set())):
            yield f"{path}: {missing}"


def schema_keys(node, schema):
    """All keys of what is inside."""
    if isinstance(node, list):
        return set().union(*[schema_keys(below, schema) for below in node])
    if not isinstance(node, dict):
        return set()
    if "$ref" in node:
        return schema_keys(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    keys = set(node.get("properties", []))
    return keys.union(*[schema_keys(node[key], schema) for key in ("items", "oneOf") if key in node],
                      *[schema_keys(below, schema) for below in node.get("properties", {}).values()])


def man_json(man, schema):
    """The keys of each command, as the manual has them."""
    section = re.search(r"^\.SH JSON$(.*?)^\.SH ", man, re.M | re.S).group(1)
    for command, text in re.findall(r"^\.TP\n([^\n]*)\n(.*?)(?=^\.TP|^\.PP|\Z)", section, re.M | re.S):
        keys = set(re.findall(r'(?<![:|])"(\w+)"', text))
        for other in re.findall("as (rule list|diff)", text):
            keys |= schema_keys(schema["properties"][other], schema)
        yield command, sorted(keys)


# ---- what is held against what ----

os.chdir(TREE)
tap = Tap()
names = uapi_lists()
lists = {name: names[name] for name in ("ROLE", "GROUP", "ROW", "REASON")}
tap.check("the uapi header has its lists", all(names[name] for name in (
    "MODE", "UNLISTED", "RTP_MATCHE", "ROLE", "GROUP", "ROW", "PEERS", "REASON", "VERDICT")), names)

tap.check("the characters that no name may have are in order", unshown() == sorted(unshown())
          and all(first <= last for first, last in unshown()), unshown())
tap.equal("they are those that Unicode does not show", uapi=[
    f"U+{each:04X}" for first, last in unshown() for each in range(first, last + 1)],
          unicode=[f"U+{each:04X}" for each in unicode_unshown()])

policy = read(POLICY)
rows = list(const_rows())
head = "| row | class | protocol | port | from | to | peers | source |"
for kind in lists:
    tap.equal(f"help knows every {kind.lower()}", uapi=names[kind], topics=list(topics(kind.lower())))
tap.equal("help tells of a row what the const table has", table=[row_in_words(row) for row in rows],
          topics=[what[:len(row_in_words(row))] for row, what in zip(rows, topics("row").values())])
for reason, what in topics("reason").items():
    entry = re.search(rf"^\.TP\n{reason}\n(.*?)^\.(?:TP|SH)", manual.text("edgectl.8"), re.M | re.S)
    tap.check(f"edgectl(8) defines {reason} as help does", entry and " ".join(entry.group(1).split()).startswith(what),
              entry and entry.group(1), what)
tap.equal("the const table has the uapi header's rows", table=[row[0] for row in rows],
          uapi=names["ROW"])
tap.equal("edgectl knows what each row is about", tool=list(tool_rows()),
          module=[role_and_group(row) for row in rows])
ports = [re.findall(r"#define RTP_(?:FIRST|LAST)\s+(\d+)", read(path))
         for path in ("kmod/policy.c", "tools/edgectl/policy.c")]
tap.equal("edgectl knows the default RTP ports", tool=ports[1], module=ports[0])
tap.equal("the rows of policy.md are those of policy.c", document=list(table(policy, head)), code=rows)
tap.equal("policy.md quotes the documents on each of them", code=names["ROW"], document=[
    cells[0] for cells in table(policy, "| row | protocol and port |")])
tap.equal("explain quotes them as policy.md does", document=list(quoted_sources(policy)),
          code=list(const_sources()))
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

about, man, policy_man = (
    run(EDGECTL, "--help"), manual.text("edgectl.8"), manual.text("nf_edge-policy.5"))
usages = re.findall(r"^  edgectl (.*)$", about, re.M)
for name, wanted in lists.items():
    shown = re.search(rf"^{name}: +(.*?)\n(?=\S|\n)", about, re.M | re.S).group(1).split()
    tap.equal(f"--help's {name}", help=shown, uapi=wanted)
    tap.equal(f"edgectl(8)'s {name}", man=man_names(man, name), uapi=wanted)
tap.equal("edgectl(8) has the commands of --help", help=usages,
          man=re.findall(r"^\.TP\nedgectl (.*)$", man, re.M))
options = re.findall(r"^  -(\w), --(\w+)( [A-Z]+)?", about, re.M)
tap.equal("each entry begins with what --help of the command says",
          help=list(help_sentences(usages)), man=list(man_sentences(man).items()))
of_changes = re.findall(r"^      --([\w-]+)( [A-Z]+)?", about, re.M)
tap.equal("... and those of a change", help=of_changes, man=[
    found for found in re.findall(r"^\.TP\n--([\w-]+)( [A-Z]+)?$", man, re.M) if found[0].endswith(("run", "confirm"))])
tap.equal("edgectl(8) has the options of --help", help=options,
          man=re.findall(r"^\.TP\n-(\w), --(\w+)( [A-Z]+)?$", man, re.M))
tap.equal("the completion has them too", help=[
    word for short, long, _ in options for word in (f"-{short}", f"--{long}")] + [f"--{long}" for long, _ in of_changes],
    completion=run(EDGECTL, "--complete", "-").split())
tap.equal("nf_edge-policy(5) has the commands of policy files", code=list(staged_commands()),
          man=re.findall(r"^\.TP\n([a-z].*)$", policy_man, re.M))
for name in ("ROLE", "GROUP", "ROW"):
    tap.equal(f"nf_edge-policy(5)'s {name}", man=man_names(policy_man, name), uapi=names[name])

schema = json.loads(read(SCHEMA))
tap.check("the schema's objects are closed, and ask for every key", not list(open_objects(schema)),
          *open_objects(schema))
tap.equal("edgectl(8) has the keys of the schema", man=sorted(man_json(man, schema)), schema=sorted(
    (command, sorted(schema_keys(node, schema))) for command, node in schema["properties"].items()))
for where, name in (("mode", "MODE"), ("unlisted", "UNLISTED"), ("role", "ROLE"), ("group", "GROUP"),
                    ("row", "ROW"), ("peers", "PEERS"), ("reason", "REASON")):
    tap.equal(f"the schema's {where}", schema=schema["$defs"][where]["enum"], uapi=names[name])
explain = schema["properties"]["explain"]["properties"]
for what, name, listed_there in (
        ("RTP matches", "RTP_MATCHE", schema["$defs"]["rtp"]["properties"]["match"]),
        ("verdicts", "VERDICT", explain["verdict"]),
        ("findings", "FINDING", explain["rows"]["items"]["properties"]["finding"])):
    tap.equal(f"the schema's {what}", schema=listed_there["enum"], uapi=names[name])
tap.equal("edgectl(8) has the findings", uapi=sorted(names["FINDING"]), man=sorted(re.findall(
    r"[a-z-]+", re.sub(r"\b(and|admit|would, but.*?address|do not)\b", "", re.search(
        r"^finding:\n(.*?)do not\.$", man, re.M | re.S).group(1), flags=re.S))))

tap.equal("design.md has every file of the module", code=sorted(
    path for path in glob.glob("kmod/*.c") if not path.endswith("_test.c")),
    document=sorted(re.findall(r"^\| `(kmod/\w+\.c)` \|", read(DESIGN), re.M)))
tap.done()
