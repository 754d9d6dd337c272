// SPDX-License-Identifier: GPL-2.0-only
#include "blocks.h"

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

static struct edge_key key_of(const struct edge_block *block)
{
	return edge_roll_key(block->family, &block->addr, block->bits);
}

static int compare(const struct edge_block *a, const struct edge_block *b)
{
	return edge_address_compare(a->family, &a->addr, b->family, &b->addr) ?:
	       a->bits - b->bits;
}

static bool is_same(const struct edge_block *a, const struct edge_block *b)
{
	return !compare(a, b) && a->until == b->until && !strcmp(a->reason, b->reason);
}

bool edge_block_covers(const struct edge_block *block, u8 family, const union nf_inet_addr *addr)
{
	const struct edge_key a = key_of(block), b = edge_roll_key(family, addr, block->bits);

	return family == block->family &&
	       edge_roll_common_bits(a.word, b.word, block->bits) == block->bits;
}

u32 edge_blocks_seek(const struct edge_blocks *blocks, const struct edge_block *block, bool *found)
{
	u32 from = 0, end = edge_blocks_count(blocks);

	*found = false;
	while (from < end) {
		const u32 i = from + (end - from) / 2;
		const int order = compare(block, &blocks->of[i]);

		if (!order) {
			*found = true;
			return i;
		}
		if (order < 0)
			end = i;
		else
			from = i + 1;
	}
	return from;
}

static struct edge_blocks *list_new(u32 room)
{
	static atomic64_t numbers;
	struct edge_blocks *blocks = kvzalloc(struct_size(blocks, of, room), EDGE_GFP);

	if (!blocks)
		return NULL;
	refcount_set(&blocks->users, 1);
	blocks->number = atomic64_inc_return(&numbers);
	return blocks;
}

static void list_free(struct edge_blocks *blocks)
{
	edge_tree_free(&blocks->root[0], 1);
	edge_tree_free(&blocks->root[1], 4);
	kvfree(blocks);
}

void edge_blocks_put(struct edge_blocks *blocks)
{
	if (!blocks || !refcount_dec_and_test(&blocks->users))
		return;
	if (blocks->in_force)	/* perhaps until now, with another policy that had it */
		synchronize_rcu();
	list_free(blocks);
}

/* The tree of those of a family, from one on; whether there was memory for it. */
static bool build(struct edge_tree __rcu **root, const struct edge_block *of, u32 n, u32 words)
{
	void *memory = n ? kvzalloc(edge_roll_size(n, words), EDGE_GFP) : NULL;
	struct edge_tree *tree = NULL;
	struct edge_roll roll;
	u32 i;

	if (memory) {
		roll = edge_roll_lay(memory, n, words);
		for (roll.count = 0, i = 0; i < n; i++) {
			const struct edge_key key = key_of(&of[i]);

			edge_roll_append(&roll, &key, 1, NULL, words);
			edge_roll_rest(i);
		}
		tree = edge_tree_build(&roll, words);
		kvfree(memory);
	}
	RCU_INIT_POINTER(*root, tree);
	return !n || tree;
}

/* What is a list but for its trees becomes one, or the errno. */
static struct edge_blocks *finish(struct edge_blocks *blocks)
{
	u32 ipv4 = 0;

	while (ipv4 < blocks->count && blocks->of[ipv4].family == NFPROTO_IPV4)
		ipv4++;
	if (build(&blocks->root[0], blocks->of, ipv4, 1) &&
	    build(&blocks->root[1], blocks->of + ipv4, blocks->count - ipv4, 4))
		return blocks;
	list_free(blocks);
	return ERR_PTR(fatal_signal_pending(current) ? -EINTR : -ENOMEM);
}

/* Places in a list: by prefix, and the last one of a prefix last. A long sort rests here. */
static int compare_places(const void *a, const void *b, const void *list)
{
	const u32 one = *(const u32 *)a, other = *(const u32 *)b;
	const struct edge_block *of = list;

	cond_resched();
	return compare(&of[one], &of[other]) ?: one < other ? -1 : 1;
}

/* To be freed by kvfree(). */
static u32 *in_order(const struct edge_block *list, u32 n)
{
	u32 *order = kvmalloc_array(n, sizeof(*order), EDGE_GFP), i;

	if (!order)
		return NULL;
	for (i = 0; i < n; i++)
		order[i] = i;
	sort_r(order, n, sizeof(*order), compare_places, NULL, list);
	return order;
}

