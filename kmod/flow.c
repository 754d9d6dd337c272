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

/* What a bridge forwards passes the hook of routed packets, too. */
static bool is_routed(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct dst_entry *dst = skb_dst(skb);

	return state->hook == NF_INET_FORWARD && dst && !(dst->flags & DST_FAKE_RTABLE);
}

/* Options of impossible length, or a source route (RFC 7126, section 4.3). */
static bool ipv4_options_lie(const struct sk_buff *skb, u32 length)
{
	u8 buffer[MAX_IPOPTLEN];
	const u8 *option;
	u32 at = 0;

	if (!length)
		return false;
	option = skb_header_pointer(skb, sizeof(struct iphdr), length, buffer);
	if (!option)
		return true;

	while (at < length) {
		if (option[at] == IPOPT_END)
			return false;
		if (option[at] == IPOPT_NOOP) {
			at++;
			continue;
		}
		if (at + 1 >= length || option[at + 1] < 2 || option[at + 1] > length - at)
			return true;
		if (option[at] == IPOPT_LSRR || option[at] == IPOPT_SSRR)
			return true;
		at += option[at + 1];
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

static bool is_extension_header(u8 header)
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

	for (count = 0; is_extension_header(header); count++) {
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
		if (header == NEXTHDR_FRAGMENT)
			at += 8;
		else if (header == NEXTHDR_AUTH)
			at += (ext[1] + 2) * 4;
		else
			at += (ext[1] + 1) * 8;
		if (at > skb->len)
			return 0;
		header = ext[0];
	}
	*protocol = header;
	return at;
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

	if (edge_flow_is_loopback(state->in) || edge_flow_is_loopback(out))
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
