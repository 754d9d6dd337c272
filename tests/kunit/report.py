# SPDX-License-Identifier: GPL-2.0-only
"""What a KUnit kernel said and covered, as flat TAP: report.py BUILD BUILD-LOG COMPLAINTS"""

import glob
import json
import os
import re
import subprocess
import sys

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TREE, "tests/lib"))
from tap import Tap  # noqa: E402

RESULT = re.compile(r"^( *)(ok|not ok) (\d+) ?(?:- )?(.*?)(?: # (SKIP.*))?$")
HEADER = re.compile(r"^ *(KTAP version|# Subtest:|# module:)")
PLAN = re.compile(r"^( *)1\.\.(\d+)$")
INDENT = 4
# Which file, and the object that it is compiled into.
PURE = {"policy.c": "policy", "judge.h": "policy", "ports.c": "ports", "prefix.c": "prefix",
        "tree.c": "tree", "roll.c": "roll"}
COMPLETE = ["policy.c", "judge.h"]       # the law


def read_lines(path):
    try:
        with open(path, encoding="utf-8", errors="backslashreplace") as file:
            return [re.sub(r"^\[ *\d+\.\d+\] ", "", line.rstrip("\r\n")) for line in file]
    except FileNotFoundError:
        return []


class Ktap:
    """KTAP's suites, tests and parameters; the tests' results become ours."""

    def __init__(self, tap, lines):
        self.tap = tap
        self.lines = lines
        self.suites = []

    def report(self):
        """One line a test; a suite's own result only where its tests do not explain it."""
        plans, counts = {}, {}
        said, parameters, tests = [], 0, []
        for line in self.lines:
            if plan := PLAN.match(line):
                depth = len(plan[1]) // INDENT
                plans[depth], counts[depth] = int(plan[2]), 0
                continue
            result = RESULT.match(line)
            if not result:
                if not HEADER.match(line):
                    said.append(line)
                continue
            depth, passed, name = len(result[1]) // INDENT, result[2] == "ok", result[4]
            counts[depth] = counts.get(depth, 0) + 1
            if depth == 2:
                parameters += 1
                if not passed:
                    said.append(f"failed with: {name}")
                continue
            if depth == 1:
                tests.append((name, passed, parameters, result[5], said))
            else:
                self.suite(name, passed, tests, (plans.pop(1, None), counts.pop(1, 0)))
                tests = []
            said, parameters = [], 0
        if tests:
            self.suite("the last suite", False, tests, (plans.get(1), counts.get(1, 0)))
        self.tap.check("every suite ran to its end",
                       plans.get(0) and plans[0] == counts.get(0, 0),
                       f"planned {plans.get(0)}, saw {counts.get(0, 0)}", *self.lines[-60:])

    def suite(self, name, passed, tests, plan_and_count):
        self.suites.append(name)
        for test, test_passed, parameters, skip, said in tests:
            title = f"{name}: {test}" + (f" ({parameters})" if parameters else "")
            self.tap.check(title + (f" # {skip}" if skip else ""), test_passed, *said)
        plan, count = plan_and_count
        if plan != count or passed != all(test[1] for test in tests) or not tests:
            self.tap.check(f"{name}: runs what it planned", False, f"planned {plan}, saw {count}")


def first(lines, pattern):
    """The first line that matches, with what follows it."""
    for number, line in enumerate(lines):
        if re.search(pattern, line):
            return lines[number:number + 25]
    return []


