# SPDX-License-Identifier: MIT
# Kea for the lab: its configuration and when it is ready.
# shellcheck shell=bash

# kea_conf DIR HOST POOL DENIED: what `leaseherd setup` says, and what is for tests only. DENIED as for dhcpd: Kea too keeps
# silent about an address in none of its pools, and refuses one in a pool that is not for this client.
kea_conf() {
	lab_setup "$1" kea "$2" "$3" --mode "${opt[kea_mode]}" |
		jq --arg dir "$1" --arg denied "$4" --arg socket_type "${opt[kea_socket]}" --argjson max_unacked "${opt[max_unacked]}" \
			--argjson t1 "${opt[t1]}" --argjson t2 "${opt[t2]}" --argjson extra "{${opt[extra]}}" \
			--arg foreign "${opt[foreign_pool]}" --arg foreign_subnet "$FOREIGN_SUBNET/16" --arg foreign_pool "$FOREIGN_POOL" \
			-f "$here/kea.jq"
}

# Debian's Kea 2.2 puts lock and pid file where another instance has its own, unless told otherwise.
kea_command() {
	local dir=$1
	server_command=(env KEA_LOCKFILE_DIR="$dir" KEA_PIDFILE_DIR="$dir"
		"$(unconfined kea-dhcp4 "$dir")" -c "$dir/conf")
}

# A Kea that could not open its socket runs on, its heartbeats healthy, and serves nobody.
kea_serves() {
	! grep -q 'DHCPSRV_OPEN_SOCKET_FAIL\|DHCPSRV_NO_SOCKETS_OPEN' <<<"$1" && grep -q DHCP4_STARTED <<<"$1"
}

kea_pair_ready() {
	local dir state
	dir=$(state_dir "$1")
	state=${opt[kea_mode]^^}
	grep -q "HA_STATE_TRANSITION.* to $state state" "$dir/s1/log" &&
		grep -q "HA_STATE_TRANSITION.* to $state state" "$dir/s2/log"
}
