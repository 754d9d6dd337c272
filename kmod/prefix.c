// SPDX-License-Identifier: GPL-2.0-only
/*
 * A node stands for a prefix and covers all below it; a child differs from its
 * parent in the bit after the parent's last, and may skip any number of bits.
 * Keys are words in host order, so that bit 0 is the top bit of word 0.
 */
#include "prefix.h"

#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

struct trie_key {
	u32 word[4];
	u8 bits;
};

struct edge_prefix_node {
	struct edge_prefix_node __rcu *child[2];
	char *name;
	struct rcu_head rcu;
	u32 key[4];
	u8 bits;
	u8 groups;	/* what readers see; 0 in scaffolding */
	u8 pending;	/* groups on their way in or out, while a list is checked */
};

#define child_of(node, side) rcu_dereference_raw((node)->child[side])

static u8 family_bits(u8 family)
{
	return family == NFPROTO_IPV4 ? 32 : 128;
}

static bool family_index(u8 family)
{
	return family != NFPROTO_IPV4;
}

static struct trie_key key_of(u8 family, const union nf_inet_addr *addr, u8 bits)
{
	struct trie_key key = { .bits = bits };
	int i;

	for (i = 0; i < (family == NFPROTO_IPV4 ? 1 : 4); i++)
		key.word[i] = be32_to_cpu(addr->ip6[i]);
	return key;
}

static int bit_of(const u32 *word, u8 bit)
{
	return word[bit / 32] >> (31 - bit % 32) & 1;
}

/* The number of leading bits in which a and b agree, at most limit. */
static u8 common_bits(const u32 *a, const u32 *b, u8 limit)
{
	u8 bit;

	for (bit = 0; bit < limit; bit += 32) {
		u32 differ = a[bit / 32] ^ b[bit / 32];

		if (differ)
			return min_t(u8, limit, bit + 32 - fls(differ));
	}
	return limit;
}

/* Whether the first bits of a and b agree. */
static bool agree(const u32 *a, const u32 *b, u8 bits)
{
	for (; bits >= 32; bits -= 32)
		if (*a++ != *b++)
			return false;
	return !bits || !((*a ^ *b) >> (32 - bits));
}

static bool precedes(const u32 *a, const u32 *b)
{
	int i;

	for (i = 0; i < 4; i++)
		if (a[i] != b[i])
			return a[i] < b[i];
	return false;
}

static bool node_covers(const struct edge_prefix_node *node, const struct trie_key *key)
{
	return node->bits <= key->bits && agree(node->key, key->word, node->bits);
}

struct edge_prefixes *edge_prefix_table_new(void)
{
	return kzalloc(sizeof(struct edge_prefixes), GFP_KERNEL_ACCOUNT);
}

static void free_node(struct edge_prefix_node *node)
{
	kfree(node->name);
	kfree(node);
}

/*
 * Rotates left children up until there is none, then frees the top and goes on
 * to the right: linear, without a stack.
 */
static void free_trie(struct edge_prefix_node *top)
{
	while (top) {
		struct edge_prefix_node *left = child_of(top, 0);

		if (left) {
			RCU_INIT_POINTER(top->child[0], child_of(left, 1));
			RCU_INIT_POINTER(left->child[1], top);
			top = left;
		} else {
			struct edge_prefix_node *right = child_of(top, 1);

			free_node(top);
			top = right;
			cond_resched();
		}
	}
}

void edge_prefix_table_free(struct edge_prefixes *table)
{
	if (!table)
		return;
	free_trie(rcu_dereference_raw(table->root[0]));
	free_trie(rcu_dereference_raw(table->root[1]));
	kfree(table);
}

u8 edge_prefix_lookup(const struct edge_prefixes *table, u8 family,
		      const union nf_inet_addr *addr)
{
	const struct trie_key key = key_of(family, addr, family_bits(family));
	const struct edge_prefix_node *node = rcu_dereference(table->root[family_index(family)]);
	u8 groups = 0;

	while (node && node_covers(node, &key)) {
		groups |= READ_ONCE(node->groups);
		if (node->bits == key.bits)
			break;
		node = rcu_dereference(node->child[bit_of(key.word, node->bits)]);
	}
	return groups;
}

