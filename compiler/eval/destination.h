#pragma once

#include <optional>

#include "compiler/model/policy.h"

namespace heddle::eval {

/// What an address that was dialled belongs to.
struct Destination {
  model::ServiceId service = 0;
  std::optional<std::uint32_t> endpoint;  // dialled directly; none: an address of the service
};

/// None: outside the mesh. An address of a service wins over an endpoint with the same address.
std::optional<Destination> find_destination(const model::Policy& policy, const model::SocketAddress& address);

/// What comes through a tunnel is for an endpoint, whatever else its address is. None: it is no endpoint's.
std::optional<Destination> find_server(const model::Policy& policy, const model::SocketAddress& address);

}  // namespace heddle::eval
