#include "compiler/sema/options.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/changes.h"
#include "compiler/sema/cors.h"
#include "compiler/sema/numbers.h"
#include "compiler/sema/retries.h"
#include "compiler/sema/targets.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

constexpr auto place = [](const auto& item) { return item.span; };

/// One option as it is written, wherever it stands.
struct Written {
  const char* word;
  source::Span span;
};

std::vector<Written> all_of(const ast::Options& options) {
  std::vector<Written> all;
  const auto add = [&all](const char* word, const auto& items) {
    for (const auto& item : items) {
      if constexpr (std::is_same_v<std::decay_t<decltype(item)>, source::Span>) {
        all.push_back({word, item});
      } else {
        all.push_back({word, item.span});
      }
    }
  };
  add("label", options.labels);
  add("timeout", options.timeouts);
  add("per_try", options.per_tries);
  add("retry", options.retries);
  add("upgrade", options.upgrades);
  add("require kernel", options.require_kernel);
  add("rewrite", options.rewrites);
  for (const ast::HeaderChange& change : options.headers) all.push_back({change.response ? "response header" : "header", change.span});
  add("mirror", options.mirrors);
  add("fault", options.faults);
  add("cors", options.cors);
  return all;
}

// What goes with what; the table in docs/language.md.
constexpr std::string_view with_pools[] = {"label", "timeout", "per_try", "retry", "upgrade", "require kernel", "rewrite", "header",
                                           "response header", "mirror", "fault", "cors"};
constexpr std::string_view with_answers[] = {"label", "require kernel", "response header", "cors"};
constexpr std::string_view with_pool_parts[] = {"rewrite", "header", "response header"};
constexpr std::string_view with_answer_parts[] = {"response header"};
constexpr std::string_view with_access[] = {"label", "require kernel"};

template <typename Allowed>
bool allows(const Allowed& allowed, std::string_view word) {
  return std::find(std::begin(allowed), std::end(allowed), word) != std::end(allowed);
}

const char* help_for(std::string_view word, bool part) {
  if (part && (word == "header" || word == "rewrite")) return "the mesh answers itself, and sends nothing on";
  if (part) return "it stands behind the whole `split`, for all parts";
  if (word == "timeout" || word == "per_try") return "the mesh answers at once; leave it out";
  return "the mesh answers itself, and sends nothing on";
}

/// Reports every option that the target does not take.
template <typename Allowed>
bool check_allowed(RuleScope& scope, const ast::Options& options, const Allowed& allowed, const char* with, bool part) {
  bool right = true;
  for (const Written& option : all_of(options)) {
    if (allows(allowed, option.word)) continue;
    scope.analysis.report(kinds::wrong_option(option.span, option.word, with)).with_help(help_for(option.word, part));
    right = false;
  }
  return right;
}

bool check_tcp(RuleScope& scope, const ast::Options& options, bool part) {
  bool right = true;
  for (const Written& option : all_of(options)) {
    if (allows(with_access, option.word) && !part) continue;
    if (allows(with_access, option.word)) {
      scope.analysis.report(kinds::wrong_option(option.span, option.word, "a part of a `split`")).with_help(help_for(option.word, true));
      right = false;
      continue;
    }
    scope.report_not_on_tcp(option.span, option.word);
    right = false;
  }
  return right;
}

std::uint32_t time_of(RuleScope& scope, const ast::Number& time) {
  return milliseconds(scope.analysis.sink, time).value_or(0);
}

void check_mirrors(RuleScope& scope, const ast::Options& written, model::RouteRule& rule) {
  for (const ast::Mirror& mirror : written.mirrors) {
    if (mirror.target.kind == ast::Target::Kind::respond) {
      scope.analysis.report(kinds::wrong_option(mirror.span, "mirror", mirror.target.respond.redirect ? "`redirect`" : "`respond`"))
          .with_help("nobody would get the answer");
      continue;
    }
    const auto target = check_target(scope, mirror.target);
    model::Mirror result;
    if (mirror.share) result.share_ppm = check_share(scope.analysis.sink, *mirror.share).value_or(0);
    if (!target) continue;
    result.pool = target->pool;
    rule.mirrors.push_back(result);
    scope.analysis.not_built("mirror", mirror.span);
  }
}

void check_faults(RuleScope& scope, const ast::Options& written, model::RouteRule& rule) {
  for (const bool abort : {false, true}) {
    std::vector<ast::Fault> same;
    std::copy_if(written.faults.begin(), written.faults.end(), std::back_inserter(same),
                 [abort](const ast::Fault& fault) { return fault.abort == abort; });
    const auto* fault = only(scope.analysis, same, abort ? "fault abort" : "fault delay", place);
    if (fault == nullptr) continue;
    if (!rule.fault) rule.fault.emplace();
    const std::uint32_t share = check_share(scope.analysis.sink, fault->share).value_or(0);
    if (abort) {
      rule.fault->abort_ppm = share;
      rule.fault->abort_status =
          static_cast<std::uint16_t>(number_in(scope.analysis.sink, fault->what, "a status", 400, 599).value_or(500));
    } else {
      rule.fault->delay_ppm = share;
      rule.fault->delay_ms = time_of(scope, fault->what);
    }
    scope.analysis.not_built(abort ? "fault abort" : "fault delay", fault->span);
  }
}

