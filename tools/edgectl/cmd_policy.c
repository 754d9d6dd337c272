// SPDX-License-Identifier: GPL-2.0-only
/*
 * check, load, confirm, revert, undo: whole policies
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgectl.h"

/* Of a line in a policy file, with its end. To save 32,768 single ports takes 191,061. */
#define LINE_BYTES	262144
#define TOLD		100	/* errors, or warnings of a kind; the rest is counted */

/* ---- reading ---- */

/**
 * struct reader - a file of commands being read
 * @name: as messages call it
 * @take: takes a line; false: op->error says why not, or it is empty and that has been told
 * @context: for @take
 * @line: number of the line that is being read
 * @text: LINE_BYTES of the file, and room for a NUL
 * @at: where in @text the next line begins
 * @end: where what has been read ends
 * @errors: lines that were refused
 */
struct reader {
	const char *name;
	FILE *file;
	bool (*take)(struct reader *reader, char *line, int length);
	void *context;
	uint32_t line;
	struct words words;
	struct op op;
	char *text;
	size_t at;
	size_t end;
	size_t errors;
};

/* Moves what is left to the front and reads on. Whether there was more. */
static bool read_on(struct reader *reader)
{
	size_t more;

	memmove(reader->text, reader->text + reader->at, reader->end - reader->at);
	reader->end -= reader->at;
	reader->at = 0;
	more = fread(reader->text + reader->end, 1, LINE_BYTES - reader->end, reader->file);
	reader->end += more;
	return more;
}

/* Leaves the rest of a line that is too long. */
static void skip_line(struct reader *reader)
{
	char *end;

	do {
		reader->at = reader->end;
		read_on(reader);
		end = memchr(reader->text, '\n', reader->end);
	} while (!end && reader->end);
	reader->at = end ? end + 1 - reader->text : 0;
}

/* The length of the next line, -1: there is none, -2: it was too long. */
static int next_line(struct reader *reader, char **line)
{
	char *end;

	for (;;) {
		*line = reader->text + reader->at;
		end = memchr(*line, '\n', reader->end - reader->at);
		if (end || !read_on(reader))
			break;
	}
	*line = reader->text + reader->at;
	if (!end && reader->end == LINE_BYTES && !reader->at) {
		skip_line(reader);
		return -2;
	}
	if (!end && reader->at == reader->end)
		return -1;
	if (!end)
		end = reader->text + reader->end;
	*end = '\0';
	reader->at = end + (end < reader->text + reader->end) - reader->text;
	return end - *line;
}

/* The command of a line. NULL: there is none, or it is not understood: then op->error says why. */
static const struct command *line_command(struct reader *reader, char *line, int length)
{
	struct op *op = &reader->op;

	op->error[0] = '\0';
	if (length == -2)
		op_refuse(op, "the line is longer than %d bytes", LINE_BYTES - 1);
	else if (line_split(op, line, length, &reader->words) && reader->words.count)
		return command_parse(op, reader->words.count, reader->words.word);
	return NULL;
}

static bool goes_merged(const struct command *command)
{
	return command->changes && command->run != cmd_load && command->run != cmd_undo &&
	       command->run != cmd_revert;
}

static bool not_for_files(struct op *op, const struct command *command)
{
	return refuse(op, "\"%s%s%s\" is no command for a policy file%s", command->object,
		      command->name ? " " : "", command->name ? command->name : "",
		      goes_merged(command) ? ": only \"load --merge\" takes it" : "");
}

/* Takes a line up into a whole policy. */
static bool stage_line(struct reader *reader, char *line, int length)
{
	struct policy *policy = reader->context;
	const struct command *command;
	struct op *op = &reader->op;

	policy->line = reader->line;
	if (length >= 0 && line_plain_partner(op, line, length))
		return policy_partner(policy, op);
	command = line_command(reader, line, length);
	if (!command)
		return !op->error[0];
	return command->stage ? command->stage(policy, op) : not_for_files(op, command);
}

