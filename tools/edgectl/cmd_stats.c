// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats: the counters of rows and reasons
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "edgectl.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/**
 * struct stats - what is counted
 * @audit: what is told as dropped has passed
 * @ports: text of the RTP port map
 */
struct stats {
	struct rule *rules;
	size_t rule_count;
	struct drop *drops;
	size_t drop_count;
	const char *ports;
	bool audit;
};

static int read_stats(struct nl *nl, struct stats *stats)
{
	struct status status;

	*stats = (struct stats){ 0 };
	if (nl_status(nl, &status) || nl_rules(nl, &stats->rules, &stats->rule_count) ||
	    nl_drops(nl, &stats->drops, &stats->drop_count))
		return -1;
	stats->ports = ports_text(status.settings.ports);
	stats->audit = status.settings.mode == NF_EDGE_MODE_AUDIT;
	return 0;
}

static const char *drop_title(const struct stats *stats)
{
	return stats->audit ? "would drop" : "drop";
}

static void show(const struct options *options, const struct stats *stats)
{
	static const struct out_column rules[] = {
		{ "name", "rule", 18 },
		{ "packets", "packets", -12 },
		{ "bytes", "bytes", -16 },
		{ "flows", "flows", -12 },
	};
	const struct out_column drops[] = {
		{ "reason", drop_title(stats), 18 },
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

/* One table: a counter that a reason does not have is empty. */
static void show_csv(const struct options *options, const struct stats *stats)
{
	struct out out = out_start(options);
	size_t i;

	out_table(&out, NULL, NULL, 0);
	for (i = 0; i < stats->rule_count; i++) {
		out_row(&out);
		out_string(&out, "kind", "rule");
		out_string(&out, "name", row_names[stats->rules[i].row]);
		out_number(&out, "packets", stats->rules[i].packets);
		out_number(&out, "bytes", stats->rules[i].bytes);
		out_number(&out, "flows", stats->rules[i].flows);
		out_row_end(&out);
	}
	for (i = 0; i < stats->drop_count; i++) {
		out_row(&out);
		out_string(&out, "kind", "drop");
		out_string(&out, "name", reason_names[stats->drops[i].reason]);
		out_number(&out, "packets", stats->drops[i].packets);
		out_number(&out, "bytes", stats->drops[i].bytes);
		out_string(&out, "flows", NULL);
		out_row_end(&out);
	}
	out_table_end(&out);
}

int cmd_stats(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	struct stats stats;
	int result;

	(void)op;
	result = read_stats(nl, &stats);
	if (!result)
		(options->csv ? show_csv : show)(options, &stats);
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	free(stats.rules);
	free(stats.drops);
	return result;
}

/* ---- watch ---- */

#define AROUND	5	/* lines that are no rows: the time, two heads, a gap, what is hidden */
#define GAP	2	/* between columns */
#define LINES	32	/* of a table */

enum { PACKETS, BYTES, FLOWS, COUNTERS };

static const char *const keys[COUNTERS][2] = {
	{ "packets", "packets_per_second" },
	{ "bytes", "bytes_per_second" },
	{ "flows", "flows_per_second" },
};

static const struct out_column counters[COUNTERS][2] = {
	{ { "packets", "packets", -9 }, { "packets_per_second", "/s", -7 } },
	{ { "bytes", "bytes", -11 }, { "bytes_per_second", "/s", -9 } },
	{ { "flows", "flows", -8 }, { "flows_per_second", "/s", -6 } },
};

/* Where there is no room for all columns, those in front have it. */
static const int importance[COUNTERS] = { PACKETS, FLOWS, BYTES };

/**
 * struct counted - a row, or a reason, and what it has counted at this look and the one before
 */
struct counted {
	const char *name;
	uint64_t now[COUNTERS];
	uint64_t before[COUNTERS];
};

/**
 * struct board - a table of the picture
 * @plural: key of the table
 * @singular: key of a line's name
 * @title: its head, what it is about
 * @counters: how many of them it has
 * @moved: what has been other than zero, one bit each
 */
struct board {
	const char *plural;
	const char *singular;
	const char *title;
	int counters;
	struct counted list[LINES];
	size_t count;
	uint32_t moved;
};

/**
 * struct view - what is shown again and again
 * @elapsed: milliseconds since the last look; 0: the first
 * @window: the terminal's; 0 rows or columns: as many as there may be
 * @lines: of the picture that stands there
 * @hidden: lines that have counted nothing
 * @cut: lines that there is no room for
 */
struct view {
	struct board rules;
	struct board drops;
	uint64_t elapsed;
	struct winsize window;
	bool terminal;
	int lines;
	size_t hidden;
	size_t cut;
};

static uint64_t milliseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * UINT64_C(1000) + time.tv_nsec / 1000000;
}

/* In tenths, by the second; who was set back, counts from zero. */
static uint64_t rate(const struct view *view, const struct counted *line, int which)
{
	uint64_t now = line->now[which], before = line->before[which];
	uint64_t more = now < before ? now : now - before;

	return (more * 10000 + view->elapsed / 2) / view->elapsed;
}

static bool is_moving(const struct board *board, size_t i)
{
	return board->moved & 1u << i;
}

static int digits(uint64_t value)
{
	int count = 1;

	for (; value > 9; value /= 10)
		count++;
	return count;
}

/* The columns of one counter, as wide as its values want. */
static void widen(const struct view *view, const struct board *board, int which,
		  struct out_column pair[2])
{
	int count, speed;
	size_t i;

	memcpy(pair, counters[which], sizeof(counters[which]));
	for (i = 0; i < board->count; i++) {
		const struct counted *line = &board->list[i];

		count = digits(line->now[which]);
		speed = view->elapsed ? digits(rate(view, line, which) / 10) + 2 : 1;
		if (count > -pair[0].width)
			pair[0].width = -count;
		if (speed > -pair[1].width)
			pair[1].width = -speed;
	}
}

/* Those that there is room for beside the name, in their order. How many. */
static size_t choose(const struct view *view, const struct board *board,
		     struct out_column columns[1 + 2 * COUNTERS])
{
	bool taken[COUNTERS][2] = { { false } };
	struct out_column pairs[COUNTERS][2];
	int used = columns[0].width, i, j;
	size_t count = 1;

	for (i = 0; i < 2 * COUNTERS; i++) {
		int which = importance[i / 2];

		if (which >= board->counters)
			continue;
		widen(view, board, which, pairs[which]);
		used += GAP - pairs[which][i % 2].width;
		if (view->window.ws_col && used > view->window.ws_col)
			break;
		taken[which][i % 2] = true;
	}
	for (i = 0; i < COUNTERS; i++) {
		for (j = 0; j < 2; j++) {
			if (taken[i][j])
				columns[count++] = pairs[i][j];
		}
	}
	return count;
}

static void put_counted(struct out *out, const struct view *view, const struct board *board,
			const struct counted *line)
{
	int i;

	out_row(out);
	out_string(out, board->singular, line->name);
	for (i = 0; i < COUNTERS && i < board->counters; i++) {
		out_number(out, keys[i][0], line->now[i]);
		if (view->elapsed)
			out_tenths(out, keys[i][1], rate(view, line, i));
		else
			out_string(out, keys[i][1], NULL);
	}
	out_row_end(out);
}

/* On a terminal, @room lines at most of what moves. How many there are. */
static size_t put_board(struct out *out, struct view *view, const struct board *board, size_t room)
{
	struct out_column columns[1 + 2 * COUNTERS] = {
		{ board->singular, board->title, 18 },
	};
	size_t count = choose(view, board, columns), shown = 0, i;

	out_table(out, board->plural, columns, count);
	for (i = 0; i < board->count; i++) {
		if (view->terminal && !is_moving(board, i)) {
			view->hidden++;
		} else if (shown == room) {
			view->cut++;
		} else {
			put_counted(out, view, board, &board->list[i]);
			shown++;
		}
	}
	out_table_end(out);
	return shown;
}

static void put_hidden(struct out *out, const struct view *view)
{
	char cut[48] = "";

	if (view->cut)
		snprintf(cut, sizeof(cut), "%s%zu for want of room", view->hidden ? ", " : "",
			 view->cut);
	if (view->hidden)
		out_line(out, "hidden: %zu that have counted nothing%s", view->hidden, cut);
	else
		out_line(out, "%s%s", view->cut ? "hidden: " : "", cut);
}

/* Takes the picture away that stands there; what a window of another size made of it, with it. */
static void wipe(struct view *view)
{
	struct winsize window = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
	if (view->lines && (window.ws_col != view->window.ws_col ||
			    window.ws_row != view->window.ws_row))
		out_up(window.ws_row > view->lines ? window.ws_row : view->lines);
	else if (view->lines)
		out_up(view->lines);
	view->window = window;
}

static size_t room_left(const struct view *view)
{
	size_t rows = view->window.ws_row;

	if (!view->terminal || !rows)
		return SIZE_MAX;
	return rows > AROUND + 1 ? rows - AROUND - 1 : 1;
}

/* What is dropped comes first: that is what somebody looks for. In JSON it always came last. */
static void picture(const struct options *options, struct view *view)
{
	struct out out = out_start(options);
	size_t room, shown;
	char time[LIVE_TIME];

	if (view->terminal)
		wipe(view);
	view->hidden = 0;
	view->cut = 0;
	room = room_left(view);
	out_line(&out, "%s", live_time(time, false));
	out_object(&out, NULL, OUT_SILENT);
	out_string(&out, "time", live_time(time, true));
	if (options->json)
		put_board(&out, view, &view->rules, room);
	shown = put_board(&out, view, &view->drops, room);
	out_line(&out, "%s", "");
	if (!options->json)
		shown += put_board(&out, view, &view->rules, room - shown);
	out_object_end(&out);
	if (view->terminal)
		put_hidden(&out, view);
	else
		out_line(&out, "%s", "");
	view->lines = AROUND + shown;
}

/* Takes what a line has counted; the first time there is nothing before. */
static void count_line(struct board *board, size_t i, const char *name, bool first,
		       const uint64_t now[COUNTERS])
{
	struct counted *line = &board->list[i];
	int which;

	line->name = name;
	for (which = 0; which < COUNTERS; which++) {
		line->before[which] = first ? now[which] : line->now[which];
		line->now[which] = now[which];
		if (now[which])
			board->moved |= 1u << i;
	}
}

static void count(struct view *view, const struct stats *stats)
{
	bool first = !view->rules.count;
	size_t i;

	view->rules.count = stats->rule_count < LINES ? stats->rule_count : LINES;
	view->drops.count = stats->drop_count < LINES ? stats->drop_count : LINES;
	view->drops.title = drop_title(stats);
	for (i = 0; i < view->rules.count; i++) {
		const struct rule *rule = &stats->rules[i];
		const uint64_t now[COUNTERS] = { rule->packets, rule->bytes, rule->flows };

		count_line(&view->rules, i, row_names[rule->row], first, now);
	}
	for (i = 0; i < view->drops.count; i++) {
		const struct drop *drop = &stats->drops[i];
		const uint64_t now[COUNTERS] = { drop->packets, drop->bytes };

		count_line(&view->drops, i, reason_names[drop->reason], first, now);
	}
}

/* Looks, and shows what is new. */
static int look(struct nl *nl, const struct options *options, struct view *view, uint64_t *last)
{
	struct stats stats;
	uint64_t time;
	int result = read_stats(nl, &stats);

	if (!result) {
		time = milliseconds();
		view->elapsed = *last ? time - *last : 0;
		*last = time;
		count(view, &stats);
		picture(options, view);
	}
	free(stats.rules);
	free(stats.drops);
	return result;
}

int cmd_stats_watch(const struct options *options, struct op *op)
{
	struct view view = {
		.rules = {
			.plural = "rules", .singular = "name", .title = "rule",
			.counters = COUNTERS,
		},
		.drops = {
			.plural = "drops", .singular = "reason", .title = "drop",
			.counters = FLOWS,	/* drops have none */
		},
		.terminal = !options->json && isatty(STDOUT_FILENO),
	};
	struct nl *nl = nl_attach();
	uint64_t last = 0;
	int result;

	live_begin();
	do {
		result = look(nl, options, &view, &last);
	} while (!result && out_flush() &&
		 live_wait(-1, op->value * 1000) == LIVE_LATE);
	result = report(nl, result, NULL, NULL);
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
