/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * edgectl: what the commands share.
 */
#ifndef EDGECTL_EDGECTL_H
#define EDGECTL_EDGECTL_H

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"
#include "live.h"
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

/**
 * struct removed - what is gone; of each entry the prefix and the groups count
 * @groups: that nobody is in any more
 */
struct removed {
	struct removed_list {
		struct entry *list;
		size_t count;
		size_t room;
	} partners, blocks;
	uint32_t groups;
};

/**
 * struct options - what stands before the object, or anywhere
 * @csv: its table is wanted as CSV
 * @dry_run: a change is shown, and not made
 * @confirm: seconds to confirm a change in, 0: it needs none
 * @within: the transaction that a change is a part of, or NULL
 * @removed: then, what is gone since it began
 */
struct options {
	bool json;
	bool pretty;
	bool csv;
	bool quiet;
	const char *netns;
	bool dry_run;
	uint32_t confirm;
	struct nl *within;
	struct removed *removed;
};

/**
 * struct command - one line of the command table
 * @object: its first word
 * @name: its second word; NULL: the object takes arguments itself
 * @min: arguments that must be there; the parser knows what may be
 * @usage: its synopsis; NULL: another spelling of the command above. Help and completion are
 *	made of it: words in capitals stand for others, [...] may be left out, | is between words
 *	of which one is meant, and ... behind what may be said again
 * @about: a sentence, with which its entry in edgectl(8) begins
 * @parse: words -> op
 * @run: does it; returns the exit code
 * @stage: takes it up into a whole policy; NULL: not for policy files
 * @changes: it changes the policy: --dry-run and --confirm are for it
 *
 * An object's first line is its default command.
 */
struct command {
	const char *object;
	const char *name;
	int min;
	const char *usage;
	const char *about;
	parse_fn parse;
	int (*run)(const struct options *options, struct op *op);
	stage_fn stage;
	bool changes;
};

extern const struct command commands[];	/* ends with one that has no object */

/* The first command of the object that @word names or abbreviates. NULL: see op->error. */
const struct command *command_object(struct op *op, const char *word);

/* That of an object's commands. NULL: see op->error. */
const struct command *command_find(struct op *op, const struct command *object,
				   const char *word);

/* Whether one follows the other in the table, and is of the same object. */
static inline bool command_is_of(const struct command *command, const struct command *object)
{
	return command->object && !strcmp(command->object, object->object);
}

/* That line of the table that has its synopsis. */
static inline const struct command *command_usage(const struct command *command)
{
	while (!command->usage)
		command--;
	return command;
}

/*
 * Finds and parses the command of these words into @op. NULL: op->error says
 * what is not understood.
 */
const struct command *command_parse(struct op *op, int argc, char *const argv[]);

/* Whether an object is called so, in full. */
bool is_object(const char *word, size_t length);

/* Whether such a command, which may change the policy, shows it alone: it has no value. */
bool command_shows(const struct command *command, const struct op *op);

/*
 * What may follow these words, one a line: those that begin as what is there already, and "/" where
 * a file is meant; some perhaps twice. complete.c
 */
void complete_words(int argc, char *argv[], const char *begun);
/* The same of options. */
void complete_options(const struct option *options, const char *begun);
/* The same of the names in a directory. */
void complete_names(const char *directory, const char *begun);

/* All commands in a page. cmd_help.c */
void help_summary(FILE *file);

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
int cmd_partner_refresh(const struct options *options, struct op *op);
int cmd_partner_import(const struct options *options, struct op *op);
int cmd_block_list(const struct options *options, struct op *op);
int cmd_block_add(const struct options *options, struct op *op);
int cmd_block_del(const struct options *options, struct op *op);
int cmd_block_flush(const struct options *options, struct op *op);
int cmd_rule_list(const struct options *options, struct op *op);
int cmd_rule_enable(const struct options *options, struct op *op);
int cmd_rule_set(const struct options *options, struct op *op);
int cmd_stats(const struct options *options, struct op *op);
int cmd_stats_reset(const struct options *options, struct op *op);
int cmd_stats_watch(const struct options *options, struct op *op);
int cmd_log(const struct options *options, struct op *op);
int cmd_report(const struct options *options, struct op *op);
int cmd_metrics(const struct options *options, struct op *op);
int cmd_monitor(const struct options *options, struct op *op);
int cmd_rtp(const struct options *options, struct op *op);
int cmd_rtp_set(const struct options *options, struct op *op);
int cmd_rtp_match(const struct options *options, struct op *op);
int cmd_explain(const struct options *options, struct op *op);
int cmd_doctor(const struct options *options, struct op *op);
int cmd_check(const struct options *options, struct op *op);
int cmd_diff(const struct options *options, struct op *op);
int cmd_load(const struct options *options, struct op *op);
int cmd_confirm(const struct options *options, struct op *op);
int cmd_revert(const struct options *options, struct op *op);
int cmd_undo(const struct options *options, struct op *op);
int cmd_save(const struct options *options, struct op *op);

