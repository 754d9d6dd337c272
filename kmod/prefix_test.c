// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the partner table, most of all against a deliberately dumb twin:
 * a sorted array, searched from end to end, which is told the same in the same order.
 */
#include <kunit/test.h>
#include <linux/inet.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "edge.h"
#include "prefix.h"

/* tests/kunit/run sets these on the kernel's command line. */
static unsigned long long seed;
module_param_named(kunit_seed, seed, ullong, 0);
MODULE_PARM_DESC(kunit_seed, "Seed of the random tests (0: a random one)");

static unsigned int operations = 100000;
module_param_named(kunit_operations, operations, uint, 0);
MODULE_PARM_DESC(kunit_operations, "Number of changes that a random test makes");

#define FEDERATION	BIT(NF_EDGE_GROUP_FEDERATION)
#define PIC		BIT(NF_EDGE_GROUP_PIC)
#define XMPP		BIT(NF_EDGE_GROUP_XMPP)
#define ROOM		1000
#define PLENTY		100000

#define FAR_FROM_NOW	BIT(27)	/* seconds since boot */

static u8 family_bits(u8 family)
{
	return family == NFPROTO_IPV4 ? 32 : 128;
}

/* Prefixes as people write them: "198.51.100.0/24". */

static struct edge_prefix parsed(struct kunit *test, const char *text, u8 groups, const char *name)
{
	struct edge_prefix prefix = { .groups = groups, .name = name };
	const char *slash = strchrnul(text, '/');
	int length = slash - text;

	if (in4_pton(text, length, (u8 *)&prefix.addr, -1, NULL))
		prefix.family = NFPROTO_IPV4;
	else if (in6_pton(text, length, (u8 *)&prefix.addr, -1, NULL))
		prefix.family = NFPROTO_IPV6;
	KUNIT_ASSERT_NE_MSG(test, prefix.family, 0, "%s", text);
	prefix.bits = family_bits(prefix.family);
	if (*slash)
		KUNIT_ASSERT_EQ_MSG(test, kstrtou8(slash + 1, 10, &prefix.bits), 0, "%s", text);
	return prefix;
}

struct words {
	char text[112];
};

static struct words words_of(const struct edge_prefix *prefix)
{
	struct words words;

	if (prefix->family == NFPROTO_IPV4)
		scnprintf(words.text, sizeof(words.text), "%pI4/%u groups %x name %s%s%s",
			  &prefix->addr, prefix->bits, prefix->groups, prefix->name ?: "-",
			  prefix->domain ? " domain " : "", prefix->domain ?: "");
	else
		scnprintf(words.text, sizeof(words.text), "%pI6c/%u groups %x name %s%s%s",
			  &prefix->addr, prefix->bits, prefix->groups, prefix->name ?: "-",
			  prefix->domain ? " domain " : "", prefix->domain ?: "");
	return words;
}

static void free_table(void *table)
{
	edge_prefix_table_free(table);
}

static struct edge_prefixes *new_table(struct kunit *test)
{
	struct edge_prefixes *table = edge_prefix_table_new();

	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_table, table), 0);
	return table;
}

static struct edge_prefixes *new_staged_table(struct kunit *test)
{
	struct edge_prefixes *table = edge_prefix_table_staged();

	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_table, table), 0);
	return table;
}

static int add(struct kunit *test, struct edge_prefixes *table, const char *text, u8 groups,
	       const char *name)
{
	const struct edge_prefix prefix = parsed(test, text, groups, name);
	u32 bad;

	return edge_prefix_add(table, &prefix, 1, ROOM, false, &bad);
}

static int add_from(struct kunit *test, struct edge_prefixes *table, const char *text, u8 groups,
		    const char *domain, const char *name)
{
	struct edge_prefix prefix = parsed(test, text, groups, name);
	u32 bad;

	prefix.domain = domain;
	return edge_prefix_add(table, &prefix, 1, ROOM, false, &bad);
}

static int del_from(struct kunit *test, struct edge_prefixes *table, const char *text, u8 groups,
		    const char *domain)
{
	struct edge_prefix prefix = parsed(test, text, groups, NULL);
	u32 bad;

	prefix.domain = domain;
	return edge_prefix_del(table, &prefix, 1, false, &bad);
}

static int add_tolerantly(struct kunit *test, struct edge_prefixes *table, const char *text,
			  u8 groups, const char *name)
{
	const struct edge_prefix prefix = parsed(test, text, groups, name);
	u32 bad;

	return edge_prefix_add(table, &prefix, 1, ROOM, true, &bad);
}

static int del(struct kunit *test, struct edge_prefixes *table, const char *text, u8 groups)
{
	const struct edge_prefix prefix = parsed(test, text, groups, NULL);
	u32 bad;

	return edge_prefix_del(table, &prefix, 1, false, &bad);
}

/* By the tree, for the first time and again: all the same. */
static u8 look_up(struct kunit *test, struct edge_prefixes *table, u8 family,
		  const union nf_inet_addr *addr)
{
	u8 groups, met, remembered;

	rcu_read_lock();
	groups = edge_prefix_lookup(table, family, addr);
	local_bh_disable();
	met = edge_prefix_lookup(table, family, addr);
	remembered = edge_prefix_lookup(table, family, addr);
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, met, groups);
	KUNIT_EXPECT_EQ(test, remembered, groups);
	return groups;
}

static u8 groups_of(struct kunit *test, struct edge_prefixes *table, const char *text)
{
	const struct edge_prefix at = parsed(test, text, 0, NULL);

	return look_up(test, table, at.family, &at.addr);
}

static bool take(const struct edge_prefix *prefix, void *data)
{
	struct edge_prefix *next = data;

	if (!prefix->groups)
		return true;
	*next = *prefix;
	return false;
}

/* The next entry that is in a group; @prefix is where to go on from, and that. */
static bool next_entry(const struct edge_prefixes *table, struct edge_prefix *prefix)
{
	const struct edge_prefix from = *prefix;

	return !edge_prefix_each(table, &from, take, prefix);
}

/* The whole table, a line a prefix. */
static void expect_listing(struct kunit *test, const struct edge_prefixes *table, const char *want)
{
	struct edge_prefix prefix = { .family = NFPROTO_UNSPEC };
	const size_t size = 2048;
	char *got = kunit_kzalloc(test, size, GFP_KERNEL);
	size_t used = 0;

	KUNIT_ASSERT_NOT_NULL(test, got);
	while (next_entry(table, &prefix)) {
		const struct words words = words_of(&prefix);

		used += scnprintf(got + used, size - used, "%s\n", words.text);
	}
	KUNIT_EXPECT_STREQ(test, got, want);
}

/*
 * How the tree stands: struct edge_tree and struct branch, which are tree.c's own. What
 * goes down it calls itself, and the stack is short: no look-up tells how deep it is.
 */
struct shape {
	struct {
		struct rcu_head rcu;
		u32 count;
		u8 width;
	} tree;
	u8 from;
	u8 groups;
	u32 built;
	u32 stale[2];
	u32 word[4];
	struct {
		struct shape *below;
		u8 groups;
	} slots[];
};

static int branches_below(const struct shape *shape)
{
	int most = 0;
	u32 i;

	if (!shape || !shape->tree.width)
		return 0;
	for (i = 0; i < 1U << shape->tree.width; i++)
		most = max(most, branches_below(shape->slots[i].below));
	return most + 1;
}

/* Has a table leave groups, as a copy of the policy does; whether any prefix was in one. */
static bool flush(struct kunit *test, struct edge_prefixes *table, u8 groups)
{
	struct edge_prefixes *left;
	bool changed;

	KUNIT_ASSERT_EQ(test, edge_prefix_settle(table), 0);
	left = edge_prefix_without(table, groups, &changed);
	KUNIT_ASSERT_NOT_NULL(test, left);
	swap(*table, *left);
	edge_prefix_table_free(left);
	return changed;
}

static void recall(struct edge_prefixes *table)
{
	int cpu;

	rcu_read_lock();
	local_bh_disable();
	for_each_possible_cpu(cpu)
		edge_prefix_recall(table, cpu);
	local_bh_enable();
	rcu_read_unlock();
}

static unsigned long context_switches(void)
{
	return current->nvcsw + current->nivcsw;
}

/*
 * A branch that comes above another one takes over the groups of the prefix that ends between them.
 * A packet may have come to the lower one before.
 */
static void prefix_readers_miss_nothing_below_a_new_branch(struct kunit *test)
{
	struct edge_tree __rcu *met;
	struct edge_prefixes *table;
	unsigned long switches;
	union nf_inet_addr addr;
	u8 groups;
	int i;

	in4_pton("10.31.255.1", -1, (u8 *)&addr, -1, NULL);
	do {		/* until nothing that is given up can have been freed in between */
		table = new_table(test);
		add(test, table, "10.16.0.0/12", PIC, NULL);
		for (i = 0; i < 40; i++) {
			struct edge_prefix host = parsed(test, "10.16.0.0", FEDERATION, NULL);
			u32 bad;

			host.addr.ip |= cpu_to_be32(i << 8);
			edge_prefix_add(table, &host, 1, ROOM, false, &bad);
		}
		RCU_INIT_POINTER(met, rcu_access_pointer(table->root[0]));
		KUNIT_ASSERT_EQ(test, ((const struct shape *)rcu_access_pointer(met))->from, 12);
		switches = context_switches();
		add(test, table, "10.128.0.0/16", XMPP, NULL);
		rcu_read_lock();
		groups = context_switches() == switches ? edge_tree_lookup_ipv4(&met, addr.ip) : 0;
		rcu_read_unlock();
	} while (context_switches() != switches);
	KUNIT_EXPECT_EQ(test, groups, PIC);
	KUNIT_EXPECT_NE(test, (ulong)rcu_access_pointer(met),
			(ulong)rcu_access_pointer(table->root[0]));
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "10.31.255.1"), PIC);
	KUNIT_EXPECT_EQ(test, del(test, table, "10.16.0.0/12", 0), 1);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "10.31.255.1"), 0);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "10.16.1.0"), FEDERATION);
}

