#pragma once

#include <optional>
#include <string>

#include "compiler/eval/refusal.h"

namespace heddle::eval {

/// What is wrong with the name that a client of TLS asks for (RFC 6066, section 3: a DNS host name without a dot at its
/// end, and no IP address); nothing if it is one.
std::optional<Refusal> check_server_name(const std::string& name);

}  // namespace heddle::eval
