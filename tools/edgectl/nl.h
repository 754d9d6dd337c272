/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nl: the kernel behind plain functions.
 *
 * Every function returns 0, or -1 and leaves the reason in the handle: see
 * nl_error(). Lists are the caller's to free.
 */
#ifndef EDGECTL_NL_H
#define EDGECTL_NL_H

#include "parse.h"

struct nl;

/**
 * struct nl_error - why the kernel refused
 * @code: errno, positive
 * @entry: index of the entry that is to blame, or NL_NO_ENTRY
 * @text: the kernel's sentence or our own
 */
struct nl_error {
#define NL_NO_ENTRY	((size_t)-1)
	int code;
	size_t entry;
	char text[256];
};

/**
 * struct status - the policy in force at a glance
 * @uptime: seconds since it last changed
 * @changed: when that was, seconds since 1970
 * @left: seconds to confirm it in; negative: it does not wait for that
 */
struct status {
	char version[64];
	struct settings settings;
	uint32_t generation;
	uint32_t interfaces;
	uint32_t partners;
	uint32_t blocks;
	uint64_t uptime;
	uint64_t changed;
	int left;
};

struct rule {
	uint32_t row;
	char class[16];
	char from[16];
	char to[16];
	uint32_t protocol;
	uint32_t dport;
	uint32_t peers;
	uint32_t enabled;
	uint64_t packets;
	uint64_t bytes;
	uint64_t flows;
};

struct drop {
	uint32_t reason;
	uint64_t packets;
	uint64_t bytes;
};

/**
 * struct partner_filter - of all partners those that are all of this
 * @groups: in one of them; 0: in any
 * @name: called so, or NULL
 * @domain: coming from there, or NULL; "": from whichever
 * @covers: covering the address, or NULL or empty
 * @idle: for so many seconds, or longer
 */
struct partner_filter {
	uint32_t groups;
	const char *name;
	const char *domain;
	const struct prefix *covers;
	uint32_t idle;
};

/**
 * struct rule_change - what to make of a row; negative: leave it
 */
struct rule_change {
	uint32_t row;
	int enabled;
	int peers;
};

/**
 * struct verdict - the answer to explain; row and reason negative: none
 * @findings: what each row makes of it, enum nf_edge_finding
 */
struct verdict {
	uint32_t verdict;
	uint32_t mode;
	int row;
	int reason;
	uint32_t findings[NF_EDGE_ROW_COUNT];
};

/* Never NULL; when it could not be opened, every call on it fails. */
struct nl *nl_attach(void);
void nl_detach(struct nl *nl);
/* Every call fails from now on, with the last one's reason. */
void nl_hang_up(struct nl *nl);
const struct nl_error *nl_error(const struct nl *nl);

int nl_status(struct nl *nl, struct status *status);
int nl_set(struct nl *nl, const struct settings *settings);

/* @role is a bit of entry->mask; entry->text the device or NULL. */
int nl_interface_add(struct nl *nl, const struct entry *entry, uint32_t role,
		     bool tolerant);
int nl_interface_del(struct nl *nl, const struct entry *entry, uint32_t role,
		     bool tolerant);
/* @roles: 0 or one bit: all, or that role's. */
int nl_interface_flush(struct nl *nl, uint32_t roles);
int nl_interfaces(struct nl *nl, uint32_t roles, struct entry **list, size_t *count);

/* All in one step; who leaves stands behind those who come. */
int nl_partner_add(struct nl *nl, const struct entry *list, size_t count, bool tolerant);
int nl_partner_del(struct nl *nl, const struct entry *list, size_t count, bool tolerant);
/* Many messages; only for use inside a transaction. What is there already is no error. */
extern void (*nl_progress)(const char *what, size_t done);	/* of staging; may be NULL */
int nl_partner_stage(struct nl *nl, const struct entry *list, size_t count);
int nl_partner_flush(struct nl *nl, uint32_t groups);
/* A filter of zeroes takes all. */
int nl_partners(struct nl *nl, const struct partner_filter *filter, struct entry **list,
		size_t *count);
/*
 * The same, as they come: @take has NL_LONG_LIST of them at a time, and the rest, if only none,
 * when there are no @more. Whom it has, a change of the policy cannot mend any more: that is an
 * error.
 */
#define NL_LONG_LIST	4096
typedef void nl_take_entries(void *context, const struct entry *list, size_t count, bool more);
int nl_partners_take(struct nl *nl, const struct partner_filter *filter, nl_take_entries *take,
		     void *context);
