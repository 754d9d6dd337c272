// SPDX-License-Identifier: GPL-2.0-only
/*
 * out: text, JSON or CSV from one call, and the error line.
 *
 * A table that is not inside an object is written row by row, so that a million
 * partners need no memory; everything else is one small JSON value.
 */
#include <csv.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

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

/* ---- what is not shown ---- */

#define ESCAPE	16	/* bytes of an escape, with NUL */

/* What stands for the first @size bytes of @text, a @character that is not shown; 0: no UTF-8. */
static const char *escape(const char *text, size_t size, uint32_t character, char to[ESCAPE])
{
	if (size)
		snprintf(to, ESCAPE, "<U+%04X>", character);
	else
		snprintf(to, ESCAPE, "\\x%02x", (unsigned char)*text);
	return to;
}

/* The same inside a string of JSON. */
static const char *escape_json(const char *text, size_t size, uint32_t character, char to[ESCAPE])
{
	if (!size)
		snprintf(to, ESCAPE, "\\\\x%02x", (unsigned char)*text);
	else if (character < 0x10000)
		snprintf(to, ESCAPE, "\\u%04x", character);
	else
		snprintf(to, ESCAPE, "\\u%04x\\u%04x", 0xd7c0 + (character >> 10),
			 0xdc00 + (character & 0x3ff));
	return to;
}

/* A copy with escapes; for JSON, whose strings have others, only of what is no UTF-8. */
static char *legible(const char *text, bool json)
{
	const size_t most = 8;	/* bytes for one */
	char *copy = calloc(strlen(text) + 1, most), *to = copy, escaped[ESCAPE];
	uint32_t character;
	size_t size;

	if (!copy)
		no_memory();
	while (*text) {
		size = utf8(text, &character);
		if (size && (json || is_shown(character)))
			to = mempcpy(to, text, size);
		else
			to = stpcpy(to, escape(text, size, character, escaped));
		text += size ? size : 1;
	}
	return copy;
}

char *out_legible(const char *text)
{
	return legible(text, false);
}

/* ---- the way out ---- */

/**
 * struct door - all that is written to stdout goes through it
 * @file: where it goes; NULL: there is no door
 * @json: all is inside strings of JSON that is not shown
 * @csv: lines end with CR and LF
 * @shut: nobody reads any more
 * @part: the first @count bytes of a character
 */
static struct door {
	FILE *file;
	bool json;
	bool csv;
	bool shut;
	char part[5];
	size_t count;
} door;

/* Whether a character of more bytes than are there may have begun. */
static bool is_begun(const char *part, size_t count)
{
	const unsigned char first = part[0];
	size_t i;

	if (count >= (first >= 0xf0 ? 4U : first >= 0xe0 ? 3U : first >= 0xc0 ? 2U : 1U))
		return false;
	for (i = 1; i < count && (part[i] & 0xc0) == 0x80; i++)
		;
	return i == count;
}

/* Lets out what is complete, or at the @end all. */
static void let_out(bool end)
{
	uint32_t character;
	char escaped[ESCAPE];
	size_t size;

	while (door.count && (end || !is_begun(door.part, door.count))) {
		size = utf8(door.part, &character);
		if (size && (is_shown(character) || character == '\n' ||
			     (door.csv && character == '\r')))
			fwrite(door.part, 1, size, door.file);
		else
			fputs((door.json ? escape_json : escape)(door.part, size, character,
								 escaped), door.file);
		size = size ? size : 1;
		door.count -= size;
		memmove(door.part, door.part + size, sizeof(door.part) - size);
	}
}

static ssize_t filter(void *cookie, const char *text, size_t size)
{
	size_t at, run;

	(void)cookie;
	for (at = 0; at < size && !door.shut; at++) {
		for (run = at; run < size && !door.count; run++) {
			if ((text[run] < ' ' || text[run] > '~') && text[run] != '\n')
				break;
		}
		fwrite(text + at, 1, run - at, door.file);
		at = run;
		if (at == size)
			break;
		door.part[door.count++] = text[at];
		door.part[door.count] = '\0';
		let_out(false);
	}
	return door.shut || !fflush(door.file) ? (ssize_t)size : 0;
}

static int shut(void *cookie)
{
	FILE *file = door.file;

	(void)cookie;
	let_out(true);
	door.file = NULL;
	return fclose(file) && !door.shut ? -1 : 0;
}

