#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# deploy/lab, and leaseherd testbed in it: do they make the networks they say, and leave nothing behind? Two minutes, as root.
# shellcheck disable=SC2317 # check calls the cases
set -euo pipefail

top=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
lab=$top/deploy/lab/lab
leaseherd=${LEASEHERD_BIN:-$top/build/release/bin}/leaseherd
one=t$$
two=t$$-s1 # its namespaces begin like that of host s1 of the first
tmp=$(mktemp -d)
passed=0
failed=0

((EUID == 0)) || {
	echo "test_lab: needs root, for network namespaces" >&2
	exit 1
}
for tool in dhcpd kea-dhcp4 jq tcpdump nft iptables python3; do
	command -v "$tool" >/dev/null || {
		echo "test_lab: $tool is missing: run deploy/install-deps test" >&2
		exit 1
	}
done

finish() {
	"$lab" down "$one"
	"$lab" down "$two"
	rm -rf "$tmp"
}
trap finish EXIT

# check NAME COMMAND...: a case passes when every command of it succeeds; what it printed is shown when not. In the
# background, because in a condition the shell would ignore set -e.
check() {
	local name=$1
	shift
	"$@" >"$tmp/output" 2>&1 &
	if wait $!; then
		passed=$((passed + 1))
		printf 'ok    %s\n' "$name"
	else
		failed=$((failed + 1))
		printf 'FAIL  %s\n' "$name"
		sed 's/^/      /' "$tmp/output"
	fi
}

# ---- what the cases use ----

exits() { # exits CODE COMMAND...
	local want=$1 got=0
	shift
	"$@" || got=$?
	[[ $got == "$want" ]] || {
		echo "exit code $got, not $want: $*"
		return 1
	}
}

equal() {
	[[ $1 == "$2" ]] || {
		echo "'$1' is not '$2'"
		return 1
	}
}

# has PATTERN [FILE]: reads to the end, where grep -q would kill who writes.
has() { grep -e "$1" "${@:2}" >/dev/null || {
	echo "no '$1'"
	return 1
}; }

hasnt() {
	if grep -e "$1" "${@:2}"; then
		echo "but there should be no '$1'"
		return 1
	fi
}

await() { # await COMMAND...: up to five seconds
	local _
	for _ in $(seq 50); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "in vain: $*"
	return 1
}

clock() { "$@" python3 -c 'import time; print(int(time.clock_gettime(time.CLOCK_MONOTONIC)))'; }
namespaces() { find /run/netns -name "lh-$1-*" 2>/dev/null | wc -l; }
is_in_state() { equal "$(sed 's/.*) //' "/proc/$1/stat" | cut -c1)" "$2"; }
mounts_of() { grep "leaseherd-lab/$1/" /proc/mounts || true; }
packets() { tcpdump -nr "$1" 2>/dev/null | wc -l; }

nothing_left_of() {
	equal "$(find /run/netns -name "lh-$1-*" | grep -E -e "^/run/netns/lh-$1-(op|rtr|s[12]|a[0-9]+)$" || true)" ''
	equal "$(mounts_of "$1")" ''
	[[ ! -e /run/leaseherd-lab/$1 ]]
}

rules_shared() {
	cat <<'RULES'
block 10.10.0.0/16
relay r1 giaddr 172.16.8.3 via 172.16.8.3 subnet 10.10.0.0/16 slot 1
relay r2 giaddr 172.16.9.3 via 172.16.9.3 subnet 10.10.0.0/16 slot 2
RULES
}

rules_own() {
	cat <<'RULES'
block 10.10.0.0/16
relay r1 giaddr 172.16.8.3 via 172.16.8.3 subnet 10.10.0.0/19 slot 1
relay r2 giaddr 172.16.9.3 via 172.16.9.3 subnet 10.10.32.0/19 slot 2
relay r3 giaddr 172.16.10.3 via 172.16.10.3 subnet 10.10.64.0/19 slot 3
RULES
}
rules_shared >"$tmp/shared"
rules_shared | sed '/r2/d' >"$tmp/single"
rules_own >"$tmp/own"

