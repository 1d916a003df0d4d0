#include "compiler/sema/limits.h"

#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/keys.h"
#include "compiler/sema/numbers.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

constexpr std::uint32_t most_requests = 1000000000;
constexpr std::uint64_t second_ns = 1000000000;
// Until an account that is empty is full again: what a node remembers of it has 60 bits of nanoseconds.
constexpr std::uint64_t longest_refill_s = 10ULL * 365 * 24 * 3600;

std::uint64_t period_of(const std::string& rate) {
  if (rate.ends_with("/s")) return second_ns;
  return rate.ends_with("/m") ? 60 * second_ns : 3600 * second_ns;
}

/// `100/s burst 20`.
bool check_rate(Analysis& analysis, const ast::Rate& written, model::Limit& limit) {
  const std::string number = written.rate.text.substr(0, written.rate.text.find('/'));
  const auto count = number_in(analysis.sink, {number, written.rate.span}, "a rate", 1, most_requests);
  const auto burst = number_in(analysis.sink, written.burst, "a burst", 1, most_requests);
  if (!count || !burst) return false;
  limit.count = *count;
  limit.burst = *burst;
  limit.period_ns = period_of(written.rate.text);
  if (std::uint64_t{*burst} * (limit.period_ns / second_ns) / *count <= longest_refill_s) return true;
  analysis.report(kinds::bad_burst(written.span, written.burst.text, written.rate.text))
      .with_help("a smaller burst, or a higher rate");
  return false;
}

bool check_keys(RuleScope& scope, const ast::LimitKey& written, model::Limit& limit) {
  bool right = true;
  for (const ast::RequestKey& part : written.parts) {
    auto key = check_key(scope, part);
    right = right && key.has_value();
    if (key) limit.key.push_back(std::move(*key));
  }
  return right;
}

}  // namespace

std::optional<model::Limit> check_limit(RuleScope& scope, const ast::Limit& written) {
  Analysis& analysis = scope.analysis;
  const auto place = [](const auto& item) { return item.span; };
  const auto* rate = only(analysis, written.rates, "rate", place);
  const auto* key = only(analysis, written.keys, "key", place);
  const auto* when = only(analysis, written.whens, "when", place);
  only(analysis, written.scopes, "scope", [](const source::Span& span) { return span; });
  for (const source::Span& scope_span : written.mesh_scopes) analysis.not_built("scope mesh", scope_span);
  require(analysis, written, written.name, "limit", "rate", rate != nullptr);
  model::Limit limit;
  limit.id = model::rule_id("limit", scope.model_service().name, written.name.text);
  limit.span = written.span;
  bool right = rate != nullptr && check_rate(analysis, *rate, limit);
  if (key != nullptr) right = check_keys(scope, *key, limit) && right;
  if (when != nullptr) {
    limit.when = check_condition(scope, *when);
    right = right && limit.when.has_value();
  }
  if (!right) return std::nullopt;
  return limit;
}

}  // namespace heddle::sema
