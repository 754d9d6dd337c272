// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of prefixes: each is taken whole or not at all. What a list adds stands in the tree as
 * scaffolding until all of it has been checked.
 */
#include "prefix.h"

#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "edge.h"

/**
 * struct edge_prefix_gathering - additions in the order of their coming
 * @roll: of each family
 * @room: partners that fit into the roll's memory, which begins with the partners
 */
struct edge_prefix_gathering {
	struct edge_roll roll[2];
	u32 room[2];
};

static const u32 words_in[] = { 1, 4 };	/* an address of each family */

static bool family_index(u8 family)
{
	return family != NFPROTO_IPV4;
}

static inline struct edge_key key_of(const struct edge_prefix *prefix)
{
	return edge_roll_key(prefix->family, &prefix->addr, prefix->bits);
}

static struct edge_tree __rcu **root_for(struct edge_prefixes *table,
					 const struct edge_prefix *prefix)
{
	return &table->root[family_index(prefix->family)];
}

static struct edge_tree_found find(struct edge_prefixes *table, const struct edge_prefix *prefix)
{
	const struct edge_key key = key_of(prefix);

	return edge_tree_find(root_for(table, prefix), &key, edge_roll_words(prefix->family));
}

static struct edge_tree_found ensure(struct edge_prefixes *table,
				     const struct edge_prefix *prefix)
{
	const struct edge_key key = key_of(prefix);

	return edge_tree_ensure(root_for(table, prefix), &key, edge_roll_words(prefix->family));
}

static void prune(struct edge_prefixes *table, const struct edge_prefix *prefix)
{
	const struct edge_key key = key_of(prefix);

	edge_tree_prune(root_for(table, prefix), &key, edge_roll_words(prefix->family));
}

static void regrouped(struct edge_prefixes *table, const struct edge_prefix *prefix)
{
	const struct edge_key key = key_of(prefix);

	edge_tree_regrouped(root_for(table, prefix), &key, edge_roll_words(prefix->family));
}

static void renote(struct edge_prefixes *table, const struct edge_prefix *prefix)
{
	const struct edge_key key = key_of(prefix);

	edge_tree_renote(root_for(table, prefix), &key, edge_roll_words(prefix->family));
}

/* Labels */

static struct edge_label *label_new(const char *domain, const char *name)
{
	size_t domain_size = strlen(domain) + 1, name_size = strlen(name) + 1;
	struct edge_label *label;

	label = kzalloc(sizeof(*label) + domain_size + name_size, EDGE_GFP);
	if (!label)
		return NULL;
	memcpy(label->text, domain, domain_size);
	memcpy(label->text + domain_size, name, name_size);
	return label;
}

static const char *name_of(const struct edge_label *label)
{
	return label ? label->text + strlen(label->text) + 1 : "";
}

#define for_each_label(label, link)						\
	for ((label) = edge_label_at(link); (label); (label) = edge_label_at(&(label)->next))

/* Where the domain's label is, or will be. */
static struct edge_label __rcu **seek(struct edge_label __rcu **link, const char *domain,
				      bool *found)
{
	struct edge_label *label;
	int order = 1;

	for_each_label(label, link) {
		order = strcmp(domain, label->text);
		if (order <= 0)
			break;
		link = &label->next;
	}
	*found = !order;
	return link;
}

static struct edge_label *label_of(const struct edge_tree_found *found, const char *domain)
{
	struct edge_label __rcu **link;
	bool there;

	link = seek(found->label, domain, &there);
	return there ? edge_label_at(link) : NULL;
}

static u32 count_domains(struct edge_label __rcu **first)
{
	const struct edge_label *label;
	u32 count = 0;

	for_each_label(label, first)
		count += label->text[0] != '\0';
	return count;
}

/* The groups that domains have brought. */
static u8 groups_of_labels(struct edge_label __rcu **first)
{
	const struct edge_label *label;
	u8 groups = 0;

	for_each_label(label, first)
		groups |= label->groups;
	return groups;
}

/* Gathering, and building trees of what was gathered */

static bool gather_one(struct edge_roll *roll, const struct edge_prefix *entry)
{
	const struct edge_key key = key_of(entry);
	struct edge_label *label = NULL;

	if (entry->name) {
		label = label_new("", entry->name);
		if (!label)
			return false;
	}
	edge_roll_append(roll, &key, entry->groups, label, edge_roll_words(entry->family));
	return true;
}

