#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Three relays on one agent host, on two, on three: the same scenario plays the same clients behind the same relays.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

# (MAC, giaddr) of every DISCOVER of the run (preflight asks a stranger, too) that reached the server
clients_on_wire() {
	tshark -n -r "$work/s1.pcap" -Y 'dhcp.option.dhcp == 1 && !(dhcp.hw.mac_addr[0:5] == 00:00:5e:00:53)' -T fields -e dhcp.hw.mac_addr -e dhcp.ip.relay 2>/dev/null |
		sort -u
}

for agents in 1 2 3; do
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]*
	fleet_begin --servers isc --agents "$agents" --relays 3
	servers=1 identity=fixed seed=7 scenario "$work/same.yaml" 3 100 50 0
	egress "$work/same.yaml"
	capture s1 start
	start_agents "$agents"
	do_run "agents-$agents" "$work/same.yaml" "$agents"
	capture s1 stop
	expect "$agents agents: PASS" "$code" == 0
	ask "$agents agents: 300 leases" .leases.acquired == 300
	clients_on_wire >"$work/clients-$agents"
	expect "$agents agents: 300 clients on the wire" "$(wc -l <"$work/clients-$agents")" == 300
	stop_agents
	((failed == 0)) || show_run
done
check "two agents play the same (MAC, relay) as one" cmp -s "$work/clients-1" "$work/clients-2"
check "three agents play the same (MAC, relay) as one" cmp -s "$work/clients-1" "$work/clients-3"
fleet_end
