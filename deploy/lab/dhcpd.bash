# SPDX-License-Identifier: MIT
# ISC dhcpd for the lab: its configuration and when it is ready.
# shellcheck shell=bash

# dhcpd_conf DIR HOST POOL DENIED: what `leaseherd setup` says, and what is for tests only. DENIED: ranges (FIRST-LAST, one
# a line) that the server knows and gives to nobody. dhcpd keeps silent about an address in none of its ranges, and refuses
# (DHCPNAK) one it knows but may not give: that is how a server comes to refuse every renewal.
dhcpd_conf() {
	local denied=$4
	# Which of two pools with free addresses dhcpd takes is its own affair: `only` leaves it no choice.
	[[ ${opt[foreign_pool]} != only ]] || denied=$3
	printf 'ping-check false;\nlog-facility local7;\n'
	[[ ${opt[dont_use_fsync]} == no ]] || printf 'dont-use-fsync true;\n'
	# For networks that --extra brings along: the generator says these in each of its own.
	printf 'authoritative;\ndefault-lease-time %d;\nmin-lease-time %d;\nmax-lease-time %d;\n' \
		"${opt[lease]}" "${opt[lease]}" "${opt[lease]}"
	[[ -z ${opt[extra]} ]] || printf '%s\n' "${opt[extra]}" # the last word: of two equal statements the later counts
	lab_setup "$1" isc-dhcpd "$2" "$3" | dhcpd_networks "$denied" | dhcpd_pools
}

# dhcpd_networks DENIED: the generator's text, on stdin, with denied ranges and the foreign network, and for each relay its
# whole network in place of its address: where tests want, the router relays.
dhcpd_networks() {
	local line range
	while IFS= read -r line; do
		if [[ $line =~ ^('  subnet '.*)'.3 netmask 255.255.255.255 {} # relay' ]]; then
			line="${BASH_REMATCH[1]}.0 netmask 255.255.255.0 {}"
		fi
		if [[ $line == '    pool '* && ${opt[foreign_pool]} == only ]]; then continue; fi
		if [[ $line == '  }' ]]; then # the end of a subnet
			for range in $1; do printf '    pool { deny all clients; range %s; }\n' "${range/-/ }"; done
			if [[ ${opt[foreign_pool]} != no ]]; then
				printf '  }\n  subnet %s netmask 255.255.0.0 {\n    option routers 10.20.255.254;\n' "$FOREIGN_SUBNET"
				printf '    pool { default-lease-time %d; range %s; }\n' "${opt[lease]}" "${FOREIGN_POOL/-/ }"
			fi
		fi
		printf '%s\n' "$line"
	done
}

# The pools on stdin as --pool-extra and --pool-chunk want them.
dhcpd_pools() {
	local line head='' first last pool='^ +(pool \{.* default-lease-time [0-9]+;) range ([0-9.]+) ([0-9.]+);'
	while IFS= read -r line; do
		if [[ $line =~ $pool ]]; then
			[[ -n $head ]] || first=${BASH_REMATCH[2]}
			head=${BASH_REMATCH[1]} last=${BASH_REMATCH[3]}
			[[ -z ${opt[pool_chunk]} ]] || continue # it is joined with the next
		fi
		[[ -z $head ]] || dhcpd_chunks "$head${opt[pool_extra]:+ ${opt[pool_extra]}}" "$first" "$last"
		head=''
		[[ $line =~ $pool ]] || printf '%s\n' "$line"
	done
}

dhcpd_chunks() { # STATEMENTS FIRST LAST
	local first last next
	first=$(ip_to_int "$2")
	last=$(ip_to_int "$3")
	while ((first <= last)); do
		next=$((first + ${opt[pool_chunk]:-65536}))
		printf '    %s range %s %s; }\n' "$1" "$(int_to_ip "$first")" "$(int_to_ip $((next <= last ? next - 1 : last)))"
		first=$next
	done
}

# A new pair spends three seconds of its first six on finding out that neither has ever met the other. Told that they had
# parted in good order, they begin where that would have led; what they then share out is the same.
dhcpd_first_leases() {
	[[ ${opt[failover]} == yes ]] || return 0
	cat <<'LEASES'
authoring-byte-order little-endian;
failover peer "leaseherd" state {
  my state normal at 0 2024/01/07 00:00:00;
  partner state normal at 0 2024/01/07 00:00:00;
}
LEASES
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
