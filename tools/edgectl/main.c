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

const struct command commands[] = {
	{ "status", "show", 0, "status",
	  "Versions, settings, counts and totals.",
	  parse_nothing, cmd_status, NULL },
	{ "status", "list", 0, NULL, NULL, parse_nothing, cmd_status, NULL },

	{ "mode", NULL, 0, "mode [enforce|audit|off]",
	  "Shows the mode, or sets it.",
	  parse_mode, cmd_mode, policy_mode },

	{ "unlisted", NULL, 0, "unlisted [drop|pass]",
	  "What becomes of traffic of an Edge address that no row covers: drop (the default), or pass, which leaves it to the rest of netfilter.",
	  parse_unlisted, cmd_unlisted, policy_unlisted },

	{ "interface", "list", 0, "interface list [ROLE]",
	  "The addresses of the Edge server.",
	  parse_role, cmd_interface_list, NULL },
	{ "interface", "show", 0, NULL, NULL, parse_role, cmd_interface_list, NULL },
	{ "interface", "add", 2, "interface add ROLE ADDRESS [dev NAME]",
	  "Adds a role to an address, which has no length.",
	  parse_interface_add, cmd_interface_add, policy_interface },
	{ "interface", "del", 2, "interface del ROLE ADDRESS",
	  "Takes the role from the address.",
	  parse_interface_del, cmd_interface_del, NULL },
	{ "interface", "flush", 0, "interface flush [ROLE]",
	  "Takes a role from all addresses; without a role, removes every Edge address.",
	  parse_role, cmd_interface_flush, NULL },

	{ "partner", "list", 0,
	  "partner list [group GROUP[,GROUP]...] [domain DOMAIN] [name TEXT] [covers ADDRESS] [idle DURATION]",
	  "The partners: all, or those of a group, from a domain, of a name, covering an address, or idle for a time.",
	  parse_partner_list, cmd_partner_list, NULL },
	{ "partner", "show", 0, NULL, NULL, parse_partner_list, cmd_partner_list, NULL },
	{ "partner", "add", 1,
	  "partner add ADDRESS[/LEN]|DOMAIN... [group GROUP[,GROUP]...] [domain DOMAIN] [name TEXT]",
	  "Adds prefixes to groups, to federation when none is given.",
	  parse_partner_add, cmd_partner_add, policy_partner },
	{ "partner", "del", 1,
	  "partner del ADDRESS[/LEN]|DOMAIN... [group GROUP[,GROUP]...] [domain DOMAIN]",
	  "Removes partners, or takes them out of groups.",
	  parse_partner_del, cmd_partner_del, NULL },
	{ "partner", "flush", 0, "partner flush [group GROUP[,GROUP]...]",
	  "Removes every partner, or empties a group.",
	  parse_partner_flush, cmd_partner_flush, NULL },
	{ "partner", "refresh", 0, "partner refresh [DOMAIN]",
	  "Looks up again the domains that partners come from, or one of them, and shows what has changed.",
	  parse_partner_refresh, cmd_partner_refresh, NULL },
	{ "partner", "import", 1, "partner import FILE|- [group GROUP[,GROUP]...] [name TEXT]",
	  "Adds the partners of a list, all of them or none, and tells how many were not there.",
	  parse_partner_import, cmd_partner_import, NULL },

	{ "rule", "list", 0, "rule list [ROW]",
	  "The rows with their settings and counters.",
	  parse_rows, cmd_rule_list, NULL },
	{ "rule", "show", 0, NULL, NULL, parse_rows, cmd_rule_list, NULL },
	{ "rule", "enable", 1, "rule enable ROW...",
	  "Puts rows in force.",
	  parse_rule_enable, cmd_rule_enable, policy_rule_enable },
	{ "rule", "disable", 1, "rule disable ROW...",
	  "Takes rows out of force.",
	  parse_rule_disable, cmd_rule_enable, policy_rule_enable },
	{ "rule", "set", 3, "rule set ROW peers any|listed",
	  "Whether the row admits anybody, or only the partners of its group.",
	  parse_rule_set, cmd_rule_set, policy_rule_set },

	{ "rtp", "show", 0, "rtp",
	  "The ports of av-rtp-out and how they are matched.",
	  parse_nothing, cmd_rtp, NULL },
	{ "rtp", "list", 0, NULL, NULL, parse_nothing, cmd_rtp, NULL },
	{ "rtp", "set", 1, "rtp set none|RANGE[,RANGE]...",
	  "Replaces the ports.",
	  parse_rtp_set, cmd_rtp_set, policy_rtp_set },
	{ "rtp", "match", 1, "rtp match dst|src|either",
	  "The responder's port is among them (dst, the default); the initiator's is, and the responder's is 443 (src); or either.",
	  parse_rtp_match, cmd_rtp_match, policy_rtp_match },

	{ "explain", NULL, 4, "explain FROM TO tcp|udp DPORT [sport N] [iif DEV] [oif DEV] [--all]",
	  "The verdict on the first packet of such a flow, by the code that judges packets.",
	  parse_explain, cmd_explain, NULL },

	{ "stats", "show", 0, "stats",
	  "The counters of rows and of drop reasons.",
	  parse_nothing, cmd_stats, NULL },
	{ "stats", "list", 0, NULL, NULL, parse_nothing, cmd_stats, NULL },
	{ "stats", "reset", 0, "stats reset",
	  "Lets all of them count from zero.",
	  parse_nothing, cmd_stats_reset, NULL },
	{ "stats", "watch", 0, "stats watch [SECONDS]",
	  "The counters again and again, every second or as many as are given (up to 86400), and how much they move in a second.",
	  parse_seconds, cmd_stats_watch, NULL },
	{ "stats", "--openmetrics", 0, "stats --openmetrics",
	  "Counters, settings and versions in OpenMetrics text format 1.0, for Prometheus and those who read like it.",
	  parse_nothing, cmd_metrics, NULL },

	{ "doctor", NULL, 0, "doctor",
	  "What keeps the policy from doing its work, one line for each finding, with a remedy.",
	  parse_nothing, cmd_doctor, NULL },

	{ "monitor", NULL, 0,
	  "monitor [drops] [reason REASON[,REASON]...] [row ROW[,ROW]...] [from ADDRESS[/LEN]] [to ADDRESS[/LEN]]",
	  "Dropped packets and changes of the policy as they happen, each in a line.",
	  parse_monitor, cmd_monitor, NULL },
	{ "monitor", NULL, 0,
	  "monitor config",
	  "The changes alone.",
	  parse_monitor, cmd_monitor, NULL },

	{ "check", NULL, 1, "check FILE|-",
	  "Reads a policy file and reports all that is wrong with it, at most 100 lines.",
	  parse_word, cmd_check, NULL },

	{ "diff", NULL, 1, "diff FILE|-",
	  "What load would change, as commands without the word edgectl: done one after the other, they lead to the same policy.",
	  parse_word, cmd_diff, NULL },

	{ "load", NULL, 1, "load [--confirm SECONDS] FILE|-",
	  "Replaces the policy by what the file says, in one step; on any error nothing changes.",
	  parse_load, cmd_load, NULL },

	{ "confirm", NULL, 0, "confirm",
	  "The policy that was loaded with --confirm stays.",
	  parse_nothing, cmd_confirm, NULL },

	{ "revert", NULL, 0, "revert",
	  "The policy before comes back at once.",
	  parse_nothing, cmd_revert, NULL },

	{ "save", NULL, 0, "save [FILE|-]",
	  "Prints the policy in force as a policy file, or writes it to FILE in one step.",
	  parse_word, cmd_save, NULL },

	{ "help", NULL, 0, "help [OBJECT] [COMMAND]",
	  "The summary, the commands of an object, or one of them.",
	  parse_help, cmd_help, NULL },
	{ 0 }
};

