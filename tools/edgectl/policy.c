// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy: a whole policy, gathered line by line. No netlink, no files.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy.h"

/**
 * struct row - what a row is about, and its default
 *
 * As the module's own table has it, and tests/lint/agree.py holds against that.
 */
struct row {
	uint8_t role;
	uint8_t group;
	uint8_t peers;
};

#define ROW(row, role, group, peers) \
	[NF_EDGE_ROW_##row] = { NF_EDGE_ROLE_##role, NF_EDGE_GROUP_##group, NF_EDGE_PEERS_##peers }

static const struct row rows[NF_EDGE_ROW_COUNT] = {
	ROW(SIP_FEDERATION_OUT, ACCESS, FEDERATION, ANY),
	ROW(SIP_FEDERATION_IN, ACCESS, FEDERATION, LISTED),
	ROW(SIP_PIC_IN, ACCESS, PIC, LISTED),
	ROW(SIP_PIC_OUT, ACCESS, PIC, LISTED),
	ROW(SIP_CLIENT_IN, ACCESS, CLIENT, ANY),
	ROW(AV_RTP_OUT, AV, MESSENGER, ANY),
	ROW(AV_STUN_OUT, AV, MESSENGER, ANY),
	ROW(AV_STUN_IN, AV, MESSENGER, ANY),
	ROW(XMPP_IN, ACCESS, XMPP, ANY),
	ROW(XMPP_OUT, ACCESS, XMPP, ANY),
	ROW(XMPP_GATEWAY_IN, INTERNAL, GATEWAY, ANY),
};

#define RTP_FIRST	50000
#define RTP_LAST	59999

void policy_init(struct policy *policy, bool tolerant)
{
	uint32_t row;

	memset(policy, 0, sizeof(*policy));
	policy->tolerant = tolerant;
	policy->interfaces.limit = NF_EDGE_INTERFACES_MAX;
	policy->interfaces.what = "Edge addresses";
	policy->partners.limit = NF_EDGE_PARTNERS_MAX;
	policy->partners.what = "partners";
	policy->blocks.limit = NF_EDGE_BLOCKS_MAX;
	policy->blocks.what = "blocks";
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
	table_free(&policy->blocks);
}

/* Depends on each bit; who writes the file has no reason to make prefixes meet in a slot. */
static size_t hash(const struct prefix *prefix)
{
	const uint64_t odd = 0x9e3779b97f4a7c15;	/* the golden ratio's bits */
	uint64_t part[3] = { 0 }, sum;

	memcpy(part, prefix, sizeof(*prefix));
	sum = part[0] * odd;
	sum = ((sum ^ sum >> 32) + part[1]) * odd;
	sum = ((sum ^ sum >> 32) + part[2]) * odd;
	return sum ^ sum >> 32;
}

static size_t hash_text(const char *text)
{
	size_t sum = 0;

	while (*text)
		sum = (sum + (unsigned char)*text++) * 0x9e3779b97f4a7c15;
	return sum ^ sum >> 32;
}

/* The slot that holds @prefix as it comes from @domain, or is to hold it. */
static inline uint32_t *find_slot(const struct table *table, const struct prefix *prefix,
				  const char *domain)
{
	size_t i = (hash(prefix) + (domain ? hash_text(domain) : 0)) & (table->slots - 1);

	while (table->slot[i]) {
		const struct entry *entry = &table->list[table->slot[i] - 1];

		if (!memcmp(&entry->prefix, prefix, sizeof(*prefix)) &&
		    same_text(entry->domain, domain))
			break;
		i = (i + 1) & (table->slots - 1);
	}
	return &table->slot[i];
}

/* At most half of the slots are taken. */
static bool widen(struct table *table)
{
	uint32_t *old = table->slot;
	size_t i;

	if (table->count * 2 < table->slots)
		return true;
	table->slots = table->slots ? table->slots * 4 : 64;
	table->slot = calloc(table->slots, sizeof(*table->slot));
	free(old);
	if (!table->slot)
		return false;
	for (i = 0; i < table->count; i++)
		*find_slot(table, &table->list[i].prefix, table->list[i].domain) = i + 1;
	return true;
}

/* Of a prefix's entries the kernel counts one; which here is the one that no domain has brought. */
static bool is_full(const struct table *table)
{
	return table->count - table->shares >= table->limit;
}

static struct entry *no_entry(struct op *op, const struct table *table)
{
	if (is_full(table))
		refuse(op, "there are too many %s (at most %zu)", table->what, table->limit);
	else
		refuse(op, "out of memory");
	return NULL;
}

/* The entry of both, a new one with mask 0 if need be. NULL: op->error says why not. */
static struct entry *find(struct op *op, struct table *table, const struct prefix *prefix,
			  const char *domain)
{
	struct entry *list;
	uint32_t *slot;
	char *copy = NULL;

	if (!widen(table))
		return no_entry(op, table);
	slot = find_slot(table, prefix, domain);
	if (*slot)
		return &table->list[*slot - 1];
	if (!domain && is_full(table))
		return no_entry(op, table);
	list = grow(table->list, table->count, &table->room, sizeof(*list));
	if (!list)
		return no_entry(op, table);
	table->list = list;
	if (domain) {
		copy = strdup(domain);
		if (!copy)
			return no_entry(op, table);
	}
	table->shares += !!domain;
	list[table->count] = (struct entry){ .prefix = *prefix, .domain = copy };
	*slot = ++table->count;
	return &list[table->count - 1];
}

/* "" is none. */
static bool set_text(struct entry *entry, const char *text)
{
	char *copy = *text ? strdup(text) : NULL;

	if (*text && !copy)
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
	struct entry *entry = find(op, &policy->interfaces, &op->prefix[0], NULL);
	const char *role = role_names[__builtin_ffs(op->mask) - 1];
	char text[PREFIX_TEXT];

	if (!entry)
		return false;
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
	const char *domain = op->domain.text[0] ? op->domain.text : NULL;
	struct entry *entry = find(op, &policy->partners, prefix, domain);
	char text[PREFIX_TEXT];
	bool rename;

	if (!entry)
		return false;
	rename = op->text && strcmp(op->text, entry->text ? entry->text : "");
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

	if (op->names)
		return refuse(op, "%.80s would have to be looked up: a policy file has addresses",
			      op->name[0].text);
	for (i = 0; i < op->count; i++) {
		if (!add_partner(policy, op, &op->prefix[i]))
			return false;
	}
	return true;
}

static bool add_block(struct policy *policy, struct op *op, const struct prefix *prefix)
{
	struct entry *entry = find(op, &policy->blocks, prefix, NULL);
	char text[PREFIX_TEXT];

	if (!entry)
		return false;
	if (entry->line && !policy->tolerant)
		return refuse(op, "block %s exists (line %u)", prefix_text(prefix, text),
			      entry->line);
	if (!set_text(entry, op->text ? op->text : ""))
		return refuse(op, "out of memory");
	entry->until = op->until;
	entry->line = policy->line;
	return true;
}

bool policy_block(struct policy *policy, struct op *op)
{
	size_t i;

	if (op->names)
		return refuse(op, "%.80s would have to be looked up: a policy file has addresses",
			      op->name[0].text);
	if (op->file)
		return refuse(op,
			      "a name stands for other partners tomorrow: a policy file has addresses");
	if (op->relative)
		return refuse(op,
			      "a duration begins anew each time: a policy file has a time (2026-12-01T03:00:00Z)");
	if (op->until && op->until <= (uint64_t)time(NULL)) {
		policy->ended += op->count;
		return true;
	}
	for (i = 0; i < op->count; i++) {
		if (!add_block(policy, op, &op->prefix[i]))
			return false;
	}
	return true;
}

struct entry *policy_find(struct policy *policy, const struct prefix *prefix, const char *domain)
{
	const struct table *table = &policy->partners;
	uint32_t slot = table->count ? *find_slot(table, prefix, domain) : 0;

	return slot ? &table->list[slot - 1] : NULL;
}

static int order(const void *a, const void *b)
{
	return entry_compare(a, b);
}

/* What was saved is in order already. */
static void sort(struct table *table)
{
	size_t i = 1;

	free(table->slot);
	table->slot = NULL;
	table->slots = 0;
	while (i < table->count && order(&table->list[i - 1], &table->list[i]) < 0)
		i++;
	if (i < table->count)
		qsort(table->list, table->count, sizeof(*table->list), order);
}

void policy_complete(struct policy *policy)
{
	uint32_t row, port;

	if (!(policy->settings.given & SETTING_PORTS)) {
		for (port = RTP_FIRST; port <= RTP_LAST; port++)
			policy->settings.ports[port / 8] |= 1 << port % 8;
	}
	policy->stated = policy->settings.given;
	policy->settings.given = SETTING_MODE | SETTING_UNLISTED | SETTING_MATCH | SETTING_PORTS;
	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		struct rule_change *rule = &policy->rules[row];

		if (rule->enabled < 0)
			rule->enabled = 1;
		if (rule->peers < 0)
			rule->peers = rows[row].peers;
	}
	sort(&policy->interfaces);
	sort(&policy->partners);
	sort(&policy->blocks);
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

bool policy_guards(const struct policy *policy)
{
	return policy->interfaces.count || policy->settings.mode == NF_EDGE_MODE_OFF;
}

bool policy_blocks_dns(const struct policy *policy)
{
	return policy->settings.mode != NF_EDGE_MODE_OFF &&
	       policy->settings.unlisted == NF_EDGE_UNLISTED_DROP &&
	       !(policy->stated & SETTING_UNLISTED) &&
	       has_role(&policy->interfaces, NF_EDGE_ROLE_ACCESS);
}

/* While there is no A/V address, the access addresses serve A/V, too. */
static bool serves(const struct table *interfaces, uint32_t role)
{
	return has_role(interfaces, role) ||
	       (role == NF_EDGE_ROLE_AV && has_role(interfaces, NF_EDGE_ROLE_ACCESS));
}

uint32_t policy_idle_rows(const struct policy *policy, uint32_t group)
{
	uint32_t row, idle = 0;
	size_t i;

	for (i = 0; i < policy->partners.count; i++) {
		if (policy->partners.list[i].mask & 1u << group)
			return 0;
	}
	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		if (rows[row].group == group && policy->rules[row].enabled &&
		    policy->rules[row].peers == NF_EDGE_PEERS_LISTED &&
		    serves(&policy->interfaces, rows[row].role))
			idle |= 1u << row;
	}
	return idle;
}

void policy_covered(const struct policy *policy, covered_fn tell, void *context)
{
	const struct entry *around[129];	/* one of each length, the shortest first */
	size_t depth = 0, i, j;

	for (i = 0; i < policy->partners.count; i++) {
		const struct entry *entry = &policy->partners.list[i];

		if (entry->domain)	/* is neither there to stay nor to be left out */
			continue;
		while (depth && !prefix_covers(&around[depth - 1]->prefix, &entry->prefix))
			depth--;
		for (j = depth; j && entry->mask & ~around[j - 1]->mask; j--)
			;
		if (j)
			tell(context, entry, around[j - 1]);
		around[depth++] = entry;
	}
}
