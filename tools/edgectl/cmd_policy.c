// SPDX-License-Identifier: GPL-2.0-only
/*
 * check, load, confirm, revert, save: whole policies
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edgectl.h"

/* Of a line in a policy file, with its end. To save 32,768 single ports takes 191,061. */
#define LINE_BYTES	262144
#define SAVE_TRIES	20
#define TOLD		100	/* errors, or warnings of a kind; the rest is counted */

/* ---- reading ---- */

/**
 * struct reader - a policy file being read
 * @name: as messages call it
 * @text: LINE_BYTES of the file, and room for a NUL
 * @at: where in @text the next line begins
 * @end: where what has been read ends
 * @errors: lines that were refused
 */
struct reader {
	const char *name;
	FILE *file;
	struct policy *policy;
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

static bool take_line(struct reader *reader, char *line, int length)
{
	const struct command *command;
	struct op *op = &reader->op;

	if (length == -2)
		return refuse(op, "the line is longer than %d bytes", LINE_BYTES - 1);
	if (parse_plain_partner(op, line, length))
		return policy_partner(reader->policy, op);
	if (!parse_line(op, line, length, &reader->words))
		return false;
	if (!reader->words.count)
		return true;
	command = command_parse(op, reader->words.count, reader->words.word);
	if (!command)
		return false;
	if (!command->stage)
		return refuse(op, "\"%s%s%s\" is no command for a policy file",
			      command->object, command->name ? " " : "",
			      command->name ? command->name : "");
	return command->stage(reader->policy, op);
}

/* Whoever corrects a file wants to know all that is wrong with it. */
static int read_lines(struct reader *reader)
{
	char *line;
	int length;

	while ((length = next_line(reader, &line)) != -1) {
		if (!(++reader->policy->line & 0xffff))
			out_progress("lines read", reader->policy->line);
		if (take_line(reader, line, length))
			continue;
		if (reader->errors++ < TOLD)
			fail("%s:%u: %s", reader->name, reader->policy->line, reader->op.error);
	}
	out_progress_end();
	if (ferror(reader->file))
		return fail("%s: %s", reader->name, strerror(errno));
	if (reader->errors > TOLD)
		fail("%s: and %zu more", reader->name, reader->errors - TOLD);
	return reader->errors ? EXIT_REFUSED : EXIT_DONE;
}

int policy_read(const struct options *options, const char *name, struct policy *policy)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	bool standard = !strcmp(name, "-");
	int result;

