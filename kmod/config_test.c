// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of a namespace's configuration. Each test has a network namespace of its
 * own, a real one, and sees it go: hooks, staged policies and all.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/inet.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>

#include "config.h"

#define THIS_SOCKET	11
#define OTHER_SOCKET	22

/* A namespace and its end. */

static DECLARE_COMPLETION(gone);

static void net_is_going(struct net *net)
{
	complete(&gone);
}

static struct pernet_operations witness = { .exit = net_is_going };

static int config_test_suite_init(struct kunit_suite *suite)
{
	return register_pernet_subsys(&witness);
}

static void config_test_suite_exit(struct kunit_suite *suite)
{
	unregister_pernet_subsys(&witness);
}

static int config_test_init(struct kunit *test)
{
	struct net *net = copy_net_ns(CLONE_NEWNET, &init_user_ns, &init_net);

	if (IS_ERR(net))
		return PTR_ERR(net);
	test->priv = net;
	return 0;
}

static void end_namespace(struct kunit *test)
{
	struct net *net = test->priv;

	if (!net)
		return;
	test->priv = NULL;
	reinit_completion(&gone);
	put_net(net);
	wait_for_completion(&gone);	/* its end has begun */
	net_ns_barrier();		/* and is over */
}

static struct edge_net *edge_of(struct kunit *test)
{
	return edge_net((struct net *)test->priv);
}

/* Each takes the lock itself: a test that fails in between leaves it free. */

static const struct edge_policy *in_force(struct kunit *test)
{
	guard(mutex)(&edge_of(test)->commit_mutex);
	return edge_config_policy(edge_of(test));
}

static struct edge_policy *edit(struct kunit *test, u32 portid, u32 room)
{
	struct edge_policy *policy;

	guard(mutex)(&edge_of(test)->commit_mutex);
	policy = edge_config_edit(edge_of(test), portid, room);
	KUNIT_ASSERT_NOT_NULL(test, policy);
	return policy;
}

static int apply(struct kunit *test, u32 portid, struct edge_policy *policy)
{
	struct netlink_ext_ack extack = {};
	int err;

	guard(mutex)(&edge_of(test)->commit_mutex);
	err = edge_config_apply(edge_of(test), portid, policy, &extack);
	KUNIT_EXPECT_EQ_MSG(test, !!extack._msg, !!err, "an error has its sentence");
	return err;
}

static void discard(struct kunit *test, u32 portid, struct edge_policy *policy)
{
	guard(mutex)(&edge_of(test)->commit_mutex);
	edge_config_discard(edge_of(test), portid, policy);
}

static int begin(struct kunit *test, u32 portid)
{
	guard(mutex)(&edge_of(test)->commit_mutex);
	return edge_config_begin(edge_of(test), portid, false);
}

static int commit_for(struct kunit *test, u32 portid, u32 seconds)
{
	struct netlink_ext_ack extack = {};

	guard(mutex)(&edge_of(test)->commit_mutex);
	return edge_config_commit(edge_of(test), portid, seconds, true, &extack);
}

static int commit(struct kunit *test, u32 portid)
{
	return commit_for(test, portid, 0);
}

static int confirm(struct kunit *test)
{
	guard(mutex)(&edge_of(test)->commit_mutex);
	return edge_config_confirm(edge_of(test));
}

static int revert(struct kunit *test)
{
	guard(mutex)(&edge_of(test)->commit_mutex);
	return edge_config_revert(edge_of(test));
}

static int seconds_left(struct kunit *test)
{
	guard(mutex)(&edge_of(test)->commit_mutex);
	return edge_config_seconds_left(edge_of(test));
}

static bool abort_transaction(struct kunit *test, u32 portid)
{
	guard(mutex)(&edge_of(test)->commit_mutex);
	return edge_config_abort(edge_of(test), portid);
}

/* What people ask for. */

static void parse(struct kunit *test, const char *text, u8 *family, union nf_inet_addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	*family = strchr(text, ':') ? NFPROTO_IPV6 : NFPROTO_IPV4;
	if (*family == NFPROTO_IPV4)
		KUNIT_ASSERT_EQ(test, in4_pton(text, -1, (u8 *)addr, -1, NULL), 1);
	else
		KUNIT_ASSERT_EQ(test, in6_pton(text, -1, (u8 *)addr, -1, NULL), 1);
}

static int add_to(struct kunit *test, struct edge_policy *policy, u8 role, const char *text,
		  const char *dev)
{
	union nf_inet_addr addr;
	u8 family;

	parse(test, text, &family, &addr);
	return edge_config_interface_add(policy, role, family, &addr, dev);
}

static int del_from(struct kunit *test, struct edge_policy *policy, u8 role, const char *text)
{
	union nf_inet_addr addr;
	u8 family;

	parse(test, text, &family, &addr);
	return edge_config_interface_del(policy, role, family, &addr);
}

/* An access address: in force, or staged, as for any change of the socket. */
static int add_interface(struct kunit *test, u32 portid, const char *text)
{
	struct edge_policy *policy = edit(test, portid, 1);
	int err = add_to(test, policy, NF_EDGE_ROLE_ACCESS, text, NULL);

	if (!err)
		return apply(test, portid, policy);
	discard(test, portid, policy);
	return err;
}

static int flush_interfaces(struct kunit *test, u32 portid)
{
	struct edge_policy *policy = edit(test, portid, 0);

	edge_config_interface_flush(policy, BIT(NF_EDGE_ROLE_COUNT) - 1);
	return apply(test, portid, policy);
}

static int set_mode(struct kunit *test, u32 portid, enum nf_edge_mode mode)
{
	struct edge_policy *policy = edit(test, portid, 0);

	policy->mode = mode;
	return apply(test, portid, policy);
}

static int change_table(struct kunit *test, struct edge_prefixes *table, const char *text)
{
	struct edge_prefix prefix = { .groups = BIT(NF_EDGE_GROUP_PIC), .name = "a partner" };
	u32 bad;

	parse(test, text, &prefix.family, &prefix.addr);
	prefix.bits = prefix.family == NFPROTO_IPV4 ? 32 : 128;
	return edge_prefix_add(table, &prefix, 1, NF_EDGE_PARTNERS_MAX, false, &bad);
}

static void add_partner(struct kunit *test, u32 portid, const char *text)
{
	const struct edge_prefix_inverse none = {};
	struct edge_net *edge = edge_of(test);

	guard(mutex)(&edge->commit_mutex);
	KUNIT_EXPECT_EQ(test, change_table(test, edge_config_partners_begin(edge, portid), text),
			1);
	edge_config_partners_end(edge, portid, true, &none);
}

/* A policy with another partner table, as flushing all partners makes it. */
static struct edge_policy *edit_with_new_partners(struct kunit *test, u32 portid)
{
	struct edge_policy *policy = edit(test, portid, 0);

	policy->partners = edge_prefix_table_new();
	KUNIT_ASSERT_NOT_NULL(test, policy->partners);
	KUNIT_EXPECT_EQ(test, change_table(test, policy->partners, "2001:db8::99"), 1);
	return policy;
}

/* A listing hears of each change that it may have met, and of no other. */
static void config_listings_hear_of_changes(struct kunit *test)
{
	const struct edge_prefix_inverse none = {};
	struct edge_net *edge = edge_of(test);
	u32 before = edge_config_listing_begin(edge), during;

	KUNIT_EXPECT_FALSE(test, edge_config_listing_met(edge, before));
	mutex_lock(&edge->commit_mutex);
	edge_config_partners_begin(edge, THIS_SOCKET);
	during = edge_config_listing_begin(edge);
	KUNIT_EXPECT_TRUE(test, edge_config_listing_met(edge, before));
	KUNIT_EXPECT_TRUE(test, edge_config_listing_met(edge, during));
	edge_config_partners_end(edge, THIS_SOCKET, false, &none);
	mutex_unlock(&edge->commit_mutex);
	KUNIT_EXPECT_TRUE(test, edge_config_listing_met(edge, before));
	KUNIT_EXPECT_TRUE(test, edge_config_listing_met(edge, during));

	before = edge_config_listing_begin(edge);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	KUNIT_EXPECT_FALSE(test, edge_config_listing_met(edge, before));
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_TRUE(test, edge_config_listing_met(edge, before));
	before = edge_config_listing_begin(edge);
	add_partner(test, THIS_SOCKET, "198.51.100.8");
	KUNIT_EXPECT_TRUE(test, edge_config_listing_met(edge, before));
}

