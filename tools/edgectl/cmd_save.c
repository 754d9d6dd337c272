// SPDX-License-Identifier: GPL-2.0-only
/*
 * save: the policy in force as a file, with the comments of the file that it replaces
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edgectl.h"

#define SAVE_TRIES	20
#define KEY_TEXT	(PREFIX_TEXT + NF_EDGE_DOMAIN_MAX + 32)	/* bytes, with NUL */

/* ---- the policy in force ---- */

void policy_forget(struct saved *saved)
{
	free(saved->rules);
	entries_free(saved->interfaces, saved->interface_count);
	entries_free(saved->partners, saved->partner_count);
	entries_free(saved->blocks, saved->block_count);
	*saved = (struct saved){ 0 };
}

int policy_gather_once(struct nl *nl, struct saved *saved)
{
	const struct partner_filter all = { 0 };

	if (nl_status(nl, &saved->status) ||
	    nl_rules(nl, &saved->rules, &saved->rule_count) ||
	    nl_interfaces(nl, 0, &saved->interfaces, &saved->interface_count) ||
	    nl_partners(nl, &all, &saved->partners, &saved->partner_count) ||
	    (saved->status.blocks &&
	     nl_blocks(nl, NULL, &saved->blocks, &saved->block_count)))
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

/* ---- comments ---- */

/**
 * struct comment - what a file says beside a line
 * @key: of the line, see key_of(); "": what stands first, NULL: what stands last
 * @above: the lines above it, each with its end; or NULL
 * @behind: the comment behind it, or NULL
 * @line: number of the first line that has one
 * @lines: comment lines
 * @put: it has been written
 */
struct comment {
	char *key;
	char *above;
	char *behind;
	uint32_t line;
	size_t lines;
	bool put;
};

struct comments {
	struct comment *list;
	size_t count;
	size_t room;
};

/* What a line is about: what the lines that save writes are told apart by. */
static void key_of(const struct command *command, const struct op *op, char key[KEY_TEXT])
{
	char prefix[PREFIX_TEXT];
	const char *object = command->object;
	const uint32_t first = __builtin_ffs(op->mask) - 1;

	if (!strcmp(object, "rule") && op->mask)
		snprintf(key, KEY_TEXT, "rule %s", row_names[first]);
	else if (!strcmp(object, "interface") && op->mask && op->count)
		snprintf(key, KEY_TEXT, "interface %s %s", role_names[first],
			 address_text(&op->prefix[0], prefix));
	else if (op->count)
		snprintf(key, KEY_TEXT, "%s %s %s", object, prefix_text(&op->prefix[0], prefix),
			 op->domain.text);
	else
		snprintf(key, KEY_TEXT, "%s%s%s", object, command->name ? " " : "",
			 command->name ? command->name : "");
}

static struct comment *new_comment(struct comments *comments)
{
	comments->list = sure(grow(comments->list, comments->count, &comments->room,
				   sizeof(*comments->list)));
	comments->list[comments->count] = (struct comment){ 0 };
	return &comments->list[comments->count++];
}

/**
 * struct kept - a file whose comments are being read
 * @next: what stands above the next line
 * @above: writes its @above, or NULL
 * @number: of the line
 */
struct kept {
	struct comments *comments;
	struct comment next;
	FILE *above;
	size_t length;
	struct words words;
	struct op op;
	uint32_t number;
};

static void end_comment(struct kept *kept, const char *key, const char *behind)
{
	struct comment *comment;

	if (kept->above && fclose(kept->above))
		sure(NULL);
	kept->above = NULL;
	if (kept->next.lines || behind) {
		comment = new_comment(kept->comments);
		*comment = kept->next;
		comment->key = key ? sure(strdup(key)) : NULL;
		comment->behind = behind ? sure(strdup(behind)) : NULL;
		comment->lines += !!behind;
		if (!comment->line)
			comment->line = kept->number;
	} else {
		free(kept->next.above);
	}
	kept->next = (struct comment){ 0 };
}

/* A line without a command. What stands first, and a blank line behind it, stays there. */
static void take_above(struct kept *kept, const char *line, bool comment)
{
	if (comment && !kept->next.lines++)
		kept->next.line = kept->number;
	if (!kept->above)
		kept->above = sure(open_memstream(&kept->next.above, &kept->length));
	fputs(line, kept->above);
	if (!comment && kept->next.lines && !kept->comments->count && kept->next.line == 1)
		end_comment(kept, "", NULL);
}

static void take_line(struct kept *kept, char *line)
{
	const char *start = line_comment(line);
	char *behind = start ? sure(strdup(start)) : NULL, *whole = sure(strdup(line));
	const struct command *command = NULL;
	char key[KEY_TEXT] = "?";
	size_t length = strcspn(line, "\n");

	kept->number++;
	line[length] = '\0';
	if (behind)
		behind[strcspn(behind, "\r\n")] = '\0';
	kept->op.error[0] = '\0';
	if (!line_split(&kept->op, line, length, &kept->words) || kept->words.count) {
		if (!kept->op.error[0])
			command = command_parse(&kept->op, kept->words.count, kept->words.word);
		if (command)
			key_of(command, &kept->op, key);
		end_comment(kept, key, behind);
	} else {
		take_above(kept, whole, start);
	}
	free(behind);
	free(whole);
}

/* NULL comes last. */
static int compare_keys(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : !a - !b;
}

static int by_key(const void *a, const void *b)
{
	const struct comment *one = a, *other = b;
	const int order = compare_keys(one->key, other->key);

	return order ? order : (one->line > other->line) - (one->line < other->line);
}

/* In the order of their keys, and of their lines. Whether the file could be read. */
static bool read_comments(FILE *file, struct comments *comments)
{
	struct kept kept = { .comments = comments };
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, file) >= 0)
		take_line(&kept, line);
	end_comment(&kept, NULL, NULL);
	if (comments->count)
		qsort(comments->list, comments->count, sizeof(*comments->list), by_key);
	free(line);
	free(kept.words.word);
	op_free(&kept.op);
	return !ferror(file);
}

