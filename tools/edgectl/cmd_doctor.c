// SPDX-License-Identifier: GPL-2.0-only
/*
 * doctor: what keeps the policy from doing its work, and what to do about it
 *
 * Each check looks at one thing and reports what it finds, once, with a remedy. What
 * it may not see, or the kernel cannot show, it reports as unseen.
 */
#include <errno.h>
#include <glob.h>
#include <netinet/in.h>	/* ahead of linux/netfilter.h, which then does not say it again */
#include <linux/netfilter.h>
#include <resolv.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edgectl.h"
#include "probe.h"

#define POLICY_FILE	"/etc/nf_edge/policy.conf"
#define UNIT		"nf_edge.service"
#define TEXT		1024	/* bytes for a sentence */
#define ROLES_TEXT	32	/* bytes for all roles, comma separated */
#define NEARLY_FULL	90	/* percent */
#define EDGES_SHOWN	4	/* in a remedy */
#define LOOKED_AT	64	/* partners whose route is asked for, for each Edge address */

enum level {
	PROBLEM,	/* makes the exit status 1 */
	UNSEEN,		/* could not be looked at */
	FACT,
};

/**
 * struct doctor - what the checks know, and where they report
 * @problems: number found
 * @loaded: the module answers, and the policy is known
 * @policy: that is in force; an entry for each Edge address
 * @tagged: the bridge that was last reported for its frames with a VLAN tag
 */
struct doctor {
	const struct options *options;
	struct out out;
	size_t problems;
	bool loaded;
	struct saved policy;
	struct probe_link *links;
	size_t link_count;
	const struct probe_link *tagged;
};

/* ---- reporting ---- */

/* The remedy as it is typed for the network namespace that is looked at. */
static const char *typed_remedy(const struct doctor *doctor, const char *remedy, char text[TEXT])
{
	static const char command[] = "edgectl ";
	const char *at, *netns = doctor->options->netns;
	FILE *file;

	if (!netns || !remedy)
		return remedy;
	file = fmemopen(text, TEXT, "w");
	if (!file)
		abort();
	for (; (at = strstr(remedy, command)); remedy = at) {
		at += strlen(command);
		fwrite(remedy, at - remedy, 1, file);
		if (is_object(at, strcspn(at, " ,;&")))
			fprintf(file, "-n %s ", netns);
	}
	fputs(remedy, file);
	fclose(file);
	return text;
}

/* @check names what was looked at, @remedy what to do, NULL: nothing. */
__attribute__((format(printf, 5, 6)))
static void found(struct doctor *doctor, enum level level, const char *check, const char *remedy,
		  const char *format, ...)
{
	static const char *const names[] = { "problem", "unseen", "fact" };
	static const enum out_colour colours[] = { OUT_RED, OUT_YELLOW, OUT_PLAIN };
	struct out *out = &doctor->out;
	char text[TEXT], typed[TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	remedy = typed_remedy(doctor, remedy, typed);
	doctor->problems += level == PROBLEM;
	out_marked(out, colours[level], names[level], "%s%s%s", text, remedy ? "; remedy: " : "",
		   remedy ? remedy : "");
	if (!out->json)
		return;
	out_row(out);
	out_string(out, "level", names[level]);
	out_string(out, "check", check);
	out_string(out, "text", text);
	out_string(out, "remedy", remedy);
	out_row_end(out);
}

__attribute__((format(printf, 2, 3)))
static const char *sentence_of(char text[TEXT], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, TEXT, format, args);
	va_end(args);
	return text;
}

/* Why a probe came to nothing. */
static const char *reason_of(int error)
{
	return error == EPERM ? "only root may look" : strerror(error);
}

static const char *cure_of(int error)
{
	return error == EPERM ? "sudo edgectl doctor" : NULL;
}

/* ---- the module ---- */

/* One entry for each address, with all its roles: listed, each role has one of its own. */
static void merge_roles(struct doctor *doctor)
{
	struct entry *list = doctor->policy.interfaces;
	size_t i, count = 0;

	for (i = 0; i < doctor->policy.interface_count; i++) {
		if (count && !memcmp(&list[count - 1].prefix, &list[i].prefix,
				     sizeof(list->prefix))) {
			list[count - 1].mask |= list[i].mask;
			free(list[i].text);
		} else {
			list[count++] = list[i];
		}
	}
	doctor->policy.interface_count = count;
}

static void check_module(struct doctor *doctor)
{
	struct nl *nl = nl_attach();

	doctor->loaded = !policy_gather_once(nl, &doctor->policy);
	merge_roles(doctor);
	if (!doctor->loaded)
		found(doctor, PROBLEM, "module",
		      nl_error(nl)->code == ENOENT ?
		      "modprobe nf_edge; when that fails, dmesg and dkms status say why" :
		      "install module and edgectl of one version, and load the module anew",
		      "%s", nl_error(nl)->text);
	else if (strcmp(doctor->policy.status.version, NF_EDGE_VERSION))
		found(doctor, PROBLEM, "module",
		      "install both of one version; then upgrade in place (install.md), or reboot",
		      "the module is version %s, edgectl " NF_EDGE_VERSION,
		      doctor->policy.status.version);
	nl_detach(nl);
}

/* ---- the policy ---- */

static bool is_group(const char *name, int group)
{
	return !strcmp(name, group_names[group]);
}

static uint32_t groups_in_use(const struct doctor *doctor)
{
	uint32_t groups = 0;
	size_t i;

	for (i = 0; i < doctor->policy.partner_count; i++)
		groups |= doctor->policy.partners[i].mask;
	return groups;
}

