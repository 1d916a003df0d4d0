#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Classes of bytes, after RFC 9110 section 5.6.2 and RFC 3986 section 2. All of them are plain ASCII,
/// whatever the locale.
namespace heddle::eval {

bool is_upper(char byte);
bool is_digit(char byte);
bool is_hex(char byte);
bool is_alphanumeric(char byte);
bool is_blank(char byte);       // SP, HTAB
bool is_visible(char byte);     // 0x21..0x7e
bool is_token(char byte);       // tchar
bool is_unreserved(char byte);  // of URIs
bool is_value(char byte);       // in a header's value: visible, blank, or 0x80 and above

/// 0..15 of a hex digit.
int hex_value(char digit);

char lower(char byte);
std::string lower(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// Without blanks at both ends.
std::string_view trim(std::string_view text);

/// The elements of a comma list, trimmed, without the empty ones.
std::vector<std::string_view> list_elements(std::string_view text);

}  // namespace heddle::eval
