// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: uapi/nf_edge.h is its manual. A handler parses and
 * checks, with a sentence for each refusal, and leaves the change to config.
 */
#include "netlink.h"

#include <linux/etherdevice.h>
#include <linux/in.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/nls.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include <net/genetlink.h>

#include "config.h"
#include "events.h"

#define REFUSE(extack, attr, err, sentence) ({		\
	NL_SET_ERR_MSG_ATTR(extack, attr, sentence);	\
	err;						\
})

/*
 * Policies: one a command, all over one attribute space. Without one, a kernel before 6.1 takes
 * whatever comes. What is in an ENTRY is checked where lists are read, with points of rest.
 */

static int check_address(const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	if (nla_len(attr) == sizeof(struct in_addr) || nla_len(attr) == sizeof(struct in6_addr))
		return 0;
	return REFUSE(extack, attr, -EINVAL, "an address has 4 or 16 bytes");
}

#define U32_BELOW(count) NLA_POLICY_MAX(NLA_U32, (count) - 1)
#define PORT NLA_POLICY_FULL_RANGE(NLA_U32, &port_range)
#define ADDRESS NLA_POLICY_VALIDATE_FN(NLA_BINARY, check_address, sizeof(struct in6_addr))
#define DEVICE { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 }
#define NAME { .type = NLA_NUL_STRING, .len = NF_EDGE_NAME_MAX }
#define DOMAIN { .type = NLA_NUL_STRING, .len = NF_EDGE_DOMAIN_MAX }
#define GROUPS NLA_POLICY_MASK(NLA_U32, NF_EDGE_GROUP_MASK)

#define ENTRY { .type = NLA_NESTED }

static struct netlink_range_validation port_range = { .min = 1, .max = 65535 };
static struct netlink_range_validation confirm_range = { .min = 1, .max = NF_EDGE_CONFIRM_MAX };

/* For commands that take nothing. */
static const struct nla_policy nothing_policy[] = {
	[NF_EDGE_A_PAD] = { .type = NLA_REJECT },
};

/* For queries that take no more. */
static const struct nla_policy staged_policy[] = {
	[NF_EDGE_A_STAGED] = { .type = NLA_FLAG },
};

static const struct nla_policy status_policy[] = {
	[NF_EDGE_A_MODE] = U32_BELOW(NF_EDGE_MODE_COUNT),
	[NF_EDGE_A_UNLISTED] = U32_BELOW(NF_EDGE_UNLISTED_COUNT),
	[NF_EDGE_A_RTP_MATCH] = U32_BELOW(NF_EDGE_RTP_MATCH_COUNT),
	[NF_EDGE_A_RTP_PORTS] = NLA_POLICY_EXACT_LEN(NF_EDGE_PORT_MAP_BYTES),
};

static const struct nla_policy interface_add_policy[] = {
	[NF_EDGE_A_ROLE] = U32_BELOW(NF_EDGE_ROLE_COUNT),
	[NF_EDGE_A_ADDRESS] = ADDRESS,
	[NF_EDGE_A_DEV] = DEVICE,
	[NF_EDGE_A_TOLERANT] = { .type = NLA_FLAG },
};

static const struct nla_policy interface_del_policy[] = {
	[NF_EDGE_A_ROLE] = U32_BELOW(NF_EDGE_ROLE_COUNT),
	[NF_EDGE_A_ADDRESS] = ADDRESS,
	[NF_EDGE_A_TOLERANT] = { .type = NLA_FLAG },
};

static const struct nla_policy role_policy[] = {
	[NF_EDGE_A_ROLE] = U32_BELOW(NF_EDGE_ROLE_COUNT),
};

static const struct nla_policy interface_filter_policy[] = {
	[NF_EDGE_A_ROLE] = U32_BELOW(NF_EDGE_ROLE_COUNT),
	[NF_EDGE_A_STAGED] = { .type = NLA_FLAG },
};

static const struct nla_policy partner_entry_policy[] = {
	[NF_EDGE_A_ADDRESS] = ADDRESS,
	[NF_EDGE_A_PREFIX_LEN] = NLA_POLICY_MAX(NLA_U32, 128),
	[NF_EDGE_A_GROUPS] = GROUPS,
	[NF_EDGE_A_NAME] = NAME,
	[NF_EDGE_A_DOMAIN] = DOMAIN,
	[NF_EDGE_A_LEAVES] = { .type = NLA_FLAG },
};

static const struct nla_policy partner_add_policy[] = {
	[NF_EDGE_A_GENERATION] = { .type = NLA_U32 },
	[NF_EDGE_A_ENTRY] = ENTRY,
	[NF_EDGE_A_TOLERANT] = { .type = NLA_FLAG },
};

static const struct nla_policy nameless_entry_policy[] = {
	[NF_EDGE_A_ADDRESS] = ADDRESS,
	[NF_EDGE_A_PREFIX_LEN] = NLA_POLICY_MAX(NLA_U32, 128),
	[NF_EDGE_A_GROUPS] = GROUPS,
	[NF_EDGE_A_DOMAIN] = DOMAIN,
};

static const struct nla_policy partner_del_policy[] = {
	[NF_EDGE_A_GENERATION] = { .type = NLA_U32 },
	[NF_EDGE_A_ENTRY] = ENTRY,
	[NF_EDGE_A_TOLERANT] = { .type = NLA_FLAG },
};

static const struct nla_policy partner_filter_policy[] = {
	[NF_EDGE_A_ADDRESS] = ADDRESS,
	[NF_EDGE_A_GROUPS] = GROUPS,
	[NF_EDGE_A_NAME] = NAME,
	[NF_EDGE_A_IDLE] = { .type = NLA_U32 },
	[NF_EDGE_A_DOMAIN] = DOMAIN,
	[NF_EDGE_A_STAGED] = { .type = NLA_FLAG },
};

static const struct nla_policy block_entry_policy[] = {
	[NF_EDGE_A_ADDRESS] = ADDRESS,
	[NF_EDGE_A_PREFIX_LEN] = NLA_POLICY_MAX(NLA_U32, 128),
	[NF_EDGE_A_UNTIL] = NLA_POLICY_MIN(NLA_U64, 1),
	[NF_EDGE_A_NAME] = NAME,
};

static const struct nla_policy unblock_entry_policy[] = {
	[NF_EDGE_A_ADDRESS] = ADDRESS,
	[NF_EDGE_A_PREFIX_LEN] = NLA_POLICY_MAX(NLA_U32, 128),
};

static const struct nla_policy block_policy[] = {
	[NF_EDGE_A_ENTRY] = ENTRY,
	[NF_EDGE_A_TOLERANT] = { .type = NLA_FLAG },
};

static const struct nla_policy block_filter_policy[] = {
	[NF_EDGE_A_ADDRESS] = ADDRESS,
	[NF_EDGE_A_STAGED] = { .type = NLA_FLAG },
};

static const struct nla_policy groups_policy[] = {
	[NF_EDGE_A_GROUPS] = GROUPS,
};

static const struct nla_policy rule_entry_policy[] = {
	[NF_EDGE_A_ROW] = U32_BELOW(NF_EDGE_ROW_COUNT),
	[NF_EDGE_A_ENABLED] = NLA_POLICY_MAX(NLA_U32, 1),
	[NF_EDGE_A_PEERS] = U32_BELOW(NF_EDGE_PEERS_COUNT),
};

static const struct nla_policy rules_policy[] = {
	[NF_EDGE_A_ENTRY] = ENTRY,
};

static const struct nla_policy explain_policy[] = {
	[NF_EDGE_A_SOURCE] = ADDRESS,
	[NF_EDGE_A_DESTINATION] = ADDRESS,
	[NF_EDGE_A_PROTOCOL] = NLA_POLICY_MAX(NLA_U32, 255),
	[NF_EDGE_A_SPORT] = PORT,
	[NF_EDGE_A_DPORT] = PORT,
	[NF_EDGE_A_IIF] = DEVICE,
	[NF_EDGE_A_OIF] = DEVICE,
	[NF_EDGE_A_ALL] = { .type = NLA_FLAG },
};

static const struct nla_policy commit_policy[] = {
	[NF_EDGE_A_GENERATION] = { .type = NLA_U32 },
	[NF_EDGE_A_CONFIRM] = NLA_POLICY_FULL_RANGE(NLA_U32, &confirm_range),
	[NF_EDGE_A_OPEN] = { .type = NLA_FLAG },
};

static const struct nla_policy begin_policy[] = {
	[NF_EDGE_A_COPY] = { .type = NLA_FLAG },
};

