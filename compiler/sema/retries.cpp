#include "compiler/sema/retries.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/suggest.h"
#include "compiler/sema/numbers.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

using Kind = ast::RetryCondition::Kind;

constexpr std::uint32_t most_retries = 10;
constexpr std::uint32_t most_buffer = 16 * 1024 * 1024;
constexpr std::uint64_t second_ns = 1000000000;

// By their numbers, from 1.
constexpr std::array<const char*, 16> grpc_codes = {
    "cancelled",         "unknown",           "invalid_argument",    "deadline_exceeded", "not_found", "already_exists",
    "permission_denied", "resource_exhausted", "failed_precondition", "aborted",           "out_of_range",
    "unimplemented",     "internal",          "unavailable",         "data_loss",         "unauthenticated"};

class RetryCheck {
 public:
  RetryCheck(Analysis& analysis, const ast::RetryPolicy& written) : analysis_(analysis), written_(written) {}

  model::RetryPolicy check(const std::string& name) {
    retry_.name = name;
    retry_.doc = written_.doc;
    retry_.span = written_.name.span;
    take_conditions();
    take_counts();
    take_times();
    take_budget();
    const auto* methods = only(analysis_, written_.methods, "methods", place);
    retry_.any_method = methods != nullptr && methods->word == "any";
    if (const auto* buffer = only(analysis_, written_.buffers, "buffer", place)) take_buffer(*buffer);
    return std::move(retry_);
  }

 private:
  static constexpr auto place = [](const auto& item) { return item.span; };

  void take_conditions() {
    const auto* on = only(analysis_, written_.on, "on", place);
    require(analysis_, written_, written_.name, "retry", "on", on != nullptr);
    if (on == nullptr) return;
    for (const ast::RetryCondition& condition : on->conditions) take(condition);
  }

  void take(const ast::RetryCondition& condition) {
    if (condition.kind == Kind::status) return take_status(condition);
    if (condition.kind == Kind::grpc) return take_grpc(condition);
    bool& on = condition.kind == Kind::connect_failure ? retry_.on_connect_failure
               : condition.kind == Kind::refused       ? retry_.on_refused
               : condition.kind == Kind::reset         ? retry_.on_reset
                                                       : retry_.on_timeout;
    if (on) report_twice(condition);
    on = true;
  }

  void report_twice(const ast::RetryCondition& condition) {
    static constexpr const char* words[] = {"connect_failure", "refused", "reset", "timeout", "status", "grpc"};
    analysis_.report(kinds::duplicate_item(condition.span, words[static_cast<int>(condition.kind)]));
  }

  void take_status(const ast::RetryCondition& condition) {
    const auto first = number_in(analysis_.sink, condition.first, "a status", 200, 599);
    const auto last = condition.last ? number_in(analysis_.sink, *condition.last, "a status", 200, 599) : first;
    if (!first || !last) return;
    if (*last < *first) {
      analysis_.report(kinds::backward_range(condition.span, condition.first.text + ".." + condition.last->text))
          .with_help("write `" + condition.last->text + ".." + condition.first.text + "`");
      return;
    }
    const bool again = std::any_of(retry_.on_status.begin(), retry_.on_status.end(), [&](const auto& range) {
      return *first <= range.last && range.first <= *last;
    });
    if (again) report_twice(condition);
    retry_.on_status.push_back({static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)});
  }

  void take_grpc(const ast::RetryCondition& condition) {
    const auto found = std::find(grpc_codes.begin(), grpc_codes.end(), condition.code.text);
    if (found == grpc_codes.end()) {
      auto& diagnostic = analysis_.report(kinds::unknown_grpc_code(condition.code.span, condition.code.text));
      const auto meant = diagnostics::did_you_mean(condition.code.text, {grpc_codes.begin(), grpc_codes.end()});
      diagnostic.with_help(meant ? *meant : "a status is `unavailable`, `internal`, `resource_exhausted` …");
      return;
    }
    const auto code = static_cast<std::uint8_t>(found - grpc_codes.begin() + 1);
    if (std::count(retry_.on_grpc.begin(), retry_.on_grpc.end(), code) > 0) report_twice(condition);
    retry_.on_grpc.push_back(code);
  }

  void take_counts() {
    const auto* at_most = only(analysis_, written_.at_mosts, "at_most", place);
    require(analysis_, written_, written_.name, "retry", "at_most", at_most != nullptr);
    if (at_most == nullptr) return;
    retry_.retries = number_in(analysis_.sink, *at_most, "the number of retries", 1, most_retries).value_or(1);
  }

  std::uint32_t time_of(const ast::Number& time) { return milliseconds(analysis_.sink, time).value_or(0); }

  void take_times() {
    if (const auto* per_try = only(analysis_, written_.per_tries, "per_try", place)) retry_.per_try_ms = time_of(per_try->time);
    const auto* backoff = only(analysis_, written_.backoffs, "backoff", place);
    if (backoff == nullptr) return;
    retry_.backoff_first_ms = time_of(backoff->first);
    retry_.backoff_most_ms = time_of(backoff->most);
    if (retry_.backoff_most_ms == 0 || retry_.backoff_first_ms <= retry_.backoff_most_ms) return;
    analysis_.report(kinds::backward_range(backoff->span, backoff->first.text + ".." + backoff->most.text))
        .with_help("the first wait comes first: `backoff " + backoff->most.text + ".." + backoff->first.text + "`");
  }

  void take_budget() {
    const auto* budget = only(analysis_, written_.budgets, "budget", place);
    if (budget == nullptr) {
      if (!written_.broken)
        analysis_.report(kinds::missing_item(written_.name.span, "retry", written_.name.text, "budget"))
            .with_help("without one every failure is tried again, just when servers have too much to do: `budget 20% of "
                       "requests at_least 3/s`");
      return;
    }
    retry_.budget.share_ppm = check_share(analysis_.sink, budget->share).value_or(0);
    if (!budget->at_least) return;
    const std::string& text = budget->at_least->text;
    const ast::Number count{text.substr(0, text.find('/')), budget->at_least->span};
    retry_.budget.at_least = number_in(analysis_.sink, count, "a rate", 1, 1000000).value_or(1);
    retry_.budget.period_ns = second_ns * (text.ends_with("/s") ? 1 : text.ends_with("/m") ? 60 : 3600);
  }

  void take_buffer(const ast::Number& written) {
    const std::size_t unit = written.text.find_first_not_of("0123456789");
    const std::string_view name = std::string_view(written.text).substr(unit);
    const std::uint32_t factor = name == "B" ? 1 : name == "KiB" ? 1024 : name == "MiB" ? 1024 * 1024 : 1024 * 1024 * 1024;
    const ast::Number count{written.text.substr(0, unit), written.span};
    const std::string what = "a buffer in " + std::string(name);
    if (factor > most_buffer) {
      analysis_.report(kinds::number_out_of_range(written.span, written.text, "a buffer in MiB", 1, 16));
      return;
    }
    const auto number = number_in(analysis_.sink, count, what.c_str(), 1, most_buffer / factor);
    if (number) retry_.buffer = *number * factor;
  }

  Analysis& analysis_;
  const ast::RetryPolicy& written_;
  model::RetryPolicy retry_;
};

