// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures whatever firewall is registered. One packet buffer is filled again and again, so that
 * all that differs between two runs is what the hooks do.
 */
#include "bench.h"

#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>

#define BYTES_MAX	(256U << 20)
#define SIZE_MAX_BYTES	1500U
#define COLD_MAX	(1U << 30)
#define IN_A_ROW	256	/* packets between two chances for others */

struct bench {
	struct net *net;
	u32 flags;	/* BENCH_*, what has been switched on */
};

struct lane {
	struct net *net;
	struct net_device *in;
	struct net_device *out;
	struct sk_buff *skb;
	u8 *other;
	u8 family;
};

static unsigned int nothing(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

static const struct nf_hook_ops empty[] = {
	{ .hook = nothing, .pf = NFPROTO_INET, .hooknum = NF_INET_PRE_ROUTING, .priority = NF_IP_PRI_RAW },
	{ .hook = nothing, .pf = NFPROTO_INET, .hooknum = NF_INET_FORWARD, .priority = NF_IP_PRI_FILTER },
};

static int end_of_path(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	return 0;
}

static bool passes(const struct lane *lane, unsigned int hook)
{
	struct net_device *in = hook == NF_INET_POST_ROUTING ? NULL : lane->in;
	struct net_device *out = hook == NF_INET_PRE_ROUTING ? NULL : lane->out;

	return nf_hook(lane->family, hook, lane->net, NULL, lane->skb, in, out, end_of_path) == 1;
}

/* A drop frees a reference: there is one more. */
static void send(const struct lane *lane, const u8 *packet, struct bench_run *run)
{
	struct sk_buff *skb = skb_get(lane->skb);
	bool through;

	memcpy(skb->data, packet, run->size);
	through = passes(lane, NF_INET_PRE_ROUTING) && passes(lane, NF_INET_FORWARD) &&
		  (!(run->flags & BENCH_CONFIRM) || passes(lane, NF_INET_POST_ROUTING));
	run->accepted += through;
	run->tracked += !!skb_nfct(skb);
	nf_reset_ct(skb);
	if (through)
		consume_skb(skb);
}

/* As from one poll of a device; interrupts wait, so that none is counted. */
static void burst(const struct lane *lane, const u8 *packets, u32 n, struct bench_run *run)
{
	unsigned long flags;
	u64 from;

	local_bh_disable();
	rcu_read_lock();
	local_irq_save(flags);
	from = ktime_get_ns();
	for (; n; n--, packets += run->size)
		send(lane, packets, run);
	run->ns += ktime_get_ns() - from;
	local_irq_restore(flags);
	rcu_read_unlock();
	local_bh_enable();
}

/* What was in the caches is so no more. */
static void chill(const u8 *other, u32 size)
{
	u32 at;

	for (at = 0; at < size; at += SMP_CACHE_BYTES)
		READ_ONCE(other[at]);
}

static int measure(const struct lane *lane, const u8 *packets, struct bench_run *run)
{
	u32 in_a_row = run->cold ? 1 : IN_A_ROW;
	u32 round, i, n;

	run->ns = 0;
	run->accepted = 0;
	run->tracked = 0;
	for (round = 0; round < run->rounds; round++) {
		for (i = 0; i < run->count; i += n) {
			n = min(in_a_row, run->count - i);
			chill(lane->other, run->cold);
			burst(lane, packets + (size_t)i * run->size, n, run);
			if (signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	}
	return 0;
}

static struct sk_buff *buffer(struct net_device *in, const u8 *packet, u32 size)
{
	struct sk_buff *skb = alloc_skb(NET_SKB_PAD + size, GFP_KERNEL);
	bool ipv6 = packet[0] >> 4 == 6;

	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD);
	skb_put(skb, size);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, ipv6 ? 40 : 20);
	skb->protocol = htons(ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	skb->pkt_type = PACKET_HOST;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->dev = in;
	return skb;
}

/* Switches on what the run needs and is not there yet. */
static int provide(struct bench *bench, u32 flags)
{
	u32 more = flags & ~bench->flags;
	int err;

	if (more & BENCH_TRACK) {
		err = nf_ct_netns_get(bench->net, NFPROTO_INET);
		if (err)
			return err;
		bench->flags |= BENCH_TRACK;
	}
	if (more & BENCH_EMPTY) {
		err = nf_register_net_hooks(bench->net, empty, ARRAY_SIZE(empty));
		if (err)
			return err;
		bench->flags |= BENCH_EMPTY;
	}
	return 0;
}

static int run_in(struct bench *bench, const u8 *packets, struct bench_run *run)
{
	struct lane lane = { .net = bench->net };
	int err = -ENODEV;

	lane.in = dev_get_by_index(bench->net, run->in);
	lane.out = dev_get_by_index(bench->net, run->out);
	if (lane.in && lane.out) {
		lane.family = packets[0] >> 4 == 6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
		lane.skb = buffer(lane.in, packets, run->size);
		lane.other = vzalloc(run->cold + 1);
		err = lane.skb && lane.other ? measure(&lane, packets, run) : -ENOMEM;
		vfree(lane.other);
		consume_skb(lane.skb);
	}
	dev_put(lane.in);
	dev_put(lane.out);
	return err;
}

static long bench_ioctl(struct file *file, unsigned int command, unsigned long address)
{
	void __user *user = (void __user *)address;
	struct bench *bench = file->private_data;
	struct bench_run run;
	u8 *packets;
	int err;

	if (command != BENCH_RUN)
		return -ENOTTY;
	if (copy_from_user(&run, user, sizeof(run)))
		return -EFAULT;
	if (!run.count || run.size < sizeof(struct iphdr) || run.size > SIZE_MAX_BYTES ||
	    run.count > BYTES_MAX / run.size || run.cold > COLD_MAX || run.reserved)
		return -EINVAL;
	err = provide(bench, run.flags);
	if (err)
		return err;

	packets = vmalloc(array_size(run.count, run.size));
	if (!packets)
		return -ENOMEM;
	err = -EFAULT;
	if (!copy_from_user(packets, u64_to_user_ptr(run.packets), array_size(run.count, run.size)))
		err = run_in(bench, packets, &run);
	vfree(packets);
	if (!err && copy_to_user(user, &run, sizeof(run)))
		err = -EFAULT;
	return err;
}

static int bench_open(struct inode *inode, struct file *file)
{
	struct bench *bench = kzalloc(sizeof(*bench), GFP_KERNEL);

	if (!bench)
		return -ENOMEM;
	bench->net = get_net(current->nsproxy->net_ns);
	file->private_data = bench;
	return 0;
}

static int bench_release(struct inode *inode, struct file *file)
{
	struct bench *bench = file->private_data;

	if (bench->flags & BENCH_EMPTY)
		nf_unregister_net_hooks(bench->net, empty, ARRAY_SIZE(empty));
	if (bench->flags & BENCH_TRACK)
		nf_ct_netns_put(bench->net, NFPROTO_INET);
	put_net(bench->net);
	kfree(bench);
	return 0;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice bench_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "nf_edge_bench",
	.fops = &bench_fops,
	.mode = 0600,
};

module_misc_device(bench_device);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Measures the netfilter hooks of a network namespace");
