#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace heddle::http {

/// The header fields that mean something to whoever passes messages on.
enum class FieldKind : std::uint8_t {
  other,
  host,
  content_length,
  transfer_encoding,
  connection,
  keep_alive,
  proxy_connection,
  te,
  upgrade,
  http2_settings,
  rule,  // x-heddle-rule: ours alone
  expect,
};
inline constexpr std::size_t field_kinds = 12;

[[nodiscard]] FieldKind find_field_kind(std::string_view name);

struct Field {
  std::string_view name;
  std::string_view value;  // without blanks around it
  std::string_view line;   // with its CR LF
  FieldKind kind = FieldKind::other;
};

/// Walks the field lines of a complete head, strictly: every byte is checked against the grammar.
class FieldCursor {
 public:
  /// `head` with its empty line; `from`: where the first field line begins.
  FieldCursor(std::string_view head, std::size_t from) : head_(head), position_(from) {}

  /// The next field; none at the end, and where the head is malformed.
  [[nodiscard]] std::optional<Field> next();
  /// After the last field: the empty line follows and nothing else.
  [[nodiscard]] bool well_formed() const;

 private:
  std::string_view head_;
  std::size_t position_;
};

/// Content-Length: 1 to 18 digits and nothing else.
[[nodiscard]] std::optional<std::uint64_t> find_length(std::string_view value);

/// Finds the end of a head in bytes that come in pieces: the first LF that is followed by LF or by CR LF.
/// Every byte is looked at once, however small the pieces.
class HeadEnd {
 public:
  /// Length of the head with its empty line, if it ends within `bytes` (all that came so far).
  [[nodiscard]] std::optional<std::size_t> find(std::string_view bytes);
  void reset() { scanned_ = 0; }

 private:
  std::uint32_t scanned_ = 0;
};

}  // namespace heddle::http
