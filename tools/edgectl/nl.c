// SPDX-License-Identifier: GPL-2.0-only
/*
 * nl: the module behind plain functions. The only file that knows its netlink family.
 */
#include <errno.h>
#include <limits.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "nl.h"

#define RECEIVE_BYTES	65536	/* a status has an 8 KiB port map, a dump 32 KiB */
#define BATCH_BYTES	57344	/* of a message inside a transaction: 2,048 IPv4 prefixes */
#define SMALL_BYTES	1024	/* messages with a few fixed attributes */
#define ENTRY_BYTES	384	/* the largest entry, rounded up */
#define DUMP_TRIES	20
#define CHANGE_TRIES	600	/* a minute: the module itself waits a tenth of a second */
#define CTRL_NOTIFY	GENL_ID_CTRL	/* the family controller's own group has its number */

enum { GROUP_CONFIG, GROUP_DROPS, GROUP_COUNT };

struct nl {
	struct nl_sock *sock;
	int family;
	uint32_t group[GROUP_COUNT];	/* multicast; 0: this module has none */
	struct nl_error error;
	uint32_t based_on;	/* generation, 0: whichever it is */
	bool staged;	/* what is read is the transaction's */
	bool open;	/* a commit may leave no Edge address */
	bool begun;	/* a transaction is open */
};

/* Takes one answer. Returns 0, or an errno. */
typedef int (*take_fn)(struct nlattr **attrs, void *into);

/**
 * struct request - one request under way
 * @more: @more_bytes that follow the message
 * @sequence: what its answers carry
 * @offset: of the attribute that the kernel blames, 0: none
 * @answer: the message that is being taken
 * @taken: some have been
 */
struct request {
	struct nl *nl;
	take_fn take;
	void *into;
	char *more;
	size_t more_bytes;
	uint32_t sequence;
	uint32_t offset;
	struct nlmsghdr *answer;
	bool done;
	bool interrupted;
	bool taken;
};

/* libnl wants a NUL at the end of a NLA_STRING, and of no other type. */
static const struct nla_policy policy[NF_EDGE_A_MAX + 1] = {
	[NF_EDGE_A_VERSION]	= { .type = NLA_STRING },
	[NF_EDGE_A_MODE]	= { .type = NLA_U32 },
	[NF_EDGE_A_UNLISTED]	= { .type = NLA_U32 },
	[NF_EDGE_A_GENERATION]	= { .type = NLA_U32 },
	[NF_EDGE_A_RTP_MATCH]	= { .type = NLA_U32 },
	[NF_EDGE_A_RTP_PORTS]	= { .minlen = NF_EDGE_PORT_MAP_BYTES,
				    .maxlen = NF_EDGE_PORT_MAP_BYTES },
	[NF_EDGE_A_INTERFACES]	= { .type = NLA_U32 },
	[NF_EDGE_A_PARTNERS]	= { .type = NLA_U32 },
	[NF_EDGE_A_UPTIME]	= { .type = NLA_U64 },
	[NF_EDGE_A_ROLE]	= { .type = NLA_U32 },
	[NF_EDGE_A_ADDRESS]	= { .minlen = 4, .maxlen = 16 },
	[NF_EDGE_A_PREFIX_LEN]	= { .type = NLA_U32 },
	[NF_EDGE_A_DEV]		= { .type = NLA_STRING },
	[NF_EDGE_A_GROUPS]	= { .type = NLA_U32 },
	[NF_EDGE_A_NAME]	= { .type = NLA_STRING },
	[NF_EDGE_A_ROW]		= { .type = NLA_U32 },
	[NF_EDGE_A_CLASS]	= { .type = NLA_STRING },
	[NF_EDGE_A_FROM]	= { .type = NLA_STRING },
	[NF_EDGE_A_TO]		= { .type = NLA_STRING },
	[NF_EDGE_A_ENABLED]	= { .type = NLA_U32 },
	[NF_EDGE_A_PEERS]	= { .type = NLA_U32 },
	[NF_EDGE_A_REASON]	= { .type = NLA_U32 },
	[NF_EDGE_A_PACKETS]	= { .type = NLA_U64 },
	[NF_EDGE_A_BYTES]	= { .type = NLA_U64 },
	[NF_EDGE_A_FLOWS]	= { .type = NLA_U64 },
	[NF_EDGE_A_SOURCE]	= { .minlen = 4, .maxlen = 16 },
	[NF_EDGE_A_DESTINATION]	= { .minlen = 4, .maxlen = 16 },
	[NF_EDGE_A_PROTOCOL]	= { .type = NLA_U32 },
	[NF_EDGE_A_SPORT]	= { .type = NLA_U32 },
	[NF_EDGE_A_DPORT]	= { .type = NLA_U32 },
	[NF_EDGE_A_IIF]		= { .type = NLA_STRING },
	[NF_EDGE_A_OIF]		= { .type = NLA_STRING },
	[NF_EDGE_A_VERDICT]	= { .type = NLA_U32 },
	[NF_EDGE_A_CONFIRM]	= { .type = NLA_U32 },
	[NF_EDGE_A_COMMAND]	= { .type = NLA_U32 },
	[NF_EDGE_A_ENTRIES]	= { .type = NLA_U32 },
	[NF_EDGE_A_FINDING]	= { .type = NLA_U32 },
	[NF_EDGE_A_LEFT_OUT]	= { .type = NLA_U32 },
	[NF_EDGE_A_DOMAIN]	= { .type = NLA_STRING },
	[NF_EDGE_A_LEAVES]	= { .type = NLA_FLAG },
	[NF_EDGE_A_IDLE]	= { .type = NLA_U32 },
	[NF_EDGE_A_BLOCKS]	= { .type = NLA_U32 },
	[NF_EDGE_A_UNTIL]	= { .type = NLA_U64 },
	[NF_EDGE_A_CHANGED]	= { .type = NLA_U64 },
	[NF_EDGE_A_PROCESS]	= { .type = NLA_STRING },
	[NF_EDGE_A_PID]		= { .type = NLA_U32 },
	[NF_EDGE_A_USER]	= { .type = NLA_U32 },
	[NF_EDGE_A_LOGIN]	= { .type = NLA_U32 },
};

/* What the family controller answers with; it fits into the same array. */
static const struct nla_policy controller_policy[NF_EDGE_A_MAX + 1] = {
	[CTRL_ATTR_FAMILY_ID]	= { .type = NLA_U16 },
	[CTRL_ATTR_VERSION]	= { .type = NLA_U32 },
	[CTRL_ATTR_MCAST_GROUPS] = { .type = NLA_NESTED },
};

static const struct nla_policy group_policy[CTRL_ATTR_MCAST_GRP_MAX + 1] = {
	[CTRL_ATTR_MCAST_GRP_NAME] = { .type = NLA_STRING },
	[CTRL_ATTR_MCAST_GRP_ID] = { .type = NLA_U32 },
};

static const struct nla_policy error_policy[NLMSGERR_ATTR_MAX + 1] = {
	[NLMSGERR_ATTR_MSG] = { .type = NLA_STRING },
	[NLMSGERR_ATTR_OFFS] = { .type = NLA_U32 },
};

_Static_assert(CTRL_ATTR_MCAST_GROUPS <= NF_EDGE_A_MAX, "one array holds both");

const struct nl_error *nl_error(const struct nl *nl)
{
	return &nl->error;
}

static int set_error(struct nl *nl, int code, const char *text)
{
	nl->error.code = code;
	nl->error.entry = NL_NO_ENTRY;
	snprintf(nl->error.text, sizeof(nl->error.text), "%s", text);
	return -1;
}

/* ---- one request and its answers ---- */

/* Netlink's own words for an attribute that the module does not have, yet. */
static bool is_unknown(const struct nlattr *sentence)
{
	return !nla_strcmp(sentence, "Unknown attribute type") ||
	       !nla_strcmp(sentence, "Unsupported attribute");
}

