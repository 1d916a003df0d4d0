#include "tests/differential/wire.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "tests/differential/vocabulary.h"

namespace heddle::differential {
namespace {

using Damage = void (*)(std::string&, Random&);

char upper(char byte) {
  return 'a' <= byte && byte <= 'z' ? static_cast<char>(byte - 0x20) : byte;
}

std::string random_case(std::string text, Random& random) {
  if (random.chance(50)) return text;
  for (char& byte : text) {
    if (random.chance(40)) byte = upper(byte);
  }
  return text;
}

/// The digits of escapes in either case: the same path.
std::string recased_escapes(std::string path, Random& random) {
  if (random.chance(50)) return path;
  for (std::size_t at = path.find('%'); at != std::string::npos; at = path.find('%', at + 1)) {
    for (std::size_t digit = at + 1; digit < std::min(at + 3, path.size()); ++digit) {
      const bool letter =
          ('a' <= path[digit] && path[digit] <= 'f') || ('A' <= path[digit] && path[digit] <= 'F');
      if (letter && random.chance(50)) path[digit] = static_cast<char>(path[digit] ^ 0x20);
    }
  }
  return path;
}

/// Another spelling of the path, which some services read as the same, and others refuse.
std::string respelt(const Draft& draft, Random& random) {
  std::string path = draft.path;
  const bool strict = draft.paths.mode == model::PathMode::strict;
  if (!path.starts_with('/') || random.chance(strict ? 95 : 40)) return path;
  if (!draft.paths.keep.empty()) {
    static const std::vector<std::string> kept = {"/k;v=1", "/a%2fb", "/..%2F", "/a%5cb", "/.;x", "/a\\b", "/;", "/a%2F..", "/a;/", "/\\.."};
    return path + random.pick(kept);
  }
  for (std::size_t more = random.between(1, 3); more > 0; --more) {
    static const std::vector<std::string> texts = {"/", "/.", "/x/..", "/x//..", "/./.", "//x/../", "/%2e", "/y/%2E%2e", "%2F", "%5C.", "/..", "%2fz/.."};
    std::vector<std::size_t> slashes;
    for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) slashes.push_back(at);
    const bool between = !slashes.empty() && random.chance(70);
    path.insert(between ? random.pick(slashes) : path.size(), random.pick(texts));
  }
  if (random.chance(40)) {
    const std::size_t at = random.below(path.size());
    const bool letter = (path[at] >= 'a' && path[at] <= 'z') && (at < 2 || (path[at - 1] != '%' && path[at - 2] != '%'));
    std::array<char, 8> escape{};
    std::snprintf(escape.data(), escape.size(), "%%%02x", static_cast<unsigned>(path[at]));
    if (letter) path.replace(at, 1, escape.data());
  }
  return path;
}

std::string blanks(Random& random) {
  static const std::vector<std::string> choices = {" ", " ", " ", "", "\t", "   ", " \t "};
  return random.pick(choices);
}

std::string line(const std::string& name, const std::string& value, Random& random) {
  return random_case(name, random) + ":" + blanks(random) + value +
         (random.chance(10) ? blanks(random) : "") + "\r\n";
}

std::string host_value(const std::string& name, Random& random) {
  std::string host = random_case(name, random);
  if (random.chance(20)) host += ":" + std::to_string(random.between(1, 65535));
  return host;
}

std::string extra_lines(Random& random) {
  static const std::vector<std::string> lines = {"User-Agent: curl/8",       "Accept-Encoding: gzip, br",
                                                 "Cookie: a=b; c=d",         "x-other: 1\r\nx-other: 2",
                                                 "Connection: keep-alive",   "Connection: close, x-unknown",
                                                 "Content-Length: 5",        "Transfer-Encoding: chunked",
                                                 "Content-Type: text/plain", "x-long: "};
  std::string text;
  for (std::size_t count = random.chance(60) ? 0 : random.between(1, 3); count > 0; --count) {
    const std::string& chosen = random.pick(lines);
    text += chosen + (chosen.starts_with("x-long") ? std::string(random.between(1, 2000), 'y') : "") + "\r\n";
  }
  return text;
}

/// An empty value may as well have no `=`.
std::string pair(const std::string& name, const std::string& value, Random& random) {
  return value.empty() && random.chance(50) ? name : name + "=" + value;
}

std::string query(const Draft& draft, Random& random) {
  static const std::vector<std::string> others = {"", "a=1", "a=/b//c", "x=%20&y=%C3", ";\\?", "[0]={}", "=", "&", "qab=1&pag"};
  std::string text;
  const auto add = [&](const std::string& piece) { text += (text.empty() ? "?" : "&") + piece; };
  if (random.chance(15)) add(random.chance(5) ? "%2F" : random.pick(others));
  for (const auto& [name, value] : draft.queries) add(pair(name, recased_escapes(value, random), random));
  if (draft.repeated && draft.repeated->attribute == model::Attribute::query)
    add(pair(draft.repeated->name, draft.repeated->value, random));
  if (random.chance(10)) add(random.pick(others));
  return text;
}

/// One line or several, in any of the ways in which cookies are written.
std::string cookie_lines(const Draft& draft, Random& random) {
  std::vector<std::string> pieces;
  for (const auto& [name, value] : draft.cookies) {
    std::string piece = pair(name, value, random);
    const std::size_t equals = piece.find('=');
    if (equals != std::string::npos && random.chance(10)) piece.insert(equals + random.below(2), blanks(random));
    pieces.push_back(piece);
  }
  if (draft.repeated && draft.repeated->attribute == model::Attribute::cookie)
    pieces.push_back(pair(draft.repeated->name, draft.repeated->value, random));
  static const std::vector<std::string> others = {"", "x=1", "=", "sidx=1", "sessio", "x y=1", "x=\"a", "%"};
  if (random.chance(20)) pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(random.below(pieces.size() + 1)), random.pick(others));
  std::string text;
  std::string value;
  for (const std::string& piece : pieces) {
    value += (value.empty() ? "" : random.chance(80) ? "; " : ";" + blanks(random)) + piece;
    if (random.chance(80)) continue;
    text += line("Cookie", value, random);
    value.clear();
  }
  return value.empty() ? text : text + line("cookie", value, random);
}

