// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the law, after Documentation/policy.md: what that page says is
 * written down here a second time, by hand, and policy.c is held against it.
 */
#include <kunit/test.h>
#include <linux/in.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>

#include "judge.h"
#include "policy.h"

/*
 * The people. Each has an IPv4 address, 203.0.113.x for the Edge and 198.51.100.x
 * for the rest, and an IPv6 address, 2001:db8::x, with x as below. Every case is
 * judged in both families.
 */
enum who {
	ACCESS = 1,
	AV,
	INTERNAL,
	ALL_ROLES,	/* one address, three roles */
	ACCESS_EXT,	/* an access address bound to ext0 */
	AV_EXT,		/* an A/V address bound to ext0 */
	EDGE_LAST = AV_EXT,

	FEDERATION = 16,	/* a partner of that group only, and so on */
	PIC,
	CLIENT,
	MESSENGER,
	XMPP,
	GATEWAY,
	ANY_GROUP,	/* a partner of every group */
	FEDERATION_PIC,	/* in federation by one prefix, in pic by another around it */
	STRANGER,	/* no partner */
	OTHER_STRANGER,
};

static const struct {
	u8 roles;
	const char *dev;
} edges[] = {
	[ACCESS]     = { BIT(NF_EDGE_ROLE_ACCESS), "" },
	[AV]         = { BIT(NF_EDGE_ROLE_AV), "" },
	[INTERNAL]   = { BIT(NF_EDGE_ROLE_INTERNAL), "" },
	[ALL_ROLES]  = { BIT(NF_EDGE_ROLE_ACCESS) | BIT(NF_EDGE_ROLE_AV) |
			 BIT(NF_EDGE_ROLE_INTERNAL), "" },
	[ACCESS_EXT] = { BIT(NF_EDGE_ROLE_ACCESS), "ext0" },
	[AV_EXT]     = { BIT(NF_EDGE_ROLE_AV), "ext0" },
};

/* IPv4, IPv6, the end. */
static u8 next_family(u8 family)
{
	return family == NFPROTO_IPV4 ? NFPROTO_IPV6 : 0;
}

static const char *family_name(u8 family)
{
	return family == NFPROTO_IPV4 ? "IPv4" : "IPv6";
}

static union nf_inet_addr address_of(enum who who, u8 family)
{
	union nf_inet_addr addr = {};

	if (family == NFPROTO_IPV4) {
		addr.ip = htonl((who < FEDERATION ? 0xcb007100 : 0xc6336400) + who);
	} else {
		addr.ip6[0] = htonl(0x20010db8);
		addr.ip6[3] = htonl(who);
	}
	return addr;
}

/* Where a flow finds it. */
static const union nf_inet_addr *lasting_address_of(enum who who, u8 family)
{
	static union nf_inet_addr addresses[2][OTHER_STRANGER + 1];
	union nf_inet_addr *addr = &addresses[family == NFPROTO_IPV4][who];

	*addr = address_of(who, family);
	return addr;
}

static void free_partners(void *partners)
{
	edge_prefix_table_free(partners);
}

static struct edge_policy *policy_with_room(struct kunit *test, u32 room)
{
	struct edge_policy *policy;

	policy = kunit_kzalloc(test, struct_size(policy, interfaces, room), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, policy);
	policy->partners = edge_prefix_table_new();
	KUNIT_ASSERT_NOT_NULL(test, policy->partners);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_partners, policy->partners), 0);
	edge_policy_init(policy);
	return policy;
}

static void add_partner(struct kunit *test, struct edge_policy *policy, enum who who, u8 family,
			u8 shorter, u8 groups)
{
	struct edge_prefix prefix = {
		.addr = address_of(who, family),
		.family = family,
		.bits = (family == NFPROTO_IPV4 ? 32 : 128) - shorter,
		.groups = groups,
	};
	u32 bad;

	prefix.addr.ip6[family == NFPROTO_IPV4 ? 0 : 3] &= htonl(~0U << shorter);
	KUNIT_ASSERT_EQ(test, edge_prefix_add(policy->partners, &prefix, 1, 100, false, &bad), 1);
}

static void add_everybodys_prefix(struct kunit *test, struct edge_policy *policy)
{
	u8 family, group;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		for (group = 0; group < NF_EDGE_GROUP_COUNT; group++)
			add_partner(test, policy, FEDERATION + group, family, 0, BIT(group));
		add_partner(test, policy, ANY_GROUP, family, 0, NF_EDGE_GROUP_MASK);
		add_partner(test, policy, FEDERATION_PIC, family, 0, BIT(NF_EDGE_GROUP_PIC));
		add_partner(test, policy, FEDERATION_PIC, family, 1,	/* and its neighbour */
			    BIT(NF_EDGE_GROUP_FEDERATION));
	}
}

static void add_edge(struct edge_policy *policy, enum who who, u8 family)
{
	struct edge_interface *interface = &policy->interfaces[policy->interface_count++];

	interface->addr = address_of(who, family);
	interface->family = family;
	interface->roles = edges[who].roles;
	strscpy(interface->dev, edges[who].dev, sizeof(interface->dev));
}

/* The defaults, no partner, and these Edge addresses (a mask of BIT(who)) in both families. */
static struct edge_policy *policy_without_partners(struct kunit *test, u32 edge_mask)
{
	struct edge_policy *policy = policy_with_room(test, 2 * EDGE_LAST);
	enum who who;
	u8 family;

	for (family = NFPROTO_IPV4; family; family = next_family(family))
		for (who = ACCESS; who <= EDGE_LAST; who++)
			if (edge_mask & BIT(who))
				add_edge(policy, who, family);
	edge_policy_index(policy);
	return policy;
}

/* The same, and every partner. */
static struct edge_policy *policy_of(struct kunit *test, u32 edge_mask)
{
	struct edge_policy *policy = policy_without_partners(test, edge_mask);

	add_everybodys_prefix(test, policy);
	return policy;
}

#define NO_EDGE	    BIT(0)
#define THREE_EDGES (BIT(ACCESS) | BIT(AV) | BIT(INTERNAL))
#define EVERY_EDGE  (BIT(EDGE_LAST + 1) - 2)

static struct edge_flow flow_of(enum who from, enum who to, u8 family, u8 protocol, u16 dport)
{
	return (struct edge_flow){
		.src.addr = lasting_address_of(from, family),
		.dst.addr = lasting_address_of(to, family),
		.family = family,
		.protocol = protocol,
		.kind = protocol == IPPROTO_TCP ? EDGE_KIND_TCP_SYN :
			protocol == IPPROTO_UDP ? EDGE_KIND_UDP : EDGE_KIND_OTHER,
		.src.port = 1024,
		.dst.port = dport,
	};
}

/* As a packet is judged: where partners are remembered. */
static struct edge_ruling judge(const struct edge_policy *policy, struct edge_flow *flow)
{
	struct edge_ruling ruling;

	rcu_read_lock();
	local_bh_disable();
	edge_policy_recognise(policy, flow);
	ruling = edge_policy_judge(policy, flow);
	local_bh_enable();
	rcu_read_unlock();
	return ruling;
}

/* A ruling in words, for messages. */
struct words {
	char text[48];
};

static struct words words_of(struct edge_ruling ruling)
{
	static const char * const verdicts[] = { "accept", "drop", "pass" };
	struct words words;

	scnprintf(words.text, sizeof(words.text), "%s %s %s",
		  ruling.verdict < ARRAY_SIZE(verdicts) ? verdicts[ruling.verdict] : "?",
		  ruling.row < NF_EDGE_ROW_COUNT ? edge_row_names[ruling.row] : "-",
		  ruling.reason < NF_EDGE_REASON_COUNT ? edge_reason_names[ruling.reason] : "-");
	return words;
}

#define ACCEPT(row) { NF_EDGE_VERDICT_ACCEPT, NF_EDGE_ROW_##row, NF_EDGE_REASON_COUNT }
#define DROP(reason) { NF_EDGE_VERDICT_DROP, NF_EDGE_ROW_COUNT, NF_EDGE_REASON_##reason }
#define PASS_UNLISTED { NF_EDGE_VERDICT_PASS, NF_EDGE_ROW_COUNT, NF_EDGE_REASON_UNLISTED }
#define PASS { NF_EDGE_VERDICT_PASS, NF_EDGE_ROW_COUNT, NF_EDGE_REASON_COUNT }

#define EXPECT_RULING(test, got, want, fmt, ...)					\
do {											\
	const struct edge_ruling _wanted = want;					\
	const struct words _got = words_of(got), _want = words_of(_wanted);		\
											\
	KUNIT_EXPECT_STREQ_MSG(test, _got.text, _want.text, fmt, ##__VA_ARGS__);	\
} while (0)

/* The rows of section 2, by hand. */

struct documented_row {
	const char *name;
	const char *class;
	u8 protocol;
	u16 first, last;	/* the service port, or the default RTP ports */
	enum who initiator, responder;
	bool listed;		/* peers by default */
};

static const struct documented_row documented_rows[] = {
	{ "sip-federation-out", "sip", IPPROTO_TCP, 5061, 5061, ACCESS, FEDERATION, false },
	{ "sip-federation-in", "sip", IPPROTO_TCP, 5061, 5061, FEDERATION, ACCESS, true },
	{ "sip-pic-in", "sip", IPPROTO_TCP, 5061, 5061, PIC, ACCESS, true },
	{ "sip-pic-out", "sip", IPPROTO_TCP, 5061, 5061, ACCESS, PIC, true },
	{ "sip-client-in", "sip", IPPROTO_TCP, 443, 443, CLIENT, ACCESS, false },
	{ "av-rtp-out", "av", IPPROTO_TCP, 50000, 59999, AV, MESSENGER, false },
	{ "av-stun-out", "av", IPPROTO_UDP, 3478, 3478, AV, MESSENGER, false },
	{ "av-stun-in", "av", IPPROTO_UDP, 3478, 3478, MESSENGER, AV, false },
	{ "xmpp-in", "xmpp", IPPROTO_TCP, 5269, 5269, XMPP, ACCESS, false },
	{ "xmpp-out", "xmpp", IPPROTO_TCP, 5269, 5269, ACCESS, XMPP, false },
	{ "xmpp-gateway-in", "xmpp", IPPROTO_TCP, 23456, 23456, GATEWAY, INTERNAL, false },
};

KUNIT_ARRAY_PARAM_DESC(row, documented_rows, name);

static enum nf_edge_row index_of(const struct documented_row *row)
{
	return row - documented_rows;
}

static bool is_outbound(const struct documented_row *row)
{
	return row->initiator <= EDGE_LAST;
}

static struct edge_flow flow_from(const struct documented_row *row, enum who remote, u8 family,
				  u16 dport)
{
	return is_outbound(row) ?
	       flow_of(row->initiator, remote, family, row->protocol, dport) :
	       flow_of(remote, row->responder, family, row->protocol, dport);
}

static enum who remote_of(const struct documented_row *row)
{
	return is_outbound(row) ? row->responder : row->initiator;
}

static enum who edge_of(const struct documented_row *row)
{
	return is_outbound(row) ? row->initiator : row->responder;
}

static void policy_row_is_as_documented(struct kunit *test)
{
	const struct documented_row *doc = test->param_value;
	const struct edge_row *row = &edge_rows[index_of(doc)];

	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(documented_rows), NF_EDGE_ROW_COUNT);
	KUNIT_EXPECT_STREQ(test, edge_row_names[index_of(doc)], doc->name);
	KUNIT_EXPECT_STREQ(test, row->class, doc->class);
	KUNIT_EXPECT_EQ(test, row->protocol, doc->protocol);
	KUNIT_EXPECT_EQ(test, row->port, doc->first == doc->last ? doc->first : 0);
	KUNIT_EXPECT_EQ(test, row->outbound, is_outbound(doc));
	KUNIT_EXPECT_EQ(test, BIT(row->role), edges[edge_of(doc)].roles);
	KUNIT_EXPECT_EQ(test, row->group, remote_of(doc) - FEDERATION);
	KUNIT_EXPECT_EQ(test, row->peers, doc->listed ? NF_EDGE_PEERS_LISTED : NF_EDGE_PEERS_ANY);
}

