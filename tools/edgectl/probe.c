// SPDX-License-Identifier: GPL-2.0-only
/*
 * probe: looks at what stands beside the module. Speaks nfnetlink and rtnetlink, as nl.c speaks
 * generic netlink: other families, other headers, and no sentence with an error.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

#define DUMP_TRIES	5

/* linux/netfilter/nfnetlink_hook.h, which headers before 5.14 do not have. */
enum {
	HOOK_SUBSYSTEM = 12,
	HOOK_GET = 0,

	HOOK_NUMBER = 1,
	HOOK_PRIORITY,
	HOOK_DEVICE,
	HOOK_FUNCTION,
	HOOK_MODULE,
	HOOK_CHAIN,
	HOOK_ATTRS,

	HOOK_CHAIN_DESCRIPTION = 1,
	HOOK_CHAIN_ATTRS = 3,

	DESCRIPTION_TABLE = 1,
	DESCRIPTION_FAMILY,
	DESCRIPTION_NAME,
	DESCRIPTION_ATTRS,
};

/* Takes one message of an answer; 0, or an errno. */
typedef int (*take_fn)(struct nlmsghdr *header, void *into);

struct answer {
	take_fn take;
	void *into;
	int error;
};

static int take_message(struct nl_msg *message, void *arg)
{
	struct answer *answer = arg;

	if (!answer->error)
		answer->error = answer->take(nlmsg_hdr(message), answer->into);
	return NL_OK;
}

static int take_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	struct answer *answer = arg;

	(void)from;
	answer->error = -error->error;
	return NL_STOP;
}

static int converse(struct nl_sock *sock, int protocol, struct nl_msg *message,
		    struct answer *answer)
{
	int result;

	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, take_message, answer);
	nl_socket_modify_err_cb(sock, NL_CB_CUSTOM, take_error, answer);
	result = nl_connect(sock, protocol);
	if (result < 0)
		return EPROTONOSUPPORT;
	result = nl_send_auto(sock, message);
	if (result >= 0)
		result = nl_recvmsgs_default(sock);
	if (answer->error)
		return answer->error;
	return result == -NLE_DUMP_INTR ? EAGAIN : result < 0 ? EIO : 0;
}

/* Sends @message, which is consumed, and takes what comes back. */
static int ask(int protocol, struct nl_msg *message, take_fn take, void *into)
{
	struct answer answer = { .take = take, .into = into };
	struct nl_sock *sock = nl_socket_alloc();
	int result = ENOMEM;

	if (sock && message)
		result = converse(sock, protocol, message, &answer);
	nlmsg_free(message);
	nl_socket_free(sock);
	return result;
}

/* ---- lists ---- */

/**
 * struct list - what a dump is gathered into
 * @size: bytes of an element
 * @fill: fills a zeroed element; false: this message is none
 */
struct list {
	void *elements;
	size_t count;
	size_t room;
	size_t size;
	bool (*fill)(struct nlmsghdr *header, void *element);
};

static int take_element(struct nlmsghdr *header, void *into)
{
	struct list *list = into;
	void *elements = grow(list->elements, list->count, &list->room, list->size);
	char *element;

	if (!elements)
		return ENOMEM;
	list->elements = elements;
	element = (char *)elements + list->count * list->size;
	memset(element, 0, list->size);
	if (list->fill(header, element))
		list->count++;
	return 0;
}

/* Asks until nothing has moved meanwhile. @fixed: the header behind netlink's. */
static int dump(int protocol, int type, const void *fixed, size_t size, struct list *list)
{
	struct nl_msg *message;
	int try, result = EAGAIN;

	for (try = 0; try < DUMP_TRIES && result == EAGAIN; try++) {
		list->count = 0;
		message = nlmsg_alloc_simple(type, NLM_F_DUMP);
		if (message)
			nlmsg_append(message, (void *)fixed, size, NLMSG_ALIGNTO);
		result = ask(protocol, message, take_element, list);
	}
	if (result) {
		free(list->elements);
		list->elements = NULL;
		list->count = 0;
	}
	return result;
}

