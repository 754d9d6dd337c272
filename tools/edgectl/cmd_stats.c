// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats: the counters of rows and reasons
 */
#include <stdlib.h>

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

int cmd_stats_reset(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	int result = report(nl, nl_stats_reset(nl), NULL, NULL);

	(void)options;
	(void)op;
	nl_detach(nl);
	return result;
}
