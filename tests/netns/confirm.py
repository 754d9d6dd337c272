#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Whole policies under a flow that goes on: what says what is in force disturbs nothing,
# and what nobody confirms goes away again, whoever is still there.
#
#   outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from genl import Genl, Spec  # noqa: E402
from rig import *  # noqa: E402,F403

BACK = "unless confirmed within {} seconds, the policy before comes back\n"
NOTHING = "nothing has changed, and nothing is to be confirmed\n"
BUSY = "edgectl: -: a policy waits for its confirmation: confirm or revert it first\n"
NONE = "edgectl: no policy waits for its confirmation\n"
REVOKED = POLICY.replace(f"{FEDERATION} {FEDERATION6} group federation", f"{FEDERATION6} group federation")


def edgectl(*words, given=None):
    """(exit status, what it says)"""
    done = subprocess.run([EDGECTL, "-n", "gw", *words], input=given, text=True, check=False, capture_output=True)
    warned = [line for line in done.stderr.splitlines(True) if "warning: " not in line]
    return done.returncode, done.stdout + "".join(warned)


def says(name, words, want, given=None, status=0):
    got = edgectl(*words, given=given)
    rig.check(name, got == (status, want), got)


def generation():
    return rig.json("status")["generation"]


def told():
    """The commands that were told since, of each whether something waits."""
    return [(attributes["command"], "confirm" in attributes) for _, attributes in listener.events()]


def waits():
    return rig.json("status")["confirm_within"]


def listen():
    enter("gw")
    genl = Genl(Spec())
    genl.subscribe("config")
    return genl


rig = Rig()
listener = on_thread(listen)
later = tcp(FEDERATION, ACCESS, 5061, "A", sport=47000, seq=1, ack=1)
rig.expect("a flow", tcp(FEDERATION, ACCESS, 5061, sport=47000), "sip-federation-in")
rig.expect("and its answer", back(tcp(FEDERATION, ACCESS, 5061, sport=47000)), "sip-federation-in", "inside")

# What says what is in force, in whatever words.
before, flows = generation(), rig.flows()
again = "\n".join(reversed(POLICY.splitlines())) + "\nmode enforce\nrule enable xmpp-in\n"
says("the same policy", ["load", "-"], "", again)
rig.check("is no change", generation() == before and told() == [])
says("... and nothing to confirm", ["load", "--confirm", "60", "-"], NOTHING, again)
rig.check("... in JSON", edgectl("-j", "load", "--confirm", "60", "-", given=again) == (0, '{"confirm_within":null}\n'))
rig.check("... so that nothing waits", waits() is None and generation() == before and told() == [])
rig.expect("the flow goes on", later, "sip-federation-in")
says("another policy that lists it", ["load", "-"], "", POLICY + "rule disable xmpp-in\n")
rig.expect("it still goes on", later, "sip-federation-in")
rig.check("and is the same flow", rig.flows() == flows and generation() == before + 1, rig.flows())
says("the policy again", ["load", "-"], "", POLICY)
told()

# In time.
says("to be confirmed", ["load", "--confirm", "60", "-"], BACK.format(60), REVOKED)
rig.check("it waits", 50 <= waits() <= 60 and told() == [("commit", True)], waits())
rig.expect("and is in force", later, "not-listed")
says("no other policy until then", ["load", "-"], BUSY, POLICY, 1)
says("a single change", ["mode", "audit"], "")
rig.check("... is told with the wait", told() == [("status-set", True)])
says("confirmed", ["confirm"], "")
rig.check("it stays", waits() is None and told() == [("confirm", False)] and rig.json("mode")["mode"] == "audit")
says("twice", ["confirm"], NONE, status=1)
says("nothing to go back to", ["revert"], NONE, status=1)
says("the first policy", ["load", "-"], "", POLICY)

# At once, with all that was changed since.
rig.check("to be confirmed, in JSON", edgectl("-j", "load", "--confirm", "3600", "-", given=REVOKED)
          == (0, '{"confirm_within":3600}\n'))
says("something more", ["partner", "add", "192.0.2.77", "name", "more"], "")
told()
before = generation()
says("taken back", ["revert"], "")
rig.check("is a change", generation() == before + 1 and told() == [("revert", False)])
rig.expect("the flow goes on", later, "sip-federation-in")
rig.check("what was changed is gone", rig.json("partner", "list", "covers", "192.0.2.77") == [])
says("nothing to confirm any more", ["confirm"], NONE, status=1)

# Not in time, and nobody is there any more.
before, events = generation(), []
says("for a second", ["load", "--confirm", "1", "-"], BACK.format(1), REVOKED)
while len(events) < 2 and select.select([listener.socket], [], [], 20)[0]:
    events += told()
rig.check("nobody confirms", events == [("commit", True), ("revert", False)], events)
rig.check("... so that it is gone", generation() == before + 2 and waits() is None)
rig.expect("the flow goes on", later, "sip-federation-in")
rig.check("and is the same flow", rig.flows() == flows, rig.flows())

# The hooks of what may come back stay, and do nothing.
says("no policy at all, by mistake", ["load", "-"],
     "edgectl: -: no Edge address: the 6 in force would go, and nothing would be enforced "
     "(load --merge adds to the policy in force, load --open opens it)\n", "", 1)
says("no policy at all", ["load", "--open", "--confirm", "60", "-"], BACK.format(60), "")
rig.expect("lets everything pass", tcp(STRANGER, ACCESS, 1), "pass")
says("taken back", ["revert"], "")
rig.expect("no more", tcp(STRANGER, ACCESS, 1), "unlisted")
says("off", ["load", "--confirm", "60", "-"], BACK.format(60), POLICY + "mode off\n")
rig.expect("off is off", tcp(STRANGER, ACCESS, 1, sport=47001), "pass")
rig.expect("... for what the second gate sees, too", later, "pass")
says("confirmed", ["confirm"], "")
rig.expect("still off", tcp(STRANGER, ACCESS, 1, sport=47002), "pass")

# A namespace, and at the end the module, goes while a policy waits.
ip(["netns add other"])
subprocess.run([EDGECTL, "-n", "other", "-q", "load", "--confirm", "1", "-"], input=POLICY, text=True, check=True,
               stdout=subprocess.DEVNULL)
ip(["netns del other"])
says("one that waits until the module goes", ["load", "--confirm", "86400", "-"], BACK.format(86400), POLICY)
rig.umount_sysfs()
listener.close()
subprocess.run(["rmmod", "nf_edge"], check=True)
rig.check("unloaded while a policy waits", not os.path.exists("/sys/module/nf_edge"))
rig.done()
