// What the tables say of workloads, services and endpoints.

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"

namespace heddle::plan {
namespace {

model::Identity identity(const char* name, const char* path) {
  model::Identity made;
  made.name = name;
  made.patterns = {{"t", path, {}}};
  return made;
}

model::Workload workload(const char* name, model::IdentityId id, bool fast_path) {
  model::Workload made;
  made.name = name;
  made.cgroup = name;
  made.identity = id;
  made.fast_path = fast_path;
  return made;
}

/// Service `s` of workloads `ns/a` and `ns/b`, of which the second may be opted out.
model::Policy two_workloads(bool fast) {
  model::Policy p;
  p.trust_domain = "t";
  p.identities = {identity("a", "ns/a"), identity("all", "ns/*"), identity("b", "ns/b")};
  p.workloads = {workload("a", 0, true), workload("b", 2, fast)};
  model::Service s;
  s.name = "s";
  p.services.push_back(s);
  return p;
}

hd_service service_of(const model::Policy& policy) {
  return make_plan(policy).plan.tables.services.front();
}

TEST(FastPath, AWorkloadThatIsOptedOutSaysSo) {
  const PlanResult planned = make_plan(two_workloads(false));
  EXPECT_EQ(planned.plan.tables.workloads[0].flags, 0u);
  EXPECT_EQ(planned.plan.tables.workloads[1].flags, HD_WORKLOAD_NOT_FAST);
}

TEST(FastPath, OneWorkloadOfAServiceTakesItOff) {
  model::Policy policy = two_workloads(false);
  EXPECT_EQ(service_of(policy).flags, HD_SERVICE_FAST) << "nobody is known to serve it";
  policy.services.front().identity = 0;
  EXPECT_EQ(service_of(policy).flags, HD_SERVICE_FAST) << "a workload that does not serve it";
  policy.services.front().identity = 2;
  EXPECT_EQ(service_of(policy).flags, 0u);
  policy.services.front().identity = 1;
  EXPECT_EQ(service_of(policy).flags, 0u) << "a pattern that the workload holds";
  policy = two_workloads(true);
  policy.services.front().identity = 1;
  EXPECT_EQ(service_of(policy).flags, HD_SERVICE_FAST);
}

TEST(FastPath, IsForHttp) {
  model::Policy policy = two_workloads(true);
  policy.services.front().protocol = model::Protocol::tcp;
  EXPECT_EQ(service_of(policy).flags, 0u);
}

model::Policy with_weights(const std::vector<std::uint32_t>& weights) {
  model::Policy p;
  model::Service s;
  s.name = "s";
  for (const std::uint32_t weight : weights) {
    model::Endpoint endpoint;
    endpoint.address.port = static_cast<std::uint16_t>(1 + s.endpoints.size());
    endpoint.weight = weight;
    s.endpoints.push_back(endpoint);
  }
  p.services.push_back(s);
  return p;
}

/// Whatever the weights: every place has its turn once in a round.
TEST(Pools, AStrideReachesEveryPlace) {
  for (const auto& weights : std::vector<std::vector<std::uint32_t>>{
           {1}, {7}, {2, 1}, {3, 1}, {5, 5}, {1, 2, 3}, {10, 20, 30}, {65535, 1}, {65535, 65535}}) {
    const Tables tables = make_plan(with_weights(weights)).plan.tables;
    const hd_pool& pool = tables.pools[0];
    EXPECT_EQ(pool.weight, std::accumulate(weights.begin(), weights.end(), 0U));
    EXPECT_EQ(std::gcd(pool.weight, pool.stride), 1U) << pool.weight << " " << pool.stride;
    EXPECT_EQ(tables.endpoints[0].weight, weights[0]);
  }
  EXPECT_EQ(make_plan(with_weights({1, 1, 1, 1, 1})).plan.tables.pools[0].stride, 1U)
      << "equal ones take turns in the order of the page";
}

TEST(Pools, OfIPv4AloneHasItsOwnWeight) {
  model::Policy policy = with_weights({2, 3});
  ASSERT_TRUE(model::parse_ip("10.0.0.1", policy.services[0].endpoints[0].address.ip));
  ASSERT_TRUE(model::parse_ip("fd00::1", policy.services[0].endpoints[1].address.ip));
  const Tables tables = make_plan(policy).plan.tables;
  EXPECT_EQ(tables.pools[0].weight, 5U);
  EXPECT_EQ(tables.pools[1].weight, 2U);
}

TEST(Services, NameTheRulesOfTheirOutcomes) {
  model::Policy policy = with_weights({1});
  policy.services[0].at_most = model::AtMost{10, 7};
  policy.services[0].balance = model::Balance::least_request;
  const Plan plan = make_plan(policy).plan;
  const hd_service& service = plan.tables.services[0];
  EXPECT_EQ(plan.rules[service.unhealthy_rule].id, "service s/unhealthy");
  EXPECT_EQ(plan.rules[service.full_rule].id, "service s/full");
  EXPECT_EQ(plan.rules[service.timeout_rule].id, "service s/timeout");
  EXPECT_EQ(service.pending_max, 7U);
  EXPECT_EQ(plan.tables.pools[0].balance, HD_BALANCE_LEAST_REQUEST);
}

/// `path under "/a<n>" and from ns/a` for each n, and `otherwise`.
model::Policy with_rules(std::size_t count) {
  model::Policy policy = two_workloads(true);
  model::Service& service = policy.services.front();
  service.route.emplace();
  for (std::size_t n = 0; n < count; ++n) {
    model::Condition path;
    path.test.op = model::Operator::under;
    path.test.literal = "/a" + std::to_string(n);
    model::Condition from;
    from.test.attribute = model::Attribute::from;
    from.test.callers = {model::Callers::Kind::identities, {0}};
    model::Condition both;
    both.kind = model::Condition::Kind::all;
    both.children = {from, path};
    service.route->rules.push_back({"route s/" + std::to_string(n + 1), both, {}, {}});
  }
  service.route->rules.push_back({"route s/otherwise", std::nullopt, {}, {}});
  return policy;
}

TEST(Choosers, BeginWhereCodeEnds) {
  const Plan few = make_plan(with_rules(31)).plan;
  EXPECT_EQ(few.services[0].route.code.size(), 32u);
  EXPECT_EQ(few.tables.services[0].route_chooser, HD_NONE);
  EXPECT_TRUE(few.tables.choosers.empty());
  const Plan many = make_plan(with_rules(32)).plan;
  EXPECT_TRUE(many.services[0].route.code.empty());
  EXPECT_EQ(many.services[0].route.table.size(), 33u);
  EXPECT_EQ(many.tables.services[0].route_chooser, 0u);
  EXPECT_EQ(many.tables.services[0].access_chooser, HD_NONE);
  EXPECT_EQ(many.tables.services[0].atom_words, 0u) << "nobody looks at an atom";
}

/// Many services with few rules each are as much code as one with many.
TEST(Choosers, BeginEarlierWhereThereIsMuchCode) {
  const auto first = [](const CodeBounds& bounds) { return make_plan(with_rules(8), bounds).plan.tables.services[0].route_chooser; };
  EXPECT_EQ(first({.tests_of_a_policy = 25}), HD_NONE);
  EXPECT_EQ(first({.tests_of_a_policy = 24}), 0u);
}

TEST(Choosers, EqualTestsAreOneEntry) {
  const Tables tables = make_plan(with_rules(100)).plan.tables;
  EXPECT_EQ(tables.alternatives.size(), 101u);
  EXPECT_EQ(tables.tests.size(), 1u) << "who calls";
  EXPECT_EQ(tables.keys.size(), 2u) << "the path, and `otherwise`";
}

TEST(Choosers, AreDescribed) {
  const model::Policy policy = with_rules(40);
  const std::string text = describe(make_plan(policy).plan, policy);
  EXPECT_NE(text.find("route s/1: on atom 1.0 if identity 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("route s/otherwise: always\n"), std::string::npos) << text;
  EXPECT_NE(text.find("hd_alternatives: 41 of 8 bytes\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace heddle::plan
