#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/handler/http/chunked.h"
#include "runtime/handler/http/request.h"

namespace heddle::http {

/// Follows a body through the bytes of a connection, whatever its framing.
class Body {
 public:
  struct Taken {
    std::size_t consumed = 0;  // bytes of the message
    std::size_t produced = 0;  // bytes to pass on: they lie at the front
    bool malformed = false;
  };

  /// `strip`: only the content of chunks is passed on (to a client that does not know them).
  void start(Framing framing, std::uint64_t length, bool strip = false);

  /// Takes what belongs to the body from the front of `bytes`.
  [[nodiscard]] Taken take(std::span<char> bytes);

  /// The body has ended.
  [[nodiscard]] bool done() const;
  /// Bytes that are still to come, where that is known beforehand.
  [[nodiscard]] std::uint64_t left() const { return left_; }
  [[nodiscard]] bool ends_at_close() const { return framing_ == Framing::until_close; }

 private:
  Framing framing_ = Framing::none;
  bool strip_ = false;
  std::uint64_t left_ = 0;
  ChunkedReader chunks_;
};

}  // namespace heddle::http
