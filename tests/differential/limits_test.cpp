// Limits: evaluator and compiled function charge the same accounts, request by request, on a clock of the test's own.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "compiler/eval/evaluator.h"
#include "tests/differential/agreement.h"
#include "tests/differential/compiled.h"
#include "tests/differential/parsed.h"
#include "tests/differential/random.h"

namespace heddle::differential {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

const std::string frame = R"(
mesh m { trust_domain "t.example" alias "old.example" }
identity web = spiffe "ns/web"
identity job = spiffe "ns/job"
workload job { cgroup "t/job" identity job }
workload web { cgroup "t/web" identity web }
service s {
  address 10.96.0.1:80
  protocol http
  transport plaintext
  endpoint 10.1.0.1:9000
}
service d {
  address 10.96.0.2:5432
  protocol tcp
  transport plaintext
  endpoint 10.1.0.2:9000
}
access s { deny from any when header "x-deny" present  allow from any }
access d { allow from any }
)";

struct Sent {
  std::string target = "/";
  std::vector<std::string> fields = {};
  std::optional<model::WorkloadId> caller = 1;
  std::string method = "GET";
  std::string host = "s";
  std::uint8_t source = 1;
  bool tcp = false;
  std::string spiffe = {};  // who has a certificate instead
  bool tunnelled = false;
};

/// A policy with accounts on both sides; every request is asked of both, and they have to agree.
class Both {
 public:
  explicit Both(const std::string& limits) : parsed_(parse(frame + limits)) {
    EXPECT_TRUE(parsed_.policy) << parsed_.complaint;
    if (!parsed_.policy) std::abort();
    auto compiled = CompiledPolicy::make(*parsed_.policy, parsed_.sources);
    EXPECT_TRUE(compiled) << compiled.error().what;
    compiled_.emplace(std::move(*compiled));
    evaluator_.emplace(*parsed_.policy);
  }

  /// The rule that ended the decision, and the seconds to wait.
  std::pair<std::string, std::uint32_t> ask(const Sent& sent) {
    Case made;
    made.caller = sent.caller;
    if (sent.caller) made.request.spiffe = *sent.caller == 0 ? "spiffe://t.example/ns/job" : "spiffe://t.example/ns/web";
    if (!sent.spiffe.empty()) {
      made.caller.reset();
      made.request.spiffe = sent.spiffe;
    }
    const model::Service& to = parsed_.policy->services[sent.tcp ? 0 : 1];
    made.request.destination = sent.tunnelled ? to.endpoints.front().address : to.addresses.front();
    made.request.tunnelled = sent.tunnelled;
    made.request.source.ip.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, sent.source};
    made.request.now_ns = now_;
    if (!sent.tcp) {
      made.request.head = sent.method + " " + sent.target + " HTTP/1.1\r\nHost: " + sent.host + "\r\n";
      for (const std::string& field : sent.fields) made.request.head += field + "\r\n";
      made.request.head += "\r\n";
    }
    const eval::Outcome expected = evaluator_->decide(made.request, &accounts_);
    const auto answers = compiled_->decide({made});
    EXPECT_TRUE(answers && answers->front());
    EXPECT_EQ(difference(*parsed_.policy, expected, *answers->front()), "") << made.request.head;
    return {expected.rule, expected.retry_after};
  }
  std::string rule(const Sent& sent) { return ask(sent).first; }
  void pass(std::uint64_t ns) { now_ += ns; }

 private:
  Parsed parsed_;
  std::optional<CompiledPolicy> compiled_;
  std::optional<eval::Evaluator> evaluator_;
  eval::Accounts accounts_;
  std::uint64_t now_ = 1000 * second;
};

constexpr const char* passed = "route s/otherwise";