/**
 * struct saved - a policy as the kernel has it, all of one generation
 * @interfaces: an entry for each role
 */
struct saved {
	struct status status;
	struct rule *rules;
	size_t rule_count;
	struct entry *interfaces;
	size_t interface_count;
	struct entry *partners;
	size_t partner_count;
	struct entry *blocks;
	size_t block_count;
};

/*
 * A change of the policy, which is made at once, or as a part of a transaction; tried, and shown as
 * diff shows it; or to be confirmed. change_end() answers the exit code, @result being that of what
 * lies between, which has told its errors. change.c
 */
struct nl *change_begin(const struct options *options);
int change_end(const struct options *options, struct nl *nl, int result);
/* Tells how many a name, a domain or another choice stood for; not of a part, nor of a trial. */
void change_count(const struct options *options, const char *what, size_t count);
/* Begins a transaction with a copy of the policy in force; it is refused if that changes. */
int change_copy(struct nl *nl);

/* What leads from one policy to the other, as commands. The exit code of diff. cmd_diff.c */
int diff_show(const struct options *options, struct saved *have, struct saved *want);

/*
 * Reads the policy that a file holds; "-" is standard input. Has said all that is wrong with it
 * when it answers EXIT_REFUSED; @policy is to be freed in any case. cmd_policy.c
 */
int policy_read(const struct options *options, const char *name, struct policy *policy);

/* The policy in force. Returns an exit code, after an error line; to be forgotten in any case. */
int policy_gather(struct saved *saved);

/* The same, of more than one generation if it changes meanwhile; an nl.h result, and no line. */
int policy_gather_once(struct nl *nl, struct saved *saved);
void policy_forget(struct saved *saved);

/* A word as a policy file has it: in quotes when it could be misread. */
void policy_put_word(FILE *file, const char *word);

/* Puts a word behind those of a list, as far as there is room. */
void append_word(char *list, size_t size, const char *between, const char *word);

/* Memory that has been asked for: there is no use in going on without. */
static inline void *sure(void *memory)
{
	if (!memory)
		exit(fail("out of memory"));
	return memory;
}

static inline struct out out_start(const struct options *options)
{
	return (struct out){
		.json = options->json, .pretty = options->pretty, .csv = options->csv,
	};
}

/*
 * The exit code of a request, after an error line when it failed. A sentence
 * that starts with @noun gets @name put behind it; both may be NULL.
 */
int report(const struct nl *nl, int result, const char *noun, const char *name);

/* The same sentence as text. */
const char *sentence(const struct nl *nl, const char *noun, const char *name,
		     char text[ERROR_TEXT]);

/*
 * Looks the domains of @lookups up and appends what they stand for to @list. False: at least one
 * has no answer, see its error; those of the others are appended. Out of memory, it ends.
 */
bool names_to_entries(const struct options *options, struct lookup *lookups, size_t count,
		      struct entry **list, size_t *entries);

/* partner add and del of domains, beside which there may be addresses. cmd_names.c */
int names_add(const struct options *options, const struct op *op);
int names_del(const struct options *options, const struct op *op);

/*
 * What a change that has been made leaves. Each tells it to who wants to hear: not with --quiet,
 * nor of a trial; of a part of a merge, once that is complete. left.c
 */

/* Who still admits these partners, and which rows go on to admit anybody there. */
void left_tell_partners(const struct options *options, const struct entry *gone, size_t count);
/* The second of it alone. */
void left_tell_rows(const struct options *options, uint32_t groups);
/* What still blocks these prefixes. */
void left_tell_blocks(const struct options *options, const struct entry *gone, size_t count);
/* All of that, of a merge. @changed: it was done. Frees what is in @removed. */
void left_tell_removed(const struct options *options, struct removed *removed, bool changed);

/**
 * struct guarded - the Edge addresses before a change
 * @known: they are
 */
struct guarded {
	struct entry *list;
	size_t count;
	bool known;
};

/* Which addresses are guarded no more after what lies between; @changed: that was done. */
void left_begin(const struct options *options, struct guarded *before);
void left_end(struct guarded *before, bool changed);

/* "198.51.100.0/24 (federation, from contoso.com, Contoso)" */
void describe_partner(char *text, size_t size, const struct entry *entry);

/* Whether a partner is called so: by a part of its name, or exactly. NULL: any. cmd_partner.c */
bool partner_is_called(const struct entry *entry, const char *name, bool exact);

/* The group that the row is for. cmd_rule.c */
uint32_t rule_group(const struct rule *rule);

/* The rows as cells of a table; @ports is the RTP map's text. cmd_rule.c */
void rule_rows(struct out *out, const struct rule *list, size_t count, uint32_t mask,
	       const char *ports);

#endif