/* The enabled rows that admit only a group's partners, of whom there are none. */
static void check_group(struct doctor *doctor, int group)
{
	char rows[TEXT] = "", remedy[TEXT];
	size_t i;

	for (i = 0; i < doctor->policy.rule_count; i++) {
		const struct rule *rule = &doctor->policy.rules[i];

		if (rule->enabled && rule->peers == NF_EDGE_PEERS_LISTED &&
		    (is_group(rule->from, group) || is_group(rule->to, group)))
			append_word(rows, sizeof(rows), " ", row_names[rule->row]);
	}
	if (!*rows)
		return;
	found(doctor, PROBLEM, "policy",
	      sentence_of(remedy,
			  "edgectl rule disable %s, or edgectl partner add ADDRESS group %s", rows,
			  group_names[group]),
	      "no partner is in group %s: nobody is admitted by %s", group_names[group], rows);
}

static void check_confirmation(struct doctor *doctor)
{
	if (doctor->policy.status.left < 0)
		return;
	found(doctor, PROBLEM, "policy",
	      "edgectl confirm keeps it, edgectl revert takes it back at once",
	      "the policy in force is taken back in %d s unless it is confirmed",
	      doctor->policy.status.left);
}

static void check_policy(struct doctor *doctor)
{
	uint32_t groups = groups_in_use(doctor);
	int group;

	check_confirmation(doctor);
	if (doctor->policy.status.settings.mode == NF_EDGE_MODE_AUDIT)
		found(doctor, PROBLEM, "policy", "edgectl mode enforce",
		      "mode audit: what the policy refuses is counted, and passes");
	if (doctor->policy.status.settings.mode == NF_EDGE_MODE_OFF)
		found(doctor, PROBLEM, "policy", "edgectl mode enforce",
		      "mode off: nothing is judged");
	if (!doctor->policy.interface_count) {
		found(doctor, PROBLEM, "policy",
		      access(POLICY_FILE, R_OK) ? "edgectl interface add access ADDRESS" :
						  "edgectl load " POLICY_FILE,
		      "there is no Edge address: nothing is judged");
		return;
	}
	for (group = 0; group_names[group]; group++) {
		if (!(groups & 1u << group))
			check_group(doctor, group);
	}
}

/* ---- hooks ---- */

/* Where the module's gates are, and how many. */
static const struct point {
	uint32_t number;
	size_t gates;
	const char *name;
} points[] = {
	{ NF_INET_PRE_ROUTING, 1, "prerouting" },
	{ NF_INET_LOCAL_IN, 1, "input" },
	{ NF_INET_FORWARD, 1, "forward" },
	{ NF_INET_LOCAL_OUT, 2, "output" },
};

#define POINTS	(sizeof(points) / sizeof(points[0]))

static bool is_ours(const struct probe_hook *hook)
{
	return !strcmp(hook->module, "nf_edge");
}

/* Tracking, defragmentation and address translation: always there, and nobody's rules. */
static bool is_plumbing(const struct probe_hook *hook)
{
	return !*hook->chain && (!strncmp(hook->module, "nf_", 3) || !*hook->module);
}

static void describe(const struct probe_hook *hook, char text[TEXT])
{
	if (is_ours(hook))
		snprintf(text, TEXT, "nf_edge (%d)", hook->priority);
	else if (*hook->chain)
		snprintf(text, TEXT, "chain %s %s %s (%d)", hook->family, hook->table, hook->chain,
			 hook->priority);
	else
		snprintf(text, TEXT, "%s (%d)", hook->module, hook->priority);
}

/* Puts them in order into @text, which stays empty when nobody is there but we. */
static size_t order_of(const struct probe_hook *list, size_t count, char text[TEXT])
{
	size_t i, ours = 0, others = 0;
	char one[TEXT];

	*text = '\0';
	for (i = 0; i < count; i++) {
		ours += is_ours(&list[i]);
		if (!is_ours(&list[i]) && is_plumbing(&list[i]))
			continue;
		others += !is_ours(&list[i]);
		describe(&list[i], one);
		append_word(text, TEXT, ", ", one);
	}
	if (!others)
		*text = '\0';
	return ours;
}

static int look_at(struct doctor *doctor, uint8_t family, const struct point *point,
		   char text[TEXT])
{
	struct probe_hook *list;
	size_t count, ours;
	int result = probe_hooks(family, point->number, &list, &count);

	if (result)
		return result;
	ours = order_of(list, count, text);
	free(list);
	if (doctor->loaded && doctor->policy.interface_count &&
	    doctor->policy.status.settings.mode != NF_EDGE_MODE_OFF && ours < point->gates)
		found(doctor, PROBLEM, "hooks",
		      "edgectl mode off && edgectl mode enforce; report it with what dmesg says",
		      "nf_edge has %zu hooks of %zu in %s of %s", ours, point->gates, point->name,
		      family == NFPROTO_IPV4 ? "IPv4" : "IPv6");
	return 0;
}

static void check_hooks(struct doctor *doctor)
{
	char first[TEXT], second[TEXT];
	int result = 0;
	size_t i;

	for (i = 0; i < POINTS && !result; i++) {
		result = look_at(doctor, NFPROTO_IPV4, &points[i], first);
		if (!result)
			result = look_at(doctor, NFPROTO_IPV6, &points[i], second);
		if (result)
			break;
		if (*first)
			found(doctor, FACT, "hooks", NULL, "%s, %s: %s", points[i].name,
			      strcmp(first, second) ? "IPv4" : "IPv4 and IPv6", first);
		if (*second && strcmp(first, second))
			found(doctor, FACT, "hooks", NULL, "%s, IPv6: %s", points[i].name, second);
	}
	if (result == EINVAL || result == EOPNOTSUPP || result == EPROTONOSUPPORT)
		found(doctor, UNSEEN, "hooks", "edgectl stats tells whether packets are judged",
		      "who else is hooked into netfilter: this kernel does not tell (Linux 5.14 and CONFIG_NETFILTER_NETLINK_HOOK do)");
	else if (result)
		found(doctor, UNSEEN, "hooks", cure_of(result),
		      "who is hooked into netfilter: %s", reason_of(result));
}

