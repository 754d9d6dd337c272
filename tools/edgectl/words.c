// SPDX-License-Identifier: GPL-2.0-only
/*
 * words: which words of a list may be meant by one that is not in it
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "words.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define LETTERS		32	/* of a word that is held against others */
#define LIST_SHORT	84	/* bytes of a list that a refusal shows whole */

/* What other tools, and people, say. It holds where a list has what is meant. */
static const struct {
	const char *said;
	const char *meant;
} habits[] = {
	{ "delete", "del" }, { "remove", "del" }, { "rm", "del" }, { "erase", "del" },
	{ "unset", "del" }, { "destroy", "del" },
	{ "create", "add" }, { "new", "add" }, { "insert", "add" }, { "append", "add" },
	{ "ls", "list" }, { "print", "list" }, { "get", "list" }, { "view", "list" },
	{ "dump", "list" }, { "query", "list" },
	{ "clear", "flush" }, { "empty", "flush" }, { "purge", "flush" },
	{ "clear", "reset" }, { "zero", "reset" },
	{ "activate", "enable" }, { "on", "enable" }, { "start", "enable" },
	{ "deactivate", "disable" }, { "off", "disable" }, { "stop", "disable" },
	{ "update", "refresh" }, { "resolve", "refresh" }, { "reload", "refresh" },
	{ "load", "import" }, { "restore", "import" },
	{ "on", "enforce" }, { "start", "enforce" }, { "enable", "enforce" },
	{ "enforcing", "enforce" },
	{ "disable", "off" }, { "disabled", "off" }, { "stop", "off" }, { "none", "off" },
	{ "dry-run", "audit" }, { "permissive", "audit" }, { "log", "audit" }, { "test", "audit" },
	{ "accept", "pass" }, { "allow", "pass" }, { "permit", "pass" },
	{ "deny", "drop" }, { "reject", "drop" }, { "refuse", "drop" },
	{ "all", "any" }, { "everybody", "any" }, { "anybody", "any" }, { "*", "any" },
	{ "partners", "listed" }, { "list", "listed" }, { "known", "listed" },
	{ "destination", "dst" }, { "dport", "dst" }, { "source", "src" }, { "sport", "src" },
	{ "both", "either" }, { "any", "either" },
	{ "external", "access" }, { "public", "access" }, { "sip", "access" },
	{ "media", "av" }, { "a/v", "av" }, { "audio", "av" },
	{ "federated", "federation" }, { "skype", "messenger" }, { "msn", "messenger" },
	{ "user", "client" }, { "remote", "client" },
	{ "tls", "tcp" }, { "https", "tcp" }, { "rtp", "udp" }, { "stun", "udp" },
	{ "timeout", "until" }, { "for", "until" }, { "expires", "until" }, { "ttl", "until" },
	{ "comment", "reason" }, { "because", "reason" },
	{ "comment", "name" }, { "description", "name" }, { "label", "name" }, { "as", "name" },
	{ "to", "group" }, { "in", "group" },
	{ "device", "dev" }, { "iface", "dev" }, { "interface", "dev" }, { "on", "dev" },
	{ "in", "iif" }, { "out", "oif" }, { "source", "from" }, { "src", "from" },
	{ "saddr", "from" }, { "destination", "to" }, { "dst", "to" }, { "daddr", "to" },
	{ "rule", "row" }, { "contains", "covers" }, { "match", "covers" },
	{ "whitelist", "partner" }, { "peer", "partner" }, { "peers", "partner" },
	{ "blacklist", "block" }, { "address", "interface" }, { "iface", "interface" },
	{ "row", "rule" }, { "counters", "stats" }, { "test", "explain" }, { "why", "explain" },
	{ "log", "monitor" }, { "logs", "monitor" }, { "events", "monitor" },
	{ "restore", "load" }, { "reload", "load" }, { "apply", "load" }, { "replace", "load" },
	{ "export", "save" }, { "backup", "save" }, { "dump", "save" }, { "ruleset", "save" },
	{ "rollback", "undo" }, { "info", "status" }, { "state", "status" },
	{ "validate", "check" }, { "lint", "check" }, { "verify", "check" },
	{ "diagnose", "doctor" }, { "usage", "help" }, { "man", "help" }, { "ports", "rtp" },
};

/**
 * struct said - the word, as far as it can be held against others
 */
struct said {
	const char *text;
	size_t length;
};

static bool equals(const struct said *said, const char *name)
{
	return strlen(name) == said->length && !strncasecmp(said->text, name, said->length);
}

/* The first that it means elsewhere. */
static const char *by_habit(const char *const names[], const struct said *said)
{
	size_t i, j;

	for (i = 0; i < COUNT(habits); i++) {
		for (j = 0; names[j] && equals(said, habits[i].said); j++) {
			if (!strcmp(habits[i].meant, names[j]))
				return names[j];
		}
	}
	return NULL;
}

