# SPDX-License-Identifier: MIT
# One function per fault. It is called as a hook with one of
#   fits   is true for the $servers and the $path in which the fault shows as itself
#   range  prints the least and the most of `amount` that make it what it is; nothing where there is no amount
#   plan   changes the set-up (lab, scenario, load), and says what must be found, on whose side
#   up     the lab stands, with the path in place; nothing runs yet
#   peak   the clients begin to acquire          keep   they hold what they have
#   proof  the run is over: checks, by counters that are not Leaseherd's, that the fault was really there
# Source support/set_up.bash first. What `amount` counts is said at each fault that has it.
# shellcheck shell=bash

# What must find nothing, though it looks like one of the others from near; nothing at all stands for half of it.
readonly HARMLESS=' none none none none none none slow_fsync_shared option82_kept first_leases_short pool_tight stall_short tracked_beside '

servers_are() { local one; for one in "$@"; do [[ $servers == "$one" ]] && return; done; return 1; }
path_is() { local one; for one in "$@"; do [[ $path == "$one" ]] && return; done; return 1; }

# proved TEXT GOT OP WANT
proved() { expect "$set_up: happened: $1" "${@:2}"; }

count_packets_of() { # HOST TABLE HOOK FILTER: by nft, as counter `seen`
	at "$1" nft -f - <<-NFT
		table ip $2 {
			counter seen { }
			chain watch {
				type filter hook $3 priority 0;
				$4 counter name seen
			}
		}
	NFT
}

# ---- nothing is wrong ----

fault_none() {
	case $1 in
	fits) ! path_is dnat ;;
	proof)
		proved 'every client renewed' "$(report .leases.renewed)" '>=' "$clients"
		proved 'the run passed' "$code" == 0
		;;
	esac
}

# A disk as slow as in fault_slow_fsync, and what makes up for it: ACKs share an fsync.
fault_slow_fsync_shared() {
	case $1 in
	fits) servers_are isc && ! path_is dnat ;;
	range) echo 12 40 ;;
	plan)
		fault_slow_fsync plan
		expected=()
		lab_options+=(--extra 'delayed-ack 28; max-ack-delay 250000;')
		;;
	proof) proved 'fsync() takes its time' "$(at s1 grep -zc "LEASEHERD_SYNC_MS=$amount" "/proc/$(server_pid s1)/environ")" == 1 ;;
	esac
}

# As fault_option82_forgotten, but the server keeps in mind what a renewal cannot say.
fault_option82_kept() {
	case $1 in
	fits) servers_are isc && ! path_is dnat ;;
	plan)
		relay_extra=', option82: {circuit_id: "port 7"}'
		lab_options+=(--extra "$OPTION82_CLASS" --pool-extra 'allow members of "lab";')
		expected_codes=0
		;;
	proof) proved 'the server has a class for the circuit' "$(grep -c 'allow members of "lab"' "$(server_file s1 conf)")" '>=' 1 ;;
	esac
}

# A pair that is well begins with the MCLT, too.
fault_first_leases_short() {
	case $1 in
	fits) servers_are isc-pair && ! path_is dnat ;;
	plan) lease=20 hold=30 expect_extra=', mclt: 10s' lab_options+=(--mclt 10) ;;
	proof) proved 'first leases were short' "$(report '[.lease_times[] | select(.lease_s == 10) | .acks] | add // 0')" '>=' $((clients / 2)) ;;
	esac
}

# Room for everybody, and for hardly anybody else.
fault_pool_tight() {
	case $1 in
	fits) servers_are isc kea && ! path_is dnat ;;
	plan) pool=10.10.0.1-$(int_to_ip $((0x0a0a0000 + clients + 4))) ;;
	proof) proved 'everybody has an address' "$(report .leases.acquired)" == "$clients" ;;
	esac
}

int_to_ip() { printf '%d.%d.%d.%d' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)); }

# A server that looks elsewhere so shortly that its sockets keep what comes.
fault_stall_short() {
	case $1 in
	fits) servers_are isc kea && ! path_is dnat ;;
	plan) expected_codes=0 ;;
	peak)
		sleep 2
		"$lab" server "$name" s1 stop
		sleep 0.3
		"$lab" server "$name" s1 cont
		;;
	proof) proved 'its sockets dropped nothing' "$(snmp_of s1 Udp RcvbufErrors)" == 0 ;;
	esac
}

