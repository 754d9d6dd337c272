/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each CPU remembers of the addresses of partners that it met lately, in memory of its own:
 * the groups that a look-up found, good while the partner table does not change, that a block list
 * does not have them, and packets that the table has not been told of.
 */
#ifndef _EDGE_MEMO_H
#define _EDGE_MEMO_H

#include <linux/percpu.h>
#include <linux/preempt.h>

#include "edge.h"

#define EDGE_MEMO_BITS	9	/* of how many addresses */

/**
 * struct edge_memo - an address that was met, and is some partner's
 * @addr: network byte order
 * @until: when the table is to be told, jiffies
 * @unblocked: the number of a block list that does not cover it, or 0
 * @second: when it was met, since boot
 * @packets: those that the table has not been told of
 * @version: of the table, when @groups were looked up
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6; NFPROTO_UNSPEC: none was met
 * @groups: mask of 1 << enum nf_edge_group
 * @admitting: those for which @packets were admitted
 */
struct edge_memo {
	union nf_inet_addr addr;
	unsigned long until;
	u64 unblocked;
	u32 second;
	u32 packets;
	u32 version;
	u8 family;
	u8 groups;
	u8 admitting;
};

struct edge_memos {
	struct edge_memo of[1 << EDGE_MEMO_BITS];
};

/*
 * Softirqs have the CPU to themselves, nearly every packet is judged in one, and who is not, does
 * without. With PREEMPT_RT they may take turns.
 */
static __always_inline bool edge_memo_usable(void)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) && in_softirq();
}

/* Where this CPU remembers an address, if it does. */
static __always_inline struct edge_memo *edge_memo_at(struct edge_memos __percpu *memos, u8 family,
						      const union nf_inet_addr *addr)
{
	return &this_cpu_ptr(memos)->of[edge_address_hash(family, addr, EDGE_MEMO_BITS)];
}

static __always_inline bool edge_memo_is(const struct edge_memo *memo, u8 family,
					 const union nf_inet_addr *addr)
{
	return memo->family == family && edge_address_equal(family, &memo->addr, addr);
}

#endif /* _EDGE_MEMO_H */