/* A remote in the row's group is admitted by that row, on its ports and on no other. */
static void policy_row_covers_its_ports_only(struct kunit *test)
{
	const struct documented_row *doc = test->param_value;
	struct edge_policy *policy = policy_of(test, THREE_EDGES);
	u8 family;
	u32 port;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		for (port = 1; port <= EDGE_PORT_LAST; port++) {
			struct edge_flow flow = flow_from(doc, remote_of(doc), family, port);
			bool admitted = judge(policy, &flow).row == index_of(doc);

			KUNIT_ASSERT_EQ_MSG(test, admitted, port >= doc->first && port <= doc->last,
					    "%s port %u", family_name(family), port);
		}
	}
}

/* Alone on its ports, so that no other row speaks for it. */
static struct edge_policy *policy_of_one_row(struct kunit *test, const struct documented_row *doc)
{
	struct edge_policy *policy = policy_of(test, THREE_EDGES);

	policy->enabled = BIT(index_of(doc));
	return policy;
}

static void policy_row_with_any_peers_admits_everybody(struct kunit *test)
{
	const struct documented_row *doc = test->param_value;
	struct edge_policy *policy = policy_of_one_row(test, doc);
	enum who remote;
	u8 family;

	policy->any = BIT(index_of(doc));
	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		for (remote = FEDERATION; remote <= OTHER_STRANGER; remote++) {
			struct edge_flow flow = flow_from(doc, remote, family, doc->last);

			KUNIT_EXPECT_EQ_MSG(test, judge(policy, &flow).row, index_of(doc),
					    "%s remote %d", family_name(family), remote);
		}
	}
}

static void policy_row_with_listed_peers_admits_its_group(struct kunit *test)
{
	const struct documented_row *doc = test->param_value;
	struct edge_policy *policy = policy_of_one_row(test, doc);
	enum who remote;
	u8 family;

	policy->any = ~BIT(index_of(doc));
	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		for (remote = FEDERATION; remote <= OTHER_STRANGER; remote++) {
			struct edge_flow flow = flow_from(doc, remote, family, doc->last);
			struct edge_ruling got = judge(policy, &flow);
			enum who group = remote_of(doc);

			if (remote == group || remote == ANY_GROUP ||
			    (remote == FEDERATION_PIC && (group == FEDERATION || group == PIC)))
				KUNIT_EXPECT_EQ_MSG(test, got.row, index_of(doc), "%s remote %d",
						    family_name(family), remote);
			else
				EXPECT_RULING(test, got, DROP(NOT_LISTED), "%s remote %d",
					      family_name(family), remote);
		}
	}
}

static void policy_row_disabled_admits_nobody(struct kunit *test)
{
	const struct documented_row *doc = test->param_value;
	struct edge_policy *policy = policy_of(test, THREE_EDGES);
	u8 family;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		struct edge_flow flow = flow_from(doc, remote_of(doc), family, doc->first);

		policy->enabled = BIT(NF_EDGE_ROW_COUNT) - 1;
		policy->enabled &= ~BIT(index_of(doc));
		KUNIT_EXPECT_NE(test, judge(policy, &flow).row, index_of(doc));

		policy->enabled = 0;
		EXPECT_RULING(test, judge(policy, &flow), DROP(DISABLED), "%s",
			      family_name(family));

		/* the operator covers the port by a row: it is not left to others */
		policy->unlisted = NF_EDGE_UNLISTED_PASS;
		EXPECT_RULING(test, judge(policy, &flow), DROP(DISABLED), "%s, unlisted pass",
			      family_name(family));
		policy->unlisted = NF_EDGE_UNLISTED_DROP;
	}
}

static void policy_row_is_for_its_role_only(struct kunit *test)
{
	const struct documented_row *doc = test->param_value;
	struct edge_policy *policy = policy_of_one_row(test, doc);
	enum who edge;
	u8 family;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		for (edge = ACCESS; edge <= INTERNAL; edge++) {
			struct edge_flow flow = flow_from(doc, remote_of(doc), family, doc->first);

			*(is_outbound(doc) ? &flow.src.addr : &flow.dst.addr) =
				lasting_address_of(edge, family);
			KUNIT_EXPECT_EQ_MSG(test, judge(policy, &flow).row == index_of(doc),
					    edge == edge_of(doc), "%s Edge %d",
					    family_name(family), edge);
		}
	}
}

static void policy_row_is_for_its_direction_only(struct kunit *test)
{
	const struct documented_row *doc = test->param_value;
	struct edge_policy *policy = policy_of_one_row(test, doc);
	u8 family;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		struct edge_flow flow = flow_of(doc->responder, doc->initiator, family,
						doc->protocol, doc->first);

		KUNIT_EXPECT_EQ_MSG(test, judge(policy, &flow).verdict, NF_EDGE_VERDICT_DROP,
				    "%s", family_name(family));
	}
}

static void policy_row_is_for_its_protocol_only(struct kunit *test)
{
	const struct documented_row *doc = test->param_value;
	struct edge_policy *policy = policy_of(test, THREE_EDGES);
	int protocol;
	u8 family;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		for (protocol = 0; protocol < 256; protocol++) {
			struct edge_flow flow = flow_from(doc, remote_of(doc), family, doc->first);

			flow.protocol = protocol;
			KUNIT_EXPECT_EQ_MSG(test, judge(policy, &flow).row == index_of(doc),
					    protocol == doc->protocol, "%s protocol %d",
					    family_name(family), protocol);
		}
	}
}

static void policy_defaults_are_as_documented(struct kunit *test)
{
	const size_t mode = offsetof(struct edge_policy, mode);
	struct edge_policy *policy = policy_with_room(test, 1);
	u32 first = 0, last;
	int row;

	/* all of it is set, whatever was there */
	memset((u8 *)policy + mode, 0xff, sizeof(*policy) - mode);
	edge_policy_init(policy);

	KUNIT_EXPECT_EQ(test, policy->mode, NF_EDGE_MODE_ENFORCE);
	KUNIT_EXPECT_EQ(test, policy->unlisted, NF_EDGE_UNLISTED_DROP);
	KUNIT_EXPECT_EQ(test, policy->rtp_match, NF_EDGE_RTP_MATCH_DST);
	KUNIT_EXPECT_EQ(test, policy->interface_count, 0);
	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		KUNIT_EXPECT_TRUE(test, policy->enabled & BIT(row));
		KUNIT_EXPECT_EQ_MSG(test, !(policy->any & BIT(row)), documented_rows[row].listed,
				    "%s", documented_rows[row].name);
	}
	KUNIT_EXPECT_TRUE(test, edge_ports_walk(&policy->ports, &first, &last));
	KUNIT_EXPECT_EQ(test, first, 50000);
	KUNIT_EXPECT_EQ(test, last, 59999);
	first = last + 1;
	KUNIT_EXPECT_FALSE(test, edge_ports_walk(&policy->ports, &first, &last));
	KUNIT_EXPECT_NULL(test, memchr_inv(policy->buckets, 0, sizeof(policy->buckets)));
}

static void policy_names_are_as_documented(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, edge_mode_names[NF_EDGE_MODE_ENFORCE], "enforce");
	KUNIT_EXPECT_STREQ(test, edge_mode_names[NF_EDGE_MODE_AUDIT], "audit");
	KUNIT_EXPECT_STREQ(test, edge_mode_names[NF_EDGE_MODE_OFF], "off");
	KUNIT_EXPECT_STREQ(test, edge_unlisted_names[NF_EDGE_UNLISTED_DROP], "drop");
	KUNIT_EXPECT_STREQ(test, edge_unlisted_names[NF_EDGE_UNLISTED_PASS], "pass");
	KUNIT_EXPECT_STREQ(test, edge_role_names[NF_EDGE_ROLE_ACCESS], "access");
	KUNIT_EXPECT_STREQ(test, edge_role_names[NF_EDGE_ROLE_AV], "av");
	KUNIT_EXPECT_STREQ(test, edge_role_names[NF_EDGE_ROLE_INTERNAL], "internal");
	KUNIT_EXPECT_STREQ(test, edge_group_names[NF_EDGE_GROUP_FEDERATION], "federation");
	KUNIT_EXPECT_STREQ(test, edge_group_names[NF_EDGE_GROUP_PIC], "pic");
	KUNIT_EXPECT_STREQ(test, edge_group_names[NF_EDGE_GROUP_CLIENT], "client");
	KUNIT_EXPECT_STREQ(test, edge_group_names[NF_EDGE_GROUP_MESSENGER], "messenger");
	KUNIT_EXPECT_STREQ(test, edge_group_names[NF_EDGE_GROUP_XMPP], "xmpp");
	KUNIT_EXPECT_STREQ(test, edge_group_names[NF_EDGE_GROUP_GATEWAY], "gateway");
	KUNIT_EXPECT_STREQ(test, edge_peers_names[NF_EDGE_PEERS_ANY], "any");
	KUNIT_EXPECT_STREQ(test, edge_peers_names[NF_EDGE_PEERS_LISTED], "listed");
	KUNIT_EXPECT_STREQ(test, edge_reason_names[NF_EDGE_REASON_MALFORMED], "malformed");
	KUNIT_EXPECT_STREQ(test, edge_reason_names[NF_EDGE_REASON_WRONG_DEVICE], "wrong-device");
	KUNIT_EXPECT_STREQ(test, edge_reason_names[NF_EDGE_REASON_INVALID_STATE], "invalid-state");
	KUNIT_EXPECT_STREQ(test, edge_reason_names[NF_EDGE_REASON_NOT_LISTED], "not-listed");
	KUNIT_EXPECT_STREQ(test, edge_reason_names[NF_EDGE_REASON_DISABLED], "disabled");
	KUNIT_EXPECT_STREQ(test, edge_reason_names[NF_EDGE_REASON_UNLISTED], "unlisted");
	KUNIT_EXPECT_STREQ(test, edge_reason_names[NF_EDGE_REASON_BLOCKED], "blocked");
}

/* Section 3, case by case. */

struct judgement {
	const char *name;
	u32 edges;		/* mask of BIT(who); 0: THREE_EDGES */
	u16 disabled;		/* masks of BIT(row), on top of the defaults */
	u16 listed;
	u16 any;
	u8 unlisted;
	u8 match;
	u16 ports[2];		/* instead of the default RTP ports */
	enum who blocked;	/* or nobody */
	enum who from, to;
	u8 protocol;
	u16 sport, dport;
	u8 kind;		/* where kind_given; else as the protocol opens a flow */
	bool kind_given;
	u8 tracking;
	bool reply;
	bool malformed;
	const char *in, *out;
	struct edge_ruling want;
	enum nf_edge_row row;	/* where one row is asked: what it says */
	enum nf_edge_finding finding;
};

