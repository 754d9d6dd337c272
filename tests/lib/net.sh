# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # the names below are for the scenarios
#
# Sourced by scenarios, on the appliance: the topology and what goes through it.
#
#    edge                 gw                        wan                  remote hosts
#   +------------+    +-----------------+     +-----------------+     +----------------+
#   | .10 .11 .12|    |                 |     |       federation|-----|eth0 federation |
#   | .13    eth0|----|int0         ext0|-----|gw            pic|-----|eth0 pic        |
#   | ::10 ...   |    |.1             .1|     |.2         client|-----|eth0 client     |
#   +------------+    | the appliance:  |     |        messenger|-----|eth0 messenger  |
#     203.0.113.0/24  | nf_edge is here |     |             xmpp|-----|eth0 xmpp       |
#     2001:db8:ed::   +-----------------+     |          gateway|-----|eth0 gateway    |
#                         192.0.2.0/30        |         stranger|-----|eth0 stranger   |
#                         2001:db8:ff::/64    +-----------------+     +----------------+
#                                                                       198.51.100.N, 192.0.2.N
#                                                                       2001:db8:1::N, 2001:db8:2::N
#
# A scenario starts in name spaces of its own, which vanish with it: nothing to tidy.

tree=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
EDGECTL=$tree/tools/edgectl/edgectl
TALK=$tree/tests/lib/talk.py

# The Edge, one address per role and one to spare.
ACCESS=203.0.113.10 ACCESS6=2001:db8:ed::10
ACCESS2=203.0.113.11 ACCESS2_6=2001:db8:ed::11
AV=203.0.113.12 AV6=2001:db8:ed::12
INTERNAL=203.0.113.13 INTERNAL6=2001:db8:ed::13

# Remote hosts.
FEDERATION=198.51.100.10 FEDERATION6=2001:db8:1::10
PIC=198.51.100.20 PIC6=2001:db8:1::20
CLIENT=198.51.100.30 CLIENT6=2001:db8:1::30
MESSENGER=198.51.100.40 MESSENGER6=2001:db8:1::40
XMPP=192.0.2.50 XMPP6=2001:db8:2::50
GATEWAY=192.0.2.60 GATEWAY6=2001:db8:2::60
STRANGER=192.0.2.70 STRANGER6=2001:db8:2::70
REMOTES=(federation pic client messenger xmpp gateway stranger)

# The appliance.
GW_INT=203.0.113.1 GW_INT6=2001:db8:ed::1
GW_EXT=192.0.2.1 GW_EXT6=2001:db8:ff::1

# NS COMMAND...: runs it there. A tenth of a second: for many, `n NS bash -c` or talk.py's batch.
n() {
	ip netns exec "$@"
}

# Builds it: topology "${REMOTES[@]}", or those of them that the scenario needs.
topology() {
	local remotes=("$@") host address address6

	printf 'netns add %s\n' edge gw wan "${remotes[@]}" | ip -batch -
	{
		echo link add int0 netns gw type veth peer name eth0 netns edge
		echo link add ext0 netns gw type veth peer name gw netns wan
		for host in "${remotes[@]}"; do
			echo link add "$host" netns wan type veth peer name eth0 netns "$host"
		done
	} | ip -batch -

	ip -n edge -batch - <<-END
		link set lo up
		link set eth0 up
		address add $ACCESS/24 dev eth0
		address add $ACCESS2/24 dev eth0
		address add $AV/24 dev eth0
		address add $INTERNAL/24 dev eth0
		address add $ACCESS6/64 dev eth0 nodad
		address add $ACCESS2_6/64 dev eth0 nodad
		address add $AV6/64 dev eth0 nodad
		address add $INTERNAL6/64 dev eth0 nodad
		route add default via $GW_INT src $ACCESS
		route add default via $GW_INT6 src $ACCESS6
	END
	ip -n gw -batch - <<-END
		link set lo up
		link set int0 up
		link set ext0 up
		address add $GW_INT/24 dev int0
		address add $GW_INT6/64 dev int0 nodad
		address add $GW_EXT/30 dev ext0
		address add $GW_EXT6/64 dev ext0 nodad
		route add default via 192.0.2.2
		route add default via 2001:db8:ff::2
	END
	{
		echo link set lo up
		echo link set gw up
		echo address add 192.0.2.2/30 dev gw
		echo address add 2001:db8:ff::2/64 dev gw nodad
		echo route add 203.0.113.0/24 via $GW_EXT
		echo route add 2001:db8:ed::/64 via $GW_EXT6
		for host in "${remotes[@]}"; do
			address=${host^^} address6=${host^^}6
			echo link set "$host" up
			echo route add "${!address}" dev "$host" src 192.0.2.2
			echo address add fe80::1/64 dev "$host" nodad
			echo route add "${!address6}" dev "$host" src 2001:db8:ff::2
		done
	} | ip -n wan -batch -
	for host in "${remotes[@]}"; do
		address=${host^^} address6=${host^^}6
		ip -n "$host" -batch - <<-END
			link set lo up
			link set eth0 up
			address add ${!address}/32 dev eth0
			address add ${!address6}/128 dev eth0 nodad
			route add 192.0.2.2 dev eth0
			route add default via 192.0.2.2
			route add default via fe80::1 dev eth0 src ${!address6}
		END
	done
	for host in gw wan; do
		# Less work than ip netns exec, which mounts things.
		nsenter "--net=/run/netns/$host" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
			net.ipv4.conf.all.rp_filter=0
	done
}

# NS DEV NS DEV: one more cable, both ends up, without addresses.
cable() {
	ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
	ip -n "$1" link set "$2" up
	ip -n "$3" link set "$4" up
}

# Loads nf_edge from $NF_EDGE_KO, else as it was built in the tree, if it is not there.
module() {
	[ -d /sys/module/nf_edge ] && return
	local ko=${NF_EDGE_KO:-$tree/nf_edge.ko} depends
	depends=$(modinfo -F depends "$ko") || return
	# shellcheck disable=SC2086 # a list of words
	[ -z "$depends" ] || modprobe -a ${depends//,/ } || return
	insmod "$ko"
}

# The appliance's policy.
edgectl() {
	"$EDGECTL" -n gw "$@"
}

# One counter by the name that it has in sysfs: counter rules/sip-pic-in/flows
counter() {
	counters | awk -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }'
}

# All of them, "NAME NUMBER" a line.
counters() {
	edgectl -j stats | jq -r '
		(.rules[] | "rules/\(.name)/packets \(.packets)", "rules/\(.name)/bytes \(.bytes)", "rules/\(.name)/flows \(.flows)"),
		(.drops[] | "drops/\(.reason)/packets \(.packets)", "drops/\(.reason)/bytes \(.bytes)")'
}

# NS...: answers TCP and UDP on the usual ports there; comes back when it listens.
serve() {
	local ready
	exec {ready}< <(exec "$TALK" serve "$@")
	read -r -t 60 -u "$ready" || return
}

# NS tcp|udp ADDRESS PORT [src=A] [sport=N] [timeout=S]: prints ok, refused or timeout.
try() {
	tries <<<"$*" | cut -d ' ' -f 1
}

# Many such lines from stdin, all at once; prints each with its result in front.
tries() {
	"$TALK" batch
}
