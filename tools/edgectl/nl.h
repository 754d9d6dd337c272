/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nl: the kernel behind plain functions.
 *
 * Every function returns 0, or -1 and leaves the reason in the handle: see
 * nl_error(). Lists are the caller's to free.
 */
#ifndef EDGECTL_NL_H
#define EDGECTL_NL_H

#include "parse.h"

struct nl;

/**
 * struct nl_error - why the kernel refused
 * @code: errno, positive
 * @entry: index of the entry that is to blame, or NL_NO_ENTRY
 * @text: the kernel's sentence or our own
 */
struct nl_error {
#define NL_NO_ENTRY	((size_t)-1)
	int code;
	size_t entry;
	char text[256];
};

/**
 * struct status - the policy in force at a glance
 * @uptime: seconds since it last changed
 */
struct status {
	char version[64];
	struct settings settings;
	uint32_t generation;
	uint32_t interfaces;
	uint32_t partners;
	uint64_t uptime;
};

struct rule {
	uint32_t row;
	char class[16];
	char from[16];
	char to[16];
	uint32_t protocol;
	uint32_t dport;
	uint32_t peers;
	uint32_t enabled;
	uint64_t packets;
	uint64_t bytes;
	uint64_t flows;
};

struct drop {
	uint32_t reason;
	uint64_t packets;
	uint64_t bytes;
};

/**
 * struct rule_change - what to make of a row; negative: leave it
 */
struct rule_change {
	uint32_t row;
	int enabled;
	int peers;
};

/**
 * struct verdict - the answer to explain; row and reason negative: none
 */
struct verdict {
	uint32_t verdict;
	uint32_t mode;
	int row;
	int reason;
};

/* Never NULL; when it could not be opened, every call on it fails. */
struct nl *nl_attach(void);
void nl_detach(struct nl *nl);
const struct nl_error *nl_error(const struct nl *nl);

int nl_status(struct nl *nl, struct status *status);
int nl_set(struct nl *nl, const struct settings *settings);

/* @role is a bit of entry->mask; entry->text the device or NULL. */
int nl_interface_add(struct nl *nl, const struct entry *entry, uint32_t role,
		     bool tolerant);
int nl_interface_del(struct nl *nl, const struct entry *entry, uint32_t role,
		     bool tolerant);
/* @roles: 0 or one bit: all, or that role's. */
int nl_interface_flush(struct nl *nl, uint32_t roles);
int nl_interfaces(struct nl *nl, uint32_t roles, struct entry **list, size_t *count);

/* All in one step. */
int nl_partner_add(struct nl *nl, const struct entry *list, size_t count, bool tolerant);
int nl_partner_del(struct nl *nl, const struct entry *list, size_t count, bool tolerant);
/* Many messages; only for use inside a transaction. */
int nl_partner_stage(struct nl *nl, const struct entry *list, size_t count);
int nl_partner_flush(struct nl *nl, uint32_t groups);
/* Filters: @groups 0, @name NULL, @covers NULL or of size 0: not given. */
int nl_partners(struct nl *nl, uint32_t groups, const char *name,
		const struct prefix *covers, struct entry **list, size_t *count);
void entries_free(struct entry *list, size_t count);

int nl_rules(struct nl *nl, struct rule **list, size_t *count);
int nl_rule_set(struct nl *nl, const struct rule_change *list, size_t count);
int nl_drops(struct nl *nl, struct drop **list, size_t *count);
int nl_stats_reset(struct nl *nl);
int nl_explain(struct nl *nl, const struct flow *flow, struct verdict *verdict);

int nl_begin(struct nl *nl);
int nl_commit(struct nl *nl);

#endif
