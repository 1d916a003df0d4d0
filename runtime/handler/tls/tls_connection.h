#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "runtime/handler/tls/expected_peers.h"
#include "runtime/handler/tls/svid.h"
#include "runtime/handler/tls/tls_context.h"

struct ssl_st;

namespace heddle::tls {

/// One connection, without a socket: bytes of the wire go in and out, whoever owns it moves them. After each call that changes
/// something `output()` may have bytes for the wire; also when it failed: the peer is told why.
class TlsConnection {
 public:
  enum class State : std::uint8_t {
    handshaking,
    open,    // `peer()` is known and believed
    ended,   // the peer will send nothing more; writing goes on
    failed,  // see `failure()`; nothing but `output()` is of use
  };

  static std::unique_ptr<TlsConnection> make_server(std::shared_ptr<TlsContext> context);
  /// The server has to be one of `expected`. A session that does not fit any more (another identity here, another bundle, a peer that
  /// is not expected, or not believed now) is left alone: a whole handshake follows. The server may choose its certificate
  /// by `server_name`; whether it is believed does not depend on that.
  static std::unique_ptr<TlsConnection> make_client(std::shared_ptr<TlsContext> context, ExpectedPeers expected,
                                                    const std::shared_ptr<const TlsSession>& session,
                                                    const std::string& server_name = "");
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;
  ~TlsConnection();

  [[nodiscard]] State state() const { return state_; }
  /// What the context's clock says.
  [[nodiscard]] std::int64_t now() const { return context_->now(); }
  /// Bytes from the wire, any number of them. The handshake goes on with them; what they carry is for `read`.
  void receive(std::string_view wire);
  /// What the peer said, as much as there is and fits; 0: nothing now.
  [[nodiscard]] std::size_t read(std::span<char> plain);
  /// All of it is taken. Only when open, or ended by the peer. One call makes one record of up to 16 KiB.
  void write(std::string_view plain);
  /// This side will send nothing more (close_notify). Also only then.
  void end();

  /// For the wire, in order; `sent` takes so many away. Valid until the next call.
  [[nodiscard]] std::string_view output() const;
  void sent(std::size_t count);

  /// Who the peer is; of an open connection.
  [[nodiscard]] const Peer& peer() const { return peer_; }
  [[nodiscard]] bool resumed() const;
  /// Of a client: the newest session that the server gave, to begin the next connection with; null: none yet.
  [[nodiscard]] std::shared_ptr<const TlsSession> session() const { return session_; }
  /// Whether the peer would be believed with this bundle, at this time. Nothing: yes.
  [[nodiscard]] std::optional<SvidRefusal> recheck(const TrustBundle& bundle, std::int64_t now) const { return tls::recheck(peer_, bundle, now); }

  /// Why it failed, for the log.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  /// If it failed because the peer is not believed.
  [[nodiscard]] const std::optional<SvidRefusal>& refusal() const { return refusal_; }

 private:
  friend struct TlsContext::Callbacks;
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  TlsConnection(std::shared_ptr<TlsContext> context, std::optional<ExpectedPeers> expected);
  void offer(const std::shared_ptr<const TlsSession>& session);
  void handshake();
  void finish_handshake();
  void fail(const std::string& why);
  void fail_with_openssl(int code);

  std::shared_ptr<TlsContext> context_;
  std::optional<ExpectedPeers> expected_;  // nothing: a server, which asks nobody by name
  std::unique_ptr<ssl_st, Free> ssl_;
  State state_ = State::handshaking;
  Peer peer_;
  Peer resumed_peer_;  // of the session that is offered or that a ticket has
  std::shared_ptr<const TlsSession> session_;
  std::string failure_;
  std::optional<SvidRefusal> refusal_;
};

}  // namespace heddle::tls
