#pragma once

#include <cstdint>
#include <vector>

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

  static Result<Listeners> make(std::size_t workers);
};

}  // namespace heddle::agent
