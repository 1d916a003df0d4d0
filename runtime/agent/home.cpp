#include "runtime/agent/home.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/loader/mounts.h"
#include "runtime/loader/node.h"

namespace heddle::agent {
namespace {

Result<void> join(const std::string& cgroup) {
  const UniqueFd procs(::open((cgroup + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (procs && ::write(procs.get(), "0", 1) == 1) return {};
  return system_error("cannot move into cgroup `" + cgroup + "`", errno);
}

}  // namespace

Result<Home> Home::settle(const std::string& cgroup_root) {
  const std::string before = loader::own_cgroup();
  if (before == cgroup_root || before.rfind(cgroup_root + "/", 0) == 0) return Home(before, "");
  const std::string own = cgroup_root + "/" + loader::agent_cgroup;
  if (::mkdir(own.c_str(), 0755) != 0 && errno != EEXIST)
    return system_error("cannot make cgroup `" + own + "`", errno);
  if (Result<void> joined = join(own); !joined) {
    ::rmdir(own.c_str());
    return joined.error();
  }
  return Home(before, own);
}

Home::Home(Home&& other) noexcept
    : before_(std::move(other.before_)), made_(std::exchange(other.made_, "")) {}

Home::~Home() {
  if (made_.empty() || !join(before_)) return;
  ::rmdir(made_.c_str());
}

}  // namespace heddle::agent
