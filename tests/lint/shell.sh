#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every shell script passes shellcheck.

cd "$(dirname "$0")/../.." || exit
. tests/lib/lint.sh

scripts() {
	tree_files . | while IFS= read -r file; do
		case $file in
		*.sh) echo "$file" ;;
		*) head -n 1 "$file" | grep -aqE '^#!.*[/ ](ba|da)?sh( |$)' && echo "$file" ;;
		esac
	done
}

mapfile -t files < <(scripts)
check "there are scripts to look at" [ ${#files[@]} -gt 0 ]
for file in "${files[@]}"; do
	check "shellcheck $file" shellcheck --external-sources "$file"
done
plan
