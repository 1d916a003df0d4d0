#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "runtime/handler/io/buffer.h"
#include "runtime/handler/io/event_loop.h"
#include "runtime/handler/io/socket.h"
#include "runtime/handler/io/timers.h"
#include "runtime/handler/upstream/occupancy.h"

/// The handler's own connections to endpoints.
namespace heddle::upstream {

struct Endpoint {
  std::array<std::uint8_t, 16> address{};  // IPv4 in its v4-mapped form
  std::uint16_t port = 0;
  std::uint32_t state = HD_NONE;  // slot in hd_endpoint_state: whose bound its connections count for
  std::uint32_t way = 0;          // how it is reached, as the dialer calls it; 0: directly
  std::array<std::uint8_t, 16> client{};  // with a way: whom the connection is for

  bool operator==(const Endpoint&) const = default;
};

struct EndpointHash {
  std::size_t operator()(const Endpoint& endpoint) const;
};

/// Whose exchange uses a connection.
class Owner {
 public:
  virtual void on_upstream_events() = 0;

 protected:
  ~Owner() = default;
};

/// Reaches endpoints otherwise than directly.
class Dialer {
 public:
  /// Null: it cannot be reached. What begins now may fail later, as a socket that connects does.
  [[nodiscard]] virtual std::unique_ptr<io::Stream> dial(const Endpoint& endpoint) = 0;

 protected:
  ~Dialer() = default;
};

class Pool;

/// One connection to an endpoint: with an owner while it carries a request, else idle in the pool.
class Connection final : public io::EventSink, public io::Deadline {
 public:
  Connection(Pool& pool, const Endpoint& endpoint, std::unique_ptr<io::Stream> to, io::BufferPool& buffers)
      : in(buffers), pool_(pool), endpoint_(endpoint), stream_(std::move(to)) {}

  void on_events(std::uint32_t events) override;
  void on_deadline() override;

  /// It has carried a request before.
  [[nodiscard]] bool reused() const { return reused_; }
  /// TCP proves that the server's socket took nothing of what was sent since the connection was taken.
  [[nodiscard]] bool nothing_received() const;

  [[nodiscard]] io::Stream& stream() { return *stream_; }
  [[nodiscard]] const io::Stream& stream() const { return *stream_; }

  io::Buffer in;           // what the server sent
  std::uint64_t sent = 0;  // all bytes written to it, ever

 private:
  friend class Pool;

  Pool& pool_;
  const Endpoint endpoint_;
  const std::unique_ptr<io::Stream> stream_;
  Owner* owner_ = nullptr;
  Connection* newer_ = nullptr;
  Connection* older_ = nullptr;
  std::uint64_t sent_when_taken_ = 0;
  bool reused_ = false;
  bool idle_ = false;
};

/// Keeps idle connections for the next request: bounded per endpoint and altogether, each for a bounded time.
/// A connection on which anything happens while it is idle is closed.
class Pool {
 public:
  static constexpr std::uint32_t idle_per_endpoint = 256;
  static constexpr std::uint32_t idle_in_all = 2048;
  static constexpr std::uint64_t idle_ms = 30'000;

  Pool(io::EventLoop& loop, io::BufferPool& buffers, std::span<hd_endpoint_state> states = {},
       Ledger* ledger = nullptr)
      : loop_(loop), buffers_(buffers), deadlines_(idle_ms), occupancy_(states, ledger) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  /// For endpoints that have a way.
  void set_dialer(Dialer& dialer) { dialer_ = &dialer; }
  /// The idle connection that was used last, or none.
  [[nodiscard]] Connection* take_idle(const Endpoint& endpoint, Owner& owner);
  /// Takes a place for one more connection, which connect() uses up whatever comes of it; an idle one may
  /// have to go for it. False: the endpoint has as many as it may.
  [[nodiscard]] bool reserve(const Endpoint& endpoint);
  /// A new one that is being connected: it is when its socket is writable. None if that failed at once.
  [[nodiscard]] Connection* connect(const Endpoint& endpoint, Owner& owner,
                                    io::Preparation* preparation = nullptr);
  /// Gives a connection back whose last response has ended and on which nothing is under way.
  void keep(Connection& connection);
  /// Closes it. It is freed by the next collect(), because its events may still be in the loop's batch.
  void discard(Connection& connection);

  void expire(std::uint64_t now_ms) {
    now_ms_ = now_ms;
    deadlines_.expire(now_ms);
  }
  [[nodiscard]] std::int64_t next_in(std::uint64_t now_ms) const { return deadlines_.next_in(now_ms); }
  void collect();

  [[nodiscard]] const Occupancy& occupancy() const { return occupancy_; }
  [[nodiscard]] std::uint32_t idle() const { return idle_; }
  [[nodiscard]] std::uint32_t open() const { return open_; }

 private:
  struct IdleList {
    Connection* newest = nullptr;
    Connection* oldest = nullptr;
    std::uint32_t count = 0;
  };

  [[nodiscard]] std::unique_ptr<io::Stream> reach(const Endpoint& endpoint, io::Preparation* preparation);
  void unlink(Connection& connection);
  void forget_empty_lists();

  io::EventLoop& loop_;
  io::BufferPool& buffers_;
  io::Deadlines deadlines_;
  Occupancy occupancy_;
  Dialer* dialer_ = nullptr;
  std::unordered_map<Endpoint, IdleList, EndpointHash> lists_;
  std::vector<Connection*> discarded_;
  std::uint64_t now_ms_ = 0;
  std::uint32_t idle_ = 0;
  std::uint32_t open_ = 0;
};

}  // namespace heddle::upstream
