// Connections to tcp services: what is known of them is a caller, an address and a port.
#include <gtest/gtest.h>

#include <set>

#include "compiler/eval/evaluator.h"
#include "compiler/eval/test_run.h"
#include "tests/unit/eval/policy.h"

namespace heddle::eval {
namespace {

constexpr char mesh[] = R"(
mesh m { trust_domain "m.example" }
identity web = spiffe "ns/web"
identity foe = spiffe "ns/foe"

service queue { address 10.0.0.1:5672, [fd00::1]:5672  protocol tcp  transport plaintext
                subset v1 where version is "v1"  subset v2 where version is "v2"
                endpoint 10.1.0.1:5672 { version "v1" }  endpoint 10.1.0.2:5672 { version "v2" } }
service inner { address 10.0.0.2:5672  protocol tcp  transport plaintext  balance maglev by address
                endpoint 10.1.0.3:5672  endpoint 10.1.0.4:5672 }
service plain { address 10.0.0.3:5672  protocol tcp  transport plaintext  endpoint 10.1.0.5:5672 }

access every service { deny from any when address in [203.0.113.0/24] }
access inner { deny from any when address is 10.3.9.9  allow from web }
access plain { allow from web }
access queue {
  deny  from any when address in [192.0.2.0/24, 2001:db8::/32]
  deny  from foe when address not in [10.0.0.0/8]
  allow from any
}
limit l on queue { when address in [10.7.0.0/16]  rate 1/h burst 1  key address }
route queue {
  when address in [10.2.0.0/16, fd00::/16] -> v2
  when address in [10.3.0.0/16]            -> inner
  when address in [10.4.0.0/16]            -> split by address { 50% v1, 50% v2 }
  otherwise                                -> v1
}
)";

Request request_of(const std::string& caller, const std::string& source, const std::string& to = "10.0.0.1") {
  Request request;
  request.spiffe = "spiffe://m.example/" + caller;
  if (!source.empty()) request.source = address(source, 5000);
  request.destination = address(to, 5672);
  return request;
}

TEST(Tcp, IsDecidedByAddressAndCaller) {
  const Policy policy(mesh);
  const Evaluator evaluator(policy.model);
  struct Row {
    const char* caller;
    const char* source;
    const char* rule;
    const char* endpoint;  // empty: none
  };
  const Row rows[] = {
      {"ns/web", "10.9.0.1", "route queue/otherwise", "10.1.0.1:5672"},
      {"ns/web", "10.2.255.255", "route queue/1", "10.1.0.2:5672"},
      {"ns/web", "fd00::9", "route queue/1", "10.1.0.2:5672"},
      {"ns/web", "::ffff:10.2.0.1", "route queue/1", "10.1.0.2:5672"},
      {"ns/web", "192.0.2.1", "access queue/1", ""},
      {"ns/web", "2001:db8::1", "access queue/1", ""},
      {"ns/web", "203.0.113.7", "access every/1", ""},
      {"ns/foe", "10.9.0.1", "route queue/otherwise", "10.1.0.1:5672"},
      {"ns/foe", "11.9.0.1", "access queue/2", ""},
      {"ns/web", "10.3.9.9", "access inner/1", ""},
      {"ns/foe", "10.3.0.1", "access inner/default", ""},
  };
  for (const Row& row : rows) {
    const Outcome outcome = evaluator.decide(request_of(row.caller, row.source));
    EXPECT_EQ(outcome.rule, row.rule) << row.source;
    EXPECT_EQ(outcome.status, 0) << row.source;
    EXPECT_FALSE(outcome.asked_source) << row.source;
    EXPECT_EQ(outcome.endpoints.empty() ? "" : outcome.endpoints.front().text(), row.endpoint) << row.source;
  }
  EXPECT_EQ(evaluator.decide(request_of("ns/web", "203.0.113.7", "10.0.0.3")).rule, "access every/1");
}

TEST(Tcp, ConnectionsOfOneAddressTakeOnePart) {
  const Policy policy(mesh);
  const Evaluator evaluator(policy.model);
  for (const std::string net : {"10.4.0.", "10.3.0."}) {
    std::set<std::string> all;
    for (int last = 1; last < 40; ++last) {
      std::set<std::string> parts;
      for (std::uint64_t draw = 0; draw < 5; ++draw) {
        Request request = request_of("ns/web", net + std::to_string(last));
        request.draw = draw << 60;
        const Outcome outcome = evaluator.decide(request);
        parts.insert(outcome.drawn.value_or(outcome.endpoints.front()).text());
      }
      EXPECT_EQ(parts.size(), 1u) << net << last;
      all.merge(parts);
    }
    EXPECT_EQ(all.size(), 2u) << net;
  }
}

TEST(Tcp, LimitsCountConnectionsOfAnAddress) {
  const Policy policy(mesh);
  const Evaluator evaluator(policy.model);
  Accounts accounts;
  const auto decide = [&](const char* source) { return evaluator.decide(request_of("ns/web", source), &accounts).rule; };
  EXPECT_EQ(decide("10.7.0.1"), "route queue/otherwise");
  EXPECT_EQ(decide("10.7.0.1"), "limit queue/l");
  EXPECT_EQ(decide("10.7.0.2"), "route queue/otherwise");
  EXPECT_EQ(decide("10.8.0.1"), "route queue/otherwise");
  EXPECT_EQ(decide("10.8.0.1"), "route queue/otherwise");
}

TEST(Tcp, AnOutcomeMayDependOnAnAddressThatIsNotKnown) {
  const std::string asked = mesh;
  const auto failures = [&](const std::string& body) {
    const Policy policy(asked + "test \"t\" {\n" + body + "\n}\n");
    EvaluatorEngine engine(policy.model);
    const TestResult result = run_test(policy.model, policy.model.tests.front(), engine);
    return result.failures.size() + (result.trouble ? 100 : 0);
  };
  EXPECT_EQ(failures("connect to queue from web at 192.0.2.1  expect denied, rule \"access queue/1\""), 0u);
  EXPECT_EQ(failures("connect to queue from web at 10.2.0.1  expect allowed, route v2"), 0u);
  EXPECT_EQ(failures("connect to queue from web at fd00::7  expect allowed, route v2"), 0u);
  EXPECT_EQ(failures("connect to queue from web at 10.7.0.1 2 times  expect limited"), 0u);
  EXPECT_NE(failures("connect to queue from web  expect allowed"), 0u);
  EXPECT_TRUE(Evaluator(Policy(asked).model).decide(request_of("ns/web", "")).asked_source);
}

}  // namespace
}  // namespace heddle::eval
