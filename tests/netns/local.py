#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The Edge on the appliance itself: traffic to the machine and from it; and the
# counters, in sysfs, in edgectl and after a reset.
#
#   outside --- ext0 [gw: nf_edge, 203.0.113.50 and 2001:db8:113::50 on lo]   see rig.py

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403
from scapy.layers.inet6 import IPv6ExtHdrFragment, IPv6ExtHdrRouting  # noqa: E402

HERE, HERE6 = "203.0.113.50", "2001:db8:113::50"
rig = Rig()
ip([f"addr add {HERE}/32 dev lo", f"addr add {HERE6}/128 dev lo nodad"], "gw")
HERE_POLICY = f"interface add access {HERE} dev ext0\ninterface add access {HERE6}\n" \
    f"partner add {FEDERATION} {FEDERATION6}\n"
rig.load(HERE_POLICY)


def on_gw(function):
    def body():
        enter("gw")
        return function()
    return on_thread(body)


def listener(family, address):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind((address, 5061))
    sock.listen()
    return sock


def connect(source, target, port):
    """A local sender's SYN. Its socket stays until it is closed, and would send again."""
    sock = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET)
    sock.setblocking(False)
    sock.bind((source, 0))
    try:
        sock.connect((target, port))
    except BlockingIOError:
        pass
    return sock


listeners = [on_gw(lambda: listener(socket.AF_INET, HERE)), on_gw(lambda: listener(socket.AF_INET6, HERE6))]
for source, target in ((FEDERATION, HERE), (FEDERATION6, HERE6)):
    out, moved = rig.send(tcp(source, target, 5061, sport=40010), comes=True)
    rig.check(f"a partner's SYN to {target} is answered", out is not None and TCP in out and out[TCP].flags == "SA" and
              moved == {"sip-federation-in": 2}, out, moved)
    rig.put(tcp(source, target, 5061, "R", sport=40010, seq=1))  # or the answer is sent again
for source, target in ((STRANGER, HERE), (STRANGER6, HERE6)):
    out, moved = rig.send(tcp(source, target, 5061, sport=40011), comes=False)
    rig.check(f"a stranger's SYN to {target} is not", out is None and moved == {"not-listed": 1}, out, moved)
out, moved = rig.send(tcp(FEDERATION, HERE, 5061, sport=40012), "beside", comes=False)
rig.check("by another device", out is None and moved == {"wrong-device": 1}, out, moved)

# Behind reassembly the receiving kernel would read the payload as the routing header.
chain = IPv6(src=FEDERATION6, dst=HERE6) / IPv6ExtHdrRouting(type=2, addresses=["::1"], segleft=0) / IPv6ExtHdrFragment()
rig.expect("headers that delivery would mistake", chain / TCP(sport=40013, dport=5061), "malformed")
rig.edgectl("mode", "audit")
_, moved = rig.send(chain / TCP(sport=40015, dport=5061), comes=False)
rig.check("audit counts them the same", moved == {"malformed": 1}, moved)
rig.edgectl("mode", "enforce")
chain.dst = ACCESS6
rig.load(POLICY)
rig.expect("and forwarding does not", chain / TCP(sport=40014, dport=5061), "sip-federation-in")
rig.load(HERE_POLICY)


def calls(source, target, port, why):
    rig.drain()
    before = rig.counters()
    sock = on_gw(lambda: connect(source, target, port))
    accepted = why.startswith("sip")
    out = rig.received(PATIENCE if accepted else 0.1)
    after = rig.counters()
    sock.close()
    moved = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    rig.check(f"from {source} to {target} port {port}: {why}", (out is not None) == accepted and moved == {why: 1},
              out, moved)


calls(HERE, STRANGER, 5061, "sip-federation-out")
calls(HERE6, STRANGER6, 5061, "sip-federation-out")
calls(HERE, STRANGER, 25, "unlisted")
calls(HERE, "10.66.0.1", 5061, "wrong-device")
before = rig.counters()
on_gw(lambda: connect(HERE, HERE, 5061)).close()
rig.check("over the loopback device nothing is judged", rig.counters() == before, rig.counters())

