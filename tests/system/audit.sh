#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# leaseherd audit against real servers: a run is clean by counters, ledger, captures and lease files; whatever is planted
# in a copy of them is found and named.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

for need in sqlite3 editcap python3; do
	command -v "$need" >/dev/null || {
		echo "$0: $need is missing: run deploy/install-deps test" >&2
		exit 1
	}
done

clients=60
hold=7s
lease=12s
if [[ $tier == all ]]; then clients=1000 hold=40s lease=20s; fi

# audit TEXT WANTED-CODE PATTERN RUN FLAGS...: its exit code, and a line of what it says (the empty pattern: any)
audit() {
	local text=$1 want=$2 pattern=$3 got=0
	shift 3
	timeout 60 "$bin/leaseherd" audit "$@" >"$work/audit.out" 2>&1 || got=$?
	if [[ $got == "$want" ]] && grep -Eq -- "$pattern" "$work/audit.out"; then
		pass "$text ($(grep -Em 1 -- "${pattern:-.}" "$work/audit.out" | cut -c 1-150))"
	else
		fail "$text: exit code $got, wanted $want and: $pattern"
		head -n 12 "$work/audit.out" | sed 's/^/      /'
	fi
}

copy_of_run() {
	rm -rf "$work/copy"
	cp -r "$run" "$work/copy"
}

# In a copy of the ledger. plant SQL
plant() {
	copy_of_run
	sqlite3 "$work/copy/ledger.db" "$1"
}

# Number of the first frame of a host's capture that a display filter accepts
frame_of() { # HOST FILTER
	tshark -n -r "$work/$1.pcap" -Y "$2" -T fields -e frame.number 2>/dev/null | awk 'NR == 1'
}

captures_do() { # start|stop: on three hosts, beside each other
	local host pid pids=()
	for host in a1 a2 rtr; do
		capture "$host" "$1" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
}

play() { # NAME LAB-OPTIONS...: two agents; captured at both and on all interfaces of the router
	local what=$1
	shift
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]* "$work"/*.pcap
	agent_pid=()
	fleet_begin --agents 2 --lease "${lease%s}" "$@"
	servers=1 scenario "$work/$what.yaml" 2 "$clients" 50 "$hold" "$lease"
	sed -i 's/^cleanup: .*/cleanup: {release: 1000\/s, on: [fail]}/' "$work/$what.yaml"
	egress "$work/$what.yaml"
	start_agents 2
	captures_do start
	do_run "$what" "$work/$what.yaml" 2
	cp "$("$lab" path "$name" s1 leases)" "$work/$what.leases"
	captures_do stop
	stop_agents
	expect "$what: PASS" "$code" == 0
	((code == 0)) || show_run
	ask "$what: renewed" .leases.renewed '>=' "$clients"
	audit "$what: agents' captures and the lease file" 0 'nothing differs' "$run" \
		--pcap "$work/a1.pcap" --pcap "$work/a2.pcap" --leases "$work/$what.leases"
	check "$what: every lease was compared" grep -q "; $((2 * clients)) leases held at the end" "$work/audit.out"
	audit "$what: the router's capture, which has each packet twice" 0 'nothing differs' "$run" --pcap "$work/rtr.pcap"
	check "$what: each counts once" grep -Eq '\(([1-9][0-9]*) of them seen again' "$work/audit.out"
	audit "$what: all three" 0 'nothing differs' "$run" --pcap "$work/a1.pcap" --pcap "$work/a2.pcap" --pcap "$work/rtr.pcap"
}

captures=()
both() { captures=(--pcap "$work/a1.pcap" --pcap "$work/a2.pcap"); }

