#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# leaseherd testbed: every path is applied, seen to work by check and by a run, undone, and leaves no trace; twice in a row,
# beside rules and routes of somebody else; what check sees; relays whose giaddrs are a router's.
# shellcheck source=tests/support/fleet.bash
source "$(dirname "$(readlink -f "$0")")/../support/fleet.bash"
# shellcheck source=tests/support/testbed.bash
source "$(dirname "$(readlink -f "$0")")/../support/testbed.bash"

# ---- every path, twice ----

# path_round NAME FILE KIND WAY [FLAGS]: WAY is what check must see the packets of agents come back by
path_round() {
	local text=$1 file=$2 kind=$3 way=$4 turn
	shift 4
	record_all before
	for turn in 1 2; do
		bed "$file" "$kind" apply "$@"
		bed_says "$text: applied, $turn" 0 '' # lines come from hosts where something is to be said
		bed "$file" "$kind" apply "$@"
		bed_says "$text: applied again" 0 ''
		bed "$file" "$kind" check "$@"
		bed_says "$text: check says that it works" 0 "a1: ok    path $way works"
		if ((turn == 1)) && [[ $tier == all || $text == older ]]; then path_run "$text" "$file" "$way"; fi
		bed "$file" "$kind" undo
		bed_says "$text: undone" 0 ''
		leaves_no_trace "$text: no trace, $turn"
	done
	bed "$file" "$kind" undo
	bed_says "$text: undo where nothing is" 0 ''
	leaves_no_trace "$text: undo where nothing is changes nothing"
	bed "$file" "$kind" check "$@"
	bed_says "$text: check after undo" 5 'FAIL  nothing is applied here for path|FAIL  no OFFER for relay'
}

path_run() { # NAME FILE WAY
	local agents
	agents=$(grep -c 'giaddr: ' "$2")
	start_agents "$agents"
	do_run "$1" "$2" "$agents"
	stop_agents
	expect "$1: a run passes" "$code" == 0
	ask "$1: by this path" .run.client_path == "$3"
	ask "$1: everybody renewed, nobody rebound" '.leases.renewed >= .leases.acquired and .leases.rebound == 0' == true
	((failed == 0)) || show_run
}

every_path() {
	path=egress scenario "$work/egress.yaml" 2 40 20 7s 12s
	path=egress scenario "$work/older.yaml" 2 40 20 7s 12s
	path=routed scenario "$work/routed.yaml" 1 40 20 7s 12s
	path=dnat scenario "$work/dnat.yaml" 1 40 20 7s 12s
	path=dnat scenario "$work/tracked.yaml" 1 40 20 7s 12s
	path_round egress "$work/egress.yaml" egress egress
	path_round older "$work/older.yaml" egress egress --hook route
	path_round routed "$work/routed.yaml" routed routed
	path_round dnat "$work/dnat.yaml" dnat dnat
	path_round tracked "$work/tracked.yaml" dnat dnat --notrack none
}

dnat_that_cannot() {
	record_all before
	bed "$work/dnat.yaml" dnat apply --notrack output
	bed_says "dnat with NOTRACK in OUTPUT is applied" 0 'note'
	bed "$work/dnat.yaml" dnat check --notrack output
	bed_says "and check says why it cannot work" 5 's1: FAIL  NOTRACK in OUTPUT exempts the replies'
	check "and that nothing comes back" grep -q 'a1: FAIL  no server.s reply to clients of relay r1' <<<"$said"
	bed "$work/dnat.yaml" egress check
	bed_says "check for another path names what is there" 5 's1: FAIL  rules of another path are applied here \(table ip leaseherd\)'
	bed "$work/dnat.yaml" dnat undo
	leaves_no_trace "dnat with NOTRACK in OUTPUT: no trace"
}

# ---- what check sees ----

