#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A Debian 13 appliance, from apt install to apt purge: policy, reboots, a power cut, new packages, a
new kernel, a bad policy file, and whatever fails at boot. All the while strangers knock on port 5061.

The commands are those of Documentation/install.md, as they stand, every one of them.
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from appliance import LAST_GOOD, PACKAGES, POLICY, TREE, VERSION, tell  # noqa: E402

SERIES, LATER = "6.12", "7.3"
ELSEWHERE, FAILS, UPGRADE, REMOVAL = "Elsewhere, with DKMS", "What happens when something fails", "Upgrade", "Removal"
NOT_HERE = ((PACKAGES, "^mokutil", "there is no firmware with Secure Boot"),
            ("Many appliances", "^ansible-playbook", "tests/user/ansible.sh has Ansible"))
MEND = "^systemctl restart nf_edge "
# systemd-analyze security: how exposed a unit may be, of 10. The guard does no more than nftables.service.
EXPOSED = {"nf_edge": 2.5, "nf_edge-guard": 6.7, "nf_edge-metrics": 1.6, "nf_edge-refresh": 1.5,
           "nf_edge-log": 1.8}
NEXT = f"{VERSION}+next"
SETTINGS = "/run/sysctl.d/zz-nf_edge-guard.conf"
DROP_IN = "/etc/systemd/system/nf_edge.service.d"
# As long as the boot took until then: without an order the network would be there first.
SLOW = f"""mkdir {DROP_IN}
cat >{DROP_IN}/slow.conf <<'END'
[Service]
ExecStartPre=/bin/sh -c 'read up idle </proc/uptime; exec sleep $${{up%%%%.*}}'
TimeoutStartSec=infinity
END"""
CRASH = """
mv /usr/sbin/edgectl .
printf '#!/bin/sh\\nkill -SEGV $$\\n' >/usr/sbin/edgectl
chmod +x /usr/sbin/edgectl"""
KILL = r"""cd /proc
us=' ' process=$$
while [ $process -gt 0 ]; do
    us+="$process " process=$(sed -n 's/^PPid:\t//p' $process/status)
done
for process in [0-9]*; do
    [[ $us == *" $process "* ]] || [ -z "$(tr -d '\0' <$process/cmdline)" ] || kill -KILL $process
done 2>/dev/null
kill -SEGV 1"""	# not us, nor the kernel's own


