// SPDX-License-Identifier: GPL-2.0-only
/*
 * monitor: changes of the policy and dropped packets, as they happen
 */
#include <stdlib.h>
#include <time.h>

#include "event.h"

static bool is_wanted(const struct op *op, const struct dropped *dropped)
{
	const struct flow *flow = &dropped->flow;

	if (op->reasons && !(op->reasons & 1u << dropped->reason))
		return false;
	if (op->mask && (dropped->row < 0 || !(op->mask & 1u << dropped->row)))
		return false;
	return (!op->flow.from.size || prefix_covers(&op->flow.from, &flow->from)) &&
	       (!op->flow.to.size || prefix_covers(&op->flow.to, &flow->to));
}

/* ---- one event, one line ---- */

/* Negative: not known. */
static void out_known(struct out *out, const char *key, int64_t value)
{
	if (value >= 0)
		out_number(out, key, value);
	else
		out_string(out, key, NULL);
}

static void out_change(struct out *out, const struct change *change)
{
	char user[EVENT_USER];

	out_string(out, "command", event_command(change->command));
	out_number(out, "generation", change->generation);
	out_number(out, "interfaces", change->interfaces);
	out_number(out, "partners", change->partners);
	out_number(out, "blocks", change->blocks);
	out_number(out, "entries", change->entries);
	out_known(out, "confirm_within", change->left);
	out_string(out, "process", change->pid ? change->process : NULL);
	out_known(out, "pid", change->pid ? (int64_t)change->pid : -1);
	out_known(out, "uid", change->user);
	out_string(out, "user", event_user(change->user, user));
	out_known(out, "login_uid", change->login);
	out_string(out, "login", event_user(change->login, user));
}

static void out_drop(struct out *out, const struct dropped *dropped)
{
	const struct flow *flow = &dropped->flow;
	char address[PREFIX_TEXT], protocol[EVENT_PROTOCOL];

	out_string(out, "reason", reason_names[dropped->reason]);
	out_string(out, "protocol", event_protocol(flow->protocol, protocol));
	out_string(out, "source", address_text(&flow->from, address));
	out_known(out, "sport", flow->sport ? (int64_t)flow->sport : -1);
	out_string(out, "destination", address_text(&flow->to, address));
	out_known(out, "dport", flow->dport ? (int64_t)flow->dport : -1);
	out_bool(out, "reply", dropped->reply);
	out_string(out, "iif", flow->iif);
	out_string(out, "oif", flow->oif);
	out_string(out, "rule", dropped->row < 0 ? NULL : row_names[dropped->row]);
	out_string(out, "mode", mode_names[dropped->mode]);
	out_number(out, "left_out", dropped->left_out);
}

static void show_json(struct out *out, const struct event *event, const char *text)
{
	char time[LIVE_TIME];

	out_object(out, NULL, OUT_SILENT);
	out_string(out, "time", live_time(time, true));
	out_string(out, "event", event_names[event->kind]);
	if (event->kind == EVENT_CHANGE)
		out_change(out, &event->change);
	else if (event->kind == EVENT_DROP)
		out_drop(out, &event->dropped);
	out_string(out, "text", text);
	out_object_end(out);
}

/* On a terminal the day and the zone are told once, and when one of them is another. */
static void show_day(char day[LIVE_TIME])
{
	char now[LIVE_TIME];

	if (strcmp(live_day(now), day))
		out_folded("", strcpy(day, now));
}

static void show_text(const char *text, bool terminal, char day[LIVE_TIME])
{
	char time[LIVE_TIME], before[LIVE_TIME + 1];

	if (terminal)
		show_day(day);
	snprintf(before, sizeof(before), "%s ", live_time(time, false) +
		 (terminal ? LIVE_DATE : 0));
	out_folded(before, text);
}

static void show(const struct options *options, const struct event *event, char day[LIVE_TIME])
{
	char *text = options->json ? event_words(event) : event_line(event);
	struct out out = out_start(options);

	if (options->json)
		show_json(&out, event, text);
	else
		show_text(text, out_is_terminal(), day);
	free(text);
}

/*
 * Shows the next, if it is wanted. 0, or -1 as nl_event(). @day: that has been told; @more: whether
 * others may come.
 */
static int show_next(struct nl *nl, const struct options *options, const struct op *op,
		     char day[LIVE_TIME], bool *more)
{
	struct event event = { 0 };
	int result = nl_event(nl, &event);

	if (!result && event.kind != EVENT_NONE &&
	    (event.kind != EVENT_DROP || is_wanted(op, &event.dropped)))
		show(options, &event, day);
	*more = event.kind != EVENT_UNLOADED;
	event_free(&event);
	return result < 0 ? result : 0;
}

int cmd_monitor(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	char day[LIVE_TIME] = "";
	bool more = true;
	int result;

	live_begin();
	result = nl_listen(nl, op->value ? op->value : LISTEN_CONFIG | LISTEN_DROPS);
	if (!result && !options->json && out_is_terminal())
		show_day(day);
	while (!result && more && live_wait(nl_fd(nl), -1) == LIVE_READY) {
		result = show_next(nl, options, op, day, &more);
		if (!out_flush())
			break;
	}
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}
