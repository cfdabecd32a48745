#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A capacity search as it is played on the wire against dhcpd: rounds, canaries, reset, and how it ends when something
# goes wrong. The questions are easy, so that a busy machine answers them: what a search finds is another case's matter.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

each=200 step=1s
[[ $tier == short ]] || each=1500 step=5s

search() { # FILE FILL-STAGE SEARCH
	{
		printf 'leaseherd: 1\nscenario: %s\nservers:\n  a: {address: 192.168.1.12}\n' "$(basename "$1" .yaml)"
		printf 'network:\n  block: 10.10.0.0/16\n  relays:\n'
		printf '    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: %d}\n' "$each"
		printf '    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.0.0/16, clients: %d}\n' "$each"
		printf 'expect: {lease: 600s}\nlimits: {packets: 20000/s}\nrun:\n'
		[[ -z $2 ]] || printf '  - {name: fill, acquire: {batch: %d}}\n' "$2"
		printf '  - name: limit\n    search: {%s, step: %s, within: 2s, answered: 90%%}\n    warmup: 200ms\n' "$3" "$step"
		printf 'cleanup: {release: 500/s, on: [end, stop, fail]}\n'
	} >"$1"
}

rounds() { grep -c "what=round .*stage=$1 " "$run/coordinator.log" || true; }

fleet_begin --servers isc --agents 2 --relays 2 --lease 600 --dont-use-fsync
search "$work/good.yaml" 50 'rates: [100/s, 200/s], mix: {acquire: 1, renew: 4}, bound: 150, repeat: 2, reset: "sleep 1; cp $LEASES \"$LEASEHERD_RUN/leases\"; echo repeat $LEASEHERD_REPEAT"'
egress "$work/good.yaml"
leases=$("$lab" path "$name" s1 leases)
sed -i "s|\$LEASES|$leases|" "$work/good.yaml"
start_agents 2

# --- two repeats, with all leases given back between them
do_run good "$work/good.yaml" 2 --allow-actions
expect "two repeats: PASS" "$code" == 0
# A step that was bad or invalid, on a busy machine, is tried once more.
expect "four steps at least" "$(grep -c what=search_step "$run/coordinator.log")" '>=' 4
expect "each its own round" "$(rounds limit)" == "$(grep -c what=search_step "$run/coordinator.log")"
expect "the clients got their leases again" "$(rounds fill)" == 1
check "the hook knows the repeat" grep -qx 'repeat 2' "$run/actions.log"
active=$(awk '/^lease/ { ip = $2 } /^  binding state/ { state[ip] = $3 } END { for (i in state) n += state[i] == "active;"; print n + 0 }' "$run/leases")
expect "at the reset the server held no lease of ours" "$active" == 0
ask "everything is given back" '.accounting.released' == $((2 * each))
ask "the accounting adds up" '[.accounting.checks[] | .passed] | all' == true

# --- without an acquire stage: canaries of the load itself
search "$work/bare.yaml" '' 'rates: [150/s, 300/s]'
do_run bare "$work/bare.yaml" 2
expect "without an acquire stage: PASS" "$code" == 0
expect "canaries of 3, 30 and 300, then two steps" "$(rounds limit)" == 5

# --- the reset fails
search "$work/reset.yaml" 50 'rates: [150/s], repeat: 2, reset: "exit 7"'
do_run reset "$work/reset.yaml" 2 --allow-actions
expect "the reset fails: INVALID" "$code" == 3
ask "and says so" '[.verdict.reasons[] | select(test("reset between two repeats failed"))] | length' == 1
expect "no second repeat" "$(grep -c what=search_step "$run/coordinator.log")" == 1

# --- the server falls silent in a step
search "$work/silent.yaml" 50 'rates: [100/s, 110/s, 120/s, 130/s], mix: {acquire: 1, renew: 4}, bound: 150'
begin_run silent "$work/silent.yaml" 2
check "a step is over" until_log 'what=search_step' 60
"$lab" server "$name" s1 stop
end_run
"$lab" server "$name" s1 cont
expect "silent: FAIL" "$code" == 1
ask "silent: server-silent" '[.findings[].id] | index("server-silent") != null' == true

# --- Ctrl-C in a step
begin_run interrupted "$work/silent.yaml" 2
check "a step is over" until_log 'what=search_step' 60
kill -INT "$coordinator"
end_run
expect "Ctrl-C: ABORTED" "$code" == 4
ask "Ctrl-C: leases given back" '.accounting.bound' == 0

# --- an agent dies in a step
begin_run lost "$work/silent.yaml" 2
check "a step is over" until_log 'what=search_step' 60
{ kill -KILL "${agent_pid[2]}" && wait "${agent_pid[2]}"; } 2>/dev/null || true # the shell would say so
end_run
expect "agent lost: ABORTED" "$code" == 4
fleet_end
