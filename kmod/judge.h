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
					     const struct edge_end *remote)
{
	if (!rows)
		return 0;
	return rows & policy->listing[edge_prefix_lookup(policy->partners, family, remote->addr)];
}

/*
 * Steps 4 to 7, for a flow that one end opened to the other. Rows are bits, so "the first row" is
 * the lowest bit.
 */
static __always_inline struct edge_ruling
edge_judge_rows(const struct edge_policy *policy, const struct edge_flow *flow,
		const struct edge_end *src, const struct edge_end *dst, bool any_will_do)
{
	u16 out = 0, in = 0, enabled, any, listed;

	/* what a redirect or a source quench is about does not make it part of that */
	if (flow->kind != EDGE_KIND_OTHER) {
		if (src->edge)
			out = src->edge->out_rows &
			      edge_judge_out_rows(policy, flow->protocol, src->port, dst->port);
		if (dst->edge)
			in = dst->edge->in_rows & edge_judge_in_rows(flow->protocol, dst->port);
	}
	if (!(out | in))
		return policy->unlisted == NF_EDGE_UNLISTED_PASS ?
		       edge_judge_pass(NF_EDGE_REASON_UNLISTED) :
		       edge_judge_drop(NF_EDGE_REASON_UNLISTED);
	enabled = (out | in) & policy->enabled;
	if (!enabled)
		return edge_judge_drop(NF_EDGE_REASON_DISABLED);

	/* who is listed matters where another row might be the first */
	any = enabled & policy->any;
	if (any && (any_will_do || !(enabled & (enabled - 1))))
		return edge_judge_accept(__ffs(any));
	listed = edge_judge_listed(policy, flow->family, out & enabled, dst) |
		 edge_judge_listed(policy, flow->family, in & enabled, src);
	if (listed)
		return edge_judge_accept(__ffs(listed));
	if (any)
		return edge_judge_accept(__ffs(any));
	return edge_judge_drop(NF_EDGE_REASON_NOT_LISTED);
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

/**
 * edge_judge - the verdict on a packet of a flow; edge_policy_judge() without a call
 * @policy: the policy
 * @flow: a recognised flow that is ours
 *
 * Return: as edge_policy_judge(), see there.
 */
static __always_inline struct edge_ruling edge_judge(const struct edge_policy *policy,
						     const struct edge_flow *flow)
{
	struct edge_ruling ruling;

	if (edge_judge_headers(flow, &ruling))
		return ruling;
	if (edge_judge_invalid_state(flow))
		return edge_judge_drop(NF_EDGE_REASON_INVALID_STATE);
	if (flow->kind == EDGE_KIND_ICMP_ERROR && flow->tracking == EDGE_TRACKING_UNASKED)
		return edge_judge_pass(NF_EDGE_REASON_COUNT);
	return edge_judge_rows(policy, flow, &flow->src, &flow->dst, false);
}

/**
 * edge_judge_alone - what can be said of a packet before connection tracking
 * @policy: the policy
 * @flow: a recognised flow, as edge_flow_read() read the packet
 *
 * As edge_judge(), but a TCP segment or UDP datagram that its own flow would have dropped
 * may belong to one that the other end opened: it is dropped only where that would be dropped,
 * too. Which of several rows admits a packet is not looked at.
 *
 * Context: RCU read side, any context.
 * Return: a drop with its reason, an accept by some row, or a pass.
 */
static __always_inline struct edge_ruling edge_judge_alone(const struct edge_policy *policy,
							   const struct edge_flow *flow)
{
	struct edge_ruling ruling, back;

	if (edge_judge_headers(flow, &ruling))
		return ruling;
	if (flow->kind == EDGE_KIND_ICMP_ERROR)
		return edge_judge_pass(NF_EDGE_REASON_COUNT);
	ruling = edge_judge_rows(policy, flow, &flow->src, &flow->dst, true);
	if (ruling.verdict != NF_EDGE_VERDICT_DROP ||
	    (flow->kind != EDGE_KIND_TCP && flow->kind != EDGE_KIND_UDP))
		return ruling;
	back = edge_judge_rows(policy, flow, &flow->dst, &flow->src, true);
	return back.verdict == NF_EDGE_VERDICT_DROP ? ruling : back;
}

#endif /* _EDGE_JUDGE_H */
