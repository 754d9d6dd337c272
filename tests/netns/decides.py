#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Which row decides: a row whose group lists the remote address before one that
# takes any, then the order of the table; prefixes nest; and explain says the same.
#
#   outside --- ext0 [gw: nf_edge] int0 --- inside        see rig.py

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from rig import *  # noqa: E402,F403

EDGE = f"interface add access {ACCESS}\ninterface add access {ACCESS6}\ninterface add av {AV}\n"
rig = Rig(EDGE)
port = 40000


def decide(name, policy, source, target, why, dport=5061, sport=None):
    """The packet and explain must agree with why."""
    global port
    port += 1
    sport = sport or port
    rig.load(EDGE + policy)
    rig.expect(name, tcp(source, target, dport, sport=sport), why,
               "inside" if source in (ACCESS, ACCESS6, AV) else "outside")
    said = rig.json("explain", source, target, "tcp", str(dport), "sport", str(sport))
    rig.check(f"{name}: explain says so", why in (said["rule"], said["reason"]), said)


ALL_LISTED = "".join(f"rule set {row} peers listed\n" for row in
                     ("sip-federation-out", "sip-client-in", "av-rtp-out", "xmpp-in", "xmpp-out"))

decide("inbound from nobody", "", PIC, ACCESS, "not-listed")
decide("inbound from federation", f"partner add {PIC}", PIC, ACCESS, "sip-federation-in")
decide("inbound from PIC", f"partner add {PIC} group pic", PIC, ACCESS, "sip-pic-in")
decide("in both groups: the table's order", f"partner add {PIC} group pic,federation",
       PIC, ACCESS, "sip-federation-in")
decide("in both groups, first row disabled",
       f"partner add {PIC} group pic,federation\nrule disable sip-federation-in", PIC, ACCESS, "sip-pic-in")
decide("listed wins over any", f"rule set sip-federation-in peers any\npartner add {PIC} group pic",
       PIC, ACCESS, "sip-pic-in")
decide("any for the others", f"rule set sip-federation-in peers any\npartner add {PIC} group pic",
       STRANGER, ACCESS, "sip-federation-in")
decide("two rows take any", "rule set sip-federation-in peers any\nrule set sip-pic-in peers any",
       STRANGER, ACCESS, "sip-federation-in")
decide("a row that takes any and lists", f"rule set sip-federation-in peers any\npartner add {PIC} "
       "group pic,federation", PIC, ACCESS, "sip-federation-in")
decide("outbound to a stranger", "", ACCESS, STRANGER, "sip-federation-out")
decide("outbound to PIC", f"partner add {PIC} group pic", ACCESS, PIC, "sip-pic-out")
decide("outbound to PIC, its row disabled", f"partner add {PIC} group pic\nrule disable sip-pic-out",
       ACCESS, PIC, "sip-federation-out")
decide("outbound, federation listed only", ALL_LISTED, ACCESS, STRANGER, "not-listed")
decide("outbound, federation disabled", "rule disable sip-federation-out", ACCESS, STRANGER, "not-listed")
decide("both outbound rows disabled", "rule disable sip-federation-out sip-pic-out",
       ACCESS, STRANGER, "disabled")
decide("a client row disabled", "rule disable sip-client-in", CLIENT, ACCESS, "disabled", 443)
decide("clients listed, none there", ALL_LISTED, CLIENT, ACCESS, "not-listed", 443)
decide("clients listed", ALL_LISTED + f"partner add {CLIENT} group client", CLIENT, ACCESS,
       "sip-client-in", 443)
decide("XMPP listed", ALL_LISTED + f"partner add {XMPP} group xmpp", XMPP, ACCESS, "xmpp-in", 5269)
decide("XMPP listed, a stranger", ALL_LISTED + f"partner add {XMPP} group xmpp", STRANGER, ACCESS,
       "not-listed", 5269)
decide("IPv6 by its own list", f"partner add {PIC6} group pic", PIC6, ACCESS6, "sip-pic-in")
decide("an IPv4 partner says nothing of IPv6", "partner add 0.0.0.0/0", PIC6, ACCESS6, "not-listed")
decide("everybody is a partner, IPv6", "partner add ::/0", STRANGER6, ACCESS6, "sip-federation-in")
decide("everybody is a partner, IPv4", "partner add 0.0.0.0/0 group pic", STRANGER, ACCESS, "sip-pic-in")

# Prefixes that nest: the union of the groups of all that cover.
NEST = ("partner add 198.51.0.0/16 group pic\npartner add 198.51.100.0/24 group xmpp\n"
        "partner add 198.51.100.16/28 group federation\npartner add 2001:db8::/32 group pic\n"
        "partner add 2001:db8:51::/48 group federation\n")
decide("only the widest covers", NEST, "198.51.99.255", ACCESS, "sip-pic-in")
decide("the middle one adds nothing here", NEST, "198.51.100.15", ACCESS, "sip-pic-in")
decide("the narrowest's first address", NEST, "198.51.100.16", ACCESS, "sip-federation-in")
decide("the narrowest's last address", NEST, "198.51.100.31", ACCESS, "sip-federation-in")
decide("just above it", NEST, "198.51.100.32", ACCESS, "sip-pic-in")
decide("inside the narrowest, the widest's group holds",
       NEST + "rule disable sip-federation-in", "198.51.100.16", ACCESS, "sip-pic-in")
decide("just outside all", NEST, "198.50.255.255", ACCESS, "not-listed")
decide("IPv6, the wide one", NEST, "2001:db8:50:ffff::1", ACCESS6, "sip-pic-in")
decide("IPv6, the narrow one", NEST, "2001:db8:51::1", ACCESS6, "sip-federation-in")
decide("IPv6, outside", NEST, "2001:db7:ffff::1", ACCESS6, "not-listed")

# Both ends are Edge addresses: each is the other's remote party.
POOL = f"interface add access {SPARE}\n"
decide("from pool member to pool member", POOL, ACCESS, SPARE, "sip-federation-out")
decide("... admitted from the responder's end", POOL + f"rule disable sip-federation-out sip-pic-out\n"
       f"partner add {ACCESS} group federation", ACCESS, SPARE, "sip-federation-in")
decide("... by neither", POOL + "rule disable sip-federation-out sip-pic-out", ACCESS, SPARE, "not-listed")

# The media range and how it is read.
for mode, cases in {
        "dst": [(49999, 40001, "unlisted"), (50000, 40002, "av-rtp-out"), (59999, 40003, "av-rtp-out"),
                (60000, 40004, "unlisted"), (443, 50000, "unlisted"), (8080, 50000, "unlisted")],
        "src": [(443, 49999, "unlisted"), (443, 50000, "av-rtp-out"), (443, 59999, "av-rtp-out"),
                (443, 60000, "unlisted"), (50000, 40005, "unlisted"), (444, 50000, "unlisted")],
        "either": [(443, 50001, "av-rtp-out"), (50001, 40006, "av-rtp-out"), (443, 40007, "unlisted")],
}.items():
    for dport, sport, why in cases:
        decide(f"rtp match {mode}, {sport} to {dport}", f"rtp match {mode}\n", AV, MESSENGER, why,
               dport, sport)
for dport, why in ((1, "av-rtp-out"), (2, "unlisted"), (65535, "av-rtp-out"), (5061, "av-rtp-out"),
                   (50000, "unlisted")):
    decide(f"ports of the operator, {dport}", "rtp set 1,5061,65535\n", AV, MESSENGER, why, dport)
decide("no RTP port at all", "rtp set none\n", AV, MESSENGER, "unlisted", 50000)
rig.done()
