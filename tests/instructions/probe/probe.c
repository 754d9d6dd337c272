// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts, in nanoseconds of the kernel's clock, what a process and the works of nf_edge take in the
 * kernel, and the longest stretches of that without a point of rest and with a namespace's mutex held.
 * For one CPU: with -icount a nanosecond is an instruction. A point of rest is cond_resched(), a
 * schedule, or the way out of the kernel. Soft interrupts count for nobody.
 *
 *   echo start >/dev/nf_edge_probe    the writer and its children are watched, in its network namespace
 *   cat /dev/nf_edge_probe            what was found until now: lines of SIDE|WHAT|NUMBER[|FROM|TO]
 *
 *   insmod nf_edge_probe.ko edge_net_id_at=ADDRESS [profile=1]    the address: of /proc/kallsyms
 */
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <asm/irq_regs.h>

#include "config.h"

#define TASKS		64
#define SAMPLES		8192
#define SAMPLE_NS	50000
#define LOOPS		1000

static unsigned long edge_net_id_at;
module_param(edge_net_id_at, ulong, 0400);

static bool profile;
module_param(profile, bool, 0400);

unsigned int edge_net_id;	/* for edge_net() */

enum mutex_kind { LOCK, COMMIT, MUTEXES };
enum side { CLIENT, WORKS, SIDES };
enum stretch { REST, HELD_LOCK, HELD_COMMIT, STRETCHES };

/* A mutex that a task has: since when, and how long before it was last switched away. */
struct held {
	bool is;
	u64 since;
	u64 before;
	unsigned long from;
};

struct watched {
	struct task_struct *task;
	enum side side;
	u32 depth;		/* in the kernel, so many times */
	u64 start;		/* of the stretch */
	unsigned long from;
	u64 since;		/* of what the total lacks */
	struct held held[MUTEXES];
};

struct longest {
	u64 ns;
	unsigned long from;
	unsigned long to;
	u32 samples;
	unsigned long sample[256];
};

static struct watched watched[TASKS];
static struct longest longest[SIDES][STRETCHES];
static u64 total[SIDES], hits;
static u64 soft, soft_since, each_probe;
static struct edge_net *edge;
static pid_t client;

static struct { u64 at; unsigned long ip; } sample[SAMPLES];
static u32 sampled;
static struct hrtimer sampler;

/* Time without soft interrupts, one of which may come while we ask. */
static u64 now(void)
{
	u64 ns, before;

	do {
		before = READ_ONCE(soft);
		ns = READ_ONCE(soft_since) ?: ktime_get_ns();
	} while (READ_ONCE(soft) != before);
	return ns - before;
}

static struct watched *find(const struct task_struct *task)
{
	u32 i;

	for (i = 0; i < TASKS; i++)
		if (watched[i].task == task)
			return &watched[i];
	return NULL;
}

static void note(struct watched *at, enum stretch stretch, u64 ns, u64 since, unsigned long from,
		 unsigned long to)
{
	struct longest *most = &longest[at->side][stretch];
	u32 i;

	if (ns <= most->ns)
		return;
	most->ns = ns;
	most->from = from;
	most->to = to;
	most->samples = 0;
	for (i = sampled > SAMPLES ? sampled - SAMPLES : 0; i < sampled; i++)
		if (sample[i % SAMPLES].at >= since && most->samples < ARRAY_SIZE(most->sample))
			most->sample[most->samples++] = sample[i % SAMPLES].ip;
}

static void begin(struct task_struct *task, enum side side, unsigned long from)
{
	struct watched *at = find(task) ?: find(NULL);

	if (!edge || !at)
		return;
	if (!at->task)
		*at = (struct watched){ .task = task, .side = side };
	if (at->depth++)
		return;
	at->from = from;
	at->start = at->since = now();
}

static void end(struct task_struct *task, unsigned long to)
{
	struct watched *at = find(task);
	u64 ns = now();

	if (!at || --at->depth)
		return;
	note(at, REST, ns - at->start, at->start, at->from, to);
	total[at->side] += ns - at->since;
	at->task = NULL;
}

static bool is_client(const struct task_struct *task)
{
	return client && (task->tgid == client || task->real_parent->tgid == client);
}

/* What the kernel calls us for. */

static unsigned long caller(const struct pt_regs *regs)
{
	return *(unsigned long *)regs->sp;
}

static int rests(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct watched *at = find(current);
	u64 ns = now();

	if (!at || in_interrupt())
		return 0;
	hits++;
	note(at, REST, ns - at->start, at->start, at->from, caller(regs));
	at->from = caller(regs);
	at->start = now();
	return 0;
}

static int kind_of(const struct mutex *mutex)
{
	if (edge && mutex == &edge->lock)
		return LOCK;
#ifdef HAS_COMMIT_MUTEX
	if (edge && mutex == &edge->commit_mutex)
		return COMMIT;
#endif
	return -1;
}

