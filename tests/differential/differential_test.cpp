#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string>

#include "tests/differential/agreement.h"
#include "tests/differential/campaign.h"
#include "tests/differential/policy_text.h"

namespace heddle::differential {
namespace {

// Seeds are fixed, so that a failure is the same for everybody; HEDDLE_SEED looks elsewhere.
std::uint64_t base_seed() {
  const char* seed = std::getenv("HEDDLE_SEED");
  return seed == nullptr ? 20240 : std::strtoull(seed, nullptr, 10);
}

bool is_long_run() {
  return std::getenv("HEDDLE_LONG") != nullptr;
}

Parsed parse_or_fail(const std::string& text) {
  Parsed parsed = parse(text);
  EXPECT_TRUE(parsed.policy) << parsed.complaint << text;
  return parsed;
}

void expect_wide(const Tally& tally, const char* what) {
  std::printf(
      "%s: %zu requests, %zu decided (%zu of them tcp), %zu by a rule of the policy, %zu refused for their "
      "form\n%s",
      what, tally.requests, tally.decided, tally.tcp, tally.hit_a_rule, tally.refused,
      tally.table.text().c_str());
  EXPECT_EQ(tally.table.rows(), 57u) << "every operator of the language has a row";
  EXPECT_GE(tally.table.smallest(), 100u);
  EXPECT_GE(tally.table.smallest() * 10'000, tally.requests) << "a cell has less than one request in ten thousand";
  EXPECT_GE(tally.hit_a_rule * 2, tally.decided);
  EXPECT_GT(tally.refused * 100, tally.decided) << "too few malformed requests";
  EXPECT_GT(tally.tcp, 500u);
  EXPECT_GT(tally.audited, 500u);
}

void expect_agreement(const Tally& tally) {
  EXPECT_EQ(tally.difference_count, 0u);
  for (const std::string& difference : tally.differences) ADD_FAILURE() << difference;
}

// The generator alone: what it makes reaches everywhere, whatever the machine allows.
TEST(Generator, ReachesEveryCell) {
  Tally tally;
  for (std::uint64_t number = 0; number < 750; ++number) {
    Random random(base_seed() + number);
    const Parsed parsed = parse_or_fail(random_policy(random));
    ASSERT_TRUE(parsed.policy);
    rehearse(parsed, 400, random, tally);
  }
  expect_wide(tally, "rehearsal");
}

TEST(Generator, IsTheSameEverywhere) {
  Random one(7);
  Random two(7);
  EXPECT_EQ(random_policy(one), random_policy(two));
}

TEST(Generator, NoTwoOfManyRoutesAreEqual) {
  std::istringstream text(many_routes(1000));
  std::set<std::string> conditions;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("  when ")) conditions.insert(line.substr(0, line.find(" -> ")));
  }
  EXPECT_EQ(conditions.size(), 1000u);
}

void expect_agreement_on_routes(std::size_t count, std::size_t requests, const plan::CodeBounds& bounds) {
  Tally tally;
  Random random(base_seed());
  const std::string text = many_routes(count);
  const Parsed parsed = parse_or_fail(text);
  ASSERT_TRUE(parsed.policy);
  compare(text, parsed, is_long_run() ? 200'000 : requests, random, tally, false, bounds);
  expect_agreement(tally);
  EXPECT_GE(tally.hit_a_rule * 2, tally.decided);
}

TEST(Differential, AgreeOnAThousandRoutes) {
  expect_agreement_on_routes(1000, 10'000, {});
}

/// As code, which is what they are no more: strings with hundreds of tests among the facts.
TEST(Differential, AgreeOnAThousandRoutesOfCode) {
  expect_agreement_on_routes(1000, 10'000, {.rules = 2000, .tests_of_a_policy = 100'000});
}

TEST(Differential, AgreeOnTenThousandRoutes) {
  expect_agreement_on_routes(10'000, 5'000, {});
}

TEST(Differential, EvaluatorAndCompiledFunctionAgree) {
  const std::uint64_t policies = is_long_run() ? 5000 : 320;
  const std::size_t requests = is_long_run() ? 2000 : 1000;
  Tally tally;
  for (std::uint64_t number = 0; number < policies && tally.difference_count < 20; ++number) {
    Random random(base_seed() + 1000 + number);
    const std::string text = random_policy(random);
    const Parsed parsed = parse_or_fail(text);
    ASSERT_TRUE(parsed.policy);
    compare(text, parsed, requests, random, tally);
  }
  expect_agreement(tally);
  expect_wide(tally, "random policies");
  EXPECT_GE(tally.decided, is_long_run() ? 9'900'000u : 200'000u);
}

/// Endpoints that are healthy or not, ejected, busy and full, before every single request.
TEST(Differential, AgreeOnTheEndpoint) {
  const std::uint64_t policies = is_long_run() ? 2000 : 150;
  Tally tally;
  for (std::uint64_t number = 0; number < policies && tally.difference_count < 20; ++number) {
    Random random(base_seed() + 700000 + number);
    const std::string text = random_policy(random, Bounds::tight);
    const Parsed parsed = parse_or_fail(text);
    ASSERT_TRUE(parsed.policy);
    compare(text, parsed, 300, random, tally, true);
  }
  expect_agreement(tally);
  for (const char* choice :
       {"round_robin, all", "round_robin, some", "random, all", "random, some", "least_request, all",
        "least_request, some", "maglev, all", "maglev, some", "near", "spilled over", "full", "full, dialled itself", "unhealthy", "timeout"}) {
    std::printf("%-22s %zu\n", choice, tally.choices[choice]);
    EXPECT_GE(tally.choices[choice], 200u) << choice;
  }
}

}  // namespace
}  // namespace heddle::differential