#define ROW(row) BIT(NF_EDGE_ROW_##row)
#define KIND(which) .kind = EDGE_KIND_##which, .kind_given = true
#define TRACKED(which) .tracking = EDGE_TRACKING_##which
#define TCP(from, to, port) (from), (to), IPPROTO_TCP, .dport = (port)
#define UDP(from, to, port) (from), (to), IPPROTO_UDP, .dport = (port)
#define FLOW(flow) .from = flow
#define RTP_MATCH(which) .match = NF_EDGE_RTP_MATCH_##which
#define BLOCKED(who) .blocked = (who)
#define UNLISTED_PASS .unlisted = NF_EDGE_UNLISTED_PASS

/*
 * What the rows say of a flow explains the ruling: an accept is by the first that admits, and a
 * drop for want of a row that admits has rows that say so.
 */
static void expect_explained(struct kunit *test, const struct edge_policy *policy,
			     const struct edge_flow *flow, struct edge_ruling ruling)
{
	enum nf_edge_row first = NF_EDGE_ROW_COUNT, row;
	u16 said = 0;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		const enum nf_edge_finding finding = edge_policy_consider(policy, flow, row);

		KUNIT_ASSERT_LT(test, finding, NF_EDGE_FINDING_COUNT);
		said |= BIT(finding);
		if (first == NF_EDGE_ROW_COUNT &&
		    (finding == NF_EDGE_FINDING_LISTED || finding == NF_EDGE_FINDING_ANY))
			first = row;
	}
	KUNIT_ASSERT_EQ_MSG(test, first, ruling.row, "%s", words_of(ruling).text);
	if (ruling.reason == NF_EDGE_REASON_NOT_LISTED)
		KUNIT_ASSERT_TRUE(test, said & BIT(NF_EDGE_FINDING_NOT_LISTED));
	if (ruling.reason == NF_EDGE_REASON_DISABLED)
		KUNIT_ASSERT_TRUE(test, said & BIT(NF_EDGE_FINDING_DISABLED));
	if (ruling.reason == NF_EDGE_REASON_UNLISTED)
		KUNIT_ASSERT_FALSE(test, said & (BIT(NF_EDGE_FINDING_NOT_LISTED) |
						 BIT(NF_EDGE_FINDING_DISABLED)));
}

static void unblock(void *blocks)
{
	edge_blocks_put(blocks);
}

/* Blocks both of an address's prefixes. */
static void block(struct kunit *test, struct edge_policy *policy, enum who who)
{
	const struct edge_block list[] = {
		{ .addr = address_of(who, NFPROTO_IPV4), .family = NFPROTO_IPV4, .bits = 32 },
		{ .addr = address_of(who, NFPROTO_IPV6), .family = NFPROTO_IPV6, .bits = 128 },
	};
	u32 bad;

	policy->blocks = edge_blocks_add(NULL, list, ARRAY_SIZE(list), false, &bad);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, policy->blocks);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unblock, policy->blocks), 0);
}

static struct edge_policy *policy_of_case(struct kunit *test, const struct judgement *c)
{
	struct edge_policy *policy = policy_of(test, c->edges ? c->edges : THREE_EDGES);

	policy->enabled &= ~c->disabled;
	policy->any = (policy->any | c->any) & ~c->listed;
	policy->unlisted = c->unlisted;
	policy->rtp_match = c->match;
	if (c->ports[0]) {
		memset(&policy->ports, 0, sizeof(policy->ports));
		edge_ports_set(&policy->ports, c->ports[0], c->ports[1]);
	}
	if (c->blocked)
		block(test, policy, c->blocked);
	return policy;
}

static struct edge_flow flow_of_case(const struct judgement *c, u8 family)
{
	struct edge_flow flow = flow_of(c->from, c->to, family, c->protocol, c->dport);

	if (c->sport)
		flow.src.port = c->sport;
	if (c->kind_given)
		flow.kind = c->kind;
	flow.tracking = c->tracking;
	flow.reply = c->reply;
	flow.malformed = c->malformed;
	flow.in = c->in;
	flow.out = c->out;
	return flow;
}

static void expect_judgement(struct kunit *test)
{
	const struct judgement *c = test->param_value;
	struct edge_policy *policy = policy_of_case(test, c);
	u8 family;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		struct edge_flow flow = flow_of_case(c, family);
		const struct edge_ruling got = judge(policy, &flow);

		EXPECT_RULING(test, got, c->want, "%s", family_name(family));
		rcu_read_lock();
		expect_explained(test, policy, &flow, got);
		rcu_read_unlock();
	}
}