/* The extended ack: a sentence and an offset, in the @tlvs of @length bytes. */
static void read_tlvs(struct request *request, struct nlattr *tlvs, int length)
{
	struct nlattr *attrs[NLMSGERR_ATTR_MAX + 1];
	struct nl *nl = request->nl;

	if (nla_parse(attrs, NLMSGERR_ATTR_MAX, tlvs, length, error_policy) < 0)
		return;
	if (attrs[NLMSGERR_ATTR_OFFS])
		request->offset = nla_get_u32(attrs[NLMSGERR_ATTR_OFFS]);
	if (!attrs[NLMSGERR_ATTR_MSG])
		return;
	if (is_unknown(attrs[NLMSGERR_ATTR_MSG]))
		set_error(nl, nl->error.code, "the nf_edge module is too old for this");
	else
		nla_strlcpy(nl->error.text, attrs[NLMSGERR_ATTR_MSG],
			    sizeof(nl->error.text));
}

static void explain_errno(struct nl *nl, int code)
{
	switch (code) {
	case EPERM:
		set_error(nl, code, "not permitted (this needs CAP_NET_ADMIN)");
		break;
	case EOPNOTSUPP:
		set_error(nl, code, "the nf_edge module does not know this command");
		break;
	default:
		set_error(nl, code, strerror(code));
	}
}

/* @error: below 0; @fixed: bytes of the message's payload before the extended ack. */
static void read_error(struct request *request, struct nlmsghdr *header, int error, size_t fixed)
{
	const size_t length = nlmsg_datalen(header), start = NLMSG_ALIGN(fixed);

	explain_errno(request->nl, error < 0 && error > INT_MIN ? -error : EPROTO);
	if (header->nlmsg_flags & NLM_F_ACK_TLVS && start < length)
		read_tlvs(request, (struct nlattr *)((char *)nlmsg_data(header) + start),
			  length - start);
}

/* An error; 0 is the answer to a change that was made. */
static void take_error(struct request *request, struct nlmsghdr *header)
{
	struct nlmsgerr *error = nlmsg_data(header);
	size_t fixed = sizeof(*error);

	request->done = true;
	if (nlmsg_datalen(header) < (int)sizeof(*error)) {
		set_error(request->nl, EBADMSG, "the kernel's answer cannot be understood");
		return;
	}
	if (!error->error)
		return;
	if (!(header->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len > NLMSG_HDRLEN)
		fixed += error->msg.nlmsg_len - NLMSG_HDRLEN;
	read_error(request, header, error->error, fixed);
}

/* The end of a dump carries an error as well. */
static void take_end(struct request *request, struct nlmsghdr *header)
{
	int code = 0;

	request->done = true;
	if (nlmsg_datalen(header) >= (int)sizeof(code))
		memcpy(&code, nlmsg_data(header), sizeof(code));
	if (code < 0)
		read_error(request, header, code, sizeof(code));
}

static void answer_errno(struct nl *nl, int code)
{
	if (code == ENOMEM)
		set_error(nl, code, "out of memory");
	else if (code)
		set_error(nl, code, "the nf_edge module is too new for this edgectl");
}

static void take_answer(struct request *request, struct nlmsghdr *header)
{
	struct nlattr *attrs[NF_EDGE_A_MAX + 1];
	struct nl *nl = request->nl;
	bool controller = nl->family == GENL_ID_CTRL;

	if (!request->take || nl->error.code)
		return;
	request->answer = header;
	if (genlmsg_parse(header, 0, attrs, NF_EDGE_A_MAX,
			  controller ? controller_policy : policy) < 0)
		set_error(nl, EBADMSG, "the kernel's answer cannot be understood");
	else
		answer_errno(nl, request->take(attrs, request->into));
	request->taken = true;
}

static void take_message(struct request *request, struct nlmsghdr *header)
{
	if (header->nlmsg_seq != request->sequence)
		return;
	if (header->nlmsg_flags & NLM_F_DUMP_INTR)
		request->interrupted = true;
	switch (header->nlmsg_type) {
	case NLMSG_ERROR:
		take_error(request, header);
		break;
	case NLMSG_DONE:
		take_end(request, header);
		break;
	default:
		take_answer(request, header);
	}
}

/*
 * Takes what the socket has next. nl_recvmsgs() would copy each message into memory of its own,
 * and a dump has a message for each partner.
 */
static int receive(struct request *request)
{
	static char buffer[RECEIVE_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *header = (struct nlmsghdr *)buffer;
	struct sockaddr_nl from = { 0 };
	socklen_t size = sizeof(from);
	ssize_t length;

	length = recvfrom(nl_socket_get_fd(request->nl->sock), buffer, sizeof(buffer), MSG_TRUNC,
			  (struct sockaddr *)&from, &size);
	if (length < 0)
		return errno == EINTR ? 0 : set_error(request->nl, errno, strerror(errno));
	if (length > (ssize_t)sizeof(buffer))
		return set_error(request->nl, EMSGSIZE, "the kernel's answer is too long");
	if (from.nl_pid)
		return 0;	/* not the kernel's */
	for (; NLMSG_OK(header, length) && !request->done; header = NLMSG_NEXT(header, length))
		take_message(request, header);
	return 0;
}

static void pause_before(int try)
{
	struct timespec time = { .tv_nsec = try * 5000000L };

	nanosleep(&time, NULL);
}

/* Below 0: an error of libnl. */
static int send_message(struct request *request, struct nl_msg *message, uint32_t length)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct iovec part[2] = {
		{ header, length },
		{ request->more, request->more_bytes },
	};

	nl_complete_msg(request->nl->sock, message);
	header->nlmsg_len = length + request->more_bytes;
	request->sequence = header->nlmsg_seq;
	return nl_send_iovec(request->nl->sock, message, part, 2);
}

/* Sends a message, whose own part has @length, and waits for the end of the answers. */
static void ask(struct request *request, struct nl_msg *message, uint32_t length)
{
	int result;

	request->done = false;
	set_error(request->nl, 0, "");
	result = send_message(request, message, length);
	if (result < 0)
		set_error(request->nl, EIO, nl_geterror(result));
	while (result >= 0 && !request->done)
		result = receive(request);
}

/*
 * Asks for what @message says, which is consumed. What had to wait too long for somebody's change
 * is asked for again.
 */
static int transact(struct request *request, struct nl_msg *message)
{
	struct nl *nl = request->nl;
	uint32_t length;
	int try;

	if (!nl->sock) {
		nlmsg_free(message);
		return -1;	/* nl_attach() has left the reason */
	}
	if (!message)
		return set_error(nl, ENOMEM, "out of memory");
	length = nlmsg_hdr(message)->nlmsg_len;
	ask(request, message, length);
	for (try = 1; nl->error.code == EAGAIN && !request->taken && try < CHANGE_TRIES; try++) {
		pause_before(1);
		ask(request, message, length);
	}
	nlmsg_free(message);
	return nl->error.code ? -1 : 0;
}

static struct nl_msg *new_message(struct nl *nl, int command, int flags, size_t bytes)
{
	struct nl_msg *message = nlmsg_alloc_size(bytes + NLMSG_HDRLEN + GENL_HDRLEN);

	if (!message)
		return NULL;
	if (!genlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, flags, command,
			 NF_EDGE_GENL_VERSION)) {
		nlmsg_free(message);
		return NULL;
	}
	return message;
}

static struct nl_msg *small_message(struct nl *nl, int command)
{
	return new_message(nl, command, 0, SMALL_BYTES);
}

/* A change of which nothing comes back. */
static int change(struct nl *nl, struct nl_msg *message)
{
	struct request request = { .nl = nl };

	return transact(&request, message);
}

static int simple_change(struct nl *nl, int command)
{
	return change(nl, small_message(nl, command));
}

static void put_address(struct nl_msg *message, int attr, const struct prefix *prefix)
{
	nla_put(message, attr, prefix->size, prefix->bytes);
}

