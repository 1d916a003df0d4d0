#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/kernel/compiled.h"

/// Accounts of limits: how many are remembered, and for how long. What they mean is compared in tests/differential.
namespace heddle {
namespace {

/// One service, one limit of a request in an hour for each `x-user`.
model::Policy policy() {
  model::Policy p;
  p.name = "shop";
  p.trust_domain = "shop.example";
  model::Identity web;
  web.name = "web";
  web.patterns.push_back({"shop.example", "ns/web", {}});
  p.identities.push_back(web);
  p.workloads.push_back({"web", "web", 0, "", {}});
  model::Service s;
  s.name = "s";
  s.addresses = {test::address("10.96.0.1", 80)};
  s.endpoints = {{test::address("10.0.0.1", 8080), {}, {}}};
  s.access.emplace();
  s.access->rules.push_back({"access s/1", model::Effect::allow, {}, std::nullopt, {}});
  model::Limit limit;
  limit.id = "limit s/each";
  limit.count = 1;
  limit.period_ns = 3'600'000'000'000;
  limit.burst = 1;
  limit.key = {{model::Attribute::header, "x-user"}};
  s.limits.push_back(limit);
  p.services.push_back(s);
  return p;
}

std::string head_of(const std::string& user) {
  return "GET / HTTP/1.1\r\nHost: s\r\nx-user: " + user + "\r\n\r\n";
}

class Asked {
 public:
  Asked() : session_(test::load(policy())) {}

  std::vector<hd_decision> ask(const std::vector<std::string>& users) {
    std::vector<std::string> heads;
    for (const std::string& user : users) heads.push_back(head_of(user));
    std::vector<loader::DecideInput> inputs(users.size());
    for (std::size_t i = 0; i < users.size(); ++i) {
      inputs[i].workload = 0;
      inputs[i].destination = test::dialled(test::address("10.96.0.1", 80));
      inputs[i].head = heads[i];
      inputs[i].now_ns = 1;
    }
    auto decisions = session_->decide(inputs);
    EXPECT_TRUE(decisions.ok()) << decisions.error().what;
    return decisions ? *decisions : std::vector<hd_decision>();
  }
  bool is_limited(const std::string& user) { return ask({user}).at(0).verdict == HD_VERDICT_LIMITED; }
  loader::DecideSession& session() { return *session_; }

 private:
  std::unique_ptr<loader::DecideSession> session_;
};

TEST(Accounts, SaysHowLongToWait) {
  Asked asked;
  EXPECT_FALSE(asked.is_limited("a"));
  const hd_decision refused = asked.ask({"a"}).at(0);
  EXPECT_EQ(refused.verdict, HD_VERDICT_LIMITED);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.port, 3600);
  EXPECT_EQ(asked.session().rule_id(refused.rule), "limit s/each");
  EXPECT_EQ(asked.session().decisions(refused.rule).value(), 1U);
}

/// One call decides a whole round, and its requests charge one account one after the other.
TEST(Accounts, OfARoundAreChargedOneByOne) {
  Asked asked;
  std::size_t passed = 0;
  for (const hd_decision& decision : asked.ask(std::vector<std::string>(64, "a")))
    passed += decision.verdict == HD_VERDICT_FORWARD ? 1 : 0;
  EXPECT_EQ(passed, 1U);
}

/// Far more keys than there is room for: the number of accounts stays, and whoever goes on asking is remembered.
TEST(Accounts, AreForgottenByAgeAndNeverGrow) {
  Asked asked;
  EXPECT_FALSE(asked.is_limited("steady"));
  constexpr std::size_t rounds = HD_ACCOUNTS_MAX * 5 / 4 / HD_ROUND_MAX;
  std::size_t limited = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<std::string> users;
    for (std::size_t i = 0; i + 1 < HD_ROUND_MAX; ++i) users.push_back(std::to_string(round) + "-" + std::to_string(i));
    users.emplace_back("steady");
    const auto decisions = asked.ask(users);
    ASSERT_EQ(decisions.size(), HD_ROUND_MAX);
    for (std::size_t i = 0; i + 1 < HD_ROUND_MAX; ++i) limited += decisions[i].verdict == HD_VERDICT_LIMITED ? 1 : 0;
    ASSERT_EQ(decisions.back().verdict, HD_VERDICT_LIMITED) << "round " << round;
  }
  EXPECT_EQ(limited, 0U) << "keys shared an account";
  EXPECT_LE(asked.session().accounts(), std::size_t{HD_ACCOUNTS_MAX});
  EXPECT_GE(asked.session().accounts(), std::size_t{HD_ACCOUNTS_MAX} / 2);
}

}  // namespace
}  // namespace heddle