/* Does what a line says. */
static bool do_line(struct reader *reader, char *line, int length)
{
	const struct command *command = line_command(reader, line, length);
	struct op *op = &reader->op;
	bool done;

	if (!command)
		return !op->error[0];
	if (!goes_merged(command))
		return not_for_files(op, command);
	if (command_shows(command, op))
		return refuse(op, "missing word: %s", command->usage);
	out_where(reader->name, reader->line);
	done = !command->run(reader->context, op);
	out_where(NULL, 0);
	op->error[0] = '\0';
	return done;
}

/* Whoever corrects a file wants to know all that is wrong with it. */
static int read_lines(struct reader *reader)
{
	char *line;
	int length;

	while ((length = next_line(reader, &line)) != -1) {
		if (!(++reader->line & 0xffff))
			out_progress("lines read", reader->line);
		if (reader->take(reader, line, length))
			continue;
		if (reader->errors++ < TOLD && reader->op.error[0])
			fail("%s:%u: %s", reader->name, reader->line, reader->op.error);
	}
	out_progress_end();
	if (ferror(reader->file))
		return fail("%s: %s", reader->name, strerror(errno));
	if (reader->errors > TOLD)
		fail("%s: and %zu more", reader->name, reader->errors - TOLD);
	return reader->errors ? EXIT_REFUSED : EXIT_DONE;
}

static int file_read(const char *name, bool (*take)(struct reader *reader, char *line, int length),
		     void *context)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	bool standard = !strcmp(name, "-");
	int result;

	if (reader)
		reader->text = malloc(LINE_BYTES + 1);
	if (!reader || !reader->text) {
		free(reader);
		return fail("out of memory");
	}
	reader->name = name;
	reader->take = take;
	reader->context = context;
	reader->file = standard ? stdin : fopen(name, "r");
	result = reader->file ? read_lines(reader) : fail("%s: %s", name, strerror(errno));
	if (reader->file && !standard)
		fclose(reader->file);
	op_free(&reader->op);
	free(reader->words.word);
	free(reader->text);
	free(reader);
	return result;
}

int policy_read(const struct options *options, const char *name, struct policy *policy)
{
	policy_init(policy, options->quiet);
	return file_read(name, stage_line, policy);
}

/* ---- checking ---- */

static void warn_of_dns(const char *file, const struct policy *policy)
{
	if (policy_blocks_dns(policy))
		warn("%s: %s", file,
		     "\"unlisted drop\" cuts the access addresses off from DNS (port 53) and certificate revocation (TCP 80), which no row covers; \"unlisted pass\" leaves them to nftables, see edgectl(8)");
}

static void warn_of_idle_rows(const char *file, const struct policy *policy)
{
	uint32_t group, rows;
	char text[ERROR_TEXT];

	for (group = 0; group < NF_EDGE_GROUP_COUNT; group++) {
		rows = policy_idle_rows(policy, group);
		if (rows)
			warn("%s: no partner is in group %s, so nobody is admitted by %s", file,
			     group_names[group], names_text(row_names, rows, text));
	}
}

struct covered {
	const char *file;
	size_t count;
};

static void warn_of_covered(void *context, const struct entry *inner, const struct entry *outer)
{
	char text[PREFIX_TEXT], by[PREFIX_TEXT];
	struct covered *covered = context;

	if (covered->count++ < TOLD)
		warn("%s:%u: partner %s is covered by %s (line %u)", covered->file, inner->line,
		     prefix_text(&inner->prefix, text), prefix_text(&outer->prefix, by),
		     outer->line);
}

/* What a file says that came to its end before it was read. */
static void warn_of_ended(const char *file, const struct policy *policy)
{
	if (policy->ended)
		warn("%s: %zu block%s left out: the end has come", file, policy->ended,
		     policy->ended == 1 ? " is" : "s are");
}

int cmd_check(const struct options *options, struct op *op)
{
	struct covered covered = { .file = op->text };
	struct policy policy;
	int result = policy_read(options, op->text, &policy);

	if (!result && !policy_guards(&policy)) {
		if (op->set)
			result = fail("%s: no Edge address: nothing would be enforced", op->text);
		else if (!options->quiet)
			warn("%s: no Edge address: nothing will be enforced", op->text);
	}
	if (!result && !options->quiet) {
		policy_complete(&policy);
		warn_of_ended(op->text, &policy);
		warn_of_dns(op->text, &policy);
		warn_of_idle_rows(op->text, &policy);
		policy_covered(&policy, warn_of_covered, &covered);
		if (covered.count > TOLD)
			warn("%s: and %zu more", op->text, covered.count - TOLD);
	}
	policy_free(&policy);
	return result;
}

