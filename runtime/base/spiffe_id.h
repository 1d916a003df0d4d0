#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace heddle {

/// Who somebody is: `spiffe://<trust domain>/<path>` (SPIFFE-ID, section 2).
struct SpiffeId {
  std::string trust_domain;
  std::string path;  // without leading slash; empty: the trust domain itself

  [[nodiscard]] std::string text() const { return "spiffe://" + trust_domain + (path.empty() ? "" : "/" + path); }
  friend bool operator==(const SpiffeId&, const SpiffeId&) = default;
  friend auto operator<=>(const SpiffeId&, const SpiffeId&) = default;
};

struct SpiffeReading {
  SpiffeId id;
  const char* wrong = nullptr;  // the rule that the text breaks, as a sentence about it; then there is no id
};

/// The text as the specification wants it written, and no other way of writing the same: scheme and trust domain in lower case,
/// at most 2048 bytes with at most 255 in the trust domain, no empty, `.` or `..` segment, no slash at the end, and nothing that
/// URIs have beyond that (port, user, query, fragment, percent-encoding). Any bytes may be given.
[[nodiscard]] SpiffeReading read_spiffe_id(std::string_view text);

/// The same, with `*` allowed in the path, which stands for a run, perhaps empty, without `/`.
[[nodiscard]] SpiffeReading read_spiffe_pattern(std::string_view text);

/// Why it is no path below a trust domain; nullptr: it is one. Without leading slash.
[[nodiscard]] const char* wrong_in_spiffe_path(std::string_view path);
[[nodiscard]] const char* wrong_in_trust_domain(std::string_view name);

/// Whether the id is one that the pattern stands for: the same trust domain, as many segments, and each fits.
[[nodiscard]] bool matches(const SpiffeId& pattern, const SpiffeId& id);

}  // namespace heddle
