// SPDX-License-Identifier: GPL-2.0-only
/*
 * parse: the words of a command become plain structs. No netlink, no files.
 */
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"
#include "value.h"
#include "words.h"

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

bool unexpected(struct op *op, const char *word)
{
	if (is_option(word))
		return refuse(op,
			      "unexpected word \"%.80s\" (general options stand before the object)",
			      word);
	return refuse(op, "unexpected word \"%.80s\"", word);
}

static bool is_one_of(const char *const names[], const char *word)
{
	int i;

	for (i = 0; names[i] && strcmp(names[i], word); i++)
		;
	return names[i];
}

/* "KEY=VALUE", where we have two words. */
static bool is_pair(const char *word, const char *const names[], const char **value)
{
	size_t length = strcspn(word, "="), i;

	for (i = 0; word[length] && names[i]; i++) {
		if (strlen(names[i]) == length && !strncmp(names[i], word, length)) {
			*value = word + length + 1;
			return true;
		}
	}
	return false;
}

static bool has_options(const char *const names[])
{
	int i;

	for (i = 0; names[i] && !is_option(names[i]); i++)
		;
	return names[i];
}

/* Refuses a word that is none of @names, which could have been here. */
static bool expected(struct op *op, const char *word, const char *const names[])
{
	char instead[WORDS_TEXT];
	const char *value;

	if (is_option(word) && !(word[1] == '-' && word[2]))
		return unexpected(op, word);
	if (is_one_of(names, word))
		return refuse(op, "\"%s\" is repeated", word);
	if (is_pair(word, names, &value))
		return refuse(op, "unexpected word \"%.80s\": did you mean \"%.*s %.80s\"?", word,
			      (int)(value - word - 1), word, value);
	words_instead(names, word, strlen(word), NULL, instead);
	return is_option(word) && !has_options(names) ? unexpected(op, word) :
	       refuse(op, "unexpected word \"%.80s\"%s", word, instead);
}

/*
 * Is *argv the option @word, for the first time, and followed by a value? The
 * option is consumed and @value points to its value. A fault is left in
 * op->error.
 */
static bool option(struct op *op, int *argc, char *const **argv, const char *word,
		   const char **value)
{
	if (!*argc || op->error[0] || strcmp(**argv, word))
		return false;
	if (*value)
		return refuse(op, "\"%s\" is repeated", word);
	if (*argc < 2)
		return refuse(op, "missing word after \"%s\"", word);
	*value = (*argv)[1];
	*argc -= 2;
	*argv += 2;
	return true;
}

bool parse_nothing(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	return argc ? unexpected(op, argv[0]) : true;
}

bool parse_word(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	if (argc)
		op->text = argv[0];
	return argc > 1 ? unexpected(op, argv[1]) : true;
}

bool parse_help(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	op->file = NULL;
	if (argc)
		op->text = argv[0];
	if (argc > 1)
		op->file = argv[1];
	return argc > 2 ? unexpected(op, argv[2]) : true;
}

static bool value(struct op *op, const char *const names[], const char *what,
		  int argc, char *const argv[])
{
	op_reset(op);
	if (!argc)
		return true;
	if (argc > 1)
		return unexpected(op, argv[1]);
	op->set = true;
	return value_keyword(op, names, what, argv[0], &op->value);
}

bool parse_mode(struct op *op, int argc, char *const argv[])
{
	return value(op, mode_names, "mode", argc, argv);
}

bool parse_unlisted(struct op *op, int argc, char *const argv[])
{
	return value(op, unlisted_names, "value of unlisted", argc, argv);
}

bool parse_rtp_match(struct op *op, int argc, char *const argv[])
{
	return value(op, rtp_match_names, "RTP match", argc, argv);
}

bool parse_rtp_set(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	if (argc > 1)
		return refuse(op,
			      "unexpected word \"%.80s\" (ports are one word, as 443,50000-59999)",
			      argv[1]);
	return argc ? value_ports(op, argv[0]) : refuse(op, "missing ports");
}

/* @argc words that are all in @names, as bits of op->mask. */
static bool bits(struct op *op, const char *const names[], const char *what,
		 int argc, char *const argv[])
{
	uint32_t bit;

	for (; argc; argc--, argv++) {
		if (!value_keyword(op, names, what, *argv, &bit))
			return false;
		op->mask |= 1u << bit;
	}
	return true;
}

