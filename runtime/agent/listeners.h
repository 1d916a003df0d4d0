#pragma once

#include <cstdint>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"

namespace heddle::agent {

/// The sockets that the hooks lead clients of http services to: for each worker one on 127.0.0.1 and one on
/// ::1, all of one family on one port. The supervisor keeps them open: what arrives while a worker is
/// restarted waits.
struct Listeners {
  struct Pair {
    UniqueFd four;
    UniqueFd six;  // none: this machine has no IPv6
  };
  std::vector<Pair> pairs;
  std::uint16_t port4 = 0;
  std::uint16_t port6 = 0;
  std::uint64_t netns_cookie = 0;

  /// In the namespace of the calling thread; on ports that are `liked`, if they are free.
  static Result<Listeners> make(std::size_t workers, hd_listener liked = {});
  [[nodiscard]] hd_listener ports() const { return {port4, port6}; }
};

/// The cookie of the calling thread's network namespace.
Result<std::uint64_t> find_netns_cookie();

}  // namespace heddle::agent
