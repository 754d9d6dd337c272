// SPDX-License-Identifier: GPL-2.0-only
#include "config.h"

#include <linux/bitops.h>
#include <linux/bottom_half.h>
#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "events.h"
#include "hook.h"

struct transaction {
	struct edge_policy *staged;
};

/* As for every list whose length the caller chose: who is short of memory hears it, not the log. */
static struct edge_policy *policy_alloc(u32 room)
{
	struct edge_policy *policy;

	return kvzalloc(struct_size(policy, interfaces, room), EDGE_GFP);
}

/* A policy with every default and this partner table, which may be NULL and goes without memory. */
static struct edge_policy *policy_new(struct edge_prefixes *partners)
{
	struct edge_policy *policy = partners ? policy_alloc(0) : NULL;

	if (!policy) {
		edge_prefix_table_free(partners);
		return NULL;
	}
	edge_policy_init(policy);
	policy->partners = partners;
	return policy;
}

static bool has_partners(const struct edge_policy *policy, const struct edge_prefixes *partners)
{
	return policy && policy->partners == partners;
}

/*
 * No reader may see @policy any more, which may be NULL. Its partner table stays when it is that of
 * @other, too, which may be NULL.
 */
static void policy_free(struct edge_policy *policy, const struct edge_policy *other)
{
	if (!policy)
		return;
	if (!has_partners(other, policy->partners))
		edge_prefix_table_free(policy->partners);
	edge_blocks_put(policy->blocks);
	kvfree(policy);
}

static struct edge_policy *in_force(const struct edge_net *edge)
{
	return rcu_dereference_protected(edge->policy, lockdep_is_held(&edge->commit_mutex) ||
						       lockdep_is_held(&edge->lock));
}

const struct edge_policy *edge_config_policy(const struct edge_net *edge)
{
	return in_force(edge);
}

static void revert_in_time(struct work_struct *work);
static void blocks_end(struct work_struct *work);

int edge_config_init(struct edge_net *edge)
{
	struct edge_policy *policy = policy_new(edge_prefix_table_new());

	if (!policy)
		return -ENOMEM;
	mutex_init(&edge->commit_mutex);
	mutex_init(&edge->lock);
	mutex_init(&edge->recall);
	xa_init_flags(&edge->transactions, XA_FLAGS_ACCOUNT);
	edge->previous = NULL;
	INIT_DELAYED_WORK(&edge->revert, revert_in_time);
	edge->before = (struct edge_before){};
	INIT_DELAYED_WORK(&edge->expiry, blocks_end);
	RCU_INIT_POINTER(edge->policy, policy);
	edge->generation = 1;
	edge->sequence = 2;
	edge->changed = ktime_get_boottime_seconds();
	edge->changed_at = ktime_get_real_seconds();
	return 0;
}

static void unhook(struct edge_net *edge)
{
	if (edge->hooked)
		edge_hook_unregister(edge);
	edge->hooked = false;
}

void edge_config_stop(struct edge_net *edge)
{
	cancel_delayed_work_sync(&edge->revert);	/* they take the mutex */
	cancel_delayed_work_sync(&edge->expiry);
	mutex_lock(&edge->commit_mutex);
	unhook(edge);
	mutex_unlock(&edge->commit_mutex);
}

static void transaction_free(struct transaction *transaction)
{
	policy_free(transaction->staged, NULL);
	kfree(transaction);
}

void edge_config_free(struct edge_net *edge)
{
	struct edge_policy *policy = rcu_dereference_protected(edge->policy, true);
	struct transaction *transaction;
	unsigned long portid;

	xa_for_each(&edge->transactions, portid, transaction)
		transaction_free(transaction);
	xa_destroy(&edge->transactions);
	policy_free(edge->previous, NULL);
	kvfree(edge->before.partners.list);
	policy_free(edge->before.policy, policy);
	policy_free(policy, NULL);
}

/* Around each change that a listing may meet. */
static void sequence_begin(struct edge_net *edge)
{
	lockdep_assert_held(&edge->commit_mutex);
	WRITE_ONCE(edge->sequence, edge->sequence + 1);
	smp_wmb();	/* before the change; pairs with edge_config_listing_met() */
}

static void sequence_end(struct edge_net *edge)
{
	/* after the change; pairs with edge_config_listing_begin(). 0 is reserved: see cb->seq */
	smp_store_release(&edge->sequence, edge->sequence + 1 ?: 2);
}

