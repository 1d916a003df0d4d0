#include "runtime/handler/http/request.h"

#include <array>
#include <optional>

#include "runtime/handler/http/characters.h"
#include "runtime/handler/http/field.h"

namespace heddle::http {

namespace {

/// What the fields say together; the functions below note one field each.
struct Fields {
  std::uint32_t hosts = 0;
  std::uint32_t lengths = 0;
  std::uint32_t encodings = 0;
  std::uint32_t connection_elements = 0;
  std::string_view host;
  std::uint64_t content_length = 0;
  bool chunked = false;
  bool close = false;
  bool keep_alive = false;
  bool hop_by_hop = false;
  bool expects = false;
  bool malformed = false;
};

struct Target {
  std::string_view authority;  // of absolute-form
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// label *("." label) or "[" 1*[0-9A-Fa-f:.] "]".
std::size_t end_of_host_name(std::string_view value) {
  if (value.starts_with('[')) {
    std::size_t end = 1;
    while (end < value.size() && (is(value[end], hex_character) || value[end] == ':' || value[end] == '.'))
      ++end;
    const bool closed = end > 1 && end < value.size() && value[end] == ']';
    return closed ? end + 1 : std::string_view::npos;
  }
  std::size_t position = 0;
  while (true) {
    const std::size_t end = end_of_run(value, position, label_character);
    if (end == position) return std::string_view::npos;
    if (end == value.size() || value[end] != '.') return end;
    position = end + 1;
  }
}

bool is_host_value(std::string_view value) {
  const std::size_t name_end = end_of_host_name(value);
  if (name_end == std::string_view::npos) return false;
  const std::string_view port = value.substr(name_end);
  if (port.empty()) return true;
  if (port.front() != ':' || port.size() < 2 || port.size() > 6) return false;
  for (const char c : port.substr(1)) {
    if (!is_digit(c)) return false;
  }
  return true;
}

void ignore(Fields&, std::string_view) {}

void note_host(Fields& fields, std::string_view value) {
  ++fields.hosts;
  fields.host = value;
  if (!is_host_value(value)) fields.malformed = true;
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
  fields.chunked = true;
}

void note_connection(Fields& fields, std::string_view value) {
  fields.hop_by_hop = true;
  for_each_element(value, [&fields](std::string_view element) {
    if (++fields.connection_elements > connection_elements_max) fields.malformed = true;
    if (equal_ignoring_case(element, "close")) fields.close = true;
    if (equal_ignoring_case(element, "keep-alive")) fields.keep_alive = true;
    const FieldKind named = find_field_kind(element);
    const bool framing = named == FieldKind::host || named == FieldKind::content_length ||
                         named == FieldKind::transfer_encoding;
    if (framing) fields.malformed = true;
  });
}

void note_hop_by_hop(Fields& fields, std::string_view) {
  fields.hop_by_hop = true;
}

void note_expect(Fields& fields, std::string_view) {
  fields.expects = true;
}

// In the order of FieldKind.
using Note = void (*)(Fields&, std::string_view);
constexpr std::array<Note, field_kinds> notes = {
    ignore,          note_host,       note_length,     note_encoding,   note_connection, note_hop_by_hop,
    note_hop_by_hop, note_hop_by_hop, note_hop_by_hop, note_hop_by_hop, ignore,          note_expect};

Request refused(hd_form form, std::size_t length) {
  Request request;
  request.form = form;
  request.length = static_cast<std::uint32_t>(length);
  return request;
}

/// What was found of absolute-form stays: the kernel still has to see the path that comes before what is
/// wrong.
Request malformed(Request request, std::size_t length) {
  request.form = HD_FORM_MALFORMED;
  request.length = static_cast<std::uint32_t>(length);
  return request;
}

/// The bytes between the first SP of the first line and the next one or the line's end: for 414 alone,
/// whatever the line's form.
std::size_t apparent_target_length(std::string_view head) {
  std::string_view line = head.substr(0, head.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return 0;
  line.remove_prefix(space + 1);
  return line.substr(0, line.find(' ')).size();
}

bool begins_with_scheme(std::string_view target) {
  constexpr std::string_view scheme = "http://";
  return target.size() >= scheme.size() && equal_ignoring_case(target.substr(0, scheme.size()), scheme);
}

/// Method, target and version; where the fields begin, or nothing if the line is malformed.
std::optional<std::size_t> parse_request_line(std::string_view head, Request& request, Target& target) {
  const std::size_t method_end = end_of_run(head, 0, method_character);
  if (method_end == 0 || head[0] == '-' || method_end == head.size() || head[method_end] != ' ') {
    return std::nullopt;
  }
  request.head_method = head.substr(0, method_end) == "HEAD";
  target.begin = method_end + 1;
  target.end = end_of_run(head, target.begin, visible_character);
  const std::string_view text = head.substr(target.begin, target.end - target.begin);
  if (begins_with_scheme(text)) {
    target.authority = text.substr(7, text.find_first_of("/?", 7) - 7);
    if (!is_host_value(target.authority)) return std::nullopt;
    request.prefix_begin = static_cast<std::uint32_t>(target.begin);
    request.prefix_end = static_cast<std::uint32_t>(target.begin + 7 + target.authority.size());
  } else if (!text.starts_with('/')) {
    return std::nullopt;
  }
  const std::string_view rest = head.substr(target.end);
  request.http10 = rest.starts_with(" HTTP/1.0\r\n");
  if (!request.http10 && !rest.starts_with(" HTTP/1.1\r\n")) return std::nullopt;
  return target.end + 11;
}

/// What only the fields together can violate.
bool agree(const Fields& fields, const Request& request, const Target& target) {
  if (fields.malformed || fields.hosts > 1) return false;
  const bool host_required = !request.http10 || !target.authority.empty();
  if (host_required && fields.hosts == 0) return false;
  if (!target.authority.empty() && !equal_ignoring_case(fields.host, target.authority)) return false;
  return !fields.chunked || (!request.http10 && fields.lengths == 0);
}

}  // namespace

Request parse_request(std::string_view head) {
  if (apparent_target_length(head) > HD_TARGET_MAX) return refused(HD_FORM_TARGET_TOO_LONG, head.size());
  if (head.starts_with("CONNECT ")) return refused(HD_FORM_CONNECT, head.size());
  Request request;
  Target target;
  const std::optional<std::size_t> first_field = parse_request_line(head, request, target);
  if (!first_field) return malformed(request, head.size());
  Fields fields;
  FieldCursor cursor(head, *first_field);
  while (const std::optional<Field> field = cursor.next()) {
    notes[static_cast<std::size_t>(field->kind)](fields, field->value);
  }
  if (!cursor.well_formed() || !agree(fields, request, target)) return malformed(request, head.size());
  request.length = static_cast<std::uint32_t>(head.size());
  request.keep_alive = !fields.close && (!request.http10 || fields.keep_alive);
  request.hop_by_hop = fields.hop_by_hop;
  request.expects = fields.expects;
  request.content_length = fields.content_length;
  if (fields.chunked) request.framing = Framing::chunked;
  if (fields.lengths != 0 && fields.content_length != 0) request.framing = Framing::length;
  return request;
}

}  // namespace heddle::http
