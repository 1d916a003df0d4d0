#include "compiler/model/address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace heddle::model {

namespace {
constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
}  // namespace

bool IpAddress::is_v4() const {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin());
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (is_v4()) {
    inet_ntop(AF_INET, bytes.data() + 12, buffer, sizeof buffer);
  } else {
    inet_ntop(AF_INET6, bytes.data(), buffer, sizeof buffer);
  }
  return buffer;
}

std::string AddressRange::text() const {
  if (bits == 128) return first.text();
  return first.text() + "/" + std::to_string(first.is_v4() && bits >= 96 ? bits - 96 : bits);
}

std::string SocketAddress::text() const {
  const std::string host = ip.is_v4() ? ip.text() : "[" + ip.text() + "]";
  return host + ":" + std::to_string(port);
}

bool parse_ip(const std::string& text, IpAddress& out) {
  IpAddress parsed;
  if (inet_pton(AF_INET, text.c_str(), parsed.bytes.data() + 12) == 1) {
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), parsed.bytes.begin());
  } else if (inet_pton(AF_INET6, text.c_str(), parsed.bytes.data()) != 1) {
    return false;
  }
  out = parsed;
  return true;
}

}  // namespace heddle::model
