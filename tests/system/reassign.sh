#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An agent is cut off from its coordinator while it loads the server. Its last packet leaves within 6 s; its clients go on
# at the other agents of their subnet with the leases they had; no client is ever live at two agents, which a capture at
# the server says; and when the cable is back, the agent stays out of the run and hands over what it had still to tell.
# In the long tier, or with LEASEHERD_RESUMED=1, the coordinator then dies while it reassigns, and is resumed.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

lost=90 others=60 rate=45/s lease=16 hold=24s before=4.5 away=9
if [[ $tier == all ]]; then
	# 100,000 clients renew at T1 = 20 s: 5,000 packets/s of the agent that is cut off, from a server that never tires.
	lost=100000 others=10000 rate=6000/s lease=40 hold=75s before=3 away=45
fi

policy_extra=$'packets: 60000/s\n'
reflector=''
stop_reflector() {
	still_ours "$reflector" || return 0
	kill -TERM "$reflector" 2>/dev/null || true
	wait "$reflector" 2>/dev/null || true
}
at_exit() { stop_reflector; }

if [[ $tier == all ]]; then
	fleet_begin --servers none --agents 3
	setsid "$lab" exec "$name/s1" "$bin/leaseherd-reflector" --address 192.168.1.12 --base 10.8.0.0/14 --lease "$lease" \
		</dev/null >"$work/reflector" 2>&1 &
	reflector=$!
	net=10.8.0.0/14
else
	fleet_begin --servers isc --agents 3 --lease "$lease"
	net=10.10.0.0/16
fi

cat >"$work/reassign.yaml" <<-YAML
	leaseherd: 1
	scenario: reassign
	servers:
	  a: {address: 192.168.1.12}
	network:
	  block: $net
	  client_path: relayed
	  relays:
	    - {name: r1, giaddr: 172.16.8.3, subnet: $net, clients: $others}
	    - {name: r2, giaddr: 172.16.9.3, subnet: $net, clients: $lost}
	    - {name: r3, giaddr: 172.16.10.3, subnet: $net, clients: $others}
	clients: {seed: 1, identity: fresh}
	expect: {lease: ${lease}s}
	limits: {packets: 60000/s, time: 20m}
	run:
	  - {name: peak, acquire: {rate: $rate}}
	  - {name: keep, hold: $hold}
	judge:
	  - leases.failed == 0
	  - leases.expired == 0
	  - addresses.duplicate == 0
	cleanup: {release: 20000/s, on: [end, stop, fail]}
	on_agent_loss: reassign
YAML

cut_off() { # I: nothing passes between the agent and the coordinator
	"$lab" exec "$name/a$1" nft -f - <<-'NFT'
		table inet cut {
			chain in { type filter hook input priority 0; ip saddr 172.16.7.2 drop; }
			chain out { type filter hook output priority 0; ip daddr 172.16.7.2 drop; }
		}
	NFT
}
join() { "$lab" exec "$name/a$1" nft delete table inet cut; }

start_agents 3
capture s1 start
begin_run reassign "$work/reassign.yaml" 3
check "the hold begins" until_log 'stage=keep' 90
sleep "$before"
cut_at=$(date +%s.%N)
cut_off 2
check "the agent is lost" until_log 'what=agent_lost agent=a2' 10
check "its clients are dealt" until_log "what=reassigned agent=a2 clients=$lost" 10
sleep "$away"
join 2
end_run
capture s1 stop

expect "PASS" "$code" == 0
ask "it is lost" '[.agents[] | select(.lost) | .name] | join(",")' == a2
ask "all of its clients went on elsewhere" '.agents[] | select(.name == "a2") | .clients_moved' == "$lost"
ask "and are told where" '[.agents[].clients_taken // 0] | add' == "$lost"
ask "nobody was lost" .accounting.lost_with_agent == 0
ask "everybody is released" .accounting.released == $((lost + 2 * others))
ask "the accounting closes" '[.accounting.checks[] | select(.passed | not)] | length' == 0
ask "no address was live twice" .addresses.duplicate == 0
ask "no lease ran out" .leases.expired == 0
ask "the time axis says so" '[.timeline.marks[].text | select(test("clients of a2 go on elsewhere"))] | length' == 1
check "the agent was refused when it came back" grep -q 'what=coordinator_busy' "$work/a2/log"
check "what it had still to tell is in the ledger" grep -q 'what=agent_delivered agent=a2' "$run/coordinator.log"

