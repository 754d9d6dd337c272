// SPDX-License-Identifier: GPL-2.0-only
#include "events.h"

#include "netlink.h"

/* Of a request, at most: a port map and something beside it, or some hundred partners. */
#define COPY_MAX	(NF_EDGE_PORT_MAP_BYTES + 512)
#define OWN_ROOM	(8 * nla_total_size(sizeof(u32)))

const struct genl_multicast_group edge_events_groups[EDGE_EVENTS_GROUP_COUNT] = {
	[EDGE_EVENTS_CONFIG] = { .name = NF_EDGE_MCGRP_CONFIG },
};

/* What was asked for. A commit's own GENERATION is not the one that came of it. */
static bool copy_request(struct sk_buff *msg, const struct genl_info *info)
{
	const struct nlattr *attr;
	int rem;

	nla_for_each_attr(attr, genlmsg_data(info->genlhdr), genlmsg_len(info->genlhdr), rem)
		if (nla_type(attr) != NF_EDGE_A_GENERATION &&
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

static bool put_change(struct sk_buff *msg, struct edge_net *edge, const struct genl_info *info,
		       bool copy)
{
	const struct edge_policy *policy = edge_config_policy(edge);
	u32 entries = edge_netlink_count_entries(info);
	u8 cmd = info->genlhdr->cmd;

	return !nla_put_u32(msg, NF_EDGE_A_COMMAND, cmd) &&
	       !nla_put_u32(msg, NF_EDGE_A_GENERATION, edge->generation) &&
	       !nla_put_u32(msg, NF_EDGE_A_INTERFACES, edge_config_interface_pairs(policy)) &&
	       !nla_put_u32(msg, NF_EDGE_A_PARTNERS, policy->partners->count) &&
	       (!entries || !nla_put_u32(msg, NF_EDGE_A_ENTRIES, entries)) &&
	       (cmd != NF_EDGE_CMD_COMMIT || put_settings(msg, policy)) &&
	       (!copy || copy_request(msg, info));
}

static struct sk_buff *config_message(struct edge_net *edge, const struct genl_info *info)
{
	bool copy = genlmsg_len(info->genlhdr) <= COPY_MAX;
	struct sk_buff *msg;
	void *header;

	msg = genlmsg_new(OWN_ROOM + (copy ? genlmsg_len(info->genlhdr) : 0), GFP_KERNEL);
	if (!msg)
		return NULL;
	header = genlmsg_put(msg, 0, 0, &edge_netlink_family, 0, NF_EDGE_CMD_CONFIG_NTF);
	if (!header || WARN_ON_ONCE(!put_change(msg, edge, info, copy))) {
		nlmsg_free(msg);
		return NULL;
	}
	genlmsg_end(msg, header);
	return msg;
}

void edge_events_config(struct edge_net *edge, const struct genl_info *info)
{
	struct sk_buff *msg;

	lockdep_assert_held(&edge->lock);
	if (!genl_has_listeners(&edge_netlink_family, edge->net, EDGE_EVENTS_CONFIG))
		return;
	msg = config_message(edge, info);
	if (msg)
		genlmsg_multicast_netns(&edge_netlink_family, edge->net, msg, 0,
					EDGE_EVENTS_CONFIG, GFP_KERNEL);
	else
		genl_set_err(&edge_netlink_family, edge->net, 0, EDGE_EVENTS_CONFIG, -ENOBUFS);
}
