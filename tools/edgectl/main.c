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
#include "words.h"

#define NETNS_DIRECTORY	"/var/run/netns"

#define CHOICE	"[group GROUP[,GROUP]...] [domain DOMAIN] [name TEXT] [covers ADDRESS] " \
		"[idle DURATION]"

const struct command commands[] = {
	{ "status", "show", 0, "status",
	  "Versions, settings, counts and totals.",
	  parse_nothing, cmd_status, NULL, false },
	{ "status", "list", 0, NULL, NULL, parse_nothing, cmd_status, NULL, false },

	{ "mode", NULL, 0, "mode [enforce|audit|off]",
	  "Shows the mode, or sets it.",
	  parse_mode, cmd_mode, policy_mode, true },

	{ "unlisted", NULL, 0, "unlisted [drop|pass]",
	  "What becomes of traffic of an Edge address that no row covers: drop (the default), or pass, which leaves it to the rest of netfilter.",
	  parse_unlisted, cmd_unlisted, policy_unlisted, true },

	{ "interface", "list", 0, "interface list [ROLE]",
	  "The addresses of the Edge server.",
	  parse_role, cmd_interface_list, NULL, false },
	{ "interface", "show", 0, NULL, NULL, parse_role, cmd_interface_list, NULL, false },
	{ "interface", "add", 0, "interface add ROLE ADDRESS [dev NAME]",
	  "Adds a role to an address, which has no length.",
	  parse_interface_add, cmd_interface_add, policy_interface, true },
	{ "interface", "del", 0, "interface del ROLE ADDRESS",
	  "Takes the role from the address.",
	  parse_interface_del, cmd_interface_del, NULL, true },
	{ "interface", "flush", 0, "interface flush all|ROLE",
	  "Removes every Edge address, or takes a role from all of them; it is never abbreviated.",
	  parse_interface_flush, cmd_interface_flush, NULL, true },

	{ "partner", "list", 0,
	  "partner list " CHOICE " [sort address|packets|seen] [--csv]",
	  "The partners: all, or those of a group, from a domain, with a name (a part of it, or behind = all of it), covering an address, idle for a time, or all of that.",
	  parse_partner_list, cmd_partner_list, NULL, false },
	{ "partner", "show", 0, NULL, NULL, parse_partner_list, cmd_partner_list, NULL, false },
	{ "partner", "add", 1,
	  "partner add ADDRESS[/LEN]|DOMAIN... [group GROUP[,GROUP]...] [domain DOMAIN] [name TEXT]",
	  "Adds prefixes to groups, to federation when none is given.",
	  parse_partner_add, cmd_partner_add, policy_partner, true },
	{ "partner", "del", 1,
	  "partner del ADDRESS[/LEN]|DOMAIN... [group GROUP[,GROUP]...] [domain DOMAIN]",
	  "Removes partners, or takes them out of groups, and tells who still admits them.",
	  parse_partner_del, cmd_partner_del, NULL, true },
	{ "partner", "del", 1,
	  "partner del " CHOICE,
	  "The same of those that are chosen as in a list; there must be some.",
	  parse_partner_del, cmd_partner_del, NULL, true },
	{ "partner", "flush", 0,
	  "partner flush all",
	  "Removes every partner; it is never abbreviated.",
	  parse_partner_flush, cmd_partner_flush, NULL, true },
	{ "partner", "flush", 0,
	  "partner flush " CHOICE,
	  "Removes those that are chosen as in a list, if any, or takes them out of groups.",
	  parse_partner_flush, cmd_partner_flush, NULL, true },
	{ "partner", "refresh", 0, "partner refresh [DOMAIN]",
	  "Looks up again the domains that partners come from, or one of them, and shows what has changed.",
	  parse_partner_refresh, cmd_partner_refresh, NULL, true },
	{ "partner", "import", 1, "partner import FILE|- [group GROUP[,GROUP]...] [name TEXT]",
	  "Adds the partners of a list, all of them or none, and tells how many were not there.",
	  parse_partner_import, cmd_partner_import, NULL, true },

	{ "block", "list", 0, "block list [covers ADDRESS]",
	  "The prefixes that no row admits, with their ends and reasons.",
	  parse_block_list, cmd_block_list, NULL, false },
	{ "block", "show", 0, NULL, NULL, parse_block_list, cmd_block_list, NULL, false },
	{ "block", "add", 1,
	  "block add ADDRESS[/LEN]|DOMAIN... [name TEXT] [until DURATION|TIME] [reason TEXT]",
	  "Cuts prefixes off, in both directions and whatever admits them: addresses, those of a domain, or of the partners of a name.",
	  parse_block_add, cmd_block_add, policy_block, true },
	{ "block", "add", 1,
	  "block add name TEXT [until DURATION|TIME] [reason TEXT]",
	  "The same of the partners of a name alone: a part of it, or behind = all of it.",
	  parse_block_add, cmd_block_add, policy_block, true },
	{ "block", "del", 1, "block del ADDRESS[/LEN]|DOMAIN... [name TEXT]",
	  "Takes blocks away, and tells what still blocks them.",
	  parse_block_del, cmd_block_del, NULL, true },
	{ "block", "del", 1, "block del name TEXT",
	  "The same of the partners of a name alone.",
	  parse_block_del, cmd_block_del, NULL, true },
	{ "block", "flush", 0, "block flush all",
	  "Takes every block away; it is never abbreviated.",
	  parse_block_flush, cmd_block_flush, NULL, true },

	{ "rule", "list", 0, "rule list [ROW] [--csv]",
	  "The rows with their settings and counters.",
	  parse_rows, cmd_rule_list, NULL, false },
	{ "rule", "show", 0, NULL, NULL, parse_rows, cmd_rule_list, NULL, false },
	{ "rule", "enable", 1, "rule enable ROW...",
	  "Puts rows in force.",
	  parse_rule_enable, cmd_rule_enable, policy_rule_enable, true },
	{ "rule", "disable", 1, "rule disable ROW...",
	  "Takes rows out of force.",
	  parse_rule_disable, cmd_rule_enable, policy_rule_enable, true },
	{ "rule", "set", 3, "rule set ROW peers any|listed",
	  "Whether the row admits anybody, or only the partners of its group.",
	  parse_rule_set, cmd_rule_set, policy_rule_set, true },

	{ "rtp", "show", 0, "rtp",
	  "The ports of av-rtp-out and how they are matched.",
	  parse_nothing, cmd_rtp, NULL, false },
	{ "rtp", "list", 0, NULL, NULL, parse_nothing, cmd_rtp, NULL, false },
	{ "rtp", "set", 1, "rtp set none|RANGE[,RANGE]...",
	  "Replaces the ports.",
	  parse_rtp_set, cmd_rtp_set, policy_rtp_set, true },
	{ "rtp", "match", 1, "rtp match dst|src|either",
	  "The responder's port is among them (dst, the default); the initiator's is, and the responder's is 443 (src); or either.",
	  parse_rtp_match, cmd_rtp_match, policy_rtp_match, true },

	{ "explain", NULL, 1, "explain FROM TO tcp|udp DPORT [sport N] [iif DEV] [oif DEV] [--all]",
	  "The verdict on the first packet of such a flow, by the code that judges packets.",
	  parse_explain, cmd_explain, NULL, false },

	{ "stats", "show", 0, "stats [--csv]",
	  "The counters of rows and of drop reasons.",
	  parse_nothing, cmd_stats, NULL, false },
	{ "stats", "list", 0, NULL, NULL, parse_nothing, cmd_stats, NULL, false },
	{ "stats", "reset", 0, "stats reset",
	  "Lets all of them count from zero.",
	  parse_nothing, cmd_stats_reset, NULL, false },
	{ "stats", "watch", 0, "stats watch [SECONDS]",
	  "The counters again and again, every second or as many as are given (up to 86400), and how much they move in a second.",
	  parse_seconds, cmd_stats_watch, NULL, false },
	{ "stats", "--openmetrics", 0, "stats --openmetrics [--partners N]",
	  "Counters, settings and versions in OpenMetrics text format 1.0, for Prometheus and those who read like it; with --partners the counters of the N partners (up to 1000) with the most packets, too.",
	  parse_metrics, cmd_metrics, NULL, false },

	{ "doctor", NULL, 0, "doctor",
	  "What keeps the policy from doing its work, one line for each finding, with a remedy.",
	  parse_nothing, cmd_doctor, NULL, false },

	{ "monitor", NULL, 0,
	  "monitor [drops] [reason REASON[,REASON]...] [row ROW[,ROW]...] [from ADDRESS[/LEN]] [to ADDRESS[/LEN]]",
	  "Dropped packets and changes of the policy as they happen, each in a line.",
	  parse_monitor, cmd_monitor, NULL, false },
	{ "monitor", NULL, 0,
	  "monitor config",
	  "The changes alone.",
	  parse_monitor, cmd_monitor, NULL, false },

	{ "log", NULL, 0, "log",
	  "Writes drops and changes to the journal, or to syslog where there is none, and keeps the table of drops for report, until it is ended: what nf_edge-log.service does.",
	  parse_nothing, cmd_log, NULL, false },

	{ "report", NULL, 0, "report [since DURATION] [--csv]",
	  "Who was dropped, or in audit would have been, as nf_edge-log.service has it on record: the most packets first.",
	  parse_report, cmd_report, NULL, false },

	{ "check", NULL, 1, "check [--enforced] FILE|-",
	  "Reads a policy file and reports all that is wrong with it, at most 100 lines; with --enforced it is wrong, too, that it names no Edge address, unless it says \"mode off\".",
	  parse_check, cmd_check, NULL, false },

	{ "diff", NULL, 1, "diff FILE|-",
	  "What load would change, as commands without the word edgectl: done one after the other, they lead to the same policy.",
	  parse_word, cmd_diff, NULL, false },

	{ "load", NULL, 1, "load [--merge] [--open] FILE|-",
	  "Replaces the policy by what the file says, or with --merge does its commands to the policy in force, in one step; on any error nothing changes, nor where no Edge address would be left without --open or \"mode off\".",
	  parse_load, cmd_load, NULL, true },

	{ "confirm", NULL, 0, "confirm",
	  "The policy that a command with --confirm has put in force stays.",
	  parse_nothing, cmd_confirm, NULL, false },

	{ "revert", NULL, 0, "revert",
	  "The policy before comes back at once.",
	  parse_nothing, cmd_revert, NULL, true },

	{ "undo", NULL, 0, "undo [--open]",
	  "The policy before the last change comes back, and what that changes is shown; done again, it brings the change back; where no Edge address would be left, only with --open.",
	  parse_undo, cmd_undo, NULL, true },

	{ "save", NULL, 0, "save [--force] [FILE|-]",
	  "Prints the policy in force as a policy file, or writes it to FILE in one step, which keeps its mode, its owner and its comments; those that have no place any more are lost with --force only.",
	  parse_save, cmd_save, NULL, false },

	{ "help", NULL, 0, "help [OBJECT|REASON|ROW|GROUP|ROLE] [COMMAND]",
	  "The summary, the commands of an object, or one of them; or what a reason, a row, a group or a role is, and what to do about it.",
	  parse_help, cmd_help, NULL, false },
	{ 0 }
};

