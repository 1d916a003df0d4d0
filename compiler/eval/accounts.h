#pragma once

#include <cstdint>
#include <map>
#include <set>
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
  void clear() {
    full_at_.clear();
    unsure_.clear();
  }
  /// Whether an earlier request was charged depends on these filters.
  [[nodiscard]] const std::set<model::FilterId>& unsure() const { return unsure_; }
  void become_unsure(const std::set<model::FilterId>& of) { unsure_.insert(of.begin(), of.end()); }

  friend bool operator==(const Accounts&, const Accounts&) = default;

 private:
  [[nodiscard]] std::uint64_t full_at(const Question& question) const;

  std::map<std::pair<std::string, std::string>, std::uint64_t> full_at_;  // in sixteenths of a nanosecond
  std::set<model::FilterId> unsure_;
};

}  // namespace heddle::eval