/* The Edge addresses, a line each. */
static void expect_interfaces(struct kunit *test, const struct edge_policy *policy,
			      const char *want)
{
	const size_t size = 1024;
	char *got = kunit_kzalloc(test, size, GFP_KERNEL);
	size_t used = 0;
	u32 i, role;

	KUNIT_ASSERT_NOT_NULL(test, got);
	for (i = 0; i < policy->interface_count; i++) {
		const struct edge_interface *at = &policy->interfaces[i];

		used += at->family == NFPROTO_IPV4 ?
			scnprintf(got + used, size - used, "%pI4", &at->addr) :
			scnprintf(got + used, size - used, "%pI6c", &at->addr);
		for (role = 0; role < 8; role++)
			if (at->roles & BIT(role))
				used += scnprintf(got + used, size - used, " %s",
						  role < NF_EDGE_ROLE_COUNT ?
						  edge_role_names[role] : "?");
		used += scnprintf(got + used, size - used, "%s%s\n", at->dev[0] ? " dev " : "",
				  at->dev);
	}
	KUNIT_EXPECT_STREQ(test, got, want);
}

/* Whether a namespace is guarded; connection tracking is there only for that. */
static void expect_hooks(struct kunit *test, bool want)
{
	const struct netns_nf *nf = &((struct net *)test->priv)->nf;
	int hook;

	KUNIT_EXPECT_EQ(test, edge_of(test)->hooked, want);
	for (hook = 0; hook < NF_INET_NUMHOOKS; hook++) {
		bool ipv4 = rcu_access_pointer(nf->hooks_ipv4[hook]);
		bool ipv6 = rcu_access_pointer(nf->hooks_ipv6[hook]);

		KUNIT_EXPECT_EQ_MSG(test, ipv4, want, "hook %d", hook);
		KUNIT_EXPECT_EQ_MSG(test, ipv6, want, "hook %d", hook);
	}
}

/* Whether what is done moves the generation. */
#define EXPECT_GENERATION_MOVES(test, by, what)						\
do {											\
	struct kunit *_test = test;							\
	const u32 _before = edge_of(_test)->generation;					\
											\
	what;										\
	KUNIT_EXPECT_EQ(_test, edge_of(_test)->generation - _before, by);		\
} while (0)

static void config_starts_with_the_defaults(struct kunit *test)
{
	struct edge_net *edge = edge_of(test);
	const struct edge_policy *policy = in_force(test);

	KUNIT_EXPECT_PTR_EQ(test, edge->net, (struct net *)test->priv);
	KUNIT_EXPECT_EQ(test, edge->generation, 1);
	KUNIT_EXPECT_LE(test, edge->changed, ktime_get_boottime_seconds());
	KUNIT_EXPECT_EQ(test, policy->mode, NF_EDGE_MODE_ENFORCE);
	KUNIT_EXPECT_EQ(test, policy->unlisted, NF_EDGE_UNLISTED_DROP);
	KUNIT_EXPECT_EQ(test, policy->interface_count, 0);
	KUNIT_EXPECT_EQ(test, policy->partners->count, 0);
	expect_hooks(test, false);
}

/* Edit, then apply or discard. */

static void config_discard_changes_nothing(struct kunit *test)
{
	const struct edge_policy *before = in_force(test);
	struct edge_policy *policy = edit(test, THIS_SOCKET, 1);

	KUNIT_EXPECT_EQ(test, add_to(test, policy, NF_EDGE_ROLE_AV, "192.0.2.1", NULL), 0);
	policy->mode = NF_EDGE_MODE_AUDIT;
	EXPECT_GENERATION_MOVES(test, 0, discard(test, THIS_SOCKET, policy));
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), before);
	KUNIT_EXPECT_EQ(test, before->mode, NF_EDGE_MODE_ENFORCE);
	expect_interfaces(test, before, "");
	expect_hooks(test, false);

	/* a table that is only the copy's goes with the copy; ours stays */
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	policy = edit_with_new_partners(test, THIS_SOCKET);
	discard(test, THIS_SOCKET, policy);
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 1);
}

static void config_apply_puts_the_edited_policy_in_force(struct kunit *test)
{
	struct edge_policy *policy = edit(test, THIS_SOCKET, 1);

	KUNIT_EXPECT_EQ(test, add_to(test, policy, NF_EDGE_ROLE_AV, "192.0.2.1", "ext0"), 0);
	policy->unlisted = NF_EDGE_UNLISTED_PASS;
	EXPECT_GENERATION_MOVES(test, 1,
				KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0));
	KUNIT_EXPECT_EQ(test, in_force(test)->unlisted, NF_EDGE_UNLISTED_PASS);
	expect_interfaces(test, in_force(test), "192.0.2.1 av dev ext0\n");

	/* another socket changes the same policy */
	EXPECT_GENERATION_MOVES(test, 1, add_interface(test, OTHER_SOCKET, "192.0.2.2"));
	expect_interfaces(test, in_force(test), "192.0.2.1 av dev ext0\n192.0.2.2 access\n");
}

static void config_apply_indexes_the_addresses(struct kunit *test)
{
	union nf_inet_addr addr;
	u8 family;

	parse(test, "192.0.2.1", &family, &addr);
	KUNIT_EXPECT_NULL(test, edge_policy_interface(in_force(test), family, &addr));
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	KUNIT_EXPECT_NOT_NULL(test, edge_policy_interface(in_force(test), family, &addr));
	KUNIT_EXPECT_EQ(test, flush_interfaces(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_NULL(test, edge_policy_interface(in_force(test), family, &addr));
}

/* "A policy that says what the present one says is no change: no new generation." */
static void config_apply_of_the_same_is_no_change(struct kunit *test)
{
	const struct edge_policy *before;
	struct edge_policy *policy;

	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	before = in_force(test);

	policy = edit(test, THIS_SOCKET, 7);
	EXPECT_GENERATION_MOVES(test, 0,
				KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0));
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), before);

	EXPECT_GENERATION_MOVES(test, 0, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_ENFORCE));

	policy = edit(test, THIS_SOCKET, 1);
	KUNIT_EXPECT_EQ(test, add_to(test, policy, NF_EDGE_ROLE_AV, "192.0.2.0", NULL), 0);
	KUNIT_EXPECT_EQ(test, del_from(test, policy, NF_EDGE_ROLE_AV, "192.0.2.0"), 0);
	EXPECT_GENERATION_MOVES(test, 0,
				KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0));

	policy = edit(test, THIS_SOCKET, 0);
	edge_ports_set(&policy->ports, 50000, 59999);
	EXPECT_GENERATION_MOVES(test, 0,
				KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0));
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), before);
}

static void change_mode(struct edge_policy *policy)
{
	policy->mode = NF_EDGE_MODE_AUDIT;
}

static void change_unlisted(struct edge_policy *policy)
{
	policy->unlisted = NF_EDGE_UNLISTED_PASS;
}

static void change_rtp_match(struct edge_policy *policy)
{
	policy->rtp_match = NF_EDGE_RTP_MATCH_EITHER;
}

static void change_enabled(struct edge_policy *policy)
{
	policy->enabled ^= BIT(NF_EDGE_ROW_XMPP_GATEWAY_IN);
}

static void change_peers(struct edge_policy *policy)
{
	policy->any ^= BIT(NF_EDGE_ROW_SIP_FEDERATION_OUT);
}

static void change_last_port(struct edge_policy *policy)
{
	edge_ports_set(&policy->ports, 65535, 65535);
}