/* ---- loading ---- */

/* An error line that names the file and, where one is to blame, the line. */
static int report_file(const struct nl *nl, const char *file, const char *noun,
		       const char *name, uint32_t line)
{
	char where[24] = "", text[ERROR_TEXT];

	if (line)
		snprintf(where, sizeof(where), "%u:", line);
	return fail("%s:%s %s", file, where, sentence(nl, noun, name, text));
}

static int load_rules(struct nl *nl, const struct policy *policy)
{
	struct rule_change list[NF_EDGE_ROW_COUNT];
	size_t count = 0;
	int row;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		if (policy->rules[row].enabled >= 0 || policy->rules[row].peers >= 0)
			list[count++] = policy->rules[row];
	}
	return count ? nl_rule_set(nl, list, count) : 0;
}

static int load_interfaces(struct nl *nl, const char *file, const struct table *table)
{
	char name[PREFIX_TEXT + 16], address[PREFIX_TEXT];
	size_t i;
	int role;

	for (i = 0; i < table->count; i++) {
		const struct entry *entry = &table->list[i];

		for (role = 0; role < NF_EDGE_ROLE_COUNT; role++) {
			if (!(entry->mask & 1u << role) ||
			    !nl_interface_add(nl, entry, 1u << role, false))
				continue;
			snprintf(name, sizeof(name), "%s %s", role_names[role],
				 address_text(&entry->prefix, address));
			return report_file(nl, file, "interface", name, entry->line);
		}
	}
	return EXIT_DONE;
}

static int load_partners(struct nl *nl, const char *file, const struct table *table)
{
	const struct entry *entry;
	char text[PREFIX_TEXT];

	if (!nl_partner_stage(nl, table->list, table->count))
		return EXIT_DONE;
	if (nl_error(nl)->entry >= table->count)
		return report_file(nl, file, NULL, NULL, 0);
	entry = &table->list[nl_error(nl)->entry];
	return report_file(nl, file, "partner", prefix_text(&entry->prefix, text),
			   entry->line);
}

static int load_blocks(struct nl *nl, const char *file, const struct table *table)
{
	char text[PREFIX_TEXT];
	size_t bad;

	if (!table->count || !nl_block_add(nl, table->list, table->count, false))
		return EXIT_DONE;
	bad = nl_error(nl)->entry;
	if (bad >= table->count)
		return report_file(nl, file, NULL, NULL, 0);
	return report_file(nl, file, "block", prefix_text(&table->list[bad].prefix, text),
			   table->list[bad].line);
}

/* All that a file says, or nothing, in place of the policy in force. */
static int load_policy(struct nl *nl, const char *file, const struct policy *policy)
{
	int result;

	nl_progress = out_progress;
	if (nl_begin(nl, false))
		return report(nl, -1, NULL, NULL);
	if ((policy->settings.given && nl_set(nl, &policy->settings)) ||
	    load_rules(nl, policy))
		return report_file(nl, file, NULL, NULL, 0);
	result = load_interfaces(nl, file, &policy->interfaces);
	if (!result)
		result = load_partners(nl, file, &policy->partners);
	if (!result)
		result = load_blocks(nl, file, &policy->blocks);
	out_progress_end();
	return result;
}

/* Whether the file would take away all that guards, without a word. Tells so. */
static bool opens(struct nl *nl, const char *file, const struct policy *policy)
{
	struct status status;

	if (policy_guards(policy) || nl_status(nl, &status) || !status.interfaces)
		return false;
	fail("%s: no Edge address: the %u in force would go, and nothing would be enforced (%s)",
	     file, status.interfaces,
	     "load --merge adds to the policy in force, load --open opens it");
	return true;
}

