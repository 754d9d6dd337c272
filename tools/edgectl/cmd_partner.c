// SPDX-License-Identifier: GPL-2.0-only
/*
 * partner: the prefixes that belong to groups
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgectl.h"

static void widen(int *width, const char *text)
{
	int length = strlen(text);

	if (length > *width)
		*width = length;
}

struct listing {
	struct out out;
	struct out_column columns[6];
	bool begun;
};

/* As wide as those that are there need it; where more will come, with room for most. */
static void begin(struct listing *listing, const struct entry *list, size_t count, bool more)
{
	struct out_column *columns = listing->columns;
	char prefix[PREFIX_TEXT], groups[GROUPS_TEXT];
	bool domains = more || listing->out.csv;
	uint32_t mask = 0;
	size_t i;

	for (i = 0; i < count && !listing->out.json; i++) {
		widen(&columns[0].width, prefix_text(&list[i].prefix, prefix));
		if (list[i].mask != mask)
			widen(&columns[1].width, groups_text(list[i].mask, groups));
		if (list[i].text)
			widen(&columns[4].width, list[i].text);
		mask = list[i].mask;
		domains |= !!list[i].domain;
	}
	if (more)
		widen(&columns[0].width, "2001:db8:ffff:ffff::/64");
	out_table(&listing->out, NULL, columns, domains ? 6 : 5);
	listing->begun = true;
}

bool partner_is_called(const struct entry *entry, const char *name, bool exact)
{
	if (!name)
		return true;
	if (!entry->text)
		return false;
	return exact ? !strcmp(entry->text, name) : !!strcasestr(entry->text, name);
}

/* What of the choice the kernel can make. */
static struct partner_filter filter_of(const struct op *op)
{
	return (struct partner_filter){
		.groups = op->mask,
		.name = op->exact ? op->text : NULL,
		.domain = op->domain.text[0] ? op->domain.text : NULL,
		.covers = &op->flow.from,
		.idle = op->value,
	};
}

/* The partners that are all of what was asked for. */
static int choose(struct nl *nl, const struct op *op, struct entry **list, size_t *count)
{
	const struct partner_filter filter = filter_of(op);
	size_t all, i;

	if (nl_partners(nl, &filter, list, &all))
		return -1;
	*count = 0;
	for (i = 0; i < all; i++) {
		struct entry swap = (*list)[*count];

		if (!partner_is_called(&(*list)[i], op->text, op->exact))
			continue;
		(*list)[*count] = (*list)[i];
		(*list)[i] = swap;
		++*count;
	}
	for (i = *count; i < all; i++) {	/* entries_free() gets those that are left */
		free((*list)[i].text);
		free((*list)[i].domain);
	}
	return 0;
}

static void show_some(struct listing *listing, const struct entry *list, size_t count, bool more)
{
	struct out *out = &listing->out;
	char prefix[PREFIX_TEXT];
	size_t i;

	if (!listing->begun)
		begin(listing, list, count, more);
	for (i = 0; i < count; i++) {
		out_row(out);
		out_string(out, "address", prefix_text(&list[i].prefix, prefix));
		out_names(out, "groups", group_names, list[i].mask);
		if (list[i].seen) {
			out_number(out, "packets", list[i].packets);
			if (list[i].packets || out->json)
				out_seconds(out, "idle", list[i].idle);
			else
				out_string(out, "idle", "never");
		} else {
			out_string(out, "packets", NULL);
			out_string(out, "idle", NULL);
		}
		out_string(out, "name", list[i].text);
		out_string(out, "domain", list[i].domain);
		out_row_end(out);
	}
}

static void show(void *context, const struct entry *list, size_t count, bool more)
{
	show_some(context, list, count, more);
}

static int by_packets(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->packets != y->packets)
		return x->packets < y->packets ? 1 : -1;
	return entry_compare(x, y);
}

/* Those that have never been seen come last. */
static int by_last_seen(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (!x->packets != !y->packets)
		return x->packets ? -1 : 1;
	if (x->idle != y->idle)
		return x->idle < y->idle ? -1 : 1;
	return entry_compare(x, y);
}

