// SPDX-License-Identifier: GPL-2.0-only
/*
 * partner import: lists of partners as others write them. Plain ones, a partner a line, and
 * tables (CSV) with a head: ours, or what Get-CsAllowedDomain | Export-Csv makes.
 */
#include <csv.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgectl.h"

/* The columns that mean something to us; of others nothing is kept. */
enum column {
	ADDRESS,
	GROUP,
	NAME,
	DOMAIN,
	PROXY,
	COLUMNS,
};

static const struct {
	const char *head;
	enum column column;
} heads[] = {
	{ "address", ADDRESS },
	{ "group", GROUP },
	{ "groups", GROUP },
	{ "name", NAME },
	{ "domain", DOMAIN },
	{ "proxyfqdn", PROXY },
};

#define HEADS		(sizeof(heads) / sizeof(heads[0]))
#define CELL_BYTES	512	/* more than anything in it may have */
#define FIELDS_MAX	256
#define UNREAD_BYTES	256	/* of the heads that a warning tells */

/**
 * struct import - a file being read
 * @name: as messages call it
 * @mask: groups of what names none
 * @text: name of what has none, or NULL
 * @policy: has the partners
 * @lookups: the domains, to be looked up when all has been read
 * @line: number of the line that is being read
 * @row_line: of the one that the row began with
 * @table: the file is one; what it is, its first line tells
 * @head: that line is being read
 * @means: what a field of a row is; COLUMNS: nothing
 * @field: number of the next one
 * @seen: columns that the row has
 * @failed: op.error says why
 * @unread: columns of the head that mean nothing, comma separated; as far as there is room
 */
struct import {
	const char *name;
	uint32_t mask;
	const char *text;
	struct policy policy;
	struct lookup *lookups;
	size_t count;
	size_t room;
	struct op op;
	struct words words;
	uint32_t line;
	uint32_t row_line;
	bool begun;
	bool table;
	bool head;
	bool failed;
	struct csv_parser csv;
	unsigned char means[FIELDS_MAX];
	unsigned int field;
	char cell[COLUMNS][CELL_BYTES];
	char unread[UNREAD_BYTES];
};

/* ---- partners ---- */

static bool add_lookup(struct import *import, const struct op *op)
{
	struct lookup *list = grow(import->lookups, import->count, &import->room, sizeof(*list));
	char *name = op->text ? strdup(op->text) : NULL;

	if (!list || (op->text && !name))
		return refuse(&import->op, "out of memory");
	import->lookups = list;
	list[import->count++] = (struct lookup){
		.domain = op->name[0], .mask = op->mask, .line = import->policy.line, .name = name,
	};
	return true;
}

static bool add(struct import *import, const char *word, const char *group, const char *name)
{
	struct op *op = &import->op;

	if (!parse_partner(op, word, group, import->mask, name))
		return false;
	return op->names ? add_lookup(import, op) : policy_partner(&import->policy, op);
}

/* ---- tables ---- */

static const char *given(const struct import *import, enum column column)
{
	return import->cell[column][0] ? import->cell[column] : NULL;
}

/* Who names a proxy, wants that host and not what the domain says; it is called by the domain. */
static bool add_domain(struct import *import, const char *name)
{
	char host[CELL_BYTES + 8];
	const char *domain = given(import, DOMAIN), *proxy = given(import, PROXY);

	if (!proxy)
		return add(import, domain, given(import, GROUP), name);
	snprintf(host, sizeof(host), NF_EDGE_DOMAIN_HOST "%s", proxy);
	if (!name && domain && strlen(domain) <= NF_EDGE_NAME_MAX)
		name = domain;
	return add(import, host, given(import, GROUP), name);
}

static bool add_row(struct import *import)
{
	const char *name = given(import, NAME) ? given(import, NAME) : import->text;

	import->policy.line = import->row_line;
	if (given(import, ADDRESS))
		return add(import, given(import, ADDRESS), given(import, GROUP), name);
	if (given(import, DOMAIN) || given(import, PROXY))
		return add_domain(import, name);
	return refuse(&import->op, "the row has no address and no domain");
}

static enum column meaning(const char *text)
{
	size_t i;

	for (i = 0; i < HEADS; i++) {
		if (!strcasecmp(text, heads[i].head))
			return heads[i].column;
	}
	return COLUMNS;
}

