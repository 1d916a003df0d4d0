// What the front end makes of right policies.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "compiler/plan/describe_model.h"
#include "compiler/sema/check.h"
#include "tests/unit/frontend/checked.h"

namespace heddle::frontend {
namespace {

using model::Condition;
using Strings = std::vector<std::string>;

/// A condition as one line, so that a test reads as what it compares.
std::string text_of(const Condition& condition) {
  static const char* attributes[] = {"path", "host", "method", "header", "query", "cookie", "address", "port", "from"};
  static const char* operators[] = {"is", "under", "starts", "ends", "contains", "like", "matches", "has", "present", "absent"};
  static const char* joins[] = {"", "all", "any", "not"};
  if (condition.kind != Condition::Kind::test) {
    std::string text = std::string(joins[static_cast<int>(condition.kind)]) + "(";
    for (const Condition& child : condition.children)
      text += (text.back() == '(' ? "" : ", ") + text_of(child);
    return text + ")";
  }
  const model::Test& test = condition.test;
  std::string text = attributes[static_cast<int>(test.attribute)];
  if (test.attribute == model::Attribute::from) {
    text += " " + std::to_string(static_cast<int>(test.callers.kind));
    for (const auto id : test.callers.identities) text += " #" + std::to_string(id);
    return text;
  }
  if (!test.name.empty()) text += " " + test.name;
  text += std::string(" ") + operators[static_cast<int>(test.op)];
  if (!test.literal.empty()) text += " " + test.literal;
  return test.ignoring_case ? text + " ignoring case" : text;
}

std::string condition_of(const std::string& condition) {
  const Checked checked = check_condition(condition);
  if (!checked.policy) return "refused";
  return text_of(*checked.service("cart").route->rules.front().when);
}

TEST(Condition, HasASimpleForm) {
  const std::pair<const char*, const char*> cases[] = {
      {R"(path is "/a")", "path is /a"},
      {R"(path in ["/a"])", "path is /a"},
      {R"(path in ["/a", "/b", "/a"])", "any(path is /a, path is /b)"},
      {R"(path not in ["/a", "/b"])", "not(any(path is /a, path is /b))"},
      {R"(method not in [GET])", "not(method is GET)"},
      {R"(method is M-SEARCH)", "method is M-SEARCH"},
      {R"(not path under "/a")", "not(path under /a)"},
      {R"(not not path starts "/a")", "path starts /a"},
      {R"(not not not path starts "/a")", "not(path starts /a)"},
      {R"(path is "/%c3%9f")", "path is /%C3%9F"},
      {R"(host is "Shop.Example")", "host is shop.example"},
      {R"(host under "Shop.Example")", "host under shop.example"},
      {R"(path is "/%C3/A" ignoring case)", "path is /%c3/a ignoring case"},
      {R"(header "X" in ["A", "a"] ignoring case)", "header x is a ignoring case"},
      {R"(path ends "%c3")", "path ends %C3"},
      {R"(path like "/A/{id}/**")", "path like /A/{id}/**"},
      {R"(path matches /\/a|\/B/)", R"(path matches \/a|\/B)"},
      {R"(query "Q" contains "%c3%")", "query Q contains %C3%"},
      {R"(cookie "Sid" starts "%c3")", "cookie Sid starts %c3"},
      {R"(address in [10.0.0.0/8, fd00::1, ::ffff:1.2.3.4])", "any(address is 10.0.0.0/8, address is fd00::1, address is 1.2.3.4)"},
      {R"(address not in [::/0])", "not(address is ::/0)"},
      {R"(port in [080])", "port is 80"},
      {R"(host is "[FD00::1]")", "host is [fd00::1]"},
      {R"(header "X-User" is "Jason")", "header x-user is Jason"},
      {R"(header "x" is "a\"\\\x41")", R"(header x is a"\A)"},
      {R"(header "x" is "a\\q")", R"(header x is a\q)"},
      {R"(header "x" present or header "y" absent)", "any(header x present, header y absent)"},
      {R"(path is "/a" and (method is GET or not from web))",
       "all(path is /a, any(method is GET, not(from 3 #1)))"},
      {R"(from web, cart)", "from 3 #0 #1"},
      {R"(from in [web, cart, web])", "from 3 #0 #1"},
      {R"(from not in [web])", "not(from 3 #1)"},
      {R"(from any)", "from 0"},
      {R"(from authenticated and not from unauthenticated)", "all(from 1, not(from 2))"},
      {R"(((path is "/a")))", "path is /a"},
  };
  for (const auto& [written, expected] : cases) EXPECT_EQ(condition_of(written), expected) << written;
}

TEST(Model, OfBase) {
  const Checked checked = check(base);
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  EXPECT_EQ(checked.policy->name, "shop");
  EXPECT_EQ(checked.policy->trust_domain, "shop.example");
  EXPECT_EQ(checked.policy->outside, model::Outside::allow);
  const model::Service& cart = checked.service("cart");
  EXPECT_EQ(cart.addresses.front().text(), "10.0.0.1:80");
  EXPECT_EQ(checked.policy->identities[*cart.identity].name, "cart");
  EXPECT_EQ(cart.subsets[0].endpoints, std::vector<std::uint32_t>{0});
  EXPECT_EQ(cart.subsets[1].endpoints, std::vector<std::uint32_t>{1});
  EXPECT_EQ(checked.service("cache").protocol, model::Protocol::tcp);
  EXPECT_EQ(cart.access->rules.front().id, "access cart/1");
  EXPECT_FALSE(cart.route);
}

TEST(Model, OfTls) {
  const std::string service = base + "service s { address 10.0.0.9:443  protocol tls  transport plaintext  subset v1 where v is \"1\"  balance maglev by address"
                                     "  at_most 5 connections  endpoint 10.0.0.8:443 { v \"1\" } }\n"
                                     "service other { address 10.0.0.7:443  protocol tls  transport plaintext  endpoint 10.0.0.6:443 }\n"
                                     "access other { allow from any }\n";
  const Checked checked = check(service + R"(
access s { allow from web when sni in ["A.Example", "b.example"] and address in [10.0.0.0/8] and port is 443 }
limit l on s { when sni under "X.example"  rate 1/s burst 1  key address, identity }
route s {
  when sni under "C.EXAMPLE" ignoring case -> split by address { 50% v1, 50% other }
  otherwise -> other
})");
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  EXPECT_EQ(checked.service("s").protocol, model::Protocol::tls);
  EXPECT_EQ(checked.service("s").route->rules.front().when->test.literal, "c.example");
  EXPECT_EQ(checked.service("s").access->rules.front().when->children.front().children.front().test.literal, "a.example");
  for (const char* wrong : {
           "access s { allow from any when path is \"/\" }", "access s { allow from any when host is \"a\" }",
           "access s { allow from any when method is GET }", "access s { allow from any when header \"a\" present }",
           "access s { allow from any when query \"a\" present }", "access s { allow from any when cookie \"a\" is \"b\" }",
           "access s { allow from any } route s { otherwise -> respond 200 \"x\" }",
           "access s { allow from any } route s { otherwise -> split { 50% v1, 50% redirect 301 host \"h\" } }",
           "access s { allow from any } route s { timeout 1s  otherwise -> v1 }",
           "access s { allow from any } route s { when sni is \"a\" -> v1 { timeout 1s }  otherwise -> v1 }",
           "access s { allow from any } route s { otherwise -> split by header \"a\" { 50% v1, 50% other } }",
           "access s { allow from any } limit l on s { rate 1/s burst 1  key host }",
           "access s { allow from any } test \"t\" { connect to s from web with header \"a\" \"b\"  expect allowed }",
           "access s { allow from any } test \"t\" { connect to s from web with sni \"a\"  expect status 403 }",
       }) {
    const Checked refused = check(service + wrong);
    EXPECT_FALSE(refused.policy) << wrong;
    EXPECT_EQ(refused.messages().size(), 1u) << wrong;
    EXPECT_NE(refused.messages().front().find("needs HTTP, and service `s` is `protocol tls`"), std::string::npos)
        << wrong << ": " << refused.messages().front();
  }
  const std::pair<const char*, const char*> others[] = {
      {"access s { allow from any } test \"t\" { send GET \"/\" to s from web  expect allowed }", "does not fit service `s`, which is `protocol tls`"},
      {"access s { allow from any } route s { otherwise -> cart }", "service `cart` is `protocol http`, and service `s` is `protocol tls`"},
      {"access s { allow from any } route s { otherwise -> cache }", "service `cache` is `protocol tcp`, and service `s` is `protocol tls`"},
      {"access s { allow from any when sni starts \"a\" }", "`sni` has no operator `starts`"},
      {"access s { allow from any when sni present }", "`sni` has no operator `present`"},
      {"access s { allow from any when sni matches /a/ }", "`sni` has no operator `matches`"},
  };
  for (const auto& [wrong, message] : others) {
    const Checked refused = check(service + wrong);
    ASSERT_FALSE(refused.policy) << wrong;
    EXPECT_NE(refused.messages().front().find(message), std::string::npos) << wrong << ": " << refused.messages().front();
  }
}

TEST(Model, OfTargets) {
  const Checked checked = check(base + R"(
route cart {
  when path is "/1" -> v2
  when path is "/2" -> cart { label "all" }
  when path is "/3" -> split { 12.5% v1, 0.0001% v2, 87.4999% cart }
  when path is "/4" -> respond 204
  otherwise         -> respond 503 "go\taway"
})");
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  const auto& rules = checked.service("cart").route->rules;
  EXPECT_EQ(rules[0].target.pool.subset, 1u);
  EXPECT_EQ(rules[1].target.pool.subset, std::nullopt);
  ASSERT_EQ(rules[2].target.split.size(), 3u);
  EXPECT_EQ(rules[2].target.split[0].weight_ppm, 125000u);
  EXPECT_EQ(rules[2].target.split[1].weight_ppm, 1u);
  EXPECT_EQ(rules[3].target.respond.status, 204);
  EXPECT_EQ(rules[4].target.respond.body, "go\taway");
  Strings ids;
  for (const auto& rule : rules) ids.push_back(rule.id);
  EXPECT_EQ(ids, (Strings{"route cart/1", "route cart/all", "route cart/3", "route cart/4",
                          "route cart/otherwise"}));
  EXPECT_FALSE(rules[4].when);
}

TEST(Model, OfGroups) {
  const Checked checked = check(base + R"(
identity batch = spiffe "ns/shop/sa/batch-*"
identity guest = spiffe "spiffe://other.example/ns/x"
identity some  = batch or web
identity all   = some or guest or web
)");
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  const model::Identity& all = checked.identity("all");
  EXPECT_TRUE(all.group);
  Strings members;
  for (const auto id : all.members) members.push_back(checked.policy->identities[id].name);
  EXPECT_EQ(members, (Strings{"batch", "guest", "web"}));
  ASSERT_EQ(all.patterns.size(), 3u);
  EXPECT_EQ(all.patterns[1].trust_domain, "other.example");
  EXPECT_EQ(all.patterns[1].path, "ns/x");
  EXPECT_FALSE(checked.identity("web").group);
}

TEST(Model, OfSpaces) {
  const Checked checked = check_files({{"root.mesh", base}, {"pay.mesh", R"(space payments
/// Takes the money.
/// All of it.
identity web = spiffe "ns/pay/sa/web"
identity both = web or cart
service ledger { address [fd00::1]:80  protocol http  transport plaintext  identity web }
route ledger { otherwise -> ledger }
access ledger { allow from web, cart { label "own" } }
workload ledger { cgroup "/pay.slice/ledger/"  identity web }
test "in the space" {
  send GET "/" to ledger from web
  expect allowed, route ledger
  send GET "/" to cart from cart
  expect denied
}
)"}});
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  EXPECT_EQ(checked.identity("payments.web").doc, "Takes the money.\nAll of it.");
  const model::Service& ledger = checked.service("payments.ledger");
  EXPECT_EQ(ledger.route->rules.front().id, "payments.route ledger/otherwise");
  EXPECT_EQ(ledger.access->rules.front().id, "payments.access ledger/own");
  EXPECT_EQ(ledger.addresses.front().text(), "[fd00::1]:80");
  EXPECT_EQ(checked.policy->workloads.front().cgroup, "pay.slice/ledger");
  EXPECT_EQ(checked.policy->tests.front().cases[0].expect[1].targets, Strings{"payments.ledger"});
  EXPECT_EQ(checked.policy->services[checked.policy->tests.front().cases[1].send.service].name, "cart");
}

TEST(Model, IsTheSameWhateverTheOrderOfFiles) {
  Files files = {
      {"a.mesh", base},
      {"b.mesh",
       "space pay\nservice s { address 10.9.0.1:80 protocol http transport plaintext }\naccess s { allow "
       "from web }\n"},
      {"c.mesh", "endpoints cart { endpoint 10.0.1.3:80 endpoint 10.0.1.4:80 { version \"v1\" } }\n"},
      {"d.mesh",
       "endpoints cart { endpoint 10.0.1.0:81 }\nidentity aa = web\ntest \"t\" { send GET \"/\" to cart from "
       "web expect allowed }\n"}};
  const Checked first = check_files(files);
  ASSERT_TRUE(first.policy) << first.messages().front();
  const std::string expected = plan::describe_model(*first.policy);
  EXPECT_NE(expected.find("10.0.1.4:80"), std::string::npos);
  int orders = 0;
  while (std::next_permutation(files.begin(), files.end())) {
    const Checked other = check_files(files);
    ASSERT_TRUE(other.policy);
    EXPECT_EQ(plan::describe_model(*other.policy), expected);
    ++orders;
  }
  EXPECT_EQ(orders, 23);
}

TEST(Model, AnAddressMayEqualAnOwnEndpoint) {
  EXPECT_TRUE(check(base + "service s { address 10.1.0.1:80 protocol http transport plaintext endpoint "
                           "10.1.0.1:80 }\naccess s { }\n")
                  .policy);
  EXPECT_EQ(
      check(base + "service s { address 10.0.1.1:8080 protocol http transport plaintext }\naccess s { }\n")
          .found(),
      Strings{"E0301 10.0.1.1:8080"});
  EXPECT_EQ(
      check(base +
            "service s { address [::ffff:10.0.0.1]:80 protocol http transport plaintext }\naccess s { }\n")
          .found(),
      Strings{"E0301 [::ffff:10.0.0.1]:80"});
}

// Every keyword but the reserved is one only in its place.
TEST(Names, MayBeKeywords) {
  const Strings words = {
      "mesh",      "trust_domain", "paths",    "strict",    "outside", "allow",    "deny",      "space",
      "identity",  "workload",     "cgroup",   "service",   "address", "protocol", "http",      "tcp",
      "transport", "plaintext",    "subset",   "is",        "balance", "random",   "endpoints", "endpoint",
      "weight",    "route",        "when",     "otherwise", "path",    "under",    "starts",    "header",
      "query",     "present",      "in",       "method",    "host",    "port",     "type",      "label",
      "to",        "set",          "response", "access",    "audit",   "every",    "from",      "via",
      "limit",     "rate",         "key",      "node",      "test",    "send",     "connect",   "with",
      "at",        "times",        "expect",   "allowed",   "denied",  "rule",     "status",    "extern",
      "jwt",       "grpc",         "retry",    "timeout",   "case",    "claim"};
  for (const std::string& word : words) {
    const std::string text =
        "mesh " + word + " { trust_domain \"t.example\" }\nidentity " + word +
        " = spiffe \"ns/x\"\nidentity group = group2 or " + word +
        "\nidentity group2 = spiffe \"ns/y\"\nservice " + word +
        " { address 10.0.0.1:80 protocol http transport plaintext identity " + word + " subset s-" + word +
        " where " + word + " is \"x\" endpoint 10.0.0.2:80 { " + word + " \"x\" } }\nroute " + word +
        " { when from " + word + " -> s-" + word + " otherwise -> " + word + " }\naccess " + word +
        " { allow from " + word + " deny from any }\nworkload " + word + " { cgroup \"x\" identity " + word +
        " }\ntest \"t\" { send GET \"/\" to " + word + " from " + word + " expect denied }\n";
    const Checked checked = check(text);
    EXPECT_TRUE(checked.policy) << word << ": "
                                << (checked.messages().empty() ? "" : checked.messages().front());
  }
}

TEST(Names, ReservedWordsAreNone) {
  for (const std::string word : {"any", "authenticated", "unauthenticated", "none", "and", "or", "not",
                                 "split", "respond", "redirect"}) {
    EXPECT_EQ(check(base + "identity " + word + " = spiffe \"x\"\n").found(), Strings{"E0011 " + word});
  }
}

TEST(Request, OfText) {
  Checked checked = check(base);
  const auto request = sema::parse_request(
      R"(send GET "/a?b" to cart port 80 from web at 10.1.1.1 3 times with header "X" "1" with header "X" "2" with host "h")",
      *checked.policy, checked.sources, checked.sink);
  ASSERT_TRUE(request) << checked.messages().front();
  EXPECT_EQ(request->method, "GET");
  EXPECT_EQ(request->target, "/a?b");
  EXPECT_EQ(checked.policy->services[request->service].name, "cart");
  EXPECT_EQ(request->port, 80);
  EXPECT_EQ(checked.policy->identities[request->from.identity].name, "web");
  EXPECT_EQ(request->address->text(), "10.1.1.1");
  EXPECT_EQ(request->times, 3u);
  ASSERT_EQ(request->headers.size(), 2u);
  EXPECT_EQ(request->headers[1].value, "2");
  EXPECT_EQ(request->host, "h");
}

TEST(Request, OfOtherCallers) {
  Checked checked = check(base);
  const auto send = [&](const std::string& text) {
    return sema::parse_request(text, *checked.policy, checked.sources, checked.sink);
  };
  EXPECT_TRUE(send("connect to cache from cart")->connect);
  EXPECT_EQ(send("GET \"/\" to cart")->from.kind, model::TestCaller::Kind::unauthenticated);
  EXPECT_EQ(send("GET \"/\" to cart from spiffe \"ns/x\"")->from.spiffe, "spiffe://shop.example/ns/x");
  EXPECT_EQ(send("GET \"/\" to cart from spiffe \"spiffe://o.example/y\"")->from.spiffe,
            "spiffe://o.example/y");
  EXPECT_TRUE(checked.sink.empty());
}

TEST(Request, OfWrongText) {
  const std::pair<const char*, const char*> cases[] = {
      {R"(GET "/" to crat)", "E0110 crat"},
      {R"(GET "/" to cart from wbe)", "E0109 wbe"},
      {R"(GET "/" to cache)", "E0501 GET"},
      {R"(connect to cart)", "E0501 connect to cart"},
      {R"(GET "/" to cart port 81)", "E0504 81"},
      {R"(GET "/" to cart at 10.0.0.300)", "E0015 10.0.0.300"},
      {R"(GET "/" to cart 0 times)", "E0016 0"},
      {R"(GET "/" to cart with header "a b" "c")", R"(E0408 "a b")"},
      {R"(GET "/\n" to cart)", R"(E0506 "/\n")"},
      {R"(GET "" to cart)", R"(E0506 "")"},
      {R"(GET "/" to cart from web from cart)", "E0104 from cart"},
      {R"(GET "/" to cart from spiffe "a/*")", R"(E0201 "a/*")"},
      {R"(GET "/" cart)", "E0011 cart"},
      {R"(GET "/" to cart expect denied)", "E0011 expect"},
      {"", "E0011 "},
  };
  for (const auto& [text, found] : cases) {
    Checked checked = check(base);
    EXPECT_FALSE(sema::parse_request(text, *checked.policy, checked.sources, checked.sink)) << text;
    EXPECT_EQ(checked.found(), Strings{found}) << text;
  }
}

TEST(Workload, MayStayOutOfTheFastPath) {
  const Checked checked = check(base + R"(workload off { cgroup "o" identity web fast_path off }
                                          workload on { cgroup "n" identity web fast_path on }
                                          workload plain { cgroup "p" identity web })");
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  const auto& workloads = checked.policy->workloads;
  ASSERT_EQ(workloads.size(), 3u);
  EXPECT_FALSE(workloads[0].fast_path);
  EXPECT_TRUE(workloads[1].fast_path);
  EXPECT_TRUE(workloads[2].fast_path);
  EXPECT_NE(plan::describe_model(*checked.policy).find("workload off: cgroup o identity web fast_path off\n"),
            std::string::npos);
  const Checked twice = check(base + R"(workload w { cgroup "o" identity web fast_path off fast_path on })");
  EXPECT_EQ(twice.found(), Strings{"E0104 fast_path on"});
}

std::string service_with(const std::string& items, const char* protocol = "http") {
  return base + "access s { allow from web }\nservice s { address 10.9.0.1:80 protocol " + protocol +
         " transport plaintext " + items + " }\n";
}

TEST(Model, OfLoadAndFailures) {
  const Checked checked = check(
      service_with("balance least_request eject after 5 failures for 0.5m at_most 12.5% at_most 256 pending, "
                   "1024 connections "
                   "endpoint 10.9.1.1:80 endpoint 10.9.1.2:80 { weight 65535 zone \"a\" } endpoint "
                   "10.9.1.3:80 endpoint 10.9.1.4:80 "
                   "endpoint 10.9.1.5:80 endpoint 10.9.1.6:80 endpoint 10.9.1.7:80 endpoint 10.9.1.8:80"));
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  EXPECT_TRUE(checked.sink.empty());
  const model::Service& s = checked.service("s");
  EXPECT_EQ(s.balance, model::Balance::least_request);
  ASSERT_TRUE(s.eject && s.at_most);
  EXPECT_EQ(s.eject->failures, 5u);
  EXPECT_EQ(s.eject->time_ms, 30000u);
  EXPECT_EQ(s.eject->share_ppm, 125000u);
  EXPECT_EQ(s.at_most->connections, 1024u);
  EXPECT_EQ(s.at_most->pending, 256u);
  EXPECT_EQ(s.endpoints[0].weight, 1u);
  EXPECT_EQ(s.endpoints[1].weight, 65535u);
  const std::string text = plan::describe_model(*checked.policy);
  for (const char* line :
       {"service s http least_request\n", "  eject after 5 failures for 30000ms at_most 12.5000%\n",
        "  at_most 1024 connections, 256 pending\n", "  endpoint 10.9.1.2:80 weight 65535\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  const Checked plain = check(service_with("eject after 1 failures for 1ms at_most 1 connections"));
  ASSERT_TRUE(plain.policy) << plain.messages().front();
  EXPECT_EQ(plain.service("s").eject->share_ppm, 1000000u);
  EXPECT_EQ(plain.service("s").at_most->pending, 0u);
  EXPECT_FALSE(plain.service("cart").eject || plain.service("cart").at_most);
}

TEST(Model, OfWrongLoadAndFailures) {
  const std::pair<const char*, const char*> cases[] = {
      {"eject after 0 failures for 1s", "E0016 0"},
      {"eject after 1000001 failures for 1s", "E0016 1000001"},
      {"eject after 5 failures for 25h", "E0017 25h"},
      {"eject after 5 failures for 1s at_most 0%", "E0305 0%"},
      {"eject after 5 failures for 1s at_most 101%", "E0305 101%"},
      {"eject after 5 failures for 1s eject after 5 failures for 1s", "E0104 eject after 5 failures for 1s"},
      {"at_most 0 connections", "E0016 0"},
      {"at_most 5 pending", "E0103 at_most 5 pending"},
      {"at_most 5 connections, 6 connections", "E0104 6 connections"},
      {"at_most 5 connections at_most 6 connections", "E0104 at_most 6 connections"},
      {"balance random balance random", "E0104 random"},
      {"endpoint 10.9.1.1:80 { weight 0 }", "E0016 0"},
      {"endpoint 10.9.1.1:80 { weight 65536 }", "E0016 65536"},
      {"endpoint 10.9.1.1:80 { weight 1 weight 2 }", "E0104 2"},
      {"eject after 5 failures for 1s at_most 49% endpoint 10.9.1.1:80 endpoint 10.9.1.2:80", "W0306 49%"},
      {"balance maglev by header \"host\"", "E0409 \"host\""},
      {"balance prefer same_node random endpoint 10.9.1.1:80 { zone \"a\" }", "W0450 same_node"},
      {"balance maglev by address balance random", "E0104 random"},
  };
  for (const auto& [items, found] : cases)
    EXPECT_EQ(check(service_with(items)).found(), Strings{found}) << items;
  EXPECT_EQ(check(service_with("at_most 5 connections, 6 pending", "tcp")).found(),
            Strings{"E0407 6 pending"});
  EXPECT_TRUE(check(service_with("balance maglev by address", "tcp")).sink.empty());
  EXPECT_EQ(check(service_with("balance maglev by cookie \"c\"", "tcp")).found(), Strings{"E0407 cookie \"c\""});
  const Checked near = check(service_with("balance prefer same_zone maglev by address endpoint 10.9.1.1:80 { zone \"a\" }"));
  ASSERT_TRUE(near.policy && near.sink.empty());
  EXPECT_EQ(near.service("s").prefer, "zone");
  EXPECT_EQ(near.service("s").balance, model::Balance::maglev);
  EXPECT_EQ(check(service_with("balance maglev by header \"X-User\"")).service("s").maglev_by,
            (model::RequestKey{model::Attribute::header, "x-user"}));
  EXPECT_TRUE(check(service_with("at_most 5 connections eject after 2 failures for 1s", "tcp")).sink.empty());
}

TEST(Model, OfTimeouts) {
  const Checked checked = check(base + R"(
route cart {
  when path is "/1" -> v2
  when path is "/2" -> cart { timeout none }
  when path is "/3" -> split { 50% v1, 50% v2 } { timeout 0.25s label "x" }
  when path is "/4" -> respond 204
  timeout 1.5m
  otherwise         -> cart { timeout 24h }
})");
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  std::vector<std::uint32_t> times;
  for (const auto& rule : checked.service("cart").route->rules) times.push_back(rule.timeout_ms);
  EXPECT_EQ(times, (std::vector<std::uint32_t>{90000, 0, 250, 0, 86400000}));
  EXPECT_NE(plan::describe_model(*checked.policy).find("-> cart.v2 { timeout 90000ms }\n"),
            std::string::npos);
  const std::pair<const char*, const char*> cases[] = {
      {"timeout 1s timeout none otherwise -> cart", "E0104 timeout none"},
      {"timeout 0s otherwise -> cart", "E0017 0s"},
      {"timeout 1.5ms otherwise -> cart", "E0017 1.5ms"},
      {"timeout 99999999999999999999s otherwise -> cart", "E0017 99999999999999999999s"},
      {"otherwise -> cart { timeout 1s timeout 1s }", "E0104 timeout 1s"},
      {"otherwise -> respond 200 \"\" { timeout 1s }", "E0419 timeout 1s"},
      {"otherwise -> split { 100% v1 { timeout 1s } }", "E0419 timeout 1s"},
  };
  for (const auto& [items, found] : cases)
    EXPECT_EQ(check(base + "route cart { " + items + " }").found(), Strings{found}) << items;
  EXPECT_EQ(check(base + "route cache { timeout 1s otherwise -> cache }").found(),
            Strings{"E0407 timeout 1s"});
  EXPECT_EQ(check(base + "route cache { otherwise -> cache { timeout none } }").found(),
            Strings{"E0407 timeout none"});
}

TEST(Model, OfExpectedTimeouts) {
  const auto test = [](const std::string& expect, const std::string& send = "GET \"/\" to cart from web") {
    return check(base + "test \"t\" { send " + send + " expect " + expect + " }");
  };
  const Checked checked = test("timeout 2s, rule \"service cart/full\"");
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  EXPECT_EQ(checked.policy->tests.front().cases[0].expect[0].timeout_ms, 2000u);
  EXPECT_TRUE(test("timeout none, rule \"service cart/timeout\"").policy);
  EXPECT_EQ(test("timeout 0ms").found(), Strings{"E0017 0ms"});
  EXPECT_EQ(test("denied, timeout 1s").found(), Strings{"E0505 timeout 1s"});
  EXPECT_EQ(test("timeout 2s, timeout 1s").found(), Strings{"E0505 timeout 1s"});
  EXPECT_EQ(check(base + "test \"t\" { connect to cache from web expect timeout 1s }").found(),
            Strings{"E0407 timeout 1s"});
}

}  // namespace
}  // namespace heddle::frontend
