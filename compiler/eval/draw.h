#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/policy.h"

namespace heddle::eval {

/// The share of a draw in the eyes of one rule, out of 1,000,000: the draw is mixed with the digest of the
/// rule's id, so that two splits do not choose alike. Pinned: the kernel computes the same.
std::uint32_t share_of(std::uint64_t draw, std::string_view rule_id);

/// The draw of all requests that have this value in common. Pinned, too.
std::uint64_t draw_of_value(std::string_view value);

/// The draw in the eyes of one thing that is drawn for. Pinned, too.
std::uint64_t mixed_draw(std::uint64_t draw, std::string_view name);

/// The part k where the weights before it sum to no more than the share and with it to more.
std::size_t part_of(const std::vector<model::SplitPart>& parts, std::uint32_t share);

/// What the faults of a rule are drawn under.
std::string delay_id(const std::string& rule_id);
std::string abort_id(const std::string& rule_id);

/// A draw whose share is `share` for that rule: the inverse of share_of.
std::uint64_t draw_for(std::uint32_t share, std::string_view rule_id);

/// What may be drawn of the faults of a rule: each with each.
struct FaultDraw {
  std::optional<bool> delayed;
  std::optional<bool> aborted;
};
std::vector<FaultDraw> fault_draws(const model::RouteRule& rule);

/// One draw for every part that can be taken at all.
std::vector<std::uint64_t> draws_of_all_parts(const model::RouteRule& rule);

}  // namespace heddle::eval
