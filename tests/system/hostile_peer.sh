#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Peers that wish the coordinator ill, while honest fleets run: strangers without a key, a listed one that is no agent of
# the run, a second process with an agent's key, agents of the run that lie. And the coordinator an agent trusts, gone
# mad. All at once, each on hosts and ports of its own.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Sanitizers see what a test does not: their build where there is one.
if [[ -z ${LEASEHERD_BIN:-} && -x $top/build/asan/bin/leaseherd-agent && -x $top/build/asan/bin/leaseherd ]]; then
	export LEASEHERD_BIN=$top/build/asan/bin
fi
source "$(dirname "$0")/../support/fleet.bash"

readonly SERVER=192.168.1.12 CLIENTS=30 LONGEST_S=100 LOG_LINES_MAX=150 HOSTILE_S=90 STRANGER_S=12
hostile=$bin/leaseherd-hostile-peer
# What a peer that is killed in mid-sentence leaves behind is libzmq's affair.
unleaked=(env ASAN_OPTIONS=detect_leaks=0)

[[ -x $hostile ]] || {
	echo "$0: $hostile is missing: it is built with the tests" >&2
	exit 1
}

# An agent of the run that lies; the exit codes that are right. Never PASS when it stays: what it says does not add up.
# Who breaks the protocol is lost, and the run goes on without (`continue`): then the report says so.
members=(
	'progress 3'
	'done 3'
	'clock 3'
	'foreign 0,1,3'
	'beyond 0,1,3'
	'future 0,1,3'
	'eternity 0,1,3'
	'stage 0,1,3'
	'gaps 3'
	'snapshots 3'
	'preflight 3'
	'refuse-prepare 2'
	'refuse-preflight 0,1,3'
	'refuse 0,1,3'
	'noise 0,1,3,4'
	'mute 0,1,3'
	'search-done 3'
	'search-rounds 3'
	'search-endless 3'
	'search-counters 3'
	'search-events 0,3'
)
# Bounded by the coordinator's timeouts alone, 40 s.
[[ $tier != all ]] || members+=('endless 3')

address() { printf '172.16.%d.3' $((7 + $1)); }
port() { echo $((7000 + 4 * $1)); }

scenario_of() { # FILE RELAY RELAY
	cat >"$1" <<-YAML
		leaseherd: 1
		scenario: $(basename "$1" .yaml)
		servers:
		  a: {address: $SERVER}
		network:
		  block: 10.10.0.0/16
		  client_path: egress
		  relays:
		    - {name: r1, giaddr: $(address "$2"), subnet: 10.10.0.0/16, clients: $CLIENTS}
		    - {name: r2, giaddr: $(address "$3"), subnet: 10.10.0.0/16, clients: $CLIENTS}
		clients: {seed: 1, identity: fresh, fuzz: 0}
		expect: {lease: 12s}
		limits: {packets: 2000/s, time: 2m}
		run:
		  - {name: peak, acquire: {batch: 20, tries: 2, deadline: 5s}, timeout: 20s}
		  - {name: keep, hold: ${hold:-7s}}
		judge:
		  - leases.failed == 0
		  - addresses.duplicate == 0
		cleanup: {release: 1000/s, on: [end, stop, fail]}
		on_agent_loss: continue
	YAML
	[[ $1 != */search-* ]] || sed -i 's/^  - {name: keep, hold: .*/  - name: most\
    search: {rates: [4\/s, 8\/s], mix: {acquire: 0, renew: 1}, bound: 60, step: 2s, within: 500ms, answered: 99%}/
		s/lease: 12s/lease: 600s/; s/time: 2m/time: 80s/; s/^  - addresses.duplicate.*//' "$1"
}

coordinator_of() { # NAME RELAY RELAY
	local file=$work/$1.yaml began=$SECONDS status=0 skip=()
	scenario_of "$file" "$2" "$3"
	# A search wants leases that outlast it; this lab's are shorter than the scenario says.
	[[ $1 != search-* ]] || skip=(--no-preflight lease-time)
	timeout -k 5 "$LONGEST_S" "$lab" exec "$name/op" "$bin/leaseherd" run "$file" --agents 2 \
		--listen "172.16.7.2:$(port "$2")" --keys "$work/keys" --operator-key "$work/keys/operator-lab.key" --run-dir "$work/run-$1" \
		"${skip[@]}" </dev/null >"$work/run-$1.out" 2>"$work/run-$1.err" || status=$?
	echo "$status $((SECONDS - began))" >"$work/run-$1.code"
}