/* ---- words -> command ---- */

static bool begins(const char *whole, const char *word)
{
	return *word && !strncmp(whole, word, strlen(word));
}

/*
 * Policy files say "mo audit" since before there was a monitor, and scripts "lo FILE" since before
 * there was a log: an old word keeps its meaning.
 */
static bool names_object(const char *object, const char *word)
{
	static const char *const young[] = { "monitor", "log", "report" };
	size_t i;

	for (i = 0; i < sizeof(young) / sizeof(young[0]); i++) {
		if (!strcmp(object, young[i]) && strlen(word) < 3)
			return false;
	}
	return begins(object, word);
}

void append_word(char *list, size_t size, const char *between, const char *word)
{
	size_t length = strlen(list);

	snprintf(list + length, size - length, "%s%s", length ? between : "", word);
}

#define NAMES	64	/* of objects, or of an object's commands */

/* The names of all objects, or of the commands of one; as a list that ends with NULL. */
static const char *const *names_of(const struct command *object, const char *name[NAMES])
{
	const struct command *at;
	size_t count = 0;

	for (at = object ? object : commands; at->object && count < NAMES - 1; at++) {
		const char *one = object ? at->name : at->object;

		if (object && !command_is_of(at, object))
			break;
		if (one && !(object && !at->usage) && !(count && !strcmp(name[count - 1], one)))
			name[count++] = one;
	}
	name[count] = NULL;
	return name;
}