static const struct nla_policy undo_policy[] = {
	[NF_EDGE_A_GENERATION] = { .type = NLA_U32 },
	[NF_EDGE_A_OPEN] = { .type = NLA_FLAG },
};

/* Parsing. Each answers 0, or an errno with the sentence and the attribute set. */

static int parse_address(const struct nlattr *attr, u8 *nfproto, union nf_inet_addr *addr,
			 struct netlink_ext_ack *extack)
{
	memset(addr, 0, sizeof(*addr));
	if (!attr)
		return REFUSE(extack, NULL, -EINVAL, "an address is missing");
	*nfproto = nla_len(attr) == sizeof(addr->ip) ? NFPROTO_IPV4 : NFPROTO_IPV6;
	if (*nfproto == NFPROTO_IPV4)
		memcpy(&addr->ip, nla_data(attr), sizeof(addr->ip));
	else
		memcpy(addr, nla_data(attr), sizeof(*addr));
	return 0;
}

/* The attributes of an entry, by its own policy; tb: all that there are, cleared. */
#define PARSE_ENTRY(tb, entry, name, extack) \
	nla_parse_nested(tb, ARRAY_SIZE(name) - 1, entry, name, extack)

/* Addresses that cannot be meant; a short prefix of zeroes is no address. */
static int check_meant(const struct nlattr *attr, u8 nfproto, const union nf_inet_addr *addr,
		       u8 bits, struct netlink_ext_ack *extack)
{
	bool ipv4 = nfproto == NFPROTO_IPV4;

	if (ipv4 ? bits == 32 && !addr->ip : bits == 128 && ipv6_addr_any(&addr->in6))
		return REFUSE(extack, attr, -EINVAL, "an unspecified address cannot be meant");
	if (ipv4 ? bits >= 8 && ipv4_is_loopback(addr->ip) :
		   bits == 128 && ipv6_addr_loopback(&addr->in6))
		return REFUSE(extack, attr, -EINVAL, "a loopback address cannot be meant");
	if (ipv4 ? bits >= 4 && ipv4_is_multicast(addr->ip) :
		   bits >= 8 && ipv6_addr_is_multicast(&addr->in6))
		return REFUSE(extack, attr, -EINVAL, "a multicast address cannot be meant");
	if (ipv4 && bits == 32 && ipv4_is_lbcast(addr->ip))
		return REFUSE(extack, attr, -EINVAL, "a broadcast address cannot be meant");
	if (!ipv4 && bits >= 96 && ipv6_addr_v4mapped(&addr->in6))
		return REFUSE(extack, attr, -EINVAL, "an IPv4-mapped address cannot be meant");
	return 0;
}

/* Whether it is neither a control character (ISO 6429) nor one of NF_EDGE_UNSHOWN. */
static bool is_shown(unicode_t character)
{
#define RANGE(first, last) { first, last },
	static const struct {
		u32 first;
		u32 last;
	} unshown[] = { NF_EDGE_UNSHOWN(RANGE) };
#undef RANGE
	size_t i;

	if (character < 0xa0)
		return character >= 0x20 && character < 0x7f;
	for (i = 0; i < ARRAY_SIZE(unshown) && unshown[i].last < character; i++)
		;
	return i == ARRAY_SIZE(unshown) || character < unshown[i].first;
}

/*
 * UTF-8 (RFC 3629) of which all is shown: a listing may go to a terminal, two names that look the
 * same are the same, and what a file was saved with, it can be loaded with.
 */
static bool is_text(const char *text)
{
	int left = strlen(text);

	while (left) {
		unicode_t character;
		int size = utf8_to_utf32(text, left, &character);

		if (size < 0 || !is_shown(character))
			return false;
		text += size;
		left -= size;
	}
	return true;
}

static int parse_device(const struct nlattr *attr, const char **name,
			struct netlink_ext_ack *extack)
{
	*name = attr ? nla_data(attr) : NULL;
	if (attr && !(dev_valid_name(*name) && is_text(*name)))
		return REFUSE(extack, attr, -EINVAL, "that cannot be a device's name");
	return 0;
}

static int parse_name(const struct nlattr *attr, const char **name,
		      struct netlink_ext_ack *extack)
{
	*name = attr ? nla_data(attr) : NULL;
	if (attr && !is_text(*name))
		return REFUSE(extack, attr, -EINVAL,
			      "a name is UTF-8 without control, format and other unshown characters");
	return 0;
}

/*
 * Labels of 1 to 63 letters, digits and hyphens, these not at their ends, with dots between: what
 * can be looked up, and looks the same each time that it is asked for.
 */
static bool is_domain(const char *text)
{
	const char *label;

	if (strstarts(text, NF_EDGE_DOMAIN_HOST))
		text += strlen(NF_EDGE_DOMAIN_HOST);
	if (strlen(text) > NF_EDGE_DOMAIN_MAX - strlen(NF_EDGE_DOMAIN_HOST))
		return false;
	for (label = text;; label = ++text) {
		text += strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
		if (text == label || text - label > 63 || *label == '-' || text[-1] == '-')
			return false;
		if (*text != '.')
			return !*text;
	}
}

static int parse_domain(const struct nlattr *attr, const char **domain,
			struct netlink_ext_ack *extack)
{
	*domain = attr ? nla_data(attr) : NULL;
	if (attr && **domain && !is_domain(*domain))
		return REFUSE(extack, attr, -EINVAL,
			      "a domain has lower-case letters, digits and hyphens, and dots between");
	return 0;
}

/* The prefix that an entry is about. */
static int parse_prefix(const struct nlattr *entry, struct nlattr *const tb[], u8 *family,
			union nf_inet_addr *addr, u8 *bits, struct netlink_ext_ack *extack)
{
	const struct nlattr *length = tb[NF_EDGE_A_PREFIX_LEN];
	struct edge_prefix prefix = {};
	int err;

	err = parse_address(tb[NF_EDGE_A_ADDRESS], &prefix.family, &prefix.addr, extack);
	if (err)
		return err;
	if (!length)
		return REFUSE(extack, entry, -EINVAL, "a prefix length is missing");
	prefix.bits = nla_get_u32(length);
	if (prefix.family == NFPROTO_IPV4 && prefix.bits > 32)
		return REFUSE(extack, length, -EINVAL, "an IPv4 prefix has at most 32 bits");
	if (edge_prefix_has_host_bits(&prefix))
		return REFUSE(extack, entry, -EINVAL, "host bits are set beyond the prefix length");
	*family = prefix.family;
	*addr = prefix.addr;
	*bits = prefix.bits;
	return check_meant(entry, prefix.family, &prefix.addr, prefix.bits, extack);
}

/*
 * One partner of a list. groups stays 0 where it is not given and may be so. @comes: in: the list
 * is one to add; out: and this one is not about to leave.
 */
static int parse_partner(const struct nlattr *entry, bool *comes, struct edge_prefix *prefix,
			 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_EDGE_A_MAX + 1] = {};
	int err;

	err = *comes ? PARSE_ENTRY(tb, entry, partner_entry_policy, extack) :
		       PARSE_ENTRY(tb, entry, nameless_entry_policy, extack);
	if (!err)
		err = parse_prefix(entry, tb, &prefix->family, &prefix->addr, &prefix->bits,
				   extack);
	if (err)
		return err;
	*comes &= !tb[NF_EDGE_A_LEAVES];
	prefix->groups = tb[NF_EDGE_A_GROUPS] ? nla_get_u32(tb[NF_EDGE_A_GROUPS]) : 0;
	if (!prefix->groups && (*comes || tb[NF_EDGE_A_GROUPS]))
		return REFUSE(extack, entry, -EINVAL, "a partner is in one group at least");
	err = parse_name(tb[NF_EDGE_A_NAME], &prefix->name, extack);
	if (err)
		return err;
	err = parse_domain(tb[NF_EDGE_A_DOMAIN], &prefix->domain, extack);
	if (!err && *comes && prefix->domain && !*prefix->domain)
		prefix->domain = NULL;
	return err;
}

#define for_each_entry(entry, info, rem)						\
	nla_for_each_attr(entry, genlmsg_data((info)->genlhdr),			\
			  genlmsg_len((info)->genlhdr), rem)				\
		if (nla_type(entry) == NF_EDGE_A_ENTRY)

u32 edge_netlink_count_entries(const struct genl_info *info)
{
	const struct nlattr *entry;
	u32 n = 0;
	int rem;

	for_each_entry(entry, info, rem)
		n++;
	return n;
}

static struct nlattr *entry_at(struct genl_info *info, u32 index)
{
	struct nlattr *entry;
	int rem;