/*
 * The link to key's node, or where it is not there, the link where it belongs.
 * parent: the link to the node that holds that link, or NULL at the root.
 */
static struct edge_prefix_node __rcu **descend(struct edge_prefix_node __rcu **link,
					       const struct trie_key *key,
					       struct edge_prefix_node __rcu ***parent)
{
	struct edge_prefix_node *node;

	*parent = NULL;
	while ((node = rcu_dereference_raw(*link)) && node->bits < key->bits &&
	       node_covers(node, key)) {
		*parent = link;
		link = &node->child[bit_of(key->word, node->bits)];
	}
	return link;
}

static bool is_at(const struct edge_prefix_node *node, const struct trie_key *key)
{
	return node && node->bits == key->bits && agree(node->key, key->word, key->bits);
}

static struct edge_prefix_node *find(struct edge_prefixes *table, const struct edge_prefix *prefix)
{
	const struct trie_key key = key_of(prefix->family, &prefix->addr, prefix->bits);
	struct edge_prefix_node __rcu **parent;
	struct edge_prefix_node *node;

	node = rcu_dereference_raw(*descend(&table->root[family_index(prefix->family)],
					    &key, &parent));
	return is_at(node, &key) ? node : NULL;
}

static struct edge_prefix_node *new_node(const u32 *key, u8 bits)
{
	struct edge_prefix_node *node = kzalloc(sizeof(*node), GFP_KERNEL_ACCOUNT);
	u8 bit;

	if (!node)
		return NULL;
	node->bits = bits;
	for (bit = 0; bit < bits; bit += 32) {
		u8 rest = bits - bit;

		node->key[bit / 32] = key[bit / 32] & (rest >= 32 ? ~0U : ~(~0U >> rest));
	}
	return node;
}

/* The prefix's node, as scaffolding if it was not there; NULL without memory. */
static struct edge_prefix_node *ensure(struct edge_prefixes *table,
				       const struct edge_prefix *prefix)
{
	const struct trie_key key = key_of(prefix->family, &prefix->addr, prefix->bits);
	struct edge_prefix_node __rcu **parent, **link;
	struct edge_prefix_node *below, *node, *fork;
	u8 common;

	link = descend(&table->root[family_index(prefix->family)], &key, &parent);
	below = rcu_dereference_raw(*link);
	if (is_at(below, &key))
		return below;

	node = new_node(key.word, key.bits);
	if (!node)
		return NULL;
	if (!below) {
		rcu_assign_pointer(*link, node);
		return node;
	}

	common = common_bits(below->key, key.word, min(below->bits, key.bits));
	if (common == key.bits) {	/* the new prefix covers what is there */
		RCU_INIT_POINTER(node->child[bit_of(below->key, key.bits)], below);
		rcu_assign_pointer(*link, node);
		return node;
	}

	fork = new_node(key.word, common);
	if (!fork) {
		kfree(node);
		return NULL;
	}
	RCU_INIT_POINTER(fork->child[bit_of(key.word, common)], node);
	RCU_INIT_POINTER(fork->child[bit_of(below->key, common)], below);
	rcu_assign_pointer(*link, fork);
	return node;
}

/* Takes the node at *link away unless it is in a group or needed as a fork. */
static bool unlink_if_idle(struct edge_prefix_node __rcu **link)
{
	struct edge_prefix_node *node = rcu_dereference_raw(*link);
	struct edge_prefix_node *left = child_of(node, 0), *right = child_of(node, 1);

	if (node->groups || node->pending || (left && right))
		return false;
	rcu_assign_pointer(*link, left ? left : right);
	kfree(node->name);	/* only lock holders look at names */
	kfree_rcu(node, rcu);
	return true;
}

