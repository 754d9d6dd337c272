// SPDX-License-Identifier: GPL-2.0-only
#include "counters.h"

#include <linux/netdevice.h>

int edge_counters_init(struct edge_counters *counters)
{
	counters->cpu = __netdev_alloc_pcpu_stats(struct edge_counters_cpu, EDGE_GFP);
	return counters->cpu ? 0 : -ENOMEM;
}

void edge_counters_free(struct edge_counters *counters)
{
	free_percpu(counters->cpu);
}

static struct edge_tally fold(const struct edge_counters *counters, u32 slot)
{
	struct edge_tally sum = { 0 };
	int i;

	for_each_possible_cpu(i) {
		const struct edge_counters_cpu *cpu = per_cpu_ptr(counters->cpu, i);
		struct edge_tally one;
		unsigned int start;

		do {
			start = u64_stats_fetch_begin(&cpu->syncp);
			one.packets = u64_stats_read(&cpu->slots[slot].packets);
			one.bytes = u64_stats_read(&cpu->slots[slot].bytes);
			one.flows = u64_stats_read(&cpu->slots[slot].flows);
		} while (u64_stats_fetch_retry(&cpu->syncp, start));
		sum.packets += one.packets;
		sum.bytes += one.bytes;
		sum.flows += one.flows;
	}
	return sum;
}

struct edge_tally edge_counters_read(const struct edge_counters *counters, u32 slot)
{
	const struct edge_tally *from = &counters->base[slot];
	/* the base first: what is folded afterwards can only be more */
	const struct edge_tally base = {
		READ_ONCE(from->packets), READ_ONCE(from->bytes), READ_ONCE(from->flows)
	};
	struct edge_tally tally;

	smp_rmb();	/* pairs with edge_counters_reset() */
	tally = fold(counters, slot);

	tally.packets -= base.packets;
	tally.bytes -= base.bytes;
	tally.flows -= base.flows;
	return tally;
}

void edge_counters_reset(struct edge_counters *counters)
{
	u32 slot;

	for (slot = 0; slot < EDGE_SLOT_COUNT; slot++) {
		const struct edge_tally now = fold(counters, slot);

		smp_wmb();	/* whoever sees the new base sees at least as much counted */
		WRITE_ONCE(counters->base[slot].packets, now.packets);
		WRITE_ONCE(counters->base[slot].bytes, now.bytes);
		WRITE_ONCE(counters->base[slot].flows, now.flows);
	}
}
