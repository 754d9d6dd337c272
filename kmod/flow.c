// SPDX-License-Identifier: GPL-2.0-only
#include "flow.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/ndisc.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#define EXTENSION_HEADERS_MAX	8

/*
 * A local sender's packet may have been routed anew since the hooks began (a
 * mark, a translated destination); the state still has the first device.
 */
static const struct net_device *leaves_by(const struct sk_buff *skb,
					  const struct nf_hook_state *state)
{
	const struct dst_entry *dst = skb_dst(skb);

	return state->hook == NF_INET_LOCAL_OUT && dst ? dst->dev : state->out;
}

/*
 * What a local sender sends by way of a VRF passes the hooks twice: as if it left by the VRF,
 * where Linux since 5.16 keeps it from connection tracking, and then by the device that it does
 * leave by, or as what is delivered here.
 */
static bool passes_again(const struct nf_hook_state *state)
{
	return state->hook == NF_INET_LOCAL_OUT && state->out && netif_is_l3_master(state->out);
}

/* What a bridge forwards passes the hook of routed packets, too. */
static bool is_routed(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct dst_entry *dst = skb_dst(skb);

	return state->hook == NF_INET_FORWARD && dst && !(dst->flags & DST_FAKE_RTABLE);
}

#define IMPOSSIBLE	U32_MAX

/* Bytes of the option at @at, or IMPOSSIBLE; 0 behind the last one. */
static u32 ipv4_option_size(const u8 *option, u32 at, u32 length)
{
	if (at >= length || option[at] == IPOPT_END)
		return 0;
	if (option[at] == IPOPT_NOOP)
		return 1;
	if (at + 1 >= length || option[at + 1] < 2 || option[at + 1] > length - at)
		return IMPOSSIBLE;
	return option[at + 1];
}

static bool is_source_route(u8 option)
{
	return option == IPOPT_LSRR || option == IPOPT_SSRR;
}

/* Options of impossible length, or a source route (RFC 7126, section 4.3). */
static bool ipv4_options_lie(const struct sk_buff *skb, u32 length)
{
	u8 buffer[MAX_IPOPTLEN];
	const u8 *option;
	u32 at = 0, size;

	if (!length)
		return false;
	option = skb_header_pointer(skb, sizeof(struct iphdr), length, buffer);
	if (!option)
		return true;

	while ((size = ipv4_option_size(option, at, length))) {
		if (size == IMPOSSIBLE || is_source_route(option[at]))
			return true;
		at += size;
	}
	return false;
}

/*
 * The transport header's offset, or 0 for a header that lies. Fragments are
 * reassembled before any gate; one that is not cannot be judged.
 */
static u32 ipv4_transport(const struct sk_buff *skb, u8 *protocol)
{
	const struct iphdr *ip = ip_hdr(skb);
	u32 length = ip->ihl * 4;

	if (length < sizeof(*ip) || length > skb->len || ip_is_fragment(ip) ||
	    ipv4_options_lie(skb, length - sizeof(*ip)))
		return 0;
	*protocol = ip->protocol;
	return length;
}

/* What follows the extension header at @at, whose first bytes are @ext. */
static u32 ipv6_behind(u32 at, u8 header, const u8 *ext)
{
	switch (header) {
	case NEXTHDR_FRAGMENT:
		return at + 8;
	case NEXTHDR_AUTH:
		return at + (ext[1] + 2) * 4;
	default:
		return at + (ext[1] + 1) * 8;
	}
}

/*
 * Whether the kernel, when it delivers the packet, reads the header that @link names, and not at
 * @at. nf_defrag_ipv6 has it read on behind the fragment header that it took away, although the
 * extension headers before are still to be read: it would take the one for the other, a sender's
 * choice of bytes for a port that nobody judged.
 */
static bool misread(const struct sk_buff *skb, u32 link, u32 at)
{
	return link == IP6CB(skb)->nhoff && at != skb_transport_offset(skb);
}

