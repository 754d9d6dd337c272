#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module's source under the DKMS, the kernel and the compiler of each Debian release that is tested: added, built,
# installed, removed, built when a kernel's headers come, signed where DKMS signs, and skipped where
# it cannot be.

# shellcheck source-path=SCRIPTDIR/../..
set -u
cd "$(dirname "$(realpath "$0")")/../.." || exit
[ -n "${NF_EDGE_UNSHARED-}" ] || NF_EDGE_UNSHARED=1 exec unshare --mount -- "$0"
. tests/lib/tap.sh
. tests/lib/root.sh

version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

dkms_() {
	inside dkms "$@"
}

# FIELD: of the module, which depmod may not know while the kernel itself is not there.
field() {
	inside sh -c "modinfo -F $1 /lib/modules/$release/updates/dkms/nf_edge.ko*" 2>&1
}

installed() {
	is "$1" "$(dkms_ status nf-edge 2>&1 | sed 's,/, ,; s/\<nf-edge, /nf-edge /')" \
		"nf-edge $version, $release, $(uname -m): installed"
	is "$at for this kernel" "$(field vermagic | cut -d ' ' -f 1)" "$release"
}

# Who has signed it: since 3.0 DKMS does, with a key of this machine that it makes once, for the
# firmware to be told of (mokutil --import).
signature() {
	local signer key
	signer=$(field signer)
	if [[ $(dkms_ --version) == *2.8* ]]; then
		is "$at nobody signs" "$signer" ""
		return
	fi
	check "$at the key is to be read by root alone" [ "$(stat -c %a "$root/var/lib/dkms/mok.key")" = 600 ]
	key=$(inside openssl x509 -inform DER -in /var/lib/dkms/mok.pub -noout -subject -nameopt multiline)
	is "$at signed with that key" "$signer" "$(sed -n 's/ *commonName *= //p' <<<"$key")"
	is "$at and with no other" "$(field sig_key | tr -d :)" \
		"$(inside openssl x509 -inform DER -in /var/lib/dkms/mok.pub -noout -serial | sed s/.*=//)"
}

# RELEASE: as a headers' package does when it is configured.
arrives() {
	inside /etc/kernel/header_postinst.d/dkms "$1" 2>&1
	echo "status $?"
}

# RELEASE [EXPRESSION]: headers of another kernel, with another configuration.
other_headers() {
	mkdir -p "$root/lib/modules/$1" "$root/usr/src/other-$1"
	ln -s "/usr/src/other-$1" "$root/lib/modules/$1/build"
	cp -r "$root/usr/src/linux-headers-$release/." "$root/usr/src/other-$1"
	sed -i "${2-}" "$root/usr/src/other-$1"/{.config,include/config/auto.conf}
}

for series in $(tests/vm/apt --series); do
	enter "$series" dkms
	cp "$made/headers.deb" "$root/root"
	make -s install-source DESTDIR="$root"
	at="$series, DKMS $(dkms_ --version | sed 's/^dkms[-: ]*//'):"

	check "$at added" dkms_ add "nf-edge/$version"
	check "$at built" dkms_ build "nf-edge/$version" -k "$release"
	check "$at installed" dkms_ install "nf-edge/$version" -k "$release"
	installed "$at it says so"
	signature
	check "$at removed" dkms_ remove "nf-edge/$version" --all
	is "$at nothing is left" "$(dkms_ status nf-edge; find "$root"/lib/modules/ -name 'nf_edge*')" ""

	inside dpkg --purge --force-depends "linux-headers-$release" >/dev/null 2>&1
	check "$at added where there are no headers" dkms_ add "nf-edge/$version"
	check "$at they come" inside dpkg -i /root/headers.deb
	installed "$at and with them the module"

	others=(5.4.0-9-amd64)
	other_headers "${others[0]}"
	if [[ $at != *DKMS\ 2* ]]; then	# that knows no configurations
		others+=(6.1.0-without-amd64)
		other_headers "${others[1]}" 's/^CONFIG_NF_CONNTRACK=.*//'
	fi
	for other in "${others[@]}"; do
		# 3.0.10, Debian 12's, skips it and then calls that a failure.
		if [[ $at != *3.0.10* ]]; then
			like "$at Linux $other comes, and that is no failure" "$(arrives "$other")" "status 0$"
		fi
		is "$at ... but has no module" "$(find "$root/lib/modules/$other/" -name 'nf_edge*')" ""
		like "$at ... a sentence tells why" "$(dkms_ build "nf-edge/$version" -k "$other" 2>&1 | tr '\n' ' ')" \
			"BUILD_EXCLUSIVE directive which does not match"
	done
	umount --lazy "$root"
	rm -rf "${scratch:?}/$series"
done
plan
