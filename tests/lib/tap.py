# SPDX-License-Identifier: GPL-2.0-only
"""Prints TAP."""

import sys


class Tap:
    """Counts and prints tests."""

    def __init__(self):
        self.count = self.failed = 0

    def check(self, name, passed, *diagnosis):
        self.count += 1
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}")
        if not passed:
            self.failed += 1
            for text in diagnosis:
                for line in str(text).splitlines():
                    print(f"# {line}")
        sys.stdout.flush()

    def equal(self, name, **lists):
        """Two lists, called by their keywords, hold the same, and something."""
        (one, first), (other, second) = lists.items()
        self.check(name, first == second and first,
                   *[f"{one} only: {item}" for item in first if item not in second],
                   *[f"{other} only: {item}" for item in second if item not in first],
                   f"{one}: {first}", f"{other}: {second}")

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def done(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)
