// Which endpoints a request may go to.

#include "compiler/eval/balance.h"

#include <map>

#include "tests/unit/eval/policy.h"

namespace heddle::eval {
namespace {

using Texts = std::vector<std::string>;

/// Service `s` with endpoints 10.0.1.1 to 10.0.1.3; the second one is of weight 2.
class Balances {
 public:
  explicit Balances(const std::string& items)
      : policy_(
            "mesh m { trust_domain \"t\" } service s { address 10.0.0.1:80 protocol http transport "
            "plaintext " +
            items +
            " endpoint 10.0.1.1:80 { zone \"a\" } endpoint 10.0.1.2:80 { weight 2 zone \"b\" } endpoint 10.0.1.3:80 { zone \"a\" node \"n\" } }"
            " access s { allow from any } route s { timeout 2s otherwise -> s }") {}

  EndpointState& operator[](int endpoint) { return world_.endpoints[at(endpoint)]; }
  Outcome decide(std::uint64_t draw = 0, const std::string& lines = "", const std::string& source = "") {
    Request request;
    request.destination = dialled_;
    request.head = "GET / HTTP/1.1\r\nHost: s\r\n" + lines + "\r\n";
    request.draw = draw;
    if (!source.empty()) request.source = address(source, 4000);
    return Evaluator(policy_.model, world_).decide(request);
  }
  /// Of a request of that user.
  std::string chosen(const std::string& user) { return decide(user.size(), "X-User: " + user + "\r\n").drawn->text(); }
  Texts able() {
    Texts texts;
    for (const auto& address : decide().endpoints) texts.push_back(address.text().substr(7, 1));
    return texts;
  }
  void be_in(const Place& place) { world_.agent = place; }
  void dial(int endpoint) { dialled_ = at(endpoint); }

 private:
  static model::SocketAddress at(int endpoint) { return address("10.0.1." + std::to_string(endpoint), 80); }