static void change_first_port(struct edge_policy *policy)
{
	edge_ports_set(&policy->ports, 1, 1);
}

static void change_address(struct edge_policy *policy)
{
	policy->interfaces[0].addr.ip ^= htonl(1);
}

static void change_role(struct edge_policy *policy)
{
	policy->interfaces[0].roles = BIT(NF_EDGE_ROLE_INTERNAL);
}

static void change_device(struct edge_policy *policy)
{
	policy->interfaces[0].dev[IFNAMSIZ - 2] = 'x';
}

static void change_to_no_address(struct edge_policy *policy)
{
	policy->interface_count = 0;
}

static const struct change_case {
	const char *name;
	void (*change)(struct edge_policy *policy);
} change_cases[] = {
	{ "mode", change_mode },
	{ "unlisted", change_unlisted },
	{ "rtp match", change_rtp_match },
	{ "a row disabled", change_enabled },
	{ "a row's peers", change_peers },
	{ "the first port", change_first_port },
	{ "the last port", change_last_port },
	{ "an address", change_address },
	{ "a role", change_role },
	{ "the end of a device's name", change_device },
	{ "no address", change_to_no_address },
};

KUNIT_ARRAY_PARAM_DESC(change, change_cases, name);

static void config_apply_of_any_difference_is_a_change(struct kunit *test)
{
	const struct change_case *c = test->param_value;
	struct edge_policy *policy;

	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	policy = edit(test, THIS_SOCKET, 0);
	c->change(policy);
	EXPECT_GENERATION_MOVES(test, 1,
				KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0));
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), (const struct edge_policy *)policy);

	/* and is none when it is told again */
	policy = edit(test, THIS_SOCKET, 0);
	EXPECT_GENERATION_MOVES(test, 0,
				KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0));
}

static void config_apply_replaces_the_partner_table(struct kunit *test)
{
	struct edge_policy *policy;

	add_partner(test, THIS_SOCKET, "198.51.100.7");
	add_partner(test, THIS_SOCKET, "2001:db8::7");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 2);

	policy = edit_with_new_partners(test, THIS_SOCKET);
	EXPECT_GENERATION_MOVES(test, 1,
				KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0));
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 1);

	/* other changes keep the table */
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 1);
}

static void config_partners_change_moves_the_generation(struct kunit *test)
{
	const struct edge_policy *before = in_force(test);

	EXPECT_GENERATION_MOVES(test, 1, add_partner(test, THIS_SOCKET, "198.51.100.7"));
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), before);
	KUNIT_EXPECT_EQ(test, before->partners->count, 1);
	expect_hooks(test, false);
}

/* Netlink's cb->seq takes 0 for "no generation". */
static void config_generation_is_never_zero(struct kunit *test)
{
	struct edge_net *edge = edge_of(test);

	edge->generation = U32_MAX;
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	KUNIT_EXPECT_EQ(test, edge->generation, 1);
	edge->generation = U32_MAX;
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	KUNIT_EXPECT_EQ(test, edge->generation, 1);
}

/* Edge addresses. */

struct step {
	enum { END, ADD, DEL, FLUSH } what;
	u8 role;
	const char *address;
	const char *dev;
	int want;
};

#define ROLE(which) NF_EDGE_ROLE_##which

struct interface_case {
	const char *name;
	struct step steps[6];
	const char *want;
	u32 pairs;
};

static const struct interface_case interface_cases[] = {
	{ "one", { { ADD, ROLE(AV), "192.0.2.1" } }, "192.0.2.1 av\n", 1 },
	{ "exists", { { ADD, ROLE(AV), "192.0.2.1" }, { ADD, ROLE(AV), "192.0.2.1",
	  .want = -EEXIST } }, "192.0.2.1 av\n", 1 },
	{ "several roles", { { ADD, ROLE(AV), "192.0.2.1" }, { ADD, ROLE(ACCESS), "192.0.2.1" },
	  { ADD, ROLE(INTERNAL), "192.0.2.1" } }, "192.0.2.1 access av internal\n", 3 },
	{ "in order", { { ADD, ROLE(AV), "2001:db8::2" }, { ADD, ROLE(AV), "203.0.113.2" }, { ADD,
	  ROLE(AV), "2001:db8::1" }, { ADD, ROLE(AV), "192.0.2.200" }, { ADD, ROLE(AV),
	  "192.0.2.3" } },
	  "192.0.2.3 av\n192.0.2.200 av\n203.0.113.2 av\n2001:db8::1 av\n2001:db8::2 av\n", 5 },
	{ "bound", { { ADD, ROLE(AV), "192.0.2.1", "ext0" } }, "192.0.2.1 av dev ext0\n", 1 },
	{ "bound exists", { { ADD, ROLE(AV), "192.0.2.1", "ext0" }, { ADD, ROLE(AV), "192.0.2.1",
	  "ext0", -EEXIST }, { ADD, ROLE(AV), "192.0.2.1", .want = -EEXIST } },
	  "192.0.2.1 av dev ext0\n", 1 },
	{ "bound to another device", { { ADD, ROLE(AV), "192.0.2.1", "ext0" }, { ADD, ROLE(AV),
	  "192.0.2.1", "ext1", -EBUSY }, { ADD, ROLE(ACCESS), "192.0.2.1", "ext1", -EBUSY } },
	  "192.0.2.1 av dev ext0\n", 1 },
	{ "another role without device keeps it", { { ADD, ROLE(AV), "192.0.2.1", "ext0" }, { ADD,
	  ROLE(ACCESS), "192.0.2.1" } }, "192.0.2.1 access av dev ext0\n", 2 },
	{ "another role with the same device", { { ADD, ROLE(AV), "192.0.2.1", "ext0" }, { ADD,
	  ROLE(ACCESS), "192.0.2.1", "ext0" } }, "192.0.2.1 access av dev ext0\n", 2 },
	{ "bound by another role", { { ADD, ROLE(AV), "192.0.2.1" }, { ADD, ROLE(ACCESS),
	  "192.0.2.1", "ext0" } }, "192.0.2.1 access av dev ext0\n", 2 },
	{ "bound later", { { ADD, ROLE(AV), "192.0.2.1" }, { ADD, ROLE(AV), "192.0.2.1", "ext0" } },
	  "192.0.2.1 av dev ext0\n", 1 },
	{ "the longest device's name", { { ADD, ROLE(AV), "192.0.2.1", "fifteen-letters" } },
	  "192.0.2.1 av dev fifteen-letters\n", 1 },
	{ "deleted", { { ADD, ROLE(AV), "192.0.2.1" }, { ADD, ROLE(AV), "192.0.2.2" }, { ADD,
	  ROLE(AV), "192.0.2.3" }, { DEL, ROLE(AV), "192.0.2.2" } }, "192.0.2.1 av\n192.0.2.3 av\n",
	  2 },
	{ "not there", { { ADD, ROLE(AV), "192.0.2.1" }, { DEL, ROLE(ACCESS), "192.0.2.1",
	  .want = -ENOENT }, { DEL, ROLE(AV), "192.0.2.2", .want = -ENOENT }, { DEL, ROLE(AV),
	  "2001:db8::1", .want = -ENOENT } }, "192.0.2.1 av\n", 1 },
	{ "one role deleted", { { ADD, ROLE(AV), "192.0.2.1", "ext0" }, { ADD, ROLE(ACCESS),
	  "192.0.2.1" }, { DEL, ROLE(AV), "192.0.2.1" }, { DEL, ROLE(AV), "192.0.2.1",
	  .want = -ENOENT } }, "192.0.2.1 access dev ext0\n", 1 },
	{ "the device goes with the last role", { { ADD, ROLE(AV), "192.0.2.1", "ext0" }, { DEL,
	  ROLE(AV), "192.0.2.1" }, { ADD, ROLE(AV), "192.0.2.1" } }, "192.0.2.1 av\n", 1 },
	{ "flushed", { { ADD, ROLE(AV), "192.0.2.1" }, { ADD, ROLE(ACCESS), "2001:db8::1" },
	  { FLUSH, 7 } }, "", 0 },
	{ "a role flushed", { { ADD, ROLE(AV), "192.0.2.1" }, { ADD, ROLE(ACCESS), "192.0.2.1" },
	  { ADD, ROLE(AV), "192.0.2.2" }, { ADD, ROLE(INTERNAL), "192.0.2.3" }, { FLUSH,
	  BIT(ROLE(AV)) } }, "192.0.2.1 access\n192.0.2.3 internal\n", 2 },
	{ "nothing to flush", { { ADD, ROLE(AV), "192.0.2.1" }, { FLUSH, BIT(ROLE(ACCESS)) } },
	  "192.0.2.1 av\n", 1 },
	{ "the same bytes in both families", { { ADD, ROLE(AV), "32.1.13.184" }, { ADD, ROLE(AV),
	  "2001:db8::" }, { DEL, ROLE(AV), "2001:db8::" } }, "32.1.13.184 av\n", 1 },
};

