// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what is read from packets. Every packet is read in one piece, and
 * in pieces cut at every byte, whole and truncated at every byte: the answer may
 * not depend on where it is cut, and what is truncated is malformed.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/dst.h>
#include <net/ndisc.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "flow.h"

/* Packets, byte by byte. */

#define HI(word) ((word) >> 8 & 0xff)
#define LO(word) ((word) & 0xff)
#define PUBLIC 198, 51, 100, 7		/* the sender, a stranger */
#define EDGE 203, 0, 113, 1		/* the receiver */
#define PUBLIC6 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7
#define EDGE6 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
#define MAPPED6 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 1

/* The total length, 0 here, was IP's business before any hook. */
#define IPV4_BETWEEN(from, to, ihl, fragment, protocol) \
	0x40 | (ihl), 0, 0, 0, 0, 0, HI(fragment), LO(fragment), 64, (protocol), 0, 0, from, to
#define IPV4_CUT(ihl, fragment, protocol) IPV4_BETWEEN(PUBLIC, EDGE, ihl, fragment, protocol)
#define IPV4(ihl, protocol) IPV4_CUT(ihl, 0, protocol)
#define IPV6_BETWEEN(from, to, next, hops) 0x60, 0, 0, 0, 0, 0, (next), (hops), from, to
#define IPV6(next) IPV6_BETWEEN(PUBLIC6, EDGE6, next, 64)

#define TCP_BETWEEN(from, to, doff, flags) HI(from), LO(from), HI(to), LO(to), \
	0, 0, 0, 1, 0, 0, 0, 0, (doff) << 4, (flags), 0xff, 0xff, 0, 0, 0, 0
#define TCP(doff, flags) TCP_BETWEEN(1024, 5061, doff, flags)
#define UDP(length) HI(1024), LO(1024), HI(3478), LO(3478), HI(length), LO(length), 0, 0
#define ICMP(type) (type), 0, 0, 0, 0, 0, 0, 0
#define NOTHING_8 0, 0, 0, 0, 0, 0, 0, 0

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20
#define ECE 0x40
#define CWR 0x80
#define MORE_FRAGMENTS 0x2000
#define DONT_FRAGMENT 0x4000

/* Extension headers: what comes next, and the length that they claim. */
#define EXT(next, length) (next), (length), 1, 4, 0, 0, 0, 0
#define ROUTING(next, length, type) (next), (length), (type), 1, 0, 0, 0, 0
#define FRAGMENT(next, offset) (next), 0xff, HI(offset), LO(offset), 1, 2, 3, 4
#define AUTH(next, length) EXT(next, length)

struct packet_case {
	const char *name;
	u8 family;
	const u8 *bytes;
	u16 length;
	u16 need;	/* what of it is read; 0: all of it */
	bool malformed;
	u8 kind;
	u8 protocol;
};

#define BYTES(...) .bytes = (const u8[]){ __VA_ARGS__ }, \
	.length = sizeof((const u8[]){ __VA_ARGS__ })
#define V4(...) .family = NFPROTO_IPV4, BYTES(__VA_ARGS__)
#define V6(...) .family = NFPROTO_IPV6, BYTES(__VA_ARGS__)
#define IS(what, number) .kind = EDGE_KIND_##what, .protocol = (number)
#define IS_SYN IS(TCP_SYN, IPPROTO_TCP)
#define IS_TCP IS(TCP, IPPROTO_TCP)
#define IS_UDP IS(UDP, IPPROTO_UDP)
#define MALFORMED .malformed = true

