// SPDX-License-Identifier: GPL-2.0-only
/*
 * ledger: who was dropped, and how often.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"

#define VERSION	1	/* of the file; moves when an older edgectl would misread it */

void ledger_path(const char *netns, char path[LEDGER_PATH])
{
	const char *directory = getenv("STATE_DIRECTORY");

	snprintf(path, LEDGER_PATH, "%s/drops%s%s.json", directory ? directory : "/var/lib/nf_edge",
		 netns ? "-" : "", netns ? netns : "");
}

static void *sure(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* ---- the rows ---- */

static int compare_number(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

/* The order of the rows; 0: they are alike. */
static int compare(const struct ledger_row *a, const struct ledger_row *b)
{
	return prefix_compare(&a->from, &b->from) ?: prefix_compare(&a->to, &b->to) ?:
	       compare_number(a->protocol, b->protocol) ?: compare_number(a->dport, b->dport) ?:
	       compare_number(a->reason, b->reason) ?: compare_number(a->mode, b->mode);
}

static void count(struct ledger_span *span, uint64_t packets, uint64_t now)
{
	if (!span->packets)
		span->first = now;
	span->packets += packets;
	span->last = now;
}

/* Whether a row goes sooner than another. */
static bool is_less(const struct ledger_span *a, const struct ledger_span *b)
{
	return a->packets != b->packets ? a->packets < b->packets : a->last < b->last;
}

/* Takes the row out that is worth least. */
static void forget_one(struct ledger *ledger)
{
	struct ledger_row **rows = ledger->rows;
	size_t least = 0, i;

	for (i = 1; i < ledger->count; i++) {
		if (is_less(&rows[i]->span, &rows[least]->span))
			least = i;
	}
	ledger->forgotten_rows++;
	count(&ledger->forgotten, rows[least]->span.packets, rows[least]->span.last);
	free(rows[least]);
	memmove(&rows[least], &rows[least + 1], (--ledger->count - least) * sizeof(void *));
}

/* Where the row is that is alike, or would be. */
static size_t place_of(const struct ledger *ledger, const struct ledger_row *wanted)
{
	size_t first = 0, end = ledger->count, middle;

	while (first < end) {
		middle = (first + end) / 2;
		if (compare(ledger->rows[middle], wanted) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

/* The row that is alike; a new one, which has no packets, if there is none. */
static struct ledger_row *row_like(struct ledger *ledger, const struct ledger_row *wanted)
{
	size_t at = place_of(ledger, wanted);
	struct ledger_row **rows;

	if (at < ledger->count && !compare(ledger->rows[at], wanted))
		return ledger->rows[at];
	if (!ledger->rows)
		ledger->rows = sure(calloc(LEDGER_ROWS, sizeof(void *)));
	if (ledger->count == LEDGER_ROWS) {
		forget_one(ledger);
		at = place_of(ledger, wanted);
	}
	rows = ledger->rows;
	memmove(&rows[at + 1], &rows[at], (ledger->count++ - at) * sizeof(void *));
	rows[at] = sure(malloc(sizeof(*rows[at])));
	*rows[at] = *wanted;
	rows[at]->span = (struct ledger_span){ 0 };
	return rows[at];
}

void ledger_note(struct ledger *ledger, const struct dropped *dropped, uint64_t now)
{
	const struct ledger_row wanted = {
		.from = dropped->flow.from, .to = dropped->flow.to,
		.protocol = dropped->flow.protocol, .dport = dropped->flow.dport,
		.reason = dropped->reason, .mode = dropped->mode,
	};
	struct ledger_row *row = row_like(ledger, &wanted);

	row->rule = dropped->row;
	count(&row->span, 1, now);
	if (dropped->left_out)
		count(&ledger->left_out[dropped->reason], dropped->left_out, now);
}

void ledger_note_lost(struct ledger *ledger, uint64_t now)
{
	count(&ledger->lost, 1, now);
}

void ledger_free(struct ledger *ledger)
{
	size_t i;

	for (i = 0; i < ledger->count; i++)
		free(ledger->rows[i]);
	free(ledger->rows);
	*ledger = (struct ledger){ 0 };
}

/* ---- the file ---- */

/* Where the name is in the list; negative: it is not there. */
static int number_of(const char *const names[], const char *name)
{
	int i;

	for (i = 0; name && names[i]; i++) {
		if (!strcmp(names[i], name))
			return i;
	}
	return -1;
}

static bool read_address(const char *text, struct prefix *prefix)
{
	*prefix = (struct prefix){ .size = strchr(text, ':') ? 16 : 4 };
	prefix->len = prefix->size * 8;
	return inet_pton(prefix->size == 16 ? AF_INET6 : AF_INET, text, prefix->bytes) == 1;
}

static int unpack_span(json_t *object, json_error_t *error, struct ledger_span *span)
{
	json_int_t packets, first, last;
	int result = json_unpack_ex(object, error, 0, "{s:I, s:I, s:I}", "packets", &packets,
				    "first", &first, "last", &last);

	if (!result)
		*span = (struct ledger_span){ packets, first, last };
	return result;
}

/* What a later edgectl has put there, and we have no name for, is passed over. */
static bool read_row(struct ledger *ledger, json_t *object, json_error_t *error)
{
	const char *from, *to, *reason, *mode, *rule = NULL;
	json_int_t protocol, dport;
	struct ledger_row wanted = { 0 }, *row;
	struct ledger_span span;
	int where[2];

	if (json_unpack_ex(object, error, 0, "{s:s, s:s, s:s, s:s, s?s, s:I, s:I}", "source", &from,
			   "destination", &to, "reason", &reason, "mode", &mode, "rule", &rule,
			   "protocol", &protocol, "dport", &dport) ||
	    unpack_span(object, error, &span))
		return false;
	where[0] = number_of(reason_names, reason);
	where[1] = number_of(mode_names, mode);
	if (!read_address(from, &wanted.from) || !read_address(to, &wanted.to)) {
		snprintf(error->text, sizeof(error->text), "bad address");
		return false;
	}
	if (where[0] < 0 || where[1] < 0)
		return true;
	wanted.reason = where[0];
	wanted.mode = where[1];
	wanted.protocol = protocol;
	wanted.dport = dport;
	wanted.rule = number_of(row_names, rule);
	row = row_like(ledger, &wanted);
	row->span = span;
	return true;
}

static bool read_all(struct ledger *ledger, json_t *root, json_error_t *error)
{
	json_t *rows, *left_out, *lost, *forgotten, *value;
	json_int_t version, began, saved, forgotten_rows;
	const char *reason;
	size_t i;

	if (json_unpack_ex(root, error, 0, "{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:I}",
			   "version", &version, "began", &began, "saved", &saved, "rows", &rows,
			   "left_out", &left_out, "lost", &lost, "forgotten", &forgotten,
			   "forgotten_rows", &forgotten_rows) ||
	    unpack_span(lost, error, &ledger->lost) ||
	    unpack_span(forgotten, error, &ledger->forgotten))
		return false;
	if (version != VERSION) {
		snprintf(error->text, sizeof(error->text), "another edgectl's");
		return false;
	}
	ledger->began = began;
	ledger->saved = saved;
	ledger->forgotten_rows = forgotten_rows;
	json_object_foreach(left_out, reason, value) {
		int where = number_of(reason_names, reason);

		if (where >= 0 && unpack_span(value, error, &ledger->left_out[where]))
			return false;
	}
	json_array_foreach(rows, i, value) {
		if (!read_row(ledger, value, error))
			return false;
	}
	return true;
}

bool ledger_read(struct ledger *ledger, const char *path, char error[ERROR_TEXT])
{
	FILE *file = fopen(path, "re");
	json_error_t wrong;
	json_t *root;
	bool good;

	*ledger = (struct ledger){ 0 };
	if (!file) {
		snprintf(error, ERROR_TEXT, "%.400s: %s", path, strerror(errno));
		return false;
	}
	root = json_loadf(file, JSON_REJECT_DUPLICATES, &wrong);
	good = root && read_all(ledger, root, &wrong);
	if (!good)
		snprintf(error, ERROR_TEXT, "%.250s is no table of drops: %.200s", path,
			 wrong.text);
	json_decref(root);
	fclose(file);
	errno = 0;
	return good;
}

static json_t *pack_span(const struct ledger_span *span)
{
	return sure(json_pack("{s:I, s:I, s:I}", "packets", (json_int_t)span->packets,
			      "first", (json_int_t)span->first, "last", (json_int_t)span->last));
}

static json_t *pack_row(const struct ledger_row *row)
{
	char from[PREFIX_TEXT], to[PREFIX_TEXT];
	json_t *object = pack_span(&row->span);
	json_t *more = json_pack("{s:s, s:s, s:s, s:s, s:s*, s:I, s:I}",
				 "source", address_text(&row->from, from),
				 "destination", address_text(&row->to, to),
				 "reason", reason_names[row->reason], "mode", mode_names[row->mode],
				 "rule", row->rule < 0 ? NULL : row_names[row->rule],
				 "protocol", (json_int_t)row->protocol,
				 "dport", (json_int_t)row->dport);

	json_object_update(object, sure(more));
	json_decref(more);
	return object;
}

static json_t *pack_all(const struct ledger *ledger)
{
	json_t *rows = sure(json_array()), *left_out = sure(json_object());
	size_t i;

	for (i = 0; i < ledger->count; i++)
		json_array_append_new(rows, pack_row(ledger->rows[i]));
	for (i = 0; i < NF_EDGE_REASON_COUNT; i++)
		json_object_set_new(left_out, reason_names[i], pack_span(&ledger->left_out[i]));
	return sure(json_pack("{s:i, s:I, s:I, s:o, s:o, s:o, s:I, s:o}", "version", VERSION,
			      "began", (json_int_t)ledger->began,
			      "saved", (json_int_t)ledger->saved, "left_out", left_out,
			      "lost", pack_span(&ledger->lost), "forgotten",
			      pack_span(&ledger->forgotten), "forgotten_rows",
			      (json_int_t)ledger->forgotten_rows, "rows", rows));
}

/* Who speaks with whom is not everybody's business. */
static bool write_new(const struct ledger *ledger, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	json_t *root;
	bool good;

	if (!file)
		return false;
	root = pack_all(ledger);
	good = !json_dumpf(root, file, JSON_COMPACT) && putc('\n', file) != EOF && !fflush(file) &&
	       !fsync(fd);
	json_decref(root);
	return !fclose(file) && good;
}

bool ledger_write(struct ledger *ledger, const char *path, uint64_t now)
{
	char new[LEDGER_PATH + 8];
	int why;

	snprintf(new, sizeof(new), "%s.new", path);
	ledger->saved = now;
	if (write_new(ledger, new) && !rename(new, path))
		return true;
	why = errno;
	unlink(new);
	errno = why;
	return false;
}
