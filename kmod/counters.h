/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters: per CPU, one slot for every row and every reason, folded on read.
 */
#ifndef _EDGE_COUNTERS_H
#define _EDGE_COUNTERS_H

#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/u64_stats_sync.h>

#include "edge.h"

#define EDGE_SLOT_COUNT (NF_EDGE_ROW_COUNT + NF_EDGE_REASON_COUNT)

static inline u32 edge_slot_of_row(enum nf_edge_row row)
{
	return row;
}

static inline u32 edge_slot_of_reason(enum nf_edge_reason reason)
{
	return NF_EDGE_ROW_COUNT + reason;
}

/* A reading: packets as the hook is handed them, bytes of network-layer length. */
struct edge_tally {
	u64 packets;
	u64 bytes;
	u64 flows;
};

struct edge_counters_slot {
	u64_stats_t packets;
	u64_stats_t bytes;
	u64_stats_t flows;
};

struct edge_counters_cpu {
	struct edge_counters_slot slots[EDGE_SLOT_COUNT];
	struct u64_stats_sync syncp;
};

/**
 * struct edge_counters - the counters of a namespace
 * @cpu: what each CPU counted since the beginning
 * @base: what had been counted at the last reset; the caller's lock
 */
struct edge_counters {
	struct edge_counters_cpu __percpu *cpu;
	struct edge_tally base[EDGE_SLOT_COUNT];
};

/* 0 or -ENOMEM. May sleep. */
int edge_counters_init(struct edge_counters *counters);
void edge_counters_free(struct edge_counters *counters);

/* Counts one packet of @bytes and @flows openings. Any context but hard interrupts. */
static __always_inline void edge_counters_add(struct edge_counters *counters, u32 slot, u32 bytes,
					      u32 flows)
{
	struct edge_counters_slot *counted;
	bool interruptible = !in_softirq();	/* a local sender, by a softirq that counts */
	struct edge_counters_cpu *cpu;

	if (interruptible)
		local_bh_disable();
	cpu = this_cpu_ptr(counters->cpu);
	u64_stats_update_begin(&cpu->syncp);
	counted = &cpu->slots[slot];
	u64_stats_inc(&counted->packets);
	u64_stats_add(&counted->bytes, bytes);
	if (!__builtin_constant_p(flows) || flows)	/* none of a drop's */
		u64_stats_add(&counted->flows, flows);
	u64_stats_update_end(&cpu->syncp);
	if (interruptible)
		local_bh_enable();
}

/* What was counted since the last reset. */
struct edge_tally edge_counters_read(const struct edge_counters *counters, u32 slot);

/* Counts from zero again, without touching what other CPUs write. Lock held. */
void edge_counters_reset(struct edge_counters *counters);

#endif /* _EDGE_COUNTERS_H */