static const struct packet_case packet_cases[] = {
	{ "SYN", V4(IPV4(5, IPPROTO_TCP), TCP(5, SYN)), IS_SYN },
	{ "SYN with ECN", V4(IPV4(5, IPPROTO_TCP), TCP(5, SYN | ECE | CWR)), IS_SYN },
	{ "SYN with data", V4(IPV4(5, IPPROTO_TCP), TCP(5, SYN | PSH), 'd', 'a', 't', 'a'),
	  .need = 40, IS_SYN },
	{ "SYN with options", V4(IPV4(5, IPPROTO_TCP), TCP(6, SYN), 2, 4, 5, 0xb4), IS_SYN },
	{ "SYN ACK", V4(IPV4(5, IPPROTO_TCP), TCP(5, SYN | ACK)), IS_TCP },
	{ "ACK", V4(IPV4(5, IPPROTO_TCP), TCP(5, ACK)), IS_TCP },
	{ "TCP header of 16 bytes", V4(IPV4(5, IPPROTO_TCP), TCP(4, SYN)), MALFORMED },
	{ "TCP header of no bytes", V4(IPV4(5, IPPROTO_TCP), TCP(0, SYN)), MALFORMED },
	{ "TCP options beyond the end", V4(IPV4(5, IPPROTO_TCP), TCP(6, SYN)), MALFORMED },
	{ "TCP options beyond the end by a byte", V4(IPV4(5, IPPROTO_TCP), TCP(6, SYN), 1, 1, 1),
	  MALFORMED },
	{ "TCP header of 60 bytes",
	  V4(IPV4(5, IPPROTO_TCP), TCP(15, ACK), NOTHING_8, NOTHING_8, NOTHING_8, NOTHING_8,
	     NOTHING_8), IS_TCP },
	{ "no TCP header", V4(IPV4(5, IPPROTO_TCP)), MALFORMED },

	{ "UDP", V4(IPV4(5, IPPROTO_UDP), UDP(8)), IS_UDP },
	{ "UDP with data", V4(IPV4(5, IPPROTO_UDP), UDP(12), 'd', 'a', 't', 'a'), IS_UDP },
	{ "UDP shorter than the packet", V4(IPV4(5, IPPROTO_UDP), UDP(9), 'd', 'a', 't', 'a'),
	  .need = 29, IS_UDP },
	{ "UDP beyond the end by a byte", V4(IPV4(5, IPPROTO_UDP), UDP(13), 'd', 'a', 't', 'a'),
	  MALFORMED },
	{ "UDP of 65535 bytes", V4(IPV4(5, IPPROTO_UDP), UDP(65535)), MALFORMED },
	{ "UDP of 7 bytes", V4(IPV4(5, IPPROTO_UDP), UDP(7)), MALFORMED },
	{ "UDP of no bytes", V4(IPV4(5, IPPROTO_UDP), UDP(0)), MALFORMED },
	{ "no UDP header", V4(IPV4(5, IPPROTO_UDP)), MALFORMED },

	{ "ICMP error", V4(IPV4(5, IPPROTO_ICMP), ICMP(ICMP_DEST_UNREACH)),
	  IS(ICMP_ERROR, IPPROTO_ICMP) },
	{ "ICMP echo", V4(IPV4(5, IPPROTO_ICMP), ICMP(ICMP_ECHO), 'd'), .need = 28,
	  IS(OTHER, IPPROTO_ICMP) },
	{ "no ICMP header", V4(IPV4(5, IPPROTO_ICMP)), MALFORMED },
	{ "ICMPv6 in IPv4", V4(IPV4(5, IPPROTO_ICMPV6)), IS(OTHER, IPPROTO_ICMPV6) },
	{ "ESP", V4(IPV4(5, IPPROTO_ESP), TCP(5, SYN)), .need = 20, IS(OTHER, IPPROTO_ESP) },
	{ "GRE", V4(IPV4(5, IPPROTO_GRE)), IS(OTHER, IPPROTO_GRE) },
	{ "SCTP", V4(IPV4(5, IPPROTO_SCTP)), IS(OTHER, IPPROTO_SCTP) },
	{ "IPv4 in IPv4", V4(IPV4(5, IPPROTO_IPIP), IPV4(5, IPPROTO_TCP), TCP(5, SYN)), .need = 20,
	  IS(OTHER, IPPROTO_IPIP) },
	{ "AH in IPv4 is no extension header", V4(IPV4(5, IPPROTO_AH), AUTH(IPPROTO_TCP, 4)),
	  .need = 20, IS(OTHER, IPPROTO_AH) },
	{ "protocol 0", V4(IPV4(5, 0)), IS(OTHER, 0) },
	{ "protocol 255", V4(IPV4(5, 255)), IS(OTHER, 255) },

	{ "IPv4 header of 16 bytes", V4(IPV4(4, IPPROTO_TCP), TCP(5, SYN)), MALFORMED },
	{ "IPv4 header of no bytes", V4(IPV4(0, IPPROTO_TCP), TCP(5, SYN)), MALFORMED },
	{ "IPv4 options beyond the end", V4(IPV4(15, IPPROTO_ESP), TCP(5, SYN)), MALFORMED },
	{ "do not fragment", V4(IPV4_CUT(5, DONT_FRAGMENT, IPPROTO_TCP), TCP(5, SYN)), IS_SYN },
	{ "the first fragment", V4(IPV4_CUT(5, MORE_FRAGMENTS, IPPROTO_TCP), TCP(5, SYN)),
	  MALFORMED },
	{ "a later fragment", V4(IPV4_CUT(5, MORE_FRAGMENTS | 3, IPPROTO_TCP), TCP(5, SYN)),
	  MALFORMED },
	{ "the last fragment", V4(IPV4_CUT(5, 3, IPPROTO_UDP), UDP(8)), MALFORMED },
	{ "the last fragment, of no row's protocol", V4(IPV4_CUT(5, 0x1fff, IPPROTO_ESP)),
	  MALFORMED },
	{ "to its own sender", V4(IPV4_BETWEEN(EDGE, EDGE, 5, 0, IPPROTO_TCP), TCP(5, SYN)),
	  MALFORMED },
	{ "to its own sender, of no row's protocol",
	  V4(IPV4_BETWEEN(EDGE, EDGE, 5, 0, IPPROTO_ESP)), MALFORMED },

	{ "no operation", V4(IPV4(6, IPPROTO_TCP), 1, 1, 1, 1, TCP(5, SYN)), IS_SYN },
	{ "end of options", V4(IPV4(6, IPPROTO_UDP), 0, 0, 0, 0, UDP(8)), IS_UDP },
	{ "nothing counts after the end of options", V4(IPV4(6, IPPROTO_UDP), 1, 0, 131, 3, UDP(8)),
	  IS_UDP },
	{ "record route", V4(IPV4(7, IPPROTO_UDP), 7, 7, 4, 0, 0, 0, 0, 0, UDP(8)), IS_UDP },
	{ "router alert", V4(IPV4(6, IPPROTO_UDP), 148, 4, 0, 0, UDP(8)), IS_UDP },
	{ "an option without data", V4(IPV4(6, IPPROTO_UDP), 148, 2, 148, 2, UDP(8)), IS_UDP },
	{ "loose source route", V4(IPV4(7, IPPROTO_UDP), 131, 7, 4, 1, 2, 3, 4, 0, UDP(8)),
	  MALFORMED },
	{ "strict source route", V4(IPV4(7, IPPROTO_UDP), 137, 7, 4, 1, 2, 3, 4, 0, UDP(8)),
	  MALFORMED },
	{ "a source route behind others",
	  V4(IPV4(8, IPPROTO_UDP), 1, 148, 4, 0, 0, 131, 3, 4, 1, 1, 1, 0, UDP(8)), MALFORMED },
	{ "a source route of an unknown protocol", V4(IPV4(6, IPPROTO_ESP), 131, 3, 4, 0),
	  MALFORMED },
	{ "an option of length 0", V4(IPV4(6, IPPROTO_UDP), 7, 0, 0, 0, UDP(8)), MALFORMED },
	{ "an option of length 1", V4(IPV4(6, IPPROTO_UDP), 7, 1, 0, 0, UDP(8)), MALFORMED },
	{ "an option beyond the options", V4(IPV4(6, IPPROTO_UDP), 7, 5, 0, 0, UDP(8)), MALFORMED },
	{ "an option's length beyond the options", V4(IPV4(6, IPPROTO_UDP), 1, 1, 1, 7, UDP(8)),
	  MALFORMED },
	{ "an option of length 255", V4(IPV4(6, IPPROTO_UDP), 7, 255, 0, 0, UDP(8)), MALFORMED },
	{ "40 bytes of options",
	  V4(IPV4(15, IPPROTO_TCP), 7, 39, 4, 0, 0, NOTHING_8, NOTHING_8, NOTHING_8, NOTHING_8, 0,
	     0, 1, TCP(6, ACK), 1, 1, 1, 1), IS_TCP },
	{ "a source route in the last 3 of 40 bytes",
	  V4(IPV4(15, IPPROTO_TCP), 7, 37, 4, 0, 0, NOTHING_8, NOTHING_8, NOTHING_8, NOTHING_8, 131,
	     3, 4, TCP(5, ACK)), MALFORMED },

	{ "IPv6 SYN", V6(IPV6(IPPROTO_TCP), TCP(5, SYN)), IS_SYN },
	{ "IPv6 SYN with data", V6(IPV6(IPPROTO_TCP), TCP(5, SYN), 'd'), .need = 60, IS_SYN },
	{ "IPv6 RST", V6(IPV6(IPPROTO_TCP), TCP(5, RST)), IS_TCP },
	{ "IPv6 TCP options beyond the end", V6(IPV6(IPPROTO_TCP), TCP(6, SYN)), MALFORMED },
	{ "IPv6 no TCP header", V6(IPV6(IPPROTO_TCP)), MALFORMED },
	{ "IPv6 UDP", V6(IPV6(IPPROTO_UDP), UDP(9), 'd'), IS_UDP },
	{ "IPv6 UDP of no bytes, as in a jumbogram", V6(IPV6(IPPROTO_UDP), UDP(0)), MALFORMED },
	{ "IPv6 UDP beyond the end", V6(IPV6(IPPROTO_UDP), UDP(9)), MALFORMED },
	{ "ICMPv6 error", V6(IPV6(IPPROTO_ICMPV6), ICMP(ICMPV6_PKT_TOOBIG)),
	  IS(ICMP_ERROR, IPPROTO_ICMPV6) },
	{ "ICMPv6 echo", V6(IPV6(IPPROTO_ICMPV6), ICMP(ICMPV6_ECHO_REQUEST)),
	  IS(OTHER, IPPROTO_ICMPV6) },
	{ "no ICMPv6 header", V6(IPV6(IPPROTO_ICMPV6)), MALFORMED },
	{ "ICMPv4 in IPv6", V6(IPV6(IPPROTO_ICMP)), IS(OTHER, IPPROTO_ICMP) },
	{ "neighbour discovery",
	  V6(IPV6_BETWEEN(PUBLIC6, EDGE6, IPPROTO_ICMPV6, 255), ICMP(NDISC_NEIGHBOUR_SOLICITATION)),
	  IS(NEVER, IPPROTO_ICMPV6) },
	{ "neighbour discovery from afar",
	  V6(IPV6_BETWEEN(PUBLIC6, EDGE6, IPPROTO_ICMPV6, 254), ICMP(NDISC_NEIGHBOUR_SOLICITATION)),
	  IS(OTHER, IPPROTO_ICMPV6) },
	{ "MLD, behind its router alert",
	  V6(IPV6_BETWEEN(PUBLIC6, EDGE6, NEXTHDR_HOP, 1), NEXTHDR_ICMP, 0, 5, 2, 0, 0, 1, 0,
	     ICMP(ICMPV6_MLD2_REPORT)), IS(NEVER, IPPROTO_ICMPV6) },
	{ "no next header", V6(IPV6(NEXTHDR_NONE)), IS(OTHER, IPPROTO_NONE) },
	{ "no next header, and a TCP header", V6(IPV6(NEXTHDR_NONE), TCP(5, SYN)), .need = 40,
	  IS(OTHER, IPPROTO_NONE) },
	{ "IPv6 ESP", V6(IPV6(NEXTHDR_ESP)), IS(OTHER, IPPROTO_ESP) },
	{ "IPv6 in IPv6", V6(IPV6(NEXTHDR_IPV6), IPV6(IPPROTO_TCP), TCP(5, SYN)), .need = 40,
	  IS(OTHER, IPPROTO_IPV6) },
	{ "mobility", V6(IPV6(NEXTHDR_MOBILITY)), IS(OTHER, IPPROTO_MH) },
	{ "to its own sender, IPv6", V6(IPV6_BETWEEN(EDGE6, EDGE6, IPPROTO_TCP, 64), TCP(5, SYN)),
	  MALFORMED },
	{ "from an IPv4-mapped address",
	  V6(IPV6_BETWEEN(MAPPED6, EDGE6, IPPROTO_TCP, 64), TCP(5, SYN)), MALFORMED },
	{ "to an IPv4-mapped address", V6(IPV6_BETWEEN(PUBLIC6, MAPPED6, IPPROTO_ESP, 64)),
	  MALFORMED },

	{ "hop-by-hop options", V6(IPV6(NEXTHDR_HOP), EXT(IPPROTO_TCP, 0), TCP(5, SYN)), IS_SYN },
	{ "destination options of 16 bytes",
	  V6(IPV6(NEXTHDR_DEST), EXT(IPPROTO_UDP, 1), NOTHING_8, UDP(8)), IS_UDP },
	{ "an extension header up to the end",
	  V6(IPV6(NEXTHDR_DEST), EXT(NEXTHDR_NONE, 1), NOTHING_8), IS(OTHER, IPPROTO_NONE) },
	{ "an extension header beyond the end",
	  V6(IPV6(NEXTHDR_DEST), EXT(NEXTHDR_NONE, 2), NOTHING_8), MALFORMED },
	{ "an extension header of 2048 bytes",
	  V6(IPV6(NEXTHDR_DEST), EXT(IPPROTO_TCP, 255), TCP(5, SYN)), MALFORMED },
	{ "no extension header", V6(IPV6(NEXTHDR_DEST)), MALFORMED },
	{ "routing header type 2", V6(IPV6(NEXTHDR_ROUTING), ROUTING(IPPROTO_UDP, 0, 2), UDP(8)),
	  IS_UDP },
	{ "routing header type 4", V6(IPV6(NEXTHDR_ROUTING), ROUTING(IPPROTO_UDP, 0, 4), UDP(8)),
	  IS_UDP },
	{ "routing header type 0", V6(IPV6(NEXTHDR_ROUTING), ROUTING(IPPROTO_UDP, 0, 0), UDP(8)),
	  MALFORMED },
	{ "routing header type 0 behind others",
	  V6(IPV6(NEXTHDR_HOP), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_ROUTING, 0),
	     ROUTING(IPPROTO_UDP, 0, 0), UDP(8)), MALFORMED },
	{ "routing header type 0, nothing behind it",
	  V6(IPV6(NEXTHDR_ROUTING), ROUTING(NEXTHDR_NONE, 0, 0)), MALFORMED },
	{ "atomic fragment", V6(IPV6(NEXTHDR_FRAGMENT), FRAGMENT(IPPROTO_TCP, 0), TCP(5, SYN)),
	  IS_SYN },
	{ "atomic fragment, reserved bits",
	  V6(IPV6(NEXTHDR_FRAGMENT), FRAGMENT(IPPROTO_UDP, 0x6), UDP(8)), IS_UDP },
	{ "the first fragment, IPv6",
	  V6(IPV6(NEXTHDR_FRAGMENT), FRAGMENT(IPPROTO_TCP, 0x1), TCP(5, SYN)), MALFORMED },
	{ "the second fragment, IPv6",
	  V6(IPV6(NEXTHDR_FRAGMENT), FRAGMENT(IPPROTO_TCP, 0x8), TCP(5, SYN)), MALFORMED },
	{ "a fragment far behind, IPv6",
	  V6(IPV6(NEXTHDR_FRAGMENT), FRAGMENT(IPPROTO_TCP, 0x100), TCP(5, SYN)), MALFORMED },
	{ "authentication header",
	  V6(IPV6(NEXTHDR_AUTH), AUTH(IPPROTO_TCP, 4), NOTHING_8, NOTHING_8, TCP(5, SYN)), IS_SYN },
	{ "authentication header of 8 bytes", V6(IPV6(NEXTHDR_AUTH), AUTH(IPPROTO_UDP, 0), UDP(8)),
	  IS_UDP },
	{ "authentication header beyond the end", V6(IPV6(NEXTHDR_AUTH), AUTH(NEXTHDR_NONE, 1)),
	  MALFORMED },
	{ "8 extension headers",
	  V6(IPV6(NEXTHDR_HOP), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_ROUTING, 0),
	     ROUTING(NEXTHDR_FRAGMENT, 0, 2), FRAGMENT(NEXTHDR_AUTH, 0), AUTH(NEXTHDR_DEST, 0),
	     EXT(NEXTHDR_DEST, 0), EXT(IPPROTO_TCP, 0), TCP(5, SYN)), IS_SYN },
	{ "9 extension headers",
	  V6(IPV6(NEXTHDR_HOP), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_ROUTING, 0),
	     ROUTING(NEXTHDR_FRAGMENT, 0, 2), FRAGMENT(NEXTHDR_AUTH, 0), AUTH(NEXTHDR_DEST, 0),
	     EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0), EXT(IPPROTO_TCP, 0), TCP(5, SYN)),
	  MALFORMED },
	{ "8 extension headers, nothing behind them",
	  V6(IPV6(NEXTHDR_DEST), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0),
	     EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0),
	     EXT(NEXTHDR_NONE, 0)), IS(OTHER, IPPROTO_NONE) },
};

