// SPDX-License-Identifier: GPL-2.0-only
/*
 * log: drops and changes go to the journal, and the drops into the table that report shows
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "event.h"
#include "journal.h"
#include "ledger.h"

#define AGAIN	1000	/* milliseconds until the module is looked for again */

/**
 * struct record - what is kept
 * @unsaved: the file does not have all of it
 * @failing: it could not be written, which has been told
 * @next: when that may be mended, seconds of a clock that nobody sets
 */
struct record {
	const char *netns;
	char path[LEDGER_PATH];
	struct ledger ledger;
	bool unsaved;
	bool failing;
	uint64_t next;
};

static uint64_t seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec;
}

/* ---- the table on the disk ---- */

/* One alone keeps a table; the file itself is replaced again and again. */
static bool lock(const struct record *record)
{
	char path[LEDGER_PATH + 8];
	int fd;

	snprintf(path, sizeof(path), "%s.lock", record->path);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		fail("%s: %s%s", path, strerror(errno),
		     errno == ENOENT ? " (nf_edge-log.service makes the directory)" : "");
		return false;
	}
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return true;	/* and it stays open for as long as we are there */
	fail("%s: another edgectl log keeps it", record->path);
	close(fd);
	return false;
}

/* A file that is none of ours stays, under another name. */
static bool begin(struct record *record)
{
	char error[ERROR_TEXT], bad[LEDGER_PATH + 8];

	if (!ledger_read(&record->ledger, record->path, error)) {
		if (errno && errno != ENOENT) {
			fail("%s", error);
			return false;
		}
		if (!errno) {
			snprintf(bad, sizeof(bad), "%s.bad", record->path);
			warn("%s; it is called %s now, and a new one begins", error, bad);
			rename(record->path, bad);
		}
		ledger_free(&record->ledger);
		record->ledger.began = seconds(CLOCK_REALTIME);
		record->unsaved = true;
	}
	return true;
}

/*
 * The longer the file, the rarer: at most every five seconds, when it is full every 55. Where it
 * cannot be written the journal goes on, and it is tried again.
 */
static void save(struct record *record)
{
	const bool saved = ledger_write(&record->ledger, record->path, seconds(CLOCK_REALTIME));

	if (!saved && !record->failing)
		warn("%s: %s; it is tried again", record->path, strerror(errno));
	record->failing = !saved;
	record->unsaved = !saved;
	record->next = seconds(CLOCK_MONOTONIC) + 5 + record->ledger.count / 200;
}

/* Milliseconds until it is to be saved; negative: there is nothing to save. */
static int until_save(const struct record *record)
{
	const uint64_t now = seconds(CLOCK_MONOTONIC);

	if (!record->unsaved)
		return -1;
	return record->next > now ? (int)(record->next - now) * 1000 : 0;
}

/* ---- entries ---- */

static void put_port(struct journal *journal, const char *name, uint32_t port)
{
	if (port)
		journal_number(journal, name, port);
}

static void put_drop(struct journal *journal, const struct dropped *dropped)
{
	const struct flow *flow = &dropped->flow;
	char text[PREFIX_TEXT], protocol[EVENT_PROTOCOL];

	journal_text(journal, "REASON", reason_names[dropped->reason]);
	journal_text(journal, "MODE", mode_names[dropped->mode]);
	journal_text(journal, "PROTOCOL", event_protocol(flow->protocol, protocol));
	journal_text(journal, "SOURCE", address_text(&flow->from, text));
	put_port(journal, "SPORT", flow->sport);
	journal_text(journal, "DESTINATION", address_text(&flow->to, text));
	put_port(journal, "DPORT", flow->dport);
	journal_text(journal, "REPLY", dropped->reply ? "yes" : NULL);
	journal_text(journal, "IIF", flow->iif);
	journal_text(journal, "OIF", flow->oif);
	journal_text(journal, "RULE", dropped->row < 0 ? NULL : row_names[dropped->row]);
	if (dropped->left_out)
		journal_number(journal, "LEFT_OUT", dropped->left_out);
}

static void put_change(struct journal *journal, const struct change *change)
{
	char user[EVENT_USER];

	journal_text(journal, "COMMAND", event_command(change->command));
	journal_number(journal, "GENERATION", change->generation);
	journal_number(journal, "INTERFACES", change->interfaces);
	journal_number(journal, "PARTNERS", change->partners);
	journal_number(journal, "BLOCKS", change->blocks);
	if (!change->pid)
		return;
	journal_text(journal, "PROCESS", change->process);
	journal_number(journal, "PID", change->pid);
	if (change->user >= 0)
		journal_number(journal, "UID", change->user);
	journal_text(journal, "USER", event_user(change->user, user));
	if (change->login >= 0)
		journal_number(journal, "LOGIN_UID", change->login);
	journal_text(journal, "LOGIN", event_user(change->login, user));
}