bool parse_role(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	if (argc > 1)
		return unexpected(op, argv[1]);
	return bits(op, role_names, "role", argc, argv);
}

bool parse_interface_flush(struct op *op, int argc, char *const argv[])
{
	if (argc && strcmp(argv[0], "all"))
		return parse_role(op, argc, argv);
	op_reset(op);
	if (!argc)
		return refuse(op,
			      "missing word: \"interface flush all\" removes every Edge address, \"interface flush ROLE\" those of a role");
	return argc > 1 ? unexpected(op, argv[1]) : true;
}

/* The length of a host says nothing new; another would be taken for more than is meant. */
static bool edge_address(struct op *op, const char *word)
{
	const char *end = word + strlen(word), *slash = strchr(word, '/');
	struct prefix prefix;

	if (slash && value_address(op, word, slash, false, &prefix)) {
		if (strcmp(slash, prefix.size == 4 ? "/32" : "/128"))
			return refuse(op,
				      "bad address \"%.80s\": did you mean %.*s? (an Edge address has no length)",
				      word, value_shown(word, slash), word);
		end = slash;
	}
	return value_add_prefix(op, word, end, false);
}

/* A role and an address. */
static bool edge(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	if (!argc)
		return refuse(op, "missing words: a role (access, av, internal) and an address");
	if (argc == 1 && is_one_of(role_names, argv[0]))
		return refuse(op, "missing word: the address behind \"%.80s\"", argv[0]);
	if (argc == 1)
		return refuse(op,
			      "missing role: did you mean \"access %.80s\"? (access, av, internal)",
			      argv[0]);
	if (is_one_of(role_names, argv[1]) && !is_one_of(role_names, argv[0]))
		return refuse(op, "unknown role \"%.80s\": did you mean \"%s %.80s\"?", argv[0],
			      argv[1], argv[0]);
	if (!bits(op, role_names, "role", 1, argv) || !edge_address(op, argv[1]))
		return false;
	return argc > 2 ? unexpected(op, argv[2]) : true;
}

bool parse_interface_del(struct op *op, int argc, char *const argv[])
{
	if (argc && !strcmp(argv[0], "all"))
		return refuse(op, "unknown role \"all\": did you mean \"interface flush all\"?");
	return edge(op, argc, argv);
}

bool parse_interface_add(struct op *op, int argc, char *const argv[])
{
	static const char *const words[] = { "dev", NULL };
	const char *dev = NULL;

	if (!edge(op, argc > 2 ? 2 : argc, argv))
		return false;
	argc -= 2;
	argv += 2;
	while (option(op, &argc, &argv, "dev", &dev)) {
		if (!value_device(op, dev, &op->text))
			return false;
	}
	if (op->error[0])
		return false;
	if (argc == 1 && !dev && !is_option(argv[0]))
		return refuse(op, "unexpected word \"%.80s\": did you mean \"dev %.80s\"?", argv[0],
			      argv[0]);
	return argc ? expected(op, argv[0], words) : true;
}

static bool take_groups(struct op *op, const char *word)
{
	return value_groups(op, word, word + strlen(word));
}

static bool take_domain(struct op *op, const char *word)
{
	return value_domain(op, word, &op->domain);
}

static bool take_covered(struct op *op, const char *word)
{
	return value_whole_address(op, word, &op->flow.from);
}

/* How long somebody is idle: everybody is for no time at all. */
static bool take_idle(struct op *op, const char *word)
{
	if (!value_duration(op, word))
		return false;
	return op->value ? true : refuse(op, "\"idle %.80s\" would be everybody", word);
}

/* What may follow a partner command's addresses; a group always may. */
#define TAKES_GROUP	(1 << 0)
#define TAKES_DOMAIN	(1 << 1)
#define TAKES_NAME	(1 << 2)
#define TAKES_COVERS	(1 << 3)
#define TAKES_IDLE	(1 << 4)
#define TAKES_SORT	(1 << 5)
#define TAKES_PART	(1 << 6)	/* a name is a part of it, or behind "=" all of it */
#define TAKES_NONE	(1 << 7)	/* for a name, or for a domain: "" */

/* What chooses partners, all of it together. */
#define TAKES_CHOICE	(TAKES_DOMAIN | TAKES_NAME | TAKES_PART | TAKES_COVERS | TAKES_IDLE)

