#include "compiler/diagnostics/suggest.h"

#include <algorithm>

namespace heddle::diagnostics {

namespace {
// Nobody mistypes a name this long; quadratic work on hostile text is not worth it.
constexpr std::size_t longest_name = 64;
}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::optional<std::string> closest(std::string_view misspelt, const std::vector<std::string>& candidates) {
  if (misspelt.empty() || misspelt.size() > longest_name) return std::nullopt;
  // A third of the letters may be wrong, but one always may.
  std::size_t best = std::max<std::size_t>(1, misspelt.size() / 3) + 1;
  std::optional<std::string> found;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > longest_name) continue;
    const std::size_t distance = edit_distance(misspelt, candidate);
    // Of one or two letters everything would be near.
    if (distance < best && distance < std::max(misspelt.size(), candidate.size())) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::optional<std::string> did_you_mean(std::string_view misspelt,
                                        const std::vector<std::string>& candidates) {
  const auto found = closest(misspelt, candidates);
  if (!found) return std::nullopt;
  return "did you mean `" + *found + "`?";
}

}  // namespace heddle::diagnostics
