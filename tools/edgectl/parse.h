/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parse: text becomes plain structs, and back.
 *
 * Knows neither netlink nor files. The words of a command line and the words
 * of a policy file's line go through the same functions.
 */
#ifndef EDGECTL_PARSE_H
#define EDGECTL_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nf_edge.h"

#define PREFIX_TEXT	64	/* bytes for a prefix as text, with NUL */
#define ERROR_TEXT	512	/* bytes for a refusal's sentence, with NUL */
#define GROUPS_TEXT	96	/* bytes for all groups, comma separated */
#define DEVICE_TEXT	16	/* bytes of a device's name, with NUL */

extern const char *const mode_names[];
extern const char *const unlisted_names[];
extern const char *const rtp_match_names[];
extern const char *const role_names[];
extern const char *const group_names[];
extern const char *const row_names[];
extern const char *const peers_names[];
extern const char *const reason_names[];
extern const char *const verdict_names[];
extern const char *const finding_names[];

/**
 * struct prefix - an address and a length; a host is full-length
 * @size: bytes of the address: 4 or 16
 * @len: leading bits that count
 * @bytes: network order, bytes beyond @size are zero
 */
struct prefix {
	uint8_t size;
	uint8_t len;
	uint8_t bytes[16];
};

/**
 * struct entry - a partner or an Edge address
 * @prefix: full-length for an Edge address
 * @mask: groups of a partner, roles of an Edge address, one bit each
 * @leaves: among partners to be added: this one goes when the others have come
 * @line: line of the policy file that last spoke of it, 0: none
 * @text: name of a partner, device of an Edge address, or NULL; "" in a change: no name any more
 * @domain: where a partner comes from, see struct domain; or NULL; "" in a change: from no domain
 * @packets: of a partner, as listed: those that came from its prefix
 * @idle: and seconds since the last one, or since the prefix came
 */
struct entry {
	struct prefix prefix;
	uint16_t mask;
	bool leaves;
	uint32_t line;
	char *text;
	char *domain;
	uint64_t packets;
	uint32_t idle;
};

/**
 * struct domain - a name that is looked up for partners, in lower case
 * @text: a DNS domain, or NF_EDGE_DOMAIN_HOST and the name of a host
 */
struct domain {
	char text[NF_EDGE_DOMAIN_MAX + 1];
};

/**
 * struct settings - the values that a policy has once
 * @given: which of them are meant, SETTING_*
 */
struct settings {
#define SETTING_MODE		(1 << 0)
#define SETTING_UNLISTED	(1 << 1)
#define SETTING_MATCH		(1 << 2)
#define SETTING_PORTS		(1 << 3)
	unsigned int given;
	uint32_t mode;
	uint32_t unlisted;
	uint32_t match;
	uint8_t ports[NF_EDGE_PORT_MAP_BYTES];
};

/**
 * struct flow - what explain asks about
 * @protocol: IP protocol number
 * @sport: 0: not given
 * @iif: NULL: not given
 * @oif: NULL: not given
 */
struct flow {
	struct prefix from;
	struct prefix to;
	uint32_t protocol;
	uint32_t dport;
	uint32_t sport;
	const char *iif;
	const char *oif;
};

/**
 * struct op - one command's arguments, understood
 * @set: @value was given; explain: --all was
 * @value: mode, unlisted, RTP match, peers, 0/1 for disable/enable, seconds, or for monitor
 *	1 (config) or 2 (drops)
 * @mask: roles, groups or rows, one bit each; 0: not given
 * @reasons: monitor, one bit each; 0: not given
 * @text: a partner's name ("": none any more), a device, a file, an object; points into the words
 * @file: of an import; a command that help is asked about; points into the words
 * @prefix: the addresses of the command, @count of them
 * @name: what stands in place of addresses, @names of them
 * @domain: where partners come from; empty: not given, or @own is
 * @own: what no domain has brought
 * @flow: explain; monitor: the ends, each a prefix or not given
 * @ports: rtp set
 * @error: why a parser returned false
 *
 * Zero it, let any number of parsers run on it, and end with op_free().
 */
struct op {
	bool set;
	uint32_t value;
	uint32_t mask;
	uint32_t reasons;
	const char *text;
	const char *file;
	size_t count;
	size_t room;
	struct prefix *prefix;
	size_t names;
	size_t name_room;
	struct domain *name;
	struct domain domain;
	bool own;
	struct flow flow;
	uint8_t ports[NF_EDGE_PORT_MAP_BYTES];
	char error[ERROR_TEXT];
};

typedef bool (*parse_fn)(struct op *op, int argc, char *const argv[]);

