#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "compiler/model/address.h"

namespace heddle::eval {

/// How an endpoint is when a request is decided.
struct EndpointState {
  bool unhealthy = false;
  bool ejected = false;
  std::uint32_t in_flight = 0;  // requests decided for it whose response has not ended
};

/// Where the agent is that decides; empty: nobody said it.
struct Place {
  std::string zone;
  std::string node;
};

/// What a decision meets. Endpoints that are not in it are healthy and idle.
struct World {
  std::map<model::SocketAddress, EndpointState> endpoints = {};
  Place agent = {};
};

}  // namespace heddle::eval
