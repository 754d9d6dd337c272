// SPDX-License-Identifier: GPL-2.0-only
#include "policy.h"

#include <linux/bitops.h>
#include <linux/in.h>

#define SIP_MTLS	5061
#define SIP_TLS		443
#define STUN		3478
#define XMPP_SERVER	5269
#define XMPP_GATEWAY	23456
#define MEDIA_TLS	443	/* the responder's port when "rtp match src" holds */

#define RTP_FIRST	50000
#define RTP_LAST	59999

#define OUT(from, to) .outbound = true, .role = NF_EDGE_ROLE_##from, .group = NF_EDGE_GROUP_##to
#define IN(from, to) .outbound = false, .role = NF_EDGE_ROLE_##to, .group = NF_EDGE_GROUP_##from
#define TCP(service) .protocol = IPPROTO_TCP, .port = (service)
#define UDP(service) .protocol = IPPROTO_UDP, .port = (service)
#define PEERS(which) .peers = NF_EDGE_PEERS_##which
#define ROW(id) [NF_EDGE_ROW_##id]

/*
 * The rows, as the two port summaries print them. A: "Port summary - SIP, XMPP
 * federation, and public instant messaging"; B: "Port summary - Public IM
 * connectivity". Documentation/policy.md quotes them row by row.
 */
const struct edge_row edge_rows[NF_EDGE_ROW_COUNT] = {
	ROW(SIP_FEDERATION_OUT)	= { "sip",  TCP(SIP_MTLS),     OUT(ACCESS, FEDERATION), PEERS(ANY) },	/* A table 1 */
	ROW(SIP_FEDERATION_IN)	= { "sip",  TCP(SIP_MTLS),     IN(FEDERATION, ACCESS),  PEERS(LISTED) },	/* A prose */
	ROW(SIP_PIC_IN)		= { "sip",  TCP(SIP_MTLS),     IN(PIC, ACCESS),         PEERS(LISTED) },	/* A table 2, B */
	ROW(SIP_PIC_OUT)	= { "sip",  TCP(SIP_MTLS),     OUT(ACCESS, PIC),        PEERS(LISTED) },	/* A table 2, B */
	ROW(SIP_CLIENT_IN)	= { "sip",  TCP(SIP_TLS),      IN(CLIENT, ACCESS),      PEERS(ANY) },	/* A table 2, B */
	ROW(AV_RTP_OUT)		= { "av",   TCP(0),            OUT(AV, MESSENGER),      PEERS(ANY) },	/* A table 2, B */
	ROW(AV_STUN_OUT)	= { "av",   UDP(STUN),         OUT(AV, MESSENGER),      PEERS(ANY) },	/* A table 2, B */
	ROW(AV_STUN_IN)		= { "av",   UDP(STUN),         IN(MESSENGER, AV),       PEERS(ANY) },	/* A table 2, B */
	ROW(XMPP_IN)		= { "xmpp", TCP(XMPP_SERVER),  IN(XMPP, ACCESS),        PEERS(ANY) },	/* A table 3 */
	ROW(XMPP_OUT)		= { "xmpp", TCP(XMPP_SERVER),  OUT(ACCESS, XMPP),       PEERS(ANY) },	/* A table 3 */
	ROW(XMPP_GATEWAY_IN)	= { "xmpp", TCP(XMPP_GATEWAY), IN(GATEWAY, INTERNAL),   PEERS(ANY) },	/* A table 3 */
};

#define NAME(id, name) name,
const char * const edge_mode_names[] = { NF_EDGE_MODES(NAME) };
const char * const edge_unlisted_names[] = { NF_EDGE_UNLISTEDS(NAME) };
const char * const edge_role_names[] = { NF_EDGE_ROLES(NAME) };
const char * const edge_group_names[] = { NF_EDGE_GROUPS(NAME) };
const char * const edge_row_names[] = { NF_EDGE_ROWS(NAME) };
const char * const edge_peers_names[] = { NF_EDGE_PEERSS(NAME) };
const char * const edge_reason_names[] = { NF_EDGE_REASONS(NAME) };

