# Compiling and formatting. Sourced by ./dev.

# build PRESET [TARGET...]
build() {
  local preset=$1 jobs
  shift
  jobs=$(build_jobs)
  if [ ! -e "build/$preset/build.ninja" ]; then
    say "first build of \`$preset\` with $jobs jobs: some minutes and about 1 GB below build/"
    cmake --preset "$preset" >"$(log_file "configure-$preset")" || die "cmake failed" "see build/log/configure-$preset"
  fi
  local targets=()
  [ $# -gt 0 ] && targets=(--target "$@")
  cmake --build "build/$preset" -j "$jobs" "${targets[@]}"
  if [ "$preset" = dev ]; then ln -sfn dev/bin build/bin; fi
}

# One job per CPU, fewer where memory is short: LLVM's and ANTLR's headers take up to 1 GB a compiler.
build_jobs() {
  local cpus by_memory
  cpus=$(nproc)
  by_memory=$(awk '/MemAvailable/ { print int($2 / 1200000) }' /proc/meminfo)
  [ "${by_memory:-1}" -lt 1 ] && by_memory=1
  echo $((cpus < by_memory ? cpus : by_memory))
}

log_file() {
  mkdir -p build/log
  echo "build/log/$1"
}

format_sources() {
  is_installed clang-format-19 || deps test
  local files
  mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.h' '*.c')
  [ ${#files[@]} -gt 0 ] || return 0
  if [ "${1:-}" = --check ]; then
    clang-format-19 --dry-run --Werror "${files[@]}"
  else
    clang-format-19 -i "${files[@]}"
  fi
}