planted_in_the_ledger() {
	both
	plant 'DELETE FROM event WHERE rowid = (SELECT min(rowid) FROM event WHERE kind = 1 AND result = 0 AND flags & 1024 = 0)'
	audit "a row deleted" 1 'differs: agent a[12]: leases.renewed: [0-9]+ counted' "$work/copy" "${captures[@]}"
	check "a row deleted: the capture has its ACK" grep -Eq 'belong to no event of the ledger.*client [0-9]+ \(' "$work/audit.out"
	check "a row deleted: the report has it" grep -q 'report.json: ledger_events' "$work/audit.out"
	plant 'INSERT INTO event SELECT * FROM event WHERE rowid = 20'
	audit "a row doubled" 1 'differs: ledger: 1 events stand in it twice; first: .*client [0-9]+ \(' "$work/copy"
	plant "UPDATE final_counter SET value = value + 1 WHERE agent = 1 AND name = 'leases_renewed'"
	audit "a counter changed" 1 'differs: agent a[12]: leases.renewed: ([0-9]+) counted' "$work/copy"
	expect "a counter changed: nothing else differs" "$(grep -c '^differs' "$work/audit.out")" == 2
	check "a counter changed: the log knows another ledger" grep -q 'differs: ledger.db is not as the run closed it' "$work/audit.out"
	plant "UPDATE final_counter SET value = value - 1 WHERE agent = 0 AND name = 'sent_renew'"
	audit "a counter only a capture knows" 1 'differs: agent a[12]: sent renew: ([0-9]+) counted' "$work/copy" "${captures[@]}"
	plant 'UPDATE final_server SET acks = acks + 1 WHERE agent = 0'
	audit "a server's ACKs changed" 1 'differs: agent a[12]: ACKs of server a: ' "$work/copy"
	plant 'UPDATE event SET addr = addr + 7 WHERE rowid = (SELECT max(rowid) FROM event WHERE result = 0 AND kind = 1)'
	audit "an address changed" 1 'ACKs of the ledger are not in them .*; first: renew at' "$work/copy" "${captures[@]}"
	plant 'DELETE FROM final_counter WHERE agent = 0; DELETE FROM final_server WHERE agent = 0'
	audit "counters taken out: never equal" 1 'no final counters are in the ledger, and it was not lost' "$work/copy"
}

planted_in_captures() {
	local frame
	frame=$(frame_of a1 'dhcp.option.dhcp == 5 && dhcp.ip.your != 0.0.0.0')
	editcap "$work/a1.pcap" "$work/less.pcap" "$frame"
	audit "an ACK removed" 1 '1 ACKs of the ledger are not in them .*client [0-9]+ \(' "$run" --pcap "$work/less.pcap" --pcap "$work/a2.pcap"
	check "an ACK removed: counted" grep -Eq 'agent a1: received ACK: [0-9]+ counted' "$work/audit.out"
	frame=$(frame_of a2 'dhcp.option.dhcp == 1')
	editcap "$work/a2.pcap" "$work/less.pcap" "$frame"
	audit "a DISCOVER removed" 1 'agent a2: sent discover: [0-9]+ counted' "$run" --pcap "$work/a1.pcap" --pcap "$work/less.pcap"
	audit "one agent's capture only" 1 'ACKs of the ledger are not in them' "$run" --pcap "$work/a1.pcap"
	editcap -r "$work/rtr.pcap" "$work/late.pcap" "300-100000000"
	audit "begins late" 1 'the captures begin late' "$run" --pcap "$work/late.pcap"
	editcap -r "$work/rtr.pcap" "$work/early.pcap" 1-500
	audit "ends early" 1 'the captures end early' "$run" --pcap "$work/early.pcap"
	head -c "$(($(stat -c %s "$work/a1.pcap") - 100))" "$work/a1.pcap" >"$work/cut.pcap"
	audit "cut" 1 'ends within a packet, after [0-9]+' "$run" --pcap "$work/cut.pcap" --pcap "$work/a2.pcap"
	editcap -s 120 "$work/a1.pcap" "$work/snap.pcap"
	audit "short packets" 1 'DHCP packets are cut short' "$run" --pcap "$work/snap.pcap" --pcap "$work/a2.pcap"
	editcap -F pcapng "$work/a1.pcap" "$work/a1.pcapng"
	audit "pcapng" 0 'nothing differs' "$run" --pcap "$work/a1.pcapng" --pcap "$work/a2.pcap"
}

# What is no evidence at all: one sentence, exit code 2
refused() { # TEXT PATTERN FLAGS...
	local text=$1 pattern=$2
	shift 2
	audit "$text" 2 "$pattern" "$@"
	expect "$text: one line" "$(wc -l <"$work/audit.out")" == 1
}

hostile_files() {
	head -c 100000 /dev/urandom >"$work/noise"
	refused "noise for a capture" 'is no capture' "$run" --pcap "$work/noise"
	refused "an endless one" 'no regular file' "$run" --pcap /dev/zero
	refused "none" 'No such file' "$run" --pcap "$work/nowhere"
	(head -c 20000 "$work/a1.pcap" && head -c 4000 /dev/zero | tr '\0' '\377') >"$work/damaged.pcap"
	refused "a damaged one" 'is damaged after packet' "$run" --pcap "$work/damaged.pcap"
	python3 - "$work/other.pcap" <<-'PYTHON'
		import struct, sys
		with open(sys.argv[1], "wb") as f:
		    f.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
		    f.write(struct.pack("<IIII", 1, 1, 60, 60) + bytes(60))
	PYTHON
	refused "one of other traffic" 'not one of the 1 packets' "$run" --pcap "$work/other.pcap"
	refused "noise for a lease file" 'is no lease file of' "$run" --leases "$work/noise"
	copy_of_run
	head -c "$(($(stat -c %s "$run/ledger.db") / 2))" "$run/ledger.db" >"$work/copy/ledger.new"
	mv "$work/copy/ledger.new" "$work/copy/ledger.db"
	refused "a damaged ledger" 'ledger.db is not a ledger of Leaseherd, or is damaged' "$work/copy"
	plant 'DROP TABLE final_server; CREATE VIEW final_server AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
		SELECT 0 AS agent, 0 AS server, 0 AS offers, 0 AS acks, 0 AS naks FROM n'
	refused "a view in place of a table" 'ledger.db is not a ledger of Leaseherd' "$work/copy"
	plant "UPDATE meta SET value = 'another' WHERE key = 'run'"
	refused "another run's ledger" 'are not of one run' "$work/copy"
	refused "no run" 'is not a run directory' "$work/keys"
}

