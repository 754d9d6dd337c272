/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree over the bits of an address in which the partners of a family stand. Readers, listings
 * among them, run under RCU; whoever changes it holds the namespace's commit mutex, or is the only
 * one who knows of it. An empty tree is NULL. words: as many as an address of the family has.
 */
#ifndef _EDGE_TREE_H
#define _EDGE_TREE_H

#include <linux/in6.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "roll.h"

struct edge_tree;

/* A partner of the table, and its first label or none; no partner: @partner is NULL. */
struct edge_tree_found {
	struct edge_partner *partner;
	struct edge_label __rcu **label;
	atomic64_t *seen;
};

/* The union of the groups of every prefix that covers the address. RCU read side. */
u8 edge_tree_lookup_ipv4(struct edge_tree __rcu *const *root, __be32 addr);
u8 edge_tree_lookup_ipv6(struct edge_tree __rcu *const *root, const struct in6_addr *addr);

/**
 * edge_tree_see_ipv4 - notes that a partner was seen: the longest prefix that covers an address
 * @root: the tree
 * @addr: the address
 * @groups: the prefix is in one of them
 * @second: when, since boot
 * @packets: how many packets came
 *
 * Context: RCU read side, any context. A change of the table at the same time may lose it.
 */
void edge_tree_see_ipv4(struct edge_tree __rcu **root, __be32 addr, u8 groups, u32 second,
			u32 packets);

/* The same of an IPv6 address. */
void edge_tree_see_ipv6(struct edge_tree __rcu **root, const struct in6_addr *addr, u8 groups,
			u32 second, u32 packets);

/* A tree that nobody sees yet takes over what was seen of its partners in another. */
void edge_tree_inherit(struct edge_tree __rcu **root, struct edge_tree __rcu **from, u32 words);

/*
 * A tree of a roll in order; its labels are the tree's then. May sleep. NULL without memory, or
 * when the caller is to be killed.
 */
struct edge_tree *edge_tree_build(const struct edge_roll *roll, u32 words);

/* Frees a tree that no reader can see any more. May sleep. */
void edge_tree_free(struct edge_tree __rcu **root, u32 words);

/* Frees what edge_tree_build() made, but not the labels: they are the roll's again. May sleep. */
void edge_tree_drop(struct edge_tree *tree, u32 words);

/*
 * Adds all that stands in a tree to a roll, labels and all, in order; see edge_roll_widen(). May
 * sleep. Whether there was memory for it.
 */
bool edge_tree_enrol(struct edge_tree __rcu **root, struct edge_roll *roll, u32 *room, u32 words);

/* The prefix's partner, scaffolding included. */
struct edge_tree_found edge_tree_find(struct edge_tree __rcu **root,
				      const struct edge_key *key, u32 words);

/* The same, as scaffolding if it was not there; none without memory. May sleep. */
struct edge_tree_found edge_tree_ensure(struct edge_tree __rcu **root,
					const struct edge_key *key, u32 words);

/* Takes away what is neither in a group nor about to be, about where the key leads. May sleep. */
void edge_tree_prune(struct edge_tree __rcu **root, const struct edge_key *key, u32 words);

/*
 * To be called when a partner's groups have changed, and, before any comes or goes,
 * edge_tree_renote() for the same one: readers find copies of them.
 */
void edge_tree_regrouped(struct edge_tree __rcu **root, const struct edge_key *key, u32 words);

/* Makes the copies of what has changed: all that one branch has, at once. May sleep. */
void edge_tree_renote(struct edge_tree __rcu **root, const struct edge_key *key, u32 words);

/* Takes a partner; whether to go on. */
typedef bool (*edge_tree_visit_fn)(const struct edge_tree_found *found, void *data);

/*
 * Visits the partners behind the key, in order, scaffolding included. NULL: all. RCU read side, or
 * whoever changes the tree. false: a visit has ended it.
 */
bool edge_tree_each(struct edge_tree __rcu *const *root, const struct edge_key *key,
		    edge_tree_visit_fn visit, void *data, u32 words);

#endif /* _EDGE_TREE_H */
