#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An agent with 1,000,000 clients, all leased from the reflector, stays under 300 MB.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
bin=${LEASEHERD_BIN:-$top/build/release/bin}
client=lhm-$$-c
server=lhm-$$-s
work=$(mktemp -d)
reflector=''
readonly limit_kb=300000

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
ip -n "$client" addr add 10.77.0.1/24 dev c0
ip -n "$client" link set c0 up
ip -n "$server" addr add 10.77.0.2/24 dev s0
ip -n "$server" link set s0 up

cat >"$work/million.yaml" <<-EOF
	leaseherd: 1
	scenario: million
	servers:
	  reflector: {address: 10.77.0.2}
	network:
	  block: 10.128.0.0/10
	  client_path: relayed
	  relays:
	    - {name: all, giaddr: 10.77.0.1, subnet: 10.128.0.0/10, clients: 1000000}
	expect: {lease: 1h}
	limits: {packets: 1000000/s, time: 10m}
	run:
	  - {name: peak, acquire: {batch: 256}}
	judge:
	  - leases.acquired == 1000000
	  - addresses.duplicate == 0
EOF

ip netns exec "$server" "$bin/leaseherd-reflector" --address 10.77.0.2 --base 10.128.0.0/10 --lease 3600 >"$work/reflector" 2>&1 &
reflector=$!
code=0
ip netns exec "$client" "$bin/leaseherd" run "$work/million.yaml" --local 1 --run-dir "$work/run" >"$work/out" 2>&1 &
run=$!
most_kb=0
while kill -0 $run 2>/dev/null; do
	agent=$(pgrep -P $run -f '^leaseherd-agent' | head -n 1) || true
	kb=$(awk '/VmHWM/ { print $2 }' "/proc/${agent:-none}/status" 2>/dev/null) || true
	((${kb:-0} <= most_kb)) || most_kb=$kb
	sleep 0.2
done
wait $run || code=$?

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
judge "PASS (exit code $code)" test $code = 0
judge "1,000,000 leases ($(jq .leases.acquired "$work/run/report.json"))" test "$(jq .leases.acquired "$work/run/report.json")" = 1000000
judge "the agent's largest size was $most_kb kB of $limit_kb kB" test $most_kb -gt 60000 -a $most_kb -lt $limit_kb
((failed == 0)) || tail -n 5 "$work/out"
printf '\n%d passed, %d failed\n' $passed $failed
((failed == 0))