static int locks(struct kprobe *kprobe, struct pt_regs *regs)
{
	int kind = kind_of((void *)regs->di);
	struct watched *at = find(current);

	hits += !!at;
	if (at && kind >= 0)
		at->held[kind] = (struct held){ .is = true, .since = now(), .from = caller(regs) };
	return 0;
}

static int unlocks(struct kprobe *kprobe, struct pt_regs *regs)
{
	int kind = kind_of((void *)regs->di);
	struct watched *at = find(current);
	struct held *held;

	hits += !!at;
	if (!at || kind < 0 || !at->held[kind].is)
		return 0;
	held = &at->held[kind];
	note(at, HELD_LOCK + kind, held->before + now() - held->since, held->since, held->from,
	     caller(regs));
	held->is = false;
	return 0;
}

static void switches(void *data, bool preempt, struct task_struct *prev, struct task_struct *next,
		     unsigned int state)
{
	struct watched *at = find(prev);
	u64 ns = now();
	u32 i;

	if (at) {
		note(at, REST, ns - at->start, at->start, at->from, (unsigned long)schedule);
		total[at->side] += ns - at->since;
		for (i = 0; i < MUTEXES; i++)
			at->held[i].before += ns - at->held[i].since;
		if (state & TASK_DEAD)
			at->task = NULL;
	}
	at = find(next);
	if (at) {
		at->from = (unsigned long)schedule;
		at->start = at->since = now();
		for (i = 0; i < MUTEXES; i++)
			at->held[i].since = at->start;
	}
}

static void enters(void *data, struct pt_regs *regs, long id)
{
	if (is_client(current))
		begin(current, CLIENT, 0);
}

static void leaves(void *data, struct pt_regs *regs, long ret)
{
	if (find(current))
		end(current, 0);
}

static int task_works(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (is_client(current))
		begin(current, CLIENT, 0);
	return 0;
}

static int task_works_end(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (find(current))
		end(current, 0);
	return 0;
}

/* A work of the module, or one that lets it go through a namespace's end. */
static bool is_ours(const struct work_struct *work)
{
	char name[KSYM_SYMBOL_LEN];

	sprint_symbol(name, (unsigned long)work->func);
	return strstr(name, "[nf_edge]") || strstarts(name, "cleanup_net+") ||
	       strstarts(name, "work_for_cpu_fn+");
}

static void work_starts(void *data, struct work_struct *work)
{
	if (edge && is_ours(work))
		begin(current, WORKS, (unsigned long)work->func);
}

static void work_ends(void *data, struct work_struct *work, work_func_t function)
{
	if (find(current))
		end(current, (unsigned long)function);
}

static void soft_enters(void *data, unsigned int vector)
{
	soft_since = ktime_get_ns();
}

static void soft_leaves(void *data, unsigned int vector)
{
	if (soft_since)
		soft += ktime_get_ns() - soft_since;
	soft_since = 0;
}

static enum hrtimer_restart take_sample(struct hrtimer *timer)
{
	const struct pt_regs *regs = get_irq_regs();

	if (regs && !soft_since && find(current)) {
		sample[sampled % SAMPLES].at = now();
		sample[sampled++ % SAMPLES].ip = regs->ip;
	}
	hrtimer_forward_now(timer, ns_to_ktime(SAMPLE_NS));
	return HRTIMER_RESTART;
}

/* Hanging ourselves in */

static struct kprobe kprobes[] = {
	{ .symbol_name = "__cond_resched", .pre_handler = rests },
	{ .symbol_name = "mutex_lock", .pre_handler = locks },
	{ .symbol_name = "mutex_lock_killable", .pre_handler = locks },
	{ .symbol_name = "mutex_lock_interruptible", .pre_handler = locks },
	{ .symbol_name = "mutex_trylock", .pre_handler = locks },	/* one that fails is tried again */
	{ .symbol_name = "mutex_unlock", .pre_handler = unlocks },
};

static struct kretprobe kretprobe = {
	.kp.symbol_name = "task_work_run",
	.entry_handler = task_works,
	.handler = task_works_end,
};

static struct {
	const char *name;
	void *probe;
	struct tracepoint *point;
} traced[] = {
	{ "sched_switch", switches },
	{ "sys_enter", enters },
	{ "sys_exit", leaves },
	{ "workqueue_execute_start", work_starts },
	{ "workqueue_execute_end", work_ends },
	{ "softirq_entry", soft_enters },
	{ "softirq_exit", soft_leaves },
};

static void seek(struct tracepoint *point, void *unused)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(traced); i++)
		if (!strcmp(point->name, traced[i].name))
			traced[i].point = point;
}

static void untrace(u32 n)
{
	while (n--)
		tracepoint_probe_unregister(traced[n].point, traced[n].probe, NULL);
	tracepoint_synchronize_unregister();
}

