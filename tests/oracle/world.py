# SPDX-License-Identifier: GPL-2.0-only
"""The gateway's surroundings: which addresses lie behind which of its devices."""

import ipaddress


def network(text):
    return ipaddress.ip_network(text)


def address(text):
    return ipaddress.ip_address(text)


DEVICES = ("ext0", "int0", "alt0")
ROUTES = {"int0": [network("203.0.113.0/24"), network("2001:db8:113::/48")],
          "alt0": [network("10.66.0.0/16"), network("2001:db8:66::/48")],
          "ext0": [network("0.0.0.0/0"), network("::/0")]}

# The gateway's own: such an Edge address makes it the Edge server itself.
LOCAL = (address("203.0.113.200"), address("2001:db8:113::200"))
# Where its own ICMP messages come from; never an Edge address.
OWN = (address("192.0.2.1"), address("2001:db8:2::1"))

EDGE_SPACES = (network("203.0.113.0/24"), network("2001:db8:113::/48"), network("198.51.100.0/24"),
               network("2001:db8:51::/48"), network("10.66.7.0/24"), network("2001:db8:66:7::/64"))
# What an Edge address may be bound to; the last is no device of the gateway.
BINDABLE = ("ext0", "alt0", "int0", "ext7")

# What the kernel delivers to itself although it is nobody's address.
EVERYBODY = {4: (address("224.0.0.1"), address("255.255.255.255")), 6: (address("ff02::1"),)}

UNROUTABLE4 = [network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")]
GLOBAL6 = (network("2000::/3"), network("fc00::/7"))
SOMEWHERE = {4: [network(text) for text in ("198.51.100.0/24", "192.0.2.0/24", "10.66.0.0/16", "100.64.0.0/10",
                                            "203.0.113.0/24")],
             6: [network(text) for text in ("2001:db8:51::/48", "2001:db8:66::/48", "2001:db8::/32", "2a00::/12",
                                            "fd00::/8")]}


def routable(where):
    """Packets from and to there are forwarded."""
    if where in LOCAL or where in OWN:
        return False
    if where.version == 4:
        return not any(where in space for space in UNROUTABLE4)
    return any(where in space for space in GLOBAL6)


def stranger(rng, version=None):
    """An address like any other."""
    version = version or rng.choice((4, 4, 6))
    while True:
        if version == 4 and rng.random() < 0.3:
            where = ipaddress.IPv4Address(rng.getrandbits(32))
        else:
            space = rng.choice(SOMEWHERE[version])
            where = space[rng.randrange(space.num_addresses)]
        if routable(where):
            return where


def device_of(where):
    """The device behind which an address lies; None for what the gateway keeps."""
    if where in LOCAL or where in OWN or where in EVERYBODY[where.version]:
        return None
    for device in ("int0", "alt0"):
        if any(where in space for space in ROUTES[device]):
            return device
    return "ext0"
