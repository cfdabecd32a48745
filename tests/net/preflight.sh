#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Preflight in full: each fault of a test bed is made, and the sentence that names it is seen with exit code 5; a
# healthy bed passes without a complaint, with dhcpd and with Kea.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

listener=''
at_exit() { if [[ -n $listener ]]; then kill "$listener" 2>/dev/null || true; fi; }

# Test addresses for the run's clients only; what lacks their mark gets none.
guard_class='class "testers" { match if substring(option vendor-class-identifier, 0, 10) = "leaseherd/"; }'
guard_pool='allow members of "testers";'

fresh() {
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]*
	agent_pid=()
	fleet_begin "$@"
}

on() { # HOST COMMAND...
	"$lab" exec "$name/$1" "${@:2}"
}

# bed NAME EXPECT-EXTRA [LEASE]: a scenario of twenty clients at one relay and one server
bed() {
	servers=1 expect_extra=$2 scenario "$work/$1.yaml" 1 20 20 0 "${3:-60s}"
}

# tried NAME CODE [FLAGS...]: with a fresh agent
tried() {
	local want=$2
	start_agents 1
	do_run "$1" "$work/$1.yaml" 1 "${@:3}"
	stop_agents
	expect "$1: exit code" "$code" == "$want"
}

# says TEXT ID RESULT PATTERN: that check came to this result, with these words
says() {
	ask "$1" "[.preflight.checks[] | select(.id == \"$2\" and .result == \"$3\" and (.text | test(\"$4\")))] | length > 0" == true
}

# complains IDS: exactly these checks warn or fail
complains() {
	ask "complaints: ${1:-none}" \
		'[.preflight.checks[] | select(.result == "warning" or .result == "fail") | .id] | unique | join(" ")' == "$1"
}

remedied() {
	ask "every complaint has a remedy" \
		'[.preflight.checks[] | select((.result == "warning" or .result == "fail") and .remedy == "")] | length' == 0
}

healthy() { # NAME
	complains ''
	ask "$1: all is known" '[.preflight.checks[] | select(.result != "pass") | .id] | join(" ")' == ''
	((failed == 0)) || show_run
}

# ---- a healthy bed, with each server ----

fresh --servers isc --agents 1 --extra "$guard_class" --pool-extra "$guard_pool"
bed isc ', pool: 24000, guarded: true'
path=egress bed rules ''
egress "$work/rules.yaml"
capture s1 start
tried isc 0
capture s1 stop
healthy isc
says "the server's way" server-path pass 'egress'
expect "a stranger asked, twice at most" "$(count_packets s1 'dhcp.hw.mac_addr == 00:00:5e:00:53:00')" '>=' 1
expect "and asked for nothing else" "$(count_packets s1 'dhcp.hw.mac_addr == 00:00:5e:00:53:00 && dhcp.option.dhcp != 1')" == 0
audited "the books agree" --pcap "$work/s1.pcap"
check "the schema holds" "$top/tests/support/check_schema.py" "$top/deploy/report.schema.json" "$run/report.json"

# ---- what the scenario expects, several at once ----

bed wrong ', pool: 10' 120s
tried wrong 5
complains 'lease-time pool-size'
says "wrong lease time" lease-time fail 'leases of 60 s are granted, the scenario expects 120 s'
says "small pool" pool-size fail '20 clients and the pool 10 addresses'
remedied
ask "both are reasons" '.verdict.reasons | length' == 2
ask "no load was sent" '.leases.acquired' == 0
check "the report says what to do" grep -q 'Remedy: enlarge the pool' "$run/report.txt"

bed skipped ', pool: 10'
tried skipped 0 --no-preflight pool-size
says "what was left out is said" pool-size skipped 'skipped by --no-preflight'
complains ''
path=egress bed blind ''
tried blind 0 --no-preflight all
ask "all of it left out" '[.preflight.checks[] | select(.result != "skipped")] | length' == 0
ask "nothing was tried" '.preflight.run' == false
code=0
"$bin/leaseherd" run "$work/skipped.yaml" --local 1 --no-preflight all >"$work/out" 2>&1 || code=$?
expect "without a path there is no run without preflight" "$code" == 2
code=0
"$bin/leaseherd" run "$work/skipped.yaml" --local 1 --no-preflight pool-sise >"$work/out" 2>&1 || code=$?
expect "an unknown check is refused" "$code" == 2
check "and the nearest named" grep -q 'did you mean pool-size' "$work/out"

# net.core.rmem_max is the whole machine's: what it allows decides what is to be said.
servers=1 scenario "$work/burst.yaml" 1 20 100000 0
tried burst 0
if ((2 * $(</proc/sys/net/core/rmem_max) < 32 * 1024 * 1024)); then
	says "buffers too small for the burst" receive-buffer warning 'got [0-9]+; a burst of this plan can need 128000000'
	ask "the sysctl is named" '[.preflight.checks[] | select(.id == "receive-buffer") | .remedy] | join("")' \
		== 'sysctl -w net.core.rmem_max=33554432 there'
else
	says "buffers as large as asked for" receive-buffer pass 'hold'
fi

# ---- the agent's host ----

setsid "$lab" exec "$name/a1" python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 67))
time.sleep(600)' &
listener=$!
sleep 0.5
bed listener ''
tried listener 5
says "another listener" listeners fail 'a1 .user id [0-9]+. listens on udp port 67 of all addresses'
says "and what it prevents" sockets fail 'cannot bind 172.16.8.3 port 67'
remedied
kill "$listener"
wait "$listener" 2>/dev/null || true
listener=''

