# SPDX-License-Identifier: GPL-2.0-only
"""The same policy for each firewall, as those who know it well would write it.

A firewall has a name, and ways of judging, which have names of their own in the tables, and
  write(where, prefixes, edges)  makes its files in a directory, before anything is measured;
                                 prefixes: all partners, in group federation; edges: more Edge
                                 addresses, with the role access
  load(where)                    puts them in force, the first way
  turn(where, way)               changes to another way
  replace(where)                 as load, over what is in force, in one step
  add(), remove()                one partner
  list()                         all of them
"""

import os

from bench import ACCESS, AV, EDGECTL, INTERNAL, NEWCOMER, run, text

VERSIONS = 4, 6
BLOCKED = "192.0.2.128/25", "2001:db8:bad::/48"


def put(where, name, content):
    with open(os.path.join(where, name), "w", encoding="ascii") as file:
        file.write(content)


def of(version, addresses):
    return [one for one in addresses if (":" in one) == (version == 6)]


class NfEdge:
    name = "nf_edge"
    ways = {"nf_edge": "every packet is judged by its flow's opener",
            "nf_edge, blocking": "the same, while others are blocked"}
    modules = ()

    @staticmethod
    def policy(prefixes, edges):
        lines = [f"interface add access {one}" for one in [*ACCESS.values(), *edges]]
        lines += [f"interface add av {one}" for one in AV.values()]
        lines += [f"interface add internal {one}" for one in INTERNAL.values()]
        lines += [f"partner add {text(one)} group federation" for one in prefixes]
        return "\n".join(lines) + "\n"

    def write(self, where, prefixes, edges):
        put(where, "policy.conf", self.policy(prefixes, edges))
        put(where, "other.conf", self.policy(prefixes, edges) + "rtp match either\n")

    @staticmethod
    def load(where):
        run(EDGECTL, "load", f"{where}/policy.conf")

    @staticmethod
    def replace(where):
        run(EDGECTL, "load", f"{where}/other.conf")	# what is in force already would not be replaced

    @staticmethod
    def turn(where, way):
        if way == "nf_edge, blocking":
            run(EDGECTL, "block", "add", *BLOCKED)

    @staticmethod
    def add():
        run(EDGECTL, "partner", "add", NEWCOMER)

    @staticmethod
    def remove():
        run(EDGECTL, "partner", "del", NEWCOMER)

    @staticmethod
    def list():
        run(EDGECTL, "partner", "list")


class Nftables:
    """One base chain; verdict maps by Edge address and by port; partners in interval sets.

    "nft new": an established flow is accepted by the first rule, and never judged again. "nft
    every": every packet is judged by its flow's opener, as Documentation/policy.md has it.
    """

    name = "nftables"
    ways = {"nft every": "nftables, every packet judged by its flow's opener, as nf_edge does",
            "nft new": "nftables, the established accepted by the first rule: revoked partners talk on"}
    modules = "nf_tables", "nft_ct", "nf_conntrack"

    @staticmethod
    def sets(prefixes):
        lines = []
        for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
            elements = ", ".join(text(one) for one in prefixes if one[0] == version)
            lines.append(f"set partners{version} {{ type {kind}; flags interval; auto-merge; "
                         f"{f'elements = {{ {elements} }};' if elements else ''} }}")
        return lines

    @staticmethod
    def chains(edges, new):
        def by_address(end, direction):
            lines = []
            for version, ip in ((4, "ip"), (6, "ip6")):
                entries = [f"{one} : jump access_{direction}{version}" for one in of(version, [*ACCESS.values(), *edges])]
                entries += [f"{AV[version]} : jump av_{direction}", f"{INTERNAL[version]} : jump internal_{direction}"]
                lines.append(f"{'' if new else 'ct original '}{ip} {end} vmap {{ {', '.join(entries)} }}")
            return lines

        def by_port(**services):
            """services: (port, verdict) of each protocol."""
            if new:
                entries = [f"{protocol} . {port} : {verdict}" for protocol, ports in services.items()
                           for port, verdict in ports]
                return [f"meta l4proto . th dport vmap {{ {', '.join(entries)} }}", "drop"]
            # of an original direction nftables does not concatenate the port
            return [f"meta l4proto {protocol} ct original proto-dst vmap "
                    f"{{ {', '.join(f'{port} : {verdict}' for port, verdict in ports)} }}"
                    for protocol, ports in services.items()] + ["drop"]

        chains = {}
        for version, ip in ((4, "ip"), (6, "ip6")):
            chains[f"listed{version}"] = [f"{'' if new else 'ct original '}{ip} saddr @partners{version} accept", "drop"]
            chains[f"access_in{version}"] = by_port(tcp=((5061, f"goto listed{version}"), (443, "accept"),
                                                         (5269, "accept")))
            chains[f"access_out{version}"] = by_port(tcp=((5061, "accept"), (5269, "accept")))
        chains["av_in"] = by_port(udp=((3478, "accept"),))
        if new:
            chains["av_out"] = ["tcp dport 50000-59999 accept", "udp dport 3478 accept", "drop"]	# dearer as one map
        else:
            chains["av_out"] = by_port(tcp=(("50000-59999", "accept"),), udp=((3478, "accept"),))
        chains["internal_in"] = by_port(tcp=((23456, "accept"),))
        chains["internal_out"] = ["drop"]
        not_syn = f"{'' if new else 'ct state new '}tcp flags & (fin | syn | rst | ack) != syn drop"
        for name, rules in chains.items():
            if not name.startswith("listed"):
                rules.insert(0, not_syn)
        state = "ct state vmap { established : accept, related : accept, invalid : drop }" if new else \
            "ct state invalid drop"
        chains["forward"] = ["type filter hook forward priority filter;", state,
                             *by_address("daddr", "in"), *by_address("saddr", "out")]
        return [f"chain {name} {{ {'; '.join(line.rstrip(';') for line in lines)}; }}" for name, lines in chains.items()]

    def write(self, where, prefixes, edges):
        def table(lines):
            return "\n".join(["table inet edge {", *lines, "}"]) + "\n"

        put(where, "all.nft", table(self.sets(prefixes) + self.chains(edges, False)))
        for way in self.ways:
            put(where, f"{way}.nft", "flush table inet edge\n" + table(self.chains(edges, way == "nft new")))

    @staticmethod
    def load(where):
        run("nft", "-f", f"{where}/all.nft")

    @staticmethod
    def turn(where, way):
        run("nft", "-f", f"{where}/{way}.nft")

    @staticmethod
    def replace(where):
        run("nft", "-f", "-", given=f'delete table inet edge\ninclude "{where}/all.nft"\n')

    @staticmethod
    def add():
        run("nft", "add", "element", "inet", "edge", "partners4", f"{{ {NEWCOMER} }}")

    @staticmethod
    def remove():
        run("nft", "delete", "element", "inet", "edge", "partners4", f"{{ {NEWCOMER} }}")

    @staticmethod
    def list():
        run("nft", "list", "table", "inet", "edge")


