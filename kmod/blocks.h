/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The block list: IPv4 and IPv6 prefixes that no row admits. A list never changes once it is
 * published: a change makes another one, so that policies may share it.
 */
#ifndef _EDGE_BLOCKS_H
#define _EDGE_BLOCKS_H

#include <linux/netfilter.h>
#include <linux/refcount.h>
#include <linux/types.h>

#include "edge.h"
#include "tree.h"

/**
 * struct edge_block - a blocked prefix
 * @addr: network byte order, host bits clear
 * @until: when it ends, seconds since 1970; 0: never
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @bits: prefix length
 * @reason: NUL-terminated, zeroes behind it; may be empty
 */
struct edge_block {
	union nf_inet_addr addr;
	u64 until;
	u8 family;
	u8 bits;
	char reason[NF_EDGE_NAME_MAX + 1];
};

/**
 * struct edge_blocks - a list
 * @users: policies that have it
 * @number: no other list ever had it; never 0
 * @in_force: packets have been, or are, judged by it
 * @root: IPv4, IPv6, for look-ups
 * @count: how many, one at least
 * @of: IPv4 before IPv6, by address, shorter first
 */
struct edge_blocks {
	refcount_t users;
	u64 number;
	bool in_force;
	struct edge_tree __rcu *root[2];
	u32 count;
	struct edge_block of[];
};

/* Whether a prefix of the list covers the address. RCU read side, any context. */
static inline bool edge_blocks_cover(const struct edge_blocks *blocks, u8 family,
				     const union nf_inet_addr *addr)
{
	if (family == NFPROTO_IPV4)
		return edge_tree_lookup_ipv4(&blocks->root[0], addr->ip);
	return edge_tree_lookup_ipv6(&blocks->root[1], &addr->in6);
}

/* Of no list, which is NULL, too. */
static inline u32 edge_blocks_count(const struct edge_blocks *blocks)
{
	return blocks ? blocks->count : 0;
}

/* Another policy has the list, which may be NULL. */
static inline struct edge_blocks *edge_blocks_get(struct edge_blocks *blocks)
{
	if (blocks)
		refcount_inc(&blocks->users);
	return blocks;
}

/* A policy has it no more. May sleep. */
void edge_blocks_put(struct edge_blocks *blocks);

/**
 * edge_blocks_add - a list with more in it
 * @blocks: the list, or NULL
 * @list: what is to be added; put in order
 * @n: how many
 * @tolerant: what is there already is no error
 * @bad: out: the entry to blame, on error
 *
 * Of two entries for one prefix the last one counts. An entry takes the place of one with another
 * end or reason.
 *
 * Context: process context, may sleep.
 * Return: the list, its first reference the caller's; @blocks, with another reference, when it says
 * the same; or ERR_PTR() of -EEXIST for an entry that is there, -ENOSPC beyond NF_EDGE_BLOCKS_MAX,
 * -ENOMEM, -EINTR when the caller is to be killed.
 */
struct edge_blocks *edge_blocks_add(struct edge_blocks *blocks, const struct edge_block *list,
				    u32 n, bool tolerant, u32 *bad);

/**
 * edge_blocks_del - a list without some of its prefixes
 * @blocks: the list, or NULL
 * @list: what is to go; ends and reasons are not looked at
 * @n: how many
 * @tolerant: what is not there is no error
 * @bad: out: the entry to blame, on error
 *
 * Context: process context, may sleep.
 * Return: as edge_blocks_add(), but NULL when nothing is left, and -ENOENT for what is not there.
 */
struct edge_blocks *edge_blocks_del(struct edge_blocks *blocks, const struct edge_block *list,
				    u32 n, bool tolerant, u32 *bad);

/* A list without those that have ended at @now, seconds since 1970; as edge_blocks_del(). */
struct edge_blocks *edge_blocks_left(struct edge_blocks *blocks, u64 now);

/* When the first one ends, 0: none does. The list may be NULL. */
u64 edge_blocks_first_end(const struct edge_blocks *blocks);

/* Whether two lists, or NULLs, say the same. */
bool edge_blocks_equal(const struct edge_blocks *a, const struct edge_blocks *b);

/*
 * The place of the first that is not before the prefix, in the order of the list, which may be
 * NULL; *found: whether it is the same prefix.
 */
u32 edge_blocks_seek(const struct edge_blocks *blocks, const struct edge_block *block, bool *found);

/* Whether the prefix covers an address of its family. */
bool edge_block_covers(const struct edge_block *block, u8 family, const union nf_inet_addr *addr);

#endif /* _EDGE_BLOCKS_H */