# Connection tracking on the server, and no NAT.
fault_tracked_beside() {
	case $1 in
	fits) servers_are isc kea && path_is egress routed ;;
	up) at_servers iptables -A OUTPUT -m conntrack --ctstate NEW,ESTABLISHED,RELATED -j ACCEPT ;;
	proof) proved 'connections were tracked' "$(at s1 conntrack -C)" '>=' 10 ;;
	esac
}

# ---- the test bed ----

# DNAT as in 2012, few enough clients: port 67 is taken away, and nobody is lost yet.
fault_nat_ports() {
	case $1 in
	fits) path_is dnat && ! servers_are kea-raw ;;
	plan) clients=200 expected=(nat-rewrites-source-port:bed) ;;
	proof)
		nat_has_rewritten 100
		proved 'no reply was refused' "$(nat_refused)" == 0
		;;
	esac
}

# The same with more clients than there are ports, within one timeout of connection tracking.
fault_nat_exhausted() {
	case $1 in
	fits) path_is dnat && ! servers_are kea-raw ;;
	plan)
		clients=800 start='rate: 150/s' expected=(nat-source-port-exhaustion:bed)
		if is_pair; then clients=1500 start='rate: 300/s'; fi
		;;
	proof)
		nat_has_rewritten 500
		proved 'replies were refused' "$(nat_refused)" '>=' 50
		;;
	esac
}

nat_has_rewritten() { # AT LEAST: entries that stand for port 67 by another one
	local host low=0
	for host in $(server_hosts); do
		low=$((low + $(at "$host" conntrack -L 2>/dev/null | grep -cE 'sport=67 dport=68 .*dport=[0-9]{1,3} ' || true)))
	done
	proved 'conntrack gave other ports' "$low" '>=' "$1"
}

nat_refused() {
	local host sum=0
	for host in $(server_hosts); do sum=$((sum + $(conntrack_of "$host" insert_failed))); done
	echo "$sum"
}

# The path of the replies goes away while clients hold leases, or was never there for this server.
fault_path_gone() {
	case $1 in
	fits) path_is egress routed ;;
	plan) expected=(no-return-path:bed) ;;
	keep)
		if [[ $path == routed ]]; then
			at rtr ip route flush root 10.10.0.0/16
		else
			LEASEHERD_BIN=$bin "$lab" testbed "$name" egress undo --rules "$work/$fault.yaml" >/dev/null
		fi
		;;
	proof)
		proved 'no renewal came back' "$(report .leases.renewed)" == 0
		proved 'rebinding did' "$(report .leases.rebound)" '>=' $((clients / 2))
		;;
	esac
}

# As the author of 2012 went on: NOTRACK for replies, too, and with it the DNAT is gone.
fault_nat_bypassed() {
	case $1 in
	fits) path_is dnat && ! servers_are kea-raw ;;
	plan) expected=(nat-rewrites-source-port:bed no-return-path:bed) ;;
	keep) LEASEHERD_BIN=$bin "$lab" testbed "$name" dnat apply --rules "$work/$fault.yaml" --notrack both >/dev/null ;;
	proof)
		proved 'no renewal came back' "$(report .leases.renewed)" == 0
		proved 'no reply was refused' "$(nat_refused)" == 0
		proved 'replies were sent all the same' "$(in_log s1 'DHCPACK\|DHCP4_LEASE_A')" '>=' $((clients / 2))
		;;
	esac
}

# A server that writes to raw sockets is not seen by DNAT.
fault_nat_unseen() {
	case $1 in
	fits) path_is dnat && servers_are kea-raw ;;
	plan) expected=(no-return-path:bed) expected_codes=5 ;;
	proof) proved 'no reply was refused' "$(nat_refused)" == 0 ;;
	esac
}

# The agent owns the clients' addresses, and answers the pings of a server that asks before it offers.
fault_pings_answered() {
	case $1 in
	fits) servers_are isc isc-pair && path_is routed ;;
	plan)
		lab_options+=(--extra 'ping-check true;')
		expected=(agent-answers-pings:bed) expected_codes=5
		;;
	up) at a1 nft delete table ip leaseherd_echo ;;
	proof) proved 'addresses were abandoned' "$(in_log s1 'Abandoning IP address')" '>=' 1 ;;
	esac
}

