# What the demos share: cgroups, agent and servers that are gone afterwards, requests and their table. Bash, curl and
# nothing else, because it runs in the guests of the kernel matrix too. Sourced; needs $bin, $peers and $patience.

die() { echo "demo: $*" >&2 && exit 1; }

work='' control='' cgroup_root='' agent='' workloads='' unexpected=0
server_pids=()

# Own cgroup root and control socket: several demos, and a real heddled, can run side by side.
begin() {
  local mount
  mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
  [ -n "$mount" ] || die "no cgroup v2 is mounted; as root: mount -t cgroup2 cgroup2 /sys/fs/cgroup"
  work=$(mktemp -d "${TMPDIR:-/tmp}/heddle-demo.XXXXXX")
  chmod 755 "$work"
  control=$work/control.sock
  cgroup_root=$mount/${work##*/}
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  trap end EXIT
  mkdir "$cgroup_root"
}

end() {
  local status=$?
  trap '' INT TERM HUP
  stop_all
  rm -rf "$work"
  trap - EXIT
  exit "$status"
}

# Ends servers, agent, programs, pins and cgroups; also after half a start.
stop_all() {
  local pid
  for pid in "${server_pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${server_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  server_pids=()
  if [ -n "$agent" ]; then
    "$bin/heddle" detach --control "$control" >/dev/null 2>&1 || true
    kill -TERM "$agent" 2>/dev/null || true
    wait "$agent" 2>/dev/null || true
    agent=
  fi
  remove_cgroups
}

# Whoever is still in one of our cgroups was started by us. An emptied cgroup can be removed a moment later.
remove_cgroups() {
  local end=$((SECONDS + 10)) pids
  while [ -d "$cgroup_root" ]; do
    pids=$(find "$cgroup_root" -name cgroup.procs -exec cat {} + 2>/dev/null || true)
    # shellcheck disable=SC2086
    if [ -n "$pids" ]; then kill -KILL $pids 2>/dev/null || true; fi
    find "$cgroup_root" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    [ "$SECONDS" -lt "$end" ] || { echo "demo: $cgroup_root cannot be removed" >&2 && return; }
    [ ! -d "$cgroup_root" ] || sleep 0.05
  done
}

# make_cgroups FILES...: one for each workload.
make_cgroups() {
  workloads=$(sed -nE 's/^ *workload +([^ ]+) .*cgroup +"([^"]+)".*/\1 \2/p' "$@")
  local workload path
  while read -r workload path; do mkdir -p "$cgroup_root/$path"; done <<<"$workloads"
}
cgroup_of() { awk -v wanted="$1" '$1 == wanted { print $2 }' <<<"$workloads"; }

# until_true WHAT COMMAND...: asks again until it is so, at most $patience seconds.
until_true() {
  local what=$1 end=$((SECONDS + patience))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ] || { [ -n "$agent" ] && ! kill -0 "$agent" 2>/dev/null; }; then
      tail -n 20 "$work"/*.log >&2 2>/dev/null || true
      die "not so after $((SECONDS - end + patience)) seconds: $what"
    fi
    sleep 0.1
  done
}

start_heddled() {
  # A session of its own: Ctrl-C is for the demo, which then ends the agent in the right order.
  setsid "$bin/heddled" --bundle "$1" --cgroup-root "$cgroup_root" --control "$control" >"$work/heddled.log" 2>&1 &
  agent=$!
  until_true "heddled is ready" "$bin/heddle" status --control "$control"
}

exec_as() {
  local workload=$1
  shift
  if [ -n "$agent" ]; then
    "$bin/heddle" exec --control "$control" "$workload" -- "$@"
  else
    # Nobody to ask: into its cgroup by hand.
    bash -c 'echo $$ >"$0" && exec "$@"' "$cgroup_root/$(cgroup_of "$workload")/cgroup.procs" "$@"
  fi
}

# What --break does: everything stays but the programs, and the agent that would attach them again.
detach_programs() {
  "$bin/heddle" detach --control "$control" >/dev/null
  wait "$agent" || true
  agent=
}

# start_servers TOPOLOGY CONFIGURATIONS
start_servers() {
  local workload program configuration address
  while read -r workload program configuration address; do
    mkdir -p "$work/servers/$configuration"
    start_server "$workload" "$program" "$2/$configuration" "$work/servers/$configuration"
  done < <(grep -vE '^(#|$)' "$1")
  while read -r workload program configuration address; do
    until_true "$workload answers at $address" answers_at "$address"
  done < <(grep -vE '^(#|$)' "$1")
}

# Somebody accepts connections there.
answers_at() {
  local host=${1%:*}
  host=${host#[}
  (: <"/dev/tcp/${host%]}/${1##*:}")
}

start_server() {
  local command
  case "$2" in
    nginx) command=("$peers/nginx" -e stderr -p "$4" -c "$3") ;;
    redis-server) command=("$peers/redis-server" "$3" --dir "$4") ;;
    *) die "unknown server $2" ;;
  esac
  # In its cgroup before it is the server: nothing it does escapes the mesh. `heddle exec` becomes the command.
  "$bin/heddle" exec --control "$control" "$1" -- "${command[@]}" </dev/null >>"$work/server.log" 2>&1 &
  server_pids+=($!)
}

# address_of SERVICE FILES...: where clients find it.
address_of() {
  local service=$1
  shift
  awk -v wanted="$service" '$1 == "service" { name = $2 } $1 == "address" && name == wanted { print $2; exit }' "$@"
}

# workload_of IDENTITY FILES...: one that has it.
workload_of() {
  local identity=$1
  shift
  sed -nE "s/^ *workload +([^ ]+) .*identity +$identity( .*|\}.*)?$/\1/p" "$@" | head -n 1
}

# send_requests REQUESTS POLICY...: sends each line, prints the table, counts in $unexpected.
send_requests() {
  local requests=$1 line request expected
  shift
  unexpected=0
  printf '\n%-78s %-10s %-26s %s\n' request outcome "rule" ""
  while read -r line; do
    request=$(sed -E 's/ *=>.*//' <<<"$line")
    expected=$(sed -E 's/.*=> *//' <<<"$line")
    outcome='' rule='-' body=''
    send_one "$request" "$@"
    judge "$request" "$expected"
  done < <(grep -vE '^(#|$)' "$requests")
}