void out_begin(void)
{
	static char buffer[65536];
	bool terminal = isatty(STDOUT_FILENO);
	FILE *file = fopencookie(NULL, "w", (cookie_io_functions_t){
		.write = filter, .close = shut });

	if (!file)
		no_memory();
	setvbuf(file, buffer, terminal ? _IOLBF : _IOFBF, sizeof(buffer));
	door = (struct door){ .file = stdout };
	stdout = file;
}

bool out_flush(void)
{
	if (!fflush(stdout))
		return true;
	/* Who closed a pipe need not be told so. */
	if (errno == EPIPE && door.file) {
		door.shut = true;
		clearerr(stdout);
	}
	return false;
}

/* What a terminal is to do, past the door. */
__attribute__((format(printf, 1, 2)))
static void control(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	vfprintf(door.file ? door.file : stdout, format, args);
	va_end(args);
	if (door.file)
		fflush(door.file);
}

void out_up(int lines)
{
	control("\033[%dA\033[J", lines);
}

/* ---- text or JSON ---- */

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
	/* fifteen digits: a tenth is 0.1 */
	return JSON_REAL_PRECISION(15) | (out->pretty ? JSON_INDENT(INDENT) : JSON_COMPACT);
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
	door.json = true;
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

/* Rows are put together before they are written: a call for each cell and gap costs more. */

static void flush(struct out *out)
{
	fwrite(out->line, 1, out->length, stdout);
	out->length = 0;
}

static void append(struct out *out, const char *text, size_t length)
{
	if (length > sizeof(out->line) - out->length)
		flush(out);
	if (length > sizeof(out->line)) {
		fwrite(text, 1, length, stdout);
		return;
	}
	memcpy(out->line + out->length, text, length);
	out->length += length;
}

static void blanks(struct out *out, int count)
{
	static const char many[] = "                ";

	for (; count > 0; count -= sizeof(many) - 1)
		append(out, many, count < (int)sizeof(many) ? count : (int)sizeof(many) - 1);
}

static void text_cell(struct out *out, const char *text, int width)
{
	int length = strlen(text);

	blanks(out, out->pad);
	blanks(out, -width - length);
	append(out, text, length);
	out->pad = (width > length ? width - length : 0) + 2;
}

static void end_line(struct out *out)
{
	append(out, "\n", 1);
	flush(out);
}

/* ---- CSV ---- */

/* The first row is gathered with its heads, which stand above it. */
static FILE *csv_row_file(struct out *out)
{
	return out->rows ? stdout : out->cells;
}

static void csv_begin(struct out *out)
{
	door.csv = true;
	out->heads = open_memstream(&out->head_text, &out->head_length);
	out->cells = open_memstream(&out->cell_text, &out->cell_length);
	if (!out->heads || !out->cells)
		no_memory();
}

/* @text: NULL: none; @plain: it needs no quotes. */
static void csv_cell(struct out *out, const char *key, const char *text, bool plain)
{
	FILE *file = csv_row_file(out);
	char *guarded = NULL;

	if (!out->in_row)
		return;
	if (!out->rows)
		fprintf(out->heads, "%s%s", out->column ? "," : "", key);
	if (out->column++)
		putc(',', file);
	if (!text)
		return;
	if (plain) {
		fputs(text, file);
		return;
	}
	if (*text && strchr("=+-@", *text) && asprintf(&guarded, "'%s", text) < 0)
		no_memory();
	if (guarded)
		text = guarded;
	csv_fwrite(file, text, strlen(text));
	free(guarded);
}

static void csv_row_end(struct out *out)
{
	if (!out->rows && (fclose(out->heads) || fclose(out->cells)))
		no_memory();
	if (!out->rows)
		printf("%s\r\n%s", out->head_text, out->cell_text);
	fputs("\r\n", stdout);
}

/* Without a row there are the heads of the columns that text has. */
static void csv_end(struct out *out)
{
	size_t i;

	if (!out->rows) {
		fclose(out->heads);
		fclose(out->cells);
		for (i = 0; i < out->column_count; i++)
			printf("%s%s", i ? "," : "", out->columns[i].key);
		fputs("\r\n", stdout);
	}
	free(out->head_text);
	free(out->cell_text);
}

void out_table(struct out *out, const char *key, const struct out_column *columns,
	       size_t count)
{
	size_t i;

	out->columns = columns;
	out->column_count = count;
	out->rows = 0;
	if (out->csv)
		csv_begin(out);
	if (out->json && out->depth)
		push(out, key, json_array());
	if (out->json || out->csv)
		return;
	out->pad = 0;
	for (i = 0; i < count; i++)
		text_cell(out, columns[i].title, columns[i].width);
	end_line(out);
}

