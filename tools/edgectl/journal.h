/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * journal: entries with fields for systemd's journal; where there is none, their text for syslog.
 */
#ifndef EDGECTL_JOURNAL_H
#define EDGECTL_JOURNAL_H

#include <stdbool.h>
#include <stdio.h>

/**
 * struct journal - an entry that is being put together
 */
struct journal {
	int priority;
	char *message;
	FILE *file;
	char *text;
	size_t length;
};

/* Begins an entry. @priority: of syslog(3); @message: one line of any length. */
void journal_begin(struct journal *journal, int priority, const char *message);
/* A field, NF_EDGE_@name. journal_text() leaves out what is NULL. */
void journal_text(struct journal *journal, const char *name, const char *value);
void journal_number(struct journal *journal, const char *name, unsigned long long value);
/* Ends the entry, and sends it. */
void journal_send(struct journal *journal);

#endif