TEST(Limits, BurstThenRate) {
  Both both("limit l on s { rate 10/s burst 3 }");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(both.rule({}), passed);
  EXPECT_EQ(both.ask({}), (std::pair<std::string, std::uint32_t>{"limit s/l", 1}));
  both.pass(second / 10 - 1);
  EXPECT_EQ(both.rule({}), "limit s/l");
  both.pass(1);
  EXPECT_EQ(both.rule({}), passed);
  EXPECT_EQ(both.rule({}), "limit s/l") << "one interval has room for one";
  both.pass(100 * second);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(both.rule({}), passed) << "no more than the burst is saved";
  EXPECT_EQ(both.rule({}), "limit s/l");
}

/// Who has a certificate shares the account of the workload with the same ID; everybody else's is another one.
TEST(Limits, AnIdentityIsTheWholeId) {
  Both both("limit l on s { rate 1/h burst 2  key identity }");
  EXPECT_EQ(both.rule({.caller = 1}), passed);
  EXPECT_EQ(both.rule({.spiffe = "spiffe://t.example/ns/web"}), passed);
  EXPECT_EQ(both.rule({.caller = 1}), "limit s/l");
  EXPECT_EQ(both.rule({.spiffe = "spiffe://old.example/ns/web"}), "limit s/l");
  for (const char* other : {"spiffe://t.example/ns/we", "spiffe://far.example/ns/web", "spiffe://t.example/ns/x", "spiffe://t.example/ns/y"}) {
    EXPECT_EQ(both.rule({.spiffe = other}), passed) << other;
    EXPECT_EQ(both.rule({.spiffe = other}), passed) << other;
    EXPECT_EQ(both.rule({.spiffe = other}), "limit s/l") << other;
  }
  EXPECT_EQ(both.rule({.caller = std::nullopt}), passed) << "nobody is somebody else";
}

/// They were asked and charged where the request came from.
TEST(Limits, NotBehindATunnel) {
  Both both("limit l on s { rate 1/h burst 1 }");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(both.rule({.spiffe = "spiffe://t.example/ns/web", .tunnelled = true}), "access s/2");
  EXPECT_EQ(both.rule({}), passed) << "nothing was charged";
  EXPECT_EQ(both.rule({}), "limit s/l");
  EXPECT_EQ(both.rule({.tunnelled = true}), "access s/2");
}

TEST(Limits, WaitIsInWholeSeconds) {
  Both both("limit l on s { rate 2/m burst 1 }");
  EXPECT_EQ(both.rule({}), passed);
  EXPECT_EQ(both.ask({}).second, 30u);
  both.pass(second / 2);
  EXPECT_EQ(both.ask({}).second, 30u);
  both.pass(29 * second);
  EXPECT_EQ(both.ask({}).second, 1u);
  both.pass(second / 2);
  EXPECT_EQ(both.rule({}), passed);
}

TEST(Limits, OfARateThatDoesNotDivideASecond) {
  Both both("limit l on s { rate 7/s burst 1 }");
  std::size_t admitted = 0;
  for (int i = 0; i < 1000; ++i) {
    admitted += both.rule({}) == passed ? 1 : 0;
    both.pass(second / 100);
  }
  EXPECT_LE(admitted, 71u);
  EXPECT_GE(admitted, 66u);  // as the test's clock has steps of 10 ms
}

TEST(Limits, OnlyWhatTheConditionNames) {
  Both both(R"(limit l on s { when path under "/a" and not method is HEAD  rate 1/h burst 1 })");
  EXPECT_EQ(both.rule({"/a"}), passed);
  EXPECT_EQ(both.rule({"/a/b"}), "limit s/l");
  EXPECT_EQ(both.rule({"/b"}), passed);
  EXPECT_EQ(both.rule({.target = "/a", .method = "HEAD"}), passed);
  EXPECT_EQ(both.ask({"/a"}).second, 3600u);
}

