#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `run --local`: agents as children on one host, without keys; Ctrl-C ends in order; a second one at once.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

fleet_begin --servers kea --agents 1 --relays 2 --lease 12
servers=1 release=200/s scenario "$work/local.yaml" 2 300 100 14s 12s
egress "$work/local.yaml"

no_child() { ! pgrep -f "^leaseherd-agent .*state-dir $run/" >/dev/null; }

local_run() { # NAME FLAGS...
	run=$work/run-$1
	shift
	env --default-signal=INT setsid "$lab" exec "$name/a1" "$bin/leaseherd" run "$work/local.yaml" --run-dir "$run" "$@" \
		</dev/null >"$run.out" 2>"$run.err" &
	coordinator=$!
}

local_run two --local 2
end_run
expect "two local agents: PASS" "$code" == 0
ask "600 leases" .leases.acquired == 600
ask "released" .accounting.released == 600
for file in scenario.yaml plan.bin ledger.db report.txt report.json problems.log coordinator.log; do
	check "the run directory has $file" test -s "$run/$file" -o "$file" = problems.log
done
check "report prints it again" bash -c "'$bin/leaseherd' report '$run' | grep -q PASS"
expect "export has a row per event" "$("$bin/leaseherd" export "$run" | wc -l)" == \
	$(($(report .accounting.ledger_events) + 1))
check "the effective scenario can be checked" "$bin/leaseherd" check "$run/scenario.yaml"
check "report.json follows its schema" python3 "$top/tests/support/check_schema.py" "$top/deploy/report.schema.json" "$run/report.json"

local_run stopped --local 1
check "the hold begins" until_log 'stage=keep' 60
kill -INT "$coordinator"
end_run
expect "Ctrl-C: ABORTED" "$code" == 4
ask "Ctrl-C: leases released all the same" '.accounting.released + .accounting.never_started + .accounting.failed' == 600
check "no child is left" no_child

local_run hard --local 1
check "the hold begins" until_log 'stage=keep' 60
kill -INT "$coordinator"
sleep 0.3
kill -INT "$coordinator"
began=$SECONDS
end_run
expect "twice: ABORTED" "$code" == 4
expect "twice: at once" $((SECONDS - began)) '<=' 4
check "twice: no child is left" no_child

# The parent is killed: its children go too.
local_run killed --local 1
check "the hold begins" until_log 'stage=keep' 60
kill -KILL "$coordinator"
wait "$coordinator" 2>/dev/null || true
sleep 1
check "killed: no child is left" no_child
fleet_end
