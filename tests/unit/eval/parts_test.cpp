#include <gtest/gtest.h>

#include "compiler/eval/bytes.h"
#include "compiler/eval/caller.h"
#include "compiler/eval/draw.h"
#include "compiler/eval/match.h"
#include "compiler/eval/phrases.h"

namespace heddle::eval {
namespace {

using model::Attribute;
using model::Condition;
using model::Operator;

// ---- draws

model::RouteRule split_rule(std::vector<std::uint32_t> weights) {
  model::RouteRule rule;
  rule.id = "route reviews/3";
  rule.target.kind = model::Target::Kind::split;
  for (const auto weight : weights) rule.target.split.push_back({weight, {}});
  return rule;
}

// Computed by hand (Python) from the published definitions; a change here moves users between versions.
TEST(Draw, SharesArePinned) {
  EXPECT_EQ(share_of(0, "route reviews/3"), 291379u);
  EXPECT_EQ(share_of(1, "route reviews/3"), 352888u);
  EXPECT_EQ(share_of(0, "route reviews/4"), 4810u);
  EXPECT_EQ(share_of(0xffffffffffffffff, "route reviews/3"), 960038u);
}

TEST(Draw, TheInverseGivesTheShareAskedFor) {
  for (std::uint32_t share = 0; share < 1'000'000; share += 997) {
    EXPECT_EQ(share_of(draw_for(share, "route a/1"), "route a/1"), share);
  }
  EXPECT_EQ(share_of(draw_for(999'999, "route a/1"), "route a/1"), 999'999u);
}

TEST(Draw, APartBeginsWhereTheOnesBeforeItEnd) {
  const auto rule = split_rule({900'000, 0, 99'999, 1});
  EXPECT_EQ(part_of(rule.target.split, 0), 0u);
  EXPECT_EQ(part_of(rule.target.split, 899'999), 0u);
  EXPECT_EQ(part_of(rule.target.split, 900'000), 2u);
  EXPECT_EQ(part_of(rule.target.split, 999'998), 2u);
  EXPECT_EQ(part_of(rule.target.split, 999'999), 3u);
}

TEST(Draw, EveryPartThatCanBeTakenHasADraw) {
  const auto rule = split_rule({900'000, 0, 99'999, 1});
  std::vector<std::size_t> parts;
  for (const auto draw : draws_of_all_parts(rule))
    parts.push_back(part_of(rule.target.split, share_of(draw, rule.id)));
  EXPECT_EQ(parts, (std::vector<std::size_t>{0, 2, 3}));
}

TEST(Draw, SharesAreEven) {
  int low = 0;
  for (std::uint64_t draw = 0; draw < 100'000; ++draw) low += share_of(draw, "route a/1") < 300'000 ? 1 : 0;
  EXPECT_NEAR(low, 30'000, 600);
}

// ---- callers

TEST(Caller, PatternsMatchWholeIds) {
  const model::SpiffePattern web{"shop.example", "ns/shop/sa/web", {}};
  EXPECT_TRUE(matches(web, "spiffe://shop.example/ns/shop/sa/web"));
  EXPECT_FALSE(matches(web, "spiffe://shop.example/ns/shop/sa/web2"));
  EXPECT_FALSE(matches(web, "spiffe://shop.example/ns/shop/sa/we"));
  EXPECT_FALSE(matches(web, "spiffe://other.example/ns/shop/sa/web"));
  EXPECT_FALSE(matches(web, "spiffe://shop.example/ns/shop/sa/Web"));
  EXPECT_FALSE(matches(web, ""));
}

TEST(Caller, AStarIsARunWithoutSlash) {
  const model::SpiffePattern batch{"t", "a/batch-*/x", {}};
  EXPECT_TRUE(matches(batch, "spiffe://t/a/batch-1/x"));
  EXPECT_TRUE(matches(batch, "spiffe://t/a/batch-/x"));
  EXPECT_TRUE(matches(batch, "spiffe://t/a/batch-x/x"));
  EXPECT_FALSE(matches(batch, "spiffe://t/a/batch-1/2/x"));
  EXPECT_FALSE(matches(batch, "spiffe://t/a/batch-1/y"));
  EXPECT_TRUE(matches({"t", "*", {}}, "spiffe://t/a"));
  EXPECT_FALSE(matches({"t", "*", {}}, "spiffe://t/a/b"));
}

TEST(Caller, HoldsEveryIdentityThatMatches) {
  model::Policy policy;
  for (const char* path : {"web", "w*", "batch", "*"}) {
    model::Identity identity;
    identity.patterns = {{"t", path, {}}};
    policy.identities.push_back(identity);
  }
  const Caller caller = make_caller(policy, "spiffe://t/web");
  EXPECT_TRUE(caller.has_peer);
  EXPECT_EQ(caller.identities, (std::set<model::IdentityId>{0, 1, 3}));
  EXPECT_FALSE(make_caller(policy, std::nullopt).has_peer);
  EXPECT_TRUE(make_caller(policy, std::nullopt).identities.empty());
}

TEST(Caller, KindsOfFrom) {
  using Kind = model::Callers::Kind;
  const Caller web{true, {0}};
  const Caller stranger{true, {}};
  const Caller nobody{};
  EXPECT_TRUE(includes({Kind::any, {}}, nobody));
  EXPECT_TRUE(includes({Kind::authenticated, {}}, stranger));
  EXPECT_FALSE(includes({Kind::authenticated, {}}, nobody));
  EXPECT_TRUE(includes({Kind::unauthenticated, {}}, nobody));
  EXPECT_FALSE(includes({Kind::unauthenticated, {}}, stranger));
  EXPECT_TRUE(includes({Kind::identities, {1, 0}}, web));
  EXPECT_FALSE(includes({Kind::identities, {1}}, web));
  EXPECT_FALSE(includes({Kind::identities, {0}}, nobody));
}

// ---- conditions

Condition test(Attribute attribute, Operator op, std::string literal, std::string name = "") {
  Condition condition;
  condition.test.attribute = attribute;
  condition.test.op = op;
  condition.test.literal = std::move(literal);
  condition.test.name = std::move(name);
  return condition;
}

Condition combine(Condition::Kind kind, std::vector<Condition> children) {
  Condition condition;
  condition.kind = kind;
  condition.children = std::move(children);
  return condition;
}

bool on_path(Operator op, const std::string& literal, const std::string& path) {
  Head head;
  head.path = path;
  Facts facts;
  facts.head = &head;
  facts.path = comparable_path(path);
  return match(test(Attribute::path, op, literal), facts).holds;
}

TEST(Match, PathIs) {
  EXPECT_TRUE(on_path(Operator::is, "/a", "/a"));
  EXPECT_FALSE(on_path(Operator::is, "/a", "/A"));
  EXPECT_FALSE(on_path(Operator::is, "/a", "/a/"));
  EXPECT_FALSE(on_path(Operator::is, "/a/", "/a"));
}

TEST(Match, PathUnderIsWholeSegments) {
  EXPECT_TRUE(on_path(Operator::under, "/a", "/a"));
  EXPECT_TRUE(on_path(Operator::under, "/a", "/a/"));
  EXPECT_TRUE(on_path(Operator::under, "/a", "/a/b"));
  EXPECT_FALSE(on_path(Operator::under, "/a", "/ab"));
  EXPECT_FALSE(on_path(Operator::under, "/a", "/"));
  EXPECT_FALSE(on_path(Operator::under, "/a", "/b/a"));
  EXPECT_TRUE(on_path(Operator::under, "/", "/anything"));
  EXPECT_TRUE(on_path(Operator::under, "/a/", "/a/b"));
  EXPECT_FALSE(on_path(Operator::under, "/a/", "/a"));
}

TEST(Match, PathStartsIsBytes) {
  EXPECT_TRUE(on_path(Operator::starts, "/a", "/ab"));
  EXPECT_TRUE(on_path(Operator::starts, "/a", "/a"));
  EXPECT_FALSE(on_path(Operator::starts, "/ab", "/a"));
}

TEST(Match, HexDigitsOfEscapesHaveNoCase) {
  EXPECT_TRUE(on_path(Operator::is, "/%c3%A9", "/%C3%a9"));
  EXPECT_TRUE(on_path(Operator::starts, "/%c3", "/%C3%a9"));
  EXPECT_TRUE(on_path(Operator::is, "/%3b", "/%3B"));
  EXPECT_FALSE(on_path(Operator::is, "/%25ab", "/%25AB"));
  EXPECT_EQ(comparable_path("/%c3%"), "/%C3%");
  EXPECT_EQ(comparable_path("/%25c3"), "/%25c3");
}

struct MatchHead : testing::Test {
  Head head;
  Facts facts;
  void SetUp() override {
    head.method = "GET";
    head.host = "shop.example";
    head.fields = {{"user", "jason"}, {"empty", ""}};
    facts.head = &head;
    facts.caller = {true, {1}};
  }
  bool holds(const Condition& condition) { return match(condition, facts).holds; }
};

TEST_F(MatchHead, HeaderByNameAndValue) {
  EXPECT_TRUE(holds(test(Attribute::header, Operator::is, "jason", "user")));
  EXPECT_FALSE(holds(test(Attribute::header, Operator::is, "Jason", "user")));
  EXPECT_FALSE(holds(test(Attribute::header, Operator::is, "jaso", "user")));
  EXPECT_TRUE(holds(test(Attribute::header, Operator::is, "", "empty")));
  EXPECT_TRUE(holds(test(Attribute::header, Operator::present, "", "empty")));
  EXPECT_FALSE(holds(test(Attribute::header, Operator::absent, "", "empty")));
}

TEST_F(MatchHead, TestsOfAbsentValuesAreFalse) {
  EXPECT_FALSE(holds(test(Attribute::header, Operator::is, "", "none")));
  EXPECT_FALSE(holds(test(Attribute::header, Operator::present, "", "none")));
  EXPECT_TRUE(holds(test(Attribute::header, Operator::absent, "", "none")));
  EXPECT_TRUE(holds(combine(Condition::Kind::negation, {test(Attribute::header, Operator::is, "", "none")})));
  head.host = std::nullopt;
  EXPECT_FALSE(holds(test(Attribute::host, Operator::is, "shop.example")));
}

TEST_F(MatchHead, MethodAndHost) {
  EXPECT_TRUE(holds(test(Attribute::method, Operator::is, "GET")));
  EXPECT_FALSE(holds(test(Attribute::method, Operator::is, "HEAD")));
  EXPECT_TRUE(holds(test(Attribute::host, Operator::is, "shop.example")));
  EXPECT_FALSE(holds(test(Attribute::host, Operator::is, "example")));
}

TEST_F(MatchHead, From) {
  Condition from = test(Attribute::from, Operator::is, "");
  from.test.callers = {model::Callers::Kind::identities, {1}};
  EXPECT_TRUE(holds(from));
  from.test.callers.identities = {0};
  EXPECT_FALSE(holds(from));
}

TEST_F(MatchHead, CombinationsAndWhatDecidedThem) {
  const Condition yes = test(Attribute::method, Operator::is, "GET");
  const Condition no = test(Attribute::method, Operator::is, "PUT");
  using Kind = Condition::Kind;
  EXPECT_TRUE(holds(combine(Kind::all, {yes, yes})));
  EXPECT_FALSE(holds(combine(Kind::all, {yes, no})));
  EXPECT_TRUE(holds(combine(Kind::any, {no, yes})));
  EXPECT_FALSE(holds(combine(Kind::any, {no, no})));
  EXPECT_FALSE(holds(combine(Kind::negation, {yes})));
  const Condition all = combine(Kind::all, {yes, combine(Kind::negation, {yes}), no});
  EXPECT_EQ(match(all, facts).cause, &all.children[1].children[0]);
  EXPECT_TRUE(match(all, facts).cause_holds);
  const Condition any = combine(Kind::any, {no, no});
  EXPECT_EQ(match(any, facts).cause, &any);
  EXPECT_FALSE(match(any, facts).cause_holds);
}

// ---- texts

TEST(Phrases, Percent) {
  EXPECT_EQ(percent_text(900'000), "90%");
  EXPECT_EQ(percent_text(125'000), "12.5%");
  EXPECT_EQ(percent_text(1), "0.0001%");
  EXPECT_EQ(percent_text(1'000'000), "100%");
}

TEST(Bytes, Lists) {
  EXPECT_EQ(list_elements(" a ,, b\t,c "), (std::vector<std::string_view>{"a", "b", "c"}));
  EXPECT_TRUE(list_elements(" , ").empty());
  EXPECT_EQ(trim(" \t a b \t"), "a b");
}

}  // namespace
}  // namespace heddle::eval
