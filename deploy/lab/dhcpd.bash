# SPDX-License-Identifier: MIT
# ISC dhcpd for the lab: its configuration and when it is ready.
# shellcheck shell=bash

# dhcpd_conf HOST POOL DENIED: the configuration of one server. DENIED: ranges ("FIRST LAST", one a line) that the server
# knows and gives to nobody. dhcpd keeps silent about an address in none of its ranges, and refuses (DHCPNAK) one it
# knows but may not give: that is how a server comes to refuse every renewal.
dhcpd_conf() {
	local host=$1 pool=$2 denied=$3 subnet
	subnet=$(host_address "$host")
	printf 'authoritative;\nping-check false;\nlog-facility local7;\n'
	[[ ${opt[leasequery]} == yes ]] && printf 'allow leasequery;\n'
	[[ ${opt[dont_use_fsync]} == yes ]] && printf 'dont-use-fsync true;\n'
	printf 'default-lease-time %d;\nmin-lease-time %d;\nmax-lease-time %d;\n' \
		"${opt[lease]}" "${opt[lease]}" "${opt[lease]}"
	[[ -z ${opt[extra]} ]] || printf '%s\n' "${opt[extra]}" # the last word: of two equal statements the later counts
	[[ ${opt[failover]} == yes ]] && dhcpd_failover "$host"
	printf 'subnet %s.0 netmask 255.255.255.0 {}\n' "${subnet%.*}"
	if [[ ${opt[subnets]} == own ]]; then
		dhcpd_own_networks
	else
		dhcpd_shared_network "$pool" "$denied"
	fi
}

dhcpd_failover() {
	local role mine peer
	case $1 in
	s1) role=primary peer=s2 ;;
	s2) role=secondary peer=s1 ;;
	esac
	mine=$(host_address "$1")
	peer=$(host_address "$peer")
	printf 'failover peer "lab" {\n  %s;\n  address %s; port 647;\n  peer address %s; peer port 647;\n' \
		"$role" "$mine" "$peer"
	printf '  max-response-delay 30;\n  max-unacked-updates 10;\n  load balance max seconds 3;\n'
	# The secondary is told these two by the primary and refuses to be configured with them.
	[[ $role == primary ]] && printf '  mclt %d;\n  split 128;\n' "${opt[mclt]}"
	printf '}\n'
}

# A new pair spends three seconds of its first six on finding out that neither has ever met the other. Told that they had
# parted in good order, they begin where that would have led; what they then share out is the same.
dhcpd_first_leases() {
	[[ ${opt[failover]} == yes ]] || return 0
	cat <<'LEASES'
authoring-byte-order little-endian;
failover peer "lab" state {
  my state normal at 0 2024/01/07 00:00:00;
  partner state normal at 0 2024/01/07 00:00:00;
}
LEASES
}

# A relay's address selects the network it is in: the subnet of each giaddr belongs to it, with nothing to give.
dhcpd_shared_network() {
	local pool=$1 denied=$2 i first last
	printf 'shared-network lab {\n'
	for ((i = 1; i <= opt[relays]; i++)); do dhcpd_giaddr_subnet "$i"; done
	printf '  subnet 10.10.0.0 netmask 255.255.0.0 {\n    option routers 10.10.255.254;\n'
	# Which of two pools with free addresses dhcpd takes is its own affair: `only` leaves it no choice.
	if [[ ${opt[foreign_pool]} == only ]]; then denied=${pool/-/ }; else dhcpd_pool "${pool/-/ }"; fi
	while read -r first last; do
		[[ -n $first ]] && printf '    pool { deny all clients; range %s %s; }\n' "$first" "$last"
	done <<<"$denied"
	printf '  }\n'
	[[ ${opt[foreign_pool]} == no ]] || dhcpd_foreign_subnet
	printf '}\n'
}

dhcpd_own_networks() {
	local i third
	for ((i = 1; i <= opt[relays]; i++)); do
		third=$((32 * (i - 1)))
		printf 'shared-network relay-%d {\n' "$i"
		dhcpd_giaddr_subnet "$i"
		printf '  subnet 10.10.%d.0 netmask 255.255.224.0 {\n    option routers 10.10.%d.254;\n' \
			"$third" $((third + 31))
		dhcpd_pool "10.10.$third.1 10.10.$((third + 31)).253"
		printf '  }\n}\n'
	done
}

dhcpd_giaddr_subnet() { printf '  subnet %s.0 netmask 255.255.255.0 {}\n' "$(tester_subnet "$1")"; }

dhcpd_foreign_subnet() {
	printf '  subnet %s netmask 255.255.0.0 {\n    option routers 10.20.255.254;\n' "$FOREIGN_SUBNET"
	dhcpd_pool "${FOREIGN_POOL/-/ }"
	printf '  }\n'
}

# dhcpd walks a pool's leases one by one for each it gives: 20,000 in one pool take twice the time that 20 pools of a
# thousand do. Pools of equal statements are merged into one, hence the lease time in each.
dhcpd_pool() { # "FIRST LAST"
	local first last next peer=''
	first=$(ip_number "${1% *}")
	last=$(ip_number "${1#* }")
	[[ ${opt[failover]} == yes ]] && peer=' failover peer "lab";'
	while ((first <= last)); do
		next=$((first + opt[pool_chunk] - 1 < last ? first + opt[pool_chunk] - 1 : last))
		printf '    pool {%s default-lease-time %d; %s range %s %s; }\n' "$peer" "${opt[lease]}" "${opt[pool_extra]}" \
			"$(ip_text "$first")" "$(ip_text "$next")"
		first=$((next + 1))
	done
}

# --no-pid: one that was killed would be found alive by its number, and the next one refuse to start.
dhcpd_command() {
	local dir=$1
	server_command=("$(unconfined dhcpd "$dir")" -4 -f -d -cf "$dir/conf" -lf "$dir/leases" --no-pid eth0)
}

dhcpd_serves() { grep -q 'Server starting service' <<<"$1"; }

# A pair is ready when it has shared out the free addresses. Each side says so once; then the updates that carry the
# secondary's half over are still on their way, and a test begun now would see them as load.
dhcpd_pair_ready() {
	local dir count
	dir=$(state_dir "$1")
	grep -q 'balanced pool' "$dir/s1/log" && grep -q 'balanced pool' "$dir/s2/log" || return 1
	count=$(grep -c 'binding state backup' "$dir/s2/leases") || return 1
	[[ $count == "${backup_count:-}" ]] && return 0
	backup_count=$count
	sleep 0.4
	return 1
}
