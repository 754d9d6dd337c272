#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Measures nf_edge beside what else one would use, and prints tables: instructions in a stock kernel
# under QEMU, which counts them, and nanoseconds in User-mode Linux.
#
#   tests/bench/run.py [RESULTS]	RESULTS: a file for all figures, JSON
#
#   NF_EDGE_BENCH_SIZES    numbers of partners (64,10000,100000,1000000)
#   NF_EDGE_BENCH_EDGES    numbers of Edge addresses, with the smallest table (16,256)
#   NF_EDGE_BENCH_KERNELS  6.1 counts instructions, plain nanoseconds (6.1,plain)

import json
import os
import subprocess
import sys
import tempfile

from firewalls import FIREWALLS, MOST
from bench import SPREAD, partners, prefixes

HERE = os.path.dirname(os.path.realpath(__file__))
VM = os.path.join(HERE, "../vm")
SIZES = [int(one) for one in os.environ.get("NF_EDGE_BENCH_SIZES", "64,10000,100000,1000000").split(",") if one]
EDGES = [int(one) for one in os.environ.get("NF_EDGE_BENCH_EDGES", "16,256").split(",") if one]
KERNELS = os.environ.get("NF_EDGE_BENCH_KERNELS", "6.1,plain").split(",")
UNITS = {"6.1": "instructions", "plain": "ns"}


def more_edges(count):
    return [f"203.0.{112 + n // 250}.{n % 250 + 1}" for n in range(count)] if count else []


def write_world(work, chosen, edges):
    where = os.path.join(work, f"{len(chosen)}-{edges}")
    os.mkdir(where)
    with open(f"{where}/world.json", "w", encoding="ascii") as file:
        json.dump({"partners": len(chosen), "edges": edges, "spread": partners(chosen, SPREAD, 4),
                   "spread6": partners(chosen, SPREAD, 6)}, file)
    for firewall in FIREWALLS:
        if len(chosen) <= MOST.get(firewall.name, len(chosen)):
            firewall.write(where, chosen, [one for one in more_edges(edges + 20)
                                           if not one.startswith("203.0.113.1")][:edges - 1])
    return where


def built(*words):
    return subprocess.run([f"{VM}/build-module", *words], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def measure(kernel, worlds):
    """The figures, as dicts."""
    env = {**os.environ, "NF_EDGE_KERNEL": kernel, "NF_EDGE_KO": built(kernel) + "/nf_edge.ko", "NF_EDGE_MEMORY": "4096",
           "NF_EDGE_TIMEOUT": "3600", "NF_EDGE_ICOUNT": "1" if UNITS[kernel] == "instructions" else ""}
    words = [f"{VM}/boot", f"{HERE}/measure.py", built(kernel, "bench") + "/nf_edge_bench.ko", *worlds]
    figures = []
    with subprocess.Popen(words, env=env, text=True, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if not line.startswith("{"):
                sys.stderr.write(line)
                continue
            figures.append({**json.loads(line), "kernel": kernel, "unit": UNITS[kernel]})
    if process.returncode:
        print(f"bench: {kernel}: exit status {process.returncode}", file=sys.stderr)
    return figures


def table(figures, kernel, edges):
    """What each firewall takes, a line for each kind of packet; with so many partners."""
    chosen = [one for one in figures if one["kernel"] == kernel and one["edges"] == edges]
    columns = []
    for one in chosen:
        column = one["firewall"], one["partners"]
        if column not in columns and one["firewall"] != "none":
            columns.append(column)
    rows = list(dict.fromkeys(one["what"] for one in chosen))
    print(f"\n{UNITS[kernel]}, Linux {kernel}, {edges} Edge address{'es' if edges > 1 else ''}\n")
    print("| what | " + " | ".join(f"{name}, {count:,}" for name, count in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for row in rows:
        cells = {(one["firewall"], one["partners"]): one["net"] for one in chosen if one["what"] == row}
        if set(cells) - {("none", count) for _, count in columns}:
            print(f"| {row} | " + " | ".join(f"{cells[column]:,.0f}" if column in cells else "" for column in columns) + " |")


def main():
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "nf_edge")
    os.makedirs(cache, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=cache) as work:	# the guest has a /tmp of its own
        everybody = prefixes(max(SIZES))
        worlds = [write_world(work, everybody[:count], 1) for count in SIZES]
        worlds += [write_world(work, everybody[:min(SIZES)], edges) for edges in EDGES]
        figures = []
        for kernel in KERNELS:
            figures += measure(kernel, worlds)
    for kernel in KERNELS:
        for edges in [1] + EDGES:
            table(figures, kernel, edges)
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="ascii") as file:
            json.dump(figures, file, indent=1)


main()
