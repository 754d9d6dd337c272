#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every shell script passes shellcheck and names its licence.

# shellcheck source-path=SCRIPTDIR/../..
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh

command -v shellcheck >/dev/null || skip_all "shellcheck is not installed"

scripts() {
	git ls-files --cached --others --exclude-standard 2>/dev/null | while IFS= read -r file; do
		[ -f "$file" ] || continue
		case $file in
		*.sh) echo "$file" ;;
		*) head -n 1 "$file" | grep -aqE '^#!.*[/ ](ba|da)?sh( |$)' && echo "$file" ;;
		esac
	done
}

mapfile -t files < <(scripts)
is "there are scripts to look at" "$((${#files[@]} > 0))" 1
for file in "${files[@]}"; do
	check "shellcheck $file" shellcheck --external-sources "$file"
	check "licence of $file" grep -qm 1 'SPDX-License-Identifier: ' "$file"
done
plan
