// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tree over the bits of an address. A branch looks at as many of them as give it about a third
 * as many slots as there are prefixes below, and skips those that the prefixes have in common:
 * with a million IPv4 prefixes the first branch looks at 18 bits, and its slots lead to leaves. A
 * leaf is a short sorted array.
 *
 * A prefix stands in the leaf that its first address leads to. One that ends among the bits that a
 * branch looks at covers other slots, too: its groups are noted with each slot that it covers. A
 * look-up unites what it finds on its way.
 *
 * What readers see does not change its shape: a changed copy takes its place. Groups, and the
 * notes of them, change in place.
 */
#include "tree.h"

#include <linux/bitops.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "edge.h"

#define LEAF_MAX	16U	/* partners, until a branch takes its place */
#define ROOT		(-1)	/* where no bit has led on: a prefix of no bits may still end */
#define WIDTH_MIN	4
#define WIDTH_MAX	20

/**
 * struct edge_tree - the head of a leaf and of a branch
 * @rcu: for its end
 * @count: the partners of a leaf, or below a branch
 * @width: how many bits a branch looks at; 0: a leaf
 */
struct edge_tree {
	struct rcu_head rcu;
	u32 count;
	u8 width;
};

/* A leaf has a roll, see edge_roll_lay(). */
struct leaf {
	struct edge_tree tree;
	u8 partners[] __aligned(sizeof(u64));
};

/*
 * A slot of a branch, and the groups of the prefixes that cover it and end among the bits that the
 * branch looks at.
 */
struct slot {
	struct edge_tree __rcu *tree;
	u8 groups;
};

/**
 * struct branch - leads on by some bits of the address
 * @tree: its head
 * @from: the first bit that it looks at
 * @groups: of the prefix that ends just before
 * @built: partners below when it was built
 * @stale: the first slot whose groups are to be noted anew
 * @stale_end: the slot behind the last of them; 0: there is none
 * @word: the bits before @from
 * @slots: 1 << width
 */
struct branch {
	struct edge_tree tree;
	u8 from;
	u8 groups;
	u32 built;
	u32 stale;
	u32 stale_end;
	u32 word[4];
	struct slot slots[];
};

/* The commit mutex is, or nobody else sees it, or a reader is under RCU. */
#define held(link) rcu_dereference_raw(link)

static struct leaf *as_leaf(const struct edge_tree *tree)
{
	return container_of(tree, struct leaf, tree);
}

static struct branch *as_branch(const struct edge_tree *tree)
{
	return container_of(tree, struct branch, tree);
}

static struct edge_roll roll_of(const struct edge_tree *tree, u32 words)
{
	return edge_roll_lay(as_leaf(tree)->partners, tree->count, words);
}

/* The next tree that a slot from *i on leads to, or NULL; *i is the slot behind it then. */
static struct edge_tree *next_below(const struct edge_tree *tree, u32 *i)
{
	struct edge_tree *below = NULL;

	while (tree->width && *i < 1U << tree->width && !below)
		below = held(as_branch(tree)->slots[(*i)++].tree);
	return below;
}

static __always_inline u8 lookup(const struct edge_tree *tree, const u32 *word, u32 words)
{
	const struct leaf *leaf;
	u8 groups = 0;
	u32 i;

	while (tree && tree->width) {
		const struct branch *branch = as_branch(tree);

		if (!edge_roll_agree(branch->word, word, branch->from, words))
			return groups;
		i = edge_roll_slice(word, branch->from, tree->width, words);
		groups |= READ_ONCE(branch->groups) | READ_ONCE(branch->slots[i].groups);
		tree = rcu_dereference(branch->slots[i].tree);
	}
	if (!tree)
		return groups;

	leaf = as_leaf(tree);
	for (i = 0; i < tree->count; i++) {
		const struct edge_partner *partner = edge_roll_at(leaf->partners, i, words);

		if (partner->word[0] > word[0])	/* in order: nor does any further one cover it */
			break;
		if (edge_roll_agree(partner->word, word, partner->bits, words))
			groups |= READ_ONCE(partner->groups);
	}
	return groups;
}

