#include "runtime/handler/http/normalise.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/handler/http/characters.h"

namespace heddle::http {

namespace {

bool is_unreserved(char c) {
  return is(c, label_character) || c == '.' || c == '~';
}

int digit_value(char c) {
  return is_digit(c) ? c - '0' : lower(c) - 'a' + 10;
}

/// Writes a target anew; it never gets longer.
class Target {
 public:
  Target(std::string_view text, bool decodes) : text_(text), decodes_(decodes) {}

  void write_path() {
    while (at_ < text_.size() && text_[at_] != '?') {
      if (!write_segment()) return write_rest();
    }
    if (size_ == 0) append('/');
  }

  void write_query() {
    while (at_ < text_.size()) append(take(true));
  }

  [[nodiscard]] std::string_view written() const { return {space_.data(), size_}; }

 private:
  /// One byte, or an escape that stays as it is.
  struct Piece {
    std::string_view text;
    bool separates = false;
    bool refused = false;  // in a path
  };

  Piece take(bool in_query) {
    static constexpr std::string_view slash = "/";
    const std::string_view rest = text_.substr(at_);
    const bool escape = rest.size() >= 3 && rest[0] == '%' && is(rest[1], hex_character) && is(rest[2], hex_character);
    at_ += escape ? 3 : 1;
    if (!escape) {
      const bool refused = rest[0] == '%' || rest[0] == '\\' || rest[0] == ';' || rest[0] == '#';
      return {rest.substr(0, 1), rest[0] == '/', refused};
    }
    decoded_ = static_cast<char>(digit_value(rest[1]) * 16 + digit_value(rest[2]));
    const bool separates = decoded_ == '/' || (decoded_ == '\\' && !in_query);
    if (!decodes_ || decoded_ == '\0') {
      const bool refused = separates || decoded_ == '\0' || is_unreserved(decoded_);
      return {rest.substr(0, 3), false, refused};
    }
    if (separates) return {slash, true, false};
    return is_unreserved(decoded_) ? Piece{{&decoded_, 1}} : Piece{rest.substr(0, 3)};
  }

  void append(const Piece& piece) { size_ += piece.text.copy(space_.data() + size_, space_.size() - size_); }
  void append(char c) { append({{&c, 1}}); }

  /// From its slash up to the next one; a segment of dots is resolved at once. False: it is refused.
  bool write_segment() {
    const std::size_t source = at_;
    const std::size_t begin = size_;
    (void)take(false);  // the slash, however it is spelt
    append('/');
    bool more = false;
    while (at_ < text_.size() && text_[at_] != '?' && !more) {
      const std::size_t before = at_;
      const Piece piece = take(false);
      if (piece.refused) return undo(source, begin);
      more = piece.separates;
      if (more) {
        at_ = before;
      } else {
        append(piece);
      }
    }
    const std::string_view segment = written().substr(begin + 1);
    if (segment == "..") {
      if (begin == 0) return undo(source, begin);
      size_ = written().substr(0, begin).rfind('/');
    } else if (segment == "." || (segment.empty() && more)) {
      size_ = begin;
    } else {
      return true;
    }
    if (!more) append('/');
    return true;
  }

  bool undo(std::size_t source, std::size_t written) {
    at_ = source;
    size_ = written;
    return false;
  }

  void write_rest() {
    append({text_.substr(at_)});
    at_ = text_.size();
  }

  std::string_view text_;
  bool decodes_;
  std::size_t at_ = 0;
  char decoded_ = 0;
  std::array<char, HD_TARGET_MAX + 1> space_;
  std::size_t size_ = 0;
};

}  // namespace

std::uint32_t normalise_target(char* head, std::uint32_t length, PathMode mode) {
  const std::string_view text(head, length);
  const std::size_t begin = std::min(text.find(' '), text.size() - 1) + 1;
  const std::size_t end = end_of_run(text, begin, visible_character);
  if (mode == PathMode::strict || begin >= end || text[begin] != '/' || end - begin > HD_TARGET_MAX) return 0;
  Target target(text.substr(begin, end - begin), mode == PathMode::decode);
  target.write_path();
  target.write_query();
  const std::string_view written = target.written();
  const std::size_t cut = end - begin - written.size();
  written.copy(head + begin + cut, written.size());
  std::memmove(head + cut, head, begin);
  return static_cast<std::uint32_t>(cut);
}

}  // namespace heddle::http
