/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * topics: what help tells of a drop reason, a row, a group or a role, and an example of each
 * command.
 */
#ifndef EDGECTL_TOPICS_H
#define EDGECTL_TOPICS_H

/**
 * struct topic - a word of the policy
 * @kind: "reason", "row", "group" or "role"
 * @name: the word
 * @what: what it is; of a reason, edgectl(8) says it in these words
 * @when: when it is met
 * @remedy: what to do about it
 */
struct topic {
	const char *kind;
	const char *name;
	const char *what;
	const char *when;
	const char *remedy;
};

extern const struct topic topics[];	/* ends with one that has no kind */

/**
 * struct example - a command as it may be typed behind "edgectl"
 * @command: its object and its name, as the command table has them
 */
struct example {
	const char *command;
	const char *line;
};

extern const struct example examples[];	/* ends with one that has no command */

#endif
