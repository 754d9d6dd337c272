/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The partner table: IPv4 and IPv6 prefixes, each in one or more groups.
 *
 * One tree per family. Readers, listings among them, run under RCU and never wait;
 * writers hold the namespace's commit mutex. A prefix without groups is scaffolding: it
 * is being added, or could not be taken away; readers see nothing of it.
 *
 * What a prefix owes to a domain is kept apart from what it owes to others, and to
 * nobody: each brings its groups and has a name for it; readers see the groups
 * united. An entry is such a share, and is told by prefix and domain.
 */
#ifndef _EDGE_PREFIX_H
#define _EDGE_PREFIX_H

#include <linux/jiffies.h>
#include <linux/netfilter.h>
#include <linux/types.h>

#include "memo.h"
#include "tree.h"

struct edge_prefix_gathering;

/**
 * struct edge_prefixes - the table
 * @root: IPv4, IPv6
 * @memos: what CPUs remember; NULL while the table is empty
 * @version: moves when what readers find has changed
 * @added: the RCU state when something was added last
 * @count: prefixes in a group; while @gathering, one counts each time that it was added
 * @gathering: what was added to a staged table before it is settled, or NULL
 */
struct edge_prefixes {
	struct edge_tree __rcu *root[2];
	struct edge_memos __percpu *memos;
	u32 version;
	u32 count;
	unsigned long added;
	struct edge_prefix_gathering *gathering;
};

/**
 * struct edge_prefix - one entry, as it is asked for and as it is listed
 * @addr: network byte order, host bits clear
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @bits: prefix length
 * @groups: mask of 1 << enum nf_edge_group
 * @place: in a listing: 0 for what no domain has brought, then the domains in their order
 * @more: in a listing: there may be more entries of the prefix
 * @rest: in a listing: the next of them, for as long as the RCU read side lasts; NULL when it goes
 *	on in another one
 * @name: NUL-terminated, or NULL; "" where it is asked for: none any more
 * @domain: NUL-terminated, or NULL
 * @packets: listed only: how many came from the prefix
 * @seen: listed only: when the last one came, or the prefix, seconds since boot
 */
struct edge_prefix {
	union nf_inet_addr addr;
	u8 family;
	u8 bits;
	u8 groups;
	bool more;
	u32 place;
	const struct edge_label *rest;
	const char *name;
	const char *domain;
	u64 packets;
	u32 seen;
};

/* An empty table or NULL. May sleep. */
struct edge_prefixes *edge_prefix_table_new(void);

/*
 * One that nobody looks up in, or lists, before it is settled: until something else than tolerant
 * additions is asked of it, it gathers what is added, and is built in one go.
 */
struct edge_prefixes *edge_prefix_table_staged(void);

/*
 * Makes a staged table one like any other. Commit mutex held, may sleep. 0, -ENOMEM, or -EINTR when
 * the caller is to be killed: nothing changed.
 */
int edge_prefix_settle(struct edge_prefixes *table);

/* Frees a table that no reader can see any more. May sleep. */
void edge_prefix_table_free(struct edge_prefixes *table);

/* edge_prefix_lookup() without the memos. */
static __always_inline u8 edge_prefix_walk(const struct edge_prefixes *table, u8 family,
					   const union nf_inet_addr *addr)
{
	if (family == NFPROTO_IPV4)
		return edge_tree_lookup_ipv4(&table->root[0], addr->ip);
	return edge_tree_lookup_ipv6(&table->root[1], &addr->in6);
}

/* What this CPU remembers of an address, or NULL. Softirqs disabled or not. */
static __always_inline struct edge_memo *edge_prefix_memo(const struct edge_prefixes *table,
							  u8 family,
							  const union nf_inet_addr *addr)
{
	struct edge_memos __percpu *memos = READ_ONCE(table->memos);
	struct edge_memo *memo;

	if (!memos || !edge_memo_usable())
		return NULL;
	memo = edge_memo_at(memos, family, addr);
	return edge_memo_is(memo, family, addr) ? memo : NULL;
}

/* Whether what is remembered of a partner's groups is true. */
static __always_inline bool edge_prefix_is_fresh(const struct edge_prefixes *table,
						 const struct edge_memo *memo)
{
	return memo->version == READ_ONCE(table->version);
}

