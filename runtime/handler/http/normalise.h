#pragma once

#include <cstdint>

namespace heddle::http {

/// What is done to paths that could be read in two ways (language reference, "Paths mean one thing").
enum class PathMode : std::uint8_t { strict, merge, decode };

/// Resolves `//`, `.` and `..` in the path of a head in origin-form, and decodes it before that; what is decoded of its
/// query is decoded, too. What no mode allows stays for the decision function to refuse, with all that follows it: a `..`
/// above the root, and a byte or escape that would else vanish with its segment. The head then begins later: returns by how
/// many bytes.
[[nodiscard]] std::uint32_t normalise_target(char* head, std::uint32_t length, PathMode mode);

}  // namespace heddle::http
