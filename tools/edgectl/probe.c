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
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* linux/bpf.h; the headers of before 6.6 have no tcx. */
enum {
	PROGRAMS_QUERY = 16,	/* BPF_PROG_QUERY */
	TCX_INGRESS = 46,	/* BPF_TCX_INGRESS */
	TCX_EGRESS,
};

/* The kernel writes to all of it, whatever size it is told. */
struct programs_query {
	uint32_t device;
	uint32_t where;
	uint32_t flags;
	uint32_t attach_flags;
	uint64_t ids;
	uint32_t count;
	uint32_t unused;
	uint64_t others[4];
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
static bool target_untracks(struct nlattr *attrs[NFTA_TARGET_MAX + 1])
{
	const struct xt_ct_target_info *info;

	if (!nla_strcmp(attrs[NFTA_TARGET_NAME], "NOTRACK"))
		return true;
	if (nla_strcmp(attrs[NFTA_TARGET_NAME], "CT") || !attrs[NFTA_TARGET_INFO] ||
	    nla_len(attrs[NFTA_TARGET_INFO]) < (int)sizeof(info->flags))
		return false;
	info = nla_data(attrs[NFTA_TARGET_INFO]);	/* every revision begins with the flags */
	return info->flags & XT_CT_NOTRACK;
}

static enum probe_deed deed_of_target(struct nlattr *data)
{
	struct nlattr *attrs[NFTA_TARGET_MAX + 1];

	if (nla_parse_nested(attrs, NFTA_TARGET_MAX, data, NULL) < 0 || !attrs[NFTA_TARGET_NAME])
		return PROBE_NOTHING;
	if (!nla_strcmp(attrs[NFTA_TARGET_NAME], "NFQUEUE"))
		return PROBE_QUEUES;
	return target_untracks(attrs) ? PROBE_UNTRACKS : PROBE_NOTHING;
}

static enum probe_deed deed_of_expression(struct nlattr *attrs[NFTA_EXPR_MAX + 1])
{
	static const struct {
		const char *name;
		enum probe_deed deed;
	} deeds[] = {
		{ "notrack", PROBE_UNTRACKS },
		{ "fwd", PROBE_FORWARDS },
		{ "queue", PROBE_QUEUES },
	};
	size_t i;

	for (i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
		if (!nla_strcmp(attrs[NFTA_EXPR_NAME], deeds[i].name))
			return deeds[i].deed;
	}
	if (!nla_strcmp(attrs[NFTA_EXPR_NAME], "target") && attrs[NFTA_EXPR_DATA])
		return deed_of_target(attrs[NFTA_EXPR_DATA]);
	return PROBE_NOTHING;
}

static enum probe_deed deed_of(struct nlattr *expressions)
{
	struct nlattr *attrs[NFTA_EXPR_MAX + 1], *each;
	enum probe_deed deed = PROBE_NOTHING;
	int left;

