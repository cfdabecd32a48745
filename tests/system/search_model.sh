#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The capacity search against a server whose capacity is known: the bracket contains it, in 19 of 20 seeded searches at
# least, and is no wider than the resolution asked for. Against a server that is faster than the tester the report says
# that the tester was the limit. The model's own capacity is measured first: good to 0.5 %.
#
# What the model's queue holds is served within a fifth of `within`, so that an overload shows inside a step:
# more than that and the first bad rate would lie above the capacity by what the queue swallows.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

seeds='1' floods='3000'
if [[ $tier == all ]]; then
	seeds=$(seq 1 20) floods='500 3000 8000'
fi
if (($#)); then # search_model.sh SEED...: these searches, and nothing else
	seeds=$* floods=''
fi
only_searches=$#

reflector=''
stop_reflector() {
	still_ours "$reflector" || return 0
	kill -TERM "$reflector" 2>/dev/null || true
	wait "$reflector" 2>/dev/null || true
}
at_exit() { stop_reflector; }

start_reflector() { # OPTIONS...
	stop_reflector
	setsid "$lab" exec "$name/s1" "$bin/leaseherd-reflector" --address 192.168.1.12 --base 10.10.0.0/16 --lease 3600 \
		"$@" </dev/null >"$work/reflector" 2>&1 &
	reflector=$!
	sleep 0.3
	still_ours "$reflector" || {
		cat "$work/reflector" >&2
		return 1
	}
}

capacity_of() { # SEED: 500 to 8000 commits per second, evenly on a logarithmic scale
	python3 -c 'import random, sys; print(round(500 * 16 ** random.Random(int(sys.argv[1])).random()))' "$1"
}

# A client whose renewal is not answered is busy for the rest of its step: BOUND is what a step at twice the capacity
# leaves unanswered, and more.
search_scenario() { # NAME BETWEEN MIX BOUND CLIENTS
	cat >"$work/$1.yaml" <<-YAML
		leaseherd: 1
		scenario: $1
		servers:
		  a: {address: 192.168.1.12}
		network:
		  block: 10.10.0.0/16
		  client_path: relayed
		  relays:
		    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: $(($5 / 2))}
		    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.0.0/16, clients: $(($5 / 2))}
		clients: {seed: 1, identity: fresh}
		expect: {lease: 1h}
		limits: {packets: 400000/s, time: 20m}
		run:
		  - {name: fill, acquire: {batch: 20}}
		  - name: limit
		    search: {between: [$2], mix: {$3}, bound: $4, step: 3s, within: 500ms,
		             answered: 99.9%, resolution: 5%}
		    warmup: 500ms
		cleanup: {release: 2000/s, on: [end, stop, fail]}
	YAML
}

# ---- the model itself ----

fleet_begin --servers none --agents 2
for capacity in $floods; do
	start_reflector --capacity "$capacity" --queue $((capacity / 2)) --jitter 0.3
	got=$("$lab" exec "$name/a1" "$top/tests/support/flood_requests.py" 172.16.8.3 192.168.1.12 $((capacity * 3 / 2)) 4)
	expect "model: flooded, $capacity/s are $got/s: off by less than 0.5 %" \
		"$(jq -n "($got / $capacity - 1) | fabs * 100")" '<' 0.5
done

# ---- the search finds it ----

found=0
searched=0
for i in 1 2; do
	enrol "$i"
	echo 'packets: 200000/s' >>"$work/a$i/policy.yaml"
done
start_agents 2
for seed in $seeds; do
	capacity=$(capacity_of "$seed")
	start_reflector --capacity "$capacity" --queue $((capacity / 20)) --jitter 0.3 --seed "$seed"
	search_scenario "seed-$seed" '200/s, 16000/s' 'acquire: 1, renew: 20' $((4 * capacity)) $((4 * capacity + 2400))
	do_run "seed-$seed" "$work/seed-$seed.yaml" 2
	stop_reflector
	searched=$((searched + 1))
	expect "seed $seed: the run ends well" "$code" == 0
	ask "seed $seed: the server was the limit" .search.limit == server
	low=$(report .search.low.exchanges_per_s) high=$(report .search.high.exchanges_per_s)
	printf '      seed %s: capacity %s/s, bracket %s to %s/s, %s steps\n' "$seed" "$capacity" "$low" "$high" \
		"$(report '.search.repeats[0].steps | length')"
	if jq -en "$low <= $capacity and $capacity <= $high" >/dev/null; then
		found=$((found + 1))
	else
		echo "      seed $seed: the capacity is outside"
	fi
	expect "seed $seed: the bracket is as narrow as asked for" "$(jq -n "($high - $low) * 100 / $low")" '<=' 5
	((failed == 0)) || show_run
done
expect "the bracket contained the capacity in $found of $searched searches" "$((searched - found))" '<=' $((searched / 20))

if ((only_searches)); then
	stop_agents
	fleet_end
	exit
fi

# ---- a server that cannot be the limit ----

start_reflector
search_scenario tester '4000/s, 300000/s' 'acquire: 0, renew: 1' 20000 20000
do_run tester "$work/tester.yaml" 2
ask "tester: the tester was the limit" .search.limit == tester
ask "tester: no server rate is claimed" .search.high.exchanges_per_s == null
check "tester: the report says so" grep -qi 'tester' "$run/report.txt"
((failed == 0)) || show_run
stop_agents
fleet_end
