// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two gates. The first, after defragmentation and before connection
 * tracking, drops what is certain to be dropped, so that a flood costs nothing.
 * The second, at filter priority, judges every packet by its flow's opener.
 */
#include "hook.h"

#include <linux/netfilter_ipv4.h>
#include <net/netfilter/nf_conntrack.h>

#include "config.h"
#include "flow.h"

/* Counts a ruling and turns it into netfilter's verdict: the only place that does. */
static unsigned int settle(struct edge_net *edge, const struct edge_policy *policy,
			   const struct sk_buff *skb, struct edge_ruling ruling, bool opens)
{
	switch (ruling.verdict) {
	case NF_EDGE_VERDICT_ACCEPT:
		edge_counters_add(&edge->counters, edge_slot_of_row(ruling.row), skb->len, opens);
		return NF_ACCEPT;
	case NF_EDGE_VERDICT_PASS:
		return NF_ACCEPT;
	default:
		edge_counters_add(&edge->counters, edge_slot_of_reason(ruling.reason), skb->len, 0);
		return policy->mode == NF_EDGE_MODE_AUDIT ? NF_ACCEPT : NF_DROP;
	}
}

static struct edge_flow reversed(const struct edge_flow *flow)
{
	struct edge_flow back = *flow;

	back.src = flow->dst;
	back.dst = flow->src;
	back.sport = flow->dport;
	back.dport = flow->sport;
	back.src_edge = flow->dst_edge;
	back.dst_edge = flow->src_edge;
	back.reply = !flow->reply;
	return back;
}

static noinline bool drops_reversed(const struct edge_policy *policy, const struct edge_flow *flow)
{
	const struct edge_flow back = reversed(flow);

	return edge_policy_judge(policy, &back).verdict == NF_EDGE_VERDICT_DROP;
}

/*
 * Whether the packet alone decides that it is dropped. A SYN opens a flow, and
 * what no row can cover belongs to none; any other TCP or UDP packet may belong
 * to a flow that the other end opened, or that address translation changed.
 * Where it may be a reply of an admitted flow, connection tracking is left to
 * tell; only else is the entry looked for.
 */
static bool drops_alone(const struct edge_policy *policy, const struct edge_flow *flow,
			const struct sk_buff *skb, struct net *net, struct edge_ruling *ruling)
{
	*ruling = edge_policy_judge(policy, flow);
	if (ruling->verdict != NF_EDGE_VERDICT_DROP)
		return false;
	if (ruling->reason == NF_EDGE_REASON_MALFORMED ||
	    ruling->reason == NF_EDGE_REASON_WRONG_DEVICE)
		return true;
	if (flow->kind != EDGE_KIND_TCP && flow->kind != EDGE_KIND_UDP)
		return true;

	return drops_reversed(policy, flow) && !edge_flow_known(skb, net, flow);
}

/* Most of what passes a gateway is not ours, and is let go for two loads. */
static __always_inline bool may_be_ours(const struct edge_policy *policy, const struct sk_buff *skb,
					u8 family)
{
	return edge_policy_may_know(policy, edge_flow_src_word(skb, family)) ||
	       edge_policy_may_know(policy, edge_flow_dst_word(skb, family));
}

static noinline unsigned int judge_alone(struct edge_net *edge, const struct edge_policy *policy,
					 struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct edge_ruling ruling;
	struct edge_flow flow;

	edge_flow_read_addresses(skb, state->pf, &flow);
	if (!edge_policy_recognise(policy, &flow) || policy->mode == NF_EDGE_MODE_OFF ||
	    !edge_flow_read_devices(skb, state, &flow))
		return NF_ACCEPT;

	edge_flow_read_transport(skb, &flow);
	if (!drops_alone(policy, &flow, skb, state->net, &ruling))
		return NF_ACCEPT;
	return settle(edge, policy, skb, ruling, false);
}

static unsigned int first_gate(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct edge_net *edge = priv;
	const struct edge_policy *policy = rcu_dereference(edge->policy);

	if (!may_be_ours(policy, skb, state->pf))
		return NF_ACCEPT;
	return judge_alone(edge, policy, skb, state);
}

/* In audit the first gate counts a drop and lets the packet on: not to be counted twice. */
static bool counted_before(const struct edge_policy *policy, const struct edge_flow *packet,
			   const struct sk_buff *skb, const struct nf_hook_state *state,
			   const struct nf_conn *ct, enum ip_conntrack_info ctinfo)
{
	struct edge_flow flow = *packet;
	struct edge_ruling ruling;

	if (ct && flow.kind != EDGE_KIND_ICMP_ERROR && flow.kind != EDGE_KIND_OTHER)
		edge_flow_as_received(ct, ctinfo, &flow);
	if (state->in)
		flow.out = NULL;	/* not known before routing */
	return edge_policy_recognise(policy, &flow) &&
	       drops_alone(policy, &flow, skb, state->net, &ruling);
}