	nla_for_each_nested(each, expressions, left) {
		if (!deed && nla_parse_nested(attrs, NFTA_EXPR_MAX, each, NULL) >= 0 &&
		    attrs[NFTA_EXPR_NAME])
			deed = deed_of_expression(attrs);
	}
	return deed;
}

static bool fill_rule(struct nlmsghdr *header, void *element)
{
	struct nlattr *attrs[NFTA_RULE_MAX + 1];
	struct probe_rule *rule = element;

	if (!read_attrs(header, attrs, NFTA_RULE_MAX) || !attrs[NFTA_RULE_EXPRESSIONS])
		return false;
	rule->deed = deed_of(attrs[NFTA_RULE_EXPRESSIONS]);
	if (rule->deed == PROBE_NOTHING)
		return false;
	put_family(rule->family, family_of(header));
	get_text(attrs[NFTA_RULE_TABLE], rule->table, sizeof(rule->table));
	get_text(attrs[NFTA_RULE_CHAIN], rule->chain, sizeof(rule->chain));
	if (attrs[NFTA_RULE_HANDLE])
		rule->handle = be64toh(nla_get_u64(attrs[NFTA_RULE_HANDLE]));
	return true;
}

int probe_rules(struct probe_rule **list, size_t *count)
{
	struct list all = { .size = sizeof(struct probe_rule), .fill = fill_rule };
	int result = dump_tables(NFT_MSG_GETRULE, &all);

	*list = all.elements;
	*count = all.count;
	return result;
}

/* ---- devices ---- */

static bool fill_link(struct nlmsghdr *header, void *element)
{
	struct nlattr *attrs[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1], *xdp[IFLA_XDP_MAX + 1];
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
	if (attrs[IFLA_XDP] && nla_parse_nested(xdp, IFLA_XDP_MAX, attrs[IFLA_XDP], NULL) >= 0)
		link->xdp = xdp[IFLA_XDP_ATTACHED] && nla_get_u8(xdp[IFLA_XDP_ATTACHED]);
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

/* ---- traffic control ---- */

/**
 * struct queue - a queueing discipline, which may have filters
 * @ingress: of what the device receives
 * @egress: of what it sends
 */
struct queue {
	uint32_t device;
	uint32_t handle;
	bool ingress;
	bool egress;
};

static bool fill_queue(struct nlmsghdr *header, void *element)
{
	const struct tcmsg *head = nlmsg_data(header);
	struct nlattr *attrs[TCA_MAX + 1];
	struct queue *queue = element;

	if (nlmsg_parse(header, sizeof(*head), attrs, TCA_MAX, NULL) < 0 || !attrs[TCA_KIND])
		return false;
	queue->device = head->tcm_ifindex;
	queue->handle = head->tcm_handle;
	queue->egress = nla_strcmp(attrs[TCA_KIND], "ingress");
	queue->ingress = !queue->egress || !nla_strcmp(attrs[TCA_KIND], "clsact");
	return queue->handle;	/* the kernel's own choice has none, and no filters */
}

/* Where a filter's options have its actions. */
static int actions_of(struct nlattr *kind)
{
	static const struct {
		const char *kind;
		int attribute;
	} filters[] = {
		{ "basic", TCA_BASIC_ACT },
		{ "bpf", TCA_BPF_ACT },
		{ "cgroup", TCA_CGROUP_ACT },
		{ "flow", TCA_FLOW_ACT },
		{ "flower", TCA_FLOWER_ACT },
		{ "fw", TCA_FW_ACT },
		{ "matchall", TCA_MATCHALL_ACT },
		{ "route", TCA_ROUTE4_ACT },
		{ "u32", TCA_U32_ACT },
	};
	size_t i;

	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (!nla_strcmp(kind, filters[i].kind))
			return filters[i].attribute;
	}
	return 0;
}

static void take_mirred(struct nlattr *options, struct probe_filter *filter)
{
	struct nlattr *attrs[TCA_MIRRED_MAX + 1];
	const struct tc_mirred *mirred;
	bool redirects;

	if (nla_parse_nested(attrs, TCA_MIRRED_MAX, options, NULL) < 0 ||
	    !attrs[TCA_MIRRED_PARMS] || nla_len(attrs[TCA_MIRRED_PARMS]) < (int)sizeof(*mirred))
		return;
	mirred = nla_data(attrs[TCA_MIRRED_PARMS]);
	redirects = mirred->eaction == TCA_EGRESS_REDIR || mirred->eaction == TCA_INGRESS_REDIR;
	if (filter->redirects)
		return;
	filter->redirects = redirects;
	filter->mirrors = !redirects;
	filter->to = mirred->ifindex;
}

static void take_actions(struct nlattr *list, struct probe_filter *filter)
{
	struct nlattr *attrs[TCA_ACT_MAX + 1], *each;
	int left;

	nla_for_each_nested(each, list, left) {
		if (nla_parse_nested(attrs, TCA_ACT_MAX, each, NULL) < 0 || !attrs[TCA_ACT_KIND])
			continue;
		if (!nla_strcmp(attrs[TCA_ACT_KIND], "bpf"))
			filter->program = true;
		if (!nla_strcmp(attrs[TCA_ACT_KIND], "mirred") && attrs[TCA_ACT_OPTIONS])
			take_mirred(attrs[TCA_ACT_OPTIONS], filter);
	}
}

static bool fill_filter(struct nlmsghdr *header, void *element)
{
	struct probe_filter *filter = element;
	struct nlattr *attrs[TCA_MAX + 1], *each;
	int left, actions;

	if (nlmsg_parse(header, sizeof(struct tcmsg), attrs, TCA_MAX, NULL) < 0 ||
	    !attrs[TCA_KIND] || !attrs[TCA_OPTIONS])
		return false;
	filter->program = !nla_strcmp(attrs[TCA_KIND], "bpf");
	actions = actions_of(attrs[TCA_KIND]);
	nla_for_each_nested(each, attrs[TCA_OPTIONS], left) {
		if (actions && nla_type(each) == actions)
			take_actions(each, filter);
	}
	return filter->program || filter->redirects || filter->mirrors;
}

/* Adds the filters at one place of a device to those of other places. */
static int add_filters(const struct queue *queue, uint32_t parent, bool ingress, struct list *all)
{
	const struct tcmsg head = { .tcm_family = AF_UNSPEC, .tcm_ifindex = queue->device,
				    .tcm_parent = parent };
	struct list some = { .size = sizeof(struct probe_filter), .fill = fill_filter };
	int result = dump(NETLINK_ROUTE, RTM_GETTFILTER, &head, sizeof(head), &some);
	struct probe_filter *filter = some.elements;
	size_t i;

	for (i = 0; i < some.count && !result; i++) {
		void *elements = grow(all->elements, all->count, &all->room, all->size);

		if (!elements) {
			result = ENOMEM;
			break;
		}
		all->elements = elements;
		filter[i].device = queue->device;
		filter[i].ingress = ingress;
		((struct probe_filter *)elements)[all->count++] = filter[i];
	}
	free(some.elements);
	return result == EINVAL || result == ENODEV || result == EOPNOTSUPP ? 0 : result;
}

int probe_filters(struct probe_filter **list, size_t *count)
{
	const struct tcmsg head = { .tcm_family = AF_UNSPEC };
	struct list queues = { .size = sizeof(struct queue), .fill = fill_queue };
	struct list all = { .size = sizeof(struct probe_filter) };
	int result = dump(NETLINK_ROUTE, RTM_GETQDISC, &head, sizeof(head), &queues);
	size_t i;

	if (result == EOPNOTSUPP)	/* a kernel without traffic control */
		result = 0;
	for (i = 0; i < queues.count && !result; i++) {
		const struct queue *queue = &((struct queue *)queues.elements)[i];

		uint32_t sent = queue->ingress ? TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS) :
						 queue->handle;

		if (queue->ingress)
			result = add_filters(queue, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), true,
					     &all);
		if (queue->egress && !result)
			result = add_filters(queue, sent, false, &all);
	}
	free(queues.elements);
	*list = all.elements;
	*count = all.count;
	return result;
}

