#pragma once

#include <cstdint>

#include "runtime/base/result.h"

namespace heddle::handler {

/// Gives up everything that makes a process more than a stranger, for good: becomes `user` and `group`
/// without other groups, without capabilities (bounding and ambient sets included), never to gain any
/// (no_new_privs), and not to be traced by its equals. Checks afterwards that it is so. `user` 0 is refused.
[[nodiscard]] Result<void> drop_privileges(std::uint32_t user, std::uint32_t group);

/// Leaves the process the system calls that serving takes. What is not among them fails with EPERM; what only
/// somebody would call who took the process over kills it.
[[nodiscard]] Result<void> restrict_system_calls();

}  // namespace heddle::handler
