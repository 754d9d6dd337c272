// SPDX-License-Identifier: GPL-2.0-only
/*
 * left: what a removal leaves: who still admits what is gone, what still blocks it, and which
 * addresses are guarded no more
 */
#include <stdlib.h>
#include <string.h>

#include "edgectl.h"

#define TOLD	10	/* lines of a kind; the rest is counted */

static bool is_told(const struct options *options)
{
	return !options->quiet && !options->dry_run;
}

/* The change is made, whatever becomes of the telling. */
static void not_known(const struct nl *nl)
{
	warn("what is left is not known: %s", nl_error(nl)->text);
}

/* ---- prefixes that cover each other ---- */

/* Entries of a list, by their places in it, each of which covers the next one. */
struct nest {
	size_t *at;
	size_t depth;
	size_t room;
};

static void nest_leave(struct nest *nest, const struct entry *list, const struct prefix *next)
{
	while (nest->depth && !prefix_covers(&list[nest->at[nest->depth - 1]].prefix, next))
		nest->depth--;
}

static void nest_enter(struct nest *nest, size_t at)
{
	nest->at = sure(grow(nest->at, nest->depth, &nest->room, sizeof(*nest->at)));
	nest->at[nest->depth++] = at;
}

/* @gone: what is gone; @left: of what is left, one that covers it, or that it covers. */
typedef void tell_fn(struct entry *gone, const struct entry *left, size_t *told);

/* Both lists in order: one walk along both. */
static void each_cover(struct entry *gone, size_t count, const struct entry *left,
		       size_t left_count, tell_fn *tell, size_t *told)
{
	struct nest wide_gone = { 0 }, wide_left = { 0 };
	const struct prefix *next;
	size_t i = 0, j = 0, k;
	bool left_first;

	while (i < count || j < left_count) {
		left_first = i == count ||
			     (j < left_count &&
			      prefix_compare(&left[j].prefix, &gone[i].prefix) <= 0);
		next = left_first ? &left[j].prefix : &gone[i].prefix;
		nest_leave(&wide_gone, gone, next);
		nest_leave(&wide_left, left, next);
		if (left_first) {
			for (k = 0; k < wide_gone.depth; k++)
				tell(&gone[wide_gone.at[k]], &left[j], told);
			nest_enter(&wide_left, j++);
			continue;
		}
		for (k = 0; k < wide_left.depth; k++)
			tell(&gone[i], &left[wide_left.at[k]], told);
		nest_enter(&wide_gone, i++);
	}
	free(wide_gone.at);
	free(wide_left.at);
}

/* A copy in order, to be freed: each prefix once, with all of its groups, and without texts. */
static struct entry *in_order(const struct entry *list, size_t *count)
{
	struct entry *sorted = sure(calloc(*count + 1, sizeof(*sorted)));
	size_t kept = 0, i;

	for (i = 0; i < *count; i++)
		sorted[i] = (struct entry){ .prefix = list[i].prefix, .mask = list[i].mask };
	if (*count)
		qsort(sorted, *count, sizeof(*sorted), entry_by_prefix);
	for (i = 0; i < *count; i++) {
		if (kept && !prefix_compare(&sorted[kept - 1].prefix, &sorted[i].prefix))
			sorted[kept - 1].mask |= sorted[i].mask;
		else
			sorted[kept++] = sorted[i];
	}
	*count = kept;
	return sorted;
}

/* ---- partners ---- */

void describe_partner(char *text, size_t size, const struct entry *entry)
{
	char prefix[PREFIX_TEXT], groups[GROUPS_TEXT];

	snprintf(text, size, "%s (%s%s%s%s%s)", prefix_text(&entry->prefix, prefix),
		 groups_text(entry->mask, groups), entry->domain ? ", from " : "",
		 entry->domain ? entry->domain : "", entry->text ? ", " : "",
		 entry->text ? entry->text : "");
}

static const char *part_of(const struct entry *gone, const struct entry *left)
{
	return prefix_covers(&left->prefix, &gone->prefix) ? "" : "a part of ";
}