agent_of() { # HOST PORT
	setsid "$lab" exec "$name/a$1" "$bin/leaseherd-agent" --coordinator "172.16.7.2:$2" \
		--server-key "$work/keys/coordinator.pub" --key "$work/a$1/key" --policy "$work/a$1/policy.yaml" \
		--state-dir "$work/a$1/state" </dev/null >"$work/a$1.err" 2>&1 &
	agent_pid[$1]=$!
}

peer_of() { # HOST ROLE MODE PORT KEY-OF OUT [SECONDS]: hostile from that host
	setsid "$lab" exec "$name/a$1" "${unleaked[@]}" "$hostile" "$2" "$3" 172.16.7.2 "$4" "$(address "$1")" "${7:-$HOSTILE_S}" \
		"$work/a$5/key" "$work/keys/coordinator.pub" </dev/null >"$6" 2>&1 &
	agent_pid[1000 + ${#agent_pid[@]}]=$!
}

# The key pairs of all hosts at once: one process each would take longer than the test.
enrol_all() {
	local i
	for ((i = 1; i <= $1; i++)); do enrol "$i"; done
	{
		printf 'servers: [%s]\nprefixes: [%s/32, %s, 10.10.0.0/16]\npackets: 200/s\nclients: 50\nrun_time: 30s\n' \
			"$SERVER" "$(address "$mad")" "172.16.$((7 + mad)).0/24"
		operators
	} >"$work/a$mad/policy.yaml"
	{
		printf 'servers: [%s]\nprefixes: [%s, 10.10.0.0/16]\npackets: 200/s\nclients: 50\nrun_time: 30s\n' \
			"$SERVER" "172.16.$((7 + overtime)).0/24"
		operators
	} >"$work/a$overtime/policy.yaml"
}

sanitizer_said() { # FILE...
	grep -sE 'ERROR: (Address|Leak)Sanitizer|runtime error:|Assertion .* failed' "$@"
}

healthy() { # TEXT FILE...
	local text=$1
	shift
	check "$text: no sanitizer, no assertion" bash -c "$(declare -f sanitizer_said); ! sanitizer_said $*"
}

events_of() { "$bin/leaseherd" export "$run" | awk -F, -v agent="$1" "$2"; }

# ---- what is started ----

n=${#members[@]}
mad=$((2 * n + 1)) overtime=$((2 * n + 2)) calm1=$((2 * n + 3)) calm2=$((2 * n + 4)) stranger=$((2 * n + 5))
fleet_begin --servers none --agents "$stranger"
enrol_all "$stranger"
words=()
for ((i = 1; i <= stranger; i++)); do words+=("$(address "$i")=honest"); done
"$lab" exec "$name/s1" python3 "$top/tests/support/hostile_server.py" "$SERVER" "${words[@]}" >"$work/server.log" 2>&1 &
agent_pid[990]=$!
capture s1 start
capture "a$mad" start
capture "a$overtime" start

for i in "$mad" "$overtime"; do
	mode=all
	((i == mad)) || mode=overtime
	printf 'leaseherd-curve-public 1\npublic %s\n' "$(sed -n 's/^public //p' "$work/a$i/key")" >"$work/a$i/public"
	"$lab" exec "$name/op" "$hostile" coordinator "$mode" 172.16.7.2 "$(port "$i")" "$(address "$i")" 0 \
		"$work/keys/coordinator.key" "$work/a$i/public" "$work/keys/operator-lab.key" >"$work/mad-$mode.out" 2>"$work/mad-$mode.err" &
	mad_pid[i]=$!
	agent_of "$i" "$(port "$i")"
done

waiting=()
hold=12s coordinator_of calm "$calm1" "$calm2" &
waiting+=($!)
for ((i = 0; i < n; i++)); do
	coordinator_of "${members[i]%% *}" $((2 * i + 1)) $((2 * i + 2)) &
	waiting+=($!)
done
sleep 1
agent_of "$calm1" "$(port "$calm1")"
agent_of "$calm2" "$(port "$calm1")"
for ((i = 0; i < n; i++)); do
	agent_of $((2 * i + 1)) "$(port $((2 * i + 1)))"
	peer_of $((2 * i + 2)) member "${members[i]%% *}" "$(port $((2 * i + 1)))" $((2 * i + 2)) "$work/member-$i.out"
done
run=$work/run-calm
for ((i = 0; i < 300; i++)); do
	! grep -qs 'phase=preflight' "$run/coordinator.log" || break
	sleep 0.1
done
peer_of "$stranger" stranger - "$(port "$calm1")" "$stranger" "$work/stranger.out" "$STRANGER_S"
peer_of "$stranger" stranger - "$(port "$calm1")" "$calm1" "$work/twin.out" "$STRANGER_S"
peer_of "$stranger" outsider - "$(port "$calm1")" "$stranger" "$work/outsider.out" "$STRANGER_S"
wait "${waiting[@]}"
for i in "$mad" "$overtime"; do wait "${mad_pid[i]}" || true; done
capture "a$mad" stop
capture "a$overtime" stop

# ---- what is asked ----

read -r status took <"$run.code"
expect "calm: PASS among strangers" "$status" == 0
ask "calm: every lease" .leases.acquired == $((2 * CLIENTS))
ask "calm: released" .accounting.released == $((2 * CLIENTS))
expect "calm: the log is no flood" "$(wc -l <"$run/coordinator.log")" '<' "$LOG_LINES_MAX"
check "calm: the refusals are told" grep -q 'what=agent_refused' "$run/coordinator.log"
for who in stranger twin outsider; do check "calm: $(<"$work/$who.out")" grep -q '^ok' "$work/$who.out"; done
healthy calm "$run.err" "$run.out" "$run/coordinator.log" "$work/a$calm1.err" "$work/a$calm2.err"

for ((i = 0; i < n; i++)); do
	read -r mode codes <<<"${members[i]}"
	run=$work/run-$mode
	read -r status took <"$run.code"
	check "$mode: ends with $codes ($status after $took s)" grep -qw -- "$status" <<<"${codes//,/ }"
	healthy "$mode" "$run.err" "$run.out" "$run/coordinator.log" "$work/a$((2 * i + 1)).err"
	expect "$mode: the log is no flood" "$(wc -l <"$run/coordinator.log")" '<' "$LOG_LINES_MAX"
	[[ $mode != search-* ]] || check "$mode: the search was played" grep -q 'what=search_step' "$run/coordinator.log"
	[[ -r $run/report.json ]] || continue
	((status != 0)) || ask "$mode: the lost agent is named" '[.findings[].id] | index("agent-lost") != null' == true
	ask "$mode: says why" '.verdict.reasons | length' '>=' 1
	expect "$mode: nothing in another's name" "$(events_of "a$((2 * i + 2))" \
		'NR == 1 { for (f = 1; f <= NF; f++) column[$f] = f }
		NR > 1 && $column["agent"] == agent && $column["relay"] == "r1" { n++ } END { print n + 0 }')" == 0
	[[ $mode == refuse-pre* ]] || expect "$mode: the honest agent's leases" "$(events_of "a$((2 * i + 1))" \
		'NR == 1 { for (f = 1; f <= NF; f++) column[$f] = f }
		NR > 1 && $column["agent"] == agent && $column["kind"] == "acquire" && $column["stage"] != "preflight" &&
			$column["result"] == "ack" { n++ } END { print n + 0 }')" == "$CLIENTS"
done

sent_between() { # HOST FROM UNTIL: packets of that agent
	count_packets "$1" "ip.src == $(address "${1#a}") && udp.dstport == 67 &&
		frame.time_epoch >= $2 && frame.time_epoch <= $3"
}

for mode in all overtime; do
	host=$mad
	[[ $mode == all ]] || host=$overtime
	check "mad $mode: came to its end" grep -q '^end 0$' "$work/mad-$mode.out"
	while read -r word rest; do
		case $word in
		ok) pass "mad: $rest" ;;
		FAIL) fail "mad: $rest" ;;
		quiet)
			read -r from until text <<<"$rest"
			expect "mad: $text" "$(sent_between "a$host" "$from" "$until")" == 0
			;;
		esac
	done <"$work/mad-$mode.out"
	healthy "mad $mode" "$work/mad-$mode.err" "$work/mad-$mode.out" "$work/a$host.err"
	check "mad $mode: the agent still runs" still_ours "${agent_pid[host]}"
	expect "mad $mode: its log is no flood" "$(wc -l <"$work/a$host.err")" '<' "$LOG_LINES_MAX"
	expect "mad $mode: nothing to another server" "$(count_packets "a$host" \
		"ip.src == $(address "$host") && ip.dst != $SERVER && udp.port in {67, 68}")" == 0
	expect "mad $mode: nothing from another address" "$(count_packets "a$host" \
		"udp.dstport == 67 && ip.src != $(address "$host") && ip.src != $SERVER")" == 0
	# 200 packets/s, and a bucket of 10 ms
	expect "mad $mode: busiest second" "$(tshark -n -r "$work/a$host.pcap" -Y "ip.src == $(address "$host") && udp" \
		-T fields -e frame.time_epoch 2>/dev/null | awk '{ n[int($1)]++ } END { m = 0
			for (s in n) if (n[s] > m) m = n[s]; print m }')" '<=' 210
	expect "mad $mode: clients seen" "$(tshark -n -r "$work/a$host.pcap" -Y "ip.src == $(address "$host") && dhcp" \
		-T fields -e dhcp.hw.mac_addr 2>/dev/null | sort -u | wc -l)" '<=' 50
done

fleet_end
