#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One server of a pair goes, in each of the ways a server goes, and the report says for each half what that cost its
# clients; what it says is compared with captures on the agents' wires.
#
# failover.sh [PAIR WAY]...: the named cases only, e.g. `failover.sh kea-hs killed`.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pairs=(isc kea-lb kea-hs)
ways=(killed stopped cut shutdown)

# All cases, each in a process and a lab of its own; they wait most of the time.
if [[ ${1:-} != --one ]]; then
	if (($# > 0)); then
		cases=("$@")
	elif [[ ${LEASEHERD_TIER:-short} == all ]]; then
		cases=()
		for pair in "${pairs[@]}"; do for way in "${ways[@]}"; do cases+=("$pair" "$way"); done; done
	else
		cases=(isc killed kea-lb cut kea-hs shutdown)
	fi
	out=$(mktemp -d)
	trap 'rm -rf -- "$out"' EXIT
	pids=()
	for ((i = 0; i < ${#cases[@]}; i += 2)); do
		"$0" --one "${cases[i]}" "${cases[i + 1]}" >"$out/$i" 2>&1 &
		pids+=($!)
		sleep 3 # labs come up one after the other
	done
	bad=0
	for ((i = 0; i < ${#cases[@]}; i += 2)); do
		wait "${pids[i / 2]}" || bad=1
		cat "$out/$i"
	done
	awk '/ passed, .* failed$/ { p += $1; f += $3 } END { printf "\n%d passed, %d failed\n", p, f }' "$out"/*
	exit "$bad"
fi

source "$here/../support/fleet.bash"
pair=$2 way=$3

# With leases of 600 s everything is as in a real network, T1 and T2 too; the short tier has the same in 30 s.
each=100 lease=30 mclt=10 off=12s hold=45s
if [[ $tier == all ]]; then
	each=250 lease=600 mclt=60 off=200s hold=720s
fi

case $pair in
isc) options=(--servers isc --mclt "$mclt") extra=", mclt: ${mclt}s" ;;
kea-lb) options=(--servers kea --kea-mode load-balancing) extra='' ;;
kea-hs) options=(--servers kea --kea-mode hot-standby) extra='' ;;
*)
	echo "failover.sh: no pair '$pair'; there are ${pairs[*]}" >&2
	exit 1
	;;
esac
# In hot standby all clients are the primary's: that is the one to lose.
host=s2 server=b address=192.168.2.12 other=192.168.1.12
[[ $pair != kea-hs ]] || host=s1 server=a address=192.168.1.12 other=192.168.2.12
case $way in
killed) action='kill' ;;
stopped) action=stop ;;
cut) action='cut' ;;
shutdown) action=shutdown ;;
*)
	echo "failover.sh: no way '$way'; there are ${ways[*]}" >&2
	exit 1
	;;
esac

fleet_begin "${options[@]}" --failover --agents 2 --lease "$lease"
expect_extra=$extra scenario "$work/$pair-$way.yaml" 2 "$each" 50 "$hold" "${lease}s"
cat >>"$work/$pair-$way.yaml" <<YAML
events:
  - {at: $off, in: keep, name: "$server off", run: "$lab server $name $host $action"}
YAML
egress "$work/$pair-$way.yaml"
start_agents 2
for agent in a1 a2; do capture "$agent" start; done
do_run "$pair-$way" "$work/$pair-$way.yaml" 2 --allow-actions
for agent in a1 a2; do capture "$agent" stop; done
[[ $way != cut ]] || "$lab" server "$name" "$host" join
[[ $way != stopped ]] || "$lab" server "$name" "$host" cont

"$here/../support/failover_wire.py" 6 "$lease" "$address" "$other" -- "$work/a1.pcap" "$work/a2.pcap" >"$work/wire.json"
wire() { jq -r "$1" "$work/wire.json"; }
half=".halves[\"$address\"]"
of_half='.outage.by_server[] | select(.server == "'$server'")'

# near TEXT FILTER-OF-REPORT FILTER-OF-WIRE TOLERANCE: a jq expression of $want
near() {
	local got want
	got=$(report "$2") want=$(wire "$3")
	if jq -en --arg a "$got" --arg b "$want" "(\$b | tonumber) as \$want | ((\$a | tonumber) - \$want | fabs) <= ($4)" >/dev/null 2>&1; then
		pass "$pair $way: $1 ($got, on the wire $want)"
	else
		fail "$pair $way: $1: $got, on the wire $want"
	fi
}

expect "$pair $way: PASS" "$code" == 0
ask "$pair $way: the event stands on the time axis" \
	"[.timeline.marks[] | select(.text | contains(\"$server off\"))] | length" '>=' 1
expect "$pair $way: the half had to wait" "$(wire "$half.waited")" '>=' $((each * 2 * 35 / 100))
near 'clients of the half that waited' "$of_half | .waited" "$half.waited" 0
near 'first answer of the half' "$of_half | .first_answer_s" "$half.first_answer_s" 0.1
# A percentile comes from a histogram.
near 'median answer of the half' "$of_half | .median_answer_s" "$half.median_answer_s" "0.1 + 0.01 * \$want"
near 'last answer of the half' "$of_half | .last_answer_s" "$half.last_answer_s" 0.1
near 'expired of the half' "$of_half | .expired" "$half.expired" 0
near 'ACKs with a shorter lease' '[.lease_times[] | select(.is_short) | .acks] | add // 0' .short_acks 0
ask "$pair $way: forecast and measured renewals are drawn" '[.timeline.series | keys[] | select(test("^renew_(forecast|started)$"))] | length' == 2
if ((failed > 0)); then
	show_run
	wire .
	sed -n '/utage/,/^$/p' "$run/report.txt"
fi
fleet_end