	for_each_entry(entry, info, rem)
		if (!index--)
			return entry;
	return NULL;
}

/**
 * struct partner_list - the partners of a message
 * @list: to be freed by kvfree()
 * @n: how many
 * @coming: how many of them, the first ones, are to be added; the others leave
 */
struct partner_list {
	struct edge_prefix *list;
	u32 n;
	u32 coming;
};

static int parse_partners(struct genl_info *info, bool adding, struct partner_list *partners)
{
	struct nlattr *entry;
	u32 i = 0;
	int rem, err;

	*partners = (struct partner_list){ .n = edge_netlink_count_entries(info) };
	if (!partners->n)
		return REFUSE(info->extack, NULL, -EINVAL, "no partner is given");
	partners->list = kvcalloc(partners->n, sizeof(*partners->list), EDGE_GFP);
	if (!partners->list)
		return -ENOMEM;
	for_each_entry(entry, info, rem) {
		bool comes = adding;

		err = edge_rest() ?: parse_partner(entry, &comes, &partners->list[i], info->extack);
		if (!err && comes && partners->coming < i)
			err = REFUSE(info->extack, entry, -EINVAL,
				     "who comes is told before who leaves");
		if (err) {
			kvfree(partners->list);
			return err;
		}
		partners->coming += comes;
		i++;
	}
	return 0;
}

static bool tolerant(const struct genl_info *info)
{
	return info->attrs[NF_EDGE_A_TOLERANT];
}

static struct edge_net *edge_of(struct genl_info *info)
{
	return edge_net(genl_info_net(info));
}

/*
 * One change at a time. Generic netlink holds a semaphore for a request meanwhile: whoever joins a
 * group waits for it on many kernels, and behind him all who ask anything of any family. So nobody
 * waits here for long: he is told to come again.
 */
#define PATIENCE	(HZ / 10)

static int lock_changes(struct edge_net *edge, struct netlink_ext_ack *extack)
{
	const unsigned long end = jiffies + PATIENCE;

	while (!mutex_trylock(&edge->commit_mutex)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, end))
			return REFUSE(extack, NULL, -EAGAIN,
				      "another change is being made, and takes its time");
		schedule_timeout_killable(1);
	}
	return 0;
}

static int change_begin(struct genl_info *info)
{
	return lock_changes(edge_of(info), info->extack);
}

/* The socket's staged policy, commit mutex held; or the errno, with its sentence. */
static const struct edge_policy *staged_by(struct edge_net *edge, u32 portid,
					   struct netlink_ext_ack *extack)
{
	const struct edge_policy *staged = edge_config_staged(edge, portid);

	if (staged == ERR_PTR(-ENOENT))
		NL_SET_ERR_MSG(extack, "no transaction is open on this socket");
	else if (staged == ERR_PTR(-ENOMEM))
		NL_SET_ERR_MSG(extack, EDGE_CONFIG_NO_MEMORY);
	return staged;
}

/*
 * Editing: lock, copy, change; then apply or discard, and unlock. NULL: err has the errno, and
 * nothing is locked.
 */

static struct edge_policy *edit_begin(struct genl_info *info, u32 room, int *err)
{
	struct edge_net *edge = edge_of(info);
	struct edge_policy *policy;

	*err = change_begin(info);
	if (*err)
		return NULL;
	policy = edge_config_edit(edge, info->snd_portid, room);
	if (!policy) {
		mutex_unlock(&edge->commit_mutex);
		*err = -ENOMEM;
	}
	return policy;
}

/* Unlocks after a change, of which the listeners hear when the policy in force has moved on. */
static void unlock_and_tell(struct genl_info *info, u32 generation)
{
	struct edge_net *edge = edge_of(info);

	if (edge->generation != generation)
		edge_events_config(edge, info);
	mutex_unlock(&edge->commit_mutex);
}

/* Whether what the request is based on, if it says so, is still in force. Commit mutex held. */
static int check_generation(const struct edge_net *edge, struct genl_info *info)
{
	const struct nlattr *based_on = info->attrs[NF_EDGE_A_GENERATION];

	if (!based_on || nla_get_u32(based_on) == edge->generation)
		return 0;
	return REFUSE(info->extack, based_on, -ESTALE,
		      "the policy has changed since that generation");
}

/* Puts the change in force, or throws it away for err. */
static int edit_end(struct genl_info *info, struct edge_policy *policy, int err)
{
	struct edge_net *edge = edge_of(info);
	u32 generation = edge->generation;

	if (!err)
		err = edge_config_apply(edge, info->snd_portid, policy, info->extack);
	else
		edge_config_discard(edge, info->snd_portid, policy);
	unlock_and_tell(info, generation);
	return err;
}

/* Status */

static int put_status(struct sk_buff *msg, struct edge_net *edge,
		      const struct edge_policy *policy)
{
	int left = edge_config_seconds_left(edge);

	if (nla_put_string(msg, NF_EDGE_A_VERSION, NF_EDGE_VERSION) ||
	    nla_put_u32(msg, NF_EDGE_A_MODE, policy->mode) ||
	    nla_put_u32(msg, NF_EDGE_A_UNLISTED, policy->unlisted) ||
	    nla_put_u32(msg, NF_EDGE_A_GENERATION, edge->generation) ||
	    nla_put_u32(msg, NF_EDGE_A_RTP_MATCH, policy->rtp_match) ||
	    nla_put(msg, NF_EDGE_A_RTP_PORTS, sizeof(policy->ports.map), policy->ports.map) ||
	    nla_put_u32(msg, NF_EDGE_A_INTERFACES, edge_config_interface_pairs(policy)) ||
	    nla_put_u32(msg, NF_EDGE_A_PARTNERS, READ_ONCE(policy->partners->count)) ||
	    nla_put_u32(msg, NF_EDGE_A_BLOCKS, edge_blocks_count(policy->blocks)) ||
	    nla_put_u64_64bit(msg, NF_EDGE_A_CHANGED, edge->changed_at, NF_EDGE_A_PAD) ||
	    (left >= 0 && nla_put_u32(msg, NF_EDGE_A_CONFIRM, left)) ||
	    nla_put_u64_64bit(msg, NF_EDGE_A_UPTIME,
			      ktime_get_boottime_seconds() - edge->changed, NF_EDGE_A_PAD))
		return -EMSGSIZE;
	return 0;
}

/* Sends what put() writes as the answer to a do request. */
static struct sk_buff *reply_new(struct genl_info *info, size_t room, void **header)
{
	struct sk_buff *msg = genlmsg_new(room, GFP_KERNEL);

	if (!msg)
		return NULL;
	*header = genlmsg_put_reply(msg, info, &edge_netlink_family, 0, info->genlhdr->cmd);
	if (*header)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int reply_send(struct sk_buff *msg, void *header, struct genl_info *info, int err)
{
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, header);
	return genlmsg_reply(msg, info);
}

static int put_staged_status(struct sk_buff *msg, struct genl_info *info)
{
	struct edge_net *edge = edge_of(info);
	const struct edge_policy *staged;
	int err = change_begin(info);

	if (err)
		return err;
	staged = staged_by(edge, info->snd_portid, info->extack);
	err = IS_ERR(staged) ? PTR_ERR(staged) : put_status(msg, edge, staged);
	mutex_unlock(&edge->commit_mutex);
	return err;
}

static int status_get(struct sk_buff *skb, struct genl_info *info)
{
	struct edge_net *edge = edge_of(info);
	struct sk_buff *msg;
	void *header;
	int err;

	msg = reply_new(info, NF_EDGE_PORT_MAP_BYTES + NLMSG_DEFAULT_SIZE, &header);
	if (!msg)
		return -ENOMEM;
	if (info->attrs[NF_EDGE_A_STAGED]) {
		err = put_staged_status(msg, info);
	} else {
		mutex_lock(&edge->lock);
		err = put_status(msg, edge, edge_config_policy(edge));
		mutex_unlock(&edge->lock);
	}
	return reply_send(msg, header, info, err);
}

