#pragma once

#include <cstdint>
#include <span>

#include "bpf_templates/include/heddle/abi.h"

namespace heddle::upstream {

/// What a worker has added to an endpoint's counts and not taken back yet.
struct LedgerEntry {
  std::uint32_t connections = 0;
  std::uint32_t requests = 0;  // decided for it, whose end has not been reported
};

/// A worker's own part of the counts that all share, in memory that outlives it: should it die, its
/// supervisor takes back what it could not.
class Ledger {
 public:
  Ledger() = default;
  explicit Ledger(std::span<LedgerEntry> entries) : entries_(entries) {}

  void add_connection(std::uint32_t slot) { change(slot, &LedgerEntry::connections, 1); }
  void take_connection(std::uint32_t slot) { change(slot, &LedgerEntry::connections, -1); }
  void add_request(const hd_decision& decision) { change_requests(decision, 1); }
  void take_request(const hd_decision& decision) { change_requests(decision, -1); }

 private:
  /// What nobody counts is in nobody's count.
  void change_requests(const hd_decision& decision, int by) {
    if (decision.counted != 0) change(decision.endpoint_state, &LedgerEntry::requests, by);
  }
  void change(std::uint32_t slot, std::uint32_t LedgerEntry::* count, int by) {
    if (slot >= entries_.size()) return;
    std::uint32_t& value = entries_[slot].*count;
    if (by < 0 && value == 0) return;
    // Nobody else writes it while the worker lives.
    __atomic_store_n(&value, value + static_cast<std::uint32_t>(by), __ATOMIC_RELAXED);
  }

  std::span<LedgerEntry> entries_;
};

/// Takes a dead worker's part out of the counts.
void settle_ledger(std::span<LedgerEntry> entries, std::span<hd_endpoint_state> states);

}  // namespace heddle::upstream
