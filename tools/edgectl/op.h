/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * op: one command's arguments, understood, or why they are not
 */
#ifndef EDGECTL_OP_H
#define EDGECTL_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nf_edge.h"
#include "prefix.h"

#define ERROR_TEXT	512	/* bytes for a refusal's sentence, with NUL */

/**
 * struct domain - a name that is looked up for partners, in lower case
 * @text: a DNS domain, or NF_EDGE_DOMAIN_HOST and the name of a host
 */
struct domain {
	char text[NF_EDGE_DOMAIN_MAX + 1];
};

/* What partners are sorted by: as the kernel has them, most packets first, last seen first. */
enum { SORT_ADDRESS, SORT_PACKETS, SORT_SEEN };

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
 * @value: mode, unlisted, RTP match, peers, 0/1 for disable/enable, seconds, for monitor
 *	1 (config) or 2 (drops), or for metrics how many partners
 * @mask: roles, groups or rows, one bit each; 0: not given
 * @reasons: monitor, one bit each; 0: not given
 * @text: a partner's name ("": none any more), a device, a file, an object; points into the words
 * @file: of an import; a command that help is asked about; points into the words
 * @prefix: the addresses of the command, @count of them
 * @name: what stands in place of addresses, @names of them
 * @domain: where partners come from; empty: not given, or @own is
 * @own: what no domain has brought
 * @exact: partners are to be called @text, not something with it inside
 * @all: all of them are meant
 * @sort: SORT_*, what a list of partners is sorted by
 * @until: when a block ends, seconds since 1970; 0: never
 * @relative: it was given as a duration
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
	bool exact;
	bool all;
	uint32_t sort;
	uint64_t until;
	bool relative;
	struct flow flow;
	uint8_t ports[NF_EDGE_PORT_MAP_BYTES];
	char error[ERROR_TEXT];
};

/*
 * Writes the refusal's sentence. It is false, and a macro so that those who read
 * the code by machine know that too.
 */
#define refuse(op, ...)	({ op_refuse(op, __VA_ARGS__); false; })

void op_refuse(struct op *op, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For the next parser; the port map is left as it is: who reads it, has filled it. */
void op_reset(struct op *op);
void op_free(struct op *op);

/* One more than @count elements fit into the answer; NULL: out of memory. */
void *grow_list(void *list, size_t *room, size_t size);

static inline void *grow(void *list, size_t count, size_t *room, size_t size)
{
	return count < *room ? list : grow_list(list, room, size);
}

#endif