/// What the mesh answers itself takes no time, so the route's times say nothing about it.
void check_times(RuleScope& scope, const ast::RouteRule& written, const RouteDefaults& defaults, model::RouteRule& rule) {
  const ast::Options& options = written.options;
  const auto* timeout = only(scope.analysis, options.timeouts, "timeout", place);
  const auto* per_try = only(scope.analysis, options.per_tries, "per_try", place);
  const auto* retry = only(scope.analysis, options.retries, "retry", place);
  if (written.target.kind == ast::Target::Kind::respond) return;
  rule.timeout_ms = defaults.timeout_ms;
  if (timeout != nullptr) rule.timeout_ms = timeout->time ? time_of(scope, *timeout->time) : 0;
  Tries tries{retry != nullptr ? retry : defaults.retry, defaults.per_try_ms, rule.timeout_ms, written.span};
  if (per_try != nullptr) {
    tries.per_try_ms = time_of(scope, per_try->time);
    tries.span = per_try->span;
    scope.analysis.not_built("per_try", per_try->span);
  }
  check_tries(scope, tries, rule);
}

RuleCondition condition_of(const ast::RouteRule& written, const model::RouteRule& rule) {
  return {rule.when, written.when.has_value() && !rule.when.has_value()};
}

/// What the rule rewrites, its part does not rewrite again: it would no more be the path that the condition speaks of.
bool check_rewritten_once(RuleScope& scope, const ast::Options& rule, const ast::Options& part) {
  bool right = true;
  for (const ast::Rewrite& again : part.rewrites) {
    const bool host = again.kind == ast::Rewrite::Kind::host;
    const auto first = std::find_if(rule.rewrites.begin(), rule.rewrites.end(), [host](const ast::Rewrite& rewrite) {
      return (rewrite.kind == ast::Rewrite::Kind::host) == host;
    });
    if (first == rule.rewrites.end()) continue;
    scope.analysis.report(kinds::duplicate_item(again.span, host ? "rewrite host" : "rewrite path"))
        .with_label(first->span, "here for all parts")
        .with_help("say it for each part that needs it, or for all");
    right = false;
  }
  return right;
}

bool check_parts(RuleScope& scope, const ast::RouteRule& written, model::RouteRule& rule) {
  bool right = true;
  for (std::size_t i = 0; i < written.target.parts.size(); ++i) {
    const ast::SplitPart& part = written.target.parts[i];
    const bool allowed = part.respond ? check_allowed(scope, part.options, with_answer_parts, "a part of a `split`", true)
                                      : check_allowed(scope, part.options, with_pool_parts, "a part of a `split`", true);
    right = right && allowed;
    // A target with a mistake has fewer parts than are written.
    right = check_rewritten_once(scope, written.options, part.options) && right;
    if (allowed && rule.target.split.size() == written.target.parts.size())
      right = check_changes(scope, part.options, condition_of(written, rule), rule.target.split[i].changes) && right;
  }
  return right;
}

}  // namespace

RouteDefaults check_defaults(RuleScope& scope, const ast::Route& route) {
  RouteDefaults defaults;
  const auto* timeout = only(scope.analysis, route.timeouts, "timeout", place);
  const auto* per_try = only(scope.analysis, route.per_tries, "per_try", place);
  defaults.retry = only(scope.analysis, route.retries, "retry", place);
  if (scope.is_tcp_like()) {
    if (timeout != nullptr) scope.report_not_on_tcp(timeout->span, "timeout");
    if (per_try != nullptr) scope.report_not_on_tcp(per_try->span, "per_try");
    if (defaults.retry != nullptr) scope.report_not_on_tcp(defaults.retry->span, "retry");
    return {};
  }
  if (defaults.retry != nullptr && defaults.retry->name) find_retry(scope, *defaults.retry->name);
  if (timeout != nullptr && timeout->time) defaults.timeout_ms = time_of(scope, *timeout->time);
  if (per_try == nullptr) return defaults;
  defaults.per_try_ms = time_of(scope, per_try->time);
  scope.analysis.not_built("per_try", per_try->span);
  return defaults;
}

bool check_options(RuleScope& scope, const ast::RouteRule& written, const RouteDefaults& defaults, model::RouteRule& rule) {
  if (scope.is_tcp_like()) {
    bool right = check_tcp(scope, written.options, false);
    for (const ast::SplitPart& part : written.target.parts) right = check_tcp(scope, part.options, true) && right;
    return right;
  }
  const bool answers = written.target.kind == ast::Target::Kind::respond;
  const char* answer = written.target.respond.redirect ? "`redirect`" : "`respond`";
  bool right = answers ? check_allowed(scope, written.options, with_answers, answer, false)
                       : check_allowed(scope, written.options, with_pools, "", false);
  check_times(scope, written, defaults, rule);
  right = check_changes(scope, written.options, condition_of(written, rule), rule.changes) && right;
  right = check_parts(scope, written, rule) && right;
  const auto* upgrade = only(scope.analysis, written.options.upgrades, "upgrade", [](const source::Span& span) { return span; });
  if (upgrade != nullptr) {
    rule.upgrade_websocket = true;
    scope.analysis.not_built("upgrade websocket", *upgrade);
    if (scope.model_service().protocol != model::Protocol::http) {
      scope.analysis.report(kinds::wrong_option(*upgrade, "upgrade", "HTTP/2"))
          .with_help("`Upgrade` is a header of HTTP/1");
      right = false;
    }
  }
  if (!answers) check_mirrors(scope, written.options, rule);
  if (!answers) check_faults(scope, written.options, rule);
  if (const auto* cors = only(scope.analysis, written.options.cors, "cors", place)) {
    rule.cors = check_cors(scope, *cors);
    right = right && rule.cors.has_value();
  }
  return right;
}

void check_access_options(RuleScope& scope, const ast::Options& written) {
  for (const Written& option : all_of(written)) {
    if (allows(with_access, option.word)) continue;
    scope.analysis.report(kinds::wrong_option(option.span, option.word, "an access rule"))
        .with_help("what becomes of a request is said in the `route`");
  }
}

}  // namespace heddle::sema
