#pragma once

#include <functional>
#include <optional>
#include <string>

#include "runtime/handler/tunnel/tunnel.h"

/// The two ends of a tunnel.
namespace heddle::tunnel {

/// Where a tunnel leads, and between whom.
struct Way {
  SpiffeId source;              // whose certificate we show
  tls::ExpectedPeers expected;  // one of whom the other end has to be
  Target node;                  // an endpoint's address, and the port of tunnels

  [[nodiscard]] std::string key() const;
};

/// Of a tunnel that ended, for the log: who was at its other end, and what was wrong.
struct Ended {
  bool server = false;  // we were
  Target peer;
  std::string why;
  const tls::SvidRefusal* refusal = nullptr;  // null: it was not for what the peer showed
};
using Report = std::function<void(const Ended&)>;

class ClientTunnel final : public Tunnel {
 public:
  /// `port`: of the endpoint that the first stream is for; the server chooses its certificate by it.
  static Result<std::unique_ptr<ClientTunnel>> make(Surroundings& around, const Way& way, std::uint16_t port, std::shared_ptr<tls::TlsContext> context,
                                                    const std::shared_ptr<const tls::TlsSession>& session, const Report& report);

  [[nodiscard]] const tls::Identity& identity() const { return context_->identity(); }
  [[nodiscard]] std::shared_ptr<const tls::TlsSession> tls_session() const { return tls_->session(); }
  /// A newer one is to take its place: certificates changed, or soon end.
  [[nodiscard]] bool is_old(std::uint64_t newest, std::int64_t now) const;

 private:
  ClientTunnel(Surroundings& around, UniqueFd socket, Target node, std::shared_ptr<tls::TlsContext> context, const Report& report)
      : Tunnel(around, std::move(socket), State::connecting), node_(node), context_(std::move(context)), report_(report) {}
  void on_end(const std::string& why, const tls::SvidRefusal* refusal) override;

  Target node_;
  std::shared_ptr<tls::TlsContext> context_;
  const Report& report_;
};

/// A CONNECT that another node asks for.
struct Arrival {
  Head head;
  Target local;   // the address that the tunnel came to
  Target remote;  // and from
  tls::Peer peer;
  bool resumed = false;  // from a ticket
};

/// Whom a server's tunnel asks.
class Host {
 public:
  /// Whose certificate is shown to somebody who came to that address, and names that endpoint's port (0: none). Null: nobody's.
  [[nodiscard]] virtual std::shared_ptr<tls::TlsContext> context_for(const Target& local, std::uint16_t port) = 0;
  /// To be answered by accept() or refuse() of the session.
  virtual void on_arrival(Session& session, std::unique_ptr<Stream> stream, const Arrival& arrival) = 0;

 protected:
  ~Host() = default;
};

class ServerTunnel final : public Tunnel {
 public:
  static Result<std::unique_ptr<ServerTunnel>> make(Surroundings& around, UniqueFd socket, tls::HelloReader& hellos, Host& host, const Report& report);

  /// That we show; null: it is not known yet.
  [[nodiscard]] const tls::Identity* identity() const { return context_ == nullptr ? nullptr : &context_->identity(); }

 private:
  ServerTunnel(Surroundings& around, UniqueFd socket, tls::HelloReader& hellos, Host& host, const Report& report);
  bool on_bytes_before_tls(std::string_view bytes) override;
  void on_connect(std::unique_ptr<Stream> stream, const Head& head) override;
  void on_end(const std::string& why, const tls::SvidRefusal* refusal) override;

  Host& host_;
  const Report& report_;
  std::shared_ptr<tls::TlsContext> context_;  // null: TLS has not begun
  std::unique_ptr<tls::ClientHello> hello_;
  std::string before_;  // what came of the ClientHello
  Target local_;
  Target remote_;
};

/// The name in the ClientHello that says which endpoint's certificate is wanted: `9080.port.hbone.internal`.
std::string server_name_of(std::uint16_t port);
std::optional<std::uint16_t> port_of(std::string_view server_name);

}  // namespace heddle::tunnel
