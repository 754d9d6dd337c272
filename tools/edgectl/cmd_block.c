// SPDX-License-Identifier: GPL-2.0-only
/*
 * block: the prefixes that no row admits
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "edgectl.h"

int cmd_block_list(const struct options *options, struct op *op)
{
	struct out_column columns[] = {
		{ "address", "address", 18 },
		{ "until", "until", 20 },
		{ "left", "left", 10 },
		{ "reason", "reason", 6 },
	};
	struct out out = out_start(options);
	char text[PREFIX_TEXT], end[TIME_TEXT];
	struct nl *nl = nl_attach();
	const uint64_t now = time(NULL);
	struct entry *list;
	size_t count, i;
	int result;

	result = nl_blocks(nl, &op->flow.from, &list, &count);
	if (!result) {
		out_table(&out, NULL, columns, 4);
		for (i = 0; i < count; i++) {
			const uint64_t until = list[i].until;

			out_row(&out);
			out_string(&out, "address", prefix_text(&list[i].prefix, text));
			out_string(&out, "until", until ? time_text(until, end) : NULL);
			if (until)
				out_seconds(&out, "left", until > now ? until - now : 0);
			else
				out_string(&out, "left", NULL);
			out_string(&out, "reason", list[i].text);
			out_row_end(&out);
		}
		out_table_end(&out);
		entries_free(list, count);
	}
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}

/* ---- whom a command means ---- */

/**
 * struct meant - the prefixes
 * @named: how many of them, the first ones, stand in the command by their addresses
 */
struct meant {
	struct entry *list;
	size_t count;
	size_t room;
	size_t named;
};

static void mean(struct meant *meant, const struct prefix *prefix, const struct op *op)
{
	size_t i;

	for (i = 0; i < meant->named; i++) {
		if (!prefix_compare(&meant->list[i].prefix, prefix))
			return;
	}
	meant->list = sure(grow(meant->list, meant->count, &meant->room, sizeof(*meant->list)));
	meant->list[meant->count++] = (struct entry){
		.prefix = *prefix, .until = op->until, .text = (char *)op->text,
	};
}

/*
 * Those of the partners that are all of @filter, and called @name; whether any is, or below 0 after
 * an error line.
 */
static int mean_partners(struct meant *meant, struct nl *nl, const struct partner_filter *filter,
			 const char *name, const struct op *op)
{
	struct entry *list;
	size_t count, found = 0, i;

	if (nl_partners(nl, filter, &list, &count)) {
		report(nl, -1, NULL, NULL);
		return -1;
	}
	for (i = 0; i < count; i++) {
		if (!partner_is_called(&list[i], name, op->exact))
			continue;
		mean(meant, &list[i].prefix, op);
		found++;
	}
	entries_free(list, count);
	return found > 0;
}

/* The partners that come from the domain, and the addresses that DNS has for it today. */
static bool mean_domain(struct meant *meant, struct nl *nl, const struct options *options,
			const struct op *op, const struct domain *domain)
{
	const uint32_t services[] = { 1u << NF_EDGE_GROUP_FEDERATION, 1u << NF_EDGE_GROUP_XMPP };
	const bool host = !strncmp(domain->text, NF_EDGE_DOMAIN_HOST, strlen(NF_EDGE_DOMAIN_HOST));
	const struct partner_filter filter = { .domain = domain->text };
	const size_t lookups = host ? 1 : sizeof(services) / sizeof(services[0]);
	struct lookup *lookup = sure(calloc(lookups, sizeof(*lookup)));
	struct entry *list = NULL;
	size_t count = 0, i;
	int there = mean_partners(meant, nl, &filter, NULL, op);

	for (i = 0; i < lookups && there >= 0; i++) {
		lookup[i].domain = *domain;
		lookup[i].mask = services[i];
	}
	if (there >= 0)
		names_to_entries(options, lookup, lookups, &list, &count);
	for (i = 0; i < count; i++)
		mean(meant, &list[i].prefix, op);
	if (!there && !count)
		fail("%s", lookup->error);
	for (i = 0; i < lookups && (there > 0 || count); i++) {
		if (lookup[i].error[0] && !(count && lookup[i].missing) && !options->quiet)
			warn("%s: what DNS has there is not meant", lookup[i].error);
	}
	entries_free(list, count);
	lookups_free(lookup, lookups);
	return there > 0 || count;
}

/* All that stands in the command. */
static bool mean_all(struct meant *meant, struct nl *nl, const struct options *options,
		     const struct op *op)
{
	const struct partner_filter called = { .name = op->exact ? op->file : NULL };
	size_t i;
	int there;

	for (i = 0; i < op->count; i++) {
		mean(meant, &op->prefix[i], op);
		meant->named = meant->count;
	}
	for (i = 0; i < op->names; i++) {
		if (!mean_domain(meant, nl, options, op, &op->name[i]))
			return false;
	}
	if (!op->file)
		return true;
	there = mean_partners(meant, nl, &called, op->file, op);
	if (!there)
		fail("no partner is called \"%s\"", op->file);
	return there > 0;
}

