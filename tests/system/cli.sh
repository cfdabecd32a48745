#!/bin/bash
# SPDX-License-Identifier: MIT
# Wrong scenarios, flags and keys: each gives one clear sentence with file, line
# and remedy, exit code 2, and nothing is sent. Needs no privileges.
#
# usage: tests/system/cli.sh [DIRECTORY OF THE BINARIES]
# shellcheck disable=SC2016  # conditions are evaluated by check(); backquotes are text
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${1:-$root/build/release/bin}
lh=$bin/leaseherd
agent=$bin/leaseherd-agent
passed=0 failed=0
work=$(mktemp -d) || exit 6
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 6

# expect NAME CODE WORDS... -- COMMAND...: exit code, and each of WORDS in what it says.
expect()
{
    local name=$1 code=$2 words=() out rc word
    shift 2
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    out=$(timeout 20 "$@" 2>&1 </dev/null)
    rc=$?
    if [ "$rc" != "$code" ]; then
        printf 'FAIL %s: exit code %s instead of %s\n%s\n' "$name" "$rc" "$code" "$out"
        failed=$((failed + 1))
        return
    fi
    for word in "${words[@]}"; do
        if [[ $out != *"$word"* ]]; then
            printf 'FAIL %s: no "%s" in\n%s\n' "$name" "$word" "$out"
            failed=$((failed + 1))
            return
        fi
    done
    passed=$((passed + 1))
}

# check NAME SHELL-CONDITION
check()
{
    if eval "$2"; then
        passed=$((passed + 1))
    else
        printf 'FAIL %s: not true: %s\n' "$1" "$2"
        failed=$((failed + 1))
    fi
}

for program in "$lh" "$agent"; do
    if [ ! -x "$program" ]; then
        printf 'FAIL there is no %s; build it, or name the directory of the binaries\n0 passed, 1 failed\n' "$program"
        exit 1
    fi
done

cat >good.yaml <<'YAML'
leaseherd: 1
scenario: good
servers:
  a: {address: 127.0.0.1}
network:
  block: 10.10.0.0/16
  relays:
    - {name: r1, giaddr: 127.0.0.2, subnet: 10.10.0.0/16, clients: 10}
expect: {lease: 60s, production_lease: 8h}
run:
  - {name: peak, acquire: {batch: 5}}
  - {name: keep, hold: 1m}
judge: [leases.failed == 0]
YAML
sed 's/giaddr: 127.0.0.2/giaddr: 127.0.0.300/; s/hold: 1m/hold: until-steady/; s/^expect/expct/; s/leases.failed/leases.faild/' good.yaml >bad.yaml

# --- flags and commands
expect 'no command' 2 'usage: leaseherd COMMAND' -- "$lh"
expect 'help' 0 'usage: leaseherd COMMAND' check testbed keys run -- "$lh" --help
expect 'version' 0 'leaseherd ' -- "$lh" --version
expect 'misspelt command' 2 "unknown command 'chekc'; did you mean 'check'?" -- "$lh" chekc
expect 'unknown command' 2 "unknown command 'fly'; leaseherd --help lists them" -- "$lh" fly
expect 'misspelt flag of the program' 2 "did you mean '--version'?" -- "$lh" --versoin
expect 'misspelt flag of a command' 2 'unknown flag --refrence; did you mean --reference?' -- "$lh" check --refrence
expect 'flag without value' 2 '--keys needs a value; write --keys DIR' -- "$lh" keys list --keys
expect 'too many arguments' 2 "'b.yaml' is one argument too many" -- "$lh" check good.yaml b.yaml
for command in check run stop report compare cleanup audit export testbed keys; do
    expect "help of $command" 0 'sage: leaseherd' -- "$lh" $command --help
done