KUNIT_ARRAY_PARAM_DESC(packet, packet_cases, name);

static u16 network_length(u8 family)
{
	return family == NFPROTO_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/*
 * The first bytes in one piece, the rest in fragments of @piece bytes, or as many as
 * there may be and all that is left in the last.
 */
static struct sk_buff *skb_of(const u8 *bytes, u16 length, u16 linear, u16 piece)
{
	struct sk_buff *skb = alloc_skb(linear, GFP_KERNEL);
	struct page *page = alloc_page(GFP_KERNEL);
	u16 at = linear;
	int i;

	if (!skb || !page)
		goto fail;
	skb_put_data(skb, bytes, linear);
	skb_reset_network_header(skb);
	memcpy(page_address(page), bytes, length);
	for (i = 0; at < length; i++) {
		u16 size = i == MAX_SKB_FRAGS - 1 ? length - at : min_t(u16, piece, length - at);

		get_page(page);
		skb_add_rx_frag(skb, i, page, at, size, size);
		at += size;
	}
	put_page(page);
	return skb;

fail:
	kfree_skb(skb);
	if (page)
		put_page(page);
	return NULL;
}

/* Where the short way is taken, it leads to the same. */
static void expect_plain_agrees(struct kunit *test, const struct sk_buff *skb,
				const struct nf_hook_state *state, const struct edge_flow *flow)
{
	struct edge_flow plain;

	edge_flow_begin(skb, state, state->out, state->pf, &plain);
	if (!edge_flow_read_plain(skb, state, state->pf, &plain))
		return;
	KUNIT_EXPECT_FALSE(test, flow->malformed);
	KUNIT_EXPECT_PTR_EQ(test, plain.src.addr, flow->src.addr);
	KUNIT_EXPECT_PTR_EQ(test, plain.dst.addr, flow->dst.addr);
	KUNIT_EXPECT_NULL(test, plain.src.edge);
	KUNIT_EXPECT_NULL(test, plain.dst.edge);
	KUNIT_EXPECT_EQ(test, plain.src.port, flow->src.port);
	KUNIT_EXPECT_EQ(test, plain.dst.port, flow->dst.port);
	KUNIT_EXPECT_PTR_EQ(test, plain.in, flow->in);
	KUNIT_EXPECT_PTR_EQ(test, plain.out, flow->out);
	KUNIT_EXPECT_EQ(test, plain.family, flow->family);
	KUNIT_EXPECT_EQ(test, plain.protocol, flow->protocol);
	KUNIT_EXPECT_EQ(test, plain.kind, flow->kind);
	KUNIT_EXPECT_EQ(test, plain.tracking, flow->tracking);
	KUNIT_EXPECT_FALSE(test, plain.reply);
	KUNIT_EXPECT_FALSE(test, plain.malformed);
}

/* A packet borrows its route, if it has one. */
static struct edge_flow read_at(struct kunit *test, u8 hook, struct dst_entry *route, u8 family,
				struct sk_buff *skb)
{
	const struct nf_hook_state state = { .hook = hook, .pf = family };
	struct edge_flow flow = {};	/* padding too: flows are compared */
	bool judged;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	rcu_read_lock();
	if (route)
		skb_dst_set_noref(skb, route);
	judged = edge_flow_read(skb, &state, &flow);
	expect_plain_agrees(test, skb, &state, &flow);
	skb->_skb_refdst = 0;
	rcu_read_unlock();
	kfree_skb(skb);
	KUNIT_EXPECT_TRUE(test, judged);
	return flow;
}

static struct edge_flow read_pieces(struct kunit *test, u8 family, const u8 *bytes, u16 length,
				    u16 linear, u16 piece)
{
	return read_at(test, NF_INET_PRE_ROUTING, NULL, family,
		       skb_of(bytes, length, linear, piece));
}

static struct edge_flow read_linear(struct kunit *test, u8 family, const u8 *bytes, u16 length)
{
	return read_pieces(test, family, bytes, length, length, length);
}

/* What was read, without where it was read. */
static struct edge_flow placeless(struct edge_flow flow)
{
	flow.src.addr = NULL;
	flow.dst.addr = NULL;
	return flow;
}

static void expect_packet(struct kunit *test, const struct packet_case *c, u16 length)
{
	const struct edge_flow flow = read_linear(test, c->family, c->bytes, length);
	bool malformed = c->malformed || length < (c->need ?: c->length);

	KUNIT_EXPECT_EQ_MSG(test, flow.malformed, malformed, "%u bytes of %u", length, c->length);
	KUNIT_EXPECT_EQ(test, flow.family, c->family);
	KUNIT_EXPECT_EQ(test, flow.tracking, EDGE_TRACKING_UNASKED);
	KUNIT_EXPECT_FALSE(test, flow.reply);
	if (malformed)
		return;
	KUNIT_EXPECT_EQ(test, flow.kind, c->kind);
	KUNIT_EXPECT_EQ(test, flow.protocol, c->protocol);
	if (c->kind == EDGE_KIND_TCP_SYN || c->kind == EDGE_KIND_TCP) {
		KUNIT_EXPECT_EQ(test, flow.src.port, 1024);
		KUNIT_EXPECT_EQ(test, flow.dst.port, 5061);
	} else if (c->kind == EDGE_KIND_UDP) {
		KUNIT_EXPECT_EQ(test, flow.src.port, 1024);
		KUNIT_EXPECT_EQ(test, flow.dst.port, 3478);
	} else {
		KUNIT_EXPECT_EQ(test, flow.src.port, 0);
		KUNIT_EXPECT_EQ(test, flow.dst.port, 0);
	}
}

static void flow_reads_the_packet(struct kunit *test)
{
	const struct packet_case *c = test->param_value;

	expect_packet(test, c, c->length);
}

static void flow_is_malformed_when_truncated(struct kunit *test)
{
	const struct packet_case *c = test->param_value;
	u16 length;

	for (length = network_length(c->family); length < c->length; length++)
		expect_packet(test, c, length);
}

static struct net_device *device(struct kunit *test, const char *name, unsigned int flags)
{
	struct net_device *dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, dev);
	strscpy(dev->name, name, sizeof(dev->name));
	dev->flags = flags;
	return dev;
}

/* Whether a packet, in one piece, is one of those for which the short way was made. */
static bool is_plain(const struct packet_case *c)
{
	u8 protocol = c->bytes[c->family == NFPROTO_IPV4 ? offsetof(struct iphdr, protocol) :
							   offsetof(struct ipv6hdr, nexthdr)];

	return !c->malformed && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) &&
	       (c->family == NFPROTO_IPV6 || c->bytes[0] == 0x45);
}

static bool reads_plain(const struct sk_buff *skb, u8 hook, struct net_device *in,
			struct net_device *out, u8 family)
{
	const struct nf_hook_state state = { .hook = hook, .pf = family, .in = in, .out = out };
	struct edge_flow flow;

	edge_flow_begin(skb, &state, out, family, &flow);
	return edge_flow_read_plain(skb, &state, family, &flow);
}