static void tell_of_partner(struct entry *gone, const struct entry *left, size_t *told)
{
	char text[ERROR_TEXT], prefix[PREFIX_TEXT];

	if ((*told)++ >= TOLD)
		return;
	describe_partner(text, sizeof(text), left);
	warn("%s%s is still admitted by partner %s", part_of(gone, left),
	     prefix_text(&gone->prefix, prefix), text);
}

/* The rows that go on to admit anybody where the groups' own rows listed them: on the same port. */
static int find_open_rows(struct nl *nl, uint32_t groups, uint32_t *rows)
{
	struct rule *list;
	size_t count, i, j;

	*rows = 0;
	if (nl_rules(nl, &list, &count))
		return -1;
	for (i = 0; i < count; i++) {
		for (j = 0; j < count; j++) {
			if (groups & 1u << rule_group(&list[j]) && list[i].enabled &&
			    list[i].peers == NF_EDGE_PEERS_ANY &&
			    list[i].protocol == list[j].protocol &&
			    list[i].dport == list[j].dport)
				*rows |= 1u << list[i].row;
		}
	}
	free(list);
	return 0;
}

/* A host as an address, a prefix as such. */
static const char *shortest_text(const struct prefix *prefix, char text[PREFIX_TEXT])
{
	return prefix->len == prefix->size * 8 ? address_text(prefix, text) :
						 prefix_text(prefix, text);
}

/* @gone: who had been in the groups, if it was one alone. */
static int tell_of_open_rows(struct nl *nl, uint32_t groups, const struct entry *gone)
{
	char names[ERROR_TEXT], prefix[PREFIX_TEXT] = "ADDRESS", who[PREFIX_TEXT + 8] = "they are";
	uint32_t rows;

	if (find_open_rows(nl, groups, &rows))
		return -1;
	if (!rows)
		return 0;
	names_text(row_names, rows, names);
	if (gone)
		snprintf(who, sizeof(who), "%s is", shortest_text(&gone->prefix, prefix));
	warn("%s still admitted, as anybody is, by %s (\"edgectl block add %s\" cuts both ways)",
	     who, names, prefix);
	return 0;
}

static void mark_blocked(struct entry *gone, const struct entry *block, size_t *marked)
{
	if (!prefix_covers(&block->prefix, &gone->prefix))
		return;
	gone->leaves = true;
	++*marked;
}

/* Who is blocked is admitted by nobody. */
static int leave_out_blocked(struct nl *nl, struct entry *gone, size_t *count)
{
	size_t blocked, marked = 0, kept = 0, i;
	struct entry *blocks;

	if (nl_blocks(nl, NULL, &blocks, &blocked))
		return -1;
	each_cover(gone, *count, blocks, blocked, mark_blocked, &marked);
	for (i = 0; i < *count; i++) {
		if (!gone[i].leaves)
			gone[kept++] = gone[i];
	}
	*count = kept;
	entries_free(blocks, blocked);
	return 0;
}

static int tell_of_partners(struct nl *nl, struct entry *gone, size_t count)
{
	const bool host = count == 1 && gone->prefix.len == gone->prefix.size * 8;
	const struct partner_filter filter = { .covers = host ? &gone->prefix : NULL };
	struct entry *left;
	size_t left_count, told = 0;

	if (nl_partners(nl, &filter, &left, &left_count))
		return -1;
	each_cover(gone, count, left, left_count, tell_of_partner, &told);
	if (told > TOLD)
		warn("and %zu more are still admitted", told - TOLD);
	entries_free(left, left_count);
	return 0;
}

/* For later: who merges a file is told once. */
static void note(struct removed_list *removed, const struct entry *gone, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		removed->list = sure(grow(removed->list, removed->count, &removed->room,
					  sizeof(*gone)));
		removed->list[removed->count++] = gone[i];
	}
}

