#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/kernel/compiled.h"

/// Which endpoint a request goes to: shares, load, bounds, and what failures do.
namespace heddle {
namespace {

using Counts = std::map<std::uint32_t, int>;

/// Service `s` with endpoints of these weights, open to everybody.
model::Policy with_weights(model::Balance balance, const std::vector<std::uint32_t>& weights) {
  model::Policy p;
  p.name = "shop";
  p.trust_domain = "shop.example";
  model::Service s;
  s.name = "s";
  s.addresses = {test::address("10.96.0.1", 80)};
  s.balance = balance;
  for (std::size_t e = 0; e < weights.size(); ++e) {
    const std::string ip = "10.0." + std::to_string(e / 250) + "." + std::to_string(1 + e % 250);
    s.endpoints.push_back({test::address(ip, 8080), {}, {}, weights[e]});
  }
  s.access.emplace();
  s.access->rules.push_back({"access s/1", model::Effect::allow, {}, std::nullopt, {}});
  p.services.push_back(s);
  return p;
}

class Balanced {
 public:
  explicit Balanced(const model::Policy& p, const loader::Place& place = {}) : session_(test::load(p, {}, place)) {
    input_.destination = test::dialled(test::address("10.96.0.1", 80));
    input_.head = "GET / HTTP/1.1\r\nHost: s\r\n\r\n";
  }

  hd_decision decide() {
    const auto decisions = session_->decide(std::span(&input_, 1));
    EXPECT_TRUE(decisions.ok()) << decisions.error().what;
    return decisions->at(0);
  }
  /// One after the other, each ended before the next.
  Counts counts(int requests) {
    Counts found;
    for (int i = 0; i < requests; ++i) {
      ++found[decide().endpoint];
      session_->end_all();
    }
    return found;
  }
  std::string rule(const hd_decision& decision) { return session_->rule_id(decision.rule); }
  void say(const std::string& line) {
    head_ = "GET / HTTP/1.1\r\nHost: s\r\n" + line + "\r\n\r\n";
    input_.head = head_;
  }
  void dial(const model::SocketAddress& address) { input_.destination = test::dialled(address); }
  loader::DecideSession& operator*() { return *session_; }
  loader::DecideSession* operator->() { return session_.get(); }

  /// The response to a request for `endpoint` ends.
  void finish(std::uint32_t endpoint, std::uint16_t status, std::uint8_t flags = 0,
              hd_verdict verdict = HD_VERDICT_FORWARD) {
    hd_event event{};
    event.decision.verdict = static_cast<hd_u16>(verdict);
    event.decision.endpoint_state = session_->endpoint_slot(endpoint);
    event.decision.counter = HD_NONE;
    event.decision.counted = 1;
    event.status = status;
    event.flags = flags;
    ASSERT_TRUE(session_->finish(event).ok());
  }
  void fail(std::uint32_t endpoint, int times) {
    for (int i = 0; i < times; ++i) finish(endpoint, 500);
  }
  bool is_ejected(std::uint32_t endpoint) { return session_->endpoint_state(endpoint).ejected_until != 0; }

