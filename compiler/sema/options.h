#pragma once

#include <optional>

#include "compiler/sema/conditions.h"

namespace heddle::sema {

/// What a route says for all its rules that say nothing themselves.
struct RouteDefaults {
  std::uint32_t timeout_ms = 0;
  std::uint32_t per_try_ms = 0;
  const ast::RetryUse* retry = nullptr;
};

RouteDefaults check_defaults(RuleScope& scope, const ast::Route& route);

/// What stands in braces behind a rule of a route, and behind the parts of its split; `rule` has its condition and its
/// target already. False: something is wrong, and was reported.
bool check_options(RuleScope& scope, const ast::RouteRule& written, const RouteDefaults& defaults, model::RouteRule& rule);

/// An access rule takes `label` and `require kernel` alone.
void check_access_options(RuleScope& scope, const ast::Options& written);

}  // namespace heddle::sema
