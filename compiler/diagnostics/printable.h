#pragma once

#include <string>
#include <string_view>

namespace heddle::diagnostics {

/// Text of a policy made safe for a terminal: control characters, invisible direction marks and bytes that
/// are not UTF-8 become `\x1b` or `\u{202e}`.
std::string printable(std::string_view text);

/// The length of the valid UTF-8 sequence at the start of `text`; 0 if there is none. Overlong forms,
/// surrogates and values above U+10FFFF are invalid.
std::size_t utf8_length(std::string_view text);

/// How many columns printable text takes (one a code point).
std::size_t display_width(std::string_view text);

}  // namespace heddle::diagnostics
