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
#include "events.h"
#include "flow.h"
#include "judge.h"

/* A partner is seen when a packet comes from it that a row admits because it is listed. */
static __always_inline void note_partner(const struct edge_policy *policy,
					 const struct edge_flow *flow, u8 row)
{
	const struct edge_end *sender = flow->reply ? &flow->dst : &flow->src;

	if (!(policy->any & BIT(row)) && edge_rows[row].outbound == flow->reply &&
	    flow->kind != EDGE_KIND_ICMP_ERROR)
		edge_prefix_note(policy->partners, flow->family, sender->addr,
				 BIT(edge_rows[row].group));
}

static noinline void tell(struct edge_net *edge, const struct edge_policy *policy,
			  const struct sk_buff *skb, const struct nf_hook_state *state,
			  enum nf_edge_reason reason, bool tracked);

/*
 * Counts a ruling and turns it into netfilter's verdict: the only place that does.
 * tracked: the second gate has made it.
 */
static __always_inline unsigned int settle(struct edge_net *edge, const struct edge_policy *policy,
					   const struct sk_buff *skb,
					   const struct nf_hook_state *state,
					   const struct edge_flow *flow, struct edge_ruling ruling,
					   bool tracked, bool opens)
{
	switch (ruling.verdict) {
	case NF_EDGE_VERDICT_ACCEPT:
		note_partner(policy, flow, ruling.row);
		edge_counters_add(&edge->counters, edge_slot_of_row(ruling.row), skb->len, opens);
		return NF_ACCEPT;
	case NF_EDGE_VERDICT_PASS:
		return NF_ACCEPT;
	default:
		edge_counters_add(&edge->counters, edge_slot_of_reason(ruling.reason), skb->len, 0);
		if (unlikely(edge_events_hear_drops(edge)))
			tell(edge, policy, skb, state, ruling.reason, tracked);
		return policy->mode == NF_EDGE_MODE_AUDIT ? NF_ACCEPT : NF_DROP;
	}
}

/*
 * Whether the packet alone decides that it is dropped. A SYN opens a flow, and what no row can
 * cover belongs to none; any other TCP or UDP packet may belong to a flow that address translation
 * changed, or that was admitted once: to be told by connection tracking, if that has an entry.
 * ruling: from edge_judge_alone().
 */
static __always_inline bool drops_alone(struct edge_ruling ruling, const struct edge_flow *flow,
					const struct sk_buff *skb, struct net *net)
{
	if (ruling.verdict != NF_EDGE_VERDICT_DROP)
		return false;
	if (!edge_judge_may_answer(flow))
		return true;
	if (ruling.reason == NF_EDGE_REASON_MALFORMED ||
	    ruling.reason == NF_EDGE_REASON_WRONG_DEVICE ||
	    ruling.reason == NF_EDGE_REASON_BLOCKED)
		return true;

	return !edge_flow_known(skb, net, flow->family);
}

/* Most of what passes a gateway is not ours, and is let go for two loads. */
static __always_inline bool may_be_ours(const struct edge_policy *policy, const struct sk_buff *skb,
					u8 family)
{
	return edge_policy_may_know(policy, family, edge_flow_src(skb, family)) ||
	       edge_policy_may_know(policy, family, edge_flow_dst(skb, family));
}

static bool is_edge(const void *policy, u8 family, const union nf_inet_addr *addr)
{
	return edge_policy_interface(policy, family, addr);
}

/*
 * Whether a source route or a routing header leads to an Edge address: where the packet goes in the
 * end, whatever its header says.
 */
static bool leads_to_edge(const struct edge_policy *policy, const struct sk_buff *skb,
			  const struct nf_hook_state *state)
{
	const struct edge_flow_place place = {
		.family = state->pf,
		.delivered = state->hook == NF_INET_LOCAL_IN,
		.dst = edge_flow_dst(skb, state->pf),
	};

	return !edge_flow_is_direct(skb, state->pf) &&
	       edge_flow_route_names(skb, &place, is_edge, policy);
}

