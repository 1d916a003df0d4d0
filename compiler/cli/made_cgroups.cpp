#include "compiler/cli/made_cgroups.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>

#include "runtime/base/file.h"

namespace heddle::cli {

Result<void> MadeCgroups::make(const bundle::Manifest& manifest) {
  for (const auto& workload : manifest.workloads) {
    if (workload.cgroup.find('*') != std::string::npos) continue;
    for (std::size_t end = 0; end != std::string::npos;) {
      end = workload.cgroup.find('/', end + 1);
      const std::string path = root_ + "/" + workload.cgroup.substr(0, end);
      if (::mkdir(path.c_str(), 0755) == 0) {
        made_.push_back(path);
      } else if (errno != EEXIST) {
        return system_error("cannot make cgroup `" + path + "` for workload `" + workload.name + "`", errno);
      }
    }
  }
  return {};
}

MadeCgroups::~MadeCgroups() {
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) {
    if (::rmdir(path->c_str()) == 0 || errno == ENOENT) continue;
    std::cerr << "heddle: cgroup `" << *path << "` is left: processes that were started there still run\n";
  }
}

}  // namespace heddle::cli
