/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a packet, and what connection tracking knows of it, to a flow. The only
 * room that reads packet bytes; it knows no configuration.
 */
#ifndef _EDGE_FLOW_H
#define _EDGE_FLOW_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>

#include "edge.h"

/* The addresses, where the packet has them. */
static __always_inline const union nf_inet_addr *edge_flow_src(const struct sk_buff *skb, u8 family)
{
	return family == NFPROTO_IPV4 ? (const union nf_inet_addr *)&ip_hdr(skb)->saddr :
					(const union nf_inet_addr *)&ipv6_hdr(skb)->saddr;
}

static __always_inline const union nf_inet_addr *edge_flow_dst(const struct sk_buff *skb, u8 family)
{
	return family == NFPROTO_IPV4 ? (const union nf_inet_addr *)&ip_hdr(skb)->daddr :
					(const union nf_inet_addr *)&ipv6_hdr(skb)->daddr;
}

static __always_inline bool edge_flow_is_loopback(const struct net_device *dev)
{
	return dev && dev->flags & IFF_LOOPBACK;
}

/* All of a flow but what the transport header says. */
static __always_inline void edge_flow_begin(const struct sk_buff *skb,
					    const struct nf_hook_state *state,
					    const struct net_device *out, u8 family,
					    struct edge_flow *flow)
{
	flow->src.addr = edge_flow_src(skb, family);
	flow->src.edge = NULL;
	flow->src.port = 0;
	flow->dst.addr = edge_flow_dst(skb, family);
	flow->dst.edge = NULL;
	flow->dst.port = 0;
	flow->in = state->in ? state->in->name : NULL;
	flow->out = out ? out->name : NULL;
	flow->family = family;
	flow->protocol = 0;
	flow->kind = EDGE_KIND_OTHER;
	flow->tracking = EDGE_TRACKING_UNASKED;
	flow->reply = false;
	flow->malformed = false;
}

/* What a header says; false for one that lies. room: bytes of the packet from the header on. */
static __always_inline bool edge_flow_take_tcp(const struct tcphdr *tcp, u32 room,
					       struct edge_flow *flow)
{
	const __be32 opening = TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST | TCP_FLAG_FIN;

	if (tcp->doff * 4 < sizeof(*tcp) || tcp->doff * 4 > room)
		return false;
	flow->src.port = ntohs(tcp->source);
	flow->dst.port = ntohs(tcp->dest);
	flow->kind = (tcp_flag_word(tcp) & opening) == TCP_FLAG_SYN ? EDGE_KIND_TCP_SYN :
								      EDGE_KIND_TCP;
	return true;
}

static __always_inline bool edge_flow_take_udp(const struct udphdr *udp, u32 room,
					       struct edge_flow *flow)
{
	if (ntohs(udp->len) < sizeof(*udp) || ntohs(udp->len) > room)
		return false;
	flow->src.port = ntohs(udp->source);
	flow->dst.port = ntohs(udp->dest);
	flow->kind = EDGE_KIND_UDP;
	return true;
}

/* Whether a checksum that is still to be written will be written at @at or behind it. */
bool edge_flow_completes_at(const struct sk_buff *skb, u32 at);

/*
 * Whether all before @at stays as it was read. Where a virtual device's user has left a checksum to
 * be written, it is written when the packet leaves: wherever that user wants it, be it a port or an
 * address.
 */
static __always_inline bool edge_flow_stays(const struct sk_buff *skb, u32 at)
{
	return likely(skb->ip_summed != CHECKSUM_PARTIAL) || edge_flow_completes_at(skb, at);
}

/**
 * edge_flow_read - what a packet says of itself
 * @skb: at its network header, as in every inet hook; must outlive what is read: addresses are
 *	not copied
 * @state: the hook's state
 * @flow: all of it is set but the Edge addresses, which are forgotten; what is not known yet to
 *	nothing
 *
 * Sets malformed where headers are truncated, impossible or not to be believed:
 * step 1 of Documentation/policy.md. Linear and paged data alike; nothing is pulled or allocated.
 *
 * Return: false for what is never judged, traffic over the loopback device unless it goes on by
 *	another, and for what is judged when it passes the hook again: what this machine sends by
 *	way of a VRF.
 */
bool edge_flow_read(const struct sk_buff *skb, const struct nf_hook_state *state,
		    struct edge_flow *flow);

/**
 * edge_flow_read_plain - as edge_flow_read(), for nearly every packet, and without a call
 * @skb: as above
 * @state: as above
 * @family: that of @state; a constant
 * @flow: from edge_flow_begin(); the rest is set
 *
 * Nearly every packet is forwarded or delivered, TCP or UDP right behind a network header without
 * options, well-formed, and its headers are in one piece.
 *
 * Return: false for another one; @flow is worth nothing then.
 */
static __always_inline bool edge_flow_read_plain(const struct sk_buff *skb,
						 const struct nf_hook_state *state,
						 u8 family, struct edge_flow *flow)
{
	bool ipv4 = family == NFPROTO_IPV4, believed;
	const struct iphdr *ip = ip_hdr(skb);
	u32 at = ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	const void *transport = (const void *)ip + at;

	if (state->hook == NF_INET_LOCAL_OUT || edge_flow_is_loopback(state->in) ||
	    edge_flow_is_loopback(state->out))
		return false;
	if (ipv4 && (ip->ihl * 4 != at || ip_is_fragment(ip)))
		return false;

	flow->protocol = ipv4 ? ip->protocol : ipv6_hdr(skb)->nexthdr;
	if (flow->protocol == IPPROTO_TCP && skb_headlen(skb) >= at + sizeof(struct tcphdr))
		believed = edge_flow_take_tcp(transport, skb->len - at, flow) &&
			   edge_flow_stays(skb, at + offsetof(struct tcphdr, check));
	else if (flow->protocol == IPPROTO_UDP && skb_headlen(skb) >= at + sizeof(struct udphdr))
		believed = edge_flow_take_udp(transport, skb->len - at, flow) &&
			   edge_flow_stays(skb, at + offsetof(struct udphdr, check));
	else
		return false;
	return believed && !edge_addresses_lie(flow);
}

