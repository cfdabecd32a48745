# SPDX-License-Identifier: MIT
# Starting, watching and stopping the lab's DHCP servers.
# shellcheck shell=bash
# shellcheck disable=SC2154 # $spawned and $server_command are set by the functions called just before

# The hosts that run a server.
server_hosts() {
	case ${opt[servers]}/${opt[failover]}${opt[unpaired]} in
	none/*) ;;
	*/*yes*) printf 's1\ns2\n' ;;
	*) printf 's1\n' ;;
	esac
}

server_program() { if [[ ${opt[servers]} == kea ]]; then printf kea-dhcp4; else printf dhcpd; fi; }

servers_up() {
	local lab=$1 host
	for host in $(server_hosts); do
		server_directory "$lab" "$host"
		server_configure "$lab" "$host" "${opt[pool]}" ''
		server_spawn "$lab" "$host"
	done
	for host in $(server_hosts); do server_await "$lab" "$host"; done
	[[ ${opt[failover]} == no ]] || pair_await "$lab"
}

server_directory() {
	local dir disk=${opt[disk]}/leaseherd-lab-$1-$2
	dir=$(state_dir "$1")/$2
	if [[ -z ${opt[disk]} ]]; then
		mkdir "$dir"
	else
		mkdir -m 0700 -- "$disk"
		ln -s -- "$disk" "$dir"
	fi
}

# lab_scenario HOST...: the lab with these servers as a scenario. Where relays share a subnet, the pool is given besides;
# where each has a /19, its clients are so many that all its addresses are their pool.
lab_scenario() {
	local i host query='' subnet=$BLOCK clients=1
	[[ ${opt[leasequery]} == no ]] || query=', leases: {query: true}'
	printf 'leaseherd: 1\nscenario: lab\nservers:\n'
	for host in "$@"; do printf '  %s: {address: %s%s}\n' "$host" "$(host_address "$host")" "$query"; done
	printf 'network:\n  block: %s\n  relays:\n' "$BLOCK"
	for ((i = 1; i <= opt[relays]; i++)); do
		[[ ${opt[subnets]} == shared ]] || subnet=10.10.$((32 * (i - 1))).0/19 clients=8000
		printf '    - {name: r%d, giaddr: %s, subnet: %s, clients: %d}\n' "$i" "$(giaddr "$i")" "$subnet" "$clients"
	done
	printf 'expect: {lease: %ds, mclt: %ds}\nrun:\n  - {name: none, acquire: {batch: 1}}\n' "${opt[lease]}" "${opt[mclt]}"
}

# lab_setup DIR KIND HOST POOL [FLAGS...]: the configuration of a server that serves nobody else.
lab_setup() {
	local dir=$1 kind=$2 host=$3 pool=$4
	shift 4
	[[ ${opt[subnets]} == own ]] || set -- "$@" --pool "$pool"
	if [[ ${opt[failover]} == yes ]]; then lab_scenario s1 s2; else lab_scenario "$host"; fi >"$dir/scenario"
	"$leaseherd" setup "$dir/scenario" --for "$kind" --server "$host" --open "$@"
}

# server_configure LAB HOST POOL DENIED: writes the configuration and an empty lease file.
server_configure() {
	local lab=$1 host=$2 pool=$3 denied=$4 dir
	dir=$(state_dir "$lab")/$host
	require_leaseherd
	rm -f "$dir"/leases*
	if [[ ${opt[servers]} == kea ]]; then
		kea_conf "$dir" "$host" "$pool" "$denied" >"$dir/conf"
	else
		dhcpd_conf "$dir" "$host" "$pool" "$denied" >"$dir/conf"
		dhcpd_first_leases >"$dir/leases"
	fi
}

