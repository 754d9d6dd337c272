/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A namespace's configuration: changed under one lock, published by one RCU
 * pointer. A change is checked and prepared whole, then put in force by what
 * cannot fail.
 */
#ifndef _EDGE_CONFIG_H
#define _EDGE_CONFIG_H

#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "counters.h"
#include "policy.h"

#define EDGE_GATES	5	/* functions that netfilter calls, see hook.c */

#define EDGE_CONFIG_NO_MEMORY	"no memory is left, or the control group may have no more"

struct edge_sysfs_dir;

/**
 * struct edge_told - how many drops of a reason were told; see events.c
 * @since: jiffies: when the second began that is counted
 * @told: in it
 * @left_out: since the last one that was told
 */
struct edge_told {
	unsigned long since;
	atomic_t told;
	atomic_t left_out;
};

/**
 * struct edge_net - what the module keeps for a network namespace
 * @net: the namespace
 * @policy: the policy in force; never NULL; readers under RCU
 * @counters: never lost by a change of the policy
 * @lock: serialises every change, listing and transaction
 * @generation: moves with every change of @policy; never 0
 * @changed: boot time of the last change, seconds
 * @gates: the hooks, which netfilter hands this namespace back
 * @hooked: they are registered
 * @previous: the policy that comes back unless the one in force is confirmed, or NULL
 * @deadline: when it comes back, jiffies
 * @revert: brings it back
 * @transactions: staged policies, one a socket
 * @sysfs: the directories policy, rules and drops of its sysfs tree
 * @unheard: jiffies: when nobody listened to drops; packets' own, without the lock, as is
 * @told: of each reason
 */
struct edge_net {
	struct net *net;
	struct edge_policy __rcu *policy;
	struct edge_counters counters;
	struct mutex lock;	/* of all but what packets read */
	u32 generation;
	time64_t changed;
	struct nf_hook_ops gates[EDGE_GATES];
	bool hooked;
	struct edge_policy *previous;
	unsigned long deadline;
	struct delayed_work revert;
	struct list_head transactions;
	struct edge_sysfs_dir *sysfs[3];
	unsigned long unheard;
	struct edge_told told[NF_EDGE_REASON_COUNT];
};

extern unsigned int edge_net_id;

static inline struct edge_net *edge_net(const struct net *net)
{
	return net_generic(net, edge_net_id);
}

/* 0 or -ENOMEM. The policy starts empty, with every default. */
int edge_config_init(struct edge_net *edge);

/*
 * Unregisters the hooks; no policy comes back any more. Nobody may change the policy meanwhile, and
 * an RCU grace period must pass before edge_config_free().
 */
void edge_config_stop(struct edge_net *edge);
void edge_config_free(struct edge_net *edge);

/* The policy in force. Lock held. */
const struct edge_policy *edge_config_policy(const struct edge_net *edge);

/**
 * edge_config_edit - a private copy of the policy that a socket changes
 * @edge: the namespace, lock held
 * @portid: the socket; with an open transaction its staged policy is copied
 * @room: interfaces to leave room for
 *
 * Put it in force by edge_config_apply() or throw it away by
 * edge_config_discard(). The partner table is shared, not copied.
 *
 * Return: the copy, or NULL without memory.
 */
struct edge_policy *edge_config_edit(struct edge_net *edge, u32 portid, u32 room);
void edge_config_discard(struct edge_net *edge, u32 portid, struct edge_policy *policy);

/**
 * edge_config_apply - puts an edited policy in force, or stages it
 * @edge: the namespace, lock held
 * @portid: the socket whose policy was edited
 * @policy: from edge_config_edit(); consumed, whatever is returned
 * @extack: takes the sentence of a refusal
 *
 * A policy that says what the present one says is no change: no new generation.
 *
 * Context: may sleep; waits for a grace period when the partner table changed.
 * Return: 0, or the error of registering hooks, nothing changed then.
 */
int edge_config_apply(struct edge_net *edge, u32 portid, struct edge_policy *policy,
		      struct netlink_ext_ack *extack);

/* The partner table that the socket changes in place. Lock held. */
struct edge_prefixes *edge_config_partners(struct edge_net *edge, u32 portid);

/* To be called after the table of edge_config_partners() was changed. */
void edge_config_partners_changed(struct edge_net *edge, u32 portid);

/* Edits of a private copy. -EEXIST, -ENOENT, -EBUSY (another device), -ENOSPC. */
int edge_config_interface_add(struct edge_policy *policy, u8 role, u8 family,
			      const union nf_inet_addr *addr, const char *dev);
int edge_config_interface_del(struct edge_policy *policy, u8 role, u8 family,
			      const union nf_inet_addr *addr);
/* Takes the roles (mask) from every address. */
void edge_config_interface_flush(struct edge_policy *policy, u8 roles);

/* (Role, address) pairs of a policy. */
u32 edge_config_interface_pairs(const struct edge_policy *policy);

/* Transactions, lock held. begin: 0 or -ENOMEM. */
int edge_config_begin(struct edge_net *edge, u32 portid);

/**
 * edge_config_commit - puts a staged policy in force
 * @edge: the namespace, lock held
 * @portid: the socket whose transaction it is; it ends if 0 is returned
 * @seconds: the policy before comes back after so many, unless edge_config_confirm() is called
 *	before; 0: it does not
 * @extack: takes the sentence of a refusal
 *
 * What says what is in force already is no change here, too, and nothing to confirm.
 *
 * Context: may sleep; waits for a grace period.
 * Return: 0, -ENOENT without transaction, -EBUSY while another one waits for its confirmation,
 * -ENOMEM, or as edge_config_apply().
 */
int edge_config_commit(struct edge_net *edge, u32 portid, u32 seconds,
		       struct netlink_ext_ack *extack);

/*
 * The policy in force stays, or the one before comes back with all that has been changed since.
 * Lock held, both wait for a grace period. 0, or -ENOENT when nothing waits for a confirmation;
 * nothing else can fail.
 */
int edge_config_confirm(struct edge_net *edge);
int edge_config_revert(struct edge_net *edge);

/* Seconds that are left to confirm the policy in force, below 0: nothing waits. Lock held. */
int edge_config_seconds_left(const struct edge_net *edge);

/* Whether there was one. */
bool edge_config_abort(struct edge_net *edge, u32 portid);

#endif /* _EDGE_CONFIG_H */