static void get_text(const struct nlattr *attr, char *to, size_t size)
{
	*to = '\0';
	if (attr)
		nla_strlcpy(to, attr, size);
}

/* Netfilter's integers travel in network order. */
static uint32_t get_be32(const struct nlattr *attr)
{
	return attr ? ntohl(nla_get_u32(attr)) : 0;
}

/* ---- netfilter ---- */

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_BRIDGE:
		return "bridge";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_NETDEV:
		return "netdev";
	default:
		return "?";
	}
}

static void put_family(char to[8], uint8_t family)
{
	snprintf(to, 8, "%s", family_name(family));
}

static uint8_t family_of(struct nlmsghdr *header)
{
	return ((struct nfgenmsg *)nlmsg_data(header))->nfgen_family;
}

static bool read_attrs(struct nlmsghdr *header, struct nlattr **attrs, int max)
{
	return nlmsg_parse(header, sizeof(struct nfgenmsg), attrs, max, NULL) >= 0;
}

/* The nftables chain behind a hook. */
static void fill_chain(struct nlattr *attr, struct probe_hook *hook)
{
	struct nlattr *chain[HOOK_CHAIN_ATTRS], *told[DESCRIPTION_ATTRS];

	if (!attr || nla_parse_nested(chain, HOOK_CHAIN_ATTRS - 1, attr, NULL) < 0 ||
	    !chain[HOOK_CHAIN_DESCRIPTION] ||
	    nla_parse_nested(told, DESCRIPTION_ATTRS - 1, chain[HOOK_CHAIN_DESCRIPTION], NULL) < 0)
		return;
	if (told[DESCRIPTION_FAMILY])
		put_family(hook->family, nla_get_u8(told[DESCRIPTION_FAMILY]));
	get_text(told[DESCRIPTION_TABLE], hook->table, sizeof(hook->table));
	get_text(told[DESCRIPTION_NAME], hook->chain, sizeof(hook->chain));
}

static bool fill_hook(struct nlmsghdr *header, void *element)
{
	struct nlattr *attrs[HOOK_ATTRS];
	struct probe_hook *hook = element;

	if (!read_attrs(header, attrs, HOOK_ATTRS - 1))
		return false;
	hook->point = get_be32(attrs[HOOK_NUMBER]);
	hook->priority = get_be32(attrs[HOOK_PRIORITY]);
	get_text(attrs[HOOK_FUNCTION], hook->function, sizeof(hook->function));
	get_text(attrs[HOOK_MODULE], hook->module, sizeof(hook->module));
	fill_chain(attrs[HOOK_CHAIN], hook);
	return true;
}

int probe_hooks(uint8_t family, uint32_t point, struct probe_hook **list, size_t *count)
{
	const struct {
		struct nfgenmsg head;
		struct nlattr attr;
		uint32_t number;
	} request = {
		.head = { .nfgen_family = family },
		.attr = { .nla_len = NLA_HDRLEN + 4, .nla_type = HOOK_NUMBER },
		.number = htonl(point),
	};
	struct list all = { .size = sizeof(struct probe_hook), .fill = fill_hook };
	int result = dump(NETLINK_NETFILTER, HOOK_SUBSYSTEM << 8 | HOOK_GET, &request,
			  sizeof(request), &all);

	*list = all.elements;
	*count = all.count;
	return result;
}

static int dump_tables(int type, struct list *list)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_UNSPEC };
	int result = dump(NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | type, &head,
			  sizeof(head), list);

	/* A kernel without nftables has none of it. */
	return result == EINVAL || result == EPROTONOSUPPORT || result == EOPNOTSUPP ? 0 : result;
}