static void flow_takes_the_short_way_for_plain_packets(struct kunit *test)
{
	const struct packet_case *c = test->param_value;
	struct sk_buff *skb = skb_of(c->bytes, c->length, c->length, c->length);
	struct net_device *lo = device(test, "lo", IFF_LOOPBACK), *ext = device(test, "ext0", 0);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_EQ(test, reads_plain(skb, NF_INET_PRE_ROUTING, ext, NULL, c->family),
			is_plain(c));
	KUNIT_EXPECT_EQ(test, reads_plain(skb, NF_INET_FORWARD, ext, ext, c->family),
			is_plain(c));
	KUNIT_EXPECT_FALSE(test, reads_plain(skb, NF_INET_LOCAL_OUT, NULL, ext, c->family));
	KUNIT_EXPECT_FALSE(test, reads_plain(skb, NF_INET_FORWARD, lo, ext, c->family));
	KUNIT_EXPECT_FALSE(test, reads_plain(skb, NF_INET_FORWARD, ext, lo, c->family));
	kfree_skb(skb);
}

/* A checksum that is still to be written, at every byte. */
static void flow_is_malformed_where_a_checksum_will_change_it(struct kunit *test)
{
	static const struct {
		u8 family, bytes[60];
		u16 length;
		int first;	/* where it may be written; 0: nowhere */
		bool plain;
	} cases[] = {
		{ NFPROTO_IPV4, { IPV4(5, IPPROTO_TCP), TCP(5, SYN) }, 40, 36, true },
		{ NFPROTO_IPV4, { IPV4(6, IPPROTO_TCP), 1, 1, 1, 1, TCP(5, SYN) }, 44, 40 },
		{ NFPROTO_IPV4, { IPV4(5, IPPROTO_UDP), UDP(8) }, 28, 26, true },
		{ NFPROTO_IPV4, { IPV4(5, IPPROTO_ICMP), ICMP(ICMP_DEST_UNREACH) }, 28 },
		{ NFPROTO_IPV4, { IPV4(5, IPPROTO_SCTP), NOTHING_8 }, 28, 20 },
		{ NFPROTO_IPV4, { IPV4(5, IPPROTO_ICMPV6), NOTHING_8 }, 28, 20 },
		{ NFPROTO_IPV6, { IPV6(IPPROTO_TCP), TCP(5, SYN) }, 60, 56, true },
		{ NFPROTO_IPV6, { IPV6(IPPROTO_UDP), UDP(8) }, 48, 46, true },
		{ NFPROTO_IPV6, { IPV6(NEXTHDR_DEST), EXT(IPPROTO_UDP, 0), UDP(8) }, 56, 54 },
		{ NFPROTO_IPV6, { IPV6(IPPROTO_ICMPV6), ICMP(ICMPV6_DEST_UNREACH) }, 48 },
		{ NFPROTO_IPV6, { IPV6(IPPROTO_ICMP), NOTHING_8 }, 48, 40 },
	};
	struct net_device *ext = device(test, "ext0", 0);
	struct edge_flow flow;
	int i, at;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct nf_hook_state state = {
			.hook = NF_INET_FORWARD, .pf = cases[i].family, .in = ext, .out = ext,
		};
		u16 length = cases[i].length;
		struct sk_buff *skb = skb_of(cases[i].bytes, length, length, length);

		KUNIT_ASSERT_NOT_NULL(test, skb);
		for (at = 0; at + 2 <= length; at++) {
			bool stays = cases[i].first && at >= cases[i].first;

			skb->ip_summed = CHECKSUM_PARTIAL;
			skb->csum_start = skb_headroom(skb) + at / 2;
			skb->csum_offset = at - at / 2;
			KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
			KUNIT_EXPECT_EQ_MSG(test, flow.malformed, !stays, "case %d, byte %d", i,
					    at);
			KUNIT_EXPECT_EQ_MSG(test, reads_plain(skb, NF_INET_FORWARD, ext, ext,
							      cases[i].family),
					    cases[i].plain && stays, "case %d, byte %d", i, at);
			skb->ip_summed = CHECKSUM_NONE;
			KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
			KUNIT_EXPECT_FALSE(test, flow.malformed);
		}
		kfree_skb(skb);
	}
}

/* Cut at every byte, whole and truncated at every byte. */
static void flow_is_the_same_in_pieces(struct kunit *test)
{
	static const u16 pieces[] = { 1500, 7, 1 };
	const struct packet_case *c = test->param_value;
	const u16 shortest = network_length(c->family);
	u16 length, linear;
	int i;

	for (length = shortest; length <= c->length; length++) {
		const struct edge_flow want =
			placeless(read_linear(test, c->family, c->bytes, length));

		for (linear = shortest; linear < length; linear++) {
			for (i = 0; i < ARRAY_SIZE(pieces); i++) {
				const struct edge_flow got =
					placeless(read_pieces(test, c->family, c->bytes, length,
							      linear, pieces[i]));

				KUNIT_ASSERT_MEMEQ_MSG(test, &got, &want, sizeof(got),
						       "%u bytes, %u in one piece, then %u each",
						       length, linear, pieces[i]);
			}
		}
	}
}

/* "SYN (ACK, RST and FIN clear; ECN bits, PSH, URG and data on the SYN are fine)" */
static void flow_opens_by_syn_alone(struct kunit *test)
{
	static const u8 ipv4[] = { IPV4(5, IPPROTO_TCP), TCP(5, 0) };
	static const u8 ipv6[] = { IPV6(IPPROTO_TCP), TCP(5, 0) };
	u8 packet4[sizeof(ipv4)], packet6[sizeof(ipv6)];
	int flags;

	memcpy(packet4, ipv4, sizeof(ipv4));
	memcpy(packet6, ipv6, sizeof(ipv6));
	for (flags = 0; flags < 256; flags++) {
		bool opens = (flags & (SYN | ACK | RST | FIN)) == SYN;
		u8 kind = opens ? EDGE_KIND_TCP_SYN : EDGE_KIND_TCP;
		struct edge_flow flow;

		packet4[sizeof(struct iphdr) + 13] = flags;
		flow = read_linear(test, NFPROTO_IPV4, packet4, sizeof(packet4));
		KUNIT_EXPECT_EQ_MSG(test, flow.kind, kind, "IPv4 flags %02x", flags);
		KUNIT_EXPECT_FALSE(test, flow.malformed);

		packet6[sizeof(struct ipv6hdr) + 13] = flags;
		flow = read_linear(test, NFPROTO_IPV6, packet6, sizeof(packet6));
		KUNIT_EXPECT_EQ_MSG(test, flow.kind, kind, "IPv6 flags %02x", flags);
		KUNIT_EXPECT_FALSE(test, flow.malformed);
	}
}

static void flow_tells_icmp_types_apart(struct kunit *test)
{
	static const u8 echo[] = { IPV4(5, IPPROTO_ICMP), ICMP(0) };
	u8 packet[sizeof(echo)];
	int type;

	memcpy(packet, echo, sizeof(echo));
	for (type = 0; type < 256; type++) {
		bool error = type == 3 || type == 11 || type == 12;	/* RFC 792 */
		struct edge_flow flow;

		packet[sizeof(struct iphdr)] = type;
		flow = read_linear(test, NFPROTO_IPV4, packet, sizeof(packet));
		KUNIT_EXPECT_EQ_MSG(test, flow.kind, error ? EDGE_KIND_ICMP_ERROR : EDGE_KIND_OTHER,
				    "type %d", type);
	}
}

/* Routing takes one from the hop limit, a bridge does not; what counts is what it was before. */
static void flow_tells_icmpv6_types_apart(struct kunit *test)
{
	static const u8 echo[] = { IPV6(IPPROTO_ICMPV6), ICMP(0) };
	static const u8 hops[] = { 0, 1, 2, 64, 253, 254, 255 };
	struct dst_entry *routes = kunit_kcalloc(test, 2, sizeof(*routes), GFP_KERNEL);
	struct dst_entry *route = &routes[0], *bridged = &routes[1];
	const struct {
		u8 hook;
		struct dst_entry *route;
		u8 taken;
	} at[] = {
		{ NF_INET_PRE_ROUTING }, { NF_INET_PRE_ROUTING, bridged },
		{ NF_INET_LOCAL_IN, route }, { NF_INET_LOCAL_OUT, route },
		{ NF_INET_FORWARD, route, 1 }, { NF_INET_FORWARD, bridged }, { NF_INET_FORWARD },
	};
	u8 packet[sizeof(echo)];
	int type, i, j;

	KUNIT_ASSERT_NOT_NULL(test, routes);
	bridged->flags = DST_FAKE_RTABLE;
	memcpy(packet, echo, sizeof(echo));
	for (type = 0; type < 256; type++) {
		/* RFC 4443; 4861 less redirects; 2710 and 3810 */
		bool error = type >= 1 && type <= 4;
		bool discovery = type >= 133 && type <= 136;
		bool listener = (type >= 130 && type <= 132) || type == 143;

		packet[sizeof(struct ipv6hdr)] = type;
		for (i = 0; i < ARRAY_SIZE(hops) * ARRAY_SIZE(at); i++) {
			u8 hop = hops[i % ARRAY_SIZE(hops)], kind = EDGE_KIND_OTHER;
			struct edge_flow flow;

			j = i / ARRAY_SIZE(hops);
			if (error)
				kind = EDGE_KIND_ICMP_ERROR;
			else if (discovery && hop + at[j].taken == 255)
				kind = EDGE_KIND_NEVER;
			else if (listener && hop + at[j].taken == 1)
				kind = EDGE_KIND_NEVER;
			packet[7] = hop;
			flow = read_at(test, at[j].hook, at[j].route, NFPROTO_IPV6,
				       skb_of(packet, sizeof(packet), sizeof(packet), 1));
			KUNIT_EXPECT_EQ_MSG(test, flow.kind, kind,
					    "type %d, hop limit %u, place %d", type, hop, j);
		}
	}
}

/* Addresses and devices. */