static int status_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **tb = info->attrs;
	struct edge_policy *policy;
	int err;

	if (tb[NF_EDGE_A_RTP_PORTS] && *(u8 *)nla_data(tb[NF_EDGE_A_RTP_PORTS]) & 1)
		return REFUSE(info->extack, tb[NF_EDGE_A_RTP_PORTS], -EINVAL,
			      "port 0 is no port");
	policy = edit_begin(info, 0, &err);
	if (!policy)
		return err;
	if (tb[NF_EDGE_A_MODE])
		policy->mode = nla_get_u32(tb[NF_EDGE_A_MODE]);
	if (tb[NF_EDGE_A_UNLISTED])
		policy->unlisted = nla_get_u32(tb[NF_EDGE_A_UNLISTED]);
	if (tb[NF_EDGE_A_RTP_MATCH])
		policy->rtp_match = nla_get_u32(tb[NF_EDGE_A_RTP_MATCH]);
	if (tb[NF_EDGE_A_RTP_PORTS])
		nla_memcpy(policy->ports.map, tb[NF_EDGE_A_RTP_PORTS], sizeof(policy->ports.map));
	return edit_end(info, policy, 0);
}

/* Edge interfaces */

static int parse_interface(struct genl_info *info, u8 *role, u8 *nfproto,
			   union nf_inet_addr *addr)
{
	struct nlattr **tb = info->attrs;
	int err;

	if (!tb[NF_EDGE_A_ROLE])
		return REFUSE(info->extack, NULL, -EINVAL, "a role is missing");
	*role = nla_get_u32(tb[NF_EDGE_A_ROLE]);
	err = parse_address(tb[NF_EDGE_A_ADDRESS], nfproto, addr, info->extack);
	if (err)
		return err;
	return check_meant(tb[NF_EDGE_A_ADDRESS], *nfproto, addr,
			   *nfproto == NFPROTO_IPV4 ? 32 : 128, info->extack);
}

static int interface_add(struct sk_buff *skb, struct genl_info *info)
{
	struct edge_policy *policy;
	union nf_inet_addr addr;
	u8 role, nfproto;
	const char *dev;
	int err;

	err = parse_interface(info, &role, &nfproto, &addr);
	if (err)
		return err;
	err = parse_device(info->attrs[NF_EDGE_A_DEV], &dev, info->extack);
	if (err)
		return err;
	policy = edit_begin(info, 1, &err);
	if (!policy)
		return err;

	err = edge_config_interface_add(policy, role, nfproto, &addr, dev);
	if (!err || (err == -EEXIST && tolerant(info)))
		return edit_end(info, policy, 0);
	switch (err) {
	case -EEXIST:
		NL_SET_ERR_MSG(info->extack, "interface exists");
		break;
	case -EBUSY:
		NL_SET_ERR_MSG(info->extack, "interface is bound to another device");
		break;
	case -ENOSPC:
		NL_SET_ERR_MSG(info->extack, "there are too many Edge addresses");
		break;
	}
	NL_SET_BAD_ATTR(info->extack, info->attrs[NF_EDGE_A_ADDRESS]);
	return edit_end(info, policy, err);
}

static int interface_del(struct sk_buff *skb, struct genl_info *info)
{
	struct edge_policy *policy;
	union nf_inet_addr addr;
	u8 role, nfproto;
	int err;

	err = parse_interface(info, &role, &nfproto, &addr);
	if (err)
		return err;
	policy = edit_begin(info, 0, &err);
	if (!policy)
		return err;
	err = edge_config_interface_del(policy, role, nfproto, &addr);
	if (!err || tolerant(info))
		return edit_end(info, policy, 0);
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[NF_EDGE_A_ADDRESS],
			    "interface does not exist");
	return edit_end(info, policy, err);
}

static int interface_flush(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *role = info->attrs[NF_EDGE_A_ROLE];
	struct edge_policy *policy;
	int err;

	policy = edit_begin(info, 0, &err);
	if (!policy)
		return err;
	edge_config_interface_flush(policy, role ? BIT(nla_get_u32(role)) :
						   BIT(NF_EDGE_ROLE_COUNT) - 1);
	return edit_end(info, policy, 0);
}

/*
 * Dumps keep their place in cb->ctx, and read under RCU: nobody waits for them, and they wait for
 * nobody. What meets a change is marked (NLM_F_DUMP_INTR).
 */

/* An attribute of the request, or NULL. */
static const struct nlattr *filter(const struct netlink_callback *cb, int attr)
{
	return nlmsg_find_attr(cb->nlh, GENL_HDRLEN, attr);
}

static void *dump_put(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				   &edge_netlink_family, NLM_F_MULTI, cmd);

	if (header)
		genl_dump_check_consistent(cb, header);
	return header;
}

/**
 * struct listing - a part of a dump: listing_begin(), which may fail, listing_lock(), listing_end()
 * @edge: the namespace
 * @policy: that is listed
 * @staged: it is the socket's staged one, which no change meets: commit mutex held
 */
struct listing {
	struct edge_net *edge;
	const struct edge_policy *policy;
	bool staged;
};

static int listing_begin(struct sk_buff *skb, struct netlink_callback *cb, struct listing *listing)
{
	struct edge_net *edge = edge_net(sock_net(skb->sk));
	int err;

	*listing = (struct listing){ .edge = edge, .staged = filter(cb, NF_EDGE_A_STAGED) };
	if (listing->staged) {
		err = lock_changes(edge, cb->extack);
		if (err)
			return err;
		listing->policy = staged_by(edge, NETLINK_CB(cb->skb).portid, cb->extack);
		if (IS_ERR(listing->policy)) {
			mutex_unlock(&edge->commit_mutex);
			return PTR_ERR(listing->policy);
		}
	}
	cb->seq = edge_config_listing_begin(edge);
	if (!cb->prev_seq)	/* what is left out is compared, too */
		cb->prev_seq = cb->seq;
	return 0;
}

static void listing_lock(struct listing *listing)
	__acquires(RCU)
{
	rcu_read_lock();
	if (!listing->staged)
		listing->policy = rcu_dereference(listing->edge->policy);
}

/* The next message is marked as that of another moment than those before, if these met a change. */
static void listing_end(struct netlink_callback *cb, const struct listing *listing)
	__releases(RCU)
{
	rcu_read_unlock();
	if (listing->staged)
		mutex_unlock(&listing->edge->commit_mutex);
	else if (edge_config_listing_met(listing->edge, cb->seq))
		cb->prev_seq = ~cb->seq ?: 1;
}

/* Ends one message of a dump; false when it did not fit. */
static bool dump_end(struct sk_buff *skb, void *header, bool fits)
{
	if (fits)
		genlmsg_end(skb, header);
	else
		genlmsg_cancel(skb, header);
	return fits;
}

static bool put_address(struct sk_buff *skb, u8 nfproto, const union nf_inet_addr *addr)
{
	return !nla_put(skb, NF_EDGE_A_ADDRESS, nfproto == NFPROTO_IPV4 ? 4 : 16, addr);
}

static bool dump_interface(struct sk_buff *skb, struct netlink_callback *cb,
			   const struct edge_interface *interface, u8 role)
{
	void *header = dump_put(skb, cb, NF_EDGE_CMD_INTERFACE_GET);

	return header &&
	       dump_end(skb, header,
			!nla_put_u32(skb, NF_EDGE_A_ROLE, role) &&
			put_address(skb, interface->family, &interface->addr) &&
			(!interface->dev[0] ||
			 !nla_put_string(skb, NF_EDGE_A_DEV, interface->dev)));
}

struct place {
	u32 next;
};

static int interface_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct nlattr *only = filter(cb, NF_EDGE_A_ROLE);
	struct place *place = (struct place *)cb->ctx;
	const struct edge_policy *policy;
	struct listing listing;
	int err;

	err = listing_begin(skb, cb, &listing);
	if (err)
		return err;
	listing_lock(&listing);
	policy = listing.policy;
	for (; place->next < policy->interface_count * NF_EDGE_ROLE_COUNT; place->next++) {
		const struct edge_interface *interface =
			&policy->interfaces[place->next / NF_EDGE_ROLE_COUNT];
		u8 role = place->next % NF_EDGE_ROLE_COUNT;

		if (!(interface->roles & BIT(role)) || (only && nla_get_u32(only) != role))
			continue;
		if (!dump_interface(skb, cb, interface, role))
			break;
	}
	listing_end(cb, &listing);
	return skb->len;
}

/* Partners */

static int partners_refused(struct genl_info *info, int err, u32 bad)
{
	switch (err) {
	case -EEXIST:
		NL_SET_ERR_MSG(info->extack, "partner exists");
		break;
	case -ENOENT:
		NL_SET_ERR_MSG(info->extack, "partner does not exist");
		break;
	case -ESRCH:
		NL_SET_ERR_MSG(info->extack, "partner is not in that group");
		err = -ENOENT;
		break;
	case -ENOSPC:
		NL_SET_ERR_MSG(info->extack, "there are too many partners");
		break;
	case -EMLINK:
		NL_SET_ERR_MSG(info->extack, "partner comes from too many domains");
		err = -ENOSPC;
		break;
	case -ENOMEM:
		NL_SET_ERR_MSG(info->extack, EDGE_CONFIG_NO_MEMORY);
		break;
	}
	NL_SET_BAD_ATTR(info->extack, entry_at(info, bad));
	return err;
}

