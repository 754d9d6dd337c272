// SPDX-License-Identifier: GPL-2.0-only
/*
 * journal: entries with fields.
 *
 * The journal's native protocol is one datagram of lines, which its authors promise to keep
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL). libsystemd would be loaded at every start of edgectl, for
 * this command alone, and would have to be there.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>

#include "journal.h"
#include "out.h"

#define MESSAGE_BYTES	2048	/* what forwards to syslog may cut longer ones off anywhere */

static const char identifier[] = "nf_edge";

/* Others' words in one line that is shown, which the protocol needs no other form for. */
static char *in_a_line(const char *text)
{
	char *line = out_legible(text);
	size_t end = MESSAGE_BYTES;

	if (strlen(line) > MESSAGE_BYTES) {
		while ((line[end] & 0xc0) == 0x80)
			end--;
		strcpy(line + end, "...");
	}
	return line;
}

void journal_text(struct journal *journal, const char *name, const char *value)
{
	char *line;

	if (!value)
		return;
	line = in_a_line(value);
	fprintf(journal->file, "NF_EDGE_%s=%s\n", name, line);
	free(line);
}

void journal_number(struct journal *journal, const char *name, unsigned long long value)
{
	fprintf(journal->file, "NF_EDGE_%s=%llu\n", name, value);
}

void journal_begin(struct journal *journal, int priority, const char *message)
{
	*journal = (struct journal){ .priority = priority, .message = in_a_line(message) };
	journal->file = open_memstream(&journal->text, &journal->length);
	if (!journal->file)
		abort();
	fprintf(journal->file, "MESSAGE=%s\nPRIORITY=%d\n", journal->message, priority);
	fprintf(journal->file, "SYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\n",
		LOG_FAC(LOG_DAEMON), identifier);
}

static bool to_journal(const char *text, size_t length)
{
	static const struct sockaddr_un address = {
		.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket",
	};
	static int fd = -1;

	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && sendto(fd, text, length, MSG_NOSIGNAL, (const struct sockaddr *)&address,
				 sizeof(address)) == (ssize_t)length;
}

static void to_syslog(int priority, const char *message)
{
	static bool open;

	if (!open)
		openlog(identifier, 0, LOG_DAEMON);
	open = true;
	syslog(priority, "%s", message);
}

void journal_send(struct journal *journal)
{
	if (fclose(journal->file))
		abort();
	if (!to_journal(journal->text, journal->length))
		to_syslog(journal->priority, journal->message);
	free(journal->message);
	free(journal->text);
}