static void take_field(void *text, size_t length, void *data)
{
	struct import *import = data;
	unsigned int field = import->field++;
	enum column column;

	if (import->failed || field >= FIELDS_MAX)
		return;
	if (import->head) {
		column = meaning(text);
		import->means[field] = column;
		import->table |= column == ADDRESS || column == DOMAIN || column == PROXY;
		if (column == COLUMNS && length)
			append_word(import->unread, sizeof(import->unread), ", ", text);
		return;
	}
	column = import->means[field];
	if (column == COLUMNS)
		return;
	if (length < CELL_BYTES)
		memcpy(import->cell[column], text, length + 1);
	else
		import->failed = !refuse(&import->op, "\"%.80s\" is too long", (char *)text);
}

static void take_row(int end, void *data)
{
	struct import *import = data;
	size_t i;

	(void)end;
	if (!import->head && !import->failed)
		import->failed = !add_row(import);
	import->head = false;
	import->field = 0;
	if (!import->failed)
		import->row_line = import->line + 1;
	for (i = 0; i < COLUMNS; i++)
		import->cell[i][0] = '\0';
}

static bool feed(struct import *import, const char *text, size_t length)
{
	if (csv_parse(&import->csv, text, length, take_field, take_row, import) == length)
		return !import->failed;
	return refuse(&import->op, "the table cannot be read: %s",
		      csv_strerror(csv_error(&import->csv)));
}

/* ---- files ---- */

static bool list_line(struct import *import, char *line, size_t length)
{
	struct words *words = &import->words;

	import->policy.line = import->line;
	if (!line_split(&import->op, line, length, words))
		return false;
	if (words->count > 1)
		return refuse(&import->op, "unexpected word \"%.80s\"", words->word[1]);
	return !words->count || add(import, words->word[0], NULL, import->text);
}

/* Words between commas, the first of which is no address and no domain. */
static bool is_head(const char *line)
{
	size_t length = strcspn(line, ",;");

	return line[length] && !memchr(line, '.', length) && !memchr(line, ':', length) &&
	       !memchr(line, '#', length);
}

/* The first line that says something: the head of a table, or the first partner of a list. */
static bool first_line(struct import *import, char *line, size_t length, size_t text)
{
	import->begun = true;
	import->head = true;
	import->row_line = import->line;
	memset(import->means, COLUMNS, sizeof(import->means));
	csv_set_delim(&import->csv, memchr(line, ';', length) ? ';' : ',');
	if (feed(import, line, length) && import->table)
		return true;
	import->head = false;
	line[text] = '\0';
	if (is_head(line))
		return refuse(&import->op,
			      "the table \"%.80s\" has no column called address, domain or proxyfqdn",
			      line);
	return list_line(import, line, text);
}

/* @line ends with its line break, if it has one, and a NUL. */
static bool take_line(struct import *import, char *line, size_t length)
{
	size_t text = length;

	if (import->line == 1 && length >= 2 &&
	    (!memcmp(line, "\xff\xfe", 2) || !memcmp(line, "\xfe\xff", 2)))
		return refuse(&import->op,
			      "the file is UTF-16 (Export-Csv -Encoding UTF8 makes it readable)");
	if (import->line == 1 && length >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) {
		line += 3;
		length -= 3;
		text = length;
	}
	if (memchr(line, '\0', length))
		return refuse(&import->op, "the line has a NUL byte");
	if (import->table)
		return feed(import, line, length);
	while (text && strchr(" \t\r\n", line[text - 1]))
		text--;
	if (import->begun || !text || line[0] == '#') {
		line[text] = '\0';
		return list_line(import, line, text);
	}
	return first_line(import, line, length, text);
}

static int read_lines(struct import *import, FILE *file)
{
	size_t room = 0;
	char *line = NULL;
	ssize_t length;
	bool good = true;

	csv_init(&import->csv, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL);
	while (good && (length = getline(&line, &room, file)) >= 0) {
		if (!(++import->line & 0xffff))
			out_progress("lines read", import->line);
		good = take_line(import, line, length);
	}
	free(line);
	out_progress_end();
	if (good && import->table && csv_fini(&import->csv, take_field, take_row, import))
		good = refuse(&import->op, "missing closing quote in the table");
	csv_free(&import->csv);
	if (!good || import->failed)
		return fail("%s:%u: %s", import->name,
			    import->table ? import->row_line : import->line, import->op.error);
	if (ferror(file))
		return fail("%s: %s", import->name, strerror(errno));
	return EXIT_DONE;
}

/* ---- and into the kernel ---- */

