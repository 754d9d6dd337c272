// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions of nl.h that changing, loading, saving and counting need; the linker puts
 * them in the place of the real ones (--wrap). Every counter has another number.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"
#include "kernel.h"
#include "nl.h"

#define INTERFACES_MAX	4096

struct pair {
	struct prefix prefix;
	uint32_t mask;		/* of roles or groups */
	char text[64];		/* device or name */
	char domain[NF_EDGE_DOMAIN_MAX + 1];
	uint64_t until;		/* of a block, whose reason is in text */
};

struct kept {
	struct settings settings;
	struct rule rules[NF_EDGE_ROW_COUNT];
	struct pair *interfaces;
	size_t interface_count;
	struct pair *partners;
	size_t partner_count;
	struct pair *blocks;
	size_t block_count;
};

static struct kept staged, in_force;
static struct kept *kept = &in_force;	/* what is changed: &staged inside a transaction */
static struct nl_error error;

struct nl {
	int open;
} handle;

static int refused(const char *text)
{
	error = (struct nl_error){ .code = 22, .entry = NL_NO_ENTRY };
	snprintf(error.text, sizeof(error.text), "%s", text);
	return -1;
}

static void set_defaults(struct kept *kept)
{
	/* peers that are listed by default: sip-federation-in, sip-pic-in, sip-pic-out */
	static const char listed[NF_EDGE_ROW_COUNT] = { 0, 1, 1, 1 };
	uint32_t i;

	free(kept->interfaces);
	free(kept->partners);
	free(kept->blocks);
	memset(kept, 0, sizeof(*kept));
	memset(kept->settings.ports + 50000 / 8, 0xff, 10000 / 8);	/* 50000 to 59999 */
	for (i = 0; i < NF_EDGE_ROW_COUNT; i++) {
		kept->rules[i].row = i;
		kept->rules[i].enabled = 1;
		kept->rules[i].peers = listed[i] ? NF_EDGE_PEERS_LISTED : NF_EDGE_PEERS_ANY;
		strcpy(kept->rules[i].class, "sip");
		kept->rules[i].packets = 1000 + i;
		kept->rules[i].bytes = UINT64_MAX - ((uint64_t)i << 20);	/* floats tell them apart */
		kept->rules[i].flows = 2000 + i;
	}
}

const char *kernel_refusal(void)
{
	return error.text;
}

__attribute__((constructor)) void kernel_reset(void)
{
	error.text[0] = '\0';
	kept = &in_force;
	set_defaults(&staged);
	set_defaults(&in_force);
}

/* ---- what may be kept ---- */

static bool begins_with(const struct prefix *prefix, const void *bytes, unsigned int bits)
{
	unsigned int i;

	if (prefix->len < bits)
		return false;
	for (i = 0; i < bits; i++) {
		unsigned int mask = 0x80 >> i % 8;

		if ((prefix->bytes[i / 8] & mask) != (((const uint8_t *)bytes)[i / 8] & mask))
			return false;
	}
	return true;
}

static bool meant(const struct prefix *prefix)
{
	static const uint8_t zero[16], ones[4] = { 255, 255, 255, 255 }, one[16] = { [15] = 1 };
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };

	if (prefix->size == 4)
		return !begins_with(prefix, zero, 32) && !begins_with(prefix, ones, 32) &&
		       !begins_with(prefix, "\177", 8) && !begins_with(prefix, "\340", 4);
	return !begins_with(prefix, zero, 128) && !begins_with(prefix, one, 128) &&
	       !begins_with(prefix, "\377", 8) && !begins_with(prefix, mapped, 96);
}

static bool whole(const struct prefix *prefix)
{
	unsigned int i;

	if ((prefix->size != 4 && prefix->size != 16) || prefix->len > prefix->size * 8)
		return false;
	for (i = prefix->len; i < sizeof(prefix->bytes) * 8; i++) {
		if (prefix->bytes[i / 8] & 0x80 >> i % 8)
			return false;
	}
	return true;
}

/* Some of what hides or turns text, in UTF-8. */
static bool shown(const char *text)
{
	static const char *const hidden[] = {
		"\u00ad", "\u061c", "\u200b", "\u200d", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a",
		"\u202d", "\u202e", "\u2060", "\u2066", "\u2069", "\ufeff", "\ufe0f", "\U000e0041", "\u3164",
	};
	size_t i;

	for (i = 0; text[i]; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	}
	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (strstr(text, hidden[i]))
			return false;
	}
	return true;
}

