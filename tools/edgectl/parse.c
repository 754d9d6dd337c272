// SPDX-License-Identifier: GPL-2.0-only
/*
 * parse: text becomes plain structs, and back. No netlink, no files.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

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

#define DEVICE_MAX	15	/* bytes of a device's name: IFNAMSIZ - 1 */
#define PORT_TEXT	12UL	/* "50000-59999," */

void set_refusal(struct op *op, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(op->error, sizeof(op->error), format, args);
	va_end(args);
}

void op_free(struct op *op)
{
	free(op->prefix);
	op->prefix = NULL;
	op->count = 0;
	op->room = 0;
}

/* The port map is left as it is: who reads it, has filled it. */
static void reset(struct op *op)
{
	op->set = false;
	op->value = 0;
	op->mask = 0;
	op->text = NULL;
	op->count = 0;
	memset(&op->flow, 0, sizeof(op->flow));
	op->error[0] = '\0';
}

void *grow(void *list, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 8;

	if (count < *room)
		return list;
	list = reallocarray(list, more, size);
	if (list)
		*room = more;
	return list;
}

size_t printable(const char *text)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text;
	uint32_t code = byte[0];
	size_t size, i;

	if (code < 0x80)
		return code >= 0x20 && code != 0x7f;
	size = code >= 0xf0 ? 4 : code >= 0xe0 ? 3 : 2;
	if (code < 0xc0 || code >= 0xf8)
		return 0;
	code &= 0x7f >> size;
	for (i = 1; i < size; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte[i] & 0x3f);
	}
	if (code < lowest[size] || code > 0x10ffff)
		return 0;
	if (code < 0xa0 || (code >= 0xd800 && code < 0xe000))
		return 0;
	return size;
}

static bool all_printable(const char *text)
{
	size_t size;

	for (; *text; text += size) {
		size = printable(text);
		if (!size)
			return false;
	}
	return true;
}

/* Decimal digits and nothing else, no zero in front. */
static bool number(const char *text, size_t length, uint32_t max, uint32_t *value)
{
	uint32_t sum = 0;
	size_t i;

	if (!length || length > 5 || (length > 1 && text[0] == '0'))
		return false;
	for (i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		sum = sum * 10 + (text[i] - '0');
	}
	*value = sum;
	return sum <= max;
}

static bool lookup(struct op *op, const char *const names[], const char *what,
		   const char *word, size_t length, uint32_t *value)
{
	uint32_t i;

	for (i = 0; names[i]; i++) {
		if (strlen(names[i]) == length && !memcmp(names[i], word, length)) {
			*value = i;
			return true;
		}
	}
	return refuse(op, "unknown %s \"%.*s\"", what,
		      length > 80 ? 80 : (int)length, word);
}

static bool keyword(struct op *op, const char *const names[], const char *what,
		    const char *word, uint32_t *value)
{
	return lookup(op, names, what, word, strlen(word), value);
}

/* Any address, with or without /LEN when @with_length. */
static bool address(struct op *op, const char *word, bool with_length,
		    struct prefix *prefix)
{
	const char *slash = with_length ? strchr(word, '/') : NULL;
	size_t length = slash ? (size_t)(slash - word) : strlen(word);
	char text[INET6_ADDRSTRLEN];
	uint32_t len;

	memset(prefix, 0, sizeof(*prefix));
	if (memchr(word, '%', length))
		return refuse(op, "\"%.80s\": an address with a scope cannot be used", word);
	if (length >= sizeof(text))
		return refuse(op, "bad address \"%.80s\"", word);
	memcpy(text, word, length);
	text[length] = '\0';
	prefix->size = strchr(text, ':') ? 16 : 4;
	if (inet_pton(prefix->size == 16 ? AF_INET6 : AF_INET, text, prefix->bytes) != 1)
		return refuse(op, "bad address \"%.80s\"", word);
	prefix->len = prefix->size * 8;
	if (!slash)
		return true;
	if (!number(slash + 1, strlen(slash + 1), prefix->len, &len))
		return refuse(op, "bad prefix length in \"%.80s\"", word);
	prefix->len = len;
	return true;
}

