# SPDX-License-Identifier: GPL-2.0-only
"""A Debian machine with systemd (tests/vm/machine), booted in QEMU."""

import base64
import os
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time

from network import DMZ, EXT, Wire

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
PATIENCE = 600	# for a boot, and for a command: machines may be slow, and have others to serve
APPEND = "root=/dev/vda console=ttyS0 panic=-1 loglevel=5 mitigations=off tsc=nowatchdog norandmaps"


class Lost(Exception):
    """The machine does not do what machines do."""


class Machine:
    """One disk, as long as the object lives; between halt() and boot() it is off."""

    def __init__(self, series, *later):
        made = subprocess.run([f"{TREE}/tests/vm/machine", series, *later], check=True,
                              stdout=subprocess.PIPE, text=True)
        self.series = series
        self.dir = tempfile.mkdtemp(prefix="nf_edge-machine.")
        self.disk, self.parcel = f"{self.dir}/disk", f"{self.dir}/parcel"
        self.console = os.path.join(os.environ.get("NF_EDGE_LOG") or self.dir, "console")
        subprocess.run(["cp", "--sparse=always", f"{made.stdout.strip()}/disk/ext4", self.disk], check=True)
        with open(self.parcel, "wb") as file:
            file.truncate(32 << 20)
        self.wire, self.qemu, self.cut, self.channel, self.number, self.kernel = Wire(), None, False, None, 0, None

    def close(self):
        self.kill()
        shutil.rmtree(self.dir)

    # ---- power ----

    def pick_kernel(self):
        """What a boot loader would boot: the kernel and the initramfs that the root's links name."""
        def ask(request):
            return subprocess.run(["debugfs", "-R", request, self.disk], check=True, capture_output=True, text=True).stdout
        for link in "vmlinuz", "initrd.img":
            target = re.search(r'link dest: "(.*)"', ask(f"stat /{link}")).group(1)
            ask(f"dump /{target} {self.dir}/{link}")

    def boot(self):
        """Returns when systemd has done what it will."""
        if not self.cut:
            self.pick_kernel()
        cards = self.wire.plug()
        self.wire.begin()
        words = ["qemu-system-x86_64", "-name", "nf_edge-booted", "-nodefaults", "-no-user-config", "-display", "none",
                 "-no-reboot", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", "1024",
                 "-kernel", f"{self.dir}/vmlinuz", "-initrd", f"{self.dir}/initrd.img", "-append", APPEND,
                 "-drive", f"file={self.disk},format=raw,if=virtio,cache=unsafe",
                 "-drive", f"file={self.parcel},format=raw,if=virtio,readonly=on",
                 "-chardev", f"file,id=log,path={self.console},append=on", "-serial", "chardev:log",
                 "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                 "-chardev", f"socket,id=lab,path={self.dir}/lab,server=on,wait=off",
                 "-device", "virtserialport,chardev=lab,name=lab"]
        for number, (mac, card) in enumerate(zip((EXT, DMZ), cards)):
            words += ["-netdev", f"dgram,id=card{number},local.type=fd,local.str={card.fileno()}",
                      "-device", f"virtio-net-pci,netdev=card{number},mac={mac}"]
        with open(f"{self.dir}/qemu", "wb") as errors:
            self.qemu = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                         pass_fds=[card.fileno() for card in cards])
        for card in cards:
            card.close()
        self.connect()
        self.kernel = base64.b64decode(self.answer(0, PATIENCE)[1]).decode().strip()
        return self.run("systemctl is-system-running --wait")[1]

    def connect(self):
        self.channel, self.input = socket.socket(socket.AF_UNIX), b""
        deadline = time.monotonic() + 30
        while True:
            try:
                self.channel.connect(f"{self.dir}/lab")
                return
            except OSError as error:
                if time.monotonic() > deadline or self.qemu.poll() is not None:
                    raise self.lost("QEMU has not started") from error
                time.sleep(0.1)

    def halt(self, how="systemctl reboot"):
        """Shuts down, as before a reboot."""
        self.send(f"{how} || echo b >/proc/sysrq-trigger")
        try:
            self.qemu.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise self.lost("it does not shut down") from None
        self.cut, self.qemu = False, None

    def kill(self):
        """A power cut."""
        if self.qemu:
            self.qemu.kill()
            self.qemu.wait()
        self.cut, self.qemu = True, None

    # ---- commands ----

    def lost(self, what):
        tail = ""
        for name in self.console, f"{self.dir}/qemu":
            if os.path.exists(name):
                with open(name, encoding="utf-8", errors="replace") as file:
                    tail += "".join(file.readlines()[-30:])
        return Lost(f"{what}\n{tail}")

    def send(self, script):
        self.number += 1
        self.channel.sendall(f"{self.number} {base64.b64encode(script.encode()).decode()}\n".encode())

    def answer(self, number, patience):
        deadline = time.monotonic() + patience
        while True:
            while b"\n" not in self.input:
                if not select.select([self.channel], [], [], max(0, deadline - time.monotonic()))[0]:
                    raise self.lost(f"no answer after {patience} seconds")
                more = self.channel.recv(65536)
                if not more:
                    raise self.lost("it has ended by itself")
                self.input += more
            line, self.input = self.input.split(b"\n", 1)
            words = line.split()
            if int(words[0]) == number:
                return int(words[1]), words[2] if len(words) > 2 else b""

    def run(self, script, patience=PATIENCE):
        """(status, what it printed), without the last line's end."""
        self.send(script)
        status, output = self.answer(self.number, patience)
        return status, base64.b64decode(output).decode("utf-8", "replace").rstrip("\n")

    def hand(self, *files):
        """Files for the machine, an archive on its second disk."""
        words = [word for file in files for word in ("-C", os.path.dirname(file), os.path.basename(file))]
        subprocess.run(["tar", "-cf", f"{self.parcel}.new", *words], check=True)
        with open(f"{self.parcel}.new", "rb") as new, open(self.parcel, "r+b") as parcel:
            shutil.copyfileobj(new, parcel)
