#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# DHCP servers that are broken or hostile, one kind per agent host, all at once. Whatever they send: nothing crashes,
# every packet is in one type bin and one fate bin, no foreign address is requested, the run ends in time and says why.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Sanitizers see what a test does not: their build where there is one.
if [[ -z ${LEASEHERD_BIN:-} && -x $top/build/asan/bin/leaseherd-agent && -x $top/build/asan/bin/leaseherd ]]; then
	export LEASEHERD_BIN=$top/build/asan/bin
fi
source "$(dirname "$0")/../support/fleet.bash"

readonly SERVER=192.168.1.12 CLIENTS=40 LONGEST_S=70

# mode; exit codes that are right; the findings of which one must be there (- none asked)
modes=(
	'honest 0 -'
	'garbage 5 -'
	'truncated 5 -'
	'options 5 -'
	'wrong_xid 5 -'
	'wrong_chaddr 5 -'
	'other_giaddr 5 -'
	'zero_yiaddr 5 -'
	'multicast 5 -'
	'outside_block 4 foreign-offer'
	'strange_server 4 foreign-offer'
	'offers_only 5 -'
	'nak_discover 5 -'
	'nak_all 5 -'
	'late-garbage 1 canary-failed'
	'late-options 1 canary-failed'
	'late-wrong_xid 1 canary-failed'
	'late-outside_block 4 foreign-offer'
	'late-strange_server 4 foreign-offer'
	'late-outside_ack 1,4 -'
	'late-other_ack 0,1,3 -'
	'late-lease_zero 0,1 lease-time'
	'late-lease_infinite 0,1 lease-time'
	'late-lease_one 0,1 lease-time'
	'late-timers 0 -'
	'late-nak_all 1 -'
	'late-ack_after_nak 1 -'
	'late-nak_after_ack 0,1 -'
	'late-repeat 0 -'
	'late-other_port 0,1,3 -'
	'late-same_address 1 -'
	'late-offers_only 1 canary-failed'
	'late-silent 1 server-silent|canary-failed'
	'late-mixture 0,1,3 -'
	'late-flood 0,1,3 -'
)

giaddr() { printf '172.16.%d.3' $((7 + $1)); }

scenario_of() { # FILE RELAY
	cat >"$1" <<-YAML
		leaseherd: 1
		scenario: $(basename "$1" .yaml)
		servers:
		  a: {address: $SERVER}
		network:
		  block: 10.10.0.0/16
		  client_path: egress
		  relays:
		    - {name: r, giaddr: $(giaddr "$2"), subnet: 10.10.0.0/16, clients: $CLIENTS}
		clients: {seed: 1, identity: fresh, fuzz: 0}
		expect: {lease: 12s}
		limits: {packets: 2000/s, time: 2m}
		run:
		  - {name: peak, acquire: {batch: 20, tries: 2, deadline: 5s}, timeout: 20s}
		  - {name: keep, hold: 8s}
		judge:
		  - leases.failed == 0
		  - leases.expired == 0
		  - addresses.duplicate == 0
		cleanup: {release: 1000/s, on: [end, stop, fail]}
	YAML
}

run_one() { # NUMBER MODE: leaves its exit code and how long it took
	local file=$work/$2.yaml began=$SECONDS status=0
	scenario_of "$file" "$1"
	timeout -k 5 "$LONGEST_S" "$lab" exec "$name/a$1" "$bin/leaseherd" run "$file" --local 1 --run-dir "$work/run-$2" \
		</dev/null >"$work/run-$2.out" 2>"$work/run-$2.err" || status=$?
	echo "$status $((SECONDS - began))" >"$work/run-$2.code"
}

sanitizer_said() { # DIRECTORY-PREFIX
	grep -lsE 'ERROR: (Address|Leak)Sanitizer|runtime error:|Assertion .* failed' "$1".err "$1".out "$1"/*/agent.log "$1"/*.log
}

# Sums of what was received, by type and by fate, and what our sockets dropped.
bins() { # by type | by fate | dropped
	report '[.messages.received | .[]] | add' && report '[.messages.fate | .[]] | add' &&
		report '[.agents[].rx_drops] | add'
}

judge_one() { # NUMBER MODE CODES FINDING
	local mode=$2 status took types fates drops wire
	run=$work/run-$mode
	read -r status took <"$run.code"
	check "$mode: ends with $3 ($status after $took s)" grep -qw -- "$status" <<<"${3//,/ }"
	check "$mode: no sanitizer, no assertion" bash -c "! $(declare -f sanitizer_said); ! sanitizer_said '$run'"
	[[ -r $run/report.json ]] || {
		fail "$mode: no report: $(tail -n 2 "$run.err")"
		return 0
	}
	[[ $4 == - ]] || ask "$mode: the finding" "[.findings[].id | select(test(\"^($4)\$\"))] | length" '>=' 1
	((status == 0)) || ask "$mode: says why" '.verdict.reasons | length' '>=' 1
	{ read -r types && read -r fates && read -r drops; } < <(bins)
	wire=$(grep -cx "$(giaddr "$1")" "$work/wire") || true
	expect "$mode: types and fates agree" "$types" == "$fates"
	expect "$mode: every packet on the wire is counted ($types and $drops dropped)" $((types + drops)) == "$wire"
}

fleet_begin --servers none --agents "${#modes[@]}"
words=()
for i in "${!modes[@]}"; do
	read -r mode _ <<<"${modes[i]}"
	words+=("$(giaddr $((i + 1)))=$mode")
done
"$lab" exec "$name/s1" python3 "$top/tests/support/hostile_server.py" "$SERVER" "${words[@]}" >"$work/server.log" 2>&1 &
agent_pid[90]=$!
capture s1 start
jobs_of_runs=()
for i in "${!modes[@]}"; do
	read -r mode _ <<<"${modes[i]}"
	run_one $((i + 1)) "$mode" &
	jobs_of_runs+=($!)
done
wait "${jobs_of_runs[@]}"
capture s1 stop
check "the server served to the end" still_ours "${agent_pid[90]}"
check "the server made no mistake of its own" bash -c "! grep -q Traceback '$work/server.log'"

tshark -n -r "$work/s1.pcap" -Y "ip.src == $SERVER && udp.dstport in {67, 68}" -T fields -e ip.dst 2>/dev/null >"$work/wire"
for i in "${!modes[@]}"; do
	read -r mode codes finding <<<"${modes[i]}"
	judge_one $((i + 1)) "$mode" "$codes" "$finding"
done

# What was asked for: nothing outside the block, nothing of another server.
expect "no foreign address was requested" "$(count_packets s1 \
	"dhcp.type == 1 && dhcp.option.requested_ip_address && !(dhcp.option.requested_ip_address == 10.10.0.0/16)")" == 0
expect "no strange server was asked" "$(count_packets s1 \
	"dhcp.type == 1 && dhcp.option.dhcp_server_id && dhcp.option.dhcp_server_id != $SERVER")" == 0

run=$work/run-late-same_address
ask "late-same_address: the duplicate was found" .addresses.duplicate '>=' 1
run=$work/run-late-repeat
ask "late-repeat: repetitions are duplicates" .messages.fate.duplicate '>' 500
run=$work/run-late-other_port
ask "late-other_port: seen" .messages.wrong_source_port '>' 0
fleet_end
