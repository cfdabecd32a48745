#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clients behind a bad network, against dhcpd: a fifth of all packets lost (nft numgen), then a line that delays,
# overtakes, doubles, damages and loses (tests/support/tun_link.c). What the agent says it sent and received is what a
# capture beside it has, packet for packet, and the accounting closes.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

seed=${LEASEHERD_SEED:-20261}
clients=120 hold=9s
lease=16
back=''
if [[ $tier == all ]]; then
	clients=600 hold=100s lease=60
	# A second time without canaries, which wait for every client and stop the run for one that got nothing.
	back=$'  - {name: leave, release: {rate: 100/s}}\n  - {name: back, acquire: {batch: 100}}\n'
fi
readonly DEVICE=lhline LINE_TABLE=67 AGENT=172.16.8.3
line='' # pid of the line

[[ -x $bin/leaseherd-tun-link ]] || {
	echo "$0: $bin/leaseherd-tun-link is missing: build the tests" >&2
	exit 1
}

stop_line() {
	still_ours "$line" || return 0
	kill -TERM "$line" 2>/dev/null || true
	wait "$line" 2>/dev/null || true
	line=''
}
tcpdump_pid=''
stop_tcpdump() {
	still_ours "$tcpdump_pid" || return 0
	kill -TERM "$tcpdump_pid" 2>/dev/null || true
	wait "$tcpdump_pid" 2>/dev/null || true
	tcpdump_pid=''
}
at_exit() {
	stop_tcpdump
	stop_line
}

rtr() { "$lab" exec "$name/rtr" "$@"; }
a1() { "$lab" exec "$name/a1" "$@"; }

# In the agent's namespace, on the device its DHCP takes.
start_capture() { # DEVICE
	"$lab" exec "$name/a1" tcpdump -i "$1" -n --immediate-mode -B 262144 -Z root -w "$work/a1.pcap" 'udp port 67' 2>"$work/tcpdump" &
	tcpdump_pid=$!
	local i
	for ((i = 0; i < 100; i++)); do
		! grep -q 'listening on' "$work/tcpdump" || return 0
		sleep 0.1
	done
	fail "tcpdump did not start: $(tail -n 1 "$work/tcpdump")"
}

on_wire() { # FILTER
	tshark -n -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -r "$work/a1.pcap" -Y "$1" -T fields -e frame.number \
		2>/dev/null | wc -l
}
good=dhcp # between veths nobody fills in the sums
received() { on_wire "ip.dst == $AGENT && udp.srcport == 67 && $good && $1"; }
# What goes out has its checksum filled in by the device, behind the capture.
sent() { on_wire "ip.src == $AGENT && udp.dstport == 67 && $1"; }

