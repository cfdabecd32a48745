#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The observer beside real servers: what it tells is what the host's own tools say, what it cannot see it says, it may do
# nothing else, and a server that is killed and started anew does not bother it.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

readonly NOBODY=65534 SEES=0000000000081004 NONE=0000000000000000 # SYS_PTRACE, DAC_READ_SEARCH, NET_ADMIN
declare -A observer_pid=()

for need in conntrack nstat tc; do
	command -v "$need" >/dev/null || {
		echo "$0: $need is missing: run deploy/install-deps test" >&2
		exit 1
	}
done

at_exit() {
	local pid
	for pid in "${observer_pid[@]}"; do
		still_ours "$pid" && kill -KILL "$pid" 2>/dev/null
	done
}

# ---- observers, as a service user has them, under the system calls of their unit ----

# observer NAME HOST CAPS PROCESS: CAPS as setpriv takes them, or none
observer() {
	local name_of=$1 host=$2 caps=$3 process=$4 public dir=$work/$1
	if [[ ! -d $dir ]]; then
		mkdir -m 0700 "$dir"
		public=$("$bin/leaseherd-agent" keygen "$dir/key")
		"$bin/leaseherd" keys agent "$name_of" --role observer --public "$public" --keys "$work/keys" >/dev/null
		cp "$work/keys/coordinator.pub" "$dir/"
		chown -R "$NOBODY" "$dir"
	fi
	setsid "$lab" exec "$name/$host" setpriv --reuid "$NOBODY" --clear-groups --inh-caps="-all$caps" \
		--ambient-caps="-all$caps" --bounding-set="-all$caps" --no-new-privs "$work/leaseherd-under-filter" \
		"$work/leaseherd-agent" --role observer --process "$process" --coordinator 172.16.7.2 \
		--server-key "$dir/coordinator.pub" --key "$dir/key" <"$work/observer.calls" >>"$dir.log" 2>&1 &
	observer_pid[$name_of]=$!
}

stop_observers() {
	local one
	for one in "${!observer_pid[@]}"; do
		kill -TERM "${observer_pid[$one]}"
		code=0
		wait "${observer_pid[$one]}" || code=$?
		expect "$one: stops in order" "$code" == 0
		unset "observer_pid[$one]"
	done
}

status_of() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; } # PID KEY

rights_of() { # PID: permitted effective inheritable ambient bounding no_new_privs seccomp, of every thread alike
	local task key
	for task in /proc/"$1"/task/*; do
		for key in CapPrm CapEff CapInh CapAmb NoNewPrivs Seccomp; do status_of "$1/task/${task##*/}" "$key"; done | paste -sd' '
	done | sort -u
}

# metric OBSERVER NAME FIELD: of the latest run's report
metric() { report ".observers[] | select(.name == \"$1\") | .metrics[] | select(.name == \"$2\") | .$3"; }

available() { # OBSERVER WANT NAME...: all of these are so available
	local who=$1 want=$2 one got wrong=''
	shift 2
	for one in "$@"; do
		got=$(metric "$who" "$one" availability)
		[[ $got == "$want" ]] || wrong+=" $one:$got"
	done
	expect "$who: $# metrics are $want" "${wrong:-all}" == all
}

# same TEXT GOT WANT [SLACK]: within 1 % or SLACK
same() {
	if jq -en --argjson got "$2" --argjson want "$3" --argjson slack "${4:-0}" \
		'($got - $want) | if . < 0 then -. else . end | . <= $slack or . <= 0.01 * $want' >/dev/null 2>&1; then
		pass "$1 ($2, $3)"
	else
		fail "$1: observer $2, host $3"
	fi
}

# ---- what the host's own tools say ----

pid_of() { cut -d ' ' -f 1 "/run/leaseherd-lab/$name/$1/pid"; }
inside() { "$lab" exec "$name/$host" "$@"; }
stat_of() { inside nstat -asz "$1" 2>/dev/null | awk -v key="$1" '$1 == key { print $2 }'; }

packet_socket_drops() { # of a process, by ss: skmem:(r0,rb212992,...,d0)
	inside ss -H -0 -a -n -m -p | awk -v pid="pid=$1," '
		/skmem/ && mine { match($0, /,d[0-9]+\)/); sum += substr($0, RSTART + 2, RLENGTH - 3); n++ }
		!/^[[:space:]]/ { mine = index($0, pid) > 0 }
		/skmem/ && !/^[[:space:]]/ && mine { match($0, /,d[0-9]+\)/); sum += substr($0, RSTART + 2, RLENGTH - 3); n++ }
		END { print n ? sum : "none" }'
}

