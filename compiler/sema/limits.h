#pragma once

#include <optional>

#include "compiler/sema/conditions.h"

namespace heddle::sema {

/// Limits that one service may have: each request looks at all of them.
inline constexpr std::size_t max_limits = 16;

/// Nothing if it has an error, which was reported.
std::optional<model::Limit> check_limit(RuleScope& scope, const ast::Limit& written);

}  // namespace heddle::sema
