#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "runtime/base/spiffe_id.h"

namespace heddle::tls {

/// Of a policy: `trust_domain "own" alias "alias"`; an empty alias is none.
struct TrustDomains {
  std::string own;
  std::string alias;
};

/// One identity of the mesh, whichever of the two names its trust domain has in the certificate. Certificates are checked before
/// this: an alias has roots of its own.
[[nodiscard]] inline SpiffeId in_mesh(SpiffeId id, const TrustDomains& domains) {
  if (!domains.alias.empty() && id.trust_domain == domains.alias) id.trust_domain = domains.own;
  return id;
}

/// Whom the calling side takes for the service that it calls: whoever fits one of the patterns (`read_spiffe_pattern`), which have the
/// mesh's own trust domain in place of the alias. No pattern: nobody.
struct ExpectedPeers {
  TrustDomains domains;
  std::vector<SpiffeId> patterns;

  [[nodiscard]] bool has(const SpiffeId& id) const {
    const SpiffeId own = in_mesh(id, domains);
    return std::ranges::any_of(patterns, [&](const SpiffeId& pattern) { return matches(pattern, own); });
  }
};

}  // namespace heddle::tls