/* Clears the bits beyond the length; true: some were set. */
static bool clear_host_bits(struct prefix *prefix)
{
	bool any = false;
	unsigned int i;

	for (i = prefix->len; i < prefix->size * 8u; i++) {
		uint8_t bit = 0x80 >> i % 8;

		any |= prefix->bytes[i / 8] & bit;
		prefix->bytes[i / 8] &= ~bit;
	}
	return any;
}

/* The kind of address that cannot be meant and covers all of @prefix, or NULL. */
static const char *meaningless(const struct prefix *prefix)
{
	static const struct {
		const char *kind;
		struct prefix covers;
	} kinds[] = {
		{ "unspecified", { 4, 32, { 0 } } },
		{ "loopback", { 4, 8, { 127 } } },
		{ "multicast", { 4, 4, { 224 } } },
		{ "broadcast", { 4, 32, { 255, 255, 255, 255 } } },
		{ "unspecified", { 16, 128, { 0 } } },
		{ "loopback", { 16, 128, { [15] = 1 } } },
		{ "multicast", { 16, 8, { 0xff } } },
		{ "IPv4-mapped", { 16, 96, { [10] = 0xff, 0xff } } },
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct prefix masked = *prefix;

		masked.len = kinds[i].covers.len;
		if (masked.size != kinds[i].covers.size || prefix->len < masked.len)
			continue;
		clear_host_bits(&masked);
		if (!memcmp(&masked, &kinds[i].covers, sizeof(masked)))
			return kinds[i].kind;
	}
	return NULL;
}

/* Appends an address that a policy may hold. */
static bool add_prefix(struct op *op, const char *word, bool with_length)
{
	struct prefix *list, given, masked;
	char text[PREFIX_TEXT];
	const char *kind;

	list = grow(op->prefix, op->count, &op->room, sizeof(*list));
	if (!list)
		return refuse(op, "out of memory");
	op->prefix = list;
	if (!address(op, word, with_length, &given))
		return false;
	masked = given;
	if (clear_host_bits(&masked))
		return refuse(op, "%.80s has host bits set (%s has none)", word,
			      prefix_text(&masked, text));
	kind = meaningless(&given);
	if (kind)
		return refuse(op, "%.80s cannot be meant: it is %s", word, kind);
	list[op->count++] = given;
	return true;
}

static bool port(struct op *op, const char *word, size_t length, uint32_t *value)
{
	if (number(word, length, 65535, value) && *value)
		return true;
	return refuse(op, "bad port \"%.*s\" (1 to 65535)",
		      length > 80 ? 80 : (int)length, word);
}

static bool ports(struct op *op, const char *word)
{
	const char *whole = word;

	memset(op->ports, 0, sizeof(op->ports));
	if (!strcmp(word, "none"))
		return true;
	for (;;) {
		size_t length = strcspn(word, ",");
		const char *dash = memchr(word, '-', length);
		size_t left = dash ? (size_t)(dash - word) : length;
		uint32_t first, last, i;

		if (!left || (dash && left + 1 == length))
			return refuse(op, "a port is missing in \"%.80s\"", whole);
		if (!port(op, word, left, &first))
			return false;
		last = first;
		if (dash && !port(op, dash + 1, length - left - 1, &last))
			return false;
		if (last < first)
			return refuse(op, "reversed range \"%.*s\"", (int)length, word);
		for (i = first; i <= last; i++)
			op->ports[i / 8] |= 1 << i % 8;
		if (!word[length])
			return true;
		word += length + 1;
	}
}

static bool groups(struct op *op, const char *word)
{
	for (;;) {
		size_t length = strcspn(word, ",");
		uint32_t group;

		if (!lookup(op, group_names, "group", word, length, &group))
			return false;
		if (op->mask & 1u << group)
			return refuse(op, "group \"%s\" is repeated", group_names[group]);
		op->mask |= 1u << group;
		if (!word[length])
			return true;
		word += length + 1;
	}
}

