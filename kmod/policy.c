// SPDX-License-Identifier: GPL-2.0-only
#include "policy.h"

#include <linux/bitops.h>
#include <linux/in.h>

#include "judge.h"

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
	ROW(SIP_FEDERATION_OUT)	= { "sip",  TCP(EDGE_PORT_SIP_MTLS),     OUT(ACCESS, FEDERATION), PEERS(ANY) },	/* A table 1 */
	ROW(SIP_FEDERATION_IN)	= { "sip",  TCP(EDGE_PORT_SIP_MTLS),     IN(FEDERATION, ACCESS),  PEERS(LISTED) },	/* A prose */
	ROW(SIP_PIC_IN)		= { "sip",  TCP(EDGE_PORT_SIP_MTLS),     IN(PIC, ACCESS),         PEERS(LISTED) },	/* A table 2, B */
	ROW(SIP_PIC_OUT)	= { "sip",  TCP(EDGE_PORT_SIP_MTLS),     OUT(ACCESS, PIC),        PEERS(LISTED) },	/* A table 2, B */
	ROW(SIP_CLIENT_IN)	= { "sip",  TCP(EDGE_PORT_SIP_TLS),      IN(CLIENT, ACCESS),      PEERS(ANY) },	/* A table 2, B */
	ROW(AV_RTP_OUT)		= { "av",   TCP(0),            OUT(AV, MESSENGER),      PEERS(ANY) },	/* A table 2, B */
	ROW(AV_STUN_OUT)	= { "av",   UDP(EDGE_PORT_STUN),         OUT(AV, MESSENGER),      PEERS(ANY) },	/* A table 2, B */
	ROW(AV_STUN_IN)		= { "av",   UDP(EDGE_PORT_STUN),         IN(MESSENGER, AV),       PEERS(ANY) },	/* A table 2, B */
	ROW(XMPP_IN)		= { "xmpp", TCP(EDGE_PORT_XMPP_SERVER),  IN(XMPP, ACCESS),        PEERS(ANY) },	/* A table 3 */
	ROW(XMPP_OUT)		= { "xmpp", TCP(EDGE_PORT_XMPP_SERVER),  OUT(ACCESS, XMPP),       PEERS(ANY) },	/* A table 3 */
	ROW(XMPP_GATEWAY_IN)	= { "xmpp", TCP(EDGE_PORT_XMPP_GATEWAY), IN(GATEWAY, INTERNAL),   PEERS(ANY) },	/* A table 3 */
};

#define NAME(id, name) name,
const char * const edge_mode_names[] = { NF_EDGE_MODES(NAME) };
const char * const edge_unlisted_names[] = { NF_EDGE_UNLISTEDS(NAME) };
const char * const edge_rtp_match_names[] = { NF_EDGE_RTP_MATCHES(NAME) };
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
	policy->blocks = NULL;
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

static u16 rows_of_groups(u32 groups)
{
	u16 rows = 0;
	int row;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++)
		if (groups & BIT(edge_rows[row].group))
			rows |= BIT(row);
	return rows;
}

/* Whether one of the rows admits whomever. */
static bool admit_all(const struct edge_policy *policy, u16 rows)
{
	return policy->enabled & policy->any & rows;
}

void edge_policy_index(struct edge_policy *policy)
{
	const u8 plain = policy->blocks ? EDGE_PLAIN_UNBLOCKED : EDGE_PLAIN_ALL;
	u8 configured = 0;
	u32 i;

	policy->turns = !admit_all(policy, BIT(NF_EDGE_ROW_SIP_FEDERATION_OUT) |
					   BIT(NF_EDGE_ROW_SIP_PIC_OUT)) ||
			!admit_all(policy, BIT(NF_EDGE_ROW_AV_STUN_OUT)) ||
			!admit_all(policy, BIT(NF_EDGE_ROW_XMPP_OUT));
	policy->plain[EDGE_GATE_FIRST] = policy->mode == NF_EDGE_MODE_OFF ? EDGE_PLAIN_NONE : plain;
	policy->plain[EDGE_GATE_SECOND] = policy->mode == NF_EDGE_MODE_ENFORCE ? plain :
										EDGE_PLAIN_NONE;

	for (i = 0; i < policy->interface_count; i++)
		configured |= policy->interfaces[i].roles;

	for (i = 0; i < ARRAY_SIZE(policy->listing); i++)
		policy->listing[i] = rows_of_groups(i);
	memset(policy->buckets, 0, sizeof(policy->buckets));
	for (i = 0; i < policy->interface_count; i++) {
		struct edge_interface *interface = &policy->interfaces[i];
		u16 *bucket = &policy->buckets[edge_policy_bucket(interface->family,
								  &interface->addr)];

		assign_rows(interface, roles_served(interface, configured));
		interface->chain = *bucket;
		*bucket = i + 1;
	}
}