static int change_table(struct genl_info *info, bool adding, const struct partner_list *partners,
			u32 *bad)
{
	struct edge_net *edge = edge_of(info);
	struct edge_prefixes *table = edge_config_partners_begin(edge, info->snd_portid);
	struct edge_prefix_inverse inverse = {};
	int count;

	/* what cannot be kept cannot be undone, and is no reason to refuse a change */
	if (edge_config_can_undo(edge, info->snd_portid))
		edge_prefix_invert(table, partners->list, partners->coming, partners->n, &inverse);
	if (adding)
		count = edge_prefix_exchange(table, partners->list, partners->coming,
					     partners->n - partners->coming, NF_EDGE_PARTNERS_MAX,
					     tolerant(info), bad);
	else
		count = edge_prefix_del(table, partners->list, partners->n, tolerant(info), bad);
	edge_config_partners_end(edge, info->snd_portid, count > 0, &inverse);
	return count;
}

static int change_partners(struct genl_info *info, bool adding)
{
	struct edge_net *edge = edge_of(info);
	struct partner_list partners;
	u32 generation, bad = 0;
	int stale, err;

	err = parse_partners(info, adding, &partners);
	if (err)
		return err;

	err = change_begin(info);
	if (err)
		goto free;
	generation = edge->generation;
	stale = check_generation(edge, info);
	if (!stale)
		err = change_table(info, adding, &partners, &bad);
	unlock_and_tell(info, generation);
	err = stale ?: err < 0 ? partners_refused(info, err, bad) : 0;
free:
	kvfree(partners.list);
	return err;
}

static int partner_add(struct sk_buff *skb, struct genl_info *info)
{
	return change_partners(info, true);
}

static int partner_del(struct sk_buff *skb, struct genl_info *info)
{
	return change_partners(info, false);
}

/* What remains of the policy's partners, or NULL, with the errno in err. */
static struct edge_prefixes *remaining(const struct edge_policy *policy,
				       const struct nlattr *groups, bool *changed, int *err)
{
	struct edge_prefixes *left;

	if (groups) {
		*err = edge_prefix_settle(policy->partners);
		if (*err)
			return NULL;
		left = edge_prefix_without(policy->partners, nla_get_u32(groups), changed);
	} else {
		*changed = policy->partners->count;
		left = edge_prefix_table_new();
	}
	if (!left)
		*err = edge_rest() ?: -ENOMEM;
	return left;
}

/* The table that is emptied lives on until the copy of the policy, with another, is in force. */
static int partner_flush(struct sk_buff *skb, struct genl_info *info)
{
	struct edge_prefixes *left;
	struct edge_policy *policy;
	bool changed;
	int err;

	policy = edit_begin(info, 0, &err);
	if (!policy)
		return err;
	left = remaining(policy, info->attrs[NF_EDGE_A_GROUPS], &changed, &err);
	if (err == -ENOMEM)
		NL_SET_ERR_MSG(info->extack, EDGE_CONFIG_NO_MEMORY);
	if (left && changed)
		policy->partners = left;
	else
		edge_prefix_table_free(left);
	return edit_end(info, policy, err);
}

static bool put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return !nla_put_u64_64bit(skb, attr, value, NF_EDGE_A_PAD);
}

static u32 idle(const struct edge_prefix *prefix)
{
	return ktime_get_boottime_seconds() - prefix->seen;
}

/* Who speaks with whom is not everybody's business: those who may change the policy see it. */
static bool sees_traffic(const struct netlink_callback *cb)
{
	return netlink_ns_capable(cb->skb, sock_net(cb->skb->sk)->user_ns, CAP_NET_ADMIN);
}

/* Where a listing of partners is, and what it is of. */
struct partner_listing {
	union nf_inet_addr after;
	union nf_inet_addr covered;
	u32 after_place;
	u8 after_family;
	u8 after_bits;
	u8 groups;
	u8 covered_family;
	bool traffic;
	u32 idle;
};

static bool dump_partner(struct sk_buff *skb, struct netlink_callback *cb,
			 const struct edge_prefix *prefix)
{
	void *header = dump_put(skb, cb, NF_EDGE_CMD_PARTNER_GET);
	const struct partner_listing *listing = (struct partner_listing *)cb->ctx;

	return header &&
	       dump_end(skb, header,
			put_address(skb, prefix->family, &prefix->addr) &&
			!nla_put_u32(skb, NF_EDGE_A_PREFIX_LEN, prefix->bits) &&
			!nla_put_u32(skb, NF_EDGE_A_GROUPS, prefix->groups) &&
			(!prefix->name || !nla_put_string(skb, NF_EDGE_A_NAME, prefix->name)) &&
			(!prefix->domain ||
			 !nla_put_string(skb, NF_EDGE_A_DOMAIN, prefix->domain)) &&
			(!listing->traffic ||
			 (put_u64(skb, NF_EDGE_A_PACKETS, prefix->packets) &&
			  !nla_put_u32(skb, NF_EDGE_A_IDLE, idle(prefix)))));
}

/* Then a listing lets others have the CPU, and ends what it has read under RCU. */
#define ENTRIES_A_REST	256

static int partner_dump_start(struct netlink_callback *cb)
{
	struct partner_listing *listing = (struct partner_listing *)cb->ctx;
	const struct nlattr *groups = filter(cb, NF_EDGE_A_GROUPS);
	const struct nlattr *covered = filter(cb, NF_EDGE_A_ADDRESS);
	const struct nlattr *idle_for = filter(cb, NF_EDGE_A_IDLE);

	BUILD_BUG_ON(sizeof(*listing) > sizeof(cb->ctx));
	memset(listing, 0, sizeof(*listing));
	listing->after_family = NFPROTO_UNSPEC;
	listing->groups = groups ? nla_get_u32(groups) : NF_EDGE_GROUP_MASK;
	listing->idle = idle_for ? nla_get_u32(idle_for) : 0;
	listing->traffic = sees_traffic(cb);
	if (idle_for && !listing->traffic)
		return REFUSE(cb->extack, idle_for, -EPERM,
			      "who is idle is for those to know who may change the policy");
	edge_config_recall(edge_net(sock_net(cb->skb->sk)));
	if (!covered)
		return 0;
	return parse_address(covered, &listing->covered_family, &listing->covered, cb->extack);
}

/* Whether a name or a domain is the one that is asked for, if any is. "": whichever there is. */
static bool is_called(const char *what, const struct nlattr *asked)
{
	return !asked || (what && (!*(char *)nla_data(asked) ||
				   !strcmp(what, nla_data(asked))));
}

static bool is_listed(const struct partner_listing *listing, const struct edge_prefix *prefix,
		      const struct nlattr *name, const struct nlattr *domain)
{
	if (!(prefix->groups & listing->groups))
		return false;
	if (!is_called(prefix->name, name) || !is_called(prefix->domain, domain))
		return false;
	return idle(prefix) >= listing->idle;
}

/**
 * struct listed - a part of a listing
 * @skb: where answers go
 * @cb: the listing
 * @name: the name that is asked for, or NULL
 * @domain: the same
 * @count: entries that were looked at
 * @full: there is no room for another answer
 */
struct listed {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	const struct nlattr *name;
	const struct nlattr *domain;
	u32 count;
	bool full;
};

static bool list_one(const struct edge_prefix *prefix, void *data)
{
	struct listed *listed = data;
	struct partner_listing *listing = (struct partner_listing *)listed->cb->ctx;

	if (is_listed(listing, prefix, listed->name, listed->domain) &&
	    !dump_partner(listed->skb, listed->cb, prefix)) {
		listed->full = true;
		return false;
	}
	listing->after = prefix->addr;
	listing->after_family = prefix->family;
	listing->after_bits = prefix->bits;
	listing->after_place = prefix->place;
	return ++listed->count < ENTRIES_A_REST;
}

/* Goes on with a listing, a bounded number of entries far; whether that is all. RCU read side. */
static bool list_some(const struct edge_prefixes *table, struct listed *listed)
{
	const struct partner_listing *listing = (struct partner_listing *)listed->cb->ctx;
	struct edge_prefix prefix = {
		.addr = listing->after,
		.family = listing->after_family,
		.bits = listing->after_bits,
		.place = listing->after_place,
		.more = true,
	};

	listed->count = 0;
	if (!listing->covered_family)
		return edge_prefix_each(table, &prefix, list_one, listed);
	while (edge_prefix_next_covering(table, listing->covered_family, &listing->covered,
					 &prefix))
		if (!list_one(&prefix, listed))
			return false;
	return true;
}