/* After a prefix lost its last group: drops its node, and the fork above it. */
static void prune(struct edge_prefixes *table, const struct edge_prefix *prefix)
{
	const struct trie_key key = key_of(prefix->family, &prefix->addr, prefix->bits);
	struct edge_prefix_node __rcu **parent, **link;

	link = descend(&table->root[family_index(prefix->family)], &key, &parent);
	if (!is_at(rcu_dereference_raw(*link), &key))
		return;
	if (unlink_if_idle(link) && parent)
		unlink_if_idle(parent);
}

static bool renames(const struct edge_prefix_node *node, const struct edge_prefix *entry)
{
	return entry->name && (!node->name || strcmp(node->name, entry->name));
}

/* What an entry changed before its list is put in force. */
struct prepared {
	char *old_name;
	bool renamed;
};

/* Checks one entry and does all of it that readers do not see. */
static int prepare_add(struct edge_prefixes *table, const struct edge_prefix *entry,
		       struct prepared *prepared, bool tolerant, u32 *fresh)
{
	struct edge_prefix_node *node = ensure(table, entry);
	bool rename;
	char *name;

	if (!node)
		return -ENOMEM;
	rename = renames(node, entry);
	if (!rename && !(entry->groups & ~(node->groups | node->pending)))
		return tolerant ? 0 : -EEXIST;
	if (!node->groups && !node->pending)
		++*fresh;
	node->pending |= entry->groups;	/* before what may fail: forget() looks for it */
	if (rename) {
		name = kstrdup(entry->name, GFP_KERNEL_ACCOUNT);
		if (!name)
			return -ENOMEM;
		*prepared = (struct prepared){ .old_name = node->name, .renamed = true };
		node->name = name;	/* only lock holders look at names */
	}
	return 1;
}

static void finish_add(struct edge_prefixes *table, const struct edge_prefix *entry,
		       const struct prepared *prepared)
{
	struct edge_prefix_node *node = find(table, entry);

	kfree(prepared->old_name);
	if (!node->groups)
		WRITE_ONCE(table->count, table->count + 1);
	node->pending = 0;
	WRITE_ONCE(node->groups, node->groups | entry->groups);
}

/* Names go back in the reverse order: a list may rename one prefix twice. */
static void undo_names(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		       const struct prepared *prepared)
{
	while (n--) {
		struct edge_prefix_node *node;

		if (!prepared[n].renamed)
			continue;
		node = find(table, &list[n]);
		kfree(node->name);
		node->name = prepared[n].old_name;
	}
}

static void forget(struct edge_prefixes *table, const struct edge_prefix *list, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		struct edge_prefix_node *node = find(table, &list[i]);

		if (!node)
			continue;
		node->pending = 0;
		prune(table, &list[i]);
	}
}

int edge_prefix_add(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		    u32 limit, bool tolerant, u32 *bad)
{
	u32 changed = 0, fresh = 0, i;
	struct prepared *prepared;
	int err;

	*bad = 0;
	prepared = kvcalloc(n, sizeof(*prepared), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!prepared)
		return -ENOMEM;

	for (i = 0; i < n; i++) {
		*bad = i;
		err = prepare_add(table, &list[i], &prepared[i], tolerant, &fresh);
		if (err < 0)
			goto undo;
		changed += err;
		if (fresh > limit || table->count > limit - fresh) {
			err = -ENOSPC;
			goto undo;
		}
	}
	for (i = 0; i < n; i++)
		finish_add(table, &list[i], &prepared[i]);
	kvfree(prepared);
	return changed;

undo:
	undo_names(table, list, *bad + 1, prepared);
	kvfree(prepared);
	forget(table, list, *bad + 1);
	return err;
}

