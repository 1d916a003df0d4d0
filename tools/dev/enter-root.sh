#!/usr/bin/env bash
# enter-root.sh TREE CACHES CMD...: runs CMD in TREE/heddle as a user's Debian 12 would: own /proc, BPF file system,
# cgroup v2 at /sys/fs/cgroup. Started by ./dev fresh as first process of new mount and pid namespaces.
set -euo pipefail
tree=$1 caches=$2
shift 2

mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount -t sysfs sys "$tree/sys"
mount -t cgroup2 cgroup2 "$tree/sys/fs/cgroup"
mount -t bpf bpf "$tree/sys/fs/bpf"
mount --rbind /dev "$tree/dev"
mount -t tmpfs tmpfs "$tree/run"
mount -t tmpfs tmpfs "$tree/tmp"
# Packages that an earlier run downloaded, and what it compiled from the same files.
mkdir -p "$tree/var/cache/apt/archives" "$tree/root/.cache/ccache"
mount --bind "$caches/archives" "$tree/var/cache/apt/archives"
mount --bind "$caches/ccache" "$tree/root/.cache/ccache"
rm -f "$tree/etc/apt/apt.conf.d/docker-clean"

exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" LC_ALL=C.UTF-8 \
  CI="${CI:-}" HEDDLE_LONG="${HEDDLE_LONG:-}" \
  chroot "$tree" /bin/bash -c 'cd /heddle && exec "$@"' fresh "$@"
