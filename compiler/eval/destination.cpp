#include "compiler/eval/destination.h"

#include <algorithm>

namespace heddle::eval {

std::optional<Destination> find_destination(const model::Policy& policy,
                                            const model::SocketAddress& address) {
  for (model::ServiceId id = 0; id < policy.services.size(); ++id) {
    if (std::ranges::count(policy.services[id].addresses, address) > 0) return Destination{id, std::nullopt};
  }
  return find_server(policy, address);
}

std::optional<Destination> find_server(const model::Policy& policy, const model::SocketAddress& address) {
  for (model::ServiceId id = 0; id < policy.services.size(); ++id) {
    const auto& endpoints = policy.services[id].endpoints;
    for (std::uint32_t endpoint = 0; endpoint < endpoints.size(); ++endpoint) {
      if (endpoints[endpoint].address == address) return Destination{id, endpoint};
    }
  }
  return std::nullopt;
}

}  // namespace heddle::eval
