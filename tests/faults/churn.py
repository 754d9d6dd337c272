#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The policy changes thousands of times and is replaced a thousand times while traffic
# runs (lib/traffic.py draws it). No packet of an admitted flow is lost, none of another
# gets through, each is counted once; the generation moves with every change and with
# nothing else; and the policy in force is what the changes amount to.
#
# Meanwhile somebody reads every file of sysfs, again and again.
#
#   NF_EDGE_FAULTS_CHANGES   changes one by one (10,000)
#   NF_EDGE_FAULTS_LOADS     whole policies (1,000), every 20th by edgectl
#   NF_EDGE_SEED             as printed

import ipaddress
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))
from faults import *  # noqa: E402,F403
from lab import EDGECTL, enter, libc, load_module  # noqa: E402
from traffic import *  # noqa: E402,F403
from wire import *  # noqa: E402,F403

# Each of them covers the partner; one at least is in force at any time.
COVERS = ["198.51.100.40/32", "198.51.100.40/30", "198.51.100.32/28", "198.51.100.0/24"]
COVERS6 = ["2001:db8:51::40/128", "2001:db8:51::/64", "2001:db8:51::/48"]
# They share the covers' branches, and list the partner, a stranger or both for other rows only.
DECOYS = [f"198.51.100.{i}/32" for i in range(32, 48) if i != 40] + \
    [f"198.51.100.{i}/31" for i in range(32, 48, 2)] + \
    [f"192.0.2.{i}/32" for i in range(64, 80)] + \
    ["198.51.100.40/29", "192.0.2.64/26", "2001:db8:2::/48", "2001:db8:51::40/127", "2001:db8:51::41/128",
     "0.0.0.0/0", "::/0"]
HARMLESS = ["federation", "pic", "client", "xmpp", "gateway"]
OTHER_ROWS = [row for row in ROWS if not row.startswith("av-stun")]
OTHER_EDGE = [f"203.0.113.{i}" for i in range(100, 140)] + [f"2001:db8:113::{i:x}" for i in range(256, 280)]