/* What has to be there as a whole before any of it is shown. */
static int list_whole(struct nl *nl, const struct op *op, struct listing *listing)
{
	struct entry *list;
	size_t count;

	if (choose(nl, op, &list, &count))
		return -1;
	if (op->sort != SORT_ADDRESS && count)
		qsort(list, count, sizeof(*list),
		      op->sort == SORT_PACKETS ? by_packets : by_last_seen);
	show_some(listing, list, count, false);
	entries_free(list, count);
	return 0;
}

int cmd_partner_list(const struct options *options, struct op *op)
{
	const struct partner_filter filter = filter_of(op);
	struct listing listing = {
		.out = out_start(options),
		.columns = {
			{ "address", "address", 18 },
			{ "groups", "groups", 10 },
			{ "packets", "packets", -10 },
			{ "idle", "last seen", 10 },
			{ "name", "name", 4 },
			{ "domain", "domain", 6 },
		},
	};
	struct nl *nl = nl_attach();
	int result = op->text || op->sort != SORT_ADDRESS ?
		     list_whole(nl, op, &listing) : nl_partners_take(nl, &filter, show, &listing);

	if (listing.begun)
		out_table_end(&listing.out);
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}

/* ---- changes ---- */

/* A removal of what is not there says which partner is meant, perhaps. */
static int tell_of_wider(struct nl *nl, const struct entry *entry)
{
	const struct partner_filter filter = { .covers = &entry->prefix };
	char text[ERROR_TEXT], refused[ERROR_TEXT], prefix[PREFIX_TEXT];
	struct entry *list;
	size_t count;

	sentence(nl, "partner", prefix_text(&entry->prefix, prefix), refused);
	if (nl_error(nl)->code != ENOENT || nl_partners(nl, &filter, &list, &count))
		return fail("%s", refused);
	if (count) {
		describe_partner(text, sizeof(text), &list[count - 1]);
		fail("%s; it is admitted by partner %s", refused, text);
	} else {
		fail("%s", refused);
	}
	entries_free(list, count);
	return EXIT_REFUSED;
}

static struct entry *entries_of(const struct op *op)
{
	struct entry *list = calloc(op->count, sizeof(*list));
	size_t i;

	if (!list)
		abort();
	for (i = 0; i < op->count; i++) {
		list[i].prefix = op->prefix[i];
		list[i].mask = op->mask;
		list[i].text = (char *)op->text;
		list[i].domain = op->domain.text[0] || op->own ? (char *)op->domain.text : NULL;
	}
	return list;
}

/* What is to blame, or NULL. */
static const struct entry *blamed(const struct nl *nl, const struct entry *list, size_t count)
{
	size_t i = count == 1 ? 0 : nl_error(nl)->entry;

	return i < count ? &list[i] : NULL;
}

static int add(const struct options *options, const struct op *op)
{
	struct nl *nl = change_begin(options);
	struct entry *list = entries_of(op);
	const struct entry *bad;
	char text[PREFIX_TEXT] = "";
	int result = nl_partner_add(nl, list, op->count, options->quiet);

	bad = result ? blamed(nl, list, op->count) : NULL;
	if (bad)
		prefix_text(&bad->prefix, text);
	result = report(nl, result, "partner", text);
	free(list);
	return change_end(options, nl, result);
}

#define ASKED	10

/* The groups that the partners leave, where that is not said: those that they have. */
static int find_groups(struct nl *nl, const struct entry *list, size_t count, struct entry *gone)
{
	struct entry *there;
	size_t found, i, j;

	for (i = 0; i < count; i++) {
		const struct partner_filter filter = { .covers = &list[i].prefix };

		gone[i] = list[i];
		if (list[i].mask)
			continue;
		if (i >= ASKED) {	/* enough of them have been asked about */
			gone[i].mask = gone[0].mask;
			continue;
		}
		if (nl_partners(nl, &filter, &there, &found))
			return -1;
		for (j = 0; j < found; j++) {
			if (!prefix_compare(&there[j].prefix, &list[i].prefix))
				gone[i].mask |= there[j].mask;
		}
		entries_free(there, found);
	}
	return 0;
}