static noinline unsigned int judge_alone_unusual(struct edge_net *edge,
						 const struct edge_policy *policy,
						 struct sk_buff *skb,
						 const struct nf_hook_state *state)
{
	struct edge_ruling ruling;
	struct edge_flow flow __unread;
	bool misled;

	if (policy->mode == NF_EDGE_MODE_OFF || !edge_flow_read(skb, state, &flow))
		return NF_ACCEPT;
	misled = leads_to_edge(policy, skb, state);
	if (!edge_policy_recognise(policy, &flow) && !misled)
		return NF_ACCEPT;
	flow.malformed |= misled;
	ruling = edge_policy_judge_alone(policy, &flow);
	if (!drops_alone(ruling, &flow, skb, state->net))
		return NF_ACCEPT;
	return settle(edge, policy, skb, state, &flow, ruling, false, false);
}

/* No Edge address is in the header. Apart: it must not burden the plain packets that are ours. */
static noinline unsigned int judge_alone_route(struct edge_net *edge,
					       const struct edge_policy *policy,
					       struct sk_buff *skb,
					       const struct nf_hook_state *state)
{
	return edge_flow_is_direct(skb, state->pf) ? NF_ACCEPT :
						     judge_alone_unusual(edge, policy, skb, state);
}

/* For each family a copy of its own, which need not ask; nor what is blocked, where nothing is. */
static __always_inline unsigned int judge_alone(struct edge_net *edge,
						const struct edge_policy *policy,
						struct sk_buff *skb,
						const struct nf_hook_state *state, u8 family,
						bool blocks)
{
	struct edge_ruling ruling;
	struct edge_flow flow __unread;
	int groups = EDGE_JUDGE_ASK;

	edge_flow_begin(skb, state, state->out, family, &flow);
	if (!edge_policy_recognise(policy, &flow))
		return judge_alone_route(edge, policy, skb, state);
	if (!edge_flow_read_plain(skb, state, family, &flow))
		return judge_alone_unusual(edge, policy, skb, state);
	if (blocks)
		groups = edge_judge_unblocked(policy, &flow);
	if (groups == EDGE_POLICY_BLOCKED)
		return judge_alone_unusual(edge, policy, skb, state);
	ruling = edge_judge_alone(policy, &flow, groups);
	if (unlikely(ruling.verdict == EDGE_JUDGE_TURNED))
		return judge_alone_unusual(edge, policy, skb, state);
	if (!drops_alone(ruling, &flow, skb, state->net))
		return NF_ACCEPT;
	return settle(edge, policy, skb, state, &flow, ruling, false, false);
}

static noinline unsigned int judge_alone_ipv4(struct edge_net *edge,
					      const struct edge_policy *policy,
					      struct sk_buff *skb,
					      const struct nf_hook_state *state)
{
	return judge_alone(edge, policy, skb, state, NFPROTO_IPV4, false);
}

static noinline unsigned int judge_alone_ipv6(struct edge_net *edge,
					      const struct edge_policy *policy,
					      struct sk_buff *skb,
					      const struct nf_hook_state *state)
{
	return judge_alone(edge, policy, skb, state, NFPROTO_IPV6, false);
}

/* In another mode, or while something is blocked. */
static noinline unsigned int judge_alone_asking(struct edge_net *edge,
						const struct edge_policy *policy,
						struct sk_buff *skb,
						const struct nf_hook_state *state)
{
	if (policy->plain[EDGE_GATE_FIRST] == EDGE_PLAIN_NONE)
		return judge_alone_unusual(edge, policy, skb, state);
	return state->pf == NFPROTO_IPV4 ?
	       judge_alone(edge, policy, skb, state, NFPROTO_IPV4, true) :
	       judge_alone(edge, policy, skb, state, NFPROTO_IPV6, true);
}

static bool is_any(const void *data, u8 family, const union nf_inet_addr *addr)
{
	return true;
}

/*
 * Whether the first gate found that the packet leads to an Edge address. By now the kernel may have
 * followed its routing header and sent it on: then it goes to another destination than its
 * connection, or has none, because its checksum is that of its last destination.
 */