/* As the kernel's dev_valid_name(), whose isspace() knows Latin 1's no-break space. */
static bool device(const char *name)
{
	return *name && strlen(name) < 16 && strcmp(name, ".") && strcmp(name, "..") &&
	       !strpbrk(name, "/: \t\n\v\f\r\240") && shown(name);
}

static bool partner_name(const char *name)
{
	return strlen(name) <= NF_EDGE_NAME_MAX && shown(name);	/* "": none any more */
}

static bool role_bit(uint32_t role)
{
	return role && !(role & (role - 1)) && !(role >> NF_EDGE_ROLE_COUNT);
}

static struct pair *find(struct pair *list, size_t count, const struct prefix *prefix,
			 const char *domain)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!memcmp(&list[i].prefix, prefix, sizeof(*prefix)) &&
		    !strcmp(list[i].domain, domain ? domain : ""))
			return &list[i];
	}
	return NULL;
}

/* Wherever it comes from; or from there, which may be from no domain (""). */
static bool is_meant(const struct pair *pair, const struct entry *entry)
{
	return !memcmp(&pair->prefix, &entry->prefix, sizeof(pair->prefix)) &&
	       (!entry->domain || !strcmp(pair->domain, entry->domain));
}

static struct pair *append(struct pair **list, size_t *count, const struct prefix *prefix)
{
	*list = reallocarray(*list, *count + 1, sizeof(**list));
	if (!*list)
		abort();
	(*list)[*count] = (struct pair){ .prefix = *prefix };
	return &(*list)[(*count)++];
}

static void drop(struct pair *list, size_t *count, struct pair *pair)
{
	memmove(pair, pair + 1, (list + --*count - pair) * sizeof(*pair));
}

/* IPv4 before IPv6, by address, shorter prefixes first. */
static int order(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int by_address = memcmp(x->prefix.bytes, y->prefix.bytes, 16);

	if (x->prefix.size != y->prefix.size)
		return x->prefix.size - y->prefix.size;
	if (by_address)
		return by_address;
	return x->prefix.len != y->prefix.len ? x->prefix.len - y->prefix.len :
						strcmp(x->domain, y->domain);
}

/* ---- nl.h ---- */

struct nl *__wrap_nl_attach(void)
{
	return &handle;
}

void __wrap_nl_detach(struct nl *nl)
{
	(void)nl;
}

const struct nl_error *__wrap_nl_error(const struct nl *nl)
{
	(void)nl;
	return &error;
}

int __wrap_nl_begin(struct nl *nl, bool copy)
{
	(void)nl;
	if (copy)
		return refused("nobody asked for that");
	set_defaults(&staged);
	kept = &staged;
	return 0;
}

bool __wrap_nl_begun(const struct nl *nl)
{
	(void)nl;
	return kept == &staged;
}

void __wrap_nl_based_on(struct nl *nl, uint32_t generation)
{
	(void)nl;
	(void)generation;
}

/* So that diff's commands may lead to no address. */
void __wrap_nl_allow_open(struct nl *nl)
{
	(void)nl;
}

int __wrap_nl_commit(struct nl *nl, uint32_t seconds)
{
	struct kept old = in_force;

	(void)nl;
	if (seconds)
		return refused("nobody asked for that");
	in_force = staged;
	staged = old;
	kept = &in_force;
	return 0;
}

int __wrap_nl_set(struct nl *nl, const struct settings *settings)
{
	(void)nl;
	if (settings->mode >= NF_EDGE_MODE_COUNT || settings->unlisted >= NF_EDGE_UNLISTED_COUNT ||
	    settings->match >= NF_EDGE_RTP_MATCH_COUNT)
		return refused("no such value");
	if (settings->given & SETTING_PORTS && settings->ports[0] & 1)
		return refused("port 0");
	if (settings->given & SETTING_MODE)
		kept->settings.mode = settings->mode;
	if (settings->given & SETTING_UNLISTED)
		kept->settings.unlisted = settings->unlisted;
	if (settings->given & SETTING_MATCH)
		kept->settings.match = settings->match;
	if (settings->given & SETTING_PORTS)
		memcpy(kept->settings.ports, settings->ports, sizeof(settings->ports));
	return 0;
}

