# SPDX-License-Identifier: GPL-2.0-only
"""Takes figures: makes worlds, and has them measured in kernels.

A world is a directory with the files of every firewall for one number of partners and one of Edge
addresses, and world.json, which says who sends.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from bench import prefixes, sources
from firewalls import FIREWALLS

HERE = os.path.dirname(os.path.realpath(__file__))
VM = os.path.join(HERE, "../vm")
UNITS = {"6.1": "instructions", "plain": "nanoseconds"}
SOURCES, FEW = 16384, 512


def more_edges(count):
    return [f"203.0.{114 + n // 250}.{n % 250 + 1}" for n in range(count)]


def write_world(work, chosen, edges, flood=False, quick=False):
    where = os.path.join(work, f"{len(chosen)}-{edges}")
    os.mkdir(where)
    with open(f"{where}/world.json", "w", encoding="ascii") as file:
        json.dump({"partners": len(chosen), "edges": edges, "flood": flood, "quick": quick,
                   **{f"sources{ip}": sources(chosen, FEW if quick else SOURCES, ip) for ip in (4, 6)}}, file)
    for firewall in FIREWALLS:
        firewall.write(where, chosen, more_edges(edges - 1))
    return where


def built(kernel, *what):
    return subprocess.run([f"{VM}/build-module", kernel, *what], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def measure(kernel, worlds, quiet=False):
    """The figures of one kernel, and whether all could be taken."""
    env = {**os.environ, "NF_EDGE_KERNEL": kernel, "NF_EDGE_KO": built(kernel) + "/nf_edge.ko",
           "NF_EDGE_ICOUNT": "1" if UNITS[kernel] == "instructions" else "", "NF_EDGE_TIMEOUT": "3600"}
    env.setdefault("NF_EDGE_MEMORY", "6144")
    words = [f"{VM}/boot", f"{HERE}/measure.py", built(kernel, "bench") + "/nf_edge_bench.ko", *worlds]
    figures, start = [], time.monotonic()
    with subprocess.Popen(words, env=env, text=True, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if line.startswith("{"):
                figures.append({"kernel": kernel, "unit": UNITS[kernel], **json.loads(line)})
            elif line.strip() and not quiet:
                print(f"{time.monotonic() - start:5.0f} s  {kernel}: {line}", end="", file=sys.stderr, flush=True)
    return figures, process.returncode == 0


class Worlds:
    """All that are to be measured, for as long as it takes. quick: packets alone, and fewer."""

    def __init__(self, sizes, edges=(), quick=False):
        self.sizes, self.edges, self.quick = sizes, edges, quick

    def __enter__(self):
        cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "nf_edge")
        os.makedirs(cache, exist_ok=True)
        self.work = tempfile.TemporaryDirectory(prefix="bench-", dir=cache)	# the guest has a /tmp of its own
        everybody, least = prefixes(max(self.sizes)), min(self.sizes)
        worlds = [write_world(self.work.name, everybody[:count], 1, count == least and not self.quick, self.quick)
                  for count in self.sizes]
        return worlds + [write_world(self.work.name, everybody[:least], edges) for edges in self.edges]

    def __exit__(self, *_):
        self.work.cleanup()
