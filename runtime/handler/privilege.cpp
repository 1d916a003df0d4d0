#include "runtime/handler/privilege.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace heddle::handler {

namespace {

Error failure(const char* what) {
  return Error{ErrorKind::permission, std::string("cannot ") + what + ": " + std::strerror(errno), ""};
}

__user_cap_header_struct own_capabilities() {
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  return header;
}

/// Needs CAP_SETPCAP, so it comes before everything else; a process that has none of it has nothing to bound.
Result<void> empty_bounding_set() {
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
      return failure("empty the bounding set of capabilities");
  }
  return {};
}

Result<void> become(std::uint32_t user, std::uint32_t group) {
  if (::setgroups(0, nullptr) != 0) return failure("leave all groups");
  if (::setresgid(group, group, group) != 0) return failure("change the group");
  if (::setresuid(user, user, user) != 0) return failure("change the user");
  return {};
}

Result<void> empty_capabilities() {
  __user_cap_header_struct header = own_capabilities();
  const __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return failure("drop capabilities");
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    return failure("drop ambient capabilities");
  return {};
}

bool is_stranger(std::uint32_t user, std::uint32_t group) {
  uid_t users[3];
  gid_t groups[3];
  if (::getresuid(&users[0], &users[1], &users[2]) != 0 ||
      ::getresgid(&groups[0], &groups[1], &groups[2]) != 0) {
    return false;
  }
  for (const uid_t each : users) {
    if (each != user) return false;
  }
  for (const gid_t each : groups) {
    if (each != group) return false;
  }
  __user_cap_header_struct header = own_capabilities();
  __user_cap_data_struct data[2];
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  for (const auto& part : data) {
    if ((part.effective | part.permitted | part.inheritable) != 0) return false;
  }
  return ::getgroups(0, nullptr) == 0 && ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

}  // namespace

Result<void> drop_privileges(std::uint32_t user, std::uint32_t group) {
  if (user == 0 || group == 0) {
    return Error{ErrorKind::permission, "a worker does not run as root",
                 "give it a user and a group of its own"};
  }
  if (::geteuid() == 0) {
    if (Result<void> done = empty_bounding_set(); !done) return done;
    if (Result<void> done = become(user, group); !done) return done;
  }
  if (Result<void> done = empty_capabilities(); !done) return done;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure("set no_new_privs");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failure("forbid tracing");
  if (!is_stranger(user, group)) {
    return Error{ErrorKind::permission, "the process kept privileges that it should have lost", ""};
  }
  return {};
}

}  // namespace heddle::handler