static void touch(struct edge_net *edge)
{
	lockdep_assert_held(&edge->commit_mutex);
	lockdep_assert_held(&edge->lock);
	WRITE_ONCE(edge->generation, edge->generation + 1 ?: 1);	/* sysfs has no lock */
	edge->changed = ktime_get_boottime_seconds();
	edge->changed_at = ktime_get_real_seconds();
}

/* Whether hooks are needed for a policy, which may be NULL. */
static bool guards(const struct edge_policy *policy)
{
	return policy && policy->mode != NF_EDGE_MODE_OFF && policy->interface_count;
}

/* The hooks of a policy that may come back stay: it must not depend on their registration. */
static void unhook_unneeded(struct edge_net *edge)
{
	if (!guards(in_force(edge)) && !guards(edge->previous))
		unhook(edge);
}

/*
 * Blocks end by the clock, which may be set meanwhile: it is looked at once a minute at least. For
 * what is a year away no timer is needed.
 */
static void await_end_of_blocks(struct edge_net *edge)
{
	const u64 end = edge_blocks_first_end(in_force(edge)->blocks);
	const u64 now = ktime_get_real_seconds();

	if (end)
		mod_delayed_work(system_long_wq, &edge->expiry,
				 end > now ? min_t(u64, end - now, 60) * HZ : 0);
	else
		cancel_delayed_work(&edge->expiry);	/* or it finds nothing to do */
}

/*
 * For a policy whose hooks are registered. The one that was in force is the caller's now, or, where
 * the new one is to be confirmed within so many seconds, kept. It may be the one that was kept.
 */
static void put_in_force(struct edge_net *edge, struct edge_policy *policy, u32 seconds)
{
	struct edge_policy *old = in_force(edge);

	mutex_lock(&edge->lock);
	sequence_begin(edge);
	if (policy->blocks)
		policy->blocks->in_force = true;
	rcu_assign_pointer(edge->policy, policy);
	edge->published = get_state_synchronize_rcu();
	sequence_end(edge);
	if (seconds) {
		edge->previous = old;
		edge->deadline = jiffies + seconds * HZ;
	} else if (policy == edge->previous) {
		edge->previous = NULL;
	}
	touch(edge);
	if (seconds)
		edge->awaited = edge->generation;
	mutex_unlock(&edge->lock);
	unhook_unneeded(edge);
	await_end_of_blocks(edge);
}

/*
 * Hooks come before the policy that needs them and go after the one that did:
 * there is no moment when a protected address is not guarded.
 */
static int publish(struct edge_net *edge, struct edge_policy *policy, u32 seconds,
		   struct netlink_ext_ack *extack)
{
	int err;

	if (guards(policy) && !edge->hooked) {
		err = edge_hook_register(edge);
		if (err) {
			NL_SET_ERR_MSG(extack,
				       "netfilter hooks or connection tracking cannot be registered");
			return err;
		}
		edge->hooked = true;
	}
	put_in_force(edge, policy, seconds);
	return 0;
}

/* Frees a policy that was in force, when nobody sees it any more. */
static void retire(struct edge_net *edge, struct edge_policy *old)
{
	if (has_partners(in_force(edge), old->partners) ||
	    has_partners(edge->previous, old->partners) ||
	    has_partners(edge->before.policy, old->partners)) {
		edge_blocks_put(old->blocks);
		kvfree_rcu(old, rcu);
	} else {
		synchronize_rcu();
		policy_free(old, NULL);
	}
}

/*
 * What is brought back on request: a policy that was in force until now, an inverse, or nothing. It
 * takes the place of what was kept.
 */
static void keep(struct edge_net *edge, struct edge_policy *policy,
		 const struct edge_prefix_inverse *inverse)
{
	const struct edge_before stale = edge->before;

	edge->before = (struct edge_before){ .policy = policy };
	if (inverse)
		edge->before.partners = *inverse;
	kvfree(stale.partners.list);
	if (stale.policy)
		retire(edge, stale.policy);
}

/* The policy that was in force is kept, unless one is kept that is to come back by itself. */
static void settle(struct edge_net *edge, struct edge_policy *old)
{
	if (edge->previous)
		retire(edge, old);
	else
		keep(edge, old, NULL);
}