bool edge_policy_other_device(const struct edge_interface *interface, const char *dev)
{
	return dev && strcmp(interface->dev, dev);
}

int edge_policy_meet(const struct edge_policy *policy, u8 family, const union nf_inet_addr *addr)
{
	if (edge_blocks_cover(policy->blocks, family, addr))
		return EDGE_POLICY_BLOCKED;
	return edge_prefix_meet_unblocked(policy->partners, family, addr, policy->blocks->number);
}

/* Step 3: the other end of an Edge address is in the block list. */
static bool is_blocked(const struct edge_policy *policy, const struct edge_flow *flow)
{
	return policy->blocks &&
	       ((flow->src.edge &&
		 edge_blocks_cover(policy->blocks, flow->family, flow->dst.addr)) ||
		(flow->dst.edge &&
		 edge_blocks_cover(policy->blocks, flow->family, flow->src.addr)));
}

/*
 * Steps 5 to 8, whole. The ports of the RTP map are not read the other way round: others begin
 * there, too.
 */
static struct edge_ruling judge_rows(const struct edge_policy *policy, const struct edge_flow *flow,
				     const struct edge_end *src, const struct edge_end *dst,
				     bool any_will_do)
{
	u16 out = edge_judge_out(policy, flow, src, dst), in = edge_judge_in(flow, dst);
	struct edge_ruling turned;

	if (out | in)
		return edge_judge_covered(policy, flow, src, dst, out, in, any_will_do,
					  EDGE_JUDGE_ASK);
	out = edge_judge_out(policy, flow, dst, src) & ~BIT(NF_EDGE_ROW_AV_RTP_OUT);
	in = edge_judge_in(flow, src);
	if (!(out | in))
		return edge_judge_unlisted(policy);
	turned = edge_judge_covered(policy, flow, dst, src, out, in, true, EDGE_JUDGE_ASK);
	return turned.verdict == NF_EDGE_VERDICT_DROP ? turned : edge_judge_unlisted(policy);
}

struct edge_ruling edge_policy_judge(const struct edge_policy *policy, const struct edge_flow *flow)
{
	struct edge_ruling ruling;

	if (!flow->src.edge && !flow->dst.edge)
		return edge_judge_pass(NF_EDGE_REASON_COUNT);
	if (edge_judge_headers(flow, &ruling))
		return ruling;
	if (is_blocked(policy, flow))
		return edge_judge_drop(NF_EDGE_REASON_BLOCKED);
	if (edge_judge_state(flow, &ruling))
		return ruling;
	return judge_rows(policy, flow, &flow->src, &flow->dst, false);
}

struct edge_ruling edge_policy_judge_alone(const struct edge_policy *policy,
					   const struct edge_flow *flow)
{
	struct edge_ruling ruling, back;

	if (edge_judge_headers(flow, &ruling))
		return ruling;
	if (is_blocked(policy, flow))
		return edge_judge_drop(NF_EDGE_REASON_BLOCKED);
	if (flow->kind == EDGE_KIND_ICMP_ERROR)
		return edge_judge_pass(NF_EDGE_REASON_COUNT);
	ruling = judge_rows(policy, flow, &flow->src, &flow->dst, true);
	if (ruling.verdict != NF_EDGE_VERDICT_DROP || !edge_judge_may_answer(flow))
		return ruling;
	back = judge_rows(policy, flow, &flow->dst, &flow->src, true);
	return back.verdict == NF_EDGE_VERDICT_DROP ? ruling : back;
}

/* Neither what no row can cover, nor an error of which it is not known what it is about. */
static bool has_port(const struct edge_flow *flow)
{
	switch (flow->kind) {
	case EDGE_KIND_TCP_SYN:
	case EDGE_KIND_TCP:
	case EDGE_KIND_UDP:
		return true;
	case EDGE_KIND_ICMP_ERROR:
		return flow->tracking != EDGE_TRACKING_UNASKED;
	default:
		return false;
	}
}

static bool is_port_of(const struct edge_policy *policy, const struct edge_row *row,
		       const struct edge_flow *flow)
{
	if (row->port)
		return flow->dst.port == row->port;
	return edge_judge_rtp(policy, flow->src.port, flow->dst.port);
}

