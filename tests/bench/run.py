#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Measures nf_edge beside what else one would use, and prints tables: instructions in a stock kernel
# under QEMU, which counts them, and nanoseconds in User-mode Linux.
#
#   tests/bench/run.py RESULTS.json	all figures go there, and a picture beside it, .svg
#   tests/bench/report.py		makes the tables again, and the README's
#
#   NF_EDGE_BENCH_SIZES      numbers of partners (64,10000,100000,1000000)
#   NF_EDGE_BENCH_EDGES      numbers of Edge addresses, with the smallest table (16,256)
#   NF_EDGE_BENCH_KERNELS    6.1 counts instructions, plain nanoseconds (6.1,plain)
#   NF_EDGE_BENCH_FIREWALLS  nf_edge, nftables, iptables (all)

import json
import os
import subprocess
import sys
import time

from figures import UNITS, VM, Worlds, measure
from report import Figures, picture, report


def numbers(name, default):
    return [int(one) for one in os.environ.get(name, default).split(",") if one]


def main():
    kernels = os.environ.get("NF_EDGE_BENCH_KERNELS", ",".join(UNITS)).split(",")
    sizes = numbers("NF_EDGE_BENCH_SIZES", "64,10000,100000,1000000")
    figures, fine, start = [], True, time.monotonic()
    # Instructions are counted alike whatever else the machine does; nanoseconds are not.
    making = [subprocess.Popen([f"{VM}/built-kernel", kernel], stdout=subprocess.DEVNULL) for kernel in kernels
              if UNITS[kernel] == "nanoseconds"]
    with Worlds(sizes, numbers("NF_EDGE_BENCH_EDGES", "16,256")) as worlds:
        for kernel in kernels:
            if UNITS[kernel] == "nanoseconds":
                for process in making:
                    process.wait()
            more, well = measure(kernel, worlds)
            figures += more
            fine &= well
    results = sys.argv[1]
    with open(results, "w", encoding="ascii") as file:
        file.write("[\n" + ",\n".join(json.dumps(one) for one in figures) + "\n]\n")
    figures = Figures(figures)
    print(report(figures))
    picture(figures, os.path.splitext(results)[0] + ".svg")
    print(f"bench: {results} and {os.path.splitext(results)[0]}.svg; {(time.monotonic() - start) / 60:.0f} minutes")
    sys.exit(not fine)


main()
