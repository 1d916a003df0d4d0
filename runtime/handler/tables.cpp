#include "runtime/handler/tables.h"

namespace heddle::handler {

tls::ExpectedPeers Tables::expected_peers(std::uint32_t service) const {
  tls::ExpectedPeers expected;
  if (!mesh_.empty()) expected.domains = {std::string(text(mesh_[0].trust_domain)), std::string(text(mesh_[0].alias))};
  const std::uint32_t identity = service < services_.size() ? services_[service].identity : HD_NONE;
  if (identity / 64 >= HD_IDENTITY_WORDS) return expected;
  for (const hd_pattern& pattern : patterns_) {
    if ((pattern.identities[identity / 64] >> (identity % 64) & 1) != 0)
      expected.patterns.push_back({std::string(text(pattern.trust_domain)), std::string(text(pattern.path))});
  }
  return expected;
}

}  // namespace heddle::handler
