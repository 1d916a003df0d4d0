#include "compiler/eval/accounts.h"

#include <algorithm>

namespace heddle::eval {
namespace {

constexpr std::uint64_t ticks_of_a_nanosecond = 16;
constexpr std::uint64_t ticks_of_a_second = 1'000'000'000 * ticks_of_a_nanosecond;

std::uint64_t rounded_up(std::uint64_t number, std::uint64_t by) {
  return (number + by - 1) / by;
}

/// Between two requests; rounded up, so that never too many come in.
std::uint64_t interval_of(const model::Limit& limit) {
  return rounded_up(limit.period_ns * ticks_of_a_nanosecond, limit.count);
}

}  // namespace

std::uint64_t Accounts::full_at(const Question& question) const {
  const std::uint64_t now = question.now_ns * ticks_of_a_nanosecond;
  const auto found = full_at_.find({question.limit->id, question.key});
  return found == full_at_.end() ? now : std::max(now, found->second);
}

std::uint32_t Accounts::wait(const Question& question) const {
  const std::uint64_t ahead = full_at(question) - question.now_ns * ticks_of_a_nanosecond;
  const std::uint64_t room = interval_of(*question.limit) * (question.limit->burst - 1);
  if (ahead <= room) return 0;
  return static_cast<std::uint32_t>(rounded_up(ahead - room, ticks_of_a_second));
}

void Accounts::charge(const Question& question) {
  const std::uint64_t next = full_at(question) + interval_of(*question.limit);
  full_at_[{question.limit->id, question.key}] = next;
}

}  // namespace heddle::eval
