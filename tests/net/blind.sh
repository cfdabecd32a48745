#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Set-ups drawn by chance (blind/draw: fault, servers, path, load, strength), a quarter of them healthy. The report of each
# is compared with what was drawn: recall, precision, and whether every side is right. Four in the short tier, sixty in
# the long one; LEASEHERD_SEED draws others. LEASEHERD_CASES=DIR keeps the reports.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
seed=${LEASEHERD_SEED:-2012}
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

count=4
[[ ${LEASEHERD_TIER:-short} != all ]] || count=60
out=$(mktemp -d)
trap 'rm -rf -- "$out"' EXIT
"$here/blind/draw" "$seed" "$count" >"$out/drawn"
echo "seed $seed, $count set-ups"
play_each "${JOBS:-2}" "$0" "$out" <"$out/drawn" || true

# What was found of what had to be, and what of what was found had to be; one on the wrong side counts apart.
wanted=0 found=0 hits=0 sides=0
while read -r _ ids_wanted ids_found; do
	mapfile -t want < <(tr ',' '\n' <<<"$ids_wanted" | sed '/^-$/d' | sort -u)
	mapfile -t got < <(tr ',' '\n' <<<"$ids_found" | sed '/^-$/d' | sort -u)
	wanted=$((wanted + ${#want[@]}))
	found=$((found + ${#got[@]}))
	for one in "${want[@]}"; do
		for other in "${got[@]}"; do
			[[ ${one%:*} == "${other%:*}" ]] || continue
			hits=$((hits + 1))
			[[ $one == "$other" ]] || sides=$((sides + 1))
		done
	done
done < <(cat "$out"/*.score)
scored=$(cat "$out"/*.score | wc -l)
unproved=$(find "$out" -name '*.unproved' | wc -l)

printf '\n%-10s %-40s %s\n' set-up 'wanted' 'found'
cat "$out"/*.score | awk '{ printf "%-10s %-40s %s\n", $1, $2, $3 }'
recall=$(awk -v a="$hits" -v b="$wanted" 'BEGIN { printf "%.1f", b ? 100 * a / b : 100 }')
precision=$(awk -v a="$hits" -v b="$found" 'BEGIN { printf "%.1f", b ? 100 * a / b : 100 }')
printf '\nset-ups %d, scored %d; findings due %d, found %d, of these due %d\nrecall %s %%, precision %s %%, wrong sides %d\n' \
	"$count" "$scored" "$wanted" "$found" "$hits" "$recall" "$precision" "$sides"
bad=0
judge() { # TEXT CONDITION-OF-AWK
	if awk "BEGIN { exit !($2) }"; then echo "ok    $1"; else
		echo "FAIL  $1"
		bad=$((bad + 1))
	fi
}
judge 'every set-up was played, and its fault was there' "$scored == $count && $unproved == 0"
judge 'recall of 95 % or more' "$recall >= 95"
judge 'precision of 99 % or more' "$precision >= 99"
judge 'every side is right' "$sides == 0"
printf '\n%d passed, %d failed\n' $((4 - bad)) "$bad"
exit $((bad > 0))
