#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# edgectl builds without a warning from two compilers; clang's analyser and clang-tidy
# (tools/edgectl/.clang-tidy) find nothing in it.

cd "$(dirname "$0")/../.." || exit
. tests/lib/lint.sh

warnings='-O2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2'
warnings+=' -Wundef -Wwrite-strings -Wvla -Wnull-dereference -Wpointer-arith -Wredundant-decls'
gcc_warnings='-Wlogical-op -Wduplicated-cond -Wduplicated-branches'

mapfile -t files < <(tree_files dkms.conf kmod/uapi tools/edgectl)
cp --parents "${files[@]}" "$scratch"
cd "$scratch/tools/edgectl" || exit

# NAME COMMAND...: its complaints, from which the directory is left out, as FILE:LINE: TEXT.
complaints() {
	local name=$1
	shift
	"$@" >"$scratch/$name.log" 2>&1
	is "$name comes to its end" $? 0 || tail -n 5 "$scratch/$name.log" | sed 's/^/# /'
	sed -nE "s,^($scratch/tools/edgectl/)?([^ ]+:[0-9]+:[0-9]+: (warning|error): ),tools/edgectl/\2,p" \
		"$scratch/$name.log" | sort -u >"$scratch/$name.found"
	findings "$name" <"$scratch/$name.found"
}

complaints gcc make -B CC=gcc CFLAGS="$warnings $gcc_warnings"
complaints clang make -B CC=clang CFLAGS="$warnings"
# How the first file is compiled; xargs takes the quotes off.
mapfile -t flags < <(make -Bn CC=clang | sed -n '/ -c /{ s/^clang //; s/ -c .*//; p; q }' |
	xargs -n 1 printf '%s\n')
complaints clang-tidy clang-tidy --quiet ./*.c -- "${flags[@]}"
complaints scan-build scan-build --status-bugs -o "$scratch/reports" make -B CC=clang
plan