enrol 1
setsid prlimit --nofile=24:24 "$lab" exec "$name/a1" "$bin/leaseherd-agent" --coordinator 172.16.7.2 \
	--server-key "$work/keys/coordinator.pub" --key "$work/a1/key" --policy "$work/a1/policy.yaml" \
	--state-dir "$work/a1/state" </dev/null >>"$work/a1/log" 2>&1 &
agent_pid[1]=$!
bed files ''
do_run files "$work/files.yaml" 1
stop_agents
expect "few descriptors: exit code" "$code" == 5
says "few descriptors" open-files fail 'may open 24 files and needs'

on a1 ip route replace 172.16.7.0/24 via 172.16.8.1
on a1 ip route del default
bed routeless ''
tried routeless 5
says "no route to the server" routes fail 'no route from 172.16.8.3 to the server 192.168.1.12 .Network is unreachable'
remedied
on a1 ip route add default via 172.16.8.1

on s1 ip route add blackhole 172.16.8.3
bed backless ''
tried backless 5
says "no route back" answers fail 'no server answered 3 DISCOVERs'
complains answers
on s1 ip route del blackhole 172.16.8.3

# Answers come by another way than requests go.
on rtr ip link add a1b type veth peer name eth1 netns "lh-$name-a1"
on rtr ip address add 172.16.60.1/24 dev a1b
on rtr ip link set a1b up
on a1 ip address add 172.16.60.3/24 dev eth1
on a1 ip link set eth1 up
sleep 1
on a1 ip route add 192.168.1.0/24 via 172.16.60.1
bed loose ', pool: 24000'
tried loose 0
complains ''
on a1 sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter'
bed strict ''
tried strict 5
says "a strict filter" rp-filter fail 'device of 172.16.8.3 drops what comes from the server 192.168.1.12'
remedied
complains 'answers rp-filter'
on a1 sh -c 'echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter'
on a1 ip link del eth1

# ---- who may have a test address, pings ----

fresh --servers isc --agents 1 --relays 2 --extra 'ping-check true;'
bed stranger ''
tried stranger 0
says "a stranger gets a test address" unmarked-offer warning 'offered 10.10.[0-9.]+, a test address'
complains unmarked-offer
bed guarded ', guarded: true'
tried guarded 5
says "and the run is refused where the pool should be closed" unmarked-offer fail 'without the run.s marks'
remedied

on a1 ip route add local 10.10.0.0/16 dev lo
on a1 sh -c 'echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range'
on rtr ip route add 10.10.0.0/16 via 172.16.8.3
bed ping ''
tried ping 5
says "pings are answered" ping-answers fail 'a1 answers pings to 10.10.'
remedied
on a1 nft 'add table ip quiet; add chain ip quiet in { type filter hook input priority 0; };
	add rule ip quiet in ip daddr 10.10.0.0/16 icmp type echo-request drop'
bed quiet ''
tried quiet 0
says "nobody answers them" ping-answers pass 'nobody'
says "the routed way" server-path pass 'routed'
on a1 nft delete table ip quiet
on rtr ip route del 10.10.0.0/16
on a1 ip route del local 10.10.0.0/16 dev lo

on a1 ip address del 172.16.9.3/32 dev eth0
servers=1 scenario "$work/addressless.yaml" 2 20 20 0
start_agents 1
begin_run addressless "$work/addressless.yaml" 1
code=0
wait "$coordinator" || code=$?
stop_agents
expect "an address that no agent has: refused before the plan" "$code" == 2
check "it is named" grep -q '172.16.9.3' "$run.err"

# ---- the servers' way, by three clients ----

fresh --servers isc --agents 1
servers=1 path=dnat scenario "$work/dnat.yaml" 1 20 20 0
"$bin/leaseherd" testbed "$work/dnat.yaml" show >"$work/testbed"
cp "$work/dnat.yaml" "$work/notrack.yaml"
# In this order: entries of the second would hold port 67 for half a minute.
"$lab" testbed "$name" dnat apply --rules "$work/testbed" --notrack prerouting 2>/dev/null
tried notrack 0
says "DNAT with NOTRACK is told by its first client's port" server-path warning 'DNAT with NOTRACK in PREROUTING: 2 of 3'
"$lab" testbed "$name" dnat undo --rules "$work/testbed" --notrack prerouting
"$lab" testbed "$name" dnat apply --rules "$work/testbed" --notrack none 2>/dev/null
tried dnat 0
says "DNAT is told by its ports" server-path warning 'DNAT with connection tracking: all 3'
"$lab" testbed "$name" dnat undo --rules "$work/testbed" --notrack none
bed none ''
tried none 0
says "no way back" server-path pass 'none: no ACK'

fresh --servers kea --failover --agents 2
servers=2 expect_extra=', pool: 24000' scenario "$work/kea.yaml" 2 20 20 0
start_agents 2
do_run kea "$work/kea.yaml" 2
stop_agents
expect "Kea pair: exit code" "$code" == 0
complains unmarked-offer
says "a Kea offers to strangers, too" unmarked-offer warning 'test address'
servers=2 expect_extra=', pool: 50' scenario "$work/half.yaml" 2 20 20 0
start_agents 2
do_run half "$work/half.yaml" 2
stop_agents
expect "half a pool: only a warning" "$code" == 0
says "each peer's half is too small" pool-size warning 'each peer hands out only its half'
fleet_end
