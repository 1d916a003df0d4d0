#include "compiler/eval/server_name.h"

#include "compiler/eval/bytes.h"
#include "compiler/eval/cursor.h"

namespace heddle::eval {
namespace {

// RFC 1035, section 2.3.4, without the length bytes and the root.
constexpr std::size_t max_label = 63;
constexpr std::size_t max_name = 253;

struct Label {
  std::size_t length = 0;
  bool is_number = true;
};

Label take_label(Cursor& cursor) {
  Label label;
  while (is_alphanumeric(cursor.look()) || cursor.look() == '-' || cursor.look() == '_') {
    const bool digit = is_digit(cursor.take());
    label.is_number = label.is_number && digit;
    ++label.length;
  }
  return label;
}

}  // namespace

std::optional<Refusal> check_server_name(const std::string& name) {
  Cursor cursor(name);
  Label label;
  do {
    label = take_label(cursor);
    if (label.length == 0) return malformed(cursor.offset(), "a label of the server's name is empty");
    if (label.length > max_label) return malformed(cursor.offset(), "a label of the server's name is too long");
  } while (cursor.take_if('.'));
  if (cursor.offset() != name.size())
    return malformed(cursor.offset(), "the server's name has a byte that no name may have");
  if (label.is_number) return malformed(cursor.offset(), "the server's name is an address");
  if (name.size() > max_name) return malformed(cursor.offset(), "the server's name is too long");
  return std::nullopt;
}

}  // namespace heddle::eval
