#compdef edgectl
# SPDX-License-Identifier: GPL-2.0-only
# zsh completion for edgectl(8), which knows the words

# Who completes may have no /sbin, and mean to become root.
local PATH=$PATH:/usr/local/sbin:/usr/sbin
local -a found

found=(${(f)"$(command edgectl --complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)"})
if [[ $found[-1] == / ]]; then
	shift -p found
	_files
fi
compadd -a found
