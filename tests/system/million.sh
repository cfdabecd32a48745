#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An agent with 1,000,000 clients, all leased from the reflector, takes 80 bytes for each, with all that it needs
# besides; in the long form also one with 10,000,000, which takes 70.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
bin=${LEASEHERD_BIN:-$top/build/release/bin}
client=lhm-$$-c
server=lhm-$$-s
work=$(mktemp -d)
reflector=''

((EUID == 0)) || {
	echo "million: needs root, for network namespaces" >&2
	exit 1
}

finish() {
	if [[ -n $reflector ]]; then
		kill -KILL "$reflector" 2>/dev/null || true
		wait "$reflector" 2>/dev/null || true
	fi
	ip netns del "$client" 2>/dev/null || true
	ip netns del "$server" 2>/dev/null || true
	rm -rf -- "$work"
}
[[ -n ${LEASEHERD_KEEP:-} ]] || trap finish EXIT

ip netns add "$client"
ip netns add "$server"
ip link add c0 netns "$client" type veth peer name s0 netns "$server"
ip -n "$client" link set lo up
ip -n "$client" addr add 198.18.0.1/24 dev c0
ip -n "$client" link set c0 up
ip -n "$server" addr add 198.18.0.2/24 dev s0
ip -n "$server" link set s0 up

passed=0
failed=0
judge() { # TEXT CONDITION...
	local text=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
		printf 'ok    %s\n' "$text"
	else
		failed=$((failed + 1))
		printf 'FAIL  %s\n' "$text"
	fi
}

scenario() { # CLIENTS
	cat <<-EOF2
		leaseherd: 1
		scenario: million
		servers:
		  reflector: {address: 198.18.0.2}
		network:
		  block: 10.0.0.0/8
		  client_path: relayed
		  relays:
		    - {name: all, giaddr: 198.18.0.1, subnet: 10.0.0.0/8, clients: $1}
		expect: {lease: 1h}
		limits: {packets: 1000000/s, time: 20m}
		run:
		  - {name: peak, acquire: {batch: 256}, timeout: 20m}
		judge:
		  - leases.acquired == $1
		  - addresses.duplicate == 0
	EOF2
}

# The process's largest size, and what of it is memory of its own, files, and shared.
size_of() { # PID
	awk '/^(VmHWM|RssAnon|RssFile|RssShmem):/ { printf "%s ", $2 }' "/proc/$1/status" 2>/dev/null
}

measure() { # CLIENTS BYTES-PER-CLIENT
	local clients=$1 limit_kb=$(($1 * $2 / 1024)) code=0 acquired run agent='' size
	local most_kb=0 split='' coordinator_kb=0
	scenario "$clients" >"$work/$clients.yaml"
	ip netns exec "$server" "$bin/leaseherd-reflector" --address 198.18.0.2 --base 10.0.0.0/8 --lease 3600 \
		>"$work/reflector" 2>&1 &
	reflector=$!
	ip netns exec "$client" "$bin/leaseherd" run "$work/$clients.yaml" --local 1 --run-dir "$work/run-$clients" \
		>"$work/out" 2>&1 &
	run=$!
	while kill -0 $run 2>/dev/null; do
		[[ -n $agent ]] || agent=$(pgrep -P $run -f '^leaseherd-agent' | head -n 1) || true
		read -r -a size <<<"$(size_of "${agent:-none}")" || true
		if ((${size[0]:-0} > most_kb)); then
			most_kb=${size[0]}
			split="own ${size[1]} kB, files ${size[2]} kB, shared ${size[3]} kB"
		fi
		read -r -a size <<<"$(size_of $run)" || true
		((${size[0]:-0} <= coordinator_kb)) || coordinator_kb=${size[0]}
		sleep 0.2
	done
	wait $run || code=$?
	kill -KILL "$reflector"
	wait "$reflector" 2>/dev/null || true
	reflector=''
	acquired=$(jq .leases.acquired "$work/run-$clients/report.json") || true
	judge "$clients clients: PASS (exit code $code)" test $code = 0
	judge "all of them have leases ($acquired)" test "$acquired" = "$clients"
	judge "the agent's largest size was $most_kb kB of $limit_kb kB, $((most_kb * 1024 / clients)) bytes a client ($split)" \
		test $most_kb -gt $((clients * 60 / 1024)) -a $most_kb -lt $limit_kb
	printf '      the coordinator took %d kB\n' $coordinator_kb
	((failed == 0)) || tail -n 5 "$work/out"
	rm -rf -- "$work/run-$clients"
}

measure 1000000 80
[[ ${LEASEHERD_TIER:-} != all ]] || measure 10000000 70
printf '\n%d passed, %d failed\n' $passed $failed
((failed == 0))
