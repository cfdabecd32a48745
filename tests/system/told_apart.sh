#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A server that refuses, a pool that is exhausted, a server that is silent: three findings, each its own.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

has_finding() { report '[.findings[].id] | join(" ")' | grep -qw -- "$1"; }

again() { # LAB-OPTIONS
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]*
	fleet_begin "$@"
}

# Renewals of a range the server no longer serves: NAK.
again --servers isc --agents 1 --lease 12
servers=1 scenario "$work/naks.yaml" 1 100 50 24s 12s
egress "$work/naks.yaml"
start_agents 1
begin_run naks "$work/naks.yaml" 1
check "naks: the hold begins" until_log 'stage=keep' 60
"$lab" server "$name" s1 restart --pool 10.10.64.1-10.10.64.254
end_run
expect "naks: FAIL" "$code" == 1
check "naks: server-naks" has_finding server-naks
check "naks: not taken for silence" bash -c "! jq -e '[.findings[].id] | index(\"server-silent\")' '$run/report.json' >/dev/null"
ask "naks: counted" .leases.nak '>' 0
stop_agents
((failed == 0)) || show_run

# 60 addresses for 100 clients.
again --servers isc --agents 1 --pool 10.10.0.1-10.10.0.60
acquire_extra=", tries: 3, deadline: 30s" servers=1 scenario "$work/pool.yaml" 1 100 50 5s
egress "$work/pool.yaml"
start_agents 1
began=$SECONDS
do_run pool "$work/pool.yaml" 1
expect "pool: FAIL" "$code" == 1
check "pool: pool-exhausted" has_finding pool-exhausted
check "pool: not taken for silence" bash -c "! jq -e '[.findings[].id] | index(\"server-silent\")' '$run/report.json' >/dev/null"
ask "pool: who got an address" .leases.acquired '<=' 60
expect "pool: ended in time" $((SECONDS - began)) '<' 180
stop_agents
((failed == 0)) || show_run

# No server at all: preflight sees it.
again --servers isc --agents 1
servers=1 scenario "$work/silent.yaml" 1 100 50 5s
egress "$work/silent.yaml"
"$lab" server "$name" s1 stop
start_agents 1
do_run silent "$work/silent.yaml" 1
"$lab" server "$name" s1 cont
expect "silent from the start: preflight refused" "$code" == 5
check "silent from the start: server-silent" has_finding server-silent
stop_agents

# A server that falls silent in the run: its clients expire, ask anew, and get no reply to their third DISCOVER.
again --servers isc --agents 1 --lease 12
servers=1 scenario "$work/dies.yaml" 1 200 100 90s 12s
egress "$work/dies.yaml"
start_agents 1
begin_run dies "$work/dies.yaml" 1
check "dies: the hold begins" until_log 'stage=keep' 60
"$lab" server "$name" s1 stop
began=$SECONDS
end_run
"$lab" server "$name" s1 cont
expect "dies: FAIL" "$code" == 1
ask "dies: leases expired" .leases.expired '>' 0
check "dies: server-silent" has_finding server-silent
expect "dies: ended in time" $((SECONDS - began)) '<' 120
((failed == 0)) || show_run
fleet_end
