#pragma once

#include <optional>
#include <string>

/// Literals of conditions: whether any request can have them, and their one form in the model.
namespace heddle::sema {

/// Why a literal never matches, and how it should be spelt (empty: not at all).
struct NeverMatches {
  std::string why;
  std::string spelling;
};

enum class PathTest { is, under, starts };

/// A path under `paths strict` (language reference, "Paths mean one thing"), in wire form.
std::optional<NeverMatches> check_path(const std::string& literal, PathTest test);

/// Escapes with upper-case hex digits: requests compare in either case.
std::string normalise_path(const std::string& literal);

/// A host without port, in lower case already.
std::optional<NeverMatches> check_host(const std::string& literal);

/// A field value as it is after trimming.
std::optional<NeverMatches> check_header_value(const std::string& literal);

/// A token of RFC 9110, 5.6.2.
bool is_header_name(const std::string& name);

/// Why a header, in lower case, cannot be tested by `header`; nullptr if it can.
const char* why_reserved(const std::string& lower_case_name);

bool is_method(const std::string& text);

std::string to_lower(std::string text);
std::string to_upper(std::string text);

}  // namespace heddle::sema
