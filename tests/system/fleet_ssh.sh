#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# deploy/fleet on three hosts that hold busybox, sshd and sudo and nothing else: agents are brought, enrolled, started,
# serve a run, are stopped and leave nothing; what is missing on a host is said in one sentence.
# shellcheck source=tests/support/fleet.bash
source "$(dirname "$(readlink -f "$0")")/../support/fleet.bash"
# shellcheck source=tests/support/rootfs.bash
source "$(dirname "$(readlink -f "$0")")/../support/rootfs.bash"

for need in "$bin/leaseherd-agent-static" /usr/sbin/sshd; do
	[[ -x $need ]] || {
		echo "$0: $need is missing: run deploy/install-deps test, and build again" >&2
		exit 1
	}
done
for need in busybox ssh ssh-keygen sudo setcap; do
	command -v "$need" >/dev/null || {
		echo "$0: $need is missing: run deploy/install-deps test" >&2
		exit 1
	}
done

export LEASEHERD_BIN=$bin
dir=/var/lib/leaseherd
said=''
code=0

# fleet_do VERB INVENTORY [OPTIONS...]: on op; what it printed is in $said, its exit code in $code
fleet_do() {
	code=0
	said=$("$lab" exec "$name/op" "$top/deploy/fleet" "$@" 2>&1) || code=$?
}

# fleet_says TEXT CODE PATTERN VERB INVENTORY...: every line of one call has the pattern
fleet_says() {
	local text=$1 want=$2 pattern=$3 odd
	shift 3
	fleet_do "$@"
	odd=$(grep -vE -- "$pattern" <<<"$said" || true)
	if [[ $code == "$want" && -z $odd ]]; then pass "$text"; else fail "$text: exit $code, wanted $want: ${odd:-$said}"; fi
}

# lacks TEXT SENTENCE VERB HOST-LINE [SETTING...]: with an inventory of one host of its own
lacks() {
	local text=$1 sentence=$2 verb=$3 line=$4
	shift 4
	one_host "$line" "$@"
	fleet_says "$text" 1 "FAIL +.*$sentence" "$verb" "$work/one"
}

one_host() { # HOST-LINE [SETTING...]
	printf '%s\n' coordinator=172.16.7.2 policy=policy.yaml keys=keys ssh_config=ssh/config "${@:2}" "$1" >"$work/one"
}

hosts_up() {
	local i
	mkdir "$work/ssh"
	ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/id"
	ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/other"
	printf 'Host *\nUserKnownHostsFile %s\nIdentityFile %s\nIdentitiesOnly yes\n' "$work/ssh/known_hosts" \
		"$work/ssh/id" >"$work/ssh/config"
	rootfs_up 1 22
	rootfs_up 2 22 "$(command -v setcap)"
	rootfs_up 3 2222 "$(command -v nft)"
	for i in 1 2 3; do
		rootfs_wait "$i"
		rootfs_list "$i" >"$work/before$i"
	done
	printf 'servers: [192.168.1.12, 192.168.2.12]\nprefixes: [172.16.0.0/16, 10.0.0.0/8]\n%s\n' "$(operators)" >"$work/policy.yaml"
	printf '%s\n' '# three hosts' coordinator=172.16.7.2:6767 policy=policy.yaml keys=keys ssh_config=ssh/config '' \
		'a1 tester@172.16.8.3 coordinator=op.dns.test' 'a2 tester@172.16.9.3 capability=file # has setcap' \
		'a3 tester@172.16.10.3 2222 coordinator=op.test' >"$work/fleet"
}

name_server_up() { # op.dns.test is known to DNS, op.test to /etc/hosts
	setsid "$lab" exec "$name/op" python3 "$top/tests/support/name_server.py" 172.16.7.2 op.dns.test 172.16.7.2 \
		</dev/null >"$work/dns.log" 2>&1 &
	agent_pid[100]=$! # so that fleet_cleanup ends it
}

