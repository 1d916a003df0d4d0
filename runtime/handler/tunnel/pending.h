#pragma once

#include <cstdint>
#include <vector>

namespace heddle::tunnel {

class Stream;

/// Streams whose users are to be told something. Nobody is called back in the middle of reading a tunnel's bytes: that is noted
/// here, and told when the bytes are read. It outlives streams and sessions.
class Pending {
 public:
  void add(Stream& stream, std::uint32_t events);
  void remove(Stream& stream);
  /// Tells all that are there now; what happens because of that is for the next time.
  void tell();
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  std::vector<Stream*> streams_;  // null: not any more
  std::size_t count_ = 0;
};

}  // namespace heddle::tunnel
