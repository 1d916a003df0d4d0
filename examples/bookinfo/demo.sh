#!/usr/bin/env bash
# Bookinfo under the mesh: real servers, each workload in a cgroup of its own, real requests, and a table of what came of
# them. Exit 0 only if all of it was as expected. With --break the attached programs are removed, and then one rule is
# flipped; both must spoil the table, which is exit 1 (3 if one of them went unnoticed).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${HEDDLE_BIN_DIR:-$here/../../build/bin}
peers=${HEDDLE_PEERS_DIR:-$here/../../build/peers/bin}
patience=${HEDDLE_DEMO_PATIENCE:-30} # seconds that a start may take
source "$here/../lib.sh"

mode=${1:-}
case "$mode" in '' | --break) ;; *) echo "usage: demo.sh [--break]" >&2 && exit 2 ;; esac
[ "$(id -u)" = 0 ] || { echo "demo: loading BPF programs needs root" >&2 && exit 2; }

# The policy that decides; --break replaces it by a copy with one rule flipped.
start_demo() {
  local policy=$1
  "$bin/heddle" build "$policy" "$here/env" -o "$work/bookinfo.bundle" >/dev/null
  make_cgroups "$here"/env/*.mesh
  start_heddled "$work/bookinfo.bundle"
  start_servers "$here/topology" "$here/servers"
}

flip_one_rule() {
  cp -r "$here/policy" "$work/flipped"
  sed -i 's/  deny  from any when header "x-debug" present/  allow from any when header "x-debug" present/' "$work/flipped/reviews.mesh"
  if cmp -s "$here/policy/reviews.mesh" "$work/flipped/reviews.mesh"; then die "there is no rule to flip"; fi
}

# One in five of those who are not jason gets the red stars; a split that always takes the same part is none.
check_split() {
  local address none red
  address=$(address_of reviews "$here"/policy/*.mesh)
  exec_as productpage curl -s -m 60 -H 'host: reviews' -w '\n' "http://$address/reviews/[1-100]" >"$work/split" || true
  none=$(grep -c '^reviews-v1' "$work/split" || true)
  red=$(grep -c '^reviews-v3' "$work/split" || true)
  printf '\nthe split of reviews, 100 requests: %s to v1, %s to v3\n' "$none" "$red"
  # Of 100 draws at 20% fewer than 3 or more than 45 come once in ten million demos.
  if [ $((none + red)) -ne 100 ] || [ "$red" -lt 3 ] || [ "$red" -gt 45 ]; then unexpected=$((unexpected + 1)); fi
}

demonstrate() {
  send_requests "$here/requests" "$here"/policy/*.mesh "$here"/env/*.mesh
  [ "$unexpected" -gt 0 ] || check_split
}

begin
if [ "$mode" = --break ]; then
  unnoticed=0
  start_demo "$here/policy"
  detach_programs
  printf '\n--break: the attached programs are removed\n'
  demonstrate
  if [ "$unexpected" = 0 ]; then unnoticed=1 && echo "demo: nobody noticed that the programs are gone" >&2; fi
  stop_all

  flip_one_rule
  start_demo "$work/flipped"
  printf '\n--break: one rule is flipped: whoever debugs is allowed\n'
  demonstrate
  if [ "$unexpected" = 0 ]; then unnoticed=1 && echo "demo: nobody noticed the flipped rule" >&2; fi
  stop_all
  [ "$unnoticed" = 0 ] || exit 3
  exit 1
fi

start_demo "$here/policy"
demonstrate
stop_all
if [ "$unexpected" != 0 ]; then
  printf '\n%s not as expected\n' "$unexpected"
  exit 1
fi
printf '\nall as expected\n'