std::string time_text(std::uint64_t ms) {
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

/// What can never happen on a service of that protocol; nullptr: something can, and nothing needs more.
const char* why_never(const model::RetryPolicy& retry, model::Protocol protocol, bool per_try) {
  const bool http_2 = protocol != model::Protocol::http;
  const bool grpc = protocol == model::Protocol::grpc;
  const bool later = retry.on_reset || retry.on_timeout || !retry.on_status.empty() || (grpc && !retry.on_grpc.empty());
  if (retry.on_timeout && !per_try) return "it is tried again on `timeout`, and no try has a time: say `per_try`";
  if (grpc && later && !retry.any_method) return "every gRPC call is a POST: say `methods any`";
  if (retry.on_connect_failure || (http_2 && retry.on_refused) || later) return nullptr;
  return http_2 ? "a status of gRPC is for `protocol grpc`" : "`refused` and `grpc` are for HTTP/2 and gRPC";
}

void check_together(RuleScope& scope, const Tries& tries, const model::RouteRule& rule) {
  if (rule.timeout_ms == 0) return;
  const auto& all = scope.analysis.policy.retries;
  const std::uint64_t count = rule.retry ? all[*rule.retry].retries + 1 : 1;
  const std::uint64_t waits = rule.retry ? model::longest_backoff_ms(all[*rule.retry]) : 0;
  const std::uint64_t sum = count * rule.per_try_ms + waits;
  if (sum <= rule.timeout_ms) return;
  auto& diagnostic = scope.analysis.report(
      kinds::tries_too_long(tries.use != nullptr ? tries.use->span : tries.span, time_text(sum), time_text(rule.timeout_ms)));
  diagnostic.with_help(std::to_string(count) + (count == 1 ? " try of " : " tries of ") + (rule.per_try_ms != 0 ? time_text(rule.per_try_ms) : "no time at all") + " and " + time_text(waits) +
                       " of waiting between them: the last would be cut off");
}

}  // namespace

void check_retries(Analysis& analysis) {
  for (const auto& [name, entry] : analysis.retries.entries) {
    analysis.policy.retries.push_back(RetryCheck(analysis, *entry.node).check(name));
    analysis.not_built("retry " + entry.node->name.text, entry.node->name.span);
  }
}

std::optional<std::uint32_t> check_share(diagnostics::Sink& sink, const ast::Number& share) {
  const auto parts = parts_of_million(share.text);
  if (parts && *parts > 0) return parts;
  const char* why = parts ? "it is nobody's share" : "a percentage is at most 100% and has at most four decimals";
  sink.report(kinds::bad_percentage(share.span, share.text, why));
  return std::nullopt;
}

std::optional<std::uint32_t> find_retry(RuleScope& scope, const ast::QualifiedName& name) {
  Analysis& analysis = scope.analysis;
  if (const auto* found = analysis.retries.find(name, scope.space)) return found->second.id;
  if (analysis.names_may_be_missing) return std::nullopt;
  auto& diagnostic = analysis.report(kinds::unknown_retry(name.span, name.text()));
  const auto meant = diagnostics::did_you_mean(name.text(), analysis.retries.names_in(scope.space));
  diagnostic.with_help(meant ? *meant : "declare it: `retry " + name.name + " { on connect_failure  at_most 1 retries … }`");
  return std::nullopt;
}

void check_tries(RuleScope& scope, const Tries& tries, model::RouteRule& rule) {
  Analysis& analysis = scope.analysis;
  rule.per_try_ms = tries.per_try_ms;
  if (tries.use != nullptr && tries.use->name) {
    rule.retry = find_retry(scope, *tries.use->name);
    if (!rule.retry) return;
    const model::RetryPolicy& retry = analysis.policy.retries[*rule.retry];
    if (rule.per_try_ms == 0) rule.per_try_ms = retry.per_try_ms;
    if (const char* why = why_never(retry, scope.model_service().protocol, rule.per_try_ms != 0)) {
      analysis.report(kinds::retry_never(tries.use->span, retry.name, scope.model_service().name, why))
          .with_label(retry.span, "it is declared here");
      return;
    }
  }
  check_together(scope, tries, rule);
}

}  // namespace heddle::sema
