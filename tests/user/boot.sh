#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the units nf_edge-guard and nf_edge do at boot, and when that fails: nothing is forwarded
# before a policy is in force; a bad file changes nothing, or brings the last good one back.
# Topology: tests/lib/net.sh

# shellcheck source-path=SCRIPTDIR/../..
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
. tests/lib/net.sh

# In the appliance's own name spaces: to enter them takes longer than what is done there.
if [ "${1-}" != inside ]; then
	topology federation stranger
	serve edge gw federation stranger
	n gw "$0" inside
	exit
fi

scratch=$(mktemp -d)
policy=$scratch/policy.conf last_good=$scratch/state/last-good.conf
settings=/run/sysctl.d
mkdir -p "$scratch"/{bin,state} $settings
mount -t tmpfs boot $settings
ln -s "$EDGECTL" "$scratch/bin/edgectl"

edgectl() {
	"$EDGECTL" "$@"
}

# NAME SCRIPT: a program that stands in for another.
stand_in() {
	rm -f "$scratch/bin/$1"
	printf '#!/bin/sh\n%s\n' "$2" >"$scratch/bin/$1"
	chmod +x "$scratch/bin/$1"
}

healed() {
	rm -f "$scratch"/bin/*
	ln -s "$EDGECTL" "$scratch/bin/edgectl"
}

# As the units do it: guard, load.
unit() {
	case $1 in
	guard) set -- packaging/boot/guard ;;
	load) set -- packaging/boot/load "$policy" "$last_good" ;;
	esac
	PATH=$scratch/bin:$PATH "${as_unit[@]}" sh "$@" 2>&1
}

# They may not change owners.
as_unit=(tests/lib/no-chown)
if [ ! -e /proc/sys/kernel/seccomp ]; then
	as_unit=()
	skip "the units' filter of system calls" "this kernel has no seccomp"
fi

# What the unit that has failed said in the end.
last_words() {
	unit load && echo "it has not failed"
}

# The policy is gone, as after a reboot, and the way is closed.
reboot() {
	edgectl load --open - </dev/null
	unit guard
}

# [SECONDS]: who gets through: partner and Edge to each other, a stranger to the Edge; and a stranger
# to the appliance itself.
through() {
	tries <<-END | cut -d ' ' -f 1 | tr '\n' ' '
		federation tcp $ACCESS 5061 timeout=${1-0.5}
		federation tcp $ACCESS6 5061 timeout=${1-0.5}
		edge tcp $FEDERATION 5061 timeout=${1-0.5}
		stranger tcp $ACCESS 5061 timeout=${1-0.5}
		stranger tcp $ACCESS6 5061 timeout=${1-0.5}
		stranger tcp $GW_EXT 443 timeout=5
		stranger tcp $GW_EXT6 443 timeout=5
	END
}

# The guard is all that there is of nftables.
closed() {
	is "$1" "$(nft list tables)" "table inet nf_edge_guard"
}

open() {
	is "$1" "$(nft list tables)" ""
}
all="ok ok ok ok ok ok ok "
none="timeout timeout timeout timeout timeout ok ok "
partners="ok ok ok timeout timeout ok ok "

good="interface add access $ACCESS
interface add access $ACCESS6
partner add $FEDERATION $FEDERATION6 name fabrikam"

is "without units, all get through" "$(through 5)" "$all"
check "the guard closes" unit guard
is "nothing is forwarded, and the appliance is reached" "$(through)" "$none"
check "closed once more, it is closed" unit guard

if [ -d /sys/module/nf_edge ]; then
	rmmod nf_edge
fi
echo "$good" >"$policy"
stand_in modprobe 'echo "modprobe: not for this kernel" >&2; exit 1'
like "no module for this kernel: told" "$(last_words)" "not for this kernel.*cannot be loaded into Linux $(uname -r).*nothing is forwarded"
closed "and nothing is forwarded"
healed
check "the module is there" module

rm "$policy"
like "no policy: told" "$(last_words)" "there is no $policy.*no last good policy; nothing is forwarded"
closed "and nothing is forwarded"
echo "partner add $FEDERATION" >"$policy"
like "a policy without an Edge address: told" "$(last_words)" "$policy: no Edge address: .*nothing is forwarded"
closed "and nothing is forwarded"
check "nor kept" [ ! -e "$last_good" ]
edgectl load --open - </dev/null
echo nonsense >"$policy"
like "a bad policy: told" "$(last_words)" "$policy:1: .*nonsense.*no last good policy; nothing is forwarded"
closed "and nothing is forwarded"

echo "$good" >"$policy"
for command in check load; do
	# shellcheck disable=SC2016 # the stand-in's
	stand_in edgectl "case \" \$* \" in *' $command '*) kill -SEGV \$\$ ;; esac; exec $EDGECTL \"\$@\""
	like "$command crashes: told" "$(last_words)" "nothing is forwarded"
	closed "and nothing is forwarded"
done
healed
stand_in edgectl "exec sleep 60"
PATH=$scratch/bin:$PATH timeout 0.5 sh packaging/boot/load "$policy" "$last_good"
is "one that hangs is killed" $? 124
closed "and nothing is forwarded"
healed

check "a good policy is loaded" unit load
is "and opens to those whom it admits" "$(through 2)" "$partners"
is "what is in force is kept" "$(cat "$last_good")" "$(edgectl save)"
check "loaded again, it is loaded" unit load
check "the guard leaves a policy in force alone" unit guard
open "and open"

edgectl partner del "$FEDERATION6"
in_force=$(edgectl save)
echo nonsense >"$policy"
like "a bad file, later: told" "$(last_words)" "$policy:1: .*the policy in force stays in force"
is "it changes nothing" "$(edgectl save)" "$in_force"
rm "$policy"
like "no file, later: told" "$(last_words)" "there is no $policy.*the policy in force stays in force"
is "it changes nothing, either" "$(edgectl save)" "$in_force"
open "it is open as before"

reboot
is "after a reboot, nothing is forwarded" "$(through)" "$none"
echo nonsense >"$policy"
like "a bad file: told" "$(last_words)" "$policy:1: .*the last good policy is in force \($last_good\), not $policy"
is "the last good one is in force" "$(edgectl save)" "$(cat "$last_good")"
is "and opens to those whom it admits" "$(through 2)" "$partners"
reboot
echo nonsense >"$last_good"
like "both bad: told" "$(last_words)" "$last_good:1: .*cannot be loaded either; nothing is forwarded"
closed "nothing is forwarded"

echo "$good" >"$policy"
rm -r "$scratch/state"
like "no copy can be kept: told" "$(last_words)" "$policy is in force, but no copy"
open "it is in force"
mkdir "$scratch/state"

reboot
stand_in nft 'exit 1'
like "nft fails, and the table stays: told" "$(last_words)" "cannot be taken away; nothing is forwarded"
healed
closed "and nothing is forwarded"
check "it is mended" unit load
open "and open"
reboot
nft flush ruleset
check "when nftables has flushed its rules, the guard closes again" unit guard
closed "nothing is forwarded"
echo "mode off" >"$policy"
check "mode off is meant" unit load
is "and open" "$(through 5)" "$all"
check "to the guard, too" unit guard
open "it stays open"

edgectl load --open - </dev/null
stand_in nft 'exit 1'
like "nft fails at boot: told" "$(unit guard || :)" "forwarding is switched off until rm $settings"
is "nothing is forwarded" "$(through)" "$none"
is "nor when the settings are read again" "$(cat $settings/*)" \
	"net/ipv4/ip_forward = 0"$'\n'"net/ipv6/conf/all/forwarding = 0"
rm -r "$scratch"
plan
