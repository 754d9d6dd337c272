#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Every allocation on every path that changes or shows the policy fails once: the
# first, the second, and so on until the command meets no fault any more. And then
# all of them fail at once.
#
# A command that answers an error has changed nothing: listings, generation and hooks
# are what they were, and the same command works afterwards. One that answers success,
# because it can do without, has done all that it does without faults.
#
#   NF_EDGE_FAULTS_MANY   partners in the long list (150)

import errno
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))
from faults import *  # noqa: E402,F403
from lab import load_module  # noqa: E402
from wire import *  # noqa: E402,F403

tap = Tap()
if not Nth.there():
    print("1..0 # SKIP this kernel fails no allocation on order")
    sys.exit(0)

A, A6, AV, SPARE = "203.0.113.10", "2001:db8:113::10", "203.0.113.11", "203.0.113.13"
MANY = number("MANY", 150)
HOOKS_SENTENCE = "netfilter hooks or connection tracking cannot be registered"

SOME = [("198.51.100.0/24", ["federation"], "all of them"), ("198.51.100.16/28", ["pic"]),
        ("198.51.100.20/32", ["pic", "xmpp"], "one"), ("2001:db8:51::/48", ["federation"], "six"),
        ("2001:db8:51::20/128", ["client"])]
SHARED = [("198.51.100.0/24", ["federation"], "shared", "a.example"), ("198.51.100.0/24", ["pic", "xmpp"], None, "b.example"),
          ("198.51.100.77/32", ["pic"], None, "a.example")]
BLOCKS = [("198.51.100.20/32", "fraud"), ("2001:db8:66::/48", None, 4102444800), ("192.0.2.128/25",)]
LONG = [(f"10.{i % 50}.{i // 50}.{i * 7 % 256}/32", ["messenger"], f"number {i}") for i in range(MANY)]
EDGE = [interface_add("access", A), interface_add("access", A6, "ext0"), interface_add("av", AV)]
HOOKED = load(*EDGE, partner_add(*SOME, *SHARED), block_add(*BLOCKS))
OFF = load(set_status("off"), *EDGE, partner_add(*SOME))
EMPTY = load()
STAGED = [plain("BEGIN"), *EDGE, partner_add(*SOME), set_status("audit", "pass")]
WAITING = [plain("BEGIN"), interface_add("internal", SPARE), partner_add(*LONG[:20]), commit(confirm=3600)]
WAITING_EMPTY = [plain("BEGIN"), commit(confirm=3600, openly=True)]
COMMIT = commit(openly=True)
GATHERED = [plain("BEGIN"), *EDGE, partner_add(*LONG[::-1], tolerant=True), partner_add(*SOME, *LONG[:9], tolerant=True)]