/* Each of them is shorter than what all below has in common, and than the one before. */
static void prefix_short_ones_build_nothing_anew(struct kunit *test)
{
	struct edge_prefix prefix = parsed(test, "10.31.0.0", FEDERATION, NULL);
	struct edge_prefixes *table = new_staged_table(test);
	const struct shape *large, *found;
	const u32 word[] = { 0x0a1f0000 };
	u32 bad, i;
	u8 from;

	for (i = 0; i < 256; i++) {
		prefix.addr.ip = cpu_to_be32(*word | i);
		KUNIT_ASSERT_EQ(test, edge_prefix_add(table, &prefix, 1, ROOM, true, &bad), 1);
	}
	KUNIT_ASSERT_EQ(test, edge_prefix_settle(table), 0);
	large = (const void *)rcu_access_pointer(table->root[0]);
	from = large->from;	/* it may be gone later */
	KUNIT_ASSERT_GT(test, from, 20);
	prefix.groups = PIC;
	for (i = from - 1; i; i--) {
		prefix.bits = i;
		prefix.addr.ip = cpu_to_be32(*word & ~0U << (32 - i));
		KUNIT_ASSERT_EQ(test, edge_prefix_add(table, &prefix, 1, ROOM, false, &bad), 1);
		KUNIT_EXPECT_EQ(test, groups_of(test, table, "10.31.0.77"), FEDERATION | PIC);
	}
	found = (const void *)rcu_access_pointer(table->root[0]);
	while (found && found->tree.width && found->from < from)
		found = found->slots[edge_roll_slice(word, found->from, found->tree.width,
						     1)].below;
	KUNIT_EXPECT_PTR_EQ(test, found, large);
}

/* Each new prefix parts from the others one bit earlier than the one before. */
static void prefix_no_way_down_is_long(struct kunit *test)
{
	struct edge_prefix prefix =
		parsed(test, "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aa00", PIC, NULL);
	struct edge_prefixes *table = new_table(test);
	const struct shape *root;
	int bit, i;
	u32 bad;

	for (i = 0; i < 40; i++) {
		((u8 *)&prefix.addr)[15] = i;
		KUNIT_EXPECT_EQ(test, edge_prefix_add(table, &prefix, 1, ROOM, false, &bad), 1);
	}
	for (bit = 119; bit >= 0; bit--) {
		struct edge_prefix parting = prefix;

		((u8 *)&parting.addr)[bit / 8] ^= 0x80 >> bit % 8;
		KUNIT_EXPECT_EQ(test, edge_prefix_add(table, &parting, 1, ROOM, false, &bad), 1);
		root = (const void *)rcu_access_pointer(table->root[1]);
		KUNIT_EXPECT_LE(test, branches_below(root), 32);
	}
	KUNIT_EXPECT_EQ(test, table->count, 160);
	KUNIT_EXPECT_TRUE(test, flush(test, table, NF_EDGE_GROUP_MASK));
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(table->root[1]));
}

/* What is added while a table gathers is there as if it had been added one by one. */
static void prefix_staged_table_gathers(struct kunit *test)
{
	struct edge_prefixes *table = new_staged_table(test);

	add_tolerantly(test, table, "198.51.100.0/24", FEDERATION, NULL);
	add_tolerantly(test, table, "2001:db8::/32", XMPP, "six");
	add_tolerantly(test, table, "192.0.2.0/24", PIC, "first");
	add_tolerantly(test, table, "192.0.2.0/25", PIC, NULL);
	add_tolerantly(test, table, "198.51.100.0/24", PIC, "one");
	add_tolerantly(test, table, "192.0.2.0/24", FEDERATION, NULL);
	add_tolerantly(test, table, "198.51.100.0/24", PIC, "another");
	add_tolerantly(test, table, "2001:db8::/32", XMPP, NULL);
	add_tolerantly(test, table, "192.0.2.0/25", PIC, "for a while");
	add_tolerantly(test, table, "192.0.2.0/25", PIC, "");
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(table->root[0]));

	KUNIT_EXPECT_EQ(test, edge_prefix_settle(table), 0);
	KUNIT_EXPECT_EQ(test, table->count, 4);
	expect_listing(test, table,
		       "192.0.2.0/24 groups 3 name first\n"
		       "192.0.2.0/25 groups 2 name -\n"
		       "198.51.100.0/24 groups 3 name another\n"
		       "2001:db8::/32 groups 10 name six\n");
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "192.0.2.1"), FEDERATION | PIC);
	KUNIT_EXPECT_EQ(test, edge_prefix_settle(table), 0);
}

