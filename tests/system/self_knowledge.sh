#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A tester that was the limit says so, and why: answers dropped because the agent was stopped and its receive buffer
# small; packets late because others had its lane's CPU. Drops of another program in the agent's network namespace
# make no run INVALID. And an agent that was left alone is not blamed.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

small=$bin/leaseherd-smallbuffer.so
[[ -r $small ]] || {
	echo "$0: $small is missing: build it first (cmake --preset release && cmake --build --preset release)" >&2
	exit 1
}
cpu=$(($(nproc) - 1)) # the agent's, in the starved run
reflector=''
hog=''
at_exit() {
	local pid
	for pid in $reflector $hog; do
		still_ours "$pid" || continue
		kill -TERM "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

# A window of 1,000 exchanges waits for its answers in the server, so many come while the agent is stopped.
fleet_begin --servers none --agents 1 --relays 1
setsid "$lab" exec "$name/s1" "$bin/leaseherd-reflector" --address 192.168.1.12 --base 10.10.0.0/16 --lease 3600 \
	--capacity 1000 --queue 4000 </dev/null >"$work/reflector" 2>&1 &
reflector=$!

of_agent() { printf '.agents[0].self.%s' "$1"; }
reasons() { report '[.verdict.reasons[]] | join(" | ")'; }
reason_says() { # TEXT ID PATTERN
	check "$1" grep -qE "(^| )$2: .*$3" <(reasons)
}
no_finding() { # TEXT ID...
	local text=$1 id
	shift
	for id in "$@"; do
		ask "$text: no $id" "[.findings[].id | select(. == \"$id\")] | length" == 0
	done
}

open_scenario() { # FILE RATE CLIENTS
	cat >"$1" <<-YAML
		leaseherd: 1
		scenario: $(basename "$1" .yaml)
		servers:
		  a: {address: 192.168.1.12}
		network:
		  block: 10.10.0.0/16
		  client_path: relayed
		  relays:
		    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: $3}
		clients: {seed: 1, identity: fresh}
		expect: {lease: 1h}
		limits: {packets: 20000/s, time: 5m}
		run:
		  - {name: open, acquire: {rate: $2/s}}
		judge:
		  - leases.failed == 0
		cleanup: {release: 2000/s, on: [end, stop, fail]}
	YAML
}

# ---- left alone ----

start_agent 1
open_scenario "$work/clean.yaml" 400 2000
do_run clean "$work/clean.yaml" 1
expect "clean: PASS" "$code" == 0
no_finding clean own-drops send-lag rate-missed drops-of-others
ask "clean: the lane's CPU is known" "$(of_agent cpu_peak_percent)" '>' 0
ask "clean: and was not used up" "$(of_agent cpu_peak_percent)" '<' 90
ask "clean: so are its turns" "$(of_agent turns)" '>' 2000
ask "clean: and how long it waited for a CPU" "$(of_agent cpu_waited_s) != null" == true
ask "clean: no receive buffer of the host ran over" "$(of_agent rcvbuf_errors)" == 0
((failed == 0)) || show_run

# ---- another program loses datagrams, in the agent's network namespace ----

cat >"$work/deaf.py" <<'PY'
import socket
deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
deaf.bind(("127.0.0.1", 0))
for _ in range(200):
    deaf.sendto(b"x" * 500, deaf.getsockname())
PY
begin_run others "$work/clean.yaml" 1
check "others: the run is under way" until_log 'what=step stage=open step=3' 60
"$lab" exec "$name/a1" python3 "$work/deaf.py"
end_run
expect "others: PASS" "$code" == 0
no_finding others own-drops
ask "others: a remark names them" '.findings[] | select(.id == "drops-of-others") | .severity' == info
ask "others: they are counted" "$(of_agent rcvbuf_errors)" '>' 100
stop_agents
((failed == 0)) || show_run

# ---- stopped for a second, with a small receive buffer ----

LD_PRELOAD=$small LEASEHERD_RCVBUF=65536 start_agent 1
judge='  - leases.failed == 0
' path=relayed servers=1 scenario "$work/stopped.yaml" 1 6000 1000 0 3600s
begin_run stopped "$work/stopped.yaml" 1
check "stopped: all clients are let loose" until_log 'what=step stage=peak step=3' 60
sleep 1
kill -STOP "${agent_pid[1]}"
sleep 1
kill -CONT "${agent_pid[1]}"
end_run
expect "stopped: INVALID" "$code" == 3
ask "stopped: answers were dropped" '.agents[0].rx_drops' '>' 100
ask "stopped: the namespace's count says so, too" "$(of_agent rcvbuf_errors)" '>' 100
no_finding stopped drops-of-others
reason_says "stopped: the buffer is a reason" own-drops 'receive buffer is 64 KiB of 32 MiB, set net.core.rmem_max'
reason_says "stopped: so is the stop" own-drops 'it left its sockets alone for (0\.9|1\.)[0-9]* s'
stop_agents
((failed == 0)) || show_run

# ---- another program has the lane's CPU ----

start_agent 1
open_scenario "$work/starved.yaml" 400 3200
begin_run starved "$work/starved.yaml" 1
check "starved: the run is under way" until_log 'what=step stage=open step=3' 60
taskset -a -cp "$cpu" "${agent_pid[1]}" >/dev/null
taskset -c "$cpu" timeout 3 chrt -f 1 bash -c 'while :; do :; done' & # real time: the lane gets what the kernel reserves
hog=$!
end_run
wait "$hog" || true
expect "starved: INVALID" "$code" == 3
reason_says "starved: packets were late" send-lag 'p99 [0-9]'
reason_says "starved: because others had the CPU" send-lag 'was taken off its CPU [0-9]+ times by others'
ask "starved: for seconds" "$(of_agent cpu_waited_s)" '>' 1
ask "starved: it was not the lane's own work" "$(of_agent cpu_peak_percent)" '<' 90
((failed == 0)) || show_run

fleet_end
