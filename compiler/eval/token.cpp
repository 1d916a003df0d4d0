#include "compiler/eval/token.h"

#include <algorithm>

#include "compiler/eval/match.h"

namespace heddle::eval {
namespace {

bool shows(const Token& token, const model::Identity& identity) {
  if (!identity.jwt || identity.jwt->issuer != token.issuer || identity.jwt->audience != token.audience) return false;
  if (!identity.jwt->where) return true;
  Facts facts;
  facts.user = token;
  return match(*identity.jwt->where, facts).holds;
}

}  // namespace

const Claim* find_claim(const std::optional<Token>& token, const std::vector<std::string>& path) {
  if (!token) return nullptr;
  const auto found = std::ranges::find(token->claims, path, &Claim::path);
  return found == token->claims.end() ? nullptr : &*found;
}

bool has_claims_in(const std::optional<Token>& token, const std::vector<std::string>& path) {
  return token && std::ranges::any_of(token->claims, [&](const Claim& claim) {
           return claim.path.size() > path.size() && std::equal(path.begin(), path.end(), claim.path.begin());
         });
}

std::optional<std::string> claim_value(const std::optional<Token>& token, const std::vector<std::string>& path) {
  const Claim* claim = find_claim(token, path);
  if (claim == nullptr || claim->list) return std::nullopt;
  return claim->values.front();
}

std::set<model::IdentityId> identities_of(const model::Policy& policy, const Token& token) {
  std::set<model::IdentityId> held;
  for (model::IdentityId id = 0; id < policy.identities.size(); ++id) {
    if (shows(token, policy.identities[id])) held.insert(id);
  }
  for (model::IdentityId id = 0; id < policy.identities.size(); ++id) {
    const auto& members = policy.identities[id].members;
    if (std::ranges::any_of(members, [&](model::IdentityId member) { return held.contains(member); })) held.insert(id);
  }
  return held;
}

}  // namespace heddle::eval