KUNIT_ARRAY_PARAM_DESC(interface, interface_cases, name);

static void config_interfaces_are_edited(struct kunit *test)
{
	const struct interface_case *c = test->param_value;
	struct edge_policy *policy = edit(test, THIS_SOCKET, ARRAY_SIZE(c->steps));
	const struct step *step;

	for (step = c->steps; step < c->steps + ARRAY_SIZE(c->steps) && step->what; step++) {
		int got = 0;

		if (step->what == ADD)
			got = add_to(test, policy, step->role, step->address, step->dev);
		else if (step->what == DEL)
			got = del_from(test, policy, step->role, step->address);
		else
			edge_config_interface_flush(policy, step->role);
		KUNIT_EXPECT_EQ_MSG(test, got, step->want, "step %td", step - c->steps);
	}
	expect_interfaces(test, policy, c->want);
	KUNIT_EXPECT_EQ(test, edge_config_interface_pairs(policy), c->pairs);

	KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0);
	expect_interfaces(test, in_force(test), c->want);
	expect_hooks(test, c->pairs);
}

static void config_interfaces_have_a_limit(struct kunit *test)
{
	struct edge_policy *policy = edit(test, THIS_SOCKET, NF_EDGE_INTERFACES_MAX);
	union nf_inet_addr addr = {};
	u32 i;

	/* from both ends, so that there is always something to move */
	for (i = 0; i < NF_EDGE_INTERFACES_MAX; i++) {
		addr.ip = htonl(i % 2 ? 0xcb007100 + i : 0xc6336400 - i);
		KUNIT_ASSERT_EQ(test, edge_config_interface_add(policy, i % NF_EDGE_ROLE_COUNT,
								NFPROTO_IPV4, &addr, NULL), 0);
	}
	KUNIT_EXPECT_EQ(test, policy->interface_count, 4096);
	for (i = 1; i < policy->interface_count; i++)
		KUNIT_ASSERT_LT(test, ntohl(policy->interfaces[i - 1].addr.ip),
				ntohl(policy->interfaces[i].addr.ip));

	KUNIT_EXPECT_EQ(test, add_to(test, policy, NF_EDGE_ROLE_AV, "2001:db8::1", NULL), -ENOSPC);
	KUNIT_EXPECT_EQ(test, edge_config_interface_pairs(policy), 4096);

	/* another role is no other address */
	addr = policy->interfaces[0].addr;
	i = (__fls(policy->interfaces[0].roles) + 1) % NF_EDGE_ROLE_COUNT;
	KUNIT_EXPECT_EQ(test, edge_config_interface_add(policy, i, NFPROTO_IPV4, &addr, NULL), 0);
	KUNIT_EXPECT_EQ(test, edge_config_interface_pairs(policy), 4097);

	KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "2001:db8::1"), -ENOSPC);
	KUNIT_EXPECT_EQ(test, flush_interfaces(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "2001:db8::1"), 0);
}

/* Hooks: "A namespace without Edge addresses has no hook and pays nothing." */

static void config_hooks_follow_the_policy(struct kunit *test)
{
	expect_hooks(test, false);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	expect_hooks(test, false);

	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "2001:db8::1"), 0);
	expect_hooks(test, true);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_ENFORCE), 0);
	expect_hooks(test, true);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_OFF), 0);
	expect_hooks(test, false);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	expect_hooks(test, false);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	expect_hooks(test, true);
	KUNIT_EXPECT_EQ(test, flush_interfaces(test, THIS_SOCKET), 0);
	expect_hooks(test, false);
}

/* The host's own namespace has its own policy and hooks. */
static void config_is_per_namespace(struct kunit *test)
{
	const struct edge_net *init = edge_net(&init_net);
	const u32 generation = init->generation;

	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	KUNIT_EXPECT_EQ(test, init->generation, generation);
	KUNIT_EXPECT_FALSE(test, init->hooked);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(init_net.nf.hooks_ipv4[NF_INET_FORWARD]));
}

/* Where netfilter takes no more hooks. */

#define HOOKS_MAX 1024	/* of net/netfilter/core.c */

static unsigned int let_pass(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

#define BYSTANDER(where) \
	{ .hook = let_pass, .pf = NFPROTO_IPV6, .hooknum = NF_INET_##where, .priority = 1000 }

#define AT(where) BIT(NF_INET_##where)

static const struct full_case {
	const char *name;
	struct nf_hook_ops bystander;
	u8 left;	/* what nf_ct_netns_get() itself leaves behind in IPv6: defragmentation */
} full_cases[] = {
	{ "connection tracking's hooks", BYSTANDER(POST_ROUTING), AT(PRE_ROUTING) | AT(LOCAL_OUT) },
	{ "the gates", BYSTANDER(FORWARD) },
};

KUNIT_ARRAY_PARAM_DESC(full, full_cases, name);

static const struct nf_hook_ops *bystander;
static int bystanders;

static void release_hooks(struct kunit *test)
{
	for (; bystanders; bystanders--)
		nf_unregister_net_hook(test->priv, bystander);
}

static void exhaust_hooks(struct kunit *test)
{
	const struct full_case *c = test->param_value;

	bystander = &c->bystander;
	while (bystanders < HOOKS_MAX) {
		KUNIT_ASSERT_EQ(test, nf_register_net_hook(test->priv, bystander), 0);
		bystanders++;
	}
	KUNIT_ASSERT_EQ(test, nf_register_net_hook(test->priv, bystander), -E2BIG);
}

/* Nothing but the bystanders is registered. */
static void expect_no_hook_of_ours(struct kunit *test)
{
	const struct full_case *c = test->param_value;
	const struct netns_nf *nf = &((struct net *)test->priv)->nf;
	int hook;

	KUNIT_EXPECT_FALSE(test, edge_of(test)->hooked);
	for (hook = 0; hook < NF_INET_NUMHOOKS; hook++) {
		bool ipv4 = rcu_access_pointer(nf->hooks_ipv4[hook]);
		bool ipv6 = rcu_access_pointer(nf->hooks_ipv6[hook]);

		KUNIT_EXPECT_FALSE_MSG(test, ipv4, "hook %d", hook);
		if (hook != c->bystander.hooknum && !(c->left & BIT(hook)))
			KUNIT_EXPECT_FALSE_MSG(test, ipv6, "hook %d", hook);
	}
}

static void config_test_exit(struct kunit *test)
{
	release_hooks(test);
	end_namespace(test);
}

/* "A refused configuration leaves the previous one in force, whole." */
static void config_apply_without_hooks_changes_nothing(struct kunit *test)
{
	const struct edge_policy *before;
	struct edge_policy *policy;

	add_partner(test, THIS_SOCKET, "198.51.100.7");
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_OFF), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	before = in_force(test);
	exhaust_hooks(test);

	EXPECT_GENERATION_MOVES(test, 0,
				KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET,
							       NF_EDGE_MODE_ENFORCE), -E2BIG));
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), before);
	expect_no_hook_of_ours(test);

	/* with a partner table of its own, which must go with it */
	policy = edit_with_new_partners(test, THIS_SOCKET);
	policy->mode = NF_EDGE_MODE_AUDIT;
	EXPECT_GENERATION_MOVES(test, 0,
				KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), -E2BIG));
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), before);
	KUNIT_EXPECT_EQ(test, before->mode, NF_EDGE_MODE_OFF);
	KUNIT_EXPECT_EQ(test, before->partners->count, 1);

	release_hooks(test);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_ENFORCE), 0);
	expect_hooks(test, true);
}