/* Whatever is asked, it is asked of what was gathered, too. */
static void prefix_staged_table_settles(struct kunit *test)
{
	struct edge_prefixes *added = new_staged_table(test), *left = new_staged_table(test);
	struct edge_prefixes *flushed = new_staged_table(test), *full = new_staged_table(test);
	struct edge_prefix more;
	u32 bad;

	add_tolerantly(test, added, "192.0.2.1", PIC, NULL);
	KUNIT_EXPECT_EQ(test, add(test, added, "192.0.2.1", PIC, NULL), -EEXIST);
	KUNIT_EXPECT_EQ(test, add(test, added, "192.0.2.2", PIC, NULL), 1);
	KUNIT_EXPECT_EQ(test, add_tolerantly(test, added, "192.0.2.2", PIC, NULL), 0);
	KUNIT_EXPECT_EQ(test, added->count, 2);

	add_tolerantly(test, left, "192.0.2.1", PIC, "named");
	KUNIT_EXPECT_EQ(test, del(test, left, "192.0.2.2", 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, del(test, left, "192.0.2.1", 0), 1);
	KUNIT_EXPECT_EQ(test, left->count, 0);

	add_tolerantly(test, flushed, "192.0.2.1", PIC, NULL);
	add_tolerantly(test, flushed, "192.0.2.2", PIC | XMPP, NULL);
	KUNIT_EXPECT_TRUE(test, flush(test, flushed, PIC));
	expect_listing(test, flushed, "192.0.2.2/32 groups 10 name -\n");

	/* One that came twice takes one place; what has none is refused. */
	add_tolerantly(test, full, "192.0.2.1", PIC, NULL);
	add_tolerantly(test, full, "192.0.2.1", PIC, NULL);
	more = parsed(test, "192.0.2.2", PIC, NULL);
	KUNIT_EXPECT_EQ(test, edge_prefix_add(full, &more, 1, 2, true, &bad), 1);
	more = parsed(test, "192.0.2.3", PIC, NULL);
	KUNIT_EXPECT_EQ(test, edge_prefix_add(full, &more, 1, 2, true, &bad), -ENOSPC);
	KUNIT_EXPECT_EQ(test, full->count, 2);
}

/* In any order, and enough for several branches: as the same list added one by one. */
static void prefix_gathered_is_like_added(struct kunit *test)
{
	struct edge_prefixes *staged = new_staged_table(test), *table = new_table(test);
	struct edge_prefix one = { .family = NFPROTO_UNSPEC }, other = one;
	struct rnd_state random;
	u32 i, bad;

	prandom_seed_state(&random, 7);
	for (i = 0; i < 20000; i++) {
		struct edge_prefix prefix = { .family = i % 3 ? NFPROTO_IPV4 : NFPROTO_IPV6 };
		u8 bits = prefix.family == NFPROTO_IPV4 ? 32 : 128;

		prefix.bits = prandom_u32_state(&random) % 4 ? bits - 8 : bits;
		prefix.groups = 1 + prandom_u32_state(&random) % NF_EDGE_GROUP_MASK;
		prefix.addr.ip6[0] = cpu_to_be32(prandom_u32_state(&random) & 0xff0fff00);
		if (prefix.family == NFPROTO_IPV6)
			prefix.addr.ip6[3] = cpu_to_be32(prandom_u32_state(&random) & 0xf00);
		edge_prefix_add(table, &prefix, 1, PLENTY, true, &bad);
		edge_prefix_add(staged, &prefix, 1, PLENTY, true, &bad);
		rcu_read_lock();
		edge_prefix_see(table, prefix.family, &prefix.addr, prefix.groups, 1, 1 + i % 3);
		rcu_read_unlock();
	}
	KUNIT_EXPECT_EQ(test, edge_prefix_settle(staged), 0);
	edge_prefix_inherit(staged, table);
	KUNIT_EXPECT_EQ(test, staged->count, table->count);
	for (i = 0; i <= table->count; i++) {
		bool more = next_entry(table, &one);

		KUNIT_ASSERT_EQ(test, next_entry(staged, &other), more);
		KUNIT_ASSERT_EQ(test, more, i < table->count);
		if (!more)
			break;
		KUNIT_ASSERT_STREQ(test, words_of(&other).text, words_of(&one).text);
		KUNIT_ASSERT_EQ(test, other.packets, one.packets);
		KUNIT_ASSERT_EQ(test, other.seen, one.seen);
		KUNIT_ASSERT_EQ(test, look_up(test, staged, one.family, &one.addr),
				look_up(test, table, one.family, &one.addr));
	}
}

/* What tables say, not in which order they were told; and every part of it counts. */
static void prefix_tables_are_equal_when_they_say_the_same(struct kunit *test)
{
	static const struct equal_case {
		const char *prefix;
		u8 groups;
		const char *name;
		bool equal;
	} cases[] = {
		{ "2001:db8::/32", XMPP | PIC, "six", true },
		{ "2001:db8::/33", XMPP | PIC, "six", false },
		{ "2001:db9::/32", XMPP | PIC, "six", false },
		{ "32.1.13.184", XMPP | PIC, "six", false },
		{ "2001:db8::/32", XMPP, "six", false },
		{ "2001:db8::/32", XMPP | PIC, "sixth", false },
		{ "2001:db8::/32", XMPP | PIC, NULL, false },
		{ "192.0.2.0/24", XMPP | PIC, "six", false },	/* is there: one partner less */
	};
	const struct equal_case *c;

	for (c = cases; c < cases + ARRAY_SIZE(cases); c++) {
		struct edge_prefixes *one = new_table(test), *other = new_staged_table(test);

		KUNIT_EXPECT_EQ(test, add(test, one, "192.0.2.0/24", PIC, NULL), 1);
		KUNIT_EXPECT_EQ(test, add(test, one, "192.0.2.0/25", PIC, "half"), 1);
		KUNIT_EXPECT_EQ(test, add(test, one, "2001:db8::/32", XMPP | PIC, "six"), 1);
		add_tolerantly(test, other, c->prefix, c->groups, c->name);
		add_tolerantly(test, other, "192.0.2.0/25", PIC, "half");
		add_tolerantly(test, other, "192.0.2.0/24", PIC, NULL);
		KUNIT_EXPECT_EQ(test, edge_prefix_settle(other), 0);
		KUNIT_EXPECT_EQ_MSG(test, edge_prefix_table_equal(one, other), c->equal,
				    "%s", c->prefix);
		KUNIT_EXPECT_EQ_MSG(test, edge_prefix_table_equal(other, one), c->equal,
				    "%s", c->prefix);
	}
}

/* A prefix has a share of each of its domains, and its own. */
static void prefix_tables_are_equal_share_by_share(struct kunit *test)
{
	static const struct share_case {
		const char *what;
		struct {
			const char *domain;
			u8 groups;
			const char *name;
		} shares[4];
		bool equal;
	} cases[] = {
		{ "the same, told in another order",
		  { { "b.test", XMPP, NULL }, { NULL, PIC, "own" }, { "a.test", PIC, "a" } },
		  true },
		{ "a share less",
		  { { NULL, PIC, "own" }, { "a.test", PIC, "a" } }, false },
		{ "nobody's share less",
		  { { "a.test", PIC, "a" }, { "b.test", XMPP, NULL } }, false },
		{ "a share more",
		  { { NULL, PIC, "own" }, { "a.test", PIC, "a" }, { "b.test", XMPP, NULL },
		    { "c.test", XMPP, NULL } }, false },
		{ "another domain",
		  { { NULL, PIC, "own" }, { "a.test", PIC, "a" }, { "c.test", XMPP, NULL } },
		  false },
		{ "a share's groups",
		  { { NULL, PIC, "own" }, { "a.test", PIC, "a" }, { "b.test", XMPP | PIC, NULL } },
		  false },
		{ "a share's name",
		  { { NULL, PIC, "own" }, { "a.test", PIC, "A" }, { "b.test", XMPP, NULL } },
		  false },
		{ "names the other way round",
		  { { NULL, PIC, "a" }, { "a.test", PIC, "own" }, { "b.test", XMPP, NULL } },
		  false },
		{ "only their union",
		  { { NULL, PIC | XMPP, "own" } }, false },
	};
	const struct share_case *c;
	u32 i;

	for (c = cases; c < cases + ARRAY_SIZE(cases); c++) {
		struct edge_prefixes *one = new_table(test), *other = new_table(test);

		add_from(test, one, "192.0.2.1", PIC, NULL, "own");
		add_from(test, one, "192.0.2.1", PIC, "a.test", "a");
		add_from(test, one, "192.0.2.1", XMPP, "b.test", NULL);
		for (i = 0; i < ARRAY_SIZE(c->shares) && c->shares[i].groups; i++)
			add_from(test, other, "192.0.2.1", c->shares[i].groups,
				 c->shares[i].domain, c->shares[i].name);
		KUNIT_EXPECT_EQ_MSG(test, edge_prefix_table_equal(one, other), c->equal,
				    "%s", c->what);
		KUNIT_EXPECT_EQ_MSG(test, edge_prefix_table_equal(other, one), c->equal,
				    "%s", c->what);
	}
}

static void prefix_empty_table_has_nothing(struct kunit *test)
{
	struct edge_prefixes *table = new_table(test);

	KUNIT_EXPECT_EQ(test, table->count, 0);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "198.51.100.7"), 0);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "2001:db8::7"), 0);
	KUNIT_EXPECT_EQ(test, del(test, table, "0.0.0.0/0", 0), -ENOENT);
	KUNIT_EXPECT_FALSE(test, flush(test, table, NF_EDGE_GROUP_MASK));
	expect_listing(test, table, "");
	edge_prefix_table_free(NULL);
}

static void prefix_nested_prefixes_unite_their_groups(struct kunit *test)
{
	struct edge_prefixes *table = new_table(test);

	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.0/24", FEDERATION, NULL), 1);
	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.128/25", PIC, NULL), 1);
	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.255", XMPP, NULL), 1);
	KUNIT_EXPECT_EQ(test, table->count, 3);

	KUNIT_EXPECT_EQ(test, groups_of(test, table, "198.51.99.255"), 0);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "198.51.100.0"), FEDERATION);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "198.51.100.127"), FEDERATION);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "198.51.100.128"), FEDERATION | PIC);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "198.51.100.254"), FEDERATION | PIC);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "198.51.100.255"), FEDERATION | PIC | XMPP);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "198.51.101.0"), 0);

	KUNIT_EXPECT_EQ(test, del(test, table, "198.51.100.128/25", 0), 1);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "198.51.100.200"), FEDERATION);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "198.51.100.255"), FEDERATION | XMPP);
}

/* The longest prefix that was asked for was seen, and a packet that comes late is no news. */
static bool covers(const struct edge_prefix *prefix, u8 family, const union nf_inet_addr *addr)
{
	const u8 *a = (const u8 *)&prefix->addr, *b = (const u8 *)addr;
	int whole = prefix->bits / 8, rest = prefix->bits % 8;

	return prefix->family == family && !memcmp(a, b, whole) &&
	       (!rest || !((a[whole] ^ b[whole]) & (0xff00 >> rest)));
}

static void prefix_sightings_are_of_the_longest(struct kunit *test)
{
	static const struct {
		u8 groups;
		u8 bits;
	} cases[] = { { PIC, 0 }, { FEDERATION, 32 }, { XMPP, 24 }, { PIC | XMPP, 24 } };
	const struct edge_prefix addr = parsed(test, "198.51.100.7", PIC, NULL);
	struct edge_prefixes *table = new_table(test);
	const u32 later = FAR_FROM_NOW;
	u32 bits[33] = {};
	u32 i;

	add(test, table, "0.0.0.0/0", PIC, NULL);
	add(test, table, "198.51.100.0/24", FEDERATION | XMPP, NULL);
	add(test, table, "198.51.100.7", FEDERATION, NULL);
	add(test, table, "198.51.100.8", FEDERATION, NULL);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct edge_prefix prefix = { .family = NFPROTO_UNSPEC };

		rcu_read_lock();
		edge_prefix_see(table, NFPROTO_IPV4, &addr.addr, cases[i].groups, later + i, 2);
		edge_prefix_see(table, NFPROTO_IPV4, &addr.addr, cases[i].groups, 1, U32_MAX);
		rcu_read_unlock();
		bits[cases[i].bits]++;
		while (next_entry(table, &prefix)) {
			bool met = covers(&prefix, NFPROTO_IPV4, &addr.addr);

			KUNIT_EXPECT_EQ(test, prefix.packets,
					met ? bits[prefix.bits] * (2ULL + U32_MAX) : 0);
			if (met && prefix.bits == cases[i].bits)
				KUNIT_EXPECT_EQ(test, prefix.seen, later + i);
		}
	}
}

static void note(struct edge_prefixes *table, const union nf_inet_addr *addr, u32 packets)
{
	rcu_read_lock();
	local_bh_disable();
	while (packets--)
		if (edge_prefix_lookup(table, NFPROTO_IPV4, addr))
			edge_prefix_note(table, NFPROTO_IPV4, addr, PIC);
	local_bh_enable();
	rcu_read_unlock();
}

static u64 packets_of(struct edge_prefixes *table)
{
	struct edge_prefix prefix = { .family = NFPROTO_UNSPEC };

	return next_entry(table, &prefix) ? prefix.packets : 0;
}