static bool take_sort(struct op *op, const char *word)
{
	static const char *const orders[] = { "address", "packets", "seen", NULL };

	return value_keyword(op, orders, "order", word, &op->sort);
}

static bool take_none(struct op *op, bool (*take)(struct op *op, const char *value))
{
	if (take == value_name)
		op->text = "";
	else if (take == take_domain)
		op->own = true;
	else
		return take(op, "");
	return true;
}

static const struct {
	const char *word;
	bool (*take)(struct op *op, const char *value);
} partner_words[] = {
	{ "group", take_groups },
	{ "domain", take_domain },
	{ "name", value_name },
	{ "covers", take_covered },
	{ "idle", take_idle },
	{ "sort", take_sort },
};

#define OPTIONS		(sizeof(partner_words) / sizeof(partner_words[0]))

/* Words that follow one another and are all groups: "group A,B" is meant. */
static bool bare_groups(struct op *op, int argc, char *const argv[])
{
	char list[GROUPS_TEXT] = "";
	size_t length = 0;
	int i;

	for (i = 0; i < argc && is_one_of(group_names, argv[i]); i++) {
		if (length + strlen(argv[i]) + 2 > sizeof(list))
			break;
		length += sprintf(list + length, "%s%s", i ? "," : "", argv[i]);
	}
	return refuse(op, "unexpected word \"%.80s\": did you mean \"group %s\"?", argv[0], list);
}

/* The word with the key that it lacks; none of them has a prefix behind it. */
static bool lacks(struct op *op, const char *word, const char *key)
{
	return refuse(op, "unexpected word \"%.80s\": did you mean \"%s %.*s\"?", word, key,
		      value_shown(word, word + strcspn(word, "/")), word);
}

/* Whether a word looks like an address, or a prefix. */
static bool is_address(const char *word)
{
	return isdigit((unsigned char)*word) || strchr(word, ':');
}

/* Refuses a word that is no option of a partner command. */
static bool no_partner_option(struct op *op, int argc, char *const argv[], int takes)
{
	const char *names[OPTIONS + 1] = { NULL }, *near[WORDS_NEAR];
	const char *word = argv[0], *value;
	size_t count = 0, i;

	if (op->error[0])
		return false;
	if (is_one_of(group_names, word))
		return bare_groups(op, argc, argv);
	for (i = 0; i < OPTIONS; i++) {
		if (takes & 1 << i)
			names[count++] = partner_words[i].word;
	}
	if (is_one_of(names, word) || is_pair(word, names, &value) ||
	    words_near(names, word, strlen(word), near))
		return expected(op, word, names);
	if (takes & TAKES_PART && value_is_domain(word))
		return lacks(op, word, "domain");
	if (takes & TAKES_IDLE && value_is_duration(word))
		return lacks(op, word, "idle");
	if (takes & TAKES_COVERS && is_address(word))
		return lacks(op, word, "covers");
	if (takes & TAKES_PART && value_is_plain_word(word))
		return lacks(op, word, "name");
	return expected(op, word, names);
}

static bool partner_options(struct op *op, int argc, char *const argv[], int takes)
{
	const size_t count = OPTIONS;
	const char *value[OPTIONS] = { NULL };
	size_t i;

	takes |= TAKES_GROUP;
	while (argc) {
		i = 0;
		while (i < count && !(takes & 1 << i &&
				      option(op, &argc, &argv, partner_words[i].word,
					     &value[i])))
			i++;
		if (i == count)
			return no_partner_option(op, argc, argv, takes);
		if (takes & TAKES_NONE && !*value[i] ? !take_none(op, partner_words[i].take) :
						       !partner_words[i].take(op, value[i]))
			return false;
		if (takes & TAKES_PART && partner_words[i].take == value_name && *op->text == '=') {
			op->exact = true;
			if (!value_name(op, op->text + 1))
				return false;
		}
	}
	return true;
}

