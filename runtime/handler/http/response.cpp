#include "runtime/handler/http/response.h"

#include <array>

#include "runtime/handler/http/characters.h"
#include "runtime/handler/http/field.h"

namespace heddle::http {

namespace {

struct Fields {
  std::uint32_t lengths = 0;
  std::uint32_t encodings = 0;
  std::uint32_t connection_elements = 0;
  std::uint64_t content_length = 0;
  bool close = false;
  bool keep_alive = false;
  bool rewrite = false;
  bool malformed = false;
};

void ignore(Fields&, std::string_view) {}

void note_rewrite(Fields& fields, std::string_view) {
  fields.rewrite = true;
}

void note_length(Fields& fields, std::string_view value) {
  const std::optional<std::uint64_t> length = find_length(value);
  if (!length || ++fields.lengths > 1) {
    fields.malformed = true;
    return;
  }
  fields.content_length = *length;
}

void note_encoding(Fields& fields, std::string_view value) {
  if (++fields.encodings > 1 || !equal_ignoring_case(value, "chunked")) fields.malformed = true;
}

void note_connection(Fields& fields, std::string_view value) {
  fields.rewrite = true;
  for_each_element(value, [&fields](std::string_view element) {
    if (++fields.connection_elements > connection_elements_max) fields.malformed = true;
    if (equal_ignoring_case(element, "close")) fields.close = true;
    if (equal_ignoring_case(element, "keep-alive")) fields.keep_alive = true;
    const FieldKind named = find_field_kind(element);
    if (named == FieldKind::content_length || named == FieldKind::transfer_encoding) fields.malformed = true;
  });
}

// In the order of FieldKind.
using Note = void (*)(Fields&, std::string_view);
constexpr std::array<Note, field_kinds> notes = {ignore,          ignore,       note_length,  note_encoding,
                                                 note_connection, note_rewrite, note_rewrite, note_rewrite,
                                                 note_rewrite,    note_rewrite, note_rewrite, ignore};

/// `HTTP/1.x NNN[ reason]`; where the fields begin.
std::optional<std::size_t> parse_status_line(std::string_view head, Response& response) {
  response.http10 = head.starts_with("HTTP/1.0 ");
  if (!response.http10 && !head.starts_with("HTTP/1.1 ")) return std::nullopt;
  if (head.size() < 14 || !is_digit(head[9]) || !is_digit(head[10]) || !is_digit(head[11]))
    return std::nullopt;
  const int status = (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
  if (status < 100 || status > 599) return std::nullopt;
  response.status = static_cast<std::uint16_t>(status);
  // Some servers leave out the space before an empty reason.
  if (head[12] != ' ' && head[12] != '\r') return std::nullopt;
  const std::size_t end = end_of_run(head, 12, value_character);
  if (head.substr(end, 2) != "\r\n") return std::nullopt;
  return end + 2;
}

Framing find_framing(const Response& response, const Fields& fields, bool to_head) {
  if (to_head || response.interim || response.status == 204 || response.status == 304) return Framing::none;
  if (fields.encodings != 0) return Framing::chunked;
  if (fields.lengths == 0) return Framing::until_close;
  return fields.content_length == 0 ? Framing::none : Framing::length;
}

}  // namespace

std::optional<Response> parse_response(std::string_view head, bool to_head) {
  Response response;
  const std::optional<std::size_t> first_field = parse_status_line(head, response);
  if (!first_field) return std::nullopt;
  Fields fields;
  FieldCursor cursor(head, *first_field);
  while (const std::optional<Field> field = cursor.next()) {
    notes[static_cast<std::size_t>(field->kind)](fields, field->value);
  }
  if (!cursor.well_formed() || fields.malformed) return std::nullopt;
  if (fields.encodings != 0 && (fields.lengths != 0 || response.http10)) return std::nullopt;
  response.length = static_cast<std::uint32_t>(head.size());
  response.interim = response.status < 200;
  response.forbids_length = response.interim || response.status == 204;
  response.content_length = fields.content_length;
  response.framing = find_framing(response, fields, to_head);
  response.rewrite = fields.rewrite;
  response.keep_alive = !fields.close && (!response.http10 || fields.keep_alive);
  return response;
}

}  // namespace heddle::http
