/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * live: what goes on until somebody ends it. SIGINT and SIGTERM end it in order,
 * and so does who reads its output, by going away.
 */
#ifndef EDGECTL_LIVE_H
#define EDGECTL_LIVE_H

#include <stdbool.h>

#define LIVE_TIME	48	/* bytes of a time as text, with NUL */
#define LIVE_DATE	11	/* of them before the hour */

enum live {
	LIVE_READY,	/* there is something to be read */
	LIVE_LATE,	/* the time has passed */
	LIVE_ENDED,
};

void live_begin(void);

/* Waits for @fd, unless it is negative, so many milliseconds, or for ever when they are. */
enum live live_wait(int fd, int milliseconds);

/* Now, "2026-11-22T05:20:13.123", and with @zone "+01:00" behind it (RFC 3339). */
const char *live_time(char text[LIVE_TIME], bool zone);

/* Today and the zone: "2026-11-22, times are +01:00 (CET)". */
const char *live_day(char text[LIVE_TIME]);

#endif