static int partner_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct listed listed = {
		.skb = skb,
		.cb = cb,
		.name = filter(cb, NF_EDGE_A_NAME),
		.domain = filter(cb, NF_EDGE_A_DOMAIN),
	};
	struct listing listing;
	bool all;
	int err;

	do {
		err = edge_rest() ?: listing_begin(skb, cb, &listing);
		if (err)
			return err;
		listing_lock(&listing);
		all = list_some(listing.policy->partners, &listed);
		listing_end(cb, &listing);
	} while (!all && !listed.full);
	return skb->len;
}

/* Blocks */

static int blocks_refused(struct genl_info *info, int err, u32 bad)
{
	switch (err) {
	case -EEXIST:
		NL_SET_ERR_MSG(info->extack, "block exists");
		break;
	case -ENOENT:
		NL_SET_ERR_MSG(info->extack, "block does not exist");
		break;
	case -ENOSPC:
		NL_SET_ERR_MSG(info->extack, "there are too many blocks");
		break;
	case -ENOMEM:
		NL_SET_ERR_MSG(info->extack, EDGE_CONFIG_NO_MEMORY);
		break;
	}
	NL_SET_BAD_ATTR(info->extack, entry_at(info, bad));
	return err;
}

static int parse_block(const struct nlattr *entry, bool adding, struct edge_block *block,
		       struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_EDGE_A_MAX + 1] = {};
	const char *reason;
	int err;

	err = adding ? PARSE_ENTRY(tb, entry, block_entry_policy, extack) :
		       PARSE_ENTRY(tb, entry, unblock_entry_policy, extack);
	if (!err)
		err = parse_prefix(entry, tb, &block->family, &block->addr, &block->bits, extack);
	if (!err)
		err = parse_name(tb[NF_EDGE_A_NAME], &reason, extack);
	if (err)
		return err;
	block->until = tb[NF_EDGE_A_UNTIL] ? nla_get_u64(tb[NF_EDGE_A_UNTIL]) : 0;
	if (reason)
		strscpy_pad(block->reason, reason, sizeof(block->reason));
	return 0;
}

/* To be freed by kvfree(); or the errno, with its sentence. */
static struct edge_block *parse_blocks(struct genl_info *info, bool adding, u32 *n)
{
	struct edge_block *list;
	struct nlattr *entry;
	int rem, err;
	u32 i = 0;

	*n = edge_netlink_count_entries(info);
	if (!*n)
		return ERR_PTR(REFUSE(info->extack, NULL, -EINVAL, "no block is given"));
	list = kvcalloc(*n, sizeof(*list), EDGE_GFP);
	if (!list)
		return ERR_PTR(-ENOMEM);
	for_each_entry(entry, info, rem) {
		err = edge_rest() ?: parse_block(entry, adding, &list[i++], info->extack);
		if (err) {
			kvfree(list);
			return ERR_PTR(err);
		}
	}
	return list;
}

static int change_blocks(struct genl_info *info, bool adding)
{
	struct edge_policy *policy;
	struct edge_blocks *after;
	struct edge_block *list;
	u32 n, bad = 0;
	int err;

	list = parse_blocks(info, adding, &n);
	if (IS_ERR(list))
		return PTR_ERR(list);
	policy = edit_begin(info, 0, &err);
	if (policy) {
		after = adding ?
			edge_blocks_add(policy->blocks, list, n, tolerant(info), &bad) :
			edge_blocks_del(policy->blocks, list, n, tolerant(info), &bad);
		if (IS_ERR(after))
			err = blocks_refused(info, PTR_ERR(after), bad);
		else
			edge_config_set_blocks(policy, after);
		err = edit_end(info, policy, err);
	}
	kvfree(list);
	return err;
}

static int block_add(struct sk_buff *skb, struct genl_info *info)
{
	return change_blocks(info, true);
}

static int block_del(struct sk_buff *skb, struct genl_info *info)
{
	return change_blocks(info, false);
}

static int block_flush(struct sk_buff *skb, struct genl_info *info)
{
	struct edge_policy *policy;
	int err;

	policy = edit_begin(info, 0, &err);
	if (!policy)
		return err;
	edge_config_set_blocks(policy, NULL);
	return edit_end(info, policy, 0);
}

/* Where a listing of blocks is: behind the last one that was answered. */
struct block_listing {
	union nf_inet_addr after;
	union nf_inet_addr covered;
	u8 after_family;
	u8 after_bits;
	u8 covered_family;
};

static int blocks_dump_start(struct netlink_callback *cb)
{
	struct block_listing *listing = (struct block_listing *)cb->ctx;
	const struct nlattr *covered = filter(cb, NF_EDGE_A_ADDRESS);

	BUILD_BUG_ON(sizeof(*listing) > sizeof(cb->ctx));
	memset(listing, 0, sizeof(*listing));
	listing->after_family = NFPROTO_UNSPEC;
	if (!covered)
		return 0;
	return parse_address(covered, &listing->covered_family, &listing->covered, cb->extack);
}

static bool dump_block(struct sk_buff *skb, struct netlink_callback *cb,
		       const struct edge_block *block)
{
	void *header = dump_put(skb, cb, NF_EDGE_CMD_BLOCK_GET);

	return header &&
	       dump_end(skb, header,
			put_address(skb, block->family, &block->addr) &&
			!nla_put_u32(skb, NF_EDGE_A_PREFIX_LEN, block->bits) &&
			(!block->until || put_u64(skb, NF_EDGE_A_UNTIL, block->until)) &&
			(!block->reason[0] ||
			 !nla_put_string(skb, NF_EDGE_A_NAME, block->reason)));
}

static u32 first_to_list(const struct block_listing *listing, const struct edge_blocks *blocks)
{
	const struct edge_block after = {
		.addr = listing->after,
		.family = listing->after_family,
		.bits = listing->after_bits,
	};
	bool found;
	u32 at;

	if (listing->after_family == NFPROTO_UNSPEC)
		return 0;
	at = edge_blocks_seek(blocks, &after, &found);
	return at + found;
}

/* As list_some(). @full: there is no room for another answer. */
static bool list_some_blocks(const struct edge_blocks *blocks, struct sk_buff *skb,
			     struct netlink_callback *cb, bool *full)
{
	struct block_listing *listing = (struct block_listing *)cb->ctx;
	const u32 count = edge_blocks_count(blocks);
	u32 i = first_to_list(listing, blocks), left;

	for (left = ENTRIES_A_REST; i < count && left; i++, left--) {
		const struct edge_block *block = &blocks->of[i];

		if ((!listing->covered_family ||
		     edge_block_covers(block, listing->covered_family, &listing->covered)) &&
		    !dump_block(skb, cb, block)) {
			*full = true;
			return false;
		}
		listing->after = block->addr;
		listing->after_family = block->family;
		listing->after_bits = block->bits;
	}
	return i >= count;
}

static int blocks_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	bool all, full = false;
	struct listing listing;
	int err;

	do {
		err = edge_rest() ?: listing_begin(skb, cb, &listing);
		if (err)
			return err;
		listing_lock(&listing);
		all = list_some_blocks(listing.policy->blocks, skb, cb, &full);
		listing_end(cb, &listing);
	} while (!all && !full);
	return skb->len;
}

/* Rows and reasons */

static bool dump_rule(struct sk_buff *skb, struct netlink_callback *cb,
		      const struct listing *listing, u32 id)
{
	void *header = dump_put(skb, cb, NF_EDGE_CMD_RULE_GET);
	const struct edge_policy *policy = listing->policy;
	struct edge_tally tally = edge_counters_read(&listing->edge->counters,
						     edge_slot_of_row(id));
	const struct edge_row *row = &edge_rows[id];
	const char *role = edge_role_names[row->role], *group = edge_group_names[row->group];

	return header &&
	       dump_end(skb, header,
			!nla_put_u32(skb, NF_EDGE_A_ROW, id) &&
			!nla_put_string(skb, NF_EDGE_A_CLASS, row->class) &&
			!nla_put_u32(skb, NF_EDGE_A_PROTOCOL, row->protocol) &&
			!nla_put_u32(skb, NF_EDGE_A_DPORT, row->port) &&
			!nla_put_string(skb, NF_EDGE_A_FROM, row->outbound ? role : group) &&
			!nla_put_string(skb, NF_EDGE_A_TO, row->outbound ? group : role) &&
			!nla_put_u32(skb, NF_EDGE_A_PEERS, policy->any & BIT(id) ?
				     NF_EDGE_PEERS_ANY : NF_EDGE_PEERS_LISTED) &&
			!nla_put_u32(skb, NF_EDGE_A_ENABLED, !!(policy->enabled & BIT(id))) &&
			put_u64(skb, NF_EDGE_A_PACKETS, tally.packets) &&
			put_u64(skb, NF_EDGE_A_BYTES, tally.bytes) &&
			put_u64(skb, NF_EDGE_A_FLOWS, tally.flows));
}

