// SPDX-License-Identifier: GPL-2.0-only
/*
 * dns: what a domain stands for. The only file that knows c-ares.
 *
 * c-ares, for the C library has no time limit that a caller could set, and does not tell "no such
 * name" from "no server answers" where it tells anything at all; and SRV records it leaves to
 * whoever asks. It is linked like the other libraries: it makes edgectl's start 75,000
 * instructions longer, where that and a request of the kernel take 2,500,000.
 *
 * DNS is not believed more than a user: an answer has no address that a user could not type, no
 * port that the rows do not have, and an end.
 */
#define CARES_NO_DEPRECATED	/* the functions that every version has */
#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "dns.h"

#define AT_A_TIME	32	/* domains */
#define TARGETS_MAX	32	/* hosts that a domain may name */
#define ADDRESSES_MAX	256	/* and addresses */
#define TRY_MS		1500	/* until a server is asked again; then twice as long */
#define TRIES		2
#define NAME_TEXT	(NF_EDGE_DOMAIN_MAX + 32)

static const struct {
	uint32_t groups;
	const char *name;
	uint16_t port;
} services[] = {
	{ 1u << NF_EDGE_GROUP_FEDERATION | 1u << NF_EDGE_GROUP_PIC,
	  "_sipfederationtls._tcp", 5061 },
	{ 1u << NF_EDGE_GROUP_XMPP, "_xmpp-server._tcp", 5269 },
};

#define SERVICES	(sizeof(services) / sizeof(services[0]))

/**
 * struct question - what is asked of a name
 * @waiting: queries that have no answer yet
 * @found: addresses
 */
struct question {
	ares_channel channel;
	struct lookup *lookup;
	uint32_t groups;
	uint16_t port;
	unsigned int waiting;
	unsigned int found;
	char name[NAME_TEXT];
};

/* The first thing that goes wrong is told. */
__attribute__((format(printf, 2, 3)))
static void failed(struct lookup *lookup, const char *format, ...)
{
	char sentence[ERROR_TEXT];
	va_list args;

	if (lookup->error[0])
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	snprintf(lookup->error, sizeof(lookup->error), "%.*s: %.240s", NF_EDGE_DOMAIN_MAX,
		 lookup->domain.text, sentence);
}

/* Why there is no answer about a name. */
static void no_answer(struct lookup *lookup, const char *name, const char *records, int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		failed(lookup, "there is no %s in DNS", name);
		break;
	case ARES_ENODATA:
		failed(lookup, "%s has no %s record", name, records);
		break;
	case ARES_ESERVFAIL:
		failed(lookup, "the DNS server fails to find %s (SERVFAIL)", name);
		break;
	case ARES_EREFUSED:
		failed(lookup, "the DNS server refuses to tell %s (REFUSED)", name);
		break;
	case ARES_ETIMEOUT:
		failed(lookup, "no DNS server answers in time about %s", name);
		break;
	case ARES_ECONNREFUSED:
		lookup->again = true;
		failed(lookup, "no DNS server can be asked about %s", name);
		break;
	case ARES_ENOMEM:
		failed(lookup, "out of memory");
		break;
	default:
		failed(lookup, "the DNS answer about %s cannot be used: %s", name,
		       ares_strerror(status));
	}
}

static struct question *ask(ares_channel channel, struct lookup *lookup, uint32_t groups,
			    unsigned int queries)
{
	struct question *question = calloc(1, sizeof(*question));

	if (!question) {
		failed(lookup, "out of memory");
		return NULL;
	}
	question->channel = channel;
	question->lookup = lookup;
	question->groups = groups;
	question->waiting = queries;
	lookup->waiting += queries;
	return question;
}

/* ---- addresses ---- */

/* As meaningless(), and what can only be meant where it is said. */
static const char *cannot_be_meant(const struct prefix *prefix)
{
	const uint8_t *byte = prefix->bytes;
	const char *kind = meaningless(prefix);

	if (kind)
		return kind;
	if (prefix->size == 4 ? byte[0] == 169 && byte[1] == 254 :
				byte[0] == 0xfe && (byte[1] & 0xc0) == 0x80)
		return "link-local";
	if (prefix->size == 4 && (!byte[0] || byte[0] >= 240))
		return "reserved";
	return NULL;
}

