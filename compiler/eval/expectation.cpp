#include "compiler/eval/expectation.h"

#include <algorithm>
#include <map>

#include "compiler/eval/phrases.h"

namespace heddle::eval {
namespace {

using model::Expectation;
using Kind = Expectation::Kind;

bool is_allowed(const Outcome& outcome) {
  return outcome.verdict == Verdict::forward || outcome.verdict == Verdict::respond ||
         outcome.verdict == Verdict::unhealthy || outcome.verdict == Verdict::full;
}

bool goes_to(const model::Policy& policy, const Expectation& expectation, const Outcome& outcome) {
  return outcome.verdict == Verdict::forward && outcome.pool &&
         std::ranges::count(expectation.targets, pool_name(policy, *outcome.pool, *outcome.service)) > 0;
}

/// Of an answer of the mesh: what a server answers is not known.
bool has_header(const Expectation& expectation, const Outcome& outcome) {
  if (outcome.status == 0) return false;
  const auto header = outcome.headers.find(expectation.header);
  if (!expectation.value) return header == outcome.headers.end();
  return header != outcome.headers.end() && header->second == *expectation.value;
}

std::string targets_text(const Expectation& expectation) {
  std::string text;
  for (const std::string& target : expectation.targets) text += (text.empty() ? "" : " or ") + target;
  return text;
}

}  // namespace

bool meets(const model::Policy& policy, const Expectation& expectation, const Outcome& outcome) {
  using Check = bool (*)(const model::Policy&, const Expectation&, const Outcome&);
  static const std::map<Kind, Check> checks = {
      {Kind::allowed, [](const auto&, const auto&, const auto& o) { return is_allowed(o); }},
      {Kind::denied, [](const auto&, const auto&, const auto& o) { return o.verdict == Verdict::deny; }},
      {Kind::refused, [](const auto&, const auto& e,
                         const auto& o) { return o.verdict == Verdict::refuse && o.status == e.status; }},
      {Kind::limited, [](const auto&, const auto&, const auto& o) { return o.verdict == Verdict::limited; }},
      {Kind::route, goes_to},
      {Kind::status, [](const auto&, const auto& e, const auto& o) { return o.status == e.status; }},
      {Kind::rule, [](const auto&, const auto& e, const auto& o) { return o.rule == e.rule; }},
      {Kind::timeout, [](const auto&, const auto& e,
                         const auto& o) { return is_allowed(o) && o.timeout_ms == e.timeout_ms; }},
      {Kind::response_header, [](const auto&, const auto& e, const auto& o) { return has_header(e, o); }},
  };
  return checks.at(expectation.kind)(policy, expectation, outcome);
}

std::string expectation_text(const Expectation& expectation) {
  switch (expectation.kind) {
    case Kind::allowed:
      return "allowed";
    case Kind::denied:
      return "denied";
    case Kind::refused:
      return "refused " + std::to_string(expectation.status);
    case Kind::limited:
      return "limited";
    case Kind::route:
      return "route " + targets_text(expectation);
    case Kind::status:
      return "status " + std::to_string(expectation.status);
    case Kind::rule:
      return "rule \"" + expectation.rule + "\"";
    case Kind::timeout:
      return "timeout " + (expectation.timeout_ms == 0 ? "none" : time_text(expectation.timeout_ms));
    case Kind::response_header:
      return "response header \"" + expectation.header + "\" " +
             (expectation.value ? "\"" + *expectation.value + "\"" : "absent");
  }
  return "";
}

}  // namespace heddle::eval
