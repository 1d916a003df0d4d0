// Any bytes as what the reference decides from: the head of a request, who sends it and where to, and how the endpoints are. The
// policies are those of the project. `decide` and `explain` have to agree, and whatever is forwarded goes to an endpoint that exists.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/eval/evaluator.h"
#include "compiler/eval/send.h"
#include "compiler/eval/test_run.h"
#include "compiler/sema/check.h"
#include "tests/fuzz/frontend/pages.h"
#include "tests/fuzz/harness.h"

namespace {

using namespace heddle;

void require(bool holds) {
  if (!holds) std::abort();
}

/// The choices come first, one byte each; what is left over is the head, or the name of the server.
enum Choice : std::size_t { policy_at, service_at, address_at, caller_at, source_at, user_at, claim_at, draw_at, world_at, time_at, fault_at, choices };

const std::vector<std::unique_ptr<model::Policy>>& policies() {
  static const std::vector<std::unique_ptr<model::Policy>> all = [] {
    std::vector<std::unique_ptr<model::Policy>> checked;
    for (const std::string& text : {fuzz::reference_policy(true), fuzz::read_source("tests/vectors/policy.mesh"), fuzz::read_source("tests/vectors/bypass.mesh"),
                                    fuzz::read_source("tests/vectors/tls.mesh"), fuzz::read_source("tests/golden/commands/later.mesh")}) {
      source::SourceManager sources;
      sources.add("policy.mesh", text);
      diagnostics::Sink sink;
      auto policy = sema::check(sources, sink);
      require(policy.has_value());
      checked.push_back(std::make_unique<model::Policy>(std::move(*policy)));
    }
    return checked;
  }();
  return all;
}

/// The element that a byte says, of a list that is not empty.
template <typename List>
const auto& chosen(const List& list, std::uint8_t byte) {
  return list[byte % list.size()];
}

eval::World world_of(const model::Service& service, std::uint8_t state) {
  eval::World world;
  for (std::size_t i = 0; i < service.endpoints.size(); ++i) {
    const unsigned bits = state >> (i % 4);
    const auto in_flight = static_cast<std::uint32_t>(bits & 4U) * 400U;
    world.endpoints[service.endpoints[i].address] = {(bits & 1U) != 0, (bits & 2U) != 0, in_flight};
  }
  if (!service.endpoints.empty()) {
    const auto& labels = chosen(service.endpoints, state).labels;
    for (const auto& [name, value] : labels) (name == "node" ? world.agent.node : world.agent.zone) = value;
  }
  return world;
}

std::optional<eval::Token> user_of(const model::Policy& policy, std::uint8_t who, std::uint8_t what) {
  std::vector<const model::Identity*> users;
  for (const model::Identity& identity : policy.identities) {
    if (identity.jwt) users.push_back(&identity);
  }
  if (users.empty() || who % 3 == 0) return std::nullopt;
  const model::Identity& user = *chosen(users, who);
  static const std::array<std::vector<std::string>, 6> paths{{{"sub"}, {"groups"}, {"role"}, {"realm", "roles"}, {"tenant"}, {"scope"}}};
  static const std::array<const char*, 6> values{{"admin", "alice", "ops", "true", "", "a b"}};
  eval::Token token{user.jwt->issuer, user.jwt->audience, {}};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (((who >> i) & 1U) == 0) continue;
    eval::Claim claim{paths[i], {chosen(values, static_cast<std::uint8_t>(what + i))}, (what & 1U) != 0};
    if (claim.list) claim.values.emplace_back(chosen(values, static_cast<std::uint8_t>(what / 2)));
    token.claims.push_back(std::move(claim));
  }
  return token;
}