/* A partner may come from several domains, and have a name: each prefix is meant once. */
static void mean_once(struct meant *meant)
{
	size_t i, kept = meant->named;

	if (meant->count > kept)
		qsort(meant->list + kept, meant->count - kept, sizeof(*meant->list),
		      entry_by_prefix);
	for (i = kept; i < meant->count; i++) {
		if (kept == meant->named ||
		    prefix_compare(&meant->list[kept - 1].prefix, &meant->list[i].prefix))
			meant->list[kept++] = meant->list[i];
	}
	meant->count = kept;
}

/* Of what does not stand there by its address: those that are blocked. */
static bool keep_blocked(struct meant *meant, struct nl *nl)
{
	struct entry *list;
	size_t count, i, kept = meant->named;

	if (nl_blocks(nl, NULL, &list, &count)) {
		report(nl, -1, NULL, NULL);
		return false;
	}
	for (i = meant->named; i < meant->count; i++) {
		if (count && bsearch(&meant->list[i], list, count, sizeof(*list),
				     entry_by_prefix))
			meant->list[kept++] = meant->list[i];
	}
	meant->count = kept;
	entries_free(list, count);
	if (!kept)
		fail("nothing of that is blocked");
	return kept;
}

/* Who blocks an Edge address waits for nothing to happen. */
static void warn_of_edges(const struct meant *meant, struct nl *nl)
{
	char text[PREFIX_TEXT];
	struct entry *list;
	size_t count, i, j;

	if (nl_interfaces(nl, 0, &list, &count))
		return;
	for (i = 0; i < count; i++) {
		if (i && !prefix_compare(&list[i - 1].prefix, &list[i].prefix))
			continue;	/* another role of it */
		for (j = 0; j < meant->count; j++) {
			if (prefix_compare(&meant->list[j].prefix, &list[i].prefix))
				continue;
			warn("%s is an Edge address: a block cuts off remote ends, not itself",
			     address_text(&list[i].prefix, text));
			break;
		}
	}
	entries_free(list, count);
}

/* A removal of what is not there says what blocks it, perhaps. */
static int fail_change(struct nl *nl, const struct meant *meant)
{
	const size_t bad = meant->count == 1 ? 0 : nl_error(nl)->entry;
	char text[PREFIX_TEXT] = "", refused[ERROR_TEXT], by[PREFIX_TEXT];
	const struct prefix *prefix = bad < meant->count ? &meant->list[bad].prefix : NULL;
	const struct entry *wider = NULL;
	struct entry *list;
	size_t count, i;

	if (prefix)
		prefix_text(prefix, text);
	sentence(nl, "block", text, refused);
	if (!prefix || nl_error(nl)->code != ENOENT || nl_blocks(nl, prefix, &list, &count))
		return fail("%s", refused);
	for (i = 0; i < count; i++) {
		if (prefix_covers(&list[i].prefix, prefix))
			wider = &list[i];
	}
	if (wider)
		fail("%s; it is blocked by %s", refused, prefix_text(&wider->prefix, by));
	else
		fail("%s", refused);
	entries_free(list, count);
	return EXIT_REFUSED;
}

static int change(const struct options *options, const struct op *op, bool adding)
{
	struct nl *nl = change_begin(options);
	struct meant meant = { 0 };
	int result = EXIT_REFUSED;
	char end[TIME_TEXT];

	if (nl_error(nl)->code)
		report(nl, -1, NULL, NULL);
	else if (op->until && op->until <= (uint64_t)time(NULL))
		fail("the end %s has passed", time_text(op->until, end));
	else if (mean_all(&meant, nl, options, op) && (adding || keep_blocked(&meant, nl)))
		result = EXIT_DONE;
	if (!result) {
		mean_once(&meant);
		result = adding ?
			 nl_block_add(nl, meant.list, meant.count, options->quiet || !op->count) :
			 nl_block_del(nl, meant.list, meant.count, options->quiet);
		if (result)
			result = fail_change(nl, &meant);
	}
	if (!result && adding && !options->quiet)
		warn_of_edges(&meant, nl);
	result = change_end(options, nl, result);
	if (!result && !adding)
		left_tell_blocks(options, meant.list, meant.count);
	if (!result && (op->names || op->file))
		change_count(options, adding ? "blocked" : "removed", meant.count);
	free(meant.list);
	return result;
}

int cmd_block_add(const struct options *options, struct op *op)
{
	return change(options, op, true);
}

int cmd_block_del(const struct options *options, struct op *op)
{
	return change(options, op, false);
}

int cmd_block_flush(const struct options *options, struct op *op)
{
	struct nl *nl = change_begin(options);

	(void)op;
	return change_end(options, nl, report(nl, nl_block_flush(nl), NULL, NULL));
}
