#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Power cuts at random moments, without device mapper: the ledger is on an ext4 in a file; everything is stopped where it
# stands, and a copy of that file is what the disk would have kept. Every batch that the agent's ring counts as
# acknowledged is in the copy's ledger, none twice, and the file is sound.
#
# The copy is not one instant, and sectors are not torn. The ring is on this machine's own file system: an agent's power
# cut is not what is tested, its ring does not survive one (agent/edge/ring_file.h).
#
#   SEED=n CUTS=n tests/system/powercut.sh        the same again
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${LEASEHERD_BIN:-$top/build/release/bin}
seed=${SEED:-$(date +%Y%m)}
cuts=3
[[ ${LEASEHERD_TIER:-short} == short ]] || cuts=15
cuts=${CUTS:-$cuts}
RANDOM=$seed
work=$(mktemp -d)
keeper='' writer='' passed=0 failed=0

for need in leaseherd-kill-stream leaseherd-nosync.so; do
	[[ -r $bin/$need ]] || {
		echo "$0: $bin/$need is missing: build it first (cmake --preset release && cmake --build --preset release)" >&2
		exit 1
	}
done

end_both() {
	local pid
	for pid in $keeper $writer; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	keeper='' writer=''
}

cleanup() {
	local got=$?
	trap - EXIT
	end_both
	for mounted in "$work/live" "$work/copy"; do
		if mountpoint -q "$mounted"; then umount "$mounted"; fi
	done
	rm -rf -- "$work"
	exit "$got"
}
trap cleanup EXIT

new_disk() { # and a ledger and a ring that have just been made
	if mountpoint -q "$work/live"; then umount "$work/live"; fi
	rm -rf "$work/disk" "$work/state"
	truncate -s 64M "$work/disk"
	mkfs.ext4 -q -F "$work/disk"
	mkdir -p "$work/live" "$work/copy"
	mkdir -m 0700 "$work/state"
	mount -o loop "$work/disk" "$work/live"
	"$bin/leaseherd-kill-stream" make "$work/live/ledger.db"
	sync -f "$work/live"
}

# Writes for a while, stops, and looks at what the disk has. Goes on where the cut before left off.
cut() { # PRELOAD: what the check says is in $said, how long it wrote in $ms
	local is_good=0
	ms=$((100 + RANDOM % 1500))
	LD_PRELOAD=$1 "$bin/leaseherd-kill-stream" keep "$work/live/ledger.db" "$work/socket" &
	keeper=$!
	"$bin/leaseherd-kill-stream" write "$work/state" "$work/socket" &
	writer=$!
	sleep "$(awk -v ms="$ms" 'BEGIN { print ms / 1000 }')"
	kill -STOP "$keeper" "$writer"
	cp --sparse=always "$work/disk" "$work/disk.copy"
	mount -o loop "$work/disk.copy" "$work/copy"
	said=$("$bin/leaseherd-kill-stream" check "$work/copy/ledger.db" "$work/state" 2>&1) || is_good=1
	umount "$work/copy"
	rm -f "$work/disk.copy"
	end_both
	return "$is_good"
}

note() { # ok|FAIL TEXT
	printf '%-5s %s\n' "$1" "$2"
	if [[ $1 == ok ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

echo "seed $seed"
new_disk
for ((i = 1; i <= cuts; i++)); do
	if cut ''; then
		note ok "cut $i after $ms ms: $said"
	else
		note FAIL "cut $i after $ms ms (seed $seed): $said"
	fi
done

# The method can tell: on a disk that says "written" too early acknowledged batches are missing.
caught=''
for ((i = 1; i <= 5 && ${#caught} == 0; i++)); do
	new_disk
	cut "$bin/leaseherd-nosync.so" || caught=$said
done
if [[ -n $caught ]]; then
	note ok "without fsync it is noticed: $(tail -n 1 <<<"$caught")"
else
	note FAIL "without fsync nothing was noticed: the method cannot tell on this machine"
fi
printf '\n%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