static void flow_has_addresses_and_devices(struct kunit *test)
{
	static const u8 ipv4[] = { IPV4(5, IPPROTO_ESP) };
	static const u8 ipv6[] = { IPV6(IPPROTO_ESP) };
	static const u8 want[][16] = { { PUBLIC }, { EDGE }, { PUBLIC6 }, { EDGE6 } };
	const struct net_device *ext = device(test, "ext0", 0), *in = device(test, "int0", 0);
	struct nf_hook_state state = { .hook = NF_INET_FORWARD, .pf = NFPROTO_IPV4 };
	struct sk_buff *skb = skb_of(ipv4, sizeof(ipv4), sizeof(ipv4), 1);
	struct edge_flow flow;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	state.in = (struct net_device *)in;
	state.out = (struct net_device *)ext;
	memset(&flow, 0xff, sizeof(flow));
	KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
	KUNIT_EXPECT_EQ(test, flow.family, NFPROTO_IPV4);
	KUNIT_EXPECT_MEMEQ(test, flow.src.addr, want[0], 4);
	KUNIT_EXPECT_MEMEQ(test, flow.dst.addr, want[1], 4);
	KUNIT_EXPECT_STREQ(test, flow.in, "int0");
	KUNIT_EXPECT_STREQ(test, flow.out, "ext0");
	KUNIT_EXPECT_NULL(test, flow.src.edge);
	KUNIT_EXPECT_NULL(test, flow.dst.edge);
	kfree_skb(skb);

	skb = skb_of(ipv6, sizeof(ipv6), sizeof(ipv6), 1);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	state.pf = NFPROTO_IPV6;
	state.in = NULL;
	KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
	KUNIT_EXPECT_EQ(test, flow.family, NFPROTO_IPV6);
	KUNIT_EXPECT_MEMEQ(test, flow.src.addr, want[2], 16);
	KUNIT_EXPECT_MEMEQ(test, flow.dst.addr, want[3], 16);
	KUNIT_EXPECT_NULL(test, flow.in);
	KUNIT_EXPECT_STREQ(test, flow.out, "ext0");

	state.out = NULL;
	KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
	KUNIT_EXPECT_NULL(test, flow.out);
	kfree_skb(skb);
}

static void flow_over_loopback_is_not_judged(struct kunit *test)
{
	static const u8 bytes[] = { IPV4(5, IPPROTO_ESP) };
	struct net_device *lo = device(test, "lo", IFF_LOOPBACK), *ext = device(test, "ext0", 0);
	struct sk_buff *skb = skb_of(bytes, sizeof(bytes), sizeof(bytes), 1);
	struct nf_hook_state state = { .pf = NFPROTO_IPV4 };
	struct edge_flow flow;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	state.in = lo;
	KUNIT_EXPECT_FALSE(test, edge_flow_read(skb, &state, &flow));
	state.in = NULL;
	state.out = lo;
	KUNIT_EXPECT_FALSE(test, edge_flow_read(skb, &state, &flow));
	state.in = ext;
	KUNIT_EXPECT_FALSE(test, edge_flow_read(skb, &state, &flow));
	state.out = ext;
	KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
	state.in = lo;
	KUNIT_EXPECT_TRUE_MSG(test, edge_flow_read(skb, &state, &flow), "it goes on");
	kfree_skb(skb);
}

/* A local sender's passes the hook as if it left by the VRF, then by the device that it does. */
static void flow_out_by_a_vrf_is_judged_behind_it(struct kunit *test)
{
	static const u8 bytes[] = { IPV4(5, IPPROTO_ESP) };
	struct net_device *vrf = device(test, "vrf0", 0), *ext = device(test, "ext0", 0);
	struct sk_buff *skb = skb_of(bytes, sizeof(bytes), sizeof(bytes), 1);
	struct nf_hook_state state = { .hook = NF_INET_LOCAL_OUT, .pf = NFPROTO_IPV4, .out = vrf };
	struct edge_flow flow;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	vrf->priv_flags |= IFF_L3MDEV_MASTER;
	KUNIT_EXPECT_FALSE(test, edge_flow_read(skb, &state, &flow));
	state.out = ext;
	KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));

	/* what is received or forwarded does not pass again */
	state.out = vrf;
	state.hook = NF_INET_FORWARD;
	KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
	state.in = vrf;
	state.out = NULL;
	state.hook = NF_INET_LOCAL_IN;
	KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
	kfree_skb(skb);
}

/* A local sender's packet may have been routed anew since the hooks began. */
static void flow_leaves_by_the_device_of_its_route(struct kunit *test)
{
	static const u8 bytes[] = { IPV4(5, IPPROTO_ESP) };
	struct dst_entry *route = kunit_kzalloc(test, sizeof(*route), GFP_KERNEL);
	struct net_device *ext = device(test, "ext0", 0), *other = device(test, "ext1", 0);
	struct net_device *lo = device(test, "lo", IFF_LOOPBACK);
	struct sk_buff *skb = skb_of(bytes, sizeof(bytes), sizeof(bytes), 1);
	struct nf_hook_state state = { .hook = NF_INET_LOCAL_OUT, .pf = NFPROTO_IPV4, .out = ext };
	struct edge_flow flow;

	KUNIT_ASSERT_NOT_NULL(test, route);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
	KUNIT_EXPECT_STREQ(test, flow.out, "ext0");

	rcu_read_lock();	/* the packet borrows the route */
	route->dev = other;
	skb_dst_set_noref(skb, route);
	KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
	KUNIT_EXPECT_STREQ(test, flow.out, "ext1");
	route->dev = lo;
	KUNIT_EXPECT_FALSE(test, edge_flow_read(skb, &state, &flow));

	/* what is forwarded has been routed once */
	state.hook = NF_INET_FORWARD;
	KUNIT_EXPECT_TRUE(test, edge_flow_read(skb, &state, &flow));
	KUNIT_EXPECT_STREQ(test, flow.out, "ext0");
	rcu_read_unlock();
	skb->_skb_refdst = 0;
	kfree_skb(skb);
}

/* What is delivered is read by the kernel from where it thinks that it has got to. */
static void flow_is_malformed_where_delivery_would_misread(struct kunit *test)
{
	static const u8 bytes[] = {
		IPV6(NEXTHDR_HOP), EXT(NEXTHDR_ROUTING, 0), ROUTING(NEXTHDR_AUTH, 0, 2),
		AUTH(IPPROTO_UDP, 0), UDP(8)
	};
	static const struct {
		unsigned int hook;
		u16 link, at;	/* the header that it reads next: who names it, where it looks */
		bool malformed;
	} cases[] = {
		{ NF_INET_LOCAL_IN, 6, 40, false },
		{ NF_INET_LOCAL_IN, 6, 48, true },
		{ NF_INET_LOCAL_IN, 40, 48, false },
		{ NF_INET_LOCAL_IN, 40, 56, true },
		{ NF_INET_LOCAL_IN, 48, 56, false },
		{ NF_INET_LOCAL_IN, 48, 40, true },
		{ NF_INET_FORWARD, 40, 56, false },
		{ NF_INET_PRE_ROUTING, 40, 56, false },
	};
	struct net_device *ext = device(test, "ext0", 0);
	struct sk_buff *skb = skb_of(bytes, sizeof(bytes), sizeof(bytes), 1);
	struct edge_flow flow;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nf_hook_state state = {
			.hook = cases[i].hook, .pf = NFPROTO_IPV6, .in = ext
		};

		IP6CB(skb)->nhoff = cases[i].link;
		skb_set_transport_header(skb, cases[i].at);
		KUNIT_ASSERT_TRUE(test, edge_flow_read(skb, &state, &flow));
		KUNIT_EXPECT_EQ_MSG(test, flow.malformed, cases[i].malformed, "case %d", i);
	}
	kfree_skb(skb);
}

/* Routes. Addresses are told apart by their last byte. */

#define HOP(n) 192, 0, 2, n
#define HOP6(n) 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n
#define TAIL6(n) 0, 0, 0, 0, 0, 0, 0, n		/* of one that begins as EDGE6 does */
#define ROUTE(next, length, type, left, ...) (next), (length), (type), (left), __VA_ARGS__
#define SEGMENTS(next, length, left) ROUTE(next, length, 4, left, 0, 0, 0, 0)
#define COMPRESSED(next, length, left, i, e, pad) \
	ROUTE(next, length, 3, left, (i) << 4 | (e), (pad) << 4, 0, 0)

struct route_case {
	const char *name;
	u8 family;
	const u8 *bytes;
	u16 length;
	bool followed;
	const u8 *hops;		/* the last bytes of the addresses that are named, in their order */
	u16 count;
};

#define NAMES(...) .hops = (const u8[]){ __VA_ARGS__ }, .count = sizeof((const u8[]){ __VA_ARGS__ })

