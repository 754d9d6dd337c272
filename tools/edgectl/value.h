/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * value: a word becomes an address, a port, a group, a name, a time; or is refused, with what
 * would be right
 */
#ifndef EDGECTL_VALUE_H
#define EDGECTL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "op.h"
#include "text.h"

/* How much of a word a message shows. */
static inline int value_shown(const char *word, const char *end)
{
	return end - word > 80 ? 80 : end - word;
}

/* False of the first two: it is none, and op->error says nothing. */
bool value_number(const char *text, size_t length, uint32_t max, uint32_t *value);
bool value_is_duration(const char *word);

/* What begins as no address does, and has no dot as a domain. */
bool value_is_plain_word(const char *word);

/* False: op->error says why. @what: what the word should be. */
bool value_keyword(struct op *op, const char *const names[], const char *what,
		   const char *word, uint32_t *value);

/* Names, comma separated, as bits of @mask. */
bool value_listed(struct op *op, const char *const names[], const char *what,
		  const char *word, const char *end, uint32_t *mask);
bool value_groups(struct op *op, const char *word, const char *end);

/* Any address up to @end, with or without /LEN when @with_length. */
bool value_address(struct op *op, const char *word, const char *end, bool with_length,
		   struct prefix *prefix);
bool value_whole_address(struct op *op, const char *word, struct prefix *prefix);
bool value_no_host_bits(struct op *op, const char *word, const char *end, struct prefix *prefix);

/* Appends one that a policy may hold to op->prefix. */
bool value_add_prefix(struct op *op, const char *word, const char *end, bool with_length);

/* The port in "ADDRESS:PORT" or "[ADDRESS]:PORT"; NULL: there is none. */
const char *value_port_behind(const char *word, const char *end);

bool value_port(struct op *op, const char *word, size_t length, uint32_t *value);

/* A port, or what it is called in services(5). */
bool value_service(struct op *op, const char *word, uint32_t protocol, uint32_t *value);

/* Ranges of ports, comma separated, in op->ports. */
bool value_ports(struct op *op, const char *word);

/* Whether all of it is shown as it is, and the kernel takes it; @what: a name, or a reason. */
bool value_is_label(struct op *op, const char *what, const char *word);
/* One, in op->text. */
bool value_label(struct op *op, const char *what, const char *word);
bool value_name(struct op *op, const char *word);

bool value_device(struct op *op, const char *word, const char **to);

/* Whether it can only be meant as a domain: no address ends like a top-level domain. */
bool value_is_domain(const char *word);

/* A domain, which is put in lower case, or "host:" and a host's name. */
bool value_domain(struct op *op, const char *word, struct domain *domain);

/* Appends an address or a prefix to op->prefix, a domain to op->name. */
bool value_add_party(struct op *op, const char *word);

/* Whether DNS has a service for each group of op->mask and each of op->name. */
bool value_can_be_named(struct op *op);

/* "15m", as seconds in op->value. */
bool value_duration(struct op *op, const char *word);

/* From now on, or up to a time as time_text() has it; seconds may be left out. In op->until. */
bool value_end(struct op *op, const char *word);

#endif