int __wrap_nl_rule_set(struct nl *nl, const struct rule_change *list, size_t count)
{
	size_t i;

	(void)nl;
	for (i = 0; i < count; i++) {
		if (list[i].row >= NF_EDGE_ROW_COUNT || list[i].enabled > 1 ||
		    list[i].peers >= NF_EDGE_PEERS_COUNT ||
		    (list[i].enabled < 0 && list[i].peers < 0))
			return refused("no such row or value");
		if (list[i].enabled >= 0)
			kept->rules[list[i].row].enabled = list[i].enabled;
		if (list[i].peers >= 0)
			kept->rules[list[i].row].peers = list[i].peers;
	}
	return 0;
}

int __wrap_nl_interface_add(struct nl *nl, const struct entry *entry, uint32_t role, bool tolerant)
{
	struct pair *pair = find(kept->interfaces, kept->interface_count, &entry->prefix, NULL);

	(void)nl;
	if (!whole(&entry->prefix) || entry->prefix.len != entry->prefix.size * 8)
		return refused("no address");
	if (!meant(&entry->prefix))
		return refused("cannot be meant");
	if (!role_bit(role))
		return refused("no role");
	if (entry->text && !device(entry->text))
		return refused("that cannot be a device's name");
	if (pair && pair->text[0] && entry->text && strcmp(pair->text, entry->text))
		return refused("bound to another device");
	if (pair && pair->mask & role && !tolerant && (pair->text[0] || !entry->text))
		return refused("interface exists");
	if (!pair && kept->interface_count == INTERFACES_MAX)
		return refused("too many");
	if (!pair)
		pair = append(&kept->interfaces, &kept->interface_count, &entry->prefix);
	pair->mask |= role;
	if (entry->text)
		strcpy(pair->text, entry->text);
	return 0;
}

int __wrap_nl_interface_del(struct nl *nl, const struct entry *entry, uint32_t role, bool tolerant)
{
	struct pair *pair = find(kept->interfaces, kept->interface_count, &entry->prefix, NULL);

	(void)nl;
	if (!role_bit(role) || tolerant)
		return refused("no role");
	if (!pair || !(pair->mask & role))
		return refused("interface does not exist");
	pair->mask &= ~role;
	if (!pair->mask)
		drop(kept->interfaces, &kept->interface_count, pair);
	return 0;
}

int __wrap_nl_interface_flush(struct nl *nl, uint32_t roles)
{
	(void)nl;
	if (roles)
		return refused("nobody asked for that");
	kept->interface_count = 0;
	return 0;
}

/* What can be looked up, all in lower case. */
static bool domain(const char *text)
{
	size_t label = 0, i;

	if (!strncmp(text, "host:", 5))
		text += 5;
	for (i = 0; text[i]; i++) {
		if (text[i] == '.' ? !label || text[i - 1] == '-' :
		    text[i] == '-' ? !label : !islower(text[i]) && !isdigit(text[i]))
			return false;
		label = text[i] == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label && i <= 253 && text[i - 1] != '-';
}

static int keep(const struct entry *list, size_t count, bool tolerant)
{
	struct pair *pair;
	bool rename;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!whole(&list[i].prefix))
			return refused("host bits are set");
		if (!meant(&list[i].prefix))
			return refused("cannot be meant");
		if (!list[i].mask || list[i].mask >> NF_EDGE_GROUP_COUNT)
			return refused("no group");
		if (list[i].text && !partner_name(list[i].text))
			return refused("bad name");
		if (list[i].domain && *list[i].domain && !domain(list[i].domain))
			return refused("bad domain");
		if (list[i].leaves)
			return refused("nobody asked for that");
		pair = find(kept->partners, kept->partner_count, &list[i].prefix, list[i].domain);
		rename = list[i].text && strcmp(pair ? pair->text : "", list[i].text);
		if (pair && !tolerant && !rename && !(list[i].mask & ~pair->mask))
			return refused("partner exists");
		if (!pair)
			pair = append(&kept->partners, &kept->partner_count, &list[i].prefix);
		pair->mask |= list[i].mask;
		if (list[i].text)
			strcpy(pair->text, list[i].text);
		if (list[i].domain)
			strcpy(pair->domain, list[i].domain);
	}
	return 0;
}

