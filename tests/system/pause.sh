#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Time in which agents may not send: a mark and a figure, no fault, as long as no lease runs out; and with
# on_coordinator_loss they keep the leases they hold, and do nothing else, until the coordinator is back.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

stop=8 pause_hold=11s lease=24 alone=18 hold=22s
if [[ $tier == all ]]; then stop=20 pause_hold=70s lease=60 alone=100 hold=150s; fi

policy_extra=$'renewals_without_coordinator: 10m\n'
fleet_begin --servers isc --agents 2 --lease "$lease"
start_agents 2

stand_still() { # SECONDS: the coordinator
	kill -STOP "$coordinator"
	sleep "$1"
	went_on=$(date +%s.%N) # before: a packet may leave before a clock is read
	kill -CONT "$coordinator"
}

# ---- a pause in which nothing runs out ----

on_loss=continue servers=1 path=relayed scenario "$work/pause.yaml" 2 60 60 "$pause_hold" "${lease}s"
begin_run pause "$work/pause.yaml" 2
check "pause: the hold begins" until_log 'stage=keep' 60
sleep 0.5 # before anybody's T1: nothing falls due in it
stand_still "$stop"
end_run
expect "pause: PASS" "$code" == 0
ask "pause: no lease ran out" .leases.expired == 0
for agent in a1 a2; do
	ask "pause: $agent had one" ".agents[] | select(.name == \"$agent\") | .pauses" == 1
	ask "pause: of $agent, seconds" ".agents[] | select(.name == \"$agent\") | .paused_s" '>=' $((stop - 6))
	ask "pause: a mark for $agent" "[.timeline.marks[].text | select(test(\"^pause $agent [0-9.]+ s\"))] | length" == 1
	ask "pause: nothing was sent alone by $agent" ".agents[] | select(.name == \"$agent\") | .alone_s" == 0
done
((failed == 0)) || show_run

# ---- leases run out in it: the run says nothing about the servers ----

if [[ $tier == all ]]; then
	on_loss=continue servers=1 path=relayed scenario "$work/expired.yaml" 2 60 60 100s "${lease}s"
	begin_run expired "$work/expired.yaml" 2
	check "expired: the hold begins" until_log 'stage=keep' 60
	sleep 2
	stand_still $((lease + 12))
	end_run
	expect "expired: INVALID" "$code" == 3
	ask "expired: because of the pause" '[.findings[].id | select(. == "expired-in-pause")] | length' == 1
fi

# ---- renewals alone ----

on_loss=continue servers=1 path=relayed scenario "$work/alone.yaml" 2 60 60 "$hold" "${lease}s"
printf 'on_coordinator_loss: {new: stop, renewals: 5m}\n' >>"$work/alone.yaml"
capture s1 start
begin_run alone "$work/alone.yaml" 2
check "alone: the hold begins" until_log 'stage=keep' 60
sleep 0.5
stopped_at=$(date +%s.%N)
stand_still "$alone"
end_run
capture s1 stop
expect "alone: PASS" "$code" == 0
ask "alone: no lease ran out" .leases.expired == 0
for agent in a1 a2; do
	ask "alone: of $agent, seconds" ".agents[] | select(.name == \"$agent\") | .alone_s" '>=' $((alone - 7))
	ask "alone: a mark for $agent" \
		"[.timeline.marks[].text | select(test(\"^renewals only $agent [0-9.]+ s\"))] | length" == 1
done
ask "alone: the accounting closes" '[.accounting.checks[] | select(.passed | not)] | length' == 0
tshark -n -r "$work/s1.pcap" -Y 'udp.dstport == 67 && ip.dst == 192.168.1.12' \
	-T fields -e frame.time_epoch -e dhcp.option.dhcp -e dhcp.ip.client 2>/dev/null >"$work/packets"
of_alone() { # AWK-CONDITION
	awk -v from="$stopped_at" -v to="$went_on" "\$1 > from + 6 && \$1 < to && ($1) { n++ } END { print n + 0 }" "$work/packets"
}
expect "alone: renewals on the wire, one client and T1 each" "$(of_alone '$2 == 3 && $3 != "0.0.0.0"')" '>=' \
	$((120 * (alone - 6) * 2 / lease * 3 / 4))
expect "alone: anything else on the wire" "$(of_alone '!($2 == 3 && $3 != "0.0.0.0")')" == 0
((failed == 0)) || show_run

# ---- only one agent is cut off, and goes on alone: the run goes on without it, and it does not come back ----

if [[ $tier == all ]]; then
	servers=1 on_loss=continue path=relayed scenario "$work/cut.yaml" 2 60 60 100s "${lease}s"
	printf 'on_coordinator_loss: {new: stop, renewals: 40s}\n' >>"$work/cut.yaml"
	capture s1 start
	begin_run cut "$work/cut.yaml" 2
	check "cut: the hold begins" until_log 'stage=keep' 60
	sleep 2
	cut_at=$(date +%s.%N)
	"$lab" exec "$name/a1" nft 'add table inet cut; add chain inet cut out { type filter hook output priority 0; }; add rule inet cut out ip daddr 172.16.7.2 drop'
	end_run
	"$lab" exec "$name/a1" nft delete table inet cut
	capture s1 stop
	ask "cut: its clients are lost" .accounting.lost_with_agent == 60
	tshark -n -r "$work/s1.pcap" -Y 'udp.dstport == 67 && ip.src == 172.16.8.3' -T fields -e frame.time_epoch \
		2>/dev/null >"$work/packets"
	last=$(awk -v at="$cut_at" '{ last = $1 } END { printf "%.1f", last - at }' "$work/packets")
	# They all renew at once, every T1: the last time at most a T1 before its time is up.
	expect "cut: it went on for the time allowed" "$last" '>=' $((40 - lease / 2))
	expect "cut: and no longer" "$last" '<=' 46
fi
fleet_end