/* False: @prefix is empty. */
static bool get_address(const struct nlattr *attr, struct prefix *prefix)
{
	memset(prefix, 0, sizeof(*prefix));
	if (!attr || (nla_len(attr) != 4 && nla_len(attr) != 16))
		return false;
	prefix->size = nla_len(attr);
	prefix->len = prefix->size * 8;
	memcpy(prefix->bytes, nla_data(attr), prefix->size);
	return true;
}

static uint32_t get_u32(const struct nlattr *attr)
{
	return attr ? nla_get_u32(attr) : 0;
}

static uint64_t get_u64(const struct nlattr *attr)
{
	return attr ? nla_get_u64((struct nlattr *)attr) : 0;
}

static void get_string(const struct nlattr *attr, char *to, size_t size)
{
	snprintf(to, size, "%s", attr ? (char *)nla_data(attr) : "");
}

/* ---- lists ---- */

/**
 * struct list - the answers of a dump
 * @size: bytes of an element
 * @fill: fills a zeroed element; returns 0, or an errno
 * @take: NULL, or takes a list of entries that has grown long, which is then empty again
 * @context: for @take
 * @taken: it has
 */
struct list {
	void *elements;
	size_t count;
	size_t room;
	size_t size;
	int (*fill)(struct nlattr **attrs, void *element);
	nl_take_entries *take;
	void *context;
	bool taken;
};

static void forget(struct list *list, bool entries)
{
	if (entries)
		entries_free(list->elements, list->count);
	else
		free(list->elements);
	list->elements = NULL;
	list->count = 0;
	list->room = 0;
}

static int take_element(struct nlattr **attrs, void *into)
{
	struct list *list = into;
	void *elements;
	char *element;

	if (list->take && list->count == NL_LONG_LIST) {
		list->take(list->context, list->elements, list->count, true);
		list->taken = true;
		forget(list, true);
	}
	elements = grow(list->elements, list->count, &list->room, list->size);
	if (!elements)
		return ENOMEM;
	list->elements = elements;
	element = (char *)elements + list->count * list->size;
	memset(element, 0, list->size);
	list->count++;
	return list->fill(attrs, element);
}

/*
 * Dumps until no change has fallen between, unless some have been taken. @filter adds attributes to
 * the request and may be NULL. @entries: the elements are struct entry.
 */
static int dump(struct nl *nl, int command, struct list *list, bool entries,
		void (*filter)(struct nl_msg *message, const void *what),
		const void *what)
{
	struct request request;
	int try, result;

	for (try = 1; try <= DUMP_TRIES; try++) {
		struct nl_msg *message = new_message(nl, command, NLM_F_DUMP, SMALL_BYTES);

		if (message && filter)
			filter(message, what);
		if (message && nl->staged)
			nla_put_flag(message, NF_EDGE_A_STAGED);
		request = (struct request){ .nl = nl, .take = take_element, .into = list };
		result = transact(&request, message);
		if (!result && !request.interrupted)
			return 0;
		forget(list, entries);
		if (result && !(nl->error.code == EAGAIN && request.taken))
			return -1;
		if (list->taken)
			return set_error(nl, EAGAIN, "the policy has changed while it was listed");
		pause_before(try);
	}
	return set_error(nl, EAGAIN, "the policy changes all the time; try again");
}

static char *copy_string(const struct nlattr *attr)
{
	return strdup(nla_data(attr));
}

void entries_free(struct entry *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		free(list[i].text);
		free(list[i].domain);
	}
	free(list);
}

/* ---- messages of many entries ---- */

/*
 * Written by hand, and sent as they are: libnl takes a call for each attribute, and a copy of all
 * of them, which a million partners feel.
 */

/**
 * struct entries - what follows the header of a message
 * @end: where the next entry goes
 * @limit: where no entry may begin any more
 */
struct entries {
	char *start;
	char *end;
	char *limit;
};

/* Writes an attribute and returns what follows it. */
static char *write_attr(char *to, int type, const void *data, size_t length)
{
	const struct nlattr attr = { .nla_len = NLA_HDRLEN + length, .nla_type = type };

	memset(to + NLA_ALIGN(attr.nla_len) - NLA_ALIGNTO, 0, NLA_ALIGNTO);
	memcpy(to, &attr, NLA_HDRLEN);
	memcpy(to + NLA_HDRLEN, data, length);
	return to + NLA_ALIGN(attr.nla_len);
}

static char *write_u32(char *to, int type, uint32_t value)
{
	return write_attr(to, type, &value, sizeof(value));
}

/* The entry is what has been written behind its header, up to @end. */
static void entry_end(struct entries *entries, char *end)
{
	const struct nlattr attr = {
		.nla_len = end - entries->end,
		.nla_type = NF_EDGE_A_ENTRY | NLA_F_NESTED,
	};

	memcpy(entries->end, &attr, NLA_HDRLEN);
	entries->end = end;
}

static int entries_begin(struct nl *nl, struct entries *entries, size_t bytes)
{
	entries->start = malloc(bytes);
	if (!entries->start)
		return set_error(nl, ENOMEM, "out of memory");
	entries->end = entries->start;
	entries->limit = entries->start + bytes - ENTRY_BYTES;
	return 0;
}

/* Which entry the byte at @offset is in. */
static size_t entry_at(const struct entries *entries, size_t offset)
{
	size_t entry = NL_NO_ENTRY;
	const char *at;

	for (at = entries->start; at < entries->end && at <= entries->start + offset;
	     at += NLA_ALIGN(((const struct nlattr *)at)->nla_len))
		entry++;
	return entry;
}

/* One message takes as much as the send buffer holds. */
static void widen(struct nl *nl, size_t bytes)
{
	int size = bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)bytes;
	int fd;

	if (!nl->sock || bytes <= BATCH_BYTES)
		return;
	fd = nl_socket_get_fd(nl->sock);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static bool takes_generation(int command)
{
	return command == NF_EDGE_CMD_PARTNER_ADD || command == NF_EDGE_CMD_PARTNER_DEL;
}

/* Sends the entries and finds out which of them was refused. */
static int entries_send(struct nl *nl, const struct entries *entries, int command,
			bool tolerant)
{
	struct nl_msg *message = small_message(nl, command);
	struct request request = { .nl = nl, .more = entries->start,
				   .more_bytes = entries->end - entries->start };
	uint32_t before;
	int result;

	if (message && tolerant)
		nla_put_flag(message, NF_EDGE_A_TOLERANT);
	if (message && nl->based_on && takes_generation(command))
		nla_put_u32(message, NF_EDGE_A_GENERATION, nl->based_on);
	before = message ? nlmsg_hdr(message)->nlmsg_len : 0;
	widen(nl, request.more_bytes + SMALL_BYTES);
	result = transact(&request, message);
	if (result && request.offset >= before)
		nl->error.entry = entry_at(entries, request.offset - before);
	return result;
}

static inline char *write_prefix(char *to, const struct prefix *prefix)
{
	if (prefix->size == 4)
		to = write_attr(to, NF_EDGE_A_ADDRESS, prefix->bytes, 4);
	else
		to = write_attr(to, NF_EDGE_A_ADDRESS, prefix->bytes, 16);
	return write_u32(to, NF_EDGE_A_PREFIX_LEN, prefix->len);
}

/* Add needs the groups, and del may leave them out. */
static void put_partner(struct entries *entries, const struct entry *entry)
{
	char *end = write_prefix(entries->end + NLA_HDRLEN, &entry->prefix);

	if (entry->mask)
		end = write_u32(end, NF_EDGE_A_GROUPS, entry->mask);
	if (entry->text)
		end = write_attr(end, NF_EDGE_A_NAME, entry->text, strlen(entry->text) + 1);
	if (entry->domain)
		end = write_attr(end, NF_EDGE_A_DOMAIN, entry->domain, strlen(entry->domain) + 1);
	if (entry->leaves)
		end = write_attr(end, NF_EDGE_A_LEAVES, "", 0);
	entry_end(entries, end);
}

