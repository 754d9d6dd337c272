# SPDX-License-Identifier: GPL-2.0-only
"""The same policy for each firewall, as those who know it well would write it.

A firewall: write(where, prefixes, edges) makes its files in a directory, before anything is measured;
load(where) puts them in force. prefixes: all partners, in group federation; edges: more Edge addresses,
with the role access.
"""

import os

from bench import ACCESS, ACCESS6, AV, EDGECTL, INTERNAL, run, text


def put(where, name, content):
    with open(os.path.join(where, name), "w", encoding="ascii") as file:
        file.write(content)


class NfEdge:
    name = "nf_edge"

    @staticmethod
    def policy(prefixes, edges):
        lines = [f"interface add access {one}" for one in [ACCESS, ACCESS6] + edges]
        lines += [f"interface add av {AV}", f"interface add internal {INTERNAL}"]
        lines += [f"partner add {text(one)} group federation" for one in prefixes]
        return "\n".join(lines) + "\n"

    def write(self, where, prefixes, edges):
        put(where, "policy.conf", self.policy(prefixes, edges))

    @staticmethod
    def load(where):
        run(EDGECTL, "load", f"{where}/policy.conf")


class Nftables:
    """One base chain; verdict maps by Edge address and by port; partners in interval sets.

    first: an established flow is accepted by the first rule, and never judged again. Otherwise
    every packet is judged by its flow's opener, as POLICY.md has it.
    """

    def __init__(self, first):
        self.first = first
        self.name = "nftables, established first" if first else "nftables, judging every packet"

    def rules(self, prefixes, edges):
        sets = []
        for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
            elements = ", ".join(text(one) for one in prefixes if one[0] == version)
            sets.append(f"set partners{version} {{ type {kind}; flags interval; auto-merge; "
                        f"{f'elements = {{ {elements} }};' if elements else ''} }}")
        access = [ACCESS] + [one for one in edges if ":" not in one]
        access6 = [ACCESS6] + [one for one in edges if ":" in one]

        def by_address(end, direction):
            lines = []
            for ip, addresses in (("ip", access), ("ip6", access6)):
                entries = [f"{one} : jump access_{direction}{'6' if ip == 'ip6' else ''}" for one in addresses]
                if ip == "ip":
                    entries += [f"{AV} : jump av_{direction}", f"{INTERNAL} : jump internal_{direction}"]
                match = f"{ip} {end}" if self.first else f"ct original {ip} {end}"
                lines.append(f"{match} vmap {{ {', '.join(entries)} }}")
            return lines

        source, source6 = ("ip saddr", "ip6 saddr") if self.first else ("ct original ip saddr", "ct original ip6 saddr")

        def by_port(**services):
            """services: (port, verdict) of each protocol."""
            if self.first:
                entries = [f"{protocol} . {port} : {verdict}" for protocol, ports in services.items()
                           for port, verdict in ports]
                return [f"meta l4proto . th dport vmap {{ {', '.join(entries)} }}", "drop"]
            # of an original direction nftables does not concatenate the port
            return [f"meta l4proto {protocol} ct original proto-dst vmap "
                    f"{{ {', '.join(f'{port} : {verdict}' for port, verdict in ports)} }}"
                    for protocol, ports in services.items()] + ["drop"]

        chains = {}
        for six, match in (("", source), ("6", source6)):
            chains[f"access_in{six}"] = by_port(tcp=((5061, f"goto listed{six}"), (443, "accept"), (5269, "accept")))
            chains[f"access_out{six}"] = by_port(tcp=((5061, "accept"), (5269, "accept")))
            chains[f"listed{six}"] = [f"{match} @partners{six or 4} accept", "drop"]
        chains["av_in"] = by_port(udp=((3478, "accept"),))
        chains["av_out"] = by_port(tcp=(("50000-59999", "accept"),), udp=((3478, "accept"),))
        chains["internal_in"] = by_port(tcp=((23456, "accept"),))
        chains["internal_out"] = ["drop"]
        state = "ct state vmap { established : accept, related : accept, invalid : drop }" if self.first else \
            "ct state invalid drop"
        not_syn = "tcp flags & (fin | syn | rst | ack) != syn drop" if self.first else \
            "ct state new tcp flags & (fin | syn | rst | ack) != syn drop"
        chains["forward"] = ["type filter hook forward priority filter;", state,
                             *by_address("daddr", "in"), *by_address("saddr", "out")]
        for name in [one for one in chains if one != "forward"]:
            if name.endswith(("_in", "_in6", "_out", "_out6")):
                chains[name].insert(0, not_syn)
        body = sets + [f"chain {name} {{ {'; '.join(line.rstrip(';') for line in lines)}; }}"
                       for name, lines in sorted(chains.items(), key=lambda one: one[0] == "forward" and 2 or
                                                 not one[0].startswith("listed"))]
        return "table inet edge {\n" + "\n".join(body) + "\n}\n"

    def write(self, where, prefixes, edges):
        put(where, f"rules-{self.first}.nft", self.rules(prefixes, edges))

    def load(self, where):
        run("nft", "-f", f"{where}/rules-{self.first}.nft")


