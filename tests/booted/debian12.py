#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A Debian 12 appliance, with ifupdown: packages, policy, a reboot, purge, and one more reboot."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from appliance import VERSION, tell  # noqa: E402


def story(machine):
    place = f"{machine.dir}/packages"
    machine.build(place, VERSION)
    machine.start("as it comes")
    machine.everybody("without nf_edge")
    machine.install(place)
    machine.reboot("a reboot")
    machine.in_force("a reboot")

    machine.verdict("until it is removed")
    machine.guard(False)
    machine.do("removed", machine.page.take("Removal"))
    machine.do("purged", "apt purge edgectl nf-edge-dkms")
    machine.is_gone()
    machine.reboot("purged, and a reboot")
    machine.everybody("purged, and a reboot")


tell("6.1", [], story)
