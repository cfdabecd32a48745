#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `leaseherd stop RUN` from another terminal: in order, at once, and what it says where there is nothing to stop.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

fleet_begin --servers kea --agents 1 --relays 2 --lease 60
servers=1 release=200/s scenario "$work/stop.yaml" 2 150 100 60s 60s
egress "$work/stop.yaml"

local_run() { # NAME
	run=$work/run-$1
	setsid "$lab" exec "$name/a1" "$bin/leaseherd" run "$work/stop.yaml" --run-dir "$run" --local 1 \
		</dev/null >"$run.out" 2>"$run.err" &
	coordinator=$!
}

# stop TEXT WANTED-CODE WORDS FLAGS...: from outside the run's network namespace, as any shell of the host
stop() {
	local text=$1 want=$2 words=$3 got=0
	shift 3
	"$bin/leaseherd" stop "$@" >"$work/stop.out" 2>&1 || got=$?
	expect "$text: exit code" "$got" == "$want"
	check "$text: says \"$words\"" grep -qF -- "$words" "$work/stop.out"
}

stop "no such run" 2 "no run.lock" "$work/nowhere"
stop "no run named" 2 "which run?"
stop "a wait without a unit" 2 "with its unit" "$work/nowhere" --wait 9

local_run order
check "the hold begins" until_log 'stage=keep' 60
check "the lock names host and start" grep -qE "^host=[^ ]+ pid=[0-9]+ started=[0-9-]+T" "$run/run.lock"
# Another PID namespace sees the lock and not its owner.
other=0
unshare --pid --fork --mount-proc "$bin/leaseherd" stop "$run" >"$work/other" 2>&1 || other=$?
expect "from another PID namespace: exit code" "$other" == 2
check "from another PID namespace: says where" grep -q "cannot be seen from here (host=" "$work/other"
check "from another PID namespace: it goes on" kill -0 "$coordinator"
stop "too short a wait" 1 "still goes on" "$run" --wait 100ms
check "too short a wait: it is told again" until_log 'phase=drain' 10
stop "in order" 0 "stopped" "$run"
end_run
check "in order: the log says who" grep -qE "what=told_to_stop signal=15 sender_pid=[1-9][0-9]* sender_uid=$EUID at_once=0" "$run/coordinator.log"
audited "in order: the audit is clean"
expect "in order: the run is ABORTED" "$code" == 4
ask "in order: leases were given back" '.accounting.released' == 300
stop "a run that is over" 2 "is over" "$run"

local_run now
check "the hold begins" until_log 'stage=keep' 60
sleep 2 # so that the agent's figures are here
began=$SECONDS
stop "at once" 0 "stopped" "$run" --now
end_run
expect "at once: the run is ABORTED" "$code" == 4
check "at once: the log says who" grep -qE "what=told_to_stop signal=3 .* at_once=1" "$run/coordinator.log"
missed=0
"$bin/leaseherd" audit "$run" >"$work/audit.out" 2>&1 || missed=$?
expect "at once: the audit has nothing to compare with" "$missed" == 1
check "at once: and says so" grep -q '^differs: agent local-1: no final counters .* the run was stopped at once, or killed' "$work/audit.out"
expect "at once: soon" $((SECONDS - began)) '<=' 6
ask "at once: leases were left behind" '.accounting.bound' == 300
fleet_end
