#pragma once

#include <optional>

#include "compiler/sema/conditions.h"

namespace heddle::sema {

/// What one rule of a route says of tries.
struct Tries {
  const ast::RetryUse* use = nullptr;  // none: no retry
  std::uint32_t per_try_ms = 0;        // said by the rule or its route; 0: the retry's own
  std::uint32_t timeout_ms = 0;
  source::Span span;  // of the rule
};

/// Sets the rule's retry and its time for each try; reports what never happens on this service, and tries that together
/// take longer than the timeout.
void check_tries(RuleScope& scope, const Tries& tries, model::RouteRule& rule);

/// The retry of that name; nothing if there is none, which was reported.
std::optional<std::uint32_t> find_retry(RuleScope& scope, const ast::QualifiedName& name);

/// A percentage above zero with at most four decimals; else nothing, and reported.
std::optional<std::uint32_t> check_share(diagnostics::Sink& sink, const ast::Number& share);

}  // namespace heddle::sema
