// SPDX-License-Identifier: GPL-2.0-only
/*
 * nl: the kernel behind plain functions. The only file that knows libnl.
 */
#include <errno.h>
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
#define BATCH_BYTES	32768	/* of a message inside a transaction */
#define SMALL_BYTES	1024	/* messages with a few fixed attributes */
#define ENTRY_BYTES	128	/* the largest entry, rounded up */
#define DUMP_TRIES	20

struct nl {
	struct nl_sock *sock;
	int family;
	struct nl_error error;
};

/* Takes one answer. Returns 0, or an errno. */
typedef int (*take_fn)(struct nlattr **attrs, void *into);

/**
 * struct request - one request under way
 * @offset: of the attribute that the kernel blames, 0: none
 */
struct request {
	struct nl *nl;
	take_fn take;
	void *into;
	uint32_t offset;
	bool done;
	bool interrupted;
};

static const struct nla_policy policy[NF_EDGE_A_MAX + 1] = {
	[NF_EDGE_A_VERSION]	= { .type = NLA_NUL_STRING },
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
	[NF_EDGE_A_DEV]		= { .type = NLA_NUL_STRING },
	[NF_EDGE_A_GROUPS]	= { .type = NLA_U32 },
	[NF_EDGE_A_NAME]	= { .type = NLA_NUL_STRING },
	[NF_EDGE_A_ROW]		= { .type = NLA_U32 },
	[NF_EDGE_A_CLASS]	= { .type = NLA_NUL_STRING },
	[NF_EDGE_A_FROM]	= { .type = NLA_NUL_STRING },
	[NF_EDGE_A_TO]		= { .type = NLA_NUL_STRING },
	[NF_EDGE_A_ENABLED]	= { .type = NLA_U32 },
	[NF_EDGE_A_PEERS]	= { .type = NLA_U32 },
	[NF_EDGE_A_REASON]	= { .type = NLA_U32 },
	[NF_EDGE_A_PACKETS]	= { .type = NLA_U64 },
	[NF_EDGE_A_BYTES]	= { .type = NLA_U64 },
	[NF_EDGE_A_FLOWS]	= { .type = NLA_U64 },
	[NF_EDGE_A_PROTOCOL]	= { .type = NLA_U32 },
	[NF_EDGE_A_DPORT]	= { .type = NLA_U32 },
	[NF_EDGE_A_VERDICT]	= { .type = NLA_U32 },
};

/* What the family controller answers with; it fits into the same array. */
static const struct nla_policy controller_policy[NF_EDGE_A_MAX + 1] = {
	[CTRL_ATTR_FAMILY_ID]	= { .type = NLA_U16 },
	[CTRL_ATTR_VERSION]	= { .type = NLA_U32 },
};

_Static_assert(CTRL_ATTR_VERSION <= NF_EDGE_A_MAX, "one array holds both");

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

/* The extended ack: a sentence and an offset, in the @tlvs of @length bytes. */
static void read_tlvs(struct request *request, struct nlattr *tlvs, int length)
{
	struct nlattr *attrs[NLMSGERR_ATTR_MAX + 1];
	struct nl *nl = request->nl;

	if (length <= 0 || nla_parse(attrs, NLMSGERR_ATTR_MAX, tlvs, length, NULL) < 0)
		return;
	if (attrs[NLMSGERR_ATTR_OFFS] && nla_len(attrs[NLMSGERR_ATTR_OFFS]) >= 4)
		request->offset = nla_get_u32(attrs[NLMSGERR_ATTR_OFFS]);
	if (attrs[NLMSGERR_ATTR_MSG] && nl->error.code != EPERM)
		nla_strlcpy(nl->error.text, attrs[NLMSGERR_ATTR_MSG],
			    sizeof(nl->error.text));
}

static void explain_errno(struct nl *nl, int code)
{
	switch (code) {
	case EPERM:
		set_error(nl, code, "not permitted (changes need CAP_NET_ADMIN)");
		break;
	case EOPNOTSUPP:
		set_error(nl, code, "the nf_edge module does not know this command");
		break;
	default:
		set_error(nl, code, strerror(code));
	}
}

