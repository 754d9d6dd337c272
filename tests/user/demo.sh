#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What `make run` shows is true: real connections for every row and for a
# stranger, IPv4 and IPv6. The topology is drawn in examples/demo.py.

tree=$(realpath "$(dirname "$0")/../..")
. "$tree/tests/lib/tap.sh"
. "$tree/tests/lib/net.sh"

module
check "every attempt ends as the policy says" "$tree/examples/demo.py"
plan