/* Enough for them, and no more than that: there may be a million. */
static size_t partner_bytes(const struct entry *list, size_t count)
{
	const size_t address = 64;	/* and prefix length, groups, and all the headers */
	size_t bytes = ENTRY_BYTES, i;

	for (i = 0; i < count; i++) {
		bytes += address + (list[i].text ? NF_EDGE_NAME_MAX + 1 : 0);
		bytes += list[i].domain ? NF_EDGE_DOMAIN_MAX + 2 : 0;
	}
	return bytes;
}

/* One message. */
static int partner_change(struct nl *nl, int command, const struct entry *list,
			  size_t count, bool tolerant)
{
	struct entries entries;
	int result;
	size_t i;

	if (entries_begin(nl, &entries, partner_bytes(list, count)))
		return -1;
	for (i = 0; i < count; i++)
		put_partner(&entries, &list[i]);
	result = entries_send(nl, &entries, command, tolerant);
	free(entries.start);
	return result;
}

int nl_partner_add(struct nl *nl, const struct entry *list, size_t count, bool tolerant)
{
	return partner_change(nl, NF_EDGE_CMD_PARTNER_ADD, list, count, tolerant);
}

int nl_partner_del(struct nl *nl, const struct entry *list, size_t count, bool tolerant)
{
	return partner_change(nl, NF_EDGE_CMD_PARTNER_DEL, list, count, tolerant);
}

void (*nl_progress)(const char *what, size_t done);

/* Which of the list the one at @place among those from @first on is. */
static size_t place_in(const struct entry *list, size_t first, bool domains, size_t place)
{
	for (;; first++) {
		if (!list[first].domain == domains)
			continue;
		if (!place--)
			return first;
	}
}

/* Those that come from a domain, or the others. */
static int stage(struct nl *nl, struct entries *entries, const struct entry *list, size_t count,
		 bool domains)
{
	size_t first, next;
	int result = 0;

	for (first = 0; first < count && !result; first = next) {
		if (nl_progress)
			nl_progress("partners sent", first);
		entries->end = entries->start;
		for (next = first; next < count && entries->end < entries->limit; next++) {
			if (!list[next].domain != domains)
				put_partner(entries, &list[next]);
		}
		if (entries->end == entries->start)
			break;
		result = entries_send(nl, entries, NF_EDGE_CMD_PARTNER_ADD, true);
		if (result && nl->error.entry != NL_NO_ENTRY)
			nl->error.entry = place_in(list, first, domains, nl->error.entry);
	}
	return result;
}

/* What comes from no domain the kernel gathers, at a tenth of the cost, until one does. */
int nl_partner_stage(struct nl *nl, const struct entry *list, size_t count)
{
	struct entries entries;
	int result;

	if (entries_begin(nl, &entries, BATCH_BYTES + ENTRY_BYTES))
		return -1;
	result = stage(nl, &entries, list, count, false);
	if (!result)
		result = stage(nl, &entries, list, count, true);
	free(entries.start);
	return result;
}

int nl_rule_set(struct nl *nl, const struct rule_change *list, size_t count)
{
	struct entries entries;
	int result;
	size_t i;

	if (entries_begin(nl, &entries, count * ENTRY_BYTES))
		return -1;
	for (i = 0; i < count; i++) {
		char *end = entries.end + NLA_HDRLEN;

		end = write_u32(end, NF_EDGE_A_ROW, list[i].row);
		if (list[i].enabled >= 0)
			end = write_u32(end, NF_EDGE_A_ENABLED, list[i].enabled);
		if (list[i].peers >= 0)
			end = write_u32(end, NF_EDGE_A_PEERS, list[i].peers);
		entry_end(&entries, end);
	}
	result = entries_send(nl, &entries, NF_EDGE_CMD_RULE_SET, false);
	free(entries.start);
	return result;
}

/* ---- status ---- */

static int take_status(struct nlattr **attrs, void *into)
{
	struct status *status = into;
	struct settings *settings = &status->settings;

	get_string(attrs[NF_EDGE_A_VERSION], status->version, sizeof(status->version));
	settings->mode = get_u32(attrs[NF_EDGE_A_MODE]);
	settings->unlisted = get_u32(attrs[NF_EDGE_A_UNLISTED]);
	settings->match = get_u32(attrs[NF_EDGE_A_RTP_MATCH]);
	if (attrs[NF_EDGE_A_RTP_PORTS])
		memcpy(settings->ports, nla_data(attrs[NF_EDGE_A_RTP_PORTS]),
		       sizeof(settings->ports));
	status->generation = get_u32(attrs[NF_EDGE_A_GENERATION]);
	status->interfaces = get_u32(attrs[NF_EDGE_A_INTERFACES]);
	status->partners = get_u32(attrs[NF_EDGE_A_PARTNERS]);
	status->blocks = get_u32(attrs[NF_EDGE_A_BLOCKS]);
	status->changed = get_u64(attrs[NF_EDGE_A_CHANGED]);
	status->uptime = get_u64(attrs[NF_EDGE_A_UPTIME]);
	status->left = attrs[NF_EDGE_A_CONFIRM] ? (int)get_u32(attrs[NF_EDGE_A_CONFIRM]) : -1;
	return settings->mode < NF_EDGE_MODE_COUNT &&
	       settings->unlisted < NF_EDGE_UNLISTED_COUNT &&
	       settings->match < NF_EDGE_RTP_MATCH_COUNT ? 0 : EPROTO;
}

int nl_status(struct nl *nl, struct status *status)
{
	struct request request = { .nl = nl, .take = take_status, .into = status };
	struct nl_msg *message = small_message(nl, NF_EDGE_CMD_STATUS_GET);

	memset(status, 0, sizeof(*status));
	if (message && nl->staged)
		nla_put_flag(message, NF_EDGE_A_STAGED);
	return transact(&request, message);
}

int nl_set(struct nl *nl, const struct settings *settings)
{
	struct nl_msg *message = new_message(nl, NF_EDGE_CMD_STATUS_SET, 0,
					     SMALL_BYTES + sizeof(settings->ports));

	if (message && settings->given & SETTING_MODE)
		nla_put_u32(message, NF_EDGE_A_MODE, settings->mode);
	if (message && settings->given & SETTING_UNLISTED)
		nla_put_u32(message, NF_EDGE_A_UNLISTED, settings->unlisted);
	if (message && settings->given & SETTING_MATCH)
		nla_put_u32(message, NF_EDGE_A_RTP_MATCH, settings->match);
	if (message && settings->given & SETTING_PORTS)
		nla_put(message, NF_EDGE_A_RTP_PORTS, sizeof(settings->ports),
			settings->ports);
	return change(nl, message);
}

/* ---- Edge addresses ---- */

static int role_index(uint32_t roles)
{
	return __builtin_ffs(roles) - 1;
}

static int interface_change(struct nl *nl, int command, const struct entry *entry,
			    uint32_t role, bool tolerant)
{
	struct nl_msg *message = small_message(nl, command);

	if (message) {
		nla_put_u32(message, NF_EDGE_A_ROLE, role_index(role));
		put_address(message, NF_EDGE_A_ADDRESS, &entry->prefix);
		if (entry->text)
			nla_put_string(message, NF_EDGE_A_DEV, entry->text);
		if (tolerant)
			nla_put_flag(message, NF_EDGE_A_TOLERANT);
	}
	return change(nl, message);
}

int nl_interface_add(struct nl *nl, const struct entry *entry, uint32_t role,
		     bool tolerant)
{
	return interface_change(nl, NF_EDGE_CMD_INTERFACE_ADD, entry, role, tolerant);
}

int nl_interface_del(struct nl *nl, const struct entry *entry, uint32_t role,
		     bool tolerant)
{
	return interface_change(nl, NF_EDGE_CMD_INTERFACE_DEL, entry, role, tolerant);
}

static void filter_role(struct nl_msg *message, const void *what)
{
	const uint32_t *roles = what;

	if (*roles)
		nla_put_u32(message, NF_EDGE_A_ROLE, role_index(*roles));
}

