#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Classes of bytes in an HTTP/1.x head (RFC 9110 section 5.6, RFC 9112).
namespace heddle::http {

enum CharacterClass : std::uint8_t {
  token_character = 1,    // tchar
  value_character = 2,    // SP HTAB 0x21..0x7e 0x80..0xff
  visible_character = 4,  // 0x21..0x7e
  method_character = 8,   // A-Z and `-`
  label_character = 16,   // A-Z a-z 0-9 _ -
  hex_character = 32,
};

constexpr std::array<std::uint8_t, 256> make_character_classes() {
  std::array<std::uint8_t, 256> classes{};
  const auto mark = [&classes](std::string_view characters, CharacterClass kind) {
    for (const char c : characters) {
      auto& entry = classes[static_cast<unsigned char>(c)];
      entry = static_cast<std::uint8_t>(entry | kind);
    }
  };
  const std::string_view upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::string_view lower = "abcdefghijklmnopqrstuvwxyz";
  const std::string_view digits = "0123456789";
  for (const std::string_view part : {upper, lower, digits}) {
    mark(part, token_character);
    mark(part, label_character);
  }
  mark("!#$%&'*+-.^_`|~", token_character);
  mark("-_", label_character);
  mark(upper, method_character);
  mark("-", method_character);
  mark("0123456789abcdefABCDEF", hex_character);
  for (unsigned c = 0x21; c <= 0x7e; ++c)
    classes[c] = static_cast<std::uint8_t>(classes[c] | visible_character);
  for (unsigned c = 0; c < 256; ++c) {
    const bool legal = c == ' ' || c == '\t' || (c >= 0x21 && c != 0x7f);
    if (legal) classes[c] = static_cast<std::uint8_t>(classes[c] | value_character);
  }
  return classes;
}

inline constexpr std::array<std::uint8_t, 256> character_classes = make_character_classes();

constexpr bool is(char c, CharacterClass kind) {
  return (character_classes[static_cast<unsigned char>(c)] & kind) != 0;
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// Where the run of `kind` that begins at `from` ends.
constexpr std::size_t end_of_run(std::string_view text, std::size_t from, CharacterClass kind) {
  while (from < text.size() && is(text[from], kind)) ++from;
  return from;
}

constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

/// Without the blanks around it.
constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Calls `visit` with every element of a comma-separated list that is not empty.
template <typename Visit>
constexpr void for_each_element(std::string_view list, Visit visit) {
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view element = trim(list.substr(0, comma));
    if (!element.empty()) visit(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace heddle::http
