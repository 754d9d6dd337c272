#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tells what figures say: tables that a terminal of 100 columns shows and Markdown takes, and a picture.

  tests/bench/report.py FIGURES               prints all tables
  tests/bench/report.py FIGURES --document    puts the README's tables and picture into this checkout
"""

import json
import os
import re
import subprocess
import sys

TREE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")
PICTURE = "Documentation/bench.svg"
WAYS = {"empty hook": "two hooks that do nothing: the kernel's floor",
        "nf_edge": "every packet judged by its flow's opener",
        "nft every": "nftables, the same: every packet judged by its flow's opener",
        "nft new": "nftables, new flows judged, the established accepted by the first rule",
        "ipset new": "iptables with ipset, likewise"}
CLASSES = ("sip in", "sip out", "sip client", "rtp out", "stun in", "stun out", "xmpp in", "xmpp out", "xmpp gateway")
SIP = "sip in", "sip out"
NET = "Net of connection tracking and of the harness; dropped packets: net of the harness alone, for what\n" \
      "drops a packet before connection tracking saves that. In brackets: times what nf_edge takes."
UNMEASURED = "-: not tried, for loading that many would take longer than all the rest."


class Figures:
    """All that was measured, to be asked for."""

    def __init__(self, figures):
        self.all = {}
        for one in figures:
            self.all[one["unit"], one["what"], one["whom"], one["partners"], one["edges"]] = one

    def get(self, unit, what, whom, partners, edges=1, key="net"):
        return self.all.get((unit, what, whom, partners, edges), {}).get(key)

    def floor(self, unit, what):
        """The empty hook's; no number of partners or addresses matters to it."""
        found = [one["net"] for key, one in self.all.items() if key[:3] == (unit, what, "empty hook")]
        return found[0] if found else None

    def different(self, place, *start):
        """The values at a place of the key, of those that start so, in order."""
        return sorted({key[place] for key in self.all if key[:len(start)] == start})

    def units(self):
        return [unit for unit in ("instructions", "nanoseconds") if self.different(0, unit)]

    def sizes(self, unit):
        return sorted({key[3] for key in self.all if key[0] == unit and key[4] == 1})

    def edges(self, unit):
        return self.different(4, unit)


def whole(value):
    """Without a sign where nothing is left."""
    return f"{round(value):,}"


def short(value):
    """Of large numbers, what one remembers."""
    if value is None:
        return "-"
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= unit:
            return f"{value / unit * (10 if name == ' k' else 1):.{1 if abs(value) < 100 * unit else 0}f}{name}"
    return whole(value)


def compared(value, base, show=whole):
    """With how many times it is what nf_edge takes."""
    if value is None:
        return "-"
    if not base or base <= 0 or value < 0:
        return show(value)
    return f"{show(value)} ({value / base:.{1 if value < 100 * base else 0}f})"


def table(head, rows):
    """Lines of Markdown, aligned."""
    rows = [head] + [list(row) for row in rows]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    lines = ["| " + " | ".join(cell.rjust(width) if n else cell.ljust(width)
                               for n, (cell, width) in enumerate(zip(row, widths))) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + (":" if n else "-") for n, width in enumerate(widths)) + "|")
    return lines


def by_way(figures, unit, rows):
    """rows: (label, what, partners, edges)"""
    def row(label, what, partners, edges):
        base = figures.get(unit, what, "nf_edge", partners, edges)
        for way in WAYS:
            value = figures.get(unit, what, way, partners, edges) if way != "empty hook" else figures.floor(unit, what)
            yield compared(value, None if way in ("nf_edge", "empty hook") else base)

    found = [[one[0], *row(*one)] for one in rows]
    return table(["", *WAYS], [row for row in found if any(cell != "-" for cell in row[2:])])


