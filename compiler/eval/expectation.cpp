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
  if (outcome.status == 0) {
    const auto changed = outcome.response.find(expectation.header);
    return changed != outcome.response.end() && changed->second == expectation.value;
  }
  const auto header = outcome.headers.find(expectation.header);
  if (!expectation.value) return header == outcome.headers.end();
  return header != outcome.headers.end() && header->second == *expectation.value;
}

/// Of the request as it is sent on: one of its lines.
bool sends_header(const Expectation& expectation, const Outcome& outcome) {
  if (!outcome.forwarded) return false;
  const auto values = values_of(outcome.forwarded->head, expectation.header);
  return expectation.value ? std::ranges::count(values, *expectation.value) > 0 : values.empty();
}

bool mirrors_to(const model::Policy& policy, const Expectation& expectation, const Outcome& outcome) {
  return std::ranges::any_of(outcome.mirrors, [&](const Pool& pool) {
    return pool_name(policy, pool, *outcome.service) == expectation.targets.front();
  });
}

std::string header_text(const Expectation& expectation) {
  return "header \"" + expectation.header + "\" " + (expectation.value ? "\"" + *expectation.value + "\"" : "absent");
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
      {Kind::retries, [](const auto&, const auto& e, const auto& o) { return is_allowed(o) && o.retries == e.retries; }},
      {Kind::path, [](const auto&, const auto& e, const auto& o) { return o.forwarded && o.forwarded->head.path == e.text; }},
      {Kind::host, [](const auto&, const auto& e, const auto& o) { return o.forwarded && o.forwarded->head.host == e.text; }},
      {Kind::header, [](const auto&, const auto& e, const auto& o) { return sends_header(e, o); }},
      {Kind::mirror, mirrors_to},
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
      return "response " + header_text(expectation);
    case Kind::retries:
      return "retries " + std::to_string(expectation.retries);
    case Kind::tier:
      return "tier " + expectation.text;
    case Kind::path:
      return "path \"" + expectation.text + "\"";
    case Kind::host:
      return "host \"" + expectation.text + "\"";
    case Kind::header:
      return header_text(expectation);
    case Kind::mirror:
      return "mirror " + targets_text(expectation);
  }
  return "";
}

}  // namespace heddle::eval