# --- scenarios
expect 'good scenario' 0 'good.yaml: OK, nothing was sent' 'CARRIED BY' '127.0.0.2' '0-9' 'the load of 4,800 clients' -- "$lh" check good.yaml
expect 'reference' 0 'run[].acquire.batch: a whole number, 1 to 1000000' -- "$lh" check --reference
expect 'no scenario' 2 'which scenario?' -- "$lh" check
expect 'missing file' 2 'nowhere.yaml: No such file' 'give the path' -- "$lh" check nowhere.yaml
expect 'directory for a file' 2 'Is a directory' -- "$lh" check .
expect 'all mistakes at once' 2 'bad.yaml:8: ' '127.0.0.300' 'bad.yaml:9: unknown key' 'did you mean `expect`?' \
    'bad.yaml:12: ' 'give `expect: {lease: ...}` or a duration' 'bad.yaml:13: ' 'leases.failed' \
    '4 problems, nothing was sent' -- "$lh" check bad.yaml
expect 'run refuses it likewise' 2 'bad.yaml:8: ' 'bad.yaml:9: ' 'bad.yaml:12: ' 'bad.yaml:13: ' 'nothing was sent' -- "$lh" run bad.yaml --local 1 --run-dir run
check 'no run directory is made for it' '[ ! -e run ]'
expect 'testbed refuses it likewise' 2 'bad.yaml:8: ' -- "$lh" testbed bad.yaml show
head -c 300 /dev/urandom >noise.yaml
expect 'noise' 2 'noise.yaml:' -- "$lh" check noise.yaml
: >empty.yaml
expect 'empty file' 2 'empty.yaml' 'empty' -- "$lh" check empty.yaml
"$lh" check --effective good.yaml >effective.yaml
expect 'the effective scenario is one' 0 'OK, nothing was sent' -- "$lh" check effective.yaml
"$lh" check --effective effective.yaml >again.yaml
check 'and prints as itself' 'cmp -s effective.yaml again.yaml'
expect 'testbed' 0 'block 10.10.0.0/16' 'relay r1 giaddr 127.0.0.2 via 127.0.0.2 subnet 10.10.0.0/16 slot 1' -- "$lh" testbed good.yaml show
expect 'testbed with another verb' 2 "unknown verb 'fly'; one of show, apply, check, undo" -- "$lh" testbed good.yaml fly
expect 'two lists at once' 2 '--facts' 'give one of them' -- "$lh" check --metrics --facts
expect 'facts and metrics, described' 0 'renew_gave_up ' 'lost ' 'bpf_fsyncs ' -- "$lh" check --facts
expect 'setup with a pool too small' 0 'warning: --pool has 5 addresses for 10 clients' 'too small for them' -- \
    "$lh" setup good.yaml --for isc-dhcpd --pool 10.10.0.1-10.10.0.5
