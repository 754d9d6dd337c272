#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Two network namespaces with different policies at once: each has its own
# policy, counters, hooks and sysfs; one that is destroyed takes its own along.
#
#   [gw: one policy]     [other: another]      see rig.py

import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403

rig = Rig()
subprocess.run(["ip", "netns", "add", "other"], check=True)


def other(*words, **options):
    return subprocess.run([EDGECTL, "-j", "-n", "other", *words], check=True, capture_output=True,
                          text=True, **options).stdout


def other_sysfs(path):
    return subprocess.run(["ip", "netns", "exec", "other", "cat", f"/sys/kernel/nf_edge/{path}"], check=True,
                          capture_output=True, text=True).stdout.strip()


rig.check("a new namespace has the default policy", other_sysfs("policy/interfaces") == "0" and
          other_sysfs("policy/mode") == "enforce")
hooks = subprocess.run(["ip", "netns", "exec", "other", "conntrack", "-C"], capture_output=True, text=True).stdout
other("load", "-", input=f"mode audit\ninterface add access {ACCESS}\npartner add {PIC}\nrtp set 1-9\n")
rig.check("the other's policy is its own", other_sysfs("policy/rtp_ports") == "1-9" and
          other_sysfs("policy/mode") == "audit" and rig.json("status")["mode"] == "enforce")
rig.check("explain asks the own namespace's policy",
          json.loads(other("explain", PIC, ACCESS, "tcp", "5061"))["rule"] == "sip-federation-in" and
          rig.json("explain", PIC, ACCESS, "tcp", "5061")["rule"] == "sip-pic-in")
rig.expect("packets meet the own namespace's policy", tcp(PIC, ACCESS, 5061), "sip-pic-in")
rig.check("and count there", other_sysfs("rules/sip-pic-in/packets") == "0")
rig.expect("a drop counts there", tcp(STRANGER, ACCESS, 5061), "not-listed")
rig.check("and not elsewhere", other_sysfs("drops/not-listed/packets") == "0")
subprocess.run(["ip", "netns", "del", "other"], check=True)
rig.expect("the other namespace destroyed", tcp(PIC, ACCESS, 5061, sport=40001), "sip-pic-in")

# A transaction belongs to its socket: one that is killed leaves nothing behind.
generation = rig.json("status")["generation"]
process = subprocess.Popen([EDGECTL, "-n", "gw", "load", "-"], stdin=subprocess.PIPE, text=True)
process.stdin.write("mode off\n")
process.stdin.flush()
process.kill()
process.wait()
rig.check("a killed load leaves the policy", rig.json("status")["generation"] == generation)

# Unload with traffic flowing, and load again.
rig.expect("a flow before unload", tcp(PIC, ACCESS, 5061, sport=40002), "sip-pic-in")
stop = threading.Event()


def traffic():
    number = 0
    while not stop.is_set():
        number += 1
        rig.put(tcp(PIC, ACCESS, 5061, sport=1024 + number % 60000))
        rig.put(udp(STRANGER, AV, 3478, sport=1024 + number % 60000))


thread = threading.Thread(target=traffic)
before = rig.counters()["sip-pic-in"]
thread.start()
until(lambda: rig.counters()["sip-pic-in"] > before)
rig.umount_sysfs()
subprocess.run(["rmmod", "nf_edge"], check=True)
rig.check("unloaded with traffic flowing", not os.path.exists("/sys/module/nf_edge"))
load_module()
on_thread(rig.mount_sysfs)
rig.load(POLICY)
rig.check("loaded again, traffic counts", until(lambda: rig.counters()["sip-pic-in"] > 0))
stop.set()
thread.join()
rig.done()
