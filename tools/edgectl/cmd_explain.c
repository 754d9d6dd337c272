// SPDX-License-Identifier: GPL-2.0-only
/*
 * explain: the verdict on the first packet of a flow, and why
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgectl.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define SENTENCES	1024
#define WHY		80	/* bytes of a row's, with NUL */
#define PASSED_BY	256	/* bytes of what is told about devices, with NUL */

static const char *const reason_sentences[NF_EDGE_REASON_COUNT] = {
	[NF_EDGE_REASON_MALFORMED] =
		"No packet may look like this: source and destination are the same, or an address cannot be on the wire.",
	[NF_EDGE_REASON_WRONG_DEVICE] =
		"The Edge address is bound to a device, and the remote party is not behind that device.",
	[NF_EDGE_REASON_INVALID_STATE] =
		"Connection tracking does not take it as the beginning of a flow.",
	[NF_EDGE_REASON_NOT_LISTED] =
		"covers the flow, but the remote address is no partner in that row's group.",
	[NF_EDGE_REASON_DISABLED] =
		"covers the flow, but is disabled.",
	[NF_EDGE_REASON_UNLISTED] =
		"No row covers the flow.",
};

/* What Documentation/policy.md quotes for each row: where it is from, and its remark there. */
static const struct {
	const char *where;
	const char *words;
} sources[NF_EDGE_ROW_COUNT] = {
	[NF_EDGE_ROW_SIP_FEDERATION_OUT] = {
		"JJ618373 table 1",
		"For federated and public IM connectivity using SIP",
	},
	[NF_EDGE_ROW_SIP_FEDERATION_IN] = {
		"JJ618373 prose",
		"Federated partners however, will initiate communications to the Access Edge service over MTLS/SIP/TCP 5061",
	},
	[NF_EDGE_ROW_SIP_PIC_IN] = {
		"JJ618373 table 2, JJ618376",
		"For federated and public IM connectivity that use SIP.",
	},
	[NF_EDGE_ROW_SIP_PIC_OUT] = {
		"JJ618373 table 2, JJ618376",
		"For federated and public IM connectivity that use SIP.",
	},
	[NF_EDGE_ROW_SIP_CLIENT_IN] = {
		"JJ618373 table 2, JJ618376",
		"Client-to-server SIP traffic for external user access.",
	},
	[NF_EDGE_ROW_AV_RTP_OUT] = {
		"JJ618373 table 2, JJ618376",
		"Used for A/V sessions with Windows Live Messenger if public IM connectivity is configured.",
	},
	[NF_EDGE_ROW_AV_STUN_OUT] = {
		"JJ618373 table 2, JJ618376",
		"Required for public IM connectivity with Windows Live Messenger.",
	},
	[NF_EDGE_ROW_AV_STUN_IN] = {
		"JJ618373 table 2, JJ618376",
		"Required for public IM connectivity with Windows Live Messenger.",
	},
	[NF_EDGE_ROW_XMPP_IN] = {
		"JJ618373 table 3",
		"Standard server-to-server communication port for XMPP",
	},
	[NF_EDGE_ROW_XMPP_OUT] = {
		"JJ618373 table 3",
		"Standard server-to-server communication port for XMPP",
	},
	[NF_EDGE_ROW_XMPP_GATEWAY_IN] = {
		"JJ618373 table 3",
		"Internal XMPP traffic from the XMPP Gateway on the Front End Server or Front End pool to the Edge Server",
	},
};

/* The first row of which that was found, or -1. */
static int first_found(const struct verdict *verdict, uint32_t finding)
{
	int row;

	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		if (verdict->findings[row] == finding)
			return row;
	}
	return -1;
}

/* The row that the verdict is about: that admits, or that the flow failed at; or -1. */
static int row_of(const struct verdict *verdict)
{
	switch (verdict->reason) {
	case NF_EDGE_REASON_NOT_LISTED:
		return first_found(verdict, NF_EDGE_FINDING_NOT_LISTED);
	case NF_EDGE_REASON_DISABLED:
		return first_found(verdict, NF_EDGE_FINDING_DISABLED);
	default:
		return verdict->row;
	}
}

