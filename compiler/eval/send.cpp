#include "compiler/eval/send.h"

namespace heddle::eval {
namespace {

using Spiffe = std::optional<std::string>;

std::string spiffe_id(const model::SpiffePattern& pattern) {
  return "spiffe://" + pattern.trust_domain + "/" + pattern.path;
}

/// A group's patterns are those of its members.
std::vector<Spiffe> callers_of(const model::Policy& policy, const model::TestCaller& from) {
  using Kind = model::TestCaller::Kind;
  if (from.kind == Kind::unauthenticated) return {std::nullopt};
  if (from.kind == Kind::spiffe) return {from.spiffe};
  std::vector<Spiffe> callers;
  for (const auto& pattern : policy.identities[from.identity].patterns)
    callers.emplace_back(spiffe_id(pattern));
  return callers;
}

std::optional<model::SocketAddress> find_address(const model::Service& service,
                                                 std::optional<std::uint16_t> port) {
  for (const auto& address : service.addresses) {
    if (!port || address.port == *port) return address;
  }
  return std::nullopt;
}

std::string no_address(const model::Service& service, std::optional<std::uint16_t> port) {
  const std::string what = port ? " with port " + std::to_string(*port) : "";
  return "service `" + service.name + "` has no address" + what + " to send to";
}

}  // namespace

std::string head_text(const model::Policy& policy, const model::TestRequest& send) {
  const std::string host = send.host.value_or(policy.services[send.service].name);
  std::string text = send.method + " " + send.target + " HTTP/1.1\r\nHost: " + host + "\r\n";
  for (const auto& header : send.headers) text += header.name + ": " + header.value + "\r\n";
  return text + "\r\n";
}

Sent make_requests(const model::Policy& policy, const model::TestRequest& send) {
  const model::Service& service = policy.services[send.service];
  const auto address = find_address(service, send.port);
  if (!address) return {{}, no_address(service, send.port)};
  Sent sent;
  for (const Spiffe& spiffe : callers_of(policy, send.from)) {
    Request request;
    request.spiffe = spiffe;
    if (send.address) request.source.ip = *send.address;
    request.destination = *address;
    if (!send.connect) request.head = head_text(policy, send);
    request.sni = send.sni;
    sent.requests.push_back(std::move(request));
  }
  return sent;
}

}  // namespace heddle::eval