static bool partners(struct op *op, int argc, char *const argv[], int takes)
{
	takes |= TAKES_GROUP | TAKES_DOMAIN | TAKES_NONE;
	op_reset(op);
	while (argc && strcmp(*argv, "group") && strcmp(*argv, "name") && strcmp(*argv, "domain")) {
		if (value_is_plain_word(*argv) && (op->count || op->names))
			return no_partner_option(op, argc, argv, takes);
		if (!value_add_party(op, *argv))
			return false;
		argc--;
		argv++;
	}
	if (!op->count && !op->names)
		return refuse(op, "missing address%s",
			      argc ? " (addresses stand in front)" : "");
	if (!partner_options(op, argc, argv, takes))
		return false;
	if (op->names && (op->domain.text[0] || op->own))
		return refuse(op, "\"domain\" goes with addresses, not with %.80s",
			      op->name[0].text);
	return true;
}

bool parse_partner_add(struct op *op, int argc, char *const argv[])
{
	if (!partners(op, argc, argv, TAKES_NAME))
		return false;
	if (!op->mask)
		op->mask = 1u << NF_EDGE_GROUP_FEDERATION;
	return value_can_be_named(op);
}

bool parse_partner(struct op *op, const char *word, const char *group, uint32_t mask,
		   const char *text)
{
	op_reset(op);
	if (!value_add_party(op, word))
		return false;
	if (group && !value_groups(op, group, group + strlen(group)))
		return false;
	if (text && !value_name(op, text))
		return false;
	if (!group)
		op->mask = mask;
	return value_can_be_named(op);
}

bool parse_partner_import(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	if (!argc)
		return refuse(op, "missing file");
	if (!partner_options(op, argc - 1, argv + 1, TAKES_NAME))
		return false;
	if (!op->mask)
		op->mask = 1u << NF_EDGE_GROUP_FEDERATION;
	op->file = argv[0];
	return true;
}

bool parse_partner_refresh(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	if (argc > 1)
		return unexpected(op, argv[1]);
	return argc ? value_domain(op, argv[0], &op->domain) : true;
}

#define MEANS_ALL	"unexpected word \"all\": did you mean \"%s flush all\"?"

/* Words that choose partners, in place of their addresses. */
static bool chosen(struct op *op, int argc, char *const argv[])
{
	static const char *const words[] = { "group", "domain", "name", "covers", "idle" };
	size_t i;

	for (i = 0; argc && i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(argv[0], words[i]))
			return partner_options(op, argc, argv, TAKES_CHOICE);
	}
	return false;
}

bool parse_partner_del(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	if (chosen(op, argc, argv))
		return true;
	if (op->error[0])
		return false;
	if (argc && !strcmp(argv[0], "all"))
		return refuse(op, MEANS_ALL, "partner");
	if (argc && value_is_plain_word(argv[0]))
		return no_partner_option(op, argc, argv, TAKES_GROUP | TAKES_CHOICE);
	return partners(op, argc, argv, 0);
}

bool parse_partner_list(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	return partner_options(op, argc, argv,
			       TAKES_CHOICE | TAKES_SORT);
}

bool parse_partner_flush(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	op->all = argc == 1 && !strcmp(argv[0], "all");
	if (op->all || chosen(op, argc, argv))
		return true;
	if (op->error[0])
		return false;
	if (argc && !strcmp(argv[0], "all"))
		return unexpected(op, argv[1]);
	return argc ? no_partner_option(op, argc, argv, TAKES_GROUP | TAKES_CHOICE) :
		      refuse(op,
			     "missing word: \"partner flush all\" removes every partner, \"partner flush group GROUP\" those of a group, and so do domain, name, covers and idle");
}

/* The partners of a name: a part of it, or behind "=" all of it. */
static bool take_called(struct op *op, const char *word)
{
	op->exact = *word == '=';
	op->file = word + op->exact;
	return value_is_label(op, "name", op->file);
}

/* Refuses a word of which no address is meant, nor what may stand behind addresses. */
static bool no_block_word(struct op *op, const char *word, bool adding)
{
	static const char *const words[] = { "name", "until", "reason", NULL };
	static const char *const name_alone[] = { "name", NULL };
	const char *const *names = adding ? words : name_alone;
	const char *near[WORDS_NEAR], *value;

	if (op->error[0])
		return false;
	if (adding && value_is_duration(word))
		return lacks(op, word, "until");
	if (!op->count && !op->names && value_is_plain_word(word) && !is_one_of(names, word) &&
	    !is_pair(word, names, &value) && !words_near(names, word, strlen(word), near))
		return lacks(op, word, "name");
	return expected(op, word, names);
}

