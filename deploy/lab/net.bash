# SPDX-License-Identifier: MIT
# The lab's wires: one network namespace per host, a veth to rtr from each, a time namespace per agent.
# shellcheck shell=bash

# Packets to the block must not find a way of their own, as in a network whose routers do not know it: rtr has routes
# to what it is connected to and no other.
net_up() {
	local lab=$1
	net_create "$lab"
	net_sysctls "$lab"
	net_address "$lab"
	time_up "$lab"
	wait_until 10 net_running "$lab" || die "the links of lab '$lab' do not come up"
}

net_create() {
	local lab=$1 host
	{
		for host in $(lab_hosts); do printf 'netns add %s\n' "$(netns_name "$lab" "$host")"; done
		for host in $(lab_hosts); do
			[[ $host == rtr ]] && continue
			printf 'link add name eth0 netns %s type veth peer name %s netns %s\n' \
				"$(netns_name "$lab" "$host")" "$host" "$(netns_name "$lab" rtr)"
		done
	} | ip -batch -
}

# IPv6 off: its neighbour discovery would be noise in captures. rp_filter off: answers come by ways they did not go.
net_sysctls() {
	local lab=$1 host
	for host in $(lab_hosts); do
		# shellcheck disable=SC2016 # the inner shell expands
		nsenter --net="$(netns_path "$lab" "$host")" -- bash -c '
			set -eu
			for scope in all default; do
				echo 0 >/proc/sys/net/ipv4/conf/$scope/rp_filter
				echo 0 >/proc/sys/net/ipv4/conf/$scope/send_redirects
				if [[ -e /proc/sys/net/ipv6 ]]; then echo 1 >/proc/sys/net/ipv6/conf/$scope/disable_ipv6; fi
			done
			echo "$1" >/proc/sys/net/ipv4/ip_forward' - "$([[ $host == rtr ]] && echo 1 || echo 0)"
	done
}

net_address() {
	local lab=$1 host address
	for host in $(lab_hosts); do
		[[ $host == rtr ]] && continue
		address=$(host_address "$host")
		{
			printf 'link set lo up\naddr add %s/24 dev eth0\n' "$address"
			if [[ $host == a* ]]; then extra_giaddrs "${host#a}" | sed 's|.*|addr add &/32 dev eth0|'; fi
			# A datagram of several segments would pass a veth whole, and dhcpd, which reads packets and
			# not a socket, would take it for one message. A real wire has no such thing either.
			printf 'link set eth0 gso_max_segs 1 up\nroute add default via %s.1\n' "${address%.*}"
		} | ip -n "$(netns_name "$lab" "$host")" -batch -
	done
	{
		printf 'link set lo up\n'
		for host in $(lab_hosts); do
			[[ $host == rtr ]] && continue
			address=$(host_address "$host")
			printf 'addr add %s.1/24 dev %s\nlink set %s up\n' "${address%.*}" "$host" "$host"
			if [[ $host == a* ]]; then extra_giaddrs "${host#a}" | sed "s|.*|route add &/32 via $address|"; fi
		done
	} | ip -n "$(netns_name "$lab" rtr)" -batch -
}

# The relay addresses agent $1 carries besides its own.
extra_giaddrs() {
	local i
	for ((i = $1 + opt[agents]; i <= opt[relays]; i += opt[agents])); do
		giaddr "$i"
		printf '\n'
	done
}

# An interface drops what it is given, and Kea refuses to use it, until the kernel has seen its carrier: up to a second.
net_running() {
	local lab=$1 host
	for host in $(lab_hosts); do
		[[ $(ip -n "$(netns_name "$lab" "$host")" -o link show) != *"state LOWERLAYERDOWN"* &&
			$(ip -n "$(netns_name "$lab" "$host")" -o link show) != *"state DOWN"* ]] || return 1
	done
}

# Each agent's CLOCK_MONOTONIC and CLOCK_BOOTTIME run from another start, as they do on hosts of their own.
monotonic_offset() { printf '%d' $((1000 + ($1 - 1) * 249000)); }
boottime_offset() { printf '%d' $(($(monotonic_offset "$1") + 17 * $1)); }

# The namespaces are kept by bind mounts, so that no process has to hold them.
time_up() {
	local lab=$1 i file
	mkdir "$(state_dir "$lab")/ns"
	for ((i = 1; i <= opt[agents]; i++)); do
		file=$(timens_path "$lab" "a$i")
		: >"$file"
		unshare --time="$file" --monotonic "$(monotonic_offset "$i")" --boottime "$(boottime_offset "$i")" true ||
			die "cannot make the time namespace of a$i (kernel with CONFIG_TIME_NS?)"
	done
}

# ---- taking it down: must succeed from whatever state ----

# The namespaces that belong to a lab; its name may be the beginning of another's.
lab_netns() {
	local entry host
	for entry in /run/netns/lh-"$1"-*; do
		host=${entry#/run/netns/lh-"$1"-}
		[[ $host =~ ^(op|rtr|s[12]|a[0-9]+)$ ]] && basename "$entry"
	done
	return 0
}

lab_pids() {
	local ns pid
	for ns in $(lab_netns "$1"); do
		for pid in $(ip netns pids "$ns" 2>/dev/null); do
			((pid == $$ || pid == BASHPID)) || printf '%d\n' "$pid"
		done
	done
}

lab_has_no_process() { [[ -z $(lab_pids "$1") ]]; }

end_processes() {
	local lab=$1
	local -a pids
	mapfile -t pids < <(lab_pids "$lab")
	((${#pids[@]})) || return 0
	kill -TERM "${pids[@]}" 2>/dev/null || true
	kill -CONT "${pids[@]}" 2>/dev/null || true
	wait_until 1 lab_has_no_process "$lab" && return 0
	mapfile -t pids < <(lab_pids "$lab")
	kill -KILL "${pids[@]}" 2>/dev/null || true
	wait_until 5 lab_has_no_process "$lab" || true
}

net_down() {
	local lab=$1 ns file
	end_processes "$lab"
	for ns in $(lab_netns "$lab"); do ip netns del "$ns" || true; done
	for file in "$(state_dir "$lab")"/ns/*.time; do
		[[ -e $file ]] || continue
		# More than once, should an interrupted `up` have mounted twice.
		while mountpoint -q "$file"; do umount "$file" || break; done
	done
}
