#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "compiler/eval/outcome.h"

namespace heddle::eval {

/// Whom the slots of a pool belong to (`balance maglev`), by its endpoints' addresses and weights alone. What follows from
/// one policy, found when it is first asked for.
class MaglevSlots {
 public:
  using Slots = std::vector<const model::Endpoint*>;

  const Slots& of(const model::Policy& policy, const Pool& pool);

 private:
  std::map<std::pair<model::ServiceId, std::int64_t>, Slots> found_;
};

/// The number of the slot that a draw, or the digest of a value, begins at.
std::size_t first_slot(std::uint64_t draw, std::size_t slots);

}  // namespace heddle::eval
