#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# edgectl against the kernel: every listing's shape, every refusal's sentence,
# whole policies, and who may change what. The namespace gw alone; no traffic.

tree=$(realpath "$(dirname "$0")/../..")
. "$tree/tests/lib/tap.sh"
. "$tree/tests/lib/net.sh"

rmmod nf_edge 2>/dev/null
ip netns add gw
refuse "without the module" 1 'nf_edge module is not loaded.*modprobe nf_edge' edgectl status
module || { fail "the module loads"; plan; exit; }

ok() {	# NAME COMMAND...: done, and silent
	local name=$1 output
	shift
	if output=$(edgectl "$@" 2>&1) && [ -z "$output" ]; then
		pass "$name"
	else
		fail "$name" "edgectl $*: $output"
	fi
}

generation() {
	[[ $(edgectl -j status) =~ '"generation":'\ *([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

# NAME FILTER WANT COMMAND...: what jq finds in what the command prints now, strings as they are.
# shown looks, in one go: each jq that starts takes a quarter of a second under QEMU.
shows_names=() shows_wants=() shows_filters=()
shows() {
	shows_names+=("$1") shows_filters+=("$2") shows_wants+=("$3")
	printf '[%s]\n' "$(edgectl -j "${@:4}" 2>&1)" >>/tmp/shows
}

shown() {
	local i program='' text='map(if type == "string" then . else tojson end) | join(" ")' got
	for i in "${!shows_filters[@]}"; do
		program+=", [try (.[$i][0] | ${shows_filters[i]}) catch .]"
	done
	mapfile -t got < <(jq -rs "${program#, } | $text" /tmp/shows 2>&1)
	for i in "${!shows_filters[@]}"; do
		is "${shows_names[i]}" "${got[i]-}" "${shows_wants[i]}"
	done
}

# The default policy, and the shapes of INTERFACES.
like "how old the policy is" "$(edgectl status)" $'\nchanged +[0-9]+s ago\n'
shows "... and since when" '.changed | fromdate > 0' true status
shows "default status" '[.mode,.unlisted,.generation,.rtp,.interfaces,.partners]' \
	'["enforce","drop",1,{"ports":"50000-59999","match":"dst"},0,0]' status
shows "eleven rows in the table's order" '.[].name' \
	"sip-federation-out sip-federation-in sip-pic-in sip-pic-out sip-client-in av-rtp-out av-stun-out av-stun-in xmpp-in xmpp-out xmpp-gateway-in" rule list
shows "a row's shape" '.[0]' \
	'{"name":"sip-pic-in","class":"sip","protocol":"tcp","ports":"5061","from":"pic","to":"access","peers":"listed","enabled":true,"packets":0,"bytes":0,"flows":0}' rule list sip-pic-in
shows "the RTP row's ports" '.[0].ports' 50000-59999 rule list av-rtp-out
shows "the rows' default peers" '.[].peers' "any listed listed listed any any any any any any any" rule list
shows "every reason" '.drops[].reason' \
	"malformed wrong-device blocked invalid-state not-listed disabled unlisted" stats
is "no interface" "$(edgectl -j interface list)" '[]'

# Interfaces.
ok "add an Edge address" interface add access 203.0.113.10 dev ext0
ok "another role of the same address" interface add av 203.0.113.10
ok "IPv6" interface add access 2001:db8::10
refuse "an Edge address twice" 1 'interface access 203.0.113.10 exists' edgectl interface add access 203.0.113.10
ok "twice, quietly" -q interface add access 203.0.113.10
refuse "bound to another device" 1 'interface internal 203.0.113.10 is bound to another device, ext0$' edgectl interface add internal 203.0.113.10 dev int0
refuse "delete what is not there" 1 'interface internal 203.0.113.10 does not exist' edgectl interface del internal 203.0.113.10
ok "delete what is not there, quietly" -q interface del internal 203.0.113.10
shows "interface list" . \
	'[{"role":"access","address":"203.0.113.10","dev":"ext0"},{"role":"av","address":"203.0.113.10","dev":"ext0"},{"role":"access","address":"2001:db8::10","dev":null}]' interface list
ok "flush a role" interface flush av
shows "only that role is gone" length 2 interface list

# Partners.
ok "add partners" partner add 198.51.100.7 2001:db8:51::/48 198.51.100.0/24 name fabrikam
refuse "a partner twice" 1 'partner 198.51.100.7/32 exists' edgectl partner add 198.51.100.7
refuse "one of several twice: none is added" 1 'partner 198.51.100.7/32 exists' edgectl partner add 192.0.2.1 198.51.100.7
is "... none" "$(edgectl -j partner list covers 192.0.2.1)" '[]'
ok "another group" partner add 198.51.100.7 group pic,xmpp
ok "another name" partner add 198.51.100.7 name skype
shows "partner list" '.[] | [.address, .groups, .name]' \
	'["198.51.100.0/24",["federation"],"fabrikam"] ["198.51.100.7/32",["federation","pic","xmpp"],"skype"] ["2001:db8:51::/48",["federation"],"fabrikam"]' partner list
shows "by group" '.[].address' 198.51.100.7/32 partner list group pic
shows "by name" length 2 partner list name fabrikam
shows "covers" '.[].address' "198.51.100.0/24 198.51.100.7/32" partner list covers 198.51.100.7
refuse "a group that it is not in" 1 'partner 198.51.100.7/32 is not in that group' edgectl partner del 198.51.100.7 group gateway
refuse "a group that one of them is not in: none leaves" 1 'not in that group' edgectl partner del 198.51.100.7 198.51.100.0/24 group pic
shows "... none" length 1 partner list group pic
ok "quietly, from a group that it is not in" -q partner del 198.51.100.7 group gateway
ok "and into it afterwards" partner add 198.51.100.7 group gateway
ok "leave one group" -q partner del 198.51.100.7 group pic,gateway
shows "the others stay" '.[1].groups' '["federation","xmpp"]' partner list covers 198.51.100.7
ok "leave the table" -q partner del 198.51.100.7
refuse "delete what is not there" 1 'partner 198.51.100.7/32 does not exist' edgectl partner del 198.51.100.7
ok "comes back without its old name" partner add 198.51.100.7
shows "without a name" '.[1].name' null partner list covers 198.51.100.7
ok "a name like an option" partner add 192.0.2.77 name --help
shows "... is a name" '.[0].name' --help partner list covers 192.0.2.77
ok "... and gone" -q partner del 192.0.2.77
ok "everybody" partner add 0.0.0.0/0 ::/0 group client
ok "flush a group" -q partner flush group client
shows "the others stay" length 3 partner list
ok "flush all" -q partner flush all
is "none stay" "$(edgectl -j partner list)" '[]'

# Nothing that is what it was already moves the generation.
before=$(generation)
ok "the present mode" mode enforce
ok "the present peers" rule set sip-pic-in peers listed
ok "an enabled row" rule enable sip-pic-in
ok "the present ports" rtp set 50000-59999
ok "flush of nothing" partner flush all
is "the generation stays" "$(generation)" "$before"
ok "a change" mode audit
is "moves it by one" "$(generation)" $((before + 1))
is "mode" "$(edgectl mode)" audit
ok "several ranges" rtp set 60000,50000-50009,50010-50020,1
shows "in order and merged" .ports 1,50000-50020,60000 rtp

# Whole policies.
cat >/tmp/policy <<-'END'
	# every kind of line
	mode audit
	unlisted pass
	rtp set 40000-40009,50000
	rtp match either
	rule disable av-stun-in xmpp-in
	rule set sip-client-in peers listed
	interface add access 203.0.113.10 dev ext0
	interface add internal 2001:db8::1
	partner add 198.51.100.0/24 198.51.100.0/28 group pic,xmpp name "two words # \"quoted\" \\ é"
	partner add 2001:db8:51::/48	# federation
	partner add 10.0.0.0/8 group gateway name plain

END
ok "check" -q check /tmp/policy
is "check warns of what may not be meant" "$(edgectl check /tmp/policy 2>&1)" \
	'edgectl: warning: /tmp/policy: no partner is in group client, so nobody is admitted by sip-client-in
edgectl: warning: /tmp/policy:10: partner 198.51.100.0/28 is covered by 198.51.100.0/24 (line 10)'
is "... and not of what domains have brought" \
	"$(printf 'partner add 198.51.100.%s\n' 0/24 '1 domain a.test' '1 domain b.test' | edgectl check - 2>&1)" \
	'edgectl: warning: -: no Edge address: nothing will be enforced'
ok "load" -q load /tmp/policy
edgectl save >/tmp/saved
before=$(generation)
check "what save prints, load reads" edgectl load /tmp/saved
is "and has changed nothing" "$(generation)" "$before"
ip netns add twin
tac /tmp/saved | sed 's/group pic,xmpp/group xmpp,pic/' >/tmp/backwards
check "another machine gets it backwards" "$EDGECTL" -n twin load /tmp/backwards
"$EDGECTL" -n twin partner add 192.0.2.200
"$EDGECTL" -n twin partner del 192.0.2.200
is "equal machines save equal text" "$("$EDGECTL" -n twin save)" "$(cat /tmp/saved)"
ip netns del twin
edgectl save >/tmp/saved.again
check "and save prints it again byte for byte" cmp /tmp/saved /tmp/saved.again
shows "a name with everything" '.[0].name' 'two words # "quoted" \ é' partner list group pic
shows "shorter prefixes first" '.[].address' "198.51.100.0/24 198.51.100.0/28" partner list group pic
ok "save to a file" save /tmp/saved.file
check "the same" cmp /tmp/saved /tmp/saved.file

before=$(generation)
broken() {	# NAME PATTERN, the file from stdin
	cat >/tmp/broken
	refuse "load, $1" 1 "/tmp/broken:$2" edgectl load /tmp/broken
	refuse "check, $1" 1 "/tmp/broken:$2" edgectl check /tmp/broken
}
broken "an unknown command" '2:.*frobnicate' <<<$'mode enforce\nfrobnicate now'
broken "a bad address on line 3" '3:.*198.51.100.256' <<<$'mode enforce\n\npartner add 198.51.100.256'
broken "host bits" '1:.*198.51.100.1/24' <<<'partner add 198.51.100.1/24'
broken "trailing words" '1:.*extra' <<<'mode enforce extra'
broken "an unknown row" '1:.*sip-nowhere-in' <<<'rule disable sip-nowhere-in'
broken "a partner twice" '2:.*192.0.2.1/32 exists' <<<$'partner add 192.0.2.1\npartner add 192.0.2.1'
broken "an open quote" '1:' <<<'partner add 192.0.2.1 name "open'
broken "what does not belong into a file" '1:.*status' <<<'status'
printf '%s\n' 'frob' 'mode enforce' 'mode off off' 'partner add 192.0.2.1 192.0.2.2' 'partner add 192.0.2.2' >/tmp/broken
for command in check load; do
	is "$command tells all that is wrong, in order" "$(edgectl $command /tmp/broken 2>&1)" \
		'edgectl: /tmp/broken:1: unknown object "frob" (see edgectl help)
edgectl: /tmp/broken:3: unexpected word "off"
edgectl: /tmp/broken:5: partner 192.0.2.2/32 exists (line 4)'
done
is "and counts it, when it is too much" "$(yes frob | head -n 250 | edgectl check - 2>&1 | tail -n 2)" \
	'edgectl: -:100: unknown object "frob" (see edgectl help)
edgectl: -: and 150 more'
is "a line that is too long is one line" "$( (printf '#%0300000d\n' 0; echo frob) | edgectl check - 2>&1)" \
	'edgectl: -:1: the line is longer than 262143 bytes
edgectl: -:2: unknown object "frob" (see edgectl help)'
is "the policy in force stays whole" "$(edgectl save | cmp - /tmp/saved 2>&1; generation)" "$before"
refuse "a file that is not there" 1 '/tmp/nowhere' edgectl load /tmp/nowhere
printf 'partner add 192.0.2.1\nnonsense\n' | edgectl load - 2>/tmp/error
is "standard input: exit status" "${PIPESTATUS[1]}" 1
like "standard input is called -" "$(cat /tmp/error)" '-:2: .*nonsense'

# At size: all or nothing too.
awk 'BEGIN { for (i = 0; i < 20000; i++) printf "partner add 10.%d.%d.%d/32\n", i / 65536, i / 256 % 256, i % 256 }' >/tmp/many
ok "20,000 partners" -q load --open /tmp/many
shows "all there" .partners 20000 status
edgectl save >/tmp/saved
(cat /tmp/many; echo "partner add 10.0.0.1") >/tmp/more
refuse "the last of 20,001 is one too many" 1 '/tmp/more:20001:.*10.0.0.1/32 exists' edgectl load --open /tmp/more
check "none of it was loaded" bash -c "'$EDGECTL' -n gw save | cmp - /tmp/saved"
is "all are listed, as they come" "$(edgectl partner list | sed 1d | cut -d ' ' -f 1)" "$(cut -d ' ' -f 3 /tmp/many)"
is "as JSON, too" "$(edgectl -j partner list | jq length)" 20000
is "a change in the middle is told of" "$( { edgectl partner list 2>&1 >&3; echo $?; } 3> >(
	read -r _; edgectl partner add 192.0.2.9; cat >/dev/null))" \
	$'edgectl: the policy has changed while it was listed\n1'
ok "an empty file is the default policy" -q load --open /dev/null
shows "nothing stays" '[.mode,.partners,.interfaces,.rtp.ports]' '["enforce",0,0,"50000-59999"]' status

# A hundred bad commands: each exits 2 with one line that names the word.
bad() {	# WORD-TO-BE-NAMED COMMAND...
	local word=$1 error status
	shift
	error=$(edgectl "$@" 2>&1 >/tmp/output)
	status=$?
	if [ $status -ne 2 ] || [[ $error == *$'\n'* ]] || [[ $error != *"$word"* ]] || [ -s /tmp/output ]; then
		fail "bad command: $*" "exit status $status: $error"
		return
	fi
	bad=$((bad + 1))
}
bad=0
before=$(generation)
for word in frob '' --frob -Z statuss 'partner ' Mode 1 / '*'; do bad "$word" "$word"; done
for object in status interface partner rule rtp stats; do bad nonsense $object nonsense; done
for object in mode unlisted save check load diff; do bad extra $object off extra; done
for word in 'load -q file' 'load file -q' 'status -j' 'partner -j'; do
	# shellcheck disable=SC2086 # words
	bad "$(grep -o -- '-.' <<<"$word")\" (general options stand before the object)" $word
done
bad st st
bad frob frob --help
bad frob help frob
bad frob help rule frob
bad extra help rule set extra
bad -n -n
for role in Access front '' edge access,av 0; do bad "$role" interface add "$role" 192.0.2.9; done
bad host.example.com interface add access host.example.com
for address in 1.2.3 1.2.3.4.5 256.1.1.1 01.2.3.x '' ::g 1:2 0.0.0.0 127.0.0.1 224.0.0.1 \
	255.255.255.255 :: ::1 ff02::1 ::ffff:192.0.2.1 fe80::1%eth0 192.0.2.1/; do
	bad "$address" interface add access "$address"
	bad "$address" partner add "$address"
done
for prefix in 192.0.2.1/33 192.0.2.1/-1 192.0.2.1/x 192.0.2.1/24 2001:db8::/129 2001:db8::1/64 192.0.2.0/24/24 192.0.2.0/+24 \
	127.0.0.0/8 224.0.0.0/4 ff00::/8 ::ffff:0:0/96; do
	bad "$prefix" partner add "$prefix"
done
for group in pics '' "pic," ",pic" "pic,,xmpp" 'pic xmpp'; do bad group partner add 192.0.2.9 group "$group"; done
bad name partner add 192.0.2.9 name
bad group partner add 192.0.2.9 group
bad name partner add 192.0.2.9 name "$(printf 'n%.0s' {1..64})"
bad name partner add 192.0.2.9 name $'tab\there'
bad name partner list name ''
bad contoso.example partner del contoso.example domain ''
bad extra partner add 192.0.2.9 name a extra
bad a_b.example partner add a_b.example
bad domain partner add 192.0.2.9 domain
bad -a.example partner add 192.0.2.9 domain -a.example
bad client partner add contoso.example group client
bad extra partner refresh contoso.example extra
bad FILE partner import
bad partner partner add
bad partner partner del
for range in 0 65536 9-8 1- -1 a 1,,2 '' 99999999999; do bad "$range" rtp set "$range"; done
for range in 0-9 1-2-3 1-65536; do bad port rtp set "$range"; done
bad sideways rtp match sideways
for row in sip-pic sip-pic-inn '' 0; do bad "$row" rule enable "$row"; done
bad some rule set sip-pic-in peers some
bad peer rule set sip-pic-in peer any
bad rule rule enable
bad 192.0.2.999 explain 192.0.2.999 192.0.2.1 tcp 5061
bad sctp explain 192.0.2.9 192.0.2.1 sctp 5061
bad 0 explain 192.0.2.9 192.0.2.1 tcp 0
bad 65536 explain 192.0.2.9 192.0.2.1 udp 65536
bad sport explain 192.0.2.9 192.0.2.1 tcp 5061 sport
bad 70000 explain 192.0.2.9 192.0.2.1 tcp 5061 sport 70000
bad all explain 192.0.2.9 192.0.2.1 tcp 5061 all
bad --all explain 192.0.2.9 192.0.2.1 tcp 5061 --all --all
for seconds in 0 -1 1.5 x 86401; do bad "$seconds" stats watch "$seconds"; done
bad 2001:db8::1 explain 192.0.2.9 2001:db8::1 tcp 5061
bad FILE load
bad extra confirm extra
bad --confirm load --confirm
for seconds in 0 86401 -1 '' 060 2d; do bad "$seconds" load --confirm "$seconds" -; done
bad FILE load --confirm 60
bad FILE diff
bad a-name-too-long-for-a-device interface add access 192.0.2.9 dev a-name-too-long-for-a-device
bad 'a/b' interface add access 192.0.2.9 dev a/b
check "$bad bad commands, at least a hundred, each named in one line" [ "$bad" -ge 100 ]
is "and nothing has changed" "$(generation)" "$before"

# Who may do what.
user() {
	n gw setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$EDGECTL" "$@"
}
check "anybody may read" user status
refuse "only CAP_NET_ADMIN may change" 1 'not permitted.*CAP_NET_ADMIN' user mode off
refuse "nor load" 1 'not permitted' user -q load --open /tmp/many
is "and nothing has changed" "$(generation)" "$before"
for words in "--help" "--version" "help partner"; do
	# shellcheck disable=SC2086 # a list of words
	check "edgectl $words" edgectl $words
done
refuse "a namespace that is not there" 1 nowhere "$EDGECTL" -n nowhere status
shows "objects and commands may be shortened" '.[].name' sip-pic-in rul l sip-pic-in
ok "shortened" par a 192.0.2.77
edgectl -q interface add access 203.0.113.10
shows "explain" '[.verdict,.rule,.reason]' \
	'["accept","sip-federation-in",null]' explain 192.0.2.77 203.0.113.10 tcp 5061
shows "explain a drop" '[.verdict,.rule,.reason]' \
	'["drop",null,"not-listed"]' explain 192.0.2.78 203.0.113.10 tcp 5061
shows "explain what is not ours" '[.verdict,.rule,.reason]' \
	'["pass",null,null]' explain 192.0.2.78 203.0.113.99 tcp 5061
edgectl -q interface add access 2001:db8::9
shows "explain says where the row is from" '.text | test("Source: JJ618373 prose: \"Federated partners")' true \
	explain 192.0.2.77 203.0.113.10 tcp 5061
shows "... and which row it failed at" '.text | test("^The row sip-federation-in covers the flow, but.* Source: ")' true \
	explain 192.0.2.78 203.0.113.10 tcp 5061
shows "... without --all no rows" 'has("rows")' false explain 192.0.2.77 203.0.113.10 tcp 5061
shows "explain --all lists every row" '[.verdict, (.rows | length), (.rows[1] | [.name, .admits, .finding, .text])]' \
	'["accept",11,["sip-federation-in",true,"listed","its group federation lists the remote address"]]' \
	explain 192.0.2.77 203.0.113.10 tcp 5061 --all
shows "... and why not" '.rows[] | select(.admits | not) | .finding' \
	'direction not-listed direction port direction direction protocol port direction role' \
	explain 192.0.2.77 203.0.113.10 tcp 5061 --all
is "... a line each" "$(edgectl explain 192.0.2.77 203.0.113.10 tcp 5061 --all | awk 'NR > 4 { print $1, $2 }' | head -n 3)" \
	$'sip-federation-out no\nsip-federation-in yes\nsip-pic-in no'
shows "explain an IPv4-mapped address" .reason malformed explain ::ffff:192.0.2.1 2001:db8::9 tcp 5061
shown
plan