# The relay's subnet in the scenario is not the one the server has for its giaddr.
fault_wrong_subnet() {
	case $1 in
	fits) ! path_is dnat ;;
	plan) subnet=10.10.32.0/19 expected=(wrong-subnet:server) expected_codes='1 5' ;;
	proof) proved 'addresses come from elsewhere' "$(grep -cE '^(lease )?10\.10\.(0|1)\.' "$(server_file s1 leases)")" '>=' 1 ;;
	esac
}

# ---- the way between ----

# nft on the router: `amount` per cent of the packets of one direction are lost while leases are held.
lose_on_the_way() { # FILTER
	at rtr nft -f - <<-NFT
		table ip lost {
			counter lost { }
			chain forward {
				type filter hook forward priority 0;
				$1 numgen random mod 100 < $amount counter name lost drop
			}
		}
	NFT
}

fault_requests_lost() {
	case $1 in
	fits) servers_are isc isc-pair && ! path_is dnat ;;
	range) echo 20 45 ;;
	plan) strength 25 && hold=34 expected=(requests-lost:bed) ;;
	keep) lose_on_the_way 'ip daddr 192.168.0.0/16 udp dport 67' ;;
	proof) proved 'requests were dropped' "$(counted rtr ip lost lost)" '>=' $((clients * amount / 200)) ;;
	esac
}

fault_replies_lost() {
	case $1 in
	fits) servers_are isc isc-pair && ! path_is dnat ;;
	range) echo 20 45 ;;
	plan) strength 25 && hold=34 expected=(replies-lost:bed) ;;
	keep) lose_on_the_way 'ip saddr 192.168.0.0/16 udp sport 67' ;;
	proof) proved 'replies were dropped' "$(counted rtr ip lost lost)" '>=' $((clients * amount / 200)) ;;
	esac
}

# Where a server has no lease cache that betrays what it committed, nobody outside can tell the direction.
fault_loss_unknown() {
	case $1 in
	fits) servers_are kea kea-pair && ! path_is dnat ;;
	range) echo 20 45 ;;
	plan) strength 25 && hold=34 expected=(unknown-loss:unknown) ;;
	keep) lose_on_the_way 'udp sport 67 ip saddr 192.168.0.0/16' ;;
	proof) proved 'replies were dropped' "$(counted rtr ip lost lost)" '>=' $((clients * amount / 200)) ;;
	esac
}


# ---- rules on the server's host ----

refuse_replies() { # RULE: on every server, in the hook its own packets pass
	local host
	for host in $(server_hosts); do
		at "$host" nft -f - <<-NFT
			table ip refused {
				counter refused { }
				chain output {
					type filter hook output priority 0;
					$1 counter name refused drop
				}
			}
		NFT
	done
}

refused_in_all() {
	local host sum=0
	for host in $(server_hosts); do sum=$((sum + $(counted "$host" ip refused refused))); done
	echo "$sum"
}

# `amount`: replies a second that each server may send; half of what renewals need.
fault_replies_limited() {
	case $1 in
	fits) servers_are isc isc-pair kea && path_is egress routed relayed ;;
	range) echo 20 35 ;;
	plan)
		strength 30
		clients=400 start='rate: 100/s' hold=34
		expected=(rate-limited-replies:bed)
		;;
	keep) refuse_replies "udp sport 67 limit rate over $amount/second burst 5 packets" ;;
	proof) proved 'replies were refused' "$(refused_in_all)" '>=' 50 ;;
	esac
}

# `amount` per cent of the replies, whichever.
fault_replies_dropped() {
	case $1 in
	fits) servers_are isc isc-pair kea && ! path_is dnat ;;
	range) echo 20 45 ;;
	plan)
		strength 25
		hold=34
		if [[ $observer == yes ]]; then
			expected=(firewall-drops-replies:bed)
		elif is_isc; then
			expected=(replies-lost:bed)
		else
			expected=(unknown-loss:unknown)
		fi
		;;
	keep) refuse_replies "udp sport 67 numgen random mod 100 < $amount" ;;
	proof) proved 'replies were refused' "$(refused_in_all)" '>=' $((clients * amount / 200)) ;;
	esac
}

