# ./dev bench [ROW...] [--quick]: figures as ratios within one run. Sourced by ./dev.

bench() {
  # Wrong arguments show before anything is built; a fresh machine has no Python yet.
  local argument
  if command -v python3 >/dev/null; then HEDDLE_BIN_DIR=. python3 -B tests/bench/bench.py --plan "$@"; fi
  for argument in "$@"; do case "$argument" in --plan | --help | -h) return ;; esac; done
  require_root
  say "./dev bench: packages (up to 1.5 GB installed), three peers (150 MB below build/), an optimised build (1 GB);" \
    "about 10 minutes on 2 CPUs the first time. Then it measures, for at most 25 minutes"
  deps bench
  unpack_peers "${bench_peers[@]}"
  fetch_envoy
  build release heddle heddled bench_ceiling bench_pace bench_decide
  local status=0
  as_root env HEDDLE_BIN_DIR="$root/build/release/bin" python3 -B tests/bench/bench.py "$@" || status=$?
  [ "$(id -u)" = 0 ] || as_root chown -R "$(id -u):$(id -g)" build/bench
  return $status
}
