#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The parser of policy files and command lines, fuzzed by libFuzzer under AddressSanitizer
# and UndefinedBehaviorSanitizer. parser/harness.c says what must hold for every input.
#
#   NF_EDGE_FUZZ_PARSER_RUNS    inputs to try (300000)
#   NF_EDGE_SEED                of the random inputs
#
# An input that breaks something belongs into parser/corpus: yes-* is taken, no-* refused.

# shellcheck source-path=SCRIPTDIR/../..
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh

runs=${NF_EDGE_FUZZ_PARSER_RUNS:-300000}
seed=${NF_EDGE_SEED:-$((RANDOM << 15 | RANDOM))}
here=tests/fuzz/parser
edgectl=(timeout 20 tools/edgectl/edgectl)	# a hang is a failure
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

make -s -j"$(nproc)" -C "$scratch" -f "$PWD/$here/Makefile" TREE="$PWD" >"$scratch/log" 2>&1
is "the harness builds" $? 0 || { sed 's/^/# /' "$scratch/log"; plan; exit 1; }

# The limits of a line; the longest that is ever saved.
mkdir "$scratch/lines"
{ printf 'rtp set 1'; printf ',%s' {3..65535..2}; } >"$scratch/lines/yes-every-other-port"
printf '#%0262142d\nmode audit' 0 >"$scratch/lines/yes-line-of-262143"
printf 'mode audit\n#%0262143d' 0 >"$scratch/lines/no-line-of-262144"

for file in "$here"/corpus/* "$scratch"/lines/*; do
	case $(basename "$file") in
	yes-*) check "$(basename "$file") is taken" "${edgectl[@]}" check "$file" ;;
	no-*) refuse "$(basename "$file") is refused" 1 '^edgectl: .*:[0-9]+: ' "${edgectl[@]}" check "$file" ;;
	esac
done

# OPTION|FILE...: runs the harness; an input that breaks something is shown.
fuzz() {
	# A small quarantine keeps memory warm: the same inputs in a fifth of the time.
	ASAN_OPTIONS=quarantine_size_mb=1 "$scratch/harness" -timeout=10 -rss_limit_mb=1024 \
		-artifact_prefix="$scratch/broken-" "$@" >"$scratch/log" 2>&1 && return
	grep -aE '^(broken|SUMMARY)|ERROR|runtime error' "$scratch/log" || tail -n 20 "$scratch/log"
	for file in "$scratch"/broken-*; do
		[ ! -f "$file" ] || printf 'the input, base64:\n%s\n' "$(base64 "$file")"
	done
	return 1
}

check "what is known is treated well" fuzz "$here"/corpus/* "$scratch"/lines/* \
	examples/contoso.conf

{
	cat "$here/dictionary"
	grep -oh '"[a-z][a-z-]*"' kmod/uapi/nf_edge.h tools/edgectl/{main,parse,value}.c | sort -u
} >"$scratch/dictionary"
echo "# NF_EDGE_SEED=$seed NF_EDGE_FUZZ_PARSER_RUNS=$runs"
# One seed, one run, always: no look at the clock (reload) or at addresses (use_cmp).
check "$runs random inputs are treated well" fuzz -runs="$runs" -seed="$seed" -reload=0 -use_cmp=0 \
	-max_len=1024 -dict="$scratch/dictionary" \
	-seed_inputs="$(printf '%s\n' "$here"/corpus/* examples/contoso.conf | LC_ALL=C sort | paste -sd ,)"
check "all of them were tried" grep -q "^Done $runs runs" "$scratch/log"
grep -aE '^#[0-9]+.*DONE' "$scratch/log" | sed 's/^/# /'
plan
