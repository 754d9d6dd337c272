/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract of /dev/nf_edge_bench: how many nanoseconds the hooks take that are registered in
 * the caller's network namespace, whoever registered them. bench.py speaks it.
 */
#ifndef _NF_EDGE_BENCH_H
#define _NF_EDGE_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct bench_run - packets through PRE_ROUTING and FORWARD, and what that took
 * @packets: address of @count packets, each of @size bytes from its network header on
 * @count: how many
 * @size: bytes of each
 * @rounds: how often all of them are sent
 * @in: index of the device that they enter by
 * @out: index of the device that they leave by
 * @flags: BENCH_*
 * @cold: bytes of other memory that are read before each packet, outside of @ns; up to 1 GiB
 * @reserved: 0
 * @ns: out: nanoseconds that all rounds took
 * @accepted: out: packets that the hooks let through
 * @tracked: out: packets that connection tracking made or found an entry for
 *
 * What flags ask for stays until the file is closed.
 */
struct bench_run {
	__u64 packets;
	__u32 count;
	__u32 size;
	__u32 rounds;
	__u32 in;
	__u32 out;
	__u32 flags;
	__u32 cold;
	__u32 reserved;
	__u64 ns;
	__u64 accepted;
	__u64 tracked;
};

#define BENCH_TRACK	1U	/* connection tracking is on, whether or not a firewall needs it */
#define BENCH_EMPTY	2U	/* two hooks that do nothing: the floor */
#define BENCH_CONFIRM	4U	/* through POST_ROUTING, too: connections are known afterwards */

#define BENCH_RUN	_IOWR('e', 1, struct bench_run)

#endif /* _NF_EDGE_BENCH_H */
