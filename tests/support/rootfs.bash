# SPDX-License-Identifier: MIT
# Hosts that have nothing: root file systems with busybox, sshd and sudo only, each on a host of the lab, in mount and
# process namespaces of its own (the lab gives the network and the clocks). For tests/system/fleet_ssh.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # $work, $lab and $name are tests/support/fleet.bash's

rootfs_pid=()  # by number: the process whose end is the end of the host
rootfs_root=() # its root, as seen from outside

# Copies a program and the libraries it names, at their places.
rootfs_copy() { # ROOT FILE...
	local root=$1 file library
	shift
	for file in "$@"; do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
		while read -r library; do
			[[ -e $root$library ]] && continue
			mkdir -p "$root$(dirname "$library")"
			cp -L "$library" "$root$library"
		done < <(ldd "$file" 2>/dev/null | grep -oE '/[^ ]+' || true)
	done
}

# What all hosts have. A user `tester` who may become root without a password, and `guest` who must not.
rootfs_make() { # ROOT
	local root=$1 module user
	mkdir -p "$root"/{bin,dev/pts,etc/ssh,etc/pam.d,proc,root/.ssh,run/sshd,tmp,var/empty,var/log,var/lib,home}
	chmod 1777 "$root/tmp"
	cp "$(command -v busybox)" "$root/bin/busybox"
	chroot "$root" /bin/busybox --install -s /bin
	rootfs_copy "$root" /usr/sbin/sshd "$(command -v sudo)" /usr/libexec/sudo/sudoers.so
	for module in permit deny; do
		rootfs_copy "$root" "$(find /lib/ -path "*/security/pam_$module.so" -print -quit)"
	done
	chmod 4755 "$root$(command -v sudo)"
	printf 'auth required pam_deny.so\naccount required pam_permit.so\nsession required pam_permit.so\n' >"$root/etc/pam.d/sudo"
	printf 'root:x:0:0::/root:/bin/sh\nsshd:x:100:100::/run/sshd:/bin/false\n' >"$root/etc/passwd"
	printf 'root:x:0:\nsshd:x:100:\n' >"$root/etc/group"
	printf 'root:*:1::::::\nsshd:*:1::::::\n' >"$root/etc/shadow"
	local id=1000
	for user in tester guest asked; do
		printf '%s:x:%d:%d::/home/%s:/bin/sh\n' "$user" "$id" "$id" "$user" >>"$root/etc/passwd"
		printf '%s:x:%d:\n' "$user" "$id" >>"$root/etc/group"
		printf '%s:*:1::::::\n' "$user" >>"$root/etc/shadow"
		mkdir -p "$root/home/$user/.ssh"
		cp "$work/ssh/id.pub" "$root/home/$user/.ssh/authorized_keys"
		chown -R "$id:$id" "$root/home/$user"
		chmod 0700 "$root/home/$user" "$root/home/$user/.ssh"
		id=$((id + 1))
	done
	cp "$work/ssh/id.pub" "$root/root/.ssh/authorized_keys"
	chmod 0700 "$root/root" "$root/root/.ssh"
	chmod 0600 "$root/etc/shadow"
	printf 'root ALL=(ALL) ALL\ntester ALL=(root) NOPASSWD: ALL\nasked ALL=(root) ALL\n' >"$root/etc/sudoers"
	chmod 0440 "$root/etc/sudoers"
	: >"$root/etc/ssh/sshd_config"
	printf '127.0.0.1 localhost bare\n172.16.7.2 op.test\n' >"$root/etc/hosts"
	printf 'nameserver 172.16.7.2\noptions timeout:1 attempts:2\n' >"$root/etc/resolv.conf"
	printf 'hosts: mymachines resolve\n' >"$root/etc/nsswitch.conf" # of a C library that is not there
}

# Inside the new namespaces: a tmpfs becomes the root, sshd the first process.
rootfs_enter() { # SKELETON PORT
	local skeleton=$1 port=$2 root=$1.root device
	mount --make-rprivate /
	hostname bare
	mkdir "$root"
	mount -t tmpfs -o mode=0755,size=160m disk "$root"
	cp -a "$skeleton/." "$root/"
	mount -t proc proc "$root/proc"
	for device in null:3 zero:5 random:8 urandom:9; do mknod -m 0666 "$root/dev/${device%:*}" c 1 "${device#*:}"; done
	mknod -m 0666 "$root/dev/tty" c 5 0
	mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	mkdir "$root/.old"
	cd "$root" || exit
	pivot_root . .old
	exec /bin/busybox chroot . /bin/busybox sh -c '
		umount -l /.old && rmdir /.old
		exec env -i PATH=/bin:/usr/bin:/usr/sbin HOME=/root /usr/sbin/sshd -D -e -p '"$port"' -o UsePAM=no \
			-o PidFile=none -o PasswordAuthentication=no -o MaxStartups=100 -o Subsystem="none /bin/false"'
}

# rootfs_up I PORT [PROGRAM...]: host aI runs from such a file system; with the programs named besides
rootfs_up() {
	local i=$1 port=$2 skeleton=$work/rootfs$1 root
	shift 2
	rootfs_make "$skeleton"
	(($# == 0)) || rootfs_copy "$skeleton" "$@"
	ssh-keygen -q -t ed25519 -N '' -f "$skeleton/etc/ssh/ssh_host_ed25519_key"
	printf '%s %s\n' "$(rootfs_known_name "$i" "$port")" \
		"$(cut -d ' ' -f 1,2 "$skeleton/etc/ssh/ssh_host_ed25519_key.pub")" >>"$work/ssh/known_hosts"
	setsid "$lab" exec "$name/a$i" unshare --mount --pid --uts --fork --kill-child=KILL bash -c \
		"set -euo pipefail; $(declare -f rootfs_enter); rootfs_enter '$skeleton' '$port'" \
		</dev/null >"$work/sshd$i.log" 2>&1 &
	rootfs_pid[i]=$!
	agent_pid[100 + i]=$! # so that fleet_cleanup ends it
}

rootfs_known_name() { # I PORT
	local address
	address=172.16.$((7 + $1)).3
	if [[ $2 == 22 ]]; then printf '%s' "$address"; else printf '[%s]:%s' "$address" "$2"; fi
}

rootfs_wait() { # I
	local turn first
	for ((turn = 0; turn < 100; turn++)); do
		first=$(pgrep -P "${rootfs_pid[$1]}" -o || true)
		if [[ -n $first ]] && grep -q 'Server listening' "$work/sshd$1.log"; then
			rootfs_root[$1]=/proc/$first/root
			return 0
		fi
		still_ours "${rootfs_pid[$1]}" || break
		sleep 0.1
	done
	cat "$work/sshd$1.log" >&2
	return 1
}

# Everything in it: kind, mode, owner, size and content; not what sudo notes for itself.
rootfs_list() { # I
	(
		cd "${rootfs_root[$1]}/" || exit
		find . -xdev -path ./run/sudo -prune -o ! -type d -printf '%p %y %#m %U:%G %s %l\n' -o -type d -printf '%p %y %#m %U:%G\n' | sort
		find . -xdev -path ./run/sudo -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
	)
}

# A command in it, as root; its process number there is its own.
rootfs_exec() { # I COMMAND...
	local first=${rootfs_root[$1]#/proc/}
	shift
	nsenter --target "${first%/root}" --mount --pid --net --root --wd=/ -- "$@"
}