static struct transaction *transaction_of(struct edge_net *edge, u32 portid)
{
	return xa_load(&edge->transactions, portid);
}

/* The policy that the socket's changes are for. */
static struct edge_policy *target(struct edge_net *edge, u32 portid)
{
	struct transaction *transaction = transaction_of(edge, portid);

	return transaction ? transaction->staged : in_force(edge);
}

struct edge_policy *edge_config_edit(struct edge_net *edge, u32 portid, u32 room)
{
	const struct edge_policy *from = target(edge, portid);
	struct edge_policy *policy = policy_alloc(from->interface_count + room);

	if (!policy)
		return NULL;
	memcpy(policy, from, struct_size(from, interfaces, from->interface_count));
	edge_blocks_get(policy->blocks);
	return policy;
}

void edge_config_set_blocks(struct edge_policy *policy, struct edge_blocks *blocks)
{
	edge_blocks_put(policy->blocks);
	policy->blocks = blocks;
}

void edge_config_discard(struct edge_net *edge, u32 portid, struct edge_policy *policy)
{
	policy_free(policy, target(edge, portid));
}

/* Whether two indexed policies say the same of all but the partners. */
static bool is_same(const struct edge_policy *a, const struct edge_policy *b)
{
	const size_t from = offsetof(struct edge_policy, mode);
	const size_t to = offsetof(struct edge_policy, interfaces);	/* sizeof may be more */

	return a->interface_count == b->interface_count &&
	       !memcmp((const u8 *)a + from, (const u8 *)b + from, to - from) &&
	       edge_blocks_equal(a->blocks, b->blocks) &&
	       !memcmp(a->interfaces, b->interfaces,
		       flex_array_size(a, interfaces, a->interface_count));
}

int edge_config_apply(struct edge_net *edge, u32 portid, struct edge_policy *policy,
		      struct netlink_ext_ack *extack)
{
	struct transaction *transaction = transaction_of(edge, portid);
	const struct edge_policy *from = target(edge, portid);
	struct edge_policy *old = in_force(edge);
	int err;

	edge_policy_index(policy);
	if (policy->partners == from->partners && is_same(policy, from)) {
		policy_free(policy, from);
		return 0;
	}
	if (transaction) {
		policy_free(transaction->staged, policy);
		transaction->staged = policy;
		return 0;
	}
	err = publish(edge, policy, 0, extack);
	if (err)
		edge_config_discard(edge, portid, policy);
	else
		settle(edge, old);
	return err;
}

struct edge_prefixes *edge_config_partners_begin(struct edge_net *edge, u32 portid)
{
	if (!transaction_of(edge, portid)) {
		/* whoever judges by the policy that was replaced must not meet the table to come */
		cond_synchronize_rcu(edge->published);
		sequence_begin(edge);
	}
	return target(edge, portid)->partners;
}

bool edge_config_can_undo(struct edge_net *edge, u32 portid)
{
	return !transaction_of(edge, portid) && !edge->previous;
}

void edge_config_partners_end(struct edge_net *edge, u32 portid, bool changed,
			      const struct edge_prefix_inverse *inverse)
{
	const bool staged = transaction_of(edge, portid);

	if (!staged)
		sequence_end(edge);
	if (!changed || !edge_config_can_undo(edge, portid))
		kvfree(inverse->list);
	else
		keep(edge, NULL, inverse);
	if (!changed || staged)
		return;
	mutex_lock(&edge->lock);
	touch(edge);
	mutex_unlock(&edge->lock);
}

/* On the CPU that it is about, or for one that is off. The table may be replaced meanwhile. */
static void recall_cpu(struct edge_net *edge, int cpu)
{
	local_bh_disable();
	rcu_read_lock();
	edge_prefix_recall(rcu_dereference(edge->policy)->partners, cpu);
	rcu_read_unlock();
	local_bh_enable();
}

static long recall_here(void *edge)
{
	recall_cpu(edge, smp_processor_id());
	return 0;
}

/*
 * A CPU's memos are its own: it tells of them itself, unless it is off. While the CPUs are being
 * asked, another listing does without: no request may wait for long, see change_begin().
 */
void edge_config_recall(struct edge_net *edge)
{
	int cpu;

	if (!mutex_trylock(&edge->recall))
		return;
	for_each_possible_cpu(cpu) {
		cpus_read_lock();
		if (cpu_online(cpu))
			work_on_cpu(cpu, recall_here, edge);
		else
			recall_cpu(edge, cpu);
		cpus_read_unlock();
	}
	mutex_unlock(&edge->recall);
}

