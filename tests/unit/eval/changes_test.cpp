// What is evaluated and not run yet: retries, changes of requests and responses, mirrors, faults, cors, users with tokens, and
// HTTP/2. Each policy brings tests in its own language; each row below is an expectation that holds, or one that does not.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "compiler/eval/test_run.h"
#include "tests/unit/eval/policy.h"

namespace heddle::eval {
namespace {

constexpr char shop[] = R"(
mesh m { trust_domain "t" }
identity web = spiffe "web"
identity cart = spiffe "cart"
identity gate = spiffe "gate"
identity admin = jwt issuer "https://id" audience "shop" jwks "keys/id.jwks" where claim "roles" has "admin"
identity guest = jwt issuer "https://id" audience "shop" jwks "keys/id.jwks"
identity people = admin or guest
identity all = web or guest

service s {
  address 10.0.0.1:80  protocol http  transport mtls or plaintext  identity cart
  subset v1 where version is "v1"
  subset v2 where version is "v2"
  endpoint 10.1.0.1:80 { version "v1" }
  endpoint 10.1.0.2:80 { version "v2" }
}
service other { address 10.0.0.2:80  protocol http  transport mtls  identity cart  endpoint 10.2.0.1:80 }
service h2 { address 10.0.0.3:80  protocol http2  transport plaintext  endpoint 10.3.0.1:80 }
service rpc { address 10.0.0.4:80  protocol grpc  transport tls  identity cart  endpoint 10.4.0.1:80 }
access h2 { allow from any }
access rpc { allow from web when grpc "shop.Cart"  deny from any when grpc "shop.Cart/Empty" }
access other {
  allow from any when path under "/new" and header "x-new" is "1"
  allow from any when host is "inner.example"
  deny  from any when header "x-list" is "bad" or header "x-from" is "10.9.9.9"
}
access s {
  allow from web, guest
  deny  from guest when path is "/admin"
  deny  from people when path is "/closed" and claim "dept" "name" is "it"
  allow from admin via [gate] when path is "/through"
}
retry gentle {
  on        connect_failure, reset, status 502..504, timeout
  at_most   2 retries
  per_try   250ms
  backoff   25ms..250ms
  budget    20% of requests at_least 3/s
}
limit by_user on s { when path is "/limited"  rate 1/h burst 1  key user, claim "tenant"  scope mesh }
route s {
  timeout 2s
  retry gentle
  when path is "/once"          -> v1 { retry none }
  when path is "/slow"          -> v1 { per_try 100ms  timeout none }
  when path under "/legacy"     -> v1 { rewrite path "/legacy" to "/reviews"  set header "x-legacy" "1"  remove header "cookie" }
  when path under "/root"       -> v1 { rewrite path "/root" to "/" }
  when path like "/a/{x}/b/{y}/**" -> v1 { rewrite path like "/a/{x}/b/{y}/**" to "/{y}/of/{x}/**" }
  when path is "/whole"         -> v1 { rewrite path to "/x"  rewrite host to "inner.example" }
  when path is "/who"           -> v1 { set header "x-who" identity  set header "x-from" address  set header "x-user" claim "sub"
                                        add header "x-list" "b"  set response header "cache-control" "no-store"
                                        remove response header "server" }
  when path is "/copy"          -> v1 { mirror v2 5% }
  when path is "/broken"        -> v1 { fault abort 503 100%  fault delay 1s 50% }
  when path is "/sometimes"     -> v1 { fault abort 503 1% }
  when path is "/split"         -> split { 50% v1 { set header "x-part" "1" }, 50% v2 { set header "x-part" "2"  remove header "x-rule" } }
                                   { set header "x-rule" "r" }
  when path under "/old"        -> other { rewrite path "/old" to "/new"  set header "x-new" "1" }
  when path under "/lost"       -> other { set header "x-new" "1" }
  when path is "/host"          -> other { rewrite host to "Inner.Example" }
  when path is "/added"         -> other { rewrite host to "inner.example"  add header "x-list" "bad" }
  when path is "/from"          -> other { rewrite host to "inner.example"  set header "x-from" address }
  when path is "/copies"        -> v1 { mirror other }
  when path is "/both"          -> split { 50% respond 200 "", 50% respond 503 "" } { fault abort 503 99% }
  when path is "/chat"          -> v1 { upgrade websocket }
  when method is PUT and address in [10.0.0.0/8] -> v1 { cors { origins ["https://a.example"] } }
  when path is "/page" and method is GET -> v1 { cors { origins ["https://a.example", /https:\/\/.*\.b\.example/] methods [GET, PUT]
                                   headers ["x-a"] expose ["x-b"] credentials max_age 1h } }
  when path is "/open"          -> respond 200 "ok" { set response header "x-r" "1"  cors { origins ["*"] } }
  otherwise                     -> v2
}
)";

/// What `send … expect …` comes to: nothing, or what happened instead.
std::string result_of(const std::string& test) {
  const Policy policy(shop + std::string("\ntest \"t\" { send ") + test + " }");
  EvaluatorEngine engine(policy.model);
  const TestResult result = run_test(policy.model, policy.model.tests.front(), engine);
  EXPECT_FALSE(result.trouble);
  return result.failures.empty() ? "" : result.failures.front().happened;
}

void holds(const std::vector<const char*>& tests) {
  for (const char* test : tests) EXPECT_EQ(result_of(test), "") << test;
}

/// Each is one that would hold if the evaluator did nothing, or the wrong thing.
void fails(const std::vector<const char*>& tests) {
  for (const char* test : tests) EXPECT_NE(result_of(test), "") << test;
}

TEST(Tries, OfRuleRouteAndRetry) {
  holds({
      R"(GET "/x" to s from web expect retries 2, timeout 2s)",
      R"(GET "/once" to s from web expect retries 0, timeout 2s)",
      R"(POST "/x" to h2 expect retries 0)",
      R"(GET "/slow" to s from web expect retries 2, timeout none)",
  });
  fails({
      R"(GET "/x" to s from web expect retries 0)",
      R"(GET "/once" to s from web expect retries 2)",
      R"(GET "/x" to s from cart expect retries 2)",
  });
}

TEST(Changes, OfPathAndHost) {
  holds({
      R"(GET "/x?q=1" to s from web expect path "/x", host "s")",
      R"(GET "/legacy" to s from web expect path "/reviews")",
      R"(GET "/legacy/" to s from web expect path "/reviews/")",
      R"(GET "/legacy/7?q=1" to s from web expect path "/reviews/7")",
      R"(GET "/root" to s from web expect path "/")",
      R"(GET "/root/x" to s from web expect path "/x")",
      R"(GET "/a/1/b/2" to s from web expect path "/2/of/1")",
      R"(GET "/a/1/b/2/" to s from web expect path "/2/of/1/")",
      R"(GET "/a/1/b/2/c/d" to s from web expect path "/2/of/1/c/d")",
      R"(GET "/whole" to s from web expect path "/x", host "inner.example")",
  });
  fails({
      R"(GET "/legacy/7" to s from web expect path "/legacy/7")",
      R"(GET "/a/1/b/2" to s from web expect path "/1/of/2")",
      R"(GET "/whole" to s from web expect host "s")",
      R"(GET "/x" to s from cart expect path "/x")",
  });
}

TEST(Changes, OfHeaders) {
  holds({
      R"(GET "/legacy" to s from web with header "x-legacy" "0" with header "cookie" "a=b" expect header "x-legacy" "1", header "cookie" absent)",
      R"(GET "/x" to s from web with header "x-legacy" "0" expect header "x-legacy" "0")",
      R"(GET "/x" to s from web with header "x-hop" "0" with header "connection" "x-hop" expect header "x-hop" absent, header "connection" absent)",
      R"(GET "/who" to s from web at 192.0.2.1 with header "x-who" "forged" expect header "x-who" "spiffe://t/web", header "x-from" "192.0.2.1")",
      R"(GET "/who" to s from guest at 192.0.2.1 with header "x-who" "forged" with claim "sub" "u1" expect header "x-who" absent, header "x-user" "u1")",
      R"(GET "/who" to s from web at 192.0.2.1 with header "x-user" "forged" expect header "x-user" absent)",
      R"(GET "/who" to s from web at 192.0.2.1 with header "x-list" "a" expect header "x-list" "a")",
      R"(GET "/who" to s from web at 192.0.2.1 with header "x-list" "a" expect header "x-list" "b")",
      R"(GET "/who" to s from web expect header "x-list" "b")",
      R"(GET "/who" to s from web expect response header "cache-control" "no-store", response header "server" absent)",
      R"(GET "/split" to s from web expect route v1 or v2)",
      R"(GET "/chat" to s from web with header "upgrade" "websocket" with header "connection" "upgrade" expect header "upgrade" "websocket")",
      R"(GET "/x" to s from web with header "upgrade" "websocket" with header "connection" "upgrade" expect header "upgrade" absent)",
      R"(GET "/chat" to s from web with header "upgrade" "h2c" with header "connection" "upgrade" expect header "upgrade" absent)",
      R"(GET "/chat" to s from web with header "upgrade" "WebSocket" with header "connection" "upgrade, x-a" with header "x-a" "1" expect header "x-a" absent, header "connection" "upgrade")",
      R"(GET "/who" to s from guest at 192.0.2.1 with claim "sub" "a\nx-role: root" expect header "x-user" absent)",
      R"(GET "/who" to s from web at 192.0.2.1 with header "x-list" "a" expect header "x-list" "a", header "x-list" "b")",
  });
  fails({
      R"(GET "/legacy" to s from web with header "x-legacy" "0" expect header "x-legacy" "0")",
      R"(GET "/who" to s from web expect header "x-from" absent)",
      R"(GET "/split" to s from web expect header "x-part" "1")",
      R"(GET "/split" to s from web expect header "x-rule" "r")",
      R"(GET "/x" to s from web expect response header "cache-control" "no-store")",
  });
}

TEST(Changes, AreWhatTheTargetJudges) {
  holds({
      R"(GET "/old/x" to s from web expect allowed, route other, path "/new/x")",
      R"(GET "/lost/x" to s from web expect denied, rule "access other/default")",
  });
}

TEST(Changes, AreJudgedAsTheyAreSent) {
  holds({
      R"(GET "/host" to s from web expect allowed, host "inner.example")",
      R"(GET "/added" to s from web expect denied, rule "access other/3")",
      R"(GET "/from" to s from web at 10.9.9.9 expect denied)",
      R"(GET "/from" to s from web at 10.9.9.8 expect allowed)",
  });
  // The client's line and the rule's are two, and the target compares the header.
  EXPECT_EQ(result_of(R"(GET "/added" to s from web with header "x-list" "good" expect refused 400, rule "mesh/malformed")"), "");
  // Whoever does not say where the client is has not said what happens.
  fails({R"(GET "/from" to s from web expect allowed)", R"(GET "/from" to s from web expect denied)"});
}

TEST(Mirrors, GetACopy) {
  holds({R"(GET "/copy" to s from web expect route v1, mirror v2)",
         R"(GET "/copies" to s from web with header "x-new" "1" with host "inner.example" expect mirror other)"});
  fails({R"(GET "/copy" to s from web expect mirror v1)", R"(GET "/x" to s from web expect mirror v2)",
         // What the other service denies, it gets no copy of.
         R"(GET "/copies" to s from web expect mirror other)"});
}

TEST(Faults, HoldForEveryDraw) {
  holds({
      R"(GET "/broken" to s from web expect status 503, rule "route s/9")",
      R"(GET "/sometimes" to s from web expect allowed)",
  });
  fails({
      R"(GET "/sometimes" to s from web expect route v1)",
      R"(GET "/sometimes" to s from web expect status 503)",
      R"(GET "/broken" to s from web expect route v1)",
      // Without a fault one of the parts answers with 200.
      R"(GET "/both" to s from web expect status 503)",
  });
}

TEST(Cors, AnswersPreflightsOfAnybody) {
  const std::string preflight = R"(OPTIONS "/page" to s with header "access-control-request-method" "GET" )";
  for (const char* expected : {
           R"(with header "origin" "https://a.example" expect status 204, response header "access-control-allow-origin" "https://a.example", rule "route s/21")",
           R"(with header "origin" "https://x.b.example" expect response header "access-control-allow-methods" "GET, PUT")",
           R"(with header "origin" "https://a.example" expect response header "access-control-max-age" "3600")",
           R"(with header "origin" "https://a.example" expect response header "access-control-allow-credentials" "true")",
           R"(with header "origin" "https://evil.example" expect status 204, response header "access-control-allow-origin" absent, response header "vary" "origin")",
           R"(with header "origin" "https://b.example" expect response header "access-control-allow-origin" absent)",
       })
    EXPECT_EQ(result_of(preflight + expected), "") << expected;
  // Who is routed by an address that is not known is not known to be answered.
  fails({R"(OPTIONS "/page" to s with header "access-control-request-method" "PUT" with header "origin" "https://a.example" expect denied)"});
  holds({
      // Routed elsewhere, or no preflight: the same as any other request.
      R"(OPTIONS "/page" to s at 192.0.2.1 with header "access-control-request-method" "PUT" with header "origin" "https://a.example" expect denied)",
      R"(OPTIONS "/page" to s at 10.0.0.1 with header "access-control-request-method" "PUT" with header "origin" "https://a.example" expect status 204)",
      R"(OPTIONS "/page" to s with header "access-control-request-method" "GET" expect denied)",
      R"(OPTIONS "/page" to s with header "origin" "https://a.example" expect denied)",
      R"(GET "/page" to s with header "origin" "https://a.example" expect denied)",
      R"(GET "/page" to s from web with header "origin" "https://a.example" expect response header "access-control-expose-headers" "x-b")",
      R"(GET "/open" to s from web with header "origin" "https://z.example" expect status 200, response header "access-control-allow-origin" "*", response header "x-r" "1")",
  });
}

TEST(Users, AreTheirTokens) {
  holds({
      R"(GET "/x" to s from guest expect allowed)",
      R"(GET "/x" to s from guest via web expect allowed)",
      R"(GET "/admin" to s from guest via web expect denied, rule "access s/2")",
      R"(GET "/admin" to s from web expect allowed)",
      R"(GET "/x" to s from admin with claim "roles" "admin" expect allowed)",
      R"(GET "/x" to s from admin with claim "roles" "dev" with claim "roles" "admin" expect allowed)",
      R"(GET "/closed" to s from guest with claim "dept" "name" "it" expect denied, rule "access s/3")",
      R"(GET "/closed" to s from guest with claim "dept" "name" "hr" expect allowed)",
      R"(GET "/closed" to s from guest with claim "dept" "it" expect allowed)",
      // A list is no text.
      R"(GET "/closed" to s from guest with claim "dept" "name" "it" with claim "dept" "name" "it" expect allowed)",
      R"(GET "/x" to s from people with claim "roles" "admin" expect allowed)",
      R"(GET "/limited" to s from guest with claim "sub" "u" 2 times expect limited)",
  });
  fails({
      R"(GET "/x" to s from admin expect allowed)",
      R"(GET "/x" to s from admin with claim "roles" "dev" expect allowed)",
      R"(GET "/x" to s from people expect allowed)",
  });
}

TEST(Users, AskThroughPeers) {
  const Policy policy(R"(
mesh m { trust_domain "t" }
identity web = spiffe "web"
identity cart = spiffe "cart"
identity admin = jwt issuer "i" audience "a" jwks "k"
service s { address 10.0.0.1:80  protocol http  transport plaintext  endpoint 10.1.0.1:80 }
access s { allow from admin via [web]  audit deny from unauthenticated }
test "through web"     { send GET "/" to s from admin via web   expect allowed }
test "through another" { send GET "/" to s from admin via cart  expect denied }
test "through nobody"  { send GET "/" to s from admin           expect denied }
test "no user"         { send GET "/" to s from web             expect denied }
)");
  EvaluatorEngine engine(policy.model);
  for (const auto& block : policy.model.tests) EXPECT_TRUE(run_test(policy.model, block, engine).failures.empty()) << block.name;
}

/// What a search with steps back would try for ages.
TEST(Callers, OfManyStars) {
  std::string stars;
  for (int i = 0; i < 40; ++i) stars += "*a";
  const model::SpiffePattern pattern{"t", "ns/" + stars + "*b", {}};
  EXPECT_FALSE(matches(pattern, "spiffe://t/ns/" + std::string(200, 'a')));
  EXPECT_TRUE(matches(pattern, "spiffe://t/ns/" + std::string(200, 'a') + "b"));
  EXPECT_FALSE(matches(pattern, "spiffe://t/ns/" + std::string(100, 'a') + "/" + std::string(100, 'a') + "b"));
  EXPECT_FALSE(matches({"t", "a*", {}}, "spiffe://t/a/b"));
  EXPECT_TRUE(matches({"t", "a*/*", {}}, "spiffe://t/a/"));
  EXPECT_FALSE(matches({"t", "a", {}}, "spiffe://t/a/"));
}

TEST(Http2, HasNothingOfOneHop) {
  holds({
      R"(GET "/" to h2 expect allowed)",
      R"(GET "/" to h2 with header "te" "trailers" expect allowed, header "te" "trailers")",
      R"(GET "/" to h2 with header "te" "gzip" expect refused 400, rule "mesh/malformed")",
      R"(GET "/" to h2 with header "connection" "close" expect refused 400)",
      R"(GET "/" to h2 with header "upgrade" "h2c" expect refused 400)",
      R"(GET "/" to h2 with header "transfer-encoding" "chunked" expect refused 400)",
      R"(GET "/" to s from web with header "connection" "close" expect allowed)",
      R"(POST "/shop.Cart/Add" to rpc from web expect allowed)",
      R"(POST "/shop.Cart/Empty" to rpc from web expect denied)",
      R"(POST "/shop.Carts/Add" to rpc from web expect denied)",
  });
}

}  // namespace
}  // namespace heddle::eval
