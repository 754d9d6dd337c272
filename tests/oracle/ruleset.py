# SPDX-License-Identifier: GPL-2.0-only
"""The policy's page as nftables rules: the oracle.

lies()           the table that recognises headers that must not be believed; the
                 same for all policies, it only marks
oracle(policy)   the table that judges what is forwarded or delivered; each row and
                 each reason is one counter
answers(policy)  the same for what the gateway itself sends

The counters stand where a rule finds the verdict. Nothing is dropped: the module
runs in audit beside it, and both see every packet.
"""

from collections import namedtuple
import ipaddress

from policy import GROUPS, NAMES, REASONS, ROLES, ROWS

LIES, NEIGHBOURS, COUNTED, DELIVERED, ON_PURPOSE = 1, 2, 3, 4, 5  # marks
KNOWN_DSCP = 1          # the sender says: I have sent packets of this flow before
UNTRACKED_PORT = 4004   # from here: not tracked
LONGEST = 128           # no datagram that lies about its length is longer

# Where the addresses and ports of a flow are read: in the packet as it was sent, in
# the packet as if it was an answer, or in what connection tracking says of the opener.
View = namedtuple("View", "name protocol source target sport dport")


def turned(view):
    """The view of a flow read the other way round."""
    return view._replace(source=view.target, target=view.source, sport=view.dport, dport=view.sport)


def views(version):
    ip = "ip" if version == 4 else "ip6"
    sent = View(f"as_sent{version}", "meta l4proto", f"{ip} saddr", f"{ip} daddr", "th sport", "th dport")
    flow = View(f"by_flow{version}", f"meta nfproto ipv{version} ct original protocol", f"ct original {ip} saddr", f"ct original {ip} daddr",
                "ct original proto-src", "ct original proto-dst")
    answer = View(f"as_answer{version}", sent.protocol, sent.target, sent.source, sent.dport, sent.sport)
    return sent, answer, flow


# Rows

def port_matches(view, port, match):
    """The ways in which a flow can be to the row's service."""
    if port != "rtp":
        return [f"{view.dport} {port}"]
    by_target = f"{view.dport} @rtp"
    by_source = f"{view.sport} @rtp {view.dport} 443"
    return {"dst": [by_target], "src": [by_source], "either": [by_target, by_source]}[match]


def covers(policy, view, row, listed):
    """The matches for flows that a row covers; listed: and whose remote end is in its group."""
    _, protocol, port, initiator, responder, _ = row
    version = view.name[-1]
    ends = [f"{view.protocol} {protocol}"]
    for where, who in ((view.source, initiator), (view.target, responder)):
        if who in ROLES or listed:
            ends.append(f"{where} @{who}{version}")
    return [" ".join(ends + [ports]) for ports in port_matches(view, port, policy.rtp_match)]


SERVING = [row for row in ROWS if row[2] != "rtp"]  # those with a service port of their own


def admitting(policy, view, rows=ROWS):
    """(row, match) in the order in which rows decide: by list first, then those for anyone."""
    for listed in (True, False):
        for row in rows:
            if policy.enabled[row[0]] and (listed or policy.peers[row[0]] == "any"):
                for match in covers(policy, view, row, listed):
                    yield row[0], match


def refusing(policy, view, rows=ROWS):
    """(reason, match) of what rows cover and do not admit, to stand behind what they admit."""
    for enabled, reason in ((True, "not-listed"), (False, "disabled")):
        for row in rows:
            if policy.enabled[row[0]] == enabled:
                for match in covers(policy, view, row, False):
                    yield reason, match


def judging(policy, view):
    """Steps 5 to 8."""
    back = turned(view)
    return ([f"{match} goto row-{row}" for row, match in admitting(policy, view)] +
            [f"{match} goto {reason}" for reason, match in refusing(policy, view)] +
            [f"{match} goto unlisted" for _, match in admitting(policy, back, SERVING)] +
            [f"{match} goto {reason}" for reason, match in refusing(policy, back, SERVING)] +
            ["goto unlisted"])


def not_refused(policy, view, target):
    """Goes on to another chain with what steps 5 to 8 do not drop; comes back with what they do."""
    back = turned(view)
    rules = [f"{match} goto {target}" for _, match in admitting(policy, view)]
    if policy.unlisted == "pass":
        rules += [f"{match} return" for _, match in refusing(policy, view)]
        rules += [f"{match} goto {target}" for _, match in admitting(policy, back, SERVING)]
        rules += [f"{match} return" for _, match in refusing(policy, back, SERVING)]
        rules.append(f"goto {target}")
    return rules


