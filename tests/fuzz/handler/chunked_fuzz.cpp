// Any bytes as a chunked body: the pieces it comes in change nothing, and its content re-framed is the same
// content.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "runtime/handler/http/chunked.h"
#include "tests/fuzz/harness.h"

namespace {

using heddle::http::ChunkedReader;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  std::string passed;
  std::size_t consumed = 0;
  bool done = false;
  bool malformed = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read(const std::string& bytes, std::size_t piece, bool strip) {
  ChunkedReader reader;
  Outcome outcome;
  for (std::size_t at = 0; at < bytes.size() && !reader.done() && !reader.malformed(); at += piece) {
    std::string part = bytes.substr(at, piece);
    const ChunkedReader::Taken taken = reader.take(part, strip);
    require(taken.produced <= taken.consumed && taken.consumed <= part.size());
    outcome.passed.append(part, 0, taken.produced);
    outcome.consumed += taken.consumed;
  }
  outcome.done = reader.done();
  outcome.malformed = reader.malformed();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = data[0] % 32U + 1;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read(bytes, bytes.size(), false);
  require(read(bytes, piece, false) == whole);
  const Outcome content = read(bytes, bytes.size(), true);
  require(read(bytes, piece, true) == content);
  require(content.consumed == whole.consumed && content.done == whole.done &&
          content.malformed == whole.malformed);
  if (!whole.done) return 0;
  require(whole.passed == bytes.substr(0, whole.consumed));
  require(read(whole.passed, whole.passed.size(), false) == whole);
  return 0;
}

std::vector<std::string> heddle::fuzz::seeds() {
  return {"05\r\nhello\r\n0\r\n\r\n", "1a;b=c\r\n0123456789\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\nY: z\r\n\r\nGET /",
          "20\r\nContent-Length: 5\r\n\r\n", "3fffffffffffffff\r\nabc", "4000\r\nX:\r\n\r\n"};
}

std::vector<std::string> heddle::fuzz::words() {
  return {"\r\n",     "\n",          "\r", "0\r\n\r\n", "5\r\nhello\r\n", ";", "a=b",
          "X: y\r\n", "Host: a\r\n", " ",  "ffff",      "\r\n\r\n",       "0"};
}
