#include "runtime/base/spiffe_id.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace heddle {
namespace {

constexpr std::string_view scheme = "spiffe://";
constexpr std::size_t longest_trust_domain = 255;
constexpr std::size_t longest_id = 2048;

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_trust_domain_byte(char c) {
  return is_lower_or_digit(c) || c == '.' || c == '-' || c == '_';
}

bool is_path_byte(char c) {
  return is_trust_domain_byte(c) || (c >= 'A' && c <= 'Z');
}

const char* wrong_in_segment(std::string_view segment, bool pattern) {
  if (segment.empty()) return "its path has an empty segment: two slashes, or one at its beginning or end";
  if (segment == "." || segment == "..") return "its path has a segment `.` or `..`";
  const bool right = std::ranges::all_of(segment, [&](char c) { return is_path_byte(c) || (pattern && c == '*'); });
  return right ? nullptr : "its path has a byte other than letters, digits, `.`, `-`, `_` and `/`";
}

const char* wrong_in_path(std::string_view path, bool pattern) {
  while (true) {
    const std::size_t slash = path.find('/');
    if (const char* wrong = wrong_in_segment(path.substr(0, slash), pattern)) return wrong;
    if (slash == std::string_view::npos) return nullptr;
    path.remove_prefix(slash + 1);
  }
}

SpiffeReading wrong(const char* why) {
  return {{}, why};
}

SpiffeReading read(std::string_view text, bool pattern) {
  if (text.size() > longest_id) return wrong("it is longer than 2048 bytes");
  if (!text.starts_with(scheme)) return wrong("it does not begin with `spiffe://`");
  text.remove_prefix(scheme.size());
  const std::size_t slash = text.find('/');
  const std::string_view trust_domain = text.substr(0, slash);
  if (const char* why = wrong_in_trust_domain(trust_domain)) return wrong(why);
  if (slash == std::string_view::npos) return {{std::string(trust_domain), {}}, nullptr};
  const std::string_view path = text.substr(slash + 1);
  if (const char* why = wrong_in_path(path, pattern)) return wrong(why);
  return {{std::string(trust_domain), std::string(path)}, nullptr};
}

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

bool matches_path(std::string_view pattern, std::string_view path) {
  while (true) {
    const std::size_t pattern_end = pattern.find('/');
    const std::size_t path_end = path.find('/');
    if (!matches_segment(pattern.substr(0, pattern_end), path.substr(0, path_end))) return false;
    if (pattern_end == std::string_view::npos || path_end == std::string_view::npos) return pattern_end == path_end;
    pattern.remove_prefix(pattern_end + 1);
    path.remove_prefix(path_end + 1);
  }
}

}  // namespace

SpiffeReading read_spiffe_id(std::string_view text) {
  return read(text, false);
}

SpiffeReading read_spiffe_pattern(std::string_view text) {
  return read(text, true);
}

const char* wrong_in_spiffe_path(std::string_view path) {
  return wrong_in_path(path, false);
}

const char* wrong_in_trust_domain(std::string_view name) {
  if (name.empty()) return "its trust domain is empty";
  if (name.size() > longest_trust_domain) return "its trust domain is longer than 255 bytes";
  if (std::ranges::all_of(name, is_trust_domain_byte)) return nullptr;
  return "its trust domain has a byte other than lower-case letters, digits, `.`, `-` and `_`";
}

bool matches(const SpiffeId& pattern, const SpiffeId& id) {
  return pattern.trust_domain == id.trust_domain && matches_path(pattern.path, id.path);
}

}  // namespace heddle
