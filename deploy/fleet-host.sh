#!/bin/sh
# SPDX-License-Identifier: MIT
# The far side of deploy/fleet: sent through ssh to `sh -s -- VERB ARGUMENTS`, never stored there. POSIX sh and the
# commands of a busybox, nothing else. Says KEY=VALUE lines; a line bad=SENTENCE is what stands in the way, and exit 1.
# DIR on the host: leaseherd-agent-static, policy.yaml, coordinator.pub and `made`, of root; own/ is the agent's: agent.key,
# state/, agent.log, agent.pid.
set -u
PATH=${PATH:-/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
umask 022

say() { printf '%s\n' "$*"; }

bad() {
	printf 'bad=%s\n' "$*"
	exit 1
}

# ---- what this host is ----

has() { command -v "$1" >/dev/null 2>&1; }

# A file system's options, by the longest mount point that holds the path.
mount_options() { # PATH
	awk -v path="$1" '{
		point = $2
		if ((point == "/" || path == point || index(path, point "/") == 1) && length(point) >= best) {
			best = length(point); options = $4
		}
	} END { print options }' /proc/mounts
}

has_mount_option() { # PATH OPTION
	case ,$(mount_options "$1"), in *,"$2",*) return 0 ;; *) return 1 ;; esac
}

nearest_parent() { # PATH: itself or the first directory above that exists
	parent=$1
	while [ ! -d "$parent" ]; do parent=$(dirname "$parent"); done
	say "$parent"
}

# How this user becomes root without being asked anything: "", "sudo -n", "doas -n", or why not.
say_root() {
	why=
	if [ "$(id -u)" = 0 ]; then
		say root=yes
		return
	fi
	for tool in sudo doas; do
		has "$tool" || continue
		if why=$("$tool" -n true 2>&1); then
			say root=yes
			say "become=$tool -n"
			return
		fi
		say "root=$tool"
		say "root_why=$(say "$why" | tail -n 1)"
		return
	done
	say root=no
}

probe() { # DIR
	missing=
	for tool in awk cat chmod chown cut df dirname find grep head id kill ls mkdir mv od readlink rm rmdir sed setsid \
		sha256sum sleep tail tr uname; do
		has "$tool" || missing="$missing $tool"
	done
	[ -z "$missing" ] || bad "this host lacks$missing: fleet needs what busybox has"
	[ -r /proc/self/stat ] || bad "this host has no /proc: mount -t proc proc /proc"
	say "uid=$(id -u)"
	say "gid=$(id -g)"
	say "user=$(id -un 2>/dev/null || id -u)"
	say "arch=$(uname -m)"
	say "free_kib=$(df -Pk "$(nearest_parent "$1")" 2>/dev/null | awk '$2 > 0 && $4 ~ /^[0-9]+$/ { free = $4 } END { print free }')"
	say "parent=$(nearest_parent "$1")"
	say_root
	[ ! -r "$1/made" ] || cat "$1/made"
}

# ---- processes ----

start_time() { # PID: in ticks since boot; with it a number that was given again is told from the process we know
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

process_state() { # PID
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c 1
}

# Sets $pid to the agent's process; false when it does not run.
find_agent() { # DIR
	pid=
	born=
	[ -r "$1/own/agent.pid" ] || return 1
	read -r pid born <"$1/own/agent.pid" || true
	case $pid in '' | *[!0-9]*)
		pid=
		return 1
		;;
	esac
	if [ -z "$born" ] || [ "$(start_time "$pid")" != "$born" ] || [ "$(process_state "$pid")" = Z ]; then
		pid=
		return 1
	fi
}

running_for() { # PID: seconds; a tick is 1/100 s wherever /proc tells it
	awk -v born="$(start_time "$1")" '{ printf "%d", $1 - born / 100 }' /proc/uptime
}

# Processes that run the file and are not the one of the pid file. Only root sees all.
strangers() { # DIR KNOWN-PID
	for entry in /proc/[0-9]*; do
		number=${entry#/proc/}
		[ "$number" != "$2" ] || continue
		case $(readlink "$entry/exe" 2>/dev/null) in
		"$1/leaseherd-agent-static" | "$1/leaseherd-agent-static (deleted)") printf ' %s' "$number" ;;
		esac
	done
}

last_words() { # DIR
	tail -n 1 "$1/own/agent.log" 2>/dev/null | sed 's/ level=[a-z]*//' | cut -c 1-300
}

# ---- push ----

