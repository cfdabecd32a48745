#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A closed model and a server that stands still for five seconds. Only the 100 exchanges in flight meet the stall, less
# than 1 % of all, so that the p99 from the send does not show it; an even pace would have sent through it, and the p99
# of the instants so intended does. Both are in the report. Clients that give up raise the percentile to "> give-up".
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

each=8000
if [[ $tier == all ]]; then each=25000; fi

reflector=''
stop_reflector() {
	still_ours "$reflector" || return 0
	kill -TERM "$reflector" 2>/dev/null || true
	wait "$reflector" 2>/dev/null || true
}
at_exit() { stop_reflector; }

start_reflector() { # OPTIONS...
	stop_reflector
	setsid "$lab" exec "$name/s1" "$bin/leaseherd-reflector" --address 192.168.1.12 --base 10.10.0.0/16 --lease 3600 \
		--capacity 4000 --queue 4000 --commit-ms 10 "$@" </dev/null >"$work/reflector" 2>&1 &
	reflector=$!
	sleep 0.3
	still_ours "$reflector" || {
		cat "$work/reflector" >&2
		return 1
	}
}

# The server stands still once the last step of the first stage has run for a second
with_a_stall() { # NAME
	begin_run "$1" "$work/$1.yaml" 2
	check "$1: all clients are let loose" until_log "what=step stage=peak step=3" 60
	sleep 1
	kill -USR1 "$reflector"
	end_run
}

fleet_begin --servers none --agents 2
start_agents 2

start_reflector --stall-for 5
path=relayed servers=1 judge='  - leases.failed == 0
  - p99(acquire) < 60s
' scenario "$work/stall.yaml" 2 "$each" 100 0 3600s
with_a_stall stall
stop_reflector
expect "stall: PASS" "$code" == 0
ask "stall: every client has leased" .leases.acquired == $((2 * each))
ask "stall: some waited for as long as the server stood still" .latency_from_send_us.acquire.max '>' 4500000
ask "stall: but not one in a hundred, so from the send p99 is fine" .latency_from_send_us.acquire.p99 '<' 500000
ask "stall: an even pace would have met it: p99 shows it" .latency_paced_us.acquire.p99 '>' 4000000
ask "stall: and no more than it" .latency_paced_us.acquire.p99 '<' 6000000
ask "stall: nothing was left unfinished" .latency_us.acquire.unfinished == 0
check "stall: the text has both" grep -qE 'at an even pace: .*p99 [45],?[0-9]{3}' "$run/report.txt"
check "stall: and says that a closed model was measured" grep -q 'window-limited' "$run/report.txt"
((failed == 0)) || show_run

# Deaf for four seconds, and clients that try once and wait 3 to 5 s: more than one in a hundred gives up. Half of the
# first hundred do so before the server hears again: were it all of them, the run would stop (server-silent).
start_reflector --stall-for 4 --stall-mode lose
each=4000
path=relayed servers=1 acquire_extra=', tries: 1' judge='  - p99(acquire) < 60s
' scenario "$work/deaf.yaml" 2 "$each" 100 0 3600s
with_a_stall deaf
stop_reflector
expect "deaf: FAIL" "$code" == 1
ask "deaf: more than one in a hundred gave up" .tries.acquire.gave_up '>' $((2 * each / 100))
ask "deaf: they are the unfinished" '.latency_us.acquire.unfinished - .tries.acquire.gave_up' == 0
ask "deaf: and end without a lease" '.accounting.failed - .tries.acquire.gave_up' == 0
ask "deaf: the percentile has no end" .latency_us.acquire.p99 == null
check "deaf: and says so" grep -q '> give-up' "$run/report.txt"
ask "deaf: those that were answered were answered fast" .latency_success_us.acquire.p99 '<' 500000
ask "deaf: the judgement is missed, not left open" '.judgements[0].result' == miss
((failed == 0)) || show_run
stop_agents
fleet_end
