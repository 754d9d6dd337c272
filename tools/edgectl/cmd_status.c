// SPDX-License-Identifier: GPL-2.0-only
/*
 * status, mode, unlisted
 */
#include <stdlib.h>

#include "edgectl.h"

/**
 * struct totals - what rows accepted and reasons dropped, summed
 */
struct totals {
	struct rule accepted;
	struct drop dropped;
};

static int sum(struct nl *nl, struct totals *totals)
{
	struct rule *rules = NULL;
	struct drop *drops = NULL;
	size_t count, i;
	int result;

	*totals = (struct totals){ 0 };
	result = nl_rules(nl, &rules, &count);
	for (i = 0; !result && i < count; i++) {
		totals->accepted.packets += rules[i].packets;
		totals->accepted.bytes += rules[i].bytes;
		totals->accepted.flows += rules[i].flows;
	}
	if (!result)
		result = nl_drops(nl, &drops, &count);
	for (i = 0; !result && i < count; i++) {
		totals->dropped.packets += drops[i].packets;
		totals->dropped.bytes += drops[i].bytes;
	}
	free(rules);
	free(drops);
	return result;
}

static void show(const struct options *options, const struct status *status,
		 const struct totals *totals, const char *ports)
{
	struct out out = out_start(options);
	char changed[TIME_TEXT];

	out_object(&out, NULL, OUT_LABELLED);
	out_string(&out, "version", status->version);
	out_string(&out, "tool_version", NF_EDGE_VERSION);
	out_string(&out, "mode", mode_names[status->settings.mode]);
	out_string(&out, "unlisted", unlisted_names[status->settings.unlisted]);
	out_number(&out, "generation", status->generation);
	out_object(&out, "rtp", OUT_LABELLED);
	out_string(&out, "ports", ports);
	out_string(&out, "match", rtp_match_names[status->settings.match]);
	out_object_end(&out);
	out_number(&out, "interfaces", status->interfaces);
	out_number(&out, "partners", status->partners);
	out_number(&out, "blocks", status->blocks);
	out_ago(&out, options->json ? "uptime" : "changed", status->uptime);
	if (options->json)
		out_string(&out, "changed",
			   status->changed ? time_text(status->changed, changed) : NULL);
	if (status->left >= 0)
		out_seconds(&out, "confirm_within", status->left);
	else if (options->json)
		out_string(&out, "confirm_within", NULL);
	out_object(&out, "accepted", OUT_LABELLED);
	out_number(&out, "packets", totals->accepted.packets);
	out_number(&out, "bytes", totals->accepted.bytes);
	out_number(&out, "flows", totals->accepted.flows);
	out_object_end(&out);
	out_object(&out, "dropped", OUT_LABELLED);
	out_number(&out, "packets", totals->dropped.packets);
	out_number(&out, "bytes", totals->dropped.bytes);
	out_object_end(&out);
	out_object_end(&out);
}

int cmd_status(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	struct status status;
	struct totals totals;
	int result;

	(void)op;
	result = nl_status(nl, &status);
	if (!result)
		result = sum(nl, &totals);
	if (!result)
		show(options, &status, &totals, ports_text(status.settings.ports));
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}

/* Shows or sets one of the settings, which is at @value inside @status. */
static int setting(const struct options *options, const struct op *op,
		   const char *key, const char *const names[], unsigned int which,
		   struct status *status, uint32_t *value)
{
	struct out out = out_start(options);
	struct nl *nl;
	int result;

	if (op->set) {
		status->settings.given = which;
		*value = op->value;
		nl = change_begin(options);
		return change_end(options, nl, report(nl, nl_set(nl, &status->settings), NULL,
						      NULL));
	}
	nl = nl_attach();
	result = nl_status(nl, status);
	if (!result) {
		out_object(&out, NULL, OUT_BARE);
		out_string(&out, key, names[*value]);
		out_object_end(&out);
	}
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}

int cmd_mode(const struct options *options, struct op *op)
{
	struct status status = { 0 };

	return setting(options, op, "mode", mode_names, SETTING_MODE, &status,
		       &status.settings.mode);
}

int cmd_unlisted(const struct options *options, struct op *op)
{
	struct status status = { 0 };

	return setting(options, op, "unlisted", unlisted_names, SETTING_UNLISTED, &status,
		       &status.settings.unlisted);
}