/* Where the address is, or belongs. */
static u32 position(const struct edge_policy *policy, u8 family, const union nf_inet_addr *addr,
		    bool *found)
{
	u32 i;

	for (i = 0; i < policy->interface_count; i++) {
		const struct edge_interface *at = &policy->interfaces[i];
		int order = edge_address_compare(family, addr, at->family, &at->addr);

		if (order <= 0) {
			*found = !order;
			return i;
		}
	}
	*found = false;
	return i;
}

int edge_config_interface_add(struct edge_policy *policy, u8 role, u8 family,
			      const union nf_inet_addr *addr, const char *dev)
{
	struct edge_interface *at;
	bool found;

	at = &policy->interfaces[position(policy, family, addr, &found)];
	if (found) {
		if (dev && at->dev[0] && strcmp(at->dev, dev))
			return -EBUSY;
		if (at->roles & BIT(role) && (!dev || at->dev[0]))
			return -EEXIST;
	} else {
		const struct edge_interface *end = &policy->interfaces[policy->interface_count];

		if (policy->interface_count == NF_EDGE_INTERFACES_MAX)
			return -ENOSPC;
		memmove(at + 1, at, (end - at) * sizeof(*at));
		memset(at, 0, sizeof(*at));
		at->addr = *addr;
		at->family = family;
		policy->interface_count++;
	}
	at->roles |= BIT(role);
	if (dev)
		strscpy(at->dev, dev, sizeof(at->dev));
	return 0;
}

static void interface_remove(struct edge_policy *policy, struct edge_interface *at)
{
	const struct edge_interface *last = &policy->interfaces[policy->interface_count - 1];

	memmove(at, at + 1, (last - at) * sizeof(*at));
	policy->interface_count--;
}

int edge_config_interface_del(struct edge_policy *policy, u8 role, u8 family,
			      const union nf_inet_addr *addr)
{
	struct edge_interface *at;
	bool found;

	at = &policy->interfaces[position(policy, family, addr, &found)];
	if (!found || !(at->roles & BIT(role)))
		return -ENOENT;
	at->roles &= ~BIT(role);
	if (!at->roles)
		interface_remove(policy, at);
	return 0;
}

void edge_config_interface_flush(struct edge_policy *policy, u8 roles)
{
	u32 i, left = 0;

	for (i = 0; i < policy->interface_count; i++) {
		policy->interfaces[i].roles &= ~roles;
		if (policy->interfaces[i].roles)
			policy->interfaces[left++] = policy->interfaces[i];
	}
	policy->interface_count = left;
}

u32 edge_config_interface_pairs(const struct edge_policy *policy)
{
	u32 i, pairs = 0;

	for (i = 0; i < policy->interface_count; i++)
		pairs += hweight8(policy->interfaces[i].roles);
	return pairs;
}

/* A policy that says the same, and shares no table; or the errno. */
static struct edge_policy *copy_of(const struct edge_policy *from)
{
	struct edge_policy *copy = policy_alloc(from->interface_count);
	bool changed;

	if (!copy)
		return ERR_PTR(-ENOMEM);
	memcpy(copy, from, struct_size(from, interfaces, from->interface_count));
	copy->partners = edge_prefix_without(from->partners, 0, &changed);
	if (!copy->partners) {
		kvfree(copy);
		return ERR_PTR(edge_rest() ?: -ENOMEM);
	}
	edge_blocks_get(copy->blocks);
	return copy;
}

int edge_config_begin(struct edge_net *edge, u32 portid, bool copy)
{
	struct transaction *transaction = kzalloc(sizeof(*transaction), EDGE_GFP), *old;
	struct edge_policy *staged;

	if (!transaction)
		return -ENOMEM;
	staged = copy ? copy_of(in_force(edge)) :
			policy_new(edge_prefix_table_staged()) ?: ERR_PTR(-ENOMEM);
	if (IS_ERR(staged)) {
		kfree(transaction);
		return PTR_ERR(staged);
	}
	transaction->staged = staged;
	old = xa_store(&edge->transactions, portid, transaction, EDGE_GFP);
	if (xa_is_err(old)) {
		transaction_free(transaction);
		return xa_err(old);
	}
	if (old)
		transaction_free(old);
	return 0;
}