# Ten clients behind a relay: client.py GIADDR SLOT SERVER STEP... ; a step is acquire, renew (unicast) or rebind; prints
# per step what came, and as a last line the addresses. SIGUSR1 lets it go on after `wait`.
cat >"$tmp/client.py" <<'PY'
import select, signal, socket, struct, sys, time
giaddr, slot, server, steps = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
N, CODES = 10, {2: 'offer', 5: 'ack', 6: 'nak'}
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
def udp(address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, port))
    return s
relay, plain = udp(giaddr, 67), udp('', 68)
address, offer = {}, {}
def message(client, kind, options=b'', ciaddr='0.0.0.0', relayed=True):
    zero, gi = bytes(4), socket.inet_aton(giaddr) if relayed else bytes(4)
    return (struct.pack('!BBBBIHH', 1, 1, 6, relayed, slot << 24 | client, 9, 0) + socket.inet_aton(ciaddr) + zero + zero
            + gi + bytes([2, 0, slot, 0, 0, client]) + bytes(202) + b'\x63\x82\x53\x63' + bytes([53, 1, kind]) + options + b'\xff')
def option(data, code):
    i = 240
    while i < len(data) and data[i] != 255:
        if data[i] == code: return data[i + 2:i + 2 + data[i + 1]]
        i += 2 + data[i + 1]
def exchange(name, send):
    came, end = {}, time.monotonic() + 3
    for c in range(N): send(c)
    while time.monotonic() < end and sum(came.values()) < N:
        for s in select.select([relay, plain], [], [], 0.1)[0]:
            data, source = s.recvfrom(2048)
            c, kind = data[7], CODES[option(data, 53)[0]]
            if data[4] != slot: kind = 'misrouted'
            key = f'{kind}:{s.getsockname()[1]}' + ('' if source[1] == 67 else '!')
            came[key] = came.get(key, 0) + 1
            if kind == 'offer': offer[c] = data[16:20], option(data, 54)
            if kind == 'ack': address[c] = socket.inet_ntoa(data[16:20])
    print(name, *(f'{k}={came[k]}' for k in sorted(came)), flush=True)
for step in steps:
    if step == 'wait': signal.sigwait([signal.SIGUSR1])
    if step == 'acquire':
        exchange('discover', lambda c: relay.sendto(message(c, 1), (server, 67)))
        exchange('request', lambda c: c in offer and relay.sendto(
            message(c, 3, b'\x32\x04' + offer[c][0] + b'\x36\x04' + offer[c][1]), (server, 67)))
    if step == 'renew':
        exchange('renew', lambda c: plain.sendto(message(c, 3, ciaddr=address[c], relayed=False), (server, 67)))
    if step == 'rebind':
        exchange('rebind', lambda c: relay.sendto(message(c, 3, ciaddr=address[c]), (server, 67)))
print('addresses', len(set(address.values())), *sorted({a.rsplit('.', 2)[0] for a in address.values()}))
PY

cat >"$tmp/client" <<SH
#!/bin/sh
host=\$1
shift
exec "$lab" exec "\$host" python3 "$tmp/client.py" "\$@"
SH
chmod +x "$tmp/client"
client=$tmp/client

# ---- the network ----

refuses_what_it_does_not_know() {
	exits 2 "$lab" up "x$one" --no-such
	exits 2 "$lab" up "x/$one"
	exits 2 "$lab" up "x$one" --pool 10.20.0.1-10.20.0.9
	exits 2 "$lab" up "x$one" --relays 256
	exits 2 "$lab" exec "$one/a3" true
	exits 2 "$lab" exec "x$one/a1" true
	exits 2 "$lab" server "$one" s1 stop
	equal "$(namespaces "x$one")" 0
}

