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
  static const char* attributes[] = {"path", "host", "method", "header", "from"};
  static const char* operators[] = {"is", "under", "starts", "present", "absent"};
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
  return test.literal.empty() ? text : text + " " + test.literal;
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

}  // namespace
}  // namespace heddle::frontend