/* What the domains stand for joins the others. */
static int look_up(const struct options *options, struct import *import)
{
	struct op *op = &import->op;
	struct entry *list = NULL;
	size_t count = 0, i;
	int result = EXIT_DONE;

	if (!import->count)
		return EXIT_DONE;
	if (!names_to_entries(options, import->lookups, import->count, &list, &count))
		result = EXIT_REFUSED;
	for (i = 0; i < import->count; i++) {
		if (import->lookups[i].error[0])
			fail("%s:%u: %s", import->name, import->lookups[i].line,
			     import->lookups[i].error);
	}
	for (i = 0; i < count && !result; i++) {
		import->policy.line = list[i].line;
		op->prefix = grow(op->prefix, 0, &op->room, sizeof(*op->prefix));
		if (!op->prefix)
			abort();
		op->prefix[0] = list[i].prefix;
		op->count = 1;
		op->names = 0;
		op->mask = list[i].mask;
		op->text = list[i].text;
		snprintf(op->domain.text, sizeof(op->domain.text), "%s", list[i].domain);
		if (!policy_partner(&import->policy, op))
			result = fail("%s:%u: %s", import->name, list[i].line, op->error);
	}
	entries_free(list, count);
	return result;
}

/* Takes away what the kernel has already: how many; and how many of the others get a name only. */
static int sort_out(struct import *import, struct nl *nl, size_t *there, size_t *renamed)
{
	struct table *table = &import->policy.partners;
	const struct partner_filter all = { 0 };
	struct entry *list, *entry, swap;
	size_t count, i, kept = 0;
	bool same_name;

	if (nl_partners(nl, &all, &list, &count))
		return report(nl, -1, NULL, NULL);
	for (i = 0; i < count; i++) {
		entry = policy_find(&import->policy, &list[i].prefix, list[i].domain);
		if (!entry || entry->mask & ~list[i].mask)
			continue;
		same_name = !entry->text || (list[i].text && !strcmp(entry->text, list[i].text));
		if (same_name)
			entry->mask = 0;
		else
			++*renamed;
	}
	entries_free(list, count);
	for (i = 0; i < table->count; i++) {
		if (!table->list[i].mask)
			continue;
		swap = table->list[kept];
		table->list[kept++] = table->list[i];
		table->list[i] = swap;
	}
	*there = table->count - kept;
	return EXIT_DONE;
}

static int send(const struct options *options, struct import *import)
{
	const struct table *table = &import->policy.partners;
	struct out out = out_start(options);
	struct nl *nl = change_begin(options);
	char text[PREFIX_TEXT], error[ERROR_TEXT];
	const struct entry *blamed;
	size_t there = 0, renamed = 0, added;
	int result = sort_out(import, nl, &there, &renamed);

	if (!result && table->count > there &&
	    nl_partner_add(nl, table->list, table->count - there, true)) {
		if (nl_error(nl)->entry >= table->count) {
			result = report(nl, -1, NULL, NULL);
		} else {
			blamed = &table->list[nl_error(nl)->entry];
			result = fail("%s:%u: %s", import->name, blamed->line,
				      sentence(nl, "partner", prefix_text(&blamed->prefix, text),
					       error));
		}
	}
	result = change_end(options, nl, result);
	if (result || options->dry_run || options->confirm)
		return result;
	added = table->count - there - renamed;
	out_object(&out, NULL, OUT_SILENT);
	out_number(&out, "added", added);
	out_number(&out, "renamed", renamed);
	out_number(&out, "present", there);
	out_object_end(&out);
	if (options->quiet)
		return EXIT_DONE;
	if (renamed)
		out_line(&out, "added %zu, renamed %zu, %zu %s there", added, renamed, there,
			 there == 1 ? "was" : "were");
	else
		out_line(&out, "added %zu, %zu %s there", added, there,
			 there == 1 ? "was" : "were");
	return EXIT_DONE;
}

int cmd_partner_import(const struct options *options, struct op *op)
{
	struct import *import = calloc(1, sizeof(*import));
	bool standard = !strcmp(op->file, "-");
	FILE *file = standard ? stdin : fopen(op->file, "r");
	int result;

	if (!import)
		abort();
	policy_init(&import->policy, true);
	import->name = op->file;
	import->mask = op->mask;
	import->text = op->text;
	result = file ? read_lines(import, file) : fail("%s: %s", op->file, strerror(errno));
	if (!result && import->table && *import->unread && !options->quiet)
		warn("%s: columns that are not read: %s", op->file, import->unread);
	if (!result)
		result = look_up(options, import);
	if (!result)
		result = send(options, import);
	if (file && !standard)
		fclose(file);
	policy_free(&import->policy);
	lookups_free(import->lookups, import->count);
	op_free(&import->op);
	free(import->words.word);
	free(import);
	return result;
}