static bool name(struct op *op, const char *word)
{
	if (!*word)
		return refuse(op, "the name \"\" is empty");
	if (strlen(word) > NF_EDGE_NAME_MAX)
		return refuse(op, "the name \"%.80s\" is longer than %d bytes", word,
			      NF_EDGE_NAME_MAX);
	if (!all_printable(word))
		return refuse(op, "the name \"%.80s\" has control characters or is not UTF-8",
			      word);
	op->text = word;
	return true;
}

/* To the kernel, byte 0xa0 is a blank, as in Latin 1, even inside "\303\240" (UTF-8). */
static bool device(struct op *op, const char *word, const char **to)
{
	if (!*word || strlen(word) > DEVICE_MAX || strpbrk(word, "/: \240") ||
	    !strcmp(word, ".") || !strcmp(word, "..") || !all_printable(word))
		return refuse(op, "bad device name \"%.80s\"", word);
	*to = word;
	return true;
}

static bool unexpected(struct op *op, const char *word)
{
	return refuse(op, "unexpected word \"%.80s\"", word);
}

/*
 * Is *argv the option @word, for the first time, and followed by a value? The
 * option is consumed and @value points to its value. A fault is left in
 * op->error.
 */
static bool option(struct op *op, int *argc, char *const **argv, const char *word,
		   const char **value)
{
	if (!*argc || op->error[0] || strcmp(**argv, word))
		return false;
	if (*value)
		return refuse(op, "\"%s\" is repeated", word);
	if (*argc < 2)
		return refuse(op, "missing word after \"%s\"", word);
	*value = (*argv)[1];
	*argc -= 2;
	*argv += 2;
	return true;
}

bool parse_nothing(struct op *op, int argc, char *const argv[])
{
	reset(op);
	return argc ? unexpected(op, argv[0]) : true;
}

bool parse_word(struct op *op, int argc, char *const argv[])
{
	reset(op);
	if (argc)
		op->text = argv[0];
	return argc > 1 ? unexpected(op, argv[1]) : true;
}

static bool value(struct op *op, const char *const names[], const char *what,
		  int argc, char *const argv[])
{
	reset(op);
	if (!argc)
		return true;
	if (argc > 1)
		return unexpected(op, argv[1]);
	op->set = true;
	return keyword(op, names, what, argv[0], &op->value);
}

bool parse_mode(struct op *op, int argc, char *const argv[])
{
	return value(op, mode_names, "mode", argc, argv);
}

bool parse_unlisted(struct op *op, int argc, char *const argv[])
{
	return value(op, unlisted_names, "value of unlisted", argc, argv);
}

bool parse_rtp_match(struct op *op, int argc, char *const argv[])
{
	return value(op, rtp_match_names, "RTP match", argc, argv);
}

bool parse_rtp_set(struct op *op, int argc, char *const argv[])
{
	reset(op);
	if (argc > 1)
		return unexpected(op, argv[1]);
	return argc ? ports(op, argv[0]) : refuse(op, "missing ports");
}

/* @argc words that are all in @names, as bits of op->mask. */
static bool bits(struct op *op, const char *const names[], const char *what,
		 int argc, char *const argv[])
{
	uint32_t bit;

	for (; argc; argc--, argv++) {
		if (!keyword(op, names, what, *argv, &bit))
			return false;
		op->mask |= 1u << bit;
	}
	return true;
}

bool parse_role(struct op *op, int argc, char *const argv[])
{
	reset(op);
	if (argc > 1)
		return unexpected(op, argv[1]);
	return bits(op, role_names, "role", argc, argv);
}

bool parse_interface_del(struct op *op, int argc, char *const argv[])
{
	reset(op);
	if (argc < 2)
		return refuse(op, "missing %s", argc ? "address" : "role and address");
	if (!bits(op, role_names, "role", 1, argv) || !add_prefix(op, argv[1], false))
		return false;
	return argc > 2 ? unexpected(op, argv[2]) : true;
}

