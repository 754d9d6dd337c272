/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A namespace's configuration: changed under one mutex, published by one RCU
 * pointer. A change is checked and prepared whole, then put in force by what
 * cannot fail.
 */
#ifndef _EDGE_CONFIG_H
#define _EDGE_CONFIG_H

#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
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
 * struct edge_before - the policy before the last change
 * @policy: the policy; its partner table may be that of the one in force. Or NULL
 * @partners: or what takes back a change of the partner table in place
 */
struct edge_before {
	struct edge_policy *policy;
	struct edge_prefix_inverse partners;
};

/**
 * struct edge_net - what the module keeps for a network namespace
 * @net: the namespace
 * @policy: the policy in force; never NULL; readers under RCU
 * @published: the RCU state when @policy was replaced last; under @commit_mutex
 * @counters: never lost by a change of the policy
 * @commit_mutex: one change at a time, for as long as it takes: with a million partners, a second.
 *	Only those who may change the namespace's policy wait for it, and not for long
 * @lock: what must be seen at once is read and written under it: @policy, @generation, @changed,
 *	@previous, @deadline. Never held for longer than that. Nests in @commit_mutex, which
 *	each change of these holds, too
 * @generation: moves with every change of @policy; never 0
 * @sequence: moves before and after each change that a listing may meet; odd in between
 * @changed: boot time of the last change, seconds
 * @changed_at: and by the clock as it was then, seconds since 1970
 * @gates: the hooks, which netfilter hands this namespace back
 * @hooked: they are registered
 * @previous: the policy that comes back unless the one in force is confirmed, or NULL
 * @deadline: when it comes back, jiffies
 * @revert: brings it back
 * @awaited: the generation that waits for its confirmation
 * @before: what is brought back on request; under @commit_mutex. Nothing while @previous is there
 * @expiry: takes away the blocks that have ended
 * @transactions: staged policies by the port id of their socket, which alone makes requests for its
 *	own; looked up without a lock
 * @recall: one listing at a time asks the CPUs what they remember; others do without
 * @sysfs: the directories policy, rules and drops of its sysfs tree
 * @unheard: jiffies: when nobody listened to drops; packets' own, without the lock, as is
 * @told: of each reason
 */
