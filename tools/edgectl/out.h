/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * out: what users and scripts read: text, JSON or CSV from one call, and the error
 * line.
 *
 * CSV (RFC 4180) has a table's cells by their keys, those that text has no column for among them,
 * as JSON has their values; null is empty. A spreadsheet takes what begins with = + - or @ for a
 * formula: such a text gets an apostrophe in front.
 */
#ifndef EDGECTL_OUT_H
#define EDGECTL_OUT_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/**
 * struct out_column - a column of a table; cells without one are JSON only
 * @key: the cell's key
 * @title: its head in text
 * @width: in text; negative: to the right
 */
struct out_column {
	const char *key;
	const char *title;
	int width;
};

/* How an object looks in text. */
enum out_style {
	OUT_LABELLED,	/* "label   value" lines */
	OUT_BARE,	/* values only */
	OUT_SILENT,	/* nothing; out_line() says it */
};

#define OUT_DEPTH	4

/**
 * struct out - one command's output; zero it and set the first three
 * @csv: its tables are CSV, nothing else comes out
 */
struct out {
	bool json;
	bool pretty;
	bool csv;
	enum out_style style;
	json_t *open[OUT_DEPTH];
	const char *label[OUT_DEPTH];
	int depth;
	const struct out_column *columns;
	size_t column_count;
	size_t column;		/* which comes next in this row */
	char line[256];		/* of a table, @length bytes of it */
	size_t length;
	int pad;
	bool in_row;
	size_t rows;
	FILE *heads;		/* of CSV, which come with the cells of the first row */
	FILE *cells;
	char *head_text;
	char *cell_text;
	size_t head_length;
	size_t cell_length;
};

/*
 * To be called first. From then on, a terminal gets nothing from stdout that it does not show,
 * whoever prints it: a character that is not shown comes out as <U+202E>, or inside JSON as \u202e,
 * and a byte that is no UTF-8 as \x9b. Line breaks pass; in values and messages they do not.
 */
void out_begin(void);

/* A copy, to be freed, with those escapes, line breaks included. */
char *out_legible(const char *text);

/* @key is NULL for what is not inside an object. */
void out_object(struct out *out, const char *key, enum out_style style);
void out_object_end(struct out *out);
void out_table(struct out *out, const char *key, const struct out_column *columns,
	       size_t count);
void out_table_end(struct out *out);
void out_row(struct out *out);
void out_row_end(struct out *out);

/*
 * Fields of an object, cells of a row in the order of its columns. A NULL string is null, and -
 * in text.
 */
void out_string(struct out *out, const char *key, const char *value);
void out_number(struct out *out, const char *key, uint64_t value);
void out_bool(struct out *out, const char *key, bool value);
/* In tenths. */
void out_tenths(struct out *out, const char *key, uint64_t value);
/* A moment, in seconds since 1970: minutes of local time in text, else as time_text(). */
void out_moment(struct out *out, const char *key, uint64_t time);
void out_seconds(struct out *out, const char *key, uint64_t seconds);
/* The same, with "ago" in text. */
void out_ago(struct out *out, const char *key, uint64_t seconds);
void out_names(struct out *out, const char *key, const char *const names[],
	       uint32_t mask);

/* A line of text; nothing in JSON. */
void out_line(const struct out *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

enum out_colour {
	OUT_PLAIN,
	OUT_RED = 31,		/* as terminals number them */
	OUT_GREEN,
	OUT_YELLOW,
};

/*
 * "MARK: text"; nothing in JSON. On a terminal the mark is in colour, unless NO_COLOR is set: it
 * says nothing that the word does not.
 */
void out_marked(const struct out *out, enum out_colour colour, const char *mark,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What such lines begin with from now on: "FILE:LINE: ", "FILE: " for line 0, or nothing. */
void out_where(const char *file, uint32_t line);

/* Each writes one line "edgectl: ..." to stderr. fail() returns 1, misuse() 2. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * How far it has got: for people at a terminal (stderr) who have waited for more than a second, if
 * out_progress_allow() was called. Any message takes the line away, and so does out_finish().
 */
void out_progress_allow(void);
void out_progress(const char *what, size_t done);
void out_progress_end(void);

/* Whether stdout is one. */
bool out_is_terminal(void);

/*
 * A line of @before and @text. On a terminal none is wider than that: the words that do not fit go
 * on below, under where @text begins.
 */
void out_folded(const char *before, const char *text);

/* On a terminal: back to the line so many above, away with what follows. */
void out_up(int lines);

/* Writes what is held back. False: it cannot; nor is it told if stdout's reader has gone away. */
bool out_flush(void);

/* Closes stdout; 1 with an error line when not everything was written. */
int out_finish(int exit_code);

#endif
