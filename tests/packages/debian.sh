#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The Debian packages: built twice from a clean clone they are the same bits, and lintian has
# nothing to say. In roots of Debian 12 and 13 they are built, installed, with the module by DKMS,
# and removed; traces are left of what is the administrator's only.

# shellcheck source-path=SCRIPTDIR/../..
set -u
cd "$(dirname "$(realpath "$0")")/../.." || exit
[ -n "${NF_EDGE_UNSHARED-}" ] || NF_EDGE_UNSHARED=1 exec unshare --mount -- "$0"
. tests/lib/tap.sh
. tests/lib/root.sh

version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

clone "$scratch/clone"

# DIRECTORY [VARIABLE=VALUE...]: make deb there; what is in the packages.
build() {
	mkdir -p "$root$1"
	cp -r "$scratch/clone/." "$root$1"
	check "Debian $debian: make deb in $1" inside "${@:2}" make -C "$1" deb || { plan; exit; }
}

sums() {
	(cd "$root$1/deb" && sha256sum ./*.deb ./*.dsc ./*.tar.*)
}

# The RPMs, as far as Debian's tools can: its rpm knows no macros of systemd, and no other packages.
spec() {
	local rpms=/root/rpmbuild/RPMS
	mkdir -p "$root/root/rpmbuild/SOURCES"
	tar -C "$scratch/clone" --transform "s,^\.,nf_edge-$version," -czf "$root/root/rpmbuild/SOURCES/nf_edge-$version.tar.gz" .
	check "rpmbuild" inside rpmbuild -bb --nodeps --define "_unitdir /usr/lib/systemd/system" \
		--define "_usrsrc /usr/src" --define "debug_package %nil" /build/packaging/rpm/nf_edge.spec
	is "the RPMs are of this version, and each of its kind" \
		"$(inside sh -c "rpm -qp --qf '%{name} %{version} %{arch}\n' $rpms/*/*.rpm" | sort)" \
		"edgectl $version $(uname -m)"$'\n'"nf-edge-dkms $version noarch"
	# Signatures and packagers are the distribution's, groups are gone, and the licence is as it is.
	is "rpmlint finds no error" "$(inside sh -c "rpmlint /build/packaging/rpm/nf_edge.spec $rpms/*/*.rpm" 2>&1 |
		grep ': E: ' | grep -vE 'no-signature|no-(packager|group)-tag|incorrect-fsf-address|spelling-error .*(nf|netfilter)')" ""
}

# What the two packages do to a machine.
life() {
	local at="Debian $debian:" path
	check "$at installed" inside sh -c "dpkg -i $1/deb/nf-edge-dkms_* $1/deb/edgectl_*"
	inside dpkg -L nf-edge-dkms | sed -n "s,^/usr/src/nf-edge-$version/,,p" | sort >"$scratch/have"
	make -s install-source DKMS_SOURCE="$scratch/source"
	is "$at DKMS has what it builds from, and no more" \
		"$(while read -r path; do [ -d "$scratch/source/$path" ] || echo "$path"; done <"$scratch/have")" \
		"$(cd "$scratch/source" && find . -type f -printf '%P\n' | sort)"
	check "$at dkms build" inside dkms build "nf-edge/$version" -k "$release"
	check "$at dkms install" inside dkms install "nf-edge/$version" -k "$release"
	like "$at the module is there" "$(inside modinfo -k "$release" nf_edge 2>&1)" "version: +$version"
	is "$at edgectl runs" "$(inside edgectl --version)" "edgectl $version"
	check "$at the policy that it comes with is good" \
		inside edgectl -q check /usr/share/doc/edgectl/examples/contoso.conf
	for path in nf_edge nf_edge-guard; do
		check "$at $path is enabled" [ -L "$root/etc/systemd/system/sysinit.target.wants/$path.service" ]
		path=$(inside dpkg -L edgectl | grep "/$path.service")
		is "$at and calls what is there" \
			"$(grep -o '/[^ ]*/nf_edge/[a-z]*\>' "$root$path" | grep -v '^/etc\|^/var' | sort -u | sed "s,^,$root,")" \
			"$(ls -d "$root"/usr/libexec/nf_edge/"$(grep -o 'libexec/nf_edge/[a-z]*' "$root$path" | head -n 1 | sed s,.*/,,)")"
	done
	check "$at the timer is not" [ ! -e "$root/etc/systemd/system/timers.target.wants/nf_edge-metrics.timer" ]
	check "$at /etc/nf_edge is there for the guard" [ -d "$root/etc/nf_edge" ]

	mkdir "$root/var/lib/nf_edge"
	echo "mode off" >"$root/etc/nf_edge/policy.conf"
	check "$at installed once more" inside sh -c "dpkg -i $1/deb/nf-edge-dkms_* $1/deb/edgectl_*"
	check "$at purged" inside dpkg --purge nf-edge-dkms edgectl
	is "$at DKMS knows nothing of it" "$(inside dkms status nf-edge)" ""
	is "$at what is left" "$(cd "$root" && find etc usr var lib -path '*nf[_-]edge*' -o -name 'edgectl*' |
		grep -v 'var/lib/dpkg\|var/log')" "etc/nf_edge"$'\n'"etc/nf_edge/policy.conf"
}

is "debian/changelog has the version of dkms.conf" "$(sed -n '1s/.*(\(.*\)).*/\1/p' packaging/debian/changelog)" "$version"

enter 6.12
debian=13
build /build
build /home/elsewhere/again TZ=Pacific/Kiritimati LC_ALL=C.UTF-8 DEB_BUILD_OPTIONS=parallel=2
is "built twice, the same bits" "$(sums /home/elsewhere/again)" "$(sums /build)"
is "lintian has nothing to say" "$(inside sh -c "lintian --allow-root --display-info --pedantic \
	--fail-on none /build/deb/*.changes; echo status \$?" 2>&1 | grep '^[EWIP]:\|^status')" "status 0"
life /build
spec

enter 6.1
debian=12
build /build
life /build
plan