expect 'setup with a mode of another server' 2 '--mode is of a Kea pair' -- "$lh" setup good.yaml --for isc-dhcpd --mode hot-standby
expect 'setup with a device that is not asked for' 2 '--interface' 'leave it out' -- "$lh" setup good.yaml --for ios --interface eth1
expect 'a check of preflight that there is not' 2 "no check 'pool'" 'leaseherd(1) lists them' -- "$lh" run good.yaml --local 1 --no-preflight pool
expect 'testbed with a misspelt path' 2 "--path is not 'egres', did you mean 'egress'?" -- "$lh" testbed good.yaml show --path egres
expect 'testbed with a device that is none' 2 "--dev 'eth0;id' is no device" -- "$lh" testbed good.yaml show --dev 'eth0;id'
expect 'testbed with a host that is none' 2 "--ssh '-oProxyCommand=id' is no host" -- "$lh" testbed good.yaml show --ssh=-oProxyCommand=id
expect 'testbed with an option of another path' 2 '--notrack is of path dnat; add --path dnat' -- "$lh" testbed good.yaml show --notrack both
expect 'run without a fleet' 2 '--local N' -- "$lh" run good.yaml
expect 'run with two fleets' 2 '--local and --agents exclude each other; give one' -- "$lh" run good.yaml --local 2 --agents 2
expect 'run with no agents' 2 '--local 0 is not a number' -- "$lh" run good.yaml --local 0
expect 'run for agents without an address' 2 '--listen' -- "$lh" run good.yaml --agents 2
expect 'run without an operator' 2 'add --operator-key FILE' 'keys operator NAME' -- "$lh" run good.yaml --agents 2 --listen 127.0.0.1:0 --keys no-keys --run-dir unused
expect 'run with an operator that is not there' 2 'no-such.key' -- "$lh" run good.yaml --agents 2 --listen 127.0.0.1:0 --operator-key no-such.key --run-dir unused
expect 'a local run with an operator' 2 '--operator-key goes with --agents' -- "$lh" run good.yaml --local 1 --operator-key no-such.key --run-dir unused
expect 'keys operator' 0 'made ops/operator-alice.key' 'operators:' '  alice: {key: ' -- "$lh" keys operator alice --keys ops
check 'its secret is for the owner' '[ "$(stat -c %a ops/operator-alice.key)" = 600 ]'
check 'the line it printed is its public key' '"$lh" keys operator bob --keys ops >bob && grep -qF "{key: $(sed -n "s/^public //p" ops/operator-bob.pub)}" bob'
expect 'keys operator again' 2 'ops/operator-alice.key' 'not overwritten' -- "$lh" keys operator alice --keys ops
expect 'keys operator without a name' 2 'operator needs a name' -- "$lh" keys operator --keys ops
expect 'an impossible operator' 2 "'../x' is no name" -- "$lh" keys operator ../x --keys ops
expect 'the public half for the secret one' 2 'ops/operator-alice.pub is the public half; name ops/operator-alice.key' -- "$lh" run good.yaml --agents 2 --listen 127.0.0.1:0 --operator-key ops/operator-alice.pub --run-dir unused
chmod 644 ops/operator-bob.key
expect 'an operator that others can read' 2 'operator-bob.key has mode 0644' -- "$lh" run good.yaml --agents 2 --listen 127.0.0.1:0 --operator-key ops/operator-bob.key --run-dir unused
signed=(--operator-key ops/operator-alice.key)
expect 'run without keys' 2 'no-keys/coordinator.key' -- "$lh" run good.yaml --agents 2 --listen 127.0.0.1:0 "${signed[@]}" --keys no-keys --run-dir unused
check 'wrong keys use up no run directory' '[ ! -e unused ]'
for what in --reference --metrics good.yaml; do
    check "check $what fits 100 columns" '[ -z "$("$lh" check "$what" | grep -E "^.{101}")" ]'
done

# --- what others must know, commands, judgements
expect 'metrics' 0 'p99(renew)' 'leases.failed' 'acquired_per_s' -- "$lh" check --metrics
expect 'change request' 0 'CHANGE REQUEST' '127.0.0.2' '10.10.0.0/16' 'testbed good.yaml undo' 'leaseherd stop RUN' -- "$lh" check --change-request good.yaml
sed 's/^judge.*/events: [{at: 1s, name: "b off", run: "touch did-run"}]/' good.yaml >event.yaml
expect 'check names the command of an event' 0 'touch did-run' -- "$lh" check event.yaml
expect 'run with a command that is not allowed' 2 '"b off"' 'allow-actions' -- "$lh" run event.yaml --local 1 --run-dir run
check 'it was not run, and no directory was made' '[ ! -e did-run ] && [ ! -e run ]'
sed 's/^judge.*/judge: [leases.failed == 0 after 3s after "c off"]/' good.yaml >after.yaml
expect 'a judgement of an event that is not there' 2 'after.yaml:13' '"c off"' -- "$lh" check after.yaml
sed 's/^judge.*/judge: [p99(renew) < 500]/' good.yaml >unit.yaml
expect 'a limit without its unit' 2 'unit.yaml:13' '500ms' -- "$lh" check unit.yaml
sed 's/- {name: keep, hold: 1m}/- {name: most, search: {between: [100\/s, 900\/s]}}/' good.yaml >search.yaml
expect 'a search for which there are too few clients' 2 'search.yaml:12' clients -- "$lh" check search.yaml