/* ---- ways around ---- */

/* The Edge addresses, as far as there is room. */
static const char *edges_of(const struct doctor *doctor, char text[TEXT / 2])
{
	char address[PREFIX_TEXT];
	size_t i;

	*text = '\0';
	for (i = 0; i < doctor->policy.interface_count && i < EDGES_SHOWN; i++)
		append_word(text, TEXT / 2, " ",
			    address_text(&doctor->policy.interfaces[i].prefix, address));
	if (i < doctor->policy.interface_count)
		append_word(text, TEXT / 2, " ", "and the others of edgectl interface list");
	return *text ? text : "the Edge addresses";
}

static void check_flowtables(struct doctor *doctor)
{
	char remedy[TEXT], edges[TEXT / 2];
	struct probe_flowtable *list;
	size_t count, i;
	int result = probe_flowtables(&list, &count);

	if (result)
		found(doctor, UNSEEN, "offload", cure_of(result), "flowtables: %s",
		      reason_of(result));
	for (i = 0; i < count; i++) {
		const struct probe_flowtable *at = &list[i];

		if (!at->users)
			continue;
		found(doctor, PROBLEM, "offload",
		      sentence_of(remedy,
				  "nft -a list table %s %s; its rules that say \"flow add @%s\" must spare %s",
				  at->family, at->table, at->name, edges_of(doctor, edges)),
		      "flowtable %s %s %s (%s) forwards established connections%s past netfilter: they outlive their partner, uncounted",
		      at->family, at->table, at->name, at->devices,
		      at->hardware ? " in hardware," : "");
	}
	free(list);
}

static void report_rule(struct doctor *doctor, const struct probe_rule *at)
{
	char rule[TEXT], remedy[TEXT], edges[TEXT / 2];

	snprintf(rule, TEXT, "rule %llu of chain %s %s %s", (unsigned long long)at->handle,
		 at->family, at->table, at->chain);
	sentence_of(remedy,
		    "nft delete rule %s %s %s handle %llu, or let it spare %s", at->family,
		    at->table, at->chain, (unsigned long long)at->handle, edges_of(doctor, edges));
	switch (at->deed) {
	case PROBE_UNTRACKS:
		found(doctor, PROBLEM, "notrack", remedy,
		      "%s takes packets from connection tracking: the Edge addresses' are dropped as invalid-state",
		      rule);
		break;
	case PROBE_FORWARDS:
		found(doctor, PROBLEM, "bypass", remedy,
		      "%s sends packets out of a device past nf_edge, unjudged and uncounted",
		      rule);
		break;
	default:
		found(doctor, UNSEEN, "queue",
		      "the program must change neither addresses nor ports of the Edge's packets",
		      "what the program changes to which %s hands packets", rule);
		break;
	}
}

static void check_rules(struct doctor *doctor)
{
	struct probe_rule *list;
	size_t count, i;
	int result = probe_rules(&list, &count);

	if (result)
		found(doctor, UNSEEN, "notrack", cure_of(result), "rules: %s", reason_of(result));
	for (i = 0; i < count; i++)
		report_rule(doctor, &list[i]);
	free(list);
}

/* The rules of the older iptables are not nftables' to list; that it has a table is. */
static void check_legacy(struct doctor *doctor, const char *path, const char *command)
{
	FILE *file = fopen(path, "re");
	char line[64], remedy[TEXT];

	if (!file && errno == EACCES)
		found(doctor, UNSEEN, "notrack", cure_of(EPERM), "tables of %s: %s", command,
		      reason_of(EPERM));
	while (file && fgets(line, sizeof(line), file)) {
		if (!strcmp(line, "raw\n"))
			found(doctor, UNSEEN, "notrack",
			      sentence_of(remedy,
					  "%s -t raw -S must not take the Edge addresses from connection tracking",
					  command),
			      "what the table raw of %s holds", command);
	}
	if (file)
		fclose(file);
}

/* ---- connection tracking ---- */

/* 0: it is not there. */
static unsigned long number_in(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long value = 0;
	char line[32];

	if (file && fgets(line, sizeof(line), file))
		value = strtoul(line, NULL, 10);
	if (file)
		fclose(file);
	return value;
}

static void check_tracking(struct doctor *doctor)
{
	unsigned long count = number_in("/proc/sys/net/netfilter/nf_conntrack_count");
	unsigned long max = number_in("/proc/sys/net/netfilter/nf_conntrack_max");
	char remedy[TEXT];

	if (max && count >= max / 100.0 * NEARLY_FULL)
		found(doctor, PROBLEM, "conntrack",
		      sentence_of(remedy,
				  "sysctl net.netfilter.nf_conntrack_max=%lu; conntrack -L tells who fills it",
				  max * 2),
		      "connection tracking holds %lu of %lu connections: when it is full, new ones are dropped",
		      count, max);
}

/* ---- devices and routes ---- */

static const struct probe_link *link_called(const struct doctor *doctor, const char *name)
{
	size_t i;

	for (i = 0; i < doctor->link_count; i++) {
		if (!strcmp(doctor->links[i].name, name))
			return &doctor->links[i];
	}
	return NULL;
}