static const struct route_case route_cases[] = {
	{ "no options", V4(IPV4(5, IPPROTO_UDP), UDP(8)) },
	{ "loose source route",
	  V4(IPV4(8, IPPROTO_UDP), 131, 11, 4, HOP(1), HOP(2), 0, UDP(8)), NAMES(1, 2) },
	{ "strict source route", V4(IPV4(7, IPPROTO_UDP), 137, 7, 4, HOP(1), 1, UDP(8)), NAMES(1) },
	{ "those that were passed",
	  V4(IPV4(8, IPPROTO_UDP), 131, 11, 12, HOP(1), HOP(2), 0, UDP(8)),
	  NAMES(1, 2) },
	{ "behind other options",
	  V4(IPV4(9, IPPROTO_UDP), 1, 148, 4, 0, 0, 131, 7, 4, HOP(1), 7, 3, 4, 0, UDP(8)),
	  NAMES(1) },
	{ "two source routes",
	  V4(IPV4(9, IPPROTO_UDP), 131, 7, 4, HOP(1), 137, 7, 4, HOP(2), 1, 0, UDP(8)),
	  NAMES(1, 2) },
	{ "a pointer between addresses, by 1",
	  V4(IPV4(8, IPPROTO_UDP), 131, 12, 5, 0, HOP(1), HOP(2), UDP(8)), NAMES(1, 2) },
	{ "a pointer between addresses, by 3",
	  V4(IPV4(9, IPPROTO_UDP), 131, 14, 7, 0, 0, 0, HOP(1), HOP(2), 1, 1, UDP(8)),
	  NAMES(1, 2) },
	{ "a pointer far behind",
	  V4(IPV4(7, IPPROTO_UDP), 131, 7, 252, HOP(1), 0, UDP(8)), NAMES(1) },
	{ "less than an address", V4(IPV4(7, IPPROTO_UDP), 131, 6, 4, HOP(1), 1, UDP(8)) },
	{ "not even a pointer", V4(IPV4(6, IPPROTO_UDP), 1, 1, 131, 2, UDP(8)) },
	{ "a source route of length 0", V4(IPV4(7, IPPROTO_UDP), 131, 0, 4, HOP(1), 0, UDP(8)) },
	{ "a source route beyond the options",
	  V4(IPV4(7, IPPROTO_UDP), 131, 9, 4, HOP(1), 0, UDP(8)) },
	{ "behind an option of length 0",
	  V4(IPV4(8, IPPROTO_UDP), 7, 0, 131, 7, 4, HOP(1), 0, 0, 0, UDP(8)) },
	{ "behind the end of options", V4(IPV4(7, IPPROTO_UDP), 0, 131, 7, 4, HOP(1), UDP(8)) },
	{ "record route is none", V4(IPV4(7, IPPROTO_UDP), 7, 7, 8, HOP(1), 0, UDP(8)) },
	{ "40 bytes of options",
	  V4(IPV4(15, IPPROTO_TCP), 131, 39, 4, HOP(1), HOP(2), HOP(3), HOP(4), HOP(5), HOP(6),
	     HOP(7), HOP(8), HOP(9), 1, TCP(5, ACK)), NAMES(1, 2, 3, 4, 5, 6, 7, 8, 9) },
	{ "an IPv4 header of 16 bytes", V4(IPV4(4, IPPROTO_TCP), TCP(5, SYN)) },

	{ "no extension header", V6(IPV6(IPPROTO_UDP), UDP(8)) },
	{ "no routing header",
	  V6(IPV6(NEXTHDR_HOP), EXT(NEXTHDR_DEST, 0), EXT(IPPROTO_UDP, 0), UDP(8)) },
	{ "type 0",
	  V6(IPV6(NEXTHDR_ROUTING), ROUTE(IPPROTO_UDP, 4, 0, 1, 0, 0, 0, 0), HOP6(1), HOP6(2),
	     UDP(8)),
	  NAMES(1, 2) },
	{ "type 2",
	  V6(IPV6(NEXTHDR_ROUTING), ROUTE(IPPROTO_UDP, 2, 2, 1, 0, 0, 0, 0), HOP6(1), UDP(8)),
	  NAMES(1) },
	{ "type 4",
	  V6(IPV6(NEXTHDR_ROUTING), SEGMENTS(IPPROTO_UDP, 4, 1), HOP6(2), HOP6(1), UDP(8)),
	  NAMES(2, 1) },
	{ "type 4, more behind its addresses",
	  V6(IPV6(NEXTHDR_ROUTING), SEGMENTS(IPPROTO_UDP, 3, 1), HOP6(1), EXT(4, 4), UDP(8)),
	  NAMES(1) },
	{ "no segments left",
	  V6(IPV6(NEXTHDR_ROUTING), SEGMENTS(IPPROTO_UDP, 4, 0), HOP6(2), HOP6(1), UDP(8)) },
	{ "no segments left, after they were followed",
	  V6(IPV6(NEXTHDR_ROUTING), SEGMENTS(IPPROTO_UDP, 4, 0), HOP6(2), HOP6(1), UDP(8)),
	  .followed = true, NAMES(2, 1) },
	{ "no address", V6(IPV6(NEXTHDR_ROUTING), SEGMENTS(IPPROTO_UDP, 0, 1), UDP(8)) },
	{ "beyond the packet",
	  V6(IPV6(NEXTHDR_ROUTING), SEGMENTS(IPPROTO_UDP, 255, 1), HOP6(1)), NAMES(1) },
	{ "behind others",
	  V6(IPV6(NEXTHDR_HOP), EXT(NEXTHDR_AUTH, 0), AUTH(NEXTHDR_FRAGMENT, 1), 0, 0, 0, 0,
	     FRAGMENT(NEXTHDR_DEST, 0), EXT(NEXTHDR_ROUTING, 1), NOTHING_8,
	     SEGMENTS(IPPROTO_UDP, 2, 1), HOP6(1), UDP(8)), NAMES(1) },
	{ "behind eight others",
	  V6(IPV6(NEXTHDR_DEST), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0),
	     EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0), EXT(NEXTHDR_DEST, 0),
	     EXT(NEXTHDR_ROUTING, 0), SEGMENTS(IPPROTO_UDP, 2, 1), HOP6(1), UDP(8)), NAMES(1) },
	{ "behind what is no extension header",
	  V6(IPV6(NEXTHDR_ESP), EXT(NEXTHDR_ROUTING, 0), SEGMENTS(IPPROTO_UDP, 2, 1), HOP6(1)) },
	{ "two routing headers",
	  V6(IPV6(NEXTHDR_ROUTING), ROUTE(NEXTHDR_ROUTING, 2, 2, 0, 0, 0, 0, 0), HOP6(1),
	     SEGMENTS(IPPROTO_UDP, 2, 1), HOP6(2), UDP(8)), NAMES(2) },

	{ "compressed, not at all",
	  V6(IPV6(NEXTHDR_ROUTING), COMPRESSED(IPPROTO_UDP, 4, 2, 0, 0, 0), HOP6(1), HOP6(2),
	     UDP(8)),
	  NAMES(1, 2) },
	{ "compressed to the last byte",
	  V6(IPV6(NEXTHDR_ROUTING), COMPRESSED(IPPROTO_UDP, 1, 2, 15, 15, 5), 1, 2, 3, 0, 0, 0,
	     0, 0, UDP(8)), NAMES(1, 2, 3) },
	{ "compressed, the last one otherwise",
	  V6(IPV6(NEXTHDR_ROUTING), COMPRESSED(IPPROTO_UDP, 3, 2, 8, 0, 0), TAIL6(1), HOP6(2),
	     UDP(8)),
	  NAMES(1, 2) },
	{ "compressed, the last one more",
	  V6(IPV6(NEXTHDR_ROUTING), COMPRESSED(IPPROTO_UDP, 3, 2, 0, 15, 7), HOP6(1), 2, 0, 0, 0, 0,
	     0, 0, 0, UDP(8)), NAMES(1, 2) },
	{ "compressed, one alone",
	  V6(IPV6(NEXTHDR_ROUTING), COMPRESSED(IPPROTO_UDP, 1, 1, 3, 8, 0), TAIL6(1), UDP(8)),
	  NAMES(1) },
	{ "compressed, nothing but padding",
	  V6(IPV6(NEXTHDR_ROUTING), COMPRESSED(IPPROTO_UDP, 1, 1, 15, 15, 15), NOTHING_8, UDP(8)) },
	{ "compressed, no address",
	  V6(IPV6(NEXTHDR_ROUTING), COMPRESSED(IPPROTO_UDP, 0, 1, 8, 8, 0), UDP(8)) },
};

KUNIT_ARRAY_PARAM_DESC(route, route_cases, name);

struct hops {
	u16 stop;	/* at which of them it is answered yes, from 1; 0: at none */
	u16 count;
	union nf_inet_addr hop[256];
};

static bool meet(const void *data, u8 family, const union nf_inet_addr *addr)
{
	struct hops *hops = (struct hops *)data;
	union nf_inet_addr *hop = &hops->hop[hops->count++];

	memset(hop, 0, sizeof(*hop));
	memcpy(hop, addr, family == NFPROTO_IPV4 ? 4 : 16);
	return hops->count == hops->stop;
}

/* Over the packet, which goes. */
static bool walk(struct kunit *test, const struct route_case *c, struct sk_buff *skb,
		 struct hops *hops)
{
	struct edge_flow_place place = { .family = c->family, .followed = c->followed };
	bool named;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	place.dst = edge_flow_dst(skb, c->family);
	hops->count = 0;
	named = edge_flow_route_names(skb, &place, meet, hops);
	kfree_skb(skb);
	return named;
}

static struct hops *new_hops(struct kunit *test)
{
	struct hops *hops = kunit_kzalloc(test, sizeof(*hops), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, hops);
	return hops;
}

static void expect_hop(struct kunit *test, const struct route_case *c, const struct hops *hops,
		       u16 number)
{
	static const u8 networks[][16] = { { HOP(0) }, { HOP6(0) } };
	u8 want[16];

	memcpy(want, networks[c->family != NFPROTO_IPV4], sizeof(want));
	want[c->family == NFPROTO_IPV4 ? 3 : 15] = c->hops[number];
	KUNIT_EXPECT_MEMEQ(test, &hops->hop[number], want, sizeof(want));
}

static void flow_route_names_its_addresses(struct kunit *test)
{
	const struct route_case *c = test->param_value;
	struct hops *hops = new_hops(test);
	u16 i;

	for (i = 0; i <= c->count; i++) {	/* none is it, then each in turn */
		struct sk_buff *skb = skb_of(c->bytes, c->length, c->length, 1);

		hops->stop = i;
		KUNIT_EXPECT_EQ(test, walk(test, c, skb, hops), i > 0);
		KUNIT_ASSERT_EQ(test, hops->count, i ?: c->count);
	}
	for (i = 0; i < c->count; i++)
		expect_hop(test, c, hops, i);
}

