#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What dhcpd (fsync on the disk this machine has) and Kea sustain: repeated searches, with the servers made new between
# them. The figures are this machine's; what is asked is that they can be defended: brackets, and an interval that says
# how far the repeats lie apart.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

policy_extra=$'packets: 100000/s\n'

# search KIND CLIENTS-EACH BETWEEN STEP RESOLUTION REPEAT
search() {
	local kind=$1 each=$2 file=$work/$1.yaml
	{
		printf 'leaseherd: 1\nscenario: search-%s\nservers:\n  a: {address: 192.168.1.12, leases: {%s: %s}}\n' "$kind" \
			"${kind/isc/dhcpd}" "$("$lab" path "$name" s1 leases)"
		printf 'network:\n  block: 10.10.0.0/16\n  relays:\n'
		printf '    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: %d}\n' "$each"
		printf '    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.0.0/16, clients: %d}\n' "$each"
		printf 'expect: {lease: 3600s}\nlimits: {packets: 100000/s, time: 2h}\nrun:\n'
		printf '  - name: limit\n    search: {between: %s, step: %s, within: 500ms, answered: 99%%, resolution: %s, repeat: %d, reset: "%s server %s reset"}\n' \
			"$3" "$4" "$5" "$6" "$lab" "$name"
		printf 'cleanup: {release: 1000/s, on: [end, stop, fail]}\n'
	} >"$file"
}

judge_search() { # KIND REPEATS
	expect "$1: a verdict about the server" "$code" == 0
	ask "$1: repeats with a bracket" '[.search.repeats[] | select(.limit == "server")] | length' == "$2"
	ask "$1: no step was the tester's limit" '[.search.repeats[].steps[] | select(.flag == "invalid")] | length' '<=' "$2"
	ask "$1: every bracket has its lower end below its upper" '[.search.repeats[] | .low_per_s < .high_per_s] | all' == true
	ask "$1: the server began without leases" '.start_state[0].active' == 0
	if (($2 >= 5)); then
		ask "$1: spread <= 5 %, or the interval holds it" \
			'.search | .spread_percent <= 5 or (.interval.low_per_s < .median_per_s and .interval.high_per_s > .median_per_s)' == true
	fi
	report '.search | "\(.sentence) spread \(.spread_percent) %, median \(.median_per_s), interval \(.interval.low_per_s) - \(.interval.high_per_s), \(.interval.percent) %"'
	((failed == 0)) || sed -n '/earch/,/^$/p' "$run/report.txt"
}

play() { # KIND REPEATS LAB-OPTIONS -- SEARCH-ARGUMENTS
	local kind=$1 repeats=$2 options=()
	shift 2
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	"$lab" down "$name"
	rm -rf "$work"/keys "$work"/a[0-9]*
	agent_pid=()
	fleet_begin --servers "$kind" --agents 2 --lease 3600 "${options[@]}"
	search "$kind" "$@" "$repeats"
	egress "$work/$kind.yaml"
	start_agents 2
	do_run "$kind" "$work/$kind.yaml" 2 --allow-actions
	stop_agents
	judge_search "$kind" "$repeats"
}

if [[ $tier != all ]]; then
	play isc 1 -- 9000 '[400/s, 6000/s]' 2s 30%
	fleet_end
	exit
fi
(($#)) || set -- isc kea
for kind; do # search_servers.sh [isc|kea]...
	case $kind in
	isc) play isc 5 -- 11000 '[2000/s, 4000/s]' 2s 5% ;;
	kea) play kea 5 --pool 10.10.0.1-10.10.255.253 -- 30000 '[2000/s, 16000/s]' 2500ms 5% ;;
	esac
done
fleet_end
