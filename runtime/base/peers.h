#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "bpf_templates/include/heddle/abi.h"

namespace heddle {

/// Whom SPIFFE IDs name, by the tables of one generation. The tables outlive it. Their numbers are held against the texts: nothing
/// is read outside of them.
class Peers {
 public:
  Peers(std::span<const hd_mesh> mesh, std::span<const hd_pattern> patterns, std::string_view blob)
      : mesh_(mesh), patterns_(patterns), blob_(blob) {}

  /// What the decision is told of who has this ID (a `spiffe://` URI, as in a certificate): the identities it holds, perhaps none,
  /// and its digest, which is the one of a workload with this ID. None: it is no SPIFFE ID.
  [[nodiscard]] std::optional<hd_peer> find(std::string_view spiffe) const;

 private:
  /// The policy's trust domain for its alias.
  [[nodiscard]] std::string_view own_domain(std::string_view trust_domain) const;
  [[nodiscard]] std::string_view text(const hd_text& text) const;

  std::span<const hd_mesh> mesh_;
  std::span<const hd_pattern> patterns_;
  std::string_view blob_;
};

}  // namespace heddle