hosts_have_nothing() {
	local i found=0
	for i in 1 2 3; do
		grep -qE 'libzmq|libsodium|libprotobuf|libyaml|libstdc|/bin/bash|leaseherd' "$work/before$i" && found=1
	done
	((found == 0))
}

# ---- the story: push to remove, every verb twice ----

brought_and_enrolled() {
	local first
	fleet_says "status says that nothing was brought" 1 'FAIL +nothing is in .*push first' status "$work/fleet"
	fleet_says "logs says so" 1 'FAIL +nothing is in .*push first' logs "$work/fleet" --to "$work/logs"
	fleet_says "enrol before push says so" 1 'FAIL +.*push first' enrol "$work/fleet"
	fleet_says "push to three hosts" 0 'ok .*new: leaseherd-agent-static, new: policy.yaml' push "$work/fleet"
	check "a1 by sudo, as it has no setcap" grep -q '^a1 .*root starts it (sudo)' <<<"$said"
	check "a2 by a capability of the file" grep -q '^a2 .*capability of the file' <<<"$said"
	fleet_says "push again changes nothing" 0 'ok .*\(unchanged\)' push "$work/fleet"
	check "the policy is root's, 0644" test "$(stat -c '%u:%g %a' "${rootfs_root[2]}$dir/policy.yaml")" = "0:0 644"
	fleet_says "start before enrol says so" 1 'FAIL +.*enrol first' start "$work/fleet"
	fleet_says "enrol" 0 'ok +enrolled with ' enrol "$work/fleet"
	first=$(<"$work/keys/agents.allow")
	fleet_says "enrol again changes nothing" 0 'ok +enrolled already' enrol "$work/fleet"
	check "agents.allow is as it was" test "$(<"$work/keys/agents.allow")" = "$first"
	check "no secret key left its host" test -z "$(find "$work/keys" -name '*.key' ! -name coordinator.key ! -name operator-lab.key)"
	check "the agent's own directory is closed" test "$(stat -c '%u %a' "${rootfs_root[2]}$dir/own")" = "1000 700"
}

run_on_them() {
	local each=100 hold=14s
	[[ $tier != all ]] || each=1000 hold=60s
	scenario "$work/bare.yaml" 3 "$each" 100 "$hold" 20s
	egress "$work/bare.yaml"
	fleet_says "start two before the coordinator" 0 'ok +runs as process [0-9]+; no coordinator listens' start "$work/fleet" \
		--only a1 --only a2
	fleet_says "start again leaves them" 0 'ok +runs as process [0-9]+, as it did' start "$work/fleet" --only a1 --only a2
	begin_run bare "$work/bare.yaml" 3
	until_log 'what=agent_joined' 40 || true
	fleet_says "start the third, by a name" 0 'ok +runs as process [0-9]+; coordinator op.test port 6767 answers' start \
		"$work/fleet" --only a3
	end_run
	expect "a run over three bare hosts passes" "$code" == 0
	[[ $code == 0 ]] || show_run
	ask "all leases" .leases.acquired == $((3 * each))
	ask "renewed" ".leases.renewed >= $((3 * each))" == true
	fleet_says "status: all run, with one capability" 0 'ok +runs leaseherd-agent [0-9.]+ as process [0-9]+ for [0-9]+ s; last' \
		status "$work/fleet"
	check "as the ssh user on a2" test "$(rootfs_exec 2 ps -o user,comm | grep -c '^tester *leaseherd-agent')" = 1
	fleet_says "logs are fetched" 0 'ok +[0-9]+ lines in .*/a[123].log' logs "$work/fleet" --to "$work/logs"
	check "they are the agents' own" grep -q 'what=' "$work/logs/a1.log" "$work/logs/a2.log" "$work/logs/a3.log"
}

