#include "runtime/handler/round.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/handler/fake_decider.h"

namespace heddle::handler {
namespace {

class Asker final : public Undecided {
 public:
  explicit Asker(std::string head, hd_form form = HD_FORM_OK) : head_(std::move(head)), form_(form) { origin_.cgroup = 42; }
  const hd_connection& origin() const override { return origin_; }
  hd_form form() const override { return form_; }
  std::string_view head() const override { return head_; }
  hd_u16 flags() const override { return tunnelled ? HD_REQUEST_TUNNEL : 0; }
  RemotePeer* peer() override { return certified ? &*certified : nullptr; }
  void decided(const hd_decision& decision) override {
    verdict = decision.verdict;
    if (again != nullptr) again->submit(*this);
  }
  void undecided() override { ++failures; }

  std::optional<RemotePeer> certified;
  bool tunnelled = false;
  int verdict = -1;
  int failures = 0;
  Round* again = nullptr;

 private:
  std::string head_;
  hd_form form_;
  hd_connection origin_{};
};

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

TEST(Round, OneCallForAllThatIsReady) {
  FakeDecider decider(80);
  Round round(decider);
  std::vector<Asker> askers;
  for (int i = 0; i < HD_ROUND_MAX; ++i) askers.emplace_back(get(i % 2 == 0 ? "/deny" : "/respond"));
  for (Asker& asker : askers) round.submit(asker);
  round.run(0);
  EXPECT_EQ(decider.calls, 1U);
  for (std::size_t i = 0; i < askers.size(); ++i) {
    EXPECT_EQ(askers[i].verdict, i % 2 == 0 ? HD_VERDICT_DENY : HD_VERDICT_RESPOND) << i;
    EXPECT_EQ(decider.heads[i], askers[i].head());
  }
}

/// Whom a certificate names is nobody's cgroup, and nothing of it is left for the next one in its slot.
TEST(Round, APeerIsToldWithItsRequest) {
  FakeDecider decider(80);
  Round round(decider);
  Asker known(get("/deny"));
  Asker peer(get("/deny"));
  const std::string spiffe = "spiffe://shop.example/ns/shop/sa/web";
  peer.certified.emplace(spiffe);
  peer.tunnelled = true;
  for (Asker* first : {&known, &peer, &known}) {
    round.submit(*first);
    round.run(0);
    const hd_slot& slot = decider.slots()[0];
    const bool is_peer = first == &peer;
    EXPECT_EQ(slot.request.flags, is_peer ? HD_REQUEST_PEER | HD_REQUEST_TUNNEL : 0);
    EXPECT_EQ(slot.request.cgroup, is_peer ? 0U : 42U);
    if (!is_peer) continue;
    EXPECT_EQ(slot.peer.digest, decider.current_tables()->find_peer(spiffe)->digest);
    EXPECT_NE(slot.peer.digest, 0U);
  }
}

TEST(Round, OneMoreTakesASecondCall) {
  FakeDecider decider(80);
  Round round(decider);
  std::vector<Asker> askers(HD_ROUND_MAX + 1, Asker(get("/deny")));
  for (Asker& asker : askers) round.submit(asker);
  round.run(0);
  EXPECT_EQ(decider.calls, 2U);
  EXPECT_EQ(askers.back().verdict, HD_VERDICT_DENY);
}

/// The pages of a worker hold eight heads of the greatest length.
TEST(Round, LongHeadsTakeSeveralCalls) {
  FakeDecider decider(80);
  Round round(decider);
  std::vector<Asker> askers(10, Asker(get("/deny" + std::string(HD_HEAD_MAX - 200, 'x'))));
  for (Asker& asker : askers) round.submit(asker);
  round.run(0);
  EXPECT_EQ(decider.calls, 2U);
  for (const Asker& asker : askers) EXPECT_EQ(asker.verdict, HD_VERDICT_DENY);
  for (const std::string& head : decider.heads) EXPECT_EQ(head, askers[0].head());
}

TEST(Round, FormsThatNeedNoScanCarryNoHead) {
  FakeDecider decider(80);
  Round round(decider);
  Asker connect(get("/a"), HD_FORM_CONNECT);
  Asker malformed(get("/a"), HD_FORM_MALFORMED);
  round.submit(connect);
  round.submit(malformed);
  round.run(0);
  EXPECT_EQ(decider.heads[0], "");
  EXPECT_EQ(decider.forms[0], HD_FORM_CONNECT);
  EXPECT_EQ(decider.heads[1], get("/a"));
  EXPECT_EQ(decider.forms[1], HD_FORM_MALFORMED);
}

TEST(Round, WhatBecomesReadyMeanwhileIsForTheNext) {
  FakeDecider decider(80);
  Round round(decider);
  Asker asker(get("/deny"));
  asker.again = &round;
  round.submit(asker);
  round.run(0);
  EXPECT_EQ(decider.calls, 1U);
  EXPECT_TRUE(round.has_heads());
}

TEST(Round, AFailureIsNobodysDecision) {
  FakeDecider decider(80);
  decider.fails = true;
  Round round(decider);
  Asker asker(get("/respond"));
  round.submit(asker);
  round.run(0);
  EXPECT_EQ(asker.verdict, -1);
  EXPECT_EQ(asker.failures, 1);
}

TEST(Round, EventsGoWithTheNextHeads) {
  FakeDecider decider(80);
  Round round(decider);
  hd_event event{};
  event.status = 299;
  round.finish(event, 0);
  round.run(1);
  EXPECT_EQ(decider.calls, 0U);
  Asker asker(get("/respond"));
  round.submit(asker);
  round.run(2);
  EXPECT_EQ(decider.calls, 1U);
  ASSERT_EQ(decider.events.size(), 1U);
  EXPECT_EQ(decider.events[0].status, 299);
  EXPECT_EQ(round.next_in(2), -1);
}

TEST(Round, EventsDoNotWaitForever) {
  FakeDecider decider(80);
  Round round(decider);
  round.finish(hd_event{}, 100);
  EXPECT_EQ(round.next_in(104), 6);
  round.run(109);
  EXPECT_EQ(decider.calls, 0U);
  round.run(110);
  EXPECT_EQ(decider.calls, 1U);
  EXPECT_EQ(decider.events.size(), 1U);
}

TEST(Round, ManyEvents) {
  FakeDecider decider(80);
  Round round(decider);
  for (int i = 0; i < 200; ++i) round.finish(hd_event{}, 0);
  round.run(0);
  round.run(10);
  EXPECT_EQ(decider.events.size(), 200U);
}

}  // namespace
}  // namespace heddle::handler
