#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One server of a pair is stopped for 70 s in the middle of the hold: its clients must all rebind at the other.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

each=300 lease=20 hold=55s stopped=25
pairs=isc
if [[ $tier == all ]]; then
	each=2500 lease=60 hold=110s stopped=70
	pairs='isc kea'
fi

begin_pair() { # isc|kea MAX-UNACKED
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]*
	agent_pid=()
	fleet_begin --servers "$1" --failover --agents 2 --lease "$lease" --max-unacked "$2"
}

# Runs the scenario, with s2 stopped in the hold
with_s2_stopped() { # NAME
	egress "$work/$1.yaml"
	start_agents 2
	begin_run "$1" "$work/$1.yaml" 2
	check "$1: the hold begins" until_log 'stage=keep' 60
	sleep 20
	"$lab" server "$name" s2 stop
	sleep "$stopped"
	"$lab" server "$name" s2 cont
	end_run
	stop_agents
}

for pair in $pairs; do
	begin_pair "$pair" 0
	scenario "$work/stop-$pair.yaml" 2 "$each" 300 "$hold" "${lease}s"
	with_s2_stopped "stop-$pair"
	expect "$pair: PASS" "$code" == 0
	ask "$pair: nobody expired" .leases.expired == 0
	ask "$pair: no outage" .outage.client_seconds == 0
	ask "$pair: clients of s2 rebound" '.leases.rebound' '>=' $((each * 2 * 40 / 100))
	ask "$pair: time to the first answer is known" '.outage.first_answer_s | type' == number
	ask "$pair: share over time is drawn" '[.timeline.series | keys[] | select(startswith("acks_"))] | length' '>=' 2
	((failed == 0)) || show_run
done

# A Kea pair that first waits for five clients it did not answer takes over after 60 s leases have expired; the
# compression statement says so before the run.
if [[ $tier == all ]]; then
	begin_pair kea 5
	expect_extra=', detection: 60s' scenario "$work/late.yaml" 2 "$each" 300 "$hold" "${lease}s"
	check "unacked 5: foretold" bash -c "'$bin/leaseherd' check '$work/late.yaml' | tr '\\n' ' ' | grep -qiE 'detection.*expire|expire.*detection'"
	with_s2_stopped late
	expect "unacked 5: FAIL" "$code" == 1
	ask "unacked 5: leases expired" .leases.expired '>=' $((each / 2))
	ask "unacked 5: the outage is measured" .outage.client_seconds '>' 0
fi
fleet_end