void edge_policy_init(struct edge_policy *policy)
{
	int row;

	policy->mode = NF_EDGE_MODE_ENFORCE;
	policy->unlisted = NF_EDGE_UNLISTED_DROP;
	policy->rtp_match = NF_EDGE_RTP_MATCH_DST;
	policy->enabled = BIT(NF_EDGE_ROW_COUNT) - 1;
	policy->any = 0;
	for (row = 0; row < NF_EDGE_ROW_COUNT; row++)
		if (edge_rows[row].peers == NF_EDGE_PEERS_ANY)
			policy->any |= BIT(row);
	memset(&policy->ports, 0, sizeof(policy->ports));
	edge_ports_set(&policy->ports, RTP_FIRST, RTP_LAST);
	policy->interface_count = 0;
	edge_policy_index(policy);
}

/* While no A/V address is configured, the access addresses serve A/V too. */
static u8 roles_served(const struct edge_interface *interface, u8 configured)
{
	if (interface->roles & BIT(NF_EDGE_ROLE_ACCESS) && !(configured & BIT(NF_EDGE_ROLE_AV)))
		return interface->roles | BIT(NF_EDGE_ROLE_AV);
	return interface->roles;
}

static void assign_rows(struct edge_interface *interface, u8 roles)
{
	int row;

	interface->out_rows = 0;
	interface->in_rows = 0;
	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		if (!(roles & BIT(edge_rows[row].role)))
			continue;
		if (edge_rows[row].outbound)
			interface->out_rows |= BIT(row);
		else
			interface->in_rows |= BIT(row);
	}
}

void edge_policy_index(struct edge_policy *policy)
{
	u8 configured = 0;
	u32 i;

	for (i = 0; i < policy->interface_count; i++)
		configured |= policy->interfaces[i].roles;

	memset(policy->buckets, 0, sizeof(policy->buckets));
	for (i = 0; i < policy->interface_count; i++) {
		struct edge_interface *interface = &policy->interfaces[i];
		__be32 word = interface->family == NFPROTO_IPV4 ? interface->addr.ip :
			      edge_word6(&interface->addr.in6);
		u16 *bucket = &policy->buckets[edge_policy_bucket(word)];

		assign_rows(interface, roles_served(interface, configured));
		interface->chain = *bucket;
		*bucket = i + 1;
	}
}

/*
 * A packet to a bound Edge address must enter by its device, one from it must
 * leave by it. A device that is not known (yet), or none, is not held against it.
 */
static bool wrong_device(const struct edge_flow *flow)
{
	const struct edge_interface *from = flow->reply ? flow->dst_edge : flow->src_edge;
	const struct edge_interface *to = flow->reply ? flow->src_edge : flow->dst_edge;

	if (to && to->dev[0] && flow->in && strcmp(to->dev, flow->in))
		return true;
	return from && from->dev[0] && flow->out && strcmp(from->dev, flow->out);
}

static bool invalid_state(const struct edge_flow *flow)
{
	if (flow->kind == EDGE_KIND_OTHER)
		return false;
	if (flow->tracking == EDGE_TRACKING_NONE)
		return true;
	/* a new flow may be answered before it is confirmed: by a local "reject with tcp reset" */
	return flow->kind == EDGE_KIND_TCP && flow->tracking == EDGE_TRACKING_NEW && !flow->reply;
}

static bool rtp_port(const struct edge_policy *policy, const struct edge_flow *flow)
{
	bool dst = edge_ports_test(&policy->ports, flow->dport);
	bool src = flow->dport == MEDIA_TLS && edge_ports_test(&policy->ports, flow->sport);

	switch (policy->rtp_match) {
	case NF_EDGE_RTP_MATCH_DST:
		return dst;
	case NF_EDGE_RTP_MATCH_SRC:
		return src;
	default:
		return dst || src;
	}
}

