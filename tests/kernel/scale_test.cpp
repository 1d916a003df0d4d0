#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "runtime/loader/generation.h"
#include "tests/kernel/compiled.h"

/// What the verifier walks for large policies. The bound is the budget on every kernel that we support; the
/// matrix asks the older ones.
namespace heddle {
namespace {

using model::Attribute;
using model::Condition;
using model::Operator;

constexpr std::uint32_t verified_budget = 200000;

Condition test(Attribute attribute, Operator op, const std::string& literal, const std::string& name = "") {
  Condition out;
  out.test.attribute = attribute;
  out.test.op = op;
  out.test.literal = literal;
  out.test.name = name;
  return out;
}

Condition combine(Condition::Kind kind, std::vector<Condition> children) {
  Condition out;
  out.kind = kind;
  out.children = std::move(children);
  return out;
}

/// Route number n of a shape that depends on n; no two are equal.
Condition route(int n) {
  using Kind = Condition::Kind;
  const std::string path = "/team-" + std::to_string(n % 37) + "/app-" + std::to_string(n);
  const Condition header =
      test(Attribute::header, Operator::is, "v" + std::to_string(n), "x-h" + std::to_string(n % 20));
  const Condition host = test(Attribute::host, Operator::is, "h" + std::to_string(n % 50) + ".example");
  const Condition method = test(Attribute::method, Operator::is, n % 2 == 0 ? "GET" : "POST");
  switch (n % 5) {
    case 0:
      return test(Attribute::path, Operator::is, path);
    case 1:
      return combine(Kind::all, {test(Attribute::path, Operator::under, path), method});
    case 2:
      return combine(Kind::all,
                     {test(Attribute::path, Operator::starts, path), combine(Kind::any, {host, header})});
    case 3:
      return combine(Kind::all, {combine(Kind::negation, {host}), header});
    default:
      return combine(Kind::any, {combine(Kind::all, {host, header, method}),
                                 test(Attribute::path, Operator::is, path + "/x")});
  }
}

model::Policy with_routes(int count) {
  model::Policy p;
  p.name = "large";
  p.trust_domain = "large.example";
  model::Service s;
  s.name = "s";
  s.addresses = {test::address("10.96.0.1", 80)};
  s.endpoints = {{test::address("10.0.0.1", 8080), {}, {}}};
  s.access.emplace();
  s.access->rules.push_back({"access s/1", model::Effect::allow, {}, std::nullopt, {}});
  s.route.emplace();
  for (int n = 0; n < count; ++n) {
    s.route->rules.push_back({"route s/" + std::to_string(n + 1), route(n), {}, {}});
  }
  s.route->rules.push_back({"route s/otherwise", std::nullopt, {}, {}});
  p.services.push_back(s);
  return p;
}

TEST(Scale, ThousandMixedRoutesAreVerifiedWithinTheBudget) {
  const bundle::Opened opened = test::compile(with_routes(1000));
  const auto figures = loader::verify(opened);
  ASSERT_TRUE(figures.ok()) << figures.error().what;
  for (const loader::ProgramFigures& program : *figures) {
    std::cout << program.name << ": " << program.verified_instructions << " verified, "
              << program.instructions << " instructions\n";
    EXPECT_LT(program.verified_instructions, verified_budget) << program.name;
  }
}

TEST(Scale, ThousandServices) {
  model::Policy p = with_routes(3);
  const model::Service one = p.services[0];
  p.services.clear();
  for (int n = 0; n < 1000; ++n) {
    model::Service s = one;
    s.name = "s" + std::to_string(1000 + n);
    s.addresses = {test::address("10.96." + std::to_string(n / 250) + "." + std::to_string(n % 250), 80)};
    s.endpoints = {
        {test::address("10.0." + std::to_string(n / 250) + "." + std::to_string(n % 250), 8080), {}, {}}};
    p.services.push_back(s);
  }
  const bundle::Opened opened = test::compile(p);
  const auto figures = loader::verify(opened);
  ASSERT_TRUE(figures.ok()) << figures.error().what;
  for (const loader::ProgramFigures& program : *figures) {
    EXPECT_LT(program.verified_instructions, verified_budget) << program.name;
  }
}

}  // namespace
}  // namespace heddle
