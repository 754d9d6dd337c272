// SPDX-License-Identifier: GPL-2.0-only
/*
 * diff: what loading a policy would change, as the commands that would change it
 *
 * One after the other they can all be done, and meanwhile no partner is away whom both policies
 * admit: what comes is there before anything goes. Only where there is no room for both, what goes
 * altogether makes it first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgectl.h"

#define EXIT_SAME	0
#define EXIT_DIFFERENT	1
#define EXIT_TROUBLE	2

/**
 * struct diff - the commands so far
 */
struct diff {
	struct out out;
	size_t count;
};

/* ---- a command: begin(), its words, end() ---- */

static void begin(struct diff *diff, const char *object, const char *action)
{
	diff->count++;
	if (diff->out.json) {
		out_row(&diff->out);
		out_string(&diff->out, "object", object);
		out_string(&diff->out, "action", action);
	} else {
		printf("%s%s%s", object, action ? " " : "", action ? action : "");
	}
}

/* @keyword stands before the word, if any; @word may be NULL. */
static void put(struct diff *diff, const char *key, const char *keyword, const char *word)
{
	if (diff->out.json) {
		out_string(&diff->out, key, word);
	} else if (word) {
		printf(" %s%s", keyword ? keyword : "", keyword ? " " : "");
		policy_put_word(stdout, word);
	}
}

static void put_groups(struct diff *diff, uint32_t mask)
{
	char text[GROUPS_TEXT];

	if (diff->out.json)
		out_names(&diff->out, "groups", group_names, mask);
	else if (mask)
		printf(" group %s", groups_text(mask, text));
}

static void end(struct diff *diff)
{
	if (diff->out.json)
		out_row_end(&diff->out);
	else
		putchar('\n');
}

/* ---- settings and rows ---- */

static void say_value(struct diff *diff, const char *object, const char *action,
		      const char *value)
{
	begin(diff, object, action);
	put(diff, "value", NULL, value);
	end(diff);
}

static void compare_settings(struct diff *diff, const struct settings *have,
			     const struct settings *want)
{
	if (have->mode != want->mode)
		say_value(diff, "mode", NULL, mode_names[want->mode]);
	if (have->unlisted != want->unlisted)
		say_value(diff, "unlisted", NULL, unlisted_names[want->unlisted]);
	if (memcmp(have->ports, want->ports, sizeof(have->ports)))
		say_value(diff, "rtp", "set", ports_text(want->ports));
	if (have->match != want->match)
		say_value(diff, "rtp", "match", rtp_match_names[want->match]);
}

static void say_rule(struct diff *diff, const char *action, uint32_t row, const char *peers)
{
	begin(diff, "rule", action);
	put(diff, "name", NULL, row_names[row]);
	put(diff, "peers", "peers", peers);
	end(diff);
}

static void compare_rule(struct diff *diff, const struct rule *have,
			 const struct rule_change *want)
{
	if (have->peers != (uint32_t)want->peers)
		say_rule(diff, "set", have->row, peers_names[want->peers]);
	if (have->enabled != (uint32_t)want->enabled)
		say_rule(diff, want->enabled ? "enable" : "disable", have->row, NULL);
}

/* ---- tables ---- */

static void say_interface(struct diff *diff, const char *action, const struct entry *entry,
			  uint32_t roles, const char *dev)
{
	char text[PREFIX_TEXT];
	int role;

	for (role = 0; role < NF_EDGE_ROLE_COUNT; role++) {
		if (!(roles & 1u << role))
			continue;
		begin(diff, "interface", action);
		put(diff, "role", NULL, role_names[role]);
		put(diff, "address", NULL, address_text(&entry->prefix, text));
		put(diff, "dev", "dev", dev);
		end(diff);
	}
}

static void say_partner(struct diff *diff, const char *action, const struct prefix *prefix,
			uint32_t groups, const char *domain, const char *name)
{
	char text[PREFIX_TEXT];

	begin(diff, "partner", action);
	put(diff, "address", NULL, prefix_text(prefix, text));
	put_groups(diff, groups);
	put(diff, "domain", "domain", domain);
	put(diff, "name", "name", name);
	end(diff);
}

/**
 * struct span - the entries of a prefix, in order: a partner has one for each of its domains
 */
struct span {
	const struct entry *list;
	size_t count;
};

/* A device is bound by any role that is added with it, and forgotten with the last role. */
static bool changes_device(struct span before, struct span after)
{
	return before.count && before.list->text && !same_text(before.list->text, after.list->text);
}

static void interface_comes(struct diff *diff, struct span before, struct span after)
{
	const struct entry *have = NULL, *want = after.list;
	uint32_t come;

	if (changes_device(before, after))
		say_interface(diff, "del", before.list, before.list->mask, NULL);
	else if (before.count)
		have = before.list;
	come = want->mask & ~(have ? have->mask : 0);
	if (have && !same_text(have->text, want->text) && !come)
		come = want->mask & -want->mask;
	say_interface(diff, "add", want, come, want->text);
}

