#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The sockets of a run, misused while it goes on: TCP connections that never say a word until the coordinator has no
# descriptor left, a listed stranger that takes others' routing ids and those the coordinator gives itself, and a
# coordinator that stands still for four seconds, and for eight. The agents get in and come back, nothing is lost.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

unleaked=(env ASAN_OPTIONS=detect_leaks=0)
fleet_begin --servers isc --agents 3 --lease 600
servers=1 scenario "$work/link.yaml" 2 200 100 20s 600s
egress "$work/link.yaml"
enrol 1
enrol 2
enrol 3 # listed, but nobody of this run

peer() { # OUT COMMAND...: from the host of a3
	local out=$1
	shift
	"$lab" exec "$name/a3" "${unleaked[@]}" "$@" </dev/null >"$work/$out" 2>&1 &
	peers+=($!)
}
peers=()
count_says() { grep -cE -- "$2" "$1" || true; }

begin_run link "$work/link.yaml" 2
for ((i = 0; i < 100; i++)); do
	[[ ! -e $run/coordinator.log ]] || break
	sleep 0.1
done
# What it has open by now and a hundred more: less than the flood takes. A run that is to write files needs the rest.
prlimit --pid "$coordinator" --nofile=200:
peer silent "$bin/leaseherd-hostile-peer" outsider - 172.16.7.2 6767 - 6 - -
for ((i = 0; i < 100; i++)); do
	(($(find "/proc/$coordinator/fd" -mindepth 1 2>/dev/null | wc -l) < 195)) || break
	sleep 0.1
done
expect "no descriptor is left" "$(find "/proc/$coordinator/fd" -mindepth 1 | wc -l)" '>=' 190
start_agent 1
check "out of descriptors: an agent gets in all the same" until_log 'agent_joined agent=a1' 30
wait "${peers[@]}" || true
peers=()
prlimit --pid "$coordinator" --nofile=4096:
start_agent 2
check "the hold begins" until_log 'stage=keep' 60

peer thief "$bin/leaseherd-hostile-link" thief 172.16.7.2 6767 8 "$work/a3/key" "$work/keys/coordinator.pub"
sleep 3
joined=$(($(count_says "$work/a1/log" what=joined) + $(count_says "$work/a2/log" what=joined)))
stand_still() { # SECONDS
	kill -STOP "$coordinator"
	sleep "$1"
	kill -CONT "$coordinator"
}
stand_still 4
sleep 2
expect "four seconds without reading: no connection broke" \
	"$(($(count_says "$work/a1/log" what=joined) + $(count_says "$work/a2/log" what=joined)))" == "$joined"
# Silence for longer than six seconds is an end: the agents come back over new sockets, to the same run.
ports_before=$("$lab" exec "$name/op" ss -Htn state established 'sport = :6767' | awk '{ print $4 }' | sort)
stand_still 8
for ((i = 0; i < 80; i++)); do
	(($(count_says "$work/a1/log" run=resumed) < 1 || $(count_says "$work/a2/log" run=resumed) < 1)) || break
	sleep 0.1
done
check "eight seconds of silence: a1 has resumed" grep -q 'run=resumed' "$work/a1/log"
check "eight seconds of silence: a2 has resumed" grep -q 'run=resumed' "$work/a2/log"
ports_after=$("$lab" exec "$name/op" ss -Htn state established 'sport = :6767' | awk '{ print $4 }' | sort)
expect "over other connections" "$(comm -12 <(grep -v '172.16.10.3' <<<"$ports_before") <(echo "$ports_after") | wc -l)" == 0
end_run
wait "${peers[@]}" || true
expect "PASS" "$code" == 0
ask "every lease" .leases.acquired == 400
ask "accounting closes" .accounting.missing == 0
ask "all are released" .accounting.released == 400
check "thief: $(<"$work/thief")" grep -q '^ok' "$work/thief"
check "thief: it is told to the operator under the name of its key" \
	grep -q 'what=agent_refused agent=a3' "$run/coordinator.log"
expect "thief: nobody else was refused" "$(grep 'what=agent_refused' "$run/coordinator.log" | grep -cv 'agent=a3' || true)" == 0
expect "the log is no flood" "$(wc -l <"$run/coordinator.log")" '<' 120
((failed == 0)) || show_run
fleet_end