# Makes DIR, ours from then on: `made` holds the topmost directory that was not there before.
prepare() { # DIR
	if [ ! -e "$1/made" ]; then
		if [ -e "$1" ] && [ -n "$(ls -A "$1" 2>&1)" ]; then
			bad "$1 is there, is not empty and not of fleet: name another with dir=, or empty it"
		fi
		top=$1
		while [ ! -e "$(dirname "$top")" ]; do top=$(dirname "$top"); done
		[ ! -e "$1" ] || top=
		mkdir -p "$1" || bad "cannot make $1: $(mkdir -p "$1" 2>&1 | tail -n 1)"
		say "made=$top" >"$1/made" || bad "cannot write in $1: is the file system full or read-only?"
	fi
	chown 0:0 "$1" && chmod 0755 "$1" || bad "cannot own $1"
	for file in leaseherd-agent-static policy.yaml coordinator.pub; do
		[ ! -f "$1/$file" ] || say "sum=$(sha256sum "$1/$file" | cut -d ' ' -f 1) $file"
	done
}

# The file that came as .FILE.new takes its place when it is whole.
take() { # DIR FILE SHA256 MODE
	[ "$(sha256sum "$1/.$2.new" 2>/dev/null | cut -d ' ' -f 1)" = "$3" ] || {
		rm -f "$1/.$2.new"
		bad "$2 did not arrive whole in $1: try again"
	}
	chown 0:0 "$1/.$2.new" && chmod "$4" "$1/.$2.new" && mv -f "$1/.$2.new" "$1/$2" || bad "cannot put $2 into $1"
}

# The agent's right to the DHCP ports: a capability of the file, or root's start, which it narrows itself.
grant() { # DIR auto|file|sudo UID GID
	agent=$1/leaseherd-agent-static
	as=root
	why=
	if [ "$2" != sudo ] && [ "$3" != 0 ]; then
		if ! has setcap; then
			why="this host has no setcap to give CAP_NET_BIND_SERVICE to the file"
		elif has_mount_option "$1" nosuid; then
			why="$1 is on a file system mounted nosuid, where capabilities of files have no effect"
		elif ! chown "0:$4" "$agent" || ! chmod 0750 "$agent" || ! problem=$(setcap cap_net_bind_service+ep "$agent" 2>&1); then
			why="the file system of $1 does not keep capabilities of files ($(say "${problem:-}" | tail -n 1))"
		else
			as=user
		fi
		[ "$as" = user ] || [ "$2" != file ] || bad "$why: say capability=sudo, or dir= another file system"
	fi
	if [ "$as" = root ]; then
		chown 0:0 "$agent" && chmod 0755 "$agent" || bad "cannot own $agent"
		set -- "$1" "$2" 0 0
	fi
	mkdir -p "$1/own/state" && chown -Rh "$3:$4" "$1/own" && chmod 0700 "$1/own" "$1/own/state" ||
		bad "cannot make $1/own"
	{ grep '^made=' "$1/made" && say "runs_as=$as"; } >"$1/.made.new" && mv -f "$1/.made.new" "$1/made" ||
		bad "cannot write in $1: is the file system full or read-only?"
	say "runs_as=$as"
}

try_agent() { # DIR
	if ! version=$("$1/leaseherd-agent-static" --version 2>&1); then
		! has_mount_option "$1" noexec || bad "$1 is on a file system mounted noexec: say dir= another one"
		bad "the agent does not run on this host ($(uname -sr)): $(say "$version" | tail -n 1)"
	fi
	say "version=$version"
	! find_agent "$1" || say "running=$pid"
}

# ---- enrol ----

enrol() { # DIR
	key=$1/own/agent.key
	[ -x "$1/leaseherd-agent-static" ] || bad "there is no agent in $1: fleet push first"
	if [ ! -e "$key" ]; then
		problem=$("$1/leaseherd-agent-static" keygen "$key" 2>&1 >/dev/null) || bad "cannot make a key: $problem"
	fi
	# Of the file, not of what was printed: a pair that is there already serves again.
	public=$(sed -n 's/^public //p' "$key" 2>/dev/null)
	[ -n "$public" ] || bad "$key holds no key pair: fleet remove, push and enrol make another"
	say "public=$public"
}

# ---- start ----

is_little_endian() { [ "$(printf '\001\000' | od -An -td2 | tr -d ' ')" = 1 ]; }

