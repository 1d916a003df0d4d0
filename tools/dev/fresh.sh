# A command from a clean clone in a minimal Debian 12. Sourced by ./dev.

# fresh CMD...: the committed main, in a root file system without anything of this machine but its package sources.
# All mounts and processes live in namespaces of their own, so nothing of them outlives the command.
fresh() {
  [ $# -gt 0 ] || die "fresh: which command?" "for example: ./dev fresh ./dev test"
  require_root
  if [ "$(id -u)" != 0 ]; then exec sudo --preserve-env=CI,HEDDLE_LONG,NO_COLOR -- "$root/dev" fresh "$@"; fi
  is_installed mmdebstrap || deps test
  local top="$root/build/fresh" tree first status=0
  mkdir -p "$top/archives/partial" "$top/ccache"
  say "a minimal Debian 12 below build/fresh (150 MB; with the packages and builds of ./dev test 5 GB)"
  make_base "$top/base.tar"
  tree=$(mktemp -d "$top/root.XXXXXX")
  trap "rm -rf --one-file-system '$tree'" EXIT
  chmod 755 "$tree"
  tar -x -C "$tree" -f "$top/base.tar"
  copy_network_settings "$tree"
  git -c safe.directory='*' clone -q --no-hardlinks "$root" "$tree/heddle"
  say "in the fresh root: $*"
  CI="${CI:-}" HEDDLE_LONG="${HEDDLE_LONG:-}" unshare --mount --propagation private --pid --fork --kill-child --uts --ipc \
    bash tools/dev/enter-root.sh "$tree" "$top" "$@" <&0 &
  first=$!
  # The first process of a pid namespace hears no Ctrl-C; with it everything in there ends.
  trap "kill -KILL $first 2>/dev/null" INT TERM HUP
  wait "$first" || status=$?
  trap - INT TERM HUP
  return $status
}

# Made once a week: older package lists name versions that the archive has dropped.
make_base() {
  if [ -n "$(find "$1" -mtime -7 2>/dev/null)" ]; then return 0; fi
  local sources
  sources=$(debian_sources)
  # shellcheck disable=SC2086
  mmdebstrap --quiet --format=tar --variant=minbase --include=ca-certificates bookworm "$1.new" $sources ||
    die "mmdebstrap could not make a Debian 12 root" "are the package sources of /etc/apt reachable?"
  mv "$1.new" "$1"
}

# This machine's own Debian sources; a mirror of them is used here too.
debian_sources() {
  local file
  for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    if [ -s "$file" ]; then echo "$file" && return; fi
  done
  die "no Debian package sources in /etc/apt"
}

# A proxy or a mirror's certificate of this machine is needed inside as well.
copy_network_settings() {
  local file
  cp /etc/resolv.conf /etc/hosts "$1/etc/"
  for file in $(grep -lisE 'proxy|verify-peer|ca-?info' /etc/apt/apt.conf /etc/apt/apt.conf.d/* || true); do
    cp "$file" "$1/etc/apt/apt.conf.d/"
  done
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"
    cat /usr/local/share/ca-certificates/*.crt >>"$1/etc/ssl/certs/ca-certificates.crt"
  fi
}
