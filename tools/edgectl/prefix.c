// SPDX-License-Identifier: GPL-2.0-only
/*
 * prefix: addresses and prefixes: which covers which, their order, and their text
 */
#include <arpa/inet.h>
#include <string.h>

#include "prefix.h"

/* Clears the bits beyond the length; true: some were set. */
bool prefix_clear_host_bits(struct prefix *prefix)
{
	uint8_t host = 0xff >> prefix->len % 8;
	bool any = false;
	int i;

	for (i = prefix->len / 8; i < prefix->size; i++) {
		any |= prefix->bytes[i] & host;
		prefix->bytes[i] &= ~host;
		host = 0xff;
	}
	return any;
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
	int whole = outer->len / 8, rest = outer->len % 8;

	return outer->size == inner->size && outer->len <= inner->len &&
	       !memcmp(outer->bytes, inner->bytes, whole) &&
	       (!rest || !((outer->bytes[whole] ^ inner->bytes[whole]) >> (8 - rest)));
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int by_address = memcmp(a->bytes, b->bytes, sizeof(a->bytes));

	if (a->size != b->size)
		return a->size - b->size;
	return by_address ? by_address : a->len - b->len;
}

int entry_by_prefix(const void *a, const void *b)
{
	const struct entry *one = a, *other = b;

	return prefix_compare(&one->prefix, &other->prefix);
}

int entry_compare(const struct entry *a, const struct entry *b)
{
	int by_prefix = prefix_compare(&a->prefix, &b->prefix);

	return by_prefix ? by_prefix : strcmp(a->domain ? a->domain : "",
					      b->domain ? b->domain : "");
}

const char *meaningless(const struct prefix *prefix)
{
	static const struct {
		const char *kind;
		struct prefix addresses;
	} kinds[2][4] = { {
		{ "unspecified", { 4, 32, { 0 } } },
		{ "loopback", { 4, 8, { 127 } } },
		{ "multicast", { 4, 4, { 224 } } },
		{ "broadcast", { 4, 32, { 255, 255, 255, 255 } } },
	}, {
		{ "unspecified", { 16, 128, { 0 } } },
		{ "loopback", { 16, 128, { [15] = 1 } } },
		{ "multicast", { 16, 8, { 0xff } } },
		{ "IPv4-mapped", { 16, 96, { [10] = 0xff, 0xff } } },
	} };
	size_t family = prefix->size == 16, i;
	uint8_t first = prefix->bytes[0];

	if (first && first != 127 && first < 224)
		return NULL;	/* as most; none of the kinds begins so */
	for (i = 0; i < 4; i++) {
		if (prefix_covers(&kinds[family][i].addresses, prefix))
			return kinds[family][i].kind;
	}
	return NULL;
}

/* Writes @value, at most 255, and returns where its digits end. */
static char *put_number(char *at, uint8_t value)
{
	if (value >= 100)
		*at++ = '0' + value / 100;
	if (value >= 10)
		*at++ = '0' + value / 10 % 10;
	*at++ = '0' + value % 10;
	return at;
}

/* Where the longest run of zeroes among the eight numbers of an address begins; 8: none is. */
static int longest_zeroes(const uint16_t number[8], int *length)
{
	int start = 8, run = 0, i;

	*length = 1;	/* a single zero is written */
	for (i = 0; i < 8; i++) {
		run = number[i] ? 0 : run + 1;
		if (run > *length) {
			*length = run;
			start = i + 1 - run;
		}
	}
	return start;
}

static char *put_hex(char *at, uint16_t value)
{
	int shift = value > 0xfff ? 12 : value > 0xff ? 8 : value > 0xf ? 4 : 0;

	for (; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[value >> shift & 0xf];
	return at;
}

/*
 * Each returns where the text ends. By hand, because inet_ntop() calls printf() for every number,
 * and listings of a million would spend half of their time there; see RFC 5952.
 */
static char *put_ipv6(char *at, const struct prefix *prefix)
{
	static const uint8_t zeroes[10];
	const uint8_t *byte = prefix->bytes;
	uint16_t number[8];
	int i, start, length;

	if (!memcmp(prefix->bytes, zeroes, sizeof(zeroes))) {	/* IPv4 may be in it */
		inet_ntop(AF_INET6, prefix->bytes, at, INET6_ADDRSTRLEN);
		return at + strlen(at);
	}
	for (i = 0; i < 8; i++, byte += 2)
		number[i] = byte[0] << 8 | byte[1];
	start = longest_zeroes(number, &length);
	for (i = 0; i < 8; i++) {
		if (i == start) {
			*at++ = ':';
			i += length - 1;
			if (i == 7)
				*at++ = ':';
			continue;
		}
		if (i)
			*at++ = ':';
		at = put_hex(at, number[i]);
	}
	*at = '\0';
	return at;
}

static char *put_address(char *at, const struct prefix *prefix)
{
	int i;

	if (prefix->size == 16)
		return put_ipv6(at, prefix);
	for (i = 0; i < 4; i++) {
		at = put_number(at, prefix->bytes[i]);
		*at++ = '.';
	}
	*--at = '\0';
	return at;
}

const char *address_text(const struct prefix *prefix, char text[PREFIX_TEXT])
{
	put_address(text, prefix);
	return text;
}

const char *prefix_text(const struct prefix *prefix, char text[PREFIX_TEXT])
{
	char *at = put_address(text, prefix);

	*at++ = '/';
	*put_number(at, prefix->len) = '\0';
	return text;
}