static void config_commit_without_hooks_keeps_the_transaction(struct kunit *test)
{
	const struct edge_policy *before = in_force(test);

	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	exhaust_hooks(test);

	EXPECT_GENERATION_MOVES(test, 0, KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), -E2BIG));
	EXPECT_GENERATION_MOVES(test, 0, KUNIT_EXPECT_EQ(test, commit_for(test, THIS_SOCKET, 60),
							 -E2BIG));
	KUNIT_EXPECT_LT(test, seconds_left(test), 0);
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), before);
	expect_no_hook_of_ours(test);

	release_hooks(test);
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0));
	expect_interfaces(test, in_force(test), "192.0.2.1 access\n");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 1);
	expect_hooks(test, true);
}

/* Transactions. */

static void config_transaction_starts_empty(struct kunit *test)
{
	struct edge_policy *staged;

	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");

	EXPECT_GENERATION_MOVES(test, 0, KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0));
	staged = edit(test, THIS_SOCKET, 0);
	KUNIT_EXPECT_EQ(test, staged->mode, NF_EDGE_MODE_ENFORCE);
	KUNIT_EXPECT_EQ(test, staged->partners->count, 0);
	expect_interfaces(test, staged, "");
	discard(test, THIS_SOCKET, staged);
}

static void config_transaction_is_not_in_force(struct kunit *test)
{
	const struct edge_policy *before;

	add_partner(test, THIS_SOCKET, "198.51.100.7");
	before = in_force(test);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	EXPECT_GENERATION_MOVES(test, 0, {
		KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
		KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
		add_partner(test, THIS_SOCKET, "2001:db8::7");
		add_partner(test, THIS_SOCKET, "2001:db8::8");
	});
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), before);
	KUNIT_EXPECT_EQ(test, before->partners->count, 1);
	expect_hooks(test, false);

	/* its changes are there for its own socket */
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), -EEXIST);

	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0));
	KUNIT_EXPECT_EQ(test, in_force(test)->mode, NF_EDGE_MODE_AUDIT);
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 2);
	expect_interfaces(test, in_force(test), "192.0.2.1 access\n");
	expect_hooks(test, true);

	/* it is over: changes are in force at once again */
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), -ENOENT);
	EXPECT_GENERATION_MOVES(test, 1, add_interface(test, THIS_SOCKET, "192.0.2.2"));
}

static void config_transactions_belong_to_their_sockets(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	KUNIT_EXPECT_EQ(test, begin(test, OTHER_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, OTHER_SOCKET, "192.0.2.2"), 0);
	add_partner(test, OTHER_SOCKET, "198.51.100.7");
	EXPECT_GENERATION_MOVES(test, 1, add_interface(test, 33, "192.0.2.3"));
	expect_interfaces(test, in_force(test), "192.0.2.3 access\n");

	/* each puts its whole policy in force */
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0);
	expect_interfaces(test, in_force(test), "192.0.2.1 access\n");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 0);
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), -ENOENT);
	KUNIT_EXPECT_EQ(test, commit(test, OTHER_SOCKET), 0);
	expect_interfaces(test, in_force(test), "192.0.2.2 access\n");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 1);
}

static void config_abort_throws_the_transaction_away(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, abort_transaction(test, THIS_SOCKET));
	KUNIT_EXPECT_EQ(test, begin(test, OTHER_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	EXPECT_GENERATION_MOVES(test, 0,
				KUNIT_EXPECT_TRUE(test, abort_transaction(test, THIS_SOCKET)));
	KUNIT_EXPECT_FALSE(test, abort_transaction(test, THIS_SOCKET));
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), -ENOENT);
	expect_interfaces(test, in_force(test), "");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 0);

	/* the other socket's is still there */
	KUNIT_EXPECT_TRUE(test, abort_transaction(test, OTHER_SOCKET));
}

static void config_begin_throws_an_open_transaction_away(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.2"), 0);
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0);
	expect_interfaces(test, in_force(test), "192.0.2.2 access\n");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 0);
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), -ENOENT);
}

static void config_transaction_replaces_its_partner_table(struct kunit *test)
{
	struct edge_policy *policy;

	add_partner(test, THIS_SOCKET, "198.51.100.7");
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	add_partner(test, THIS_SOCKET, "2001:db8::1");
	add_partner(test, THIS_SOCKET, "2001:db8::2");

	policy = edit_with_new_partners(test, THIS_SOCKET);
	discard(test, THIS_SOCKET, policy);
	policy = edit_with_new_partners(test, THIS_SOCKET);
	EXPECT_GENERATION_MOVES(test, 0,
				KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0));
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 1);
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 1);
	add_partner(test, THIS_SOCKET, "198.51.100.7");	/* it is not in this one */
}

/* What says what is in force already is no change, whatever it took to say it. */
static void config_commit_of_the_same_is_no_change(struct kunit *test)
{
	const struct edge_policy *before;

	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	add_partner(test, THIS_SOCKET, "2001:db8::7");
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	before = in_force(test);

	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	add_partner(test, THIS_SOCKET, "2001:db8::7");
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	EXPECT_GENERATION_MOVES(test, 0, KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0));
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), before);
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), -ENOENT);	/* over, too */

	/* one partner less, and the settings differ */
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0));
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0));
}

/* Policies that wait for their confirmation. */

/* 192.0.2.1 and a partner are in force, 192.0.2.2 and two others wait. Answers what was before. */
static const struct edge_policy *begin_to_wait(struct kunit *test, u32 seconds)
{
	const struct edge_policy *before;

	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	before = in_force(test);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.2"), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.8");
	add_partner(test, THIS_SOCKET, "2001:db8::8");
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, commit_for(test, THIS_SOCKET,
									  seconds), 0));
	return before;
}

/* What begin_to_wait() answered is in force again, and nothing waits. */
static void expect_back(struct kunit *test, const struct edge_policy *before)
{
	KUNIT_EXPECT_PTR_EQ(test, in_force(test), before);
	expect_interfaces(test, in_force(test), "192.0.2.1 access\n");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 1);
	KUNIT_EXPECT_LT(test, seconds_left(test), 0);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&edge_of(test)->revert));
	KUNIT_EXPECT_EQ(test, confirm(test), -ENOENT);
	KUNIT_EXPECT_EQ(test, revert(test), -ENOENT);
	expect_hooks(test, true);
}

/* The time is over, and the work has been done. */
static void expire(struct kunit *test)
{
	edge_of(test)->deadline = jiffies;
	flush_delayed_work(&edge_of(test)->revert);
}

static void config_unconfirmed_policy_goes_back(struct kunit *test)
{
	const struct edge_policy *before = begin_to_wait(test, 60);

	expect_interfaces(test, in_force(test), "192.0.2.2 access\n");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 2);
	KUNIT_EXPECT_LE(test, seconds_left(test), 60);
	KUNIT_EXPECT_GT(test, seconds_left(test), 50);
	EXPECT_GENERATION_MOVES(test, 1, expire(test));
	expect_back(test, before);
}

static void config_confirmed_policy_stays(struct kunit *test)
{
	begin_to_wait(test, 60);
	EXPECT_GENERATION_MOVES(test, 0, KUNIT_EXPECT_EQ(test, confirm(test), 0));
	KUNIT_EXPECT_EQ(test, confirm(test), -ENOENT);
	KUNIT_EXPECT_EQ(test, revert(test), -ENOENT);
	KUNIT_EXPECT_LT(test, seconds_left(test), 0);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&edge_of(test)->revert));

	/* not even a run that was under way takes it back */
	EXPECT_GENERATION_MOVES(test, 0, {
		edge_of(test)->deadline = jiffies;
		edge_of(test)->revert.work.func(&edge_of(test)->revert.work);
	});
	expect_interfaces(test, in_force(test), "192.0.2.2 access\n");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 2);
}