class Coverage:
    """Of one file: how often each line ran, and each way that a line may go."""

    def __init__(self, build, name):
        self.lines, self.branches = {}, {}
        data = glob.glob(f"{build}/net/netfilter/nf_edge/{PURE[name]}.gcda")
        if not data:
            return
        output = subprocess.run(
            ["gcov", "--json-format", "--branch-probabilities", "--stdout", *data],
            cwd=build, check=True, capture_output=True, text=True).stdout
        for file in json.loads(output)["files"]:
            if os.path.basename(file["file"]) == name:
                for line in file["lines"]:
                    self.add(line)

    def add(self, line):
        """A line of an inlined function comes once for every place that it went to."""
        number = line["line_number"]
        self.lines[number] = self.lines.get(number, 0) + line["count"]
        counts = [branch["count"] for branch in line["branches"]]
        known = self.branches.get(number, [])
        if len(known) == len(counts):
            counts = [a + b for a, b in zip(known, counts)]
        else:
            counts = known + counts
        if counts:
            self.branches[number] = counts

    @staticmethod
    def share(counts):
        return f"{sum(map(bool, counts))} of {len(counts)}"

    def line_share(self):
        return self.share(self.lines.values())

    def branch_share(self):
        return self.share([count for counts in self.branches.values() for count in counts])

    def missed_lines(self):
        return sorted(number for number, count in self.lines.items() if not count)

    def missed_branches(self):
        """Line numbers, each with how many of its ways were never gone."""
        return {number: counts.count(0) for number, counts in sorted(self.branches.items())
                if not all(counts)}


def source_lines(name, numbers):
    with open(f"{TREE}/kmod/{name}", encoding="utf-8") as file:
        text = file.read().splitlines()
    return [f"kmod/{name}:{number}: {text[number - 1].strip()}" for number in numbers]


class Unreachable:
    """The list of branches that no test can take."""

    def __init__(self):
        with open(os.path.join(os.path.dirname(__file__), "unreachable"), encoding="utf-8") as file:
            lines = [line.rstrip("\n") for line in file]
        self.entries = [line.split(" ", 2) for line in lines if line and line[0] != "#"]
        self.used = set()

    def excuse(self, line, missed):
        """Whether it is known that so many of the line's ways are never gone."""
        for number, (file, ways, text) in enumerate(self.entries):
            if line.startswith(f"kmod/{file}:") and text in line and missed <= int(ways):
                self.used.add(number)
                return True
        return False

    def idle(self):
        return [" ".join(entry) for number, entry in enumerate(self.entries)
                if number not in self.used]


def report_coverage(tap, build):
    unreachable = Unreachable()
    for name in PURE:
        coverage = Coverage(build, name)
        print(f"# coverage {name}: lines {coverage.line_share()}, "
              f"branches {coverage.branch_share()}")
        lines = source_lines(name, coverage.missed_lines())
        missed = coverage.missed_branches()
        if name not in COMPLETE:
            for line in lines:
                print(f"# coverage never runs {line}")
            continue
        branches = [line for line, ways in zip(source_lines(name, missed), missed.values())
                    if not unreachable.excuse(line, ways)]
        tap.check(f"every line of {name} is run", coverage.lines and not lines, *lines)
        tap.check(f"every branch of {name} is taken, or known to be unreachable",
                  coverage.branches and not branches, *branches)
    idle = unreachable.idle()
    tap.check("every unreachable branch is there and not taken", not idle, *idle)


def main():
    build, log, complaints = sys.argv[1:]
    tap = Tap()
    built = read_lines(log)
    tap.check("the kernel builds", os.path.exists(f"{build}/linux"),
              *first(built, r"error:|nf_edge/.*in function") or built[-60:])
    if tap.failed:
        tap.done()
    warned = first(built, "nf_edge/.*warning:")
    tap.check("the module and its tests build without a warning", not warned, *warned)

    said = read_lines(f"{build}/test.log")
    ktap = Ktap(tap, said)
    ktap.report()
    for path in sorted(glob.glob(f"{TREE}/kmod/*_test.c")):
        suite = "nf_edge_" + os.path.basename(path).removesuffix("_test.c")
        tap.check(f"{suite} is among the suites", suite in ktap.suites)
    complaint = first(said, complaints)
    tap.check("the kernel has nothing to complain of", said and not complaint, *complaint)
    report_coverage(tap, build)
    tap.done()


main()