/* As far as the partners do not matter: NF_EDGE_FINDING_ANY for a row that is left. */
static enum nf_edge_finding consider_alone(const struct edge_policy *policy,
					   const struct edge_flow *flow, enum nf_edge_row id)
{
	const struct edge_row *row = &edge_rows[id];
	const struct edge_interface *edge = row->outbound ? flow->src.edge : flow->dst.edge;

	if (!edge)
		return NF_EDGE_FINDING_DIRECTION;
	if (!((row->outbound ? edge->out_rows : edge->in_rows) & BIT(id)))
		return NF_EDGE_FINDING_ROLE;
	if (!has_port(flow) || flow->protocol != row->protocol)
		return NF_EDGE_FINDING_PROTOCOL;
	if (!is_port_of(policy, row, flow))
		return NF_EDGE_FINDING_PORT;
	if (!(policy->enabled & BIT(id)))
		return NF_EDGE_FINDING_DISABLED;
	return NF_EDGE_FINDING_ANY;
}

static bool lists(const struct edge_policy *policy, const struct edge_flow *flow,
		  enum nf_edge_row id)
{
	const struct edge_end *remote = edge_rows[id].outbound ? &flow->dst : &flow->src;

	return edge_prefix_walk(policy->partners, flow->family, remote->addr) &
	       BIT(edge_rows[id].group);
}

static bool covers(enum nf_edge_finding finding)
{
	switch (finding) {
	case NF_EDGE_FINDING_PORT:
	case NF_EDGE_FINDING_PROTOCOL:
	case NF_EDGE_FINDING_ROLE:
	case NF_EDGE_FINDING_DIRECTION:
		return false;
	default:
		return true;
	}
}

static bool any_row_covers(const struct edge_policy *policy, const struct edge_flow *flow)
{
	int row;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++)
		if (covers(consider_alone(policy, flow, row)))
			return true;
	return false;
}

static bool any_row_lists(const struct edge_policy *policy, const struct edge_flow *flow)
{
	int row;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++)
		if (consider_alone(policy, flow, row) == NF_EDGE_FINDING_ANY &&
		    lists(policy, flow, row))
			return true;
	return false;
}

/* Steps 1 to 4, which no row has a say in; NF_EDGE_FINDING_COUNT: nothing. */
static enum nf_edge_finding against_flow(const struct edge_policy *policy,
					 const struct edge_flow *flow)
{
	if (flow->malformed)
		return NF_EDGE_FINDING_MALFORMED;
	if (edge_judge_wrong_device(flow))
		return NF_EDGE_FINDING_WRONG_DEVICE;
	if (is_blocked(policy, flow))
		return NF_EDGE_FINDING_BLOCKED;
	if (edge_judge_invalid_state(flow))
		return NF_EDGE_FINDING_INVALID_STATE;
	return NF_EDGE_FINDING_COUNT;
}

/* A row that covers the flow, as far as its switch and its peers go. */
static enum nf_edge_finding consider_peers(const struct edge_policy *policy,
					   const struct edge_flow *flow, enum nf_edge_row row)
{
	if (lists(policy, flow, row))
		return NF_EDGE_FINDING_LISTED;
	if (!(policy->any & BIT(row)))
		return NF_EDGE_FINDING_NOT_LISTED;
	return any_row_lists(policy, flow) ? NF_EDGE_FINDING_OUTRANKED : NF_EDGE_FINDING_ANY;
}

/* Step 8: what a row makes of the flow read the other way round; as it is, where that is admitted. */
static enum nf_edge_finding consider_turned(const struct edge_policy *policy,
					    const struct edge_flow *flow, enum nf_edge_row row,
					    enum nf_edge_finding finding)
{
	struct edge_flow turned = *flow;
	enum nf_edge_finding other;

	if (!edge_rows[row].port || any_row_covers(policy, flow) ||
	    judge_rows(policy, flow, &flow->src, &flow->dst, true).reason == NF_EDGE_REASON_UNLISTED)
		return finding;
	swap(turned.src, turned.dst);
	other = consider_alone(policy, &turned, row);
	if (other == NF_EDGE_FINDING_ANY)
		other = consider_peers(policy, &turned, row);
	return covers(other) ? other : finding;
}

enum nf_edge_finding edge_policy_consider(const struct edge_policy *policy,
					  const struct edge_flow *flow, enum nf_edge_row row)
{
	const enum nf_edge_finding against = against_flow(policy, flow);
	enum nf_edge_finding finding = consider_alone(policy, flow, row);

	if (!covers(finding))
		return consider_turned(policy, flow, row, finding);
	if (finding != NF_EDGE_FINDING_ANY)
		return finding;
	finding = consider_peers(policy, flow, row);
	if (finding == NF_EDGE_FINDING_NOT_LISTED || against == NF_EDGE_FINDING_COUNT)
		return finding;
	return against;
}
