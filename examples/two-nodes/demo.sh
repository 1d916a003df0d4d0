#!/usr/bin/env bash
# Two nodes as two network namespaces, an agent in each: curl in one reaches nginx in the other over mutual TLS. Exit 0 only if all
# of it was as expected.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "${HEDDLE_BIN_DIR:-$here/../../build/bin}" && pwd)
peers=${HEDDLE_PEERS_DIR:-$here/../../build/peers/bin}
patience=${HEDDLE_DEMO_PATIENCE:-30} # seconds that a start may take
source "$here/../lib.sh"

[ $# = 0 ] || { echo "usage: demo.sh" >&2 && exit 2; }
[ "$(id -u)" = 0 ] || { echo "demo: loading BPF programs needs root" >&2 && exit 2; }

declare -A address=([a]=10.83.0.1 [b]=10.83.0.2)
agents=()
space() { echo "heddle-demo-$$-$1"; }
# on NODE COMMAND...: `ip netns exec` would hide the cgroups.
on() { nsenter --net="/run/netns/$(space "$1")" -- "${@:2}"; }
# as NODE WORKLOAD COMMAND...
as() { "$bin/heddle" exec --control "$work/$1/control.sock" "$2" -- nsenter --net="/run/netns/$(space "$1")" -- "${@:3}"; }

end_nodes() {
  local status=$? pid node
  trap '' INT TERM HUP
  for pid in "${server_pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for node in a b; do "$bin/heddle" detach --control "$work/$node/control.sock" >/dev/null 2>&1 || true; done
  for pid in "${agents[@]}" "${server_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  server_pids=()
  for node in a b; do ip netns del "$(space $node)" 2>/dev/null || true; done
  (exit "$status")
  end
}

make_node() {
  ip netns add "$(space "$1")"
  ip -n "$(space "$1")" link set lo up
  mkdir -p "$work/$1/identities" "$cgroup_root/$1"/{web,batch,reviews}.service
}

join_nodes() {
  ip link add "hd$$a" netns "$(space a)" type veth peer name "hd$$b" netns "$(space b)"
  local node
  for node in a b; do
    ip -n "$(space $node)" addr add "${address[$node]}/24" dev "hd$$$node"
    ip -n "$(space $node)" link set "hd$$$node" up
    # The address of a service is nobody's; but somebody has to be on the way there.
    ip -n "$(space $node)" route add default dev "hd$$$node"
  done
}

start_node() {
  on "$1" setsid "$bin/heddled" --bundle "$work/shop.bundle" --cgroup-root "$cgroup_root/$1" --control "$work/$1/control.sock" \
    --identities "$work/$1/identities" >"$work/$1/heddled.log" 2>&1 &
  agents+=($!)
  until_true "the agent of node $1 is ready" "$bin/heddle" status --control "$work/$1/control.sock"
}

# note WHAT OUTCOME WANTED
note() {
  local verdict=ok
  [ "$2" = "$3" ] || { verdict="expected $3" && unexpected=$((unexpected + 1)); }
  printf '%-62s %-10s %s\n' "$1" "$2" "$verdict"
}

# ask WORKLOAD METHOD TARGET WANTED
ask() {
  local outcome
  outcome=$(as a "$1" curl -s -m 20 -o "$work/body" -w '%{http_code}' -X "$2" "http://10.96.83.1$3") || outcome="failed($?)"
  note "$2 $3 from $1" "$outcome" "$4"
}

# refuse WHAT RULE CURL-OPTIONS...: somebody dials the other node's port of tunnels; its log names the rule that he broke.
refuse() {
  local end=$((SECONDS + patience)) found=no
  while [ "$found" = no ] && [ "$SECONDS" -lt "$end" ]; do
    on a curl -sk -m 5 "${@:3}" https://10.83.0.2:15008/ >/dev/null 2>&1 || true
    if grep -q "\[$2\]" "$work/b/heddled.log"; then found=refused; fi
  done
  note "$1 [$2]" "$found" refused
}

# What the wire carries while somebody asks.
watch() {
  on b python3 -c '
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((sys.argv[1], 0))
wire.settimeout(2)
print("ready", flush=True)
seen = b""
try:
    while True:
        seen += wire.recv(65536)
except TimeoutError:
    pass
print("plaintext" if any(text in seen for text in (b"HTTP/1.1", b"five stars", b"/7")) else "none" if len(seen) > 300 else "nothing at all")
' "hd$$b"
}

begin
trap end_nodes EXIT
unexpected=0
make_node a
make_node b
join_nodes
"$bin/heddle" test "$here/policy" "$here/env" --engine evaluator || unexpected=1
"$bin/heddle" build "$here/policy" "$here/env" -o "$work/shop.bundle" >/dev/null

"$bin/heddle" ca init "$work/ca" --trust-domain shop.example
"$bin/heddle" ca issue "$work/ca" ns/shop/sa/web ns/shop/sa/batch --out "$work/a/identities" --ttl 1h
"$bin/heddle" ca issue "$work/ca" ns/shop/sa/reviews --out "$work/b/identities" --ttl 1h
start_node a
start_node b
mkdir -p "$work/nginx"
as b reviews "$peers/nginx" -e stderr -p "$work/nginx" -c "$here/servers/reviews.conf" </dev/null >"$work/server.log" 2>&1 &
server_pids+=($!)
until_true "nginx answers" on b bash -c 'exec 3<>/dev/tcp/10.83.0.2/9080'

printf '\n%-62s %-10s\n' "from node a to node b" outcome
ask web GET /7 200
ask web POST /7 403
ask batch GET /7 403
ask batch GET /all 200

watch >"$work/wire" &
watcher=$!
until_true "the wire is watched" grep -q ready "$work/wire"
ask web GET /7 200
wait "$watcher"
note "plaintext between the nodes" "$(tail -n 1 "$work/wire")" none

"$bin/heddle" ca init "$work/other-ca" --trust-domain other.example >/dev/null
"$bin/heddle" ca issue "$work/other-ca" ns/shop/sa/web --out "$work/other" --ttl 1h >/dev/null
refuse "a client without a certificate" no-certificate
other=$(find "$work/other" -mindepth 1 -maxdepth 1 -type d)
refuse "a client of another trust domain" unknown-trust-domain --cert "$other/svid.pem" --key "$other/key.pem"
ask web GET /7 200

if [ "$unexpected" != 0 ]; then
  printf '\n%s not as expected\n' "$unexpected"
  exit 1
fi
printf '\nall as expected\n'