audited "the audit against the capture is clean" --pcap "$work/s1.pcap"

# Every packet of the run's clients to the server (preflight asks a stranger, too): when, from which relay's address, of which client, which message
tshark -n -r "$work/s1.pcap" -Y 'udp.dstport == 67 && ip.dst == 192.168.1.12 && !(dhcp.hw.mac_addr[0:5] == 00:00:5e:00:53)' \
	-T fields -e frame.time_epoch -e ip.src -e dhcp.hw.mac_addr -e dhcp.option.dhcp 2>/dev/null >"$work/packets"
expect "packets of the cut-off agent in its last whole second" \
	"$(awk -v at="$cut_at" '$2 == "172.16.9.3" && $1 > at - 1 && $1 < at { n++ } END { print n + 0 }' "$work/packets")" \
	'>=' "$(if [[ $tier == all ]]; then echo 4500; else echo 3; fi)"
expect "its last packet, seconds after the cut" \
	"$(awk -v at="$cut_at" '$2 == "172.16.9.3" { last = $1 } END { printf "%.2f", last - at }' "$work/packets")" '<=' 6
# A client at two agents: something of it leaves the cut-off one after it has begun elsewhere.
awk -v from="$cut_at" '
	$2 == "172.16.9.3" { if ($3 in began) twice[$3] = 1; was[$3] = 1; next }
	($3 in was) && $1 > from { if (!($3 in began)) began[$3] = $1; if ($4 == 3) asked[$3]++ }
	END {
		for (m in twice) bad++
		for (m in was) { n++; if (asked[m] >= 2) renewed++ }
		printf "%d %d %d\n", n, bad, renewed
	}' "$work/packets" >"$work/figures"
read -r seen bad renewed <"$work/figures"
expect "clients of the lost agent on the wire" "$seen" == "$lost"
expect "of them live at two agents at once" "$bad" == 0
expect "of them asked for their lease, and renewed it, elsewhere" "$renewed" == "$lost"
((failed == 0)) || show_run

# ---- the coordinator dies while it reassigns: whoever goes on with the run knows who plays whom ----

if [[ $tier == all || -n ${LEASEHERD_RESUMED:-} ]]; then
	sed -i -e 's/clients: [0-9]*}/clients: 200}/' -e "s/rate: [0-9]*\/s}}/rate: 60\/s}}/" \
		-e 's/hold: [0-9]*s/hold: 60s/' "$work/reassign.yaml"
	begin_run resumed "$work/reassign.yaml" 3
	check "resumed: the hold begins" until_log 'stage=keep' 90
	sleep 2
	cut_off 2
	check "resumed: the clients are dealt" until_log "what=reassigned agent=a2 clients=200" 20
	kill -KILL "$coordinator"
	wait "$coordinator" 2>/dev/null || true
	sleep 1
	env --default-signal=INT setsid "$lab" exec "$name/op" "$bin/leaseherd" resume "$run" </dev/null \
		>>"$run.out" 2>>"$run.err" &
	coordinator=$!
	sleep 20
	join 2
	end_run
	expect "resumed: PASS" "$code" == 0
	ask "resumed: all of its clients went on elsewhere" '.agents[] | select(.name == "a2") | .clients_moved' == 200
	ask "resumed: nobody was lost" .accounting.lost_with_agent == 0
	ask "resumed: everybody is released" .accounting.released == 600
	ask "resumed: the accounting closes" '[.accounting.checks[] | select(.passed | not)] | length' == 0
	ask "resumed: no address was live twice" .addresses.duplicate == 0
	audited "resumed: the audit is clean"
	((failed == 0)) || show_run
fi
fleet_end
