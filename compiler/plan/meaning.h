#pragma once

#include <string>

#include "compiler/model/policy.h"

namespace heddle::plan {

/// Checked rules as one line of text, names resolved. Two rules with equal texts do the same; counters live
/// as long as the text of their rule stays.
std::string meaning(const model::RetryPolicy& retry);
std::string meaning(const model::Callers& callers, const model::Policy& policy);
std::string meaning(const model::Condition& condition, const model::Policy& policy);
std::string meaning(const model::Target& target, const model::Policy& policy);
std::string meaning(const model::AccessRule& rule, const model::Policy& policy);
std::string meaning(const model::Limit& limit, const model::Policy& policy);
std::string meaning(const model::RouteRule& rule, const model::Policy& policy);

/// `reviews`, or `reviews.v1` for a subset.
std::string pool_name(const model::PoolTarget& pool, const model::Policy& policy);

/// `50.0000%` of 500,000 parts of a million.
std::string weight(std::uint32_t ppm);

}  // namespace heddle::plan