sed 's/^judge.*/on_coordinator_loss: {new: stop, renewals: 15m}\nlimits: {time: 30m}/' good.yaml >alone.yaml
expect 'check names what is lost with whom' 0 losses 'agent lost: the run ends' 'coordinator lost: every agent has stopped sending within 6 s' -- "$lh" check good.yaml
expect 'and what goes on without a coordinator' 0 'renewals for up to 15 min; needs renewals_without_coordinator: 15m in every' -- "$lh" check alone.yaml
expect 'the change request promises no more than that' 0 'no agent begins anything new after 6 s; for up to 15 min' 'more they renew and rebind the leases they hold' -- "$lh" check --change-request alone.yaml
check 'and not that nothing is sent' '! "$lh" check --change-request alone.yaml | grep -q "stopped sending"'

# --- results
expect 'report of nothing' 2 'which run?' -- "$lh" report
expect 'report of what is no run' 2 'nowhere' -- "$lh" report nowhere
expect 'export of what is no run' 2 'nowhere' -- "$lh" export nowhere
expect 'stop of what is no run' 2 'nowhere is no run' -- "$lh" stop nowhere
expect 'audit of nothing' 2 'which run' -- "$lh" audit
expect 'resume of what is no run' 2 'nowhere is not a run directory; give the directory that `leaseherd run` named' -- "$lh" resume nowhere
expect 'audit of what is no run' 2 'nowhere is not a run directory; give the directory' -- "$lh" audit nowhere
expect 'audit with a flag without its value' 2 'needs a value' -- "$lh" audit nowhere --pcap
expect 'cleanup of what is no run' 2 'nowhere is not a run directory; give the directory' -- "$lh" cleanup nowhere --local 1
expect 'compare of what are no runs' 2 nowhere -- "$lh" compare nowhere elsewhere
expect 'report with a misspelt flag' 2 'did you mean --json?' -- "$lh" report nowhere --jsno

# --- keys
expect 'keys without a verb' 2 'use init, agent, enrol, operator, list or revoke' -- "$lh" keys
expect 'keys with a misspelt verb' 2 "did you mean 'revoke'?" -- "$lh" keys revoek a1 --keys k
expect 'keys without a directory' 2 'add --keys DIR' -- "$lh" keys init
expect 'keys before init' 2 'keys init --keys k' -- "$lh" keys list --keys k
expect 'keys init' 0 coordinator.key coordinator.pub agents.allow -- "$lh" keys init --keys k
check 'the secret is for the owner' '[ "$(stat -c %a k/coordinator.key)" = 600 ]'
expect 'keys init again' 2 'k/coordinator.key' -- "$lh" keys init --keys k
expect 'keys agent' 0 'a1.key' 'enrolled a1' -- "$lh" keys agent a1 --keys k
check 'the secret of the agent is for the owner' '[ "$(stat -c %a k/a1.key)" = 600 ]'
expect 'the same name again' 2 "agent 'a1' is already in k/agents.allow" -- "$lh" keys agent a1 --keys k
expect 'an agent without a name' 2 'agent needs a name' -- "$lh" keys agent --keys k
expect 'an impossible name' 2 "'../x' is no name" -- "$lh" keys agent ../x --keys k
expect 'an impossible key' 2 "is not a key of 40 Z85 characters" -- "$lh" keys agent a2 --public short --keys k
public=$("$agent" keygen a2.key)
expect 'a public key' 0 'enrolled a2' -- "$lh" keys agent a2 --public="$public" --keys k
check 'of which there is no secret here' '[ ! -e k/a2.key ]'
expect 'the same key under another name' 2 "already belongs to agent 'a2'" -- "$lh" keys agent a3 --public="$public" --keys k
expect 'keys list' 0 a1 a2 "$public" agent -- "$lh" keys list --keys k
expect 'keys revoke' 0 'revoked a1' -- "$lh" keys revoke a1 --keys k
expect 'keys revoke again' 2 "there is no agent 'a1'" -- "$lh" keys revoke a1 --keys k
expect 'a key whose last day is past' 2 '--expires 2020-01-31 is past; give a day to come' -- "$lh" keys agent a4 --keys k --expires 2020-01-31
check 'no pair is made for it' '[ ! -e k/a4.key ]'
expect 'a token for a key whose last day is past' 2 'is past; give a day to come' -- "$lh" keys enrol a4 --keys k --listen 127.0.0.1 --expires 2020-01-31
expect 'a key with a last day' 0 'enrolled a4' -- "$lh" keys agent a4 --keys k --expires "$(date -u +%F)"
sed -i '/^a4 /s/[^ ]*$/2020-01-31/' k/agents.allow
expect 'keys list tells what is out of date' 0 '2020-01-31 (expired)' -- "$lh" keys list --keys k
expect 'a day that is none' 2 '--expires takes a date' -- "$lh" keys agent a5 --keys k --expires tomorrow
expect 'keys operator beside the agents' 0 'operator-olga.key' -- "$lh" keys operator olga --keys k
expect 'an operator is on no list' 2 "'olga' is an operator; take it out of the agents' policies and restart them" -- "$lh" keys revoke olga --keys k
expect 'a token without an address' 2 'needs --listen' -- "$lh" keys enrol a5 --keys k
check 'a1 is off the list and a2 is not' '! grep -q "^a1 " k/agents.allow && grep -q "^a2 " k/agents.allow'
sed -i 's/^a4 /a2 /' k/agents.allow
expect 'two keys of one name' 0 'revoked a2' -- "$lh" keys revoke a2 --keys k
check 'are revoked together' '! grep -q "^a2 " k/agents.allow'
printf 'a9 agent nonsense 2026-01-01 -\n' >>k/agents.allow
cp -r k listed
sed -i '$d' listed/agents.allow
unbegun=("$lh" run good.yaml --agents 1 --listen 127.0.0.1:0 "${signed[@]}" --keys listed --run-dir unbegun)
expect 'a run that nobody joins' 4 -- "${unbegun[@]}" --wait 1s
check 'has a log and no report' '[ -s unbegun/coordinator.log ] && [ ! -e unbegun/report.json ]'
expect 'its report' 2 'the run in unbegun ended before any load; see coordinator.log there' -- "$lh" report unbegun
expect 'its audit' 2 'unbegun ended before any load; there is nothing to compare' -- "$lh" audit unbegun
expect 'its resumption' 2 'the run in unbegun never began; start it again with leaseherd run' -- "$lh" resume unbegun
rm -rf unbegun
timeout 20 "${unbegun[@]}" --wait 15s >/dev/null 2>&1 </dev/null &
for ((i = 0; i < 100; i++)); do
    [ ! -s unbegun/plan.bin ] || break
    sleep 0.1