static void comments_free(struct comments *comments)
{
	size_t i;

	for (i = 0; i < comments->count; i++) {
		free(comments->list[i].key);
		free(comments->list[i].above);
		free(comments->list[i].behind);
	}
	free(comments->list);
}

/* Where those of the key begin. */
static size_t first_of(const struct comments *comments, const char *key)
{
	size_t from = 0, end = comments->count, i;

	while (from < end) {
		i = from + (end - from) / 2;
		if (compare_keys(comments->list[i].key, key) < 0)
			from = i + 1;
		else
			end = i;
	}
	return from;
}

/* ---- writing ---- */

/**
 * struct writer - a policy file that is being written
 * @comments: to be written, too
 * @behind: the comment behind the line
 */
struct writer {
	FILE *file;
	struct comments *comments;
	const char *behind;
};

/* What stands above the lines of a key, in the order of the lines, and behind the last of them. */
static void put_above(struct writer *writer, const char *key)
{
	struct comments *comments = writer->comments;
	size_t i;

	for (i = first_of(comments, key); i < comments->count; i++) {
		struct comment *comment = &comments->list[i];

		if (compare_keys(comment->key, key))
			break;
		if (comment->put)
			continue;
		comment->put = true;
		if (comment->above)
			fputs(comment->above, writer->file);
		if (comment->behind && writer->behind)	/* two lines have become one */
			fprintf(writer->file, "%s\n", writer->behind);
		if (comment->behind)
			writer->behind = comment->behind;
	}
}