/* The rows of the flow's protocol and service port. */
static u16 rows_by_port(const struct edge_policy *policy, const struct edge_flow *flow)
{
	u16 rows = 0;

	/* what a redirect or a source quench is about does not make it part of that */
	if (flow->kind == EDGE_KIND_OTHER)
		return 0;
	if (flow->protocol == IPPROTO_UDP)
		return flow->dport == STUN ? BIT(NF_EDGE_ROW_AV_STUN_OUT) |
					     BIT(NF_EDGE_ROW_AV_STUN_IN) : 0;
	if (flow->protocol != IPPROTO_TCP)
		return 0;

	switch (flow->dport) {
	case SIP_MTLS:
		rows = BIT(NF_EDGE_ROW_SIP_FEDERATION_OUT) | BIT(NF_EDGE_ROW_SIP_FEDERATION_IN) |
		       BIT(NF_EDGE_ROW_SIP_PIC_IN) | BIT(NF_EDGE_ROW_SIP_PIC_OUT);
		break;
	case SIP_TLS:
		rows = BIT(NF_EDGE_ROW_SIP_CLIENT_IN);
		break;
	case XMPP_SERVER:
		rows = BIT(NF_EDGE_ROW_XMPP_IN) | BIT(NF_EDGE_ROW_XMPP_OUT);
		break;
	case XMPP_GATEWAY:
		rows = BIT(NF_EDGE_ROW_XMPP_GATEWAY_IN);
		break;
	}
	if (rtp_port(policy, flow))
		rows |= BIT(NF_EDGE_ROW_AV_RTP_OUT);
	return rows;
}

/* The first of the rows whose group lists the remote end, or NF_EDGE_ROW_COUNT. */
static u32 row_listing(const struct edge_policy *policy, const struct edge_flow *flow, u16 out,
		       u16 in)
{
	u8 to = out ? edge_prefix_lookup(policy->partners, flow->family, &flow->dst) : 0;
	u8 from = in ? edge_prefix_lookup(policy->partners, flow->family, &flow->src) : 0;
	u32 rows;

	for (rows = to | from ? out | in : 0; rows; rows &= rows - 1) {
		const struct edge_row *row = &edge_rows[__ffs(rows)];

		if ((row->outbound ? to : from) & BIT(row->group))
			return __ffs(rows);
	}
	return NF_EDGE_ROW_COUNT;
}

static struct edge_ruling drop(enum nf_edge_reason reason)
{
	return (struct edge_ruling){ NF_EDGE_VERDICT_DROP, NF_EDGE_ROW_COUNT, reason };
}

static struct edge_ruling accept(enum nf_edge_row row)
{
	return (struct edge_ruling){ NF_EDGE_VERDICT_ACCEPT, row, NF_EDGE_REASON_COUNT };
}

static struct edge_ruling pass(enum nf_edge_reason reason)
{
	return (struct edge_ruling){ NF_EDGE_VERDICT_PASS, NF_EDGE_ROW_COUNT, reason };
}

/* Steps 4 to 7. Rows are bits, so "the first row" is the lowest bit. */
static struct edge_ruling judge_rows(const struct edge_policy *policy, const struct edge_flow *flow)
{
	u16 rows = rows_by_port(policy, flow);
	u16 out = flow->src_edge ? rows & flow->src_edge->out_rows : 0;
	u16 in = flow->dst_edge ? rows & flow->dst_edge->in_rows : 0;
	u16 enabled = (out | in) & policy->enabled;
	u16 any = enabled & policy->any;
	u32 row = NF_EDGE_ROW_COUNT;

	if (!(out | in))
		return policy->unlisted == NF_EDGE_UNLISTED_PASS ? pass(NF_EDGE_REASON_UNLISTED) :
								   drop(NF_EDGE_REASON_UNLISTED);
	if (!enabled)
		return drop(NF_EDGE_REASON_DISABLED);

	/* who is listed matters where another row might be the first */
	if (!any || enabled & (enabled - 1))
		row = row_listing(policy, flow, out & enabled, in & enabled);
	if (row < NF_EDGE_ROW_COUNT)
		return accept(row);
	if (any)
		return accept(__ffs(any));
	return drop(NF_EDGE_REASON_NOT_LISTED);
}

struct edge_ruling edge_policy_judge(const struct edge_policy *policy, const struct edge_flow *flow)
{
	if (!flow->src_edge && !flow->dst_edge)
		return pass(NF_EDGE_REASON_COUNT);
	if (flow->malformed)
		return drop(NF_EDGE_REASON_MALFORMED);
	if (flow->kind == EDGE_KIND_NEVER)
		return pass(NF_EDGE_REASON_COUNT);
	if (wrong_device(flow))
		return drop(NF_EDGE_REASON_WRONG_DEVICE);
	if (invalid_state(flow))
		return drop(NF_EDGE_REASON_INVALID_STATE);
	if (flow->kind == EDGE_KIND_ICMP_ERROR && flow->tracking == EDGE_TRACKING_UNASKED)
		return pass(NF_EDGE_REASON_COUNT);
	return judge_rows(policy, flow);
}