def classes(figures, unit, ip, partners):
    """Every kind of packet."""
    rows = [(f"{kind}, {ends}", f"established, {kind}, {ends}, IPv{ip}", partners, 1)
            for kind in CLASSES for ends in ("from its opener", "to its opener")]
    rows += [("not ours", f"established, not ours, IPv{ip}", partners, 1)]
    rows += [(f"first packet: {kind}", f"first packet, {kind}, IPv{ip}", partners, 1) for kind in (*CLASSES, "not ours")]
    rows += [(f"dropped: {what}", f"dropped, {what}, IPv{ip}", partners, 1)
             for drop in ("a stranger's SYN to 5061", "a port without row")
             for what in (drop, f"{drop}, a listener in another namespace")]
    return by_way(figures, unit, rows)


def growth(figures, unit):
    """By number of partners."""
    cases = [(f"{label}, IPv{ip}", f"{what}, IPv{ip}") for label, what in (
        ("established, one source", "established, sip in, from its opener"),
        ("established, spread", "established, sip in, spread sources"),
        ("established, cold caches", "established, sip in, cold caches"),
        ("first, one source", "first packet, sip in"),
        ("first, spread", "first packet, sip in, spread sources"),
        ("first, cold caches", "first packet, sip in, cold caches"),
        ("stranger's SYN", "dropped, a stranger's SYN to 5061")) for ip in (4, 6)]
    return by_way(figures, unit, [(f"{label}, {size:,}", what, size, 1) for label, what in cases
                                  for size in figures.sizes(unit)])


def addresses(figures, unit):
    """By number of Edge addresses."""
    least = figures.sizes(unit)[0]
    return by_way(figures, unit, [(f"{label}, {edges}", what, least, edges) for label, what in (
        ("established", "established, sip in, from its opener, IPv4"), ("not ours", "established, not ours, IPv4"),
        ("first packet", "first packet, sip in, IPv4"), ("stranger's SYN", "dropped, a stranger's SYN to 5061, IPv4"))
                                  for edges in figures.edges(unit)])


def flood(figures, unit):
    """A million SYNs beside calls."""
    rows, least = [], figures.sizes(unit)[0]
    for way in WAYS:
        one = figures.all.get((unit, "flood", way, least, 1))
        if one:
            rows.append([way, whole(one["net"]), f"{one['tracked']:,}", f"{one['entries']:,}",
                         f"{one['lost']:,} of {one['packets']:,}", whole(one["alone"]), whole(one["beside"])])
    return table(["", "a SYN", "tracked", "left", "calls' packets lost", "a call's, before", "and beside"], rows)


FIREWALLS = "nf_edge", "nftables", "iptables"


def bulk(figures, unit, least=0):
    """Loading and the like, of so many partners at the least."""
    rows = []
    for what in ("loading", "replacing", "one addition", "one removal", "listing", "memory"):
        for size in [size for size in figures.sizes(unit) if size >= least]:
            base = figures.get(unit, what, "nf_edge", size)
            if base is None:
                continue
            cells = []
            for firewall in FIREWALLS:
                value = figures.get(unit, what, firewall, size)
                if what == "memory":
                    if value is None:	# of one that loads so many in the other kernel only
                        value = next((figures.get(other, what, firewall, size) for other in figures.units()
                                      if figures.get(other, what, firewall, size)), None)
                    cells.append("-" if value is None else f"{value / size:.0f} bytes")
                else:
                    cells.append(compared(value, base if firewall != "nf_edge" else None, short))
            kernel = figures.get(unit, f"{what}, the kernel's part", "nf_edge", size)
            if kernel is None and unit == "instructions" and base >= 1e8:	# ticks tell
                kernel = figures.get(unit, what, "nf_edge", size, 1, "kernel")
            label = "memory for each" if what == "memory" else what
            rows.append([f"{label}, {size:,}", cells[0], short(kernel) if what != "memory" else "", *cells[1:]])
    return table(["", "nf_edge", "in the kernel", "nftables", "iptables + ipset"], rows)


