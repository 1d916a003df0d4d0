#include "runtime/handler/http/field.h"

#include "runtime/handler/http/characters.h"

namespace heddle::http {

namespace {

struct KnownField {
  std::string_view name;
  FieldKind kind;
};

constexpr KnownField known_fields[] = {
    {"te", FieldKind::te},
    {"host", FieldKind::host},
    {"expect", FieldKind::expect},
    {"upgrade", FieldKind::upgrade},
    {"connection", FieldKind::connection},
    {"keep-alive", FieldKind::keep_alive},
    {"content-length", FieldKind::content_length},
    {"x-heddle-rule", FieldKind::rule},
    {"http2-settings", FieldKind::http2_settings},
    {"proxy-connection", FieldKind::proxy_connection},
    {"transfer-encoding", FieldKind::transfer_encoding},
};

// Most names have a length that none of the known ones has.
constexpr std::uint32_t make_known_lengths() {
  std::uint32_t lengths = 0;
  for (const auto& field : known_fields) lengths |= 1U << field.name.size();
  return lengths;
}
constexpr std::uint32_t known_lengths = make_known_lengths();

}  // namespace

FieldKind find_field_kind(std::string_view name) {
  if (name.size() >= 32 || ((known_lengths >> name.size()) & 1U) == 0) return FieldKind::other;
  for (const auto& field : known_fields) {
    if (equal_ignoring_case(field.name, name)) return field.kind;
  }
  return FieldKind::other;
}

std::optional<Field> FieldCursor::next() {
  const std::size_t name_end = end_of_run(head_, position_, token_character);
  if (name_end == position_ || name_end == head_.size() || head_[name_end] != ':') return std::nullopt;
  const std::size_t value_end = end_of_run(head_, name_end + 1, value_character);
  if (head_.substr(value_end, 2) != "\r\n") return std::nullopt;
  Field field;
  field.name = head_.substr(position_, name_end - position_);
  field.value = trim(head_.substr(name_end + 1, value_end - name_end - 1));
  field.line = head_.substr(position_, value_end + 2 - position_);
  field.kind = find_field_kind(field.name);
  position_ = value_end + 2;
  return field;
}

bool FieldCursor::well_formed() const {
  return head_.substr(position_) == "\r\n";
}

std::optional<std::uint64_t> find_length(std::string_view value) {
  if (value.empty() || value.size() > 18) return std::nullopt;
  std::uint64_t length = 0;
  for (const char c : value) {
    if (!is_digit(c)) return std::nullopt;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return length;
}

std::optional<std::size_t> HeadEnd::find(std::string_view bytes) {
  std::size_t feed = bytes.find('\n', scanned_);
  while (feed != std::string_view::npos) {
    const std::string_view rest = bytes.substr(feed + 1);
    if (rest.starts_with('\n')) return feed + 2;
    if (rest.starts_with("\r\n")) return feed + 3;
    if (rest.empty() || rest == "\r") break;
    feed = bytes.find('\n', feed + 1);
  }
  scanned_ = static_cast<std::uint32_t>(feed == std::string_view::npos ? bytes.size() : feed);
  return std::nullopt;
}

}  // namespace heddle::http