static void fill_devices(struct nlattr *hook, char *to, size_t size)
{
	struct nlattr *attrs[NFTA_FLOWTABLE_HOOK_MAX + 1], *device;
	size_t length = 0;
	int left;

	if (nla_parse_nested(attrs, NFTA_FLOWTABLE_HOOK_MAX, hook, NULL) < 0 ||
	    !attrs[NFTA_FLOWTABLE_HOOK_DEVS])
		return;
	nla_for_each_nested(device, attrs[NFTA_FLOWTABLE_HOOK_DEVS], left) {
		if (length >= size)
			break;
		length += snprintf(to + length, size - length, "%s%.16s", length ? "," : "",
				   nla_get_string(device));
	}
}

static bool fill_flowtable(struct nlmsghdr *header, void *element)
{
	struct nlattr *attrs[NFTA_FLOWTABLE_MAX + 1];
	struct probe_flowtable *flowtable = element;

	if (!read_attrs(header, attrs, NFTA_FLOWTABLE_MAX))
		return false;
	put_family(flowtable->family, family_of(header));
	get_text(attrs[NFTA_FLOWTABLE_TABLE], flowtable->table, sizeof(flowtable->table));
	get_text(attrs[NFTA_FLOWTABLE_NAME], flowtable->name, sizeof(flowtable->name));
	flowtable->users = get_be32(attrs[NFTA_FLOWTABLE_USE]);
	flowtable->hardware = get_be32(attrs[NFTA_FLOWTABLE_FLAGS]) & NFT_FLOWTABLE_HW_OFFLOAD;
	if (attrs[NFTA_FLOWTABLE_HOOK])
		fill_devices(attrs[NFTA_FLOWTABLE_HOOK], flowtable->devices,
			     sizeof(flowtable->devices));
	return true;
}

int probe_flowtables(struct probe_flowtable **list, size_t *count)
{
	struct list all = { .size = sizeof(struct probe_flowtable), .fill = fill_flowtable };
	int result = dump_tables(NFT_MSG_GETFLOWTABLE, &all);

	*list = all.elements;
	*count = all.count;
	return result;
}

/* iptables-nft keeps what nftables has no expression for as xtables had it. */
static bool target_untracks(struct nlattr *data)
{
	struct nlattr *attrs[NFTA_TARGET_MAX + 1];
	const struct xt_ct_target_info *info;

	if (nla_parse_nested(attrs, NFTA_TARGET_MAX, data, NULL) < 0 || !attrs[NFTA_TARGET_NAME])
		return false;
	if (!nla_strcmp(attrs[NFTA_TARGET_NAME], "NOTRACK"))
		return true;
	if (nla_strcmp(attrs[NFTA_TARGET_NAME], "CT") || !attrs[NFTA_TARGET_INFO] ||
	    nla_len(attrs[NFTA_TARGET_INFO]) < (int)sizeof(info->flags))
		return false;
	info = nla_data(attrs[NFTA_TARGET_INFO]);	/* every revision begins with the flags */
	return info->flags & XT_CT_NOTRACK;
}

static bool untracks(struct nlattr *expressions)
{
	struct nlattr *attrs[NFTA_EXPR_MAX + 1], *each;
	int left;

	nla_for_each_nested(each, expressions, left) {
		if (nla_parse_nested(attrs, NFTA_EXPR_MAX, each, NULL) < 0 ||
		    !attrs[NFTA_EXPR_NAME])
			continue;
		if (!nla_strcmp(attrs[NFTA_EXPR_NAME], "notrack"))
			return true;
		if (!nla_strcmp(attrs[NFTA_EXPR_NAME], "target") && attrs[NFTA_EXPR_DATA] &&
		    target_untracks(attrs[NFTA_EXPR_DATA]))
			return true;
	}
	return false;
}

