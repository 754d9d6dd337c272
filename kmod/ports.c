// SPDX-License-Identifier: GPL-2.0-only
#include "ports.h"

void edge_ports_set(struct edge_ports *ports, u16 first, u16 last)
{
	u32 port;

	for (port = first; port <= last; port++)
		ports->map[port >> 3] |= 1 << (port & 7);
}

bool edge_ports_walk(const struct edge_ports *ports, u32 *first, u32 *last)
{
	u32 port = *first;

	while (port <= EDGE_PORT_LAST && !edge_ports_test(ports, port))
		port++;
	if (port > EDGE_PORT_LAST)
		return false;

	*first = port;
	while (port < EDGE_PORT_LAST && edge_ports_test(ports, port + 1))
		port++;
	*last = port;
	return true;
}