static __always_inline bool edge_flow_is_extension(u8 header)
{
	switch (header) {
	case NEXTHDR_HOP:
	case NEXTHDR_ROUTING:
	case NEXTHDR_FRAGMENT:
	case NEXTHDR_AUTH:
	case NEXTHDR_DEST:
		return true;
	default:
		return false;
	}
}

/* Whether there is no room for a route: neither options nor extension headers, as nearly always. */
static __always_inline bool edge_flow_is_direct(const struct sk_buff *skb, u8 family)
{
	const u8 *first = skb_network_header(skb);	/* version and length at once */

	if (family == NFPROTO_IPV4)
		return *first == (4 << 4 | sizeof(struct iphdr) / 4);
	return ipv6_hdr(skb)->nexthdr == NEXTHDR_TCP ||
	       !edge_flow_is_extension(ipv6_hdr(skb)->nexthdr);
}

typedef bool (*edge_flow_is_fn)(const void *data, u8 family, const union nf_inet_addr *addr);

/**
 * struct edge_flow_place - where a packet is on its route
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @delivered: it is about to be delivered to this machine, which then follows its routing headers
 * @followed: this machine has followed them, and there may be no segments left
 * @dst: its destination; compressed addresses lack the first bytes of it
 */
struct edge_flow_place {
	u8 family;
	bool delivered;
	bool followed;
	const union nf_inet_addr *dst;
};

/**
 * edge_flow_route_names - whether a packet's route names an address of some kind
 * @skb: as for edge_flow_read()
 * @place: where it is
 * @is: whether an address is of that kind; its address is gone when it returns
 * @data: for @is
 *
 * The route is an IPv4 source route, or the IPv6 routing headers with segments left. What cannot be
 * parsed ends it: nobody follows it further. Nothing is pulled or allocated.
 *
 * Return: true when one of its addresses is.
 */
bool edge_flow_route_names(const struct sk_buff *skb, const struct edge_flow_place *place,
			   edge_flow_is_fn is, const void *data);

/**
 * edge_flow_track - takes the flow from connection tracking
 * @ct: the packet's connection
 * @ctinfo: and its place in it
 * @translated: with the responder after address translation instead of before; the
 *	initiator is never taken translated: that comes after both gates
 * @flow: from edge_flow_read(); addresses, ports, protocol, reply and tracking become
 *	those of the flow; addresses are the connection's own
 *
 * The opener is the one of the original direction; a TCP SYN is the opening of
 * a flow of its own in whichever direction it goes.
 */
void edge_flow_track(const struct nf_conn *ct, enum ip_conntrack_info ctinfo, bool translated,
		     struct edge_flow *flow);

static __always_inline bool edge_flow_is_end(const struct edge_end *end, u8 family,
					     const union nf_inet_addr *addr, __be16 port)
{
	return edge_address_equal(family, end->addr, addr) && end->port == ntohs(port);
}

/* As far as this packet goes: another CPU may confirm it. */
static __always_inline u8 edge_flow_tracking(const struct nf_conn *ct)
{
	return READ_ONCE(ct->status) & IPS_CONFIRMED ? EDGE_TRACKING_KNOWN : EDGE_TRACKING_NEW;
}

/**
 * edge_flow_is_own - whether a packet carries its connection's own ends
 * @ct: the packet's connection, without address translation
 * @ctinfo: and its place in it
 * @flow: from edge_flow_read()
 *
 * Return: false for one that somebody rewrote, and for what has no ends, or not its own.
 */
static __always_inline bool edge_flow_is_own(const struct nf_conn *ct,
					     enum ip_conntrack_info ctinfo,
					     const struct edge_flow *flow)
{
	const struct nf_conntrack_tuple *tuple = &ct->tuplehash[CTINFO2DIR(ctinfo)].tuple;

	return flow->kind >= EDGE_KIND_TCP_SYN && flow->kind <= EDGE_KIND_UDP &&
	       edge_flow_is_end(&flow->src, flow->family, &tuple->src.u3, tuple->src.u.all) &&
	       edge_flow_is_end(&flow->dst, flow->family, &tuple->dst.u3, tuple->dst.u.all);
}

/* Makes the packet's flow one that the other end opened. */
static __always_inline void edge_flow_turn(struct edge_flow *flow)
{
	swap(flow->src, flow->dst);
	flow->reply = true;
}

/* What the packet carried before any address translation here. Not for ICMP errors. */
void edge_flow_as_received(const struct nf_conn *ct, enum ip_conntrack_info ctinfo,
			   struct edge_flow *flow);

/**
 * edge_flow_known - whether connection tracking has a confirmed entry for a packet
 * @skb: the packet; its own connection is used where it has one already
 * @net: the namespace
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Looks up, allocates nothing, and only in the default zone.
 *
 * Return: true when there is one.
 */
bool edge_flow_known(const struct sk_buff *skb, struct net *net, u8 family);

#endif /* _EDGE_FLOW_H */
