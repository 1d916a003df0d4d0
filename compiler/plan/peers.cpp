#include "compiler/plan/peers.h"

#include <map>
#include <set>

namespace heddle::plan {
namespace {

hd_text add_text(const std::string& text, Tables& tables) {
  const auto offset = static_cast<hd_u32>(tables.blob.size());
  tables.blob += text;
  return {offset, static_cast<hd_u32>(text.size())};
}

}  // namespace

void write_peers(const model::Policy& policy, Tables& tables) {
  tables.mesh.push_back({add_text(policy.trust_domain, tables), add_text(policy.trust_domain_alias, tables)});
  // A group has the patterns of all its members.
  std::map<std::pair<std::string, std::string>, std::set<model::IdentityId>> holders;
  for (model::IdentityId id = 0; id < policy.identities.size(); ++id) {
    for (const model::SpiffePattern& pattern : policy.identities[id].patterns)
      holders[{pattern.trust_domain, pattern.path}].insert(id);
  }
  std::map<std::string, hd_text> domains;
  for (const auto& [pattern, identities] : holders) {
    const auto [domain, is_new] = domains.try_emplace(pattern.first);
    if (is_new) domain->second = add_text(pattern.first, tables);
    hd_pattern entry{};
    entry.trust_domain = domain->second;
    entry.path = add_text(pattern.second, tables);
    for (const model::IdentityId id : identities) entry.identities[id / 64] |= std::uint64_t{1} << (id % 64);
    tables.patterns.push_back(entry);
  }
}

hd_u32 transport_number(const model::Service& service) {
  switch (service.transport) {
    case model::Transport::mtls:
      return service.or_plaintext ? HD_TRANSPORT_MTLS_OR_PLAINTEXT : HD_TRANSPORT_MTLS;
    case model::Transport::tls:
      return HD_TRANSPORT_TLS;
    case model::Transport::plaintext:
      break;
  }
  return HD_TRANSPORT_PLAINTEXT;
}

}  // namespace heddle::plan
