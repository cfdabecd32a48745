#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# leaseherd testbed where things go wrong: apply is killed at each of its calls, runs beside itself, meets routes of somebody
# else; and over ssh, on hosts with little. Undo leaves no trace.
# shellcheck source=tests/support/fleet.bash
source "$(dirname "$(readlink -f "$0")")/../support/fleet.bash"
# shellcheck source=tests/support/rootfs.bash
source "$(dirname "$(readlink -f "$0")")/../support/rootfs.bash"
# shellcheck source=tests/support/testbed.bash
source "$(dirname "$(readlink -f "$0")")/../support/testbed.bash"

halves=0 # applies that were killed with a part of it done

# ---- killed at any moment ----

# What of ours is there, by tables and number of routes.
ours() { # HOST
	on "$1" sh -c 'nft list tables | grep leaseherd; ip -4 route show table all root 10.10.0.0/16 proto 67 | wc -l'
}

# In place of ip and nft on the host that is at hand: at the call number $AT leaseherd is killed, and the call is made all
# the same, a little later, by a shell that nobody waits for.
make_stepper() {
	local tool
	mkdir "$work/real"
	for tool in ip nft; do
		cp -L "$(command -v $tool)" "$work/real/$tool"
		cat >"$work/step-$tool" <<SH
#!/bin/sh
calls=\$((\$(cat "\$COUNT") + 1))
echo \$calls >"\$COUNT"
if [ \$calls = "\$AT" ]; then
	kill -KILL "\$(cat "\$COUNT.pid")"
	sleep 0.1
fi
exec "$work/real/$tool" "\$@"
SH
		chmod 0755 "$work/step-$tool"
	done
}

# kill_rounds TEXT HOST FILE FLAGS...: apply is killed at each of its calls, and undo begins at once
kill_rounds() {
	local text=$1 host=$2 file=$3 at=0 code=137 none=0 half=0 full=0 bad=0 seen there
	shift 3
	record "$host" >"$work/host.before"
	on "$host" "$bin/leaseherd" testbed "$file" apply "$@" >/dev/null
	there=$(ours "$host")
	on "$host" "$bin/leaseherd" testbed "$file" undo "$@" >/dev/null
	while ((code == 137 && at < 60)); do
		at=$((at + 1)) code=0
		echo 0 >"$work/count"
		# shellcheck disable=SC2016 # the inner shell expands
		COUNT=$work/count AT=$at on "$host" unshare --mount bash -c '
			mount --bind "$1/step-ip" "$(readlink -f "$(command -v ip)")"
			mount --bind "$1/step-nft" "$(readlink -f "$(command -v nft)")"
			echo $$ >"$COUNT.pid"
			shift
			exec "$@"' - "$work" "$bin/leaseherd" testbed "$file" apply "$@" >"$work/killed" 2>&1 || code=$?
		seen=$(ours "$host")
		on "$host" "$bin/leaseherd" testbed "$file" undo "$@" >"$work/undone" 2>&1 || bad=$((bad + 1))
		[[ $(ours "$host") == 0 ]] || bad=$((bad + 1))
		case $seen in
		0) none=$((none + 1)) ;;
		"$there") full=$((full + 1)) ;;
		*) half=$((half + 1)) ;;
		esac
	done
	record "$host" >"$work/host.after"
	diff "$work/host.before" "$work/host.after" || bad=$((bad + 1))
	expect "$text: killed at each of $((at - 1)) calls ($none had made nothing, $half a part, $full all), undo leaves no trace" "$bad" == 0
	expect "$text: the last was not killed" "$code" == 0
	halves=$((halves + half))
}

many_relays() { # 300 relays of a router, /26 each, on two addresses
	local i
	printf 'leaseherd: 1\nscenario: many\nservers: {a: {address: 192.168.1.12}, b: {address: 192.168.2.12}}\n'
	printf 'network:\n  block: 10.10.0.0/16\n  client_path: %s\n  relays:\n' "$1"
	for ((i = 0; i < 300; i++)); do
		printf '    - {name: r%d, giaddr: 172.20.%d.%d, via: 172.16.8.3, subnet: 10.10.%d.%d/26, clients: 5}\n' \
			"$i" $((i / 200)) $((1 + i % 200)) $((i / 4)) $((i % 4 * 64))
	done
	printf 'run:\n  - {name: x, acquire: {batch: 1}}\n'
}

killed() {
	make_stepper
	many_relays egress >"$work/many.yaml"
	many_relays routed >"$work/many-routed.yaml"
	kill_rounds "egress, 300 relays" s1 "$work/many.yaml"
	if [[ $tier == all ]]; then
		kill_rounds "its older form" s1 "$work/many.yaml" --hook route
		kill_rounds "dnat, 300 subnets" s1 "$work/many.yaml" --path dnat
	fi
	kill_rounds "routed, an agent" a1 "$work/many-routed.yaml"
	kill_rounds "routed, a router" rtr "$work/many-routed.yaml" --role router
	expect "some were killed with a part of it done" "$halves" '>=' 1
}

together() { # apply and undo at the same time: one after the other
	local i pids=()
	record s1 >"$work/host.before"
	for i in 1 2 3 4; do
		on s1 "$bin/leaseherd" testbed "$work/many.yaml" apply >"$work/at$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || fail "apply beside another: $(cat "$work"/at?)"; done
	on s1 "$bin/leaseherd" testbed "$work/many.yaml" check >"$work/said" && code=0 || code=$?
	expect "four applies at a time are one" "$code" == 0
	on s1 "$bin/leaseherd" testbed "$work/many.yaml" undo >/dev/null
	record s1 >"$work/host.after"
	check "and one undo removes it" diff "$work/host.before" "$work/host.after"
}

