#include "runtime/agent/addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>

namespace heddle::agent {

loader::Addresses own_addresses() {
  loader::Addresses own;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return own;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(first, ::freeifaddrs);
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    std::array<std::uint8_t, 16> address{};
    if (each->ifa_addr->sa_family == AF_INET) {
      address[10] = address[11] = 0xff;
      std::memcpy(address.data() + 12, &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr, 4);
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      std::memcpy(address.data(), &reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr, 16);
    } else {
      continue;
    }
    own.insert(address);
  }
  return own;
}

}  // namespace heddle::agent
