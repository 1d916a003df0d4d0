#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/handler/tunnel/ends.h"

namespace heddle::tunnel {

/// Where other nodes are asked for tunnels, as Istio's ambient mesh does it (HBONE).
inline constexpr std::uint16_t hbone_port = 15008;

/// All tunnels of a worker, and the identities that they show. One way has as many connections as its streams need.
class Tunnels {
 public:
  static constexpr std::uint64_t handshake_ms = 10'000;
  static constexpr std::uint64_t idle_ms = 90'000;  // without a stream
  static constexpr std::uint64_t look_ms = 500;     // certificates are looked at so often

  /// `clock`: seconds since 1970. `report`: of every tunnel that ended otherwise than well.
  Tunnels(io::EventLoop& loop, io::BufferPool& buffers, tls::Clock clock, Report report);
  Tunnels(const Tunnels&) = delete;
  Tunnels& operator=(const Tunnels&) = delete;
  ~Tunnels();

  /// All identities of this node, in place of those before. Tunnels that show another take no more streams.
  void set_identities(std::vector<std::shared_ptr<const tls::Identity>> identities, const tls::TicketKeys& keys);

  /// A stream to an endpoint: writable once the other node has accepted it. Null: there is no valid identity of that name here, or no
  /// connection can be had.
  [[nodiscard]] std::unique_ptr<io::Stream> connect(const Way& way, const Target& endpoint, const Head& head);

  /// Somebody has connected to the port of tunnels.
  void accepted(UniqueFd socket, tls::HelloReader& hellos, Host& host);
  /// To show as a server; null: there is none, or it has expired.
  [[nodiscard]] std::shared_ptr<tls::TlsContext> server_context(const SpiffeId& id);

  /// A round begins; what comes in it counts from then.
  void begin_round(std::uint64_t now_ms) { around_.now_ms = now_ms; }
  /// Tells the users of streams what came.
  void tell() { pending_.tell(); }
  /// Time passes: old tunnels are replaced, those that are not to be trusted any more end.
  void run(std::uint64_t now_ms);
  /// Sends what the round has brought, and frees what is over.
  void flush();
  /// Milliseconds until something is to be done; -1: nothing is.
  [[nodiscard]] std::int64_t next_in(std::uint64_t now_ms) const;
  /// No new streams from anybody.
  void drain();
  [[nodiscard]] std::size_t count() const { return clients_.size() + servers_.size(); }

 private:
  struct Shown {
    std::shared_ptr<const tls::Identity> identity;
    std::shared_ptr<tls::TlsContext> client;
    std::shared_ptr<tls::TlsContext> server;
  };
  /// Of one way.
  struct Group {
    std::vector<ClientTunnel*> tunnels;
    /// To begin the next one with. Both ends go on believing the certificates of the handshake that it comes from, and no longer than those.
    std::shared_ptr<const tls::TlsSession> session;
    std::uint64_t generation = 0;  // of the own one that was shown there
    std::int64_t shown = 0;        // when
  };
  struct Client {
    std::unique_ptr<ClientTunnel> tunnel;
    Group& group;
  };

  [[nodiscard]] Shown* find(const SpiffeId& id);
  [[nodiscard]] ClientTunnel* find_tunnel(Group& group, const Shown& shown);
  [[nodiscard]] std::shared_ptr<const tls::TlsSession> session_for(const Group& group, const Shown& shown) const;
  [[nodiscard]] ClientTunnel* open_tunnel(Group& group, Shown& shown, const Way& way, std::uint16_t port);
  void look_at_all();
  void forget(Tunnel& tunnel);

  tls::Clock clock_;
  Report report_;
  Pending pending_;
  std::vector<Tunnel*> unsent_;
  std::vector<Tunnel*> flushing_;
  std::vector<Tunnel*> ended_;
  io::Deadlines handshakes_{handshake_ms};
  io::Deadlines idle_{idle_ms};
  Surroundings around_;
  std::map<SpiffeId, Shown> identities_;
  tls::TicketKeys keys_;
  std::unordered_map<std::string, Group> groups_;  // by Way::key()
  std::unordered_map<Tunnel*, Client> clients_;
  std::unordered_map<Tunnel*, std::unique_ptr<ServerTunnel>> servers_;
  std::uint64_t next_look_ms_ = 0;
  bool draining_ = false;
};

}  // namespace heddle::tunnel
