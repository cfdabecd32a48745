# SPDX-License-Identifier: MIT
# A set-up is a fault (support/faults.bash), the servers it is in, the way of renewals' ACKs and a load. Here is what all
# of them share: a lab, a scenario, the run with the fault's hooks in it, and what the report found beside what it had
# to find. Source support/fleet.bash first.
# shellcheck shell=bash

# What a fault may change in its `plan`; everything else follows from the set-up.
set_up_defaults() {
	clients=240 start='rate: 60/s' hold=24 lease=20 # T1 10 s, T2 17.5 s: two renewals of each client
	expected=()                                      # ID:SIDE of each finding that must be there
	allowed=()                                       # of those that may: the same said in other words
	expected_codes=''                                # '' follows from the sides
	lab_options=()
	subnet=10.10.0.0/16 pool=10.10.0.1-10.10.15.254
	block=10.10.0.0/16 agents=1 relays=1 more_relays='' run_flags=()
	relay_extra='' expect_extra='' clients_extra=', renew_retry: 2s' stages=''
	amount=0 # how strong, in the fault's own unit: strength DEFAULT
}

strength() { amount=${wanted_amount:-$1}; }

is_pair() { [[ $servers == *-pair ]]; }
is_two() { is_pair || [[ " ${lab_options[*]} " == *' --unpaired '* ]]; }
is_isc() { [[ $servers == isc* ]]; }
server_hosts() { if is_two; then printf 's1\ns2\n'; else printf 's1\n'; fi; }

# load NAME: how many clients come how fast, as the set-up says
set_up_load() {
	case $1 in
	calm) clients=120 start='rate: 30/s' ;;
	steady) clients=240 start='rate: 60/s' ;;
	batch) clients=240 start='batch: 30' ;;
	brisk) clients=400 start='rate: 100/s' ;;
	*)
		echo "no load is called $1" >&2
		return 1
		;;
	esac
}

set_up_scenario() { # FILE
	{
		printf 'leaseherd: 1\nscenario: %s\nservers:\n  a: {address: 192.168.1.12}\n' "${fault//_/-}"
		! is_two || printf '  b: {address: 192.168.2.12}\n'
		printf 'network:\n  block: %s\n  client_path: %s\n  relays:\n' "$block" "$path"
		printf '    - {name: r1, giaddr: 172.16.8.3, subnet: %s, clients: %d%s}\n' "$subnet" "$clients" "$relay_extra"
		printf '%s' "$more_relays"
		printf 'clients: {seed: %d%s}\n' "$seed" "$clients_extra"
		printf 'expect: {lease: %ds%s}\nlimits: {packets: 20000/s, time: 5m}\n' "$lease" "$expect_extra"
		printf 'run:\n  - {name: peak, acquire: {%s, deadline: 20s}}\n%s' "$start" "$stages"
		printf '  - {name: keep, hold: %ds}\n' "$hold"
		printf 'judge:\n  - addresses.duplicate == 0\ncleanup: {release: %d/s, on: [end, stop, fail]}\n' $((clients > 2000 ? 2000 : 500))
	} >"$1"
}

# ---- hosts of the lab ----

at() { # HOST COMMAND...
	local host=$1
	shift
	"$lab" exec "$name/$host" "$@"
}

at_servers() { # COMMAND...
	local host
	for host in $(server_hosts); do at "$host" "$@"; done
}

server_file() { "$lab" path "$name" "$1" "$2"; }

# counted HOST FAMILY TABLE COUNTER: packets of a named counter of nft
counted() { at "$1" nft -j list counter "$2" "$3" "$4" | jq '.nftables[] | .counter? // empty | .packets'; }

snmp_of() { # HOST GROUP FIELD, as Ip OutDiscards or Udp RcvbufErrors
	at "$1" awk -v group="$2:" -v field="$3" '$1 == group {
		if (!n) { for (n = NF; n > 1 && $n != field; n--) {} } else { print $n; exit } }' /proc/net/snmp
}

