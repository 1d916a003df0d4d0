#pragma once

#include <cstdint>
#include <string>

#include "runtime/base/result.h"

namespace heddle::loader {

/// Where cgroup v2 is mounted, from /proc/mounts: hybrid hierarchies have it in a folder of its own.
Result<std::string> find_cgroup2();

/// The folder as the kernel names it (no links, no final slash); an error unless it lies in cgroup v2. Empty:
/// the mount of cgroup v2.
Result<std::string> resolve_cgroup_root(const std::string& folder);

/// The folder of the process' own cgroup; empty if it cannot be told.
std::string own_cgroup();
/// That of a process.
std::string cgroup_of(std::uint32_t process);

/// Makes sure that bpffs is mounted at /sys/fs/bpf, mounts it if it is not, and returns the folder.
Result<std::string> ensure_bpffs();

}  // namespace heddle::loader
