#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `hold: until-steady` ends as soon as renewals come at N/T1 and their latency has no trend, and the stage after it is
# measured; where that is never reached the run is INVALID and says why. Clients of a named run come back as themselves.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

each=500 lease=20
if [[ $tier == all ]]; then each=2500 lease=60; fi

seconds_of() { report ".run.stages[] | select(.name == \"$1\") | .end_s - .begin_s"; }

fleet_begin --servers isc --agents 2 --lease "$lease" --dont-use-fsync
servers=1 acquire_extra='' stages="  - {name: settle, hold: until-steady}
  - {name: measured, hold: $((lease / 2))s}
" scenario "$work/steady.yaml" 2 "$each" 100 0 "${lease}s"
egress "$work/steady.yaml"
start_agents 2
do_run steady "$work/steady.yaml" 2
expect "steady: PASS" "$code" == 0
expect "steady: reached before 3 T1 were over" "$(seconds_of settle)" '<' $((lease * 3 / 2 - 1))
expect "steady: not before two T1, for one is compared with the one before" "$(seconds_of settle)" '>=' $((lease * 9 / 10))
expect "steady: then it is measured" "$(seconds_of measured)" '>=' $((lease / 2))
ask "steady: every client renewed in a T1 of it" '.leases.renewed' '>=' $((2 * each * 3 * 9 / 10))
((failed == 0)) || show_run

# The server stands still in the middle: renewals stop, then all come at once.
begin_run unsteady "$work/steady.yaml" 2
until_log 'stage=settle' 60 || fail "unsteady: the stage begins"
sleep $((lease * 3 / 5))
"$lab" server "$name" s1 stop
sleep $((lease * 2 / 5))
"$lab" server "$name" s1 cont
end_run
expect "unsteady: INVALID" "$code" == 3
ask "unsteady: and says so" '[.verdict.reasons[] | select(test("steady"))] | length' '>=' 1
((failed == 0)) || show_run

# The same people come back: the server knows them, and gives each the address it had.
sed "s|identity: fresh|identity: \"returning $work/run-steady\"|; s/scenario: steady/scenario: returning/; /until-steady/d" "$work/steady.yaml" >"$work/returning.yaml"
do_run returning "$work/returning.yaml" 2
expect "returning: PASS" "$code" == 0
ask "returning: the report says who they are" .run.identity == returning
addresses() { "$bin/leaseherd" export "$1" | awk -F, '$7 == "acquire" && $8 == "ack" { print $4, $11 }' | sort -u; }
head -1 <("$bin/leaseherd" export "$work/run-steady")
same=$(comm -12 <(addresses "$work/run-steady") <(addresses "$work/run-returning") | wc -l)
expect "returning: clients with the address they had" "$same" '>=' $((2 * each * 95 / 100))
((failed == 0)) || show_run
stop_agents
fleet_end