/* The whole of it, or less, in any letters. */
static bool by_beginning(const struct said *said, const char *name)
{
	return !strncasecmp(name, said->text, said->length);
}

/* More of it: a plural. */
static bool by_ending(const struct said *said, const char *name)
{
	size_t length = strlen(name);

	return length > 2 && said->length < length + 3 && !strncasecmp(name, said->text, length);
}

static bool by_part(const struct said *said, const char *name)
{
	const char *at;

	for (at = name; said->length > 2 && strlen(at) >= said->length; at++) {
		if (!strncasecmp(at, said->text, said->length))
			return true;
	}
	return false;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static char lower(char letter)
{
	return letter >= 'A' && letter <= 'Z' ? letter | 0x20 : letter;
}

/* How many letters have to be put in, left out, changed, or swapped with the next. */
static unsigned int distance(const struct said *said, const char *name)
{
	unsigned int cost[LETTERS + 1][LETTERS + 1];
	size_t length = strlen(name), i, j;

	for (i = 0; i <= said->length; i++) {
		for (j = 0; j <= length; j++) {
			char ours = i ? lower(said->text[i - 1]) : 0, theirs = j ? name[j - 1] : 0;

			if (!i || !j) {
				cost[i][j] = i + j;
				continue;
			}
			cost[i][j] = least(cost[i - 1][j - 1] + (ours != theirs),
					   least(cost[i - 1][j], cost[i][j - 1]) + 1);
			if (i > 1 && j > 1 && ours == name[j - 2] &&
			    lower(said->text[i - 2]) == theirs)
				cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
		}
	}
	return cost[said->length][length];
}

/* Every third letter may be wrong: of short words none is near. */
static size_t by_distance(const char *const names[], const struct said *said,
			  const char *near[WORDS_NEAR])
{
	unsigned int best = said->length / 3, cost;
	size_t count = 0, i;

	for (i = 0; best && names[i]; i++) {
		if (strlen(names[i]) < 3 || strlen(names[i]) > LETTERS)
			continue;
		cost = distance(said, names[i]);
		if (cost > best || (cost == best && count == WORDS_NEAR))
			continue;
		if (cost < best)
			count = 0;
		best = cost;
		near[count++] = names[i];
	}
	return count;
}

/* Those that pass; none, where there are too many to offer. */
static size_t by_way(const char *const names[], const struct said *said,
		     bool (*way)(const struct said *said, const char *name),
		     const char *near[WORDS_NEAR])
{
	size_t count = 0, i;

	for (i = 0; names[i]; i++) {
		if (!way(said, names[i]))
			continue;
		if (count == WORDS_NEAR)
			return 0;
		near[count++] = names[i];
	}
	return count;
}

size_t words_near(const char *const names[], const char *word, size_t length,
		  const char *near[WORDS_NEAR])
{
	const struct said said = { word, length };
	size_t count, i;

	if (!length || length > LETTERS)
		return 0;
	for (i = 0; names[i]; i++) {
		if (equals(&said, names[i])) {
			near[0] = names[i];
			return 1;
		}
	}
	count = by_way(names, &said, by_beginning, near);
	if (count)
		return count;
	near[0] = by_habit(names, &said);
	if (near[0])
		return 1;
	count = by_way(names, &said, by_ending, near);
	if (!count)
		count = by_way(names, &said, by_part, near);
	return count ? count : by_distance(names, &said, near);
}

static size_t put(char text[WORDS_TEXT], size_t length, const char *before, const char *word)
{
	int more = snprintf(text + length, WORDS_TEXT - length, "%s%s", before, word);

	return least(length + more, WORDS_TEXT - 1);
}

const char *words_instead(const char *const names[], const char *word, size_t length,
			  const char *see, char text[WORDS_TEXT])
{
	const char *near[WORDS_NEAR];
	size_t count = words_near(names, word, length, near), at = 0, bytes = 0, i;

	text[0] = '\0';
	for (i = 0; i < count; i++)
		at = put(text, at, !i ? ": did you mean " : i + 1 < count ? ", " : " or ", near[i]);
	if (count)
		at = put(text, at, "?", "");
	for (i = 0; names[i]; i++)
		bytes += strlen(names[i]) + 2;
	if (bytes <= LIST_SHORT && i > count) {
		for (i = 0; names[i]; i++)
			at = put(text, at, i ? ", " : " (", names[i]);
		put(text, at, ")", "");
	} else if (!count && see) {
		at = put(text, at, " (see ", see);
		put(text, at, ")", "");
	}
	return text;
}