/* "Which row decides": a row that lists the remote before one that admits any; then table order. */
static const struct judgement deciding_cases[] = {
	{ "a PIC partner's inbound call counts on sip-pic-in",
	  FLOW(TCP(PIC, ACCESS, 5061)), .want = ACCEPT(SIP_PIC_IN) },
	{ "an outbound call to a stranger counts on sip-federation-out",
	  FLOW(TCP(ACCESS, STRANGER, 5061)), .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "an outbound call to a PIC partner counts on sip-pic-out, which lists it",
	  FLOW(TCP(ACCESS, PIC, 5061)), .want = ACCEPT(SIP_PIC_OUT) },
	{ "an outbound call to one in both groups: table order, federation first",
	  FLOW(TCP(ACCESS, ANY_GROUP, 5061)), .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "an inbound call from one in both groups: table order, federation first",
	  FLOW(TCP(ANY_GROUP, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "groups are united over nested prefixes, outbound",
	  FLOW(TCP(ACCESS, FEDERATION_PIC, 5061)), .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "groups are united over nested prefixes, inbound",
	  FLOW(TCP(FEDERATION_PIC, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "with the first row disabled the other one lists",
	  .disabled = ROW(SIP_FEDERATION_IN), FLOW(TCP(FEDERATION_PIC, ACCESS, 5061)),
	  .want = ACCEPT(SIP_PIC_IN) },
	{ "a disabled row that lists does not win over an enabled one that admits any",
	  .disabled = ROW(SIP_PIC_OUT), FLOW(TCP(ACCESS, PIC, 5061)),
	  .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "a stranger's inbound call is not listed",
	  FLOW(TCP(STRANGER, ACCESS, 5061)), .want = DROP(NOT_LISTED) },
	{ "a partner of another group is not listed",
	  FLOW(TCP(XMPP, ACCESS, 5061)), .want = DROP(NOT_LISTED) },
	{ "any on both inbound rows: table order",
	  .any = ROW(SIP_FEDERATION_IN) | ROW(SIP_PIC_IN), FLOW(TCP(STRANGER, ACCESS, 5061)),
	  .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "listed before any, whatever the table order",
	  .any = ROW(SIP_FEDERATION_IN), FLOW(TCP(PIC, ACCESS, 5061)),
	  .want = ACCEPT(SIP_PIC_IN) },
	{ "a row whose peers are any lists too",
	  .any = ROW(SIP_FEDERATION_OUT) | ROW(SIP_PIC_OUT), FLOW(TCP(ACCESS, PIC, 5061)),
	  .want = ACCEPT(SIP_PIC_OUT) },
	{ "any on the second row only",
	  .listed = ROW(SIP_FEDERATION_OUT), .any = ROW(SIP_PIC_OUT),
	  FLOW(TCP(ACCESS, STRANGER, 5061)), .want = ACCEPT(SIP_PIC_OUT) },
	{ "listed on both outbound rows",
	  .listed = ROW(SIP_FEDERATION_OUT), FLOW(TCP(ACCESS, STRANGER, 5061)),
	  .want = DROP(NOT_LISTED) },
	{ "one row disabled and the other not admitting is not listed",
	  .disabled = ROW(SIP_FEDERATION_IN), FLOW(TCP(STRANGER, ACCESS, 5061)),
	  .want = DROP(NOT_LISTED) },
	{ "a partner whose only row is disabled is not listed by the other",
	  .disabled = ROW(SIP_FEDERATION_IN), FLOW(TCP(FEDERATION, ACCESS, 5061)),
	  .want = DROP(NOT_LISTED) },
	{ "all rows of a direction disabled",
	  .disabled = ROW(SIP_FEDERATION_IN) | ROW(SIP_PIC_IN),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = DROP(DISABLED) },
	{ "the rows of the other direction are no help",
	  .disabled = ROW(SIP_FEDERATION_OUT) | ROW(SIP_PIC_OUT),
	  FLOW(TCP(ACCESS, FEDERATION, 5061)), .want = DROP(DISABLED) },
	{ "two rows by an RTP map that holds a service port: a row that lists first",
	  .edges = BIT(ALL_ROLES), .ports = { 5061, 5061 }, FLOW(TCP(ALL_ROLES, MESSENGER, 5061)),
	  .want = ACCEPT(AV_RTP_OUT) },
	{ "two rows by an RTP map that holds a service port: then table order",
	  .edges = BIT(ALL_ROLES), .ports = { 5061, 5061 }, FLOW(TCP(ALL_ROLES, STRANGER, 5061)),
	  .want = ACCEPT(SIP_FEDERATION_OUT) },
};

KUNIT_ARRAY_PARAM_DESC(deciding, deciding_cases, name);

/* Whose rows: roles, the single-address Edge, and both ends Edge. */
static const struct judgement role_cases[] = {
	{ "a single access address serves A/V: RTP", .edges = BIT(ACCESS),
	  FLOW(TCP(ACCESS, STRANGER, 50000)), .want = ACCEPT(AV_RTP_OUT) },
	{ "a single access address serves A/V: STUN out", .edges = BIT(ACCESS),
	  FLOW(UDP(ACCESS, STRANGER, 3478)), .want = ACCEPT(AV_STUN_OUT) },
	{ "a single access address serves A/V: STUN in", .edges = BIT(ACCESS),
	  FLOW(UDP(STRANGER, ACCESS, 3478)), .want = ACCEPT(AV_STUN_IN) },
	{ "and its own rows still", .edges = BIT(ACCESS),
	  FLOW(TCP(STRANGER, ACCESS, 443)), .want = ACCEPT(SIP_CLIENT_IN) },
	{ "several access addresses serve A/V", .edges = BIT(ACCESS) | BIT(ACCESS_EXT),
	  FLOW(TCP(ACCESS, STRANGER, 50000)), .want = ACCEPT(AV_RTP_OUT) },
	{ "an internal address does not take them over", .edges = BIT(ACCESS) | BIT(INTERNAL),
	  FLOW(TCP(INTERNAL, STRANGER, 50000)), .want = DROP(UNLISTED) },
	{ "and does not take them away", .edges = BIT(ACCESS) | BIT(INTERNAL),
	  FLOW(TCP(ACCESS, STRANGER, 50000)), .want = ACCEPT(AV_RTP_OUT) },
	{ "an internal address alone serves no A/V", .edges = BIT(INTERNAL),
	  FLOW(TCP(INTERNAL, STRANGER, 50000)), .want = DROP(UNLISTED) },
	{ "with an A/V address the access address serves none: RTP",
	  FLOW(TCP(ACCESS, MESSENGER, 50000)), .want = DROP(UNLISTED) },
	{ "with an A/V address the access address serves none: STUN out",
	  FLOW(UDP(ACCESS, MESSENGER, 3478)), .want = DROP(UNLISTED) },
	{ "with an A/V address the access address serves none: STUN in",
	  FLOW(UDP(MESSENGER, ACCESS, 3478)), .want = DROP(UNLISTED) },
	{ "an address with every role: SIP", .edges = BIT(ALL_ROLES),
	  FLOW(TCP(FEDERATION, ALL_ROLES, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "an address with every role: A/V", .edges = BIT(ALL_ROLES),
	  FLOW(UDP(STRANGER, ALL_ROLES, 3478)), .want = ACCEPT(AV_STUN_IN) },
	{ "an address with every role: the XMPP gateway", .edges = BIT(ALL_ROLES),
	  FLOW(TCP(STRANGER, ALL_ROLES, 23456)), .want = ACCEPT(XMPP_GATEWAY_IN) },
	{ "another one's A/V role takes them from the access address",
	  .edges = BIT(ACCESS) | BIT(ALL_ROLES),
	  FLOW(TCP(ACCESS, STRANGER, 50000)), .want = DROP(UNLISTED) },
	{ "neither end is an Edge address",
	  FLOW(TCP(STRANGER, OTHER_STRANGER, 5061)), .want = PASS },
	{ "nor is a partner one", FLOW(TCP(FEDERATION, PIC, 5061)), .want = PASS },
	{ "what is not ours passes, malformed or not", .malformed = true,
	  FLOW(TCP(STRANGER, OTHER_STRANGER, 5061)), .want = PASS },
	{ "no Edge address at all", .edges = NO_EDGE,
	  FLOW(TCP(STRANGER, ACCESS, 5061)), .want = PASS },

	{ "both ends Edge: the responder's row admits",
	  FLOW(TCP(AV, ACCESS, 443)), .want = ACCEPT(SIP_CLIENT_IN) },
	{ "both ends Edge: the initiator's row admits",
	  FLOW(TCP(AV, ACCESS, 50000)), .want = ACCEPT(AV_RTP_OUT) },
	{ "both ends Edge: rows of both ends, table order",
	  .edges = BIT(ALL_ROLES) | BIT(AV), FLOW(UDP(AV, ALL_ROLES, 3478)),
	  .want = ACCEPT(AV_STUN_OUT) },
	{ "both ends Edge: the other end's row where the first is disabled",
	  .edges = BIT(ALL_ROLES) | BIT(AV), .disabled = ROW(AV_STUN_OUT),
	  FLOW(UDP(AV, ALL_ROLES, 3478)), .want = ACCEPT(AV_STUN_IN) },
	{ "both ends Edge: any on one end's row, listed on the other's",
	  .edges = BIT(ACCESS) | BIT(ACCESS_EXT), FLOW(TCP(ACCESS, ACCESS_EXT, 5061)),
	  .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "both ends Edge: each is the other's remote, and nobody lists it",
	  .edges = BIT(ACCESS) | BIT(ACCESS_EXT), .listed = ROW(SIP_FEDERATION_OUT),
	  FLOW(TCP(ACCESS, ACCESS_EXT, 5061)), .want = DROP(NOT_LISTED) },
	{ "both ends Edge: no row of either", FLOW(TCP(ACCESS, AV, 22)), .want = DROP(UNLISTED) },
	{ "both ends Edge: all rows of both disabled", .edges = BIT(ALL_ROLES) | BIT(AV),
	  .disabled = ROW(AV_STUN_OUT) | ROW(AV_STUN_IN),
	  FLOW(UDP(AV, ALL_ROLES, 3478)), .want = DROP(DISABLED) },
};

KUNIT_ARRAY_PARAM_DESC(role, role_cases, name);

static const struct judgement unlisted_cases[] = {
	{ "no row covers the port", FLOW(TCP(FEDERATION, ACCESS, 22)), .want = DROP(UNLISTED) },
	{ "unlisted pass", UNLISTED_PASS,
	  FLOW(TCP(FEDERATION, ACCESS, 22)), .want = PASS_UNLISTED },
	{ "unlisted pass, outbound", UNLISTED_PASS,
	  FLOW(UDP(ACCESS, STRANGER, 53)), .want = PASS_UNLISTED },
	{ "a row's own port still admits only its own peers", UNLISTED_PASS,
	  FLOW(TCP(STRANGER, ACCESS, 5061)), .want = DROP(NOT_LISTED) },
	{ "a disabled row's port stays closed", UNLISTED_PASS, .disabled = ROW(SIP_CLIENT_IN),
	  FLOW(TCP(CLIENT, ACCESS, 443)), .want = DROP(DISABLED) },
	{ "what rows admit is still admitted", UNLISTED_PASS,
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "another role's port is no row's", UNLISTED_PASS,
	  FLOW(TCP(CLIENT, AV, 443)), .want = PASS_UNLISTED },
	{ "unlisted pass does not let malformed packets in", UNLISTED_PASS, .malformed = true,
	  FLOW(TCP(STRANGER, ACCESS, 22)), .want = DROP(MALFORMED) },
	{ "nor by the wrong device", UNLISTED_PASS, .edges = BIT(ACCESS_EXT), .in = "int0",
	  FLOW(TCP(STRANGER, ACCESS_EXT, 22)), .want = DROP(WRONG_DEVICE) },
	{ "nor TCP in mid-stream", UNLISTED_PASS, KIND(TCP), TRACKED(NEW),
	  FLOW(TCP(STRANGER, ACCESS, 22)), .want = DROP(INVALID_STATE) },
	{ "nor what tracking calls invalid", UNLISTED_PASS, TRACKED(NONE),
	  FLOW(UDP(STRANGER, ACCESS, 22)), .want = DROP(INVALID_STATE) },
	{ "TCP without port", FLOW(TCP(STRANGER, ACCESS, 0)), .want = DROP(UNLISTED) },
	{ "UDP on a TCP row's port", FLOW(UDP(FEDERATION, ACCESS, 5061)), .want = DROP(UNLISTED) },
	{ "TCP on a UDP row's port", FLOW(TCP(MESSENGER, AV, 3478)), .want = DROP(UNLISTED) },
	{ "UDP on the RTP ports", FLOW(UDP(AV, MESSENGER, 50000)), .want = DROP(UNLISTED) },
};

KUNIT_ARRAY_PARAM_DESC(unlisted, unlisted_cases, name);

/* Step 8: a row's own port admits only its own peers, whoever speaks first. */
static const struct judgement turned_cases[] = {
	{ "the Edge speaks first, from a port whose row refuses the other end", UNLISTED_PASS,
	  .listed = ROW(AV_STUN_IN), .sport = 3478, FLOW(UDP(AV, STRANGER, 40000)),
	  .want = DROP(NOT_LISTED) },
	{ "its answer too", UNLISTED_PASS, .listed = ROW(AV_STUN_IN), .sport = 3478,
	  .reply = true, TRACKED(KNOWN), FLOW(UDP(AV, STRANGER, 40000)),
	  .want = DROP(NOT_LISTED) },
	{ "the row admits the other end", UNLISTED_PASS, .listed = ROW(AV_STUN_IN),
	  .sport = 3478, FLOW(UDP(AV, MESSENGER, 40000)), .want = PASS_UNLISTED },
	{ "the row admits any", UNLISTED_PASS, .sport = 3478, FLOW(UDP(AV, STRANGER, 40000)),
	  .want = PASS_UNLISTED },
	{ "the row is disabled", UNLISTED_PASS, .disabled = ROW(AV_STUN_IN), .sport = 3478,
	  FLOW(UDP(AV, MESSENGER, 40000)), .want = DROP(DISABLED) },
	{ "without unlisted pass it is the row's reason, too", .listed = ROW(AV_STUN_IN),
	  .sport = 3478, FLOW(UDP(AV, STRANGER, 40000)), .want = DROP(NOT_LISTED) },
	{ "and what the row would admit is unlisted", .sport = 3478,
	  FLOW(UDP(AV, STRANGER, 40000)), .want = DROP(UNLISTED) },
	{ "TCP", UNLISTED_PASS, .sport = 5061, FLOW(TCP(ACCESS, STRANGER, 40000)),
	  .want = DROP(NOT_LISTED) },
	{ "TCP to a partner", UNLISTED_PASS, .sport = 5061, FLOW(TCP(ACCESS, PIC, 40000)),
	  .want = PASS_UNLISTED },
	{ "one row disabled, the other listing somebody else", UNLISTED_PASS, .sport = 5061,
	  .disabled = ROW(SIP_FEDERATION_IN), FLOW(TCP(ACCESS, FEDERATION, 40000)),
	  .want = DROP(NOT_LISTED) },
	{ "the other end speaks first, from the port that a row would call", UNLISTED_PASS,
	  .listed = ROW(AV_STUN_OUT), .sport = 3478, FLOW(UDP(STRANGER, AV, 40000)),
	  .want = DROP(NOT_LISTED) },
	{ "a port of the RTP map may be anybody's", UNLISTED_PASS, .disabled = ROW(AV_RTP_OUT),
	  .sport = 50000, FLOW(TCP(STRANGER, AV, 8057)), .want = PASS_UNLISTED },
	{ "another role's port is no row's", UNLISTED_PASS, .listed = ROW(AV_STUN_IN),
	  .sport = 3478, FLOW(UDP(ACCESS, STRANGER, 40000)), .want = PASS_UNLISTED },
	{ "another protocol's is none", UNLISTED_PASS, .listed = ROW(AV_STUN_IN),
	  .sport = 3478, FLOW(TCP(AV, STRANGER, 40000)), .want = PASS_UNLISTED },
	{ "a row that covers the flow as it is decides", UNLISTED_PASS, .sport = 5061,
	  FLOW(TCP(ACCESS, STRANGER, 5061)), .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "an error about it", UNLISTED_PASS, .listed = ROW(AV_STUN_IN), .sport = 3478,
	  KIND(ICMP_ERROR), TRACKED(KNOWN), FLOW(UDP(AV, STRANGER, 40000)),
	  .want = DROP(NOT_LISTED) },
	{ "what no row can cover is not turned", UNLISTED_PASS, .listed = ROW(AV_STUN_IN),
	  .sport = 3478, KIND(OTHER), FLOW(UDP(AV, STRANGER, 40000)), .want = PASS_UNLISTED },
	{ "from pool member to pool member", UNLISTED_PASS, .edges = BIT(ALL_ROLES) | BIT(AV),
	  .listed = ROW(AV_STUN_IN) | ROW(AV_STUN_OUT), .sport = 3478,
	  FLOW(UDP(AV, ALL_ROLES, 40000)), .want = DROP(NOT_LISTED) },
};

KUNIT_ARRAY_PARAM_DESC(turned, turned_cases, name);

/* Step 3: the block list wins over every partner and over any. */
static const struct judgement blocked_cases[] = {
	{ "a partner's call", BLOCKED(FEDERATION), FLOW(TCP(FEDERATION, ACCESS, 5061)),
	  .want = DROP(BLOCKED) },
	{ "a call to a partner", BLOCKED(PIC), FLOW(TCP(ACCESS, PIC, 5061)),
	  .want = DROP(BLOCKED) },
	{ "a row that admits any, inbound", BLOCKED(STRANGER), FLOW(TCP(STRANGER, ACCESS, 443)),
	  .want = DROP(BLOCKED) },
	{ "a row that admits any, outbound", BLOCKED(STRANGER),
	  FLOW(TCP(ACCESS, STRANGER, 5061)), .want = DROP(BLOCKED) },
	{ "an answer", BLOCKED(PIC), TRACKED(KNOWN), KIND(TCP), .reply = true,
	  FLOW(TCP(PIC, ACCESS, 5061)), .want = DROP(BLOCKED) },
	{ "somebody else's call", BLOCKED(FEDERATION), FLOW(TCP(PIC, ACCESS, 5061)),
	  .want = ACCEPT(SIP_PIC_IN) },
	{ "before what is not listed", BLOCKED(STRANGER), FLOW(TCP(STRANGER, ACCESS, 5061)),
	  .want = DROP(BLOCKED) },
	{ "before a disabled row", BLOCKED(CLIENT), .disabled = ROW(SIP_CLIENT_IN),
	  FLOW(TCP(CLIENT, ACCESS, 443)), .want = DROP(BLOCKED) },
	{ "where no row covers it", BLOCKED(STRANGER), FLOW(TCP(STRANGER, ACCESS, 22)),
	  .want = DROP(BLOCKED) },
	{ "with unlisted pass", BLOCKED(STRANGER), UNLISTED_PASS,
	  FLOW(UDP(ACCESS, STRANGER, 53)), .want = DROP(BLOCKED) },
	{ "before what tracking says", BLOCKED(STRANGER), TRACKED(NONE),
	  FLOW(TCP(STRANGER, ACCESS, 5061)), .want = DROP(BLOCKED) },
	{ "whatever the protocol", BLOCKED(STRANGER), KIND(OTHER), UNLISTED_PASS,
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMP, .want = DROP(BLOCKED) },
	{ "an ICMP error", BLOCKED(STRANGER), KIND(ICMP_ERROR),
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMP, .want = DROP(BLOCKED) },
	{ "malformed comes first", BLOCKED(STRANGER), .malformed = true,
	  FLOW(TCP(STRANGER, ACCESS, 5061)), .want = DROP(MALFORMED) },
	{ "the wrong device comes first", BLOCKED(STRANGER), .edges = BIT(ACCESS_EXT),
	  .in = "int0", FLOW(TCP(STRANGER, ACCESS_EXT, 5061)), .want = DROP(WRONG_DEVICE) },
	{ "neighbour discovery is never ours", BLOCKED(STRANGER), KIND(NEVER),
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMPV6, .want = PASS },
	{ "from pool member to pool member", BLOCKED(ALL_ROLES),
	  .edges = BIT(ALL_ROLES) | BIT(AV), FLOW(UDP(AV, ALL_ROLES, 3478)),
	  .want = DROP(BLOCKED) },
	{ "between others it is not ours", BLOCKED(STRANGER),
	  FLOW(TCP(STRANGER, OTHER_STRANGER, 5061)), .want = PASS },
};

KUNIT_ARRAY_PARAM_DESC(blocked, blocked_cases, name);

static const struct judgement rtp_cases[] = {
	{ "dst: the responder's port is in the map",
	  FLOW(TCP(AV, STRANGER, 59999)), .want = ACCEPT(AV_RTP_OUT) },
	{ "dst: below the map", FLOW(TCP(AV, STRANGER, 49999)), .want = DROP(UNLISTED) },
	{ "dst: above the map", FLOW(TCP(AV, STRANGER, 60000)), .want = DROP(UNLISTED) },
	{ "dst: the initiator's port does not count", .sport = 50000,
	  FLOW(TCP(AV, STRANGER, 443)), .want = DROP(UNLISTED) },
	{ "dst: inbound has no RTP row", FLOW(TCP(MESSENGER, AV, 50000)), .want = DROP(UNLISTED) },
	{ "src: the initiator's port in the map, to 443", RTP_MATCH(SRC), .sport = 50000,
	  FLOW(TCP(AV, STRANGER, 443)), .want = ACCEPT(AV_RTP_OUT) },
	{ "src: the last port of the map", RTP_MATCH(SRC), .sport = 59999,
	  FLOW(TCP(AV, STRANGER, 443)), .want = ACCEPT(AV_RTP_OUT) },
	{ "src: the initiator's port outside of the map", RTP_MATCH(SRC), .sport = 49999,
	  FLOW(TCP(AV, STRANGER, 443)), .want = DROP(UNLISTED) },
	{ "src: another responder's port than 443", RTP_MATCH(SRC), .sport = 50000,
	  FLOW(TCP(AV, STRANGER, 444)), .want = DROP(UNLISTED) },
	{ "src: the responder's port does not count", RTP_MATCH(SRC),
	  FLOW(TCP(AV, STRANGER, 50000)), .want = DROP(UNLISTED) },
	{ "src: inbound 443 is the client's row, not RTP", RTP_MATCH(SRC), .sport = 50000,
	  .edges = BIT(ACCESS), FLOW(TCP(MESSENGER, ACCESS, 443)),
	  .want = ACCEPT(SIP_CLIENT_IN) },
	{ "either: by the responder's port", RTP_MATCH(EITHER),
	  FLOW(TCP(AV, STRANGER, 50000)), .want = ACCEPT(AV_RTP_OUT) },
	{ "either: by the initiator's port, to 443", RTP_MATCH(EITHER), .sport = 50000,
	  FLOW(TCP(AV, STRANGER, 443)), .want = ACCEPT(AV_RTP_OUT) },
	{ "either: both", RTP_MATCH(EITHER), .sport = 50000,
	  FLOW(TCP(AV, STRANGER, 50000)), .want = ACCEPT(AV_RTP_OUT) },
	{ "either: neither", RTP_MATCH(EITHER), .sport = 49999,
	  FLOW(TCP(AV, STRANGER, 443)), .want = DROP(UNLISTED) },
	{ "either: the initiator's port, but not to 443", RTP_MATCH(EITHER), .sport = 50000,
	  FLOW(TCP(AV, STRANGER, 80)), .want = DROP(UNLISTED) },
	{ "another map", .ports = { 3000, 3001 },
	  FLOW(TCP(AV, STRANGER, 3001)), .want = ACCEPT(AV_RTP_OUT) },
	{ "another map has no default ports", .ports = { 3000, 3001 },
	  FLOW(TCP(AV, STRANGER, 50000)), .want = DROP(UNLISTED) },
	{ "a map up to the last port", .ports = { 65535, 65535 },
	  FLOW(TCP(AV, STRANGER, 65535)), .want = ACCEPT(AV_RTP_OUT) },
	{ "listed peers", .listed = ROW(AV_RTP_OUT),
	  FLOW(TCP(AV, STRANGER, 50000)), .want = DROP(NOT_LISTED) },
	{ "listed peers, a Messenger partner", .listed = ROW(AV_RTP_OUT),
	  FLOW(TCP(AV, MESSENGER, 50000)), .want = ACCEPT(AV_RTP_OUT) },
	{ "disabled", .disabled = ROW(AV_RTP_OUT),
	  FLOW(TCP(AV, MESSENGER, 50000)), .want = DROP(DISABLED) },
};

KUNIT_ARRAY_PARAM_DESC(rtp, rtp_cases, name);

#define BOUND .edges = EVERY_EDGE

static const struct judgement device_cases[] = {
	{ "in by its device", BOUND, .in = "ext0",
	  FLOW(TCP(FEDERATION, ACCESS_EXT, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "in by another", BOUND, .in = "int0",
	  FLOW(TCP(FEDERATION, ACCESS_EXT, 5061)), .want = DROP(WRONG_DEVICE) },
	{ "in by one whose name begins like it", BOUND, .in = "ext01",
	  FLOW(TCP(FEDERATION, ACCESS_EXT, 5061)), .want = DROP(WRONG_DEVICE) },
	{ "in by one whose name it begins with", BOUND, .in = "ext",
	  FLOW(TCP(FEDERATION, ACCESS_EXT, 5061)), .want = DROP(WRONG_DEVICE) },
	{ "in, and on by whichever device", BOUND, .in = "ext0", .out = "int0",
	  FLOW(TCP(FEDERATION, ACCESS_EXT, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "in, the device not known", BOUND, .out = "int0",
	  FLOW(TCP(FEDERATION, ACCESS_EXT, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "out by its device", BOUND, .out = "ext0",
	  FLOW(TCP(ACCESS_EXT, FEDERATION, 5061)), .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "out by another", BOUND, .out = "int0",
	  FLOW(TCP(ACCESS_EXT, FEDERATION, 5061)), .want = DROP(WRONG_DEVICE) },
	{ "out, having entered by whichever device", BOUND, .in = "int0", .out = "ext0",
	  FLOW(TCP(ACCESS_EXT, FEDERATION, 5061)), .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "out, before routing", BOUND, .in = "int0",
	  FLOW(TCP(ACCESS_EXT, FEDERATION, 5061)), .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "a reply to an inbound flow leaves by its device", BOUND, .reply = true, KIND(TCP),
	  TRACKED(KNOWN), .in = "int0", .out = "ext0",
	  FLOW(TCP(FEDERATION, ACCESS_EXT, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "a reply to an inbound flow leaves by another", BOUND, .reply = true, KIND(TCP),
	  TRACKED(KNOWN), .in = "ext0", .out = "int0",
	  FLOW(TCP(FEDERATION, ACCESS_EXT, 5061)), .want = DROP(WRONG_DEVICE) },
	{ "a reply to an outbound flow enters by its device", BOUND, .reply = true, KIND(TCP),
	  TRACKED(KNOWN), .in = "ext0", .out = "int0",
	  FLOW(TCP(ACCESS_EXT, FEDERATION, 5061)), .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "a reply to an outbound flow enters by another", BOUND, .reply = true, KIND(TCP),
	  TRACKED(KNOWN), .in = "int0", .out = "ext0",
	  FLOW(TCP(ACCESS_EXT, FEDERATION, 5061)), .want = DROP(WRONG_DEVICE) },
	{ "an address without device, in", BOUND, .in = "int0",
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "an address without device, out", BOUND, .out = "int0",
	  FLOW(TCP(ACCESS, FEDERATION, 5061)), .want = ACCEPT(SIP_FEDERATION_OUT) },
	{ "both ends Edge, the responder's device", BOUND, .in = "int0",
	  FLOW(TCP(AV, ACCESS_EXT, 443)), .want = DROP(WRONG_DEVICE) },
	{ "both ends Edge, the initiator's device", BOUND, .in = "int0", .out = "int0",
	  FLOW(TCP(AV_EXT, ACCESS, 443)), .want = DROP(WRONG_DEVICE) },
	{ "both ends Edge, both devices right", BOUND, .in = "ext0", .out = "ext0",
	  FLOW(TCP(AV_EXT, ACCESS_EXT, 443)), .want = ACCEPT(SIP_CLIENT_IN) },
	{ "whatever the protocol", BOUND, .in = "int0", KIND(OTHER),
	  .from = STRANGER, .to = ACCESS_EXT, .protocol = IPPROTO_ESP,
	  .want = DROP(WRONG_DEVICE) },
	{ "an ICMP error, too", BOUND, .in = "int0", KIND(ICMP_ERROR),
	  .from = STRANGER, .to = ACCESS_EXT, .protocol = IPPROTO_ICMP,
	  .want = DROP(WRONG_DEVICE) },
	{ "neighbour discovery by any device", BOUND, .in = "int0", KIND(NEVER),
	  .from = STRANGER, .to = ACCESS_EXT, .protocol = IPPROTO_ICMPV6, .want = PASS },
};

KUNIT_ARRAY_PARAM_DESC(device, device_cases, name);

static const struct judgement state_cases[] = {
	{ "a SYN, tracking not asked",
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "a SYN that opens", TRACKED(NEW),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "a SYN sent again", TRACKED(KNOWN),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "a SYN that tracking calls invalid", TRACKED(NONE),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = DROP(INVALID_STATE) },
	{ "a stranger's SYN before tracking is not listed",
	  FLOW(TCP(STRANGER, ACCESS, 5061)), .want = DROP(NOT_LISTED) },
	{ "another segment of a known flow", KIND(TCP), TRACKED(KNOWN),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "another segment, tracking not asked", KIND(TCP),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "no mid-stream pick-up", KIND(TCP), TRACKED(NEW),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = DROP(INVALID_STATE) },
	{ "a flow answered before it is confirmed", KIND(TCP), TRACKED(NEW), .reply = true,
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "TCP that is not tracked", KIND(TCP), TRACKED(NONE),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = DROP(INVALID_STATE) },
	{ "UDP that opens", TRACKED(NEW),
	  FLOW(UDP(STRANGER, AV, 3478)), .want = ACCEPT(AV_STUN_IN) },
	{ "UDP of a known flow", TRACKED(KNOWN), .reply = true,
	  FLOW(UDP(STRANGER, AV, 3478)), .want = ACCEPT(AV_STUN_IN) },
	{ "UDP that is not tracked", TRACKED(NONE),
	  FLOW(UDP(STRANGER, AV, 3478)), .want = DROP(INVALID_STATE) },
	{ "a revoked flow stops, though tracking knows it", KIND(TCP), TRACKED(KNOWN),
	  .disabled = ROW(SIP_CLIENT_IN), FLOW(TCP(CLIENT, ACCESS, 443)),
	  .want = DROP(DISABLED) },
	{ "and its replies", KIND(TCP), TRACKED(KNOWN), .reply = true,
	  FLOW(TCP(STRANGER, ACCESS, 5061)), .want = DROP(NOT_LISTED) },
	{ "a flow that another row still admits goes on there", KIND(TCP), TRACKED(KNOWN),
	  .disabled = ROW(SIP_PIC_OUT), FLOW(TCP(ACCESS, PIC, 5061)),
	  .want = ACCEPT(SIP_FEDERATION_OUT) },

	{ "an ICMP error about an admitted flow", KIND(ICMP_ERROR), TRACKED(KNOWN),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "an ICMP error from the other end", KIND(ICMP_ERROR), TRACKED(KNOWN), .reply = true,
	  FLOW(UDP(AV, STRANGER, 3478)), .want = ACCEPT(AV_STUN_OUT) },
	{ "an ICMP error about a flow that just opened", KIND(ICMP_ERROR), TRACKED(NEW),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = ACCEPT(SIP_FEDERATION_IN) },
	{ "an ICMP error about a revoked flow", KIND(ICMP_ERROR), TRACKED(KNOWN),
	  FLOW(TCP(STRANGER, ACCESS, 5061)), .want = DROP(NOT_LISTED) },
	{ "an ICMP error about no row's flow", KIND(ICMP_ERROR), TRACKED(KNOWN),
	  FLOW(TCP(STRANGER, ACCESS, 22)), .want = DROP(UNLISTED) },
	{ "an ICMP error about no flow", KIND(ICMP_ERROR), TRACKED(NONE),
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMP,
	  .want = DROP(INVALID_STATE) },
	{ "an ICMP error before tracking was asked is not decided", KIND(ICMP_ERROR),
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMP, .want = PASS },
	{ "nor with unlisted pass", KIND(ICMP_ERROR), UNLISTED_PASS,
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMP, .want = PASS },
	{ "an ICMP error that is malformed", KIND(ICMP_ERROR), .malformed = true,
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMP, .want = DROP(MALFORMED) },

	{ "neighbour discovery is never ours", KIND(NEVER), TRACKED(NONE),
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMPV6, .want = PASS },
	{ "nor before tracking", KIND(NEVER),
	  .from = ACCESS, .to = STRANGER, .protocol = IPPROTO_ICMPV6, .want = PASS },
	{ "malformed, it is not neighbour discovery", KIND(NEVER), .malformed = true,
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMPV6, .want = DROP(MALFORMED) },

	{ "echo is unlisted", KIND(OTHER),
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMP, .want = DROP(UNLISTED) },
	{ "and passes with unlisted pass", KIND(OTHER), UNLISTED_PASS, TRACKED(KNOWN),
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ICMP, .want = PASS_UNLISTED },
	{ "what has no row is unlisted, tracked or not", KIND(OTHER), TRACKED(NONE),
	  .from = STRANGER, .to = ACCESS, .protocol = IPPROTO_ESP, .want = DROP(UNLISTED) },
	{ "and passes, tracked or not", KIND(OTHER), TRACKED(NONE), UNLISTED_PASS,
	  .from = ACCESS, .to = STRANGER, .protocol = IPPROTO_NONE, .want = PASS_UNLISTED },
	{ "a redirect about an admitted flow is not part of it", KIND(OTHER), TRACKED(KNOWN),
	  FLOW(TCP(FEDERATION, ACCESS, 5061)), .want = DROP(UNLISTED) },
	{ "nor one about a STUN flow", KIND(OTHER), TRACKED(KNOWN),
	  FLOW(UDP(AV, STRANGER, 3478)), .want = DROP(UNLISTED) },
};

KUNIT_ARRAY_PARAM_DESC(state, state_cases, name);

/* What a row says of a flow, whatever the ruling. */

#define SAYS(id, what) .row = NF_EDGE_ROW_##id, .finding = NF_EDGE_FINDING_##what

static const struct judgement finding_cases[] = {
	{ "a partner is listed", FLOW(TCP(PIC, ACCESS, 5061)), SAYS(SIP_PIC_IN, LISTED) },
	{ "one of another group is not", FLOW(TCP(PIC, ACCESS, 5061)),
	  SAYS(SIP_FEDERATION_IN, NOT_LISTED) },
	{ "a stranger is not", FLOW(TCP(STRANGER, ACCESS, 5061)), SAYS(SIP_PIC_IN, NOT_LISTED) },
	{ "a row that is disabled", FLOW(TCP(PIC, ACCESS, 5061)), .disabled = ROW(SIP_PIC_IN),
	  SAYS(SIP_PIC_IN, DISABLED) },
	{ "it lists nobody any more", FLOW(TCP(PIC, ACCESS, 5061)), .disabled = ROW(SIP_PIC_IN),
	  .any = ROW(SIP_FEDERATION_IN), SAYS(SIP_FEDERATION_IN, ANY) },
	{ "anybody", FLOW(TCP(ACCESS, STRANGER, 5061)), SAYS(SIP_FEDERATION_OUT, ANY) },
	{ "anybody, while no other row lists him", FLOW(TCP(ACCESS, PIC, 5061)),
	  SAYS(SIP_FEDERATION_OUT, OUTRANKED) },
	{ "of two that list him both do", FLOW(TCP(ACCESS, FEDERATION_PIC, 5061)),
	  SAYS(SIP_PIC_OUT, LISTED) },
	{ "a row listed for another port outranks none", FLOW(TCP(ACCESS, XMPP, 5061)),
	  SAYS(SIP_FEDERATION_OUT, ANY) },
	{ "another port", FLOW(TCP(PIC, ACCESS, 443)), SAYS(SIP_PIC_IN, PORT) },
	{ "no RTP port", FLOW(TCP(AV, STRANGER, 443)), SAYS(AV_RTP_OUT, PORT) },
	{ "the RTP port at the other end", FLOW(TCP(AV, STRANGER, 443)), .sport = 50000,
	  RTP_MATCH(EITHER), SAYS(AV_RTP_OUT, ANY) },
	{ "another protocol", FLOW(UDP(PIC, ACCESS, 5061)), SAYS(SIP_PIC_IN, PROTOCOL) },
	{ "a redirect about the flow", FLOW(TCP(PIC, ACCESS, 5061)), KIND(OTHER),
	  SAYS(SIP_PIC_IN, PROTOCOL) },
	{ "an ICMP error about the flow", FLOW(TCP(PIC, ACCESS, 5061)), KIND(ICMP_ERROR),
	  TRACKED(KNOWN), SAYS(SIP_PIC_IN, LISTED) },
	{ "one before tracking was asked", FLOW(TCP(PIC, ACCESS, 5061)), KIND(ICMP_ERROR),
	  SAYS(SIP_PIC_IN, PROTOCOL) },
	{ "another role", FLOW(TCP(PIC, AV, 5061)), SAYS(SIP_PIC_IN, ROLE) },
	{ "another role of the opener", FLOW(TCP(AV, PIC, 5061)), SAYS(SIP_PIC_OUT, ROLE) },
	{ "the other direction", FLOW(TCP(PIC, ACCESS, 5061)), SAYS(SIP_PIC_OUT, DIRECTION) },
	{ "neither end an Edge address", FLOW(TCP(PIC, STRANGER, 5061)),
	  SAYS(SIP_PIC_IN, DIRECTION) },
	{ "from pool member to pool member, out", .edges = EVERY_EDGE,
	  FLOW(TCP(ACCESS, ALL_ROLES, 5061)), SAYS(SIP_FEDERATION_OUT, ANY) },
	{ "and in", .edges = EVERY_EDGE, FLOW(TCP(ACCESS, ALL_ROLES, 5061)),
	  SAYS(SIP_FEDERATION_IN, NOT_LISTED) },
	{ "malformed", FLOW(TCP(PIC, ACCESS, 5061)), .malformed = true,
	  SAYS(SIP_PIC_IN, MALFORMED) },
	{ "malformed, from somebody who is not listed", FLOW(TCP(STRANGER, ACCESS, 5061)),
	  .malformed = true, SAYS(SIP_PIC_IN, NOT_LISTED) },
	{ "by the wrong device", .edges = EVERY_EDGE, FLOW(TCP(PIC, ACCESS_EXT, 5061)),
	  .in = "int0", SAYS(SIP_PIC_IN, WRONG_DEVICE) },
	{ "not tracked", FLOW(TCP(PIC, ACCESS, 5061)), TRACKED(NONE),
	  SAYS(SIP_PIC_IN, INVALID_STATE) },
	{ "in mid-stream", FLOW(TCP(PIC, ACCESS, 5061)), KIND(TCP), TRACKED(NEW),
	  SAYS(SIP_PIC_IN, INVALID_STATE) },
	{ "blocked", FLOW(TCP(PIC, ACCESS, 5061)), BLOCKED(PIC), SAYS(SIP_PIC_IN, BLOCKED) },
	{ "blocked, and not listed", FLOW(TCP(STRANGER, ACCESS, 5061)), BLOCKED(STRANGER),
	  SAYS(SIP_PIC_IN, NOT_LISTED) },
	{ "spoken first from its port", FLOW(TCP(ACCESS, STRANGER, 40000)), .sport = 5061,
	  SAYS(SIP_PIC_IN, NOT_LISTED) },
	{ "spoken first from its port to one whom the other row lists",
	  FLOW(TCP(ACCESS, FEDERATION, 40000)), .sport = 5061, SAYS(SIP_PIC_IN, DIRECTION) },
};

KUNIT_ARRAY_PARAM_DESC(finding, finding_cases, name);

static void policy_row_says_why(struct kunit *test)
{
	const struct judgement *c = test->param_value;
	struct edge_policy *policy = policy_of_case(test, c);
	u8 family;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		struct edge_flow flow = flow_of_case(c, family);

		rcu_read_lock();
		edge_policy_recognise(policy, &flow);
		KUNIT_EXPECT_EQ_MSG(test, edge_policy_consider(policy, &flow, c->row), c->finding,
				    "%s", family_name(family));
		expect_explained(test, policy, &flow, edge_policy_judge(policy, &flow));
		rcu_read_unlock();
	}
}

/* Section 3: "The first step that decides names the reason", for every combination of faults. */

enum fault { FAULT_MALFORMED = 1, FAULT_DEVICE = 2, FAULT_STATE = 4, FAULT_ALL = 7, BLOCKING = 8 };

static void policy_first_step_names_the_reason(struct kunit *test)
{
	static const struct {
		u16 dport;
		struct edge_ruling want;
	} rows[] = {
		{ 443, ACCEPT(SIP_CLIENT_IN) },
		{ 5061, DROP(NOT_LISTED) },
		{ 5269, DROP(DISABLED) },
		{ 22, DROP(UNLISTED) },
	};
	struct edge_policy *policy = policy_of(test, EVERY_EDGE);
	struct edge_blocks *blocks;
	u8 family, faults;
	int i;

	policy->enabled &= ~ROW(XMPP_IN);
	block(test, policy, STRANGER);
	blocks = policy->blocks;
	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			for (faults = 0; faults <= (FAULT_ALL | BLOCKING); faults++) {
				struct edge_flow flow = flow_of(STRANGER, ACCESS_EXT, family,
								IPPROTO_TCP, rows[i].dport);
				struct edge_ruling want = rows[i].want;

				flow.malformed = faults & FAULT_MALFORMED;
				flow.in = faults & FAULT_DEVICE ? "int0" : "ext0";
				flow.tracking = faults & FAULT_STATE ? EDGE_TRACKING_NONE :
								       EDGE_TRACKING_NEW;
				if (faults & FAULT_STATE)
					want = (struct edge_ruling)DROP(INVALID_STATE);
				policy->blocks = faults & BLOCKING ? blocks : NULL;
				if (faults & BLOCKING)
					want = (struct edge_ruling)DROP(BLOCKED);
				if (faults & FAULT_DEVICE)
					want = (struct edge_ruling)DROP(WRONG_DEVICE);
				if (faults & FAULT_MALFORMED)
					want = (struct edge_ruling)DROP(MALFORMED);
				EXPECT_RULING(test, judge(policy, &flow), want,
					      "%s port %u faults %x", family_name(family),
					      rows[i].dport, faults);
			}
		}
	}
}

/* "While no av address of either family is configured". */
static void policy_av_address_of_one_family_counts_for_both(struct kunit *test)
{
	u8 family;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		struct edge_policy *policy = policy_with_room(test, 2);
		struct edge_flow flow = flow_of(ACCESS, STRANGER, family, IPPROTO_TCP, 50000);

		add_edge(policy, ACCESS, family);
		edge_policy_index(policy);
		EXPECT_RULING(test, judge(policy, &flow), ACCEPT(AV_RTP_OUT), "%s alone",
			      family_name(family));

		add_edge(policy, AV, family == NFPROTO_IPV4 ? NFPROTO_IPV6 : NFPROTO_IPV4);
		edge_policy_index(policy);
		EXPECT_RULING(test, judge(policy, &flow), DROP(UNLISTED),
			      "%s with an A/V address of the other family", family_name(family));

		policy->interface_count = 1;
		edge_policy_index(policy);
		EXPECT_RULING(test, judge(policy, &flow), ACCEPT(AV_RTP_OUT), "%s alone again",
			      family_name(family));
	}
}

/* "each end is the other's remote party" */
static void policy_edge_address_may_be_a_partner(struct kunit *test)
{
	struct edge_policy *policy = policy_of(test, BIT(ACCESS) | BIT(ACCESS_EXT));
	u8 family;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		struct edge_flow there = flow_of(ACCESS, ACCESS_EXT, family, IPPROTO_TCP, 5061);
		struct edge_flow back = flow_of(ACCESS_EXT, ACCESS, family, IPPROTO_TCP, 5061);

		add_partner(test, policy, ACCESS, family, 0, BIT(NF_EDGE_GROUP_PIC));
		EXPECT_RULING(test, judge(policy, &there), ACCEPT(SIP_PIC_IN), "%s",
			      family_name(family));
		EXPECT_RULING(test, judge(policy, &back), ACCEPT(SIP_PIC_OUT), "%s",
			      family_name(family));
	}
}

static void expect_admitted(struct kunit *test, const struct edge_policy *policy, u8 family,
			    bool admitted)
{
	struct edge_flow in = flow_of(STRANGER, ACCESS, family, IPPROTO_TCP, 5061);
	struct edge_flow out = flow_of(ACCESS, STRANGER, family, IPPROTO_TCP, 5061);
	u8 verdict = admitted ? NF_EDGE_VERDICT_ACCEPT : NF_EDGE_VERDICT_DROP;

	KUNIT_EXPECT_EQ(test, judge(policy, &in).verdict, verdict);
	KUNIT_EXPECT_EQ(test, judge(policy, &out).verdict, verdict);
	KUNIT_EXPECT_EQ(test, judge(policy, &in).verdict, verdict);	/* remembered */
	KUNIT_EXPECT_EQ(test, judge(policy, &out).verdict, verdict);
}

static void policy_partners_come_and_go(struct kunit *test)
{
	struct edge_policy *policy = policy_of(test, THREE_EDGES);
	struct edge_prefix prefix = {};
	u8 family;
	u32 bad;

	policy->any = 0;
	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		prefix.addr = address_of(STRANGER, family);
		prefix.family = family;
		prefix.bits = family == NFPROTO_IPV4 ? 32 : 128;
		expect_admitted(test, policy, family, false);
		add_partner(test, policy, STRANGER, family, 0, BIT(NF_EDGE_GROUP_FEDERATION));
		expect_admitted(test, policy, family, true);
		edge_prefix_del(policy->partners, &prefix, 1, false, &bad);
		expect_admitted(test, policy, family, false);
	}
}

static void policy_recognises_either_end(struct kunit *test)
{
	struct edge_policy *policy = policy_of(test, THREE_EDGES);
	u8 family;

	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		const union nf_inet_addr access = address_of(ACCESS, family);
		const union nf_inet_addr av = address_of(AV, family);
		const struct edge_interface *at_access, *at_av;
		struct edge_flow flow;

		at_access = edge_policy_interface(policy, family, &access);
		at_av = edge_policy_interface(policy, family, &av);
		KUNIT_ASSERT_NOT_NULL(test, at_access);
		KUNIT_ASSERT_NOT_NULL(test, at_av);
		KUNIT_EXPECT_EQ(test, at_access->roles, BIT(NF_EDGE_ROLE_ACCESS));
		KUNIT_EXPECT_EQ(test, at_av->roles, BIT(NF_EDGE_ROLE_AV));

		flow = flow_of(ACCESS, STRANGER, family, IPPROTO_TCP, 1);
		KUNIT_EXPECT_TRUE(test, edge_policy_recognise(policy, &flow));
		KUNIT_EXPECT_PTR_EQ(test, flow.src.edge, at_access);
		KUNIT_EXPECT_NULL(test, flow.dst.edge);

		flow = flow_of(STRANGER, AV, family, IPPROTO_TCP, 1);
		KUNIT_EXPECT_TRUE(test, edge_policy_recognise(policy, &flow));
		KUNIT_EXPECT_NULL(test, flow.src.edge);
		KUNIT_EXPECT_PTR_EQ(test, flow.dst.edge, at_av);

		flow = flow_of(ACCESS, AV, family, IPPROTO_TCP, 1);
		KUNIT_EXPECT_TRUE(test, edge_policy_recognise(policy, &flow));
		KUNIT_EXPECT_PTR_EQ(test, flow.src.edge, at_access);
		KUNIT_EXPECT_PTR_EQ(test, flow.dst.edge, at_av);

		/* what was recognised before is forgotten */
		flow.src.addr = lasting_address_of(STRANGER, family);
		flow.dst.addr = lasting_address_of(OTHER_STRANGER, family);
		KUNIT_EXPECT_FALSE(test, edge_policy_recognise(policy, &flow));
		KUNIT_EXPECT_NULL(test, flow.src.edge);
		KUNIT_EXPECT_NULL(test, flow.dst.edge);
	}
}

/* The packet is dropped alone where no flow that it may belong to would be let through. */
static void expect_alone(struct kunit *test, const struct edge_policy *policy,
			 const struct edge_flow *flow)
{
	bool either = flow->kind == EDGE_KIND_TCP || flow->kind == EDGE_KIND_UDP;
	const struct edge_ruling alone = edge_policy_judge_alone(policy, flow);
	const struct edge_ruling there = edge_policy_judge(policy, flow);
	struct edge_flow back = *flow;
	bool drop;

	swap(back.src, back.dst);
	back.reply = !flow->reply;
	drop = there.verdict == NF_EDGE_VERDICT_DROP &&
	       !(either && edge_policy_judge(policy, &back).verdict != NF_EDGE_VERDICT_DROP);
	KUNIT_ASSERT_EQ_MSG(test, alone.verdict == NF_EDGE_VERDICT_DROP, drop,
			    "%s, kind %u, protocol %u, ports %u to %u", family_name(flow->family),
			    flow->kind, flow->protocol, flow->src.port, flow->dst.port);
	if (drop)
		KUNIT_ASSERT_EQ(test, alone.reason, there.reason);
}

static u32 draw(struct rnd_state *random, u32 limit)
{
	return prandom_u32_state(random) % limit;
}

static struct edge_flow any_flow(struct rnd_state *random)
{
	static const u16 ports[] = { 25, 443, 1024, 3478, 5061, 5269, 23456, 50000 };
	static const u8 protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ESP };
	static const u8 families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	static const char * const devices[] = { NULL, "ext0", "ext1" };
	const enum who from = 1 + draw(random, OTHER_STRANGER);
	const enum who to = 1 + draw(random, OTHER_STRANGER);
	struct edge_flow flow = flow_of(from, to, families[draw(random, ARRAY_SIZE(families))],
					protocols[draw(random, ARRAY_SIZE(protocols))],
					ports[draw(random, ARRAY_SIZE(ports))]);

	flow.src.port = ports[draw(random, ARRAY_SIZE(ports))];
	flow.kind = draw(random, EDGE_KIND_ICMP_ERROR + 1);
	flow.reply = draw(random, 2);
	flow.malformed = draw(random, 8) == 0;
	flow.in = devices[draw(random, ARRAY_SIZE(devices))];
	flow.out = devices[draw(random, ARRAY_SIZE(devices))];
	return flow;
}

static void policy_without_partners_admits_none(struct kunit *test)
{
	struct edge_policy *policy = policy_without_partners(test, THREE_EDGES);
	u8 family;

	policy->any = 0;
	for (family = NFPROTO_IPV4; family; family = next_family(family)) {
		struct edge_flow in = flow_of(STRANGER, ACCESS, family, IPPROTO_TCP, 5061);
		struct edge_flow out = flow_of(ACCESS, STRANGER, family, IPPROTO_TCP, 5061);

		EXPECT_RULING(test, judge(policy, &in), DROP(NOT_LISTED), "%s",
			      family_name(family));
		EXPECT_RULING(test, judge(policy, &out), DROP(NOT_LISTED), "%s",
			      family_name(family));
		in.kind = EDGE_KIND_TCP;
		out.kind = EDGE_KIND_TCP;
		rcu_read_lock();
		expect_alone(test, policy, &in);
		expect_alone(test, policy, &out);
		swap(in.src.port, in.dst.port);
		swap(out.src.port, out.dst.port);
		expect_alone(test, policy, &in);
		expect_alone(test, policy, &out);
		rcu_read_unlock();
	}
}

static void any_settings(struct rnd_state *random, struct edge_policy *policy,
			 struct edge_blocks *blocks)
{
	policy->unlisted = draw(random, NF_EDGE_UNLISTED_COUNT);
	policy->rtp_match = draw(random, NF_EDGE_RTP_MATCH_COUNT);
	policy->any = draw(random, BIT(NF_EDGE_ROW_COUNT));
	policy->enabled = draw(random, BIT(NF_EDGE_ROW_COUNT));
	policy->blocks = draw(random, 4) ? NULL : blocks;
}

static void policy_drops_alone_what_no_flow_admits(struct kunit *test)
{
	struct edge_policy *policy = policy_of(test, EVERY_EDGE);
	struct edge_blocks *blocks;
	struct rnd_state random;
	u32 i;

	block(test, policy, PIC);
	blocks = policy->blocks;
	prandom_seed_state(&random, 1);
	rcu_read_lock();
	for (i = 0; i < 200000; i++) {
		struct edge_flow flow = any_flow(&random);

		any_settings(&random, policy, blocks);
		if (edge_policy_recognise(policy, &flow))
			expect_alone(test, policy, &flow);
	}
	rcu_read_unlock();
}

static void expect_same(struct kunit *test, const struct edge_flow *flow, struct edge_ruling got,
			struct edge_ruling want)
{
	if (got.verdict == EDGE_JUDGE_TURNED)
		return;
	KUNIT_ASSERT_EQ_MSG(test, got.verdict, want.verdict, "%s, kind %u, ports %u to %u",
			    family_name(flow->family), flow->kind, flow->src.port, flow->dst.port);
	KUNIT_ASSERT_EQ(test, got.row, want.row);
	KUNIT_ASSERT_EQ(test, got.reason, want.reason);
}

/* The groups of the remote end as the gates have them, each time. */
static int unblocked(struct kunit *test, const struct edge_policy *policy,
		     const struct edge_flow *flow)
{
	int groups, met, remembered;

	groups = edge_judge_unblocked(policy, flow);
	local_bh_disable();	/* else nothing is remembered */
	met = edge_judge_unblocked(policy, flow);
	remembered = edge_judge_unblocked(policy, flow);
	local_bh_enable();
	KUNIT_ASSERT_EQ(test, met, groups);
	KUNIT_ASSERT_EQ(test, remembered, groups);
	return groups;
}

/* What the gates have of the law says what all of it says, or leaves it to that. */
static void policy_short_way_leads_to_the_same(struct kunit *test)
{
	struct edge_policy *policy = policy_of(test, EVERY_EDGE);
	struct edge_blocks *blocks[3] = {};
	u32 i, left = 0, blocked = 0;
	struct rnd_state random;
	int groups;

	block(test, policy, PIC);
	blocks[1] = policy->blocks;
	block(test, policy, STRANGER);
	blocks[2] = policy->blocks;
	prandom_seed_state(&random, 4);
	rcu_read_lock();
	for (i = 0; i < 200000; i++) {
		struct edge_flow flow = any_flow(&random);

		any_settings(&random, policy, NULL);
		policy->blocks = blocks[draw(&random, ARRAY_SIZE(blocks))];
		if (draw(&random, 4))
			policy->any |= ROW(SIP_FEDERATION_OUT) | ROW(XMPP_OUT) | ROW(AV_STUN_OUT);
		if (draw(&random, 4))
			policy->enabled = BIT(NF_EDGE_ROW_COUNT) - 1;
		edge_policy_index(policy);
		if (!edge_policy_recognise(policy, &flow))
			continue;
		groups = policy->blocks ? unblocked(test, policy, &flow) : EDGE_JUDGE_ASK;
		if (groups == EDGE_POLICY_BLOCKED) {
			blocked++;
			continue;
		}
		left += edge_judge_alone(policy, &flow, groups).verdict == EDGE_JUDGE_TURNED;
		expect_same(test, &flow, edge_judge_alone(policy, &flow, groups),
			    edge_policy_judge_alone(policy, &flow));
		flow.tracking = draw(&random, EDGE_TRACKING_KNOWN + 1);
		expect_same(test, &flow, edge_judge(policy, &flow, groups),
			    edge_policy_judge(policy, &flow));
	}
	rcu_read_unlock();
	KUNIT_EXPECT_GT(test, left, 0);
	KUNIT_EXPECT_LT(test, left, i / 2);
	KUNIT_EXPECT_GT(test, blocked, 0);
	KUNIT_EXPECT_LT(test, blocked, i / 2);
}

static void policy_rows_explain_every_ruling(struct kunit *test)
{
	struct edge_policy *policy = policy_of(test, EVERY_EDGE);
	struct edge_blocks *blocks;
	struct rnd_state random;
	u32 i;

	block(test, policy, PIC);
	blocks = policy->blocks;
	prandom_seed_state(&random, 2);
	rcu_read_lock();
	for (i = 0; i < 200000; i++) {
		struct edge_flow flow = any_flow(&random);

		any_settings(&random, policy, blocks);
		flow.tracking = draw(&random, EDGE_TRACKING_KNOWN + 1);
		edge_policy_recognise(policy, &flow);
		expect_explained(test, policy, &flow, edge_policy_judge(policy, &flow));
	}
	rcu_read_unlock();
}

/*
 * Addresses that any hash over their words, added up or combined bit by bit, puts
 * in one bucket: only a comparison of all of them, and of the family, tells who is who.
 */
static void policy_interface_tells_alike_addresses_apart(struct kunit *test)
{
	static const u32 words[][4] = {
		{ 0xcb007101, 0, 0, 0 },
		{ 0, 0xcb007101, 0, 0 },
		{ 0, 0, 0xcb007101, 0 },
		{ 0, 0, 0, 0xcb007101 },
		{ 0xcb000000, 0x00007101, 0, 0 },
		{ 0xcb000000, 0, 0, 0x00007101 },
	};
	struct edge_policy *policy = policy_with_room(test, ARRAY_SIZE(words) + 1);
	union nf_inet_addr addr[ARRAY_SIZE(words)] = {};
	const union nf_inet_addr ipv4 = { .ip = htonl(0xcb007101) };
	int i, word, known;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		for (word = 0; word < 4; word++)
			addr[i].ip6[word] = htonl(words[i][word]);

	/* with none of them, with the IPv4 one, then with one more at a time */
	KUNIT_EXPECT_NULL(test, edge_policy_interface(policy, NFPROTO_IPV4, &ipv4));
	policy->interfaces[0] = (struct edge_interface){ .addr = ipv4, .family = NFPROTO_IPV4 };
	for (known = 0; known <= ARRAY_SIZE(words); known++) {
		policy->interface_count = known + 1;
		edge_policy_index(policy);
		KUNIT_EXPECT_PTR_EQ(test, edge_policy_interface(policy, NFPROTO_IPV4, &ipv4),
				    &policy->interfaces[0]);
		for (i = 0; i < ARRAY_SIZE(words); i++)
			KUNIT_EXPECT_PTR_EQ(test,
					    edge_policy_interface(policy, NFPROTO_IPV6, &addr[i]),
					    i < known ? &policy->interfaces[i + 1] : NULL);
		if (known < ARRAY_SIZE(words))
			policy->interfaces[known + 1] = (struct edge_interface){
				.addr = addr[known],
				.family = NFPROTO_IPV6,
			};
	}
}

/* As many as there may be: eight to a bucket on average, and each is found. */
static void policy_interface_finds_each_of_4096(struct kunit *test)
{
	struct edge_policy *policy = policy_with_room(test, NF_EDGE_INTERFACES_MAX);
	u32 i;

	KUNIT_EXPECT_EQ(test, NF_EDGE_INTERFACES_MAX, 4096);
	for (i = 0; i < NF_EDGE_INTERFACES_MAX; i++) {
		struct edge_interface *interface = &policy->interfaces[i];

		interface->family = i < NF_EDGE_INTERFACES_MAX / 2 ? NFPROTO_IPV4 : NFPROTO_IPV6;
		interface->addr.ip6[0] = htonl(0xcb000000 + 2 * i);
		if (interface->family == NFPROTO_IPV6)
			interface->addr.ip6[3] = htonl(i);
		interface->roles = BIT(i % NF_EDGE_ROLE_COUNT);
	}
	policy->interface_count = NF_EDGE_INTERFACES_MAX;
	edge_policy_index(policy);

	for (i = 0; i < NF_EDGE_INTERFACES_MAX; i++) {
		const struct edge_interface *interface = &policy->interfaces[i];
		union nf_inet_addr next = interface->addr;
		u8 other = interface->family == NFPROTO_IPV4 ? NFPROTO_IPV6 : NFPROTO_IPV4;
		u16 rows = 0;
		int row;

		KUNIT_ASSERT_PTR_EQ(test, edge_policy_interface(policy, interface->family,
								&interface->addr), interface);
		KUNIT_ASSERT_NULL(test, edge_policy_interface(policy, other, &interface->addr));
		next.ip6[0] |= htonl(1);
		KUNIT_ASSERT_NULL(test, edge_policy_interface(policy, interface->family, &next));

		for (row = 0; row < NF_EDGE_ROW_COUNT; row++)
			if (edges[edge_of(&documented_rows[row])].roles == interface->roles)
				rows |= BIT(row);
		KUNIT_ASSERT_EQ(test, interface->in_rows | interface->out_rows, rows);
		KUNIT_ASSERT_EQ(test, interface->in_rows & interface->out_rows, 0);
	}
}

static struct kunit_case policy_test_cases[] = {
	KUNIT_CASE_PARAM(policy_row_is_as_documented, row_gen_params),
	KUNIT_CASE_PARAM(policy_row_covers_its_ports_only, row_gen_params),
	KUNIT_CASE_PARAM(policy_row_with_any_peers_admits_everybody, row_gen_params),
	KUNIT_CASE_PARAM(policy_row_with_listed_peers_admits_its_group, row_gen_params),
	KUNIT_CASE_PARAM(policy_row_disabled_admits_nobody, row_gen_params),
	KUNIT_CASE_PARAM(policy_row_is_for_its_role_only, row_gen_params),
	KUNIT_CASE_PARAM(policy_row_is_for_its_direction_only, row_gen_params),
	KUNIT_CASE_PARAM(policy_row_is_for_its_protocol_only, row_gen_params),
	KUNIT_CASE(policy_defaults_are_as_documented),
	KUNIT_CASE(policy_names_are_as_documented),
	{ .run_case = expect_judgement, .name = "policy_judge_which_row_decides",
	  .generate_params = deciding_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = expect_judgement, .name = "policy_judge_roles_and_ends",
	  .generate_params = role_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = expect_judgement, .name = "policy_judge_unlisted",
	  .generate_params = unlisted_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = expect_judgement, .name = "policy_judge_rtp_match",
	  .generate_params = rtp_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = expect_judgement, .name = "policy_judge_device",
	  .generate_params = device_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = expect_judgement, .name = "policy_judge_state",
	  .generate_params = state_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = expect_judgement, .name = "policy_judge_turned",
	  .generate_params = turned_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = expect_judgement, .name = "policy_judge_blocked",
	  .generate_params = blocked_gen_params, .module_name = KBUILD_MODNAME },
	KUNIT_CASE(policy_first_step_names_the_reason),
	KUNIT_CASE(policy_av_address_of_one_family_counts_for_both),
	KUNIT_CASE(policy_edge_address_may_be_a_partner),
	KUNIT_CASE(policy_partners_come_and_go),
	KUNIT_CASE(policy_without_partners_admits_none),
	KUNIT_CASE(policy_recognises_either_end),
	KUNIT_CASE_PARAM(policy_row_says_why, finding_gen_params),
	KUNIT_CASE(policy_drops_alone_what_no_flow_admits),
	KUNIT_CASE(policy_short_way_leads_to_the_same),
	KUNIT_CASE(policy_rows_explain_every_ruling),
	KUNIT_CASE(policy_interface_tells_alike_addresses_apart),
	KUNIT_CASE(policy_interface_finds_each_of_4096),
	{}
};

static struct kunit_suite policy_test_suite = {
	.name = "nf_edge_policy",
	.test_cases = policy_test_cases,
};

kunit_test_suite(policy_test_suite);
