#include "compiler/eval/caller.h"

#include <algorithm>

namespace heddle::eval {
namespace {

/// `*` is a run; what it was taken for is tried longer until the rest fits. An earlier one need not be tried again.
bool matches_segment(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t from = 0;
  std::optional<std::size_t> star;
  std::size_t resume = 0;
  while (from < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = from;
    } else if (at < pattern.size() && pattern[at] == text[from]) {
      ++at;
      ++from;
    } else if (star) {
      at = *star + 1;
      from = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

/// No run goes over a `/`, so each segment is for itself.
bool matches_glob(std::string_view pattern, std::string_view text) {
  while (true) {
    const std::size_t pattern_end = pattern.find('/');
    const std::size_t text_end = text.find('/');
    if (!matches_segment(pattern.substr(0, pattern_end), text.substr(0, text_end))) return false;
    if (pattern_end == std::string_view::npos || text_end == std::string_view::npos) return pattern_end == text_end;
    pattern.remove_prefix(pattern_end + 1);
    text.remove_prefix(text_end + 1);
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
