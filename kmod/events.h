/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The multicast groups: who listens there hears what happens, without asking.
 */
#ifndef _EDGE_EVENTS_H
#define _EDGE_EVENTS_H

#include <linux/jiffies.h>
#include <net/genetlink.h>

#include "config.h"
#include "netlink.h"

enum edge_events_group {
	EDGE_EVENTS_CONFIG,
	EDGE_EVENTS_DROPS,
	EDGE_EVENTS_GROUP_COUNT
};

/* For the family, indexed by enum edge_events_group. */
extern const struct genl_multicast_group edge_events_groups[EDGE_EVENTS_GROUP_COUNT];

/**
 * edge_events_config - tells the group "config" of a change
 * @edge: the namespace, commit mutex held, so that changes are told in their order
 * @info: the request that made the change, which is in force
 *
 * Cannot fail: when there is no memory, the listeners' sockets say ENOBUFS.
 * Costs nothing while nobody listens.
 *
 * Context: process context, may sleep.
 */
void edge_events_config(struct edge_net *edge, const struct genl_info *info);

/* The same of a change that nobody asked for, enum nf_edge_cmd. */
void edge_events_by_itself(struct edge_net *edge, u8 cmd);

/**
 * edge_events_hear_drops - whether somebody may listen to the group "drops"
 * @edge: the namespace; a listener may be in another
 *
 * While nobody does, netlink is asked once in a tick of the clock: it takes a fifth of what a drop
 * costs. Who joins in the middle of one hears from the next on. It knows of listeners, not of their
 * namespaces, and a family's bind() is told the namespace by none of the kernels from 5.10 to 7.3.
 * That nobody hears it here is found by telling a drop, again once in a tick.
 *
 * Context: any context.
 * Return: true when a drop is to be told.
 */
static __always_inline bool edge_events_hear_drops(struct edge_net *edge)
{
	unsigned long now = jiffies;

	if (likely(READ_ONCE(edge->unheard) == now))
		return false;
	if (genl_has_listeners(&edge_netlink_family, edge->net, EDGE_EVENTS_DROPS))
		return true;
	WRITE_ONCE(edge->unheard, now);
	return false;
}

/**
 * edge_events_may_tell - whether a drop is one of the few that are told
 * @edge: the namespace
 * @reason: of the drop
 *
 * At most some a second of each reason.
 *
 * Context: any context.
 * Return: true when edge_events_drop() is to be called; otherwise the drop is among those left out.
 */
bool edge_events_may_tell(struct edge_net *edge, enum nf_edge_reason reason);

/**
 * edge_events_drop - tells the group "drops" of a packet
 * @edge: the namespace
 * @policy: what it was judged by
 * @flow: its flow, recognised
 * @reason: why it is dropped, or in audit would be; edge_events_may_tell() of it
 *
 * How many were left out, for want of memory too, is told with the next.
 *
 * Context: RCU read side, any context but hard interrupts.
 */
void edge_events_drop(struct edge_net *edge, const struct edge_policy *policy,
		      const struct edge_flow *flow, enum nf_edge_reason reason);

#endif /* _EDGE_EVENTS_H */