every_host_reaches_the_coordinator() {
	local host server
	"$lab" exec "$one/op" python3 -c '
import socket
s = socket.create_server(("172.16.7.2", 6767))
print("listening", flush=True)
for _ in range(4): s.accept()' >"$tmp/server" &
	server=$!
	await has listening "$tmp/server"
	for host in a1 a2 s1 s2; do
		"$lab" exec "$one/$host" bash -c 'exec 3<>/dev/tcp/172.16.7.2/6767'
	done
	wait $server
}

agents_have_clocks_of_their_own() {
	local here first second
	here=$(clock env)
	first=$(($(clock "$lab" exec "$one/a1") - here))
	second=$(($(clock "$lab" exec "$one/a2") - here))
	echo "a1: $first s, a2: $second s"
	((first >= 1000 && first < 1010))
	((second >= 250000 && second < 250010))
	equal "$("$lab" exec "$one/a1" readlink /proc/self/ns/time)" "$("$lab" exec "$one/a1" readlink /proc/self/ns/time)"
	equal "$("$lab" exec "$one/op" readlink /proc/self/ns/time)" "$(readlink /proc/self/ns/time)"
}

exec_is_the_process() {
	local pid
	"$lab" exec "$one/a1" sleep 60 &
	pid=$!
	await has '^sleep$' "/proc/$pid/comm"
	kill -STOP $pid
	await is_in_state $pid T
	kill -CONT $pid
	await is_in_state $pid S
	kill -KILL $pid
	exits 137 wait $pid
}

segments_are_packets() {
	"$lab" capture "$one" s1 "$tmp/gso.pcap" start
	"$lab" exec "$one/a1" python3 -c '
import socket
UDP_SEGMENT = 103
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 300)
s.sendto(bytes(3000), ("192.168.1.12", 67))'
	"$lab" capture "$one" s1 "$tmp/gso.pcap" stop
	equal "$(packets "$tmp/gso.pcap")" 10
}

check 'up without servers' "$lab" up "$one" --servers none
check 'the same again changes nothing' "$lab" up "$one" --servers none
check 'other options are refused' exits 2 "$lab" up "$one" --servers none --agents 3
check 'unknown options, hosts and names are refused' refuses_what_it_does_not_know
check 'every host reaches the coordinator' every_host_reaches_the_coordinator
check 'the router knows no way to the block' exits 2 "$lab" exec "$one/rtr" ip route get 10.10.0.1
check 'an agent has clocks of its own, the same in every exec' agents_have_clocks_of_their_own
check 'exec passes the exit code on' exits 7 "$lab" exec "$one/a1" sh -c 'exit 7'
check 'exec is the process of its command' exec_is_the_process
check 'a datagram of many segments arrives as many packets' segments_are_packets

# ---- side by side ----

both_are_listed() {
	"$lab" list | has "^$one$"
	"$lab" list | has "^$two$"
}

down_ends_its_own() {
	local pid
	"$lab" exec "$one/a2" sleep 600 &
	pid=$!
	await has '^sleep$' "/proc/$pid/comm"
	"$lab" down "$one"
	exits 143 wait $pid
	nothing_left_of "$one"
	equal "$(namespaces "$two")" 7
	"$lab" status "$two" | has 'dhcpd running'
}

check 'a second lab beside it' "$lab" up "$two" --servers isc --agents 3
check 'exec without a name is refused when two are up' exits 2 "$lab" exec a1 true
check 'both are listed' both_are_listed
check 'down ends what runs there, leaves nothing, and the other as it is' down_ends_its_own
check 'down again is no error' "$lab" down "$one"

# ---- dhcpd, and the test beds ----

dhcpd_leases() {
	equal "$("$client" "$two/a1" 172.16.8.3 1 192.168.1.12 acquire)" 'discover offer:67=10
request ack:67=10
addresses 10 10.10'
}

no_renewal_without_bed() {
	"$client" "$two/a1" 172.16.8.3 1 192.168.1.12 acquire renew | has '^renew *$'
}

