#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/handler/io/timers.h"

namespace heddle::handler {

/// Deadlines of as many lengths as the policy has timeouts: one queue for each. None is early, though time is
/// counted in whole milliseconds.
class RouteDeadlines {
 public:
  void set(io::Deadline& deadline, std::uint32_t length_ms, std::uint64_t now_ms) {
    for (auto& [length, queue] : queues_) {
      if (length == length_ms) return queue->set(deadline, now_ms);
    }
    if (queues_.size() >= lengths_max) forget_unused(now_ms);
    queues_.emplace_back(length_ms, std::make_unique<io::Deadlines>(length_ms + std::uint64_t{1}));
    queues_.back().second->set(deadline, now_ms);
  }
  void expire(std::uint64_t now_ms) {
    for (std::size_t i = 0; i < queues_.size(); ++i) queues_[i].second->expire(now_ms);
  }
  /// -1: there is none.
  [[nodiscard]] std::int64_t next_in(std::uint64_t now_ms) const {
    std::int64_t next = -1;
    for (const auto& [length, queue] : queues_) {
      const std::int64_t in = queue->next_in(now_ms);
      if (in >= 0) next = next < 0 ? in : std::min(next, in);
    }
    return next;
  }

 private:
  // Lengths of policies that are no more.
  static constexpr std::size_t lengths_max = 64;
  void forget_unused(std::uint64_t now_ms) {
    std::erase_if(queues_, [now_ms](const auto& entry) { return entry.second->next_in(now_ms) < 0; });
  }

  std::vector<std::pair<std::uint32_t, std::unique_ptr<io::Deadlines>>> queues_;
};

}  // namespace heddle::handler
