#include <gtest/gtest.h>

#include "compiler/eval/draw.h"
#include "tests/unit/eval/policy.h"

namespace heddle::eval {
namespace {

constexpr char shop[] = R"(
mesh shop { trust_domain "shop.example" }
identity web     = spiffe "ns/shop/sa/web"
identity batch   = spiffe "ns/shop/sa/batch-*"
identity readers = web or batch

service reviews {
  address   10.96.0.12:9080, [fd00::12]:9080
  protocol  http
  transport plaintext
  subset v1 where version is "v1"
  subset v2 where version is "v2"
  subset v3 where version is "v3"
  balance   round_robin
}
endpoints reviews {
  endpoint 10.0.1.11:9080 { version "v1" }
  endpoint 10.0.1.12:9080 { version "v1" }
  endpoint 10.0.2.11:9080 { version "v2" }
}
route reviews {
  when path is "/health"                                 -> respond 200 "ok"
  when header "end-user" is "jason"                      -> v2
  when path under "/new"                                 -> split { 90% v1, 10% v2 }
  when path under "/none"                                -> v3
  when method is POST and not header "x-debug" present   -> reviews
  otherwise                                              -> v1
}
access reviews {
  allow from readers when path under "/" and not path is "/secret"
  deny  from batch when method is POST
  allow from any when path is "/health"
  deny  from any when header "x-evil" present
}

service bare {
  address   10.96.0.20:80
  protocol  http
  transport plaintext
  balance   random
  endpoint  10.96.0.20:80
}

service open {
  address   10.96.0.30:80
  protocol  http
  transport plaintext
  balance   random
  endpoint  10.0.3.1:80
}
access open { allow from any }

service cache {
  address   10.96.0.40:6379
  protocol  tcp
  transport plaintext
  balance   random
  endpoint  10.0.4.1:6379
}
access cache { allow from web }
)";

struct Ask {
  std::string method = "GET";
  std::string target = "/";
  std::string spiffe = "ns/shop/sa/web";  // empty: nobody
  std::string lines{};
  std::string ip = "10.96.0.12";
  std::uint16_t port = 9080;
  std::uint64_t draw = 0;
};

struct Decisions : testing::Test {
  Policy policy{shop};
  Evaluator evaluator{policy.model};

  Outcome decide(const Ask& ask) {
    Request request;
    if (!ask.spiffe.empty()) request.spiffe = "spiffe://shop.example/" + ask.spiffe;
    request.destination = address(ask.ip, ask.port);
    request.head = ask.method + " " + ask.target + " HTTP/1.1\r\nHost: reviews\r\n" + ask.lines + "\r\n";
    request.draw = ask.draw;
    return evaluator.decide(request);
  }
  std::string rule(const Ask& ask) { return decide(ask).rule; }
};

std::vector<std::string> texts(const Outcome& outcome) {
  std::vector<std::string> result;
  for (const auto& endpoint : outcome.endpoints) result.push_back(endpoint.text());
  return result;
}

TEST_F(Decisions, ForwardToASubset) {
  const Outcome outcome = decide({});
  EXPECT_EQ(outcome.verdict, Verdict::forward);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.rule, "route reviews/otherwise");
  EXPECT_EQ(outcome.route_rule, "route reviews/otherwise");
  EXPECT_EQ(outcome.access_rule, "access reviews/1");
  EXPECT_EQ(pool_name(policy.model, *outcome.pool, outcome.pool->service), "v1");
  EXPECT_EQ(texts(outcome), (std::vector<std::string>{"10.0.1.11:9080", "10.0.1.12:9080"}));
}

TEST_F(Decisions, EveryAddressOfTheServiceSelectsIt) {
  EXPECT_EQ(rule({.ip = "fd00::12"}), "route reviews/otherwise");
  EXPECT_EQ(rule({.ip = "10.96.0.12", .port = 9081}), "mesh/outside");
}

TEST_F(Decisions, TheFirstMatchingRouteRule) {
  EXPECT_EQ(rule({.target = "/new", .lines = "end-user: jason\r\n"}), "route reviews/2");
  EXPECT_EQ(rule({.target = "/new"}), "route reviews/3");
  EXPECT_EQ(rule({.method = "POST"}), "route reviews/5");
  EXPECT_EQ(rule({.method = "POST", .lines = "x-debug: 1\r\n"}), "route reviews/otherwise");
}

