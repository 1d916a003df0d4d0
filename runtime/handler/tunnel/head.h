#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// CONNECT as both ends of a tunnel write it: `:authority` is the endpoint's address, the rest says where a stream comes from.
namespace heddle::tunnel {

struct Head {
  std::string method;  // as it came; ours is CONNECT
  std::string authority;
  std::string forwarded;  // RFC 7239; empty: it was not sent, as with the two below
  std::string baggage;
  std::string traceparent;
};

struct Target {
  std::array<std::uint8_t, 16> address{};  // IPv4 in its v4-mapped form
  std::uint16_t port = 0;

  friend bool operator==(const Target&, const Target&) = default;
};

/// `10.0.0.1:80`, `[fd00::1]:80`.
std::string authority_text(const Target& target);

/// The address that a text of that form says; none if it says none, a name for example.
std::optional<Target> parse_authority(std::string_view authority);

/// `for=10.0.0.1`, `for="[fd00::1]:4711"`: whoever the stream is for. Port 0: none is said.
std::string forwarded_text(const Target& client);
std::optional<Target> parse_forwarded(std::string_view forwarded);

}  // namespace heddle::tunnel
