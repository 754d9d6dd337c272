# SPDX-License-Identifier: GPL-2.0-only
"""Faults to order, memory that must come back, and modules without a tool between."""

import atexit
import ctypes
import os
import random
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../lib"))
from lab import TREE, libc  # noqa: E402
from tap import Tap  # noqa: E402,F401

DEBUG = "/sys/kernel/debug"
INJECTORS = ("failslab", "fail_page_alloc")
O_NONBLOCK = 0o4000
CLONE_NEWNET = 0x40000000


def number(name, default):
    """A length that NF_EDGE_FAULTS_<name> may change."""
    return int(os.environ.get(f"NF_EDGE_FAULTS_{name}", default))


def seeded():
    """Random numbers whose seed is printed and taken from NF_EDGE_SEED."""
    seed = int(os.environ.get("NF_EDGE_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"# NF_EDGE_SEED={seed}", flush=True)
    return random.Random(seed)


def write(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def mount_debugfs():
    """The scenario's own /sys hides it. Whether this kernel has one."""
    if not os.path.isdir(DEBUG):
        return False
    if not os.path.isdir(f"{DEBUG}/netif_rx") and not os.listdir(DEBUG):
        subprocess.run(["mount", "-t", "debugfs", "debugfs", DEBUG], check=True)
    return True


class Nth:
    """Fails the n-th allocation of this thread from arm() on.

    only_module(): the n-th below a function of nf_edge, whomever that calls.
    """

    def __init__(self):
        self.file = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
        for injector in INJECTORS:
            write(f"{DEBUG}/{injector}/verbose", 0)
            write(f"{DEBUG}/{injector}/ignore-gfp-wait", "N")
        write(f"{DEBUG}/fail_page_alloc/ignore-gfp-highmem", "N")
        write(f"{DEBUG}/fail_page_alloc/min-order", 0)

    @staticmethod
    def there():
        return mount_debugfs() and os.path.exists("/proc/thread-self/fail-nth") and \
            all(os.path.isdir(f"{DEBUG}/{injector}") for injector in INJECTORS)

    def arm(self, n):
        os.pwrite(self.file, b"%d" % n, 0)

    def left(self):
        """How many allocations short of the fault it was."""
        left = int(os.pread(self.file, 16, 0))
        os.pwrite(self.file, b"0", 0)
        return left

    def disarm(self):
        """Whether the fault came."""
        return self.left() == 0

    @staticmethod
    def only(first, last, never=(0, 0)):
        """Below code from first to last, and not below what lies in never."""
        for injector in INJECTORS:
            write(f"{DEBUG}/{injector}/require-start", first)
            write(f"{DEBUG}/{injector}/require-end", last)
            write(f"{DEBUG}/{injector}/reject-start", never[0])
            write(f"{DEBUG}/{injector}/reject-end", never[1])
            write(f"{DEBUG}/{injector}/stacktrace-depth", 32)

    def only_module(self):
        self.only(*module_text())

    def only_loading(self):
        """What a module's initialisation does, but for what it does in each name space."""
        self.only(*kernel_text("do_one_initcall"), kernel_text("ops_init"))

    def only_namespaces(self):
        """What is done in each name space."""
        self.only(*kernel_text("ops_init"))

    def everywhere(self):
        self.only(0, (1 << 64) - 1)


def module_text():
    """Where the loaded module's code lies."""
    with open("/proc/modules", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] == "nf_edge":
                first = int(words[5], 16)
                return first, first + int(words[1])
    raise FileNotFoundError("nf_edge")


def kernel_text(function):
    """Where a function of the kernel lies, up to the next one."""
    with open("/proc/kallsyms", encoding="ascii") as file:
        symbols = [line.split()[:3] for line in file]
    code = sorted((int(address, 16), name) for address, kind, name in symbols if kind in "tT")
    first = next(address for address, name in code if name == function)
    return first, next(address for address, _ in code if address > first)


class AllFail:
    """Within it every allocation below a function of nf_edge fails this task, again and again."""

    def __init__(self):
        self.file = os.open("/proc/self/make-it-fail", os.O_RDWR)

    def __enter__(self):
        for injector in INJECTORS:
            write(f"{DEBUG}/{injector}/task-filter", "Y")
            write(f"{DEBUG}/{injector}/times", -1)
            write(f"{DEBUG}/{injector}/interval", 1)
            write(f"{DEBUG}/{injector}/probability", 100)
        os.pwrite(self.file, b"1", 0)
        return self

    def __exit__(self, *_):
        os.pwrite(self.file, b"0", 0)
        for injector in INJECTORS:
            write(f"{DEBUG}/{injector}/probability", 0)


def leaks():
    """What kmemleak calls lost, as text; nothing without kmemleak. It says nothing of what is
    younger than five seconds; what only one look finds is on its way to be freed."""
    path = f"{DEBUG}/kmemleak"
    if not mount_debugfs() or not os.path.exists(path):
        return ""
    for _ in range(2):
        time.sleep(6)
        write(path, "scan")
        with open(path, encoding="ascii", errors="replace") as file:
            found = file.read()
        if not found:
            break
    return found


def hurry():
    """Grace periods end soon, until the scenario does."""
    write("/sys/kernel/rcu_expedited", 1)
    atexit.register(write, "/sys/kernel/rcu_expedited", 0)


# The module, by the system calls that insmod and rmmod make.

def module_path():
    return os.environ.get("NF_EDGE_KO") or os.path.join(TREE, "nf_edge.ko")


def load_dependencies():
    depends = subprocess.run(["modinfo", "-F", "depends", module_path()], capture_output=True,
                             text=True, check=True).stdout.strip()
    if depends:
        subprocess.run(["modprobe", "-a", *depends.split(",")], check=True)


def module_image():
    """The module without what only debuggers read: less to copy, a thousand times."""
    small = "/tmp/nf_edge-small.ko"
    subprocess.run(["strip", "--strip-debug", "-o", small, module_path()], check=True)
    with open(small, "rb") as file:
        return file.read()


def other_build(path, *changes):
    """The module as another build would be: each (old, new), of one length, everywhere. Its file."""
    with open(module_path(), "rb") as file:
        image = file.read()
    for old, new in changes:
        if old not in image or len(old) != len(new):
            raise ValueError(old)
        image = image.replace(old, new)
    with open(path, "wb") as file:
        file.write(image)
    return path


def family_version(number):
    """A change for other_build(): what struct genl_family has behind the name."""
    name = b"nf_edge".ljust(16, b"\0")
    return name + struct.pack("=I", 1), name + struct.pack("=I", number)


def insert(image):
    """0 or an errno."""
    return 0 if not libc.init_module(image, ctypes.c_ulong(len(image)), b"") else ctypes.get_errno()


def remove():
    """0 or an errno."""
    return 0 if not libc.delete_module(b"nf_edge", O_NONBLOCK) else ctypes.get_errno()


def is_loaded():
    return os.path.isdir("/sys/module/nf_edge")


def slab():
    """KiB that the kernel holds for itself and cannot give back at once."""
    with open("/proc/meminfo", encoding="ascii") as file:
        lines = dict(line.split(":") for line in file)
    return int(lines["SUnreclaim"].split()[0])
