#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One server of a pair is stopped for 70 s in the middle of the hold: its clients must all rebind at the other.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

each=300
pairs=isc
if [[ $tier == all ]]; then each=2500 pairs='isc kea'; fi

for pair in $pairs; do
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]*
	fleet_begin --servers "$pair" --failover --agents 2 --lease 60 --max-unacked 0
	scenario "$work/stop-$pair.yaml" 2 "$each" 300 110s
	egress "$work/stop-$pair.yaml"
	start_agents 2
	begin_run "stop-$pair" "$work/stop-$pair.yaml" 2
	check "$pair: the hold begins" until_log 'stage=keep' 60
	sleep 20
	"$lab" server "$name" s2 stop
	sleep 70
	"$lab" server "$name" s2 cont
	end_run
	expect "$pair: PASS" "$code" == 0
	ask "$pair: nobody expired" .leases.expired == 0
	ask "$pair: no outage" .outage.client_seconds == 0
	ask "$pair: clients of s2 rebound" '.leases.rebound' '>=' $((each * 2 * 40 / 100))
	ask "$pair: time to the first answer is known" '.outage.first_answer_s | type' == number
	ask "$pair: share over time is drawn" '[.timeline.series | keys[] | select(startswith("acks_"))] | length' '>=' 2
	stop_agents
	((failed == 0)) || show_run
done
fleet_end
