#include "runtime/handler/engine.h"

#include <algorithm>
#include <string>
#include <utility>

#include "runtime/handler/connection.h"
#include "runtime/handler/listener.h"
#include "runtime/handler/log.h"
#include "runtime/handler/passage.h"

namespace heddle::handler {

namespace {

std::int64_t sooner(std::int64_t a, std::int64_t b) {
  if (a < 0) return b;
  return b < 0 ? a : std::min(a, b);
}

}  // namespace

void Timeouts::expire(std::uint64_t now_ms) {
  for (io::Deadlines* deadlines : {&head, &idle, &connect, &stall, &linger, &accept})
    deadlines->expire(now_ms);
  routes.expire(now_ms);
}

std::int64_t Timeouts::next_in(std::uint64_t now_ms) const {
  std::int64_t next = routes.next_in(now_ms);
  for (const io::Deadlines* deadlines : {&head, &idle, &connect, &stall, &linger, &accept}) {
    next = sooner(next, deadlines->next_in(now_ms));
  }
  return next;
}

Result<std::unique_ptr<Engine>> Engine::make(Decider& decider, std::uint32_t connections_max,
                                             const Patience& patience, const Shared& shared) {
  Result<io::EventLoop> loop = io::EventLoop::make();
  if (!loop) return loop.error();
  Result<tls::HelloReader> hellos = tls::HelloReader::make();
  if (!hellos) return hellos.error();
  std::unique_ptr<Engine> engine(
      new Engine(std::move(loop).value(), std::move(hellos).value(), decider, connections_max, patience, shared));
  if (engine->fast_path == nullptr) return engine;
  if (Result<void> watched = engine->fast_path->watch(engine->loop); !watched) return watched.error();
  return engine;
}

Engine::Engine(io::EventLoop made, tls::HelloReader reader, Decider& edge, std::uint32_t connections_max, const Patience& patience,
               const Shared& shared)
    : loop(std::move(made)),
      hellos(std::move(reader)),
      ledger(shared.ledger),
      timeouts(patience),
      decider(edge),
      pool(loop, buffers, shared.endpoints, &ledger),
      fast_path(shared.fast_kernel != nullptr ? std::make_unique<FastPath>(*shared.fast_kernel, pool)
                                              : nullptr),
      round(edge, &ledger),
      now_ns_(io::monotonic_ns()),
      endpoints_(shared.endpoints),
      connections_max_(connections_max) {
  pool.set_dialer(tunnelling);
  unfinished_.reserve(256);
  resuming_.reserve(256);
  buried_.reserve(256);
}

Engine::~Engine() {
  while (first_ != nullptr) first_->close();
  free_buried();
}

Result<void> Engine::listen(UniqueFd listener, std::uint64_t netns_cookie) {
  Result<std::unique_ptr<Listener>> made = Listener::make(*this, std::move(listener), &Engine::accepted);
  if (!made) return made.error();
  listeners_.emplace(netns_cookie, std::move(made).value());
  return {};
}

Result<void> Engine::listen_for_tunnels(UniqueFd listener) {
  Result<std::unique_ptr<Listener>> made = Listener::make(*this, std::move(listener), &Engine::tunnel_accepted);
  if (!made) return made.error();
  tunnel_listeners_.push_back(std::move(made).value());
  return {};
}

void Engine::unlisten(std::uint64_t netns_cookie) {
  listeners_.erase(netns_cookie);
}

void Engine::run_round(int wait_ms) {
  loop.run_round(find_wait(wait_ms), [this] {
    now_ns_ = io::monotonic_ns();
    tunnelling.tunnels.begin_round(now_ms());
  });
  tunnelling.tunnels.run(now_ms());
  tunnelling.tunnels.tell();
  resume_unfinished();
  pool.expire(now_ms());
  timeouts.expire(now_ms());
  if (fast_path != nullptr) fast_path->run(now_ns());
  room.run();
  round.run(now_ms());
  tunnelling.tunnels.flush();
  if (fast_path != nullptr) fast_path->links.collect();
  pool.collect();
  free_buried();
}

int Engine::find_wait(int wait_ms) const {
  if (round.has_heads() || !unfinished_.empty()) return 0;
  std::int64_t wait = sooner(wait_ms, timeouts.next_in(now_ms()));
  wait = sooner(wait, pool.next_in(now_ms()));
  wait = sooner(wait, round.next_in(now_ms()));
  wait = sooner(wait, tunnelling.tunnels.next_in(now_ms()));
  if (fast_path != nullptr) wait = sooner(wait, fast_path->next_in(now_ms()));
  if (!room.empty()) wait = sooner(wait, RoomQueue::look_ms);
  return static_cast<int>(std::min<std::int64_t>(wait, 60'000));
}

void Engine::resume_unfinished() {
  resuming_.swap(unfinished_);
  for (Client* client : resuming_) client->resume();
  resuming_.clear();
}

void Engine::accepted(UniqueFd client) {
  const std::optional<hd_connection> origin = decider.find_origin(client.get());
  if (!origin) return;
  // What the service spoke when it was dialled; if that has changed, the decision refuses what comes.
  const bool passed = (origin->flags & (HD_CONNECTION_TLS | HD_CONNECTION_BYTES)) != 0;
  Client* made = nullptr;
  if (passed) {
    made = new Passage(*this, std::make_unique<io::Socket>(std::move(client)), *origin);
  } else {
    made = new Connection(*this, std::make_unique<io::Socket>(std::move(client)), *origin);
  }
  add(made);
}

void Engine::arrived(std::unique_ptr<io::Stream> client, const hd_connection& origin, std::string spiffe) {
  auto peer = std::make_unique<RemotePeer>(std::move(spiffe));
  const bool passed = (origin.flags & (HD_CONNECTION_TLS | HD_CONNECTION_BYTES)) != 0;
  if (passed) {
    add(new Passage(*this, std::move(client), origin, std::move(peer)));
  } else {
    client->accept();
    add(new Connection(*this, std::move(client), origin, std::move(peer)));
  }
}

void Engine::add(Client* client) {
  ++connection_count_;
  client->link(first_);
  client->start();
}

bool Engine::reserve(const upstream::Endpoint& endpoint) {
  if (pool.reserve(endpoint)) return true;
  return fast_path != nullptr && fast_path->make_room(endpoint.state) && pool.reserve(endpoint);
}

std::optional<upstream::Endpoint> Engine::endpoint_of(const hd_decision& decision, const Tables& tables, const hd_connection& origin,
                                                      bool from_tunnel) {
  upstream::Endpoint endpoint;
  std::copy(std::begin(decision.address), std::end(decision.address), endpoint.address.begin());
  endpoint.port = decision.port;
  endpoint.state = decision.endpoint_state;
  std::uint32_t owner = tables.service_of_endpoint(decision.endpoint);
  if (owner == HD_NONE) owner = decision.service;
  // What came through a tunnel has arrived; and nobody needs one to his own node.
  const bool here = endpoint.state < endpoints_.size() && __atomic_load_n(&endpoints_[endpoint.state].local, __ATOMIC_RELAXED) != 0;
  if (from_tunnel || here || tables.transport(owner) == HD_TRANSPORT_PLAINTEXT) return endpoint;
  endpoint.way = tunnelling.find_way(tables, owner, decision);
  std::copy(std::begin(origin.source), std::end(origin.source), endpoint.client.begin());
  if (endpoint.way == 0) return std::nullopt;
  return endpoint;
}

void Engine::bury(Client& client) {
  client.unlink(first_);
  --connection_count_;
  buried_.push_back(&client);
}

void Engine::free_buried() {
  // One that was to be resumed is freed a round later.
  std::erase_if(buried_, [](Client* client) {
    if (client->resume_pending()) return false;
    delete client;
    return true;
  });
}

void Engine::drain() {
  draining_ = true;
  listeners_.clear();
  tunnel_listeners_.clear();
  tunnelling.tunnels.drain();
  Client* client = first_;
  while (client != nullptr) {
    Client* const next = client->next();
    client->drain();
    client = next;
  }
}

bool Engine::drained() const {
  return draining_ && connection_count_ == 0 && round.next_in(now_ms()) < 0;
}

}  // namespace heddle::handler
