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

extern const char *const mode_names[];
extern const char *const unlisted_names[];
extern const char *const rtp_match_names[];
extern const char *const role_names[];
extern const char *const group_names[];
extern const char *const row_names[];
extern const char *const peers_names[];
extern const char *const reason_names[];
extern const char *const verdict_names[];

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
 * @line: line of the policy file that last spoke of it, 0: none
 * @text: name of a partner, device of an Edge address, or NULL
 */
struct entry {
	struct prefix prefix;
	uint32_t mask;
	uint32_t line;
	char *text;
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
 * @set: @value was given
 * @value: mode, unlisted, RTP match, peers, or 0/1 for disable/enable
 * @mask: roles, groups or rows, one bit each; 0: not given
 * @text: a partner's name, a device, a file, an object; points into the words
 * @prefix: the addresses of the command, @count of them
 * @flow: explain
 * @ports: rtp set
 * @error: why a parser returned false
 *
 * Zero it, let any number of parsers run on it, and end with op_free().
 */
struct op {
	bool set;
	uint32_t value;
	uint32_t mask;
	const char *text;
	size_t count;
	size_t room;
	struct prefix *prefix;
	struct flow flow;
	uint8_t ports[NF_EDGE_PORT_MAP_BYTES];
	char error[ERROR_TEXT];
};

typedef bool (*parse_fn)(struct op *op, int argc, char *const argv[]);

bool parse_nothing(struct op *op, int argc, char *const argv[]);
bool parse_word(struct op *op, int argc, char *const argv[]);
bool parse_mode(struct op *op, int argc, char *const argv[]);
bool parse_unlisted(struct op *op, int argc, char *const argv[]);
bool parse_role(struct op *op, int argc, char *const argv[]);
bool parse_interface_add(struct op *op, int argc, char *const argv[]);
bool parse_interface_del(struct op *op, int argc, char *const argv[]);
bool parse_partner_add(struct op *op, int argc, char *const argv[]);
bool parse_partner_del(struct op *op, int argc, char *const argv[]);
bool parse_partner_list(struct op *op, int argc, char *const argv[]);
bool parse_partner_flush(struct op *op, int argc, char *const argv[]);
bool parse_rows(struct op *op, int argc, char *const argv[]);
bool parse_rule_enable(struct op *op, int argc, char *const argv[]);
bool parse_rule_disable(struct op *op, int argc, char *const argv[]);
bool parse_rule_set(struct op *op, int argc, char *const argv[]);
bool parse_rtp_set(struct op *op, int argc, char *const argv[]);
bool parse_rtp_match(struct op *op, int argc, char *const argv[]);
bool parse_explain(struct op *op, int argc, char *const argv[]);

/*
 * Writes the refusal's sentence. It is false, and a macro so that those who read
 * the code by machine know that too.
 */
#define refuse(op, ...)	({ set_refusal(op, __VA_ARGS__); false; })
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

/* One more than @count elements fit into the answer; NULL: out of memory. */
void *grow(void *list, size_t count, size_t *room, size_t size);

/* Bytes of the UTF-8 character at @text that is no control character, or 0. */
size_t printable(const char *text);

/* With the length ("198.51.100.7/32"), or the address alone. */
const char *prefix_text(const struct prefix *prefix, char text[PREFIX_TEXT]);
const char *address_text(const struct prefix *prefix, char text[PREFIX_TEXT]);
const char *groups_text(uint32_t mask, char text[GROUPS_TEXT]);

/* "50000-59999,61000", or "none", until the next call. */
const char *ports_text(const uint8_t ports[NF_EDGE_PORT_MAP_BYTES]);

#endif
