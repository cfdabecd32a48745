#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The coordinator's authentication handler is held still, then ended, by a debugger: the process is gone within seconds
# and says why, and nobody who is not listed was let in meanwhile. With the handler asked and answering, it lives on.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

unleaked=(env ASAN_OPTIONS=detect_leaks=0)
fleet_begin --servers none --agents 2
servers=1 scenario "$work/s.yaml" 1 10 10 0
enrol 1
mkdir -m 0700 "$work/odd"
"$bin/leaseherd-agent" keygen "$work/odd/key" >/dev/null

stranger() { # FILE SECONDS: knocks again and again, from the host of a2
	local end=$((SECONDS + $2))
	while ((SECONDS < end)); do
		"$lab" exec "$name/a2" "${unleaked[@]}" "$bin/leaseherd-hostile-link" thief 172.16.7.2 6767 1 "$work/odd/key" \
			"$work/keys/coordinator.pub" >>"$1" 2>&1 || true
	done
}

for how in stall end; do
	begin_run "$how" "$work/s.yaml" 1 --wait 60s
	for ((i = 0; i < 100; i++)); do
		[[ ! -e $run/coordinator.log ]] || break
		sleep 0.1
	done
	stranger "$work/$how.out" 7 &
	knocking=$!
	sleep 4
	check "$how: asked four times, it lives" kill -0 "$coordinator"
	read -r binary text < <(python3 "$top/tests/support/memory_copies.py" "$coordinator" "$work/keys/coordinator.key")
	expect "$how: copies of its key, as text" "$text" == 0
	expect "$how: copies of its key, of libzmq's open sockets" "$binary" '<=' 12
	expect "$how: and they are what the search would find" "$binary" '>=' 1
	check "$how: it can dump no core" grep -qE '^Max core file size +0 +0' "/proc/$coordinator/limits"
	"$bin/leaseherd-hostile-debugger" "$coordinator" zap "$how" 20 >"$work/$how.debugger" 2>&1 &
	debugger=$!
	began=$(date +%s%N)
	code=0
	wait "$coordinator" || code=$?
	took_ms=$((($(date +%s%N) - began) / 1000000))
	wait "$debugger" || true
	wait "$knocking" || true
	check "$how: the handler was reached ($(<"$work/$how.debugger"))" grep -q "^$how thread=" "$work/$how.debugger"
	expect "$how: ended by SIGABRT" "$code" == 134
	expect "$how: within 4 s" "$took_ms" '<' 4000
	check "$how: says why" grep -q 'the authentication handler has not answered for 2 s; nobody would be kept out' "$run.err"
	check "$how: in its log, too" grep -q 'what=authentication_dead' "$run/coordinator.log"
	expect "$how: who is not listed was not heard" "$(grep -hoE '[0-9]+ of chosen names heard, [0-9]+ welcome' "$work/$how.out" |
		grep -cv '^0 of chosen names heard, 0 welcome' || true)" == 0
	check "$how: and had knocked" grep -q 'routing ids' "$work/$how.out"
	expect "$how: nobody joined" "$(grep -cE 'agent_joined|agent_refused|message_rejected' "$run/coordinator.log" || true)" == 0
	# The kernel has kept no picture of it.
	expect "$how: no core file" "$(find "$work" . -maxdepth 2 -name 'core*' -newer "$work/s.yaml" 2>/dev/null | wc -l)" == 0
done
fleet_end
