#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What was found in 2012 with strace and tcpdump, told by the report: a dhcpd pair, leases of 60 s, and DNAT that brings
# the ACKs of renewals to the tester; and a server that calls fsync() on a slow disk for each lease. The counts are the
# servers' own: EPERM in their logs, OutDiscards, insert_failed.
#
# story_2012.sh [CHAPTER]...: only these.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# name              clients  start         hold  source  requests  besides
readonly CHAPTERS='
own-300             300      batch:300     36    own     untracked -
own-2000            2000     rate:400/s    40    own     untracked -
own-2000-observed   2000     rate:400/s    48    own     untracked observed
own-tracked-2000    2000     rate:400/s    48    own     tracked   -
ciaddr-2000         2000     rate:400/s    48    ciaddr  untracked -
ciaddr-tracked-2000 2000     batch:300     36    ciaddr  tracked   -
bypassed-300        300      batch:300     56    own     bypassed  -
paced-20000         20000    rate:660/s    70    own     untracked timeout-1
batches-20000       20000    batch:300     70    own     untracked timeout-1
egress-20000        20000    batch:300     70    egress  -         -
'
# The other half of the story, as set-ups of findings.sh: fault, servers, path, load, observer.
readonly DISKS='
disk-slow           slow_fsync        isc egress brisk no
disk-slow-observed  slow_disk         isc egress steady yes
disk-shared         slow_fsync_shared isc egress calm  no
'
readonly SHORT='own-300 own-2000 ciaddr-tracked-2000'

