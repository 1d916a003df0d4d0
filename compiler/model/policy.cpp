#include "compiler/model/policy.h"

#include <array>

#include <algorithm>

namespace heddle::model {

std::string key_text(const RequestKey& key) {
  static constexpr std::array<const char*, 12> names = {"path",    "host", "method",   "header", "query", "cookie",
                                                        "address", "port", "identity", "sni",    "claim", "user"};
  const std::string name = names.at(static_cast<std::size_t>(key.attribute));
  return key.name.empty() ? name : name + " \"" + key.name + "\"";
}

std::vector<const Respond*> Target::answers() const {
  std::vector<const Respond*> all;
  if (kind == Kind::respond) all.push_back(&respond);
  for (const SplitPart& part : split) {
    if (part.respond) all.push_back(&*part.respond);
  }
  return all;
}

std::string rule_id(const std::string& kind, const std::string& qualified_service, const std::string& label) {
  const std::size_t dot = qualified_service.find('.');
  if (dot == std::string::npos) return kind + " " + qualified_service + "/" + label;
  return qualified_service.substr(0, dot + 1) + kind + " " + qualified_service.substr(dot + 1) + "/" + label;
}

std::uint64_t longest_backoff_ms(const RetryPolicy& retry) {
  std::uint64_t sum = 0;
  std::uint64_t wait = retry.backoff_first_ms;
  for (std::uint32_t each = 0; each < retry.retries; ++each) {
    wait = std::min<std::uint64_t>(wait, retry.backoff_most_ms);
    sum += wait;
    wait *= 2;
  }
  return sum;
}

std::string claim_text(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& name : path) {
    if (!text.empty()) text += "\" \"";
    for (const char byte : name) text += byte == '"' || byte == '\\' ? std::string("\\") + byte : std::string(1, byte);
  }
  return text;
}

bool has_user(const Policy& policy, IdentityId id) {
  const Identity& identity = policy.identities[id];
  if (!identity.group) return identity.jwt.has_value();
  return std::any_of(identity.members.begin(), identity.members.end(),
                     [&](IdentityId member) { return policy.identities[member].jwt.has_value(); });
}

const char* protocol_name(Protocol protocol) {
  static constexpr const char* names[] = {"http", "tcp", "tls", "http2", "grpc"};
  return names[static_cast<std::size_t>(protocol)];
}

const char* balance_name(Balance balance) {
  static constexpr const char* names[] = {"round_robin", "random", "least_request", "maglev"};
  return names[static_cast<std::size_t>(balance)];
}

std::string transport_text(const Service& service) {
  static constexpr const char* names[] = {"plaintext", "mtls", "tls"};
  const std::string name = names[static_cast<std::size_t>(service.transport)];
  return service.or_plaintext ? name + " or plaintext" : name;
}

std::string balance_text(const Service& service) {
  std::string name = service.prefer.empty() ? "" : "prefer same_" + service.prefer + " ";
  name += balance_name(service.balance);
  return service.maglev_by ? name + " by " + key_text(*service.maglev_by) : name;
}

std::string paths_text(const Paths& paths) {
  static constexpr const char* names[] = {"strict", "merge", "decode"};
  std::string text = names[static_cast<std::size_t>(paths.mode)];
  for (const std::string& kept : paths.keep) text += (text.find("keep") == std::string::npos ? " keep " : ", ") + kept;
  return text;
}

bool is_on_trial(const Service& service) {
  return service.audit && (!service.access || service.access->only_of_every);
}

std::vector<ServiceId> other_targets(const Policy& policy, ServiceId service) {
  std::set<ServiceId> others;
  const auto& route = policy.services[service].route;
  if (!route) return {};
  for (const RouteRule& rule : route->rules) {
    if (rule.target.kind == Target::Kind::pool) others.insert(rule.target.pool.service);
    for (const SplitPart& part : rule.target.split) {
      if (!part.respond) others.insert(part.pool.service);
    }
    for (const Mirror& mirror : rule.mirrors) others.insert(mirror.pool.service);
  }
  others.erase(service);
  return {others.begin(), others.end()};
}

const Service* find_service(const Policy& policy, const std::string& qualified_name) {
  const auto found = std::find_if(policy.services.begin(), policy.services.end(),
                                  [&](const Service& s) { return s.name == qualified_name; });
  return found == policy.services.end() ? nullptr : &*found;
}

const Identity* find_identity(const Policy& policy, const std::string& qualified_name) {
  const auto found = std::find_if(policy.identities.begin(), policy.identities.end(),
                                  [&](const Identity& i) { return i.name == qualified_name; });
  return found == policy.identities.end() ? nullptr : &*found;
}

}  // namespace heddle::model