/* What a CPU remembers is told when it is asked for, and when another address takes its place. */
static void prefix_notes_are_told(struct kunit *test)
{
	struct edge_prefix partner = parsed(test, "198.51.0.0/16", PIC, NULL);
	struct edge_prefixes *table = new_table(test);
	union nf_inet_addr addr = partner.addr;
	int i;

	note(table, &addr, 1);	/* a stranger */
	add(test, table, "198.51.0.0/16", PIC, NULL);
	note(table, &addr, 1);
	KUNIT_EXPECT_EQ(test, packets_of(table), 1);
	note(table, &addr, 5);
	recall(table);
	KUNIT_EXPECT_EQ(test, packets_of(table), 6);
	recall(table);
	KUNIT_EXPECT_EQ(test, packets_of(table), 6);

	for (i = 0; i < 1000; i++) {
		addr.ip = partner.addr.ip | cpu_to_be32(i);
		note(table, &addr, 3);
	}
	recall(table);
	KUNIT_EXPECT_EQ(test, packets_of(table), 3006);
	KUNIT_EXPECT_EQ(test, del(test, table, "198.51.0.0/16", 0), 1);
	note(table, &addr, 1);
	add(test, table, "198.51.0.0/16", PIC, NULL);
	recall(table);
	KUNIT_EXPECT_EQ(test, packets_of(table), 0);
}

static void prefix_families_do_not_mix(struct kunit *test)
{
	struct edge_prefixes *table = new_table(test);

	/* the same leading bytes; and a partner may be everybody */
	KUNIT_EXPECT_EQ(test, add(test, table, "32.1.13.184", FEDERATION, NULL), 1);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "2001:db8::"), 0);
	KUNIT_EXPECT_EQ(test, add(test, table, "::/0", PIC, NULL), 1);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "2001:db8::"), PIC);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
			PIC);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "0.0.0.0"), 0);
	KUNIT_EXPECT_EQ(test, add(test, table, "0.0.0.0/0", XMPP, NULL), 1);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "32.1.13.184"), FEDERATION | XMPP);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "255.255.255.255"), XMPP);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "2001:db8::"), PIC);
}

static void prefix_lists_in_order(struct kunit *test)
{
	static const char * const texts[] = {
		"2001:db8::/32", "203.0.113.0/24", "198.51.100.7", "2001:db8::/128", "0.0.0.0/0",
		"198.51.100.0/24", "::/0", "198.51.100.0/25", "255.255.255.255", "2001:db8::1",
	};
	struct edge_prefixes *table = new_table(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		KUNIT_EXPECT_EQ(test, add(test, table, texts[i], PIC, NULL), 1);
	expect_listing(test, table,
		       "0.0.0.0/0 groups 2 name -\n"
		       "198.51.100.0/24 groups 2 name -\n"
		       "198.51.100.0/25 groups 2 name -\n"
		       "198.51.100.7/32 groups 2 name -\n"
		       "203.0.113.0/24 groups 2 name -\n"
		       "255.255.255.255/32 groups 2 name -\n"
		       "::/0 groups 2 name -\n"
		       "2001:db8::/32 groups 2 name -\n"
		       "2001:db8::/128 groups 2 name -\n"
		       "2001:db8::1/128 groups 2 name -\n");
}

static void prefix_add_changes_groups_and_names(struct kunit *test)
{
	struct edge_prefixes *table = new_table(test);

	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC, NULL), 1);
	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC, NULL), -EEXIST);
	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC | XMPP, NULL), 1);
	expect_listing(test, table, "198.51.100.7/32 groups 12 name -\n");

	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC, "a"), 1);
	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC, "a"), -EEXIST);
	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC, NULL), -EEXIST);
	expect_listing(test, table, "198.51.100.7/32 groups 12 name a\n");

	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC, ""), 1);
	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC, ""), -EEXIST);
	expect_listing(test, table, "198.51.100.7/32 groups 12 name -\n");

	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC, "b"), 1);
	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", FEDERATION, NULL), 1);
	expect_listing(test, table, "198.51.100.7/32 groups 13 name b\n");
	KUNIT_EXPECT_EQ(test, table->count, 1);
}

static void prefix_del_leaves_groups(struct kunit *test)
{
	struct edge_prefixes *table = new_table(test);

	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC | XMPP, "a"), 1);
	KUNIT_EXPECT_EQ(test, del(test, table, "198.51.100.7", FEDERATION), -ESRCH);
	KUNIT_EXPECT_EQ(test, del(test, table, "198.51.100.7", FEDERATION | PIC), -ESRCH);
	KUNIT_EXPECT_EQ(test, del(test, table, "198.51.100.0/24", 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, del(test, table, "198.51.100.7", PIC), 1);
	expect_listing(test, table, "198.51.100.7/32 groups 10 name a\n");
	KUNIT_EXPECT_EQ(test, table->count, 1);
	KUNIT_EXPECT_EQ(test, del(test, table, "198.51.100.7", XMPP), 1);
	KUNIT_EXPECT_EQ(test, del(test, table, "198.51.100.7", 0), -ENOENT);
	expect_listing(test, table, "");
	KUNIT_EXPECT_EQ(test, table->count, 0);

	/* it does not come back with its old name */
	KUNIT_EXPECT_EQ(test, add(test, table, "198.51.100.7", PIC, NULL), 1);
	expect_listing(test, table, "198.51.100.7/32 groups 2 name -\n");
}

static void prefix_flush_leaves_groups(struct kunit *test)
{
	struct edge_prefixes *table = new_table(test);

	add(test, table, "198.51.100.0/24", PIC, NULL);
	add(test, table, "198.51.100.7", PIC | XMPP, NULL);
	add(test, table, "2001:db8::/32", XMPP, NULL);
	KUNIT_EXPECT_FALSE(test, flush(test, table, FEDERATION));
	KUNIT_EXPECT_TRUE(test, flush(test, table, PIC));
	expect_listing(test, table,
		       "198.51.100.7/32 groups 10 name -\n"
		       "2001:db8::/32 groups 10 name -\n");
	KUNIT_EXPECT_TRUE(test, flush(test, table, NF_EDGE_GROUP_MASK));
	KUNIT_EXPECT_EQ(test, table->count, 0);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(table->root[0]));
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(table->root[1]));
}

/* What is left is a table of its own: readers of the one that is emptied see all of it. */
static void prefix_flush_changes_nothing_in_place(struct kunit *test)
{
	const char *before = "192.0.2.1/32 groups 1 name own\n"
			     "192.0.2.1/32 groups 12 name a domain a.test\n"
			     "192.0.2.1/32 groups 2 name - domain b.test\n"
			     "192.0.2.2/32 groups 2 name gone\n"
			     "2001:db8::/32 groups 12 name six\n";
	struct edge_prefixes *table = new_table(test), *left;
	struct edge_prefix one = parsed(test, "192.0.2.1", 0, NULL);
	struct edge_prefix first = { .family = NFPROTO_UNSPEC };
	bool changed;

	add(test, table, "192.0.2.1", FEDERATION, "own");
	add_from(test, table, "192.0.2.1", PIC | XMPP, "a.test", "a");
	add_from(test, table, "192.0.2.1", PIC, "b.test", NULL);
	add(test, table, "192.0.2.2", PIC, "gone");
	add(test, table, "2001:db8::/32", PIC | XMPP, "six");
	rcu_read_lock();
	edge_prefix_see(table, NFPROTO_IPV4, &one.addr, XMPP, FAR_FROM_NOW, 7);
	rcu_read_unlock();

	left = edge_prefix_without(table, PIC, &changed);
	KUNIT_ASSERT_NOT_NULL(test, left);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_table, left), 0);
	KUNIT_EXPECT_TRUE(test, changed);
	KUNIT_EXPECT_EQ(test, left->count, 2);
	expect_listing(test, table, before);
	expect_listing(test, left, "192.0.2.1/32 groups 1 name own\n"
				   "192.0.2.1/32 groups 10 name a domain a.test\n"
				   "2001:db8::/32 groups 10 name six\n");
	KUNIT_EXPECT_TRUE(test, next_entry(left, &first));
	KUNIT_EXPECT_EQ(test, first.packets, 7);
	KUNIT_EXPECT_EQ(test, first.seen, FAR_FROM_NOW);
	KUNIT_EXPECT_EQ(test, groups_of(test, left, "192.0.2.1"), FEDERATION | XMPP);
	KUNIT_EXPECT_EQ(test, groups_of(test, left, "192.0.2.2"), 0);
}

/* A listing that is cut between any two entries goes on with the next one. */
static void prefix_listing_goes_on(struct kunit *test)
{
	struct edge_prefixes *table = new_table(test);
	struct edge_prefix whole = { .family = NFPROTO_UNSPEC }, cut = whole;
	char domain[] = "a.test";
	int i, entries = 0;

	add(test, table, "192.0.2.0/24", PIC, NULL);
	for (i = 0; i < 20; i++, domain[0]++)
		add_from(test, table, "192.0.2.1", PIC, domain, NULL);
	add(test, table, "192.0.2.1", XMPP, "own");
	add(test, table, "2001:db8::/32", PIC, NULL);
	while (next_entry(table, &whole)) {
		struct edge_prefix on = {
			.addr = cut.addr, .family = cut.family, .bits = cut.bits,
			.place = cut.place, .more = true,
		};

		KUNIT_ASSERT_TRUE(test, next_entry(table, &on));
		KUNIT_EXPECT_STREQ(test, words_of(&on).text, words_of(&whole).text);
		cut = on;
		entries++;
	}
	KUNIT_EXPECT_EQ(test, entries, 23);
}

