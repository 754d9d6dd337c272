// SPDX-License-Identifier: GPL-2.0-only
/*
 * edgectl: shows and changes the policy of the nf_edge module
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "edgectl.h"

#define NETNS_DIRECTORY	"/var/run/netns"

static const struct command commands[] = {
	{ "status", "show", 0, "status", parse_nothing, cmd_status, NULL },
	{ "status", "list", 0, NULL, parse_nothing, cmd_status, NULL },

	{ "mode", NULL, 0, "mode [enforce|audit|off]",
	  parse_mode, cmd_mode, policy_mode },

	{ "unlisted", NULL, 0, "unlisted [drop|pass]",
	  parse_unlisted, cmd_unlisted, policy_unlisted },

	{ "interface", "list", 0, "interface list [ROLE]",
	  parse_role, cmd_interface_list, NULL },
	{ "interface", "show", 0, NULL, parse_role, cmd_interface_list, NULL },
	{ "interface", "add", 2, "interface add ROLE ADDRESS [dev NAME]",
	  parse_interface_add, cmd_interface_add, policy_interface },
	{ "interface", "del", 2, "interface del ROLE ADDRESS",
	  parse_interface_del, cmd_interface_del, NULL },
	{ "interface", "flush", 0, "interface flush [ROLE]",
	  parse_role, cmd_interface_flush, NULL },

	{ "partner", "list", 0, "partner list [group G] [name TEXT] [covers ADDRESS]",
	  parse_partner_list, cmd_partner_list, NULL },
	{ "partner", "show", 0, NULL, parse_partner_list, cmd_partner_list, NULL },
	{ "partner", "add", 1,
	  "partner add ADDRESS[/LEN]... [group GROUP[,GROUP]...] [name TEXT]",
	  parse_partner_add, cmd_partner_add, policy_partner },
	{ "partner", "del", 1,
	  "partner del ADDRESS[/LEN]... [group GROUP[,GROUP]...]",
	  parse_partner_del, cmd_partner_del, NULL },
	{ "partner", "flush", 0, "partner flush [group G]",
	  parse_partner_flush, cmd_partner_flush, NULL },

	{ "rule", "list", 0, "rule list [ROW]", parse_rows, cmd_rule_list, NULL },
	{ "rule", "show", 0, NULL, parse_rows, cmd_rule_list, NULL },
	{ "rule", "enable", 1, "rule enable ROW...",
	  parse_rule_enable, cmd_rule_enable, policy_rule_enable },
	{ "rule", "disable", 1, "rule disable ROW...",
	  parse_rule_disable, cmd_rule_enable, policy_rule_enable },
	{ "rule", "set", 3, "rule set ROW peers any|listed",
	  parse_rule_set, cmd_rule_set, policy_rule_set },

	{ "rtp", "show", 0, "rtp", parse_nothing, cmd_rtp, NULL },
	{ "rtp", "list", 0, NULL, parse_nothing, cmd_rtp, NULL },
	{ "rtp", "set", 1, "rtp set none|RANGE[,RANGE]...",
	  parse_rtp_set, cmd_rtp_set, policy_rtp_set },
	{ "rtp", "match", 1, "rtp match dst|src|either",
	  parse_rtp_match, cmd_rtp_match, policy_rtp_match },

	{ "explain", NULL, 4,
	  "explain FROM TO tcp|udp DPORT [sport N] [iif DEV] [oif DEV]",
	  parse_explain, cmd_explain, NULL },

	{ "stats", "show", 0, "stats", parse_nothing, cmd_stats, NULL },
	{ "stats", "list", 0, NULL, parse_nothing, cmd_stats, NULL },
	{ "stats", "reset", 0, "stats reset", parse_nothing, cmd_stats_reset, NULL },

	{ "check", NULL, 1, "check FILE|-", parse_word, cmd_check, NULL },
	{ "load", NULL, 1, "load FILE|-", parse_word, cmd_load, NULL },
	{ "save", NULL, 0, "save [FILE|-]", parse_word, cmd_save, NULL },
	{ "help", NULL, 0, "help [OBJECT]", parse_word, cmd_help, NULL },
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

/* ---- words -> command ---- */