void out_table_end(struct out *out)
{
	if (out->csv)
		csv_end(out);
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
	out->column = 0;
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
	door.json = true;
	putchar(out->rows ? ',' : '[');
	fwrite(text + 1, 1, end - 1, stdout);
	free(text);
	json_decref(array);
}

void out_row_end(struct out *out)
{
	out->in_row = false;
	if (out->csv)
		csv_row_end(out);
	else if (!out->json)
		end_line(out);
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
	const struct out_column *column;

	if (out->json) {
		add(out, key, value);
		return;
	}
	if (!out->in_row && out->style == OUT_LABELLED)
		labelled(out, key, text);
	else if (!out->in_row && out->style == OUT_BARE)
		puts(text);
	if (!out->in_row || out->column == out->column_count)
		return;
	column = &out->columns[out->column];
	if (strcmp(column->key, key))
		return;
	text_cell(out, text, column->width);
	out->column++;
}

void out_string(struct out *out, const char *key, const char *value)
{
	char *copy = value && first_unshown(value) ? legible(value, out->json) : NULL;
	const char *text = copy ? copy : value;

	if (out->csv)
		csv_cell(out, key, value ? text : NULL, false);
	else if (out->json)
		put(out, key, text, value ? json_string(text) : json_null());
	else
		put(out, key, value ? text : "-", NULL);
	free(copy);
}

void out_number(struct out *out, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	if (out->csv)
		return csv_cell(out, key, text, true);
	put(out, key, text, out->json ? json_integer(value) : NULL);
}

void out_bool(struct out *out, const char *key, bool value)
{
	if (out->csv)
		return csv_cell(out, key, value ? "true" : "false", true);
	put(out, key, value ? "yes" : "no", out->json ? json_boolean(value) : NULL);
}

void out_tenths(struct out *out, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64 ".%u", value / 10, (unsigned int)(value % 10));
	if (out->csv)
		return csv_cell(out, key, text, true);
	put(out, key, text, out->json ? json_real(value / 10.0) : NULL);
}

/* As "3m 2s", with @behind it. */
static void put_seconds(struct out *out, const char *key, uint64_t seconds, const char *behind)
{
	uint64_t days = seconds / 86400, hours = seconds / 3600 % 24;
	uint64_t minutes = seconds / 60 % 60;
	char text[64];

	if (out->csv)
		return out_number(out, key, seconds);
	if (days)
		snprintf(text, sizeof(text), "%" PRIu64 "d %" PRIu64 "h %" PRIu64 "m%s",
			 days, hours, minutes, behind);
	else if (hours)
		snprintf(text, sizeof(text), "%" PRIu64 "h %" PRIu64 "m%s", hours, minutes, behind);
	else if (minutes)
		snprintf(text, sizeof(text), "%" PRIu64 "m %" PRIu64 "s%s", minutes,
			 seconds % 60, behind);
	else
		snprintf(text, sizeof(text), "%" PRIu64 "s%s", seconds, behind);
	put(out, key, text, out->json ? json_integer(seconds) : NULL);
}

void out_moment(struct out *out, const char *key, uint64_t time)
{
	const time_t seconds = time;
	char text[TIME_TEXT];
	struct tm broken;

	if (!out->json && !out->csv && localtime_r(&seconds, &broken))
		strftime(text, sizeof(text), "%m-%d %H:%M", &broken);
	else
		time_text(time, text);
	out_string(out, key, text);
}

void out_seconds(struct out *out, const char *key, uint64_t seconds)
{
	put_seconds(out, key, seconds, "");
}

void out_ago(struct out *out, const char *key, uint64_t seconds)
{
	put_seconds(out, key, seconds, " ago");
}

void out_names(struct out *out, const char *key, const char *const names[],
	       uint32_t mask)
{
	json_t *array = out->json ? sure(json_array()) : NULL;
	char text[256];
	int i;

	for (i = 0; array && names[i]; i++) {
		if (mask & 1u << i)
			json_array_append_new(array, sure(json_string(names[i])));
	}
	if (out->csv)
		return csv_cell(out, key, names_text(names, mask, text), false);
	put(out, key, names_text(names, mask, text), array);
}

