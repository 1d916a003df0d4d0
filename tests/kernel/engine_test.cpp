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

TEST(KernelEngine, CannotAskForWhoIsNoWorkload) {
  const auto checked = check({source + "/tests/golden/commands/shop.mesh"});
  const auto engines = cli::make_engines("kernel", checked);
  ASSERT_TRUE(engines.ok()) << engines.error().what;
  eval::Request request;
  request.spiffe = "spiffe://shop.example/ns/shop/sa/other";
  const eval::Answer answer = engines->front()->decide(request);
  EXPECT_TRUE(std::holds_alternative<eval::EngineFailure>(answer));
}

int exit_code(const std::string& arguments) {
  const std::string command = HEDDLE_BIN_DIR "/heddle test " + arguments + " > /dev/null 2>&1";
  return WEXITSTATUS(std::system(command.c_str()));
}

TEST(KernelEngine, WhatItCannotDecideIsNoSuccessOfTheKernel) {
  const std::string policy = testing::TempDir() + "heddle_engine_" + std::to_string(getpid()) + ".mesh";
  std::ofstream(policy)
      << "test \"stranger\" { send GET \"/\" to reviews from spiffe \"spiffe://shop.example/x\" "
         "expect denied }\n";
  const std::string paths = source + "/tests/golden/commands/shop.mesh " + policy;
  EXPECT_EQ(exit_code(paths), 0);
  EXPECT_EQ(exit_code("--engine evaluator " + paths), 0);
  EXPECT_EQ(exit_code("--engine kernel " + paths), 2);
  EXPECT_EQ(exit_code("--engine both " + paths), 2);
  std::remove(policy.c_str());
}

}  // namespace
}  // namespace heddle
