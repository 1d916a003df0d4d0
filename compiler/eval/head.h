#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/eval/refusal.h"

namespace heddle::eval {

/// One header line: the name in lower case, the value without blanks around it.
struct Field {
  std::string name;
  std::string value;
};

/// A request head as read, its syntax checked byte by byte.
struct Head {
  std::string method;
  std::string path;  // and query: in their normal form
  std::optional<std::string> query;
  std::optional<std::string> authority;  // of an absolute-form target
  std::optional<std::string> host;       // without port, in lower case; set by check_framing
  bool http_1_0 = false;
  std::vector<Field> fields;  // in the order of the lines
};

inline constexpr std::size_t head_max = 65536;    // a longer head is 431
inline constexpr std::size_t target_max = 16384;  // a longer target is 414

/// Reads a head from its raw bytes. Refused are, in this order: heads without end in head_max bytes (431),
/// targets above target_max (414), CONNECT (405), then whatever breaks the grammar first, in byte order
/// (400). The whole of HTTP/1.x that is left open by RFC 9112 to lenient readers is refused: bare LF and CR,
/// folded lines, blanks before a colon, control bytes.
std::optional<Head> read_head(std::string_view raw, const model::Paths& paths, Refusal& refusal);

/// All values of a header; `name` in lower case.
std::vector<std::string_view> values_of(const Head& head, std::string_view name);

}  // namespace heddle::eval
