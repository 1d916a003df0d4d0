// Any bytes as a request: what is passed on is read the same way a second time, whatever pieces it came in.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "runtime/handler/http/field.h"
#include "runtime/handler/http/normalise.h"
#include "runtime/handler/http/request.h"
#include "runtime/handler/http/rewrite.h"
#include "tests/fuzz/harness.h"

namespace {

using namespace heddle::http;

void require(bool holds) {
  if (!holds) std::abort();
}

/// The end of a head does not depend on where the bytes were cut.
std::optional<std::size_t> find_end(std::string_view bytes, std::size_t piece) {
  HeadEnd end;
  for (std::size_t length = 0; length < bytes.size(); length += piece) {
    if (const auto found = end.find(bytes.substr(0, length))) return found;
  }
  return end.find(bytes);
}

bool same_meaning(const Request& a, const Request& b) {
  return a.form == b.form && a.framing == b.framing && a.content_length == b.content_length &&
         a.http10 == b.http10 && a.head_method == b.head_method;
}

/// The head with its path in the normal form of a mode: still the same request, and in that form already.
void normalise(std::string head, PathMode mode) {
  const Request before = parse_request(head);
  const std::uint32_t cut = normalise_target(head.data(), static_cast<std::uint32_t>(head.size()), mode);
  require(cut < head.size());
  head.erase(0, cut);
  const Request after = parse_request(head);
  require(before.form != HD_FORM_OK || same_meaning(before, after));
  const std::string once = head;
  require(normalise_target(head.data(), static_cast<std::uint32_t>(head.size()), mode) == 0 || before.form != HD_FORM_OK);
  require(head == once || before.form != HD_FORM_OK);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = data[0] % 16U + 1;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::optional<std::size_t> end = find_end(bytes, bytes.size());
  require(find_end(bytes, piece) == end);
  if (!end || *end > HD_HEAD_MAX) return 0;
  std::vector<char> head(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*end));
  const Request request = parse_request({head.data(), head.size()});
  require(request.length == head.size());
  const std::uint32_t cut = make_origin_form(head.data(), request);
  for (const PathMode mode : {PathMode::strict, PathMode::merge, PathMode::decode})
    normalise({head.data() + cut, head.size() - cut}, mode);
  if (request.form != HD_FORM_OK) return 0;
  const Request origin = parse_request({head.data() + cut, head.size() - cut});
  require(same_meaning(request, origin) && origin.prefix_end == 0);
  char* const begin = rewrite_head(head.data() + cut, origin.length, hop_by_hop_fields, {});
  require(begin >= head.data() + cut);
  const std::string_view passed(begin, static_cast<std::size_t>(head.data() + head.size() - begin));
  const Request again = parse_request(passed);
  // Connection does not name what frames the message, so nothing of that went.
  require(same_meaning(request, again) && !again.hop_by_hop);
  require(find_end(passed, passed.size()) == passed.size());
  return 0;
}

std::vector<std::string> heddle::fuzz::seeds() {
  return {"0GET /a/b?c=d HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
          "1POST http://a:80/x HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nConnection: close, "
          "X-Hop\r\nX-Hop: 1\r\n\r\nhello",
          "2HEAD http://a?x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTE: trailers\r\n\r\n",
          "3PUT / HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nUpgrade: "
          "h2c\r\nHTTP2-Settings: AA\r\n\r\n0\r\n\r\n",
          "4GET / HTTP/1.0\r\n\r\n",
          "5GET //a/./%2e%2e/b%2Fc/..?%41%2F HTTP/1.1\r\nHost: a\r\n\r\n",
          "5CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"};
}

std::vector<std::string> heddle::fuzz::words() {
  return {"\r\n",
          "\r\n\r\n",
          "\n",
          "\r",
          "\n\n",
          " ",
          "\t",
          ":",
          ",",
          "/",
          "http://",
          "//",
          "/../",
          "/./",
          "%2e",
          "%2F",
          "%5C",
          "%",
          "Host: a\r\n",
          "Connection: ",
          "close",
          "keep-alive",
          "Content-Length: 5\r\n",
          "Content-Length",
          "Transfer-Encoding: chunked\r\n",
          "X-Hop",
          "TE: x\r\n",
          "HTTP/1.1",
          "HTTP/1.0",
          "[::1]",
          "a.b-c",
          ":80",
          std::string(1, '\0'),
          "\x80",
          "Keep-Alive: 5\r\n"};
}