void entries_free(struct entry *list, size_t count);

/* Blocked prefixes: all in one step. */
int nl_block_add(struct nl *nl, const struct entry *list, size_t count, bool tolerant);
int nl_block_del(struct nl *nl, const struct entry *list, size_t count, bool tolerant);
int nl_block_flush(struct nl *nl);
/* @covers: only those that cover the address; may be NULL or empty. */
int nl_blocks(struct nl *nl, const struct prefix *covers, struct entry **list, size_t *count);

int nl_rules(struct nl *nl, struct rule **list, size_t *count);
int nl_rule_set(struct nl *nl, const struct rule_change *list, size_t count);
int nl_drops(struct nl *nl, struct drop **list, size_t *count);
int nl_stats_reset(struct nl *nl);
int nl_explain(struct nl *nl, const struct flow *flow, struct verdict *verdict);

/**
 * struct change - a change of the policy in force, as it was asked for
 * @command: enum nf_edge_cmd, what made it
 * @generation: of the policy, afterwards; @interfaces, @partners and @blocks likewise
 * @entries: partners, blocks or rows that were asked for, as it is told; no more than that
 * @left: seconds to confirm the policy in; negative: it does not wait for that
 * @settings: those given
 * @roles: of an Edge address, or of those that are gone; 0: not given
 * @groups: to be left by all partners; 0: not given
 * @interface: an Edge address, its text the device
 * @list: partners or blocks, @count of them; may be fewer than @entries, or none
 * @rules: rows, @rule_count of them; likewise
 * @process: who asked for it, whatever that calls itself; "": the module did it by itself, or does
 *	not tell
 * @pid: its number; @user and @login: its user and who had logged in, negative: not known
 */
struct change {
	uint32_t command;
	uint32_t generation;
	uint32_t interfaces;
	uint32_t partners;
	uint32_t blocks;
	uint32_t entries;
	int64_t left;
	struct settings settings;
	uint32_t roles;
	uint32_t groups;
	struct entry interface;
	struct entry *list;
	size_t count;
	size_t room;
	struct rule_change *rules;
	size_t rule_count;
	size_t rule_room;
	char process[NF_EDGE_PROCESS_MAX + 1];
	uint32_t pid;
	int64_t user;
	int64_t login;
};

/**
 * struct dropped - a packet that was dropped, or in audit would have been
 * @left_out: how many of that reason were not told since the last that was
 * @flow: who opened it; size, protocol or port 0, device NULL: not known
 * @reply: the packet went from @flow.to to @flow.from
 * @row: the first that would have had to admit it, or negative
 */
struct dropped {
	uint32_t reason;
	uint32_t mode;
	uint32_t left_out;
	struct flow flow;
	bool reply;
	int row;
};

/**
 * struct event - what happened; zero it
 * @kind: which of the two, or that some were lost, that the module has been unloaded, after which
 *	none comes, or that it is none to be told
 * @text: storage of the devices' names
 */
struct event {
	enum { EVENT_NONE, EVENT_CHANGE, EVENT_DROP, EVENT_LOST, EVENT_UNLOADED } kind;
	struct change change;
	struct dropped dropped;
	char text[2][DEVICE_TEXT];
};

#define LISTEN_CONFIG	(1 << 0)
#define LISTEN_DROPS	(1 << 1)

/* Joins the groups, the family controller's last. The handle is then for nl_event() only. */
int nl_listen(struct nl *nl, unsigned int groups);
/* What poll() is to wait for. */
int nl_fd(const struct nl *nl);
/* Takes one; waits for none. 1: there was none. */
int nl_event(struct nl *nl, struct event *event);
void event_free(struct event *event);

/*
 * Changes of partners, commits and undoing are refused (ESTALE) when another generation is in
 * force; 0: they are not.
 */
void nl_based_on(struct nl *nl, uint32_t generation);
/* @copy: the transaction starts out as the policy in force. */
int nl_begin(struct nl *nl, bool copy);
/* Whether a transaction has been begun. */
bool nl_begun(const struct nl *nl);
/* Whether what is read is the transaction's from now on. */
void nl_read_staged(struct nl *nl, bool staged);
/* @seconds: the policy before comes back after so many, unless confirmed; 0: never. */
int nl_commit(struct nl *nl, uint32_t seconds);
/* A commit may leave no Edge address where there are some. */
void nl_allow_open(struct nl *nl);
/* The policy before the last change comes back. */
int nl_undo(struct nl *nl);
int nl_confirm(struct nl *nl);
int nl_revert(struct nl *nl);

#endif
