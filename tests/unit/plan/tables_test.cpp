// What the tables say of workloads, services and endpoints.

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace heddle::plan
