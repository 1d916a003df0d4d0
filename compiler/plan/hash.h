#pragma once

#include <cstdint>
#include <string_view>

namespace heddle::plan {

/// FNV-1a, 64 bits: the half of a draw that belongs to a rule or pool. Part of what a policy means: never
/// changes.
constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace heddle::plan