/* What a prefix owes to a domain, to another and to nobody does not mix. */
static void prefix_domains_have_shares(struct kunit *test)
{
	struct edge_prefixes *table = new_table(test);

	KUNIT_EXPECT_EQ(test, add_from(test, table, "192.0.2.1", PIC, "b.test", NULL), 1);
	KUNIT_EXPECT_EQ(test, add_from(test, table, "192.0.2.1", PIC | XMPP, "a.test", "a"), 1);
	KUNIT_EXPECT_EQ(test, add_from(test, table, "192.0.2.1", PIC, "a.test", NULL), -EEXIST);
	KUNIT_EXPECT_EQ(test, add(test, table, "192.0.2.1", FEDERATION, "by hand"), 1);
	KUNIT_EXPECT_EQ(test, add(test, table, "192.0.2.2", PIC, NULL), 1);
	KUNIT_EXPECT_EQ(test, table->count, 2);
	expect_listing(test, table,
		       "192.0.2.1/32 groups 1 name by hand\n"
		       "192.0.2.1/32 groups 12 name a domain a.test\n"
		       "192.0.2.1/32 groups 2 name - domain b.test\n"
		       "192.0.2.2/32 groups 2 name -\n");
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "192.0.2.1"), FEDERATION | PIC | XMPP);

	KUNIT_EXPECT_EQ(test, del_from(test, table, "192.0.2.1", 0, "c.test"), -ENOENT);
	KUNIT_EXPECT_EQ(test, del_from(test, table, "192.0.2.1", XMPP, "b.test"), -ESRCH);
	KUNIT_EXPECT_EQ(test, del_from(test, table, "192.0.2.1", PIC, "a.test"), 1);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "192.0.2.1"), FEDERATION | PIC | XMPP);
	KUNIT_EXPECT_EQ(test, del_from(test, table, "192.0.2.1", 0, "b.test"), 1);
	KUNIT_EXPECT_EQ(test, groups_of(test, table, "192.0.2.1"), FEDERATION | XMPP);
	KUNIT_EXPECT_EQ(test, del(test, table, "192.0.2.1", FEDERATION), 1);
	expect_listing(test, table,
		       "192.0.2.1/32 groups 10 name a domain a.test\n"
		       "192.0.2.2/32 groups 2 name -\n");

	/* from no domain is not from whichever */
	KUNIT_EXPECT_EQ(test, del_from(test, table, "192.0.2.1", 0, ""), -ENOENT);
	KUNIT_EXPECT_EQ(test, add(test, table, "192.0.2.1", XMPP, "by hand"), 1);
	KUNIT_EXPECT_EQ(test, del_from(test, table, "192.0.2.1", PIC, ""), -ESRCH);
	KUNIT_EXPECT_EQ(test, del_from(test, table, "192.0.2.1", XMPP, ""), 1);
	expect_listing(test, table,
		       "192.0.2.1/32 groups 10 name a domain a.test\n"
		       "192.0.2.2/32 groups 2 name -\n");

	/* whoever asks for no domain, asks for all of it */
	KUNIT_EXPECT_EQ(test, add(test, table, "192.0.2.1", XMPP, NULL), 1);
	KUNIT_EXPECT_EQ(test, del(test, table, "192.0.2.1", XMPP), 1);
	KUNIT_EXPECT_EQ(test, add_from(test, table, "192.0.2.1", PIC, "a.test", NULL), 1);
	KUNIT_EXPECT_TRUE(test, flush(test, table, PIC));
	expect_listing(test, table, "");
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(table->root[0]));
}

/* A staged table gathers until a domain's share comes. */
static void prefix_staged_table_takes_domains(struct kunit *test)
{
	struct edge_prefixes *table = new_staged_table(test);
	struct edge_prefix from = parsed(test, "192.0.2.1", XMPP, NULL);
	u32 bad;

	add_tolerantly(test, table, "192.0.2.1", PIC, "a");
	from.domain = "a.test";
	KUNIT_EXPECT_EQ(test, edge_prefix_add(table, &from, 1, ROOM, true, &bad), 1);
	KUNIT_EXPECT_NULL(test, table->gathering);
	KUNIT_EXPECT_EQ(test, edge_prefix_add(table, &from, 1, ROOM, true, &bad), 0);
	expect_listing(test, table,
		       "192.0.2.1/32 groups 2 name a\n"
		       "192.0.2.1/32 groups 10 name - domain a.test\n");
}

static void prefix_domains_are_limited(struct kunit *test)
{
	struct edge_prefixes *table = new_table(test);
	char domain[16];
	int i;

	add(test, table, "192.0.2.1", PIC, "by hand");
	for (i = 0; i < NF_EDGE_DOMAINS_MAX; i++) {
		scnprintf(domain, sizeof(domain), "%d.test", i);
		KUNIT_ASSERT_EQ(test, add_from(test, table, "192.0.2.1", PIC, domain, NULL), 1);
	}
	KUNIT_EXPECT_EQ(test, add_from(test, table, "192.0.2.1", PIC, "0.more", NULL), -EMLINK);
	KUNIT_EXPECT_EQ(test, add_from(test, table, "192.0.2.1", XMPP, "0.test", "a"), 1);
	KUNIT_EXPECT_EQ(test, del(test, table, "192.0.2.1", 0), 1);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(table->root[0]));
}

/* Lists are taken whole or not at all, and in order. */

struct list_case {
	const char *name;
	const struct {
		const char *text;
		u8 groups;
		const char *name;
		const char *domain;
	} list[4];
	bool del;
	bool tolerant;
	u32 limit;	/* 0: ROOM */
	int want;
	u32 bad;
	const char *listing;	/* afterwards; NULL: as before */
};

#define BEFORE "198.51.100.0/24 groups 2 name a\n"	/* group pic */

