#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "compiler/plan/plan.h"

namespace heddle::plan {

/// For each slot (enum hd_slot_number) the classes of its values: which bits hold in each, ascending. Of callers a class is a
/// workload, and the bits are identities.
using Classes = std::map<std::uint32_t, std::vector<std::vector<std::uint32_t>>>;

/// Rules as tables: for each class of each key a list of the alternatives that may hold, in their order.
struct Chooser {
  struct Key {
    std::uint32_t slot = 0;
    std::vector<std::uint32_t> lists;  // by class, indexes into Chooser::lists; of HD_SLOT_ALL and of an identity there is one
    /// Callers that are workloads are asked for their class, and all others for each identity by itself.
    [[nodiscard]] bool is_for_workloads() const { return slot < HD_SLOT_IDENTITY; }
    [[nodiscard]] bool is_for_peers() const { return slot != HD_SLOT_CALLER; }
  };
  std::vector<Alternative> alternatives;
  std::vector<std::vector<std::uint32_t>> lists;  // no two are equal
  std::vector<Key> keys;
};

/// None: as tables they would be too large, or a decision could take too long.
std::optional<Chooser> make_chooser(const std::vector<Decision>& decisions, const Classes& classes);

/// The formula with negations at its leaves only; constants, and `all` or `any` within the same, are gone. What never holds is
/// an `any` of nothing.
Formula normal_form(const Formula& formula);

}  // namespace heddle::plan