void insert(std::string& head, std::size_t at, const std::string& text) {
  head.insert(std::min(at, head.size()), text);
}

/// Behind the request line.
void add_line(std::string& head, const std::string& text) {
  const std::size_t end = head.find("\r\n");
  if (end != std::string::npos) insert(head, end + 2, text + "\r\n");
}

std::size_t target_begin(const std::string& head) {
  const std::size_t space = head.find(' ');
  return space == std::string::npos ? 0 : space + 1;
}

void in_target(std::string& head, Random& random) {
  static const std::vector<std::string> texts = {
      "//", "/../", "/./", "/..", "%2F",  "%2f", "%5c", "%00",  "%41", "%7E",  "%",   "%1",   "%zz", "\\",
      ";",  "#x",   "/.",  "%2e", "\x80", "\t",  " ",   "\x7f", "%C3", "/...", "\"<", "%3B/", "/.?",
      "//x;/..", "//x%00/../", "/./x\\/..", "//#/.."};
  const std::size_t begin = target_begin(head);
  const std::size_t end = head.find(' ', begin);
  const std::size_t at = end == std::string::npos ? begin : random.between(begin, end);
  insert(head, at, random.pick(texts));
}

void in_lines(std::string& head, Random& random) {
  static const std::vector<std::string> lines = {"Host: other",
                                                 "host : a",
                                                 " folded",
                                                 "\tfolded",
                                                 "no-colon",
                                                 ": empty",
                                                 "x y: 1",
                                                 "x:\x01",
                                                 "bare: a\nb: c",
                                                 "cr: a\rb",
                                                 "Content-Length: 1\r\nContent-Length: 1",
                                                 "Content-Length: 1\r\nTransfer-Encoding: chunked",
                                                 "Transfer-Encoding: gzip",
                                                 "Content-Length: +1",
                                                 "Content-Length: 1, 1",
                                                 "x: \xff\x80",
                                                 "Connection: host",
                                                 "Connection: content-length",
                                                 "x\x80: 1",
                                                 "x: \x7f"};
  add_line(head, random.pick(lines));
}

