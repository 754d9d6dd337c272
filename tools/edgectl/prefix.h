/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * prefix: addresses and prefixes: which covers which, their order, and their text
 */
#ifndef EDGECTL_PREFIX_H
#define EDGECTL_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFIX_TEXT	64	/* bytes for a prefix as text, with NUL */

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
 * struct entry - a partner, a blocked prefix or an Edge address
 * @prefix: full-length for an Edge address
 * @mask: groups of a partner, roles of an Edge address, one bit each
 * @leaves: among partners to be added: this one goes when the others have come
 * @line: line of the policy file that last spoke of it, 0: none
 * @text: name of a partner, device of an Edge address, reason of a block, or NULL; "" in a change:
 *	no name any more
 * @domain: where a partner comes from, see struct domain; or NULL; "" in a change: from no domain
 * @seen: of a partner, as listed: the kernel says the next two, which not everybody may know
 * @packets: those that came from its prefix
 * @idle: and seconds since the last one, or since the prefix came
 * @until: when a block ends, seconds since 1970; 0: never
 */
struct entry {
	struct prefix prefix;
	uint16_t mask;
	bool leaves;
	uint32_t line;
	char *text;
	char *domain;
	bool seen;
	uint64_t packets;
	uint32_t idle;
	uint64_t until;
};

/* Whether all of @inner is in @outer. */
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);

/* The order of listings: IPv4 first, by address, shorter first. As memcmp(). */
int prefix_compare(const struct prefix *a, const struct prefix *b);

/* The same of entries, for qsort() and bsearch(). */
int entry_by_prefix(const void *a, const void *b);

/* The order of the kernel's listings: that, then by domain, none first. */
int entry_compare(const struct entry *a, const struct entry *b);

/* The kind of address that cannot be meant and covers all of @prefix, or NULL. */
const char *meaningless(const struct prefix *prefix);

/* Clears the bits beyond the length; true: some were set. */
bool prefix_clear_host_bits(struct prefix *prefix);

/* With the length ("198.51.100.7/32"), or the address alone. */
const char *prefix_text(const struct prefix *prefix, char text[PREFIX_TEXT]);
const char *address_text(const struct prefix *prefix, char text[PREFIX_TEXT]);

#endif
