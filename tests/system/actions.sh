#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Events of the scenario: refused without --allow-actions, begun at their instants with it, marked on the time axis,
# and a run whose command failed, or did not end, is INVALID.
# shellcheck disable=SC2016 # the variables are the command's
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

fleet_begin --servers kea --agents 1 --relays 2 --lease 60

with_events() { # FILE HOLD EVENT-LINES
	servers=1 release=500/s judge=$'  - leases.failed == 0\n' scenario "$1" 2 50 100 "$2" 60s
	printf 'events:\n%s\n' "$3" >>"$1"
}

local_run() { # NAME SCENARIO FLAGS...
	run=$work/run-$1
	local file=$2
	shift 2
	env --default-signal=INT setsid "$lab" exec "$name/a1" "$bin/leaseherd" run "$file" --run-dir "$run" --local 1 \
		"$@" </dev/null >"$run.out" 2>"$run.err" &
	coordinator=$!
}

with_events "$work/good.yaml" 8s '  - {at: 2s, in: keep, name: "look twice", run: "echo run=$LEASEHERD_RUN event=$LEASEHERD_EVENT repeat=$LEASEHERD_REPEAT.; sleep 2; echo done >&2"}
  - {at: 5s, in: keep, name: "only a mark"}'
egress "$work/good.yaml"

# --- not allowed
local_run refused "$work/good.yaml"
end_run 2>/dev/null
expect "without the flag: exit code" "$code" == 2
check "without the flag: the command is named" grep -q 'runs 1 command on this host ("look twice").*--allow-actions' "$run.err"
check "without the flag: nothing was made" test ! -e "$run"

# --- allowed
local_run good "$work/good.yaml" --allow-actions
end_run
expect "allowed: PASS" "$code" == 0
check "the log has begin, output and end" bash -c "grep -q 'Z begin \"look twice\": echo run' '$run/actions.log' &&
	grep -qx 'run=$run event=look twice repeat=.' '$run/actions.log' && grep -qx done '$run/actions.log' &&
	grep -q 'Z end \"look twice\": exit status 0' '$run/actions.log'"
keep=$(report '.run.stages[] | select(.name == "keep") | .begin_s')
mark() { report "[.timeline.marks[] | select(.text | test(\"$1\"))][0].at_s - $keep"; }
expect "begun in time" "$(mark 'look twice')" '>=' 2
expect "begun in time" "$(mark 'look twice')" '<' 2.5
expect "its end is marked" "$(mark 'look twice.* ended')" '>=' 4
expect "its end is marked when it was" "$(mark 'look twice.* ended')" '<' 5
expect "a mark needs no command" "$(mark 'only a mark')" '>=' 5
check "the terminal shows them" grep -q 'event "look twice": its command was started' "$run.err"

# --- failed, and still running at the end
with_events "$work/bad.yaml" 6s '  - {at: 1s, in: keep, name: "fails", run: "exit 3"}
  - {at: 2s, in: keep, name: "hangs", run: "exec sleep 600"}'
local_run bad "$work/bad.yaml" --allow-actions
end_run
expect "failed and hanging: INVALID" "$code" == 3
ask "the finding says which and how" '.findings[] | select(.id == "action-failed") | .evidence |
	contains("\"fails\": exit status 3") and contains("\"hangs\": still running")' == true
check "what hung was ended" bash -c "! grep -lsq 'LEASEHERD_RUN=$run' /proc/[0-9]*/environ"

# --- stopped before: what was planned later is no fault
with_events "$work/stopped.yaml" 60s '  - {at: 1s, in: keep, name: "hangs", run: "exec sleep 600"}'
local_run stopped "$work/stopped.yaml" --allow-actions
check "the command runs" until_log 'what=event' 60
kill -INT "$coordinator"
end_run
expect "stopped: ABORTED" "$code" == 4
ask "stopped: an info only" '[.findings[] | select(.id == "action-failed") | .severity] == ["info"]' == true
fleet_end
