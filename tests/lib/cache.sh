# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced: what is costly to make is made once and kept outside the tree, in
# ${XDG_CACHE_HOME:-$HOME/.cache}/nf_edge, under a name that says what it was made from.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/nf_edge

# What a directory holds: the bytes of its own files, names and sizes of all below, but for
# what Python leaves beside the programs that it runs.
inventory() {
	(
		cd "$1" || exit
		find . -maxdepth 1 -type f ! -name complete -print0 | sort -z | xargs -0 -r sha256sum
		find . -mindepth 2 -type f ! -path '*/__pycache__/*' -printf '%P %s\n' | sort | sha256sum
	)
}

is_whole() {
	[ -s "$1/complete" ] && [ "$(inventory "$1")" = "$(cat "$1/complete")" ]
}

# NAME COMMAND...: prints the directory; when it is not there, or not whole, COMMAND makes
# it anew in a fresh current directory, and only what came to a good end gets the name.
cached() {
	local dir=$cache/$1 new lock
	shift
	mkdir -p "$cache"
	exec {lock}>"$dir.lock"
	flock "$lock"
	if ! is_whole "$dir"; then
		rm -rf "$dir"
		new=$(mktemp -d "$cache/new.XXXXXX") || return
		chmod 755 "$new"
		if ! (cd "$new" && "$@") >&2; then
			rm -rf "$new"
			return 1
		fi
		inventory "$new" >"$new/complete"
		sync -f "$new/complete"
		mv -T "$new" "$dir" || return
	fi
	exec {lock}>&-
	echo "$dir"
}