void repeat_header(std::string& head, Random& random) {
  if (random.chance(60)) return add_line(head, random.pick(header_names) + ": " + random.pick(header_values));
  add_line(head, "cookie: " + random.pick(cookie_names) + "=" + random.pick(cookie_values));
}

void name_in_connection(std::string& head, Random& random) {
  add_line(head, "Connection: close ," + random_case(random.chance(20) ? "cookie" : random.pick(header_names), random));
}

void flip_byte(std::string& head, Random& random) {
  head[random.below(head.size())] = static_cast<char>(random.below(256));
}

void drop_byte(std::string& head, Random& random) {
  head.erase(random.below(head.size()), 1);
}

void add_byte(std::string& head, Random& random) {
  insert(head, random.below(head.size()), std::string(1, static_cast<char>(random.below(256))));
}

void absolute_form(std::string& head, Random& random) {
  static const std::vector<std::string> prefixes = {"http://other.example",
                                                    "HTTP://shop.example",
                                                    "http://u@a",
                                                    "http://a.",
                                                    "https://a",
                                                    "http://[::1]:80",
                                                    "http://",
                                                    "*"};
  insert(head, target_begin(head), random.pick(prefixes));
}

void first_line(std::string& head, Random& random) {
  static const std::vector<std::string> starts = {"CONNECT a:1 HTTP/1.1\r\n",
                                                  "OPTIONS * HTTP/1.1\r\n",
                                                  "get / HTTP/1.1\r\n",
                                                  "GET / HTTP/1.2\r\n",
                                                  "GET /\r\n",
                                                  "GET  / HTTP/1.1\r\n",
                                                  "\r\n",
                                                  "GET / HTTP/1.1\n",
                                                  "GET / HTTP/2.0\r\n"};
  const std::size_t end = head.find('\n');
  head = random.pick(starts) + (end == std::string::npos ? "" : head.substr(end + 1));
}

/// Around the limits of 16 KiB and 64 KiB.
void oversize(std::string& head, Random& random) {
  if (random.chance(50)) {
    const std::size_t begin = target_begin(head);
    const std::size_t length = head.find(' ', begin) - begin;
    if (length < 16384) insert(head, begin + length, std::string(16384 - length + random.below(3) - 1, 'z'));
    return;
  }
  if (head.size() < 65000)
    add_line(head, "x: " + std::string(65536 - head.size() - 5 + random.below(3) - 1, 'z'));
}

}  // namespace

std::string wire_text(const Draft& draft, Random& random) {
  const bool old = !draft.host || random.chance(4);
  const std::string host = host_value(draft.host.value_or(""), random);
  const std::string origin = draft.host && random.chance(3) ? (random.chance(50) ? "http://" : "HTTP://") + host : "";
  std::string text = draft.method + " " + origin + recased_escapes(respelt(draft, random), random) + query(draft, random) +
                     (old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  const bool host_first = random.chance(70);
  const std::string host_line = !draft.host || (old && random.chance(30)) ? "" : line("host", host, random);
  if (host_first) text += host_line;
  text += extra_lines(random);
  for (const auto& [name, value] : draft.headers) text += line(name, value, random);
  text += cookie_lines(draft, random);
  if (draft.repeated && draft.repeated->attribute == model::Attribute::header)
    for (std::size_t times = random.chance(95) ? 1 : random.between(15, 18); times > 0; --times)
      text += line(draft.repeated->name, draft.repeated->value, random);
  if (draft.repeated && draft.repeated->attribute == model::Attribute::host)
    text += line("Host", draft.repeated->value, random);
  if (!host_first) text += host_line;
  return text + "\r\n";
}

std::string damage(std::string head, Random& random) {
  static const std::vector<Damage> kinds = {in_target,     in_target,     in_lines,           in_lines,
                                            repeat_header, repeat_header, name_in_connection, flip_byte,
                                            drop_byte,     add_byte,      absolute_form,      first_line};
  if (random.chance(3)) {
    oversize(head, random);
  } else {
    random.pick(kinds)(head, random);
  }
  return head;
}

}  // namespace heddle::differential