# Packets

def judge(policy, version):
    """Steps 2 to 4, and which view the rest is to take.

    The gate before connection tracking is also before routing: what it is certain of, steps 3 and 6 to 8
    included, comes before the device that the packet would leave by.
    """
    ip = "ip" if version == 4 else "ip6"
    error = ("icmp type { destination-unreachable, time-exceeded, parameter-problem }" if version == 4 else
             "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }")
    syn = "tcp flags & (syn | ack | rst | fin)"
    own = [f"{ip} saddr @edge{version}", f"{ip} daddr @edge{version}"]
    flow = [f"ct original {ip} saddr @edge{version}", f"ct original {ip} daddr @edge{version}"]
    is_certain = policy.unlisted == "drop"
    blocked = [f"{ip} {end} @edge{version} {ip} {other} @blocked{version} goto blocked"
               for end, other in (("saddr", "daddr"), ("daddr", "saddr"))]
    flow_blocked = [f"ct original {ip} {end} @edge{version} ct original {ip} {other} @blocked{version} goto blocked"
                    for end, other in (("saddr", "daddr"), ("daddr", "saddr"))]
    return {
        f"judge{version}": [
            f"jump enters{version}",
            *blocked,
            f"{error} goto error{version}",
            *[f"meta l4proto != {{ tcp, udp }} {end} goto no_row{version}" for end in own],
            f"ct state related goto about{version}",
            *[f"{end} goto ours{version}" for end in own],
            "goto pass",
        ],
        # An error belongs to the flow that it is about.
        f"error{version}": [
            *[f"ct state related {end} goto related{version}" for end in flow],
            "ct state related goto pass",
            f"jump leaves{version}",
            *[f"{end} goto invalid-state" for end in own],
            "goto pass",
        ],
        f"related{version}": [f"jump flow_device{version}", *flow_blocked, f"goto by_flow{version}"],
        f"no_row{version}": (["goto unlisted"] if is_certain else
                             [f"ct state related goto about{version}", f"jump leaves{version}", "goto unlisted"]),
        # Any other message about a flow: redirects, source quench.
        f"about{version}": [
            *[f"{end} goto about_ours{version}" for end in flow],
            *[f"{end} jump leaves{version}" for end in own],
            *[f"{end} goto unlisted" for end in own],
            "goto pass",
        ],
        f"about_ours{version}": [f"jump flow_device{version}", *flow_blocked, "goto unlisted"],
        # TCP and UDP. A SYN is the opening of a flow of its own.
        f"ours{version}": [
            f"{syn} == syn goto opening{version}",
            f"ct state invalid,untracked {ip} dscp {KNOWN_DSCP} goto undecided{version}",
            f"ct state invalid,untracked goto alone{version}",
            f"ct status & confirmed == 0 goto alone{version}",
            f"jump leaves{version}",
            f"goto by_flow{version}",
        ],
        f"opening{version}": [f"jump not_refused_as_sent{version}", f"goto as_sent{version}"],
        # Tracking does not know it. Is it certain to be refused, whoever opened the flow?
        f"alone{version}": [
            f"jump not_refused_as_sent{version}",
            f"jump not_refused_as_answer{version}",
            f"goto as_sent{version}",
        ],
        f"undecided{version}": [
            f"jump leaves{version}",
            "ct state invalid,untracked goto invalid-state",
            f"{syn} != syn goto invalid-state",
            f"goto as_sent{version}",
        ],
        f"enters{version}": [f"{ip} daddr @bound{version} {ip} daddr . iifname != @behind{version} goto wrong-device"],
        f"leaves{version}": [f"meta mark != {DELIVERED} {ip} saddr @bound{version} "
                             f"{ip} saddr . oifname != @behind{version} goto wrong-device"],
        # The packet goes to one end of the flow, and comes from the other one's side.
        f"flow_device{version}": [
            f"{where} ct direction {direction} ct original {ip} {end} @bound{version} "
            f"ct original {ip} {end} . {device} != @behind{version} goto wrong-device"
            for direction, to, by in (("original", "daddr", "saddr"), ("reply", "saddr", "daddr"))
            for where, end, device in (("", to, "iifname"), (f"meta mark != {DELIVERED}", by, "oifname"))
        ],
    }


