#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "runtime/handler/http/field.h"
#include "runtime/handler/http/request.h"

namespace heddle::http {

/// Field kinds as a set of bits.
class FieldSet {
 public:
  constexpr FieldSet(std::initializer_list<FieldKind> kinds) {
    for (const FieldKind kind : kinds) bits_ |= bit(kind);
  }
  [[nodiscard]] constexpr bool has(FieldKind kind) const { return (bits_ & bit(kind)) != 0; }
  [[nodiscard]] constexpr FieldSet with(FieldSet more) const {
    FieldSet both = *this;
    both.bits_ |= more.bits_;
    return both;
  }

 private:
  static constexpr std::uint32_t bit(FieldKind kind) { return 1U << static_cast<unsigned>(kind); }
  std::uint32_t bits_ = 0;
};

/// Fields that end at the next hop (RFC 9110 section 7.6.1), whether Connection names them or not.
inline constexpr FieldSet hop_by_hop_fields = {FieldKind::connection,       FieldKind::keep_alive,
                                               FieldKind::proxy_connection, FieldKind::te,
                                               FieldKind::upgrade,          FieldKind::http2_settings};

/// Makes origin-form of absolute-form. The head then begins later: returns by how many bytes.
[[nodiscard]] std::uint32_t make_origin_form(char* head, const Request& request);

/// Rewrites a well-formed head of `length` bytes at `head` without the fields of `drop` and those that
/// Connection names, and with `add` (whole lines) behind the others. The end of the head stays where it is,
/// so that what follows it need not move; it begins later, or, if `add` is longer than what went, earlier:
/// there must be room. Returns the new beginning.
[[nodiscard]] char* rewrite_head(char* head, std::uint32_t length, FieldSet drop, std::string_view add);

}  // namespace heddle::http
