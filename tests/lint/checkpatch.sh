#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel's checkpatch, at its strictest, over the module and the tool.

cd "$(dirname "$0")/../.." || exit
. tests/lib/lint.sh

source=$(tests/vm/linux-source) || exit

# What user space does not have (BIT(), ARRAY_SIZE(), __printf()) or does otherwise: errno is
# positive, a function's name may be a word of a sentence, PRIu64 is what C calls it.
user_space=BIT_MACRO,ARRAY_SIZE,PREFER_DEFINED_ATTRIBUTE_MACRO,USE_NEGATIVE_ERRNO
user_space+=,EMBEDDED_FUNCTION_NAME,CAMELCASE

# DIRECTORY OPTION...
checkpatch() {
	local files
	mapfile -t files < <(tree_files "$1/*.[ch]")
	shift
	check "there is something to look at" [ ${#files[@]} -gt 0 ]
	# It looks for names in include/, and leaves a file behind where it runs.
	mkdir -p "$scratch/include"
	cp --parents "${files[@]}" "$scratch"
	(
		cd "$scratch" && printf '%s\0' "${files[@]}" |
			xargs -0 -n 4 -P "$(nproc)" perl "$source/linux/scripts/checkpatch.pl" \
				--root="$scratch" --strict --no-tree --no-summary --terse --max-line-length=100 "$@" -f
	) >>"$scratch/found" 2>&1
}

checkpatch kmod
checkpatch tools/edgectl --ignore "$user_space"
findings checkpatch < <(sort "$scratch/found")
plan