def judging_chains(policy):
    chains = {"pass": ["counter name pass", "accept"]}
    for reason in REASONS:
        chains[reason] = [f"counter name {reason}", "accept"]
    if policy.unlisted == "pass":
        chains["unlisted"] = ["goto pass"]
    for row in NAMES:
        chains[f"row-{row}"] = [f"counter name {row}", f"ct state new ct status & confirmed == 0 counter name {row}/flows",
                                "accept"]
    chains["malformed"] = [f"meta mark set {COUNTED}", "counter name malformed", "accept"]
    for version in (4, 6):
        sent, answer, flow = views(version)
        chains[sent.name] = judging(policy, sent)
        chains[flow.name] = judging(policy, flow)
        chains[f"not_refused_{sent.name}"] = not_refused(policy, sent, f"undecided{version}")
        chains[f"not_refused_{answer.name}"] = not_refused(policy, answer, f"undecided{version}")
        chains.update(judge(policy, version))
    return chains


# Sets

def elements(items):
    return f"elements = {{ {', '.join(map(str, items))} }}; " if items else ""


def merged(ranges):
    """Their union, as ranges that neither meet nor touch."""
    union = []
    for first, last in sorted(ranges):
        if union and first <= union[-1][1] + 1:
            union[-1][1] = max(last, union[-1][1])
        else:
            union.append([first, last])
    return [f"{first}-{last}" for first, last in union]


def sets(policy):
    lines = [f"set rtp {{ type inet_service; flags interval; {elements(merged(policy.rtp_ports))}}}"]
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        def addresses(where):
            return [address for address in where if address.version == version]

        def pairs(mapping):
            return [f"{address} . {other}" for address, other in mapping.items() if address.version == version]

        lines += [f"set {name}{version} {{ type {kind}; {elements(addresses(where))}}}" for name, where in
                  [("edge", policy.roles), ("bound", policy.devices)] +
                  [(role, policy.holding(role)) for role in ROLES]]
        lines += [f"set behind{version} {{ type {kind} . ifname; {elements(pairs(policy.devices))}}}",
                  f"set twins{version} {{ type {kind} . {kind}; "
                  f"{elements(pairs({address: address for address in policy.roles}))}}}"]
        lines += [f"set {group}{version} {{ type {kind}; flags interval; "
                  f"{elements(list(ipaddress.collapse_addresses(addresses(policy.listed(group)))))}}}"
                  for group in GROUPS]
        lines.append(f"set blocked{version} {{ type {kind}; flags interval; "
                     f"{elements(list(ipaddress.collapse_addresses(addresses(policy.blocks))))}}}")
    return lines


# Tables

def table(name, counters, body, chains):
    lines = [f"table inet {name}", f"delete table inet {name}", f"table inet {name} {{"]
    lines += [f"counter {counter} {{ }}" for counter in counters]
    lines += body
    for chain, rules in chains.items():
        lines += [f"chain {chain} {{", *rules, "}"]
    return "\n".join(lines + ["}", ""])


COUNTERS = NAMES + [f"{row}/flows" for row in NAMES] + REASONS + ["pass"]


def base(hook, priority, rules):
    return [f"type filter hook {hook} priority {priority}; policy accept;", *rules]


BELIEVED = [f"meta mark {LIES} ip saddr @edge4 goto malformed", f"meta mark {LIES} ip daddr @edge4 goto malformed",
            f"meta mark {LIES} ip6 saddr @edge6 goto malformed", f"meta mark {LIES} ip6 daddr @edge6 goto malformed",
            "ip saddr . ip daddr @twins4 goto malformed", "ip6 saddr . ip6 daddr @twins6 goto malformed"]
JUDGED = [f"meta mark {COUNTED} accept", f"meta mark {NEIGHBOURS} goto pass", "meta nfproto ipv4 goto judge4", "goto judge6"]


def oracle(policy):
    chains = judging_chains(policy)
    chains["entering"] = base("prerouting", -397, ["iifname lo accept", *BELIEVED])
    chains["forwarded"] = base("forward", 1, JUDGED)
    # what is delivered leaves by no device
    chains["delivered"] = base("input", 1, ["iifname lo accept", *JUDGED[:2], f"meta mark set {DELIVERED}", *JUDGED[2:]])
    return table("oracle", COUNTERS, sets(policy), chains)


