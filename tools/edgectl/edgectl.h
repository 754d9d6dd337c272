/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * edgectl: what the commands share.
 */
#ifndef EDGECTL_EDGECTL_H
#define EDGECTL_EDGECTL_H

#include "nl.h"
#include "out.h"
#include "parse.h"
#include "policy.h"

#ifndef NF_EDGE_VERSION
#define NF_EDGE_VERSION	"unknown"
#endif

#define EXIT_DONE	0
#define EXIT_REFUSED	1	/* understood, and refused */
#define EXIT_MISUSED	2	/* the command line is not understood */

struct options {
	bool json;
	bool pretty;
	bool quiet;
	const char *netns;
};

/**
 * struct command - one line of the command table
 * @object: its first word
 * @name: its second word; NULL: the object takes arguments itself
 * @min: arguments that must be there; the parser knows what may be
 * @usage: its synopsis; NULL: another spelling of a command that has one
 * @parse: words -> op
 * @run: does it; returns the exit code
 * @stage: takes it up into a whole policy; NULL: not for policy files
 *
 * An object's first line is its default command.
 */
struct command {
	const char *object;
	const char *name;
	int min;
	const char *usage;
	parse_fn parse;
	int (*run)(const struct options *options, struct op *op);
	stage_fn stage;
};

/*
 * Finds and parses the command of these words into @op. NULL: op->error says
 * what is not understood.
 */
const struct command *command_parse(struct op *op, int argc, char *const argv[]);

int cmd_help(const struct options *options, struct op *op);
int cmd_status(const struct options *options, struct op *op);
int cmd_mode(const struct options *options, struct op *op);
int cmd_unlisted(const struct options *options, struct op *op);
int cmd_interface_list(const struct options *options, struct op *op);
int cmd_interface_add(const struct options *options, struct op *op);
int cmd_interface_del(const struct options *options, struct op *op);
int cmd_interface_flush(const struct options *options, struct op *op);
int cmd_partner_list(const struct options *options, struct op *op);
int cmd_partner_add(const struct options *options, struct op *op);
int cmd_partner_del(const struct options *options, struct op *op);
int cmd_partner_flush(const struct options *options, struct op *op);
int cmd_rule_list(const struct options *options, struct op *op);
int cmd_rule_enable(const struct options *options, struct op *op);
int cmd_rule_set(const struct options *options, struct op *op);
int cmd_stats(const struct options *options, struct op *op);
int cmd_stats_reset(const struct options *options, struct op *op);
int cmd_rtp(const struct options *options, struct op *op);
int cmd_rtp_set(const struct options *options, struct op *op);
int cmd_rtp_match(const struct options *options, struct op *op);
int cmd_explain(const struct options *options, struct op *op);
int cmd_check(const struct options *options, struct op *op);
int cmd_load(const struct options *options, struct op *op);
int cmd_save(const struct options *options, struct op *op);

static inline struct out out_start(const struct options *options)
{
	return (struct out){ .json = options->json, .pretty = options->pretty };
}

/*
 * The exit code of a request, after an error line when it failed. A sentence
 * that starts with @noun gets @name put behind it; both may be NULL.
 */
int report(const struct nl *nl, int result, const char *noun, const char *name);

/* The same sentence as text. */
const char *sentence(const struct nl *nl, const char *noun, const char *name,
		     char text[ERROR_TEXT]);

/* The rows as cells of a table; @ports is the RTP map's text. cmd_rule.c */
void rule_rows(struct out *out, const struct rule *list, size_t count, uint32_t mask,
	       const char *ports);

#endif
