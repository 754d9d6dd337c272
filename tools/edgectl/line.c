// SPDX-License-Identifier: GPL-2.0-only
/*
 * line: the words of a policy file's line
 */
#include <string.h>

#include "line.h"
#include "value.h"

static bool blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/*
 * Takes the quoted word that begins behind @at; what the escapes leave is moved
 * to the front. Returns what follows the closing quote, NULL: refused.
 */
static char *quoted(struct op *op, char *at)
{
	char *to = at;

	for (; *at != '"'; at++) {
		if (*at == '\\') {
			at++;
			if (*at != '"' && *at != '\\') {
				refuse(op, "\"\\%.1s\": only \\\" and \\\\ are known in quotes",
				       at);
				return NULL;
			}
		}
		if (!*at) {
			refuse(op, "missing closing quote");
			return NULL;
		}
		*to++ = *at;
	}
	at++;
	if (*at && !blank(*at)) {
		refuse(op, "missing blank after the closing quote");
		return NULL;
	}
	*to = '\0';
	return at;
}

static char *bare(struct op *op, char *at)
{
	char *end = at + strcspn(at, " \t\"");

	if (*end != '"')
		return end;
	refuse(op, "the word \"%.80s\" has a quote inside", at);
	return NULL;
}

const char *line_comment(const char *line)
{
	const char *at = line;
	bool inside = false;

	for (; *at; at++) {
		if (*at == '"')
			inside = !inside;
		else if (*at == '\\' && inside && at[1])
			at++;
		else if (*at == '#' && !inside && (at == line || blank(at[-1])))
			return at;
	}
	return NULL;
}

bool line_split(struct op *op, char *line, size_t length, struct words *words)
{
	char *at = line;

	op->error[0] = '\0';
	words->count = 0;
	if (memchr(line, '\0', length))
		return refuse(op, "the line has a NUL byte");
	while (length && line[length - 1] == '\r')
		line[--length] = '\0';
	for (;;) {
		char *start, **list;

		while (blank(*at))
			at++;
		if (!*at || *at == '#')
			return true;
		list = grow(words->word, words->count, &words->room, sizeof(*list));
		if (!list)
			return refuse(op, "out of memory");
		words->word = list;
		start = *at == '"' ? at + 1 : at;
		at = *at == '"' ? quoted(op, start) : bare(op, start);
		if (!at)
			return false;
		list[words->count++] = start;
		if (*at)
			*at++ = '\0';
	}
}

/* What follows @start in the text up to @last, or NULL. */
static inline const char *after(const char *text, const char *last, const char *start)
{
	size_t length = strlen(start);

	return (size_t)(last - text) < length || memcmp(text, start, length) ? NULL : text + length;
}

bool line_plain_partner(struct op *op, const char *line, size_t length)
{
	const char *last = line + length, *word = after(line, last, "partner add "), *end;

	if (!word)
		return false;
	op_reset(op);
	end = strchrnul(word, ' ');
	if (!value_add_prefix(op, word, end, true))
		return false;
	word = after(end, last, " group ");
	if (!word)
		return false;
	end = strchrnul(word, ' ');
	if (!value_groups(op, word, end))
		return false;
	word = after(end, last, " name ");
	if (word) {
		end = word + strcspn(word, " \t\"#\r");
		if (*end || !value_name(op, word))
			return false;
	}
	return end == last;
}