static const struct probe_link *link_at(const struct doctor *doctor, uint32_t index)
{
	size_t i;

	for (i = 0; i < doctor->link_count; i++) {
		if (doctor->links[i].index == index)
			return &doctor->links[i];
	}
	return NULL;
}

/* The bridge that it is, or is a port of, or NULL. */
static const struct probe_link *bridge_of(const struct doctor *doctor,
					  const struct probe_link *link)
{
	const struct probe_link *master = link ? link_at(doctor, link->master) : NULL;

	if (master && !strcmp(master->kind, "bridge"))
		return master;
	return link && !strcmp(link->kind, "bridge") ? link : NULL;
}

/* The VRF that it is, or belongs to, or NULL. */
static const struct probe_link *vrf_of(const struct doctor *doctor, const struct probe_link *link)
{
	const struct probe_link *master = link_at(doctor, link->master);

	if (master && !strcmp(master->kind, "vrf"))
		return master;
	return strcmp(link->kind, "vrf") ? NULL : link;
}

static size_t ports_of(const struct doctor *doctor, const struct probe_link *bridge)
{
	size_t i, count = 0;

	for (i = 0; i < doctor->link_count; i++)
		count += doctor->links[i].master == bridge->index;
	return count;
}

static const char *name_of(const struct entry *entry, char text[TEXT])
{
	char address[PREFIX_TEXT], roles[ROLES_TEXT];

	return sentence_of(text, "%s %s", names_text(role_names, entry->mask, roles),
			   address_text(&entry->prefix, address));
}

/* The role whose addresses serve the row. */
static uint32_t role_of(const struct doctor *doctor, const struct rule *rule)
{
	uint32_t all = 0, role;
	size_t i;

	for (i = 0; i < doctor->policy.interface_count; i++)
		all |= doctor->policy.interfaces[i].mask;
	for (role = 0; role < NF_EDGE_ROLE_COUNT; role++) {
		if (!strcmp(rule->from, role_names[role]) || !strcmp(rule->to, role_names[role]))
			break;
	}
	/* While there is no A/V address the others serve its rows. */
	return role == NF_EDGE_ROLE_AV && !(all & 1u << role) ? NF_EDGE_ROLE_ACCESS : role;
}

/* The groups of the rows that an address with these roles serves. */
static uint32_t groups_of(const struct doctor *doctor, uint32_t roles)
{
	uint32_t groups = 0;
	size_t i;
	int group;

	for (i = 0; i < doctor->policy.rule_count; i++) {
		const struct rule *rule = &doctor->policy.rules[i];

		if (!rule->enabled || !(roles & 1u << role_of(doctor, rule)))
			continue;
		for (group = 0; group_names[group]; group++) {
			if (is_group(rule->from, group) || is_group(rule->to, group))
				groups |= 1u << group;
		}
	}
	return groups;
}

/* Where to @to from the Edge address, which lies @behind. */
static int route_to(const struct prefix *to, const struct entry *entry,
		    const struct probe_route *behind, struct probe_route *route)
{
	if (!behind->local && !probe_route(to, &entry->prefix, behind->device, route))
		return 0;
	return probe_route(to, NULL, 0, route);
}

/* The whole change that binds the address to another device, or to none, with all its roles. */
static const char *rebinding(const struct entry *entry, const char *device, char text[TEXT])
{
	static const char *const actions[] = { "del", "add" };
	char address[PREFIX_TEXT];
	size_t i, length;
	uint32_t role;

	address_text(&entry->prefix, address);
	length = snprintf(text, TEXT, "printf '%%s\\n'");
	for (i = 0; i < 2; i++) {
		for (role = 0; role_names[role]; role++) {
			if (!(entry->mask & 1u << role))
				continue;
			length += snprintf(text + length, TEXT - length,
					   " 'interface %s %s %s%s%s'", actions[i],
					   role_names[role], address, i && device ? " dev " : "",
					   i && device ? device : "");
		}
	}
	snprintf(text + length, TEXT - length, " | edgectl load --merge -");
	return text;
}

/*
 * The device on the way to the first partner of the address's family that is not on this machine;
 * NULL: there is none.
 */
static const char *device_of_remotes(const struct doctor *doctor, const struct entry *entry)
{
	const struct probe_link *link;
	struct probe_route route;
	size_t i, looked = 0;

	for (i = 0; i < doctor->policy.partner_count && looked < LOOKED_AT; i++) {
		const struct entry *at = &doctor->policy.partners[i];

		if (at->prefix.size != entry->prefix.size)
			continue;
		looked++;
		if (probe_route(&at->prefix, NULL, 0, &route) || route.local)
			continue;
		link = link_at(doctor, route.device);
		return link ? link->name : NULL;
	}
	return NULL;
}

/*
 * Bound is the device behind which the remote parties are: the way to them leads
 * through it, or what they send and are sent is dropped. Asks for the first partners
 * of the address's rows.
 */
static void check_remotes(struct doctor *doctor, const struct entry *entry,
			  const struct probe_link *link, const struct probe_route *behind)
{
	uint32_t groups = groups_of(doctor, entry->mask);
	char name[TEXT], remedy[TEXT], bind[TEXT], partner[PREFIX_TEXT], address[PREFIX_TEXT];
	const struct probe_link *other;
	const struct entry *last = NULL;
	struct probe_route route;
	size_t i, looked = 0;

	for (i = 0; i < doctor->policy.partner_count && looked < LOOKED_AT; i++) {
		const struct entry *at = &doctor->policy.partners[i];

		if (!(at->mask & groups) || at->prefix.size != entry->prefix.size)
			continue;
		if (last && !prefix_compare(&last->prefix, &at->prefix))
			continue;	/* listed once for each of its domains */
		last = at;
		looked++;
		if (route_to(&at->prefix, entry, behind, &route) || route.local ||
		    route.device == link->index)
			continue;
		other = link_at(doctor, route.device);
		found(doctor, PROBLEM, "device",
		      sentence_of(remedy,
				  "%s; or, where the route is wrong, mend it: ip route get %s",
				  rebinding(entry, other ? other->name : NULL, bind),
				  address_text(&at->prefix, address)),
		      "%s is bound to %s, and partner %s is behind %s: dropped as wrong-device",
		      name_of(entry, name), link->name, prefix_text(&at->prefix, partner),
		      other ? other->name : "another");
		return;
	}
}

