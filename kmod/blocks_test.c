// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the block list: a sorted array that is looked at one by one is what it is held
 * against.
 */
#include <kunit/test.h>
#include <linux/inet.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>

#include "blocks.h"

static struct edge_block block_of(struct kunit *test, const char *text, u8 bits, u64 until,
				  const char *reason)
{
	struct edge_block block = {
		.family = strchr(text, ':') ? NFPROTO_IPV6 : NFPROTO_IPV4,
		.bits = bits,
		.until = until,
	};

	if (block.family == NFPROTO_IPV4)
		KUNIT_ASSERT_EQ(test, in4_pton(text, -1, (u8 *)&block.addr, -1, NULL), 1);
	else
		KUNIT_ASSERT_EQ(test, in6_pton(text, -1, (u8 *)&block.addr, -1, NULL), 1);
	strscpy_pad(block.reason, reason, sizeof(block.reason));
	return block;
}

/* The list takes the place of the one before. */
static struct edge_blocks *next_list(struct kunit *test, struct edge_blocks *old,
				     struct edge_blocks *list)
{
	KUNIT_ASSERT_FALSE(test, IS_ERR(list));
	edge_blocks_put(old);
	return list;
}

static struct edge_blocks *add(struct kunit *test, struct edge_blocks *old, struct edge_block one)
{
	u32 bad;

	return next_list(test, old, edge_blocks_add(old, &one, 1, false, &bad));
}

static bool covers(const struct edge_blocks *blocks, const struct edge_block *address)
{
	bool covered;

	rcu_read_lock();
	covered = edge_blocks_cover(blocks, address->family, &address->addr);
	rcu_read_unlock();
	return covered;
}

static void blocks_are_in_order_each_once(struct kunit *test)
{
	const struct edge_block list[] = {
		block_of(test, "2001:db8::", 32, 0, ""),
		block_of(test, "198.51.100.0", 24, 0, "first"),
		block_of(test, "192.0.2.1", 32, 5, ""),
		block_of(test, "198.51.100.0", 24, 0, "last"),
		block_of(test, "198.51.100.0", 25, 0, ""),
	};
	struct edge_blocks *blocks;
	u32 bad;

	blocks = edge_blocks_add(NULL, list, ARRAY_SIZE(list), false, &bad);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(blocks));
	KUNIT_ASSERT_EQ(test, blocks->count, 4);
	KUNIT_EXPECT_EQ(test, blocks->of[0].until, 5);
	KUNIT_EXPECT_EQ(test, blocks->of[1].bits, 24);
	KUNIT_EXPECT_STREQ(test, blocks->of[1].reason, "last");
	KUNIT_EXPECT_EQ(test, blocks->of[2].bits, 25);
	KUNIT_EXPECT_EQ(test, blocks->of[3].family, NFPROTO_IPV6);
	edge_blocks_put(blocks);
}

static void blocks_take_or_refuse_what_is_there(struct kunit *test)
{
	const struct edge_block one = block_of(test, "192.0.2.1", 32, 0, "once");
	const struct edge_block other = block_of(test, "192.0.2.1", 32, 9, "once");
	struct edge_blocks *blocks = add(test, NULL, one), *same;
	u32 bad = 7;

	KUNIT_EXPECT_PTR_EQ(test, edge_blocks_add(blocks, &one, 1, false, &bad),
			    (struct edge_blocks *)ERR_PTR(-EEXIST));
	KUNIT_EXPECT_EQ(test, bad, 0);
	same = edge_blocks_add(blocks, &one, 1, true, &bad);
	KUNIT_EXPECT_PTR_EQ(test, same, blocks);
	edge_blocks_put(same);
	blocks = add(test, blocks, other);
	KUNIT_EXPECT_EQ(test, blocks->count, 1);
	KUNIT_EXPECT_EQ(test, blocks->of[0].until, 9);
	edge_blocks_put(blocks);
}

