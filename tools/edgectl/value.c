// SPDX-License-Identifier: GPL-2.0-only
/*
 * value: a word becomes an address, a port, a group, a name, a time; or is refused, with what
 * would be right
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "value.h"
#include "words.h"

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
bool value_number(const char *text, size_t length, uint32_t max, uint32_t *value)
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

/* Which command lists the names of a list, where a refusal has no room for them. */
static const char *lister(const char *const names[])
{
	return names == row_names ? "edgectl help rule" : NULL;
}

static bool lookup(struct op *op, const char *const names[], const char *what,
		   const char *word, size_t length, uint32_t *value)
{
	char instead[WORDS_TEXT];
	uint32_t i;

	for (i = 0; names[i]; i++) {
		if (!strncmp(names[i], word, length) && !names[i][length]) {
			*value = i;
			return true;
		}
	}
	return refuse(op, "unknown %s \"%.*s\"%s", what, length > 80 ? 80 : (int)length, word,
		      words_instead(names, word, length, lister(names), instead));
}

bool value_keyword(struct op *op, const char *const names[], const char *what,
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

const char *value_port_behind(const char *word, const char *end)
{
	uint8_t bytes[4];
	const char *stop = *word == '[' ? memchr(word, ']', end - word) : dotted(word, bytes);

	if (stop && *word == '[')
		stop++;
	if (!stop || stop + 1 >= end || *stop != ':')
		return NULL;
	return strspn(stop + 1, "0123456789") == (size_t)(end - stop - 1) ? stop + 1 : NULL;
}

static bool is_everybody(const char *word, const char *end)
{
	return end - word == 3 && (!memcmp(word, "any", 3) || !memcmp(word, "all", 3));
}

/* What other tools would have taken, and we have otherwise. */
static const char *address_habit(const char *word, const char *end)
{
	uint8_t bytes[4];
	const char *stop;

	if (word == end)
		return "";
	if (strchr("{}", *word) || memchr(word, ',', end - word))
		return " (several addresses are words of their own, without commas)";
	if (value_port_behind(word, end))
		return " (an address has no port: the rows have the ports)";
	stop = dotted(word, bytes);
	if (stop && *stop == '-')
		return " (a range is given as its prefixes, ADDRESS/LEN)";
	if (is_everybody(word, end))
		return " (everybody is 0.0.0.0/0 and ::/0)";
	if (*word == '!')
		return " (who is not to be admitted is blocked: see edgectl help block)";
	if (isalpha((unsigned char)*word))
		return " (as 203.0.113.10 or 2001:db8::10)";
	return "";
}

/* The length that a netmask stands for, as 255.255.255.0 does for 24; or -1. */
static int netmask(const char *word, const char *end)
{
	uint8_t bytes[4];
	uint32_t mask;

	if (dotted(word, bytes) != end)
		return -1;
	mask = (uint32_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
	return ~mask & (~mask + 1) ? -1 : __builtin_popcount(mask);
}

static bool bad_length(struct op *op, const char *word, const char *slash, const char *end)
{
	int len = netmask(slash + 1, end);

	if (len < 0)
		return refuse(op, "bad prefix length in \"%.*s\"", value_shown(word, end), word);
	return refuse(op, "bad prefix length in \"%.*s\": did you mean %.*s/%d?",
		      value_shown(word, end), word, value_shown(word, slash), word, len);
}

/* @stop: where the address should have ended. */
static bool no_address(struct op *op, const char *word, const char *stop, const char *end)
{
	if (memchr(word, '%', stop - word))
		return refuse(op, "%.*s cannot be meant: it has a scope", value_shown(word, end),
			      word);
	return refuse(op, "bad address \"%.*s\"%s", value_shown(word, end), word,
		      address_habit(word, end));
}

bool value_address(struct op *op, const char *word, const char *end, bool with_length,
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
	if (!value_number(stop + 1, end - stop - 1, prefix->len, &len))
		return bad_length(op, word, stop, end);
	prefix->len = len;
	return true;
}

bool value_whole_address(struct op *op, const char *word, struct prefix *prefix)
{
	return value_address(op, word, word + strlen(word), false, prefix);
}

bool value_no_host_bits(struct op *op, const char *word, const char *end, struct prefix *prefix)
{
	char text[PREFIX_TEXT];

	if (!prefix_clear_host_bits(prefix))
		return true;
	return refuse(op, "%.*s has host bits set (%s has none)", value_shown(word, end), word,
		      prefix_text(prefix, text));
}

bool value_add_prefix(struct op *op, const char *word, const char *end, bool with_length)
{
	struct prefix *list, *prefix;
	const char *kind;

	list = grow(op->prefix, op->count, &op->room, sizeof(*list));
	if (!list)
		return refuse(op, "out of memory");
	op->prefix = list;
	prefix = &list[op->count];
	if (!value_address(op, word, end, with_length, prefix) ||
	    !value_no_host_bits(op, word, end, prefix))
		return false;
	kind = meaningless(prefix);
	if (kind)
		return refuse(op, "%.*s cannot be meant: it is %s", value_shown(word, end), word,
			      kind);
	op->count++;
	return true;
}

bool value_port(struct op *op, const char *word, size_t length, uint32_t *value)
{
	if (value_number(word, length, 65535, value) && *value)
		return true;
	return refuse(op, "bad port \"%.*s\" (1 to 65535)",
		      length > 80 ? 80 : (int)length, word);
}

bool value_service(struct op *op, const char *word, uint32_t protocol, uint32_t *value)
{
	const char *name = protocol == IPPROTO_UDP ? "udp" : "tcp";
	const struct servent *found = NULL;

	if (value_number(word, strlen(word), 65535, value) && *value)
		return true;
	if (isalpha((unsigned char)*word))
		found = getservbyname(word, name);
	if (!found)
		return refuse(op, "bad port \"%.80s\" (1 to 65535, or a %s service as https)",
			      word, name);
	*value = ntohs(found->s_port);
	return true;
}

/* A range as iptables, or a shell, has it: refuses it. */
static bool other_range(struct op *op, const char *word, size_t length)
{
	size_t left = strspn(word, "0123456789"), between = strspn(word + left, ":.");

	if (!left || !between || left + between >= length ||
	    strspn(word + left + between, "0123456789") != length - left - between)
		return false;
	op_refuse(op, "bad port range \"%.*s\": did you mean %.*s-%.*s?",
		  value_shown(word, word + length), word, value_shown(word, word + left), word,
		  value_shown(word + left + between, word + length), word + left + between);
	return true;
}

bool value_ports(struct op *op, const char *word)
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

		if (other_range(op, word, length))
			return false;
		if (!left || (dash && left + 1 == length))
			return refuse(op, "missing port in \"%.80s\"", whole);
		if (!value_port(op, word, left, &first))
			return false;
		last = first;
		if (dash && !value_port(op, dash + 1, length - left - 1, &last))
			return false;
		if (last < first)
			return refuse(op, "reversed range \"%.*s\": did you mean %u-%u?",
				      (int)length, word, last, first);
		for (i = first; i <= last; i++)
			op->ports[i / 8] |= 1 << i % 8;
		if (!word[length])
			return true;
		word += length + 1;
	}
}

