/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event: what has happened, in words, which are the same wherever it is told.
 */
#ifndef EDGECTL_EVENT_H
#define EDGECTL_EVENT_H

#include "edgectl.h"

#define EVENT_SHOWN	8	/* partners or blocks of a change, in a line */
#define EVENT_PROTOCOL	8	/* bytes of a protocol as text, with NUL */
#define EVENT_USER	64	/* of a user */

extern const char *const event_names[];	/* by event->kind */

/* The event in a line, who made a change behind it; to be freed. */
char *event_line(const struct event *event);
/* All of what was asked for, and nothing of who asked; to be freed. */
char *event_words(const struct event *event);

/* As the command that made it; NULL: one that we do not know. */
const char *event_command(uint32_t command);
/* NULL: not known. */
const char *event_protocol(uint32_t protocol, char text[EVENT_PROTOCOL]);
/* A user's name, or its number where it has none; NULL: not known. */
const char *event_user(int64_t user, char text[EVENT_USER]);

#endif
