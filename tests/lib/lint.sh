# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced by tests/lint/*.sh, in the tree's root: what a checker found, less what
# tests/lint/exceptions allows.

# shellcheck source-path=SCRIPTDIR/../..
. tests/lib/tap.sh

exceptions=$PWD/tests/lint/exceptions
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# GIT-PATHSPEC...: every such file that is in the tree or about to be.
tree_files() {
	local file
	git ls-files -z --cached --others --exclude-standard -- "$@" | sort -zu |
		while IFS= read -r -d '' file; do
			[ ! -f "$file" ] || printf '%s\n' "$file"
		done
}

# CHECKER FILE TEXT: the line numbers of the exceptions that cover this finding.
covering() {
	local checker glob part number=0
	while read -r checker glob part; do
		number=$((number + 1))
		# shellcheck disable=SC2053 # a pattern it is
		[[ $checker = "$1" && $2 == $glob && $3 == *"$part"* ]] && echo "$number"
	done <"$exceptions"
	return 0
}

# CHECKER <FINDINGS: "FILE:LINE: TEXT" or "FILE: TEXT", one a line. Two tests.
findings() {
	local line covers found='' idle checker rest number=0
	local -A used=()
	while IFS= read -r line; do
		covers=
		[[ $line =~ ^([^:]+):([0-9]+:)*\ *(.*)$ ]] &&
			covers=$(covering "$1" "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}")
		if [ -z "$covers" ]; then
			found+=$line$'\n'
		else
			used[${covers%%$'\n'*}]=1
		fi
	done
	is "$1 finds nothing" "$found" ''
	while read -r checker rest; do
		number=$((number + 1))
		[ "$checker" != "$1" ] || [ -n "${used[$number]-}" ] || idle+="$checker $rest"$'\n'
	done <"$exceptions"
	is "every exception for $1 is needed" "${idle-}" ''
}