/* @fixed: bytes of the message's payload before the extended ack. */
static void read_error(struct request *request, struct nlmsghdr *header, int code,
		       uint32_t fixed)
{
	int length = nlmsg_datalen(header) - NLMSG_ALIGN(fixed);

	explain_errno(request->nl, code);
	if (header->nlmsg_flags & NLM_F_ACK_TLVS)
		read_tlvs(request, (struct nlattr *)((char *)nlmsg_data(header) +
						     NLMSG_ALIGN(fixed)), length);
	request->done = true;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *into)
{
	struct nlmsghdr *header = (struct nlmsghdr *)((char *)error - NLMSG_HDRLEN);
	uint32_t fixed = sizeof(*error);

	(void)from;
	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		fixed += error->msg.nlmsg_len - NLMSG_HDRLEN;
	read_error(into, header, -error->error, fixed);
	return NL_STOP;
}

static int on_ack(struct nl_msg *message, void *into)
{
	struct request *request = into;

	(void)message;
	request->done = true;
	return NL_STOP;
}

/* The end of a dump carries an error as well. */
static int on_finish(struct nl_msg *message, void *into)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct request *request = into;
	int code = 0;

	if (nlmsg_datalen(header) >= (int)sizeof(code))
		memcpy(&code, nlmsg_data(header), sizeof(code));
	if (code < 0)
		read_error(request, header, -code, sizeof(code));
	request->done = true;
	return NL_STOP;
}

static int on_interrupted(struct nl_msg *message, void *into)
{
	struct request *request = into;

	(void)message;
	request->interrupted = true;
	return NL_OK;
}

static void answer_errno(struct nl *nl, int code)
{
	if (code == ENOMEM)
		set_error(nl, code, "out of memory");
	else if (code)
		set_error(nl, code, "the nf_edge module is too new for this edgectl");
}

static int on_answer(struct nl_msg *message, void *into)
{
	struct nlattr *attrs[NF_EDGE_A_MAX + 1];
	struct request *request = into;
	struct nl *nl = request->nl;
	bool controller = nl->family == GENL_ID_CTRL;

	if (!request->take || nl->error.code)
		return NL_OK;
	if (genlmsg_parse(nlmsg_hdr(message), 0, attrs, NF_EDGE_A_MAX,
			  controller ? controller_policy : policy) < 0)
		set_error(nl, EBADMSG, "the kernel's answer cannot be understood");
	else
		answer_errno(nl, request->take(attrs, request->into));
	return NL_OK;
}

static struct nl_cb *callbacks(struct request *request)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		return NULL;
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, request);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, request);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, request);
	nl_cb_set(cb, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, request);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_answer, request);
	return cb;
}