void left_tell_partners(const struct options *options, const struct entry *gone, size_t count)
{
	uint32_t groups = 0;
	struct entry *sorted;
	struct nl *nl;
	size_t i;

	if (!is_told(options) || !count)
		return;
	if (options->within) {
		note(&options->removed->partners, gone, count);
		return;
	}
	nl = nl_attach();
	sorted = in_order(gone, &count);
	if (leave_out_blocked(nl, sorted, &count))
		not_known(nl);
	for (i = 0; i < count; i++)
		groups |= sorted[i].mask;
	if (count && (tell_of_partners(nl, sorted, count) ||
		      tell_of_open_rows(nl, groups, count == 1 ? sorted : NULL)))
		not_known(nl);
	free(sorted);
	nl_detach(nl);
}

void left_tell_rows(const struct options *options, uint32_t groups)
{
	struct nl *nl;

	if (!is_told(options) || !groups)
		return;
	if (options->within) {
		options->removed->groups |= groups;
		return;
	}
	nl = nl_attach();
	if (tell_of_open_rows(nl, groups, NULL))
		not_known(nl);
	nl_detach(nl);
}

/* ---- blocks ---- */

static void tell_of_block(struct entry *gone, const struct entry *left, size_t *told)
{
	char prefix[PREFIX_TEXT], by[PREFIX_TEXT];

	if ((*told)++ >= TOLD)
		return;
	warn("%s%s is still blocked by %s", part_of(gone, left),
	     prefix_text(&gone->prefix, prefix), prefix_text(&left->prefix, by));
}

void left_tell_blocks(const struct options *options, const struct entry *gone, size_t count)
{
	struct entry *sorted, *left;
	size_t left_count, told = 0;
	struct nl *nl;

	if (!is_told(options) || !count)
		return;
	if (options->within) {
		note(&options->removed->blocks, gone, count);
		return;
	}
	nl = nl_attach();
	if (nl_blocks(nl, NULL, &left, &left_count)) {
		not_known(nl);
	} else {
		sorted = in_order(gone, &count);
		each_cover(sorted, count, left, left_count, tell_of_block, &told);
		if (told > TOLD)
			warn("and %zu more are still blocked", told - TOLD);
		entries_free(left, left_count);
		free(sorted);
	}
	nl_detach(nl);
}

/* ---- merges ---- */

void left_tell_removed(const struct options *options, struct removed *removed, bool changed)
{
	if (changed) {
		left_tell_partners(options, removed->partners.list, removed->partners.count);
		left_tell_rows(options, removed->groups);
		left_tell_blocks(options, removed->blocks.list, removed->blocks.count);
	}
	free(removed->partners.list);
	free(removed->blocks.list);
}

/* ---- Edge addresses ---- */

void left_begin(const struct options *options, struct guarded *before)
{
	struct nl *nl;

	*before = (struct guarded){ 0 };
	if (!is_told(options) || options->within)
		return;
	nl = nl_attach();
	before->known = !nl_interfaces(nl, 0, &before->list, &before->count);
	nl_detach(nl);
}

static bool has(const struct entry *list, size_t count, const struct prefix *address)
{
	const struct entry key = { .prefix = *address };

	return count && bsearch(&key, list, count, sizeof(key), entry_by_prefix);
}

/* Addresses are listed once for each role, one behind the other. */
static void tell_of_addresses(const struct guarded *before, const struct entry *left, size_t count)
{
	const struct prefix *address, *last = NULL;
	char text[PREFIX_TEXT];
	size_t told = 0, i;

	if (before->count && !count) {
		warn("no Edge address is left: nothing is enforced, and everything passes");
		return;
	}
	for (i = 0; i < before->count; last = address, i++) {
		address = &before->list[i].prefix;
		if ((last && !prefix_compare(last, address)) || has(left, count, address) ||
		    told++ >= TOLD)
			continue;
		warn("%s is no Edge address any more: its traffic is not judged, and flows go on",
		     address_text(address, text));
	}
	if (told > TOLD)
		warn("and %zu more addresses", told - TOLD);
}

void left_end(struct guarded *before, bool changed)
{
	struct entry *left;
	size_t count;
	struct nl *nl;

	if (changed && before->known) {
		nl = nl_attach();
		if (nl_interfaces(nl, 0, &left, &count)) {
			not_known(nl);
		} else {
			tell_of_addresses(before, left, count);
			entries_free(left, count);
		}
		nl_detach(nl);
	}
	entries_free(before->list, before->count);
}
