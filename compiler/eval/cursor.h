#pragma once

#include <cstddef>
#include <string_view>

namespace heddle::eval {

/// A place in the bytes of a head. Past the end it shows a NUL, which no grammar of a head takes.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t offset() const { return offset_; }
  [[nodiscard]] char look() const { return offset_ < bytes_.size() ? bytes_[offset_] : '\0'; }
  [[nodiscard]] bool at_end() const { return offset_ == bytes_.size(); }
  char take() {
    const char byte = look();
    if (!at_end()) ++offset_;
    return byte;
  }
  bool take_if(char byte) {
    if (at_end() || look() != byte) return false;
    ++offset_;
    return true;
  }
  [[nodiscard]] std::string_view since(std::size_t start) const {
    return bytes_.substr(start, offset_ - start);
  }

 private:
  std::string_view bytes_;
  std::size_t offset_ = 0;
};

}  // namespace heddle::eval
