#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The comments that describe what the module's headers offer describe all of it.

cd "$(dirname "$0")/../.." || exit
. tests/lib/lint.sh

source=$(tests/vm/linux-source) || exit

mapfile -t files < <(tree_files 'kmod/*.[ch]')
check "there is something to look at" [ ${#files[@]} -gt 0 ]
/usr/bin/python3 -B "$source/linux/scripts/kernel-doc" -none -Wall "${files[@]}" >"$scratch/found" 2>&1
is "kernel-doc comes to its end" $? 0
findings kernel-doc < <(sed 's/^Warning: \([^ ]*\) /\1: /' "$scratch/found" | sort -u)
plan
