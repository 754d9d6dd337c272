// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy: a whole policy, gathered line by line. No netlink, no files.
 */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

void policy_init(struct policy *policy, bool tolerant)
{
	uint32_t row;

	memset(policy, 0, sizeof(*policy));
	policy->tolerant = tolerant;
	for (row = 0; row < NF_EDGE_ROW_COUNT; row++)
		policy->rules[row] = (struct rule_change){ row, -1, -1 };
}

static void table_free(struct table *table)
{
	entries_free(table->list, table->count);
	free(table->slot);
}

void policy_free(struct policy *policy)
{
	table_free(&policy->interfaces);
	table_free(&policy->partners);
}

/* FNV-1a. */
static size_t hash(const struct prefix *prefix)
{
	const unsigned char *byte = (const unsigned char *)prefix;
	uint64_t sum = 0xcbf29ce484222325;
	size_t i;

	for (i = 0; i < sizeof(*prefix); i++)
		sum = (sum ^ byte[i]) * 0x100000001b3;
	return sum ^ sum >> 32;
}

/* The slot that holds @prefix or is to hold it. */
static uint32_t *find_slot(const struct table *table, const struct prefix *prefix)
{
	size_t i = hash(prefix) & (table->slots - 1);

	while (table->slot[i] &&
	       memcmp(&table->list[table->slot[i] - 1].prefix, prefix, sizeof(*prefix)))
		i = (i + 1) & (table->slots - 1);
	return &table->slot[i];
}

/* At most half of the slots are taken. */
static bool widen(struct table *table)
{
	uint32_t *old = table->slot;
	size_t i;

	if (table->count * 2 < table->slots)
		return true;
	table->slots = table->slots ? table->slots * 2 : 64;
	table->slot = calloc(table->slots, sizeof(*table->slot));
	free(old);
	if (!table->slot)
		return false;
	for (i = 0; i < table->count; i++)
		*find_slot(table, &table->list[i].prefix) = i + 1;
	return true;
}

/* The entry of @prefix, a new one with mask 0 if need be. NULL: out of memory. */
static struct entry *find(struct table *table, const struct prefix *prefix)
{
	struct entry *list;
	uint32_t *slot;

	if (!widen(table))
		return NULL;
	slot = find_slot(table, prefix);
	if (*slot)
		return &table->list[*slot - 1];
	list = grow(table->list, table->count, &table->room, sizeof(*list));
	if (!list)
		return NULL;
	table->list = list;
	list[table->count] = (struct entry){ .prefix = *prefix };
	*slot = ++table->count;
	return &list[table->count - 1];
}

static bool set_text(struct entry *entry, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return false;
	free(entry->text);
	entry->text = copy;
	return true;
}

static bool set(struct policy *policy, struct op *op, unsigned int which, uint32_t *to)
{
	if (!op->set)
		return refuse(op, "missing value");
	policy->settings.given |= which;
	*to = op->value;
	return true;
}

bool policy_mode(struct policy *policy, struct op *op)
{
	return set(policy, op, SETTING_MODE, &policy->settings.mode);
}

bool policy_unlisted(struct policy *policy, struct op *op)
{
	return set(policy, op, SETTING_UNLISTED, &policy->settings.unlisted);
}

bool policy_rtp_match(struct policy *policy, struct op *op)
{
	return set(policy, op, SETTING_MATCH, &policy->settings.match);
}

bool policy_rtp_set(struct policy *policy, struct op *op)
{
	policy->settings.given |= SETTING_PORTS;
	memcpy(policy->settings.ports, op->ports, sizeof(op->ports));
	return true;
}

bool policy_rule_enable(struct policy *policy, struct op *op)
{
	uint32_t row;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		if (op->mask & 1u << row)
			policy->rules[row].enabled = op->value;
	}
	return true;
}

bool policy_rule_set(struct policy *policy, struct op *op)
{
	uint32_t row;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		if (op->mask & 1u << row)
			policy->rules[row].peers = op->value;
	}
	return true;
}

bool policy_interface(struct policy *policy, struct op *op)
{
	struct entry *entry = find(&policy->interfaces, &op->prefix[0]);
	const char *role = role_names[__builtin_ffs(op->mask) - 1];
	char text[PREFIX_TEXT];

	if (!entry)
		return refuse(op, "out of memory");
	address_text(&entry->prefix, text);
	if (op->text && entry->text && strcmp(op->text, entry->text))
		return refuse(op, "interface %s %s is bound to another device (%s, line %u)", role,
			      text, entry->text, entry->line);
	if (entry->mask & op->mask && !policy->tolerant && (entry->text || !op->text))
		return refuse(op, "interface %s %s exists (line %u)", role, text,
			      entry->line);
	if (op->text && !set_text(entry, op->text))
		return refuse(op, "out of memory");
	entry->mask |= op->mask;
	entry->line = policy->line;
	return true;
}

static bool add_partner(struct policy *policy, struct op *op, const struct prefix *prefix)
{
	struct entry *entry = find(&policy->partners, prefix);
	char text[PREFIX_TEXT];
	bool rename;

	if (!entry)
		return refuse(op, "out of memory");
	rename = op->text && (!entry->text || strcmp(op->text, entry->text));
	if (!(op->mask & ~entry->mask) && !rename && !policy->tolerant)
		return refuse(op, "partner %s exists (line %u)", prefix_text(prefix, text),
			      entry->line);
	if (rename && !set_text(entry, op->text))
		return refuse(op, "out of memory");
	entry->mask |= op->mask;
	entry->line = policy->line;
	return true;
}

bool policy_partner(struct policy *policy, struct op *op)
{
	size_t i;

	for (i = 0; i < op->count; i++) {
		if (!add_partner(policy, op, &op->prefix[i]))
			return false;
	}
	return true;
}

static bool has_role(const struct table *interfaces, uint32_t role)
{
	size_t i;

	for (i = 0; i < interfaces->count; i++) {
		if (interfaces->list[i].mask & 1u << role)
			return true;
	}
	return false;
}

bool policy_blocks_dns(const struct policy *policy)
{
	return policy->settings.mode != NF_EDGE_MODE_OFF &&
	       policy->settings.unlisted == NF_EDGE_UNLISTED_DROP &&
	       has_role(&policy->interfaces, NF_EDGE_ROLE_ACCESS);
}
