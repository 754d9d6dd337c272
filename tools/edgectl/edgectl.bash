# SPDX-License-Identifier: GPL-2.0-only
# bash completion for edgectl(8)

# The words that may follow the words so far, one a line: a reader can hold this
# against "edgectl help".
_edgectl_next()
{
	local roles='access av internal'
	local groups='federation pic client messenger xmpp gateway'
	local rows='sip-federation-out sip-federation-in sip-pic-in sip-pic-out
		sip-client-in av-rtp-out av-stun-out av-stun-in xmpp-in xmpp-out
		xmpp-gateway-in'

	case "$*" in
	'')		echo status mode unlisted interface partner rule rtp explain \
				stats check load save help ;;
	mode)		echo enforce audit off ;;
	unlisted)	echo drop pass ;;
	interface)	echo list add del flush help ;;
	'interface list' | 'interface add' | 'interface del' | 'interface flush')
			echo "$roles" ;;
	'interface add '*' dev') ;;
	'interface add '*' '*)
			[ $# -eq 4 ] && echo dev ;;
	partner)	echo list add del flush help ;;
	partner*' group')
			echo "$groups" ;;
	partner*' name' | partner*' covers') ;;
	'partner list'*)
			echo group name covers ;;
	'partner add '*)
			echo group name ;;
	'partner del '* | 'partner flush')
			echo group ;;
	rule)		echo list enable disable set help ;;
	'rule list' | 'rule enable'* | 'rule disable'* | 'rule set')
			echo "$rows" ;;
	'rule set '*' peers')
			echo any listed ;;
	'rule set '*)	[ $# -eq 3 ] && echo peers ;;
	rtp)		echo set match help ;;
	'rtp set')	echo none ;;
	'rtp match')	echo dst src either ;;
	explain*' sport' | explain*' iif' | explain*' oif') ;;
	explain*)	case $# in
			1 | 2 | 4) ;;
			3) echo tcp udp ;;
			*) echo sport iif oif ;;
			esac ;;
	stats)		echo reset help ;;
	help)		echo status mode unlisted interface partner rule rtp explain \
				stats check load save help ;;
	esac
}

# Network devices and files are not words of ours.
_edgectl_others()
{
	case "$*" in
	*' dev' | *' iif' | *' oif')
			compgen -W "$(cd /sys/class/net 2>/dev/null && echo *)" -- "$cur" ;;
	check | load | save)
			compgen -f -- "$cur" ;;
	esac
}

_edgectl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} i
	local -a words=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-n | --netns)	((i++)) ;;
		-*)		[ ${#words[@]} -eq 0 ] || words+=("${COMP_WORDS[i]}") ;;
		*)		words+=("${COMP_WORDS[i]}") ;;
		esac
	done
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-n | --netns)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(cd /var/run/netns 2>/dev/null && echo *)" -- "$cur")
		return ;;
	esac
	if [[ $cur == -* && ${#words[@]} -eq 0 ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			'-j --json -p --pretty -n --netns -q --quiet -V --version -h --help' \
			-- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$(_edgectl_next "${words[@]}")" -- "$cur"
				 _edgectl_others "${words[@]}")
}

complete -o filenames -F _edgectl edgectl