/* Adds a list to what has been gathered, or without memory, nothing. */
static bool gather(struct edge_prefix_gathering *gathering, const struct edge_prefix *list, u32 n)
{
	const u32 count[] = { gathering->roll[0].count, gathering->roll[1].count };
	u32 more[2] = {}, i;

	for (i = 0; i < n; i++) {
		more[family_index(list[i].family)]++;
		edge_roll_rest(i);
	}
	for (i = 0; i < 2; i++)
		if (!edge_roll_widen(&gathering->roll[i], &gathering->room[i], more[i],
				     words_in[i]))
			return false;
	for (i = 0; i < n; i++) {
		if (!gather_one(&gathering->roll[family_index(list[i].family)], &list[i]))
			break;
		edge_roll_rest(i);
	}
	if (i == n)
		return true;
	for (i = 0; i < 2; i++) {
		edge_roll_free_labels(&gathering->roll[i], count[i]);
		gathering->roll[i].count = count[i];
	}
	return false;
}

static void gathering_free(struct edge_prefix_gathering *gathering)
{
	kvfree(gathering->roll[0].partners);
	kvfree(gathering->roll[1].partners);
	kfree(gathering);
}

/* The table gets memos. Readers may be in it. */
static bool remember(struct edge_prefixes *table)
{
	struct edge_memos __percpu *memos;

	if (table->memos)
		return true;
	memos = alloc_percpu_gfp(struct edge_memos, EDGE_GFP);
	if (memos)
		smp_store_release(&table->memos, memos);	/* empty ones */
	return memos;
}

/* What is remembered is no longer true. */
static void changed(struct edge_prefixes *table)
{
	/* after the change itself; pairs with edge_prefix_meet() */
	smp_store_release(&table->version, table->version + 1);
}

static void tell(struct edge_prefixes *table, struct edge_memo *memo)
{
	if (memo->packets)
		edge_prefix_see(table, memo->family, &memo->addr, memo->admitting, memo->second,
				memo->packets);
	memo->packets = 0;
}

int edge_prefix_settle(struct edge_prefixes *table)
{
	struct edge_prefix_gathering *gathering = table->gathering;
	struct edge_tree *tree[2] = {};
	u32 i, count = 0;

	if (!gathering)
		return 0;
	if (!remember(table))
		return -ENOMEM;
	for (i = 0; i < 2; i++) {
		if (!gathering->roll[i].count)
			continue;
		if (edge_roll_order(&gathering->roll[i], &gathering->room[i], words_in[i]))
			tree[i] = edge_tree_build(&gathering->roll[i], words_in[i]);
		if (!tree[i]) {
			edge_tree_drop(tree[0], words_in[0]);
			return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
		}
		count += gathering->roll[i].count;
	}
	RCU_INIT_POINTER(table->root[0], tree[0]);
	RCU_INIT_POINTER(table->root[1], tree[1]);
	table->count = count;
	table->gathering = NULL;
	gathering_free(gathering);
	return 0;
}

struct edge_prefixes *edge_prefix_table_new(void)
{
	return kzalloc(sizeof(struct edge_prefixes), EDGE_GFP);
}

struct edge_prefixes *edge_prefix_table_staged(void)
{
	struct edge_prefixes *table = edge_prefix_table_new();

	if (!table)
		return NULL;
	table->gathering = kzalloc(sizeof(*table->gathering), EDGE_GFP);
	if (table->gathering)
		return table;
	kfree(table);
	return NULL;
}

void edge_prefix_table_free(struct edge_prefixes *table)
{
	u32 i;

	if (!table)
		return;
	for (i = 0; i < ARRAY_SIZE(table->root); i++) {
		if (table->gathering)
			edge_roll_free_labels(&table->gathering->roll[i], 0);
		edge_tree_free(&table->root[i], words_in[i]);
	}
	if (table->gathering)
		gathering_free(table->gathering);
	free_percpu(table->memos);
	kfree(table);
}

void edge_prefix_see(struct edge_prefixes *table, u8 family, const union nf_inet_addr *addr,
		     u8 groups, u32 second, u32 packets)
{
	if (family == NFPROTO_IPV4)
		edge_tree_see_ipv4(&table->root[0], addr->ip, groups, second, packets);
	else
		edge_tree_see_ipv6(&table->root[1], &addr->in6, groups, second, packets);
}

