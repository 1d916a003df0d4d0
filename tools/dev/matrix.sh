# Debian's kernels under QEMU. Sourced by ./dev.

# The kernels a user of Debian 12 runs: its own, and the newer one of its updates.
matrix_kernels=(6.1=linux-image-cloud-amd64 6.12=linux-image-6.12-cloud-amd64)

matrix_command() {
  deps test
  unpack_peers
  build dev
  matrix "$@"
}

# matrix [--kernel VERSION]
matrix() {
  say "kernels under QEMU"
  local entry
  for entry in "${matrix_kernels[@]}"; do
    fetch_kernel "${entry%%=*}" "${entry#*=}"
  done
  python3 tests/matrix/run.py --kernels build/matrix --bin build/bin --reports build/reports --log build/log "$@"
}

# The meta-package names the current kernel; that one is unpacked, not installed.
fetch_kernel() {
  local version=$1 folder="$root/build/matrix/$1" package
  package=$(apt-cache depends "$2" 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image/ { print $2; exit }')
  if [ -z "$package" ]; then
    compgen -G "$folder/boot/vmlinuz-*" >/dev/null && return
    die "apt-get knows no package $2" "run apt-get update as root"
  fi
  [ -e "$folder/.$package" ] && return
  say "unpacking $package below build/matrix/ (30 MB)"
  rm -rf "$folder"
  mkdir -p "$folder"
  (cd "$folder" && apt-get download -qq "$package" 2>/dev/null) || die "apt-get cannot download $package"
  dpkg-deb --fsys-tarfile "$folder/$package"_*.deb | tar -x -C "$folder" ./boot
  rm -f "$folder"/*.deb
  touch "$folder/.$package"
}