if [[ ${1:-} != --one ]]; then
	names=("$@")
	if ((${#names[@]} == 0)); then
		read -ra names <<<"$SHORT"
		[[ ${LEASEHERD_TIER:-short} != all ]] || mapfile -t names < <(awk 'NF { print $1 }' <<<"$CHAPTERS$DISKS")
	fi
	out=$(mktemp -d)
	trap 'rm -rf -- "$out"' EXIT
	# The small ones wait most of the time; 20,000 clients want the machine for themselves.
	bad=0 pids=()
	for one in "${names[@]}"; do
		if [[ $one == *-20000 ]]; then
			for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
			pids=()
			"$0" --one "$one" >"$out/$one" 2>&1 || bad=1
			continue
		fi
		while ((${#pids[@]} >= ${JOBS:-3})); do
			wait "${pids[0]}" || bad=1
			pids=("${pids[@]:1}")
		done
		"$0" --one "$one" >"$out/$one" 2>&1 &
		pids+=($!)
		sleep 2 # labs come up one after the other
	done
	for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
	for one in "${names[@]}"; do grep -v -e '^$' -e ' passed, [0-9]* failed$' "$out/$one" || true; done
	awk '/ passed, .* failed$/ { p += $1; f += $3 } END { printf "\n%d passed, %d failed\n", p, f }' "$out"/*
	exit "$bad"
fi

# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$here/../support/fleet.bash"
# shellcheck source-path=SCRIPTDIR source=../support/set_up.bash
source "$here/../support/set_up.bash"
if grep -q "^$2 " <<<"$DISKS"; then
	# shellcheck source-path=SCRIPTDIR source=../support/faults.bash
	source "$here/../support/faults.bash"
	read -ra word < <(awk -v name="$2" '$1 == name' <<<"$DISKS")
	set_up_in_process "$work" "${word[@]}" - 1
	exit
fi
set_up_defaults
read -r set_up clients start hold source requests besides < <(awk -v name="$2" '$1 == name' <<<"$CHAPTERS")
fault=$set_up servers=isc-pair path=dnat load=- seed=1 lease=60 clients_extra=', renew_retry: 4s' observer=no
start=${start%%:*}': '${start#*:}
[[ $source == own ]] || path=${source/ciaddr/routed}
[[ $besides != observed ]] || observer=yes
at_exit() { stop_observers; }

# ---- the set-up ----

dnat_of_2012() {
	local notrack=prerouting
	case $requests in
	tracked) notrack=none ;;
	bypassed) notrack=${1:-prerouting} ;;
	esac
	LEASEHERD_BIN=$bin "$lab" testbed "$name" dnat apply --rules "$work/$set_up.yaml" --notrack "$notrack" >/dev/null
	if [[ $besides == timeout-1 ]]; then at_servers sh -c 'echo 1 >/proc/sys/net/netfilter/nf_conntrack_udp_timeout'; fi
}

((clients <= 2000)) || pool=10.10.0.1-10.10.95.254 # more takes longer to share out
fleet_begin --failover --agents 1 --relays 1 --lease "$lease" --pool "$pool"
set_up_scenario "$work/$set_up.yaml"
[[ $path == dnat ]] || apply_path "$work/$set_up.yaml"
[[ $path == egress ]] || dnat_of_2012
start_agents 1
if [[ $observer == yes ]]; then for host in s1 s2; do start_observer "$host"; done; fi
((clients > 2000)) || capture a1 start
begin_run "$set_up" "$work/$set_up.yaml" 1
if [[ $requests == bypassed ]]; then # later than preflight, which would refuse it
	check "$set_up: the hold begins" until_log 'stage=keep' 60
	dnat_of_2012 both
fi
end_run
((clients > 2000)) || capture a1 stop
stop_observers

# ---- what the servers say of it, and what the report does ----

sum_of() { # COMMAND... HOST-LAST
	local host sum=0
	for host in s1 s2; do sum=$((sum + $("${@//HOST/$host}"))); done
	echo "$sum"
}
eperm=$(sum_of in_log HOST 'send_packet: Operation not permitted')
has_finding() { report "[.findings[] | select(.id == \"$1\" and .side == \"bed\" and .severity == \"$2\")] | length"; }
told() { report ".findings[] | select(.id == \"$1\") | [.summary, .evidence, .remedy] | join(\" \")"; }
tells() { told "$1" | tr -d , | grep -cE -- "$2" || true; }

every_count_agrees() {
	expect "$set_up: OutDiscards is EPERM in the logs" "$(sum_of snmp_of HOST Ip OutDiscards)" == "$eperm"
	expect "$set_up: insert_failed too" "$(sum_of conntrack_of HOST insert_failed)" == "$eperm"
	((clients <= 2000)) || return 0
	# Within one in a hundred: a RENEW can also be lost in a server's full socket.
	expect "$set_up: RENEWs on the wire less ACKs to them too, EPERM $eperm" \
		$((100 * ($(count_packets a1 'udp.dstport == 67 && dhcp.ip.relay == 0.0.0.0 && dhcp.option.dhcp == 3') - \
			$(count_packets a1 'udp.dstport == 68 && dhcp.option.dhcp == 5') - eperm) / eperm)) == 0
}

exhausted() {
	local lost=nat-source-port-exhaustion
	expect "$set_up: INVALID" "$code" == 3
	expect "$set_up: named" "$(has_finding $lost error)" == 1
	expect "$set_up: nothing else" "$(found | as_list)" == "$lost:bed"
	told=$(told $lost | tr -d , | grep -oE '[0-9]+ RENEW packets' | cut -d ' ' -f 1)
	expect "$set_up: with EPERM's count ($eperm), within one in a hundred: $told" "$((100 * (${told:-0} - eperm) / eperm))" == 0
	expect "$set_up: with the ceiling" "$(tells $lost '\b511\b')" == 1
	expect "$set_up: with both servers" "$(tells $lost '\ba\b.*\bb\b')" == 1
	expect "$set_up: with the remedy" "$(tells $lost 'egress')" == 1
	ask "$set_up: rebinds succeeded, nobody lost a lease" .leases.expired == 0
}

case $set_up in
own-300)
	expect "$set_up: PASS" "$code" == 0
	expect "$set_up: warned" "$(has_finding nat-rewrites-source-port warning)" == 1
	expect "$set_up: nothing else" "$(found | as_list)" == nat-rewrites-source-port:bed
	expect "$set_up: nothing refused yet" "$eperm" == 0
	ask "$set_up: all renewed" .leases.renewed '>=' "$clients"
	;;
own-* | ciaddr-2000)
	expect "$set_up: replies refused" "$eperm" '>=' 500
	every_count_agrees
	exhausted
	;;
ciaddr-tracked-2000)
	# The reply belongs to the request's entry: the DNAT rule is never asked.
	expect "$set_up: PASS" "$code" == 0
	expect "$set_up: nothing found" "$(found | as_list)" == -
	expect "$set_up: nothing refused" "$eperm" == 0
	expect "$set_up: ACKs from port 67" "$(count_packets a1 'udp.dstport == 68 && udp.srcport != 67')" == 0
	;;
bypassed-300)
	expect "$set_up: INVALID" "$code" == 3
	expect "$set_up: named" "$(has_finding no-return-path error)" == 1
	expect "$set_up: nothing refused, and yet nothing arrives" "$eperm" == 0
	ask "$set_up: no renewal answered" .leases.renewed == 0
	;;
paced-20000)
	expect "$set_up: PASS" "$code" == 0
	expect "$set_up: nothing but the warning" "$(found | as_list)" == nat-rewrites-source-port:bed
	expect "$set_up: nothing refused" "$eperm" == 0
	;;
batches-20000)
	expect "$set_up: replies refused" "$eperm" '>=' 1000
	every_count_agrees
	exhausted
	;;
egress-20000)
	expect "$set_up: PASS" "$code" == 0
	expect "$set_up: nothing found" "$(found | as_list)" == -
	ask "$set_up: port 67 throughout" .messages.wrong_source_port == 0
	ask "$set_up: all renewed" .leases.renewed '>=' "$clients"
	;;
esac
keep_report
((failed == 0)) || show_run
stop_agents
fleet_end