egress_shared() {
	local pid
	"$lab" testbed "$two" egress apply --rules "$tmp/shared"
	"$lab" testbed "$two" egress apply --rules "$tmp/shared"
	equal "$("$lab" exec "$two/s1" nft list ruleset | grep -c 'ip daddr set')" 1
	"$client" "$two/a1" 172.16.8.3 1 192.168.1.12 acquire renew >"$tmp/a1" &
	pid=$!
	"$client" "$two/a2" 172.16.9.3 2 192.168.1.12 acquire renew >"$tmp/a2"
	wait $pid
	has '^renew ack:68=10$' "$tmp/a1"
	has '^renew ack:68=10$' "$tmp/a2"
	"$lab" testbed "$two" egress undo
	equal "$("$lab" exec "$two/s1" nft list ruleset)" ''
}

egress_route_hook() {
	"$lab" testbed "$two" egress apply --hook route --rules "$tmp/shared"
	"$client" "$two/a2" 172.16.9.3 2 192.168.1.12 acquire renew | has '^renew ack:68=10$'
	"$lab" testbed "$two" egress undo
	equal "$("$lab" exec "$two/s1" nft list ruleset)" ''
}

# A wrong source port is marked by '!'; the first of all may still find 67 free.
dnat_bed() {
	"$lab" testbed "$two" dnat apply --rules "$tmp/single" >"$tmp/warning"
	"$lab" testbed "$two" dnat apply --rules "$tmp/single"
	has 511 "$tmp/warning"
	"$client" "$two/a1" 172.16.8.3 1 192.168.1.12 acquire renew | has 'renew.* ack:68!='
	"$lab" testbed "$two" dnat undo
	equal "$("$lab" exec "$two/s1" nft list ruleset)" ''
}

routed_bed() {
	"$lab" exec "$two/rtr" ip route >"$tmp/before"
	"$lab" testbed "$two" routed apply --rules "$tmp/single"
	"$lab" testbed "$two" routed apply --rules "$tmp/single"
	"$client" "$two/a1" 172.16.8.3 1 192.168.1.12 acquire renew | has '^renew ack:68=10$'
	"$lab" testbed "$two" routed undo
	"$lab" exec "$two/rtr" ip route | diff "$tmp/before" -
	equal "$("$lab" exec "$two/a1" nft list ruleset)" ''
	"$lab" exec "$two/a1" ip route show table local | hasnt '10\.10\.'
}

destination_cannot_part_relays() {
	exits 2 "$lab" testbed "$two" routed apply --rules "$tmp/shared"
	exits 2 "$lab" testbed "$two" dnat apply --rules "$tmp/shared"
}

server_stops_and_starts() {
	"$lab" server "$two" s1 stop
	"$client" "$two/a1" 172.16.8.3 1 192.168.1.12 acquire | has '^discover *$'
	"$lab" server "$two" s1 cont
	"$client" "$two/a1" 172.16.8.3 1 192.168.1.12 acquire | has '^request ack'
	"$lab" server "$two" s1 kill
	"$lab" status "$two" | has 'dhcpd dead'
	exits 6 "$lab" up "$two" --servers isc --agents 3
	"$lab" server "$two" s1 start
	"$lab" status "$two" | has 'dhcpd running'
}

# dhcpd refuses a renewal by a broadcast on its own wire (RFC 2131 4.3.2), which no router passes on; a rebinding client
# hears of it through its relay.
dhcpd_refuses() {
	local pid
	"$client" "$two/a1" 172.16.8.3 1 192.168.1.12 acquire wait rebind acquire >"$tmp/nak" &
	pid=$!
	await has '^request ack' "$tmp/nak"
	"$lab" server "$two" s1 restart --pool 10.10.90.0-10.10.95.254
	kill -USR1 $pid
	wait $pid
	has '^rebind nak:67=10$' "$tmp/nak"
	has 'lease 10\.10\.90\.' "$("$lab" path "$two" s1 leases)"
	hasnt 'lease 10\.10\.0\..*binding state active' "$("$lab" path "$two" s1 leases)"
}