struct edge_net {
	struct net *net;
	struct edge_policy __rcu *policy;
	unsigned long published;
	struct edge_counters counters;
	struct mutex commit_mutex;	/* serialises changes */
	struct mutex lock;		/* what status tells is of one moment */
	u32 generation;
	u32 sequence;
	time64_t changed;
	time64_t changed_at;
	struct nf_hook_ops gates[EDGE_GATES];
	bool hooked;
	struct edge_policy *previous;
	unsigned long deadline;
	struct delayed_work revert;
	u32 awaited;
	struct edge_before before;
	struct delayed_work expiry;
	struct xarray transactions;
	struct mutex recall;		/* memos of CPUs that are off */
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

/* The policy in force. Either mutex held. */
const struct edge_policy *edge_config_policy(const struct edge_net *edge);

/**
 * edge_config_edit - a private copy of the policy that a socket changes
 * @edge: the namespace, commit mutex held
 * @portid: the socket; with an open transaction its staged policy is copied
 * @room: interfaces to leave room for
 *
 * Put it in force by edge_config_apply() or throw it away by
 * edge_config_discard(). The partner table is shared, not copied, as is the block list: put another
 * one in its place by edge_config_set_blocks().
 *
 * Return: the copy, or NULL without memory.
 */
struct edge_policy *edge_config_edit(struct edge_net *edge, u32 portid, u32 room);
void edge_config_discard(struct edge_net *edge, u32 portid, struct edge_policy *policy);

/**
 * edge_config_apply - puts an edited policy in force, or stages it
 * @edge: the namespace, commit mutex held
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

/* The policy, from edge_config_edit(), has another block list, which is its own from now on. */
void edge_config_set_blocks(struct edge_policy *policy, struct edge_blocks *blocks);

/*
 * The partner table that the socket changes in place. Commit mutex held. May sleep, until no packet
 * is judged any more by a policy that has just been replaced.
 */
struct edge_prefixes *edge_config_partners_begin(struct edge_net *edge, u32 portid);

/* Whether what takes back the socket's change of the table is kept. Commit mutex held. */
bool edge_config_can_undo(struct edge_net *edge, u32 portid);

/**
 * edge_config_partners_end - the end of what edge_config_partners_begin() began
 * @edge: the namespace, commit mutex held
 * @portid: as there
 * @changed: the table says something else than before
 * @inverse: takes that back, or has nothing; consumed
 */
void edge_config_partners_end(struct edge_net *edge, u32 portid, bool changed,
			      const struct edge_prefix_inverse *inverse);

/**
 * edge_config_listing_begin - whether listings meet a change
 * @edge: the namespace
 *
 * Context: any; no lock.
 * Return: what edge_config_listing_met() compares.
 */
static inline u32 edge_config_listing_begin(const struct edge_net *edge)
{
	return smp_load_acquire(&edge->sequence);	/* before what is listed is read */
}

/* Whether what was read since then may be of no one moment. */
static inline bool edge_config_listing_met(const struct edge_net *edge, u32 sequence)
{
	smp_rmb();	/* after what is listed was read */
	return sequence & 1 || READ_ONCE(edge->sequence) != sequence;
}

/*
 * Each CPU tells the table in force which partners it has met, unless they are being asked. May
 * sleep.
 */
void edge_config_recall(struct edge_net *edge);

/* Edits of a private copy. -EEXIST, -ENOENT, -EBUSY (another device), -ENOSPC. */
int edge_config_interface_add(struct edge_policy *policy, u8 role, u8 family,
			      const union nf_inet_addr *addr, const char *dev);
int edge_config_interface_del(struct edge_policy *policy, u8 role, u8 family,
			      const union nf_inet_addr *addr);
/* Takes the roles (mask) from every address. */
void edge_config_interface_flush(struct edge_policy *policy, u8 roles);

/* (Role, address) pairs of a policy. */
u32 edge_config_interface_pairs(const struct edge_policy *policy);

/*
 * Transactions, commit mutex held. begin: 0, -ENOMEM, or -EINTR when the caller is to be killed.
 * copy: it starts out as the policy in force.
 */
int edge_config_begin(struct edge_net *edge, u32 portid, bool copy);

/* The socket's staged policy, its partners settled; ERR_PTR(-ENOENT) without one. As above. */
const struct edge_policy *edge_config_staged(struct edge_net *edge, u32 portid);

/**
 * edge_config_commit - puts a staged policy in force
 * @edge: the namespace, commit mutex held
 * @portid: the socket whose transaction it is; it ends if 0 is returned
 * @seconds: the policy before comes back after so many, unless edge_config_confirm() is called
 *	before; 0: it does not
 * @open: the last Edge address may go
 * @extack: takes the sentence of a refusal
 *
 * What says what is in force already is no change here, too, and nothing to confirm.
 *
 * Context: may sleep; waits for a grace period.
 * Return: 0, -ENOENT without transaction, -EBUSY while another one waits for its confirmation,
 * -EPERM for want of @open, -ENOMEM, -EINTR when the caller is to be killed, or as
 * edge_config_apply().
 */
int edge_config_commit(struct edge_net *edge, u32 portid, u32 seconds, bool open,
		       struct netlink_ext_ack *extack);

/*
 * The policy in force stays, or the one before comes back with all that has been changed since.
 * Commit mutex held, both wait for a grace period. 0, or -ENOENT when nothing waits for a
 * confirmation; nothing else can fail.
 */
int edge_config_confirm(struct edge_net *edge);
int edge_config_revert(struct edge_net *edge);

/*
 * The policy before the last change comes back, and undoing that brings the change back; one that
 * waits for its confirmation is reverted. In a transaction that becomes the staged policy. open: as
 * for edge_config_commit(). Commit mutex held, may sleep. 0, -ENOENT when there is none, -EPERM for
 * want of open, or as edge_config_apply().
 */
int edge_config_undo(struct edge_net *edge, u32 portid, bool open, struct netlink_ext_ack *extack);

/* Seconds left to confirm the policy in force, below 0: nothing waits. Either mutex held. */
int edge_config_seconds_left(const struct edge_net *edge);

/*
 * Whether there was one. Called by the socket's own requests, commit mutex held, or when it is
 * closed, and has none: without a lock then.
 */
bool edge_config_abort(struct edge_net *edge, u32 portid);

#endif /* _EDGE_CONFIG_H */