static bool led_to_edge(const struct edge_policy *policy, const struct edge_flow *packet,
			const struct edge_flow *received, const struct sk_buff *skb,
			const struct nf_hook_state *state, const struct nf_conn *ct)
{
	const bool translated = ct && ct->status & IPS_NAT_MASK;
	struct edge_flow_place place = { .family = packet->family, .dst = packet->dst.addr };

	if (edge_flow_is_direct(skb, packet->family))
		return false;
	if (translated)
		place.dst = received->dst.addr;
	if (edge_flow_route_names(skb, &place, is_edge, policy))
		return true;
	place.followed = state->hook == NF_INET_FORWARD && packet->dst.edge && !translated &&
			 (!ct || !edge_address_equal(packet->family, packet->dst.addr,
						     received->dst.addr));
	return place.followed && edge_flow_route_names(skb, &place, is_any, NULL);
}

/* In audit the first gate counts a drop and lets the packet on: not to be counted twice. */
static bool counted_before(const struct edge_policy *policy, const struct edge_flow *packet,
			   const struct sk_buff *skb, const struct nf_hook_state *state,
			   const struct nf_conn *ct, enum ip_conntrack_info ctinfo)
{
	struct edge_flow flow = *packet;

	if (edge_flow_is_loopback(state->in))
		return false;
	if (state->hook == NF_INET_LOCAL_IN) {	/* what delivery misreads was not malformed then */
		struct nf_hook_state before = *state;

		before.hook = NF_INET_PRE_ROUTING;
		if (!edge_flow_read(skb, &before, &flow))
			return false;
	}
	if (ct && flow.kind != EDGE_KIND_ICMP_ERROR && flow.kind != EDGE_KIND_OTHER)
		edge_flow_as_received(ct, ctinfo, &flow);
	if (led_to_edge(policy, packet, &flow, skb, state, ct))
		return true;
	if (state->in)
		flow.out = NULL;	/* not known before routing */
	return edge_policy_recognise(policy, &flow) &&
	       drops_alone(edge_policy_judge_alone(policy, &flow), &flow, skb, state->net);
}

/* The packet's connection, or NULL: a template is none. */
static __always_inline const struct nf_conn *connection_of(const struct sk_buff *skb,
							   enum ip_conntrack_info *ctinfo)
{
	const struct nf_conn *ct = nf_ct_get(skb, ctinfo);

	return ct && !nf_ct_is_template(ct) ? ct : NULL;
}

static __always_inline bool is_related(enum ip_conntrack_info ctinfo)
{
	return BIT(ctinfo) & (BIT(IP_CT_RELATED) | BIT(IP_CT_RELATED_REPLY));
}

/* The flow may have other ends than the packet carries. */
static __always_inline bool flow_differs(const struct nf_conn *ct, enum ip_conntrack_info ctinfo)
{
	return ct && (ct->status & IPS_NAT_MASK || is_related(ctinfo));
}

/* As flow_differs(), for what is not ours: true of a template too, which is worth no test here. */
static __always_inline bool may_differ(const struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (!ct)
		return false;
	if (unlikely(ct->status & (IPS_NAT_MASK | IPS_TEMPLATE)))
		return true;
	return unlikely(is_related(ctinfo));
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
	return flow->kind != EDGE_KIND_ICMP_ERROR && (flow->src.edge || flow->dst.edge);
}

static __always_inline bool is_reply(enum ip_conntrack_info ctinfo, const struct edge_flow *flow)
{
	return CTINFO2DIR(ctinfo) == IP_CT_DIR_REPLY && flow->kind != EDGE_KIND_TCP_SYN;
}

static bool find_flow(const struct edge_policy *policy, const struct nf_conn *ct,
		      enum ip_conntrack_info ctinfo, struct edge_flow *flow)
{
	flow->tracking = EDGE_TRACKING_NONE;
	if (!ct)
		return true;
	if (flow_differs(ct, ctinfo) || !edge_flow_is_own(ct, ctinfo, flow))
		return find_changed_flow(policy, ct, ctinfo, flow);
	flow->tracking = edge_flow_tracking(ct);
	if (is_reply(ctinfo, flow))
		edge_flow_turn(flow);
	return true;
}