static void blocks_go_or_refuse_to(struct kunit *test)
{
	const struct edge_block one = block_of(test, "192.0.2.1", 32, 0, "");
	const struct edge_block six = block_of(test, "2001:db8::1", 128, 0, "");
	const struct edge_block wide = block_of(test, "192.0.2.0", 24, 0, "");
	const struct edge_block list[] = { one, wide };
	struct edge_blocks *blocks = add(test, add(test, NULL, one), six), *left;
	u32 bad;

	KUNIT_EXPECT_PTR_EQ(test, edge_blocks_del(blocks, list, 2, false, &bad),
			    (struct edge_blocks *)ERR_PTR(-ENOENT));
	KUNIT_EXPECT_EQ(test, bad, 1);
	KUNIT_EXPECT_EQ(test, blocks->count, 2);
	left = edge_blocks_del(blocks, &wide, 1, true, &bad);
	KUNIT_EXPECT_PTR_EQ(test, left, blocks);
	edge_blocks_put(left);
	blocks = next_list(test, blocks, edge_blocks_del(blocks, list, 2, true, &bad));
	KUNIT_ASSERT_EQ(test, edge_blocks_count(blocks), 1);
	KUNIT_EXPECT_FALSE(test, covers(blocks, &one));
	KUNIT_EXPECT_TRUE(test, covers(blocks, &six));
	blocks = next_list(test, blocks, edge_blocks_del(blocks, &six, 1, false, &bad));
	KUNIT_EXPECT_NULL(test, blocks);
	KUNIT_EXPECT_PTR_EQ(test, edge_blocks_del(NULL, &six, 1, false, &bad),
			    (struct edge_blocks *)ERR_PTR(-ENOENT));
}

static void blocks_end_at_their_second(struct kunit *test)
{
	struct edge_blocks *blocks = NULL, *left;

	KUNIT_EXPECT_EQ(test, edge_blocks_first_end(NULL), 0);
	blocks = add(test, blocks, block_of(test, "192.0.2.1", 32, 0, ""));
	KUNIT_EXPECT_EQ(test, edge_blocks_first_end(blocks), 0);
	blocks = add(test, blocks, block_of(test, "192.0.2.2", 32, 30, ""));
	blocks = add(test, blocks, block_of(test, "192.0.2.3", 32, 20, ""));
	KUNIT_EXPECT_EQ(test, edge_blocks_first_end(blocks), 20);
	left = edge_blocks_left(blocks, 19);
	KUNIT_EXPECT_PTR_EQ(test, left, blocks);
	edge_blocks_put(left);
	blocks = next_list(test, blocks, edge_blocks_left(blocks, 20));
	KUNIT_EXPECT_EQ(test, blocks->count, 2);
	KUNIT_EXPECT_EQ(test, edge_blocks_first_end(blocks), 30);
	blocks = next_list(test, blocks, edge_blocks_left(blocks, 1000));
	KUNIT_EXPECT_EQ(test, blocks->count, 1);
	edge_blocks_put(blocks);
}

static void blocks_are_equal_when_all_is(struct kunit *test)
{
	const struct edge_block base = block_of(test, "192.0.2.1", 32, 5, "why");
	const struct edge_block others[] = {
		block_of(test, "192.0.2.2", 32, 5, "why"),
		block_of(test, "192.0.2.0", 31, 5, "why"),
		block_of(test, "192.0.2.1", 32, 6, "why"),
		block_of(test, "192.0.2.1", 32, 5, "for that"),
	};
	struct edge_blocks *one = add(test, NULL, base), *same = add(test, NULL, base), *other;
	u32 i;

	KUNIT_EXPECT_TRUE(test, edge_blocks_equal(NULL, NULL));
	KUNIT_EXPECT_TRUE(test, edge_blocks_equal(one, same));
	KUNIT_EXPECT_FALSE(test, edge_blocks_equal(one, NULL));
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		other = add(test, NULL, others[i]);
		KUNIT_EXPECT_FALSE_MSG(test, edge_blocks_equal(one, other), "%u", i);
		edge_blocks_put(other);
	}
	edge_blocks_put(one);
	edge_blocks_put(same);
}

