# SPDX-License-Identifier: GPL-2.0-only
# bash completion for edgectl(8), which knows the words

_edgectl()
{
	local rest=$COMP_LINE before word colon i
	local -a words=()

	# To bash a colon ends a word: what the line has in one piece is put together again.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		before=${rest%%[![:blank:]]*}
		rest=${rest#"$before"}
		rest=${rest#"$word"}
		if [[ $i -gt 0 && -z $before && ($word == :* || ${words[-1]} == *:) ]]; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
	done

	# What was escaped here, and what somebody escaped, is the word without it.
	words=("${words[@]//\\/}")

	# Who completes may have no /sbin, and mean to become root.
	mapfile -t COMPREPLY < <(PATH+=:/usr/local/sbin:/usr/sbin
				 command edgectl --complete "${words[@]:1}" 2>/dev/null)
	if [[ ${COMPREPLY[*]: -1} == / ]]; then
		unset 'COMPREPLY[-1]'
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "${words[-1]}")
		compopt -o filenames
		return
	fi
	colon=${words[-1]%"${words[-1]##*:}"}
	for i in "${!COMPREPLY[@]}"; do
		printf -v word %q "${COMPREPLY[i]#"$colon"}"
		COMPREPLY[i]=${word//\\,/,}	# means nothing in a word
	done
}

complete -F _edgectl edgectl
