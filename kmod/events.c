// SPDX-License-Identifier: GPL-2.0-only
#include "events.h"

#include <linux/audit.h>
#include <linux/in.h>
#include <linux/module.h>

/* Of a request, at most: a port map and something beside it, or some hundred partners. */
#define COPY_MAX	(NF_EDGE_PORT_MAP_BYTES + 512)
#define OWN_ROOM	(13 * nla_total_size(sizeof(u32)) + nla_total_size(TASK_COMM_LEN))

const struct genl_multicast_group edge_events_groups[EDGE_EVENTS_GROUP_COUNT] = {
	[EDGE_EVENTS_CONFIG] = { .name = NF_EDGE_MCGRP_CONFIG },
	/* who speaks with whom is not everybody's business */
	[EDGE_EVENTS_DROPS] = { .name = NF_EDGE_MCGRP_DROPS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

/*
 * What was asked for: every command's policy has let it through. A commit's own GENERATION and
 * CONFIRM are not what came of it.
 */
static bool copy_request(struct sk_buff *msg, const struct genl_info *info)
{
	const struct nlattr *attr;
	int rem;

	nla_for_each_attr(attr, genlmsg_data(info->genlhdr), genlmsg_len(info->genlhdr), rem)
		if (nla_type(attr) != NF_EDGE_A_GENERATION &&
		    nla_type(attr) != NF_EDGE_A_CONFIRM &&
		    nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr)))
			return false;
	return true;
}

static bool put_settings(struct sk_buff *msg, const struct edge_policy *policy)
{
	return !nla_put_u32(msg, NF_EDGE_A_MODE, policy->mode) &&
	       !nla_put_u32(msg, NF_EDGE_A_UNLISTED, policy->unlisted) &&
	       !nla_put_u32(msg, NF_EDGE_A_RTP_MATCH, policy->rtp_match);
}

/* Who makes the request: netlink serves it in its sender's own context. */
static bool put_sender(struct sk_buff *msg, const struct edge_net *edge)
{
	struct user_namespace *users = edge->net->user_ns;
	const kuid_t login = audit_get_loginuid(current);
	char name[TASK_COMM_LEN];

	BUILD_BUG_ON(sizeof(name) - 1 > NF_EDGE_PROCESS_MAX);
	return !nla_put_string(msg, NF_EDGE_A_PROCESS, get_task_comm(name, current)) &&
	       !nla_put_u32(msg, NF_EDGE_A_PID, task_tgid_nr(current)) &&
	       !nla_put_u32(msg, NF_EDGE_A_USER, from_kuid_munged(users, current_uid())) &&
	       (!uid_valid(login) ||
		!nla_put_u32(msg, NF_EDGE_A_LOGIN, from_kuid_munged(users, login)));
}

static bool put_change(struct sk_buff *msg, struct edge_net *edge, u8 cmd,
		       const struct genl_info *info, bool copy)
{
	const struct edge_policy *policy = edge_config_policy(edge);
	u32 entries = info ? edge_netlink_count_entries(info) : 0;
	bool whole = cmd == NF_EDGE_CMD_COMMIT || cmd == NF_EDGE_CMD_REVERT ||
		     cmd == NF_EDGE_CMD_UNDO;
	int left = edge_config_seconds_left(edge);

	return !nla_put_u32(msg, NF_EDGE_A_COMMAND, cmd) &&
	       !nla_put_u32(msg, NF_EDGE_A_GENERATION, edge->generation) &&
	       !nla_put_u32(msg, NF_EDGE_A_INTERFACES, edge_config_interface_pairs(policy)) &&
	       !nla_put_u32(msg, NF_EDGE_A_PARTNERS, policy->partners->count) &&
	       !nla_put_u32(msg, NF_EDGE_A_BLOCKS, edge_blocks_count(policy->blocks)) &&
	       (left < 0 || !nla_put_u32(msg, NF_EDGE_A_CONFIRM, left)) &&
	       (!entries || !nla_put_u32(msg, NF_EDGE_A_ENTRIES, entries)) &&
	       (!whole || put_settings(msg, policy)) &&
	       (!info || put_sender(msg, edge)) &&
	       (!copy || copy_request(msg, info));
}