TEST(Limits, EachKeyHasAnAccount) {
  struct Row {
    const char* key;
    Sent one;
    Sent same;
    Sent other;
    Sent without;
  };
  const Row rows[] = {
      {R"(header "X-User")", {"/", {"x-user: a"}}, {"/b", {"X-USER:  a"}}, {"/", {"x-user: A"}}, {"/"}},
      {R"(query "q")", {"/?q=%c3"}, {"/x?a=1&q=%C3"}, {"/?q=%C4"}, {"/?qq=%c3"}},
      {R"(cookie "c")", {"/", {"cookie: c=1"}}, {"/", {"cookie: d=2; c = 1"}}, {"/", {"cookie: c=2"}}, {"/", {"cookie: d=1"}}},
      {"host", {.host = "a"}, {.host = "A:80"}, {.host = "b"}, {.host = "c"}},
      {"method", {"/"}, {"/b"}, {.method = "POST"}, {.method = "PUT"}},
      {"address", {.source = 1}, {.target = "/b", .source = 1}, {.source = 2}, {.source = 3}},
      {"identity", {.caller = 0}, {.target = "/b", .caller = 0}, {.caller = 1}, {.caller = std::nullopt}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.key);
    Both both("limit l on s { rate 1/h burst 1 key " + std::string(row.key) + " }");
    EXPECT_EQ(both.rule(row.one), passed);
    EXPECT_EQ(both.rule(row.same), "limit s/l");
    EXPECT_EQ(both.rule(row.other), passed);
    EXPECT_EQ(both.rule(row.without), passed);
    EXPECT_EQ(both.rule(row.without), "limit s/l") << "those without the value share one account";
    EXPECT_EQ(both.rule(row.other), "limit s/l");
  }
}

TEST(Limits, TheEmptyValueIsAValue) {
  Both both(R"(limit l on s { rate 1/h burst 1 key header "x-user" })");
  EXPECT_EQ(both.rule({"/", {"x-user:"}}), passed);
  EXPECT_EQ(both.rule({"/"}), passed);
  EXPECT_EQ(both.rule({"/", {"x-user:"}}), "limit s/l");
  EXPECT_EQ(both.rule({"/", {"x-user: a", "x-user: b"}}), "mesh/malformed");
  EXPECT_EQ(both.rule({"/", {"connection: x-user"}}), "mesh/malformed");
}

/// Where one part ends and the next begins matters.
TEST(Limits, PartsOfAKeyDoNotRunIntoEachOther) {
  Both both(R"(limit l on s { rate 1/h burst 1 key header "a", header "b" })");
  EXPECT_EQ(both.rule({"/", {"a: x", "b: yz"}}), passed);
  EXPECT_EQ(both.rule({"/", {"a: xy", "b: z"}}), passed);
  EXPECT_EQ(both.rule({"/", {"a: xyz"}}), passed);
  EXPECT_EQ(both.rule({"/", {"b: xyz"}}), passed);
  EXPECT_EQ(both.rule({"/", {"a: xyz", "b:"}}), passed);
  EXPECT_EQ(both.rule({"/", {"b: yz", "a: x"}}), "limit s/l");
}

TEST(Limits, OfTwoNeitherIsChargedWhereOneRefuses) {
  Both both(R"(limit b on s { rate 1/h burst 2 }
limit a on s { when path under "/a" rate 2/h burst 1 })");
  EXPECT_EQ(both.rule({"/a"}), passed);
  EXPECT_EQ(both.ask({"/a"}), (std::pair<std::string, std::uint32_t>{"limit s/a", 1800}));
  EXPECT_EQ(both.rule({"/"}), passed) << "the refused request has not used b's room";
  EXPECT_EQ(both.rule({"/"}), "limit s/b");
  EXPECT_EQ(both.ask({"/a"}), (std::pair<std::string, std::uint32_t>{"limit s/a", 3600}))
      << "named is the first by name, the wait is the longest";
}

