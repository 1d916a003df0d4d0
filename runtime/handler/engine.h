#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/handler/decider.h"
#include "runtime/handler/fast_path.h"
#include "runtime/handler/io/buffer.h"
#include "runtime/handler/io/event_loop.h"
#include "runtime/handler/io/timers.h"
#include "runtime/handler/room.h"
#include "runtime/handler/round.h"
#include "runtime/handler/route_deadlines.h"
#include "runtime/handler/tls/client_hello.h"
#include "runtime/handler/tunnelling.h"
#include "runtime/handler/upstream/pool.h"

namespace heddle::handler {

class Client;
class Listener;

/// How long the handler waits for whom. None of these runs while a server works on a request: that is bounded
/// by the policy, with the deadlines of routes.
struct Patience {
  std::uint64_t head_ms = 15'000;    // the rest of a request's head
  std::uint64_t idle_ms = 75'000;    // the next request
  std::uint64_t connect_ms = 5'000;  // an endpoint's answer to a SYN, or a full one's next free connection
  std::uint64_t stall_ms = 300'000;  // a client that neither reads nor sends what it announced
  std::uint64_t linger_ms = 2'000;   // a client that was told to go
  std::uint64_t accept_ms = 100;     // descriptors to become free
};

struct Timeouts {
  explicit Timeouts(const Patience& patience)
      : head(patience.head_ms),
        idle(patience.idle_ms),
        connect(patience.connect_ms),
        stall(patience.stall_ms),
        linger(patience.linger_ms),
        accept(patience.accept_ms) {}

  io::Deadlines head;
  io::Deadlines idle;
  io::Deadlines connect;
  io::Deadlines stall;
  io::Deadlines linger;
  io::Deadlines accept;
  RouteDeadlines routes;

  void expire(std::uint64_t now_ms);
  [[nodiscard]] std::int64_t next_in(std::uint64_t now_ms) const;
};

/// What an engine shares with the kernel and with other workers, beside the decisions.
struct Shared {
  std::span<hd_endpoint_state> endpoints;
  FastKernel* fast_kernel = nullptr;  // none: the fast path is off
  std::span<upstream::LedgerEntry> ledger = {};
};

/// The data path of one worker: listeners, clients, upstream connections and rounds of decisions on one event
/// loop.
class Engine {
 public:
  /// `connections_max`: clients at a time; more wait in the listeners' queues.
  static Result<std::unique_ptr<Engine>> make(Decider& decider, std::uint32_t connections_max,
                                              const Patience& patience = {}, const Shared& shared = {});
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  /// Serves what connects to a listening socket in a network namespace (0: the own).
  [[nodiscard]] Result<void> listen(UniqueFd listener, std::uint64_t netns_cookie = 0);
  /// Serves other nodes' tunnels that come to a listening socket.
  [[nodiscard]] Result<void> listen_for_tunnels(UniqueFd listener);
  /// Accepts no more in that namespace.
  void unlisten(std::uint64_t netns_cookie);
  /// One round: waits at most `wait_ms` (-1: as long as nothing happens) and works off everything that is
  /// ready.
  void run_round(int wait_ms = -1);
  /// Accepts nothing more, closes idle connections, and lets every other finish its request.
  void drain();
  [[nodiscard]] bool draining() const { return draining_; }
  /// Nothing is left to do after drain().
  [[nodiscard]] bool drained() const;

  // For the connections.
  [[nodiscard]] std::uint64_t now_ns() const { return now_ns_; }
  [[nodiscard]] std::uint64_t now_ms() const { return now_ns_ / 1'000'000; }
  void accepted(UniqueFd client);
  void tunnel_accepted(UniqueFd client) { tunnelling.accepted(std::move(client)); }
  /// A stream from another node: a client like any other, whom `spiffe` names.
  void arrived(std::unique_ptr<io::Stream> client, const hd_connection& origin, std::string spiffe);
  [[nodiscard]] bool full() const { return connection_count_ >= connections_max_; }
  /// Goes on with a connection in the next round, because it had its share of this one.
  void resume_later(Client& client) { unfinished_.push_back(&client); }
  /// Takes a place for one more connection to an endpoint, for which an idle link may have to go. False: it
  /// is full.
  [[nodiscard]] bool reserve(const upstream::Endpoint& endpoint);
  /// Where a decision sends somebody, and how that is reached. None: a tunnel would have to lead there, and none can.
  [[nodiscard]] std::optional<upstream::Endpoint> endpoint_of(const hd_decision& decision, const Tables& tables, const hd_connection& origin,
                                                              bool from_tunnel);
  /// The connection is closed; it is freed at the end of the round.
  void bury(Client& client);

  io::EventLoop loop;
  io::BufferPool buffers;
  tls::HelloReader hellos;
  upstream::Ledger ledger;
  Timeouts timeouts;
  Decider& decider;
  Tunnelling tunnelling{*this};  // outlives its streams, which clients and the pool have
  upstream::Pool pool;
  std::unique_ptr<FastPath> fast_path;  // null: it is off
  RoomQueue room;
  Round round;

  [[nodiscard]] std::uint32_t connection_count() const { return connection_count_; }

 private:
  Engine(io::EventLoop made, tls::HelloReader hellos, Decider& decider, std::uint32_t connections_max, const Patience& patience,
         const Shared& shared);

  void add(Client* client);
  [[nodiscard]] int find_wait(int wait_ms) const;
  void resume_unfinished();
  void free_buried();

  std::multimap<std::uint64_t, std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Listener>> tunnel_listeners_;
  std::vector<Client*> unfinished_;
  std::vector<Client*> resuming_;
  std::vector<Client*> buried_;
  Client* first_ = nullptr;  // all of them, for drain()
  std::uint64_t now_ns_ = 0;
  std::span<hd_endpoint_state> endpoints_;
  std::uint32_t connections_max_;
  std::uint32_t connection_count_ = 0;
  bool draining_ = false;
};

}  // namespace heddle::handler
