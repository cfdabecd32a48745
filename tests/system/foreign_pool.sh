#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A 'production' pool on the test's shared network is offered on purpose: not one address of it may be requested.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

foreign_leases() { grep -c '^lease 10\.20\.' "$("$lab" path "$name" s1 leases)" || true; }

fleet_begin --servers isc --agents 1 --foreign-pool
servers=1 path=relayed scenario "$work/foreign.yaml" 1 200 50 20s
start_agents 1
capture s1 start
do_run foreign "$work/foreign.yaml" 1
capture s1 stop
expect "ABORTED" "$code" == 4
ask "verdict" .verdict.result == ABORTED
ask "the finding names it" '[.findings[].id] | index("foreign-offer") != null' == true
expect "offers of the pool were made" "$(count_packets s1 'dhcp.option.dhcp == 2 && dhcp.ip.your == 10.20.0.0/16')" '>=' 3
expect "no REQUEST for it" "$(count_packets s1 'dhcp.option.dhcp == 3')" == 0
expect "its lease file gained no line" "$(foreign_leases)" == 0
stop_agents

# The same once the own pool is used up in the middle of a run.
"$lab" down "$name"
rm -rf "$work/keys" "$work"/a[0-9]*
fleet_begin --servers isc --agents 1 --foreign-pool=last --pool 10.10.0.1-10.10.0.150
servers=1 path=relayed scenario "$work/late.yaml" 1 200 50 20s
start_agents 1
do_run late "$work/late.yaml" 1
expect "in mid-run: ABORTED" "$code" == 4
ask "in mid-run: the finding names it" '[.findings[].id] | index("foreign-offer") != null' == true
expect "in mid-run: its lease file gained no line" "$(foreign_leases)" == 0
((failed == 0)) || show_run
fleet_end