static void begin_line(struct writer *writer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What the line is about. */
static void begin_line(struct writer *writer, const char *format, ...)
{
	char key[KEY_TEXT];
	va_list args;

	if (!writer->comments->count)
		return;
	va_start(args, format);
	vsnprintf(key, sizeof(key), format, args);
	va_end(args);
	put_above(writer, key);
}

static void end_line(struct writer *writer)
{
	if (writer->behind)
		fprintf(writer->file, "  %s", writer->behind);
	writer->behind = NULL;
	putc('\n', writer->file);
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

static void put_option(struct writer *writer, const char *option, const char *word)
{
	if (word) {
		fprintf(writer->file, " %s ", option);
		policy_put_word(writer->file, word);
	}
	end_line(writer);
}

static void put_setting(struct writer *writer, const char *setting, const char *value)
{
	begin_line(writer, "%s", setting);
	fprintf(writer->file, "%s %s", setting, value);
	end_line(writer);
}

static void put_settings(struct writer *writer, const struct settings *settings)
{
	put_setting(writer, "mode", mode_names[settings->mode]);
	put_setting(writer, "unlisted", unlisted_names[settings->unlisted]);
	put_setting(writer, "rtp set", ports_text(settings->ports));
	put_setting(writer, "rtp match", rtp_match_names[settings->match]);
}

static void put_rule(struct writer *writer, const struct rule *rule)
{
	const char *row = row_names[rule->row];

	begin_line(writer, "rule %s", row);
	fprintf(writer->file, "rule set %s peers %s", row, peers_names[rule->peers]);
	end_line(writer);
	fprintf(writer->file, "rule %s %s\n", rule->enabled ? "enable" : "disable", row);
}

static void put_interface(struct writer *writer, const struct entry *entry)
{
	const char *role = role_names[__builtin_ffs(entry->mask) - 1];
	char address[PREFIX_TEXT];

	address_text(&entry->prefix, address);
	begin_line(writer, "interface %s %s", role, address);
	fprintf(writer->file, "interface add %s %s", role, address);
	put_option(writer, "dev", entry->text);
}

static void put_partner(struct writer *writer, const struct entry *entry)
{
	char prefix[PREFIX_TEXT], groups[GROUPS_TEXT];

	prefix_text(&entry->prefix, prefix);
	begin_line(writer, "partner %s %s", prefix, entry->domain ? entry->domain : "");
	fprintf(writer->file, "partner add %s group %s", prefix, groups_text(entry->mask, groups));
	if (entry->domain)
		fprintf(writer->file, " domain %s", entry->domain);
	put_option(writer, "name", entry->text);
}

static void put_block(struct writer *writer, const struct entry *entry)
{
	char prefix[PREFIX_TEXT], end[TIME_TEXT];

	prefix_text(&entry->prefix, prefix);
	begin_line(writer, "block %s ", prefix);
	fprintf(writer->file, "block add %s", prefix);
	if (entry->until)
		fprintf(writer->file, " until %s", time_text(entry->until, end));
	put_option(writer, "reason", entry->text);
}

static void put_policy(FILE *file, const struct saved *saved, struct comments *comments)
{
	struct writer writer = { .file = file, .comments = comments };
	size_t i;

	begin_line(&writer, "%s", "");
	put_settings(&writer, &saved->status.settings);
	for (i = 0; i < saved->rule_count; i++)
		put_rule(&writer, &saved->rules[i]);
	for (i = 0; i < saved->interface_count; i++)
		put_interface(&writer, &saved->interfaces[i]);
	for (i = 0; i < saved->partner_count; i++)
		put_partner(&writer, &saved->partners[i]);
	for (i = 0; i < saved->block_count; i++)
		put_block(&writer, &saved->blocks[i]);
	put_above(&writer, NULL);
}

/* Writes, and returns only when it is on the disk. Closes @file. */
static bool write_out(FILE *file, const struct saved *saved, struct comments *comments)
{
	bool good;

	put_policy(file, saved, comments);
	good = !fflush(file) && !ferror(file);
	if (good && fsync(fileno(file)) && errno != EINVAL && errno != EROFS)
		good = false;
	return !fclose(file) && good;
}

/* Comments about what is not in the policy any more have no place: that is said before they go. */
static bool keeps_all(const char *path, const struct comments *comments)
{
	const struct comment *first = NULL;
	size_t lost = 0, i;

	for (i = 0; i < comments->count; i++) {
		if (comments->list[i].put)
			continue;
		if (!first || comments->list[i].line < first->line)
			first = &comments->list[i];
		lost += comments->list[i].lines;
	}
	if (!first)
		return true;
	fail("%s: %zu comment line%s would be lost, the first is line %u: save --force loses %s",
	     path, lost, lost == 1 ? "" : "s", first->line, lost == 1 ? "it" : "them");
	return false;
}

/* Where it has the owner already nothing is asked for: the units are killed for changing owners. */
static bool take_owner(int fd, const struct stat *old)
{
	struct stat new;

	return !fstat(fd, &new) && ((new.st_uid == old->st_uid && new.st_gid == old->st_gid) ||
				    !fchown(fd, old->st_uid, old->st_gid));
}

/*
 * A new file takes the place of the old one in one step, and has its mode and owner. @old: NULL:
 * there is none.
 */
static int replace(const char *path, const struct saved *saved, const struct stat *old,
		   bool force)
{
	struct comments comments = { 0 };
	char temporary[PATH_MAX];
	FILE *file = old ? fopen(path, "r") : NULL;
	bool done = false, read = true;
	int fd;

	if (file) {
		read = read_comments(file, &comments);
		fclose(file);
	}
	if (old && (!file || !read) && !force) {	/* its comments would be lost, unseen */
		comments_free(&comments);
		return fail("%s: %s", path, strerror(errno));
	}
	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary)) {
		errno = ENAMETOOLONG;
		fd = -1;
	} else {
		fd = mkstemp(temporary);
	}
	if (fd < 0) {
		comments_free(&comments);
		return fail("%s: %s", path, strerror(errno));
	}
	file = fdopen(fd, "w");
	if (!file || (old && !take_owner(fd, old)) ||
	    fchmod(fd, old ? old->st_mode & 07777 : 0644) || !write_out(file, saved, &comments))
		fail("%s: %s", path, strerror(errno));
	else if (force || keeps_all(path, &comments))
		done = !rename(temporary, path) || !fail("%s: %s", path, strerror(errno));
	comments_free(&comments);
	if (!done)
		unlink(temporary);
	return done ? EXIT_DONE : EXIT_REFUSED;
}

/* A device or a pipe is written to, not replaced. */
static int write_special(const char *path, const struct saved *saved)
{
	struct comments none = { 0 };
	FILE *file = fopen(path, "w");

	if (!file || !write_out(file, saved, &none))
		return fail("%s: %s", path, strerror(errno));
	return EXIT_DONE;
}

static int save_to(const char *path, const struct saved *saved, bool force)
{
	char target[PATH_MAX];
	struct stat stat_;

	if (stat(path, &stat_) || !realpath(path, target))
		return replace(path, saved, NULL, force);
	if (S_ISDIR(stat_.st_mode))
		return fail("%s: %s", path, strerror(EISDIR));
	if (!S_ISREG(stat_.st_mode))
		return write_special(path, saved);
	return replace(target, saved, &stat_, force);
}

int cmd_save(const struct options *options, struct op *op)
{
	struct comments none = { 0 };
	struct saved saved;
	int result;

	(void)options;
	result = policy_gather(&saved);
	if (!result) {
		if (!op->text || !strcmp(op->text, "-"))
			put_policy(stdout, &saved, &none);
		else
			result = save_to(op->text, &saved, op->set);
	}
	policy_forget(&saved);
	return result;
}
