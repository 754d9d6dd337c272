// SPDX-License-Identifier: GPL-2.0-only
/*
 * event: what has happened, in words.
 */
#include <ctype.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>

#include "event.h"

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

/* Of two partners that could have been named in one command. */
static bool are_alike(const struct entry *a, const struct entry *b)
{
	return a->leaves == b->leaves && a->mask == b->mask && same_text(a->text, b->text) &&
	       same_text(a->domain, b->domain);
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

/* Of two blocks that could have been named in one command. */
static bool are_alike_blocks(const struct entry *a, const struct entry *b)
{
	return a->until == b->until && same_text(a->text, b->text);
}

static void put_block_options(FILE *file, const struct entry *block)
{
	char time[TIME_TEXT];

	if (block->until)
		fprintf(file, " until %s", time_text(block->until, time));
	if (block->text) {
		fputs(" reason ", file);
		policy_put_word(file, block->text);
	}
}

/* The module does not tell which have come to their end. */
static void put_blocks(FILE *file, const char *command, const struct change *change, size_t most)
{
	size_t shown = change->count < most ? change->count : most, i;
	char prefix[PREFIX_TEXT];

	if (!change->entries) {
		fprintf(file, "blocks have ended: %u left", change->blocks);
		return;
	}
	for (i = 0; i < shown; i++) {
		const struct entry *at = &change->list[i];

		if (!i || !are_alike_blocks(at, at - 1))
			fprintf(file, "%s%s", i ? "; " : "", command);
		fprintf(file, " %s", prefix_text(&at->prefix, prefix));
		if (i + 1 == shown || !are_alike_blocks(at, at + 1))
			put_block_options(file, at);
	}
	if (!shown)
		fprintf(file, "%s: %zu prefixes", command, told(change, 0));
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
	if (change->blocks)
		fprintf(file, ", %u block%s", change->blocks, change->blocks == 1 ? "" : "s");
	if (change->left >= 0)
		fprintf(file, ", to be confirmed within %" PRId64 " s", change->left);
}

const char *event_command(uint32_t command)
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
	case NF_EDGE_CMD_BLOCK_ADD:
		return "block add";
	case NF_EDGE_CMD_BLOCK_DEL:
		return "block del";
	case NF_EDGE_CMD_BLOCK_FLUSH:
		return "block flush";
	case NF_EDGE_CMD_UNDO:
		return "undo";
	default:
		return NULL;
	}
}

/* At most @most partners of a list. */
static void put_change(FILE *file, const struct change *change, size_t most)
{
	const char *name = event_command(change->command);
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
		fprintf(file, "%s%s%s", name, change->roles ? " " : " all",
			names_text(role_names, change->roles, names));
		break;
	case NF_EDGE_CMD_PARTNER_ADD:
	case NF_EDGE_CMD_PARTNER_DEL:
		put_partners(file, name, change, most);
		break;
	case NF_EDGE_CMD_PARTNER_FLUSH:
		fprintf(file, "%s%s%s", name, change->groups ? " group " : " all",
			groups_text(change->groups, names));
		break;
	case NF_EDGE_CMD_RULE_SET:
		put_rules(file, change);
		break;
	case NF_EDGE_CMD_BLOCK_ADD:
	case NF_EDGE_CMD_BLOCK_DEL:
		put_blocks(file, name, change, most);
		break;
	case NF_EDGE_CMD_BLOCK_FLUSH:
		fprintf(file, "%s all", name);
		break;
	case NF_EDGE_CMD_COMMIT:
	case NF_EDGE_CMD_REVERT:
	case NF_EDGE_CMD_UNDO:
		put_policy(file, name, change);
		break;
	default:
		fputs(name ? name : "a change", file);
	}
}

/* ---- who made it ---- */

const char *event_user(int64_t user, char text[EVENT_USER])
{
	struct passwd entry, *found = NULL;
	char strings[4096];

	if (user < 0)
		return NULL;
	if (!getpwuid_r(user, &entry, strings, sizeof(strings), &found) && found)
		snprintf(text, EVENT_USER, "%s", found->pw_name);
	else
		snprintf(text, EVENT_USER, "%" PRId64, user);
	return text;
}

/* A process calls itself what it likes: in quotes, unless it could be no other word here. */
static void put_process(FILE *file, const char *name)
{
	const char *at = name;

	while (isalnum((unsigned char)*at) || (*at && strchr("._-", *at)))
		at++;
	if (!*at) {
		fputs(name, file);
		return;
	}
	putc('"', file);
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			putc('\\', file);
		putc(*name, file);
	}
	putc('"', file);
}

/* A login tells more than the user where the two are not one. */
static void put_sender(FILE *file, const struct change *change)
{
	char user[EVENT_USER];

	if (!change->pid)
		return;
	fputs(" by ", file);
	put_process(file, change->process);
	fprintf(file, " (pid %u", change->pid);
	if (change->user >= 0)
		fprintf(file, ", %s", event_user(change->user, user));
	if (change->login >= 0 && change->login != change->user)
		fprintf(file, ", login %s", event_user(change->login, user));
	putc(')', file);
}

/* ---- a drop ---- */

const char *event_protocol(uint32_t protocol, char text[EVENT_PROTOCOL])
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
		snprintf(text, EVENT_PROTOCOL, "%u", (uint8_t)protocol);
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
	char from[END_TEXT], to[END_TEXT], protocol[EVENT_PROTOCOL];
	const struct flow *flow = &dropped->flow;
	const char *name = event_protocol(flow->protocol, protocol);

	fprintf(file, "%sdrop %s%s%s %s -> %s",
		dropped->mode == NF_EDGE_MODE_AUDIT ? "would " : "",
		reason_names[dropped->reason], name ? " " : "",
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
	if (dropped->left_out)
		fprintf(file, " (%u before it left out)", dropped->left_out);
}

/* ---- either ---- */

const char *const event_names[] = {
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

static char *composed(const struct event *event, size_t most, bool sender)
{
	size_t length;
	char *text;
	FILE *file = open_memstream(&text, &length);

	if (!file)
		abort();
	put_event(file, event, most);
	if (sender && event->kind == EVENT_CHANGE)
		put_sender(file, &event->change);
	if (fclose(file))
		abort();
	return text;
}

char *event_line(const struct event *event)
{
	return composed(event, EVENT_SHOWN, true);
}

char *event_words(const struct event *event)
{
	return composed(event, SIZE_MAX, false);
}