server_spawn() {
	local lab=$1 host=$2 dir
	local -a server_command
	dir=$(state_dir "$lab")/$host
	if [[ ${opt[servers]} == kea ]]; then kea_command "$dir"; else dhcpd_command "$dir"; fi
	[[ -z ${opt[wrap]} ]] || server_command=("${opt[wrap]}" "$host" "${server_command[@]}")
	rm -f "$dir"/*.kea-dhcp4.pid # one that was killed leaves it, and its number may still be a zombie's
	touch "$dir/log"
	stat -c %s "$dir/log" >"$dir/log.start" # what an earlier life has logged must not pass for this one's
	spawn "$lab" "$host" "$dir" "$dir/log" "${server_command[@]}"
	printf '%s\n' "$spawned" >"$dir/pid"
}

# AppArmor confines Debian's servers, by their path, to Debian's directories; a copy elsewhere is nobody's business.
unconfined() {
	local path
	path=$(command -v "$1")
	if grep -qs "$path\|^$1 " /sys/kernel/security/apparmor/profiles; then
		cp "$path" "$2/$1"
		path=$2/$1
	fi
	printf '%s' "$path"
}

log_since_start() {
	local dir=$1 start
	start=$(<"$dir/log.start")
	tail -c "+$((start + 1))" "$dir/log"
}

server_serves() {
	local dir=$1 log
	log=$(log_since_start "$dir")
	if [[ ${opt[servers]} == kea ]]; then kea_serves "$log"; else dhcpd_serves "$log"; fi
}

server_serves_or_died() { [[ $(pidfile_state "$1/pid") == dead ]] || server_serves "$1"; }

server_await() {
	local lab=$1 host=$2 dir
	dir=$(state_dir "$lab")/$host
	wait_until 30 server_serves_or_died "$dir" || server_failed "$lab" "$host" 'does not come into service'
	[[ $(pidfile_state "$dir/pid") != dead ]] || server_failed "$lab" "$host" 'has ended'
}

server_failed() {
	local lab=$1 host=$2 dir
	dir=$(state_dir "$lab")/$host
	printf 'lab: the last lines of the log of %s:\n' "$host" >&2
	tail -n 15 "$dir/log" | sed 's/^/  /' >&2
	die "$(server_program) on $host of lab '$lab' $3"
}

pair_await() {
	local lab=$1 kind=dhcpd host backup_count=''
	[[ ${opt[servers]} == kea ]] && kind=kea
	wait_until 60 "${kind}_pair_ready" "$lab" || server_failed "$lab" s1 'and its partner do not become a pair'
	for host in s1 s2; do server_await "$lab" "$host"; done
}

# ---- lab server NAME HOST ACTION ----

server_signal() {
	local lab=$1 host=$2 signal=$3 pidfile
	pidfile=$(state_dir "$lab")/$host/pid
	[[ $(pidfile_state "$pidfile") != dead ]] || die "the server on $host of lab '$lab' is not running"
	kill "-$signal" "$(pidfile_pid "$pidfile")"
}

server_is_dead() { [[ $(pidfile_state "$1") == dead ]]; }

server_kill() {
	local pidfile
	pidfile=$(state_dir "$1")/$2/pid
	server_signal "$1" "$2" KILL
	wait_until 5 server_is_dead "$pidfile" || die "the server on $2 of lab '$1' does not die"
}

# In order, as an init system would: what does not end in five seconds does not end in order.
server_shutdown() {
	server_signal "$1" "$2" TERM
	wait_until 5 server_is_dead "$(state_dir "$1")/$2/pid" || die "the server on $2 of lab '$1' does not end in order"
}

# The router's end of the cable: the server's own interface stays as it is, as behind a switch.
server_link() { ip -n "$(netns_name "$1" rtr)" link set "$2" "$3"; }

servers_reset() {
	local lab=$1 host
	for host in $(server_hosts); do
		if ! server_is_dead "$(state_dir "$lab")/$host/pid"; then server_kill "$lab" "$host"; fi
	done
	for host in $(server_hosts); do
		server_configure "$lab" "$host" "${opt[pool]}" ''
		: >"$(state_dir "$lab")/$host/log"
		server_spawn "$lab" "$host"
	done
	for host in $(server_hosts); do server_await "$lab" "$host"; done
	[[ ${opt[failover]} == no ]] || pair_await "$lab"
}

server_start() {
	[[ $(pidfile_state "$(state_dir "$1")/$2/pid") == dead ]] || die "the server on $2 of lab '$1' is running already"
	server_spawn "$1" "$2"
	server_await "$1" "$2"
}

# With a pool: a server that has forgotten everything, knows the new pool, and refuses what else was in the old one.
server_restart() {
	local lab=$1 host=$2 pool=$3 pidfile
	pidfile=$(state_dir "$lab")/$host/pid
	if [[ -n $pool && (${opt[failover]} == yes || ${opt[subnets]} == own || ${opt[foreign_pool]} != no) ]]; then
		usage_error "restart --pool is for a single server, with one subnet and no foreign pool"
	fi
	if ! server_is_dead "$pidfile"; then
		kill -TERM "$(pidfile_pid "$pidfile")"
		kill -CONT "$(pidfile_pid "$pidfile")"
		wait_until 5 server_is_dead "$pidfile" || server_kill "$lab" "$host"
	fi
	[[ -n $pool ]] && server_configure "$lab" "$host" "$pool" "$(range_minus "${opt[pool]}" "$pool")"
	server_start "$lab" "$host"
}

# What of range $1 is not in range $2, as FIRST-LAST lines.
range_minus() {
	local first last cut_first cut_last
	first=$(ip_to_int "${1%-*}")
	last=$(ip_to_int "${1#*-}")
	cut_first=$(ip_to_int "${2%-*}")
	cut_last=$(ip_to_int "${2#*-}")
	print_range "$first" $((cut_first - 1 < last ? cut_first - 1 : last))
	print_range $((cut_last + 1 > first ? cut_last + 1 : first)) "$last"
}

print_range() {
	(($1 <= $2)) || return 0
	printf '%s-%s\n' "$(int_to_ip "$1")" "$(int_to_ip "$2")"
}
