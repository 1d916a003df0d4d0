#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace heddle::http {

/// What a redirect says of the location; what is empty or 0 is not said.
struct Relocation {
  bool https = false;
  std::string_view host = {};
  std::uint16_t port = 0;
  std::string_view path = {};    // the whole path, or what stands for the prefix
  std::string_view prefix = {};  // whole segments
};

/// What a client connected to: 16 bytes, IPv4 in its v4-mapped form.
struct Dialled {
  std::span<const std::uint8_t, 16> address;
  std::uint16_t port = 0;
};

/// The value of `location` for a request, of which the head is well-formed and its target in origin-form: scheme, host and
/// port, path and query of the request with what is said in their place. The host of a request without `Host` is the
/// address that was dialled. None: the head is not one that such a redirect is for, and nothing may be answered from it.
[[nodiscard]] std::optional<std::string> make_location(const Relocation& relocation, std::string_view head,
                                                       const Dialled& dialled);

}  // namespace heddle::http
