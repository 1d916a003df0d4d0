#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/bundle/manifest.h"
#include "runtime/loader/cgroup_tree.h"

namespace heddle::agent {

/// A TCP connection that a workload's process has.
struct OpenConnection {
  std::string workload;
  pid_t pid = 0;
  std::uint64_t inode = 0;
  std::string local;
  std::string remote;
};

/// Established connections of the processes in the workloads' cgroups, from /proc. What they opened before
/// the programs were attached was never decided.
std::vector<OpenConnection> list_connections(const loader::CgroupTree& tree,
                                             const bundle::Manifest& manifest);

/// Those of `before` that are still open.
std::vector<OpenConnection> still_open(const std::vector<OpenConnection>& before);

}  // namespace heddle::agent
