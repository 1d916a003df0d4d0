#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace heddle::handler {

/// An answer that the mesh gives itself.
struct Reply {
  std::uint16_t status = 0;
  std::string_view rule;  // that ended the decision: `x-heddle-rule`
  std::string_view body;
  std::string_view allow;  // methods of a 405
  bool close = false;      // the connection ends with it
  std::uint32_t retry_after = 0;  // seconds; 0: nothing is said
  std::string_view type = {};      // of the body; empty: plain text
  std::string_view location = {};  // of a redirect
};

/// Of a reply's head, without its location.
inline constexpr std::size_t reply_head_max = 1024;

/// Writes the head of a reply; how long it is. `space` has room for reply_head_max bytes and the location; a rule's name
/// that does not fit is cut.
[[nodiscard]] std::size_t write_reply_head(std::span<char> space, const Reply& reply, bool close,
                                           bool http10);

/// A short text in place; what does not fit is cut.
class ShortText {
 public:
  ShortText& operator<<(std::string_view text);
  [[nodiscard]] std::string_view view() const { return {text_.data(), used_}; }

 private:
  std::array<char, 2048> text_;
  std::size_t used_ = 0;
};

/// What a 403 tells the person behind the client: which rule, and which block of the policy to change.
void describe_denial(ShortText& out, std::string_view rule);
/// What a refused request tells.
void describe_refusal(ShortText& out, std::uint16_t status, std::string_view rule);

}  // namespace heddle::handler
