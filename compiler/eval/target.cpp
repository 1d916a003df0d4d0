#include "compiler/eval/target.h"

#include <string_view>
#include <vector>

#include "compiler/eval/bytes.h"
#include "compiler/eval/host.h"

namespace heddle::eval {
namespace {

/// The bytes of a path or query: visible ASCII. The space ends a target; nothing else may stand in it.
bool ends_target(char byte) {
  return byte == ' ';
}

bool is_target_byte(char byte) {
  return is_visible(byte) || ends_target(byte);
}

Refusal no_target_byte(const Cursor& cursor) {
  return malformed(cursor.offset(), "the target has a byte that no target may have");
}

bool ends_segment(char byte) {
  return byte == '/' || byte == '?' || ends_target(byte);
}

bool is_dots(std::string_view text) {
  return text == "." || text == "..";
}

/// Reads path and query, and puts them into their normal form on the way.
class Normaliser {
 public:
  Normaliser(Cursor& cursor, const model::Paths& paths) : cursor_(cursor), paths_(paths) {}

  std::optional<Refusal> take_path(std::string& path) {
    bool more = cursor_.take_if('/');
    while (more) {
      if (auto refusal = take_segment(more)) return refusal;
      if (auto refusal = add_segment(more)) return refusal;
    }
    for (const std::string& segment : segments_) path += "/" + segment;
    if (path.empty() || slash_) path += "/";
    return std::nullopt;
  }

  std::optional<Refusal> take_query(std::string& query) {
    while (is_visible(cursor_.look())) {
      if (cursor_.look() == '#') return bad_path(cursor_.offset(), "the target has a fragment");
      if (cursor_.look() != '%') {
        query += cursor_.take();
        continue;
      }
      Escape escape;
      if (auto refusal = take_escape(escape)) return refusal;
      // What separates segments separates nothing here.
      if (escape.use == Use::separator) escape.text = escape.meant == '/' ? "/" : escape.text;
      query += escape.text;
    }
    if (!ends_target(cursor_.look())) return no_target_byte(cursor_);
    return std::nullopt;
  }

 private:
  enum class Use { byte, kept, separator };
  struct Escape {
    char meant = 0;
    std::string text;  // as it stays
    Use use = Use::byte;
  };

  [[nodiscard]] bool strict() const { return paths_.mode == model::PathMode::strict; }
  [[nodiscard]] bool decodes() const { return paths_.mode == model::PathMode::decode; }
  [[nodiscard]] bool keeps(const char* text) const { return paths_.keep.contains(text); }

  /// Whether a byte that ends a segment or a string for some reader may stand here, and as what; else the escape is
  /// refused.
  [[nodiscard]] std::optional<Use> use_of_separator(char meant) const {
    if (keeps(meant == '/' ? "%2F" : "%5C")) return Use::kept;
    return decodes() ? std::optional(Use::separator) : std::nullopt;
  }

  /// Refused is what is no escape, what hides `/`, `\\` or NUL, and a second spelling of a byte that needs none.
  std::optional<Refusal> take_escape(Escape& escape) {
    const std::size_t start = cursor_.offset();
    cursor_.take();
    int value = 0;
    for (int digits = 0; digits < 2; ++digits) {
      if (!is_target_byte(cursor_.look())) return no_target_byte(cursor_);
      if (!is_hex(cursor_.look())) return bad_path(cursor_.offset(), "`%` is not followed by two hex digits");
      value = value * 16 + hex_value(cursor_.take());
    }
    escape.meant = static_cast<char>(value);
    escape.text = cursor_.since(start);
    const std::size_t place = cursor_.offset() - 1;
    if (escape.meant == '\0') return bad_path(place, "`%00` is refused");
    if (escape.meant == '/' || escape.meant == '\\') {
      const auto use = use_of_separator(escape.meant);
      if (!use) return bad_path(place, "`%2F` and `%5C` are refused");
      escape.use = *use;
    } else if (is_unreserved(escape.meant)) {
      if (!decodes()) return bad_path(place, "a byte is escaped that needs no escape");
      escape.text = escape.meant;
    }
    return std::nullopt;
  }

