#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The module against an oracle: the same policies as nftables rules, in the same
# kernel, judge the same random packets; and explain is asked what it would say.
#
#   ext0, int0, alt0 --- [this name space: nf_edge in audit, nftables]     see gateway.py
#
#   NF_EDGE_ORACLE_PACKETS   about how many (1,000,000)
#   NF_EDGE_ORACLE_STORIES   how many stories, of two policies each (60)
#   NF_EDGE_ORACLE_STORY     only this one of them
#   NF_EDGE_SEED             the run to repeat

import collections
import multiprocessing
import multiprocessing.connection
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway, enter_new_namespace  # noqa: E402
from policy import NAMES, REASONS  # noqa: E402
from lab import load_module  # noqa: E402
from tap import Tap  # noqa: E402
from traffic import story  # noqa: E402

PACKETS = int(os.environ.get("NF_EDGE_ORACLE_PACKETS") or 1_000_000)
STORIES = int(os.environ.get("NF_EDGE_ORACLE_STORIES") or 60)
SEED = os.environ.get("NF_EDGE_SEED") or str(random.SystemRandom().randrange(1 << 32))
ENOUGH = 3  # disagreements are told; then a worker stops


def moved(after, before):
    """What moved between two readings."""
    found = {}
    for name, value in after.items():
        old = before.get(name, 0 if name.endswith("/flows") else (0, 0))
        if value != old:
            found[name] = value - old if name.endswith("/flows") else (value[0] - old[0], value[1] - old[1])
    return found


def added(one, other):
    total = dict(one)
    for name, value in other.items():
        if name.endswith("/flows"):
            total[name] = total.get(name, 0) + value
        else:
            packets, size = total.get(name, (0, 0))
            total[name] = packets + value[0], size + value[1]
    return total


def counted(classes, packets):
    """What counters say of packets in these classes."""
    total = {}
    for which, packet in zip(classes, packets):
        count, size = total.get(which, (0, 0))
        total[which] = count + 1, size + packet.length
    return total


def without(counters, names):
    return {name: value for name, value in counters.items() if name not in names}


def packets_of(counters):
    return {name: value for name, value in counters.items() if not name.endswith("/flows")}


class Totals:
    """What was compared."""

    def __init__(self):
        self.classes = collections.Counter()  # packets by row, reason or pass, in the oracle's words
        self.kinds = collections.Counter()    # packets by what they are
        self.explained = {}                   # why: (packets, those that the oracle judged otherwise)
        self.asked = self.enforced = 0

    def add(self, other):
        self.classes += other.classes
        self.kinds += other.kinds
        self.asked += other.asked
        self.enforced += other.enforced
        for why, (packets, differing) in other.explained.items():
            self.explain(why, packets, differing)

    def explain(self, why, packets, differing):
        count, others = self.explained.get(why, (0, 0))
        self.explained[why] = count + packets, others + differing


