#include "compiler/sema/literals.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace heddle::sema {

namespace {

constexpr std::size_t longest_target = 16384;
constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_label = 63;

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

/// What a target may not have, and the text with all of that put right.
class TargetReader {
 public:
  explicit TargetReader(const model::Paths& paths) : paths_(paths) {}

 protected:
  void note(const char* why) {
    if (why_.empty()) why_ = why;
  }
  void refuse(const char* why) {
    note(why);
    hopeless_ = true;
  }
  [[nodiscard]] std::optional<NeverMatches> result(const std::string& spelling) const {
    if (why_.empty()) return std::nullopt;
    return NeverMatches{why_, hopeless_ ? std::string() : spelling};
  }

  /// Takes an escape that the rest begins with, or its `%`; one that is cut off is right if more `may_follow`.
  std::size_t read_escape(std::string_view rest, bool may_follow, std::string& result) {
    const bool first = rest.size() > 1 && is_hex(rest[1]);
    if (!first || rest.size() < 3 || !is_hex(rest[2])) {
      const bool cut = may_follow && (rest.size() == 1 || (rest.size() == 2 && first));
      if (!cut) note("`%` is followed by two hex digits");
      result += cut ? "%" : "%25";
      return 1;
    }
    const char meant = static_cast<char>(std::stoi(std::string(rest.substr(1, 2)), nullptr, 16));
    if (is_refused(meant)) {
      refuse_as(meant == '\0' ? "refuses `%00`" : decodes() ? "decodes `%2F` and `%5C`" : "refuses `%2F` and `%5C`");
    }
    if (is_unreserved(meant)) {
      note_as(decodes() ? "decodes a byte that needs no escape" : "refuses an escaped byte that needs no escape");
      result += meant;
    } else {
      result += rest.substr(0, 3);
    }
    return 3;
  }

  void read_byte(char byte, std::string& result) {
    if (is_visible(byte)) {
      result += byte;
    } else {
      note("a space, a control character or a byte outside ASCII is written as an escape");
      result += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
    }
  }

  [[nodiscard]] bool keeps(std::string_view text) const { return paths_.keep.contains(std::string(text)); }
  [[nodiscard]] bool decodes() const { return paths_.mode == model::PathMode::decode; }
  [[nodiscard]] bool merges() const { return paths_.mode != model::PathMode::strict; }
  /// A sentence about the mode in hand.
  void note_as(const char* what) { note((mode() + what).c_str()); }
  void refuse_as(const char* what) { refuse((mode() + what).c_str()); }
  /// Of an escape's byte.
  [[nodiscard]] virtual bool is_refused(char meant) const {
    if (meant == '/') return !keeps("%2F");
    return meant == '\\' ? !keeps("%5C") : meant == '\0';
  }

 private:
  [[nodiscard]] std::string mode() const {
    static constexpr const char* modes[] = {"`paths strict` ", "`paths merge` ", "`paths decode` "};
    return modes[static_cast<std::size_t>(paths_.mode)];
  }

  const model::Paths& paths_;
  bool hopeless_ = false;
  std::string why_;
};

class QueryReader : TargetReader {
 public:
  using TargetReader::TargetReader;

  std::optional<NeverMatches> read(std::string_view text, Part part) {
    const bool may_follow = part == Part::beginning || part == Part::middle;
    if (text.size() > longest_target) refuse("a longer target is refused");
    std::string spelling;
    while (!text.empty()) {
      const char byte = text.front();
      if (byte == '&') refuse("`&` ends a value");
      if (byte == '#') refuse("a target has no fragment");
      const std::size_t length = byte == '%' ? read_escape(text, may_follow, spelling) : 1;
      if (byte != '%') read_byte(byte, spelling);
      text.remove_prefix(length);
    }
    return result(spelling);
  }

 private:
  [[nodiscard]] bool is_refused(char meant) const override {
    return TargetReader::is_refused(meant) && !(decodes() && meant == '\\');
  }
};

/// Segment by segment.
class PathReader : TargetReader {
 public:
  PathReader(const std::string& literal, Part part, const model::Paths& paths)
      : TargetReader(paths), text_(literal), part_(part) {}

  std::optional<NeverMatches> read() {
    const bool whole_segments = text_.starts_with("/");
    if (!whole_segments && part_ != Part::end) note("a path begins with `/`");
    if (text_.size() > longest_target) refuse("a longer target is refused");
    first_ = !whole_segments;
    std::vector<std::string> segments;
    for (std::size_t begin = whole_segments ? 1 : 0; begin <= text_.size(); first_ = false) {
      const std::size_t end = std::min(text_.find('/', begin), text_.size());
      last_ = end == text_.size();
      add_segment(segments, read_segment(std::string_view(text_).substr(begin, end - begin)));
      begin = end + 1;
    }
    std::string spelling;
    for (const std::string& segment : segments) spelling += "/" + segment;
    if (spelling.empty()) spelling = "/";
    if (part_ == Part::end && !whole_segments) spelling.erase(0, 1);
    return result(spelling);
  }