/*
 * The listeners hear of a drop, if it is one of the few: of the flow by which it was judged, which
 * is read anew, so that who judges need keep nothing for them.
 */
static noinline void tell(struct edge_net *edge, const struct edge_policy *policy,
			  const struct sk_buff *skb, const struct nf_hook_state *state,
			  enum nf_edge_reason reason, bool tracked)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = connection_of(skb, &ctinfo);
	struct edge_flow flow __unread;

	if (!edge_events_may_tell(edge, reason) || !edge_flow_read(skb, state, &flow))
		return;
	edge_policy_recognise(policy, &flow);
	if (!tracked || find_flow(policy, ct, ctinfo, &flow))
		edge_events_drop(edge, policy, &flow, reason);
}

static noinline unsigned int judge_unusual(struct edge_net *edge, const struct edge_policy *policy,
					   struct sk_buff *skb, const struct nf_hook_state *state,
					   const struct nf_conn *ct, enum ip_conntrack_info ctinfo)
{
	struct edge_flow flow __unread;
	bool misled, opens;

	if (policy->mode == NF_EDGE_MODE_OFF || !edge_flow_read(skb, state, &flow))
		return NF_ACCEPT;
	misled = leads_to_edge(policy, skb, state);
	if (!edge_policy_recognise(policy, &flow) && !misled && !flow_differs(ct, ctinfo))
		return NF_ACCEPT;
	if (policy->mode == NF_EDGE_MODE_AUDIT &&
	    counted_before(policy, &flow, skb, state, ct, ctinfo))
		return NF_ACCEPT;
	if (misled)	/* whose flow it is does not matter; it is told as the packet's own */
		return settle(edge, policy, skb, state, &flow,
			      edge_judge_drop(NF_EDGE_REASON_MALFORMED), false, false);

	if (!find_flow(policy, ct, ctinfo, &flow))
		return NF_ACCEPT;
	opens = flow.tracking == EDGE_TRACKING_NEW && flow.kind != EDGE_KIND_ICMP_ERROR;
	return settle(edge, policy, skb, state, &flow, edge_policy_judge(policy, &flow), true,
		      opens);
}

/* As judge_alone_route(). */
static noinline unsigned int judge_tracked_route(struct edge_net *edge,
						 const struct edge_policy *policy,
						 struct sk_buff *skb,
						 const struct nf_hook_state *state,
						 const struct nf_conn *ct,
						 enum ip_conntrack_info ctinfo)
{
	return edge_flow_is_direct(skb, state->pf) ?
	       NF_ACCEPT : judge_unusual(edge, policy, skb, state, ct, ctinfo);
}

static __always_inline unsigned int judge_tracked(struct edge_net *edge,
						  const struct edge_policy *policy,
						  struct sk_buff *skb,
						  const struct nf_hook_state *state, u8 family,
						  const struct nf_conn *ct,
						  enum ip_conntrack_info ctinfo, bool blocks)
{
	struct edge_ruling ruling;
	struct edge_flow flow __unread;
	int groups = EDGE_JUDGE_ASK;

	if (!ct || flow_differs(ct, ctinfo))
		return judge_unusual(edge, policy, skb, state, ct, ctinfo);
	edge_flow_begin(skb, state, state->out, family, &flow);
	if (!edge_policy_recognise(policy, &flow))
		return judge_tracked_route(edge, policy, skb, state, ct, ctinfo);
	if (!edge_flow_read_plain(skb, state, family, &flow) ||
	    !edge_flow_is_own(ct, ctinfo, &flow))
		return judge_unusual(edge, policy, skb, state, ct, ctinfo);
	if (blocks)
		groups = edge_judge_unblocked(policy, &flow);
	if (groups == EDGE_POLICY_BLOCKED)
		return judge_unusual(edge, policy, skb, state, ct, ctinfo);

