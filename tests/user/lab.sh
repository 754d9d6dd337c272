#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The lab itself: everybody reaches everybody through gw while no module is there.
# Topology: tests/lib/net.sh

# shellcheck source-path=SCRIPTDIR/../..
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
. tests/lib/net.sh

topology "${REMOTES[@]}"
check "the Edge pings a remote host" n edge ping -qc 1 -W 5 "$STRANGER"
check "the Edge pings a remote host, IPv6" n edge ping -qc 1 -W 5 "$STRANGER6"
serve edge "${REMOTES[@]}"

attempts() {
	local host address
	for host in "${REMOTES[@]}"; do
		for address in "${host^^}" "${host^^}6"; do
			echo "edge tcp ${!address} 5061"
			echo "edge udp ${!address} 3478"
		done
		echo "$host tcp $ACCESS 443"
		echo "$host tcp $ACCESS6 5061"
		echo "$host udp $AV 3478"
		echo "$host udp $AV6 3478"
	done
	echo "edge tcp $MESSENGER 50000 src=$AV sport=50123"
}
is "TCP and UDP, both ways, IPv4 and IPv6" "$(attempts | tries)" "$(attempts | sed 's/^/ok /')"
is "a closed port is refused" "$(try client tcp "$ACCESS" 81)" refused
is "an address that is not there times out" "$(try client tcp 203.0.113.99 443 timeout=0.3)" timeout
is "the peer sees the address we chose" "$(n edge "$TALK" tcp --src "$AV" "$PIC" 5061)" "ok $AV"

coproc "$TALK" session
say() {
	echo "$*" >&"${COPROC[1]}"
	read -r -u "${COPROC[0]}" && echo "$REPLY"
}
is "a flow opens" "$(say open a client tcp "$ACCESS" 5061)" ok
is "and goes on" "$(say say a)$(say say a)" okok
plan
