#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the processes of a run may do: the agent binds DHCP's ports and nothing else, the coordinator nothing; neither may
# execute, trace or gain anything. And files that others may read or change are refused, each with its remedy.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

readonly BIND=0000000000000400 READ_SEARCH=0000000000000004 NONE=0000000000000000
readonly NOBODY=65534

# ---- files that others may read or change: refused before anything is opened ----

refused() { # TEXT PATTERN COMMAND...: exit code 2 and a sentence that matches
	local text=$1 pattern=$2 got=0 said
	shift 2
	said=$(timeout 10 "$@" 2>&1 </dev/null) || got=$?
	expect "$text: refused" "$got" == 2
	check "$text: says why" grep -qE -- "$pattern" <<<"$said"
}

"$bin/leaseherd" keys init --keys "$work/loose" >/dev/null
"$bin/leaseherd" keys operator me --keys "$work/loose" >/dev/null
mkdir -m 0700 "$work/host" "$work/host/state"
public=$("$bin/leaseherd-agent" keygen "$work/host/key")
"$bin/leaseherd" keys agent loose --public "$public" --keys "$work/loose" >/dev/null
printf 'servers: [192.0.2.1]\nprefixes: [192.0.2.0/24]\n' >"$work/host/policy.yaml"
chmod 0644 "$work/host/policy.yaml"
ln -s "$work/host/key" "$work/host/link"
as_agent=("$bin/leaseherd-agent" --coordinator 127.0.0.1:9 --server-key "$work/loose/coordinator.pub"
	--key "$work/host/key" --policy "$work/host/policy.yaml" --state-dir "$work/host/state")

loosened() { # FILE CHMOD-OR-CHOWN PATTERN COMMAND...: and set right again
	local file=$1 how=$2 pattern=$3 before
	shift 3
	before=$(stat -c '%a %u' "$file")
	if [[ $how == owner ]]; then chown "$NOBODY" "$file"; else chmod "$how" "$file"; fi
	refused "$(basename "$file") with $how" "$pattern" "$@"
	chown "${before#* }" "$file"
	chmod "${before% *}" "$file"
}

for mode in 0640 0604 0620 0602 0610; do
	loosened "$work/host/key" "$mode" "mode $mode.*chmod 600" "${as_agent[@]}"
done
loosened "$work/host/key" owner 'belongs to user 65534.*chown' "${as_agent[@]}"
refused "a link instead of the key" 'symbolic link' "${as_agent[@]}" --key "$work/host/link"
for mode in 0664 0646; do
	loosened "$work/host/policy.yaml" "$mode" 'written by others.*chmod go-w' "${as_agent[@]}"
	loosened "$work/loose/coordinator.pub" "$mode" 'others may change it.*chmod 644' "${as_agent[@]}"
done
loosened "$work/host/policy.yaml" owner 'belongs to user 65534.*chown' "${as_agent[@]}"
for mode in 0750 0705 0770; do
	loosened "$work/host/state" "$mode" 'state directory.*open to others.*0700' "${as_agent[@]}"
done
loosened "$work/host/state" owner 'state directory.*open to others.*chown' "${as_agent[@]}"

scenario "$work/loose.yaml" 1 50 50 0
as_coordinator=("$bin/leaseherd" run "$work/loose.yaml" --agents 1 --listen 127.0.0.1:0 --keys "$work/loose" --run-dir "$work/never/run"
	--operator-key "$work/loose/operator-me.key")
for mode in 0640 0604 0620; do
	loosened "$work/loose/coordinator.key" "$mode" "mode $mode.*chmod 600" "${as_coordinator[@]}"
	loosened "$work/loose/operator-me.key" "$mode" "mode $mode.*chmod 600" "${as_coordinator[@]}"
done
loosened "$work/loose/coordinator.key" owner 'belongs to user 65534.*chown' "${as_coordinator[@]}"
loosened "$work/loose/operator-me.key" owner 'belongs to user 65534.*chown' "${as_coordinator[@]}"
for mode in 0664 0646; do
	loosened "$work/loose/agents.allow" "$mode" 'others may change it' "${as_coordinator[@]}"
done
loosened "$work/loose/agents.allow" owner 'belongs to user 65534.*chown' "${as_coordinator[@]}"
check "no run directory was used up" test ! -e "$work/never"

# ---- what a unit starts ----

