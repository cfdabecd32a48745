# SPDX-License-Identifier: MIT
# For cases of `leaseherd testbed`: what a host is like, before and after. Sourced after tests/support/fleet.bash.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # of tests/support/fleet.bash, and for the cases

for need in iptables-save tc conntrack dash shellcheck python3 ssh ssh-keygen busybox sudo; do
	command -v "$need" >/dev/null || {
		echo "$0: $need is missing: run deploy/install-deps test" >&2
		exit 1
	}
done

longest=0 # of the checks, in hundredths of a second

on() { "$lab" exec "$name/$1" "${@:2}"; }

# Everything of a host that could be changed; counters and what lives by itself left out.
record() { # HOST
	on "$1" bash -c '
		nft list ruleset; iptables-save | grep -v "^#"
		ip rule; ip route show table all; ip -d link 2>/dev/null; ip addr 2>/dev/null
		for dev in $(ip -o link 2>/dev/null | sed -E "s/^[0-9]+: ([^:@]+).*/\1/"); do tc qdisc show dev $dev; tc filter show dev $dev egress 2>/dev/null; done
		sysctl -a 2>/dev/null | grep "^net\." | grep -v "nf_conntrack_count"
		conntrack -L -p udp --any-nat 2>/dev/null
		true' | sed -E 's/(packets|bytes) [0-9]+/\1 N/g; s/\[[0-9]+:[0-9]+\]/[N]/g'
}

record_all() { # INTO
	local host
	mkdir -p "$work/$1"
	for host in rtr s1 s2 a1 a2; do record "$host" >"$work/$1/$host"; done
}

leaves_no_trace() { # TEXT
	record_all after
	check "$1" diff -r "$work/before" "$work/after"
}

# Rules, queues and routes that are not ours, with our protocol number and on our devices, in neighbouring tables.
foreign_things() {
	local host
	for host in s1 s2 a1 a2 rtr; do
		on "$host" bash -ec '
			dev=$(ip -o link 2>/dev/null | sed -En "s/^[0-9]+: ([^:@]+)@.*/\1/p" | head -n 1)
			nft -f - <<RULES
			table inet foreign { chain in { type filter hook input priority 0; ip saddr 203.0.113.9 udp dport 67 counter drop; }; }
			table ip nat { chain OUTPUT { type nat hook output priority -100; ip daddr 203.0.113.9 dnat to 203.0.113.8; }; }
			table ip raw { chain PREROUTING { type filter hook prerouting priority -300; ip saddr 203.0.113.9 notrack; }; }
			table netdev foreign { chain out { type filter hook egress device $dev priority 1; ip daddr 203.0.113.9 counter; }; }
RULES
			tc qdisc add dev $dev clsact
			ip rule add from 203.0.113.9 lookup 77
			ip route add local 203.0.113.7 dev lo proto 67
			ip route add blackhole 203.0.113.128/25 proto 67'
	done
}

# bed FILE KIND VERB [FLAGS]: on every host of the lab it concerns; what it said is in $said, its exit code in $code
bed() {
	local file=$1 time
	shift
	code=0
	said=$("$lab" testbed "$name" "$1" "$2" --rules "$file" "${@:3}" 2>&1) || code=$?
	for time in $(sed -En 's/.*, in ([0-9]+)\.([0-9]+) s$/\1\2/p' <<<"$said"); do
		((10#$time <= longest)) || longest=$((10#$time))
	done
}

bed_says() { # TEXT CODE PATTERN
	if [[ $code == "$2" ]] && grep -qE -- "$3" <<<"$said"; then pass "$1"; else fail "$1: exit $code, wanted $2 and '$3': $said"; fi
}
