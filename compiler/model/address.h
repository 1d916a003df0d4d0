#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace heddle::model {

/// An IP address in its IPv6 form; IPv4 is held v4-mapped (::ffff:a.b.c.d), so that one comparison fits both.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] bool is_v4() const;
  /// `10.0.0.1` or `fd00::1`, the form of RFC 5952.
  [[nodiscard]] std::string text() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

/// All addresses whose first `bits` bits (of 128) are those of `first`.
struct AddressRange {
  IpAddress first;
  std::uint8_t bits = 128;

  /// `10.0.0.0/8`, or a single address.
  [[nodiscard]] std::string text() const;
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;  // host byte order

  /// `10.0.0.1:80` or `[fd00::1]:80`.
  [[nodiscard]] std::string text() const;

  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

/// The bytes of an IPv4 or IPv6 literal without port or brackets; false if it is neither.
bool parse_ip(const std::string& text, IpAddress& out);

}  // namespace heddle::model
