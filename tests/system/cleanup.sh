#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A run is killed, agents and all, and leaves its leases behind: `leaseherd cleanup` gives them back, and says of which it
# has proof. What it says is compared with the servers' own lease files.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

each=300
[[ $tier != all ]] || each=2500
clients=$((2 * each))

# Addresses of the block that a lease file holds active, the latest entry of each counted.
active_at() { # HOST
	local file
	file=$("$lab" path "$name" "$1" leases)
	if [[ $servers_kind == isc ]]; then
		awk '/^lease 10\.10\./ { addr = $2 } /^  binding state/ { state[addr] = $3 } END { for (a in state) n += state[a] == "active;"; print n + 0 }' "$file"
	else
		cat "$file".completed "$file".2 "$file".1 "$file" 2>/dev/null |
			awk -F, '/^10\.10\./ { active[$1] = $4 > 0 && $10 == 0 } END { for (a in active) n += active[a]; print n + 0 }'
	fi
}

# begin KIND LAB-OPTIONS...
begin() {
	servers_kind=$1
	shift
	"$lab" down "$name"
	rm -rf "$work"/keys "$work"/a[0-9]* "$work"/run-*
	agent_pid=()
	fleet_begin --servers "$servers_kind" --agents 2 --lease 600 "$@"
}

# with_books FILE: says where each server's book is; WORD a: dhcpd | kea | kea_socket | query
with_books() {
	local file=$1 word=$2 a b
	a=$("$lab" path "$name" s1 dir)
	b=${a%s1}s2
	case $word in
	dhcpd | kea) a="$word: $a/leases" b="$word: $b/leases" ;;
	kea_socket) a="$word: $a/control" b="$word: $b/control" ;;
	query) a='query: true' b='query: true' ;;
	esac
	sed -i "s|  a: {address: 192.168.1.12}|  a: {address: 192.168.1.12, leases: {$a}}|; s|  b: {address: 192.168.2.12}|  b: {address: 192.168.2.12, leases: {$b}}|" "$file"
}

# All leases are held, then everything of ours is killed.
killed_run() { # NAME SCENARIO
	egress "$2"
	start_agents 2
	begin_run "$1" "$2" 2
	until_log 'stage=keep' 90 || fail "$1: the hold begins"
	sleep 1.5 # what was bound is in the ledger
	kill -KILL "$coordinator" "${agent_pid[@]}"
	wait "$coordinator" "${agent_pid[@]}" 2>/dev/null || true
	agent_pid=()
	sleep 6 # the agents' old sessions are over
	start_agents 2
}

clean_up() { # NAME [FLAGS...]
	run=$work/run-$1
	shift
	code=0
	"$lab" exec "$name/op" "$bin/leaseherd" cleanup "$run" --agents 2 --listen 172.16.7.2 --keys "$work/keys" "$@" \
		>"$run.cleanup" 2>"$run.cleanup.err" || code=$?
}

told() { # TEXT FILTER-OF-cleanup.json OP WANT
	expect "$1" "$(jq -r "$2" "$run/cleanup.json" 2>&1)" "$3" "$4"
}

show_cleanup() {
	((failed == 0)) || tail -n 30 "$run.cleanup" "$run.cleanup.err"
}

# ---- dhcpd, failover pair, lease files ----

begin isc --failover
scenario "$work/isc.yaml" 2 "$each" 100 10m 600s
sed -i 's/expect: {lease: 600s}/expect: {lease: 600s, mclt: 120s}/' "$work/isc.yaml"
with_books "$work/isc.yaml" dhcpd
killed_run isc "$work/isc.yaml"
expect 'dhcpd: the killed run left its leases' "$(active_at s1)" '>=' $((clients * 95 / 100))
code=0
"$bin/leaseherd" cleanup "$work/run-isc" --dry-run >"$work/dry" 2>&1 || code=$?
expect 'dhcpd: --dry-run only tells' "$code" == 0
expect 'dhcpd: ... and sends nothing' "$(active_at s1)" '>=' $((clients * 95 / 100))
clean_up isc
expect 'dhcpd: all given back' "$code" == 0
expect 'dhcpd: no active lease in the file of s1' "$(active_at s1)" == 0
expect 'dhcpd: no active lease in the file of s2' "$(active_at s2)" == 0
told 'dhcpd: all confirmed' .after.confirmed '>=' "$clients"
told 'dhcpd: nothing unconfirmed' '.after.unconfirmed + .after.active' == 0
show_cleanup
stop_agents

# ---- Kea pair: the run ends with a storm of RELEASEs that is lost in part, cleanup finds and repeats them ----

begin kea --failover
release=20000/s scenario "$work/kea.yaml" 2 "$each" 100 5s 600s
with_books "$work/kea.yaml" kea
egress "$work/kea.yaml"
start_agents 2
do_run kea "$work/kea.yaml" 2
expect 'Kea: the run sent a RELEASE for every lease' "$(report .leases.released)" == "$clients"
if [[ $tier == all ]]; then
	expect 'Kea: the storm was lost in part' "$(active_at s1)" '>=' 1
fi
clean_up kea --rate 1000/s
expect 'Kea: all given back' "$code" == 0
expect 'Kea: no active lease in the file of s1' "$(active_at s1)" == 0
expect 'Kea: no active lease in the file of s2' "$(active_at s2)" == 0
told 'Kea: all confirmed' .after.confirmed '>=' "$clients"
show_cleanup

# The same pair, killed, and asked through its control sockets. One of the two is not told anything: its partner is.
sed 's/identity: fresh/identity: fixed/; s/scenario: kea/scenario: socket/' "$work/kea.yaml" >"$work/socket.yaml"
sed -i 's/leases: {kea: [^}]*s1.leases}/leases: {kea_socket: SOCKET1}/; s/leases: {kea: [^}]*s2.leases}/leases: {kea_socket: SOCKET2}/' "$work/socket.yaml"
dir=$("$lab" path "$name" s1 dir)
sed -i "s|SOCKET1|$dir/control|; s|SOCKET2|${dir%s1}s2/control|; s/hold: 5s/hold: 10m/" "$work/socket.yaml"
stop_agents
killed_run socket "$work/socket.yaml"
expect 'Kea, killed: leases are left' "$(active_at s1)" '>=' $((clients * 95 / 100))
clean_up socket
expect 'Kea, killed: all given back' "$code" == 0
expect 'Kea, killed: no active lease in the file of s1' "$(active_at s1)" == 0
expect 'Kea, killed: no active lease in the file of s2' "$(active_at s2)" == 0
show_cleanup

# ---- dhcpd that answers DHCPLEASEQUERY, and no file to read ----

begin isc --leasequery
servers=1 scenario "$work/query.yaml" 2 "$each" 100 10m 600s
with_books "$work/query.yaml" query
killed_run query "$work/query.yaml"
clean_up query
expect 'query: all given back' "$code" == 0
told 'query: all confirmed' .after.confirmed '>=' "$clients"
expect 'query: no active lease in the file' "$(active_at s1)" == 0
show_cleanup
stop_agents

# ---- nobody says what the servers have: nothing is confirmed, and all of it is listed ----

sed 's/, leases: {[^}]*}//; s/scenario: query/scenario: blind/' "$work/query.yaml" >"$work/blind.yaml"
killed_run blind "$work/blind.yaml"
clean_up blind
expect 'blind: not confirmed' "$code" == 3
told 'blind: all of it is listed' '.unconfirmed | length' == "$clients"
expect 'blind: released nevertheless' "$(active_at s1)" == 0
show_cleanup
fleet_end