bool parse_nothing(struct op *op, int argc, char *const argv[]);
bool parse_word(struct op *op, int argc, char *const argv[]);
bool parse_help(struct op *op, int argc, char *const argv[]);
bool parse_mode(struct op *op, int argc, char *const argv[]);
bool parse_unlisted(struct op *op, int argc, char *const argv[]);
bool parse_role(struct op *op, int argc, char *const argv[]);
bool parse_interface_add(struct op *op, int argc, char *const argv[]);
bool parse_interface_del(struct op *op, int argc, char *const argv[]);
bool parse_partner_add(struct op *op, int argc, char *const argv[]);
bool parse_partner_del(struct op *op, int argc, char *const argv[]);
bool parse_partner_list(struct op *op, int argc, char *const argv[]);
bool parse_partner_flush(struct op *op, int argc, char *const argv[]);
bool parse_partner_refresh(struct op *op, int argc, char *const argv[]);
bool parse_partner_import(struct op *op, int argc, char *const argv[]);
bool parse_rows(struct op *op, int argc, char *const argv[]);
bool parse_rule_enable(struct op *op, int argc, char *const argv[]);
bool parse_rule_disable(struct op *op, int argc, char *const argv[]);
bool parse_rule_set(struct op *op, int argc, char *const argv[]);
bool parse_rtp_set(struct op *op, int argc, char *const argv[]);
bool parse_rtp_match(struct op *op, int argc, char *const argv[]);
bool parse_explain(struct op *op, int argc, char *const argv[]);
bool parse_load(struct op *op, int argc, char *const argv[]);
bool parse_monitor(struct op *op, int argc, char *const argv[]);
bool parse_seconds(struct op *op, int argc, char *const argv[]);

/*
 * Writes the refusal's sentence. It is false, and a macro so that those who read
 * the code by machine know that too.
 */
#define refuse(op, ...)	({ set_refusal(op, __VA_ARGS__); false; })

/* Refuses a word where none can be. */
bool unexpected(struct op *op, const char *word);
void set_refusal(struct op *op, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void op_free(struct op *op);

/**
 * struct words - a line's words; they point into the line
 */
struct words {
	char **word;
	int count;
	size_t room;
};

/*
 * Splits @line, which is overwritten, at blanks; "..." is one word, with \" and
 * \\ inside; # at a word's start begins a comment. False: op->error says why.
 */
bool parse_line(struct op *op, char *line, size_t length, struct words *words);

/*
 * Takes a line as large files have a million of: "partner add PREFIX group GROUPS" and perhaps a
 * name, one blank between, no quotes. False: it is another line, or there is something wrong with
 * it, which parse_line() and the command's parser find out. A third of their work.
 */
bool parse_plain_partner(struct op *op, const char *line, size_t length);

/*
 * A partner as lists have it: @word is an address, a prefix or a domain; without @group it is in
 * the groups of @mask; @name may be NULL.
 */
bool parse_partner(struct op *op, const char *word, const char *group, uint32_t mask,
		   const char *name);

/* A domain, which is put in lower case, or "host:" and a host's name. */
bool parse_domain(struct op *op, const char *word, struct domain *domain);

/* The kind of address that cannot be meant and covers all of @prefix, or NULL. */
const char *meaningless(const struct prefix *prefix);

/* One more than @count elements fit into the answer; NULL: out of memory. */
void *grow_list(void *list, size_t *room, size_t size);

static inline void *grow(void *list, size_t count, size_t *room, size_t size)
{
	return count < *room ? list : grow_list(list, room, size);
}

/* The order of listings: IPv4 first, by address, shorter first. As memcmp(). */
int prefix_compare(const struct prefix *a, const struct prefix *b);

/* The order of the kernel's listings: that, then by domain, none first. */
int entry_compare(const struct entry *a, const struct entry *b);

/* Bytes of the UTF-8 character at @text, which is not empty; 0: it is none. */
size_t utf8(const char *text, uint32_t *character);

/* Whether it is neither a control character nor one of NF_EDGE_UNSHOWN. */
bool is_shown(uint32_t character);

/* The first character that is not, or no UTF-8; NULL: there is none. */
const char *first_unshown(const char *text);

/* Whether all of @inner is in @outer. */
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);

/* With the length ("198.51.100.7/32"), or the address alone. */
const char *prefix_text(const struct prefix *prefix, char text[PREFIX_TEXT]);
const char *address_text(const struct prefix *prefix, char text[PREFIX_TEXT]);
const char *groups_text(uint32_t mask, char text[GROUPS_TEXT]);

/* The names whose bits are set, comma separated; @text has room for all of them. */
char *names_text(const char *const names[], uint32_t mask, char *text);

/* "50000-59999,61000", or "none", until the next call. */
const char *ports_text(const uint8_t ports[NF_EDGE_PORT_MAP_BYTES]);

#endif
