// SPDX-License-Identifier: GPL-2.0-only
/*
 * out: text or JSON from one call, and the error line.
 *
 * A table that is not inside an object is written row by row, so that a million
 * partners need no memory; everything else is one small JSON value.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "parse.h"

#define EXIT_REFUSED		1
#define EXIT_MISUSED		2
#define LABEL_WIDTH		16
#define INDENT			2

static void no_memory(void)
{
	fputs("edgectl: out of memory\n", stderr);
	exit(EXIT_REFUSED);
}

static json_t *sure(json_t *value)
{
	if (!value)
		no_memory();
	return value;
}

/* A copy in which nothing can disturb a terminal or a JSON reader. */
static char *clean(const char *text)
{
	char *copy = strdup(text), *at = copy;
	size_t size;

	if (!copy)
		no_memory();
	while (*at) {
		size = printable(at);
		if (!size) {
			*at = '?';
			size = 1;
		}
		at += size;
	}
	return copy;
}

static void add(struct out *out, const char *key, json_t *value)
{
	json_t *parent = out->open[out->depth - 1];

	if (json_is_array(parent))
		json_array_append_new(parent, sure(value));
	else
		json_object_set_new(parent, key, sure(value));
}

static size_t flags(const struct out *out)
{
	return out->pretty ? JSON_INDENT(INDENT) : JSON_COMPACT;
}

static void push(struct out *out, const char *key, json_t *value)
{
	out->label[out->depth] = key;
	out->open[out->depth++] = sure(value);
}

/* Closes the innermost value: into the one around it, or out of the door. */
static void pop(struct out *out)
{
	json_t *value = out->open[--out->depth];

	if (out->depth) {
		add(out, out->label[out->depth], value);
		return;
	}
	json_dumpf(value, stdout, flags(out));	/* out_finish() sees a failure */
	putchar('\n');
	json_decref(value);
}

void out_object(struct out *out, const char *key, enum out_style style)
{
	if (out->depth == 0)
		out->style = style;
	push(out, key, json_object());
}

void out_object_end(struct out *out)
{
	if (out->json)
		pop(out);
	else
		json_decref(out->open[--out->depth]);
}

static void text_cell(struct out *out, const char *text, int width)
{
	int length = strlen(text);

	printf("%*s", out->pad, "");
	if (width < 0)
		printf("%*s", -width, text);
	else
		fputs(text, stdout);
	out->pad = (width > length ? width - length : 0) + 2;
}

void out_table(struct out *out, const char *key, const struct out_column *columns,
	       size_t count)
{
	size_t i;

	out->columns = columns;
	out->column_count = count;
	out->rows = 0;
	if (out->json && out->depth)
		push(out, key, json_array());
	if (out->json)
		return;
	out->pad = 0;
	for (i = 0; i < count; i++)
		text_cell(out, columns[i].title, columns[i].width);
	putchar('\n');
}

void out_table_end(struct out *out)
{
	if (!out->json)
		return;
	if (out->depth)
		pop(out);
	else if (!out->rows)
		puts("[]");
	else
		puts(out->pretty ? "\n]" : "]");
}

void out_row(struct out *out)
{
	out->in_row = true;
	out->pad = 0;
	if (out->json)
		push(out, NULL, json_object());
}

/* One row of a table that is written as it comes. */
static void stream(struct out *out, json_t *row)
{
	json_t *array = sure(json_array());
	char *text;
	size_t end;

	json_array_append_new(array, row);
	text = json_dumps(array, flags(out));
	if (!text)
		no_memory();
	end = strlen(text) - (out->pretty ? 2 : 1);	/* without "\n]" or "]" */
	putchar(out->rows ? ',' : '[');
	fwrite(text + 1, 1, end - 1, stdout);
	free(text);
	json_decref(array);
}

void out_row_end(struct out *out)
{
	out->in_row = false;
	if (!out->json)
		putchar('\n');
	else if (out->depth == 1)
		stream(out, out->open[--out->depth]);
	else
		pop(out);
	out->rows++;
}

