// SPDX-License-Identifier: GPL-2.0-only
/*
 * change: how a command changes the policy: at once, as a trial, or to be confirmed
 *
 * A trial, and what is to be confirmed, is done to a copy of the policy in force, in a transaction.
 */
#include "edgectl.h"

static bool needs_copy(const struct options *options)
{
	return options->dry_run || options->confirm;
}

int change_copy(struct nl *nl)
{
	struct status status;

	if (nl_status(nl, &status) || nl_begin(nl, true))
		return -1;
	nl_based_on(nl, status.generation);
	nl_read_staged(nl, true);
	return 0;
}

struct nl *change_begin(const struct options *options)
{
	struct nl *nl = options->within ? options->within : nl_attach();

	if (!options->within && needs_copy(options) && change_copy(nl))
		nl_hang_up(nl);	/* what follows must not be done at once */
	return nl;
}

/* Exit codes as of diff: 1 is no failure. */
static int show_trial(const struct options *options, struct nl *nl)
{
	struct saved have = { 0 }, want = { 0 };
	int result;

	nl_read_staged(nl, false);
	result = policy_gather_once(nl, &have);
	nl_read_staged(nl, true);
	if (!result)
		result = policy_gather_once(nl, &want);
	result = result ? report(nl, result, NULL, NULL) + 1 : diff_show(options, &have, &want);
	policy_forget(&have);
	policy_forget(&want);
	return result;
}

/* What becomes of a policy that waits for its confirmation, if it does. @before: as it was. */
static int tell_of_wait(const struct options *options, struct nl *nl, const struct status *before)
{
	struct out out = out_start(options);
	struct status status;

	if (nl_status(nl, &status))
		return report(nl, -1, NULL, NULL);
	out_object(&out, NULL, OUT_SILENT);
	if (status.generation == before->generation) {
		out_string(&out, "confirm_within", NULL);
		out_line(&out, "nothing has changed, and nothing is to be confirmed");
	} else {
		out_seconds(&out, "confirm_within", options->confirm);
		out_line(&out, "unless confirmed within %u seconds, the policy before comes back",
			 options->confirm);
	}
	out_object_end(&out);
	return EXIT_DONE;
}

static int commit(const struct options *options, struct nl *nl)
{
	struct status before;
	int result = 0;

	nl_read_staged(nl, false);
	if (options->confirm)
		result = nl_status(nl, &before);
	result = report(nl, result ?: nl_commit(nl, options->confirm), NULL, NULL);
	return result || !options->confirm ? result : tell_of_wait(options, nl, &before);
}

void change_count(const struct options *options, const char *what, size_t count)
{
	struct out out = out_start(options);

	if (options->quiet || options->dry_run || options->confirm || options->within)
		return;
	out_object(&out, NULL, OUT_SILENT);
	out_number(&out, what, count);
	out_line(&out, "%s %zu", what, count);
	out_object_end(&out);
}

/* Who changes something meanwhile need not know that somebody else tries something. */
static void warn_of_wait(struct nl *nl)
{
	struct status status;

	if (!nl_status(nl, &status) && status.left >= 0)
		warn("a policy waits for its confirmation (%d seconds): %s", status.left,
		     "without \"edgectl confirm\" this change goes with it");
}

int change_end(const struct options *options, struct nl *nl, int result)
{
	if (options->within)
		return result;
	if (options->dry_run)
		result = result ? EXIT_MISUSED : show_trial(options, nl);
	else if (!result && nl_begun(nl))
		result = commit(options, nl);
	else if (!result && !options->quiet)
		warn_of_wait(nl);
	nl_detach(nl);
	return result;
}
