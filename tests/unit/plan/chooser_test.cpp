#include "compiler/plan/chooser.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

namespace heddle::plan {
namespace {

using Kind = Formula::Kind;

Formula atom(std::uint32_t slot, std::uint32_t bit) {
  return {Kind::atom, bit, slot, {}};
}

Formula of(Kind kind, std::vector<Formula> children) {
  return {kind, 0, 0, std::move(children)};
}

Formula no(Formula formula) {
  return of(Kind::negation, {std::move(formula)});
}

/// In slot 1 one class for each of `count` bits; in slot 2 classes {}, {0}, {0, 1}.
Classes classes(std::uint32_t count) {
  Classes out;
  out[1].emplace_back();
  for (std::uint32_t bit = 0; bit < count; ++bit) out[1].push_back({bit});
  out[2] = {{}, {0}, {0, 1}};
  out[HD_SLOT_CALLER] = {{0}, {0, 1}};
  return out;
}

const std::vector<std::uint32_t>& list(const Chooser& chooser, std::uint32_t slot, std::size_t number) {
  for (const Chooser::Key& key : chooser.keys) {
    if (key.slot == slot) return chooser.lists[key.lists.at(number)];
  }
  static const std::vector<std::uint32_t> none;
  return none;
}

TEST(NormalForm, NegationsStandAtLeaves) {
  const Formula a = atom(1, 0);
  const Formula b = atom(1, 1);
  const Formula out = normal_form(no(of(Kind::all, {a, no(of(Kind::any, {b, no(a)}))})));
  ASSERT_EQ(out.kind, Kind::any);  // not a or (b or not a)
  ASSERT_EQ(out.children.size(), 3U);
  EXPECT_EQ(out.children[0].kind, Kind::negation);
  EXPECT_EQ(out.children[1].kind, Kind::atom);
  EXPECT_EQ(out.children[2].kind, Kind::negation);
}

TEST(NormalForm, ConstantsAreGone) {
  EXPECT_EQ(normal_form(of(Kind::all, {Formula(), atom(1, 0)})).kind, Kind::atom);
  EXPECT_EQ(normal_form(of(Kind::any, {Formula(), atom(1, 0)})).kind, Kind::always);
  EXPECT_EQ(normal_form(of(Kind::any, {no(Formula()), atom(1, 0)})).kind, Kind::atom);
  const Formula never = normal_form(of(Kind::all, {no(Formula()), atom(1, 0)}));
  EXPECT_EQ(never.kind, Kind::any);
  EXPECT_TRUE(never.children.empty());
}

TEST(Chooser, AClassListsThoseWhoseKeyHoldsInIt) {
  const Chooser out = *make_chooser({{7, of(Kind::all, {atom(1, 0), atom(2, 0)})}, {8, atom(1, 1)}, {9, Formula()}}, classes(2));
  ASSERT_EQ(out.alternatives.size(), 3U);
  EXPECT_EQ(out.alternatives[0].rule, 7U);
  EXPECT_EQ(out.alternatives[0].rest.kind, Kind::atom) << "what the key says is not tested again";
  EXPECT_EQ(out.alternatives[1].rest.kind, Kind::always);
  using List = std::vector<std::uint32_t>;
  EXPECT_EQ(list(out, 1, 0), List{});
  EXPECT_EQ(list(out, 1, 1), List{0});
  EXPECT_EQ(list(out, 1, 2), List{1});
  EXPECT_EQ(list(out, HD_SLOT_ALL, 0), List{2});
}

TEST(Chooser, RareTestsAreKeys) {
  std::vector<Decision> decisions;
  for (std::uint32_t n = 0; n < 100; ++n) decisions.push_back({n, of(Kind::all, {atom(2, 1), atom(1, n)})});
  const Chooser out = *make_chooser(decisions, classes(100));
  ASSERT_EQ(out.keys.size(), 1U);
  EXPECT_EQ(out.keys[0].slot, 1U);
  for (const auto& each : out.lists) EXPECT_LE(each.size(), 1U);
}

TEST(Chooser, EachWayOfAnAlternationHasItsKey) {
  const Chooser out = *make_chooser({{5, of(Kind::any, {atom(1, 0), of(Kind::all, {atom(2, 0), no(atom(1, 1))})})}}, classes(2));
  ASSERT_EQ(out.alternatives.size(), 2U);
  EXPECT_EQ(out.alternatives[1].keys, (std::vector<Leaf>{{2, 0}}));
  EXPECT_EQ(out.alternatives[1].rest.kind, Kind::negation);
}

TEST(Chooser, CallersAreKeysToo) {
  Formula second;
  second.kind = Kind::identity;
  second.bit = 1;
  const Chooser out = *make_chooser({{5, second}}, classes(0));
  EXPECT_EQ(list(out, HD_SLOT_CALLER, 0), std::vector<std::uint32_t>{});
  EXPECT_EQ(list(out, HD_SLOT_CALLER, 1), std::vector<std::uint32_t>{0});
}

/// Who is no workload may hold any identities together, so that each has a list of its own.
TEST(Chooser, EachIdentityIsAKeyOfPeers) {
  const auto identity = [](std::uint32_t bit) { return Formula{Kind::identity, bit, 0, {}}; };
  const Chooser out =
      *make_chooser({{5, identity(1)}, {6, of(Kind::any, {identity(0), identity(2)})}, {7, identity(1)}}, classes(0));
  using List = std::vector<std::uint32_t>;
  EXPECT_EQ(list(out, HD_SLOT_IDENTITY + 0, 0), List{1});
  EXPECT_EQ(list(out, HD_SLOT_IDENTITY + 1, 0), List{0}) << "the first holds by that alone";
  EXPECT_EQ(list(out, HD_SLOT_IDENTITY + 2, 0), List{2}) << "no workload holds it";
  for (const Chooser::Key& key : out.keys) EXPECT_NE(key.is_for_workloads(), key.is_for_peers());
}

TEST(Chooser, NobodyIsListedBehindOneThatAlwaysHolds) {
  const Chooser out = *make_chooser({{1, atom(2, 0)}, {2, atom(2, 1)}, {3, Formula()}, {4, Formula()}}, classes(0));
  EXPECT_EQ(list(out, 2, 2), std::vector<std::uint32_t>{0});
  EXPECT_EQ(list(out, HD_SLOT_ALL, 0), std::vector<std::uint32_t>{2});
}

/// Where every value is on the lists of thousands, the lists would be larger than the code.
TEST(Chooser, GivesUpWhereListsAreTooLong) {
  Classes wide;
  for (std::uint32_t c = 0; c < 3000; ++c) {
    std::vector<std::uint32_t>& set = wide[1].emplace_back();
    for (std::uint32_t bit = 0; bit < 3000; ++bit) {
      if (bit != c) set.push_back(bit);
    }
  }
  std::vector<Decision> decisions;
  for (std::uint32_t n = 0; n < 3000; ++n) decisions.push_back({n, of(Kind::all, {atom(1, n), no(atom(1, (n + 1) % 3000))})});
  EXPECT_FALSE(make_chooser(decisions, wide));
}

}  // namespace
}  // namespace heddle::plan