conntrack_of() { # HOST COLUMN: the sum over CPUs of a column of /proc/net/stat/nf_conntrack
	local value sum=0
	for value in $(at "$1" awk -v field="$2" '
		NR == 1 { for (n = NF; n > 1 && $n != field; n--) {} ; next } { print $n }' /proc/net/stat/nf_conntrack); do
		sum=$((sum + 16#$value))
	done
	echo "$sum"
}

in_log() { # HOST PATTERN: lines of the server's log
	grep -c -- "$2" "$(server_file "$1" log)" || true
}

# ---- the run ----

apply_path() { # SCENARIO
	[[ $path != relayed && $path != auto ]] || return 0
	LEASEHERD_BIN=$bin "$lab" testbed "$name" "$path" apply --rules "$1" >"$work/testbed.log" 2>&1 || {
		cat "$work/testbed.log"
		return 1
	}
}

start_observer() { # HOST
	local dir=$work/o-$1 public pid
	mkdir -m 0700 "$dir"
	public=$("$lab" exec "$name/$1" "$bin/leaseherd-agent" keygen "$dir/key")
	"$bin/leaseherd" keys agent "o-$1" --role observer --public "$public" --keys "$work/keys" >/dev/null
	read -r pid _ <"$(server_file "$1" dir)/pid"
	setsid "$lab" exec "$name/$1" "$bin/leaseherd-agent" --role observer --process "$pid" --coordinator 172.16.7.2 \
		--server-key "$work/keys/coordinator.pub" --key "$dir/key" \
		--config "$(server_file "$1" conf)" --log "$(server_file "$1" log)" --leases "$(server_file "$1" leases)" \
		</dev/null >>"$dir/log" 2>&1 &
	observer_pid+=($!)
}

stop_observers() {
	local pid
	for pid in "${observer_pid[@]}"; do
		still_ours "$pid" || continue
		kill -TERM "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	observer_pid=()
}
observer_pid=()

hook() { "fault_$fault" "$1"; }

# set_up_play FAULT SERVERS PATH LOAD OBSERVER: leaves $run, $code and the checks of the fault's proof. OBSERVER: yes
# or no. `seed` and `wanted_amount` ('': the fault's own) are of the caller.
set_up_play() {
	local host
	fault=$1 servers=$2 path=$3 load=$4 observer=$5
	set_up_defaults
	set_up_load "$load"
	hook plan
	is_pair && lab_options+=(--failover)
	[[ $servers != kea-raw* ]] || lab_options+=(--kea-socket raw)
	lab_options+=(--servers "$(if is_isc; then echo isc; else echo kea; fi)" --agents "$agents" --relays "$relays" --lease "$lease" --pool "$pool")
	fleet_begin "${lab_options[@]}"
	set_up_scenario "$work/$fault.yaml"
	apply_path "$work/$fault.yaml"
	hook up
	start_agents "$agents"
	if [[ $observer == yes ]]; then for host in $(server_hosts); do start_observer "$host"; done; fi
	begin_run "$fault" "$work/$fault.yaml" "$agents" "${run_flags[@]}"
	if until_log 'stage=peak' 60; then
		hook peak
		if until_log 'stage=keep' 90; then hook keep; fi
	fi
	end_run
	stop_observers
	hook proof
}

# ---- what was found ----

# What is wanted counts at any severity; what is not, from a warning on.
found() {
	report '.findings[]? | "\(.severity) \(.id):\(.side)"' | while read -r severity finding; do
		case " ${allowed[*]} /  ${expected[*]} " in
		*" ${finding%:*}:"*' / '*) ;;
		*' / '*" ${finding%:*}:"*) echo "$finding" ;;
		*) [[ $severity == info ]] || echo "$finding" ;;
		esac
	done | sort -u
}
wanted() { if ((${#expected[@]})); then printf '%s\n' "${expected[@]}" | sort -u; fi; }
as_list() { paste -sd , | sed 's/^$/-/'; }

judge_set_up() {
	local missing surplus
	missing=$(comm -23 <(wanted) <(found) | as_list)
	surplus=$(comm -13 <(wanted) <(found) | as_list)
	if [[ $missing$surplus == -- ]]; then
		pass "$set_up: found exactly $(wanted | as_list)"
	else
		fail "$set_up: missing $missing, too much $surplus"
		report '.findings[]? | "      \(.severity) \(.id) (\(.side)): \(.summary) [\(.evidence // "")]"' || true
	fi
	[[ -z $expected_codes || " $expected_codes " == *" $code "* ]] || fail "$set_up: exit code $code, not $expected_codes"
}

keep_report() { # where LEASEHERD_CASES says, for who writes rules
	local dir=${LEASEHERD_CASES:-}
	[[ -n $dir && -r $run/report.json ]] || return 0
	mkdir -p "$dir/$set_up"
	cp "$run"/{report.json,report.txt,scenario.yaml,coordinator.log} "$dir/$set_up/"
	cp "$run/problems.log" "$dir/$set_up/" 2>/dev/null || true
	{
		echo "set-up: $fault servers=$servers path=$path load=$load observer=$observer amount=$amount seed=$seed exit=$code"
		echo "expected: $(wanted | as_list)"
		echo "found: $(found | as_list)"
	} >"$dir/$set_up/expectation"
}

# ---- many of them ----

# set_up_in_process OUT NAME FAULT SERVERS PATH LOAD OBSERVER AMOUNT SEED: one set-up, in a process and a lab of its own.
# OUT/NAME.score says in the end what was wanted and what was found.
set_up_in_process() {
	local out=$1
	set_up=$2 seed=$9 wanted_amount=${8/#-/}
	at_exit() {
		stop_observers
		faults_undo
	}
	set_up_play "${@:3:5}"
	((failed == 0)) || : >"$out/$set_up.unproved"
	judge_set_up
	keep_report
	printf '%s %s %s\n' "$set_up" "$(wanted | as_list)" "$(found | as_list)" >"$out/$set_up.score"
	stop_agents
	fleet_end
}

# play_each JOBS SCRIPT OUT: a line of standard input is NAME FAULT SERVERS PATH LOAD OBSERVER AMOUNT SEED; each becomes
# SCRIPT --one OUT LINE, so many at a time. Shows what each said; false when one of them has failed.
play_each() {
	local jobs=$1 script=$2 out=$3 line pid status=0
	local -a word
	local -A name_of=()
	while read -r line; do
		read -ra word <<<"$line"
		while ((${#name_of[@]} >= jobs)); do play_one_ended || status=1; done
		"$script" --one "$out" "${word[@]}" >"$out/${word[0]}.log" 2>&1 </dev/null &
		name_of[$!]=${word[0]}
		((jobs == 1)) || sleep 2 # labs come up one after the other
	done
	while ((${#name_of[@]})); do play_one_ended || status=1; done
	return $status
}

play_one_ended() {
	local pid='' status=0
	wait -n -p pid || status=$?
	[[ -n $pid ]] || return 0
	grep -v -e '^$' -e ' passed, [0-9]* failed$' "$out/${name_of[$pid]}.log" || true
	((status == 0)) || echo "      ($(tail -n 1 "$out/${name_of[$pid]}.log"))"
	unset "name_of[$pid]"
	return $status
}
