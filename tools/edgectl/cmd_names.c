// SPDX-License-Identifier: GPL-2.0-only
/*
 * partner add, del and refresh of domains
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edgectl.h"

#define REFRESH_TRIES	20

/* ---- lists of entries ---- */

/**
 * struct entries - of which each has memory of its own
 */
struct entries {
	struct entry *list;
	size_t count;
	size_t room;
};

static char *copy(const char *text)
{
	return text ? sure(strdup(text)) : NULL;
}

static void append(struct entries *entries, const struct prefix *prefix, uint32_t mask,
		   const char *name, const char *domain)
{
	entries->list = sure(grow(entries->list, entries->count, &entries->room,
				  sizeof(*entries->list)));
	entries->list[entries->count++] = (struct entry){
		.prefix = *prefix, .mask = mask, .text = copy(name), .domain = copy(domain),
	};
}

static void forget(struct entries *entries)
{
	entries_free(entries->list, entries->count);
	*entries = (struct entries){ 0 };
}

/* ---- what DNS says ---- */

/* As ip netns has it: a namespace may have a resolv.conf of its own. NULL: it has none. */
static const char *resolver(const struct options *options, char path[PATH_MAX])
{
	if (!options->netns)
		return NULL;
	snprintf(path, PATH_MAX, "/etc/netns/%s/resolv.conf", options->netns);
	return access(path, R_OK) ? NULL : path;
}

static bool look_up(const struct options *options, struct lookup *lookups, size_t count)
{
	char path[PATH_MAX];
	bool found;

	dns_progress = out_progress;
	found = dns_lookup(lookups, count, resolver(options, path));
	out_progress_end();
	return found;
}

bool names_to_entries(const struct options *options, struct lookup *lookups, size_t count,
		      struct entry **list, size_t *entries)
{
	struct entries all = { *list, *entries, *entries };
	bool found = look_up(options, lookups, count);
	size_t i, j;

	for (i = 0; i < count; i++) {
		for (j = 0; j < lookups[i].count && !lookups[i].error[0]; j++) {
			append(&all, &lookups[i].list[j].prefix, lookups[i].list[j].mask,
			       lookups[i].name, lookups[i].domain.text);
			all.list[all.count - 1].line = lookups[i].line;
		}
	}
	*list = all.list;
	*entries = all.count;
	return found;
}

/* ---- add and del ---- */

/* The exit code of a change; what is to blame is called by its domain, if it comes from one. */
static int report_entry(const struct nl *nl, int result, const struct entries *entries)
{
	size_t i = entries->count == 1 ? 0 : nl_error(nl)->entry;
	const struct entry *entry = &entries->list[i];
	char text[PREFIX_TEXT];

	if (!result || i >= entries->count)
		return report(nl, result, NULL, NULL);
	return report(nl, result, "partner",
		      entry->domain ? entry->domain : prefix_text(&entry->prefix, text));
}

int names_add(const struct options *options, const struct op *op)
{
	struct lookup *lookups = sure(calloc(op->names, sizeof(*lookups)));
	struct entries entries = { 0 };
	struct nl *nl = change_begin(options);
	int result = EXIT_DONE;
	size_t i;

	for (i = 0; i < op->count; i++)
		append(&entries, &op->prefix[i], op->mask, op->text, NULL);
	for (i = 0; i < op->names; i++) {
		lookups[i].domain = op->name[i];
		lookups[i].mask = op->mask;
		lookups[i].name = copy(op->text);
	}
	if (nl_error(nl)->code)
		result = report(nl, -1, NULL, NULL);
	else if (!names_to_entries(options, lookups, op->names, &entries.list, &entries.count))
		result = EXIT_REFUSED;
	for (i = 0; i < op->names && !nl_error(nl)->code; i++) {
		if (lookups[i].error[0]) {
			fail("%s", lookups[i].error);
			break;
		}
	}
	if (!result)
		result = report_entry(nl, nl_partner_add(nl, entries.list, entries.count,
							 options->quiet), &entries);
	lookups_free(lookups, op->names);
	forget(&entries);
	return change_end(options, nl, result);
}

