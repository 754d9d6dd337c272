#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The netlink specification is one that the kernel's tools take, and says what the header says."""

import os
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TREE, "tests/lib"))
from genl import PATH, Spec  # noqa: E402
from tap import Tap  # noqa: E402

HEADER = os.path.join(TREE, "kmod/uapi/nf_edge.h")
LICENCE = "# SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)"


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def generate(linux, scratch):
    """What YNL's generator makes of the specification, by mode; or its complaint."""
    specs = os.path.join(scratch, "Documentation/netlink/specs")
    os.makedirs(specs)
    # It wants to be in a kernel tree, and to be licensed like one.
    open(os.path.join(scratch, "MAINTAINERS"), "w", encoding="ascii").close()
    for schema in os.listdir(f"{linux}/Documentation/netlink"):
        if schema.endswith(".yaml"):
            os.symlink(f"{linux}/Documentation/netlink/{schema}", f"{specs}/../{schema}")
    copy = os.path.join(specs, "nf_edge.yaml")
    with open(PATH, encoding="utf-8") as file, open(copy, "w", encoding="utf-8") as to:
        to.write(LICENCE + "\n" + file.read().partition("\n")[2])
    for mode, half in (("uapi", "header"), ("kernel", "header"), ("kernel", "source"),
                       ("user", "header"), ("user", "source")):
        out = os.path.join(scratch, f"{mode}-{half}.h")
        tool = run("/usr/bin/python3", "-B", f"{linux}/tools/net/ynl/pyynl/ynl_gen_c.py", "--mode", mode,
                   f"--{half}", "--spec", copy, "-o", out, timeout=60)
        tap.check(f"YNL makes a {mode} {half} of it", tool.returncode == 0 and os.path.exists(out),
                  tool.stdout, tool.stderr)
    return os.path.join(scratch, "uapi-header.h")


def enums(path):
    """{enum: [(enumerator, value)]}, without what only bounds it."""
    text = run("cpp", "-P", path).stdout
    found = {}
    for name, body in re.findall(r"enum (\w+) \{(.*?)\}", text, re.S):
        value, listed = 0, []
        for word, given in re.findall(r"(\w+)(?: = (\d+))?", body):
            value = int(given) if given else value
            if not re.search(r"_COUNT$|_UNSPEC$|^__", word):
                listed.append((word, value))
            value += 1
        found[name] = listed
    return found


def defines(path):
    return dict(re.findall(r"^#define (NF_EDGE_(?:GENL|NAME|PORT|MCGRP|CONFIRM|INTERFACES|PARTNERS)_\w+|NF_EDGE_DOMAINS?_MAX)\s+(\S+)",
                           run("cpp", "-P", "-dM", path).stdout, re.M))


def words(enum):
    """The names of an X list of the header, in its order."""
    list_ = f"NF_EDGE_{enum.upper().replace('-', '_')}S"
    list_ = list_ if list_ != "NF_EDGE_RTP_MATCHS" else "NF_EDGE_RTP_MATCHES"
    text = f'#include "{HEADER}"\n#define WORD(id, name) name\nwords: {list_}(WORD)\n'
    out = run("cpp", "-P", "-", input=text).stdout
    return re.findall(r'"([^"]+)"', out[out.index("words:"):])


def manual(noun):
    """{NAME: what the header's kernel-doc says of it}."""
    with open(HEADER, encoding="utf-8") as file:
        text = file.read()
    text = re.search(rf"/\*\*\n \* enum nf_edge_{noun} .*?\*/", text, re.S).group()
    prefix = {"cmd": "CMD", "attr": "A"}[noun]
    entries = re.findall(rf"@NF_EDGE_{prefix}_(\w+): (.*?)(?=\n \* @|\n \*/)", text, re.S)
    return {name: re.sub(r"\n \*\s*", " ", body) for name, body in entries}


def upper(name):
    return name.upper().replace("-", "_")


def check_commands():
    documented = manual("cmd")
    attributes = {upper(name) for name in spec.sets["edge"]}
    tap.equal("the header documents the commands, in order", header=list(documented),
              spec=[upper(op.name) for op in spec.ops.values()])
    for op in spec.ops.values():
        text = documented.get(upper(op.name), "")
        kind = op.kind + (", admin" if op.admin else ", group" if op.kind == "event" else "")
        tap.check(f"{op.name}: {kind}", re.match(rf"{op.kind}(, admin)?", text)
                  and (", admin" in text) == op.admin, text)
        if op.kind == "event":
            continue
        named = set(op.request) | set(op.reply)
        for name in op.request + op.reply:
            named |= set(spec.sets.get(spec.sets[op.set][name].nest, {}))
        named = sorted(upper(name) for name in named)
        said = sorted(set(re.findall(r"\b[A-Z_]+\b", text)) & attributes)
        tap.check(f"{op.name}: its attributes", named == said, f"spec: {named}", f"header: {said}")


def check_attributes():
    documented = manual("attr")
    known = {upper(name): attribute for name, attribute in spec.sets["edge"].items()
             if name not in ("unspec", "pad")}
    documented.pop("PAD", None)
    tap.equal("the header documents the attributes, in order", header=list(documented),
              spec=list(known))
    kinds = {"string": "NUL string", "binary": r"\S+( or 16)? bytes|an address"}
    for name, attribute in known.items():
        text = documented.get(name, "")
        enum = {"change": "cmd"}.get(attribute.enum, attribute.enum)
        said = re.search(r"enum nf_edge_(\w+)", text)
        tap.check(f"{attribute.name}: {attribute.type}",
                  re.match(kinds.get(attribute.type, attribute.type), text)
                  and (said.group(1) if said else None) == (enum and enum.replace("-", "_"))
                  and ("mask of" in text) == attribute.mask, text)


def check_change():
    """The enum of a notification's command is a part of the commands."""
    changes = [name for name, op in spec.ops.items()
               if op.admin and name not in ("begin", "abort")]
    tap.equal("enum change", spec=list(spec.enums["change"].items()),
              commands=[(name, spec.ops[name].value) for name in changes])


tap = Tap()
source = run(os.path.join(TREE, "tests/vm/linux-source"))
tap.check("there is a kernel source", source.returncode == 0, source.stderr)
linux_ = source.stdout.strip() + "/linux"
spec = Spec()

with open(f"{linux_}/Documentation/netlink/{spec.yaml['protocol']}.yaml", encoding="utf-8") as f:
    complaints = list(jsonschema.Draft7Validator(yaml.safe_load(f)).iter_errors(spec.yaml))
tap.check("the kernel's schema has nothing against it", not complaints, *complaints)

with tempfile.TemporaryDirectory() as scratch_:
    made = generate(linux_, scratch_)
    ours, theirs = enums(HEADER), enums(made)
    tap.equal("the same enums", header=sorted(ours), spec=sorted(theirs))
    for enum_ in sorted(ours):
        tap.equal(f"{enum_}: the same enumerators and values", header=ours[enum_],
                  spec=theirs.get(enum_))
    tap.equal("the same defines", header=sorted(defines(HEADER).items()),
              spec=sorted(defines(made).items()))
for enum_, entries in spec.enums.items():
    if enum_ != "change":
        tap.equal(f"{enum_}: the same words", header=words(enum_), spec=list(entries))
check_change()
check_commands()
check_attributes()
tap.done()
