#include "compiler/sema/spiffe.h"

#include <algorithm>
#include <vector>

namespace heddle::sema {

namespace {

constexpr std::string_view scheme = "spiffe://";
constexpr std::size_t longest_domain = 255;
constexpr std::size_t longest_id = 2048;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_segment_byte(char c, bool pattern) {
  return is_alphanumeric(c) || c == '.' || c == '-' || c == '_' || (pattern && c == '*');
}

const char* wrong_in_path(std::string_view path, bool pattern) {
  if (path.empty()) return "it is empty";
  if (path.front() == '/') return "it is written without a leading slash";
  if (path.back() == '/') return "it ends in a slash";
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment.empty()) return "it has an empty segment";
    if (segment == "." || segment == "..") return "it has a `.` or `..` segment";
    const bool right =
        std::all_of(segment.begin(), segment.end(), [&](char c) { return is_segment_byte(c, pattern); });
    if (!right) return "a segment has letters, digits, `.`, `-` and `_`";
    begin = end + 1;
  }
  return nullptr;
}

}  // namespace

bool is_trust_domain(std::string_view text) {
  const auto right = [](char c) {
    return (is_alphanumeric(c) && !(c >= 'A' && c <= 'Z')) || c == '.' || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= longest_domain && std::all_of(text.begin(), text.end(), right);
}

SpiffeText read_spiffe(const std::string& text, const std::string& own_trust_domain, bool pattern) {
  SpiffeText result;
  result.trust_domain = own_trust_domain;
  result.path = text;
  if (text.starts_with(scheme)) {
    const std::size_t slash = std::min(text.find('/', scheme.size()), text.size());
    result.trust_domain = text.substr(scheme.size(), slash - scheme.size());
    result.path = slash < text.size() ? text.substr(slash + 1) : std::string();
    if (!is_trust_domain(result.trust_domain))
      result.wrong = "its trust domain has lower-case letters, digits, `.`, `-` and `_`";
  } else if (text.find("://") != std::string::npos) {
    result.wrong = "a full id begins with `spiffe://`";
  }
  if (result.wrong == nullptr) result.wrong = wrong_in_path(result.path, pattern);
  if (scheme.size() + result.trust_domain.size() + 1 + result.path.size() > longest_id)
    result.wrong = "it is longer than 2048 bytes";
  return result;
}

bool patterns_meet(std::string_view a, std::string_view b) {
  // reach[j]: the part of `a` seen so far and the first j bytes of `b` have a text in common.
  std::vector<bool> reach(b.size() + 1);
  reach[0] = true;
  const auto run_of_stars = [](std::string_view pattern, std::vector<bool>& row) {
    for (std::size_t j = 0; j < pattern.size(); ++j) {
      if (pattern[j] == '*' && row[j]) row[j + 1] = true;
    }
  };
  run_of_stars(b, reach);
  for (const char c : a) {
    std::vector<bool> next(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (!reach[j]) continue;
      if (c == '*') next[j] = true;  // the run is empty, or ends here
      if (j == b.size()) continue;
      if (b[j] == '*' && c != '/') next[j] = true;  // the other's run takes `c`
      if (b[j] == c) next[j + 1] = true;
    }
    // A run of `a` goes on over the bytes of `b`.
    for (std::size_t j = 0; c == '*' && j < b.size(); ++j) {
      if (next[j] && b[j] != '/') next[j + 1] = true;
    }
    run_of_stars(b, next);
    reach = std::move(next);
  }
  return reach[b.size()];
}

}  // namespace heddle::sema
