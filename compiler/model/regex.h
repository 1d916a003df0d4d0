#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <vector>

namespace heddle::model {

/// A set of bytes, by their values.
using Bytes = std::bitset<256>;

/// A regular expression over bytes, that a value matches as a whole (language reference, "Regular expressions").
struct Regex {
  enum class Kind : std::uint8_t {
    bytes,     // one byte out of a set
    sequence,  // the children one after the other; without children: nothing
    choice,    // one of the children
    repeat     // the one child, `least` to `most` times
  };
  Kind kind = Kind::sequence;
  Bytes bytes;
  std::vector<Regex> children;
  std::uint32_t least = 0;
  std::optional<std::uint32_t> most;  // none: without end
};

}  // namespace heddle::model
