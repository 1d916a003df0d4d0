#pragma once

#include <optional>

#include "compiler/sema/conditions.h"

namespace heddle::sema {

/// What requests are taken for equal by; nothing if it has an error, which was reported.
std::optional<model::RequestKey> check_key(RuleScope& scope, const ast::RequestKey& written);

}  // namespace heddle::sema
