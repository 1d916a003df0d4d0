#pragma once

#include <string_view>

#include "compiler/syntax/antlr.h"

namespace heddle::syntax {

/// Shows the lexer single bytes, where ANTLR's own stream shows code points: so a token's index is its byte
/// offset.
class ByteStream : public antlr4::CharStream {
 public:
  explicit ByteStream(std::string_view text) : text_(text) {}

  void consume() override { ++at_; }
  size_t LA(ssize_t i) override;
  ssize_t mark() override { return -1; }
  void release(ssize_t /*marker*/) override {}
  size_t index() override { return at_; }
  void seek(size_t index) override { at_ = index; }
  size_t size() override { return text_.size(); }
  std::string getText(const antlr4::misc::Interval& interval) override;
  [[nodiscard]] std::string toString() const override { return std::string(text_); }
  [[nodiscard]] std::string getSourceName() const override { return {}; }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace heddle::syntax
