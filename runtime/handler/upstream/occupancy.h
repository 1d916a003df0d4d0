#pragma once

#include <cstdint>
#include <span>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/handler/upstream/ledger.h"

namespace heddle::upstream {

/// How many connections each endpoint has, of all workers together, and whether requests may reach it past the handler: in
/// memory that they share.
class Occupancy {
 public:
  Occupancy() = default;
  explicit Occupancy(std::span<hd_endpoint_state> states, Ledger* ledger = nullptr)
      : states_(states), ledger_(ledger) {}

  /// One more, unless the policy's bound is reached.
  [[nodiscard]] bool enter(std::uint32_t slot);
  void leave(std::uint32_t slot);
  /// As many as there may be.
  [[nodiscard]] bool full(std::uint32_t slot) const;
  /// How many there may be; 0: as many as anybody opens.
  [[nodiscard]] std::uint32_t most(std::uint32_t slot) const;

  /// The watchdog of the fast path has seen that it leaves requests unread. Times are CLOCK_MONOTONIC.
  void go_slow(std::uint32_t slot, std::uint64_t until_ns) const;
  /// A good connection was closed because it was idle, or to make room.
  void note_eviction(std::uint32_t slot) const;
  [[nodiscard]] bool slow(std::uint32_t slot, std::uint64_t now_ns) const;

 private:
  std::span<hd_endpoint_state> states_;
  Ledger* ledger_ = nullptr;
};

}  // namespace heddle::upstream
