#include "runtime/base/peers.h"

#include <string>

#include "runtime/base/spiffe_id.h"

namespace heddle {
namespace {

/// FNV-1a, as of workloads.
std::uint64_t digest_of(std::string_view text) {
  std::uint64_t digest = 0xcbf29ce484222325U;
  for (const char byte : text) digest = (digest ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3U;
  return digest;
}

}  // namespace

std::string_view Peers::text(const hd_text& text) const {
  if (text.offset > blob_.size() || text.length > blob_.size() - text.offset) return {};
  return blob_.substr(text.offset, text.length);
}

std::string_view Peers::own_domain(std::string_view trust_domain) const {
  if (mesh_.empty()) return trust_domain;
  const std::string_view alias = text(mesh_.front().alias);
  return !alias.empty() && trust_domain == alias ? text(mesh_.front().trust_domain) : trust_domain;
}

std::optional<hd_peer> Peers::find(std::string_view spiffe) const {
  SpiffeReading reading = read_spiffe_id(spiffe);
  if (reading.wrong != nullptr || reading.id.path.empty()) return std::nullopt;
  reading.id.trust_domain = std::string(own_domain(reading.id.trust_domain));
  hd_peer peer{};
  peer.digest = digest_of(reading.id.text());
  for (const hd_pattern& pattern : patterns_) {
    if (!matches({std::string(text(pattern.trust_domain)), std::string(text(pattern.path))}, reading.id)) continue;
    for (std::size_t word = 0; word < HD_IDENTITY_WORDS; ++word) peer.identities[word] |= pattern.identities[word];
  }
  return peer;
}

}  // namespace heddle
