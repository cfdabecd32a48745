#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A small run with coordinator and agents under valgrind: no byte is used that was not written or is no more, nothing
# that was taken is lost.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

command -v valgrind >/dev/null || {
	echo "$0: valgrind is missing: run deploy/install-deps test" >&2
	exit 1
}
unconfined=$bin/leaseherd-unconfined.so # valgrind emulates no seccomp()
[[ -r $unconfined ]] || {
	echo "$0: $unconfined is missing: build the tests" >&2
	exit 1
}
fleet_begin --servers isc --agents 1 --relays 1 --lease 20
# What it says about faults; with "--" it says which of the kernel's calls it does not know, and they fail with ENOSYS.
faults() { cat "$@" | grep '^==' || true; }

# It is asked first whether it sees a fault.
printf 'int main(void) { int x[2]; return x[1] == 7; }\n' >"$work/fault.c"
gcc -g -O0 -o "$work/fault" "$work/fault.c"
valgrind -q --log-file="$work/planted" "$work/fault" || true
expect "a byte nobody wrote is seen" "$(faults "$work/planted" | grep -c uninitialised)" '>=' 1

clients=20 hold=12s
if [[ $tier == all ]]; then clients=300 hold=60s; fi
servers=1 release=100/s scenario "$work/memcheck.yaml" 1 $clients 10 $hold 20s
egress "$work/memcheck.yaml"

run=$work/run-memcheck
# Children are watched, too: the local agent is one.
env --default-signal=INT LD_PRELOAD="$unconfined" setsid "$lab" exec "$name/a1" valgrind -q --trace-children=yes --error-exitcode=99 \
	--leak-check=full --errors-for-leak-kinds=definite --log-file="$work/valgrind.%p" \
	"$bin/leaseherd" run "$work/memcheck.yaml" --local 1 --run-dir "$run" </dev/null >"$run.out" 2>"$run.err" &
coordinator=$!
end_run
# Twenty times slower, the agent may have been the limit of what it measured: that is said, and is no fault here.
expect "the run ends with its report" "$code" '<=' 3
ask "all leased" .leases.acquired == $clients
ask "released" .accounting.released == $clients
ask "the accounting closes" '[.accounting.checks[].passed] | all' == true
expect "coordinator and agent were watched" "$(find "$work" -maxdepth 1 -name 'valgrind.*' | wc -l)" '>=' 2
expect "lines of faults" "$(faults "$work"/valgrind.* | wc -l)" == 0
faults "$work"/valgrind.* | head -n 60
((code <= 3)) || show_run

fleet_end