u8 edge_prefix_meet(struct edge_prefixes *table, struct edge_memo *memo, u8 family,
		    const union nf_inet_addr *addr)
{
	/* first: what is looked up is at least as new; pairs with changed() */
	const u32 version = smp_load_acquire(&table->version);
	const u8 groups = edge_prefix_walk(table, family, addr);

	if (!edge_memo_is(memo, family, addr)) {
		if (!groups)	/* strangers take nobody's place */
			return 0;
		tell(table, memo);
		*memo = (struct edge_memo){ .addr = *addr, .family = family, .until = jiffies };
	}
	memo->groups = groups;
	memo->version = version;
	return groups;
}

u8 edge_prefix_meet_unblocked(struct edge_prefixes *table, u8 family,
			      const union nf_inet_addr *addr, u64 list)
{
	struct edge_memos __percpu *memos = READ_ONCE(table->memos);
	struct edge_memo *memo;
	u8 groups;

	if (!memos || !edge_memo_usable())
		return edge_prefix_walk(table, family, addr);
	memo = edge_memo_at(memos, family, addr);
	groups = edge_prefix_meet(table, memo, family, addr);
	if (groups)	/* else it may be another one's */
		memo->unblocked = list;
	return groups;
}

/*
 * The first packet of a second is told at once, while its part of the table is in the cache:
 * addresses that are many and come once leave nothing to be told of them later.
 */
void edge_prefix_turn(struct edge_prefixes *table, struct edge_memo *memo, u8 groups)
{
	tell(table, memo);
	memo->packets = 1;
	memo->admitting = groups;
	memo->second = edge_roll_now();
	memo->until = jiffies + HZ;
	tell(table, memo);
}

void edge_prefix_recall(struct edge_prefixes *table, int cpu)
{
	struct edge_memos __percpu *memos = READ_ONCE(table->memos);
	u32 i;

	if (!memos)
		return;
	for (i = 0; i < ARRAY_SIZE(memos->of); i++)
		tell(table, &per_cpu_ptr(memos, cpu)->of[i]);
}

void edge_prefix_inherit(struct edge_prefixes *table, struct edge_prefixes *from)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(table->root); i++)
		edge_tree_inherit(&table->root[i], &from->root[i], words_in[i]);
}

/* What an entry changed before its list is put in force. */
struct prepared {
	struct edge_label *old;
	bool relabelled;
	bool changes;
};

/* Puts a label with another name, or a new one, in the old one's place. */
static int relabel(struct edge_label __rcu **link, struct edge_label *old,
		   const struct edge_prefix *entry, struct prepared *prepared)
{
	const char *domain = entry->domain ?: "", *name = entry->name ?: "";
	struct edge_label *label = label_new(domain, name), *next;

	if (!label)
		return -ENOMEM;
	next = edge_label_at(link);
	if (old) {
		next = edge_label_at(&old->next);
		label->groups = old->groups;
		label->pending = old->pending;
	}
	RCU_INIT_POINTER(label->next, next);
	rcu_assign_pointer(*link, label);	/* only listings look at labels */
	prepared->old = old;
	prepared->relabelled = true;
	return 0;
}

/* Checks one entry and does all of it that packets do not see. */
static int prepare_add(struct edge_prefixes *table, const struct edge_prefix *entry,
		       struct prepared *prepared, bool tolerant, u32 *fresh)
{
	const struct edge_tree_found found = ensure(table, entry);
	struct edge_partner *partner = found.partner;
	struct edge_label __rcu **link;
	struct edge_label *label;
	bool there, rename;
	u8 has;

	if (!partner)
		return -ENOMEM;
	link = seek(found.label, entry->domain ?: "", &there);
	label = there ? edge_label_at(link) : NULL;
	rename = entry->name && strcmp(entry->name, name_of(label));
	has = partner->own | partner->pending;
	if (entry->domain)
		has = label ? label->groups | label->pending : 0;
	if (!rename && !(entry->groups & ~has))
		return tolerant ? 0 : -EEXIST;
	if (entry->domain && !label && count_domains(found.label) >= NF_EDGE_DOMAINS_MAX)
		return -EMLINK;
	if (!partner->groups && !partner->pending && !edge_label_at(found.label))
		++*fresh;
	if ((rename || (entry->domain && !label)) && relabel(link, label, entry, prepared))
		return -ENOMEM;
	if (entry->domain)
		edge_label_at(link)->pending |= entry->groups;
	else
		partner->pending |= entry->groups;
	prepared->changes = true;
	return 1;
}

