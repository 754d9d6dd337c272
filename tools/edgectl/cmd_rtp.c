// SPDX-License-Identifier: GPL-2.0-only
/*
 * rtp: the port map of av-rtp-out
 */
#include <stdlib.h>
#include <string.h>

#include "edgectl.h"

int cmd_rtp(const struct options *options, struct op *op)
{
	struct out out = out_start(options);
	struct nl *nl = nl_attach();
	struct status status;
	int result;

	(void)op;
	result = nl_status(nl, &status);
	if (!result) {
		out_object(&out, NULL, OUT_LABELLED);
		out_string(&out, "ports", ports_text(status.settings.ports));
		out_string(&out, "match", rtp_match_names[status.settings.match]);
		out_object_end(&out);
	}
	result = report(nl, result, NULL, NULL);
	nl_detach(nl);
	return result;
}

static int set(const struct options *options, const struct settings *settings)
{
	struct nl *nl = change_begin(options);

	return change_end(options, nl, report(nl, nl_set(nl, settings), NULL, NULL));
}

int cmd_rtp_set(const struct options *options, struct op *op)
{
	struct settings settings = { .given = SETTING_PORTS };

	memcpy(settings.ports, op->ports, sizeof(settings.ports));
	return set(options, &settings);
}

int cmd_rtp_match(const struct options *options, struct op *op)
{
	struct settings settings = { .given = SETTING_MATCH, .match = op->value };

	return set(options, &settings);
}