class Model:
    """What the policy should be; a plain one, to compare with."""

    def __init__(self, rng):
        self.rng = rng
        self.changes = 0	# effective ones
        self.reset()

    def reset(self):
        self.mode, self.unlisted, self.match = "enforce", "drop", "dst"
        self.ports = [(50000, 59999)]
        self.partners = {}	# prefix: (groups, name)
        self.interfaces = {}	# address: (roles, device)
        self.rules = {}		# row: (enabled, peers)

    # Whole policies

    def replace(self):
        """Another whole policy at random, as lines of a file."""
        self.reset()
        rng = self.rng
        self.partners = {prefix: ({"messenger"} | set(rng.sample(HARMLESS, rng.randrange(3))), None)
                         for prefix in rng.sample(COVERS, rng.randint(1, 4)) + rng.sample(COVERS6, rng.randint(1, 3))}
        for prefix in rng.sample(DECOYS, 20):
            self.partners[prefix] = set(rng.sample(HARMLESS, rng.randint(1, 3))), \
                rng.choice([None, f"name {rng.randrange(100)}"])
        self.interfaces = {AV: ({"av"}, None), AV6: ({"av"}, rng.choice([None, "ext0"]))}
        for address in rng.sample(OTHER_EDGE, rng.randrange(20)):
            self.interfaces[address] = set(rng.sample(ROLES, rng.randint(1, 3))), rng.choice([None, "ext9"])
        self.rules = {"av-stun-in": (True, "listed"), "av-stun-out": (True, "listed")}
        for row in rng.sample(OTHER_ROWS, 4):
            self.rules[row] = rng.random() < 0.5, rng.choice(PEERS)
        first = rng.randint(5000, 60000)
        self.ports = [(first, first + rng.randrange(5000))]
        self.match = rng.choice(RTP_MATCHES)
        self.changes += 1

    def commands(self):
        yield set_status(self.mode, self.unlisted, self.match, ports_map(*self.ports))
        for address, (roles, device) in self.interfaces.items():
            for role in sorted(roles):
                yield interface_add(role, address, device)
        yield partner_add(*[(prefix, groups, name) for prefix, (groups, name) in self.partners.items()])
        yield rule_set(*[(row, enabled, peers) for row, (enabled, peers) in self.rules.items()])

    def lines(self):
        yield f"rtp match {self.match}"
        yield "rtp set " + ",".join(f"{first}-{last}" for first, last in self.ports)
        for address, (roles, device) in self.interfaces.items():
            for role in sorted(roles):
                yield f"interface add {role} {address}" + (f" dev {device}" if device else "")
        for prefix, (groups, name) in self.partners.items():
            yield f"partner add {prefix} group {','.join(sorted(groups))}" + (f' name "{name}"' if name else "")
        for row, (enabled, peers) in self.rules.items():
            yield f"rule {'enable' if enabled else 'disable'} {row}"
            yield f"rule set {row} peers {peers}"

    # Changes one by one: each answers the commands and whether they are refused.

    def cover(self):
        """One cover comes or goes; never the last."""
        covers = self.rng.choice([COVERS, COVERS6])
        held = [prefix for prefix in covers if "messenger" in self.partners.get(prefix, ((),))[0]]
        prefix = self.rng.choice(covers)
        if prefix not in held:
            groups, name = self.partners.get(prefix, (set(), None))
            self.partners[prefix] = groups | {"messenger"}, name
            self.changes += 1
            return [partner_add((prefix, ["messenger"]))]
        if held == [prefix]:
            return []
        self.drop(prefix, {"messenger"})
        return [partner_del((prefix, ["messenger"]))]

    def drop(self, prefix, groups):
        left = self.partners[prefix][0] - groups
        if left:
            self.partners[prefix] = left, self.partners[prefix][1]
        else:
            del self.partners[prefix]
        self.changes += 1

    def decoys(self):
        """Some partners come at once, all of them or none."""
        rng = self.rng
        chosen = rng.sample(DECOYS, rng.randint(1, 5))
        entries = [(prefix, rng.sample(HARMLESS, rng.randint(1, 2)),
                    rng.choice([None, None, f"name {rng.randrange(100)}"])) for prefix in chosen]
        changed = 0
        for prefix, groups, name in entries:
            had, named = self.partners.get(prefix, (set(), None))
            self.partners[prefix] = had | set(groups), name or named
            changed += self.partners[prefix] != (had, named)
        self.changes += changed > 0
        return [partner_add(*entries, tolerant=True)]

    def decoys_gone(self):
        held = [prefix for prefix in self.partners if prefix in DECOYS]
        if not held:
            return []
        chosen = self.rng.sample(held, min(len(held), self.rng.randint(1, 4)))
        for prefix in chosen:
            del self.partners[prefix]
        self.changes += 1
        return [partner_del(*[(prefix,) for prefix in chosen])]

    def flush(self):
        group = self.rng.choice(HARMLESS)
        leaving = [prefix for prefix, (groups, _) in self.partners.items() if group in groups]
        before = self.changes
        for prefix in leaving:
            self.drop(prefix, {group})
        self.changes = before + (len(leaving) > 0)
        return [partner_flush(group)]

    def rule(self):
        row, enabled, peers = self.rng.choice(OTHER_ROWS), self.rng.random() < 0.5, self.rng.choice(PEERS)
        default = True, rule_defaults[row]
        self.changes += self.rules.get(row, default) != (enabled, peers)
        self.rules[row] = enabled, peers
        return [rule_set((row, enabled, peers))]

    def interface(self):
        rng = self.rng
        address, role = rng.choice(OTHER_EDGE), rng.choice(ROLES)
        roles, device = self.interfaces.get(address, (set(), None))
        self.changes += 1
        if role not in roles:
            self.interfaces[address] = roles | {role}, device
            return [interface_add(role, address)]
        if roles == {role}:
            del self.interfaces[address]
        else:
            self.interfaces[address] = roles - {role}, device
        return [interface_del(role, address)]

    def settings(self):
        first = self.rng.randint(5000, 60000)
        ports, match = self.rng.choice([self.ports, [(first, first + 100)]]), self.rng.choice(RTP_MATCHES)
        self.changes += (ports, match) != (self.ports, self.match)
        self.ports, self.match = ports, match
        return [set_status(match=match, ports=ports_map(*ports))]

    def abandoned(self):
        """What is staged and thrown away is no change."""
        return [plain("BEGIN"), partner_add((f"{STRANGER}/32", ["messenger"])), interface_flush(), plain("ABORT")]

    def step(self):
        return self.rng.choices([self.cover, self.decoys, self.decoys_gone, self.flush, self.rule,
                                 self.interface, self.settings, self.abandoned],
                                [6, 3, 2, 1, 2, 2, 1, 1])[0]()

    def refused(self):
        """A command that fails after something in it was fine."""
        cover = next(prefix for prefix in COVERS if "messenger" in self.partners.get(prefix, ((),))[0])
        return self.rng.choice([
            partner_add((f"{STRANGER}/32", ["messenger"]), (cover, ["messenger"])),
            partner_del((cover, ["messenger"]), ("192.0.2.1/32",)),
            rule_set(("av-stun-in", None, "any"), ("av-stun-out", None, None)),
            commit(),
        ])

    def said(self):
        """As in_force() tells it."""
        return ({prefix: (frozenset(groups), name) for prefix, (groups, name) in self.partners.items()},
                {address: (frozenset(roles), device) for address, (roles, device) in self.interfaces.items()},
                {row: self.rules.get(row, (True, rule_defaults[row])) for row in ROWS},
                self.match, ports_map(*self.ports))


