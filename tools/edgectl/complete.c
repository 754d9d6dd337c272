// SPDX-License-Identifier: GPL-2.0-only
/*
 * complete: what may stand where somebody is typing, found by reading the synopses of the command
 * table, and the policy in force
 */
#include <ctype.h>
#include <dirent.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "edgectl.h"

#define TERMS		12	/* of a synopsis */
#define LOWER		"abcdefghijklmnopqrstuvwxyz-"	/* of keywords */
#define PARTNERS_MOST	100000	/* to look through while somebody waits */

/**
 * struct place - where somebody is typing
 * @object: of the command; NULL: of the policy there is nothing to tell
 * @command: that, once its words are being completed
 * @before: the word before
 * @begun: what is there of the word already
 * @skip: bytes of @begun that stay as they are: a list up to its last comma
 */
struct place {
	const struct command *object;
	const struct command *command;
	const char *before;
	const char *begun;
	size_t skip;
};

/**
 * struct term - of a synopsis, without brackets and dots around it
 * @optional: it may be left out
 * @option: it begins with a word of its own, and stands in any order with its like
 * @repeats: it may stand there several times
 */
struct term {
	const char *text;
	size_t length;
	bool optional;
	bool option;
	bool repeats;
};

static bool is_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && !strncmp(text, word, length);
}

/* Whether it stands in the list already. */
static bool is_said(const struct place *place, const char *word)
{
	const char *at = place->begun, *end = at + place->skip;
	size_t length;

	for (; at < end; at += length + 1) {
		length = strcspn(at, ",");
		if (is_word(at, length, word))
			return true;
	}
	return false;
}

/* What is not shown cannot be typed, nor is it taken. */
static void offer(const struct place *place, const char *word, size_t length)
{
	const char *rest = place->begun + place->skip;

	if (length >= strlen(rest) && !strncmp(word, rest, strlen(rest)) && !first_unshown(word))
		printf("%.*s%.*s\n", (int)place->skip, place->begun, (int)length, word);
}

static void offer_word(const struct place *place, const char *word)
{
	if (!is_said(place, word))
		offer(place, word, strlen(word));
}

/* ---- what words in capitals stand for ---- */

static void offer_objects(const struct place *place)
{
	const struct command *at;

	for (at = commands; at->object; at++) {
		if (at == commands || strcmp(at->object, at[-1].object))
			offer_word(place, at->object);
	}
}

/* Whether the synopsis says the command's name; the one that an object is without one need not. */
static bool has_name(const struct command *command)
{
	const char *second = strchr(command->usage, ' ');

	return command->name && second &&
	       !strncmp(second + 1, command->name, strlen(command->name));
}

/* An object's commands, but for the one that it is without one, where that has no name. */
static void offer_commands(const struct place *place, const struct command *object)
{
	const struct command *at;

	for (at = object; command_is_of(at, object); at++) {
		if (at->usage && has_name(at) && !(at > object && !strcmp(at[-1].name, at->name)))
			offer_word(place, at->name);
	}
}

static void offer_command(const struct place *place)
{
	struct op op = { 0 };
	const struct command *object = command_object(&op, place->before);

	if (object)
		offer_commands(place, object);
}

static void offer_devices(const struct place *place)
{
	struct if_nameindex *list = if_nameindex(), *at;

	for (at = list; at && at->if_name; at++)
		offer_word(place, at->if_name);
	if (list)
		if_freenameindex(list);
}

/* Only the shell knows what is a file to it; none begins as an option. */
static void offer_files(const struct place *place)
{
	if (*place->begun != '-')
		puts("/");
}

static void offer_interfaces(struct nl *nl, const struct place *place, bool with_length)
{
	char text[PREFIX_TEXT];
	struct entry *list;
	size_t count, i;

	if (nl_interfaces(nl, 0, &list, &count))
		return;
	for (i = 0; i < count; i++)
		offer_word(place, with_length ? prefix_text(&list[i].prefix, text) :
						address_text(&list[i].prefix, text));
	entries_free(list, count);
}

/* What is to be told of a partner. */
enum about { ABOUT_PREFIX, ABOUT_HOST, ABOUT_DOMAIN, ABOUT_NAME };