def build(machine, versions):
    """Each version's packages, in a directory of its own."""
    for command in machine.page.take(PACKAGES, "^apt build-dep").splitlines():
        words = command.split("#")[0].split()
        simulated = subprocess.run([f"{TREE}/tests/vm/apt", SERIES, words[0], "--simulate", *words[1:]], cwd=TREE,
                                   check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        machine.tap.check(f"{command}: the release has it all", simulated.returncode == 0, simulated.stdout)
    places = {version: f"{machine.dir}/{version}" for version in versions}
    for version, place in places.items():
        machine.build(place, version)
    return places


def units(machine):
    signer = machine.do("the module's signer is told", machine.page.take(PACKAGES, "^modinfo"))
    machine.tap.check("it is the machine's own key", signer == "DKMS module signing key", signer)
    found = machine.do("systemd-analyze verify", "cd /usr/lib/systemd/system; systemd-analyze verify --man=no nf_edge*")
    machine.tap.check("systemd-analyze verify has nothing to say", not found, found)
    for unit, ceiling in EXPOSED.items():
        found = machine.run(f"systemd-analyze security {unit}")[1]
        level = re.search(r"Overall exposure level for \S+: ([\d.]+)", found)
        print(f"# {level.group(0) if level else found}")
        machine.tap.check(f"systemd-analyze security: {unit} is no more exposed than it was",
                          level and float(level.group(1)) <= ceiling, found)


def stays(machine):
    """What does not take the policy out of force."""
    machine.do("disabled", "systemctl disable nf_edge nf_edge-guard; ! systemctl is-enabled nf_edge nf_edge-guard")
    machine.do("enabled as on other distributions", machine.page.take(ELSEWHERE))
    machine.do("both are", "systemctl is-enabled nf_edge && systemctl is-enabled nf_edge-guard")
    machine.do("restarted and reloaded", machine.page.take(FAILS, "^systemctl (restart|reload) nf_edge "))
    machine.do("a bad policy file", f"mv {POLICY} {POLICY}.good; echo nonsense >{POLICY}")
    machine.do("reloading fails", "! systemctl reload nf_edge")
    machine.do("restarting, too", "! systemctl restart nf_edge")
    machine.says("a bad policy file", "nf_edge", "the policy in force stays in force")
    machine.do("units stopped", "systemctl stop nf_edge nf_edge-guard; nft flush ruleset")
    machine.in_force("a bad file, both units stopped, all tables flushed")
    machine.do("mended", f"mv {POLICY}.good {POLICY}; systemctl restart nf_edge-guard\n" + machine.page.take(FAILS, MEND))
    machine.do("every process is killed, and PID 1 crashes", KILL)
    machine.tap.check("PID 1 answers no more", machine.run("timeout 10 systemctl show-environment")[0] != 0)
    machine.in_force("without user space")


def upgrade(machine, place):
    machine.unpack(place)
    machine.do("new packages", machine.page.take(UPGRADE, "^apt install"))
    machine.in_force("new packages, the old module")
    machine.do("the new module takes over", machine.page.take(UPGRADE, "^/usr/libexec/nf_edge/upgrade"))
    version = machine.run("cat /sys/module/nf_edge/version")[1]
    machine.tap.check("it has", version == NEXT, version)
    machine.in_force("the new module has taken over")
    machine.do("a new kernel", "apt install /srv/kernel/*.deb; dkms status nf-edge")


def fails(machine):
    """At boot, whatever it is, nothing is forwarded."""
    machine.do("the policy is spoiled", f"cp {POLICY} good; echo nonsense >{POLICY}")
    machine.reboot("a bad policy file", "degraded")
    machine.in_force("a bad policy file: the last good one")
    machine.says("a bad policy file", "nf_edge", f"the last good policy is in force \\({LAST_GOOD}\\)")

    machine.do("the policy is lost", f"rm {POLICY} {LAST_GOOD}")
    machine.reboot("no policy", "degraded")
    machine.closed("no policy", said="there is no last good policy; nothing is forwarded")
    machine.do("stopped", "systemctl stop nf_edge nf_edge-guard")
    machine.closed("both units stopped")
    machine.guard(False)
    machine.do("opened by hand", machine.page.take(FAILS, "^nft delete"))
    machine.everybody("opened by hand")
    machine.do("closed again", "systemctl restart nf_edge-guard")
    machine.guard()
    machine.closed("closed by hand")
    machine.do("a policy without an Edge address", f"echo mode enforce >{POLICY}; ! systemctl restart nf_edge")
    machine.closed("a policy without an Edge address", said="there is no last good policy; nothing is forwarded")
    machine.do("... and that this is why", "journalctl -u nf_edge -n 20 | grep -q 'no Edge address: nothing would be enforced'")
    machine.do("mended", f"cp good {POLICY}\n" + machine.page.take(FAILS, MEND))
    machine.in_force("mended")

    machine.do("the module is lost", "file=$(modinfo -n nf_edge); cp $file .; rm $file; depmod; echo $file >where")
    machine.reboot("no module", "degraded")
    machine.closed("no module", said="module nf_edge cannot be loaded into Linux .*; nothing is forwarded")
    machine.do("half of the module", "head -c 9999 nf_edge.ko* >$(cat where); depmod; ! systemctl restart nf_edge")
    machine.closed("a module that does not load", said="module nf_edge cannot be loaded into Linux .*; nothing is forwarded")

    machine.do("the module is back, but edgectl crashes", "cp nf_edge.ko* $(cat where); depmod" + CRASH)
    machine.reboot("edgectl crashes", "degraded")
    machine.closed("edgectl crashes", said="nothing is forwarded")

    machine.do("edgectl is back, but nft is not", "mv edgectl /usr/sbin/; mv /usr/sbin/nft .")
    machine.reboot("no nft", "degraded")
    machine.closed("no nft", by_table=False, said="the guard cannot be taken away; nothing is forwarded")
    machine.says("no nft", "nf_edge-guard", f"forwarding is switched off until rm {SETTINGS}; sysctl --system")
    machine.do("an nft that fails", f"modprobe -r nf_edge; rm {SETTINGS}; ln -s /bin/false /usr/sbin/nft\n"
               "if systemctl restart nf_edge-guard; then exit 1; fi; sysctl --system")
    machine.closed("an nft that fails", by_table=False)
    machine.do("nft is back", "mv -f nft /usr/sbin/nft; systemctl restart nf_edge-guard nf_edge; "
               f"rm {SETTINGS}; sysctl --system")
    machine.in_force("nft is back")


def story(machine):
    places = build(machine, (VERSION, NEXT))

    machine.start("as it comes")
    machine.everybody("without nf_edge")
    machine.install(places[VERSION])
    units(machine)
    machine.do("the policy takes its time", SLOW)
    machine.reboot("the first reboot")
    machine.in_force("the first reboot")
    machine.do("and no more", f"rm -r {DROP_IN}; systemctl daemon-reload")
    stays(machine)
    machine.kill()
    machine.verdict("until the power cut")

    machine.start("after a power cut")
    machine.in_force("after a power cut")
    machine.do("what is in force is kept", f"edgectl save | cmp - {LAST_GOOD}")
    upgrade(machine, places[NEXT])
    machine.reboot("new packages and a new kernel")
    machine.in_force("new packages and a new kernel")
    machine.tap.check("Linux is the new one", machine.kernel.startswith(LATER + "."), machine.kernel)
    machine.tap.check("the module, too", machine.run("cat /sys/module/nf_edge/version")[1] == NEXT)

    fails(machine)

    machine.verdict("until it is removed")
    machine.guard(False)
    machine.do("removed", machine.page.take(REMOVAL))
    machine.do("purged", "apt purge edgectl nf-edge-dkms")
    machine.everybody("purged")
    machine.is_gone()
    for section, command, reason in NOT_HERE:
        machine.tap.skip(machine.page.take(section, command), reason)
    machine.tap.check("every command of install.md was run", not machine.page.left(), *machine.page.left())


tell(SERIES, [LATER], story)