/* Both in one; an entry takes the place of what is there. */
static void merge(struct edge_blocks *into, const struct edge_blocks *blocks,
		  const struct edge_block *list, const u32 *order, u32 n)
{
	const u32 count = edge_blocks_count(blocks);
	u32 i = 0, j = 0;

	while (i < count || j < n) {
		const struct edge_block *there = i < count ? &blocks->of[i] : NULL;
		const struct edge_block *comes = j < n ? &list[order[j]] : NULL;
		int which = !there ? 1 : !comes ? -1 : compare(there, comes);

		edge_roll_rest(i + j);
		if (comes && j + 1 < n && !compare(comes, &list[order[j + 1]])) {
			j++;	/* the last one of them counts */
			continue;
		}
		into->of[into->count++] = which < 0 ? *there : *comes;
		i += which <= 0;
		j += which >= 0;
	}
}

struct edge_blocks *edge_blocks_add(struct edge_blocks *blocks, const struct edge_block *list,
				    u32 n, bool tolerant, u32 *bad)
{
	u32 fresh = 0, changes = 0, at, i, *order;
	struct edge_blocks *more;
	bool found;

	for (i = 0; i < n; i++) {
		*bad = i;
		if (edge_rest())
			return ERR_PTR(-EINTR);
		at = edge_blocks_seek(blocks, &list[i], &found);
		if (found && is_same(&list[i], &blocks->of[at])) {
			if (!tolerant)
				return ERR_PTR(-EEXIST);
			continue;
		}
		changes++;
		fresh += !found;
		if (fresh > NF_EDGE_BLOCKS_MAX - edge_blocks_count(blocks))
			return ERR_PTR(-ENOSPC);
	}
	if (!changes)
		return edge_blocks_get(blocks);
	more = list_new(edge_blocks_count(blocks) + fresh);
	order = in_order(list, n);
	if (more && order)
		merge(more, blocks, list, order, n);
	kvfree(order);
	if (more && order)
		return finish(more);
	kvfree(more);
	return ERR_PTR(-ENOMEM);
}

/* Those that are not marked. */
static struct edge_blocks *unmarked(const struct edge_blocks *blocks, const unsigned long *gone,
				    u32 left)
{
	struct edge_blocks *fewer;
	u32 i;

	if (!left)
		return NULL;
	fewer = list_new(left);
	if (!fewer)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < blocks->count; i++) {
		if (!test_bit(i, gone))
			fewer->of[fewer->count++] = blocks->of[i];
		edge_roll_rest(i);
	}
	return finish(fewer);
}

static unsigned long *marks_new(const struct edge_blocks *blocks)
{
	return kvcalloc(BITS_TO_LONGS(edge_blocks_count(blocks)) + 1, sizeof(long), EDGE_GFP);
}

struct edge_blocks *edge_blocks_del(struct edge_blocks *blocks, const struct edge_block *list,
				    u32 n, bool tolerant, u32 *bad)
{
	unsigned long *gone = marks_new(blocks);
	struct edge_blocks *left = NULL;
	u32 count = 0, at, i;
	bool found;
	int err = 0;

	*bad = 0;
	if (!gone)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < n && !err; i++) {
		*bad = i;
		at = edge_blocks_seek(blocks, &list[i], &found);
		if (found)
			count += !__test_and_set_bit(at, gone);
		else if (!tolerant)
			err = -ENOENT;
		err = err ?: edge_rest();
	}
	if (err)
		left = ERR_PTR(err);
	else if (count)
		left = unmarked(blocks, gone, blocks->count - count);
	else
		left = edge_blocks_get(blocks);
	kvfree(gone);
	return left;
}

struct edge_blocks *edge_blocks_left(struct edge_blocks *blocks, u64 now)
{
	unsigned long *gone = marks_new(blocks);
	struct edge_blocks *left;
	u32 count = 0, i;

	if (!gone)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < edge_blocks_count(blocks); i++) {
		if (!blocks->of[i].until || blocks->of[i].until > now)
			continue;
		__set_bit(i, gone);
		count++;
	}
	left = count ? unmarked(blocks, gone, blocks->count - count) : edge_blocks_get(blocks);
	kvfree(gone);
	return left;
}

u64 edge_blocks_first_end(const struct edge_blocks *blocks)
{
	u64 first = 0;
	u32 i;

	for (i = 0; i < edge_blocks_count(blocks); i++)
		if (blocks->of[i].until && (!first || blocks->of[i].until < first))
			first = blocks->of[i].until;
	return first;
}

bool edge_blocks_equal(const struct edge_blocks *a, const struct edge_blocks *b)
{
	u32 i;

	if (a == b)
		return true;
	if (edge_blocks_count(a) != edge_blocks_count(b))
		return false;
	for (i = 0; i < edge_blocks_count(a); i++)
		if (!is_same(&a->of[i], &b->of[i]))
			return false;
	return true;
}