def in_force(client):
    """What the listings say."""
    partners, interfaces, rules = {}, {}, {}
    for one in map(read, client.list("PARTNER_GET")):
        where = ipaddress.ip_address(one["ADDRESS"])
        groups = frozenset(group for bit, group in enumerate(GROUPS) if one["GROUPS"] >> bit & 1)
        partners[f"{where}/{one['PREFIX_LEN']}"] = groups, one.get("NAME")
    for one in map(read, client.list("INTERFACE_GET")):
        where = str(ipaddress.ip_address(one["ADDRESS"]))
        roles, device = interfaces.get(where, (frozenset(), None))
        interfaces[where] = roles | {ROLES[one["ROLE"]]}, one.get("DEV")
    for one in map(read, client.list("RULE_GET")):
        rules[ROWS[one["ROW"]]] = bool(one["ENABLED"]), PEERS[one["PEERS"]]
    status = client.status()
    return partners, interfaces, rules, RTP_MATCHES[status["RTP_MATCH"]], status["RTP_PORTS"]


tap = Tap()
rng = seeded()
hurry()
load_module()
build()


class Looker(threading.Thread):
    """Somebody who reads every file of sysfs all the time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.read, self.over, self.well = 0, False, False

    def run(self):
        enter(GATEWAY)
        os.makedirs("/run/looker")
        libc.mount(b"sysfs", b"/run/looker", b"sysfs", 0, None)
        paths = [os.path.join(path, name) for path, _, names in os.walk("/run/looker/kernel/nf_edge") for name in names]
        while not self.over:
            for path in paths:
                with open(path, encoding="ascii") as file:
                    assert file.read().endswith("\n"), path
                self.read += 1
                time.sleep(0.01)
        self.well = True


client = in_gateway(Socket)
rule_defaults = {ROWS[one["ROW"]]: PEERS[one["PEERS"]] for one in map(read, client.list("RULE_GET"))}
model = Model(rng)
model.replace()
client.run(load(*model.commands(), partner_add((f"{FORMER}/32", ["messenger"]))))
traffic = Traffic()
tap.check("a flow of a partner who will be none", traffic.open_revoked())
client.run(load(*model.commands()))
client.ask("STATS_RESET")
start, model.changes = client.generation(), 0
traffic.start()
looker = Looker()
looker.start()
wrong = {}


def compare(when):
    if in_force(client) != model.said():
        wrong.setdefault("policy", f"{when}: in force: {in_force(client)}\nshould be: {model.said()}")
    if (client.generation() - start) % (1 << 32) != model.changes:
        wrong.setdefault("generation", f"{when}: {client.generation() - start}, {model.changes} changes")


changes, loads = number("CHANGES", 10000), number("LOADS", 1000)
spread = max(changes // max(loads, 1), 1)
done = loaded = refusals = 0
while done < changes or loaded < loads:
    for _ in range(spread):
        commands = model.step()
        client.run(commands)
        done += len(commands) > 0
    try:
        client.ask(*model.refused())
        wrong.setdefault("refusal", "a command that must be refused was not")
    except Refused:
        refusals += 1
    if loaded < loads:
        model.replace()
        if loaded % 20:
            client.run(load(*model.commands()))
        else:
            subprocess.run([EDGECTL, "-n", GATEWAY, "load", "-"], text=True, check=True,
                           input="\n".join(model.lines()) + "\n")
        loaded += 1
    if loaded % 50 == 0:
        compare(f"after {done} changes and {loaded} loads")
compare("at the end")
looker.over = True
looker.join()
tally, trouble = traffic.stop()
counted = {name: list(values) for name, values in client.counters().items() if any(values)}
print(f"# {done} changes, {loaded} loads, {refusals} refusals; {sum(one[0] for one in tally.values())} packets")
tap.check("no packet of an admitted flow is lost, none of another is let through", not trouble, trouble)
tap.check("sysfs can be read all the time", looker.read and looker.well, f"{looker.read} files")
tap.check("each packet, byte and flow is counted once", tally == counted, f"sent {tally}", f"counted {counted}")
tap.check("the generation moves with every change and nothing else", "generation" not in wrong, wrong.get("generation"))
tap.check("what must be refused is refused", "refusal" not in wrong, wrong.get("refusal"))
tap.check("the policy in force is what the changes amount to", "policy" not in wrong, wrong.get("policy"))
tap.done()
