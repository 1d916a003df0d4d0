#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "runtime/base/result.h"
#include "runtime/handler/tls/identity.h"
#include "runtime/handler/tls/ticket_keys.h"

struct ssl_ctx_st;
struct ssl_session_st;

namespace heddle::tls {

/// Seconds since 1970.
using Clock = std::int64_t (*)();

/// A session to go on with, of a client, and whose it is. For one connection: OpenSSL does not offer it again once it was resumed.
struct TlsSession {
  std::shared_ptr<ssl_session_st> session;
  Peer peer;
  Digest context{};  // `Identity::session_context` it was begun in
};

/// One side of mutual TLS with one identity: TLS 1.3 alone, both sides show certificates, `h2` (ALPN), tickets, no early data. One
/// per identity, side and worker: what connections share is locked. A new identity, or a new bundle, is a new context; connections
/// keep the one they were made with. Not moved: OpenSSL knows its address.
class TlsContext {
 public:
  /// Refuses an identity that has expired. Without ticket keys a server gives no tickets.
  static Result<std::shared_ptr<TlsContext>> make_server(std::shared_ptr<const Identity> identity, TicketKeys keys, Clock clock);
  static Result<std::shared_ptr<TlsContext>> make_client(std::shared_ptr<const Identity> identity, Clock clock);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] const Identity& identity() const { return *identity_; }
  [[nodiscard]] std::int64_t now() const { return clock_(); }
  /// Of a server: from the next handshake on.
  void set_ticket_keys(TicketKeys keys);

 private:
  friend class TlsConnection;
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  struct Callbacks;

  TlsContext(std::shared_ptr<const Identity> identity, TicketKeys keys, Clock clock)
      : identity_(std::move(identity)), keys_(std::move(keys)), clock_(clock) {}
  Result<void> set_up(bool server);
  [[nodiscard]] bool set_up_identity();
  void set_up_server();

  std::shared_ptr<const Identity> identity_;
  TicketKeys keys_;
  Clock clock_;
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace heddle::tls
