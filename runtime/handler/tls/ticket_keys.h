#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace heddle::tls {

/// What a server seals its tickets with. Plain bytes, so that the agent can give the same to all workers: a client comes back to any.
struct TicketKey {
  std::array<std::byte, 16> name;    // in the ticket, in the clear
  std::array<std::byte, 32> cipher;  // AES-256-CBC
  std::array<std::byte, 32> mac;     // HMAC-SHA-256
};
[[nodiscard]] TicketKey make_ticket_key();

/// The first seals; the others still open what they sealed. To rotate: a new one in front, and the oldest away; a ticket lives for
/// `ticket_life` at most.
using TicketKeys = std::vector<TicketKey>;
inline constexpr long ticket_life = 3600;  // seconds

}  // namespace heddle::tls