done
expect 'the report of a run that waits for its agents' 2 'is not finished; wait for it' -- "$lh" report unbegun
expect 'its resumption meanwhile' 6 'the run is being played at this moment (unbegun/run.lock is held)' -- "$lh" resume unbegun
expect 'stop before any agent has come' 0 'stopped before any load; there is no report, see unbegun/coordinator.log' -- "$lh" stop unbegun
wait $!
expect 'a damaged list' 2 'agents.allow' -- "$lh" keys list --keys k
chmod 644 k/coordinator.key
expect 'a secret that others can read' 2 'coordinator.key' -- "$lh" run good.yaml --agents 1 --listen 127.0.0.1:0 "${signed[@]}" --keys k --run-dir run

# --- the agent
cat >policy.yaml <<'YAML'
servers: [127.0.0.1]
prefixes: [127.0.0.0/8, 10.10.0.0/16]
YAML
chmod 600 policy.yaml
printf 'servers: [127.0.0.300]\nprefixs: [10.0.0.0/8]\n' >badpolicy.yaml
chmod 600 badpolicy.yaml
cp k/coordinator.pub server.pub
start=(--coordinator 127.0.0.1:1 --server-key server.pub --key a2.key --state-dir state --once)
expect 'agent without flags' 2 'leaseherd-agent' -- "$agent"
expect 'agent with a misspelt flag' 2 'polcy' -- "$agent" "${start[@]}" --polcy policy.yaml
expect 'agent without a policy' 2 'policy' -- "$agent" "${start[@]}"
expect 'agent with a policy that is not there' 2 'nowhere.yaml' 'write one, see POLICY in leaseherd-agent(1)' -- "$agent" "${start[@]}" --policy nowhere.yaml
expect 'a role that is none' 2 'no such role: watcher' 'write --role agent or --role observer' -- "$agent" --role watcher
watch=(--coordinator 127.0.0.1:1 --server-key server.pub --key a2.key)
expect 'observer without a process' 2 'missing --process' -- "$agent" --role observer "${watch[@]}"
expect 'observer with a policy' 2 "not an observer's option: --policy" 'leave it out' -- "$agent" --role observer "${watch[@]}" --process dhcpd --policy policy.yaml
expect 'agent with a process' 2 "an observer's option: --process" 'add --role observer' -- "$agent" "${start[@]}" --policy policy.yaml --process dhcpd
expect 'observer of what is no process' 2 "--process 'a/b' is neither" 'dhcpd or kea-dhcp4' -- "$agent" --role observer "${watch[@]}" --process a/b
cp policy.yaml operators.yaml
printf 'operators: {alice: {key: %s}}\n' "$(sed -n 's/^public //p' ops/operator-alice.pub)" >>operators.yaml
expect 'agent with operators and nowhere to keep its runs' 2 '--state-dir DIR is needed' -- "$agent" --coordinator 127.0.0.1:1 --server-key server.pub --key a2.key --policy operators.yaml
mkdir -m 700 damaged
printf 'leaseherd-runs 1\nfloor 0\n' >damaged/runs
expect 'agent whose record of runs is damaged' 2 'damaged/runs' 'could be played again' -- "$agent" --coordinator 127.0.0.1:1 --server-key server.pub --key a2.key --policy operators.yaml --state-dir damaged
expect 'agent whose state directory is a file' 2 'Not a directory; name a directory' -- "$agent" --coordinator 127.0.0.1:1 --server-key server.pub --key a2.key --policy operators.yaml --state-dir server.pub
out=$(timeout 1 "$agent" "${start[@]}" --policy policy.yaml 2>&1)
check 'agent without operators says that it can take no plan' '[[ $out == *level=warn*"names no operators, so no plan can be taken; add the operators: lines that"* ]]'
out=$(timeout 1 "$agent" "${start[@]}" --policy operators.yaml 2>&1)
check 'and with operators it does not' '[[ $out == *no_listener* && $out != *"no operators"* ]]'
timeout 20 "$agent" --coordinator no..such..host --server-key server.pub --key a2.key --state-dir state --policy policy.yaml >name.log 2>&1 </dev/null &
for ((i = 0; i < 150; i++)); do
    ! grep -qE 'is not known|nobody listens' name.log || break
    sleep 0.1 # as long as this host's resolver takes