/* info: NULL for what came of itself */
static struct sk_buff *config_message(struct edge_net *edge, u8 cmd, const struct genl_info *info)
{
	bool copy = info && genlmsg_len(info->genlhdr) <= COPY_MAX;
	struct sk_buff *msg;
	void *header;

	msg = genlmsg_new(OWN_ROOM + (copy ? genlmsg_len(info->genlhdr) : 0), GFP_KERNEL);
	if (!msg)
		return NULL;
	header = genlmsg_put(msg, 0, 0, &edge_netlink_family, 0, NF_EDGE_CMD_CONFIG_NTF);
	if (!header || WARN_ON_ONCE(!put_change(msg, edge, cmd, info, copy))) {
		nlmsg_free(msg);
		return NULL;
	}
	genlmsg_end(msg, header);
	return msg;
}

static void tell(struct edge_net *edge, u8 cmd, const struct genl_info *info)
{
	struct sk_buff *msg;

	lockdep_assert_held(&edge->commit_mutex);
	if (!genl_has_listeners(&edge_netlink_family, edge->net, EDGE_EVENTS_CONFIG))
		return;
	msg = config_message(edge, cmd, info);
	if (msg)
		genlmsg_multicast_netns(&edge_netlink_family, edge->net, msg, 0,
					EDGE_EVENTS_CONFIG, GFP_KERNEL);
	else
		genl_set_err(&edge_netlink_family, edge->net, 0, EDGE_EVENTS_CONFIG, -ENOBUFS);
}

void edge_events_config(struct edge_net *edge, const struct genl_info *info)
{
	tell(edge, info->genlhdr->cmd, info);
}

/* No request keeps the family here: it may be gone already while the module is unloaded. */
void edge_events_by_itself(struct edge_net *edge, u8 cmd)
{
	if (!try_module_get(THIS_MODULE))
		return;
	tell(edge, cmd, NULL);
	module_put(THIS_MODULE);
}

/* Drops */

#define DROPS_A_SECOND	20	/* of each reason; the uapi header tells it */
#define DROP_ROOM	(7 * nla_total_size(sizeof(u32)) + nla_total_size(0) +	\
			 2 * nla_total_size(sizeof(struct in6_addr)) +		\
			 2 * nla_total_size(IFNAMSIZ))

/* A second begins with the first that comes after the last one; who begins it, need not wait. */
static bool may_tell(struct edge_told *told)
{
	unsigned long since = READ_ONCE(told->since), now = jiffies;

	if (now - since >= HZ && cmpxchg(&told->since, since, now) == since)
		atomic_set(&told->told, 0);
	return atomic_inc_return(&told->told) <= DROPS_A_SECOND;
}

/* The first row that says so of the flow, or NF_EDGE_ROW_COUNT. */
static enum nf_edge_row first_found(const struct edge_policy *policy, const struct edge_flow *flow,
				    enum nf_edge_finding finding)
{
	enum nf_edge_row row;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++)
		if (edge_policy_consider(policy, flow, row) == finding)
			break;
	return row;
}

static enum nf_edge_row failed_at(const struct edge_policy *policy, const struct edge_flow *flow,
				  enum nf_edge_reason reason)
{
	switch (reason) {
	case NF_EDGE_REASON_NOT_LISTED:
		return first_found(policy, flow, NF_EDGE_FINDING_NOT_LISTED);
	case NF_EDGE_REASON_DISABLED:
		return first_found(policy, flow, NF_EDGE_FINDING_DISABLED);
	default:
		return NF_EDGE_ROW_COUNT;
	}
}

static bool put_address(struct sk_buff *msg, int attr, u8 family, const union nf_inet_addr *addr)
{
	return !nla_put(msg, attr, family == NFPROTO_IPV4 ? 4 : 16, addr);
}

