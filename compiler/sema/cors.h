#pragma once

#include <optional>

#include "compiler/sema/conditions.h"

namespace heddle::sema {

/// `cors { … }` of a rule; nothing if it has an error, which was reported.
std::optional<model::Cors> check_cors(RuleScope& scope, const ast::Cors& written);

}  // namespace heddle::sema
