#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The ways renewals' ACKs reach the agents: egress and relayed with two agents, routed with one and with a subnet per
# agent, dnat with one agent below its ceiling; and `auto` takes the first that works, changing nothing.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

fresh() {
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]*
	agent_pid=()
	fleet_begin --lease 12 "$@"
}

works() { # NAME PATH AGENTS
	start_agents "$3"
	do_run "$1" "$work/$1.yaml" "$3"
	stop_agents
	expect "$1: PASS" "$code" == 0
	ask "$1: path" .run.client_path == "$2"
	ask "$1: all leased" .leases.acquired == 200
	ask "$1: all renewed by unicast" .leases.renewed '>=' 200
	ask "$1: none had to rebind" .leases.rebound == 0
	((failed == 0)) || show_run
}

fresh --servers isc --failover --agents 2
scenario "$work/relayed.yaml" 2 100 50 9s 12s
works relayed relayed 2 # auto, and nothing was prepared
egress "$work/relayed.yaml"
cp "$work/relayed.yaml" "$work/egress.yaml"
works egress egress 2 # auto again, now that the rule is there
"$lab" testbed "$name" egress undo --rules "$work/testbed"
path=egress scenario "$work/refused.yaml" 2 100 50 9s 12s
start_agents 2
do_run refused "$work/refused.yaml" 2
stop_agents
expect "egress asked for, and not there: preflight refused" "$code" == 5
ask "it says which path failed" '.verdict.reasons | join(" ") | test("egress")' == true
ask "and that the way back is what is missing" '[.findings[] | select(.severity == "error") | .id + ":" + .side] | join(" ")' == no-return-path:bed

fresh --servers isc --failover --agents 2 --subnets own
subnets=own scenario "$work/routed-own.yaml" 2 100 50 9s 12s
"$bin/leaseherd" testbed "$work/routed-own.yaml" show >"$work/testbed"
"$lab" testbed "$name" routed apply --rules "$work/testbed"
works routed-own routed 2
"$lab" testbed "$name" routed undo --rules "$work/testbed"
cp "$work/routed-own.yaml" "$work/egress-own.yaml"
"$lab" testbed "$name" egress apply --rules "$work/testbed"
works egress-own egress 2

fresh --servers kea --failover --agents 1 --kea-socket udp
scenario "$work/routed.yaml" 1 200 50 9s 12s
"$bin/leaseherd" testbed "$work/routed.yaml" show >"$work/testbed"
"$lab" testbed "$name" routed apply --rules "$work/testbed"
works routed routed 1
"$lab" testbed "$name" routed undo --rules "$work/testbed"

fresh --servers isc --agents 1
servers=1 path=dnat scenario "$work/dnat.yaml" 1 200 50 9s 12s
"$bin/leaseherd" testbed "$work/dnat.yaml" show >"$work/testbed"
"$lab" testbed "$name" dnat apply --rules "$work/testbed"
works dnat dnat 1
ask "dnat: its source ports are seen" .messages.wrong_source_port '>' 0
ask "dnat: and named" '[.findings[].id] | index("nat-rewrites-source-port") != null' == true
fleet_end