address_text() { # HEX, as in /proc/net/udp
	if [ ${#1} != 8 ]; then
		say "an IPv6 address"
		return
	fi
	a=$(say "$1" | cut -c 1-2) b=$(say "$1" | cut -c 3-4) c=$(say "$1" | cut -c 5-6) d=$(say "$1" | cut -c 7-8)
	if is_little_endian; then
		printf '%d.%d.%d.%d' "0x$d" "0x$c" "0x$b" "0x$a"
	else
		printf '%d.%d.%d.%d' "0x$a" "0x$b" "0x$c" "0x$d"
	fi
}

holder() { # INODE UID
	for entry in /proc/[0-9]*; do
		# shellcheck disable=SC2010 # the target of a link is what is asked for
		if ls -l "$entry/fd" 2>/dev/null | grep -F "socket:[$1]" >/dev/null; then
			say "$(cat "$entry/comm") (process ${entry#/proc/})"
			return
		fi
	done
	say "a process of user $2 that only root can see"
}

look_at_ports() {
	for table in /proc/net/udp /proc/net/udp6; do
		[ -r "$table" ] || continue
		awk '$2 ~ /:004[34]$/ { print $2, $8, $10 }' "$table"
	done | {
		read -r where uid inode || return 0
		port=67
		[ "${where##*:}" = 0043 ] || port=68
		say "port=UDP port $port is taken at $(address_text "${where%:*}") by $(holder "$inode" "$uid"): end that, or say" \
			"ports=shared where it does not concern the relays' addresses (seen in /proc/net/udp)"
	}
}

# The address of a name as the agent finds it: by /etc/hosts and DNS, not by what else this host may use.
address_of() { # HOST
	case $1 in
	*[!0-9.]*) ;;
	*)
		say "$1"
		return
		;;
	esac
	address=$(awk -v name="$1" '!/^[[:space:]]*#/ { for (i = 2; i <= NF && $i !~ /^#/; i++) if ($i == name) { print $1; exit } }' \
		/etc/hosts 2>/dev/null)
	if [ -z "$address" ] && ! has nslookup; then
		address=$1
	elif [ -z "$address" ]; then
		address=$(nslookup "$1" 2>/dev/null | awk '/^Name:/ { named = 1 } named && /^Address/ && !done {
			for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+[.][0-9.]+$/) { print $i; done = 1 } }')
	fi
	say "$address"
}

# open, silent (nobody listens, but the host answers), dropped, unreachable, unknown
look_at_coordinator() { # HOST PORT
	if ! has nc || ! has timeout; then
		say coordinator=unknown
		return
	fi
	address=$(address_of "$1")
	if [ -z "$address" ]; then
		say coordinator=nameless
		return
	fi
	# ZeroMQ greets whoever comes and does not leave at once; not every nc ends by itself then.
	answer=$({ sleep 1 | timeout 5 nc -w 3 "$address" "$2" | od -An -tx1 -N1; } 2>&1)
	case $answer in
	*efused*) say coordinator=silent ;;
	*nreachable* | *"o route"*) say coordinator=unreachable ;;
	*"bad address"* | *"not known"* | *"esolution"*) say coordinator=nameless ;;
	*ff*) say coordinator=open ;;
	'' | *imed\ out* | *erminated* | *rogress*) say coordinator=dropped ;;
	*) say coordinator=unknown ;;
	esac
}

# A rule of this host that may drop what a run needs. Reading rules takes root.
look_at_rules() { # PORT
	if has nft; then
		tool="nft list ruleset"
	elif has iptables; then
		tool="iptables -S"
	else
		say "rules=unknown (no nft, no iptables)"
		return
	fi
	if ! rules=$($tool 2>/dev/null); then
		say "rules=unknown ($tool needs root)"
		return
	fi
	rule=$(say "$rules" | grep -iE 'drop|reject' | grep -E "(^|[^0-9.])(67|68|bootps|bootpc|$1)([^0-9.]|\$)" | head -n 1)
	[ -n "$rule" ] || rule=$(say "$rules" | grep -E 'hook (input|output).*policy drop|^-P (INPUT|OUTPUT) DROP' | head -n 1)
	[ -z "$rule" ] || say "rules_bad=$(say "$rule" | sed 's/^[[:space:]]*//') ($tool)"
}

look() { # DIR HOST PORT
	find_agent "$1" || look_at_ports
	look_at_coordinator "$2" "$3"
	look_at_rules "$3"
}

