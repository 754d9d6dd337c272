/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * text: characters, the names of the policy's words, and values as text. No netlink, no files.
 */
#ifndef EDGECTL_TEXT_H
#define EDGECTL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "nf_edge.h"

#define DEVICE_TEXT	16	/* bytes of a device's name, with NUL */
#define GROUPS_TEXT	96	/* bytes for all groups, comma separated */
#define TIME_TEXT	32	/* bytes for a time as text, with NUL */

extern const char *const mode_names[];
extern const char *const unlisted_names[];
extern const char *const rtp_match_names[];
extern const char *const role_names[];
extern const char *const group_names[];
extern const char *const row_names[];
extern const char *const peers_names[];
extern const char *const reason_names[];
extern const char *const verdict_names[];
extern const char *const finding_names[];

/* Whether two texts, each of which may be NULL, are the same. */
static inline bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Bytes of the UTF-8 character at @text, which is not empty; 0: it is none. */
size_t utf8(const char *text, uint32_t *character);

/* Whether it is neither a control character nor one of NF_EDGE_UNSHOWN. */
bool is_shown(uint32_t character);

/* The first character that is not, or no UTF-8; NULL: there is none. */
const char *first_unshown(const char *text);

const char *groups_text(uint32_t mask, char text[GROUPS_TEXT]);

/* "2026-12-01T03:00:00Z"; 0 is "never". */
const char *time_text(uint64_t time, char text[TIME_TEXT]);

/* The names whose bits are set, comma separated; @text has room for all of them. */
char *names_text(const char *const names[], uint32_t mask, char *text);

/* "50000-59999,61000", or "none", until the next call. */
const char *ports_text(const uint8_t ports[NF_EDGE_PORT_MAP_BYTES]);

#endif
