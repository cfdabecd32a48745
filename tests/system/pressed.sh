#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Agents that do not behave: one stands still, one reads slowly, one floods. The others notice nothing.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"
# shellcheck source-path=SCRIPTDIR source=../support/press.bash
source "$(dirname "$0")/../support/press.bash"

fleet_begin --servers none --agents 4
honest_server
for i in 1 2 3 4; do enrol "$i"; done
hold=16s
[[ $tier != all ]] || hold=60s
scenario_of "$work/pressed.yaml" 4 "$hold"
begin_run pressed "$work/pressed.yaml" 4
start_agent 1
begin_press 2 probe 120
begin_press 3 flood 120
begin_press 4 slow 120
check "pressed: the hold begins" until_log 'stage=keep' 40
sleep 2
stopped=$(pgrep -P "${agent_pid[1]}" -x leaseherd-agent || echo "${agent_pid[1]}")
kill -STOP "$stopped"
sleep 4
expect "pressed: the honest agent stands still" "$(ps -o comm=,s= "$stopped" | tr -d ' ')" == leaseherd-agentT
kill -CONT "$stopped"
peak_kib=0
while kill -0 "$coordinator" 2>/dev/null; do
	peak_kib=$(awk '/^VmHWM:/ { print $2 }' "/proc/$coordinator/status" 2>/dev/null || echo "$peak_kib")
	sleep 0.5
done
end_run
end_press 2
end_press 3
check "pressed: it comes to its end ($code)" grep -qx '[0134]' <<<"$code"
expect "pressed: messages of the flood" "$(seen 3 sent)" '>' 20000
expect "pressed: the probe's results" "$(seen 2 acked)" '>' 150
expect "pressed: ms to the slowest acknowledgement" "$(seen 2 ack_most_ms)" '<' 2000
expect "pressed: ms to the slowest grant, of 5,000" "$(seen 2 grant_most_ms)" '<' 2000
expect "pressed: MiB of memory at most" $((peak_kib / 1024)) '<' 256
rows_are_there pressed 2
expect "pressed: the honest agent's leases" \
	"$(ledger "select count(distinct client) from event join agent using (agent) where name = 'a1' and kind = 0 and result = 0 and stage != 255")" == 40
check "pressed: which stood still, and was not lost" bash -c "! grep -q 'what=agent_lost agent=a1 ' '$run/coordinator.log'"
expect "pressed: lines of log" "$(wc -l <"$run/coordinator.log")" '<' 500
stop_agents
fleet_end
