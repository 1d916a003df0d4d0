#include "compiler/sema/keys.h"

#include <array>
#include <utility>

#include "compiler/diagnostics/kinds.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

using Kind = ast::RequestKey::Kind;

struct Row {
  Kind kind;
  model::RequestKey::Kind model;
  std::optional<ast::Attribute> attribute;  // of which it is the value that a name has
  const char* text;
};

constexpr std::array<Row, 7> rows = {{{Kind::header, model::RequestKey::Kind::header, ast::Attribute::header, "header"},
                                      {Kind::query, model::RequestKey::Kind::query, ast::Attribute::query, "query"},
                                      {Kind::cookie, model::RequestKey::Kind::cookie, ast::Attribute::cookie, "cookie"},
                                      {Kind::address, model::RequestKey::Kind::address, std::nullopt, "address"},
                                      {Kind::identity, model::RequestKey::Kind::identity, std::nullopt, "identity"},
                                      {Kind::method, model::RequestKey::Kind::method, std::nullopt, "method"},
                                      {Kind::host, model::RequestKey::Kind::host, std::nullopt, "host"}}};

/// A connection has no parts, and its client no address yet when it is decided. True: that was reported.
bool report_on_tcp(RuleScope& scope, const ast::RequestKey& written, const char* text) {
  if (!scope.is_tcp() || written.kind == Kind::identity) return false;
  if (written.kind == Kind::address) {
    scope.analysis.report(kinds::not_supported(written.span, "address` on a tcp service: `address"))
        .with_help("a connection is decided before its client has an address");
  } else {
    scope.report_not_on_tcp(written.span, text);
  }
  return true;
}

}  // namespace

std::optional<model::RequestKey> check_key(RuleScope& scope, const ast::RequestKey& written) {
  const Row& row = rows.at(static_cast<std::size_t>(written.kind));
  if (report_on_tcp(scope, written, row.text)) return std::nullopt;
  if (!row.attribute) return model::RequestKey{row.model, {}};
  auto name = check_tested_name(scope, *row.attribute, *written.name);
  if (!name) return std::nullopt;
  return model::RequestKey{row.model, std::move(*name)};
}

}  // namespace heddle::sema
