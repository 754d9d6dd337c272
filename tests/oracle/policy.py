# SPDX-License-Identifier: GPL-2.0-only
"""Random policies, and the table of rows as the policy's page prints it.

Nothing here knows the module: the rows are copied by hand from the page, and a
policy is what an operator could have written into a file.
"""

import copy
import ipaddress

import world

# row, protocol, service port, initiator, responder, peers by default
ROWS = (
    ("sip-federation-out", "tcp", 5061, "access", "federation", "any"),
    ("sip-federation-in", "tcp", 5061, "federation", "access", "listed"),
    ("sip-pic-in", "tcp", 5061, "pic", "access", "listed"),
    ("sip-pic-out", "tcp", 5061, "access", "pic", "listed"),
    ("sip-client-in", "tcp", 443, "client", "access", "any"),
    ("av-rtp-out", "tcp", "rtp", "av", "messenger", "any"),
    ("av-stun-out", "udp", 3478, "av", "messenger", "any"),
    ("av-stun-in", "udp", 3478, "messenger", "av", "any"),
    ("xmpp-in", "tcp", 5269, "xmpp", "access", "any"),
    ("xmpp-out", "tcp", 5269, "access", "xmpp", "any"),
    ("xmpp-gateway-in", "tcp", 23456, "gateway", "internal", "any"),
)
NAMES = [row[0] for row in ROWS]
REASONS = ["malformed", "wrong-device", "blocked", "invalid-state", "not-listed", "disabled", "unlisted"]
ROLES = ("access", "av", "internal")
GROUPS = ("federation", "pic", "client", "messenger", "xmpp", "gateway")

LENGTHS = {4: (0, 1, 7, 8, 9, 12, 15, 16, 17, 20, 23, 24, 25, 27, 28, 29, 30, 31, 32, 32, 32),
           6: (0, 3, 16, 31, 32, 33, 47, 48, 56, 63, 64, 65, 96, 112, 126, 127, 128, 128, 128)}
RANGES = ((50000, 59999), (1, 65535), (1, 1), (65535, 65535), (443, 443), (5060, 5062), (1024, 49151),
          (49152, 65535), (50000, 50000), (59999, 59999), (23456, 23456))


class Policy:
    """What an operator wrote."""

    def __init__(self):
        self.unlisted = "drop"
        self.rtp_ports = [(50000, 59999)]
        self.rtp_match = "dst"
        self.roles = {}      # Edge address: its roles
        self.devices = {}    # Edge address: the device that it is bound to
        self.partners = {}   # prefix: its groups
        self.blocks = set()  # prefixes
        self.enabled = {row[0]: True for row in ROWS}
        self.peers = {row[0]: row[5] for row in ROWS}

    def holding(self, role):
        """The Edge addresses that serve a role."""
        if role == "av" and not any("av" in roles for roles in self.roles.values()):
            role = "access"
        return [address for address, roles in self.roles.items() if role in roles]

    def listed(self, group):
        return [prefix for prefix, groups in self.partners.items() if group in groups]

    def text(self):
        """As a policy file."""
        lines = ["mode audit", f"unlisted {self.unlisted}", f"rtp match {self.rtp_match}",
                 "rtp set " + ",".join(f"{first}-{last}" for first, last in self.rtp_ports)]
        for address, roles in self.roles.items():
            device = f" dev {self.devices[address]}" if address in self.devices else ""
            lines += [f"interface add {role} {address}{device}" for role in sorted(roles)]
        lines += [f"partner add {prefix} group {','.join(sorted(groups))}"
                  for prefix, groups in self.partners.items()]
        lines += [f"block add {prefix}" for prefix in sorted(self.blocks, key=str)]
        for row in NAMES:
            lines += [f"rule {'enable' if self.enabled[row] else 'disable'} {row}",
                      f"rule set {row} peers {self.peers[row]}"]
        return "\n".join(lines) + "\n"


def edge_address(rng, local):
    if local and rng.random() < 0.6:
        return rng.choice(world.LOCAL)
    space = rng.choices(world.EDGE_SPACES, (6, 6, 1, 1, 1, 1))[0]
    return space[rng.randrange(1, 200)]


