#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"

namespace heddle::emit {

/// First contents of one map, bytes as the kernel will have them.
struct Image {
  std::string name;
  bool hash = false;
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint32_t max_entries = 0;
  std::uint32_t count = 0;
  std::vector<std::byte> keys;  // hashes only
  std::vector<std::byte> values;
};

/// All tables of a generation, in a fixed order.
std::vector<Image> make_images(const plan::Tables& tables);

}  // namespace heddle::emit
