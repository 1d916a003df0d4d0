#include "compiler/eval/framing.h"

#include <algorithm>
#include <array>

#include "compiler/eval/bytes.h"
#include "compiler/eval/host.h"
#include "compiler/eval/parts.h"

namespace heddle::eval {
namespace {

constexpr std::size_t max_length_digits = 18;
constexpr std::size_t max_list_lines = 16;  // beyond the first of each header whose elements are tested
constexpr std::size_t max_connection_elements = 64;  // over all lines: what they name has to be remembered

// Headers that a hop may never be told to drop: without them the next reader sees another request.
constexpr std::array<std::string_view, 3> never_hop_by_hop = {"host", "content-length", "transfer-encoding"};

Refusal refuse(std::string why) {
  return malformed(0, std::move(why));
}

std::optional<std::string> read_host(std::string_view value) {
  Cursor cursor(value);
  auto host = take_host(cursor);
  return cursor.at_end() ? host : std::nullopt;
}

std::optional<Refusal> check_host(Head& head) {
  const auto hosts = values_of(head, "host");
  if (hosts.size() > 1) return refuse("there are two `Host` lines");
  if (hosts.empty()) {
    if (head.authority || !head.http_1_0) return refuse("there is no `Host` line");
    return std::nullopt;
  }
  head.host = read_host(hosts.front());
  if (!head.host) return refuse("`Host` is no `host` or `host:port`");
  if (head.authority && !equal_ignoring_case(*head.authority, hosts.front())) {
    return refuse("`Host` differs from the authority of the target");
  }
  return std::nullopt;
}

bool is_length(std::string_view value) {
  return !value.empty() && value.size() <= max_length_digits && std::ranges::all_of(value, is_digit);
}

std::optional<Refusal> check_lengths(const Head& head) {
  const auto lengths = values_of(head, "content-length");
  const auto codings = values_of(head, "transfer-encoding");
  if (lengths.size() > 1 || codings.size() > 1 || (!lengths.empty() && !codings.empty())) {
    return refuse("the length of the body is given twice");
  }
  if (!lengths.empty() && !is_length(lengths.front())) return refuse("`Content-Length` is no number");
  if (codings.empty()) return std::nullopt;
  if (head.http_1_0) return refuse("HTTP/1.0 has no `Transfer-Encoding`");
  if (!equal_ignoring_case(codings.front(), "chunked")) return refuse("`Transfer-Encoding` is not `chunked`");
  return std::nullopt;
}

std::optional<Refusal> check_repeated(const Head& head, const TestedNames& tested) {
  const auto twice = [](const char* what, const std::string& name) {
    return refuse(std::string(what) + " `" + name + "` occurs twice, and the policy tests it");
  };
  for (const std::string& name : tested.singular_headers) {
    if (values_of(head, name).size() > 1) return twice("header", name);
  }
  std::size_t further = 0;
  for (const std::string& name : tested.lists) further += std::max<std::size_t>(values_of(head, name).size(), 1) - 1;
  if (further > max_list_lines) return refuse("lists of headers go on over more than 16 lines");
  for (const std::string& name : tested.singular_queries) {
    if (query_values(head, name).size() > 1) return twice("query parameter", name);
  }
  for (const std::string& name : tested.singular_cookies) {
    if (cookie_values(head, name).size() > 1) return twice("cookie", name);
  }
  return std::nullopt;
}

/// What the `Connection` lines name, in lower case.
std::vector<std::string> connection_names(const Head& head) {
  std::vector<std::string> names;
  for (const std::string_view line : values_of(head, "connection")) {
    for (const std::string_view element : list_elements(line)) names.push_back(lower(element));
  }
  return names;
}

std::optional<Refusal> check_connection(const Head& head, const TestedNames& tested) {
  const auto names = connection_names(head);
  if (names.size() > max_connection_elements) return refuse("`Connection` names more than 64 headers");
  for (const std::string& name : names) {
    if (tested.headers.contains(name) || std::ranges::find(never_hop_by_hop, name) != never_hop_by_hop.end()) {
      return refuse("`Connection` names `" + name + "`");
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> check_framing(Head& head, const TestedNames& tested) {
  if (auto refusal = check_host(head)) return refusal;
  if (auto refusal = check_lengths(head)) return refusal;
  if (auto refusal = check_repeated(head, tested)) return refusal;
  return check_connection(head, tested);
}

std::optional<Refusal> check_http_2(const Head& head) {
  for (const char* name : {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    if (!values_of(head, name).empty()) return refuse(std::string("HTTP/2 has no `") + name + "`");
  }
  for (const std::string_view te : values_of(head, "te")) {
    if (!equal_ignoring_case(te, "trailers")) return refuse("`te` is not `trailers`");
  }
  return std::nullopt;
}

}  // namespace heddle::eval
