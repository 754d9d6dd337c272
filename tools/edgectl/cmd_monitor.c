// SPDX-License-Identifier: GPL-2.0-only
/*
 * monitor: changes of the policy and dropped packets, as they happen
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgectl.h"

#define PARTNERS_SHOWN	8	/* of a change, in text */
#define END_TEXT	(PREFIX_TEXT + 8)

/* ---- a change, in the words of its command ---- */

static void put_settings(FILE *file, const struct settings *settings)
{
	const char *between = "";

	if (settings->given & SETTING_MODE) {
		fprintf(file, "mode %s", mode_names[settings->mode]);
		between = "; ";
	}
	if (settings->given & SETTING_UNLISTED) {
		fprintf(file, "%sunlisted %s", between, unlisted_names[settings->unlisted]);
		between = "; ";
	}
	if (settings->given & SETTING_PORTS) {
		fprintf(file, "%srtp set %s", between, ports_text(settings->ports));
		between = "; ";
	}
	if (settings->given & SETTING_MATCH)
		fprintf(file, "%srtp match %s", between, rtp_match_names[settings->match]);
}

static void put_interface(FILE *file, const struct change *change)
{
	char roles[64], address[PREFIX_TEXT];

	fprintf(file, " %s %s", names_text(role_names, change->roles, roles),
		address_text(&change->interface.prefix, address));
	if (change->interface.text)
		fprintf(file, " dev %s", change->interface.text);
}

/* Whether two texts, each of which may be NULL, are the same. */
static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Of two partners that could have been named in one command. */
static bool are_alike(const struct entry *a, const struct entry *b)
{
	return a->leaves == b->leaves && a->mask == b->mask && same(a->text, b->text) &&
	       same(a->domain, b->domain);
}

/* How many entries there are when so many were read. */
static size_t told(const struct change *change, size_t count)
{
	return change->entries > count ? change->entries : count;
}

static void put_partners(FILE *file, const char *command, const struct change *change, size_t most)
{
	size_t shown = change->count < most ? change->count : most, i;
	char prefix[PREFIX_TEXT], groups[GROUPS_TEXT];

	for (i = 0; i < shown; i++) {
		const struct entry *at = &change->list[i];

		if (!i || !are_alike(at, at - 1))
			fprintf(file, "%s%s", i ? "; " : "", at->leaves ? "partner del" : command);
		fprintf(file, " %s", prefix_text(&at->prefix, prefix));
		if (i + 1 < shown && are_alike(at, at + 1))
			continue;
		if (at->mask)
			fprintf(file, " group %s", groups_text(at->mask, groups));
		if (at->domain) {
			fputs(" domain ", file);
			policy_put_word(file, at->domain);
		}
		if (at->text) {
			fputs(" name ", file);
			policy_put_word(file, at->text);
		}
	}
	if (!shown)
		fprintf(file, "%s: %zu partners", command, told(change, 0));
	else if (shown < told(change, change->count))
		fprintf(file, ", and %zu more", told(change, change->count) - shown);
}

static void put_rules(FILE *file, const struct change *change)
{
	size_t i;

	if (!change->rule_count)
		fprintf(file, "rule set: %zu rows", told(change, 0));
	for (i = 0; i < change->rule_count; i++) {
		const struct rule_change *rule = &change->rules[i];
		const char *row = row_names[rule->row], *between = i ? "; " : "";

		if (rule->enabled >= 0)
			fprintf(file, "%srule %s %s", between, rule->enabled ? "enable" : "disable",
				row);
		if (rule->peers >= 0)
			fprintf(file, "%srule set %s peers %s",
				rule->enabled >= 0 ? "; " : between, row, peers_names[rule->peers]);
	}
	if (change->rule_count && change->rule_count < change->entries)
		fprintf(file, ", and %zu more", change->entries - change->rule_count);
}

/* A whole policy, come or come back. */
static void put_policy(FILE *file, const char *command, const struct change *change)
{
	fprintf(file, "%s: generation %u, %u interface%s, %u partner%s", command,
		change->generation, change->interfaces, change->interfaces == 1 ? "" : "s",
		change->partners, change->partners == 1 ? "" : "s");
	if (change->left >= 0)
		fprintf(file, ", to be confirmed within %" PRId64 " s", change->left);
}