/* Whether the address is bound to another device than the packet takes; it is told, then. */
static bool passed_by(const struct entry *list, size_t count, const struct prefix *address,
		      const char *device, const char *way, char text[PASSED_BY])
{
	char name[PREFIX_TEXT];
	size_t i;

	for (i = 0; device && i < count; i++) {
		if (!list[i].text || !strcmp(list[i].text, device) ||
		    !prefix_covers(&list[i].prefix, address))
			continue;
		snprintf(text, PASSED_BY,
			 "%s is bound to %s, where its remote parties are to be, and the packet %s by %s.",
			 address_text(address, name), list[i].text, way, device);
		return true;
	}
	return false;
}

/* Which device it is that is wrong; the addresses may have changed since the verdict. */
static int read_devices(struct nl *nl, const struct flow *flow, char text[PASSED_BY])
{
	struct entry *list;
	size_t count;

	if (nl_interfaces(nl, 0, &list, &count))
		return -1;
	if (!passed_by(list, count, &flow->to, flow->iif, "enters", text) &&
	    !passed_by(list, count, &flow->from, flow->oif, "leaves", text))
		snprintf(text, PASSED_BY, "%s", reason_sentences[NF_EDGE_REASON_WRONG_DEVICE]);
	entries_free(list, count);
	return 0;
}