/* With br_netfilter, frames with a VLAN tag pass all the same, unless it is told otherwise. */
static void check_tagged(struct doctor *doctor, const struct probe_link *bridge)
{
	if (bridge == doctor->tagged ||
	    number_in("/proc/sys/net/bridge/bridge-nf-filter-vlan-tagged") == 1)
		return;
	doctor->tagged = bridge;
	found(doctor, UNSEEN, "bridge",
	      "sysctl net.bridge.bridge-nf-filter-vlan-tagged=1, unless no frame has a VLAN tag",
	      "what bridge %s forwards with a VLAN tag", bridge->name);
}

/* What a bridge forwards by itself netfilter's hooks for IP see with br_netfilter only. */
static void check_bridge(struct doctor *doctor, const struct entry *entry,
			 const struct probe_link *link, const struct probe_link *inner)
{
	const struct probe_link *bridge = bridge_of(doctor, link);
	bool v4 = entry->prefix.size == 4;
	char name[TEXT];

	if (!bridge || (inner && bridge_of(doctor, inner) != bridge) ||
	    ports_of(doctor, bridge) < 2)
		return;
	if (number_in(v4 ? "/proc/sys/net/bridge/bridge-nf-call-iptables" :
			   "/proc/sys/net/bridge/bridge-nf-call-ip6tables") == 1) {
		check_tagged(doctor, bridge);
		return;
	}
	found(doctor, PROBLEM, "bridge",
	      v4 ?
	      "modprobe br_netfilter; sysctl net.bridge.bridge-nf-call-iptables=1" :
	      "modprobe br_netfilter; sysctl net.bridge.bridge-nf-call-ip6tables=1",
	      "bridge %s carries %s between its own ports, past nf_edge", bridge->name,
	      name_of(entry, name));
}

/* False: there is nothing more to say of this address. */
static bool check_device(struct doctor *doctor, const struct entry *entry,
			 const struct probe_link *link)
{
	char name[TEXT], remedy[TEXT];
	const struct probe_link *bridge, *vrf;

	name_of(entry, name);
	if (!link) {
		found(doctor, PROBLEM, "device",
		      rebinding(entry, device_of_remotes(doctor, entry), remedy),
		      "%s is bound to %s, and there is no such device: all its traffic is dropped as wrong-device",
		      name, entry->text);
		return false;
	}
	if (!link->up)
		found(doctor, PROBLEM, "device",
		      sentence_of(remedy, "ip link set %s up", link->name),
		      "%s is bound to %s, which is down", name, link->name);
	bridge = bridge_of(doctor, link);
	if (bridge && bridge != link)
		found(doctor, PROBLEM, "device",
		      rebinding(entry, bridge->name, remedy),
		      "%s is bound to %s, a port of bridge %s: packets enter by the bridge, and are dropped as wrong-device",
		      name, link->name, bridge->name);
	vrf = vrf_of(doctor, link);
	if (vrf)
		found(doctor, PROBLEM, "device",
		      rebinding(entry, NULL, remedy),
		      "%s is bound to %s, %s VRF %s: packets pass the hooks as the VRF's and as its member's, and are dropped as wrong-device",
		      name, link->name, vrf == link ? "which is" : "a member of", vrf->name);
	return link->up && (!bridge || bridge == link) && !vrf;
}

static void check_interface(struct doctor *doctor, const struct entry *entry)
{
	const struct probe_link *link = entry->text ? link_called(doctor, entry->text) : NULL;
	char name[TEXT], remedy[TEXT], bind[TEXT], address[PREFIX_TEXT];
	struct probe_route behind;
	bool well = !entry->text || check_device(doctor, entry, link);
	bool routed = !probe_route(&entry->prefix, NULL, 0, &behind);

	check_bridge(doctor, entry, link ? link : routed ? link_at(doctor, behind.device) : NULL,
		     routed && !behind.local ? link_at(doctor, behind.device) : NULL);
	if (!routed) {
		found(doctor, PROBLEM, "device",
		      sentence_of(remedy, "ip route add %s dev DEVICE, the one to the Edge server",
				  address_text(&entry->prefix, address)),
		      "there is no route to %s", name_of(entry, name));
		return;
	}
	if (!link || !well)
		return;
	if (!behind.local && behind.gateway && behind.device == link->index) {
		found(doctor, PROBLEM, "device",
		      sentence_of(remedy,
				  "ip route add %s dev DEVICE, the one to the Edge server; or, where the route is right, %s",
				  address_text(&entry->prefix, address),
				  rebinding(entry, NULL, bind)),
		      "%s lies behind a gateway on %s itself, to which it is bound: there its remote parties are to be",
		      name_of(entry, name), link->name);
		return;
	}
	check_remotes(doctor, entry, link, &behind);
}

static void check_interfaces(struct doctor *doctor)
{
	size_t i;

	for (i = 0; i < doctor->policy.interface_count; i++)
		check_interface(doctor, &doctor->policy.interfaces[i]);
}

/* ---- ways that packets choose ---- */