/* Looks up, and remembers what it finds. Softirqs disabled, RCU read side. */
u8 edge_prefix_meet(struct edge_prefixes *table, struct edge_memo *memo, u8 family,
		    const union nf_inet_addr *addr);

/*
 * Looks up, and remembers that the block list of this number does not cover the address. RCU read
 * side, any context.
 */
u8 edge_prefix_meet_unblocked(struct edge_prefixes *table, u8 family,
			      const union nf_inet_addr *addr, u64 list);

/**
 * edge_prefix_lookup - which groups an address belongs to
 * @table: the table
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: network byte order
 *
 * Context: RCU read side, any context.
 * Return: the union of the groups of every prefix that covers @addr.
 */
static __always_inline u8 edge_prefix_lookup(struct edge_prefixes *table, u8 family,
					     const union nf_inet_addr *addr)
{
	struct edge_memos __percpu *memos = READ_ONCE(table->memos);
	struct edge_memo *memo;

	if (!memos || !edge_memo_usable())
		return edge_prefix_walk(table, family, addr);
	memo = edge_memo_at(memos, family, addr);
	if (edge_memo_is(memo, family, addr) && edge_prefix_is_fresh(table, memo))
		return memo->groups;
	return edge_prefix_meet(table, memo, family, addr);
}

/**
 * edge_prefix_see - notes that packets came from an address
 * @table: the table
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: network byte order
 * @groups: for which they were admitted
 * @second: when the last one came, since boot
 * @packets: how many
 *
 * The longest prefix that covers the address, and is in one of the groups, was seen then.
 *
 * Context: RCU read side, any context. What a change of the table overtakes is lost.
 */
void edge_prefix_see(struct edge_prefixes *table, u8 family, const union nf_inet_addr *addr,
		     u8 groups, u32 second, u32 packets);

/* Another second, or other groups: tells the table. Softirqs disabled, RCU read side. */
void edge_prefix_turn(struct edge_prefixes *table, struct edge_memo *memo, u8 groups);

/**
 * edge_prefix_note - notes that a packet came from an address
 * @table: the table
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: network byte order; it has just been looked up
 * @groups: for which it was admitted
 *
 * Once a second the table is told, as edge_prefix_see() tells it; what a change of it overtakes is
 * lost.
 *
 * Context: RCU read side, any context.
 */
static __always_inline void edge_prefix_note(struct edge_prefixes *table, u8 family,
					     const union nf_inet_addr *addr, u8 groups)
{
	struct edge_memo *memo = edge_prefix_memo(table, family, addr);

	if (!memo) {
		edge_prefix_see(table, family, addr, groups, edge_roll_now(), 1);
		return;
	}
	if (memo->admitting == groups && time_before(jiffies, memo->until))
		memo->packets++;
	else
		edge_prefix_turn(table, memo, groups);
}

/* A CPU's memos tell the table what it has not been told. On that CPU, or for one that is off. */
void edge_prefix_recall(struct edge_prefixes *table, int cpu);

/* A table that nobody sees yet takes over what was seen of its partners. May sleep. */
void edge_prefix_inherit(struct edge_prefixes *table, struct edge_prefixes *from);

/**
 * edge_prefix_add - adds prefixes, or groups and names to prefixes; all or none
 * @table: the table
 * @list: what to add, each with at least one group
 * @n: entries in @list
 * @limit: prefixes that the table may hold afterwards
 * @tolerant: an entry that changes nothing is no error
 * @bad: out: the entry to blame, on error
 *
 * Only what changes costs more than a look at the table.
 *
 * Context: process context, commit mutex held, may sleep.
 * Return: number of entries that changed something, -EEXIST for an entry that
 * changes nothing, -ENOSPC beyond @limit, -EMLINK beyond NF_EDGE_DOMAINS_MAX, -ENOMEM,
 * -EINTR when the caller is to be killed.
 */
int edge_prefix_add(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		    u32 limit, bool tolerant, u32 *bad);

/**
 * edge_prefix_del - takes prefixes out of groups; all or none
 * @table: the table
 * @list: entries and the groups to leave; groups 0: all. Without a domain it is all of the
 *	prefix that leaves, whatever has brought it; with "", what no domain has brought
 * @n: entries in @list
 * @tolerant: an entry that is not there is no error
 * @bad: out: the entry to blame, on error
 *
 * Context: process context, commit mutex held, may sleep.
 * Return: number of entries that changed something, -ENOENT for one that is not there,
 * -ESRCH for one that is not in a group, -EINTR as above, or as edge_prefix_settle().
 */