/* A run that waited for the lock while its policy was confirmed, and another began to wait. */
static void config_late_revert_leaves_the_next_its_time(struct kunit *test)
{
	const struct edge_policy *before = begin_to_wait(test, 60);

	EXPECT_GENERATION_MOVES(test, 0,
				edge_of(test)->revert.work.func(&edge_of(test)->revert.work));
	KUNIT_EXPECT_GT(test, seconds_left(test), 50);
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, revert(test), 0));
	expect_back(test, before);
}

static void config_reverted_policy_is_whole(struct kunit *test)
{
	const struct edge_policy *before = begin_to_wait(test, 60);
	struct edge_policy *policy;

	/* what is changed meanwhile, in place and by copies, goes with the policy */
	add_partner(test, THIS_SOCKET, "198.51.100.9");
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.3"), 0);
	KUNIT_EXPECT_EQ(test, revert(test), 0);
	expect_back(test, before);

	/* and so does another table */
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, commit_for(test, THIS_SOCKET, 60), 0);
	policy = edit_with_new_partners(test, THIS_SOCKET);
	KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0);
	KUNIT_EXPECT_EQ(test, revert(test), 0);
	expect_back(test, before);

	/* it can be changed like any other */
	add_partner(test, THIS_SOCKET, "198.51.100.8");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 2);
}

static void config_one_policy_waits_at_a_time(struct kunit *test)
{
	const struct edge_policy *before = begin_to_wait(test, 60);

	KUNIT_EXPECT_EQ(test, begin(test, OTHER_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, OTHER_SOCKET, "192.0.2.3"), 0);
	EXPECT_GENERATION_MOVES(test, 0, {
		KUNIT_EXPECT_EQ(test, commit(test, OTHER_SOCKET), -EBUSY);
		KUNIT_EXPECT_EQ(test, commit_for(test, OTHER_SOCKET, 1), -EBUSY);
	});
	KUNIT_EXPECT_GT(test, seconds_left(test), 50);

	/* the transaction goes on when the other one has been decided */
	expire(test);
	expect_back(test, before);
	KUNIT_EXPECT_EQ(test, commit(test, OTHER_SOCKET), 0);
	expect_interfaces(test, in_force(test), "192.0.2.3 access\n");
}

static void config_nothing_waits_when_nothing_changed(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	EXPECT_GENERATION_MOVES(test, 0, KUNIT_EXPECT_EQ(test, commit_for(test, THIS_SOCKET, 60),
							 0));
	KUNIT_EXPECT_LT(test, seconds_left(test), 0);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&edge_of(test)->revert));
}

/* Their registration may fail, and going back must not. */
static void config_hooks_stay_for_what_may_come_back(struct kunit *test)
{
	const struct edge_policy *before = begin_to_wait(test, 60);

	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_OFF), 0);
	expect_hooks(test, true);
	KUNIT_EXPECT_EQ(test, flush_interfaces(test, THIS_SOCKET), 0);
	expect_hooks(test, true);
	KUNIT_EXPECT_EQ(test, revert(test), 0);
	expect_back(test, before);

	/* and go with it */
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, commit_for(test, THIS_SOCKET, 60), 0);
	expect_hooks(test, true);
	KUNIT_EXPECT_EQ(test, confirm(test), 0);
	expect_hooks(test, false);

	/* where there were none, none stay */
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	KUNIT_EXPECT_EQ(test, commit_for(test, THIS_SOCKET, 60), 0);
	expect_hooks(test, true);
	expire(test);
	expect_hooks(test, false);
}

/* KASAN, lockdep and the watch over timers and works look at these. */
static void config_goes_while_a_policy_waits(struct kunit *test)
{
	begin_to_wait(test, 86400);
	end_namespace(test);
	KUNIT_EXPECT_NULL(test, test->priv);
}

static void config_goes_while_a_policy_goes_back(struct kunit *test)
{
	begin_to_wait(test, 60);
	edge_of(test)->deadline = jiffies;
	mod_delayed_work(system_long_wq, &edge_of(test)->revert, 0);
	end_namespace(test);
	KUNIT_EXPECT_NULL(test, test->priv);
}

/* KASAN and lockdep watch this one. */
static void config_goes_with_its_namespace(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	expect_hooks(test, true);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.8");
	KUNIT_EXPECT_EQ(test, begin(test, OTHER_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, OTHER_SOCKET, "192.0.2.2"), 0);

	end_namespace(test);
	KUNIT_EXPECT_NULL(test, test->priv);
}

/* Undoing. */

static int undo_or_open(struct kunit *test, bool open)
{
	struct netlink_ext_ack extack = {};

	guard(mutex)(&edge_of(test)->commit_mutex);
	return edge_config_undo(edge_of(test), OTHER_SOCKET, open, &extack);
}

static int undo(struct kunit *test)
{
	return undo_or_open(test, false);
}

/* Changes the table in force as netlink does, undoably. */
static int change_partners(struct kunit *test, const struct edge_prefix *list, u32 coming, u32 n)
{
	struct edge_prefix_inverse inverse;
	struct edge_net *edge = edge_of(test);
	struct edge_prefixes *table;
	u32 bad;
	int count;

	guard(mutex)(&edge->commit_mutex);
	table = edge_config_partners_begin(edge, THIS_SOCKET);
	KUNIT_EXPECT_EQ(test, edge_prefix_invert(table, list, coming, n, &inverse), 0);
	count = edge_prefix_exchange(table, list, coming, n - coming, 100, true, &bad);
	edge_config_partners_end(edge, THIS_SOCKET, count > 0, &inverse);
	return count;
}

static bool write_entry(const struct edge_prefix *prefix, void *data)
{
	char *text = data;

	if (prefix->groups)
		sprintf(text + strlen(text), "%pI4/%u %x %s %s\n", &prefix->addr.ip, prefix->bits,
			prefix->groups, prefix->name ?: "-", prefix->domain ?: "-");
	return true;
}

static char *partners_text(struct kunit *test)
{
	const struct edge_prefix start = { .family = NFPROTO_UNSPEC };
	char *text = kunit_kzalloc(test, 4096, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	guard(mutex)(&edge_of(test)->commit_mutex);
	edge_prefix_each(edge_config_policy(edge_of(test))->partners, &start, write_entry, text);
	return text;
}

static struct edge_prefix partner(u32 host, u8 groups, const char *name, const char *domain)
{
	return (struct edge_prefix){
		.addr.ip = htonl(0xc6336400 + host),
		.family = NFPROTO_IPV4,
		.bits = 32,
		.groups = groups,
		.name = name,
		.domain = domain,
	};
}

static void config_undo_takes_settings_back(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, undo(test), -ENOENT);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_OFF), 0);
	expect_hooks(test, false);
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, undo(test), 0));
	KUNIT_EXPECT_EQ(test, in_force(test)->mode, NF_EDGE_MODE_ENFORCE);
	expect_hooks(test, true);
	expect_interfaces(test, in_force(test), "192.0.2.1 access\n");
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, undo(test), 0));
	KUNIT_EXPECT_EQ(test, in_force(test)->mode, NF_EDGE_MODE_OFF);
}

/* What was asked for, and was no change, leaves the one before to be undone. */
static void config_undo_is_of_the_last_change(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_OFF), 0);
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	KUNIT_EXPECT_EQ(test, in_force(test)->mode, NF_EDGE_MODE_ENFORCE);
}

