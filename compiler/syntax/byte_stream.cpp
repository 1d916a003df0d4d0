#include "compiler/syntax/byte_stream.h"

#include <algorithm>

namespace heddle::syntax {

size_t ByteStream::LA(ssize_t i) {
  const ssize_t at = static_cast<ssize_t>(at_) + (i > 0 ? i - 1 : i);
  if (i == 0 || at < 0) return 0;
  if (at >= static_cast<ssize_t>(text_.size())) return antlr4::IntStream::EOF;
  return static_cast<unsigned char>(text_[static_cast<size_t>(at)]);
}

std::string ByteStream::getText(const antlr4::misc::Interval& interval) {
  if (interval.a < 0 || interval.b < interval.a) return {};
  const auto begin = std::min(static_cast<size_t>(interval.a), text_.size());
  const auto end = std::min(static_cast<size_t>(interval.b) + 1, text_.size());
  return std::string(text_.substr(begin, end - begin));
}

}  // namespace heddle::syntax