def add_edges(rng, policy, local):
    """One address for everything, one for each role, or a pool."""
    shape = rng.choice(("single", "roles", "roles", "pool", "pool", "pool", "crowd"))
    count = {"single": 1, "roles": 3, "pool": rng.randrange(2, 7), "crowd": 20}[shape]
    av_is_absent = rng.random() < 0.3
    for number in range(count):
        roles = {ROLES[number]} if shape == "roles" else {role for role in ROLES if rng.random() < 0.5}
        if av_is_absent:
            roles.discard("av")
        address = edge_address(rng, local)
        policy.roles.setdefault(address, set()).update(roles or {"access"})
    if local:
        for address in world.LOCAL:
            policy.roles.setdefault(address, {"access", "av"} - ({"av"} if av_is_absent else set()))


def random_prefix(rng, policy):
    """Anywhere; around an Edge address; or inside or around a partner that is there."""
    near = rng.random()
    if near < 0.1 and policy.roles:
        address = rng.choice(list(policy.roles))
    elif near < 0.5 and policy.partners:
        around = rng.choice(list(policy.partners))
        address = around[rng.randrange(around.num_addresses)]
    else:
        address = world.stranger(rng)
    if not world.routable(address):
        address = world.stranger(rng)
    return ipaddress.ip_network((address, rng.choice(LENGTHS[address.version])), strict=False)


def random_groups(rng):
    return set(rng.sample(GROUPS, rng.choice((1, 1, 1, 2, 3))))


def random_ranges(rng):
    if rng.random() < 0.4:
        return [(50000, 59999)]
    ranges = rng.sample(RANGES, rng.choice((1, 2, 3)))
    first = rng.randrange(1, 65536)
    return ranges + [(first, rng.randrange(first, 65536))] if rng.random() < 0.5 else ranges


def random_policy(rng, local):
    policy = Policy()
    policy.unlisted = rng.choice(("drop", "drop", "pass"))
    policy.rtp_ports = random_ranges(rng)
    policy.rtp_match = rng.choice(("dst", "dst", "src", "either"))
    add_edges(rng, policy, local)
    if rng.random() < 0.6:
        for address in policy.roles:
            if rng.random() < 0.5:
                policy.devices[address] = rng.choices(world.BINDABLE, (6, 1, 1, 1))[0]
    for _ in range(rng.choice((0, 1, 5, 10, 20, 40))):
        policy.partners.setdefault(random_prefix(rng, policy), set()).update(random_groups(rng))
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        policy.blocks.add(random_prefix(rng, policy))
    for row in NAMES:
        policy.enabled[row] = rng.random() < 0.8
        if rng.random() < 0.6:
            policy.peers[row] = rng.choice(("any", "listed"))
    return policy


def without_one(rng, mapping):
    if mapping:
        del mapping[rng.choice(list(mapping))]


def changed(rng, old, local):
    """The policy after an operator's few changes, or after many."""
    if rng.random() < 0.2:
        return random_policy(rng, local)
    policy = copy.deepcopy(old)
    for _ in range(rng.randrange(1, 6)):
        what = rng.choice(("row", "row", "peers", "peers", "partner", "partner gone", "rtp", "match", "unlisted",
                           "block", "block gone", "edge", "edge gone", "device"))
        row = rng.choice(NAMES)
        if what == "row":
            policy.enabled[row] = not policy.enabled[row]
        elif what == "peers":
            policy.peers[row] = "any" if policy.peers[row] == "listed" else "listed"
        elif what == "partner":
            policy.partners.setdefault(random_prefix(rng, policy), set()).update(random_groups(rng))
        elif what == "partner gone":
            without_one(rng, policy.partners)
        elif what == "rtp":
            policy.rtp_ports = random_ranges(rng)
        elif what == "match":
            policy.rtp_match = rng.choice(("dst", "src", "either"))
        elif what == "unlisted":
            policy.unlisted = rng.choice(("drop", "pass"))
        elif what == "block":
            policy.blocks.add(random_prefix(rng, policy))
        elif what == "block gone" and policy.blocks:
            policy.blocks.discard(rng.choice(sorted(policy.blocks, key=str)))
        elif what == "edge":
            policy.roles.setdefault(edge_address(rng, local), set()).add(rng.choice(ROLES))
        elif what == "edge gone" and len(policy.roles) > 1:
            without_one(rng, policy.roles)
        elif what == "device":
            policy.devices[rng.choice(list(policy.roles))] = rng.choices(world.BINDABLE, (3, 1, 1, 1))[0]
    policy.devices = {address: device for address, device in policy.devices.items() if address in policy.roles}
    return policy
