#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/bundle/manifest.h"

namespace heddle::test {

/// A tcp service `echo` at 10.96.0.10:7000, [fd00::10]:7000 and 127.9.9.9:7000, and who may use it.
struct TinyPolicy {
  std::uint16_t endpoint4 = 0;  // port on 127.0.0.1
  std::uint16_t endpoint6 = 0;  // port on ::1; 0: none
  std::string allowed = "friend.slice/*.service";
  std::string denied = "foe.slice";
  /// Goes into the digest of the route: another policy with a counter of its own.
  unsigned char route_digest = 6;
};

bundle::Opened tiny_bundle(const TinyPolicy& policy);

/// The same as a file's bytes.
std::vector<std::byte> tiny_bundle_file(const TinyPolicy& policy);

/// Rules of the tiny policy.
enum TinyRule : std::uint32_t {
  tiny_unhealthy = 3,
  tiny_allow = 4,
  tiny_deny = 5,
  tiny_route = 6,
  tiny_rules = 7
};

}  // namespace heddle::test
