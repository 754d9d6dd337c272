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
#include "prefix.h"

#include <linux/bitops.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#define LEAF_MAX	16U	/* partners, until a branch takes its place */
#define ROOT		(-1)	/* where no bit has led on: a prefix of no bits may still end */
#define WIDTH_MIN	4
#define WIDTH_MAX	20

/* Words in host order, so that bit 0 is the top bit of word 0. */
struct trie_key {
	u32 word[4];
	u8 bits;
};

/* A prefix: what a look-up reads, and no more, for the sake of cache lines. */
struct partner {
	u8 bits;
	u8 groups;	/* what readers see; 0 in scaffolding */
	u8 pending;	/* groups on their way in or out, while a list is checked */
	u32 word[];	/* as many as an address of the family has */
};

/**
 * struct edge_prefix_tree - the head of a leaf and of a branch
 * @rcu: for its end
 * @count: the partners of a leaf, or below a branch
 * @width: how many bits a branch looks at; 0: a leaf
 */
struct edge_prefix_tree {
	struct rcu_head rcu;
	u32 count;
	u8 width;
};

/*
 * A leaf's content: @partners, partner_size() each, in order, and behind them as many pointers to
 * names, see names_of().
 */
struct leaf {
	struct edge_prefix_tree tree;
	u8 partners[] __aligned(sizeof(void *));
};

/*
 * A slot of a branch, and the groups of the prefixes that cover it and end among the bits that the
 * branch looks at.
 */
struct slot {
	struct edge_prefix_tree __rcu *tree;
	u8 groups;
};

/* Partners in order and their names, from which a tree is built. */
struct roll {
	void *partners;
	char **names;
	u32 count;
};

/* A partner of the table; none: @partner is NULL. */
struct found {
	struct partner *partner;
	char **name;
};

/**
 * struct branch - leads on by some bits of the address
 * @tree: its head
 * @from: the first bit that it looks at
 * @groups: of the prefix that ends just before
 * @built: partners below when it was built
 * @word: the bits before @from
 * @slots: 1 << width
 */
struct branch {
	struct edge_prefix_tree tree;
	u8 from;
	u8 groups;
	u32 built;
	u32 word[4];
	struct slot slots[];
};

#define held(link) rcu_dereference_raw(link)	/* the table's lock is, or nobody else sees it */

static u8 family_bits(u8 family)
{
	return family == NFPROTO_IPV4 ? 32 : 128;
}

static bool family_index(u8 family)
{
	return family != NFPROTO_IPV4;
}

static u32 words_of(u8 family)
{
	return family == NFPROTO_IPV4 ? 1 : 4;
}

static struct trie_key key_of(u8 family, const union nf_inet_addr *addr, u8 bits)
{
	struct trie_key key = { .bits = bits };
	u32 i;

