#include "runtime/loader/mounts.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "runtime/base/file.h"

namespace heddle::loader {
namespace {

constexpr const char* bpffs = "/sys/fs/bpf";

bool is_on(const std::string& path, unsigned long magic) {
  struct statfs info{};
  return ::statfs(path.c_str(), &info) == 0 && static_cast<unsigned long>(info.f_type) == magic;
}

/// /proc/mounts writes blanks and backslashes as octal escapes.
std::string unescape(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

Result<std::string> find_cgroup2() {
  std::istringstream mounts(read_text("/proc/mounts"));
  std::string line;
  while (std::getline(mounts, line)) {
    std::istringstream fields(line);
    std::string device;
    std::string folder;
    std::string type;
    if (fields >> device >> folder >> type && type == "cgroup2") return unescape(folder);
  }
  return Error{ErrorKind::unsupported, "cgroup v2 is not mounted",
               "`mount -t cgroup2 none /sys/fs/cgroup/unified` (create the folder first), or boot with "
               "`systemd.unified_cgroup_hierarchy=1`"};
}

Result<std::string> resolve_cgroup_root(const std::string& folder) {
  std::string path = folder;
  if (path.empty()) {
    Result<std::string> mount = find_cgroup2();
    if (!mount) return mount;
    path = *mount;
  }
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) return system_error("cgroup root `" + path + "`", errno);
  struct stat info{};
  if (::stat(resolved, &info) != 0 || !S_ISDIR(info.st_mode) || !is_on(resolved, CGROUP2_SUPER_MAGIC)) {
    return Error{
        ErrorKind::usage, "cgroup root `" + path + "` is not a folder of cgroup v2",
        "`--cgroup-root` takes a folder below the mount of cgroup v2; `grep cgroup2 /proc/mounts` shows it"};
  }
  return std::string(resolved);
}

namespace {

std::string cgroup_in(const std::string& file) {
  const std::string text = "\n" + read_text(file);
  const std::size_t start = text.find("\n0::");
  Result<std::string> mount = find_cgroup2();
  if (start == std::string::npos || !mount) return {};
  const std::string path = text.substr(start + 4, text.find('\n', start + 4) - start - 4);
  return path == "/" ? *mount : *mount + path;
}

}  // namespace

std::string own_cgroup() {
  return cgroup_in("/proc/self/cgroup");
}

std::string cgroup_of(std::uint32_t process) {
  return cgroup_in("/proc/" + std::to_string(process) + "/cgroup");
}

Result<std::string> ensure_bpffs() {
  if (is_on(bpffs, BPF_FS_MAGIC)) return std::string(bpffs);
  if (::mount("bpf", bpffs, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, "mode=700") == 0) {
    return std::string(bpffs);
  }
  return Error{
      ErrorKind::unsupported,
      "bpffs is not mounted at `/sys/fs/bpf` and cannot be: " + std::string(std::strerror(errno)),
      "`mount -t bpf bpf /sys/fs/bpf` on the host; in a container also `-v /sys/fs/bpf:/sys/fs/bpf`"};
}

}  // namespace heddle::loader
