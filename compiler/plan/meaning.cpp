#include "compiler/plan/meaning.h"

#include <array>
#include <string_view>

namespace heddle::plan {
namespace {

constexpr std::array<std::string_view, 12> attribute_names = {"path",    "host", "method", "header", "query", "cookie",
                                                              "address", "port", "from",   "sni",    "claim", "user"};
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
  for (const std::string& name : test.claim) out += " " + quoted(name);
  if (!test.name.empty() && test.claim.empty()) out += " " + quoted(test.name);
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

namespace {

std::string patterns_meaning(const model::Identity& identity) {
  std::string out;
  for (const model::SpiffePattern& pattern : identity.patterns)
    out += (out.empty() ? "spiffe://" : " spiffe://") + pattern.trust_domain + "/" + pattern.path;
  return out;
}

std::string users_meaning(const model::Identity& identity, const model::Policy& policy) {
  std::string out;
  if (identity.jwt) {
    out = "jwt " + quoted(identity.jwt->issuer) + " " + quoted(identity.jwt->audience) + " " + quoted(identity.jwt->jwks);
    if (identity.jwt->where) out += " where " + meaning(*identity.jwt->where, policy);
  }
  for (const model::IdentityId member : identity.members) {
    if (policy.identities[member].jwt) out += " " + users_meaning(policy.identities[member], policy);
  }
  return out;
}

/// ` { … }`, or nothing.
std::string in_braces(const std::string& options) {
  return options.empty() ? "" : " {" + options + " }";
}

std::string change_meaning(const model::HeaderChange& change, bool response) {
  static constexpr const char* actions[] = {" set", " add", " remove"};
  static constexpr const char* values[] = {"", " identity", " address", " claim"};
  std::string out = actions[static_cast<std::size_t>(change.action)];
  out += (response ? " response header " : " header ") + quoted(change.name);
  if (change.action == model::HeaderChange::Action::remove) return out;
  if (change.value == model::HeaderChange::Value::text) return out + " " + quoted(change.text);
  out += values[static_cast<std::size_t>(change.value)];
  return change.claim.empty() ? out : out + " \"" + model::claim_text(change.claim) + "\"";
}

std::string changes_meaning(const model::Changes& changes) {
  static constexpr const char* kinds[] = {"", "like ", ""};
  std::string out;
  if (changes.path) {
    out += std::string(" rewrite path ") + kinds[static_cast<std::size_t>(changes.path->kind)];
    if (!changes.path->from.empty()) out += quoted(changes.path->from) + " ";
    out += "to " + quoted(changes.path->to);
  }
  if (changes.host) out += " rewrite host to " + quoted(*changes.host);
  for (const model::HeaderChange& change : changes.request) out += change_meaning(change, false);
  for (const model::HeaderChange& change : changes.response) out += change_meaning(change, true);
  return out;
}

std::string list_meaning(const char* name, const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? std::string(" ") + name + " [" : ", ") + quoted(item);
  return out.empty() ? "" : out + "]";
}

std::string cors_meaning(const model::Cors& cors) {
  std::string out = cors.any_origin ? " any origin" : "";
  out += list_meaning("origins", cors.origins) + list_meaning("patterns", cors.pattern_texts) + list_meaning("methods", cors.methods) +
         list_meaning("headers", cors.headers) + list_meaning("expose", cors.expose);
  if (cors.credentials) out += " credentials";
  return cors.max_age_s ? out + " max_age " + std::to_string(*cors.max_age_s) + "s" : out;
}

std::string options_meaning(const model::RouteRule& rule, const model::Policy& policy) {
  std::string out;
  if (rule.timeout_ms != 0) out += " timeout " + std::to_string(rule.timeout_ms) + "ms";
  if (rule.per_try_ms != 0) out += " per_try " + std::to_string(rule.per_try_ms) + "ms";
  if (rule.retry) out += " retry " + policy.retries[*rule.retry].name + in_braces(meaning(policy.retries[*rule.retry]));
  if (rule.upgrade_websocket) out += " upgrade websocket";
  out += changes_meaning(rule.changes);
  for (const model::Mirror& mirror : rule.mirrors) out += " mirror " + pool_name(mirror.pool, policy) + " " + weight(mirror.share_ppm);
  if (rule.fault && rule.fault->delay_ms != 0)
    out += " fault delay " + std::to_string(rule.fault->delay_ms) + "ms " + weight(rule.fault->delay_ppm);
  if (rule.fault && rule.fault->abort_status != 0)
    out += " fault abort " + std::to_string(rule.fault->abort_status) + " " + weight(rule.fault->abort_ppm);
  return rule.cors ? out + " cors" + in_braces(cors_meaning(*rule.cors)) : out;
}

}  // namespace

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
    out += (out.empty() ? "" : ", ") + identity.name + "(" + patterns_meaning(identity) + users_meaning(identity, policy) + ")";
  }
  for (std::size_t i = 0; i < callers.via.size(); ++i) {
    const model::Identity& peer = policy.identities[callers.via[i]];
    out += (i == 0 ? " via " : ", ") + peer.name + "(" + patterns_meaning(peer) + ")";
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
    out += " " + weight(part.weight_ppm) + " " + (part.respond ? answer_meaning(*part.respond) : pool_name(part.pool, policy)) +
           in_braces(changes_meaning(part.changes));
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
  return (rule.when ? "when " + meaning(*rule.when, policy) : "otherwise") + target + in_braces(options_meaning(rule, policy));
}

std::string meaning(const model::RetryPolicy& retry) {
  std::string out = " at_most " + std::to_string(retry.retries) + " on";
  if (retry.on_connect_failure) out += " connect_failure";
  if (retry.on_refused) out += " refused";
  if (retry.on_reset) out += " reset";
  if (retry.on_timeout) out += " timeout";
  for (const model::StatusRange& range : retry.on_status)
    out += " status " + std::to_string(range.first) + ".." + std::to_string(range.last);
  for (const std::uint8_t code : retry.on_grpc) out += " grpc " + std::to_string(code);
  if (retry.per_try_ms != 0) out += " per_try " + std::to_string(retry.per_try_ms) + "ms";
  if (retry.backoff_most_ms != 0)
    out += " backoff " + std::to_string(retry.backoff_first_ms) + "ms.." + std::to_string(retry.backoff_most_ms) + "ms";
  out += " budget " + weight(retry.budget.share_ppm);
  if (retry.budget.at_least != 0)
    out += " at_least " + std::to_string(retry.budget.at_least) + " in " + std::to_string(retry.budget.period_ns) + "ns";
  out += retry.any_method ? " methods any" : " methods idempotent";
  return out + " buffer " + std::to_string(retry.buffer);
}

}  // namespace heddle::plan
