// Any bytes as a ClientHello: what is found does not depend on the pieces they came in, and is what a reader of our own, which
// knows no TLS but this message, finds.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/handler/tls/client_hello.h"
#include "tests/fuzz/harness.h"
#include "tests/unit/hellos.h"

namespace {

using heddle::tls::ClientHello;
using heddle::tls::hello_max;
using heddle::tls::HelloReader;
using State = ClientHello::State;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Read {
  State state = State::incomplete;
  std::string name;
};

Read read(std::string_view bytes, std::size_t piece) {
  static const heddle::Result<HelloReader> reader = HelloReader::make();
  ClientHello hello(reader.value());
  Read result;
  for (std::size_t at = 0; at < bytes.size() && result.state == State::incomplete; at += piece)
    result.state = hello.add(bytes.substr(at, piece));
  if (result.state == State::complete) result.name = hello.server_name();
  return result;
}

/// What lies in front, which is taken; nothing if there is less.
std::optional<std::string_view> take(std::string_view& bytes, std::size_t size) {
  if (bytes.size() < size) return std::nullopt;
  const std::string_view front = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return front;
}

std::optional<std::string_view> take_sized(std::string_view& bytes, std::size_t size_bytes) {
  const auto written = take(bytes, size_bytes);
  if (!written) return std::nullopt;
  std::size_t size = 0;
  for (const char byte : *written) size = size << 8 | static_cast<unsigned char>(byte);
  return take(bytes, size);
}

/// The content of the records in front that make up the first message; nothing if they do not.
std::optional<std::string> first_message(std::string_view bytes) {
  std::string content;
  while (content.size() < 4 || content.size() < 4 + (static_cast<std::size_t>(static_cast<unsigned char>(content[1])) << 16 |
                                                     static_cast<std::size_t>(static_cast<unsigned char>(content[2])) << 8 |
                                                     static_cast<unsigned char>(content[3]))) {
    const auto type = take(bytes, 1);
    if (!type || *type != "\x16" || !take(bytes, 2)) return std::nullopt;
    const auto record = take_sized(bytes, 2);
    if (!record || record->empty()) return std::nullopt;
    content += *record;
  }
  return content;
}

/// The name in it; empty: none. Nothing if it is no ClientHello.
std::optional<std::string> name_of(std::string_view content) {
  const auto type = take(content, 1);
  const auto message = take_sized(content, 3);
  if (!type || *type != "\1" || !message) return std::nullopt;
  std::string_view rest = *message;
  if (!take(rest, 2 + 32) || !take_sized(rest, 1) || !take_sized(rest, 2) || !take_sized(rest, 1)) return std::nullopt;
  if (rest.empty()) return "";
  auto extensions = take_sized(rest, 2);
  if (!extensions || !rest.empty()) return std::nullopt;
  std::string name;
  while (!extensions->empty()) {
    const auto number = take(*extensions, 2);
    auto value = take_sized(*extensions, 2);
    if (!number || !value) return std::nullopt;
    if (*number != std::string_view("\0\0", 2)) continue;
    auto list = take_sized(*value, 2);
    if (!name.empty() || !list || !value->empty() || !take(*list, 1)) return std::nullopt;
    const auto one = take_sized(*list, 2);
    if (!one || one->empty() || !list->empty()) return std::nullopt;
    name = *one;
  }
  return name;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Read whole = read(bytes, bytes.size());
  const Read in_pieces = read(bytes, data[0] % 64U + 1);
  require(whole.state == in_pieces.state && whole.name == in_pieces.name);
  if (whole.state != State::complete) return 0;
  require(whole.name.empty() || heddle::tls::is_server_name(whole.name));
  const auto message = first_message(bytes);
  require(message.has_value() && message->size() <= hello_max);
  require(name_of(*message) == whole.name);
  return 0;
}

namespace heddle::fuzz {

std::vector<std::string> seeds() {
  using namespace hellos;
  const std::string named = message(server_names({"a.example"}));
  std::vector<std::string> all = {hello("a.example"), records(message("")), records(named, 7), records(named, 100) + "behind",
                                  hello(std::string(63, 'l') + ".example"), records(message(server_names({"a", "b"}))),
                                  records(message(extension(0, ""))), records(message(server_names({"a.example"}), 600))};
  for (std::string& seed : all) seed.insert(0, 1, '\5');
  return all;
}

std::vector<std::string> words() {
  using namespace hellos;
  return {std::string("\0\0", 2), std::string("\x16\3\1", 3), std::string("\x15\3\1\0\2\1\0", 7), server_names({"secret.example"}),
          std::string("\0\0\0\x0e\0\x0c\0\0\x09", 9), "a.example", ".", "\1", std::string(1, '\0'), "\x80\x2e\1", "\xff\xff"};
}

}  // namespace heddle::fuzz