const struct command *command_object(struct op *op, const char *word)
{
	const struct command *found = NULL, *at;
	char candidates[256] = "", instead[WORDS_TEXT];
	const char *names[NAMES];
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
		refuse(op, "unknown object \"%.80s\"%s", word,
		       words_instead(names_of(NULL, names), word, strlen(word), "edgectl help",
				     instead));
	return NULL;
}

/* What begins as an address, or a domain. */
static bool is_address(const char *word)
{
	return (word[0] >= '0' && word[0] <= '9') || strpbrk(word, ".:");
}

#define UNKNOWN_COMMAND	"unknown command \"%s %.80s\""

static void unknown_command(struct op *op, const struct command *object, const char *word)
{
	const char *names[NAMES];
	char instead[WORDS_TEXT];

	if (word[0] == '-')
		unexpected(op, word);
	else if (is_address(word) && !strcmp(object->object, "interface"))
		refuse(op, UNKNOWN_COMMAND ": did you mean \"interface add ROLE %.80s\"?",
		       object->object, word, word);
	else if (is_address(word) && strcmp(object->object, "rule"))
		refuse(op, UNKNOWN_COMMAND ": did you mean \"%s add %.80s\"?",
		       object->object, word, object->object, word);
	else
		refuse(op, UNKNOWN_COMMAND "%s", object->object, word,
		       words_instead(names_of(object, names), word, strlen(word), NULL, instead));
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
		if (!found)	/* another synopsis of it may follow */
			found = at;
		append_word(candidates, sizeof(candidates), ", ", at->name);
	}
	if (found && !ambiguous)
		return found;
	if (found)
		refuse(op, "\"%s %.80s\" is ambiguous: %s", object->object, word, candidates);
	else
		unknown_command(op, object, word);
	return NULL;
}

