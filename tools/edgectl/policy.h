/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy: a whole policy, gathered line by line from a file.
 *
 * It holds what the lines amount to: groups of one partner are joined, the last
 * value of a setting stands. Refuses what the kernel would refuse.
 */
#ifndef EDGECTL_POLICY_H
#define EDGECTL_POLICY_H

#include "nl.h"
#include "parse.h"

/**
 * struct table - entries by prefix
 * @slot: open addressing; index into @list plus one, 0: free
 * @slots: their number, a power of two
 */
struct table {
	struct entry *list;
	size_t count;
	size_t room;
	uint32_t *slot;
	size_t slots;
};

/**
 * struct policy - zero it and call policy_init()
 * @rules: what the file says of each row
 * @tolerant: what is there already is no error
 * @line: number of the line that is being read
 */
struct policy {
	struct settings settings;
	struct rule_change rules[NF_EDGE_ROW_COUNT];
	struct table interfaces;
	struct table partners;
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

/* No row covers DNS from an access address, and nothing else lets it pass. */
bool policy_blocks_dns(const struct policy *policy);

#endif
