// SPDX-License-Identifier: GPL-2.0-only
/*
 * partner: the prefixes that belong to groups
 */
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
	bool domains = more;
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

static void show(void *context, const struct entry *list, size_t count, bool more)
{
	struct listing *listing = context;
	struct out *out = &listing->out;
	char prefix[PREFIX_TEXT];
	size_t i;

	if (!listing->begun)
		begin(listing, list, count, more);
	for (i = 0; i < count; i++) {
		out_row(out);
		out_string(out, "address", prefix_text(&list[i].prefix, prefix));
		out_names(out, "groups", group_names, list[i].mask);
		out_number(out, "packets", list[i].packets);
		if (list[i].packets || out->json)
			out_seconds(out, "idle", list[i].idle);
		else
			out_string(out, "idle", "never");
		out_string(out, "name", list[i].text);
		out_string(out, "domain", list[i].domain);
		out_row_end(out);
	}
}

int cmd_partner_list(const struct options *options, struct op *op)
{
	const struct partner_filter filter = {
		.groups = op->mask,
		.name = op->text,
		.domain = op->domain.text[0] ? op->domain.text : NULL,
		.covers = &op->flow.from,
		.idle = op->value,
	};
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
	int result = nl_partners_take(nl, &filter, show, &listing);

	if (listing.begun)
		out_table_end(&listing.out);
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}

static int change(const struct options *options, struct op *op,
		  int (*send)(struct nl *nl, const struct entry *list, size_t count,
			      bool tolerant))
{
	struct entry *list = calloc(op->count, sizeof(*list));
	struct nl *nl = nl_attach();
	char text[PREFIX_TEXT] = "";
	int result;
	size_t i;

	if (!list)
		abort();
	for (i = 0; i < op->count; i++) {
		list[i].prefix = op->prefix[i];
		list[i].mask = op->mask;
		list[i].text = (char *)op->text;
		list[i].domain = op->domain.text[0] || op->own ? op->domain.text : NULL;
	}
	result = send(nl, list, op->count, options->quiet);
	i = op->count == 1 ? 0 : nl_error(nl)->entry;
	if (result && i < op->count)
		prefix_text(&list[i].prefix, text);
	result = report(nl, result, "partner", text);
	nl_detach(nl);
	free(list);
	return result;
}

int cmd_partner_add(const struct options *options, struct op *op)
{
	return op->names ? names_add(options, op) : change(options, op, nl_partner_add);
}

int cmd_partner_del(const struct options *options, struct op *op)
{
	return op->names ? names_del(options, op) : change(options, op, nl_partner_del);
}

int cmd_partner_flush(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	int result = report(nl, nl_partner_flush(nl, op->mask), NULL, NULL);

	(void)options;
	nl_detach(nl);
	return result;
}
