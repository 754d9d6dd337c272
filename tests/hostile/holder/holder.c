// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds the mutexes of nf_edge for as long as somebody has /dev/nf_edge_holder open: those of the
 * network namespace in which it was opened.
 *
 *   insmod nf_edge_holder.ko edge_net_id_at=ADDRESS    the address: of /proc/kallsyms
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "config.h"

static unsigned long edge_net_id_at;
module_param(edge_net_id_at, ulong, 0400);

unsigned int edge_net_id;	/* for edge_net() */

/* A thread of its own holds: who goes back to user space must hold nothing. */
struct holder {
	struct edge_net *edge;
	struct completion holds;
	struct completion ends;
	wait_queue_head_t wait;
	bool over;
};

static int hold(void *data)
{
	struct holder *holder = data;

#ifdef HAS_COMMIT_MUTEX
	mutex_lock(&holder->edge->commit_mutex);
#endif
	mutex_lock(&holder->edge->lock);
	complete(&holder->holds);
	wait_event_idle(holder->wait, READ_ONCE(holder->over));
	mutex_unlock(&holder->edge->lock);
#ifdef HAS_COMMIT_MUTEX
	mutex_unlock(&holder->edge->commit_mutex);
#endif
	complete(&holder->ends);
	return 0;
}

static int holder_open(struct inode *inode, struct file *file)
{
	struct holder *holder = kzalloc(sizeof(*holder), GFP_KERNEL);
	struct task_struct *task;

	if (!holder)
		return -ENOMEM;
	holder->edge = edge_net(current->nsproxy->net_ns);
	init_completion(&holder->holds);
	init_completion(&holder->ends);
	init_waitqueue_head(&holder->wait);
	task = kthread_run(hold, holder, "nf_edge_holder");
	if (IS_ERR(task)) {
		kfree(holder);
		return PTR_ERR(task);
	}
	wait_for_completion(&holder->holds);
	file->private_data = holder;
	return 0;
}

static int holder_release(struct inode *inode, struct file *file)
{
	struct holder *holder = file->private_data;

	WRITE_ONCE(holder->over, true);
	wake_up(&holder->wait);
	wait_for_completion(&holder->ends);
	kfree(holder);
	return 0;
}

static const struct file_operations holder_fops = {
	.owner = THIS_MODULE,
	.open = holder_open,
	.release = holder_release,
};

static struct miscdevice holder_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "nf_edge_holder",
	.fops = &holder_fops,
	.mode = 0600,
};

static int __init holder_init(void)
{
	if (!edge_net_id_at)
		return -EINVAL;
	edge_net_id = *(unsigned int *)edge_net_id_at;
	return misc_register(&holder_device);
}

static void __exit holder_exit(void)
{
	misc_deregister(&holder_device);
}

module_init(holder_init);
module_exit(holder_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Holds the mutexes of nf_edge");
