#pragma once

#include <cstdint>

namespace heddle::source {

/// Index of a file in the SourceManager that read it.
using FileId = std::uint32_t;

/// A half-open range of bytes [begin, end) in one file.
struct Span {
  FileId file = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  friend bool operator==(const Span&, const Span&) = default;
};

}  // namespace heddle::source
