#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace heddle::agent {

/// Processes in a cgroup and in those below it.
std::vector<pid_t> processes_below(const std::string& cgroup);

}  // namespace heddle::agent
