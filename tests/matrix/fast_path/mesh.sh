# A mesh in a guest: heddled, checking servers and clients as processes in cgroups below the root. Sourced by checks.
set -euo pipefail

root=/sys/fs/cgroup/fast work=/tmp/fast control=/tmp/fast/control.sock
agent=''

die() {
  echo "$*"
  tail -n 20 "$work/heddled.log" || true
  exit 1
}

# in_cgroup NAME COMMAND...
in_cgroup() {
  local cgroup=$root/$1
  shift
  bash -c 'echo $$ >"$0" && exec "$@"' "$cgroup/cgroup.procs" "$@"
}

start_mesh() {
  mkdir -p "$work" "$root/web.service" "$root/server.service"
  mkfifo "$work/to" "$work/from"
  in_cgroup server.service checking_server v1=127.0.0.1:12001 v2=127.0.0.1:12002 'v3=[::1]:12003' <"$work/to" >"$work/from" &
  exec 8>"$work/to" 9<"$work/from"
  read -r _ <&9 # the ports: it listens
  heddled --bundle /fast/echo.bundle --control "$control" --cgroup-root "$root" --workers 2 2>"$work/heddled.log" &
  agent=$!
  for ((i = 0; i < 600; i++)); do
    if guest_client figures "$control" >"$work/figures" 2>/dev/null; then break; fi
    kill -0 "$agent" 2>/dev/null || die "heddled did not start"
    sleep 0.1
  done
  grep -q '^requests ' "$work/figures" || die "heddled never got ready"
}

stop_mesh() {
  kill -TERM "$agent" && wait "$agent" || true
  exec 8>&- 9<&-
  wait
  rm -rf "$work"
  rm -rf /sys/fs/bpf/heddle
  rmdir "$root"/* "$root" 2>/dev/null || true
}

# say_to_server COMMAND...: its answer, one line of JSON.
say_to_server() {
  echo "$*" >&8
  read -r answer <&9
  echo "$answer"
}

# number NAME TEXT: from JSON on one line, or from lines of NAME VALUE.
number() { grep -oE "(^|\")$1\"?:? +[0-9]+" <<<"$2" | grep -oE '[0-9]+$' | head -n 1; }

# expect_path MODE: it is on, and landing is known by MODE.
expect_path() {
  local on landing
  on=$(sed -n 's/^on //p' "$work/figures") landing=$(sed -n 's/^landing //p' "$work/figures")
  echo "fast path of heddled: on $on, landing by ${landing:-nothing}, reason '$(sed -n 's/^reason //p' "$work/figures")'"
  [ "$on" = true ] && [ "$landing" = "$1" ] || die "expected to be on, by $1"
}

passed='not_armed unread not_landed not_whole not_canonical answered no_link no_memory switched_off failed'

# expect_share NAME NOT_ARMED NO_LINK [LEAST]: since the last call at least 99 % were decided in the kernel (LEAST: of 10,000),
# but for so many first requests that are excused.
expect_share() {
  local before after name count requests rest=0 text=''
  before=$(cat "$work/figures") after=$(guest_client figures "$control")
  echo "$after" >"$work/figures"
  requests=$(($(number requests "$after") - $(number requests "$before")))
  for name in $passed; do
    count=$(($(number "$name" "$after") - $(number "$name" "$before")))
    [ "$count" = 0 ] || text+=", $count $name"
    case $name in
      not_armed) count=$((count > $2 ? count - $2 : 0)) ;;
      no_link) count=$((count > $3 ? count - $3 : 0)) ;;
      # A guest's CPU may be taken away between a response's last byte and its landing; that is not to be all the time.
      not_landed) count=$((count > 5 + requests / 50 ? count - 5 - requests / 50 : 0)) ;;
    esac
    rest=$((rest + count))
  done
  share=$((requests * 10000 / (requests + rest > 0 ? requests + rest : 1)))
  printf '%s: %d.%02d %% decided in the kernel: %d requests%s; first requests excused: %d not_armed, %d no_link\n' \
    "$1" $((share / 100)) $((share % 100)) "$requests" "$text" "$2" "$3"
  [ "$requests" -gt 0 ]
  [ "$share" -ge "${4:-9900}" ]
}

# expect_right NAME FIGURES COUNTERS...: all of these are 0.
expect_right() {
  local name=$1 found=$2 counter
  shift 2
  echo "$name:" $found
  for counter in "$@"; do [ "$(number "$counter" "$found")" = 0 ] || return 1; done
}

# Nothing came that was not allowed.
expect_checked() {
  local seen
  seen=$(say_to_server statistics)
  echo "servers: $seen"
  [ "$(number violations "$seen")" = 0 ]
}
