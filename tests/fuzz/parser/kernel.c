// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions of nl.h that loading and saving need; the linker puts them in the
 * place of the real ones (--wrap).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "nl.h"

#define INTERFACES_MAX	4096

struct pair {
	struct prefix prefix;
	uint32_t mask;		/* of roles or groups */
	char text[64];		/* device or name */
};

struct kept {
	struct settings settings;
	struct rule rules[NF_EDGE_ROW_COUNT];
	struct pair *interfaces;
	size_t interface_count;
	struct pair *partners;
	size_t partner_count;
};

static struct kept staged, in_force;
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
	memset(kept, 0, sizeof(*kept));
	memset(kept->settings.ports + 50000 / 8, 0xff, 10000 / 8);	/* 50000 to 59999 */
	for (i = 0; i < NF_EDGE_ROW_COUNT; i++) {
		kept->rules[i].row = i;
		kept->rules[i].enabled = 1;
		kept->rules[i].peers = listed[i] ? NF_EDGE_PEERS_LISTED : NF_EDGE_PEERS_ANY;
	}
}

const char *kernel_refusal(void)
{
	return error.text;
}

void kernel_reset(void)
{
	error.text[0] = '\0';
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

/* As the kernel's dev_valid_name(), whose isspace() knows Latin 1's no-break space. */
static bool device(const char *name)
{
	return *name && strlen(name) < 16 && strcmp(name, ".") && strcmp(name, "..") &&
	       !strpbrk(name, "/: \t\n\v\f\r\240");
}

static bool partner_name(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++) {
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	}
	return i >= 1 && i <= NF_EDGE_NAME_MAX;
}

static struct pair *find(struct pair *list, size_t count, const struct prefix *prefix)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!memcmp(&list[i].prefix, prefix, sizeof(*prefix)))
			return &list[i];
	}
	return NULL;
}

static struct pair *append(struct pair **list, size_t *count, const struct prefix *prefix)
{
	*list = reallocarray(*list, *count + 1, sizeof(**list));
	if (!*list)
		abort();
	(*list)[*count] = (struct pair){ .prefix = *prefix };
	return &(*list)[(*count)++];
}

/* IPv4 before IPv6, by address, shorter prefixes first. */
static int order(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int by_address = memcmp(x->prefix.bytes, y->prefix.bytes, 16);

	if (x->prefix.size != y->prefix.size)
		return x->prefix.size - y->prefix.size;
	return by_address ? by_address : x->prefix.len - y->prefix.len;
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

int __wrap_nl_begin(struct nl *nl)
{
	(void)nl;
	set_defaults(&staged);
	return 0;
}

int __wrap_nl_commit(struct nl *nl)
{
	struct kept old = in_force;

	(void)nl;
	if (staged.interface_count)
		qsort(staged.interfaces, staged.interface_count, sizeof(struct pair), order);
	if (staged.partner_count)
		qsort(staged.partners, staged.partner_count, sizeof(struct pair), order);
	in_force = staged;
	staged = old;
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
		staged.settings.mode = settings->mode;
	if (settings->given & SETTING_UNLISTED)
		staged.settings.unlisted = settings->unlisted;
	if (settings->given & SETTING_MATCH)
		staged.settings.match = settings->match;
	if (settings->given & SETTING_PORTS)
		memcpy(staged.settings.ports, settings->ports, sizeof(settings->ports));
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
			staged.rules[list[i].row].enabled = list[i].enabled;
		if (list[i].peers >= 0)
			staged.rules[list[i].row].peers = list[i].peers;
	}
	return 0;
}

int __wrap_nl_interface_add(struct nl *nl, const struct entry *entry, uint32_t role, bool tolerant)
{
	struct pair *pair = find(staged.interfaces, staged.interface_count, &entry->prefix);

	(void)nl;
	if (!whole(&entry->prefix) || entry->prefix.len != entry->prefix.size * 8)
		return refused("no address");
	if (!meant(&entry->prefix))
		return refused("cannot be meant");
	if (!role || role & (role - 1) || role >> NF_EDGE_ROLE_COUNT)
		return refused("no role");
	if (entry->text && !device(entry->text))
		return refused("that cannot be a device's name");
	if (pair && pair->text[0] && entry->text && strcmp(pair->text, entry->text))
		return refused("bound to another device");
	if (pair && pair->mask & role && !tolerant)
		return refused("interface exists");
	if (!pair && staged.interface_count == INTERFACES_MAX)
		return refused("too many");
	if (!pair)
		pair = append(&staged.interfaces, &staged.interface_count, &entry->prefix);
	pair->mask |= role;
	if (entry->text)
		strcpy(pair->text, entry->text);
	return 0;
}

int __wrap_nl_partner_stage(struct nl *nl, const struct entry *list, size_t count)
{
	struct pair *pair;
	size_t i;

	(void)nl;
	for (i = 0; i < count; i++) {
		if (!whole(&list[i].prefix))
			return refused("host bits are set");
		if (!meant(&list[i].prefix))
			return refused("cannot be meant");
		if (!list[i].mask || list[i].mask >> NF_EDGE_GROUP_COUNT)
			return refused("no group");
		if (list[i].text && !partner_name(list[i].text))
			return refused("bad name");
		if (find(staged.partners, staged.partner_count, &list[i].prefix))
			return refused("partner exists");
		pair = append(&staged.partners, &staged.partner_count, &list[i].prefix);
		pair->mask = list[i].mask;
		if (list[i].text)
			strcpy(pair->text, list[i].text);
	}
	return 0;
}

int __wrap_nl_status(struct nl *nl, struct status *status)
{
	(void)nl;
	memset(status, 0, sizeof(*status));
	status->settings = in_force.settings;
	status->generation = 1;
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

static void add_entry(struct entry **list, size_t *count, const struct pair *pair, uint32_t mask)
{
	*list = reallocarray(*list, *count + 1, sizeof(**list));
	if (!*list)
		abort();
	(*list)[(*count)++] = (struct entry){
		.prefix = pair->prefix,
		.mask = mask,
		.text = pair->text[0] ? strdup(pair->text) : NULL,
	};
}

int __wrap_nl_interfaces(struct nl *nl, uint32_t roles, struct entry **list, size_t *count)
{
	size_t i;
	int role;

	(void)nl;
	(void)roles;
	*list = NULL;
	*count = 0;
	for (i = 0; i < in_force.interface_count; i++) {
		for (role = 0; role < NF_EDGE_ROLE_COUNT; role++) {
			if (in_force.interfaces[i].mask & 1u << role)
				add_entry(list, count, &in_force.interfaces[i], 1u << role);
		}
	}
	return 0;
}

int __wrap_nl_partners(struct nl *nl, uint32_t groups, const char *name,
		       const struct prefix *covers, struct entry **list, size_t *count)
{
	size_t i;

	(void)nl;
	(void)groups;
	(void)name;
	(void)covers;
	*list = NULL;
	*count = 0;
	for (i = 0; i < in_force.partner_count; i++)
		add_entry(list, count, &in_force.partners[i], in_force.partners[i].mask);
	return 0;
}