  /// One segment, the cursor behind its `/`, up to what ends it, and over the `/` that begins the next one.
  std::optional<Refusal> take_segment(bool& more) {
    segment_.clear();
    piece_.clear();
    more = false;
    while (is_target_byte(cursor_.look()) && !ends_segment(cursor_.look())) {
      if (auto refusal = take_byte(more)) return refusal;
      if (more) return std::nullopt;
    }
    if (!is_target_byte(cursor_.look())) return no_target_byte(cursor_);
    more = cursor_.take_if('/');
    return std::nullopt;
  }

  std::optional<Refusal> take_byte(bool& ends) {
    const std::size_t place = cursor_.offset();
    if (cursor_.look() == '#') return bad_path(place, "the target has a fragment");
    if (cursor_.look() == '%') {
      Escape escape;
      if (auto refusal = take_escape(escape)) return refusal;
      ends = escape.use == Use::separator;
      if (escape.use == Use::kept) return keep(place, escape.text);
      if (!ends) append(escape.text);
      return std::nullopt;
    }
    const std::string byte(1, cursor_.take());
    if (byte != ";" && byte != "\\") {
      append(byte);
      return std::nullopt;
    }
    return keeps(byte.c_str()) ? keep(place, byte) : bad_path(place, "the path has a `\\` or `;`");
  }

  void append(const std::string& text) {
    segment_ += text;
    piece_ += text;
  }

  /// What some servers read as the end of a segment, or of its name: in front of it stand no dots, and in front of
  /// parameters stands a name.
  std::optional<Refusal> keep(std::size_t place, const std::string& text) {
    if (is_dots(piece_)) return bad_path(place, "a `.` or `..` stands in front of what is kept");
    if (text == ";" && piece_.empty()) return bad_path(place, "a segment begins with `;`");
    append(text);
    if (text != ";") piece_.clear();
    return std::nullopt;
  }

  std::optional<Refusal> add_segment(bool more) {
    const std::size_t place = cursor_.offset() - (more ? 1 : 0);
    const bool whole = segment_ == piece_;
    if (is_dots(piece_) && (strict() || !whole)) return bad_path(place, "the path has a `.` or `..` segment");
    if (segment_.empty() && more && strict()) return bad_path(place, "the path has an empty segment (`//`)");
    slash_ = !more && (segment_.empty() || is_dots(segment_)) && !segments_.empty();
    if (segment_ == ".." && segments_.empty()) return bad_path(place, "`..` leads above the root");
    if (segment_ == "..") segments_.pop_back();
    if (!segment_.empty() && !is_dots(segment_)) segments_.push_back(segment_);
    slash_ = slash_ && !segments_.empty();
    return std::nullopt;
  }

  Cursor& cursor_;
  const model::Paths& paths_;
  std::vector<std::string> segments_;
  std::string segment_;  // in hand, in its normal form
  std::string piece_;    // of it, behind what is kept
  bool slash_ = false;   // the path ends in one
};

/// `http://authority`. The scheme compares without case (RFC 3986, 3.1).
std::optional<Refusal> take_origin(Cursor& cursor, Target& target) {
  for (const char expected : std::string_view("http://")) {
    if (lower(cursor.look()) != expected) {
      return malformed(cursor.offset(), "the target begins neither with `/` nor with `http://`");
    }
    cursor.take();
  }
  const std::size_t start = cursor.offset();
  if (!take_host(cursor) || !ends_segment(cursor.look())) {
    return malformed(cursor.offset(), "the authority of the target is no `host` or `host:port`");
  }
  target.authority = std::string(cursor.since(start));
  return std::nullopt;
}

std::optional<Refusal> take_parts(Cursor& cursor, const model::Paths& paths, Target& target) {
  if (cursor.look() != '/') {
    if (auto refusal = take_origin(cursor, target)) return refusal;
  }
  Normaliser normaliser(cursor, paths);
  if (auto refusal = normaliser.take_path(target.path)) return refusal;
  if (!cursor.take_if('?')) return std::nullopt;
  target.query.emplace();
  return normaliser.take_query(*target.query);
}

}  // namespace

std::optional<Target> take_target(Cursor& cursor, const model::Paths& paths, Refusal& refusal) {
  Target target;
  if (auto wrong = take_parts(cursor, paths, target)) {
    refusal = *wrong;
    return std::nullopt;
  }
  return target;
}

}  // namespace heddle::eval
