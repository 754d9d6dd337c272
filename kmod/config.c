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

/* No reader may see it any more. */
static void policy_free(struct edge_policy *policy)
{
	edge_prefix_table_free(policy->partners);
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
	RCU_INIT_POINTER(edge->policy, policy);
	edge->generation = 1;
	edge->sequence = 2;
	edge->changed = ktime_get_boottime_seconds();
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
	cancel_delayed_work_sync(&edge->revert);	/* it takes the mutex */
	mutex_lock(&edge->commit_mutex);
	unhook(edge);
	mutex_unlock(&edge->commit_mutex);
}

static void transaction_free(struct transaction *transaction)
{
	policy_free(transaction->staged);
	kfree(transaction);
}

void edge_config_free(struct edge_net *edge)
{
	struct transaction *transaction;
	unsigned long portid;

	xa_for_each(&edge->transactions, portid, transaction)
		transaction_free(transaction);
	xa_destroy(&edge->transactions);
	if (edge->previous)
		policy_free(edge->previous);
	policy_free(rcu_dereference_protected(edge->policy, true));
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
 * For a policy whose hooks are registered. The one that was in force is the caller's now, or, where
 * the new one is to be confirmed within so many seconds, kept. It may be the one that was kept.
 */
static void put_in_force(struct edge_net *edge, struct edge_policy *policy, u32 seconds)
{
	struct edge_policy *old = in_force(edge);

	mutex_lock(&edge->lock);
	sequence_begin(edge);
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
	mutex_unlock(&edge->lock);
	unhook_unneeded(edge);
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

/* Frees what was in force before, when nobody sees it any more. */
static void retire(struct edge_net *edge, struct edge_policy *old)
{
	if (old->partners == in_force(edge)->partners) {
		kvfree_rcu(old, rcu);
	} else {
		synchronize_rcu();
		policy_free(old);
	}
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

	if (policy)
		memcpy(policy, from, struct_size(from, interfaces, from->interface_count));
	return policy;
}

void edge_config_discard(struct edge_net *edge, u32 portid, struct edge_policy *policy)
{
	if (policy->partners != target(edge, portid)->partners)
		edge_prefix_table_free(policy->partners);
	kvfree(policy);
}

/* Whether two indexed policies say the same of all but the partners. */
static bool is_same(const struct edge_policy *a, const struct edge_policy *b)
{
	const size_t from = offsetof(struct edge_policy, mode);
	const size_t to = offsetof(struct edge_policy, interfaces);	/* sizeof may be more */

	return a->interface_count == b->interface_count &&
	       !memcmp((const u8 *)a + from, (const u8 *)b + from, to - from) &&
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
		kvfree(policy);
		return 0;
	}
	if (transaction) {
		if (transaction->staged->partners != policy->partners)
			edge_prefix_table_free(transaction->staged->partners);
		kvfree(transaction->staged);
		transaction->staged = policy;
		return 0;
	}
	err = publish(edge, policy, 0, extack);
	if (err)
		edge_config_discard(edge, portid, policy);
	else
		retire(edge, old);
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

void edge_config_partners_end(struct edge_net *edge, u32 portid, bool changed)
{
	if (transaction_of(edge, portid))
		return;
	sequence_end(edge);
	if (!changed)
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

int edge_config_begin(struct edge_net *edge, u32 portid)
{
	struct transaction *transaction = kzalloc(sizeof(*transaction), EDGE_GFP), *old;

	if (!transaction)
		return -ENOMEM;
	transaction->staged = policy_new(edge_prefix_table_staged());
	if (!transaction->staged) {
		kfree(transaction);
		return -ENOMEM;
	}
	old = xa_store(&edge->transactions, portid, transaction, EDGE_GFP);
	if (xa_is_err(old)) {
		transaction_free(transaction);
		return xa_err(old);
	}
	if (old)
		transaction_free(old);
	return 0;
}

int edge_config_commit(struct edge_net *edge, u32 portid, u32 seconds,
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
	if (seconds)	/* the table may be large, and takes long to free */
		queue_delayed_work(system_long_wq, &edge->revert, seconds * HZ);
	else
		retire(edge, old);
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
	retire(edge, old);
	return 0;
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
		edge_events_reverted(edge);
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
