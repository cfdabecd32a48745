#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The coordinator is killed in the middle of renewing clients and resumed: PASS, and nothing is missing or double.
# RESUME_SERVERS=isc|kea picks the pair; all: 20,000 clients.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

each=500 hold=40s lease=30
if [[ $tier == all ]]; then each=10000 hold=3m lease=60; fi

# resume_run [FLAGS...]: goes on with the latest run, as end_run awaits it
resume_run() {
	env --default-signal=INT setsid "$lab" exec "$name/op" "$bin/leaseherd" resume "$run" "$@" </dev/null \
		>"$run.out2" 2>"$run.err2" &
	coordinator=$!
}

kill_coordinator() {
	kill -KILL "$coordinator"
	wait "$coordinator" 2>/dev/null || true
}

rows() { sqlite3 "$run/ledger.db" "$1"; }

# No exchange of an agent is in the ledger twice: a client ends no two of one kind at one instant.
doubles() {
	rows "select count(*) from (select 1 from event group by agent, client, kind, xid, t_us, flags having count(*) > 1)"
}

judge_books() { # NAME CLIENTS
	expect "$1: PASS" "$code" == 0
	ask "$1: every client has leased" .leases.acquired == "$2"
	ask "$1: none expired" .leases.expired == 0
	ask "$1: nothing missing" .accounting.missing == 0
	ask "$1: agents' events are the ledger's" '.accounting.agent_events - .accounting.ledger_events' == 0
	ask "$1: the ledger has what the report counts" .accounting.ledger_events == "$(rows 'select count(*) from event')"
	expect "$1: no row twice" "$(doubles)" == 0
	ask "$1: no address twice" .addresses.duplicate == 0
	ask "$1: all released" .accounting.released == "$2"
	ask "$1: received.ack as captured" .messages.received.ack == "$(received_on_wire 5 2)"
	ask "$1: received.offer as captured" .messages.received.offer == "$(received_on_wire 2 2)"
	ask "$1: it is said" '[.findings[] | select(.id == "coordinator-resumed")] | length' '>=' 1
	expect "$1: the ledger is whole" "$(rows 'pragma integrity_check')" == ok
	audited "$1: the audit against the captures is clean" --pcap "$work/a1.pcap" --pcap "$work/a2.pcap"
}

killed_in_the_hold() { # isc|kea
	fleet_begin --servers "$1" --failover --agents 2 --lease "$lease"
	clients_extra=', renew_retry: 4s' scenario "$work/$1.yaml" 2 "$each" 300 "$hold" "${lease}s"
	egress "$work/$1.yaml"
	capture a1 start
	capture a2 start
	start_agents 2
	begin_run "$1" "$work/$1.yaml" 2
	check "$1: the hold begins" until_log 'stage=keep' 240
	sleep 8
	kill_coordinator
	sleep 3
	resume_run
	end_run
	cat "$run.err2" >>"$run.err"
	capture a1 stop
	capture a2 stop
	judge_books "$1" $((2 * each))
	"$bin/leaseherd" resume "$run" 2>"$work/again" && fail "$1: resumed twice"
	check "$1: what is over is not resumed" grep -q 'the run is over' "$work/again"
	((failed == 0)) || show_run
}

# Killed again and again: while clients acquire, in the hold, in the drain.
killed_often() {
	release=100/s scenario "$work/often.yaml" 2 300 20 10s "${lease}s"
	capture a1 start
	capture a2 start
	begin_run often "$work/often.yaml" 2
	local pattern
	for pattern in 'stage=peak step=1' 'stage=peak step=3' 'stage=keep' 'phase=drain'; do
		check "often: $pattern" until_log "$pattern" 90
		sleep 0.3
		kill_coordinator
		resume_run
	done
	end_run
	cat "$run.err2" >>"$run.err"
	capture a1 stop
	capture a2 stop
	judge_books often 600
	((failed == 0)) || show_run
}

# There is something to go on with, but not here and now: not exit code 2, which gives a run up.
not_now() { # TEXT PATTERN [FLAGS...]
	local text=$1 pattern=$2
	shift 2
	code=0
	timeout 20 "$lab" exec "$name/op" "$bin/leaseherd" resume "$run" "$@" 2>"$work/why" </dev/null || code=$?
	expect "lonely: not $text" "$code" == 6
	check "lonely: says why, $text" grep -qE -- "$pattern" "$work/why"
}

# Nobody comes back: the report of what is known, and what cannot be resumed is said.
nobody_comes_back() {
	scenario "$work/lonely.yaml" 2 100 50 60s "${lease}s"
	begin_run lonely "$work/lonely.yaml" 2
	check "lonely: the hold begins" until_log 'stage=keep' 60
	sleep 1 # the last leases are on their way
	not_now "while it is played" 'is being played at this moment'
	kill_coordinator
	stop_agents
	not_now "without its keys" 'nowhere/coordinator.key.*--keys names the directory' --keys "$work/nowhere"
	not_now "where its address is not" 'cannot listen on [^ ]*192.0.2.77' --listen 192.0.2.77
	resume_run --wait 3s
	end_run
	expect "lonely: ABORTED" "$code" == 4
	ask "lonely: the ledger's leases are in the report" .leases.acquired == 200
	ask "lonely: its clients are lost" .accounting.lost_with_agent == 200
	mkdir "$work/empty"
	code=0
	"$bin/leaseherd" resume "$work/empty" 2>"$work/why" || code=$?
	expect "no run: usage" "$code" == 2
	check "no run: says so" grep -q 'is not a run directory' "$work/why"
	((failed == 0)) || show_run
}

# A search cannot go on; it ends in order, with the report, and gives its leases back.
killed_in_a_search() {
	stages=$'  - name: limit\n    search: {between: [5/s, 20/s], step: 5s, within: 2s, answered: 90%}\n' \
		judge=$'  - addresses.duplicate == 0\n' scenario "$work/search.yaml" 2 100 50 0 "${lease}s"
	begin_run search "$work/search.yaml" 2
	check "search: its first step" until_log 'what=round round=1' 60
	sleep 1
	kill_coordinator
	resume_run
	end_run
	expect "search: ABORTED" "$code" == 4
	ask "search: it says why" '.verdict.reasons | tostring | test("search, which cannot be resumed")' == true
	ask "search: nothing is left bound" .accounting.bound == 0
	((failed == 0)) || show_run
}

# A stage that was missed is no stop: a run that is resumed after it can still be stopped.
killed_after_a_missed_stage() {
	scenario "$work/missed.yaml" 2 200 50 120s "${lease}s"
	sed -i 's|acquire: {batch: 50}|acquire: {rate: 20/s}, timeout: 5s|' "$work/missed.yaml"
	begin_run missed "$work/missed.yaml" 2
	check "missed: the hold begins" until_log 'stage=keep' 60
	kill_coordinator
	resume_run
	check "missed: it goes on" until_log 'what=resumed' 20
	sleep 2
	"$lab" exec "$name/op" "$bin/leaseherd" stop "$run" --wait 40s >"$work/stop" 2>&1 || true
	check "missed: it can be stopped" grep -q '^stopped' "$work/stop"
	end_run
	expect "missed: ABORTED" "$code" == 4
	((failed == 0)) || show_run
}

for pair in ${RESUME_SERVERS:-isc}; do killed_in_the_hold "$pair"; done
if [[ -z ${RESUME_SERVERS:-} ]]; then
	killed_often
	killed_in_a_search
	killed_after_a_missed_stage
	nobody_comes_back
fi
fleet_end
