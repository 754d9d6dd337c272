// SPDX-License-Identifier: GPL-2.0-only
/*
 * help: what the command table says, as far as it is asked for
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "edgectl.h"
#include "topics.h"
#include "words.h"

#define WIDTH		78
#define INDENT		11	/* of what a command does */
#define WORD_INDENT	10	/* of what a word stands for */

/* What words in capitals stand for: names of a list, or a remark. */
static const struct {
	const char *word;
	const char *const *names;
	const char *text;
} words[] = {
	{ "ROLE", role_names, NULL },
	{ "GROUP", group_names, NULL },
	{ "ROW", row_names, NULL },
	{ "REASON", reason_names, NULL },
	{ "RANGE", NULL, "PORT or FIRST-LAST" },
	{ "DURATION", NULL, "as in 30s, 15m, 12h, 90d, 4w" },
	{ "TIME", NULL, "as in 2026-12-01T03:00:00Z" },
	{ "DOMAIN", NULL, "contoso.com, or host:sip.contoso.com for the addresses of a host" },
};

/* Prints @text behind @indent bytes, in lines that begin with as many blanks. */
static void put_wrapped(FILE *file, const char *text, int indent)
{
	int column = indent, length;

	for (; *text; text += length + strspn(text + length, " ")) {
		length = strcspn(text, " ");
		if (column > indent && column + 1 + length > WIDTH) {
			fprintf(file, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			putc(' ', file);
			column++;
		}
		fprintf(file, "%.*s", length, text);
		column += length;
	}
	putc('\n', file);
}

static bool uses(const char *usage, const char *word)
{
	size_t length = strlen(word);
	const char *at;

	for (at = usage; (at = strstr(at, word)); at += length) {
		if (!isupper(at[length]) && !(at > usage && isupper(at[-1])))
			return true;
	}
	return false;
}

static void put_word(FILE *file, size_t i)
{
	char text[512] = "";
	int j;

	for (j = 0; words[i].names && words[i].names[j]; j++)
		append_word(text, sizeof(text), " ", words[i].names[j]);
	fprintf(file, "%s:%*s", words[i].word, WORD_INDENT - 1 - (int)strlen(words[i].word), "");
	put_wrapped(file, words[i].names ? text : words[i].text, WORD_INDENT);
}

/* Those that the synopses from @from to before @to use. */
static void put_words(FILE *file, const struct command *from, const struct command *to)
{
	const struct command *at;
	bool any = false;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (at = from; at < to && !(at->usage && uses(at->usage, words[i].word)); at++)
			;
		if (at == to)
			continue;
		if (!any)
			putc('\n', file);
		any = true;
		put_word(file, i);
	}
}

void help_summary(FILE *file)
{
	const struct command *at;

	fputs("Usage: edgectl [OPTIONS] OBJECT [COMMAND] [ARGUMENTS]\n\n", file);
	for (at = commands; at->object; at++) {
		if (at->usage)
			fprintf(file, "  edgectl %s\n", at->usage);
	}
	fputs("\n"
	      "Options:\n"
	      "  -j, --json         JSON instead of text\n"
	      "  -p, --pretty       indented JSON\n"
	      "  -n, --netns NAME   in this network namespace, as ip netns names it\n"
	      "  -q, --quiet        what is there already, or gone already, is no error;\n"
	      "                     no warnings\n"
	      "      --dry-run      of a change: shows it, as diff would, and does not make it\n"
	      "      --confirm DURATION\n"
	      "                     of a change: it is taken back unless edgectl confirm comes in\n"
	      "                     time; a number alone is seconds\n"
	      "  -V, --version      the version of edgectl\n"
	      "  -h, --help         this text; behind an OBJECT or a COMMAND, about that\n", file);
	put_words(file, commands, at);
	fputs("\nObjects and commands may be shortened while they are unambiguous, but for what\n"
	      "flushes. Without words the state is shown, as by edgectl status.\n", file);
}

static bool is_example_of(const struct example *example, const struct command *command)
{
	size_t length = strlen(command->object);

	if (strncmp(example->command, command->object, length))
		return false;
	return command->name ? example->command[length] == ' ' &&
			       !strcmp(example->command + length + 1, command->name) :
			       !example->command[length];
}

static void put_examples(const struct command *from, const struct command *to)
{
	const struct example *example;
	const struct command *at;
	bool any = false;

	for (example = examples; example->command; example++) {
		for (at = from; at < to && !is_example_of(example, at); at++)
			;
		if (at < to)
			printf("%s  edgectl %s\n", any ? "" : "\nExamples:\n", example->line);
		any |= at < to;
	}
}

static void put_part(const char *label, const char *text)
{
	printf("  %-*s", INDENT - 2, label);
	put_wrapped(stdout, text, INDENT);
}

/* All that is called so: a word may be a reason and a command. */
static bool put_topics(const char *name, bool any)
{
	const struct topic *topic;

	for (topic = topics; topic->kind; topic++) {
		if (strcmp(topic->name, name))
			continue;
		printf("%s%s (%s)\n", any ? "\n" : "", topic->name, topic->kind);
		put_part("what", topic->what);
		put_part("when", topic->when);
		put_part("to do", topic->remedy);
		any = true;
	}
	return any;
}

#define NAMES	96	/* of all that help may be asked about */

static int unknown(const char *word)
{
	const char *names[NAMES], *last = "";
	const struct command *at;
	const struct topic *topic;
	char instead[WORDS_TEXT];
	size_t count = 0;

	for (at = commands; at->object && count < NAMES - 1; at++) {
		if (strcmp(at->object, last))
			names[count++] = at->object;
		last = at->object;
	}
	for (topic = topics; topic->kind && count < NAMES - 1; topic++)
		names[count++] = topic->name;
	names[count] = NULL;
	return misuse("unknown word \"%.80s\"%s", word,
		      words_instead(names, word, strlen(word), "edgectl help", instead));
}

static void put_commands(const struct command *from, const struct command *to)
{
	const struct command *at;

	for (at = from; at < to; at++) {
		if (!at->usage)
			continue;
		printf("%s edgectl %s\n%*s", at == from ? "Usage:" : "      ", at->usage, INDENT,
		       "");
		put_wrapped(stdout, at->about, INDENT);
	}
	put_words(stdout, from, to);
	put_examples(from, to);
}

int cmd_help(const struct options *options, struct op *op)
{
	const struct command *from, *to;
	bool named;

	(void)options;
	if (!op->text) {
		help_summary(stdout);
		return EXIT_DONE;
	}
	if (!op->file && !is_object(op->text, strlen(op->text)) && put_topics(op->text, false))
		return EXIT_DONE;
	from = command_object(op, op->text);
	named = from && op->file && from->name;	/* not an argument */
	if (named)
		from = command_find(op, from, op->file);
	if (!from && !op->file && !strstr(op->error, "ambiguous"))
		return unknown(op->text);
	if (!from)
		return misuse("%s", op->error);
	to = from + 1;
	if (named) {
		from = command_usage(from);
		for (to = from + 1; command_is_of(to, from) && to->run == from->run; to++)
			;
	} else {
		while (command_is_of(to, from))
			to++;
	}
	put_commands(from, to);
	if (!op->file)
		put_topics(op->text, true);
	return EXIT_DONE;
}
