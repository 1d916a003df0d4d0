#pragma once

#include <optional>

#include "compiler/sema/conditions.h"

namespace heddle::sema {

/// What the mesh answers itself; nothing if it has an error, which was reported.
std::optional<model::Respond> check_answer(RuleScope& scope, const ast::Respond& written);

/// Reports every `prefix` of a target that a request may not have which the condition holds for. It looks at what the
/// condition says in so many words, and proves nothing.
void check_prefixes(RuleScope& scope, const ast::Target& target, const std::optional<model::Condition>& when);

}  // namespace heddle::sema