/* What is cut off is not named, and nothing else is; in pieces it is the same. */
static void flow_route_names_what_is_there(struct kunit *test)
{
	static const u16 pieces[] = { 1500, 7, 1 };
	const struct route_case *c = test->param_value;
	const u16 shortest = network_length(c->family);
	struct hops *whole = new_hops(test), *hops = new_hops(test);
	u16 length, linear;
	int i;

	for (length = shortest; length <= c->length; length++) {
		walk(test, c, skb_of(c->bytes, length, length, 1), whole);
		KUNIT_ASSERT_LE_MSG(test, whole->count, c->count, "%u bytes", length);
		for (i = 0; i < whole->count; i++)
			expect_hop(test, c, whole, i);
		for (linear = shortest; linear < length; linear++) {
			for (i = 0; i < ARRAY_SIZE(pieces); i++) {
				walk(test, c, skb_of(c->bytes, length, linear, pieces[i]), hops);
				KUNIT_ASSERT_EQ_MSG(test, hops->count, whole->count,
						    "%u bytes, %u in one piece, then %u each",
						    length, linear, pieces[i]);
			}
		}
	}
}

/* Where there are options or extension headers, and not elsewhere, it is worth looking. */
static void flow_is_direct_without_a_route(struct kunit *test)
{
	const struct route_case *c = test->param_value;
	struct sk_buff *skb = skb_of(c->bytes, c->length, c->length, 1);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_EQ(test, edge_flow_is_direct(skb, c->family),
			c->family == NFPROTO_IPV4 ? c->bytes[0] == 0x45 :
			c->bytes[6] == IPPROTO_UDP || c->bytes[6] == NEXTHDR_ESP);
	kfree_skb(skb);
}

/* What a second header elides is of where the first one leads. */
static void flow_route_goes_on_from_where_it_led(struct kunit *test)
{
	static const u8 other[] = { 0x20, 1, 0xd, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	static const u8 want[] = { 0x20, 1, 0xd, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9 };
	static const u8 packets[][96] = {
		{ IPV6(NEXTHDR_ROUTING), SEGMENTS(NEXTHDR_ROUTING, 4, 1),
		  0x20, 1, 0xd, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, HOP6(2),
		  COMPRESSED(IPPROTO_UDP, 1, 1, 8, 8, 0), TAIL6(9) },
		{ IPV6(NEXTHDR_ROUTING), ROUTE(NEXTHDR_ROUTING, 4, 0, 1, 0, 0, 0, 0), HOP6(2),
		  0x20, 1, 0xd, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		  COMPRESSED(IPPROTO_UDP, 1, 1, 8, 8, 0), TAIL6(9) },
	};
	const struct route_case c = { .family = NFPROTO_IPV6 };
	struct hops *hops = new_hops(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(packets); i++) {
		walk(test, &c, skb_of(packets[i], sizeof(packets[i]), sizeof(packets[i]), 1), hops);
		KUNIT_ASSERT_EQ(test, hops->count, 3);
		KUNIT_EXPECT_MEMEQ(test, &hops->hop[i], other, sizeof(other));
		KUNIT_EXPECT_MEMEQ(test, &hops->hop[2], want, sizeof(want));
	}
}

/* More than there can be left are not named: a packet must not cost without end. */
static void flow_route_has_an_end(struct kunit *test)
{
	static const u8 head[] = {
		IPV6(NEXTHDR_ROUTING), COMPRESSED(IPPROTO_UDP, 255, 255, 15, 15, 0)
	};
	const u16 length = sizeof(head) + 255 * 8;
	u8 *packet = kunit_kzalloc(test, length, GFP_KERNEL);
	const struct route_case c = { .family = NFPROTO_IPV6 };
	struct hops *hops = new_hops(test);

	KUNIT_ASSERT_NOT_NULL(test, packet);
	memcpy(packet, head, sizeof(head));
	KUNIT_EXPECT_FALSE(test, walk(test, &c, skb_of(packet, length, length, 1), hops));
	KUNIT_EXPECT_EQ(test, hops->count, 255);
}

/* Delivery may read on from elsewhere: see flow_is_malformed_where_delivery_would_misread(). */
static void flow_route_is_the_one_that_delivery_reads(struct kunit *test)
{
	static const u8 bytes[] = {
		IPV6(NEXTHDR_DEST), EXT(NEXTHDR_ROUTING, 0), SEGMENTS(NEXTHDR_NONE, 2, 1), HOP6(1),
		SEGMENTS(NEXTHDR_NONE, 2, 1), HOP6(2)
	};
	static const struct {
		bool delivered;
		u16 link, at;
		u8 hop;		/* that is named, 0: none */
	} cases[] = {
		{ true, 6, 40, 1 }, { true, 6, 48, 0 }, { true, 40, 48, 1 }, { true, 40, 72, 2 },
		{ true, 40, 40, 0 }, { true, 40, 8, 0 }, { true, 40, 60000, 0 },
		{ true, 48, 40, 1 }, { false, 40, 72, 1 },
	};
	struct sk_buff *skb = skb_of(bytes, sizeof(bytes), sizeof(bytes), 1);
	struct hops *hops = new_hops(test);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct edge_flow_place place = {
			.family = NFPROTO_IPV6,
			.delivered = cases[i].delivered,
			.dst = edge_flow_dst(skb, NFPROTO_IPV6),
		};

		IP6CB(skb)->nhoff = cases[i].link;
		skb_set_transport_header(skb, cases[i].at);
		hops->count = 0;
		KUNIT_EXPECT_FALSE(test, edge_flow_route_names(skb, &place, meet, hops));
		KUNIT_ASSERT_EQ_MSG(test, hops->count, !!cases[i].hop, "case %d", i);
		if (hops->count)
			KUNIT_EXPECT_EQ_MSG(test, hops->hop[0].in6.s6_addr[15], cases[i].hop,
					    "case %d", i);
	}
	kfree_skb(skb);
}

/* Connection tracking. A tuple's ends are the last bytes of addresses of one network. */

struct ends {
	u8 src;
	u16 sport;
	u8 dst;
	u16 dport;
};

static struct nf_conntrack_tuple tuple_of(u8 family, struct ends ends, u8 protocol)
{
	static const u8 networks[][16] = { { PUBLIC }, { PUBLIC6 } };
	const int byte = family == NFPROTO_IPV4 ? 3 : 15;
	struct nf_conntrack_tuple tuple = {};

	memcpy(&tuple.src.u3, networks[family != NFPROTO_IPV4], sizeof(tuple.src.u3));
	tuple.dst.u3 = tuple.src.u3;
	((u8 *)&tuple.src.u3)[byte] = ends.src;
	((u8 *)&tuple.dst.u3)[byte] = ends.dst;
	tuple.src.u.all = htons(ends.sport);
	tuple.dst.u.all = htons(ends.dport);
	tuple.src.l3num = family;
	tuple.dst.protonum = protocol;
	return tuple;
}

static void put_connection(void *ct)
{
	nf_ct_put(ct);
}

static struct nf_conn *connection(struct kunit *test, u8 family, struct ends original,
				  struct ends reply, u8 protocol)
{
	const struct nf_conntrack_tuple there = tuple_of(family, original, protocol);
	struct nf_conntrack_tuple back = tuple_of(family, reply, protocol);
	struct nf_conn *ct;

	back.dst.dir = IP_CT_DIR_REPLY;
	ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, &there, &back, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ct);
	refcount_set(&ct->ct_general.use, 1);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_connection, ct), 0);
	return ct;
}

struct track_case {
	const char *name;
	struct ends original, reply;
	u8 kind;
	enum ip_conntrack_info info;
	bool confirmed;
	bool translated;
	struct ends want;
	bool want_reply;
};

#define CLIENT_CALLS { 7, 1024, 1, 5061 }
#define EDGE_ANSWERS { 1, 5061, 7, 1024 }

