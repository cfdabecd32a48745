#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Enrolment by a one-time token, and who tries to get in that way: wrong, used, expired and cut tokens, two agents at
# once, guesses, floods, somebody else's server. On loopback of a network namespace of its own.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
if [[ -z ${LEASEHERD_OWN_LOOPBACK:-} ]]; then
	exec env LEASEHERD_OWN_LOOPBACK=1 unshare --net -- "$0" "$@"
fi
source "$(dirname "$0")/../support/fleet.bash"
ip link set lo up
lh=$bin/leaseherd
agent=$bin/leaseherd-agent
hostile=$bin/leaseherd-hostile-link
unleaked=(env ASAN_OPTIONS=detect_leaks=0)
# What a sanitizer keeps of freed memory is no growth, which closes the door.
frugal=(env ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=16)
keys=$work/keys
door=''

end_door() {
	still_ours "$door" || return 0
	kill -TERM "$door" 2>/dev/null || true
	wait "$door" 2>/dev/null || true
}
at_exit() { end_door; }

# open_door NAME FLAGS...: at $at or any port; token in $work/NAME.token, its port in $port, the command's pid in $door
open_door() {
	local i to=$1
	shift
	rm -f "$work/$to.token"
	(umask 077 && : >"$work/$to.token")
	"${frugal[@]}" "$lh" keys enrol "$to" --keys "$keys" --listen "${at:-127.0.0.1}" "$@" >"$work/$to.token" 2>"$work/$to.err" &
	door=$!
	for ((i = 0; i < 100; i++)); do
		[[ ! -s $work/$to.token ]] || break
		sleep 0.1
	done
	port=$(sed -n 's/.* port \([0-9]*\) for .*/\1/p' "$work/$to.err")
	[[ -n $port ]]
}

door_ends() { # TEXT CODE
	local status=0
	wait "$door" || status=$?
	expect "$1: exit code of keys enrol" "$status" == "$2"
}

# enrol_as DIR TOKEN-FILE: sets $status
enrol_as() {
	mkdir -m 0700 "$work/$1"
	status=0
	timeout 40 "$agent" enrol --key "$work/$1/key" --server-key "$work/$1/server.pub" --token "$2" \
		>"$work/$1.out" 2>&1 || status=$?
}

rights_of() {
	awk '/^(CapPrm|CapEff|CapInh|CapAmb|NoNewPrivs|Seccomp):/ { value[$1] = $2 }
		END { print value["CapPrm:"], value["CapEff:"], value["CapInh:"], value["CapAmb:"], value["NoNewPrivs:"],
			value["Seccomp:"] }' "/proc/$1/status"
}

listed() { "$lh" keys list --keys "$keys" | awk -v name="$1" '$1 == name { n++ } END { print n + 0 }'; }
says() { grep -qE -- "$2" "$1" || { cat "$1" && return 1; }; }

"$lh" keys init --keys "$keys" >/dev/null

# ---- the good case ----
check "a1: a token" open_door a1 --expires 2999-12-31
expect "a1: one line on standard output" "$(wc -l <"$work/a1.token")" == 1
check "a1: and it is not in what the others may see" bash -c "! grep -q leaseherd-token '$work/a1.err'"
expect "a1: who waits may do nothing else" "$(rights_of "$door")" == \
	"0000000000000000 0000000000000000 0000000000000000 0000000000000000 1 2"
enrol_as a1 "$work/a1.token"
expect "a1: enrolled" "$status" == 0
door_ends a1 0
expect "a1: on the list once" "$(listed a1)" == 1
check "a1: with its last day" bash -c "'$lh' keys list --keys '$keys' | grep -q '^a1 .*2999-12-31\$'"
expect "a1: key file's mode" "$(stat -c %a "$work/a1/key")" == 600
check "a1: the coordinator's key" cmp "$work/a1/server.pub" "$keys/coordinator.pub"
check "a1: its own key is the one listed" bash -c "grep -qF \"\$(sed -n 's/^public //p' '$work/a1/key')\" '$keys/agents.allow'"
check "a1: the secret is nowhere" bash -c "! grep -rqF \"\$(sed -n 's/^secret //p' '$work/a1/key')\" '$keys' '$work'/*.err '$work'/*.out '$work'/*.token"