static void finish_add(struct edge_prefixes *table, const struct edge_prefix *entry,
		       const struct prepared *prepared)
{
	const struct edge_tree_found found = find(table, entry);
	struct edge_partner *partner = found.partner;
	const u8 groups = partner->groups | entry->groups;
	struct edge_label *label;

	if (prepared->old)
		kvfree_rcu(prepared->old, rcu);
	if (!partner->groups)
		WRITE_ONCE(table->count, table->count + 1);
	if (entry->domain) {
		label = label_of(&found, entry->domain);
		WRITE_ONCE(label->groups, label->groups | entry->groups);
		label->pending = 0;
	} else {
		WRITE_ONCE(partner->own, partner->own | entry->groups);
		partner->pending = 0;
	}
	if (groups == partner->groups)
		return;
	WRITE_ONCE(partner->groups, groups);
	regrouped(table, entry);
}

/* Labels go back in the reverse order: a list may rename one prefix twice. */
static void undo_labels(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
			const struct prepared *prepared)
{
	while (n--) {
		struct edge_label *old = prepared[n].old, *label, *next;
		struct edge_label __rcu **link;
		bool there;

		cond_resched();
		if (!prepared[n].relabelled)
			continue;
		link = seek(find(table, &list[n]).label, list[n].domain ?: "", &there);
		label = edge_label_at(link);
		next = edge_label_at(&label->next);
		if (old)
			RCU_INIT_POINTER(old->next, next);
		rcu_assign_pointer(*link, old ?: next);
		kvfree_rcu(label, rcu);
	}
}

static void forget(struct edge_prefixes *table, const struct edge_prefix *list, u32 n)
{
	struct edge_label *label;
	u32 i;

	for (i = 0; i < n; i++) {
		const struct edge_tree_found found = find(table, &list[i]);

		cond_resched();
		if (!found.partner)
			continue;
		found.partner->pending = 0;
		for_each_label(label, found.label)
			label->pending = 0;
		if (!found.partner->groups)
			prune(table, &list[i]);
	}
}

/* A domain's share of a prefix cannot be gathered. */
static bool can_gather(const struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		       u32 limit)
{
	u32 i;

	if (!table->gathering || n > limit || table->count > limit - n)
		return false;
	for (i = 0; i < n; i++) {
		if (list[i].domain)
			return false;
		edge_roll_rest(i);
	}
	return true;
}

int edge_prefix_add(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		    u32 limit, bool tolerant, u32 *bad)
{
	u32 count = 0, fresh = 0, i;
	struct prepared *prepared;
	int err;

	*bad = 0;
	if (tolerant && can_gather(table, list, n, limit)) {
		if (!gather(table->gathering, list, n))
			return -ENOMEM;
		table->count += n;
		return n;
	}
	err = edge_prefix_settle(table);
	if (err)
		return err;
	if (!remember(table))
		return -ENOMEM;
	prepared = kvcalloc(n, sizeof(*prepared), EDGE_GFP);
	if (!prepared)
		return -ENOMEM;

	for (i = 0; i < n; i++) {
		*bad = i;
		err = edge_rest();
		if (!err)
			err = prepare_add(table, &list[i], &prepared[i], tolerant, &fresh);
		if (err < 0)
			goto undo;
		count += err;
		if (fresh > limit || table->count > limit - fresh) {
			err = -ENOSPC;
			goto undo;
		}
	}
	for (i = 0; i < n; i++) {
		if (prepared[i].changes)
			finish_add(table, &list[i], &prepared[i]);
		cond_resched();
	}
	for (i = 0; i < n; i++) {
		if (prepared[i].changes)
			renote(table, &list[i]);
		cond_resched();
	}
	changed(table);
	table->added = get_state_synchronize_rcu();
	kvfree(prepared);
	return count;

undo:
	undo_labels(table, list, *bad + 1, prepared);
	kvfree(prepared);
	forget(table, list, *bad + 1);
	return err;
}

/* The groups that an entry could still leave. */
static u8 left_of(const struct edge_tree_found *found, const struct edge_prefix *entry)
{
	const struct edge_label *label;
	u8 left;

	if (!found->partner)
		return 0;
	left = found->partner->own & ~found->partner->pending;
	if (entry->domain && !*entry->domain)
		return left;
	if (entry->domain) {
		label = label_of(found, entry->domain);
		return label ? label->groups & ~label->pending : 0;
	}
	for_each_label(label, found->label)
		left |= label->groups & ~label->pending;
	return left;
}

static void mark(const struct edge_tree_found *found, const struct edge_prefix *entry, u8 leaves)
{
	struct edge_label *label;

	if (entry->domain && *entry->domain) {
		label_of(found, entry->domain)->pending |= leaves;
		return;
	}
	found->partner->pending |= leaves & found->partner->own;
	if (entry->domain)
		return;
	for_each_label(label, found->label)
		label->pending |= leaves & label->groups;
}

