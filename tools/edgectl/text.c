// SPDX-License-Identifier: GPL-2.0-only
/*
 * text: characters, the names of the policy's words, and values as text. No netlink, no files.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define NAME_OF(id, name)	name,

const char *const mode_names[] = { NF_EDGE_MODES(NAME_OF) NULL };
const char *const unlisted_names[] = { NF_EDGE_UNLISTEDS(NAME_OF) NULL };
const char *const rtp_match_names[] = { NF_EDGE_RTP_MATCHES(NAME_OF) NULL };
const char *const role_names[] = { NF_EDGE_ROLES(NAME_OF) NULL };
const char *const group_names[] = { NF_EDGE_GROUPS(NAME_OF) NULL };
const char *const row_names[] = { NF_EDGE_ROWS(NAME_OF) NULL };
const char *const peers_names[] = { NF_EDGE_PEERSS(NAME_OF) NULL };
const char *const reason_names[] = { NF_EDGE_REASONS(NAME_OF) NULL };
const char *const verdict_names[] = { NF_EDGE_VERDICTS(NAME_OF) NULL };
const char *const finding_names[] = { NF_EDGE_FINDINGS(NAME_OF) NULL };

#define PORT_TEXT	12UL	/* "50000-59999," */

bool is_shown(uint32_t character)
{
#define RANGE(first, last) { first, last },
	static const struct {
		uint32_t first;
		uint32_t last;
	} unshown[] = { NF_EDGE_UNSHOWN(RANGE) };
#undef RANGE
	const size_t count = sizeof(unshown) / sizeof(unshown[0]);
	size_t i;

	if (character < 0xa0)
		return character >= 0x20 && character < 0x7f;
	for (i = 0; i < count && unshown[i].last < character; i++)
		;
	return i == count || character < unshown[i].first;
}

size_t utf8(const char *text, uint32_t *character)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text;
	uint32_t code = byte[0];
	size_t size, i;

	*character = code;
	if (code < 0x80)
		return 1;
	size = code >= 0xf0 ? 4 : code >= 0xe0 ? 3 : 2;
	if (code < 0xc0 || code >= 0xf8)
		return 0;
	code &= 0x7f >> size;
	for (i = 1; i < size; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte[i] & 0x3f);
	}
	if (code < lowest[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*character = code;
	return size;
}

const char *first_unshown(const char *text)
{
	uint32_t character;
	size_t size;

	for (; *text; text += size) {
		size = 1;
		if (*text >= ' ' && *text <= '~')
			continue;
		size = utf8(text, &character);
		if (!size || !is_shown(character))
			return text;
	}
	return NULL;
}

char *names_text(const char *const names[], uint32_t mask, char *text)
{
	char *at = text;
	int i;

	*at = '\0';
	for (i = 0; names[i]; i++) {
		if (!(mask & 1u << i))
			continue;
		if (at > text)
			*at++ = ',';
		at = stpcpy(at, names[i]);
	}
	return text;
}

const char *groups_text(uint32_t mask, char text[GROUPS_TEXT])
{
	return names_text(group_names, mask, text);
}

static bool has_port(const uint8_t *ports, uint32_t port)
{
	return port < 65536 && ports[port / 8] & 1 << port % 8;
}

const char *ports_text(const uint8_t ports[NF_EDGE_PORT_MAP_BYTES])
{
	/* The worst map has every other port: 32,768 single ones. */
	static char text[32768 * PORT_TEXT];
	size_t length = 0;
	uint32_t first, last;

	strcpy(text, "none");
	for (first = 0; first < 65536; first = last + 1) {
		last = first;
		if (!has_port(ports, first))
			continue;
		while (has_port(ports, last + 1))
			last++;
		length += sprintf(text + length, "%s%u", length ? "," : "", first);
		if (last > first)
			length += sprintf(text + length, "-%u", last);
	}
	return text;
}

const char *time_text(uint64_t time, char text[TIME_TEXT])
{
	const time_t seconds = time;
	struct tm parts;

	if (!time || !gmtime_r(&seconds, &parts) ||
	    !strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts))
		strcpy(text, "never");
	return text;
}