# ---- used up ----
enrol_as again "$work/a1.token"
expect "a used token: exit code" "$status" == 3
check "a used token: said" says "$work/again.out" 'nobody listens .* has the token expired, or is it used'
check "a used token: no files" bash -c "[[ ! -e '$work/again/key' && ! -e '$work/again/server.pub' ]]"

# ---- flags and files ----
use() { # TEXT CODE PATTERN COMMAND...: with nothing on standard input
	local text=$1 want=$2 pattern=$3 got=0
	shift 3
	"$@" </dev/null >"$work/out" 2>&1 || got=$?
	expect "$text: exit code" "$got" == "$want"
	check "$text: said" says "$work/out" "$pattern"
}
use "name taken" 2 "agent 'a1' is already in" "$lh" keys enrol a1 --keys "$keys" --listen 127.0.0.1
use "no address" 2 'needs --listen' "$lh" keys enrol a9 --keys "$keys"
use "any address" 2 'cannot be 0.0.0.0' "$lh" keys enrol a9 --keys "$keys" --listen 0.0.0.0
use "not ours" 2 'cannot listen on' "$lh" keys enrol a9 --keys "$keys" --listen 192.0.2.1
use "for ever" 2 'ttl takes a duration' "$lh" keys enrol a9 --keys "$keys" --listen 127.0.0.1 --ttl 25h
use "no such day" 2 'expires takes a date' "$lh" keys enrol a9 --keys "$keys" --listen 127.0.0.1 --expires 2026-13-01
use "expires elsewhere" 2 'expires belongs to' "$lh" keys list --keys "$keys" --expires 2026-12-01
use "no keys" 2 'keys init' "$lh" keys enrol a9 --keys "$work/nowhere" --listen 127.0.0.1
use "no token" 2 'begins with leaseherd-token-1-' "$agent" enrol --key "$work/x.key" --server-key "$work/x.pub"
use "no files named" 2 'write leaseherd-agent enrol --key' "$agent" enrol
use "token as a word" 2 "unexpected 'leaseherd-token" "$agent" enrol leaseherd-token-1-xyz --key k --server-key s
chmod 644 "$work/a1.token"
use "a token others may read" 2 'others may read or change it' "$agent" enrol --key "$work/x.key" --server-key "$work/x.pub" \
	--token "$work/a1.token"
chmod 600 "$work/a1.token"
use "a key that is there" 2 'exists and is not overwritten' "$agent" enrol --key "$work/a1/key" --server-key "$work/x.pub" \
	--token "$work/a1.token"
"$lh" keys init --keys "$work/other" >/dev/null
use "another coordinator's key" 2 "another coordinator's key" "$agent" enrol --key "$work/x.key" \
	--server-key "$work/other/coordinator.pub" --token "$work/a1.token"
check "none of them left a key" bash -c "[[ ! -e '$work/x.key' && ! -e '$work/x.pub' ]]"

# ---- a wrong token, then the right one, on standard input ----
check "a2: a token" open_door a2
cp "$work/a2.token" "$work/first.token" && end_door
check "a2: stopped by the operator" says "$work/a2.err" "stopped by the operator; 'a2' is not enrolled"
at=127.0.0.1:$port
check "a2: another token, at the same port" open_door a2
at=''
enrol_as wrong "$work/first.token"
expect "the older token: refused" "$status" == 3
check "the older token: said" says "$work/wrong.out" 'waits for another token'
check "the older token: no files" bash -c "[[ ! -e '$work/wrong/key' && ! -e '$work/wrong/server.pub' ]]"
mkdir -m 0700 "$work/a2"
check "a2: enrolled from standard input" bash -c \
	"'$agent' enrol --key '$work/a2/key' --server-key '$work/a2/server.pub' <'$work/a2.token' >'$work/a2.out' 2>&1"
door_ends a2 0

# ---- expired ----
check "a3: a token for 1 s" open_door a3 --ttl 1s
door_ends a3 4
check "a3: said" says "$work/a3.err" 'the token has expired unused'
enrol_as a3 "$work/a3.token"
expect "a3: too late" "$status" == 3

