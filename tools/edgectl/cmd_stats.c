// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats: the counters of rows and reasons
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "edgectl.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/**
 * struct stats - what is counted
 * @ports: text of the RTP port map
 */
struct stats {
	struct rule *rules;
	size_t rule_count;
	struct drop *drops;
	size_t drop_count;
	const char *ports;
};

static int read_stats(struct nl *nl, struct stats *stats)
{
	struct status status;

	*stats = (struct stats){ 0 };
	if (nl_status(nl, &status) || nl_rules(nl, &stats->rules, &stats->rule_count) ||
	    nl_drops(nl, &stats->drops, &stats->drop_count))
		return -1;
	stats->ports = ports_text(status.settings.ports);
	return 0;
}

static void show(const struct options *options, const struct stats *stats)
{
	static const struct out_column rules[] = {
		{ "name", "rule", 18 },
		{ "packets", "packets", -12 },
		{ "bytes", "bytes", -16 },
		{ "flows", "flows", -12 },
	};
	static const struct out_column drops[] = {
		{ "reason", "drop", 18 },
		{ "packets", "packets", -12 },
		{ "bytes", "bytes", -16 },
	};
	struct out out = out_start(options);
	size_t i;

	out_object(&out, NULL, OUT_SILENT);
	out_table(&out, "rules", rules, COUNT(rules));
	rule_rows(&out, stats->rules, stats->rule_count, 0, stats->ports);
	out_table_end(&out);
	out_line(&out, "%s", "");
	out_table(&out, "drops", drops, COUNT(drops));
	for (i = 0; i < stats->drop_count; i++) {
		out_row(&out);
		out_string(&out, "reason", reason_names[stats->drops[i].reason]);
		out_number(&out, "packets", stats->drops[i].packets);
		out_number(&out, "bytes", stats->drops[i].bytes);
		out_row_end(&out);
	}
	out_table_end(&out);
	out_object_end(&out);
}

int cmd_stats(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	struct stats stats;
	int result;

	(void)op;
	result = read_stats(nl, &stats);
	if (!result)
		show(options, &stats);
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	free(stats.rules);
	free(stats.drops);
	return result;
}

/* ---- watch ---- */

#define AROUND	5	/* lines of a picture that are no rows: two heads, two gaps, the time */

/**
 * struct view - what is shown again and again
 * @before: what was counted at the last look; none at the first
 * @elapsed: milliseconds since then; 0: the first
 * @lines: of the picture that stands on the terminal
 */
struct view {
	struct stats before;
	struct stats now;
	uint64_t elapsed;
	int lines;
};

static uint64_t milliseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * UINT64_C(1000) + time.tv_nsec / 1000000;
}

static void stats_free(struct stats *stats)
{
	free(stats->rules);
	free(stats->drops);
}

/* By the second; who was set back, counts from zero. */
static void out_rate(struct out *out, const char *key, const struct view *view, uint64_t before,
		     uint64_t now)
{
	uint64_t more = now < before ? now : now - before;

	if (view->elapsed)
		out_tenths(out, key, (more * 10000 + view->elapsed / 2) / view->elapsed);
	else
		out_string(out, key, NULL);
}

static void watched_rule(struct out *out, const struct view *view, size_t i)
{
	const struct rule *now = &view->now.rules[i];
	const struct rule *before = view->elapsed ? &view->before.rules[i] : now;

	out_row(out);
	out_string(out, "name", row_names[now->row]);
	out_number(out, "packets", now->packets);
	out_rate(out, "packets_per_second", view, before->packets, now->packets);
	out_number(out, "bytes", now->bytes);
	out_rate(out, "bytes_per_second", view, before->bytes, now->bytes);
	out_number(out, "flows", now->flows);
	out_rate(out, "flows_per_second", view, before->flows, now->flows);
	out_row_end(out);
}