 private:
  /// What begins in the last segment of a `starts` may go on in the request, and what ends in the first one of an
  /// `ends` may have begun before it.
  [[nodiscard]] bool may_go_on() const { return last_ && part_ == Part::beginning; }
  [[nodiscard]] bool may_have_begun() const { return first_ && part_ == Part::end; }

  void add_segment(std::vector<std::string>& segments, std::string segment) {
    if (segment.empty() && !last_ && !may_have_begun()) 
      return note_as(merges() ? "makes `/` of `//`" : "refuses `//`");
    const bool dots = (segment == "." || segment == "..") && !may_go_on() && !may_have_begun();
    if (!dots) {
      check_pieces(segment);
      return segments.push_back(std::move(segment));
    }
    note_as(merges() ? "resolves a `.` or `..` segment" : "refuses a `.` or `..` segment");
    if (segment == ".." && !segments.empty()) segments.pop_back();
    if (last_) segments.emplace_back();
  }

  /// What is kept may not make a segment out of dots, or an empty one, for a server that reads it as an end.
  void check_pieces(const std::string& segment) {
    if (segment.starts_with(";") && !may_have_begun()) refuse("a segment never begins with `;`");
    std::string upper = normalise_path(segment);
    for (const char* kept : {"%2F", "%5C"}) {
      for (std::size_t at = upper.find(kept); at != std::string::npos; at = upper.find(kept)) upper.replace(at, 3, "\\");
    }
    bool cut = upper.find('\\') != std::string::npos;
    for (std::size_t begin = 0; begin <= upper.size();) {
      const std::size_t end = std::min(upper.find('\\', begin), upper.size());
      const std::string piece = upper.substr(begin, end - begin);
      const std::string name = piece.substr(0, piece.find(';'));
      const bool open = (end == upper.size() && may_go_on() && name.size() == piece.size()) ||
                        (begin == 0 && may_have_begun());
      if ((cut || name.size() != piece.size()) && (name == "." || name == "..") && !open)
        refuse("a `.` or `..` in front of what is kept, or behind it, is refused");
      if (begin != 0 && piece.starts_with(";")) refuse("a segment never begins with `;`");
      begin = end + 1;
    }
  }

  std::string read_segment(std::string_view segment) {
    std::string result;
    while (!segment.empty()) {
      const char byte = segment.front();
      const std::size_t length = byte == '%' ? read_escape(segment, may_go_on(), result) : 1;
      if (byte != '%') read_path_byte(byte, result);
      segment.remove_prefix(length);
    }
    return result;
  }

  void read_path_byte(char byte, std::string& result) {
    if (byte == '?') refuse("what follows `?` is the query, not the path");
    if (byte == '#') refuse("a target has no fragment");
    if (byte == ';' && !keeps(";")) refuse_as("refuses `;`");
    if (byte == '\\' && !keeps("\\")) refuse_as("refuses a backslash");
    read_byte(byte, result);
  }