/* Appends what leaves: all that comes from the domain, or its groups. */
static int find_leaving(struct nl *nl, const struct options *options, const struct op *op,
			const char *domain, struct entries *leaving)
{
	const struct partner_filter filter = { .domain = domain };
	struct entry *list;
	size_t count, before = leaving->count, i;

	if (nl_partners(nl, &filter, &list, &count))
		return report(nl, -1, NULL, NULL);
	for (i = 0; i < count; i++) {
		uint32_t mask = op->mask ? op->mask & list[i].mask : list[i].mask;

		if (mask)
			append(leaving, &list[i].prefix, mask, NULL, domain);
	}
	entries_free(list, count);
	if (leaving->count > before || options->quiet)
		return EXIT_DONE;
	return fail(count ? "partner %s is not in that group" : "partner %s does not exist",
		    domain);
}

int names_del(const struct options *options, const struct op *op)
{
	struct entries leaving = { 0 };
	struct nl *nl = change_begin(options);
	int result = EXIT_DONE;
	size_t i;

	for (i = 0; i < op->count; i++)
		append(&leaving, &op->prefix[i], op->mask, NULL, NULL);
	for (i = 0; i < op->names && !result; i++)
		result = find_leaving(nl, options, op, op->name[i].text, &leaving);
	if (!result && leaving.count)
		result = report_entry(nl, nl_partner_del(nl, leaving.list, leaving.count,
							 options->quiet), &leaving);
	result = change_end(options, nl, result);
	if (!result)
		left_tell_partners(options, leaving.list, leaving.count);
	forget(&leaving);
	return result;
}

/* ---- refresh ---- */

/* What becomes of the partners; of those that come and those that go. */
struct difference {
	struct entries coming;
	struct entries going;
};

static int by_domain(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->domain, y->domain);
}

/* The domains that the entries come from, which are put in their order, each with its groups. */
static struct lookup *lookups_of(struct entry *list, size_t count, size_t *lookups)
{
	struct lookup *found = sure(calloc(count + 1, sizeof(*found))), *last = NULL;
	size_t i;

	if (count)
		qsort(list, count, sizeof(*list), by_domain);
	*lookups = 0;
	for (i = 0; i < count; i++) {
		if (!last || strcmp(last->domain.text, list[i].domain)) {
			last = &found[(*lookups)++];
			snprintf(last->domain.text, sizeof(last->domain.text), "%s",
				 list[i].domain);
		}
		last->mask |= list[i].mask;
		if (!last->name)
			last->name = copy(list[i].text);
	}
	return found;
}

static int by_name(const void *domain, const void *lookup)
{
	return strcmp(domain, ((const struct lookup *)lookup)->domain.text);
}

static const struct lookup *lookup_of(const struct lookup *lookups, size_t count,
				      const char *domain)
{
	return count ? bsearch(domain, lookups, count, sizeof(*lookups), by_name) : NULL;
}

