#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The failover band: a pair of dhcpd and a pair of Kea under load, an observer beside each server, one server killed and
# started again in the middle. What observers[] tells is held against what the servers themselves have written down, to
# the second. Of dhcpd's run the coordinator is killed, too: the one that goes on with it has the whole band.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

readonly A=192.168.1.12 B=192.168.2.12 CLIENTS=100
observers=()
at_exit() {
	local pid
	for pid in "${observers[@]}"; do
		still_ours "$pid" || continue
		kill -TERM "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	observers=()
}

observe() { # HOST PROGRAM
	local dir=$work/o-$1 public
	if [[ ! -d $dir ]]; then
		mkdir -m 0700 "$dir"
		public=$("$lab" exec "$name/$1" "$bin/leaseherd-agent" keygen "$dir/key")
		"$bin/leaseherd" keys agent "o-$1" --role observer --public "$public" --keys "$work/keys" >/dev/null
	fi
	setsid "$lab" exec "$name/$1" "$bin/leaseherd-agent" --role observer --process "$2" --coordinator 172.16.7.2 \
		--server-key "$work/keys/coordinator.pub" --key "$dir/key" --config "$("$lab" path "$name" "$1" conf)" \
		--log "$("$lab" path "$name" "$1" log)" --leases "$("$lab" path "$name" "$1" leases)" </dev/null >>"$dir/log" 2>&1 &
	observers+=("$!")
}

scenario_of() { # NAME
	cat >"$work/$1.yaml" <<-YAML
		leaseherd: 1
		scenario: $1
		servers:
		  a: {address: $A}
		  b: {address: $B}
		network:
		  block: 10.10.0.0/16
		  client_path: egress
		  relays:
		    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: $CLIENTS}
		clients: {seed: 1, identity: fresh, fuzz: 0}
		expect: {lease: 20s}
		limits: {packets: 2000/s, time: 5m}
		run:
		  - {name: peak, acquire: {batch: 20}, timeout: 30s}
		  - {name: keep, hold: 45s}
		cleanup: {release: 1000/s, on: [end, stop, fail]}
	YAML
}

# Wall time of run time 0, in seconds.
start_wall() { sqlite3 "$run/ledger.db" 'SELECT b / 1e9 FROM journal WHERE kind = 0'; }

# dhcpd writes its state into the lease file, in UTC seconds: the first time of STATE since then.
dhcpd_state_at() { # HOST STATE SINCE
	local weekday date clock at
	while read -r weekday date clock; do
		at=$(date -u -d "${date//\//-} ${clock%;}" +%s)
		if ((at + 1 >= $3)); then
			echo "$at"
			return
		fi
	done < <(sed -n "s/^ *my state $2 at \([0-6] .*\)$/\1/p" "$("$lab" path "$name" "$1" leases)")
	echo "none ${weekday:-}"
}

# Kea logs its transitions to the millisecond, in local time.
kea_state_at() { # HOST STATE SINCE
	local at stamp
	while read -r stamp; do
		at=$(date -d "$stamp" +%s.%N)
		if jq -en "$at >= $3" >/dev/null; then
			echo "$at"
			return
		fi
	done < <(sed -n "s/^\([0-9-]* [0-9:.]*\) .*HA_STATE_TRANSITION.* to ${2^^} state.*/\1/p" "$("$lab" path "$name" "$1" log)")
	echo none
}

# When the band of SERVER turned to STATE, as wall time.
band_at() { # SERVER STATE SINCE
	jq -r --arg server "$1" --arg state "$2" --argjson start "$(start_wall)" --argjson since "$3" \
		'[.observers[] | select(.server == $server) | .failover[] | select(.own == $state) | .from_s + $start
		  | select(. >= $since - 2)] | min // "none"' "$run/report.json"
}

same_second() { # TEXT BAND OWN SLACK-AFTER: the server's own clock may cut off what is below a second
	check "$1: the band says $2, the server $3" jq -en "($2) as \$band | ($3) as \$own | \$band - \$own | . >= -1 and . <= $4"
}

# The coordinator is killed, and another goes on with the run.
resume_run() {
	kill -KILL "$coordinator"
	wait "$coordinator" 2>/dev/null || true
	setsid "$lab" exec "$name/op" "$bin/leaseherd" resume "$run" </dev/null >"$run.resumed" 2>&1 &
	coordinator=$!
}

pair() { # NAME SERVERS PROGRAM STATE SLACK FIRST-STATE FLAGS...
	local what=$1 program=$3 state=$4 slack=$5 first=$6 host killed started
	fleet_begin --servers "$2" --failover --agents 1 --relays 1 --lease 20 "${@:7}"
	scenario_of "$what"
	egress "$work/$what.yaml"
	start_agent 1
	for host in s1 s2; do observe "$host" "$program"; done
	begin_run "$what" "$work/$what.yaml" 1
	check "$what: the load begins" until_log 'stage=keep' 60
	sleep 6
	killed=$(date +%s.%N)
	"$lab" server "$name" s1 kill
	sleep 15
	started=$(date +%s.%N)
	"$lab" server "$name" s1 start
	if [[ $what == dhcpd ]]; then
		sleep 4
		resume_run
	fi
	end_run
	check "$what: the run comes to a verdict ($code)" test -r "$run/report.json"
	ask "$what: an observer for each server" '[.observers[] | "\(.server) \(.program)"] | sort | join(", ")' == "a $program, b $program"
	ask "$what: both were heard to the end" '[.observers[].lost] | any' == false
	ask "$what: a frame a second" '[.observers[] | .frames >= (.last_s - .first_s) * 0.8] | all' == true
	ask "$what: dated to milliseconds" '[.observers[].clock_uncertainty_us < 20000] | all' == true
	ask "$what: both were at work with each other" "[.observers[] | [.failover[].own | select(. != null)][0]] | unique | join(\" \")" == "$first"
	ask "$what: the killed one was not running, and was restarted once" \
		'.observers[] | select(.server == "a") | ([.failover[].running] | any(. == false)), .server_restarts | tostring' == $'true\n1'
	ask "$what: the other was not restarted" '.observers[] | select(.server == "b") | .server_restarts' == 0
	same_second "$what: a is gone" \
		"$(jq -r --argjson start "$(start_wall)" '[.observers[] | select(.server == "a").failover[] | select(.running | not).from_s][0] + $start' "$run/report.json")" \
		"$killed" 1
	same_second "$what: b turns $state" "$(band_at b "$state" "$killed")" "$("${program%%-*}_state_at" s2 "$state" "${killed%.*}")" "$slack"
	same_second "$what: b turns $first again" "$(band_at b "$first" "$started")" \
		"$("${program%%-*}_state_at" s2 "$first" "${started%.*}")" "$slack"
	ask "$what: its CPU time is on the time axis" \
		'.timeline.series["observer.o-s2.cpu_user"].values | map(select(. != null)) | length > 20' == true
	ask "$what: and the change is marked there" "[.timeline.marks[].text] | any(. == \"b: failover $state\")" == true
	check "$what: report.txt draws the band" grep -q 's: '"$state" "$run/report.txt"
	check "$what: report.json follows its schema" python3 "$top/tests/support/check_schema.py" "$top/deploy/report.schema.json" "$run/report.json"
	check "$what: the audit finds nothing" "$bin/leaseherd" audit "$run"
	at_exit
	stop_agents
	"$lab" down "$name"
	rm -rf -- "$work/keys" "$work"/o-s? "$work"/a1
}

pair dhcpd isc dhcpd communications-interrupted 2 normal
pair kea kea kea-dhcp4 partner-down 1 load-balancing
fleet_end
