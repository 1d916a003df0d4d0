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
  need_package_lists "$2"
  package=$(apt-cache depends "$2" 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image/ { print $2; exit }')
  if [ -z "$package" ]; then
    die "apt-get knows no package $2" "are the package sources of /etc/apt those of Debian 12, with its updates?"
  fi
  [ -e "$folder/.$package" ] && return
  say "unpacking $package below build/matrix/ (30 MB)"
  rm -rf "$folder"
  mkdir -p "$folder"
  download_packages "$folder" "$package"
  dpkg-deb --fsys-tarfile "$folder/$package"_*.deb | tar -x -C "$folder" ./boot
  rm -f "$folder"/*.deb
  touch "$folder/.$package"
}
