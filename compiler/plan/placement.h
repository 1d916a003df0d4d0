#pragma once

#include <cstdint>
#include <string>

#include "compiler/model/policy.h"

namespace heddle::plan {

/// The cheapest point that decides exactly what a rule says.
enum class Tier : std::uint8_t {
  connect,  // when a socket connects
  kernel,   // for each request, at the client's own socket
  handler   // for each request, in the socket handler
};

const char* tier_name(Tier tier);

struct Placement {
  Tier tier = Tier::kernel;
  std::string why;  // it is not a cheaper one; empty where there is nothing to say
};

/// What decides the requests of a service.
Placement placement(const model::Service& service, const model::Policy& policy);

/// The same for one rule of its route: what the mesh answers itself is the handler's to send.
Placement placement(const model::RouteRule& rule, const Placement& service);

/// `*` stands for a run without `/`.
bool holds(const model::Identity& identity, const model::SpiffePattern& caller);

}  // namespace heddle::plan