u8 edge_tree_lookup_ipv4(struct edge_tree __rcu *const *root, __be32 addr)
{
	const u32 word = be32_to_cpu(addr);

	return lookup(rcu_dereference(*root), &word, 1);
}

u8 edge_tree_lookup_ipv6(struct edge_tree __rcu *const *root, const struct in6_addr *addr)
{
	const u32 word[] = {
		be32_to_cpu(addr->s6_addr32[0]), be32_to_cpu(addr->s6_addr32[1]),
		be32_to_cpu(addr->s6_addr32[2]), be32_to_cpu(addr->s6_addr32[3]),
	};

	return lookup(rcu_dereference(*root), word, 4);
}

/* Building and freeing */

static void free_alone(struct edge_tree *tree, u32 words)
{
	kvfree(tree);
}

static void free_later(struct edge_tree *tree, u32 words)
{
	kvfree_rcu(tree, rcu);
}

static void free_with_labels(struct edge_tree *tree, u32 words)
{
	struct edge_roll roll;

	if (!tree->width) {
		roll = roll_of(tree, words);
		edge_roll_free_labels(&roll, 0);
	}
	kvfree(tree);
}

/*
 * Each head on its own, from below. At most 52 deep: that many branches of four bits, and of less
 * between two of them, have room in an address.
 */
static void free_tree(struct edge_tree *tree, u32 words,
		      void (*free)(struct edge_tree *tree, u32 words))
{
	struct edge_tree *below;
	u32 i = 0;

	if (!tree)
		return;
	while ((below = next_below(tree, &i)))
		free_tree(below, words, free);
	free(tree, words);
	cond_resched();
}

static struct edge_tree *new_leaf(const struct edge_roll *roll, u32 words)
{
	struct leaf *leaf = kmalloc(sizeof(*leaf) + edge_roll_size(roll->count, words), EDGE_GFP);
	struct edge_roll own;

	if (!leaf)
		return NULL;
	leaf->tree.count = roll->count;
	leaf->tree.width = 0;
	own = roll_of(&leaf->tree, words);
	edge_roll_copy(&own, 0, roll, 0, roll->count, words);
	return &leaf->tree;
}

static struct branch *new_branch(const u32 *word, u8 from, u8 width, u32 words)
{
	struct branch *branch = kvzalloc(struct_size(branch, slots, 1U << width), EDGE_GFP);

	if (!branch)
		return NULL;
	branch->tree.width = width;
	branch->from = from;
	memcpy(branch->word, word, words * sizeof(u32));
	return branch;
}

/* The slot that an address belongs to. */
static __always_inline u32 slot_at(const struct branch *branch, const u32 *word, u32 words)
{
	return edge_roll_slice(word, branch->from, branch->tree.width, words);
}

/* Notes the groups of a partner that ends at or among the bits that the branch looks at. */
static void note(struct branch *branch, const struct edge_partner *partner, u32 words)
{
	u8 rest = branch->from + branch->tree.width - partner->bits;
	u32 i, first;

	if (partner->bits == branch->from) {
		branch->groups = partner->groups;
		return;
	}
	first = slot_at(branch, partner->word, words);
	for (i = first; i < first + (1U << rest); i++)
		branch->slots[i].groups |= partner->groups;
}

static struct edge_tree *build(const struct edge_roll *roll, int start, u32 words);

/* Below a branch, and before readers see it. */
static bool fill(struct branch *branch, const struct edge_roll *roll, int start, u32 words)
{
	u8 end = branch->from + branch->tree.width;
	u32 i = 0;

	while (i < roll->count) {
		const struct edge_partner *partner = edge_roll_at(roll->partners, i, words);
		u32 at = slot_at(branch, partner->word, words), first = i;
		struct edge_tree *below;
		struct edge_roll some;

		do {
			if (partner->bits > start && partner->bits <= end)
				note(branch, partner, words);
			partner = edge_roll_at(roll->partners, ++i, words);
		} while (i < roll->count &&
			 slot_at(branch, partner->word, words) == at);
		some = (struct edge_roll){ edge_roll_at(roll->partners, first, words),
				      roll->labels + first, roll->seen + first, i - first };
		if (fatal_signal_pending(current))
			return false;
		below = build(&some, end, words);
		if (!below)
			return false;
		RCU_INIT_POINTER(branch->slots[at].tree, below);
		cond_resched();
	}
	return true;
}