/* ---- command lines of other tools ---- */

#define ADDS_A_FILE	"\"edgectl load FILE\" replaces the policy, " \
			"\"edgectl load --merge FILE\" does its commands to the one in force"
#define WHAT_TO_SHOW	"\"edgectl status\" shows the state, \"edgectl save\" the whole policy"
#define WHAT_TO_EMPTY	"what is to be emptied? (partner flush all, interface flush all, " \
			"block flush all)"
#define WHAT_TO_BLOCK	"did you mean \"block add ADDRESS\"?"
#define WHAT_TO_ADMIT	"did you mean \"partner add ADDRESS\"?"
#define WHAT_TO_REMOVE	"what is to go? (partner del, interface del, block del)"

/* The first word is a verb, as nft and ipset have it; and what is meant then. */
static const struct {
	const char *said;
	const char *meant;
} verbs[] = {
	{ "list", WHAT_TO_SHOW },
	{ "show", WHAT_TO_SHOW },
	{ "ls", WHAT_TO_SHOW },
	{ "flush", WHAT_TO_EMPTY },
	{ "clear", WHAT_TO_EMPTY },
	{ "add", "what is to be added? (partner add, interface add, block add)" },
	{ "del", WHAT_TO_REMOVE },
	{ "delete", WHAT_TO_REMOVE },
	{ "remove", WHAT_TO_REMOVE },
	{ "enable", "did you mean \"mode enforce\", or \"rule enable ROW\"?" },
	{ "disable", "did you mean \"mode off\", or \"rule disable ROW\"?" },
	{ "reset", "did you mean \"stats reset\"?" },
	{ "watch", "did you mean \"stats watch\", or \"monitor\"?" },
	{ "import", "did you mean \"partner import FILE\", or \"load FILE\"?" },
	{ "refresh", "did you mean \"partner refresh\"?" },
	{ "unblock", "did you mean \"block del ADDRESS\"?" },
	{ "ban", WHAT_TO_BLOCK },
	{ "deny", WHAT_TO_BLOCK },
	{ "drop", WHAT_TO_BLOCK },
	{ "reject", WHAT_TO_BLOCK },
	{ "allow", WHAT_TO_ADMIT },
	{ "accept", WHAT_TO_ADMIT },
	{ "permit", WHAT_TO_ADMIT },
	{ "start", "did you mean \"mode enforce\"?" },
	{ "stop", "did you mean \"mode off\"?" },
	{ "set", "what is to be set? (mode, unlisted, rtp set, rtp match, rule set)" },
	{ "metrics", "did you mean \"stats --openmetrics\"?" },
	{ "version", "did you mean \"--version\"?" },
};

bool is_object(const char *word, size_t length)
{
	const struct command *at;

	for (at = commands; at->object; at++) {
		if (strlen(at->object) == length && !strncmp(at->object, word, length))
			return true;
	}
	return false;
}

/* Whether it is a word of this kind, or means one to others. */
static const char *meant_by(const char *const names[], const char *word)
{
	const char *near[WORDS_NEAR];
	size_t i;

	for (i = 0; names[i]; i++) {
		if (!strcmp(names[i], word))
			return word;
	}
	return words_near(names, word, strlen(word), near) == 1 ? near[0] : NULL;
}