def targets(figures):
    """What was promised, and what came of it."""
    sizes = {unit: figures.sizes(unit) for unit in figures.units()}

    def most(pattern, unit="instructions"):
        found = [one["net"] for key, one in figures.all.items()
                 if key[0] == unit and key[2] == "nf_edge" and re.fullmatch(pattern, key[1]) and one["net"] is not None]
        return max(found, default=None)

    def grown(unit):
        found = []
        for what in ("established, sip in", "first packet, sip in"):
            for ip in (4, 6):
                ends = [figures.get(unit, f"{what}, spread sources, IPv{ip}", "nf_edge", size)
                        for size in (sizes[unit][0], sizes[unit][-1])]
                if None not in ends and ends[0] > 0:
                    found.append(ends[1] / ends[0])
        return max(found, default=None)

    def at_most(what):
        return figures.get("instructions", what, "nf_edge", 1000000)

    rows = []

    def target(label, limit, value, show=whole):
        if value is not None:
            rows.append([label, show(limit), show(value), "met" if value <= limit else "MISSED"])

    kinds = "|".join(CLASSES)
    if "instructions" in sizes:
        target("established, ours: both gates, instructions", 250, most(f"established, ({kinds}), .*"))
        target("first packet of a SIP flow", 300, most(f"first packet, ({'|'.join(SIP)}), .*"))
        target("established, not ours", 160, most("established, not ours, .*"))
        target("a stranger's SYN, all included", 350, most("(dropped, a stranger's SYN to 5061, .*|flood)"))
    for unit in sizes:
        one = figures.all.get((unit, "flood", "nf_edge", sizes[unit][0], 1))
        if one:
            target(f"flood: entries of connection tracking ({unit})", 0, max(one["tracked"], one["entries"]))
            target(f"flood: packets lost of calls ({unit})", 0, one["lost"])
        if len(sizes[unit]) > 1:
            target(f"{unit}, {sizes[unit][-1]:,} for {sizes[unit][0]} partners, spread",
                   {"instructions": 1.1, "nanoseconds": 2}[unit], grown(unit), "{:.2f} times".format)
    target("loading 1,000,000", 2.5e9, at_most("loading"), short)
    target("one addition at 1,000,000", 3e6, at_most("one addition"), short)
    target("one removal at 1,000,000", 3e6, at_most("one removal"), short)
    if at_most("memory"):
        target("memory for each of 1,000,000, bytes", 48, at_most("memory") / 1e6)
    return table(["target, nf_edge", "at most", "measured", ""], rows)


def legend(ways=WAYS):
    return "\n".join(f"{way}: {what}" for way, what in ways.items())


def report(figures):
    """All tables, as text."""
    parts = [legend(), NET, UNMEASURED]
    for unit in figures.units():
        kernel = {"instructions": "stock kernel of Debian 12 under QEMU", "nanoseconds": "User-mode Linux"}[unit]
        sizes = figures.sizes(unit)
        for size in sorted({sizes[0], sizes[-1]}):
            for ip in (4, 6):
                parts += [f"## {unit.capitalize()} a packet, IPv{ip}, {size:,} partners ({kernel})",
                          classes(figures, unit, ip, size)]
        parts += [f"## {unit.capitalize()} a packet of SIP from partners, by number of partners", growth(figures, unit)]
        if len(figures.edges(unit)) > 1:
            parts += [f"## {unit.capitalize()} a packet, by number of Edge addresses", addresses(figures, unit)]
        parts += [f"## A flood of {1 << 20:,} SYNs from strangers beside calls, {unit}", flood(figures, unit),
                  f"## Loading and changing, {unit} of the tool and of the kernel, by number of partners",
                  bulk(figures, unit)]
    parts += ["## Targets", targets(figures)]
    return "\n\n".join(part if isinstance(part, str) else "\n".join(part) for part in parts) + "\n"


