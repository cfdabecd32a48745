# SPDX-License-Identifier: MIT
# What the cases of a coordinator under pressure share: peers without packets (leaseherd-press), and whether what they saw
# acknowledged is in the ledger. Sourced after fleet.bash.
# shellcheck shell=bash
# shellcheck disable=SC2154 # fleet.bash's variables

readonly SERVER=192.168.1.12
press=$bin/leaseherd-press
[[ -x $press ]] || {
	echo "$0: $press is missing: it is built with the tests" >&2
	exit 1
}

mounts=()
unmount_all() {
	local at
	for at in "${mounts[@]}"; do umount -l "$at" 2>/dev/null || true; done
	mounts=()
}
at_exit() { unmount_all; }

small_disk() { # NAME OPTIONS: $work/NAME is a file system of its own
	mkdir -p "$work/$1"
	mount -t tmpfs -o "$2" none "$work/$1"
	mounts+=("$work/$1")
}

address() { printf '172.16.%d.3' $((7 + $1)); }

scenario_of() { # FILE AGENTS HOLD
	local i
	{
		printf 'leaseherd: 1\nscenario: %s\nservers:\n  a: {address: %s}\n' "$(basename "$1" .yaml)" "$SERVER"
		printf 'network:\n  block: 10.10.0.0/16\n  client_path: egress\n  relays:\n'
		for ((i = 1; i <= $2; i++)); do
			printf '    - {name: r%d, giaddr: %s, subnet: 10.10.0.0/16, clients: 40}\n' "$i" "$(address "$i")"
		done
		printf 'clients: {seed: 1, identity: fresh, fuzz: 0}\nexpect: {lease: 12s}\nlimits: {packets: 2000/s, time: 3m}\n'
		printf 'run:\n  - {name: peak, acquire: {batch: 40, tries: 2, deadline: 5s}, timeout: 20s}\n  - {name: keep, hold: %s}\n' "$3"
		printf 'judge:\n  - leases.failed == 0\ncleanup: {release: 1000/s, on: [end, stop, fail]}\non_agent_loss: continue\n'
	} >"$1"
}

begin_press() { # I MODE SECONDS, of an agent that is enrolled
	setsid "$lab" exec "$name/a$1" "$press" "$2" 172.16.7.2 6767 "$(address "$1")" "$3" "$work/a$1/key" \
		"$work/keys/coordinator.pub" </dev/null >"$work/a$1.seen" 2>&1 &
	agent_pid[$1]=$!
}

end_press() { # I
	wait "${agent_pid[$1]}" || true
	agent_pid[$1]=''
}

honest_server() { # for agent 1
	"$lab" exec "$name/s1" python3 "$top/tests/support/hostile_server.py" "$SERVER" "$(address 1)=honest" >"$work/server.log" 2>&1 &
	agent_pid[990]=$!
}

seen() { sed -nE "s/.*(^| )$2=([0-9]+).*/\2/p" "$work/a$1.seen"; } # I KEY

# What stands in a ledger, whatever state its run ended in.
ledger() { sqlite3 "$run/ledger.db" "$1"; }

# Every row that this peer saw acknowledged is there, each once; and what the ledger says of itself is so.
rows_are_there() { # TEXT I
	local agent
	agent=$(ledger "select agent from agent where name = 'a$2'")
	expect "$1: results were acknowledged before" "$(seen "$2" acked)" '>' 0
	expect "$1: of acknowledged rows are missing" "$(ledger "with recursive acked(x) as
		(select 0 union all select x + 1 from acked where x + 1 < $(seen "$2" acked))
		select count(*) from acked where x not in (select xid from event where agent = $agent)")" == 0
	expect "$1: rows that are there twice" \
		"$(ledger "select count(*) - count(distinct xid) from event where agent = $agent")" == 0
	expect "$1: rows beside those it counts" "$(ledger 'select count(*) from (select agent, count(*) n from event group by agent)
		join stream using (agent) where n != stream.events')" == 0
	expect "$1: the file is whole" "$(ledger 'pragma integrity_check')" == ok
}

reports_are_whole() { # TEXT
	check "$1: nothing half written" bash -c "! compgen -G '$run/*.part' >/dev/null"
	[[ ! -e $run/report.json ]] || check "$1: report.json is whole" jq -e ".verdict | has(\"exit_code\")" "$run/report.json"
}