static bool fill_rule(struct nlmsghdr *header, void *element)
{
	struct nlattr *attrs[NFTA_RULE_MAX + 1];
	struct probe_rule *rule = element;

	if (!read_attrs(header, attrs, NFTA_RULE_MAX) || !attrs[NFTA_RULE_EXPRESSIONS] ||
	    !untracks(attrs[NFTA_RULE_EXPRESSIONS]))
		return false;
	put_family(rule->family, family_of(header));
	get_text(attrs[NFTA_RULE_TABLE], rule->table, sizeof(rule->table));
	get_text(attrs[NFTA_RULE_CHAIN], rule->chain, sizeof(rule->chain));
	if (attrs[NFTA_RULE_HANDLE])
		rule->handle = be64toh(nla_get_u64(attrs[NFTA_RULE_HANDLE]));
	return true;
}

int probe_untracking(struct probe_rule **list, size_t *count)
{
	struct list all = { .size = sizeof(struct probe_rule), .fill = fill_rule };
	int result = dump_tables(NFT_MSG_GETRULE, &all);

	*list = all.elements;
	*count = all.count;
	return result;
}

/* ---- devices and routes ---- */

static bool fill_link(struct nlmsghdr *header, void *element)
{
	struct nlattr *attrs[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	const struct ifinfomsg *head = nlmsg_data(header);
	struct probe_link *link = element;

	if (nlmsg_parse(header, sizeof(*head), attrs, IFLA_MAX, NULL) < 0)
		return false;
	link->index = head->ifi_index;
	link->up = head->ifi_flags & IFF_UP;
	link->master = attrs[IFLA_MASTER] ? nla_get_u32(attrs[IFLA_MASTER]) : 0;
	get_text(attrs[IFLA_IFNAME], link->name, sizeof(link->name));
	if (attrs[IFLA_LINKINFO] &&
	    nla_parse_nested(info, IFLA_INFO_MAX, attrs[IFLA_LINKINFO], NULL) >= 0)
		get_text(info[IFLA_INFO_KIND], link->kind, sizeof(link->kind));
	return true;
}

int probe_links(struct probe_link **list, size_t *count)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct list all = { .size = sizeof(struct probe_link), .fill = fill_link };
	int result = dump(NETLINK_ROUTE, RTM_GETLINK, &head, sizeof(head), &all);

	*list = all.elements;
	*count = all.count;
	return result;
}

static int take_route(struct nlmsghdr *header, void *into)
{
	struct nlattr *attrs[RTA_MAX + 1];
	const struct rtmsg *head = nlmsg_data(header);
	struct probe_route *route = into;

	if (header->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(header, sizeof(*head), attrs, RTA_MAX, NULL) < 0)
		return EPROTO;
	if (head->rtm_type != RTN_UNICAST && head->rtm_type != RTN_LOCAL)
		return ENETUNREACH;
	route->local = head->rtm_type == RTN_LOCAL;
	route->gateway = attrs[RTA_GATEWAY] || attrs[RTA_VIA];
	route->device = attrs[RTA_OIF] ? nla_get_u32(attrs[RTA_OIF]) : 0;
	return 0;
}

int probe_route(const struct prefix *to, const struct prefix *from, uint32_t iif,
		struct probe_route *route)
{
	const struct rtmsg head = {
		.rtm_family = to->size == 4 ? AF_INET : AF_INET6,
		.rtm_dst_len = to->size * 8,
		.rtm_src_len = from ? from->size * 8 : 0,
	};
	struct nl_msg *message = nlmsg_alloc_simple(RTM_GETROUTE, 0);

	memset(route, 0, sizeof(*route));
	if (message) {
		nlmsg_append(message, (void *)&head, sizeof(head), NLMSG_ALIGNTO);
		nla_put(message, RTA_DST, to->size, to->bytes);
		if (from)
			nla_put(message, RTA_SRC, from->size, from->bytes);
		if (iif)
			nla_put_u32(message, RTA_IIF, iif);
	}
	return ask(NETLINK_ROUTE, message, take_route, route);
}