capture_is_whole() {
	"$lab" capture "$two" s1 "$tmp/capture.pcap" start
	"$client" "$two/a1" 172.16.8.3 9 192.168.1.12 acquire
	"$lab" capture "$two" s1 "$tmp/capture.pcap" stop
	equal "$(packets "$tmp/capture.pcap")" 40
}

down_leaves_nothing() {
	local pid
	pid=$("$lab" status "$two" | sed -n 's/.*process //p')
	is_in_state "$pid" S
	"$lab" down "$two"
	[[ ! -d /proc/$pid ]] || is_in_state "$pid" Z
	nothing_left_of "$two"
}

check 'dhcpd leases addresses of the pool' dhcpd_leases
check 'without a test bed no renewal is answered' no_renewal_without_bed
check 'egress leads to the right one of two relays that share a subnet' egress_shared
check 'egress by the route hook' egress_route_hook
check 'dnat leads to the agent by wrong ports, and warns of it' dnat_bed
check 'routed leads to the agent, and undo leaves nothing' routed_bed
check 'routed and dnat refuse a subnet shared by two agents' destination_cannot_part_relays
check 'a stopped server is silent, goes on, dies and starts again' server_stops_and_starts
check 'a dhcpd with another pool refuses old addresses' dhcpd_refuses
check 'a capture holds what went by' capture_is_whole
check 'down of the last lab leaves nothing at all' down_leaves_nothing

# ---- other servers and pools ----

both_sides_lease() {
	"$client" "$one/a1" 172.16.8.3 1 192.168.1.12 acquire | has '^request ack'
	"$client" "$one/a2" 172.16.9.3 2 192.168.2.12 acquire | has '^request ack'
}

# a1 carries relays 1 and 3.
relays_with_own_subnets() {
	"$lab" down "$one"
	"$lab" up "$one" --servers kea --kea-socket raw --relays 3 --subnets own
	"$lab" testbed "$one" egress apply --rules "$tmp/own"
	"$client" "$one/a1" 172.16.8.3 1 192.168.1.12 acquire renew | has '^renew ack:68=10$'
	"$client" "$one/a2" 172.16.9.3 2 192.168.1.12 acquire renew | has '^renew ack:68=10$'
	"$client" "$one/a1" 172.16.10.3 3 192.168.1.12 acquire renew | has '^renew ack:68=10$'
	has '^10\.10\.64\.' "$("$lab" path "$one" s1 leases)"
	"$lab" testbed "$one" egress undo
	"$lab" testbed "$one" routed apply --rules "$tmp/own"
	"$client" "$one/a2" 172.16.9.3 2 192.168.1.12 acquire renew | has '^renew ack:68=10$'
	"$client" "$one/a1" 172.16.10.3 3 192.168.1.12 acquire renew | has '^renew ack:68=10$'
}

kea_pair() {
	local server total=0 count
	"$lab" down "$one"
	"$lab" up "$one" --servers kea --failover
	for server in 192.168.1.12 192.168.2.12; do
		count=$("$client" "$one/a1" 172.16.8.3 1 $server acquire | sed -n 's/^request ack:67=//p')
		total=$((total + count))
	done
	equal $total 10
}

kea_refuses() {
	local pid
	"$lab" down "$one"
	"$lab" up "$one" --servers kea
	"$lab" testbed "$one" egress apply --rules "$tmp/shared"
	"$client" "$one/a1" 172.16.8.3 1 192.168.1.12 acquire wait renew rebind >"$tmp/nak" &
	pid=$!
	await has '^request ack' "$tmp/nak"
	"$lab" server "$one" s1 restart --pool 10.10.90.0-10.10.95.254
	kill -USR1 $pid
	wait $pid
	has '^renew nak:68=10$' "$tmp/nak"
	has '^rebind nak:67=10$' "$tmp/nak"
}

