#include <gtest/gtest.h>

#include "compiler/eval/send.h"
#include "compiler/eval/test_run.h"
#include "tests/unit/eval/policy.h"

/// Nobody runs a filter here: what happens whatever they say is decided, the rest is unknown.
namespace heddle::eval {
namespace {

constexpr char head[] = R"(
mesh shop { trust_domain "t" }
identity web = spiffe "web"
extern a from "a.bpf.c"
extern b from "b.bpf.c"
extern c from "c.bpf.c"
service s {
  address 10.0.0.1:80  protocol http  transport plaintext
  subset v1 where version is "v1"
  endpoint 10.1.0.1:80 { version "v1" }
}
)";

struct Unknown : testing::Test {
  /// The names of the filters on which the last of `times` requests depends.
  static std::string of(const std::string& rules, const std::string& path = "/", int times = 1) {
    const Policy policy(head + rules);
    Request request;
    request.destination = address("10.0.0.1", 80);
    request.head = "GET " + path + " HTTP/1.1\r\nHost: s\r\n\r\n";
    const Evaluator evaluator(policy.model);
    Accounts accounts;
    Outcome outcome;
    for (int time = 0; time < times; ++time) outcome = evaluator.decide(request, &accounts);
    std::string names;
    for (const model::FilterId filter : outcome.unknown) names += policy.model.filters[filter].name;
    return names;
  }
};

TEST_F(Unknown, IsWhatDependsOnAFilter) {
  EXPECT_EQ(of("access s { allow from any when a }"), "a");
  EXPECT_EQ(of("access s { allow from any when not a }"), "a");
  EXPECT_EQ(of("access s { deny from any when b  allow from any }"), "b");
  EXPECT_EQ(of("access s { allow from any }\nroute s { when c -> v1  otherwise -> s }"), "c");
  EXPECT_EQ(of("access s { allow from any when a and b }"), "ab");
}

TEST_F(Unknown, IsNotWhatHappensAnyway) {
  EXPECT_EQ(of("access s { allow from any }"), "") << "no filter is asked";
  EXPECT_EQ(of("access s { allow from web when a }"), "") << "it is another caller's";
  EXPECT_EQ(of("access s { deny from any when a  deny from any }"), "a") << "denied in any case, but by another rule";
  EXPECT_EQ(of("access s { allow from any when a  allow from any }"), "") << "allowed in any case";
  EXPECT_EQ(of("access s { allow from any when a or not a }"), "");
  EXPECT_EQ(of("access s { allow from any when a and path is \"/x\"  allow from any when path is \"/y\" }"), "");
  EXPECT_EQ(of("access s { allow from any when a and path is \"/x\" }", "/x"), "a");
  EXPECT_EQ(of("access s { audit deny from any when a  allow from any }"), "") << "an audit decides nothing";
  EXPECT_EQ(of("access s { allow from any }", "//"), "") << "the form comes first";
}

/// Only what matters is named: whatever `a` says, `b` decides.
TEST_F(Unknown, NamesThoseThatMatter) {
  EXPECT_EQ(of("access s { allow from any when (a and b) or (not a and b) }"), "b");
  EXPECT_EQ(of("access s { allow from any when a or b or c }"), "abc");
}

/// A filter says whether the first requests were charged, so nobody knows whether there is room for the next.
TEST_F(Unknown, GoesOnInAccounts) {
  const std::string limited = "access s { allow from any }\nlimit l on s { when a  rate 1/h burst 1 }\n";
  EXPECT_EQ(of(limited), "") << "there is room for the first in any case";
  EXPECT_EQ(of(limited, "/", 2), "a");
  const std::string two = "access s { allow from any }\nlimit l on s { when a and path is \"/x\"  rate 1/h burst 1 }\nlimit m on s { rate 9/h burst 9 }\n";
  EXPECT_EQ(of(two, "/", 3), "") << "the path is another one";
}

TEST_F(Unknown, IsNeitherPassedNorFailed) {
  const Policy policy(head + std::string(R"(
access s { deny from any when a  allow from any when path under "/" }
test "t" {
  send GET "/" to s
  expect denied
  send GET "//" to s
  expect refused 400
}
)"));
  EvaluatorEngine engine(policy.model);
  const TestResult result = run_test(policy.model, policy.model.tests.front(), engine);
  EXPECT_TRUE(result.failures.empty());
  ASSERT_EQ(result.unknown.size(), 1u);
  EXPECT_EQ(result.unknown.front().happened, "depends on extern `a`, which decides by what lies in its maps");
}

TEST(FilterNames, AreOfTheirSpaceAndOfTheRoot) {
  source::SourceManager sources;
  sources.add("root.mesh", "mesh m { trust_domain \"t\" }\nextern geo from \"geo.bpf.c\"\nextern own from \"own.bpf.c\"\nidentity geo = spiffe \"x\"\n");
  sources.add("pay.mesh",
              "space pay\nextern geo from \"geo.bpf.c\"\nservice s { address 10.0.0.1:80 protocol http transport plaintext endpoint 10.1.0.1:80 }\n"
              "access s { allow from any when geo or own or pay.geo }\n");
  diagnostics::Sink sink;
  const auto policy = sema::check(sources, sink);
  ASSERT_TRUE(policy) << diagnostics::render_pretty(sink, sources, false);
  std::string names;
  for (const model::Condition& each : policy->services[0].access->rules[0].when->children) names += each.test.name + " ";
  EXPECT_EQ(names, "pay.geo own pay.geo ");
  ASSERT_EQ(policy->filters.size(), 3u);
  EXPECT_EQ(policy->filters[policy->services[0].access->rules[0].when->children[0].test.filter].name, "pay.geo");
}

TEST(FilterNames, OccurOnce) {
  source::SourceManager sources;
  sources.add("a.mesh", "mesh m { trust_domain \"t\" }\nextern geo from \"a.bpf.c\"\n");
  sources.add("b.mesh", "extern geo from \"b.bpf.c\"\n");
  diagnostics::Sink sink;
  EXPECT_FALSE(sema::check(sources, sink));
  EXPECT_NE(diagnostics::render_pretty(sink, sources, false).find("a second extern is called `geo`"), std::string::npos);
}

/// A name that something is compared with is no filter's.
TEST(FilterNames, AreAWholeCondition) {
  source::SourceManager sources;
  sources.add("a.mesh",
              "mesh m { trust_domain \"t\" }\nextern geo from \"a.bpf.c\"\n"
              "service s { address 10.0.0.1:80 protocol http transport plaintext endpoint 10.1.0.1:80 }\n"
              "access s { allow from any when geo is \"de\" }\n");
  diagnostics::Sink sink;
  EXPECT_FALSE(sema::check(sources, sink));
  EXPECT_NE(diagnostics::render_pretty(sink, sources, false).find("its name alone is the condition"), std::string::npos);
}

}  // namespace
}  // namespace heddle::eval
