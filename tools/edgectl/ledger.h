/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ledger: who was dropped, or in audit would have been, and how often: a table of bounded size that
 * outlives the machine, in one file that is replaced as a whole.
 */
#ifndef EDGECTL_LEDGER_H
#define EDGECTL_LEDGER_H

#include "nl.h"
#include "parse.h"

#define LEDGER_ROWS	10000

/**
 * struct ledger_span - something that was counted
 * @packets: how many
 * @first: when the first was told, seconds since 1970; @last: and the last
 */
struct ledger_span {
	uint64_t packets;
	uint64_t first;
	uint64_t last;
};

/**
 * struct ledger_row - packets that are told alike
 * @rule: as in struct dropped, of the last one
 */
struct ledger_row {
	struct prefix from;
	struct prefix to;
	uint32_t protocol;
	uint32_t dport;
	uint32_t reason;
	uint32_t mode;
	int rule;
	struct ledger_span span;
};

/**
 * struct ledger - zero it
 * @rows: @count of them, in an order of its own
 * @left_out: of each reason: packets that were not told one by one
 * @lost: how often more was lost than we were told
 * @forgotten: rows that had to go to make room, and their packets
 * @began: when the first packet could be told, seconds since 1970
 * @saved: when the file was written
 */
struct ledger {
	struct ledger_row **rows;
	size_t count;
	struct ledger_span left_out[NF_EDGE_REASON_COUNT];
	struct ledger_span lost;
	struct ledger_span forgotten;
	uint64_t forgotten_rows;
	uint64_t began;
	uint64_t saved;
};

#define LEDGER_PATH	4096

/*
 * Where it is kept: in the directory that the service manager gives us, or in /var/lib/nf_edge; of
 * @netns, which may be NULL, in a file of its own.
 */
void ledger_path(const char *netns, char path[LEDGER_PATH]);

/*
 * Reads the file. False: @error says why, and it is to be freed nevertheless; ENOENT and the like
 * are in errno, which is 0 when there is something wrong with what the file says.
 */
bool ledger_read(struct ledger *ledger, const char *path, char error[ERROR_TEXT]);

/* Replaces the file, or leaves it as it was. False: errno says why. */
bool ledger_write(struct ledger *ledger, const char *path, uint64_t now);

/*
 * Takes a packet up. When there is no room, of the rows with the fewest packets the one goes that
 * was seen least recently: who comes once from many addresses drives out others like himself.
 */
void ledger_note(struct ledger *ledger, const struct dropped *dropped, uint64_t now);
void ledger_note_lost(struct ledger *ledger, uint64_t now);
void ledger_free(struct ledger *ledger);

#endif