const struct edge_policy *edge_config_staged(struct edge_net *edge, u32 portid)
{
	struct transaction *transaction = transaction_of(edge, portid);
	int err;

	if (!transaction)
		return ERR_PTR(-ENOENT);
	err = edge_prefix_settle(transaction->staged->partners);
	return err ? ERR_PTR(err) : transaction->staged;
}

/* Whether the last Edge address would go without a word: who says "mode off" means that. */
static int check_opens(const struct edge_policy *from, const struct edge_policy *to, bool open,
		       struct netlink_ext_ack *extack)
{
	if (open || !from->interface_count || to->interface_count ||
	    to->mode == NF_EDGE_MODE_OFF)
		return 0;
	NL_SET_ERR_MSG(extack, "no Edge address would be left: everything would be open");
	return -EPERM;
}

int edge_config_commit(struct edge_net *edge, u32 portid, u32 seconds, bool open,
		       struct netlink_ext_ack *extack)
{
	struct transaction *transaction = transaction_of(edge, portid);
	struct edge_policy *old = in_force(edge);
	int err;

	if (!transaction)
		return -ENOENT;
	if (edge->previous) {
		NL_SET_ERR_MSG(extack,
			       "a policy waits for its confirmation: confirm or revert it first");
		return -EBUSY;
	}
	err = check_opens(old, transaction->staged, open, extack);
	if (err)
		return err;
	err = edge_prefix_settle(transaction->staged->partners);
	if (err) {
		if (err == -ENOMEM)
			NL_SET_ERR_MSG(extack, EDGE_CONFIG_NO_MEMORY);
		return err;
	}
	if (is_same(transaction->staged, old) &&
	    edge_prefix_table_equal(transaction->staged->partners, old->partners)) {
		edge_config_abort(edge, portid);
		return 0;
	}
	edge_prefix_inherit(transaction->staged->partners, old->partners);
	if (fatal_signal_pending(current))
		return -EINTR;
	err = publish(edge, transaction->staged, seconds, extack);
	if (err)
		return err;
	xa_erase(&edge->transactions, portid);
	kfree(transaction);
	if (seconds) {	/* the table may be large, and takes long to free */
		queue_delayed_work(system_long_wq, &edge->revert, seconds * HZ);
		keep(edge, NULL, NULL);
	} else {
		keep(edge, old, NULL);
	}
	return 0;
}

int edge_config_confirm(struct edge_net *edge)
{
	struct edge_policy *previous = edge->previous;

	if (!previous)
		return -ENOENT;
	mutex_lock(&edge->lock);
	edge->previous = NULL;
	mutex_unlock(&edge->lock);
	cancel_delayed_work(&edge->revert);	/* or it finds nothing to do */
	unhook_unneeded(edge);
	if (edge->generation == edge->awaited)
		keep(edge, previous, NULL);
	else	/* it is not the one before the last change */
		retire(edge, previous);
	return 0;
}

int edge_config_revert(struct edge_net *edge)
{
	struct edge_policy *previous = edge->previous, *old = in_force(edge);

	if (!previous)
		return -ENOENT;
	cancel_delayed_work(&edge->revert);	/* as above */
	edge_prefix_inherit(previous->partners, old->partners);
	put_in_force(edge, previous, 0);
	keep(edge, old, NULL);
	return 0;
}

static int undo_policy(struct edge_net *edge, bool open, struct netlink_ext_ack *extack)
{
	struct edge_policy *policy = edge->before.policy, *old = in_force(edge);
	int err;

	err = check_opens(old, policy, open, extack);
	if (err)
		return err;
	if (policy->partners != old->partners)
		edge_prefix_inherit(policy->partners, old->partners);
	err = publish(edge, policy, 0, extack);
	if (err)
		return err;
	edge->before.policy = NULL;
	keep(edge, old, NULL);
	return 0;
}

static int undo_partners(struct edge_net *edge)
{
	const struct edge_prefix_inverse *partners = &edge->before.partners;
	const u32 n = partners->coming + partners->leaving;
	struct edge_prefixes *table = edge_config_partners_begin(edge, 0);
	struct edge_prefix_inverse inverse;
	u32 bad;
	int count;

	edge_prefix_invert(table, partners->list, partners->coming, n, &inverse);
	count = edge_prefix_exchange(table, partners->list, partners->coming, partners->leaving,
				     NF_EDGE_PARTNERS_MAX, true, &bad);
	edge_config_partners_end(edge, 0, count > 0, &inverse);
	return min(count, 0);
}