TEST_F(Decisions, Respond) {
  const Outcome outcome = decide({.target = "/health?x", .spiffe = ""});
  EXPECT_EQ(outcome.verdict, Verdict::respond);
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(outcome.body, "ok");
  EXPECT_EQ(outcome.rule, "route reviews/1");
  EXPECT_EQ(outcome.access_rule, "access reviews/3");
  EXPECT_FALSE(outcome.pool);
}

TEST_F(Decisions, DenyWinsOverAllowWhateverTheOrder) {
  const Outcome outcome = decide({.method = "POST", .spiffe = "ns/shop/sa/batch-7"});
  EXPECT_EQ(outcome.verdict, Verdict::deny);
  EXPECT_EQ(outcome.status, 403);
  EXPECT_EQ(outcome.rule, "access reviews/2");
  EXPECT_EQ(outcome.access_rule, "access reviews/2");
  EXPECT_EQ(outcome.route_rule, "");
  EXPECT_EQ(rule({.lines = "x-evil: 1\r\n"}), "access reviews/4");
  // Of several matching denies the first is named.
  EXPECT_EQ(rule({.method = "POST", .spiffe = "ns/shop/sa/batch-7", .lines = "x-evil: 1\r\n"}),
            "access reviews/2");
}

TEST_F(Decisions, NothingIsAllowedByDefault) {
  EXPECT_EQ(rule({.target = "/secret"}), "access reviews/default");
  EXPECT_EQ(rule({.spiffe = ""}), "access reviews/default");
  EXPECT_EQ(rule({.spiffe = "ns/shop/sa/other"}), "access reviews/default");
  const Outcome outcome = decide({.ip = "10.96.0.20", .port = 80});
  EXPECT_EQ(outcome.rule, "access bare/default");
  EXPECT_EQ(outcome.status, 403);
}

TEST_F(Decisions, WithoutRouteAllEndpoints) {
  const Outcome outcome = decide({.spiffe = "", .ip = "10.96.0.30", .port = 80});
  EXPECT_EQ(outcome.rule, "route open/otherwise");
  EXPECT_EQ(pool_name(policy.model, *outcome.pool, outcome.pool->service), "open");
  EXPECT_EQ(texts(outcome), std::vector<std::string>{"10.0.3.1:80"});
}

TEST_F(Decisions, AnEmptyPoolIsUnhealthy) {
  const Outcome outcome = decide({.target = "/none"});
  EXPECT_EQ(outcome.verdict, Verdict::unhealthy);
  EXPECT_EQ(outcome.status, 503);
  EXPECT_EQ(outcome.rule, "service reviews/unhealthy");
  EXPECT_EQ(outcome.route_rule, "route reviews/4");
}

TEST_F(Decisions, ADirectEndpointIsJudgedByAccessAlone) {
  const Outcome outcome = decide({.target = "/health", .spiffe = "", .ip = "10.0.2.11"});
  EXPECT_EQ(outcome.verdict, Verdict::forward);
  EXPECT_EQ(outcome.rule, "access reviews/3");
  EXPECT_EQ(outcome.route_rule, "");
  EXPECT_FALSE(outcome.pool);
  EXPECT_EQ(texts(outcome), std::vector<std::string>{"10.0.2.11:9080"});
  EXPECT_EQ(rule({.spiffe = "", .ip = "10.0.2.11"}), "access reviews/default");
  EXPECT_EQ(rule({.lines = "end-user: a\r\nend-user: b\r\n", .ip = "10.0.2.11"}), "mesh/malformed");
}

TEST_F(Decisions, AnAddressWinsOverTheSameEndpoint) {
  EXPECT_EQ(rule({.ip = "10.96.0.20", .port = 80}), "access bare/default");
  Policy open(
      "mesh m { trust_domain \"t\" } service s { address 10.0.0.1:80 protocol http transport plaintext "
      "balance "
      "random endpoint 10.0.0.1:80 } access s { allow from any }");
  Request request;
  request.destination = address("10.0.0.1", 80);
  request.head = "GET / HTTP/1.1\r\nHost: s\r\n\r\n";
  EXPECT_EQ(Evaluator(open.model).decide(request).rule, "route s/otherwise");
}