std::optional<std::string> caller_of(const model::Policy& policy, std::uint8_t byte) {
  if (byte == 0) return std::nullopt;
  const model::Identity& identity = chosen(policy.identities, byte);
  if (identity.patterns.empty()) return "spiffe://elsewhere.example/x";
  std::string path = chosen(identity.patterns, byte).path;
  // A star stands for something.
  for (std::size_t at = path.find('*'); at != std::string::npos; at = path.find('*')) path.replace(at, 1, "some");
  const bool by_alias = byte > 127 && !policy.trust_domain_alias.empty();
  return "spiffe://" + (by_alias ? policy.trust_domain_alias : policy.trust_domain) + "/" + path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < choices) return 0;
  const model::Policy& policy = *chosen(policies(), data[policy_at]);
  const model::Service& service = chosen(policy.services, data[service_at]);
  const std::string rest(reinterpret_cast<const char*>(data) + choices, size - choices);

  eval::Request request;
  request.spiffe = caller_of(policy, data[caller_at]);
  request.user = user_of(policy, data[user_at], data[claim_at]);
  request.source = {chosen(policy.services, data[source_at]).addresses.empty() ? model::IpAddress{} : chosen(policy.services, data[source_at]).addresses[0].ip,
                    data[source_at]};
  std::vector<model::SocketAddress> places = service.addresses;
  for (const model::Endpoint& endpoint : service.endpoints) places.push_back(endpoint.address);
  if (!places.empty()) request.destination = chosen(places, data[address_at]);
  request.head = rest;
  if (service.protocol == model::Protocol::tls && data[address_at] < 200) request.sni = rest;
  request.draw = data[draw_at] * 0x0101010101010101ULL;
  if (data[fault_at] % 3 != 0) request.delayed = data[fault_at] % 3 == 1;
  if (data[fault_at] % 5 != 0) request.aborted = data[fault_at] % 5 == 1;

  const eval::Evaluator evaluator(policy, world_of(service, data[world_at]));
  std::vector<eval::Step> trace;
  const eval::Outcome explained = evaluator.explain(request, trace);
  require(!trace.empty() && !eval::outcome_text(policy, explained).empty());
  eval::Accounts accounts;
  bool limited = false;
  for (unsigned time = 0; time <= data[time_at] % 8U; ++time) {
    request.now_ns = std::uint64_t{time} * data[time_at] * 1'000'000U;
    const eval::Outcome outcome = evaluator.decide(request, &accounts);
    // As long as no limit refuses, nothing but the clock has changed.
    limited = limited || outcome.verdict == eval::Verdict::limited;
    require(limited || eval::is_same(outcome, explained));
    require(outcome.verdict != eval::Verdict::forward || !outcome.endpoints.empty());
  }
  return 0;
}

namespace heddle::fuzz {

std::vector<std::string> seeds() {
  std::vector<std::string> result;
  const auto add = [&result](std::size_t policy, std::size_t service, const std::string& rest) {
    for (const char variant : {'\0', '\1', '\5', '\xA5'}) {
      std::string input(choices, variant);
      input[policy_at] = static_cast<char>(policy);
      input[service_at] = static_cast<char>(service);
      input[caller_at] = static_cast<char>(result.size());
      result.push_back(input + rest);
    }
  };
  for (std::size_t i = 0; i < policies().size(); ++i) {
    const model::Policy& policy = *policies()[i];
    for (const model::TestBlock& block : policy.tests) {
      for (const model::TestCase& test : block.cases) {
        const model::TestRequest& send = test.send;
        add(i, send.service, send.connect ? send.sni.value_or("") : eval::head_text(policy, send));
      }
    }
    for (std::size_t service = 0; service < policy.services.size(); ++service) {
      const std::string host = policy.services[service].name;
      add(i, service, "GET http://" + host + ":80/a/b?x=1&y=%20 HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: chunked\r\n\r\n");
      add(i, service, "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
      add(i, service, "OPTIONS /a HTTP/1.1\r\nHost: " + host + "\r\nOrigin: https://shop.example\r\nAccess-Control-Request-Method: PUT\r\n"
                      "Access-Control-Request-Headers: x-a, x-b\r\n\r\n");
      add(i, service, "POST /a//b/../c%2Fd HTTP/1.0\r\nHost: " + host + "\r\nConnection: keep-alive, x-user\r\nx-user: a\r\nx-user: b\r\n"
                      "Cookie: session=\"a\"; b\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n");
      add(i, service, "GET /a HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    }
  }
  require(result.size() > 100);
  return result;
}

std::vector<std::string> words() {
  return {"GET ", "POST ", "HEAD ", "OPTIONS ", "CONNECT ", " HTTP/1.1\r\n", " HTTP/1.0\r\n", "\r\n", "\r\n\r\n", "\n", "Host: ", "host: reviews\r\n", "Cookie: ",
          "Content-Length: ", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Connection: ", "Upgrade: ", "Origin: ", "Access-Control-Request-Method: ",
          "Authorization: Bearer ", "Expect: 100-continue\r\n", "TE: trailers\r\n", "%2F", "%2e", "%00", "/../", "//", ";", "?", "&", "=", "#", "\\", "http://", "https://",
          "[::1]", "127.0.0.1", ":80", "xn--", ".", "*", "\t", "\"", "; ", ", ", "\xC3\xBC", std::string(1, '\0')};
}

}  // namespace heddle::fuzz