/* Sends @message, which is consumed, and waits for the end of the answers. */
static int transact(struct request *request, struct nl_msg *message)
{
	struct nl *nl = request->nl;
	struct nl_cb *cb;
	int result;

	if (!nl->sock) {
		nlmsg_free(message);
		return -1;	/* nl_attach() has left the reason */
	}
	set_error(nl, 0, "");
	cb = callbacks(request);
	if (!message || !cb) {
		nlmsg_free(message);
		nl_cb_put(cb);
		return set_error(nl, ENOMEM, "out of memory");
	}
	result = nl_send_auto(nl->sock, message);
	while (result >= 0 && !request->done)
		result = nl_recvmsgs(nl->sock, cb);
	nl_cb_put(cb);
	nlmsg_free(message);
	if (result < 0 && !request->done && !nl->error.code)
		set_error(nl, EIO, nl_geterror(result));
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
 */
struct list {
	void *elements;
	size_t count;
	size_t room;
	size_t size;
	int (*fill)(struct nlattr **attrs, void *element);
};

static int take_element(struct nlattr **attrs, void *into)
{
	struct list *list = into;
	void *elements = grow(list->elements, list->count, &list->room, list->size);
	char *element;

	if (!elements)
		return ENOMEM;
	list->elements = elements;
	element = (char *)elements + list->count * list->size;
	memset(element, 0, list->size);
	list->count++;
	return list->fill(attrs, element);
}

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

static void pause_before(int try)
{
	struct timespec time = { .tv_nsec = try * 5000000L };

	nanosleep(&time, NULL);
}

/*
 * Dumps until no change has fallen between. @filter adds attributes to the
 * request and may be NULL. @entries: the elements are struct entry.
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
		request = (struct request){ .nl = nl, .take = take_element, .into = list };
		result = transact(&request, message);
		if (!result && !request.interrupted)
			return 0;
		forget(list, entries);
		if (result)
			return -1;
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

	for (i = 0; i < count; i++)
		free(list[i].text);
	free(list);
}

/* ---- messages of many entries ---- */

/**
 * struct batch - a message that collects entries
 * @offset: of each entry in the message
 */
struct batch {
	struct nl_msg *message;
	uint32_t *offset;
	size_t count;
};

static struct nlattr *entry_start(struct batch *batch)
{
	struct nlattr *nest;

	nest = nla_nest_start(batch->message, NF_EDGE_A_ENTRY | NLA_F_NESTED);
	if (nest)
		batch->offset[batch->count++] = (char *)nest -
						(char *)nlmsg_hdr(batch->message);
	return nest;
}

/* Sends the batch and finds out which entry was refused. */
static int batch_send(struct nl *nl, struct batch *batch)
{
	struct request request = { .nl = nl };
	int result = transact(&request, batch->message);
	size_t i;

	batch->message = NULL;
	if (!result || !request.offset)
		return result;
	for (i = 0; i < batch->count && batch->offset[i] <= request.offset; i++)
		nl->error.entry = i;
	return result;
}

static int batch_begin(struct nl *nl, struct batch *batch, int command, size_t entries,
		       bool tolerant)
{
	size_t bytes = entries * ENTRY_BYTES + SMALL_BYTES;

	batch->count = 0;
	batch->offset = calloc(entries, sizeof(*batch->offset));
	batch->message = new_message(nl, command, 0, bytes);
	if (!batch->offset || !batch->message) {
		free(batch->offset);
		nlmsg_free(batch->message);
		return set_error(nl, ENOMEM, "out of memory");
	}
	if (tolerant)
		nla_put_flag(batch->message, NF_EDGE_A_TOLERANT);
	return 0;
}

static void batch_end(struct batch *batch)
{
	nlmsg_free(batch->message);
	free(batch->offset);
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

/* One message. @groups: send the masks, which add needs and del may leave out. */
static int partner_change(struct nl *nl, int command, const struct entry *list,
			  size_t count, bool tolerant)
{
	struct batch batch;
	size_t i;
	int result;

	if (batch_begin(nl, &batch, command, count, tolerant))
		return -1;
	for (i = 0; i < count; i++) {
		struct nlattr *nest = entry_start(&batch);

		put_address(batch.message, NF_EDGE_A_ADDRESS, &list[i].prefix);
		nla_put_u32(batch.message, NF_EDGE_A_PREFIX_LEN, list[i].prefix.len);
		if (list[i].mask)
			nla_put_u32(batch.message, NF_EDGE_A_GROUPS, list[i].mask);
		if (list[i].text)
			nla_put_string(batch.message, NF_EDGE_A_NAME, list[i].text);
		nla_nest_end(batch.message, nest);
	}
	widen(nl, nlmsg_hdr(batch.message)->nlmsg_len + SMALL_BYTES);
	result = batch_send(nl, &batch);
	batch_end(&batch);
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

int nl_partner_stage(struct nl *nl, const struct entry *list, size_t count)
{
	const size_t step = BATCH_BYTES / ENTRY_BYTES;
	size_t done, now;

	for (done = 0; done < count; done += now) {
		now = count - done < step ? count - done : step;
		if (!nl_partner_add(nl, list + done, now, false))
			continue;
		if (nl->error.entry != NL_NO_ENTRY)
			nl->error.entry += done;
		return -1;
	}
	return 0;
}

int nl_rule_set(struct nl *nl, const struct rule_change *list, size_t count)
{
	struct batch batch;
	size_t i;
	int result;

	if (batch_begin(nl, &batch, NF_EDGE_CMD_RULE_SET, count, false))
		return -1;
	for (i = 0; i < count; i++) {
		struct nlattr *nest = entry_start(&batch);

		nla_put_u32(batch.message, NF_EDGE_A_ROW, list[i].row);
		if (list[i].enabled >= 0)
			nla_put_u32(batch.message, NF_EDGE_A_ENABLED, list[i].enabled);
		if (list[i].peers >= 0)
			nla_put_u32(batch.message, NF_EDGE_A_PEERS, list[i].peers);
		nla_nest_end(batch.message, nest);
	}
	result = batch_send(nl, &batch);
	batch_end(&batch);
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
	status->uptime = get_u64(attrs[NF_EDGE_A_UPTIME]);
	return settings->mode < NF_EDGE_MODE_COUNT &&
	       settings->unlisted < NF_EDGE_UNLISTED_COUNT &&
	       settings->match < NF_EDGE_RTP_MATCH_COUNT ? 0 : EPROTO;
}

int nl_status(struct nl *nl, struct status *status)
{
	struct request request = { .nl = nl, .take = take_status, .into = status };

	memset(status, 0, sizeof(*status));
	return transact(&request, small_message(nl, NF_EDGE_CMD_STATUS_GET));
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

	get_address(attrs[NF_EDGE_A_ADDRESS], &entry->prefix);
	entry->mask = 1u << (get_u32(attrs[NF_EDGE_A_ROLE]) & 31);
	if (entry->mask >= 1u << NF_EDGE_ROLE_COUNT)
		return EPROTO;
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

struct partner_filter {
	uint32_t groups;
	const char *name;
	const struct prefix *covers;
};

static void filter_partners(struct nl_msg *message, const void *what)
{
	const struct partner_filter *filter = what;

	if (filter->groups)
		nla_put_u32(message, NF_EDGE_A_GROUPS, filter->groups);
	if (filter->name)
		nla_put_string(message, NF_EDGE_A_NAME, filter->name);
	if (filter->covers && filter->covers->size)
		put_address(message, NF_EDGE_A_ADDRESS, filter->covers);
}

int nl_partner_flush(struct nl *nl, uint32_t groups)
{
	struct partner_filter filter = { .groups = groups };
	struct nl_msg *message = small_message(nl, NF_EDGE_CMD_PARTNER_FLUSH);

	if (message)
		filter_partners(message, &filter);
	return change(nl, message);
}

static int fill_partner(struct nlattr **attrs, void *element)
{
	struct entry *entry = element;

	if (get_address(attrs[NF_EDGE_A_ADDRESS], &entry->prefix) &&
	    attrs[NF_EDGE_A_PREFIX_LEN])
		entry->prefix.len = get_u32(attrs[NF_EDGE_A_PREFIX_LEN]);
	entry->mask = get_u32(attrs[NF_EDGE_A_GROUPS]);
	if (!attrs[NF_EDGE_A_NAME])
		return 0;
	entry->text = copy_string(attrs[NF_EDGE_A_NAME]);
	return entry->text ? 0 : ENOMEM;
}

int nl_partners(struct nl *nl, uint32_t groups, const char *name,
		const struct prefix *covers, struct entry **list, size_t *count)
{
	struct list all = { .size = sizeof(struct entry), .fill = fill_partner };
	struct partner_filter filter = { groups, name, covers };
	int result = dump(nl, NF_EDGE_CMD_PARTNER_GET, &all, true, filter_partners, &filter);

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

static int take_verdict(struct nlattr **attrs, void *into)
{
	struct verdict *verdict = into;

	verdict->verdict = get_u32(attrs[NF_EDGE_A_VERDICT]);
	verdict->mode = get_u32(attrs[NF_EDGE_A_MODE]);
	if (attrs[NF_EDGE_A_ROW])
		verdict->row = get_u32(attrs[NF_EDGE_A_ROW]);
	if (attrs[NF_EDGE_A_REASON])
		verdict->reason = get_u32(attrs[NF_EDGE_A_REASON]);
	return verdict->verdict < NF_EDGE_VERDICT_COUNT &&
	       verdict->mode < NF_EDGE_MODE_COUNT && verdict->row < NF_EDGE_ROW_COUNT &&
	       verdict->reason < NF_EDGE_REASON_COUNT ? 0 : EPROTO;
}

int nl_explain(struct nl *nl, const struct flow *flow, struct verdict *verdict)
{
	struct request request = { .nl = nl, .take = take_verdict, .into = verdict };
	struct nl_msg *message = small_message(nl, NF_EDGE_CMD_EXPLAIN);

	*verdict = (struct verdict){ .row = -1, .reason = -1 };
	if (message) {
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

/* ---- transactions ---- */

int nl_begin(struct nl *nl)
{
	return simple_change(nl, NF_EDGE_CMD_BEGIN);
}

int nl_commit(struct nl *nl)
{
	return simple_change(nl, NF_EDGE_CMD_COMMIT);
}

/* ---- the handle ---- */

struct family {
	int id;
	uint32_t version;
};

static int take_family(struct nlattr **attrs, void *into)
{
	struct family *family = into;

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
	return 0;
}

static int connect_socket(struct nl *nl)
{
	int result = genl_connect(nl->sock);
	int fd = nl_socket_get_fd(nl->sock);
	int on = 1;

	if (result < 0)
		return set_error(nl, EIO, nl_geterror(result));
	nl_socket_set_msg_buf_size(nl->sock, RECEIVE_BYTES);
	nl_socket_enable_msg_peek(nl->sock);
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

void nl_detach(struct nl *nl)
{
	if (nl->sock)
		nl_socket_free(nl->sock);
	free(nl);
}
