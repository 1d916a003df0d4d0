#pragma once

#include <optional>

#include "compiler/sema/conditions.h"

namespace heddle::sema {

/// When a rule applies. `wrong`: it has an error, and nothing can be said of it.
struct RuleCondition {
  const std::optional<model::Condition>& when;
  bool wrong = false;
};

/// `rewrite`, `set|add|remove [response] header` of a rule, or of a part of its split.
/// False: something is wrong, and was reported.
bool check_changes(RuleScope& scope, const ast::Options& options, const RuleCondition& when, model::Changes& changes);

/// The path of a claim: `claim "a" "b"` is the `b` of the `a`.
std::optional<std::vector<std::string>> check_claim_path(diagnostics::Sink& sink, const std::vector<ast::String>& written);

}  // namespace heddle::sema
