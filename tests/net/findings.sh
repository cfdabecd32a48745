#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The table of set-ups and findings, with dhcpd and Kea: each set-up has one thing wrong, or nothing, and the report finds
# exactly that, on the right side, with no warning and no error besides.
#
# findings.sh [SET-UP]...: only these. LEASEHERD_CASES=DIR keeps the report of each.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# name fault servers path load observer
readonly TABLE='
healthy-dhcpd         none               isc       egress   steady  no
healthy-dhcpd-pair    none               isc-pair  egress   brisk   no
healthy-kea           none               kea       routed   batch   no
healthy-kea-pair      none               kea-pair  relayed  steady  no
option82-kept         option82_kept      isc       egress   steady  no
first-leases-short    first_leases_short isc-pair  egress   steady  no
pool-tight            pool_tight         kea       egress   steady  no
stall-short           stall_short        isc       egress   steady  no
tracked-beside        tracked_beside     isc       egress   steady  no
nat-below             nat_ports          isc-pair  dnat     steady  no
nat-beyond            nat_exhausted      isc       dnat     steady  no
nat-beyond-kea        nat_exhausted      kea       dnat     steady  no
nat-bypassed          nat_bypassed       isc       dnat     steady  no
nat-unseen            nat_unseen         kea-raw   dnat     steady  no
no-way-back           path_gone          isc       egress   steady  no
no-way-back-kea       path_gone          kea-pair  routed   steady  no
replies-limited       replies_limited    isc       egress   steady  no
addresses-dropped     addresses_dropped  isc       egress   steady  no
requests-lost         requests_lost      isc       egress   steady  no
replies-lost          replies_lost       isc       egress   steady  no
loss-kea              loss_unknown       kea       egress   steady  no
slow-disk             slow_fsync         isc       relayed  calm    no
slow-disk-load        slow_fsync         isc       egress   brisk   no
slow-disk-shared      slow_fsync_shared  isc       egress   calm    no
ping-check            ping_check         isc       egress   steady  no
pings-answered        pings_answered     isc       routed   steady  no
half-silent           half_silent        isc-pair  egress   steady  no
half-silent-kea       half_silent        kea-pair  egress   steady  no
lease-too-short       lease_too_short    kea-pair  egress   steady  no
mclt-storm            mclt_storm         isc-pair  egress   steady  no
peer-holds-free       peer_holds_free    isc-pair  egress   steady  no
half-handed-back      half_handed_back   kea-pair  egress   steady  no
option82-forgotten    option82_forgotten isc       egress   steady  no
cached-renewals       cached_renewals    isc       egress   steady  no
receive-overflow      receive_overflow   isc       egress   steady  no
pool-exhausted        pool_exhausted     isc       egress   steady  no
pool-exhausted-kea    pool_exhausted     kea       egress   steady  no
pool-too-large        pool_too_large     isc       egress   steady  yes
other-address         other_address      isc       egress   steady  no
duplicate-addresses   unpaired           isc       egress   steady  no
wrong-subnet          wrong_subnet       isc       egress   steady  no
odd-timers            odd_timers         isc       egress   steady  no
tester-limited        tester_limited     isc       egress   steady  no
healthy-observed      none               isc       egress   steady  yes
healthy-kea-observed  none               kea       egress   steady  yes
nat-beyond-observed   nat_exhausted      isc       dnat     steady  yes
disk-observed         slow_disk          isc       egress   calm    yes
dropped-observed      replies_dropped    isc       egress   steady  yes
limited-observed      replies_limited    isc       egress   steady  yes
peer-holds-observed   peer_holds_free    isc-pair  egress   steady  yes
overflow-observed     receive_overflow   isc       egress   steady  yes
cpu-starved           cpu_starved        isc       egress   steady  yes
'

# Of each kind one, which the short tier plays.
readonly SHORT='healthy-dhcpd-pair healthy-kea nat-beyond no-way-back replies-lost slow-disk half-silent-kea pool-exhausted disk-observed'

# shellcheck source-path=SCRIPTDIR source=../support/set_up.bash
source "$here/../support/set_up.bash"

if [[ ${1:-} == --one ]]; then
	# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
	source "$here/../support/fleet.bash"
	# shellcheck source-path=SCRIPTDIR source=../support/faults.bash
	source "$here/../support/faults.bash"
	set_up_in_process "${@:2}"
	exit
fi

if (($#)); then
	names=("$@")
elif [[ ${LEASEHERD_TIER:-short} == all ]]; then
	mapfile -t names < <(awk 'NF { print $1 }' <<<"$TABLE")
else
	read -ra names <<<"$SHORT"
fi
out=$(mktemp -d)
trap 'rm -rf -- "$out"' EXIT
for one in "${names[@]}"; do
	awk -v name="$one" '$1 == name { print $0, "-", 1; n++ } END { exit !n }' <<<"$TABLE" >>"$out/wanted" || {
		echo "findings.sh: no set-up is called $one; there are: $(awk 'NF { print $1 }' <<<"$TABLE" | paste -sd ' ')" >&2
		exit 1
	}
done
bad=0
play_each "${JOBS:-3}" "$0" "$out" <"$out/wanted" || bad=1
printf '\n%-22s %-40s %s\n' set-up 'wanted' 'found'
cat "$out"/*.score | awk '{ printf "%-22s %-40s %s\n", $1, $2, $3 }'
awk '/ passed, .* failed$/ { p += $1; f += $3 } END { printf "\n%d passed, %d failed\n", p, f }' "$out"/*.log
exit "$bad"
