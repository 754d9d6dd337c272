#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# examples/ansible: what configuration management makes of edgectl's exit statuses. Changed, when the policy in
# force was another; failed, when it cannot be loaded; else neither.

# shellcheck source-path=SCRIPTDIR/../..
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
. tests/lib/net.sh
! grep -q "QEMU TCG" /proc/cpuinfo || skip_all "Ansible takes minutes on an emulated processor; it runs on a kernel of its own"

scratch=$(mktemp -d)
policy=$scratch/policy.conf there=/etc/nf_edge/policy.conf
mkdir -p "$scratch/bin" /etc/nf_edge
mount -t tmpfs ansible /etc/nf_edge
ln -s "$EDGECTL" "$scratch/bin/edgectl"
PATH=$scratch/bin:$PATH

edgectl() {
	"$EDGECTL" "$@"
}

# [OPTION...]: what the last line says of this machine, of what the tests look at.
play() {
	ANSIBLE_PIPELINING=true ansible-playbook -i appliance, -c local -e "nf_edge_policy=$policy" --skip-tags unit \
		examples/ansible/site.yml "$@" >"$scratch/said" 2>&1
	grep -o 'changed=[0-9]*\|failed=[0-9]*' "$scratch/said" | tr '\n' ' '
}

generation() {
	edgectl -j status | jq .generation
}

# The file is written, loaded and confirmed, and the comparison counts, too.
all="changed=4 failed=0 " none="changed=0 failed=0 "

check "the module is there" module
echo "interface add access $ACCESS
partner add $FEDERATION $FEDERATION6 name {{ 'fabrikam' }}" >"$policy"
is "a policy to come is told by --check" "$(play --check)" "changed=2 failed=0 "
is "and not loaded" "$(generation)$(ls /etc/nf_edge)" 1
is "a policy: changed" "$(play)" "$all"
in_force=$(edgectl save)
like "in force" "$in_force" "partner add $FEDERATION/32 group federation name fabrikam"
check "for good" eval 'edgectl -j status | jq -e ".confirm_within == null"'
check "and at the next boot" edgectl diff $there
before=$(generation)
is "once more: nothing is changed" "$(play)" "$none"
is "nor is there another generation" "$(generation)" "$before"

edgectl partner del "$FEDERATION"
is "what somebody has changed by hand: changed" "$(play)" "changed=3 failed=0 "
is "back" "$(edgectl save)" "$in_force"

before=$(generation)
echo "partner add 198.51.100.1/24" >>"$policy"
is "a bad policy: failed" "$(play)" "changed=0 failed=1 "
like "the sentence is in what Ansible says" "$(cat "$scratch/said")" "198.51.100.1/24 has host bits set"
is "it changes nothing" "$(generation) $(edgectl save)" "$before $in_force"
check "nor at the next boot" edgectl diff $there
umount /etc/nf_edge
rm -r "$scratch"
plan