static const struct list_case list_cases[] = {
	{ "add: several", { { "198.51.100.7", XMPP, "b" }, { "192.0.2.1", PIC } }, .want = 2,
	  .listing = "192.0.2.1/32 groups 2 name -\n" BEFORE "198.51.100.7/32 groups 10 name b\n" },
	{ "add: the last one exists", { { "192.0.2.1", PIC }, { "192.0.2.2", PIC },
	  { "198.51.100.0/24", PIC } }, .want = -EEXIST, .bad = 2 },
	{ "add: the last one exists, tolerated", { { "192.0.2.1", PIC },
	  { "198.51.100.0/24", PIC } }, .tolerant = true, .want = 1,
	  .listing = "192.0.2.1/32 groups 2 name -\n" BEFORE },
	{ "add: nothing new, tolerated", { { "198.51.100.0/24", PIC, "a" },
	  { "198.51.100.0/24", PIC } }, .tolerant = true, .want = 0 },
	{ "add: the same twice", { { "192.0.2.1", PIC }, { "192.0.2.1", PIC } },
	  .want = -EEXIST, .bad = 1 },
	{ "add: the same twice, named", { { "192.0.2.1", PIC, "b" }, { "192.0.2.1", PIC, "b" } },
	  .want = -EEXIST, .bad = 1 },
	{ "add: the same twice, tolerated", { { "192.0.2.1", PIC, "b" },
	  { "192.0.2.1", PIC, "b" } }, .tolerant = true, .want = 1,
	  .listing = "192.0.2.1/32 groups 2 name b\n" BEFORE },
	{ "add: one prefix, two groups", { { "192.0.2.1", PIC }, { "192.0.2.1", XMPP } },
	  .want = 2, .listing = "192.0.2.1/32 groups 12 name -\n" BEFORE },
	{ "add: one prefix, two names: the last one holds", { { "192.0.2.1", PIC, "b" },
	  { "192.0.2.1", PIC, "c" } }, .want = 2,
	  .listing = "192.0.2.1/32 groups 2 name c\n" BEFORE },
	{ "add: renamed and named as before", { { "198.51.100.0/24", PIC, "b" },
	  { "198.51.100.0/24", PIC, "a" } }, .want = 2, .listing = BEFORE },
	{ "add: renamed and named as before, tolerated", { { "198.51.100.0/24", PIC, "b" },
	  { "198.51.100.0/24", PIC, "a" } }, .tolerant = true, .want = 2, .listing = BEFORE },
	{ "add: a name, and then without", { { "192.0.2.1", PIC, "b" }, { "192.0.2.1", XMPP } },
	  .want = 2, .listing = "192.0.2.1/32 groups 12 name b\n" BEFORE },
	{ "add: what was renamed keeps its name when the list is refused",
	  { { "198.51.100.0/24", XMPP, "b" }, { "198.51.100.0/24", XMPP, "c" },
	    { "198.51.100.0/24", PIC } }, .want = -EEXIST, .bad = 2 },
	{ "add: up to the limit", { { "192.0.2.1", PIC }, { "198.51.100.0/24", XMPP } },
	  .limit = 2, .want = 2,
	  .listing = "192.0.2.1/32 groups 2 name -\n198.51.100.0/24 groups 12 name a\n" },
	{ "add: beyond the limit", { { "192.0.2.1", PIC }, { "192.0.2.2", PIC } },
	  .limit = 2, .want = -ENOSPC, .bad = 1 },
	{ "add: beyond the limit, below a new prefix", { { "192.0.2.0/24", PIC },
	  { "192.0.2.128/25", PIC }, { "192.0.2.200", PIC } },
	  .limit = 3, .want = -ENOSPC, .bad = 2 },
	{ "add: beyond the limit, tolerated all the same", { { "192.0.2.1", PIC } },
	  .limit = 1, .tolerant = true, .want = -ENOSPC, .bad = 0 },
	{ "add: the same twice is one to the limit", { { "192.0.2.1", PIC },
	  { "192.0.2.1", XMPP } }, .limit = 2, .want = 2,
	  .listing = "192.0.2.1/32 groups 12 name -\n" BEFORE },
	{ "add: what one entry takes from two domains", { { "192.0.2.1", PIC, "b", "x" },
	  { "192.0.2.1", XMPP, "c", "y" }, { "192.0.2.1", XMPP, NULL, "x" } }, .want = 3,
	  .listing = "192.0.2.1/32 groups 12 name b domain x\n"
		     "192.0.2.1/32 groups 10 name c domain y\n" BEFORE },
	{ "add: what came from domains goes when the list is refused",
	  { { "192.0.2.1", PIC, "b", "x" }, { "192.0.2.1", XMPP, "c", "x" },
	    { "198.51.100.0/24", PIC, NULL, "y" }, { "198.51.100.0/24", PIC } },
	  .want = -EEXIST, .bad = 3 },
	{ "add: one place for all of its domains", { { "192.0.2.1", PIC, NULL, "x" },
	  { "192.0.2.1", PIC, NULL, "y" }, { "192.0.2.1", PIC } }, .limit = 2, .want = 3,
	  .listing = "192.0.2.1/32 groups 2 name -\n"
		     "192.0.2.1/32 groups 2 name - domain x\n"
		     "192.0.2.1/32 groups 2 name - domain y\n" BEFORE },
	{ "del: what comes from no domain, as if from one", { { "198.51.100.0/24", 0, NULL, "x" } },
	  .del = true, .want = -ENOENT, .bad = 0 },
	{ "del: the last one is not there", { { "198.51.100.0/24", PIC }, { "192.0.2.1", 0 } },
	  .del = true, .want = -ENOENT, .bad = 1 },
	{ "del: the last one is not there, tolerated", { { "198.51.100.0/24", PIC },
	  { "192.0.2.1", 0 } }, .del = true, .tolerant = true, .want = 1, .listing = "" },
	{ "del: not in that group, tolerated", { { "198.51.100.0/24", XMPP } },
	  .del = true, .tolerant = true, .want = 0 },
	{ "del: in one of those groups, tolerated", { { "198.51.100.0/24", XMPP | PIC } },
	  .del = true, .tolerant = true, .want = 1, .listing = "" },
	{ "del: the same twice", { { "198.51.100.0/24", 0 }, { "198.51.100.0/24", 0 } },
	  .del = true, .want = -ENOENT, .bad = 1 },
	{ "del: the same twice, tolerated", { { "198.51.100.0/24", 0 },
	  { "198.51.100.0/24", PIC } }, .del = true, .tolerant = true, .want = 1, .listing = "" },
};

KUNIT_ARRAY_PARAM_DESC(list, list_cases, name);

static void prefix_list_is_taken_whole_or_not_at_all(struct kunit *test)
{
	const struct list_case *c = test->param_value;
	struct edge_prefixes *table = new_table(test);
	struct edge_prefix list[ARRAY_SIZE(c->list)];
	u32 bad = 99, n;
	int got;

	add(test, table, "198.51.100.0/24", PIC, "a");
	for (n = 0; n < ARRAY_SIZE(c->list) && c->list[n].text; n++) {
		list[n] = parsed(test, c->list[n].text, c->list[n].groups, c->list[n].name);
		list[n].domain = c->list[n].domain;
	}

	if (c->del)
		got = edge_prefix_del(table, list, n, c->tolerant, &bad);
	else
		got = edge_prefix_add(table, list, n, c->limit ?: ROOM, c->tolerant, &bad);
	KUNIT_EXPECT_EQ(test, got, c->want);
	if (c->want < 0)
		KUNIT_EXPECT_EQ(test, bad, c->bad);
	expect_listing(test, table, c->listing ?: BEFORE);

	/* a refused list leaves not even scaffolding */
	if (c->want < 0) {
		KUNIT_EXPECT_EQ(test, del(test, table, "198.51.100.0/24", 0), 1);
		KUNIT_EXPECT_NULL(test, rcu_access_pointer(table->root[0]));
	}
}

/* Every entry that changes something counts, be it twice the same prefix. */
static void prefix_del_counts_entries(struct kunit *test)
{
	struct edge_prefixes *table = new_table(test);
	const struct edge_prefix list[] = {
		parsed(test, "198.51.100.7", PIC, NULL),
		parsed(test, "198.51.100.7", XMPP, NULL),
	};
	u32 bad;

	add(test, table, "198.51.100.7", PIC | XMPP, NULL);
	KUNIT_EXPECT_EQ(test, edge_prefix_del(table, list, 2, false, &bad), 2);
	expect_listing(test, table, "");
}

struct cover_case {
	const char *prefix;
	const char *addr;
	bool covers;
	bool host_bits;
};

static const struct cover_case cover_cases[] = {
	{ "0.0.0.0/0", "255.255.255.255", true, false },
	{ "0.0.0.0/0", "::", false, false },
	{ "198.51.100.0/24", "198.51.100.255", true, false },
	{ "198.51.100.0/24", "198.51.101.0", false, false },
	{ "198.51.100.1/24", "198.51.100.255", true, true },
	{ "198.51.100.1/31", "198.51.100.0", true, true },
	{ "198.51.100.1/32", "198.51.100.1", true, false },
	{ "198.51.100.1/32", "198.51.100.0", false, false },
	{ "128.0.0.0/0", "1.2.3.4", true, true },
	{ "::/0", "0.0.0.0", false, false },
	{ "::/0", "2001:db8::", true, false },
	{ "2001:db8::/32", "2001:db8:ffff::1", true, false },
	{ "2001:db8::/32", "2001:db9::", false, false },
	{ "2001:db8:8000::/33", "2001:db8::", false, false },
	{ "2001:db8:8000::/33", "2001:db8:ffff::", true, false },
	{ "2001:db8::1/127", "2001:db8::", true, true },
	{ "2001:db8::1/128", "2001:db8::1", true, false },
	{ "2001:db8::1/128", "2001:db8::3", false, false },
	{ "2001:db8:0:0:1::/64", "2001:db8::", true, true },
};

static void cover_desc(const struct cover_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s", c->prefix, c->addr);
}

KUNIT_ARRAY_PARAM(cover, cover_cases, cover_desc);

static void prefix_covers_and_host_bits(struct kunit *test)
{
	const struct cover_case *c = test->param_value;
	const struct edge_prefix prefix = parsed(test, c->prefix, 0, NULL);
	const struct edge_prefix at = parsed(test, c->addr, 0, NULL);
	struct edge_prefix found = { .family = NFPROTO_UNSPEC };
	struct edge_prefixes *table = new_table(test);

	KUNIT_EXPECT_EQ(test, edge_prefix_has_host_bits(&prefix), c->host_bits);
	if (c->host_bits)
		return;
	add(test, table, c->prefix, FEDERATION, NULL);
	KUNIT_EXPECT_EQ(test, edge_prefix_next_covering(table, at.family, &at.addr, &found),
			c->covers);
	if (c->covers)
		KUNIT_EXPECT_EQ(test, found.bits, prefix.bits);
}

/* The twin. */

#define TWIN_MAX	384	/* prefixes, each of as many entries as there are domains */
#define TWIN_ENTRIES	(TWIN_MAX * 4)
#define LIST_MAX	8

struct twin {
	u32 count;
	struct edge_prefix entries[TWIN_ENTRIES];	/* names and domains: of the lists */
};

static const char * const names[] = { NULL, NULL, "", "a", "b", "a partner with a longer name" };
static const char * const domains[] = { NULL, NULL, NULL, "a.test", "b.test", "c.test" };

static int compare_prefix(const struct edge_prefix *a, const struct edge_prefix *b)
{
	int order;

	if (a->family != b->family)
		return a->family == NFPROTO_IPV4 ? -1 : 1;
	order = memcmp(&a->addr, &b->addr, sizeof(a->addr));
	return order ?: a->bits - b->bits;
}

static int compare(const struct edge_prefix *a, const struct edge_prefix *b)
{
	return compare_prefix(a, b) ?: strcmp(a->domain ?: "", b->domain ?: "");
}

/* How many prefixes the entries are of. */
static u32 twin_prefixes(const struct twin *twin)
{
	u32 count = 0, i;

	for (i = 0; i < twin->count; i++)
		count += !i || compare_prefix(&twin->entries[i - 1], &twin->entries[i]);
	return count;
}

static struct edge_prefix *twin_find(struct twin *twin, const struct edge_prefix *prefix)
{
	u32 i;

	for (i = 0; i < twin->count; i++)
		if (!compare(&twin->entries[i], prefix))
			return &twin->entries[i];
	return NULL;
}