# A quarter of the addresses never gets a unicast ACK, the others always do.
fault_addresses_dropped() {
	case $1 in
	fits) servers_are isc isc-pair kea && path_is egress routed ;;
	plan)
		hold=34
		if [[ $observer == yes ]]; then
			expected=(firewall-drops-replies:bed)
		else
			expected=(address-correlated-loss:bed)
		fi
		;;
	keep) refuse_replies 'ip daddr & 0.0.0.3 == 0.0.0.1 udp sport 67 udp dport 68' ;;
	proof) proved 'replies were refused' "$(refused_in_all)" '>=' $((clients / 4)) ;;
	esac
}

# ---- the server ----

server_pid() {
	local pid
	read -r pid _ <"$(server_file "$1" dir)/pid"
	echo "$pid"
}

# A fsync() of `amount` ms per lease, by a shim: what clients see of a disk without write cache.
fault_slow_fsync() {
	case $1 in
	fits) servers_are isc && ! path_is dnat ;;
	range) echo 12 40 ;;
	plan)
		strength 20
		expected=(fsync-bound:server)
		cat >"$work/slow" <<-SH
			#!/bin/sh
			shift
			LEASEHERD_SYNC_MS=$amount LD_PRELOAD=$bin/leaseherd-slowsync.so exec "\$@"
		SH
		chmod 0755 "$work/slow"
		lab_options+=(--wrap "$work/slow")
		;;
	proof) # under load OFFERs wait as long, for the fsync() of others
		proved 'the shim is in the server' "$(grep -c leaseherd-slowsync.so "/proc/$(server_pid s1)/maps")" '>=' 1
		proved 'an ACK took an fsync() at the least, us' "$(report '.latency_from_send_us.request_ack.p50')" '>=' $((amount * 950))
		;;
	esac
}

# A file system on a loop device of which a cgroup may write so many blocks a second that an fsync() takes `amount` ms.
fault_slow_disk() {
	case $1 in
	fits) servers_are isc && ! path_is dnat ;;
	range) echo 15 40 ;;
	plan)
		strength 20
		clients=120 start='rate: 30/s' expected=(fsync-bound:server)
		slow_disk_make $((1000 / amount))
		lab_options+=(--disk "$slow_disk/mount" --wrap "$slow_disk/start")
		;;
	proof)
		proved 'the process is under the throttle' "$(grep -c "/leaseherd-$name\$" "/proc/$(server_pid s1)/cgroup")" == 1
		[[ $observer == no ]] || sampled_and_measured
		;;
	esac
}

# The observer's looks at the system call, against the time that its kernel program has measured, in parts of 100.
sampled_and_measured() {
	local sampled measured
	sampled=$(report '.observers[0].metrics | map({(.name): .difference}) | add | 100 * .wait_fsync / .wait_samples')
	measured=$(report '.observers[0] | (.metrics[] | select(.name == "bpf_fsync_time") | .difference) / (.last_s - .first_s) / 1e4')
	proved "in fsync, sampled $sampled, measured $measured: tenths of a point apart" \
		"$(jq -n "$sampled - $measured | fabs * 10 | round")" '<=' 50
	proved 'much of the time' "$(jq -n "$measured | round")" '>=' 20
}

slow_disk=''
slow_disk_make() { # WRITES A SECOND
	slow_disk=$work/disk
	mkdir "$slow_disk" "$slow_disk/mount"
	truncate -s 64M "$slow_disk/image"
	# Without a journal: its thread would write outside the cgroup.
	mkfs.ext4 -q -O ^has_journal "$slow_disk/image"
	mount -o loop "$slow_disk/image" "$slow_disk/mount"
	throttle blkio "$(lsblk -dno MAJ:MIN "$(findmnt -no SOURCE "$slow_disk/mount")" | tr -d ' ')" "$1"
	printf '#!/bin/sh\nshift\necho $$ >%s/cgroup.procs\nexec "$@"\n' "$(throttle_of blkio)" >"$slow_disk/start"
	chmod 0755 "$slow_disk/start"
}

slow_disk_remove() {
	[[ -n $slow_disk ]] || return 0
	"$lab" down "$name"
	umount "$slow_disk/mount" 2>/dev/null || true
	slow_disk=''
}

# Cgroups, of the first hierarchy (blkio, cpu) or of the second.
throttle_of() { if [[ -d /sys/fs/cgroup/$1 ]]; then echo "/sys/fs/cgroup/$1/leaseherd-$name"; else echo "/sys/fs/cgroup/leaseherd-$name"; fi; }

