#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/source/span.h"

namespace heddle::model {

struct StatusRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

/// Of all requests, the share that may be retries, and what may be in any case.
struct RetryBudget {
  std::uint32_t share_ppm = 0;
  std::uint32_t at_least = 0;  // in each period; 0: nothing beyond the share
  std::uint64_t period_ns = 0;
};

/// `retry gentle { … }`: when a request is tried again, and how often.
struct RetryPolicy {
  std::string name;  // qualified
  bool on_connect_failure = false;
  bool on_refused = false;
  bool on_reset = false;
  bool on_timeout = false;
  std::vector<StatusRange> on_status;
  std::vector<std::uint8_t> on_grpc;  // codes
  std::uint32_t retries = 0;          // 2: three tries in all
  std::uint32_t per_try_ms = 0;       // 0: none
  std::uint32_t backoff_first_ms = 0;
  std::uint32_t backoff_most_ms = 0;
  RetryBudget budget;
  bool any_method = false;
  std::uint32_t buffer = 64 * 1024;  // bytes: a longer body is not sent again
  std::string doc;
  source::Span span;
};

/// What all waits before the retries come to at most: each is twice the one before, up to the longest.
std::uint64_t longest_backoff_ms(const RetryPolicy& retry);

}  // namespace heddle::model
