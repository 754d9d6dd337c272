// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats --openmetrics: the counters for Prometheus
 *
 * OpenMetrics text, 1.0, of which the older text format's readers (node_exporter's
 * textfile collector) understand all but a counter's type. They refuse a file for a
 * type that they do not know: hence a gauge where OpenMetrics has "info" and "stateset".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "edgectl.h"

static void family(const char *name, const char *type, const char *unit, const char *help)
{
	printf("# TYPE nf_edge_%s %s\n", name, type);
	if (unit)
		printf("# UNIT nf_edge_%s %s\n", name, unit);
	printf("# HELP nf_edge_%s %s\n", name, help);
}

static void gauge(const char *name, const char *unit, const char *help, int64_t value)
{
	family(name, "gauge", unit, help);
	printf("nf_edge_%s %" PRId64 "\n", name, value);
}

/* As a label's value. */
static void put_label(const char *text)
{
	char *shown = out_legible(text), *at;

	for (at = shown; *at; at++) {
		if (*at == '"' || *at == '\\')
			putchar('\\');
		putchar(*at);
	}
	free(shown);
}

static void info(const struct status *status)
{
	family("info", "gauge", NULL, "Versions of the module and of edgectl; always 1.");
	fputs("nf_edge_info{version=\"", stdout);
	put_label(status->version);
	fputs("\",tool_version=\"" NF_EDGE_VERSION "\"} 1\n", stdout);
}

/* A sample for each value that the setting can have: 1 for the one that it has. */
static void states(const char *name, const char *help, const char *const names[], uint32_t value)
{
	uint32_t i;

	family(name, "gauge", NULL, help);
	for (i = 0; names[i]; i++)
		printf("nf_edge_%s{%s=\"%s\"} %d\n", name, name, names[i], i == value);
}

/* A moment stands still while the file that tells it grows old; an age does not. */
static void policy(const struct status *status)
{
	info(status);
	states("mode", "Whether the policy is enforced, audited or off.", mode_names,
	       status->settings.mode);
	states("unlisted", "What becomes of traffic that no row covers.", unlisted_names,
	       status->settings.unlisted);
	gauge("generation", NULL, "Moves with every change of the policy.", status->generation);
	gauge("policy_change_timestamp_seconds", "seconds",
	      "When the policy last changed, since the Unix epoch.",
	      status->changed);
	gauge("interfaces", NULL, "Edge addresses, once for each role.", status->interfaces);
	gauge("partners", NULL, "Partner prefixes.", status->partners);
	gauge("blocks", NULL, "Blocked prefixes.", status->blocks);
}

static void rows(const char *what, const char *help, const struct rule *list, size_t count,
		 size_t offset)
{
	char name[32];
	size_t i;

	snprintf(name, sizeof(name), "row_%s", what);
	family(name, "counter", what, help);
	for (i = 0; i < count; i++) {
		printf("nf_edge_%s_total{row=\"%s\",class=\"", name, row_names[list[i].row]);
		put_label(list[i].class);
		printf("\"} %" PRIu64 "\n",
		       *(const uint64_t *)((const char *)&list[i] + offset));
	}
}

static void reasons(const char *what, const char *help, const struct drop *list, size_t count,
		    size_t offset)
{
	char name[32];
	size_t i;

	snprintf(name, sizeof(name), "drop_%s", what);
	family(name, "counter", what, help);
	for (i = 0; i < count; i++)
		printf("nf_edge_%s_total{reason=\"%s\"} %" PRIu64 "\n", name,
		       reason_names[list[i].reason],
		       *(const uint64_t *)((const char *)&list[i] + offset));
}

/* ---- partners ---- */

/**
 * struct busiest - the partners with the most packets, in order, each prefix once
 * @size: how many are wanted; there is room for one more
 * @last: the one that is being read, which comes once for each of its domains
 * @begun: there is one
 * @uncounted: we are not told how many packets there were
 */
struct busiest {
	struct entry *list;
	size_t count;
	size_t size;
	struct entry last;
	bool begun;
	bool uncounted;
};

