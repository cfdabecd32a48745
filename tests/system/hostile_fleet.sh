#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# deploy/fleet against hosts that are somebody else's: what a far side prints is shown and kept, and decides what is
# asked next, but runs nothing here, steers no terminal, fills no disk and holds nobody up for ever.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

mkdir "$work/bin" "$work/said"
"$bin/leaseherd" keys init --keys "$work/keys" >/dev/null
printf 'servers: [192.168.1.12]\nprefixes: [172.16.0.0/16]\n' >"$work/policy.yaml"
printf 'coordinator=172.16.7.2\nkeys=keys\npolicy=policy.yaml\nagent=agent\na1 a1.test\n' >"$work/fleet"
cp /bin/true "$work/agent" # an ELF file of this machine

# An ssh that answers from $SAID/VERB, or with what that file does where it may be run.
cat >"$work/bin/ssh" <<'SH'
#!/usr/bin/env bash
command=${*: -1}
case $command in
true | exit | any) exit 0 ;;
*'sh -s -- '*)
	verb=${command##*sh -s -- }
	verb=${verb%% *}
	cat >/dev/null
	;;
*) verb=other ;;
esac
if [[ -x $SAID/$verb ]]; then exec "$SAID/$verb"; fi
[[ ! -e $SAID/$verb ]] || cat "$SAID/$verb"
SH
chmod +x "$work/bin/ssh"

probe=$(printf '%s\n' uid=1000 gid=1000 user=tester "arch=$(uname -m)" free_kib=999999 parent=/var root=yes runs_as=root)

# fleet_of VERB [OPTIONS...]: $said, $code and $took of one call
fleet_of() {
	local began=$SECONDS
	code=0
	PATH=$work/bin:$PATH SAID=$work/said LEASEHERD_BIN=$bin TMPDIR=$work timeout -k 1 60 \
		"$top/deploy/fleet" "$1" "$work/fleet" "${@:2}" >"$work/out" 2>&1 </dev/null || code=$?
	took=$((SECONDS - began))
}

answer() { # VERB LINE...
	printf '%s\n' "${@:2}" >"$work/said/$1"
	chmod -x "$work/said/$1"
}

plays() { # VERB SCRIPT
	printf '#!/usr/bin/env bash\n%s\n' "$2" >"$work/said/$1"
	chmod +x "$work/said/$1"
}

calmly() { # TEXT: one line, not long, of characters one can see
	check "$1: one line" test "$(wc -l <"$work/out")" == 1
	check "$1: begins with the host" grep -qE '^a1 +(ok|FAIL)  ' "$work/out"
	check "$1: nothing that a terminal obeys" bash -c "! LC_ALL=C grep -qP '[^\n -~]' '$work/out'"
	check "$1: a sentence, not a book" test "$(wc -c <"$work/out")" -lt 1000
	check "$1: nothing ran here" test ! -e "$work/pwned"
}

# ---- numbers that are programs ----

pwn="0+BASH_VERSINFO[\$(touch $work/pwned)0]"
for verb_fact in status:effective status:for push:free_kib start:pid; do
	verb=${verb_fact%:*} fact=${verb_fact#*:}
	answer probe "$probe" "runs_as=user"
	answer status version=1 "sum=0" pid=1 for=1 effective=400
	answer look coordinator=open
	answer start pid=1
	case $fact in
	free_kib) answer probe "$probe" "free_kib=$pwn" ;;
	pid) answer start "pid=$pwn" ;;
	*) answer status version=1 sum=0 pid=1 for=1 effective=400 "$fact=$pwn" ;;
	esac
	fleet_of "$verb"
	calmly "$fact that is a program"
	expect "$fact that is a program: refused" "$code" == 1
done

# ---- words that are commands, keys that are none ----

answer probe "$probe" "uid=\$(touch $work/pwned)" "become=touch $work/pwned;" 'gid=0; reboot'
answer prepare ''
fleet_of push
calmly "words that are commands"
expect "words that are commands: refused" "$code" == 1
answer probe "$probe"
answer status '=x' '@=1' '*=2' "a[\$(touch $work/pwned)]=3" 'no key' '' ']=4' version=1 sum=0 pid=1 for=1 effective=400
fleet_of status
calmly "keys that are none"

# ---- what a terminal obeys ----

esc=$(printf '\033]0;owned\007\033[2J\033[1;31mok   all is well\033[0m\r\302\2332J\2332J\b\b')
for verb in status stop; do
	answer probe "$probe" runs_as=user "user=$esc"
	answer "$verb" "bad=no; $esc"
	fleet_of "$verb"
	calmly "$verb, escapes in what is bad"
	answer "$verb" "ended=$esc" version="$esc" said="$esc" sum="$esc" pid=12 for=9 effective=400
	fleet_of "$verb"
	calmly "$verb, escapes in what is good"
	plays "$verb" "printf '\033[2J%s\n' '$esc' >&2; exit 7"
	fleet_of "$verb"
	calmly "$verb, escapes in errors"
done

# ---- logs ----

answer probe "$probe" runs_as=user
printf 'time=1 level=info \033[2Jwhat=x\r\n%s\n' "$esc" >"$work/said/other"
fleet_of logs --to "$work/logs"
calmly "logs"
check "logs: nothing that a terminal obeys" bash -c "! LC_ALL=C grep -qP '[^\n\t -~]' '$work/logs/a1.log'"
plays other 'yes "an endless log"'
LEASEHERD_FLEET_LOG_BYTES=1000000 fleet_of logs --to "$work/logs"
calmly "an endless log"
expect "an endless log: ends" "$took" '<' 20
expect "an endless log: is bounded" "$(stat -c %s "$work/logs/a1.log")" '<=' 1000000

# ---- endless answers ----

answer probe "$probe" runs_as=user
plays status 'yes "said=an endless answer"'
fleet_of status
calmly "an endless answer"
expect "an endless answer: ends" "$took" '<' 20
plays status 'tr "\0" x </dev/zero'
fleet_of status
calmly "an endless line"
expect "an endless line: ends" "$took" '<' 20
plays status 'yes "an endless complaint" >&2'
fleet_of status
calmly "an endless complaint"
expect "an endless complaint: ends" "$took" '<' 20
plays status 'exec sleep 50'
LEASEHERD_FLEET_PATIENCE_S=3 fleet_of status
calmly "no answer"
expect "no answer: is waited for so long" "$took" '<' 15
expect "no answer: is said" "$code" == 1

# ---- nothing at all ----

for verb in push enrol start status stop remove; do
	rm -f "$work/said"/*
	fleet_of "$verb"
	calmly "$verb, empty answers"
	expect "$verb, empty answers: FAIL" "$code" == 1
	answer probe "$probe"
	fleet_of "$verb"
	calmly "$verb, an empty answer after the first"
done

fleet_end
