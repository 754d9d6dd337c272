#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Mutated netlink messages, made from the specification, to the module.

Two workers send them, each to a name space of its own, where it knows what is in force, and now
and then both to a third one, the arena. Some messages are spoiled so that they must be refused;
the others (wild) may be. After a batch that was refused whole, a listing of the policy says what
it said before, byte for byte; what was refused among wild ones is sent again until it makes such
a batch.

  NF_EDGE_FUZZ_MESSAGES   messages (1,000,000)
  NF_EDGE_SEED            as printed
"""

import ctypes
import errno
import json
import os
import random
import socket
import struct
import sys
import traceback
import zlib

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[1:1] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "lib")]
import lab  # noqa: E402
from genl import Genl, Spec  # noqa: E402
from maker import HEADER, U32, Maker  # noqa: E402
from nl import ACK, DUMP, DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, REQUEST, attrs, messages  # noqa: E402
from tap import Tap  # noqa: E402

MESSAGES = int(os.environ.get("NF_EDGE_FUZZ_MESSAGES", 1000000))
SEED = int(os.environ.get("NF_EDGE_SEED") or random.SystemRandom().randrange(1 << 32))
WORKERS = 2
BATCH = 128			# of spoiled messages; of wild ones a quarter
MEMORY_MAX = 64 << 10		# KiB that may be gone in the end
KEEP = 3			# failures of a kind that are told,
LONG = 20000			# with so many bytes of a message


class MessageHeader(ctypes.Structure):
    """struct mmsghdr"""
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32),
                ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_size_t), ("length", ctypes.c_size_t)]


class Receiver:
    """Takes many datagrams with one system call."""

    COUNT, SIZE = 64, 1 << 16

    def __init__(self):
        self.buffer = bytearray(self.COUNT * self.SIZE)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self.buffer))
        self.vectors = (ctypes.c_size_t * (2 * self.COUNT))()
        self.headers = (MessageHeader * self.COUNT)()
        for n in range(self.COUNT):
            self.vectors[2 * n], self.vectors[2 * n + 1] = base + n * self.SIZE, self.SIZE
            self.headers[n].iov = ctypes.addressof(self.vectors) + 16 * n
            self.headers[n].iovlen = 1
        self.call = ctypes.CDLL(None, use_errno=True).recvmmsg

    def take(self, sock):
        """Every message that is there: (type, flags, sequence, payload)."""
        view = memoryview(self.buffer)
        while True:
            count = self.call(sock.fileno(), self.headers, self.COUNT, socket.MSG_DONTWAIT, None)
            if count < 0:
                if ctypes.get_errno() == errno.EAGAIN:
                    return
                raise OSError(ctypes.get_errno(), "recvmmsg")
            for n in range(count):
                yield from messages(view[n * self.SIZE:n * self.SIZE + self.headers[n].length])


class Failures:
    """What went wrong, by kind."""

    def __init__(self):
        self.found = {}

    def tell(self, kind, text, *requests):
        told = self.found.setdefault(kind, [0, []])
        told[0] += 1
        if len(told[1]) < KEEP:
            told[1].append(text + "".join(f"\n  {request[:LONG].hex()}" for request in requests))

    def check(self, kind, fine, text, *requests):
        if not fine:
            self.tell(kind, text, *requests)
        return fine


ANSWERS = "the kernel answers every message"
REFUSES = "what must be refused is refused"
KEEPS = "a refusal changes nothing"
SAYS = "a refusal says why"
AGREES = "status, listings and notifications agree"
VANISHES = "an abandoned transaction leaves nothing, and refusals inside one nothing either"
INTERRUPTED = "a listing into which a change falls says so"
KINDS = [ANSWERS, REFUSES, KEEPS, SAYS, AGREES, VANISHES, INTERRUPTED]
SPEECHLESS = (errno.EPERM, errno.EOPNOTSUPP, errno.EBUSY)


class Front:
    """The sockets of a worker in one name space, and what it knows of the policy there."""

    def __init__(self, worker, namespace):
        lab.enter(namespace)
        self.worker, self.spec = worker, worker.spec
        self.clients = [Genl(self.spec).roomy() for _ in range(4)]
        os.seteuid(65534)
        self.stranger = Genl(self.spec)
        os.seteuid(0)
        self.stranger.roomy()
        self.auditor, self.listener = Genl(self.spec).roomy(), Genl(self.spec).roomy()
        self.listener.subscribe("config")
        self.namespace = namespace
        self.known = self.audit()

    def renew(self, place):
        """Closes a socket as it is, whatever it was in the middle of."""
        self.clients[place].close()
        lab.enter(self.namespace)
        self.clients[place] = Genl(self.spec).roomy()

    def raw(self, name):
        """The listing as it comes, without heads."""
        op = self.spec.ops[name]
        self.auditor.socket.send(HEADER.pack(20, self.auditor.family, REQUEST | DUMP, 1, 0,
                                             op.value, 1, 0))
        found, interrupted = [], False
        for type_, flags, _, payload in self.worker.receiver.take(self.auditor.socket):
            interrupted |= bool(flags & DUMP_INTR)
            if type_ == self.auditor.family:
                found.append(bytes(payload[4:]))
        return found, interrupted

    def status(self):
        found = self.auditor.do("status-get")
        del found["uptime"]
        return {**found, "rtp-ports": zlib.crc32(found["rtp-ports"])}

    def audit(self):
        """What is in force; not for how long a partner has been idle."""
        idle = self.spec.sets["edge"]["idle"].value
        return [self.status()] + [[[one for one in attrs(each) if one[0] != idle] for each in self.raw(name)[0]]
                                  for name in ("interface-get", "partner-get", "rule-get")]

    def agree(self, tell):
        """Whether the status fits the listings; a policy that moves meanwhile proves nothing."""
        before = self.status()
        (interfaces, one), (partners, two) = self.raw("interface-get"), self.raw("partner-get")
        if one or two or self.status() != before:
            return
        keys = []
        for each in partners:
            values = dict(attrs(each))
            address = values[self.spec.sets["edge"]["address"].value]
            bits = U32.unpack(values[self.spec.sets["edge"]["prefix-len"].value])[0]
            groups = U32.unpack(values[self.spec.sets["edge"]["groups"].value])[0]
            keys.append((len(address), address, bits, values.get(self.spec.sets["edge"]["domain"].value, b"")))
            tell(AGREES, bits <= len(address) * 8 and 0 < groups < 64, f"a partner {values}")
        tell(AGREES, keys == sorted(set(keys)), "partners are not in order, or twice there")
        prefixes = len({key[:3] for key in keys})
        tell(AGREES, (before["interfaces"], before["partners"]) == (len(interfaces), prefixes),
             f"{before} lists {len(interfaces)} interfaces and {prefixes} prefixes")

    def heard(self):
        """The commands of the changes of the policy that were told since."""
        command = self.spec.sets["edge"]["command"].value
        told = [U32.unpack(dict(attrs(payload[4:]))[command])[0]
                for _, _, _, payload in self.worker.receiver.take(self.listener.socket)]
        others = [self.spec.ops[name].value for name in ("stats-reset", "confirm")]
        return [each for each in told if each not in others]


def difference(before, after):
    """What is in one audit and not in the other, in words."""
    words = [f"{key} {value} -> {after[0][key]}" for key, value in before[0].items()
             if value != after[0][key]]
    for one, other, sign in ((before, after, "-"), (after, before, "+")):
        words += [sign + " ".join(f"{number}:{bytes(value).hex()}" for number, value in each)
                  for have, lack in zip(one[1:], other[1:]) for each in have if each not in lack]
    return ", ".join(words) or "another order"


class Worker:
    """Sends its share."""

    def __init__(self, number, share):
        self.spec, self.share, self.sent = Spec(), share, 0
        self.rng = random.Random(f"{SEED}/{number}")
        self.maker = Maker(self.spec, self.rng)
        self.failures, self.receiver = Failures(), Receiver()
        self.pool, self.sequence = [], 0
        self.home = Front(self, f"home{number}")
        self.arena = Front(self, "arena")

    def transmit(self, client, requests, lie=b""):
        """Sends messages at once; each one's error (0: none, None: no answer)."""
        first, batch = self.sequence + 1, []
        for message in requests:
            self.sequence += 1
            batch.append(message.encode(client.family, self.sequence))
        self.sequence += 1
        self.sent += len(batch)
        client.socket.send(b"".join(batch) + lie)
        # Nothing is left that would go back by itself, or hold up commits; then the end.
        for name, sequence in (("confirm", 0), ("status-get", self.sequence)):
            client.socket.send(HEADER.pack(20, client.family, REQUEST | ACK, sequence, 0,
                                           self.spec.ops[name].value, 1, 0))
        errors = dict.fromkeys(range(first, self.sequence + 1))
        for type_, _, sequence, payload in self.receiver.take(client.socket):
            if sequence not in errors:
                continue
            if type_ == NLMSG_ERROR:
                errors[sequence] = -struct.unpack_from("=i", payload)[0]
                if errors[sequence] and sequence - first < len(batch):
                    self.reason(errors[sequence], payload[20:], batch[sequence - first])
            elif type_ == NLMSG_DONE:
                errors[sequence] = 0
        self.failures.check(ANSWERS, errors.pop(self.sequence) == 0, "silence after", *batch[-8:])
        return list(errors.values()), batch

    def reason(self, error, tlvs, request):
        """A refusal has a sentence, and the attribute that it blames is one."""
        if error in SPEECHLESS or len(request) < 20 or struct.unpack_from("=I", request)[0] < 20:
            return
        found = dict(attrs(tlvs))
        self.failures.check(SAYS, len(found.get(1, b"")) > 1, f"{errno.errorcode.get(error, error)} only",
                            request)
        if 2 in found:
            offset = U32.unpack(found[2])[0]
            self.failures.check(SAYS, 20 <= offset < len(request), f"blames offset {offset}",
                                request)

    def unchanged(self, kind, what, *requests):
        front = self.home
        now = front.audit()
        if now != front.known:
            self.failures.tell(kind, f"{what}: {difference(front.known, now)}", *requests)
            front.known = now
        told = front.heard()
        self.failures.check(AGREES, not told, f"{what}, but told: {told}", *requests)

    def spoil(self):
        """A batch that must be refused, on any socket."""
        client = self.rng.choice(self.home.clients)
        requests = [self.maker.spoiled() for _ in range(BATCH)]
        errors, batch = self.transmit(client, requests)
        for error, request in zip(errors, batch):
            self.failures.check(REFUSES, error, f"answered {error}", request)
        self.unchanged(KEEPS, "all were refused", *batch)

    def trespass(self):
        """Whatever a stranger asks: to change something, and anything."""
        admin = [name for name, op in self.maker.ops.items() if op.admin]
        requests = [self.maker.valid(self.rng.choice(admin)) for _ in range(BATCH)]
        requests += [self.maker.wild() for _ in range(BATCH // 4)]
        errors, batch = self.transmit(self.home.stranger, requests)
        for error, request in zip(errors[:BATCH], batch):
            self.failures.check(REFUSES, error == errno.EPERM, f"a stranger was answered {error}",
                                request)
        self.unchanged(KEEPS, "a stranger was refused", *batch)

    def run_wild(self, front):
        client = self.rng.choice(front.clients)
        lie = b""
        if self.rng.random() < .2:	# a message that does not end; the kernel drops it
            lie = HEADER.pack(self.rng.choice((0, 15, 24, 1 << 31)), client.family, REQUEST | ACK, 0,
                              0, self.rng.randrange(20), 1, 0)
        requests = [self.maker.wild() for _ in range(BATCH // 4)]
        errors, _ = self.transmit(client, requests, lie)
        return [message for message, error in zip(requests, errors) if error]

    def roam(self):
        front = self.home
        generation = front.known[0]["generation"]
        self.pool += self.run_wild(front)
        front.known = front.audit()
        told = front.heard()
        moved = front.known[0]["generation"] - generation
        self.failures.check(AGREES, moved == len(told), f"{moved} generations, told: {told}")
        while len(self.pool) >= BATCH:
            self.replay()

    def replay(self):
        """What was refused once, until a whole batch of it is; on a socket without transaction."""
        place = self.rng.randrange(len(self.home.clients))
        self.home.renew(place)
        again, self.pool = self.pool[:BATCH], self.pool[BATCH:]
        while again:
            self.home.known = self.home.audit()
            self.home.heard()
            errors, batch = self.transmit(self.home.clients[place], again)
            left = [message for message, error in zip(again, errors) if error]
            if len(left) == len(again):
                self.unchanged(KEEPS, "all were refused", *batch)
                return
            again = left

    def fight(self):
        """In the arena, where the other worker is, too."""
        self.run_wild(self.arena)
        self.arena.agree(self.failures.check)
        self.arena.heard()
        if self.rng.random() < .1:
            self.arena.renew(self.rng.randrange(len(self.arena.clients)))

    def transact(self):
        """A transaction that is abandoned; and twins, of which one is refused things."""
        front, maker, rng = self.home, self.maker, self.rng
        names = "partner-add", "interface-add", "rule-set", "status-set"
        changes = [maker.valid(rng.choice(names)) for _ in range(20)]
        for change in changes:	# the first twin moves the generation
            change.leave_out("generation")
        place = rng.randrange(len(front.clients))
        begin, commit = maker.valid("begin"), maker.valid("commit")
        commit.blobs = []
        self.transmit(front.clients[place], [begin] + changes)
        if rng.random() < .5:
            front.renew(place)
        else:
            self.transmit(front.clients[place], [maker.valid("abort")])
        self.unchanged(VANISHES, "it was abandoned")

        begin.leave_out("copy")	# of what the first twin leaves behind
        twins, answers = [], []
        for spoil in (False, True):
            between = [each for change in changes
                       for each in [change] + [maker.spoiled("partner-add") for _ in range(3 * spoil)]]
            before = front.known[0]["generation"]
            answers.append(self.transmit(front.clients[place], [begin] + between + [commit])[0])
            front.known = front.audit()
            twins.append([{**front.known[0], "generation": 0}] + front.known[1:])
            moved = front.known[0]["generation"] - before
            self.failures.check(AGREES, len(front.heard()) == moved <= 1, "a commit was not told once")
        self.failures.check(VANISHES, twins[0] == twins[1], f"twins: {difference(*twins)}; {answers}")

    def list_long(self):
        """Listings of many partners, into which changes fall, and which nobody reads to the end."""
        front, rng, spec = self.home, self.rng, self.spec
        entries = [{"address": f"10.{n >> 8}.{n & 255}.{rng.randrange(256)}", "prefix-len": 32,
                    "groups": ["pic"], "name": "n" * rng.randrange(1, 60)} for n in range(2000)]
        front.auditor.do("partner-add", {"entry": entries, "tolerant": True})
        front.agree(self.failures.check)
        before = front.status()
        left, read = rng.sample(range(len(front.clients)), 2)
        for place in (left, read):
            sock = front.clients[place].socket
            sock.send(HEADER.pack(20, front.auditor.family, REQUEST | DUMP, 7, 0,
                                  spec.ops["partner-get"].value, 1, 0))
            sock.recv(1 << 17)
        front.renew(left)
        front.auditor.do("partner-del", {"entry": [{name: entries[0][name] for name in
                                                    ("address", "prefix-len")}]})
        rest = list(self.receiver.take(front.clients[read].socket))
        self.failures.check(INTERRUPTED, any(flags & DUMP_INTR for _, flags, _, _ in rest),
                            f"{len(rest)} messages, none with NLM_F_DUMP_INTR")
        self.failures.check(INTERRUPTED, front.status()["generation"] != before["generation"],
                            "the change did not fall")
        front.auditor.do("partner-flush")
        front.known = front.audit()
        front.heard()
        self.sent += 5

    def run(self):
        steps = {self.spoil: 55, self.roam: 70, self.trespass: 4, self.fight: 30, self.transact: 4,
                 self.list_long: .2}
        for step in steps:
            step()
        while self.sent < self.share:
            self.rng.choices(list(steps), steps.values())[0]()
            if self.rng.random() < .02:
                self.home.agree(self.failures.check)
            if self.rng.random() < .05:
                self.home.renew(self.rng.randrange(len(self.home.clients)))
                self.home.known = self.home.audit()
        return {"sent": self.sent, "found": self.failures.found}


def on_child(function, *arguments):
    """A pipe from which a child's answer can be read."""
    ours, theirs = os.pipe()
    if os.fork():
        os.close(theirs)
        return ours
    try:
        answer = function(*arguments)
    except BaseException:  # pylint: disable=broad-except
        answer = {"sent": 0, "found": {ANSWERS: [1, [traceback.format_exc()]]}}
    with os.fdopen(theirs, "w") as pipe:
        json.dump(answer, pipe)
    os._exit(0)


def memory():
    """KiB that are gone."""
    with open("/proc/meminfo", encoding="ascii") as file:
        known = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return known["MemTotal"] - known["MemFree"] - known["Buffers"] - known["Cached"]


def send_all(total, first):
    """Shares the messages out; (sent, failures by kind) of all."""
    pipes = [on_child(lambda n=n: Worker(first + n, total // WORKERS).run()) for n in range(WORKERS)]
    sent, found = 0, {}
    for pipe in pipes:
        with os.fdopen(pipe) as file:
            answer = json.load(file)
        sent += answer["sent"]
        for kind, (count, told) in answer["found"].items():
            whole = found.setdefault(kind, [0, []])
            whole[0] += count
            whole[1] += told
        os.wait()
    return sent, found


def main():
    print(f"# NF_EDGE_SEED={SEED}", flush=True)
    lab.load_module()
    lab.ip([f"netns add {name}" for name in ["arena"] + [f"home{n}" for n in range(2 * WORKERS)]])
    with open("/sys/kernel/rcu_expedited", "w", encoding="ascii") as file:
        file.write("1")
    tap = Tap()
    early, found = send_all(MESSAGES // 10, 0)		# what there is to warm up, is warm
    before = memory()
    sent, more = send_all(MESSAGES - early, WORKERS)
    gone = memory() - before
    for kind in KINDS:
        told = found.get(kind, [0, []]), more.get(kind, [0, []])
        tap.check(kind, not told[0][0] + told[1][0], f"{told[0][0] + told[1][0]} times",
                  *told[0][1], *told[1][1])
    tap.check(f"{MESSAGES} messages were sent", early + sent >= MESSAGES)
    tap.check("memory comes back", gone < MEMORY_MAX, f"{gone} KiB are gone")
    tap.done()


main()