/* Takes out what is marked, and the labels of which nothing is left. The groups that remain. */
static u8 leave(const struct edge_tree_found *found)
{
	struct edge_partner *partner = found->partner;
	struct edge_label __rcu **link = found->label;
	struct edge_label *label;
	u8 groups;

	WRITE_ONCE(partner->own, partner->own & ~partner->pending);
	partner->pending = 0;
	groups = partner->own;
	while ((label = edge_label_at(link))) {
		WRITE_ONCE(label->groups, label->groups & ~label->pending);
		label->pending = 0;
		groups |= label->groups;
		if (label->groups || (!label->text[0] && partner->own)) {
			link = &label->next;
			continue;
		}
		rcu_assign_pointer(*link, edge_label_at(&label->next));
		kvfree_rcu(label, rcu);
	}
	return groups;
}

/* Takes a prefix out of the groups that are marked. */
static void finish_del(struct edge_prefixes *table, const struct edge_prefix *entry)
{
	const struct edge_tree_found found = find(table, entry);
	u8 groups;

	if (!found.partner || !found.partner->groups)
		return;
	groups = leave(&found);
	if (groups == found.partner->groups)
		return;
	WRITE_ONCE(found.partner->groups, groups);
	regrouped(table, entry);
	if (!groups)
		WRITE_ONCE(table->count, table->count - 1);
}

/* killable: whether a fatal signal ends it; all of it is undone then. */
static int del(struct edge_prefixes *table, const struct edge_prefix *list, u32 n, bool tolerant,
	       bool killable, u32 *bad)
{
	struct edge_tree_found found;
	u32 count = 0, i;
	u8 left, leaves;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		*bad = i;
		if (edge_rest() && killable) {
			err = -EINTR;
			break;
		}
		found = find(table, &list[i]);
		left = left_of(&found, &list[i]);
		leaves = list[i].groups ? list[i].groups : left;
		if (!left)
			err = tolerant ? 0 : -ENOENT;
		else if (leaves & ~left)
			err = tolerant ? 0 : -ESRCH;
		if (err || !(leaves & left))
			continue;
		mark(&found, &list[i], leaves & left);
		count++;
	}
	if (err) {
		forget(table, list, i);
		return err;
	}

	/* a reader that was too early for what was added last must not be too late for these */
	cond_synchronize_rcu(table->added);
	for (i = 0; i < n; i++) {
		finish_del(table, &list[i]);
		cond_resched();
	}
	for (i = 0; i < n; i++) {
		renote(table, &list[i]);
		cond_resched();
	}
	changed(table);
	for (i = 0; i < n; i++) {
		found = find(table, &list[i]);
		if (found.partner && !found.partner->groups)
			prune(table, &list[i]);
		cond_resched();
	}
	return count;
}

int edge_prefix_del(struct edge_prefixes *table, const struct edge_prefix *list, u32 n,
		    bool tolerant, u32 *bad)
{
	int err = edge_prefix_settle(table);

	*bad = 0;
	return err ?: del(table, list, n, tolerant, true, bad);
}

/*
 * The table is settled before those who leave, if any, could fail for want of memory: not being
 * there, they are tolerated, and with those who come, it is all or none.
 */
int edge_prefix_exchange(struct edge_prefixes *table, const struct edge_prefix *list, u32 coming,
			 u32 leaving, u32 limit, bool tolerant, u32 *bad)
{
	int count = 0, err = leaving ? edge_prefix_settle(table) : 0;

	*bad = 0;
	if (!err && coming)
		count = edge_prefix_add(table, list, coming, limit, tolerant, bad);
	if (err || count < 0 || !leaving)
		return err ?: count;
	return count + del(table, list + coming, leaving, true, false, bad);
}

/* Copies of the labels of which something is left without some groups. own: see edge_partner. */
static bool copy_labels(struct edge_label __rcu **to, struct edge_label __rcu **from, u8 groups,
			u8 own)
{
	const struct edge_label *label;
	struct edge_label *copy;

	RCU_INIT_POINTER(*to, NULL);
	for_each_label(label, from) {
		if (!(label->groups & ~groups) && (label->text[0] || !own))
			continue;
		copy = label_new(label->text, name_of(label));
		if (!copy)
			return false;
		copy->groups = label->groups & ~groups;
		RCU_INIT_POINTER(*to, copy);
		to = &copy->next;
	}
	return true;
}