stopped_and_removed() {
	local i bystander
	# A process with the number in the pid file is not ours when it began at another time.
	rootfs_exec 3 cp "$dir/own/agent.pid" /tmp/agent.pid
	rootfs_exec 3 sh -c 'sleep 300 </dev/null >/dev/null 2>&1 & echo $! >/tmp/bystander'
	bystander=$(rootfs_exec 3 cat /tmp/bystander)
	rootfs_exec 3 sh -c "echo '$bystander 1' >$dir/own/agent.pid"
	fleet_says "stop does not end a process that only has the number" 1 'FAIL +not running; process .* left alone' stop \
		"$work/fleet" --only a3
	check "it lives" rootfs_exec 3 kill -0 "$bystander"
	rootfs_exec 3 sh -c "mv /tmp/agent.pid $dir/own/agent.pid"
	fleet_says "stop, without a coordinator" 0 'ok +stopped, process [0-9]+' stop "$work/fleet"
	fleet_says "stop again" 0 'ok +not running' stop "$work/fleet"
	check "nothing else was ended" rootfs_exec 3 kill -0 "$bystander"
	rootfs_exec 3 sh -c "kill $bystander; rm /tmp/bystander"
	fleet_says "status says that they do not run" 1 'FAIL +does not run; last said: time=.* what=' status "$work/fleet"
	fleet_says "start, to be removed while running" 0 'ok +runs' start "$work/fleet" --only a2
	fleet_says "remove" 0 'ok +(not running|stopped, process [0-9]+); /var/lib/leaseherd is gone; no longer enrolled' remove \
		"$work/fleet"
	fleet_says "remove again" 0 'ok +nothing was there' remove "$work/fleet"
	for i in 1 2 3; do
		rootfs_list "$i" >"$work/after$i"
		check "a$i is as it was before" diff "$work/before$i" "$work/after$i"
		check "and runs nothing of ours" test -z "$(rootfs_exec "$i" ps | grep 'leaseherd-agent-stati[c]')"
	done
	check "nobody is enrolled" test "$(grep -c ' agent ' "$work/keys/agents.allow")" = 0
}

# ---- what can be missing, each in its sentence ----

who_does_not_get_in() {
	lacks "ssh host key unknown" 'ssh host key of 172.16.8.3 is unknown here: log in once' push 'a1 tester@172.16.8.3' \
		ssh_config=ssh/strange
	lacks "another ssh host key" 'is not the one known here' push 'a1 tester@172.16.8.3' ssh_config=ssh/changed
	lacks "no key that ssh accepts" 'does not let .* in' push 'a1 tester@172.16.8.3' ssh_config=ssh/locked
	lacks "no sshd" 'nobody listens for ssh at 172.16.8.3, port 2299' push 'a1 tester@172.16.8.3 2299'
	lacks "sudo asks for a password" 'sudo asks asked for a password: allow it without' push 'a1 asked@172.16.8.3'
	rootfs_exec 1 mv /usr/bin/sudo /usr/bin/not-sudo
	lacks "no sudo" 'tester is not root there, and there is no sudo' push 'a1 tester@172.16.8.3'
	rootfs_exec 1 mv /usr/bin/not-sudo /usr/bin/sudo
	lacks "no setcap" 'no setcap to give CAP_NET_BIND_SERVICE' push 'a1 tester@172.16.8.3 capability=file'
	remove_one
}

strange_configs() {
	: >"$work/ssh/nobody"
	sed "s|known_hosts|nobody|" "$work/ssh/config" >"$work/ssh/strange"
	printf '172.16.8.3 %s\n' "$(cut -d ' ' -f 1,2 "$work/ssh/other.pub")" >"$work/ssh/wrong"
	sed "s|known_hosts|wrong|" "$work/ssh/config" >"$work/ssh/changed"
	sed "s|IdentityFile .*|IdentityFile $work/ssh/other|" "$work/ssh/config" >"$work/ssh/locked"
}

remove_one() { "$lab" exec "$name/op" "$top/deploy/fleet" remove "$work/one" >/dev/null; }