static bool dump_drop(struct sk_buff *skb, struct netlink_callback *cb,
		      const struct listing *listing, u32 id)
{
	void *header = dump_put(skb, cb, NF_EDGE_CMD_DROP_GET);
	struct edge_tally tally = edge_counters_read(&listing->edge->counters,
						     edge_slot_of_reason(id));

	return header &&
	       dump_end(skb, header,
			!nla_put_u32(skb, NF_EDGE_A_REASON, id) &&
			put_u64(skb, NF_EDGE_A_PACKETS, tally.packets) &&
			put_u64(skb, NF_EDGE_A_BYTES, tally.bytes));
}

static int dump_list(struct sk_buff *skb, struct netlink_callback *cb, u32 count,
		     bool (*dump_one)(struct sk_buff *skb, struct netlink_callback *cb,
				      const struct listing *listing, u32 id))
{
	struct place *place = (struct place *)cb->ctx;
	struct listing listing;
	int err;

	err = listing_begin(skb, cb, &listing);
	if (err)
		return err;
	listing_lock(&listing);
	while (place->next < count && dump_one(skb, cb, &listing, place->next))
		place->next++;
	listing_end(cb, &listing);
	return skb->len;
}

static int rule_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_list(skb, cb, NF_EDGE_ROW_COUNT, dump_rule);
}

static int drop_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_list(skb, cb, NF_EDGE_REASON_COUNT, dump_drop);
}

/* What a list of rows sets: the last word on each counts. */
struct rule_changes {
	u16 enable;
	u16 disable;
	u16 any;
	u16 listed;
};

static void set_one(u16 *mask, u16 *opposite, u32 bit)
{
	*mask |= BIT(bit);
	*opposite &= ~BIT(bit);
}

static int parse_rule(const struct nlattr *entry, struct rule_changes *changes,
		      struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_EDGE_A_MAX + 1] = {};
	u32 row;
	int err;

	err = PARSE_ENTRY(tb, entry, rule_entry_policy, extack);
	if (err)
		return err;
	if (!tb[NF_EDGE_A_ROW])
		return REFUSE(extack, entry, -EINVAL, "a row is missing");
	if (!tb[NF_EDGE_A_ENABLED] && !tb[NF_EDGE_A_PEERS])
		return REFUSE(extack, entry, -EINVAL, "nothing to set is given");
	row = nla_get_u32(tb[NF_EDGE_A_ROW]);
	if (tb[NF_EDGE_A_ENABLED] && nla_get_u32(tb[NF_EDGE_A_ENABLED]))
		set_one(&changes->enable, &changes->disable, row);
	else if (tb[NF_EDGE_A_ENABLED])
		set_one(&changes->disable, &changes->enable, row);
	if (tb[NF_EDGE_A_PEERS] && nla_get_u32(tb[NF_EDGE_A_PEERS]) == NF_EDGE_PEERS_ANY)
		set_one(&changes->any, &changes->listed, row);
	else if (tb[NF_EDGE_A_PEERS])
		set_one(&changes->listed, &changes->any, row);
	return 0;
}

static int rule_set(struct sk_buff *skb, struct genl_info *info)
{
	struct rule_changes changes = {};
	struct edge_policy *policy;
	struct nlattr *entry;
	int rem, err;

	if (!edge_netlink_count_entries(info))
		return REFUSE(info->extack, NULL, -EINVAL, "no row is given");
	for_each_entry(entry, info, rem) {
		err = edge_rest() ?: parse_rule(entry, &changes, info->extack);
		if (err)
			return err;
	}
	policy = edit_begin(info, 0, &err);
	if (!policy)
		return err;
	policy->enabled = (policy->enabled | changes.enable) & ~changes.disable;
	policy->any = (policy->any | changes.any) & ~changes.listed;
	return edit_end(info, policy, 0);
}

static int stats_reset(struct sk_buff *skb, struct genl_info *info)
{
	struct edge_net *edge = edge_of(info);
	int err = change_begin(info);

	if (err)
		return err;
	edge_counters_reset(&edge->counters);
	edge_events_config(edge, info);
	mutex_unlock(&edge->commit_mutex);
	return 0;
}

/* Explain: a flow made from words instead of a packet, and the same law. */

struct explained {
	union nf_inet_addr src;
	union nf_inet_addr dst;
	struct edge_flow flow;
};

static int parse_flow(struct genl_info *info, struct explained *explained)
{
	struct edge_flow *flow = &explained->flow;
	struct nlattr **tb = info->attrs;
	u8 dst_family;
	int err;

	memset(explained, 0, sizeof(*explained));
	flow->src.addr = &explained->src;
	flow->dst.addr = &explained->dst;
	err = parse_address(tb[NF_EDGE_A_SOURCE], &flow->family, &explained->src, info->extack);
	if (!err)
		err = parse_address(tb[NF_EDGE_A_DESTINATION], &dst_family, &explained->dst,
				    info->extack);
	if (!err)
		err = parse_device(tb[NF_EDGE_A_IIF], &flow->in, info->extack);
	if (!err)
		err = parse_device(tb[NF_EDGE_A_OIF], &flow->out, info->extack);
	if (err)
		return err;
	if (flow->family != dst_family)
		return REFUSE(info->extack, tb[NF_EDGE_A_DESTINATION], -EINVAL,
			      "both addresses must be of one family");
	if (!tb[NF_EDGE_A_PROTOCOL] || !tb[NF_EDGE_A_DPORT])
		return REFUSE(info->extack, NULL, -EINVAL, "a protocol or a port is missing");

	flow->protocol = nla_get_u32(tb[NF_EDGE_A_PROTOCOL]);
	flow->kind = flow->protocol == IPPROTO_TCP ? EDGE_KIND_TCP_SYN :
		     flow->protocol == IPPROTO_UDP ? EDGE_KIND_UDP : EDGE_KIND_OTHER;
	flow->dst.port = nla_get_u32(tb[NF_EDGE_A_DPORT]);
	flow->src.port = tb[NF_EDGE_A_SPORT] ? nla_get_u32(tb[NF_EDGE_A_SPORT]) : 0;
	flow->malformed = edge_addresses_lie(flow);
	return 0;
}

/* What is answered, all of one moment. */
struct explanation {
	struct edge_ruling ruling;
	u8 mode;
	u8 findings[NF_EDGE_ROW_COUNT];
};

/*
 * What the packet alone condemns is dropped by the first gate, which does not know yet by which
 * device it leaves, unless this machine has sent it: then it enters by none.
 */
static struct edge_ruling judge_as_gates(const struct edge_policy *policy,
					 const struct edge_flow *flow)
{
	struct edge_flow arriving = *flow;
	struct edge_ruling ruling;

	if (!flow->in || (!flow->src.edge && !flow->dst.edge))
		return edge_policy_judge(policy, flow);
	arriving.out = NULL;
	ruling = edge_policy_judge_alone(policy, &arriving);
	return ruling.verdict == NF_EDGE_VERDICT_DROP ? ruling : edge_policy_judge(policy, flow);
}

static void judge(const struct edge_net *edge, struct edge_flow *flow,
		  struct explanation *explanation)
{
	const struct edge_policy *policy;
	int row;

	rcu_read_lock();
	policy = rcu_dereference(edge->policy);
	edge_policy_recognise(policy, flow);
	explanation->mode = policy->mode;
	explanation->ruling = judge_as_gates(policy, flow);
	for (row = 0; row < NF_EDGE_ROW_COUNT; row++)
		explanation->findings[row] = edge_policy_consider(policy, flow, row);
	rcu_read_unlock();
}

static int put_findings(struct sk_buff *msg, const u8 findings[NF_EDGE_ROW_COUNT])
{
	int row;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		struct nlattr *entry = nla_nest_start(msg, NF_EDGE_A_ENTRY);

		if (!entry || nla_put_u32(msg, NF_EDGE_A_ROW, row) ||
		    nla_put_u32(msg, NF_EDGE_A_FINDING, findings[row]))
			return -EMSGSIZE;
		nla_nest_end(msg, entry);
	}
	return 0;
}