/* Takes what may stand behind addresses, or in their place. */
static bool block_options(struct op *op, int argc, char *const argv[], bool adding)
{
	const char *called = NULL, *until = NULL, *reason = NULL;

	while (argc) {
		if (option(op, &argc, &argv, "name", &called)) {
			if (!take_called(op, called))
				return false;
		} else if (adding && option(op, &argc, &argv, "until", &until)) {
			if (!value_end(op, until))
				return false;
		} else if (adding && option(op, &argc, &argv, "reason", &reason)) {
			if (!value_label(op, "reason", reason))
				return false;
		} else {
			return no_block_word(op, argv[0], adding);
		}
	}
	return op->count || op->names || called ? true : refuse(op, "missing address");
}

static bool blocks(struct op *op, int argc, char *const argv[], bool adding)
{
	op_reset(op);
	op->file = NULL;
	while (argc && !value_is_plain_word(*argv) && !is_option(*argv) &&
	       !value_is_duration(*argv)) {
		if (!value_add_party(op, *argv))
			return false;
		argc--;
		argv++;
	}
	return block_options(op, argc, argv, adding);
}

bool parse_block_add(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	if (argc && (!strcmp(argv[0], "all") || !strcmp(argv[0], "any")))
		return value_add_party(op, argv[0]);
	return blocks(op, argc, argv, true);
}

bool parse_block_del(struct op *op, int argc, char *const argv[])
{
	if (argc && !strcmp(argv[0], "all"))
		return refuse(op, MEANS_ALL, "block");
	return blocks(op, argc, argv, false);
}

bool parse_block_list(struct op *op, int argc, char *const argv[])
{
	const char *covers = NULL;

	op_reset(op);
	while (option(op, &argc, &argv, "covers", &covers)) {
		if (!take_covered(op, covers))
			return false;
	}
	if (op->error[0])
		return false;
	if (argc && !covers && is_address(argv[0]))
		return lacks(op, argv[0], "covers");
	return argc ? unexpected(op, argv[0]) : true;
}

bool parse_block_flush(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	if (!argc)
		return refuse(op, "missing word: \"block flush all\" empties the block list");
	if (strcmp(argv[0], "all"))
		return unexpected(op, argv[0]);
	return argc > 1 ? unexpected(op, argv[1]) : true;
}

bool parse_rows(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	return bits(op, row_names, "row", argc, argv);
}

static bool rows_enabled(struct op *op, int argc, char *const argv[], bool enabled)
{
	op_reset(op);
	op->set = true;
	op->value = enabled;
	return argc ? bits(op, row_names, "row", argc, argv) : refuse(op, "missing row");
}

bool parse_rule_enable(struct op *op, int argc, char *const argv[])
{
	return rows_enabled(op, argc, argv, true);
}

bool parse_rule_disable(struct op *op, int argc, char *const argv[])
{
	return rows_enabled(op, argc, argv, false);
}

bool parse_rule_set(struct op *op, int argc, char *const argv[])
{
	static const char *const words[] = { "peers", NULL };

	op_reset(op);
	if (!argc)
		return refuse(op, "missing row");
	if (!bits(op, row_names, "row", 1, argv))
		return false;
	if (argc > 1 && strcmp(argv[1], "peers"))
		return expected(op, argv[1], words);
	if (argc < 3)
		return refuse(op, "missing %s", argc < 2 ? "\"peers\"" : "word after \"peers\"");
	if (argc > 3)
		return unexpected(op, argv[3]);
	op->set = true;
	return value_keyword(op, peers_names, "value of peers", argv[2], &op->value);
}

static bool explain_options(struct op *op, int argc, char *const argv[])
{
	static const char *const words[] = { "sport", "iif", "oif", "--all", NULL };
	const char *sport = NULL, *iif = NULL, *oif = NULL;
	struct flow *flow = &op->flow;

	while (argc) {
		if (option(op, &argc, &argv, "sport", &sport)) {
			if (!value_service(op, sport, flow->protocol, &flow->sport))
				return false;
		} else if (option(op, &argc, &argv, "iif", &iif)) {
			if (!value_device(op, iif, &flow->iif))
				return false;
		} else if (option(op, &argc, &argv, "oif", &oif)) {
			if (!value_device(op, oif, &flow->oif))
				return false;
		} else if (!op->error[0] && !op->set && !strcmp(argv[0], "--all")) {
			op->set = true;
			argc--;
			argv++;
		} else {
			return op->error[0] ? false : expected(op, argv[0], words);
		}
	}
	return true;
}

