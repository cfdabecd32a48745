#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What leaves the agent and reaches a server, field by field (RFC 2131 table 5): dhcpd failover pair, Kea on udp and on
# raw sockets. Each server also has to answer it.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

wire() { # TEXT INTENT=COUNT...
	local text=$1
	shift
	if python3 "$top/tests/support/wire.py" "$work/s1.pcap" 172.16.8.3 172.16.8.3 "$@" >"$work/wire.out" 2>&1; then
		pass "$text ($(tr '\n' ' ' <"$work/wire.out"))"
	else
		fail "$text"
		sed 's/^/      /' "$work/wire.out"
	fi
	expect "$text: malformed packets" "$(count_packets s1 '_ws.malformed')" == 0
}

every_intent() { # NAME LAB-OPTIONS
	local what=$1
	shift
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]*
	agent_pid=()
	fleet_begin --agents 1 --lease 12 "$@"
	stages='  - {name: again, reboot: {batch: 10}}
  - {name: ask, inform: {batch: 10}}
  - {name: refuse, decline: {batch: 4}}
  - {name: settle, hold: 13s}
  - {name: leave, release: {rate: 100/s}}
' judge=$'  - addresses.duplicate == 0\n' scenario "$work/$what.yaml" 1 40 20 8s 12s
	sed -i 's/clients: 40}/clients: 40, option82: {circuit_id: "port 7", remote_id: "bldg-1"}}/' "$work/$what.yaml"
	egress "$work/$what.yaml"
	capture s1 start
	start_agents 1
	do_run "$what" "$work/$what.yaml" 1
	capture s1 stop
	expect "$what: PASS" "$code" == 0
	ask "$what: informs answered" '.latency_us.inform.count // 0' '>=' 30
	ask "$what: renewed" .leases.renewed '>=' 40
	ask "$what: acquired again after DECLINE and INIT-REBOOT" .leases.reacquired '>=' 80
	# What a client says itself goes to one of the two servers, whichever answered it first; the capture is of one.
	wire "$what" discover=80 request=40 renew=3 reboot=40 inform=1 decline=40 release=1 stranger=1
	stop_agents
	((failed == 0)) || show_run
}

# Lost renewal ACKs: the reply path is taken away in the hold, so T2 comes and the clients rebind through the relay.
rebinding() {
	scenario "$work/rebind.yaml" 1 40 20 16s 12s
	capture s1 start
	start_agents 1
	begin_run rebind "$work/rebind.yaml" 1
	check "rebind: the hold begins" until_log 'stage=keep' 60
	"$lab" testbed "$name" egress undo --rules "$work/testbed"
	end_run
	capture s1 stop
	expect "rebind: INVALID, for the test bed lost the answers" "$code" == 3
	ask "rebind: and that is named" '[.findings[].id] | index("no-return-path") != null' == true
	ask "rebind: everybody rebound" .leases.rebound '>=' 40
	ask "rebind: nobody expired" .leases.expired == 0
	ask "rebind: first answer known" '.outage.first_answer_s | . > 3 and . < 7' == true
	wire rebind rebind=20 renew=3
	stop_agents
	((failed == 0)) || show_run
}

every_intent isc --servers isc --failover
rebinding
[[ $tier != all ]] || every_intent kea-udp --servers kea --failover
every_intent kea-raw --servers kea --failover --kea-socket raw
fleet_end
