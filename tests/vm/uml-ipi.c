// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into User-mode Linux. Its kernel on several CPUs blocks and unblocks the signal that
 * these interrupt each other with, by a system call each, whenever it disables and enables
 * interrupts: a third of the time of a kernel with lockdep. Here blocking is a note; only where
 * the signal comes while the note stands, it is blocked, and sent again for later.
 *
 * An interrupt leaves the note as it found it. The kernel blocks this signal first and then notes
 * that interrupts are disabled; the handler of one that comes between the two enables both again
 * at its end, and what follows would be interrupted and find itself enabled.
 *
 * arch/um/os-Linux/smp.c (Linux 7.0 and later) blocks, signal.c disables, time.c waits for the
 * blocked signal.
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
static void (*handlers[NSIG])(int signal, siginfo_t *info, void *context);
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

/* The kernel's handler does not schedule: it returns on the thread that it began on. */
static void on_interrupt(int signal, siginfo_t *info, void *context)
{
	bool found = noted;

	handlers[signal](signal, info, context);
	noted = found;
}

/* All signals are blocked while this runs. */
static void on_ipi(int signal, siginfo_t *info, void *context)
{
	if (!noted) {
		on_interrupt(signal, info, context);
		return;
	}
	blocked = true;
	sigaddset(&((ucontext_t *)context)->uc_sigmask, signal);
	pthread_sigqueue(pthread_self(), signal, info->si_value);
}

int sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	const int interrupt = SA_SIGINFO | SA_RESTART;	/* the kernel's faults do not restart */
	void (*before)(int signal, siginfo_t *info, void *context) = handlers[signal];
	struct sigaction ours;
	int status;

	if (action && (action->sa_flags & interrupt) == interrupt) {
		handlers[signal] = action->sa_sigaction;
		ours = *action;
		ours.sa_sigaction = signal == SIGRTMIN ? on_ipi : on_interrupt;
		action = &ours;
	}
	status = real_sigaction(signal, action, old);
	if (old && (old->sa_sigaction == on_ipi || old->sa_sigaction == on_interrupt))
		old->sa_sigaction = before;
	return status;
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
