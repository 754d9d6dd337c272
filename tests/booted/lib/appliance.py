# SPDX-License-Identifier: GPL-2.0-only
"""What a test of a booted appliance is told in: the steps, and what has to be true after each."""

import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from machine import TREE, Lost, Machine
from network import ADMITTED, FLOWS, STRANGERS
from tap import Tap

PAGE = f"{TREE}/Documentation/install.md"
POLICY, LAST_GOOD = "/etc/nf_edge/policy.conf", "/var/lib/nf_edge/last-good.conf"
PACKAGES = "Debian 12 and later"	# of the page
TABLE = "table inet nf_edge_guard"

with open(f"{TREE}/dkms.conf", encoding="ascii") as file:
    VERSION = re.search('^PACKAGE_VERSION="(.*)"', file.read(), re.M).group(1)


def words(names):
    return " ".join(sorted(names)) or "nobody"


class Page:
    """The commands in the fenced blocks of Documentation/install.md, each to be taken once at least."""

    def __init__(self):
        with open(PAGE, encoding="utf-8") as file:
            sections = re.split(r"^## (.*)\n", file.read(), flags=re.M)
        self.lines = []	# [section, block, line, whether it was taken]
        for section, text in zip(sections[1::2], sections[2::2]):
            for block, inside in enumerate(re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)):
                self.lines += [[section, block, line, False] for line in inside.splitlines() if line]

    def take(self, section, pattern=""):
        """What is to be typed: the lines of a section that match."""
        found = [line for line in self.lines if line[0] == section and re.search(pattern, line[2])]
        if not found:
            raise Lost(f"{PAGE} has no {pattern!r} in {section!r}")
        for line in found:
            line[3] = True
        return "\n".join(line[2] for line in found)

    def left(self):
        return [f"{section}: {line}" for section, _, line, taken in self.lines if not taken]


class Appliance(Machine):
    """Checks what it does; `guarded` says whether a stranger may come through."""

    def __init__(self, series, *later):
        self.tap, self.page, self.guarded = Tap(), Page(), False
        super().__init__(series, *later)

    # ---- steps ----

    def do(self, name, script, patience=1800):
        """It exits 0; what it has printed."""
        status, output = self.run("set -e\n" + script, patience)
        self.tap.check(name, status == 0, script, f"exit status {status}", output)
        return output

    def build(self, directory, version):
        """The packages, as the page says."""
        command = self.page.take(PACKAGES, "^make deb")
        made = subprocess.run([f"{TREE}/tests/booted/lib/packages", self.series, directory, version, "sh", "-ec", command],
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.tap.check(f"{command}: version {version}", made.returncode == 0, made.stdout)

    def unpack(self, directory):
        """The packages, into the machine's deb/."""
        self.hand(*[f"{directory}/{name}" for name in sorted(os.listdir(directory))])
        self.do("the packages are there",
                "rm -rf deb; mkdir deb; blockdev --flushbufs /dev/vdb; tar -xf /dev/vdb -C deb")

    def install(self, directory):
        """As the page says, up to a policy in force."""
        self.unpack(directory)
        self.do("apt install", self.page.take(PACKAGES, "^apt install"))
        self.everybody("installing changes nothing that is forwarded now")
        # An editor that has nothing to say: the example is the policy here.
        self.do("a policy is written, and put in force", "export EDITOR=true\n" +
                self.page.take(PACKAGES, "/etc/nf_edge/policy.conf|^systemctl start"))
        self.guard()
        self.in_force("started by hand")

    def guard(self, on=True):
        """From now on no stranger may come through, not for a moment."""
        self.guarded = on
        self.wire.begin()

    def verdict(self, what):
        """On all the time since the last one."""
        came = self.wire.came_through() & STRANGERS
        if self.guarded:
            self.tap.check(f"{what}: no stranger came through, from beginning to end", not came, words(came))
        self.wire.begin()

    def start(self, what, state="running"):
        """Boots."""
        self.what = what
        found = self.boot()
        self.tap.check(f"{what}: systemd says that it is {state}", found == state, found,
                       self.run("systemctl --failed --no-legend --plain; systemctl status nf_edge nf_edge-guard")[1])

    def reboot(self, what, state="running"):
        self.halt()
        self.verdict(self.what)
        self.start(what, state)

    # ---- what is true ----

    def in_force(self, name):
        """Partners and Edge reach each other, strangers do not; the guard is away."""
        self.tap.check(f"{name}: the admitted come through", self.wire.awaits(ADMITTED), words(self.wire.came_through()),
                       self.run("systemctl status nf_edge nf_edge-guard; ip -br address; nft list ruleset; edgectl status")[1])
        came = self.wire.watch(25)
        self.tap.check(f"{name}: and nobody else", came == ADMITTED, words(came))
        tables = self.run("nft list tables")[1]
        self.tap.check(f"{name}: the guard is away", TABLE not in tables, tables)

    def closed(self, name, *, said="", by_table=True):
        """Nothing is forwarded since the boot, the machine is reached, and the unit's last words are these."""
        self.tap.check(f"{name}: the appliance itself is reached", self.wire.manages())
        self.wire.watch()
        came = self.wire.came_through()
        self.tap.check(f"{name}: nothing was forwarded, and nothing is", not came, words(came))
        if by_table:
            knocks = re.search(r"counter packets (\d+)", self.run(f"nft list {TABLE}")[1])
            self.tap.check(f"{name}: because of the guard", knocks and int(knocks.group(1)))
        if said:
            self.says(name, "nf_edge", said)

    def says(self, name, unit, pattern):
        """The unit has failed, and systemctl status ends so."""
        state, told = self.run(f"systemctl is-failed {unit}")[1], self.run(f"systemctl status {unit}")[1]
        self.tap.check(f"{name}: {unit} has failed", state == "failed", told)
        lines = [line for line in told.splitlines() if "nf_edge" in line and "systemd[" not in line] or [""]
        self.tap.check(f"{name}: and says why", re.search(pattern, lines[-1]), f"wanted /{pattern}/", told)

    def everybody(self, name):
        """Nothing is kept from anybody."""
        self.tap.check(f"{name}: everybody comes through", self.wire.awaits(frozenset(FLOWS)),
                       words(self.wire.came_through()), self.run("nft list ruleset; ip -br address")[1])

    def is_gone(self):
        """After a purge."""
        left = self.run(r"""find / -xdev \( -name '*nf[_-]edge*' -o -name '*edgectl*' \) \
            ! -path '/var/log/*' ! -path '/root/*'; systemctl list-unit-files --no-legend 'nf_edge*'
            systemctl list-units --no-legend --all 'nf_edge*'; dkms status nf-edge 2>/dev/null; grep '^nf_edge ' /proc/modules
            nft list tables | grep nf_edge; ls -d /etc/nf_edge/*""")[1]
        self.tap.check("purged: what is left is the administrator's", left == f"/etc/nf_edge\n{POLICY}", left)

    def ends(self):
        complaints = subprocess.run(["bash", "-c", '. "$1/tests/lib/complaints.sh"; grep -aE "$complaints" "$2"', "bash",
                                     TREE, self.console], check=False, stdout=subprocess.PIPE, text=True, errors="replace")
        self.tap.check("the kernel has nothing to complain of", not complaints.stdout, complaints.stdout)


def tell(series, later, story):
    """A test: the machine of a series, and what happens to it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))	# and the machine with it
    machine = Appliance(series, *later)
    try:
        story(machine)
        machine.ends()
    except Lost as lost:
        machine.tap.check("the machine does what machines do", False, lost)
    finally:
        machine.close()
    machine.tap.done()