/* As the command that made it; NULL: one that we do not know. */
static const char *command_name(uint32_t command)
{
	switch (command) {
	case NF_EDGE_CMD_STATUS_SET:
		return "set";
	case NF_EDGE_CMD_INTERFACE_ADD:
		return "interface add";
	case NF_EDGE_CMD_INTERFACE_DEL:
		return "interface del";
	case NF_EDGE_CMD_INTERFACE_FLUSH:
		return "interface flush";
	case NF_EDGE_CMD_PARTNER_ADD:
		return "partner add";
	case NF_EDGE_CMD_PARTNER_DEL:
		return "partner del";
	case NF_EDGE_CMD_PARTNER_FLUSH:
		return "partner flush";
	case NF_EDGE_CMD_RULE_SET:
		return "rule set";
	case NF_EDGE_CMD_STATS_RESET:
		return "stats reset";
	case NF_EDGE_CMD_COMMIT:
		return "load";
	case NF_EDGE_CMD_CONFIRM:
		return "confirm";
	case NF_EDGE_CMD_REVERT:
		return "revert";
	default:
		return NULL;
	}
}

/* At most @most partners of a list. */
static void put_change(FILE *file, const struct change *change, size_t most)
{
	const char *name = command_name(change->command);
	char names[GROUPS_TEXT];

	switch (change->command) {
	case NF_EDGE_CMD_STATUS_SET:
		put_settings(file, &change->settings);
		break;
	case NF_EDGE_CMD_INTERFACE_ADD:
	case NF_EDGE_CMD_INTERFACE_DEL:
		fputs(name, file);
		put_interface(file, change);
		break;
	case NF_EDGE_CMD_INTERFACE_FLUSH:
		fprintf(file, "%s%s%s", name, change->roles ? " " : "",
			names_text(role_names, change->roles, names));
		break;
	case NF_EDGE_CMD_PARTNER_ADD:
	case NF_EDGE_CMD_PARTNER_DEL:
		put_partners(file, name, change, most);
		break;
	case NF_EDGE_CMD_PARTNER_FLUSH:
		fprintf(file, "%s%s%s", name, change->groups ? " group " : "",
			groups_text(change->groups, names));
		break;
	case NF_EDGE_CMD_RULE_SET:
		put_rules(file, change);
		break;
	case NF_EDGE_CMD_COMMIT:
	case NF_EDGE_CMD_REVERT:
		put_policy(file, name, change);
		break;
	default:
		fputs(name ? name : "a change", file);
	}
}

/* ---- a drop ---- */

/* NULL: not known. */
static const char *protocol_name(uint32_t protocol, char text[8])
{
	switch (protocol) {
	case 0:
		return NULL;
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	default:
		snprintf(text, 8, "%u", (uint8_t)protocol);
		return text;
	}
}

/* "198.51.100.7:5061", "[2001:db8::1]:5061", or the address alone. */
static const char *end_text(const struct prefix *end, uint32_t port, char text[END_TEXT])
{
	char address[PREFIX_TEXT];

	address_text(end, address);
	if (!port)
		return strcpy(text, address);
	snprintf(text, END_TEXT, end->size == 16 ? "[%s]:%u" : "%s:%u", address, port);
	return text;
}

static void put_drop(FILE *file, const struct dropped *dropped)
{
	char from[END_TEXT], to[END_TEXT], protocol[8];
	const struct flow *flow = &dropped->flow;
	const char *name = protocol_name(flow->protocol, protocol);

	fprintf(file, "drop %s%s%s %s -> %s", reason_names[dropped->reason], name ? " " : "",
		name ? name : "", end_text(&flow->from, flow->sport, from),
		end_text(&flow->to, flow->dport, to));
	if (dropped->reply)
		fputs(" reply", file);
	if (flow->iif)
		fprintf(file, " iif %s", flow->iif);
	if (flow->oif)
		fprintf(file, " oif %s", flow->oif);
	if (dropped->row >= 0)
		fprintf(file, " row %s", row_names[dropped->row]);
	if (dropped->mode == NF_EDGE_MODE_AUDIT)
		fputs(" (audit: it passed)", file);
	if (dropped->left_out)
		fprintf(file, " (%u before it left out)", dropped->left_out);
}

static bool is_wanted(const struct op *op, const struct dropped *dropped)
{
	const struct flow *flow = &dropped->flow;

	if (op->reasons && !(op->reasons & 1u << dropped->reason))
		return false;
	if (op->mask && (dropped->row < 0 || !(op->mask & 1u << dropped->row)))
		return false;
	return (!op->flow.from.size || prefix_covers(&op->flow.from, &flow->from)) &&
	       (!op->flow.to.size || prefix_covers(&op->flow.to, &flow->to));
}