static const char *partner_text(const struct entry *entry, enum about about,
				char text[PREFIX_TEXT])
{
	switch (about) {
	case ABOUT_PREFIX:
		return prefix_text(&entry->prefix, text);
	case ABOUT_HOST:
		return entry->prefix.len == entry->prefix.size * 8 ?
		       address_text(&entry->prefix, text) : NULL;
	case ABOUT_DOMAIN:
		return entry->domain;
	default:
		return entry->text;
	}
}

static void offer_partners(struct nl *nl, const struct place *place, enum about about)
{
	const struct partner_filter filter = { .domain = about == ABOUT_DOMAIN ? "" : NULL };
	char text[PREFIX_TEXT];
	struct status status;
	struct entry *list;
	size_t count, i;
	const char *word;

	if (nl_status(nl, &status) || status.partners > PARTNERS_MOST ||
	    nl_partners(nl, &filter, &list, &count))
		return;
	for (i = 0; i < count; i++) {
		word = partner_text(&list[i], about, text);
		if (word)
			offer_word(place, word);
	}
	entries_free(list, count);
}

static void offer_blocks(struct nl *nl, const struct place *place, bool with_length)
{
	char text[PREFIX_TEXT];
	struct entry *list;
	size_t count, i;

	if (nl_blocks(nl, NULL, &list, &count))
		return;
	for (i = 0; i < count; i++)
		offer_word(place, with_length ? prefix_text(&list[i].prefix, text) :
						address_text(&list[i].prefix, text));
	entries_free(list, count);
}

/* Those of the policy that such a command can be about. */
static void offer_addresses(const struct place *place, bool with_length)
{
	const char *object = place->object->object;
	struct nl *nl = nl_attach();

	if (!strcmp(object, "block") && strcmp(place->command->name, "add")) {
		offer_blocks(nl, place, with_length);
	} else {
		if (strcmp(object, "partner") && strcmp(object, "block"))
			offer_interfaces(nl, place, with_length);
		if (strcmp(object, "interface"))
			offer_partners(nl, place, with_length ? ABOUT_PREFIX : ABOUT_HOST);
	}
	nl_detach(nl);
}

static void offer_hosts(const struct place *place)
{
	offer_addresses(place, false);
}

static void offer_domains(const struct place *place)
{
	struct nl *nl = nl_attach();

	offer_partners(nl, place, ABOUT_DOMAIN);
	nl_detach(nl);
}

static void offer_names(const struct place *place)
{
	struct nl *nl = nl_attach();

	offer_partners(nl, place, ABOUT_NAME);
	nl_detach(nl);
}

/* Names of a list; or what a function offers. */
static const struct {
	const char *word;
	const char *const *names;
	void (*offer)(const struct place *place);
} sources[] = {
	{ "ROLE", role_names, NULL },
	{ "GROUP", group_names, NULL },
	{ "ROW", row_names, NULL },
	{ "REASON", reason_names, NULL },
	{ "OBJECT", NULL, offer_objects },
	{ "COMMAND", NULL, offer_command },
	{ "ADDRESS", NULL, offer_hosts },
	{ "FROM", NULL, offer_hosts },
	{ "TO", NULL, offer_hosts },
	{ "DOMAIN", NULL, offer_domains },
	{ "TEXT", NULL, offer_names },
	{ "NAME", NULL, offer_devices },
	{ "DEV", NULL, offer_devices },
	{ "FILE", NULL, offer_files },
};

static void offer_source(const struct place *place, const char *word, size_t length)
{
	size_t i, j;

	for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (strlen(sources[i].word) != length || strncmp(sources[i].word, word, length))
			continue;
		for (j = 0; sources[i].names && sources[i].names[j]; j++)
			offer_word(place, sources[i].names[j]);
		if (sources[i].offer)
			sources[i].offer(place);
	}
}

/* ---- synopses ---- */

static bool has(const char *text, size_t length, const char *part)
{
	return memmem(text, length, part, strlen(part));
}

/* Where @text ends before the next @end, or at @length; what is in brackets does not end it. */
static size_t up_to(const char *text, size_t length, char end)
{
	int depth = 0;
	size_t i;

	for (i = 0; i < length && (depth || text[i] != end); i++)
		depth += (text[i] == '[') - (text[i] == ']');
	return i;
}