# ---- two at once: one is enrolled, the other is told ----
check "a4: a token" open_door a4
for i in 1 2 3 4; do enrol_as "race$i" "$work/a4.token" & racer[i]=$!; done
wait "${racer[@]}" || true
door_ends "race" 0
won=$(grep -l "^enrolled as 'a4'" "$work"/race?.out | wc -l)
expect "race: one agent has won" "$won" == 1
expect "race: the others know" "$(grep -lE 'another agent has used|nobody listens|has not the key|no answer came' "$work"/race?.out | wc -l)" == 3
expect "race: one key on the list" "$(listed a4)" == 1

# ---- guesses and noise, as everybody may who has the public key: they keep nobody out ----
check "a5: a token" open_door a5
"${unleaked[@]}" "$hostile" guess 127.0.0.1 "$port" 5 - "$keys/coordinator.pub" >"$work/guess.out" 2>&1 &
guesser=$!
"${unleaked[@]}" "$hostile" noise 127.0.0.1 "$port" 5 - "$keys/coordinator.pub" >"$work/noise.out" 2>&1 &
noise=$!
sleep 3
expect "guess: nobody on the list" "$(listed a5)" == 0
enrol_as a5 "$work/a5.token"
expect "guess: the good token is good" "$status" == 0
door_ends guess 0
wait "$guesser" "$noise" || true
check "guess: $(<"$work/guess.out")" bash -c "[[ \$(sed -n 's/^ok .* guesses, \([0-9]*\) refused, 0 welcome\$/\1/p' '$work/guess.out') -gt 20 ]]"
check "noise: $(<"$work/noise.out")" grep -qE '^ok [0-9]+ guesses, 0 refused, 0 welcome$' "$work/noise.out"
expect "guess: one key on the list" "$(listed a5)" == 1

# ---- a message without end: bounded memory ----
check "a6: a token" open_door a6
"${unleaked[@]}" "$hostile" frames 127.0.0.1 "$port" 4 - "$keys/coordinator.pub" >"$work/frames.out" 2>&1 || true
check "frames: $(<"$work/frames.out")" grep -q '^ok' "$work/frames.out"
door_ends frames 4
check "frames: said" says "$work/a6.err" 'memory grew by 64 MiB'

# ---- strangers without a key by the hundred: the agent still gets in ----
check "a7: a token" open_door a7
"${unleaked[@]}" "$bin/leaseherd-hostile-peer" outsider - 127.0.0.1 "$port" - 5 - - >"$work/outsider.out" 2>&1 &
flood=$!
sleep 2
enrol_as a7 "$work/a7.token"
expect "flood: enrolled" "$status" == 0
door_ends flood 0
kill -TERM "$flood" 2>/dev/null || true
wait "$flood" 2>/dev/null || true

# ---- somebody else's server at the same address: it hears nothing ----
check "a8: a token" open_door a8
end_door
"${unleaked[@]}" "$hostile" impostor 127.0.0.1 "$port" 4 - - >"$work/impostor.out" 2>&1 &
impostor=$!
sleep 0.5
enrol_as a8 "$work/a8.token"
expect "impostor: not enrolled" "$status" == 3
check "impostor: said" says "$work/a8.out" 'has not the key that the token names; nothing was told'
check "impostor: no files" bash -c "[[ ! -e '$work/a8/key' && ! -e '$work/a8/server.pub' ]]"
wait "$impostor" || true
check "impostor: $(<"$work/impostor.out")" grep -q '^ok the impostor heard 0 messages' "$work/impostor.out"

# ---- who is enrolled, and nobody else ----
expect "the list" "$("$lh" keys list --keys "$keys" | awk 'NR > 1 { print $1 }' | sort | paste -sd' ')" == "a1 a2 a4 a5 a7"

# ---- changes at the same time: none is lost ----
for i in 1 2 3 4 5 6 7 8; do "$lh" keys agent "b$i" --keys "$keys" >/dev/null & many[i]=$!; done
wait "${many[@]}"
expect "eight at once" "$("$lh" keys list --keys "$keys" | grep -c '^b[1-8] ')" == 8
fleet_end
