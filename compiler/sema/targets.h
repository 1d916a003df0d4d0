#pragma once

#include <optional>

#include "compiler/sema/conditions.h"

namespace heddle::sema {

/// Where a rule sends; nothing if it has an error, which was reported.
std::optional<model::Target> check_target(RuleScope& scope, const ast::Target& target);

/// A subset of the service or the service itself, or another service or a subset of that, as a rule or an expectation names
/// it; else nothing, and reported. `missing_is_fine`: a syntax error may have swallowed it.
std::optional<model::PoolTarget> find_pool(diagnostics::Sink& sink, const model::Policy& policy, model::ServiceId own,
                                           const ast::QualifiedName& name, const std::string& space,
                                           bool missing_is_fine);

}  // namespace heddle::sema
