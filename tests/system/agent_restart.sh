#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An agent that is started anew takes its place at once while agents are gathered; in a run it delivers what the killed
# process had kept. One that was cut off until it was given up delivers, too, and sends no packet any more. A run that
# does not fit on the state directory's disk is refused with the bytes it needs.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

at_exit() { umount -q "$work/a2/state" || true; }

query() { sqlite3 -readonly "$run/ledger.db" "$1"; }
committed_of() { query "SELECT committed_seq FROM stream JOIN agent USING (agent) WHERE name = '$1'"; }

kill_agent() { # I: what it leaves is in $left: acknowledged and last batch
	kill -KILL "${agent_pid[$1]}"
	wait "${agent_pid[$1]}" 2>/dev/null || true
	agent_pid[$1]=''
	left=$("$bin/leaseherd-kill-stream" ring "$work/a$1/state")
}

fleet_begin --servers isc --agents 2 --lease 30
servers=1 path=relayed on_loss=fail release=1000/s scenario "$work/fail.yaml" 2 400 100 30s 30s
sed -i 's|batch: 100|rate: 60/s|' "$work/fail.yaml" # so that there are results at any moment

# ---- while agents are gathered ----

begin_run fail "$work/fail.yaml" 2
start_agent 1
check "gathering: a1 has joined" until_log 'what=agent_joined agent=a1' 20
kill_agent 1
expect "gathering: it leaves nothing" "$left" == none
start_agent 1
sleep 2 # shorter than a run lease
check "gathering: it is there again, not refused" still_ours "${agent_pid[1]}"
expect "gathering: and it has joined once more" "$(grep -c 'what=agent_joined agent=a1' "$run/coordinator.log")" == 2
start_agent 2

# ---- in a run, on_agent_loss: fail ----

check "fail: the load begins" until_log 'stage=peak' 60
sleep 2
kill -STOP "$coordinator" # so that results wait
sleep 1
kill_agent 2
kill -CONT "$coordinator"
began=$SECONDS
start_agent 2
end_run
expect "fail: ABORTED" "$code" == 4
expect "fail: at once, not when it was silent for long" \
	"$(grep -c 'what=agent_lost agent=a2 why="was restarted' "$run/coordinator.log")" == 1
expect "fail: soon" $((SECONDS - began)) '<' 30
expect "fail: something was left to deliver" "${left% *}" '<' "${left#* }"
expect "fail: what it had kept is in the ledger" "$(committed_of a2)" == "${left#* }"
ask "fail: the accounting closes" '[.accounting.checks[] | select(.passed | not)] | length' == 0
check "fail: it says so" grep -q 'what=delivered ' "$work/a2/log"
((failed == 0)) || show_run

# ---- cut off until it is given up, on_agent_loss: continue ----

servers=1 path=relayed on_loss=continue judge=$'  - addresses.duplicate == 0\n' release=1000/s \
	scenario "$work/cut.yaml" 2 400 100 14s 30s
begin_run cut "$work/cut.yaml" 2
check "cut: the load begins" until_log 'stage=peak' 60
sleep 1
"$lab" exec "$name/a2" nft add table inet cut
"$lab" exec "$name/a2" nft 'add chain inet cut out { type filter hook output priority 0; policy accept; }'
"$lab" exec "$name/a2" nft add rule inet cut out ip daddr 172.16.7.2 drop
check "cut: it is given up" until_log 'what=agent_lost agent=a2' 30
capture s1 start
sleep 1
"$lab" exec "$name/a2" nft delete table inet cut
check "cut: it comes back" until_log 'what=agent_returned agent=a2' 40
check "cut: all of it is there" until_log 'what=agent_delivered agent=a2' 20
end_run
capture s1 stop
expect "cut: PASS, as the scenario lets agents be lost" "$code" == 0
expect "cut: no packet of it since it was given up" "$(count_packets s1 'udp.dstport == 67 && ip.src == 172.16.9.3')" == 0
expect "cut: packets of the other one were seen" "$(count_packets s1 'udp.dstport == 67 && ip.src == 172.16.8.3')" '>' 0
ask "cut: its clients are lost" .accounting.lost_with_agent == 400
ask "cut: the accounting closes" '[.accounting.checks[] | select(.passed | not)] | length' == 0
((failed == 0)) || show_run

# ---- a disk without room ----

stop_agents
mount -t tmpfs -o size=8m,mode=0700 none "$work/a2/state"
start_agents 2
do_run full "$work/fail.yaml" 2
expect "full disk: refused before any load" "$code" == 6
check "full disk: it says how many bytes it needs" grep -q 'agent a2 refused the plan: no room for results.ring: it needs 67112960 bytes' "$run.err"
stop_agents
umount "$work/a2/state"
fleet_end
