#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Observers that wish a run ill, all of them at once beside an honest one: wild and damaged values, times that cannot be,
# floods, a band that flaps, addresses that change or are those of a server elsewhere, a second process of a name, the
# wrong role both ways, and one that says what only agents may. The run passes as it would without them, and what is
# kept of each is bounded.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Sanitizers see what a test does not: their build where there is one.
if [[ -z ${LEASEHERD_BIN:-} && -x $top/build/asan/bin/leaseherd-agent && -x $top/build/asan/bin/leaseherd ]]; then
	export LEASEHERD_BIN=$top/build/asan/bin
fi
source "$(dirname "$0")/../support/fleet.bash"

readonly SERVER=192.168.1.12 HOLD_S=12 OBSERVED_S=45 LOG_LINES_MAX=200
modes=(honest liar flood damaged wild future past flap addresses impostor)
unleaked=(env ASAN_OPTIONS=detect_leaks=0) # what libzmq leaves when it is killed in mid-sentence is its own affair
hostile=$bin/leaseherd-hostile-peer
[[ -x $hostile ]] || {
	echo "$0: $hostile is missing: it is built with the tests" >&2
	exit 1
}

key_of() { # NAME ROLE: a pair and its line in agents.allow
	"$bin/leaseherd" keys agent "$1" --role "$2" --keys "$work/keys" >/dev/null
}

observer() { # MODE KEY ADDRESS: in the background; says "ok ..." or "FAIL ..." in the end
	"$lab" exec "$name/op" "${unleaked[@]}" "$hostile" observer "$1" 172.16.7.2 6767 "$3" "$OBSERVED_S" \
		"$work/keys/$2.key" "$work/keys/coordinator.pub" </dev/null >"$work/o-$1" 2>&1 &
	observers+=("$!")
}

fleet_begin --servers isc --agents 1 --lease 12
start_agent 1
cat >"$work/calm.yaml" <<-YAML
	leaseherd: 1
	scenario: calm
	servers:
	  a: {address: $SERVER}
	network:
	  block: 10.10.0.0/16
	  client_path: egress
	  relays:
	    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 60}
	clients: {seed: 1, identity: fresh, fuzz: 0}
	expect: {lease: 12s}
	limits: {packets: 2000/s, time: 2m}
	run:
	  - {name: peak, acquire: {batch: 20}, timeout: 20s}
	  - {name: keep, hold: ${HOLD_S}s}
	judge:
	  - leases.failed == 0
	cleanup: {release: 1000/s, on: [end, stop, fail]}
YAML
for mode in "${modes[@]}" agent; do key_of "$mode" observer; done
key_of agent-key agent
egress "$work/calm.yaml"
observers=()
for mode in "${modes[@]}"; do observer "$mode" "$mode" "$([[ $mode == honest || $mode == liar ]] && echo "$SERVER" || echo 10.9.9.9)"; done
observer agent agent "$SERVER"
observer key-of-agent agent-key "$SERVER"
sleep 2
began=$SECONDS
begin_run calm "$work/calm.yaml" 1
sleep 3 # the first honest one has been heard by now
observer twin honest "$SERVER"
end_run
lasted=$((SECONDS - began))
for pid in "${observers[@]}"; do wait "$pid" || true; done

expect 'the run passes as it would without them' "$code" == 0
ask 'none of them counts as an agent' '[.agents[].name] | join(" ")' == a1
for mode in "${modes[@]}" agent key-of-agent twin; do
	check "$mode was dealt with as it should: $(tail -n 1 "$work/o-$mode")" grep -q '^ok' "$work/o-$mode"
done
ask 'every one that was let in is reported, once' '[.observers[].name] | sort | join(" ")' == \
	"$(printf '%s\n' "${modes[@]}" | sort | paste -sd' ')"
ask 'only the honest one and the liar say they watch the server' \
	'[.observers[] | select(.server != null).name] | sort | join(" ")' == 'honest liar'
ask 'which is told, once' '[.timeline.marks[].text | select(test("both say they are on server a"))] | length' == 1
ask 'so what the liar tells is no finding' \
	'[.findings[].id | select(. == "fsync-bound" or . == "peer-holds-all-free-leases")] | length' == 0
ask 'and no fact' '.facts.servers.a | "\(.log_peer_holds) \(.fsync_busiest)"' == 'null null'
ask 'and has a frame a second' '.observers[] | select(.name == "honest") | .frames >= (.last_s - .first_s) * 0.9' == true
ask 'its ten ACKs a second are seen' \
	'.observers[] | select(.name == "honest") | .metrics[] | select(.name == "log_acks") | .difference > 50' == true
ask 'what it could not have is no 0' \
	'.observers[] | select(.name == "honest") | .metrics[] | select(.name == "wait_fsync") | "\(.availability) \(.last)"' == \
	'no_permission null'
ask 'its series is on the time axis' \
	'.timeline.series["observer.honest.log_acks"].values | map(select(. != null)) | (add / length) | . > 9 and . < 11' == true
ask 'of a flood two frames a second are kept, and ten at once' \
	".observers[] | select(.name == \"flood\") | .frames <= 2 * $lasted + 12 and .frames > 10" == true
ask 'nothing is dated beyond the run' \
	'.run.duration_s as $over | [.observers[] | select(.frames > 0) | .last_s <= $over + 1] | all' == true
ask 'a band that flaps is bounded' '[.observers[].failover | length] | max <= 256' == true
ask 'the time axis is not filled with what they say' '.timeline.marks | length < 120' == true
expect 'the report stays small' "$(stat -c %s "$run/report.json")" '<' 2000000
expect 'so does the log' "$(wc -l <"$run/coordinator.log")" '<' "$LOG_LINES_MAX"
kept=$(sqlite3 "$run/ledger.db" 'SELECT count(*) FROM journal WHERE length(bytes) > 0')
expect 'and the ledger' "$kept" '<' "$(((2 * lasted + 12) * ${#modes[@]} + 100))"
check 'the report keeps its schema' python3 "$top/tests/support/check_schema.py" "$top/deploy/report.schema.json" "$run/report.json"
check 'the audit finds nothing' "$bin/leaseherd" audit "$run"
check 'no sanitizer, no assertion' bash -c "! grep -sE 'ERROR: (Address|Leak)Sanitizer|runtime error:|Assertion .* failed' '$run.err' '$work'/o-*"
fleet_end