faults_are_seen() {
	bed "$work/egress.yaml" egress apply
	on s1 ip route del default
	bed "$work/egress.yaml" egress check
	bed_says "a server without a route to the block" 5 's1: FAIL  this host has no route to 1 of 1 addresses'
	on s1 "$bin/leaseherd" testbed "$work/egress.yaml" apply >"$work/said" || code=$?
	check "apply there changes nothing, and says so" grep -q '^FAIL  this host has no route' "$work/said"
	check "no rule is there" test -z "$(on s1 nft list tables netdev | grep leaseherd)"
	on s1 ip route add default via 192.168.1.1
	bed "$work/egress.yaml" egress apply
	on s1 nft flush chain netdev leaseherd replies
	bed "$work/egress.yaml" egress check
	bed_says "rules changed by hand" 5 's1: FAIL  table netdev leaseherd was changed by hand and has not its 1 rules'
	check "agents see the server that lost them" grep -q 'a1: FAIL  no reply of server a to clients' <<<"$said"
	bed "$work/egress.yaml" egress apply
	sed 's/172.16.9.3/172.16.9.7/' "$work/egress.yaml" >"$work/other.yaml"
	bed "$work/other.yaml" egress check
	bed_says "rules of another scenario" 5 's2: FAIL  the rules in table netdev leaseherd are those of another scenario'
	on s1 "$bin/leaseherd" testbed "$work/egress.yaml" apply --dev lo >/dev/null
	bed "$work/egress.yaml" egress check
	bed_says "rules at another device" 5 's1: FAIL  replies leave by eth0, where the rules are not'
	"$lab" server "$name" s2 stop
	bed "$work/egress.yaml" egress apply
	bed "$work/egress.yaml" egress check
	"$lab" server "$name" s2 cont
	bed_says "a server that is silent is no fault of the bed, and is said" 0 'a1: note  server b answered nothing at all'
	on op "$bin/leaseherd" testbed "$work/egress.yaml" check >"$work/said" && code=0 || code=$?
	expect "a host that is neither" "$code" == 2
	check "is told what to do" grep -q 'has no address of a server or an agent of the scenario' "$work/said"
	bed "$work/egress.yaml" egress undo
}

# ---- relays whose giaddrs are the router's ----

# A server's datagram from port 67, whoever else has that port: s1 speaks with clients of the router, and refuses one.
cat >"$work/other.py" <<'PY'
import socket, struct, sys
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return 0xffff - total
target = sys.argv[1]
def say(xid, yiaddr, mac, kind):
    dhcp = (struct.pack('!BBBBIHH', 2, 1, 6, 1, xid, 0, 0) + bytes(4) + socket.inet_aton(yiaddr) + bytes(4)
            + socket.inet_aton(target) + mac + bytes(10 + 192) + b'\x63\x82\x53\x63' + bytes([53, 1, kind, 255, 0]))
    dhcp += bytes(len(dhcp) % 2)
    udp = struct.pack('!HHHH', 67, 67, 8 + len(dhcp), 0) + dhcp
    pseudo = socket.inet_aton('192.168.1.12') + socket.inet_aton(target) + struct.pack('!HH', 17, len(udp))
    udp = udp[:6] + struct.pack('!H', checksum(pseudo + udp)) + udp[8:]
    raw.sendto(udp, (target, 0))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
maker, phone = bytes.fromhex('001122334455'), bytes.fromhex('021122334455')
say(0x01000001, '192.168.77.5', maker, 5)  # an ACK outside the block, though the slot fits
say(0x77000002, '192.168.77.6', phone, 2)  # an OFFER
say(0x01000003, '0.0.0.0', maker, 6)       # a NAK for hardware of a maker, though the slot fits
say(0x77000004, '0.0.0.0', phone, 6)       # a NAK of no slot of ours
say(0x77000005, '10.11.0.5', phone, 5)     # just outside the block
PY

