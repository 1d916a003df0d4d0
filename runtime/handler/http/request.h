#pragma once

#include <cstdint>
#include <string_view>

#include "bpf_templates/include/heddle/abi.h"

namespace heddle::http {

/// How the bytes of a message's body are delimited (RFC 9112 section 6).
enum class Framing : std::uint8_t { none, length, chunked, until_close };

/// What the handler has to know of a request's head to pass the request on. Everything else of it is for the
/// decision function, which reads the same bytes.
struct Request {
  hd_form form = HD_FORM_OK;
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
  std::uint32_t length = 0;        // of the head, with its empty line
  std::uint32_t prefix_begin = 0;  // absolute-form: `http://authority` is [prefix_begin, prefix_end)
  std::uint32_t prefix_end = 0;
  bool http10 = false;
  bool head_method = false;
  bool keep_alive = false;  // the client wants to go on
  bool hop_by_hop = false;  // there are fields that end here
  bool expects = false;     // Expect: whoever sent it may keep the body to himself
};

/// Of a complete head, empty line included, at most HD_HEAD_MAX bytes. A violation of the form is said in
/// `form`; then nothing but `length` and the prefix means anything.
[[nodiscard]] Request parse_request(std::string_view head);

/// More elements of Connection are refused: what they name has to be remembered while the head is rewritten.
inline constexpr std::uint32_t connection_elements_max = 64;

}  // namespace heddle::http
