#include "runtime/agent/processes.h"

#include <filesystem>
#include <sstream>

#include "runtime/base/file.h"

namespace heddle::agent {

std::vector<pid_t> processes_below(const std::string& cgroup) {
  std::vector<pid_t> pids;
  std::istringstream lines(read_text(cgroup + "/cgroup.procs"));
  for (pid_t pid = 0; lines >> pid;) pids.push_back(pid);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(cgroup, error)) {
    if (!entry.is_directory(error)) continue;
    const std::vector<pid_t> below = processes_below(entry.path());
    pids.insert(pids.end(), below.begin(), below.end());
  }
  return pids;
}

}  // namespace heddle::agent
