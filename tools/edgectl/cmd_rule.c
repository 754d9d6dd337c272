// SPDX-License-Identifier: GPL-2.0-only
/*
 * rule: the rows of the policy
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "edgectl.h"

uint32_t rule_group(const struct rule *rule)
{
	uint32_t group;

	for (group = 0; group_names[group]; group++) {
		if (!strcmp(rule->from, group_names[group]) ||
		    !strcmp(rule->to, group_names[group]))
			break;
	}
	return group;
}

void rule_rows(struct out *out, const struct rule *list, size_t count, uint32_t mask,
	       const char *ports)
{
	char port[8];
	size_t i;

	for (i = 0; i < count; i++) {
		const struct rule *rule = &list[i];

		if (mask && !(mask & 1u << rule->row))
			continue;
		snprintf(port, sizeof(port), "%hu", (unsigned short)rule->dport);
		out_row(out);
		out_string(out, "name", row_names[rule->row]);
		out_string(out, "class", rule->class);
		out_string(out, "protocol", rule->protocol == IPPROTO_UDP ? "udp" : "tcp");
		out_string(out, "ports", rule->dport ? port : ports);
		out_string(out, "from", rule->from);
		out_string(out, "to", rule->to);
		out_string(out, "peers", peers_names[rule->peers]);
		out_bool(out, "enabled", rule->enabled);
		out_number(out, "packets", rule->packets);
		out_number(out, "bytes", rule->bytes);
		out_number(out, "flows", rule->flows);
		out_row_end(out);
	}
}

static void show(const struct options *options, const struct rule *list, size_t count,
		 uint32_t mask, const char *ports)
{
	static const struct out_column columns[] = {
		{ "name", "name", 18 },
		{ "class", "class", 5 },
		{ "protocol", "proto", 5 },
		{ "ports", "ports", 11 },
		{ "from", "from", 10 },
		{ "to", "to", 10 },
		{ "peers", "peers", 6 },
		{ "enabled", "enabled", 7 },
		{ "packets", "packets", -10 },
		{ "bytes", "bytes", -12 },
		{ "flows", "flows", -8 },
	};
	struct out out = out_start(options);

	out_table(&out, NULL, columns, sizeof(columns) / sizeof(columns[0]));
	rule_rows(&out, list, count, mask, ports);
	out_table_end(&out);
}

int cmd_rule_list(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	struct rule *list = NULL;
	struct status status;
	size_t count;
	int result;

	result = nl_status(nl, &status);
	if (!result)
		result = nl_rules(nl, &list, &count);
	if (!result)
		show(options, list, count, op->mask, ports_text(status.settings.ports));
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	free(list);
	return result;
}

static int change(const struct options *options, uint32_t mask, int enabled, int peers)
{
	struct rule_change list[NF_EDGE_ROW_COUNT];
	struct nl *nl = change_begin(options);
	size_t count = 0;
	uint32_t row;
	int result;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		if (mask & 1u << row)
			list[count++] = (struct rule_change){ row, enabled, peers };
	}
	result = report(nl, nl_rule_set(nl, list, count), NULL, NULL);
	return change_end(options, nl, result);
}

int cmd_rule_enable(const struct options *options, struct op *op)
{
	return change(options, op->mask, op->value, -1);
}

int cmd_rule_set(const struct options *options, struct op *op)
{
	return change(options, op->mask, -1, op->value);
}
