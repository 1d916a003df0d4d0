#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/handler/tls/identity.h"
#include "runtime/handler/tls/ticket_keys.h"

namespace heddle::tls {

/// What the agent, who may read keys, gives to its workers, who may open no file.
struct Handover {
  std::vector<std::shared_ptr<const Identity>> identities;
  TicketKeys ticket_keys;
};

std::vector<std::byte> pack(const Handover& handover);

/// An identity that has expired on the way is left out. Only what `pack` has not written is an error.
Result<Handover> unpack(std::span<const std::byte> bytes, std::int64_t now);

}  // namespace heddle::tls