static int put_ruling(struct sk_buff *msg, struct edge_ruling ruling, u8 mode)
{
	if (nla_put_u32(msg, NF_EDGE_A_VERDICT, ruling.verdict) ||
	    nla_put_u32(msg, NF_EDGE_A_MODE, mode))
		return -EMSGSIZE;
	if (ruling.row < NF_EDGE_ROW_COUNT && nla_put_u32(msg, NF_EDGE_A_ROW, ruling.row))
		return -EMSGSIZE;
	if (ruling.reason < NF_EDGE_REASON_COUNT &&
	    nla_put_u32(msg, NF_EDGE_A_REASON, ruling.reason))
		return -EMSGSIZE;
	return 0;
}

static int explain(struct sk_buff *skb, struct genl_info *info)
{
	struct explanation explanation;
	struct explained explained;
	struct sk_buff *msg;
	void *header;
	int err;

	err = parse_flow(info, &explained);
	if (err)
		return err;
	msg = reply_new(info, NLMSG_DEFAULT_SIZE, &header);
	if (!msg)
		return -ENOMEM;

	judge(edge_of(info), &explained.flow, &explanation);
	err = put_ruling(msg, explanation.ruling, explanation.mode);
	if (!err && info->attrs[NF_EDGE_A_ALL])
		err = put_findings(msg, explanation.findings);
	return reply_send(msg, header, info, err);
}

/* Transactions */

static int begin(struct sk_buff *skb, struct genl_info *info)
{
	struct edge_net *edge = edge_of(info);
	int err = change_begin(info);

	if (err)
		return err;
	err = edge_config_begin(edge, info->snd_portid, info->attrs[NF_EDGE_A_COPY]);
	mutex_unlock(&edge->commit_mutex);
	return err;
}

static int commit_locked(struct edge_net *edge, struct genl_info *info)
{
	const struct nlattr *confirm = info->attrs[NF_EDGE_A_CONFIRM];
	int err;

	err = check_generation(edge, info);
	if (err)
		return err;
	err = edge_config_commit(edge, info->snd_portid, confirm ? nla_get_u32(confirm) : 0,
				 info->attrs[NF_EDGE_A_OPEN], info->extack);
	if (err == -ENOENT)
		NL_SET_ERR_MSG(info->extack, "no transaction is open on this socket");
	return err;
}

static int commit(struct sk_buff *skb, struct genl_info *info)
{
	struct edge_net *edge = edge_of(info);
	u32 generation;
	int err;

	err = change_begin(info);
	if (err)
		return err;
	generation = edge->generation;
	err = commit_locked(edge, info);
	unlock_and_tell(info, generation);
	return err;
}

static int abort_transaction(struct sk_buff *skb, struct genl_info *info)
{
	struct edge_net *edge = edge_of(info);
	bool found;
	int err;

	err = change_begin(info);
	if (err)
		return err;
	found = edge_config_abort(edge, info->snd_portid);
	mutex_unlock(&edge->commit_mutex);
	if (found)
		return 0;
	return REFUSE(info->extack, NULL, -ENOENT, "no transaction is open on this socket");
}

static int decide(struct genl_info *info, int (*take)(struct edge_net *edge))
{
	struct edge_net *edge = edge_of(info);
	int err;

	err = change_begin(info);
	if (err)
		return err;
	err = take(edge);
	if (!err)
		edge_events_config(edge, info);
	mutex_unlock(&edge->commit_mutex);
	if (!err)
		return 0;
	return REFUSE(info->extack, NULL, err, "no policy waits for its confirmation");
}

static int confirm(struct sk_buff *skb, struct genl_info *info)
{
	return decide(info, edge_config_confirm);
}

static int revert(struct sk_buff *skb, struct genl_info *info)
{
	return decide(info, edge_config_revert);
}

static int undo(struct sk_buff *skb, struct genl_info *info)
{
	struct edge_net *edge = edge_of(info);
	u32 generation;
	int err;

	err = change_begin(info);
	if (err)
		return err;
	generation = edge->generation;
	err = check_generation(edge, info) ?:
	      edge_config_undo(edge, info->snd_portid, info->attrs[NF_EDGE_A_OPEN], info->extack);
	unlock_and_tell(info, generation);
	if (err == -ENOENT)
		NL_SET_ERR_MSG(info->extack, "no change is there to be undone");
	return err;
}

/* A transaction does not outlive its socket. Every socket's end comes here: no lock is taken. */
static int socket_gone(struct notifier_block *block, unsigned long event, void *data)
{
	const struct netlink_notify *notify = data;

	if (event == NETLINK_URELEASE && notify->protocol == NETLINK_GENERIC)
		edge_config_abort(edge_net(notify->net), notify->portid);
	return NOTIFY_DONE;
}

static struct notifier_block socket_notifier = { .notifier_call = socket_gone };

#define POLICY(name) .policy = (name), .maxattr = ARRAY_SIZE(name) - 1
#define QUERY(id, handler) .cmd = NF_EDGE_CMD_##id, .doit = (handler)
#define DUMP(id, handler) .cmd = NF_EDGE_CMD_##id, .dumpit = (handler)
#define CHANGE(id, handler) QUERY(id, handler), .flags = GENL_UNS_ADMIN_PERM

static const struct genl_ops ops[] = {
	{ QUERY(STATUS_GET, status_get), POLICY(staged_policy) },
	{ CHANGE(STATUS_SET, status_set), POLICY(status_policy) },
	{ DUMP(INTERFACE_GET, interface_dump), POLICY(interface_filter_policy) },
	{ CHANGE(INTERFACE_ADD, interface_add), POLICY(interface_add_policy) },
	{ CHANGE(INTERFACE_DEL, interface_del), POLICY(interface_del_policy) },
	{ CHANGE(INTERFACE_FLUSH, interface_flush), POLICY(role_policy) },
	{ DUMP(PARTNER_GET, partner_dump), .start = partner_dump_start,
	  POLICY(partner_filter_policy) },
	{ CHANGE(PARTNER_ADD, partner_add), POLICY(partner_add_policy) },
	{ CHANGE(PARTNER_DEL, partner_del), POLICY(partner_del_policy) },
	{ CHANGE(PARTNER_FLUSH, partner_flush), POLICY(groups_policy) },
	{ DUMP(RULE_GET, rule_dump), POLICY(staged_policy) },
	{ CHANGE(RULE_SET, rule_set), POLICY(rules_policy) },
	{ DUMP(DROP_GET, drop_dump), POLICY(nothing_policy) },
	{ CHANGE(STATS_RESET, stats_reset), POLICY(nothing_policy) },
	{ QUERY(EXPLAIN, explain), POLICY(explain_policy) },
	{ CHANGE(BEGIN, begin), POLICY(begin_policy) },
	{ CHANGE(COMMIT, commit), POLICY(commit_policy) },
	{ CHANGE(ABORT, abort_transaction), POLICY(nothing_policy) },
	{ CHANGE(CONFIRM, confirm), POLICY(nothing_policy) },
	{ CHANGE(REVERT, revert), POLICY(nothing_policy) },
	{ DUMP(BLOCK_GET, blocks_dump), .start = blocks_dump_start, POLICY(block_filter_policy) },
	{ CHANGE(BLOCK_ADD, block_add), POLICY(block_policy) },
	{ CHANGE(BLOCK_DEL, block_del), POLICY(block_policy) },
	{ CHANGE(BLOCK_FLUSH, block_flush), POLICY(nothing_policy) },
	{ CHANGE(UNDO, undo), POLICY(undo_policy) },
};

struct genl_family edge_netlink_family __ro_after_init = {
	.name = NF_EDGE_GENL_NAME,
	.version = NF_EDGE_GENL_VERSION,
	.netnsok = true,
	.parallel_ops = true,	/* nobody waits for us who asks another family */
	.module = THIS_MODULE,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = edge_events_groups,
	.n_mcgrps = ARRAY_SIZE(edge_events_groups),
};

int __init edge_netlink_init(void)
{
	int err;

	err = netlink_register_notifier(&socket_notifier);
	if (err)
		return err;
	err = genl_register_family(&edge_netlink_family);
	if (err)
		netlink_unregister_notifier(&socket_notifier);
	return err;
}

void edge_netlink_exit(void)
{
	genl_unregister_family(&edge_netlink_family);
	netlink_unregister_notifier(&socket_notifier);
}
