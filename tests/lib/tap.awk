# SPDX-License-Identifier: GPL-2.0-only
#
# Many tests' TAP, between marks, becomes one TAP stream and a tally:
#
#   #@ begin NAME            #@ end NAME STATUS SECONDS
#   #@ kernel LINE           what the kernel's log complained of
#
# Diagnosis is shown where something failed; all of it with -v verbose=1. What failed is told again at the end, and
# the seed with it.

function result(passed, name, reason) {
	total++
	printf "%s %d - %s: %s%s\n", passed ? "ok" : "not ok", total, test, name, reason == "" ? "" : " # SKIP " reason
	if (!passed)
		failures[++failed] = test ": " name (seed == "" ? "" : ", " seed)
	else if (reason == "")
		good++
	else
		skipped[++skips] = test ": " name ": " reason
}

function finish(status, seconds,	i, why) {
	if (kernel != "") {
		result(0, "the kernel has nothing to complain of")
		printf "%s", kernel
	}
	if (status == 124 || status == 137)
		why = "no end within its time"
	else if (status != 0 && !bad)
		why = "exit status " status
	else if (!planned)
		why = "no plan"
	else if (plan != count)
		why = "planned " plan " tests, saw " count
	else if (!count && !all_skipped)
		why = "no tests"
	if (why != "") {
		result(0, why)
		for (i = noise > 30 ? noise - 29 : 1; i <= noise; i++) {
			if (!verbose)
				print "#   " line[i]
			if (i > noise - 10)
				failures[failed] = failures[failed] "\n#   " line[i]
		}
	}
	if (seconds != "")
		printf "# %s: %s s\n", test, seconds
	test = ""
}

{ sub(/\r$/, "") }

/^#@ begin / {
	if (test != "")
		finish(137)
	test = $3
	count = plan = planned = all_skipped = bad = noise = shown = 0
	kernel = seed = ""
	next
}

/^# NF_EDGE_SEED=/ {
	seed = substr($0, 3)
}

/^#@ kernel / {
	kernel = kernel "#   " substr($0, 11) "\n"
	next
}

/^#@ end / {
	finish($4, $5)
	next
}

test == "" {
	if ($0 != "")
		print "# " $0
	next
}

/^(not )?ok([ \t]|$)/ {
	passed = $1 == "ok"
	name = $0
	sub(/^(not )?ok[ \t]*/, "", name)
	if (match(name, /^[0-9]+/)) {
		number = substr(name, 1, RLENGTH) + 0
		name = substr(name, RLENGTH + 1)
	} else
		number = count + 1
	sub(/^[ \t]*(-[ \t]*)?/, "", name)
	reason = ""
	if (match(name, /[ \t]*# *[Ss][Kk][Ii][Pp][ \t]*/)) {
		reason = substr(name, RSTART + RLENGTH)
		name = substr(name, 1, RSTART - 1)
		if (reason == "")
			reason = "no reason given"
	}
	count++
	if (number != count) {
		passed = 0
		name = name " (numbered " number ", not " count ")"
	}
	shown = !passed
	bad += !passed
	result(passed, name, reason)
	fflush()
	next
}

/^1\.\.[0-9]+/ && !planned {
	planned = 1
	plan = substr($1, 4) + 0
	if (plan == 0 && match($0, /# *[Ss][Kk][Ii][Pp][ \t]*/)) {
		all_skipped = 1
		result(1, "all of it", substr($0, RSTART + RLENGTH))
	}
	next
}

/^Bail out!/ {
	bad++
	result(0, $0)
	next
}

$0 != "" {
	line[++noise] = $0
	if (verbose || shown)
		print "#   " $0
	if (shown && shown++ <= 10)
		failures[failed] = failures[failed] "\n#   " $0
	fflush()
}

END {
	if (test != "")
		finish(137)
	printf "1..%d\n", total
	for (i = 1; i <= skips; i++)
		print "# skipped: " skipped[i]
	for (i = 1; i <= failed; i++)
		print "# failed: " failures[i]
	printf "%d passed, %d failed%s\n", good, failed, skips ? ", " skips " skipped" : ""
	exit failed > 0 || good == 0
}
