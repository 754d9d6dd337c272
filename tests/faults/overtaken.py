#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Several changes overtake a packet that is being judged. The verdict must be one that the policy
# had at some moment: what it says before, between and after them is the same here, each time for
# another reason.
#
# The kernel that detects data races holds up whoever reads what it watches: here for longer than a
# change takes. On others this shows less.
#
#   NF_EDGE_FAULTS_ROUNDS   of the changes (500)

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))
from faults import *  # noqa: E402,F403
from lab import load_module  # noqa: E402
from traffic import *  # noqa: E402,F403
from wire import *  # noqa: E402,F403

DELAYS = "/sys/module/kcsan/parameters"
HELD_UP = 2000	# µs
MESSENGER, HARMLESS = ["messenger"], ["pic"]
WIDE = [("198.51.100.0/24", MESSENGER), ("2001:db8:51::/48", MESSENGER)]
HOSTS = [(f"{PARTNER}/32", MESSENGER), (f"{PARTNER6}/128", MESSENGER)]
STRANGERS = [(f"{STRANGER}/32", MESSENGER), (f"{STRANGER6}/128", MESSENGER)]
# so that the tree has branches, and they stay
OTHERS = [(f"198.51.100.{i}/32", HARMLESS) for i in range(64)] + \
    [(f"2001:db8:51::{i:x}/128", HARMLESS) for i in range(1, 64)]
BY_NOBODY = [one for one in REFUSED if one[4] == "unlisted"]


def rules(enabled, peers):
    return rule_set(*[(row, enabled, peers) for row in ("av-stun-in", "av-stun-out")])


tap = Tap()
hurry()
load_module()
build()
if os.path.isdir(DELAYS):
    write(f"{DELAYS}/udelay_interrupt", HELD_UP)
    write(f"{DELAYS}/udelay_task", 0)	# who makes the changes is not held up
client = in_gateway(Socket)
rounds = number("ROUNDS", 500)

for what, admitted, refused, changes in [
        ("one prefix relieves another", ADMITTED, REFUSED,
         [partner_add(*WIDE), partner_del(*HOSTS), partner_add(*HOSTS), partner_del(*WIDE)]),
        ("any peer will do while there is no partner", ADMITTED, BY_NOBODY,
         [rules(True, "any"), partner_del(*HOSTS), partner_add(*HOSTS), rules(True, "listed")]),
        ("no rule will do while a stranger is a partner", [], REFUSED,
         [rules(False, "listed"), partner_add(*STRANGERS), partner_del(*STRANGERS), rules(True, "listed")]),
]:
    client.run(load(interface_add("av", AV), interface_add("av", AV6), rules(True, "listed"),
                    partner_add(*OTHERS, tolerant=True), partner_add(*HOSTS)))
    client.ask("STATS_RESET")
    traffic = Traffic(admitted, refused)
    traffic.start()
    for _ in range(rounds):
        for change in changes:
            client.ask(*change)
    tally, trouble = traffic.stop()
    counted = {name: values for name, values in client.counters().items() if any(values)}
    sent, judged = (sum(one[0] for one in of.values()) for of in (tally, counted))
    tap.check(f"{what}: no packet of an admitted flow is lost, none of another is let through", not trouble, trouble)
    tap.check(f"{what}: each packet is counted", sent == judged, f"sent {tally}", f"counted {counted}")
tap.done()