/*
 * A tree of partners that are in order. start: the bits of the address that have led there, or
 * ROOT; shorter prefixes among the partners are noted above. NULL without memory, or when the
 * caller is to be killed. Calls itself, looking at four bits at least each time.
 */
static struct edge_tree *build(const struct edge_roll *roll, int start, u32 words)
{
	const struct edge_partner *first = edge_roll_at(roll->partners, 0, words);
	const struct edge_partner *last = edge_roll_at(roll->partners, roll->count - 1, words);
	struct branch *branch;
	u8 from, width;
	u32 i;

	if (roll->count <= LEAF_MAX)
		return new_leaf(roll, words);
	from = edge_roll_common_bits(first->word, last->word, words * 32);
	for (i = 0; i < roll->count; i++) {
		const struct edge_partner *partner = edge_roll_at(roll->partners, i, words);

		if (partner->bits > start)
			from = min(from, partner->bits);
		edge_roll_rest(i);
	}
	if (from == words * 32)
		return new_leaf(roll, words);

	width = clamp_t(u8, ilog2(roll->count) - 1, WIDTH_MIN, WIDTH_MAX);
	branch = new_branch(first->word, from, min_t(u8, width, words * 32 - from), words);
	if (!branch)
		return NULL;
	branch->tree.count = roll->count;
	branch->built = roll->count;
	if (!fill(branch, roll, start, words)) {
		free_tree(&branch->tree, words, free_alone);
		return NULL;
	}
	return &branch->tree;
}

/*
 * Adds all that stands in a tree to a roll that has room for it, and for one more: *more is put in
 * its place as soon as that is passed, when little has to be moved, and is NULL then.
 */
static void enrol(struct edge_roll *roll, const struct edge_tree *tree,
		  const struct edge_key **more, u32 words)
{
	struct edge_tree *below;
	struct edge_roll own;
	bool found;
	u32 i = 0;

	if (!tree)
		return;
	if (tree->width) {
		while ((below = next_below(tree, &i)))
			enrol(roll, below, more, words);
		return;
	}
	own = roll_of(tree, words);
	edge_roll_copy(roll, roll->count, &own, 0, own.count, words);
	roll->count += own.count;
	i = *more ? edge_roll_seek(roll, *more, words, &found) : roll->count;
	if (i < roll->count) {
		edge_roll_insert(roll, i, *more, words);
		*more = NULL;
	}
	cond_resched();
}

bool edge_tree_enrol(struct edge_tree __rcu **root, struct edge_roll *roll, u32 *room, u32 words)
{
	const struct edge_tree *tree = held(*root);
	const struct edge_key *none = NULL;

	if (!tree)
		return true;
	if (!edge_roll_widen(roll, room, tree->count, words))
		return false;
	enrol(roll, tree, &none, words);
	return true;
}

struct edge_tree *edge_tree_build(const struct edge_roll *roll, u32 words)
{
	return build(roll, ROOT, words);
}

void edge_tree_drop(struct edge_tree *tree, u32 words)
{
	free_tree(tree, words, free_alone);
}

void edge_tree_free(struct edge_tree __rcu **root, u32 words)
{
	free_tree(held(*root), words, free_with_labels);
}

/* Finding the way. A place is where a key leads to. */

struct place {
	struct edge_tree __rcu **link;	/* to a leaf, nothing, or a branch without room */
	struct branch *owner;	/* which has noted the prefix, or NULL */
	int start;		/* bits of the key that have led there, or ROOT */
};

static struct edge_tree __rcu **slot_for(struct branch *branch, const struct edge_key *key,
					 u32 words)
{
	return &branch->slots[slot_at(branch, key->word, words)].tree;
}

/* Whether a prefix that starts there is one of the branch's, and not one that it is a part of. */
static bool belongs(const struct branch *branch, const struct edge_key *key, int start, u32 words)
{
	return edge_roll_agree(branch->word, key->word, branch->from, words) &&
	       (key->bits <= start || key->bits >= branch->from);
}