	flow.tracking = edge_flow_tracking(ct);
	if (is_reply(ctinfo, &flow)) {	/* judged apart: each knows its direction */
		edge_flow_turn(&flow);
		ruling = edge_judge(policy, &flow, groups);
		if (unlikely(ruling.verdict == EDGE_JUDGE_TURNED))
			return judge_unusual(edge, policy, skb, state, ct, ctinfo);
		return settle(edge, policy, skb, state, &flow, ruling, true,
			      flow.tracking == EDGE_TRACKING_NEW);
	}
	ruling = edge_judge(policy, &flow, groups);
	if (unlikely(ruling.verdict == EDGE_JUDGE_TURNED))
		return judge_unusual(edge, policy, skb, state, ct, ctinfo);
	return settle(edge, policy, skb, state, &flow, ruling, true,
		      flow.tracking == EDGE_TRACKING_NEW);
}

static noinline unsigned int judge_tracked_ipv4(struct edge_net *edge,
						const struct edge_policy *policy,
						struct sk_buff *skb,
						const struct nf_hook_state *state,
						const struct nf_conn *ct,
						enum ip_conntrack_info ctinfo)
{
	return judge_tracked(edge, policy, skb, state, NFPROTO_IPV4, ct, ctinfo, false);
}

static noinline unsigned int judge_tracked_ipv6(struct edge_net *edge,
						const struct edge_policy *policy,
						struct sk_buff *skb,
						const struct nf_hook_state *state,
						const struct nf_conn *ct,
						enum ip_conntrack_info ctinfo)
{
	return judge_tracked(edge, policy, skb, state, NFPROTO_IPV6, ct, ctinfo, false);
}

/* As judge_alone_asking(). */
static noinline unsigned int judge_tracked_asking(struct edge_net *edge,
						  const struct edge_policy *policy,
						  struct sk_buff *skb,
						  const struct nf_hook_state *state,
						  const struct nf_conn *ct,
						  enum ip_conntrack_info ctinfo)
{
	if (policy->plain[EDGE_GATE_SECOND] == EDGE_PLAIN_NONE)
		return judge_unusual(edge, policy, skb, state, ct, ctinfo);
	return state->pf == NFPROTO_IPV4 ?
	       judge_tracked(edge, policy, skb, state, NFPROTO_IPV4, ct, ctinfo, true) :
	       judge_tracked(edge, policy, skb, state, NFPROTO_IPV6, ct, ctinfo, true);
}

static unsigned int first_gate(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct edge_net *edge = priv;
	const struct edge_policy *policy = rcu_dereference(edge->policy);

	if (!may_be_ours(policy, skb, state->pf) && edge_flow_is_direct(skb, state->pf))
		return NF_ACCEPT;
	if (unlikely(policy->plain[EDGE_GATE_FIRST] != EDGE_PLAIN_ALL))
		return judge_alone_asking(edge, policy, skb, state);
	return state->pf == NFPROTO_IPV4 ? judge_alone_ipv4(edge, policy, skb, state) :
					   judge_alone_ipv6(edge, policy, skb, state);
}

static __always_inline unsigned int pass_second(struct edge_net *edge, struct sk_buff *skb,
						const struct nf_hook_state *state, u8 family)
{
	const struct edge_policy *policy = rcu_dereference(edge->policy);
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct;

	if (!may_be_ours(policy, skb, family) && edge_flow_is_direct(skb, family) &&
	    !may_differ(skb))
		return NF_ACCEPT;
	ct = connection_of(skb, &ctinfo);
	if (unlikely(policy->plain[EDGE_GATE_SECOND] != EDGE_PLAIN_ALL))
		return judge_tracked_asking(edge, policy, skb, state, ct, ctinfo);
	return family == NFPROTO_IPV4 ?
	       judge_tracked_ipv4(edge, policy, skb, state, ct, ctinfo) :
	       judge_tracked_ipv6(edge, policy, skb, state, ct, ctinfo);
}

static unsigned int second_gate(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return state->pf == NFPROTO_IPV4 ? pass_second(priv, skb, state, NFPROTO_IPV4) :
					   pass_second(priv, skb, state, NFPROTO_IPV6);
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
