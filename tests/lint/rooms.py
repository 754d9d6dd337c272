#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Who may include whom, and which words are not heard in which room."""

import glob
import os
import re
import sys

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TREE, "tests/lib"))
from tap import Tap  # noqa: E402

# A room is a .c file and its header. It may include its own header and these.
KMOD = {
    "edge": "uapi",
    "ports": "edge uapi",
    "roll": "edge",
    "tree": "edge roll",
    "prefix": "edge memo tree",
    "counters": "edge",
    "memo": "edge",
    "blocks": "edge tree",
    "policy": "blocks edge judge ports prefix",        # the table of rows, the law out of line
    "judge": "policy",                          # the law
    "flow": "edge",                             # knows no configuration
    "config": "counters policy hook events",    # registers the hooks with the first address, tells when it goes back
    "hook": "flow judge policy config counters events",
    "netlink": "config events uapi",
    "events": "config netlink",
    "sysfs": "config",
    "main": "config netlink events sysfs",      # and nothing knows main
}
TOOL = {
    "words": "",
    "text": "uapi",
    "prefix": "",
    "op": "uapi prefix",
    "value": "op text words",                   # a word
    "line": "op value",                         # a line
    "parse": "line op prefix text value words", # a command
    "live": "",
    "nl": "parse",
    "probe": "parse",
    "policy": "nl parse",
    "out": "parse",
    "dns": "parse",
    "edgectl": "dns live nl out parse policy",  # what the commands share
    "change": "edgectl",
    "left": "edgectl",                          # what a change leaves
    "event": "edgectl",                         # what has happened, in words
    "ledger": "nl parse",
    "journal": "out",
    "main": "edgectl words",
    "complete": "edgectl",
    "cmd_*": "edgectl",
    "topics": "",
    "cmd_help": "edgectl topics words",
    "cmd_monitor": "edgectl event",
    "cmd_log": "edgectl event journal ledger",
    "cmd_report": "edgectl event ledger",
    "cmd_doctor": "edgectl probe",              # alone looks beside the module
}

# Headers that one room alone may include.
PRIVATE = {
    "kmod": {
        r"net/(genetlink|netlink)\.h": "netlink events",
        r"linux/(ip|tcp|udp|icmp|icmpv6|skbuff)\.h": "flow",
        r"linux/(kobject|sysfs)\.h": "sysfs",
    },
    "tools/edgectl": {
        r"netlink/.*|linux/netlink\.h": "nl probe",  # the module's family; the kernel's own
        r"netlink/genl/.*|linux/genetlink\.h": "nl",
        r"linux/(rtnetlink|netfilter/.*)\.h": "probe",
        r"jansson\.h": "out ledger",
        r"ares\.h|arpa/nameser\.h": "dns",
        r"csv\.h": "cmd_import out",
    },
}

PER_PACKET = "edge ports blocks prefix tree roll memo counters policy judge flow hook"
EVERYWHERE = " ".join(KMOD)


def all_but(room):
    return " ".join(other for other in KMOD if other != room)


SILENCE = [
    ("tests the kernel's version outside compat/", EVERYWHERE,
     r"LINUX_VERSION_CODE|KERNEL_VERSION|RHEL_|linux/version\.h"),
    ("logs on the packet path", PER_PACKET,
     r"\b(pr|net|dev|netdev)_(emerg|alert|crit|err|warn|notice|info|debug|dbg)\w*\(|"
     r"\bprintk\w*\(|\btrace_printk\(|\bnf_log_packet\("),
    ("is configured by module parameter, debugfs or procfs", EVERYWHERE,
     r"\bmodule_param\w*\(|\bdebugfs_\w+\(|\bproc_(create|mkdir)\w*\("),
    ("takes a packet, a lock or memory into the law", "edge ports policy",
     r"\bsk_buff\b|\bmutex_|\bspin_lock|\bk[mz]alloc|\bkv[mz]alloc|\bnla_|\bgenl"),
    ("reads packet bytes outside flow", all_but("flow"),
     r"\bskb_(header_pointer|copy_bits|pull|network_header|transport_header)\(|"
     r"\bpskb_may_pull\(|\b(ip|ipv6|tcp|udp|icmp|icmp6)_hdr\("),
    ("makes a verdict an NF_* outside hook", all_but("hook"), r"\bNF_(ACCEPT|DROP|STOLEN)\b"),
]


