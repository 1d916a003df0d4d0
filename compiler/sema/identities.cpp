#include <algorithm>
#include <map>
#include <set>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/analysis.h"
#include "compiler/sema/conditions.h"
#include "compiler/sema/spiffe.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

using model::IdentityId;

/// Works out which identities every group has, members before groups, without recursion: chains may be long.
class Groups {
 public:
  explicit Groups(Analysis& analysis) : analysis_(analysis), named_(analysis.policy.identities.size()) {}

  void add(IdentityId group, std::vector<IdentityId> members) { named_[group] = std::move(members); }

  void flatten() {
    std::vector<std::size_t> waiting_for(named_.size());
    std::vector<std::vector<IdentityId>> groups_of(named_.size());
    std::vector<IdentityId> ready;
    for (IdentityId id = 0; id < named_.size(); ++id) {
      waiting_for[id] = named_[id].size();
      for (const IdentityId member : named_[id]) groups_of[member].push_back(id);
      if (named_[id].empty()) ready.push_back(id);
    }
    while (!ready.empty()) {
      const IdentityId id = ready.back();
      ready.pop_back();
      if (!named_[id].empty()) fill(id);
      done_.insert(id);
      for (const IdentityId group : groups_of[id]) {
        if (--waiting_for[group] == 0) ready.push_back(group);
      }
    }
  }

  /// What is left waits for itself. Reported once for each circle.
  void report_cycles() {
    std::set<IdentityId> seen;
    for (IdentityId start = 0; start < named_.size(); ++start) {
      std::vector<IdentityId> walk;
      IdentityId id = start;
      while (!done_.contains(id) && seen.insert(id).second) {
        walk.push_back(id);
        id = next_on_cycle(id);
      }
      const auto begin = std::find(walk.begin(), walk.end(), id);
      if (begin != walk.end()) report_cycle({begin, walk.end()});
    }
  }

 private:
  void fill(IdentityId group) {
    model::Identity& identity = analysis_.policy.identities[group];
    std::set<IdentityId> leaves;
    for (const IdentityId member : named_[group]) {
      const model::Identity& other = analysis_.policy.identities[member];
      if (other.group) {
        leaves.insert(other.members.begin(), other.members.end());
      } else {
        leaves.insert(member);
      }
    }
    identity.members.assign(leaves.begin(), leaves.end());
    for (const IdentityId leaf : leaves) {
      const auto& patterns = analysis_.policy.identities[leaf].patterns;
      identity.patterns.insert(identity.patterns.end(), patterns.begin(), patterns.end());
    }
  }

  [[nodiscard]] IdentityId next_on_cycle(IdentityId id) const {
    for (const IdentityId member : named_[id]) {
      if (!done_.contains(member)) return member;
    }
    return id;
  }

  void report_cycle(const std::vector<IdentityId>& cycle) {
    const auto first = std::min_element(cycle.begin(), cycle.end());
    const model::Identity& identity = analysis_.policy.identities[*first];
    auto& diagnostic = analysis_.report(kinds::group_cycle(identity.span, identity.name));
    constexpr std::size_t most_labels = 8;
    for (const IdentityId id : cycle) {
      if (id != *first && diagnostic.labels.size() < most_labels)
        diagnostic.with_label(analysis_.policy.identities[id].span, "a member on the way round");
    }
  }

  Analysis& analysis_;
  std::vector<std::vector<IdentityId>> named_;
  std::set<IdentityId> done_;
};

void add_pattern(Analysis& analysis, const ast::String& text, model::Identity& identity) {
  const SpiffeText spiffe = read_spiffe(text.value, analysis.policy.trust_domain, true);
  if (spiffe.wrong != nullptr) {
    analysis.report(kinds::bad_spiffe(text.span, text.value, spiffe.wrong))
        .with_help("write the path below the trust domain, `ns/shop/sa/web`, or a full `spiffe://` id");
  }
  const bool by_alias = spiffe.trust_domain == analysis.policy.trust_domain_alias;
  identity.patterns.push_back({by_alias ? analysis.policy.trust_domain : spiffe.trust_domain, spiffe.path, text.span});
}

const ast::String* take(Analysis& analysis, const Table<ast::Identity>::Entry& entry, const std::vector<ast::String>& written,
                        const char* item) {
  const auto* text = only(analysis, written, item, [](const ast::String& s) { return s.span; });
  require(analysis, *entry.node, entry.node->name, "identity", item, text != nullptr);
  if (text != nullptr && text->value.empty()) analysis.report(kinds::bad_jwt(text->span, text->value, item, "it is empty"));
  return text;
}

/// Key sets lie beside the policy: what a bundle is made of is under the same review.
const char* why_no_path(const std::string& path) {
  if (path.starts_with("/")) return "it is a file below the policy's folder";
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string segment = path.substr(at, end - at);
    if (segment == "..") return "it does not leave the policy's folder";
    if (segment.empty() || segment == ".") return "it is a plain path of a file";
    at = end + 1;
  }
  if (path.find('\0') != std::string::npos) return "it has a NUL byte";
  return nullptr;
}

void add_jwt(Analysis& analysis, const Table<ast::Identity>::Entry& entry, model::Identity& identity) {
  const ast::Jwt& written = *entry.node->jwt;
  model::Jwt& jwt = identity.jwt.emplace();
  if (const auto* issuer = take(analysis, entry, written.issuers, "issuer")) jwt.issuer = issuer->value;
  if (const auto* audience = take(analysis, entry, written.audiences, "audience")) jwt.audience = audience->value;
  if (const auto* jwks = take(analysis, entry, written.jwks, "jwks")) {
    jwt.jwks = jwks->value;
    if (const char* why = why_no_path(jwt.jwks)) analysis.report(kinds::bad_jwt(jwks->span, jwks->value, "jwks", why));
  }
  if (written.where) jwt.where = check_token_condition(analysis, *written.where);
  analysis.not_built("jwt", written.span);
}

}  // namespace

void check_identities(Analysis& analysis) {
  for (const auto& [name, entry] : analysis.identities.entries) {
    model::Identity identity;
    identity.name = name;
    identity.group = !entry.node->members.empty();
    identity.doc = entry.node->doc;
    identity.span = entry.node->name.span;
    if (entry.node->spiffe) add_pattern(analysis, *entry.node->spiffe, identity);
    if (entry.node->jwt) add_jwt(analysis, entry, identity);
    analysis.policy.identities.push_back(std::move(identity));
  }
  Groups groups(analysis);
  for (const auto& [name, entry] : analysis.identities.entries) {
    std::vector<IdentityId> members;
    for (const ast::QualifiedName& member : entry.node->members) {
      if (const auto id = resolve_identity(analysis, member, entry.space)) members.push_back(*id);
    }
    groups.add(entry.id, std::move(members));
  }
  groups.flatten();
  groups.report_cycles();
}

}  // namespace heddle::sema