static void enter(const struct record *record, const struct event *event)
{
	static const int priorities[] = {
		[EVENT_CHANGE] = LOG_NOTICE,
		[EVENT_DROP] = LOG_INFO,
		[EVENT_LOST] = LOG_WARNING,
		[EVENT_UNLOADED] = LOG_WARNING,
	};
	char *text = event_line(event);
	struct journal journal;

	journal_begin(&journal, priorities[event->kind], text);
	journal_text(&journal, "EVENT", event_names[event->kind]);
	journal_text(&journal, "NETNS", record->netns);
	if (event->kind == EVENT_DROP)
		put_drop(&journal, &event->dropped);
	else if (event->kind == EVENT_CHANGE)
		put_change(&journal, &event->change);
	journal_send(&journal);
	free(text);
}

/* From when on, and from when on no more, the record can be trusted to be complete. */
static void enter_bound(const struct record *record, const char *name, const char *text)
{
	struct nl *nl = nl_attach();
	struct status status;
	struct journal journal;

	journal_begin(&journal, LOG_NOTICE, text);
	journal_text(&journal, "EVENT", name);
	journal_text(&journal, "NETNS", record->netns);
	if (!nl_status(nl, &status))
		journal_number(&journal, "GENERATION", status.generation);
	journal_send(&journal);
	nl_detach(nl);
}

/* ---- listening ---- */

static void take(struct record *record, const struct event *event)
{
	if (event->kind == EVENT_NONE)
		return;
	if (event->kind == EVENT_DROP)
		ledger_note(&record->ledger, &event->dropped, seconds(CLOCK_REALTIME));
	else if (event->kind == EVENT_LOST)
		ledger_note_lost(&record->ledger, seconds(CLOCK_REALTIME));
	record->unsaved |= event->kind == EVENT_DROP || event->kind == EVENT_LOST;
	enter(record, event);
}

enum end { END_ASKED, END_UNLOADED, END_FAILED };

static enum end listen_on(struct nl *nl, struct record *record)
{
	enum live state = live_wait(nl_fd(nl), until_save(record));
	struct event event;
	bool more = true;
	int result = 0;

	for (; more && !result && state != LIVE_ENDED;
	     state = live_wait(nl_fd(nl), until_save(record))) {
		/* Also while one follows the other without a pause. */
		if (!until_save(record))
			save(record);
		if (state != LIVE_READY)
			continue;
		event = (struct event){ 0 };
		result = nl_event(nl, &event) < 0 ? -1 : 0;
		if (!result)
			take(record, &event);
		more = event.kind != EVENT_UNLOADED;
		event_free(&event);
		if (!more)
			return END_UNLOADED;
	}
	return report(nl, result, NULL, NULL) ? END_FAILED : END_ASKED;
}

/*
 * One that listens, once the module is loaded: an upgrade unloads it for a moment. NULL: *end says
 * whether we were told to end, or it cannot be, which has been told.
 */
static struct nl *wait_for_module(enum end *end)
{
	for (;;) {
		struct nl *nl = nl_attach();

		if (!nl_listen(nl, LISTEN_CONFIG | LISTEN_DROPS))
			return nl;
		*end = nl_error(nl)->code == ENOENT ? END_ASKED : END_FAILED;
		if (*end == END_FAILED)
			report(nl, -1, NULL, NULL);
		nl_detach(nl);
		if (*end == END_FAILED || live_wait(-1, AGAIN) == LIVE_ENDED)
			return NULL;
	}
}

static bool go_on(struct nl *nl, struct record *record)
{
	enum end end;

	do {
		enter_bound(record, "begin", "drops and changes are on record from now on");
		end = listen_on(nl, record);
		nl_detach(nl);
		if (record->unsaved)
			save(record);
		nl = end == END_UNLOADED ? wait_for_module(&end) : NULL;
	} while (nl);
	enter_bound(record, "end", "drops and changes are not on record any more");
	return end != END_FAILED && !record->unsaved;
}

int cmd_log(const struct options *options, struct op *op)
{
	struct record record = { .netns = options->netns };
	enum end end = END_FAILED;
	bool good = false;
	struct nl *nl;

	(void)op;
	live_begin();
	ledger_path(options->netns, record.path);
	if (lock(&record) && begin(&record)) {
		nl = nl_attach();
		if (nl_error(nl)->code == ENOENT)
			warn("%s: it is waited for", nl_error(nl)->text);
		nl_detach(nl);
		nl = wait_for_module(&end);
		good = nl ? go_on(nl, &record) : end == END_ASKED;
	}
	ledger_free(&record.ledger);
	return good ? EXIT_DONE : EXIT_REFUSED;
}
