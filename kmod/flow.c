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

static bool is_loopback(const struct net_device *dev)
{
	return dev && dev->flags & IFF_LOOPBACK;
}

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

bool edge_flow_read_devices(const struct sk_buff *skb, const struct nf_hook_state *state,
			    struct edge_flow *flow)
{
	const struct net_device *out = leaves_by(skb, state);

	flow->in = state->in ? state->in->name : NULL;
	flow->out = out ? out->name : NULL;
	flow->routed = is_routed(skb, state);
	flow->delivered = state->hook == NF_INET_LOCAL_IN;
	flow->sport = 0;
	flow->dport = 0;
	flow->protocol = 0;
	flow->kind = EDGE_KIND_OTHER;
	flow->tracking = EDGE_TRACKING_UNASKED;
	flow->reply = false;
	flow->malformed = false;
	return !is_loopback(state->in) && !is_loopback(out);
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

static bool read_tcp(const struct sk_buff *skb, u32 at, struct edge_flow *flow)
{
	struct tcphdr buffer;
	const struct tcphdr *tcp = skb_header_pointer(skb, at, sizeof(buffer), &buffer);

	if (!tcp || tcp->doff * 4 < sizeof(*tcp) || at + tcp->doff * 4 > skb->len)
		return false;
	flow->sport = ntohs(tcp->source);
	flow->dport = ntohs(tcp->dest);
	flow->kind = tcp->syn && !tcp->ack && !tcp->rst && !tcp->fin ? EDGE_KIND_TCP_SYN :
								       EDGE_KIND_TCP;
	return true;
}

static bool read_udp(const struct sk_buff *skb, u32 at, struct edge_flow *flow)
{
	struct udphdr buffer;
	const struct udphdr *udp = skb_header_pointer(skb, at, sizeof(buffer), &buffer);

	if (!udp || ntohs(udp->len) < sizeof(*udp) || at + ntohs(udp->len) > skb->len)
		return false;
	flow->sport = ntohs(udp->source);
	flow->dport = ntohs(udp->dest);
	flow->kind = EDGE_KIND_UDP;
	return true;
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
static bool read_icmp(const struct sk_buff *skb, u32 at, struct edge_flow *flow)
{
	struct icmphdr buffer;
	const struct icmphdr *icmp = skb_header_pointer(skb, at, sizeof(buffer), &buffer);

	if (!icmp)
		return false;
	flow->kind = flow->family == NFPROTO_IPV4 ?
		     icmp_kind(icmp->type) :
		     icmpv6_kind(icmp->type, ipv6_hdr(skb)->hop_limit + flow->routed);
	return true;
}

static bool read_protocol(const struct sk_buff *skb, u32 at, struct edge_flow *flow)
{
	bool ipv4 = flow->family == NFPROTO_IPV4;

	switch (flow->protocol) {
	case IPPROTO_TCP:
		return read_tcp(skb, at, flow);
	case IPPROTO_UDP:
		return read_udp(skb, at, flow);
	case IPPROTO_ICMP:
		return !ipv4 || read_icmp(skb, at, flow);
	case IPPROTO_ICMPV6:
		return ipv4 || read_icmp(skb, at, flow);
	default:
		return true;
	}
}

void edge_flow_read_transport(const struct sk_buff *skb, struct edge_flow *flow)
{
	u32 at = flow->family == NFPROTO_IPV4 ?
		 ipv4_transport(skb, &flow->protocol) :
		 ipv6_transport(skb, flow->delivered, &flow->protocol);

	flow->malformed = !at || !read_protocol(skb, at, flow) || edge_addresses_lie(flow);
}

static void load_tuple(const struct nf_conntrack_tuple *tuple, struct edge_flow *flow)
{
	flow->src = tuple->src.u3;
	flow->dst = tuple->dst.u3;
	flow->sport = ntohs(tuple->src.u.all);
	flow->dport = ntohs(tuple->dst.u.all);
	flow->protocol = tuple->dst.protonum;
}

void edge_flow_track(const struct nf_conn *ct, enum ip_conntrack_info ctinfo, bool translated,
		     struct edge_flow *flow)
{
	enum ip_conntrack_dir dir = CTINFO2DIR(ctinfo);
	enum ip_conntrack_dir opener = flow->kind == EDGE_KIND_TCP_SYN ? dir : IP_CT_DIR_ORIGINAL;

	flow->reply = dir != opener;
	flow->tracking = nf_ct_is_confirmed(ct) ? EDGE_TRACKING_KNOWN : EDGE_TRACKING_NEW;
	load_tuple(&ct->tuplehash[opener].tuple, flow);
	if (translated) {
		flow->dst = ct->tuplehash[!opener].tuple.src.u3;
		flow->dport = ntohs(ct->tuplehash[!opener].tuple.src.u.all);
	}
}

static bool is_end(const struct nf_conntrack_man *end, u8 family, const union nf_inet_addr *addr,
		   u16 port)
{
	return edge_address_equal(family, &end->u3, addr) && ntohs(end->u.all) == port;
}

bool edge_flow_join(const struct nf_conn *ct, enum ip_conntrack_info ctinfo, struct edge_flow *flow)
{
	enum ip_conntrack_dir dir = CTINFO2DIR(ctinfo);

	if (flow->kind < EDGE_KIND_TCP_SYN || flow->kind > EDGE_KIND_UDP ||
	    !is_end(&ct->tuplehash[dir].tuple.src, flow->family, &flow->src, flow->sport) ||
	    !is_end(&ct->tuplehash[!dir].tuple.src, flow->family, &flow->dst, flow->dport))
		return false;
	flow->tracking = nf_ct_is_confirmed(ct) ? EDGE_TRACKING_KNOWN : EDGE_TRACKING_NEW;
	if (dir == IP_CT_DIR_REPLY && flow->kind != EDGE_KIND_TCP_SYN) {
		swap(flow->src, flow->dst);
		swap(flow->sport, flow->dport);
		swap(flow->src_edge, flow->dst_edge);
		flow->reply = true;
	}
	return true;
}

void edge_flow_as_received(const struct nf_conn *ct, enum ip_conntrack_info ctinfo,
			   struct edge_flow *flow)
{
	load_tuple(&ct->tuplehash[CTINFO2DIR(ctinfo)].tuple, flow);
}

bool edge_flow_known(const struct sk_buff *skb, struct net *net, const struct edge_flow *flow)
{
	struct nf_conntrack_tuple_hash *hash;
	struct nf_conntrack_tuple tuple;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (ct && !nf_ct_is_template(ct))
		return nf_ct_is_confirmed(ct);
	if (!nf_ct_get_tuplepr(skb, skb_network_offset(skb), flow->family, net, &tuple))
		return false;
	hash = nf_conntrack_find_get(net, &nf_ct_zone_dflt, &tuple);
	if (!hash)
		return false;
	nf_ct_put(nf_ct_tuplehash_to_ctrack(hash));
	return true;
}