log_and_report() {
	local log=$work/copy/coordinator.log
	check "log: who began it" grep -Eq 'what=run_begins run=[^ ]+ user=root\(0\).* pid=[0-9]+ version=[^ ]+ command=".*leaseherd run ' "$run/coordinator.log"
	check "log: the scenario" grep -Eq 'what=scenario .*scenario_hash=[0-9a-f]{64} ' "$run/coordinator.log"
	check "log: the plan and its operator" grep -Eq 'what=plan_signed plan_hash=[0-9a-f]{64} operator=[^ ]+ agents=2' "$run/coordinator.log"
	expect "log: both agents acknowledged it" "$(grep -c "what=agent_ready .*$(sed -n 's/.*what=plan_signed \(plan_hash=[0-9a-f]*\).*/\1/p' "$run/coordinator.log")" "$run/coordinator.log")" == 2
	check "log: the verdict" grep -q 'what=verdict result=PASS exit_code=0' "$run/coordinator.log"
	check "report.txt: the chain" grep -q "^Log chain: $(report .log_chain)\$" "$run/report.txt"
	copy_of_run
	sed -i '3s/level=info/level=warn/' "$log"
	audit "a line of the log changed" 1 'coordinator.log: line 3 does not follow' "$work/copy"
	copy_of_run
	sed -i '$d' "$log"
	audit "the log's last line taken out" 1 'no line carries the value [0-9a-f]{32} that the report names' "$work/copy"
	copy_of_run
	rm "$log"
	audit "no log" 1 'coordinator.log is not there' "$work/copy"
	copy_of_run
	jq '.leases.renewed += 1' "$run/report.json" >"$work/copy/report.json"
	audit "the report changed" 1 'report.json: renewed: [0-9]+ in the report' "$work/copy"
}

planted_in_dhcpd_leases() {
	local file=$work/isc.leases first
	# dhcpd's file says several times who has an address; the last one counts.
	first=$(sed -n 's/^lease \(10\.10\.[0-9.]*\) {/\1/p' "$file" | tail -n 1)
	sed "/^lease $first {/,/^}/d" "$file" >"$work/less.leases"
	audit "dhcpd: a lease removed" 1 "server a: $((2 * clients)) leases .* $((2 * clients - 1)) of them are active.*$first" "$run" --leases "$work/less.leases"
	sed "/^lease $first {/,/^}/s|  ends .*|  ends 0 2024/01/07 00:00:00;|" "$file" >"$work/over.leases"
	audit "dhcpd: a lease over" 1 "$((2 * clients - 1)) of them are active.*$first" "$run" --leases "$work/over.leases"
	sed 's/hardware ethernet ..:../hardware ethernet 00:00/' "$file" >"$work/other.leases"
	audit "dhcpd: another server's file" 1 "0 of them are active in the files: is that server's own file among them" "$run" --leases "$work/other.leases"
}

planted_in_kea_leases() {
	local file=$work/kea.leases first
	first=$(tail -n 1 "$file" | cut -d, -f1)
	grep -v "^$first," "$file" >"$work/less.leases"
	audit "Kea: a lease removed" 1 "$((2 * clients - 1)) of them are active.*$first" "$run" --leases "$work/less.leases"
	awk -F, -v OFS=, -v first="$first" '$1 == first { $5 = 1700000000 } { print }' "$file" >"$work/over.leases"
	audit "Kea: a lease over" 1 "$((2 * clients - 1)) of them are active.*$first" "$run" --leases "$work/over.leases"
	audit "Kea: dhcpd's file" 1 '0 of them are active in the files' "$run" --leases "$work/isc.leases"
}

play isc --servers isc
planted_in_the_ledger
planted_in_captures
planted_in_dhcpd_leases
log_and_report
hostile_files
play kea --servers kea
planted_in_kea_leases
fleet_end
