// What the tables say of workloads, services and endpoints.

#include <gtest/gtest.h>

#include <numeric>
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

}  // namespace
}  // namespace heddle::plan
