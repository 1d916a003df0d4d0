#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/handler/io/event_loop.h"
#include "runtime/handler/io/socket.h"
#include "runtime/handler/io/timers.h"
#include "runtime/handler/tls/client_hello.h"
#include "runtime/handler/tls/tls_connection.h"
#include "runtime/handler/tunnel/session.h"

namespace heddle::tunnel {

class Tunnel;

/// What the tunnels of one worker have in common.
struct Surroundings {
  io::EventLoop& loop;
  io::BufferPool& buffers;
  Pending& pending;
  std::vector<Tunnel*>& unsent;  // have something to send, at the end of the round
  std::vector<Tunnel*>& ended;   // are over, and freed at the end of the round
  io::Deadlines& handshakes;
  io::Deadlines& idle;
  std::uint64_t now_ms = 0;
};

/// A connection to another node, or from there: a socket, TLS, and HTTP/2 in it. It is closed when its session is over; its streams
/// are broken then, and told so.
class Tunnel : public io::EventSink, public io::Deadline, protected Carrier {
 public:
  enum class State : std::uint8_t { connecting, handshaking, open, closed };

  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;
  virtual ~Tunnel();

  void on_events(std::uint32_t events) override;
  void on_deadline() override;

  /// Sends what the round has brought: one write, if the socket takes it.
  void flush();
  /// Whether the peer is still to be believed, and we are to be believed by him; else the tunnel ends, and its streams with it.
  void look_again(const tls::TrustBundle& bundle, bool own_valid, std::int64_t now);
  /// No new streams; it is closed when the last one is.
  void retire();
  void close(const std::string& why);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] Session& session() { return *session_; }
  /// Of an open one.
  [[nodiscard]] const tls::Peer& peer() const { return tls_->peer(); }
  /// When it was opened; seconds since 1970.
  [[nodiscard]] std::int64_t opened() const { return opened_; }
  [[nodiscard]] bool resumed() const { return tls_->resumed(); }

 protected:
  Tunnel(Surroundings& around, UniqueFd socket, State state);

  Result<void> begin(bool server);
  /// The peer is known and believed.
  virtual void on_open() {}
  /// Why it is over; after that it is freed. `refusal`: the peer is not believed, and that is the rule it broke; else null.
  virtual void on_end(const std::string& why, const tls::SvidRefusal* refusal) = 0;
  /// Bytes before there is a TLS connection: a server's own business. False: it is over.
  [[nodiscard]] virtual bool on_bytes_before_tls(std::string_view /*bytes*/) { return false; }

  void on_output() override;
  void on_connect(std::unique_ptr<Stream> stream, const Head& head) override;

  /// Takes what came with what is left of the wire's bytes.
  void take(std::string_view wire);

  Surroundings& around_;
  io::Socket socket_;
  std::unique_ptr<tls::TlsConnection> tls_;
  std::unique_ptr<Session> session_;

 private:
  void read();
  void follow_tls();
  void read_plain();
  void settle();

  std::int64_t opened_ = 0;
  State state_;
  bool queued_ = false;  // in Surroundings::unsent
  bool unread_ = false;  // the socket has more than one turn takes
};

}  // namespace heddle::tunnel