# send_one REQUEST POLICY...: sets $outcome (status, `connected` or `refused`), $rule and $body.
send_one() {
  local request=$1 service from workload address
  shift
  service=$(sed -nE 's/^(.*" |connect )to ([^ ]+) .*/\2/p' <<<"$request")
  from=$(sed -nE 's/^(.*" |connect )to [^ ]+ from ([^ ]+).*/\2/p' <<<"$request")
  workload=$(workload_of "$from" "$@")
  address=$(address_of "$service" "$@")
  [ -n "$workload" ] && [ -n "$address" ] || die "cannot tell who sends this to where: $request"
  case "$request" in
    connect\ *) send_connect "$workload" "$address" ;;
    *) send_http "$request" "$workload" "$service" "$address" ;;
  esac
}

send_connect() {
  local status=0
  body=$(exec_as "$1" bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "PING\r\n" >&3 && read -r -t 5 line <&3 && echo "$line"' \
    connect "${2%:*}" "${2##*:}" 2>"$work/error") || status=$?
  if [ "$status" = 0 ]; then
    outcome=connected
  elif grep -q 'Connection refused' "$work/error"; then
    outcome=refused
  else
    outcome="failed($status)"
  fi
}

send_http() {
  local method target headers=(-H "host: $3") rest name_value='with header "([^"]*)" "([^"]*)"(.*)'
  [[ $1 =~ ^([A-Z]+)\ \"([^\"]*)\"(.*)$ ]] || die "not understood: $1"
  method=${BASH_REMATCH[1]} target=${BASH_REMATCH[2]} rest=${BASH_REMATCH[3]}
  while [[ $rest =~ $name_value ]]; do
    headers+=(-H "${BASH_REMATCH[1]}: ${BASH_REMATCH[2]}")
    rest=${BASH_REMATCH[3]}
  done
  counters >"$work/before"
  outcome=$(exec_as "$2" curl -s -g -m 20 --path-as-is -X "$method" "${headers[@]}" -D "$work/headers" -o "$work/body" \
    -w '%{http_code}' "http://$4$target" 2>"$work/error") || outcome="failed($?)"
  body=$(cat "$work/body" 2>/dev/null || true)
  rule=$(tr -d '\r' <"$work/headers" 2>/dev/null | sed -nE 's/^x-heddle-rule: *//Ip' | head -n 1)
  # What is passed on carries no header of ours; its rule is the one of the service's route whose counter moved.
  if [ -z "$rule" ]; then
    counters >"$work/after"
    rule=$(grep -vxFf "$work/before" "$work/after" | cut -f 1 | grep "^route $3/" | paste -s -d , || true)
  fi
  rm -f "$work/headers" "$work/body"
}

# Every rule, a tab, and how often it decided. The keys of a rule's object are in alphabetical order.
counters() {
  [ -n "$agent" ] || return 0
  "$bin/heddle" status --control "$control" --format json | tr -d '\n' | tr '{}' '\n\n' |
    sed -nE 's/.*"decisions": *([0-9]+).*"id": *"([^"]+)".*/\2\t\1/p'
}

# judge REQUEST `STATUS RULE [BODY]`: one line of the table.
judge() {
  local wanted_outcome wanted_rule='' wanted_body='' verdict=ok
  if [[ $2 =~ ^([^ ]+)\ +(-|\"([^\"]*)\")(\ +\"([^\"]*)\")?$ ]]; then
    wanted_outcome=${BASH_REMATCH[1]} wanted_rule=${BASH_REMATCH[3]} wanted_body=${BASH_REMATCH[5]}
  else
    die "not understood: $2"
  fi
  [ "$outcome" = "$wanted_outcome" ] || verdict="expected $wanted_outcome"
  if [ -n "$wanted_rule" ] && [ "$rule" != "$wanted_rule" ]; then verdict="expected $wanted_rule"; fi
  if [ -n "$wanted_body" ] && ! [[ $body =~ $wanted_body ]]; then verdict="expected \`$wanted_body\`, got \`${body:0:60}\`"; fi
  [ "$verdict" = ok ] || unexpected=$((unexpected + 1))
  if [ -z "$wanted_rule" ]; then rule=-; fi
  printf '%-78s %-10s %-28s %s\n' "$1" "$outcome" "$rule" "$verdict"
}
