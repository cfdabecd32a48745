# SPDX-License-Identifier: MIT
# Kea for the lab: its configuration and when it is ready.
# shellcheck shell=bash

KEA_HOOKS=/usr/lib/$(uname -m)-linux-gnu/kea/hooks
readonly KEA_HOOKS

# kea_conf HOST POOL DENIED DIR: the configuration of one server. DENIED as for dhcpd: Kea too keeps silent about an
# address in none of its pools, and refuses one in a pool that is not for this client.
kea_conf() {
	local host=$1 pool=$2 denied=$3 dir=$4
	cat <<JSON
{"Dhcp4": {
  "interfaces-config": {"interfaces": ["eth0"], "dhcp-socket-type": "${opt[kea_socket]}"},
  "control-socket": {"socket-type": "unix", "socket-name": "$dir/control"},
  "lease-database": {"type": "memfile", "persist": true, "name": "$dir/leases", "lfc-interval": 0},
  "valid-lifetime": ${opt[lease]}, "renew-timer": ${opt[t1]}, "rebind-timer": ${opt[t2]},
  "authoritative": true,${opt[extra]:+ ${opt[extra]},}
  "client-classes": [{"name": "nobody", "test": "'one' == 'another'"}],
  "multi-threading": {"enable-multi-threading": true, "thread-pool-size": 2, "packet-queue-size": 1024},
$(if [[ ${opt[failover]} == yes ]]; then kea_ha "$host"; fi)
$(if [[ ${opt[foreign_pool]} == no ]]; then kea_subnets "$pool" "$denied"; else kea_shared_network "$pool"; fi),
  "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}]
}}
JSON
}

# The delays are short where Kea's defaults (10 s and 60 s) would make a test of a failing peer last minutes.
kea_ha() {
	local standby=secondary
	[[ ${opt[kea_mode]} == hot-standby ]] && standby=standby
	cat <<JSON
  "hooks-libraries": [
    {"library": "$KEA_HOOKS/libdhcp_lease_cmds.so"},
    {"library": "$KEA_HOOKS/libdhcp_ha.so", "parameters": {"high-availability": [{
      "this-server-name": "$1", "mode": "${opt[kea_mode]}",
      "heartbeat-delay": 1000, "max-response-delay": 5000, "max-ack-delay": 3000,
      "max-unacked-clients": ${opt[max_unacked]},
      "multi-threading": {"enable-multi-threading": true, "http-dedicated-listener": true},
      "peers": [
        {"name": "s1", "url": "http://$(host_address s1):8000/", "role": "primary"},
        {"name": "s2", "url": "http://$(host_address s2):8000/", "role": "$standby"}]}]}}],
JSON
}

kea_subnets() {
	local i third
	printf '  "subnet4": ['
	if [[ ${opt[subnets]} == own ]]; then
		for ((i = 1; i <= opt[relays]; i++)); do
			third=$((32 * (i - 1)))
			((i == 1)) || printf ','
			kea_subnet "$i" "10.10.$third.0/19" "$(giaddr "$i")" "10.10.$third.1-10.10.$((third + 31)).253"
		done
	else
		kea_subnet 1 "$BLOCK" "$(all_giaddrs)" "$1" "$2"
	fi
	printf ']'
}

# Kea takes the subnets of a shared network in the order of their ids, and the next one when one is used up.
kea_shared_network() {
	printf '  "shared-networks": [{"name": "lab", "subnet4": ['
	kea_subnet 1 "$BLOCK" "$(all_giaddrs)" "$([[ ${opt[foreign_pool]} == only ]] || printf '%s' "$1")"
	printf ','
	kea_subnet 2 "$FOREIGN_SUBNET/16" "$(all_giaddrs)" "$FOREIGN_POOL"
	printf ']}]'
}

# kea_subnet ID SUBNET GIADDRS POOL DENIED
kea_subnet() {
	local id=$1 subnet=$2 giaddrs=$3 pool=$4 denied=${5:-}
	printf '\n    {"id": %d, "subnet": "%s", "relay": {"ip-addresses": ["%s"]},\n     "pools": [%s]}' \
		"$id" "$subnet" "${giaddrs// /\", \"}" "$(kea_pools "$pool")$(kea_denied "$denied")"
}

# Two servers that both answer must not give the same address: each has its half, by the client class Kea's hook assigns.
kea_pools() {
	local first last middle
	[[ -n $1 ]] || return 0
	if [[ ${opt[failover]} == no || ${opt[kea_mode]} == hot-standby ]]; then
		printf '{"pool": "%s"}' "$1"
		return
	fi
	first=$(ip_to_int "${1%-*}")
	last=$(ip_to_int "${1#*-}")
	middle=$(((first + last) / 2))
	printf '{"pool": "%s-%s", "client-class": "HA_s1"}, {"pool": "%s-%s", "client-class": "HA_s2"}' \
		"${1%-*}" "$(int_to_ip $middle)" "$(int_to_ip $((middle + 1)))" "${1#*-}"
}

kea_denied() {
	local first last
	while read -r first last; do
		[[ -n $first ]] && printf ', {"pool": "%s-%s", "client-class": "nobody"}' "$first" "$last"
	done <<<"$1"
	return 0
}

all_giaddrs() {
	local i list=()
	for ((i = 1; i <= opt[relays]; i++)); do list+=("$(giaddr "$i")"); done
	printf '%s' "${list[*]}"
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
