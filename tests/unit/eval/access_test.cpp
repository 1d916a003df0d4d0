// What is judged beside a service's own `access`: the rules of every service, audits, and the access of a target.
#include <gtest/gtest.h>

#include "compiler/eval/evaluator.h"
#include "tests/unit/eval/policy.h"

namespace heddle::eval {
namespace {

constexpr char mesh[] = R"(
mesh m { trust_domain "new.example" alias "old.example" }
identity web   = spiffe "ns/web"
identity batch = spiffe "spiffe://old.example/ns/batch"
identity guest = spiffe "ns/guest"

service shop   { address 10.0.0.1:80  protocol http  transport plaintext  subset v1 where version is "v1"
                 endpoint 10.1.0.1:80 { version "v1" } }
service stock  { address 10.0.0.2:80  protocol http  transport plaintext  subset v2 where version is "v2"
                 endpoint 10.1.0.2:80 { version "v2" } }
service trial  { address 10.0.0.3:80  protocol http  transport plaintext  endpoint 10.1.0.3:80 }
service empty  { address 10.0.0.4:80  protocol http  transport plaintext }
service queue  { address 10.0.0.5:5   protocol tcp   transport plaintext  endpoint 10.1.0.5:5 }

access every http service { deny from any when header "x-internal" present  audit allow from guest }
access every service { deny from guest when port is 5  audit deny from unauthenticated }

access shop  { allow from any  audit deny from batch when path under "/a" }
access stock { deny from batch when header "x-no" has "1"  allow from web, batch  audit deny from web }
access trial audit { deny from guest  allow from web }
access empty { allow from any }
access queue { allow from any }

route shop {
  when path under "/stock"    -> stock
  when path under "/stock-v2" -> stock.v2
  when path under "/empty"    -> empty
  when path under "/trial"    -> trial
  when path under "/part"     -> split { 50% v1, 50% stock.v2 }
  otherwise                   -> v1
}
)";

struct Row {
  const char* caller;  // path of its id below the trust domain, or a whole id; empty: nobody
  const char* address;
  std::uint16_t port;
  const char* path;
  const char* lines;
  const char* rule;
  const char* endpoint;  // empty: none
  std::vector<std::string> audited;
};

TEST(Access, OfEveryServiceOfAuditsAndOfTargets) {
  const Policy policy(mesh);
  const Evaluator evaluator(policy.model);
  const Row rows[] = {
      {"ns/web", "10.0.0.1", 80, "/", "", "route shop/otherwise", "10.1.0.1:80", {}},
      {"", "10.0.0.1", 80, "/", "", "route shop/otherwise", "10.1.0.1:80", {"access every/2"}},
      {"ns/guest", "10.0.0.1", 80, "/", "", "route shop/otherwise", "10.1.0.1:80", {"access every http/2"}},
      {"ns/web", "10.0.0.1", 80, "/", "X-Internal: 1\r\n", "access every http/1", "", {}},
      {"ns/batch", "10.0.0.1", 80, "/a/b", "", "route shop/otherwise", "10.1.0.1:80", {"access shop/2"}},
      {"ns/batch", "10.0.0.1", 80, "/a/b", "X-Internal: 1\r\n", "access every http/1", "", {"access shop/2"}},
      // Under the old trust domain it is the same caller.
      {"spiffe://old.example/ns/batch", "10.0.0.1", 80, "/a", "", "route shop/otherwise", "10.1.0.1:80", {"access shop/2"}},
      {"spiffe://other.example/ns/batch", "10.0.0.1", 80, "/a", "", "route shop/otherwise", "10.1.0.1:80", {}},
      // Both have to allow what goes on to another service.
      {"ns/web", "10.0.0.1", 80, "/stock", "", "route shop/1", "10.1.0.2:80", {"access stock/3"}},
      {"ns/batch", "10.0.0.1", 80, "/stock-v2/x", "", "route shop/2", "10.1.0.2:80", {}},
      {"ns/batch", "10.0.0.1", 80, "/stock", "X-No: 0, 1\r\n", "access stock/1", "", {}},
      {"ns/batch", "10.0.0.1", 80, "/stock", "X-No: 0\r\nX-No: 1\r\n", "access stock/1", "", {}},
      {"ns/batch", "10.0.0.1", 80, "/stock", "X-No: 10,\r\nX-No: 01\r\n", "route shop/1", "10.1.0.2:80", {}},
      {"ns/guest", "10.0.0.1", 80, "/stock", "", "access stock/default", "", {"access every http/2", "access every http/2"}},
      {"ns/web", "10.0.0.1", 80, "/empty", "", "service empty/unhealthy", "", {}},
      // A block on trial denies nothing, and what every service says still holds.
      {"ns/guest", "10.0.0.3", 80, "/", "", "route trial/otherwise", "10.1.0.3:80", {"access every http/2", "access trial audit/1"}},
      {"ns/batch", "10.0.0.3", 80, "/", "", "route trial/otherwise", "10.1.0.3:80", {"access trial audit/default"}},
      {"ns/web", "10.0.0.3", 80, "/", "", "route trial/otherwise", "10.1.0.3:80", {}},
      {"ns/web", "10.0.0.3", 80, "/", "X-Internal:\r\n", "access every http/1", "", {}},
      {"ns/batch", "10.0.0.1", 80, "/trial", "", "route shop/4", "10.1.0.3:80", {"access trial audit/default"}},
      // tcp services have the rules of every service, and not those of every http service.
      {"ns/guest", "10.0.0.5", 5, "", "", "access every/1", "", {}},
      {"ns/web", "10.0.0.5", 5, "", "", "route queue/otherwise", "10.1.0.5:5", {}},
  };
  for (const Row& row : rows) {
    Request request;
    const std::string caller = row.caller;
    if (!caller.empty()) request.spiffe = caller.starts_with("spiffe:") ? caller : "spiffe://new.example/" + caller;
    ASSERT_TRUE(model::parse_ip(row.address, request.destination.ip));
    request.destination.port = row.port;
    if (row.path[0] != '\0')
      request.head = std::string("GET ") + row.path + " HTTP/1.1\r\nHost: shop\r\n" + row.lines + "\r\n";
    const Outcome outcome = evaluator.decide(request);
    const std::string name = caller + " to " + row.address + row.path + " " + row.lines;
    EXPECT_EQ(outcome.rule, row.rule) << name;
    EXPECT_EQ(outcome.endpoints.empty() ? "" : outcome.endpoints.front().text(), row.endpoint) << name;
    EXPECT_EQ(outcome.audited, row.audited) << name;
  }
}

}  // namespace
}  // namespace heddle::eval
