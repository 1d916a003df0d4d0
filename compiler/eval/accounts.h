#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compiler/model/policy.h"

namespace heddle::eval {

/// What limits remember of the requests so far: for each key of each limit the time at which its account is full again.
/// Every request puts that off by one interval, and one instant has room for as many as the burst.
class Accounts {
 public:
  /// One limit, the key of a request, and what the clock says.
  struct Question {
    const model::Limit* limit = nullptr;
    std::string key;
    std::uint64_t now_ns = 0;
  };

  /// Whole seconds until a request may be let in, 0: now.
  [[nodiscard]] std::uint32_t wait(const Question& question) const;
  void charge(const Question& question);
  void clear() { full_at_.clear(); }

 private:
  [[nodiscard]] std::uint64_t full_at(const Question& question) const;

  std::map<std::pair<std::string, std::string>, std::uint64_t> full_at_;  // in sixteenths of a nanosecond
};

}  // namespace heddle::eval
