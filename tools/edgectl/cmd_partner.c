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

static void show(const struct options *options, const struct entry *list, size_t count)
{
	struct out_column columns[] = {
		{ "address", "address", 18 },
		{ "groups", "groups", 10 },
		{ "name", "name", 4 },
	};
	struct out out = out_start(options);
	char prefix[PREFIX_TEXT], groups[GROUPS_TEXT];
	size_t i;

	for (i = 0; i < count && !options->json; i++) {
		widen(&columns[0].width, prefix_text(&list[i].prefix, prefix));
		widen(&columns[1].width, groups_text(list[i].mask, groups));
	}
	out_table(&out, NULL, columns, 3);
	for (i = 0; i < count; i++) {
		out_row(&out);
		out_string(&out, "address", prefix_text(&list[i].prefix, prefix));
		out_names(&out, "groups", group_names, list[i].mask);
		out_string(&out, "name", list[i].text);
		out_row_end(&out);
	}
	out_table_end(&out);
}

int cmd_partner_list(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	struct entry *list;
	size_t count;
	int result;

	result = nl_partners(nl, op->mask, op->text, &op->flow.from, &list, &count);
	if (!result) {
		show(options, list, count);
		entries_free(list, count);
	}
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}

static int change(const struct options *options, const struct op *op,
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
	return change(options, op, nl_partner_add);
}

int cmd_partner_del(const struct options *options, struct op *op)
{
	return change(options, op, nl_partner_del);
}

int cmd_partner_flush(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	int result = report(nl, nl_partner_flush(nl, op->mask), NULL, NULL);

	(void)options;
	nl_detach(nl);
	return result;
}
