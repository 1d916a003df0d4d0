#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/agent/listeners.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"

namespace heddle::agent {

/// A network namespace, held open.
struct Network {
  UniqueFd fd;
  std::uint64_t inode = 0;

  static std::optional<Network> open(const std::string& path);
  static std::string path_of(std::uint32_t process) { return "/proc/" + std::to_string(process) + "/ns/net"; }
  static std::string path_of(std::uint32_t process, std::uint32_t thread);
};

/// Inode of the namespace at such a path; 0: it is gone.
std::uint64_t find_network(const std::string& path);

/// Namespaces that were given a name, by `ip netns` or a container engine.
std::vector<std::string> named_networks();

/// What the handler would listen on there; the cookie is known even if there can be no listeners.
struct Visit {
  std::uint64_t cookie = 0;
  Result<Listeners> listeners = Error{};
};
/// From a thread that lives no longer: this one stays where it is.
Visit make_listeners_in(const Network& network, std::size_t workers, hd_listener liked);
/// 0: it cannot be entered.
std::uint64_t find_cookie_of(const Network& network);

}  // namespace heddle::agent