static bool begins(const char *whole, const char *word)
{
	return *word && !strncmp(whole, word, strlen(word));
}

/* "list, show": the candidates for an ambiguous word. */
static void add_candidate(char *text, size_t size, const char *name)
{
	size_t length = strlen(text);

	snprintf(text + length, size - length, "%s%s", length ? ", " : "", name);
}

/* The first command of the object that @word names or abbreviates. */
static const struct command *find_object(struct op *op, const char *word)
{
	const struct command *found = NULL;
	char candidates[256] = "";
	int count = 0;
	size_t i;

	for (i = 0; i < COMMANDS; i++) {
		if (i && !strcmp(commands[i].object, commands[i - 1].object))
			continue;
		if (!strcmp(commands[i].object, word))
			return &commands[i];
		if (!begins(commands[i].object, word))
			continue;
		found = &commands[i];
		add_candidate(candidates, sizeof(candidates), found->object);
		count++;
	}
	if (count == 1)
		return found;
	if (count)
		refuse(op, "\"%.80s\" is ambiguous: %s", word, candidates);
	else
		refuse(op, "unknown object \"%.80s\" (see edgectl help)", word);
	return NULL;
}

/* Other spellings of one command do not make a word ambiguous. */
static const struct command *find_command(struct op *op, const struct command *object,
					  const char *word)
{
	const struct command *found = NULL, *at;
	char candidates[256] = "";
	bool ambiguous = false;

	for (at = object; at < commands + COMMANDS; at++) {
		if (strcmp(at->object, object->object))
			break;
		if (!strcmp(at->name, word))
			return at;
		if (!begins(at->name, word))
			continue;
		ambiguous |= found && found->parse != at->parse;
		found = at;
		add_candidate(candidates, sizeof(candidates), at->name);
	}
	if (found && !ambiguous)
		return found;
	if (found)
		refuse(op, "\"%s %.80s\" is ambiguous: %s", object->object, word, candidates);
	else
		refuse(op, "unknown command \"%s %.80s\" (see edgectl %s help)",
		       object->object, word, object->object);
	return NULL;
}

/* The synopsis of @command, which may be another spelling. */
static const char *usage_of(const struct command *command)
{
	while (!command->usage)
		command--;
	return command->usage;
}

const struct command *command_parse(struct op *op, int argc, char *const argv[])
{
	const struct command *command = find_object(op, argv[0]);
	int used = 1;

	if (command && command->name && argc > 1) {
		command = find_command(op, command, argv[1]);
		used = 2;
	}
	if (!command)
		return NULL;
	argc -= used;
	argv += used;
	if (argc < command->min) {
		refuse(op, "missing words: %s", usage_of(command));
		return NULL;
	}
	/* Only the parser knows which word is one too many. */
	return command->parse(op, argc, argv) ? command : NULL;
}

/* ---- help ---- */

static void print_usage(FILE *file)
{
	size_t i;

	fputs("Usage: edgectl [OPTIONS] OBJECT [COMMAND] [ARGUMENTS]\n\n", file);
	for (i = 0; i < COMMANDS; i++) {
		if (commands[i].usage)
			fprintf(file, "  edgectl %s\n", commands[i].usage);
	}
	fputs("\n"
	      "Options:\n"
	      "  -j, --json         JSON instead of text\n"
	      "  -p, --pretty       indented JSON\n"
	      "  -n, --netns NAME   in this network namespace, as ip netns names it\n"
	      "  -q, --quiet        what is there already, or gone already, is no error;\n"
	      "                     no warnings\n"
	      "  -V, --version      the version of edgectl\n"
	      "  -h, --help         this text\n\n", file);
	fputs("ROLE:   ", file);
	for (i = 0; role_names[i]; i++)
		fprintf(file, "%s%s", i ? " " : "", role_names[i]);
	fputs("\nGROUP:  ", file);
	for (i = 0; group_names[i]; i++)
		fprintf(file, "%s%s", i ? " " : "", group_names[i]);
	fputs("\nROW:    ", file);
	for (i = 0; row_names[i]; i++)
		fprintf(file, "%s%s", i == 0 ? "" : i % 4 ? " " : "\n        ",
			row_names[i]);
	fputs("\nRANGE:  PORT or FIRST-LAST\n\n"
	      "Objects and commands may be shortened while they are unambiguous.\n", file);
}

