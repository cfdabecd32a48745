#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A disk that runs full under a run, or gives errors: the coordinator stops in order and says what is needed, agents stop
# sending, what was acknowledged is in the ledger, each once.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"
# shellcheck source-path=SCRIPTDIR source=../support/press.bash
source "$(dirname "$0")/../support/press.bash"

readonly TMPFS_MIB=8

# ---- the disk runs full ----

fleet_begin --servers none --agents 2
honest_server
enrol 1
enrol 2
scenario_of "$work/full.yaml" 2 60s
{
	cat "$work/full.yaml"
	# shellcheck disable=SC2016 # the event's own shell
	printf 'events:\n  - {at: 1s, in: keep, name: talk, run: "while sleep 0.1; do seq 9999; done"}\n'
} >"$work/talk.yaml"
small_disk full "size=${TMPFS_MIB}m"
capture a1 start
run=$work/full/run
"$lab" exec "$name/op" "$bin/leaseherd" run "$work/talk.yaml" --agents 2 --listen 172.16.7.2 --keys "$work/keys" --allow-actions \
	--operator-key "$work/keys/operator-lab.key" --run-dir "$run" </dev/null >"$work/full.out" 2>"$work/full.err" &
coordinator=$!
start_agent 1
begin_press 2 stream 60
code=0
wait "$coordinator" || code=$?
ended=$(date +%s.%N)
end_press 2
expect "full disk: exit code" "$code" == 6
check "full disk: warned before" grep -q 'has [0-9]* MiB free and this run may need' "$work/full.err"
check "full disk: says what is needed and what to do" grep -qE 'is full, this run needs about [0-9]{7,} bytes more.*Make room' "$work/full.err"
check "full disk: it was full" test "$(df --output=avail -k "$work/full" | tail -n 1)" -lt 1024
rows_are_there "full disk" 2
reports_are_whole "full disk"
sleep 3
capture a1 stop
expect "full disk: agents had sent" "$(count_packets a1 "dhcp && ip.src == $(address 1)")" '>' 0
expect "full disk: agents have stopped" "$(count_packets a1 "dhcp && ip.src == $(address 1) && frame.time_epoch > $ended + 1")" == 0
stop_agents
unmount_all

# ---- a disk that gives errors, at a write and at a commit ----

eio() { # NAME FILE-SUFFIX AFTER HOLD WHAT-IT-SAYS
	scenario_of "$work/$1.yaml" 2 "$4"
	LD_PRELOAD=$bin/leaseherd-diskfault.so LEASEHERD_FAULT_FILE=$2 LEASEHERD_FAULT_AFTER=$3 begin_run "$1" "$work/$1.yaml" 2
	honest_server
	start_agent 1
	begin_press 2 stream 60
	end_run 2>/dev/null
	end_press 2
	stop_agents
	expect "$1: exit code" "$code" == 6
	check "$1: says so" grep -qE "$5.*(disk I/O error|Input/output error)" "$run.out"
	rows_are_there "$1" 2
	reports_are_whole "$1"
}
eio write-error ledger.db-wal 3000 60s 'the ledger cannot be written: .*committing failed'
check "write-error: says what to do" grep -q 'Look at that file system' "$run.err"
# SQLite keeps everything in the journal when it cannot be written back: the run goes on, nothing is lost.
[[ $tier != all ]] || eio checkpoint-error ledger.db 40 8s 'closing its journal failed'
fleet_end
