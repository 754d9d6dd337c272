#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The scenarios that send packets, among a million partners with whom none of them talks. And one partner more
# than there may be is refused.
#
#   NF_EDGE_PARTNERS   how many (1,000,000)

import concurrent.futures
import os
import subprocess
import sys
import tempfile

TESTS = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "bench")]
from bench import prefixes, text  # noqa: E402
from lab import EDGECTL, load_module  # noqa: E402
from tap import Tap  # noqa: E402

PARTNERS = int(os.environ.get("NF_EDGE_PARTNERS") or 1_000_000)
SCENARIOS = "decides", "reasons", "rows", "revoke", "flows", "audit", "local"
MOST = 4 << 20		# NF_EDGE_PARTNERS_MAX
TOO_MANY = "there are too many partners"


def among(crowd, scenario):
    """A scenario in name spaces of its own: what it said, and whether all was well."""
    done = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
                           f"{TESTS}/lib/guest-setup", f"{TESTS}/netns/{scenario}.py"],
                          env={**os.environ, "NF_EDGE_CROWD": crowd}, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout, done.returncode == 0


def edgectl(*words, given=None):
    return subprocess.run([EDGECTL, *words], input=given, text=True, check=False, capture_output=True)


def count():
    return int(edgectl("-j", "status").stdout.split('"partners":')[1].split(",")[0].rstrip("}\n"))


def hosts(number):
    """A policy with that many partners."""
    first = 1 << 24
    return "".join(f"partner add {n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}\n" for n in range(first, first + number))


load_module()
tap = Tap()
with tempfile.NamedTemporaryFile("w", encoding="ascii") as crowd:
    crowd.writelines(f"partner add {text(one)}\n" for one in prefixes(PARTNERS))
    crowd.flush()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(among, [crowd.name] * len(SCENARIOS), SCENARIOS))
    for scenario, (said, well) in zip(SCENARIOS, results):
        lines = said.splitlines()
        tap.check(f"{scenario}: {sum(line.startswith('ok ') for line in lines)} tests among {PARTNERS:,} partners", well,
                  *(lines[-20:] if not any(line.startswith("not ok") for line in lines) else
                    [line for line in lines if line.startswith(("not ok", "#"))][:40]))

done = edgectl("load", "-", given=hosts(MOST))
tap.check(f"there may be {MOST:,} partners", done.returncode == 0 and count() == MOST, done.stderr)
done = edgectl("partner", "add", "198.51.100.1")
tap.check("one more is refused", done.returncode == 1 and TOO_MANY in done.stderr, done.stderr)
done = edgectl("load", "-", given=hosts(MOST + 1))
tap.check("... in a file, too", done.returncode == 1 and TOO_MANY in done.stderr, done.stderr)
tap.check("nothing has changed", count() == MOST)
done = edgectl("partner", "flush", "all")
tap.check("and all can go", done.returncode == 0 and count() == 0, done.stderr)
tap.done()