static u32 ipv6_transport(const struct sk_buff *skb, bool delivered, u8 *protocol)
{
	u32 link = offsetof(struct ipv6hdr, nexthdr);	/* of the byte that names the header */
	u8 header = ipv6_hdr(skb)->nexthdr;
	u32 at = sizeof(struct ipv6hdr);
	int count;

	for (count = 0; edge_flow_is_extension(header); count++) {
		u8 buffer[8];
		const u8 *ext = skb_header_pointer(skb, at, sizeof(buffer), buffer);

		if (!ext || count == EXTENSION_HEADERS_MAX || (delivered && misread(skb, link, at)))
			return 0;
		if (header == NEXTHDR_ROUTING && ext[2] == IPV6_SRCRT_TYPE_0)
			return 0;	/* RFC 5095 */
		/* an atomic fragment (RFC 6946) is whole; any other is not */
		if (header == NEXTHDR_FRAGMENT && (ext[2] || ext[3] & ~0x06))
			return 0;

		link = at;
		at = ipv6_behind(at, header, ext);
		if (at > skb->len)
			return 0;
		header = ext[0];
	}
	*protocol = header;
	return at;
}

/*
 * The kernel takes addresses from where the pointer is, in steps of four, and does not ask whether
 * it lies between two of them. Those that were passed matter too: an answer goes back by them.
 */
static bool source_route_names(const u8 *option, u32 size, edge_flow_is_fn is, const void *data)
{
	union nf_inet_addr hop;
	u32 at;

	for (at = 3 + (option[2] & 3); at + sizeof(hop.ip) <= size; at += sizeof(hop.ip)) {
		memcpy(&hop.ip, option + at, sizeof(hop.ip));
		if (is(data, NFPROTO_IPV4, &hop))
			return true;
	}
	return false;
}

static bool ipv4_route_names(const struct sk_buff *skb, edge_flow_is_fn is, const void *data)
{
	u32 length = ip_hdr(skb)->ihl * 4, at = 0, size;
	u8 buffer[MAX_IPOPTLEN];
	const u8 *option;

	if (length <= sizeof(struct iphdr))
		return false;
	length -= sizeof(struct iphdr);
	option = skb_header_pointer(skb, sizeof(struct iphdr), length, buffer);
	if (!option)
		return false;

	while ((size = ipv4_option_size(option, at, length))) {
		if (size == IMPOSSIBLE)
			return false;
		if (is_source_route(option[at]) && size > 2 &&
		    source_route_names(option + at, size, is, data))
			return true;
		at += size;
	}
	return false;
}

/* More segments cannot be left: a byte counts them. */
#define ROUTING_MAX	255

/*
 * towards: the destination when the packet gets to this header, of which compressed addresses lack
 * the first bytes (RFC 6554). It becomes the one that the packet has when it is past it. All other
 * types have whole addresses in the same place (RFC 2460, RFC 6275, RFC 8754).
 */
static bool routing_header_names(const struct sk_buff *skb, u32 at, const u8 *ext,
				 struct in6_addr *towards, edge_flow_is_fn is, const void *data)
{
	const bool compressed = ext[2] == IPV6_SRCRT_TYPE_3;
	const u32 each = sizeof(*towards) - (compressed ? ext[4] >> 4 : 0);
	const u32 last = sizeof(*towards) - (compressed ? ext[4] & 0xf : 0);
	const u32 end = at + (ext[1] + 1) * 8 - (compressed ? ext[5] >> 4 : 0);
	union nf_inet_addr hop = { .in6 = *towards };
	struct in6_addr final = *towards;
	u32 count, own;

	at += 8;
	for (count = 0; count < ROUTING_MAX && at < end; count++, at += own) {
		struct in6_addr buffer;
		const void *bytes;

		own = at + last == end ? last : each;
		bytes = at + own <= end ? skb_header_pointer(skb, at, own, &buffer) : NULL;
		if (!bytes)
			break;
		hop.in6 = *towards;
		memcpy(hop.in6.s6_addr + sizeof(hop.in6) - own, bytes, own);
		if (is(data, NFPROTO_IPV6, &hop))
			return true;
		if (!count || ext[2] != IPV6_SRCRT_TYPE_4)	/* that one begins with the last */
			final = hop.in6;
	}
	*towards = final;
	return false;
}

/*
 * All extension headers, as many as there are: delivery follows as many. Where it misreads them, it
 * is followed.
 */
