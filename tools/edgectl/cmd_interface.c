// SPDX-License-Identifier: GPL-2.0-only
/*
 * interface: the Edge addresses
 */
#include <stdio.h>

#include "edgectl.h"

static const char *role_name(uint32_t mask)
{
	int role = __builtin_ffs(mask) - 1;

	return role >= 0 && role < NF_EDGE_ROLE_COUNT ? role_names[role] : "?";
}

int cmd_interface_list(const struct options *options, struct op *op)
{
	struct out_column columns[] = {
		{ "role", "role", 8 },
		{ "address", "address", 39 },
		{ "dev", "dev", 15 },
	};
	struct out out = out_start(options);
	struct nl *nl = nl_attach();
	char text[PREFIX_TEXT];
	struct entry *list;
	size_t count, i;
	int result;

	result = nl_interfaces(nl, op->mask, &list, &count);
	if (!result) {
		out_table(&out, NULL, columns, 3);
		for (i = 0; i < count; i++) {
			out_row(&out);
			out_string(&out, "role", role_name(list[i].mask));
			out_string(&out, "address", address_text(&list[i].prefix, text));
			out_string(&out, "dev", list[i].text);
			out_row_end(&out);
		}
		out_table_end(&out);
		entries_free(list, count);
	}
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}

static int change(const struct options *options, const struct op *op,
		  int (*send)(struct nl *nl, const struct entry *entry, uint32_t role,
			      bool tolerant))
{
	struct entry entry = { .prefix = op->prefix[0], .text = (char *)op->text };
	char name[PREFIX_TEXT + 16], address[PREFIX_TEXT];
	struct nl *nl = nl_attach();
	int result;

	snprintf(name, sizeof(name), "%s %s", role_name(op->mask),
		 address_text(&entry.prefix, address));
	result = send(nl, &entry, op->mask, options->quiet);
	result = report(nl, result, "interface", name);
	nl_detach(nl);
	return result;
}

int cmd_interface_add(const struct options *options, struct op *op)
{
	return change(options, op, nl_interface_add);
}

int cmd_interface_del(const struct options *options, struct op *op)
{
	return change(options, op, nl_interface_del);
}

int cmd_interface_flush(const struct options *options, struct op *op)
{
	struct nl *nl = nl_attach();
	int result = report(nl, nl_interface_flush(nl, op->mask), NULL, NULL);

	(void)options;
	nl_detach(nl);
	return result;
}