TOOL_SILENCE = [
    ("writes to a terminal past out", " ".join(room for room in TOOL if room != "out"),
     r"\\033|\\x1b|\b(fprintf|vfprintf)\(stderr|\bf?put[sc]\([^;]*\bstderr\)|\bperror\(|\bv?dprintf\(|"
     r"\bwrite\(|\bf?open\(\"/dev/(tty|std\w+)|\bfdopen\(STD"),
]


def code(path):
    """The text without comments, each character where it was."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda found: re.sub(r"[^\n]", " ", found.group()),
                  text, flags=re.S)


def lines_matching(path, pattern):
    for number, line in enumerate(code(path).splitlines(), 1):
        found = re.search(pattern, line)
        if found:
            yield number, found


def room_of(path):
    return re.sub(r"\.[ch]$", "", os.path.basename(path))


def entry(table, room):
    room = re.sub(r"_test$", "", room)
    return table.get(room, table.get(re.sub(r"^cmd_.*", "cmd_*", room)))


def trespasses(directory, law):
    """Every #include "..." that the law does not have."""
    for path in sorted(glob.glob(f"{directory}/*.[ch]")):
        room = room_of(path)
        may = entry(law, room)
        if may is None:
            yield f"{path}: no such room in the law"
            continue
        may = may.split() + [re.sub(r"_test$", "", room)]
        for number, found in lines_matching(path, r'^\s*#\s*include\s+"([^"]+)"'):
            name = found.group(1)
            whom = "uapi" if os.path.basename(name) == "nf_edge.h" else room_of(name)
            if whom not in may or not name.endswith(".h"):
                yield f"{path}:{number}: {room} may not include {name}"


def intrusions(directory, private):
    """Every #include <...> of a header that is another room's."""
    for path in sorted(glob.glob(f"{directory}/*.[ch]")):
        if path.endswith("_test.c"):
            continue
        for number, found in lines_matching(path, r"^\s*#\s*include\s+<([^>]+)>"):
            for pattern, rooms in private.items():
                if re.fullmatch(pattern, found.group(1)) and room_of(path) not in rooms.split():
                    yield f"{path}:{number}: {found.group(1)} is for {rooms}"


def noises(directory, rooms, pattern):
    for room in rooms.split():
        for path in sorted(glob.glob(f"{directory}/{room}.[ch]")):
            for number, found in lines_matching(path, pattern):
                yield f"{path}:{number}: {found.group()}"


os.chdir(TREE)
tap = Tap()
for where, table in (("kmod", KMOD), ("tools/edgectl", TOOL)):
    rooms_there = {room_of(path) for path in glob.glob(f"{where}/*.c")}
    gone = [room for room in table if not glob.glob(f"{where}/{room}.[ch]")]
    tap.check(f"the law of {where} names rooms that are there", rooms_there and not gone, gone)
    tap.check(f"{where}: nobody includes whom they may not know",
              not list(trespasses(where, table)), *trespasses(where, table))
    tap.check(f"{where}: nobody includes what is one room's own",
              not list(intrusions(where, PRIVATE[where])), *intrusions(where, PRIVATE[where]))
for directory, silence in (("kmod", SILENCE), ("tools/edgectl", TOOL_SILENCE)):
    for name, where, words in silence:
        tap.check(f"nothing {name}", not list(noises(directory, where, words)), *noises(directory, where, words))
tap.done()