static struct place place_of(struct edge_tree __rcu **root, const struct edge_key *key,
			     u32 words)
{
	struct place place = { .link = root, .start = ROOT };
	struct edge_tree *tree;

	while ((tree = held(*place.link)) && tree->width &&
	       belongs(as_branch(tree), key, place.start, words)) {
		struct branch *branch = as_branch(tree);
		u8 end = branch->from + tree->width;

		if (key->bits > place.start && key->bits <= end)
			place.owner = branch;
		place.start = end;
		place.link = slot_for(branch, key, words);
	}
	return place;
}

static struct edge_tree_found found_at(const struct edge_roll *roll, u32 i, u32 words)
{
	return (struct edge_tree_found){ edge_roll_at(roll->partners, i, words), &roll->labels[i],
					 &roll->seen[i] };
}

struct edge_tree_found edge_tree_find(struct edge_tree __rcu **root,
				      const struct edge_key *key, u32 words)
{
	const struct edge_tree *tree = held(*place_of(root, key, words).link);
	struct edge_roll roll;
	bool found;
	u32 at;

	if (!tree || tree->width)
		return (struct edge_tree_found){};
	roll = roll_of(tree, words);
	at = edge_roll_seek(&roll, key, words, &found);
	return found ? found_at(&roll, at, words) : (struct edge_tree_found){};
}

/* Puts another tree, perhaps none, where one was; the partners have moved. */
static void replace(struct edge_tree __rcu **link, struct edge_tree *by, u32 words)
{
	struct edge_tree *old = held(*link);

	rcu_assign_pointer(*link, by);
	free_tree(old, words, free_later);
}

/* Builds what the link leads to anew. Without memory all stays as it is, only slower. */
static void rebuild(struct edge_tree __rcu **link, int start, u32 words)
{
	const struct edge_tree *old = held(*link);
	const struct edge_key *none = NULL;
	struct edge_tree *tree = NULL;
	struct edge_roll roll;
	void *room;

	if (old->count) {
		room = kvmalloc(edge_roll_size(old->count, words), EDGE_GFP);
		if (!room)
			return;
		roll = edge_roll_lay(room, old->count, words);
		roll.count = 0;
		enrol(&roll, old, &none, words);
		tree = build(&roll, start, words);
		kvfree(room);
		if (!tree)
			return;
	}
	replace(link, tree, words);
}

/*
 * Tells the branches on the way to a place of partners that came or went there. The first that
 * does not fit any more is built anew.
 */
static void recount(struct edge_tree __rcu **root, const struct edge_key *key,
		    const struct place *place, int change, u32 words)
{
	struct edge_tree __rcu **link = root, **misfit = NULL;
	int start = ROOT, misfit_start = ROOT;

	while (link != place->link) {
		struct edge_tree *tree = held(*link);
		struct branch *branch = as_branch(tree);

		tree->count += change;
		if (!misfit && (tree->count / 2 > branch->built ||
				tree->count < DIV_ROUND_UP(branch->built, 4))) {
			misfit = link;
			misfit_start = start;
		}
		start = branch->from + tree->width;
		link = slot_for(branch, key, words);
	}
	if (misfit)
		rebuild(misfit, misfit_start, words);
}

/* A copy of a branch without the groups of the prefix that ends just before it. */
static struct branch *without_groups(const struct branch *branch)
{
	const size_t size = struct_size(branch, slots, 1U << branch->tree.width);
	struct branch *copy = kvmalloc(size, EDGE_GFP);

	if (!copy)
		return NULL;
	memcpy(copy, branch, size);
	copy->groups = 0;
	return copy;
}

/*
 * A branch above the one that has no room for the key, and with room for both: of as many bits
 * before it at least as there can be, so that no way down is long.
 */