/* Takes @last in its place; who is one too many leaves. */
static void place(struct busiest *busiest)
{
	struct entry *list = busiest->list;
	size_t at = busiest->count;

	if (!busiest->begun)
		return;
	for (; at && list[at - 1].packets < busiest->last.packets; at--)
		list[at] = list[at - 1];
	list[at] = busiest->last;
	if (busiest->count < busiest->size)
		busiest->count++;
	else
		free(list[busiest->size].text);
}

static void take(void *context, const struct entry *list, size_t count, bool more)
{
	struct busiest *busiest = context;
	struct entry *last = &busiest->last;
	size_t i;

	for (i = 0; i < count; i++) {
		busiest->uncounted |= !list[i].seen;
		if (busiest->begun && !prefix_compare(&last->prefix, &list[i].prefix)) {
			last->mask |= list[i].mask;
			if (last->text || !list[i].text)
				continue;
		} else {
			place(busiest);
			*last = list[i];
			busiest->begun = true;
		}
		last->text = list[i].text ? sure(strdup(list[i].text)) : NULL;
	}
	if (!more)
		place(busiest);
}

static void partners(const struct busiest *busiest)
{
	char prefix[PREFIX_TEXT], groups[GROUPS_TEXT];
	size_t i;

	family("partner_packets", "counter", "packets",
	       "Packets from the partners that have sent most, admitted because they are listed.");
	for (i = 0; i < busiest->count; i++) {
		const struct entry *partner = &busiest->list[i];

		printf("nf_edge_partner_packets_total{address=\"%s\",name=\"",
		       prefix_text(&partner->prefix, prefix));
		put_label(partner->text ? partner->text : "");
		printf("\",groups=\"%s\"} %" PRIu64 "\n", groups_text(partner->mask, groups),
		       partner->packets);
	}
}

static int read_partners(struct nl *nl, struct busiest *busiest, size_t size)
{
	const struct partner_filter all = { 0 };

	busiest->size = size;
	busiest->list = sure(calloc(size + 1, sizeof(*busiest->list)));
	return nl_partners_take(nl, &all, take, busiest);
}

/* ---- all of it ---- */

static void show(const struct status *status, const struct rule *rules, size_t rule_count,
		 const struct drop *drops, size_t drop_count, const struct busiest *busiest)
{
	policy(status);
	rows("packets", "Packets that the row admitted.", rules, rule_count,
	     offsetof(struct rule, packets));
	rows("bytes", "Their bytes, from the network header on.", rules, rule_count,
	     offsetof(struct rule, bytes));
	rows("flows", "Flows that the row admitted when they opened.", rules, rule_count,
	     offsetof(struct rule, flows));
	reasons("packets", "Packets dropped for the reason; in mode audit, that would have been.",
		drops, drop_count, offsetof(struct drop, packets));
	reasons("bytes", "Their bytes, from the network header on.", drops, drop_count,
		offsetof(struct drop, bytes));
	if (busiest->size)
		partners(busiest);
	puts("# EOF");
}

int cmd_metrics(const struct options *options, struct op *op)
{
	struct nl *nl;
	struct rule *rules = NULL;
	struct drop *drops = NULL;
	size_t rule_count, drop_count;
	struct busiest busiest = { 0 };
	struct status status;
	size_t i;
	int result;

	if (options->json)
		return misuse("--openmetrics is another format than --json");
	nl = nl_attach();
	result = nl_status(nl, &status);
	if (!result)
		result = nl_rules(nl, &rules, &rule_count);
	if (!result)
		result = nl_drops(nl, &drops, &drop_count);
	if (!result && op->value)
		result = read_partners(nl, &busiest, op->value);
	if (!result && busiest.uncounted)
		result = fail("not permitted (to see the packets of partners needs CAP_NET_ADMIN)");
	else if (!result)
		show(&status, rules, rule_count, drops, drop_count, &busiest);
	if (result < 0)
		result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	free(rules);
	free(drops);
	for (i = 0; i < busiest.count; i++)
		free(busiest.list[i].text);
	free(busiest.list);
	return result;
}
