#pragma once

#include <string>
#include <string_view>

namespace heddle::sema {

/// Lower-case letters, digits, `.`, `-` and `_`, at most 255 (SPIFFE-ID, 2.1).
bool is_trust_domain(std::string_view text);

/// What was read out of `ns/shop/sa/web` or `spiffe://other.example/ns/…`.
struct SpiffeText {
  std::string trust_domain;
  std::string path;             // without leading slash
  const char* wrong = nullptr;  // why the text is no SPIFFE id; then nothing else counts
};

/// `*` stands for a run without `/`, if patterns are allowed.
SpiffeText read_spiffe(const std::string& text, const std::string& own_trust_domain, bool pattern);

/// Whether two patterns, in which `*` is a run without `/`, have a text in common.
bool patterns_meet(std::string_view a, std::string_view b);

}  // namespace heddle::sema
