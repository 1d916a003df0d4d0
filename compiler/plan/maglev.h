#pragma once

#include <cstdint>
#include <vector>

#include "compiler/model/policy.h"

namespace heddle::plan {

/// Endpoints of one pool that `balance maglev` can tell apart: each has its slots.
inline constexpr std::size_t maglev_endpoints = 4096;
/// Slots of all pools of a policy together: 64 MiB.
inline constexpr std::size_t maglev_limit = std::size_t{1} << 24;

/// The slots that the values of requests are spread over, each with the place in `members` of its owner. It depends on the
/// addresses and weights alone: equal sets of endpoints have equal tables wherever and in what order they are written. Part
/// of what a policy means: docs/language.md ("Balance").
std::vector<std::uint32_t> maglev_slots(const std::vector<const model::Endpoint*>& members);

}  // namespace heddle::plan