foreign_pool() {
	"$lab" down "$one"
	"$lab" up "$one" --servers "$1" --foreign-pool
	"$client" "$one/a1" 172.16.8.3 1 192.168.1.12 acquire | has '^addresses 10 10.20$'
}

foreign_pool_last() {
	"$lab" down "$one"
	"$lab" up "$one" --foreign-pool=last --pool 10.10.0.1-10.10.0.4
	"$client" "$one/a1" 172.16.8.3 1 192.168.1.12 acquire | has '^addresses 10 10.10 10.20$'
}

small_pool() {
	"$lab" down "$one"
	"$lab" up "$one" --pool 10.10.0.1-10.10.0.4
	"$client" "$one/a1" 172.16.8.3 1 192.168.1.12 acquire | has '^addresses 4 10.10$'
	"$lab" down "$one"
}

# What the lab adds is around and between it; a relay's address becomes its network.
generated_is_in_it() { # KIND SERVER CONF FLAGS...
	"$leaseherd" setup "$(dirname "$3")/scenario" --for "$1" --server "$2" --open "${@:4}" >"$tmp/generated"
	if [[ $1 == kea ]]; then
		jq -e --slurpfile lab "$3" '$lab[0] | contains(input)' -n "$tmp/generated" >/dev/null
	else
		equal "$(sed 's/\.3 netmask 255.255.255.255 {} # relay .*/.0 netmask 255.255.255.0 {}/' "$tmp/generated" |
			grep -vxFf "$3" || true)" ''
	fi
}

configuration_is_the_generators() {
	local kind host pool=10.10.0.1-10.10.95.254
	for kind in isc kea; do
		"$lab" down "$one"
		"$lab" up "$one" --servers "$kind" --failover --lease 20 --mclt 30
		for host in s1 s2; do
			generated_is_in_it "${kind/isc/isc-dhcpd}" "$host" "$("$lab" path "$one" $host conf)" --pool "$pool"
		done
		"$lab" down "$one"
		"$lab" up "$one" --servers "$kind" --relays 3 --subnets own
		generated_is_in_it "${kind/isc/isc-dhcpd}" s1 "$("$lab" path "$one" s1 conf)"
	done
	"$lab" down "$one"
}

check 'the configuration is that of leaseherd setup' configuration_is_the_generators
check 'a dhcpd pair' "$lab" up "$one" --failover --lease 20 --mclt 30
check 'both sides of it lease' both_sides_lease
check 'relays with subnets of their own, more of them than agents; Kea with raw sockets' relays_with_own_subnets
check 'a Kea pair' kea_pair
check 'a Kea with another pool refuses old addresses' kea_refuses
check 'dhcpd with a foreign pool offers from it' foreign_pool isc
check 'Kea with a foreign pool offers from it' foreign_pool kea
check 'a foreign pool comes after the own one' foreign_pool_last
check 'a small pool is used up' small_pool

# ---- servers that are not as they should be ----

unpaired_dhcpd() {
	mkdir "$tmp/disk"
	printf '#!/bin/sh\necho "$1" >>%s\nshift\nexec "$@"\n' "$tmp/wrapped" >"$tmp/wrap"
	chmod 0755 "$tmp/wrap"
	"$lab" up "$one" --unpaired --extra 'default-lease-time 77;' --pool-extra 'max-lease-time 99;' --pool-chunk 65536 \
		--wrap "$tmp/wrap" --disk "$tmp/disk"
	[[ $(sort "$tmp/wrapped" | paste -sd ' ') == 's1 s2' ]]
	[[ $("$lab" status "$one" | grep -c 'dhcpd running') == 2 ]]
	for host in s1 s2; do
		grep -q '^default-lease-time 77;' "$("$lab" path "$one" $host conf)"
		[[ $(grep -c 'max-lease-time 99; range 10.10.0.1 10.10.95.254' "$("$lab" path "$one" $host conf)") == 1 ]]
		! grep -q failover "$("$lab" path "$one" $host conf)"
		[[ -e $tmp/disk/leaseherd-lab-$one-$host/leases ]]
	done
	"$lab" down "$one"
	[[ -z $(ls "$tmp/disk") ]]
}

