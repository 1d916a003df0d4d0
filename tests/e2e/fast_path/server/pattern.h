#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace heddle::fast_path {

/// The content of every body: byte i is i % 251, so that a byte in a wrong place shows.
constexpr std::size_t pattern_period = 251;
constexpr std::size_t pattern_longest = std::size_t{256} * 1024;

inline std::uint8_t pattern_at(std::uint64_t position) {
  return static_cast<std::uint8_t>(position % pattern_period);
}

/// At most `size` bytes of the pattern from a position on.
inline std::string_view pattern(std::uint64_t position, std::uint64_t size) {
  static const auto table = [] {
    std::array<char, pattern_longest + pattern_period> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(pattern_at(i));
    return bytes;
  }();
  return {table.data() + position % pattern_period, size < pattern_longest ? size : pattern_longest};
}

inline constexpr std::uint64_t fnv_start = 0xcbf29ce484222325;

inline std::uint64_t fnv(std::uint64_t sum, std::string_view bytes) {
  for (const char byte : bytes) sum = (sum ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3;
  return sum;
}

}  // namespace heddle::fast_path
