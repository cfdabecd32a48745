# SPDX-License-Identifier: MIT
# What every part of the lab needs: its names and paths, errors, addresses, and whether a process lives.
# Sourced by deploy/lab/lab, which has set -euo pipefail.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the other parts use what is defined here

readonly LAB_RUN=/run/leaseherd-lab # one directory per lab, 0700
readonly BLOCK=10.10.0.0/16         # the addresses that are leased; no router of the lab knows them unless asked
readonly DEFAULT_POOL=10.10.0.1-10.10.95.254
readonly FOREIGN_SUBNET=10.20.0.0 # what --foreign-pool puts beside the block
readonly FOREIGN_POOL=10.20.0.1-10.20.3.254

declare -A opt=() # the options of the lab at hand, as they are stored in its state directory

usage_error() {
	printf 'lab: %s (lab --help tells more)\n' "$*" >&2
	exit 2
}

die() {
	printf 'lab: %s\n' "$*" >&2
	exit 6
}

require_root() {
	((EUID == 0)) || {
		printf 'lab: needs root, for network namespaces\n' >&2
		exit 2
	}
}

require_tools() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || die "$tool is missing: run deploy/install-deps test"
	done
}

require_leaseherd() {
	[[ -x $leaseherd ]] || die "$leaseherd is missing: build it first, or name its directory by LEASEHERD_BIN"
}

# ---- names ----

state_dir() { printf '%s/%s' "$LAB_RUN" "$1"; }
netns_name() { printf 'lh-%s-%s' "$1" "$2"; }
netns_path() { printf '/run/netns/lh-%s-%s' "$1" "$2"; }
timens_path() { printf '%s/%s/ns/%s.time' "$LAB_RUN" "$1" "$2"; }

check_lab_name() {
	[[ $1 =~ ^[a-z0-9][a-z0-9-]{0,30}$ ]] ||
		usage_error "'$1' is no lab name: up to 31 lower-case letters, digits and '-'"
}

# The labs that exist, one name a line.
labs() {
	local dir
	for dir in "$LAB_RUN"/*/; do
		[[ -d $dir ]] && basename "$dir"
	done
	return 0
}

require_lab() {
	check_lab_name "$1"
	[[ -e $(state_dir "$1")/ready ]] || usage_error "no lab '$1' is up"
	load_options "$1"
}

# The name of the one lab that is up.
the_only_lab() {
	local -a names
	mapfile -t names < <(labs)
	case ${#names[@]} in
	0) usage_error "no lab is up" ;;
	1) printf '%s' "${names[0]}" ;;
	*) usage_error "several labs are up (${names[*]}): name one" ;;
	esac
}

lab_hosts() {
	local i
	printf '%s\n' op rtr s1 s2
	for ((i = 1; i <= opt[agents]; i++)); do printf 'a%d\n' "$i"; done
}

require_host() {
	[[ -e $(netns_path "$1" "$2") ]] ||
		usage_error "lab '$1' has no host '$2', it has: $(lab_hosts | paste -sd ' ')"
}

# ---- options on disk ----

options_text() {
	local key
	for key in "${!opt[@]}"; do printf '%s=%s\n' "$key" "${opt[$key]}"; done | sort
}

load_options() {
	local key value
	opt=()
	while IFS='=' read -r key value; do opt[$key]=$value; done <"$(state_dir "$1")/options"
}

# ---- addresses ----

ip_to_int() {
	local a b c d
	IFS=. read -r a b c d <<<"$1"
	printf '%d' $((a << 24 | b << 16 | c << 8 | d))
}

int_to_ip() {
	printf '%d.%d.%d.%d' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255))
}

is_ip() {
	local octet='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
	[[ $1 =~ ^$octet\.$octet\.$octet\.$octet$ ]]
}

# Host number n of the tester's side lives in the n-th /24 from 172.16.7.0 on: op is 0, a1 (and relay 1) is 1.
tester_subnet() { printf '172.%d.%d' $((16 + (7 + $1) / 256)) $(((7 + $1) % 256)); }
giaddr() { printf '%s.3' "$(tester_subnet "$1")"; }

# The agent that carries relay $1.
carrier() { printf '%d' $((($1 - 1) % opt[agents] + 1)); }

host_address() {
	case $1 in
	op) printf '172.16.7.2' ;;
	s1) printf '192.168.1.12' ;;
	s2) printf '192.168.2.12' ;;
	a*) giaddr "${1#a}" ;;
	*) return 1 ;;
	esac
}

# ---- processes ----

# State letter and start time of a process, or nothing: the start time tells it from a later one with its number.
proc_stat() {
	local stat
	local -a field
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	read -ra field <<<"${stat##*) }"
	printf '%s %s' "${field[0]}" "${field[19]}"
}

# Prints running, stopped or dead for the process a pid file ("PID STARTTIME") names.
pidfile_state() {
	local pid born now state
	read -r pid born <"$1" 2>/dev/null || {
		printf dead
		return
	}
	read -r state now <<<"$(proc_stat "$pid")" || true
	if [[ -z $state || $state == [ZX] || $now != "$born" ]]; then
		printf dead
	elif [[ $state == [Tt] ]]; then
		printf stopped
	else
		printf running
	fi
}

pidfile_pid() {
	local pid
	read -r pid _ <"$1" && printf '%s' "$pid"
}

# spawn LAB HOST DIR LOG CMD...: starts a command on a host of the lab that outlives this script; leaves its pid file
# line in $spawned. setsid: a stopped server whose shell has gone would be killed by the kernel's SIGHUP to its orphaned
# process group. Inherited descriptors are closed, or whoever reads our output through a pipe would wait for the server.
spawn() {
	local lab=$1 host=$2 dir=$3 log=$4 pid
	shift 4
	(
		cd "$dir" || exit
		close_inherited
		exec nsenter --net="$(netns_path "$lab" "$host")" -- setsid -- "$@"
	) </dev/null >>"$log" 2>&1 &
	pid=$!
	spawned="$pid $(proc_stat "$pid" | cut -d' ' -f2)" || true
}

close_inherited() {
	local entry fd
	for entry in "/proc/$BASHPID/fd"/*; do
		fd=${entry##*/}
		((fd > 2 && fd < 255)) && eval "exec $fd>&-"
	done
	return 0
}

# wait_until SECONDS CMD...: polls a command until it succeeds.
wait_until() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		((${EPOCHREALTIME/./} < end)) || return 1
		sleep 0.05
	done
}
