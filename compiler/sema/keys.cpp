#include "compiler/sema/keys.h"

#include <utility>

namespace heddle::sema {

namespace {

using ast::Attribute;

/// A connection has a caller and an address, and no parts. True: that was reported.
bool report_on_tcp(RuleScope& scope, const ast::RequestKey& written) {
  if (!scope.is_tcp_like() || written.attribute == Attribute::from || written.attribute == Attribute::address) return false;
  scope.report_not_on_tcp(written.span, attribute_name(written.attribute));
  return true;
}

}  // namespace

std::optional<model::RequestKey> check_key(RuleScope& scope, const ast::RequestKey& written) {
  if (report_on_tcp(scope, written)) return std::nullopt;
  const model::Attribute attribute = model_attribute(written.attribute);
  if (written.attribute == Attribute::claim) {
    auto path = check_tested_claim(scope, written.claim);
    scope.analysis.not_built("key claim", written.span);
    return path ? std::optional(model::RequestKey{attribute, model::claim_text(*path), *path}) : std::nullopt;
  }
  if (written.attribute == Attribute::user) scope.analysis.not_built("key user", written.span);
  if (!written.name) return model::RequestKey{attribute, {}, {}};
  auto name = check_tested_name(scope, written.attribute, *written.name);
  if (!name) return std::nullopt;
  return model::RequestKey{attribute, std::move(*name), {}};
}

}  // namespace heddle::sema
