#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Three agents: one is killed at half time; and the coordinator stands still for a while.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

fleet_begin --servers isc --agents 3 --lease 30

on_loss=continue servers=1 scenario "$work/continue.yaml" 3 200 100 25s 30s
egress "$work/continue.yaml"
start_agents 3
for host in a1 a2 a3; do capture "$host" start; done
begin_run continue "$work/continue.yaml" 3
check "continue: the hold begins" until_log 'stage=keep' 60
sleep 10
kill -KILL "${agent_pid[2]}"
wait "${agent_pid[2]}" 2>/dev/null || true
agent_pid[2]=''
end_run
ask "continue: exactly its clients are lost" .accounting.lost_with_agent == 200
ask "continue: the others are released" .accounting.released == 400
ask "continue: it is named" '[.agents[] | select(.name == "a2")] | length' == 1
ask "continue: ran to its end" '.verdict.result | . != "ABORTED"' == true
for host in a1 a2 a3; do capture "$host" stop; done
audited "continue: the audit is clean but for it" --pcap "$work/a1.pcap" --pcap "$work/a2.pcap" --pcap "$work/a3.pcap"
check "continue: it is named as not compared" grep -q '^not compared: the counters of agent a2, which was lost' "$work/audit.out"
((failed == 0)) || show_run

start_agent 2
on_loss=fail servers=1 scenario "$work/fail.yaml" 3 200 100 40s 30s
begin_run fail "$work/fail.yaml" 3
check "fail: the hold begins" until_log 'stage=keep' 60
kill -KILL "${agent_pid[2]}"
wait "${agent_pid[2]}" 2>/dev/null || true
agent_pid[2]=''
began=$SECONDS
end_run
expect "fail: ABORTED" "$code" == 4
expect "fail: soon" $((SECONDS - began)) '<' 40
((failed == 0)) || show_run

# The coordinator is stopped for 12 s: no DHCP packet later than 6 s after that, and no burst when it goes on.
start_agent 2
servers=1 judge=$'  - addresses.duplicate == 0\n' scenario "$work/stopped.yaml" 3 400 200 50s 30s
capture s1 start
begin_run stopped "$work/stopped.yaml" 3
check "stopped: the hold begins" until_log 'stage=keep' 60
sleep 20
stopped_at=$(date +%s.%N)
kill -STOP "$coordinator"
sleep 12
went_on=$(date +%s.%N) # before: the first packet may leave before a clock is read
kill -CONT "$coordinator"
end_run
capture s1 stop
times=$work/times
tshark -n -r "$work/s1.pcap" -Y 'udp.dstport == 67 && ip.dst == 192.168.1.12' -T fields -e frame.time_epoch 2>/dev/null >"$times"
expect "stopped: packets sent later than 6 s" \
	"$(awk -v from="$stopped_at" -v to="$went_on" '$1 > from + 6 && $1 < to { n++ } END { print n + 0 }' "$times")" == 0
# 1200 clients, T1 = 15 s: 80 renewals/s by plan; each second after the pause stays within it, give or take one bucket
expect "stopped: busiest second after the pause" \
	"$(awk -v from="$went_on" '$1 > from && $1 < from + 15 { n[int(($1 - from) * 1)]++ }
		END { m = 0; for (s in n) if (n[s] > m) m = n[s]; print m }' "$times")" '<=' 100
ask "stopped: the pause is reported" '[.timeline.marks[]? | .text] | length' '>=' 1
ask "stopped: accounting closes" .accounting.missing == 0
((failed == 0)) || show_run
fleet_end
