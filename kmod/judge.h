/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * THE LAW: what the rows make of a flow, step by step as in Documentation/policy.md. Pure: no
 * packet, no lock, no netlink. In a header, so that each gate has a copy that costs it no call;
 * explain and the tests have theirs in policy.c.
 */
#ifndef _EDGE_JUDGE_H
#define _EDGE_JUDGE_H

#include <linux/bitops.h>
#include <linux/in.h>

#include "policy.h"

/* What step 8 may have a row decide: see edge_judge_spoken(). No verdict. */
#define EDGE_JUDGE_TURNED	NF_EDGE_VERDICT_COUNT

/* Groups that have not been looked up. */
#define EDGE_JUDGE_ASK		(-1)

static inline struct edge_ruling edge_judge_drop(enum nf_edge_reason reason)
{
	return (struct edge_ruling){ NF_EDGE_VERDICT_DROP, NF_EDGE_ROW_COUNT, reason };
}

static inline struct edge_ruling edge_judge_accept(enum nf_edge_row row)
{
	return (struct edge_ruling){ NF_EDGE_VERDICT_ACCEPT, row, NF_EDGE_REASON_COUNT };
}

static inline struct edge_ruling edge_judge_pass(enum nf_edge_reason reason)
{
	return (struct edge_ruling){ NF_EDGE_VERDICT_PASS, NF_EDGE_ROW_COUNT, reason };
}

/*
 * A packet to a bound Edge address must enter by its device, one from it must
 * leave by it. A device that is not known (yet), or none, is not held against it.
 */
static __always_inline bool edge_judge_wrong_device(const struct edge_flow *flow)
{
	const struct edge_interface *from = flow->reply ? flow->dst.edge : flow->src.edge;
	const struct edge_interface *to = flow->reply ? flow->src.edge : flow->dst.edge;

	return (to && to->dev[0] && edge_policy_other_device(to, flow->in)) ||
	       (from && from->dev[0] && edge_policy_other_device(from, flow->out));
}

static __always_inline bool edge_judge_invalid_state(const struct edge_flow *flow)
{
	if (flow->kind == EDGE_KIND_OTHER)
		return false;
	if (flow->tracking == EDGE_TRACKING_NONE)
		return true;
	/* a new flow may be answered before it is confirmed: by a local "reject with tcp reset" */
	return flow->kind == EDGE_KIND_TCP && flow->tracking == EDGE_TRACKING_NEW && !flow->reply;
}

static __always_inline bool edge_judge_rtp(const struct edge_policy *policy, u16 sport, u16 dport)
{
	if (policy->rtp_match != NF_EDGE_RTP_MATCH_SRC && edge_ports_test(&policy->ports, dport))
		return true;
	return policy->rtp_match != NF_EDGE_RTP_MATCH_DST && dport == EDGE_PORT_MEDIA_TLS &&
	       edge_ports_test(&policy->ports, sport);
}

/* The rows of a service port that an Edge address may be the initiator of. */
static __always_inline u16 edge_judge_out_rows(const struct edge_policy *policy, u8 protocol,
					       u16 sport, u16 dport)
{
	u16 rows;

	if (protocol == IPPROTO_UDP)
		return dport == EDGE_PORT_STUN ? BIT(NF_EDGE_ROW_AV_STUN_OUT) : 0;
	if (protocol != IPPROTO_TCP)
		return 0;
	rows = edge_judge_rtp(policy, sport, dport) ? BIT(NF_EDGE_ROW_AV_RTP_OUT) : 0;
	switch (dport) {
	case EDGE_PORT_SIP_MTLS:
		return rows | BIT(NF_EDGE_ROW_SIP_FEDERATION_OUT) | BIT(NF_EDGE_ROW_SIP_PIC_OUT);
	case EDGE_PORT_XMPP_SERVER:
		return rows | BIT(NF_EDGE_ROW_XMPP_OUT);
	default:
		return rows;
	}
}

/* And those that it may be the responder of. */
static __always_inline u16 edge_judge_in_rows(u8 protocol, u16 dport)
{
	if (protocol == IPPROTO_UDP)
		return dport == EDGE_PORT_STUN ? BIT(NF_EDGE_ROW_AV_STUN_IN) : 0;
	if (protocol != IPPROTO_TCP)
		return 0;
	switch (dport) {
	case EDGE_PORT_SIP_MTLS:
		return BIT(NF_EDGE_ROW_SIP_FEDERATION_IN) | BIT(NF_EDGE_ROW_SIP_PIC_IN);
	case EDGE_PORT_SIP_TLS:
		return BIT(NF_EDGE_ROW_SIP_CLIENT_IN);
	case EDGE_PORT_XMPP_SERVER:
		return BIT(NF_EDGE_ROW_XMPP_IN);
	case EDGE_PORT_XMPP_GATEWAY:
		return BIT(NF_EDGE_ROW_XMPP_GATEWAY_IN);
	default:
		return 0;
	}
}

