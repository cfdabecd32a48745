#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the cases in tests/net and tests/system share: a lab, keys, agents, a run, and questions about its report.
# A case sources this file, calls fleet_begin, and ends with fleet_end, which prints "N passed, N failed".
# shellcheck disable=SC2034 # variables are for the cases
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${LEASEHERD_BIN:-$top/build/release/bin}
lab=$top/deploy/lab/lab
tier=${LEASEHERD_TIER:-short} # short | all
name=f$$
work=$(mktemp -d)
passed=0
failed=0
agent_pid=() # by number, from 1
run=''       # directory of the latest run
code=0       # its exit code

((EUID == 0)) || {
	echo "$0: needs root, for network namespaces" >&2
	exit 1
}
for need in "$bin/leaseherd" "$bin/leaseherd-agent"; do
	[[ -x $need ]] || {
		echo "$0: $need is missing: build it first (cmake --preset release && cmake --build --preset release)" >&2
		exit 1
	}
done
for need in jq tshark tcpdump nft; do
	command -v "$need" >/dev/null || {
		echo "$0: $need is missing: run deploy/install-deps test" >&2
		exit 1
	}
done

# A child that has ended is reaped at once, and its number may be somebody else's by now.
still_ours() { # PID, or nothing
	[[ -n $1 ]] && jobs -rp | grep -x -- "$1" >/dev/null
}

# What a case has to end or undo besides; it defines this anew. A trap of its own would lose the exit code.
at_exit() { :; }

fleet_cleanup() {
	local got=$? pid
	trap - EXIT
	at_exit || true
	for pid in "${agent_pid[@]}"; do
		still_ours "$pid" || continue
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true # so that the shell does not say so after the last line
	done
	"$lab" down "$name" || true
	if ((failed > 0 || got != 0)) && [[ -n ${LEASEHERD_KEEP:-} ]]; then
		echo "kept: $work"
	else
		rm -rf -- "$work"
	fi
	exit "$got"
}
trap fleet_cleanup EXIT

# ---- checks ----

pass() {
	passed=$((passed + 1))
	printf 'ok    %s\n' "$1"
}

fail() {
	failed=$((failed + 1))
	printf 'FAIL  %s\n' "$*"
}

# check TEXT COMMAND...
check() {
	local text=$1
	shift
	if "$@"; then pass "$text"; else fail "$text: $*"; fi
}

# expect TEXT GOT OP WANT, by numbers or words: == != < <= > >=
expect() {
	if jq -en --arg a "$2" --arg b "$4" \
		"(\$a | tonumber? // \$a) as \$x | (\$b | tonumber? // \$b) as \$y |
		 (\$x | type) == (\$y | type) and (\$x $3 \$y)" >/dev/null; then
		pass "$1 ($2)"
	else
		fail "$1: $2, wanted $3 $4"
	fi
}

# report FILTER: a value of the latest run's report.json
report() { jq -r "$1" "$run/report.json"; }

# ask TEXT FILTER OP WANT
ask() {
	local got
	got=$(report "$2" 2>&1) || got="error: $got"
	expect "$1" "$got" "$3" "$4"
}

fleet_end() {
	printf '\n%d passed, %d failed\n' "$passed" "$failed"
	((failed == 0))
}

# ---- lab, keys, agents ----

# fleet_begin LAB-OPTIONS...: lab up, coordinator keys
fleet_begin() {
	"$lab" up "$name" "$@"
	"$bin/leaseherd" keys init --keys "$work/keys" >/dev/null
	"$bin/leaseherd" keys operator lab --keys "$work/keys" >/dev/null
}

# What makes a policy trust the lab's operator
operators() { printf 'operators: {lab: {key: %s}}\n' "$(sed -n 's/^public //p' "$work/keys/operator-lab.pub")"; }

egress() { # SCENARIO: the client path most cases use
	"$bin/leaseherd" testbed "$1" show >"$work/testbed"
	"$lab" testbed "$name" egress apply --rules "$work/testbed"
}

enrol() { # I: makes the pair where the agent lives
	local public
	[[ ! -d $work/a$1 ]] || return 0
	mkdir -m 0700 "$work/a$1" "$work/a$1/state"
	public=$("$lab" exec "$name/a$1" "$bin/leaseherd-agent" keygen "$work/a$1/key")
	"$bin/leaseherd" keys agent "a$1" --public "$public" --keys "$work/keys" >/dev/null
	{
		printf 'servers: [192.168.1.12, 192.168.2.12]\nprefixes: [172.16.0.0/16, 10.0.0.0/8]\n%s' "${policy_extra:-}"
		operators
	} >"$work/a$1/policy.yaml"
	chmod 0600 "$work/a$1/policy.yaml"
}

start_agent() { # I [FLAGS...]
	local i=$1
	shift
	enrol "$i"
	setsid "$lab" exec "$name/a$i" "$bin/leaseherd-agent" --coordinator 172.16.7.2 \
		--server-key "$work/keys/coordinator.pub" --key "$work/a$i/key" --policy "$work/a$i/policy.yaml" \
		--state-dir "$work/a$i/state" "$@" </dev/null >>"$work/a$i/log" 2>&1 &
	agent_pid[i]=$!
}

start_agents() { # N
	local i
	for ((i = 1; i <= $1; i++)); do start_agent "$i"; done
}

stop_agents() {
	local i
	for i in "${!agent_pid[@]}"; do
		[[ -n ${agent_pid[i]} ]] || continue
		kill -TERM "${agent_pid[i]}" 2>/dev/null || true
		wait "${agent_pid[i]}" 2>/dev/null || true
		agent_pid[i]=''
	done
}

