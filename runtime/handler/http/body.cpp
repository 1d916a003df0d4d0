#include "runtime/handler/http/body.h"

#include <algorithm>

namespace heddle::http {

void Body::start(Framing framing, std::uint64_t length, bool strip) {
  framing_ = framing;
  strip_ = strip;
  left_ = framing == Framing::length ? length : 0;
  chunks_ = ChunkedReader();
}

Body::Taken Body::take(std::span<char> bytes) {
  switch (framing_) {
    case Framing::none:
      return {};
    case Framing::length: {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      left_ -= count;
      return {count, count, false};
    }
    case Framing::chunked: {
      const ChunkedReader::Taken taken = chunks_.take(bytes, strip_);
      return {taken.consumed, taken.produced, chunks_.malformed()};
    }
    case Framing::until_close:
      return {bytes.size(), bytes.size(), false};
  }
  return {};
}

bool Body::done() const {
  switch (framing_) {
    case Framing::none:
      return true;
    case Framing::length:
      return left_ == 0;
    case Framing::chunked:
      return chunks_.done();
    case Framing::until_close:
      return false;
  }
  return true;
}

}  // namespace heddle::http