int probe_programs(uint32_t device, bool ingress, uint32_t *count)
{
	struct programs_query query = { .device = device,
					.where = ingress ? TCX_INGRESS : TCX_EGRESS };

	*count = 0;
	if (syscall(SYS_bpf, PROGRAMS_QUERY, &query, sizeof(query)))
		return errno == EPERM ? EPERM : 0;	/* otherwise this kernel has no tcx */
	*count = query.count;
	return 0;
}

/* ---- virtual servers ---- */

/* "CB00710A:13C5", "[2001:0db8:...]:13C5"; false for anything else. */
static bool read_address(const char *text, struct prefix *prefix)
{
	const char *end = strrchr(text, ':');
	char inner[INET6_ADDRSTRLEN];
	uint32_t number;
	char *rest;

	memset(prefix, 0, sizeof(*prefix));
	if (*text == '[' && end && end[-1] == ']') {
		snprintf(inner, sizeof(inner), "%.*s", (int)(end - text - 2), text + 1);
		prefix->size = 16;
		prefix->len = 128;
		return inet_pton(AF_INET6, inner, prefix->bytes) == 1;
	}
	number = htonl(strtoul(text, &rest, 16));
	prefix->size = 4;
	prefix->len = 32;
	memcpy(prefix->bytes, &number, 4);
	return end && rest == end;
}

static enum probe_way way_called(const char *name)
{
	if (!strcmp(name, "Masq"))
		return PROBE_MASQUERADES;
	return strcmp(name, "Tunnel") ? PROBE_ROUTES : PROBE_TUNNELS;
}

/* A line for each service, "TCP CB00710A:13C5 rr", and behind it "-> ADDRESS:PORT WAY ...". */
int probe_servers(struct probe_server **list, size_t *count)
{
	FILE *file = fopen("/proc/net/ip_vs", "re");
	char line[256], first[8], address[64], third[16];
	struct prefix service = { 0 }, real;
	struct probe_server *servers = NULL, *grown;
	size_t room = 0;
	int result = !file && errno != ENOENT ? errno : 0;

	*count = 0;
	while (!result && file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%7s %63s %15s", first, address, third) < 3)
			continue;
		if (strcmp(first, "->")) {	/* some are called by a mark */
			if (!read_address(address, &service))
				service = (struct prefix){ .size = 4 };
			continue;
		}
		if (!read_address(address, &real))
			continue;
		grown = grow(servers, *count, &room, sizeof(*servers));
		if (grown) {
			servers = grown;
			servers[(*count)++] = (struct probe_server){ service, real,
								     way_called(third) };
		} else {
			result = ENOMEM;
		}
	}
	if (file)
		fclose(file);
	*list = servers;
	return result;
}

/* ---- routes ---- */

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
