#include "compiler/eval/send.h"

#include <algorithm>

namespace heddle::eval {
namespace {

using Spiffe = std::optional<std::string>;

std::string spiffe_id(const model::SpiffePattern& pattern) {
  return "spiffe://" + pattern.trust_domain + "/" + pattern.path;
}

/// Who sends: a peer, or a user through a peer or not.
struct Sender {
  Spiffe spiffe;
  std::optional<Token> user;
  model::IdentityId meant = 0;  // that the user's claims have to make it
};

std::vector<Claim> claims_of(const model::TestRequest& send, const model::Jwt& jwt) {
  std::vector<Claim> claims = {{{"iss"}, {jwt.issuer}, false}, {{"aud"}, {jwt.audience}, false}};
  for (const model::TestClaim& sent : send.claims) {
    const auto found = std::ranges::find(claims, sent.path, &Claim::path);
    if (found == claims.end()) {
      claims.push_back({sent.path, {sent.value}, false});
    } else {
      found->values.push_back(sent.value);
      found->list = true;
    }
  }
  return claims;
}

/// A group's patterns are those of its members; its users are its members.
std::vector<Sender> callers_of(const model::Policy& policy, const model::TestRequest& send) {
  using Kind = model::TestCaller::Kind;
  const model::TestCaller& from = send.from;
  if (from.kind == Kind::unauthenticated) return {{std::nullopt, {}, 0}};
  if (from.kind == Kind::spiffe) return {{from.spiffe, {}, 0}};
  const model::Identity& identity = policy.identities[from.identity];
  std::vector<Sender> callers;
  for (const auto& pattern : identity.patterns) callers.push_back({spiffe_id(pattern), {}, 0});
  std::vector<Spiffe> peers;
  for (const model::IdentityId via : from.via) {
    for (const auto& pattern : policy.identities[via].patterns) peers.emplace_back(spiffe_id(pattern));
  }
  if (peers.empty()) peers.emplace_back(std::nullopt);
  std::vector<model::IdentityId> users = identity.members;
  if (!identity.group) users = {from.identity};
  for (const model::IdentityId user : users) {
    const auto& jwt = policy.identities[user].jwt;
    if (!jwt) continue;
    for (const Spiffe& peer : peers) callers.push_back({peer, Token{jwt->issuer, jwt->audience, claims_of(send, *jwt)}, user});
  }
  return callers;
}

/// A user whose claims do not make it the identity that is named.
std::optional<std::string> wrong_user(const model::Policy& policy, const Sender& sender) {
  if (!sender.user || identities_of(policy, *sender.user).contains(sender.meant)) return std::nullopt;
  return "the claims that are sent do not make anybody `" + policy.identities[sender.meant].name +
         "`: add what its `where` asks for, `with claim …`";
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
  for (const Sender& sender : callers_of(policy, send)) {
    if (auto wrong = wrong_user(policy, sender)) return {{}, *wrong};
    Request request;
    request.spiffe = sender.spiffe;
    request.user = sender.user;
    if (send.address) request.source.ip = *send.address;
    request.destination = *address;
    if (!send.connect) request.head = head_text(policy, send);
    request.sni = send.sni;
    sent.requests.push_back(std::move(request));
  }
  return sent;
}

}  // namespace heddle::eval
