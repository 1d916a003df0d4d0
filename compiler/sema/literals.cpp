#include "compiler/sema/literals.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace heddle::sema {

namespace {

constexpr std::size_t longest_target = 16384;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_alphanumeric(char c) {
  return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z');
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_visible(char c) {
  return c > 0x20 && c < 0x7F;
}
bool is_unreserved(char c) {
  return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/// Segment by segment: what `paths strict` refuses, and the text with all of that put right.
class PathReader {
 public:
  PathReader(const std::string& literal, PathTest test) : text_(literal), test_(test) {}

  std::optional<NeverMatches> read() {
    if (text_.empty() || text_.front() != '/') note("a path begins with `/`");
    if (text_.size() > longest_target) refuse("a longer target is refused");
    std::vector<std::string> segments;
    for (std::size_t begin = text_.starts_with("/") ? 1 : 0; begin <= text_.size();) {
      const std::size_t end = std::min(text_.find('/', begin), text_.size());
      last_ = end == text_.size();
      add_segment(segments, read_segment(std::string_view(text_).substr(begin, end - begin)));
      begin = end + 1;
    }
    if (why_.empty()) return std::nullopt;
    std::string spelling;
    for (const std::string& segment : segments) spelling += "/" + segment;
    if (spelling.empty()) spelling = "/";
    return NeverMatches{why_, hopeless_ ? std::string() : spelling};
  }

 private:
  void note(const char* why) {
    if (why_.empty()) why_ = why;
  }
  void refuse(const char* why) {
    note(why);
    hopeless_ = true;
  }

  /// What begins in the last segment of a `starts` may go on in the request.
  [[nodiscard]] bool may_go_on() const { return last_ && test_ == PathTest::starts; }

  void add_segment(std::vector<std::string>& segments, std::string segment) {
    if (segment.empty() && !last_) return note("`paths strict` refuses `//`");
    const bool dots = (segment == "." || segment == "..") && !may_go_on();
    if (!dots) return segments.push_back(std::move(segment));
    note("`paths strict` refuses a `.` or `..` segment");
    if (segment == ".." && !segments.empty()) segments.pop_back();
    if (last_) segments.emplace_back();
  }

  std::string read_segment(std::string_view segment) {
    std::string result;
    while (!segment.empty()) {
      const std::size_t length =
          segment.front() == '%' ? read_escape(segment, result) : read_byte(segment.front(), result);
      segment.remove_prefix(length);
    }
    return result;
  }

  std::size_t read_escape(std::string_view rest, std::string& result) {
    const bool first = rest.size() > 1 && is_hex(rest[1]);
    if (!first || rest.size() < 3 || !is_hex(rest[2])) {
      const bool cut = may_go_on() && (rest.size() == 1 || (rest.size() == 2 && first));
      if (!cut) note("`%` is followed by two hex digits");
      result += cut ? "%" : "%25";
      return 1;
    }
    const char meant = static_cast<char>(std::stoi(std::string(rest.substr(1, 2)), nullptr, 16));
    if (meant == '/' || meant == '\\' || meant == '\0')
      refuse("`paths strict` refuses `%2F`, `%5C` and `%00`");
    if (is_unreserved(meant)) {
      note("`paths strict` refuses an escaped byte that needs no escape");
      result += meant;
    } else {
      result += rest.substr(0, 3);
    }
    return 3;
  }

  std::size_t read_byte(char byte, std::string& result) {
    if (byte == '?') refuse("what follows `?` is the query, not the path");
    if (byte == '#') refuse("a target has no fragment");
    if (byte == ';') refuse("`paths strict` refuses `;`");
    if (byte == '\\') refuse("`paths strict` refuses a backslash");
    if (is_visible(byte)) {
      result += byte;
    } else {
      note("a space, a control character or a byte outside ASCII is written as an escape");
      result += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
    }
    return 1;
  }

  const std::string& text_;
  PathTest test_;
  bool last_ = false;
  bool hopeless_ = false;
  std::string why_;
};

bool is_host_label(std::string_view label) {
  const auto right = [](char c) { return is_alphanumeric(c) || c == '_' || c == '-'; };
  return !label.empty() && std::all_of(label.begin(), label.end(), right);
}

bool is_host_name(std::string_view host) {
  while (true) {
    const std::size_t dot = host.find('.');
    if (!is_host_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

bool is_bracketed_ipv6(std::string_view host) {
  if (host.size() < 3 || host.front() != '[' || host.back() != ']') return false;
  const std::string_view inner = host.substr(1, host.size() - 2);
  return std::all_of(inner.begin(), inner.end(), [](char c) { return is_hex(c) || c == ':' || c == '.'; });
}

bool is_host(std::string_view host) {
  return is_host_name(host) || is_bracketed_ipv6(host);
}

}  // namespace

std::optional<NeverMatches> check_path(const std::string& literal, PathTest test) {
  return PathReader(literal, test).read();
}

std::string normalise_path(const std::string& literal) {
  std::string result = literal;
  for (std::size_t i = 0; i + 2 < result.size(); ++i) {
    if (result[i] != '%') continue;
    for (std::size_t k = i + 1; k <= i + 2; ++k) {
      if (result[k] >= 'a' && result[k] <= 'f') result[k] = static_cast<char>(result[k] - 'a' + 'A');
    }
  }
  return result;
}

std::optional<NeverMatches> check_host(const std::string& literal) {
  if (is_host(literal)) return std::nullopt;
  if (literal.empty()) return NeverMatches{"a request without a host is refused", ""};
  if (literal.ends_with(".") && is_host(literal.substr(0, literal.size() - 1))) {
    return NeverMatches{"a final dot is refused", literal.substr(0, literal.size() - 1)};
  }
  const std::size_t colon = literal.rfind(':');
  const bool ports =
      colon != std::string::npos &&
      std::all_of(literal.begin() + static_cast<std::ptrdiff_t>(colon) + 1, literal.end(), is_digit);
  if (ports && is_host(literal.substr(0, colon))) {
    return NeverMatches{"`host` is compared without port", literal.substr(0, colon)};
  }
  if (literal.find('@') != std::string::npos) return NeverMatches{"a host with a user is refused", ""};
  return NeverMatches{
      "a host has letters, digits, `-`, `_` and single dots, or is an IPv6 address in brackets", ""};
}

std::optional<NeverMatches> check_header_value(const std::string& literal) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  const bool breaks =
      std::any_of(literal.begin(), literal.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  if (breaks) return NeverMatches{"a header value has no line break and no NUL", ""};
  if (literal.empty() || (!is_space(literal.front()) && !is_space(literal.back()))) return std::nullopt;
  const std::size_t begin = std::min(literal.find_first_not_of(" \t"), literal.size());
  const std::size_t end = literal.find_last_not_of(" \t") + 1;
  return NeverMatches{"spaces around a header value do not belong to it",
                      begin < end ? literal.substr(begin, end - begin) : std::string()};
}

bool is_header_name(const std::string& name) {
  static constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  const auto is_token = [](char c) { return is_alphanumeric(c) || marks.find(c) != std::string_view::npos; };
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token);
}

const char* why_reserved(const std::string& lower_case_name) {
  struct Row {
    std::string_view name;
    const char* why;
  };
  static constexpr const char* framing = "it says how the message is sent, not what it is";
  static constexpr Row rows[] = {
      {"host", "the attribute `host` has it, without port and without case"},
      {"cookie", "cookies are tested one by one, with `cookie \"name\"`"},
      {"authorization", "who asks is tested with `from`"},
      {"connection", framing},
      {"content-length", framing},
      {"keep-alive", framing},
      {"proxy-connection", framing},
      {"te", framing},
      {"trailer", framing},
      {"transfer-encoding", framing},
      {"upgrade", framing},
  };
  for (const Row& row : rows) {
    if (row.name == lower_case_name) return row.why;
  }
  return nullptr;
}

bool is_method(const std::string& text) {
  return !text.empty() && is_upper(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_upper(c) || c == '-'; });
}

std::string to_lower(std::string text) {
  for (char& c : text) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string to_upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

}  // namespace heddle::sema
