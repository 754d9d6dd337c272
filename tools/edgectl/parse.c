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
const char *const finding_names[] = { NF_EDGE_FINDINGS(NAME_OF) NULL };

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
	free(op->name);
	op->prefix = NULL;
	op->name = NULL;
	op->count = 0;
	op->names = 0;
	op->room = 0;
	op->name_room = 0;
}

/* The port map is left as it is: who reads it, has filled it. */
static void reset(struct op *op)
{
	op->set = false;
	op->value = 0;
	op->mask = 0;
	op->reasons = 0;
	op->text = NULL;
	op->count = 0;
	op->names = 0;
	op->domain.text[0] = '\0';
	op->own = false;
	memset(&op->flow, 0, sizeof(op->flow));
	op->error[0] = '\0';
}

void *grow_list(void *list, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 8;

	list = reallocarray(list, more, size);
	if (list)
		*room = more;
	return list;
}

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

/* Says of the @what that it may not be called so, if it may not. */
static bool all_shown(struct op *op, const char *what, const char *word)
{
	const char *at = first_unshown(word);
	uint32_t character;

	if (!at)
		return true;
	if (!utf8(at, &character))
		return refuse(op, "the %s \"%.80s\" is not UTF-8", what, word);
	return refuse(op, "the %s \"%.80s\" has U+%04X, which is not shown", what, word,
		      character);
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
		if (!strncmp(names[i], word, length) && !names[i][length]) {
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

/* Four numbers; what follows them, or NULL. A million cost three times as much with inet_pton(). */
static const char *dotted(const char *word, uint8_t bytes[4])
{
	int i;

	for (i = 0; i < 4; i++) {
		uint32_t sum = *word - '0', digit;

		if (sum > 9)
			return NULL;
		while ((digit = *++word - '0') <= 9) {
			if (!sum || sum > 25)
				return NULL;
			sum = sum * 10 + digit;
		}
		if (sum > 255 || (i < 3 && *word++ != '.'))
			return NULL;
		bytes[i] = sum;
	}
	return word;
}

static bool colons(const char *word, const char *end, uint8_t bytes[16])
{
	char text[INET6_ADDRSTRLEN];
	size_t length = end - word;

	if (length >= sizeof(text))
		return false;
	memcpy(text, word, length);
	text[length] = '\0';
	return inet_pton(AF_INET6, text, bytes) == 1;
}

/* How much of a word a message shows. */
static int shown(const char *word, const char *end)
{
	return end - word > 80 ? 80 : end - word;
}

/* @stop: where the address should have ended. */
static bool no_address(struct op *op, const char *word, const char *stop, const char *end)
{
	if (memchr(word, '%', stop - word))
		return refuse(op, "%.*s cannot be meant: it has a scope", shown(word, end), word);
	return refuse(op, "bad address \"%.*s\"", shown(word, end), word);
}

/* Any address up to @end, with or without /LEN when @with_length. */
static inline bool address(struct op *op, const char *word, const char *end, bool with_length,
			   struct prefix *prefix)
{
	const char *stop;
	uint32_t len;

	memset(prefix, 0, sizeof(*prefix));
	stop = dotted(word, prefix->bytes);
	if (stop && (stop == end || (with_length && *stop == '/'))) {
		prefix->size = 4;
	} else {
		stop = with_length ? memchr(word, '/', end - word) : NULL;
		if (!stop)
			stop = end;
		if (!colons(word, stop, prefix->bytes))
			return no_address(op, word, stop, end);
		prefix->size = 16;
	}
	prefix->len = prefix->size * 8;
	if (stop == end)
		return true;
	if (!number(stop + 1, end - stop - 1, prefix->len, &len))
		return refuse(op, "bad prefix length in \"%.*s\"", shown(word, end), word);
	prefix->len = len;
	return true;
}

static bool whole_address(struct op *op, const char *word, struct prefix *prefix)
{
	return address(op, word, word + strlen(word), false, prefix);
}

/* Clears the bits beyond the length; true: some were set. */
static bool clear_host_bits(struct prefix *prefix)
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

int entry_compare(const struct entry *a, const struct entry *b)
{
	int by_prefix = prefix_compare(&a->prefix, &b->prefix);

	return by_prefix ? by_prefix : strcmp(a->domain ? a->domain : "",
					      b->domain ? b->domain : "");
}

static inline bool no_host_bits(struct op *op, const char *word, const char *end,
				struct prefix *prefix)
{
	char text[PREFIX_TEXT];

	if (!clear_host_bits(prefix))
		return true;
	return refuse(op, "%.*s has host bits set (%s has none)", shown(word, end), word,
		      prefix_text(prefix, text));
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

/* Appends an address that a policy may hold. */
static bool add_prefix(struct op *op, const char *word, const char *end, bool with_length)
{
	struct prefix *list, *prefix;
	const char *kind;

	list = grow(op->prefix, op->count, &op->room, sizeof(*list));
	if (!list)
		return refuse(op, "out of memory");
	op->prefix = list;
	prefix = &list[op->count];
	if (!address(op, word, end, with_length, prefix) || !no_host_bits(op, word, end, prefix))
		return false;
	kind = meaningless(prefix);
	if (kind)
		return refuse(op, "%.*s cannot be meant: it is %s", shown(word, end), word, kind);
	op->count++;
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
			return refuse(op, "missing port in \"%.80s\"", whole);
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

/* Names of @names, comma separated, as bits of @mask. */
static inline bool listed(struct op *op, const char *const names[], const char *what,
			  const char *word, const char *end, uint32_t *mask)
{
	for (;;) {
		const char *comma = memchr(word, ',', end - word);
		size_t length = (comma ? comma : end) - word;
		uint32_t bit;

		if (!lookup(op, names, what, word, length, &bit))
			return false;
		if (*mask & 1u << bit)
			return refuse(op, "%s \"%s\" is repeated", what, names[bit]);
		*mask |= 1u << bit;
		if (!comma)
			return true;
		word = comma + 1;
	}
}

static bool groups(struct op *op, const char *word, const char *end)
{
	return listed(op, group_names, "group", word, end, &op->mask);
}

static bool name(struct op *op, const char *word)
{
	if (!*word)
		return refuse(op, "the name \"\" is empty");
	if (strlen(word) > NF_EDGE_NAME_MAX)
		return refuse(op, "the name \"%.80s\" is longer than %d bytes", word,
			      NF_EDGE_NAME_MAX);
	if (!all_shown(op, "name", word))
		return false;
	op->text = word;
	return true;
}

/* Where the host's name begins, if it is one. */
static const char *host_in(const char *word)
{
	size_t length = strlen(NF_EDGE_DOMAIN_HOST);

	return strncasecmp(word, NF_EDGE_DOMAIN_HOST, length) ? word : word + length;
}

/* The kernel's rule, whatever DNS might allow. @text is in lower case. */
static bool well_formed(const char *text)
{
	size_t length;

	if (strlen(text) > NF_EDGE_DOMAIN_MAX - strlen(NF_EDGE_DOMAIN_HOST))
		return false;
	for (;; text += length + 1) {
		length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
		if (!length || length > 63 || text[0] == '-' || text[length - 1] == '-')
			return false;
		if (text[length] != '.')
			return !text[length];
	}
}

bool parse_domain(struct op *op, const char *word, struct domain *domain)
{
	size_t length = strlen(word), i;

	for (i = 0; i < length; i++) {
		if (word[i] & 0x80)
			return refuse(op,
				      "the domain \"%.80s\" is not ASCII (DNS has it as xn--...)",
				      word);
	}
	if (length && word[length - 1] == '.')
		length--;
	if (length > NF_EDGE_DOMAIN_MAX)
		return refuse(op, "the domain \"%.80s\" is too long", word);
	for (i = 0; i < length; i++)
		domain->text[i] = word[i] >= 'A' && word[i] <= 'Z' ? word[i] | 0x20 : word[i];
	domain->text[length] = '\0';
	if (well_formed(host_in(domain->text)))
		return true;
	domain->text[0] = '\0';
	return refuse(op, "bad domain \"%.80s\"", word);
}

/* Whether it can only be meant as a name: no address ends like a top-level domain. */
static bool is_name(const char *word)
{
	size_t length = strlen(word);
	const char *top, *at;

	if (host_in(word) != word)
		return true;
	for (at = word; *at; at++) {
		if (*at == '/' || *at == ':' || *at == '%')
			return false;
		if (*at & 0x80)
			return true;
	}
	if (length && word[length - 1] == '.')
		length--;
	top = memrchr(word, '.', length);
	return top && (top[1] | 0x20) >= 'a' && (top[1] | 0x20) <= 'z' &&
	       word + length - top > 2;
}

static bool add_name(struct op *op, const char *word)
{
	struct domain *list = grow(op->name, op->names, &op->name_room, sizeof(*list));

	if (!list)
		return refuse(op, "out of memory");
	op->name = list;
	if (!parse_domain(op, word, &list[op->names]))
		return false;
	op->names++;
	return true;
}

/* Of a domain, only these groups have a service to ask for. */
static bool can_be_named(struct op *op)
{
	uint32_t served = 1u << NF_EDGE_GROUP_FEDERATION | 1u << NF_EDGE_GROUP_PIC |
			  1u << NF_EDGE_GROUP_XMPP;
	size_t i;

	for (i = 0; i < op->names; i++) {
		const char *name = op->name[i].text;

		if (!(op->mask & ~served) || host_in(name) != name)
			continue;
		return refuse(op,
			      "%.80s: DNS knows no service of group %s by domain (a host's name is given as %s%.80s)",
			      name, group_names[__builtin_ffs(op->mask & ~served) - 1],
			      NF_EDGE_DOMAIN_HOST, name);
	}
	return true;
}

/* To the kernel, byte 0xa0 is a blank, as in Latin 1, even inside "\303\240" (UTF-8). */
static bool device(struct op *op, const char *word, const char **to)
{
	if (!*word || strlen(word) >= DEVICE_TEXT || strpbrk(word, "/: \240") ||
	    !strcmp(word, ".") || !strcmp(word, ".."))
		return refuse(op, "bad device name \"%.80s\"", word);
	if (!all_shown(op, "device name", word))
		return false;
	*to = word;
	return true;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

bool unexpected(struct op *op, const char *word)
{
	if (is_option(word))
		return refuse(op, "unexpected word \"%.80s\" (options stand before the object)",
			      word);
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

bool parse_help(struct op *op, int argc, char *const argv[])
{
	reset(op);
	op->file = NULL;
	if (argc)
		op->text = argv[0];
	if (argc > 1)
		op->file = argv[1];
	return argc > 2 ? unexpected(op, argv[2]) : true;
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
	if (!bits(op, role_names, "role", 1, argv) ||
	    !add_prefix(op, argv[1], argv[1] + strlen(argv[1]), false))
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

static bool take_groups(struct op *op, const char *word)
{
	return groups(op, word, word + strlen(word));
}

static bool take_domain(struct op *op, const char *word)
{
	return parse_domain(op, word, &op->domain);
}

static bool take_covered(struct op *op, const char *word)
{
	return whole_address(op, word, &op->flow.from);
}

static bool take_duration(struct op *op, const char *word)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	size_t length = strlen(word), i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (length && word[length - 1] == units[i].unit &&
		    number(word, length - 1, UINT32_MAX / units[i].seconds, &op->value)) {
			op->value *= units[i].seconds;
			return true;
		}
	}
	return refuse(op, "bad duration \"%.80s\" (as in 30s, 15m, 12h, 90d, 4w)", word);
}

/* What may follow a partner command's addresses; a group always may. */
#define TAKES_GROUP	(1 << 0)
#define TAKES_DOMAIN	(1 << 1)
#define TAKES_NAME	(1 << 2)
#define TAKES_COVERS	(1 << 3)
#define TAKES_IDLE	(1 << 4)
#define TAKES_NONE	(1 << 5)	/* for a name, or for a domain: "" */

static bool take_none(struct op *op, bool (*take)(struct op *op, const char *value))
{
	if (take == name)
		op->text = "";
	else if (take == take_domain)
		op->own = true;
	else
		return take(op, "");
	return true;
}

static bool partner_options(struct op *op, int argc, char *const argv[], int takes)
{
	static const struct {
		const char *word;
		bool (*take)(struct op *op, const char *value);
	} options[] = {
		{ "group", take_groups },
		{ "domain", take_domain },
		{ "name", name },
		{ "covers", take_covered },
		{ "idle", take_duration },
	};
	const size_t count = sizeof(options) / sizeof(options[0]);
	const char *value[sizeof(options) / sizeof(options[0])] = { NULL };
	size_t i;

	takes |= TAKES_GROUP;
	while (argc) {
		i = 0;
		while (i < count && !(takes & 1 << i &&
				      option(op, &argc, &argv, options[i].word, &value[i])))
			i++;
		if (i == count)
			return op->error[0] ? false : unexpected(op, argv[0]);
		if (takes & TAKES_NONE && !*value[i] ? !take_none(op, options[i].take) :
						       !options[i].take(op, value[i]))
			return false;
	}
	return true;
}

static bool partners(struct op *op, int argc, char *const argv[], int takes)
{
	reset(op);
	while (argc && strcmp(*argv, "group") && strcmp(*argv, "name") && strcmp(*argv, "domain")) {
		if (is_name(*argv) ? !add_name(op, *argv) :
				     !add_prefix(op, *argv, *argv + strlen(*argv), true))
			return false;
		argc--;
		argv++;
	}
	if (!op->count && !op->names)
		return refuse(op, "missing address");
	if (!partner_options(op, argc, argv, takes | TAKES_DOMAIN | TAKES_NONE))
		return false;
	if (op->names && (op->domain.text[0] || op->own))
		return refuse(op, "\"domain\" goes with addresses, not with %.80s",
			      op->name[0].text);
	return true;
}

bool parse_partner_add(struct op *op, int argc, char *const argv[])
{
	if (!partners(op, argc, argv, TAKES_NAME))
		return false;
	if (!op->mask)
		op->mask = 1u << NF_EDGE_GROUP_FEDERATION;
	return can_be_named(op);
}

bool parse_partner(struct op *op, const char *word, const char *group, uint32_t mask,
		   const char *text)
{
	reset(op);
	if (is_name(word) ? !add_name(op, word) :
			    !add_prefix(op, word, word + strlen(word), true))
		return false;
	if (group && !groups(op, group, group + strlen(group)))
		return false;
	if (text && !name(op, text))
		return false;
	if (!group)
		op->mask = mask;
	return can_be_named(op);
}

bool parse_partner_import(struct op *op, int argc, char *const argv[])
{
	reset(op);
	if (!argc)
		return refuse(op, "missing file");
	if (!partner_options(op, argc - 1, argv + 1, TAKES_NAME))
		return false;
	if (!op->mask)
		op->mask = 1u << NF_EDGE_GROUP_FEDERATION;
	op->file = argv[0];
	return true;
}

bool parse_partner_refresh(struct op *op, int argc, char *const argv[])
{
	reset(op);
	if (argc > 1)
		return unexpected(op, argv[1]);
	return argc ? parse_domain(op, argv[0], &op->domain) : true;
}

bool parse_partner_del(struct op *op, int argc, char *const argv[])
{
	return partners(op, argc, argv, 0);
}

bool parse_partner_list(struct op *op, int argc, char *const argv[])
{
	reset(op);
	return partner_options(op, argc, argv,
			       TAKES_NAME | TAKES_COVERS | TAKES_IDLE | TAKES_DOMAIN);
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
		} else if (!op->error[0] && !op->set && !strcmp(argv[0], "--all")) {
			op->set = true;
			argc--;
			argv++;
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
	if (argc && !strcmp(argv[0], "--all")) {	/* where options stand elsewhere */
		op->set = true;
		argc--;
		argv++;
	}
	if (argc < 4)
		return refuse(op, "missing words: FROM TO tcp|udp DPORT");
	if (!whole_address(op, argv[0], &flow->from) ||
	    !whole_address(op, argv[1], &flow->to))
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

bool parse_load(struct op *op, int argc, char *const argv[])
{
	const char *seconds = NULL;

	reset(op);
	op->set = option(op, &argc, &argv, "--confirm", &seconds);
	if (op->error[0])
		return false;
	if (op->set && (!number(seconds, strlen(seconds), NF_EDGE_CONFIRM_MAX, &op->value) ||
			!op->value))
		return refuse(op, "bad number of seconds \"%.80s\" (1 to %d)", seconds,
			      NF_EDGE_CONFIRM_MAX);
	if (!argc)
		return refuse(op, "missing file");
	op->text = argv[0];
	if (argc > 1)
		return unexpected(op, argv[is_option(argv[0]) ? 0 : 1]);
	return true;
}

/* Any prefix may be asked about. */
static bool filter_prefix(struct op *op, const char *word, struct prefix *prefix)
{
	const char *end = word + strlen(word);

	return address(op, word, end, true, prefix) && no_host_bits(op, word, end, prefix);
}

static bool drop_filters(struct op *op, int argc, char *const argv[])
{
	const char *reason = NULL, *row = NULL, *from = NULL, *to = NULL;

	while (argc) {
		if (option(op, &argc, &argv, "reason", &reason)) {
			if (!listed(op, reason_names, "reason", reason, reason + strlen(reason),
				    &op->reasons))
				return false;
		} else if (option(op, &argc, &argv, "row", &row)) {
			if (!listed(op, row_names, "row", row, row + strlen(row), &op->mask))
				return false;
		} else if (option(op, &argc, &argv, "from", &from)) {
			if (!filter_prefix(op, from, &op->flow.from))
				return false;
		} else if (option(op, &argc, &argv, "to", &to)) {
			if (!filter_prefix(op, to, &op->flow.to))
				return false;
		} else {
			return op->error[0] ? false : unexpected(op, argv[0]);
		}
	}
	return true;
}

bool parse_monitor(struct op *op, int argc, char *const argv[])
{
	reset(op);
	if (!argc)
		return true;
	if (!strcmp(argv[0], "config")) {
		op->value = 1;
		return argc > 1 ? unexpected(op, argv[1]) : true;
	}
	op->value = 2;	/* what may follow is about drops */
	if (!strcmp(argv[0], "drops")) {
		argc--;
		argv++;
	}
	return drop_filters(op, argc, argv);
}

bool parse_seconds(struct op *op, int argc, char *const argv[])
{
	reset(op);
	op->value = 1;
	if (!argc)
		return true;
	if (argc > 1)
		return unexpected(op, argv[1]);
	if (!number(argv[0], strlen(argv[0]), 86400, &op->value) || !op->value)
		return refuse(op, "bad number of seconds \"%.80s\" (1 to 86400)", argv[0]);
	return true;
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
			refuse(op, "missing closing quote");
			return NULL;
		}
		*to++ = *at;
	}
	at++;
	if (*at && !blank(*at)) {
		refuse(op, "missing blank after the closing quote");
		return NULL;
	}
	*to = '\0';
	return at;
}

static char *bare(struct op *op, char *at)
{
	char *end = at + strcspn(at, " \t\"");

	if (*end != '"')
		return end;
	refuse(op, "the word \"%.80s\" has a quote inside", at);
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

/* What follows @start in the text up to @last, or NULL. */
static inline const char *after(const char *text, const char *last, const char *start)
{
	size_t length = strlen(start);

	return (size_t)(last - text) < length || memcmp(text, start, length) ? NULL : text + length;
}

bool parse_plain_partner(struct op *op, const char *line, size_t length)
{
	const char *last = line + length, *word = after(line, last, "partner add "), *end;

	if (!word)
		return false;
	reset(op);
	end = strchrnul(word, ' ');
	if (!add_prefix(op, word, end, true))
		return false;
	word = after(end, last, " group ");
	if (!word)
		return false;
	end = strchrnul(word, ' ');
	if (!groups(op, word, end))
		return false;
	word = after(end, last, " name ");
	if (word) {
		end = word + strcspn(word, " \t\"#\r");
		if (*end || !name(op, word))
			return false;
	}
	return end == last;
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
