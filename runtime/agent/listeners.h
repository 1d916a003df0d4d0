#pragma once

#include <cstdint>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"

namespace heddle::agent {

/// The sockets that the hooks lead clients to whose connections the handler decides: for each worker one on 127.0.0.1 and one on
/// ::1, and the same once more for clients who may wait for the server's first word. All of one kind are on one port. The supervisor
/// keeps them open: what arrives while a worker is restarted waits.
struct Listeners {
  /// In the order of handler::ListenFd.
  struct Set {
    UniqueFd four;
    UniqueFd six;  // none: this machine has no IPv6
    UniqueFd early_four;
    UniqueFd early_six;

    /// All of them. Without IPv6 the listeners of IPv4 stand in for the others: two descriptors of one queue do no harm.
    [[nodiscard]] std::vector<int> fds() const;
  };
  std::vector<Set> sets;
  hd_listener ports{};
  std::uint64_t netns_cookie = 0;

  /// In the namespace of the calling thread; on ports that are `liked`, if they are free.
  static Result<Listeners> make(std::size_t workers, hd_listener liked = {});
};

/// Where other nodes come with tunnels: for each worker on one port of all addresses of the calling thread's namespace.
struct TunnelListeners {
  struct Pair {
    UniqueFd four;
    UniqueFd six;  // none: this machine has no IPv6
  };
  std::vector<Pair> pairs;

  static Result<TunnelListeners> make(std::size_t workers, std::uint16_t port);
};

/// The cookie of the calling thread's network namespace.
Result<std::uint64_t> find_netns_cookie();

}  // namespace heddle::agent