class Iptables:
    """One chain a role, partners and Edge addresses in sets; the established first."""

    name = "iptables"
    ways = {"ipset new": "iptables with ipset, the established accepted by the first rule"}
    modules = ("ip_tables", "ip6_tables", "iptable_filter", "ip6table_filter", "xt_set", "xt_conntrack", "xt_multiport",
               "xt_tcpudp", "ip_set_hash_net", "ip_set_hash_ip")

    @staticmethod
    def sets(prefixes, name):
        lines = []
        for version, family in ((4, "inet"), (6, "inet6")):
            chosen = [one for one in prefixes if one[0] == version]
            lines.append(f"create {name}{version} hash:net family {family} "
                         f"hashsize {max(1024, 1 << len(chosen).bit_length())} maxelem {max(65536, 2 * len(chosen))}")
            lines += [f"add {name}{version} {text(one)}" for one in chosen]
        return lines

    @staticmethod
    def edges(edges):
        lines = []
        for version, family in ((4, "inet"), (6, "inet6")):
            lines += [f"create edges{version} hash:ip family {family}"]
            lines += [f"add edges{version} {one}" for one in of(version, [*ACCESS.values(), *edges])]
        return lines

    @staticmethod
    def rules(version, edges):
        def access(flag, option):
            return f"-m set --match-set edges{version} {option}" if of(version, edges) else f"{flag} {ACCESS[version]}"

        av, internal = AV[version], INTERNAL[version]
        lines = ["*filter", ":FORWARD ACCEPT [0:0]"]
        lines += [f":{name} - [0:0]" for name in ("access_in", "access_out", "av_in", "av_out", "internal_in")]
        lines += ["-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                  "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
                  f"-A FORWARD {access('-d', 'dst')} -j access_in", f"-A FORWARD {access('-s', 'src')} -j access_out",
                  f"-A FORWARD -d {av} -j av_in", f"-A FORWARD -s {av} -j av_out",
                  f"-A FORWARD -d {internal} -j internal_in", f"-A FORWARD -s {internal} -j DROP",
                  f"-A access_in -p tcp --dport 5061 --syn -m set --match-set partners{version} src -j ACCEPT",
                  "-A access_in -p tcp -m multiport --dports 443,5269 --syn -j ACCEPT", "-A access_in -j DROP",
                  "-A access_out -p tcp -m multiport --dports 5061,5269 --syn -j ACCEPT", "-A access_out -j DROP",
                  "-A av_in -p udp --dport 3478 -j ACCEPT", "-A av_in -j DROP",
                  "-A av_out -p tcp --dport 50000:59999 --syn -j ACCEPT", "-A av_out -p udp --dport 3478 -j ACCEPT",
                  "-A av_out -j DROP", "-A internal_in -p tcp --dport 23456 --syn -j ACCEPT", "-A internal_in -j DROP",
                  "COMMIT"]
        return lines

    def write(self, where, prefixes, edges):
        put(where, "sets", "\n".join(self.sets(prefixes, "partners") + self.edges(edges)) + "\n")
        swap = [f"{verb}{version}" for version in VERSIONS for verb in
                (f"swap new{version} partners", "destroy new")]
        put(where, "new", "\n".join(self.sets(prefixes, "new") + swap) + "\n")
        for version in VERSIONS:
            put(where, f"rules{version}", "\n".join(self.rules(version, edges)) + "\n")

    @staticmethod
    def load(where):
        run("ipset", "restore", "-file", f"{where}/sets")
        run("iptables-legacy-restore", f"{where}/rules4")
        run("ip6tables-legacy-restore", f"{where}/rules6")

    @staticmethod
    def turn(where, way):
        pass

    @staticmethod
    def replace(where):
        run("ipset", "restore", "-file", f"{where}/new")

    @staticmethod
    def add():
        run("ipset", "add", "partners4", NEWCOMER)

    @staticmethod
    def remove():
        run("ipset", "del", "partners4", NEWCOMER)

    @staticmethod
    def list():
        run("ipset", "list")


FIREWALLS = [NfEdge(), Nftables(), Iptables()]
