#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An agent plays what an operator of its own policy has signed, once, and nothing else: the real agent, a capture of all
# it sends, and a coordinator that has the right keys but no right.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

readonly SERVER=192.168.1.12
hostile=$bin/leaseherd-hostile-peer
[[ -x $hostile ]] || {
	echo "$0: $hostile is missing: it is built with the tests" >&2
	exit 1
}

fleet_begin --servers none --agents 2
"$lab" exec "$name/s1" python3 "$top/tests/support/hostile_server.py" "$SERVER" 172.16.8.3=honest >"$work/server.log" 2>&1 &
agent_pid[990]=$!
capture a1 start
policy_of() { # I RULES: that agent's policy
	printf 'servers: [%s]\nprefixes: [172.16.%d.0/24, 10.10.0.0/16]\npackets: 200/s\nclients: 50\nrun_time: 30m\n%s' \
		"$SERVER" $((7 + $1)) "$2" >"$work/a$1/policy.yaml"
}
enrol 1
printf 'leaseherd-curve-public 1\npublic %s\n' "$(sed -n 's/^public //p' "$work/a1/key")" >"$work/a1/public"
policy_of 1 "$(operators)"

sent() { count_packets a1 "ip.src == 172.16.8.3 && udp.dstport == 67"; }

hostile_says() { # MODE [RUN]: its lines become ours; no packet may have left in its quiet times
	local mode=$1 word rest from until text
	"$lab" exec "$name/op" "$hostile" coordinator "$mode" 172.16.7.2 6767 172.16.8.3 0 "$work/keys/coordinator.key" \
		"$work/a1/public" "$work/keys/operator-lab.key" "${@:2}" >"$work/$mode.out" 2>"$work/$mode.err" || true
	check "$mode: came to its end" grep -q '^end 0$' "$work/$mode.out"
	while read -r word rest; do
		case $word in
		ok) pass "$mode: $rest" ;;
		FAIL) fail "$mode: $rest" ;;
		quiet)
			read -r from until text <<<"$rest"
			expect "$mode: $text" "$(count_packets a1 "ip.src == 172.16.8.3 && udp.dstport == 67 &&
				frame.time_epoch >= $from && frame.time_epoch <= $until")" == 0
			;;
		esac
	done <"$work/$mode.out"
}

# 1. Forgeries of a coordinator that the agent knows.
end_agent() { # the server stays
	kill -TERM "${agent_pid[1]}" 2>/dev/null || true
	wait "${agent_pid[1]}" 2>/dev/null || true
	agent_pid[1]=''
}
start_agent 1
hostile_says forge
expect "no forged plan let a packet out" "$(sent)" == 0
end_agent

# 2. An operator whom nobody here trusts, and one who is not trusted any more.
servers=1 path=egress judge=$'  - leases.failed == 0\n' packets=200/s scenario "$work/signed.yaml" 1 20 20 0 12s
"$bin/leaseherd" keys operator stranger --keys "$work/keys" >/dev/null
start_agent 1
run_as() { # NAME OPERATOR
	run=$work/run-$1
	code=0
	"$lab" exec "$name/op" "$bin/leaseherd" run "$work/signed.yaml" --agents 1 --listen 172.16.7.2 --keys "$work/keys" \
		--operator-key "$work/keys/operator-$2.key" --run-dir "$run" --wait 20s </dev/null >"$run.out" 2>"$run.err" || code=$?
}
run_as unknown stranger
expect "an operator nobody trusts: refused" "$code" == 2
check "it is said, with the line of the policy" grep -q 'agent a1 refused the plan: .*none of operators: (line 6)' "$run.err"
end_agent
policy_of 1 "operators: {other: {key: $(sed -n 's/^public //p' "$work/keys/operator-stranger.pub")}}"
start_agent 1
run_as removed lab
expect "an operator removed from the policy: refused" "$code" == 2
check "it is said" grep -q 'none of operators:' "$run.err"
end_agent
policy_of 1 ''
start_agent 1
run_as none lab
expect "a policy without operators: refused" "$code" == 2
check "it is said what to add" grep -q 'names no operators, .*leaseherd keys operator NAME' "$run.err"
end_agent
expect "all of them together let no packet out" "$(sent)" == 0

# 3. The operator's own run passes; afterwards its plan is worth nothing.
policy_of 1 "$(operators)"
start_agent 1
run_as good lab
expect "the operator's run passes" "$code" == 0
ask "with every lease" .leases.acquired == 20
check "its plan is signed" grep -q '^leaseherd-plan-signature 1' "$run/plan.sig"
check "the signer is known by name" grep -q 'what=prepared .*operator=lab' "$work/a1/log"
expect "that run is closed" "$(grep -cE ' (open|begun)$' "$work/a1/state/runs")" == 0
end_agent
before=$(sent || true) # the capture goes on: its last packet may be half there
start_agent 1
hostile_says replay "$run"
end_agent
expect "the replay let no packet out" "$(sent)" == "$before"

# 4. Unfit policies: not a word to anybody.
refuses() { # TEXT PATTERN
	local got=0
	"$lab" exec "$name/a1" timeout 10 "$bin/leaseherd-agent" --coordinator 172.16.7.2 --server-key "$work/keys/coordinator.pub" \
		--key "$work/a1/key" --policy "$work/a1/policy.yaml" --state-dir "$work/a1/state" >"$work/refused" 2>&1 || got=$?
	expect "$1: exit" "$got" == 2
	check "$1: said" grep -qE -- "$2" "$work/refused"
}
chmod 0664 "$work/a1/policy.yaml"
refuses "a policy that a group can write" 'chmod go-w'
chmod 0600 "$work/a1/policy.yaml"
chown 12345 "$work/a1/policy.yaml"
refuses "a policy of another user" 'user 12345'
chown 0 "$work/a1/policy.yaml"
mv "$work/a1/policy.yaml" "$work/a1/elsewhere"
refuses "no policy" 'No such file'
ln -s elsewhere "$work/a1/policy.yaml"
refuses "a policy that is a link" 'symbolic link'
rm "$work/a1/policy.yaml"
: >"$work/a1/policy.yaml"
refuses "an empty policy" 'is empty'
policy_of 1 'operators: {lab: {key: short}}'
refuses "an operator's key that is none" ':6: .*44 characters'
policy_of 1 'operator: {}'
refuses "a misspelt key" ':6: .*operators'
printf 'servers: [%s\n' "$SERVER" >"$work/a1/policy.yaml"
refuses "a policy that is no YAML" 'policy.yaml:'
expect "none of them sent a packet" "$(sent)" == "$before"

# 5. The total of packets: the run is over when it is spent, and not one more is sent.
policy_of 1 $'total_packets: 40\n'"$(operators)"
began=$(date +%s.%N)
start_agent 1
run_as spent lab
end_agent
expect "the total of the policy ends the run" "$code" == 4
ask "the finding names it" '[.findings[] | select(.id == "policy-total") | .summary] | .[0] // "" | test("40 packets")' == true
capture a1 stop
expect "exactly so many were sent" "$(count_packets a1 "ip.src == 172.16.8.3 && udp.dstport == 67 &&
	frame.time_epoch > $began")" == 40
fleet_end