int nl_interface_flush(struct nl *nl, uint32_t roles)
{
	struct nl_msg *message = small_message(nl, NF_EDGE_CMD_INTERFACE_FLUSH);

	if (message)
		filter_role(message, &roles);
	return change(nl, message);
}

static int fill_interface(struct nlattr **attrs, void *element)
{
	struct entry *entry = element;

	uint32_t role = get_u32(attrs[NF_EDGE_A_ROLE]);

	if (!get_address(attrs[NF_EDGE_A_ADDRESS], &entry->prefix) || role >= NF_EDGE_ROLE_COUNT)
		return EPROTO;
	entry->mask = 1u << role;
	if (!attrs[NF_EDGE_A_DEV])
		return 0;
	entry->text = copy_string(attrs[NF_EDGE_A_DEV]);
	return entry->text ? 0 : ENOMEM;
}

int nl_interfaces(struct nl *nl, uint32_t roles, struct entry **list, size_t *count)
{
	struct list all = { .size = sizeof(struct entry), .fill = fill_interface };
	int result = dump(nl, NF_EDGE_CMD_INTERFACE_GET, &all, true, filter_role, &roles);

	*list = all.elements;
	*count = all.count;
	return result;
}

/* ---- partners ---- */

static void filter_partners(struct nl_msg *message, const void *what)
{
	const struct partner_filter *filter = what;

	if (filter->groups)
		nla_put_u32(message, NF_EDGE_A_GROUPS, filter->groups);
	if (filter->name)
		nla_put_string(message, NF_EDGE_A_NAME, filter->name);
	if (filter->domain)
		nla_put_string(message, NF_EDGE_A_DOMAIN, filter->domain);
	if (filter->covers && filter->covers->size)
		put_address(message, NF_EDGE_A_ADDRESS, filter->covers);
	if (filter->idle)
		nla_put_u32(message, NF_EDGE_A_IDLE, filter->idle);
}

int nl_partner_flush(struct nl *nl, uint32_t groups)
{
	struct partner_filter filter = { .groups = groups };
	struct nl_msg *message = small_message(nl, NF_EDGE_CMD_PARTNER_FLUSH);

	if (message)
		filter_partners(message, &filter);
	return change(nl, message);
}

static int fill_prefix(struct nlattr **attrs, struct entry *entry)
{
	uint32_t length;

	if (!get_address(attrs[NF_EDGE_A_ADDRESS], &entry->prefix))
		return EPROTO;
	length = attrs[NF_EDGE_A_PREFIX_LEN] ? get_u32(attrs[NF_EDGE_A_PREFIX_LEN]) :
					       entry->prefix.len;
	if (length > entry->prefix.len)
		return EPROTO;
	entry->prefix.len = length;
	return 0;
}

static int fill_text(const struct nlattr *attr, char **text)
{
	*text = attr ? copy_string(attr) : NULL;
	return attr && !*text ? ENOMEM : 0;
}

static int fill_partner(struct nlattr **attrs, void *element)
{
	struct entry *entry = element;
	uint32_t groups = get_u32(attrs[NF_EDGE_A_GROUPS]);
	int result;

	if (fill_prefix(attrs, entry) || groups >> NF_EDGE_GROUP_COUNT)
		return EPROTO;
	entry->mask = groups;
	entry->leaves = attrs[NF_EDGE_A_LEAVES];
	entry->seen = attrs[NF_EDGE_A_PACKETS];
	entry->packets = get_u64(attrs[NF_EDGE_A_PACKETS]);
	entry->idle = get_u32(attrs[NF_EDGE_A_IDLE]);
	result = fill_text(attrs[NF_EDGE_A_NAME], &entry->text);
	return result ? result : fill_text(attrs[NF_EDGE_A_DOMAIN], &entry->domain);
}

static bool all_have_domain(const struct entry *list, size_t count)
{
	size_t i;

	for (i = 0; i < count && list[i].domain; i++)
		;
	return i == count;
}

static int dump_partners(struct nl *nl, const struct partner_filter *filter, struct list *list)
{
	int result = dump(nl, NF_EDGE_CMD_PARTNER_GET, list, true, filter_partners, filter);

	/* Older kernels pass on no sentence from the start of a dump. */
	if (result && nl->error.code == EPERM)
		set_error(nl, EPERM, "who is idle is for those to know who may change the policy");
	return result;
}

int nl_partners(struct nl *nl, const struct partner_filter *filter, struct entry **list,
		size_t *count)
{
	struct list all = { .size = sizeof(struct entry), .fill = fill_partner };
	int result = dump_partners(nl, filter, &all);

	*list = all.elements;
	*count = all.count;
	if (!result && filter->domain && !all_have_domain(*list, *count)) {
		answer_errno(nl, EPROTO);
		forget(&all, true);
		*list = NULL;
		*count = 0;
		return -1;
	}
	return result;
}

int nl_partners_take(struct nl *nl, const struct partner_filter *filter, nl_take_entries *take,
		     void *context)
{
	struct list some = { .size = sizeof(struct entry), .fill = fill_partner,
			     .take = take, .context = context };
	int result = dump_partners(nl, filter, &some);

	if (!result)
		take(context, some.elements, some.count, false);
	forget(&some, true);
	return result;
}

/* ---- blocks ---- */

static int block_change(struct nl *nl, int command, const struct entry *list, size_t count,
			bool tolerant)
{
	const bool adding = command == NF_EDGE_CMD_BLOCK_ADD;
	struct entries entries;
	int result;
	size_t i;

	if (entries_begin(nl, &entries, (count + 1) * ENTRY_BYTES))
		return -1;
	for (i = 0; i < count; i++) {
		const char *reason = list[i].text;
		char *end = write_prefix(entries.end + NLA_HDRLEN, &list[i].prefix);

		if (adding && list[i].until)
			end = write_attr(end, NF_EDGE_A_UNTIL, &list[i].until,
					 sizeof(list[i].until));
		if (adding && reason)
			end = write_attr(end, NF_EDGE_A_NAME, reason, strlen(reason) + 1);
		entry_end(&entries, end);
	}
	result = entries_send(nl, &entries, command, tolerant);
	free(entries.start);
	return result;
}

int nl_block_add(struct nl *nl, const struct entry *list, size_t count, bool tolerant)
{
	return block_change(nl, NF_EDGE_CMD_BLOCK_ADD, list, count, tolerant);
}

int nl_block_del(struct nl *nl, const struct entry *list, size_t count, bool tolerant)
{
	return block_change(nl, NF_EDGE_CMD_BLOCK_DEL, list, count, tolerant);
}

int nl_block_flush(struct nl *nl)
{
	return simple_change(nl, NF_EDGE_CMD_BLOCK_FLUSH);
}

static int fill_block(struct nlattr **attrs, void *element)
{
	struct entry *entry = element;

	entry->until = get_u64(attrs[NF_EDGE_A_UNTIL]);
	return fill_prefix(attrs, entry) ? EPROTO : fill_text(attrs[NF_EDGE_A_NAME], &entry->text);
}

static void filter_covering(struct nl_msg *message, const void *what)
{
	const struct prefix *covers = what;

	if (covers && covers->size)
		put_address(message, NF_EDGE_A_ADDRESS, covers);
}

int nl_blocks(struct nl *nl, const struct prefix *covers, struct entry **list, size_t *count)
{
	struct list all = { .size = sizeof(struct entry), .fill = fill_block };
	int result = dump(nl, NF_EDGE_CMD_BLOCK_GET, &all, true, filter_covering, covers);

	*list = all.elements;
	*count = all.count;
	return result;
}

/* ---- rows and reasons ---- */

