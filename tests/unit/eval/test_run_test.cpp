#include "compiler/eval/test_run.h"

#include <gtest/gtest.h>

#include "compiler/eval/send.h"
#include "tests/unit/eval/policy.h"

namespace heddle::eval {
namespace {

constexpr char shop[] = R"(
mesh shop { trust_domain "t" }
identity web     = spiffe "web"
identity batch   = spiffe "batch"
identity callers = web or batch
service s {
  address   10.0.0.1:80, 10.0.0.2:8080
  protocol  http
  transport plaintext
  subset v1 where version is "v1"
  subset v2 where version is "v2"
  subset v3 where version is "v3"
  balance   random
  endpoint  10.1.0.1:80 { version "v1" }
  endpoint  10.1.0.2:80 { version "v2" }
}
route s {
  when path is "/split"   -> split { 99.9999% v1, 0.0001% v2 }
  when path is "/respond" -> respond 418 "teapot"
  when path is "/empty"   -> v3
  when path is "/400"     -> respond 400 "no"
  when path is "/slow"    -> split { 50% v1, 50% v2 } { timeout 2500ms }
  otherwise               -> s
}
access s {
  allow from callers when not path is "/web"
  allow from web
}
service c { address 10.0.0.3:1 protocol tcp transport plaintext balance random endpoint 10.1.0.3:1 }
access c { allow from web }
)";

struct Tests : testing::Test {
  /// The failures of the only test of the policy, as `expected / happened / rule / caller`.
  std::vector<std::string> run(const std::string& body) {
    const Policy policy(shop + std::string("test \"t\" {\n") + body + "\n}\n");
    EXPECT_EQ(policy.model.tests.size(), 1u);
    EvaluatorEngine engine(policy.model);
    std::vector<std::string> failures;
    for (const TestFailure& failure : run_test(policy.model, policy.model.tests.front(), engine).failures) {
      failures.push_back(failure.expected + " / " + failure.happened + " / " + failure.rule + " / " +
                         failure.caller);
    }
    return failures;
  }
  bool passes(const std::string& body) { return run(body).empty(); }
};

TEST_F(Tests, Allowed) {
  EXPECT_TRUE(passes("send GET \"/\" to s from web expect allowed"));
  EXPECT_TRUE(passes("send GET \"/respond\" to s from web expect allowed"));
  EXPECT_EQ(run("send GET \"/\" to s expect allowed"),
            std::vector<std::string>{"allowed / denied with 403 / access s/default / unauthenticated"});
  EXPECT_TRUE(passes("send GET \"/empty\" to s from web expect allowed"));
  EXPECT_FALSE(passes("send GET \"//\" to s from web expect allowed"));
}

TEST_F(Tests, Denied) {
  EXPECT_TRUE(passes("send GET \"/\" to s expect denied"));
  EXPECT_FALSE(passes("send GET \"/\" to s from web expect denied"));
  EXPECT_FALSE(passes("send GET \"//\" to s expect denied"));
}

TEST_F(Tests, Refused) {
  EXPECT_TRUE(passes("send GET \"//\" to s expect refused 400, rule \"mesh/path\""));
  EXPECT_TRUE(passes("send GET \"/\" to s from web with header \"host\" \"other\" expect refused 400"));
  EXPECT_TRUE(passes("send GET \"/\" to s from web with host \"a.\" expect refused 400"));
  EXPECT_FALSE(passes("send GET \"//\" to s expect refused 431"));
  EXPECT_TRUE(passes("send GET \"/400\" to s from web expect status 400"));
  EXPECT_FALSE(passes("send GET \"/400\" to s from web expect refused 400"));
  EXPECT_FALSE(passes("send GET \"/\" to s expect refused 400"));
}

TEST_F(Tests, RouteStatusAndRule) {
  EXPECT_TRUE(passes("send GET \"/\" to s from web expect route s"));
  EXPECT_FALSE(passes("send GET \"/\" to s from web expect route v1"));
  EXPECT_TRUE(passes("send GET \"/respond\" to s from web expect status 418, rule \"route s/2\""));
  EXPECT_FALSE(passes("send GET \"/respond\" to s from web expect status 200"));
  EXPECT_FALSE(passes("send GET \"/respond\" to s from web expect route s"));
  EXPECT_FALSE(passes("send GET \"/\" to s from web expect rule \"route s/1\""));
  EXPECT_TRUE(passes("send GET \"/empty\" to s from web expect status 503, rule \"service s/unhealthy\""));
  EXPECT_FALSE(passes("send GET \"/empty\" to s from web expect route v3"));
}

TEST_F(Tests, Timeout) {
  EXPECT_TRUE(passes("send GET \"/slow\" to s from web expect timeout 2.5s"));
  EXPECT_TRUE(passes("send GET \"/\" to s from web expect timeout none"));
  EXPECT_TRUE(passes("send GET \"/respond\" to s from web expect timeout none"));
  EXPECT_EQ(run("send GET \"/\" to s from web expect timeout 2s"),
            std::vector<std::string>{"timeout 2s / forwarded to s / route s/otherwise / spiffe://t/web"});
  EXPECT_EQ(run("send GET \"/slow\" to s from web expect timeout none").front(),
            "timeout none / forwarded to v1, timeout 2500ms / route s/5 / spiffe://t/web");
  EXPECT_FALSE(passes("send GET \"/\" to s expect timeout none")) << "it is denied";
}

TEST_F(Tests, HoldForEveryDraw) {
  EXPECT_TRUE(passes("send GET \"/split\" to s from web expect route v1 or v2"));
  // One in a million, and still not forgotten.
  EXPECT_EQ(run("send GET \"/split\" to s from web expect route v1"),
            std::vector<std::string>{"route v1 / forwarded to v2 / route s/1 / spiffe://t/web"});
  EXPECT_EQ(run("send GET \"/split\" to s from web expect route v2"),
            std::vector<std::string>{"route v2 / forwarded to v1 / route s/1 / spiffe://t/web"});
}

TEST_F(Tests, AGroupHoldsForEveryMember) {
  EXPECT_TRUE(passes("send GET \"/\" to s from callers expect allowed"));
  EXPECT_EQ(run("send GET \"/web\" to s from callers expect allowed"),
            std::vector<std::string>{"allowed / denied with 403 / access s/default / spiffe://t/batch"});
  EXPECT_TRUE(passes("send GET \"/web\" to s from web expect allowed"));
  EXPECT_TRUE(passes("send GET \"/\" to s from spiffe \"spiffe://t/batch\" expect allowed"));
  EXPECT_TRUE(passes("send GET \"/\" to s from spiffe \"spiffe://other/batch\" expect denied"));
}

TEST_F(Tests, Tcp) {
  EXPECT_TRUE(passes("connect to c from web expect allowed, route c"));
  EXPECT_TRUE(passes("connect to c expect denied, rule \"access c/default\""));
  EXPECT_FALSE(passes("connect to c from batch expect allowed"));
}

TEST_F(Tests, EveryExpectationOfEveryCaseCounts) {
  EXPECT_EQ(run("send GET \"/\" to s from web expect denied, status 403, rule \"route s/1\"\n"
                "send GET \"/\" to s expect denied\n"
                "send GET \"/\" to s expect allowed")
                .size(),
            4u);
}

TEST_F(Tests, ThePortSelectsTheAddress) {
  EXPECT_TRUE(passes("send GET \"/\" to s port 8080 from web expect allowed"));
}

TEST(Send, TheHeadIsWhatTheTestWrites) {
  const Policy policy(std::string(shop) + R"(test "t" {
    send PUT "/a?b=%20" to s port 8080 from web with header "X-A" "1" with header "x-a" "2" with host "H:1"
    expect denied
  })");
  const auto sent = make_requests(policy.model, policy.model.tests[0].cases[0].send);
  ASSERT_EQ(sent.requests.size(), 1u);
  EXPECT_EQ(sent.requests[0].destination.text(), "10.0.0.2:8080");
  EXPECT_EQ(sent.requests[0].spiffe, "spiffe://t/web");
  const std::string head = sent.requests[0].head;
  EXPECT_TRUE(head == "PUT /a?b=%20 HTTP/1.1\r\nHost: H:1\r\nX-A: 1\r\nx-a: 2\r\n\r\n" ||
              head == "PUT /a?b=%20 HTTP/1.1\r\nHost: H:1\r\nx-a: 1\r\nx-a: 2\r\n\r\n")
      << head;
}

