#include "tests/differential/agreement.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace heddle::differential {
namespace {

std::string unequal(const char* what, const std::string& expected, const std::string& compiled) {
  if (expected == compiled) return "";
  return std::string("  ") + what + ": evaluator `" + expected + "`, compiled `" + compiled + "`\n";
}

std::string service_name(const model::Policy& policy, const eval::Outcome& outcome) {
  return outcome.service ? policy.services[*outcome.service].name : "";
}

/// As manifests call it: `reviews`, `reviews.v1`.
std::string pool_text(const model::Policy& policy, const eval::Outcome& outcome) {
  if (!outcome.pool) return "";
  const model::Service& service = policy.services[outcome.pool->service];
  return service.name + (outcome.pool->subset ? "." + service.subsets[*outcome.pool->subset].name : "");
}

std::string endpoint_mismatch(const eval::Outcome& expected, const Compiled& compiled) {
  const bool forwards = expected.verdict == eval::Verdict::forward;
  if (forwards && expected.drawn && compiled.endpoint != expected.drawn)
    return unequal("drawn endpoint", expected.drawn->text(),
                   compiled.endpoint ? compiled.endpoint->text() : "none");
  if (!forwards && !compiled.endpoint) return "";
  if (forwards && compiled.endpoint && std::ranges::count(expected.endpoints, *compiled.endpoint) > 0)
    return "";
  const std::string chosen = compiled.endpoint ? compiled.endpoint->text() : "none";
  return "  endpoint: compiled chose " + chosen + ", which is none of those that may be chosen\n";
}

/// A type of its own; plain text is not said.
std::string type_of(const eval::Outcome& outcome) {
  const auto type = outcome.headers.find("content-type");
  return type == outcome.headers.end() || type->second == model::plain_text ? "" : type->second;
}

std::string answer_mismatch(const eval::Outcome& expected, const Compiled& compiled) {
  const auto location = expected.headers.find("location");
  return unequal("body", expected.body, compiled.body) + unequal("type", type_of(expected), compiled.type) +
         unequal("location", location == expected.headers.end() ? "" : location->second, compiled.location);
}

}  // namespace

std::string difference(const model::Policy& policy, const eval::Outcome& expected, const Compiled& compiled) {
  return unequal("verdict", eval::verdict_name(expected.verdict), compiled.verdict) +
         unequal("status", std::to_string(expected.status), std::to_string(compiled.status)) +
         unequal("rule", expected.rule, compiled.rule) +
         unequal("access rule", expected.access_rule, compiled.access_rule) +
         unequal("service", service_name(policy, expected), compiled.service) +
         unequal("pool", pool_text(policy, expected), compiled.pool) +
         unequal("timeout", std::to_string(expected.timeout_ms), std::to_string(compiled.timeout_ms)) +
         unequal("seconds to wait", std::to_string(expected.retry_after), std::to_string(compiled.retry_after)) +
         answer_mismatch(expected, compiled) + endpoint_mismatch(expected, compiled);
}

std::string printable_head(const std::string& head) {
  std::string text = "  ";
  for (std::size_t at = 0; at < head.size(); ++at) {
    const auto value = static_cast<unsigned char>(head[at]);
    std::size_t run = 1;
    while (at + run < head.size() && head[at + run] == head[at]) ++run;
    std::array<char, 8> escape{};
    std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned>(value));
    const std::string shown = value >= 0x20 && value < 0x7f ? std::string(1, head[at]) : escape.data();
    text += shown;
    if (run > 20) {
      text += "{" + std::to_string(run) + " times}";
      at += run - 1;
    }
    if (head[at] == '\n') text += "\n  ";
  }
  return text;
}

}  // namespace heddle::differential