bool value_listed(struct op *op, const char *const names[], const char *what,
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

bool value_groups(struct op *op, const char *word, const char *end)
{
	return value_listed(op, group_names, "group", word, end, &op->mask);
}

bool value_is_label(struct op *op, const char *what, const char *word)
{
	if (!*word)
		return refuse(op, "the %s \"\" is empty", what);
	if (strlen(word) > NF_EDGE_NAME_MAX)
		return refuse(op, "the %s \"%.80s\" is longer than %d bytes", what, word,
			      NF_EDGE_NAME_MAX);
	return all_shown(op, what, word);
}

bool value_label(struct op *op, const char *what, const char *word)
{
	if (!value_is_label(op, what, word))
		return false;
	op->text = word;
	return true;
}

bool value_name(struct op *op, const char *word)
{
	return value_label(op, "name", word);
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

bool value_domain(struct op *op, const char *word, struct domain *domain)
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

bool value_is_domain(const char *word)
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

static bool add_domain(struct op *op, const char *word)
{
	struct domain *list = grow(op->name, op->names, &op->name_room, sizeof(*list));

	if (!list)
		return refuse(op, "out of memory");
	op->name = list;
	if (!value_domain(op, word, &list[op->names]))
		return false;
	op->names++;
	return true;
}

bool value_is_plain_word(const char *word)
{
	return isalpha((unsigned char)*word) && !strpbrk(word, ".:/");
}

bool value_add_party(struct op *op, const char *word)
{
	const char *end = word + strlen(word);

	if (value_is_domain(word))
		return add_domain(op, word);
	if (value_is_plain_word(word) && !is_everybody(word, end))
		return refuse(op,
			      "\"%.80s\" is neither an address nor a domain (a domain has a dot, as example.com; a host is given as %sNAME)",
			      word, NF_EDGE_DOMAIN_HOST);
	return value_add_prefix(op, word, end, true);
}

bool value_can_be_named(struct op *op)
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
bool value_device(struct op *op, const char *word, const char **to)
{
	if (!*word || strlen(word) >= DEVICE_TEXT || strpbrk(word, "/: \240") ||
	    !strcmp(word, ".") || !strcmp(word, ".."))
		return refuse(op, "bad device name \"%.80s\"", word);
	if (!all_shown(op, "device name", word))
		return false;
	*to = word;
	return true;
}

bool value_duration(struct op *op, const char *word)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	size_t length = strlen(word), i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (length && word[length - 1] == units[i].unit &&
		    value_number(word, length - 1, UINT32_MAX / units[i].seconds, &op->value)) {
			op->value *= units[i].seconds;
			return true;
		}
	}
	return refuse(op, "bad duration \"%.80s\" (as in 30s, 15m, 12h, 90d, 4w)", word);
}

bool value_is_duration(const char *word)
{
	size_t digits = strspn(word, "0123456789");

	return digits && word[digits] && strchr("smhdw", word[digits]) && !word[digits + 1];
}

bool value_end(struct op *op, const char *word)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ" };
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm parts = { 0 };
		const char *end = strptime(word, formats[i], &parts);
		const int day = parts.tm_mday;
		time_t time = end && !*end ? timegm(&parts) : 0;

		if (time > 0 && parts.tm_mday == day) {	/* no February 30 */
			op->until = time;
			return true;
		}
	}
	if (strchr(word, '-') || strchr(word, ':') || !value_duration(op, word))
		return refuse(op,
			      "bad end \"%.80s\" (a duration as 30m, 12h or 7d, or a time as 2026-12-01T03:00:00Z)",
			      word);
	op->relative = true;
	op->until = time(NULL) + op->value;
	op->value = 0;
	return true;
}
