#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A coordinator that has too little before it begins: descriptors, a directory it may write; and more agents than it
# asked for. It refuses with the number needed, or takes those it wants.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"
# shellcheck source-path=SCRIPTDIR source=../support/press.bash
source "$(dirname "$0")/../support/press.bash"

readonly CROWD=1300 WANTED=1000

# ---- too few descriptors ----

fleet_begin --servers none --agents 1
scenario_of "$work/files.yaml" 1 5s
run=$work/run-files
code=0
prlimit --nofile=1000:1000 "$bin/leaseherd" run "$work/files.yaml" --agents 300 --listen 127.0.0.1:0 --keys "$work/keys" \
	--operator-key "$work/keys/operator-lab.key" --run-dir "$run" >"$work/files.out" 2>&1 </dev/null || code=$?
expect "few descriptors: refused" "$code" == 6
check "few descriptors: with the number needed" grep -q '300 agents need 1456 open files and only 1000' "$work/files.out"
check "few descriptors: before anything" test ! -e "$run"

# ---- a run directory that cannot be written ----

small_disk readonly size=1m,ro
code=0
"$bin/leaseherd" run "$work/files.yaml" --local 1 --run-dir "$work/readonly/run" >"$work/readonly.out" 2>&1 </dev/null || code=$?
expect "read-only: refused" "$code" == 6
check "read-only: says where and why" grep -q "$work/readonly/run.*Read-only file system" "$work/readonly.out"

# ---- more agents than are wanted, all at once ----

"$bin/leaseherd" keys init --keys "$work/crowd" >/dev/null
"$bin/leaseherd" keys operator lab --keys "$work/crowd" >/dev/null
"$press" enrol "$work/crowd" "$CROWD"
scenario_of "$work/crowd.yaml" 1 5s
saw() { sed -nE "s/.*(^| )$1=([0-9]+).*/\2/p" "$work/crowd.seen"; } # KEY
run=$work/run-crowd
"$lab" exec "$name/op" "$bin/leaseherd" run "$work/crowd.yaml" --agents "$WANTED" --listen 172.16.7.2:7000 --keys "$work/crowd" \
	--operator-key "$work/crowd/operator-lab.key" --run-dir "$run" </dev/null >"$run.out" 2>"$run.err" &
coordinator=$!
until_log 'phase=gather' 1 || sleep 1
"$lab" exec "$name/op" "$press" crowd 172.16.7.2 7000 "$CROWD" 90 "$work/crowd" >"$work/crowd.seen" 2>&1 &
crowd=$!
agent_pid[1]=$crowd
code=0
wait "$coordinator" || code=$?
wait "$crowd" || true
agent_pid[1]=''
expect "a crowd: taken" "$(saw welcome)" == "$WANTED"
expect "a crowd: told that they are not needed" "$(saw refused)" == $((CROWD - WANTED))
expect "a crowd: ms until all had their answer" "$(saw answered_ms)" '<' 60000
# All of them say that they have the same address, so the run is refused then, which is what a plan is dealt for.
check "a crowd: gathered" grep -q 'phase=prepare' "$run/coordinator.log"
expect "a crowd: its relays cannot be dealt" "$code" == 2
expect "a crowd: lines of refusals in the log" "$(grep -c what=agent_refused "$run/coordinator.log")" '<' 60
fleet_end