static void add_address(struct question *question, const void *bytes, size_t size)
{
	struct prefix prefix = { .size = size, .len = size * 8 };
	struct lookup *lookup = question->lookup;
	char text[PREFIX_TEXT];
	struct entry *list;
	const char *kind;
	size_t i;

	memcpy(prefix.bytes, bytes, size);
	question->found++;
	kind = cannot_be_meant(&prefix);
	if (kind) {
		failed(lookup, "%s has the address %s, which cannot be meant: it is %s",
		       question->name, address_text(&prefix, text), kind);
		return;
	}
	for (i = 0; i < lookup->count; i++) {
		if (!memcmp(&lookup->list[i].prefix, &prefix, sizeof(prefix))) {
			lookup->list[i].mask |= question->groups;
			return;
		}
	}
	if (lookup->count == ADDRESSES_MAX) {
		failed(lookup, "DNS gives it more than %d addresses", ADDRESSES_MAX);
		return;
	}
	list = grow(lookup->list, lookup->count, &lookup->room, sizeof(*list));
	if (!list) {
		failed(lookup, "out of memory");
		return;
	}
	lookup->list = list;
	list[lookup->count++] = (struct entry){ .prefix = prefix, .mask = question->groups };
}

/* One of the two queries of a host has come to its end. */
static void take_addresses(struct question *question, int status, unsigned char *answer, int length,
			   int (*parse)(const unsigned char *answer, int length,
					struct hostent **host))
{
	struct lookup *lookup = question->lookup;
	struct hostent *host = NULL;
	char **at;

	if (status == ARES_SUCCESS)
		status = parse(answer, length, &host);
	if (status == ARES_SUCCESS) {
		for (at = host->h_addr_list; *at; at++)
			add_address(question, *at, host->h_length);
		ares_free_hostent(host);
	} else if (status != ARES_ENODATA && status != ARES_EDESTRUCTION) {
		no_answer(lookup, question->name, "address", status);
	}
	lookup->waiting--;
	if (--question->waiting)
		return;
	if (!question->found)
		no_answer(lookup, question->name, "A or AAAA", ARES_ENODATA);
	free(question);
}

static int parse_ipv4(const unsigned char *answer, int length, struct hostent **host)
{
	return ares_parse_a_reply(answer, length, host, NULL, NULL);
}

static int parse_ipv6(const unsigned char *answer, int length, struct hostent **host)
{
	return ares_parse_aaaa_reply(answer, length, host, NULL, NULL);
}

static void take_a(void *question, int status, int timeouts, unsigned char *answer, int length)
{
	(void)timeouts;
	take_addresses(question, status, answer, length, parse_ipv4);
}

static void take_aaaa(void *question, int status, int timeouts, unsigned char *answer, int length)
{
	(void)timeouts;
	take_addresses(question, status, answer, length, parse_ipv6);
}

static void ask_addresses(ares_channel channel, struct lookup *lookup, uint32_t groups,
			  const char *host)
{
	struct question *question = ask(channel, lookup, groups, 2);

	if (!question)
		return;
	snprintf(question->name, sizeof(question->name), "%s", host);
	ares_query(channel, host, ns_c_in, ns_t_a, take_a, question);
	ares_query(channel, host, ns_c_in, ns_t_aaaa, take_aaaa, question);
}

/* ---- services ---- */

static void take_target(struct question *question, const struct ares_srv_reply *srv)
{
	struct lookup *lookup = question->lookup;

	if (!srv->host[0] || !strcmp(srv->host, "."))
		failed(lookup, "%s says that there is no such service", question->name);
	else if (srv->port != question->port)
		failed(lookup, "%s has port %u of %.100s, and the rows have port %u",
		       question->name, srv->port, srv->host, question->port);
	else if (lookup->targets++ >= TARGETS_MAX)
		failed(lookup, "DNS gives it more than %d hosts", TARGETS_MAX);
	else
		ask_addresses(question->channel, lookup, question->groups, srv->host);
}

static void take_srv(void *data, int status, int timeouts, unsigned char *answer, int length)
{
	struct ares_srv_reply *list = NULL, *srv;
	struct question *question = data;
	struct lookup *lookup = question->lookup;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		status = ares_parse_srv_reply(answer, length, &list);
	if (status == ARES_SUCCESS && !list)
		status = ARES_ENODATA;
	if (!lookup->error[0])
		lookup->missing = status == ARES_ENOTFOUND || status == ARES_ENODATA;
	if (status != ARES_SUCCESS && status != ARES_EDESTRUCTION)
		no_answer(lookup, question->name, "SRV", status);
	for (srv = list; srv && !lookup->error[0]; srv = srv->next)
		take_target(question, srv);
	if (list)
		ares_free_data(list);
	lookup->waiting--;
	free(question);
}