start() { # DIR HOST PORT
	agent=$1/leaseherd-agent-static
	own=$1/own
	[ -x "$agent" ] || bad "there is no agent in $1: fleet push first"
	[ -e "$own/agent.key" ] || bad "there is no key in $own: fleet enrol first"
	if find_agent "$1"; then
		say "already=$pid"
		return
	fi
	others=$(strangers "$1" none)
	[ -z "$others" ] || bad "another agent runs from $1 (process$others) and is not in the pid file: end it first"
	cd "$own" || bad "cannot enter $own"
	umask 077
	setsid "$agent" --coordinator "$2:$3" --server-key "$1/coordinator.pub" --key "$own/agent.key" \
		--policy "$1/policy.yaml" --state-dir "$own/state" </dev/null >>"$own/agent.log" 2>&1 &
	pid=$!
	born=$(start_time "$pid")
	say "$pid $born" >"$own/agent.pid" || {
		kill "$pid"
		bad "cannot write $own/agent.pid: is the file system full?"
	}
	# What it refuses, it refuses at once: policy, key, privilege.
	for turn in 1 2 3 4 5 6 7 8 9 10; do
		sleep 0.1 2>/dev/null || sleep 1
		find_agent "$1" || break
		: "$turn"
	done
	if ! find_agent "$1"; then
		rm -f "$own/agent.pid"
		bad "the agent ended at once: $(last_words "$1")"
	fi
	say "pid=$pid"
}

# ---- status, stop, remove ----

status() { # DIR
	[ -x "$1/leaseherd-agent-static" ] || bad "nothing is in $1: fleet push first"
	say "sum=$(sha256sum "$1/leaseherd-agent-static" | cut -d ' ' -f 1)"
	say "version=$("$1/leaseherd-agent-static" --version 2>&1 | tail -n 1)"
	[ -e "$1/own/agent.key" ] || bad "pushed, but has no key: fleet enrol"
	say "said=$(last_words "$1")"
	if find_agent "$1"; then
		say "pid=$pid"
		say "for=$(running_for "$pid")"
		say "effective=$(sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$pid/status")"
	fi
}

# Ends the process of the pid file and no other. $ended is what was done.
end_agent() { # DIR
	ended="not running"
	if ! find_agent "$1"; then
		rm -f "$1/own/agent.pid"
		return
	fi
	known=$pid
	kill -TERM "$known" || bad "may not end process $known"
	ended="stopped, process $known"
	turn=0
	while find_agent "$1"; do
		turn=$((turn + 1))
		if [ "$turn" = 100 ]; then
			kill -KILL "$known"
			ended="killed, process $known did not stop within 10 s"
		fi
		[ "$turn" -lt 130 ] || bad "process $known does not end"
		sleep 0.1 2>/dev/null || sleep 1
	done
	rm -f "$1/own/agent.pid"
}

stop() { # DIR
	if [ ! -d "$1" ]; then
		say "ended=nothing runs: nothing is in $1"
		return
	fi
	end_agent "$1"
	others=$(strangers "$1" none)
	[ -z "$others" ] || bad "$ended; process$others runs the same file, is not of fleet's start, and was left alone"
	say "ended=$ended"
}

remove() { # DIR
	if [ ! -e "$1" ]; then
		say "removed=nothing was there"
		return
	fi
	[ -e "$1/made" ] || bad "$1 is not of fleet and was left alone"
	top=$(sed -n 's/^made=//p' "$1/made")
	end_agent "$1"
	others=$(strangers "$1" none)
	[ -z "$others" ] || bad "process$others still runs the agent and is not of fleet's start: end it first"
	rm -rf "$1/own"
	for file in leaseherd-agent-static policy.yaml coordinator.pub; do rm -f "$1/$file" "$1/.$file.new"; done
	left=$(find "$1" ! -path "$1" ! -path "$1/made" ! -path "$1/.made.new" 2>/dev/null | tr '\n' ' ')
	[ -z "$left" ] || bad "all of fleet's is gone, but there is also $left: remove $1 by hand"
	rm -f "$1/made" "$1/.made.new"
	# A directory that was there before stays; those made for it go.
	at=$1
	while [ -n "$top" ] && rmdir "$at" 2>/dev/null && [ "$at" != "$top" ]; do at=$(dirname "$at"); done
	[ -z "$top" ] || [ ! -e "$1" ] || bad "cannot remove $1"
	if [ -e "$1" ] && [ -n "$(ls -A "$1")" ]; then bad "something is left in $1"; fi
	say "removed=$ended; $1 is gone"
}

main() {
	verb=$1
	shift
	"$verb" "$@"
	return 0 # what stands in the way has ended it before
}

main "$@" </dev/null
