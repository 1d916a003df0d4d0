#pragma once

#include <optional>
#include <string>

#include "compiler/eval/outcome.h"

namespace heddle::cli {

/// Where such an outcome is decided; none: nowhere, because this version cannot run the policy.
std::optional<std::string> tier_of(const model::Policy& policy, const eval::Outcome& outcome);

}  // namespace heddle::cli
