// Any bytes as a response: what the client gets is read the same way that we read it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "runtime/handler/http/field.h"
#include "runtime/handler/http/response.h"
#include "runtime/handler/http/rewrite.h"
#include "tests/fuzz/harness.h"

namespace {

using namespace heddle::http;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::string_view added = "connection: close\r\n";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool to_head = (data[0] & 1U) != 0;
  const bool closes = (data[0] & 2U) != 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::optional<std::size_t> end = HeadEnd().find(bytes);
  if (!end || *end > HD_HEAD_MAX) return 0;
  const std::optional<Response> response = parse_response(bytes.substr(0, *end), to_head);
  if (!response) return 0;
  std::vector<char> space(added.size() + *end);
  char* const head = space.data() + added.size();
  bytes.copy(head, *end);
  char* const begin = rewrite_head(head, static_cast<std::uint32_t>(*end), hop_by_hop_fields,
                                   closes ? added : std::string_view());
  const std::string_view passed(begin, static_cast<std::size_t>(space.data() + space.size() - begin));
  const std::optional<Response> again = parse_response(passed, to_head);
  require(again && again->status == response->status && again->framing == response->framing &&
          again->content_length == response->content_length);
  require(again->rewrite == closes || again->rewrite);
  require(!closes || !again->keep_alive);
  return 0;
}

std::vector<std::string> heddle::fuzz::seeds() {
  return {"0HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello",
          "1HTTP/1.1 204 No Content\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\n\r\n",
          "2HTTP/1.0 304 Not Modified\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\n\r\n",
          "3HTTP/1.1 404\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\n\r\n",
          "0HTTP/1.1 100 Continue\r\n\r\n",
          "2HTTP/1.1 200 \r\nx-heddle-rule: a\r\nUpgrade: h2c\r\n\r\n"};
}

std::vector<std::string> heddle::fuzz::words() {
  return {"\r\n",
          "\r\n\r\n",
          "\n",
          "\r",
          " ",
          "\t",
          ":",
          ",",
          "Connection: ",
          "close",
          "keep-alive",
          "Content-Length: 5\r\n",
          "Content-Length",
          "Transfer-Encoding: chunked\r\n",
          "X-Hop",
          "Upgrade: x\r\n",
          "HTTP/1.1",
          "HTTP/1.0",
          "200",
          "304",
          std::string(1, '\0'),
          "\x80"};
}