done
kill "$!"
wait "$!"
check 'agent with a coordinator of an unknown name' 'grep -qF "the name no..such..host is not known on this host; correct --coordinator or give an address" name.log && ! grep -q "nobody listens" name.log'
for verb in keygen enrol; do
    expect "agent: help of $verb" 0 'keygen FILE' 'Exit codes: 0' -- "$agent" $verb --help
done
check 'help makes no file' '[ ! -e ./--help ]'
new=(--key new.key --server-key new.pub)
expect 'enrol with a token file that is not there' 2 'cannot read the token file nope: No such file or directory' -- "$agent" enrol "${new[@]}" --token nope
echo token >token
chmod 644 token
expect 'enrol with a token that others can read' 2 'token has mode 0644' 'ask for a new token' -- "$agent" enrol "${new[@]}" --token token
expect 'enrol at a terminal asks for the token' 2 'paste the token:' -- script -qec "$agent enrol ${new[*]}" /dev/null
out=$("$agent" enrol "${new[@]}" 2>&1 </dev/null)
check 'and elsewhere it does not' '[[ $out == *leaseherd-agent* && $out != *paste* ]]'
expect 'agent with a wrong policy' 2 'badpolicy.yaml:1' 'badpolicy.yaml:2' -- "$agent" "${start[@]}" --policy badpolicy.yaml
chmod 644 a2.key
expect 'agent whose key others can read' 2 'a2.key' -- "$agent" "${start[@]}" --policy policy.yaml
expect 'keygen does not overwrite' 2 'a2.key' -- "$agent" keygen a2.key

# --- the fleet
expect 'fleet with a directory for the inventory' 2 'fleet: k is a directory; name the inventory file' -- "$root/deploy/fleet" status k

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