/* In force on a device where it is so of all, too. */
static const struct choice {
	const char *family;
	const char *name;
	const char *remedy;
	const char *what;
} choices[] = {
	{ "ipv4", "accept_source_route", "sysctl net.ipv4.conf.all.accept_source_route=0",
	  "IPv4 source routes are followed" },
	{ "ipv6", "seg6_enabled", "sysctl net.ipv6.conf.all.seg6_enabled=0",
	  "IPv6 segment routing headers are followed" },
	{ "ipv6", "rpl_seg_enabled", "sysctl net.ipv6.conf.all.rpl_seg_enabled=0",
	  "RPL's IPv6 routing headers are followed" },
};

#define CHOICES	(sizeof(choices) / sizeof(choices[0]))

static bool is_chosen(const struct choice *choice, const char *where)
{
	char path[TEXT];

	return number_in(sentence_of(path, "/proc/sys/net/%s/conf/%s/%s", choice->family, where,
				     choice->name)) > 0;
}

/* An Edge address that a route names is nf_edge's business, any other is nobody's. */
static void check_routing(struct doctor *doctor)
{
	char devices[TEXT / 2];
	size_t i, j;

	for (i = 0; i < CHOICES; i++) {
		const struct choice *choice = &choices[i];

		*devices = '\0';
		for (j = 0; is_chosen(choice, "all") && j < doctor->link_count; j++) {
			if (is_chosen(choice, doctor->links[j].name))
				append_word(devices, sizeof(devices), ",", doctor->links[j].name);
		}
		if (*devices)
			found(doctor, PROBLEM, "route", choice->remedy,
			      "%s (%s on %s): a packet goes where its sender says, not its header; nf_edge drops what names an Edge address, no other",
			      choice->what, choice->name, devices);
	}
}

/* ---- ways around, by devices ---- */

static const char *link_name(const struct doctor *doctor, uint32_t index)
{
	const struct probe_link *link = link_at(doctor, index);

	return link ? link->name : "a device that is gone";
}

/* What is sent to an ifb comes back to the device that it is from, ahead of the hooks. */
static bool comes_back(const struct doctor *doctor, uint32_t index)
{
	const struct probe_link *link = link_at(doctor, index);

	return link && !strcmp(link->kind, "ifb");
}

static void check_filter(struct doctor *doctor, const struct probe_filter *at)
{
	const char *device = link_name(doctor, at->device), *to = link_name(doctor, at->to);
	const char *where = at->ingress ? "ingress" : "egress";
	char remedy[TEXT];

	sentence_of(remedy, "tc filter show dev %s %s; no packet of an Edge address must match",
		    device, where);
	if (at->redirects && !comes_back(doctor, at->to))
		found(doctor, PROBLEM, "bypass", remedy,
		      "a tc filter at the %s of %s redirects packets to %s, past nf_edge: unjudged and uncounted",
		      where, device, to);
	else if (at->mirrors)
		found(doctor, UNSEEN, "bypass", remedy,
		      "the copies that a tc filter at the %s of %s sends to %s", where, device, to);
	else if (at->program)
		found(doctor, UNSEEN, "bypass",
		      sentence_of(remedy,
				  "tc filter show dev %s %s; the program must not redirect the Edge's packets",
				  device, where),
		      "what the program of a tc filter at the %s of %s does", where, device);
}

static void check_filters(struct doctor *doctor)
{
	struct probe_filter *list;
	size_t count, i;
	int result = probe_filters(&list, &count);

	if (result)
		found(doctor, UNSEEN, "bypass", cure_of(result), "tc filters: %s",
		      reason_of(result));
	for (i = 0; i < count; i++)
		check_filter(doctor, &list[i]);
	free(list);
}

/* Each of its programs; an errno when they cannot be looked at. */
static int check_programs(struct doctor *doctor, const struct probe_link *link)
{
	uint32_t received, sent;
	int result = probe_programs(link->index, true, &received);
	char remedy[TEXT];

	sentence_of(remedy, "bpftool net show dev %s; no program must redirect the Edge's packets",
		    link->name);
	if (link->xdp)
		found(doctor, UNSEEN, "bypass", remedy,
		      "what the XDP program on %s does with packets, ahead of nf_edge", link->name);
	if (!result)
		result = probe_programs(link->index, false, &sent);
	if (!result && (received || sent))
		found(doctor, UNSEEN, "bypass", remedy,
		      "what the tcx programs at the %s of %s do",
		      !sent ? "ingress" : received ? "ingress and egress" : "egress", link->name);
	return result;
}

static void check_detours(struct doctor *doctor)
{
	int result = 0;
	size_t i;

	check_filters(doctor);
	for (i = 0; i < doctor->link_count; i++) {
		int failed = check_programs(doctor, &doctor->links[i]);

		result = failed ? failed : result;
	}
	if (result)
		found(doctor, UNSEEN, "bypass", cure_of(result), "tcx programs: %s",
		      reason_of(result));
}

/* ---- virtual servers ---- */

static const struct entry *edge_at(const struct doctor *doctor, const struct prefix *address)
{
	size_t i;

	for (i = 0; i < doctor->policy.interface_count; i++) {
		if (!prefix_compare(&doctor->policy.interfaces[i].prefix, address))
			return &doctor->policy.interfaces[i];
	}
	return NULL;
}

/* What gives a real server the roles of the service. */
static const char *roles_to_add(const struct doctor *doctor, const struct probe_server *server,
				char text[TEXT])
{
	const struct entry *edge = edge_at(doctor, &server->service);
	char address[PREFIX_TEXT], one[TEXT];
	uint32_t role;

	address_text(&server->real, address);
	*text = '\0';
	for (role = 0; role_names[role]; role++) {
		if (edge && edge->mask & 1u << role)
			append_word(text, TEXT, "; ",
				    sentence_of(one, "edgectl interface add %s %s",
						role_names[role], address));
	}
	return text;
}

