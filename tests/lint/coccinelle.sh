#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel's semantic patches (its "make coccicheck", mode report) over the module.

cd "$(dirname "$0")/../.." || exit
. tests/lib/lint.sh

source=$(tests/vm/linux-source) || exit

mapfile -t files < <(tree_files 'kmod/*.[ch]')
cp --parents "${files[@]}" "$scratch"
cd "$scratch" || exit

# What cannot be parsed is not looked at, so a checker may be content for being blind.
spatch --parse-c kmod >understood 2>&1
like "spatch understands 99% of the code" "$(tail -n 1 understood)" '=> (99|100)(\.[0-9]+)?% good or passed'

# SEMANTIC-PATCH: its findings; its name and what is wrong when it does not come to its end.
cat >one <<'END'
name=$(basename "$1")
read -ra options < <(sed -n 's,^// *Options: *,,p' "$1")
grep -q '^virtual report' "$1" || { echo "$name: cannot report"; exit; }
timeout 60 spatch -D report --very-quiet --no-show-diff "${options[@]}" \
	--cocci-file "$1" --dir kmod 2>"$name.errors" ||
	echo "$name: exit status $?: $(tail -n 1 "$name.errors")"
END
find "$source/linux/scripts/coccinelle" -name '*.cocci' -print0 >patches
is "there are semantic patches" "$(($(tr -cd '\0' <patches | wc -c) >= 60))" 1
xargs -0 -n 1 -P "$(nproc)" bash one <patches >found
findings coccinelle < <(sort found)
plan