/* "add partner ...", where the object comes first. */
static bool is_reversed(struct op *op, int argc, char *const argv[])
{
	const char *names[NAMES], *object, *name;
	struct op other = { 0 };
	const struct command *at;
	char whole[256] = "";
	int i;

	object = argc > 1 ? meant_by(names_of(NULL, names), argv[1]) : NULL;
	at = object ? command_object(&other, object) : NULL;
	name = at && at->name ? meant_by(names_of(at, names), argv[0]) : NULL;
	if (!name)
		return false;
	append_word(whole, sizeof(whole), " ", object);
	append_word(whole, sizeof(whole), " ", name);
	for (i = 2; i < argc; i++)
		append_word(whole, sizeof(whole), " ", argv[i]);
	if (argc == 2 && !strcmp(name, "flush"))
		append_word(whole, sizeof(whole), " ", "all");
	op_refuse(op, "the object comes first: did you mean \"%s\"?", whole);
	return true;
}

/* Refuses what is no command of ours, but one of other tools. */
static bool is_habit(struct op *op, int argc, char *const argv[])
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].said, argv[0]))
			continue;
		if (argc > 1 && !strcmp(argv[1], "-f"))
			op_refuse(op, "unexpected word \"-f\": " ADDS_A_FILE);
		else if (!is_reversed(op, argc, argv))
			op_refuse(op, "unknown object \"%s\": %s", argv[0], verbs[i].meant);
		return true;
	}
	if (is_object(argv[0], strlen(argv[0])))
		return false;
	for (i = 0; mode_names[i]; i++) {
		if (!strcmp(mode_names[i], argv[0])) {
			op_refuse(op, "unknown object \"%s\": did you mean \"mode %s\"?", argv[0],
				  argv[0]);
			return true;
		}
	}
	return false;
}

/* What empties a list is asked for in full: two letters are a slip. */
static bool is_in_full(struct op *op, const struct command *command, int argc, char *const argv[])
{
	char whole[256] = "";
	int i;

	if (strcmp(command->name, "flush") ||
	    (!strcmp(argv[0], command->object) && !strcmp(argv[1], command->name)))
		return true;
	append_word(whole, sizeof(whole), " ", command->object);
	append_word(whole, sizeof(whole), " ", command->name);
	for (i = 2; i < argc; i++)
		append_word(whole, sizeof(whole), " ", argv[i]);
	if (argc == 2)
		append_word(whole, sizeof(whole), " ", "all");
	return refuse(op, "\"%.80s %.80s\": what empties a list is not abbreviated (edgectl %s)",
		      argv[0], argv[1], whole);
}

