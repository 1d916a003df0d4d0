#include "runtime/handler/upstream/ledger.h"

#include <algorithm>

namespace heddle::upstream {

namespace {

/// Never below zero: a loader may have begun the slot anew meanwhile.
void subtract(hd_u32& count, std::uint32_t part) {
  std::uint32_t now = __atomic_load_n(&count, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(&count, &now, now - std::min(now, part), true, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED)) {
  }
}

}  // namespace

void settle_ledger(std::span<LedgerEntry> entries, std::span<hd_endpoint_state> states) {
  for (std::size_t slot = 0; slot < std::min(entries.size(), states.size()); ++slot) {
    LedgerEntry& entry = entries[slot];
    if (entry.connections != 0) subtract(states[slot].connections, entry.connections);
    if (entry.requests != 0) subtract(states[slot].in_flight, entry.requests);
    entry = {};
  }
}

}  // namespace heddle::upstream
