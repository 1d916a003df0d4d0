#!/usr/bin/env bash
# A filter in BPF C under the mesh: the same requests before and after a country is closed in its map, and after a reload. Exit 0
# only if all of it was as expected.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${HEDDLE_BIN_DIR:-$here/../../build/bin}
peers=${HEDDLE_PEERS_DIR:-$here/../../build/peers/bin}
patience=${HEDDLE_DEMO_PATIENCE:-30} # seconds that a start may take
source "$here/../lib.sh"

[ $# = 0 ] || { echo "usage: demo.sh" >&2 && exit 2; }
[ "$(id -u)" = 0 ] || { echo "demo: loading BPF programs needs root" >&2 && exit 2; }
PATH=$PATH:/usr/sbin
command -v bpftool >/dev/null || die "bpftool is missing: apt-get install bpftool"

# Where the filter's maps are pinned: the folder is called like the cgroup root, without dots.
maps() {
  local root=${cgroup_root##*/}
  echo /sys/fs/bpf/heddle/"${root//./_}"-*/extern/embargo
}

# hex_of ADDRESS: the key of an IPv4 address, 16 bytes.
hex_of() {
  local IFS=.
  # shellcheck disable=SC2086
  printf '00 00 00 00 00 00 00 00 00 00 ff ff %02x %02x %02x %02x' $1
}
letters_of() { printf '%02x %02x' "'${1:0:1}" "'${1:1:1}"; }

# lives_in ADDRESS COUNTRY; close_country COUNTRY; refused_to COUNTRY
lives_in() {
  # shellcheck disable=SC2046
  bpftool map update pinned "$(maps)/countries" key hex $(hex_of "$1") value hex $(letters_of "$2")
}
close_country() {
  # shellcheck disable=SC2046
  bpftool map update pinned "$(maps)/closed" key hex $(letters_of "$1") value hex 00 00 00 00 00 00 00 00
}
refused_to() {
  # shellcheck disable=SC2046
  bpftool -j map lookup pinned "$(maps)/closed" key hex $(letters_of "$1") | grep -o '"value":\["[^]]*' | cut -d'"' -f4
}

# ask CLIENT TARGET STATUS [RULE]: one line of the table.
ask() {
  local address=$1 target=$2 wanted=$3 wanted_rule=${4:--} outcome rule verdict=ok
  outcome=$(exec_as customer curl -s -m 20 --interface "$address" -D "$work/headers" -o "$work/body" -w '%{http_code}' \
    "http://10.96.82.1$target") || outcome="failed($?)"
  rule=$(tr -d '\r' <"$work/headers" | sed -nE 's/^x-heddle-rule: *//Ip')
  [ "$outcome" = "$wanted" ] && [ "${rule:--}" = "$wanted_rule" ] || verdict="expected $wanted $wanted_rule"
  [ "$verdict" = ok ] || unexpected=$((unexpected + 1))
  printf '%-12s %-8s %-4s %-22s %-28s %s\n' "$address" "$target" "$outcome" "${rule:--}" "$(cat "$work/body")" "$verdict"
}

ask_all() {
  printf '\n%s\n' "$1"
  ask 127.0.82.7 / "$2" "${3:-}"
  ask 127.0.82.7 /why 200
  ask 127.0.82.8 / 200
}

begin
make_cgroups "$here"/env/*.mesh
status=0
"$bin/heddle" test "$here/policy" "$here/env" --engine evaluator || status=$?
[ "$status" = 0 ] || unexpected=1

# What depends on the filter nobody but the filter knows.
status=0
"$bin/heddle" explain "$here/policy" "$here/env" --send 'GET "/" to shop from customer at 127.0.82.7' | tail -n 1 || status=${PIPESTATUS[0]}
[ "$status" = 4 ] || unexpected=$((unexpected + 1))

"$bin/heddle" build "$here/policy" "$here/env" -o "$work/shop.bundle" >/dev/null
start_heddled "$work/shop.bundle"
start_servers "$here/topology" "$here/servers"
ask_all "the maps are empty" 200
lives_in 127.0.82.7 ab
lives_in 127.0.82.8 cd
ask_all "clients have countries" 200
close_country ab
ask_all "country ab is closed" 403 "access shop/embargo"
"$bin/heddle" reload --control "$control" "$work/shop.bundle" >/dev/null
ask_all "behind a reload" 403 "access shop/embargo"
printf '\nrefused to country ab, as the filter counts: %s\n' "$((16#$(refused_to ab | sed 's/^0x//')))"
stop_all
if [ "$unexpected" != 0 ]; then
  printf '\n%s not as expected\n' "$unexpected"
  exit 1
fi
printf '\nall as expected\n'
