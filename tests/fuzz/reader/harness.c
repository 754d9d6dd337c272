// SPDX-License-Identifier: GPL-2.0-only
/*
 * What edgectl makes of whatever the kernel may answer:
 *
 * - it ends, and what the sanitisers forbid does not happen;
 * - its exit code is one of the manual's;
 * - what it prints is UTF-8 of which a terminal shows all, and JSON where JSON was asked for;
 * - an error is lines that begin with its name.
 *
 * The first byte of an input chooses a command, and the second its options (OPTION_*). Then come
 * the messages that it receives: two bytes, little-endian, of a message's length, whose highest bit
 * says that the next one is in the same datagram, and the message. What is 0 of a message's length
 * and sequence number is filled in. After the last, the kernel says of every request that it is
 * done.
 */
#include <jansson.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <locale.h>
#include <netlink/msg.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#include "edgectl.h"

#define FAMILY		0x20	/* what the messages of the corpus carry */
#define WORDS_MAX	8

#define OPTION_JSON	(1 << 0)
#define OPTION_PRETTY	(1 << 1)
#define OPTION_FAMILY	(1 << 2)	/* the input tells of the family, too */
#define OPTION_QUIET	(1 << 3)

/**
 * struct line - a command line
 * @text: it prints text even where JSON is asked for
 */
static const struct line {
	const char *word[WORDS_MAX];
	bool text;
} lines[] = {
	/* corpus.py counts them, too */
	{ { "status" }, false },
	{ { "interface", "list" }, false },
	{ { "partner", "list" }, false },
	{ { "rule", "list" }, false },
	{ { "rtp" }, false },
	{ { "stats" }, false },
	{ { "stats", "watch" }, false },
	{ { "stats", "--openmetrics" }, true },
	{ { "explain", "198.51.100.7", "203.0.113.10", "tcp", "5061", "--all" }, false },
	{ { "monitor" }, false },
	{ { "monitor", "from", "198.51.100.0/24", "row", "sip-federation-in" }, false },
	{ { "save" }, true },
	{ { "diff", "-" }, false },
	{ { "load", "-" }, true },
	{ { "partner", "add", "198.51.100.7", "2001:db8::/32", "name", "contoso" }, true },
	{ { "partner", "del", "198.51.100.7", "2001:db8::/32" }, true },
	{ { "partner", "refresh" }, false },
	{ { "rule", "set", "xmpp-in", "peers", "listed" }, true },
	{ { "interface", "add", "access", "203.0.113.10" }, true },
	{ { "confirm" }, true },
};

static const char policy_file[] =
	"mode audit\nrule disable xmpp-in\ninterface add access 203.0.113.10\n"
	"partner add 198.51.100.7 group pic name contoso\n"
	"partner add 198.51.100.7 group pic domain contoso.com\npartner add 2001:db8::/32 group pic\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROPERTY(holds, ...) do {				\
	if (!(holds)) {						\
		fprintf(stderr, "\nbroken: " __VA_ARGS__);	\
		fputc('\n', stderr);				\
		abort();					\
	}							\
} while (0)

/* ---- the kernel ---- */

static const uint8_t *input;
static size_t left;		/* bytes of it */
static uint32_t sequence;	/* of the request that waits for an answer */
static int family_messages;	/* of the controller, still to come */
static bool family_is_told;	/* by us, and not by the input */

int __wrap_genl_connect(struct nl_sock *sock);
int __wrap_nl_send_iovec(struct nl_sock *sock, struct nl_msg *message, struct iovec *parts,
			 unsigned int count);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
			socklen_t *from_size);
void __wrap_live_begin(void);
enum live __wrap_live_wait(int fd, int milliseconds);
int __wrap_nanosleep(const struct timespec *time, struct timespec *rest);
bool __wrap_dns_lookup(struct lookup *list, size_t count, const char *resolver);

/* The family is asked for on each socket. */
int __wrap_genl_connect(struct nl_sock *sock)
{
	(void)sock;
	family_messages = family_is_told ? 2 : 0;
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)value;
	(void)length;
	return 0;
}

int __wrap_nl_send_iovec(struct nl_sock *sock, struct nl_msg *message, struct iovec *parts,
			 unsigned int count)
{
	(void)sock;
	(void)parts;
	(void)count;
	sequence = nlmsg_hdr(message)->nlmsg_seq;
	return 1;
}

