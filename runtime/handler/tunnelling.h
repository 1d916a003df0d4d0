#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "runtime/handler/log.h"
#include "runtime/handler/tables.h"
#include "runtime/handler/tls/handover.h"
#include "runtime/handler/tunnel/tunnels.h"
#include "runtime/handler/upstream/pool.h"

namespace heddle::handler {

class Engine;

/// Where the engine meets other nodes: streams to their endpoints, and requests that come from there.
class Tunnelling final : public tunnel::Host, public upstream::Dialer {
 public:
  explicit Tunnelling(Engine& engine);

  void set_identities(tls::Handover handover);
  /// Somebody has connected to the port of tunnels.
  void accepted(UniqueFd socket);

  /// The way from a caller to an endpoint of a service, by the number that upstream::Endpoint has; 0: the caller has no certificate here.
  [[nodiscard]] std::uint32_t find_way(const Tables& tables, std::uint32_t service, const hd_decision& decision);

  std::shared_ptr<tls::TlsContext> context_for(const tunnel::Target& local, std::uint16_t port) override;
  void on_arrival(tunnel::Session& session, std::unique_ptr<tunnel::Stream> stream, const tunnel::Arrival& arrival) override;
  std::unique_ptr<io::Stream> dial(const upstream::Endpoint& endpoint) override;

  tunnel::Tunnels tunnels;

 private:
  /// What a way follows from: a generation is never another's number.
  struct Question {
    std::uint64_t generation = 0;
    std::uint32_t service = 0;
    std::uint32_t caller = 0;
    std::array<std::uint8_t, 16> address{};

    friend auto operator<=>(const Question&, const Question&) = default;
  };

  [[nodiscard]] std::uint32_t number_of(tunnel::Way way);
  void note(const tunnel::Ended& ended);

  Engine& engine_;
  std::map<Question, std::uint32_t> answers_;     // that were given before
  std::map<std::string, std::uint32_t> numbers_;  // of ways, by their keys
  std::vector<tunnel::Way> ways_;                 // by number - 1
  std::vector<SpiffeId> own_;                     // the identities that there are
  LimitedLog log_;
};

}  // namespace heddle::handler