TEST_F(Decisions, TheDrawChoosesThePart) {
  const std::string id = "route reviews/3";
  const auto part = [&](std::uint32_t share) {
    const Pool pool = *decide({.target = "/new", .draw = draw_for(share, id)}).pool;
    return pool_name(policy.model, pool, pool.service);
  };
  EXPECT_EQ(part(0), "v1");
  EXPECT_EQ(part(899'999), "v1");
  EXPECT_EQ(part(900'000), "v2");
  EXPECT_EQ(part(999'999), "v2");
}

TEST_F(Decisions, TheFormComesBeforeAccess) {
  const Outcome outcome = decide({.target = "/a/../secret", .spiffe = ""});
  EXPECT_EQ(outcome.verdict, Verdict::refuse);
  EXPECT_EQ(outcome.status, 400);
  EXPECT_EQ(outcome.rule, "mesh/path");
  EXPECT_EQ(outcome.access_rule, "");
  EXPECT_EQ(rule({.lines = "end-user: jason\r\nEnd-User: jason\r\n"}), "mesh/malformed");
  EXPECT_EQ(rule({.lines = "connection: x-evil\r\n"}), "mesh/malformed");
  // Only `present` is asked of it, so it may repeat.
  EXPECT_EQ(rule({.lines = "x-evil: 1\r\nx-evil: 2\r\n"}), "access reviews/4");
  // Another service's headers do not matter here.
  EXPECT_EQ(rule({.lines = "end-user: a\r\nend-user: a\r\n", .ip = "10.96.0.30", .port = 80}),
            "route open/otherwise");
}

TEST_F(Decisions, TcpAsksForTheCallerAlone) {
  Outcome outcome = decide({.ip = "10.96.0.40", .port = 6379});
  EXPECT_EQ(outcome.verdict, Verdict::forward);
  EXPECT_EQ(outcome.rule, "route cache/otherwise");
  outcome = decide({.target = "no request at all", .spiffe = "", .ip = "10.96.0.40", .port = 6379});
  EXPECT_EQ(outcome.verdict, Verdict::deny);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.rule, "access cache/default");
}

TEST_F(Decisions, OutsideIsLeftAloneOrDenied) {
  EXPECT_EQ(decide({.ip = "192.0.2.1"}).verdict, Verdict::outside);
  Policy closed("mesh m { trust_domain \"t\" outside deny }");
  Request request;
  request.destination = address("192.0.2.1", 80);
  const Outcome outcome = Evaluator(closed.model).decide(request);
  EXPECT_EQ(outcome.verdict, Verdict::deny);
  EXPECT_EQ(outcome.rule, "mesh/outside");
  EXPECT_FALSE(outcome.service);
}

TEST_F(Decisions, TheTraceSaysWhatWasLookedAt) {
  Request request;
  request.spiffe = "spiffe://shop.example/ns/shop/sa/web";
  request.destination = address("10.96.0.12", 9080);
  request.head = "GET /new HTTP/1.1\r\nHost: reviews\r\n\r\n";
  std::vector<Step> trace;
  const Outcome outcome = evaluator.explain(request, trace);
  EXPECT_EQ(outcome.rule, decide({.target = "/new"}).rule);
  std::string text;
  for (const Step& step : trace) text += (step.hit ? "* " : "- ") + step.rule + "|" + step.text + "\n";
  EXPECT_EQ(text,
            "* |10.96.0.12:9080 is an address of service `reviews` (http)\n"
            "* |GET /new, host `reviews`\n"
            "* |spiffe://shop.example/ns/shop/sa/web, that is `readers`, `web`\n"
            "- access reviews/2|deny: is for other callers\n"
            "- access reviews/4|deny: does not apply\n"
            "* access reviews/1|allow: applies\n"
            "- route reviews/1|does not match\n"
            "- route reviews/2|does not match\n"
            "* route reviews/3|matches\n"
            "* |split { *90% v1, 10% v2 }: draw 0 has share " +
                trace[9].text.substr(trace[9].text.rfind(' ') + 1) +
                "\n"
                "* |`v1`, round_robin of 10.0.1.11:9080, 10.0.1.12:9080\n");
  EXPECT_EQ(policy.sources.text(*trace[7].cause), "header \"end-user\" is \"jason\"");
  EXPECT_TRUE(trace[8].place);
}

}  // namespace
}  // namespace heddle::eval
