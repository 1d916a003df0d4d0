#include "compiler/eval/bytes.h"

namespace heddle::eval {
namespace {

bool in_range(char byte, unsigned char first, unsigned char last) {
  const auto value = static_cast<unsigned char>(byte);
  return first <= value && value <= last;
}

}  // namespace

bool is_upper(char byte) {
  return in_range(byte, 'A', 'Z');
}

bool is_digit(char byte) {
  return in_range(byte, '0', '9');
}

bool is_hex(char byte) {
  return is_digit(byte) || in_range(byte, 'a', 'f') || in_range(byte, 'A', 'F');
}

bool is_alphanumeric(char byte) {
  return is_digit(byte) || is_upper(byte) || in_range(byte, 'a', 'z');
}

bool is_blank(char byte) {
  return byte == ' ' || byte == '\t';
}

bool is_visible(char byte) {
  return in_range(byte, 0x21, 0x7e);
}

bool is_token(char byte) {
  return is_alphanumeric(byte) || std::string_view("!#$%&'*+-.^_`|~").find(byte) != std::string_view::npos;
}

bool is_unreserved(char byte) {
  return is_alphanumeric(byte) || std::string_view("-._~").find(byte) != std::string_view::npos;
}

bool is_value(char byte) {
  return is_visible(byte) || is_blank(byte) || in_range(byte, 0x80, 0xff);
}

int hex_value(char digit) {
  return is_digit(digit) ? digit - '0' : lower(digit) - 'a' + 10;
}

char lower(char byte) {
  return is_upper(byte) ? static_cast<char>(byte - 'A' + 'a') : byte;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& byte : result) byte = lower(byte);
  return result;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return lower(a) == lower(b);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> list_elements(std::string_view text) {
  std::vector<std::string_view> elements;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view element = trim(text.substr(0, comma));
    if (!element.empty()) elements.push_back(element);
    if (comma == std::string_view::npos) return elements;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace heddle::eval