conntrack_sum() { # COLUMN
	inside conntrack -S 2>/dev/null | grep -o " $1=[0-9]*" | awk -F= '{ sum += $2 } END { print sum + 0 }'
}

dropped_by_links() {
	inside cat /proc/net/dev | awk 'NR > 2 { sub(/:/, " "); if ($1 != "lo") sum += $5 + $13 } END { print sum + 0 }'
}
dropped_by_queues() {
	inside tc -s qdisc show | sed -n 's/.*(dropped \([0-9]*\),.*/\1/p' | awk '{ sum += $1 } END { print sum + 0 }'
}
cpu_us() { # PID: user and system, of all its threads
	awk '{ sub(/.*\) /, ""); print ($12 + $13) * 10000 }' "/proc/$1/stat"
}
switches() { # PID
	cat "/proc/$1"/task/*/status | awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }'
}

# Noise that is easy to count: 10 replies refused by a rule, 3 pings answered, 7 packets lost in a queue.
make_noise() {
	local i
	inside nft -f - <<-'NFT'
		table ip noise {
			chain in { type filter hook input priority 0; ct state new counter; }
			chain out { type filter hook output priority 0; udp dport 9 drop; }
		}
	NFT
	for ((i = 0; i < 10; i++)); do inside bash -c 'echo >/dev/udp/172.16.7.2/9' 2>/dev/null || true; done
	inside python3 - <<-'PINGS' # type 8, code 0, checksum, identity 1, sequence 0
		import socket
		s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
		for i in range(3):
		    s.sendto(bytes([8, 0, 0xF7, 0xFE, 0, 1, 0, 0]), ("172.16.7.2", 0))
	PINGS
	inside ip link add noise0 type veth peer name noise1
	inside ip address add 10.99.0.1/24 dev noise0
	inside ip link set noise1 up
	inside ip link set noise0 up
	inside ip neighbour add 10.99.0.2 lladdr 02:00:00:00:00:07 dev noise0
	inside tc qdisc add dev noise0 root tbf rate 8kbit burst 100 limit 100 # what is larger has no room
	for ((i = 0; i < 7; i++)); do inside bash -c 'printf %200d 7 >/dev/udp/10.99.0.2/7'; done
}

# Of an observer that may see all, beside the server of $host whose life has not ended.
compare() { # OBSERVER
	local pid
	pid=$(pid_of "$host")
	same "$1: UDP datagrams in" "$(metric "$1" udp_in last)" "$(stat_of UdpInDatagrams)"
	same "$1: and out" "$(metric "$1" udp_out last)" "$(stat_of UdpOutDatagrams)"
	same "$1: without a port" "$(metric "$1" udp_no_ports last)" "$(stat_of UdpNoPorts)"
	same "$1: sends the kernel refused" "$(metric "$1" ip_out_discards last)" "$(stat_of IpOutDiscards)"
	same "$1: answers to pings" "$(metric "$1" icmp_in_echo_replies last)" "$(stat_of IcmpInEchoReps)"
	same "$1: lost by interfaces" "$(metric "$1" link_drops last)" "$(dropped_by_links)"
	same "$1: lost by queues" "$(metric "$1" queue_drops last)" "$(dropped_by_queues)"
	same "$1: conntrack's found" "$(metric "$1" ct_found last)" "$(conntrack_sum found)"
	same "$1: insert_failed" "$(metric "$1" ct_insert_failed last)" "$(conntrack_sum insert_failed)"
	same "$1: its limit" "$(metric "$1" ct_max last)" "$(inside cat /proc/sys/net/netfilter/nf_conntrack_max)"
	same "$1: its timeout of UDP" "$(metric "$1" ct_udp_timeout last)" \
		"$(inside cat /proc/sys/net/netfilter/nf_conntrack_udp_timeout)"
	same "$1: CPU of the server" "$(jq -n "$(metric "$1" cpu_user last) + $(metric "$1" cpu_system last)")" "$(cpu_us "$pid")" 30000
	same "$1: threads" "$(metric "$1" threads last)" "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)"
	same "$1: switches" "$(metric "$1" switches_voluntary last)" "$(switches "$pid")" 20
	same "$1: write calls" "$(metric "$1" io_write_calls last)" "$(awk '/^syscw/ { print $2 }' "/proc/$pid/io")" 3
	same "$1: memory" "$(metric "$1" rss last)" "$(awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$pid/status")" 1000000
}

cost_of() { # OBSERVER: its own figure beside the kernel's, and what it comes to
	same "$1: CPU of itself" "$(metric "$1" self_cpu last)" "$(cpu_us "${observer_pid[$1]}")" 60000
	expect "$1: costs less than 2 % of a core" "$(report ".observers[] | select(.name == \"$1\") | .self_cpu_percent")" '<' 2
}

watching() { # PATTERN OBSERVER: its log says so, within 20 s
	local i
	for ((i = 0; i < 200; i++)); do
		if grep -qs -- "$1" "$work/$2.log"; then return 0; fi
		sleep 0.1
	done
	return 1
}

quiet_scenario() { # FILE HOLD: nothing is sent during the hold, and nothing after it
	servers=1 scenario "$1" 1 300 300 "$2" 600s
	sed -i '/^cleanup:/d' "$1"
	egress "$1"
}

readonly CAPS=,+sys_ptrace,+dac_read_search,+net_admin
chmod 0711 "$work"
cp "$bin/leaseherd-agent" "$bin/leaseherd-under-filter" "$work/"
calls_of_unit "$top/deploy/systemd/leaseherd-observer.service" >"$work/observer.calls"

# ---- dhcpd, one observer that may see all and one that may nothing ----

fleet_begin --servers isc --agents 1 --relays 1 --lease 600
host=s1
quiet_scenario "$work/quiet.yaml" 14s
observer o1 s1 "$CAPS" dhcpd
observer o2 s1 '' dhcpd
check "an observer without a coordinator waits and says so" watching 'what=no_listener' o1
start_agents 1
begin_run dhcpd "$work/quiet.yaml" 1
check "dhcpd: the hold begins" until_log 'stage=keep' 40
check "dhcpd: the observer watches" watching 'what=watching' o1
expect "o1: has three capabilities, no more" "$(rights_of "${observer_pid[o1]}")" == "$SEES $SEES $NONE $NONE 1 2"
expect "o2: has none" "$(rights_of "${observer_pid[o2]}")" == "$NONE $NONE $NONE $NONE 1 2"
make_noise
# A server that is held for a second; what comes meanwhile has no room in its sockets.
"$lab" server "$name" s1 stop
"$lab" exec "$name/a1" bash -c 'for ((i = 0; i < 1000; i++)); do echo overflow >/dev/udp/192.168.1.12/67; done'
sleep 1.5
"$lab" server "$name" s1 cont
end_run
expect "dhcpd: PASS" "$code" == 0
ask "dhcpd: two observers" '.observers | length' == 2
ask "dhcpd: neither is an agent" '.agents | length' == 1
ask "dhcpd: matched to the server by address" '[.observers[].server] | unique | join(",")' == a
ask "dhcpd: a frame a second" '[.observers[] | .frames >= .last_s - .first_s and .frames <= .last_s - .first_s + 2] | all' == true
compare o1
drops=$(packet_socket_drops "$(pid_of s1)")
same "o1: drops of the packet socket" "$(metric o1 packet_socket_drops last)" "$drops"
expect "o1: and there were" "$drops" '>' 100
same "o1: room of the packet socket" "$(metric o1 packet_socket_buffer last)" 212992
same "o1: drops of the UDP socket" "$(metric o1 udp67_drops last)" "$(inside ss -H -u -a -n -m 'sport = :67' |
	sed -n 's/.*,d\([0-9]*\)).*/\1/p' | awk '{ sum += $1 } END { print sum + 0 }')"
cost_of o1
cost_of o2

available o1 ok cpu_user cpu_system cpu_busiest_thread runqueue_wait runqueue_wait_busiest switches_voluntary threads rss \
	state_samples io_write_calls io_write_bytes packet_socket_queue packet_socket_drops udp67_queue udp67_drops udp_in udp_out \
	udp_receive_buffer_errors ip_out_discards link_drops queue_drops softnet_drops disk_writes disk_busy ct_entries ct_max \
	ct_insert_failed ct_udp_timeout icmp_in_echo_replies self_cpu self_late wait_samples wait_fsync wait_poll lease_file_bytes \
	lease_commits log_acks fw_nat_output fw_drop_output ct_dhcp_entries
available o1 not_applicable failover_own kea_received # it is dhcpd, alone
same "o1: looks at system calls" "$(jq -n "$(metric o1 wait_fsync last) + $(metric o1 wait_write last) + $(metric o1 wait_send last) +
	$(metric o1 wait_running last) + $(metric o1 wait_poll last) + $(metric o1 wait_other last)")" "$(metric o1 wait_samples last)"
expect "o1: often, even on a busy host" "$(jq -n "$(metric o1 wait_samples difference) / $(report '.observers[] | select(.name == "o1") | .last_s - .first_s')")" '>' 30
available o2 ok cpu_user cpu_system cpu_busiest_thread runqueue_wait switches_voluntary threads rss state_samples \
	packet_socket_drops udp67_drops udp_in ip_out_discards link_drops queue_drops ct_insert_failed ct_max icmp_in_echo_replies
available o2 no_permission io_write_calls io_write_bytes wait_samples wait_fsync fw_nat_output ct_dhcp_entries log_acks \
	log_send_refused failover_own # what it may not read it does not call absent
same "o2: drops of the packet socket, guessed" "$(metric o2 packet_socket_drops last)" "$drops"
check "o2: says that it guesses" grep -q 'guessed' <<<"$(report '.observers[] | select(.name == "o2") | .notes.observer')"
for one in cpu_user udp_in ip_out_discards ct_found; do
	same "both see the same $one" "$(metric o2 "$one" last)" "$(metric o1 "$one" last)" 30000
done

# ---- the server is killed and started again ----

servers=1 scenario "$work/restart.yaml" 1 50 50 14s 600s
sed -i '/^cleanup:/d' "$work/restart.yaml"
begin_run restart "$work/restart.yaml" 1
check "restart: the hold begins" until_log 'stage=keep' 40
for one in o1 o2; do # they try again every few seconds
	check "restart: $one is there" until_log "what=observer_joined observer=$one" 10
done
sleep 1.5 # and have seen the first process
before=$(pid_of s1)
"$lab" server "$name" s1 kill
sleep 2.5
"$lab" server "$name" s1 start
end_run
expect "restart: PASS" "$code" == 0
expect "restart: another process" "$(pid_of s1)" != "$before"
ask "restart: seen, by both" '[.observers[].server_restarts] | join(",")' == 1,1
ask "restart: the observers went on" '[.observers[].lost] | any' == false
ask "restart: and told so all the time" '[.observers[] | .frames >= 8] | all' == true
same "restart: the CPU time is the new process's" "$(jq -n "$(metric o1 cpu_user last) + $(metric o1 cpu_system last)")" \
	"$(cpu_us "$(pid_of s1)")" 30000
same "restart: and so are the drops" "$(metric o1 packet_socket_drops last)" 0
stop_observers
stop_agents

# ---- Kea, by packet sockets and several threads ----

"$lab" down "$name"
"$lab" up "$name" --servers kea --kea-socket raw --agents 1 --relays 1 --lease 600
egress "$work/quiet.yaml"
observer o1 s1 "$CAPS" kea-dhcp4
observer o3 a1 "$CAPS" "$(pid_of s1)" # from another network
start_agents 1
begin_run kea "$work/quiet.yaml" 1
check "kea: the hold begins" until_log 'stage=keep' 40
make_noise
end_run
expect "kea: PASS" "$code" == 0
compare o1
same "o1: drops of Kea's packet sockets" "$(metric o1 packet_socket_drops last)" "$(packet_socket_drops "$(pid_of s1)")"
cost_of o1
ask "kea: who watches from another network is matched to no server" '.observers[] | select(.name == "o3") | .server' == null
available o3 ok cpu_user threads udp_in ip_out_discards link_drops
available o3 not_applicable packet_socket_drops udp67_drops queue_drops ct_max
same "o3: and its server's network is that of the server" "$(metric o3 udp_in last)" "$(metric o1 udp_in last)"
check "o3: says where it should be" grep -q 'another network namespace' <<<"$(report '.observers[] | select(.name == "o3") | .notes.observer')"
stop_observers
fleet_end