/*
 * Leaves of a roll, with the labels of another table, what remains without some groups, with labels
 * of its own. false: without memory, or the caller is to be killed.
 */
static bool strip(struct edge_roll *roll, u8 groups, u32 words, bool *changed)
{
	const u32 all = roll->count;
	u32 i;

	roll->count = 0;	/* those before have labels of their own */
	for (i = 0; i < all; i++) {
		struct edge_partner *partner = edge_roll_at(roll->partners, i, words);
		const u8 own = partner->own & ~groups;
		struct edge_label __rcu *labels;
		bool copied;

		*changed |= partner->groups & groups;
		copied = copy_labels(&labels, &roll->labels[i], groups, own);
		partner->own = own;
		partner->groups = own | groups_of_labels(&labels);
		if (i != roll->count)
			edge_roll_copy(roll, roll->count, roll, i, 1, words);
		roll->labels[roll->count] = labels;
		if (partner->groups || !copied)
			roll->count++;
		if (!copied || edge_rest())
			return false;
	}
	return true;
}

static bool without(struct edge_tree __rcu **root, struct edge_tree __rcu **from, u8 groups,
		    u32 words, bool *changed, u32 *count)
{
	struct edge_roll roll = {};
	u32 room = 0;
	bool done;

	done = edge_tree_enrol(from, &roll, &room, words) && strip(&roll, groups, words, changed);
	if (done && roll.count) {
		RCU_INIT_POINTER(*root, edge_tree_build(&roll, words));
		done = rcu_access_pointer(*root);
	}
	if (!done)
		edge_roll_free_labels(&roll, 0);
	*count += roll.count;
	kvfree(roll.partners);
	return done;
}

struct edge_prefixes *edge_prefix_without(struct edge_prefixes *table, u8 groups, bool *changed)
{
	struct edge_prefixes *left = edge_prefix_table_new();
	bool done = left && remember(left);
	u32 i;

	*changed = false;
	for (i = 0; i < ARRAY_SIZE(table->root) && done; i++)
		done = without(&left->root[i], &table->root[i], groups, words_in[i], changed,
			       &left->count);
	if (done)
		return left;
	edge_prefix_table_free(left);
	return NULL;
}

static void describe_share(const struct edge_label *label, struct edge_prefix *prefix)
{
	prefix->groups = READ_ONCE(label->groups);
	prefix->domain = label->text;
	prefix->name = name_of(label);
	if (!*prefix->name)
		prefix->name = NULL;
	prefix->rest = edge_label_at(&label->next);
	prefix->more = prefix->rest;
}

/* The prefix alone: an entry in no group. */
static void describe_prefix(const struct edge_tree_found *found, u8 family,
			    struct edge_prefix *prefix)
{
	const u64 seen = atomic64_read(found->seen);
	u32 i;

	memset(prefix, 0, sizeof(*prefix));
	for (i = 0; i < edge_roll_words(family); i++)
		prefix->addr.ip6[i] = cpu_to_be32(found->partner->word[i]);
	prefix->family = family;
	prefix->bits = found->partner->bits;
	prefix->packets = edge_roll_packets_of(seen);
	prefix->seen = edge_roll_second_of(seen);
}

/* The prefix's first entry at or behind a place, if there is one. */
static bool describe(const struct edge_tree_found *found, u8 family, u32 place,
		     struct edge_prefix *prefix)
{
	const struct edge_label *label = edge_label_at(found->label), *unbrought = NULL;
	const u8 own = READ_ONCE(found->partner->own);
	u32 i;

	describe_prefix(found, family, prefix);
	if (label && !label->text[0]) {
		unbrought = label;
		label = edge_label_at(&label->next);
	}
	if (!place && !own)
		place = 1;
	for (i = 1; label && i < place; i++)
		label = edge_label_at(&label->next);
	prefix->place = place;
	if (place) {
		if (label)
			describe_share(label, prefix);
		return label;
	}
	prefix->groups = own;
	prefix->name = *name_of(unbrought) ? name_of(unbrought) : NULL;
	prefix->rest = label;
	prefix->more = label;
	return true;
}

/* The next entry of the same prefix. */
static bool next_of_same(const struct edge_prefixes *table, struct edge_prefix *prefix)
{
	struct edge_tree_found found;

	if (!prefix->more)
		return false;
	if (prefix->rest) {
		prefix->place++;
		describe_share(prefix->rest, prefix);
		return true;
	}
	found = find((struct edge_prefixes *)table, prefix);
	return found.partner && describe(&found, prefix->family, prefix->place + 1, prefix);
}

