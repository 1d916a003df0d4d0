#include "compiler/eval/caller.h"

#include <algorithm>

namespace heddle::eval {
namespace {

bool matches_glob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() != '*') {
    return !text.empty() && text.front() == pattern.front() &&
           matches_glob(pattern.substr(1), text.substr(1));
  }
  for (std::size_t run = 0;; ++run) {
    if (matches_glob(pattern.substr(1), text.substr(run))) return true;
    if (run == text.size() || text[run] == '/') return false;
  }
}

bool holds(const model::Identity& identity, std::string_view spiffe) {
  return std::ranges::any_of(identity.patterns,
                             [&](const auto& pattern) { return matches(pattern, spiffe); });
}

}  // namespace

bool matches(const model::SpiffePattern& pattern, std::string_view spiffe) {
  const std::string domain = "spiffe://" + pattern.trust_domain + "/";
  return spiffe.starts_with(domain) && matches_glob(pattern.path, spiffe.substr(domain.size()));
}

std::optional<std::string> own_spiffe(const model::Policy& policy, const std::optional<std::string>& spiffe) {
  const std::string alias = "spiffe://" + policy.trust_domain_alias + "/";
  if (!spiffe || policy.trust_domain_alias.empty() || !spiffe->starts_with(alias)) return spiffe;
  return "spiffe://" + policy.trust_domain + "/" + spiffe->substr(alias.size());
}

Caller make_caller(const model::Policy& policy, const std::optional<std::string>& spiffe,
                   const std::optional<Token>& user) {
  Caller caller;
  if (user) caller.identities = identities_of(policy, *user);
  if (!spiffe) return caller;
  caller.has_peer = true;
  for (model::IdentityId id = 0; id < policy.identities.size(); ++id) {
    if (holds(policy.identities[id], *spiffe)) caller.identities.insert(id);
  }
  return caller;
}

bool includes(const model::Callers& callers, const Caller& caller) {
  using Kind = model::Callers::Kind;
  if (callers.kind == Kind::any) return true;
  if (callers.kind == Kind::authenticated) return caller.has_peer;
  if (callers.kind == Kind::unauthenticated) return !caller.has_peer;
  const auto holds_any = [&](const std::vector<model::IdentityId>& ids) {
    return std::ranges::any_of(ids, [&](auto id) { return caller.identities.contains(id); });
  };
  return holds_any(callers.identities) && (callers.via.empty() || holds_any(callers.via));
}

}  // namespace heddle::eval