int __wrap_nl_partner_stage(struct nl *nl, const struct entry *list, size_t count)
{
	size_t i;

	(void)nl;
	for (i = 0; i < count; i++) {
		if (find(kept->partners, kept->partner_count, &list[i].prefix, list[i].domain))
			return refused("partner is staged twice");
		if (keep(&list[i], 1, false))
			return -1;
	}
	return 0;
}

int __wrap_nl_partner_add(struct nl *nl, const struct entry *list, size_t count, bool tolerant)
{
	(void)nl;
	return keep(list, count, tolerant);
}

/* Diff says one entry at a time. */
int __wrap_nl_partner_del(struct nl *nl, const struct entry *list, size_t count, bool tolerant)
{
	uint32_t had = 0;
	size_t i;

	(void)nl;
	if (tolerant || count != 1)
		return refused("nobody asked for that");
	if (list->domain && *list->domain && !domain(list->domain))
		return refused("bad domain");
	for (i = 0; i < kept->partner_count; i++) {
		if (is_meant(&kept->partners[i], list))
			had |= kept->partners[i].mask;
	}
	if (!had)
		return refused("partner does not exist");
	if (list->mask & ~had)
		return refused("partner is not in that group");
	for (i = kept->partner_count; i--;) {
		struct pair *pair = &kept->partners[i];

		if (!is_meant(pair, list))
			continue;
		pair->mask &= list->mask ? ~list->mask : 0;
		if (!pair->mask)
			drop(kept->partners, &kept->partner_count, pair);
	}
	return 0;
}

int __wrap_nl_partner_flush(struct nl *nl, uint32_t groups)
{
	(void)nl;
	if (groups)
		return refused("nobody asked for that");
	kept->partner_count = 0;
	return 0;
}

int __wrap_nl_block_add(struct nl *nl, const struct entry *list, size_t count, bool tolerant)
{
	struct pair *pair;
	size_t i;

	(void)nl;
	for (i = 0; i < count; i++) {
		const char *reason = list[i].text ? list[i].text : "";

		if (!whole(&list[i].prefix))
			return refused("host bits are set");
		if (!meant(&list[i].prefix))
			return refused("cannot be meant");
		if (!partner_name(reason))
			return refused("bad reason");
		pair = find(kept->blocks, kept->block_count, &list[i].prefix, NULL);
		if (pair && !tolerant && pair->until == list[i].until && !strcmp(pair->text, reason))
			return refused("block exists");
		if (!pair)
			pair = append(&kept->blocks, &kept->block_count, &list[i].prefix);
		pair->until = list[i].until;
		strcpy(pair->text, reason);
	}
	return 0;
}

int __wrap_nl_block_del(struct nl *nl, const struct entry *list, size_t count, bool tolerant)
{
	struct pair *pair = find(kept->blocks, kept->block_count, &list->prefix, NULL);

	(void)nl;
	if (tolerant || count != 1)
		return refused("nobody asked for that");
	if (!pair)
		return refused("block does not exist");
	drop(kept->blocks, &kept->block_count, pair);
	return 0;
}

int __wrap_nl_block_flush(struct nl *nl)
{
	(void)nl;
	kept->block_count = 0;
	return 0;
}

/* Every name that has not got an "x" has an address. */
bool __wrap_dns_lookup(struct lookup *list, size_t count, const char *resolver)
{
	bool all = true;
	size_t i;

	(void)resolver;
	for (i = 0; i < count; i++) {
		if (!domain(list[i].domain.text) || !list[i].mask)
			abort();
		if (strchr(list[i].domain.text, 'x')) {
			snprintf(list[i].error, sizeof(list[i].error), "%s: there is no such thing",
				 list[i].domain.text);
			all = false;
			continue;
		}
		list[i].list = calloc(1, sizeof(struct entry));
		if (!list[i].list)
			abort();
		list[i].list[0] = (struct entry){ .prefix = { 4, 32, { 192, 0, 2, 1 } },
						  .mask = list[i].mask };
		list[i].count = 1;
	}
	return all;
}

int __wrap_nl_status(struct nl *nl, struct status *status)
{
	(void)nl;
	memset(status, 0, sizeof(*status));
	status->settings = in_force.settings;
	status->generation = 1;
	status->left = -1;	/* nothing waits for its confirmation */
	status->interfaces = in_force.interface_count;
	status->partners = in_force.partner_count;
	status->blocks = in_force.block_count;
	return 0;
}