# ---- runs ----

# begin_run NAME SCENARIO AGENTS [FLAGS...]: in the background; its pid is $coordinator
begin_run() {
	local scenario=$2 agents=$3
	run=$work/run-$1
	shift 3
	env --default-signal=INT setsid "$lab" exec "$name/op" "$bin/leaseherd" run "$scenario" --agents "$agents" \
		--listen 172.16.7.2 --keys "$work/keys" --operator-key "$work/keys/operator-lab.key" --run-dir "$run" "$@" </dev/null >"$run.out" 2>"$run.err" &
	coordinator=$!
}

end_run() {
	code=0
	wait "$coordinator" || code=$?
	if [[ ! -r $run/report.json ]]; then
		echo "the run wrote no report (exit code $code):" >&2
		tail -n 20 "$run.err" >&2
	fi
}

do_run() {
	begin_run "$@"
	end_run
}

# until_log PATTERN [SECONDS]: the coordinator's log says so
until_log() {
	local i
	for ((i = 0; i < ${2:-60} * 10; i++)); do
		if grep -qs -- "$1" "$run/coordinator.log"; then return 0; fi
		kill -0 "$coordinator" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

show_run() { # what a failed case wants to see
	[[ -r $run/report.txt ]] && head -n 60 "$run/report.txt"
	tail -n 5 "$run.err"
}

# ---- units ----

# The system calls a unit allows, one a line, as systemd adds its lines up.
calls_of_group() { # @GROUP
	local word
	while read -r word; do
		if [[ $word == @* ]]; then calls_of_group "$word"; else echo "$word"; fi
	done < <(systemd-analyze syscall-filter "$1" | sed 's/^ *//' | grep -vx -e "$1" -e '#.*' -e '')
}

calls_of_unit() { # FILE
	local -A allowed=()
	local line word call
	while read -r line; do
		for word in ${line#\~}; do
			while read -r call; do
				if [[ $line == \~* ]]; then unset "allowed[$call]"; else allowed[$call]=yes; fi
			done < <(if [[ $word == @* ]]; then calls_of_group "$word"; else echo "$word"; fi)
		done
	done < <(sed -n 's/^SystemCallFilter=//p' "$1")
	printf '%s\n' "${!allowed[@]}"
}

# ---- captures ----

capture() { "$lab" capture "$name" "$1" "$work/$1.pcap" "$2"; }

# count_packets HOST FILTER: packets of its capture that the display filter accepts
count_packets() { tshark -n -r "$work/$1.pcap" -Y "$2" -T fields -e frame.number 2>/dev/null | wc -l; }

# Messages that reached the agents' hosts by DHCP type (2 offer, 5 ack, 6 nak), summed over agents 1..N
received_on_wire() { # TYPE N
	local i sum=0
	for ((i = 1; i <= $2; i++)); do
		sum=$((sum + $(count_packets "a$i" "dhcp.option.dhcp == $1")))
	done
	echo "$sum"
}

# audited TEXT FLAGS...: the audit of the latest run finds no difference
audited() {
	local text=$1
	shift
	if "$bin/leaseherd" audit "$run" "$@" >"$work/audit.out" 2>&1; then
		pass "$text ($(grep '^compared: ' "$work/audit.out" | cut -c 11-120))"
	else
		fail "$text"
		head -n 12 "$work/audit.out" | sed 's/^/      /'
	fi
}

# ---- scenarios ----

# scenario FILE RELAYS CLIENTS-EACH BATCH HOLD [LEASE] [EXTRA-YAML-FILE]: relays share 10.10.0.0/16
scenario() {
	local i file=$1 relays=$2 each=$3 batch=$4 hold=$5 lease=${6:-60s}
	{
		printf 'leaseherd: 1\nscenario: %s\nservers:\n' "$(basename "$file" .yaml)"
		printf '  a: {address: 192.168.1.12}\n'
		[[ ${servers:-2} == 1 ]] || printf '  b: {address: 192.168.2.12}\n'
		printf 'network:\n  block: 10.10.0.0/16\n  client_path: %s\n  relays:\n' "${path:-auto}"
		for ((i = 1; i <= relays; i++)); do
			printf '    - {name: r%d, giaddr: 172.16.%d.3, subnet: %s, clients: %d}\n' "$i" $((7 + i)) \
				"$(subnet_of "$i")" "$each"
		done
		printf 'clients: {seed: %s, identity: %s%s}\n' "${seed:-1}" "${identity:-fresh}" "${clients_extra:-}"
		printf 'expect: {lease: %s%s}\nlimits: {packets: %s, time: 20m}\n' "$lease" "${expect_extra:-}" \
			"${packets:-20000/s}"
		printf 'run:\n  - {name: peak, acquire: {batch: %d%s}}\n' "$batch" "${acquire_extra:-}"
		[[ $hold == 0 ]] || printf '  - {name: keep, hold: %s}\n' "$hold"
		printf '%s' "${stages:-}"
		printf 'judge:\n%s' "${judge:-  - leases.failed == 0
  - leases.expired == 0
  - addresses.duplicate == 0
}"
		printf 'cleanup: {release: %s, on: [end, stop, fail]}\non_agent_loss: %s\n' "${release:-1000/s}" "${on_loss:-fail}"
	} >"$file"
}

subnet_of() { # relay number; `subnets=own` as in the lab
	if [[ ${subnets:-shared} == own ]]; then
		printf '10.10.%d.0/19' $((32 * ($1 - 1)))
	else
		printf '10.10.0.0/16'
	fi
}
