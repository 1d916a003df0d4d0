// `heddle test` on the kernel's engine: the same tests come to the same results as with the evaluator.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "compiler/cli/engines.h"
#include "compiler/eval/test_run.h"

namespace heddle {
namespace {

const std::string source = HEDDLE_SOURCE_DIR;

cli::Checked check(const std::vector<std::string>& paths) {
  auto checked = cli::check_paths(paths);
  EXPECT_TRUE(checked.ok());
  EXPECT_TRUE(checked->policy);
  return std::move(*checked);
}

/// `<block>: <what was expected> / <what happened> / <rule> / <caller> / <draw>` of every failure, and of
/// trouble.
std::vector<std::string> results(const cli::Checked& checked, eval::Engine& engine) {
  std::vector<std::string> lines;
  for (const auto& block : checked.policy->tests) {
    const eval::TestResult result = eval::run_test(*checked.policy, block, engine);
    if (result.trouble) lines.push_back(block.name + ": " + result.trouble->what);
    for (const auto& failure : result.failures) {
      lines.push_back(block.name + ": " + failure.expected + " / " + failure.happened + " / " + failure.rule +
                      " / " + failure.caller + " / " + std::to_string(failure.draw.value_or(0)));
    }
  }
  return lines;
}

TEST(KernelEngine, AgreesOnFailingTests) {
  const auto checked =
      check({source + "/tests/golden/commands/shop.mesh", source + "/tests/golden/commands/tests.mesh"});
  const auto engines = cli::make_engines("both", checked);
  ASSERT_TRUE(engines.ok()) << engines.error().what;
  ASSERT_EQ(engines->size(), 2u);
  EXPECT_EQ((*engines)[1]->name(), "kernel");
  const auto expected = results(checked, *(*engines)[0]);
  EXPECT_GE(expected.size(), 6u);
  EXPECT_EQ(results(checked, *(*engines)[1]), expected);
}

TEST(KernelEngine, PassesTheTestsOfBookinfo) {
  const auto checked = check({source + "/examples/bookinfo/policy", source + "/examples/bookinfo/env"});
  EXPECT_FALSE(checked.policy->tests.empty());
  const auto engines = cli::make_engines("kernel", checked);
  ASSERT_TRUE(engines.ok()) << engines.error().what;
  EXPECT_EQ(results(checked, *engines->front()), std::vector<std::string>{});
}

TEST(KernelEngine, AgreesOnConnections) {
  for (const char* name : {"queue", "vault"}) {
    const auto checked = check({source + "/tests/golden/commands/" + name + ".mesh"});
    const auto engines = cli::make_engines("both", checked);
    ASSERT_TRUE(engines.ok()) << engines.error().what;
    const auto expected = results(checked, *(*engines)[0]);
    EXPECT_EQ(expected.size(), name == std::string("queue") ? 1u : 0u) << "an address that nobody said";
    EXPECT_EQ(results(checked, *(*engines)[1]), expected) << name;
  }
}

TEST(KernelEngine, CannotAskForWhoHasNoSpiffeId) {
  const auto checked = check({source + "/tests/golden/commands/shop.mesh"});
  const auto engines = cli::make_engines("kernel", checked);
  ASSERT_TRUE(engines.ok()) << engines.error().what;
  eval::Request request;
  request.spiffe = "shop.example/ns/shop/sa/other";
  const eval::Answer answer = engines->front()->decide(request);
  EXPECT_TRUE(std::holds_alternative<eval::EngineFailure>(answer));
}

int exit_code(const std::string& arguments) {
  const std::string command = HEDDLE_BIN_DIR "/heddle test " + arguments + " > /dev/null 2>&1";
  return WEXITSTATUS(std::system(command.c_str()));
}

/// Workloads have no certificate, everybody else has one: identities by pattern, by alias, of other domains, of nobody.
TEST(KernelEngine, AsksForWhoIsNoWorkload) {
  const std::string policy = testing::TempDir() + "heddle_engine_" + std::to_string(getpid()) + ".mesh";
  std::ofstream(policy)
      << "mesh m { trust_domain \"new.example\" alias \"old.example\" }\n"
         "identity batch = spiffe \"ns/batch-*\"\n"
         "identity far = spiffe \"spiffe://far.example/web\"\n"
         "identity s = spiffe \"ns/s\"\n"
         "service s { address 10.96.0.1:80 protocol http transport mtls identity s endpoint 10.0.0.1:80 }\n"
         "access s { allow from batch, far  allow from authenticated when path is \"/known\" }\n"
         "test \"strangers\" {\n"
         "  send GET \"/\" to s from spiffe \"ns/batch-7\" expect allowed, rule \"route s/otherwise\"\n"
         "  send GET \"/\" to s from spiffe \"spiffe://old.example/ns/batch-7\" expect allowed\n"
         "  send GET \"/\" to s from spiffe \"spiffe://far.example/web\" expect allowed\n"
         "  send GET \"/\" to s from spiffe \"spiffe://far.example/ns/batch-7\" expect denied\n"
         "  send GET \"/\" to s from spiffe \"ns/batch-7/x\" expect denied\n"
         "  send GET \"/known\" to s from spiffe \"spiffe://nowhere.example/x\" expect allowed\n"
         "  send GET \"/known\" to s from unauthenticated expect denied\n"
         "}\n";
  for (const char* engine : {"evaluator", "kernel", "both"})
    EXPECT_EQ(exit_code(std::string("--engine ") + engine + " " + policy), 0) << engine;
  std::remove(policy.c_str());
}

}  // namespace
}  // namespace heddle