static void interface_goes(struct diff *diff, struct span before, struct span after)
{
	if (!after.count)
		say_interface(diff, "del", before.list, before.list->mask, NULL);
	else if (!changes_device(before, after))
		say_interface(diff, "del", before.list, before.list->mask & ~after.list->mask,
			      NULL);
}

static const struct entry *share_of(struct span span, const char *domain)
{
	size_t i;

	for (i = 0; i < span.count; i++) {
		if (same_text(span.list[i].domain, domain))
			return &span.list[i];
	}
	return NULL;
}

static bool has_domains(struct span span)
{
	return span.count && span.list[span.count - 1].domain;
}

/* What goes without a domain, goes wherever it comes from; unless there is but one share. */
static void say_share_goes(struct diff *diff, const struct entry *have, uint32_t groups,
			   struct span before, struct span after)
{
	const char *own = has_domains(before) || has_domains(after) ? "" : NULL;

	say_partner(diff, "del", &have->prefix, groups, have->domain ? have->domain : own, NULL);
}

static void drop_shares(struct diff *diff, struct span before, struct span after)
{
	size_t i;

	for (i = 0; i < before.count; i++) {
		if (!share_of(after, before.list[i].domain))
			say_share_goes(diff, &before.list[i], 0, before, after);
	}
}

/* Whether a prefix cannot have the domains that come beside those that go. */
static bool is_crowded(struct span before, struct span after)
{
	size_t domains = before.count, i;

	for (i = 0; i < after.count && domains <= NF_EDGE_DOMAINS_MAX; i++)
		domains += !share_of(before, after.list[i].domain);
	return domains > NF_EDGE_DOMAINS_MAX;
}

static void partner_comes(struct diff *diff, struct span before, struct span after)
{
	size_t i;

	if (is_crowded(before, after))
		drop_shares(diff, before, after);
	for (i = 0; i < after.count; i++) {
		const struct entry *want = &after.list[i];
		const struct entry *have = share_of(before, want->domain);
		uint32_t come = want->mask & ~(have ? have->mask : 0);
		const char *name = want->text;

		if (have)
			name = same_text(have->text, want->text) ? NULL : want->text ?: "";
		if (come || name)
			say_partner(diff, "add", &want->prefix, come ? come : want->mask,
				    want->domain, name);
	}
}

static void partner_goes(struct diff *diff, struct span before, struct span after)
{
	size_t i;

	if (!after.count) {
		say_partner(diff, "del", &before.list->prefix, 0, NULL, NULL);
		return;
	}
	for (i = 0; i < before.count; i++) {
		const struct entry *have = &before.list[i];
		const struct entry *want = share_of(after, have->domain);

		if (want && have->mask & ~want->mask)
			say_share_goes(diff, have, have->mask & ~want->mask, before, after);
	}
	if (!is_crowded(before, after))
		drop_shares(diff, before, after);
}

static void say_block(struct diff *diff, const char *action, const struct entry *entry,
		      bool whole)
{
	char text[PREFIX_TEXT], time[TIME_TEXT];

	begin(diff, "block", action);
	put(diff, "address", NULL, prefix_text(&entry->prefix, text));
	put(diff, "until", "until", whole && entry->until ? time_text(entry->until, time) : NULL);
	put(diff, "reason", "reason", whole ? entry->text : NULL);
	end(diff);
}

static void block_comes(struct diff *diff, struct span before, struct span after)
{
	if (!before.count || before.list->until != after.list->until ||
	    !same_text(before.list->text, after.list->text))
		say_block(diff, "add", after.list, true);
}

static void block_goes(struct diff *diff, struct span before, struct span after)
{
	if (!after.count)
		say_block(diff, "del", before.list, false);
}

/**
 * struct kind - what the two tables have not in common
 * @comes: says what a prefix lacks that is wanted; @before may be empty
 * @goes: says what it has too much; @after may be empty
 */
struct kind {
	const char *object;
	void (*comes)(struct diff *diff, struct span before, struct span after);
	void (*goes)(struct diff *diff, struct span before, struct span after);
};

static const struct kind interfaces = { "interface", interface_comes, interface_goes };
static const struct kind partners = { "partner", partner_comes, partner_goes };
static const struct kind blocks = { "block", block_comes, block_goes };

/**
 * struct run - what is left of a table in order
 */
struct run {
	const struct entry *at;
	size_t left;
};

/* Takes the entries of the next prefix; there must be one. */
static struct span take(struct run *run)
{
	struct span span = { .list = run->at };

	do {
		run->at++;
		run->left--;
		span.count++;
	} while (run->left && !prefix_compare(&span.list->prefix, &run->at->prefix));
	return span;
}