/* Those of the rows whose group lists the remote end. */
static __always_inline u16 edge_judge_listed(const struct edge_policy *policy, u8 family, u16 rows,
					     const struct edge_end *remote, int groups)
{
	if (!rows)
		return 0;
	if (groups == EDGE_JUDGE_ASK)
		groups = edge_prefix_lookup(policy->partners, family, remote->addr);
	return rows & policy->listing[groups];
}

/* Those that cover a flow which src opens, and the ones that cover it because dst serves it. */
static __always_inline u16 edge_judge_out(const struct edge_policy *policy,
					  const struct edge_flow *flow, const struct edge_end *src,
					  const struct edge_end *dst)
{
	/* what a redirect or a source quench is about does not make it part of that */
	if (flow->kind == EDGE_KIND_OTHER || !src->edge)
		return 0;
	return src->edge->out_rows &
	       edge_judge_out_rows(policy, flow->protocol, src->port, dst->port);
}

static __always_inline u16 edge_judge_in(const struct edge_flow *flow, const struct edge_end *dst)
{
	if (flow->kind == EDGE_KIND_OTHER || !dst->edge)
		return 0;
	return dst->edge->in_rows & edge_judge_in_rows(flow->protocol, dst->port);
}

/*
 * Steps 5 to 7, for a flow that one end opened to the other, and the rows that cover it. Rows are
 * bits, so "the first row" is the lowest bit.
 */
static __always_inline struct edge_ruling
edge_judge_covered(const struct edge_policy *policy, const struct edge_flow *flow,
		   const struct edge_end *src, const struct edge_end *dst, u16 out, u16 in,
		   bool any_will_do, int groups)
{
	const u16 enabled = (out | in) & policy->enabled;
	u16 any, listed;

	if (!enabled)
		return edge_judge_drop(NF_EDGE_REASON_DISABLED);

	/* who is listed matters where another row might be the first */
	any = enabled & policy->any;
	if (any && (any_will_do || !(enabled & (enabled - 1))))
		return edge_judge_accept(__ffs(any));
	listed = edge_judge_listed(policy, flow->family, out & enabled, dst, groups) |
		 edge_judge_listed(policy, flow->family, in & enabled, src, groups);
	if (listed)
		return edge_judge_accept(__ffs(listed));
	if (any)
		return edge_judge_accept(__ffs(any));
	return edge_judge_drop(NF_EDGE_REASON_NOT_LISTED);
}

static __always_inline struct edge_ruling edge_judge_unlisted(const struct edge_policy *policy)
{
	return policy->unlisted == NF_EDGE_UNLISTED_PASS ?
	       edge_judge_pass(NF_EDGE_REASON_UNLISTED) : edge_judge_drop(NF_EDGE_REASON_UNLISTED);
}

/* Steps 5 to 8, but for edge_judge_spoken(). */
static __always_inline struct edge_ruling
edge_judge_rows(const struct edge_policy *policy, const struct edge_flow *flow,
		const struct edge_end *src, const struct edge_end *dst, bool any_will_do,
		int groups)
{
	const u16 out = edge_judge_out(policy, flow, src, dst), in = edge_judge_in(flow, dst);

	return out | in ? edge_judge_covered(policy, flow, src, dst, out, in, any_will_do, groups) :
			  edge_judge_unlisted(policy);
}

/* Where a service port would stand among edge_judge_services: all in different places. */
#define EDGE_JUDGE_SERVICE(port) (((port) >> 1) % 16)

static const u16 edge_judge_services[16] = {
	[EDGE_JUDGE_SERVICE(EDGE_PORT_SIP_MTLS)] = EDGE_PORT_SIP_MTLS,
	[EDGE_JUDGE_SERVICE(EDGE_PORT_SIP_TLS)] = EDGE_PORT_SIP_TLS,
	[EDGE_JUDGE_SERVICE(EDGE_PORT_STUN)] = EDGE_PORT_STUN,
	[EDGE_JUDGE_SERVICE(EDGE_PORT_XMPP_SERVER)] = EDGE_PORT_XMPP_SERVER,
	[EDGE_JUDGE_SERVICE(EDGE_PORT_XMPP_GATEWAY)] = EDGE_PORT_XMPP_GATEWAY,
};

static __always_inline bool edge_judge_is_service(u16 port)
{
	return edge_judge_services[EDGE_JUDGE_SERVICE(port)] == port;
}

/*
 * Step 8. What no row covers, and speaks first from what may be a row's own port, is to be judged
 * by that row, too: else who is refused would be answered as soon as the other end speaks first.
 * That is rare, and left to edge_policy_judge() and edge_policy_judge_alone(): EDGE_JUDGE_TURNED.
 */
static __always_inline struct edge_ruling edge_judge_spoken(const struct edge_policy *policy,
							    const struct edge_flow *flow,
							    struct edge_ruling ruling)
{
	if (ruling.reason == NF_EDGE_REASON_UNLISTED &&
	    (flow->src.edge || unlikely(policy->turns)) &&
	    unlikely(edge_judge_is_service(flow->src.port)))
		ruling.verdict = EDGE_JUDGE_TURNED;
	return ruling;
}

