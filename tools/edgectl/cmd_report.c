// SPDX-License-Identifier: GPL-2.0-only
/*
 * report: who was dropped, or in audit would have been, as the log has it on record
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "event.h"
#include "ledger.h"

static int compare_rows(const void *one, const void *other)
{
	const struct ledger_row *a = *(struct ledger_row *const *)one;
	const struct ledger_row *b = *(struct ledger_row *const *)other;

	if (a->span.packets != b->span.packets)
		return a->span.packets > b->span.packets ? -1 : 1;
	if (a->span.last != b->span.last)
		return a->span.last > b->span.last ? -1 : 1;
	return prefix_compare(&a->from, &b->from) ?: prefix_compare(&a->to, &b->to);
}

/* Leaves the rows that were seen since then, the most packets first. */
static void choose(struct ledger *ledger, uint64_t since)
{
	size_t kept = 0, i;

	for (i = 0; i < ledger->count; i++) {
		if (ledger->rows[i]->span.last >= since)
			ledger->rows[kept++] = ledger->rows[i];
		else
			free(ledger->rows[i]);
	}
	ledger->count = kept;
	if (kept)
		qsort(ledger->rows, kept, sizeof(void *), compare_rows);
	for (i = 0; i < NF_EDGE_REASON_COUNT; i++) {
		if (ledger->left_out[i].last < since)
			ledger->left_out[i] = (struct ledger_span){ 0 };
	}
}

static void out_span(struct out *out, const struct ledger_span *span)
{
	out_number(out, "packets", span->packets);
	out_moment(out, "first", span->first);
	out_moment(out, "last", span->last);
}

/* In CSV alone, whose rows have to say what they are. */
static void out_counted(struct out *out, const char *as)
{
	if (out->csv)
		out_string(out, "counted", as);
}

static void out_found(struct out *out, const struct ledger_row *row)
{
	char text[PREFIX_TEXT], protocol[EVENT_PROTOCOL];

	out_row(out);
	out_counted(out, "told");
	out_span(out, &row->span);
	out_string(out, "reason", reason_names[row->reason]);
	out_string(out, "mode", mode_names[row->mode]);
	out_string(out, "protocol", event_protocol(row->protocol, protocol));
	out_string(out, "source", address_text(&row->from, text));
	out_string(out, "destination", address_text(&row->to, text));
	if (row->dport)
		out_number(out, "dport", row->dport);
	else
		out_string(out, "dport", NULL);
	out_string(out, "rule", row->rule < 0 ? NULL : row_names[row->rule]);
	out_row_end(out);
}

/* Packets of which no more is known than that. */
static void out_rest(struct out *out, const char *as, const struct ledger_span *span,
		     const char *reason)
{
	static const char *const unknown[] = {
		"mode", "protocol", "source", "destination", "dport", "rule",
	};
	size_t i;

	if (!span->packets)
		return;
	out_row(out);
	out_counted(out, as);
	out_span(out, span);
	out_string(out, "reason", reason);
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		out_string(out, unknown[i], NULL);
	out_row_end(out);
}

static void out_rows(struct out *out, const struct ledger *ledger)
{
	static const struct out_column told[] = {
		{ "counted", "counted", 9 },	/* of CSV */
		{ "packets", "packets", -9 },
		{ "first", "first", 11 },
		{ "last", "last", 11 },
		{ "reason", "reason", 13 },
		{ "mode", "mode", 7 },
		{ "protocol", "proto", 6 },
		{ "source", "source", 15 },
		{ "destination", "destination", 15 },
		{ "dport", "port", -5 },
		{ "rule", "rule", 4 },
	};
	struct out_column columns[sizeof(told) / sizeof(told[0])];
	char text[PREFIX_TEXT];
	size_t i;

	memcpy(columns, told, sizeof(columns));
	for (i = 0; i < ledger->count && !out->json; i++) {
		int from = strlen(address_text(&ledger->rows[i]->from, text));
		int to = strlen(address_text(&ledger->rows[i]->to, text));

		if (columns[7].width < from)
			columns[7].width = from;
		if (columns[8].width < to)
			columns[8].width = to;
	}
	out_table(out, "rows", columns + !out->csv, sizeof(told) / sizeof(told[0]) - !out->csv);
	for (i = 0; i < ledger->count; i++)
		out_found(out, ledger->rows[i]);
	for (i = 0; i < NF_EDGE_REASON_COUNT && out->csv; i++)
		out_rest(out, "left out", &ledger->left_out[i], reason_names[i]);
	if (out->csv)
		out_rest(out, "forgotten", &ledger->forgotten, NULL);
	out_table_end(out);
}

