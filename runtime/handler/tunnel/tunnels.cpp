#include "runtime/handler/tunnel/tunnels.h"

#include <algorithm>

namespace heddle::tunnel {
namespace {

std::int64_t sooner(std::int64_t a, std::int64_t b) {
  if (a < 0) return b;
  return b < 0 ? a : std::min(a, b);
}

}  // namespace

Tunnels::Tunnels(io::EventLoop& loop, io::BufferPool& buffers, tls::Clock clock, Report report)
    : clock_(clock), report_(std::move(report)), around_{loop, buffers, pending_, unsent_, ended_, handshakes_, idle_} {}

Tunnels::~Tunnels() {
  clients_.clear();
  servers_.clear();
}

// ---- identities
// --------------------------------------------------------------------------------------------------

void Tunnels::set_identities(std::vector<std::shared_ptr<const tls::Identity>> identities, const tls::TicketKeys& keys) {
  std::map<SpiffeId, Shown> next;
  for (auto& identity : identities) {
    Shown& shown = next[identity->id()];
    const auto before = identities_.find(identity->id());
    if (before != identities_.end() && before->second.identity->generation() == identity->generation()) shown = before->second;
    shown.identity = std::move(identity);
  }
  identities_.swap(next);
  keys_ = keys;
  for (auto& [id, shown] : identities_) {
    if (shown.server != nullptr) shown.server->set_ticket_keys(keys_);
  }
  look_at_all();
}

Tunnels::Shown* Tunnels::find(const SpiffeId& id) {
  const auto found = identities_.find(id);
  if (found == identities_.end() || found->second.identity->remaining_life(clock_()) <= 0) return nullptr;
  return &found->second;
}

std::shared_ptr<tls::TlsContext> Tunnels::server_context(const SpiffeId& id) {
  Shown* shown = find(id);
  if (shown == nullptr) return nullptr;
  if (shown->server == nullptr) {
    auto made = tls::TlsContext::make_server(shown->identity, keys_, clock_);
    if (!made) return nullptr;
    shown->server = std::move(made).value();
  }
  return shown->server;
}

// ---- streams to others
// -------------------------------------------------------------------------------------------

std::unique_ptr<io::Stream> Tunnels::connect(const Way& way, const Target& endpoint, const Head& head) {
  Shown* shown = find(way.source);
  if (shown == nullptr || draining_) return nullptr;
  Group& group = groups_[way.key()];
  ClientTunnel* tunnel = find_tunnel(group, *shown);
  if (tunnel == nullptr) tunnel = open_tunnel(group, *shown, way, endpoint.port);
  return tunnel == nullptr ? nullptr : tunnel->session().connect(head);
}

ClientTunnel* Tunnels::find_tunnel(Group& group, const Shown& shown) {
  for (ClientTunnel* tunnel : group.tunnels) {
    if (tunnel->state() != Tunnel::State::closed && tunnel->session().takes_more() && !tunnel->is_old(shown.identity->generation(), clock_()))
      return tunnel;
  }
  return nullptr;
}

/// None where it would take a certificate on that was replaced, or that has had most of its time: the tunnel would end with it.
std::shared_ptr<const tls::TlsSession> Tunnels::session_for(const Group& group, const Shown& shown) const {
  if (group.session == nullptr || group.generation != shown.identity->generation()) return nullptr;
  const std::int64_t end = std::min(group.session->peer.not_after, shown.identity->not_after());
  return clock_() - group.shown <= (end - group.shown) / 3 ? group.session : nullptr;
}

ClientTunnel* Tunnels::open_tunnel(Group& group, Shown& shown, const Way& way, std::uint16_t port) {
  if (shown.client == nullptr) {
    auto made = tls::TlsContext::make_client(shown.identity, clock_);
    if (!made) return nullptr;
    shown.client = std::move(made).value();
  }
  auto tunnel = ClientTunnel::make(around_, way, port, shown.client, session_for(group, shown), report_);
  if (!tunnel) return nullptr;
  ClientTunnel* const made = tunnel->get();
  clients_.emplace(made, Client{std::move(tunnel).value(), group});
  group.tunnels.push_back(made);
  return made;
}

// ---- those of others
// --------------------------------------------------------------------------------------------

void Tunnels::accepted(UniqueFd socket, tls::HelloReader& hellos, Host& host) {
  auto tunnel = ServerTunnel::make(around_, std::move(socket), hellos, host, report_);
  if (!tunnel) return;
  ServerTunnel* const made = tunnel->get();
  servers_.emplace(made, std::move(tunnel).value());
}

// ---- time
// ---------------------------------------------------------------------------------------------------------

void Tunnels::run(std::uint64_t now_ms) {
  handshakes_.expire(now_ms);
  idle_.expire(now_ms);
  if (now_ms < next_look_ms_) return;
  next_look_ms_ = now_ms + look_ms;
  look_at_all();
}

/// Who is not believed any more, by the newest bundle, is cut off; what shows an old certificate takes no more streams.
void Tunnels::look_at_all() {
  const std::int64_t now = clock_();
  for (auto& [key, client] : clients_) {
    ClientTunnel* const tunnel = client.tunnel.get();
    const auto found = identities_.find(tunnel->identity().id());
    const tls::Identity& newest = found == identities_.end() ? tunnel->identity() : *found->second.identity;
    tunnel->look_again(newest.bundle(), found != identities_.end() && tunnel->identity().remaining_life(now) > 0, now);
    if (tunnel->state() != Tunnel::State::closed && tunnel->is_old(newest.generation(), now)) tunnel->retire();
  }
  for (auto& [key, tunnel] : servers_) {
    const tls::Identity* shown = tunnel->identity();
    if (shown == nullptr) continue;
    const auto found = identities_.find(shown->id());
    const tls::Identity& newest = found == identities_.end() ? *shown : *found->second.identity;
    tunnel->look_again(newest.bundle(), found != identities_.end() && shown->remaining_life(now) > 0, now);
  }
}

void Tunnels::flush() {
  flushing_.swap(unsent_);
  for (Tunnel* tunnel : flushing_) tunnel->flush();
  flushing_.clear();
  for (Tunnel* tunnel : ended_) forget(*tunnel);
  ended_.clear();
}

void Tunnels::forget(Tunnel& tunnel) {
  std::erase(unsent_, &tunnel);
  if (servers_.erase(&tunnel) != 0) return;
  const auto found = clients_.find(&tunnel);
  if (found == clients_.end()) return;
  auto& [client, group] = found->second;
  std::erase(group.tunnels, client.get());
  if (auto session = client->tls_session()) {
    if (!client->resumed()) {
      group.generation = client->identity().generation();
      group.shown = client->opened();
    }
    group.session = std::move(session);
  }
  clients_.erase(found);
}

std::int64_t Tunnels::next_in(std::uint64_t now_ms) const {
  if (!pending_.empty() || !unsent_.empty() || !ended_.empty()) return 0;
  std::int64_t next = sooner(handshakes_.next_in(now_ms), idle_.next_in(now_ms));
  if (count() != 0) next = sooner(next, next_look_ms_ <= now_ms ? 0 : static_cast<std::int64_t>(next_look_ms_ - now_ms));
  return next;
}

void Tunnels::drain() {
  draining_ = true;
  for (auto& [key, client] : clients_) client.tunnel->retire();
  for (auto& [key, tunnel] : servers_) tunnel->retire();
}

}  // namespace heddle::tunnel