static bool make_room(const struct place *place, const struct edge_key *key, u32 words)
{
	struct branch *old = as_branch(held(*place->link)), *below = old, *branch;
	u8 from = edge_roll_common_bits(old->word, key->word, old->from);
	u32 at;

	if (key->bits > place->start)
		from = min(from, key->bits);
	from = min_t(int, from, max3(old->from - WIDTH_MIN, place->start, 0));
	branch = new_branch(key->word, from, min(WIDTH_MIN, old->from - from), words);
	if (!branch)
		return false;
	branch->tree.count = old->tree.count;
	branch->built = old->tree.count;
	at = edge_roll_slice(old->word, from, branch->tree.width, words);
	/*
	 * What ended just before the old one ends among this one's bits now. A reader may have come
	 * to the old one already, and must find the groups there: so it is copied, not changed.
	 */
	if (from + branch->tree.width == old->from && old->groups) {
		below = without_groups(old);
		if (!below) {
			kvfree(branch);
			return false;
		}
		branch->slots[at].groups = old->groups;
	}
	RCU_INIT_POINTER(branch->slots[at].tree, &below->tree);
	rcu_assign_pointer(*place->link, &branch->tree);
	if (below != old)
		free_later(&old->tree, words);
	return true;
}

/* Builds what is there, if anything, anew with one more partner. */
static bool insert(const struct place *place, const struct edge_key *key, u32 words)
{
	const struct edge_tree *old = held(*place->link);
	const struct edge_key *more = key;
	u32 count = old ? old->count : 0;
	struct edge_tree *tree;
	struct edge_roll roll;
	void *room;

	room = kvmalloc(edge_roll_size(count + 1, words), EDGE_GFP);
	if (!room)
		return false;
	roll = edge_roll_lay(room, count + 1, words);
	roll.count = 0;
	enrol(&roll, old, &more, words);
	if (more)
		edge_roll_insert(&roll, roll.count, more, words);
	tree = build(&roll, place->start, words);
	kvfree(room);
	if (!tree)
		return false;
	replace(place->link, tree, words);
	return true;
}

struct edge_tree_found edge_tree_ensure(struct edge_tree __rcu **root,
					const struct edge_key *key, u32 words)
{
	struct edge_tree_found found = edge_tree_find(root, key, words);
	struct edge_tree *tree;
	struct place place;

	if (found.partner)
		return found;
	do {
		place = place_of(root, key, words);
		tree = held(*place.link);
	} while (tree && tree->width && make_room(&place, key, words));
	if (!insert(&place, key, words))
		return found;
	recount(root, key, &place, 1, words);
	return edge_tree_find(root, key, words);
}

void edge_tree_prune(struct edge_tree __rcu **root, const struct edge_key *key, u32 words)
{
	const struct place place = place_of(root, key, words);
	struct edge_tree *old = held(*place.link), *tree;
	struct edge_roll all, left;
	void *room;
	int gone;
	u32 i;

	if (!old || old->width)
		return;
	all = roll_of(old, words);
	room = kmalloc(edge_roll_size(all.count, words), EDGE_GFP);
	if (!room)
		return;		/* readers see nothing of it */
	left = edge_roll_lay(room, all.count, words);
	left.count = 0;
	for (i = 0; i < all.count; i++) {
		const struct edge_partner *partner = edge_roll_at(all.partners, i, words);

		if (partner->groups || partner->pending || edge_label_at(&all.labels[i]))
			edge_roll_copy(&left, left.count++, &all, i, 1, words);
	}
	tree = left.count ? new_leaf(&left, words) : NULL;
	kfree(room);
	if (left.count && !tree)
		return;
	gone = all.count - left.count;
	replace(place.link, tree, words);
	recount(root, key, &place, -gone, words);
}

/*
 * The longest of those that end among the bits that a branch looks at, or just before: each stands
 * where it begins. start: the bits that have led to the branch.
 */
static noinline atomic64_t *seen_of_noted(struct edge_tree __rcu **root,
					  const struct branch *branch, int start,
					  const u32 *word, u8 groups, u32 words)
{
	struct edge_key addr = {};
	int bits;

	memcpy(addr.word, word, words * sizeof(u32));
	for (bits = branch->from + branch->tree.width; bits > start && bits >= branch->from;
	     bits--) {
		const struct edge_key around = edge_roll_shortened(addr, bits);
		const struct edge_tree_found found = edge_tree_find(root, &around, words);

		if (found.partner && READ_ONCE(found.partner->groups) & groups)
			return found.seen;
	}
	return NULL;
}