/* What has no ports may still have numbers in their place. */
static bool put_ports(struct sk_buff *msg, const struct edge_flow *flow)
{
	if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP)
		return true;
	return (!flow->src.port || !nla_put_u32(msg, NF_EDGE_A_SPORT, flow->src.port)) &&
	       (!flow->dst.port || !nla_put_u32(msg, NF_EDGE_A_DPORT, flow->dst.port));
}

static bool put_flow(struct sk_buff *msg, const struct edge_flow *flow)
{
	return put_address(msg, NF_EDGE_A_SOURCE, flow->family, flow->src.addr) &&
	       put_address(msg, NF_EDGE_A_DESTINATION, flow->family, flow->dst.addr) &&
	       (!flow->protocol || !nla_put_u32(msg, NF_EDGE_A_PROTOCOL, flow->protocol)) &&
	       put_ports(msg, flow) &&
	       (!flow->in || !nla_put_string(msg, NF_EDGE_A_IIF, flow->in)) &&
	       (!flow->out || !nla_put_string(msg, NF_EDGE_A_OIF, flow->out)) &&
	       (!flow->reply || !nla_put_flag(msg, NF_EDGE_A_REPLY));
}

static bool put_drop(struct sk_buff *msg, const struct edge_policy *policy,
		     const struct edge_flow *flow, enum nf_edge_reason reason, u32 left_out)
{
	enum nf_edge_row row = failed_at(policy, flow, reason);

	return !nla_put_u32(msg, NF_EDGE_A_REASON, reason) &&
	       !nla_put_u32(msg, NF_EDGE_A_MODE, policy->mode) &&
	       !nla_put_u32(msg, NF_EDGE_A_LEFT_OUT, left_out) &&
	       put_flow(msg, flow) &&
	       (row == NF_EDGE_ROW_COUNT || !nla_put_u32(msg, NF_EDGE_A_ROW, row));
}

static struct sk_buff *drop_message(const struct edge_policy *policy, const struct edge_flow *flow,
				    enum nf_edge_reason reason, u32 left_out)
{
	struct sk_buff *msg = genlmsg_new(DROP_ROOM, GFP_ATOMIC | __GFP_NOWARN);
	void *header;

	if (!msg)
		return NULL;
	header = genlmsg_put(msg, 0, 0, &edge_netlink_family, 0, NF_EDGE_CMD_DROP_NTF);
	if (!header || WARN_ON_ONCE(!put_drop(msg, policy, flow, reason, left_out))) {
		nlmsg_free(msg);
		return NULL;
	}
	genlmsg_end(msg, header);
	return msg;
}

bool edge_events_may_tell(struct edge_net *edge, enum nf_edge_reason reason)
{
	struct edge_told *told = &edge->told[reason];

	if (may_tell(told))
		return true;
	atomic_inc(&told->left_out);
	return false;
}

/*
 * Whoever joined the group did so in another namespace. Nobody was told, and nobody left out; the
 * rest of this tick is as if nobody listened anywhere. Of a listener here whose socket is full this
 * is said too: its socket tells it that it lost something.
 */
static void nobody_heard(struct edge_net *edge, struct edge_told *told)
{
	atomic_dec(&told->told);
	atomic_set(&told->left_out, 0);
	WRITE_ONCE(edge->unheard, jiffies);
}

void edge_events_drop(struct edge_net *edge, const struct edge_policy *policy,
		      const struct edge_flow *flow, enum nf_edge_reason reason)
{
	struct edge_told *told = &edge->told[reason];
	struct sk_buff *msg;
	u32 left_out;

	if (!try_module_get(THIS_MODULE))	/* as above */
		return;
	left_out = atomic_xchg(&told->left_out, 0);
	msg = drop_message(policy, flow, reason, left_out);
	if (!msg)
		atomic_add(left_out + 1, &told->left_out);
	else if (genlmsg_multicast_netns(&edge_netlink_family, edge->net, msg, 0,
					 EDGE_EVENTS_DROPS, GFP_ATOMIC) == -ESRCH)
		nobody_heard(edge, told);
	module_put(THIS_MODULE);
}