/* Steps 1 and 2, and what is never ours; whether they decide. */
static __always_inline bool edge_judge_headers(const struct edge_flow *flow,
					       struct edge_ruling *ruling)
{
	if (flow->malformed)
		*ruling = edge_judge_drop(NF_EDGE_REASON_MALFORMED);
	else if (flow->kind == EDGE_KIND_NEVER)
		*ruling = edge_judge_pass(NF_EDGE_REASON_COUNT);
	else if (edge_judge_wrong_device(flow))
		*ruling = edge_judge_drop(NF_EDGE_REASON_WRONG_DEVICE);
	else
		return false;
	return true;
}

/* Step 4, and the errors of which it is not known what they are about; whether it decides. */
static __always_inline bool edge_judge_state(const struct edge_flow *flow,
					     struct edge_ruling *ruling)
{
	if (edge_judge_invalid_state(flow))
		*ruling = edge_judge_drop(NF_EDGE_REASON_INVALID_STATE);
	else if (flow->kind == EDGE_KIND_ICMP_ERROR && flow->tracking == EDGE_TRACKING_UNASKED)
		*ruling = edge_judge_pass(NF_EDGE_REASON_COUNT);
	else
		return false;
	return true;
}

/**
 * edge_judge_unblocked - which groups the remote end belongs to, where it is not blocked
 * @policy: the policy; something is blocked by it
 * @flow: a recognised flow that is ours
 *
 * Context: RCU read side, any context.
 * Return: the mask of groups, or EDGE_POLICY_BLOCKED; between two Edge addresses that, too.
 */
static __always_inline int edge_judge_unblocked(const struct edge_policy *policy,
						const struct edge_flow *flow)
{
	/* no pointer to an end: the compiler would keep the flow in memory */
	const union nf_inet_addr *remote = flow->src.edge ? flow->dst.addr : flow->src.addr;
	const struct edge_memo *memo;

	if (flow->src.edge && flow->dst.edge)
		return EDGE_POLICY_BLOCKED;
	memo = edge_prefix_memo(policy->partners, flow->family, remote);
	if (memo && edge_prefix_is_fresh(policy->partners, memo) &&
	    memo->unblocked == policy->blocks->number)
		return memo->groups;
	return edge_policy_meet(policy, flow->family, remote);
}

/**
 * edge_judge - the verdict on a packet of a flow; edge_policy_judge() without a call
 * @policy: the policy
 * @flow: a recognised flow that is ours, whose remote end is not blocked
 * @groups: those of the remote end, or EDGE_JUDGE_ASK
 *
 * Return: as edge_policy_judge(), see there, or EDGE_JUDGE_TURNED.
 */
static __always_inline struct edge_ruling edge_judge(const struct edge_policy *policy,
						     const struct edge_flow *flow, int groups)
{
	struct edge_ruling ruling;

	if (edge_judge_headers(flow, &ruling) || edge_judge_state(flow, &ruling))
		return ruling;
	ruling = edge_judge_rows(policy, flow, &flow->src, &flow->dst, false, groups);
	return edge_judge_spoken(policy, flow, ruling);
}

/*
 * Whether a packet may be part of a flow that the other end opened. Not asked of ICMP errors, which
 * may be about any.
 */
static __always_inline bool edge_judge_may_answer(const struct edge_flow *flow)
{
	return flow->kind > EDGE_KIND_TCP_SYN;
}

/**
 * edge_judge_alone - what can be said of a packet before connection tracking
 * @policy: the policy
 * @flow: a recognised flow, as edge_flow_read() read the packet, whose remote end is not blocked
 * @groups: those of the remote end, or EDGE_JUDGE_ASK
 *
 * As edge_judge(), but a TCP segment or UDP datagram that its own flow would have dropped
 * may belong to one that the other end opened: it is dropped only where that would be dropped,
 * too. Which of several rows admits a packet is not looked at.
 *
 * Context: RCU read side, any context.
 * Return: a drop with its reason, an accept by some row, a pass, or EDGE_JUDGE_TURNED.
 */
static __always_inline struct edge_ruling edge_judge_alone(const struct edge_policy *policy,
							   const struct edge_flow *flow, int groups)
{
	struct edge_ruling ruling, back;

	if (edge_judge_headers(flow, &ruling))
		return ruling;
	if (flow->kind == EDGE_KIND_ICMP_ERROR)
		return edge_judge_pass(NF_EDGE_REASON_COUNT);
	ruling = edge_judge_rows(policy, flow, &flow->src, &flow->dst, true, groups);
	if (ruling.verdict != NF_EDGE_VERDICT_DROP || !edge_judge_may_answer(flow))
		return edge_judge_spoken(policy, flow, ruling);
	back = edge_judge_rows(policy, flow, &flow->dst, &flow->src, true, groups);
	if (back.verdict == NF_EDGE_VERDICT_ACCEPT)
		return back;
	/* one of the two is covered, and the other is to be read the other way round */
	if (back.verdict == NF_EDGE_VERDICT_PASS || back.reason != ruling.reason)
		ruling.verdict = EDGE_JUDGE_TURNED;
	return ruling;
}

#endif /* _EDGE_JUDGE_H */