const struct command *command_parse(struct op *op, int argc, char *const argv[])
{
	const struct command *command;
	int used = 1;

	if (is_habit(op, argc, argv))
		return NULL;
	command = command_object(op, argv[0]);
	if (command && command->name && argc > 1) {
		command = command_find(op, command, argv[1]);
		used = 2;
		if (command && !is_in_full(op, command, argc, argv))
			return NULL;
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

bool command_shows(const struct command *command, const struct op *op)
{
	return !op->set && (command->run == cmd_mode || command->run == cmd_unlisted);
}

/* ---- errors of the kernel ---- */

const char *sentence(const struct nl *nl, const char *noun, const char *name,
		     char text[ERROR_TEXT])
{
	const char *words = nl_error(nl)->text;
	size_t length = noun ? strlen(noun) : 0;

	if (length && *name && begins(words, noun) && words[length] == ' ')
		snprintf(text, ERROR_TEXT, "%s %s%s", noun, name, words + length);
	else if (nl_error(nl)->code == EPERM && begins(words, "no Edge address"))
		snprintf(text, ERROR_TEXT, "%s (--open allows that)", words);
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

/*
 * Takes what is about any change, or any table, out of a command's words. How many are left; below
 * 0: refused.
 */
static int take_options(struct options *options, struct op *op, int argc, char *argv[])
{
	int kept = 1, i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--dry-run")) {
			options->dry_run = true;
		} else if (!strcmp(argv[i], "--csv")) {
			options->csv = true;
		} else if (!strcmp(argv[i], "--confirm")) {
			if (i + 1 == argc)
				op_refuse(op, "missing word after \"--confirm\"");
			else if (options->confirm)
				op_refuse(op, "\"--confirm\" is repeated");
			if (op->error[0] || !parse_confirm_within(op, argv[++i], &options->confirm))
				return -1;
		} else {
			argv[kept++] = argv[i];
		}
	}
	return kept;
}

/* Those that print no JSON, whatever they are asked. */
static bool prints_none(const struct command *command)
{
	static int (*const runs[])(const struct options *options, struct op *op) = {
		cmd_help, cmd_save, cmd_check, cmd_confirm, cmd_revert, cmd_stats_reset, cmd_log,
	};
	size_t i = 0;

	while (i < sizeof(runs) / sizeof(runs[0]) && runs[i] != command->run)
		i++;
	return i < sizeof(runs) / sizeof(runs[0]);
}

/* Whether what is asked for beside the command goes with it. */
static bool goes_with(struct op *op, const struct options *options, const struct command *command)
{
	const char *usage = command_usage(command)->usage;
	const bool named = command->name && strstr(usage, command->name);

	if (options->csv && !strstr(usage, "[--csv]"))
		return unexpected(op, "--csv");
	if (options->csv && options->json)
		return refuse(op, "--csv is another format than --json");
	if (options->json && prints_none(command) && !options->dry_run)
		return refuse(op, "--json means nothing to \"%s%s%s\", which prints no JSON",
			      command->object, named ? " " : "", named ? command->name : "");
	if (options->confirm && command->run == cmd_revert)
		return refuse(op, "--confirm: the policy that revert brings back needs none");
	if ((command->changes && !command_shows(command, op)) ||
	    !(options->dry_run || options->confirm))
		return true;
	return refuse(op, "%s is for what changes the policy, and \"%s%s%s\" does not",
		      options->dry_run ? "--dry-run" : "--confirm", command->object,
		      named ? " " : "", named ? command->name : "");
}

static int run(struct options *options, int argc, char *argv[])
{
	const struct command *command;
	struct op op = { 0 };
	int result;

	if (asks_help(argc, argv)) {
		op.text = argv[0];
		op.file = argc > 2 ? argv[1] : NULL;
		return cmd_help(options, &op);
	}
	argc = take_options(options, &op, argc, argv);
	command = argc > 0 ? command_parse(&op, argc, argv) : NULL;
	if (!command || !goes_with(&op, options, command)) {
		result = misuse("%s", op.error);
	} else {
		result = options->netns ? enter_netns(options->netns) : EXIT_DONE;
		if (!result)
			result = command->run(options, &op);
	}
	op_free(&op);
	return result;
}

#define SHORT_OPTIONS	"+:jpn:qVh"
enum { COMPLETE = 1, DRY_RUN, CONFIRM };	/* no letters */

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "pretty", no_argument, NULL, 'p' },
	{ "netns", required_argument, NULL, 'n' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ "dry-run", no_argument, NULL, DRY_RUN },
	{ "confirm", required_argument, NULL, CONFIRM },
	{ "complete", no_argument, NULL, COMPLETE },	/* for shells: told to nobody */
	{ NULL, 0, NULL, 0 },
};

static int bad_option(int option, char *const argv[])
{
	const char *word = argv[optind - 1], *names[sizeof(long_options) / sizeof(long_options[0])];
	char dashed[sizeof(names) / sizeof(names[0])][16], instead[WORDS_TEXT];
	size_t count = 0;

	if (option == ':')
		return misuse("missing word after \"%.80s\"", word);
	if (optopt == 'f')
		return misuse("unknown option \"-f\": " ADDS_A_FILE);
	if (optopt && optopt < 0x80 && strncmp(word, "--", 2))
		return misuse("unknown option \"-%c\" (see edgectl help)", optopt);
	for (; long_options[count].val != COMPLETE; count++) {
		snprintf(dashed[count], sizeof(dashed[count]), "--%s", long_options[count].name);
		names[count] = dashed[count];
	}
	names[count] = NULL;
	words_instead(names, word, strcspn(word, "="), "edgectl help", instead);
	return misuse("unknown option \"%.80s\"%s", word, instead);
}

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
	struct op op = { 0 };
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
		case DRY_RUN:
			options->dry_run = true;
			break;
		case CONFIRM:
			if (!parse_confirm_within(&op, optarg, &options->confirm))
				return misuse("%s", op.error);
			break;
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
	char status[] = "status", *state[] = { status, NULL };
	struct options options = { 0 };
	int result;

	out_begin();
	result = read_options(&options, argc, argv);
	if (!options.quiet && !options.json)
		out_progress_allow();
	if (result < 0 && optind == argc)
		result = run(&options, 1, state);
	else if (result < 0)
		result = run(&options, argc - optind, argv + optind);
	return out_finish(result);
}
