#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/handler/http/request.h"

namespace heddle::http {

/// What the handler has to know of a response's head.
struct Response {
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
  std::uint32_t length = 0;  // of the head, with its empty line
  std::uint16_t status = 0;
  bool http10 = false;
  bool keep_alive = false;      // the server keeps the connection, if the body has an end of its own
  bool interim = false;         // 1xx: another head follows
  bool forbids_length = false;  // 1xx, 204: framing fields have no place in it (RFC 9110 section 8.6)
  bool rewrite = false;         // there are fields that end here
};

/// Of a complete head. None if it is malformed, or if two readers could see two ends of its body.
/// `to_head`: the request was a HEAD.
[[nodiscard]] std::optional<Response> parse_response(std::string_view head, bool to_head);

}  // namespace heddle::http
