# SPDX-License-Identifier: GPL-2.0-only
"""What every scenario in Python needs: the module, and name spaces."""

import concurrent.futures
import ctypes
import os
import subprocess
import time

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
EDGECTL = os.path.join(TREE, "tools/edgectl/edgectl")

PATIENCE = 30	# seconds for what is bound to come

libc = ctypes.CDLL(None, use_errno=True)


def load_module():
    """Loads nf_edge from $NF_EDGE_KO, else as it was built in the tree, if it is not there."""
    if os.path.isdir("/sys/module/nf_edge"):
        return
    ko = os.environ.get("NF_EDGE_KO") or os.path.join(TREE, "nf_edge.ko")
    depends = subprocess.run(["modinfo", "-F", "depends", ko], capture_output=True, text=True,
                             check=True).stdout.strip()
    if depends:
        subprocess.run(["modprobe", "-a"] + depends.split(","), check=True)
    subprocess.run(["insmod", ko], check=True)


def until(look, patience=PATIENCE):
    """What a look finds, as soon as it is something."""
    end = time.monotonic() + patience
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


def on_thread(function, *arguments):
    """What a function answers, or raises, on a thread of its own, which may enter other name spaces."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def enter(namespace):
    with open(f"/run/netns/{namespace}", "rb") as file:
        if libc.setns(file.fileno(), 0x40000000):  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), "setns")


def ip(lines, namespace=None):
    words = ["ip"] + (["-n", namespace] if namespace else []) + ["-batch", "-"]
    subprocess.run(words, input="\n".join(lines), text=True, check=True)
