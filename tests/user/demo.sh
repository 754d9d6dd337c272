#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What `make run` shows is true: real connections for every row and for a
# stranger, IPv4 and IPv6. The topology is drawn in examples/demo.py.

tree=$(realpath "$(dirname "$0")/../..")
. "$tree/tests/lib/tap.sh"
. "$tree/tests/lib/net.sh"

module
demonstrate() {
	"$tree/examples/demo.py" --shell <<<'complete -p edgectl; edgectl mode' 2>&1 | tee /tmp/demo
	return "${PIPESTATUS[0]}"
}
check "every attempt ends as the policy says" demonstrate
check "the shell inside completes" grep -qx 'complete -F _edgectl edgectl' /tmp/demo
is "and edgectl is on the PATH" "$(grep -x enforce /tmp/demo)" enforce
plan
