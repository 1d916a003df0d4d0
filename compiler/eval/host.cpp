#include "compiler/eval/host.h"

#include "compiler/eval/bytes.h"

namespace heddle::eval {
namespace {

constexpr std::size_t max_port_digits = 5;

bool is_label(char byte) {
  return is_alphanumeric(byte) || byte == '_' || byte == '-';
}

bool take_label(Cursor& cursor) {
  if (!is_label(cursor.look())) return false;
  while (is_label(cursor.look())) cursor.take();
  return true;
}

bool take_name(Cursor& cursor) {
  do {
    if (!take_label(cursor)) return false;
  } while (cursor.take_if('.'));
  return true;
}

bool take_ipv6(Cursor& cursor) {
  cursor.take();  // [
  const std::size_t start = cursor.offset();
  while (is_hex(cursor.look()) || cursor.look() == ':' || cursor.look() == '.') cursor.take();
  return cursor.offset() > start && cursor.take_if(']');
}

bool take_port(Cursor& cursor) {
  const std::size_t start = cursor.offset();
  while (is_digit(cursor.look()) && cursor.offset() - start < max_port_digits) cursor.take();
  return cursor.offset() > start;
}

}  // namespace

std::optional<std::string> take_host(Cursor& cursor) {
  const std::size_t start = cursor.offset();
  if (!(cursor.look() == '[' ? take_ipv6(cursor) : take_name(cursor))) return std::nullopt;
  std::string host = lower(cursor.since(start));
  if (cursor.take_if(':') && !take_port(cursor)) return std::nullopt;
  return host;
}

}  // namespace heddle::eval