file_systems() {
	cp "$bin/leaseherd-agent-static" "$work/for-arm"
	printf '\267' | dd of="$work/for-arm" bs=1 seek=18 conv=notrunc status=none
	lacks "another architecture" "is $(uname -m), and for-arm is for aarch64" push 'a1 tester@172.16.8.3' agent=for-arm
	rootfs_exec 2 mkdir -p /mnt/nosuid /mnt/noexec /mnt/plain /mnt/small
	rootfs_exec 2 mount -t tmpfs -o nosuid,mode=0755 disk1 /mnt/nosuid
	rootfs_exec 2 mount -t tmpfs -o noexec,mode=0755 disk2 /mnt/noexec
	rootfs_exec 2 mount -t ramfs -o mode=0755 disk3 /mnt/plain
	rootfs_exec 2 mount -t tmpfs -o size=3m,mode=0755 disk4 /mnt/small
	lacks "file system without suid" 'mounted nosuid, where capabilities' push 'a2 tester@172.16.9.3 capability=file' \
		dir=/mnt/nosuid/herd
	remove_one
	one_host 'a2 tester@172.16.9.3' dir=/mnt/nosuid/herd
	fleet_says "auto takes sudo there" 0 'ok .*root starts it \(sudo\)' push "$work/one"
	remove_one
	lacks "file system without capabilities" 'does not keep capabilities of files' push \
		'a2 tester@172.16.9.3 capability=file' dir=/mnt/plain/herd
	remove_one
	lacks "file system without exec" 'mounted noexec: say dir=' push 'a2 tester@172.16.9.3' dir=/mnt/noexec/herd
	remove_one
	lacks "no space" 'no space: /mnt/small there has [0-9]+ KiB free, and [0-9]+ are needed' push 'a2 tester@172.16.9.3' \
		dir=/mnt/small/herd
	lacks "a directory of somebody else" '/home/tester is there, is not empty and not of fleet' push 'a2 tester@172.16.9.3' \
		dir=/home/tester
	rootfs_exec 2 sh -c 'for d in nosuid noexec plain small; do ls -A /mnt/$d; umount /mnt/$d; rmdir /mnt/$d; done; rmdir /mnt' \
		>"$work/left"
	check "and nothing is left on them" test ! -s "$work/left"
}

ports_and_ways() {
	local holder
	one_host 'a3 tester@172.16.10.3 2222'
	fleet_do push "$work/one"
	fleet_do enrol "$work/one"
	rootfs_exec 3 sh -c 'printf "start 10.99.0.1\nend 10.99.0.2\ninterface lo\nlease_file /tmp/l\npidfile /tmp/p\n" >/tmp/conf
		: >/tmp/l; udhcpd -f /tmp/conf </dev/null >/dev/null 2>&1 & echo $! >/tmp/holder; sleep 0.3'
	holder=$(rootfs_exec 3 cat /tmp/holder)
	lacks "port 67 is taken" "UDP port 67 is taken at 0.0.0.0 by udhcpd \(process $holder\)" start 'a3 tester@172.16.10.3 2222'
	one_host 'a3 tester@172.16.10.3 2222' ports=shared
	fleet_says "and may be, where one says so" 0 'ok +runs' start "$work/one"
	fleet_do stop "$work/one"
	rootfs_exec 3 sh -c "kill $holder; sleep 0.2; rm -f /tmp/l /tmp/p /tmp/conf /tmp/holder"

	"$lab" exec "$name/rtr" nft add table ip way
	"$lab" exec "$name/rtr" nft 'add chain ip way f { type filter hook forward priority 0; }'
	"$lab" exec "$name/rtr" nft add rule ip way f tcp dport 6767 drop
	lacks "a firewall drops the coordinator's port" 'runs as process [0-9]+, but 172.16.7.2 port 6767 gives no answer' start \
		'a3 tester@172.16.10.3 2222'
	"$lab" exec "$name/rtr" nft flush chain ip way f
	"$lab" exec "$name/rtr" nft add rule ip way f tcp dport 6767 reject with icmp type host-unreachable
	lacks "a firewall refuses it" 'cannot be reached from there' start 'a3 tester@172.16.10.3 2222'
	"$lab" exec "$name/rtr" nft delete table ip way
	lacks "a name nobody knows" 'the name nowhere.test is unknown there' start 'a3 tester@172.16.10.3 2222 coordinator=nowhere.test'

	rootfs_exec 3 nft add table ip own
	rootfs_exec 3 nft 'add chain ip own i { type filter hook input priority 0; }'
	rootfs_exec 3 nft add rule ip own i udp dport 67 drop
	lacks "a rule of the host that drops DHCP" 'a firewall rule there may drop what a run needs: udp dport 67 drop' start \
		'a3 tester@172.16.10.3 2222'
	rootfs_exec 3 nft delete table ip own
	one_host 'a3 tester@172.16.10.3 2222'
	fleet_says "without it all is well" 0 'ok +runs as process [0-9]+, as it did; no coordinator listens' start "$work/one"
}

