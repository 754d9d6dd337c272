/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a packet, and what connection tracking knows of it, to a flow. The only
 * room that reads packet bytes; it knows no configuration.
 */
#ifndef _EDGE_FLOW_H
#define _EDGE_FLOW_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/netfilter/nf_conntrack.h>

#include "edge.h"

/* A packet's addresses in one word each: itself, if IPv4, or edge_word6() of it. */
static inline __be32 edge_flow_src_word(const struct sk_buff *skb, u8 family)
{
	return family == NFPROTO_IPV4 ? ip_hdr(skb)->saddr : edge_word6(&ipv6_hdr(skb)->saddr);
}

static inline __be32 edge_flow_dst_word(const struct sk_buff *skb, u8 family)
{
	return family == NFPROTO_IPV4 ? ip_hdr(skb)->daddr : edge_word6(&ipv6_hdr(skb)->daddr);
}

/**
 * edge_flow_read_addresses - what it takes to tell whether a packet may be ours
 * @skb: at its network header, as in every inet hook
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @flow: family, src and dst are set
 */
static inline void edge_flow_read_addresses(const struct sk_buff *skb, u8 family,
					    struct edge_flow *flow)
{
	flow->family = family;
	if (family == NFPROTO_IPV4) {
		flow->src.ip = ip_hdr(skb)->saddr;
		flow->dst.ip = ip_hdr(skb)->daddr;
	} else {
		flow->src.in6 = ipv6_hdr(skb)->saddr;
		flow->dst.in6 = ipv6_hdr(skb)->daddr;
	}
}

/**
 * edge_flow_read_devices - where a packet comes from and goes to
 * @skb: as above
 * @state: the hook's state
 * @flow: from edge_flow_read_addresses(); all but addresses and Edge addresses is set, what is
 *	not known yet to nothing
 *
 * Return: false for what is never judged: traffic over the loopback device.
 */
bool edge_flow_read_devices(const struct sk_buff *skb, const struct nf_hook_state *state,
			    struct edge_flow *flow);

/**
 * edge_flow_read_transport - kind, protocol and ports of a packet, and its manners
 * @skb: as above
 * @flow: from edge_flow_read_devices()
 *
 * Sets malformed where headers are truncated, impossible or not to be believed:
 * step 1 of Documentation/policy.md. Linear and paged data alike; nothing is pulled or allocated.
 */
void edge_flow_read_transport(const struct sk_buff *skb, struct edge_flow *flow);

/**
 * edge_flow_track - takes the flow from connection tracking
 * @ct: the packet's connection
 * @ctinfo: and its place in it
 * @translated: with the responder after address translation instead of before; the
 *	initiator is never taken translated: that comes after both gates
 * @flow: from edge_flow_read_transport(); addresses, ports, protocol, reply and
 *	tracking become those of the flow
 *
 * The opener is the one of the original direction; a TCP SYN is the opening of
 * a flow of its own in whichever direction it goes.
 */
void edge_flow_track(const struct nf_conn *ct, enum ip_conntrack_info ctinfo, bool translated,
		     struct edge_flow *flow);

/**
 * edge_flow_join - as edge_flow_track(), for a packet that carries its connection's own ends
 * @ct: the packet's connection, without address translation
 * @ctinfo: and its place in it
 * @flow: a recognised one, from edge_flow_read_transport(); its ends change places in a reply
 *
 * Return: false, and nothing has changed, when the packet does not carry them: somebody rewrote it.
 */
bool edge_flow_join(const struct nf_conn *ct, enum ip_conntrack_info ctinfo,
		    struct edge_flow *flow);

/* What the packet carried before any address translation here. Not for ICMP errors. */
void edge_flow_as_received(const struct nf_conn *ct, enum ip_conntrack_info ctinfo,
			   struct edge_flow *flow);

/**
 * edge_flow_known - whether connection tracking has a confirmed entry for a packet
 * @skb: the packet; its own connection is used where it has one already
 * @net: the namespace
 * @flow: the packet's flow
 *
 * Looks up, allocates nothing, and only in the default zone.
 *
 * Return: true when there is one.
 */
bool edge_flow_known(const struct sk_buff *skb, struct net *net, const struct edge_flow *flow);

#endif /* _EDGE_FLOW_H */
