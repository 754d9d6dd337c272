// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the place of arch/um/kernel/stacktrace.c in User-mode Linux. The kernel's own looks at
 * every word of the stack for each trace; KASAN, kmemleak and DEBUG_OBJECTS take one for each
 * allocation, which makes that kernel some fifty times slower than it need be. This one follows
 * the chain of frame pointers (CONFIG_FRAME_POINTER) and stops where that leaves the stack.
 */
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <asm/stacktrace.h>

/* Whether a frame lies on the same stack as, and above, the one before it. */
static bool goes_on(unsigned long from, unsigned long to)
{
	return to > from && IS_ALIGNED(to, sizeof(long)) &&
	       (from ^ to) < THREAD_SIZE &&
	       (to & (THREAD_SIZE - 1)) <= THREAD_SIZE - sizeof(struct stack_frame);
}

/*
 * Modules lie where vmalloc() puts things. __kernel_text_address() would look for the module, in a
 * tree, for each frame.
 */
static bool is_text(unsigned long address)
{
	return core_kernel_text(address) || is_vmalloc_addr((void *)address);
}

void dump_trace(struct task_struct *tsk, const struct stacktrace_ops *ops, void *data)
{
	unsigned long at = get_frame_pointer(tsk, tsk->thread.segv_regs), from = at - sizeof(long);

	while (goes_on(from, at)) {
		const struct stack_frame *frame = (const struct stack_frame *)at;
		unsigned long address = READ_ONCE_NOCHECK(frame->return_address);

		if (!is_text(address))
			break;
		ops->address(data, address, 1);
		from = at;
		at = (unsigned long)READ_ONCE_NOCHECK(frame->next_frame);
	}
}

static void save(void *data, unsigned long address, int reliable)
{
	struct stack_trace *trace = data;

	if (trace->nr_entries < trace->max_entries)
		trace->entries[trace->nr_entries++] = address;
}

static const struct stacktrace_ops save_ops = { .address = save };

void save_stack_trace(struct stack_trace *trace)
{
	dump_trace(current, &save_ops, trace);
}
EXPORT_SYMBOL_GPL(save_stack_trace);

void save_stack_trace_tsk(struct task_struct *tsk, struct stack_trace *trace)
{
	dump_trace(tsk, &save_ops, trace);
}
EXPORT_SYMBOL_GPL(save_stack_trace_tsk);

/*
 * The end of cpu_relax(), which tests/vm/built-kernel makes call it. Another processor is waited
 * for, spinning, and it is a thread as this one: what it is short of may be this one's place.
 */
int sched_yield(void);	/* the C library's */
void uml_relax(void);

void uml_relax(void)
{
	sched_yield();
}
EXPORT_SYMBOL_GPL(uml_relax);