/* ---- words -> command ---- */

static bool begins(const char *whole, const char *word)
{
	return *word && !strncmp(whole, word, strlen(word));
}

/* Policy files say "mo audit" since before there was a monitor: an old word keeps its meaning. */
static bool names_object(const char *object, const char *word)
{
	return begins(object, word) && (strcmp(object, "monitor") || strlen(word) > 2);
}

void append_word(char *list, size_t size, const char *between, const char *word)
{
	size_t length = strlen(list);

	snprintf(list + length, size - length, "%s%s", length ? between : "", word);
}

const struct command *command_object(struct op *op, const char *word)
{
	const struct command *found = NULL, *at;
	char candidates[256] = "";
	int count = 0;

	for (at = commands; at->object; at++) {
		if (at > commands && !strcmp(at->object, at[-1].object))
			continue;
		if (!strcmp(at->object, word))
			return at;
		if (!names_object(at->object, word))
			continue;
		found = at;
		append_word(candidates, sizeof(candidates), ", ", found->object);
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
const struct command *command_find(struct op *op, const struct command *object,
				   const char *word)
{
	const struct command *found = NULL, *at;
	char candidates[256] = "";
	bool ambiguous = false;

	for (at = object; command_is_of(at, object); at++) {
		if (!at->name)
			continue;
		if (!strcmp(at->name, word))
			return at;
		if (!begins(at->name, word))
			continue;
		ambiguous |= found && found->parse != at->parse;
		found = at;
		append_word(candidates, sizeof(candidates), ", ", at->name);
	}
	if (found && !ambiguous)
		return found;
	if (found)
		refuse(op, "\"%s %.80s\" is ambiguous: %s", object->object, word, candidates);
	else if (word[0] == '-')
		unexpected(op, word);
	else
		refuse(op, "unknown command \"%s %.80s\" (see edgectl %s help)",
		       object->object, word, object->object);
	return NULL;
}

const struct command *command_parse(struct op *op, int argc, char *const argv[])
{
	const struct command *command = command_object(op, argv[0]);
	int used = 1;

	if (command && command->name && argc > 1) {
		command = command_find(op, command, argv[1]);
		used = 2;
	}
	if (!command)
		return NULL;
	argc -= used;
	argv += used;
	if (argc < command->min) {
		refuse(op, "missing words: %s", command_usage(command)->usage);
		return NULL;
	}
	/* Only the parser knows which word is one too many. */
	return command->parse(op, argc, argv) ? command : NULL;
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

static bool is_help(const char *word)
{
	return !strcmp(word, "-h") || !strcmp(word, "--help");
}

/* Behind an object or a command; further on, it may be anybody's name. */
static bool asks_help(int argc, char *const argv[])
{
	return (argc == 2 && (is_help(argv[1]) || !strcmp(argv[1], "help"))) ||
	       (argc == 3 && is_help(argv[2]) && !is_help(argv[1]));
}

static int run(const struct options *options, int argc, char *const argv[])
{
	const struct command *command;
	struct op op = { 0 };
	int result;

	if (asks_help(argc, argv)) {
		op.text = argv[0];
		op.file = argc > 2 ? argv[1] : NULL;
		return cmd_help(options, &op);
	}
	command = command_parse(&op, argc, argv);
	if (!command) {
		result = misuse("%s", op.error);
	} else {
		result = options->netns ? enter_netns(options->netns) : EXIT_DONE;
		if (!result)
			result = command->run(options, &op);
	}
	op_free(&op);
	return result;
}

static int bad_option(int option, char *const argv[])
{
	const char *word = argv[optind - 1];

	if (option == ':')
		return misuse("missing word after \"%.80s\"", word);
	if (optopt && optopt < 0x80 && strncmp(word, "--", 2))
		return misuse("unknown option \"-%c\"", optopt);
	return misuse("unknown option \"%.80s\"", word);
}

#define SHORT_OPTIONS	"+:jpn:qVh"
#define COMPLETE	1	/* no letter */

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "pretty", no_argument, NULL, 'p' },
	{ "netns", required_argument, NULL, 'n' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ "complete", no_argument, NULL, COMPLETE },
	{ NULL, 0, NULL, 0 },
};

/* For the shells: what may stand in place of the last of these words, the first being our own. */
static int complete(int argc, char *argv[])
{
	const char *begun = argv[--argc];
	int option, result = EXIT_DONE;

	if (!argc)
		return EXIT_DONE;
	optind = 0;	/* anew */
	while (!result) {
		option = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL);
		if (option == -1)
			break;
		if (option == ':')
			complete_names(NETNS_DIRECTORY, begun);
		if (option == ':' || option == '?')
			return EXIT_DONE;
		if (option == 'n')
			result = enter_netns(optarg);
	}
	if (!result && optind == argc && *begun == '-')
		complete_options(long_options, begun);
	else if (!result)
		complete_words(argc - optind, argv + optind, begun);
	return result;
}

/* Reads the options; -1: go on, otherwise the exit code. */
static int read_options(struct options *options, int argc, char *argv[])
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1) {
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
			help_summary(stdout);
			return EXIT_DONE;
		case COMPLETE:
			return complete(argc - optind + 1, argv + optind - 1);
		default:
			return bad_option(option, argv);
		}
	}
	return -1;
}

int main(int argc, char *argv[])
{
	struct options options = { 0 };
	int result;

	out_begin();
	result = read_options(&options, argc, argv);
	if (result < 0 && optind == argc) {
		help_summary(stderr);
		result = EXIT_MISUSED;
	}
	if (!options.quiet && !options.json)
		out_progress_allow();
	if (result < 0)
		result = run(&options, argc - optind, argv + optind);
	return out_finish(result);
}