TEST(Limits, WhatIsDeniedIsNotCharged) {
  Both both("limit l on s { rate 1/h burst 1 }");
  EXPECT_EQ(both.rule({"/", {"x-deny: 1"}}), "access s/1");
  EXPECT_EQ(both.rule({"//"}), "mesh/path");
  EXPECT_EQ(both.rule({}), passed);
  EXPECT_EQ(both.rule({"/", {"x-deny: 1"}}), "access s/1") << "access comes first";
}

TEST(Limits, OfConnections) {
  Both both("limit l on d { when from web rate 1/h burst 2 key identity }");
  EXPECT_EQ(both.rule({.tcp = true}), "route d/otherwise");
  EXPECT_EQ(both.rule({.tcp = true}), "route d/otherwise");
  EXPECT_EQ(both.rule({.tcp = true}), "limit d/l");
  EXPECT_EQ(both.rule({.caller = 0, .tcp = true}), "route d/otherwise");
}

TEST(Limits, LargeNumbers) {
  Both both("limit l on s { rate 1000000000/s burst 1000000000 }\nlimit m on s { rate 1000000000/h burst 1000 key method }");
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(both.rule({}), passed);
  EXPECT_EQ(both.rule({}), "limit s/m");
  both.pass(3600);  // nanoseconds: the time of one request
  EXPECT_EQ(both.rule({}), passed);
  EXPECT_EQ(both.rule({}), "limit s/m");
}

/// Random requests at random times, over several limits with keys in common.
TEST(Limits, AgreeOnRandomRequests) {
  const bool long_run = std::getenv("HEDDLE_LONG") != nullptr;
  std::map<std::string, std::size_t> ended;
  for (std::uint64_t seed = 0; seed < (long_run ? 40U : 4U); ++seed) {
    Random random(seed + 99);
    const std::vector<std::string> rates = {"3/s", "100/s", "50/m", "1000/h", "7/m"};
    const std::vector<std::string> keys = {"",       R"(key header "x-user")", R"(key query "q", method)", "key address",
                                           "key host", R"(key cookie "c", address)", "key identity"};
    const std::vector<std::string> whens = {"", R"(when path under "/a")", R"(when header "x-user" present)",
                                            R"(when not method is POST)"};
    std::string limits;
    for (std::size_t i = 0, count = random.between(2, 6); i < count; ++i) {
      limits += "limit l" + std::to_string(i) + " on s { " + random.pick(whens) + " rate " + random.pick(rates) + " burst " +
                std::to_string(random.between(1, 6)) + " " + random.pick(keys) + " }\n";
    }
    Both both(limits);
    for (int i = 0; i < (long_run ? 20000 : 4000) && !testing::Test::HasFailure(); ++i) {
      Sent sent;
      sent.target = random.pick(std::vector<std::string>{"/", "/a", "/a/b?q=1", "/?q=%c3", "/?q=%C3", "/b?q"});
      if (random.chance(50)) sent.fields.push_back("x-user: " + std::to_string(random.below(4)));
      if (random.chance(40)) sent.fields.push_back("cookie: c=" + std::to_string(random.below(3)));
      if (random.chance(5)) sent.fields.emplace_back("x-deny: 1");
      if (random.chance(30)) sent.caller = random.chance(50) ? std::optional<model::WorkloadId>(0) : std::nullopt;
      sent.method = random.pick(std::vector<std::string>{"GET", "GET", "POST"});
      sent.host = random.pick(std::vector<std::string>{"s", "S", "t"});
      sent.source = static_cast<std::uint8_t>(random.between(1, 3));
      ++ended[both.rule(sent).starts_with("limit") ? "limited" : "not"];
      if (random.chance(70)) both.pass(random.next() % (second / 20));
      if (random.chance(1)) both.pass(random.next() % (100 * second));
    }
  }
  std::printf("random requests: %zu limited, %zu not\n", ended["limited"], ended["not"]);
  EXPECT_GT(ended["limited"], 1000u);
  EXPECT_GT(ended["not"], 1000u);
}

}  // namespace
}  // namespace heddle::differential
