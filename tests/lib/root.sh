# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced in a name space for mounts of one's own, and in the tree: roots of Debian releases
# (tests/vm/package-root) to work in, and $scratch, all of which vanish with the caller.

scratch=$(mktemp -d)
mount -t tmpfs packages "$scratch"
trap 'umount --lazy "$scratch"; rmdir "$scratch"' EXIT

# SERIES [WHAT]: enters a root, which stays as it is: $root, of $made/root. $release: the kernel that
# it has headers of.
enter() {
	made=$(tests/vm/package-root "$@") || exit
	# shellcheck disable=SC2034 # the caller's
	release=$(cat "$made/release") root=$scratch/$1/root
	mkdir -p "$scratch/$1"/{upper,work,root}
	mount -t overlay -o "lowerdir=$made/root,upperdir=$scratch/$1/upper,workdir=$scratch/$1/work" packages "$root" || exit
	mount -t proc proc "$root/proc"
	mount --bind /dev "$root/dev"
}

inside() {
	chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb "$@"
}

# DIRECTORY: makes a clone there, with what is about to be in one.
clone() {
	mkdir "$1"
	git ls-files -z --cached --others --exclude-standard | tar -c --null --files-from - | tar -x -C "$1"
}