static int trace(void)
{
	u32 i;
	int err;

	for_each_kernel_tracepoint(seek, NULL);
	for (i = 0; i < ARRAY_SIZE(traced); i++) {
		err = traced[i].point ? tracepoint_probe_register(traced[i].point, traced[i].probe, NULL) :
					-ENOENT;
		if (err) {
			untrace(i);
			return err;
		}
	}
	return 0;
}

static void unprobe(u32 n)
{
	while (n--)
		unregister_kprobe(&kprobes[n]);
}

static int probe(void)
{
	u32 i;
	int err;

	for (i = 0; i < ARRAY_SIZE(kprobes); i++) {
		err = register_kprobe(&kprobes[i]);
		if (err) {
			unprobe(i);
			return err;
		}
	}
	err = register_kretprobe(&kretprobe);
	if (err)
		unprobe(i);
	return err;
}

/* The device */

static char text[64 << 10];

static size_t tell(void)
{
	static const char *const sides[] = { "client", "works" };
	static const char *const stretches[] = { "rest", "lock", "commit" };
	size_t at = scnprintf(text, sizeof(text), "client|total|%llu\nworks|total|%llu\n",
			      total[CLIENT] - min(total[CLIENT], hits * each_probe), total[WORKS]);
	u32 i, j, k;

	for (i = 0; i < TASKS; i++)
		if (watched[i].task && watched[i].side == WORKS)
			at += scnprintf(text + at, sizeof(text) - at, "works|running|1\n");

	for (i = 0; i < SIDES; i++) {
		for (j = 0; j < STRETCHES; j++) {
			const struct longest *most = &longest[i][j];

			at += scnprintf(text + at, sizeof(text) - at, "%s|%s|%llu|%ps|%ps\n", sides[i],
					stretches[j], most->ns, (void *)most->from, (void *)most->to);
			for (k = 0; k < most->samples; k++)
				at += scnprintf(text + at, sizeof(text) - at, "%s|sample-%s|%ps\n", sides[i],
						stretches[j], (void *)most->sample[k]);
		}
	}
	return at;
}

static ssize_t probe_read(struct file *file, char __user *to, size_t size, loff_t *at)
{
	struct watched *reader = find(current);
	static size_t length;

	if (reader)	/* to look does not count */
		reader->task = NULL;
	if (!*at)
		length = tell();
	return simple_read_from_buffer(to, size, at, text, length);
}

static ssize_t probe_write(struct file *file, const char __user *from, size_t size, loff_t *at)
{
	edge = NULL;
	memset(watched, 0, sizeof(watched));
	memset(longest, 0, sizeof(longest));
	memset(total, 0, sizeof(total));
	hits = 0;
	sampled = 0;
	client = current->tgid;
	edge = edge_net(current->nsproxy->net_ns);
	return size;
}

static const struct file_operations probe_fops = {
	.owner = THIS_MODULE,
	.llseek = default_llseek,
	.read = probe_read,
	.write = probe_write,
};

static struct miscdevice probe_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "nf_edge_probe",
	.fops = &probe_fops,
	.mode = 0600,
};

/* What a probe takes that counts. */
static u64 measure(void)
{
	u64 from = ktime_get_ns();
	u32 i;

	for (i = 0; i < LOOPS; i++)
		cond_resched();
	return (ktime_get_ns() - from) / LOOPS;
}

static int __init probe_init(void)
{
	u64 without;
	int err;

	if (!edge_net_id_at)
		return -EINVAL;
	edge_net_id = *(unsigned int *)edge_net_id_at;
	without = measure();
	err = probe();
	if (err)
		return err;
	err = trace();
	if (err)
		goto unprobe;
	err = misc_register(&probe_device);
	if (err)
		goto untrace;
	watched[0] = (struct watched){ .task = current, .depth = 1 };
	each_probe = measure() - without;
	watched[0].task = NULL;
	pr_info("a probe takes %llu\n", each_probe);
	hrtimer_init(&sampler, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	sampler.function = take_sample;
	if (profile)
		hrtimer_start(&sampler, ns_to_ktime(SAMPLE_NS), HRTIMER_MODE_REL_HARD);
	return 0;

untrace:
	untrace(ARRAY_SIZE(traced));
unprobe:
	unregister_kretprobe(&kretprobe);
	unprobe(ARRAY_SIZE(kprobes));
	return err;
}

static void __exit probe_exit(void)
{
	misc_deregister(&probe_device);
	hrtimer_cancel(&sampler);
	untrace(ARRAY_SIZE(traced));
	unregister_kretprobe(&kretprobe);
	unprobe(ARRAY_SIZE(kprobes));
}

module_init(probe_init);
module_exit(probe_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Counts the instructions of nf_edge's control path");