static bool ipv6_route_names(const struct sk_buff *skb, const struct edge_flow_place *place,
			     edge_flow_is_fn is, const void *data)
{
	u32 link = offsetof(struct ipv6hdr, nexthdr);
	u8 header = ipv6_hdr(skb)->nexthdr;
	struct in6_addr towards = place->dst->in6;
	u32 at = sizeof(struct ipv6hdr);

	while (edge_flow_is_extension(header)) {
		u8 buffer[8];
		const u8 *ext;

		if (place->delivered && misread(skb, link, at))
			at = skb_transport_offset(skb);
		if (at <= link || at >= skb->len)	/* whatever delivery makes of that */
			return false;
		ext = skb_header_pointer(skb, at, sizeof(buffer), buffer);
		if (!ext)
			return false;
		if (header == NEXTHDR_ROUTING && (ext[3] || place->followed) &&
		    routing_header_names(skb, at, ext, &towards, is, data))
			return true;
		link = at;
		at = ipv6_behind(at, header, ext);
		header = ext[0];
	}
	return false;
}

bool edge_flow_route_names(const struct sk_buff *skb, const struct edge_flow_place *place,
			   edge_flow_is_fn is, const void *data)
{
	return place->family == NFPROTO_IPV4 ? ipv4_route_names(skb, is, data) :
					       ipv6_route_names(skb, place, is, data);
}

bool edge_flow_completes_at(const struct sk_buff *skb, u32 at)
{
	const int start = skb_checksum_start_offset(skb) - skb_network_offset(skb);

	return start + skb->csum_offset >= (int)at;
}

static bool read_tcp(const struct sk_buff *skb, u32 at, struct edge_flow *flow)
{
	struct tcphdr buffer;
	const struct tcphdr *tcp = skb_header_pointer(skb, at, sizeof(buffer), &buffer);

	return tcp && edge_flow_take_tcp(tcp, skb->len - at, flow) &&
	       edge_flow_stays(skb, at + offsetof(struct tcphdr, check));
}

static bool read_udp(const struct sk_buff *skb, u32 at, struct edge_flow *flow)
{
	struct udphdr buffer;
	const struct udphdr *udp = skb_header_pointer(skb, at, sizeof(buffer), &buffer);

	return udp && edge_flow_take_udp(udp, skb->len - at, flow) &&
	       edge_flow_stays(skb, at + offsetof(struct udphdr, check));
}

static u8 icmp_kind(u8 type)
{
	switch (type) {
	case ICMP_DEST_UNREACH:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		return EDGE_KIND_ICMP_ERROR;
	default:
		return EDGE_KIND_OTHER;
	}
}

/* The hop limits prove the link: RFC 4861 sections 6.1 and 7.1, RFC 3810 section 5. */
static u8 icmpv6_kind(u8 type, u8 hop_limit)
{
	switch (type) {
	case ICMPV6_DEST_UNREACH:
	case ICMPV6_PKT_TOOBIG:
	case ICMPV6_TIME_EXCEED:
	case ICMPV6_PARAMPROB:
		return EDGE_KIND_ICMP_ERROR;
	case NDISC_ROUTER_SOLICITATION:
	case NDISC_ROUTER_ADVERTISEMENT:
	case NDISC_NEIGHBOUR_SOLICITATION:
	case NDISC_NEIGHBOUR_ADVERTISEMENT:
		return hop_limit == 255 ? EDGE_KIND_NEVER : EDGE_KIND_OTHER;
	case ICMPV6_MGM_QUERY:
	case ICMPV6_MGM_REPORT:
	case ICMPV6_MGM_REDUCTION:
	case ICMPV6_MLD2_REPORT:
		return hop_limit == 1 ? EDGE_KIND_NEVER : EDGE_KIND_OTHER;
	default:
		return EDGE_KIND_OTHER;
	}
}

/* Type, code, checksum, and the word that every ICMP message has (RFC 792, RFC 4443). */
static bool read_icmp(const struct sk_buff *skb, const struct nf_hook_state *state, u32 at,
		      struct edge_flow *flow)
{
	struct icmphdr buffer;
	const struct icmphdr *icmp = skb_header_pointer(skb, at, sizeof(buffer), &buffer);