/* The staged policy becomes what undoing would bring back. */
static int undo_staged(struct edge_net *edge, struct transaction *transaction)
{
	const struct edge_prefix_inverse *partners = &edge->before.partners;
	const struct edge_policy *back = edge->previous ?: edge->before.policy;
	struct edge_policy *staged;
	u32 bad;

	if (!back && !partners->list)
		return -ENOENT;
	if (!back)
		return min(0, edge_prefix_exchange(transaction->staged->partners, partners->list,
						   partners->coming, partners->leaving,
						   NF_EDGE_PARTNERS_MAX, true, &bad));
	staged = copy_of(back);
	if (IS_ERR(staged))
		return PTR_ERR(staged);
	policy_free(transaction->staged, NULL);
	transaction->staged = staged;
	return 0;
}

int edge_config_undo(struct edge_net *edge, u32 portid, bool open, struct netlink_ext_ack *extack)
{
	struct transaction *transaction = transaction_of(edge, portid);
	int err = -ENOENT;

	if (transaction)
		return undo_staged(edge, transaction);
	if (edge->previous)
		return edge_config_revert(edge);
	if (edge->before.policy)
		err = undo_policy(edge, open, extack);
	else if (edge->before.partners.list)
		err = undo_partners(edge);
	if (err == -ENOMEM)
		NL_SET_ERR_MSG(extack, EDGE_CONFIG_NO_MEMORY);
	return err;
}

int edge_config_seconds_left(const struct edge_net *edge)
{
	long left = edge->deadline - jiffies;

	if (!edge->previous)
		return -1;
	return left > 0 ? DIV_ROUND_UP(left, HZ) : 0;
}

/*
 * One that was too late for the policy that it was meant for, because that was confirmed while it
 * waited for the mutex, leaves the next one its time.
 */
static void revert_in_time(struct work_struct *work)
{
	struct edge_net *edge = container_of(to_delayed_work(work), struct edge_net, revert);

	mutex_lock(&edge->commit_mutex);
	if (time_after_eq(jiffies, edge->deadline) && !edge_config_revert(edge))
		edge_events_by_itself(edge, NF_EDGE_CMD_REVERT);
	mutex_unlock(&edge->commit_mutex);
}

/* What has ended is not what anybody wants back: no change for edge_config_undo(). */
static int drop_ended_blocks(struct edge_net *edge)
{
	struct edge_policy *policy, *old = in_force(edge);
	struct edge_blocks *left;
	bool awaited;
	int err;

	left = edge_blocks_left(old->blocks, ktime_get_real_seconds());
	if (IS_ERR(left))
		return PTR_ERR(left);
	if (left == old->blocks) {
		edge_blocks_put(left);
		return 0;
	}
	policy = edge_config_edit(edge, 0, 0);
	if (!policy) {
		edge_blocks_put(left);
		return -ENOMEM;
	}
	edge_config_set_blocks(policy, left);
	edge_policy_index(policy);
	awaited = edge->generation == edge->awaited;
	err = publish(edge, policy, 0, NULL);
	if (err) {
		edge_config_discard(edge, 0, policy);
		return err;
	}
	if (awaited)
		edge->awaited = edge->generation;
	retire(edge, old);
	return 1;
}

static void blocks_end(struct work_struct *work)
{
	struct edge_net *edge = container_of(to_delayed_work(work), struct edge_net, expiry);
	int done;

	mutex_lock(&edge->commit_mutex);
	done = drop_ended_blocks(edge);
	if (done > 0)
		edge_events_by_itself(edge, NF_EDGE_CMD_BLOCK_DEL);
	else if (done < 0)	/* without memory they stay: fail closed, and try again */
		mod_delayed_work(system_long_wq, &edge->expiry, HZ);
	else
		await_end_of_blocks(edge);
	mutex_unlock(&edge->commit_mutex);
}

bool edge_config_abort(struct edge_net *edge, u32 portid)
{
	struct transaction *transaction = transaction_of(edge, portid);

	if (!transaction)
		return false;
	xa_erase(&edge->transactions, portid);
	transaction_free(transaction);
	return true;
}
