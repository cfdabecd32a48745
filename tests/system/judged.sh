#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A server stands still for five seconds in the middle of a hold: judgements of every window see it, those that leave the
# time after the event out do not, and both stand in report.json and report.junit.xml.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

each=400 hold=48s
if [[ $tier == all ]]; then each=4000 hold=108s; fi

fleet_begin --servers isc --agents 2 --lease 20
servers=1 clients_extra=', fuzz: 25%' judge='  - p90(renew) < 1s over 8s in keep except 20s after "a stands still"
  - leases.renewed > 0 over 12s in keep
  - p90(renew) < 1s over 5s in keep after 0s after "a stands still"
  - p90(renew) < 60s in keep after 25s after "a stands still"
  - answered_percent(renew) >= 80%
  - renewed_per_s > 1/s in keep
  - p999(renew) < 60s over 8s in keep
' stages="events:
  - {at: 16s, in: keep, name: \"a stands still\"}
" scenario "$work/judged.yaml" 2 "$each" 300 "$hold" 20s
egress "$work/judged.yaml"
start_agents 2
begin_run judged "$work/judged.yaml" 2
check "the event happens" until_log 'what=event.*stands still' 90
"$lab" server "$name" s1 stop
sleep 5
"$lab" server "$name" s1 cont
end_run
stop_agents

judged() { # NUMBER KEY
	report ".judgements[$1].$2"
}

expect "FAIL: a miss outweighs what was not judged" "$code" == 1
expect "without the time after the event: pass" "$(judged 0 result)" == pass
expect "its windows are counted" "$(judged 0 windows.count)" '>=' 2
expect "a count needs no samples" "$(judged 1 windows.too_few_samples)" == 0
expect "the windows behind the event: miss" "$(judged 2 result)" == miss
expect "how many missed is told" "$(judged 2 windows.missed)" '>=' 1
expect "the worst one is beyond the limit, or infinite" "$(report '.judgements[2].value | . == null or . > 1000000')" == true
expect "and where it was: in the stall" \
	"$(report '(.timeline.marks[] | select(.text | test("stands still")) | .at_s) as $e | .judgements[2].windows | .worst_from_s >= $e - 0.1 and .worst_from_s < $e + 11')" == true
expect "25 s later: pass" "$(judged 3 result)" == pass
expect "shares: pass" "$(judged 4 result)" == pass
expect "rates: pass" "$(judged 5 result)" == pass
expect "too few samples in each window: not judged" "$(judged 6 result)" == "not judged"
expect "in none of them" "$(judged 6 windows.too_few_samples)" == "$(judged 6 windows.count)"
check "and it is said" bash -c "tr -s '\n ' ' ' <'$run/report.txt' | grep -q '10000 samples needed in each'"
check "report.json follows its schema" python3 "$top/tests/support/check_schema.py" "$top/deploy/report.schema.json" "$run/report.json"
junit() { python3 -c "import sys, xml.etree.ElementTree as t; print(t.parse('$run/report.junit.xml').getroot().get('$1'))"; }
expect "JUnit: the missed judgement and the verdict fail" "$(junit failures)" == 2
expect "JUnit: what was not judged is an error" "$(junit errors)" == 1
check "no line is longer than the page" bash -c "! grep -nE '^.{101}' '$run/report.txt'"
((failed == 0)) || show_run
fleet_end