mkdir -p "$work/unit/runs"
printf '#!/bin/sh\necho "$@"\n' >"$work/unit/leaseherd"
chmod 0755 "$work/unit/leaseherd"
started() { # what leaseherd-coordinator@morning would execute
	(cd "$work/unit" && LEASEHERD=$work/unit/leaseherd LEASEHERD_AGENTS=2 LEASEHERD_LISTEN=192.0.2.10 \
		LEASEHERD_OPERATOR_KEY=keys/operator-me.key "$top/deploy/systemd/coordinator-start" morning)
}
words=$(started)
check "unit: begins a run" grep -qE '^run /etc/leaseherd/runs/morning.yaml --agents 2 --listen 192.0.2.10 --keys keys .* --run-dir runs/morning-[0-9TZ]+$' <<<"$words"
begun=$work/unit/${words##* }
mkdir "$begun"
check "unit: what had not begun is begun anew" grep -q '^run ' <<<"$(started)"
begun=$work/unit/$(<"$work/unit/runs/morning.current")
mkdir -p "$begun"
touch "$begun/ledger.db"
expect "unit: goes on with what was broken off" "$(started)" == "resume ${begun#"$work/unit/"}"
ended() { # CODE STATUS: what the unit does then, as systemd says how it ended
	(cd "$work/unit" && EXIT_CODE=$1 EXIT_STATUS=$2 "$top/deploy/systemd/coordinator-start" morning ended 2>&1)
}
for how in 'killed KILL' 'dumped ABRT' 'exited 6' 'exited 127' 'exited 203'; do
	# shellcheck disable=SC2086 # two words
	expect "unit: $how says nothing" "$(ended $how)" == ''
	expect "unit: $how is resumed" "$(started)" == "resume ${begun#"$work/unit/"}"
done
touch "$begun/report.json"
expect "unit: with a report nothing is given up" "$(ended exited 1)" == ''
check "unit: its report can be asked for" test "$work/unit/$(<"$work/unit/runs/morning.current")" = "$begun"
rm "$begun/report.json"
said=$(ended exited 2)
check "unit: what ended by itself without a report is given up" grep -qE \
	"^${begun#"$work/unit/"} is given up: leaseherd ended with exit code 2 and no report, .*; the next start begins a new run" <<<"$said"
expect "unit: it is kept in mind" "$(<"$work/unit/runs/morning.given-up")" == "${begun#"$work/unit/"}"
expect "unit: and said once" "$(ended exited 2)" == ''
sleep 1 # a directory is named by the second
check "unit: the next start begins anew" grep -q '^run ' <<<"$(started)"
begun=$work/unit/$(<"$work/unit/runs/morning.current")
mkdir "$begun"
expect "unit: without a ledger there is nothing to give up" "$(ended exited 5)" == ''
touch "$begun/ledger.db" "$begun/report.json"
check "unit: what is over stays over" grep -q '^run ' <<<"$(started)"

# ---- processes ----

# The rights of every thread, one line each that differs: permitted effective inheritable ambient no_new_privs seccomp
rights_of() { # PID
	local task
	for task in /proc/"$1"/task/*/status; do
		awk '/^(CapPrm|CapEff|CapInh|CapAmb|NoNewPrivs|Seccomp):/ { value[$1] = $2 }
			END { print value["CapPrm:"], value["CapEff:"], value["CapInh:"], value["CapAmb:"], value["NoNewPrivs:"],
				value["Seccomp:"] }' "$task"
	done | sort -u
}

fleet_begin --servers kea --agents 1 --relays 2 --lease 12
servers=1 release=500/s scenario "$work/rights.yaml" 2 60 60 6s 12s
{
	cat "$work/rights.yaml"
	printf 'events:\n  - {at: 1s, in: keep, name: look, run: "grep -e CapEff: -e NoNewPrivs: /proc/self/status >%s"}\n' \
		"$work/action"
} >"$work/action.yaml"
egress "$work/rights.yaml"

# Local agents, commands allowed, in somebody's private directory: what is executed is what root's own would be.
mkdir -m 0700 "$work/private"
chown "$NOBODY" "$work/private"
chmod 0711 "$work"
run=$work/private/run
env --default-signal=INT setsid "$lab" exec "$name/a1" "$bin/leaseherd" run "$work/action.yaml" --run-dir "$run" --local 1 \
	--allow-actions </dev/null >"$work/private.out" 2>"$work/private.err" &
coordinator=$!
check "local: the hold begins" until_log 'stage=keep' 40
expect "local: the coordinator reaches its directory, no more" "$(rights_of "$coordinator")" == \
	"$READ_SEARCH $READ_SEARCH $NONE $NONE 0 0"
agent=$(pgrep -P "$coordinator" -x leaseherd-agent)
expect "local: its agent binds ports, no more" "$(rights_of "$agent")" == "$BIND $BIND $NONE $NONE 1 2"
expect "local: nor will what it could execute" "$(awk '/^CapBnd:/ { print $2 }' "/proc/$agent/status")" == "$BIND"
end_run
expect "local: PASS" "$code" == 0
check "local: a command may what root may" grep -q "^CapEff:.*$(awk '/^CapEff:/ { print $2 }' /proc/self/status)" "$work/action"
check "local: and may become more" grep -q '^NoNewPrivs:[[:space:]]*0' "$work/action"

# A fleet, as the units start it: nobody, with that one ambient capability, and the unit's system calls; the coordinator
# with those of its own, but root.
units=$top/deploy/systemd
calls_of_unit "$units/leaseherd-agent.service" >"$work/agent.calls"
calls_of_unit "$units/leaseherd-coordinator@.service" >"$work/coordinator.calls"
enrol 1
cp "$work/keys/coordinator.pub" "$work/a1/coordinator.pub"
cp "$bin/leaseherd-agent" "$bin/leaseherd-under-filter" "$work/"
chown -R "$NOBODY" "$work/a1"
run=$work/run-rights
"$lab" exec "$name/op" "$bin/leaseherd-under-filter" "$bin/leaseherd" run "$work/rights.yaml" --agents 1 --listen 172.16.7.2 \
	--keys "$work/keys" --operator-key "$work/keys/operator-lab.key" --run-dir "$run" <"$work/coordinator.calls" >"$run.out" 2>"$run.err" &
coordinator=$!
setsid "$lab" exec "$name/a1" setpriv --reuid "$NOBODY" --clear-groups --inh-caps=-all,+net_bind_service \
	--ambient-caps=-all,+net_bind_service --bounding-set=-all,+net_bind_service --no-new-privs "$work/leaseherd-under-filter" \
	"$work/leaseherd-agent" --coordinator 172.16.7.2 --server-key "$work/a1/coordinator.pub" --key "$work/a1/key" \
	--policy "$work/a1/policy.yaml" --state-dir "$work/a1/state" <"$work/agent.calls" >>"$work/a1.log" 2>&1 &
agent_pid[1]=$!
check "fleet: the hold begins" until_log 'stage=keep' 40
expect "fleet: the coordinator holds nothing" "$(rights_of "$coordinator")" == "$NONE $NONE $NONE $NONE 1 2"
expect "fleet: nobody's agent binds ports, no more" "$(rights_of "${agent_pid[1]}")" == \
	"$BIND $BIND $NONE $NONE 1 2"
# Memory with keys in it: no core, and only root looks.
expect "fleet: the agent leaves no core" "$(awk '/^Max core file size/ { print $5, $6 }' "/proc/${agent_pid[1]}/limits")" == "0 0"
check "fleet: the agent's memory is not its user's to read" bash -c \
	"! setpriv --reuid $NOBODY --clear-groups cat /proc/${agent_pid[1]}/maps >/dev/null 2>&1"
end_run
expect "fleet: PASS" "$code" == 0
ask "fleet: every client" .leases.acquired == 120
stop_agents

# Or from a file with the capability, which is one file that needs nothing of the host where it was built.
agent=$bin/leaseherd-agent-static
[[ -x $agent ]] || agent=$bin/leaseherd-agent
cp "$agent" "$work/agent"
setcap cap_net_bind_service+ep "$work/agent"
setsid "$lab" exec "$name/a1" setpriv --reuid "$NOBODY" --clear-groups "$work/agent" --coordinator 172.16.7.2 \
	--server-key "$work/a1/coordinator.pub" --key "$work/a1/key" --policy "$work/a1/policy.yaml" \
	--state-dir "$work/a1/state" </dev/null >>"$work/a1.log" 2>&1 &
agent_pid[1]=$!
for ((i = 0; i < 50; i++)); do
	! grep -qE '^Seccomp:[[:space:]]*2' "/proc/${agent_pid[1]}/status" || break
	sleep 0.1
done
expect "a file with the capability: binds ports, no more" "$(rights_of "${agent_pid[1]}")" == "$BIND $BIND $NONE $NONE 1 2"
stop_agents
fleet_end