	policy_init(policy, options->quiet);
	if (reader)
		reader->text = malloc(LINE_BYTES + 1);
	if (!reader || !reader->text) {
		free(reader);
		return fail("out of memory");
	}
	reader->name = name;
	reader->policy = policy;
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

int cmd_check(const struct options *options, struct op *op)
{
	struct covered covered = { .file = op->text };
	struct policy policy;
	int result = policy_read(options, op->text, &policy);

	if (!result && !options->quiet) {
		policy_complete(&policy);
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

/* One transaction on one socket: all of it or nothing. */
static int load_policy(struct nl *nl, const char *file, const struct policy *policy,
		       uint32_t seconds)
{
	int result;

	nl_progress = out_progress;
	if (nl_begin(nl))
		return report(nl, -1, NULL, NULL);
	if ((policy->settings.given && nl_set(nl, &policy->settings)) ||
	    load_rules(nl, policy))
		return report_file(nl, file, NULL, NULL, 0);
	result = load_interfaces(nl, file, &policy->interfaces);
	if (!result)
		result = load_partners(nl, file, &policy->partners);
	out_progress_end();
	if (!result && nl_commit(nl, seconds))
		result = report_file(nl, file, NULL, NULL, 0);
	return result;
}

/* What becomes of a policy that waits for its confirmation, if it does. @before: as it was. */
static int tell_of_wait(const struct options *options, struct nl *nl, uint32_t seconds,
			const struct status *before)
{
	struct out out = out_start(options);
	struct status status;

	if (nl_status(nl, &status))
		return report(nl, -1, NULL, NULL);
	out_object(&out, NULL, OUT_SILENT);
	if (status.generation == before->generation) {
		out_string(&out, "confirm_within", NULL);
		out_line(&out, "nothing has changed, and nothing is to be confirmed");
	} else {
		out_seconds(&out, "confirm_within", seconds);
		out_line(&out, "unless confirmed within %u seconds, the policy before comes back",
			 seconds);
	}
	out_object_end(&out);
	return EXIT_DONE;
}

int cmd_load(const struct options *options, struct op *op)
{
	struct policy policy;
	struct status before;
	struct nl *nl;
	int result = policy_read(options, op->text, &policy);

	if (!result) {
		nl = nl_attach();
		if (op->set)
			result = report(nl, nl_status(nl, &before), NULL, NULL);
		if (!result)
			result = load_policy(nl, op->text, &policy, op->value);
		if (!result && op->set)
			result = tell_of_wait(options, nl, op->value, &before);
		nl_detach(nl);
	}
	if (!result && !options->quiet)
		warn_of_dns(op->text, &policy);
	policy_free(&policy);
	return result;
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
	struct nl *nl = nl_attach();
	int result = report(nl, nl_revert(nl), NULL, NULL);

	(void)options;
	(void)op;
	nl_detach(nl);
	return result;
}

/* ---- saving ---- */

void policy_forget(struct saved *saved)
{
	free(saved->rules);
	entries_free(saved->interfaces, saved->interface_count);
	entries_free(saved->partners, saved->partner_count);
	*saved = (struct saved){ 0 };
}

int policy_gather_once(struct nl *nl, struct saved *saved)
{
	const struct partner_filter all = { 0 };

	if (nl_status(nl, &saved->status) ||
	    nl_rules(nl, &saved->rules, &saved->rule_count) ||
	    nl_interfaces(nl, 0, &saved->interfaces, &saved->interface_count) ||
	    nl_partners(nl, &all, &saved->partners, &saved->partner_count))
		return -1;
	return 0;
}

/* Dumps until all parts are of one generation. */
int policy_gather(struct saved *saved)
{
	struct nl *nl = nl_attach();
	struct status after;
	int try, result = 0;

	for (try = 0; try < SAVE_TRIES; try++) {
		*saved = (struct saved){ 0 };
		result = policy_gather_once(nl, saved);
		if (!result)
			result = nl_status(nl, &after);
		if (result || after.generation == saved->status.generation)
			break;
		policy_forget(saved);
	}
	if (try == SAVE_TRIES)
		result = fail("the policy changes all the time; try again");
	else
		result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}

void policy_put_word(FILE *file, const char *word)
{
	bool quote = !*word || strpbrk(word, " \t#\"\\");

	if (quote)
		putc('"', file);
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			putc('\\', file);
		putc(*word, file);
	}
	if (quote)
		putc('"', file);
}

static void put_option(FILE *file, const char *option, const char *word)
{
	if (word) {
		fprintf(file, " %s ", option);
		policy_put_word(file, word);
	}
	putc('\n', file);
}

static void put_settings(FILE *file, const struct settings *settings)
{
	fprintf(file, "mode %s\n", mode_names[settings->mode]);
	fprintf(file, "unlisted %s\n", unlisted_names[settings->unlisted]);
	fprintf(file, "rtp set %s\n", ports_text(settings->ports));
	fprintf(file, "rtp match %s\n", rtp_match_names[settings->match]);
}

static void put_policy(FILE *file, const struct saved *saved)
{
	char prefix[PREFIX_TEXT], groups[GROUPS_TEXT];
	size_t i;

	put_settings(file, &saved->status.settings);
	for (i = 0; i < saved->rule_count; i++) {
		const struct rule *rule = &saved->rules[i];

		fprintf(file, "rule set %s peers %s\n", row_names[rule->row],
			peers_names[rule->peers]);
		fprintf(file, "rule %s %s\n", rule->enabled ? "enable" : "disable",
			row_names[rule->row]);
	}
	for (i = 0; i < saved->interface_count; i++) {
		const struct entry *entry = &saved->interfaces[i];

		fprintf(file, "interface add %s %s",
			role_names[__builtin_ffs(entry->mask) - 1],
			address_text(&entry->prefix, prefix));
		put_option(file, "dev", entry->text);
	}
	for (i = 0; i < saved->partner_count; i++) {
		const struct entry *entry = &saved->partners[i];

		fprintf(file, "partner add %s group %s", prefix_text(&entry->prefix, prefix),
			groups_text(entry->mask, groups));
		if (entry->domain)
			fprintf(file, " domain %s", entry->domain);
		put_option(file, "name", entry->text);
	}
}

/* Writes, and returns only when it is on the disk. Closes @file. */
static bool write_out(FILE *file, const struct saved *saved)
{
	bool good;

	put_policy(file, saved);
	good = !fflush(file) && !ferror(file);
	if (good && fsync(fileno(file)) && errno != EINVAL && errno != EROFS)
		good = false;
	return !fclose(file) && good;
}

/* A new file takes the place of the old one in one step. */
static int replace(const char *path, const struct saved *saved)
{
	char temporary[PATH_MAX];
	FILE *file;
	int fd;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >=
	    (int)sizeof(temporary))
		return fail("%s: %s", path, strerror(ENAMETOOLONG));
	fd = mkstemp(temporary);
	if (fd < 0)
		return fail("%s: %s", path, strerror(errno));
	file = fdopen(fd, "w");
	if (file && !fchmod(fd, 0644) && write_out(file, saved) &&
	    !rename(temporary, path))
		return EXIT_DONE;
	fail("%s: %s", path, strerror(errno));
	unlink(temporary);
	return EXIT_REFUSED;
}

/* A device or a pipe is written to, not replaced. */
static int write_special(const char *path, const struct saved *saved)
{
	FILE *file = fopen(path, "w");

	if (!file || !write_out(file, saved))
		return fail("%s: %s", path, strerror(errno));
	return EXIT_DONE;
}

static int save_to(const char *path, const struct saved *saved)
{
	char target[PATH_MAX];
	struct stat stat_;

	if (stat(path, &stat_) || !realpath(path, target))
		return replace(path, saved);
	if (S_ISDIR(stat_.st_mode))
		return fail("%s: %s", path, strerror(EISDIR));
	if (!S_ISREG(stat_.st_mode))
		return write_special(path, saved);
	return replace(target, saved);
}

int cmd_save(const struct options *options, struct op *op)
{
	struct saved saved;
	int result;

	(void)options;
	result = policy_gather(&saved);
	if (!result) {
		if (!op->text || !strcmp(op->text, "-"))
			put_policy(stdout, &saved);
		else
			result = save_to(op->text, &saved);
	}
	policy_forget(&saved);
	return result;
}
