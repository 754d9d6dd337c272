/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * line: the words of a policy file's line
 */
#ifndef EDGECTL_LINE_H
#define EDGECTL_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "op.h"

/**
 * struct words - a line's words; they point into the line
 */
struct words {
	char **word;
	int count;
	size_t room;
};

/*
 * Splits @line, which is overwritten, at blanks; "..." is one word, with \" and
 * \\ inside; # at a word's start begins a comment. False: op->error says why.
 */
bool line_split(struct op *op, char *line, size_t length, struct words *words);

/* Where the comment of a line begins that line_split() has not seen yet, or NULL. */
const char *line_comment(const char *line);

/*
 * Takes a line as large files have a million of: "partner add PREFIX group GROUPS" and perhaps a
 * name, one blank between, no quotes. False: it is another line, or there is something wrong with
 * it, which line_split() and the command's parser find out. A third of their work.
 */
bool line_plain_partner(struct op *op, const char *line, size_t length);

#endif