int __wrap_nl_rules(struct nl *nl, struct rule **list, size_t *count)
{
	(void)nl;
	*list = malloc(sizeof(in_force.rules));
	if (!*list)
		abort();
	memcpy(*list, in_force.rules, sizeof(in_force.rules));
	*count = NF_EDGE_ROW_COUNT;
	return 0;
}

int __wrap_nl_drops(struct nl *nl, struct drop **list, size_t *count)
{
	uint32_t i;

	(void)nl;
	*count = NF_EDGE_REASON_COUNT;
	*list = calloc(*count, sizeof(**list));
	if (!*list)
		abort();
	for (i = 0; i < NF_EDGE_REASON_COUNT; i++)
		(*list)[i] = (struct drop){ .reason = i, .packets = 3000 + i, .bytes = 4000 + i };
	return 0;
}

static void add_entry(struct entry **list, size_t *count, const struct pair *pair, uint32_t mask)
{
	*list = reallocarray(*list, *count + 1, sizeof(**list));
	if (!*list)
		abort();
	(*list)[(*count)++] = (struct entry){
		.prefix = pair->prefix,
		.mask = mask,
		.text = pair->text[0] ? strdup(pair->text) : NULL,
		.domain = pair->domain[0] ? strdup(pair->domain) : NULL,
		.until = pair->until,
	};
}

/* Whoever asks for those that cover an address has more than he asked for. */
int __wrap_nl_blocks(struct nl *nl, const struct prefix *covers, struct entry **list, size_t *count)
{
	size_t i;

	(void)nl;
	(void)covers;
	*list = NULL;
	*count = 0;
	if (in_force.block_count)
		qsort(in_force.blocks, in_force.block_count, sizeof(struct pair), order);
	for (i = 0; i < in_force.block_count; i++)
		add_entry(list, count, &in_force.blocks[i], 0);
	return 0;
}

int __wrap_nl_interfaces(struct nl *nl, uint32_t roles, struct entry **list, size_t *count)
{
	size_t i;
	int role;

	(void)nl;
	(void)roles;
	*list = NULL;
	*count = 0;
	if (in_force.interface_count)
		qsort(in_force.interfaces, in_force.interface_count, sizeof(struct pair), order);
	for (i = 0; i < in_force.interface_count; i++) {
		for (role = 0; role < NF_EDGE_ROLE_COUNT; role++) {
			if (in_force.interfaces[i].mask & 1u << role)
				add_entry(list, count, &in_force.interfaces[i], 1u << role);
		}
	}
	return 0;
}

int __wrap_nl_partners(struct nl *nl, const struct partner_filter *filter, struct entry **list,
		       size_t *count)
{
	size_t i;

	(void)nl;
	(void)filter;
	*list = NULL;
	*count = 0;
	if (in_force.partner_count)
		qsort(in_force.partners, in_force.partner_count, sizeof(struct pair), order);
	for (i = 0; i < in_force.partner_count; i++)
		add_entry(list, count, &in_force.partners[i], in_force.partners[i].mask);
	return 0;
}

/* Whoever reads the counters of partners finds these. */
int __wrap_nl_partners_take(struct nl *nl, const struct partner_filter *filter,
			    nl_take_entries *take, void *context)
{
	static const struct entry list[] = {
		{ .prefix = { 4, 24, { 198, 51, 100 } }, .mask = 1 << NF_EDGE_GROUP_PIC,
		  .text = "voice \"provider\" \\ \342\200\256", .seen = true, .packets = 7 },
		{ .prefix = { 4, 32, { 198, 51, 100, 7 } }, .mask = 1 << NF_EDGE_GROUP_FEDERATION,
		  .domain = "contoso.com", .seen = true, .packets = 9 },
		{ .prefix = { 4, 32, { 198, 51, 100, 7 } }, .mask = 1 << NF_EDGE_GROUP_XMPP,
		  .text = "contoso", .domain = "xmpp.contoso.com", .seen = true, .packets = 9 },
		{ .prefix = { 16, 48, { 0x20, 1, 0xd, 0xb8 } }, .mask = 1 << NF_EDGE_GROUP_PIC,
		  .seen = true },
	};

	(void)nl;
	(void)filter;
	take(context, list, 2, true);
	take(context, list + 2, 2, false);
	return 0;
}
