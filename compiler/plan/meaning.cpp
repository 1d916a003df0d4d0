#include "compiler/plan/meaning.h"

#include <array>
#include <string_view>

namespace heddle::plan {
namespace {

constexpr std::array<std::string_view, 9> attribute_names = {"path",   "host",    "method", "header", "query",
                                                             "cookie", "address", "port",   "from"};
constexpr std::array<std::string_view, 10> operator_names = {"is",   "under",   "starts", "ends",    "contains",
                                                             "like", "matches", "has",    "present", "absent"};

/// As a string of the language writes it; everything but plain ASCII as \xHH.
std::string quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return out + '"';
}

std::string test_meaning(const model::Test& test, const model::Policy& policy) {
  if (test.attribute == model::Attribute::from) return "from " + meaning(test.callers, policy);
  if (test.attribute == model::Attribute::filter) return "extern " + test.name;
  std::string out(attribute_names.at(static_cast<std::size_t>(test.attribute)));
  if (!test.name.empty()) out += " " + quoted(test.name);
  out += " " + std::string(operator_names.at(static_cast<std::size_t>(test.op)));
  const bool has_literal = test.op != model::Operator::present && test.op != model::Operator::absent;
  if (has_literal) out += " " + quoted(test.literal);
  return test.ignoring_case ? out + " ignoring case" : out;
}

std::string answer_meaning(const model::Respond& respond) {
  if (!respond.redirect) {
    const std::string type = respond.type.empty() ? "" : " type " + quoted(respond.type);
    return "respond " + std::to_string(respond.status) + " " + quoted(respond.body) + type;
  }
  const model::Redirect& redirect = *respond.redirect;
  std::string out = "redirect " + std::to_string(respond.status);
  if (redirect.https) out += " scheme \"https\"";
  if (!redirect.host.empty()) out += " host " + quoted(redirect.host);
  if (redirect.port != 0) out += " port " + std::to_string(redirect.port);
  if (!redirect.prefix.empty()) return out + " prefix " + quoted(redirect.prefix) + " to " + quoted(redirect.path);
  return redirect.path.empty() ? out : out + " path " + quoted(redirect.path);
}

}  // namespace

std::string weight(std::uint32_t ppm) {
  std::string fraction = std::to_string(ppm % 10000);
  return std::to_string(ppm / 10000) + "." + std::string(4 - fraction.size(), '0') + fraction + "%";
}

std::string meaning(const model::Callers& callers, const model::Policy& policy) {
  switch (callers.kind) {
    case model::Callers::Kind::any:
      return "any";
    case model::Callers::Kind::authenticated:
      return "authenticated";
    case model::Callers::Kind::unauthenticated:
      return "unauthenticated";
    case model::Callers::Kind::identities:
      break;
  }
  std::string out;
  for (const model::IdentityId id : callers.identities) {
    const model::Identity& identity = policy.identities[id];
    out += (out.empty() ? "" : ", ") + identity.name + "(";
    for (const model::SpiffePattern& pattern : identity.patterns) {
      out += "spiffe://" + pattern.trust_domain + "/" + pattern.path + " ";
    }
    out.back() = ')';
  }
  return out;
}

std::string meaning(const model::Condition& condition, const model::Policy& policy) {
  if (condition.kind == model::Condition::Kind::test) return test_meaning(condition.test, policy);
  if (condition.kind == model::Condition::Kind::negation) {
    return "not (" + meaning(condition.children.front(), policy) + ")";
  }
  const std::string_view word = condition.kind == model::Condition::Kind::all ? " and " : " or ";
  std::string out;
  for (const model::Condition& child : condition.children) {
    if (!out.empty()) out += word;
    out += "(" + meaning(child, policy) + ")";
  }
  return out;
}

std::string pool_name(const model::PoolTarget& pool, const model::Policy& policy) {
  const model::Service& service = policy.services[pool.service];
  return pool.subset ? service.name + "." + service.subsets[*pool.subset].name : service.name;
}

std::string meaning(const model::Target& target, const model::Policy& policy) {
  switch (target.kind) {
    case model::Target::Kind::pool:
      return pool_name(target.pool, policy);
    case model::Target::Kind::respond:
      return answer_meaning(target.respond);
    case model::Target::Kind::split:
      break;
  }
  std::string out = target.by ? "split by " + model::key_text(*target.by) + " {" : "split {";
  for (const model::SplitPart& part : target.split) {
    out += " " + weight(part.weight_ppm) + " " + (part.respond ? answer_meaning(*part.respond) : pool_name(part.pool, policy));
  }
  return out + " }";
}

std::string meaning(const model::AccessRule& rule, const model::Policy& policy) {
  std::string out = rule.effect == model::Effect::allow ? "allow from " : "deny from ";
  out += meaning(rule.from, policy);
  return rule.when ? out + " when " + meaning(*rule.when, policy) : out;
}

std::string meaning(const model::Limit& limit, const model::Policy& policy) {
  std::string out = "rate " + std::to_string(limit.count) + " in " + std::to_string(limit.period_ns) + "ns burst " +
                    std::to_string(limit.burst);
  for (const model::RequestKey& part : limit.key) out += " key " + model::key_text(part);
  return limit.when ? out + " when " + meaning(*limit.when, policy) : out;
}

std::string meaning(const model::RouteRule& rule, const model::Policy& policy) {
  const std::string target = " -> " + meaning(rule.target, policy);
  const std::string timeout =
      rule.timeout_ms == 0 ? "" : " { timeout " + std::to_string(rule.timeout_ms) + "ms }";
  return (rule.when ? "when " + meaning(*rule.when, policy) : "otherwise") + target + timeout;
}

}  // namespace heddle::plan