	/* all of it is judged; nobody honest leaves the checksum of one to others */
	if (!icmp || skb->ip_summed == CHECKSUM_PARTIAL)
		return false;
	flow->kind = flow->family == NFPROTO_IPV4 ?
		     icmp_kind(icmp->type) :
		     icmpv6_kind(icmp->type, ipv6_hdr(skb)->hop_limit + is_routed(skb, state));
	return true;
}

static bool read_protocol(const struct sk_buff *skb, const struct nf_hook_state *state, u32 at,
			  struct edge_flow *flow)
{
	bool ipv4 = flow->family == NFPROTO_IPV4;

	switch (flow->protocol) {
	case IPPROTO_TCP:
		return read_tcp(skb, at, flow);
	case IPPROTO_UDP:
		return read_udp(skb, at, flow);
	case IPPROTO_ICMP:
		return ipv4 ? read_icmp(skb, state, at, flow) : edge_flow_stays(skb, at);
	case IPPROTO_ICMPV6:
		return ipv4 ? edge_flow_stays(skb, at) : read_icmp(skb, state, at, flow);
	default:
		return edge_flow_stays(skb, at);
	}
}

static bool read_transport(const struct sk_buff *skb, const struct nf_hook_state *state,
			   struct edge_flow *flow)
{
	u32 at = flow->family == NFPROTO_IPV4 ?
		 ipv4_transport(skb, &flow->protocol) :
		 ipv6_transport(skb, state->hook == NF_INET_LOCAL_IN, &flow->protocol);

	return at && read_protocol(skb, state, at, flow);
}

bool edge_flow_read(const struct sk_buff *skb, const struct nf_hook_state *state,
		    struct edge_flow *flow)
{
	const struct net_device *out = leaves_by(skb, state);

	/* a routing header may lead from there to another device */
	if (edge_flow_is_loopback(out) || (edge_flow_is_loopback(state->in) && !out) ||
	    passes_again(state))
		return false;
	edge_flow_begin(skb, state, out, state->pf, flow);
	flow->malformed = !read_transport(skb, state, flow) || edge_addresses_lie(flow);
	return true;
}

static void load_tuple(const struct nf_conntrack_tuple *tuple, struct edge_flow *flow)
{
	flow->src.addr = &tuple->src.u3;
	flow->dst.addr = &tuple->dst.u3;
	flow->src.port = ntohs(tuple->src.u.all);
	flow->dst.port = ntohs(tuple->dst.u.all);
	flow->protocol = tuple->dst.protonum;
}

void edge_flow_track(const struct nf_conn *ct, enum ip_conntrack_info ctinfo, bool translated,
		     struct edge_flow *flow)
{
	enum ip_conntrack_dir dir = CTINFO2DIR(ctinfo);
	enum ip_conntrack_dir opener = flow->kind == EDGE_KIND_TCP_SYN ? dir : IP_CT_DIR_ORIGINAL;

	flow->reply = dir != opener;
	flow->tracking = edge_flow_tracking(ct);
	load_tuple(&ct->tuplehash[opener].tuple, flow);
	if (translated) {
		flow->dst.addr = &ct->tuplehash[!opener].tuple.src.u3;
		flow->dst.port = ntohs(ct->tuplehash[!opener].tuple.src.u.all);
	}
}

void edge_flow_as_received(const struct nf_conn *ct, enum ip_conntrack_info ctinfo,
			   struct edge_flow *flow)
{
	load_tuple(&ct->tuplehash[CTINFO2DIR(ctinfo)].tuple, flow);
}

bool edge_flow_known(const struct sk_buff *skb, struct net *net, u8 family)
{
	struct nf_conntrack_tuple_hash *hash;
	struct nf_conntrack_tuple tuple;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (ct && !nf_ct_is_template(ct))
		return nf_ct_is_confirmed(ct);
	if (!nf_ct_get_tuplepr(skb, skb_network_offset(skb), family, net, &tuple))
		return false;
	hash = nf_conntrack_find_get(net, &nf_ct_zone_dflt, &tuple);
	if (!hash)
		return false;
	nf_ct_put(nf_ct_tuplehash_to_ctrack(hash));
	return true;
}
