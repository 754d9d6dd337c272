/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parse: the words of a command become plain structs.
 *
 * Knows neither netlink nor files. The words of a command line and the words
 * of a policy file's line go through the same functions.
 */
#ifndef EDGECTL_PARSE_H
#define EDGECTL_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"
#include "op.h"
#include "prefix.h"
#include "text.h"

/**
 * struct settings - the values that a policy has once
 * @given: which of them are meant, SETTING_*
 */
struct settings {
#define SETTING_MODE		(1 << 0)
#define SETTING_UNLISTED	(1 << 1)
#define SETTING_MATCH		(1 << 2)
#define SETTING_PORTS		(1 << 3)
	unsigned int given;
	uint32_t mode;
	uint32_t unlisted;
	uint32_t match;
	uint8_t ports[NF_EDGE_PORT_MAP_BYTES];
};

#define METRICS_PARTNERS_MAX	1000	/* so that nobody who reads them is overwhelmed */

/* What load is asked for beside the file, in op->value. */
#define LOAD_OPEN	(1 << 0)
#define LOAD_MERGE	(1 << 1)

typedef bool (*parse_fn)(struct op *op, int argc, char *const argv[]);

bool parse_nothing(struct op *op, int argc, char *const argv[]);
bool parse_word(struct op *op, int argc, char *const argv[]);
bool parse_help(struct op *op, int argc, char *const argv[]);
bool parse_mode(struct op *op, int argc, char *const argv[]);
bool parse_unlisted(struct op *op, int argc, char *const argv[]);
bool parse_role(struct op *op, int argc, char *const argv[]);
bool parse_interface_add(struct op *op, int argc, char *const argv[]);
bool parse_interface_flush(struct op *op, int argc, char *const argv[]);
bool parse_interface_del(struct op *op, int argc, char *const argv[]);
bool parse_partner_add(struct op *op, int argc, char *const argv[]);
bool parse_partner_del(struct op *op, int argc, char *const argv[]);
bool parse_partner_list(struct op *op, int argc, char *const argv[]);
bool parse_partner_flush(struct op *op, int argc, char *const argv[]);
bool parse_partner_refresh(struct op *op, int argc, char *const argv[]);
bool parse_partner_import(struct op *op, int argc, char *const argv[]);
bool parse_block_add(struct op *op, int argc, char *const argv[]);
bool parse_block_del(struct op *op, int argc, char *const argv[]);
bool parse_block_list(struct op *op, int argc, char *const argv[]);
bool parse_block_flush(struct op *op, int argc, char *const argv[]);
bool parse_rows(struct op *op, int argc, char *const argv[]);
bool parse_rule_enable(struct op *op, int argc, char *const argv[]);
bool parse_rule_disable(struct op *op, int argc, char *const argv[]);
bool parse_rule_set(struct op *op, int argc, char *const argv[]);
bool parse_rtp_set(struct op *op, int argc, char *const argv[]);
bool parse_rtp_match(struct op *op, int argc, char *const argv[]);
bool parse_explain(struct op *op, int argc, char *const argv[]);
bool parse_load(struct op *op, int argc, char *const argv[]);
bool parse_check(struct op *op, int argc, char *const argv[]);
bool parse_undo(struct op *op, int argc, char *const argv[]);
bool parse_save(struct op *op, int argc, char *const argv[]);
bool parse_confirm_within(struct op *op, const char *word, uint32_t *seconds);
bool parse_monitor(struct op *op, int argc, char *const argv[]);
bool parse_metrics(struct op *op, int argc, char *const argv[]);
bool parse_report(struct op *op, int argc, char *const argv[]);
bool parse_seconds(struct op *op, int argc, char *const argv[]);

/* Refuses a word where none can be. */
bool unexpected(struct op *op, const char *word);

/*
 * A partner as lists have it: @word is an address, a prefix or a domain; without @group it is in
 * the groups of @mask; @name may be NULL.
 */
bool parse_partner(struct op *op, const char *word, const char *group, uint32_t mask,
		   const char *name);

#endif
