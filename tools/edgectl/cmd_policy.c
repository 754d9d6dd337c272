// SPDX-License-Identifier: GPL-2.0-only
/*
 * check, load, save: whole policies
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

/* ---- reading ---- */

/**
 * struct reader - a policy file being read
 * @name: as messages call it
 */
struct reader {
	const char *name;
	FILE *file;
	struct policy *policy;
	struct words words;
	struct op op;
	char *line;
	size_t room;
};

/* The length of the next line, -1: there is none, -2: it is too long, -3: no memory. */
static int next_line(struct reader *reader)
{
	int length, byte;
	char *line;

	for (length = 0; length < LINE_BYTES; length++) {
		line = grow(reader->line, length, &reader->room, 1);
		if (!line)
			return -3;
		reader->line = line;
		byte = getc_unlocked(reader->file);
		if (byte == EOF || byte == '\n') {
			line[length] = '\0';
			return byte == EOF && !length ? -1 : length;
		}
		line[length] = byte;
	}
	return -2;
}

static bool take_line(struct reader *reader, int length)
{
	const struct command *command;
	struct op *op = &reader->op;

	if (length == -2)
		return refuse(op, "the line is longer than %d bytes", LINE_BYTES - 1);
	if (length < 0)
		return refuse(op, "out of memory");
	if (!parse_line(op, reader->line, length, &reader->words))
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

static int read_lines(struct reader *reader)
{
	int length;

	while ((length = next_line(reader)) != -1) {
		reader->policy->line++;
		if (!take_line(reader, length))
			return fail("%s:%u: %s", reader->name, reader->policy->line,
				    reader->op.error);
	}
	if (ferror(reader->file))
		return fail("%s: %s", reader->name, strerror(errno));
	return EXIT_DONE;
}

/* Reads the policy that @name holds; "-" is standard input. */
static int read_policy(const struct options *options, const char *name,
		       struct policy *policy)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	bool standard = !strcmp(name, "-");
	int result;

	policy_init(policy, options->quiet);
	if (!reader)
		return fail("out of memory");
	reader->name = name;
	reader->policy = policy;
	reader->file = standard ? stdin : fopen(name, "r");
	result = reader->file ? read_lines(reader) : fail("%s: %s", name, strerror(errno));
	if (reader->file && !standard)
		fclose(reader->file);
	op_free(&reader->op);
	free(reader->words.word);
	free(reader->line);
	free(reader);
	return result;
}

int cmd_check(const struct options *options, struct op *op)
{
	struct policy policy;
	int result = read_policy(options, op->text, &policy);

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
static int load_policy(struct nl *nl, const char *file, const struct policy *policy)
{
	int result;

	if (nl_begin(nl))
		return report(nl, -1, NULL, NULL);
	if ((policy->settings.given && nl_set(nl, &policy->settings)) ||
	    load_rules(nl, policy))
		return report_file(nl, file, NULL, NULL, 0);
	result = load_interfaces(nl, file, &policy->interfaces);
	if (!result)
		result = load_partners(nl, file, &policy->partners);
	if (!result && nl_commit(nl))
		result = report_file(nl, file, NULL, NULL, 0);
	return result;
}

int cmd_load(const struct options *options, struct op *op)
{
	struct policy policy;
	struct nl *nl;
	int result = read_policy(options, op->text, &policy);

	if (!result) {
		nl = nl_attach();
		result = load_policy(nl, op->text, &policy);
		nl_detach(nl);
	}
	if (!result && !options->quiet && policy_blocks_dns(&policy))
		warn("%s",
		     "\"unlisted drop\" cuts the access addresses off from DNS (port 53) and certificate revocation (TCP 80), which no row covers; \"unlisted pass\" leaves them to nftables, see edgectl(8)");
	policy_free(&policy);
	return result;
}

/* ---- saving ---- */

/**
 * struct saved - a policy as the kernel has it, all of one generation
 */
struct saved {
	struct status status;
	struct rule *rules;
	size_t rule_count;
	struct entry *interfaces;
	size_t interface_count;
	struct entry *partners;
	size_t partner_count;
};

static void forget(struct saved *saved)
{
	free(saved->rules);
	entries_free(saved->interfaces, saved->interface_count);
	entries_free(saved->partners, saved->partner_count);
	*saved = (struct saved){ 0 };
}

static int gather_once(struct nl *nl, struct saved *saved)
{
	if (nl_status(nl, &saved->status) ||
	    nl_rules(nl, &saved->rules, &saved->rule_count) ||
	    nl_interfaces(nl, 0, &saved->interfaces, &saved->interface_count) ||
	    nl_partners(nl, 0, NULL, NULL, &saved->partners, &saved->partner_count))
		return -1;
	return 0;
}

/* Dumps until all parts are of one generation. */
static int gather(struct saved *saved)
{
	struct nl *nl = nl_attach();
	struct status after;
	int try, result = 0;

	for (try = 0; try < SAVE_TRIES; try++) {
		*saved = (struct saved){ 0 };
		result = gather_once(nl, saved);
		if (!result)
			result = nl_status(nl, &after);
		if (result || after.generation == saved->status.generation)
			break;
		forget(saved);
	}
	if (try == SAVE_TRIES)
		result = fail("the policy changes all the time; try again");
	else
		result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}

/* A word as a policy file has it: in quotes when it could be misread. */
static void put_word(FILE *file, const char *word)
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
		put_word(file, word);
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
	result = gather(&saved);
	if (!result) {
		if (!op->text || !strcmp(op->text, "-"))
			put_policy(stdout, &saved);
		else
			result = save_to(op->text, &saved);
	}
	forget(&saved);
	return result;
}