/// Answers nothing.
class BrokenEngine final : public Engine {
 public:
  [[nodiscard]] std::string_view name() const override { return "broken"; }
  Answer decide(const Request&) override { return EngineFailure{"no kernel", "get one"}; }
};

/// Denies, until it has been asked often enough.
class LateEngine final : public Engine {
 public:
  [[nodiscard]] std::string_view name() const override { return "late"; }
  Answer decide(const Request&) override {
    Outcome outcome;
    outcome.verdict = ++asked < 3 ? Verdict::deny : Verdict::respond;
    return outcome;
  }
  int asked = 0;
};

TEST(Engine, IsAskedAsOftenAsTheTestSaysAndTheLastAnswerCounts) {
  const Policy policy(std::string(shop) +
                      "test \"t\" { send GET \"/\" to s from web 3 times expect allowed }");
  LateEngine engine;
  EXPECT_TRUE(run_test(policy.model, policy.model.tests.front(), engine).failures.empty());
  EXPECT_EQ(engine.asked, 3);
}

TEST(Engine, ThatCannotDecideFailsNoTestAndPassesNone) {
  const Policy policy(std::string(shop) + "test \"t\" { send GET \"/\" to s from web expect allowed }");
  BrokenEngine engine;
  const TestResult result = run_test(policy.model, policy.model.tests.front(), engine);
  EXPECT_TRUE(result.failures.empty());
  ASSERT_TRUE(result.trouble);
  EXPECT_EQ(result.trouble->what, "no kernel");
}

}  // namespace
}  // namespace heddle::eval
