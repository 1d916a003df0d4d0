// Connections to services of TLS: what is known of them is a caller, an address, a port and perhaps a name.
#include <gtest/gtest.h>

#include <set>

#include "compiler/eval/evaluator.h"
#include "compiler/eval/server_name.h"
#include "tests/unit/eval/policy.h"

namespace heddle::eval {
namespace {

constexpr char mesh[] = R"(
mesh m { trust_domain "m.example" }
identity web = spiffe "ns/web"
identity foe = spiffe "ns/foe"

service gate  { address 10.0.0.1:443  protocol tls  transport plaintext  subset v1 where version is "v1"  subset v2 where version is "v2"
                endpoint 10.1.0.1:443 { version "v1" }  endpoint 10.1.0.2:443 { version "v2" } }
service inner { address 10.0.0.2:443  protocol tls  transport plaintext  balance maglev by address
                endpoint 10.1.0.3:443  endpoint 10.1.0.4:443 }

access inner { deny from any when sni is "no.inner.example"  allow from web }
access gate {
  deny  from any when sni under "secret.example" or address in [192.0.2.0/24]
  deny  from foe when sni not in ["open.example"]
  allow from any
}
limit l on gate { when sni is "few.example"  rate 1/h burst 1  key address }
route gate {
  when sni is "A.Example"                               -> v2
  when sni in ["b.example", "c.example"]                -> v2
  when sni under "Inner.example"                        -> inner
  when sni under "split.example"                        -> split by address { 50% v1, 50% v2 }
  when not sni under "example" and address is 10.9.9.9  -> v2
  otherwise                                             -> v1
}
)";

struct Row {
  const char* caller;
  const char* source;
  std::optional<std::string> sni;
  const char* rule;
  const char* endpoint;  // empty: none
};

Request request_of(const Row& row) {
  Request request;
  request.spiffe = "spiffe://m.example/" + std::string(row.caller);
  request.source = address(row.source, 5000);
  request.destination = address("10.0.0.1", 443);
  request.sni = row.sni;
  return request;
}

TEST(Tls, IsDecidedByNameAddressAndCaller) {
  const Policy policy(mesh);
  const Evaluator evaluator(policy.model);
  const Row rows[] = {
      {"ns/web", "10.9.0.1", std::nullopt, "route gate/otherwise", "10.1.0.1:443"},
      {"ns/web", "10.9.0.1", "x.example", "route gate/otherwise", "10.1.0.1:443"},
      {"ns/web", "10.9.0.1", "a.eXample", "route gate/1", "10.1.0.2:443"},
      {"ns/web", "10.9.0.1", "C.example", "route gate/2", "10.1.0.2:443"},
      {"ns/web", "10.9.9.9", "c.test", "route gate/5", "10.1.0.2:443"},
      {"ns/web", "10.9.9.9", std::nullopt, "route gate/5", "10.1.0.2:443"},
      {"ns/web", "10.9.9.9", "c.d.example", "route gate/otherwise", "10.1.0.1:443"},
      {"ns/web", "10.9.0.1", "SECRET.example", "access gate/1", ""},
      {"ns/web", "10.9.0.1", "a.b.secret.example", "access gate/1", ""},
      {"ns/web", "10.9.0.1", "nosecret.example", "route gate/otherwise", "10.1.0.1:443"},
      {"ns/web", "192.0.2.9", "a.example", "access gate/1", ""},
      {"ns/foe", "10.9.0.1", "Open.example", "route gate/otherwise", "10.1.0.1:443"},
      {"ns/foe", "10.9.0.1", "a.example", "access gate/2", ""},
      {"ns/foe", "10.9.0.1", std::nullopt, "access gate/2", ""},
      {"ns/web", "10.9.0.1", "no.inner.example", "access inner/1", ""},
  };
  for (const Row& row : rows) {
    const Outcome outcome = evaluator.decide(request_of(row));
    const std::string name = std::string(row.caller) + " " + row.sni.value_or("-");
    EXPECT_EQ(outcome.rule, row.rule) << name;
    EXPECT_EQ(outcome.status, 0) << name;
    ASSERT_EQ(outcome.endpoints.size(), *row.endpoint == '\0' ? 0u : 1u) << name;
    EXPECT_EQ(outcome.endpoints.empty() ? "" : outcome.endpoints.front().text(), row.endpoint) << name;
  }
}

TEST(Tls, RefusesWhatIsNoName) {
  const Policy policy(mesh);
  const Evaluator evaluator(policy.model);
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  for (const std::string& name : {std::string(""), std::string("."), std::string("secret.example."), std::string(".a"), std::string("a..b"),
                                  std::string("10.0.0.1"), std::string("a.1"), std::string("1"), std::string("::1"), std::string("a:1"),
                                  std::string("a\0b", 3), std::string("\xc3\xa9"), "a" + label, "a." + label + "a", longest + "b"}) {
    EXPECT_TRUE(check_server_name(name)) << testing::PrintToString(name);
    const Outcome outcome = evaluator.decide(request_of({"ns/web", "10.9.0.1", name, "", ""}));
    EXPECT_EQ(outcome.rule, "mesh/malformed") << testing::PrintToString(name);
    EXPECT_EQ(outcome.verdict, Verdict::refuse);
    EXPECT_EQ(outcome.status, 0);
  }
  for (const std::string& name : {std::string("a"), std::string("1.a"), std::string("-_"), std::string("A.b-C_d"), label + ".x", longest})
    EXPECT_FALSE(check_server_name(name)) << name;
}

TEST(Tls, ConnectionsOfOneAddressTakeOnePart) {
  const Policy policy(mesh);
  const Evaluator evaluator(policy.model);
  std::set<std::string> all;
  for (int last = 1; last < 40; ++last) {
    const std::string source = "10.9.0." + std::to_string(last);
    std::set<std::string> parts;
    for (std::uint64_t draw = 0; draw < 5; ++draw) {
      Request request = request_of({"ns/web", source.c_str(), "x.split.example", "", ""});
      request.draw = draw << 60;
      parts.insert(evaluator.decide(request).endpoints.front().text());
      request.sni = "inner.example";
      EXPECT_TRUE(evaluator.decide(request).drawn) << "the address says the endpoint";
    }
    EXPECT_EQ(parts.size(), 1u);
    all.merge(parts);
  }
  EXPECT_EQ(all.size(), 2u);
}

TEST(Tls, LimitsCountConnections) {
  const Policy policy(mesh);
  const Evaluator evaluator(policy.model);
  Accounts accounts;
  const auto decide = [&](const char* source, const char* name) {
    return evaluator.decide(request_of({"ns/web", source, name, "", ""}), &accounts).rule;
  };
  EXPECT_EQ(decide("10.9.0.1", "few.example"), "route gate/otherwise");
  EXPECT_EQ(decide("10.9.0.1", "few.example"), "limit gate/l");
  EXPECT_EQ(decide("10.9.0.2", "few.example"), "route gate/otherwise");
  EXPECT_EQ(decide("10.9.0.1", "b.example"), "route gate/2");
}

TEST(Tls, AnEndpointItselfHasNoRoute) {
  const Policy policy(mesh);
  const Evaluator evaluator(policy.model);
  Request request = request_of({"ns/web", "10.9.0.1", "a.example", "", ""});
  request.destination = address("10.1.0.1", 443);
  EXPECT_EQ(evaluator.decide(request).rule, "access gate/3");
  EXPECT_EQ(evaluator.decide(request).endpoints.front().text(), "10.1.0.1:443");
  request.sni = "secret.example";
  EXPECT_EQ(evaluator.decide(request).rule, "access gate/1");
}

}  // namespace
}  // namespace heddle::eval
