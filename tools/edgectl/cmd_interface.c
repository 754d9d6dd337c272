// SPDX-License-Identifier: GPL-2.0-only
/*
 * interface: the Edge addresses
 */
#include <errno.h>
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

/* Who removes the last address asks for what that opens; one line of many in a file does not. */
static void allow_open(const struct options *options, struct nl *nl)
{
	if (!options->within)
		nl_allow_open(nl);
}

/* To which device an address is bound, behind the kernel's refusal to bind it to another. */
static int fail_bound(const struct entry *entry, const char *sentence)
{
	struct nl *nl = nl_attach();
	struct entry *list = NULL;
	size_t count = 0, i = 0;
	int result;

	if (!nl_interfaces(nl, 0, &list, &count)) {
		while (i < count && (!list[i].text ||
				     prefix_compare(&list[i].prefix, &entry->prefix)))
			i++;
	}
	result = i < count ? fail("%s, %s", sentence, list[i].text) : fail("%s", sentence);
	entries_free(list, count);
	nl_detach(nl);
	return result;
}

static int change(const struct options *options, const struct op *op,
		  int (*send)(struct nl *nl, const struct entry *entry, uint32_t role,
			      bool tolerant))
{
	struct entry entry = { .prefix = op->prefix[0], .text = (char *)op->text };
	char name[PREFIX_TEXT + 16], address[PREFIX_TEXT], text[ERROR_TEXT];
	struct guarded before;
	struct nl *nl;
	int result;

	left_begin(options, &before);
	nl = change_begin(options);
	allow_open(options, nl);
	snprintf(name, sizeof(name), "%s %s", role_name(op->mask),
		 address_text(&entry.prefix, address));
	result = send(nl, &entry, op->mask, options->quiet);
	if (result && nl_error(nl)->code == EBUSY)
		result = fail_bound(&entry, sentence(nl, "interface", name, text));
	else
		result = report(nl, result, "interface", name);
	result = change_end(options, nl, result);
	left_end(&before, !result);
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
	struct guarded before;
	struct nl *nl;
	int result;

	left_begin(options, &before);
	nl = change_begin(options);
	allow_open(options, nl);
	result = report(nl, nl_interface_flush(nl, op->mask), NULL, NULL);
	result = change_end(options, nl, result);
	left_end(&before, !result);
	return result;
}