/* IPVS acts behind the hook of what is delivered, and sends from this machine what it passes on. */
static void check_server(struct doctor *doctor, const struct probe_server *server)
{
	bool service = edge_at(doctor, &server->service), real = edge_at(doctor, &server->real);
	bool masquerades = server->way == PROBE_MASQUERADES;
	char name[PREFIX_TEXT], to[PREFIX_TEXT], remedy[TEXT];

	address_text(&server->service, name);
	address_text(&server->real, to);
	if (server->way != PROBE_TUNNELS && (masquerades ? real : service) &&
	    number_in("/proc/sys/net/ipv4/vs/conntrack") != 1)
		found(doctor, PROBLEM, "ipvs", "sysctl net.ipv4.vs.conntrack=1",
		      "IPVS takes what it passes on from %s to %s from connection tracking: dropped as invalid-state",
		      name, to);
	if (service && !real && masquerades)
		found(doctor, PROBLEM, "ipvs", roles_to_add(doctor, server, remedy),
		      "the answers of %s, a real server of IPVS for %s, get that address behind nf_edge: unjudged and uncounted",
		      to, name);
	if (service && !masquerades)
		found(doctor, FACT, "ipvs", NULL,
		      "IPVS passes %s on to %s, whose answers nf_edge sees only if they come this way",
		      name, to);
}

static void check_servers(struct doctor *doctor)
{
	struct probe_server *list;
	size_t count, i;
	int result = probe_servers(&list, &count);

	if (result)
		found(doctor, UNSEEN, "ipvs", cure_of(result), "virtual servers: %s",
		      reason_of(result));
	for (i = 0; i < count; i++)
		check_server(doctor, &list[i]);
	free(list);
}

/* ---- names ---- */

static bool has_resolver(void)
{
	FILE *file = fopen("/etc/resolv.conf", "re");
	bool has = false;
	char line[256];

	while (file && !has && fgets(line, sizeof(line), file))
		has = !strncmp(line, "nameserver", 10);
	if (file)
		fclose(file);
	return has;
}

/* Asks for what every resolver knows: the root. Any answer will do. */
static bool dns_answers(void)
{
	unsigned char question[512], answer[4096];
	struct __res_state state = { 0 };
	int length;

	if (res_ninit(&state))
		return false;
	state.retrans = 2;	/* seconds */
	state.retry = 1;
	length = res_nmkquery(&state, ns_o_query, ".", ns_c_in, ns_t_soa, NULL, 0, NULL,
			      question, sizeof(question));
	if (length > 0)
		length = res_nsend(&state, question, length, answer, sizeof(answer));
	res_nclose(&state);
	return length > 0;
}

/* The domain of the first partner that has one, or NULL. */
static const char *first_domain(const struct doctor *doctor)
{
	size_t i;

	for (i = 0; i < doctor->policy.partner_count; i++) {
		if (doctor->policy.partners[i].domain)
			return doctor->policy.partners[i].domain;
	}
	return NULL;
}

/* Whether this machine may ask from an Edge address, and the policy drops that. */
static bool cuts_off(const struct doctor *doctor)
{
	const struct settings *settings = &doctor->policy.status.settings;
	struct probe_route route;
	size_t i;

	if (settings->mode != NF_EDGE_MODE_ENFORCE || settings->unlisted != NF_EDGE_UNLISTED_DROP)
		return false;
	for (i = 0; i < doctor->policy.interface_count; i++) {
		if (!probe_route(&doctor->policy.interfaces[i].prefix, NULL, 0, &route) &&
		    route.local)
			return true;
	}
	return false;
}

/* What no partner is looked up by may be silent: that is no fault of the policy, nor of its. */
static void check_dns(struct doctor *doctor)
{
	const char *domain = first_domain(doctor);
	char remedy[TEXT];

	if (!has_resolver() || dns_answers())
		return;
	if (!domain) {
		found(doctor, FACT, "dns", NULL,
		      "no name server of /etc/resolv.conf answers; no partner comes from a domain, so none needs it");
		return;
	}
	if (cuts_off(doctor))
		sentence_of(remedy,
			    "edgectl unlisted pass, where the name server is asked from an Edge address; then edgectl partner refresh %s",
			    domain);
	else
		sentence_of(remedy,
			    "grep nameserver /etc/resolv.conf tells who is asked; once it answers, edgectl partner refresh %s",
			    domain);
	found(doctor, PROBLEM, "dns", remedy,
	      "no name server of /etc/resolv.conf answers: the partners of %s stay as they are",
	      domain);
}

/* ---- the next boot ---- */

/**
 * struct child - a command at work in a process of its own
 * @output: what it writes: to stderr when it is CHECK, otherwise to stdout
 */
struct child {
	pid_t pid;
	FILE *output;
};

enum task { CHECK, SAVE, LOAD_AND_SAVE };

#define EXIT_UNSEEN	3	/* no namespace of its own to be had */

static int do_task(const struct options *options, enum task task)
{
	struct options quiet = *options;
	struct op file = { .text = POLICY_FILE }, output = { 0 };
	int result;

	quiet.quiet = true;
	if (task == CHECK)
		return cmd_check(&quiet, &file);
	if (task == SAVE)
		return cmd_save(&quiet, &output);
	if (unshare(CLONE_NEWNET))
		return EXIT_UNSEEN;
	result = cmd_load(&quiet, &file);
	return result ? result : cmd_save(&quiet, &output);
}