judge_counters() { # NAME
	local pair
	ask "$1: nothing missing" .accounting.missing == 0
	ask "$1: the accounting closes" '[.accounting.checks[].passed] | all' == true
	ask "$1: every client had a lease" .leases.acquired == $clients
	ask "$1: no address twice" .addresses.duplicate == 0
	ask "$1: renewed" ".leases.renewed >= $((clients / 2))" == true
	for pair in offer:2 ack:5 nak:6; do
		ask "$1: received.${pair%:*} as captured" ".messages.received.${pair%:*}" == "$(received "dhcp.option.dhcp == ${pair#*:}")"
	done
	ask "$1: received in all, as captured" '[.messages.received[]] | add' == "$(received dhcp)"
	ask "$1: DISCOVERs sent, as captured" .messages.sent.discover == "$(sent 'dhcp.option.dhcp == 1')"
	ask "$1: REQUESTs sent, as captured" '.messages.sent | .request + .renew + .rebind + .reboot' == "$(sent 'dhcp.option.dhcp == 3')"
	ask "$1: RELEASEs sent, as captured" .messages.sent.release == "$(sent 'dhcp.option.dhcp == 7')"
	ask "$1: types sum to fates" '([.messages.received[]] | add) - ([.messages.fate[]] | add)' == 0
	# The kernel counts a packet with a wrong sum as dropped at the socket.
	ask "$1: dropped at the agent's sockets, damaged ones apart" '[.agents[].rx_drops] | add' '<=' "$(on_wire "ip.dst == $AGENT && !($good)")"
}

play() { # NAME DEVICE ON_KEEP: a command for when all clients have their leases
	start_capture "$2"
	begin_run "$1" "$work/$1.yaml" 1
	check "$1: the hold begins" until_log 'stage=keep' 120
	"$3"
	end_run
	sleep 1.5
	stop_tcpdump
	grep -q '^0 packets dropped by kernel' "$work/tcpdump" || fail "$1: the capture is not whole"
	# A lease can run out behind such a line; what is asked for is that everything is told as it was.
	expect "$1: the run ends with a verdict" "$code" '<=' 3
	judge_counters "$1"
}

fleet_begin --servers isc --agents 1 --relays 1 --lease $lease
write_scenario() { # FILE [STAGES]
	servers=1 path=relayed release=200/s clients_extra=', renew_retry: 1s' stages=${2:-} judge='  - addresses.duplicate == 0
' scenario "$1" 1 $clients 50 $hold ${lease}s
}
write_scenario "$work/loss.yaml" "$back"
write_scenario "$work/line.yaml" $'  - {name: again, reboot: {batch: 20}}\n'"$back"
start_agents 1

# ---- a fifth of everything is lost ----

lose_a_fifth() {
	rtr nft -f - <<-NFT
		table ip lhloss {
			counter lost { }
			chain forward {
				type filter hook forward priority 0;
				udp dport 67 numgen random mod 100 < 20 counter name lost drop
			}
		}
	NFT
}
play loss eth0 lose_a_fifth
expect "loss: packets lost on the way" "$(rtr nft -j list counter ip lhloss lost | jq '.nftables[] | .counter? // empty | .packets')" \
	'>=' $((clients / 5))
expect "loss: renewals needed a second try" \
	"$(sqlite3 "$run/ledger.db" 'select count(*) from event where kind = 1 and result = 0 and tries > 1')" '>=' $((clients / 5))
rtr nft delete table ip lhloss

# ---- a line with everything ----

expect "line: one seed, one fate" "$("$bin/leaseherd-tun-link" plan "$seed" 500 loss=50 late=100 damage=30 double=50 jitter_ms=9 | cksum)" == \
	"$("$bin/leaseherd-tun-link" plan "$seed" 500 loss=50 late=100 damage=30 double=50 jitter_ms=9 | cksum)"
"$bin/leaseherd-tun-link" run "lh-$name-a1" "lh-$name-rtr" $DEVICE "$seed" \
	calm=1 delay_ms=20 jitter_ms=15 late_ms=120 loss=50 late=100 double=50 damage=30 \
	>"$work/line" 2>&1 &
line=$!
good='ip.checksum.status == 1 && udp.checksum.status == 1' # the others never reach a socket
for ((i = 0; i < 50; i++)); do
	! grep -qs ready "$work/line" || break
	sleep 0.1
done
# DHCP only, both ways: the coordinator keeps its own.
a1 ip route add 192.168.1.0/24 dev $DEVICE
rtr ip route add $AGENT/32 dev $DEVICE table $LINE_TABLE
rtr ip rule add from 192.168.1.0/24 to $AGENT/32 lookup $LINE_TABLE
spoil_line() { kill -USR1 "$line"; }
play line $DEVICE spoil_line
ask "line: clients took their addresses again" '.leases.reacquired' '>=' $((clients / 2))
stop_line
cat "$work/line"
for what in lost doubled damaged overtaken; do
	expect "line: $what on the way" "$(sed -n "s/.* $what=\([0-9]*\).*/\1/p" "$work/line" | awk '{ n += $1 } END { print n }')" '>=' 10
done
expect "line: damaged packets came to the agent" "$(on_wire "ip.dst == $AGENT && !($good)")" '>=' 3
ask "line: late and double answers are told apart" '.messages.fate.late + .messages.fate.duplicate' '>=' 3

stop_agents
fleet_end
