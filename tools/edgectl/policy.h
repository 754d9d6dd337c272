/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy: a whole policy, gathered line by line from a file.
 *
 * It holds what the lines amount to: groups of one partner are joined, the last
 * value of a setting stands. Refuses what the kernel would refuse; a line that is
 * refused may have been taken in part, and more lines may follow.
 */
#ifndef EDGECTL_POLICY_H
#define EDGECTL_POLICY_H

#include "nl.h"
#include "parse.h"

/**
 * struct table - entries by prefix and domain
 * @slot: open addressing; index into @list plus one, 0: free
 * @slots: their number, a power of two
 * @shares: entries that a domain has brought
 * @limit: prefixes that the kernel takes
 * @what: they are called in a refusal
 */
struct table {
	struct entry *list;
	size_t count;
	size_t room;
	size_t shares;
	uint32_t *slot;
	size_t slots;
	size_t limit;
	const char *what;
};

/**
 * struct policy - zero it and call policy_init()
 * @rules: what the file says of each row
 * @stated: settings that the file has, of a complete policy; SETTING_*
 * @ended: blocks that were left out, because their end has come
 * @tolerant: what is there already is no error
 * @line: number of the line that is being read
 */
struct policy {
	struct settings settings;
	struct rule_change rules[NF_EDGE_ROW_COUNT];
	struct table interfaces;
	struct table partners;
	struct table blocks;
	unsigned int stated;
	size_t ended;
	bool tolerant;
	uint32_t line;
};

typedef bool (*stage_fn)(struct policy *policy, struct op *op);

void policy_init(struct policy *policy, bool tolerant);
void policy_free(struct policy *policy);

/* Each takes one understood command; false: op->error says why not. */
bool policy_mode(struct policy *policy, struct op *op);
bool policy_unlisted(struct policy *policy, struct op *op);
bool policy_rtp_set(struct policy *policy, struct op *op);
bool policy_rtp_match(struct policy *policy, struct op *op);
bool policy_rule_enable(struct policy *policy, struct op *op);
bool policy_rule_set(struct policy *policy, struct op *op);
bool policy_interface(struct policy *policy, struct op *op);
bool policy_partner(struct policy *policy, struct op *op);
bool policy_block(struct policy *policy, struct op *op);

/* The partner as it comes from @domain, or NULL. Not of a complete policy. */
struct entry *policy_find(struct policy *policy, const struct prefix *prefix, const char *domain);

/*
 * To be called when nothing is taken any more: what was not mentioned has its default, and the
 * tables are in order.
 */
void policy_complete(struct policy *policy);

/* Whether it enforces something, or says by "mode off" that it is not meant to. */
bool policy_guards(const struct policy *policy);

/* What a complete policy may not mean, though it can be loaded. */

/* No row covers DNS from an access address, nothing else lets it pass, and nobody said so. */
bool policy_blocks_dns(const struct policy *policy);

/* The rows that would admit the partners of @group, whom there are none of, and nobody else. */
uint32_t policy_idle_rows(const struct policy *policy, uint32_t group);

/*
 * Tells of each partner that could as well go, and of the one that covers it and says as much. What
 * a domain has brought is neither: DNS takes and brings it.
 */
typedef void (*covered_fn)(void *context, const struct entry *inner, const struct entry *outer);
void policy_covered(const struct policy *policy, covered_fn tell, void *context);

#endif
