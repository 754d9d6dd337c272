# SPDX-License-Identifier: GPL-2.0-only
"""Requests of many partners, as bytes, made faster than the kernel takes them.

    crowd = Crowd(spec)
    genl.roomy().do("partner-add", crowd.hosts(first, 16384) + crowd.tolerant)
"""

import struct

from nl import NESTED, attr

LARGEST = 16384		# entries of a message


class Crowd:
    """Attributes of requests: hosts, or whatever prefixes."""

    def __init__(self, spec):
        self.spec, self.edge = spec, spec.sets["edge"]
        self.tolerant = attr(self.edge["tolerant"].value, b"")

    def entry(self, address, bits, **more):
        """One entry, of an IPv4 address as a number; more: groups, name, domain."""
        return attr(self.edge["entry"].value | NESTED, attr(self.edge["address"].value, struct.pack("!I", address)) +
                    attr(self.edge["prefix-len"].value, struct.pack("=I", bits)) +
                    self.spec.pack("edge", more))

    @staticmethod
    def rows(like, first, count, step):
        """An entry again and again, each with an address of its own."""
        made = bytearray(like * count)
        columns = struct.pack(f"!{count}I", *range(first, first + step * count, step))
        for n in range(4):	# the heads of entry and address take four bytes each
            made[8 + n::len(like)] = columns[n::4]
        return bytes(made)

    def hosts(self, first, count, step=1, bits=32, **more):
        """Entries of as many prefixes, each address so much above the one before; more: of each, as entry()."""
        return self.rows(self.entry(0, bits, **({"groups": ["federation"]} | more)), first, count, step)

    def gone(self, first, count, step=1, bits=32):
        """As hosts(), to be deleted."""
        return self.rows(self.entry(0, bits), first, count, step)

    def lists(self, first, count, step=1, largest=LARGEST, **more):
        """hosts() in messages."""
        for at in range(0, count, largest):
            yield self.hosts(first + step * at, min(largest, count - at), step, **more) + self.tolerant

    def domains(self, address, bits, count, first=0, **more):
        """Entries of one prefix, each of another domain."""
        more = {"groups": ["federation"]} | more
        return b"".join(self.entry(address, bits, **more, domain=f"d{first + n}.example") for n in range(count))


def load(genl, lists):
    """A policy of these partners, put in force whole; genl: roomy."""
    genl.do("begin")
    for payload in lists:
        genl.do("partner-add", payload)
    genl.do("commit", {"open": True})
