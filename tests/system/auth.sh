#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Who may not join is told why in one sentence, and sends nothing.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

fleet_begin --servers isc --agents 2
servers=1 scenario "$work/auth.yaml" 1 50 50 0
egress "$work/auth.yaml"
enrol 1
capture s1 start

says() { # FILE PATTERN SECONDS
	local i
	for ((i = 0; i < $3 * 10; i++)); do
		if grep -qsiE -- "$2" "$1"; then return 0; fi
		sleep 0.1
	done
	echo "instead:" && tail -n 3 "$1"
	return 1
}

odd_agent() { # NAME FLAGS...: an agent on a2 with its own idea of keys
	local log=$work/odd-$1.log
	shift
	setsid "$lab" exec "$name/a2" "$bin/leaseherd-agent" --policy "$work/a1/policy.yaml" --state-dir "$work/odd" "$@" </dev/null >"$log" 2>&1 &
	agent_pid[9]=$!
}

end_odd_agent() {
	kill -TERM "${agent_pid[9]}" 2>/dev/null || true
	wait "${agent_pid[9]}" 2>/dev/null || true
	agent_pid[9]=''
}

mkdir -m 0700 "$work/other"
"$bin/leaseherd-agent" keygen "$work/other/key" >/dev/null
"$bin/leaseherd" keys init --keys "$work/other/keys" >/dev/null

odd_agent nobody --coordinator 172.16.7.2 --server-key "$work/keys/coordinator.pub" --key "$work/other/key"
check "nobody listens: said" says "$work/odd-nobody.log" 'no(body| coordinator)?.*listen|listen' 10
end_odd_agent

# The coordinator waits for one agent that may join; the others try meanwhile.
begin_run auth "$work/auth.yaml" 1
sleep 1
odd_agent unlisted --coordinator 172.16.7.2 --server-key "$work/keys/coordinator.pub" --key "$work/other/key"
check "unlisted key: said" says "$work/odd-unlisted.log" 'does not list this agent' 10
end_odd_agent
odd_agent wrongkey --coordinator 172.16.7.2 --server-key "$work/other/keys/coordinator.pub" --key "$work/a1/key"
check "wrong server key: said" says "$work/odd-wrongkey.log" 'server.key|coordinator.*key' 15
end_odd_agent
"$bin/leaseherd-agent" keygen "$work/other/old" >/dev/null
"$bin/leaseherd" keys agent old --public "$(sed -n 's/^public //p' "$work/other/old")" --keys "$work/keys" >/dev/null
sed -i '/^old /s/[^ ]*$/2020-01-01/' "$work/keys/agents.allow" # a day that has passed cannot be given
odd_agent expired --coordinator 172.16.7.2 --server-key "$work/keys/coordinator.pub" --key "$work/other/old"
check "expired key: said" says "$work/odd-expired.log" 'does not list this agent' 10
check "expired key: the operator is told whose it is" says "$run/coordinator.log" 'what=key_refused .*expired: old' 10
end_odd_agent
"$lab" exec "$name/a2" env ASAN_OPTIONS=detect_leaks=0 "$bin/leaseherd-hostile-peer" outsider - 172.16.7.2 6767 - 2 - - >"$work/plain" 2>&1 || true
check "plaintext: $(<"$work/plain")" grep -q '^ok' "$work/plain"
expect "not a message of theirs was heard" "$(grep -cE 'agent_joined|agent_refused|message_rejected' "$run/coordinator.log" || true)" == 0
expect "none of them sent a packet" "$(
	capture s1 stop
	count_packets s1 dhcp
)" == 0
start_agent 1
end_run
expect "the enrolled agent joins and passes" "$code" == 0
stop_agents

# A revoked key no longer joins.
"$bin/leaseherd" keys revoke a1 --keys "$work/keys" >/dev/null
begin_run revoked "$work/auth.yaml" 1 --wait 8s
start_agent 1
end_run
expect "a revoked agent does not join" "$code" == 4
fleet_end
