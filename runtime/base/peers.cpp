#include "runtime/base/peers.h"

#include <algorithm>
#include <vector>

namespace heddle {
namespace {

constexpr std::string_view scheme = "spiffe://";
constexpr std::size_t longest_id = 2048;  // SPIFFE-ID, 2.3

struct Id {
  std::string_view trust_domain;
  std::string_view path;  // without leading slash
};

bool is_plain(std::string_view text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  return !text.empty() && text.find_first_not_of(plain) == std::string_view::npos;
}

/// SPIFFE-ID, 2.1 and 2.2.
bool is_domain(std::string_view text) {
  return is_plain(text) && text.size() <= 255 && text.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
}

bool is_path(std::string_view text) {
  while (true) {
    const std::size_t end = text.find('/');
    const std::string_view segment = text.substr(0, end);
    if (!is_plain(segment) || segment == "." || segment == "..") return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

std::optional<Id> parse(std::string_view text) {
  if (text.size() > longest_id || !text.starts_with(scheme)) return std::nullopt;
  text.remove_prefix(scheme.size());
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const Id id{text.substr(0, slash), text.substr(slash + 1)};
  if (!is_domain(id.trust_domain) || !is_path(id.path)) return std::nullopt;
  return id;
}

/// After each byte of the text: which prefixes of the pattern match what was read. A star stays as long as no `/` comes.
class Glob {
 public:
  explicit Glob(std::string_view pattern) : pattern_(pattern), reached_(pattern.size() + 1), next_(pattern.size() + 1) {
    reached_[0] = true;
    skip_stars(reached_);
  }

  bool matches(std::string_view text) {
    for (const char byte : text) {
      std::fill(next_.begin(), next_.end(), false);
      for (std::size_t at = 0; at < pattern_.size(); ++at) {
        if (!reached_[at]) continue;
        if (pattern_[at] == '*') {
          if (byte != '/') next_[at] = true;
        } else if (pattern_[at] == byte) {
          next_[at + 1] = true;
        }
      }
      skip_stars(next_);
      reached_.swap(next_);
    }
    return reached_[pattern_.size()];
  }

 private:
  /// A run may be empty.
  void skip_stars(std::vector<bool>& reached) const {
    for (std::size_t at = 0; at < pattern_.size(); ++at) {
      if (pattern_[at] == '*' && reached[at]) reached[at + 1] = true;
    }
  }

  std::string_view pattern_;
  std::vector<bool> reached_;
  std::vector<bool> next_;
};

bool matches(std::string_view pattern, std::string_view path) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == path;
  return path.starts_with(pattern.substr(0, star)) && Glob(pattern.substr(star)).matches(path.substr(star));
}

/// FNV-1a, as of workloads.
constexpr std::uint64_t first_digest = 0xcbf29ce484222325U;

std::uint64_t add_to(std::uint64_t digest, std::string_view text) {
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
  auto id = parse(spiffe);
  if (!id) return std::nullopt;
  id->trust_domain = own_domain(id->trust_domain);
  hd_peer peer{};
  peer.digest = first_digest;
  for (const std::string_view part : {scheme, id->trust_domain, std::string_view("/"), id->path}) peer.digest = add_to(peer.digest, part);
  for (const hd_pattern& pattern : patterns_) {
    if (text(pattern.trust_domain) != id->trust_domain || !matches(text(pattern.path), id->path)) continue;
    for (std::size_t word = 0; word < HD_IDENTITY_WORDS; ++word) peer.identities[word] |= pattern.identities[word];
  }
  return peer;
}

bool may_serve(const hd_service& service, const hd_peer& peer) {
  const std::uint32_t bit = service.identity;
  return bit / 64 < HD_IDENTITY_WORDS && (peer.identities[bit / 64] >> (bit % 64) & 1) != 0;
}

}  // namespace heddle
