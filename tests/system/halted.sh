#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Who is not wanted stops: a kernel that refuses what is sent (nft output drop, EPERM), and a router that says
# "administratively prohibited". In the middle of a run, judged by the wire. A server whose port is closed is no reason.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

fleet_begin --servers isc --agents 1 --lease 12
nft_in() { "$lab" exec "$name/$1" nft "${@:2}"; } # HOST WORDS...

halted() { # NAME FINDING PATTERN
	expect "$1: ABORTED" "$code" == 4
	ask "$1: the finding" "[.findings[].id] | index(\"$2\") != null" == true
	ask "$1: it says what, where and how often" "[.findings[] | select(.id == \"$2\") | .summary] | .[0] // \"\" | test(\"$3\")" == true
	ask "$1: the results so far are there" .leases.acquired '>' 0
	ask "$1: the accounting closes" .accounting.missing == 0
}

# Renewals every 6 s of 600 clients, for a minute; disturbed after the third second of the hold.
disturbed() { # NAME COMMAND...: runs it, and the command in the middle
	begin_run "$1" "$work/$1.yaml" 1
	check "$1: the hold begins" until_log 'stage=keep' 60
	sleep 3
	"${@:2}"
	end_run
	((failed == 0)) || show_run
}

refuse_here() {
	nft_in a1 add table ip halted
	nft_in a1 'add chain ip halted out { type filter hook output priority 0; }'
	nft_in a1 add rule ip halted out udp dport 67 drop
}
reject_on_the_way() {
	nft_in rtr add table ip halted
	nft_in rtr 'add chain ip halted pass { type filter hook forward priority 0; }'
	nft_in rtr add rule ip halted pass udp dport 67 reject with icmp type admin-prohibited
	date +%s.%N >"$work/rejected"
}

for case in refused prohibited; do
	servers=1 path=relayed packets=2000/s scenario "$work/$case.yaml" 1 600 100 60s 12s
done
start_agent 1
disturbed refused refuse_here
halted refused sends-refused 'errno 1 .*100 of 100 packets.*192.168.1.12'
nft_in a1 delete table ip halted

capture a1 start
disturbed prohibited reject_on_the_way
capture a1 stop
halted prohibited sends-prohibited 'ICMP 3/13 .*192.168.1.12'
expect "prohibited: nothing is sent 15 s later" "$(count_packets a1 "ip.src == 172.16.8.3 && udp.dstport == 67 && !icmp &&
	frame.time_epoch > $(awk '{ printf "%.3f", $1 + 15 }' "$work/rejected")")" == 0
nft_in rtr delete table ip halted
check "prohibited: the agent lives" still_ours "${agent_pid[1]}"

if [[ $tier == all ]]; then
	# A port that is closed is what a dead server looks like: that is measured, not aborted.
	servers=1 path=relayed packets=2000/s judge=$'  - leases.failed == 0\n' scenario "$work/dead.yaml" 1 50 50 8s 12s
	dead() {
		nft_in s1 add table ip halted
		nft_in s1 'add chain ip halted in { type filter hook input priority 0; }'
		nft_in s1 add rule ip halted in udp dport 67 reject with icmp type port-unreachable
	}
	disturbed dead dead
	expect "a dead server: the run goes on" "$code" == 0
	ask "a dead server: nothing was refused by the kernel" '[.findings[].id] | index("sends-refused")' == null
	nft_in s1 delete table ip halted
fi
fleet_end
