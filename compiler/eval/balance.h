#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/eval/maglev.h"
#include "compiler/eval/outcome.h"
#include "compiler/eval/world.h"

namespace heddle::eval {

/// What `balance` makes of a pool.
struct Choice {
  enum class Kind : std::uint8_t { endpoint, full, unhealthy };
  Kind kind = Kind::endpoint;
  std::vector<model::SocketAddress> endpoints;  // any of them may be the one
  std::optional<model::SocketAddress> drawn;    // the one, where the draw or a value says it
};

/// The endpoint of a pool that a request goes to.
///
/// Whoever is unhealthy or ejected is left out. Of the others those take part that have room for the request
/// within `at_most … connections`, and of these the near ones, if there are any; if none has, those where it may wait; if there is none of these either,
/// all are full. The draw is that of the value that `maglev` goes by, if the request has it.
Choice choose_endpoint(const model::Policy& policy, const Pool& pool, const World& world, std::uint64_t draw,
                       MaglevSlots& slots);

/// Whether the service prefers the endpoint: its label says the agent's own zone or node.
bool is_near(const model::Service& service, const model::Endpoint& endpoint, const Place& agent);

/// Whether an endpoint that was dialled itself has room for one more, or a place to wait.
bool has_room(const model::Service& service, const model::Endpoint& endpoint, const World& world);

}  // namespace heddle::eval