/* The answer about the family, or that it is done. */
static size_t put_family(char *buffer)
{
	static const struct {
		struct nlattr groups;
		struct nlattr first;
		struct nlattr first_name;
		char config[8];
		struct nlattr first_id;
		uint32_t config_id;
		struct nlattr second;
		struct nlattr second_name;
		char drops[8];
		struct nlattr second_id;
		uint32_t drops_id;
		struct nlattr id;
		uint16_t family;
		uint16_t pad;
		struct nlattr version;
		uint32_t number;
	} attrs = {
		{ 52, CTRL_ATTR_MCAST_GROUPS | NLA_F_NESTED },
		{ 24, 1 | NLA_F_NESTED }, { 11, CTRL_ATTR_MCAST_GRP_NAME }, "config",
		{ 8, CTRL_ATTR_MCAST_GRP_ID }, 5,
		{ 24, 2 | NLA_F_NESTED }, { 10, CTRL_ATTR_MCAST_GRP_NAME }, "drops",
		{ 8, CTRL_ATTR_MCAST_GRP_ID }, 6,
		{ 6, CTRL_ATTR_FAMILY_ID }, FAMILY, 0,
		{ 8, CTRL_ATTR_VERSION }, NF_EDGE_GENL_VERSION,
	};
	const struct nlmsghdr header = {
		.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN + sizeof(attrs),
		.nlmsg_type = GENL_ID_CTRL,
		.nlmsg_seq = sequence,
	};
	const struct genlmsghdr command = { .cmd = CTRL_CMD_NEWFAMILY };

	memcpy(buffer, &header, sizeof(header));
	memcpy(buffer + NLMSG_HDRLEN, &command, sizeof(command));
	memcpy(buffer + NLMSG_HDRLEN + GENL_HDRLEN, &attrs, sizeof(attrs));
	return header.nlmsg_len;
}

static size_t put_done(char *buffer)
{
	const struct nlmsghdr header = {
		.nlmsg_len = NLMSG_HDRLEN + sizeof(int), .nlmsg_type = NLMSG_DONE,
		.nlmsg_flags = NLM_F_MULTI, .nlmsg_seq = sequence,
	};

	memset(buffer, 0, header.nlmsg_len);
	memcpy(buffer, &header, sizeof(header));
	return header.nlmsg_len;
}

/* The next message, of which at most @room bytes are taken; whether another one follows in @more. */
static size_t put_next(char *buffer, size_t room, bool *more)
{
	struct nlmsghdr header;
	size_t length;

	length = input[0] | (input[1] & 0x7f) << 8;
	*more = input[1] & 0x80;
	input += 2;
	left -= 2;
	length = length < left ? length : left;
	length = length < room ? length : room;
	memcpy(buffer, input, length);
	input += length;
	left -= length;
	if (length < sizeof(header))
		return length;
	memcpy(&header, buffer, sizeof(header));
	if (!header.nlmsg_len)
		header.nlmsg_len = length;
	if (!header.nlmsg_seq)
		header.nlmsg_seq = sequence;
	memcpy(buffer, &header, sizeof(header));
	return length;
}

static size_t put_datagram(char *buffer, size_t size)
{
	size_t length = 0, start;
	bool more = true;

	if (family_messages)
		return family_messages-- == 2 ? put_family(buffer) : put_done(buffer);
	if (left < 2)
		return put_done(buffer);
	while (more && left >= 2) {
		start = NLMSG_ALIGN(length);
		if (start + 0x8000 > size)
			break;
		memset(buffer + length, 0, start - length);
		length = start + put_next(buffer + start, size - start, &more);
	}
	return length;
}

/* Nobody has anything to do with what is behind what was received. */
ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
			socklen_t *from_size)
{
	size_t length;

	(void)fd;
	(void)flags;
	memset(from, 0, *from_size);
	ASAN_UNPOISON_MEMORY_REGION(buffer, size);
	length = put_datagram(buffer, size);
	ASAN_POISON_MEMORY_REGION((char *)buffer + length, size - length);
	return length;
}

void __wrap_live_begin(void)
{
}

