#include "runtime/handler/upstream/pool.h"

#include <sys/epoll.h>

#include <cstring>

namespace heddle::upstream {

namespace {

// Endpoints that once were and are no more leave empty lists behind; past this many they are cleared away.
constexpr std::size_t lists_max = 4096;

}  // namespace

std::size_t EndpointHash::operator()(const Endpoint& endpoint) const {
  std::uint64_t halves[2];
  std::memcpy(halves, endpoint.address.data(), sizeof halves);
  std::uint64_t client[2];
  std::memcpy(client, endpoint.client.data(), sizeof client);
  std::uint64_t hash = (halves[0] ^ ((halves[1] ^ client[0] ^ client[1]) * 0x9e3779b97f4a7c15U)) + endpoint.port + (std::uint64_t{endpoint.way} << 16);
  hash ^= hash >> 32;
  return static_cast<std::size_t>(hash * 0xbf58476d1ce4e5b9U);
}

void Connection::on_events(std::uint32_t events) {
  stream_->note(events);
  if (!stream_->open()) return;
  if (owner_ != nullptr) return owner_->on_upstream_events();
  // The end of the server, or bytes that nobody asked for; being writable is no news.
  if (idle_ && (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) pool_.discard(*this);
}

void Connection::on_deadline() {
  pool_.discard(*this);
}

bool Connection::nothing_received() const {
  const std::optional<std::uint64_t> acknowledged = stream_->find_acknowledged();
  return acknowledged && *acknowledged <= sent_when_taken_;
}

Pool::~Pool() {
  for (auto& [endpoint, list] : lists_) {
    while (list.newest != nullptr) discard(*list.newest);
  }
  collect();
}

Connection* Pool::take_idle(const Endpoint& endpoint, Owner& owner) {
  const auto found = lists_.find(endpoint);
  if (found == lists_.end()) return nullptr;
  while (found->second.newest != nullptr && !found->second.newest->stream_->reusable()) discard(*found->second.newest);
  if (found->second.newest == nullptr) return nullptr;
  Connection& connection = *found->second.newest;
  unlink(connection);
  connection.owner_ = &owner;
  connection.reused_ = true;
  connection.sent_when_taken_ = connection.sent;
  return &connection;
}

bool Pool::reserve(const Endpoint& endpoint) {
  if (occupancy_.enter(endpoint.state)) return true;
  const auto found = lists_.find(endpoint);
  if (found == lists_.end() || found->second.oldest == nullptr) return false;
  discard(*found->second.oldest);
  return occupancy_.enter(endpoint.state);
}

Connection* Pool::connect(const Endpoint& endpoint, Owner& owner, io::Preparation* preparation) {
  std::unique_ptr<io::Stream> stream = reach(endpoint, preparation);
  if (stream == nullptr) {
    occupancy_.leave(endpoint.state);
    return nullptr;
  }
  auto* connection = new Connection(*this, endpoint, std::move(stream), buffers_);
  ++open_;
  connection->owner_ = &owner;
  if (!connection->stream_->watch(loop_, *connection)) {
    discard(*connection);
    return nullptr;
  }
  return connection;
}

std::unique_ptr<io::Stream> Pool::reach(const Endpoint& endpoint, io::Preparation* preparation) {
  if (endpoint.way != 0) return dialer_ == nullptr ? nullptr : dialer_->dial(endpoint);
  UniqueFd fd = io::start_connect(endpoint.address.data(), endpoint.port, preparation);
  return fd ? std::make_unique<io::Socket>(std::move(fd)) : nullptr;
}

void Pool::keep(Connection& connection) {
  if (!connection.stream_->reusable()) return discard(connection);
  connection.owner_ = nullptr;
  connection.in.release();
  IdleList& list = lists_[connection.endpoint_];
  if (idle_ >= idle_in_all) return discard(connection);
  if (list.count >= idle_per_endpoint) discard(*list.oldest);
  connection.older_ = list.newest;
  connection.newer_ = nullptr;
  (list.newest != nullptr ? list.newest->newer_ : list.oldest) = &connection;
  list.newest = &connection;
  ++list.count;
  ++idle_;
  connection.idle_ = true;
  deadlines_.set(connection, now_ms_);
}

void Pool::discard(Connection& connection) {
  if (!connection.stream_->open()) return;
  if (connection.idle_) unlink(connection);
  connection.owner_ = nullptr;
  connection.in.release();
  connection.stream_->close();
  occupancy_.leave(connection.endpoint_.state);
  --open_;
  discarded_.push_back(&connection);
}

void Pool::unlink(Connection& connection) {
  IdleList& list = lists_[connection.endpoint_];
  (connection.newer_ != nullptr ? connection.newer_->older_ : list.newest) = connection.older_;
  (connection.older_ != nullptr ? connection.older_->newer_ : list.oldest) = connection.newer_;
  connection.newer_ = connection.older_ = nullptr;
  connection.idle_ = false;
  connection.cancel();
  --list.count;
  --idle_;
}

void Pool::collect() {
  for (Connection* connection : discarded_) delete connection;
  discarded_.clear();
  if (lists_.size() > lists_max) forget_empty_lists();
}

void Pool::forget_empty_lists() {
  std::erase_if(lists_, [](const auto& entry) { return entry.second.count == 0; });
}

}  // namespace heddle::upstream
