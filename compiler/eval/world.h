#pragma once

#include <cstdint>
#include <map>

#include "compiler/model/address.h"

namespace heddle::eval {

/// How an endpoint is when a request is decided.
struct EndpointState {
  bool unhealthy = false;
  bool ejected = false;
  std::uint32_t in_flight = 0;  // requests decided for it whose response has not ended
};

/// Endpoints that are not in it are healthy and idle.
using World = std::map<model::SocketAddress, EndpointState>;

}  // namespace heddle::eval