/* What it says, in one line that is shown. */
__attribute__((format(printf, 1, 0)))
static char *composed(const char *format, va_list args)
{
	char *text, *shown;

	if (vasprintf(&text, format, args) < 0)
		no_memory();
	if (!first_unshown(text))
		return text;
	shown = legible(text, false);
	free(text);
	return shown;
}

void out_line(const struct out *out, const char *format, ...)
{
	va_list args;
	char *text;

	if (out->json || out->csv)
		return;
	va_start(args, format);
	text = composed(format, args);
	va_end(args);
	puts(text);
	free(text);
}

/* https://no-color.org: set, and not empty. */
static bool coloured(void)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return !(no && *no) && terminal && strcmp(terminal, "dumb") && isatty(STDOUT_FILENO);
}

void out_marked(const struct out *out, enum out_colour colour, const char *mark,
		const char *format, ...)
{
	bool painted = colour != OUT_PLAIN && coloured();
	va_list args;
	char *text;

	if (out->json || out->csv)
		return;
	va_start(args, format);
	text = composed(format, args);
	va_end(args);
	if (painted)
		control("\033[%dm%s\033[0m", colour, mark);
	else
		fputs(mark, stdout);
	printf(": %s\n", text);
	free(text);
}

/* ---- as wide as the terminal ---- */

#define NARROW	20	/* columns, at least, for what goes on below */

bool out_is_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

/* 0: it has none. */
static size_t terminal_width(void)
{
	struct winsize window = { 0 };

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) ? 0 : window.ws_col;
}

/* Columns of the character at @text, and its @size in bytes. */
static size_t columns_of(const char *text, size_t *size)
{
	static locale_t unicode;
	uint32_t character;
	locale_t before;
	int width;

	*size = utf8(text, &character);
	if (!unicode)
		unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	if (!*size || !unicode) {
		*size = *size ? *size : 1;
		return 1;
	}
	before = uselocale(unicode);
	width = wcwidth(character);
	uselocale(before);
	return width < 0 ? 1 : width;
}

/*
 * Bytes of @text that fit into so many columns, at least one character: whole words, if the first
 * one fits.
 */
static size_t fitting(const char *text, size_t room)
{
	size_t at = 0, words = 0, columns = 0, size;

	while (text[at]) {
		columns += columns_of(text + at, &size);
		if (columns > room && at)
			return words ? words : at;
		if (text[at] == ' ')
			words = at;
		at += size;
	}
	return at;
}

void out_folded(const char *before, const char *text)
{
	size_t width = out_is_terminal() ? terminal_width() : 0, indent = strlen(before), length;
	char *shown = legible(text, false), *rest = shown;

	if (width < indent + NARROW)
		width = 0;
	fputs(before, stdout);
	while (width && (length = fitting(rest, width - indent)) < strlen(rest)) {
		printf("%.*s\n%*s", (int)length, rest, (int)indent, "");
		rest += length;
		rest += strspn(rest, " ");
	}
	puts(rest);
	free(shown);
}

/* ---- progress ---- */

static uint64_t next_progress;		/* when to show more, milliseconds; 0: never */
static bool progress_shown;

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

void out_progress_allow(void)
{
	if (isatty(STDERR_FILENO))
		next_progress = milliseconds() + 1000;
}

void out_progress(const char *what, size_t done)
{
	uint64_t now;

	if (!next_progress)
		return;
	now = milliseconds();
	if (now < next_progress)
		return;
	next_progress = now + 200;
	fprintf(stderr, "\r%s: %zu\033[K", what, done);
	progress_shown = true;
}

void out_progress_end(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

static const char *where_file;
static uint32_t where_line;

void out_where(const char *file, uint32_t line)
{
	where_file = file;
	where_line = line;
}

__attribute__((format(printf, 2, 0)))
static void say(const char *before, const char *format, va_list args)
{
	char *text = composed(format, args);

	fflush(stdout);
	out_progress_end();
	if (where_file && where_line)
		fprintf(stderr, "edgectl: %s:%" PRIu32 ": %s%s\n", where_file, where_line, before,
			text);
	else if (where_file)
		fprintf(stderr, "edgectl: %s: %s%s\n", where_file, before, text);
	else
		fprintf(stderr, "edgectl: %s%s\n", before, text);
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

	out_progress_end();
	errno = 0;
	if (fclose(stdout) || failed)
		return fail("standard output: %s", strerror(errno ? errno : EIO));
	return exit_code;
}
