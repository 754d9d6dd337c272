# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
#
# Sourced: what in a kernel's log means that something is wrong (an extended regular expression).

complaints='WARNING:|BUG:|UBSAN:|ODEBUG:|KCSAN:|Oops|Kernel panic|Call Trace|rcu.*(stall|starved)'
complaints+='|unregister_netdevice: waiting|possible (recursive|circular) locking|blocked for more than'
complaints+='|ref_tracker:|memory leak'
