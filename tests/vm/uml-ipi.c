// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into User-mode Linux. Its kernel on several CPUs blocks and unblocks the signal that
 * these interrupt each other with, by a system call each, whenever it disables and enables
 * interrupts: a third of the time of a kernel with lockdep. Here blocking is a note; only where
 * the signal comes while the note stands, it is blocked, and sent again for later.
 *
 * arch/um/os-Linux/smp.c (Linux 7.0 and later) blocks, time.c waits for the blocked signal.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

static int (*real_sigprocmask)(int how, const sigset_t *set, sigset_t *old);
static int (*real_sigaction)(int signal, const struct sigaction *action, struct sigaction *old);
static void (*handler)(int signal, siginfo_t *info, void *context);
static sigset_t ipi_alone;

/* Of this thread, which is a CPU. Not optimised across the signal's coming. */
static __thread volatile bool noted;	/* the kernel thinks that it is blocked */
static __thread volatile bool blocked;	/* it is */

__attribute__((constructor)) static void find(void)
{
	real_sigprocmask = dlsym(RTLD_NEXT, "sigprocmask");
	real_sigaction = dlsym(RTLD_NEXT, "sigaction");
	sigemptyset(&ipi_alone);
	sigaddset(&ipi_alone, SIGRTMIN);
}

/* All signals are blocked while this runs. */
static void on_ipi(int signal, siginfo_t *info, void *context)
{
	if (!noted) {
		handler(signal, info, context);
		return;
	}
	blocked = true;
	sigaddset(&((ucontext_t *)context)->uc_sigmask, signal);
	pthread_sigqueue(pthread_self(), signal, info->si_value);
}

int sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	struct sigaction ours;

	if (signal != SIGRTMIN || !action)
		return real_sigaction(signal, action, old);
	ours = *action;
	handler = action->sa_sigaction;
	ours.sa_sigaction = on_ipi;
	return real_sigaction(signal, &ours, old);
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	if (!set || old)
		return real_sigprocmask(how, set, old);
	if (how != SIG_SETMASK && set->__val[0] == ipi_alone.__val[0]) {
		noted = how == SIG_BLOCK;
		if (noted || !blocked)
			return 0;
		blocked = false;
		return real_sigprocmask(SIG_UNBLOCK, &ipi_alone, NULL);
	}
	if (how == SIG_SETMASK) {
		blocked = sigismember(set, SIGRTMIN);
		noted |= blocked;
	} else if (how == SIG_BLOCK && noted && !blocked) {
		/* before it waits for a signal that it has to find blocked */
		blocked = true;
		real_sigprocmask(SIG_BLOCK, &ipi_alone, NULL);
	}
	return real_sigprocmask(how, set, NULL);
}
