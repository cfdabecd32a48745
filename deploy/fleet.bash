# SPDX-License-Identifier: MIT
# What deploy/fleet is made of: the inventory, ssh, and what a host's facts mean. Sourced by deploy/fleet.
# shellcheck shell=bash
# shellcheck disable=SC2154 # $here, $scratch, $inventory_dir and $index are deploy/fleet's

# ---- the inventory ----

readonly SETTINGS=" coordinator policy agent keys dir capability ports identity ssh_config "
declare -A setting=() # "NAME key", or " key" for all hosts below it
names=()

# Values go through two shells on the way to the host, so nothing in them may mean anything there.
readonly PLAIN='^[A-Za-z0-9._:/@%+,~-]+$'

parse_inventory() { # FILE
	local file=$1 line number=0
	[[ -r $file ]] || usage_error "cannot read the inventory $file"
	while IFS= read -r line || [[ -n $line ]]; do
		number=$((number + 1))
		line=${line%%#*}
		[[ $line =~ [^[:space:]] ]] || continue
		parse_line "$file" "$number" "$line"
	done <"$file"
	((${#names[@]})) || usage_error "$file names no host: NAME [USER@]HOST [PORT] [KEY=VALUE...]"
}

parse_line() { # FILE NUMBER LINE
	local at="$1:$2" name='' word key
	local -a words plain=()
	read -ra words <<<"$3"
	[[ ${words[0]} == *=* ]] || name=${words[0]}
	for word in "${words[@]}"; do
		[[ $word =~ $PLAIN || $word =~ ^[a-z_]+=[A-Za-z0-9._:/@%+,~-]+$ ]] ||
			usage_error "$at: '$word' holds a character that does not belong there (allowed: letters, digits and ._:/@%+,~-)"
		if [[ $word != *=* ]]; then
			plain+=("$word")
			continue
		fi
		key=${word%%=*}
		[[ $SETTINGS == *" $key "* ]] || usage_error "$at: no setting is called '$key'; there are:${SETTINGS% }"
		check_setting "$at" "$key" "${word#*=}"
		setting["$name $key"]=${word#*=}
	done
	[[ -n $name ]] || {
		((${#plain[@]} == 0)) || usage_error "$at: a host's line begins with its name, not with a setting"
		return 0
	}
	((${#plain[@]} == 2 || ${#plain[@]} == 3)) || usage_error "$at: a host is NAME [USER@]HOST [PORT] [KEY=VALUE...]"
	[[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$ ]] || usage_error "$at: '$name' is no name of an agent"
	[[ ${plain[1]} =~ ^[A-Za-z0-9] ]] || usage_error "$at: '${plain[1]}' is no host"
	[[ -z ${setting["$name target"]:-} ]] || usage_error "$at: the name '$name' is given twice"
	[[ ${plain[2]:-22} =~ ^[1-9][0-9]{0,4}$ ]] || usage_error "$at: '${plain[2]}' is no port"
	names+=("$name")
	setting["$name target"]=${plain[1]}
	setting["$name port"]=${plain[2]:-}
	# A setting on a line of its own holds for the hosts below it.
	for key in $SETTINGS; do
		[[ -n ${setting["$name $key"]:-} || -z ${setting[" $key"]:-} ]] || setting["$name $key"]=${setting[" $key"]}
	done
}

check_setting() { # AT KEY VALUE
	case $2 in
	dir)
		[[ $3 =~ ^(/[A-Za-z0-9._-]+)+/[A-Za-z0-9._-]+$ && $3 != *..* ]] ||
			usage_error "$1: dir= is a whole path of at least two parts, as /var/lib/leaseherd, not '$3'"
		;;
	capability) [[ $3 == auto || $3 == file || $3 == sudo ]] || usage_error "$1: capability= is auto, file or sudo, not '$3'" ;;
	ports) [[ $3 == own || $3 == shared ]] || usage_error "$1: ports= is own or shared, not '$3'" ;;
	coordinator) [[ $3 =~ ^[A-Za-z0-9.-]+(:[1-9][0-9]{0,4})?$ ]] || usage_error "$1: coordinator= is HOST[:PORT], not '$3'" ;;
	esac
}

# A file of ours that a setting names: relative to the inventory.
local_path() { # PATH
	case $1 in
	/*) printf '%s' "$1" ;;
	\~/*) printf '%s' "$HOME/${1#\~/}" ;;
	*) printf '%s/%s' "$inventory_dir" "$1" ;;
	esac
}

of() { # KEY: the setting of the host at hand, $name
	printf '%s' "${setting["$name $1"]:-}"
}

# ---- what a far side may do here ----

# A host may be somebody else's by now. What it prints is shown and kept here, and some of it decides what comes next:
# it runs nothing, steers no terminal, fills no disk and holds nobody up for ever.
readonly ANSWER_BYTES_MAX=65536 ERRORS_KIB_MAX=16384 SENTENCE_MAX=600
readonly LOG_BYTES_MAX=${LEASEHERD_FLEET_LOG_BYTES:-268435456} # the newest of a log
readonly PATIENCE_S=${LEASEHERD_FLEET_PATIENCE_S:-180} COPY_PATIENCE_S=1800

visible() { # stdin to stdout: lines of characters one can see
	LC_ALL=C tr -c '\11\12\40-\176' '?'
}

sentence() { # TEXT: one line of a bounded length
	printf '%s' "${1:0:SENTENCE_MAX}" | LC_ALL=C tr -c '\40-\176' '?'
}

last_error() { tail -c 4096 "$errors" | visible | grep -v '^ *$' | tail -n 1; }

# What the worker computes with, or says to a shell over there, has one form only.
fact_is_sound() { # KEY VALUE
	[[ $1 =~ ^[a-z_]+$ ]] || return 1
	case $1 in
	uid | gid | free_kib | running | pid | already | for) [[ $2 =~ ^(0|[1-9][0-9]{0,17})?$ ]] ;;
	effective) [[ $2 =~ ^[0-9a-f]{0,16}$ ]] ;;
	become) [[ $2 == 'sudo -n' || $2 == 'doas -n' ]] ;;
	runs_as) [[ $2 == user || $2 == root ]] ;;
	root) [[ $2 == yes || $2 == no || $2 == sudo || $2 == doas ]] ;;
	public) [[ $2 =~ ^[!-~]{40}$ ]] ;;
	esac
}

must_have() { # KEY...: what the answer to the last question cannot lack
	local key
	for key in "$@"; do
		[[ -n ${fact[$key]:-} ]] || give_up "that host's answer says nothing about '$key': no fleet-host.sh runs there as it was sent"
	done
}

# ---- ssh ----

# Each host's worker is a subshell with its own $name, $target, $ssh_options, $become and $fact.

ssh_begin() {
	local port identity config
	target=$(of target) port=$(of port) identity=$(of identity) config=$(of ssh_config)
	errors=$scratch/$name.err
	ssh_options=(-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3
		-o "ControlPath=$scratch/$index.s")
	[[ -z $config ]] || ssh_options=(-F "$(local_path "$config")" "${ssh_options[@]}")
	[[ -z $identity ]] || ssh_options+=(-i "$(local_path "$identity")")
	[[ -z $port ]] || ssh_options+=(-p "$port")
	# One connection that the later ones share. Where it cannot be shared, ssh makes others by itself.
	(
		ulimit -c 0 -f "$ERRORS_KIB_MAX"
		exec timeout --foreground -k 5 "$PATIENCE_S" ssh "${ssh_options[@]}" -o ControlMaster=yes -o ControlPersist=60 -- \
			"$target" true </dev/null >/dev/null 2>"$errors" 3>&-
	) || give_up "$(ssh_sentence)"
}

ssh_end() {
	[[ ! -S $scratch/$index.s ]] || ssh "${ssh_options[@]}" -O exit -- "$target" >/dev/null 2>&1 || true
}

far() { # SECONDS COMMAND: with our stdin
	(
		ulimit -c 0 -f "$ERRORS_KIB_MAX"
		exec timeout --foreground -k 5 "$1" ssh "${ssh_options[@]}" -- "$target" "$2" 2>"$errors"
	)
}

ssh_sentence() {
	local host=${target#*@} port said
	port=$(of port)
	said=$(tail -c 65536 "$errors" | visible)
	case $said in
	*"IDENTIFICATION HAS CHANGED"*)
		printf 'the ssh host key of %s is not the one known here: somebody is in between, or the host is new (then: ssh-keygen -R %s)' \
			"$host" "$host"
		;;
	*"Host key verification failed"*)
		printf 'the ssh host key of %s is unknown here: log in once by hand and compare it (ssh%s %s)' "$host" \
			"${port:+ -p $port}" "$target"
		;;
	*"Permission denied"*) printf '%s does not let %s in: no key of yours is in its authorized_keys' "$host" "$target" ;;
	*"Connection refused"*) printf 'nobody listens for ssh at %s, port %s' "$host" "${port:-22}" ;;
	*"timed out"*) printf '%s does not answer at port %s: it is off, or a firewall is in between' "$host" "${port:-22}" ;;
	*) printf 'ssh to %s failed: %s' "$target" "$(last_error)" ;;
	esac
}

# ask [as-root|as-agent|as-user] VERB ARGUMENTS...: runs a verb of fleet-host.sh there; its answers are in $fact, and a
# bad one ends the worker.
ask() {
	local who=$1 prefix='' line got=0
	shift
	case $who in
	as-root) prefix=$become ;;
	as-agent) [[ ${fact[runs_as]:-root} == user ]] || prefix=$become ;;
	esac
	far "$PATIENCE_S" "${prefix:+$prefix }sh -s -- $*" <"$here/fleet-host.sh" 2>/dev/null |
		head -c "$ANSWER_BYTES_MAX" | visible >"$scratch/$name.out" || got=${PIPESTATUS[0]}
	[[ $(stat -c %s "$scratch/$name.out") -lt $ANSWER_BYTES_MAX ]] ||
		give_up "that host's answer to '$1' does not end: no fleet-host.sh runs there as it was sent"
	while IFS= read -r line; do
		take_fact "$line"
	done <"$scratch/$name.out"
	[[ -z ${fact[bad]:-} ]] || give_up "${fact[bad]}"
	case $got in
	0) ;;
	124 | 137) give_up "$1 did not end there within $PATIENCE_S s" ;;
	255) give_up "$(ssh_sentence)" ;;
	*) give_up "$1 failed there: $(last_error)" ;;
	esac
}

take_fact() { # LINE
	local key=${1%%=*} value=${1#*=}
	[[ $1 == *=* && -n $key ]] || return 0
	fact_is_sound "$key" "$value" || give_up "that host's answer makes no sense: $1"
	fact[$key]=$value
	if [[ $key == sum && $value == *\ * ]]; then
		fact["sum ${value#* }"]=${value%% *}
	fi
}

# ---- what a worker says ----

good() {
	ssh_end
	told=yes
	printf '%-12s ok    %s\n' "$name" "$(sentence "$*")"
	exit 0
}

give_up() {
	ssh_end
	told=yes
	printf '%-12s FAIL  %s\n' "$name" "$(sentence "$*")"
	exit 1
}

# ---- what facts mean ----

# ELF's word for the processor, as uname -m would say it.
architecture_of() { # FILE
	local -a byte
	read -ra byte < <(od -An -tu1 -j18 -N2 "$1" 2>/dev/null)
	case "${byte[0]:-0}:${byte[1]:-0}" in
	62:0) echo x86_64 ;;
	183:0) echo aarch64 ;;
	3:0) echo i686 ;;
	40:0) echo arm ;;
	243:0) echo riscv64 ;;
	21:0) echo ppc64le ;;
	0:22) echo s390x ;;
	*) echo unknown ;;
	esac
}

runs_on() { # BINARY-ARCHITECTURE HOST-ARCHITECTURE
	case $1:$2 in
	"$2:$2" | i686:i[3-6]86 | i686:x86_64 | arm:armv*) return 0 ;;
	*) return 1 ;;
	esac
}

# Sets $become; ends the worker where this user cannot become root.
require_root_there() {
	become=${fact[become]:-}
	case ${fact[root]} in
	yes) ;;
	no) give_up "${fact[user]} is not root there, and there is no sudo (or doas) to become it" ;;
	*)
		if [[ ${fact[root_why]:-} == *password* || ${fact[root_why]:-} == *uthentication* ]]; then
			give_up "${fact[root]} asks ${fact[user]} for a password: allow it without one (sudoers: ${fact[user]} ALL=(root) NOPASSWD: ALL), or log in as root"
		fi
		give_up "${fact[root]} does not let ${fact[user]} become root: ${fact[root_why]:-it does not say why}"
		;;
	esac
}

# The same where root is wanted and not needed.
take_root_where_possible() {
	become=${fact[become]:-}
}

duration_text() { # SECONDS
	local s=$1
	if ((s < 120)); then
		printf '%d s' "$s"
	elif ((s < 7200)); then
		printf '%d min' $((s / 60))
	else
		printf '%d h' $((s / 3600))
	fi
}