 private:
  std::unique_ptr<loader::DecideSession> session_;
  loader::DecideInput input_;
  std::string head_;
};

TEST(Balance, RoundRobinGivesExactShares) {
  Balanced s(with_weights(model::Balance::round_robin, {1, 2, 5}));
  for (int window = 0; window < 4; ++window) EXPECT_EQ(s.counts(8), (Counts{{0, 1}, {1, 2}, {2, 5}}));
  s.counts(3);
  EXPECT_EQ(s.counts(8), (Counts{{0, 1}, {1, 2}, {2, 5}})) << "from wherever one counts";
}

TEST(Balance, AHeavyEndpointsTurnsAreSpread) {
  Balanced s(with_weights(model::Balance::round_robin, {50, 50}));
  int in_a_row = 0;
  int longest = 0;
  std::uint32_t last = HD_NONE;
  for (int i = 0; i < 200; ++i) {
    const std::uint32_t now = s.decide().endpoint;
    in_a_row = now == last ? in_a_row + 1 : 1;
    longest = std::max(longest, in_a_row);
    last = now;
  }
  EXPECT_LE(longest, 3);
}

TEST(Balance, TurnsOfTheUnhealthyGoToAllOthers) {
  Balanced s(with_weights(model::Balance::round_robin, {1, 1, 1, 1}));
  s->set_unhealthy(1, true);
  s->set_ejected(3, true);
  EXPECT_EQ(s.counts(8), (Counts{{0, 4}, {2, 4}}));
  Balanced weighted(with_weights(model::Balance::round_robin, {3, 1, 4}));
  weighted->set_unhealthy(2, true);
  EXPECT_EQ(weighted.counts(32), (Counts{{0, 24}, {1, 8}}));
}

TEST(Balance, RandomFollowsTheWeights) {
  Balanced s(with_weights(model::Balance::random, {1, 3}));
  Counts found = s.counts(4000);
  EXPECT_NEAR(found[0], 1000, 150);
  EXPECT_NEAR(found[1], 3000, 150);
  Balanced broken(with_weights(model::Balance::random, {10, 1, 3}));
  broken->set_unhealthy(0, true);
  found = broken.counts(4000);
  EXPECT_EQ(found[0], 0);
  EXPECT_NEAR(found[1], 1000, 150);
  EXPECT_NEAR(found[2], 3000, 150);
}

TEST(Balance, LeastRequestTakesWhoHasTheFewest) {
  Balanced s(with_weights(model::Balance::least_request, {1, 1, 1}));
  for (std::uint32_t e = 0; e < 3; ++e) s->set_in_flight(e, e == 1 ? 4 : 5);
  EXPECT_EQ(s.decide().endpoint, 1u);
  s->set_unhealthy(1, true);
  EXPECT_NE(s.decide().endpoint, 1u);
}

/// Requests that never end: what is decided is what is on its way.
TEST(Balance, LeastRequestKeepsTheLoadEven) {
  Balanced s(with_weights(model::Balance::least_request, {1, 2, 1}));
  for (int i = 0; i < 400; ++i) s.decide();
  EXPECT_NEAR(s->endpoint_state(0).in_flight, 100, 1);
  EXPECT_NEAR(s->endpoint_state(1).in_flight, 200, 1);
  EXPECT_NEAR(s->endpoint_state(2).in_flight, 100, 1);
}

TEST(Balance, EquallyLoadedEndpointsShareByWeight) {
  Balanced s(with_weights(model::Balance::least_request, {1, 1, 1, 1, 4}));
  Counts found = s.counts(4000);
  for (std::uint32_t e = 0; e < 4; ++e) EXPECT_NEAR(found[e], 500, 120) << e;
  EXPECT_NEAR(found[4], 2000, 200);
  s->set_unhealthy(4, true);
  s->set_unhealthy(0, true);
  found = s.counts(3000);
  for (std::uint32_t e = 1; e < 4; ++e) EXPECT_NEAR(found[e], 1000, 150) << e;
}

TEST(Balance, OfALargePoolAllAreCompared) {
  Balanced s(with_weights(model::Balance::least_request, std::vector<std::uint32_t>(200, 1)));
  EXPECT_GE(s.counts(6000).size(), 195u);
}

model::Policy by_user(const std::vector<std::uint32_t>& weights) {
  model::Policy p = with_weights(model::Balance::maglev, weights);
  p.services[0].maglev_by = model::RequestKey{model::Attribute::header, "x-user"};
  return p;
}

TEST(Maglev, EqualValuesGoToTheSameEndpoint) {
  Balanced s(by_user({1, 2, 1}));
  std::map<int, std::uint32_t> before;
  Counts found;
  for (int user = 0; user < 2000; ++user) {
    s.say("x-user: u" + std::to_string(user));
    ++found[before[user] = s.decide().endpoint];
    ASSERT_EQ(s.decide().endpoint, before[user]);
  }
  EXPECT_NEAR(found[0], 500, 90);
  EXPECT_NEAR(found[1], 1000, 120);
  EXPECT_NEAR(found[2], 500, 90);
  s->set_unhealthy(2, true);
  found.clear();
  for (int user = 0; user < 2000; ++user) {
    s.say("x-user: u" + std::to_string(user));
    const std::uint32_t now = s.decide().endpoint;
    if (before[user] == 2) ++found[now];
    else ASSERT_EQ(now, before[user]) << "who is there keeps its values";
  }
  EXPECT_EQ(found[2], 0);
  EXPECT_GT(found[0], 50);
  EXPECT_GT(found[1], 100);
}

TEST(Maglev, WithoutAValueTheDrawChooses) {
  Balanced s(by_user({1, 3}));
  Counts found = s.counts(4000);
  EXPECT_NEAR(found[0], 1000, 150);
  EXPECT_NEAR(found[1], 3000, 150);
}

/// One of a thousand is left: whoever it is, it is found, and without it nobody.
TEST(Maglev, TheLastOneIsFound) {
  Balanced s(by_user(std::vector<std::uint32_t>(1000, 1)));
  for (std::uint32_t e = 0; e < 1000; ++e) s->set_unhealthy(e, e != 777);
  for (const char* user : {"a", "b", "c"}) {
    s.say(std::string("x-user: ") + user);
    EXPECT_EQ(s.decide().endpoint, 777u);
  }
  s->set_unhealthy(777, true);
  EXPECT_EQ(s.rule(s.decide()), "service s/unhealthy");
}

/// The first of each two endpoints is in zone `a`, the other in zone `b`.
model::Policy by_zone(model::Balance balance, std::size_t endpoints) {
  model::Policy p = with_weights(balance, std::vector<std::uint32_t>(endpoints, 1));
  p.services[0].prefer = "zone";
  for (std::size_t e = 0; e < endpoints; ++e) p.services[0].endpoints[e].labels["zone"] = e % 2 == 0 ? "a" : "b";
  return p;
}

TEST(Prefer, WhoIsInTheAgentsOwnZone) {
  for (const auto balance :
       {model::Balance::round_robin, model::Balance::random, model::Balance::least_request, model::Balance::maglev}) {
    Balanced s(by_zone(balance, 4), {"b", "a"});
    Counts found = s.counts(400);
    EXPECT_EQ(found.size(), 2u);
    EXPECT_NEAR(found[1], 200, 70);
    EXPECT_NEAR(found[3], 200, 70);
    s->set_unhealthy(1, true);
    EXPECT_EQ(s.counts(20), (Counts{{3, 20}}));
    s->set_ejected(3, true);
    found = s.counts(400);
    EXPECT_EQ(found.size(), 2u) << "spilled over";
    EXPECT_NEAR(found[0], 200, 70);
    s->set_unhealthy(1, false);
    EXPECT_EQ(s.counts(20), (Counts{{1, 20}})) << "and back";
  }
}

TEST(Prefer, NobodyWithoutAZone) {
  for (const char* zone : {"", "c"}) {
    Balanced s(by_zone(model::Balance::round_robin, 4), {zone, "a"});
    EXPECT_EQ(s.counts(40).size(), 4u) << zone;
  }
  Balanced node(by_zone(model::Balance::round_robin, 4));
  EXPECT_EQ(node.counts(40).size(), 4u);
}

TEST(Prefer, SpillsOverWhereTheNearAreFull) {
  model::Policy p = by_zone(model::Balance::round_robin, 2);
  p.services[0].at_most = model::AtMost{2, 1};
  Balanced s(p, {"a", ""});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(s.decide().endpoint, 0u);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(s.decide().endpoint, 1u);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(s.decide().verdict, HD_VERDICT_FORWARD) << "waits";
  EXPECT_EQ(s.decide().verdict, HD_VERDICT_FULL);
}

model::Policy bounded(model::Balance balance, std::uint32_t connections, std::uint32_t pending) {
  model::Policy p = with_weights(balance, {1, 1});
  p.services[0].at_most = model::AtMost{connections, pending};
  return p;
}

TEST(AtMost, IsSpilledToOthersThenWaitedForThenRefused) {
  for (const auto balance :
       {model::Balance::round_robin, model::Balance::random, model::Balance::least_request, model::Balance::maglev}) {
    Balanced s(bounded(balance, 3, 2));
    for (int i = 0; i < 6; ++i) EXPECT_EQ(s.decide().verdict, HD_VERDICT_FORWARD);
    EXPECT_EQ(s->endpoint_state(0).in_flight, 3u);
    EXPECT_EQ(s->endpoint_state(1).in_flight, 3u);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(s.decide().verdict, HD_VERDICT_FORWARD) << "waits";
    const hd_decision full = s.decide();
    EXPECT_EQ(full.verdict, HD_VERDICT_FULL);
    EXPECT_EQ(full.status, 503);
    EXPECT_EQ(full.endpoint_state, HD_NONE);
    EXPECT_EQ(s.rule(full), "service s/full");
    s.finish(1, 200);
    const hd_decision again = s.decide();
    EXPECT_EQ(again.verdict, HD_VERDICT_FORWARD);
    EXPECT_EQ(again.endpoint, 1u);
  }
}

TEST(AtMost, WhoIsHealthyDecidesWhetherAllAreFull) {
  Balanced s(bounded(model::Balance::round_robin, 1, 0));
  s->set_unhealthy(0, true);
  EXPECT_EQ(s.decide().endpoint, 1u);
  EXPECT_EQ(s.rule(s.decide()), "service s/full");
  s->set_unhealthy(1, true);
  EXPECT_EQ(s.rule(s.decide()), "service s/unhealthy");
}

TEST(AtMost, BoundsTheEndpointThatIsDialledItself) {
  Balanced s(bounded(model::Balance::round_robin, 1, 1));
  s.dial(test::address("10.0.0.1", 8080));
  s->set_unhealthy(0, true);
  EXPECT_EQ(s.decide().endpoint, 0u);
  EXPECT_EQ(s.decide().endpoint, 0u);
  const hd_decision full = s.decide();
  EXPECT_EQ(s.rule(full), "service s/full");
  EXPECT_EQ(full.endpoint, HD_NONE);
  EXPECT_EQ(s->endpoint_state(0).in_flight, 2u);
}

model::Policy ejecting(std::size_t endpoints, std::uint32_t share_ppm, std::uint32_t time_ms = 30000) {
  model::Policy p = with_weights(model::Balance::round_robin, std::vector<std::uint32_t>(endpoints, 1));
  p.services[0].eject = model::Eject{3, time_ms, share_ppm};
  return p;
}

TEST(Eject, AfterFailuresInARow) {
  Balanced s(ejecting(4, 500000));
  s.fail(2, 2);
  s.finish(2, 200);
  s.fail(2, 2);
  EXPECT_FALSE(s.is_ejected(2));
  s.fail(2, 1);
  EXPECT_TRUE(s.is_ejected(2));
  EXPECT_EQ(s.counts(12), (Counts{{0, 4}, {1, 4}, {3, 4}}));
  EXPECT_EQ(s->endpoint_state(2).failures, 0u);
}

TEST(Eject, CountsWhatIsTheEndpointsFault) {
  const auto ejects = [](int status, std::uint8_t flags, hd_verdict verdict = HD_VERDICT_FORWARD) {
    Balanced s(ejecting(4, 500000));
    for (int i = 0; i < 3; ++i) s.finish(0, static_cast<std::uint16_t>(status), flags, verdict);
    return s.is_ejected(0);
  };
  for (const int status : {500, 503, 599}) EXPECT_TRUE(ejects(status, 0)) << status;
  for (const int status : {200, 404, 499, 0}) EXPECT_FALSE(ejects(status, 0)) << status;
  EXPECT_TRUE(ejects(502, HD_EVENT_CONNECT_FAILED));
  EXPECT_TRUE(ejects(0, HD_EVENT_CONNECT_FAILED));
  EXPECT_TRUE(ejects(200, HD_EVENT_SERVER_ABORTED));
  EXPECT_TRUE(ejects(504, HD_EVENT_TIMEOUT));
  EXPECT_TRUE(ejects(504, HD_EVENT_TIMEOUT, HD_VERDICT_RESPOND))
      << "whatever the handler makes of the verdict";
  EXPECT_FALSE(ejects(0, HD_EVENT_CLIENT_ABORTED));
  EXPECT_FALSE(ejects(503, 0, HD_VERDICT_FULL)) << "it has seen nothing of the request";
}

TEST(Eject, AClientThatGoesAwayIsNeitherFailureNorSuccess) {
  Balanced s(ejecting(4, 500000));
  s.fail(0, 2);
  s.finish(0, 0, HD_EVENT_CLIENT_ABORTED);
  s.finish(0, 503, 0, HD_VERDICT_FULL);  // and so is a request that never came to it
  EXPECT_EQ(s->endpoint_state(0).failures, 2u);
  s.fail(0, 1);
  EXPECT_TRUE(s.is_ejected(0));
}

TEST(Eject, NoMoreThanTheShareAndNeverTheLast) {
  Balanced half(ejecting(5, 500000));
  for (std::uint32_t e = 0; e < 5; ++e) half.fail(e, 9);
  int ejected = 0;
  for (std::uint32_t e = 0; e < 5; ++e) ejected += half.is_ejected(e) ? 1 : 0;
  EXPECT_EQ(ejected, 2);
  Balanced all(ejecting(3, 1000000));
  for (std::uint32_t e = 0; e < 3; ++e) all.fail(e, 9);
  EXPECT_FALSE(all.is_ejected(2));
  EXPECT_TRUE(all.is_ejected(0) && all.is_ejected(1));
  Balanced one(ejecting(1, 1000000));
  one.fail(0, 9);
  EXPECT_FALSE(one.is_ejected(0));
  Balanced sick(ejecting(3, 1000000));
  sick->set_unhealthy(2, true);
  for (std::uint32_t e = 0; e < 2; ++e) sick.fail(e, 9);
  EXPECT_TRUE(sick.is_ejected(0));
  EXPECT_FALSE(sick.is_ejected(1)) << "the last healthy one";
}

/// An ejection ends by time alone; then another may be ejected, and failures count from the beginning.
TEST(Eject, EndsByItself) {
  Balanced s(ejecting(2, 500000, 50));
  s.fail(0, 3);
  ASSERT_TRUE(s.is_ejected(0));
  s.fail(0, 2);  // on their way when it was ejected
  s.fail(1, 4);
  EXPECT_FALSE(s.is_ejected(1));
  const auto begin = std::chrono::steady_clock::now();
  while (s.counts(4).size() < 2) ASSERT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(20));
  EXPECT_EQ(s->endpoint_state(0).failures, 0u);
  s.fail(1, 1);
  EXPECT_TRUE(s.is_ejected(1)) << "the share is free again";
  EXPECT_EQ(s.counts(4), (Counts{{0, 4}}));
}

TEST(Ended, GivesBackWhatWasOnItsWayAndNoMore) {
  Balanced s(with_weights(model::Balance::least_request, {1}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(s.decide().counted, 1u);
  EXPECT_EQ(s->endpoint_state(0).in_flight, 3u);
  for (int i = 0; i < 5; ++i) s.finish(0, 200);
  EXPECT_EQ(s->endpoint_state(0).in_flight, 0u);
}

/// Nothing in this policy depends on it.
TEST(Ended, WhatNobodyAsksForIsNotCounted) {
  Balanced s(with_weights(model::Balance::round_robin, {1}));
  EXPECT_EQ(s.decide().counted, 0u);
  EXPECT_EQ(s->endpoint_state(0).in_flight, 0u);
}

TEST(Latency, IsCountedByTheRulesBuckets) {
  Balanced s(with_weights(model::Balance::round_robin, {1}));
  const hd_decision decision = s.decide();
  const std::vector<std::pair<std::uint64_t, std::size_t>> cases = {
      {0, 0},    {999, 0},      {1000, 1},     {1999, 1},         {2000, 2},       {3999, 2},
      {4000, 3}, {1000000, 10}, {1024000, 11}, {60000000000, 26}, {UINT64_MAX, 31}};
  std::vector<std::uint64_t> expected(HD_LATENCY_BUCKETS);
  for (const auto& [nanoseconds, bucket] : cases) {
    hd_event event{};
    event.decision = decision;
    event.latency_ns = nanoseconds;
    event.status = 200;
    ASSERT_TRUE(s->finish(event).ok());
    ++expected[bucket];
  }
  const auto found = s->latency(decision.rule);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(std::vector<std::uint64_t>(found->buckets, found->buckets + HD_LATENCY_BUCKETS), expected);
}

TEST(Timeout, IsTheRules) {
  model::Policy p = with_weights(model::Balance::round_robin, {1});
  p.services[0].route.emplace();
  p.services[0].route->rules.push_back({"route s/otherwise", std::nullopt, {}, {}, 1500});
  Balanced s(p);
  EXPECT_EQ(s->timeout_ms(s.decide().rule), 1500u);
  Balanced none(with_weights(model::Balance::round_robin, {1}));
  EXPECT_EQ(none->timeout_ms(none.decide().rule), 0u);
}

}  // namespace
}  // namespace heddle
