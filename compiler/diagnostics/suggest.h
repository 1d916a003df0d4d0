#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::diagnostics {

/// How many single-byte changes and swaps of neighbours make one text of the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that was most probably meant, if one is near enough; the first of equally near ones.
std::optional<std::string> closest(std::string_view misspelt, const std::vector<std::string>& candidates);

/// `did you mean `x`?`, or nothing.
std::optional<std::string> did_you_mean(std::string_view misspelt,
                                        const std::vector<std::string>& candidates);

}  // namespace heddle::diagnostics
