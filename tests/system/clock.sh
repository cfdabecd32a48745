#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clocks that are hours apart, drift by 200 ppm and are set while a run goes on: run times, start instants and latencies
# stay inside the uncertainty the report prints, compared with captures, whose stamps are true.
#
# Hours come from the lab's time namespaces, drift from tests/support/preload/drift.c, steps of the wall clock from
# faketime (a timestamp file that changes during the run, the monotonic clock left alone).
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

hold=25s
if [[ $tier == all ]]; then hold=120s; fi
stamping_us=100 # a capture's stamp and a socket's

drift=$bin/leaseherd-drift.so
faketime=$(dpkg -L libfaketime 2>/dev/null | grep -m1 'libfaketimeMT\.so\.1$' || true)
for need in "$drift" "$faketime"; do
	[[ -r $need ]] || {
		echo "$0: leaseherd-drift.so or libfaketimeMT.so.1 is missing: build the tests, run deploy/install-deps test" >&2
		exit 1
	}
done

reflector=''
stop_reflector() {
	still_ours "$reflector" || return 0
	kill -TERM "$reflector" 2>/dev/null || true
	wait "$reflector" 2>/dev/null || true
}
at_exit() { stop_reflector; }

fleet_begin --servers none --agents 2
setsid "$lab" exec "$name/s1" "$bin/leaseherd-reflector" --address 192.168.1.12 --base 10.10.0.0/16 --lease 20 \
	--capacity 5000 --commit-ms 20 </dev/null >"$work/reflector" 2>&1 &
reflector=$!

cat >"$work/clock.yaml" <<-YAML
	leaseherd: 1
	scenario: clock
	servers:
	  a: {address: 192.168.1.12}
	network:
	  block: 10.10.0.0/16
	  client_path: relayed
	  relays:
	    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 400}
	    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.0.0/16, clients: 400}
	clients: {seed: 1, identity: fresh}
	expect: {lease: 20s}
	limits: {packets: 20000/s, time: 20m}
	run:
	  - {name: peak, acquire: {rate: 60/s}}
	  - {name: keep, hold: $hold}
	judge:
	  - leases.failed == 0
	  - leases.expired == 0
	cleanup: {release: 1000/s, on: [end, stop, fail]}
YAML