throttle() { # blkio MAJOR:MINOR WRITES-A-SECOND, cpu PER-CENT, or weight
	local dir
	dir=$(throttle_of "${1/weight/cpu}")
	mkdir -p "$dir"
	case $1 in
	blkio) if [[ -e $dir/io.max ]]; then echo "$2 wiops=$3" >"$dir/io.max"; else echo "$2 $3" >"$dir/blkio.throttle.write_iops_device"; fi ;;
	weight) if [[ -e $dir/cpu.weight ]]; then echo 1 >"$dir/cpu.weight"; else echo 20 >"$dir/cpu.shares"; fi ;;
	# The long period makes long pauses, which is what a neighbour does.
	cpu) if [[ -e $dir/cpu.max ]]; then echo "$(($2 * 5000)) 500000" >"$dir/cpu.max"; else
		echo 500000 >"$dir/cpu.cfs_period_us"
		echo $(($2 * 5000)) >"$dir/cpu.cfs_quota_us"
	fi ;;
	esac
}

throttles_end() {
	local dir pid
	for dir in "$(throttle_of blkio)" "$(throttle_of cpu)"; do
		[[ -d $dir ]] || continue
		while read -r pid; do echo "$pid" >"${dir%/*}/cgroup.procs" 2>/dev/null || true; done <"$dir/cgroup.procs"
		rmdir "$dir" || true
	done
}

fault_ping_check() {
	case $1 in
	fits) servers_are isc isc-pair && ! path_is dnat ;;
	plan)
		lab_options+=(--extra 'ping-check true;')
		expected=(ping-before-offer:server)
		;;
	up)
		local host
		for host in $(server_hosts); do
			count_packets_of "$host" pings output 'icmp type echo-request'
		done
		;;
	proof) proved 'the server pinged' "$(counted s1 ip pings seen)" '>=' $((clients / 3)) ;;
	esac
}

# More DISCOVERs than its sockets hold while the server looks elsewhere for `amount` tenths of a second.
fault_receive_overflow() {
	case $1 in
	fits) servers_are isc && ! path_is dnat ;;
	range) echo 15 30 ;;
	plan) strength 20 && clients=2400 start='rate: 300/s' expected=(server-receive-overflow:server) ;;
	peak)
		sleep 6 # behind the first burst, which is a case of its own
		"$lab" server "$name" s1 stop
		sleep "$((amount / 10)).$((amount % 10))"
		"$lab" server "$name" s1 cont
		;;
	proof) proved 'its sockets dropped' "$(snmp_of s1 Udp RcvbufErrors)" '>=' 50 ;;
	esac
}

fault_pool_exhausted() {
	case $1 in
	fits) servers_are isc kea && ! path_is dnat ;;
	plan) pool=10.10.0.1-$(int_to_ip $((0x0a0a0000 + clients * 2 / 3))) expected=(pool-exhausted:server) expected_codes=1 ;;
	proof) proved 'it said so' "$(in_log s1 'no free leases\|ALLOC_ENGINE_V4_ALLOC_FAIL')" '>=' 10 ;;
	esac
}

# A whole /16 in one pool statement: dhcpd walks it.
fault_pool_too_large() {
	case $1 in
	fits) servers_are isc && ! path_is dnat && [[ $observer == yes ]] ;;
	plan)
		pool=10.10.0.1-10.10.255.253 lab_options+=(--pool-chunk 65536)
		clients=6000 start='batch: 300' lease=60 hold=5 expected=(pool-too-large:server)
		;;
	proof) proved 'one pool has it all' "$(grep -c 'range 10.10.0.1 10.10.255.253' "$(server_file s1 conf)")" == 1 ;;
	esac
}

# The host prefers another of its addresses for what it sends, so replies come from there.
fault_other_address() {
	case $1 in
	fits) servers_are isc && ! path_is dnat ;;
	plan) expected=(reply-from-wrong-address:server) ;;
	up)
		at s1 ip address add 192.168.1.99/24 dev eth0
		at s1 ip route replace default via 192.168.1.1 src 192.168.1.99
		count_packets_of rtr other forward 'ip saddr 192.168.1.99 udp sport 67'
		;;
	proof) proved 'replies came from it' "$(counted rtr ip other seen)" '>=' 3 ;;
	esac
}