static int replace_policy(const struct options *options, const struct op *op)
{
	struct guarded before;
	struct policy policy;
	struct nl *nl;
	int result = policy_read(options, op->text, &policy);

	if (!result) {
		left_begin(options, &before);
		nl = nl_attach();
		if (op->value & LOAD_OPEN)
			nl_allow_open(nl);
		else if (opens(nl, op->text, &policy))
			result = EXIT_REFUSED;
		if (!result)
			result = load_policy(nl, op->text, &policy);
		out_where(op->text, 0);
		result = change_end(options, nl, result);
		out_where(NULL, 0);
		left_end(&before, !result);
		if (!result && !options->quiet && !options->dry_run) {
			warn_of_ended(op->text, &policy);
			warn_of_dns(op->text, &policy);
		}
	}
	policy_free(&policy);
	return result;
}

/* Whether what is staged would take away all that guards. */
static bool staged_opens(struct nl *nl)
{
	struct status staged, status;
	int result = nl_status(nl, &staged);

	nl_read_staged(nl, false);
	if (!result)
		result = nl_status(nl, &status);
	nl_read_staged(nl, true);
	return !result && status.interfaces && !staged.interfaces &&
	       staged.settings.mode != NF_EDGE_MODE_OFF;
}

/* Does the commands of a file, one after the other, to a copy of the policy in force. */
static int merge_policy(const struct options *options, const struct op *op)
{
	struct options within = *options;
	struct removed removed = { 0 };
	struct guarded before;
	int result;

	left_begin(options, &before);
	within.removed = &removed;
	within.within = nl_attach();
	if (op->value & LOAD_OPEN)
		nl_allow_open(within.within);
	result = report(within.within, change_copy(within.within), NULL, NULL);
	if (!result)
		result = file_read(op->text, do_line, &within);
	if (!result && !(op->value & LOAD_OPEN) && staged_opens(within.within))
		result = fail("%s: no Edge address would be left, and nothing enforced (%s)",
			      op->text, "load --merge --open opens it");
	out_where(op->text, 0);
	result = change_end(options, within.within, result);
	out_where(NULL, 0);
	left_end(&before, !result);
	left_tell_removed(options, &removed, !result);
	return result;
}

int cmd_load(const struct options *options, struct op *op)
{
	return op->value & LOAD_MERGE ? merge_policy(options, op) : replace_policy(options, op);
}

int cmd_confirm(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	int result = report(nl, nl_confirm(nl), NULL, NULL);

	(void)options;
	(void)op;
	nl_detach(nl);
	return result;
}

int cmd_revert(const struct options *options, struct op *op)
{
	struct guarded before;
	struct status status;
	struct nl *nl;
	int result;

	(void)op;
	left_begin(options, &before);
	nl = change_begin(options);
	if (!options->dry_run)
		result = nl_revert(nl);
	else if (!nl_status(nl, &status) && status.left < 0)
		result = fail("no policy waits for its confirmation");
	else	/* which is what undoing would be */
		result = nl_error(nl)->code ? -1 : nl_undo(nl);
	result = change_end(options, nl, result > 0 ? result : report(nl, result, NULL, NULL));
	left_end(&before, !result);
	return result;
}

/* What is undone is what becomes of the policy: it is gathered before and after. */
int cmd_undo(const struct options *options, struct op *op)
{
	const bool shows = !options->quiet && !options->dry_run && !options->confirm;
	struct saved before = { 0 }, after = { 0 };
	int result = shows ? policy_gather(&before) : EXIT_DONE;
	struct guarded guarded;
	struct nl *nl;

	left_begin(options, &guarded);
	nl = change_begin(options);
	if (op->value)
		nl_allow_open(nl);
	if (shows)
		nl_based_on(nl, before.status.generation);
	if (!result)
		result = report(nl, nl_undo(nl), NULL, NULL);
	if (!result && options->dry_run && !op->value && staged_opens(nl))
		result = fail("no Edge address would be left: %s (--open allows that)",
			      "everything would be open");
	result = change_end(options, nl, result);
	if (!result && shows && !policy_gather(&after))
		diff_show(options, &before, &after);
	left_end(&guarded, !result);
	policy_forget(&before);
	policy_forget(&after);
	return result;
}