static const char *const protocols[] = { "tcp", "udp", NULL };

static bool take_protocol(struct op *op, const char *word)
{
	uint32_t udp;

	if (!value_keyword(op, protocols, "protocol", word, &udp))
		return false;
	op->flow.protocol = udp ? IPPROTO_UDP : IPPROTO_TCP;
	return true;
}

static bool same_family(struct op *op, const char *from, const char *to)
{
	return op->flow.from.size == op->flow.to.size ? true :
	       refuse(op, "%.80s and %.80s are not of one address family", from, to);
}

/* ---- a flow as monitor shows it ---- */

#define FLOW_WORDS	32
#define FLOW_TEXT	512

/* The words of words, as far as there is room. They stay until the next call. */
static int split(int argc, char *const argv[], char *word[FLOW_WORDS])
{
	static char text[FLOW_TEXT];
	size_t length = 0;
	char *rest = text;
	int count = 0, i;

	text[0] = '\0';
	for (i = 0; i < argc && length + strlen(argv[i]) + 2 < sizeof(text); i++)
		length += sprintf(text + length, "%s ", argv[i]);
	while (count < FLOW_WORDS && (word[count] = strtok_r(rest, " \t", &rest)))
		count++;
	return count;
}

/* Whether an end has its port, the protocol stands in front, or an arrow between. */
static bool is_shown_flow(int count, char *const word[])
{
	int i;

	if (count && is_one_of(protocols, word[0]))
		return true;
	for (i = 0; i < count; i++) {
		if (!strcmp(word[i], "->") || value_port_behind(word[i], word[i] + strlen(word[i])))
			return true;
	}
	return false;
}

/* What stands in front of a drop: the time, and why. */
static int skip_reason(int count, char *const word[])
{
	int i = 0;

	while (i < count && strcmp(word[i], "drop"))
		i++;
	if (i == count)
		return 0;
	return i + 1 < count && is_one_of(reason_names, word[i + 1]) ? i + 2 : i + 1;
}

static bool take_flow_end(struct op *op, const char *word, struct prefix *prefix, uint32_t *to)
{
	const char *end = word + strlen(word), *behind = value_port_behind(word, end);

	if (!behind)
		return value_whole_address(op, word, prefix);
	if (!value_port(op, behind, end - behind, to))
		return false;
	return *word == '[' ? value_address(op, word + 1, behind - 2, false, prefix) :
			      value_address(op, word, behind - 1, false, prefix);
}

/* Leaves what explain takes: neither the row nor remarks. Those of a reply have its devices. */
static int without_remarks(int count, char *word[])
{
	bool reply = false;
	int kept = 0, i;

	for (i = 0; i < count && word[i][0] != '('; i++) {
		if (!strcmp(word[i], "reply"))
			reply = true;
		else if (!strcmp(word[i], "row") && i + 1 < count)
			i++;
		else
			word[kept++] = word[i];
	}
	for (i = 0; reply && i < kept; i++) {
		if (!strcmp(word[i], "iif"))
			strcpy(word[i], "oif");
		else if (!strcmp(word[i], "oif"))
			strcpy(word[i], "iif");
	}
	return kept;
}

static bool shown_flow(struct op *op, int count, char *word[])
{
	int at = skip_reason(count, word);
	struct flow *flow = &op->flow;
	const char *from, *to;

	if (at < count && isalpha((unsigned char)word[at][0]) && !strchr(word[at], ':') &&
	    !take_protocol(op, word[at++]))
		return false;
	if (at + 2 > count)
		return refuse(op, "missing words: FROM:PORT -> TO:PORT tcp|udp");
	from = word[at++];
	if (!strcmp(word[at], "->"))
		at++;
	to = at < count ? word[at++] : "";
	if (!take_flow_end(op, from, &flow->from, &flow->sport) ||
	    !take_flow_end(op, to, &flow->to, &flow->dport) || !same_family(op, from, to))
		return false;
	if (!flow->protocol && at == count)
		return refuse(op,
			      "missing protocol: tcp or udp, in front of the flow or behind it");
	if (!flow->protocol && !take_protocol(op, word[at++]))
		return false;
	if (!flow->dport && at == count)
		return refuse(op, "missing port of %.80s", to);
	if (!flow->dport && !value_service(op, word[at++], flow->protocol, &flow->dport))
		return false;
	return explain_options(op, without_remarks(count - at, word + at), word + at);
}

