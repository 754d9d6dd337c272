/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The private vocabulary: what every room of the module may speak of.
 */
#ifndef _EDGE_H
#define _EDGE_H

#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/if.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <net/ipv6.h>

#include "uapi/nf_edge.h"

/*
 * Memory for what users load: charged to their control group, and where that or the machine is
 * full, refused: nobody is killed for it.
 */
#define EDGE_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* A point of rest between two entries of a list; -EINTR when the caller is to be killed. */
static inline int edge_rest(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/**
 * enum edge_kind - what the transport header says of a packet; the order counts
 * @EDGE_KIND_OTHER: no row can cover it (echo, redirects, ESP, tunnels, ...)
 * @EDGE_KIND_NEVER: never ours: neighbour and router discovery, MLD
 * @EDGE_KIND_TCP_SYN: opens a TCP connection: SYN without ACK, RST and FIN
 * @EDGE_KIND_TCP: any other TCP segment
 * @EDGE_KIND_UDP: a UDP datagram
 * @EDGE_KIND_ICMP_ERROR: an error about some flow (RFC 792, RFC 4443)
 */
enum edge_kind {
	EDGE_KIND_OTHER,
	EDGE_KIND_NEVER,
	EDGE_KIND_TCP_SYN,
	EDGE_KIND_TCP,
	EDGE_KIND_UDP,
	EDGE_KIND_ICMP_ERROR,
};

/**
 * enum edge_tracking - what connection tracking says of a packet
 * @EDGE_TRACKING_UNASKED: it was not asked (first gate, explain)
 * @EDGE_TRACKING_NONE: invalid or not tracked
 * @EDGE_TRACKING_NEW: this packet opens the flow; nothing is confirmed yet
 * @EDGE_TRACKING_KNOWN: the packet belongs to a confirmed flow
 */
enum edge_tracking {
	EDGE_TRACKING_UNASKED,
	EDGE_TRACKING_NONE,
	EDGE_TRACKING_NEW,
	EDGE_TRACKING_KNOWN,
};

struct edge_interface;

/**
 * struct edge_end - one end of a flow
 * @addr: network byte order; where a packet, connection tracking or a caller has it
 * @edge: the Edge address that it is, or NULL; see edge_policy_recognise()
 * @port: host byte order; 0 where there is none
 */
struct edge_end {
	const union nf_inet_addr *addr;
	const struct edge_interface *edge;
	u16 port;
};

/**
 * struct edge_flow - all that the law knows of a packet
 * @src: the initiator
 * @dst: the responder
 * @in: name of the device that it entered by, or NULL
 * @out: name of the device that it leaves by, or NULL
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @protocol: IPPROTO_*, of the flow (for an ICMP error: of the flow it is about)
 * @kind: enum edge_kind, of the packet
 * @tracking: enum edge_tracking
 * @reply: the packet goes from @dst to @src
 * @malformed: its headers cannot be parsed or must not be believed
 */
struct edge_flow {
	struct edge_end src;
	struct edge_end dst;
	const char *in;
	const char *out;
	u8 family;
	u8 protocol;
	u8 kind;
	u8 tracking;
	bool reply;
	bool malformed;
};

/*
 * A flow that is about to be read whole: a kernel that clears every variable on the stack
 * (CONFIG_INIT_STACK_ALL_ZERO) need not clear this one.
 */
#if __has_attribute(__uninitialized__)
#define __unread __attribute__((__uninitialized__))
#else
#define __unread
#endif

/**
 * struct edge_ruling - what the law says
 * @verdict: enum nf_edge_verdict
 * @row: enum nf_edge_row that admitted, for accept; else NF_EDGE_ROW_COUNT
 * @reason: enum nf_edge_reason for drop, and for a pass by "unlisted pass"; else
 *	NF_EDGE_REASON_COUNT
 */
struct edge_ruling {
	u8 verdict;
	u8 row;
	u8 reason;
};

static inline bool edge_address_equal(u8 family, const union nf_inet_addr *a,
				      const union nf_inet_addr *b)
{
	if (family == NFPROTO_IPV4)
		return a->ip == b->ip;
	return ipv6_addr_equal(&a->in6, &b->in6);
}

/* As many bits as are wanted, by which an address is told from most others. */
static __always_inline u32 edge_address_hash(u8 family, const union nf_inet_addr *addr, u32 bits)
{
	const __be32 *ip6 = addr->in6.s6_addr32;
	__be32 word = family == NFPROTO_IPV4 ? addr->ip : ip6[0] ^ ip6[1] ^ ip6[2] ^ ip6[3];

	return hash_32((__force u32)word, bits);
}

/* IPv4 before IPv6, then by address. Below, equal or above: < 0, 0, > 0. */
static inline int edge_address_compare(u8 a_family, const union nf_inet_addr *a,
				       u8 b_family, const union nf_inet_addr *b)
{
	if (a_family != b_family)
		return a_family == NFPROTO_IPV4 ? -1 : 1;
	return memcmp(a, b, a_family == NFPROTO_IPV4 ? 4 : 16);
}

/* An address pair that no packet can honestly carry: step 1 of Documentation/policy.md. */
static inline bool edge_addresses_lie(const struct edge_flow *flow)
{
	if (edge_address_equal(flow->family, flow->src.addr, flow->dst.addr))
		return true;
	return flow->family == NFPROTO_IPV6 &&
	       (ipv6_addr_v4mapped(&flow->src.addr->in6) ||
		ipv6_addr_v4mapped(&flow->dst.addr->in6));
}

#endif /* _EDGE_H */
