#pragma once

#include <string>

#include "compiler/model/condition.h"

namespace heddle::sema {

// They look at what a condition says in so many words, and prove nothing.

/// Whether every path on which the condition holds is under the prefix, by whole segments.
bool implies_under(const model::Condition& condition, const std::string& prefix);

/// Whether every path on which the condition holds is one of the pattern, as `like` has it.
bool implies_like(const model::Condition& condition, const std::string& pattern);

}  // namespace heddle::sema
