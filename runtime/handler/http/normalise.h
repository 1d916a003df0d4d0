#pragma once

#include <cstdint>

namespace heddle::http {

/// What is done to paths that could be read in two ways (language reference, "Paths mean one thing").
enum class PathMode : std::uint8_t { strict, merge, decode };

/// Resolves `//`, `.` and `..` in the path of a head in origin-form, and decodes it before that; what is decoded of its
/// query is decoded, too. Whatever still is no canonical path stays for the decision function to refuse: so does a `..`
/// above the root, with all that follows it. The head then begins later: returns by how many bytes.
[[nodiscard]] std::uint32_t normalise_target(char* head, std::uint32_t length, PathMode mode);

}  // namespace heddle::http