static int fill_rule(struct nlattr **attrs, void *element)
{
	struct rule *rule = element;

	rule->row = get_u32(attrs[NF_EDGE_A_ROW]);
	get_string(attrs[NF_EDGE_A_CLASS], rule->class, sizeof(rule->class));
	get_string(attrs[NF_EDGE_A_FROM], rule->from, sizeof(rule->from));
	get_string(attrs[NF_EDGE_A_TO], rule->to, sizeof(rule->to));
	rule->protocol = get_u32(attrs[NF_EDGE_A_PROTOCOL]);
	rule->dport = get_u32(attrs[NF_EDGE_A_DPORT]);
	rule->peers = get_u32(attrs[NF_EDGE_A_PEERS]);
	rule->enabled = get_u32(attrs[NF_EDGE_A_ENABLED]);
	rule->packets = get_u64(attrs[NF_EDGE_A_PACKETS]);
	rule->bytes = get_u64(attrs[NF_EDGE_A_BYTES]);
	rule->flows = get_u64(attrs[NF_EDGE_A_FLOWS]);
	return rule->row < NF_EDGE_ROW_COUNT && rule->peers < NF_EDGE_PEERS_COUNT ?
	       0 : EPROTO;
}

int nl_rules(struct nl *nl, struct rule **list, size_t *count)
{
	struct list all = { .size = sizeof(struct rule), .fill = fill_rule };
	int result = dump(nl, NF_EDGE_CMD_RULE_GET, &all, false, NULL, NULL);

	*list = all.elements;
	*count = all.count;
	return result;
}

static int fill_drop(struct nlattr **attrs, void *element)
{
	struct drop *drop = element;

	drop->reason = get_u32(attrs[NF_EDGE_A_REASON]);
	drop->packets = get_u64(attrs[NF_EDGE_A_PACKETS]);
	drop->bytes = get_u64(attrs[NF_EDGE_A_BYTES]);
	return drop->reason < NF_EDGE_REASON_COUNT ? 0 : EPROTO;
}

int nl_drops(struct nl *nl, struct drop **list, size_t *count)
{
	struct list all = { .size = sizeof(struct drop), .fill = fill_drop };
	int result = dump(nl, NF_EDGE_CMD_DROP_GET, &all, false, NULL, NULL);

	*list = all.elements;
	*count = all.count;
	return result;
}

int nl_stats_reset(struct nl *nl)
{
	return simple_change(nl, NF_EDGE_CMD_STATS_RESET);
}

/* ---- explain ---- */

/**
 * struct explained - the answer that is waited for
 */
struct explained {
	struct request *request;
	struct verdict *verdict;
};

static int take_finding(struct nlattr *entry, struct verdict *verdict)
{
	struct nlattr *attrs[NF_EDGE_A_MAX + 1];
	uint32_t row, finding;

	if (nla_parse_nested(attrs, NF_EDGE_A_MAX, entry, policy) < 0)
		return EPROTO;
	row = get_u32(attrs[NF_EDGE_A_ROW]);
	finding = get_u32(attrs[NF_EDGE_A_FINDING]);
	if (row >= NF_EDGE_ROW_COUNT || finding >= NF_EDGE_FINDING_COUNT)
		return EPROTO;
	verdict->findings[row] = finding;
	return 0;
}

static int take_findings(struct nlmsghdr *answer, struct verdict *verdict)
{
	struct genlmsghdr *header = nlmsg_data(answer);
	struct nlattr *attr;
	int rest, result = 0;

	nla_for_each_attr(attr, genlmsg_attrdata(header, 0), genlmsg_attrlen(header, 0), rest) {
		if (!result && nla_type(attr) == NF_EDGE_A_ENTRY)
			result = take_finding(attr, verdict);
	}
	return result;
}

/* What accepts is a row, what drops is a reason, and what passes may be one. */
static bool is_whole(const struct verdict *verdict)
{
	switch (verdict->verdict) {
	case NF_EDGE_VERDICT_ACCEPT:
		return verdict->row >= 0 && verdict->reason < 0;
	case NF_EDGE_VERDICT_DROP:
		return verdict->row < 0 && verdict->reason >= 0;
	default:
		return verdict->row < 0;
	}
}

static int take_verdict(struct nlattr **attrs, void *into)
{
	const struct explained *explained = into;
	struct verdict *verdict = explained->verdict;

	verdict->verdict = get_u32(attrs[NF_EDGE_A_VERDICT]);
	verdict->mode = get_u32(attrs[NF_EDGE_A_MODE]);
	if (attrs[NF_EDGE_A_ROW])
		verdict->row = get_u32(attrs[NF_EDGE_A_ROW]);
	if (attrs[NF_EDGE_A_REASON])
		verdict->reason = get_u32(attrs[NF_EDGE_A_REASON]);
	if (verdict->verdict >= NF_EDGE_VERDICT_COUNT || verdict->mode >= NF_EDGE_MODE_COUNT ||
	    verdict->row >= NF_EDGE_ROW_COUNT || verdict->reason >= NF_EDGE_REASON_COUNT)
		return EPROTO;
	if (!is_whole(verdict))
		return EPROTO;
	return take_findings(explained->request->answer, verdict);
}

int nl_explain(struct nl *nl, const struct flow *flow, struct verdict *verdict)
{
	struct nl_msg *message = small_message(nl, NF_EDGE_CMD_EXPLAIN);
	struct request request = { .nl = nl, .take = take_verdict };
	struct explained explained = { &request, verdict };

	request.into = &explained;
	*verdict = (struct verdict){ .row = -1, .reason = -1 };
	if (message) {
		nla_put_flag(message, NF_EDGE_A_ALL);
		put_address(message, NF_EDGE_A_SOURCE, &flow->from);
		put_address(message, NF_EDGE_A_DESTINATION, &flow->to);
		nla_put_u32(message, NF_EDGE_A_PROTOCOL, flow->protocol);
		nla_put_u32(message, NF_EDGE_A_DPORT, flow->dport);
		if (flow->sport)
			nla_put_u32(message, NF_EDGE_A_SPORT, flow->sport);
		if (flow->iif)
			nla_put_string(message, NF_EDGE_A_IIF, flow->iif);
		if (flow->oif)
			nla_put_string(message, NF_EDGE_A_OIF, flow->oif);
	}
	return transact(&request, message);
}

/* ---- events ---- */

int nl_listen(struct nl *nl, unsigned int groups)
{
	int controller = CTRL_NOTIFY, group;

	for (group = 0; group < GROUP_COUNT; group++) {
		if (!(groups & 1u << group) || !nl->sock)
			continue;
		if (!nl->group[group])
			return set_error(nl, EPROTO,
					 "the nf_edge module is too old for this edgectl");
		if (setsockopt(nl_fd(nl), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nl->group[group],
			       sizeof(nl->group[group])))
			return set_error(nl, errno, errno == EPERM ?
					 "not permitted (to hear of drops needs CAP_NET_ADMIN)" :
					 strerror(errno));
	}
	if (!nl->sock)
		return -1;
	/* To hear of the end is a comfort, and need not be possible. */
	setsockopt(nl_fd(nl), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &controller, sizeof(controller));
	return 0;
}

int nl_fd(const struct nl *nl)
{
	return nl_socket_get_fd(nl->sock);
}

static int take_setting(struct nlattr *attr, unsigned int which, struct settings *settings,
			uint32_t *value, uint32_t limit)
{
	if (!attr)
		return 0;
	settings->given |= which;
	*value = nla_get_u32(attr);
	return *value < limit ? 0 : EPROTO;
}

static int take_settings(struct nlattr **attrs, struct settings *settings)
{
	if (attrs[NF_EDGE_A_RTP_PORTS]) {
		settings->given |= SETTING_PORTS;
		memcpy(settings->ports, nla_data(attrs[NF_EDGE_A_RTP_PORTS]),
		       sizeof(settings->ports));
	}
	return take_setting(attrs[NF_EDGE_A_MODE], SETTING_MODE, settings, &settings->mode,
			    NF_EDGE_MODE_COUNT) ?:
	       take_setting(attrs[NF_EDGE_A_UNLISTED], SETTING_UNLISTED, settings,
			    &settings->unlisted, NF_EDGE_UNLISTED_COUNT) ?:
	       take_setting(attrs[NF_EDGE_A_RTP_MATCH], SETTING_MATCH, settings, &settings->match,
			    NF_EDGE_RTP_MATCH_COUNT);
}

