// Whom the slots of `balance maglev` belong to.

#include "compiler/plan/maglev.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "compiler/eval/maglev.h"
#include "compiler/plan/plan.h"

namespace heddle::plan {
namespace {

/// 10.0.0.1, 10.0.0.2, …: one for each weight.
std::vector<model::Endpoint> endpoints(const std::vector<std::uint32_t>& weights) {
  std::vector<model::Endpoint> made;
  for (const std::uint32_t weight : weights) {
    model::Endpoint one;
    const std::size_t number = made.size() + 1;
    EXPECT_TRUE(model::parse_ip("10.0." + std::to_string(number / 250) + "." + std::to_string(number % 250), one.address.ip));
    one.address.port = 8080;
    one.weight = weight;
    made.push_back(one);
  }
  return made;
}

/// The owners' addresses, slot by slot.
std::vector<model::SocketAddress> owners(const std::vector<model::Endpoint>& members) {
  std::vector<const model::Endpoint*> pointers;
  for (const model::Endpoint& one : members) pointers.push_back(&one);
  std::vector<model::SocketAddress> found;
  for (const std::uint32_t place : maglev_slots(pointers)) found.push_back(members.at(place).address);
  return found;
}

double share_of(const std::vector<model::SocketAddress>& slots, const model::Endpoint& endpoint) {
  return static_cast<double>(std::ranges::count(slots, endpoint.address)) / static_cast<double>(slots.size());
}

/// Of the slots that `gone` did not have, the part that has another owner now.
double moved(const std::vector<model::SocketAddress>& before, const std::vector<model::SocketAddress>& after,
             const model::Endpoint& gone) {
  EXPECT_EQ(before.size(), after.size());
  std::size_t count = 0;
  for (std::size_t slot = 0; slot < before.size(); ++slot)
    count += before[slot] != gone.address && before[slot] != after[slot] ? 1 : 0;
  return static_cast<double>(count) / static_cast<double>(before.size());
}

TEST(Maglev, SharesFollowTheWeights) {
  for (const auto& weights : std::vector<std::vector<std::uint32_t>>{
           {1}, {7}, {1, 1, 1}, {1, 2, 5}, {100, 300, 600}, {1, 1, 60}, {1, 1, 200}, std::vector<std::uint32_t>(100, 3)}) {
    const auto members = endpoints(weights);
    const auto slots = owners(members);
    double sum = 0;
    for (const std::uint32_t weight : weights) sum += weight;
    for (std::size_t e = 0; e < members.size(); ++e)
      EXPECT_NEAR(share_of(slots, members[e]) * sum / weights[e], 1, 0.03) << weights.size() << " " << weights[e];
  }
}

TEST(Maglev, WhoeverLeavesTakesFewOthersWithHim) {
  const auto members = endpoints(std::vector<std::uint32_t>(10, 1));
  const auto before = owners(members);
  for (std::size_t gone = 0; gone < members.size(); ++gone) {
    auto rest = members;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(gone));
    EXPECT_LT(moved(before, owners(rest), members[gone]), 0.05) << gone;
  }
  const auto weighted = endpoints({1, 2, 3, 4, 5, 6});
  auto rest = weighted;
  rest.pop_back();
  EXPECT_LT(moved(owners(weighted), owners(rest), weighted.back()), 0.15);
}

TEST(Maglev, TheOrderOfThePageSaysNothing) {
  auto members = endpoints({1, 2, 3, 4, 5});
  const auto slots = owners(members);
  std::ranges::reverse(members);
  EXPECT_EQ(owners(members), slots);
  std::swap(members[0], members[2]);
  EXPECT_EQ(owners(members), slots);
}

/// Nodes with bundles of different compilers agree: this is never another table.
TEST(Maglev, IsPinned) {
  const auto members = endpoints({1, 2, 3});
  std::string begin;
  for (const model::SocketAddress& owner : owners(members)) begin += owner.text().substr(7, 1);
  EXPECT_EQ(begin.size(), 4093u);
  EXPECT_EQ(begin.substr(0, 40), "2332212233221213223231313332121332332332");
}

TEST(Maglev, TheSizeIsThatOfTheLightestShare) {
  EXPECT_EQ(owners(endpoints(std::vector<std::uint32_t>(63, 5))).size(), 4093u);
  EXPECT_EQ(owners(endpoints(std::vector<std::uint32_t>(64, 5))).size(), 65521u);
  EXPECT_EQ(owners(endpoints({1, 65535})).size(), 65521u);
  const auto light = endpoints({1, 65535, 65535});
  EXPECT_GT(share_of(owners(light), light[0]), 0) << "everybody has a slot";
  EXPECT_TRUE(owners({}).empty());
}

model::Policy policy_of(const std::vector<model::Endpoint>& members) {
  model::Policy p;
  model::Service s;
  s.name = "s";
  s.balance = model::Balance::maglev;
  s.maglev_by = model::RequestKey{model::Attribute::header, "x-user"};
  s.endpoints = members;
  p.services.push_back(s);
  return p;
}

TEST(Maglev, TheEvaluatorFindsTheSameSlots) {
  for (const auto& weights : std::vector<std::vector<std::uint32_t>>{
           {1}, {1, 2}, {2, 1}, {3, 3, 1, 2}, {1, 100}, {65535, 3}, {7, 7, 7, 20, 1}}) {
    const model::Policy policy = policy_of(endpoints(weights));
    const auto slots = owners(policy.services[0].endpoints);
    std::vector<model::SocketAddress> evaluated;
    eval::MaglevSlots found;
    for (const model::Endpoint* owner : found.of(policy, {0, std::nullopt})) evaluated.push_back(owner->address);
    EXPECT_EQ(slots, evaluated) << weights.size();
  }
}

TEST(Maglev, IPv4AloneHasSlotsOfItsOwn) {
  auto members = endpoints({1, 1, 1});
  const auto tables_of = [&] { return make_plan(policy_of(members)).plan.tables; };
  Tables tables = tables_of();
  EXPECT_EQ(tables.pools[0].slots, 4093u);
  EXPECT_EQ(tables.pools[1].first_slot, tables.pools[0].first_slot) << "equal ones share them";
  EXPECT_EQ(tables.maglev.size(), 4093u);
  ASSERT_TRUE(model::parse_ip("fd00::1", members[1].address.ip));
  tables = tables_of();
  EXPECT_EQ(tables.pools[1].first_slot, 4093u);
  EXPECT_EQ(tables.pools[1].slots, 4093u);
  const auto of_v4 = std::span(tables.maglev).subspan(4093);
  EXPECT_EQ(std::ranges::count(of_v4, 1u), 0);
  EXPECT_GT(std::ranges::count(of_v4, 2u), 2000);
}

TEST(Maglev, HasABoundOfEndpoints) {
  const auto planned = make_plan(policy_of(endpoints(std::vector<std::uint32_t>(maglev_endpoints + 1, 1))));
  ASSERT_FALSE(planned.errors.empty());
  EXPECT_EQ(planned.errors.front().what,
            "service `s` has 4097 endpoints balanced by `maglev`, and at most 4096 can be compiled");
}

}  // namespace
}  // namespace heddle::plan
