#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What reads the kernel's answers and events, fuzzed by libFuzzer under AddressSanitizer and
# UndefinedBehaviorSanitizer. reader/harness.c says what must hold for every input.
#
#   NF_EDGE_FUZZ_READER_RUNS    inputs to try (200000)
#   NF_EDGE_SEED                of the random inputs
#
# A message that breaks something belongs into reader/corpus.py.

# shellcheck source-path=SCRIPTDIR/../..
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh

runs=${NF_EDGE_FUZZ_READER_RUNS:-200000}
seed=${NF_EDGE_SEED:-$((RANDOM << 15 | RANDOM))}
here=tests/fuzz/reader
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

make -s -j"$(nproc)" -C "$scratch" -f "$PWD/$here/Makefile" TREE="$PWD" >"$scratch/log" 2>&1
is "the harness builds" $? 0 || { sed 's/^/# /' "$scratch/log"; plan; exit 1; }
mkdir "$scratch/corpus"
"$here/corpus.py" "$scratch/corpus"
is "the corpus is made" $? 0 || { plan; exit 1; }

# OPTION|FILE...: runs the harness; an input that breaks something is shown.
fuzz() {
	local file
	# A small quarantine keeps memory warm: the same inputs in a fifth of the time.
	ASAN_OPTIONS=quarantine_size_mb=1 "$scratch/harness" -timeout=10 -rss_limit_mb=1024 \
		-artifact_prefix="$scratch/broken-" "$@" >"$scratch/log" 2>&1 && return
	grep -aE '^(broken|SUMMARY|Running)|ERROR|runtime error' "$scratch/log" | tail -n 20
	for file in "$scratch"/broken-*; do
		[ ! -f "$file" ] || printf 'the input, base64:\n%s\n' "$(base64 "$file")"
	done
	return 1
}

# The exit code of what the module would answer; an input that reaches nothing would prove nothing.
for file in "$scratch"/corpus/*; do
	case $(basename "$file") in
	harm-*) continue ;;
	diff-* | refresh | refused* | not-permitted) want=1 ;;
	*) want=0 ;;
	esac
	NF_EDGE_FUZZ_SHOW=1 "$scratch/harness" "$file" >"$scratch/log" 2>&1
	grep -qx "exit code $want" "$scratch/log" || echo "$(basename "$file"): $(tail -n 20 "$scratch/log")"
done >"$scratch/wrong"
is "what the module answers is understood" "$(cat "$scratch/wrong")" ""

known() {
	fuzz "$scratch"/corpus/*
}

random() {
	# One seed, one run, always: no look at the clock (reload) or at addresses (use_cmp).
	fuzz -runs="$runs" -seed="$seed" -reload=0 -use_cmp=0 -max_len=4096 \
		-seed_inputs="$(printf '%s\n' "$scratch"/corpus/* | LC_ALL=C sort | paste -sd ,)"
}

check "what is known does no harm" known

echo "# NF_EDGE_SEED=$seed NF_EDGE_FUZZ_READER_RUNS=$runs"
check "$runs random inputs do no harm" random
check "all of them were tried" grep -q "^Done $runs runs" "$scratch/log"
grep -aE '^#[0-9]+.*DONE' "$scratch/log" | sed 's/^/# /'
plan
