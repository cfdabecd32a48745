# SPDX-License-Identifier: MIT
# What the lints share. Each is called as tests/lint/NAME [ROOT]; ROOT is the tree to look at.
# Sourced, not run.

export LC_ALL=C
root=$(cd "${1:-$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../..}" && pwd)
lint=$(basename "$0")
faults=0

cd "$root" || exit 1

fault() { # WHERE TEXT
	printf '%s: %s\n' "$1" "$2" >&2
	faults=$((faults + 1))
}

need() { # PROGRAM: a lint that cannot look must not say that all is well
	command -v "$1" >/dev/null || {
		printf '%s: %s is missing; run deploy/install-deps test\n' "$lint" "$1" >&2
		exit 1
	}
}

# Our own files below the folders given that match the patterns, sorted: files FOLDER... -- PATTERN...
files() {
	local -a folders=() match=()
	while [[ $1 != -- ]]; do
		[[ -e $1 ]] && folders+=("$1")
		shift
	done
	shift
	local pattern
	for pattern in "$@"; do
		((${#match[@]})) && match+=(-o)
		match+=(-name "$pattern")
	done
	((${#folders[@]})) || return 0
	find "${folders[@]}" \( -name .git -o -path ./build -o -path ./runs \) -prune -o \
		-type f \( "${match[@]}" \) -print | sed 's|^\./||' | sort
}

# shellcheck disable=SC2034 # the lints use it
readonly SOURCE_FOLDERS=(common proto agent coordinator tests)

# Every file of ours in the tree, whatever its name.
all_files() {
	files . -- '*'
}

# An allow list holds "NAME  # why" per line.
allowed() { # NAME FILE
	grep -qxF -- "$1" <<<"$(sed 's/[[:space:]]*#.*//' "$2")"
}

finish() {
	((faults == 0)) || {
		printf '%s: %d fault%s\n' "$lint" "$faults" "$( ((faults == 1)) || echo s)" >&2
		exit 1
	}
	printf '%s: clean\n' "$lint"
}
