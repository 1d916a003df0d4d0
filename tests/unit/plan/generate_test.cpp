#include "compiler/emit/generate.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "compiler/emit/child.h"

namespace heddle::emit {
namespace {

using model::Condition;

model::Policy policy(Condition::Kind kind) {
  model::Policy p;
  p.name = "p";
  p.trust_domain = "t";
  model::Service s;
  s.name = "s";
  s.route.emplace();
  Condition when;
  when.kind = kind;
  when.children.resize(2);
  when.children[0].test = {model::Attribute::path, model::Operator::is, "", "/a", {}};
  when.children[1].test = {model::Attribute::method, model::Operator::is, "", "GET", {}};
  s.route->rules.push_back({"route s/1", when, {}, {}});
  s.route->rules.push_back({"route s/otherwise", std::nullopt, {}, {}});
  p.services.push_back(s);
  return p;
}

std::string generated(Condition::Kind kind, Product product) {
  const plan::PlanResult planned = plan::make_plan(policy(kind));
  const Generated out = generate(planned.plan, product);
  EXPECT_TRUE(out.ok) << out.error;
  return out.bytes;
}

/// Conditions are code: what a policy says shows in what LLVM is given.
TEST(Generate, AndIsNotOr) {
  EXPECT_NE(generated(Condition::Kind::all, Product::ir), generated(Condition::Kind::any, Product::ir));
  EXPECT_NE(generated(Condition::Kind::all, Product::object),
            generated(Condition::Kind::any, Product::object));
}

TEST(Generate, NeedsNoProgramAndGivesTheSameBytes) {
  const std::string before = generated(Condition::Kind::all, Product::object);
  const std::string path = getenv("PATH");
  setenv("PATH", "", 1);
  setenv("TZ", "Asia/Tokyo", 1);
  setenv("LC_ALL", "tr_TR.UTF-8", 1);
  EXPECT_EQ(generated(Condition::Kind::all, Product::object), before);
  setenv("PATH", path.c_str(), 1);
  unsetenv("TZ");
  unsetenv("LC_ALL");
}

TEST(Generate, EveryStageHasItsText) {
  EXPECT_NE(generated(Condition::Kind::all, Product::ir).find("define i32 @hd_route(ptr"), std::string::npos);
  EXPECT_NE(generated(Condition::Kind::all, Product::llvm).find("@decide("), std::string::npos);
  EXPECT_NE(generated(Condition::Kind::all, Product::assembly).find("hd_route_0:"), std::string::npos);
}

TEST(Child, BringsBackALongAnswer) {
  const ChildResult result = run_in_child([] { return ChildResult{true, std::string(3 << 20, 'x')}; });
  EXPECT_TRUE(result.ok);
  EXPECT_EQ(result.output.size(), 3U << 20);
}

/// LLVM ends the process where it cannot go on; that must be a message, not our end.
TEST(Child, SurvivesAnAbort) {
  const ChildResult result = run_in_child([]() -> ChildResult { abort(); });
  EXPECT_FALSE(result.ok);
  EXPECT_NE(result.output.find("signal"), std::string::npos);
}

TEST(Child, AFailureIsToldWithItsText) {
  const ChildResult result = run_in_child([] { return ChildResult{false, "why"}; });
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.output, "why");
}

}  // namespace
}  // namespace heddle::emit