static void ask_service(ares_channel channel, struct lookup *lookup, size_t which)
{
	uint32_t groups = lookup->mask & services[which].groups;
	struct question *question;

	if (!groups || lookup->error[0])
		return;
	question = ask(channel, lookup, groups, 1);
	if (!question)
		return;
	question->port = services[which].port;
	snprintf(question->name, sizeof(question->name), "%s.%s", services[which].name,
		 lookup->domain.text);
	ares_query(channel, question->name, ns_c_in, ns_t_srv, take_srv, question);
}

/* ---- all of them ---- */

static void begin(ares_channel channel, struct lookup *lookup)
{
	size_t host = strlen(NF_EDGE_DOMAIN_HOST), i;
	uint32_t unserved = lookup->mask;

	if (!strncmp(lookup->domain.text, NF_EDGE_DOMAIN_HOST, host)) {
		ask_addresses(channel, lookup, lookup->mask, lookup->domain.text + host);
		return;
	}
	for (i = 0; i < SERVICES; i++)
		unserved &= ~services[i].groups;
	if (unserved)
		failed(lookup, "DNS knows no service of group %s by domain",
		       group_names[__builtin_ffs(unserved) - 1]);
	for (i = 0; i < SERVICES; i++)
		ask_service(channel, lookup, i);
}

/* Waits for what comes first, an answer or the end of patience with one. */
static void wait_for_more(ares_channel channel)
{
	struct timeval time;
	fd_set in, out;
	int fds;

	FD_ZERO(&in);
	FD_ZERO(&out);
	fds = ares_fds(channel, &in, &out);
	if (select(fds, &in, &out, NULL, ares_timeout(channel, NULL, &time)) < 0) {
		FD_ZERO(&in);
		FD_ZERO(&out);
	}
	ares_process(channel, &in, &out);
}

static size_t under_way(const struct lookup *list, size_t first, size_t next)
{
	size_t count = 0;

	for (; first < next; first++)
		count += list[first].waiting > 0;
	return count;
}

void (*dns_progress)(const char *what, size_t done);

/* @again: only those about which no server could be asked. */
static void look_up(ares_channel channel, struct lookup *list, size_t count, bool again)
{
	size_t first = 0, next = 0;

	while (first < count) {
		for (; next < count && under_way(list, first, next) < AT_A_TIME; next++) {
			if (again && !list[next].again)
				continue;
			list[next].error[0] = '\0';
			list[next].missing = false;
			list[next].count = 0;
			list[next].targets = 0;
			begin(channel, &list[next]);
		}
		while (first < next && !list[first].waiting)
			first++;
		if (dns_progress)
			dns_progress("domains looked up", first);
		if (first < next)
			wait_for_more(channel);
	}
}

/* No domain but the one that is asked for: not those that resolv.conf would search. */
static int open_channel(ares_channel *channel, const char *resolver, int more)
{
	int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | more,
		.timeout = TRY_MS,
		.tries = TRIES,
	};

	if (resolver) {
		options.resolvconf_path = (char *)resolver;
		given |= ARES_OPT_RESOLVCONF;
	}
	return ares_init_options(channel, &options, given);
}

static int ask_about(struct lookup *list, size_t count, const char *resolver, int flags, bool again)
{
	ares_channel channel;
	int status = open_channel(&channel, resolver, flags);

	if (status != ARES_SUCCESS)
		return status;
	look_up(channel, list, count, again);
	ares_destroy(channel);
	return status;
}

static bool any_again(const struct lookup *list, size_t count)
{
	while (count--) {
		if (list[count].again)
			return true;
	}
	return false;
}

/*
 * When a server fails or refuses, c-ares asks the next one, which is right, but in the end has
 * forgotten what they said (until 1.20). So the first is asked once more, and taken at its word.
 */
bool dns_lookup(struct lookup *list, size_t count, const char *resolver)
{
	bool all = true;
	size_t i;
	int status = ares_library_init(ARES_LIB_INIT_ALL);

	if (status == ARES_SUCCESS)
		status = ask_about(list, count, resolver, 0, false);
	if (status == ARES_SUCCESS && any_again(list, count))
		status = ask_about(list, count, resolver, ARES_FLAG_NOCHECKRESP, true);
	for (i = 0; i < count; i++) {
		if (status != ARES_SUCCESS)
			failed(&list[i], "DNS cannot be asked: %s", ares_strerror(status));
		all &= !list[i].error[0];
	}
	ares_library_cleanup();
	return all;
}

void lookups_free(struct lookup *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		free(list[i].name);
		free(list[i].list);
	}
	free(list);
}