/**
 * struct visit - who visits entries
 * @visit: takes one
 * @data: its own
 * @family: of the prefixes
 */
struct visit {
	edge_prefix_visit_fn visit;
	void *data;
	u8 family;
};

/* All entries of a prefix. */
static bool visit_prefix(const struct edge_tree_found *found, void *data)
{
	const struct visit *visit = data;
	struct edge_prefix prefix;

	if (!READ_ONCE(found->partner->groups) || !describe(found, visit->family, 0, &prefix))
		describe_prefix(found, visit->family, &prefix);
	while (visit->visit(&prefix, visit->data)) {
		if (!prefix.rest)
			return true;
		prefix.place++;
		describe_share(prefix.rest, &prefix);
	}
	return false;
}

bool edge_prefix_each(const struct edge_prefixes *table, const struct edge_prefix *from,
		      edge_prefix_visit_fn visit, void *data)
{
	struct visit visitor = { .visit = visit, .data = data };
	const struct edge_key key = key_of(from);
	struct edge_prefix prefix = *from;
	u32 i = from->family == NFPROTO_IPV6;

	while (from->family != NFPROTO_UNSPEC && next_of_same(table, &prefix))
		if (!visit(&prefix, data))
			return false;
	for (; i < ARRAY_SIZE(table->root); i++) {
		visitor.family = i ? NFPROTO_IPV6 : NFPROTO_IPV4;
		if (!edge_tree_each(&table->root[i], from->family == visitor.family ? &key : NULL,
				    visit_prefix, &visitor, words_in[i]))
			return false;
	}
	return true;
}

/**
 * struct inverting - an inverse that is being made
 * @back: entries that are to be added; @n of them
 * @away: entries that are to be taken away; @n of them
 * @text: where the next text goes; while all is being measured, it and the entries are NULL
 * @bytes: of texts
 */
struct inverting {
	struct {
		struct edge_prefix *list;
		u32 n;
	} back, away;
	char *text;
	size_t bytes;
};

static const char *keep_text(struct inverting *inverting, const char *text)
{
	const size_t size = strlen(text) + 1;
	char *kept = inverting->text;

	inverting->bytes += size;
	if (!kept)
		return NULL;
	inverting->text += size;
	return memcpy(kept, text, size);
}

static struct edge_prefix kept_entry(struct inverting *inverting, const struct edge_prefix *entry)
{
	struct edge_prefix kept = {
		.addr = entry->addr,
		.family = entry->family,
		.bits = entry->bits,
		.groups = entry->groups,
	};

	if (entry->name)
		kept.name = keep_text(inverting, entry->name);
	if (entry->domain)
		kept.domain = keep_text(inverting, entry->domain);
	return kept;
}

/* All shares of a prefix as they are. */
static void keep_shares(const struct edge_tree_found *found, const struct edge_prefix *entry,
			struct inverting *inverting)
{
	struct edge_prefix share, kept;
	bool more = found->partner && found->partner->groups &&
		    describe(found, entry->family, 0, &share);

	while (more) {
		share.name = share.name ?: "";
		kept = kept_entry(inverting, &share);
		if (inverting->back.list)
			inverting->back.list[inverting->back.n] = kept;
		inverting->back.n++;
		more = share.rest;
		if (more)
			describe_share(share.rest, &share);
	}
}

/* What an addition changes, if it does. */
static void keep_addition(const struct edge_tree_found *found, const struct edge_prefix *entry,
			  struct inverting *inverting)
{
	struct edge_prefix brought = *entry, kept;
	const struct edge_label *label = NULL;

	if (found->partner)
		label = label_of(found, entry->domain ?: "");
	if (entry->domain)
		brought.groups &= label ? ~label->groups : ~0;
	else
		brought.groups &= found->partner ? ~found->partner->own : ~0;
	if (entry->name && strcmp(entry->name, name_of(label)))
		keep_shares(found, entry, inverting);
	if (!brought.groups)
		return;
	brought.name = NULL;
	brought.domain = entry->domain ?: "";
	kept = kept_entry(inverting, &brought);
	if (inverting->away.list)
		inverting->away.list[inverting->away.n] = kept;
	inverting->away.n++;
}