int edge_prefix_del(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		    bool tolerant, u32 *bad);

/**
 * edge_prefix_exchange - adds the first entries of a list, then takes away the others; all or none
 * @table: the table
 * @list: as edge_prefix_add() has it, then as edge_prefix_del() has it, tolerantly
 * @coming: how many are to be added
 * @leaving: how many are to be taken away
 * @limit: as above
 * @tolerant: as above, of those that are added
 * @bad: out: the entry to blame, on error
 *
 * Context: process context, commit mutex held, may sleep.
 * Return: as edge_prefix_add().
 */
int edge_prefix_exchange(struct edge_prefixes *table, const struct edge_prefix *list, u32 coming,
			 u32 leaving, u32 limit, bool tolerant, u32 *bad);

/**
 * struct edge_prefix_inverse - what takes a change of the table back
 * @list: for edge_prefix_exchange(), its texts behind it; NULL: it was not kept
 * @coming: how many are to be added
 * @leaving: how many are to be taken away
 */
struct edge_prefix_inverse {
	struct edge_prefix *list;
	u32 coming;
	u32 leaving;
};

/**
 * edge_prefix_invert - notes what a change is going to overwrite
 * @table: the table
 * @list: what is about to be added, and then what is about to be taken away
 * @coming: how many are to be added
 * @n: entries in @list
 * @inverse: out: to be freed by kvfree() of its list
 *
 * Context: process context, commit mutex held, may sleep.
 * Return: 0, -ENOMEM, -E2BIG for prefixes from far more domains than entries, -EINTR, or as
 * edge_prefix_settle(); nothing is kept then.
 */
int edge_prefix_invert(struct edge_prefixes *table, const struct edge_prefix *list, u32 coming,
		       u32 n, struct edge_prefix_inverse *inverse);

/**
 * edge_prefix_without - a table of what is left when every prefix leaves some groups
 * @table: a settled table
 * @groups: mask of 1 << enum nf_edge_group
 * @changed: out: whether any prefix was in one of them
 *
 * Context: process context, commit mutex held, may sleep.
 * Return: the table, which nobody sees yet; or NULL without memory, or when the caller is to be
 * killed.
 */
struct edge_prefixes *edge_prefix_without(struct edge_prefixes *table, u8 groups, bool *changed);

/* Takes an entry; whether to go on. */
typedef bool (*edge_prefix_visit_fn)(const struct edge_prefix *prefix, void *data);

/**
 * edge_prefix_each - visits the table in order: IPv4 first, by address, shorter first, by domain
 * @table: the table
 * @from: the prefix and the place to go on from (they need not be there any more), or family
 *	NFPROTO_UNSPEC to start
 * @visit: takes each entry, whose name and domain are the table's own and good while the context
 *	lasts. What a list that is being added or taken away has on its way is an entry without
 *	groups, so that no step is long
 * @data: @visit's own
 *
 * Context: RCU read side, or commit mutex held.
 * Return: false when a visit has ended it.
 */
bool edge_prefix_each(const struct edge_prefixes *table, const struct edge_prefix *from,
		      edge_prefix_visit_fn visit, void *data);

/* Whether two settled tables say the same, share by share. Commit mutex held, may sleep. */
bool edge_prefix_table_equal(struct edge_prefixes *a, struct edge_prefixes *b);

/*
 * The next entry, in the order of edge_prefix_each(), of the prefixes that cover an address; each
 * length is looked for. prefix: in: the one to go on from, or family NFPROTO_UNSPEC; out: the next.
 * false: there is none.
 */
bool edge_prefix_next_covering(const struct edge_prefixes *table, u8 family,
			       const union nf_inet_addr *addr, struct edge_prefix *prefix);

/* Whether bits beyond the prefix length are set. */
static inline bool edge_prefix_has_host_bits(const struct edge_prefix *prefix)
{
	u32 words = prefix->family == NFPROTO_IPV4 ? 1 : 4, host = U32_MAX >> prefix->bits % 32, i;

	for (i = prefix->bits / 32; i < words; i++) {
		if (be32_to_cpu(prefix->addr.ip6[i]) & host)
			return true;
		host = U32_MAX;
	}
	return false;
}

#endif /* _EDGE_PREFIX_H */