def answers(policy):
    chains = judging_chains(policy)
    for version in (4, 6):
        chains[f"enters{version}"] = chains[f"leaves{version}"]  # what is sent enters nowhere
        chains[f"flow_device{version}"] = [rule for rule in chains[f"flow_device{version}"] if "oifname" in rule]
    chatter = ["oifname lo accept", "ip6 saddr { ::, fe80::/10 } accept"]
    chains["leaving"] = base("output", -397, [*chatter, *BELIEVED])
    chains["sent"] = base("output", 1, [*chatter, *JUDGED])
    return table("answers", COUNTERS, sets(policy), chains)


def last_byte(header):
    """Matches when the transport header has that many bytes in the packet."""
    return f"@th,{header * 8 - 8},8 & 0 == 0"


def lies():
    """Step 1, but source = destination: marks what is not to be believed; and neighbour discovery."""
    beyond = {}
    for name, header in (("20", 20), ("24", 24), ("28", 28), ("v6", 0)):
        # the length in the network header, and UDP lengths that are beyond what it leaves
        beyond[name] = [f"{length} . {length - header + 1}-65535" for length in range(header + 8, LONGEST)]
    body = [f"set beyond_{name} {{ typeof {'ip6' if name == 'v6' else 'ip'} length . udp length; flags interval; "
            f"{elements(items)}}}" for name, items in beyond.items()]
    chains = {
        "lie": [f"meta mark set {LIES}", "accept"],
        "tcp_lies": [f"{last_byte(20)} goto tcp_options", "goto lie"],
        "tcp_options": ["tcp doff < 5 goto lie", "tcp doff 5 accept"] +
                       [f"tcp doff {words} {last_byte(words * 4)} accept" for words in range(6, 16)] + ["goto lie"],
        "udp_lies": [f"{last_byte(8)} goto udp_length", "goto lie"],
        "udp_length": ["udp length < 8 goto lie",
                       "ip hdrlength 5 ip length . udp length @beyond_20 goto lie",
                       "ip hdrlength 6 ip length . udp length @beyond_24 goto lie",
                       "ip hdrlength 7 ip length . udp length @beyond_28 goto lie",
                       "ip6 nexthdr udp ip6 length . udp length @beyond_v6 goto lie"],
        "icmp_lies": [f"{last_byte(8)} goto neighbours", "goto lie"],
        # before a router has decreased the hop limit
        "neighbours": [
            "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } "
            f"ip6 hoplimit 255 meta mark set {NEIGHBOURS}",
            "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } "
            f"ip6 hoplimit 1 meta mark set {NEIGHBOURS}",
        ],
        "options4": ["ip option lsrr exists goto lie", "ip option ssrr exists goto lie",
                     # the first option: its length is impossible
                     "@nh,160,8 > 1 @nh,168,8 < 2 goto lie", "@nh,160,8 > 1 @nh,168,8 > 40 goto lie"],
        "lies4": ["ip hdrlength > 5 jump options4", "meta l4proto tcp goto tcp_lies", "meta l4proto udp goto udp_lies",
                  "meta l4proto icmp goto icmp_lies"],
        "lies6": ["ip6 saddr ::ffff:0:0/96 goto lie", "ip6 daddr ::ffff:0:0/96 goto lie", "rt type 0 goto lie",
                  # nine destination options of eight bytes
                  "ip6 nexthdr 60 " + " ".join(f"@nh,{320 + 64 * number},8 60" for number in range(8)) + " goto lie",
                  "meta l4proto tcp goto tcp_lies", "meta l4proto udp goto udp_lies",
                  "meta l4proto ipv6-icmp goto icmp_lies",
                  # the chain of headers ends somewhere in the packet, or it does not
                  "meta l4proto 0-255 accept", "goto lie"],
        "untracked": base("prerouting", -300, [f"th sport {UNTRACKED_PORT} notrack"]),
        # the gateway's own complaints about packets, which have nothing to do with the policy
        "silence": base("output", -450, [f"meta mark {ON_PURPOSE} accept", "icmp type { redirect, parameter-problem } drop",
                                         "icmpv6 type { nd-redirect, parameter-problem } drop"]),
    }
    for hook in ("prerouting", "output"):
        chains[hook] = base(hook, -398, ["meta nfproto ipv4 goto lies4", "goto lies6"])
    return table("lies", [], body, chains)