CHANGES = {
    "mode audit": set_status("audit"),
    "mode off": set_status("off"),
    "RTP ports": set_status(ports=ports_map((50000, 50499), (61000, 61000))),
    "every setting": set_status("audit", "pass", "either", ports_map((1, 65535))),
    "a setting as it is": set_status("enforce"),
    "interface add": interface_add("internal", SPARE),
    "interface add with a device": interface_add("internal", SPARE, "int0"),
    "interface add, another role": interface_add("av", A),
    "interface add, a device": interface_add("access", A, "ext0"),
    "interface add, there already": interface_add("access", A, tolerant=True),
    "interface del": interface_del("av", AV),
    "interface flush": interface_flush(),
    "interface flush of a role": interface_flush("av"),
    "partner add": partner_add(("192.0.2.1/32", ["pic"])),
    "partner add with a name": partner_add(("192.0.2.1/32", ["pic"], "a name")),
    "partner add above others": partner_add(("198.51.0.0/16", ["pic"], "wide")),
    "partner add below others": partner_add(("198.51.100.21/32", ["pic"], "narrow")),
    "partner add, another group": partner_add(("198.51.100.0/24", ["messenger"])),
    "partner add, another name": partner_add(("198.51.100.0/24", ["federation"], "renamed")),
    "partner add of several": partner_add(*LONG[:20], ("198.51.100.20/32", ["gateway"], "two"),
                                          ("0.0.0.0/0", ["client"]), ("::/0", ["client"], "all")),
    "partner add of domains": partner_add((*SHARED[0][:2], "renamed", "a.example"), ("198.51.100.0/24", ["xmpp"], "c", "c.example"),
                                         ("192.0.2.9/32", ["pic"], None, "a.example"), ("192.0.2.9/32", ["pic"], "own")),
    "partner add, and others leave": partner_add((*SHARED[0][:2], "", "a.example"), *LONG[:20], (*SHARED[0][:2], None, "", True),
                                                 (SHARED[2][0], (), None, None, True)),
    "partner del of a domain": partner_del((SHARED[0][0], (), None, "a.example"), (SHARED[1][0], ["pic"], None, "b.example")),
    "partner add, there already": partner_add(*SOME[:2], LONG[0], tolerant=True),
    "partner del": partner_del(("198.51.100.16/28",)),
    "partner del of several": partner_del(("198.51.100.0/24",), ("198.51.100.20/32", ["xmpp"]),
                                          ("2001:db8:51::/48",)),
    "partner del, gone already": partner_del(("192.0.2.1/32",), SOME[0][:1], tolerant=True),
    "partner flush": partner_flush(),
    "partner flush of groups": partner_flush("pic", "federation"),
    "block add": block_add(("192.0.2.1/32",)),
    "block add of several": block_add(("192.0.2.1/32", "a reason", 4102444800), ("0.0.0.0/1",), ("2001:db8:66::1/128", "six")),
    "block add, another reason": block_add((BLOCKS[0][0], "spam")),
    "block add, another end": block_add((BLOCKS[0][0], None, 4102444800)),
    "block add, there already": block_add(BLOCKS[0], tolerant=True),
    "block del": block_del(BLOCKS[0][0], BLOCKS[1][0]),
    "block del, gone already": block_del("192.0.2.1/32", tolerant=True),
    "block flush": plain("BLOCK_FLUSH"),
    "rule set": rule_set(("sip-client-in", 0, None)),
    "rule set of several": rule_set(("sip-client-in", 0, "listed"), ("xmpp-in", None, "listed"),
                                    ("av-rtp-out", 0, None)),
    "stats reset": plain("STATS_RESET"),
}
REFUSALS = {
    "interface add, exists": (interface_add("access", A), errno.EEXIST),
    "interface add, another device": (interface_add("access", A6, "int0"), errno.EBUSY),
    "interface del of nothing": (interface_del("av", SPARE), errno.ENOENT),
    "partner add, the last exists": (partner_add(*LONG[:6], SOME[0]), errno.EEXIST),
    "partner del, the last is not there": (partner_del(*[one[:1] for one in SOME], ("192.0.2.1/32",)), errno.ENOENT),
    "block add, the last exists": (block_add(("192.0.2.1/32",), BLOCKS[0]), errno.EEXIST),
    "block del, the last is not there": (block_del(BLOCKS[0][0], "192.0.2.1/32"), errno.ENOENT),
    "rule set of nothing": (rule_set(("xmpp-in", 0, None), ("xmpp-out", None, None)), errno.EINVAL),
    "commit of nothing": (commit(), errno.ENOENT),
    "confirm of nothing": (plain("CONFIRM"), errno.ENOENT),
    "revert of nothing": (plain("REVERT"), errno.ENOENT),
}
READS = {
    "status": plain("STATUS_GET"),
    "interface list": plain("INTERFACE_GET"),
    "partner list": plain("PARTNER_GET"),
    "partner list of a group": ("PARTNER_GET", u32("GROUPS", group_mask(["pic"]))),
    "block list": plain("BLOCK_GET"),
    "block list around an address": ("BLOCK_GET", address("ADDRESS", "198.51.100.20")),
    "rule list": plain("RULE_GET"),
    "drop list": plain("DROP_GET"),
    "explain": explain("198.51.100.20", A, 6, 5061),
    "explain, every row": explain("198.51.100.20", A, 6, 5061, every_row=True),
}


def said(code):
    return errno.errorcode.get(code, str(code)) if code else "success"