/* Both that wait end with the input. */
enum live __wrap_live_wait(int fd, int milliseconds)
{
	(void)fd;
	if (left < 2)
		return LIVE_ENDED;
	return milliseconds < 0 ? LIVE_READY : LIVE_LATE;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *rest)
{
	(void)time;
	(void)rest;
	return 0;
}

/* There is nothing of that name. */
bool __wrap_dns_lookup(struct lookup *list, size_t count, const char *resolver)
{
	size_t i;

	(void)resolver;
	for (i = 0; i < count; i++)
		snprintf(list[i].error, sizeof(list[i].error), "%s: there is no such thing",
			 list[i].domain.text);
	return !count;
}

/* ---- a command ---- */

struct text {
	char *bytes;
	size_t length;
};

/* With the standard streams in memory. */
static int run(const struct line *line, const struct options *options, struct text *out,
	       struct text *err)
{
	FILE *real_stdin = stdin, *real_stdout = stdout, *real_stderr = stderr;
	const struct command *command;
	struct op op = { 0 };
	int count, code;

	for (count = 0; count < WORDS_MAX && line->word[count]; count++)
		;
	command = command_parse(&op, count, (char *const *)line->word);
	PROPERTY(command, "no command: %s", op.error);
	stdin = sure(fmemopen((char *)policy_file, sizeof(policy_file) - 1, "r"));
	stdout = sure(open_memstream(&out->bytes, &out->length));
	stderr = sure(open_memstream(&err->bytes, &err->length));
	out_begin();
	code = command->run(options, &op);
	fclose(stdin);
	fclose(stdout);
	fclose(stderr);
	stdin = real_stdin;
	stdout = real_stdout;
	stderr = real_stderr;
	op_free(&op);
	return code;
}

/* The C library knows UTF-8 on its own. */
static void check_shown(const struct text *text)
{
	const char *at = text->bytes, *end = at + text->length;
	mbstate_t state = { 0 };
	wchar_t wide;

	while (at < end) {
		size_t size = mbrtowc(&wide, at, end - at, &state);

		PROPERTY(size && size <= (size_t)(end - at), "no UTF-8: byte %#x",
			 (unsigned char)*at);
		PROPERTY(wide == '\n' || (!iswcntrl(wide) && is_shown(wide)), "U+%04X is printed",
			 (unsigned int)wide);
		at += size;
	}
}

static void check_errors(const struct text *err)
{
	const char *at = err->bytes, *end;

	for (; *at; at = end + 1) {
		end = strchr(at, '\n');
		PROPERTY(end && !strncmp(at, "edgectl: ", 9), "an error: %s", at);
	}
}

/* One value after the other. */
static void check_json(const struct text *out)
{
	size_t at = 0;
	json_error_t error;
	json_t *value;

	while (at < out->length && strspn(out->bytes + at, " \n") < out->length - at) {
		value = json_loadb(out->bytes + at, out->length - at, JSON_DISABLE_EOF_CHECK, &error);
		PROPERTY(value, "no JSON: %s: %s", error.text, out->bytes + at);
		json_decref(value);
		at += error.position;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct line *line;
	struct options options;
	struct text out, err;
	int code;

	if (size < 2)
		return 0;
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		abort();
	line = &lines[data[0] % (sizeof(lines) / sizeof(lines[0]))];
	options = (struct options){
		.json = data[1] & OPTION_JSON, .pretty = data[1] & OPTION_PRETTY,
		.quiet = data[1] & OPTION_QUIET,
	};
	family_is_told = !(data[1] & OPTION_FAMILY);
	input = data + 2;
	left = size - 2;
	code = run(line, &options, &out, &err);
	if (getenv("NF_EDGE_FUZZ_SHOW"))
		fprintf(stderr, "%s%sexit code %d\n", out.bytes, err.bytes, code);
	PROPERTY(code >= 0 && code <= 2, "exit code %d", code);
	PROPERTY(code != EXIT_REFUSED || err.length || !strcmp(line->word[0], "diff"),
		 "a refusal without a word");
	check_shown(&out);
	check_shown(&err);
	check_errors(&err);
	if (options.json && !line->text && (!code || !err.length))
		check_json(&out);
	free(out.bytes);
	free(err.bytes);
	return 0;
}
