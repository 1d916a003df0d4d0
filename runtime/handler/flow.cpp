#include "runtime/handler/flow.h"

#include <algorithm>

namespace heddle::handler {

namespace {

/// The same request's word with another state; nobody waits.
std::uint64_t next_word(std::uint64_t seen, hd_flow_state state) {
  return HD_FLOW_BASE(seen) | state;
}

template <typename T>
T read(const T& field) {
  return __atomic_load_n(&field, __ATOMIC_ACQUIRE);
}

}  // namespace

std::uint64_t Flow::word() const {
  return read(record_->state);
}

bool Flow::swap(std::uint64_t seen, std::uint64_t next) {
  return __atomic_compare_exchange_n(&record_->state, &seen, next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

hd_flow_state Flow::state() const {
  const std::uint64_t seen = word();
  if (!ours(seen)) return HD_FLOW_FREE;
  return static_cast<hd_flow_state>(HD_FLOW_STATE(seen));
}

std::uint64_t Flow::link() const {
  return read(record_->link);
}

std::array<std::uint64_t, 1 + HD_SPARE_LINKS> Flow::links() const {
  return {link(), read(record_->spare[0]), read(record_->spare[1]), read(record_->spare[2])};
}

bool Flow::keeps(std::uint64_t id) const {
  const auto kept = links();
  return std::find(kept.begin(), kept.end(), id) != kept.end();
}

bool Flow::client_open() const {
  return (read(record_->ends) & HD_FLOW_CLIENT) != 0;
}

bool Flow::busy() const {
  const hd_flow_state now = state();
  return now == HD_FLOW_SENT || now == HD_FLOW_ANSWERING || now == HD_FLOW_SPILL || now == HD_FLOW_FRAMED;
}

Flow::Taking Flow::take() {
  while (true) {
    if (const std::optional<Taking> done = try_take(word())) return *done;
  }
}

std::optional<Flow::Taking> Flow::try_take(std::uint64_t seen) {
  if (!ours(seen)) return Taking::broken;
  switch (HD_FLOW_STATE(seen)) {
    case HD_FLOW_TAKEN:
      return Taking::taken;
    case HD_FLOW_ARMED:
      if (!swap(seen, next_word(seen, HD_FLOW_TAKEN))) return std::nullopt;
      return Taking::taken;
    case HD_FLOW_SENT:
    case HD_FLOW_ANSWERING:
      if (!client_open()) return Taking::gone;
      if ((seen & HD_FLOW_WAIT) == 0 && !swap(seen, seen | HD_FLOW_WAIT)) return std::nullopt;
      return Taking::wait;
    case HD_FLOW_DONE:
      return client_open() ? Taking::landing : Taking::gone;
    case HD_FLOW_SPILL:
    case HD_FLOW_FRAMED:
      return Taking::relay;
    default:
      return Taking::broken;
  }
}

bool Flow::seize(hd_flow_state from) {
  std::uint64_t seen = word();
  while (ours(seen) && HD_FLOW_STATE(seen) == from) {
    if (swap(seen, next_word(seen, HD_FLOW_TAKEN))) return true;
    seen = word();
  }
  return false;
}

hd_flow_state Flow::seize_any() {
  while (true) {
    const std::uint64_t seen = word();
    // The programs free it as soon as both ends are closed, before somebody has the record with another generation.
    if (!ours(seen) || HD_FLOW_STATE(seen) == HD_FLOW_FREE) return HD_FLOW_FREE;
    if (swap(seen, next_word(seen, HD_FLOW_TAKEN))) return static_cast<hd_flow_state>(HD_FLOW_STATE(seen));
  }
}

bool Flow::arm(std::uint64_t received, std::uint64_t sent) {
  const std::uint64_t seen = word();
  if (!ours(seen) || HD_FLOW_STATE(seen) != HD_FLOW_TAKEN) return false;
  const std::uint64_t counts = (sent << 32) | static_cast<std::uint32_t>(received);
  __atomic_store_n(&record_->counts, counts, __ATOMIC_RELEASE);
  return swap(seen, next_word(seen, HD_FLOW_ARMED));
}

bool Flow::rearm() {
  const std::uint64_t seen = word();
  return ours(seen) && HD_FLOW_STATE(seen) == HD_FLOW_TAKEN && swap(seen, next_word(seen, HD_FLOW_ARMED));
}

void Flow::set_worker(std::uint32_t worker) {
  __atomic_store_n(&record_->worker, worker, __ATOMIC_RELEASE);
}

bool Flow::forget_link(std::uint64_t id) {
  for (hd_u64* const place : {&record_->link, &record_->spare[0], &record_->spare[1], &record_->spare[2]}) {
    std::uint64_t seen = id;
    if (__atomic_compare_exchange_n(place, &seen, std::uint64_t{0}, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
      return true;
  }
  return false;
}

}  // namespace heddle::handler