/* Prefixes that nest and touch, in a small part of the address space. */
static struct edge_block any_block(struct rnd_state *random)
{
	const bool ipv4 = prandom_u32_state(random) % 2;
	struct edge_block block = {
		.family = ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6,
		.bits = (ipv4 ? 24 : 120) + prandom_u32_state(random) % 9,
	};
	const u32 host = prandom_u32_state(random) & 0xff & ~0U << ((ipv4 ? 32 : 128) - block.bits);

	block.addr.ip6[ipv4 ? 0 : 3] = htonl(0xc0000200 | host);
	return block;
}

static bool found_by_looking(const struct edge_blocks *blocks, const struct edge_block *address)
{
	u32 i;

	for (i = 0; i < edge_blocks_count(blocks); i++)
		if (edge_block_covers(&blocks->of[i], address->family, &address->addr))
			return true;
	return false;
}

static void blocks_cover_what_a_prefix_of_theirs_covers(struct kunit *test)
{
	struct edge_blocks *blocks = NULL;
	struct rnd_state random;
	u32 round, i, bad;

	prandom_seed_state(&random, 3);
	for (round = 0; round < 200; round++) {
		const struct edge_block one = any_block(&random);

		blocks = next_list(test, blocks, round % 3 == 2 ?
				   edge_blocks_del(blocks, &one, 1, true, &bad) :
				   edge_blocks_add(blocks, &one, 1, true, &bad));
		for (i = 0; blocks && i < 256; i++) {
			struct edge_block address = { .family = NFPROTO_IPV4 };

			address.addr.ip = htonl(0xc0000200 | i);
			KUNIT_ASSERT_EQ(test, covers(blocks, &address),
					found_by_looking(blocks, &address));
			address = (struct edge_block){ .family = NFPROTO_IPV6 };
			address.addr.ip6[3] = htonl(0xc0000200 | i);
			KUNIT_ASSERT_EQ(test, covers(blocks, &address),
					found_by_looking(blocks, &address));
		}
	}
	edge_blocks_put(blocks);
}

static void blocks_have_a_limit(struct kunit *test)
{
	struct edge_block *list = kvcalloc(NF_EDGE_BLOCKS_MAX, sizeof(*list), GFP_KERNEL);
	const struct edge_block one = block_of(test, "192.0.2.1", 32, 0, "");
	struct edge_blocks *blocks;
	u32 i, bad;

	KUNIT_ASSERT_NOT_NULL(test, list);
	for (i = 0; i < NF_EDGE_BLOCKS_MAX; i++)
		list[i] = (struct edge_block){
			.family = NFPROTO_IPV6, .bits = 128, .addr.ip6[3] = htonl(i + 1),
		};
	blocks = edge_blocks_add(NULL, list, NF_EDGE_BLOCKS_MAX, false, &bad);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(blocks));
	KUNIT_EXPECT_EQ(test, blocks->count, NF_EDGE_BLOCKS_MAX);
	KUNIT_EXPECT_PTR_EQ(test, edge_blocks_add(blocks, &one, 1, false, &bad),
			    (struct edge_blocks *)ERR_PTR(-ENOSPC));
	edge_blocks_put(blocks);
	kvfree(list);
}

static struct kunit_case blocks_test_cases[] = {
	KUNIT_CASE(blocks_are_in_order_each_once),
	KUNIT_CASE(blocks_take_or_refuse_what_is_there),
	KUNIT_CASE(blocks_go_or_refuse_to),
	KUNIT_CASE(blocks_end_at_their_second),
	KUNIT_CASE(blocks_are_equal_when_all_is),
	KUNIT_CASE(blocks_cover_what_a_prefix_of_theirs_covers),
	KUNIT_CASE(blocks_have_a_limit),
	{}
};

static struct kunit_suite blocks_test_suite = {
	.name = "nf_edge_blocks",
	.test_cases = blocks_test_cases,
};

kunit_test_suite(blocks_test_suite);