  Policy policy_;
  World world_;
  model::SocketAddress dialled_ = address("10.0.0.1", 80);
};

TEST(Balance, LeavesOutWhoIsNotHealthy) {
  Balances s("balance round_robin");
  EXPECT_EQ(s.able(), (Texts{"1", "2", "3"}));
  s[1].unhealthy = true;
  EXPECT_EQ(s.able(), (Texts{"2", "3"}));
  s[3].ejected = true;
  EXPECT_EQ(s.able(), (Texts{"2"}));
  EXPECT_EQ(s.decide().timeout_ms, 2000U);
  s[2].ejected = true;
  const Outcome none = s.decide();
  EXPECT_EQ(none.verdict, Verdict::unhealthy);
  EXPECT_EQ(none.rule, "service s/unhealthy");
  EXPECT_EQ(none.status, 503);
  EXPECT_EQ(none.timeout_ms, 0U);
}

TEST(Balance, RoomComesBeforeWaiting) {
  Balances s("at_most 2 connections, 1 pending");
  s[1].in_flight = 2;
  s[2].in_flight = 3;
  EXPECT_EQ(s.able(), (Texts{"3"}));
  s[3].in_flight = 2;
  EXPECT_EQ(s.able(), (Texts{"1", "3"}));
  s[1].in_flight = s[3].in_flight = 3;
  const Outcome full = s.decide();
  EXPECT_EQ(full.verdict, Verdict::full);
  EXPECT_EQ(full.rule, "service s/full");
  EXPECT_EQ(full.status, 503);
  EXPECT_TRUE(full.endpoints.empty());
}

TEST(Balance, AnEndpointThatIsDialledIsBoundedOnly) {
  Balances s("at_most 2 connections, 1 pending");
  s.dial(2);
  s[2] = {true, true, 2};
  EXPECT_EQ(s.able(), (Texts{"2"}));
  EXPECT_EQ(s.decide().timeout_ms, 0U) << "a route says nothing about it";
  s[2].in_flight = 3;
  EXPECT_EQ(s.decide().rule, "service s/full");
  EXPECT_FALSE(s.decide().pool);
}

TEST(Balance, LeastRequestComparesByWeight) {
  Balances s("balance least_request");
  EXPECT_EQ(s.able(), (Texts{"1", "2", "3"}));
  s[1].in_flight = 3;
  s[2].in_flight = 6;
  s[3].in_flight = 4;
  EXPECT_EQ(s.able(), (Texts{"1", "2"}));
  s[2].in_flight = 5;
  EXPECT_EQ(s.able(), (Texts{"2"}));
  s[2].unhealthy = true;
  EXPECT_EQ(s.able(), (Texts{"1"}));
}

TEST(Balance, ADrawChoosesByWeight) {
  Balances s("balance random");
  std::map<std::string, int> found;
  const auto draw_all = [&] {
    found.clear();
    for (std::uint64_t draw = 0; draw < 4000; ++draw) ++found[s.decide(draw).drawn->text()];
  };
  draw_all();
  EXPECT_NEAR(found["10.0.1.2:80"], 2000, 150);
  EXPECT_NEAR(found["10.0.1.3:80"], 1000, 150);
  const auto before = s.decide(17).drawn;
  s[2].ejected = true;
  draw_all();
  EXPECT_EQ(found.size(), 2U);
  EXPECT_NEAR(found["10.0.1.1:80"], 2000, 150);
  ASSERT_NE(before->text(), "10.0.1.2:80") << "take another draw";
  EXPECT_EQ(s.decide(17).drawn, before) << "who is there keeps its draws";
  EXPECT_FALSE(Balances("balance round_robin").decide().drawn);
}

TEST(Balance, EqualValuesGoToTheSameEndpoint) {
  Balances s("balance maglev by header \"x-user\"");
  std::map<std::string, int> found;
  std::map<std::string, std::string> before;
  for (int user = 0; user < 4000; ++user) {
    const std::string name = "u" + std::to_string(user);
    ++found[before[name] = s.chosen(name)];
    ASSERT_EQ(s.decide(user * 77ULL, "x-USER:  " + name + " \r\n").drawn->text(), before[name]) << "whatever is drawn";
  }
  EXPECT_NEAR(found["10.0.1.1:80"], 1000, 120);
  EXPECT_NEAR(found["10.0.1.2:80"], 2000, 150);
  s[3].ejected = true;
  found.clear();
  for (const auto& [name, endpoint] : before) {
    if (endpoint == "10.0.1.3:80") {
      ++found[s.chosen(name)];
    } else {
      ASSERT_EQ(s.chosen(name), endpoint) << "who is there keeps its values";
    }
  }
  EXPECT_EQ(found.size(), 2u) << "those of who is away go to all others";
}

TEST(Balance, AValueThatIsNotThereIsDrawn) {
  Balances s("balance maglev by query \"q\"");
  std::map<std::string, int> found;
  for (std::uint64_t draw = 0; draw < 4000; ++draw) ++found[s.decide(draw).drawn->text()];
  EXPECT_NEAR(found["10.0.1.2:80"], 2000, 150);
  Balances by_address("balance maglev by address");
  EXPECT_FALSE(by_address.decide().asked_source) << "whoever it is, it is decided alike";
  found.clear();
  for (int host = 1; host < 100; ++host) {
    const std::string source = "10.9.0." + std::to_string(host);
    ++found[by_address.decide(1, "", source).drawn->text()];
    EXPECT_EQ(by_address.decide(1, "", source).drawn, by_address.decide(2, "", source).drawn);
  }
  EXPECT_EQ(found.size(), 3u);
}

TEST(Balance, WhatItGoesByOccursOnce) {
  Balances s("balance maglev by header \"x-user\"");
  EXPECT_EQ(s.decide(0, "X-User: a\r\nX-User: a\r\n").status, 400);
  EXPECT_EQ(s.decide(0, "Connection: x-user\r\nX-User: a\r\n").status, 400);
}

TEST(Balance, PrefersWhoIsNearAsLongAsItHasRoom) {
  Balances s("balance prefer same_zone round_robin at_most 2 connections, 1 pending");
  EXPECT_EQ(s.able(), (Texts{"1", "2", "3"})) << "nobody said where we are";
  s.be_in({"c", "n"});
  EXPECT_EQ(s.able(), (Texts{"1", "2", "3"})) << "nobody is near";
  s.be_in({"a", ""});
  EXPECT_EQ(s.able(), (Texts{"1", "3"}));
  s[1].ejected = true;
  EXPECT_EQ(s.able(), (Texts{"3"}));
  s[3].in_flight = 2;
  EXPECT_EQ(s.able(), (Texts{"2"})) << "rather far than to wait";
  s[2].in_flight = 2;
  EXPECT_EQ(s.able(), (Texts{"2", "3"})) << "who waits may wait anywhere";
  Balances node("balance prefer same_node round_robin");
  node.be_in({"a", "n"});
  EXPECT_EQ(node.able(), (Texts{"3"}));
}

TEST(Balance, WhoIsNearIsChosenAsEver) {
  Balances s("balance prefer same_zone maglev by header \"x-user\"");
  s.be_in({"a", ""});
  std::map<std::string, int> found;
  for (int user = 0; user < 1000; ++user) ++found[s.chosen("u" + std::to_string(user))];
  EXPECT_NEAR(found["10.0.1.1:80"], 500, 100);
  EXPECT_NEAR(found["10.0.1.3:80"], 500, 100);
}

TEST(Balance, RoomComesBeforeWhoseTheValueIs) {
  Balances s("balance maglev by header \"x-user\" at_most 2 connections, 1 pending");
  s[1].in_flight = s[2].in_flight = 2;
  for (const char* user : {"a", "b", "c", "d", "e", "f"}) EXPECT_EQ(s.chosen(user), "10.0.1.3:80");
  s[3].in_flight = s[2].in_flight = 3;
  for (const char* user : {"a", "b", "c", "d", "e", "f"}) EXPECT_EQ(s.chosen(user), "10.0.1.1:80") << "waits";
  s[1].in_flight = 3;
  EXPECT_EQ(s.decide().rule, "service s/full");
  s[1].unhealthy = s[2].unhealthy = s[3].unhealthy = true;
  EXPECT_EQ(s.decide().rule, "service s/unhealthy");
}

}  // namespace
}  // namespace heddle::eval