  const std::string& text_;
  Part part_;
  bool first_ = false;  // the segment in hand, and it does not begin with the literal
  bool last_ = false;
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

std::optional<NeverMatches> check_path(const std::string& literal, Part part, const model::Paths& paths) {
  return PathReader(literal, part, paths).read();
}

std::optional<NeverMatches> check_like(const std::string& literal) {
  const auto is_name = [](std::string_view text) {
    const auto right = [](char c) { return is_alphanumeric(c) || c == '_' || c == '-'; };
    return !text.empty() && std::all_of(text.begin(), text.end(), right);
  };
  for (std::size_t begin = 1; begin <= literal.size();) {
    const std::size_t end = std::min(literal.find('/', begin), literal.size());
    const std::string_view segment = std::string_view(literal).substr(begin, end - begin);
    const std::string before = literal.substr(0, begin), behind = literal.substr(end);
    if (segment == "**" && end != literal.size())
      return NeverMatches{"`**` is the rest of a path, so nothing follows it", before + "**"};
    if (segment == "*") return NeverMatches{"one segment is written `{name}`", before + "{name}" + behind};
    if (segment != "**" && segment.find('*') != std::string_view::npos)
      return NeverMatches{"`{name}` stands for a whole segment, a final `/**` for the rest, and `*` for nothing", ""};
    const bool braces = segment.find_first_of("{}") != std::string_view::npos;
    const bool placeholder = segment.size() > 2 && segment.front() == '{' && segment.back() == '}' &&
                             is_name(segment.substr(1, segment.size() - 2));
    if (braces && !placeholder)
      return NeverMatches{"`{name}` stands for a whole segment, and a name has letters, digits, `_` and `-`", ""};
    begin = end + 1;
  }
  return std::nullopt;
}

std::string normalise_path(const std::string& literal) {
  std::string result = literal;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i] != '%') continue;
    const std::size_t last = std::min(i + 2, result.size() - 1);
    while (i < last) {
      char& digit = result[++i];
      if (digit >= 'a' && digit <= 'f') digit = static_cast<char>(digit - 'a' + 'A');
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

namespace {

/// The labels of a name that are not empty, joined with dots.
std::string without_empty_labels(std::string_view name) {
  std::string result;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('.'), name.size());
    if (end != 0) result += (result.empty() ? "" : ".") + std::string(name.substr(0, end));
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return result;
}

bool ends_in_number(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return std::all_of(last.begin(), last.end(), is_digit);
}

const char* why_too_long(std::string_view name) {
  if (name.size() > longest_name) return "a name has at most 253 bytes";
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('.'), name.size());
    if (end > longest_label) return "a label has at most 63 bytes";
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return nullptr;
}

}  // namespace

std::optional<NeverMatches> check_server_name(const std::string& literal) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (literal.empty()) return NeverMatches{"who asks for no name sends none", ""};
  if (!std::all_of(literal.begin(), literal.end(), is_ascii))
    return NeverMatches{"a name outside ASCII is sent in its ASCII form, `xn--…`", ""};
  if (literal.find('*') != std::string::npos) {
    const std::string below = literal.starts_with("*.") ? literal.substr(2) : "";
    return NeverMatches{"what lies below a name is covered by `under`", is_host_name(below) ? below : ""};
  }
  if (is_bracketed_ipv6(literal) || std::count(literal.begin(), literal.end(), ':') > 1)
    return NeverMatches{"an IP address is no name", ""};
  if (const std::size_t colon = literal.find(':'); colon != std::string::npos && is_host_name(literal.substr(0, colon)))
    return NeverMatches{"a name has no port", literal.substr(0, colon)};
  if (const std::string spelling = without_empty_labels(literal); spelling != literal && is_host_name(spelling))
    return NeverMatches{literal.ends_with(".") ? "a final dot is refused" : "an empty label is refused", spelling};
  if (!is_host_name(literal)) return NeverMatches{"a name has letters, digits, `-`, `_` and single dots", ""};
  if (ends_in_number(literal)) return NeverMatches{"an IP address is no name", ""};
  if (const char* why = why_too_long(literal)) return NeverMatches{why, ""};
  return std::nullopt;
}

std::optional<NeverMatches> check_header_value(const std::string& literal, Part part) {
  const auto is_control = [](char c) {
    return c != '\t' && (static_cast<unsigned char>(c) < 0x20 || c == 0x7F);
  };
  if (std::any_of(literal.begin(), literal.end(), is_control))
    return NeverMatches{"a value has no line break and no other control character", ""};
  const bool begins = part == Part::whole || part == Part::beginning;
  const bool ends = part == Part::whole || part == Part::end;
  const std::size_t begin = begins ? std::min(literal.find_first_not_of(" \t"), literal.size()) : 0;
  const std::size_t end = ends ? literal.find_last_not_of(" \t") + 1 : literal.size();
  if (begin == 0 && end == literal.size()) return std::nullopt;
  return NeverMatches{"spaces around a value do not belong to it",
                      begin < end ? literal.substr(begin, end - begin) : std::string()};
}

std::optional<NeverMatches> check_query_value(const std::string& literal, Part part, const model::Paths& paths) {
  return QueryReader(paths).read(literal, part);
}

std::optional<NeverMatches> check_cookie_value(const std::string& literal, Part part) {
  if (literal.find(';') != std::string::npos) return NeverMatches{"`;` ends a cookie", ""};
  return check_header_value(literal, part);
}

bool is_token(const std::string& name) {
  static constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  const auto right = [](char c) { return is_alphanumeric(c) || marks.find(c) != std::string_view::npos; };
  return !name.empty() && std::all_of(name.begin(), name.end(), right);
}

bool is_query_name(const std::string& name) {
  const auto right = [](char c) { return is_visible(c) && std::string_view("&=#%").find(c) == std::string_view::npos; };
  return !name.empty() && std::all_of(name.begin(), name.end(), right);
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