carried_by_via() { # TEXT CODE-OF-THE-OLDER-FORM GIADDR-1 GIADDR-2
	local packets giaddr=$3
	path=egress scenario "$work/plain.yaml" 2 40 20 7s 12s
	sed "s/giaddr: 172.16.8.3/giaddr: $3, via: 172.16.8.3/; s/giaddr: 172.16.9.3/giaddr: $4, via: 172.16.9.3/" \
		"$work/plain.yaml" >"$work/carried.yaml"
	record_all before
	bed "$work/carried.yaml" egress check
	bed_says "$1: check before" 5 "a1: FAIL  nothing came back.* giaddr $giaddr of relay r1 is not this host.s"
	bed "$work/carried.yaml" egress apply
	bed "$work/carried.yaml" egress check
	bed_says "$1: check" 0 'a2: ok    path egress works'
	capture rtr start
	path_run carried "$work/carried.yaml" egress
	on s1 python3 "$work/other.py" "$giaddr"
	capture rtr stop
	ask "$1: all acquired" .leases.acquired == 80
	# An address of the router is met on its way in: once per packet that was not led on to the agent.
	packets=$(count_packets rtr "ip.dst == $giaddr && dhcp.type == 2")
	expect "$1: replies to the router's own clients reach it, and no others" "$packets" == 5
	packets=$(count_packets rtr "ip.dst == 172.16.8.3 && udp.dstport == 67 && dhcp.ip.relay == $giaddr")
	expect "$1: replies to relays reach the agent" "$packets" '>=' 80
	packets=$(count_packets rtr 'udp.checksum.status == "Bad"')
	expect "$1: checksums are right" "$packets" == 0
	bed "$work/carried.yaml" relayed apply
	bed "$work/carried.yaml" relayed check
	bed_says "$1: relayed needs the giaddrs only" 0 'a1: ok    path relayed works'
	bed "$work/carried.yaml" relayed apply --hook route
	bed "$work/carried.yaml" relayed check --hook route
	bed_says "$1: in the older form" "$2" 'a1: (ok    path relayed works|FAIL  (no OFFER|nothing came back))'
	bed "$work/carried.yaml" egress undo
	leaves_no_trace "$1: no trace"
}

refused_through_a_router() { # a DHCPNAK names no address, and reaches the agent all the same
	sed -E 's/identity: [a-z]+/identity: fixed/' "$work/carried.yaml" >"$work/nak.yaml"
	bed "$work/nak.yaml" egress apply
	on a1 python3 - <<'PY' >"$work/nak"
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('172.16.8.3', 67))
s.settimeout(3)
giaddr = socket.inet_aton('172.16.8.1')
s.sendto(struct.pack('!BBBBIHH', 1, 1, 6, 1, 0x01000042, 9, 0) + bytes(12) + giaddr + bytes([6, 0, 1, 0, 0, 9]) + bytes(202)
         + b'\x63\x82\x53\x63' + bytes([53, 1, 3, 50, 4, 172, 16, 99, 99, 255]), ('192.168.1.12', 67))
data, source = s.recvfrom(2048)
print(data[242], source[1])
PY
	expect "a refusal reaches the agent" "$(cat "$work/nak")" == '6 67'
	bed "$work/nak.yaml" egress undo
}

fleet_begin --servers isc --failover --agents 2 --lease 12
foreign_things
every_path
dnat_that_cannot
faults_are_seen
carried_by_via 'via, dhcpd' 0 172.16.8.1 172.16.9.1
refused_through_a_router
if [[ $tier == all ]]; then
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]* "$work/run-carried"
	agent_pid=()
	fleet_begin --servers kea --kea-socket raw --failover --agents 2 --relays 4 --lease 12
	# The lab's Kea knows giaddrs one by one: the router takes two that the agents had besides their own.
	on a1 ip addr del 172.16.10.3/32 dev eth0
	on a2 ip addr del 172.16.11.3/32 dev eth0
	on rtr sh -c 'for a in 172.16.10.3 172.16.11.3; do ip route del $a; ip addr add $a/32 dev lo; done'
	carried_by_via 'via, Kea with raw sockets' 5 172.16.10.3 172.16.11.3
fi
expect "a check takes about a second at most, in hundredths" "$longest" '<=' 190
printf 'the longest check took %d.%02d s\n' $((longest / 100)) $((longest % 100))
fleet_end