/* ---- one event, one line ---- */

static const char *const event_names[] = {
	[EVENT_CHANGE] = "config",
	[EVENT_DROP] = "drop",
	[EVENT_LOST] = "lost",
	[EVENT_UNLOADED] = "unloaded",
};

static void put_event(FILE *file, const struct event *event, size_t most)
{
	if (event->kind == EVENT_CHANGE)
		put_change(file, &event->change, most);
	else if (event->kind == EVENT_DROP)
		put_drop(file, &event->dropped);
	else if (event->kind == EVENT_LOST)
		fputs("some events were lost", file);
	else
		fputs("the module has been unloaded", file);
}

static void out_change(struct out *out, const struct change *change)
{
	out_string(out, "command", command_name(change->command));
	out_number(out, "generation", change->generation);
	out_number(out, "interfaces", change->interfaces);
	out_number(out, "partners", change->partners);
	out_number(out, "entries", change->entries);
	if (change->left >= 0)
		out_number(out, "confirm_within", change->left);
	else
		out_string(out, "confirm_within", NULL);
}

static void out_port(struct out *out, const char *key, uint32_t port)
{
	if (port)
		out_number(out, key, port);
	else
		out_string(out, key, NULL);
}

static void out_drop(struct out *out, const struct dropped *dropped)
{
	const struct flow *flow = &dropped->flow;
	char address[PREFIX_TEXT], protocol[8];

	out_string(out, "reason", reason_names[dropped->reason]);
	out_string(out, "protocol", protocol_name(flow->protocol, protocol));
	out_string(out, "source", address_text(&flow->from, address));
	out_port(out, "sport", flow->sport);
	out_string(out, "destination", address_text(&flow->to, address));
	out_port(out, "dport", flow->dport);
	out_bool(out, "reply", dropped->reply);
	out_string(out, "iif", flow->iif);
	out_string(out, "oif", flow->oif);
	out_string(out, "rule", dropped->row < 0 ? NULL : row_names[dropped->row]);
	out_string(out, "mode", mode_names[dropped->mode]);
	out_number(out, "left_out", dropped->left_out);
}

static void show_json(struct out *out, const struct event *event, const char *text)
{
	char time[LIVE_TIME];

	out_object(out, NULL, OUT_SILENT);
	out_string(out, "time", live_time(time, true));
	out_string(out, "event", event_names[event->kind]);
	if (event->kind == EVENT_CHANGE)
		out_change(out, &event->change);
	else if (event->kind == EVENT_DROP)
		out_drop(out, &event->dropped);
	out_string(out, "text", text);
	out_object_end(out);
}

static void show(const struct options *options, const struct event *event)
{
	struct out out = out_start(options);
	char time[LIVE_TIME], *text;
	size_t length;
	FILE *file;

	file = open_memstream(&text, &length);
	if (!file)
		abort();
	if (!options->json)
		fprintf(file, "%s ", live_time(time, false));
	put_event(file, event, options->json ? SIZE_MAX : PARTNERS_SHOWN);
	if (fclose(file))
		abort();
	if (options->json) {
		show_json(&out, event, text);
	} else {
		out_object(&out, NULL, OUT_BARE);
		out_string(&out, "text", text);
		out_object_end(&out);
	}
	free(text);
}

/* Shows the next, if it is wanted. 0, or -1 as nl_event(). @more: whether others may come. */
static int show_next(struct nl *nl, const struct options *options, const struct op *op,
		     bool *more)
{
	struct event event = { 0 };
	int result = nl_event(nl, &event);

	if (!result && event.kind != EVENT_NONE &&
	    (event.kind != EVENT_DROP || is_wanted(op, &event.dropped)))
		show(options, &event);
	*more = event.kind != EVENT_UNLOADED;
	event_free(&event);
	return result < 0 ? result : 0;
}

int cmd_monitor(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	bool more = true;
	int result;

	live_begin();
	result = nl_listen(nl, op->value ? op->value : LISTEN_CONFIG | LISTEN_DROPS);
	while (!result && more && live_wait(nl_fd(nl), -1) == LIVE_READY) {
		result = show_next(nl, options, op, &more);
		if (!out_flush())
			break;
	}
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}