static void config_undo_takes_partners_back(struct kunit *test)
{
	const struct edge_prefix first[] = {
		partner(1, BIT(0), "one", NULL),
		partner(1, BIT(1), "by name", "a.test"),
		partner(2, BIT(0) | BIT(1), NULL, NULL),
		partner(3, BIT(2), "three", "b.test"),
	};
	const struct edge_prefix changes[] = {
		partner(1, BIT(2), "renamed", NULL),		/* another group, another name */
		partner(1, BIT(1), "other", "a.test"),
		partner(2, BIT(3), "named", NULL),
		partner(3, BIT(0), NULL, NULL),			/* not from its domain */
		partner(4, BIT(0), "new", "b.test"),
		partner(5, BIT(0), NULL, NULL),
		partner(2, BIT(0), NULL, NULL),			/* leaves a group */
		partner(3, 0, NULL, "b.test"),			/* and a domain */
		partner(1, 0, NULL, NULL),			/* goes altogether */
	};
	const char *before, *after;

	KUNIT_EXPECT_EQ(test, change_partners(test, first, 4, 4), 4);
	before = partners_text(test);
	KUNIT_EXPECT_STREQ(test, before,
			   "198.51.100.1/32 1 one -\n"
			   "198.51.100.1/32 2 by name a.test\n"
			   "198.51.100.2/32 3 - -\n"
			   "198.51.100.3/32 4 three b.test\n");
	EXPECT_GENERATION_MOVES(test, 1, change_partners(test, changes, 6, ARRAY_SIZE(changes)));
	after = partners_text(test);
	KUNIT_EXPECT_STREQ(test, after,
			   "198.51.100.2/32 a named -\n"
			   "198.51.100.3/32 1 - -\n"
			   "198.51.100.4/32 1 new b.test\n"
			   "198.51.100.5/32 1 - -\n");
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, undo(test), 0));
	KUNIT_EXPECT_STREQ(test, partners_text(test), before);
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 3);
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, undo(test), 0));
	KUNIT_EXPECT_STREQ(test, partners_text(test), after);
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	KUNIT_EXPECT_STREQ(test, partners_text(test), before);
}

static u32 draw(struct rnd_state *random, u32 limit)
{
	return prandom_u32_state(random) % limit;
}

static struct edge_prefix any_entry(struct rnd_state *random, bool coming)
{
	static const char * const names[] = { NULL, NULL, "", "one", "other" };
	static const char * const domains[] = { NULL, "a.test", "b.test", "" };
	const char *domain = domains[draw(random, coming ? 3 : 4)];

	return partner(draw(random, 4), coming ? 1 + draw(random, 7) : draw(random, 8),
		       coming ? names[draw(random, ARRAY_SIZE(names))] : NULL, domain);
}

static void config_undo_takes_any_list_back(struct kunit *test)
{
	char *before = kunit_kzalloc(test, 4096, GFP_KERNEL);
	struct rnd_state random;
	u32 i, round;

	KUNIT_ASSERT_NOT_NULL(test, before);
	prandom_seed_state(&random, 1);
	for (round = 0; round < 3000; round++) {
		const u32 coming = draw(&random, 4), n = coming + draw(&random, 3);
		struct edge_prefix list[6];
		char *now;

		for (i = 0; i < n; i++)
			list[i] = any_entry(&random, i < coming);
		now = partners_text(test);
		strscpy(before, now, 4096);
		kunit_kfree(test, now);
		if (change_partners(test, list, coming, n) <= 0 || draw(&random, 2))
			continue;
		KUNIT_ASSERT_EQ(test, undo(test), 0);
		now = partners_text(test);
		KUNIT_ASSERT_STREQ_MSG(test, now, before, "round %u", round);
		kunit_kfree(test, now);
	}
}

static void config_undo_takes_whole_policies_back(struct kunit *test)
{
	struct edge_policy *policy;

	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0);
	expect_hooks(test, false);
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	expect_hooks(test, true);
	expect_interfaces(test, in_force(test), "192.0.2.1 access\n");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 1);

	/* another table, then a change of it, then a change beside it */
	policy = edit_with_new_partners(test, THIS_SOCKET);
	KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0);
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.9");
	KUNIT_EXPECT_EQ(test, undo(test), -ENOENT);	/* it was not kept */
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 2);
	KUNIT_EXPECT_EQ(test, in_force(test)->mode, NF_EDGE_MODE_ENFORCE);
}

static void config_undo_of_what_waits_is_its_end(struct kunit *test)
{
	const struct edge_policy *before = begin_to_wait(test, 60);

	/* once more, when what was kept has the table of what is to come back */
	KUNIT_EXPECT_EQ(test, revert(test), 0);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_ENFORCE), 0);
	before = in_force(test);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.8");
	KUNIT_EXPECT_EQ(test, commit_for(test, THIS_SOCKET, 60), 0);

	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, undo(test), 0));
	expect_back(test, before);
}

static void config_undo_of_what_was_confirmed(struct kunit *test)
{
	const struct edge_policy *before = begin_to_wait(test, 60);

	KUNIT_EXPECT_EQ(test, confirm(test), 0);
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	expect_back(test, before);
}

static void config_undo_of_a_change_before_the_confirmation(struct kunit *test)
{
	begin_to_wait(test, 60);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	KUNIT_EXPECT_EQ(test, confirm(test), 0);
	KUNIT_EXPECT_EQ(test, undo(test), -ENOENT);
	KUNIT_EXPECT_EQ(test, in_force(test)->mode, NF_EDGE_MODE_AUDIT);
}

static void config_transaction_may_start_as_a_copy(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	mutex_lock(&edge_of(test)->commit_mutex);
	KUNIT_EXPECT_EQ(test, edge_config_begin(edge_of(test), THIS_SOCKET, true), 0);
	mutex_unlock(&edge_of(test)->commit_mutex);
	EXPECT_GENERATION_MOVES(test, 0, {
		add_interface(test, THIS_SOCKET, "192.0.2.2");
		add_partner(test, THIS_SOCKET, "198.51.100.8");
	});
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 1);
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0));
	expect_interfaces(test, in_force(test), "192.0.2.1 access\n192.0.2.2 access\n");
	KUNIT_EXPECT_EQ(test, in_force(test)->partners->count, 2);
}

static void config_commit_opens_only_when_asked_to(struct kunit *test)
{
	struct netlink_ext_ack extack = {};
	struct edge_net *edge = edge_of(test);

	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	mutex_lock(&edge->commit_mutex);
	EXPECT_GENERATION_MOVES(test, 0, {
		KUNIT_EXPECT_EQ(test, edge_config_commit(edge, THIS_SOCKET, 0, false, &extack),
				-EPERM);
	});
	mutex_unlock(&edge->commit_mutex);
	KUNIT_EXPECT_NOT_NULL(test, extack._msg);
	/* the transaction is still there */
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.2"), 0);
	mutex_lock(&edge->commit_mutex);
	KUNIT_EXPECT_EQ(test, edge_config_commit(edge, THIS_SOCKET, 0, false, &extack), 0);
	mutex_unlock(&edge->commit_mutex);
	expect_interfaces(test, in_force(test), "192.0.2.2 access\n");
}

static void config_undo_opens_only_when_asked_to(struct kunit *test)
{
	struct edge_net *edge = edge_of(test);

	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0);
	EXPECT_GENERATION_MOVES(test, 0, KUNIT_EXPECT_EQ(test, undo(test), -EPERM));
	expect_interfaces(test, in_force(test), "192.0.2.1 access\n");
	EXPECT_GENERATION_MOVES(test, 1, KUNIT_EXPECT_EQ(test, undo_or_open(test, true), 0));
	expect_interfaces(test, in_force(test), "");
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	expect_interfaces(test, in_force(test), "192.0.2.1 access\n");

	/* "mode off" is soon taken back, and nothing would tell that the addresses are gone */
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_OFF), 0);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	mutex_lock(&edge->commit_mutex);
	KUNIT_EXPECT_EQ(test, edge_config_commit(edge, THIS_SOCKET, 0, false, NULL), -EPERM);
	mutex_unlock(&edge->commit_mutex);
	expect_interfaces(test, in_force(test), "192.0.2.1 access\n");
}

/* Blocks. */