# Two servers with one pool that know nothing of each other, and a relay in front of each.
fault_unpaired() {
	case $1 in
	fits) servers_are isc kea && path_is egress relayed ;;
	plan)
		lab_options+=(--unpaired) agents=2 relays=2 relay_extra=', to: [a]'
		more_relays="    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.0.0/16, clients: $clients, to: [b]}"$'\n'
		expected=(duplicate-addresses:server) expected_codes=1
		;;
	proof)
		proved 'both gave the same address' "$(comm -12 <(leased_by s1) <(leased_by s2) | wc -l)" '>=' 10
		;;
	esac
}

leased_by() { grep -oE '^(lease )?10\.10\.[0-9.]+' "$(server_file "$1" leases)" | sed 's/lease //' | sort -u; }

# A T1 of no time at all. (dhcpd leaves out a T1 behind T2 and a T2 behind the end; Kea does not let itself be told either.)
fault_odd_timers() {
	case $1 in
	fits) servers_are isc isc-pair && ! path_is dnat ;;
	plan)
		expected=(timers-odd:server)
		lab_options+=(--extra 'option dhcp-renewal-time 0;')
		;;
	proof) proved 'T1 is nothing' "$(grep -c 'dhcp-renewal-time 0;' "$(server_file s1 conf)")" == 1 ;;
	esac
}

# Renewals at T1 are answered out of the cache: no commit, and the lease only runs on.
fault_cached_renewals() {
	case $1 in
	fits) servers_are isc isc-pair && ! path_is dnat ;;
	plan) lab_options+=(--extra 'dhcp-cache-threshold 90;') expected=(cached-renewals:server) ;;
	proof) proved 'the server says so' "$(in_log s1 'reuse_lease')" '>=' $((clients / 3)) ;;
	esac
}

readonly OPTION82_CLASS='class "lab" { match if option agent.circuit-id = "port 7"; }'
readonly PLAIN_NETWORK='shared-network plain { subnet 172.16.9.0 netmask 255.255.255.0 {} subnet 10.11.0.0 netmask 255.255.0.0 { range 10.11.0.1 10.11.3.254; } }'

# A pool for those behind one circuit, which a renewal cannot name, and a server that does not remember it. Behind another
# relay, which adds nothing, renewals go on.
fault_option82_forgotten() {
	case $1 in
	fits) servers_are isc && path_is egress ;;
	plan)
		relay_extra=', option82: {circuit_id: "port 7"}' agents=2 block=10.10.0.0/15
		more_relays="    - {name: r2, giaddr: 172.16.9.3, subnet: 10.11.0.0/16, clients: 60}"$'\n'
		lab_options+=(--extra "stash-agent-options false; $OPTION82_CLASS $PLAIN_NETWORK" --pool-extra 'allow members of "lab";')
		run_flags=(--no-preflight all) # which cannot tell it from a path that is missing
		expected=(renew-lost-option82:server)
		;;
	proof)
		proved 'the server forgets' "$(grep -c 'stash-agent-options false' "$(server_file s1 conf)")" == 1
		proved 'behind r1 nobody renews' "$(in_log s1 'DHCPACK on 10.10.* via 10.10\|DHCPACK on 10.10.* via eth0')" == 0
		;;
	esac
}

# Nothing to do with the servers' answers: their processor is somebody else's. One core, on
# which others count a hundred times as much.
fault_cpu_starved() {
	case $1 in
	fits) servers_are isc kea && ! path_is dnat && [[ $observer == yes ]] ;;
	plan) clients=400 start='rate: 100/s' expected=(cpu-starved:server) ;;
	keep) # later than the canaries, which would stop the run
		taskset -apc 0 "$(server_pid s1)" >/dev/null
		throttle weight
		echo "$(server_pid s1)" >"$(throttle_of cpu)/cgroup.procs"
		for _ in 1 2; do
			taskset -c 0 sh -c 'while :; do :; done' &
			hog_pid+=($!)
		done
		;;
	proof)
		proved 'hogs ran' "${#hog_pid[@]}" == 2
		hogs_end
		;;
	esac
}
hog_pid=()
hogs_end() {
	local pid
	for pid in "${hog_pid[@]}"; do
		still_ours "$pid" || continue
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	hog_pid=()
}

# ---- pairs ----