static int take_changed_rule(struct nlattr **attrs, struct rule_change *rule)
{
	rule->row = get_u32(attrs[NF_EDGE_A_ROW]);
	rule->enabled = attrs[NF_EDGE_A_ENABLED] ? (int)get_u32(attrs[NF_EDGE_A_ENABLED]) : -1;
	rule->peers = attrs[NF_EDGE_A_PEERS] ? (int)get_u32(attrs[NF_EDGE_A_PEERS]) : -1;
	return rule->row < NF_EDGE_ROW_COUNT && rule->peers < NF_EDGE_PEERS_COUNT ? 0 : EPROTO;
}

static int add_changed_rule(struct nlattr **attrs, struct change *change)
{
	struct rule_change *list = grow(change->rules, change->rule_count, &change->rule_room,
					sizeof(*list));

	if (!list)
		return ENOMEM;
	change->rules = list;
	return take_changed_rule(attrs, &list[change->rule_count++]);
}

static int add_changed_prefix(struct nlattr **attrs, struct change *change,
			      int (*fill)(struct nlattr **attrs, void *element))
{
	struct entry *list = grow(change->list, change->count, &change->room, sizeof(*list));

	if (!list)
		return ENOMEM;
	change->list = list;
	memset(&list[change->count], 0, sizeof(*list));
	return fill(attrs, &list[change->count++]);
}

static bool is_about_blocks(uint32_t command)
{
	return command == NF_EDGE_CMD_BLOCK_ADD || command == NF_EDGE_CMD_BLOCK_DEL;
}

/* An entry is a row, a block or a partner, by the command. */
static int take_entry(struct nlattr *entry, struct change *change)
{
	struct nlattr *attrs[NF_EDGE_A_MAX + 1];

	if (nla_parse_nested(attrs, NF_EDGE_A_MAX, entry, policy) < 0)
		return EPROTO;
	if (change->command == NF_EDGE_CMD_RULE_SET)
		return add_changed_rule(attrs, change);
	return add_changed_prefix(attrs, change,
				  is_about_blocks(change->command) ? fill_block : fill_partner);
}

/* However many it is told that there are; of a command that has none they mean nothing. */
static int take_entries(struct nlmsghdr *message, struct change *change)
{
	struct genlmsghdr *header = nlmsg_data(message);
	int rest, result = 0;
	struct nlattr *attr;

	if (change->command != NF_EDGE_CMD_RULE_SET && change->command != NF_EDGE_CMD_PARTNER_ADD &&
	    change->command != NF_EDGE_CMD_PARTNER_DEL && !is_about_blocks(change->command))
		return 0;
	nla_for_each_attr(attr, genlmsg_attrdata(header, 0), genlmsg_attrlen(header, 0), rest) {
		if (!result && nla_type(attr) == NF_EDGE_A_ENTRY)
			result = take_entry(attr, change);
	}
	return result;
}

/* An Edge address, or the role of those that are gone. */
static int take_changed_interface(struct nlattr **attrs, struct change *change)
{
	bool one = change->command == NF_EDGE_CMD_INTERFACE_ADD ||
		   change->command == NF_EDGE_CMD_INTERFACE_DEL;
	uint32_t role = get_u32(attrs[NF_EDGE_A_ROLE]);

	if (attrs[NF_EDGE_A_ROLE]) {
		if (role >= NF_EDGE_ROLE_COUNT)
			return EPROTO;
		change->roles = 1u << role;
	}
	if (!get_address(attrs[NF_EDGE_A_ADDRESS], &change->interface.prefix) && one)
		return EPROTO;
	if (!attrs[NF_EDGE_A_DEV])
		return 0;
	change->interface.text = copy_string(attrs[NF_EDGE_A_DEV]);
	return change->interface.text ? 0 : ENOMEM;
}

/* A module that is older does not tell. */
static void take_sender(struct nlattr **attrs, struct change *change)
{
	const struct nlattr *user = attrs[NF_EDGE_A_USER], *login = attrs[NF_EDGE_A_LOGIN];

	get_string(attrs[NF_EDGE_A_PROCESS], change->process, sizeof(change->process));
	change->pid = get_u32(attrs[NF_EDGE_A_PID]);
	change->user = user ? (int64_t)get_u32(user) : -1;
	change->login = login ? (int64_t)get_u32(login) : -1;
}

static int take_change(struct nlattr **attrs, struct nlmsghdr *message, struct change *change)
{
	change->command = get_u32(attrs[NF_EDGE_A_COMMAND]);
	change->generation = get_u32(attrs[NF_EDGE_A_GENERATION]);
	change->interfaces = get_u32(attrs[NF_EDGE_A_INTERFACES]);
	change->partners = get_u32(attrs[NF_EDGE_A_PARTNERS]);
	change->blocks = get_u32(attrs[NF_EDGE_A_BLOCKS]);
	change->entries = get_u32(attrs[NF_EDGE_A_ENTRIES]);
	change->left = attrs[NF_EDGE_A_CONFIRM] ? (int64_t)get_u32(attrs[NF_EDGE_A_CONFIRM]) : -1;
	change->groups = get_u32(attrs[NF_EDGE_A_GROUPS]);
	take_sender(attrs, change);
	return take_settings(attrs, &change->settings) ?: take_changed_interface(attrs, change) ?:
	       take_entries(message, change);
}

static const char *take_device(const struct nlattr *attr, char text[DEVICE_TEXT])
{
	get_string(attr, text, DEVICE_TEXT);
	return attr ? text : NULL;
}

static int take_drop(struct nlattr **attrs, struct event *event)
{
	struct dropped *dropped = &event->dropped;

	dropped->reason = get_u32(attrs[NF_EDGE_A_REASON]);
	dropped->mode = get_u32(attrs[NF_EDGE_A_MODE]);
	dropped->left_out = get_u32(attrs[NF_EDGE_A_LEFT_OUT]);
	dropped->reply = attrs[NF_EDGE_A_REPLY];
	dropped->row = attrs[NF_EDGE_A_ROW] ? (int)get_u32(attrs[NF_EDGE_A_ROW]) : -1;
	dropped->flow.protocol = get_u32(attrs[NF_EDGE_A_PROTOCOL]);
	dropped->flow.sport = get_u32(attrs[NF_EDGE_A_SPORT]);
	dropped->flow.dport = get_u32(attrs[NF_EDGE_A_DPORT]);
	dropped->flow.iif = take_device(attrs[NF_EDGE_A_IIF], event->text[0]);
	dropped->flow.oif = take_device(attrs[NF_EDGE_A_OIF], event->text[1]);
	return get_address(attrs[NF_EDGE_A_SOURCE], &dropped->flow.from) &&
	       get_address(attrs[NF_EDGE_A_DESTINATION], &dropped->flow.to) &&
	       dropped->reason < NF_EDGE_REASON_COUNT && dropped->mode < NF_EDGE_MODE_COUNT &&
	       dropped->row < NF_EDGE_ROW_COUNT ? 0 : EPROTO;
}

/* Of several the first: the module's own stand before those of the request that it repeats. */
static void take_first(struct nlmsghdr *message, struct nlattr *attrs[NF_EDGE_A_MAX + 1])
{
	struct genlmsghdr *header = nlmsg_data(message);
	struct nlattr *attr;
	int rest;

	nla_for_each_attr(attr, genlmsg_attrdata(header, 0), genlmsg_attrlen(header, 0), rest) {
		if (nla_type(attr) <= NF_EDGE_A_MAX && !attrs[nla_type(attr)])
			attrs[nla_type(attr)] = attr;
	}
}