static void labelled(struct out *out, const char *key, const char *text)
{
	const char *parent = out->depth > 1 ? out->label[out->depth - 1] : "";
	char label[64];
	char *at;

	snprintf(label, sizeof(label), "%s%s%s", parent, *parent ? " " : "", key);
	for (at = label; *at; at++) {
		if (*at == '_')
			*at = ' ';
	}
	printf("%-*s  %s\n", LABEL_WIDTH, label, text);
}

/*
 * A field or a cell: @text for people; @value, which is consumed, for programs
 * and NULL otherwise.
 */
static void put(struct out *out, const char *key, const char *text, json_t *value)
{
	size_t i;

	if (out->json) {
		add(out, key, value);
		return;
	}
	if (!out->in_row && out->style == OUT_LABELLED)
		labelled(out, key, text);
	else if (!out->in_row && out->style == OUT_BARE)
		puts(text);
	for (i = 0; out->in_row && i < out->column_count; i++) {
		if (!strcmp(out->columns[i].key, key))
			text_cell(out, text, out->columns[i].width);
	}
}

void out_string(struct out *out, const char *key, const char *value)
{
	char *text = clean(value ? value : "-");

	if (out->json)
		put(out, key, text, value ? json_string(text) : json_null());
	else
		put(out, key, text, NULL);
	free(text);
}

void out_number(struct out *out, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put(out, key, text, out->json ? json_integer(value) : NULL);
}

void out_bool(struct out *out, const char *key, bool value)
{
	put(out, key, value ? "yes" : "no", out->json ? json_boolean(value) : NULL);
}

void out_seconds(struct out *out, const char *key, uint64_t seconds)
{
	uint64_t days = seconds / 86400, hours = seconds / 3600 % 24;
	uint64_t minutes = seconds / 60 % 60;
	char text[64];

	if (days)
		snprintf(text, sizeof(text), "%" PRIu64 "d %" PRIu64 "h %" PRIu64 "m",
			 days, hours, minutes);
	else if (hours)
		snprintf(text, sizeof(text), "%" PRIu64 "h %" PRIu64 "m", hours, minutes);
	else if (minutes)
		snprintf(text, sizeof(text), "%" PRIu64 "m %" PRIu64 "s", minutes,
			 seconds % 60);
	else
		snprintf(text, sizeof(text), "%" PRIu64 "s", seconds);
	put(out, key, text, out->json ? json_integer(seconds) : NULL);
}

void out_names(struct out *out, const char *key, const char *const names[],
	       uint32_t mask)
{
	json_t *array = out->json ? sure(json_array()) : NULL;
	char text[256] = "";
	size_t length = 0;
	int i;

	for (i = 0; names[i]; i++) {
		if (!(mask & 1u << i))
			continue;
		if (array)
			json_array_append_new(array, sure(json_string(names[i])));
		length += snprintf(text + length, sizeof(text) - length, "%s%s",
				   length ? "," : "", names[i]);
	}
	put(out, key, text, array);
}

void out_line(const struct out *out, const char *format, ...)
{
	va_list args;

	if (out->json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

__attribute__((format(printf, 2, 0)))
static void say(const char *before, const char *format, va_list args)
{
	char *text, *shown;

	if (vasprintf(&text, format, args) < 0)
		no_memory();
	shown = clean(text);
	fflush(stdout);
	fprintf(stderr, "edgectl: %s%s\n", before, shown);
	free(shown);
	free(text);
}

int fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args);
	va_end(args);
	return EXIT_REFUSED;
}

int misuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args);
	va_end(args);
	return EXIT_MISUSED;
}

void warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("warning: ", format, args);
	va_end(args);
}

int out_finish(int exit_code)
{
	bool failed = ferror(stdout);

	errno = 0;
	if (fclose(stdout) || failed)
		return fail("cannot write to standard output: %s",
			    errno ? strerror(errno) : "write error");
	return exit_code;
}
