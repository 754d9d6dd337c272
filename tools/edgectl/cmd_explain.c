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

/**
 * struct grounds - what the verdict rests on, as it is found a moment later
 * @rules: by row
 * @devices: which device is wrong
 * @partners: those in the admitting row's group that cover the remote address, the longest last
 * @blocks: those that cover it, likewise
 */
struct grounds {
	struct rule rules[NF_EDGE_ROW_COUNT];
	char devices[PASSED_BY];
	struct entry *partners;
	size_t partner_count;
	struct entry *blocks;
	size_t block_count;
};

static const char *const reason_sentences[NF_EDGE_REASON_COUNT] = {
	[NF_EDGE_REASON_MALFORMED] =
		"No packet may look like this: source and destination are the same, or an address cannot be on the wire.",
	[NF_EDGE_REASON_WRONG_DEVICE] =
		"The Edge address is bound to a device, and the remote party is not behind that device.",
	[NF_EDGE_REASON_BLOCKED] =
		"The remote address is in the block list, which wins over every row.",
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

static const struct entry *last_of(const struct entry *list, size_t count)
{
	return count ? &list[count - 1] : NULL;
}

static void put_partner(FILE *file, const struct entry *partner)
{
	char prefix[PREFIX_TEXT], groups[GROUPS_TEXT];

	fprintf(file, ", which lists partner %s group %s", prefix_text(&partner->prefix, prefix),
		groups_text(partner->mask, groups));
	if (partner->domain)
		fprintf(file, " domain %s", partner->domain);
	if (partner->text) {
		fputs(" name ", file);
		policy_put_word(file, partner->text);
	}
}

static void put_block(FILE *file, const struct entry *block)
{
	char prefix[PREFIX_TEXT], end[TIME_TEXT];

	fprintf(file, "The block %s", prefix_text(&block->prefix, prefix));
	if (block->until)
		fprintf(file, " until %s", time_text(block->until, end));
	if (block->text) {
		fputs(" reason ", file);
		policy_put_word(file, block->text);
	}
	fputs(" cuts the remote address off, whatever row admits it.", file);
}

/* Whether the row refuses the flow read the other way round: it is spoken first from its port. */
static bool is_turned(const struct flow *flow, const struct rule *rule)
{
	return rule->dport && flow->dport != rule->dport && flow->sport == rule->dport;
}

static void because(FILE *file, const struct flow *flow, const struct verdict *verdict,
		    const struct grounds *grounds)
{
	const struct entry *partner = last_of(grounds->partners, grounds->partner_count);
	const struct entry *block = last_of(grounds->blocks, grounds->block_count);
	const struct rule *rules = grounds->rules;
	const char *devices = grounds->devices;
	int row = row_of(verdict);

	if (verdict->row >= 0) {
		fprintf(file, "The row %s admits it (peers %s)", row_names[row],
			peers_names[rules[row].peers]);
		if (partner)
			put_partner(file, partner);
		putc('.', file);
	} else if (row >= 0 && is_turned(flow, &rules[row])) {
		fprintf(file,
			"From its own port %u the row %s answers only its own peers, whoever speaks first: it %s",
			rules[row].dport, row_names[row], reason_sentences[verdict->reason]);
	} else if (row >= 0) {
		fprintf(file, "The row %s %s", row_names[row], reason_sentences[verdict->reason]);
	} else if (verdict->reason == NF_EDGE_REASON_BLOCKED && block) {
		put_block(file, block);
	} else if (verdict->reason < 0) {
		fputs("Neither end is an Edge address: the policy does not touch it.", file);
	} else if (verdict->reason == NF_EDGE_REASON_WRONG_DEVICE) {
		fputs(devices, file);
	} else {
		fputs(reason_sentences[verdict->reason], file);
	}
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
		return " In audit nothing is dropped: the packet passes, and is counted.";
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
		const struct grounds *grounds)
{
	FILE *file = fmemopen(text, SENTENCES, "w");
	int row = row_of(verdict);

	if (!file)
		abort();
	because(file, flow, verdict, grounds);
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
	case NF_EDGE_FINDING_BLOCKED:
		return "the remote address is in the block list";
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

/* For JSON; null: none. */
static void show_partner(struct out *out, const struct entry *partner)
{
	char text[PREFIX_TEXT];

	if (!partner) {
		out_string(out, "partner", NULL);
		return;
	}
	out_object(out, "partner", OUT_SILENT);
	out_string(out, "address", prefix_text(&partner->prefix, text));
	out_names(out, "groups", group_names, partner->mask);
	out_string(out, "name", partner->text);
	out_string(out, "domain", partner->domain);
	out_object_end(out);
}

static void show_block(struct out *out, const struct entry *block)
{
	char text[PREFIX_TEXT], end[TIME_TEXT];

	if (!block) {
		out_string(out, "block", NULL);
		return;
	}
	out_object(out, "block", OUT_SILENT);
	out_string(out, "address", prefix_text(&block->prefix, text));
	out_string(out, "until", block->until ? time_text(block->until, end) : NULL);
	out_string(out, "reason", block->text);
	out_object_end(out);
}

static void show(const struct options *options, const struct op *op, const struct verdict *verdict,
		 const struct grounds *grounds)
{
	const int refused_by = verdict->row < 0 ? row_of(verdict) : -1;
	const char *row = verdict->row >= 0 ? row_names[verdict->row] : NULL;
	const char *reason = verdict->reason >= 0 ? reason_names[verdict->reason] : NULL;
	struct out out = out_start(options);
	bool ours = row || reason;
	char text[SENTENCES];

	say(text, &op->flow, verdict, grounds);
	out_line(&out, "%s%s%s", verdict_names[verdict->verdict], ours ? " " : "",
		 row ? row : reason ? reason : "");
	out_line(&out, "%s", text);
	out_object(&out, NULL, OUT_SILENT);
	out_string(&out, "verdict", verdict_names[verdict->verdict]);
	out_string(&out, "rule", row);
	out_string(&out, "reason", reason);
	out_string(&out, "text", text);
	out_string(&out, "refused_by", refused_by >= 0 ? row_names[refused_by] : NULL);
	show_partner(&out, last_of(grounds->partners, grounds->partner_count));
	show_block(&out, last_of(grounds->blocks, grounds->block_count));
	if (op->set)
		show_rows(&out, verdict, grounds->rules);
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

/* What lists the remote address, or blocks it; the policy may have changed since the verdict. */
static int read_remote(struct nl *nl, const struct flow *flow, const struct verdict *verdict,
		       struct grounds *grounds)
{
	const struct rule *rule = &grounds->rules[verdict->row >= 0 ? verdict->row : 0];
	struct partner_filter filter = { 0 };

	if (verdict->row >= 0 &&
	    verdict->findings[verdict->row] == NF_EDGE_FINDING_LISTED) {
		filter.covers = is_outbound(rule) ? &flow->to : &flow->from;
		filter.groups = 1u << rule_group(rule);
		return nl_partners(nl, &filter, &grounds->partners, &grounds->partner_count);
	}
	if (verdict->reason != NF_EDGE_REASON_BLOCKED)
		return 0;
	if (nl_blocks(nl, &flow->from, &grounds->blocks, &grounds->block_count))
		return -1;
	return grounds->block_count ? 0 :
	       nl_blocks(nl, &flow->to, &grounds->blocks, &grounds->block_count);
}

int cmd_explain(const struct options *options, struct op *op)
{
	struct grounds grounds = { 0 };
	struct nl *nl = nl_attach();
	struct verdict verdict;
	int result;

	result = nl_explain(nl, &op->flow, &verdict);
	if (!result)
		result = read_rules(nl, grounds.rules);
	if (!result && verdict.reason == NF_EDGE_REASON_WRONG_DEVICE)
		result = read_devices(nl, &op->flow, grounds.devices);
	if (!result)
		result = read_remote(nl, &op->flow, &verdict, &grounds);
	result = report(nl, result, NULL, NULL);
	if (result == EXIT_DONE)
		show(options, op, &verdict, &grounds);
	entries_free(grounds.partners, grounds.partner_count);
	entries_free(grounds.blocks, grounds.block_count);
	nl_detach(nl);
	return result;
}
