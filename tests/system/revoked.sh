#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# agents.allow while a run goes on: an agent that is listed late joins by itself, one that is revoked is shut out at once
# and the others go on, one whose key expires too, and a list that cannot be trusted is not silently ignored.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

fleet_begin --servers isc --agents 2 --lease 30
allow=$work/keys/agents.allow
capture s1 start

# until FILE PATTERN SECONDS
until_says() {
	local i
	for ((i = 0; i < $3 * 10; i++)); do
		if grep -qsE -- "$2" "$1"; then return 0; fi
		sleep 0.1
	done
	tail -n 5 "$1"
	return 1
}

count_says() { grep -cE -- "$2" "$1" || true; }

# ---- listed while the coordinator waits ----
on_loss=continue servers=1 scenario "$work/live.yaml" 2 100 50 16s 30s
egress "$work/live.yaml"
enrol 1
enrol 2
public=$(sed -n 's/^public //p' "$work/a2/key")
"$bin/leaseherd" keys revoke a2 --keys "$work/keys" >/dev/null
begin_run live "$work/live.yaml" 2
start_agent 1
start_agent 2
check "unlisted: a2 is told" until_says "$work/a2/log" 'does not list this agent' 10
check "unlisted: so is the operator" until_says "$run/coordinator.log" 'what=key_refused .*not on agents.allow' 5
expect "unlisted: it is not in the run" "$(count_says "$run/coordinator.log" 'agent_joined agent=a2')" == 0
"$bin/leaseherd" keys agent a2 --public "$public" --keys "$work/keys" >/dev/null
# Its back-off is at most 4 s by now; the socket that was refused never calls again, so this is another one.
check "listed late: a2 joins, and was not started again" until_log 'agent_joined agent=a2' 20

# ---- revoked in the middle of the hold ----
check "the hold begins" until_log 'stage=keep' 60
sleep 5
revoked_at=$(date +%s.%N)
check "revoke" bash -c "'$bin/leaseherd' keys revoke a2 --keys '$work/keys' | grep -q 'shuts it out within two seconds'"
check "revoked: shut out within 3 s" until_log 'what=agent_lost agent=a2 why="was shut out: its key was revoked"' 3
check "revoked: the agent knows why" until_says "$work/a2/log" 'what=refused code=key .*its key was revoked' 3
check "revoked: and is not let in again" until_says "$work/a2/log" 'does not list this agent.*' 10
refused_before=$(count_says "$work/a2/log" 'run=resumed')
"$bin/leaseherd" keys agent a2 --public "$public" --keys "$work/keys" >/dev/null
sleep 4
expect "listed again: not in this run any more" "$(count_says "$work/a2/log" 'run=resumed')" == "$refused_before"
end_run
capture s1 stop
expect "revoked: packets of a2 later than 3 s" "$(count_packets s1 \
	"ip.src == 172.16.9.3 && udp.dstport == 67 && frame.time_epoch > $revoked_at + 3")" == 0
expect "the other agent went on" "$(count_packets s1 \
	"ip.src == 172.16.8.3 && udp.dstport == 67 && frame.time_epoch > $revoked_at + 5")" '>' 50
ask "its clients alone are lost" .accounting.lost_with_agent == 100
ask "the others are released" .accounting.released == 100
ask "ran to its end" '.verdict.result | . != "ABORTED"' == true
((failed == 0)) || show_run
stop_agents

# ---- a list nobody can trust, and a key that expires ----
servers=1 scenario "$work/expire.yaml" 1 50 50 60s 30s
begin_run expire "$work/expire.yaml" 1
start_agent 1
check "expire: the hold begins" until_log 'stage=keep' 60
chmod 0666 "$allow"
check "loose list: said" until_says "$run.err" 'agents.allow has mode 0666: others may change it.*the list read before holds for 10 s' 3
sleep 3
chmod 0644 "$allow"
sleep 2
check "loose list, put right: the run goes on" kill -0 "$coordinator"
sed -i "s/^\(a1 .*\) -\$/\1 2020-01-01/" "$allow"
check "expired: shut out within 3 s" until_log 'what=agent_lost agent=a1 why="was shut out: its key has expired"' 3
end_run
expect "expired: ABORTED" "$code" == 4
check "expired: the report says so" grep -q 'its key has expired' "$run/report.txt"
fleet_end
