#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

/// ClientHellos byte by byte (RFC 8446, section 4.1.2; RFC 6066, section 3).
namespace heddle::hellos {

inline std::string number(std::size_t value, std::size_t size) {
  std::string text;
  for (std::size_t i = size; i > 0; --i) text += static_cast<char>(value >> (8 * (i - 1)) & 255);
  return text;
}

inline std::string sized(const std::string& content, std::size_t size) {
  return number(content.size(), size) + content;
}

inline std::string extension(std::size_t type, const std::string& content) {
  return number(type, 2) + sized(content, 2);
}

inline std::string server_names(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += std::string(1, '\0') + sized(name, 2);
  return extension(0, sized(list, 2));
}

/// The message, of `size` bytes in all if that is not 0: then a last extension fills it up.
inline std::string message(const std::string& first_extensions, std::size_t size = 0) {
  std::string extensions = first_extensions + extension(43, std::string("\2\3\4", 3)) +
                           extension(10, std::string("\0\2\0\x1d", 4)) + extension(13, std::string("\0\2\4\3", 4));
  const std::string begin = "\3\3" + std::string(32, 'r') + sized(std::string(32, 's'), 1) +
                            sized(std::string("\x13\1\x13\2\xc0\x2f", 6), 2) + sized(std::string(1, '\0'), 1);
  const std::size_t so_far = 4 + begin.size() + 2 + extensions.size() + 4;
  if (size > so_far) extensions += extension(21, std::string(size - so_far, '\0'));
  return "\1" + sized(begin + sized(extensions, 2), 3);
}

inline std::string records(const std::string& bytes, std::size_t longest = 16384, char type = 22) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += longest)
    text += type + std::string("\3\1") + sized(bytes.substr(at, longest), 2);
  return text;
}

inline std::string hello(const std::string& name) {
  return records(message(server_names({name})));
}

}  // namespace heddle::hellos
