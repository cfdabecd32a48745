#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A whole run under ThreadSanitizer: two agents on one host, an acquire stage, renewals and a release against dhcpd.
# Coordinator and agents are built with it and share nothing that it reports; what is suppressed is libzmq's.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

tsan_bin=${LEASEHERD_TSAN_BIN:-$top/build/tsan/bin}
if [[ ! -x $tsan_bin/leaseherd || ! -x $tsan_bin/leaseherd-agent ]]; then
	echo "$0: $tsan_bin has no programs: cmake --preset tsan && cmake --build --preset tsan" >&2
	exit 1
fi
# Its reports go where a process that has given up its rights can still write: to the standard error it was born with.
export TSAN_OPTIONS="suppressions=$top/tests/support/tsan.supp exitcode=66 history_size=4"
unconfined=$tsan_bin/leaseherd-unconfined.so # a report needs calls that are not on our list
# Each report ends with a line that names the function: of ours, or of what is planted below.
summaries() { grep -sh 'SUMMARY: ThreadSanitizer' "$run.err" "$run"/local-*/agent.log || true; }
races() { summaries | grep -cv planted_race || true; }
show_races() { [[ $(races) == 0 ]] || grep -sh -A40 'WARNING: ThreadSanitizer' "$run.err" "$run"/local-*/agent.log | head -n 80; }

begin_local_run() { # NAME [PRELOADED...]
	run=$work/run-$1
	shift
	env --default-signal=INT setsid "$lab" exec "$name/a1" env LD_PRELOAD="$unconfined $*" "$tsan_bin/leaseherd" \
		run "$work/tsan.yaml" --local 2 --run-dir "$run" </dev/null >"$run.out" 2>"$run.err" &
	coordinator=$!
}

# A race in every process, so that it is known that one would be seen in each of them.
cat >"$work/planted.c" <<'C'
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
static int shared;
static void *planted_race(void *unused)
{
	sleep(4);
	shared++;
	return unused;
}
__attribute__((constructor)) static void plant(void)
{
	pthread_t thread;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	for (int i = 0; i < 2; i++) {
		pthread_create(&thread, 0, planted_race, 0);
		pthread_detach(thread);
	}
	pthread_sigmask(SIG_SETMASK, &before, 0);
}
C
gcc -g -O1 -fPIC -shared -fsanitize=thread -o "$work/planted.so" "$work/planted.c"

fleet_begin --servers isc --agents 1 --relays 2 --lease 12
clients=400 hold=20s
if [[ $tier == all ]]; then clients=3000 hold=60s; fi
servers=1 release=500/s scenario "$work/tsan.yaml" 2 $((clients / 2)) 50 $hold 12s
egress "$work/tsan.yaml"
begin_local_run whole
end_run
# Several times slower, the agents may have been the limit of what they measured: that is said, and is no fault here.
expect "the run ends with its report" "$code" '<=' 3
ask "all leased" .leases.acquired == $clients
ask "renewed" '.leases.renewed > 0' == true
ask "released" .accounting.released == $clients
check "what the agents said is there" test -s "$run/local-1/agent.log" -a -s "$run/local-2/agent.log"
expect "races seen in coordinator and agents" "$(races)" == 0
show_races
((code <= 3)) || show_run

# What is written while others write is written by many threads: a stop in the middle.
begin_local_run stop "$work/planted.so"
check "the hold begins" until_log 'stage=keep' 60
kill -INT "$coordinator"
end_run
expect "stopped: ABORTED, or the code of the race" "$code" == 66
expect "races seen when stopped" "$(races)" == 0
show_races
for log in "$run.err" "$run"/local-{1,2}/agent.log; do
	check "the planted race is seen in ${log#"$work/"}" grep -q 'SUMMARY: ThreadSanitizer.*planted_race' "$log"
done

fleet_end