static const struct track_case track_cases[] = {
	{ "the opening", CLIENT_CALLS, EDGE_ANSWERS, EDGE_KIND_TCP_SYN, IP_CT_NEW,
	  .want = CLIENT_CALLS },
	{ "the opening, sent again", CLIENT_CALLS, EDGE_ANSWERS, EDGE_KIND_TCP_SYN, IP_CT_NEW,
	  .confirmed = true, .want = CLIENT_CALLS },
	{ "the initiator goes on", CLIENT_CALLS, EDGE_ANSWERS, EDGE_KIND_TCP, IP_CT_ESTABLISHED,
	  .confirmed = true, .want = CLIENT_CALLS },
	{ "the responder answers", CLIENT_CALLS, EDGE_ANSWERS, EDGE_KIND_TCP,
	  IP_CT_ESTABLISHED_REPLY, .confirmed = true, .want = CLIENT_CALLS, .want_reply = true },
	{ "the responder answers by UDP", CLIENT_CALLS, EDGE_ANSWERS, EDGE_KIND_UDP,
	  IP_CT_ESTABLISHED_REPLY, .confirmed = true, .want = CLIENT_CALLS, .want_reply = true },
	{ "the responder's SYN opens a flow of its own", CLIENT_CALLS, EDGE_ANSWERS,
	  EDGE_KIND_TCP_SYN, IP_CT_ESTABLISHED_REPLY, .confirmed = true, .want = EDGE_ANSWERS },
	{ "an ICMP error from the responder's side", CLIENT_CALLS, EDGE_ANSWERS,
	  EDGE_KIND_ICMP_ERROR, IP_CT_RELATED_REPLY, .confirmed = true, .want = CLIENT_CALLS,
	  .want_reply = true },
	{ "an ICMP error from the initiator's side", CLIENT_CALLS, EDGE_ANSWERS,
	  EDGE_KIND_ICMP_ERROR, IP_CT_RELATED, .want = CLIENT_CALLS },

	{ "translated destination: before", { 7, 1024, 200, 443 }, EDGE_ANSWERS, EDGE_KIND_TCP_SYN,
	  IP_CT_NEW, .want = { 7, 1024, 200, 443 } },
	{ "translated destination: after", { 7, 1024, 200, 443 }, EDGE_ANSWERS, EDGE_KIND_TCP_SYN,
	  IP_CT_NEW, .translated = true, .want = CLIENT_CALLS },
	{ "translated destination: after, a reply", { 7, 1024, 200, 443 }, EDGE_ANSWERS,
	  EDGE_KIND_TCP, IP_CT_ESTABLISHED_REPLY, .confirmed = true, .translated = true,
	  .want = CLIENT_CALLS, .want_reply = true },
	{ "translated source: the initiator stays who it is", CLIENT_CALLS, { 1, 5061, 200, 2000 },
	  EDGE_KIND_TCP_SYN, IP_CT_NEW, .translated = true, .want = CLIENT_CALLS },
	{ "not translated: after is as before", CLIENT_CALLS, EDGE_ANSWERS, EDGE_KIND_TCP,
	  IP_CT_ESTABLISHED, .confirmed = true, .translated = true, .want = CLIENT_CALLS },
	{ "the responder's SYN, translated", { 7, 1024, 200, 443 }, EDGE_ANSWERS, EDGE_KIND_TCP_SYN,
	  IP_CT_ESTABLISHED_REPLY, .confirmed = true, .translated = true, .want = EDGE_ANSWERS },
};

KUNIT_ARRAY_PARAM_DESC(track, track_cases, name);

static const u8 families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };

static void expect_ends(struct kunit *test, const struct edge_flow *flow, struct ends ends)
{
	const struct nf_conntrack_tuple want = tuple_of(flow->family, ends, 0);
	const size_t size = flow->family == NFPROTO_IPV4 ? 4 : 16;

	KUNIT_EXPECT_MEMEQ(test, flow->src.addr, &want.src.u3, size);
	KUNIT_EXPECT_MEMEQ(test, flow->dst.addr, &want.dst.u3, size);
	KUNIT_EXPECT_EQ(test, flow->src.port, ends.sport);
	KUNIT_EXPECT_EQ(test, flow->dst.port, ends.dport);
}

static void flow_is_the_openers(struct kunit *test)
{
	const struct track_case *c = test->param_value;
	const u8 protocol = c->kind == EDGE_KIND_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	int i;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		struct nf_conn *ct = connection(test, families[i], c->original, c->reply, protocol);
		struct edge_flow flow = { .family = families[i], .kind = c->kind, .protocol = 255 };

		if (c->confirmed)
			__set_bit(IPS_CONFIRMED_BIT, &ct->status);
		edge_flow_track(ct, c->info, c->translated, &flow);
		__clear_bit(IPS_CONFIRMED_BIT, &ct->status);	/* it is in no table */
		expect_ends(test, &flow, c->want);
		KUNIT_EXPECT_EQ(test, flow.reply, c->want_reply);
		KUNIT_EXPECT_EQ(test, flow.tracking,
				c->confirmed ? EDGE_TRACKING_KNOWN : EDGE_TRACKING_NEW);
		KUNIT_EXPECT_EQ(test, flow.kind, c->kind);
		KUNIT_EXPECT_EQ(test, flow.protocol, protocol);
	}
}

static void flow_as_received_is_the_packets(struct kunit *test)
{
	const struct ends there = { 7, 1024, 200, 443 }, back = EDGE_ANSWERS;
	int i;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		struct nf_conn *ct = connection(test, families[i], there, back, IPPROTO_TCP);
		struct edge_flow flow = { .family = families[i], .kind = EDGE_KIND_TCP };

		edge_flow_as_received(ct, IP_CT_ESTABLISHED, &flow);
		expect_ends(test, &flow, there);
		edge_flow_as_received(ct, IP_CT_ESTABLISHED_REPLY, &flow);
		expect_ends(test, &flow, back);
		KUNIT_EXPECT_EQ(test, flow.protocol, IPPROTO_TCP);
	}
}

static bool is_known(struct kunit *test, const u8 *bytes, u16 length, u16 linear,
		     struct nf_conn *ct)
{
	struct sk_buff *skb = skb_of(bytes, length, linear, 1500);
	bool known;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	if (ct)
		nf_ct_set(skb, ct, IP_CT_NEW);
	known = edge_flow_known(skb, &init_net, NFPROTO_IPV4);
	skb->_nfct = 0;	/* it was lent */
	kfree_skb(skb);
	return known;
}

static void kill_connection(void *ct)
{
	nf_ct_kill(ct);
}

static void flow_known_looks_for_a_confirmed_entry(struct kunit *test)
{
	static const u8 syn[] = { IPV4(5, IPPROTO_TCP), TCP(5, SYN) };
	static const u8 answer[] = {
		IPV4_BETWEEN(EDGE, PUBLIC, 5, 0, IPPROTO_TCP),
		TCP_BETWEEN(5061, 1024, 5, ACK),
	};
	static const u8 edge[] = { EDGE };
	struct nf_conn *ct, *own, *template;

	KUNIT_EXPECT_FALSE(test, is_known(test, syn, sizeof(syn), sizeof(syn), NULL));

	/* the Edge is in another network than the tuples' helper knows */
	ct = connection(test, NFPROTO_IPV4, (struct ends)CLIENT_CALLS, (struct ends)EDGE_ANSWERS,
			IPPROTO_TCP);
	memcpy(&ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple.dst.u3, edge, sizeof(edge));
	memcpy(&ct->tuplehash[IP_CT_DIR_REPLY].tuple.src.u3, edge, sizeof(edge));
	ct->timeout = nfct_time_stamp + 3600 * HZ;
	__set_bit(IPS_CONFIRMED_BIT, &ct->status);
	KUNIT_ASSERT_EQ(test, nf_conntrack_hash_check_insert(ct), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, kill_connection, ct), 0);

	KUNIT_EXPECT_TRUE(test, is_known(test, syn, sizeof(syn), sizeof(syn), NULL));
	KUNIT_EXPECT_TRUE(test, is_known(test, syn, sizeof(syn), 20, NULL));
	KUNIT_EXPECT_TRUE(test, is_known(test, answer, sizeof(answer), 33, NULL));
	KUNIT_EXPECT_FALSE(test, is_known(test, syn, 20, 20, NULL));
	KUNIT_EXPECT_EQ_MSG(test, refcount_read(&ct->ct_general.use), 2, "no reference is kept");

	/* a packet's own connection says it, whatever is in the table */
	own = connection(test, NFPROTO_IPV4, (struct ends){ 9, 9, 8, 8 },
			 (struct ends){ 8, 8, 9, 9 }, IPPROTO_TCP);
	KUNIT_EXPECT_FALSE(test, is_known(test, syn, sizeof(syn), sizeof(syn), own));
	KUNIT_EXPECT_TRUE(test, is_known(test, syn, sizeof(syn), sizeof(syn), ct));

	/* a template is nobody's connection */
	template = nf_ct_tmpl_alloc(&init_net, &nf_ct_zone_dflt, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, template);
	KUNIT_EXPECT_TRUE(test, is_known(test, syn, sizeof(syn), sizeof(syn), template));
	nf_ct_tmpl_free(template);
}

static struct kunit_case flow_test_cases[] = {
	KUNIT_CASE_PARAM(flow_reads_the_packet, packet_gen_params),
	KUNIT_CASE_PARAM(flow_is_malformed_when_truncated, packet_gen_params),
	KUNIT_CASE_PARAM(flow_takes_the_short_way_for_plain_packets, packet_gen_params),
	KUNIT_CASE(flow_is_malformed_where_a_checksum_will_change_it),
	KUNIT_CASE_PARAM(flow_is_the_same_in_pieces, packet_gen_params),
	KUNIT_CASE(flow_opens_by_syn_alone),
	KUNIT_CASE(flow_tells_icmp_types_apart),
	KUNIT_CASE(flow_tells_icmpv6_types_apart),
	KUNIT_CASE(flow_has_addresses_and_devices),
	KUNIT_CASE(flow_over_loopback_is_not_judged),
	KUNIT_CASE(flow_out_by_a_vrf_is_judged_behind_it),
	KUNIT_CASE(flow_leaves_by_the_device_of_its_route),
	KUNIT_CASE(flow_is_malformed_where_delivery_would_misread),
	KUNIT_CASE_PARAM(flow_route_names_its_addresses, route_gen_params),
	KUNIT_CASE_PARAM(flow_route_names_what_is_there, route_gen_params),
	KUNIT_CASE_PARAM(flow_is_direct_without_a_route, route_gen_params),
	KUNIT_CASE(flow_route_goes_on_from_where_it_led),
	KUNIT_CASE(flow_route_has_an_end),
	KUNIT_CASE(flow_route_is_the_one_that_delivery_reads),
	KUNIT_CASE_PARAM(flow_is_the_openers, track_gen_params),
	KUNIT_CASE(flow_as_received_is_the_packets),
	KUNIT_CASE(flow_known_looks_for_a_confirmed_entry),
	{}
};

static struct kunit_suite flow_test_suite = {
	.name = "nf_edge_flow",
	.test_cases = flow_test_cases,
};

kunit_test_suite(flow_test_suite);