static void because(FILE *file, const struct verdict *verdict, const struct rule *rules,
		    const char *devices)
{
	int row = row_of(verdict);

	if (verdict->row >= 0)
		fprintf(file, "The row %s admits it (peers %s).", row_names[row],
			peers_names[rules[row].peers]);
	else if (row >= 0)
		fprintf(file, "The row %s %s", row_names[row], reason_sentences[verdict->reason]);
	else if (verdict->reason < 0)
		fputs("Neither end is an Edge address: the policy does not touch it.", file);
	else if (verdict->reason == NF_EDGE_REASON_WRONG_DEVICE)
		fputs(devices, file);
	else
		fputs(reason_sentences[verdict->reason], file);
	if (verdict->reason >= 0 && verdict->verdict == NF_EDGE_VERDICT_PASS)
		fputs(" \"unlisted pass\" leaves it to the rest of netfilter.", file);
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

static void say(char text[SENTENCES], const struct flow *flow, const struct verdict *verdict,
		const struct rule *rules, const char *devices)
{
	FILE *file = fmemopen(text, SENTENCES, "w");
	int row = row_of(verdict);

	if (!file)
		abort();
	because(file, verdict, rules, devices);
	fprintf(file, "%s%s", device_matters(verdict) ? unchecked(flow) : "", in_mode(verdict));
	if (row >= 0)
		fprintf(file, " Source: %s: \"%s\"", sources[row].where, sources[row].words);
	fclose(file);
}

/* ---- what each row makes of it ---- */

static bool is_outbound(const struct rule *rule)
{
	int i;

	for (i = 0; role_names[i]; i++) {
		if (!strcmp(rule->from, role_names[i]))
			return true;
	}
	return false;
}

/* Why it does or does not admit; the sentence's subject is the row. */
static const char *why(uint32_t finding, const struct rule *rule, char text[WHY])
{
	bool outbound = is_outbound(rule);
	const char *group = outbound ? rule->to : rule->from;

	switch (finding) {
	case NF_EDGE_FINDING_LISTED:
		snprintf(text, WHY, "its group %s lists the remote address", group);
		return text;
	case NF_EDGE_FINDING_ANY:
		return "its peers are any";
	case NF_EDGE_FINDING_OUTRANKED:
		return "its peers are any, but another row lists the remote address";
	case NF_EDGE_FINDING_NOT_LISTED:
		snprintf(text, WHY, "its group %s does not list the remote address", group);
		return text;
	case NF_EDGE_FINDING_DISABLED:
		return "it is disabled";
	case NF_EDGE_FINDING_PORT:
		if (!rule->dport)
			return "it is for the RTP ports";
		snprintf(text, WHY, "it is for port %u", rule->dport);
		return text;
	case NF_EDGE_FINDING_PROTOCOL:
		return rule->protocol == IPPROTO_UDP ? "it is for udp" : "it is for tcp";
	case NF_EDGE_FINDING_ROLE:
		snprintf(text, WHY, "it is for addresses that serve as %s",
			 outbound ? rule->from : rule->to);
		return text;
	case NF_EDGE_FINDING_DIRECTION:
		return outbound ? "it is for what an Edge address opens" :
				  "it is for what is opened to an Edge address";
	case NF_EDGE_FINDING_MALFORMED:
		return "no packet may look like this";
	case NF_EDGE_FINDING_WRONG_DEVICE:
		return "the remote party is not behind the Edge address's device";
	default:
		return "it is not the beginning of a flow";
	}
}

static void show_rows(struct out *out, const struct verdict *verdict, const struct rule *rules)
{
	static const struct out_column columns[] = {
		{ "name", "row", 18 },
		{ "admits", "admits", 6 },
		{ "text", "why", 3 },
	};
	char text[WHY];
	int row;

	out_line(out, "%s", "");
	out_table(out, "rows", columns, COUNT(columns));
	for (row = 0; row < NF_EDGE_ROW_COUNT; row++) {
		uint32_t finding = verdict->findings[row];

		out_row(out);
		out_string(out, "name", row_names[row]);
		out_bool(out, "admits",
			 finding == NF_EDGE_FINDING_LISTED || finding == NF_EDGE_FINDING_ANY);
		out_string(out, "finding", finding_names[finding]);
		out_string(out, "text", why(finding, &rules[row], text));
		out_row_end(out);
	}
	out_table_end(out);
}

static void show(const struct options *options, const struct op *op, const struct verdict *verdict,
		 const struct rule *rules, const char *devices)
{
	const char *row = verdict->row >= 0 ? row_names[verdict->row] : NULL;
	const char *reason = verdict->reason >= 0 ? reason_names[verdict->reason] : NULL;
	struct out out = out_start(options);
	bool ours = row || reason;
	char text[SENTENCES];

	say(text, &op->flow, verdict, rules, devices);
	out_line(&out, "%s%s%s", verdict_names[verdict->verdict], ours ? " " : "",
		 row ? row : reason ? reason : "");
	out_line(&out, "%s", text);
	out_object(&out, NULL, OUT_SILENT);
	out_string(&out, "verdict", verdict_names[verdict->verdict]);
	out_string(&out, "rule", row);
	out_string(&out, "reason", reason);
	out_string(&out, "text", text);
	if (op->set)
		show_rows(&out, verdict, rules);
	out_object_end(&out);
}

/* Their peers, and what they are for; by row. */
static int read_rules(struct nl *nl, struct rule rules[NF_EDGE_ROW_COUNT])
{
	struct rule *list;
	size_t count, i;

	if (nl_rules(nl, &list, &count))
		return -1;
	for (i = 0; i < count; i++)
		rules[list[i].row] = list[i];
	free(list);
	return 0;
}

int cmd_explain(const struct options *options, struct op *op)
{
	struct rule rules[NF_EDGE_ROW_COUNT] = { 0 };
	struct nl *nl = nl_attach();
	char devices[PASSED_BY];
	struct verdict verdict;
	int result;

	result = nl_explain(nl, &op->flow, &verdict);
	if (!result)
		result = read_rules(nl, rules);
	if (!result && verdict.reason == NF_EDGE_REASON_WRONG_DEVICE)
		result = read_devices(nl, &op->flow, devices);
	result = report(nl, result, NULL, NULL);
	if (result == EXIT_DONE)
		show(options, op, &verdict, rules, devices);
	nl_detach(nl);
	return result;
}