static int twin_add_one(struct twin *twin, const struct edge_prefix *entry, bool tolerant)
{
	const char *name = entry->name && *entry->name ? entry->name : NULL;
	struct edge_prefix *at = twin_find(twin, entry);
	u32 i;

	if (at) {
		bool renames = entry->name && at->name != name;

		if (!renames && !(entry->groups & ~at->groups))
			return tolerant ? 0 : -EEXIST;
		at->groups |= entry->groups;
		if (renames)
			at->name = name;
		return 1;
	}
	for (i = twin->count++; i && compare(&twin->entries[i - 1], entry) > 0; i--)
		twin->entries[i] = twin->entries[i - 1];
	twin->entries[i] = *entry;
	twin->entries[i].name = name;
	twin->entries[i].packets = 0;
	if (i && !compare_prefix(&twin->entries[i - 1], entry))	/* was seen as its prefix was */
		at = &twin->entries[i - 1];
	else if (i + 1 < twin->count && !compare_prefix(&twin->entries[i + 1], entry))
		at = &twin->entries[i + 1];
	if (at) {
		twin->entries[i].packets = at->packets;
		twin->entries[i].seen = at->seen;
	}
	return 1;
}

/* Of no domain: of all. */
static bool is_meant(const struct edge_prefix *at, const struct edge_prefix *entry)
{
	return entry->domain ? !compare(at, entry) : !compare_prefix(at, entry);
}

static int twin_del_one(struct twin *twin, const struct edge_prefix *entry, bool tolerant)
{
	u32 i, kept = 0;
	u8 has = 0, leaves;

	for (i = 0; i < twin->count; i++)
		if (is_meant(&twin->entries[i], entry))
			has |= twin->entries[i].groups;
	if (!has)
		return tolerant ? 0 : -ENOENT;
	leaves = entry->groups ?: has;
	if (leaves & ~has && !tolerant)
		return -ESRCH;
	for (i = 0; i < twin->count; i++) {
		struct edge_prefix at = twin->entries[i];

		if (is_meant(&at, entry))
			at.groups &= ~leaves;
		if (at.groups)
			twin->entries[kept++] = at;
	}
	twin->count = kept;
	return !!(leaves & has);
}

/* On an error the twin is spoilt: work on a copy. */
static int twin_change(struct twin *twin, const struct edge_prefix *list, u32 n, bool dels,
		       u32 limit, bool tolerant, u32 *bad)
{
	int changed = 0, one;

	for (*bad = 0; *bad < n; ++*bad) {
		one = dels ? twin_del_one(twin, &list[*bad], tolerant) :
			     twin_add_one(twin, &list[*bad], tolerant);
		if (one >= 0 && !dels && twin_prefixes(twin) > limit)
			one = -ENOSPC;
		if (one < 0)
			return one;
		changed += one;
	}
	return changed;
}

static u32 twin_flush(struct twin *twin, u8 groups)
{
	u32 changed = 0, kept = 0, i;
	bool counted = false;

	for (i = 0; i < twin->count; i++) {
		struct edge_prefix entry = twin->entries[i];

		if (!i || compare_prefix(&twin->entries[i - 1], &entry))
			counted = false;
		if (entry.groups & groups && !counted)
			changed++;
		counted |= entry.groups & groups;
		entry.groups &= ~groups;
		if (entry.groups)
			twin->entries[kept++] = entry;
	}
	twin->count = kept;
	return changed;
}

static u8 twin_lookup(const struct twin *twin, u8 family, const union nf_inet_addr *addr)
{
	u8 groups = 0;
	u32 i;

	for (i = 0; i < twin->count; i++)
		if (covers(&twin->entries[i], family, addr))
			groups |= twin->entries[i].groups;
	return groups;
}

/* Of the longest prefix that is in one of the groups, whatever has brought it there. */
static void twin_see(struct twin *twin, u8 family, const union nf_inet_addr *addr, u8 groups,
		     u32 second, u32 packets)
{
	const struct edge_prefix *longest = NULL;
	u32 i;

	for (i = 0; i < twin->count; i++)	/* shorter ones first */
		if (covers(&twin->entries[i], family, addr) && twin->entries[i].groups & groups)
			longest = &twin->entries[i];
	for (i = 0; longest && i < twin->count; i++) {
		if (compare_prefix(&twin->entries[i], longest))
			continue;
		twin->entries[i].packets += packets;
		twin->entries[i].seen = second;
	}
}

/* What the random test knows. */
struct twins {
	struct kunit *test;
	struct rnd_state random;
	struct edge_prefixes *table;
	struct twin *twin, *copy;
	union nf_inet_addr spines[6];	/* along which prefixes nest */
	u32 operation;
};

static u32 below(struct twins *twins, u32 limit)
{
	return prandom_u32_state(&twins->random) % limit;
}

static bool one_in(struct twins *twins, u32 n)
{
	return !below(twins, n);
}

static void clear_host_bits(struct edge_prefix *prefix)
{
	u8 *byte = (u8 *)&prefix->addr;
	int bit;

	for (bit = prefix->bits; bit < 128; bit++)
		byte[bit / 8] &= ~(0x80 >> bit % 8);
}

/* Along a spine, of any length, perhaps turning off it near its end. */
static struct edge_prefix random_prefix(struct twins *twins)
{
	struct edge_prefix prefix = {
		.addr = twins->spines[below(twins, ARRAY_SIZE(twins->spines))],
		.family = one_in(twins, 2) ? NFPROTO_IPV4 : NFPROTO_IPV6,
		.groups = 1 + below(twins, NF_EDGE_GROUP_MASK),
		.name = names[below(twins, ARRAY_SIZE(names))],
		.domain = domains[below(twins, ARRAY_SIZE(domains))],
	};
	u8 *byte = (u8 *)&prefix.addr;
	u32 bits = family_bits(prefix.family), turn;

	if (one_in(twins, 3))	/* some lengths are more common than others */
		prefix.bits = min(bits, 8 * below(twins, 17));
	else
		prefix.bits = below(twins, bits + 1);
	if (prefix.bits && one_in(twins, 2)) {
		turn = prefix.bits - 1 - below(twins, min_t(u32, prefix.bits, 4));
		byte[turn / 8] ^= 0x80 >> turn % 8;
	}
	clear_host_bits(&prefix);
	return prefix;
}

/* Mostly one that is there. */
static struct edge_prefix known_prefix(struct twins *twins)
{
	struct edge_prefix prefix;

	if (!twins->twin->count || one_in(twins, 8))
		return random_prefix(twins);
	prefix = twins->twin->entries[below(twins, twins->twin->count)];
	if (one_in(twins, 4))
		prefix.groups = 1 + below(twins, NF_EDGE_GROUP_MASK);
	return prefix;
}

static void compare_lookup(struct twins *twins, u8 family, const union nf_inet_addr *addr)
{
	struct kunit *test = twins->test;

	KUNIT_ASSERT_EQ_MSG(test, look_up(test, twins->table, family, addr),
			    twin_lookup(twins->twin, family, addr),
			    "operation %u: look-up of %pI6", twins->operation, addr);
}

/* The address before or after one, as numbers; round the end. */
static union nf_inet_addr neighbour(u8 family, union nf_inet_addr addr, int step)
{
	u8 *byte = (u8 *)&addr;
	int i;

	for (i = family_bits(family) / 8 - 1; i >= 0; i--) {
		byte[i] += step;
		if (byte[i] != (step > 0 ? 0 : 0xff))
			break;
	}
	return addr;
}

/* First, last, and just outside. */
static void compare_edges(struct twins *twins, const struct edge_prefix *prefix)
{
	union nf_inet_addr first = prefix->addr, last = prefix->addr, outside;
	u8 *byte = (u8 *)&last;
	int bit;

	for (bit = prefix->bits; bit < family_bits(prefix->family); bit++)
		byte[bit / 8] |= 0x80 >> bit % 8;
	compare_lookup(twins, prefix->family, &first);
	compare_lookup(twins, prefix->family, &last);
	outside = neighbour(prefix->family, first, -1);
	compare_lookup(twins, prefix->family, &outside);
	outside = neighbour(prefix->family, last, 1);
	compare_lookup(twins, prefix->family, &outside);
}

static void expect_same_prefix(struct twins *twins, const struct edge_prefix *got,
			       const struct edge_prefix *want)
{
	const struct words got_words = words_of(got), want_words = words_of(want);
	struct kunit *test = twins->test;

	KUNIT_ASSERT_STREQ_MSG(test, got_words.text, want_words.text, "operation %u",
			       twins->operation);
	KUNIT_ASSERT_EQ_MSG(test, got->packets, want->packets, "operation %u, %s",
			    twins->operation, want_words.text);
	if (want->packets)
		KUNIT_ASSERT_EQ_MSG(test, got->seen, want->seen, "operation %u, %s",
				    twins->operation, want_words.text);
}

/* Goes on from a prefix that need not be there. */
static void compare_next(struct twins *twins)
{
	struct edge_prefix prefix = known_prefix(twins);
	struct kunit *test = twins->test;
	bool found;
	u32 i = 0;

	prefix.domain = NULL;
	prefix.place = 0;
	prefix.more = true;
	while (i < twins->twin->count && compare(&twins->twin->entries[i], &prefix) <= 0)
		i++;
	found = next_entry(twins->table, &prefix);
	KUNIT_ASSERT_EQ_MSG(test, found, i < twins->twin->count, "operation %u", twins->operation);
	if (found)
		expect_same_prefix(twins, &prefix, &twins->twin->entries[i]);
}