bool parse_interface_add(struct op *op, int argc, char *const argv[])
{
	const char *dev = NULL;

	if (!parse_interface_del(op, argc > 2 ? 2 : argc, argv))
		return false;
	argc -= 2;
	argv += 2;
	while (option(op, &argc, &argv, "dev", &dev)) {
		if (!device(op, dev, &op->text))
			return false;
	}
	if (op->error[0])
		return false;
	return argc ? unexpected(op, argv[0]) : true;
}

/* What may follow a partner command's addresses. */
#define TAKES_NAME	(1 << 0)
#define TAKES_COVERS	(1 << 1)

static bool partner_options(struct op *op, int argc, char *const argv[], int takes)
{
	const char *group = NULL, *text = NULL, *covers = NULL;

	while (argc) {
		if (option(op, &argc, &argv, "group", &group)) {
			if (!groups(op, group))
				return false;
		} else if (takes & TAKES_NAME && option(op, &argc, &argv, "name", &text)) {
			if (!name(op, text))
				return false;
		} else if (takes & TAKES_COVERS &&
			   option(op, &argc, &argv, "covers", &covers)) {
			if (!address(op, covers, false, &op->flow.from))
				return false;
		} else {
			return op->error[0] ? false : unexpected(op, argv[0]);
		}
	}
	return true;
}

static bool partners(struct op *op, int argc, char *const argv[], int takes)
{
	reset(op);
	while (argc && strcmp(*argv, "group") && strcmp(*argv, "name")) {
		if (!add_prefix(op, *argv, true))
			return false;
		argc--;
		argv++;
	}
	if (!op->count)
		return refuse(op, "missing address");
	return partner_options(op, argc, argv, takes);
}

bool parse_partner_add(struct op *op, int argc, char *const argv[])
{
	if (!partners(op, argc, argv, TAKES_NAME))
		return false;
	if (!op->mask)
		op->mask = 1u << NF_EDGE_GROUP_FEDERATION;
	return true;
}

bool parse_partner_del(struct op *op, int argc, char *const argv[])
{
	return partners(op, argc, argv, 0);
}

bool parse_partner_list(struct op *op, int argc, char *const argv[])
{
	reset(op);
	return partner_options(op, argc, argv, TAKES_NAME | TAKES_COVERS);
}

bool parse_partner_flush(struct op *op, int argc, char *const argv[])
{
	reset(op);
	return partner_options(op, argc, argv, 0);
}

bool parse_rows(struct op *op, int argc, char *const argv[])
{
	reset(op);
	return bits(op, row_names, "row", argc, argv);
}

static bool rows_enabled(struct op *op, int argc, char *const argv[], bool enabled)
{
	reset(op);
	op->set = true;
	op->value = enabled;
	return argc ? bits(op, row_names, "row", argc, argv) : refuse(op, "missing row");
}

bool parse_rule_enable(struct op *op, int argc, char *const argv[])
{
	return rows_enabled(op, argc, argv, true);
}

bool parse_rule_disable(struct op *op, int argc, char *const argv[])
{
	return rows_enabled(op, argc, argv, false);
}

bool parse_rule_set(struct op *op, int argc, char *const argv[])
{
	reset(op);
	if (!argc)
		return refuse(op, "missing row");
	if (!bits(op, row_names, "row", 1, argv))
		return false;
	if (argc > 1 && strcmp(argv[1], "peers"))
		return unexpected(op, argv[1]);
	if (argc < 3)
		return refuse(op, "missing %s", argc < 2 ? "\"peers\"" : "word after \"peers\"");
	if (argc > 3)
		return unexpected(op, argv[3]);
	op->set = true;
	return keyword(op, peers_names, "value of peers", argv[2], &op->value);
}

static bool explain_options(struct op *op, int argc, char *const argv[])
{
	const char *sport = NULL, *iif = NULL, *oif = NULL;
	struct flow *flow = &op->flow;

	while (argc) {
		if (option(op, &argc, &argv, "sport", &sport)) {
			if (!port(op, sport, strlen(sport), &flow->sport))
				return false;
		} else if (option(op, &argc, &argv, "iif", &iif)) {
			if (!device(op, iif, &flow->iif))
				return false;
		} else if (option(op, &argc, &argv, "oif", &oif)) {
			if (!device(op, oif, &flow->oif))
				return false;
		} else {
			return op->error[0] ? false : unexpected(op, argv[0]);
		}
	}
	return true;
}