print_mono_ns='import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC))'
mono_ns() { python3 -c "$print_mono_ns"; }
agent_mono_ns() { "$lab" exec "$name/$1" python3 -c "$print_mono_ns"; }
# The closest of several readings around each other
mono_minus_real_ns() {
	python3 -c '
import time
best = None
for _ in range(50):
    a = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    real = time.clock_gettime_ns(time.CLOCK_REALTIME)
    b = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    best = min(best, (b - a, (a + b) // 2 - real)) if best else (b - a, (a + b) // 2 - real)
print(best[1])'
}

# Under a drift of PPM, or none; A1, A2: of the agents. ON_KEEP: command once the hold has begun
measured() { # NAME COORDINATOR-PPM A1-PPM A2-PPM [ON_KEEP...]
	local run_name=$1 ppm=$2 from i
	shift 2
	from=$(mono_ns)
	for i in 1 2; do
		capture "a$i" start
		run_with "a$i" "$1" "$from" start_agent "$i"
		shift
	done
	run_with op "$ppm" "$from" begin_run "$run_name" "$work/clock.yaml" 2
	if (($#)); then
		until_log 'stage=keep' 90 || true
		sleep 3
		"$@"
	fi
	end_run
	for i in 1 2; do capture "a$i" stop; done
	stop_agents
	"$bin/leaseherd" export "$run" >"$run/events.csv"
	"$top/tests/support/clock_truth.py" "$run" "$(sed -n 's/.*what=step.* start_at_ns=\([0-9]*\).*/\1/p' "$run/coordinator.log" | head -n 1)" \
		"$(mono_minus_real_ns)" "$ppm" "$from" "a1=$work/a1.pcap" "a2=$work/a2.pcap" >"$run.truth" || true
	sed "s/^/      $run_name: /" "$run.truth"
}

declare -A faked # HOST: a file with the step of its wall clock
run_with() { # HOST PPM FROM COMMAND...
	local host=$1 ppm=$2 from=$3
	shift 3
	if [[ -n ${faked[$host]:-} ]]; then
		LD_PRELOAD=$faketime FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_CACHE_DURATION=1 \
			FAKETIME_TIMESTAMP_FILE=${faked[$host]} "$@"
	elif [[ $ppm == 0 ]]; then
		"$@"
	else
		[[ $host == op ]] || from=$(agent_mono_ns "$host") # its clock is hours away from ours
		LD_PRELOAD=$drift LEASEHERD_DRIFT_PPM=$ppm LEASEHERD_DRIFT_FROM_NS=$from "$@"
	fi
}

truth() { sed -n "s/^$1 //p" "$run.truth"; }
add() { jq -n "$(printf '%s' "$*")"; }

# What must hold whatever the clocks do
judge_clocks() { # NAME
	local i
	expect "$1: PASS" "$code" == 0
	for i in a1 a2; do
		expect "$1: $i: its events were found on the wire" "$(truth $i.events)" '>=' 1000
		# But for packets whose receive stamp was not believed: those are dated when they were looked at, and counted.
		expect "$1: $i: run times are inside the printed uncertainty ($(truth $i.uncertainty_us) us), but for $(truth $i.outside)" \
			"$(truth $i.outside)" '<=' "$(truth $i.replaced)"
		expect "$1: $i: half of them much closer" "$(add "$(truth $i.error_end_us) | fabs")" '<' 300
		expect "$1: $i: stamps that were replaced" "$(truth $i.replaced)" '<' "${replaced_most:-30}"
		expect "$1: $i: which is a useful one" "$(truth $i.uncertainty_us)" '<' "${useful_us:-2000}"
		expect "$1: $i: no later start than printed" "$(truth $i.first_us)" '<=' \
			"$(add "$(truth $i.lateness_us) + $(truth $i.uncertainty_us) + $stamping_us")"
		expect "$1: $i: nor an earlier one" "$(truth $i.first_us)" '>=' "$(add "-$(truth $i.uncertainty_us) - $stamping_us")"
	done
	# The report's sample is every client of the stage, the wire's, too; its histogram is good to 1 %.
	expect "$1: median latency from the send as on the wire ($(truth wire.acquire_p50_us) us)" \
		"$(add "(($(report .latency_from_send_us.acquire.p50) - $(truth wire.acquire_p50_us)) | fabs) * 100 / $(truth wire.acquire_p50_us)")" '<' 3
	expect "$1: and from the intended instant" \
		"$(add "(($(report .latency_us.acquire.p50) - $(truth wire.acquire_p50_us)) | fabs) * 100 / $(truth wire.acquire_p50_us)")" '<' 6
	((failed == 0)) || show_run
}

if [[ $tier == all ]]; then
	measured still 0 0 0
	judge_clocks still
	for i in a1 a2; do expect "still: $i runs as we do" "$(add "$(truth $i.rate_ppm) | fabs")" '<' 20; done
fi

measured agents 0 200 -200
judge_clocks agents
expect "agents: a1 is found to be fast" "$(add "$(truth a1.rate_ppm) - 200 | fabs")" '<' 20
expect "agents: a2 is found to be slow" "$(add "$(truth a2.rate_ppm) + 200 | fabs")" '<' 20

if [[ $tier == all ]]; then
	measured coordinator -200 0 200
	judge_clocks coordinator
	expect "coordinator: a1 seems fast" "$(add "$(truth a1.rate_ppm) - 200 | fabs")" '<' 20
	expect "coordinator: a2 twice as much" "$(add "$(truth a2.rate_ppm) - 400 | fabs")" '<' 20
fi

set_walls() {
	echo +3600 >"$wall_a1"
	echo -7200 >"$work/wall-op"
}
# The agent reads nothing outside its state directory any more.
wall_a1=$work/a1/state/wall
faked=([a1]=$wall_a1 [op]=$work/wall-op)
echo +0 >"$wall_a1"
echo +0 >"$work/wall-op"
measured walls 0 0 0 set_walls
# faketime leaves the kernel's stamps as they are: on a1 none can be believed any more, and each becomes the instant at
# which it was looked at. That is the worst a step can do, and it lasts for the rest of the run here.
replaced_most=100000 judge_clocks walls
expect "walls: a1: its stamps were replaced from then on" "$(truth a1.replaced)" '>' 300
# T1 and T2 go by the monotonic clock: nobody renews early, late, or not at all.
ask "walls: renewals begun within 5 % of T1" '.renewal_wave.in_time_percent' '>=' 95
ask "walls: clients that reached T2" .leases.rebound == 0
for i in 0 1; do ask "walls: no clock of agent $i broke" ".agents[$i].clock_breaks" == 0; done
fleet_end