class Iptables:
    """One chain a role, sets of ipset; the established first."""

    name = "iptables + ipset"

    @staticmethod
    def sets(prefixes):
        lines = []
        for version, family in ((4, "inet"), (6, "inet6")):
            chosen = [one for one in prefixes if one[0] == version]
            lines.append(f"create partners{version} hash:net family {family} "
                         f"hashsize {max(1024, 1 << len(chosen).bit_length())} maxelem {max(65536, 2 * len(chosen))}")
            lines += [f"add partners{version} {text(one)}" for one in chosen]
        return "\n".join(lines) + "\n"

    @staticmethod
    def rules(version, edges):
        edges = [one for one in [ACCESS, ACCESS6] + edges if (":" in one) == (version == 6)]
        lines = ["*filter", ":FORWARD ACCEPT [0:0]"]
        lines += [f":{name} - [0:0]" for name in ("access_in", "access_out", "av_in", "av_out", "internal_in")]
        lines += ["-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                  "-A FORWARD -m conntrack --ctstate INVALID -j DROP"]
        lines += [f"-A FORWARD -d {one} -j access_in" for one in edges]
        lines += [f"-A FORWARD -s {one} -j access_out" for one in edges]
        if version == 4:
            lines += [f"-A FORWARD -d {AV} -j av_in", f"-A FORWARD -s {AV} -j av_out",
                      f"-A FORWARD -d {INTERNAL} -j internal_in", f"-A FORWARD -s {INTERNAL} -j DROP"]
        lines += [f"-A access_in -p tcp --dport 5061 --syn -m set --match-set partners{version} src -j ACCEPT",
                  "-A access_in -p tcp -m multiport --dports 443,5269 --syn -j ACCEPT", "-A access_in -j DROP",
                  "-A access_out -p tcp -m multiport --dports 5061,5269 --syn -j ACCEPT", "-A access_out -j DROP",
                  "-A av_in -p udp --dport 3478 -j ACCEPT", "-A av_in -j DROP",
                  "-A av_out -p tcp --dport 50000:59999 --syn -j ACCEPT", "-A av_out -p udp --dport 3478 -j ACCEPT",
                  "-A av_out -j DROP", "-A internal_in -p tcp --dport 23456 --syn -j ACCEPT", "-A internal_in -j DROP",
                  "COMMIT"]
        return "\n".join(lines) + "\n"

    def write(self, where, prefixes, edges):
        put(where, "sets", self.sets(prefixes))
        put(where, "rules4", self.rules(4, edges))
        put(where, "rules6", self.rules(6, edges))

    @staticmethod
    def load(where):
        run("ipset", "restore", "-file", f"{where}/sets")
        run("iptables-legacy-restore", f"{where}/rules4")
        run("ip6tables-legacy-restore", f"{where}/rules6")


FIREWALLS = [NfEdge(), Nftables(True), Nftables(False), Iptables()]
# Loading more takes these longer than all the rest together.
MOST = {one.name: 100000 for one in FIREWALLS[1:]}
