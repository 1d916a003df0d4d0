#include "compiler/eval/target.h"

#include <string_view>

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

/// Behind `%`. An escape is refused if it is none, if it hides a byte that ends a segment or a string for
/// some reader
/// (`/`, `\`, NUL), or if it is a second spelling of a byte that needs no escape.
std::optional<Refusal> take_escape(Cursor& cursor) {
  int value = 0;
  for (int digits = 0; digits < 2; ++digits) {
    if (!is_target_byte(cursor.look())) return no_target_byte(cursor);
    if (!is_hex(cursor.look())) return bad_path(cursor.offset(), "`%` is not followed by two hex digits");
    value = value * 16 + hex_value(cursor.look());
    if (digits == 0) cursor.take();
  }
  const std::size_t place = cursor.offset();
  const char meant = static_cast<char>(value);
  if (meant == '/' || meant == '\\' || meant == '\0')
    return bad_path(place, "`%2F`, `%5C` and `%00` are refused");
  if (is_unreserved(meant)) return bad_path(place, "a byte is escaped that needs no escape");
  cursor.take();
  return std::nullopt;
}

/// What is refused of a byte wherever it stands in a target; takes the byte, or the whole escape.
std::optional<Refusal> take_byte(Cursor& cursor) {
  if (cursor.look() == '#') return bad_path(cursor.offset(), "the target has a fragment");
  return cursor.take() == '%' ? take_escape(cursor) : std::nullopt;
}

bool ends_segment(char byte) {
  return byte == '/' || byte == '?' || ends_target(byte);
}

/// One segment, the cursor behind its `/`, up to what ends it.
std::optional<Refusal> take_segment(Cursor& cursor) {
  const std::size_t start = cursor.offset();
  if (cursor.look() == '/') return bad_path(start, "the path has an empty segment (`//`)");
  while (is_target_byte(cursor.look()) && !ends_segment(cursor.look())) {
    if (cursor.look() == '\\' || cursor.look() == ';') {
      return bad_path(cursor.offset(), "the path has a `\\` or `;`");
    }
    if (auto refusal = take_byte(cursor)) return refusal;
  }
  if (!is_target_byte(cursor.look())) return no_target_byte(cursor);
  const std::string_view segment = cursor.since(start);
  if (segment == "." || segment == "..")
    return bad_path(cursor.offset(), "the path has a `.` or `..` segment");
  return std::nullopt;
}

std::optional<Refusal> take_path(Cursor& cursor) {
  while (cursor.take_if('/')) {
    if (auto refusal = take_segment(cursor)) return refusal;
  }
  return std::nullopt;
}

std::optional<Refusal> take_query(Cursor& cursor) {
  while (is_visible(cursor.look())) {
    if (auto refusal = take_byte(cursor)) return refusal;
  }
  if (!ends_target(cursor.look())) return no_target_byte(cursor);
  return std::nullopt;
}

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

std::optional<Refusal> take_parts(Cursor& cursor, Target& target) {
  if (cursor.look() != '/') {
    if (auto refusal = take_origin(cursor, target)) return refusal;
  }
  const std::size_t path_start = cursor.offset();
  if (auto refusal = take_path(cursor)) return refusal;
  target.path = std::string(cursor.since(path_start));
  if (target.path.empty()) target.path = "/";
  if (cursor.take_if('?')) {
    const std::size_t query_start = cursor.offset();
    if (auto refusal = take_query(cursor)) return refusal;
    target.query = std::string(cursor.since(query_start));
  }
  return std::nullopt;
}

}  // namespace

std::optional<Target> take_target(Cursor& cursor, Refusal& refusal) {
  Target target;
  if (auto wrong = take_parts(cursor, target)) {
    refusal = *wrong;
    return std::nullopt;
  }
  return target;
}

}  // namespace heddle::eval