static int del(const struct options *options, const struct op *op)
{
	struct nl *nl = change_begin(options);
	struct entry *list = entries_of(op), *gone = entries_of(op);
	const struct entry *bad;
	int result = find_groups(nl, list, op->count, gone);

	if (!result)
		result = nl_partner_del(nl, list, op->count, options->quiet);
	bad = result && nl_error(nl)->code == ENOENT ? blamed(nl, list, op->count) : NULL;
	result = change_end(options, nl, bad ? tell_of_wider(nl, bad) :
					       report(nl, result, NULL, NULL));
	if (!result)
		left_tell_partners(options, gone, op->count);
	free(list);
	free(gone);
	return result;
}

/* Removes what was chosen; @must: there must be something. */
static int remove_chosen(const struct options *options, const struct op *op, bool must)
{
	struct nl *nl = change_begin(options);
	struct entry *list = NULL;
	size_t count = 0, i;
	int result = choose(nl, op, &list, &count);

	for (i = 0; i < count; i++) {
		list[i].mask &= op->mask ? op->mask : list[i].mask;
		if (!list[i].domain)
			list[i].domain = sure(strdup(""));	/* what no domain has brought */
		free(list[i].text);
		list[i].text = NULL;
	}
	if (!result && count)
		result = nl_partner_del(nl, list, count, true);
	result = report(nl, result, NULL, NULL);
	if (!result && !count && must && !options->quiet)
		result = fail("no partner is chosen by that");
	result = change_end(options, nl, result);
	if (!result)
		left_tell_partners(options, list, count);
	if (!result)
		change_count(options, "removed", count);
	entries_free(list, count);
	return result;
}

int cmd_partner_add(const struct options *options, struct op *op)
{
	return op->names ? names_add(options, op) : add(options, op);
}

int cmd_partner_del(const struct options *options, struct op *op)
{
	if (op->names)
		return names_del(options, op);
	return op->count ? del(options, op) : remove_chosen(options, op, true);
}

static void add_groups(void *context, const struct entry *list, size_t count, bool more)
{
	uint32_t *groups = context;
	size_t i;

	(void)more;
	for (i = 0; i < count; i++)
		*groups |= list[i].mask;
}

/* Who will be gone: of all of them the groups alone, since nobody is left to admit them. */
static int find_gone(struct nl *nl, const struct op *op, struct entry **gone, size_t *count,
		     uint32_t *groups)
{
	const struct partner_filter filter = { .groups = op->mask };
	size_t i;

	if (!op->mask)
		return nl_partners_take(nl, &filter, add_groups, groups);
	if (nl_partners(nl, &filter, gone, count))
		return -1;
	for (i = 0; i < *count; i++)
		(*gone)[i].mask &= op->mask;
	return 0;
}

/* The kernel's own way: all, or groups. What is to be told of it is no reason not to do it. */
static int flush(const struct options *options, const struct op *op)
{
	struct nl *nl = change_begin(options);
	struct entry *gone = NULL;
	uint32_t groups = 0;
	size_t count = 0;
	int result;

	if (!options->quiet && !options->dry_run && !nl_error(nl)->code &&
	    find_gone(nl, op, &gone, &count, &groups))
		warn("what is left will not be told: %s", nl_error(nl)->text);
	result = report(nl, nl_partner_flush(nl, op->mask), NULL, NULL);
	result = change_end(options, nl, result);
	if (!result && op->mask)
		left_tell_partners(options, gone, count);
	else if (!result)
		left_tell_rows(options, groups);
	entries_free(gone, count);
	return result;
}

int cmd_partner_flush(const struct options *options, struct op *op)
{
	const bool chosen = op->text || op->domain.text[0] || op->flow.from.size || op->value;

	return chosen ? remove_chosen(options, op, false) : flush(options, op);
}