/* Of words that stand otherwise than they should. */
static bool missing_flow(struct op *op, int argc, char *const argv[])
{
	char *slash = argc == 3 ? strchr(argv[2], '/') : NULL;
	bool first = slash && isalpha((unsigned char)argv[2][0]);
	int i;

	for (i = 0; i < argc && strcmp(argv[i], "-"); i++)
		;
	if (i < argc)
		return refuse(op,
			      "a flow with -> goes in quotes: to the shell, > names a file to write");
	if (slash && first)
		return refuse(op, "missing words: did you mean \"%.*s %.80s\"?",
			      value_shown(argv[2], slash), argv[2], slash + 1);
	if (slash)
		return refuse(op, "missing words: did you mean \"%.80s %.*s\"?", slash + 1,
			      value_shown(argv[2], slash), argv[2]);
	return refuse(op, "missing words: FROM TO tcp|udp DPORT");
}

bool parse_explain(struct op *op, int argc, char *const argv[])
{
	struct flow *flow = &op->flow;
	char *word[FLOW_WORDS];
	int count;

	op_reset(op);
	if (argc && !strcmp(argv[0], "--all")) {	/* where options stand elsewhere */
		op->set = true;
		argc--;
		argv++;
	}
	count = split(argc, argv, word);
	if (is_shown_flow(count, word) && (argc == 1 || strcmp(argv[1], "-")))
		return shown_flow(op, count, word);
	if (argc < 4)
		return missing_flow(op, argc, argv);
	if (!value_whole_address(op, argv[0], &flow->from) ||
	    !value_whole_address(op, argv[1], &flow->to) || !same_family(op, argv[0], argv[1]))
		return false;
	if (is_one_of(protocols, argv[3]))
		return refuse(op, "unknown protocol \"%.80s\": did you mean \"%s %.80s\"?", argv[2],
			      argv[3], argv[2]);
	if (!take_protocol(op, argv[2]) ||
	    !value_service(op, argv[3], flow->protocol, &flow->dport))
		return false;
	return explain_options(op, argc - 4, argv + 4);
}

/* A number, or a duration, of one second at least. */
static bool are_seconds(struct op *op, const char *word, uint32_t max)
{
	return (value_number(word, strlen(word), max, &op->value) || value_duration(op, word)) &&
	       op->value && op->value <= max;
}

bool parse_confirm_within(struct op *op, const char *word, uint32_t *seconds)
{
	op_reset(op);
	if (are_seconds(op, word, NF_EDGE_CONFIRM_MAX)) {
		*seconds = op->value;
		return true;
	}
	return refuse(op,
		      "bad time to confirm in \"%.80s\" (seconds, or as in 5m, at most %d seconds)",
		      word, NF_EDGE_CONFIRM_MAX);
}

/* A file, and flags in front of it or behind: op->value has a bit for each of @flags. */
static bool file_and_flags(struct op *op, int argc, char *const argv[], const char *const flags[])
{
	int i;

	op_reset(op);
	for (; argc; argc--, argv++) {
		for (i = 0; flags[i] && strcmp(flags[i], *argv); i++)
			;
		if (flags[i] && op->value & 1u << i)
			return refuse(op, "\"%s\" is repeated", *argv);
		if (!flags[i] && is_option(*argv))
			return expected(op, *argv, flags);
		if (!flags[i] && op->text)
			return unexpected(op, *argv);
		if (flags[i])
			op->value |= 1u << i;
		else
			op->text = *argv;
	}
	return true;
}

bool parse_load(struct op *op, int argc, char *const argv[])
{
	/* in the order of LOAD_*; those that go with any change have been taken */
	static const char *const flags[] = { "--open", "--merge", "--dry-run", "--confirm", NULL };
	int i;

	for (i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "-f"))
			return refuse(op,
				      "unexpected word \"-f\": the file alone is enough (\"load FILE\")");
	}
	if (!file_and_flags(op, argc, argv, flags))
		return false;
	return op->text ? true : refuse(op, "missing file");
}

