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
	"$lab" exec "$name/op" "$bin/leaseherd" cleanup "$run" --agents 2 --listen 172.16.7.2 --keys "$work/keys" --operator-key "$work/keys/operator-lab.key" "$@" \
		>"$run.cleanup" 2>"$run.cleanup.err" || code=$?
}

told() { # TEXT FILTER-OF-cleanup.json OP WANT
	expect "$1" "$(jq -r "$2" "$run/cleanup.json" 2>&1)" "$3" "$4"
}

# refused TEXT CODE PATTERN COMMAND...: a copy of the run after the command, in which $bad is its directory
refused() {
	local text=$1 want=$2 pattern=$3 got=0
	shift 3
	rm -rf "$work/bad"
	cp -r "$work/run-isc" "$work/bad"
	(cd "$work/bad" && "$@")
	timeout 60 "$bin/leaseherd" cleanup "$work/bad" --dry-run >"$work/bad.out" 2>&1 || got=$?
	if [[ $got == "$want" ]] && grep -q -- "$pattern" "$work/bad.out" && ! grep -qE 'Sanitizer|runtime error' "$work/bad.out"; then
		pass "damaged: $text"
	else
		fail "damaged: $text: $got: $(head -n 3 "$work/bad.out")"
	fi
	timeout 60 "$bin/leaseherd" export "$work/bad" >"$work/bad.out" 2>&1 || true
	check "damaged: $text: export has no defect" bash -c "! grep -qE 'Sanitizer|runtime error' '$work/bad.out'"
}

absurd_rows() {
	sqlite3 ledger.db "
		INSERT INTO event SELECT agent, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 FROM event LIMIT 1;
		INSERT INTO event SELECT agent, 1 << 62, 1 << 40, 255, 255, 255, 1 << 33, 9, 9, 1 << 40, 1 << 40, 1e300, 'x', x'00', NULL
			FROM event LIMIT 1;
		INSERT INTO event SELECT agent, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
			FROM event LIMIT 1;
		INSERT INTO stream VALUES (-5, -1, -1, -1), (1 << 40, 1, 1, 1);"
}

damaged_runs() {
	refused 'a plan that is cut' 2 'damaged or of another version' truncate -s -9 plan.bin
	refused 'a plan that is noise' 2 'damaged or of another version' cp /bin/true plan.bin
	refused 'a plan that is a directory' 2 'cannot read the plan' bash -c 'rm plan.bin && mkdir plan.bin'
	refused 'a plan that is a FIFO' 2 'cannot read the plan' bash -c 'rm plan.bin && mkfifo plan.bin'
	refused 'other servers' 2 'name different servers' sed -i 's/192[.]168[.]2[.]12/192.168.2.13/' scenario.yaml
	refused 'another block' 2 'name different servers' sed -i 's|block: 10[.]10[.]0[.]0/16|block: 10.0.0.0/8|' scenario.yaml
	refused 'a scenario that is a FIFO' 2 scenario bash -c 'rm scenario.yaml && mkfifo scenario.yaml'
	refused 'no ledger' 2 'cannot read .*ledger.db' rm ledger.db
	refused 'a ledger that is a FIFO' 2 'cannot read .*ledger.db' bash -c 'rm -f ledger.db* && mkfifo ledger.db'
	refused 'a ledger that is noise' 2 'cannot read .*ledger.db' bash -c 'rm -f ledger.db* && cp /bin/true ledger.db'
	refused 'a ledger of another version' 2 'cannot read .*ledger.db' sqlite3 ledger.db 'PRAGMA user_version = 99'
	refused 'a ledger without its table' 2 'cannot read .*ledger.db' sqlite3 ledger.db 'DROP TABLE event'
	refused 'a ledger of an agent of no number' 2 'cannot read .*ledger.db' sqlite3 ledger.db 'UPDATE event SET agent = 1 << 40'
	refused 'clocks out of this world' 2 'cannot read .*ledger.db' sqlite3 ledger.db \
		"INSERT INTO clock SELECT agent, agent_us + 1, -(1 << 62), 1 FROM clock LIMIT 1;
		UPDATE clock SET offset_us = (1 << 62) + agent_us WHERE offset_us > -(1 << 62)"
	refused 'absurd rows' 0 'left behind' absurd_rows
	refused 'a lock that is a FIFO' 0 'left behind' bash -c 'rm run.lock && mkfifo run.lock'
	refused 'links where files are written' 0 'left behind' bash -c 'ln -s /nonexistent/x cleanup-1; ln -s / cleanup-2'
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
damaged_runs
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
# DHCPLEASEQUERY tells of known leases only, and the ledger of a killed run may not know its last ones.
expect 'query: no proof that there are no others' "$code" == 3
told 'query: ... and that is said' .more_possible == true
told 'query: all given back' .after.active == 0
told 'query: all confirmed' .after.confirmed '>=' "$clients"
expect 'query: no active lease in the file' "$(active_at s1)" == 0
show_cleanup
stop_agents

# ---- nobody says what the servers have: nothing is confirmed, and all of it is listed ----

sed 's/, leases: {[^}]*}//; s/scenario: query/scenario: blind/' "$work/query.yaml" >"$work/blind.yaml"
killed_run blind "$work/blind.yaml"
# What is in a ledger is not what may be sent: outside the block, at another server, of a client the plan does not have.
sqlite3 "$work/run-blind/ledger.db" "
	CREATE TEMP TABLE t AS SELECT * FROM event WHERE kind = 0 AND result = 0 AND client IN (0, 1) GROUP BY client;
	UPDATE t SET addr = 0x0a0b0001 WHERE client = 0;
	UPDATE t SET server = 0xc0a80909 WHERE client = 1;
	INSERT INTO event SELECT * FROM t;
	UPDATE t SET client = 999999 WHERE client = 1;
	INSERT INTO event SELECT * FROM t WHERE client > 1;"
capture a1 start
capture a2 start
clean_up blind
capture a1 stop
capture a2 stop
expect 'blind: not confirmed' "$code" == 3
told 'blind: all of it is listed' '.unconfirmed | length' == "$((clients + 1))"
for ((i = 0; i < 50; i++)); do # RELEASE has no answer: the server may still be writing
	[[ $(active_at s1) != 1 ]] || break
	sleep 0.1
done
expect 'blind: released nevertheless, but for what the ledger has elsewhere' "$(active_at s1)" == 1
for host in a1 a2; do
	expect "blind: $host released" "$(count_packets "$host" 'dhcp.option.dhcp == 7')" '>=' 1
	expect "blind: $host, nothing to another server" "$(count_packets "$host" 'dhcp && udp.dstport == 67 && ip.dst != 192.168.1.12')" == 0
	expect "blind: $host, nothing outside the block" "$(count_packets "$host" \
		'dhcp.option.dhcp == 7 && !(dhcp.ip.client == 10.10.0.0/16)')" == 0
done
show_cleanup
fleet_end