static void out_left_out(struct out *out, const struct ledger *ledger)
{
	size_t i;

	if (!out->json)
		return;
	out_table(out, "left_out", NULL, 0);
	for (i = 0; i < NF_EDGE_REASON_COUNT; i++) {
		if (!ledger->left_out[i].packets)
			continue;
		out_row(out);
		out_string(out, "reason", reason_names[i]);
		out_span(out, &ledger->left_out[i]);
		out_row_end(out);
	}
	out_table_end(out);
}

/* What the table does not have, and why. */
static void say_rest(const struct out *out, const struct ledger *ledger, uint64_t packets)
{
	char began[TIME_TEXT], saved[TIME_TEXT];
	size_t i;

	out_line(out, "%s", "");
	out_line(out, "%" PRIu64 " packets in %zu rows; on record since %s, as of %s", packets,
		 ledger->count, time_text(ledger->began, began), time_text(ledger->saved, saved));
	for (i = 0; i < NF_EDGE_REASON_COUNT; i++) {
		if (ledger->left_out[i].packets)
			out_line(out, "%s: %" PRIu64
				 " more are only counted (20 a second are told one by one)",
				 reason_names[i], ledger->left_out[i].packets);
	}
	if (ledger->forgotten_rows)
		out_line(out, "%" PRIu64 " rows of %" PRIu64
			 " packets had to go: %d fit, and those with the fewest went",
			 ledger->forgotten_rows, ledger->forgotten.packets, LEDGER_ROWS);
	if (ledger->lost.packets)
		out_line(out, "events were lost %" PRIu64
			 " times, nobody knows how many: the last at %s", ledger->lost.packets,
			 time_text(ledger->lost.last, saved));
}

static void show(const struct options *options, const struct ledger *ledger)
{
	struct out out = out_start(options);
	uint64_t packets = 0;
	size_t i;

	for (i = 0; i < ledger->count; i++)
		packets += ledger->rows[i]->span.packets;
	out_object(&out, NULL, OUT_SILENT);
	out_moment(&out, "began", ledger->began);
	out_moment(&out, "saved", ledger->saved);
	out_number(&out, "packets", packets);
	out_rows(&out, ledger);
	out_left_out(&out, ledger);
	out_number(&out, "forgotten_rows", ledger->forgotten_rows);
	out_number(&out, "forgotten_packets", ledger->forgotten.packets);
	out_number(&out, "lost", ledger->lost.packets);
	out_object_end(&out);
	say_rest(&out, ledger, packets);
}

int cmd_report(const struct options *options, struct op *op)
{
	char path[LEDGER_PATH], error[ERROR_TEXT];
	uint64_t now = time(NULL);
	struct ledger ledger;
	int result = EXIT_DONE;

	ledger_path(options->netns, path);
	if (ledger_read(&ledger, path, error)) {
		choose(&ledger, op->set && now > op->value ? now - op->value : 0);
		show(options, &ledger);
	} else if (errno == ENOENT) {
		result = fail("nothing is on record (systemctl enable --now nf_edge-log)");
	} else {
		result = fail("%s", error);
	}
	ledger_free(&ledger);
	return result;
}
