#include "runtime/loader/requirements.h"

#include <bpf/bpf.h>
#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/loader/mounts.h"

namespace heddle::loader {
namespace {

std::uint64_t effective_capabilities() {
  const std::string status = read_text("/proc/self/status");
  const std::size_t at = status.find("CapEff:");
  return at == std::string::npos ? 0 : std::strtoull(status.c_str() + at + 7, nullptr, 16);
}

bool is_in_container() {
  return ::access("/.dockerenv", F_OK) == 0 || ::access("/run/.containerenv", F_OK) == 0 ||
         read_text("/proc/1/environ").find("container=") != std::string::npos;
}

std::string missing_capabilities() {
  const std::uint64_t have = effective_capabilities();
  const auto has = [&](int number) { return ((have >> number) & 1U) != 0; };
  if (has(CAP_SYS_ADMIN) && has(CAP_NET_ADMIN)) return {};
  std::string missing;
  const auto need = [&](int number, const char* name) {
    if (has(number)) return;
    missing += missing.empty() ? "" : ", ";
    missing += name;
  };
  need(CAP_BPF, "CAP_BPF");
  need(CAP_NET_ADMIN, "CAP_NET_ADMIN");
  need(CAP_PERFMON, "CAP_PERFMON");
  need(CAP_SYS_ADMIN, "CAP_SYS_ADMIN (for fds of maps that are read-only)");
  return missing;
}

/// `6.1` as a pair; zero if it is not one.
std::pair<int, int> version_of(const char* text) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(text, "%d.%d", &major, &minor) != 2) return {0, 0};
  return {major, minor};
}

}  // namespace

Error bpf_refused() {
  const std::string missing = missing_capabilities();
  if (!missing.empty()) {
    return Error{ErrorKind::permission, "not allowed to use BPF: missing " + missing,
                 is_in_container()
                     ? "run as root on the host, or give the container `--privileged` (or `--cap-add` "
                       "BPF, NET_ADMIN, PERFMON and SYS_ADMIN)"
                     : "run it as root, for example with `sudo`"};
  }
  if (read_text("/sys/kernel/security/lockdown").find("[confidentiality]") != std::string::npos) {
    return Error{ErrorKind::permission, "not allowed to use BPF: the kernel is locked down (confidentiality)",
                 "boot without `lockdown=confidentiality`"};
  }
  return Error{
      ErrorKind::permission,
      "not allowed to use BPF although all capabilities are there: a container's seccomp filter or its user "
      "namespace forbids it",
      "run on the host, or give the container `--privileged` (or `--security-opt seccomp=unconfined`)"};
}

Result<void> check_machine() {
  if (!missing_capabilities().empty()) return bpf_refused();
  const UniqueFd probe(bpf_map_create(BPF_MAP_TYPE_ARRAY, "hd_probe", 4, 4, 1, nullptr));
  if (probe) return {};
  if (errno == ENOSYS) {
    return Error{ErrorKind::unsupported, "the kernel has no bpf() system call",
                 "use a kernel with CONFIG_BPF_SYSCALL"};
  }
  if (errno == EPERM || errno == EACCES) return bpf_refused();
  return system_error("cannot create a BPF map", errno);
}

Result<void> check_requirements(const bundle::Manifest& manifest) {
  utsname name{};
  ::uname(&name);
  const auto needed = version_of(manifest.requires_.kernel.c_str());
  if (version_of(name.release) < needed) {
    return Error{ErrorKind::unsupported,
                 "the bundle needs kernel " + manifest.requires_.kernel + ", this is " + name.release,
                 "use a newer kernel, for example Debian 12's 6.1"};
  }
  if (manifest.requires_.btf && ::access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return Error{ErrorKind::unsupported, "the kernel has no type information (`/sys/kernel/btf/vmlinux`)",
                 "use a kernel with CONFIG_DEBUG_INFO_BTF"};
  }
  if (manifest.requires_.cgroup2) {
    Result<std::string> mount = find_cgroup2();
    if (!mount) return mount.error();
  }
  return {};
}

}  // namespace heddle::loader