static void watched_drop(struct out *out, const struct view *view, size_t i)
{
	const struct drop *now = &view->now.drops[i];
	const struct drop *before = view->elapsed ? &view->before.drops[i] : now;

	out_row(out);
	out_string(out, "reason", reason_names[now->reason]);
	out_number(out, "packets", now->packets);
	out_rate(out, "packets_per_second", view, before->packets, now->packets);
	out_number(out, "bytes", now->bytes);
	out_rate(out, "bytes_per_second", view, before->bytes, now->bytes);
	out_row_end(out);
}

/* How many rows and reasons there is room for; a low window shows the reasons last. */
static void fit(const struct view *view, bool terminal, size_t *rules, size_t *drops)
{
	struct winsize window = { 0 };
	size_t room;

	*rules = view->now.rule_count;
	*drops = view->now.drop_count;
	if (!terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) || !window.ws_row)
		return;
	room = window.ws_row > AROUND + 1 ? window.ws_row - AROUND : 1;
	if (*rules > room)
		*rules = room;
	if (*drops > room - *rules)
		*drops = room - *rules;
}

static void picture(const struct options *options, struct view *view, bool terminal)
{
	static const struct out_column rules[] = {
		{ "name", "rule", 18 },
		{ "packets", "packets", -9 },
		{ "packets_per_second", "/s", -7 },
		{ "bytes", "bytes", -11 },
		{ "bytes_per_second", "/s", -9 },
		{ "flows", "flows", -8 },
		{ "flows_per_second", "/s", -6 },
	};
	static const struct out_column drops[] = {
		{ "reason", "drop", 18 },
		{ "packets", "packets", -9 },
		{ "packets_per_second", "/s", -7 },
		{ "bytes", "bytes", -11 },
		{ "bytes_per_second", "/s", -9 },
	};
	struct out out = out_start(options);
	size_t rule_count, drop_count, i;
	char time[LIVE_TIME];

	fit(view, terminal, &rule_count, &drop_count);
	if (terminal && view->lines)
		out_up(view->lines);
	out_line(&out, "%s", live_time(time, false));
	out_object(&out, NULL, OUT_SILENT);
	out_string(&out, "time", live_time(time, true));
	out_table(&out, "rules", rules, COUNT(rules));
	for (i = 0; i < rule_count; i++)
		watched_rule(&out, view, i);
	out_table_end(&out);
	out_line(&out, "%s", "");
	out_table(&out, "drops", drops, COUNT(drops));
	for (i = 0; i < drop_count; i++)
		watched_drop(&out, view, i);
	out_table_end(&out);
	out_object_end(&out);
	if (!terminal)
		out_line(&out, "%s", "");
	view->lines = AROUND - 1 + rule_count + drop_count;
}

/* Whether one can be held against the other. */
static bool are_alike(const struct stats *a, const struct stats *b)
{
	return a->rule_count == b->rule_count && a->drop_count == b->drop_count;
}

/* Looks, and shows what is new. */
static int look(struct nl *nl, const struct options *options, struct view *view, uint64_t *last)
{
	bool terminal = !options->json && isatty(STDOUT_FILENO);
	uint64_t time;

	if (read_stats(nl, &view->now)) {
		stats_free(&view->now);
		return -1;
	}
	time = milliseconds();
	view->elapsed = *last && are_alike(&view->before, &view->now) ? time - *last : 0;
	*last = time;
	picture(options, view, terminal);
	stats_free(&view->before);
	view->before = view->now;
	return 0;
}

int cmd_stats_watch(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	struct view view = { 0 };
	uint64_t last = 0;
	int result;

	live_begin();
	do {
		result = look(nl, options, &view, &last);
	} while (!result && out_flush() &&
		 live_wait(-1, op->value * 1000) == LIVE_LATE);
	result = report(nl, result, NULL, NULL);
	stats_free(&view.before);
	nl_detach(nl);
	return result;
}

int cmd_stats_reset(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	int result = report(nl, nl_stats_reset(nl), NULL, NULL);

	(void)options;
	(void)op;
	nl_detach(nl);
	return result;
}
