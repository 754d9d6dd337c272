/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dns: what a domain stands for: its SRV records, and the addresses of their hosts.
 */
#ifndef EDGECTL_DNS_H
#define EDGECTL_DNS_H

#include "parse.h"

/**
 * struct lookup - a domain that is looked up
 * @domain: a DNS domain, or a host
 * @mask: groups; of a domain those that have a service: federation, pic, xmpp
 * @line: of the file that asks, 0: none
 * @name: what its partners are called, or NULL
 * @list: its addresses, each once, with its groups
 * @count: their number
 * @error: why there is no answer; empty: there is one
 * @missing: then, that DNS says that the domain has no such service
 *
 * Zero it and set the first four; end with lookups_free().
 */
struct lookup {
	struct domain domain;
	uint32_t mask;
	uint32_t line;
	char *name;
	struct entry *list;
	size_t count;
	char error[ERROR_TEXT];
	bool missing;
	/* private: */
	size_t room;
	unsigned int targets;
	unsigned int waiting;	/* answers that are still to come */
	bool again;
};

/*
 * Looks all of them up, some at a time, and answers each: in a few seconds, whatever the servers
 * do. @resolver: a file as /etc/resolv.conf, or NULL: that. Whether each has an answer.
 */
bool dns_lookup(struct lookup *list, size_t count, const char *resolver);

extern void (*dns_progress)(const char *what, size_t done);	/* may be NULL */

void lookups_free(struct lookup *list, size_t count);

#endif
