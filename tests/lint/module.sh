#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module builds without a warning, sparse has none, and DKMS builds it from a
# copy as `make install` lays it out.

tree=$(realpath "$(dirname "$0")/../..")
. "$tree/tests/lib/tap.sh"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$tree/dkms.conf")
headers=$(printf '%s\n' /usr/src/linux-headers-*-amd64 | sort -V | tail -n 1)
[ -d "/lib/modules/$(uname -r)/build" ] && headers=/lib/modules/$(uname -r)/build
release=$(cat "$headers/include/config/kernel.release")

# DIR: what is installed there for DKMS.
copy() {
	make -s -C "$tree" install-source DKMS_SOURCE="$1"
}

copy "$scratch/source"
is "tests are not installed" "$(find "$scratch/source" -name '*test*')" ""
make -C "$headers" M="$scratch/source" W=1 C=2 CF=-D__CHECK_ENDIAN__ modules >"$scratch/log" 2>&1
is "builds for $release" $? 0
is "without a warning, from the compiler (W=1) or sparse (C=2)" \
	"$(grep -E 'warning|error' "$scratch/log")" ""
check "nf_edge.ko is there" [ -s "$scratch/source/nf_edge.ko" ]

# DKMS with directories of its own: nothing of the machine's is touched.
copy "$scratch/src/nf-edge-$version"
mkdir "$scratch/dkms"
dkms_() {
	dkms "$@" --dkmstree "$scratch/dkms" --sourcetree "$scratch/src" -k "$release" --kernelsourcedir "$headers"
}
check "dkms add" dkms_ add "nf-edge/$version"
check "dkms build" dkms_ build "nf-edge/$version"
check "dkms has built the module" \
	bash -c "find '$scratch/dkms/nf-edge/$version' -path '*$release*' -name 'nf_edge.ko*' | grep -q ."

# RELEASE HEADERS: what DKMS does about such a kernel.
skipped() {
	dkms build "nf-edge/$version" --dkmstree "$scratch/dkms" --sourcetree "$scratch/src" -k "$1" \
		--kernelsourcedir "$2" 2>&1
	echo "status $?"
}
mkdir "$scratch/without"
sed s/^CONFIG_NF_CONNTRACK=.*// "$headers/.config" >"$scratch/without/.config"
sentence='BUILD_EXCLUSIVE directive which does not match.*status 77$'
like "a kernel that is too old is skipped, in a sentence" "$(skipped 5.4.0-9-amd64 "$headers")" "$sentence"
like "one without connection tracking, too" "$(skipped 6.1.0-9-amd64 "$scratch/without")" "$sentence"
plan