def in_short(figures):
    """The README's."""
    parts = []
    for unit in figures.units():
        sizes = figures.sizes(unit)
        shared = [size for size in sizes if all(figures.get(unit, "loading", one, size) for one in FIREWALLS)]
        size = max(shared or sizes)
        rows = [(label, f"{what}, IPv4", size, 1) for label, what in (
            ("established, SIP from a partner", "established, sip in, from its opener"),
            ("established, SIP, the answer", "established, sip in, to its opener"),
            ("established, RTP", "established, rtp out, from its opener"),
            ("established, XMPP", "established, xmpp in, from its opener"),
            ("established, not ours", "established, not ours"), ("first packet, SIP from a partner", "first packet, sip in"),
            ("... from partners all over the table", "first packet, sip in, spread sources"),
            ("first packet, not ours", "first packet, not ours"),
            ("dropped: a stranger's SYN", "dropped, a stranger's SYN to 5061"),
            ("dropped: a port without row", "dropped, a port without row"))]
        parts += [f"{unit.capitalize()} a packet, {size:,} partners:", by_way(figures, unit, rows)]
    unit = figures.units()[0]
    parts += [f"{unit.capitalize()} of tool and kernel together, and memory, by number of partners:",
              bulk(figures, unit, 100000)]
    return "\n\n".join(part if isinstance(part, str) else "\n".join(part) for part in parts)


def picture(figures, path):
    """Cost against number of partners, a line a firewall."""
    panels = [(f"{title}: {unit} a packet", unit, f"{what}, sip in, spread sources, IPv4")
              for title, what in (("First packet of a flow", "first packet"), ("Established flow", "established"))
              for unit in figures.units()]
    data, plots = [], []
    for number, (title, unit, what) in enumerate(panels):
        lines = []
        for style, way in enumerate(WAYS, 1):
            points = [(size, figures.floor(unit, what) if way == "empty hook" else figures.get(unit, what, way, size))
                      for size in figures.sizes(unit)]
            points = [f"{size} {value}" for size, value in points if value is not None]
            if points:
                data += [f"$d{number}_{style} << END", *points, "END"]
                lines.append(f"$d{number}_{style} using 1:2 with linespoints linestyle {style} title '{way}' noenhanced")
        plots += [f"set title '{title}' offset 0,-0.4", "plot " + ", ".join(lines), "unset key"]
    styles = [f"set style line {n} linewidth {width} pointtype 7 pointsize 0.5 linecolor rgb '{colour}'"
              for n, (width, colour) in enumerate(((1.5, "#999999"), (3, "#c02020"), (2, "#2050c0"), (2, "#60a0e0"),
                                                   (2, "#30a040")), 1)]
    script = ["set terminal svg size 960,700 dynamic font 'sans-serif,13' background rgb 'white'",
              f"set output '{path}'", *styles, "set logscale x", "set format x '10^{%L}'", "set xrange [50:1500000]",
              "set yrange [0:*]", "set grid ytics linetype 1 linewidth 0.5 linecolor rgb '#cccccc'", "set border 3",
              "set tics nomirror", "set xlabel 'partners' offset 0,0.5", "set key at screen 0.5,0.01 center bottom horizontal maxrows 1 samplen 2 width -3",
              f"set multiplot layout 2,{len(figures.units())} margins 0.07,0.98,0.15,0.94 spacing 0.08,0.15",
              *data, *plots, "unset multiplot"]
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("?>\n", "?>\n<!-- SPDX-License-Identifier: GPL-2.0-only -->\n", 1))


def document(figures):
    path = os.path.join(TREE, "README.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    start, end = "<!-- made by tests/bench/report.py -->\n", "<!-- until here -->\n"
    before, rest = text.split(start)
    after = rest.split(end)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + start + in_short(figures) + "\n" + end + after)
    picture(figures, os.path.join(TREE, PICTURE))


def main():
    with open(sys.argv[1], encoding="ascii") as file:
        figures = Figures(json.load(file))
    if sys.argv[2:] == ["--document"]:
        document(figures)
    else:
        print(report(figures))


if __name__ == "__main__":
    main()