def differs(a, b):
    """Where two nests of tuples first do."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        for one, other in zip(a, b):
            if one != other:
                return differs(one, other)
        if len(a) != len(b):
            return f"more or less: {set(a) ^ set(b)}"
    return f"{a}, not {b}"


class Case:
    """What is done under faults: a command on a socket, after others without faults.

    base: the policy in force beforehand; staged: commands on the same socket; command: what
    is done, None for closing the socket; want: the errno that it answers without faults;
    hooks: whether they come or go; kept: what is staged outlives a command that fails.
    """

    def __init__(self, name, base, command, staged=(), want=0, hooks=False, kept=False):
        self.name, self.base, self.command, self.staged, self.want = name, base, command, staged, want
        self.hooks, self.kept = hooks, kept

    def committed(self):
        """The same, when what is staged is committed instead."""
        return Case(self.name, self.base, COMMIT, self.staged, hooks=self.hooks)


def cases():
    for name, command in CHANGES.items():
        yield Case(name, HOOKED, command, hooks=name in ("mode off", "interface flush"))
        yield Case(f"staged: {name}", HOOKED, command, [plain("BEGIN"), *EDGE, partner_add(*SOME, *SHARED), block_add(*BLOCKS)])
    listed = load(*EDGE, partner_add(*SOME), partner_add(*LONG), block_add(*BLOCKS))
    for name, (command, want) in REFUSALS.items():
        yield Case(name, HOOKED, command, want=want)
    for name, command in READS.items():
        yield Case(name, listed, command)
    yield Case("the first interface", EMPTY, interface_add("access", A), hooks=True)
    yield Case("the last interface", load(EDGE[0]), interface_flush(), hooks=True)
    yield Case("mode enforce, from off", OFF, set_status("enforce"), hooks=True)
    yield Case("begin", HOOKED, plain("BEGIN"))
    yield Case("begin with a copy", HOOKED, copied())
    yield Case("commit of no change to a copy", HOOKED, COMMIT, [copied()])
    yield Case("commit of a copy", HOOKED, COMMIT, [copied(), partner_add(*LONG[:20]), plain("BLOCK_FLUSH")])
    yield Case("undo of a setting", HOOKED, plain("UNDO"), [set_status("audit")])
    yield Case("undo of partners that came", HOOKED, plain("UNDO"), [partner_add(*LONG[:20])])
    yield Case("undo of partners that went", HOOKED, plain("UNDO"), [partner_flush("federation")])
    yield Case("undo of a block", HOOKED, plain("UNDO"), [plain("BLOCK_FLUSH")])
    yield Case("undo of the last interface's end", HOOKED, plain("UNDO"), [interface_flush()], hooks=True)
    yield Case("undo of an undo", HOOKED, plain("UNDO"), [partner_flush(), plain("UNDO")])
    yield Case("staged: undo", HOOKED, plain("UNDO"), [partner_flush(), copied()])
    yield Case("undo while one waits", HOOKED, plain("UNDO"), WAITING)
    yield Case("staged reads", HOOKED, ("PARTNER_GET", flag("STAGED")), STAGED)
    yield Case("begin again", HOOKED, plain("BEGIN"), STAGED, kept=True)
    yield Case("commit", HOOKED, plain("COMMIT"), STAGED)
    yield Case("commit of the first interfaces", EMPTY, plain("COMMIT"), STAGED, hooks=True)
    yield Case("commit of what was gathered", HOOKED, plain("COMMIT"), GATHERED)
    yield Case("staged: partner add, gathered", HOOKED, partner_add(*SOME, tolerant=True), GATHERED[:-1])
    yield Case("staged: partner add to what was gathered", HOOKED, partner_add(("192.0.2.1/32", ["pic"])), GATHERED)
    yield Case("staged: partner flush of groups, gathered", HOOKED, partner_flush("pic", "messenger"), GATHERED)
    yield Case("commit of no interfaces, unasked", HOOKED, plain("COMMIT"), [plain("BEGIN")], want=errno.EPERM)
    yield Case("commit of no interfaces", HOOKED, COMMIT, [plain("BEGIN")], hooks=True)
    yield Case("commit, passed", HOOKED, commit(0), STAGED, want=errno.ESTALE)
    yield Case("commit to be confirmed", HOOKED, commit(confirm=3600), STAGED)
    yield Case("commit of the first interfaces to be confirmed", EMPTY, commit(confirm=3600), STAGED, hooks=True)
    yield Case("commit while one waits", HOOKED, plain("COMMIT"), [*WAITING, *STAGED], want=errno.EBUSY)
    yield Case("mode audit while one waits", HOOKED, set_status("audit"), WAITING)
    yield Case("confirm", HOOKED, plain("CONFIRM"), WAITING)
    yield Case("confirm of no interfaces", HOOKED, plain("CONFIRM"), WAITING_EMPTY, hooks=True)
    yield Case("revert", HOOKED, plain("REVERT"), WAITING)
    yield Case("revert to interfaces", HOOKED, plain("REVERT"), WAITING_EMPTY, hooks=True)
    yield Case("revert to none", EMPTY, plain("REVERT"), WAITING, hooks=True)
    yield Case("abort", HOOKED, plain("ABORT"), STAGED)
    yield Case("close in mid-transaction", HOOKED, None, STAGED)


class Bench:
    """Tries a case again and again, and tells what came of it."""

    def __init__(self):
        self.watcher, self.hooks, self.nth = Socket(), Hooks(), Nth()
        self.all_fail = AllFail()
        self.injected = self.swallowed = self.sentences = 0
        self.loaded = None	# (a base, what the listings say of it)

    def state(self, case):
        """(generation, listings and hooks); of those connection tracking leaves its defragmenters
        behind when it fails."""
        generation, listed = self.watcher.state()
        hooked = [one for one in self.hooks.all() if "defrag" not in one] if case.hooks else None
        return generation, (listed, hooked)

    def prepare(self, case):
        """A fresh socket, the base in force and the staged commands done; and the state then."""
        before = self.state(case)
        if before[1][0][0][-1] == ("CONFIRM", True):	# from what was tried before
            self.watcher.ask("REVERT")
            before = self.state(case)
        if not self.loaded or self.loaded[0] is not case.base or self.loaded[1] != before[1]:
            self.watcher.run(case.base)
            before = self.state(case)
            self.loaded = case.base, before[1]
        client = Socket(self.watcher.family)
        client.run(case.staged)
        if case.staged:
            before = self.state(case)
        return client, before

    @staticmethod
    def act(client, case):
        """(errno, sentence, answer)"""
        try:
            if case.command is None:
                client.close()
                return 0, "", None
            return 0, "", client.ask(*case.command)
        except Refused as refused:
            return refused.errno, refused.sentence, None
        except OSError as error:	# what the socket itself has lost: ENOBUFS
            return error.errno, "", None

    @staticmethod
    def leaves_staged(case):
        """Whether what is done beforehand ends in a transaction."""
        return case.staged and [name for name, _ in case.staged if name in ("BEGIN", "COMMIT")][-1:] == ["BEGIN"]

    def stages(self, case):
        """Whether what the command does shows only when it is committed."""
        return self.leaves_staged(case) and case.command and case.command[0] not in ("COMMIT", "ABORT")

    def clean(self, case):
        """(errno, answer, (generations passed, state), the same of what is kept) without faults."""
        kept = self.clean(case.committed())[2] if case.kept else None
        client, before = self.prepare(case)
        code, _, answer = self.act(client, case)
        if self.stages(case):
            client.run([COMMIT])
        after = self.state(case)
        client.close()
        return code, answer, (after[0] - before[0], after[1]), kept

    def verify(self, case, client, before, want, result):
        """A complaint, or None. result: of act() under faults; want: of clean()."""
        code, sentence, answer = result

        def done(what=want[2]):
            after = self.state(case)
            return (after[0] - before[0], after[1]) == what

        if code == case.want:
            if answer is not None and self.stable(case, answer) != self.stable(case, want[1]):
                return f"answered otherwise: {differs(answer, want[1])}"
        else:
            self.sentences += sentence == HOOKS_SENTENCE
            whole = self.state(case) == before
            if not whole and not (code == errno.ENOBUFS and done()):
                return f"answered {said(code)}, and the policy is not what it was: {differs(self.state(case), before)}"
            if code == errno.ENOBUFS:	# the answer was lost, the change made or not
                return None
            if case.kept:
                code, sentence, _ = self.act(client, case.committed())
                return None if done(want[3]) else f"what was staged is lost: {said(code)} {sentence}"
            code, sentence, _ = self.act(client, case)
            if code != case.want:
                return f"afterwards it answered {said(code)} {sentence}"
        if self.stages(case):
            if self.state(case) != before:
                return "a staged change moved the policy in force"
            client.run([COMMIT])
        return None if done() else f"answered {said(code)}, and did not do it: {differs(self.state(case)[1], want[2][1])}"

    @staticmethod
    def stable(case, answer):
        """What two answers have in common when they say the same, be it a second later."""
        passing = {"STATUS_GET": ("UPTIME", "CHANGED", "GENERATION"), "PARTNER_GET": ("IDLE",)}.get(case.command[0])
        if not passing:
            return answer
        return [[item for item in read(one).items() if item[0] not in passing] for one in answer]

    def attempt(self, case, want, fail):
        """fail(act) runs act under faults: (its result, whether there was a fault)."""
        client, before = self.prepare(case)
        result, injected = fail(lambda: self.act(client, case))
        self.injected += injected
        self.swallowed += injected and not result[0]
        complaint = self.verify(case, client, before, want, result)
        client.close()
        return complaint, injected

    def one_by_one(self, case, want):
        n = 0
        while True:
            n += 1

            def fail(act):
                self.nth.arm(n)
                result = act()
                return result, self.nth.disarm()

            complaint, injected = self.attempt(case, want, fail)
            if complaint:
                return n, f"allocation {n}: {complaint}"
            if not injected:
                return n - 1, None

    def all_at_once(self, case, want):
        def fail(act):
            with self.all_fail:
                result = act()
            return result, True

        return self.attempt(case, want, fail)[0]


hurry()
load_module()
bench = Bench()
for case in cases():
    wanted = bench.clean(case)
    faults, complaint = bench.one_by_one(case, wanted) if wanted[0] == case.want else \
        (0, f"without faults it answered {said(wanted[0])}")
    tap.check(f"{case.name}: each of {faults} allocations fails once", not complaint, complaint)
bench.nth.only_module()
for case in cases():
    complaint = bench.all_at_once(case, bench.clean(case))
    tap.check(f"{case.name}: every allocation fails", not complaint, complaint)
print(f"# {bench.injected} faults, {bench.swallowed} of them did no harm")
lost = leaks()
tap.check("no memory is lost", not lost, lost)
tap.check("hooks that cannot be registered are told in a sentence", bench.sentences > 0)
tap.done()
