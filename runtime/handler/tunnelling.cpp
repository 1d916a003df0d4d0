#include "runtime/handler/tunnelling.h"

#include <algorithm>
#include <ctime>

#include "runtime/handler/connection.h"
#include "runtime/handler/engine.h"
#include "runtime/handler/passage.h"

namespace heddle::handler {
namespace {

std::int64_t wall_clock() {
  return static_cast<std::int64_t>(std::time(nullptr));
}

// Of all policies that there were.
constexpr std::size_t ways_max = 65536;

}  // namespace

Tunnelling::Tunnelling(Engine& engine)
    : tunnels(engine.loop, engine.buffers, wall_clock, [this](const tunnel::Ended& ended) { note(ended); }), engine_(engine) {}

void Tunnelling::note(const tunnel::Ended& ended) {
  std::string text = ended.server ? "a tunnel from " : "a tunnel to ";
  text += tunnel::authority_text(ended.peer) + " ended: " + ended.why;
  if (ended.refusal != nullptr) text += " [" + std::string(tls::name_of(ended.refusal->rule)) + "]";
  log_.line("warning", text);
}

void Tunnelling::set_identities(tls::Handover handover) {
  own_.clear();
  for (const auto& identity : handover.identities) own_.push_back(identity->id());
  tunnels.set_identities(std::move(handover.identities), handover.ticket_keys);
}

void Tunnelling::accepted(UniqueFd socket) {
  tunnels.accepted(std::move(socket), engine_.hellos, *this);
}

// ---- to other nodes
// ----------------------------------------------------------------------------------------------

std::uint32_t Tunnelling::find_way(const Tables& tables, std::uint32_t service, const hd_decision& decision) {
  Question question{decision.generation, service, decision.caller, {}};
  std::copy(std::begin(decision.address), std::end(decision.address), question.address.begin());
  const auto known = answers_.find(question);
  if (known != answers_.end()) return known->second;
  if (answers_.size() >= ways_max) answers_.clear();
  const SpiffeReading source = read_spiffe_id(tables.spiffe_of(decision.caller));
  const std::uint32_t way = source.wrong != nullptr ? 0 : number_of({source.id, tables.expected_peers(service), {question.address, tunnel::hbone_port}});
  return answers_[question] = way;
}

std::uint32_t Tunnelling::number_of(tunnel::Way way) {
  const auto [found, is_new] = numbers_.try_emplace(way.key(), static_cast<std::uint32_t>(ways_.size() + 1));
  if (!is_new) return found->second;
  if (ways_.size() >= ways_max) {
    numbers_.erase(found);
    return 0;
  }
  ways_.push_back(std::move(way));
  return found->second;
}

std::unique_ptr<io::Stream> Tunnelling::dial(const upstream::Endpoint& endpoint) {
  if (endpoint.way == 0 || endpoint.way > ways_.size()) return nullptr;
  const tunnel::Target target{endpoint.address, endpoint.port};
  const std::string forwarded = tunnel::forwarded_text({endpoint.client, 0});
  return tunnels.connect(ways_[endpoint.way - 1], target, {"CONNECT", tunnel::authority_text(target), forwarded, "", ""});
}

// ---- from other nodes
// --------------------------------------------------------------------------------------------

/// Our own agents say which endpoint they want, so that a node can have many identities; who does not say it can only mean the one
/// that there is.
std::shared_ptr<tls::TlsContext> Tunnelling::context_for(const tunnel::Target& local, std::uint16_t port) {
  if (port == 0) return own_.size() == 1 ? tunnels.server_context(own_.front()) : nullptr;
  const std::optional<hd_address> server = engine_.decider.find_server(local.address.data(), port);
  const std::shared_ptr<const Tables> tables = engine_.decider.current_tables();
  if (!server || tables == nullptr) return nullptr;
  const tls::ExpectedPeers expected = tables->expected_peers(server->service);
  for (const SpiffeId& id : own_) {
    if (!expected.has(id)) continue;
    if (auto context = tunnels.server_context(id)) return context;
  }
  return nullptr;
}

/// What is asked for has to be an endpoint of this node: the address that the tunnel itself came to.
void Tunnelling::on_arrival(tunnel::Session& session, std::unique_ptr<tunnel::Stream> stream, const tunnel::Arrival& arrival) {
  if (arrival.head.method != "CONNECT") return session.refuse(*stream, 405);
  const std::optional<tunnel::Target> target = tunnel::parse_authority(arrival.head.authority);
  if (!target) return session.refuse(*stream, 400);
  if (target->address != arrival.local.address) return session.refuse(*stream, 404);
  const std::optional<hd_address> server = engine_.decider.find_server(target->address.data(), target->port);
  const std::shared_ptr<const Tables> tables = engine_.decider.current_tables();
  if (!server || tables == nullptr || tables->transport(server->service) == HD_TRANSPORT_PLAINTEXT) return session.refuse(*stream, 404);
  if (engine_.full() || engine_.draining()) return session.refuse(*stream, 503);
  hd_connection origin{};
  const tunnel::Target client = tunnel::parse_forwarded(arrival.head.forwarded).value_or(arrival.remote);
  std::copy(client.address.begin(), client.address.end(), std::begin(origin.source));
  origin.source_port = client.port;
  std::copy(target->address.begin(), target->address.end(), std::begin(origin.destination));
  origin.destination_port = target->port;
  const hd_protocol protocol = tables->protocol(server->service);
  if (protocol == HD_PROTOCOL_TLS) origin.flags = HD_CONNECTION_TLS;
  if (protocol == HD_PROTOCOL_TCP) origin.flags = HD_CONNECTION_BYTES;
  engine_.arrived(std::move(stream), origin, arrival.peer.id.text());
}

}  // namespace heddle::handler
