#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "compiler/eval/token.h"
#include "compiler/model/address.h"

namespace heddle::eval {

/// What a decision is made from: a request as it came over the wire, or a connection to a tcp or tls service.
struct Request {
  std::optional<std::string> spiffe;  // full SPIFFE id of the peer; none: the request is unauthenticated
  std::optional<Token> user = {};     // who asks through it; none: no token, or none that a jwt identity knows
  model::SocketAddress source;        // of the client's socket
  model::SocketAddress destination;   // that the client dialled
  std::string head;        // raw bytes from the method to the empty line; of no meaning for tcp and tls services
  std::optional<std::string> sni = {};  // tls services: the name in the ClientHello, as it came; none: it has none
  std::uint64_t now_ns = 0;  // what the clock says, for limits
  std::optional<bool> delayed = {};  // what is drawn of a fault, where somebody says it
  std::optional<bool> aborted = {};
  std::uint64_t draw = 0;  // one number per request or connection, for splits and random balancing
  bool tunnelled = false;  // another node has let it go: `destination` is an endpoint, and limits were charged there
};

}  // namespace heddle::eval
