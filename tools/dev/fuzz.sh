# ./dev fuzz [MINUTES] [NAME...]: libFuzzer on every harness, together as long as said, and the lines that it came to.
# Sourced by ./dev.

# What each harness is about, as folders of sources, or files.
declare -A fuzzed=(
  [policy]="compiler/syntax compiler/sema compiler/eval"
  [evaluate]="compiler/eval"
  [bundle]="runtime/bundle"
  [http_request]="runtime/handler/http"
  [http_response]="runtime/handler/http"
  [http_chunked]="runtime/handler/http"
  [tls_hello]="runtime/handler/tls/client_hello.cpp"
  [tunnel]="runtime/handler/tunnel/session.cpp runtime/handler/tunnel/stream.cpp runtime/handler/tunnel/head.cpp runtime/handler/tunnel/pending.cpp"
  [tls_svid]="runtime/base/spiffe_id.cpp runtime/handler/tls/svid.cpp runtime/handler/tls/trust_bundle.cpp runtime/handler/tls/identity.cpp
    runtime/handler/tls/certificate.cpp"
)
# A policy takes a thousand times as long as a head, and its language is the largest of these.
declare -A fuzz_share=([policy]=10 [evaluate]=3 [bundle]=3 [http_request]=3 [http_response]=1 [http_chunked]=1 [tls_hello]=2 [tls_svid]=2 [tunnel]=2)

fuzz() {
  local minutes=60
  if [[ "${1:-}" =~ ^[0-9]+$ ]]; then minutes=$1 && shift; fi
  local names=("$@")
  [ ${#names[@]} -gt 0 ] || mapfile -t names < <(printf '%s\n' "${!fuzzed[@]}" | sort)
  local name shares=0 targets=()
  for name in "${names[@]}"; do
    [ -n "${fuzzed[$name]:-}" ] || die "fuzz: no harness is called \`$name\`" "there are ${!fuzzed[*]}"
    shares=$((shares + fuzz_share[$name]))
    targets+=("fuzz_$name" "libfuzz_$name")
  done
  deps fuzz
  # Whatever is built for coverage writes a profile wherever it runs.
  mkdir -p build/fuzz
  export LLVM_PROFILE_FILE="$root/build/fuzz/unused.profraw"
  build fuzz "${targets[@]}"
  local status=0
  for name in "${names[@]}"; do fuzz_one "$name" $((minutes * 60 * fuzz_share[$name] / shares)) || status=1; done
  fuzz_coverage "${names[@]}" || status=1
  return $status
}

# fuzz_one NAME SECONDS: what it finds is left in build/fuzz.
fuzz_one() {
  local name=$1 seconds=$2 corpus="build/fuzz/corpus/$1" bin=build/fuzz/tests/bin
  mkdir -p "$corpus"
  "$bin/fuzz_$name" --seeds "$corpus"
  say "$name: $seconds s"
  ASAN_OPTIONS=detect_leaks=0 "$bin/libfuzz_$name" "$corpus" -dict="$corpus.dict" \
    -max_total_time="$seconds" -max_len=70000 -timeout=60 -rss_limit_mb=6000 -artifact_prefix=build/fuzz/ -print_final_stats=1 \
    >"build/log/fuzz-$name" 2>&1 || { tail -n 40 "build/log/fuzz-$name" && return 1; }
  grep -E 'stat::number_of_executed_units|stat::new_units_added' "build/log/fuzz-$name"
}

# What all that was found to be worth keeping comes to, each harness for its folders.
fuzz_coverage() {
  local name profiles=() objects=() folders=() bin=build/fuzz/tests/bin
  for name in "$@"; do
    LLVM_PROFILE_FILE="build/fuzz/$name.profraw" ASAN_OPTIONS=detect_leaks=0 "$bin/libfuzz_$name" -runs=0 "build/fuzz/corpus/$name" \
      >"build/log/fuzz-coverage-$name" 2>&1
    profiles+=("build/fuzz/$name.profraw")
    objects+=(-object "$bin/libfuzz_$name")
    folders+=(${fuzzed[$name]})
  done
  llvm-profdata-19 merge -o build/fuzz/all.profdata "${profiles[@]}"
  llvm-cov-19 export -summary-only -instr-profile build/fuzz/all.profdata "${objects[@]:1}" >build/fuzz/coverage.json
  mapfile -t folders < <(printf '%s\n' "${folders[@]}" | sort -u)
  python3 - build/fuzz/coverage.json "${folders[@]}" <<'PY'
import json, os, sys
files = json.load(open(sys.argv[1]))["data"][0]["files"]
low = False
for folder in sys.argv[2:]:
    # Our files are told as if they lay where they are compiled; what ANTLR makes does lie there.
    names = {os.path.relpath(f["filename"]).removeprefix("build/fuzz/"): f["summary"]["lines"] for f in files}
    lines = [each for name, each in names.items() if (name == folder or name.startswith(folder + "/")) and "/generated/" not in name]
    count, covered = sum(l["count"] for l in lines), sum(l["covered"] for l in lines)
    share = 100 * covered / count if count else 0
    low = low or share < 80
    print(f"{folder:24} {covered:6} of {count:6} lines, {share:.1f} %{'' if share >= 80 else ': less than 80'}")
sys.exit(low)
PY
}
