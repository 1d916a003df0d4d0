#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace heddle::http {

/// Reads the chunked transfer coding (RFC 9112 section 7.1) from bytes that come in any pieces, strictly:
/// sizes of at most 15 digits, CR LF and nothing like it as line ends, extensions and trailers bounded, and
/// no trailer field that means something in a head: what was not decided on must not reach the server under
/// another name.
class ChunkedReader {
 public:
  struct Taken {
    std::size_t consumed = 0;
    std::size_t produced = 0;
  };

  /// Takes bytes up to the end of the body. With `strip`, the content alone is moved to the front.
  Taken take(std::span<char> bytes, bool strip);

  [[nodiscard]] bool done() const { return state_ == State::done; }
  [[nodiscard]] bool malformed() const { return state_ == State::malformed; }

 private:
  enum class State : std::uint8_t {
    size_first,
    size,
    extension,
    size_feed,
    data,
    data_return,
    data_feed,
    trailer_first,
    trailer_name,
    trailer_value,
    trailer_feed,
    last_feed,
    done,
    malformed,
  };
  static constexpr std::size_t states = 14;
  using Step = State (ChunkedReader::*)(char);
  static const std::array<Step, states> steps;

  State on_size_first(char c);
  State on_size(char c);
  State on_extension(char c);
  State on_size_feed(char c);
  State on_data_return(char c);
  State on_data_feed(char c);
  State on_trailer_first(char c);
  State on_trailer_name(char c);
  State on_trailer_value(char c);
  State on_trailer_feed(char c);
  State on_last_feed(char c);
  State on_end(char c);

  State add_name(char c);
  State end_name();

  static constexpr std::uint32_t name_kept = 24;

  State state_ = State::size_first;
  std::uint8_t digits_ = 0;
  std::uint16_t extension_bytes_ = 0;
  std::uint32_t trailer_bytes_ = 0;
  std::uint32_t name_length_ = 0;
  std::uint64_t left_ = 0;
  std::array<char, name_kept> name_{};  // of the trailer field, in lower case, as far as it matters
};

}  // namespace heddle::http