# One server of two is gone, and the other does not take over: a dhcpd that stands still, whose partner waits; a Kea that
# has died, whose partner was told to wait for more clients than there are.
fault_half_silent() {
	case $1 in
	fits) servers_are isc-pair kea-pair && ! path_is dnat ;;
	plan)
		expected=(failover-half-silent:server) clients_extra='' # a RENEW is not repeated, as RFC 2131 has it
		is_isc || lab_options+=(--max-unacked 100000)
		;;
	keep)
		sleep 2
		"$lab" server "$name" s2 "$(if is_isc; then echo stop; else echo kill; fi)"
		;;
	proof)
		proved 'one does not run' "$(awk '{ sub(/.*\) /, ""); print $1 }' "/proc/$(server_pid s2)/stat" 2>/dev/null || echo gone)" != S
		! is_isc || "$lab" server "$name" s2 cont
		;;
	esac
}

# The same with leases so short that they run out before the partner can notice, as `check` says beforehand.
fault_lease_too_short() {
	case $1 in
	fits) servers_are kea-pair && ! path_is dnat ;;
	plan)
		fault_half_silent plan
		lease=12 hold=24 expect_extra=', detection: 20s'
		expected=(lease-shorter-than-detection:server)
		;;
	keep) fault_half_silent keep ;;
	proof)
		proved 'leases ran out' "$(report .leases.expired)" '>=' 10
		fault_half_silent proof
		;;
	esac
}

# A partner has died, and this one may promise no more than the MCLT.
fault_mclt_storm() {
	case $1 in
	fits) servers_are isc-pair && ! path_is dnat ;;
	plan)
		clients_extra='' lease=24 hold=60 clients=200 expect_extra=', mclt: 5s' lab_options+=(--mclt 5)
		expected=(mclt-storm:server failover-half-silent:server)
		;;
	keep)
		sleep 3
		"$lab" server "$name" s2 kill
		;;
	proof)
		proved 'the pair parted' "$(in_log s1 'communications-interrupted')" '>=' 1
		proved 'leases became short' "$(report '[.lease_times[] | select(.lease_s <= 7) | .acks] | add // 0')" '>=' 50
		;;
	esac
}

# One server is gone and had half of the free addresses: the other may not give them.
fault_peer_holds_free() {
	case $1 in
	fits) servers_are isc-pair && ! path_is dnat ;;
	plan)
		pool=10.10.0.1-10.10.1.44 clients=240
		# From outside one half of a pool looks like a pool.
		expected=("$(if [[ $observer == yes ]]; then echo peer-holds-all-free-leases; else echo pool-exhausted; fi):server")
		;;
	up) "$lab" server "$name" s2 kill ;;
	proof) proved 'it said so' "$(in_log s1 'peer holds all free leases')" '>=' 10 ;;
	esac
}

# A Kea comes back: its half of the clients is renewed by nobody until they rebind.
fault_half_handed_back() {
	case $1 in
	fits) servers_are kea-pair && ! path_is dnat ;;
	plan) clients_extra='' lease=30 hold=75 expected=(half-handed-back:server failover-half-silent:server) ;;
	keep)
		sleep 2
		"$lab" server "$name" s2 kill
		sleep 32
		"$lab" server "$name" s2 start
		;;
	proof)
		proved 'the survivor served alone' "$(in_log s1 'HA_STATE_TRANSITION.* to PARTNER-DOWN')" '>=' 1
		proved 'and shared again' "$(in_log s1 'HA_STATE_TRANSITION.* to LOAD-BALANCING')" '>=' 2
		;;
	esac
}

# ---- the tester ----

# The agent may use `amount` per cent of a core.
fault_tester_limited() {
	case $1 in
	fits) servers_are isc kea && ! path_is dnat ;;
	plan)
		strength 3
		clients=1500 start='rate: 300/s' expected=(send-lag:tester)
		allowed=(rate-missed:tester own-drops:tester tester-limited:tester)
		;;
	peak)
		throttle cpu "$amount"
		echo "${agent_pid[1]}" >"$(throttle_of cpu)/cgroup.procs"
		;;
	proof)
		proved 'the agent was throttled' "$(awk '$1 == "nr_throttled" { print $2 }' "$(throttle_of cpu)/cpu.stat")" '>=' 5
		;;
	esac
}

# What faults leave outside the lab.
faults_undo() {
	hogs_end
	slow_disk_remove
	throttles_end
}
