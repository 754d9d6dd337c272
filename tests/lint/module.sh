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

copy() {
	mkdir -p "$1"
	cp -r "$tree"/{Kbuild,Makefile,dkms.conf,kmod} "$1"
	make -s -C "$1" clean-objects
}

copy "$scratch/source"
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
plan