static __always_inline atomic64_t *seen_in_leaf(const struct edge_tree *leaf, int start,
						const u32 *word, u8 groups, u32 words)
{
	const struct edge_roll roll = roll_of(leaf, words);
	u32 i;

	for (i = roll.count; i--; ) {
		const struct edge_partner *partner = edge_roll_at(roll.partners, i, words);

		if (partner->word[0] > word[0])	/* in order: one before may cover it */
			continue;
		if (partner->bits > start && READ_ONCE(partner->groups) & groups &&
		    edge_roll_agree(partner->word, word, partner->bits, words))
			return &roll.seen[i];
	}
	return NULL;
}

static __always_inline void see(struct edge_tree __rcu **root, const u32 *word, u8 groups,
				u32 second, u32 packets, u32 words)
{
	const struct edge_tree *tree = rcu_dereference(*root);
	const struct branch *noted = NULL;
	int start = ROOT, noted_start = ROOT;
	atomic64_t *seen = NULL;

	while (tree && tree->width) {
		const struct branch *branch = as_branch(tree);
		const struct slot *slot = &branch->slots[slot_at(branch, word, words)];

		tree = NULL;
		if (!edge_roll_agree(branch->word, word, branch->from, words))
			break;
		if ((READ_ONCE(branch->groups) | READ_ONCE(slot->groups)) & groups) {
			noted = branch;
			noted_start = start;
		}
		start = branch->from + branch->tree.width;
		tree = rcu_dereference(slot->tree);
	}
	if (tree)
		seen = seen_in_leaf(tree, start, word, groups, words);
	if (!seen && noted)
		seen = seen_of_noted(root, noted, noted_start, word, groups, words);
	if (seen)
		edge_roll_see(seen, second, packets);
}

void edge_tree_see_ipv4(struct edge_tree __rcu **root, __be32 addr, u8 groups, u32 second,
			u32 packets)
{
	const u32 word = be32_to_cpu(addr);

	see(root, &word, groups, second, packets, 1);
}

void edge_tree_see_ipv6(struct edge_tree __rcu **root, const struct in6_addr *addr, u8 groups,
			u32 second, u32 packets)
{
	const u32 word[] = {
		be32_to_cpu(addr->s6_addr32[0]), be32_to_cpu(addr->s6_addr32[1]),
		be32_to_cpu(addr->s6_addr32[2]), be32_to_cpu(addr->s6_addr32[3]),
	};

	see(root, word, groups, second, packets, 4);
}

static void bequeath(struct edge_tree *tree, struct edge_tree __rcu **to, u32 words)
{
	const struct edge_partner *partner;
	struct edge_tree_found found;
	struct edge_key key = {};
	struct edge_tree *below;
	struct edge_roll roll;
	u32 i = 0;

	if (!tree)
		return;
	if (tree->width) {
		while ((below = next_below(tree, &i)))
			bequeath(below, to, words);
		return;
	}
	roll = roll_of(tree, words);
	for (i = 0; i < roll.count; i++) {
		partner = edge_roll_at(roll.partners, i, words);
		key.bits = partner->bits;
		memcpy(key.word, partner->word, words * sizeof(u32));
		found = edge_tree_find(to, &key, words);
		if (found.partner)
			atomic64_set(found.seen, atomic64_read(&roll.seen[i]));
	}
	cond_resched();
}

void edge_tree_inherit(struct edge_tree __rcu **root, struct edge_tree __rcu **from, u32 words)
{
	bequeath(held(*from), root, words);
}

/* The leaf that the lowest of the addresses below leads to. */
static const struct edge_tree *first_leaf(const struct edge_tree *tree)
{
	while (tree && tree->width)
		tree = held(as_branch(tree)->slots[0].tree);
	return tree;
}

/* The slots that a prefix covers which ends at or among the bits that the branch looks at. */
static u32 slots_of(const struct branch *branch, const struct edge_key *key)
{
	return 1U << (branch->from + branch->tree.width - key->bits);
}

void edge_tree_regrouped(struct edge_tree __rcu **root, const struct edge_key *key, u32 words)
{
	struct branch *branch = place_of(root, key, words).owner;
	u32 first, end;

	if (!branch)
		return;
	if (key->bits == branch->from) {
		WRITE_ONCE(branch->groups, edge_tree_find(root, key, words).partner->groups);
		return;
	}
	first = slot_at(branch, key->word, words);
	end = first + slots_of(branch, key);
	branch->stale = branch->stale_end ? min(branch->stale, first) : first;
	branch->stale_end = max(branch->stale_end, end);
}