static int take_event(struct nlmsghdr *header, struct event *event)
{
	struct nlattr *attrs[NF_EDGE_A_MAX + 1];

	if (genlmsg_parse(header, 0, attrs, NF_EDGE_A_MAX, policy) < 0)
		return EPROTO;
	memset(attrs, 0, sizeof(attrs));
	take_first(header, attrs);
	switch (((struct genlmsghdr *)nlmsg_data(header))->cmd) {
	case NF_EDGE_CMD_CONFIG_NTF:
		event->kind = EVENT_CHANGE;
		return take_change(attrs, header, &event->change);
	case NF_EDGE_CMD_DROP_NTF:
		event->kind = EVENT_DROP;
		return take_drop(attrs, event);
	default:
		return 0;
	}
}

/* What the family controller tells: of our family only its end counts. */
static void take_controller(struct nl *nl, struct nlmsghdr *header, struct event *event)
{
	struct nlattr *attrs[NF_EDGE_A_MAX + 1];

	if (genlmsg_parse(header, 0, attrs, NF_EDGE_A_MAX, controller_policy) < 0 ||
	    ((struct genlmsghdr *)nlmsg_data(header))->cmd != CTRL_CMD_DELFAMILY)
		return;
	if (attrs[CTRL_ATTR_FAMILY_ID] && nla_get_u16(attrs[CTRL_ATTR_FAMILY_ID]) == nl->family)
		event->kind = EVENT_UNLOADED;
}

int nl_event(struct nl *nl, struct event *event)
{
	static char buffer[RECEIVE_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *header = (struct nlmsghdr *)buffer;
	struct sockaddr_nl from = { 0 };
	socklen_t size = sizeof(from);
	ssize_t length;

	length = recvfrom(nl_fd(nl), buffer, sizeof(buffer), MSG_DONTWAIT,
			  (struct sockaddr *)&from, &size);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (length < 0 && errno == ENOBUFS) {
		event->kind = EVENT_LOST;
		return 0;
	}
	if (length < 0)
		return set_error(nl, errno, strerror(errno));
	if (from.nl_pid || !NLMSG_OK(header, length))
		return 0;	/* not the kernel's */
	if (header->nlmsg_type == GENL_ID_CTRL)
		take_controller(nl, header, event);
	if (header->nlmsg_type != nl->family)
		return 0;
	set_error(nl, 0, "");
	answer_errno(nl, take_event(header, event));
	return nl->error.code ? -1 : 0;
}

void event_free(struct event *event)
{
	entries_free(event->change.list, event->change.count);
	free(event->change.rules);
	free(event->change.interface.text);
}

/* ---- transactions ---- */

void nl_based_on(struct nl *nl, uint32_t generation)
{
	nl->based_on = generation;
}

int nl_begin(struct nl *nl, bool copy)
{
	struct nl_msg *message = small_message(nl, NF_EDGE_CMD_BEGIN);

	if (message && copy)
		nla_put_flag(message, NF_EDGE_A_COPY);
	nl->begun = !change(nl, message);
	return nl->begun ? 0 : -1;
}

bool nl_begun(const struct nl *nl)
{
	return nl->begun;
}

void nl_read_staged(struct nl *nl, bool staged)
{
	nl->staged = staged;
}

void nl_allow_open(struct nl *nl)
{
	nl->open = true;
}

/* A request that may be refused because it is based on another generation. */
static struct nl_msg *based_message(struct nl *nl, int command)
{
	struct nl_msg *message = small_message(nl, command);

	if (message && nl->based_on)
		nla_put_u32(message, NF_EDGE_A_GENERATION, nl->based_on);
	return message;
}

int nl_undo(struct nl *nl)
{
	struct nl_msg *message = based_message(nl, NF_EDGE_CMD_UNDO);

	if (message && nl->open)
		nla_put_flag(message, NF_EDGE_A_OPEN);
	return change(nl, message);
}

int nl_commit(struct nl *nl, uint32_t seconds)
{
	struct nl_msg *message = based_message(nl, NF_EDGE_CMD_COMMIT);

	if (message && seconds)
		nla_put_u32(message, NF_EDGE_A_CONFIRM, seconds);
	if (message && nl->open)
		nla_put_flag(message, NF_EDGE_A_OPEN);
	return change(nl, message);
}

int nl_confirm(struct nl *nl)
{
	return simple_change(nl, NF_EDGE_CMD_CONFIRM);
}

int nl_revert(struct nl *nl)
{
	return simple_change(nl, NF_EDGE_CMD_REVERT);
}

/* ---- the handle ---- */

struct family {
	int id;
	uint32_t version;
	uint32_t group[GROUP_COUNT];
};

static void take_group(struct nlattr *nest, struct family *family)
{
	static const char *const names[] = { NF_EDGE_MCGRP_CONFIG, NF_EDGE_MCGRP_DROPS };
	struct nlattr *attrs[CTRL_ATTR_MCAST_GRP_MAX + 1];
	int group;

	if (nla_parse_nested(attrs, CTRL_ATTR_MCAST_GRP_MAX, nest, group_policy) < 0 ||
	    !attrs[CTRL_ATTR_MCAST_GRP_NAME] || !attrs[CTRL_ATTR_MCAST_GRP_ID])
		return;
	for (group = 0; group < GROUP_COUNT; group++) {
		if (!nla_strcmp(attrs[CTRL_ATTR_MCAST_GRP_NAME], names[group]))
			family->group[group] = nla_get_u32(attrs[CTRL_ATTR_MCAST_GRP_ID]);
	}
}

static int take_family(struct nlattr **attrs, void *into)
{
	struct family *family = into;
	struct nlattr *nest;
	int rest;

	if (attrs[CTRL_ATTR_MCAST_GROUPS]) {
		nla_for_each_nested(nest, attrs[CTRL_ATTR_MCAST_GROUPS], rest)
			take_group(nest, family);
	}

	if (attrs[CTRL_ATTR_FAMILY_ID])
		family->id = nla_get_u16(attrs[CTRL_ATTR_FAMILY_ID]);
	family->version = get_u32(attrs[CTRL_ATTR_VERSION]);
	return 0;
}

/* Asks the controller, which also makes the kernel try to load the module. */
static int resolve(struct nl *nl)
{
	struct family family = { 0 };
	struct request request = { .nl = nl, .take = take_family, .into = &family };
	struct nl_msg *message = small_message(nl, CTRL_CMD_GETFAMILY);

	if (message)
		nla_put_string(message, CTRL_ATTR_FAMILY_NAME, NF_EDGE_GENL_NAME);
	if (transact(&request, message) && nl->error.code != ENOENT)
		return -1;
	if (!family.id)
		return set_error(nl, ENOENT,
				 "the nf_edge module is not loaded (modprobe nf_edge)");
	if (family.version < NF_EDGE_GENL_VERSION)
		return set_error(nl, EPROTO, "the nf_edge module is too old for this edgectl");
	if (family.version > NF_EDGE_GENL_VERSION)
		return set_error(nl, EPROTO, "the nf_edge module is too new for this edgectl");
	nl->family = family.id;
	memcpy(nl->group, family.group, sizeof(nl->group));
	return 0;
}

static int connect_socket(struct nl *nl)
{
	int result = genl_connect(nl->sock);
	int fd = nl_socket_get_fd(nl->sock);
	int on = 1;

	if (result < 0)
		return set_error(nl, EIO, nl_geterror(result));
	/* What these bring is a comfort; a kernel without them still answers. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

struct nl *nl_attach(void)
{
	struct nl *nl = calloc(1, sizeof(*nl));

	if (!nl)
		abort();
	nl->family = GENL_ID_CTRL;
	nl->sock = nl_socket_alloc();
	if (!nl->sock) {
		set_error(nl, ENOMEM, "out of memory");
		return nl;
	}
	if (connect_socket(nl) || resolve(nl)) {
		nl_socket_free(nl->sock);
		nl->sock = NULL;
	}
	return nl;
}

void nl_hang_up(struct nl *nl)
{
	nl_socket_free(nl->sock);
	nl->sock = NULL;
}

void nl_detach(struct nl *nl)
{
	if (nl->sock)
		nl_socket_free(nl->sock);
	free(nl);
}
