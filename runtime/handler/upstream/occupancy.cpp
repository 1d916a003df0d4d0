#include "runtime/handler/upstream/occupancy.h"

namespace heddle::upstream {

bool Occupancy::enter(std::uint32_t slot) {
  if (slot >= states_.size()) return true;
  hd_endpoint_state& state = states_[slot];
  const std::uint32_t most = __atomic_load_n(&state.connections_max, __ATOMIC_RELAXED);
  std::uint32_t now = __atomic_load_n(&state.connections, __ATOMIC_RELAXED);
  while (most == 0 || now < most) {
    if (!__atomic_compare_exchange_n(&state.connections, &now, now + 1, true, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
      continue;
    if (ledger_ != nullptr) ledger_->add_connection(slot);
    return true;
  }
  return false;
}

void Occupancy::leave(std::uint32_t slot) {
  if (slot >= states_.size()) return;
  __atomic_fetch_sub(&states_[slot].connections, 1U, __ATOMIC_RELAXED);
  if (ledger_ != nullptr) ledger_->take_connection(slot);
}

std::uint32_t Occupancy::most(std::uint32_t slot) const {
  return slot < states_.size() ? __atomic_load_n(&states_[slot].connections_max, __ATOMIC_RELAXED) : 0;
}

bool Occupancy::full(std::uint32_t slot) const {
  const std::uint32_t bound = most(slot);
  return bound != 0 && __atomic_load_n(&states_[slot].connections, __ATOMIC_RELAXED) >= bound;
}

void Occupancy::go_slow(std::uint32_t slot, std::uint64_t until_ns) const {
  if (slot < states_.size()) __atomic_store_n(&states_[slot].slow_until, until_ns, __ATOMIC_RELAXED);
}

void Occupancy::note_eviction(std::uint32_t slot) const {
  if (slot < states_.size()) __atomic_fetch_add(&states_[slot].evictions, 1U, __ATOMIC_RELAXED);
}

bool Occupancy::slow(std::uint32_t slot, std::uint64_t now_ns) const {
  return slot < states_.size() && __atomic_load_n(&states_[slot].slow_until, __ATOMIC_RELAXED) > now_ns;
}

}  // namespace heddle::upstream
