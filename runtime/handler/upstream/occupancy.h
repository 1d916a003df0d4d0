#pragma once

#include <cstdint>
#include <span>

#include "bpf_templates/include/heddle/abi.h"

namespace heddle::upstream {

/// How many connections each endpoint has, of all workers together: counted in memory that they share.
class Occupancy {
 public:
  Occupancy() = default;
  explicit Occupancy(std::span<hd_endpoint_state> states) : states_(states) {}

  /// One more, unless the policy's bound is reached.
  [[nodiscard]] bool enter(std::uint32_t slot);
  void leave(std::uint32_t slot);
  [[nodiscard]] bool bounded(std::uint32_t slot) const;

 private:
  std::span<hd_endpoint_state> states_;
};

}  // namespace heddle::upstream