/* Once to measure it, once to keep it. limit: entries that come back. */
static int invert(struct edge_prefixes *table, const struct edge_prefix *list, u32 coming, u32 n,
		  u32 limit, struct inverting *inverting)
{
	u32 i;

	for (i = 0; i < n; i++) {
		const struct edge_tree_found found = find(table, &list[i]);

		if (edge_rest())
			return -EINTR;
		if (i < coming)
			keep_addition(&found, &list[i], inverting);
		else
			keep_shares(&found, &list[i], inverting);
		if (inverting->back.n > limit)
			return -E2BIG;
	}
	return 0;
}

int edge_prefix_invert(struct edge_prefixes *table, const struct edge_prefix *list, u32 coming,
		       u32 n, struct edge_prefix_inverse *inverse)
{
	const u32 limit = min_t(u64, 4ULL * n + NF_EDGE_DOMAINS_MAX, U32_MAX);
	struct inverting measured = {}, inverting = {};
	int err = edge_prefix_settle(table);
	u64 entries, bytes;

	*inverse = (struct edge_prefix_inverse){};
	if (!err)
		err = invert(table, list, coming, n, limit, &measured);
	if (err)
		return err;
	entries = (u64)measured.back.n + measured.away.n;
	bytes = entries * sizeof(*list);
	if (bytes + measured.bytes >= INT_MAX)
		return -E2BIG;
	inverse->list = kvmalloc(bytes + measured.bytes + 1, EDGE_GFP);
	if (!inverse->list)
		return -ENOMEM;
	inverting.back.list = inverse->list;
	inverting.away.list = inverse->list + measured.back.n;
	inverting.text = (char *)(inverse->list + entries);
	err = invert(table, list, coming, n, limit, &inverting);
	inverse->coming = inverting.back.n;
	inverse->leaving = inverting.away.n;
	if (err) {
		kvfree(inverse->list);
		inverse->list = NULL;
	}
	return err;
}

/* The next label that says something: one without domain says no more than its name. */
static const struct edge_label *telling(const struct edge_label *label)
{
	return label && !label->text[0] && !*name_of(label) ? edge_label_at(&label->next) : label;
}

static bool same_labels(const struct edge_tree_found *one, const struct edge_tree_found *other)
{
	const struct edge_label *a = telling(edge_label_at(one->label));
	const struct edge_label *b = telling(edge_label_at(other->label));

	for (; a && b; a = edge_label_at(&a->next), b = edge_label_at(&b->next))
		if (a->groups != b->groups || strcmp(a->text, b->text) ||
		    strcmp(name_of(a), name_of(b)))
			return false;
	return !a && !b;
}

/**
 * struct twin - where a table's partners are looked for
 * @root: the other table's
 * @words: of an address
 * @count: partners that were looked for
 */
struct twin {
	struct edge_tree __rcu **root;
	u32 words;
	u32 count;
};

static bool has_twin(const struct edge_tree_found *found, void *data)
{
	struct twin *twin = data;
	struct edge_key key = { .bits = found->partner->bits };
	struct edge_tree_found other;

	edge_roll_rest(twin->count++);
	if (!found->partner->groups)
		return true;
	memcpy(key.word, found->partner->word, twin->words * sizeof(u32));
	other = edge_tree_find(twin->root, &key, twin->words);
	return other.partner && other.partner->groups == found->partner->groups &&
	       other.partner->own == found->partner->own && same_labels(found, &other);
}

bool edge_prefix_table_equal(struct edge_prefixes *a, struct edge_prefixes *b)
{
	u32 i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < ARRAY_SIZE(a->root); i++) {
		struct twin twin = { .root = &b->root[i], .words = words_in[i] };

		if (!edge_tree_each(&a->root[i], NULL, has_twin, &twin, twin.words))
			return false;
	}
	return true;
}

bool edge_prefix_next_covering(const struct edge_prefixes *table, u8 family,
			       const union nf_inet_addr *addr, struct edge_prefix *prefix)
{
	const struct edge_prefix at = { .family = family, .addr = *addr };
	struct edge_tree __rcu **root = root_for((struct edge_prefixes *)table, &at);
	const struct edge_key whole = key_of(&at);
	const u32 words = edge_roll_words(family);
	u32 bits = 0;

	if (prefix->family == family) {
		if (next_of_same(table, prefix))
			return true;
		bits = prefix->bits + 1;
	}
	for (; bits <= words * 32; bits++) {
		const struct edge_key key = edge_roll_shortened(whole, bits);
		const struct edge_tree_found found = edge_tree_find(root, &key, words);

		if (found.partner && READ_ONCE(found.partner->groups) &&
		    describe(&found, family, 0, prefix))
			return true;
	}
	return false;
}