/* Notes anew the groups of all slots that a prefix covers, or would cover. */
static void note_anew(struct edge_tree __rcu **root, struct branch *branch,
		      const struct edge_key *key, u32 words)
{
	const u8 width = branch->tree.width, length = key->bits - branch->from;
	const u32 first = slot_at(branch, key->word, words);
	const struct edge_partner *partner;
	u8 sum[WIDTH_MAX + 1] = {};	/* of the prefixes that end so many bits on, and before */
	u32 i, j;
	u8 bits;

	for (bits = 1; bits < length; bits++) {
		const struct edge_key around = edge_roll_shortened(*key, branch->from + bits);

		partner = edge_tree_find(root, &around, words).partner;
		sum[bits] = sum[bits - 1] | (partner ? partner->groups : 0);
	}
	for (i = first; i < first + slots_of(branch, key); i++) {
		const struct edge_tree *leaf = first_leaf(held(branch->slots[i].tree));

		/* Shorter ones that end there begin here, or further to the left. */
		j = 0;
		for (bits = i == first ? max_t(u8, length, 1) : width - __ffs(i); bits <= width;
		     bits++) {
			sum[bits] = sum[bits - 1];
			for (; leaf && j < leaf->count; j++) {
				partner = edge_roll_at(as_leaf(leaf)->partners, j, words);
				if (partner->bits > branch->from + bits)
					break;
				if (partner->bits == branch->from + bits)
					sum[bits] |= partner->groups;
			}
		}
		WRITE_ONCE(branch->slots[i].groups, sum[width]);
		edge_roll_rest(i);
	}
}

/* All that is stale in a branch at once: of many prefixes each would do the work of the others. */
void edge_tree_renote(struct edge_tree __rcu **root, const struct edge_key *key, u32 words)
{
	struct branch *branch = place_of(root, key, words).owner;
	struct edge_key around;
	u32 first;
	u8 end;

	if (!branch || key->bits == branch->from)
		return;
	first = slot_at(branch, key->word, words);
	if (first < branch->stale || first >= branch->stale_end)
		return;		/* others' concern, or done */
	end = branch->from + branch->tree.width;
	around = edge_roll_shortened(*key, end - fls(branch->stale ^ (branch->stale_end - 1)));
	note_anew(root, branch, &around, words);
	branch->stale_end = 0;
}

static noinline bool each_in_leaf(const struct edge_tree *leaf, const struct edge_key *key,
				  edge_tree_visit_fn visit, void *data, u32 words)
{
	const struct edge_roll roll = roll_of(leaf, words);
	struct edge_tree_found found;
	bool there;
	u32 i = 0;

	if (key)
		i = edge_roll_seek(&roll, key, words, &there) + there;
	for (; i < roll.count; i++) {
		found = found_at(&roll, i, words);
		if (!visit(&found, data))
			return false;
	}
	return true;
}

/* Calls itself for each branch on the way: little is to lie on the stack. */
static bool each(const struct edge_tree *tree, const struct edge_key *key, edge_tree_visit_fn visit,
		 void *data, u32 words)
{
	const struct branch *branch = as_branch(tree);
	u32 i = 0;

	if (!tree)
		return true;
	if (!tree->width)
		return each_in_leaf(tree, key, visit, data, words);
	if (key && !edge_roll_agree(branch->word, key->word, branch->from, words)) {
		if (edge_roll_compare(branch->word, 0, key->word, 0, words) < 0)
			return true;
		key = NULL;
	}
	if (key) {
		i = slot_at(branch, key->word, words);
		if (!each(held(branch->slots[i++].tree), key, visit, data, words))
			return false;
	}
	while ((tree = next_below(&branch->tree, &i)))
		if (!each(tree, NULL, visit, data, words))
			return false;
	return true;
}

bool edge_tree_each(struct edge_tree __rcu *const *root, const struct edge_key *key,
		    edge_tree_visit_fn visit, void *data, u32 words)
{
	return each(held(*root), key, visit, data, words);
}
