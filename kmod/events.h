/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The multicast groups: who listens there hears what happens, without asking.
 */
#ifndef _EDGE_EVENTS_H
#define _EDGE_EVENTS_H

#include <net/genetlink.h>

#include "config.h"

enum edge_events_group {
	EDGE_EVENTS_CONFIG,
	EDGE_EVENTS_GROUP_COUNT
};

/* For the family, indexed by enum edge_events_group. */
extern const struct genl_multicast_group edge_events_groups[EDGE_EVENTS_GROUP_COUNT];

/**
 * edge_events_config - tells the group "config" of a change
 * @edge: the namespace, lock held, so that changes are told in their order
 * @info: the request that made the change, which is in force
 *
 * Cannot fail: when there is no memory, the listeners' sockets say ENOBUFS.
 * Costs nothing while nobody listens.
 *
 * Context: process context, may sleep.
 */
void edge_events_config(struct edge_net *edge, const struct genl_info *info);

#endif /* _EDGE_EVENTS_H */