static size_t read_synopsis(const char *text, struct term terms[TERMS])
{
	size_t count = 0, length;
	struct term *term;

	for (; *text && count < TERMS; text += length + strspn(text + length, " ")) {
		length = up_to(text, strlen(text), ' ');
		term = &terms[count++];
		*term = (struct term){ .text = text, .length = length };
		if (*text == '[') {
			term->optional = true;
			term->text++;
			term->length -= 2;
			term->option = has(term->text, term->length, " ") || *term->text == '-';
		} else if (has(text, length, "...")) {
			term->repeats = !has(text, length, "[,");
		}
	}
	return count;
}

/* The word that an option begins with. */
static size_t keyword_length(const struct term *term)
{
	return up_to(term->text, term->length, ' ');
}

/* The synopsis without the words that name the command. */
static const char *arguments(const struct command *command)
{
	const char *at = command->usage;
	int words = has_name(command) ? 2 : 1;

	for (; words; words--)
		at += strcspn(at, " ") + strspn(at + strcspn(at, " "), " ");
	return at;
}

/* Whether it is a word of the command's own in one of its synopses. */
static bool is_keyword(const struct command *command, const char *word)
{
	const struct command *at;
	const char *text;
	size_t length;

	for (at = command; command_is_of(at, command) && at->run == command->run; at++) {
		if (!at->usage)
			continue;
		for (text = arguments(at); *text; text += length + strcspn(text + length, LOWER)) {
			length = strspn(text, LOWER);
			if (is_word(text, length, word))
				return true;
		}
	}
	return false;
}

/* Whether a term, which is no option, can mean this word. */
static bool can_mean(const struct command *command, const struct term *term, const char *word)
{
	const char *at = term->text, *end = at + term->length;
	size_t length;

	for (; at < end; at += length + 1) {
		length = up_to(at, end - at, '|');
		if (isupper(*at) ? !is_keyword(command, word) : is_word(at, length, word))
			return true;
	}
	return false;
}

/* Words of which one is meant; behind "WORD[,WORD]..." a list of them. */
static void offer_value(struct place *place, const char *text, size_t length)
{
	const char *end = text + length, *comma = strrchr(place->begun, ',');
	size_t word;

	for (; text < end; text += length + 1) {
		length = up_to(text, end - text, '|');
		word = strcspn(text, "[.|] ");
		place->skip = 0;
		if (has(text, length, "[,") && comma)
			place->skip = comma + 1 - place->begun;
		if (islower(*text))
			offer(place, text, length);
		else if (has(text, length, "[/LEN]"))
			offer_addresses(place, true);
		else
			offer_source(place, text, word);
	}
	place->skip = 0;
}

/**
 * struct walk - words held against a synopsis of a command
 * @next: the term that may come next, but for options
 * @taken: it has been met, and may be again
 * @used: options that have been met, one bit each
 */
struct walk {
	const struct command *command;
	struct term terms[TERMS];
	size_t count;
	size_t next;
	bool taken;
	uint32_t used;
};

/* Whether the option may stand here: all that must come before it has. */
static bool may_follow(const struct walk *walk, size_t option)
{
	size_t i;

	if (!walk->terms[option].option || walk->used & 1u << option || walk->next > option)
		return false;
	for (i = walk->next; i < option; i++) {
		if (!walk->terms[i].optional && !(i == walk->next && walk->taken))
			return false;
	}
	return true;
}

/* The option that @word begins, and now is used; or @count. */
static size_t take_option(struct walk *walk, const char *word)
{
	size_t i, first;

	for (i = 0; i < walk->count; i++) {
		const struct term *term = &walk->terms[i];

		if (may_follow(walk, i) && is_word(term->text, keyword_length(term), word))
			break;
	}
	if (i == walk->count)
		return i;
	for (first = i; first && walk->terms[first - 1].option; first--)
		;
	if (first > walk->next)
		walk->next = first;
	walk->used |= 1u << i;
	return i;
}

/* Takes a word that is no option. */
static bool take_word(struct walk *walk, const char *word)
{
	for (; walk->next < walk->count; walk->next++, walk->taken = false) {
		const struct term *term = &walk->terms[walk->next];

		if (!term->option && can_mean(walk->command, term, word)) {
			walk->taken = term->repeats;
			walk->next += !term->repeats;
			return true;
		}
		if (!term->optional && !walk->taken)
			return false;
	}
	return false;
}

