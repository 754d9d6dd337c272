// SPDX-License-Identifier: GPL-2.0-only
/*
 * explain: the verdict on the first packet of a flow, and why
 */
#include <stdio.h>
#include <stdlib.h>

#include "edgectl.h"

#define SENTENCES	512

static const char *const reason_sentences[NF_EDGE_REASON_COUNT] = {
	[NF_EDGE_REASON_MALFORMED] =
		"No packet may look like this: source and destination are the same, or an address cannot be on the wire.",
	[NF_EDGE_REASON_WRONG_DEVICE] =
		"The Edge address is bound to a device, and the remote party is not behind that device.",
	[NF_EDGE_REASON_INVALID_STATE] =
		"Connection tracking does not take it as the beginning of a flow.",
	[NF_EDGE_REASON_NOT_LISTED] =
		"A row covers the flow, but the remote address is no partner in that row's group.",
	[NF_EDGE_REASON_DISABLED] =
		"Only disabled rows cover the flow.",
	[NF_EDGE_REASON_UNLISTED] =
		"No row covers the flow.",
};

/* The peers of @row, or NULL. */
static const char *peers_of(struct nl *nl, int row)
{
	const char *peers = NULL;
	struct rule *list;
	size_t count, i;

	if (nl_rules(nl, &list, &count))
		return NULL;
	for (i = 0; i < count; i++) {
		if (list[i].row == (uint32_t)row)
			peers = peers_names[list[i].peers];
	}
	free(list);
	return peers;
}

/* Why it is so. */
static int because(struct nl *nl, const struct verdict *verdict, char *text, size_t size)
{
	const char *peers;

	if (verdict->row >= 0) {
		peers = peers_of(nl, verdict->row);
		return snprintf(text, size, "The row %s admits it (peers %s).",
				row_names[verdict->row], peers ? peers : "unknown");
	}
	if (verdict->reason < 0)
		return snprintf(text, size,
				"Neither end is an Edge address: the policy does not touch it.");
	return snprintf(text, size, "%s%s", reason_sentences[verdict->reason],
			verdict->verdict == NF_EDGE_VERDICT_PASS ?
			" \"unlisted pass\" leaves it to the rest of netfilter." : "");
}

/* Malformed packets are refused before anybody asks for a device. */
static bool device_matters(const struct verdict *verdict)
{
	return verdict->row >= 0 ||
	       (verdict->reason >= 0 && verdict->reason != NF_EDGE_REASON_MALFORMED);
}

/* What the mode makes of it; a pass is a pass in every mode. */
static const char *in_mode(const struct verdict *verdict)
{
	if (verdict->mode == NF_EDGE_MODE_OFF)
		return " The mode is off: nothing is enforced.";
	if (verdict->mode == NF_EDGE_MODE_AUDIT &&
	    verdict->verdict == NF_EDGE_VERDICT_DROP)
		return " In audit mode the packet would pass all the same.";
	return "";
}

/* Which way past an Edge address that is bound to a device was not looked at. */
static const char *unchecked(const struct flow *flow)
{
	if (!flow->iif && !flow->oif)
		return " The device check was skipped (no iif or oif).";
	if (!flow->iif)
		return " The device that it enters by was not checked (no iif).";
	if (!flow->oif)
		return " The device that it leaves by was not checked (no oif).";
	return "";
}

static void show(const struct options *options, const struct flow *flow,
		 const struct verdict *verdict, char *text, int length)
{
	const char *row = verdict->row >= 0 ? row_names[verdict->row] : NULL;
	const char *reason = verdict->reason >= 0 ? reason_names[verdict->reason] : NULL;
	bool ours = row || reason;
	struct out out = out_start(options);

	snprintf(text + length, SENTENCES - length, "%s%s",
		 device_matters(verdict) ? unchecked(flow) : "", in_mode(verdict));
	out_line(&out, "%s%s%s", verdict_names[verdict->verdict], ours ? " " : "",
		 row ? row : reason ? reason : "");
	out_line(&out, "%s", text);
	out_object(&out, NULL, OUT_SILENT);
	out_string(&out, "verdict", verdict_names[verdict->verdict]);
	out_string(&out, "rule", row);
	out_string(&out, "reason", reason);
	out_string(&out, "text", text);
	out_object_end(&out);
}

int cmd_explain(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	struct verdict verdict;
	char text[SENTENCES];
	int result;

	result = report(nl, nl_explain(nl, &op->flow, &verdict), NULL, NULL);
	if (result == EXIT_DONE)
		show(options, &op->flow, &verdict, text,
		     because(nl, &verdict, text, sizeof(text)));
	nl_detach(nl);
	return result;
}