static void compare_covering(struct twins *twins)
{
	struct edge_prefix prefix = { .family = NFPROTO_UNSPEC }, at = random_prefix(twins);
	struct kunit *test = twins->test;
	u32 i;

	for (i = 0; i < twins->twin->count; i++) {
		const struct edge_prefix *entry = &twins->twin->entries[i];

		if (!covers(entry, at.family, &at.addr))
			continue;
		KUNIT_ASSERT_TRUE_MSG(test, edge_prefix_next_covering(twins->table, at.family,
								      &at.addr, &prefix),
				      "operation %u", twins->operation);
		expect_same_prefix(twins, &prefix, entry);
	}
	KUNIT_ASSERT_FALSE_MSG(test, edge_prefix_next_covering(twins->table, at.family, &at.addr,
							       &prefix),
			       "operation %u", twins->operation);
}

static void compare_host_bits(struct twins *twins)
{
	struct edge_prefix at = random_prefix(twins);
	const u8 *byte = (const u8 *)&at.addr;
	struct kunit *test = twins->test;
	bool host_bits = false;
	int bit;

	at.bits = below(twins, family_bits(at.family) + 1);
	for (bit = at.bits; bit < family_bits(at.family); bit++)
		host_bits |= byte[bit / 8] & (0x80 >> bit % 8);
	KUNIT_ASSERT_EQ_MSG(test, edge_prefix_has_host_bits(&at), host_bits, "operation %u",
			    twins->operation);
}

/* The whole listing, and that nothing is left where nothing is listed. */
static void compare_all(struct twins *twins)
{
	struct edge_prefix prefix = { .family = NFPROTO_UNSPEC };
	struct kunit *test = twins->test;
	u32 of_family[2] = {};
	int family;
	u32 i = 0;

	while (next_entry(twins->table, &prefix)) {
		KUNIT_ASSERT_LT_MSG(test, i, twins->twin->count, "operation %u",
				    twins->operation);
		expect_same_prefix(twins, &prefix, &twins->twin->entries[i++]);
		of_family[prefix.family == NFPROTO_IPV6]++;
	}
	KUNIT_ASSERT_EQ_MSG(test, i, twins->twin->count, "operation %u", twins->operation);

	for (family = 0; family < 2; family++)
		KUNIT_ASSERT_EQ_MSG(test, !rcu_access_pointer(twins->table->root[family]),
				    !of_family[family], "operation %u", twins->operation);
}

static void random_change(struct twins *twins)
{
	u32 n = one_in(twins, 2) ? 1 : 1 + below(twins, LIST_MAX);
	bool tolerant = one_in(twins, 2), dels = below(twins, 20) < 9;
	struct edge_prefix list[LIST_MAX];
	u32 limit = TWIN_MAX - LIST_MAX;
	struct kunit *test = twins->test;
	u32 got_bad, want_bad, i;
	int got, want;

	if (one_in(twins, 10))	/* around what is there; perhaps less than that */
		limit = max_t(int, (int)twin_prefixes(twins->twin) - 2, 0) + below(twins, 6);
	for (i = 0; i < n; i++) {
		list[i] = dels ? known_prefix(twins) : random_prefix(twins);
		if (i && one_in(twins, 4)) {	/* once more, with other groups and name */
			list[i].addr = list[i - 1].addr;
			list[i].family = list[i - 1].family;
			list[i].bits = list[i - 1].bits;
		}
		if (dels && one_in(twins, 3))
			list[i].domain = NULL;
		else if (dels && !list[i].domain)
			list[i].domain = "";
		if (dels && one_in(twins, 4))
			list[i].groups = 0;
	}

	twins->copy->count = twins->twin->count;
	memcpy(twins->copy->entries, twins->twin->entries,
	       twins->twin->count * sizeof(twins->twin->entries[0]));
	want = twin_change(twins->copy, list, n, dels, limit, tolerant, &want_bad);
	if (want >= 0)
		swap(twins->twin, twins->copy);

	if (dels)
		got = edge_prefix_del(twins->table, list, n, tolerant, &got_bad);
	else
		got = edge_prefix_add(twins->table, list, n, limit, tolerant, &got_bad);
	KUNIT_ASSERT_EQ_MSG(test, got, want, "operation %u, %s of %u entries", twins->operation,
			    dels ? "del" : "add", n);
	if (want < 0)
		KUNIT_ASSERT_EQ_MSG(test, got_bad, want_bad, "operation %u, %s of %u entries",
				    twins->operation, dels ? "del" : "add", n);
	compare_edges(twins, &list[below(twins, n)]);
}

static void random_sighting(struct twins *twins)
{
	struct edge_prefix prefix = known_prefix(twins);
	u32 second = FAR_FROM_NOW + twins->operation, packets = 1 + below(twins, 5);
	u8 groups = 1 + below(twins, NF_EDGE_GROUP_MASK);

	rcu_read_lock();
	edge_prefix_see(twins->table, prefix.family, &prefix.addr, groups, second, packets);
	rcu_read_unlock();
	twin_see(twins->twin, prefix.family, &prefix.addr, groups, second, packets);
}

static void random_flush(struct twins *twins)
{
	u8 groups = one_in(twins, 2) ? NF_EDGE_GROUP_MASK : 1 + below(twins, NF_EDGE_GROUP_MASK);
	struct kunit *test = twins->test;

	KUNIT_ASSERT_EQ_MSG(test, flush(test, twins->table, groups),
			    twin_flush(twins->twin, groups) > 0, "operation %u", twins->operation);
	if (groups == NF_EDGE_GROUP_MASK) {
		KUNIT_ASSERT_NULL(test, rcu_access_pointer(twins->table->root[0]));
		KUNIT_ASSERT_NULL(test, rcu_access_pointer(twins->table->root[1]));
	}
}

static struct twin *new_twin(struct kunit *test)
{
	struct twin *twin = kunit_kzalloc(test, sizeof(*twin), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, twin);
	return twin;
}

static void prefix_table_is_like_its_twin(struct kunit *test)
{
	struct twins twins = {
		.test = test,
		.table = new_table(test),
		.twin = new_twin(test),
		.copy = new_twin(test),
	};
	u64 from = seed ?: get_random_u32();

	kunit_info(test, "seed %llu, %u operations\n", from, operations);
	prandom_seed_state(&twins.random, from);
	prandom_bytes_state(&twins.random, twins.spines, sizeof(twins.spines));

	for (twins.operation = 1; twins.operation <= operations; twins.operation++) {
		if (one_in(&twins, 2000))
			random_flush(&twins);
		else
			random_change(&twins);
		random_sighting(&twins);
		KUNIT_ASSERT_EQ_MSG(test, twins.table->count, twin_prefixes(twins.twin),
				    "operation %u", twins.operation);
		compare_next(&twins);
		compare_host_bits(&twins);
		if (one_in(&twins, 8))
			compare_covering(&twins);
		if (one_in(&twins, 32))
			compare_all(&twins);
		cond_resched();
	}
	compare_all(&twins);
}

static struct kunit_case prefix_test_cases[] = {
	KUNIT_CASE(prefix_tables_are_equal_when_they_say_the_same),
	KUNIT_CASE(prefix_tables_are_equal_share_by_share),
	KUNIT_CASE(prefix_empty_table_has_nothing),
	KUNIT_CASE(prefix_nested_prefixes_unite_their_groups),
	KUNIT_CASE(prefix_sightings_are_of_the_longest),
	KUNIT_CASE(prefix_notes_are_told),
	KUNIT_CASE(prefix_families_do_not_mix),
	KUNIT_CASE(prefix_lists_in_order),
	KUNIT_CASE(prefix_add_changes_groups_and_names),
	KUNIT_CASE(prefix_del_leaves_groups),
	KUNIT_CASE(prefix_flush_leaves_groups),
	KUNIT_CASE(prefix_flush_changes_nothing_in_place),
	KUNIT_CASE(prefix_listing_goes_on),
	KUNIT_CASE(prefix_domains_have_shares),
	KUNIT_CASE(prefix_staged_table_takes_domains),
	KUNIT_CASE(prefix_domains_are_limited),
	KUNIT_CASE_PARAM(prefix_list_is_taken_whole_or_not_at_all, list_gen_params),
	KUNIT_CASE(prefix_del_counts_entries),
	KUNIT_CASE(prefix_readers_miss_nothing_below_a_new_branch),
	KUNIT_CASE(prefix_short_ones_build_nothing_anew),
	KUNIT_CASE(prefix_no_way_down_is_long),
	KUNIT_CASE(prefix_staged_table_gathers),
	KUNIT_CASE(prefix_staged_table_settles),
	KUNIT_CASE(prefix_gathered_is_like_added),
	KUNIT_CASE_PARAM(prefix_covers_and_host_bits, cover_gen_params),
	KUNIT_CASE_SLOW(prefix_table_is_like_its_twin),
	{}
};

static struct kunit_suite prefix_test_suite = {
	.name = "nf_edge_prefix",
	.test_cases = prefix_test_cases,
};

kunit_test_suite(prefix_test_suite);