/* Takes the entries of @prefix, perhaps none; what is before it is left behind. */
static struct span seek(struct run *run, const struct prefix *prefix)
{
	int order = -1;

	for (; run->left; run->at++, run->left--) {
		order = prefix_compare(&run->at->prefix, prefix);
		if (order >= 0)
			break;
	}
	return order ? (struct span){ 0 } : take(run);
}

/* The prefixes of both. */
static size_t count_prefixes(struct run had, struct run wanted)
{
	const struct run all = had;
	size_t count = 0;

	for (; had.left; count++)
		take(&had);
	for (had = all; wanted.left;)
		count += !seek(&had, &take(&wanted).list->prefix).count;
	return count;
}

static void say_coming(struct diff *diff, const struct kind *kind, struct run had,
		       struct run wanted)
{
	while (wanted.left) {
		struct span after = take(&wanted);

		kind->comes(diff, seek(&had, &after.list->prefix), after);
	}
}

/* Of prefixes that go altogether, of those that stay, or of both. */
static void say_going(struct diff *diff, const struct kind *kind, struct run had,
		      struct run wanted, bool whole, bool parts)
{
	while (had.left) {
		struct span before = take(&had), after = seek(&wanted, &before.list->prefix);

		if (after.count ? parts : whole)
			kind->goes(diff, before, after);
	}
}

static void compare_table(struct diff *diff, const struct kind *kind, const struct entry *have,
			  size_t count, const struct table *want)
{
	const struct run had = { have, count }, wanted = { want->list, want->count };
	bool room;

	if (count && !want->count) {
		begin(diff, kind->object, diff->out.json ? "flush" : "flush all");
		end(diff);
		return;
	}
	room = count_prefixes(had, wanted) <= want->limit;
	if (!room)
		say_going(diff, kind, had, wanted, true, false);
	say_coming(diff, kind, had, wanted);
	say_going(diff, kind, had, wanted, room, true);
}

/* An entry for each address instead of for each role. How many are left. */
static size_t join_roles(struct entry *list, size_t count)
{
	size_t i, left = 0;

	for (i = 0; i < count; i++) {
		if (left && !prefix_compare(&list[left - 1].prefix, &list[i].prefix)) {
			list[left - 1].mask |= list[i].mask;
			free(list[i].text);
		} else {
			list[left++] = list[i];
		}
	}
	return left;
}

static void compare(struct diff *diff, struct saved *have, const struct policy *want)
{
	size_t i;

	compare_settings(diff, &have->status.settings, &want->settings);
	for (i = 0; i < have->rule_count; i++)
		compare_rule(diff, &have->rules[i], &want->rules[have->rules[i].row]);
	have->interface_count = join_roles(have->interfaces, have->interface_count);
	compare_table(diff, &interfaces, have->interfaces, have->interface_count,
		      &want->interfaces);
	compare_table(diff, &partners, have->partners, have->partner_count, &want->partners);
	compare_table(diff, &blocks, have->blocks, have->block_count, &want->blocks);
}

/* The lists are still those of @saved. */
static void policy_of(struct policy *policy, struct saved *saved)
{
	size_t i;

	policy_init(policy, true);
	policy->settings = saved->status.settings;
	for (i = 0; i < saved->rule_count; i++)
		policy->rules[saved->rules[i].row] = (struct rule_change){
			saved->rules[i].row, saved->rules[i].enabled, saved->rules[i].peers,
		};
	saved->interface_count = join_roles(saved->interfaces, saved->interface_count);
	policy->interfaces.list = saved->interfaces;
	policy->interfaces.count = saved->interface_count;
	policy->partners.list = saved->partners;
	policy->partners.count = saved->partner_count;
	policy->blocks.list = saved->blocks;
	policy->blocks.count = saved->block_count;
}

static int show(const struct options *options, struct saved *have, const struct policy *want)
{
	struct diff diff = { .out = out_start(options) };

	if (options->json)
		out_table(&diff.out, NULL, NULL, 0);
	compare(&diff, have, want);
	if (options->json)
		out_table_end(&diff.out);
	return diff.count ? EXIT_DIFFERENT : EXIT_SAME;
}

int diff_show(const struct options *options, struct saved *have, struct saved *want)
{
	struct policy policy;

	policy_of(&policy, want);
	return show(options, have, &policy);
}

int cmd_diff(const struct options *options, struct op *op)
{
	struct saved saved = { 0 };
	struct policy policy;
	int result = policy_read(options, op->text, &policy);

	if (!result)
		result = policy_gather(&saved);
	if (result) {
		result = EXIT_TROUBLE;
	} else {
		policy_complete(&policy);
		result = show(options, &saved, &policy);
	}
	policy_forget(&saved);
	policy_free(&policy);
	return result;
}
