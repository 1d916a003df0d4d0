#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "compiler/sema/analysis.h"

namespace heddle::sema {

/// The headers, cookies, query names and claims that one service may test.
inline constexpr std::size_t max_tested_names = 32;

/// What the rules of one service share while they are checked.
struct RuleScope {
  Analysis& analysis;
  std::string space;
  model::ServiceId service = 0;
  std::set<std::pair<ast::Attribute, std::string>> names = {};  // tested so far; headers in lower case
  /// The rules are of all services, or of all http services, and this is one of them.
  enum class Every : std::uint8_t { no, any, http };
  Every every = Every::no;

  [[nodiscard]] model::Service& model_service() const { return analysis.policy.services[service]; }
  /// The condition is one of a token, and no service is asked for anything.
  bool of_token = false;
  [[nodiscard]] bool is_tcp_like() const { return !of_token && !model::has_requests(model_service().protocol); }
  [[nodiscard]] bool is_tls() const { return !of_token && model_service().protocol == model::Protocol::tls; }
  /// Reports that something needs HTTP.
  void report_not_on_tcp(source::Span span, const std::string& what) const;
  /// Reports that something is known of connections to tls services alone.
  void report_only_on_tls(source::Span span, const std::string& what) const;
};

/// As policies write it: `header`.
const char* attribute_name(ast::Attribute attribute);
model::Attribute model_attribute(ast::Attribute attribute);

/// The name of a header, query parameter or cookie as requests are compared with it; counted among the service's.
/// Nothing if it cannot be tested, which was reported.
std::optional<std::string> check_tested_name(RuleScope& scope, ast::Attribute attribute, const ast::String& written);

/// The condition in its simple form: `in` and `not in` become `or` and `not`. Nothing if it has an error,
/// which was reported.
std::optional<model::Condition> check_condition(RuleScope& scope, const ast::Condition& condition);

/// Of a token: claims alone.
std::optional<model::Condition> check_token_condition(Analysis& analysis, const ast::Condition& condition);

/// Counted among the service's names.
std::optional<std::vector<std::string>> check_tested_claim(RuleScope& scope, const std::vector<ast::String>& written);

std::optional<model::Callers> check_callers(RuleScope& scope, const ast::Callers& callers);

}  // namespace heddle::sema