	for (i = 0; i < words_of(family); i++)
		key.word[i] = be32_to_cpu(addr->ip6[i]);
	return key;
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
static __always_inline bool agree(const u32 *a, const u32 *b, u8 bits, u32 words)
{
	if (words > 1)
		for (; bits > 32; bits -= 32)
			if (*a++ != *b++)
				return false;
	return !((u64)(*a ^ *b) >> (32 - bits));
}

/* As many bits as width from one on, as a number. */
static __always_inline u32 slice(const u32 *word, u8 from, u8 width, u32 words)
{
	u32 at = words > 1 ? from / 32 : 0;
	u64 window = (u64)word[at] << 32;

	if (at + 1 < words)
		window |= word[at + 1];
	return window << (words > 1 ? from % 32 : from) >> (64 - width);
}

static int compare(const u32 *a, u8 a_bits, const u32 *b, u8 b_bits, u32 words)
{
	u32 i;

	for (i = 0; i < words; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return a_bits - b_bits;
}

static struct leaf *as_leaf(const struct edge_prefix_tree *tree)
{
	return container_of(tree, struct leaf, tree);
}

static struct branch *as_branch(const struct edge_prefix_tree *tree)
{
	return container_of(tree, struct branch, tree);
}

static __always_inline size_t partner_size(u32 words)
{
	return offsetof(struct partner, word) + words * sizeof(u32);
}

static __always_inline struct partner *partner_at(const void *partners, u32 i, u32 words)
{
	return (struct partner *)(partners + i * partner_size(words));
}

static char **names_of(void *partners, u32 count, u32 words)
{
	return partners + ALIGN(count * partner_size(words), sizeof(void *));
}

static size_t roll_size(u32 count, u32 words)
{
	return ALIGN(count * partner_size(words), sizeof(void *)) + count * sizeof(char *);
}

static struct roll roll_at(void *partners, u32 count, u32 words)
{
	return (struct roll){ partners, names_of(partners, count, words), count };
}

static struct roll roll_of(const struct edge_prefix_tree *tree, u32 words)
{
	return roll_at(as_leaf(tree)->partners, tree->count, words);
}

/* Copies some of a roll, from the first on, to another one's place. */
static void copy(const struct roll *to, u32 place, const struct roll *from, u32 first, u32 n,
		 u32 words)
{
	memcpy(partner_at(to->partners, place, words), partner_at(from->partners, first, words),
	       n * partner_size(words));
	memcpy(to->names + place, from->names + first, n * sizeof(char *));
}

static __always_inline u8 lookup(const struct edge_prefix_tree *tree, const u32 *word, u32 words)
{
	const struct leaf *leaf;
	u8 groups = 0;
	u32 i;

	while (tree && tree->width) {
		const struct branch *branch = as_branch(tree);

		if (!agree(branch->word, word, branch->from, words))
			return groups;
		i = slice(word, branch->from, tree->width, words);
		groups |= READ_ONCE(branch->groups) | READ_ONCE(branch->slots[i].groups);
		tree = rcu_dereference(branch->slots[i].tree);
	}
	if (!tree)
		return groups;

	leaf = as_leaf(tree);
	for (i = 0; i < tree->count; i++) {
		const struct partner *partner = partner_at(leaf->partners, i, words);

		if (agree(partner->word, word, partner->bits, words))
			groups |= READ_ONCE(partner->groups);
	}
	return groups;
}

u8 edge_prefix_lookup(const struct edge_prefixes *table, u8 family,
		      const union nf_inet_addr *addr)
{
	struct trie_key key;

	if (family == NFPROTO_IPV4) {
		key.word[0] = be32_to_cpu(addr->ip);
		return lookup(rcu_dereference(table->root[0]), key.word, 1);
	}
	key = key_of(family, addr, 128);
	return lookup(rcu_dereference(table->root[1]), key.word, 4);
}

/* Building and freeing */

static void free_alone(struct edge_prefix_tree *tree)
{
	kvfree(tree);
}

/* The tree without what the partners point to: that has moved on. At most 32 deep. */
static void free_tree(struct edge_prefix_tree *tree, void (*free)(struct edge_prefix_tree *tree))
{
	u32 i;

	if (!tree)
		return;
	if (tree->width)
		for (i = 0; i < 1U << tree->width; i++)
			free_tree(held(as_branch(tree)->slots[i].tree), free);
	free(tree);
	cond_resched();
}

static void free_later(struct edge_prefix_tree *tree)
{
	kvfree_rcu(tree, rcu);
}

static struct edge_prefix_tree *new_leaf(const struct roll *roll, u32 words)
{
	struct leaf *leaf = kmalloc(sizeof(*leaf) + roll_size(roll->count, words),
				    GFP_KERNEL_ACCOUNT);
	struct roll own;

	if (!leaf)
		return NULL;
	leaf->tree.count = roll->count;
	leaf->tree.width = 0;
	own = roll_of(&leaf->tree, words);
	copy(&own, 0, roll, 0, roll->count, words);
	return &leaf->tree;
}

static struct branch *new_branch(const u32 *word, u8 from, u8 width, u32 words)
{
	struct branch *branch = kvzalloc(struct_size(branch, slots, 1U << width),
					 GFP_KERNEL_ACCOUNT);

	if (!branch)
		return NULL;
	branch->tree.width = width;
	branch->from = from;
	memcpy(branch->word, word, words * sizeof(u32));
	return branch;
}

/* Notes the groups of a partner that ends at or among the bits that the branch looks at. */
static void note(struct branch *branch, const struct partner *partner, u32 words)
{
	u8 rest = branch->from + branch->tree.width - partner->bits;
	u32 i, first;

	if (partner->bits == branch->from) {
		branch->groups = partner->groups;
		return;
	}
	first = slice(partner->word, branch->from, branch->tree.width, words);
	for (i = first; i < first + (1U << rest); i++)
		branch->slots[i].groups |= partner->groups;
}

static struct edge_prefix_tree *build(const struct roll *roll, int start, u32 words);

/* Below a branch, and before readers see it. */
static bool fill(struct branch *branch, const struct roll *roll, int start, u32 words)
{
	u8 end = branch->from + branch->tree.width;
	u32 i = 0;

	while (i < roll->count) {
		const struct partner *partner = partner_at(roll->partners, i, words);
		u32 at = slice(partner->word, branch->from, branch->tree.width, words), first = i;
		struct edge_prefix_tree *below;
		struct roll some;

		do {
			if (partner->bits > start && partner->bits <= end)
				note(branch, partner, words);
			partner = partner_at(roll->partners, ++i, words);
		} while (i < roll->count &&
			 slice(partner->word, branch->from, branch->tree.width, words) == at);
		some = (struct roll){ partner_at(roll->partners, first, words),
				      roll->names + first, i - first };
		below = build(&some, end, words);
		if (!below)
			return false;
		RCU_INIT_POINTER(branch->slots[at].tree, below);
	}
	return true;
}

/*
 * A tree of partners that are in order. start: the bits of the address that have led there, or
 * ROOT; shorter prefixes among the partners are noted above. NULL without memory. Calls itself,
 * looking at four bits at least each time.
 */
static struct edge_prefix_tree *build(const struct roll *roll, int start, u32 words)
{
	const struct partner *first = partner_at(roll->partners, 0, words);
	const struct partner *last = partner_at(roll->partners, roll->count - 1, words);
	struct branch *branch;
	u8 from, width;
	u32 i;

	if (roll->count <= LEAF_MAX)
		return new_leaf(roll, words);
	from = common_bits(first->word, last->word, words * 32);
	for (i = 0; i < roll->count; i++) {
		const struct partner *partner = partner_at(roll->partners, i, words);

		if (partner->bits > start)
			from = min(from, partner->bits);
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
		free_tree(&branch->tree, free_alone);
		return NULL;
	}
	return &branch->tree;
}

/* Adds all that stands in a tree to a roll that has room for it. */
static void enrol(struct roll *roll, const struct edge_prefix_tree *tree, u32 words)
{
	struct roll own;
	u32 i;

	if (!tree)
		return;
	if (tree->width) {
		for (i = 0; i < 1U << tree->width; i++)
			enrol(roll, held(as_branch(tree)->slots[i].tree), words);
		return;
	}
	own = roll_of(tree, words);
	copy(roll, roll->count, &own, 0, own.count, words);
	roll->count += own.count;
}

static void free_names(const struct edge_prefix_tree *tree, u32 words)
{
	u32 i;

	if (!tree)
		return;
	for (i = 0; i < (tree->width ? 1U << tree->width : tree->count); i++) {
		if (tree->width)
			free_names(held(as_branch(tree)->slots[i].tree), words);
		else
			kfree(roll_of(tree, words).names[i]);
	}
	cond_resched();
}

struct edge_prefixes *edge_prefix_table_new(void)
{
	return kzalloc(sizeof(struct edge_prefixes), GFP_KERNEL_ACCOUNT);
}

void edge_prefix_table_free(struct edge_prefixes *table)
{
	u32 i;

	if (!table)
		return;
	for (i = 0; i < ARRAY_SIZE(table->root); i++) {
		free_names(held(table->root[i]), i ? 4 : 1);
		free_tree(held(table->root[i]), free_alone);
	}
	kfree(table);
}

/* Finding the way. A place is where a key leads to. */

struct place {
	struct edge_prefix_tree __rcu **link;	/* to a leaf, nothing, or a branch without room */
	struct branch *owner;	/* which has noted the prefix, or NULL */
	int start;		/* bits of the key that have led there, or ROOT */
};

static struct edge_prefix_tree __rcu **slot_for(struct branch *branch, const struct trie_key *key,
						u32 words)
{
	return &branch->slots[slice(key->word, branch->from, branch->tree.width, words)].tree;
}

/* Whether a prefix that starts there is one of the branch's, and not one that it is a part of. */
static bool belongs(const struct branch *branch, const struct trie_key *key, int start, u32 words)
{
	return agree(branch->word, key->word, branch->from, words) &&
	       (key->bits <= start || key->bits >= branch->from);
}

static struct place place_of(struct edge_prefixes *table, u8 family, const struct trie_key *key)
{
	struct place place = { .link = &table->root[family_index(family)], .start = ROOT };
	struct edge_prefix_tree *tree;
	u32 words = words_of(family);

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

/* Which of the roll's partners it is, or where it is not there, will be. */
static u32 seek(const struct roll *roll, const struct trie_key *key, u32 words, bool *found)
{
	u32 i;

	*found = false;
	for (i = 0; i < roll->count; i++) {
		const struct partner *partner = partner_at(roll->partners, i, words);
		int order = compare(key->word, key->bits, partner->word, partner->bits, words);

		*found = !order;
		if (order <= 0)
			break;
	}
	return i;
}

static struct found found_at(const struct roll *roll, u32 i, u32 words)
{
	return (struct found){ partner_at(roll->partners, i, words), &roll->names[i] };
}

static struct found find_key(struct edge_prefixes *table, u8 family, const struct trie_key *key)
{
	const struct edge_prefix_tree *tree = held(*place_of(table, family, key).link);
	u32 words = words_of(family), at;
	struct roll roll;
	bool found;

	if (!tree || tree->width)
		return (struct found){};
	roll = roll_of(tree, words);
	at = seek(&roll, key, words, &found);
	return found ? found_at(&roll, at, words) : (struct found){};
}

static struct found find(struct edge_prefixes *table, const struct edge_prefix *prefix)
{
	const struct trie_key key = key_of(prefix->family, &prefix->addr, prefix->bits);

	return find_key(table, prefix->family, &key);
}

/* Puts another tree, perhaps none, where one was; the partners have moved. */
static void replace(struct edge_prefix_tree __rcu **link, struct edge_prefix_tree *by)
{
	struct edge_prefix_tree *old = held(*link);

	rcu_assign_pointer(*link, by);
	free_tree(old, free_later);
}

/* Builds what the link leads to anew. Without memory all stays as it is, only slower. */
static void rebuild(struct edge_prefix_tree __rcu **link, int start, u32 words)
{
	const struct edge_prefix_tree *old = held(*link);
	struct edge_prefix_tree *tree = NULL;
	struct roll roll;
	void *room;

	if (old->count) {
		room = kvmalloc(roll_size(old->count, words), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!room)
			return;
		roll = roll_at(room, old->count, words);
		roll.count = 0;
		enrol(&roll, old, words);
		tree = build(&roll, start, words);
		kvfree(room);
		if (!tree)
			return;
	}
	replace(link, tree);
}

/*
 * Tells the branches on the way to a place of partners that came or went there. The first that
 * does not fit any more is built anew.
 */
static void recount(struct edge_prefixes *table, u8 family, const struct trie_key *key,
		    const struct place *place, int change)
{
	struct edge_prefix_tree __rcu **link = &table->root[family_index(family)], **misfit = NULL;
	int start = ROOT, misfit_start = ROOT;
	u32 words = words_of(family);

	while (link != place->link) {
		struct edge_prefix_tree *tree = held(*link);
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

/*
 * A branch above the one that has no room for the key, and with room for both; at least as many
 * bits before it, so that no way down is long.
 */
static bool make_room(const struct place *place, const struct trie_key *key, u32 words)
{
	struct branch *below = as_branch(held(*place->link)), *branch;
	u8 from = common_bits(below->word, key->word, below->from);
	bool ends_here;
	u32 at;

	if (key->bits > place->start)
		from = min(from, key->bits);
	if (below->from - from < WIDTH_MIN)
		return false;
	branch = new_branch(key->word, from, WIDTH_MIN, words);
	if (!branch)
		return false;
	branch->tree.count = below->tree.count;
	branch->built = below->tree.count;
	at = slice(below->word, from, branch->tree.width, words);
	RCU_INIT_POINTER(branch->slots[at].tree, &below->tree);
	ends_here = from + branch->tree.width == below->from;
	if (ends_here)	/* what ended just before the one below ends among this one's bits now */
		branch->slots[at].groups = below->groups;
	rcu_assign_pointer(*place->link, &branch->tree);
	if (ends_here)
		WRITE_ONCE(below->groups, 0);
	return true;
}

/* Builds what is there, if anything, anew with one more partner. */
static bool insert(const struct place *place, const struct trie_key *key, u32 words)
{
	const struct edge_prefix_tree *old = held(*place->link);
	u32 count = old ? old->count : 0, at;
	struct edge_prefix_tree *tree;
	struct partner *partner;
	struct roll roll;
	void *room;
	bool found;

	room = kvmalloc(roll_size(count + 1, words), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!room)
		return false;
	roll = roll_at(room, count + 1, words);
	roll.count = 0;
	enrol(&roll, old, words);
	at = seek(&roll, key, words, &found);
	memmove(partner_at(room, at + 1, words), partner_at(room, at, words),
		(count - at) * partner_size(words));
	memmove(roll.names + at + 1, roll.names + at, (count - at) * sizeof(char *));
	partner = partner_at(room, at, words);
	*partner = (struct partner){ .bits = key->bits };
	memcpy(partner->word, key->word, words * sizeof(u32));
	roll.names[at] = NULL;
	roll.count = count + 1;
	tree = build(&roll, place->start, words);
	kvfree(room);
	if (!tree)
		return false;
	replace(place->link, tree);
	return true;
}

/* The prefix's partner, as scaffolding if it was not there; none without memory. */
static struct found ensure(struct edge_prefixes *table, const struct edge_prefix *prefix)
{
	const struct trie_key key = key_of(prefix->family, &prefix->addr, prefix->bits);
	struct found found = find_key(table, prefix->family, &key);
	u32 words = words_of(prefix->family);
	struct edge_prefix_tree *tree;
	struct place place;

	if (found.partner)
		return found;
	do {
		place = place_of(table, prefix->family, &key);
		tree = held(*place.link);
	} while (tree && tree->width && make_room(&place, &key, words));
	if (!insert(&place, &key, words))
		return found;
	recount(table, prefix->family, &key, &place, 1);
	return find_key(table, prefix->family, &key);
}

/* The leaf there without what is neither in a group nor about to be. */
static void prune(struct edge_prefixes *table, const struct edge_prefix *prefix)
{
	const struct trie_key key = key_of(prefix->family, &prefix->addr, prefix->bits);
	const struct place place = place_of(table, prefix->family, &key);
	struct edge_prefix_tree *old = held(*place.link), *tree;
	u32 words = words_of(prefix->family), i;
	struct roll all, left;
	void *room;
	int gone;

	if (!old || old->width)
		return;
	all = roll_of(old, words);
	room = kmalloc(roll_size(all.count, words), GFP_KERNEL_ACCOUNT);
	if (!room)
		return;		/* readers see nothing of it */
	left = roll_at(room, all.count, words);
	left.count = 0;
	for (i = 0; i < all.count; i++) {
		const struct partner *partner = partner_at(all.partners, i, words);

		if (partner->groups || partner->pending)
			copy(&left, left.count++, &all, i, 1, words);
	}
	tree = left.count ? new_leaf(&left, words) : NULL;
	kfree(room);
	if (left.count && !tree)
		return;
	gone = all.count - left.count;
	replace(place.link, tree);
	recount(table, prefix->family, &key, &place, -gone);
}

static struct trie_key shortened(struct trie_key key, u8 bits)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(key.word); i++) {
		int kept = clamp(bits - (int)i * 32, 0, 32);

		key.word[i] &= (u32)(~0ULL << (32 - kept));
	}
	key.bits = bits;
	return key;
}

/* The leaf that the lowest of the addresses below leads to. */
static const struct edge_prefix_tree *first_leaf(const struct edge_prefix_tree *tree)
{
	while (tree && tree->width)
		tree = held(as_branch(tree)->slots[0].tree);
	return tree;
}

/* Notes anew what a prefix's groups are now: where it ends in a branch. */
static void renote(struct edge_prefixes *table, const struct edge_prefix *prefix)
{
	const struct trie_key key = key_of(prefix->family, &prefix->addr, prefix->bits);
	struct branch *branch = place_of(table, prefix->family, &key).owner;
	const struct partner *partner;
	u32 words = words_of(prefix->family), first, i, j;
	u8 sum[WIDTH_MAX + 1] = {};	/* of the prefixes that end so many bits on, and before */
	u8 width, length, bits;

	if (!branch)
		return;
	if (key.bits == branch->from) {
		partner = find_key(table, prefix->family, &key).partner;
		WRITE_ONCE(branch->groups, partner->groups);
		return;
	}

	width = branch->tree.width;
	length = key.bits - branch->from;
	for (bits = 1; bits < length; bits++) {
		const struct trie_key around = shortened(key, branch->from + bits);

		partner = find_key(table, prefix->family, &around).partner;
		sum[bits] = sum[bits - 1] | (partner ? partner->groups : 0);
	}
	first = slice(key.word, branch->from, width, words);
	for (i = first; i < first + (1U << (width - length)); i++) {
		const struct edge_prefix_tree *leaf = first_leaf(held(branch->slots[i].tree));

		/* Shorter ones that end there begin here, or further to the left. */
		j = 0;
		for (bits = i == first ? length : width - __ffs(i); bits <= width; bits++) {
			sum[bits] = sum[bits - 1];
			for (; leaf && j < leaf->count; j++) {
				partner = partner_at(as_leaf(leaf)->partners, j, words);
				if (partner->bits > branch->from + bits)
					break;
				if (partner->bits == branch->from + bits)
					sum[bits] |= partner->groups;
			}
		}
		WRITE_ONCE(branch->slots[i].groups, sum[width]);
	}
}

static bool renames(const char *name, const struct edge_prefix *entry)
{
	return entry->name && (!name || strcmp(name, entry->name));
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
	const struct found found = ensure(table, entry);
	struct partner *partner = found.partner;
	bool rename;
	char *name;

	if (!partner)
		return -ENOMEM;
	rename = renames(*found.name, entry);
	if (!rename && !(entry->groups & ~(partner->groups | partner->pending)))
		return tolerant ? 0 : -EEXIST;
	if (!partner->groups && !partner->pending)
		++*fresh;
	partner->pending |= entry->groups;	/* before what may fail: forget() looks for it */
	if (rename) {
		name = kstrdup(entry->name, GFP_KERNEL_ACCOUNT);
		if (!name)
			return -ENOMEM;
		*prepared = (struct prepared){ .old_name = *found.name, .renamed = true };
		*found.name = name;	/* only lock holders look at names */
	}
	return 1;
}

static void finish_add(struct edge_prefixes *table, const struct edge_prefix *entry,
		       const struct prepared *prepared)
{
	struct partner *partner = find(table, entry).partner;

	kfree(prepared->old_name);
	if (!partner->groups)
		WRITE_ONCE(table->count, table->count + 1);
	partner->pending = 0;
	WRITE_ONCE(partner->groups, partner->groups | entry->groups);
	renote(table, entry);
}

/* Names go back in the reverse order: a list may rename one prefix twice. */
static void undo_names(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		       const struct prepared *prepared)
{
	while (n--) {
		char **name;

		if (!prepared[n].renamed)
			continue;
		name = find(table, &list[n]).name;
		kfree(*name);
		*name = prepared[n].old_name;
	}
}

static void forget(struct edge_prefixes *table, const struct edge_prefix *list, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		struct partner *partner = find(table, &list[i]).partner;

		if (!partner)
			continue;
		partner->pending = 0;
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
	struct partner *partner;
	u32 changed = 0, i;
	u8 left, leaves;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		*bad = i;
		partner = find(table, &list[i]).partner;
		left = partner ? partner->groups & ~partner->pending : 0;
		leaves = list[i].groups ? list[i].groups : left;
		if (!left)
			err = tolerant ? 0 : -ENOENT;
		else if (leaves & ~left)
			err = tolerant ? 0 : -ESRCH;
		if (err || !(leaves & left))
			continue;
		partner->pending |= leaves & left;
		changed++;
	}
	if (err) {
		forget(table, list, i);
		return err;
	}

	for (i = 0; i < n; i++) {
		const struct found found = find(table, &list[i]);

		partner = found.partner;
		if (!partner || !partner->pending)
			continue;
		WRITE_ONCE(partner->groups, partner->groups & ~partner->pending);
		partner->pending = 0;
		renote(table, &list[i]);
		if (partner->groups)
			continue;
		kfree(*found.name);
		*found.name = NULL;
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

/* The first partner of a tree that is not empty. */
static struct found first_of(const struct edge_prefix_tree *tree, u32 words)
{
	struct roll roll;

	while (tree->width) {
		const struct slot *slot = as_branch(tree)->slots;

		while (!held(slot->tree))
			slot++;
		tree = held(slot->tree);
	}
	roll = roll_of(tree, words);
	return found_at(&roll, 0, words);
}

/* The first one after the key in order, scaffolding included; or none. */
static struct found after(const struct edge_prefix_tree *tree, const struct trie_key *key,
			  u32 words)
{
	struct found found = {};
	const struct branch *branch;
	struct roll roll;
	bool there;
	u32 i;

	if (!tree)
		return found;
	if (!tree->width) {
		roll = roll_of(tree, words);
		i = seek(&roll, key, words, &there);
		return i + there < roll.count ? found_at(&roll, i + there, words) : found;
	}

	branch = as_branch(tree);
	if (!agree(branch->word, key->word, branch->from, words)) {
		found = first_of(tree, words);
		if (compare(found.partner->word, 0, key->word, 0, words) < 0)
			found = (struct found){};
		return found;
	}
	i = slice(key->word, branch->from, tree->width, words);
	found = after(held(branch->slots[i].tree), key, words);
	while (!found.partner && ++i < 1U << tree->width)
		if (held(branch->slots[i].tree))
			found = first_of(held(branch->slots[i].tree), words);
	return found;
}

static void describe(const struct found *found, u8 family, struct edge_prefix *prefix)
{
	u32 i;

	memset(prefix, 0, sizeof(*prefix));
	for (i = 0; i < words_of(family); i++)
		prefix->addr.ip6[i] = cpu_to_be32(found->partner->word[i]);
	prefix->family = family;
	prefix->bits = found->partner->bits;
	prefix->groups = found->partner->groups;
	prefix->name = *found->name;
}

/* As edge_prefix_next(), within one family. */
static bool next_in(const struct edge_prefixes *table, u8 family, struct edge_prefix *prefix)
{
	const struct edge_prefix_tree *root = held(table->root[family_index(family)]);
	u32 words = words_of(family);
	struct found found = {};
	struct trie_key key;

	if (prefix->family == family) {
		key = key_of(family, &prefix->addr, prefix->bits);
		found = after(root, &key, words);
	} else if (root) {
		found = first_of(root, words);
	}
	while (found.partner && !found.partner->groups) {
		key.bits = found.partner->bits;
		memcpy(key.word, found.partner->word, words * sizeof(u32));
		found = after(root, &key, words);
	}
	if (found.partner)
		describe(&found, family, prefix);
	return found.partner;
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

	return prefix->family == family && agree(a.word, b.word, a.bits, 4);
}

bool edge_prefix_has_host_bits(const struct edge_prefix *prefix)
{
	const struct trie_key key = key_of(prefix->family, &prefix->addr, prefix->bits);
	const struct trie_key clear = shortened(key, key.bits);

	return memcmp(key.word, clear.word, sizeof(key.word));
}
