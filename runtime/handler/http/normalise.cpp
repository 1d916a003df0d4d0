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
    while (at_ < text_.size()) {
      if (is_refused(true)) return write_rest();
      append(take(true));
    }
  }

  [[nodiscard]] std::string_view written() const { return {space_.data(), size_}; }

 private:
  /// One byte, or an escape that stays as it is.
  struct Piece {
    std::string_view text;
    bool separates = false;
  };

  Piece take(bool in_query) {
    static constexpr std::string_view slash = "/";
    const std::string_view rest = text_.substr(at_);
    const bool escape = decodes_ && rest.size() >= 3 && rest[0] == '%' && is(rest[1], hex_character) &&
                        is(rest[2], hex_character);
    at_ += escape ? 3 : 1;
    if (!escape) return {rest.substr(0, 1), rest[0] == '/'};
    decoded_ = static_cast<char>(digit_value(rest[1]) * 16 + digit_value(rest[2]));
    if (decoded_ == '/') return {slash, true};
    if (decoded_ == '\\' && !in_query) return {slash, true};
    return is_unreserved(decoded_) ? Piece{{&decoded_, 1}} : Piece{rest.substr(0, 3)};
  }

  /// Whether what comes next is refused wherever it stands: it may neither vanish with its segment, nor become an escape
  /// with what is decoded behind it.
  [[nodiscard]] bool is_refused(bool in_query) const {
    const std::string_view rest = text_.substr(at_);
    if (rest[0] != '%') return rest[0] == '#' || (!in_query && (rest[0] == '\\' || rest[0] == ';'));
    if (rest.size() < 3 || !is(rest[1], hex_character) || !is(rest[2], hex_character)) return true;
    const char meant = static_cast<char>(digit_value(rest[1]) * 16 + digit_value(rest[2]));
    return meant == '\0' || (!decodes_ && (meant == '/' || meant == '\\' || is_unreserved(meant)));
  }

  void append(const Piece& piece) { size_ += piece.text.copy(space_.data() + size_, space_.size() - size_); }
  void append(char c) { append({{&c, 1}}); }

  /// From its slash up to the next one; a segment of dots is resolved at once. False: the rest stays as it is, because the
  /// segment leads above the root or has what is refused.
  bool write_segment() {
    const std::size_t begin = size_;
    (void)take(false);  // the slash, however it is spelt
    append('/');
    const std::size_t source = at_;
    bool more = false;
    while (at_ < text_.size() && text_[at_] != '?' && !more) {
      if (is_refused(false)) return false;
      const std::size_t before = at_;
      const Piece piece = take(false);
      more = piece.separates;
      if (more) {
        at_ = before;
      } else {
        append(piece);
      }
    }
    const std::string_view segment = written().substr(begin + 1);
    if (segment == "..") {
      if (begin == 0) {
        at_ = source;
        size_ = 1;  // a path begins with a slash, and what is wrong with it is behind that
        return false;
      }
      size_ = written().substr(0, begin).rfind('/');
    } else if (segment == "." || (segment.empty() && more)) {
      size_ = begin;
    } else {
      return true;
    }
    if (!more) append('/');
    return true;
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
