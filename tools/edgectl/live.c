// SPDX-License-Identifier: GPL-2.0-only
/*
 * live: what goes on until somebody ends it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "live.h"

static int end = -1;	/* what can be read when we are told to end */

void live_begin(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	end = signalfd(-1, &ends, SFD_CLOEXEC);
	if (end >= 0)
		sigprocmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
}

enum live live_wait(int fd, int milliseconds)
{
	struct pollfd polled[] = {
		{ .fd = end, .events = POLLIN },
		{ .fd = STDOUT_FILENO },	/* its reader goes away */
		{ .fd = fd, .events = POLLIN },
	};
	int count;

	do {
		count = poll(polled, 3, milliseconds);
	} while (count < 0 && errno == EINTR);
	if (count < 0 || polled[0].revents || polled[1].revents & (POLLERR | POLLHUP))
		return LIVE_ENDED;
	return polled[2].revents ? LIVE_READY : LIVE_LATE;
}

static int put_offset(char *text, size_t size, const struct tm *time)
{
	char offset[8];

	strftime(offset, sizeof(offset), "%z", time);
	return snprintf(text, size, "%.3s:%s", offset, offset + 3);
}

const char *live_time(char text[LIVE_TIME], bool zone)
{
	struct timespec now;
	struct tm broken;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &broken);
	length = strftime(text, LIVE_TIME, "%Y-%m-%dT%H:%M:%S", &broken);
	length += snprintf(text + length, LIVE_TIME - length, ".%03ld", now.tv_nsec / 1000000);
	if (zone)
		put_offset(text + length, LIVE_TIME - length, &broken);
	return text;
}

const char *live_day(char text[LIVE_TIME])
{
	time_t now = time(NULL);
	struct tm broken;
	size_t length;

	localtime_r(&now, &broken);
	length = strftime(text, LIVE_TIME, "%Y-%m-%d, times are ", &broken);
	length += put_offset(text + length, LIVE_TIME - length, &broken);
	strftime(text + length, LIVE_TIME - length, " (%Z)", &broken);
	return text;
}
