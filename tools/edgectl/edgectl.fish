# SPDX-License-Identifier: GPL-2.0-only
# fish completion for edgectl(8), which knows the words

function __edgectl_words
    set -l words (commandline -opc) (commandline -ct)
    # Who completes may have no /sbin, and mean to become root.
    set -lx PATH $PATH /usr/local/sbin /usr/sbin
    set -l found (command edgectl --complete $words[2..-1] 2>/dev/null)
    if test "$found[-1]" = /
        set -e found[-1]
        __fish_complete_path "$words[-1]"
    end
    test -n "$found"; and printf '%s\n' $found
end

complete -c edgectl -f -a '(__edgectl_words)'