static void print_object(const struct command *object)
{
	const struct command *at;

	for (at = object; at < commands + COMMANDS; at++) {
		if (strcmp(at->object, object->object))
			break;
		if (at->usage)
			printf("%s edgectl %s\n", at == object ? "Usage:" : "      ", at->usage);
	}
}

int cmd_help(const struct options *options, struct op *op)
{
	const struct command *object;

	(void)options;
	if (!op->text) {
		print_usage(stdout);
		return EXIT_DONE;
	}
	object = find_object(op, op->text);
	if (!object)
		return misuse("%s", op->error);
	print_object(object);
	return EXIT_DONE;
}

static bool asks_help(int argc, char *const argv[])
{
	return argc == 2 && (!strcmp(argv[1], "help") || !strcmp(argv[1], "-h") ||
			     !strcmp(argv[1], "--help"));
}

/* ---- errors of the kernel ---- */

const char *sentence(const struct nl *nl, const char *noun, const char *name,
		     char text[ERROR_TEXT])
{
	const char *words = nl_error(nl)->text;
	size_t length = noun ? strlen(noun) : 0;

	if (length && *name && begins(words, noun) && words[length] == ' ')
		snprintf(text, ERROR_TEXT, "%s %s%s", noun, name, words + length);
	else
		snprintf(text, ERROR_TEXT, "%s", words);
	return text;
}

int report(const struct nl *nl, int result, const char *noun, const char *name)
{
	char text[ERROR_TEXT];

	return result ? fail("%s", sentence(nl, noun, name, text)) : EXIT_DONE;
}

/* ---- main ---- */

static int enter_netns(const char *name)
{
	char path[PATH_MAX];
	int fd, result;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ||
	    strlen(name) > NAME_MAX)
		return misuse("bad network namespace name \"%.80s\"", name);
	snprintf(path, sizeof(path), "%s/%s", NETNS_DIRECTORY, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail("network namespace \"%s\": %s", name, strerror(errno));
	result = setns(fd, CLONE_NEWNET);
	if (result)
		fail("network namespace \"%s\": %s", name, strerror(errno));
	close(fd);
	return result ? EXIT_REFUSED : EXIT_DONE;
}

static int run(const struct options *options, int argc, char *const argv[])
{
	const struct command *command;
	struct op op = { 0 };
	int result;

	if (asks_help(argc, argv)) {
		op.text = argv[0];
		return cmd_help(options, &op);
	}
	command = command_parse(&op, argc, argv);
	if (!command)
		result = misuse("%s", op.error);
	else
		result = options->netns ? enter_netns(options->netns) : EXIT_DONE;
	if (!result)
		result = command->run(options, &op);
	op_free(&op);
	return result;
}

static int bad_option(int option, char *const argv[])
{
	const char *word = argv[optind - 1];

	if (option == ':')
		return misuse("option \"%.80s\" needs a value", word);
	if (optopt && optopt < 0x80 && strncmp(word, "--", 2))
		return misuse("unknown option \"-%c\"", optopt);
	return misuse("unknown option \"%.80s\"", word);
}

/* Reads the options; -1: go on, otherwise the exit code. */
static int read_options(struct options *options, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "netns", required_argument, NULL, 'n' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:jpn:qVh", known, NULL)) != -1) {
		switch (option) {
		case 'j':
			options->json = true;
			break;
		case 'p':
			options->pretty = true;
			break;
		case 'n':
			options->netns = optarg;
			break;
		case 'q':
			options->quiet = true;
			break;
		case 'V':
			puts("edgectl " NF_EDGE_VERSION);
			return EXIT_DONE;
		case 'h':
			print_usage(stdout);
			return EXIT_DONE;
		default:
			return bad_option(option, argv);
		}
	}
	return -1;
}

int main(int argc, char *argv[])
{
	struct options options = { 0 };
	int result = read_options(&options, argc, argv);

	if (result < 0 && optind == argc) {
		print_usage(stderr);
		result = EXIT_MISUSED;
	}
	if (result < 0)
		result = run(&options, argc - optind, argv + optind);
	return out_finish(result);
}
