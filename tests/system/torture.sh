#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Memory runs out, once, at the k-th allocation: of the commands, of an agent's start, of a whole --local run and of the
# unit-test programs. Nothing may crash or hang, whatever k is; that a unit test fails then is its right.
#
# The short tier tries a few k per program, drawn by the month; --all draws more. A failure names its program and k:
#
#   tests/system/torture.sh PROGRAM K             the same again, e.g. unit_proto_test_plan 17
#   SEED=n DEPTH=n tests/system/torture.sh        other ones
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

seed=${SEED:-$(date +%Y%m)}
depth=4 unit_depth=4 programs=10 runs=1
[[ $tier == short ]] || depth=40 unit_depth=12 programs=1000 runs=25
depth=${DEPTH:-$depth} unit_depth=${DEPTH:-$unit_depth}
RANDOM=$seed
tried=0
ended=0 # by design
preload=$bin/leaseherd-failnth.so
[[ -r $preload ]] || {
	echo "$0: $preload is missing: build it first (cmake --preset release && cmake --build --preset release)" >&2
	exit 1
}
echo "seed $seed"

count_of() { awk '{ print $1 }' "$work/count" 2>/dev/null || true; }

# Assertions of the tests themselves, and those that a test wants, are no crash.
assertions() { grep -aE 'Assertion .* failed' "$1" | grep -v '/tests/' | sort -u || true; }

# Where the program itself was when it crashed is in a test: it did not look whether it got what it asked for.
is_tests_own() {
	local place
	place=$(grep -ao 'leaseherd-failnth: .*+0x[0-9a-f]*$' "$work/said" | tail -n 1) || return 1
	place=${place#*: }
	addr2line -e "${place%+0x*}" "0x${place##*+0x}" | grep -q /tests/
}

# libzmq ends the process when what it calls finds no memory, and says where in its source; and so do we when the
# authentication handler is gone: nobody would be kept out any more.
is_deliberate() {
	grep -qaE '\(src/[a-z0-9_]+\.cpp:[0-9]+\)$|what=authentication_dead' "$work/said"
}

# Whether the program crashed, by its exit code and by what it said.
has_crashed() { # PROGRAM CODE
	if [[ $2 == 134 ]] && is_deliberate; then
		ended=$((ended + 1))
		return 1
	fi
	case $2 in
	124 | 137) return 0 ;;                       # it hung
	134 | 255) [[ $1 == unit_* ]] || return 0 ;; # below; cmocka's own -1
	132 | 135 | 136 | 139) # by its own doing
		[[ $1 == unit_* ]] && is_tests_own && return 1
		return 0
		;;
	*) (($2 < 128)) || return 0 ;;
	esac
	[[ $1 == unit_* && $2 == 134 ]] && ! grep -qa '/tests/.*Assertion' "$work/said" && return 0
	assertions "$work/said" | comm -23 - "$work/assertions" | grep -q .
}

# once PROGRAM K COMMAND...: fails when it crashed or hung; its count is in $work/count
once() {
	local program=$1 k=$2 got=0
	shift 2
	rm -f "$work/count"
	tried=$((tried + 1))
	{ # where the shell would say "Aborted"
		FAILNTH=$k FAILNTH_COUNT=$work/count FAILNTH_ONLY=$program LD_PRELOAD=$preload \
			timeout -k 5 60 "$@" </dev/null >"$work/said" 2>&1 || got=$?
	} 2>/dev/null
	((k > 0)) || assertions "$work/said" >"$work/assertions"
	if has_crashed "$program" "$got"; then
		fail "$program, allocation $k: exit code $got; again: tests/system/torture.sh $program $k"
		tail -n 15 "$work/said"
		return 1
	fi
}

# Each K in 1..allocations, spread evenly from a random first one; or the one K asked for.
torture() { # PROGRAM DEPTH COMMAND...
	local program=$1 depth=$2 total k i before=$failed
	shift 2
	if [[ -n $only_k ]]; then
		once "$program" 0 "$@" || return 0
		once "$program" "$only_k" "$@" && pass "$program, allocation $only_k"
		return 0
	fi
	once "$program" 0 "$@" || return 0
	total=$(count_of)
	if [[ -z $total ]]; then
		fail "$program does not say how much it allocated"
		return 0
	fi
	((total > depth)) || depth=$total
	for ((i = 0; i < depth; i++)); do
		k=$((1 + (i * total + RANDOM % total) / depth))
		once "$program" "$k" "$@" || return 0
	done
	((failed > before)) || printf '      %s: %d of %d allocations\n' "$program" "$depth" "$total"
}

# ---- what there is ----

scene() { # a small run, to look at, and to do again
	fleet_begin --servers isc --agents 1 --lease 30
	servers=1 path=relayed release=500/s scenario "$work/small.yaml" 1 20 20 0 30s
	run=$work/run-small
	"$lab" exec "$name/a1" "$bin/leaseherd" run "$work/small.yaml" --local 1 --run-dir "$run" \
		</dev/null >"$work/first" 2>&1 || code=$?
	expect "a small run to look at" "$code" == 0
}

local_run() { # PROGRAM DEPTH: the coordinator's, or its agent's allocations
	# shellcheck disable=SC2016 # the words are for the inner shell
	torture "$1" "$2" bash -c 'rm -rf "$1/again"; shift; exec "$@"' - "$work" \
		"$lab" exec "$name/a1" "$bin/leaseherd" run "$work/small.yaml" --local 1 --run-dir "$work/again"
}

agent_start() { # until it has looked for a coordinator that is not there
	enrol 1
	# shellcheck disable=SC2016 # the words are for the inner shell
	torture leaseherd-agent "$1" bash -c 'timeout --preserve-status -s TERM 1 "$@"' - "$bin/leaseherd-agent" \
		--coordinator 127.0.0.1:9 --server-key "$work/keys/coordinator.pub" --key "$work/a1/key" \
		--policy "$work/a1/policy.yaml" --state-dir "$work/a1/state"
}

unit_programs() { # as many as the tier has time for, drawn by the seed
	local program
	while read -r program; do
		torture "${program##*/}" "$unit_depth" "$program"
	done < <(printf '%s\n' "$bin"/unit_* | shuf --random-source=<(yes "$seed") | head -n "$programs")
}

only_program=${1:-} only_k=${2:-}
wants() { [[ -z $only_program || $only_program == "$1" ]]; }

if [[ $only_program == unit_* ]]; then
	torture "$only_program" 1 "$bin/$only_program"
	fleet_end
	exit
fi

scene
if wants leaseherd; then
	torture leaseherd $((3 * depth)) "$bin/leaseherd" check "$work/small.yaml"
	torture leaseherd $((3 * depth)) "$bin/leaseherd" report "$run"
	torture leaseherd $((2 * depth)) "$bin/leaseherd" export "$run"
	local_run leaseherd "$runs"
fi
if wants leaseherd-agent; then
	agent_start "$depth"
	local_run leaseherd-agent "$runs"
fi
[[ -n $only_program ]] || unit_programs
((failed > 0)) || pass "$tried times out of memory: no crash, no hang; $ended times a library, or the watchdog, ended the process"
fleet_end
