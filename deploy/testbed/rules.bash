# SPDX-License-Identifier: MIT
# Reads what `leaseherd testbed SCENARIO show` prints:
#
#     # a comment
#     block 10.10.0.0/16
#     relay NAME giaddr 172.16.8.3 via 172.16.8.3 subnet 10.10.0.0/16 slot 1
#
# slot is the first byte of every xid of that relay. The text becomes commands run as root on somebody's DHCP server:
# whatever is not exactly this is refused.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the scripts that source this use what it reads

block=''
relay_name=()
relay_via=()
relay_subnet=() # what of the relay's subnet lies in the block: nothing outside may be touched
relay_slot=()

self=$(basename "$0")

usage_error() {
	printf '%s: %s (%s --help tells more)\n' "$self" "$*" "$self" >&2
	exit 2
}

die() {
	printf '%s: %s\n' "$self" "$*" >&2
	exit "${status:-6}"
}

require_root() { ((EUID == 0)) || status=2 die "needs root, to change the network of this host"; }

require_tool() { command -v "$1" >/dev/null || die "$1 is missing: install $2"; }

# ---- addresses ----

ip_to_int() {
	local a b c d
	IFS=. read -r a b c d <<<"$1"
	printf '%d' $((a << 24 | b << 16 | c << 8 | d))
}

is_ip() {
	local octet='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
	[[ $1 =~ ^$octet\.$octet\.$octet\.$octet$ ]]
}

# True for A.B.C.D/LENGTH without host bits.
is_subnet() {
	local length=${1#*/}
	[[ $1 == */* && $length =~ ^([1-9]|[12][0-9]|3[0-2])$ ]] && is_ip "${1%/*}" &&
		(($(ip_to_int "${1%/*}") % (1 << (32 - length)) == 0))
}

# within INNER OUTER: two subnets either nest or have nothing in common.
within() {
	((${1#*/} >= ${2#*/})) &&
		(($(ip_to_int "${1%/*}") >> (32 - ${2#*/}) == $(ip_to_int "${2%/*}") >> (32 - ${2#*/})))
}

# ---- reading ----

# read_rules FILE: FILE '' is standard input.
read_rules() {
	local file=$1 number=0
	local -a word
	[[ -z $file || -r $file ]] || usage_error "cannot read $file"
	[[ -n $file || ! -t 0 ]] || usage_error "give the rules by --rules FILE or standard input"
	while read -ra word || ((${#word[@]})); do
		number=$((number + 1))
		case ${word[0]:-} in
		'' | \#*) ;;
		block) read_block "$number" "${word[@]:1}" ;;
		relay) read_relay "$number" "${word[@]:1}" ;;
		*) status=2 die "line $number of the rules: '${word[0]}' is neither block nor relay" ;;
		esac
	done < <(if [[ -n $file ]]; then cat -- "$file"; else cat; fi)
	[[ -n $block ]] || status=2 die "the rules have no block; give what 'leaseherd testbed SCENARIO show' prints"
	((${#relay_name[@]})) || status=2 die "the rules have no relay; give what 'leaseherd testbed SCENARIO show' prints"
}

read_block() {
	[[ -z $block ]] || status=2 die "line $1 of the rules: a second block"
	(($# == 2)) && is_subnet "$2" || status=2 die "line $1 of the rules: block takes one subnet, as 10.10.0.0/16"
	block=$2
}

read_relay() {
	local subnet=${8:-}
	if (($# != 10)) || [[ "$3 $5 $7 $9" != 'giaddr via subnet slot' ]] || ! is_ip "$4" || ! is_ip "$6" ||
		! is_subnet "$8" || [[ ! ${10} =~ ^[1-9][0-9]{0,2}$ ]] || ((${10} > 255)); then
		status=2 die "line $1 of the rules: not 'relay NAME giaddr ADDRESS via ADDRESS subnet SUBNET slot 1..255'"
	fi
	[[ -n $block ]] || status=2 die "line $1 of the rules: a relay before the block"
	if within "$block" "$subnet"; then
		subnet=$block
	elif ! within "$subnet" "$block"; then
		status=2 die "line $1 of the rules: the subnet of relay $2 is not in the block"
	fi
	relay_name+=("$2")
	relay_via+=("$6")
	relay_subnet+=("$subnet")
	relay_slot+=("${10}")
}

# Fills via_of[SUBNET] with the one address a subnet's relays are carried by: who steers by destination cannot part them.
declare -A via_of=()
one_via_per_subnet() {
	local i j subnet
	for i in "${!relay_name[@]}"; do
		subnet=${relay_subnet[i]}
		for j in "${!via_of[@]}"; do
			if [[ ${via_of[$j]} != "${relay_via[i]}" ]] && { within "$subnet" "$j" || within "$j" "$subnet"; }; then
				status=2 die "$subnet has relays at ${via_of[$j]} and ${relay_via[i]}, $1 can lead to one of them only: use egress"
			fi
		done
		via_of[$subnet]=${relay_via[i]}
	done
}

all_vias() { printf '%s\n' "${relay_via[@]}" | sort -u; }
