/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The partner table: IPv4 and IPv6 prefixes, each in one or more groups.
 *
 * One tree per family. Readers run under RCU and never wait; writers and listers
 * hold the namespace's lock. A prefix without groups is scaffolding: it is being
 * added, or could not be taken away; readers see nothing of it.
 */
#ifndef _EDGE_PREFIX_H
#define _EDGE_PREFIX_H

#include <linux/netfilter.h>
#include <linux/types.h>

struct edge_prefix_tree;

struct edge_prefixes {
	struct edge_prefix_tree __rcu *root[2];	/* IPv4, IPv6 */
	u32 count;				/* prefixes in a group */
};

/**
 * struct edge_prefix - one prefix, as it is asked for and as it is listed
 * @addr: network byte order, host bits clear
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @bits: prefix length
 * @groups: mask of 1 << enum nf_edge_group
 * @name: NUL-terminated, or NULL
 */
struct edge_prefix {
	union nf_inet_addr addr;
	u8 family;
	u8 bits;
	u8 groups;
	const char *name;
};

/* An empty table or NULL. May sleep. */
struct edge_prefixes *edge_prefix_table_new(void);

/* Frees a table that no reader can see any more. May sleep. */
void edge_prefix_table_free(struct edge_prefixes *table);

/**
 * edge_prefix_lookup - which groups an address belongs to
 * @table: the table
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: network byte order
 *
 * Context: RCU read side, any context.
 * Return: the union of the groups of every prefix that covers @addr.
 */
u8 edge_prefix_lookup(const struct edge_prefixes *table, u8 family,
		      const union nf_inet_addr *addr);

/**
 * edge_prefix_add - adds prefixes, or groups and names to prefixes; all or none
 * @table: the table
 * @list: what to add, each with at least one group
 * @n: entries in @list
 * @limit: prefixes that the table may hold afterwards
 * @tolerant: an entry that changes nothing is no error
 * @bad: out: the entry to blame, on error
 *
 * Context: process context, the table's lock held, may sleep.
 * Return: number of entries that changed something, -EEXIST for an entry that
 * changes nothing, -ENOSPC beyond @limit, -ENOMEM.
 */
int edge_prefix_add(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		    u32 limit, bool tolerant, u32 *bad);

/**
 * edge_prefix_del - takes prefixes out of groups; all or none
 * @table: the table
 * @list: prefixes and the groups to leave; groups 0: the prefix goes altogether
 * @n: entries in @list
 * @tolerant: an entry that is not there is no error
 * @bad: out: the entry to blame, on error
 *
 * Context: process context, the table's lock held.
 * Return: number of entries that changed something, -ENOENT for a prefix that is
 * not there, -ESRCH for one that is not in a group.
 */
int edge_prefix_del(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		    bool tolerant, u32 *bad);

/* Takes every prefix out of @groups. Lock held, may sleep. Returns how many changed. */
u32 edge_prefix_flush(struct edge_prefixes *table, u8 groups);

/**
 * edge_prefix_next - the table in order: IPv4 first, by address, shorter first
 * @table: the table
 * @prefix: in: the prefix to go on from (it need not be there any more), or
 *	family NFPROTO_UNSPEC to start; out: the next one. Its name is the
 *	table's own and good while the lock is held.
 *
 * Context: the table's lock held.
 * Return: false at the end.
 */
bool edge_prefix_next(const struct edge_prefixes *table, struct edge_prefix *prefix);

/* Whether the prefix covers the address; families must agree. */
bool edge_prefix_covers(const struct edge_prefix *prefix, u8 family,
			const union nf_inet_addr *addr);

/* Whether bits beyond the prefix length are set. */
bool edge_prefix_has_host_bits(const struct edge_prefix *prefix);

#endif /* _EDGE_PREFIX_H */
