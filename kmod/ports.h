/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The RTP port map: one bit a port. Ports are in host byte order, ranges are
 * inclusive, port 0 is never in the map. Pure.
 */
#ifndef _EDGE_PORTS_H
#define _EDGE_PORTS_H

#include <linux/types.h>

#include "uapi/nf_edge.h"

#define EDGE_PORT_LAST	65535U

/* Port p is bit p % 8 of byte p / 8, as on the wire: no byte order to mind. */
struct edge_ports {
	u8 map[NF_EDGE_PORT_MAP_BYTES];
};

static inline bool edge_ports_test(const struct edge_ports *ports, u16 port)
{
	return ports->map[port >> 3] >> (port & 7) & 1;
}

/* Adds first to last, both included. */
void edge_ports_set(struct edge_ports *ports, u16 first, u16 last);

/**
 * edge_ports_walk - the next range of the map
 * @ports: the map
 * @first: in: where to start looking; out: the first port of the range
 * @last: out: the last port of the range
 *
 * Continue with *first = *last + 1; the u32 lets 65535 + 1 end the walk.
 *
 * Return: false when no port from *first on is in the map.
 */
bool edge_ports_walk(const struct edge_ports *ports, u32 *first, u32 *last);

#endif /* _EDGE_PORTS_H */