bool parse_explain(struct op *op, int argc, char *const argv[])
{
	static const char *const protocols[] = { "tcp", "udp", NULL };
	struct flow *flow = &op->flow;
	uint32_t udp;

	reset(op);
	if (argc < 4)
		return refuse(op, "missing words: FROM TO tcp|udp DPORT");
	if (!address(op, argv[0], false, &flow->from) ||
	    !address(op, argv[1], false, &flow->to))
		return false;
	if (flow->from.size != flow->to.size)
		return refuse(op, "%.80s and %.80s are not of one address family",
			      argv[0], argv[1]);
	if (!keyword(op, protocols, "protocol", argv[2], &udp))
		return false;
	flow->protocol = udp ? IPPROTO_UDP : IPPROTO_TCP;
	if (!port(op, argv[3], strlen(argv[3]), &flow->dport))
		return false;
	return explain_options(op, argc - 4, argv + 4);
}

static bool blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/*
 * Takes the quoted word that begins behind @at; what the escapes leave is moved
 * to the front. Returns what follows the closing quote, NULL: refused.
 */
static char *quoted(struct op *op, char *at)
{
	char *to = at;

	for (; *at != '"'; at++) {
		if (*at == '\\') {
			at++;
			if (*at != '"' && *at != '\\') {
				refuse(op, "\"\\%.1s\": only \\\" and \\\\ are known in quotes",
				       at);
				return NULL;
			}
		}
		if (!*at) {
			refuse(op, "the closing quote is missing");
			return NULL;
		}
		*to++ = *at;
	}
	at++;
	if (*at && !blank(*at)) {
		refuse(op, "a blank is missing after the closing quote");
		return NULL;
	}
	*to = '\0';
	return at;
}

static char *bare(struct op *op, char *at)
{
	char *start = at;

	while (*at && !blank(*at) && *at != '"')
		at++;
	if (*at != '"')
		return at;
	refuse(op, "a quote inside the word \"%.80s\"", start);
	return NULL;
}

bool parse_line(struct op *op, char *line, size_t length, struct words *words)
{
	char *at = line;

	op->error[0] = '\0';
	words->count = 0;
	if (memchr(line, '\0', length))
		return refuse(op, "the line has a NUL byte");
	while (length && line[length - 1] == '\r')
		line[--length] = '\0';
	for (;;) {
		char *start, **list;

		while (blank(*at))
			at++;
		if (!*at || *at == '#')
			return true;
		list = grow(words->word, words->count, &words->room, sizeof(*list));
		if (!list)
			return refuse(op, "out of memory");
		words->word = list;
		start = *at == '"' ? at + 1 : at;
		at = *at == '"' ? quoted(op, start) : bare(op, start);
		if (!at)
			return false;
		list[words->count++] = start;
		if (*at)
			*at++ = '\0';
	}
}

const char *address_text(const struct prefix *prefix, char text[PREFIX_TEXT])
{
	if (!inet_ntop(prefix->size == 16 ? AF_INET6 : AF_INET, prefix->bytes, text,
		       PREFIX_TEXT))
		text[0] = '\0';
	return text;
}

const char *prefix_text(const struct prefix *prefix, char text[PREFIX_TEXT])
{
	size_t length;

	address_text(prefix, text);
	length = strlen(text);
	snprintf(text + length, PREFIX_TEXT - length, "/%u", prefix->len);
	return text;
}

const char *groups_text(uint32_t mask, char text[GROUPS_TEXT])
{
	size_t length = 0;
	int i;

	text[0] = '\0';
	for (i = 0; group_names[i]; i++) {
		if (mask & 1u << i)
			length += snprintf(text + length, GROUPS_TEXT - length, "%s%s",
					   length ? "," : "", group_names[i]);
	}
	return text;
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