static void block_until(struct kunit *test, u64 until)
{
	struct edge_block one = { .family = NFPROTO_IPV4, .bits = 32, .until = until };
	struct edge_policy *policy = edit(test, THIS_SOCKET, 0);
	struct edge_blocks *blocks;
	u32 bad;

	one.addr.ip = htonl(0xc6336407);
	blocks = edge_blocks_add(policy->blocks, &one, 1, false, &bad);
	KUNIT_ASSERT_FALSE(test, IS_ERR(blocks));
	edge_config_set_blocks(policy, blocks);
	KUNIT_EXPECT_EQ(test, apply(test, THIS_SOCKET, policy), 0);
}

static void config_blocks_end_by_themselves(struct kunit *test)
{
	struct edge_net *edge = edge_of(test);

	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&edge->expiry));
	EXPECT_GENERATION_MOVES(test, 1, block_until(test, ktime_get_real_seconds() + 3600));
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&edge->expiry));
	EXPECT_GENERATION_MOVES(test, 0, flush_delayed_work(&edge->expiry));	/* too early */
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&edge->expiry));
	KUNIT_EXPECT_EQ(test, edge_blocks_count(in_force(test)->blocks), 1);

	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	block_until(test, ktime_get_real_seconds());
	flush_delayed_work(&edge->expiry);
	KUNIT_EXPECT_NULL(test, in_force(test)->blocks);
	KUNIT_EXPECT_EQ(test, in_force(test)->mode, NF_EDGE_MODE_AUDIT);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&edge->expiry));

	/* what has ended ends again when it is brought back */
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	flush_delayed_work(&edge->expiry);
	KUNIT_EXPECT_EQ(test, edge_blocks_count(in_force(test)->blocks), 1);
}

/* An end is no change for undoing, neither while a policy waits for its confirmation. */
static void config_blocks_end_while_a_policy_waits(struct kunit *test)
{
	struct edge_net *edge = edge_of(test);
	const struct edge_policy *before;

	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.1"), 0);
	add_partner(test, THIS_SOCKET, "198.51.100.7");
	before = in_force(test);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, add_interface(test, THIS_SOCKET, "192.0.2.2"), 0);
	block_until(test, ktime_get_real_seconds());
	KUNIT_EXPECT_EQ(test, commit_for(test, THIS_SOCKET, 60), 0);
	flush_delayed_work(&edge->expiry);
	KUNIT_EXPECT_NULL(test, in_force(test)->blocks);
	KUNIT_EXPECT_EQ(test, confirm(test), 0);
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	expect_back(test, before);
}

static void expect_plain(struct kunit *test, enum edge_plain first, enum edge_plain second)
{
	KUNIT_EXPECT_EQ(test, in_force(test)->plain[EDGE_GATE_FIRST], first);
	KUNIT_EXPECT_EQ(test, in_force(test)->plain[EDGE_GATE_SECOND], second);
}

static void config_blocks_decide_what_is_plain(struct kunit *test)
{
	expect_plain(test, EDGE_PLAIN_ALL, EDGE_PLAIN_ALL);
	block_until(test, 0);
	expect_plain(test, EDGE_PLAIN_UNBLOCKED, EDGE_PLAIN_UNBLOCKED);
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	expect_plain(test, EDGE_PLAIN_ALL, EDGE_PLAIN_ALL);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	expect_plain(test, EDGE_PLAIN_ALL, EDGE_PLAIN_NONE);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_OFF), 0);
	expect_plain(test, EDGE_PLAIN_NONE, EDGE_PLAIN_NONE);
}

/* Policies share a list, and the last one that has it frees it: kmemleak and KASAN look on. */
static void config_blocks_are_shared(struct kunit *test)
{
	block_until(test, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&in_force(test)->blocks->users), 1);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_AUDIT), 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&in_force(test)->blocks->users), 2);
	KUNIT_EXPECT_EQ(test, set_mode(test, THIS_SOCKET, NF_EDGE_MODE_OFF), 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&in_force(test)->blocks->users), 2);
	KUNIT_EXPECT_EQ(test, begin(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_EQ(test, commit(test, THIS_SOCKET), 0);
	KUNIT_EXPECT_NULL(test, in_force(test)->blocks);
	KUNIT_EXPECT_EQ(test, undo(test), 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&in_force(test)->blocks->users), 1);
}

static struct kunit_case config_test_cases[] = {
	KUNIT_CASE(config_listings_hear_of_changes),
	KUNIT_CASE(config_starts_with_the_defaults),
	KUNIT_CASE(config_discard_changes_nothing),
	KUNIT_CASE(config_apply_puts_the_edited_policy_in_force),
	KUNIT_CASE(config_apply_indexes_the_addresses),
	KUNIT_CASE(config_apply_of_the_same_is_no_change),
	KUNIT_CASE_PARAM(config_apply_of_any_difference_is_a_change, change_gen_params),
	KUNIT_CASE(config_apply_replaces_the_partner_table),
	KUNIT_CASE(config_partners_change_moves_the_generation),
	KUNIT_CASE(config_generation_is_never_zero),
	KUNIT_CASE_PARAM(config_interfaces_are_edited, interface_gen_params),
	KUNIT_CASE(config_interfaces_have_a_limit),
	KUNIT_CASE(config_hooks_follow_the_policy),
	KUNIT_CASE(config_is_per_namespace),
	KUNIT_CASE_PARAM(config_apply_without_hooks_changes_nothing, full_gen_params),
	KUNIT_CASE_PARAM(config_commit_without_hooks_keeps_the_transaction, full_gen_params),
	KUNIT_CASE(config_transaction_starts_empty),
	KUNIT_CASE(config_transaction_is_not_in_force),
	KUNIT_CASE(config_transactions_belong_to_their_sockets),
	KUNIT_CASE(config_abort_throws_the_transaction_away),
	KUNIT_CASE(config_begin_throws_an_open_transaction_away),
	KUNIT_CASE(config_transaction_replaces_its_partner_table),
	KUNIT_CASE(config_commit_of_the_same_is_no_change),
	KUNIT_CASE(config_unconfirmed_policy_goes_back),
	KUNIT_CASE(config_confirmed_policy_stays),
	KUNIT_CASE(config_late_revert_leaves_the_next_its_time),
	KUNIT_CASE(config_reverted_policy_is_whole),
	KUNIT_CASE(config_one_policy_waits_at_a_time),
	KUNIT_CASE(config_nothing_waits_when_nothing_changed),
	KUNIT_CASE(config_hooks_stay_for_what_may_come_back),
	KUNIT_CASE(config_goes_while_a_policy_waits),
	KUNIT_CASE(config_goes_while_a_policy_goes_back),
	KUNIT_CASE(config_goes_with_its_namespace),
	KUNIT_CASE(config_undo_takes_settings_back),
	KUNIT_CASE(config_undo_is_of_the_last_change),
	KUNIT_CASE(config_undo_takes_partners_back),
	KUNIT_CASE(config_undo_takes_any_list_back),
	KUNIT_CASE(config_undo_takes_whole_policies_back),
	KUNIT_CASE(config_undo_of_what_waits_is_its_end),
	KUNIT_CASE(config_undo_of_what_was_confirmed),
	KUNIT_CASE(config_undo_of_a_change_before_the_confirmation),
	KUNIT_CASE(config_transaction_may_start_as_a_copy),
	KUNIT_CASE(config_commit_opens_only_when_asked_to),
	KUNIT_CASE(config_undo_opens_only_when_asked_to),
	KUNIT_CASE(config_blocks_end_by_themselves),
	KUNIT_CASE(config_blocks_end_while_a_policy_waits),
	KUNIT_CASE(config_blocks_decide_what_is_plain),
	KUNIT_CASE(config_blocks_are_shared),
	{}
};

static struct kunit_suite config_test_suite = {
	.name = "nf_edge_config",
	.suite_init = config_test_suite_init,
	.suite_exit = config_test_suite_exit,
	.init = config_test_init,
	.exit = config_test_exit,
	.test_cases = config_test_cases,
};

kunit_test_suite(config_test_suite);
