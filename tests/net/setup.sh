#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Servers run on the configuration `leaseherd setup` prints: a dhcpd pair and a Kea pair serve a whole run from it, a
# production client beside the test is never offered a test address, and a test client never one of production's.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

setup() { # KIND SERVER FLAGS...
	local kind=$1 server=$2
	shift 2
	"$bin/leaseherd" setup "$work/$kind.yaml" --for "$kind" --server "$server" "$@"
}

conf_of() { "$lab" path "$name" "$1" conf; }

# Production in the same network: a pool of its own, guarded as the generated text says.
isc_conf() { # HOST SERVER
	setup isc-dhcpd "$2" >"$work/$2.conf"
	sed -i '0,/^  subnet 10.10.0.0 .*{$/s//&\n    pool { deny members of "leaseherd"; range 10.10.200.1 10.10.200.50; }/' "$work/$2.conf"
	{
		printf 'ping-check false;\n' # a second for each OFFER of this short run
		cat "$work/$2.conf"
	} >"$(conf_of "$1")"
}

kea_conf() { # HOST SERVER
	local dir
	dir=$("$lab" path "$name" "$1" dir)
	setup kea "$2" >"$work/$2.conf"
	jq --arg dir "$dir" '.Dhcp4 |= (. + {
		"control-socket": {"socket-type": "unix", "socket-name": ($dir + "/control")},
		"interfaces-config": (."interfaces-config" + {"dhcp-socket-type": "udp"}),
		"lease-database": (."lease-database" + {"name": ($dir + "/leases")}),
		"loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
		"shared-networks": [{"name": "both", "subnet4": (.subnet4 + [{"id": 99, "subnet": "10.20.0.0/16",
			"client-class": "production", "relay": .subnet4[0].relay, "pools": [{"pool": "10.20.0.1-10.20.0.50"}]}])}]
		} | del(.subnet4))' "$work/$2.conf" >"$(conf_of "$1")"
}

forget() { # HOST: its leases
	local leases
	leases=$("$lab" path "$name" "$1" leases)
	rm -f "$leases"*
	: >"$leases"
}

reconfigure() { # KIND
	local host
	for host in s1 s2; do "$lab" server "$name" "$host" shutdown; done
	"$1_conf" s1 a
	"$1_conf" s2 b
	for host in s1 s2; do
		forget "$host"
		: >"$("$lab" path "$name" "$host" log)"
		"$lab" server "$name" "$host" start
	done
}

until_paired() { # PATTERN
	local i host
	for host in s1 s2; do
		for ((i = 0; i < 600; i++)); do
			grep -q "$1" "$("$lab" path "$name" "$host" log)" && break
			sleep 0.1
		done
		check "$host: is one of a pair" grep -q "$1" "$("$lab" path "$name" "$host" log)"
	done
	sleep 2 # the updates that carry the secondary's half over
}

offered() { # [--vendor TEXT]
	"$lab" exec "$name/a1" python3 "$top/tests/support/discover.py" 172.16.8.3 "00:16:3e:5d:01:0$((++client))" \
		192.168.1.12 192.168.2.12 "$@"
}
client=0

in_pool() { [[ $1 =~ $2 ]]; }

play() { # WHAT KIND READY-PATTERN PRODUCTION-POOL LAB-OPTIONS...
	local what=$1 kind=$2 ready=$3 pool=$4
	shift 4
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]*
	agent_pid=()
	fleet_begin --agents 1 --lease 12 --failover "$@"
	expect_extra=', mclt: 10s' scenario "$work/$kind.yaml" 1 100 25 9s 12s
	reconfigure "${kind%-dhcpd}"
	until_paired "$ready"
	got=$(offered)
	check "$what: a production client is offered production's address ($got)" in_pool "$got" "$pool"
	got=$(offered --vendor leaseherd/guard)
	check "$what: a test client is offered a test address ($got)" in_pool "$got" '^10\.10\.0\.'
	start_agents 1
	do_run "$what" "$work/$kind.yaml" 1
	stop_agents
	expect "$what: PASS" "$code" == 0
	ask "$what: all leased" .leases.acquired == 100
	ask "$what: renewed, without a rebind" '.leases.renewed >= 100 and .leases.rebound == 0' == true
	((failed == 0)) || show_run
	client=0
}

path=relayed
play dhcpd isc-dhcpd 'balanced pool' '^10\.10\.200\.' --servers isc
play kea kea 'to LOAD-BALANCING state' '^10\.20\.0\.' --servers kea --kea-socket udp
fleet_end