/* The flow may have other ends than the packet carries. */
static bool flow_differs(const struct nf_conn *ct, enum ip_conntrack_info ctinfo)
{
	return ct && (ct->status & IPS_NAT_MASK ||
		      ctinfo == IP_CT_RELATED || ctinfo == IP_CT_RELATED_REPLY);
}

/* The form before the destination was translated first, then the one after it. */
static bool recognise_tracked(const struct edge_policy *policy, const struct nf_conn *ct,
			      enum ip_conntrack_info ctinfo, struct edge_flow *flow)
{
	edge_flow_track(ct, ctinfo, false, flow);
	if (edge_policy_recognise(policy, flow))
		return true;
	edge_flow_track(ct, ctinfo, true, flow);
	return edge_policy_recognise(policy, flow);
}

/*
 * The flow of a packet, from connection tracking where that has one. A packet that
 * carries an Edge address, and whose connection has none, was rewritten behind
 * tracking's back: tracking knows nothing of it. An ICMP error may well come from
 * an Edge address and be about a flow that is not ours.
 */
static noinline bool find_changed_flow(const struct edge_policy *policy, const struct nf_conn *ct,
				       enum ip_conntrack_info ctinfo, struct edge_flow *flow)
{
	const struct edge_flow packet = *flow;

	if (recognise_tracked(policy, ct, ctinfo, flow))
		return true;
	*flow = packet;
	return flow->kind != EDGE_KIND_ICMP_ERROR && (flow->src_edge || flow->dst_edge);
}

static bool find_flow(const struct edge_policy *policy, const struct nf_conn *ct,
		      enum ip_conntrack_info ctinfo, struct edge_flow *flow)
{
	flow->tracking = EDGE_TRACKING_NONE;
	if (!ct)
		return true;
	if (!flow_differs(ct, ctinfo) && edge_flow_join(ct, ctinfo, flow))
		return true;
	return find_changed_flow(policy, ct, ctinfo, flow);
}

static noinline unsigned int judge_tracked(struct edge_net *edge, const struct edge_policy *policy,
					   struct sk_buff *skb, const struct nf_hook_state *state,
					   const struct nf_conn *ct, enum ip_conntrack_info ctinfo)
{
	struct edge_flow flow;
	bool opens;

	edge_flow_read_addresses(skb, state->pf, &flow);
	if (!edge_policy_recognise(policy, &flow) && !flow_differs(ct, ctinfo))
		return NF_ACCEPT;
	if (policy->mode == NF_EDGE_MODE_OFF || !edge_flow_read_devices(skb, state, &flow))
		return NF_ACCEPT;

	edge_flow_read_transport(skb, &flow);
	if (policy->mode == NF_EDGE_MODE_AUDIT &&
	    counted_before(policy, &flow, skb, state, ct, ctinfo))
		return NF_ACCEPT;

	if (!find_flow(policy, ct, ctinfo, &flow))
		return NF_ACCEPT;
	opens = flow.tracking == EDGE_TRACKING_NEW && flow.kind != EDGE_KIND_ICMP_ERROR;
	return settle(edge, policy, skb, edge_policy_judge(policy, &flow), opens);
}

static unsigned int second_gate(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct edge_net *edge = priv;
	const struct edge_policy *policy = rcu_dereference(edge->policy);
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (ct && nf_ct_is_template(ct))
		ct = NULL;
	if (!may_be_ours(policy, skb, state->pf) && !flow_differs(ct, ctinfo))
		return NF_ACCEPT;
	return judge_tracked(edge, policy, skb, state, ct, ctinfo);
}

/* Right after defragmentation, ahead of whatever else might spend time on a stranger. */
#define FIRST_GATE	(NF_IP_PRI_CONNTRACK_DEFRAG + 1)
#define SECOND_GATE	NF_IP_PRI_FILTER

#define GATE(function, where, prio) \
	{ .hook = (function), .pf = NFPROTO_INET, .hooknum = NF_INET_##where, .priority = (prio) }

static const struct nf_hook_ops gates[EDGE_GATES] = {
	GATE(first_gate,  PRE_ROUTING, FIRST_GATE),
	GATE(first_gate,  LOCAL_OUT,   FIRST_GATE),
	GATE(second_gate, LOCAL_IN,    SECOND_GATE),
	GATE(second_gate, FORWARD,     SECOND_GATE),
	GATE(second_gate, LOCAL_OUT,   SECOND_GATE),
};

/* Tracking first: a gate must not see a packet that nobody tracked. */
int edge_hook_register(struct edge_net *edge)
{
	int err = nf_ct_netns_get(edge->net, NFPROTO_INET);
	int i;

	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(gates); i++) {
		edge->gates[i] = gates[i];
		edge->gates[i].priv = edge;
	}
	err = nf_register_net_hooks(edge->net, edge->gates, ARRAY_SIZE(gates));
	if (err)
		nf_ct_netns_put(edge->net, NFPROTO_INET);
	return err;
}

void edge_hook_unregister(struct edge_net *edge)
{
	nf_unregister_net_hooks(edge->net, edge->gates, ARRAY_SIZE(gates));
	nf_ct_netns_put(edge->net, NFPROTO_INET);
}
