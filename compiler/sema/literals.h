#pragma once

#include <optional>
#include <string>

#include "compiler/model/policy.h"

/// Literals of conditions: whether any request can have them, and their one form in the model.
namespace heddle::sema {

/// Why a literal never matches, and how it should be spelt (empty: not at all).
struct NeverMatches {
  std::string why;
  std::string spelling;
};

/// What part of a value a literal has to be.
enum class Part { whole, beginning, middle, end };

/// A path in its normal form (language reference, "Paths mean one thing"), in wire form. `Part::middle` is not a part
/// of paths.
std::optional<NeverMatches> check_path(const std::string& literal, Part part, const model::Paths& paths = {});

/// Why the literal is no pattern of `like`, and a spelling that is one (empty: none). Its other segments are for
/// `check_path`.
std::optional<NeverMatches> check_like(const std::string& literal);

/// Escapes, whole or cut at the end, with upper-case hex digits: requests compare in either case.
std::string normalise_path(const std::string& literal);

/// A host without port, in lower case already.
std::optional<NeverMatches> check_host(const std::string& literal);

/// The name of a server as clients of TLS ask for it, in lower case already.
std::optional<NeverMatches> check_server_name(const std::string& literal);

/// A field value as it is after trimming.
std::optional<NeverMatches> check_header_value(const std::string& literal, Part part);

/// The value of a query parameter, in wire form.
std::optional<NeverMatches> check_query_value(const std::string& literal, Part part, const model::Paths& paths = {});

/// The value of a cookie: of a header's without `;`.
std::optional<NeverMatches> check_cookie_value(const std::string& literal, Part part);

/// A token of RFC 9110, 5.6.2: names of headers and cookies.
bool is_token(const std::string& name);

/// Visible ASCII that no escape and no end of a name is in.
bool is_query_name(const std::string& name);

/// Why a header, in lower case, cannot be tested by `header`; nullptr if it can.
const char* why_reserved(const std::string& lower_case_name);

bool is_method(const std::string& text);

std::string to_lower(std::string text);
std::string to_upper(std::string text);

}  // namespace heddle::sema