policy_and_keys() {
	fleet_do stop "$work/one"
	printf 'servers: []\n' >"$work/bad-policy.yaml"
	one_host 'a3 tester@172.16.10.3 2222' policy=bad-policy.yaml
	fleet_says "push with another policy" 0 'ok .*\(new: policy.yaml\)' push "$work/one"
	fleet_says "the agent's own refusal is passed on" 1 'FAIL +the agent ended at once: .*polic' start "$work/one"
	remove_one
	one_host 'a3 tester@172.16.10.3 2222'
	fleet_do push "$work/one"
	"$bin/leaseherd" keys agent a3 --public 'rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7' --keys "$work/keys" >/dev/null
	fleet_says "another key is enrolled" 1 'FAIL +another key is enrolled for a3: leaseherd keys revoke' enrol "$work/one"
	remove_one
}

wrong_use() {
	local line
	fleet_says "no verb" 2 'a verb is missing' ''
	fleet_says "another verb" 2 "is none of push" pull "$work/fleet"
	fleet_says "no inventory" 2 'needs an inventory' push
	fleet_says "a host that is not there" 2 "has no host 'b9'" status "$work/fleet" --only b9
	fleet_says "an option that is not there" 2 "no option '--force'" stop "$work/fleet" --force
	while IFS='|' read -r line sentence; do
		printf '%s\n' "$line" >"$work/wrong"
		fleet_says "inventory line '$line'" 2 "wrong:1: .*$sentence" status "$work/wrong"
	done <<'LINES'
a1|a host is NAME
a1 host$(reboot)|holds a character
a1 host user=x|no setting is called 'user'
a1 -oProxyCommand|is no host
a1 host 99x|is no port
a1 host dir=/|dir= is a whole path
a1 host dir=/var/../etc|dir= is a whole path
a1 host capability=maybe|capability= is
LINES
	one_host 'a1 tester@172.16.8.3' policy=none.yaml
	fleet_says "a policy that is not there" 1 'FAIL +cannot read the policy .*none.yaml' push "$work/one"
}

check "the agent needs nothing of its host" "$top/tests/lint/selfcontained" "$top" "$bin/leaseherd-agent-static"
fleet_begin --agents 3 --lease 20 --failover
name_server_up
hosts_up
check "the hosts have none of the agent's libraries" hosts_have_nothing
brought_and_enrolled
run_on_them
stopped_and_removed
strange_configs
who_does_not_get_in
file_systems
ports_and_ways
policy_and_keys
wrong_use
for i in 1 2 3; do
	rootfs_list "$i" >"$work/after$i"
	check "after all this a$i is as it was" diff "$work/before$i" "$work/after$i"
done
fleet_end
