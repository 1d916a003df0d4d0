# ./dev test: everything, counted in one line at the end. Sourced by ./dev.

run_tests() {
  local filter=()
  while [ $# -gt 0 ]; do
    case "$1" in
      --long) export HEDDLE_LONG=1 ;;
      -R) filter=(-R "${2:?-R needs a regular expression}") && shift ;;
      *) die "test: unknown argument \`$1\`" ;;
    esac
    shift
  done
  require_root
  say "./dev test: packages (up to 2 GB installed), two builds (2 GB below build/), tests and two kernels under QEMU;" \
    "about 20 minutes on 2 CPUs the first time"
  deps test
  unpack_peers
  build dev
  # A sanitizer finds nothing in a test that was not run: both builds come first, so that a failure shows early.
  build asan

  rm -rf build/reports
  mkdir -p build/reports/dev build/reports/asan
  local failed=0
  say "tests"
  run_ctest dev "${filter[@]}" || failed=1
  say "AddressSanitizer and UndefinedBehaviorSanitizer: everything that needs no BPF"
  run_ctest asan "${filter[@]}" || failed=1
  if [ ${#filter[@]} -eq 0 ]; then
    (source tools/dev/matrix.sh && matrix) || failed=1
    compgen -G 'build/reports/matrix-*.txt' >/dev/null || echo "fail it did not run" >build/reports/matrix-none.txt
  fi
  if [ -n "${HEDDLE_LONG:-}" ] && [ ${#filter[@]} -eq 0 ]; then mutants || failed=1; fi
  python3 tools/dev/summary.py build/reports || failed=1
  return $failed
}

# run_ctest PRESET ARGS...: as root, because BPF is; what it writes below build/ is handed back to the caller.
run_ctest() {
  local preset=$1 report="$root/build/reports/$1" status=0
  shift
  rm -rf "build/$preset/reports"
  as_root env ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 \
    ctest --test-dir "build/$preset" -j "$(nproc)" --output-on-failure --no-tests=error \
    --output-junit "$report/ctest.xml" "$@" || status=$?
  cp "build/$preset"/reports/*.xml "$report/" 2>/dev/null || true
  [ "$(id -u)" = 0 ] || as_root chown -R "$(id -u):$(id -g)" build
  return $status
}

mutants_command() {
  require_root
  deps test
  unpack_peers
  build dev
  mutants "$@"
}

# Patches that each take out a guard or get an operator wrong: what nobody notices is not tested. Half a minute each.
mutants() {
  say "mutants"
  as_root env -u HEDDLE_LONG python3 -B tests/mutants/run.py "$@"
}
