# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced by tests: prints TAP. Every helper is one test and returns whether it
# passed; call plan at the end.
#
#   check  NAME COMMAND...                  exits 0
#   refuse NAME STATUS PATTERN COMMAND...   exits with STATUS, nothing on stdout, one line on
#                                           stderr that matches the extended regular expression
#   is     NAME GOT WANT                    the same text
#   like   NAME GOT PATTERN                 text that matches
#   skip   NAME REASON
#   skip_all REASON                         instead of a plan; exits
#   plan

tap_count=0 tap_failed=0 tap_scratch=

pass() {
	echo "ok $((++tap_count)) - $1"
}

# NAME [TEXT]: the text is shown as diagnosis.
fail() {
	echo "not ok $((++tap_count)) - $1"
	tap_failed=$((tap_failed + 1))
	[ -z "${2-}" ] || printf '# %s\n' "${2//$'\n'/$'\n'# }"
	return 1
}

check() {
	local name=$1 output status=0
	shift
	output=$("$@" 2>&1 </dev/null) || status=$?
	if [ "$status" -eq 0 ]; then
		pass "$name"
	else
		fail "$name" "$(printf '%s\nexit status %s\n%s' "$*" "$status" "$output")"
	fi
}

refuse() {
	local name=$1 want=$2 pattern=$3 output errors status=0
	shift 3
	[ -n "$tap_scratch" ] || tap_scratch=$(mktemp)
	output=$("$@" 2>"$tap_scratch" </dev/null) || status=$?
	errors=$(<"$tap_scratch")
	if [ "$status" -eq "$want" ] && [ -z "$output" ] && [[ $errors != *$'\n'* ]] && [[ $errors =~ $pattern ]]; then
		pass "$name"
	else
		fail "$name" "$(printf '%s\nexit status %s, not %s\nstdout: %s\nstderr, wanted /%s/: %s' \
			"$*" "$status" "$want" "$output" "$pattern" "$errors")"
	fi
}

is() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "$(diff -u --label wanted --label got <(printf '%s\n' "$3") <(printf '%s\n' "$2"))"
	fi
}

like() {
	if [[ $2 =~ $3 ]]; then
		pass "$1"
	else
		fail "$1" "$(printf 'got:    %s\nwanted: /%s/' "$2" "$3")"
	fi
}

skip() {
	echo "ok $((++tap_count)) - $1 # SKIP $2"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

plan() {
	echo "1..$tap_count"
	[ -z "$tap_scratch" ] || rm "$tap_scratch"
	[ "$tap_failed" -eq 0 ]
}