# A device that a packet is routed to anew is the one that counts.
rig.run("nft", "table ip reroute { chain out { type route hook output priority mangle; "
        "ip daddr 198.51.100.77 meta mark set 7; }; }")
rig.run("ip", "rule", "add", "fwmark", "7", "table", "7")
rig.run("ip", "route", "add", "default", "via", "169.254.0.2", "dev", "alt0", "onlink", "table", "7")
calls(HERE, "198.51.100.77", 5061, "wrong-device")

# The counters, told three ways.
stats = rig.json("stats")
for field in ("packets", "bytes", "flows"):
    shown = {row["name"]: row[field] for row in stats["rules"]}
    shown.update({drop["reason"]: drop[field] for drop in stats["drops"] if field in drop})
    rig.check(f"edgectl and sysfs agree on {field}", shown == rig.counters(field), shown, rig.counters(field))
status = rig.json("status")
rig.check("status adds them up", status["accepted"]["packets"] == sum(row["packets"] for row in stats["rules"]) and
          status["dropped"]["packets"] == sum(drop["packets"] for drop in stats["drops"]), status)
printed = subprocess.run([EDGECTL, "-n", "gw", "stats", "--openmetrics"], capture_output=True, text=True, check=True).stdout
printed = {words[0]: int(words[-1]) for line in printed.splitlines() if (words := line.split()) and words[0] != "#"}
rig.check("OpenMetrics has the same counters", all(
    printed.get(f'nf_edge_row_{what}_total{{row="{row["name"]}",class="{row["class"]}"}}') == row[what]
    for row in stats["rules"] for what in ("packets", "bytes", "flows")) and all(
    printed.get(f'nf_edge_drop_{what}_total{{reason="{drop["reason"]}"}}') == drop[what]
    for drop in stats["drops"] for what in ("packets", "bytes")), printed, stats)
changed = time.time() - printed["nf_edge_policy_change_timestamp_seconds"]
rig.check("and the policy as it is", printed['nf_edge_mode{mode="enforce"}'] == 1 and abs(changed - status["uptime"]) < 5 and
          [printed[f"nf_edge_{what}"] for what in ("generation", "interfaces", "partners")] ==
          [status[what] for what in ("generation", "interfaces", "partners")], printed, status)
rig.load(POLICY)
rig.check("a new policy loses no count", rig.json("stats") == {**stats, "rules": rig.json("rule", "list")} and
          rig.counters()["sip-federation-in"] > 0)
rig.edgectl("stats", "reset")
rig.check("reset: from zero again", not any(rig.counters().values()) and not any(rig.counters("bytes").values()),
          rig.counters())
rig.expect("and on from there", tcp(PIC, ACCESS, 5061, sport=40020), "sip-pic-in")
rig.check("one packet, its bytes, one flow", [rig.counters(f)["sip-pic-in"] for f in ("packets", "bytes", "flows")]
          == [1, 40, 1])

# Every file of the tree is in the documentation, and has one line.
with open(os.path.join(TREE, "Documentation/ABI/testing/sysfs-kernel-nf_edge"), encoding="utf-8") as file:
    documented = {line.split(None, 1)[1].strip() for line in file if line.startswith("What:")}
root = f"{rig.sysfs}/kernel/nf_edge"
found, wrong = set(), []
for directory, _, files in os.walk(root):
    for name in files:
        parts = os.path.relpath(os.path.join(directory, name), root).split("/")
        if len(parts) == 3:
            parts[1] = "<row>" if parts[0] == "rules" else "<reason>"
        with open(os.path.join(directory, name), encoding="ascii") as file:
            lines = file.read().split("\n")
        found.add("/sys/kernel/nf_edge/" + "/".join(parts))
        if len(lines) != 2 or lines[1]:
            wrong.append(f"{directory}/{name}")
rig.check("every file of sysfs has one line", not wrong, wrong)
files = {path for path in documented if not path.endswith("/")}
rig.check("the files of sysfs are those of the documentation", found == files, found ^ files)
rig.done()
