#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What `edgectl diff` says is what lies between two policies: done line by line, it leads from one
to the other, as loading does, and then nothing is left to say. On the way nobody is away whom both
admit.

  NF_EDGE_SEED          as printed
  NF_EDGE_DIFF_ROUNDS   pairs of random policies (5)
"""

import ipaddress
import json
import os
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from lab import EDGECTL, load_module  # noqa: E402
from tap import Tap  # noqa: E402
from wire import GROUPS, MODES, PEERS, ROLES, ROWS, RTP_MATCHES, UNLISTEDS  # noqa: E402

SEED = int(os.environ.get("NF_EDGE_SEED") or random.SystemRandom().randrange(1 << 32))
ROUNDS = int(os.environ.get("NF_EDGE_DIFF_ROUNDS", 5))
ADDRESSES = ["203.0.113.10", "203.0.113.11", "2001:db8::10", "2001:db8::11"]
PREFIXES = ["198.51.100.0/24", "198.51.100.0/25", "198.51.100.7/32", "0.0.0.0/0", "2001:db8:51::/48", "::/0"]
PROBES = [ipaddress.ip_address(text) for text in ("198.51.100.7", "198.51.100.1", "198.51.100.200", "192.0.2.1",
                                                  "2001:db8:51::1", "2001:db8::1")]
DEVICES = ["", " dev ext0", " dev int0"]
DOMAINS = ["", "", " domain contoso.example", " domain fabrikam.example", " domain host:sip.contoso.example"]
BLOCKS = ["192.0.2.66/32", "198.51.100.0/25", "2001:db8:66::/48"]
REASONS = ["", " reason fraud", r' reason "two \"words\""', " until 2100-01-01T00:00:00Z"]
NAMES = ["", " name lync", " name skype", r' name "two \"words\" \\ # é"']


def edgectl(*words, given=None):
    done = subprocess.run([EDGECTL, "-q", *words], input=given, text=True, check=False, capture_output=True)
    return done.returncode, done.stdout, done.stderr


def some(rng, list_):
    return rng.sample(list_, rng.randint(1, len(list_)))


def any_policy(rng):
    """Lines, many of which most policies have in common."""
    lines = []
    for words in (f"mode {rng.choice(MODES)}", f"unlisted {rng.choice(UNLISTEDS)}", f"rtp match {rng.choice(RTP_MATCHES)}",
                  f"rtp set {rng.choice(['none', '1-65535', '50000-59999,61000'])}", f"rule disable {rng.choice(ROWS)}",
                  f"rule set {rng.choice(ROWS)} peers {rng.choice(PEERS)}"):
        if rng.random() < .4:
            lines.append(words)
    for address in rng.sample(ADDRESSES, rng.randrange(len(ADDRESSES) + 1)):
        device = rng.choice(DEVICES)
        lines += [f"interface add {role} {address}{device}" for role in some(rng, ROLES)]
    for prefix in rng.sample(PREFIXES, rng.randrange(len(PREFIXES) + 1)):
        lines += [f"partner add {prefix} group {','.join(some(rng, GROUPS[:3]))}{domain}{rng.choice(NAMES)}"
                  for domain in dict.fromkeys(rng.choice(DOMAINS) for _ in range(2))]
    lines += [f"block add {prefix}{rng.choice(REASONS)}" for prefix in rng.sample(BLOCKS, rng.randrange(len(BLOCKS) + 1))]
    rng.shuffle(lines)
    return "".join(line + "\n" for line in lines)


def words_of(line):
    """As policy files have them."""
    return [re.sub(r"\\(.)", r"\1", quoted) if quoted or not bare else bare
            for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|([^ "]+)', line)]


def reload(policy):
    status, _, error = edgectl("load", "--open", "-", given=policy)
    return error if status else None


def admitted():
    """(probe, group)"""
    listed = [(ipaddress.ip_network(each["address"]), each["groups"]) for each in json.loads(edgectl("-j", "partner", "list")[1])]
    return {(probe, group) for probe in PROBES for prefix, groups in listed if probe in prefix for group in groups}


def step_by_step(one, other):
    """A complaint, or None; and how many commands it took."""
    reload(other)
    wanted, there = edgectl("save")[1], admitted()
    reload(one)
    there &= admitted()
    status, lines, error = edgectl("diff", "-", given=other)
    if error or status != bool(lines):
        return f"exit status {status}: {error}", 0
    for line in lines.splitlines():
        status, _, error = edgectl(*words_of(line))
        if status:
            return f"{line}: {error}\nof:\n{lines}", 0
        if line.startswith("partner") and there - admitted():
            return f"{line}: takes away {sorted(map(str, there - admitted()))}\nof:\n{lines}", 0
    reached = edgectl("save")[1]
    left = edgectl("diff", "-", given=other)
    if reached != wanted or left != (0, "", ""):
        return f"{lines}led to:\n{reached}not to:\n{wanted}left: {left}", 0
    return None, lines.count("\n")


def check_random():
    print(f"# NF_EDGE_SEED={SEED} NF_EDGE_DIFF_ROUNDS={ROUNDS}", flush=True)
    rng, trouble, commands = random.Random(SEED), None, 0
    for _ in range(ROUNDS):
        one, other = any_policy(rng), any_policy(rng)
        trouble, count = step_by_step(one, other)
        commands += count
        if trouble:
            trouble = f"from:\n{one}to:\n{other}{trouble}"
            break
    tap.check("commands lead from one policy to another", not trouble and commands, trouble, commands)


HAVE = """mode audit
rtp set 1-10
interface add access 203.0.113.10 dev ext0
interface add av 203.0.113.10 dev ext0
interface add access 203.0.113.11
interface add access 203.0.113.13
interface add internal 203.0.113.12
partner add 198.51.100.1 group pic name one
partner add 198.51.100.2 group pic name two
partner add 198.51.100.3 group pic,xmpp name three
partner add 198.51.100.4 group pic name four
partner add 198.51.100.5 group pic name five
partner add 198.51.100.5 group pic domain contoso.example
partner add 198.51.100.7 group pic name seven
partner add 198.51.100.7 group pic domain contoso.example name contoso
partner add 198.51.100.7 group pic,xmpp domain fabrikam.example
partner add 198.51.100.8 domain contoso.example
partner add 198.51.100.8 group xmpp domain fabrikam.example
partner add 198.51.100.9 name nine
partner add 198.51.100.9 domain contoso.example
"""
WANT = """rule disable xmpp-in
rule set xmpp-out peers listed
interface add access 203.0.113.10 dev int0
interface add access 203.0.113.11 dev ext0
interface add av 203.0.113.11
interface add av 203.0.113.13
partner add 198.51.100.1 group pic
partner add 198.51.100.2 group xmpp name two
partner add 198.51.100.3 group xmpp name three
partner add 198.51.100.4 group pic name "number 4"
partner add 198.51.100.6
partner add 198.51.100.7 group pic,xmpp domain fabrikam.example
partner add 198.51.100.7 group pic domain contoso.example name contoso
partner add 198.51.100.7 group xmpp name seven
partner add 198.51.100.8 domain fabrikam.example
partner add 198.51.100.8 domain "host:sip.contoso.example" name eight
partner add 198.51.100.9 domain contoso.example
"""
DIFF = """mode enforce
rtp set 50000-59999
rule disable xmpp-in
rule set xmpp-out peers listed
interface del access 203.0.113.10
interface del av 203.0.113.10
interface add access 203.0.113.10 dev int0
interface add av 203.0.113.11 dev ext0
interface add av 203.0.113.13
interface del internal 203.0.113.12
interface del access 203.0.113.13
partner add 198.51.100.1/32 group pic name ""
partner add 198.51.100.2/32 group xmpp
partner add 198.51.100.4/32 group pic name "number 4"
partner add 198.51.100.6/32 group federation
partner add 198.51.100.7/32 group xmpp
partner add 198.51.100.8/32 group federation domain fabrikam.example
partner add 198.51.100.8/32 group federation domain host:sip.contoso.example name eight
partner del 198.51.100.2/32 group pic
partner del 198.51.100.3/32 group pic
partner del 198.51.100.5/32
partner del 198.51.100.7/32 group pic domain ""
partner del 198.51.100.8/32 group xmpp domain fabrikam.example
partner del 198.51.100.8/32 domain contoso.example
partner del 198.51.100.9/32 domain ""
"""


def check_known():
    reload(HAVE)
    generation = edgectl("-j", "status")[1]
    status, lines, error = edgectl("diff", "-", given=WANT)
    tap.check("what differs, in order", (status, lines, error) == (1, DIFF, ""), status, lines, error)
    status, lines, error = edgectl("-j", "diff", "-", given=WANT)
    told = json.loads(lines)
    tap.check("... in JSON", status == 1 and len(told) == DIFF.count("\n") and told[0] ==
              {"object": "mode", "action": None, "value": "enforce"} and told[2:4] ==
              [{"object": "rule", "action": "disable", "name": "xmpp-in", "peers": None},
               {"object": "rule", "action": "set", "name": "xmpp-out", "peers": "listed"}] and told[6] ==
              {"object": "interface", "action": "add", "role": "access", "address": "203.0.113.10", "dev": "int0"} and
              told[13] == {"object": "partner", "action": "add", "address": "198.51.100.4/32", "groups": ["pic"],
                           "domain": None, "name": "number 4"} and told[-1] ==
              {"object": "partner", "action": "del", "address": "198.51.100.9/32", "groups": [], "domain": "", "name": None}, lines)
    tap.check("all that goes, in a word", edgectl("diff", "-", given="mode audit\nrtp set 1-10\n") ==
              (1, "interface flush all\npartner flush all\n", ""))
    tap.check("... in JSON", json.loads(edgectl("-j", "diff", "-", given="mode audit\nrtp set 1-10\n")[1]) ==
              [{"object": "interface", "action": "flush"}, {"object": "partner", "action": "flush"}])
    tap.check("no difference", edgectl("diff", "-", given=HAVE) == (0, "", ""))
    tap.check("... in JSON", edgectl("-j", "diff", "-", given=HAVE) == (0, "[]\n", ""))
    status, lines, error = edgectl("diff", "-", given=HAVE + "nonsense\n")
    tap.check("a file that is refused", (status, lines) == (2, "") and error.startswith("edgectl: -:21: "), error)
    tap.check("nothing has changed by asking", edgectl("-j", "status")[1].partition('"uptime"')[0] ==
              generation.partition('"uptime"')[0])
    domains = {letter: "".join(f"partner add 198.51.100.1 domain {letter}{n}.example\n" for n in range(600)) for letter in "ab"}
    reload(domains["a"])
    lines = edgectl("diff", "-", given=domains["b"])[1].splitlines()
    tap.check("domains that a partner has no room for come when others have gone",
              [line.split()[1] for line in lines] == ["del"] * 600 + ["add"] * 600, *lines[:2])


load_module()
tap = Tap()
check_known()
check_random()
tap.done()
