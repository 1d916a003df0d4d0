#pragma once

#include <cstdint>
#include <span>

#include "runtime/base/result.h"
#include "runtime/handler/io/mapping.h"

namespace heddle::io {

/// The reader's end of a BPF ring buffer. One reader at a time.
class RingBuffer {
 public:
  RingBuffer() = default;
  static Result<RingBuffer> make(int map);

  /// Calls `take` with every record that has been written.
  template <typename Take>
  void drain(Take take) {
    std::span<const std::byte> record;
    while (next(record)) {
      take(record);
      advance();
    }
  }

 private:
  /// False: there is none. A record that is being written ends the walk: another event will come for it.
  [[nodiscard]] bool next(std::span<const std::byte>& record);
  void advance();

  Mapping consumer_;  // its position: ours
  Mapping producer_;  // the position of the programs, and the records, twice in a row
  std::uint64_t mask_ = 0;
  std::uint64_t length_ = 0;  // of the record in hand, header included
};

}  // namespace heddle::io
