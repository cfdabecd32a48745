#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The observer's kernel program beside real servers: the answers it counts are those of a capture, its fsyncs the server's
# lease commits, its refused sends those the kernel has counted; without the capabilities it says so, and nothing is 0.
# shellcheck source-path=SCRIPTDIR source=../support/fleet.bash
source "$(dirname "$0")/../support/fleet.bash"

readonly NOBODY=65534 SEES=+sys_ptrace,+dac_read_search,+net_admin
declare -A observer_pid=()

at_exit() {
	local pid
	for pid in "${observer_pid[@]}"; do
		still_ours "$pid" && kill -KILL "$pid" 2>/dev/null
	done
}

observer() { # NAME CAPS PROCESS
	local dir=$work/$1 public
	mkdir -m 0700 "$dir"
	public=$("$bin/leaseherd-agent" keygen "$dir/key")
	"$bin/leaseherd" keys agent "$1" --role observer --public "$public" --keys "$work/keys" >/dev/null
	cp "$work/keys/coordinator.pub" "$dir/"
	chown -R "$NOBODY" "$dir"
	setsid "$lab" exec "$name/s1" setpriv --reuid "$NOBODY" --clear-groups --inh-caps="-all,$2" \
		--ambient-caps="-all,$2" --bounding-set="-all,$2" --no-new-privs "$work/leaseherd-agent" --role observer \
		--process "$3" --coordinator 172.16.7.2 --server-key "$dir/coordinator.pub" --key "$dir/key" \
		</dev/null >>"$dir.log" 2>&1 &
	observer_pid[$1]=$!
}

stop_observers() {
	local one
	for one in "${!observer_pid[@]}"; do
		kill -TERM "${observer_pid[$one]}"
		wait "${observer_pid[$one]}" || fail "$one: did not stop in order"
		unset "observer_pid[$one]"
	done
}

metric() { report ".observers[] | select(.name == \"$1\") | .metrics[] | select(.name == \"$2\") | .$3"; }

spans() { # SPAN: sum of its counts
	report "[.observers[] | select(.name == \"eye\") | .metrics[] | select(.name | test(\"^bpf_$1_(to_|longer)\")) | .difference] | add"
}

answers_on_wire() { count_packets s1 "udp.srcport == 67 && dhcp.type == 2"; }

# play WHAT PROCESS LAB-OPTIONS...: one server; for four seconds its replies are refused
play() {
	local what=$1 process=$2 refused answers wire
	shift 2
	"$lab" down "$name"
	rm -rf "$work/keys" "$work"/a[0-9]* "$work"/{eye,blind}*
	agent_pid=()
	fleet_begin --agents 1 --lease 12 "$@"
	servers=1 path=relayed scenario "$work/$what.yaml" 1 200 20 14s 12s
	capture s1 start
	observer eye "$SEES,+bpf,+perfmon" "$process"
	observer blind "$SEES" "$process"
	begin_run "$what" "$work/$what.yaml" 1
	until_log 'what=observer_joined observer=eye' && until_log 'what=observer_joined observer=blind'
	sleep 1.5 # it follows the server from its first frame on
	start_agents 1
	until_log 'what=step stage=keep'
	sleep 5 # the renewals at half of the lease have begun
	"$lab" exec "$name/s1" nft add table ip no
	"$lab" exec "$name/s1" nft add chain ip no out '{ type filter hook output priority 0; }'
	"$lab" exec "$name/s1" nft add rule ip no out udp sport 67 drop
	sleep 4
	"$lab" exec "$name/s1" nft delete table ip no
	end_run
	stop_agents
	stop_observers
	capture s1 stop
	answers=$(metric eye bpf_answers last)
	refused=$(metric eye bpf_send_refused difference)
	wire=$(answers_on_wire)
	expect "$what: answers it counted are those on the wire" "$answers" == "$wire"
	expect "$what: sends were refused" "$refused" '>=' 20
	expect "$what: as many as the kernel discarded" "$refused" == "$(metric eye ip_out_discards difference)"
	expect "$what: and for the same reason" "$refused" == "$(metric eye bpf_refused_not_permitted difference)"
	expect "$what: each service is in one span" "$(spans serve)" '<=' $((answers + refused))
	expect "$what: and nearly all are in one" "$(spans serve)" '>=' $(((answers + refused) * 9 / 10))
	expect "$what: every message was read" "$(metric eye bpf_messages_read difference)" '>=' $((answers + refused))
	expect "$what: waiting and service took time" \
		"$(jq -n "$(metric eye bpf_queue_wait difference) > 0 and $(metric eye bpf_service difference) > 0")" == true
	expect "$what: without the capabilities there is no figure" "$(metric blind bpf_answers availability)" == no_permission
	expect "$what: and no 0" "$(metric blind bpf_answers difference)" == null
	expect "$what: which it says" \
		"$(report '.observers[] | select(.name == "blind") | .notes.observer // "" | test("CAP_BPF")')" == true
}

if ! grep -q server_eye "$bin/leaseherd-agent"; then
	echo "$0: this build has no kernel program: install clang, libbpf-dev and bpftool (deploy/install-deps test)" >&2
	exit 1
fi
install -m 0755 "$bin/leaseherd-agent" "$work/"
chmod 0711 "$work"
play dhcpd dhcpd --servers isc
# The last frame may be taken between a lease's line and its fsync.
pending=$(($(metric eye lease_commits difference) - $(metric eye bpf_fsyncs difference)))
expect "dhcpd: an fsync for each lease it wrote" "$pending" '>=' 0
expect "dhcpd: but of the one that was being written" "$pending" '<=' 1
expect "dhcpd: they took time" "$(metric eye bpf_fsync_longest max)" '>' 0
play kea kea-dhcp4 --servers kea --kea-socket udp
expect "kea: no fsync" "$(metric eye bpf_fsyncs difference)" == 0
fleet_end