int edge_prefix_del(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		    bool tolerant, u32 *bad)
{
	struct edge_prefix_node *node;
	u32 changed = 0, i;
	u8 left, leaves;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		*bad = i;
		node = find(table, &list[i]);
		left = node ? node->groups & ~node->pending : 0;
		leaves = list[i].groups ? list[i].groups : left;
		if (!left)
			err = tolerant ? 0 : -ENOENT;
		else if (leaves & ~left)
			err = tolerant ? 0 : -ESRCH;
		if (err || !(leaves & left))
			continue;
		node->pending |= leaves & left;
		changed++;
	}
	if (err) {
		forget(table, list, i);
		return err;
	}

	for (i = 0; i < n; i++) {
		node = find(table, &list[i]);
		if (!node || !node->pending)
			continue;
		WRITE_ONCE(node->groups, node->groups & ~node->pending);
		node->pending = 0;
		if (node->groups)
			continue;
		kfree(node->name);
		node->name = NULL;
		WRITE_ONCE(table->count, table->count - 1);
		prune(table, &list[i]);
	}
	return changed;
}

u32 edge_prefix_flush(struct edge_prefixes *table, u8 groups)
{
	struct edge_prefix prefix = { .family = NFPROTO_UNSPEC };
	u32 changed = 0, bad;

	while (edge_prefix_next(table, &prefix)) {
		prefix.groups &= groups;
		if (prefix.groups && edge_prefix_del(table, &prefix, 1, true, &bad) > 0)
			changed++;
		cond_resched();
	}
	return changed;
}

/* The first node after key in order, scaffolding included. */
static const struct edge_prefix_node *successor(const struct edge_prefix_node *node,
						const struct trie_key *key)
{
	const struct edge_prefix_node *later = NULL;

	while (node && node->bits < key->bits && node_covers(node, key)) {
		int side = bit_of(key->word, node->bits);

		if (!side && child_of(node, 1))
			later = child_of(node, 1);
		node = child_of(node, side);
	}
	if (!node)
		return later;
	if (is_at(node, key)) {
		if (child_of(node, 0))
			return child_of(node, 0);
		return child_of(node, 1) ? child_of(node, 1) : later;
	}
	/* node lies beside or below key: all of it is on one side */
	return !precedes(node->key, key->word) ? node : later;
}

static void describe(const struct edge_prefix_node *node, u8 family, struct edge_prefix *prefix)
{
	int i;

	memset(prefix, 0, sizeof(*prefix));
	for (i = 0; i < (family == NFPROTO_IPV4 ? 1 : 4); i++)
		prefix->addr.ip6[i] = cpu_to_be32(node->key[i]);
	prefix->family = family;
	prefix->bits = node->bits;
	prefix->groups = node->groups;
	prefix->name = node->name;
}

/* As edge_prefix_next(), within one family. */
static bool next_in(const struct edge_prefixes *table, u8 family, struct edge_prefix *prefix)
{
	const struct edge_prefix_node *root, *node;

	root = rcu_dereference_raw(table->root[family_index(family)]);
	node = root;
	if (prefix->family == family) {
		struct trie_key key = key_of(family, &prefix->addr, prefix->bits);

		node = successor(root, &key);
	}
	while (node && !node->groups) {
		struct trie_key key = { .bits = node->bits };

		memcpy(key.word, node->key, sizeof(key.word));
		node = successor(root, &key);
	}
	if (node)
		describe(node, family, prefix);
	return node;
}

bool edge_prefix_next(const struct edge_prefixes *table, struct edge_prefix *prefix)
{
	if (prefix->family != NFPROTO_IPV6 && next_in(table, NFPROTO_IPV4, prefix))
		return true;
	return next_in(table, NFPROTO_IPV6, prefix);
}

bool edge_prefix_covers(const struct edge_prefix *prefix, u8 family,
			const union nf_inet_addr *addr)
{
	const struct trie_key a = key_of(prefix->family, &prefix->addr, prefix->bits);
	const struct trie_key b = key_of(family, addr, family_bits(family));

	return prefix->family == family && agree(a.word, b.word, a.bits);
}

bool edge_prefix_has_host_bits(const struct edge_prefix *prefix)
{
	const struct trie_key key = key_of(prefix->family, &prefix->addr, prefix->bits);
	u8 bit;

	for (bit = key.bits; bit < family_bits(prefix->family); bit++)
		if (bit_of(key.word, bit))
			return true;
	return false;
}