bool parse_check(struct op *op, int argc, char *const argv[])
{
	static const char *const flags[] = { "--enforced", NULL };

	if (!file_and_flags(op, argc, argv, flags))
		return false;
	op->set = op->value;
	return op->text ? true : refuse(op, "missing file");
}

bool parse_save(struct op *op, int argc, char *const argv[])
{
	static const char *const flags[] = { "--force", NULL };

	if (!file_and_flags(op, argc, argv, flags))
		return false;
	op->set = op->value;
	return true;
}

bool parse_undo(struct op *op, int argc, char *const argv[])
{
	static const char *const flags[] = { "--open", "--dry-run", "--confirm", NULL };

	if (!file_and_flags(op, argc, argv, flags))
		return false;
	return op->text ? unexpected(op, op->text) : true;
}

/* Any prefix may be asked about. */
static bool filter_prefix(struct op *op, const char *word, struct prefix *prefix)
{
	const char *end = word + strlen(word);

	return value_address(op, word, end, true, prefix) &&
	       value_no_host_bits(op, word, end, prefix);
}

/* @filters: only they may be here. */
static bool no_filter(struct op *op, const char *word, bool filters)
{
	static const char *const words[] = {
		"drops", "config", "reason", "row", "from", "to", NULL
	};

	return op->error[0] ? false : expected(op, word, words + (filters ? 2 : 0));
}

/* @drops: they were named, so that only filters may follow. */
static bool drop_filters(struct op *op, int argc, char *const argv[], bool drops)
{
	const char *reason = NULL, *row = NULL, *from = NULL, *to = NULL;
	char *const *first = argv;

	while (argc) {
		if (option(op, &argc, &argv, "reason", &reason)) {
			if (!value_listed(op, reason_names, "reason", reason,
					  reason + strlen(reason), &op->reasons))
				return false;
		} else if (option(op, &argc, &argv, "row", &row)) {
			if (!value_listed(op, row_names, "row", row, row + strlen(row), &op->mask))
				return false;
		} else if (option(op, &argc, &argv, "from", &from)) {
			if (!filter_prefix(op, from, &op->flow.from))
				return false;
		} else if (option(op, &argc, &argv, "to", &to)) {
			if (!filter_prefix(op, to, &op->flow.to))
				return false;
		} else {
			return no_filter(op, argv[0], drops || argv > first);
		}
	}
	return true;
}

bool parse_monitor(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	if (!argc)
		return true;
	if (!strcmp(argv[0], "config")) {
		op->value = 1;
		return argc > 1 ? unexpected(op, argv[1]) : true;
	}
	op->value = 2;	/* what may follow is about drops */
	if (strcmp(argv[0], "drops"))
		return drop_filters(op, argc, argv, false);
	return drop_filters(op, argc - 1, argv + 1, true);
}

bool parse_metrics(struct op *op, int argc, char *const argv[])
{
	const char *word = NULL;

	op_reset(op);
	while (option(op, &argc, &argv, "--partners", &word)) {
		if (!value_number(word, strlen(word), METRICS_PARTNERS_MAX, &op->value) ||
		    !op->value)
			return refuse(op, "bad number of partners \"%.80s\" (1 to %d)", word,
				      METRICS_PARTNERS_MAX);
	}
	if (op->error[0])
		return false;
	return argc ? unexpected(op, argv[0]) : true;
}

bool parse_report(struct op *op, int argc, char *const argv[])
{
	const char *word = NULL;

	op_reset(op);
	while (option(op, &argc, &argv, "since", &word)) {
		if (!value_duration(op, word))
			return false;
		op->set = true;
	}
	if (op->error[0])
		return false;
	if (argc && !op->set && value_is_duration(argv[0]))
		return lacks(op, argv[0], "since");
	return argc ? unexpected(op, argv[0]) : true;
}

bool parse_seconds(struct op *op, int argc, char *const argv[])
{
	op_reset(op);
	op->value = 1;
	if (!argc)
		return true;
	if (argc > 1)
		return unexpected(op, argv[1]);
	if (are_seconds(op, argv[0], 86400))
		return true;
	return refuse(op, "bad number of seconds \"%.80s\" (1 to 86400, or as in 5m)", argv[0]);
}