static bool start(struct child *child, const struct options *options, enum task task)
{
	int ends[2], result;

	fflush(stdout);
	if (pipe(ends))
		return false;
	child->pid = fork();
	if (child->pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return false;
	}
	if (!child->pid) {
		dup2(ends[1], task == CHECK ? STDERR_FILENO : STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		if (task != CHECK && !freopen("/dev/null", "w", stderr))
			_exit(EXIT_UNSEEN);
		result = do_task(options, task);
		fflush(stdout);
		_exit(result);
	}
	close(ends[1]);
	child->output = fdopen(ends[0], "re");
	return child->output;
}

/* Its exit code, negative: it had none. What is left of its output goes unread. */
static int finish(struct child *child)
{
	int status;

	while (getc(child->output) != EOF)
		;
	fclose(child->output);
	if (waitpid(child->pid, &status, 0) != child->pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Reads both to their end. */
static bool same_contents(FILE *one, FILE *other)
{
	bool same = true;
	int a, b;

	do {
		a = getc(one);
		b = getc(other);
		same &= a == b;
	} while (a != EOF || b != EOF);
	return same;
}

/* Loads the file into a namespace of its own, as a boot would, and compares what both save. */
static void compare_file(struct doctor *doctor)
{
	struct child here, there;
	bool same;
	int code;

	if (!start(&here, doctor->options, SAVE))
		return;
	if (!start(&there, doctor->options, LOAD_AND_SAVE)) {
		finish(&here);
		return;
	}
	same = same_contents(here.output, there.output);
	code = finish(&there);
	if (finish(&here) || code == EXIT_UNSEEN)
		found(doctor, UNSEEN, "reboot", cure_of(EPERM),
		      "whether " POLICY_FILE " is the policy in force: %s", reason_of(EPERM));
	else if (code)
		found(doctor, PROBLEM, "reboot", "edgectl load " POLICY_FILE " says why",
		      POLICY_FILE " cannot be loaded");
	else if (!same)
		found(doctor, PROBLEM, "reboot",
		      "edgectl save " POLICY_FILE " keeps the one in force, edgectl load "
		      POLICY_FILE " takes the file's",
		      POLICY_FILE " is not the policy in force: a reboot would bring another");
}

static void check_file(struct doctor *doctor)
{
	struct child child;
	char line[TEXT] = "";
	int code;

	if (access(POLICY_FILE, F_OK)) {
		found(doctor, PROBLEM, "reboot",
		      "mkdir -p /etc/nf_edge; edgectl save " POLICY_FILE,
		      "there is no " POLICY_FILE ": the policy would not come back after a reboot");
		return;
	}
	if (!start(&child, doctor->options, CHECK))
		return;
	if (fgets(line, sizeof(line), child.output))
		line[strcspn(line, "\n")] = '\0';
	code = finish(&child);
	if (code)
		found(doctor, PROBLEM, "reboot",
		      "edgectl check " POLICY_FILE " tells all that is wrong with it; edgectl save "
		      POLICY_FILE " replaces it by the policy in force",
		      "the policy would not come back after a reboot: %s",
		      *line ? line + strlen("edgectl: ") : POLICY_FILE);
	else if (doctor->loaded)
		compare_file(doctor);
}

static bool exists(const char *pattern)
{
	glob_t paths;
	bool found_ = false;
	size_t i;

	if (glob(pattern, GLOB_BRACE, NULL, &paths))
		return false;
	for (i = 0; i < paths.gl_pathc; i++)	/* a link to nothing does not count */
		found_ |= !access(paths.gl_pathv[i], F_OK);
	globfree(&paths);
	return found_;
}

static void check_unit(struct doctor *doctor)
{
	if (exists("/{etc,usr/local/lib,usr/lib,lib}/systemd/system/*.{wants,requires}/" UNIT))
		return;
	found(doctor, PROBLEM, "reboot",
	      exists("/{etc,usr/local/lib,usr/lib,lib}/systemd/system/" UNIT) ?
	      "systemctl enable " UNIT :
	      "apt install edgectl, or make install; then systemctl enable " UNIT,
	      "no " UNIT " is enabled: the policy would not come back after a reboot");
}

/* ---- all of it ---- */

/* Other namespaces than the caller's do not outlive a reboot. */
static void check_all(struct doctor *doctor)
{
	int result;

	check_module(doctor);
	if (doctor->loaded)
		check_policy(doctor);
	check_hooks(doctor);
	check_flowtables(doctor);
	check_rules(doctor);
	check_legacy(doctor, "/proc/net/ip_tables_names", "iptables-legacy");
	check_legacy(doctor, "/proc/net/ip6_tables_names", "ip6tables-legacy");
	check_tracking(doctor);
	result = probe_links(&doctor->links, &doctor->link_count);
	if (result)
		found(doctor, UNSEEN, "device", cure_of(result), "devices: %s", reason_of(result));
	else
		check_interfaces(doctor);
	check_routing(doctor);
	check_detours(doctor);
	check_servers(doctor);
	check_dns(doctor);
	if (doctor->options->netns)
		return;
	check_file(doctor);
	check_unit(doctor);
}

int cmd_doctor(const struct options *options, struct op *op)
{
	struct doctor doctor = { .options = options, .out = out_start(options) };

	(void)op;
	if (options->json)
		out_table(&doctor.out, NULL, NULL, 0);
	check_all(&doctor);
	if (!doctor.problems)
		out_marked(&doctor.out, OUT_GREEN, "well", "no problem found");
	out_table_end(&doctor.out);
	policy_forget(&doctor.policy);
	free(doctor.links);
	return doctor.problems ? EXIT_REFUSED : EXIT_DONE;
}