class Comparison:
    """Three answers to the same packets."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.totals = Totals()
        self.edge = self.entered = self.sent = {}

    def read(self):
        """The counters anew, and what moved: of the module, of what entered, of what the gateway sent."""
        old = self.edge, self.entered, self.sent
        self.edge = self.gateway.edge_counters()
        self.entered = self.gateway.nft_counters("oracle")
        self.sent = self.gateway.nft_counters("answers") if self.gateway.answering else {}
        return [moved(new, before) for new, before in zip((self.edge, self.entered, self.sent), old)]

    def load(self, policy, local):
        self.gateway.load(policy, local)
        self.read()

    def explain(self, packets):
        """What explain says of each packet."""
        return self.gateway.explain([packet.question for packet in packets])

    def compare(self, batch):
        """Sends a batch; the answers when they differ, or None."""
        count = len(batch.packets)
        want = None
        if batch.asked:
            want = counted(self.explain(batch.packets), batch.packets)
            self.totals.asked += count
        elif batch.expect:
            want = {} if batch.expect == "nothing" else counted([batch.expect] * count, batch.packets)
        for packet in batch.packets:
            self.gateway.put(packet)
        edge, entered, sent = self.read()
        both = added(entered, sent)
        here = packets_of(entered if batch.packets[0].enters else sent)
        answers = {"nf_edge": edge, "nftables": both, "of these": here, "explain" if batch.asked else "policy": want}

        self.totals.kinds.update(packet.kind for packet in batch.packets)
        self.totals.enforced += count if batch.enforced else 0
        self.totals.classes.update({name: packets for name, (packets, _) in here.items()})
        if batch.why:
            agreeing = sum(min(packets, want.get(name, (0, 0))[0]) for name, (packets, _) in here.items())
            self.totals.explain(batch.why, count, count - agreeing)
            agree = packets_of(edge) == without(want, ["pass"])
        elif batch.enforced:
            # nftables sees what nf_edge lets through, and that is what explain says
            agree = without(edge, REASONS) == without(both, ["pass"]) and (
                want is None or here == without(want, REASONS) and packets_of(edge) == without(want, ["pass"]))
        else:
            agree = edge == without(both, ["pass"]) and (want is None or want == here)
        seen = sum(packets for name, (packets, _) in here.items())
        if batch.enforced:
            seen += sum(packets for packets, _ in without(packets_of(edge), NAMES).values())
        if not agree or seen != count and not batch.lossy and not batch.why:
            return {**answers, "sent": count}
        return None


def play(comparison, steps, apart):
    """Plays a story; apart: packet by packet. The first difference: (policy, batch, answers)."""
    policy = None
    comparison.gateway.flush()
    for step in steps:
        if isinstance(step, str):
            comparison.gateway.set_mode(step)
        elif isinstance(step, tuple):
            policy = step[0]
            comparison.load(*step)
        else:
            for batch in step.singly() if apart else [step]:
                answers = comparison.compare(batch)
                if answers:
                    return policy, batch, answers
    return None


def describe(packet):
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6

    frames = [(IP if frame[0] >> 4 == 4 else IPv6)(frame) for frame in packet.frames]
    return [f"{packet.kind}, enters by {packet.enters or '(sent by the gateway)'}",
            *[frame.summary() for frame in frames], *[frame.hex() for frame in packet.frames]]


def told(number, policy, batch, answers):
    """A difference as lines."""
    lines = [f"story {number}: NF_EDGE_SEED={SEED} NF_EDGE_ORACLE_STORY={number}",
             *[f"  {who}: {what}" for who, what in answers.items()]]
    if len(batch.packets) > 1:
        lines.append(f"  {len(batch.packets)} packets; one by one they do not differ")
    else:
        lines += [f"  {line}" for line in describe(batch.packets[0])]
    return lines + [f"  | {line}" for line in policy.text().splitlines()]


def work(numbers, quota, parent):
    """A worker's stories, in a name space of its own; a message to the parent about each."""
    enter_new_namespace()
    comparison = Comparison(Gateway())
    differences = 0
    for number in numbers:
        def again(number=number):
            return story(random.Random(f"{SEED} {number}"), quota)

        lines = []
        difference = play(comparison, again(), False)
        if difference:
            lines = told(number, *(play(Comparison(comparison.gateway), again(), True) or difference))
            differences += 1
        parent.send((comparison.totals, lines))
        comparison.totals = Totals()
        if differences == ENOUGH:
            break


def run(numbers, workers):
    """(totals, lines about differences, whether all workers came to their end) of all stories."""
    quota = PACKETS * 21 // 20 // STORIES  # a story may be a little short
    children, pipes = [], []
    for worker in range(workers):
        mine, pipe = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.Process(target=work, args=(numbers[worker::workers], quota, pipe))
        child.start()
        pipe.close()
        children.append(child)
        pipes.append(mine)
    totals, differences, stories = Totals(), [], 0
    while pipes:
        for pipe in multiprocessing.connection.wait(pipes):
            try:
                more, lines = pipe.recv()
            except EOFError:
                pipes.remove(pipe)
                continue
            totals.add(more)
            stories += 1
            if lines:
                differences.append(lines)
                print(*[f"# {line}" for line in lines], sep="\n", flush=True)
            if stories % max(len(numbers) // 10, 1) == 0:
                print(f"# {stories} stories, {sum(totals.kinds.values()):,} packets", flush=True)
    for child in children:
        child.join()
    return totals, differences, all(child.exitcode == 0 for child in children)


def main():
    print(f"# NF_EDGE_SEED={SEED}", flush=True)
    load_module()
    only = os.environ.get("NF_EDGE_ORACLE_STORY")
    numbers = [int(only)] if only else list(range(STORIES))
    totals, differences, whole = run(numbers, min(os.cpu_count() or 1, len(numbers)))

    tap = Tap()
    packets = sum(totals.kinds.values())
    tap.check("all stories came to their end", whole and not differences)
    tap.check(f"{packets:,} packets under {2 * len(numbers)} policies: nf_edge and nftables agree", not differences,
              f"{len(differences)} stories differ, see above")
    tap.check(f"explain foretold {totals.asked:,} first packets", totals.asked > 0 and not differences)
    tap.check(f"{totals.enforced:,} packets in enforce: what is accepted comes through, and nothing else",
              totals.enforced > 0 and not differences)
    if not only:
        tap.check(f"as many packets as were ordered: {PACKETS:,}", packets >= PACKETS)
        for name in [*NAMES, *REASONS, "pass"]:
            tap.check(f"{name}: {totals.classes[name]:,} packets", totals.classes[name] > 0)
    for why, (count, differing) in sorted(totals.explained.items()):
        tap.check(f"explained, {differing:,} of {count:,} packets that nftables judges otherwise: {why}", differing > 0)
    for kind, count in totals.kinds.most_common():
        print(f"# sent: {count:,} {kind}")
    tap.done()


if __name__ == "__main__":
    main()