routes_of_others() { # a route that somebody else has made for a subnet of the test is left alone
	on a1 ip route add local 10.10.0.0/16 dev lo proto 4
	record a1 >"$work/host.before"
	on a1 "$bin/leaseherd" testbed "$work/routed.yaml" apply >"$work/said" && code=0 || code=$?
	expect "a route of somebody else: apply fails" "$code" == 6
	check "says so" grep -q "^FAIL  ip refuses a route (one that was there before and is not Leaseherd's is left alone" "$work/said"
	record a1 >"$work/host.after"
	check "and changes nothing" diff "$work/host.before" "$work/host.after"
	on a1 ip route del local 10.10.0.0/16 dev lo proto 4
}

# ---- over ssh ----

# a3 and a4 stand for servers, with nothing but busybox, sshd, sudo and the tools; `tester` has sudo, `asked` a password.
over_ssh() {
	local i there=(--ssh-config "$work/ssh/config" --ssh tester@172.16.10.3 --ssh tester@172.16.11.3)
	mkdir "$work/ssh"
	ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/id"
	printf 'Host *\nUserKnownHostsFile %s\nIdentityFile %s\nIdentitiesOnly yes\n' "$work/ssh/known_hosts" \
		"$work/ssh/id" >"$work/ssh/config"
	for i in 3 4; do
		rootfs_up "$i" 22 "$(command -v nft)" "$(command -v ip)" "$(command -v flock)" "$(command -v dash)"
		rootfs_wait "$i"
		record "a$i" >"$work/net.before$i"
	done
	sed 's/192.168.1.12/172.16.10.3/; s/192.168.2.12/172.16.11.3/' "$work/egress.yaml" >"$work/ssh.yaml"
	ssh_says "a busybox, whose ip is its own" 6 'FAIL  ip is not that of iproute2' apply "${there[@]}"
	for i in 3 4; do
		rootfs_exec "$i" ln -sf "$(command -v dash)" /bin/sh
		rootfs_list "$i" >"$work/files.before$i"
	done
	for i in 1 2; do
		ssh_says "apply over ssh, $i" 0 'tester@172.16.10.3: ok    server: path egress is applied at "eth0"' apply "${there[@]}"
		ssh_says "check over ssh" 0 'tester@172.16.11.3: ok    server: the rules of path egress are in place' check "${there[@]}"
		ssh_says "undo over ssh" 0 'tester@172.16.11.3: ok    nothing of the test bed is here' undo "${there[@]}"
	done
	ssh_says "check after undo" 5 'tester@172.16.10.3: FAIL  nothing is applied here' check "${there[@]}"
	ssh_says "a sudo that asks" 2 'FAIL  sudo asks for a password' apply --ssh-config "$work/ssh/config" --ssh asked@172.16.10.3
	ssh_says "nobody listens" 6 'FAIL  ssh could not log in' apply --ssh-config "$work/ssh/config" --ssh tester@172.16.8.3
	for i in 3 4; do
		rootfs_list "$i" >"$work/files.after$i"
		record "a$i" >"$work/net.after$i"
		check "a$i: no file stays" diff "$work/files.before$i" "$work/files.after$i"
		check "a$i: no rule stays" diff "$work/net.before$i" "$work/net.after$i"
	done
}

ssh_says() { # TEXT CODE PATTERN VERB FLAGS...
	local text=$1 want=$2 pattern=$3
	shift 3
	code=0
	said=$(on op "$bin/leaseherd" testbed "$work/ssh.yaml" "$@" 2>&1) || code=$?
	bed_says "$text" "$want" "$pattern"
}

# ---- what show prints ----

scripts_are_clean() {
	local file path hook bad=0
	for file in egress routed many carried; do
		for path in egress routed dnat relayed; do
			for hook in netdev route; do
				"$bin/leaseherd" testbed "$work/$file.yaml" show --path $path --hook $hook >"$work/script" 2>/dev/null || continue
				shellcheck -s sh "$work/script" || bad=$((bad + 1))
			done
		done
	done
	expect "what runs is a clean POSIX shell script" "$bad" == 0
	record s1 >"$work/host.before"
	"$bin/leaseherd" testbed "$work/egress.yaml" show | on s1 sh >"$work/said"
	check "what show prints is what apply runs" grep -q '^ok    server: path egress is applied at "eth0"' "$work/said"
	on s1 "$bin/leaseherd" testbed "$work/egress.yaml" undo >/dev/null
	record s1 >"$work/host.after"
	check "and undo removes it" diff "$work/host.before" "$work/host.after"
}

fleet_begin --servers none --agents 4 --relays 2
foreign_things
path=egress scenario "$work/egress.yaml" 2 40 20 7s 12s
path=routed scenario "$work/routed.yaml" 1 40 20 7s 12s
sed -E 's/giaddr: 172.16.([0-9]+).3/giaddr: 172.16.\1.1, via: 172.16.\1.3/' "$work/egress.yaml" >"$work/carried.yaml"
killed
together
routes_of_others
scripts_are_clean
over_ssh
fleet_end