/* The groups that DNS gives an address. */
static uint32_t groups_by_dns(const struct lookup *lookup, const struct prefix *prefix)
{
	size_t i;

	for (i = 0; i < lookup->count; i++) {
		if (!memcmp(&lookup->list[i].prefix, prefix, sizeof(*prefix)))
			return lookup->list[i].mask;
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	return entry_compare(a, b);
}

/* The groups that a partner has from a domain. */
static uint32_t groups_from(const struct entry *list, size_t count, const struct prefix *prefix,
			    const struct domain *domain)
{
	const struct entry key = { .prefix = *prefix, .domain = (char *)domain->text };
	const struct entry *found = NULL;

	if (count)
		found = bsearch(&key, list, count, sizeof(key), by_place);
	return found ? found->mask : 0;
}

/*
 * What @list, the partners as they are now, lacks and has too much. A domain that has no answer
 * keeps what it has; one of which nothing is left by now is not brought back.
 */
static void compare(const struct entry *list, size_t count, const struct lookup *lookups,
		    size_t domains, struct difference *difference)
{
	size_t i, j;
	bool *there = sure(calloc(domains + 1, sizeof(*there)));
	const struct lookup *lookup;
	uint32_t gone, new;

	for (i = 0; i < count; i++) {
		lookup = lookup_of(lookups, domains, list[i].domain);
		if (!lookup || lookup->error[0] || !lookup->count)
			continue;
		there[lookup - lookups] = true;
		gone = list[i].mask & ~groups_by_dns(lookup, &list[i].prefix);
		if (gone)
			append(&difference->going, &list[i].prefix, gone, NULL, list[i].domain);
	}
	for (i = 0; i < domains; i++) {
		lookup = &lookups[i];
		for (j = 0; j < lookup->count && there[i]; j++) {
			const struct entry *entry = &lookup->list[j];

			new = entry->mask & ~groups_from(list, count, &entry->prefix,
							 &lookup->domain);
			if (new)
				append(&difference->coming, &entry->prefix, new, lookup->name,
				       lookup->domain.text);
		}
	}
	free(there);
}

/* All in one step. The lists keep what their entries point to. */
static int apply(struct nl *nl, const struct difference *difference)
{
	const struct entries *coming = &difference->coming, *going = &difference->going;
	size_t count = coming->count + going->count, i;
	struct entry *list;
	int result;

	if (!count)
		return 0;
	list = sure(calloc(count, sizeof(*list)));
	for (i = 0; i < count; i++) {
		if (i < coming->count)
			list[i] = coming->list[i];
		else
			list[i] = going->list[i - coming->count];
		list[i].leaves = i >= coming->count;
	}
	result = nl_partner_add(nl, list, count, true);
	free(list);
	return result;
}

/*
 * Compares, and applies what that gives unless the policy has changed since; then once more. A copy
 * of the policy does not change.
 */
static int bring_up_to_date(struct nl *nl, const char *domain, const struct lookup *lookups,
			    size_t domains, struct difference *difference)
{
	const struct partner_filter filter = { .domain = domain };
	struct status status;
	struct entry *list;
	int try, result = 0;
	size_t count;

	for (try = 0; try < REFRESH_TRIES; try++) {
		forget(&difference->coming);
		forget(&difference->going);
		if (nl_status(nl, &status) || nl_partners(nl, &filter, &list, &count))
			return -1;
		compare(list, count, lookups, domains, difference);
		entries_free(list, count);
		if (nl_begun(nl))
			return apply(nl, difference);
		nl_based_on(nl, status.generation);
		result = apply(nl, difference);
		nl_based_on(nl, 0);
		if (!result || nl_error(nl)->code != ESTALE)
			break;
	}
	return result;
}

static void show_changes(struct out *out, const char *change, const struct entries *entries)
{
	char prefix[PREFIX_TEXT];
	size_t i;

	for (i = 0; i < entries->count; i++) {
		out_row(out);
		out_string(out, "change", change);
		out_string(out, "address", prefix_text(&entries->list[i].prefix, prefix));
		out_names(out, "groups", group_names, entries->list[i].mask);
		out_string(out, "domain", entries->list[i].domain);
		out_row_end(out);
	}
}

static void show(const struct options *options, const struct difference *difference)
{
	static const struct out_column columns[] = {
		{ "change", "change", 7 },
		{ "address", "address", 18 },
		{ "groups", "groups", 10 },
		{ "domain", "domain", 6 },
	};
	struct out out = out_start(options);

	if (!options->json && !difference->coming.count && !difference->going.count)
		return;
	out_table(&out, NULL, columns, 4);
	show_changes(&out, "added", &difference->coming);
	show_changes(&out, "removed", &difference->going);
	out_table_end(&out);
}

/* @missed: DNS has no answer for some of them. */
static int refresh(const struct options *options, struct nl *nl, const char *domain,
		   struct entry *list, size_t count, bool *missed)
{
	struct difference difference = { 0 };
	size_t domains, i;
	struct lookup *lookups = lookups_of(list, count, &domains);
	int result;

	*missed = !look_up(options, lookups, domains);
	for (i = 0; *missed && i < domains; i++) {
		if (lookups[i].error[0])
			fail("%s; its partners stay as they are", lookups[i].error);
	}
	result = bring_up_to_date(nl, domain, lookups, domains, &difference);
	result = report(nl, result, NULL, NULL);
	if (!result && !nl_begun(nl))
		show(options, &difference);
	forget(&difference.coming);
	forget(&difference.going);
	lookups_free(lookups, domains);
	return result;
}

int cmd_partner_refresh(const struct options *options, struct op *op)
{
	const struct partner_filter filter = { .domain = op->domain.text };	/* "": any */
	struct nl *nl = change_begin(options);
	bool missed = false;
	struct entry *list;
	size_t count;
	int result;

	result = report(nl, nl_partners(nl, &filter, &list, &count), NULL, NULL);
	if (!result && !count && op->domain.text[0])
		result = fail("partner %s does not exist", op->domain.text);
	else if (!result)
		result = refresh(options, nl, op->domain.text, list, count, &missed);
	entries_free(list, count);
	result = change_end(options, nl, result);
	if (missed && !result)
		result = EXIT_REFUSED;
	return missed && options->dry_run ? EXIT_MISUSED : result;
}