unpaired_kea() {
	"$lab" up "$one" --servers kea --unpaired --extra '"decline-probation-period": 77'
	[[ $("$lab" status "$one" | grep -c 'kea-dhcp4 running') == 2 ]]
	grep -q '"decline-probation-period": 77' "$("$lab" path "$one" s2 conf)"
	"$lab" down "$one"
}

wrong_faults_are_refused() {
	exits 2 "$lab" up "$one" --unpaired --failover
	exits 2 "$lab" up "$one" --servers none --unpaired
	exits 2 "$lab" up "$one" --servers kea --pool-extra 'x;'
	exits 2 "$lab" up "$one" --extra $'one;\ntwo;'
	exits 2 "$lab" up "$one" --servers kea --extra 'one;'
	exits 2 "$lab" up "$one" --wrap "$tmp/nothing"
	exits 2 "$lab" up "$one" --disk "$tmp/nothing"
	[[ -z $("$lab" list) ]] || ! "$lab" list | grep -qx "$one"
}

check 'two dhcpds that know nothing of each other, wrapped, on a disk of their own' unpaired_dhcpd
check 'two such Keas' unpaired_kea
check 'faults that make no sense are refused' wrong_faults_are_refused

# ---- what goes wrong ----

failing_server_is_shown() {
	mkdir "$tmp/bin"
	printf '#!/bin/sh\necho no mood today\nexit 1\n' >"$tmp/bin/dhcpd"
	chmod +x "$tmp/bin/dhcpd"
	PATH=$tmp/bin:$PATH exits 6 "$lab" up "$one" 2>"$tmp/error"
	has 'no mood today' "$tmp/error"
	nothing_left_of "$one"
}

missing_generator_is_said() {
	LEASEHERD_BIN=$tmp/none exits 6 "$lab" up "$one" 2>"$tmp/error"
	equal "$(cat "$tmp/error")" "lab: $tmp/none/leaseherd is missing: build it first, or name its directory by LEASEHERD_BIN"
	nothing_left_of "$one"
}

interrupted_up_leaves_nothing() {
	local pid
	"$lab" up "$one" --failover &
	pid=$!
	await test -s "/run/leaseherd-lab/$one/s2/pid"
	kill -TERM $pid
	exits 143 wait $pid
	nothing_left_of "$one"
}

rules_are_exactly_rules() {
	local block='block 10.10.0.0/16'
	"$lab" up "$one" --servers none
	refused() {
		cat >"$tmp/rules"
		exits 2 "$lab" testbed "$one" egress apply --rules "$tmp/rules"
	}
	printf '' | refused
	printf 'block 10.10.0.0/16; reboot\n' | refused
	# shellcheck disable=SC2016 # literally
	printf '%s\nrelay r giaddr 1.2.3.4 via $(id) subnet 10.10.0.0/16 slot 1\n' "$block" | refused
	printf '%s\nrelay r;id giaddr 1.2.3.4 via 1.2.3.4 subnet 10.10.0.0/16 slot 1\n' "$block" | refused
	printf '%s\nrelay r giaddr 1.2.3.4 via 1.2.3.4 subnet 10.20.0.0/16 slot 1\n' "$block" | refused
	equal "$("$lab" exec "$one/s1" nft list ruleset)" ''
	"$lab" testbed "$one" egress show --rules "$tmp/shared" | has '0x02 : 172.16.9.3'
	"$lab" down "$one"
}

check 'a server that does not start is shown, and nothing stays' failing_server_is_shown
check 'without leaseherd it is said what to do' missing_generator_is_said
check 'an up that is interrupted leaves nothing' interrupted_up_leaves_nothing
check 'rules that are not exactly rules are refused' rules_are_exactly_rules

printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