static void offer_terms(const struct walk *walk, struct place *place)
{
	size_t i;

	for (i = 0; i < walk->count; i++) {
		if (may_follow(walk, i))
			offer(place, walk->terms[i].text, keyword_length(&walk->terms[i]));
	}
	for (i = walk->next; i < walk->count; i++) {
		if (walk->terms[i].option)
			continue;
		offer_value(place, walk->terms[i].text, walk->terms[i].length);
		if (!walk->terms[i].optional && !(i == walk->next && walk->taken))
			break;
	}
}

/* What may stand behind an option's word of this @length. Why somebody is blocked, nobody knows. */
static void offer_option(struct place *place, const struct term *option, size_t length)
{
	if (!has(option->text, option->length, "reason TEXT"))
		offer_value(place, option->text + length + 1, option->length - length - 1);
}

/* What may follow these words behind the command, as one synopsis has it. */
static void follow(const char *synopsis, struct place *place, int argc, char *const argv[])
{
	struct walk walk = { .command = place->command };
	size_t option, length;
	int i;

	walk.count = read_synopsis(synopsis, walk.terms);
	for (i = 0; i < argc; i++) {
		option = take_option(&walk, argv[i]);
		if (option == walk.count) {
			if (!take_word(&walk, argv[i]))
				return;
			continue;
		}
		length = keyword_length(&walk.terms[option]);
		if (length == walk.terms[option].length)
			continue;	/* it has no value */
		if (++i == argc) {
			offer_option(place, &walk.terms[option], length);
			return;
		}
	}
	offer_terms(&walk, place);
}

/*
 * Takes what may stand with any change out of its words, and offers it. How many are left; below 0:
 * a time comes next, of which there is nothing to tell.
 */
static int change_options(const struct command *command, struct place *place, int argc,
			  char *argv[])
{
	bool dry_run = false, confirm = false;
	int kept = 1, i;

	if (!strcmp(argv[argc - 1], "--confirm"))
		return -1;
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--dry-run"))
			dry_run = true;
		else if (!strcmp(argv[i], "--confirm"))
			confirm = i++;
		else
			argv[kept++] = argv[i];
	}
	if (*place->begun == '-' && !dry_run)
		offer_word(place, "--dry-run");
	if (*place->begun == '-' && !confirm && command->run != cmd_revert)
		offer_word(place, "--confirm");
	return kept;
}

void complete_words(int argc, char *argv[], const char *begun)
{
	struct place place = { .begun = begun, .before = argc ? argv[argc - 1] : "" };
	const struct command *command, *at;
	struct op op = { 0 };
	int words;

	if (!argc) {
		offer_objects(&place);
		return;
	}
	place.object = command_object(&op, argv[0]);
	command = place.object;
	if (command && command->name && argc == 1) {
		offer_commands(&place, command);
		offer_word(&place, "help");
		return;
	}
	if (command && command->name)
		command = command_find(&op, command, argv[1]);
	if (!command)
		return;
	if (command->changes)
		argc = change_options(command, &place, argc, argv);
	if (argc < 0)
		return;
	command = command_usage(command);
	place.command = command;
	words = command->name ? 2 : 1;
	for (at = command; command_is_of(at, command); at++) {
		if (at->usage && (!command->name || !strcmp(at->name, command->name)))
			follow(arguments(at), &place, argc - words, argv + words);
	}
}

void complete_options(const struct option *options, const char *begun)
{
	struct place place = { .begun = begun };
	char text[32];

	for (; options->name; options++) {
		if (!strcmp(options->name, "complete"))	/* is for shells */
			continue;
		if (isalpha(options->val)) {
			snprintf(text, sizeof(text), "-%c", options->val);
			offer_word(&place, text);
		}
		snprintf(text, sizeof(text), "--%s", options->name);
		offer_word(&place, text);
	}
}

void complete_names(const char *directory, const char *begun)
{
	struct place place = { .begun = begun };
	DIR *dir = opendir(directory);
	struct dirent *at;

	while (dir && (at = readdir(dir))) {
		if (at->d_name[0] != '.')
			offer_word(&place, at->d_name);
	}
	if (dir)
		closedir(dir);
}
