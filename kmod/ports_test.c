// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of the RTP port map. */
#include <kunit/test.h>
#include <linux/string.h>

#include "ports.h"

struct ranges_case {
	const char *name;
	struct {
		u16 first;
		u16 last;
	} set[4];
	const char *want;	/* what a walk finds */
};

static const struct ranges_case ranges_cases[] = {
	{ "nothing", {}, "" },
	{ "one port", { { 50000, 50000 } }, "50000-50000" },
	{ "the documents' range", { { 50000, 59999 } }, "50000-59999" },
	{ "the first port", { { 1, 1 } }, "1-1" },
	{ "the last port", { { 65535, 65535 } }, "65535-65535" },
	{ "up to the last port", { { 65528, 65535 } }, "65528-65535" },
	{ "the first byte", { { 1, 7 } }, "1-7" },
	{ "all ports", { { 1, 65535 } }, "1-65535" },
	{ "across a byte", { { 7, 8 } }, "7-8" },
	{ "both ends", { { 1, 1 }, { 65535, 65535 } }, "1-1,65535-65535" },
	{ "one port apart", { { 10, 11 }, { 13, 14 } }, "10-11,13-14" },
	{ "adjacent ranges become one", { { 10, 11 }, { 12, 14 } }, "10-14" },
	{ "overlapping ranges become one", { { 10, 20 }, { 15, 30 } }, "10-30" },
	{ "a range within a range", { { 10, 30 }, { 15, 20 } }, "10-30" },
	{ "the order does not matter", { { 300, 400 }, { 100, 200 } }, "100-200,300-400" },
	{ "the same twice", { { 8, 15 }, { 8, 15 } }, "8-15" },
	{ "a gap is filled", { { 1, 9 }, { 11, 20 }, { 10, 10 } }, "1-20" },
	{ "four ranges", { { 1, 2 }, { 4, 5 }, { 7, 8 }, { 65534, 65535 } },
	  "1-2,4-5,7-8,65534-65535" },
	/* netlink and edgectl refuse these two; the map itself does what it is told */
	{ "a reversed range is empty", { { 20, 10 } }, "" },
	{ "a reversed range next to another", { { 5, 6 }, { 65535, 1 } }, "5-6" },
};

KUNIT_ARRAY_PARAM_DESC(ranges, ranges_cases, name);

static struct edge_ports *map_of(struct kunit *test, const struct ranges_case *c)
{
	struct edge_ports *ports = kunit_kzalloc(test, sizeof(*ports), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, ports);
	for (i = 0; i < ARRAY_SIZE(c->set); i++)
		if (c->set[i].last)
			edge_ports_set(ports, c->set[i].first, c->set[i].last);
	return ports;
}

static void ports_walk_finds_ranges(struct kunit *test)
{
	const struct ranges_case *c = test->param_value;
	const struct edge_ports *ports = map_of(test, c);
	u32 first = 0, last;
	char got[64] = "";
	size_t used = 0;

	while (edge_ports_walk(ports, &first, &last)) {
		used += scnprintf(got + used, sizeof(got) - used, "%s%u-%u", used ? "," : "",
				  first, last);
		KUNIT_ASSERT_LE(test, first, last);
		first = last + 1;
	}
	KUNIT_EXPECT_STREQ(test, got, c->want);
}

static void ports_test_agrees_with_ranges(struct kunit *test)
{
	const struct ranges_case *c = test->param_value;
	const struct edge_ports *ports = map_of(test, c);
	u32 port;
	int i;

	for (port = 0; port <= EDGE_PORT_LAST; port++) {
		bool want = false;

		for (i = 0; i < ARRAY_SIZE(c->set); i++)
			want |= c->set[i].last && port >= c->set[i].first && port <= c->set[i].last;
		KUNIT_ASSERT_EQ_MSG(test, edge_ports_test(ports, port), want, "port %u", port);
	}
}

/* The map goes over the wire as it is: port p is bit p % 8 of byte p / 8. */
static void ports_map_has_the_layout_of_the_wire(struct kunit *test)
{
	struct edge_ports *ports = kunit_kzalloc(test, sizeof(*ports), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ports);
	KUNIT_EXPECT_EQ(test, sizeof(ports->map), 65536 / 8);
	edge_ports_set(ports, 1, 1);
	edge_ports_set(ports, 12, 13);
	edge_ports_set(ports, 65535, 65535);
	KUNIT_EXPECT_EQ(test, ports->map[0], 0x02);
	KUNIT_EXPECT_EQ(test, ports->map[1], 0x30);
	KUNIT_EXPECT_EQ(test, ports->map[8191], 0x80);
	KUNIT_EXPECT_NULL(test, memchr_inv(&ports->map[2], 0, 8189));
}

static void ports_walk_starts_within_a_range(struct kunit *test)
{
	const struct ranges_case c = { .set = { { 100, 200 } } };
	const struct edge_ports *ports = map_of(test, &c);
	u32 first = 150, last = 0;

	KUNIT_EXPECT_TRUE(test, edge_ports_walk(ports, &first, &last));
	KUNIT_EXPECT_EQ(test, first, 150);
	KUNIT_EXPECT_EQ(test, last, 200);

	first = 200;
	KUNIT_EXPECT_TRUE(test, edge_ports_walk(ports, &first, &last));
	KUNIT_EXPECT_EQ(test, first, 200);
	KUNIT_EXPECT_EQ(test, last, 200);

	first = 201;
	KUNIT_EXPECT_FALSE(test, edge_ports_walk(ports, &first, &last));
}

/* After port 65535 a walk goes on with 65536, which is no u16: it must end, not begin anew. */
static void ports_walk_ends_after_the_last_port(struct kunit *test)
{
	const struct ranges_case c = { .set = { { 1, 65535 } } };
	const struct edge_ports *ports = map_of(test, &c);
	u32 first = 65535, last = 0;

	KUNIT_EXPECT_TRUE(test, edge_ports_walk(ports, &first, &last));
	KUNIT_EXPECT_EQ(test, first, 65535);
	KUNIT_EXPECT_EQ(test, last, 65535);

	first = last + 1;
	KUNIT_EXPECT_FALSE(test, edge_ports_walk(ports, &first, &last));
	first = U32_MAX;
	KUNIT_EXPECT_FALSE(test, edge_ports_walk(ports, &first, &last));
}

static struct kunit_case ports_test_cases[] = {
	KUNIT_CASE_PARAM(ports_walk_finds_ranges, ranges_gen_params),
	KUNIT_CASE_PARAM(ports_test_agrees_with_ranges, ranges_gen_params),
	KUNIT_CASE(ports_map_has_the_layout_of_the_wire),
	KUNIT_CASE(ports_walk_starts_within_a_range),
	KUNIT_CASE(ports_walk_ends_after_the_last_port),
	{}
};

static struct kunit_suite ports_test_suite = {
	.name = "nf_edge_ports",
	.test_cases = ports_test_cases,
};

kunit_test_suite(ports_test_suite);
