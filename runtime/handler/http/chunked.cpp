#include "runtime/handler/http/chunked.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "runtime/handler/http/characters.h"

namespace heddle::http {

namespace {

constexpr std::uint8_t digits_max = 15;
constexpr std::uint16_t extension_max = 256;
constexpr std::uint32_t trailer_max = 16 * 1024;

// RFC 9110 section 6.5.1: framing, routing, modifiers, authentication, and what says how to read the content.
constexpr std::string_view forbidden_trailers[] = {"transfer-encoding",
                                                   "content-length",
                                                   "host",
                                                   "connection",
                                                   "te",
                                                   "trailer",
                                                   "upgrade",
                                                   "expect",
                                                   "authorization",
                                                   "proxy-authorization",
                                                   "cookie",
                                                   "content-type",
                                                   "range",
                                                   "content-encoding",
                                                   "content-range",
                                                   "cache-control",
                                                   "max-forwards",
                                                   "keep-alive",
                                                   "proxy-connection",
                                                   "set-cookie",
                                                   "x-heddle-rule",
                                                   "if-match",
                                                   "if-none-match"};

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  return lower(c) - 'a' + 10;
}

}  // namespace

// In the order of State; content is not stepped through.
const std::array<ChunkedReader::Step, ChunkedReader::states> ChunkedReader::steps = {
    &ChunkedReader::on_size_first,   &ChunkedReader::on_size,
    &ChunkedReader::on_extension,    &ChunkedReader::on_size_feed,
    &ChunkedReader::on_end,          &ChunkedReader::on_data_return,
    &ChunkedReader::on_data_feed,    &ChunkedReader::on_trailer_first,
    &ChunkedReader::on_trailer_name, &ChunkedReader::on_trailer_value,
    &ChunkedReader::on_trailer_feed, &ChunkedReader::on_last_feed,
    &ChunkedReader::on_end,          &ChunkedReader::on_end};

ChunkedReader::Taken ChunkedReader::take(std::span<char> bytes, bool strip) {
  Taken taken;
  while (taken.consumed < bytes.size() && !done() && !malformed()) {
    if (state_ != State::data) {
      state_ = (this->*steps[static_cast<std::size_t>(state_)])(bytes[taken.consumed]);
      ++taken.consumed;
      continue;
    }
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - taken.consumed));
    if (strip) std::memmove(bytes.data() + taken.produced, bytes.data() + taken.consumed, count);
    taken.produced += count;
    taken.consumed += count;
    left_ -= count;
    if (left_ == 0) state_ = State::data_return;
  }
  if (!strip) taken.produced = taken.consumed;
  return taken;
}

ChunkedReader::State ChunkedReader::on_size_first(char c) {
  if (!is(c, hex_character)) return State::malformed;
  left_ = static_cast<std::uint64_t>(hex_value(c));
  digits_ = 1;
  extension_bytes_ = 0;
  return State::size;
}

ChunkedReader::State ChunkedReader::on_size(char c) {
  if (c == '\r') return State::size_feed;
  if (c == ';') return State::extension;
  if (!is(c, hex_character) || digits_ == digits_max) return State::malformed;
  left_ = left_ * 16 + static_cast<std::uint64_t>(hex_value(c));
  ++digits_;
  return State::size;
}

ChunkedReader::State ChunkedReader::on_extension(char c) {
  if (c == '\r') return State::size_feed;
  if (!is(c, value_character) || ++extension_bytes_ > extension_max) return State::malformed;
  return State::extension;
}

ChunkedReader::State ChunkedReader::on_size_feed(char c) {
  if (c != '\n') return State::malformed;
  return left_ == 0 ? State::trailer_first : State::data;
}

ChunkedReader::State ChunkedReader::on_data_return(char c) {
  return c == '\r' ? State::data_feed : State::malformed;
}

ChunkedReader::State ChunkedReader::on_data_feed(char c) {
  return c == '\n' ? State::size_first : State::malformed;
}

ChunkedReader::State ChunkedReader::on_trailer_first(char c) {
  if (c == '\r') return State::last_feed;
  name_length_ = 0;
  return add_name(c);
}

ChunkedReader::State ChunkedReader::on_trailer_name(char c) {
  return c == ':' ? end_name() : add_name(c);
}

ChunkedReader::State ChunkedReader::add_name(char c) {
  if (!is(c, token_character) || ++trailer_bytes_ > trailer_max) return State::malformed;
  if (name_length_ < name_kept) name_[name_length_] = lower(c);
  ++name_length_;
  return State::trailer_name;
}

ChunkedReader::State ChunkedReader::end_name() {
  if (name_length_ > name_kept) return State::trailer_value;
  const std::string_view name(name_.data(), name_length_);
  for (const std::string_view forbidden : forbidden_trailers) {
    if (name == forbidden) return State::malformed;
  }
  return State::trailer_value;
}

ChunkedReader::State ChunkedReader::on_trailer_value(char c) {
  if (c == '\r') return State::trailer_feed;
  if (!is(c, value_character) || ++trailer_bytes_ > trailer_max) return State::malformed;
  return State::trailer_value;
}

ChunkedReader::State ChunkedReader::on_trailer_feed(char c) {
  return c == '\n' ? State::trailer_first : State::malformed;
}

ChunkedReader::State ChunkedReader::on_last_feed(char c) {
  return c == '\n' ? State::done : State::malformed;
}

ChunkedReader::State ChunkedReader::on_end(char) {
  return State::malformed;
}

}  // namespace heddle::http
