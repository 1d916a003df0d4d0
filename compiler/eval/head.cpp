#include "compiler/eval/head.h"

#include "compiler/eval/bytes.h"
#include "compiler/eval/cursor.h"
#include "compiler/eval/target.h"

namespace heddle::eval {
namespace {

/// Where a head ends, for its size only: behind the first line end that an empty line follows, bare LF
/// counted as a line end so that a sloppy head is refused at its own end and not at somebody else's.
std::optional<std::size_t> find_end(std::string_view raw) {
  for (std::size_t at = raw.find('\n'); at != std::string_view::npos; at = raw.find('\n', at + 1)) {
    const std::string_view rest = raw.substr(at + 1);
    if (rest.starts_with("\n")) return at + 2;
    if (rest.starts_with("\r\n")) return at + 3;
  }
  return std::nullopt;
}

std::size_t target_length(std::string_view head) {
  std::string_view line = head.substr(0, head.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return 0;
  line.remove_prefix(space + 1);
  return line.substr(0, line.find(' ')).size();
}

std::optional<Refusal> check_sizes(std::string_view raw, std::optional<std::size_t> end) {
  if (end ? *end > head_max : raw.size() > head_max) {
    return Refusal{431, model::rule_malformed, head_max, "the head is longer than 64 KiB"};
  }
  if (!end) return malformed(raw.size(), "the head has no end");
  if (target_length(raw.substr(0, *end)) > target_max) {
    return Refusal{414, model::rule_malformed, 0, "the target is longer than 16 KiB"};
  }
  if (raw.starts_with("CONNECT ")) {
    return Refusal{405, model::rule_malformed, 0, "CONNECT is not served"};
  }
  return std::nullopt;
}

std::optional<Refusal> take_method(Cursor& cursor, Head& head) {
  while (is_upper(cursor.look()) || (cursor.look() == '-' && cursor.offset() > 0)) cursor.take();
  head.method = std::string(cursor.since(0));
  if (head.method.empty() || !cursor.take_if(' ')) {
    return malformed(cursor.offset(), "the method is not made of capital letters");
  }
  return std::nullopt;
}

std::optional<Refusal> take_line_end(Cursor& cursor) {
  if (cursor.take_if('\r') && cursor.take_if('\n')) return std::nullopt;
  return malformed(cursor.offset(), "a line does not end in CR LF, or has a byte that no line may have");
}

std::optional<Refusal> take_version(Cursor& cursor, Head& head) {
  for (const char expected : std::string_view("HTTP/1.")) {
    if (!cursor.take_if(expected))
      return malformed(cursor.offset(), "the version is neither HTTP/1.1 nor HTTP/1.0");
  }
  if (cursor.take_if('0')) {
    head.http_1_0 = true;
  } else if (!cursor.take_if('1')) {
    return malformed(cursor.offset(), "the version is neither HTTP/1.1 nor HTTP/1.0");
  }
  return take_line_end(cursor);
}

std::optional<Refusal> take_request_line(Cursor& cursor, const model::Paths& paths, Head& head) {
  if (auto refusal = take_method(cursor, head)) return refusal;
  Refusal refusal;
  auto target = take_target(cursor, paths, refusal);
  if (!target) return refusal;
  head.path = std::move(target->path);
  head.query = std::move(target->query);
  head.authority = std::move(target->authority);
  cursor.take();  // the space that ended the target
  return take_version(cursor, head);
}

std::optional<Refusal> take_field(Cursor& cursor, Head& head) {
  const std::size_t name_start = cursor.offset();
  while (is_token(cursor.look())) cursor.take();
  Field field;
  field.name = lower(cursor.since(name_start));
  if (field.name.empty() || !cursor.take_if(':')) {
    return malformed(cursor.offset(), "a header line has no name with a colon right behind it");
  }
  const std::size_t value_start = cursor.offset();
  while (is_value(cursor.look())) cursor.take();
  field.value = std::string(trim(cursor.since(value_start)));
  if (auto refusal = take_line_end(cursor)) return refusal;
  head.fields.push_back(std::move(field));
  return std::nullopt;
}

std::optional<Refusal> take_head(Cursor& cursor, const model::Paths& paths, Head& head) {
  if (auto refusal = take_request_line(cursor, paths, head)) return refusal;
  while (cursor.look() != '\r') {
    if (auto refusal = take_field(cursor, head)) return refusal;
  }
  return take_line_end(cursor);
}

}  // namespace

std::optional<Head> read_head(std::string_view raw, const model::Paths& paths, Refusal& refusal) {
  const auto end = find_end(raw);
  Head head;
  auto wrong = check_sizes(raw, end);
  if (!wrong) {
    Cursor cursor(raw.substr(0, *end));
    wrong = take_head(cursor, paths, head);
  }
  if (!wrong) return head;
  refusal = *wrong;
  return std::nullopt;
}

std::vector<std::string_view> values_of(const Head& head, std::string_view name) {
  std::vector<std::string_view> values;
  for (const Field& field : head.fields) {
    if (field.name == name) values.push_back(field.value);
  }
  return values;
}

}  // namespace heddle::eval
